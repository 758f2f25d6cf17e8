//! Arguments of the commands that measure and check.

use std::{ffi::OsString, path::PathBuf};

use clap::Args;

use super::{
    DeviceArgs, SharingArgs,
    values::{
        MAX_BATCH, StylePictureArgs, attentions, byte_size, mode, model_sizes, number,
        picture_size, precisions, variants,
    },
};
use values::mode::{AttentionChoice, ModeChoice, ModelSize, PrecisionChoice, Variant};

/// `styleforge bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// Where the work runs.
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Which GPUs also paint together.
    #[command(flatten)]
    pub sharing: SharingArgs,
    /// Image size, for example 1280x720; may be repeated [default: 512x512, 1280x720]
    #[arg(long = "size", value_name = "WxH", value_parser = picture_size::<usize>)]
    pub sizes: Vec<(usize, usize)>,
    /// Style name or file of weights [default: random weights of the model's size]
    #[arg(long, value_name = "STYLE", conflicts_with_all = ["style_pictures", "style_network"])]
    pub style: Option<OsString>,
    /// Pictures as a style.
    #[command(flatten)]
    pub pictures: StylePictureArgs,
    /// Size of the network [default: full]
    #[arg(long, value_name = "MODEL", value_parser = model_sizes())]
    pub model: Option<ModelSize>,
    /// Variant to measure; may be repeated [default: all that the device supports]
    #[arg(long = "variant", value_name = "VARIANT", value_parser = variants())]
    pub variants: Vec<Variant>,
    /// Precision to measure; may be repeated [default: auto and fp32]
    #[arg(long = "precision", value_name = "PRECISION", value_parser = precisions())]
    pub precisions: Vec<PrecisionChoice>,
    /// Attention kernel to measure, on a GPU; may be repeated
    /// [default: auto: naive for baseline, the fastest available otherwise]
    #[arg(long = "attention", value_name = "ATTENTION", value_parser = attentions())]
    pub attentions: Vec<AttentionChoice>,
    /// Frames to paint at once
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = number::<usize, 1, MAX_BATCH>)]
    pub batch: usize,
    /// Also measure N styles on one frame, which is sent to the device once
    #[arg(long, value_name = "N", value_parser = number::<usize, 2, 32>)]
    pub styles: Option<usize>,
    /// Measured runs of each mode
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = number::<u32, 1, 100_000>)]
    pub frames: u32,
    /// Warm-up frames, not counted
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = number::<u32, 0, 10_000>)]
    pub warmup: u32,
    /// Instead measure how the cost of one mode grows with the image size, the number of residual blocks and the batch
    /// size, for both network sizes with random weights
    #[arg(long, conflicts_with_all = ["sizes", "style", "style_pictures", "style_network", "attentions", "batch", "styles", "kernels", "csv", "trace", "devices"])]
    pub sweep: bool,
    /// Maximum memory for a run, for example 4GB [default: the free memory]
    #[arg(long, value_name = "SIZE", value_parser = byte_size)]
    pub max_memory: Option<u64>,
    /// Also report the time of every kernel, from frames that are run step by step
    #[arg(long, alias = "steps", conflicts_with = "batch")]
    pub kernels: bool,
    /// Write the times of the kernels to a CSV file
    #[arg(long, value_name = "FILE", conflicts_with = "batch")]
    pub csv: Option<PathBuf>,
    /// Write the times of the kernels as a trace for chrome://tracing or ui.perfetto.dev
    #[arg(long, value_name = "FILE", conflicts_with = "batch")]
    pub trace: Option<PathBuf>,
    /// Overwrite existing files
    #[arg(long)]
    pub force: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `styleforge compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// Reference mode, for example "baseline fp32"; a variant alone leaves the
    /// precision to the device
    #[arg(value_name = "MODE", value_parser = mode)]
    pub reference: ModeChoice,
    /// Mode to compare with it, for example "fused fp16"
    #[arg(value_name = "MODE", value_parser = mode)]
    pub other: ModeChoice,
    /// Attention kernel on a GPU, for a mode that does not name one as "fused fp16, flash attention"
    /// does
    #[arg(long, value_name = "ATTENTION", default_value = "auto", value_parser = attentions())]
    pub attention: AttentionChoice,
    /// Where the work runs.
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Picture size
    #[arg(long, value_name = "WxH", default_value = "512x512", value_parser = picture_size::<usize>)]
    pub size: (usize, usize),
    /// Style name or file of weights [default: candy]
    #[arg(long, value_name = "STYLE", conflicts_with_all = ["style_pictures", "style_network"])]
    pub style: Option<OsString>,
    /// Pictures as a style.
    #[command(flatten)]
    pub pictures: StylePictureArgs,
    /// Size of the network [default: full if installed]
    #[arg(long, value_name = "MODEL", value_parser = model_sizes())]
    pub model: Option<ModelSize>,
    /// Measured frames of each mode
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = number::<u32, 1, 100_000>)]
    pub frames: u32,
    /// Warm-up frames, not counted
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = number::<u32, 0, 10_000>)]
    pub warmup: u32,
    /// Maximum memory for both modes together, for example 4GB [default: the free memory]
    #[arg(long, value_name = "SIZE", value_parser = byte_size)]
    pub max_memory: Option<u64>,
    /// Write the report to a CSV file
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Draw a chart of every run as a PNG file
    #[arg(long, value_name = "FILE")]
    pub chart: Option<PathBuf>,
    /// Overwrite existing files
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
    /// Variant to check; may be repeated [default: all that the device supports]
    #[arg(long = "variant", value_name = "VARIANT", value_parser = variants())]
    pub variants: Vec<Variant>,
    /// Precision to check; may be repeated [default: all that the device supports]
    #[arg(long = "precision", value_name = "PRECISION", value_parser = precisions())]
    pub precisions: Vec<PrecisionChoice>,
    /// Attention kernel to check, on a GPU; may be repeated
    /// [default: auto: naive for baseline, the fastest available otherwise]
    #[arg(long = "attention", value_name = "ATTENTION", value_parser = attentions())]
    pub attentions: Vec<AttentionChoice>,
    /// Style name or file of weights; may be repeated [default: random networks, every installed style
    /// and single kernels]
    #[arg(long = "style", value_name = "STYLE", conflicts_with_all = ["style_pictures", "style_network"])]
    pub styles: Vec<OsString>,
    /// Pictures as a style, which alone is checked then, or a network for them with random weights.
    #[command(flatten)]
    pub pictures: StylePictureArgs,
    /// Also check batches of N frames
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = number::<usize, 1, MAX_BATCH>)]
    pub batch: usize,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
