//! Opening the user's files. Anything may be at such a path.

use std::{
    fs::{self, File, Metadata},
    io::{self, Read},
    path::Path,
};

/// Opens a plain file, or a link to one; also returns its size in bytes. Does not wait for a pipe's writer and does not wake a device.
///
/// # Errors
/// The system's error, or that it is a folder or not a plain file.
pub fn open(path: &Path) -> io::Result<(File, u64)> {
    open_with(path, fs::metadata(path)?, true)
}

/// The bytes of a plain file; `None` if it cannot be read or has more than `limit_bytes`.
pub fn small(path: &Path, limit_bytes: u64) -> Option<Vec<u8>> {
    let (file, _) = open(path).ok()?;
    let mut bytes = Vec::new();
    file.take(limit_bytes + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 <= limit_bytes).then_some(bytes)
}

/// As [`open`]; refuses links.
///
/// # Errors
/// As [`open`].
pub fn open_no_link(path: &Path) -> io::Result<(File, u64)> {
    let metadata = fs::symlink_metadata(path)?;
    if metadata.is_symlink() {
        return Err(io::Error::other("it is a link"));
    }
    open_with(path, metadata, false)
}

fn open_with(path: &Path, metadata: Metadata, follows_links: bool) -> io::Result<(File, u64)> {
    // Opening a device may have side effects.
    check(&metadata)?;
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        // A pipe may have replaced the file since the check; with this flag, opening it does not block.
        use std::os::unix::fs::OpenOptionsExt;
        let links = if follows_links { 0 } else { libc::O_NOFOLLOW };
        options.custom_flags(libc::O_NONBLOCK | links);
    }
    #[cfg(not(unix))]
    let _ = follows_links;
    let file = options.open(path)?;
    let metadata = file.metadata()?;
    check(&metadata)?;
    Ok((file, metadata.len()))
}

fn check(metadata: &Metadata) -> io::Result<()> {
    let reason = match (metadata.is_file(), metadata.is_dir()) {
        (true, _) => return Ok(()),
        (_, true) => "it is a folder",
        _ => "it is not a regular file",
    };
    Err(io::Error::other(reason))
}
