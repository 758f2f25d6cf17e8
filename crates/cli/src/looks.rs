//! `styleforge looks`: lists, shows, imports, exports, renames and removes looks.

use std::{fs, sync::Arc};

use super::{
    CliError,
    args::{DeviceArgs, LooksCommand},
    interrupt::interruptible,
    painter, select_device,
    style_choice::named,
    terminal::{print, table, write_note},
    wrong_use,
};
use engine::paint::{OutputSize, PaintSettings, WorkingSize};
use media::sheet::CELL_PX;
use pictures::{
    decode,
    encode::{Existing, Format},
    sample,
    scale::{scaled, size_within},
};
use settings::{
    looks::{self, LookError, SavedLook},
    painted_with::{DEFAULT, OF_STYLE, Painted},
};
use values::{
    disk::{self, reason},
    frame::Frame,
};
use weights::StyleLibrary;

/// Performs a command.
///
/// # Errors
/// [`CliError::Unusable`] if a look is missing or cannot be read or written.
pub fn run(command: LooksCommand) -> Result<(), CliError> {
    match command {
        LooksCommand::List => list(),
        LooksCommand::Show { look } => {
            let look = looks::find(&look).and_then(|path| SavedLook::read(&path))?;
            let rows = NAMES.iter().zip(row("", &look)).skip(1);
            print(&rows.map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>())?;
            look.network(&StyleLibrary::standard(), look.painted.model)?
                .notes
                .iter()
                .for_each(write_note);
            Ok(())
        }
        LooksCommand::Import { file, name, style, force } => {
            let library = StyleLibrary::standard();
            let mut look = SavedLook::read(&file)?;
            if let Some(typed) = &style {
                look.set_style(named(&library, typed)?)?;
            }
            look.complete(&library)?;
            let picture = match style {
                Some(_) => Arc::new(sample_in(&look, &library)?),
                None => decode::from_path(&file).map_err(LookError::from)?.frame,
            };
            let stem = || file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let name = name.unwrap_or_else(stem);
            look.save(&name, &picture, existing(force))?;
            let name = weights::id_from(&name);
            print(&[format!("Saved the look {name}; paint with --look {name}")])
        }
        LooksCommand::Export { name, output, force } => {
            if Format::from_path(&output) != Some(Format::Png) {
                return wrong_use("a look is a PNG file; name it .png with -o");
            }
            let bytes = fs::read(looks::own(&name)?).map_err(|e| CliError::Failed(reason(&e)))?;
            disk::write_bytes(&output, &bytes, existing(force)).map_err(CliError::failed)?;
            print(&[format!("Wrote {}", output.display())])
        }
        LooksCommand::Rename { name, new_name } => {
            let to = looks::file(&new_name)?;
            disk::rename(&looks::own(&name)?, &to).map_err(CliError::failed)?;
            print(&[format!("Renamed {name} to {}", weights::id_from(&new_name))])
        }
        LooksCommand::Remove { name } => {
            looks::remove(&looks::own(&name)?)?;
            print(&[format!("Removed the look {name}")])
        }
    }
}

/// The sample, painted in a look, because the file's picture shows another one.
fn sample_in(look: &SavedLook, library: &StyleLibrary) -> Result<Frame, CliError> {
    let sample = sample::sample().map_err(CliError::failed)?.frame;
    let (width, height) = size_within(sample.width(), sample.height(), CELL_PX);
    let photo = Arc::new(scaled(&sample, width, height));
    let chosen = look.network(library, look.painted.model)?.with_margin(None);
    let device = DeviceArgs::default();
    let (mut painter, control) = (painter(select_device(&device)?, &device), interruptible());
    let painted = painter.paint(&photo, &chosen.network, PaintSettings::default(), &control);
    let painting = painted.map_err(CliError::failed)?;
    Ok(painting.finished(&photo, OutputSize::Original, look.painted.look))
}

impl From<LookError> for CliError {
    fn from(error: LookError) -> Self {
        Self::Unusable(error.to_string())
    }
}

/// The columns of the list.
const NAMES: [&str; 6] = ["Look", "Style", "Detail", "Strength", "Colours", "Steadiness"];

fn list() -> Result<(), CliError> {
    let mut rows = vec![NAMES.map(str::to_owned).to_vec()];
    for name in looks::names() {
        match looks::own(&name).and_then(|path| SavedLook::read(&path)) {
            Ok(look) => rows.push(row(&name, &look).to_vec()),
            Err(error) => write_note(error),
        }
    }
    if rows.len() == 1 {
        return print(&["There are no looks. Save one with styleforge looks import PAINTING."]);
    }
    print(&table(&rows))
}

fn row(name: &str, look: &SavedLook) -> [String; 6] {
    let Painted { model, detail, look: blend, steadiness, .. } = &look.painted;
    let model = model.map_or_else(String::new, |model| format!(" {model}"));
    let detail = match detail {
        WorkingSize::Auto => DEFAULT.to_owned(),
        detail => detail.to_string(),
    };
    let colors = if blend.keep_colors { "the original's" } else { OF_STYLE };
    let percent = |percent| format!("{percent} %");
    let steadiness = percent(steadiness.unwrap_or(0));
    let style = look.label() + &model;
    [name.to_owned(), style, detail, percent(blend.strength_percent), colors.to_owned(), steadiness]
}

fn existing(force: bool) -> Existing {
    if force { Existing::Replace } else { Existing::Keep }
}
