//! What is written to the device at each moment. Time is passed in.

use std::time::{Duration, Instant};

use super::{OnAir, card::card, yuyv};
use crate::{
    capture::{Output, OutputProblem},
    frame::Frame,
    mailbox::Reader,
    media::record::fit::Fit,
};

/// Time without a new picture after which readers get a card. Longer than the slowest painting of a picture.
const STALE_AFTER: Duration = Duration::from_secs(5);
/// Minimum time between two failures after which the size is agreed again.
const REOPEN_AFTER: Duration = Duration::from_secs(2);

/// Time between two counts of the programs that read.
const COUNT_EVERY: Duration = Duration::from_secs(2);

/// What the buffer contains.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Content {
    Painting { is_flipped: bool },
    Card { large: &'static str, style: String },
}

/// Writes pictures to an open device.
pub struct Broadcast {
    pictures: Reader<Frame>,
    output: Box<dyn Output>,
    /// When the newest picture arrived.
    arrived_at: Option<Instant>,
    failed_at: Option<Instant>,
    /// When the programs that read were counted, and how many there were.
    counted: Option<(Instant, usize)>,
    /// The picture that is written.
    yuyv: Vec<u8>,
    content: Option<Content>,
    written: u64,
}

impl Broadcast {
    pub fn new(pictures: Reader<Frame>, output: Box<dyn Output>) -> Self {
        Self {
            pictures,
            output,
            arrived_at: None,
            failed_at: None,
            counted: None,
            yuyv: Vec::new(),
            content: None,
            written: 0,
        }
    }

    /// Width and height that readers get.
    pub fn size(&self) -> (usize, usize) {
        let (width, height, _) = self.output.size();
        (width, height)
    }

    /// Pictures that the device took.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Number of other programs that have the device open at time `now`, or a little before.
    pub fn readers(&mut self, now: Instant) -> usize {
        match self.counted {
            Some((at, readers)) if now - at < COUNT_EVERY => readers,
            _ => self.counted.insert((now, self.output.readers())).1,
        }
    }

    /// Writes what readers should see at time `now`.
    ///
    /// # Errors
    /// [`OutputProblem`] if the device fails, and agreeing on the size again does not help.
    pub fn tick(&mut self, on_air: &OnAir, now: Instant) -> Result<(), OutputProblem> {
        let is_new = self.pictures.take();
        if is_new {
            self.arrived_at = Some(now);
        }
        let content = self.content(on_air, now);
        let is_painting = matches!(content, Content::Painting { .. });
        self.write(content, is_new && is_painting).or_else(|problem| {
            let before = self.failed_at.replace(now);
            let again = before.is_some_and(|before| now - before < REOPEN_AFTER);
            if again || !problem.may_pass() {
                return Err(problem);
            }
            self.output.agree()?;
            self.content = None;
            Ok(())
        })
    }

    /// Writes a card as the last picture.
    pub fn end(&mut self, on_air: &OnAir) {
        let held = OnAir { is_held: true, ..on_air.clone() };
        // The device is closed anyway.
        self.write(self.content(&held, Instant::now()), false).ok();
    }

    fn content(&self, on_air: &OnAir, now: Instant) -> Content {
        let card = |large| Content::Card { large, style: on_air.style.clone() };
        match self.arrived_at {
            _ if on_air.is_held => card("Paused"),
            Some(at) if on_air.is_still || now - at < STALE_AFTER => {
                Content::Painting { is_flipped: on_air.is_flipped }
            }
            _ => card("No picture"),
        }
    }

    /// Writes `content`, which is converted if the buffer has something else or it `is_new`.
    fn write(&mut self, content: Content, is_new: bool) -> Result<(), OutputProblem> {
        if is_new || self.content.as_ref() != Some(&content) {
            let (width, height, row_bytes) = self.output.size();
            match &content {
                Content::Painting { is_flipped } => {
                    let mut fit = Fit::of((width, height));
                    let fitted = fit.apply(&self.pictures.value);
                    yuyv::fill(&fitted, row_bytes, *is_flipped, &mut self.yuyv);
                }
                Content::Card { large, style } => {
                    let card = card((width, height), large, style);
                    yuyv::fill(&card, row_bytes, false, &mut self.yuyv);
                }
            }
            self.content = Some(content);
        }
        self.written += u64::from(self.output.write(&self.yuyv)?);
        Ok(())
    }
}
