//! Opening the user's files. Anything may be at such a path.

use std::{
    fs::{self, File, Metadata},
    io,
    path::Path,
};

/// Opens a plain file, or a link to one. Does not wait for a pipe's writer and does not wake a device.
///
/// # Errors
/// The system's error, or that it is a folder or not a plain file.
pub fn open(path: &Path) -> io::Result<File> {
    // Opening a device may have side effects.
    check(&fs::metadata(path)?)?;
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        // A pipe may have replaced the file since the check; with this flag, opening it does not block.
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(libc::O_NONBLOCK);
    }
    let file = options.open(path)?;
    check(&file.metadata()?)?;
    Ok(file)
}

fn check(metadata: &Metadata) -> io::Result<()> {
    let reason = match (metadata.is_file(), metadata.is_dir()) {
        (true, _) => return Ok(()),
        (_, true) => "it is a folder",
        _ => "it is not a regular file",
    };
    Err(io::Error::other(reason))
}
