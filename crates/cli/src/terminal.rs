//! Prints the command line's output, and clap's errors and help.

use std::{
    fmt::Display,
    io::{self, ErrorKind},
};

use clap::error::{ContextKind, ContextValue};

use super::CliError;
use values::{
    disk::words,
    terminal::{write_bytes, write_json, write_lines},
    text::{is_unseen, one_line},
};

pub use measure::table::{Column, table, table_of};
pub use values::terminal::{stderr_is_terminal, stdout_is_terminal, write_message};

/// Prints a note on standard error.
pub fn write_note(text: impl Display) {
    write_message(format_args!("note: {text}"));
}

/// Writes lines to standard output.
///
/// # Errors
/// [`CliError::OutputClosed`] if the reader closed it, otherwise [`CliError::Failed`].
pub fn print<Line: AsRef<str>>(lines: &[Line]) -> Result<(), CliError> {
    printed(write_lines(lines))
}

/// Writes bytes to standard output.
///
/// # Errors
/// See [`print()`].
pub fn print_bytes(bytes: &[u8]) -> Result<(), CliError> {
    printed(write_bytes(bytes))
}

/// Prints `value` as JSON with a line break.
///
/// # Errors
/// See [`print()`].
pub fn print_json(value: &impl serde::Serialize) -> Result<(), CliError> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|e| CliError::Failed(format!("the report could not be written as JSON: {e}")))?;
    printed(write_json(&(text + "\n")))
}

/// Prints a report as JSON, or as `lines`.
///
/// # Errors
/// See [`print()`].
pub fn print_report(
    as_json: bool,
    report: &impl serde::Serialize,
    lines: impl FnOnce() -> Vec<String>,
) -> Result<(), CliError> {
    if as_json { print_json(report) } else { print(&lines()) }
}

fn printed(written: io::Result<()>) -> Result<(), CliError> {
    written.map_err(|e| match e.kind() {
        ErrorKind::BrokenPipe => CliError::OutputClosed,
        _ => CliError::Failed(format!("standard output could not be written: {}", words(&e))),
    })
}

/// Prints clap's help, version or error. Clap quotes arguments and adds colours. If a quoted argument contains control
/// characters, they are escaped and the text has no colours.
pub fn print_usage(mut error: clap::Error) {
    let quoted: Vec<_> =
        error.context().filter_map(|(kind, value)| Some((kind, escaped(value)?))).collect();
    if quoted.is_empty() {
        error.print().ok();
        return;
    }
    for (kind, value) in quoted {
        error.insert(kind, value);
    }
    // This suggestion quotes the argument again, with colours.
    error.insert(ContextKind::Suggested, ContextValue::None);
    for line in error.render().to_string().lines() {
        write_message(line);
    }
}

/// A quoted argument with control characters escaped; `None` if it contains none.
fn escaped(value: &ContextValue) -> Option<ContextValue> {
    match value {
        ContextValue::String(text) if text.contains(is_unseen) => {
            Some(ContextValue::String(one_line(text).into_owned()))
        }
        ContextValue::Strings(texts) if texts.iter().any(|text| text.contains(is_unseen)) => {
            let texts = texts.iter().map(|text| one_line(text).into_owned());
            Some(ContextValue::Strings(texts.collect()))
        }
        _ => None,
    }
}
