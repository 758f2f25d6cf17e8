//! One value per pixel, with a margin, and the filters on it.

use rayon::prelude::*;

use values::frame::Frame;

/// Pixels around a plane that repeat its outermost ones, so that filters and patches may reach beyond it.
pub const MARGIN: usize = 12;
/// Rows that a thread takes at once.
const ROWS: usize = 8;

/// One value per pixel, row by row, with [`MARGIN`] on each side.
#[derive(Clone, Debug, Default)]
pub struct Plane {
    pub width: usize,
    pub height: usize,
    pub values: Vec<f32>,
}

impl Plane {
    /// Values in a row, with both margins.
    pub fn stride(&self) -> usize {
        self.width + 2 * MARGIN
    }

    /// Changes the size; the values are stale afterwards. Allocates only if the plane has never been as large.
    pub fn resize(&mut self, (width, height): (usize, usize)) {
        (self.width, self.height) = (width, height);
        self.values.resize(self.stride() * (height + 2 * MARGIN), 0.0);
    }

    /// The position of a pixel in `values`; -[`MARGIN`] is the first column and row.
    #[inline(always)]
    pub fn index(&self, x: isize, y: isize) -> usize {
        let margin = MARGIN as isize;
        ((y + margin) * self.stride() as isize + x + margin) as usize
    }

    /// The row `y` without margins, limited to the picture.
    pub fn row(&self, y: isize) -> &[f32] {
        let start = self.index(0, y.clamp(0, self.height as isize - 1));
        &self.values[start..start + self.width]
    }

    /// Computes every row in parallel, without margins.
    pub fn fill_rows(&mut self, row: impl Fn(usize, &mut [f32]) + Sync) {
        let (width, height, stride) = (self.width, self.height, self.stride());
        let rows = self.values.par_chunks_exact_mut(stride).skip(MARGIN).take(height);
        rows.with_min_len(ROWS).enumerate().for_each(|(y, values)| {
            row(y, &mut values[MARGIN..MARGIN + width]);
        });
    }

    /// Takes this size, computes every row in parallel, and pads.
    pub fn fill(&mut self, size: (usize, usize), row: impl Fn(usize, &mut [f32]) + Sync) {
        self.resize(size);
        self.fill_rows(row);
        self.pad();
    }

    /// Repeats the outermost pixels in the margin.
    pub fn pad(&mut self) {
        let (width, height, stride) = (self.width, self.height, self.stride());
        for row in self.values.chunks_exact_mut(stride).skip(MARGIN).take(height) {
            let (left, right) = (row[MARGIN], row[MARGIN + width - 1]);
            row[..MARGIN].fill(left);
            row[MARGIN + width..].fill(right);
        }
        let last = MARGIN + height - 1;
        for y in 0..MARGIN {
            self.values.copy_within(MARGIN * stride..(MARGIN + 1) * stride, y * stride);
            let to = (last + 1 + y) * stride;
            self.values.copy_within(last * stride..(last + 1) * stride, to);
        }
    }

    /// The luma of a picture at half of its size, rounded up: the mean of each 2x2 pixels.
    pub fn half_luma_of(&mut self, frame: &Frame) {
        let (width, height) = frame.size();
        let rgba = frame.rgba().as_chunks::<4>().0;
        self.fill((width.div_ceil(2), height.div_ceil(2)), |y, row| {
            let rows = [2 * y, (2 * y + 1).min(height - 1)].map(|y| &rgba[y * width..][..width]);
            for (x, to) in row.iter_mut().enumerate() {
                let columns = [2 * x, (2 * x + 1).min(width - 1)];
                let sum = |channel: usize| {
                    let of = |row: &[[u8; 4]]| columns.map(|x| u16::from(row[x][channel]));
                    let [[a, b], [c, d]] = rows.map(of);
                    f32::from(a + b + c + d)
                };
                *to = 0.25 * luma([sum(0), sum(1), sum(2)]);
            }
        });
    }

    /// Half of `from`, rounded up: the mean of each 2x2 pixels.
    pub fn half_of(&mut self, from: &Self) {
        self.fill((from.width.div_ceil(2), from.height.div_ceil(2)), |y, row| {
            let start = from.index(0, 2 * y as isize);
            let (above, below) = (&from.values[start..], &from.values[start + from.stride()..]);
            let pairs = above.as_chunks::<2>().0.iter().zip(below.as_chunks::<2>().0);
            for (to, (above, below)) in row.iter_mut().zip(pairs) {
                *to = 0.25 * (above[0] + above[1] + below[0] + below[1]);
            }
        });
    }

    /// Filters `from`, whose margin is filled, with the same symmetric weights across and down. `across` is scratch.
    pub fn filtered(&mut self, from: &Self, across: &mut Self, weights: &[f32]) {
        let size = (from.width, from.height);
        let reach = weights.len() / 2;
        across.resize(size);
        across.fill_rows(|y, row| {
            row.fill(0.0);
            let start = from.index(-(reach as isize), y as isize);
            for (i, weight) in weights.iter().enumerate() {
                for (to, value) in row.iter_mut().zip(&from.values[start + i..]) {
                    *to += weight * value;
                }
            }
        });
        self.resize(size);
        let across = &*across;
        self.fill_rows(|y, row| {
            row.fill(0.0);
            for (i, weight) in weights.iter().enumerate() {
                let from = across.row((y + i) as isize - reach as isize);
                for (to, value) in row.iter_mut().zip(from) {
                    *to += weight * value;
                }
            }
        });
    }

    /// The value between pixels, linear; beyond the margin it repeats.
    #[inline(always)]
    pub fn sample(&self, x: f32, y: f32) -> f32 {
        let reach = MARGIN as f32 - 2.0;
        let x = x.clamp(-reach, self.width as f32 + reach - 1.0);
        let y = y.clamp(-reach, self.height as f32 + reach - 1.0);
        let (left, top) = (x.floor(), y.floor());
        let (fx, fy) = (x - left, y - top);
        let at = self.index(left as isize, top as isize);
        let [above, below] = [at, at + self.stride()].map(|at| {
            let [a, b] = [self.values[at], self.values[at + 1]];
            a + fx * (b - a)
        });
        above + fy * (below - above)
    }

    /// The change per pixel across and down, by central differences.
    #[inline(always)]
    pub fn gradient(&self, x: usize, y: usize) -> [f32; 2] {
        let at = self.index(x as isize, y as isize);
        let of = |step: usize| 0.5 * (self.values[at + step] - self.values[at - step]);
        [of(1), of(self.stride())]
    }
}

/// BT.601 luma.
#[inline(always)]
pub fn luma(rgb: [f32; 3]) -> f32 {
    0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]
}
