//! Whether a device computes in a precision.

use super::{CudaPlanError, DeviceLimits};
use crate::{mode::Precision, numeric::NumberFormat};

/// Whether a device computes in a precision.
///
/// # Errors
/// [`CudaPlanError::Precision`].
pub fn precision_supported(
    precision: Precision,
    limits: &DeviceLimits,
) -> Result<(), CudaPlanError> {
    let (major, minor) = limits.compute_capability;
    let (needed, least) = match precision.format().operand {
        NumberFormat::Fp32 | NumberFormat::Fp16 => ("7.5", (7, 5)),
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
