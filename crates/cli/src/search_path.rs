//! Removes relative folders from PATH, because programs in the current folder could otherwise be started by accident.

use std::{env, ffi::OsStr, io, os::unix::process::CommandExt, path::PathBuf, process::Command};

use values::disk::reason;

/// Restarts this program without the relative folders in PATH, if there are any. Then neither this program nor its
/// libraries start a program from the current folder. Must be called before threads start.
///
/// # Errors
/// Why the restart failed, and what to do.
pub fn leave_out_relative_folders() -> Result<(), String> {
    let Some(folders) = env::var_os("PATH").and_then(|path| without_relative(&path)) else {
        return Ok(());
    };
    let refused = |error: io::Error| {
        let why = reason(&error);
        format!(
            "PATH names folders that are relative to the current one, and StyleForge could not be started without \
             them: {why}; take empty and relative folders out of PATH"
        )
    };
    let mut command = Command::new(env::current_exe().map_err(refused)?);
    let mut arguments = env::args_os();
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    command.args(arguments);
    match folders.is_empty() {
        // An empty PATH means the current folder.
        true => command.env_remove("PATH"),
        false => {
            command.env("PATH", env::join_paths(folders).map_err(|e| refused(io::Error::other(e)))?)
        }
    };
    Err(refused(command.exec()))
}

/// The absolute folders of a PATH; `None` if it contains only those.
fn without_relative(path: &OsStr) -> Option<Vec<PathBuf>> {
    let (absolute, relative): (Vec<_>, Vec<_>) =
        env::split_paths(path).partition(|folder| folder.is_absolute());
    (!relative.is_empty()).then_some(absolute)
}
