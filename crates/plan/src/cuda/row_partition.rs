//! How a map is divided into strips that are summed separately.

/// Minimum number of pixels in a strip.
const MIN_STRIP_PIXELS: usize = 64;

/// How a map is divided into strips for its statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowPartition {
    /// Strips per image.
    pub count: usize,
    /// Pixels per strip.
    pub pixels: usize,
}

impl RowPartition {
    /// About two strips for every multiprocessor.
    pub(super) fn of(pixels: usize, multiprocessors: usize) -> Self {
        Self::among(pixels, 2 * multiprocessors)
    }

    /// At most one strip for each of `ctas` CTAs.
    pub(super) fn among(pixels: usize, ctas: usize) -> Self {
        let each = pixels.div_ceil(ctas).max(MIN_STRIP_PIXELS);
        Self { count: pixels.div_ceil(each), pixels: each }
    }
}
