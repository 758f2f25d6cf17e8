//! The choices a person has about how the network is run: variant, model size, device.
//!
//! Only names and their spellings; what each means for kernels is decided in [`crate::plan`].

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// How the network is cut into passes over memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Variant {
    /// One pass per operation, as a framework does it: pad, im2col, multiply, mean and variance,
    /// normalise, ReLU, upsample, add.
    Baseline,
    /// Padding, normalisation, ReLU, upsampling and residual adds folded into the convolutions.
    #[default]
    Fused,
}

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

/// Which kind of device runs the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceChoice {
    /// The best that this computer has; a fallback is announced.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// An NVIDIA GPU; an error when there is none.
    Cuda,
}

/// A word that names none of the choices.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{given}' is not a {what}; choose one of {choices}")]
pub struct UnknownChoice {
    what: &'static str,
    given: String,
    choices: String,
}

/// A closed set of named choices: gives every member its spelling.
macro_rules! named {
    ($type:ty, $what:literal, $($variant:ident = $name:literal),+) => {
        impl $type {
            /// Every choice, in the order in which they are offered.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The spelling on the command line, in JSON and in settings.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
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
                Self::ALL.iter().copied().find(|c| c.name() == s).ok_or_else(|| UnknownChoice {
                    what: $what,
                    given: s.to_owned(),
                    choices: [$($name),+].join(", "),
                })
            }
        }
    };
}

named!(Variant, "variant", Baseline = "baseline", Fused = "fused");
named!(ModelSize, "model size", Full = "full", Lite = "lite");
named!(
    DeviceChoice,
    "device",
    Auto = "auto",
    Cpu = "cpu",
    Cuda = "cuda"
);

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
        let error = "turbo".parse::<Variant>().expect_err("no such variant");
        assert!(error.to_string().contains("baseline, fused"), "{error}");
    }
}
