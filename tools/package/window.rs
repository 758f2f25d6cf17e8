//! Opens the window on Windows. The program itself belongs to a console, which would open beside the window.
#![windows_subsystem = "windows"]

use std::{env, io, os::windows::process::CommandExt, process::Command};

/// The console of the started program has no window. From the documentation of Windows' `CreateProcess`.
const CREATE_NO_WINDOW: u32 = 0x0800_0000;

fn main() -> io::Result<()> {
    let program = env::current_exe()?.with_file_name("styleforge.exe");
    let mut command = Command::new(&program);
    let started = command.args(env::args_os().skip(1)).creation_flags(CREATE_NO_WINDOW).spawn();
    if started.is_err() {
        // This program has no window of its own; cmd opens one.
        let text = "StyleForge cannot be started: styleforge.exe is missing. Unpack the whole archive first.";
        Command::new("cmd").args(["/c", &format!("echo {text} & pause")]).spawn()?;
    }
    Ok(())
}
