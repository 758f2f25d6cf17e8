//! The oracle's maps.

/// A feature map in float64, channel-major: element (c, y, x) at `(c * height + y) * width + x`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Map {
    pub channels: usize,
    pub height: usize,
    pub width: usize,
    pub data: Vec<f64>,
}

impl Map {
    /// A map whose values are computed one by one.
    pub(super) fn from_fn(
        (channels, height, width): (usize, usize, usize),
        value: impl Fn(usize, usize, usize) -> f64,
    ) -> Self {
        let mut data = Vec::with_capacity(channels * height * width);
        for c in 0..channels {
            for y in 0..height {
                for x in 0..width {
                    data.push(value(c, y, x));
                }
            }
        }
        Self { channels, height, width, data }
    }

    /// Applies a function to every value.
    pub fn each(mut self, change: impl Fn(f64) -> f64) -> Self {
        for value in &mut self.data {
            *value = change(*value);
        }
        self
    }

    /// The value at a channel, row and column.
    pub(super) fn at(&self, c: usize, y: usize, x: usize) -> f64 {
        self.data[(c * self.height + y) * self.width + x]
    }

    /// The value at a position, or `None` if the position is outside the map.
    pub(super) fn inside(&self, c: usize, y: isize, x: isize) -> Option<f64> {
        let (y, x) = (usize::try_from(y).ok()?, usize::try_from(x).ok()?);
        (y < self.height && x < self.width).then(|| self.at(c, y, x))
    }
}
