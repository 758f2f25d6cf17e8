//! Writes settings in the order in which they changed, although any background thread may write them.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    mailbox::{Reader, Writer, mailbox},
    settings::Settings,
};

pub struct SettingsFile {
    /// `None` does not write the settings.
    pub path: Option<PathBuf>,
    /// When they last changed, by egui's clock; `None` if that change is written.
    pub changed_at: Option<f64>,
    changed: Writer<Option<Settings>>,
    newest: Arc<Mutex<Reader<Option<Settings>>>>,
}

impl SettingsFile {
    /// Settings that have not changed since they were read from `path`.
    pub fn new(path: Option<PathBuf>) -> Self {
        let (changed, newest) = mailbox(|| None);
        Self { path, changed_at: None, changed, newest: Arc::new(Mutex::new(newest)) }
    }

    /// Returns the work that writes these settings, unless newer ones are written first; `None` without a file.
    pub fn write(
        &mut self,
        settings: &Settings,
    ) -> Option<impl FnOnce() -> Result<(), String> + Send + use<>> {
        self.changed_at = None;
        let path = self.path.clone()?;
        self.changed.send(settings.clone());
        let newest = self.newest.clone();
        Some(move || {
            // Locked while writing, so that older settings never replace newer ones.
            let mut newest = newest.lock().unwrap_or_else(PoisonError::into_inner);
            let saved = newest.receive().map(|settings| settings.save(&path));
            saved.unwrap_or(Ok(())).map_err(|e| e.to_string())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_settings_are_never_written_after_newer_ones() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("settings.toml");
        let mut file = SettingsFile::new(Some(path.clone()));
        let [first, second] = ["older", "newer"].map(|style| {
            let mut settings = Settings::default();
            settings.choices.style = Some(style.to_owned());
            file.write(&settings).expect("work")
        });
        let written = || Settings::load(&path).0.choices.style;
        second().expect("written");
        assert_eq!(written().as_deref(), Some("newer"));
        std::fs::remove_file(&path).expect("removed");
        first().expect("nothing to do");
        assert_eq!(written(), None, "the other task has nothing left to write");
    }
}
