//! Scales the pictures of a video to one size: that of the first.

use std::borrow::Cow;

use super::recorded::pictures;
use pictures::scale::scaled;
use values::frame::Frame;

/// The size of a video's pictures, and how many differed from it.
pub struct Fit {
    width: usize,
    height: usize,
    /// Pictures that were scaled.
    others: u64,
}

impl Fit {
    /// Width and height, in pixels.
    pub fn of((width, height): (usize, usize)) -> Self {
        Self { width, height, others: 0 }
    }

    /// Width and height, in pixels.
    pub fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    /// `frame` at the video's size: scaled to fit, keeping the aspect ratio, and centred on black.
    pub fn apply<'a>(&mut self, frame: &'a Frame) -> Cow<'a, Frame> {
        if frame.size() == self.size() {
            return Cow::Borrowed(frame);
        }
        self.others += 1;
        let (width, height) = self.inside(frame);
        let inner = scaled(frame, width, height);
        if (width, height) == self.size() {
            return Cow::Owned(inner);
        }
        let mut canvas = Frame::from_fn(self.width, self.height, |_, _| [0, 0, 0, 255]);
        let (left, top) = ((self.width - width) / 2, (self.height - height) / 2);
        lay(&mut canvas, &inner, left, top);
        Cow::Owned(canvas)
    }

    /// The note that pictures were scaled; `None` if none were.
    pub fn note(&self) -> Option<String> {
        let Self { width, height, .. } = self;
        let others = pictures(self.others);
        let note =
            || format!("{others} of another size scaled to the first one's {width} x {height} px");
        (self.others > 0).then(note)
    }

    /// The largest size with the frame's aspect ratio that fits. An automatic working size rounds each side separately,
    /// so bars of one or two pixels are avoided by filling the size.
    fn inside(&self, frame: &Frame) -> (usize, usize) {
        let (wide, high) = (frame.width() as f64, frame.height() as f64);
        let factor = (self.width as f64 / wide).min(self.height as f64 / high);
        let side = |exact: f64, whole: usize| {
            let side = (exact.round() as usize).clamp(1, whole);
            if whole - side <= 2 { whole } else { side }
        };
        (side(wide * factor, self.width), side(high * factor, self.height))
    }
}

/// Draws a picture into a page, which may cut it.
pub fn lay(page: &mut Frame, picture: &Frame, left: usize, top: usize) {
    let (page_width, page_height) = (page.width(), page.height());
    let columns = picture.width().min(page_width.saturating_sub(left));
    let lines = picture.rgba().chunks_exact(picture.width() * 4);
    for (y, line) in lines.enumerate().take(page_height.saturating_sub(top)) {
        let start = ((top + y) * page_width + left) * 4;
        page.rgba_mut()[start..start + columns * 4].copy_from_slice(&line[..columns * 4]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_sizes_keep_their_aspect_on_black() {
        let red = |w, h| Frame::from_fn(w, h, |_, _| [255, 0, 0, 255]);
        let mut fit = Fit::of((64, 48));
        let same = red(64, 48);
        assert!(matches!(fit.apply(&same), Cow::Borrowed(_)));
        assert_eq!(fit.others, 0);
        // The same aspect ratio, apart from rounding, fills the size; others leave bars at the sides or above and
        // below.
        for (w, h, bars) in
            [(32, 24, [0, 0]), (128, 95, [0, 0]), (48, 64, [14, 0]), (64, 32, [0, 8])]
        {
            let brought = fit.apply(&red(w, h)).into_owned();
            assert_eq!(brought.size(), (64, 48));
            for y in 0..48 {
                for x in 0..64 {
                    let in_bar =
                        x < bars[0] || x >= 64 - bars[0] || y < bars[1] || y >= 48 - bars[1];
                    let expected = if in_bar { [0, 0, 0, 255] } else { [255, 0, 0, 255] };
                    assert_eq!(brought.pixel(x, y), expected, "{w} x {h} at {x}, {y}");
                }
            }
        }
        assert_eq!(fit.others, 4);
        let narrow = fit.apply(&red(1, 1000)).into_owned();
        assert_eq!(narrow.pixel(31, 47), [255, 0, 0, 255], "a pixel wide");
    }
}
