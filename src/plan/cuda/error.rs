//! Why a network cannot be run in a mode on a GPU.

use crate::{mode::Precision, plan::PlanError};

/// Why a network cannot be run in a mode on a device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CudaPlanError {
    /// The device lacks the instructions.
    #[error("{precision} needs compute capability {needed}, this GPU has {major}.{minor}")]
    Precision {
        /// The requested precision.
        precision: Precision,
        /// The least compute capability.
        needed: &'static str,
        /// The device's, major.
        major: i32,
        /// The device's, minor.
        minor: i32,
    },
    /// Only fused multiplies bytes.
    #[error("int8 needs the variant fused; choose fp16")]
    NoInt8,
    /// The plain kernels multiply no bytes.
    #[error("int8 only supports networks like TransformerNet; choose fp16")]
    NetworkInInt8,
    /// There are no kernels for sums of two halves.
    #[error(
        "fp16x2 needs the variant fused and compute capability 9.0 (this GPU has {major}.{minor}); choose fp32 or tf32"
    )]
    NoFp16x2 {
        /// The device's compute capability, major.
        major: i32,
        /// The device's, minor.
        minor: i32,
    },
    /// A layer has no kernel for sums of two halves.
    #[error("fp16x2 has no kernel for a layer of this network; choose fp32 or tf32")]
    LayerInFp16x2,
    /// A layer does not fit.
    #[error(
        "{layer} ({kernel}x{kernel}, {channels} channels) does not fit the GPU's shared memory"
    )]
    Layer { layer: String, kernel: usize, channels: usize },
    /// The graph cannot be planned for any device.
    #[error(transparent)]
    Graph(#[from] PlanError),
    /// More scores of attention than a plan keeps.
    #[error(
        "{node} would store {gigabytes} GB of scores of {queries} tokens for {keys}; choose a smaller picture, or \
         fused without --attention naive, which stores none for heads of 32, 64 or 128 channels"
    )]
    Scores {
        /// The attention.
        node: String,
        /// Tokens that ask.
        queries: usize,
        /// Tokens that answer.
        keys: usize,
        /// Bytes of the scores, in 1e9.
        gigabytes: usize,
    },
    /// A kernel side that no kernel here computes.
    #[error("{layer} has a {kernel}x{kernel} kernel; the maximum on a GPU is {most}x{most}")]
    Kernel {
        layer: String,
        kernel: usize,
        /// Largest side.
        most: usize,
    },
    /// A map that is neither the photo nor made of it.
    #[error("{node} is an input that only the CPU supports; choose --device cpu")]
    Source {
        /// Its node.
        node: String,
    },
    /// What only the plain kernels compute, in a mode that they do not have.
    #[error("{cause}; choose fused, or baseline in fp32, fp16 or bf16")]
    Mode {
        /// Why the mode's own kernels do not.
        cause: Box<CudaPlanError>,
    },
}
