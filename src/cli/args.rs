//! What may be typed: the commands, their flags, and the help that explains them.
//!
//! First of two stages. Values are checked one by one here; what they mean together is decided by
//! the command that receives them.

use std::{ffi::OsString, path::PathBuf};

use clap::{
    Args, Parser, Subcommand,
    builder::{PossibleValuesParser, TypedValueParser},
};

use crate::{
    backend::worker,
    capture::{PixelFormat, Rotation, Source},
    engine::paint::{OutputSize, WorkingSize},
    media::encode::Format,
    mode::{DeviceChoice, ModeChoice, ModelSize, PrecisionChoice, Variant},
};

const EXIT_CODES: &str = "\
Exit codes:
  0    everything was done
  1    some of the work failed; each failure is named on standard error
  2    wrong use, or a device, style or model that was asked for is not there
  130  stopped by Ctrl-C; nothing half-written is left";

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "styleforge",
    version,
    about = "Paints photos in the style of a picture.\n\nWithout a command the window opens, with the photos that are named.",
    after_help = EXIT_CODES,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
pub struct Arguments {
    /// What to do; without it the window opens.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Photos to open in the window
    #[arg(value_name = "PHOTO")]
    pub photos: Vec<PathBuf>,
}

/// One command each.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Paint photos
    #[command(after_help = EXIT_CODES)]
    Stylize(StylizeArgs),
    /// List the styles, or add one of your own
    Styles(StylesArgs),
    /// Tell what is in a file of weights, and why it is refused
    Inspect(InspectArgs),
    /// Measure how fast this computer paints
    Bench(BenchArgs),
    /// Tell how much faster one mode is than another, and whether both paint the same picture
    #[command(after_help = EXIT_CODES)]
    Compare(CompareArgs),
    /// Paint a camera, the demo scene or photos live, without a window
    #[command(after_help = EXIT_CODES)]
    Live(LiveArgs),
    /// Compare the backends with a slow exact computation
    Check(CheckArgs),
    /// Look at this computer and say what works and what to do about the rest
    Doctor(DoctorArgs),
    /// List the cameras, their names and how they send
    Cameras(CamerasArgs),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
}

/// Where the work runs.
#[derive(Clone, Debug, Default, Args)]
pub struct DeviceArgs {
    /// Device that paints; auto falls back to the processor and says so
    #[arg(long, value_name = "DEVICE", default_value = "auto", value_parser = devices())]
    pub device: DeviceChoice,
    /// Most processor threads to use [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// Number of the GPU that paints, as doctor lists them [default: 0]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(0..=255))]
    pub gpu: Option<u16>,
}

/// `styleforge stylize`.
#[derive(Debug, Args)]
pub struct StylizeArgs {
    /// Photos, folders of photos, or - for standard input
    #[arg(required = true, value_name = "INPUT")]
    pub inputs: Vec<PathBuf>,
    /// Style by name, a file of weights, or "all"; may be given several times
    #[arg(short, long = "style", value_name = "STYLE", required = true)]
    pub styles: Vec<OsString>,
    /// File or folder to write, or - for standard output
    #[arg(short, long, value_name = "FILE|FOLDER")]
    pub output: PathBuf,
    /// Size of the style's network [default: full where it is installed]
    #[arg(long, value_name = "MODEL", value_parser = model_sizes())]
    pub model: Option<ModelSize>,
    /// Where the work runs.
    #[command(flatten)]
    pub device: DeviceArgs,
    /// How the network is cut into passes; all give the same picture
    #[arg(long, value_name = "VARIANT", default_value = "fused", value_parser = variants())]
    pub variant: Variant,
    /// In which numbers the network is computed; auto is the fastest that the device does well
    #[arg(long, value_name = "PRECISION", default_value = "auto", value_parser = precisions())]
    pub precision: PrecisionChoice,
    /// Photos of one size that are painted at once, where the device can
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = batch())]
    pub batch: u16,
    /// Brush size: long side, in pixels, at which the network sees the photo (smaller means broader
    /// strokes; a photo is never enlarged), or "original" [default: 1280]
    #[arg(long, value_name = "PX|original", value_parser = working_size)]
    pub working_size: Option<WorkingSize>,
    /// Size of the result
    #[arg(long, value_name = "SIZE", default_value = "original", value_parser = output_sizes())]
    pub output_size: OutputSize,
    /// 0 gives back the photo exactly, 100 the painting
    #[arg(long, value_name = "PERCENT", default_value_t = 100,
          value_parser = clap::value_parser!(u8).range(0..=100))]
    pub strength: u8,
    /// Keep the photo's colours and take only light and dark from the painting
    #[arg(long)]
    pub keep_colors: bool,
    /// Format of the result [default: by the output's name, else the photo's own]
    #[arg(long, value_name = "FORMAT", value_parser = formats())]
    pub format: Option<Format>,
    /// Quality of JPEG files, 1 to 100 [default: 92]
    #[arg(long, value_name = "QUALITY", value_parser = clap::value_parser!(u8).range(1..=100))]
    pub jpeg_quality: Option<u8>,
    /// Most memory that painting may take, for example 4GB or 800MB; larger photos are painted
    /// smaller and scaled back [default: 4GB, or half of what is free]
    #[arg(long, value_name = "SIZE", value_parser = byte_size)]
    pub max_memory: Option<u64>,
    /// Replace files that exist
    #[arg(long)]
    pub force: bool,
}

/// `styleforge live`.
#[derive(Debug, Args)]
pub struct LiveArgs {
    /// camera, camera:NAME (see styleforge cameras), demo, a photo or a folder of photos
    #[arg(long, value_name = "SOURCE", default_value = "demo")]
    pub source: Source,
    /// Style by name or a file of weights; without one the source is shown as it is
    #[arg(short, long, value_name = "STYLE")]
    pub style: Option<OsString>,
    /// Size of the style's network [default: lite on a processor, else full]
    #[arg(long, value_name = "MODEL", value_parser = model_sizes())]
    pub model: Option<ModelSize>,
    /// Where the work runs.
    #[command(flatten)]
    pub device: DeviceArgs,
    /// How the network is cut into passes; all give the same picture
    #[arg(long, value_name = "VARIANT", default_value = "fused", value_parser = variants())]
    pub variant: Variant,
    /// In which numbers the network is computed; auto is the fastest that the device does well
    #[arg(long, value_name = "PRECISION", default_value = "auto", value_parser = precisions())]
    pub precision: PrecisionChoice,
    /// Long side, in pixels, at which the network sees the source [default: the largest that holds the
    /// rate]
    #[arg(long, value_name = "PX", value_parser = working_px, conflicts_with = "target_fps")]
    pub working_size: Option<usize>,
    /// Frames per second that the automatic size holds [default: 30]
    #[arg(long, value_name = "FPS", value_parser = clap::value_parser!(u16).range(1..=240))]
    pub target_fps: Option<u16>,
    /// 0 gives back the source exactly, 100 the painting
    #[arg(long, value_name = "PERCENT", default_value_t = 100,
          value_parser = clap::value_parser!(u8).range(0..=100))]
    pub strength: u8,
    /// Keep the source's colours and take only light and dark from the painting
    #[arg(long)]
    pub keep_colors: bool,
    /// Size at which a camera sends, or the demo scene is drawn [default: what suits the working size]
    #[arg(long, value_name = "WxH", value_parser = camera_size)]
    pub size: Option<(u32, u32)>,
    /// Rate at which a camera sends, or the demo scene is drawn [default: 30 or more]
    #[arg(long, value_name = "FPS", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub fps: Option<u32>,
    /// Pixel format in which a camera sends: MJPEG, YUYV, NV12, RGB or grey [default: the cheapest]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<PixelFormat>,
    /// Swap left and right
    #[arg(long)]
    pub mirror: bool,
    /// Turn clockwise by 0, 90, 180 or 270 degrees
    #[arg(long, value_name = "DEGREES", default_value = "0")]
    pub rotate: Rotation,
    /// Stop after so many seconds of pictures [default: when stopped by Ctrl-C]
    #[arg(long, value_name = "N", value_parser = seconds)]
    pub seconds: Option<f64>,
    /// Save every picture into this folder, and when it came into frames.csv there
    #[arg(long, value_name = "FOLDER")]
    pub record: Option<PathBuf>,
    /// Format of recorded pictures [default: jpeg]
    #[arg(long, value_name = "FORMAT", value_parser = formats(), requires = "record")]
    pub record_format: Option<Format>,
    /// Print a report as JSON
    #[arg(long)]
    pub json: bool,
}

/// `styleforge styles`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct StylesArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// What to do with the styles.
    #[command(subcommand)]
    pub command: Option<StylesCommand>,
}

/// What can be done with the styles besides listing them.
#[derive(Debug, Subcommand)]
pub enum StylesCommand {
    /// Check a file of weights and copy it to your styles
    Import {
        /// The file of weights
        file: PathBuf,
        /// Name of the style [default: the one inside the file, or the file's own]
        #[arg(long)]
        name: Option<String>,
    },
}

/// `styleforge inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// The file of weights
    pub file: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `styleforge bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// Where the work runs.
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Picture size, for example 1280x720; may be given several times [default: 512x512, 1280x720]
    #[arg(long = "size", value_name = "WxH", value_parser = picture_size)]
    pub sizes: Vec<(usize, usize)>,
    /// Style by name or a file of weights [default: random weights of the model's size]
    #[arg(long, value_name = "STYLE")]
    pub style: Option<OsString>,
    /// Size of the network [default: full]
    #[arg(long, value_name = "MODEL", value_parser = model_sizes())]
    pub model: Option<ModelSize>,
    /// Variant to measure; may be given several times [default: all that the device has]
    #[arg(long = "variant", value_name = "VARIANT", value_parser = variants())]
    pub variants: Vec<Variant>,
    /// Precision to measure; may be given several times [default: auto and fp32]
    #[arg(long = "precision", value_name = "PRECISION", value_parser = precisions())]
    pub precisions: Vec<PrecisionChoice>,
    /// Frames that are painted at once
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = batch())]
    pub batch: u16,
    /// Measured runs of every mode
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub frames: u32,
    /// Frames that are painted first and not counted
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub warmup: u32,
    /// Most memory that a run may take, for example 4GB [default: what is free]
    #[arg(long, value_name = "SIZE", value_parser = byte_size)]
    pub max_memory: Option<u64>,
    /// Add the time of every kernel, from frames that are run step by step
    #[arg(long, alias = "steps", conflicts_with = "batch")]
    pub kernels: bool,
    /// Write the times of the kernels to a CSV file
    #[arg(long, value_name = "FILE", conflicts_with = "batch")]
    pub csv: Option<PathBuf>,
    /// Write the times of the kernels as a trace for chrome://tracing or ui.perfetto.dev
    #[arg(long, value_name = "FILE", conflicts_with = "batch")]
    pub trace: Option<PathBuf>,
    /// Replace files that exist
    #[arg(long)]
    pub force: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `styleforge compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// The mode that is the measure, for example "baseline fp32"; a variant alone leaves the
    /// precision to the device
    #[arg(value_name = "MODE", value_parser = mode)]
    pub reference: ModeChoice,
    /// The mode that is compared with it, for example "fused fp16"
    #[arg(value_name = "MODE", value_parser = mode)]
    pub other: ModeChoice,
    /// Where the work runs.
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Picture size
    #[arg(long, value_name = "WxH", default_value = "512x512", value_parser = picture_size)]
    pub size: (usize, usize),
    /// Style by name or a file of weights [default: candy]
    #[arg(long, value_name = "STYLE")]
    pub style: Option<OsString>,
    /// Size of the network [default: full where it is installed]
    #[arg(long, value_name = "MODEL", value_parser = model_sizes())]
    pub model: Option<ModelSize>,
    /// Measured frames of each mode
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub frames: u32,
    /// Frames that are painted first and not counted
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub warmup: u32,
    /// Most memory that both may take together, for example 4GB [default: what is free]
    #[arg(long, value_name = "SIZE", value_parser = byte_size)]
    pub max_memory: Option<u64>,
    /// Write the report to a CSV file
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Write a chart of every run to a PNG file
    #[arg(long, value_name = "FILE")]
    pub chart: Option<PathBuf>,
    /// Replace files that exist
    #[arg(long)]
    pub force: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `styleforge check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Where the work runs.
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Variant to check; may be given several times [default: all that the device has]
    #[arg(long = "variant", value_name = "VARIANT", value_parser = variants())]
    pub variants: Vec<Variant>,
    /// Precision to check; may be given several times [default: all that the device has]
    #[arg(long = "precision", value_name = "PRECISION", value_parser = precisions())]
    pub precisions: Vec<PrecisionChoice>,
    /// Check batches of this many frames as well
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = batch())]
    pub batch: u16,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `styleforge doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `styleforge cameras`.
#[derive(Debug, Args)]
pub struct CamerasArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `styleforge completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// The number of the GPU that this process was started to serve to another of the same program. Not
/// one of the commands, so that neither help nor completions offer it to people.
pub fn gpu_to_serve(arguments: &[OsString]) -> Option<usize> {
    match arguments {
        [_, command, gpu] if command == worker::COMMAND => gpu.to_str()?.parse().ok(),
        _ => None,
    }
}

/// A parser of the named choices, which also serves completions and help.
macro_rules! choices {
    ($function:ident, $type:ty) => {
        fn $function() -> impl TypedValueParser<Value = $type> {
            PossibleValuesParser::new(<$type>::ALL.iter().map(|c| c.name()))
                .try_map(|s| s.parse::<$type>())
        }
    };
}

choices!(devices, DeviceChoice);
choices!(variants, Variant);
choices!(precisions, PrecisionChoice);
choices!(model_sizes, ModelSize);
choices!(formats, Format);

fn mode(text: &str) -> Result<ModeChoice, String> {
    text.parse().map_err(|unknown| {
        // Four words in a row are two modes without their quotes.
        let advice = match text.parse::<PrecisionChoice>() {
            Ok(_) => "put variant and precision into quotes",
            Err(_) => "give variant and precision",
        };
        let names = |names: Vec<&str>| names.join(", ");
        format!(
            "{unknown}; {advice}, for example \"fused fp16\": variants are {}, precisions {}",
            names(Variant::ALL.iter().map(|v| v.name()).collect()),
            names(PrecisionChoice::ALL.iter().map(|p| p.name()).collect()),
        )
    })
}

/// Frames at once: more than any device gains from would only take memory.
fn batch() -> impl TypedValueParser<Value = u16> {
    clap::value_parser!(u16).range(1..=64)
}

fn output_sizes() -> impl TypedValueParser<Value = OutputSize> {
    PossibleValuesParser::new(["original", "working"]).map(|s| match s.as_str() {
        "working" => OutputSize::Working,
        _ => OutputSize::Original,
    })
}

fn working_size(text: &str) -> Result<WorkingSize, String> {
    use crate::engine::paint::MIN_WORKING_PX;
    if text == "original" {
        return Ok(WorkingSize::Original);
    }
    match text.parse() {
        Ok(px) if px >= MIN_WORKING_PX => Ok(WorkingSize::LongSide(px)),
        _ => Err(format!(
            "give the long side in pixels, {MIN_WORKING_PX} or more, or \"original\""
        )),
    }
}

/// `640x480`, for cameras.
fn camera_size(typed: &str) -> Result<(u32, u32), String> {
    let (width, height) = picture_size(typed)?;
    let side = |px: usize| u32::try_from(px).map_err(|e| e.to_string());
    Ok((side(width)?, side(height)?))
}

fn working_px(typed: &str) -> Result<usize, String> {
    match typed.parse() {
        Ok(px @ 16..=8192) => Ok(px),
        _ => Err("give a long side of 16 to 8192 pixels".to_owned()),
    }
}

fn seconds(typed: &str) -> Result<f64, String> {
    match typed.parse() {
        Ok(seconds) if (0.1..=1e6).contains(&seconds) => Ok(seconds),
        _ => Err("give a number of seconds, 0.1 or more".to_owned()),
    }
}

fn picture_size(text: &str) -> Result<(usize, usize), String> {
    let sides = text.split_once(['x', 'X']).and_then(|(w, h)| {
        let side = |s: &str| s.parse::<usize>().ok().filter(|s| (1..=20_000).contains(s));
        Some((side(w)?, side(h)?))
    });
    sides.ok_or_else(|| "give columns and rows, for example 1280x720".to_owned())
}

/// Bytes from `4GB`, `800 MB`, `1.5GiB` or a plain number of bytes.
fn byte_size(text: &str) -> Result<u64, String> {
    let unit_at = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
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
        Ok(n) if (n * factor) >= 1.0 && (n * factor) < 1e18 => Ok((n * factor) as u64),
        _ => Err("give an amount of memory, for example 4GB or 800MB".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn only_a_number_behind_the_command_makes_a_worker() {
        let served = |words: &[&str]| {
            let arguments: Vec<OsString> = words.iter().map(OsString::from).collect();
            gpu_to_serve(&arguments)
        };
        assert_eq!(served(&["styleforge", worker::COMMAND, "3"]), Some(3));
        for words in [
            &["styleforge", worker::COMMAND][..],
            &["styleforge", worker::COMMAND, "first"],
            &["styleforge", "stylize", "3"],
            &["styleforge", worker::COMMAND, "3", "4"],
        ] {
            assert_eq!(served(words), None, "{words:?}");
        }
    }

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
    fn sizes() {
        assert_eq!(picture_size("1280x720"), Ok((1280, 720)));
        for wrong in ["1280", "0x5", "axb", "99999x1", "1x2x3"] {
            assert!(picture_size(wrong).is_err(), "{wrong}");
        }
        assert_eq!(working_size("original"), Ok(WorkingSize::Original));
        assert_eq!(working_size("640"), Ok(WorkingSize::LongSide(640)));
        assert!(working_size("3").is_err());
    }
}
