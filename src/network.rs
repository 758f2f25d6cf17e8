//! Johnson's TransformerNet as data: its layers, their shapes, its weights, its cost.
//!
//! The architecture and its semantics are those of the fast neural style example of PyTorch
//! (Johnson, Alahi, Fei-Fei 2016): RGB 0 to 255 in and out, reflection padding of half the kernel,
//! instance normalisation with the picture's own biased variance and eps 1e-5, nearest upsampling,
//! and residual blocks that add their input after the second norm without a ReLU.
//!
//! Width, depth and kernel sizes are values here, read from a checkpoint's shapes and never
//! assumed. Knows no file format, no device and no plan. Plain data: any thread may hold it.

use serde::{Deserialize, Serialize};

use crate::tensor::Shape;

/// Added to the variance by every instance norm.
pub const NORM_EPS: f64 = 1e-5;
/// Most residual blocks that a network may have.
pub const MAX_BLOCKS: usize = 16;
/// Most channels of any layer.
pub const MAX_WIDTH: usize = 512;
/// Largest convolution kernel, in pixels a side.
pub const MAX_KERNEL_PX: usize = 15;

/// Kernel sizes, in pixels a side; all odd.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Kernels {
    /// The first convolution, from RGB (9 in the published networks).
    pub first: usize,
    /// The two that halve the map.
    pub down: [usize; 2],
    /// Both convolutions of every residual block.
    pub residual: usize,
    /// The two that follow an upsampling.
    pub up: [usize; 2],
    /// The last, to RGB (9 in the published networks).
    pub last: usize,
}

impl Default for Kernels {
    fn default() -> Self {
        Self {
            first: 9,
            down: [3; 2],
            residual: 3,
            up: [3; 2],
            last: 9,
        }
    }
}

/// Everything that tells one TransformerNet's shape from another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NetworkSpec {
    /// Channels at full, half and quarter size (32, 64, 128 in the published networks).
    pub widths: [usize; 3],
    /// Residual blocks (5 in the published networks).
    pub blocks: usize,
    /// Kernel sizes.
    pub kernels: Kernels,
}

/// What follows a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tail {
    /// Instance norm, then ReLU.
    NormRelu,
    /// Instance norm, then the residual block's input is added.
    NormAdd,
    /// Nothing: the bias of the convolution counts and the values are the picture.
    Picture,
}

/// One convolution with all that surrounds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConvSpec {
    /// Name of the layer, as in the published state dicts: `conv1`, `res1.conv2`, `deconv3`.
    pub name: String,
    /// Name of the norm that follows: `in1`, `res1.in2`; none after the last layer.
    pub norm_name: Option<String>,
    /// Channels read.
    pub in_channels: usize,
    /// Channels written.
    pub out_channels: usize,
    /// Kernel side, in pixels (odd). Padding is `kernel / 2` reflected pixels on each side.
    pub kernel: usize,
    /// 1, or 2 where the map halves.
    pub stride: usize,
    /// Whether the input is doubled by nearest neighbour first.
    pub upsample: bool,
    /// What follows.
    pub tail: Tail,
}

impl ConvSpec {
    /// Pixels of reflection on each side.
    pub fn padding(&self) -> usize {
        self.kernel / 2
    }

    /// Whether this layer reads the picture itself rather than a map.
    pub fn reads_picture(&self) -> bool {
        self.name == "conv1"
    }

    /// Weights of the convolution (without bias).
    pub fn weight_count(&self) -> usize {
        self.out_channels * self.in_channels * self.kernel * self.kernel
    }

    /// Size of the output map for an input map of `height` x `width`.
    pub fn output_size(&self, height: usize, width: usize) -> (usize, usize) {
        let side = |s: usize| {
            let s = if self.upsample { s * 2 } else { s };
            s.div_ceil(self.stride)
        };
        (side(height), side(width))
    }

    /// Floating-point operations (2 per multiply-add) of the direct form, for an output of
    /// `height` x `width`.
    pub fn flops(&self, height: usize, width: usize) -> u64 {
        2 * self.weight_count() as u64 * (height * width) as u64
    }
}

/// Why sizes or weights do not make a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// Outside what this program runs.
    #[error("{what} is {got}, this program runs {limits}")]
    OutOfRange {
        /// What is out of range.
        what: String,
        /// The value found.
        got: usize,
        /// The range in words.
        limits: String,
    },
    /// A layer's values do not fit its shape.
    #[error("{layer} needs {needed} values, got {got}")]
    Length {
        /// The layer and the part.
        layer: String,
        /// Values that the shape asks for.
        needed: usize,
        /// Values given.
        got: usize,
    },
}

impl NetworkSpec {
    /// The published shape at given widths, with five blocks.
    pub fn with_widths(widths: [usize; 3]) -> Self {
        Self {
            widths,
            blocks: 5,
            kernels: Kernels::default(),
        }
    }

    /// Checks that this program can run the network.
    ///
    /// # Errors
    /// [`NetworkError::OutOfRange`] names the first value that it cannot.
    pub fn validate(&self) -> Result<(), NetworkError> {
        let range = |what: &str, got: usize, low: usize, high: usize, odd: bool| {
            if (low..=high).contains(&got) && (!odd || got % 2 == 1) {
                return Ok(());
            }
            let kind = if odd { "odd values from " } else { "" };
            Err(NetworkError::OutOfRange {
                what: what.to_owned(),
                got,
                limits: format!("{kind}{low} to {high}"),
            })
        };
        for (name, width) in ["first", "second", "third"].iter().zip(self.widths) {
            range(&format!("the {name} width"), width, 1, MAX_WIDTH, false)?;
        }
        range(
            "the number of residual blocks",
            self.blocks,
            1,
            MAX_BLOCKS,
            false,
        )?;
        for conv in self.convs() {
            range(
                &format!("the kernel of {}", conv.name),
                conv.kernel,
                1,
                MAX_KERNEL_PX,
                true,
            )?;
        }
        Ok(())
    }

    /// The convolutions in the order in which they run.
    pub fn convs(&self) -> Vec<ConvSpec> {
        let [w1, w2, w3] = self.widths;
        let k = self.kernels;
        let conv = |name: &str, norm: &str, inputs, outputs, kernel, stride| ConvSpec {
            name: name.to_owned(),
            norm_name: Some(norm.to_owned()),
            in_channels: inputs,
            out_channels: outputs,
            kernel,
            stride,
            upsample: false,
            tail: Tail::NormRelu,
        };
        let mut list = vec![
            conv("conv1", "in1", 3, w1, k.first, 1),
            conv("conv2", "in2", w1, w2, k.down[0], 2),
            conv("conv3", "in3", w2, w3, k.down[1], 2),
        ];
        for block in 1..=self.blocks {
            for half in 1..=2 {
                let (name, norm) = (
                    format!("res{block}.conv{half}"),
                    format!("res{block}.in{half}"),
                );
                let mut residual = conv(&name, &norm, w3, w3, k.residual, 1);
                if half == 2 {
                    residual.tail = Tail::NormAdd;
                }
                list.push(residual);
            }
        }
        let up = |name: &str, norm: &str, inputs, outputs, kernel| ConvSpec {
            upsample: true,
            ..conv(name, norm, inputs, outputs, kernel, 1)
        };
        list.push(up("deconv1", "in4", w3, w2, k.up[0]));
        list.push(up("deconv2", "in5", w2, w1, k.up[1]));
        list.push(ConvSpec {
            norm_name: None,
            tail: Tail::Picture,
            ..conv("deconv3", "", w1, 3, k.last, 1)
        });
        list
    }

    /// Output map of every convolution, in order, for a picture of `height` x `width` pixels.
    pub fn maps(&self, height: usize, width: usize) -> Vec<Shape> {
        let (mut h, mut w) = (height, width);
        self.convs()
            .iter()
            .map(|conv| {
                (h, w) = conv.output_size(h, w);
                Shape::new(conv.out_channels, h, w)
            })
            .collect()
    }

    /// Smallest side, in pixels, for which every reflection stays inside its map (5 for the
    /// published kernels). Smaller pictures are extended to it first.
    pub fn min_side_px(&self) -> usize {
        let fits = |side: usize| {
            let mut s = side;
            self.convs().iter().all(|conv| {
                let before = if conv.upsample { s * 2 } else { s };
                s = conv.output_size(s, s).0;
                before > conv.padding()
            })
        };
        (1..).find(|&side| fits(side)).unwrap_or(usize::MAX)
    }

    /// Floating-point operations (2 per multiply-add) of one run on `height` x `width` pixels,
    /// counted on the direct form of every convolution.
    pub fn flops(&self, height: usize, width: usize) -> u64 {
        self.convs()
            .iter()
            .zip(self.maps(height, width))
            .map(|(conv, map)| conv.flops(map.height, map.width))
            .sum()
    }

    /// Parameters: weights, biases, gammas and betas.
    pub fn parameter_count(&self) -> usize {
        self.convs()
            .iter()
            .map(|conv| {
                let norm = if conv.norm_name.is_some() {
                    2 * conv.out_channels
                } else {
                    0
                };
                conv.weight_count() + conv.out_channels + norm
            })
            .sum()
    }
}

/// Scale and shift of an instance norm, one of each per channel.
#[derive(Clone, Debug, PartialEq)]
pub struct NormWeights {
    /// Scale after normalising (`weight` in state dicts).
    pub gamma: Vec<f32>,
    /// Shift after scaling (`bias` in state dicts).
    pub beta: Vec<f32>,
}

/// The trained values of one convolution and of the norm behind it.
#[derive(Clone, Debug, PartialEq)]
pub struct ConvWeights {
    /// `[out][in][row][column]`, as PyTorch stores it.
    pub weight: Vec<f32>,
    /// One value per output channel.
    pub bias: Vec<f32>,
    /// The norm that follows, where there is one.
    pub norm: Option<NormWeights>,
}

/// A network with its weights, complete and of the right lengths.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    spec: NetworkSpec,
    convs: Vec<ConvWeights>,
}

impl Network {
    /// Joins a shape and its weights, one entry per convolution of [`NetworkSpec::convs`].
    ///
    /// # Errors
    /// [`NetworkError`] when the shape is out of range or a length does not fit.
    pub fn new(spec: NetworkSpec, convs: Vec<ConvWeights>) -> Result<Self, NetworkError> {
        spec.validate()?;
        let expected = spec.convs();
        let length = |layer: String, needed: usize, got: usize| {
            if needed == got {
                Ok(())
            } else {
                Err(NetworkError::Length { layer, needed, got })
            }
        };
        length(
            "the network's list of convolutions".to_owned(),
            expected.len(),
            convs.len(),
        )?;
        for (e, c) in expected.iter().zip(&convs) {
            let out = e.out_channels;
            length(
                format!("{}'s weight", e.name),
                e.weight_count(),
                c.weight.len(),
            )?;
            length(format!("{}'s bias", e.name), out, c.bias.len())?;
            let norm_lengths = c
                .norm
                .as_ref()
                .map_or((0, 0), |n| (n.gamma.len(), n.beta.len()));
            let wanted = if e.norm_name.is_some() { out } else { 0 };
            length(
                format!("the norm scale after {}", e.name),
                wanted,
                norm_lengths.0,
            )?;
            length(
                format!("the norm shift after {}", e.name),
                wanted,
                norm_lengths.1,
            )?;
        }
        Ok(Self { spec, convs })
    }

    /// Random weights, the same for the same seed, scaled so that signals keep their size through
    /// the layers and the picture covers the range of levels. For checks and tests, where trained
    /// weights would hide mistakes.
    ///
    /// # Errors
    /// [`NetworkError::OutOfRange`] when the shape is out of range.
    pub fn random(spec: NetworkSpec, seed: u64) -> Result<Self, NetworkError> {
        spec.validate()?;
        let mut random = RandomUnits(seed);
        let convs = spec
            .convs()
            .iter()
            .map(|conv| {
                let fan_in = (conv.weight_count() / conv.out_channels) as f32;
                // The last layer sees values of order one and has to fill 0 to 255.
                let (gain, centre) = if conv.tail == Tail::Picture {
                    (60.0, 127.0)
                } else {
                    (1.0, 0.0)
                };
                let scale = gain * (3.0 / fan_in).sqrt();
                let mut values = |count: usize, centre: f32, spread: f32| -> Vec<f32> {
                    (0..count)
                        .map(|_| centre + spread * random.next())
                        .collect()
                };
                ConvWeights {
                    weight: values(conv.weight_count(), 0.0, scale),
                    bias: values(conv.out_channels, centre, 0.5),
                    norm: conv.norm_name.as_ref().map(|_| NormWeights {
                        gamma: values(conv.out_channels, 1.0, 0.5),
                        beta: values(conv.out_channels, 0.0, 0.5),
                    }),
                }
            })
            .collect();
        Self::new(spec, convs)
    }

    /// The network's shape.
    pub fn spec(&self) -> &NetworkSpec {
        &self.spec
    }

    /// Weights of every convolution, in the order of [`NetworkSpec::convs`].
    pub fn convs(&self) -> &[ConvWeights] {
        &self.convs
    }
}

/// Uniform numbers in -1 to 1 from SplitMix64 (Steele, Lea, Flood 2014); small and repeatable.
struct RandomUnits(u64);

impl RandomUnits {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_network_has_its_known_size_and_cost() {
        let spec = NetworkSpec::with_widths([32, 64, 128]);
        assert_eq!(spec.parameter_count(), 1_679_235);
        assert_eq!(spec.convs().len(), 16);
        let gflop = spec.flops(512, 512) as f64 / 1e9;
        assert!((gflop - 80.6).abs() < 0.1, "{gflop}");
        assert_eq!(spec.min_side_px(), 5);
    }

    #[test]
    fn maps_follow_the_rule_for_odd_sizes() {
        let spec = NetworkSpec::with_widths([8, 16, 32]);
        let maps = spec.maps(338, 531);
        let sizes: Vec<_> = maps.iter().map(|m| (m.height, m.width)).collect();
        assert_eq!(sizes[..3], [(338, 531), (169, 266), (85, 133)]);
        assert_eq!(sizes[13..], [(170, 266), (340, 532), (340, 532)]);
    }

    #[test]
    fn ranges_and_lengths_are_checked() {
        let mut spec = NetworkSpec::with_widths([8, 16, 32]);
        spec.blocks = 17;
        let error = spec.validate().expect_err("too deep").to_string();
        assert!(
            error.contains("residual blocks") && error.contains("17"),
            "{error}"
        );
        spec.blocks = 1;
        spec.kernels.last = 4;
        assert!(spec.validate().is_err());
        spec.kernels.last = 9;
        let good = Network::random(spec, 1).expect("valid");
        let mut convs = good.convs().to_vec();
        convs[2].bias.pop();
        let error = Network::new(spec, convs)
            .expect_err("short bias")
            .to_string();
        assert!(error.contains("conv3's bias"), "{error}");
    }

    #[test]
    fn random_weights_repeat() {
        let spec = NetworkSpec::with_widths([8, 16, 32]);
        assert_eq!(Network::random(spec, 5), Network::random(spec, 5));
        assert_ne!(Network::random(spec, 5), Network::random(spec, 6));
    }
}
