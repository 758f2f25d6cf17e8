//! Prints the command line's output, and clap's errors and help.

use std::io::{self, ErrorKind};

use clap::error::{ContextKind, ContextValue};

use super::CliError;
use crate::{
    disk::words,
    terminal::{write_bytes, write_json, write_lines},
    text::{is_unseen, one_line},
};

pub use crate::{
    measure::table,
    terminal::{is_watched, write_message},
};

/// Writes lines to standard output.
///
/// # Errors
/// [`CliError::OutputClosed`] when the reader has gone, [`CliError::Failed`] otherwise.
pub fn print<Line: AsRef<str>>(lines: &[Line]) -> Result<(), CliError> {
    printed(write_lines(lines))
}

/// Writes bytes to standard output.
///
/// # Errors
/// As [`print()`].
pub fn print_bytes(bytes: &[u8]) -> Result<(), CliError> {
    printed(write_bytes(bytes))
}

/// Prints `value` as JSON with a line break.
///
/// # Errors
/// As [`print()`].
pub fn print_json(value: &impl serde::Serialize) -> Result<(), CliError> {
    let text = json_text(value)
        .map_err(|e| CliError::Failed(format!("the report could not be written as JSON: {e}")))?;
    print_json_text(&text)
}

/// What every command with `--json` prints: `value` as JSON with a line break.
///
/// # Errors
/// When the value has keys that are no text.
pub fn json_text(value: &impl serde::Serialize) -> Result<String, serde_json::Error> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

/// Prints JSON that is written already.
///
/// # Errors
/// As [`print()`].
pub fn print_json_text(json: &str) -> Result<(), CliError> {
    printed(write_json(json))
}

fn printed(written: io::Result<()>) -> Result<(), CliError> {
    written.map_err(|e| match e.kind() {
        ErrorKind::BrokenPipe => CliError::OutputClosed,
        _ => CliError::Failed(format!("standard output could not be written: {}", words(&e))),
    })
}

/// Prints clap's answer to the arguments: help, the version, or an error. Clap quotes arguments and writes
/// colours between them; arguments that would act on the terminal are escaped, without colours.
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
    // Advice that quotes the argument again, between colours.
    error.insert(ContextKind::Suggested, ContextValue::None);
    for line in error.render().to_string().lines() {
        write_message(line);
    }
}

/// A quoted argument with every character escaped that would act on the terminal; `None` where there is none.
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
