//! YUV to RGB, in the limited range (16 to 235 and 240) or the full one. Coefficients from ITU-R BT.601-7, section 2.5,
//! BT.709-6, BT.2020-2 and SMPTE 240M.

/// Fraction bits of the coefficients.
const POINT: i32 = 13;

/// The weights of red and blue in luma.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColorMatrix {
    Bt601,
    Bt709,
    Bt2020,
    Smpte240m,
}

impl ColorMatrix {
    pub(crate) fn red_and_blue(self) -> (f64, f64) {
        match self {
            Self::Bt601 => (0.299, 0.114),
            Self::Bt709 => (0.2126, 0.0722),
            Self::Bt2020 => (0.2627, 0.0593),
            Self::Smpte240m => (0.2122, 0.0865),
        }
    }
}

/// Fixed-point coefficients of the conversion from YUV to RGB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Yuv {
    /// The level of black.
    pub black: i32,
    /// Factor of Y - black, for all three channels.
    pub brightness: i32,
    /// Factor of V - 128.
    pub red_of_v: i32,
    /// Factor of U - 128.
    pub green_of_u: i32,
    /// Factor of V - 128.
    pub green_of_v: i32,
    /// Factor of U - 128.
    pub blue_of_u: i32,
}

impl Yuv {
    /// For luma from 0 to 255, or from 16 to 235.
    pub fn new(matrix: ColorMatrix, full_range: bool) -> Self {
        let (black, y_range, c_range) =
            if full_range { (0, 255.0, 255.0) } else { (16, 219.0, 224.0) };
        let (kr, kb) = matrix.red_and_blue();
        let kg = 1.0 - kr - kb;
        let colour = 2.0 * 255.0 / c_range;
        let fixed = |v: f64| (v * f64::from(1 << POINT)).round() as i32;
        Self {
            black,
            brightness: fixed(255.0 / y_range),
            red_of_v: fixed(colour * (1.0 - kr)),
            green_of_u: fixed(-colour * kb * (1.0 - kb) / kg),
            green_of_v: fixed(-colour * kr * (1.0 - kr) / kg),
            blue_of_u: fixed(colour * (1.0 - kb)),
        }
    }

    /// The chroma's contribution to red, green and blue.
    #[inline]
    pub(super) fn colour(&self, u: u8, v: u8) -> [i32; 3] {
        let (u, v) = (i32::from(u) - 128, i32::from(v) - 128);
        [self.red_of_v * v, self.green_of_u * u + self.green_of_v * v, self.blue_of_u * u]
    }

    #[inline]
    pub(super) fn rgba(&self, brightness: u8, colour: [i32; 3]) -> [u8; 4] {
        let base = self.brightness * (i32::from(brightness) - self.black) + (1 << (POINT - 1));
        let [r, g, b] = colour.map(|c| ((base + c) >> POINT).clamp(0, 255) as u8);
        [r, g, b, 255]
    }
}
