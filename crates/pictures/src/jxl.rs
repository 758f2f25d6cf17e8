//! Decodes JPEG XL: still images and the first frame of animations. Orientation is applied by the decoder.

use std::borrow::Cow;

use image::{ImageError, ImageResult};
use jxl::{
    api::{
        AlphaMode, Endianness, Event, ExtraChannel, JxlColorEncoding::GrayscaleColorSpace,
        JxlColorProfile, JxlColorType, JxlDataFormat, JxlDecoder, JxlDecoderOptions,
        JxlOutputBuffer, JxlParallelRunner, JxlParallelRunnerFun, JxlPixelFormat,
        JxlTransferFunction, ProfileLevel,
    },
    error::Error as JxlError,
};

use super::{
    clock::Clock,
    color::profile_of,
    foreign::{Opened, Pixels, cut, invalid, unsupported},
    heif::{boxes, exif_of_box},
    kind::MAX_PIXELS,
};

/// Maximum samples of a frame, in samples of the picture; frames that are referred to may be larger than the picture.
const MAX_FRAME: usize = 2;
/// Frames of fewer samples are always read.
const SMALL_FRAME: usize = 4 << 20;
/// The code point of unspecified primaries (ITU-T H.273).
const UNSPECIFIED: u8 = 2;
/// Bytes after which the clock is asked.
const STEP_BYTES: usize = 64 << 10;

/// Reads the header.
pub(super) fn open<'a>(bytes: &'a [u8], clock: &'a Clock<'a>) -> ImageResult<Opened<'a>> {
    // Once for the number of channels, on which the limit of samples depends.
    let probed = with_limit(bytes, clock, MAX_PIXELS as usize * 5)?;
    let samples = usize::try_from(probed.frame_pixels).unwrap_or(usize::MAX);
    with_limit(bytes, clock, samples.saturating_mul(MAX_FRAME).max(SMALL_FRAME))
}

fn with_limit<'a>(
    bytes: &'a [u8],
    clock: &'a Clock<'a>,
    samples: usize,
) -> ImageResult<Opened<'a>> {
    let mut options = JxlDecoderOptions::default();
    options.sample_limit = Some(samples);
    options.alpha_mode = AlphaMode::Unpremultiplied;
    options.max_profile_level = ProfileLevel::Main10;
    let (mut decoder, mut rest) = (JxlDecoder::new(options), bytes);
    while decoder.basic_info().is_none() {
        let event = step(&mut decoder, &mut rest, None, clock)?;
        if matches!(event, Event::NeedMoreInput { .. }) && rest.is_empty() {
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
    let pixels = Pixels::new(is_gray, has_alpha, is_deep);
    let of_file = match pixels.channels {
        1 => JxlColorType::Grayscale,
        2 => JxlColorType::GrayscaleAlpha,
        3 => JxlColorType::Rgb,
        _ => JxlColorType::Rgba,
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
    // Grey ones may also be stored as three channels.
    let channels = 3 + extra as u64;
    let samples = (u64::from(width) * u64::from(height)).saturating_mul(channels);
    // Of the pixels that are returned, which is that of the file or sRGB.
    let icc = decoder.output_color_profile().and_then(icc_of);
    let part = |name: &[u8; 4]| boxes(bytes).find(|(kind, _)| kind == name).map(|(_, data)| data);
    let row_bytes = width as usize * pixels.bytes();
    let read = move |pixels: &mut [u8], _| {
        let output = JxlOutputBuffer::new(pixels, height as usize, row_bytes);
        read(decoder, rest, output, clock)
    };
    Ok(Opened {
        icc,
        exif: part(b"Exif").and_then(exif_of_box),
        xmp: part(b"xml ").map(<[u8]>::to_vec),
        further: is_animated.then_some("frame"),
        // With those that are not shown.
        frame_pixels: samples,
        ..Opened::new((width, height), pixels, Box::new(read))
    })
}

/// The profile of pixels. The decoder's own for grey HDR does not say that it is HDR.
fn icc_of(profile: &JxlColorProfile) -> Option<Vec<u8>> {
    use JxlTransferFunction::{HLG, PQ};
    if let JxlColorProfile::Simple(GrayscaleColorSpace { transfer_function: curve, .. }) = profile
        && matches!(curve, PQ | HLG)
    {
        return profile_of(UNSPECIFIED, if *curve == PQ { 16 } else { 18 });
    }
    profile.try_as_icc().map(Cow::into_owned)
}

/// Decodes the first frame of the rest of the file.
fn read(
    mut decoder: JxlDecoder,
    mut rest: &[u8],
    output: JxlOutputBuffer<'_>,
    clock: &Clock<'_>,
) -> ImageResult<()> {
    let mut output = [output];
    loop {
        match step(&mut decoder, &mut rest, Some(&mut output), clock)? {
            Event::FrameComplete { .. } => return Ok(()),
            Event::NeedMoreInput { .. } if rest.is_empty() => return Err(cut()),
            Event::Complete => return Err(invalid("it contains no frame")),
            _ => {}
        }
    }
}

/// Decodes what the next bytes of the file contain.
fn step(
    decoder: &mut JxlDecoder,
    rest: &mut &[u8],
    output: Option<&mut [JxlOutputBuffer<'_>]>,
    clock: &Clock<'_>,
) -> ImageResult<Event> {
    clock.ask()?;
    let (mut step, after) = rest.split_at(rest.len().min(STEP_BYTES));
    let event = decoder.process(&mut step, output, Some(&mut Groups(clock)));
    *rest = &rest[rest.len() - step.len() - after.len()..];
    event.map_err(failed)
}

/// Decodes the groups of a frame on this thread.
struct Groups<'a>(&'a Clock<'a>);

impl JxlParallelRunner for Groups<'_> {
    fn run(&mut self, count: usize, group: &JxlParallelRunnerFun<'_>) -> Result<(), JxlError> {
        (0..count).try_for_each(|number| {
            self.0.ask()?;
            group(number)
        })
    }

    fn num_threads(&self) -> usize {
        1
    }

    fn run_ordered(
        &mut self,
        count: usize,
        _: Option<usize>,
        group: &JxlParallelRunnerFun<'_>,
    ) -> Result<(), JxlError> {
        self.run(count, group)
    }
}

fn failed(error: JxlError) -> ImageError {
    invalid(&error.to_string())
}
