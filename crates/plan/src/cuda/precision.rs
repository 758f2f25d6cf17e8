//! Checks that a device supports a mode.

use super::{CudaPlanError, CudaPlanResult, DeviceLimits};
use values::{
    mode::{Mode, Precision, Variant},
    numeric::{NumberFormat, NumericFormat},
};

/// The precisions for which there are kernels.
pub const PRECISIONS: [Precision; 7] = [
    Precision::Fp32,
    Precision::Tf32,
    Precision::Fp16,
    Precision::Bf16,
    Precision::Mixed,
    Precision::Fp16x2,
    Precision::Int8,
];

/// The precision of all maps, and of layers that do not multiply bytes. In int8 this is fp16.
pub const fn map_precision(precision: Precision) -> Precision {
    match precision {
        Precision::Int8 => Precision::Fp16,
        other => other,
    }
}

/// The formats of [`map_precision`].
pub const fn map_format(precision: Precision) -> NumericFormat {
    map_precision(precision).format()
}

/// Checks that a device supports a mode.
///
/// # Errors
/// [`CudaPlanError::Precision`], [`CudaPlanError::NoInt8`] and [`CudaPlanError::NoFp16x2`].
pub fn mode_supported(mode: Mode, limits: &DeviceLimits) -> CudaPlanResult {
    let precision = mode.precision;
    let (major, minor) = limits.compute_capability;
    let (needed, least) = match precision.format().operand {
        NumberFormat::Int8 if mode.variant != Variant::Fused => {
            return Err(CudaPlanError::NoInt8);
        }
        NumberFormat::Fp16x2 if (mode.variant, major, minor) != (Variant::Fused, 9, 0) => {
            return Err(CudaPlanError::NoFp16x2 { major, minor });
        }
        NumberFormat::Fp32 | NumberFormat::Fp16 | NumberFormat::Fp16x2 | NumberFormat::Int8 => {
            ("7.5", (7, 5))
        }
        NumberFormat::Tf32 | NumberFormat::Bf16 => ("8.0", (8, 0)),
    };
    if (major, minor) >= least {
        Ok(())
    } else {
        Err(CudaPlanError::Precision { precision, needed, major, minor })
    }
}
