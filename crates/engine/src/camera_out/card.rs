//! The picture that readers get when there is no painting to show.

use values::frame::Frame;

const GROUND: [u8; 4] = [38, 36, 33, 255];

/// A card of this size with a large line and a small one below it. Grey if the font cannot be read, and in a build that
/// draws nothing.
#[cfg_attr(not(feature = "drawing"), allow(unused_variables, reason = "it draws nothing"))]
pub fn card((width, height): (usize, usize), large: &str, small: &str) -> Frame {
    #[cfg(feature = "drawing")]
    {
        use media::canvas::{Anchor, Canvas, Letters};

        const INK: [u8; 4] = [240, 237, 230, 255];
        const QUIET: [u8; 4] = [166, 160, 150, 255];

        let side = |px: usize| u16::try_from(px).unwrap_or(u16::MAX);
        if let Some(mut canvas) = Canvas::new((side(width), side(height)), GROUND) {
            let (x, y, most) = (width as f64 / 2.0, height as f64 / 2.0, 0.9 * width as f32);
            let size_px = height as f32 / 9.0;
            let letters = Letters { size_px, color: INK, is_strong: true };
            canvas.text_within((x, y), large, letters, Anchor::Middle, most);
            let letters = Letters { size_px: size_px / 2.0, color: QUIET, is_strong: false };
            canvas.text_within((x, y + f64::from(size_px)), small, letters, Anchor::Middle, most);
            return canvas.finish();
        }
    }
    Frame::from_fn(width, height, |_, _| GROUND)
}
