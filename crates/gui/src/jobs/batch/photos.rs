//! The engine's side of a batch: opens photos and saves results, on the engine's thread.

use std::{
    collections::HashSet,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use crate::{
    choice::NetworkOf,
    pages::photo::finished::{picture_of, texts_of},
    shell::tasks::OrText,
    widgets::label::name_label,
};
use engine::{
    paint::{OutputSize, Painting},
    protocol::{PhotoSource, SavedPhoto, Unpainted},
};
use pictures::{
    decode,
    encode::{self, Attached, Encoding, Existing, Format},
    metadata::Metadata,
};
use values::{compose::Look, disk, frame::Frame};

/// Photos to paint, and where their paintings go.
#[derive(Default)]
pub struct BatchPhotos {
    /// The photos, and the indices of their styles.
    pub photos: Vec<(PathBuf, usize)>,
    /// The styles, whose names are appended to those of the photos.
    pub styles: Vec<NetworkOf>,
    /// Name of the device, for the settings in the files.
    pub device: Option<String>,
    /// The output folder; created when the first painting is saved.
    pub target: PathBuf,
    /// Size of the finished pictures.
    pub output: OutputSize,
    /// Strength and colours.
    pub look: Look,
    /// Format to save in; `None` uses each photo's own format.
    pub format: Option<Format>,
    /// 1 to 100.
    pub jpeg_quality: u8,
    /// See [`settings::Choices::print_dpi`].
    pub print_dpi: Option<u16>,
    /// What happens to existing files.
    pub existing: Existing,
    /// Files written so far: two photos may differ only in their extension.
    written: HashSet<PathBuf>,
    natural: Format,
    metadata: Metadata,
    notes: Vec<String>,
    /// The photo's file if the look shows nothing of the painting: the file is then copied unchanged.
    original: Option<Vec<u8>>,
}

/// The name of a painting of `source` in a style.
pub fn painting_name(source: &Path, style: &str, extension: &str) -> OsString {
    let mut name = source.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{style}.{extension}"));
    name
}

impl BatchPhotos {
    /// Photos that have not been painted yet.
    pub fn new(photos: Vec<(PathBuf, usize)>, styles: Vec<NetworkOf>, target: PathBuf) -> Self {
        Self { photos, styles, target, jpeg_quality: encode::DEFAULT_QUALITY, ..Self::default() }
    }

    fn target_of(&self, (photo, style): &(PathBuf, usize), format: Format) -> PathBuf {
        let name = painting_name(photo, &self.styles[*style].label(), format.extension());
        disk::numbered_path(self.target.join(name), |path| !self.written.contains(path))
    }
}

impl PhotoSource for BatchPhotos {
    fn len(&self) -> usize {
        self.photos.len()
    }

    fn name(&self, index: usize) -> String {
        name_label(&self.photos[index].0)
    }

    fn network(&self, index: usize) -> usize {
        self.photos[index].1
    }

    fn open(&mut self, index: usize) -> Result<Frame, Unpainted> {
        let item = &self.photos[index];
        let path = &item.0;
        let photo = decode::from_path(path).or_text()?;
        let unchanged = self.look.strength_percent == 0 && self.output == OutputSize::Original;
        let unchanged = unchanged && !photo.is_hdr;
        self.original = unchanged.then(|| fs::read(path).ok()).flatten();
        // Check the target before painting.
        let target = self.target_of(item, self.format.unwrap_or(photo.natural_format));
        if target.exists() && self.existing == Existing::Keep {
            return Err(Unpainted::Exists(target));
        }
        self.natural = photo.natural_format;
        self.metadata = photo.metadata;
        self.print_dpi.into_iter().for_each(|dpi| self.metadata.set_dpi(dpi));
        self.notes = photo.notes;
        Ok(std::sync::Arc::unwrap_or_clone(photo.frame))
    }

    fn finish(
        &mut self,
        index: usize,
        photo: &Frame,
        painting: &Painting,
    ) -> Result<SavedPhoto, String> {
        let format = self.format.unwrap_or(self.natural);
        let target = self.target_of(&self.photos[index], format);
        disk::make_folder(&self.target).or_text()?;
        let saved = match self.original.take() {
            Some(bytes) if decode::format_of_bytes(&bytes) == Some(format) => {
                encode::save_bytes(&target, &bytes, self.existing).map(|()| Vec::new())
            }
            _ => {
                let finished = picture_of(photo, painting, self.output, self.look);
                let encoding = Encoding { quality: self.jpeg_quality, ..Encoding::of(format) };
                let network = &self.styles[self.photos[index].1];
                let texts = texts_of(network, photo, painting, self.look, self.device.clone());
                let attached = Attached {
                    metadata: Some(&self.metadata),
                    texts: &texts,
                    ..Attached::default()
                };
                encode::save_with(&target, finished, attached, encoding, self.existing)
            }
        }
        .or_text()?;
        self.written.insert(target.clone());
        let mut notes = std::mem::take(&mut self.notes);
        notes.extend(painting.notes.iter().cloned());
        notes.extend(saved);
        Ok(SavedPhoto { path: target, notes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
        let look = Look { strength_percent: 0, ..Look::default() };
        for (format, same) in [(None, true), (Some(Format::Png), false)] {
            let mut batch = BatchPhotos {
                look,
                format,
                ..batch_of(std::slice::from_ref(&photo), &["x"], folder.path().join("to"))
            };
            let opened = batch.open(0).expect("opened");
            let saved = batch.finish(0, &opened, &painting(&opened)).expect("finished");
            let bytes = |path: &Path| fs::read(path).expect("a file");
            assert_eq!(bytes(&saved.path) == bytes(&photo), same, "{format:?}");
            let read = decode::from_path(&saved.path).expect("a picture");
            assert_eq!(*read.frame, opened);
        }
    }

    /// These photos in these styles, one style after the other.
    fn batch_of(photos: &[PathBuf], styles: &[&str], target: PathBuf) -> BatchPhotos {
        let of_style = |style| photos.iter().map(move |photo| (photo.clone(), style));
        let items = (0..styles.len()).flat_map(of_style).collect();
        let of = |style: &&str| NetworkOf::Style((*style).to_owned(), ModelSize::Full);
        BatchPhotos::new(items, styles.iter().map(of).collect(), target)
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
        let photos = ["a.png", "a.bmp"].map(|n| folder.path().join(n)).to_vec();
        let frame = Frame::from_fn(6, 4, |x, _| [x as u8, 2, 3, 255]);
        for photo in &photos {
            let format = Format::from_path(photo).expect("known");
            encode::save(photo, &frame, None, Encoding::of(format), Existing::Keep).expect("saved");
        }
        let painting = painting(&frame);
        let target = folder.path().join("painted");
        let mut batch = BatchPhotos {
            format: Some(Format::Png),
            ..batch_of(&photos, &["candy"], target.clone())
        };
        let mut results = Vec::new();
        for index in 0..2 {
            let photo = batch.open(index).expect("opened");
            let saved = batch.finish(index, &photo, &painting).expect("finished");
            assert_eq!(saved.notes, ["painted smaller"]);
            let texts = settings::painted_with::read(&saved.path);
            assert_eq!(texts[0], ("Style".to_owned(), "candy full".to_owned()));
            results.push(saved.path);
        }
        assert_eq!(results, [target.join("a-candy.png"), target.join("a-candy-2.png")]);
        let mut again = BatchPhotos {
            format: Some(Format::Png),
            ..batch_of(&photos, &["candy"], target.clone())
        };
        let refused = again.open(0).expect_err("exists");
        assert_eq!(refused, Unpainted::Exists(target.join("a-candy.png")));
        again.existing = Existing::Replace;
        assert!(again.open(0).is_ok());
    }
    #[test]
    fn styles_do_not_overwrite_each_other_either() {
        let folder = tempfile::tempdir().expect("a folder");
        // In the styles b and sea-b, both would be a-sea-b.png.
        let photos = ["a-sea.png", "a.png"].map(|n| folder.path().join(n));
        let frame = Frame::from_fn(6, 4, |x, _| [x as u8, 2, 3, 255]);
        let png = Encoding::of(Format::Png);
        for photo in &photos {
            encode::save(photo, &frame, None, png, Existing::Keep).expect("saved");
        }
        let mut batch = BatchPhotos {
            existing: Existing::Replace,
            ..batch_of(&photos, &["b", "sea-b"], folder.path().to_owned())
        };
        let names = (0..batch.len()).map(|index| {
            assert_eq!(batch.network(index), index / 2);
            let photo = batch.open(index).expect("opened");
            let saved = batch.finish(index, &photo, &painting(&photo));
            name_label(&saved.expect("finished").path)
        });
        let expected = ["a-sea-b.png", "a-b.png", "a-sea-sea-b.png", "a-sea-b-2.png"];
        assert_eq!(names.collect::<Vec<_>>(), expected);
    }
}
