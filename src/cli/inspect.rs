//! `styleforge inspect`: what is in a file of weights, and why it is refused.

use super::{
    CliError,
    args::InspectArgs,
    terminal::{print, print_json},
};
use crate::weights;

/// Looks at one file.
///
/// # Errors
/// [`CliError::AlreadyTold`] when the file would not paint.
pub fn run(args: &InspectArgs) -> Result<(), CliError> {
    let inspection = weights::describe(&args.file);
    if args.json {
        print_json(&inspection)?;
    } else {
        print(&inspection.to_string())?;
    }
    Ok(())
}
