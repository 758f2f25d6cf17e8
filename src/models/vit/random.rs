//! Networks for any style picture with made-up weights, for measuring and checking.
//!
//! Every value follows from its place alone, and is exact in single precision, so that `tests/golden/made_up.py` makes
//! the same network without a file. Value `i` of weight `t` of [`Spec::weights`] is `mean + spread * (2k + 1) / 256`
//! with `k` from -128 to 127: the upper 8 bits of what `mixed` makes of both. Of layers, with `b` binary digits in the
//! number of inputs of one output, `mean` is 0 and `spread` a power of two, `2^(1 - b/2)`, of the last layer a quarter
//! of that; scales of norms have `1` and `1/2`, biases and offsets `0` and `1/4`.

use super::{Head, Spec, State, StyleCode, Transformer, TransformerError};

/// What stands for a weight's number where there is none: the code.
const CODE: u32 = 0xffff;

/// Sums and products are of 32 bits, what is above is lost.
fn mixed(weight: u32, value: u32) -> u32 {
    let seed =
        value.wrapping_mul(2_654_435_761).wrapping_add((weight + 1).wrapping_mul(0x9e37_79b9));
    let half = (seed ^ (seed >> 15)).wrapping_mul(0x2c1b_3c6d);
    half ^ (half >> 12)
}

/// Between -1 and 1.
fn share(weight: u32, value: usize) -> f32 {
    let upper = mixed(weight, value as u32) >> 24;
    (2.0 * upper as f32 - 255.0) / 256.0
}

impl Transformer {
    /// A network of these sizes whose values stay in range.
    ///
    /// # Errors
    /// [`TransformerError::Spec`] for sizes that make no network.
    pub fn made_up(spec: Spec) -> Result<Self, TransformerError> {
        spec.check()?;
        let last = match spec.head {
            Head::Unpatch => "head.pixels.weight",
            Head::Convolutions { .. } => "head.out.conv.weight",
        };
        let mut state = State::new();
        for (number, (name, shape)) in (0u32..).zip(spec.weights()) {
            let (mean, spread) = match shape.as_slice() {
                [_] if name.ends_with("weight") => (1.0, 0.5),
                [_] => (0.0, 0.25),
                sides => {
                    let inputs: usize = sides.iter().skip(1).product();
                    let halves = (usize::BITS - inputs.leading_zeros()) / 2;
                    let spread = 2.0 / 2f32.powi(halves as i32);
                    (0.0, if name == last { spread / 4.0 } else { spread })
                }
            };
            let count = shape.iter().product();
            let values = (0..count).map(|value| mean + spread * share(number, value));
            state.insert(name, values.collect());
        }
        Self::new(spec, state)
    }

    /// A code that no picture gave.
    ///
    /// # Errors
    /// Never; passed on, not hidden.
    pub fn made_up_code(&self) -> Result<StyleCode, TransformerError> {
        let dim = self.spec().dim;
        let values = (0..self.spec().code_len()).map(|at| {
            // Deviations are above zero.
            let mean = if (dim..2 * dim).contains(&at) { 1.0 } else { 0.0 };
            mean + 0.5 * share(CODE, at)
        });
        self.code_of_values(values.collect())
    }
}
