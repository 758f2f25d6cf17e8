//! The question which values stand for black and white to a network whose file does not tell: painted under a few
//! readings, of which a person chooses the one that looks right.
//!
//! A [`Reading`] is the question about one file, and what has been painted for it so far: one picture after the other,
//! so that one network at a time is held. `flow` asks about one file after the other, `dialog` draws the question,
//! `words` says what the readings mean.

mod dialog;
mod flow;
mod words;

use std::{collections::VecDeque, path::PathBuf, sync::Arc};

use eframe::egui::TextureHandle;

pub use dialog::ui;

use crate::{
    engine::{protocol::TrialNumber, trial::OneColor},
    frame::Frame,
    weights::{PixelChoice, PixelFormat, likely_formats},
};

/// A file that does not tell which values its network reads and makes.
pub struct Unclear {
    /// The file.
    pub path: PathBuf,
    /// What it tells.
    pub known: PixelChoice,
}

/// The files that are asked about after the open question, and what is going on for that.
#[derive(Default)]
pub struct Readings {
    waiting: VecDeque<Unclear>,
    /// The number of the newest question.
    number: u64,
    /// The picture that the engine is painting.
    pub(in crate::gui) trial: Option<TrialNumber>,
}

/// What came of painting a reading.
enum Trial {
    /// A picture.
    Painted {
        texture: TextureHandle,
        /// The colour of all of it, where it has only one.
        one_color: Option<OneColor>,
    },
    /// Why there is none.
    Failed(String),
}

/// The question about one file.
pub struct Reading {
    file: Unclear,
    /// Distinguishes it from earlier ones, whose pictures come too late.
    number: u64,
    offered: Vec<PixelFormat>,
    /// What is set by hand, once that is wanted.
    by_hand: Option<PixelFormat>,
    /// Whether the lists for that have just opened: keys go there then.
    opens_lists: bool,
    /// The picture that is painted; of its own size at first, then small.
    photo: Option<Arc<Frame>>,
    tried: Vec<(PixelFormat, Trial)>,
    /// The reading that is being painted.
    running: Option<PixelFormat>,
}

impl Reading {
    /// The question about a file, with pictures of `photo`, or of the sample.
    fn new(number: u64, file: Unclear, photo: Option<Arc<Frame>>) -> Self {
        Self {
            offered: likely_formats(file.known),
            file,
            number,
            by_hand: None,
            opens_lists: false,
            photo,
            tried: Vec::new(),
            running: None,
        }
    }

    fn tried(&self, format: PixelFormat) -> Option<&Trial> {
        let mut tried = self.tried.iter();
        tried.find(|(of, _)| *of == format).map(|(_, trial)| trial)
    }

    /// Begins with the next reading to be painted; `None` while one is being painted, and when all are.
    fn begin_next(&mut self) -> Option<PixelFormat> {
        if self.running.is_some() {
            return None;
        }
        // What was set by hand just now is waited for.
        let mut wanted = self.by_hand.into_iter().chain(self.offered.iter().copied());
        self.running = wanted.find(|&format| self.tried(format).is_none());
        self.running
    }

    /// Notes what came of the reading that was being painted.
    fn end(&mut self, trial: Trial) {
        if let Some(format) = self.running.take() {
            self.tried.push((format, trial));
        }
    }

    /// The readings can be set by hand from now on.
    fn open_by_hand(&mut self) {
        self.by_hand = self.offered.first().copied();
        self.opens_lists = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::{ChannelOrder, PixelRange};

    #[test]
    fn every_reading_is_painted_once_and_what_is_set_by_hand_comes_first() {
        let file = Unclear { path: PathBuf::from("mosaic.onnx"), known: PixelChoice::default() };
        let mut reading = Reading::new(1, file, None);
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
        // What is offered already is not painted again.
        reading.by_hand = Some(offered[2]);
        assert_eq!(reading.begin_next(), None);
    }
}
