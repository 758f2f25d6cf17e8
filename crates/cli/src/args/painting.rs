//! Arguments of the commands that paint: the shared ones and those of each command.

use std::{ffi::OsString, path::PathBuf};

use clap::{ArgGroup, Args};

use super::{
    DeviceArgs, SharingArgs,
    values::{
        AnyFormat, MAX_BATCH, PixelArgs, StylePictureArgs, attentions, byte_size, color, formats,
        frame_rate, look, model_sizes, number, percent, picture_size, precisions, seconds, source,
        time, variants,
    },
};
use engine::{
    Stylization,
    capture::{PixelFormat, Rotation, Source},
    network_choice::Margin,
    paint::{OutputSize, WorkingSize},
};
use media::{film::Codec, framing::Crop};
use pictures::encode::Format;
use settings::looks::SavedLook;
use values::{
    compose::Look,
    mode::{AttentionChoice, ModeChoice, ModelSize, PrecisionChoice, Variant},
};

/// How something is painted, whatever it is.
#[derive(Clone, Debug, Args)]
pub struct PaintingArgs {
    /// Size of the style's network [default: full if installed; lite for live on a CPU]
    #[arg(long, value_name = "MODEL", value_parser = model_sizes())]
    pub model: Option<ModelSize>,
    /// Where the work runs.
    #[command(flatten)]
    pub device: DeviceArgs,
    /// How the network is divided into kernels; the result is the same
    #[arg(long, value_name = "VARIANT", default_value = "fused", value_parser = variants())]
    pub variant: Variant,
    /// Number format for inference; auto is the fastest accurate one on the device
    #[arg(long, value_name = "PRECISION", default_value = "auto", value_parser = precisions())]
    pub precision: PrecisionChoice,
    /// How a GPU computes attention, in networks for style pictures; auto is naive for
    /// baseline and the fastest available otherwise
    #[arg(long, value_name = "ATTENTION", default_value = "auto", value_parser = attentions())]
    pub attention: AttentionChoice,
    /// Style, detail, strength, colours and steadiness of a saved look (see styleforge looks), an exported one or a
    /// painting; other options win. Live, the rate decides the detail
    #[arg(long, value_name = "NAME|FILE", value_parser = look())]
    pub look: Option<SavedLook>,
    /// Blend: 0 = original, 100 = full effect [default: 100]
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub strength: Option<u8>,
    /// Keep the original colours and take only brightness from the painting [default: false]
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub keep_colors: Option<bool>,
    /// Steadiness of videos and live pictures: 0 paints each frame on its own, 100 keeps the strokes on moving things
    /// as steady as possible [default: 0]
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub steadiness: Option<u8>,
    /// Pixels of reflected photo around it that are painted too and cut off, so that the border looks like the rest; 0
    /// is what other programs paint [default: auto for built-in styles and style pictures, otherwise 0]
    #[arg(long, value_name = "auto|PX")]
    pub margin: Option<Margin>,
}

impl PaintingArgs {
    /// What the arguments say, still without a network.
    pub fn stylization<Size>(&self, size: Size) -> Stylization<Size> {
        let Self {
            // They choose the network and the device.
            model: _,
            device: _,
            margin: _,
            variant,
            precision,
            attention,
            ref look,
            strength,
            keep_colors,
            steadiness,
        } = *self;
        let saved = look.as_ref().map(|look| &look.painted);
        let look = saved.map(|saved| saved.look).unwrap_or_default();
        Stylization {
            network: None,
            size,
            mode: ModeChoice { variant, precision, attention },
            look: Look {
                strength_percent: strength.unwrap_or(look.strength_percent),
                keep_colors: keep_colors.unwrap_or(look.keep_colors),
            },
            steadiness: steadiness.or(saved.and_then(|saved| saved.steadiness)).unwrap_or(0),
            mask: None,
        }
    }
}

/// The colour profile of results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ProfileChoice {
    Srgb,
    Keep,
}

/// `styleforge stylize`.
#[derive(Debug, Args)]
#[command(group(
    ArgGroup::new("style").args(["styles", "style_pictures", "look", "contact_sheet"]).required(true).multiple(true)
))]
pub struct StylizeArgs {
    /// Photos, videos, folders of them, numbered pictures such as frames/%04d.png, or - for a photo on standard input
    #[arg(required = true, value_name = "INPUT")]
    pub inputs: Vec<PathBuf>,
    /// Style name, file of weights, picture, or "all"; may be repeated. A contact sheet shows all styles if none
    /// is given
    #[arg(short, long = "style", value_name = "STYLE")]
    pub styles: Vec<OsString>,
    /// Pictures as a style.
    #[command(flatten)]
    pub pictures: StylePictureArgs,
    /// What pixel values mean to a network in a file.
    #[command(flatten)]
    pub pixels: PixelArgs,
    /// File or folder to write, numbered pictures of a video such as frames/%05d.png, or - for standard output
    #[arg(short, long, value_name = "FILE|FOLDER")]
    pub output: PathBuf,
    /// How it is painted.
    #[command(flatten)]
    pub painting: PaintingArgs,
    /// Which GPUs share the work.
    #[command(flatten)]
    pub sharing: SharingArgs,
    /// Photos of one size, or frames of a video, to paint at once, if the device supports it
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = number::<usize, 1, MAX_BATCH>)]
    pub batch: usize,
    /// Detail: long side, in pixels, at which the network sees the photo or frame (smaller means broader
    /// strokes; a photo is never enlarged), or "original" [default: 1280]
    #[arg(long, value_name = "PX|original")]
    pub working_size: Option<WorkingSize>,
    /// Size of the result: the photo's or video's, the working size, or the long side in pixels; a smaller
    /// photo is painted at its own size and then enlarged, at most four times
    #[arg(long, value_name = "original|working|PX", default_value = "original")]
    pub output_size: OutputSize,
    /// Write one image per photo: the photo and its painting in every style, with titles
    #[arg(long, conflicts_with_all = ["output_size", "batch"])]
    pub contact_sheet: bool,
    /// Rotate the photo or video clockwise by 0, 90, 180 or 270 degrees
    #[arg(long, value_name = "DEGREES", default_value_t)]
    pub rotate: Rotation,
    /// Swap left and right, after rotating
    #[arg(long)]
    pub mirror: bool,
    /// Paint only this part of the rotated photo or video: width x height + left + top, in pixels
    #[arg(long, value_name = "WxH+X+Y")]
    pub crop: Option<Crop>,
    /// Paint where this picture is white and keep the photo or video where it is black; scaled to the result's size
    #[arg(long, value_name = "FILE")]
    pub mask: Option<PathBuf>,
    /// Paint where the mask is black instead
    #[arg(long, requires = "mask")]
    pub mask_invert: bool,
    /// Format of the result: png, jpeg, webp, bmp or tiff; for videos mp4, mov, mkv, webm, gif, apng or webp
    /// [default: from the output's extension, otherwise the photo's or video's; in a folder animations stay
    /// animations, and png paints the first frame of videos and animations]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<AnyFormat>,
    /// Begin a video here: seconds, or hours:minutes:seconds. If the result is a picture, paint this frame of the
    /// video; a video as style picture shows its frame at this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub start: Option<f64>,
    /// End a video here, counted from its own beginning
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub end: Option<f64>,
    /// Frames per second of a video, such as 25, 29.97 or 30000/1001 [default: every frame keeps its own time; 25 for
    /// numbered pictures]
    #[arg(long, value_name = "FPS", value_parser = frame_rate)]
    pub fps: Option<(u64, u64)>,
    /// What happens to numbers that are missing in numbered pictures: refuse the film, or hold the picture before
    #[arg(long, value_name = "refuse|hold", default_value = "refuse", value_parser = ["refuse", "hold"])]
    pub gaps: String,
    /// What happens to interlaced video: auto makes whole frames of it, off paints the frames with both fields
    #[arg(long, value_name = "auto|off", default_value = "auto", value_parser = ["auto", "off"])]
    pub deinterlace: String,
    /// Codec of a video: h264, hevc, av1, prores or ffv1 [default: h264; av1 in WebM]
    #[arg(long, value_name = "CODEC")]
    pub codec: Option<Codec>,
    /// Encode a video in h264, hevc or av1 on the graphics card (NVENC, Quick Sync, VA-API) if its encoder works,
    /// otherwise in software
    #[arg(long)]
    pub hardware: bool,
    /// Bits per channel of the result: 16 keeps finer steps of colour than 8 bits can (PNG and TIFF only)
    #[arg(long, value_name = "BITS", default_value = "8", value_parser = ["8", "16"], conflicts_with = "contact_sheet")]
    pub bit_depth: String,
    /// Colour profile of the result: sRGB, or the photo's own (RGB profiles only)
    #[arg(long, value_name = "PROFILE", default_value = "srgb")]
    pub color_profile: ProfileChoice,
    /// Colour on which transparent parts lie in files without transparency, such as JPEG and H.264: white, black, or
    /// red, green and blue as #RRGGBB
    #[arg(long, value_name = "COLOR", default_value = "white", value_parser = color)]
    pub background: [u8; 3],
    /// Do not copy the photo's EXIF, XMP and IPTC data and its resolution, or the video's tags
    #[arg(long)]
    pub strip_metadata: bool,
    /// Copy the metadata without the place where the photo or video was taken
    #[arg(long)]
    pub strip_location: bool,
    /// Quality of lossy formats, 1 to 100: JPEG [default: 92], videos in H.264, HEVC or AV1 and animated WebP
    /// [default: 80]
    #[arg(long, alias = "jpeg-quality", value_name = "QUALITY", value_parser = number::<u8, 1, 100>)]
    pub quality: Option<u8>,
    /// Maximum memory for the program, with that of ffmpeg for videos, or GPU memory for painting on
    /// a GPU, for example 4GB or 800MB; larger photos are painted smaller and scaled up, larger videos
    /// are not painted [default: 4GB or half of the free memory, or the GPU's free memory]
    #[arg(long, value_name = "SIZE", value_parser = byte_size)]
    pub max_memory: Option<u64>,
    /// Overwrite existing files
    #[arg(long, conflicts_with = "skip_existing")]
    pub force: bool,
    /// Do not paint again what already exists, and count it as done
    #[arg(long)]
    pub skip_existing: bool,
    /// Print what would be painted, with estimates of time, file size and memory for videos; write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Also paint the photos and videos in subfolders, into the same subfolders of the output
    #[arg(short, long)]
    pub recursive: bool,
    /// Keep running, and paint what arrives in the folders once it has stopped growing; existing paintings are kept.
    /// Ctrl-C or SIGTERM finishes the photo in hand
    #[arg(long, conflicts_with_all = ["contact_sheet", "dry_run", "force"])]
    pub watch: bool,
    /// Print a line of JSON for each painting instead of its file name
    #[arg(long)]
    pub json: bool,
    /// Print only errors: no notes, progress and file names
    #[arg(short, long)]
    pub quiet: bool,
}

impl StylizeArgs {
    /// The look whose style is used: no other style is given.
    pub fn styling_look(&self) -> Option<&SavedLook> {
        let is_free = self.styles.is_empty() && self.pictures.style_pictures.is_empty();
        self.painting.look.as_ref().filter(|_| is_free)
    }
}

/// `styleforge live`.
#[derive(Debug, Args)]
pub struct LiveArgs {
    /// camera, camera:NAME (see styleforge cameras), demo, a photo, a video or a folder of photos, screen (X11),
    /// window:ID (see xwininfo), or the address of a stream: rtsp://, rtmp://, http://, srt:// or tcp://; a camera's
    /// name or /dev/video0 works too
    #[arg(long, value_name = "SOURCE", default_value = "demo", value_parser = source())]
    pub source: Source,
    /// Style name or file of weights, or "none" for the unpainted source [default: candy]
    #[arg(short, long, value_name = "STYLE", conflicts_with_all = ["style_pictures", "style_network"])]
    pub style: Option<OsString>,
    /// Pictures as a style.
    #[command(flatten)]
    pub pictures: StylePictureArgs,
    /// How it is painted.
    #[command(flatten)]
    pub painting: PaintingArgs,
    /// Long side, in pixels, at which the network sees the source [default: the largest that keeps the
    /// rate]
    #[arg(long, value_name = "PX", value_parser = number::<usize, 16, 8192>, conflicts_with = "target_fps")]
    pub working_size: Option<usize>,
    /// Do not upscale the result to the source's
    /// size
    #[arg(long)]
    pub no_upscale: bool,
    /// Frames per second for the automatic size [default: 30]
    #[arg(long, value_name = "FPS", value_parser = number::<u16, 1, 240>)]
    pub target_fps: Option<u16>,
    /// Size of the camera's or demo scene's frames [default: what suits the working size]
    #[arg(long, value_name = "WxH", value_parser = picture_size::<u32>)]
    pub size: Option<(u32, u32)>,
    /// Frame rate of the camera or demo scene, or of a recording of photos [default: 30 or more]
    #[arg(long, value_name = "FPS", value_parser = number::<u32, 1, 1000>)]
    pub fps: Option<u32>,
    /// Pixel format in which a camera sends, for example mjpeg, yuyv, nv12 or yu12 [default: the cheapest]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<PixelFormat>,
    /// Swap left and right
    #[arg(long)]
    pub mirror: bool,
    /// Rotate clockwise by 0, 90, 180 or 270 degrees
    #[arg(long, value_name = "DEGREES", default_value = "0")]
    pub rotate: Rotation,
    /// Stop after N seconds of pictures [default: on Ctrl-C or SIGTERM]
    #[arg(long, value_name = "N", value_parser = seconds)]
    pub seconds: Option<f64>,
    /// Stop after N painted pictures
    #[arg(long, value_name = "N", value_parser = number::<u64, 1, 1_000_000_000>)]
    pub frames: Option<u64>,
    /// Record every frame: NAME.mp4 is a video, which needs ffmpeg; without it, and with any other NAME, a folder of
    /// images with their times in frames.csv
    #[arg(long, value_name = "NAME")]
    pub record: Option<PathBuf>,
    /// Format of the images in a folder [default: jpeg]
    #[arg(long, value_name = "FORMAT", value_parser = formats(), requires = "record")]
    pub record_format: Option<Format>,
    /// Codec of the recorded video (MP4): h264, hevc or av1 [default: h264]
    #[arg(long, value_name = "CODEC", requires = "record")]
    pub codec: Option<Codec>,
    /// Quality of the recorded video (MP4), 1 to 100 [default: 95]
    #[arg(long, value_name = "QUALITY", value_parser = number::<u8, 1, 100>, requires = "record")]
    pub quality: Option<u8>,
    /// Record sound with the video (MP4): the system's microphone, or the one with this name (--microphone=NAME)
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true, requires = "record")]
    pub microphone: Option<Option<String>>,
    /// Encode the recorded video (MP4) on the graphics card (NVENC, Quick Sync, VA-API) if its encoder works, otherwise
    /// in software
    #[arg(long, requires = "record")]
    pub hardware: bool,
    /// Show the painting to other programs as a camera: auto, or the device file or label of a virtual camera (Linux
    /// with the kernel module v4l2loopback; doctor says how to set it up)
    #[arg(long, value_name = "DEVICE")]
    pub camera_out: Option<String>,
    /// Picture size of camera out; a program that reads it may keep an older size
    #[arg(long, value_name = "WxH", value_parser = picture_size::<usize>, default_value = "1280x720", requires = "camera_out")]
    pub camera_out_size: (usize, usize),
    /// Print a report as JSON
    #[arg(long)]
    pub json: bool,
}
