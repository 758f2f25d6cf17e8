//! Temporary names for files and folders that are not complete yet, with their owner.
//!
//! The process that creates a temporary holds an advisory lock on it until it is complete. The system releases the lock
//! when the process ends, however it ends. So a temporary that can be locked belongs to no running process. On a file
//! system without locks leftovers cannot be recognised, and none are removed.

use std::{
    env,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Mutex,
};

use tempfile::{Builder, NamedTempFile, TempDir};

use crate::lock::lock;

/// Maximum attempts if another process sweeps a new temporary before it is locked.
const ATTEMPTS: usize = 16;
/// Number of random letters and digits in a name.
const RANDOM_CHARS: usize = 6;
/// Permissions of a folder for this user alone.
pub const PRIVATE: u32 = 0o700;

/// A kind of temporary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file that is being written.
    File,
    /// The folder of a style that is being imported.
    Folder,
}

impl Kind {
    pub const ALL: [Self; 2] = [Self::File, Self::Folder];

    /// Prefix and suffix of names.
    const fn affixes(self) -> (&'static str, &'static str) {
        match self {
            Self::File => (".styleforge-", ".part"),
            Self::Folder => (".import-", ""),
        }
    }

    /// True if `name` has the form of this kind's names.
    pub fn has_name(self, name: &str) -> bool {
        let (prefix, suffix) = self.affixes();
        let random = name.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(suffix));
        random.is_some_and(|random| {
            random.len() == RANDOM_CHARS && random.bytes().all(|b| b.is_ascii_alphanumeric())
        })
    }
}

/// Creates a file in `folder`, owned by this process until it is renamed or dropped.
pub fn file_in(folder: &Path) -> io::Result<NamedTempFile> {
    let builder = builder(Kind::File, 0o666);
    owned(|| {
        let file = builder.tempfile_in(folder)?;
        Ok(own(file.as_file(), file.path()).then_some(file))
    })
}

/// Creates a folder in `folder`, owned by this process while the returned `File` exists.
pub fn folder_in(folder: &Path) -> io::Result<(TempDir, Option<File>)> {
    let builder = builder(Kind::Folder, 0o777);
    owned(|| {
        let made = builder.tempdir_in(folder)?;
        let opened = match open(made.path(), Kind::Folder) {
            Ok(file) => Some(file),
            // Another process swept it first.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            // Some systems cannot open folders; there a folder cannot be locked either.
            Err(_) => None,
        };
        Ok((opened.as_ref()).is_none_or(|file| own(file, made.path())).then_some((made, opened)))
    })
}

/// A new folder in `folder` for this user alone, which is removed when dropped.
pub fn private_in(folder: &Path) -> io::Result<TempDir> {
    builder(Kind::Folder, PRIVATE).tempdir_in(folder)
}

/// A folder with files for or of other programs, in the system's folder for temporary files. Removed when dropped.
pub struct ExchangeFolder(TempDir);

/// The exchange folders that exist.
static EXCHANGED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Removes all exchange folders, which may contain photos. To be called when the program ends while threads still run.
pub fn remove_exchanged() {
    let mut folders = lock(&EXCHANGED);
    for folder in folders.drain(..) {
        fs::remove_dir_all(folder).ok();
    }
}

impl ExchangeFolder {
    pub fn empty() -> io::Result<Self> {
        let mut folders = lock(&EXCHANGED);
        let folder = Self(private_in(&env::temp_dir())?);
        folders.push(folder.path().to_owned());
        Ok(folder)
    }

    pub fn new(name: &str, bytes: &[u8]) -> io::Result<Self> {
        let folder = Self::empty()?;
        fs::write(folder.path().join(name), bytes)?;
        Ok(folder)
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// What the program wrote: a regular file of at most `max_bytes`, and nothing that a link or a pipe leads to.
    pub fn read(&self, name: &str, max_bytes: u64) -> io::Result<Vec<u8>> {
        read(&self.path().join(name), max_bytes)
    }
}

impl Drop for ExchangeFolder {
    fn drop(&mut self) {
        lock(&EXCHANGED).retain(|folder| folder != self.0.path());
    }
}

/// Builds temporaries with these permissions, minus the user's umask. Other systems have none.
#[cfg_attr(not(unix), expect(unused_variables, reason = "they have no such permissions"))]
fn builder(kind: Kind, mode: u32) -> Builder<'static, 'static> {
    let (prefix, suffix) = kind.affixes();
    let mut builder = Builder::new();
    builder.prefix(prefix).suffix(suffix).rand_bytes(RANDOM_CHARS);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(mode));
    }
    builder
}

/// Creates temporaries until one is locked before another process sweeps it.
pub fn owned<T>(mut make: impl FnMut() -> io::Result<Option<T>>) -> io::Result<T> {
    for _ in 0..ATTEMPTS {
        if let Some(made) = make()? {
            return Ok(made);
        }
    }
    Err(io::Error::other("another program deletes every new file; choose another folder"))
}

/// Locks a file or folder that was just created at `path`; `false` if a sweep was faster.
pub fn own(file: &File, path: &Path) -> bool {
    match file.try_lock() {
        Ok(()) => is_at(file, path),
        Err(TryLockError::WouldBlock) => false,
        Err(TryLockError::Error(_)) => true,
    }
}

/// Removes `path` if no running process owns it and `is_worthless`, which may read the file, returns true. Returns
/// whether it was removed.
pub fn remove_unowned(
    path: &Path,
    kind: Kind,
    is_worthless: impl FnOnce(&mut File) -> bool,
) -> bool {
    // Hold the lock until the temporary is removed. A process that creates one of the same name meanwhile then detects
    // that it does not own it.
    let Ok(mut file) = open(path, kind) else {
        return false;
    };
    let is_unowned = file.try_lock().is_ok() && is_at(&file, path);
    if !is_unowned || !is_worthless(&mut file) {
        return false;
    }
    match kind {
        Kind::File => fs::remove_file(path),
        Kind::Folder => fs::remove_dir_all(path),
    }
    .is_ok()
}

/// Reads a regular file of at most `max_bytes`.
pub fn read(path: &Path, max_bytes: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = open(path, Kind::File)?;
    let length = file.take(max_bytes.saturating_add(1)).read_to_end(&mut bytes)? as u64;
    if length > max_bytes { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
}

/// Opens a file or folder of this kind for reading, but never a link, a pipe or anything else.
pub fn open(path: &Path, kind: Kind) -> io::Result<File> {
    open_with(OpenOptions::new().read(true), path, kind)
}

/// [`open`] with these options.
pub fn open_with(options: &mut OpenOptions, path: &Path, kind: Kind) -> io::Result<File> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    }
    let file = options.open(path)?;
    let about = file.metadata()?;
    let is_right = match kind {
        Kind::File => about.is_file(),
        Kind::Folder => about.is_dir(),
    };
    if is_right && !fs::symlink_metadata(path)?.is_symlink() {
        Ok(file)
    } else {
        Err(io::Error::other("it is a link, a pipe or the like; remove it"))
    }
}

/// True if `path` still refers to `file`.
fn is_at(file: &File, path: &Path) -> bool {
    let (Ok(opened), Ok(named)) = (file.metadata(), fs::symlink_metadata(path)) else {
        return false;
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        (opened.dev(), opened.ino()) == (named.dev(), named.ino())
    }
    #[cfg(not(unix))]
    {
        opened.is_dir() == named.is_dir()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_is_its_makers_until_that_one_is_gone() {
        let here = tempfile::tempdir().expect("a folder");
        let file = file_in(here.path()).expect("made");
        let (folder, owner) = folder_in(here.path()).expect("made");
        let remove = |path: &Path, kind| remove_unowned(path, kind, |_| true);
        assert!(!remove(file.path(), Kind::File));
        assert!(!remove(folder.path(), Kind::Folder));
        // As after a kill: the temporaries exist and have no owner.
        let (open, file) = file.keep().expect("kept");
        let folder = folder.keep();
        fs::write(folder.join("lite.safetensors"), "half").expect("written");
        drop((open, owner));
        assert!(!remove(&file, Kind::Folder));
        assert!(!remove(&folder, Kind::File));
        assert!(!remove_unowned(&file, Kind::File, |_| false) && file.exists());
        assert!(remove(&file, Kind::File) && !file.exists());
        assert!(remove(&folder, Kind::Folder) && !folder.exists());
    }

    #[test]
    fn what_another_program_gets_is_private_and_removed() {
        let make = || ExchangeFolder::new("photo", b"pixels").expect("made");
        let [dropped, kept] = [make(), make()];
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(kept.path()).expect("there").permissions().mode();
            assert_eq!(mode & 0o777, PRIVATE);
        }
        assert_eq!(kept.read("photo", 6).expect("there"), b"pixels");
        let path = dropped.path().to_owned();
        drop(dropped);
        assert!(!path.exists() && kept.path().exists());
        remove_exchanged();
        assert!(!kept.path().exists());
    }

    #[test]
    fn a_temporary_that_was_swept_before_it_was_locked_is_made_again() {
        let here = tempfile::tempdir().expect("a folder");
        let path = here.path().join("new");
        let made = File::create(&path).expect("made");
        let sweeper = File::open(&path).expect("opened");
        sweeper.try_lock().expect("locked");
        assert!(!own(&made, &path), "the sweep holds it");
        fs::remove_file(&path).expect("removed");
        drop(sweeper);
        assert!(!own(&made, &path), "the sweep has removed it");
        let mut tries = 0;
        let third = owned(|| {
            tries += 1;
            Ok((tries == 3).then_some(tries))
        });
        assert_eq!(third.expect("made"), 3);
    }

    #[test]
    fn only_names_of_our_own_making_are_ours() {
        let here = tempfile::tempdir().expect("a folder");
        let file = file_in(here.path()).expect("made");
        let (folder, _owner) = folder_in(here.path()).expect("made");
        let name =
            |path: &Path| path.file_name().expect("a name").to_str().expect("text").to_owned();
        assert!(Kind::File.has_name(&name(file.path())));
        assert!(Kind::Folder.has_name(&name(folder.path())));
        assert!(!Kind::Folder.has_name(&name(file.path())));
        for name in [
            ".styleforge-.part",
            ".styleforge-abc12.part",
            ".styleforge-abc1234.part",
            ".styleforge-abc12é.part",
            ".styleforge-abc123.png",
            "styleforge-abc123.part",
            ".import-",
            ".import-my-own",
            ".import-abc123.bak",
        ] {
            assert!(!Kind::ALL.iter().any(|kind| kind.has_name(name)), "{name}");
        }
    }
}
