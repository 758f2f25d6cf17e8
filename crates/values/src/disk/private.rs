//! Folders that are found again by their names, which another user could have created first.

#[cfg(unix)]
use std::{
    fs::Metadata,
    os::{fd::AsRawFd, unix::fs::MetadataExt},
};
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
pub struct PrivateFolder {
    /// Where this program and its children find it.
    path: PathBuf,
    /// Its name.
    shown: PathBuf,
    /// Open while other users could move the folder and put another one in its place: then `path` leads through it.
    _opened: Option<File>,
}

impl PrivateFolder {
    /// Opens or creates it.
    ///
    /// # Errors
    /// [`WriteError::Refused`] if it cannot be created, is a link, belongs to another user, other users can write to
    /// it, or other users can replace it and the system has no way around that.
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
        opened.and_then(|()| Self::found(path, above)).map_err(refused(path, above))
    }

    #[cfg(unix)]
    fn found(path: &Path, above: &Path) -> io::Result<Self> {
        let shown = path.to_owned();
        let new = temporary::private_in(above)?.path().metadata()?;
        if !is_replaceable(above, &new)? {
            return Ok(Self { path: shown.clone(), shown, _opened: None });
        }
        let opened = temporary::open(path, Kind::Folder)?;
        // It may have been replaced since the last look.
        is_private(&opened.metadata()?, &new)?;
        let path: PathBuf =
            format!("/proc/{}/fd/{}", std::process::id(), opened.as_raw_fd()).into();
        let is_there =
            fs::metadata(&path).and_then(|there| Ok(is_same(&there, &opened.metadata()?)));
        if !is_there.unwrap_or(false) {
            return Err(io::Error::other(
                "other users can replace folders there; choose a folder that only you can write to",
            ));
        }
        Ok(Self { path, shown, _opened: Some(opened) })
    }

    #[cfg(not(unix))]
    fn found(path: &Path, _: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), shown: path.to_owned(), _opened: None })
    }

    /// The path by which files in it are reached.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path for messages, and to remove it.
    pub fn shown(&self) -> &Path {
        &self.shown
    }

    /// Opens a regular file for reading.
    ///
    /// # Errors
    /// Errors of the system.
    pub fn file(&self, name: &str) -> io::Result<File> {
        temporary::open(&self.path.join(name), Kind::File)
    }

    /// Reads a regular file of at most `max_bytes`.
    ///
    /// # Errors
    /// Errors of the system.
    pub fn read(&self, name: &str, max_bytes: u64) -> io::Result<Vec<u8>> {
        temporary::read(&self.path.join(name), max_bytes)
    }

    /// Writes a file, which replaces whatever has this name.
    ///
    /// # Errors
    /// [`WriteError::Refused`].
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), WriteError> {
        let path = self.path.join(name);
        if fs::symlink_metadata(&path).is_ok_and(|about| !about.is_file()) {
            fs::remove_file(&path).map_err(refused(&path, &self.path))?;
        }
        write_bytes(&path, bytes, Existing::Replace)
    }

    /// Opens or creates a file that only one process owns. `None` if it is another one.
    ///
    /// # Errors
    /// [`WriteError::Refused`].
    pub fn lock(&self, name: &str) -> Result<Option<File>, WriteError> {
        let path = self.path.join(name);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = temporary::open_with(&mut options, &path, Kind::File)
            .map_err(refused(&path, &self.path))?;
        Ok(temporary::own(&file, &path).then_some(file))
    }

    /// Creates an empty file whose name cannot be guessed, and returns its path.
    ///
    /// # Errors
    /// [`WriteError::Refused`].
    pub fn create(&self, before: &str, after: &str) -> Result<PathBuf, WriteError> {
        let created = getrandom::u64().map_err(io::Error::from).and_then(|random| {
            let path = self.path.join(format!("{before}{random:016x}{after}"));
            OpenOptions::new().write(true).create_new(true).open(&path).map(|_| path)
        });
        created.map_err(refused(&self.shown, folder_of(&self.shown)))
    }
}

/// Checks an existing folder.
fn check(path: &Path, above: &Path) -> io::Result<()> {
    let found = fs::symlink_metadata(path)?;
    if !found.is_dir() {
        return wrong("it is a link or a file");
    }
    #[cfg(unix)]
    is_private(&found, &temporary::private_in(above)?.path().metadata()?)?;
    #[cfg(not(unix))]
    let _ = above;
    Ok(())
}

fn wrong(what: &str) -> io::Result<()> {
    Err(io::Error::other(format!("{what}; remove it or choose another name")))
}

/// Checks a folder. `new` is what a new one gets here: some file systems have no owners or permissions.
#[cfg(unix)]
fn is_private(found: &Metadata, new: &Metadata) -> io::Result<()> {
    if found.uid() != new.uid() {
        return wrong("it belongs to another user");
    }
    if found.mode() & !new.mode() & 0o022 != 0 {
        return wrong("other users can write to it");
    }
    Ok(())
}

#[cfg(unix)]
fn is_same(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// True if another user could rename what is in `above`, or one of the folders that contain it. Whoever can write to a
/// folder can, unless it is sticky, and its owner. `new` is a new folder in `above`.
#[cfg(unix)]
fn is_replaceable(above: &Path, new: &Metadata) -> io::Result<bool> {
    const STICKY: u32 = 0o1000;

    for folder in above.canonicalize()?.ancestors() {
        let found = folder.metadata()?;
        let (uid, gid, mode) = (found.uid(), found.gid(), found.mode());
        // On many systems, each user has a group of the same number.
        let others = if gid == new.uid() { 0o002 } else { 0o022 };
        if uid != 0 && uid != new.uid() || mode & STICKY == 0 && mode & !new.mode() & others != 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::{
        os::unix::fs::{PermissionsExt, chown, symlink},
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
    fn a_folder_that_others_can_replace_is_used_all_the_same() {
        let here = tempfile::tempdir().expect("a folder");
        let at = |name: &str| here.path().join(name);
        fs::set_permissions(here.path(), PermissionsExt::from_mode(0o777)).expect("ours");
        if !Path::new("/proc/self/fd").exists() {
            let error = PrivateFolder::open(&at("a.part")).expect_err("refused").to_string();
            assert!(error.contains("other users can replace folders there"), "{error}");
            return;
        }
        let folder = PrivateFolder::open(&at("a.part")).expect("made");
        let unfinished = folder.create("a-", ".mp4").expect("made");
        // As another user would.
        fs::rename(at("a.part"), at("moved")).expect("renamed");
        fs::create_dir(at("other")).expect("made");
        symlink(at("other"), at("a.part")).expect("linked");
        fs::write(at("victim"), "kept").expect("written");
        symlink(at("victim"), at("other").join(unfinished.file_name().expect("a name")))
            .expect("linked");
        let written = Command::new("cp").arg("/proc/self/status").arg(&unfinished).status();
        assert!(written.expect("starts").success());
        folder.write("ours", b"ours").expect("written");
        assert_eq!(fs::read_to_string(at("victim")).expect("there"), "kept");
        assert_eq!(fs::read(at("moved").join("ours")).expect("there"), b"ours");
        assert_eq!(fs::read_dir(at("other")).expect("there").count(), 1);
        assert_eq!(folder.shown(), at("a.part"));
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
