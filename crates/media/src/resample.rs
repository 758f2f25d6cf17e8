//! Repeatedly scales pictures down between the same two sizes, without allocating.
//!
//! For live mode: captured frames, and frames for the network. Every pixel of the result is the mean of the area that
//! it covers, so that nothing flickers when the source moves. If an output pixel covers many pixels, only some of them,
//! evenly spaced, are read. This is not done with fast_image_resize for two reasons: it builds its tables for every
//! picture, which allocates, and its box filter assigns a pixel on the edge of two areas to only one of them. Photos
//! use [`pictures::scale::scaled`], which is sharper and slower. Belongs to one thread at a time.

use values::frame::Frame;

/// Sum of the weights of one output pixel, which are whole numbers.
const ONE: usize = 4096;

/// Number of input positions that are read per output position if it covers many more.
const ENOUGH: usize = 3;

/// The input positions whose mean is one output position.
#[derive(Clone, Copy)]
struct Span {
    first: usize,
    len: usize,
    /// Distance from one position to the next.
    stride: usize,
    /// Index of its first weight.
    weights: usize,
}

/// The spans of one direction, and their weights.
#[derive(Default)]
struct Axis {
    spans: Vec<Span>,
    weights: Vec<f32>,
}

impl Axis {
    fn set(&mut self, from: usize, to: usize) {
        self.spans.clear();
        self.weights.clear();
        let stride = (from / to.max(1) / ENOUGH).max(1);
        // Lengths are in units of 1/`to` of an input position.
        for out in 0..to {
            let (start, end) = (out * from, (out + 1) * from);
            let (first, last) = (start / to, end.div_ceil(to));
            let begin = self.weights.len();
            let len = (last - first).div_ceil(stride);
            let weight = |at: usize| {
                if stride > 1 {
                    // Equal weights, because the covered positions in between are not read.
                    return ONE / len;
                }
                let covered = end.min((at + 1) * to) - start.max(at * to);
                (2 * ONE * covered + from) / (2 * from)
            };
            let weights = (first..last).map(weight).take(len);
            self.weights.extend(weights.map(|weight| weight as f32));
            // Rounding must not change the brightness, so one weight takes the rounding error: the middle one if all
            // are read.
            let sum: f32 = self.weights[begin..].iter().sum();
            let rest = begin + if stride > 1 { 0 } else { len / 2 };
            self.weights[rest] += ONE as f32 - sum;
            self.spans.push(Span { first, len, stride, weights: begin });
        }
    }
}

/// Scales frames from one size to another; keeps its tables while the sizes stay the same.
#[derive(Default)]
pub struct Resampler {
    sizes: Option<[(usize, usize); 2]>,
    columns: Axis,
    rows: Axis,
    /// The weighted sum of the input rows of one output row, RGBA. Whole numbers below 2^24, so they are exact.
    sums: Vec<f32>,
}

impl Resampler {
    /// Fills `to` with `from` scaled to the size of `to`. Copies if the sizes are equal; repeats pixels to enlarge.
    /// Colours and alpha are averaged separately, so `from` should be opaque.
    pub fn resample(&mut self, from: &Frame, to: &mut Frame) {
        let sizes = [from.size(), to.size()];
        if sizes[0] == sizes[1] {
            to.rgba_mut().copy_from_slice(from.rgba());
            return;
        }
        if self.sizes != Some(sizes) {
            self.columns.set(sizes[0].0, sizes[1].0);
            self.rows.set(sizes[0].1, sizes[1].1);
            self.sums.resize(4 * sizes[0].0, 0.0);
            self.sizes = Some(sizes);
        }
        let (from_row, to_row) = (4 * sizes[0].0, 4 * sizes[1].0);
        for (span, out) in (self.rows.spans.iter()).zip(to.rgba_mut().chunks_exact_mut(to_row)) {
            self.sums.fill(0.0);
            let weights = &self.rows.weights[span.weights..span.weights + span.len];
            for (y, &weight) in (span.first..).step_by(span.stride).zip(weights) {
                let source = &from.rgba()[y * from_row..(y + 1) * from_row];
                for (sum, &value) in self.sums.iter_mut().zip(source) {
                    *sum += f32::from(value) * weight;
                }
            }
            shrink_row(&self.columns, &self.sums, out);
        }
    }
}

/// One output row from the sums of its input rows.
fn shrink_row(columns: &Axis, sums: &[f32], row: &mut [u8]) {
    let (sums, _) = sums.as_chunks::<4>();
    let (row, _) = row.as_chunks_mut::<4>();
    for (span, out) in columns.spans.iter().zip(row) {
        let pixels = sums[span.first..].iter().step_by(span.stride);
        let weights = &columns.weights[span.weights..span.weights + span.len];
        let mut total = [0.0f32; 4];
        for (pixel, &weight) in pixels.zip(weights) {
            for c in 0..4 {
                total[c] += pixel[c] * weight;
            }
        }
        *out = total.map(|sum| (sum / (ONE * ONE) as f32 + 0.5) as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flat_stays_flat_at_any_size() {
        let mut resampler = Resampler::default();
        let flat = Frame::from_fn(61, 47, |_, _| [200, 30, 255, 255]);
        for (width, height) in [(61, 47), (60, 46), (31, 20), (9, 7), (7, 3), (1, 1), (80, 50)] {
            let mut small = Frame::from_fn(width, height, |_, _| [0; 4]);
            resampler.resample(&flat, &mut small);
            assert!(small.rgba().chunks(4).all(|p| p == [200, 30, 255, 255]), "{width} x {height}");
        }
    }

    #[test]
    fn pixels_are_means_of_what_they_cover() {
        let from = Frame::from_fn(6, 4, |x, y| [(x * 40) as u8, (y * 60) as u8, 0, 255]);
        let mut to = Frame::from_fn(3, 2, |_, _| [0; 4]);
        Resampler::default().resample(&from, &mut to);
        for (x, y) in [(0, 0), (1, 1), (2, 0)] {
            let [red, green, ..] = to.pixel(x, y);
            assert!(red.abs_diff((x * 80 + 20) as u8) <= 1);
            assert!(green.abs_diff((y * 120 + 30) as u8) <= 1);
        }
    }
}
