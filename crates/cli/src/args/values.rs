//! Parses the values of options and reports invalid ones.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    str::FromStr,
};

use clap::builder::{OsStringValueParser, PossibleValuesParser, TypedValueParser};
use itertools::Itertools;

use engine::capture::Source;
use media::film::Container;
use pictures::encode::Format;
use settings::looks::{self, SavedLook};
use values::mode::{
    AttentionChoice, DeviceChoice, ModeChoice, ModelSize, PrecisionChoice, Variant,
};
use weights::{ChannelOrder, PixelChoice, PixelRange};

/// Defines a parser for named choices, which also provides completions and help.
macro_rules! choices {
    ($function:ident, $type:ty) => {
        pub fn $function() -> impl TypedValueParser<Value = $type> {
            PossibleValuesParser::new(<$type>::ALL.iter().map(|c| c.name()))
                .try_map(|s| s.parse::<$type>())
        }
    };
}

/// A style picture and its weight in a mix of several.
#[derive(Clone, Debug, PartialEq)]
pub struct StylePicture {
    pub path: PathBuf,
    /// At least zero.
    pub weight: f64,
}

/// Style pictures on the command line.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct StylePictureArgs {
    /// Image, or video of which one frame is used, as the style; several are mixed, with optional weights as in
    /// a.jpg:70
    #[arg(long = "style-picture", value_name = "FILE[:WEIGHT]", value_parser = style_picture())]
    pub style_pictures: Vec<StylePicture>,
    /// Network for the style picture: an imported one or a file of weights [default: any, which is
    /// built in]
    #[arg(long, value_name = "NETWORK|FILE")]
    pub style_network: Option<OsString>,
}

impl StylePictureArgs {
    /// True if a style picture or a network for style pictures is given.
    pub fn is_given(&self) -> bool {
        !self.style_pictures.is_empty() || self.style_network.is_some()
    }
}

/// Parses `FILE` or `FILE:WEIGHT`. If a file with the whole name exists, that file is meant.
fn style_picture() -> impl TypedValueParser<Value = StylePicture> {
    OsStringValueParser::new().try_map(|typed: OsString| {
        let whole = PathBuf::from(&typed);
        let parts = typed.to_str().and_then(|text| text.rsplit_once(':'));
        let weighted = parts.and_then(|(file, weight)| Some((file, weight.parse::<f64>().ok()?)));
        match weighted.filter(|_| !whole.exists()) {
            Some((file, weight)) if weight.is_finite() && weight >= 0.0 => {
                Ok(StylePicture { path: PathBuf::from(file), weight })
            }
            Some((_, weight)) => Err(format!("invalid weight {weight}: must be 0 or more")),
            None => Ok(StylePicture { path: whole, weight: 1.0 }),
        }
    })
}

choices!(devices, DeviceChoice);
choices!(variants, Variant);
choices!(precisions, PrecisionChoice);
choices!(attentions, AttentionChoice);
choices!(model_sizes, ModelSize);
choices!(formats, Format);

pub fn mode(text: &str) -> Result<ModeChoice, String> {
    text.parse().map_err(|_| {
        // A precision alone means that the quotes around a mode are missing, as in `compare baseline fp32`.
        let advice = match text.parse::<PrecisionChoice>() {
            Ok(_) => "put the variant and the precision in quotes",
            Err(_) => "name a variant and a precision",
        };
        format!(
            "{advice}, for example \"fused fp16\" or \"fused fp16, flash attention\": variants are {}, precisions {}, \
             attention {}",
            Variant::ALL.iter().join(", "),
            PrecisionChoice::ALL.iter().join(", "),
            AttentionChoice::ALL.iter().join(", "),
        )
    })
}

/// Reads a look by its name or file.
pub fn look() -> impl TypedValueParser<Value = SavedLook> {
    OsStringValueParser::new()
        .try_map(|typed| looks::find(&typed).and_then(|p| SavedLook::read(&p)))
}

/// Parses a camera, the demo scene, or a path, which need not be UTF-8.
pub fn source() -> impl TypedValueParser<Value = Source> {
    OsStringValueParser::new().try_map(|name| Source::from_name(&name))
}

/// Maximum batch size: more than any device gains from. Larger batches only use more memory.
pub const MAX_BATCH: u64 = 64;

/// A whole number from `MIN` to `MAX`.
pub fn number<T: TryFrom<u64>, const MIN: u64, const MAX: u64>(typed: &str) -> Result<T, String> {
    typed
        .parse()
        .ok()
        .filter(|number| (MIN..=MAX).contains(number))
        .and_then(|number| T::try_from(number).ok())
        .ok_or_else(|| format!("use a number from {MIN} to {MAX}"))
}

/// `60` or `60%`.
pub fn percent(typed: &str) -> Result<u8, String> {
    number::<_, 0, 100>(typed.trim_end_matches('%').trim_end())
        .map_err(|_| "use a percentage of 0 to 100".to_owned())
}

/// `white`, `black`, or `#RRGGBB`, with or without `#`.
pub fn color(typed: &str) -> Result<[u8; 3], String> {
    let digits = match typed {
        "white" => "ffffff",
        "black" => "000000",
        other => other.trim_start_matches('#'),
    };
    let is_color = digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let number = u32::from_str_radix(digits, 16).ok().filter(|_| is_color);
    let [_, r, g, b] = number.ok_or("use white, black or #RRGGBB, such as #ff8000")?.to_be_bytes();
    Ok([r, g, b])
}

pub fn seconds(typed: &str) -> Result<f64, String> {
    match typed.parse() {
        Ok(seconds) if (0.1..=1e6).contains(&seconds) => Ok(seconds),
        _ => Err("give a number of seconds, 0.1 or more".to_owned()),
    }
}

/// A time in a video, in seconds: `90`, `1:30` or `0:01:30.5`.
pub fn time(typed: &str) -> Result<f64, String> {
    let mut seconds = 0.0;
    let parts: Vec<&str> = typed.split(':').collect();
    for (number, part) in parts.iter().enumerate() {
        let value: Option<f64> = part.parse().ok();
        let limit = if number == 0 { 1e6 } else { 60.0 };
        let is_digit = |c: char| c.is_ascii_digit() || c == '.';
        match value.filter(|v| part.chars().all(is_digit) && *v < limit && parts.len() <= 3) {
            Some(value) => seconds = 60.0 * seconds + value,
            None => {
                return Err("give seconds or hours:minutes:seconds, such as 90 or 1:30".to_owned());
            }
        }
    }
    Ok(seconds)
}

/// Frames per second as a fraction. `29.97` and its like mean NTSC's rates, such as 30000/1001.
pub fn frame_rate(typed: &str) -> Result<(u64, u64), String> {
    let (over, under) = typed.split_once('/').unwrap_or((typed, "1"));
    let fps = (over.parse::<f64>().ok().zip(under.parse().ok()))
        .map(|(over, under): (f64, f64)| over / under)
        .filter(|fps| (0.001..=240.0).contains(fps))
        .ok_or("give at most 240 frames per second, such as 25, 29.97 or 30000/1001")?;
    let ntsc = (fps * 1.001).round();
    Ok(if fps.fract() == 0.0 {
        (fps as u64, 1)
    } else if (fps - ntsc / 1.001).abs() < 0.005 {
        (1000 * ntsc as u64, 1001)
    } else {
        ((1000.0 * fps).round() as u64, 1000)
    })
}

/// The format of a painting: of a picture, or of a video.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnyFormat {
    Picture(Format),
    Film(Container),
}

impl AnyFormat {
    /// By the extension of a name.
    pub fn from_path(path: &Path) -> Option<Self> {
        Format::from_path(path)
            .map(Self::Picture)
            .or_else(|| Container::from_path(path).map(Self::Film))
    }

    /// The format of a picture; `None` for that of a video.
    pub const fn picture(self) -> Option<Format> {
        match self {
            Self::Picture(format) => Some(format),
            Self::Film(_) => None,
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Picture(format) => format.name(),
            Self::Film(container) => container.extension(),
        }
    }
}

impl FromStr for AnyFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(format) = text.parse() {
            return Ok(Self::Picture(format));
        }
        let mut films = Container::ALL.into_iter();
        films.find(|c| c.extension() == text).map(Self::Film).ok_or_else(|| {
            let pictures = Format::ALL.iter().map(|format| format.name());
            let films = Container::ALL.map(Container::extension);
            format!("give one of {}", pictures.chain(films).join(", "))
        })
    }
}

/// Width and height, such as `640x480`.
pub fn picture_size<T: TryFrom<u64>>(text: &str) -> Result<(T, T), String> {
    let (width, height) =
        text.split_once(['x', 'X']).ok_or("give columns and rows, for example 1280x720")?;
    let side = number::<T, 1, 20_000>;
    Ok((side(width)?, side(height)?))
}

/// Parses a size such as `4GB`, `800 MB`, `1.5GiB` or a plain number of bytes.
pub fn byte_size(text: &str) -> Result<u64, String> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kb" => 1e3,
        "m" | "mb" => 1e6,
        "g" | "gb" => 1e9,
        "t" | "tb" => 1e12,
        "kib" => 1024.0,
        "mib" => 1024.0 * 1024.0,
        "gib" => 1024.0 * 1024.0 * 1024.0,
        _ => f64::NAN,
    };
    match number.parse::<f64>() {
        // Fewer bytes are a number whose unit was forgotten.
        Ok(n) if (1e3..1e18).contains(&(n * factor)) => Ok((n * factor) as u64),
        _ => Err("give an amount of memory with its unit, for example 4GB or 800MB".to_owned()),
    }
}

/// What pixel values mean to a network in a file.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct PixelArgs {
    /// Value range of the input of a file's network: 0..255, 0..1, -1..1, imagenet or caffe
    /// [default: detected from the file]
    #[arg(long, value_name = "RANGE", allow_hyphen_values = true)]
    pub input_range: Option<PixelRange>,
    /// Value range of its output [default: detected from the file]
    #[arg(long, value_name = "RANGE", allow_hyphen_values = true)]
    pub output_range: Option<PixelRange>,
    /// Channel order of both: rgb or bgr [default: detected from the file, otherwise rgb]
    #[arg(long, value_name = "ORDER")]
    pub channel_order: Option<ChannelOrder>,
}

impl PixelArgs {
    pub fn choice(&self) -> PixelChoice {
        PixelChoice {
            input: self.input_range,
            output: self.output_range,
            order: self.channel_order,
        }
    }
}
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_of_memory() {
        assert_eq!(byte_size("4GB"), Ok(4_000_000_000));
        assert_eq!(byte_size("1.5 GiB"), Ok(1_610_612_736));
        assert_eq!(byte_size("12345"), Ok(12_345));
        for wrong in ["", "GB", "-1GB", "4 elephants", "0", "1e30GB", "NaN"] {
            assert!(byte_size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn frame_rates() {
        for (typed, rate) in [
            ("25", (25, 1)),
            ("30000/1001", (30_000, 1001)),
            ("29.97", (30_000, 1001)),
            ("23.98", (24_000, 1001)),
            ("12.5", (12_500, 1000)),
            ("240/1", (240, 1)),
        ] {
            assert_eq!(frame_rate(typed), Ok(rate), "{typed}");
        }
        for wrong in ["", "0", "-5", "241", "NaN", "inf", "25/0", "1e9/9", "x"] {
            assert!(frame_rate(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(picture_size("1280x720"), Ok((1280u32, 720)));
        for wrong in ["1280", "0x5", "axb", "99999x1", "1x2x3"] {
            assert!(picture_size::<u32>(wrong).is_err(), "{wrong}");
        }
    }
}
