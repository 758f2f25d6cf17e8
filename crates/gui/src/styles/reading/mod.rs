//! The question about a network's pixel format (which values stand for black and white), asked if its file does not
//! specify it. The dialog shows a picture painted with several formats, and the user chooses the one that looks right.
//!
//! A [`Reading`] is the question about one file, with the pictures painted so far. They are painted one after the
//! other, so that only one network at a time is in memory. `flow` asks about one file after the other, `dialog` draws
//! the question.

mod dialog;
pub mod flow;

use std::{path::PathBuf, sync::Arc};

use eframe::egui::TextureHandle;

pub use dialog::ui;

use engine::trial::OneColor;
use values::frame::Frame;
use weights::{PixelChoice, PixelFormat, likely_formats};

/// A file that does not specify its network's pixel format.
pub struct Unclear {
    pub path: PathBuf,
    /// The parts of the format that it specifies.
    pub known: PixelChoice,
}

/// The result of painting with a format.
enum Trial {
    Painted {
        texture: TextureHandle,
        /// The picture's colour, if it has only one.
        one_color: Option<OneColor>,
    },
    /// The reason.
    Failed(String),
}

/// The question about one file.
pub struct Reading {
    pub file: Unclear,
    offered: Vec<PixelFormat>,
    /// The format set by hand; `None` until the user opens those lists.
    by_hand: Option<PixelFormat>,
    /// The lists for the format have just opened; they then get the focus.
    opens_lists: bool,
    /// The picture that is painted: first at its own size, then reduced.
    photo: Option<Arc<Frame>>,
    tried: Vec<(PixelFormat, Trial)>,
    /// The format that is being painted.
    running: Option<PixelFormat>,
}

impl Reading {
    /// The question about a file, with previews of `photo`, or of the sample.
    fn new(file: Unclear, photo: Option<Arc<Frame>>) -> Self {
        Self {
            offered: likely_formats(file.known),
            file,
            by_hand: None,
            opens_lists: false,
            photo,
            tried: Vec::new(),
            running: None,
        }
    }

    fn tried(&self, format: PixelFormat) -> Option<&Trial> {
        self.tried.iter().find(|(of, _)| *of == format).map(|(_, trial)| trial)
    }

    /// Starts with the next format to be painted; returns `None` while one is being painted or if all are done.
    fn begin_next(&mut self) -> Option<PixelFormat> {
        if self.running.is_some() {
            return None;
        }
        // The user waits for the format set by hand, so paint it first.
        self.running = self
            .by_hand
            .into_iter()
            .chain(self.offered.iter().copied())
            .find(|&format| self.tried(format).is_none());
        self.running
    }

    /// Stores the result of the format that was being painted.
    fn end(&mut self, trial: Trial) {
        if let Some(format) = self.running.take() {
            self.tried.push((format, trial));
        }
    }

    /// Lets the user set the format by hand from now on.
    fn open_by_hand(&mut self) {
        self.by_hand = self.offered.first().copied();
        self.opens_lists = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weights::{ChannelOrder, PixelRange};

    #[test]
    fn every_reading_is_painted_once_and_what_is_set_by_hand_comes_first() {
        let file = Unclear { path: PathBuf::from("mosaic.onnx"), known: PixelChoice::default() };
        let mut reading = Reading::new(file, None);
        let offered = reading.offered.clone();
        assert_eq!(reading.begin_next(), Some(offered[0]));
        assert_eq!(reading.begin_next(), None, "one at a time");
        reading.open_by_hand();
        let by_hand = PixelFormat {
            input: PixelRange::Caffe,
            output: PixelRange::Bytes,
            order: ChannelOrder::Bgr,
        };
        reading.by_hand = Some(by_hand);
        let failed = || Trial::Failed("no memory".to_owned());
        reading.end(failed());
        for format in std::iter::once(by_hand).chain(offered[1..].iter().copied()) {
            assert_eq!(reading.begin_next(), Some(format));
            reading.end(failed());
        }
        assert_eq!(reading.begin_next(), None);
        // A format that is already offered is not painted again.
        reading.by_hand = Some(offered[2]);
        assert_eq!(reading.begin_next(), None);
    }
}
