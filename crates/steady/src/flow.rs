//! Optical flow: where each pixel of a picture was in another one, by dense inverse search (Kroeger et al., "Fast
//! Optical Flow using Dense Inverse Search", 2016), without its variational refinement.
//!
//! From coarse to fine, patches are moved until they match: by Gauss-Newton steps, with the gradients of the patch
//! itself. Then each pixel takes the mean of the patches over it, by how well they fit there. Deterministic.

use rayon::prelude::*;

use super::plane::{MARGIN, Plane};

/// Pixels on a side of a patch.
pub const PATCH: usize = 8;
/// Pixels from one patch to the next.
const STRIDE: usize = 4;
const STEPS: usize = 6;
/// Levels end when the shorter side is below this.
const COARSEST_PX: usize = 32;

/// A motion per pixel, in pixels.
#[derive(Clone, Debug, Default)]
pub struct Field {
    pub width: usize,
    pub height: usize,
    pub across: Vec<f32>,
    pub down: Vec<f32>,
}

impl Field {
    pub fn resize(&mut self, (width, height): (usize, usize)) {
        (self.width, self.height) = (width, height);
        for values in [&mut self.across, &mut self.down] {
            values.resize(width * height, 0.0);
        }
    }

    /// The motion of pixel `i`.
    #[inline(always)]
    pub fn at(&self, i: usize) -> [f32; 2] {
        [self.across[i], self.down[i]]
    }

    /// The motion between pixels, linear; outside it repeats.
    #[inline(always)]
    pub fn sample(&self, x: f32, y: f32) -> [f32; 2] {
        let corners = Corners::new(x, y, (self.width, self.height));
        [corners.mean(&self.across), corners.mean(&self.down)]
    }
}

/// The four pixels around a place, and their weights.
pub struct Corners {
    pub indices: [usize; 4],
    pub weights: [f32; 4],
}

impl Corners {
    #[inline(always)]
    pub fn new(x: f32, y: f32, (width, height): (usize, usize)) -> Self {
        let (x, y) = (x.clamp(0.0, (width - 1) as f32), y.clamp(0.0, (height - 1) as f32));
        let (left, top) = (x as usize, y as usize);
        let (right, bottom) = ((left + 1).min(width - 1), (top + 1).min(height - 1));
        let (fx, fy) = (x - left as f32, y - top as f32);
        let (above, below) = (top * width, bottom * width);
        Self {
            indices: [above + left, above + right, below + left, below + right],
            weights: weights(fx, fy),
        }
    }

    #[inline(always)]
    pub fn mean(&self, values: &[f32]) -> f32 {
        let [a, b, c, d] = self.indices.map(|i| values[i]);
        let [wa, wb, wc, wd] = self.weights;
        wa * a + wb * b + wc * c + wd * d
    }
}

#[inline(always)]
fn weights(fx: f32, fy: f32) -> [f32; 4] {
    [(1.0 - fx) * (1.0 - fy), fx * (1.0 - fy), (1.0 - fx) * fy, fx * fy]
}

/// A picture and its halves, finest first.
#[derive(Clone, Debug, Default)]
pub struct Pyramid {
    pub levels: Vec<Plane>,
}

impl Pyramid {
    /// Computes the coarser levels of `levels[0]`.
    pub fn complete(&mut self) {
        let mut level = 0;
        while coarser_size((self.levels[level].width, self.levels[level].height)).is_some() {
            level += 1;
            if self.levels.len() == level {
                self.levels.push(Plane::default());
            }
            let (finer, coarser) = self.levels.split_at_mut(level);
            coarser[0].half_of(&finer[level - 1]);
        }
        self.levels.truncate(level + 1);
    }
}

/// Finds the motion between two pictures. Keeps buffers alone between runs.
#[derive(Debug, Default)]
pub struct Search {
    pub field: Field,
    coarser: Field,
    weight: Vec<f32>,
    patches: Vec<Patch>,
}

/// A patch that was found.
#[derive(Clone, Copy, Debug, Default)]
struct Patch {
    motion: [f32; 2],
    /// How much brighter it is in the other picture.
    brighter: f32,
}

impl Search {
    /// Computes in [`Search::field`] where each pixel of `from` is in `to`. No side is below [`PATCH`].
    pub fn run(&mut self, from: &Pyramid, to: &Pyramid) {
        for level in (0..from.levels.len()).rev() {
            let pair = (&from.levels[level], &to.levels[level]);
            let is_coarsest = level + 1 == from.levels.len();
            std::mem::swap(&mut self.field, &mut self.coarser);
            self.find_patches(pair, is_coarsest);
            self.spread(pair);
        }
    }

    fn find_patches(&mut self, (from, to): (&Plane, &Plane), is_coarsest: bool) {
        let (columns, rows) = (patches_along(from.width), patches_along(from.height));
        self.patches.resize(columns * rows, Patch::default());
        let coarser = &self.coarser;
        self.patches.par_chunks_exact_mut(columns).enumerate().for_each(|(row, patches)| {
            let y = place(row, from.height);
            for (column, patch) in patches.iter_mut().enumerate() {
                let x = place(column, from.width);
                let start = if is_coarsest {
                    [0.0; 2]
                } else {
                    // The middle of the patch, in pixels of the coarser level.
                    let half = |at: usize| (at as f32 + (PATCH / 2) as f32) * 0.5 - 0.5;
                    coarser.sample(half(x), half(y)).map(|motion| 2.0 * motion)
                };
                *patch = Template::new(from, x, y).find(to, start);
            }
        });
    }

    /// Gives each pixel the mean motion of the patches over it, by how well they fit there.
    fn spread(&mut self, (from, to): (&Plane, &Plane)) {
        let (width, height) = (from.width, from.height);
        self.field.resize((width, height));
        self.weight.resize(width * height, 0.0);
        let (columns, rows) = (patches_along(width), patches_along(height));
        let patches = &self.patches;
        let Field { across, down, .. } = &mut self.field;
        let planes = across
            .par_chunks_exact_mut(width)
            .zip(down.par_chunks_exact_mut(width))
            .zip(self.weight.par_chunks_exact_mut(width));
        planes.with_min_len(4).enumerate().for_each(|(y, ((across, down), weight))| {
            for values in [&mut *across, down, weight] {
                values.fill(0.0);
            }
            let first = (y + 1).saturating_sub(PATCH).div_ceil(STRIDE).min(rows - 1);
            for row in (first..rows).take_while(|&row| place(row, height) <= y) {
                let top = place(row, height);
                for (column, patch) in patches[row * columns..][..columns].iter().enumerate() {
                    let x = place(column, width);
                    let [u, v] = patch.motion;
                    let window = Window::new(to, x as f32 + u, top as f32 + v);
                    let found = window.row(to, y - top);
                    let own: &[f32; PATCH] = pixels(from, from.index(x as isize, y as isize));
                    let fit: [f32; PATCH] = std::array::from_fn(|i| {
                        1.0 / (found[i] - own[i] - patch.brighter).abs().max(1.0)
                    });
                    for (sums, value) in [(&mut *across, u), (&mut *down, v), (&mut *weight, 1.0)] {
                        for (sum, fit) in sums[x..x + PATCH].iter_mut().zip(fit) {
                            *sum += fit * value;
                        }
                    }
                }
            }
            for ((across, down), weight) in across.iter_mut().zip(down).zip(weight) {
                *across /= *weight;
                *down /= *weight;
            }
        });
    }
}

/// The size of the level after one of this size; `None` after the coarsest.
pub fn coarser_size((width, height): (usize, usize)) -> Option<(usize, usize)> {
    (width.min(height) >= COARSEST_PX).then(|| (width.div_ceil(2), height.div_ceil(2)))
}

/// Patches along a side.
pub fn patches_along(side: usize) -> usize {
    (side - PATCH).div_ceil(STRIDE) + 1
}

/// Where patch `index` begins; the last one ends with the side.
fn place(index: usize, side: usize) -> usize {
    (index * STRIDE).min(side - PATCH)
}

#[inline(always)]
fn pixels<const N: usize>(plane: &Plane, start: usize) -> &[f32; N] {
    plane.values[start..].first_chunk().unwrap_or(&[0.0; N])
}

/// A patch of a picture at a place between pixels.
struct Window {
    start: usize,
    weights: [f32; 4],
}

impl Window {
    /// The place is limited to the margin.
    #[inline(always)]
    fn new(plane: &Plane, x: f32, y: f32) -> Self {
        let reach = MARGIN as f32 - 1.0;
        let limited =
            |at: f32, side: usize| at.clamp(-reach, (side as f32 + reach) - (PATCH + 1) as f32);
        let (x, y) = (limited(x, plane.width), limited(y, plane.height));
        let (left, top) = (x.floor(), y.floor());
        let start = plane.index(left as isize, top as isize);
        Self { start, weights: weights(x - left, y - top) }
    }

    #[inline(always)]
    fn row(&self, plane: &Plane, y: usize) -> [f32; PATCH] {
        let start = self.start + y * plane.stride();
        let above: &[f32; PATCH + 1] = pixels(plane, start);
        let below: &[f32; PATCH + 1] = pixels(plane, start + plane.stride());
        let [a, b, c, d] = self.weights;
        std::array::from_fn(|i| a * above[i] + b * above[i + 1] + c * below[i] + d * below[i + 1])
    }
}

type Rows = [[f32; PATCH]; PATCH];

/// A patch of the first picture, its gradients, and the inverse of their products.
struct Template {
    x: f32,
    y: f32,
    values: Rows,
    across: Rows,
    down: Rows,
    sums: [f32; 2],
    inverse: [f32; 3],
}

const PIXELS: f32 = (PATCH * PATCH) as f32;

impl Template {
    #[inline(always)]
    fn new(plane: &Plane, x: usize, y: usize) -> Self {
        let zero = [[0.0; PATCH]; PATCH];
        let (mut values, mut across, mut down) = (zero, zero, zero);
        let mut sums = [[0.0; PATCH]; 5];
        for row in 0..PATCH {
            let start = plane.index(x as isize, (y + row) as isize);
            let own: &[f32; PATCH + 2] = pixels(plane, start - 1);
            let above: &[f32; PATCH] = pixels(plane, start - plane.stride());
            let below: &[f32; PATCH] = pixels(plane, start + plane.stride());
            for i in 0..PATCH {
                values[row][i] = own[i + 1];
                let (u, v) = (0.5 * (own[i + 2] - own[i]), 0.5 * (below[i] - above[i]));
                (across[row][i], down[row][i]) = (u, v);
                for (sum, value) in sums.iter_mut().zip([u, v, u * u, u * v, v * v]) {
                    sum[i] += value;
                }
            }
        }
        let [u, v, uu, uv, vv] = sums.map(total);
        // One is added so that flat patches stay.
        let (uu, uv, vv) =
            (uu - u * u / PIXELS + 1.0, uv - u * v / PIXELS, vv - v * v / PIXELS + 1.0);
        let scale = 1.0 / (uu * vv - uv * uv);
        let inverse = [vv * scale, -uv * scale, uu * scale];
        Self { x: x as f32, y: y as f32, values, across, down, sums: [u, v], inverse }
    }

    /// Moves the patch over `to`, beginning at `start`, until it matches; means do not count.
    #[inline(always)]
    fn find(&self, to: &Plane, start: [f32; 2]) -> Patch {
        let mut best = (f32::INFINITY, Patch { motion: start, brighter: 0.0 });
        let mut motion = start;
        for _ in 0..=STEPS {
            let window = Window::new(to, self.x + motion[0], self.y + motion[1]);
            let mut sums = [[0.0; PATCH]; 4];
            for row in 0..PATCH {
                let found = window.row(to, row);
                for i in 0..PATCH {
                    let error = found[i] - self.values[row][i];
                    let products = [
                        error,
                        error * error,
                        error * self.across[row][i],
                        error * self.down[row][i],
                    ];
                    for (sum, value) in sums.iter_mut().zip(products) {
                        sum[i] += value;
                    }
                }
            }
            let [sum, squares, across, down] = sums.map(total);
            let error = squares - sum * sum / PIXELS;
            if error >= best.0 {
                break;
            }
            best = (error, Patch { motion, brighter: sum / PIXELS });
            let (across, down) =
                (across - sum * self.sums[0] / PIXELS, down - sum * self.sums[1] / PIXELS);
            let [a, b, c] = self.inverse;
            let step = [a * across + b * down, b * across + c * down];
            motion = [motion[0] - step[0], motion[1] - step[1]];
            let is_small = step[0] * step[0] + step[1] * step[1] < 1e-4;
            let is_lost =
                (motion[0] - start[0]).abs().max((motion[1] - start[1]).abs()) > PATCH as f32;
            if is_small || is_lost {
                break;
            }
        }
        best.1
    }
}

#[inline(always)]
fn total(lanes: [f32; PATCH]) -> f32 {
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + e) + (b + f)) + ((c + g) + (d + h))
}
