//! One second of a film, painted with several values of steadiness and played side by side.

use crossbeam_channel::{Receiver, Sender, unbounded};
use eframe::egui::{Context, TextureHandle, TextureOptions};

use crate::widgets::texture::image_of;
use values::frame::Frame;

/// The compared values of steadiness.
pub const PERCENTS: [u8; 3] = [0, 50, 100];
/// Length of what is compared, in seconds, and maximum number of frames.
pub const SECONDS: f64 = 1.0;
pub const MAX_FRAMES: usize = 60;
/// Long side of the pictures, in pixels: all of them take 40 MB at most.
pub const SIDE_PX: usize = 320;

/// The paintings, which arrive one after another.
pub struct Comparison {
    pub from: f64,
    /// The steadiness that is chosen.
    pub percent: u8,
    arriving: Receiver<Compared>,
    /// With their times after `from`.
    pub frames: Vec<(f64, [TextureHandle; 3])>,
}

/// The time of three frames, and these.
pub type Compared = (f64, [Frame; 3]);

impl Comparison {
    /// A comparison from this time on, and where its paintings are sent.
    pub fn new(from: f64, percent: u8) -> (Self, Sender<Compared>) {
        let (sender, arriving) = unbounded();
        (Self { from, percent, arriving, frames: Vec::new() }, sender)
    }

    /// Takes the paintings that have arrived.
    pub fn follow(&mut self, ctx: &Context) {
        for (seconds, paintings) in self.arriving.try_iter() {
            let texture = |frame: Frame| {
                ctx.load_texture("steadiness", image_of(&frame), TextureOptions::LINEAR)
            };
            self.frames.push((seconds - self.from, paintings.map(texture)));
        }
    }
}
