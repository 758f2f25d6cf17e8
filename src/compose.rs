//! Composes a painting with its photo: strength, keeping the photo's colours, alpha.
//!
//! Pure functions on pixels, so that both can be changed at once without running the network
//! again. Any thread.

use crate::frame::Frame;

/// How a painting is laid over its photo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Look {
    /// 0 gives the photo exactly, 100 the painting exactly; between them a linear blend in percent.
    pub strength_percent: u8,
    /// Luma from the painting, chroma from the photo.
    pub keep_colors: bool,
}

impl Default for Look {
    fn default() -> Self {
        Self {
            strength_percent: 100,
            keep_colors: false,
        }
    }
}

/// Lays `painting` over `photo` (equal sizes), in the painting's own memory: full-size pictures are
/// too large to copy without need. Alpha always comes from the photo.
///
/// Keeping colours works in full-range BT.601 YCbCr: the photo's Cb and Cr are kept and the
/// painting's Y is brought into the range that these can show, so that clipping never shifts the
/// hue.
///
/// Returns `None` when the sizes differ.
pub fn compose(photo: &Frame, mut painting: Frame, look: Look) -> Option<Frame> {
    compose_into(photo, &mut painting, look).then_some(painting)
}

/// [`compose`] on a painting that stays where it is. Returns `false`, and changes nothing, when the
/// sizes differ.
pub fn compose_into(photo: &Frame, painting: &mut Frame, look: Look) -> bool {
    if (photo.width(), photo.height()) != (painting.width(), painting.height()) {
        return false;
    }
    compose_rows(photo.rgba(), painting.rgba_mut(), look);
    true
}

/// [`compose_into`] on pixels in RGBA; as many as both have.
pub fn compose_rows(photo: &[u8], painting: &mut [u8], look: Look) {
    let strength = u32::from(look.strength_percent.min(100));
    let (painting, _) = painting.as_chunks_mut::<4>();
    let (photo, _) = photo.as_chunks::<4>();
    for (out, source) in painting.iter_mut().zip(photo) {
        let below = [source[0], source[1], source[2]];
        let mut top = [out[0], out[1], out[2]];
        if look.keep_colors {
            top = with_luma_of(below, top);
        }
        for c in 0..3 {
            let mixed = u32::from(below[c]) * (100 - strength) + u32::from(top[c]) * strength;
            out[c] = ((mixed + 50) / 100) as u8;
        }
        out[3] = source[3];
    }
}

/// The colour of `source` (its Cb and Cr) at the luma of `painted`.
fn with_luma_of(source: [u8; 3], painted: [u8; 3]) -> [u8; 3] {
    let luma =
        |p: [u8; 3]| 0.299 * f32::from(p[0]) + 0.587 * f32::from(p[1]) + 0.114 * f32::from(p[2]);
    // Keeping Cb and Cr means keeping each channel's distance from luma.
    let source_luma = luma(source);
    let distance = source.map(|v| f32::from(v) - source_luma);
    let lowest = distance.iter().copied().fold(0.0f32, f32::min);
    let highest = distance.iter().copied().fold(0.0f32, f32::max);
    // Not clamp: a colour that spans the whole range leaves one luma, and rounding may put the ends
    // of its range the wrong way round.
    let y = luma(painted).max(-lowest).min(255.0 - highest);
    distance.map(|d| (y + d).round().clamp(0.0, 255.0) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Frame, Frame) {
        let photo = Frame::from_fn(16, 16, |x, y| {
            [(x * 16) as u8, (y * 16) as u8, 90, (x * y) as u8]
        });
        let painting = Frame::from_fn(16, 16, |x, y| [255 - (y * 9) as u8, (x * 15) as u8, 7, 255]);
        (photo, painting)
    }

    #[test]
    fn ends_of_strength_are_exact() {
        let (photo, painting) = pair();
        let none = Look {
            strength_percent: 0,
            keep_colors: true,
        };
        assert_eq!(compose(&photo, painting.clone(), none), Some(photo.clone()));
        let full = compose(&photo, painting.clone(), Look::default()).expect("same size");
        for (o, p) in full.rgba().chunks(4).zip(painting.rgba().chunks(4)) {
            assert_eq!(o[..3], p[..3]);
        }
        assert!(
            full.rgba()
                .chunks(4)
                .zip(photo.rgba().chunks(4))
                .all(|(o, p)| o[3] == p[3])
        );
    }

    #[test]
    fn kept_colours_keep_chroma() {
        let (photo, painting) = pair();
        let look = Look {
            strength_percent: 100,
            keep_colors: true,
        };
        let kept = compose(&photo, painting.clone(), look).expect("same size");
        let chroma = |p: &[u8]| {
            let (r, g, b) = (f64::from(p[0]), f64::from(p[1]), f64::from(p[2]));
            (
                -0.168_736 * r - 0.331_264 * g + 0.5 * b,
                0.5 * r - 0.418_688 * g - 0.081_312 * b,
            )
        };
        let mut mean = 0.0;
        for (k, p) in kept.rgba().chunks(4).zip(photo.rgba().chunks(4)) {
            let ((kb, kr), (pb, pr)) = (chroma(k), chroma(p));
            mean += (kb - pb).abs() + (kr - pr).abs();
        }
        mean /= 2.0 * photo.pixel_count() as f64;
        assert!(mean < 1.0, "mean chroma difference {mean}");
        assert_ne!(kept, photo, "the luma must be the painting's");
    }

    #[test]
    fn colours_that_span_the_whole_range_are_kept() {
        let look = Look {
            strength_percent: 100,
            keep_colors: true,
        };
        for order in [
            [0, 1, 2],
            [0, 2, 1],
            [1, 0, 2],
            [1, 2, 0],
            [2, 0, 1],
            [2, 1, 0],
        ] {
            let photo = Frame::from_fn(256, 1, |x, _| {
                let mut pixel = [0, 0, 0, 255];
                pixel[order[0]] = 255;
                pixel[order[1]] = x as u8;
                pixel
            });
            for level in [0, 128, 255] {
                let painting = Frame::from_fn(256, 1, |_, _| [level, level, level, 255]);
                let kept = compose(&photo, painting, look).expect("same size");
                for (k, p) in kept.rgba().iter().zip(photo.rgba()) {
                    assert!(k.abs_diff(*p) <= 1, "only one luma can show them");
                }
            }
        }
    }

    #[test]
    fn sizes_must_agree() {
        let (photo, painting) = pair();
        assert_eq!(
            compose(&photo, painting.crop(0, 0, 5, 5), Look::default()),
            None
        );
    }
}
