//! The motion of the camera: one affine motion that most of a picture follows.

use rayon::prelude::*;

use super::{flow::Field, plane::Plane};

/// Pixels between the points that vote.
pub const GRID_PX: usize = 4;
/// Motions that are tried, each through three points.
pub const TRIALS: usize = 64;
/// How far a point may move from a motion that it follows, in pixels.
const TOLERANCE_PX: f32 = 0.25;
/// Points with a larger error between both directions do not vote, in pixels.
const MOST_DISAGREEMENT_PX: f32 = 0.5;
const FEWEST_POINTS: usize = 30;
/// The share of the points that must follow the camera.
const LEAST_SHARE: f32 = 0.4;

/// The motion (a + b x + c y, d + e x + f y) of the pixel (x, y).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Affine(pub [f32; 6]);

/// A pixel and its motion.
type Point = [[f32; 2]; 2];

impl Affine {
    #[inline(always)]
    pub fn at(&self, x: f32, y: f32) -> [f32; 2] {
        let [a, b, c, d, e, f] = self.0;
        [a + b * x + c * y, d + e * x + f * y]
    }

    /// The longest motion in a picture of this size, which a corner has.
    pub fn longest(&self, (width, height): (usize, usize)) -> f32 {
        let (right, bottom) = ((width - 1) as f32, (height - 1) as f32);
        [(0.0, 0.0), (right, 0.0), (0.0, bottom), (right, bottom)]
            .map(|(x, y)| distance(self.at(x, y), [0.0; 2]))
            .into_iter()
            .fold(0.0, f32::max)
    }

    fn follows(&self, [at, motion]: &Point) -> bool {
        distance(self.at(at[0], at[1]), *motion) < TOLERANCE_PX
    }

    /// The least squares of the points; `None` if they lie on a line.
    fn fit(points: impl Iterator<Item = Point> + Clone) -> Option<Self> {
        let zero = [0.0f64; 3];
        let [x, y, count] = points
            .clone()
            .fold(zero, |[x, y, n], [at, _]| [x + f64::from(at[0]), y + f64::from(at[1]), n + 1.0]);
        let middle = [x / count, y / count];
        let mut squares = zero;
        let mut products = [zero; 2];
        for [at, motion] in points {
            let [x, y] = [0, 1].map(|i| f64::from(at[i]) - middle[i]);
            squares = [squares[0] + x * x, squares[1] + x * y, squares[2] + y * y];
            for (sums, motion) in products.iter_mut().zip(motion.map(f64::from)) {
                *sums = [sums[0] + motion, sums[1] + motion * x, sums[2] + motion * y];
            }
        }
        let [xx, xy, yy] = squares;
        let determinant = xx * yy - xy * xy;
        if count < 3.0 || determinant < 1.0 {
            return None;
        }
        let [across, down] = products.map(|[sum, x, y]| {
            let b = (x * yy - y * xy) / determinant;
            let c = (y * xx - x * xy) / determinant;
            [sum / count - b * middle[0] - c * middle[1], b, c].map(|value| value as f32)
        });
        Some(Self([across[0], across[1], across[2], down[0], down[1], down[2]]))
    }

    /// The motion that most points of `back` follow, if they are enough. `forth` is the motion in the other direction,
    /// `picture` the one of which `back` is the motion.
    pub fn of_most(picture: &Plane, back: &Field, forth: &Field) -> Option<Self> {
        let mut points = Vec::new();
        for y in (GRID_PX / 2..back.height).step_by(GRID_PX) {
            for x in (GRID_PX / 2..back.width).step_by(GRID_PX) {
                let motion = back.at(y * back.width + x);
                let at = [x as f32, y as f32];
                let disagreement = disagreement(at, motion, forth);
                if disagreement.is_some_and(|px| px <= MOST_DISAGREEMENT_PX) {
                    let [across, down] = picture.gradient(x, y).map(f32::abs);
                    points.push((across + down, [at, motion]));
                }
            }
        }
        // Flat places have no motion of their own.
        let mean = points.iter().map(|(texture, _)| texture).sum::<f32>() / points.len() as f32;
        let textured = points.into_iter().filter(|(texture, _)| *texture >= 0.7 * mean);
        let points: Vec<Point> = textured.map(|(_, point)| point).collect();
        if points.len() < FEWEST_POINTS {
            return None;
        }
        let mut seed = 1u32;
        let mut any = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            points[(seed >> 8) as usize % points.len()]
        };
        let following = |motion: Self| points.iter().filter(move |point| motion.follows(point));
        let mut best = (0, None);
        for _ in 0..TRIALS {
            let Some(motion) = Self::fit([any(), any(), any()].into_iter()) else { continue };
            let count = following(motion).count();
            if count > best.0 {
                best = (count, Some(motion));
            }
        }
        let mut motion = best.1?;
        for _ in 0..2 {
            motion = Self::fit(following(motion).copied())?;
        }
        let share = following(motion).count() as f32 / points.len() as f32;
        (share >= LEAST_SHARE).then_some(motion)
    }

    /// The same motion, more exactly: Gauss-Newton steps on the difference between both pictures, in which places that
    /// move otherwise count little.
    pub fn refined(mut self, picture: &Plane, before: &Plane) -> Self {
        const STEPS: usize = 2;
        const SKIP: usize = 2;
        let (width, height) = (picture.width, picture.height);
        // Places are relative to the middle, so that the equations are well conditioned.
        let (middle_x, middle_y, scale) =
            (width as f32 / 2.0, height as f32 / 2.0, 1.0 / width as f32);
        let mut rows = vec![([0.0f32; 21], [0.0f32; 6]); height.div_ceil(SKIP)];
        for _ in 0..STEPS {
            rows.par_iter_mut().with_min_len(8).enumerate().for_each(|(row, sums)| {
                *sums = ([0.0; 21], [0.0; 6]);
                let y = row * SKIP;
                for x in (0..width).step_by(SKIP) {
                    let [u, v] = self.at(x as f32, y as f32);
                    let (there_x, there_y) = (x as f32 + u, y as f32 + v);
                    let is_inside = (1.0..=(width - 2) as f32).contains(&there_x)
                        && (1.0..=(height - 2) as f32).contains(&there_y);
                    if !is_inside {
                        continue;
                    }
                    let own = picture.values[picture.index(x as isize, y as isize)];
                    let error = before.sample(there_x, there_y) - own;
                    let weight = 1.0 / (1.0 + error * error / 25.0);
                    let weight = weight * weight;
                    let [across, down] = picture.gradient(x, y);
                    let (x, y) = ((x as f32 - middle_x) * scale, (y as f32 - middle_y) * scale);
                    let slope = [across, across * x, across * y, down, down * x, down * y];
                    let mut at = 0;
                    for i in 0..6 {
                        let weighted = weight * slope[i];
                        for other in &slope[i..] {
                            sums.0[at] += weighted * other;
                            at += 1;
                        }
                        sums.1[i] += weighted * error;
                    }
                }
            });
            // One on the diagonal, so that flat pictures have a solution.
            let mut matrix: [[f64; 6]; 6] =
                std::array::from_fn(|i| std::array::from_fn(|j| f64::from(u8::from(i == j))));
            let mut right = [0.0f64; 6];
            for (squares, products) in &rows {
                let mut squares = squares.iter();
                for i in 0..6 {
                    for (to, square) in matrix[i][i..].iter_mut().zip(&mut squares) {
                        *to += f64::from(*square);
                    }
                    right[i] += f64::from(products[i]);
                }
            }
            let [a, b, c, d, e, f] = solved(matrix, right);
            let (b, c, e, f) = (b * scale, c * scale, e * scale, f * scale);
            let step =
                [a - b * middle_x - c * middle_y, b, c, d - e * middle_x - f * middle_y, e, f];
            for (value, step) in self.0.iter_mut().zip(step) {
                *value -= step;
            }
        }
        self
    }
}

/// Solves a symmetric positive definite system, of which the upper triangle is given.
fn solved(mut matrix: [[f64; 6]; 6], mut right: [f64; 6]) -> [f32; 6] {
    for i in 0..6 {
        let (pivot, value) = (matrix[i], right[i]);
        for (j, row) in matrix.iter_mut().enumerate().skip(i + 1) {
            let factor = pivot[j] / pivot[i];
            for (to, from) in row.iter_mut().zip(pivot).skip(j) {
                *to -= factor * from;
            }
            right[j] -= factor * value;
        }
    }
    for i in (0..6).rev() {
        let known: f64 = (i + 1..6).map(|j| matrix[i][j] * right[j]).sum();
        right[i] = (right[i] - known) / matrix[i][i];
    }
    right.map(|value| value as f32)
}

/// How far a motion and the motion back at its end miss each other, in pixels; `None` if it leaves the picture.
#[inline(always)]
pub fn disagreement(at: [f32; 2], motion: [f32; 2], forth: &Field) -> Option<f32> {
    let [x, y] = [at[0] + motion[0], at[1] + motion[1]];
    let is_inside = (0.0..=(forth.width - 1) as f32).contains(&x)
        && (0.0..=(forth.height - 1) as f32).contains(&y);
    is_inside.then(|| {
        let back = forth.sample(x, y);
        distance(motion, back.map(|px| -px))
    })
}

#[inline(always)]
pub fn distance(a: [f32; 2], b: [f32; 2]) -> f32 {
    let [x, y] = [a[0] - b[0], a[1] - b[1]];
    (x * x + y * y).sqrt()
}
