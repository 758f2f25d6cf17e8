//! Explains errors of the system: what they mean, and what to do.

use std::{
    error::Error,
    fmt,
    io::{self, ErrorKind},
    path::Path,
};

/// Displays [`reason`], for use in `format!`.
pub fn words(error: &io::Error) -> impl fmt::Display + '_ {
    fmt::from_fn(move |f| f.write_str(&reason(error)))
}

/// What `error` means, and what to do if something can be done. Never contains a system error number.
pub fn reason(error: &io::Error) -> String {
    // An error of a library or of this program already has a text; only system errors inside it need replacing.
    if let Some(inner) = error.get_ref() {
        let mut text = error.to_string();
        let mut source: Option<&(dyn Error + 'static)> = Some(inner);
        while let Some(error) = source {
            if let Some(system) = error.downcast_ref::<io::Error>() {
                text = text.replace(&system.to_string(), &reason(system));
            }
            source = error.source();
        }
        return without_number(&text);
    }
    match by_number(error.raw_os_error()).or_else(|| by_kind(error.kind())) {
        Some(words) => words.to_owned(),
        None => without_number(&error.to_string()),
    }
}

/// Why something could not be created in `folder`, and what to do.
pub fn cannot_write(folder: &Path, error: &io::Error) -> String {
    let exists = folder.is_dir();
    let folder = folder.display();
    match error.kind() {
        // Some folders, for example in virtual file systems, accept no new files and report this error.
        ErrorKind::NotFound if exists => {
            format!("cannot create files in {folder}; choose another folder")
        }
        ErrorKind::NotFound => format!("the folder {folder} does not exist; create it first"),
        ErrorKind::NotADirectory => format!("{folder} is not a folder; choose another folder"),
        ErrorKind::PermissionDenied => {
            format!("no permission to write in {folder}; choose another folder")
        }
        ErrorKind::ReadOnlyFilesystem => {
            format!("{folder} is on a read-only disk; choose another folder")
        }
        _ => reason(error),
    }
}

/// Texts for errors that have a number but no `ErrorKind`.
#[cfg(unix)]
fn by_number(number: Option<i32>) -> Option<&'static str> {
    Some(match number? {
        libc::EMFILE | libc::ENFILE => {
            "too many files are open at once; close other programs and try again"
        }
        libc::ELOOP => "too many symbolic links; fix the link",
        libc::EIO => "the disk or device returned an error; check it and its cable",
        libc::ENODEV | libc::ENXIO => "the device was disconnected; connect it again",
        libc::EPERM => "the system does not allow it",
        _ => return None,
    })
}

#[cfg(not(unix))]
fn by_number(_: Option<i32>) -> Option<&'static str> {
    None
}

fn by_kind(kind: ErrorKind) -> Option<&'static str> {
    Some(match kind {
        ErrorKind::NotFound => "no such file or folder",
        ErrorKind::PermissionDenied => {
            "permission denied; change the permissions or choose another folder"
        }
        ErrorKind::AlreadyExists => "it already exists; choose another name",
        ErrorKind::NotADirectory => "a part of its path is not a folder",
        ErrorKind::IsADirectory => "it is a folder",
        ErrorKind::DirectoryNotEmpty => "the folder is not empty",
        ErrorKind::ReadOnlyFilesystem => "the disk is read-only; choose another folder",
        ErrorKind::StorageFull => "the disk is full; free some space or choose another folder",
        ErrorKind::QuotaExceeded => {
            "your disk quota is full; delete files or choose another folder"
        }
        ErrorKind::FileTooLarge => "the file would be larger than the file system allows",
        ErrorKind::InvalidFilename => "the name is too long or invalid; choose another one",
        ErrorKind::ResourceBusy | ErrorKind::ExecutableFileBusy => {
            "another program is using it; close that program first"
        }
        ErrorKind::WouldBlock | ErrorKind::OutOfMemory => {
            "the system is out of memory or threads; close other programs and try again"
        }
        ErrorKind::BrokenPipe => "the reading program has ended",
        ErrorKind::UnexpectedEof => "it ends too early",
        ErrorKind::WriteZero => "not everything could be written",
        ErrorKind::InvalidData => "it is damaged or of the wrong kind",
        ErrorKind::TimedOut => "it took too long",
        ErrorKind::Interrupted => "it was interrupted; try again",
        ErrorKind::StaleNetworkFileHandle => "the network folder was disconnected; open it again",
        ErrorKind::CrossesDevices => "it is on another disk",
        ErrorKind::TooManyLinks => "it has too many links",
        ErrorKind::Unsupported => "this is not possible here",
        ErrorKind::ConnectionRefused
        | ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::NotConnected
        | ErrorKind::HostUnreachable
        | ErrorKind::NetworkUnreachable
        | ErrorKind::NetworkDown
        | ErrorKind::AddrNotAvailable => "the other computer does not answer",
        _ => return None,
    })
}

/// A message of the system or a library, without an `(os error 28)` in it; for errors that are not an [`io::Error`].
pub fn without_number(text: &str) -> String {
    let mut words = text.to_owned();
    while let Some(begin) = words.find("(os error ") {
        let end = words[begin..].find(')').map_or(words.len(), |length| begin + length + 1);
        let begin = words[..begin].trim_end().len();
        words.replace_range(begin..end, "");
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_error_of_the_system_is_shown_by_its_number() {
        for number in 0..200 {
            let error = || io::Error::from_raw_os_error(number);
            let wrapped = io::Error::other(format!("decoder: {}!", error()));
            for shown in [
                reason(&error()),
                words(&error()).to_string(),
                cannot_write(Path::new("/"), &error()),
                reason(&wrapped),
                reason(&io::Error::other(error())),
            ] {
                assert!(!shown.contains("os error") && !shown.is_empty(), "{number}: {shown}");
            }
            assert!(reason(&wrapped).ends_with('!') && reason(&wrapped).starts_with("decoder: "));
        }
        assert_eq!(reason(&io::Error::other("it is a folder")), "it is a folder");
        let full = io::Error::other(io::Error::other(io::Error::from(ErrorKind::StorageFull)));
        assert!(reason(&full).starts_with("the disk is full; "), "{}", reason(&full));
    }

    #[cfg(unix)]
    #[test]
    fn common_errors_have_our_words() {
        for (number, words) in [
            (libc::ENOSPC, "the disk is full"),
            (libc::EDQUOT, "your disk quota is full"),
            (libc::EFBIG, "larger than the file system allows"),
            (libc::EROFS, "the disk is read-only"),
            (libc::EACCES, "permission denied"),
            (libc::EPERM, "does not allow"),
            (libc::ENOENT, "no such file or folder"),
            (libc::ENOTDIR, "is not a folder"),
            (libc::EISDIR, "it is a folder"),
            (libc::ENAMETOOLONG, "the name is too long"),
            (libc::EMFILE, "too many files are open"),
            (libc::ENFILE, "too many files are open"),
            (libc::EPIPE, "the reading program has ended"),
            (libc::EIO, "check it and its cable"),
            (libc::EBUSY, "another program is using it"),
            (libc::EAGAIN, "close other programs"),
            (libc::ENOMEM, "close other programs"),
            (libc::ELOOP, "too many symbolic links"),
            (libc::ENODEV, "connect it again"),
            (libc::ESTALE, "the network folder was disconnected"),
        ] {
            let shown = reason(&io::Error::from_raw_os_error(number));
            assert!(shown.contains(words), "{number}: {shown}");
        }
    }

    #[test]
    fn every_reason_for_which_a_disk_takes_nothing_has_words() {
        let here = tempfile::tempdir().expect("a folder");
        for (kind, words) in [
            (ErrorKind::ReadOnlyFilesystem, "is on a read-only disk"),
            (ErrorKind::PermissionDenied, "no permission to write in"),
            (ErrorKind::StorageFull, "the disk is full"),
            (ErrorKind::FileTooLarge, "larger than the file system allows"),
            (ErrorKind::NotADirectory, "is not a folder"),
            (ErrorKind::NotFound, "cannot create files"),
        ] {
            let shown = cannot_write(here.path(), &io::Error::from(kind));
            assert!(shown.contains(words), "{kind}: {shown}");
        }
        let nowhere = here.path().join("nowhere");
        let shown = cannot_write(&nowhere, &io::Error::from(ErrorKind::NotFound));
        assert!(shown.contains("does not exist; create it"), "{shown}");
    }
}
