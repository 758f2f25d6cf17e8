//! Records of what each kernel read, computed and wrote, in terms of the network. With them, a check can judge each
//! kernel separately. Plain data that knows no device.

use network::graph::Op;
use values::{
    frame::Frame,
    tensor::{Shape, Tensor},
};

/// What a kernel computes, by its definition. Convolutions are identified by their index in the network. Their weights
/// and the norm's gamma and beta are those of the network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Work {
    /// The photo's levels times a factor.
    Load { factor: f32 },
    /// A node of the graph, as it is: padding by reflection, upsampling, ReLU, or the sum of the two maps that were
    /// read.
    Node(Op),
    /// Each channel minus its mean, divided by its standard deviation.
    Normalise {
        /// Added to the variance.
        eps: f32,
    },
    /// Scales by gamma and adds beta.
    Affine { conv: usize },
    /// Adds a convolution's bias.
    Bias {
        conv: usize,
        /// Factor on the bias.
        factor: f32,
    },
    /// A whole norm, followed by ReLU or by the sum with the second map that was read.
    Norm {
        conv: usize,
        /// Added to the variance.
        eps: f32,
        /// ReLU follows.
        relu: bool,
    },
    /// A whole norm as the next layer applies it, without rounding the result.
    Statistics {
        conv: usize,
        /// Added to the variance.
        eps: f32,
    },
    /// ReLU of the map that was read, or the sum of both maps, kept for a later step.
    Keep {
        /// ReLU instead of the sum.
        relu: bool,
    },
    /// A convolution of the map that was read, of its ReLU, or of the sum of both maps.
    Conv {
        conv: usize,
        /// ReLU comes first.
        relu: bool,
        /// The map is first upsampled by 2.
        doubled: bool,
        /// Reflection padding in pixels on every side; below zero, what is cut off.
        margin: isize,
        /// Factor on the bias: that on the levels, if the input is scaled.
        bias_factor: f32,
    },
    /// The top left of the map that was read: the picture before rounding.
    Store,
}

impl Work {
    /// A convolution of an unchanged map, with this factor on its bias.
    pub const fn plain_conv(conv: usize, bias_factor: f32) -> Self {
        Self::Conv { conv, relu: false, doubled: false, margin: 0, bias_factor }
    }

    /// A short name for reports.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Load { .. } => "load",
            Self::Node(op) => op.name(),
            Self::Normalise { .. } => "normalise",
            Self::Affine { .. } => "affine",
            Self::Bias { .. } => "bias",
            Self::Norm { .. } => "norm",
            Self::Statistics { .. } => "statistics",
            Self::Keep { .. } => "residual stream",
            Self::Conv { .. } => "convolution",
            Self::Store => "store",
        }
    }
}

/// What one kernel did in a run, or several kernels that compute something only together.
#[derive(Clone, Debug, PartialEq)]
pub struct KernelRecord {
    pub layer: String,
    /// The kernel's entry point; several are joined by `+`.
    pub kernel: String,
    pub work: Work,
    /// One map, or two of the same size.
    pub read: Vec<Tensor>,
    pub wrote: Tensor,
}

/// Random values that replace the maps between kernels, for kernels that read a map unchanged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fill {
    pub mean: f32,
    /// Their standard deviation.
    pub deviation: f32,
    /// Start of the sequence of random numbers.
    pub seed: u64,
}

impl Fill {
    /// `count` values, roughly normal (each is the sum of twelve uniform values). Another `salt` gives other values.
    pub fn values(&self, salt: u64, count: usize) -> Vec<f32> {
        let mut state = (self.seed ^ salt.wrapping_mul(0x9e37_79b9_7f4a_7c15)) | 1;
        let mut unit = move || {
            // Marsaglia's xorshift.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1 << 24) as f32
        };
        let normal =
            move |_| self.mean + self.deviation * ((0..12).map(|_| unit()).sum::<f32>() - 6.0);
        (0..count).map(normal).collect()
    }
}

/// The photo as a network reads it, times a factor.
pub fn levels(photo: &Frame, factor: f32) -> Tensor {
    let (height, width) = (photo.height(), photo.width());
    let mut tensor = Tensor::zeros(Shape::new(3, height, width));
    for (at, pixel) in photo.rgba().chunks_exact(4).enumerate() {
        for (channel, &level) in pixel[..3].iter().enumerate() {
            tensor.data[channel * height * width + at] = f32::from(level) * factor;
        }
    }
    tensor
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_their_mean_and_deviation() {
        let fill = Fill { mean: 1000.0, deviation: 1.0, seed: 5 };
        let values = fill.values(1, 4000);
        let mean = values.iter().sum::<f32>() / 4000.0;
        let square = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f32>() / 4000.0;
        assert!((mean - 1000.0).abs() < 0.1, "{mean}");
        assert!((square.sqrt() - 1.0).abs() < 0.05, "{square}");
        assert_eq!(values, fill.values(1, 4000));
        assert_ne!(values, fill.values(2, 4000));
    }
}
