//! A live picture on its way to the screen, with the times of its way.

use std::{sync::Arc, time::Instant};

use serde::Serialize;

use crate::{frame::Frame, mode::Mode, timing::TimingMethod, verify::Equality};

/// The time of each part of a frame's way, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Stages {
    /// From the request for a frame to the source's bytes; mostly waiting for the next exposure.
    pub capture_ms: f32,
    /// From the source's format to pixels.
    pub decode_ms: f32,
    /// Ready, until the engine took it.
    pub wait_ms: f32,
    /// To the working size.
    pub scale_ms: f32,
    /// To the device.
    pub upload_ms: f32,
    /// The network.
    pub network_ms: f32,
    /// Back from the device.
    pub download_ms: f32,
    /// To the source's size, strength and colours, and handing over.
    pub compose_ms: f32,
}

impl Stages {
    /// How many parts there are.
    pub const COUNT: usize = 8;

    /// Every part, in the order of the way.
    pub fn in_order(&self) -> [f32; Self::COUNT] {
        [
            self.capture_ms,
            self.decode_ms,
            self.wait_ms,
            self.scale_ms,
            self.upload_ms,
            self.network_ms,
            self.download_ms,
            self.compose_ms,
        ]
    }

    /// The engine's work on a frame, from taking it to handing the picture over.
    pub fn engine_ms(&self) -> f32 {
        self.scale_ms + self.upload_ms + self.network_ms + self.download_ms + self.compose_ms
    }

    /// From every part, as of [`Stages::in_order`].
    pub fn from_order(parts: [f32; Self::COUNT]) -> Self {
        let [
            capture_ms,
            decode_ms,
            wait_ms,
            scale_ms,
            upload_ms,
            network_ms,
            download_ms,
            compose_ms,
        ] = parts;
        Self {
            capture_ms,
            decode_ms,
            wait_ms,
            scale_ms,
            upload_ms,
            network_ms,
            download_ms,
            compose_ms,
        }
    }
}

/// Times and pictures of two modes on one frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ModePairTimes {
    /// The modes that painted.
    pub modes: [Mode; 2],
    /// Milliseconds of each network run.
    pub ms: [f64; 2],
    /// How each time was taken.
    pub methods: [TimingMethod; 2],
}

/// The facts of a live picture.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// Number of the settings by which it was painted.
    pub settings: u64,
    /// Pictures painted so far, this one included.
    pub painted: u64,
    /// Frames that the source gave so far.
    pub captured: u64,
    /// Frames that a newer one replaced before the engine took them.
    pub dropped: u64,
    /// Number of the source's frame that was painted ([`Captured::sequence`](crate::capture::Captured::sequence)).
    pub sequence: u64,
    /// When the source had the frame.
    pub captured_at: Instant,
    /// When the picture was ready.
    pub ready_at: Instant,
    /// Parts of the way.
    pub stages: Stages,
    /// Columns and rows that the network saw, in pixels.
    pub working: (usize, usize),
    /// Variant and precision; `None` when the source is shown as it is.
    pub mode: Option<Mode>,
    /// How the network's time was taken.
    pub method: TimingMethod,
    /// Both sides of a comparison.
    pub pair: Option<ModePairTimes>,
}

/// A live picture.
pub struct LivePicture {
    /// The source's frame at its own size.
    pub original: Frame,
    /// The painting at the source's size, or at the working size where it is not brought up to it; by the first mode
    /// of a comparison.
    pub painted: Frame,
    /// The painting by the second mode of a comparison.
    pub other: Option<Frame>,
    /// The names of the two modes, with the provider of their convolutions where that is a choice.
    pub names: Option<Arc<[String; 2]>>,
    /// The newest judgement of the two, which may be some frames old.
    pub equality: Option<Arc<Equality>>,
    /// Its facts; `None` before the first picture.
    pub facts: Option<Facts>,
}

impl LivePicture {
    /// A picture before the first one.
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
