//! Records of what single kernels read, computed and wrote, in terms of the network, so that a check can judge
//! each kernel by itself. Plain data; knows no device.

use crate::{
    frame::Frame,
    tensor::{Shape, Tensor},
};

/// What a kernel computes, as its definition reads. Convolutions are named by their place in the
/// network; their weights, and the norm's gamma and beta, are the network's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Work {
    /// The photo's levels times a factor.
    Load {
        /// The factor.
        factor: f32,
    },
    /// Reflection padding.
    Pad {
        /// Pixels on every side.
        margin: usize,
    },
    /// Nearest neighbour, twice the size.
    Upsample,
    /// Negative values become zero.
    Relu,
    /// The sum of both maps that were read.
    Add,
    /// Every channel minus its mean, by its deviation.
    Normalise {
        /// Added to the variance.
        eps: f32,
    },
    /// Gamma and beta.
    Affine { conv: usize },
    /// A convolution's bias.
    Bias {
        conv: usize,
        /// Factor on it.
        factor: f32,
    },
    /// A whole norm, then ReLU or the sum with the second map that was read.
    Norm {
        conv: usize,
        /// Added to the variance.
        eps: f32,
        /// Whether a ReLU follows.
        relu: bool,
    },
    /// A whole norm as the next layer is to apply it, not rounded after it.
    Statistics {
        conv: usize,
        /// Added to the variance.
        eps: f32,
    },
    /// ReLU of the map that was read, or the sum of both, kept for a later step.
    Keep {
        /// Whether it is the ReLU.
        relu: bool,
    },
    /// A convolution of the map that was read, or of its ReLU, or of the sum of both.
    Conv {
        conv: usize,
        /// Whether a ReLU comes first.
        relu: bool,
        /// Whether the map is doubled before.
        doubled: bool,
        /// Pixels of reflection on every side.
        margin: usize,
        /// Factor on the bias: that on the levels, where the input is scaled.
        bias_factor: f32,
    },
    /// The top left of the map that was read: the picture before rounding.
    Store,
}

impl Work {
    /// A convolution of a map as it is, with so much of its bias.
    pub const fn plain_conv(conv: usize, bias_factor: f32) -> Self {
        Self::Conv { conv, relu: false, doubled: false, margin: 0, bias_factor }
    }

    /// In a word or two, for reports.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Load { .. } => "load",
            Self::Pad { .. } => "pad",
            Self::Upsample => "upsample",
            Self::Relu => "relu",
            Self::Add => "add",
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

/// What one kernel, or several that only together compute something, did in a run.
#[derive(Clone, Debug, PartialEq)]
pub struct KernelRecord {
    /// Layer that it belongs to.
    pub layer: String,
    /// The kernel's entry; several are joined by `+`.
    pub kernel: String,
    /// What it should have computed.
    pub work: Work,
    /// What it read: one map or two of one extent.
    pub read: Vec<Tensor>,
    /// What it wrote.
    pub wrote: Tensor,
}

/// Random values that take the place of the maps between kernels, where a kernel reads a map as it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fill {
    /// Their mean.
    pub mean: f32,
    /// Their standard deviation.
    pub deviation: f32,
    /// Where the sequence of random numbers begins.
    pub seed: u64,
}

impl Fill {
    /// `count` values, roughly normal (the sum of twelve even ones); other `salt`, other values.
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

/// The photo as a network sees it, times a factor.
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
