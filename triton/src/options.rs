//! What a client may choose for its pictures. A model's parameters of the same names are the defaults.

use engine::paint::{OutputSize, WorkingSize};
use pictures::encode::Format;
use values::compose::Look;

use crate::api::{Outcome, invalid};

/// The choices for the pictures of one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    pub look: Look,
    pub working_size: WorkingSize,
    pub output_size: OutputSize,
    /// The format of encoded results; that of the input if `None`.
    pub format: Option<Format>,
    /// Painting panics. Only in builds for tests, which see that the other requests of a batch are painted.
    pub panics: bool,
}

/// The names that [`Options::set`] knows.
pub const NAMES: [&str; 5] = ["strength", "keep_colors", "working_size", "output_size", "format"];

impl Options {
    /// Sets one choice by its name.
    ///
    /// # Errors
    /// What to write instead.
    pub fn set(&mut self, name: &str, text: &str) -> Outcome {
        let mut read = || {
            match name {
                "strength" => {
                    let percent = text.parse().ok().filter(|percent| *percent <= 100);
                    self.look.strength_percent =
                        percent.ok_or("use a whole number from 0 to 100")?;
                }
                "keep_colors" => {
                    self.look.keep_colors = text.parse().map_err(|_| "use true or false")?;
                }
                "working_size" => self.working_size = text.parse()?,
                "output_size" => self.output_size = text.parse()?,
                "format" => {
                    self.format = Some(match text {
                        "png" => Format::Png,
                        "jpeg" => Format::Jpeg,
                        _ => Err("use png or jpeg")?,
                    });
                }
                "panic" if cfg!(debug_assertions) => self.panics = true,
                _ => Err(format!("there is no parameter {name}; use {}", NAMES.join(", ")))?,
            }
            Ok(())
        };
        read().map_err(|what: String| invalid!("{name} is '{text}'; {what}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_set_by_name_and_bad_ones_are_refused() {
        let mut options = Options::default();
        let good = [
            ("strength", "40"),
            ("keep_colors", "true"),
            ("working_size", "640"),
            ("output_size", "working"),
        ];
        for (name, text) in good {
            assert_eq!(options.set(name, text), Ok(()), "{name}");
        }
        assert_eq!(options.look, Look::new(40, true));
        assert_eq!(options.working_size, WorkingSize::LongSide(640));
        assert_eq!(options.output_size, OutputSize::Working);
        let before = options;
        let bad = [
            ("strength", "101"),
            ("strength", "-1"),
            ("strength", "40.5"),
            ("keep_colors", "yes"),
            ("working_size", "15"),
            ("working_size", "65536"),
            ("output_size", "0"),
            ("format", "gif"),
            ("style", "candy"),
        ];
        for (name, text) in bad {
            let refused = options.set(name, text).expect_err("bad").to_string();
            let advises = ["use ", "give "].iter().any(|word| refused.contains(word));
            assert!(refused.contains(name) && advises, "{refused}");
        }
        assert_eq!(options, before);
    }
}
