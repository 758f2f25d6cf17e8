//! Standard output and standard error, without panics when nobody reads them.

use std::{
    fmt::Display,
    io::{self, ErrorKind, Write},
};

use super::CliError;

pub use crate::measure::table;

/// Writes text to standard output.
///
/// # Errors
/// [`CliError::NobodyReads`] when the reader has gone, [`CliError::Failed`] otherwise.
pub fn print(text: &str) -> Result<(), CliError> {
    print_bytes(text.as_bytes())
}

/// Writes bytes to standard output.
///
/// # Errors
/// As [`print()`].
pub fn print_bytes(bytes: &[u8]) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)
        .and_then(|()| out.flush())
        .map_err(|e| match e.kind() {
            ErrorKind::BrokenPipe => CliError::NobodyReads,
            ErrorKind::StorageFull => CliError::Failed(
                "standard output could not be written: the disk is full".to_owned(),
            ),
            _ => CliError::Failed(format!("standard output could not be written: {e}")),
        })
}

/// Prints `value` as JSON with a line break.
///
/// # Errors
/// As [`print()`].
pub fn print_json(value: &impl serde::Serialize) -> Result<(), CliError> {
    let text = json_text(value)
        .map_err(|e| CliError::Failed(format!("the report could not be written as JSON: {e}")))?;
    print(&text)
}

/// What every command with `--json` prints: `value` as JSON with a line break.
///
/// # Errors
/// What JSON cannot hold: keys that are no text.
pub fn json_text(value: &impl serde::Serialize) -> Result<String, serde_json::Error> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

/// A line for people, on standard error. Lost when nobody reads it.
pub fn tell(line: impl Display) {
    writeln!(io::stderr().lock(), "{line}").ok();
}
