//! The arguments: the commands, their flags, and the help that explains them.
//!
//! Arguments are checked twice: here one by one, and together by the command that receives them.

mod measuring;
mod painting;
mod values;

pub use measuring::{BenchArgs, CheckArgs, CompareArgs};
pub use painting::{LiveArgs, StylizeArgs};
pub use values::{StylePicture, StylePictureArgs};

use std::{ffi::OsString, path::PathBuf};

use clap::{Args, Parser, Subcommand};

use self::values::{devices, model_sizes};
use crate::{
    backend::OlderDevice,
    mode::{DeviceChoice, ModelSize},
    models::rrmina::Published,
    weights::{ChannelOrder, PixelRange},
};

const EXIT_CODES: &str = "\
Exit codes:
  0    everything was done; also a live run that Ctrl-C or SIGTERM ended
  1    some of the work failed: what was to be painted, measured, imported or written; each failure
       is named on standard error
  2    nothing was begun: wrong use, or a device, style, model or file of weights to work with is
       missing or cannot be used
  130  stopped by Ctrl-C (143 by SIGTERM); nothing half-written is left";

const LIVE_EXIT_CODES: &str = "\
Exit codes:
  0    pictures were painted, and the report tells how; also when Ctrl-C or SIGTERM ended the run
  1    the source or the device failed, or a recording; the failure is named on standard error
  2    nothing was begun: wrong use, or a device, style, model or source is missing or cannot be used
  130  stopped by Ctrl-C before the first picture (143 by SIGTERM)";

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
    /// List the styles, add one of your own or remove it
    Styles(StylesArgs),
    /// Tell what is in a style or a file of weights, and why it is refused
    Inspect(InspectArgs),
    /// Measure how fast this computer paints
    Bench(BenchArgs),
    /// Tell how much faster one mode is than another, and whether both paint the same picture
    #[command(after_help = EXIT_CODES)]
    Compare(CompareArgs),
    /// Paint a camera, the demo scene or photos live, without a window
    #[command(after_help = LIVE_EXIT_CODES)]
    Live(LiveArgs),
    /// Compare the backends with a slow exact computation
    Check(CheckArgs),
    /// Look at this computer and say what works and what to do about the rest
    Doctor(DoctorArgs),
    /// List the cameras, their names and how they send
    Cameras(CamerasArgs),
    /// Print the licences of the program and its parts
    #[command(alias = "licenses")]
    Licences,
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
}

/// Maximum number of processor threads.
pub const MAX_THREADS: u16 = 1024;

/// Where the work runs.
#[derive(Clone, Debug, Default, Args)]
pub struct DeviceArgs {
    /// Device that paints; auto falls back to the processor and says so
    #[arg(long, value_name = "DEVICE", default_value = "auto", value_parser = devices())]
    pub device: DeviceChoice,
    /// Most processor threads to use [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=i64::from(MAX_THREADS)))]
    pub threads: Option<u16>,
    /// Number of the GPU that paints, as doctor lists them [default: 0]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(0..=255))]
    pub gpu: Option<u16>,
    /// Use the kernels of an older device, to measure and check them on a newer one: a GPU of compute capability 8.0, 8.6
    /// or 8.9, with its plans, or a processor with avx2 or sse2 [default: the device's own]
    #[arg(long, value_name = "DEVICE")]
    pub kernels_of: Option<OlderDevice>,
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

/// What can be done with the styles.
#[derive(Debug, Subcommand)]
pub enum StylesCommand {
    /// List the styles, as without a command
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Make a style of your own of a picture, or of a file of weights, which is checked and copied
    ///
    /// Read are: pictures; .pth and safetensors of the pytorch/examples network, in its names or StyleForge's own; .pth
    /// of rrmina/fast-neural-style-pytorch and yakhyo/fast-neural-style-transfer; ONNX files of any network that makes
    /// one picture of one picture; and networks for style pictures, as tools/train_any.py writes them or as plain state
    /// dicts, which are kept for --style-network. A file fits exactly or is refused by the keys or nodes in the way.
    Import {
        /// The picture, or the file of weights
        file: PathBuf,
        /// Name of the style [default: the one inside the file, or the file's own]
        #[arg(long)]
        name: Option<String>,
        /// Network for style pictures that looks at a picture [default: any, which is inside the program]
        #[arg(long, value_name = "NETWORK|FILE")]
        style_network: Option<OsString>,
        /// Black and white of the picture that the network reads: 0..255, 0..1, -1..1, imagenet or caffe
        /// [default: as far as the file tells]
        #[arg(long, value_name = "RANGE", allow_hyphen_values = true)]
        input_range: Option<PixelRange>,
        /// Black and white of the picture that it makes
        #[arg(long, value_name = "RANGE", allow_hyphen_values = true)]
        output_range: Option<PixelRange>,
        /// Which colour comes first in both: rgb or bgr [default: as far as the file tells, else rgb]
        #[arg(long, value_name = "ORDER")]
        channel_order: Option<ChannelOrder>,
        /// Which of rrmina's networks a .pth holds, where its names fit several: TransformerNetwork,
        /// TransformerNetworkTanh or TransformerNetworkV2 [default: as its weights tell]
        #[arg(long, value_name = "NAME")]
        network: Option<Published>,
    },
    /// Remove a style or network that you imported, without asking; what came with the program stays
    Remove {
        /// Name of the style or network
        #[arg(value_name = "STYLE")]
        name: String,
    },
}

/// `styleforge inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// A style or a network of yours by name, or a file of weights
    #[arg(value_name = "STYLE|FILE")]
    pub subject: OsString,
    /// Size of the style's network [default: full where it is installed]
    #[arg(long, value_name = "MODEL", value_parser = model_sizes())]
    pub model: Option<ModelSize>,
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

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Arguments::command().debug_assert();
    }
}
