//! The picture that readers get when there is no painting to show.

use crate::{
    frame::Frame,
    measure::chart::canvas::{Anchor, Canvas, Letters},
};

const GROUND: [u8; 4] = [38, 36, 33, 255];
const INK: [u8; 4] = [240, 237, 230, 255];
const QUIET: [u8; 4] = [166, 160, 150, 255];

/// A card of this size with a large line and a small one below it. Grey if the font cannot be read.
pub fn card((width, height): (usize, usize), large: &str, small: &str) -> Frame {
    let side = |px: usize| u16::try_from(px).unwrap_or(u16::MAX);
    let (middle, center) = (width as f64 / 2.0, height as f64 / 2.0);
    let Some(mut canvas) = Canvas::new((side(width), side(height)), GROUND) else {
        return Frame::from_fn(width, height, |_, _| GROUND);
    };
    let em = height as f32 / 9.0;
    let most = 0.9 * width as f32;
    for (text, size_px, color, below) in [(large, em, INK, 0.0), (small, em / 2.0, QUIET, 1.0)] {
        let letters = Letters { size_px, color, is_strong: below == 0.0 };
        let at = (middle, center + below * f64::from(em));
        canvas.text_within(at, text, letters, Anchor::Middle, most);
    }
    canvas.finish()
}
