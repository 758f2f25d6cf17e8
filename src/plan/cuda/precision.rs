//! Whether a device computes in a precision.

use super::{CudaPlanError, DeviceLimits};
use crate::{mode::Precision, numeric::NumberFormat};

/// The precisions that there are kernels for.
pub const PRECISIONS: [Precision; 5] = [
    Precision::Fp32,
    Precision::Tf32,
    Precision::Fp16,
    Precision::Bf16,
    Precision::Mixed,
];

/// Whether a device computes in a precision.
///
/// # Errors
/// [`CudaPlanError::Precision`], and [`CudaPlanError::NoInt8`].
pub fn precision_supported(
    precision: Precision,
    limits: &DeviceLimits,
) -> Result<(), CudaPlanError> {
    if !PRECISIONS.contains(&precision) {
        return Err(CudaPlanError::NoInt8);
    }
    let (major, minor) = limits.compute_capability;
    let (needed, least) = match precision.format().operand {
        NumberFormat::Fp32 | NumberFormat::Fp16 | NumberFormat::Int8 => ("7.5", (7, 5)),
        NumberFormat::Tf32 | NumberFormat::Bf16 => ("8.0", (8, 0)),
    };
    if (major, minor) >= least {
        Ok(())
    } else {
        Err(CudaPlanError::Precision {
            precision,
            needed,
            major,
            minor,
        })
    }
}
