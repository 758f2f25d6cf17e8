//! Standard output and standard error. Only this module writes to them.
//!
//! Text is written in lines. Control characters and direction marks in a line come from foreign text (a file name, a
//! title) and would act on the terminal. They are escaped ([`one_line`]), as are line breaks, so that one line stays
//! one line. Pictures and scripts are written as bytes. Any thread may write.

use std::{
    fmt::Display,
    io::{self, IsTerminal, Write},
};

use crate::text::{json_escaped, one_line};

/// Writes lines to standard output.
///
/// # Errors
/// The system's error, also if the reader closed its end.
pub fn write_lines<Line: AsRef<str>>(lines: &[Line]) -> io::Result<()> {
    let mut text = String::new();
    for line in lines {
        text.push_str(&one_line(line.as_ref()));
        text.push('\n');
    }
    write_bytes(text.as_bytes())
}

/// Writes a JSON text to standard output.
///
/// # Errors
/// See [`write_lines`].
pub fn write_json(json: &str) -> io::Result<()> {
    write_bytes(json_escaped(json).as_bytes())
}

/// Writes bytes to standard output.
///
/// # Errors
/// See [`write_lines`].
pub fn write_bytes(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// Writes a message line to standard error; errors are ignored.
pub fn write_message(line: impl Display) {
    writeln!(io::stderr().lock(), "{}", one_line(&line.to_string())).ok();
}

pub fn stdout_is_terminal() -> bool {
    io::stdout().is_terminal()
}

pub fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal()
}
