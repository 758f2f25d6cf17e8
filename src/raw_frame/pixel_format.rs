//! The pixel formats of cameras.

use std::{
    fmt::{Display, Formatter},
    str::FromStr,
};

use serde::Serialize;

/// The pixel format of a camera's frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PixelFormat {
    /// One JPEG picture per frame.
    Mjpeg,
    /// Luma per pixel, chroma per two pixels of a row: 16 bits per pixel.
    Yuyv,
    /// A plane of luma, then one of chroma per four pixels: 12 bits per pixel.
    Nv12,
    /// 24 bits per pixel.
    Rgb,
    /// 24 bits per pixel.
    Bgr,
    /// Luma only: 8 bits per pixel.
    Grey,
}

impl PixelFormat {
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
