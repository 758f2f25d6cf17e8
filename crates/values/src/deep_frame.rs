//! Pictures with 16 bits per channel: what a network computed, before it is rounded to 8 bits.
//!
//! Plain data: any thread may hold it.

use crate::{frame::Frame, tensor::Tensor};

/// Levels of 16 bits in a level of 8 bits.
const LEVEL: u16 = 257;

/// A level of 8 bits with 16 bits.
pub fn widened(level: u8) -> u16 {
    u16::from(level) * LEVEL
}

/// A level of 16 bits rounded to 8 bits.
pub fn narrowed(level: u16) -> u8 {
    // Cannot exceed 255.
    ((u32::from(level) + u32::from(LEVEL / 2)) / u32::from(LEVEL)) as u8
}

/// The level of 16 bits for a value from 0 to 255; other values are clamped.
pub fn deep_level(value: f32) -> u16 {
    (value * f32::from(LEVEL)).round() as u16
}

/// The value of a level, from 0 to 255.
pub fn value_of(level: u16) -> f32 {
    f32::from(level) / f32::from(LEVEL)
}

/// A picture in sRGB with 16 bits per channel and straight (not premultiplied) alpha.
#[derive(Clone, PartialEq, Eq)]
pub struct DeepFrame {
    width: usize,
    /// RGBA, row by row from the top left.
    pub pixels: Vec<[u16; 4]>,
}

impl std::fmt::Debug for DeepFrame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (width, height) = self.size();
        write!(f, "DeepFrame({width}x{height})")
    }
}

impl DeepFrame {
    /// `pixels` in rows of `width`; an incomplete last row is removed.
    pub fn new(width: usize, mut pixels: Vec<[u16; 4]>) -> Self {
        let width = width.max(1);
        pixels.truncate(pixels.len() / width * width);
        Self { width, pixels }
    }

    /// From the output of a network: red, green and blue, 0 to 255, each value of the picture in rows. Alpha is that of
    /// `input`, which has the same size.
    pub fn of_output(output: &Tensor, input: &Frame) -> Self {
        let count = input.pixel_count();
        let alpha = input.rgba().as_chunks::<4>().0.iter().map(|pixel| pixel[3]);
        let pixels = alpha.enumerate().map(|(i, alpha)| {
            let [red, green, blue] =
                [0, 1, 2].map(|c| output.data.get(c * count + i).copied().map_or(0, deep_level));
            [red, green, blue, widened(alpha)]
        });
        Self { width: input.width(), pixels: pixels.collect() }
    }

    /// Columns and rows.
    pub fn size(&self) -> (usize, usize) {
        (self.width, self.pixels.len() / self.width)
    }

    /// Reads every pixel.
    pub fn is_opaque(&self) -> bool {
        self.pixels.iter().all(|pixel| pixel[3] == u16::MAX)
    }

    /// The picture with 8 bits, rounded.
    pub fn narrowed(&self) -> Frame {
        let (width, height) = self.size();
        Frame::from_fn(width, height, |x, y| self.pixels[y * width + x].map(narrowed))
    }
}

impl From<&Frame> for DeepFrame {
    fn from(frame: &Frame) -> Self {
        let pixels =
            frame.rgba().as_chunks::<4>().0.iter().map(|pixel| pixel.map(widened)).collect();
        Self { width: frame.width(), pixels }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Shape;

    #[test]
    fn outputs_keep_fractions_of_levels() {
        let input = Frame::from_fn(2, 1, |x, _| [9, 9, 9, [255, 40][x]]);
        let data = vec![10.25, -3.0, 99.5, 300.0, 0.0, 255.0];
        let output = Tensor { shape: Shape::new(3, 1, 2), data };
        let deep = DeepFrame::of_output(&output, &input);
        assert_eq!(deep.pixels, [[2634, 25_572, 0, 65_535], [0, 65_535, 65_535, 10_280]]);
        assert_eq!(deep.narrowed().rgba(), [10, 100, 0, 255, 0, 255, 255, 40]);
        assert!(!deep.is_opaque());
        let frame = Frame::from_fn(7, 3, |x, y| [x as u8 * 36, y as u8, 255, 17]);
        assert_eq!(DeepFrame::from(&frame).narrowed(), frame);
    }
}
