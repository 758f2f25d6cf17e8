//! Where a mode rounds, for the oracle's naive run. That run measures the error that only a mode's low precision
//! causes. Written from the modes' definitions; shares no code with the kernels.

use half::{bf16, f16};

use super::{Map, affine, doubles};
use network::quantisation::{InputRange, IntegerWeights};
use values::{
    mode::{Mode, Precision, Variant},
    numeric::NumberFormat,
};

/// How a device changes where a mode rounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct DeviceRounding {
    /// Stores sums before a separate step adds the bias.
    pub bias_apart: bool,
    /// Int8 computes in fp16 except for convolutions within residual blocks.
    pub bytes_of_halves: bool,
}

/// Where values are rounded.
///
/// | stored between two operations | `baseline` | `fused-norm` | `fused` |
/// |---|---|---|---|
/// | a convolution's sums, those of the first divided by 256 | yes | yes | yes, but not the picture |
/// | the sums before the bias is added, if that is a separate step | yes | yes | |
/// | the normalised map, before the affine step | yes | | |
/// | the norm's result | yes | yes, with ReLU or residual sum | |
/// | the residual sum | yes, again | with the norm's result | yes |
///
/// In addition, both factors of every product are rounded. In int8 they are rounded to the steps of their channels,
/// which [`network::quantisation`] defines.
#[derive(Clone, Copy)]
pub struct Rounding {
    /// Rounds the factors of a convolution's products.
    factor: fn(f64) -> f64,
    /// Number of fraction bits of the factors, if it is limited.
    factor_bits: Option<i32>,
    /// Rounds maps that are stored between two operations.
    stored: fn(f64) -> f64,
    /// Factors are bytes and small integers, with a step for each channel.
    in_bytes: bool,
    /// That applies only to convolutions with as many outputs as inputs.
    bytes_of_halves: bool,
    /// Stores sums before the bias is added.
    bias_apart: bool,
    variant: Variant,
}

impl Rounding {
    /// No rounding, in a variant.
    pub fn none(variant: Variant) -> Self {
        Self {
            factor: |v| v,
            factor_bits: None,
            stored: |v| v,
            in_bytes: false,
            bytes_of_halves: false,
            bias_apart: false,
            variant,
        }
    }

    /// The rounding of a mode on a device.
    pub fn of(mode: Mode, device: DeviceRounding) -> Self {
        let Mode { variant, precision, .. } = mode;
        let in_bytes = precision == Precision::Int8;
        let bytes_of_halves = in_bytes && device.bytes_of_halves;
        let format = if bytes_of_halves { Precision::Fp16.format() } else { precision.format() };
        let round = |to: NumberFormat| -> fn(f64) -> f64 {
            match to {
                NumberFormat::Fp32 => |v| f64::from(v as f32),
                NumberFormat::Fp16x2 => |v| {
                    let nearest = f16::from_f64(v).to_f64();
                    nearest + f16::from_f64(v - nearest).to_f64()
                },
                NumberFormat::Tf32 => tf32,
                NumberFormat::Fp16 => |v| f16::from_f64(v).to_f64(),
                NumberFormat::Bf16 => |v| bf16::from_f64(v).to_f64(),
                // The rounding depends on the channel: see `byte_factors`.
                NumberFormat::Int8 => |v| v,
            }
        };
        let bits = format.operand.fraction_bits() as i32;
        let is_byte = format.operand == NumberFormat::Int8;
        Self {
            factor: round(format.operand),
            factor_bits: (format.operand != NumberFormat::Fp32 && !is_byte).then_some(bits),
            stored: round(format.storage),
            in_bytes,
            bytes_of_halves,
            bias_apart: device.bias_apart,
            variant,
        }
    }

    /// Rounds a value as a factor of products.
    pub fn factor(&self, value: f64) -> f64 {
        (self.factor)(value)
    }

    /// Rounds a convolution's input and weights as factors of products. The levels of a photo (`reads_photo`) are
    /// already bytes.
    pub fn factors(
        &self,
        input: &Map,
        reads_photo: bool,
        (weights, outputs, kernel): (&[f32], usize, usize),
        is_upsampled_3x3: bool,
    ) -> (Map, Vec<f64>) {
        if !self.in_bytes || (self.bytes_of_halves && input.channels != outputs) {
            let factors = input.clone().each(self.factor);
            return (factors, self.weights(weights, is_upsampled_3x3));
        }
        let mut input = input.clone();
        let channels = input.channels;
        let plane = (input.height * input.width).max(1);
        let range = if reads_photo {
            InputRange::levels(channels)
        } else {
            InputRange::between(input.data.chunks(plane).map(|values| {
                let values = values.iter().map(|&v| v as f32);
                let least = values.clone().fold(f32::INFINITY, f32::min);
                (least, values.fold(f32::NEG_INFINITY, f32::max))
            }))
        };
        for (c, values) in input.data.chunks_mut(plane).enumerate() {
            for v in values {
                *v = f64::from(range.value(c, range.byte(c, *v as f32)));
            }
        }
        let mut integers =
            IntegerWeights::new(weights, outputs, kernel, (channels, channels), is_upsampled_3x3);
        integers.fit(&range.step);
        (input, integers.values(&range.step))
    }

    /// Rounds a value as it is stored between two operations.
    pub fn stored(&self, value: f64) -> f64 {
        (self.stored)(value)
    }

    /// Rounds a convolution's sums as they are stored. The first layer reads levels divided by 256. This only affects
    /// values that are too small for the precision.
    pub fn sums(&self, map: Map, is_first: bool) -> Map {
        let divisor = if is_first { 256.0 } else { 1.0 };
        map.each(|v| (self.stored)(v / divisor) * divisor)
    }

    /// The result of `conv` with a bias. If the bias is a separate step, the sums are stored (and rounded) before it is
    /// added.
    pub fn biased(&self, bias: &[f64], is_first: bool, conv: impl Fn(&[f64]) -> Map) -> Map {
        if self.bias_apart {
            let sums = self.sums(conv(&vec![0.0; bias.len()]), is_first);
            affine(&sums, &vec![1.0; bias.len()], bias)
        } else {
            conv(bias)
        }
    }

    /// Rounds weights as factors of products. If an upsampling by two is folded into a 3x3 kernel, up to four weights
    /// are added up to one factor. All weights are then rounded coarsely enough that every such sum is exact, so that
    /// all four phases have the same total.
    pub fn weights(&self, weights: &[f32], is_upsampled_3x3: bool) -> Vec<f64> {
        let weights = doubles(weights);
        match self.factor_bits {
            Some(bits) if is_upsampled_3x3 && self.variant == Variant::Fused => weights
                .chunks(9)
                .flat_map(|kernel| {
                    let step = 2f64.powi(exponent(largest_phase_sum(kernel)) - bits);
                    kernel.iter().map(move |w| (w / step).round() * step)
                })
                .collect(),
            _ => weights.into_iter().map(self.factor).collect(),
        }
    }

    /// A convolution's bias. A norm subtracts any constant that is added to its whole map, so `fused` leaves out the
    /// bias before a norm.
    pub fn bias(&self, bias: &[f32], has_norm: bool) -> Vec<f64> {
        if self.variant == Variant::Fused && has_norm {
            vec![0.0; bias.len()]
        } else {
            doubles(bias)
        }
    }

    /// Rounds the last layer's sums, which are the picture.
    pub fn picture(&self, sums: Map) -> Map {
        match self.variant {
            Variant::Fused => sums,
            Variant::Baseline | Variant::FusedNorm => self.sums(sums, false),
        }
    }

    /// The result of a norm, computed from a normalised map, as ReLU or a residual sum reads it.
    pub fn norm(&self, normalised: Map, gamma: &[f64], beta: &[f64]) -> Map {
        match self.variant {
            Variant::Baseline => {
                affine(&normalised.each(self.stored), gamma, beta).each(self.stored)
            }
            Variant::FusedNorm | Variant::Fused => affine(&normalised, gamma, beta),
        }
    }

    /// The map after a norm as it is reported. This differs from [`Rounding::norm`] if the norm's result is read before
    /// the next rounding.
    pub fn shown(&self, norm: Map) -> Map {
        match self.variant {
            Variant::FusedNorm => norm.each(self.stored),
            Variant::Baseline | Variant::Fused => norm,
        }
    }
}

/// The largest sum of neighbouring weights of a 3x3 kernel that upsampling by two combines: one or two weights in each
/// direction.
fn largest_phase_sum(kernel: &[f64]) -> f64 {
    let groups: [&[usize]; 4] = [&[0], &[1, 2], &[0, 1], &[2]];
    let mut largest = 0.0f64;
    for rows in groups {
        for columns in groups {
            let sum: f64 =
                (rows.iter()).flat_map(|y| columns.iter().map(move |x| kernel[3 * y + x])).sum();
            largest = largest.max(sum.abs());
        }
    }
    largest
}

/// The exponent of a number: the largest power of 2 that is not above the number. For a number that is too small for
/// fp16, the exponent of fp16's smallest normal number.
fn exponent(value: f64) -> i32 {
    (value.log2().floor() as i32).max(-14)
}

/// Rounds to 10 fraction bits, to nearest, ties to even.
fn tf32(value: f64) -> f64 {
    let bits = (value as f32).to_bits();
    let half = 0x0fff + ((bits >> 13) & 1);
    f64::from(f32::from_bits(bits.wrapping_add(half) & !0x1fff))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{instance_norm, normalised, statistics},
        *,
    };
    use values::mode::Precision;

    #[test]
    fn roundings_keep_their_bits() {
        let third = 1.0 / 3.0;
        let error = |precision| {
            let rounding =
                Rounding::of(Mode::new(Variant::Baseline, precision), DeviceRounding::default());
            (rounding.factor(third) - third).abs() / third
        };
        // Half a unit in the last place: 2^-11 with 10 fraction bits, 2^-8 with 7.
        for precision in [Precision::Tf32, Precision::Fp16, Precision::Mixed] {
            assert!((1e-4..=4.9e-4).contains(&error(precision)), "{precision}");
        }
        assert!((1e-3..=4e-3).contains(&error(Precision::Bf16)));
        assert!(error(Precision::Fp32) < 6e-8);
        assert_eq!(Rounding::none(Variant::Fused).factor(third), third);
        // Ties go to even; exact values are unchanged.
        assert_eq!(tf32(1.0 + 2f64.powi(-11)), 1.0);
        assert_eq!(tf32(1.0 + 3.0 * 2f64.powi(-11)), 1.0 + 2f64.powi(-9));
        assert_eq!(tf32(-255.0), -255.0);
    }

    /// Values that bf16 must round.
    fn slope() -> Map {
        Map {
            channels: 1,
            height: 4,
            width: 5,
            data: (0..20).map(|i| 0.3 + 1.01 * f64::from(i)).collect(),
        }
    }

    #[test]
    fn every_variant_rounds_what_it_stores() {
        let of =
            |variant| Rounding::of(Mode::new(variant, Precision::Bf16), DeviceRounding::default());
        let bf16 = |v: f64| bf16::from_f64(v).to_f64();
        let (sums, gamma, beta) = (slope(), [1.7], [0.3]);
        let exact = instance_norm(&sums, 1e-5, &gamma, &beta);
        let once = exact.clone().each(bf16);
        let norm = |variant| {
            let normalised = normalised(&sums, &statistics(&sums), 1e-5);
            let read = of(variant).norm(normalised, &gamma, &beta);
            (of(variant).shown(read.clone()), read)
        };
        assert_eq!(norm(Variant::Fused), (exact.clone(), exact.clone()));
        assert_eq!(norm(Variant::FusedNorm), (once.clone(), exact));
        let (shown, twice) = norm(Variant::Baseline);
        assert_eq!(shown, twice);
        assert_eq!(twice.clone().each(bf16), twice, "stored again");
        assert_ne!(twice, once);
        // The picture is also a stored map, unless the convolution itself makes it.
        assert_eq!(of(Variant::Fused).picture(slope()), slope());
        assert_eq!(of(Variant::Baseline).picture(slope()), slope().each(bf16));
        // A division by 256 only affects values that are too small for fp16.
        let narrow =
            Rounding::of(Mode::new(Variant::Fused, Precision::Fp16), DeviceRounding::default());
        let tiny = |is_first| {
            let mut map = slope();
            map.data[0] = 2f64.powi(-18) * 1.3;
            narrow.sums(map, is_first).data[0]
        };
        assert_eq!(tiny(true), 0.0);
        assert!(tiny(false) > 0.0);
    }

    #[test]
    fn weights_of_folded_upsampling_have_exact_sums() {
        let kernel: Vec<f32> = (0..9).map(|i| (i as f32 - 3.3) * 0.0717).collect();
        let of = |variant, precision, folded| {
            Rounding::of(Mode::new(variant, precision), DeviceRounding::default())
                .weights(&kernel, folded)
        };
        let single = of(Variant::Fused, Precision::Fp16, false);
        assert_eq!(of(Variant::Baseline, Precision::Fp16, true), single);
        for (precision, round) in [
            (Precision::Fp16, (|v| f16::from_f64(v).to_f64()) as fn(f64) -> f64),
            (Precision::Bf16, |v| bf16::from_f64(v).to_f64()),
            (Precision::Tf32, tf32),
        ] {
            let folded = of(Variant::Fused, precision, true);
            assert_ne!(folded, of(Variant::Fused, precision, false));
            let folded = folded.as_slice();
            for rows in [&[0][..], &[1, 2], &[0, 1], &[2]] {
                for columns in [&[0][..], &[1, 2], &[0, 1], &[2]] {
                    let sum: f64 = (rows.iter())
                        .flat_map(|y| columns.iter().map(move |x| folded[3 * y + x]))
                        .sum();
                    assert_eq!(round(sum), sum, "{precision} {rows:?} {columns:?}");
                }
            }
        }
        let exact = of(Variant::Fused, Precision::Fp32, true);
        assert_eq!(exact, doubles(&kernel));
    }

    #[test]
    fn sums_are_stored_before_a_bias_that_is_a_step_of_its_own() {
        let conv = |bias: &[f64]| slope().each(|v| v + bias[0]);
        let of_device = |bias_apart| {
            let device = DeviceRounding { bias_apart, ..DeviceRounding::default() };
            Rounding::of(Mode::new(Variant::Baseline, Precision::Bf16), device)
        };
        let rounding = of_device(false);
        assert_eq!(rounding.biased(&[0.5], false, conv), conv(&[0.5]));
        let apart = of_device(true).biased(&[0.5], false, conv);
        assert_eq!(apart, slope().each(|v| bf16::from_f64(v).to_f64() + 0.5));
        assert_ne!(apart, conv(&[0.5]));
    }

    #[test]
    fn a_bias_before_a_norm_is_ignored_if_the_kernel_leaves_it_out() {
        let of =
            |variant| Rounding::of(Mode::new(variant, Precision::Fp16), DeviceRounding::default());
        assert_eq!(of(Variant::Fused).bias(&[3.0], true), [0.0]);
        assert_eq!(of(Variant::Fused).bias(&[3.0], false), [3.0]);
        assert_eq!(of(Variant::FusedNorm).bias(&[3.0], true), [3.0]);
        assert_eq!(Rounding::none(Variant::Baseline).bias(&[3.0], false), [3.0]);
    }
}
