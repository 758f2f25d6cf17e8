//! The transforms of Winograd's algorithms (Winograd 1980; Lavin and Gray 2016) for kernels of 3x3 weights: the factors
//! for a tile's inputs, for its products and for the weights. They are defined for one direction and applied in both.

use std::{
    f32::consts::{FRAC_1_SQRT_2, SQRT_2},
    f64,
    mem::MaybeUninit,
};

use super::super::{
    gather::{Border, Centre, MapInput},
    simd::{At, Simd},
};

/// Maximum number of values in a line of a tile.
const MAX_SIDE: usize = 7;

/// A line of a tile. A transform uses the values that it needs, from the start.
pub type Line<V> = [V; MAX_SIDE];

/// One of the algorithms, in one direction.
pub trait Transform {
    /// Inputs of a tile, and as many transformed inputs.
    const WINDOW: usize;
    /// Products of a tile. Products beyond the transformed inputs read the last transformed input. Products beyond the
    /// transformed weights use the last transformed weight.
    const POINTS: usize = Self::WINDOW;
    /// Outputs of a tile.
    const OUTPUTS: usize;
    /// Inputs from one tile to the next.
    const STEP: usize = Self::OUTPUTS;
    /// For each transformed weight, the factors on the three weights.
    const WEIGHTS: &'static [[f64; 3]];

    /// Transforms a line of inputs.
    ///
    /// # Safety
    /// As [`Simd`].
    unsafe fn forward<S: Simd>(inputs: Line<S::V>) -> Line<S::V>;

    /// Transforms a line of products back.
    ///
    /// # Safety
    /// As [`Simd`].
    unsafe fn backward<S: Simd>(products: Line<S::V>) -> Line<S::V>;

    /// The transformed input of a product in two dimensions.
    #[inline(always)]
    fn input_of(point: usize) -> usize {
        let last = Self::WINDOW - 1;
        (point / Self::POINTS).min(last) * Self::WINDOW + (point % Self::POINTS).min(last)
    }

    /// The transformed weight of a product in two dimensions.
    #[inline(always)]
    fn weights_of(point: usize) -> usize {
        let last = Self::WEIGHTS.len() - 1;
        (point / Self::POINTS).min(last) * Self::WEIGHTS.len() + (point % Self::POINTS).min(last)
    }
}

/// A line that starts with these values.
#[inline(always)]
fn line<V: Copy, const N: usize>(values: [V; N]) -> Line<V> {
    let mut line = [values[0]; MAX_SIDE];
    line[..N].copy_from_slice(&values);
    line
}

/// F(4, 3), at 0, -1/√2, 1/√2, -√2, √2 and infinity: six products for four outputs. At -1, 1, -2 and 2, the factor on a
/// product, and therefore on its rounding error, can be eight. Here it is less than three.
pub struct FourOutputs;

/// √2³.
const ROOT_8: f32 = 2.0 * SQRT_2;
/// 1/√2³.
const ROOT_EIGHTH: f32 = FRAC_1_SQRT_2 / 2.0;

impl Transform for FourOutputs {
    const WINDOW: usize = 6;
    const OUTPUTS: usize = 4;
    const WEIGHTS: &'static [[f64; 3]] = &[
        [1.0, 0.0, 0.0],
        [-2.0 / 3.0, -f64::consts::SQRT_2 / 3.0, -1.0 / 3.0],
        [-2.0 / 3.0, f64::consts::SQRT_2 / 3.0, -1.0 / 3.0],
        [1.0 / 6.0, f64::consts::SQRT_2 / 6.0, 1.0 / 3.0],
        [1.0 / 6.0, -f64::consts::SQRT_2 / 6.0, 1.0 / 3.0],
        [0.0, 0.0, 1.0],
    ];

    #[inline(always)]
    unsafe fn forward<S: Simd>(d: Line<S::V>) -> Line<S::V> {
        // SAFETY: the instruction set exists by the caller's promise.
        unsafe {
            let (near, far) = (S::splat(FRAC_1_SQRT_2), S::splat(SQRT_2));
            let (less_near, less_far) = (S::splat(-FRAC_1_SQRT_2), S::splat(-SQRT_2));
            let (less_half, less_two) = (S::splat(-0.5), S::splat(-2.0));
            let both = S::splat(-2.5);
            let even_near = S::mul_add(less_two, d[2], d[4]);
            let odd_near = S::mul_add(less_two, d[1], d[3]);
            let even_far = S::mul_add(less_half, d[2], d[4]);
            let odd_far = S::mul_add(less_half, d[1], d[3]);
            line([
                S::mul_add(both, d[2], S::add(d[0], d[4])),
                S::mul_add(near, odd_near, even_near),
                S::mul_add(less_near, odd_near, even_near),
                S::mul_add(far, odd_far, even_far),
                S::mul_add(less_far, odd_far, even_far),
                S::mul_add(both, d[3], S::add(d[1], d[5])),
            ])
        }
    }

    #[inline(always)]
    unsafe fn backward<S: Simd>(m: Line<S::V>) -> Line<S::V> {
        // SAFETY: the instruction set exists by the caller's promise.
        unsafe {
            let (near_sum, near_difference) = (S::add(m[1], m[2]), S::sub(m[1], m[2]));
            let (far_sum, far_difference) = (S::add(m[3], m[4]), S::sub(m[3], m[4]));
            let far = S::mul(S::splat(SQRT_2), far_difference);
            let cubed = S::mul_add(S::splat(ROOT_8), far_difference, m[5]);
            line([
                S::add(S::add(m[0], near_sum), far_sum),
                S::mul_add(S::splat(FRAC_1_SQRT_2), near_difference, far),
                S::mul_add(S::splat(2.0), far_sum, S::mul(S::splat(0.5), near_sum)),
                S::mul_add(S::splat(ROOT_EIGHTH), near_difference, cubed),
            ])
        }
    }
}

/// F(3, 3), at 0, 1, -1, 2 and infinity: five products for three outputs.
pub struct ThreeOutputs;

impl Transform for ThreeOutputs {
    const WINDOW: usize = 5;
    const OUTPUTS: usize = 3;
    const WEIGHTS: &'static [[f64; 3]] = &[
        [0.5, 0.0, 0.0],
        [-0.5, -0.5, -0.5],
        [-1.0 / 6.0, 1.0 / 6.0, -1.0 / 6.0],
        [1.0 / 6.0, 1.0 / 3.0, 2.0 / 3.0],
        [0.0, 0.0, 1.0],
    ];

    #[inline(always)]
    unsafe fn forward<S: Simd>(d: Line<S::V>) -> Line<S::V> {
        // SAFETY: the instruction set exists by the caller's promise.
        unsafe {
            let (two, less_two) = (S::splat(2.0), S::splat(-2.0));
            let (outer, inner) = (S::sub(d[3], d[1]), S::sub(d[3], d[2]));
            line([
                S::mul_add(two, S::sub(d[0], d[2]), outer),
                S::mul_add(less_two, d[1], inner),
                S::mul_add(two, S::sub(d[1], d[2]), inner),
                outer,
                S::mul_add(less_two, outer, S::sub(d[4], d[2])),
            ])
        }
    }

    #[inline(always)]
    unsafe fn backward<S: Simd>(m: Line<S::V>) -> Line<S::V> {
        // SAFETY: the instruction set exists by the caller's promise.
        unsafe {
            let (sum, difference) = (S::add(m[1], m[2]), S::sub(m[1], m[2]));
            line([
                S::add(S::add(m[0], m[3]), sum),
                S::mul_add(S::splat(2.0), m[3], difference),
                S::add(S::mul_add(S::splat(4.0), m[3], sum), m[4]),
            ])
        }
    }
}

/// Two pixels of a map that is upsampled by 2 (nearest neighbour) before the convolution: five products for four
/// outputs.
///
/// For the pixels a, b, c, d, upsampled to a, b, b, c, c, d, and the weights u, v, w with s = u + v + w, the products
/// are `s/2 (b+c)`, `u (c-a)`, `w (d-b)`, `v/2 (c-b)` and `(w-u)/2 (c-b)`. Each output is a sum of some of them, as
/// comparing coefficients shows. F(4, 3) of the upsampled line also needs five products, because the one at -1 is
/// always zero, but its factors are up to 8.
pub struct Doubled;

impl Transform for Doubled {
    const WINDOW: usize = 4;
    const POINTS: usize = 5;
    const OUTPUTS: usize = 4;
    const STEP: usize = 2;
    const WEIGHTS: &'static [[f64; 3]] =
        &[[0.5, 0.5, 0.5], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.5, 0.0], [-0.5, 0.0, 0.5]];

    #[inline(always)]
    unsafe fn forward<S: Simd>([a, b, c, d, ..]: Line<S::V>) -> Line<S::V> {
        // SAFETY: the instruction set exists by the caller's promise.
        unsafe {
            let step = S::sub(c, b);
            line([S::add(b, c), S::sub(c, a), S::sub(d, b), step])
        }
    }

    #[inline(always)]
    unsafe fn backward<S: Simd>(m: Line<S::V>) -> Line<S::V> {
        // SAFETY: the instruction set exists by the caller's promise.
        unsafe {
            let (inner, outer) = (S::add(m[0], m[4]), S::sub(m[0], m[4]));
            line([
                S::sub(S::sub(outer, m[3]), m[1]),
                S::sub(inner, m[3]),
                S::add(inner, m[3]),
                S::add(S::add(outer, m[3]), m[2]),
            ])
        }
    }
}

/// Every second output: seven products for three outputs. Even inputs are combined with the two outer weights by F(3,
/// 2), at 0, 1, -1 and infinity. Odd inputs are multiplied by the middle weight.
pub struct Strided;

impl Transform for Strided {
    const WINDOW: usize = 7;
    const OUTPUTS: usize = 3;
    const STEP: usize = 6;
    const WEIGHTS: &'static [[f64; 3]] =
        &[[1.0, 0.0, 0.0], [0.5, 0.0, 0.5], [0.5, 0.0, -0.5], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]];

    #[inline(always)]
    unsafe fn forward<S: Simd>(d: Line<S::V>) -> Line<S::V> {
        // SAFETY: the instruction set exists by the caller's promise.
        unsafe {
            [
                S::sub(d[0], d[4]),
                S::add(d[2], d[4]),
                S::sub(d[4], d[2]),
                S::sub(d[6], d[2]),
                d[1],
                d[3],
                d[5],
            ]
        }
    }

    #[inline(always)]
    unsafe fn backward<S: Simd>(m: Line<S::V>) -> Line<S::V> {
        // SAFETY: the instruction set exists by the caller's promise.
        unsafe {
            let (sum, difference) = (S::add(m[1], m[2]), S::sub(m[1], m[2]));
            line([
                S::add(S::add(m[0], sum), m[4]),
                S::add(difference, m[5]),
                S::add(S::add(m[3], sum), m[6]),
            ])
        }
    }
}

pub trait TileInput {
    /// The vector of channels from `c` at row `i` and column `j` of the tile.
    ///
    /// # Safety
    /// As [`Simd`]; the channels are inside the map.
    unsafe fn value<S: Simd>(&self, i: usize, j: usize, c: usize) -> S::V;
}

/// The inputs of a tile of a raw map. Stores the tile's own pixels if the map has somewhere to keep them.
pub struct MapWindow<'a, const SIDE: usize> {
    map: &'a MapInput,
    centre: &'a Centre,
    pixels: [[usize; SIDE]; SIDE],
    /// Number of rows and columns, from the second, that belong to the tile and are inside the map.
    own: (usize, usize),
}

impl<'a, const SIDE: usize> MapWindow<'a, SIDE> {
    /// The window that starts at a row and column of the padded map. At most `own` rows and columns after the first are
    /// kept.
    #[inline(always)]
    pub fn new(
        map: &'a MapInput,
        centre: &'a Centre,
        (row, column): (isize, isize),
        border: Border,
        own: usize,
    ) -> Self {
        // Loops instead of closures over arrays, because closures are compiled as calls without the vector
        // instructions.
        let (mut columns, mut pixels) = ([0; SIDE], [[0; SIDE]; SIDE]);
        for (j, x) in columns.iter_mut().enumerate() {
            *x = border.source(column + j as isize, map.width);
        }
        for (i, line) in pixels.iter_mut().enumerate() {
            let y = border.source(row + i as isize, map.height);
            for (pixel, x) in line.iter_mut().zip(columns) {
                *pixel = y * map.width + x;
            }
        }
        let inside = |first: isize, side: usize| own.min(side.saturating_add_signed(-first - 1));
        Self { map, centre, pixels, own: (inside(row, map.height), inside(column, map.width)) }
    }
}

impl<const SIDE: usize> TileInput for MapWindow<'_, SIDE> {
    #[inline(always)]
    unsafe fn value<S: Simd>(&self, i: usize, j: usize, c: usize) -> S::V {
        let pixel = self.pixels[i][j];
        // SAFETY: all pixels and channels are inside the map.
        unsafe {
            let value = self.map.value::<S>(pixel, c);
            let is_own = (1..=self.own.0).contains(&i) && (1..=self.own.1).contains(&j);
            if !self.map.keep.is_null() && is_own {
                S::store(self.map.keep.at(pixel * self.map.channels + c), value);
            }
            S::sub(value, self.centre.at::<S>(c))
        }
    }
}

/// Transforms the inputs of a tile; point `p` of channel `c` goes to `to[p * point_stride + c]`.
///
/// # Safety
/// As [`Simd`]; `to` is valid for all points.
#[inline(always)]
pub unsafe fn transform_tile<S: Simd, T: Transform>(
    input: &impl TileInput,
    channels: usize,
    to: *mut f32,
    point_stride: usize,
) {
    let mut c = 0;
    while c < channels {
        // SAFETY: the caller's promise.
        unsafe {
            let zero = S::splat(0.0);
            let mut columns = Columns::uninit();
            for j in 0..T::WINDOW {
                let mut column = [zero; MAX_SIDE];
                for (i, value) in column[..T::WINDOW].iter_mut().enumerate() {
                    *value = input.value::<S>(i, j, c);
                }
                set(&mut columns, j, T::forward::<S>(column));
            }
            for i in 0..T::WINDOW {
                let row = T::forward::<S>(across(&columns, i, T::WINDOW, zero));
                for (j, value) in row[..T::WINDOW].iter().enumerate() {
                    S::store(to.at((T::WINDOW * i + j) * point_stride + c), *value);
                }
            }
        }
        c += S::LANES;
    }
}

/// Transforms a tile's products back. Point `p` of column `n` is read at `from[p * point_stride + n]`, and pixel `q` is
/// written to `to[q * pixel_stride + n]`.
///
/// # Safety
/// As [`Simd`]; both are valid for all points and pixels.
#[inline(always)]
pub unsafe fn transform_output<S: Simd, T: Transform>(
    (from, point_stride): (*const f32, usize),
    (to, pixel_stride): (*mut f32, usize),
    vectors: usize,
) {
    for v in 0..vectors {
        let n = v * S::LANES;
        // SAFETY: points and pixels are inside the scratch.
        unsafe {
            let zero = S::splat(0.0);
            let mut columns = Columns::uninit();
            for j in 0..T::POINTS {
                let mut column = [zero; MAX_SIDE];
                for (i, value) in column[..T::POINTS].iter_mut().enumerate() {
                    *value = S::load(from.at((T::POINTS * i + j) * point_stride + n));
                }
                set(&mut columns, j, T::backward::<S>(column));
            }
            for y in 0..T::OUTPUTS {
                let row = T::backward::<S>(across(&columns, y, T::POINTS, zero));
                for (x, value) in row[..T::OUTPUTS].iter().enumerate() {
                    S::store(to.at((T::OUTPUTS * y + x) * pixel_stride + n), *value);
                }
            }
        }
    }
}

/// Columns of a tile after one direction. They do not fit in registers, and clearing them would take as long as writing
/// them.
type Columns<V> = MaybeUninit<[Line<V>; MAX_SIDE]>;

/// Writes a column.
///
/// # Safety
/// `column` is less than the number of columns.
#[inline(always)]
unsafe fn set<V: Copy>(columns: &mut Columns<V>, column: usize, values: Line<V>) {
    // SAFETY: inside the columns by the caller's promise.
    unsafe {
        let first = columns.as_mut_ptr().cast::<Line<V>>();
        first.wrapping_add(column).write(values);
    }
}

/// The values at one position of the first `count` columns, followed by `zero`.
///
/// # Safety
/// Those columns are written.
#[inline(always)]
unsafe fn across<V: Copy>(columns: &Columns<V>, place: usize, count: usize, zero: V) -> Line<V> {
    let first = columns.as_ptr().cast::<V>();
    let mut row = [zero; MAX_SIDE];
    for (column, value) in row[..count].iter_mut().enumerate() {
        // SAFETY: written by the caller's promise.
        *value = unsafe { first.wrapping_add(column * MAX_SIDE + place).read() };
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::simd::Portable;

    /// Outputs of a line computed by the algorithm, in single precision.
    fn outputs<T: Transform>(inputs: &[f32], weights: [f64; 3]) -> Vec<f32> {
        let line = |values: &[f32]| {
            let mut line = [[0.0; 4]; MAX_SIDE];
            for (to, &value) in line.iter_mut().zip(values) {
                *to = [value; 4];
            }
            line
        };
        // SAFETY: portable code needs no special instructions.
        let transformed = unsafe { T::forward::<Portable>(line(inputs)) };
        let product = |point: usize| {
            let factors = T::WEIGHTS[point.min(T::WEIGHTS.len() - 1)];
            let weight: f64 = factors.iter().zip(weights).map(|(f, w)| f * w).sum();
            transformed[point.min(T::WINDOW - 1)][0] * weight as f32
        };
        let products: Vec<f32> = (0..T::POINTS).map(product).collect();
        // SAFETY: as above.
        let outputs = unsafe { T::backward::<Portable>(line(&products)) };
        outputs[..T::OUTPUTS].iter().map(|value| value[0]).collect()
    }

    /// Three weights applied to a line, by the definition.
    fn direct(line: &[f32], weights: [f64; 3]) -> Vec<f32> {
        let at = |three: &[f32]| -> f64 {
            three.iter().zip(weights).map(|(&value, weight)| f64::from(value) * weight).sum()
        };
        line.windows(3).map(|three| at(three) as f32).collect()
    }

    /// Compares with the direct form at every `stride`-th position of `seen`.
    fn check<T: Transform>(seen: impl Fn(&[f32]) -> Vec<f32>, stride: usize) {
        let inputs = [3.0, -1.5, 0.25, 7.0, -4.0, 11.0, 2.5];
        let inputs = &inputs[..T::WINDOW];
        let weights = [0.75, -2.0, 5.0];
        let got = outputs::<T>(inputs, weights);
        let all = direct(&seen(inputs), weights);
        let expected: Vec<f32> = all.into_iter().step_by(stride).collect();
        assert_eq!(got.len(), expected.len());
        for (got, expected) in got.iter().zip(&expected) {
            assert!((got - expected).abs() < 1e-4, "{got} {expected}");
        }
    }

    #[test]
    fn lines_are_convolved_as_by_the_definition() {
        check::<FourOutputs>(<[f32]>::to_vec, 1);
        check::<ThreeOutputs>(<[f32]>::to_vec, 1);
        check::<Strided>(<[f32]>::to_vec, 2);
        // The outermost pixels are read once, all others twice.
        let doubled = |pixels: &[f32]| {
            let twice: Vec<f32> = pixels.iter().flat_map(|&pixel| [pixel; 2]).collect();
            twice[1..twice.len() - 1].to_vec()
        };
        check::<Doubled>(doubled, 1);
    }
}
