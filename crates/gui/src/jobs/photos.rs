//! Paints the photos of a folder, or the contact sheet of one, on the job's thread.

use std::{
    collections::HashSet,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
};

use super::{
    run::Run,
    work::{Photos, Sheet, Unpainted},
};
use crate::{
    choice::Choice,
    pages::photo::finished::{picture_of, texts_of},
    shell::tasks::{OrText, named},
    widgets::label::name_label,
};
use engine::paint::{OutputSize, Painting, at_size};
use media::sheet::{CELL_PX, ORIGINAL, titled_sheet};
use network::Network;
use pictures::{
    decode,
    encode::{self, Attached, Encoding, Existing, Format},
    scale::size_within,
};
use values::{disk, frame::Frame, lock::lock};

/// The name of a painting of `source` in a style.
pub fn painting_name(source: &Path, style: &str, extension: &str) -> OsString {
    let mut name = source.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{style}.{extension}"));
    name
}

/// A photo that can be painted.
struct Opened {
    photo: decode::Photo,
    target: PathBuf,
    format: Format,
    /// The photo's file if the look shows nothing of the painting: the file is then copied unchanged.
    original: Option<Vec<u8>>,
}

/// Opens photos and saves their paintings.
struct Files<'a> {
    photos: &'a Photos,
    choice: Choice,
    /// Name of the device, for the settings in the files.
    device: Option<String>,
    /// Files written so far: two photos may differ only in their extension.
    written: HashSet<PathBuf>,
}

impl<'a> Files<'a> {
    fn new(photos: &'a Photos, device: Option<String>) -> Self {
        let written = photos.results.saved.iter().cloned().collect();
        Self { photos, choice: Choice::from_settings(&photos.choices), device, written }
    }

    fn existing(&self) -> Existing {
        if self.photos.replaces { Existing::Replace } else { Existing::Keep }
    }

    fn open(&self, item: usize) -> Result<Opened, Unpainted> {
        let (path, style) = self.photos.of_item(item);
        let photo = decode::from_path(path).or_text()?;
        let Choice { look, output, .. } = self.choice;
        let unchanged = look.strength_percent == 0 && output == OutputSize::Original;
        let original = (unchanged && !photo.is_hdr).then(|| fs::read(path).ok()).flatten();
        let format = self.photos.choices.format.unwrap_or(photo.natural_format);
        let name = painting_name(path, &self.photos.styles[style].label(), format.extension());
        // Check the target before painting.
        let is_free = |path: &PathBuf| !self.written.contains(path);
        let target = disk::numbered_path(self.photos.output.join(name), is_free);
        if target.exists() && !self.photos.replaces {
            return Err(Unpainted::Exists(target));
        }
        Ok(Opened { photo, target, format, original })
    }

    fn finish(
        &mut self,
        item: usize,
        opened: Opened,
        painting: &Painting,
    ) -> Result<(PathBuf, Vec<String>), String> {
        let Opened { photo: decode::Photo { frame, mut metadata, mut notes, .. }, .. } = opened;
        let (target, format) = (opened.target, opened.format);
        let choices = &self.photos.choices;
        disk::make_folder(&self.photos.output).or_text()?;
        let saved = match opened.original {
            Some(bytes) if decode::format_of_bytes(&bytes) == Some(format) => {
                encode::save_bytes(&target, &bytes, self.existing()).map(|()| Vec::new())
            }
            _ => {
                choices.print_dpi.into_iter().for_each(|dpi| metadata.set_dpi(dpi));
                let Choice { look, output, .. } = self.choice;
                let finished = picture_of(&frame, painting, output, look);
                let encoding = Encoding { quality: choices.jpeg_quality, ..Encoding::of(format) };
                let network = &self.photos.styles[self.photos.of_item(item).1];
                let texts = texts_of(network, &frame, painting, look, self.device.clone());
                let metadata = Some(&metadata);
                let attached = Attached { metadata, texts: &texts, ..Attached::default() };
                encode::save_with(&target, finished, attached, encoding, self.existing())
            }
        }
        .or_text()?;
        self.written.insert(target.clone());
        notes.extend(painting.notes.iter().cloned());
        notes.extend(saved);
        Ok((target, notes))
    }
}

impl Run {
    /// Paints what is left after the first `done` items, and notes every outcome. Blocks until it has ended; ends early
    /// if it is cancelled.
    ///
    /// # Errors
    /// Why there is no contact sheet.
    pub fn paint_photos(&self, photos: &Photos, done: usize) -> Result<(), String> {
        let mut files = Files::new(photos, self.device.clone());
        let settings = files.choice.paint_settings();
        let paint = |frame: &Arc<Frame>, network: &Arc<Network>| -> Result<Painting, String> {
            let painted = self.painter.paint(&[frame], network, settings, None, &self.control);
            painted.or_text()?.pop().ok_or_else(|| "its painting is missing".to_owned())
        };
        let sheet = photos.sheet.as_ref().map(|sheet| sheet_photo(photos, sheet)).transpose()?;
        let mut cells = Vec::new();
        for &item in photos.items.get(done..).unwrap_or_default() {
            self.wait_while_paused();
            if self.control.is_cancelled() {
                return Ok(());
            }
            self.control.set_progress(0.0);
            let outcome = named(&name_label(photos.of_item(item).0), || {
                let Some(network) = &self.networks[photos.of_item(item).1] else {
                    return Ok(Err(Unpainted::NoStyle));
                };
                Ok((|| -> Result<_, Unpainted> {
                    let Some(photo) = &sheet else {
                        let opened = files.open(item)?;
                        let painting = paint(&opened.photo.frame, network)?;
                        return Ok(files.finish(item, opened, &painting)?);
                    };
                    let painted = paint(photo, network)?;
                    let painted = painted.finished(photo, OutputSize::Working, files.choice.look);
                    cells.push((self.titles[photos.of_item(item).1].clone(), cell_of(&painted)));
                    Ok((photos.output.clone(), Vec::new()))
                })())
            })
            .unwrap_or_else(|why| Err(why.into()));
            if outcome.is_err() && self.control.is_cancelled() {
                return Ok(());
            }
            self.control.set_progress(0.0);
            lock(&self.progress.outcomes).push((item, outcome));
            self.progress.painted.fetch_add(1, Ordering::Relaxed);
            (self.wake_up)();
        }
        let Some(photo) = sheet else {
            return Ok(());
        };
        if cells.is_empty() {
            return Err("The contact sheet was not made.".to_owned());
        }
        cells.insert(0, (ORIGINAL.to_owned(), cell_of(&photo)));
        let page = titled_sheet(&cells, CELL_PX).ok_or("Too many styles for one contact sheet.")?;
        let format = Format::from_path(&photos.output).unwrap_or(Format::Png);
        let quality = photos.choices.jpeg_quality;
        let encoding = Encoding { quality, ..Encoding::of(format) };
        encode::save(&photos.output, &page, None, encoding, Existing::Keep).map(drop).or_text()
    }
}

/// The photo of a sheet, read again after a restart.
fn sheet_photo(photos: &Photos, sheet: &Sheet) -> Result<Arc<Frame>, String> {
    match (&sheet.photo, photos.sources.first()) {
        (Some(photo), _) => Ok(photo.clone()),
        (None, Some(path)) => {
            let photo = decode::from_path(path).or_text()?.frame;
            sheet.framing.applied(&photo).map(Arc::new).or_text()
        }
        (None, None) => Err("its photo is missing".to_owned()),
    }
}

fn cell_of(frame: &Frame) -> Frame {
    let (width, height) = size_within(frame.width(), frame.height(), CELL_PX);
    at_size(frame, width, height).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{choice::NetworkOf, jobs::work::Results};
    use settings::Choices;
    use values::{
        mode::{Mode, ModelSize},
        timing::RunTiming,
    };

    #[test]
    fn at_strength_0_a_photo_goes_out_as_it_came_in() {
        let folder = tempfile::tempdir().expect("a folder");
        let photo = folder.path().join("a.jpg");
        let frame = Frame::from_fn(33, 21, |x, y| [(x * 7) as u8, (y * 9) as u8, 3, 255]);
        let jpeg = Encoding::of(Format::Jpeg);
        encode::save(&photo, &frame, None, jpeg, Existing::Keep).expect("saved");
        for (format, same) in [(None, true), (Some(Format::Png), false)] {
            let sources = std::slice::from_ref(&photo);
            let mut photos = photos_of(sources, &["x"], folder.path().join("to"), format);
            photos.choices.look.strength_percent = 0;
            let mut files = Files::new(&photos, None);
            let opened = files.open(0).expect("opened");
            let frame = opened.photo.frame.clone();
            let (saved, _) = files.finish(0, opened, &painting(&frame)).expect("finished");
            let bytes = |path: &Path| fs::read(path).expect("a file");
            assert_eq!(bytes(&saved) == bytes(&photo), same, "{format:?}");
            let read = decode::from_path(&saved).expect("a picture");
            assert_eq!(read.frame, frame);
        }
    }

    /// These photos in these styles, one style after the other.
    fn photos_of(
        photos: &[PathBuf],
        styles: &[&str],
        target: PathBuf,
        format: Option<Format>,
    ) -> Photos {
        let of = |style: &&str| NetworkOf::Style((*style).to_owned(), ModelSize::Full);
        let choices = Choices { format, ..Choices::default() };
        Photos::new(photos.to_vec(), styles.iter().map(of).collect(), target, choices)
    }

    fn painting(frame: &Frame) -> Painting {
        Painting {
            painted: frame.clone(),
            deep: None,
            steady: None,
            notes: vec!["painted smaller".to_owned()],
            mode: Mode::default(),
            run: RunTiming::host(0.0),
            total_ms: 0.0,
        }
    }

    #[test]
    fn photos_of_one_name_do_not_overwrite_each_other() {
        let folder = tempfile::tempdir().expect("a folder");
        let sources = ["a.png", "a.bmp"].map(|n| folder.path().join(n)).to_vec();
        let frame = Frame::from_fn(6, 4, |x, _| [x as u8, 2, 3, 255]);
        for photo in &sources {
            let format = Format::from_path(photo).expect("known");
            encode::save(photo, &frame, None, Encoding::of(format), Existing::Keep).expect("saved");
        }
        let target = folder.path().join("painted");
        let mut photos = photos_of(&sources, &["candy"], target.clone(), Some(Format::Png));
        let first = target.join("a-candy.png");
        for (item, expected) in [first.clone(), target.join("a-candy-2.png")].iter().enumerate() {
            // As after a restart between the two.
            let mut files = Files::new(&photos, None);
            let opened = files.open(item).expect("opened");
            let saved = files.finish(item, opened, &painting(&frame)).expect("finished");
            assert_eq!(saved, (expected.clone(), vec!["painted smaller".to_owned()]));
            let texts = settings::painted_with::read(&saved.0);
            assert_eq!(texts[0], ("Style".to_owned(), "candy full".to_owned()));
            photos.results.saved.push(saved.0);
        }
        photos.results = Results::default();
        let refused = Files::new(&photos, None).open(0).err();
        assert_eq!(refused, Some(Unpainted::Exists(first)));
        photos.replaces = true;
        assert!(Files::new(&photos, None).open(0).is_ok());
    }

    #[test]
    fn styles_do_not_overwrite_each_other_either() {
        let folder = tempfile::tempdir().expect("a folder");
        // In the styles b and sea-b, both would be a-sea-b.png.
        let sources = ["a-sea.png", "a.png"].map(|n| folder.path().join(n));
        let frame = Frame::from_fn(6, 4, |x, _| [x as u8, 2, 3, 255]);
        let png = Encoding::of(Format::Png);
        for photo in &sources {
            encode::save(photo, &frame, None, png, Existing::Keep).expect("saved");
        }
        let mut photos = photos_of(&sources, &["b", "sea-b"], folder.path().to_owned(), None);
        photos.replaces = true;
        let mut files = Files::new(&photos, None);
        let names = photos.items.iter().map(|&item| {
            assert_eq!(photos.of_item(item), (&*sources[item % 2], item / 2));
            let opened = files.open(item).expect("opened");
            name_label(&files.finish(item, opened, &painting(&frame)).expect("finished").0)
        });
        let expected = ["a-sea-b.png", "a-b.png", "a-sea-sea-b.png", "a-sea-b-2.png"];
        assert_eq!(names.collect::<Vec<_>>(), expected);
    }
}
