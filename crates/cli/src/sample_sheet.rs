//! Paints the sample in every style into one picture, if no window can be opened.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use itertools::Itertools;

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
use engine::paint::{OutputSize, PaintSettings};
use media::sheet::{CELL_PX, titled_sheet};
use pictures::{
    MediaError,
    encode::{self, Encoding, Existing, Format},
    sample,
    scale::{scaled, size_within},
};
use values::{
    compose::Look,
    disk::{self, WriteError},
    frame::Frame,
};
use weights::StyleLibrary;

/// Name of the picture; a number is appended if the name exists.
const NAME: &str = "styleforge-sample.png";

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
    let mut cells = vec![("the photo".to_owned(), Frame::clone(&photo))];
    for style in library.styles() {
        let chosen = match choose(&library, style.id.as_ref(), None) {
            Ok(chosen) => chosen.with_margin(None),
            Err(error) => {
                progress.note(error);
                continue;
            }
        };
        let painted = progress.during(1, &style.title, &control, || {
            painter.paint(&photo, &chosen.network, PaintSettings::default(), &control)
        });
        progress.notes(painter.take_notices());
        let painting = painted
            .map_err(|e| if e.is_cancelled() { CliError::Stopped } else { CliError::failed(e) })?;
        let picture = painting.finished(&photo, OutputSize::Original, Look::default());
        cells.push((style.title.clone(), picture));
    }
    progress.finish();
    let Some(page) = titled_sheet(&cells, CELL_PX) else {
        return Err(CliError::Failed("there is nothing to show".to_owned()));
    };
    let encoding = Encoding::of(Format::Png);
    let path = save_somewhere(&folders(), |path| {
        encode::save(path, &page, None, encoding, Existing::Keep)
    })
    .map_err(CliError::failed)?;
    let titles = cells.iter().map(|(title, _)| title).join(", ");
    print(&[
        format!("Painted the sample instead: {}", path.display()),
        format!("Row by row: {titles}."),
        "Paint your own photo with: styleforge stylize PHOTO --style NAME -o FILE".to_owned(),
    ])
}

/// The current folder, then the folder for temporary files.
fn folders() -> Vec<PathBuf> {
    std::env::current_dir().into_iter().chain([std::env::temp_dir()]).collect()
}

/// Saves under the first free name in the first writable folder.
fn save_somewhere(
    folders: &[PathBuf],
    save: impl Fn(&Path) -> Result<Vec<String>, MediaError>,
) -> Result<PathBuf, MediaError> {
    let mut last = MediaError::Write(WriteError::Refused {
        name: NAME.to_owned(),
        reason: "no folder is writable".to_owned(),
    });
    for folder in folders {
        let path = disk::free_path(folder.join(NAME));
        match save(&path) {
            Ok(_) => return Ok(path),
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_name_and_a_closed_folder_are_passed_by() {
        let open = tempfile::tempdir().expect("a folder");
        std::fs::write(open.path().join(NAME), "another file").expect("written");
        let path = save_somewhere(&[PathBuf::from("closed"), open.path().to_owned()], |path| {
            if path.starts_with("closed") {
                let (name, reason) = (String::new(), String::new());
                return Err(WriteError::Refused { name, reason }.into());
            }
            Ok(Vec::new())
        });
        assert_eq!(path, Ok(open.path().join("styleforge-sample-2.png")));
        assert!(save_somewhere(&[], |_| Ok(Vec::new())).is_err());
    }
}
