//! Arguments of `styleforge export`.

use std::{ffi::OsString, path::PathBuf};

use clap::{ArgGroup, Args};

use super::values::{PixelArgs, StylePictureArgs, model_sizes, picture_size};
use crate::mode::ModelSize;

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
    #[arg(long, value_name = "WxH", value_parser = picture_size)]
    pub size: Option<(usize, usize)>,
    /// File or folder to write
    #[arg(short, long, value_name = "FILE|FOLDER")]
    pub output: PathBuf,
    /// Overwrite existing files
    #[arg(long)]
    pub force: bool,
}
