//! `styleforge inspect`: what a style or a file of weights contains, and why it is refused.

use super::{
    CliError,
    args::InspectArgs,
    style_choice::{check_file_size, named, no_pixels},
    terminal::print_report,
};
use engine::{inspection::inspection_text, network_choice::NamedStyle};
use weights::{LibraryError, PixelChoice, StyleLibrary};

/// # Errors
/// [`CliError::WrongUse`] if there is no such style or file, [`CliError::Failed`] with the reason if it cannot paint.
pub fn run(args: &InspectArgs) -> Result<(), CliError> {
    let library = StyleLibrary::standard();
    let pixels = args.pixels.choice();
    let facts = match named(&library, &args.subject)? {
        NamedStyle::Style(_) | NamedStyle::StyleNetwork(_) if pixels != PixelChoice::default() => {
            return Err(no_pixels(&args.subject));
        }
        NamedStyle::Style(style) => style.describe(args.model).map_err(|error| match error {
            LibraryError::NoSuchModel { .. } => CliError::wrong_use(error),
            other => CliError::failed(other),
        })?,
        NamedStyle::Picture(path) | NamedStyle::Weights(path) => {
            check_file_size(&path, args.model)?;
            weights::describe(&path, pixels)
        }
        NamedStyle::StyleNetwork(path) => weights::describe(&path, pixels),
    };
    print_report(args.json, &facts, || inspection_text(&facts))?;
    match facts.refused {
        None => Ok(()),
        Some(reason) => {
            Err(CliError::Failed(format!("{} cannot be used: {reason}", facts.path.display())))
        }
    }
}
