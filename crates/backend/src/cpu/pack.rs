//! Weights in the order in which the kernels read them.
//!
//! A packed matrix is cut into panels of two vectors of columns (the last may have one vector). A panel contains its
//! groups (phases, Winograd points) one after another, each as rows of K. In panels of bytes, four rows of K are
//! interleaved column by column.

use rayon::prelude::*;

use super::{
    bytes::BYTES,
    winograd::{Doubled, FourOutputs, Strided, ThreeOutputs, Transform},
};
use network::quantisation::{InputRange, IntegerWeights};
use plan::{
    ConvLayer,
    cpu::{Algorithm, Blocks, TileKind},
    phase_taps,
};

/// Packed weights of one convolution.
#[derive(Clone, Debug)]
pub struct Panels<T = f32> {
    data: Vec<T>,
    /// A multiple of 16.
    pub columns: usize,
    /// Rows of K in every group.
    pub depth: usize,
    pub groups: usize,
    lanes: usize,
}

/// One panel of columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Panel {
    pub first: usize,
    /// Vectors of columns: 2, or 1 in a narrow last panel.
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
        let mut packed = Self::empty((groups, depth, columns), lanes);
        packed.data.reserve(groups * depth * packed.columns);
        for panel in packed.panels() {
            for group in 0..groups {
                for k in 0..depth {
                    for n in panel.first..panel.first + panel.vectors * lanes {
                        let own = if n < columns { value(group, k, n) } else { 0.0 };
                        packed.data.push(own);
                    }
                }
            }
        }
        packed
    }
}

impl Panels<i8> {
    /// Memory for integers, with [`BYTES`] rows of K interleaved; `BYTES` divides the depth.
    fn zeros(sides: (usize, usize, usize), lanes: usize) -> Self {
        let mut packed = Self::empty(sides, lanes);
        packed.data = vec![0; packed.groups * packed.depth * packed.columns];
        packed
    }

    /// Packs `value(group, k, column)`, which returns the integers of the rows of K from `k`.
    fn fill(&mut self, value: impl Fn(usize, usize, usize) -> [i8; BYTES] + Sync) {
        let panels: Vec<Panel> = self.panels().collect();
        let (depth, groups, lanes) = (self.depth, self.groups, self.lanes);
        let data = self.data.par_chunks_mut(2 * lanes * depth * groups);
        data.zip(panels).for_each(|(data, panel)| {
            let columns = panel.first..panel.first + panel.vectors * lanes;
            let mut rest = data.chunks_exact_mut(BYTES);
            for group in 0..groups {
                for k in (0..depth).step_by(BYTES) {
                    for (n, to) in columns.clone().zip(&mut rest) {
                        to.copy_from_slice(&value(group, k, n));
                    }
                }
            }
        });
    }
}

impl<T> Panels<T> {
    fn empty((groups, depth, columns): (usize, usize, usize), lanes: usize) -> Self {
        Self { data: Vec::new(), columns: columns.next_multiple_of(16), depth, groups, lanes }
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

/// Packs a convolution's `[out][in][row][column]` for an algorithm. `stored_inputs` is the number of channels of the
/// input as stored in memory.
pub fn pack(
    conv: &ConvLayer,
    weights: &[f32],
    algorithm: Algorithm,
    stored_inputs: usize,
    lanes: usize,
) -> Panels {
    let channels = (conv.in_channels, conv.out_channels);
    match algorithm {
        Algorithm::Winograd(kind) => {
            let panels = match kind {
                TileKind::Plain => winograd_panels::<FourOutputs>,
                TileKind::Doubled => winograd_panels::<Doubled>,
                TileKind::Strided => winograd_panels::<Strided>,
            };
            return panels(channels, weights, &|_| 1.0, stored_inputs, lanes);
        }
        Algorithm::BlockedWinograd => return block_panels(conv, weights, stored_inputs, lanes),
        Algorithm::Direct | Algorithm::FourPhase | Algorithm::ShiftedColumns => {}
    }
    let (groups, depth, columns) = sides(conv, algorithm, stored_inputs);
    let (k, inputs) = (conv.kernel, conv.in_channels);
    let at = |o: usize, i: usize, ky: usize, kx: usize| -> f64 {
        if i < inputs { f64::from(weights[((o * inputs + i) * k + ky) * k + kx]) } else { 0.0 }
    };
    // One of the weights, or the sum of several.
    Panels::new(groups, depth, columns, lanes, |group, depth, n| {
        let (tap, i) = (depth / stored_inputs, depth % stored_inputs);
        let value = match algorithm {
            Algorithm::ShiftedColumns => at(n % 3, i, tap, n / 3),
            Algorithm::FourPhase => phase_taps(group / 2, tap / 2)
                .flat_map(|ky| phase_taps(group % 2, tap % 2).map(move |kx| (ky, kx)))
                .map(|(ky, kx)| at(n, i, ky, kx))
                .sum(),
            _ => at(n, i, tap / k, tap % k),
        };
        value as f32
    })
}

/// Groups, rows of K and columns of a convolution's packed weights, for all algorithms except Winograd's.
fn sides(conv: &ConvLayer, algorithm: Algorithm, stored_inputs: usize) -> (usize, usize, usize) {
    let k = conv.kernel;
    match algorithm {
        Algorithm::ShiftedColumns => (1, k * stored_inputs, 3 * k),
        Algorithm::FourPhase => (4, 4 * stored_inputs, conv.out_channels),
        _ => (1, k * k * stored_inputs, conv.out_channels),
    }
}

/// A convolution's weights as small integers, and the factors that turn its input into bytes.
#[derive(Clone, Debug)]
pub struct ByteWeights {
    integers: IntegerWeights,
    algorithm: Algorithm,
    kernel: usize,
    outputs: usize,
    /// No norm after the convolution subtracts what constants add.
    is_last: bool,
    pub panels: Panels<i8>,
    /// Factor on a column's sums, for every stored column.
    pub scale: Vec<f32>,
    /// The value that byte 0 stands for, for every packed channel.
    pub low: Vec<f32>,
    /// Bytes per unit of value, for every packed channel.
    pub bytes_per_unit: Vec<f32>,
    /// What the constant part of the input adds to each output channel; empty if a norm follows.
    pub constant: Vec<f32>,
}

impl ByteWeights {
    /// Packs a convolution's `[out][in][row][column]`. If it reads the photo, the weights are fitted to levels;
    /// otherwise they are not fitted yet.
    pub fn new(
        conv: &ConvLayer,
        weights: &[f32],
        algorithm: Algorithm,
        packed_inputs: usize,
        lanes: usize,
    ) -> Self {
        let inputs = (conv.in_channels, packed_inputs);
        let (kernel, outputs) = (conv.kernel, conv.out_channels);
        let is_folded = algorithm == Algorithm::FourPhase;
        let panels = Panels::zeros(sides(conv, algorithm, packed_inputs), lanes);
        let mut own = Self {
            integers: IntegerWeights::new(weights, outputs, kernel, inputs, is_folded),
            algorithm,
            kernel,
            outputs,
            is_last: conv.norm_name.is_none(),
            scale: vec![0.0; panels.columns],
            panels,
            low: vec![0.0; packed_inputs],
            bytes_per_unit: vec![0.0; packed_inputs],
            constant: Vec::new(),
        };
        if conv.reads_photo {
            own.fit(InputRange::levels(packed_inputs));
        }
        own
    }

    /// Fits the weights to the range of the input, for every packed channel.
    pub fn fit(&mut self, range: InputRange) {
        self.integers.fit(&range.step);
        let columns = match self.algorithm {
            Algorithm::ShiftedColumns => self.kernel * self.outputs,
            _ => self.outputs,
        };
        for (n, scale) in self.scale[..columns].iter_mut().enumerate() {
            *scale = self.integers.scale[n % self.outputs];
        }
        if self.is_last {
            let constants = (0..self.outputs).map(|o| self.integers.constant(o, &range));
            self.constant = constants.collect();
        }
        let (integers, k, stored) = (&self.integers, self.kernel, range.step.len());
        let algorithm = self.algorithm;
        self.panels.fill(|group, depth, n| {
            if n >= columns {
                return [0; BYTES];
            }
            let (tap, input) = (depth / stored, depth % stored);
            let fours = |output: usize, tap: usize| -> [i16; BYTES] {
                let four = &integers.of_tap(output, tap)[input..input + BYTES];
                std::array::from_fn(|at| four[at])
            };
            let factors = match algorithm {
                Algorithm::ShiftedColumns => fours(n % 3, tap * k + n / 3),
                Algorithm::FourPhase => {
                    let mut sum = [0i16; BYTES];
                    for row in phase_taps(group / 2, tap / 2) {
                        for column in phase_taps(group % 2, tap % 2) {
                            let parts = fours(n, row * k + column);
                            sum = std::array::from_fn(|at| sum[at].saturating_add(parts[at]));
                        }
                    }
                    sum
                }
                _ => fours(n, tap),
            };
            factors.map(|factor| factor.clamp(-127, 127) as i8)
        });
        self.low = range.low;
        self.bytes_per_unit = range.step.iter().map(|step| step.recip()).collect();
    }
}

/// A convolution's packed weights.
pub enum Packed {
    Single(Panels),
    Bytes(Box<ByteWeights>),
}

/// Packs a 3x3 convolution's `[out][in][row][column]`, with each output channel multiplied by its scale, for one of
/// Winograd's algorithms.
pub fn winograd_panels<T: Transform>(
    (inputs, outputs): (usize, usize),
    weights: &[f32],
    scale: &dyn Fn(usize) -> f64,
    stored_inputs: usize,
    lanes: usize,
) -> Panels {
    let (groups, depth) = (T::WEIGHTS.len() * T::WEIGHTS.len(), stored_inputs);
    Panels::new(groups, depth, outputs, lanes, |group, i, o| {
        if i >= inputs {
            return 0.0;
        }
        let own = &weights[9 * (o * inputs + i)..];
        (transformed::<T>(group, |y, x| f64::from(own[3 * y + x])) * scale(o)) as f32
    })
}

/// Packs a convolution's `[out][in][row][column]` in blocks of 3x3 weights: as rows of K if it reads the photo,
/// otherwise as columns of three colours each.
fn block_panels(conv: &ConvLayer, weights: &[f32], stored_inputs: usize, lanes: usize) -> Panels {
    let (k, inputs, outputs) = (conv.kernel, conv.in_channels, conv.out_channels);
    let side = Blocks::of(conv).map_or(0, |blocks| blocks.side);
    let at = |point: usize, block: usize, i: usize, o: usize| -> f32 {
        transformed::<ThreeOutputs>(point, |y, x| {
            let (y, x) = (block / side * 3 + y, block % side * 3 + x);
            if y < k && x < k && i < inputs {
                f64::from(weights[((o * inputs + i) * k + y) * k + x])
            } else {
                0.0
            }
        }) as f32
    };
    let (points, blocks) = (ThreeOutputs::POINTS * ThreeOutputs::POINTS, side * side);
    if conv.reads_photo {
        Panels::new(points, blocks * stored_inputs, outputs, lanes, |point, depth, o| {
            at(point, depth / stored_inputs, depth % stored_inputs, o)
        })
    } else {
        Panels::new(points, stored_inputs, blocks * outputs, lanes, |point, i, n| {
            at(point, n / outputs, i, n % outputs)
        })
    }
}

/// A group of transformed 3x3 weights, computed in float64 and not yet rounded.
fn transformed<T: Transform>(group: usize, weight: impl Fn(usize, usize) -> f64) -> f64 {
    let side = T::WEIGHTS.len();
    let (rows, columns) = (&T::WEIGHTS[group / side], &T::WEIGHTS[group % side]);
    let mut sum = 0.0;
    for (y, row) in rows.iter().enumerate() {
        for (x, column) in columns.iter().enumerate() {
            sum += row * column * weight(y, x);
        }
    }
    sum
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;
    use network::models::johnson::NetworkSpec;
    use plan::cpu::padded_channels;

    #[test]
    fn a_last_narrow_panel_holds_one_vector() {
        let p = Panels::new(2, 3, 40, 16, |g, k, n| (g * 1000 + k * 100 + n) as f32);
        let list: Vec<_> = p.panels().collect();
        assert_eq!(list, [Panel { first: 0, vectors: 2 }, Panel { first: 32, vectors: 1 }]);
        let start = p.group(list[1], 1);
        // SAFETY: the group holds 3 rows of 16 values.
        let row = unsafe { std::slice::from_raw_parts(start, 48) };
        assert_eq!((row[0], row[16], row[7], row[8]), (1032.0, 1132.0, 1039.0, 0.0));
    }

    /// Includes kernels whose middle weight alone is not a valid factor, because its neighbours cancel most of it.
    #[test]
    fn all_phases_of_folded_integers_have_one_total() {
        let network = NetworkSpec::with_widths([8, 16, 32]).random(3);
        let convs = ConvLayer::of_graph(network.expect("a network").graph());
        let conv = convs.iter().find(|conv| conv.upsample).expect("one");
        let sharp = [0.1, -0.9, 0.1, -0.9, 3.6, -0.9, 0.1, -0.9, 0.1];
        let pairs = conv.in_channels * conv.out_channels;
        let weights: Vec<f32> =
            (0..pairs).flat_map(|pair| sharp.map(|w| w * (1.0 + (pair % 7) as f32))).collect();
        let inputs = padded_channels(conv.in_channels);
        let mut own = ByteWeights::new(conv, &weights, Algorithm::FourPhase, inputs, 8);
        let steps = (0..inputs).map(|channel| (0.0, 1.0 + channel as f32));
        own.fit(InputRange::between(steps));
        let of = |group: usize, n: usize, input: usize| -> i32 {
            let panel = own
                .panels
                .panels()
                .find(|p| (p.first..p.first + 16).contains(&n))
                .expect("a panel");
            let (start, width) = (own.panels.group(panel, group), own.panels.width(panel));
            let at = |tap: usize| {
                let depth = tap * inputs + input;
                let at = (depth / BYTES * width + n - panel.first) * BYTES + depth % BYTES;
                // SAFETY: inside the group, which contains four taps of all inputs and the panel's columns.
                i32::from(unsafe { *start.add(at) })
            };
            (0..4).map(at).sum()
        };
        for n in 0..conv.out_channels {
            for input in 0..conv.in_channels {
                let totals = [0, 1, 2, 3].map(|group| of(group, n, input));
                assert_eq!(totals, [totals[0]; 4], "{n} {input}");
            }
        }
        assert!((0..4).any(|group| of(group, 0, conv.in_channels - 1) != 0));
    }
}
