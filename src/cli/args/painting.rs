//! The flags of the commands that paint: what both share, and what each has of its own.

use std::{ffi::OsString, path::PathBuf};

use clap::{ArgGroup, Args};

use super::{
    DeviceArgs,
    values::{
        StylePictureArgs, attentions, batch, byte_size, camera_size, formats, model_sizes,
        precisions, seconds, source, variants, working_px, working_size,
    },
};
use crate::{
    capture::{PixelFormat, Rotation, Source},
    compose::Look,
    engine::paint::{OutputSize, WorkingSize},
    media::{encode::Format, framing::Crop},
    mode::{AttentionChoice, ModeChoice, ModelSize, PrecisionChoice, Variant},
};

/// How something is painted, whatever it is.
#[derive(Clone, Debug, Args)]
pub struct PaintingArgs {
    /// Size of the style's network [default: full where it is installed; live on a processor, lite]
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
    /// How a GPU computes attention, in networks that have it, as those for style pictures do; auto is naive in
    /// baseline, else the fastest that there is
    #[arg(long, value_name = "ATTENTION", default_value = "auto", value_parser = attentions())]
    pub attention: AttentionChoice,
    /// 0 gives back the photo or the source exactly, 100 the painting
    #[arg(long, value_name = "PERCENT", default_value_t = 100,
          value_parser = clap::value_parser!(u8).range(0..=100))]
    pub strength: u8,
    /// Keep the colours that were there and take only light and dark from the painting
    #[arg(long)]
    pub keep_colors: bool,
}

impl PaintingArgs {
    /// Variant, precision and attention.
    pub fn mode(&self) -> ModeChoice {
        ModeChoice { variant: self.variant, precision: self.precision, attention: self.attention }
    }

    /// Strength and colours.
    pub fn look(&self) -> Look {
        Look { strength_percent: self.strength, keep_colors: self.keep_colors }
    }
}

/// `styleforge stylize`.
#[derive(Debug, Args)]
#[command(group(
    ArgGroup::new("style").args(["styles", "style_pictures", "contact_sheet"]).required(true).multiple(true)
))]
pub struct StylizeArgs {
    /// Photos, folders of photos (without the folders in them), or - for standard input
    #[arg(required = true, value_name = "INPUT")]
    pub inputs: Vec<PathBuf>,
    /// Style by name, a file of weights, or "all"; may be given several times. A contact sheet has all where none
    /// is named
    #[arg(short, long = "style", value_name = "STYLE")]
    pub styles: Vec<OsString>,
    /// Pictures as a style.
    #[command(flatten)]
    pub pictures: StylePictureArgs,
    /// File or folder to write, or - for standard output
    #[arg(short, long, value_name = "FILE|FOLDER")]
    pub output: PathBuf,
    /// How it is painted.
    #[command(flatten)]
    pub painting: PaintingArgs,
    /// Photos of one size that are painted at once, where the device can
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = batch())]
    pub batch: u16,
    /// Brush size: long side, in pixels, at which the network sees the photo (smaller means broader
    /// strokes; a photo is never enlarged), or "original" [default: 1280]
    #[arg(long, value_name = "PX|original", value_parser = working_size)]
    pub working_size: Option<WorkingSize>,
    /// Size of the result: the photo's, the working size, or so many pixels on the long side; a smaller
    /// photo is painted at its own size and then enlarged, at most four times
    #[arg(long, value_name = "original|working|PX", default_value = "original")]
    pub output_size: OutputSize,
    /// Write one picture for each photo: the photo and its paintings in every style, with their titles
    #[arg(long, conflicts_with_all = ["output_size", "batch"])]
    pub contact_sheet: bool,
    /// Rotate the photo clockwise by 0, 90, 180 or 270 degrees
    #[arg(long, value_name = "DEGREES", default_value_t)]
    pub rotate: Rotation,
    /// Paint only this part of the photo, once it is rotated: columns x rows + place of its top left, in pixels
    #[arg(long, value_name = "WxH+X+Y")]
    pub crop: Option<Crop>,
    /// Format of the result [default: by the output's name, else the photo's own]
    #[arg(long, value_name = "FORMAT", value_parser = formats())]
    pub format: Option<Format>,
    /// Quality of JPEG files, 1 to 100; every other format is lossless, also WebP [default: 92]
    #[arg(long, value_name = "QUALITY", value_parser = clap::value_parser!(u8).range(1..=100))]
    pub jpeg_quality: Option<u8>,
    /// Most memory that the program may take, or the GPU's memory that painting may take, for example
    /// 4GB or 800MB; larger photos are painted smaller and scaled back [default: 4GB or half of what
    /// is free, or what the GPU has free]
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
    #[arg(long, value_name = "SOURCE", default_value = "demo", value_parser = source())]
    pub source: Source,
    /// Style by name or a file of weights, or "none" for the source as it is [default: candy]
    #[arg(short, long, value_name = "STYLE", conflicts_with_all = ["style_pictures", "style_network"])]
    pub style: Option<OsString>,
    /// Pictures as a style.
    #[command(flatten)]
    pub pictures: StylePictureArgs,
    /// How it is painted.
    #[command(flatten)]
    pub painting: PaintingArgs,
    /// Long side, in pixels, at which the network sees the source [default: the largest that holds the
    /// rate]
    #[arg(long, value_name = "PX", value_parser = working_px, conflicts_with = "target_fps")]
    pub working_size: Option<usize>,
    /// Leave pictures as small as they were painted; else they are brought up to the source's size along its
    /// edges
    #[arg(long)]
    pub no_upscale: bool,
    /// Frames per second that the automatic size holds [default: 30]
    #[arg(long, value_name = "FPS", value_parser = clap::value_parser!(u16).range(1..=240))]
    pub target_fps: Option<u16>,
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
    /// Rotate clockwise by 0, 90, 180 or 270 degrees
    #[arg(long, value_name = "DEGREES", default_value = "0")]
    pub rotate: Rotation,
    /// Stop after so many seconds of pictures [default: when Ctrl-C or SIGTERM ends it]
    #[arg(long, value_name = "N", value_parser = seconds)]
    pub seconds: Option<f64>,
    /// Stop once so many pictures are painted
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub frames: Option<u64>,
    /// Record every picture: NAME.mp4 becomes a video (by your ffmpeg; without one an AVI), NAME.avi a video of
    /// Motion-JPEG, any other name a folder of pictures, with their times in frames.csv
    #[arg(long, value_name = "NAME")]
    pub record: Option<PathBuf>,
    /// Format of the pictures in a folder [default: jpeg]
    #[arg(long, value_name = "FORMAT", value_parser = formats(), requires = "record")]
    pub record_format: Option<Format>,
    /// Print a report as JSON
    #[arg(long)]
    pub json: bool,
}
