//! A live picture and the times of its pipeline stages.

use std::{sync::Arc, time::Instant};

use serde::Serialize;

use measure::verify::Equality;
use values::{frame::Frame, mode::Mode, timing::TimingMethod};

/// The time of each stage of a frame, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Stages {
    /// From the request for a frame to the source's bytes; mostly waiting for the next exposure.
    pub capture_ms: f32,
    /// From the source's format to pixels.
    pub decode_ms: f32,
    /// From ready until the engine took it.
    pub wait_ms: f32,
    /// Scaling to the working size.
    pub scale_ms: f32,
    pub upload_ms: f32,
    pub network_ms: f32,
    pub download_ms: f32,
    /// Keeping the strokes steady.
    pub steady_ms: f32,
    /// Upscaling to the source's size, strength and colours, and sending.
    pub compose_ms: f32,
}

impl Stages {
    /// Number of stages.
    pub const COUNT: usize = 9;

    /// Every stage, in pipeline order.
    pub fn in_order(mut self) -> [f32; Self::COUNT] {
        self.in_order_mut().map(|stage| *stage)
    }

    /// [`Stages::in_order`], to change.
    pub fn in_order_mut(&mut self) -> [&mut f32; Self::COUNT] {
        [
            &mut self.capture_ms,
            &mut self.decode_ms,
            &mut self.wait_ms,
            &mut self.scale_ms,
            &mut self.upload_ms,
            &mut self.network_ms,
            &mut self.download_ms,
            &mut self.steady_ms,
            &mut self.compose_ms,
        ]
    }

    /// The engine's work on a frame, from taking it to sending the picture.
    pub fn engine_ms(&self) -> f32 {
        let painting_ms = self.upload_ms + self.network_ms + self.download_ms;
        self.scale_ms + painting_ms + self.steady_ms + self.compose_ms
    }
}

/// Times of two modes on one frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ModePairTimes {
    pub modes: [Mode; 2],
    /// Time of each network run.
    pub ms: [f64; 2],
    /// How each time was measured.
    pub methods: [TimingMethod; 2],
}

/// The facts of a live picture.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// Number of the settings with which it was painted.
    pub settings: u64,
    /// Pictures painted so far, including this one.
    pub painted: u64,
    /// Frames that the source delivered so far.
    pub captured: u64,
    /// Frames that a newer one replaced before the engine took them.
    pub dropped: u64,
    /// Number of the source's frame ([`Captured::sequence`](crate::capture::Captured::sequence)).
    pub sequence: u64,
    /// The source's frame's time in a film, in seconds.
    pub film_seconds: f64,
    /// When the source had the frame.
    pub captured_at: Instant,
    /// When the picture was ready.
    pub ready_at: Instant,
    pub stages: Stages,
    /// Columns and rows of the network's input.
    pub working: (usize, usize),
    /// `None` if the source is shown unpainted.
    pub mode: Option<Mode>,
    /// How the network's time was measured.
    pub method: TimingMethod,
    /// Both sides of a comparison.
    pub pair: Option<ModePairTimes>,
}

pub struct LivePicture {
    /// The source's frame at its own size.
    pub original: Frame,
    /// The painting at the source's size, or at the working size if it is not upscaled. In a comparison, the first
    /// mode's.
    pub painted: Frame,
    /// The painting of the second mode of a comparison.
    pub other: Option<Frame>,
    /// The names of the two modes, including the convolution provider if there is a choice.
    pub names: Option<Arc<[String; 2]>>,
    /// The newest equality check of the two pictures, which may be some frames old.
    pub equality: Option<Arc<Equality>>,
    /// `None` before the first picture.
    pub facts: Option<Facts>,
}

impl LivePicture {
    /// The initial value, before the first picture.
    pub fn empty() -> Self {
        let pixel = Frame::from_fn(1, 1, |_, _| [0, 0, 0, 255]);
        Self {
            original: pixel.clone(),
            painted: pixel,
            other: None,
            names: None,
            equality: None,
            facts: None,
        }
    }
}
