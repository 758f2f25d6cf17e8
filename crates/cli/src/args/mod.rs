//! Command-line arguments: the commands, their options and the help texts.
//!
//! Arguments are validated twice: individually here, and in combination by the command that receives them.

mod measuring;
mod painting;
#[cfg(test)]
mod tests;
mod values;

pub use measuring::{BenchArgs, CheckArgs, CompareArgs};
pub use painting::{LiveArgs, ProfileChoice, StylizeArgs};
pub use values::{AnyFormat, PixelArgs, StylePicture, StylePictureArgs};

use std::{ffi::OsString, path::PathBuf};

use clap::{ArgGroup, Args, Parser, Subcommand};

use self::values::{devices, model_sizes, number, picture_size};
use ::values::mode::{DeviceChoice, GpuList, ModelSize};
use backend::OlderDevice;
use network::models::rrmina::Published;

const EXIT_CODES: &str = "\
Exit codes:
  0    everything was done; also if Ctrl-C or SIGTERM ended a live run
  1    some of the work failed, or styles import or inspect refused the file; see
       standard error
  2    nothing was done: usage error, or a missing or unusable device, style,
       model or file of weights
  130  stopped by Ctrl-C (143: by SIGTERM); no incomplete file is left, and the
       same command continues a video";

const LIVE_EXIT_CODES: &str = "\
Exit codes:
  0    frames were painted; also when Ctrl-C or SIGTERM ended the run
  1    the source, the device or a recording failed; see standard error
  2    nothing was done: usage error, or a missing or unusable device, style,
       model or source
  130  stopped by Ctrl-C before the first frame (143: by SIGTERM)";

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "styleforge",
    version,
    about = "Paints photos, videos and live video in the style of a picture.\n\nWithout a command, opens the window and the given files.",
    after_help = EXIT_CODES,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    max_term_width = 100
)]
pub struct Arguments {
    /// Without a command, the window opens.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Photos, videos, folders or networks to open in the window
    #[arg(value_name = "FILE")]
    pub photos: Vec<PathBuf>,
}

/// One command each.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Paint photos and videos
    #[command(after_help = EXIT_CODES)]
    Stylize(StylizeArgs),
    /// List, import, rename and remove styles
    Styles(StylesArgs),
    /// Save, list and remove looks: a painting's settings under a name
    #[command(subcommand)]
    Looks(LooksCommand),
    /// Show what a style or a file of weights contains, or why it is refused
    Inspect(InspectArgs),
    /// Write a style as an ONNX file, or as model folders for a Triton server
    Export(ExportArgs),
    /// Measure how fast this computer paints, without a margin
    Bench(BenchArgs),
    /// Compare the speed and output of two modes, without a margin
    #[command(after_help = EXIT_CODES)]
    Compare(CompareArgs),
    /// Paint a camera, the demo scene, a video or photos live, without a window
    #[command(after_help = LIVE_EXIT_CODES)]
    Live(LiveArgs),
    /// Verify the backends against a float64 reference
    Check(CheckArgs),
    /// Report what works on this computer and how to fix the rest
    Doctor {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List the cameras with their formats
    Cameras {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the licences of the program and its parts
    #[command(alias = "licenses")]
    Licences,
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual pages of all commands, for packages
    #[command(hide = true)]
    ManualPages,
}

/// Maximum number of CPU threads.
pub const MAX_THREADS: u64 = 1024;

/// Where the work runs.
#[derive(Clone, Debug, Default, Args)]
pub struct DeviceArgs {
    /// Device to paint on; auto falls back to the CPU with a note
    #[arg(long, value_name = "DEVICE", default_value = "auto", value_parser = devices())]
    pub device: DeviceChoice,
    /// Maximum number of CPU threads [default: all]
    #[arg(long, value_name = "N", value_parser = number::<usize, 1, MAX_THREADS>)]
    pub threads: Option<usize>,
    /// GPU to paint on, numbered as in doctor [default: 0]
    #[arg(long, value_name = "N", value_parser = number::<usize, 0, 255>)]
    pub gpu: Option<usize>,
    /// Use the kernels of an older device, to measure and check them: a GPU of compute capability 8.0, 8.6
    /// or 8.9, or a CPU with avx2 or sse2 [default: the device's own]
    #[arg(long, value_name = "DEVICE")]
    pub kernels_of: Option<OlderDevice>,
}

/// The GPUs of a command that can share its work.
#[derive(Clone, Debug, Default, Args)]
pub struct SharingArgs {
    /// GPUs that share the work, numbered as in doctor, for example 0,2, or all
    #[arg(long, value_name = "all|N,N", conflicts_with = "gpu")]
    pub devices: Option<GpuList>,
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
    /// Import a picture or a file of weights as a style
    ///
    /// Supported files: images; .pth and .safetensors files of the pytorch/examples network, with its key names or StyleForge's; .pth
    /// files of rrmina/fast-neural-style-pytorch and yakhyo/fast-neural-style-transfer; ONNX files of networks that turn
    /// one image into one image; and networks for style pictures, as written by tools/train_any.py or as plain state
    /// dicts, for use with --style-network. A file that does not fit exactly is refused with the keys or nodes that differ.
    Import {
        /// Image or file of weights
        file: PathBuf,
        /// Name of the style [default: the name inside the file, or the file name]
        #[arg(long)]
        name: Option<String>,
        /// Network for style pictures to use with an image [default: any, which is built in]
        #[arg(long, value_name = "NETWORK|FILE")]
        style_network: Option<OsString>,
        /// What pixel values mean to the network.
        #[command(flatten)]
        pixels: PixelArgs,
        /// Which of rrmina's networks a .pth file contains, if its names fit several: TransformerNetwork,
        /// TransformerNetworkTanh or TransformerNetworkV2 [default: detected from the weights]
        #[arg(long, value_name = "NAME")]
        network: Option<Published>,
    },
    /// Rename an imported style
    Rename {
        /// Name of the style
        #[arg(value_name = "STYLE")]
        name: String,
        /// Its new name
        #[arg(value_name = "NAME")]
        new_name: String,
    },
    /// Remove an imported style or network, without confirmation
    Remove {
        /// Name of the style or network
        #[arg(value_name = "STYLE")]
        name: String,
    },
}

/// What can be done with looks.
#[derive(Debug, Subcommand)]
pub enum LooksCommand {
    /// List your looks with their settings
    List,
    /// Show the settings of a look or painting, and if its style is missing
    Show {
        /// Name of a look, or a file: an exported look or a painting
        #[arg(value_name = "NAME|FILE")]
        look: OsString,
    },
    /// Save the look of a painting, or an exported look, under a name
    Import {
        /// PNG or JPEG file that StyleForge saved
        file: PathBuf,
        /// Name of the look [default: the file name]
        #[arg(long)]
        name: Option<String>,
        /// Style of the look: a style name, file of weights or picture [default: the painting's]
        #[arg(short, long, value_name = "STYLE")]
        style: Option<OsString>,
        /// Replace a look of this name
        #[arg(long)]
        force: bool,
    },
    /// Write a look to a file, for another computer
    Export {
        /// Name of the look
        name: String,
        /// PNG file to write
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
        /// Overwrite an existing file
        #[arg(long)]
        force: bool,
    },
    /// Rename a look
    Rename {
        /// Name of the look
        name: String,
        /// Its new name
        new_name: String,
    },
    /// Remove a look, without confirmation
    Remove {
        /// Name of the look
        name: String,
    },
}

/// `styleforge inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// Name of a style or an imported network, or a file of weights
    #[arg(value_name = "STYLE|FILE")]
    pub subject: OsString,
    /// Size of the style's network [default: full if installed]
    #[arg(long, value_name = "MODEL", value_parser = model_sizes())]
    pub model: Option<ModelSize>,
    #[command(flatten)]
    pub pixels: PixelArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `styleforge export`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("exported").args(["style", "style_pictures"]).required(true)))]
pub struct ExportArgs {
    /// Style name, file of weights, or picture
    #[arg(value_name = "STYLE")]
    pub style: Option<OsString>,
    /// Pictures as a style.
    #[command(flatten)]
    pub pictures: StylePictureArgs,
    /// What pixel values mean to a network in a file.
    #[command(flatten)]
    pub pixels: PixelArgs,
    /// Size of the style's network [default: full if installed]
    #[arg(long, value_name = "MODEL", value_parser = model_sizes())]
    pub model: Option<ModelSize>,
    /// onnx: one file; triton: a model repository for each of the backends onnxruntime, tensorrt and styleforge of
    /// NVIDIA's Triton Inference Server
    #[arg(long, value_name = "FORMAT", default_value = "onnx", value_parser = ["onnx", "triton"])]
    pub format: String,
    /// Number format of weights and inference in the file
    #[arg(long, value_name = "PRECISION", default_value = "fp32", value_parser = ["fp32", "fp16"])]
    pub precision: String,
    /// Input and output: uint8 is batch x height x width x 3, float is batch x 3 x height x width with values from 0
    /// to 255
    #[arg(long, value_name = "TYPE", default_value = "uint8", value_parser = ["uint8", "float"])]
    pub tensors: String,
    /// Only pictures of this size [default: any size]
    #[arg(long, value_name = "WxH", value_parser = picture_size::<usize>)]
    pub size: Option<(usize, usize)>,
    /// File or folder to write
    #[arg(short, long, value_name = "FILE|FOLDER")]
    pub output: PathBuf,
    /// Overwrite existing files
    #[arg(long)]
    pub force: bool,
}
