//! The file of a video while it is written: under a name that says so, until it ends.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use crate::{
    disk::{self, WriteError, cannot_write, folder_of, reason},
    media::MediaError,
};

/// What such a name has before its ending.
const MARK: &str = "partial";

/// A file that becomes `target`.
pub struct Partial {
    target: PathBuf,
    path: PathBuf,
    /// Shows that this process lives, until the file has its name.
    _owned: File,
}

impl Partial {
    /// Makes the file, and the folder in which it lies: `clip.partial.mp4` for `clip.mp4`.
    ///
    /// # Errors
    /// [`WriteError::Exists`] when there is one of either name, else why the disk refuses.
    pub fn create(target: &Path) -> Result<(Self, File), MediaError> {
        disk::make_folder(folder_of(target))?;
        if fs::symlink_metadata(target).is_ok() {
            let name = target.display().to_string();
            return Err(WriteError::Exists { name }.into());
        }
        let path = partial_name(target);
        let file = disk::create_owned(&path)?;
        let partial = Self {
            target: target.to_owned(),
            _owned: file.try_clone().map_err(|error| {
                fs::remove_file(&path).ok();
                refused(target, reason(&error))
            })?,
            path,
        };
        Ok((partial, file))
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// When something has taken the name meanwhile, or the disk refuses; the file then keeps the name it has, which
    /// the message tells.
    pub fn keep(self) -> Result<(), MediaError> {
        let kept = || format!("it is kept as {}", self.path.display());
        disk::rename(&self.path, &self.target).map_err(|error| {
            let reason = match error {
                WriteError::Exists { .. } => {
                    format!("another file has taken the name meanwhile; {}", kept())
                }
                WriteError::Refused { reason, .. } => format!("{reason}; {}", kept()),
                other => format!("{other}; {}", kept()),
            };
            refused(&self.target, reason)
        })
    }

    /// Removes the file: nothing is in it.
    pub fn discard(self) {
        // What cannot be removed stays, and does no harm.
        fs::remove_file(&self.path).ok();
    }

    /// That the disk refuses the file.
    pub fn unwritten(&self, error: &std::io::Error) -> MediaError {
        refused(&self.target, cannot_write(folder_of(&self.target), error))
    }

    /// Where the file lies now.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// That `target` was not written, and why.
pub fn refused(target: &Path, reason: String) -> MediaError {
    let name = target.display().to_string();
    WriteError::Refused { name, reason }.into()
}

impl Drop for Partial {
    fn drop(&mut self) {
        // Nothing was begun: another recording may take the name.
        if fs::metadata(&self.path).is_ok_and(|about| about.len() == 0) {
            fs::remove_file(&self.path).ok();
        }
    }
}

/// The name of `target` while it is written.
pub fn partial_name(target: &Path) -> PathBuf {
    let mut name = target.file_stem().unwrap_or_default().to_owned();
    name.push(".");
    name.push(MARK);
    if let Some(ending) = target.extension() {
        name.push(".");
        name.push(ending);
    }
    target.with_file_name(name)
}

/// The name that the file of this one gets in the end; `None` where it is none of a file that is being written.
pub fn target_of(path: &Path) -> Option<PathBuf> {
    let stem = Path::new(path.file_stem()?);
    let (own, ending) = (stem.file_stem()?, path.extension()?);
    let mut name = own.to_owned();
    name.push(".");
    name.push(ending);
    (stem.extension()? == MARK).then(|| path.with_file_name(name))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn the_name_comes_at_the_end_and_replaces_nothing() {
        let here = tempfile::tempdir().expect("a folder");
        let target = here.path().join("deep/clip.one.mp4");
        let (partial, _file) = Partial::create(&target).expect("made");
        assert!(partial.path().ends_with("deep/clip.one.partial.mp4"));
        assert!(partial.path().exists() && !target.exists());
        assert_eq!(target_of(partial.path()).as_ref(), Some(&target));
        assert_eq!(target_of(&target), None);
        for other in [".partial.mp4", "partial.mp4", "clip.partial", "clippartial.mp4"] {
            assert_eq!(target_of(Path::new(other)), None, "{other}");
        }
        let taken = Partial::create(&target).map(drop).expect_err("taken");
        assert!(matches!(taken, MediaError::Write(WriteError::Exists { .. })), "{taken}");
        partial.keep().expect("named");
        let taken = Partial::create(&target).map(drop).expect_err("taken");
        assert!(matches!(taken, MediaError::Write(WriteError::Exists { .. })), "{taken}");

        let other = here.path().join("other.avi");
        let (partial, mut file) = Partial::create(&other).expect("made");
        file.write_all(b"a video").expect("written");
        fs::write(&other, "mine").expect("written");
        let error = partial.keep().expect_err("taken").to_string();
        assert!(error.contains("taken the name meanwhile; it is kept as "), "{error}");
        assert_eq!(fs::read(&other).expect("there"), b"mine");
        assert!(here.path().join("other.partial.avi").exists());

        let (partial, _file) = Partial::create(&here.path().join("third.avi")).expect("made");
        partial.discard();
        assert_eq!(fs::read_dir(here.path()).expect("listed").count(), 3);
    }
}
