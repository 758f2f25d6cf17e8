//! Standard output and standard error: the only place that writes to them.
//!
//! Text for people is written in lines. A control character or direction mark in a line comes from text of
//! others (a file name, a title) and would act on the terminal, so it is escaped ([`one_line`]), a line break
//! too; so one line stays one line.
//! Pictures and scripts go out as bytes. Any thread may write.

use std::{
    fmt::Display,
    io::{self, IsTerminal, Write},
};

use crate::text::{json_escaped, one_line};

/// Writes lines to standard output.
///
/// # Errors
/// The system's, also when the reader has gone.
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
/// As [`write_lines`].
pub fn write_json(json: &str) -> io::Result<()> {
    write_bytes(json_escaped(json).as_bytes())
}

/// Writes bytes to standard output.
///
/// # Errors
/// As [`write_lines`].
pub fn write_bytes(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// A line for people, on standard error. Lost when nobody reads it.
pub fn write_message(line: impl Display) {
    let line = line.to_string();
    writeln!(io::stderr().lock(), "{}", one_line(&line)).ok();
}

/// Whether a person sees standard error while the program runs.
pub fn is_watched() -> bool {
    io::stderr().is_terminal()
}
