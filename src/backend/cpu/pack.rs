//! Weights in the order in which the kernels read them.
//!
//! A packed matrix is cut into panels of two vectors of columns (the last may be one vector); a
//! panel holds its groups (phases, Winograd points) one after another, each as rows of K.

use crate::plan::{
    ConvLayer,
    cpu::{Algorithm, WINOGRAD_POINTS, padded_channels},
};

/// Packed weights of one convolution.
#[derive(Clone, Debug)]
pub struct Panels {
    data: Vec<f32>,
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
                for k in 0..depth {
                    for n in panel.first..panel.first + panel.vectors * lanes {
                        let v = if n < columns { value(group, k, n) } else { 0.0 };
                        packed.data.push(v);
                    }
                }
            }
        }
        packed
    }

    /// The panels, left to right.
    pub fn panels(&self) -> impl Iterator<Item = Panel> + use<> {
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
    pub fn group(&self, panel: Panel, group: usize) -> *const f32 {
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
    let (k, inputs, outputs) = (conv.kernel, conv.in_channels, conv.out_channels);
    let at = |o: usize, i: usize, ky: usize, kx: usize| {
        if i < inputs {
            weights[((o * inputs + i) * k + ky) * k + kx]
        } else {
            0.0
        }
    };
    match algorithm {
        Algorithm::Direct => {
            Panels::new(1, k * k * stored_inputs, outputs, lanes, |_, depth, o| {
                let (tap, i) = (depth / stored_inputs, depth % stored_inputs);
                at(o, i, tap / k, tap % k)
            })
        }
        Algorithm::ShiftedColumns => {
            Panels::new(1, k * stored_inputs, 3 * k, lanes, |_, depth, n| {
                at(n % 3, depth % stored_inputs, depth / stored_inputs, n / 3)
            })
        }
        Algorithm::FourPhase => {
            // Big-map taps that fall on the first and second small-map pixel of a phase.
            let taps = |phase: usize, half: usize| match (phase, half) {
                (0, 0) => 0..1,
                (0, _) => 1..3,
                (_, 0) => 0..2,
                _ => 2..3,
            };
            Panels::new(4, 4 * stored_inputs, outputs, lanes, |phase, depth, o| {
                let (tap, i) = (depth / stored_inputs, depth % stored_inputs);
                let mut sum = 0.0f64;
                for ky in taps(phase / 2, tap / 2) {
                    for kx in taps(phase % 2, tap % 2) {
                        sum += f64::from(at(o, i, ky, kx));
                    }
                }
                sum as f32
            })
        }
        Algorithm::Winograd => {
            winograd_panels((inputs, outputs), weights, &|_| 1.0, stored_inputs, lanes)
        }
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
