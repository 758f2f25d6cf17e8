//! Writes values in the order in which they changed, although any background thread may write them.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use super::tasks::OrText;
use values::{
    lock::lock,
    mailbox::{Reader, Writer, mailbox},
};

/// A file in which a value is kept across restarts.
pub struct KeptFile<T> {
    /// `None` does not write it.
    pub path: Option<PathBuf>,
    /// When the value last changed, by egui's clock; `None` if that change is written.
    pub changed_at: Option<f64>,
    changed: Writer<Option<T>>,
    newest: Arc<Mutex<Reader<Option<T>>>>,
}

impl<T> Default for KeptFile<T> {
    fn default() -> Self {
        Self::new(None)
    }
}

impl<T> KeptFile<T> {
    /// A value that has not changed since it was read from `path`.
    pub fn new(path: Option<PathBuf>) -> Self {
        let (changed, newest) = mailbox(|| None);
        Self { path, changed_at: None, changed, newest: Arc::new(Mutex::new(newest)) }
    }
}

impl<T: Clone + Send + 'static> KeptFile<T> {
    /// Returns the work that writes this value with `write`, unless a newer one is written first; `None` without a
    /// file.
    pub fn write<E: ToString>(
        &mut self,
        value: &T,
        write: fn(&T, &Path) -> Result<(), E>,
    ) -> Option<impl FnOnce() -> Result<(), String> + Send + use<T, E>> {
        self.changed_at = None;
        let path = self.path.clone()?;
        self.changed.send(value.clone());
        let newest = self.newest.clone();
        Some(move || {
            // Locked while writing, so that an older value never replaces a newer one.
            let mut newest = lock(&newest);
            newest.receive().map(|value| write(&value, &path)).unwrap_or(Ok(())).or_text()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use settings::Settings;

    #[test]
    fn older_settings_are_never_written_after_newer_ones() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("settings.toml");
        let mut file = KeptFile::new(Some(path.clone()));
        let [first, second] = ["older", "newer"].map(|style| {
            let mut settings = Settings::default();
            settings.choices.style = Some(style.to_owned());
            file.write(&settings, Settings::save).expect("work")
        });
        let written = || Settings::load(&path).0.choices.style;
        second().expect("written");
        assert_eq!(written().as_deref(), Some("newer"));
        std::fs::remove_file(&path).expect("removed");
        first().expect("nothing to do");
        assert_eq!(written(), None, "the other task has nothing left to write");
    }
}
