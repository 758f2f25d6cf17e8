//! A block of numbers in the shape of feature maps, in host memory, and how to compare two of them.
//!
//! Does not depend on layers, devices or files. Plain data: any thread may hold it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Channels, height and width of one feature map. There is no batch dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Shape {
    pub channels: usize,
    pub height: usize,
    pub width: usize,
}

impl Shape {
    /// A shape from channels, height and width.
    pub const fn new(channels: usize, height: usize, width: usize) -> Self {
        Self { channels, height, width }
    }

    /// Number of elements.
    pub const fn len(&self) -> usize {
        self.channels * self.height * self.width
    }

    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} x {} x {}", self.channels, self.height, self.width)
    }
}

/// The shapes as text for messages: `maps of 3 x 8 x 8 and 5 x 8 x 8`.
pub fn maps_text(shapes: &[Shape]) -> String {
    let each: Vec<String> = shapes.iter().map(Shape::to_string).collect();
    match each.as_slice() {
        [] => "no maps".to_owned(),
        [one] => format!("a map of {one}"),
        all => format!("maps of {}", all.join(" and ")),
    }
}

/// A single-precision tensor in channel-major order (CHW, rows within channels).
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    pub shape: Shape,
    /// `shape.len()` values; element (c, y, x) is at `(c * height + y) * width + x`.
    pub data: Vec<f32>,
}

impl Tensor {
    pub fn zeros(shape: Shape) -> Self {
        Self { shape, data: vec![0.0; shape.len()] }
    }

    /// Element (c, y, x).
    pub fn at(&self, c: usize, y: usize, x: usize) -> f32 {
        self.data[(c * self.shape.height + y) * self.shape.width + x]
    }

    /// The top-left `height` x `width` pixels of every channel.
    pub fn cropped(&self, height: usize, width: usize) -> Self {
        let shape = Shape::new(self.shape.channels, height, width);
        let mut data = Vec::with_capacity(shape.len());
        for c in 0..shape.channels {
            for y in 0..height {
                let start = (c * self.shape.height + y) * self.shape.width;
                data.extend_from_slice(&self.data[start..start + width]);
            }
        }
        Self { shape, data }
    }
}

/// Differences between values and a reference of equal length.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Deviation {
    /// Root of the mean squared difference, in the unit of the values.
    pub rms: f64,
    /// Largest absolute difference, in the unit of the values.
    pub largest: f64,
    /// Root mean square of the reference, for relative limits.
    pub reference_rms: f64,
}

impl Deviation {
    /// Compares `values` with `reference`. A NaN on either side makes `largest` and `rms` NaN.
    ///
    /// # Panics
    /// If the lengths differ, which is a programming error.
    pub fn between(
        values: impl ExactSizeIterator<Item = f64>,
        reference: impl ExactSizeIterator<Item = f64>,
    ) -> Self {
        assert_eq!(values.len(), reference.len(), "lengths differ in a comparison");
        let count = values.len().max(1) as f64;
        let (mut squares, mut largest, mut reference_squares) = (0.0, 0.0f64, 0.0);
        for (v, r) in values.zip(reference) {
            let d = (v - r).abs();
            squares += d * d;
            if d.is_nan() || d > largest {
                largest = d;
            }
            reference_squares += r * r;
        }
        if f64::is_nan(squares) {
            largest = f64::NAN;
        }
        Self {
            rms: (squares / count).sqrt(),
            largest,
            reference_rms: (reference_squares / count).sqrt(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crop_keeps_the_top_left() {
        let shape = Shape::new(2, 3, 4);
        let t = Tensor { shape, data: (0..shape.len()).map(|v| v as f32).collect() };
        let c = t.cropped(2, 3);
        assert_eq!(c.at(1, 1, 2), t.at(1, 1, 2));
        assert_eq!(c.data.len(), 12);
    }

    #[test]
    fn deviation_sees_nan() {
        let d = Deviation::between([1.0, f64::NAN, 2.0].into_iter(), [1.0, 1.0, 2.0].into_iter());
        assert!(d.largest.is_nan() && d.rms.is_nan());
        let d = Deviation::between([1.0, 4.0].into_iter(), [1.0, 1.0].into_iter());
        assert_eq!(d.largest, 3.0);
    }
}
