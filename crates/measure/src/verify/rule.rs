//! Error limits for each precision: how far a picture and its intermediate maps may differ from the oracle's. PyTorch's
//! vectors have their own limits next to their tests (`STORED` in `crates/backend/tests/golden.rs`).

use super::FRAME_PX;
use values::{
    frame::{Frame, PictureDifference},
    mode::{Mode, Precision, Variant},
};

/// Error limits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// Maximum difference of a byte, in levels.
    pub max_levels: u8,
    /// Maximum share of bytes that may differ at all; one byte is always allowed.
    pub max_differing_share: f64,
    /// Minimum peak signal-to-noise ratio, if the precision has such a rule.
    pub min_psnr_db: Option<f64>,
    /// Maximum relative error of a map: rms of the difference over rms of the oracle's map.
    pub max_relative_rms: f64,
}

/// How far one run is from the oracle: the worst over the whole picture, its border and all maps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Distance {
    /// Largest difference of one byte, in levels.
    pub largest_levels: u8,
    /// Peak signal-to-noise ratio; infinite if nothing differs.
    pub psnr_db: f64,
    /// Relative error of a map: rms of the difference over rms of the oracle's map.
    pub relative_rms: f64,
}

/// The difference of two pictures of different sizes: everywhere.
const OTHER_SIZE: PictureDifference = PictureDifference {
    bytes: 0,
    largest: u8::MAX,
    mean: 255.0,
    differing_share: 1.0,
    psnr_db: 0.0,
};

/// How two pictures differ: as a whole, and on the border alone, where padding mistakes show. Each part has its name.
pub fn differences(a: &Frame, b: &Frame) -> [(&'static str, PictureDifference); 2] {
    [
        ("picture", PictureDifference::between(a, b)),
        ("outer frame", PictureDifference::on_outer_frame(a, b, FRAME_PX)),
    ]
    .map(|(part, difference)| (part, difference.unwrap_or(OTHER_SIZE)))
}

/// Allowed rms error, relative to that of a naive run in the same precision.
pub const NAIVE_RMS_FACTOR: f64 = 2.0;
/// Allowed largest error, relative to that of a naive run in the same precision.
pub const NAIVE_LARGEST_FACTOR: u8 = 4;

impl Rule {
    /// Single precision by direct convolutions, also as sums of two halves.
    pub const FP32_DIRECT: Self = Self {
        max_levels: 1,
        max_differing_share: 0.005,
        min_psnr_db: None,
        max_relative_rms: 1e-4,
    };
    /// Single precision with transformed weights (Winograd, summed phases). Rounding errors are about ten times larger
    /// and still far below one level.
    pub const FP32_TRANSFORMED: Self = Self { max_relative_rms: 1e-3, ..Self::FP32_DIRECT };
    /// Products with 10 bits of fraction: tf32, fp16 and mixed. A run that rounds only where necessary reaches 58 to 63
    /// dB.
    pub const TEN_BITS: Self = Self {
        max_levels: 16,
        max_differing_share: 1.0,
        min_psnr_db: Some(50.0),
        max_relative_rms: 1e-2,
    };
    /// Products with 7 bits of fraction: bf16. Eight times the rounding error.
    pub const SEVEN_BITS: Self = Self {
        max_levels: 48,
        max_differing_share: 1.0,
        min_psnr_db: Some(38.0),
        max_relative_rms: 8e-2,
    };
    /// Products of bytes: int8. Trained networks reach 37 to 54 dB. The loss of other networks depends on the
    /// distribution of their values, so the limit is relative to a naive run.
    pub const BYTES: Self = Self {
        max_levels: 96,
        max_differing_share: 1.0,
        min_psnr_db: Some(36.0),
        max_relative_rms: 0.1,
    };
    /// Pictures of (nearly) one colour in single precision. Wrong formulas exceed this, rounding does not.
    pub const FP32_LOW_CONTRAST: Self =
        Self { max_levels: 2, max_differing_share: 1.0, min_psnr_db: None, max_relative_rms: 0.5 };

    /// The rule for a mode on a picture with some contrast.
    pub const fn for_mode(mode: Mode) -> Self {
        match (mode.precision, mode.variant) {
            (Precision::Fp32 | Precision::Fp16x2, Variant::Fused) => Self::FP32_TRANSFORMED,
            (precision, _) => Self::for_precision(precision),
        }
    }

    /// The rule for a precision on a picture with some contrast.
    pub const fn for_precision(precision: Precision) -> Self {
        match precision {
            Precision::Fp32 | Precision::Fp16x2 => Self::FP32_DIRECT,
            Precision::Tf32 | Precision::Fp16 | Precision::Mixed => Self::TEN_BITS,
            Precision::Bf16 => Self::SEVEN_BITS,
            Precision::Int8 => Self::BYTES,
        }
    }

    /// The rule for a picture of (nearly) one colour or of a few pixels in fewer bits than single precision, and for
    /// any picture in int8.
    ///
    /// The variance may be below the rounding of the maps, or come from a few values, and the norm amplifies it to the
    /// size of any signal. The unavoidable error then depends on the network. The limits are therefore multiples of
    /// `naive`, the error of a naive run that rounds where the mode rounds.
    pub fn allowing_naive(self, naive: Distance) -> Self {
        let levels = naive.largest_levels.saturating_mul(NAIVE_LARGEST_FACTOR);
        let psnr_db = naive.psnr_db - 20.0 * NAIVE_RMS_FACTOR.log10();
        Self {
            max_levels: self.max_levels.max(levels),
            min_psnr_db: self.min_psnr_db.map(|db| db.min(psnr_db)),
            max_relative_rms: self.max_relative_rms.max(naive.relative_rms * NAIVE_RMS_FACTOR),
            ..self
        }
    }

    /// The failure of the part of a picture that is named `part`.
    pub fn failure(&self, part: &str, d: PictureDifference) -> Option<String> {
        if d == OTHER_SIZE {
            return Some(format!("the {part} has a different size"));
        }
        if d.largest > self.max_levels {
            return Some(format!("a byte of the {part} is off by {}", d.largest));
        }
        let bytes = d.bytes as f64;
        // One byte may always round the other way, even in a tiny picture.
        if d.differing_share > self.max_differing_share.max(1.01 / bytes) {
            return Some(format!(
                "{:.2} % of the {part}'s bytes differ",
                d.differing_share * 100.0
            ));
        }
        let limit_db = self.min_psnr_db?;
        let squares = |db: f64| 255.0 * 255.0 / 10f64.powf(db / 10.0) * bytes;
        // In a picture of a few pixels one byte would decide; it may differ by a quarter of the allowed levels.
        let quarter = f64::from(self.max_levels) / 4.0;
        (squares(d.psnr_db) > squares(limit_db) + quarter * quarter)
            .then(|| format!("the {part} has {:.1} dB (limit {limit_db:.1} dB)", d.psnr_db))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(rule: Rule, width: usize, off: &[u8]) -> Option<String> {
        let a = Frame::from_fn(width, 1, |_, _| [100, 100, 100, 255]);
        let mut b = a.clone();
        for (x, levels) in off.iter().enumerate() {
            b.rgba_mut()[4 * x] += levels;
        }
        rule.failure("row", PictureDifference::between(&a, &b).expect("one size"))
    }

    #[test]
    fn decibels_and_levels_decide_in_fewer_bits() {
        assert_eq!(failure(Rule::TEN_BITS, 1000, &[16; 3]), None);
        let far = failure(Rule::TEN_BITS, 1000, &[17]).expect("too far");
        assert_eq!(far, "a byte of the row is off by 17");
        // 1000 x 4^2 over 3000 bytes: 40.9 dB.
        let low = failure(Rule::TEN_BITS, 1000, &[4; 1000]).expect("too many");
        assert_eq!(low, "the row has 40.9 dB (limit 50.0 dB)");
        assert_eq!(failure(Rule::SEVEN_BITS, 1000, &[4; 1000]), None);
    }

    #[test]
    fn flat_pictures_are_measured_by_a_naive_run() {
        let far = Distance { largest_levels: 30, psnr_db: 31.0, relative_rms: 0.25 };
        let near = Distance { largest_levels: 0, psnr_db: f64::INFINITY, relative_rms: 1e-4 };
        let rule = Rule::TEN_BITS.allowing_naive(far);
        assert_eq!((rule.max_levels, rule.max_relative_rms), (120, 0.5));
        let psnr_db = rule.min_psnr_db.expect("a limit");
        assert!((psnr_db - 24.98).abs() < 0.01, "{psnr_db}");
        let same = Rule::TEN_BITS.allowing_naive(near);
        assert_eq!(same, Rule::TEN_BITS);
    }

    #[test]
    fn one_byte_of_a_tiny_picture_does_not_decide() {
        assert_eq!(failure(Rule::TEN_BITS, 1, &[4]), None);
        assert!(failure(Rule::TEN_BITS, 1, &[5]).is_some());
        assert_eq!(failure(Rule::FP32_DIRECT, 1, &[1]), None);
        assert!(failure(Rule::FP32_DIRECT, 2, &[1, 1]).is_some());
    }
}
