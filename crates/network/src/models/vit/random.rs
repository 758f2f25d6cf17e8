//! Style transformers with random weights, for benchmarks and checks.
//!
//! Every value follows from its index alone and is exact in single precision, so that `tests/golden/made_up.py`
//! generates the same network without a file. Value `i` of weight `t` of [`Spec::weights`] is `mean + spread * (2k + 1)
//! / 256` with `k` from -128 to 127. `k` is the upper 8 bits of `mixed(t, i)`. For layers, `mean` is 0 and `spread` is
//! `2^(1 - b/2)`, where `b` is the number of binary digits of the number of inputs per output; `b/2` is rounded down.
//! For the last layer, `spread` is a quarter of that. For scales of norms, `mean` is `1` and `spread` is `1/2`; for
//! biases and offsets, `0` and `1/4`.

use super::{Head, Spec, State, StyleCode, Transformer, TransformerError};

/// The weight number for values of the code.
const CODE: u32 = 0xffff;

/// A hash of two numbers. Arithmetic is modulo 2^32.
fn mixed(weight: u32, value: u32) -> u32 {
    let seed =
        value.wrapping_mul(2_654_435_761).wrapping_add((weight + 1).wrapping_mul(0x9e37_79b9));
    let half = (seed ^ (seed >> 15)).wrapping_mul(0x2c1b_3c6d);
    half ^ (half >> 12)
}

/// A number between -1 and 1.
fn share(weight: u32, value: usize) -> f32 {
    let upper = mixed(weight, value as u32) >> 24;
    (2.0 * upper as f32 - 255.0) / 256.0
}

impl Transformer {
    /// A network of these sizes with random weights whose values stay in range.
    ///
    /// # Errors
    /// [`TransformerError::Spec`] if the sizes are not valid.
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
            let values = 0..shape.iter().product();
            let values = values.map(|value| mean + spread * share(number, value)).collect();
            state.insert(name, values);
        }
        Self::new(spec, state)
    }

    /// A random code that does not come from a picture.
    ///
    /// # Errors
    /// Does not fail.
    pub fn made_up_code(&self) -> Result<StyleCode, TransformerError> {
        let dim = self.spec().dim;
        let values = (0..self.spec().code_len()).map(|at| {
            // Standard deviations are positive.
            let mean = if (dim..2 * dim).contains(&at) { 1.0 } else { 0.0 };
            mean + 0.5 * share(CODE, at)
        });
        self.code_of_values(values.collect())
    }
}
