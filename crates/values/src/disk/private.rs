//! Folders that are found again by their names, which another user could have created first.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use super::{
    temporary::{self, Kind},
    write::{Existing, WriteError, folder_of, refused, sync_folder, write_bytes},
};

/// A folder to which only this user can write. Its files are opened without following links and without waiting.
#[derive(Debug)]
pub struct PrivateFolder(PathBuf);

impl PrivateFolder {
    /// Opens or creates it.
    ///
    /// # Errors
    /// [`WriteError::Refused`] if it cannot be created, is a link, belongs to another user, or other users can
    /// write to it.
    pub fn open(path: &Path) -> Result<Self, WriteError> {
        let above = folder_of(path);
        let mut builder = DirBuilder::new();
        #[cfg(unix)]
        {
            use std::os::unix::fs::DirBuilderExt;
            builder.mode(temporary::PRIVATE);
        }
        let opened = match builder.create(path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => check(path, above),
            created => created.and_then(|()| sync_folder(above)),
        };
        opened.map_err(refused(path, above))?;
        Ok(Self(path.to_owned()))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Opens a regular file for reading.
    ///
    /// # Errors
    /// Errors of the system.
    pub fn file(&self, name: &str) -> io::Result<File> {
        temporary::open(&self.0.join(name), Kind::File)
    }

    /// Reads a regular file of at most `max_bytes`.
    ///
    /// # Errors
    /// Errors of the system.
    pub fn read(&self, name: &str, max_bytes: u64) -> io::Result<Vec<u8>> {
        temporary::read(&self.0.join(name), max_bytes)
    }

    /// Writes a file, which replaces whatever has this name.
    ///
    /// # Errors
    /// [`WriteError::Refused`].
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), WriteError> {
        let path = self.0.join(name);
        if fs::symlink_metadata(&path).is_ok_and(|about| !about.is_file()) {
            fs::remove_file(&path).map_err(refused(&path, &self.0))?;
        }
        write_bytes(&path, bytes, Existing::Replace)
    }

    /// Opens or creates a file that only one process owns. `None` if it is another one.
    ///
    /// # Errors
    /// [`WriteError::Refused`].
    pub fn lock(&self, name: &str) -> Result<Option<File>, WriteError> {
        let path = self.0.join(name);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = temporary::open_with(&mut options, &path, Kind::File)
            .map_err(refused(&path, &self.0))?;
        Ok(temporary::own(&file, &path).then_some(file))
    }

    /// Creates an empty file whose name cannot be guessed, and returns its path.
    ///
    /// # Errors
    /// [`WriteError::Refused`].
    pub fn create(&self, before: &str, after: &str) -> Result<PathBuf, WriteError> {
        let created = getrandom::u64().map_err(io::Error::from).and_then(|random| {
            let path = self.0.join(format!("{before}{random:016x}{after}"));
            OpenOptions::new().write(true).create_new(true).open(&path).map(|_| path)
        });
        created.map_err(refused(&self.0, folder_of(&self.0)))
    }
}

/// Checks an existing folder.
fn check(path: &Path, above: &Path) -> io::Result<()> {
    let wrong =
        |what: &str| Err(io::Error::other(format!("{what}; remove it or choose another name")));
    let found = fs::symlink_metadata(path)?;
    if !found.is_dir() {
        return wrong("it is a link or a file");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        // What a new folder gets here: some file systems have no owners or permissions.
        let new = temporary::private_in(above)?.path().metadata()?;
        if found.uid() != new.uid() {
            return wrong("it belongs to another user");
        }
        if found.mode() & !new.mode() & 0o022 != 0 {
            return wrong("other users can write to it");
        }
    }
    #[cfg(not(unix))]
    let _ = above;
    Ok(())
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::{
        os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink},
        process::Command,
    };

    use super::*;

    fn pipe(path: &Path) {
        assert!(Command::new("mkfifo").arg(path).status().expect("starts").success());
    }

    #[test]
    fn a_folder_that_others_made_or_can_write_to_is_refused() {
        let here = tempfile::tempdir().expect("a folder");
        let path = here.path().join("a.part");
        let open = || PrivateFolder::open(&path).map(drop).map_err(|e| e.to_string());
        open().expect("made");
        open().expect("opened again");
        assert_eq!(path.metadata().expect("made").mode() & 0o777, 0o700);
        fs::set_permissions(&path, PermissionsExt::from_mode(0o777)).expect("ours");
        assert!(open().expect_err("writable").contains("other users can write to it"));
        fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("ours");
        open().expect("only readable");
        // Only root can make something that belongs to another user.
        if chown(&path, Some(1), None).is_ok() {
            assert!(open().expect_err("foreign").contains("belongs to another user"));
        }
        let link = here.path().join("b.part");
        symlink(&path, &link).expect("linked");
        let error = PrivateFolder::open(&link).expect_err("a link").to_string();
        assert!(error.contains("it is a link"), "{error}");
    }

    #[test]
    fn files_are_neither_links_nor_pipes_nor_large() {
        let here = tempfile::tempdir().expect("a folder");
        let outside = here.path().join("outside");
        fs::write(&outside, "secret").expect("written");
        let folder = PrivateFolder::open(&here.path().join("a.part")).expect("made");
        let at = |name: &str| folder.path().join(name);
        for name in ["link", "dangling"] {
            let to = if name == "link" { &outside } else { &here.path().join("new") };
            symlink(to, at(name)).expect("linked");
            folder.read(name, 100).expect_err("a link");
            folder.lock(name).expect_err("a link");
            folder.write(name, b"ours").expect("replaced");
            assert_eq!(folder.read(name, 100).expect("a file"), b"ours");
        }
        assert_eq!(fs::read(&outside).expect("there"), b"secret");
        assert!(!here.path().join("new").exists());
        pipe(&at("pipe"));
        folder.read("pipe", 100).expect_err("a pipe");
        folder.lock("pipe").expect_err("a pipe");
        assert_eq!(folder.read("link", 3).expect_err("long").kind(), ErrorKind::FileTooLarge);
        let [one, two] = ["mp4", "mp4"].map(|name| folder.create("a-", name).expect("made"));
        assert!(one != two && one.exists() && two.exists());
        assert!(folder.lock("lock").expect("made").is_some());
    }
}
