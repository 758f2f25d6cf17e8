//! Scripts that stand in for ffmpeg in tests.

#![allow(clippy::expect_used, reason = "test support: a broken test should panic")]

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Creates the script `folder/ffmpeg`. Another process writes it: if this process had the file open for writing while
/// another test starts a program, the script could not be executed.
pub fn program(folder: &Path, script: &str) -> PathBuf {
    let path = folder.join("ffmpeg");
    let mut shell = Command::new("sh")
        .args(["-c", "cat >\"$1\" && chmod +x \"$1\"", "sh"])
        .arg(&path)
        .stdin(Stdio::piped())
        .spawn()
        .expect("a shell");
    let mut input = shell.stdin.take().expect("piped");
    write!(input, "#!/bin/sh\n{script}\n").expect("written");
    drop(input);
    assert!(shell.wait().expect("ends").success());
    path
}
