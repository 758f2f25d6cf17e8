//! Decodes JPEG XL: still images and the first frame of animations. Orientation is applied by the decoder.

use std::time::{Duration, Instant};

use image::{ColorType, ImageDecoder, ImageError, ImageResult, metadata::Orientation};
use jxl::{
    api::{
        AlphaMode, Endianness, Event, ExtraChannel, JxlColorType, JxlDataFormat, JxlDecoder,
        JxlDecoderOptions, JxlOutputBuffer, JxlPixelFormat, ProfileLevel,
    },
    error::Error as JxlError,
};

use super::{
    foreign::{cut, invalid, unsupported},
    heif::{boxes, exif_of_box},
    kind::MAX_PIXELS,
};

/// Maximum samples of a frame, in samples of the picture; frames that are referred to may be larger than the picture.
const MAX_FRAME: usize = 2;
/// Frames of fewer samples are always read.
const SMALL_FRAME: usize = 4 << 20;
/// Bytes after which the time is checked.
const STEP_BYTES: usize = 64 << 10;
/// A file can contain any number of frames that are not shown. Time for a picture, and for each megapixel.
const TIME: Duration = Duration::from_secs(5);
const TIME_PER_MEGAPIXEL: Duration = Duration::from_millis(500);

pub(super) struct JxlImage<'a> {
    decoder: JxlDecoder,
    bytes: &'a [u8],
    rest: &'a [u8],
    width: u32,
    height: u32,
    color_type: ColorType,
    pub is_animated: bool,
    /// With those that are not shown.
    channels: u64,
}

impl<'a> JxlImage<'a> {
    /// Reads the header.
    pub fn new(bytes: &'a [u8]) -> ImageResult<Self> {
        // Once for the number of channels, on which the limit of samples depends.
        let probed = Self::with_limit(bytes, MAX_PIXELS as usize * 5)?;
        let limit =
            usize::try_from(probed.samples()).unwrap_or(usize::MAX).saturating_mul(MAX_FRAME);
        Self::with_limit(bytes, limit.max(SMALL_FRAME))
    }

    /// Of all channels.
    pub fn samples(&self) -> u64 {
        (u64::from(self.width) * u64::from(self.height)).saturating_mul(self.channels)
    }

    fn with_limit(bytes: &'a [u8], samples: usize) -> ImageResult<Self> {
        let mut options = JxlDecoderOptions::default();
        options.sample_limit = Some(samples);
        options.alpha_mode = AlphaMode::Unpremultiplied;
        options.max_profile_level = ProfileLevel::Main10;
        let (mut decoder, mut rest) = (JxlDecoder::new(options), bytes);
        while decoder.basic_info().is_none() {
            let event = decoder.process(&mut rest, None, None).map_err(failed)?;
            if matches!(event, Event::NeedMoreInput { .. }) {
                return Err(cut());
            }
        }
        let info = decoder.basic_info().ok_or_else(cut)?;
        let has = |wanted: ExtraChannel| info.extra_channels.iter().any(|c| c.ec_type == wanted);
        if has(ExtraChannel::Black) {
            return Err(unsupported("CMYK".to_owned()));
        }
        let is_deep = info.bit_depth.bits_per_sample() > 8;
        let has_alpha = has(ExtraChannel::Alpha);
        let is_gray = decoder.embedded_color_profile().is_some_and(|p| p.channels() == 1);
        let (color_type, of_file) = match (is_gray, has_alpha, is_deep) {
            (true, false, false) => (ColorType::L8, JxlColorType::Grayscale),
            (true, false, true) => (ColorType::L16, JxlColorType::Grayscale),
            (true, true, false) => (ColorType::La8, JxlColorType::GrayscaleAlpha),
            (true, true, true) => (ColorType::La16, JxlColorType::GrayscaleAlpha),
            (false, false, false) => (ColorType::Rgb8, JxlColorType::Rgb),
            (false, false, true) => (ColorType::Rgb16, JxlColorType::Rgb),
            (false, true, false) => (ColorType::Rgba8, JxlColorType::Rgba),
            (false, true, true) => (ColorType::Rgba16, JxlColorType::Rgba),
        };
        let format = if is_deep {
            JxlDataFormat::U16 { endianness: Endianness::native(), bit_depth: 16 }
        } else {
            JxlDataFormat::U8 { bit_depth: 8 }
        };
        let extra = info.extra_channels.len();
        let (width, height) = info.size;
        let is_animated = info.animation.is_some();
        let side = |side: usize| u32::try_from(side).map_err(|_| invalid("it is too large"));
        let (width, height) = (side(width)?, side(height)?);
        let format = JxlPixelFormat {
            color_type: of_file,
            color_data_format: Some(format),
            extra_channel_format: vec![None; extra],
        };
        decoder.set_pixel_format(format).map_err(failed)?;
        let channels = if is_gray { 1 } else { 3 } + extra as u64;
        Ok(Self { decoder, bytes, rest, width, height, color_type, is_animated, channels })
    }
}

impl ImageDecoder for JxlImage<'_> {
    fn dimensions(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    fn color_type(&self) -> ColorType {
        self.color_type
    }

    /// Of the pixels that are returned, which is that of the file or sRGB.
    fn icc_profile(&mut self) -> ImageResult<Option<Vec<u8>>> {
        let profile = self.decoder.output_color_profile();
        Ok(profile.and_then(|profile| profile.try_as_icc()).map(|icc| icc.into_owned()))
    }

    fn exif_metadata(&mut self) -> ImageResult<Option<Vec<u8>>> {
        let exif = boxes(self.bytes).find(|(kind, _)| kind == b"Exif");
        Ok(exif.and_then(|(_, content)| exif_of_box(content)))
    }

    fn xmp_metadata(&mut self) -> ImageResult<Option<Vec<u8>>> {
        let xmp = boxes(self.bytes).find(|(kind, _)| kind == b"xml ");
        Ok(xmp.map(|(_, content)| content.to_vec()))
    }

    fn orientation(&mut self) -> ImageResult<Orientation> {
        Ok(Orientation::NoTransforms)
    }

    fn read_image(mut self, pixels: &mut [u8]) -> ImageResult<()> {
        let row_bytes = self.width as usize * usize::from(self.color_type.bytes_per_pixel());
        let mut output = [JxlOutputBuffer::new(pixels, self.height as usize, row_bytes)];
        let megapixels = self.width as f64 * f64::from(self.height) / 1e6;
        let end = Instant::now() + TIME + TIME_PER_MEGAPIXEL.mul_f64(megapixels);
        loop {
            let (mut step, after) = self.rest.split_at(self.rest.len().min(STEP_BYTES));
            let event = self.decoder.process(&mut step, Some(&mut output), None);
            let unread = step.len() + after.len();
            self.rest = &self.rest[self.rest.len() - unread..];
            match event.map_err(failed)? {
                Event::FrameComplete { .. } => return Ok(()),
                Event::NeedMoreInput { .. } if self.rest.is_empty() => return Err(cut()),
                Event::Complete => return Err(invalid("it contains no frame")),
                _ => {}
            }
            if Instant::now() > end {
                return Err(invalid("it takes too long to decode for an image of its size"));
            }
        }
    }

    fn read_image_boxed(self: Box<Self>, pixels: &mut [u8]) -> ImageResult<()> {
        (*self).read_image(pixels)
    }
}

fn failed(error: JxlError) -> ImageError {
    invalid(&error.to_string())
}
