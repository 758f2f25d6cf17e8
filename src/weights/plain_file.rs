//! Opening files of others, who may have put anything in their place.

use std::{
    fs::{self, File, Metadata},
    io,
    path::Path,
};

/// Opens a plain file, or what a link leads to when that is one. Neither waits for a pipe's writer nor
/// wakes a device.
///
/// # Errors
/// The system's; or that it is a folder or no plain file.
pub fn open(path: &Path) -> io::Result<File> {
    // A device may act on being opened.
    check(&fs::metadata(path)?)?;
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        // A pipe may have taken its place since; opened so, it waits for nobody.
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
        _ => "it is not a plain file",
    };
    Err(io::Error::other(reason))
}
