//! Weights in the order in which the kernels read them.
//!
//! A packed matrix is cut into panels of two vectors of columns (the last may be one vector); a
//! panel holds its groups (phases, Winograd points) one after another, each as rows of K; those of bytes hold
//! four rows of K in each other, column by column.

use super::bytes::BYTES;
use crate::{
    plan::{
        ConvLayer,
        cpu::{Algorithm, WINOGRAD_POINTS, padded_channels},
    },
    quantisation::{InputRange, IntegerWeights},
};

/// Packed weights of one convolution.
#[derive(Clone, Debug)]
pub struct Panels<T = f32> {
    data: Vec<T>,
    /// Columns, a multiple of 16.
    pub columns: usize,
    /// Rows of K in every group.
    pub depth: usize,
    /// Groups.
    pub groups: usize,
    lanes: usize,
}

/// One panel of columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Panel {
    /// First column.
    pub first: usize,
    /// Vectors of columns: 2, or 1 in a last narrow panel.
    pub vectors: usize,
}

impl Panels {
    /// Packs `value(group, k, column)`; columns are padded with zeros to a multiple of 16.
    pub fn new(
        groups: usize,
        depth: usize,
        columns: usize,
        lanes: usize,
        value: impl Fn(usize, usize, usize) -> f32,
    ) -> Self {
        Self::interleaved((groups, depth, columns), lanes, 1, value)
    }
}

impl<T: Copy + Default> Panels<T> {
    /// As [`Panels::new`], with `rows` rows of K in each other; they divide the depth.
    fn interleaved(
        (groups, depth, columns): (usize, usize, usize),
        lanes: usize,
        rows: usize,
        value: impl Fn(usize, usize, usize) -> T,
    ) -> Self {
        let padded = columns.next_multiple_of(16);
        let mut packed = Self {
            data: Vec::with_capacity(groups * depth * padded),
            columns: padded,
            depth,
            groups,
            lanes,
        };
        for panel in packed.panels() {
            for group in 0..groups {
                for k in (0..depth).step_by(rows) {
                    for n in panel.first..panel.first + panel.vectors * lanes {
                        let own = (k..k + rows).map(|k| match n < columns {
                            true => value(group, k, n),
                            false => T::default(),
                        });
                        packed.data.extend(own);
                    }
                }
            }
        }
        packed
    }

    /// The panels, left to right.
    pub fn panels(&self) -> impl Iterator<Item = Panel> + use<T> {
        let (columns, width) = (self.columns, 2 * self.lanes);
        (0..columns).step_by(width).map(move |first| Panel {
            first,
            vectors: if first + width <= columns { 2 } else { 1 },
        })
    }

    /// Columns of a panel.
    pub fn width(&self, panel: Panel) -> usize {
        panel.vectors * self.lanes
    }

    /// First value of a group of a panel.
    pub fn group(&self, panel: Panel, group: usize) -> *const T {
        let start = panel.first * self.depth * self.groups
            + group * self.depth * panel.vectors * self.lanes;
        self.data[start..].as_ptr()
    }
}

/// Packs a convolution's `[out][in][row][column]` for an algorithm. `stored_inputs` are the channels of the
/// input as it lies in memory.
pub fn pack(
    conv: &ConvLayer,
    weights: &[f32],
    algorithm: Algorithm,
    stored_inputs: usize,
    lanes: usize,
) -> Panels {
    if algorithm == Algorithm::Winograd {
        let sides = (conv.in_channels, conv.out_channels);
        return winograd_panels(sides, weights, &|_| 1.0, stored_inputs, lanes);
    }
    let sides = sides(conv, algorithm, stored_inputs);
    let value = placed(conv, weights, algorithm, stored_inputs);
    Panels::new(sides.0, sides.1, sides.2, lanes, |group, k, n| {
        value(group, k, n) as f32
    })
}

/// Groups, rows of K and columns of a convolution's packed weights, for all algorithms but Winograd's.
fn sides(conv: &ConvLayer, algorithm: Algorithm, stored_inputs: usize) -> (usize, usize, usize) {
    let k = conv.kernel;
    match algorithm {
        Algorithm::Direct | Algorithm::Winograd => (1, k * k * stored_inputs, conv.out_channels),
        Algorithm::ShiftedColumns => (1, k * stored_inputs, 3 * k),
        Algorithm::FourPhase => (4, 4 * stored_inputs, conv.out_channels),
    }
}

/// What stands at `(group, row of K, column)` of a convolution's packed weights: one of its `[out][in][row][column]`,
/// or the sum of several.
fn placed<T: Copy + Into<f64>>(
    conv: &ConvLayer,
    weights: &[T],
    algorithm: Algorithm,
    stored_inputs: usize,
) -> impl Fn(usize, usize, usize) -> f64 {
    let (k, inputs) = (conv.kernel, conv.in_channels);
    let at = move |o: usize, i: usize, ky: usize, kx: usize| -> f64 {
        if i < inputs {
            weights[((o * inputs + i) * k + ky) * k + kx].into()
        } else {
            0.0
        }
    };
    move |group, depth, n| {
        let (tap, i) = (depth / stored_inputs, depth % stored_inputs);
        match algorithm {
            Algorithm::Direct | Algorithm::Winograd => at(n, i, tap / k, tap % k),
            Algorithm::ShiftedColumns => at(n % 3, i, tap, n / 3),
            Algorithm::FourPhase => {
                // Big-map taps that fall on the first and second small-map pixel of a phase.
                let taps = |phase: usize, half: usize| match (phase, half) {
                    (0, 0) => 0..1,
                    (0, _) => 1..3,
                    (_, 0) => 0..2,
                    _ => 2..3,
                };
                let rows = taps(group / 2, tap / 2);
                rows.flat_map(|ky| taps(group % 2, tap % 2).map(move |kx| (ky, kx)))
                    .map(|(ky, kx)| at(n, i, ky, kx))
                    .sum()
            }
        }
    }
}

/// A convolution's weights as small integers, and what its input becomes bytes by.
#[derive(Clone, Debug)]
pub struct ByteWeights {
    /// The integers.
    pub panels: Panels<i8>,
    /// What a column's sums are multiplied by; for every column as stored.
    pub scale: Vec<f32>,
    /// The value of byte 0, by channel as packed.
    pub low: Vec<f32>,
    /// Bytes for a value of one, by channel as packed; 0 where there is no channel.
    pub bytes_per_unit: Vec<f32>,
    /// What the constant part of the input adds to each output channel.
    pub constant: Vec<f32>,
}

/// As [`pack`], for an input of a range.
pub fn pack_bytes(
    conv: &ConvLayer,
    weights: &[f32],
    range: &InputRange,
    algorithm: Algorithm,
    packed_inputs: usize,
    lanes: usize,
) -> ByteWeights {
    let is_folded = algorithm == Algorithm::FourPhase;
    let integers = IntegerWeights::new(weights, conv.out_channels, range, is_folded);
    let sides = sides(conv, algorithm, packed_inputs);
    let value = placed(conv, &integers.weight, algorithm, packed_inputs);
    let panels = Panels::interleaved(sides, lanes, BYTES, |group, k, n| value(group, k, n) as i8);
    let mut scale: Vec<f32> = match algorithm {
        Algorithm::ShiftedColumns => integers.scale.repeat(conv.kernel),
        Algorithm::Direct | Algorithm::FourPhase | Algorithm::Winograd => integers.scale.clone(),
    };
    scale.resize(panels.columns, 0.0);
    let taps = conv.kernel * conv.kernel;
    let constant = (integers.weight.chunks_exact(conv.in_channels * taps))
        .zip(&integers.scale)
        .map(|(own, &scale)| {
            let inputs = own
                .chunks_exact(taps)
                .zip(range.low.iter().zip(&range.step));
            let sum: f64 = inputs
                .map(|(taps, (&low, &step))| {
                    let sum: i32 = taps.iter().map(|&w| i32::from(w)).sum();
                    f64::from(sum) * f64::from(low) / f64::from(step)
                })
                .sum();
            (sum * f64::from(scale)) as f32
        })
        .collect();
    let padded = |values: Vec<f32>| {
        let mut values = values;
        values.resize(packed_inputs, 0.0);
        values
    };
    ByteWeights {
        panels,
        scale,
        low: padded(range.low.clone()),
        bytes_per_unit: padded(range.step.iter().map(|step| step.recip()).collect()),
        constant,
    }
}

/// Packs a 3x3 convolution's `[out][in][row][column]`, each output channel's times its scale, for Winograd's
/// algorithm.
pub fn winograd_panels(
    (inputs, outputs): (usize, usize),
    weights: &[f32],
    scale: &dyn Fn(usize) -> f64,
    stored_inputs: usize,
    lanes: usize,
) -> Panels {
    let transformed = winograd_weights((inputs, outputs), weights, scale);
    let outputs_stored = padded_channels(outputs);
    let value = |point: usize, i: usize, o: usize| {
        if i < inputs {
            transformed[(point * inputs + i) * outputs_stored + o]
        } else {
            0.0
        }
    };
    Panels::new(WINOGRAD_POINTS, stored_inputs, outputs, lanes, value)
}

/// G g G^T of F(4x4, 3x3) for every pair of channels, in float64 before rounding:
/// `[point][input][output, padded]`.
fn winograd_weights(
    (inputs, outputs): (usize, usize),
    weights: &[f32],
    scale: &dyn Fn(usize) -> f64,
) -> Vec<f32> {
    const G: [[f64; 3]; 6] = [
        [0.25, 0.0, 0.0],
        [-1.0 / 6.0, -1.0 / 6.0, -1.0 / 6.0],
        [-1.0 / 6.0, 1.0 / 6.0, -1.0 / 6.0],
        [1.0 / 24.0, 1.0 / 12.0, 1.0 / 6.0],
        [1.0 / 24.0, -1.0 / 12.0, 1.0 / 6.0],
        [0.0, 0.0, 1.0],
    ];
    let outputs = padded_channels(outputs);
    let mut result = vec![0.0; WINOGRAD_POINTS * inputs * outputs];
    for (pair, g) in weights.chunks_exact(9).enumerate() {
        let (o, i) = (pair / inputs, pair % inputs);
        let scale = scale(o);
        for (row, g_row) in G.iter().enumerate() {
            for (column, g_column) in G.iter().enumerate() {
                let mut sum = 0.0;
                for (y, &a) in g_row.iter().enumerate() {
                    for (x, &b) in g_column.iter().enumerate() {
                        sum += a * b * f64::from(g[3 * y + x]);
                    }
                }
                result[((row * 6 + column) * inputs + i) * outputs + o] = (sum * scale) as f32;
            }
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_last_narrow_panel_holds_one_vector() {
        let p = Panels::new(2, 3, 40, 16, |g, k, n| (g * 1000 + k * 100 + n) as f32);
        let list: Vec<_> = p.panels().collect();
        assert_eq!(
            list,
            [
                Panel {
                    first: 0,
                    vectors: 2
                },
                Panel {
                    first: 32,
                    vectors: 1
                }
            ]
        );
        let start = p.group(list[1], 1);
        // SAFETY: the group holds 3 rows of 16 values.
        let row = unsafe { std::slice::from_raw_parts(start, 48) };
        assert_eq!(
            (row[0], row[16], row[7], row[8]),
            (1032.0, 1132.0, 1039.0, 0.0)
        );
    }
}
