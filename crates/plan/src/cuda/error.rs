//! Why a network cannot run in a mode on a GPU.

use crate::PlanError;
use values::mode::Precision;

/// The result of planning for a GPU.
pub type CudaPlanResult<T = ()> = Result<T, CudaPlanError>;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CudaPlanError {
    /// The device lacks the instructions.
    #[error("{precision} needs compute capability {needed}, this GPU has {major}.{minor}")]
    Precision {
        precision: Precision,
        /// The minimum compute capability.
        needed: &'static str,
        /// Of the device.
        major: i32,
        /// Of the device.
        minor: i32,
    },
    /// Only the variant fused multiplies bytes.
    #[error("int8 is computed by fused alone; choose fp16")]
    NoInt8,
    /// The plain kernels do not multiply bytes.
    #[error("int8 has kernels for networks like TransformerNet only; choose fp16")]
    NetworkInInt8,
    /// There are no kernels for sums of two halves.
    #[error(
        "fp16x2 is computed by fused alone, on GPUs of compute capability 9.0 (this one has {major}.{minor}); choose fp32 or tf32"
    )]
    NoFp16x2 {
        /// Compute capability of the device.
        major: i32,
        /// Compute capability of the device.
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
    /// No device can run a plan of the graph.
    #[error(transparent)]
    Graph(#[from] PlanError),
    /// The scores of attention need more memory than a plan may use.
    #[error(
        "{node} would store {gigabytes} GB of scores of {queries} tokens for {keys}; choose a smaller picture, or \
         fused without --attention naive, which stores none for heads of 32, 64 or 128 channels"
    )]
    Scores {
        /// The attention node.
        node: String,
        /// Number of queries.
        queries: usize,
        /// Number of keys.
        keys: usize,
        /// Size of the scores, in units of 1e9 bytes.
        gigabytes: usize,
    },
    /// No kernel supports this kernel size.
    #[error("{layer} has a {kernel}x{kernel} kernel; the maximum on a GPU is {most}x{most}")]
    Kernel {
        layer: String,
        kernel: usize,
        /// Largest supported side.
        most: usize,
    },
    /// No kernel computes the operation.
    #[error("{node} is an operation that only the CPU supports; choose the CPU")]
    Operation { node: String },
    /// Only the plain kernels compute this, and they do not support the mode.
    #[error("{cause}; choose fused, or baseline in fp32, fp16 or bf16")]
    Mode {
        /// Why the mode's own kernels cannot compute it.
        cause: Box<CudaPlanError>,
    },
}
