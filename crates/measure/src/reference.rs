//! Reference shapes: an instance norm, a convolution with norm and ReLU, and a residual block, on the largest and on
//! the smallest maps of a network like Johnson's. Each is a small graph in an ordinary session whose steps are timed.

use std::sync::Arc;

use serde::Serialize;

use super::{
    MeasureError,
    rounds::{Candidate, MAX_PROFILED, Rounds},
    setup::{Setup, test_pictures},
};
use backend::{BackendError, RunControl};
use network::{
    Network,
    models::johnson::{
        NetworkSpec,
        reference::{AFTER, BEFORE, Part},
    },
};
use values::{mode::Mode, timing::StepTiming};

/// Time and work of a reference shape, summed over its steps.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReferenceTiming {
    /// In JSON reports: `instance-norm`, `conv-norm-relu`, `residual-block`.
    pub shape: &'static str,
    /// In text reports: `conv 3x3 + norm + ReLU`.
    pub name: &'static str,
    /// Input and output channels.
    pub channels: usize,
    /// Rows of input and output.
    pub height: usize,
    /// Columns of input and output.
    pub width: usize,
    /// Sum of the medians of its steps, in microseconds.
    pub us: f64,
    /// Operations in direct form.
    pub flops: u64,
    /// Minimum number of bytes that the steps read and write.
    pub bytes: u64,
    /// The launched kernels, in order.
    pub launches: Vec<String>,
}

/// Divisors of the photo's sides, for the largest and the smallest maps of the network.
const DIVISORS: [usize; 2] = [1, 4];

impl Setup<'_> {
    /// Times the reference shapes in a mode, with the channel counts of the network. Empty for networks other than
    /// Johnson's. Leaves out a shape for which the device has no kernel or no separate step: in fused modes a norm is
    /// part of the convolution that reads it.
    ///
    /// # Errors
    /// See [`Setup::measure`].
    pub fn reference_shapes(
        &self,
        mode: Mode,
        control: &RunControl,
    ) -> Result<Vec<ReferenceTiming>, MeasureError> {
        let Some(spec) = NetworkSpec::recognise(self.subject.network.graph()) else {
            return Ok(Vec::new());
        };
        let [largest, _, smallest] = spec.widths;
        let mut timings = Vec::new();
        for (channels, divisor) in [largest, smallest].into_iter().zip(DIVISORS) {
            let (width, height) = (self.size.0.div_ceil(divisor), self.size.1.div_ceil(divisor));
            let mut add = |shape, name, steps: &[StepTiming]| {
                if !steps.is_empty() {
                    timings.push(ReferenceTiming {
                        shape,
                        name,
                        channels,
                        height,
                        width,
                        us: 1e3 * steps.iter().map(|step| step.ms).sum::<f64>(),
                        flops: steps.iter().map(|step| step.flops).sum(),
                        bytes: steps.iter().map(|step| step.bytes).sum(),
                        launches: steps.iter().map(|step| step.kernel.clone()).collect(),
                    });
                }
            };
            for part in [Part::Layer, Part::ResidualBlock] {
                let network = Arc::new(Network::random(part.graph(channels)?, 1)?);
                let pictures = test_pictures(width, height);
                let frames = self.frames.min(MAX_PROFILED);
                let rounds =
                    Rounds { network: &network, pictures: &pictures, batch: 1, frames, warmup: 1 };
                let candidate = Candidate { backend: self.backend, mode };
                let steps = match rounds.step_times(candidate, control) {
                    Err(MeasureError::Backend(BackendError::Unsupported { .. })) => continue,
                    steps => steps?,
                };
                let (norm, own) = split(&steps);
                match part {
                    Part::Layer => {
                        add("instance-norm", "instance norm + ReLU", norm);
                        add("conv-norm-relu", "conv 3x3 + norm + ReLU", own);
                    }
                    Part::ResidualBlock => add("residual-block", "residual block", own),
                }
            }
        }
        Ok(timings)
    }
}

/// Splits the steps into the norm after the first convolution, and the measured part itself.
fn split(steps: &[StepTiming]) -> (&[StepTiming], &[StepTiming]) {
    let is_before = |step: &StepTiming| step.layer == BEFORE;
    let is_first_conv = |step: &StepTiming| is_before(step) && step.flops > 0;
    let norm = steps.iter().rposition(is_first_conv).map_or(0, |at| at + 1);
    let part = steps.iter().rposition(is_before).map_or(0, |at| at + 1);
    let after = steps.iter().position(|step| step.layer == AFTER).unwrap_or(steps.len());
    (&steps[norm..part], &steps[part..after.max(part)])
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_what_is_between_its_neighbours() {
        let step = |layer: &str, kernel: &str, flops| StepTiming {
            layer: layer.to_owned(),
            kernel: kernel.to_owned(),
            ms: 1.0,
            flops,
            bytes: 1,
        };
        let kernels = |steps: &[StepTiming]| -> Vec<String> {
            steps.iter().map(|step| step.kernel.clone()).collect()
        };
        let steps = [
            step(BEFORE, "pad", 0),
            step(BEFORE, "conv", 9),
            step(BEFORE, "norm", 0),
            step("conv1 to conv2", "chain", 9),
            step(AFTER, "pad", 0),
            step(AFTER, "conv", 9),
        ];
        let (norm, own) = split(&steps);
        assert_eq!((kernels(norm), kernels(own)), (vec!["norm".into()], vec!["chain".into()]));
        // In fused modes the norm is a part of the next layer.
        let fused = [&steps[1..2], &steps[3..4], &steps[5..]].concat();
        let (norm, own) = split(&fused);
        assert_eq!((kernels(norm), kernels(own)), (vec![], vec!["chain".into()]));
        assert_eq!(split(&[]), (&[][..], &[][..]));
    }
}
