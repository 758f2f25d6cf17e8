//! A contact sheet: the photo in every style as one picture.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use crate::shell::tasks::OrText;
use engine::{
    paint::{OutputSize, Painting, at_size},
    protocol::{PhotoSource, SavedPhoto, Unpainted},
};
use media::sheet::{CELL_PX, ORIGINAL, titled_sheet};
use pictures::{
    encode::{self, Encoding, Existing},
    scale::size_within,
};
use values::{compose::Look, frame::Frame, lock::lock};

/// A sheet that is being made.
#[derive(Clone)]
pub struct Sheet {
    photo: Arc<Frame>,
    /// The target, which does not exist yet.
    path: PathBuf,
    encoding: Encoding,
    /// Titles and small paintings, in their order. The engine adds them.
    cells: Arc<Mutex<Vec<(String, Frame)>>>,
}

impl Sheet {
    pub fn new(photo: Arc<Frame>, path: PathBuf, encoding: Encoding) -> Self {
        Self { photo, path, encoding, cells: Arc::default() }
    }

    /// The engine's side of the sheet, in the styles with these titles.
    pub fn source(&self, titles: Vec<String>, look: Look) -> Box<dyn PhotoSource> {
        Box::new(SheetPhotos { sheet: self.clone(), titles, look })
    }

    /// Writes the file, and returns its path.
    ///
    /// # Errors
    /// A message for the user: why there is no file.
    pub fn write(self) -> Result<PathBuf, String> {
        let mut cells = std::mem::take(&mut *lock(&self.cells));
        if cells.is_empty() {
            return Err("The contact sheet was not made.".to_owned());
        }
        cells.insert(0, (ORIGINAL.to_owned(), cell_of(&self.photo)));
        let page = titled_sheet(&cells, CELL_PX).ok_or("Too many styles for one contact sheet.")?;
        encode::save(&self.path, &page, None, self.encoding, Existing::Keep)
            .map(|_| self.path)
            .or_text()
    }
}

/// The photo of a sheet, once for each style.
struct SheetPhotos {
    sheet: Sheet,
    titles: Vec<String>,
    look: Look,
}

impl PhotoSource for SheetPhotos {
    fn len(&self) -> usize {
        self.titles.len()
    }

    fn name(&self, index: usize) -> String {
        self.titles[index].clone()
    }

    fn network(&self, index: usize) -> usize {
        index
    }

    fn open(&mut self, _: usize) -> Result<Frame, Unpainted> {
        Ok(Frame::clone(&self.sheet.photo))
    }

    fn finish(
        &mut self,
        index: usize,
        photo: &Frame,
        painting: &Painting,
    ) -> Result<SavedPhoto, String> {
        let painted = painting.finished(photo, OutputSize::Working, self.look);
        lock(&self.sheet.cells).push((self.name(index), cell_of(&painted)));
        Ok(SavedPhoto { path: self.sheet.path.clone(), notes: Vec::new() })
    }
}

fn cell_of(frame: &Frame) -> Frame {
    let (width, height) = size_within(frame.width(), frame.height(), CELL_PX);
    at_size(frame, width, height).into_owned()
}
