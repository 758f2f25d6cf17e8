//! PATH without folders that are relative to the current one, from which others could have their programs started.

use std::{env, ffi::OsStr, io, os::unix::process::CommandExt, path::PathBuf, process::Command};

use crate::disk::reason;

/// Starts this program again in its own place if PATH names relative folders: without them, so that neither this program
/// nor a library or program that it uses starts one from the current folder. To be called before there are threads.
///
/// # Errors
/// Why it could not be started, and what to do.
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

/// The absolute folders of a PATH; `None` if it has no others.
fn without_relative(path: &OsStr) -> Option<Vec<PathBuf>> {
    let (absolute, relative): (Vec<_>, Vec<_>) =
        env::split_paths(path).partition(|folder| folder.is_absolute());
    (!relative.is_empty()).then_some(absolute)
}
