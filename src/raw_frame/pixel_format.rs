//! How cameras send their pixels.

use std::{
    fmt::{Display, Formatter},
    str::FromStr,
};

use serde::Serialize;

/// How the bytes of a camera's frame are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PixelFormat {
    /// A JPEG picture a frame.
    Mjpeg,
    /// Brightness for each pixel, colour for two in a row: 16 bits a pixel.
    Yuyv,
    /// A plane of brightness, then one of colour for each four pixels: 12 bits a pixel.
    Nv12,
    /// Red, green, blue: 24 bits a pixel.
    Rgb,
    /// Blue, green, red: 24 bits a pixel.
    Bgr,
    /// Brightness alone: 8 bits a pixel.
    Grey,
}

impl PixelFormat {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Mjpeg, Self::Yuyv, Self::Nv12, Self::Rgb, Self::Bgr, Self::Grey];

    /// The name in settings and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mjpeg => "mjpeg",
            Self::Yuyv => "yuyv",
            Self::Nv12 => "nv12",
            Self::Rgb => "rgb",
            Self::Bgr => "bgr",
            Self::Grey => "grey",
        }
    }
}

impl Display for PixelFormat {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Mjpeg => "MJPEG",
            Self::Yuyv => "YUYV",
            Self::Nv12 => "NV12",
            Self::Rgb => "RGB",
            Self::Bgr => "BGR",
            Self::Grey => "grey",
        })
    }
}

impl FromStr for PixelFormat {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = |format: &Self| format.name().eq_ignore_ascii_case(text);
        Self::ALL.into_iter().find(fits).ok_or("give mjpeg, yuyv, nv12, rgb, bgr or grey")
    }
}
