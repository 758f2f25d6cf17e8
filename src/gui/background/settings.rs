//! Writing settings in the order in which they changed, though any background thread may write them.

use std::{
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use super::Report;
use crate::{mailbox::Reader, settings::Settings};

/// Settings and the file they go to.
pub type SettingsFile = (Settings, PathBuf);

/// Writes the newest settings, unless another thread has done so. The lock is held while they are
/// written, so that no older ones are renamed over newer ones.
pub fn write(newest: &Mutex<Reader<Option<SettingsFile>>>) -> Report {
    let mut newest = newest.lock().unwrap_or_else(PoisonError::into_inner);
    match newest.receive().map(|(settings, path)| settings.save(&path)) {
        Some(Err(error)) => Report::SettingsFailed(error.to_string()),
        Some(Ok(())) | None => Report::Quiet,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mailbox::mailbox;

    #[test]
    fn older_settings_are_never_written_after_newer_ones() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("settings.toml");
        let (mut changed, newest) = mailbox(|| None);
        let newest = Mutex::new(newest);
        for style in ["older", "newer"] {
            let mut settings = Settings::default();
            settings.choices.style = Some(style.to_owned());
            changed.send((settings, path.clone()));
        }
        let written = || Settings::load(&path).0.choices.style;
        assert!(matches!(write(&newest), Report::Quiet));
        assert_eq!(written().as_deref(), Some("newer"));
        std::fs::remove_file(&path).expect("removed");
        assert!(matches!(write(&newest), Report::Quiet));
        assert_eq!(written(), None, "the second task has nothing left to write");
    }
}
