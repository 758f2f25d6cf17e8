//! Checks whether two modes produced the same picture. Every ratio of their times needs this check.

use std::fmt;

use serde::Serialize;

use super::rule::{Rule, differences};
use values::{frame::Frame, mode::Precision};

/// The difference between the pictures of two modes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Equality {
    /// The precision whose rule was used: the one with fewer bits.
    pub precision: Precision,
    /// Largest difference of one byte, in levels.
    pub largest_levels: u8,
    /// Mean difference, in levels.
    pub mean_levels: f64,
    /// Peak signal-to-noise ratio; infinite if nothing differs, which JSON reports as `null`.
    pub psnr_db: f64,
    /// Why the pictures count as different; `None` if they count as the same.
    pub failure: Option<String>,
}

impl Equality {
    /// Compares two pictures, as a whole and on the border alone, by the rule for the precision with fewer bits. The
    /// rule for low contrast is never used, because speed is not measured on flat pictures.
    pub fn between(a: &Frame, b: &Frame, precisions: [Precision; 2]) -> Self {
        let [first, second] = precisions;
        let precision = if decibels(first) <= decibels(second) { first } else { second };
        let rule = Rule::for_precision(precision);
        let parts = differences(a, b);
        let (_, whole) = parts[0];
        Self {
            precision,
            largest_levels: whole.largest,
            mean_levels: whole.mean,
            psnr_db: whole.psnr_db,
            failure: parts
                .into_iter()
                .find_map(|(part, difference)| rule.failure(part, difference)),
        }
    }

    /// The worse of two comparisons of the same two modes.
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        let other_is_worse = match (&self.failure, &other.failure) {
            (None, Some(_)) => true,
            (Some(_), None) => false,
            _ => other.psnr_db < self.psnr_db,
        };
        if other_is_worse { other } else { self }
    }

    /// True if both produced the same picture.
    pub const fn passed(&self) -> bool {
        self.failure.is_none()
    }

    /// Speed of the mode that took `ms` relative to the one that took `reference_ms`; `None` if they did not produce
    /// the same picture.
    pub fn ratio(&self, reference_ms: f64, ms: f64) -> Option<f64> {
        self.passed().then(|| reference_ms / ms)
    }
}

/// Minimum PSNR by the rule for a precision; infinite if the rule counts levels instead.
fn decibels(precision: Precision) -> f64 {
    Rule::for_precision(precision).min_psnr_db.unwrap_or(f64::INFINITY)
}

impl fmt::Display for Equality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.psnr_db.is_infinite() {
            return f.write_str("no byte differs");
        }
        write!(
            f,
            "max difference {}/255, mean {:.4}, PSNR {:.1} dB",
            self.largest_levels, self.mean_levels, self.psnr_db
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(level: u8) -> Frame {
        Frame::from_fn(40, 30, |_, _| [level, level, level, 255])
    }

    #[test]
    fn the_precision_with_fewer_bits_makes_the_rule() {
        use Precision::{Bf16, Fp16, Fp32};
        let by_one = |precisions| Equality::between(&flat(100), &flat(101), precisions);
        assert_eq!(by_one([Fp32, Fp32]).precision, Fp32);
        let fp16 = by_one([Fp16, Fp32]);
        assert_eq!((fp16.precision, fp16.passed()), (Fp16, false), "48 dB are too few");
        let bf16 = by_one([Fp16, Bf16]);
        assert_eq!((bf16.precision, bf16.passed()), (Bf16, true));
        assert_eq!(bf16.to_string(), "max difference 1/255, mean 1.0000, PSNR 48.1 dB");
        assert_eq!(bf16.ratio(6.0, 2.0), Some(3.0));
        assert_eq!(fp16.ratio(6.0, 2.0), None);
    }

    #[test]
    fn padding_mistakes_and_other_sizes_are_no_equality() {
        let a = flat(100);
        let mut b = flat(100);
        // Changes a hundredth of the picture's bytes, all in the first row; half of the limit for the whole picture.
        for byte in b.rgba_mut()[..4 * 4].chunks_exact_mut(4) {
            byte[0] += 1;
        }
        let precisions = [Precision::Fp32; 2];
        let equal = Equality::between(&a, &a, precisions);
        assert_eq!((equal.passed(), equal.to_string().as_str()), (true, "no byte differs"));
        let few = Equality::between(&a, &b, precisions);
        assert!(few.passed(), "{few:?}");
        assert_eq!(equal.clone().worse(few.clone()), few);
        let other = Equality::between(&a, &Frame::from_fn(40, 29, |_, _| [0; 4]), precisions);
        assert!(!other.passed() && other.psnr_db == 0.0);
        assert_eq!(other.clone().worse(equal), other);
        for byte in b.rgba_mut()[..4 * 16].chunks_exact_mut(4) {
            byte[1] += 1;
        }
        let border = Equality::between(&a, &b, precisions);
        assert!(
            border.failure.is_some_and(|f| f.contains("bytes differ")),
            "twenty bytes are too many"
        );
    }
}
