//! The user's choices of how the network runs: variant, precision, attention, model size, device.
//!
//! Contains only names and their spelling. [`crate::numeric`] defines the number formats of a precision, the crate `plan`
//! the steps of a variant, `oracle` where a mode rounds, and `measure::verify` its allowed errors.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// How the network is divided into launches (on a CPU: passes over memory).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Variant {
    /// One launch per operation, as in a framework: pad, convolve, mean and variance, normalise, ReLU, upsample, add.
    Baseline,
    /// The same convolutions, with one launch for a whole norm, its ReLU and its residual add.
    FusedNorm,
    /// Padding, normalisation, ReLU, upsampling and residual adds are part of the convolutions.
    #[default]
    Fused,
}

/// The number formats of the computation. Sums are always in single precision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// Single precision throughout.
    #[default]
    Fp32,
    /// Each factor is the sum of two half-precision numbers with 21 bits of fraction together; maps are stored in
    /// single precision. This is single precision on tensor cores, for values in the range of half precision.
    Fp16x2,
    /// Factors rounded to 10 bits of fraction, maps stored in single precision.
    Tf32,
    /// Half precision: 10 bits of fraction, 5 of exponent; maps are stored in it as well.
    Fp16,
    /// 7 bits of fraction, the exponents of single precision; maps are stored in it as well.
    Bf16,
    /// Products in half precision, everything else in single precision.
    Mixed,
    /// Products of bytes and small integers, with ranges per picture; everything else in single precision. On GPUs only
    /// the layers of residual blocks, with ranges per tile; everything else in half precision.
    Int8,
}

/// A precision, or the device's own choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PrecisionChoice {
    /// The device's fastest accurate precision; messages name it.
    #[default]
    Auto,
    Fixed(Precision),
}

/// A kernel that computes attention on a GPU. All return the same result up to rounding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttentionKernel {
    /// Stores all scores in memory; three launches.
    Naive,
    /// One launch that reads the keys twice: for the largest scores, then for the sums.
    Tiled,
    /// One launch that reads the keys once.
    Online,
    /// As [`AttentionKernel::Online`], on tensor cores.
    Flash,
}

/// An attention kernel, or the variant's own choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AttentionChoice {
    /// The variant's own: naive in baseline, otherwise the fastest available.
    #[default]
    Auto,
    /// This kernel, if there is one for the size of the heads.
    Fixed(AttentionKernel),
}

/// Variant, precision and attention.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ModeOf<P> {
    pub variant: Variant,
    pub precision: P,
    /// Only for networks with attention.
    pub attention: AttentionChoice,
}

/// How the network runs. Shown next to every time and frame rate.
pub type Mode = ModeOf<Precision>;
/// A mode as the user chooses it: the precision may be left to the device.
pub type ModeChoice = ModeOf<PrecisionChoice>;

/// Size of a trained style.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModelSize {
    /// Widths 32-64-128: the finest picture.
    #[default]
    Full,
    /// Widths 16-32-64: about a quarter of the work.
    Lite,
}

impl ModelSize {
    /// Channels at full, half and quarter size in the shipped styles of this size.
    pub const fn widths(self) -> [usize; 3] {
        match self {
            Self::Full => [32, 64, 128],
            Self::Lite => [16, 32, 64],
        }
    }

    /// The size that a network of these channels counts as: lite if no channel count exceeds lite's.
    pub const fn of_widths([first, second, third]: [usize; 3]) -> Self {
        let lite = Self::Lite.widths();
        if first <= lite[0] && second <= lite[1] && third <= lite[2] {
            Self::Lite
        } else {
            Self::Full
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceChoice {
    /// The best device of this computer; a fallback is announced.
    #[default]
    Auto,
    Cpu,
    /// An NVIDIA GPU; an error if there is none.
    Cuda,
}

/// The GPUs that share work, by their numbers in the driver's order. Written `all` or `0,2`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GpuList {
    /// Every GPU that can paint.
    All,
    /// At least one, each once.
    Numbers(Vec<usize>),
}

impl FromStr for GpuList {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "all" {
            return Ok(Self::All);
        }
        let mut numbers: Vec<usize> = Vec::new();
        for part in text.split(',') {
            let number = part.parse::<u8>().map_err(|_| {
                "give all, or the numbers of GPUs as in doctor, for example 0,2".to_owned()
            })?;
            if numbers.contains(&number.into()) {
                return Err(format!("GPU {number} is named twice"));
            }
            numbers.push(number.into());
        }
        Ok(Self::Numbers(numbers))
    }
}

/// A word that matches none of the choices.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{given}' is not a {what}; choose one of {choices}")]
pub struct UnknownChoice {
    pub what: &'static str,
    pub given: String,
    pub choices: String,
}

/// Defines the names of a closed set of choices.
#[macro_export]
macro_rules! names {
    ($type:ty, $($variant:ident = $name:literal),+) => {
        impl $type {
            /// Every choice, in the order of the menus.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The spelling on the command line, in JSON and in settings.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }
    };
}

/// Defines a closed set of named choices, which can be parsed.
#[macro_export]
macro_rules! named {
    ($type:ty, $what:literal, $($variant:ident = $name:literal),+) => {
        $crate::names!($type, $($variant = $name),+);

        impl std::str::FromStr for $type {
            type Err = $crate::mode::UnknownChoice;

            fn from_str(s: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|c| c.name() == s).ok_or_else(|| Self::Err {
                    what: $what,
                    given: s.to_owned(),
                    choices: [$($name),+].join(", "),
                })
            }
        }
    };
}
named!(Variant, "variant", Baseline = "baseline", FusedNorm = "fused-norm", Fused = "fused");
named!(ModelSize, "model size", Full = "full", Lite = "lite");
named!(DeviceChoice, "device", Auto = "auto", Cpu = "cpu", Cuda = "cuda");

/// [`named`], and the same choices with an automatic one.
macro_rules! named_or_auto {
    ($type:ident of $named:ident, $what:literal, $($variant:ident = $name:literal),+) => {
        named!($named, $what, $($variant = $name),+);

        impl $type {
            /// Every choice, in the order of the menus.
            pub const ALL: &'static [Self] = &[Self::Auto, $(Self::Fixed($named::$variant)),+];

            /// The spelling on the command line.
            pub const fn name(self) -> &'static str {
                match self {
                    Self::Auto => "auto",
                    Self::Fixed(fixed) => fixed.name(),
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }

        impl FromStr for $type {
            type Err = UnknownChoice;

            fn from_str(s: &str) -> Result<Self, Self::Err> {
                if s == Self::Auto.name() {
                    return Ok(Self::Auto);
                }
                s.parse().map(Self::Fixed).map_err(|unknown: UnknownChoice| {
                    let choices = format!("{}, {}", Self::Auto.name(), unknown.choices);
                    UnknownChoice { choices, ..unknown }
                })
            }
        }
    };
}

named_or_auto!(
    PrecisionChoice of Precision,
    "precision",
    Fp32 = "fp32",
    Fp16x2 = "fp16x2",
    Tf32 = "tf32",
    Fp16 = "fp16",
    Bf16 = "bf16",
    Mixed = "mixed",
    Int8 = "int8"
);
named_or_auto!(
    AttentionChoice of AttentionKernel,
    "way to compute attention",
    Naive = "naive",
    Tiled = "tiled",
    Online = "online",
    Flash = "flash"
);

impl<P: Copy> ModeOf<P> {
    /// A mode with automatic attention.
    pub const fn new(variant: Variant, precision: P) -> Self {
        Self { variant, precision, attention: AttentionChoice::Auto }
    }

    /// The same mode with this attention.
    #[must_use]
    pub const fn with_attention(self, attention: AttentionChoice) -> Self {
        Self { attention, ..self }
    }
}

impl Mode {
    /// Every mode with automatic attention, by variant and then by precision, whether or not a device supports it. Only
    /// the fused variant has int8 and fp16x2, because their numbers are converted while a convolution loads its input.
    pub fn all() -> impl Iterator<Item = Self> {
        let all = Variant::ALL.iter().flat_map(|&variant| {
            let of = move |&precision: &Precision| Self::new(variant, precision);
            Precision::ALL.iter().map(of)
        });
        let only_fused = |p| matches!(p, Precision::Int8 | Precision::Fp16x2);
        all.filter(move |mode| mode.variant == Variant::Fused || !only_fused(mode.precision))
    }
}

impl ModeChoice {
    /// The mode, with `auto` as the device's choice of precision.
    pub fn with_auto(self, auto: impl FnOnce(Variant) -> Precision) -> Mode {
        let precision = match self.precision {
            PrecisionChoice::Auto => auto(self.variant),
            PrecisionChoice::Fixed(precision) => precision,
        };
        Mode::new(self.variant, precision).with_attention(self.attention)
    }
}

impl From<Mode> for ModeChoice {
    fn from(mode: Mode) -> Self {
        Self {
            variant: mode.variant,
            precision: PrecisionChoice::Fixed(mode.precision),
            attention: mode.attention,
        }
    }
}

impl<P: FromStr<Err = UnknownChoice>> FromStr for ModeOf<P> {
    type Err = UnknownChoice;

    /// Parses `fused fp16`, or `fused` alone for the device's choice of precision. Either may end in an attention
    /// kernel, as in `fused fp16, flash attention`, `fused fp16, flash` or `fused, flash`.
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let (mode, attention) = s.split_once(',').unwrap_or((s, AttentionChoice::Auto.name()));
        let mode = mode.trim();
        let (variant, precision) = mode.split_once(' ').unwrap_or((mode, "auto"));
        let attention = attention.strip_suffix("attention").unwrap_or(attention);
        Ok(Self {
            variant: variant.parse()?,
            precision: precision.trim_start().parse()?,
            attention: attention.trim().parse()?,
        })
    }
}

impl<P: fmt::Display> fmt::Display for ModeOf<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let attention = match self.attention {
            AttentionChoice::Auto => String::new(),
            AttentionChoice::Fixed(kernel) => format!(", {kernel} attention"),
        };
        f.pad(&format!("{} {}{attention}", self.variant, self.precision))
    }
}

impl Serialize for Mode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Mode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_round_trip() {
        for v in Variant::ALL {
            assert_eq!(v.name().parse::<Variant>().as_ref(), Ok(v));
        }
        for d in DeviceChoice::ALL {
            assert_eq!(d.name().parse::<DeviceChoice>().as_ref(), Ok(d));
        }
        for p in PrecisionChoice::ALL {
            assert_eq!(p.name().parse::<PrecisionChoice>().as_ref(), Ok(p));
        }
        assert_eq!(PrecisionChoice::ALL.len(), 1 + Precision::ALL.len());
        for a in AttentionChoice::ALL {
            assert_eq!(a.name().parse::<AttentionChoice>().as_ref(), Ok(a));
        }
        assert_eq!(AttentionChoice::ALL.len(), 1 + AttentionKernel::ALL.len());
        let error = "turbo".parse::<Variant>().expect_err("no such variant");
        assert!(error.to_string().contains("baseline, fused-norm, fused"), "{error}");
        let error = "int4".parse::<PrecisionChoice>().expect_err("no such");
        assert!(error.to_string().contains("auto, fp32, fp16x2, tf32"), "{error}");
    }

    #[test]
    fn gpus_are_listed_once_each() {
        assert_eq!("all".parse(), Ok(GpuList::All));
        assert_eq!("2,0".parse(), Ok(GpuList::Numbers(vec![2, 0])));
        for wrong in ["", "ALL", "0,", "0,1,0", "-1", "0-2", "256", "0 1"] {
            assert!(wrong.parse::<GpuList>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_go_by_widths() {
        for &size in ModelSize::ALL {
            assert_eq!(ModelSize::of_widths(size.widths()), size);
        }
        assert_eq!(ModelSize::of_widths([8, 16, 32]), ModelSize::Lite);
        assert_eq!(ModelSize::of_widths([16, 32, 72]), ModelSize::Full);
    }

    #[test]
    fn a_mode_may_leave_the_precision_open() {
        let choice = |s: &str| s.parse::<ModeChoice>();
        let fused = |precision| ModeChoice::new(Variant::Fused, precision);
        let fp16 = PrecisionChoice::Fixed(Precision::Fp16);
        assert_eq!(choice("fused fp16"), Ok(fused(fp16)));
        assert_eq!(choice(" fused  fp16 "), Ok(fused(fp16)));
        assert_eq!(choice("fused"), Ok(fused(PrecisionChoice::Auto)));
        for wrong in ["", "fp16", "fused int4", "fused fp16 fp16"] {
            assert!(choice(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_mode_may_name_a_way_to_compute_attention() {
        let choice = |s: &str| s.parse::<ModeChoice>();
        let fp16 = PrecisionChoice::Fixed(Precision::Fp16);
        for (text, precision, kernel) in [
            ("fused fp16, flash attention", fp16, AttentionKernel::Flash),
            ("fused fp16,online", fp16, AttentionKernel::Online),
            ("fused, naive", PrecisionChoice::Auto, AttentionKernel::Naive),
        ] {
            let expected = ModeChoice {
                attention: AttentionChoice::Fixed(kernel),
                ..ModeChoice::new(Variant::Fused, precision)
            };
            assert_eq!(choice(text), Ok(expected));
            assert_eq!(choice(&expected.to_string()), Ok(expected));
        }
        let auto = ModeChoice::new(Variant::Fused, fp16);
        assert_eq!(choice("fused fp16, auto"), Ok(auto));
        assert_eq!(auto.to_string(), "fused fp16");
        for wrong in [
            "fused fp16 flash",
            "fused fp16,",
            "fused fp16, attention",
            "fused fp16, quick attention",
            ", flash",
            "fused fp16, flash, naive",
        ] {
            assert!(choice(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn modes_are_named_by_variant_and_precision() {
        let names: Vec<String> = Mode::all().map(|m| m.to_string()).collect();
        assert_eq!(names.len(), 17);
        assert_eq!((names[0].as_str(), names[16].as_str()), ("baseline fp32", "fused int8"));
        for mode in Mode::all() {
            let written = serde_json::to_string(&mode).expect("text");
            assert_eq!(serde_json::from_str::<Mode>(&written).ok(), Some(mode));
            for &attention in AttentionChoice::ALL {
                let mode = mode.with_attention(attention);
                let written = serde_json::to_string(&mode).expect("text");
                assert_eq!(serde_json::from_str::<Mode>(&written).ok(), Some(mode));
                let named = written.contains(" attention");
                assert_eq!(named, attention != AttentionChoice::Auto, "{written}");
            }
        }
        let wrong_way = "\"fused fp16, quick attention\"";
        for wrong in ["\"fused\"", "\"fused auto\"", "3", wrong_way] {
            assert!(serde_json::from_str::<Mode>(wrong).is_err(), "{wrong}");
        }
    }
}
