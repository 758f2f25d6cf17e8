//! The geometry of any convolution: which inputs each output reads.
//!
//! A convolution is cut into phases along each axis. A plain convolution has one phase. A transposed convolution of
//! stride `s` has `s` phases, because every `s`-th output is a small convolution of the input with every `s`-th weight.
//! Nothing is multiplied by the zeros that the definition inserts between inputs.

use network::graph::{Conv, Op, Sides};
use values::tensor::Shape;

/// A weight of one axis, and the input that it multiplies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tap {
    /// The input that place 0 of the grid reads.
    pub offset: isize,
    /// Row or column of the kernel.
    pub kernel: usize,
}

/// The outputs of one axis that have the same taps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phase {
    /// The output of place 0 of the grid; may be before the map.
    pub output: isize,
    /// The taps of these outputs, in ascending order of offset. Empty if no weight reaches them.
    pub taps: Vec<Tap>,
}

/// Rows or columns of a convolution. Place `g` of the grid reads the inputs `g * in_step + offset` and writes the
/// outputs `g * out_step + output`, if these are inside the map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis {
    /// Inputs from place to place.
    pub in_step: usize,
    /// Outputs from place to place.
    pub out_step: usize,
    /// Number of places.
    pub count: usize,
    /// In ascending order of output.
    pub phases: Vec<Phase>,
}

impl Axis {
    fn plain(conv: &Conv, axis: usize, before: usize, outputs: usize) -> Self {
        let tap = |kernel: usize| Tap {
            offset: (kernel * conv.dilation[axis]) as isize - before as isize,
            kernel,
        };
        Self {
            in_step: conv.stride[axis],
            out_step: 1,
            count: outputs,
            phases: vec![Phase { output: 0, taps: (0..conv.kernel[axis]).map(tap).collect() }],
        }
    }

    pub fn transposed(conv: &Conv, axis: usize, cut: usize, outputs: usize) -> Self {
        let (stride, dilation) = (conv.stride[axis], conv.dilation[axis]);
        // Output `o` and weight `k` meet at input `(o + cut - k * dilation) / stride`.
        let first = cut / stride;
        let phase = |phase: usize| {
            let meets = |k: &usize| k * dilation % stride == phase;
            let tap = |kernel: usize| Tap {
                offset: first as isize - (kernel * dilation / stride) as isize,
                kernel,
            };
            Phase {
                output: (first * stride + phase) as isize - cut as isize,
                taps: (0..conv.kernel[axis]).rev().filter(meets).map(tap).collect(),
            }
        };
        Self {
            in_step: 1,
            out_step: stride,
            count: (outputs - 1 + cut) / stride + 1 - first,
            phases: (0..stride).map(phase).collect(),
        }
    }

    /// The first and the last offset of all phases.
    pub fn offsets(&self) -> (isize, isize) {
        let taps = || self.phases.iter().flat_map(|phase| &phase.taps);
        let offsets = || taps().map(|tap| tap.offset);
        (offsets().min().unwrap_or(0), offsets().max().unwrap_or(0))
    }

    /// Inputs from the first to the last that one place reads, both included.
    pub fn span(&self) -> usize {
        let (first, last) = self.offsets();
        (last - first) as usize + 1
    }

    /// True if the taps of every phase are adjacent.
    pub fn is_dense(&self) -> bool {
        self.phases.iter().all(|phase| {
            phase.taps.windows(2).into_iter().all(|pair| pair[1].offset == pair[0].offset + 1)
        })
    }

    /// Maximum number of taps of a phase.
    pub fn max_taps(&self) -> usize {
        self.phases.iter().map(|phase| phase.taps.len()).max().unwrap_or(0)
    }

    /// The outputs of the places `first..end` that are inside a side of `side` outputs.
    pub fn outputs(&self, first: usize, end: usize, side: usize) -> (usize, usize) {
        let start = self.phases.first().map_or(0, |phase| phase.output);
        let inside = |place: usize| {
            ((place * self.out_step) as isize + start).clamp(0, side as isize) as usize
        };
        (inside(first), inside(end))
    }
}

/// A convolution and what it reads.
pub struct ConvGeometry {
    pub conv: Conv,
    pub is_transposed: bool,
    /// Rows, then columns.
    pub axes: [Axis; 2],
}

impl ConvGeometry {
    /// The geometry of a convolution that makes `output`, with `margin` around its input. `None` for another operation.
    pub fn of(op: &Op, margin: Sides, output: Shape) -> Option<Self> {
        let sides = [output.height, output.width];
        let (conv, is_transposed, ends) = match *op {
            Op::Conv2d(conv) => (conv, false, margin),
            Op::ConvTranspose2d { conv, cut, .. } => (conv, true, cut),
            _ => return None,
        };
        let of = if is_transposed { Axis::transposed } else { Axis::plain };
        let axes = [0, 1].map(|axis| of(&conv, axis, ends.of_axis(axis)[0], sides[axis]));
        Some(Self { conv, is_transposed, axes })
    }
}
