//! The pixel formats of cameras.

use std::{
    fmt::{Display, Formatter},
    str::FromStr,
};

use serde::Serialize;

/// The pixel format of a camera's frame. Names are those of V4L2, where they are not obvious.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PixelFormat {
    /// One JPEG picture per frame.
    Mjpeg,
    /// Y U Y V for two pixels of a row: 16 bits per pixel.
    Yuyv,
    /// As [`Yuyv`](Self::Yuyv), in the order U Y V Y.
    Uyvy,
    /// As [`Yuyv`](Self::Yuyv), in the order Y V Y U.
    Yvyu,
    /// A plane of luma, then one of U V pairs per four pixels: 12 bits per pixel.
    Nv12,
    /// As [`Nv12`](Self::Nv12), with V U pairs.
    Nv21,
    /// A plane of luma, one of U and one of V per four pixels: 12 bits per pixel. Also called I420.
    Yu12,
    /// As [`Yu12`](Self::Yu12), with V before U.
    Yv12,
    /// 24 bits per pixel.
    Rgb,
    /// 24 bits per pixel.
    Bgr,
    /// As [`Bgr`](Self::Bgr), followed by a byte without meaning: 32 bits per pixel.
    Bgra,
    /// Luma only: 8 bits per pixel.
    Grey,
    /// Luma only: the lower 10 of 16 bits per pixel, little-endian.
    Grey10,
    /// Luma only: 16 bits per pixel, little-endian.
    Grey16,
}

impl PixelFormat {
    pub const ALL: [Self; 14] = [
        Self::Mjpeg,
        Self::Yuyv,
        Self::Uyvy,
        Self::Yvyu,
        Self::Nv12,
        Self::Nv21,
        Self::Yu12,
        Self::Yv12,
        Self::Rgb,
        Self::Bgr,
        Self::Bgra,
        Self::Grey,
        Self::Grey10,
        Self::Grey16,
    ];

    /// The name in settings and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mjpeg => "mjpeg",
            Self::Yuyv => "yuyv",
            Self::Uyvy => "uyvy",
            Self::Yvyu => "yvyu",
            Self::Nv12 => "nv12",
            Self::Nv21 => "nv21",
            Self::Yu12 => "yu12",
            Self::Yv12 => "yv12",
            Self::Rgb => "rgb",
            Self::Bgr => "bgr",
            Self::Bgra => "bgra",
            Self::Grey => "grey",
            Self::Grey10 => "grey10",
            Self::Grey16 => "grey16",
        }
    }

    /// The format in which a frame is kept: the same colours, in an order that every device decodes.
    pub fn kept_as(self) -> Self {
        match self {
            Self::Uyvy | Self::Yvyu => Self::Yuyv,
            Self::Nv21 | Self::Yu12 | Self::Yv12 => Self::Nv12,
            Self::Bgra => Self::Bgr,
            Self::Grey10 | Self::Grey16 => Self::Grey,
            Self::Mjpeg | Self::Yuyv | Self::Nv12 | Self::Rgb | Self::Bgr | Self::Grey => self,
        }
    }
}

impl Display for PixelFormat {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Grey => f.pad("grey"),
            Self::Grey10 => f.pad("10-bit grey"),
            Self::Grey16 => f.pad("16-bit grey"),
            other => f.pad(&other.name().to_uppercase()),
        }
    }
}

impl FromStr for PixelFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = |format: &Self| format.name().eq_ignore_ascii_case(text);
        Self::ALL.into_iter().find(fits).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|format| format.name()).collect();
            format!("use one of: {}", names.join(", "))
        })
    }
}
