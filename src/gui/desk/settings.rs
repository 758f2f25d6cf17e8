//! Writing settings in the order in which they changed, though any background thread may write them.

use std::{
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use super::Report;
use crate::settings::Settings;

/// The settings that are to be written next. Only the newest count.
#[derive(Default)]
pub struct SettingsSlot {
    newest: Mutex<Option<(Settings, PathBuf)>>,
    /// Held while they are written, so that no older ones are renamed over newer ones.
    writing: Mutex<()>,
}

impl SettingsSlot {
    /// Puts settings in place of those that wait. Never waits for a disk.
    pub fn put(&self, settings: Settings, path: PathBuf) {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some((settings, path));
    }

    /// Writes what waits, unless another thread has done so.
    pub fn write(&self) -> Report {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = self
            .newest
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        match newest.map(|(settings, path)| settings.save(&path)) {
            Some(Err(error)) => Report::SettingsFailed(error.to_string()),
            Some(Ok(())) | None => Report::Quiet,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_settings_are_never_written_after_newer_ones() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("settings.toml");
        let slot = SettingsSlot::default();
        for style in ["older", "newer"] {
            let mut settings = Settings::default();
            settings.choices.style = Some(style.to_owned());
            slot.put(settings, path.clone());
        }
        let written = || Settings::load(&path).0.choices.style;
        assert!(matches!(slot.write(), Report::Quiet));
        assert_eq!(written().as_deref(), Some("newer"));
        std::fs::remove_file(&path).expect("removed");
        assert!(matches!(slot.write(), Report::Quiet));
        assert_eq!(
            written(),
            None,
            "the second errand has nothing left to write"
        );
    }
}
