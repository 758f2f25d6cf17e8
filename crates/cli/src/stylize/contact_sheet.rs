//! Paints a photo in every style onto one sheet.

use std::borrow::Cow;

use super::{
    Opened, Run, failed,
    output::{Finished, format_for},
};
use crate::CliError;
use engine::paint::{OutputSize, at_size};
use media::sheet::{CELL_PX, ORIGINAL, titled_sheet};
use pictures::{encode::Picture, scale::size_within};

/// Suffix of a sheet's file name, after the photo's name.
pub const LABEL: &str = "styles";

impl Run<'_> {
    /// Paints a photo in every style and writes the sheet. A style that fails is reported and left out; cancelling is
    /// the only error.
    pub fn paint_sheet(&mut self, opened: &Opened<'_>) -> Result<(), CliError> {
        let Some(target) = opened.targets.first().copied().flatten() else {
            return Ok(());
        };
        let settings = self.settings(std::slice::from_ref(opened));
        let (job, styles) = (self.job, self.styles);
        let photo = &opened.photo;
        let (width, height) = opened.size();
        let (width, height) = size_within(width, height, CELL_PX);
        let small = at_size(&photo.frame, width, height).into_owned();
        let mut cells = vec![(ORIGINAL.to_owned(), small)];
        for style in styles {
            self.stop_if_cancelled()?;
            let (painters, control) = (self.painters, &self.control);
            let name = format!("{} in {}", photo.name, style.title);
            let painted = self.progress.during(1, &name, control, || {
                painters
                    .paint(|painter| painter.paint(&photo.frame, &style.network, settings, control))
            });
            self.progress.notes(self.painters.take_notices());
            match painted {
                Ok(painting) => {
                    self.note_style(style);
                    self.progress.notes_on(&photo.name, &painting.notes);
                    let cell = OutputSize::LongSide(width.max(height));
                    let mask = job.stylization.mask.as_ref().map(|mask| mask.at((width, height)));
                    let blend = job.stylization.blend(mask.as_deref());
                    let picture = painting.finished(&photo.frame, cell, blend);
                    cells.push((style.title.clone(), picture));
                }
                Err(error) if error.is_cancelled() => return Err(CliError::Stopped),
                Err(error) => self.fail_in(opened, target, failed(photo, &error)),
            }
        }
        if cells.len() == 1 {
            // Every failed style was reported.
            return Ok(());
        }
        match titled_sheet(&cells, CELL_PX) {
            Some(page) => {
                let (page, format) = (Picture::Frame(Cow::Owned(page)), format_for(photo, target));
                let finished = Finished::Picture(page, format, Vec::new());
                self.deliver(opened, target, finished)
            }
            None => {
                let why = "too many styles for one sheet";
                self.fail_in(opened, target, failed(photo, &why));
                Ok(())
            }
        }
    }
}
