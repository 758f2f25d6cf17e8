//! Writes files and folders completely or not at all.
//!
//! A file is written next to its target under a temporary name, synced and renamed. Then the folder is synced too,
//! because a power failure could otherwise undo the rename.

use std::{
    ffi::OsStr,
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, ErrorKind, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use super::{
    temporary,
    words::{cannot_write, reason},
};

/// Size of the write buffer.
const BUFFER_BYTES: usize = 1 << 16;
/// Maximum length of a chain of symbolic links; the same as the system's limit.
const MAX_LINKS: usize = 40;

/// What happens to an existing file at the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Existing {
    /// The file stays, and writing fails with [`WriteError::Exists`].
    #[default]
    Keep,
    /// The file is replaced atomically. If the target is a symbolic link, the file it points to is replaced.
    Replace,
}

/// When a new name is synced to the disk. The file's content is always synced before the file gets its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FolderSync {
    Now,
    /// By [`sync_folder`], once for many files.
    Later,
}

/// Why a file or folder was not written. An existing file is unchanged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The target exists and must be kept.
    #[error("{name} already exists; choose another name or ask to replace it (--force)")]
    Exists { name: String },
    /// The target exists and is not a regular file, so it cannot be replaced.
    #[error("{name} is not a regular file; choose another name")]
    NotReplaceable { name: String },
    /// A parent folder of the target could not be created.
    #[error("the folder {name} could not be created: {reason}")]
    Folder {
        name: String,
        /// The reason and what to do.
        reason: String,
    },
    /// The system refuses to write. No partial file remains.
    #[error("{name} could not be written: {reason}")]
    Refused {
        name: String,
        /// The reason and what to do.
        reason: String,
    },
}

/// The error for an existing `path`.
fn exists(path: &Path) -> WriteError {
    WriteError::Exists { name: path.display().to_string() }
}

/// The error for `path`, which could not be written in `folder`.
pub(super) fn refused(path: &Path, folder: &Path) -> impl Fn(io::Error) -> WriteError + Copy {
    move |e| WriteError::Refused {
        name: path.display().to_string(),
        reason: cannot_write(folder, &e),
    }
}

/// [`refused`] for a file of this size.
fn unwritten(path: &Path, folder: &Path, bytes: &[u8]) -> impl Fn(io::Error) -> WriteError {
    let megabytes = bytes.len() as f64 / 1e6;
    move |error| match error.kind() {
        ErrorKind::StorageFull => WriteError::Refused {
            name: path.display().to_string(),
            reason: format!("{}; it needs {megabytes:.1} MB", reason(&error)),
        },
        _ => refused(path, folder)(error),
    }
}

/// Lets `fill` write a file, which then gets the name `path`. `fill` also receives the name for messages.
///
/// # Errors
/// Errors of `fill`, or why the file could not be written.
pub fn write_whole<T, E: From<WriteError>>(
    path: &Path,
    existing: Existing,
    folder_sync: FolderSync,
    fill: impl FnOnce(&mut BufWriter<&mut File>, &str) -> Result<T, E>,
) -> Result<T, E> {
    let target = resolved_target(path, existing)?;
    let folder = folder_of(&target);
    let failed = refused(path, folder);
    let mut file = temporary::file_in(folder).map_err(failed)?;
    let filled = {
        let mut writer = BufWriter::with_capacity(BUFFER_BYTES, file.as_file_mut());
        let filled = fill(&mut writer, &path.display().to_string())?;
        writer.flush().map_err(failed)?;
        filled
    };
    if existing == Existing::Replace {
        keep_permissions(file.as_file(), &target);
    }
    sync_file(file.as_file(), &target).map_err(failed)?;
    // Keep the temporary's lock until the file has its final name.
    let _file = match existing {
        Existing::Replace => file.persist(&target).map_err(|e| failed(e.error))?,
        Existing::Keep => file.persist_noclobber(&target).map_err(|e| {
            if e.error.kind() == ErrorKind::AlreadyExists { exists(path) } else { failed(e.error) }
        })?,
    };
    if folder_sync == FolderSync::Now {
        sync_folder(folder).map_err(failed)?;
    }
    Ok(filled)
}

/// Gives `new` the permissions of the file that it replaces, if there is one. The old file may belong to another user,
/// who must not gain anything: then `new` only loses permissions. It never gets the bits that run a program as its
/// owner. Best effort, because some file systems have no permissions.
fn keep_permissions(new: &File, old: &Path) {
    let (Ok(about), Ok(replaced)) = (new.metadata(), fs::symlink_metadata(old)) else {
        return;
    };
    #[cfg(unix)]
    let permissions = {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};

        let kept = if replaced.uid() == about.uid() { 0o777 } else { about.mode() & 0o777 };
        fs::Permissions::from_mode(replaced.mode() & kept)
    };
    #[cfg(not(unix))]
    let permissions = {
        let _ = about;
        replaced.permissions()
    };
    new.set_permissions(permissions).ok();
}

/// Writes a file.
///
/// # Errors
/// As [`write_whole`].
pub fn write_bytes(path: &Path, bytes: &[u8], existing: Existing) -> Result<(), WriteError> {
    write_whole(path, existing, FolderSync::Now, |to, _| {
        to.write_all(bytes).map_err(unwritten(path, folder_of(path), bytes))
    })
}

/// Creates the folder `target` with these files (name and content), and its parent folders. `check` reads a file back
/// and returns an error if that fails, before the folder gets its name.
///
/// # Errors
/// [`WriteError::Exists`] if something of that name exists, even if it was created a moment ago; otherwise why the disk
/// or `check` refuses. Nothing remains then.
pub fn write_folder(
    target: &Path,
    files: &[(String, &[u8])],
    check: impl Fn(&Path) -> Result<(), String>,
) -> Result<(), WriteError> {
    let above = folder_of(target);
    make_folder(above)?;
    let failed = refused(target, above);
    let (unfinished, _owner) = temporary::folder_in(above).map_err(failed)?;
    for (name, bytes) in files {
        let path = unfinished.path().join(name);
        let mut file = File::create(&path).map_err(failed)?;
        file.write_all(bytes).map_err(unwritten(target, above, bytes))?;
        sync_file(&file, &path).map_err(failed)?;
        check(&path).map_err(|why| WriteError::Refused {
            name: target.display().to_string(),
            reason: format!("StyleForge could not read it again ({why})"),
        })?;
    }
    sync_folder(unfinished.path()).map_err(failed)?;
    fs::rename(unfinished.path(), target).map_err(|e| match e.kind() {
        ErrorKind::AlreadyExists | ErrorKind::DirectoryNotEmpty | ErrorKind::NotADirectory => {
            exists(target)
        }
        _ => failed(e),
    })?;
    // The folder has its final name; nothing to clean up.
    let _ = unfinished.keep();
    sync_folder(above).map_err(failed)
}

/// Removes these files of a folder, and the folder unless it contains something else. If it contains nothing else, the
/// folder is first renamed to a temporary name. Its own name is then free at once, and the next start removes the rest
/// if the program is killed.
///
/// # Errors
/// Errors of the disk. Missing files are not an error.
pub fn remove_folder(folder: &Path, files: &[impl AsRef<OsStr>]) -> io::Result<()> {
    let is_ours = |name: &OsStr| files.iter().any(|file| file.as_ref() == name);
    let mut only_ours = true;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        only_ours &= is_ours(&entry.file_name()) && !entry.file_type()?.is_dir();
    }
    if only_ours {
        let above = folder_of(folder);
        let (leftover, _owner) = temporary::folder_in(above)?;
        fs::rename(folder, leftover.path().join("removed"))?;
        sync_folder(above)?;
        return leftover.close();
    }
    for file in files {
        match fs::remove_file(folder.join(file.as_ref())) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Renames a file or folder within its folder, without replacing anything.
///
/// # Errors
/// [`WriteError::Exists`], or why the disk refuses.
pub fn rename(from: &Path, to: &Path) -> Result<(), WriteError> {
    if fs::symlink_metadata(to).is_ok() {
        return Err(exists(to));
    }
    let above = folder_of(to);
    fs::rename(from, to).and_then(|()| sync_folder(above)).map_err(refused(to, above))
}

/// Gives the complete file `from` the name `to`, in the same file system. Its content is synced first.
///
/// # Errors
/// [`WriteError`]; `from` stays then.
pub fn publish(from: &Path, to: &Path, existing: Existing) -> Result<(), WriteError> {
    let target = resolved_target(to, existing)?;
    let folder = folder_of(&target);
    // Windows syncs only files that are open for writing.
    OpenOptions::new()
        .write(true)
        .open(from)
        .and_then(|file| {
            keep_permissions(&file, &target);
            sync_file(&file, from)
        })
        .and_then(|()| fs::rename(from, &target))
        .and_then(|()| sync_folder(folder))
        .map_err(refused(to, folder))
}

/// Writes bytes in the middle of a file that this program has made and not yet published.
///
/// # Errors
/// The system's error.
pub fn overwrite(path: &Path, at: usize, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    file.seek(SeekFrom::Start(at as u64))?;
    file.write_all(bytes)
}

/// Creates an empty file without replacing anything, and syncs its name. While the file is open and this process runs,
/// no process can [remove it](super::remove_abandoned).
///
/// # Errors
/// [`WriteError::Exists`], or why the disk refuses.
pub fn create_owned(path: &Path) -> Result<File, WriteError> {
    temporary::owned(|| {
        let file = OpenOptions::new().write(true).create_new(true).open(path)?;
        Ok(temporary::own(&file, path).then_some(file))
    })
    .and_then(|file| sync_folder(folder_of(path)).map(|()| file))
    .map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => exists(path),
        _ => refused(path, folder_of(path))(error),
    })
}

/// Creates `folder`, which must not exist.
///
/// # Errors
/// [`WriteError::Exists`], or why the disk refuses.
pub fn make_new_folder(folder: &Path) -> Result<(), WriteError> {
    let above = folder_of(folder);
    fs::create_dir(folder).and_then(|()| sync_folder(above)).map_err(|e| match e.kind() {
        ErrorKind::AlreadyExists => exists(folder),
        _ => WriteError::Folder {
            name: folder.display().to_string(),
            reason: cannot_write(above, &e),
        },
    })
}

/// Creates `folder` and its parents if they do not exist.
///
/// # Errors
/// [`WriteError::Folder`] with the reason.
pub fn make_folder(folder: &Path) -> Result<(), WriteError> {
    if folder.is_dir() {
        return Ok(());
    }
    let failed = |reason: String| WriteError::Folder { name: folder.display().to_string(), reason };
    let is_missing = |f: &&Path| !f.as_os_str().is_empty() && !f.exists();
    let missing: Vec<&Path> = folder.ancestors().take_while(is_missing).collect();
    let above = missing.last().map_or(folder, |highest| folder_of(highest));
    match fs::create_dir_all(folder) {
        Ok(()) => {}
        Err(e) if e.kind() == ErrorKind::AlreadyExists => {
            return Err(failed("it is not a folder; choose another name".to_owned()));
        }
        Err(e) => return Err(failed(cannot_write(above, &e))),
    }
    missing
        .into_iter()
        .try_for_each(|made| sync_folder(folder_of(made)))
        .map_err(|e| failed(reason(&e)))
}

/// The parent folder of a file or folder; `.` if the path has none.
pub fn folder_of(target: &Path) -> &Path {
    match target.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    }
}

/// Checks that [`write_whole`] can write to `path`, so that a long run is not started in vain.
///
/// # Errors
/// The errors of [`write_whole`] that do not depend on the content.
pub fn check_target(path: &Path, existing: Existing) -> Result<(), WriteError> {
    try_writing(path, folder_of(&resolved_target(path, existing)?))
}

/// Checks that files can be written into `folder`, which need not exist yet.
///
/// # Errors
/// [`WriteError::Refused`] if the folder cannot be created or accepts no files.
pub fn check_folder(folder: &Path) -> Result<(), WriteError> {
    // Missing folders would be created in the nearest existing parent.
    let above = folder.ancestors().find(|above| above.exists());
    try_writing(folder, above.unwrap_or(Path::new(".")))
}

/// Tests whether `folder` is writable by creating and removing a file. No query of permissions is reliable on every
/// file system.
fn try_writing(path: &Path, folder: &Path) -> Result<(), WriteError> {
    let failed = refused(path, folder);
    if !fs::metadata(folder).map_err(failed)?.is_dir() {
        return Err(failed(ErrorKind::NotADirectory.into()));
    }
    temporary::file_in(folder).map(drop).map_err(failed)
}

/// The file that will be written. If a symbolic link is to be replaced, this is the file it points to, even if that
/// does not exist yet, so that the link remains a link.
fn resolved_target(path: &Path, existing: Existing) -> Result<PathBuf, WriteError> {
    let name = || path.display().to_string();
    let refused = |reason: String| Err(WriteError::Refused { name: name(), reason });
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::InvalidFilename => return refused(reason(&error)),
        Err(_) => return Ok(path.to_owned()),
        Ok(_) if existing == Existing::Keep => return Err(exists(path)),
        Ok(_) => {}
    }
    let mut target = path.to_owned();
    for _ in 0..MAX_LINKS {
        match fs::read_link(&target) {
            Ok(_) if is_foreign(&target) => {
                return refused("it is a link of another user; choose another name".to_owned());
            }
            Ok(next) => target = folder_of(&target).join(next),
            Err(_) => {
                return match fs::metadata(&target) {
                    // Renaming over a device such as /dev/null would remove the device.
                    Ok(m) if !m.is_file() => Err(WriteError::NotReplaceable { name: name() }),
                    _ => Ok(target),
                };
            }
        }
    }
    refused("it has too many symbolic links; fix the link".to_owned())
}

/// True if a link belongs neither to this user nor to the owner of its folder.
#[cfg(unix)]
fn is_foreign(link: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;

    let folder = folder_of(link);
    let Ok(owner) = fs::symlink_metadata(link).map(|link| link.uid()) else {
        return true;
    };
    // The owner of a new file is this user, or whom the file system takes for this user.
    let own = || temporary::file_in(folder)?.as_file().metadata();
    let is_owner = |about: io::Result<fs::Metadata>| about.is_ok_and(|about| about.uid() == owner);
    !is_owner(fs::metadata(folder)) && !is_owner(own())
}

#[cfg(not(unix))]
fn is_foreign(_: &Path) -> bool {
    false
}

/// Syncs the content of `file` to the disk. `path` is its current or future name.
///
/// # Errors
/// Errors of the disk.
pub fn sync_file(file: &File, path: &Path) -> io::Result<()> {
    #[cfg(test)]
    synced::note(path);
    #[cfg(not(test))]
    let _ = path;
    file.sync_all()
}

/// Syncs the names in `folder` to the disk.
///
/// # Errors
/// Errors of the disk. A folder that cannot be opened for reading, or a system that cannot sync folders, is not an
/// error.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    #[cfg(test)]
    synced::note(folder);
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        Err(e)
            if matches!(
                e.kind(),
                ErrorKind::PermissionDenied | ErrorKind::InvalidInput | ErrorKind::Unsupported
            ) =>
        {
            Ok(())
        }
        done => done,
    }
}

/// Records what a test's thread synced to the disk, because syncing has no other visible effect without a power
/// failure.
#[cfg(test)]
mod synced {
    use std::{
        cell::RefCell,
        path::{Path, PathBuf},
    };

    thread_local! {
        static SYNCED: RefCell<Vec<(PathBuf, bool)>> = const { RefCell::new(Vec::new()) };
    }

    pub(super) fn note(path: &Path) {
        SYNCED.with_borrow_mut(|synced| synced.push((path.to_owned(), path.exists())));
    }

    /// What was synced since the last call, in order, and whether it had its final name by then.
    pub(crate) fn take() -> Vec<(PathBuf, bool)> {
        SYNCED.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, existing: Existing) -> Result<(), WriteError> {
        write_whole(path, existing, FolderSync::Now, |writer, _| {
            writer.write_all(b"all of it").expect("room");
            Ok(())
        })
    }

    fn names(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).expect("listed").flatten();
        let mut names: Vec<_> =
            names.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn bytes_reach_the_disk_before_the_name_and_the_name_before_it_is_done() {
        let here = tempfile::tempdir().expect("a folder");
        let path = here.path().join("file");
        synced::take();
        write(&path, Existing::Keep).expect("written");
        let folder = here.path().to_owned();
        assert_eq!(synced::take(), [(path, false), (folder.clone(), true)]);

        let deep = folder.join("a/b");
        make_folder(&deep).expect("made");
        let above = (folder.join("a"), true);
        assert_eq!(synced::take(), [above, (folder.clone(), true)]);
        make_folder(&deep).expect("there");
        assert_eq!(synced::take(), []);

        write_folder(&folder.join("style"), &[("lite".to_owned(), b"half")], |_| Ok(()))
            .expect("made");
        let [lite, unfinished, last] = &synced::take()[..] else {
            panic!("three things are to be brought to the disk");
        };
        assert_eq!(lite.0, unfinished.0.join("lite"));
        assert_eq!(*last, (folder.clone(), true));
        assert_eq!(names(&folder), ["a", "file", "style"]);
    }

    #[test]
    fn a_full_disk_is_reported_with_what_the_file_needs() {
        let here = Path::new("file");
        let error = unwritten(here, here, &[0; 1_234_567])(ErrorKind::StorageFull.into());
        assert!(error.to_string().ends_with("choose another folder; it needs 1.2 MB"), "{error}");
    }

    #[test]
    fn a_folder_loses_its_name_before_its_files_and_keeps_what_is_not_ours() {
        let here = tempfile::tempdir().expect("a folder");
        let style = here.path().join("style");
        let put = |name: &str| {
            fs::create_dir_all(&style).expect("made");
            fs::write(style.join(name), "bytes").expect("written");
        };
        put("lite");
        put("full");
        synced::take();
        remove_folder(&style, &["thumbnail", "lite", "full"]).expect("removed");
        // A kill after this point leaves a temporary folder, which the next start removes.
        assert_eq!(synced::take(), [(here.path().to_owned(), true)]);
        assert!(names(here.path()).is_empty());
        put("lite");
        put("notes");
        remove_folder(&style, &["lite"]).expect("removed");
        assert_eq!(names(&style), ["notes"]);
    }

    #[test]
    fn a_folder_that_is_not_read_back_leaves_nothing() {
        let here = tempfile::tempdir().expect("a folder");
        let target = here.path().join("style");
        let check = |file: &Path| match fs::read(file) {
            Ok(bytes) if bytes == b"whole" => Ok(()),
            _ => Err("it ends early".to_owned()),
        };
        let write = |bytes: &[u8]| write_folder(&target, &[("lite".to_owned(), bytes)], check);
        let message = write(b"half").expect_err("refused").to_string();
        assert!(message.ends_with("could not read it again (it ends early)"), "{message}");
        assert!(names(here.path()).is_empty());
        write(b"whole").expect("written");
        assert_eq!(names(here.path()), ["style"]);
    }

    #[test]
    fn a_folder_of_a_name_that_was_taken_meanwhile_changes_nothing() {
        let here = tempfile::tempdir().expect("a folder");
        let target = here.path().join("style");
        let folder = |bytes| write_folder(&target, &[("lite".to_owned(), bytes)], |_| Ok(()));
        folder(b"first").expect("made");
        let error = folder(b"second").expect_err("taken");
        assert!(matches!(error, WriteError::Exists { .. }), "{error}");
        assert_eq!(fs::read(target.join("lite")).expect("there"), b"first");
        assert_eq!(names(here.path()), ["style"]);
    }

    #[test]
    fn nothing_is_left_of_what_could_not_be_filled() {
        let here = tempfile::tempdir().expect("a folder");
        let path = here.path().join("file");
        let refused = |name: &str| WriteError::NotReplaceable { name: name.to_owned() };
        let error = write_whole(&path, Existing::Replace, FolderSync::Now, |_, name| {
            Err::<(), _>(refused(name))
        });
        assert_eq!(error, Err(refused(&path.display().to_string())));
        assert_eq!(names(here.path()), [""; 0]);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_one_even_when_nothing_is_at_its_end() {
        use std::os::unix::fs::symlink;

        let here = tempfile::tempdir().expect("a folder");
        let at = |name: &str| here.path().join(name);
        fs::create_dir(at("deep")).expect("made");
        symlink("deep/second", at("first")).expect("linked");
        symlink("target", at("deep/second")).expect("linked");
        write(&at("first"), Existing::Replace).expect("written");
        assert_eq!(fs::read(at("deep/target")).expect("there"), b"all of it");
        assert!(at("first").is_symlink() && at("deep/second").is_symlink());
        let kept = write(&at("first"), Existing::Keep).expect_err("taken");
        assert!(matches!(kept, WriteError::Exists { .. }), "{kept}");

        symlink("nowhere/target", at("astray")).expect("linked");
        let error = write(&at("astray"), Existing::Replace).expect_err("no folder");
        assert!(error.to_string().contains("nowhere does not exist"), "{error}");
        symlink("round", at("round")).expect("linked");
        let error = write(&at("round"), Existing::Replace).expect_err("round");
        assert!(error.to_string().contains("too many symbolic links"), "{error}");
        assert!(at("astray").is_symlink() && at("round").is_symlink());
        let long = check_target(&at(&"x".repeat(300)), Existing::Keep).expect_err("too long");
        assert!(long.to_string().contains("the name is too long"), "{long}");
    }

    #[cfg(unix)]
    #[test]
    fn permissions_of_a_replaced_file_are_kept_without_those_of_its_owner() {
        use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

        let here = tempfile::tempdir().expect("a folder");
        let at = |name: &str| here.path().join(name);
        let mode = |mode| fs::set_permissions(at("file"), PermissionsExt::from_mode(mode));
        let replace: [&dyn Fn(); 2] =
            [&|| write(&at("file"), Existing::Replace).expect("written"), &|| {
                fs::write(at("film"), b"all of it").expect("written");
                fs::set_permissions(at("film"), PermissionsExt::from_mode(0o644)).expect("ours");
                publish(&at("film"), &at("file"), Existing::Replace).expect("published");
            }];
        for replace in replace {
            for [old, new] in [[0o600, 0o600], [0o444, 0o444], [0o6775, 0o775]] {
                fs::write(at("file"), "old").expect("written");
                mode(old).expect("ours");
                replace();
                assert_eq!(fs::metadata(at("file")).expect("there").mode() & 0o7777, new);
                fs::remove_file(at("file")).expect("ours");
            }
            // Only root can make a file that belongs to another user.
            fs::write(at("file"), "old").expect("written");
            if chown(at("file"), Some(1), None).is_ok() {
                mode(0o6706).expect("root");
                replace();
                let found = fs::metadata(at("file")).expect("there");
                assert!(found.uid() != 1 && found.mode() & 0o7171 == 0, "{:o}", found.mode());
            }
        }
    }

    /// Only root can make a link that belongs to another user.
    #[cfg(unix)]
    #[test]
    fn a_link_of_another_user_in_our_folder_is_not_followed() {
        use std::os::unix::fs::{chown, lchown, symlink};

        let here = tempfile::tempdir().expect("a folder");
        let at = |name: &str| here.path().join(name);
        fs::write(at("secret"), "secret").expect("written");
        symlink("secret", at("picture")).expect("linked");
        symlink("picture", at("ours")).expect("linked");
        if lchown(at("picture"), Some(1), None).is_err() {
            return;
        }
        for name in ["picture", "ours"] {
            let error = write(&at(name), Existing::Replace).expect_err("foreign").to_string();
            assert!(error.contains("it is a link of another user"), "{error}");
        }
        assert_eq!(fs::read(at("secret")).expect("there"), b"secret");
        // In that user's own folder it is followed.
        chown(here.path(), Some(1), None).expect("root");
        write(&at("picture"), Existing::Replace).expect("written");
        assert_eq!(fs::read(at("secret")).expect("there"), b"all of it");
    }
}
