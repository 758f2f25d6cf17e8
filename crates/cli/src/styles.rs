//! `styleforge styles`: lists the styles, imports, renames and removes the user's own.

use std::{ffi::OsStr, path::Path};

use itertools::Itertools;
use serde::Serialize;

use super::{
    CliError,
    args::{StylesArgs, StylesCommand},
    style_choice::{style_network, unreadable},
    terminal::{print, print_json, table, write_message, write_note},
    wrong_use,
};
use engine::{
    style_picture::{self, ImportError},
    trial::only_color,
};
use pictures::decode::has_picture_name;
use values::mode::ModelSize;
use weights::{
    Checkpoint, Choice, Credit, LibraryError, Origin, Style, StyleLibrary, StyleNetwork,
    WeightsError, bytes_in_hex,
};

/// The `--json` report.
#[derive(Serialize)]
struct Report<'a> {
    styles: Vec<Entry<'a>>,
    /// The user's own networks for style pictures.
    networks: Vec<String>,
    problems: &'a [String],
}

#[derive(Serialize)]
struct Entry<'a> {
    id: &'a str,
    title: &'a str,
    models: Vec<ModelSize>,
    origin: &'a Origin,
    /// Styles of the same name that cannot be selected because of this one.
    hides: &'a [Origin],
    /// The bytes of the origin's path as hexadecimal digits, if it is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    path_bytes: Option<String>,
    credit: &'a Credit,
    /// What was assumed about it at import.
    #[serde(skip_serializing_if = "Option::is_none")]
    assumed: Option<&'a str>,
}

impl<'a> Entry<'a> {
    fn new(style: &'a Style) -> Self {
        Self {
            id: &style.id,
            title: &style.title,
            models: style.models(),
            origin: &style.origin,
            hides: &style.hides,
            path_bytes: match &style.origin {
                Origin::Embedded => None,
                Origin::Installed(path) | Origin::User(path) => bytes_in_hex(path),
            },
            credit: &style.credit,
            assumed: style.assumed.as_deref(),
        }
    }
}

/// Lists the styles, or runs the subcommand.
///
/// # Errors
/// [`CliError::Failed`] if an import is refused or a disk operation fails, [`CliError::WrongUse`] if there is nothing
/// to import or no such style to remove.
pub fn run(args: StylesArgs) -> Result<(), CliError> {
    let mut library = StyleLibrary::standard();
    match args.command {
        Some(StylesCommand::Import { file, name, pixels, network, style_network }) => {
            let choice = Choice { pixels: pixels.choice(), network };
            let style_network = style_network.as_deref();
            import(&mut library, &file, name.as_deref(), choice, style_network)
        }
        Some(StylesCommand::Rename { name, new_name }) => {
            let style = library.rename(&name, &new_name).map_err(refused)?;
            print(&[format!("Renamed {name} to {}; paint with --style {}", style.title, style.id)])
        }
        Some(StylesCommand::Remove { name }) => remove(&mut library, &name),
        Some(StylesCommand::List { json }) => list(&library, json),
        None => list(&library, args.json),
    }
}

fn import(
    library: &mut StyleLibrary,
    file: &Path,
    name: Option<&str>,
    choice: Choice,
    style_network: Option<&OsStr>,
) -> Result<(), CliError> {
    if !file.exists() {
        return wrong_use(format!("there is no file {}", file.display()));
    }
    if file.is_dir() {
        return wrong_use(format!(
            "{} is a folder; import an image or a file of weights in it",
            file.display()
        ));
    }
    let named = |e: LibraryError| {
        CliError::Failed(match e {
            LibraryError::Weights { path, source } => unreadable(&path, &source),
            e if e.is_about_the_name() => format!("{e} with --name"),
            e => e.to_string(),
        })
    };
    let mut caution = None;
    let style = if has_picture_name(file) {
        let network = kept_network(library, style_network)?;
        let kept = style_picture::import(library, file, name, &network).map_err(|e| match e {
            ImportError::Library(e) => named(e),
            other => CliError::failed(other),
        })?;
        caution = kept.1;
        kept.0
    } else if style_network.is_some() {
        return wrong_use(format!(
            "--style-network needs an image, and {} is not one",
            file.display()
        ));
    } else {
        match weights(library, file, name, choice) {
            Err(LibraryError::Weights { source: WeightsError::StyleNetwork, .. }) => {
                let line = import_network(library, file, name).map_err(named)?;
                return print(&[line]);
            }
            kept => kept.map_err(named)?,
        }
    };
    print(&[format!(
        "Imported {} as {} into {}; paint with --style {}",
        file.display(),
        style.title,
        library.user_folder().unwrap_or(Path::new("")).display(),
        style.id
    )])?;
    if let Some(what) = &style.assumed {
        write_note(format_args!("assumed {what}"));
    }
    if let Some(caution) = caution {
        write_note(caution);
    }
    Ok(())
}

/// The network for a style picture to import; the network itself must be imported first.
fn kept_network(library: &StyleLibrary, typed: Option<&OsStr>) -> Result<StyleNetwork, CliError> {
    let network = style_network(library, typed)?;
    if network.is_built_in() || library.networks().has(&network.name) {
        return Ok(network);
    }
    wrong_use(format!(
        "import the network of the style picture first: styleforge styles import {}",
        network.name
    ))
}

/// Imports a network for style pictures and returns the message.
fn import_network(
    library: &StyleLibrary,
    file: &Path,
    name: Option<&str>,
) -> Result<String, LibraryError> {
    let network = library.import_network(file, name)?;
    Ok(format!(
        "Imported {} as the network {} into {}; paint with --style-picture FILE --style-network {}",
        file.display(),
        network.name,
        library.networks().folder().unwrap_or(Path::new("")).display(),
        network.name,
    ))
}

/// Imports the network of a file, and prints a warning if its output is a single colour.
fn weights(
    library: &mut StyleLibrary,
    file: &Path,
    name: Option<&str>,
    choice: Choice,
) -> Result<Style, LibraryError> {
    let checkpoint = Checkpoint::read_as(file, choice)
        .map_err(|source| LibraryError::Weights { path: file.to_owned(), source })?;
    // Before importing, so that an interruption leaves no files.
    let color = only_color(&checkpoint);
    let style = library.keep(&checkpoint, file, name)?;
    if let Some(color) = color {
        write_message(format!(
            "warning: {} paints everything {color}; the output range is probably wrong (see --output-range)",
            style.title
        ));
    }
    Ok(style)
}

fn remove(library: &mut StyleLibrary, name: &str) -> Result<(), CliError> {
    let networks = library.networks();
    let (removed, kind) = match library.remove(name) {
        Err(LibraryError::Unknown { .. }) if networks.has(name) => {
            (networks.remove(name), "networks for style pictures")
        }
        removed => (removed, "styles"),
    };
    let path = removed.map_err(refused)?;
    print(&[format!("Removed {name} from your {kind}: {}", path.display())])
}

fn refused(error: LibraryError) -> CliError {
    match error {
        LibraryError::Unknown { .. } | LibraryError::NotYours { .. } => CliError::wrong_use(error),
        other => CliError::failed(other),
    }
}

fn list(library: &StyleLibrary, as_json: bool) -> Result<(), CliError> {
    if as_json {
        return print_json(&Report {
            styles: library.styles().iter().map(Entry::new).collect(),
            networks: library.networks().names(),
            problems: library.problems(),
        });
    }
    library.problems().iter().for_each(write_note);
    if library.styles().is_empty() {
        return print(&["No style is installed. Add one with styleforge styles import FILE."]);
    }
    let mut rows =
        vec![["Style", "Title", "Models", "Painting", "From"].map(str::to_owned).to_vec()];
    rows.extend(library.styles().iter().map(row));
    let mut lines = table(&rows);
    let networks = library.networks().names();
    if !networks.is_empty() {
        let names = networks.join(", ");
        lines.push(format!("Your networks for style pictures (--style-network): {names}"));
    }
    print(&lines)
}

fn row(style: &Style) -> Vec<String> {
    let credit = &style.credit;
    vec![
        style.id.clone(),
        style.title.clone(),
        style.models().iter().join(", "),
        [&credit.artist, &credit.painting, &credit.year].into_iter().flatten().join(", "),
        style.origin_text(),
    ]
}
