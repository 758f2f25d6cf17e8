//! The number formats of a network's computation, as data for planners and backends.
//!
//! A [`Precision`] names one such set of formats. Does not depend on devices or kernels.

use half::{bf16, f16};

use crate::{
    mode::{AttentionChoice, AttentionKernel, Mode, Precision, Variant},
    named,
};

/// The format of a single number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NumberFormat {
    /// IEEE single precision.
    Fp32,
    /// The sum of two half-precision numbers: the nearest one, and the one nearest to the remainder. 21 bits of
    /// fraction, but no step below 2^-24; takes four bytes.
    Fp16x2,
    /// NVIDIA's TF32: single precision with 10 bits of fraction; takes four bytes.
    Tf32,
    /// IEEE half precision.
    Fp16,
    /// bfloat16: the exponents of single precision and 7 bits of fraction.
    Bf16,
    /// Unsigned integers of one byte; `network::quantisation` defines their values.
    Int8,
}

impl NumberFormat {
    /// Bytes per number.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Fp32 | Self::Fp16x2 | Self::Tf32 => 4,
            Self::Fp16 | Self::Bf16 => 2,
            Self::Int8 => 1,
        }
    }

    /// Number of bits after the leading one.
    pub const fn fraction_bits(self) -> u32 {
        match self {
            Self::Fp32 => 23,
            Self::Fp16x2 => 21,
            Self::Tf32 | Self::Fp16 => 10,
            Self::Bf16 | Self::Int8 => 7,
        }
    }

    /// Appends a number, rounded to the format.
    pub fn push(self, to: &mut Vec<u8>, value: f32) {
        match self {
            Self::Fp32 => to.extend(value.to_le_bytes()),
            Self::Fp16x2 => to.extend(two_halves(value).map(f16::to_le_bytes).as_flattened()),
            Self::Tf32 => to.extend(round_to_tf32(value).to_le_bytes()),
            Self::Fp16 => to.extend(f16::from_f32(value).to_le_bytes()),
            Self::Bf16 => to.extend(bf16::from_f32(value).to_le_bytes()),
            Self::Int8 => to.extend((value.round() as i8).to_le_bytes()),
        }
    }

    /// Decodes the numbers of [`NumberFormat::push`]; an incomplete last number is left out.
    pub fn read(self, bytes: &[u8]) -> Vec<f32> {
        let two = |b: &[u8]| [b[0], b[1]];
        let number = |b: &[u8]| match self {
            Self::Fp32 | Self::Tf32 => f32::from_le_bytes([b[0], b[1], b[2], b[3]]),
            Self::Fp16x2 => {
                let part = |b| f16::from_le_bytes(two(b)).to_f32();
                part(b) + part(&b[2..])
            }
            Self::Fp16 => f16::from_le_bytes(two(b)).to_f32(),
            Self::Bf16 => bf16::from_le_bytes(two(b)).to_f32(),
            Self::Int8 => f32::from(i8::from_le_bytes([b[0]])),
        };
        bytes.chunks_exact(self.bytes()).map(number).collect()
    }
}

named!(
    NumberFormat,
    "number format",
    Fp32 = "fp32",
    Fp16x2 = "fp16x2",
    Tf32 = "tf32",
    Fp16 = "fp16",
    Bf16 = "bf16",
    Int8 = "int8"
);

/// The nearest half-precision number, and the one nearest to the remainder.
pub fn two_halves(value: f32) -> [f16; 2] {
    let nearest = f16::from_f32(value);
    [nearest, f16::from_f32(value - nearest.to_f32())]
}

/// Nearest value with 10 bits of fraction, ties away from zero, like the GPU's `cvt.rna`.
fn round_to_tf32(value: f32) -> f32 {
    if value.is_finite() { f32::from_bits((value.to_bits() + 0x1000) & !0x1fff) } else { value }
}

/// The format of each kind of number in a network. Sums of products have single precision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NumericFormat {
    /// Both factors of a convolution's products.
    pub operand: NumberFormat,
    /// Maps between two launches.
    pub storage: NumberFormat,
}

impl Precision {
    /// The formats of this precision.
    pub const fn format(self) -> NumericFormat {
        let operand = match self {
            Self::Fp32 => NumberFormat::Fp32,
            Self::Fp16x2 => NumberFormat::Fp16x2,
            Self::Tf32 => NumberFormat::Tf32,
            Self::Fp16 | Self::Mixed => NumberFormat::Fp16,
            Self::Bf16 => NumberFormat::Bf16,
            Self::Int8 => NumberFormat::Int8,
        };
        let storage = match self {
            Self::Fp16 | Self::Bf16 => operand,
            _ => NumberFormat::Fp32,
        };
        NumericFormat { operand, storage }
    }
}

/// The error function, by a series of positive terms: 2 / sqrt(pi) * exp(-a^2) * sum of 2^n a^(2n + 1) / (1 * 3 * ... *
/// (2n + 1)). Abramowitz and Stegun, 7.1.6.
pub fn error_function(x: f64) -> f64 {
    let a = x.abs();
    // Beyond this the result is 1 in double precision.
    if a > 6.0 {
        return 1f64.copysign(x);
    }
    let (mut term, mut sum, mut n) = (a, a, 1.0);
    while term > 1e-17 * sum {
        term *= 2.0 * a * a / (2.0 * n + 1.0);
        sum += term;
        n += 1.0;
    }
    (std::f64::consts::FRAC_2_SQRT_PI * (-a * a).exp() * sum).copysign(x)
}

impl AttentionKernel {
    /// The kernel that a mode uses for heads of this many channels.
    pub fn picked(mode: Mode, head_size: usize) -> Self {
        let asked = match (mode.attention, mode.variant) {
            (AttentionChoice::Fixed(kernel), _) => kernel,
            (AttentionChoice::Auto, Variant::Baseline) => Self::Naive,
            (AttentionChoice::Auto, Variant::FusedNorm | Variant::Fused) => Self::Flash,
        };
        asked.that_exists(mode.precision, head_size)
    }

    /// The kernel that runs if this one is requested for heads of this many channels. Tensor cores only multiply 16-bit
    /// numbers.
    #[must_use]
    pub fn that_exists(self, precision: Precision, head_size: usize) -> Self {
        let is_short = precision.format().storage != NumberFormat::Fp32;
        match (self, head_size) {
            (Self::Tiled, 32 | 64 | 128) => Self::Tiled,
            (Self::Flash, 32 | 64 | 128) if is_short => Self::Flash,
            (Self::Online | Self::Flash, 32 | 64 | 128) => Self::Online,
            _ => Self::Naive,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_fit_come_back() {
        for format in [
            NumberFormat::Fp32,
            NumberFormat::Fp16x2,
            NumberFormat::Tf32,
            NumberFormat::Fp16,
            NumberFormat::Bf16,
        ] {
            let mut bytes = Vec::new();
            let values = [0.0, -1.5, 255.0, 1.0 / 64.0];
            values.iter().for_each(|&v| format.push(&mut bytes, v));
            assert_eq!(bytes.len(), values.len() * format.bytes());
            assert_eq!(format.read(&bytes), values, "{format}");
        }
    }

    #[test]
    fn two_halves_hold_21_bits() {
        for value in [1.0 / 3.0, -255.9, 0.037_219, 1000.1] {
            let sum: f32 = two_halves(value).iter().map(|part| part.to_f32()).sum();
            // Half precision has no steps below 2^-24.
            let most = (value.abs() * 2f32.powi(-22)).max(2f32.powi(-25));
            assert!((sum - value).abs() <= most, "{value} {sum}");
        }
    }

    #[test]
    fn the_error_function_has_its_known_values() {
        for (x, value) in [
            (0.0, 0.0),
            (0.5, 0.520_499_877_813_046_5),
            (-1.0, -0.842_700_792_949_714_9),
            (3.0, 0.999_977_909_503_001_4),
            (7.0, 1.0),
        ] {
            assert!((error_function(x) - value).abs() < 1e-14, "{x}");
        }
    }

    #[test]
    fn tf32_rounds_ties_away_from_zero() {
        let half = 2f32.powi(-11);
        assert_eq!(round_to_tf32(1.0 + half), 1.0 + 2.0 * half);
        assert_eq!(round_to_tf32(-1.0 - half), -1.0 - 2.0 * half);
        assert_eq!(round_to_tf32(1.0 + half / 2.0), 1.0);
        assert!(round_to_tf32(f32::NAN).is_nan());
    }
}
