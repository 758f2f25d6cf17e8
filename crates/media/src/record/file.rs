//! The file of a recording: it has its final name from the start.

use std::{fs::File, io::Read, path::Path};

use pictures::MediaError;
use values::disk::{self, WriteError, folder_of};

/// Larger than any header.
const MAX_HEADER_BYTES: usize = 1 << 14;

/// Creates the file at `path` and its folder. The file is locked while it is open.
///
/// An existing file stays, with one exception. A recording that was killed before its first picture leaves an empty
/// file, or one for which `is_header` is true. Such a file contains nothing to lose, so it is replaced, unless a
/// process still writes it.
///
/// # Errors
/// [`WriteError::Exists`] if the name exists, otherwise why the disk refuses.
pub fn create(path: &Path, is_header: fn(&[u8]) -> bool) -> Result<File, MediaError> {
    disk::make_folder(folder_of(path))?;
    let has_no_picture = |file: &mut File| {
        let mut bytes = Vec::new();
        let read = file.take(MAX_HEADER_BYTES as u64).read_to_end(&mut bytes);
        let is_short = bytes.len() < MAX_HEADER_BYTES;
        read.is_ok() && is_short && (bytes.is_empty() || is_header(&bytes))
    };
    let created = match disk::create_owned(path) {
        Err(WriteError::Exists { .. }) if disk::remove_abandoned(path, has_no_picture) => {
            disk::create_owned(path)
        }
        created => created,
    };
    Ok(created?)
}

/// An error that says why `target` was not written.
pub fn refused(target: &Path, reason: String) -> MediaError {
    let name = target.display().to_string();
    WriteError::Refused { name, reason }.into()
}

#[cfg(test)]
mod tests {
    use std::{fs, thread};

    use super::*;

    fn create(path: &Path) -> Result<File, MediaError> {
        super::create(path, |bytes| bytes == b"header")
    }

    fn assert_taken(path: &Path) {
        let error = create(path).expect_err("taken");
        assert!(matches!(error, MediaError::Write(WriteError::Exists { .. })), "{error}");
    }

    #[test]
    fn one_of_many_recordings_gets_a_name() {
        let here = tempfile::tempdir().expect("a folder");
        let path = here.path().join("deep/clip.mp4");
        let made: Vec<_> = thread::scope(|scope| {
            [(); 8]
                .map(|()| scope.spawn(|| create(&path)))
                .map(|thread| thread.join().expect("ends"))
                .into_iter()
                .collect()
        });
        assert_eq!(made.iter().flatten().count(), 1, "{made:?}");
        // It is empty, and its writer still runs.
        assert_taken(&path);
        assert!(path.exists());
    }

    #[test]
    fn a_file_without_a_picture_is_replaced_and_no_other() {
        let here = tempfile::tempdir().expect("a folder");
        let at = |name: &str| here.path().join(name);
        for content in ["", "header"] {
            fs::write(at("clip"), content).expect("written");
            create(&at("clip")).expect("replaced");
            assert_eq!(fs::read(at("clip")).expect("there"), b"");
            fs::remove_file(at("clip")).expect("removed");
        }
        let long = "header".repeat(MAX_HEADER_BYTES);
        for content in ["header and a picture", "another program's", &long] {
            fs::write(at("clip"), content).expect("written");
            assert_taken(&at("clip"));
            assert_eq!(fs::read_to_string(at("clip")).expect("there"), content);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_a_name_that_is_taken() {
        let here = tempfile::tempdir().expect("a folder");
        let (empty, link) = (here.path().join("empty"), here.path().join("clip.mp4"));
        fs::write(&empty, "").expect("written");
        std::os::unix::fs::symlink(&empty, &link).expect("linked");
        assert_taken(&link);
        assert!(link.is_symlink() && empty.exists());
    }
}
