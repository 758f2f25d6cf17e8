//! Paints the sample in every style into one picture, if no window can be opened.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    CliError,
    args::DeviceArgs,
    interrupt::interruptible,
    painter,
    progress::Progress,
    select_device,
    style_choice::choose,
    terminal::{print, write_message},
};
use crate::{
    compose::Look,
    disk::WriteError,
    engine::paint::{OutputSize, PaintSettings},
    frame::Frame,
    media::{
        MediaError,
        encode::{self, Encoding, Existing, Format},
        sample,
        scale::{scaled, size_within},
        sheet::{self, CELL_PX},
    },
    weights::StyleLibrary,
};

/// Name of the picture; a number is appended if the name exists.
const STEM: &str = "styleforge-sample";
/// Maximum number of names to try in one folder.
const MAX_NAMES: usize = 1000;

/// Paints the sheet, and prints its path and why there is no window.
///
/// # Errors
/// [`CliError::Failed`] if it cannot be painted or cannot be written anywhere.
pub fn run(reason: &str) -> Result<(), CliError> {
    write_message(format!("No window: {reason}."));
    let library = StyleLibrary::standard();
    let sample = sample::sample().map_err(CliError::failed)?.frame;
    let (width, height) = size_within(sample.width(), sample.height(), CELL_PX);
    let photo = Arc::new(scaled(&sample, width, height));
    let device = DeviceArgs::default();
    let selected = select_device(&device)?;
    let control = interruptible();
    let mut painter = painter(selected, &device);
    let progress = Progress::new(library.styles().len());
    let mut pictures = vec![Frame::clone(&photo)];
    let mut titles = vec!["the photo".to_owned()];
    for style in library.styles() {
        let chosen = match choose(&library, style.id.as_ref(), None) {
            Ok(chosen) => chosen,
            Err(error) => {
                progress.message(format!("note: {error}"));
                continue;
            }
        };
        let painted = progress.during(1, &style.title, &control, || {
            painter.paint(&photo, &chosen.network, PaintSettings::default(), &control)
        });
        for notice in painter.take_notices() {
            progress.message(format!("note: {notice}"));
        }
        let painting = painted
            .map_err(|e| if e.is_cancelled() { CliError::Stopped } else { CliError::failed(e) })?;
        pictures.push(painting.finished(&photo, OutputSize::Original, Look::default()));
        titles.push(style.title.clone());
    }
    progress.finish();
    let Some(page) = sheet::sheet(&pictures, CELL_PX) else {
        return Err(CliError::Failed("there is nothing to show".to_owned()));
    };
    let encoding = Encoding::of(Format::Png);
    let path = save_somewhere(&folders(), |path| {
        encode::save(path, &page, None, encoding, Existing::Keep)
    })
    .map_err(CliError::failed)?;
    print(&[
        format!("Painted the sample instead: {}", path.display()),
        format!("Row by row: {}.", titles.join(", ")),
        "Paint your own photo with: styleforge stylize PHOTO --style NAME -o FILE".to_owned(),
    ])
}

/// The current folder, then the folder for temporary files.
fn folders() -> Vec<PathBuf> {
    let current = std::env::current_dir();
    current.into_iter().chain([std::env::temp_dir()]).collect()
}

/// Saves under the first free name in the first writable folder.
fn save_somewhere(
    folders: &[PathBuf],
    save: impl Fn(&Path) -> Result<Vec<String>, MediaError>,
) -> Result<PathBuf, MediaError> {
    let mut last = MediaError::Write(WriteError::Refused {
        name: STEM.to_owned(),
        reason: "no folder is writable".to_owned(),
    });
    for folder in folders {
        for number in 1..=MAX_NAMES {
            let name = match number {
                1 => format!("{STEM}.png"),
                n => format!("{STEM}-{n}.png"),
            };
            let path = folder.join(name);
            match save(&path) {
                Ok(_) => return Ok(path),
                Err(error @ MediaError::Write(WriteError::Exists { .. })) => last = error,
                Err(error) => {
                    last = error;
                    break;
                }
            }
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_name_and_a_closed_folder_are_passed_by() {
        let folders = [PathBuf::from("closed"), PathBuf::from("open")];
        let name = String::new;
        let path = save_somewhere(&folders, |path| {
            if path.starts_with("closed") {
                let reason = String::new();
                let name = name();
                return Err(WriteError::Refused { name, reason }.into());
            }
            if path.ends_with("styleforge-sample-2.png") {
                Ok(Vec::new())
            } else {
                Err(WriteError::Exists { name: name() }.into())
            }
        });
        assert_eq!(path.as_deref(), Ok(Path::new("open/styleforge-sample-2.png")));
        assert!(save_somewhere(&[], |_| Ok(Vec::new())).is_err());
    }
}
