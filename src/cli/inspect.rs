//! `styleforge inspect`: what is in a file of weights, and why it is refused.

use super::{CliError, args::InspectArgs, terminal::print};
use crate::weights::Checkpoint;

/// Looks at one file.
///
/// # Errors
/// [`CliError::Failed`] when the file is refused.
pub fn run(args: &InspectArgs) -> Result<(), CliError> {
    let checkpoint = Checkpoint::read(&args.file)
        .map_err(|e| CliError::Failed(format!("{}: {e}", args.file.display())))?;
    let spec = checkpoint.network.spec();
    print(&format!("{} {:?}\n", checkpoint.family.name(), spec))
}
