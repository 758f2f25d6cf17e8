//! How a map is cut into strips whose values are summed by themselves.

/// Least pixels of a strip whose sums are taken together.
const LEAST_STRIP_PIXELS: usize = 64;

/// How a map is cut into strips for its statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowPartition {
    /// Strips of one image.
    pub count: usize,
    /// Pixels of a strip.
    pub pixels: usize,
}

impl RowPartition {
    /// About two for every multiprocessor.
    pub(super) fn of(pixels: usize, multiprocessors: usize) -> Self {
        Self::among(pixels, 2 * multiprocessors)
    }

    /// At most one for each of so many CTAs.
    pub(super) fn among(pixels: usize, ctas: usize) -> Self {
        let each = pixels.div_ceil(ctas).max(LEAST_STRIP_PIXELS);
        Self { count: pixels.div_ceil(each), pixels: each }
    }
}
