//! Rotates, mirrors and shrinks frames, without allocating once the sizes are known.

use media::resample::Resampler;
use pictures::scale::size_within;
use values::{
    frame::Frame,
    rotation::{Rotation, turn_into},
};

/// Bytes of a pixel in RGBA8.
const PIXEL: usize = 4;

/// Converts a decoded frame to the one that is delivered.
pub(super) struct Orient {
    rotate: Rotation,
    mirror: bool,
    frame_px: usize,
    /// The decoded frame, if it cannot be decoded in place.
    decoded: Frame,
    /// The decoded frame, scaled down.
    smaller: Frame,
    resampler: Resampler,
}

impl Orient {
    pub fn new(rotate: Rotation, mirror: bool, frame_px: usize) -> Self {
        Self {
            rotate,
            mirror,
            frame_px: frame_px.max(1),
            decoded: Frame::empty(1, 1),
            smaller: Frame::empty(1, 1),
            resampler: Resampler::default(),
        }
    }

    /// The rotation, and whether frames are mirrored afterwards.
    pub fn turn(&self) -> (Rotation, bool) {
        (self.rotate, self.mirror)
    }

    /// True if a frame of this size is delivered without scaling.
    pub fn keeps_size(&self, (width, height): (usize, usize)) -> bool {
        width.max(height) <= self.frame_px
    }

    /// Fills `target` with the frame of `width` x `height` pixels that `decode` writes. If `decode` fails, `target` has
    /// the right size and undefined content.
    pub fn fill<E>(
        &mut self,
        target: &mut Frame,
        (width, height): (usize, usize),
        decode: impl FnOnce(&mut [u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let shrinks = !self.keeps_size((width, height));
        if !shrinks && self.rotate == Rotation::None {
            target.resize(width, height);
            decode(target.rgba_mut())?;
            if self.mirror {
                mirror_rows(target);
            }
            return Ok(());
        }
        self.decoded.resize(width, height);
        decode(self.decoded.rgba_mut())?;
        let source = if shrinks {
            let (width, height) = size_within(width, height, self.frame_px);
            self.smaller.resize(width, height);
            self.resampler.resample(&self.decoded, &mut self.smaller);
            &self.smaller
        } else {
            &self.decoded
        };
        turn_into(source, target, self.rotate, self.mirror);
        Ok(())
    }
}

fn mirror_rows(frame: &mut Frame) {
    let width = frame.width();
    for row in frame.rgba_mut().chunks_exact_mut(width * PIXEL) {
        let (pixels, _) = row.as_chunks_mut::<PIXEL>();
        pixels.reverse();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(width: usize, height: usize) -> Frame {
        Frame::from_fn(width, height, |x, y| [x as u8, y as u8, 9, 255])
    }

    fn oriented(source: &Frame, rotate: Rotation, mirror: bool, frame_px: usize) -> Frame {
        let mut orient = Orient::new(rotate, mirror, frame_px);
        let mut target = Frame::from_fn(1, 1, |_, _| [0; 4]);
        let size = source.size();
        let copied = orient.fill(&mut target, size, |rgba| {
            rgba.copy_from_slice(source.rgba());
            Ok::<(), ()>(())
        });
        assert_eq!(copied, Ok(()));
        target
    }

    #[test]
    fn turning_and_mirroring_follow_their_definition() {
        let source = numbered(37, 20);
        let (w, h) = (37, 20);
        for rotate in Rotation::ALL {
            let turned = oriented(&source, rotate, false, 1000);
            let mirrored = oriented(&source, rotate, true, 1000);
            for y in 0..turned.height() {
                for x in 0..turned.width() {
                    // Where the pixel at (x, y) was before a clockwise rotation.
                    let (sx, sy) = match rotate {
                        Rotation::None => (x, y),
                        Rotation::Quarter => (y, h - 1 - x),
                        Rotation::Half => (w - 1 - x, h - 1 - y),
                        Rotation::ThreeQuarters => (w - 1 - y, x),
                    };
                    assert_eq!(turned.pixel(x, y), source.pixel(sx, sy), "{rotate}");
                    let other_x = turned.width() - 1 - x;
                    assert_eq!(mirrored.pixel(other_x, y), turned.pixel(x, y), "{rotate}");
                }
            }
        }
    }

    #[test]
    fn shrinking_is_the_mean_of_the_area() {
        let source =
            Frame::from_fn(40, 30, |x, y| [(x * 6) as u8, (y * 8) as u8, ((x ^ y) * 4) as u8, 255]);
        let small = oriented(&source, Rotation::None, false, 16);
        assert_eq!(small.size(), (16, 12));
        let scale = 40.0 / 16.0;
        for y in 0..12 {
            for x in 0..16 {
                for c in 0..4 {
                    let (mut sum, mut area) = (0.0, 0.0);
                    for sy in 0..30 {
                        for sx in 0..40 {
                            let covered = |s: usize, t: usize| {
                                let from = (t as f64 * scale).max(s as f64);
                                let to = ((t + 1) as f64 * scale).min((s + 1) as f64);
                                (to - from).max(0.0)
                            };
                            let part = covered(sx, x) * covered(sy, y);
                            sum += part * f64::from(source.pixel(sx, sy)[c]);
                            area += part;
                        }
                    }
                    let expected = sum / area;
                    let got = f64::from(small.pixel(x, y)[c]);
                    assert!((expected - got).abs() <= 1.0, "{x},{y},{c}: {expected} {got}");
                }
            }
        }
        let flat = Frame::from_fn(1920, 1080, |_, _| [255, 0, 77, 255]);
        let small = oriented(&flat, Rotation::Quarter, true, 1280);
        assert_eq!(small.size(), (720, 1280));
        assert!(small.rgba().chunks(4).all(|p| p == [255, 0, 77, 255]));
    }

    #[test]
    fn rotations_are_written_in_degrees() {
        for rotation in Rotation::ALL {
            assert_eq!(rotation.to_string().parse(), Ok(rotation));
        }
        assert!("45".parse::<Rotation>().is_err());
    }
}
