//! How a camera's luma and chroma become colours.

use v4l::Device as V4lDevice;

use super::calls;
use values::raw_frame::ColorMatrix;

/// A driver's numbers in `videodev2.h`: of the colour space, the encoding of its colours, and the range of its values.
#[derive(Clone, Copy, Debug, Default)]
pub struct DriverColors {
    pub space: u32,
    pub encoding: u32,
    pub range: u32,
}

impl DriverColors {
    /// Those of the current format. Everything is 0, unknown, if the driver does not respond.
    pub fn of(device: &V4lDevice) -> Self {
        let [space, encoding, range] = calls::capture_colors(device).unwrap_or_default();
        Self { space, encoding, range }
    }

    /// The matrix, and whether the range is full. What the driver leaves open follows from the colour space, by
    /// `V4L2_MAP_YCBCR_ENC_DEFAULT` and `V4L2_MAP_QUANTIZATION_DEFAULT`.
    pub fn matrix_and_range(self) -> (ColorMatrix, bool) {
        /// `V4L2_COLORSPACE_JPEG`.
        const JPEG: u32 = 7;
        let matrix = match (self.encoding, self.space) {
            // V4L2_YCBCR_ENC_709, _XV709; V4L2_COLORSPACE_REC709, _DCI_P3.
            (2 | 4, _) | (0, 3 | 12) => ColorMatrix::Bt709,
            // V4L2_YCBCR_ENC_BT2020, _BT2020_CONST_LUM; V4L2_COLORSPACE_BT2020.
            (6 | 7, _) | (0, 10) => ColorMatrix::Bt2020,
            // V4L2_YCBCR_ENC_SMPTE240M; V4L2_COLORSPACE_SMPTE240M.
            (8, _) | (0, 2) => ColorMatrix::Smpte240m,
            _ => ColorMatrix::Bt601,
        };
        // V4L2_QUANTIZATION_FULL_RANGE, or _DEFAULT.
        (matrix, self.range == 1 || (self.range == 0 && self.space == JPEG))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unset_driver_values_follow_from_the_colour_space() {
        use ColorMatrix::{Bt601, Bt709, Bt2020, Smpte240m};
        for ((space, encoding, range), expected) in [
            ((0, 0, 0), (Bt601, false)),
            // SMPTE 170M, sRGB, JPEG.
            ((1, 0, 0), (Bt601, false)),
            ((8, 0, 0), (Bt601, false)),
            ((7, 0, 0), (Bt601, true)),
            // BT.709, DCI-P3, BT.2020, SMPTE 240M.
            ((3, 0, 0), (Bt709, false)),
            ((12, 0, 0), (Bt709, false)),
            ((10, 0, 0), (Bt2020, false)),
            ((2, 0, 0), (Smpte240m, false)),
            // What the driver says comes first.
            ((8, 2, 0), (Bt709, false)),
            ((3, 1, 1), (Bt601, true)),
            ((7, 0, 2), (Bt601, false)),
        ] {
            let colors = DriverColors { space, encoding, range };
            assert_eq!(colors.matrix_and_range(), expected, "{colors:?}");
        }
    }
}
