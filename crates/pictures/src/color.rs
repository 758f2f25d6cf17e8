//! Colours of picture files: from what a file's numbers mean to sRGB, and back.
//!
//! Pictures are painted, shown and saved in sRGB. A file says what its numbers mean by an ICC profile or, in a PNG, by
//! the chunks `cICP`, `gAMA` and `cHRM`; without these they are sRGB already. Pure; any thread.

use std::sync::{Arc, Mutex};

use moxcms::{
    Chromaticity, CicpColorPrimaries, CicpProfile, ColorPrimaries, ColorProfile, DataColorSpace,
    Layout, MatrixCoefficients, ProfileText, ProfileVersion, RenderingIntent, ToneReprCurve,
    TransferCharacteristics, Transform16BitExecutor, TransformOptions, XyY, Xyzd,
};
use rayon::prelude::*;

use super::{foreign::Pixels, hdr::Hdr, png_info::png_info};
use values::{
    deep_frame::{DeepFrame, narrowed, widened},
    lock::lock,
};

/// Largest profile that is read; real ones have a few kilobytes to three megabytes.
const MAX_PROFILE_BYTES: usize = 4 << 20;
/// Values of `gAMA` that old programs write for sRGB, whose curve is only close to this power (PNG, 3rd ed., 13.13).
const SRGB_GAMMA: std::ops::Range<f32> = 0.45..0.46;
/// The white of the space that connects profiles.
const D50: Xyzd = Xyzd { x: 0.9642, y: 1.0, z: 0.8249 };
/// Light of the darkest colour of every profile of version 4 for perceptual rendering (ICC.1, 6.3.3), 1 for white.
const PERCEPTUAL_BLACK: f64 = 0.003_473_1;
/// Light of the brightest colour that is taken for a profile's black: L* is 50.
const BRIGHTEST_BLACK: f64 = 0.184;
/// Where the header of a profile has the time of its creation (ICC.1, 7.2.8).
const CREATION_TIME: std::ops::Range<usize> = 24..36;
/// Where the table of tags begins, after their number, and the bytes of an entry (ICC.1, 7.3).
const TABLE_START: usize = 132;
const TAG_BYTES: usize = 12;
/// White in the RGB of 16 bits that ffmpeg makes of YUV.
const FFMPEG_WHITE: u32 = 255 * 256;
const CICP: &[u8; 4] = b"cicp";
/// The tags by which colours are converted (ICC.1, 9.2).
const READ_TAGS: [&[u8; 4]; 17] = [
    b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC", b"kTRC", b"wtpt", b"bkpt", b"chad", CICP,
    b"A2B0", b"A2B1", b"A2B2", b"B2A0", b"B2A1", b"B2A2",
];

/// What the numbers of a file mean, when that is not sRGB.
#[derive(Clone)]
pub struct ToSrgb {
    transform: Arc<Transform16BitExecutor>,
    kind: DataColorSpace,
    /// The levels that converted levels of 16 bits become, if the darkest colour is made black.
    darkened: Option<Arc<[u8]>>,
    /// The name of the HDR curve that the numbers follow.
    pub(super) hdr: Option<&'static str>,
    /// Black, and the distance of white from it, if the levels of 16 bits do not use their whole range.
    range: Option<(u32, u32)>,
}

/// Why a file's profile is not used.
pub(crate) struct Unusable;

impl ToSrgb {
    /// From an ICC profile for grey or other pixels. `None` for sRGB and for what differs from it by at most one level.
    pub(crate) fn of_icc(profile: &[u8], is_gray: bool) -> Result<Option<Self>, Unusable> {
        // Files of one origin have the same profile, and a conversion takes as long as decoding a small photo.
        type Last = (Vec<u8>, bool, Option<ToSrgb>);
        static LAST: Mutex<Option<Last>> = Mutex::new(None);
        if let Some((last, was_gray, found)) = &*lock(&LAST)
            && (last.as_slice(), *was_gray) == (profile, is_gray)
        {
            return Ok(found.clone());
        }
        // HDR needs nothing else of a profile.
        let parsed = parsed(profile, &READ_TAGS).or_else(|| parsed(profile, &[CICP]));
        let parsed = parsed.ok_or(Unusable)?;
        let found = match parsed.color_space {
            DataColorSpace::Gray if !is_gray => return Err(Unusable),
            DataColorSpace::Gray | DataColorSpace::Rgb => Self::of(&parsed)?,
            _ => return Err(Unusable),
        };
        *lock(&LAST) = Some((profile.to_vec(), is_gray, found.clone()));
        Ok(found)
    }

    /// From an ICC profile for CMYK pixels.
    pub(crate) fn of_inks(profile: &[u8]) -> Result<Option<Self>, Unusable> {
        let profile = parsed(profile, &READ_TAGS);
        let profile = profile.filter(|p| p.color_space == DataColorSpace::Cmyk);
        Self::of(&profile.ok_or(Unusable)?)
    }

    /// From the chunks of a PNG, in the order of their precedence; `icc` is that of `iCCP`.
    pub(crate) fn of_png(
        bytes: &[u8],
        icc: Option<&[u8]>,
        is_gray: bool,
    ) -> Result<Option<Self>, Unusable> {
        let info = png_info(bytes);
        if let Some(points) = info.as_ref().and_then(|info| info.coding_independent_code_points) {
            let profile = of_code_points(points.color_primaries, points.transfer_function);
            // Of 8 bits, 16 to 235 of 255 levels are used, which are then widened.
            let is_deep = info.is_some_and(|info| info.bit_depth == png::BitDepth::Sixteen);
            let unit = if is_deep { 256 } else { 257 };
            let range = (!points.is_video_full_range_image).then_some((16 * unit, 219 * unit));
            return Self::in_range(&profile.ok_or(Unusable)?, range);
        }
        if let Some(icc) = icc {
            return Self::of_icc(icc, is_gray);
        }
        let Some(info) = info.filter(|info| info.srgb.is_none()) else {
            return Ok(None);
        };
        let mut profile = ColorProfile::new_srgb();
        profile.cicp = None;
        let gamma = info.gama_chunk.map(png::ScaledFloat::into_value);
        if let Some(gamma) = gamma.filter(|gamma| *gamma > 0.0 && !SRGB_GAMMA.contains(gamma)) {
            let curve = ToneReprCurve::Parametric(vec![1.0 / gamma]);
            profile.red_trc = Some(curve.clone());
            profile.green_trc = Some(curve.clone());
            profile.blue_trc = Some(curve);
        }
        if let Some(points) = info.chrm_chunk.filter(|_| !is_gray) {
            let [white, red, green, blue] = [points.white, points.red, points.green, points.blue]
                .map(|(x, y)| Chromaticity { x: x.into_value(), y: y.into_value() });
            let white = XyY { x: white.x.into(), y: white.y.into(), yb: 1.0 };
            profile.update_rgb_colorimetry(white, ColorPrimaries { red, green, blue });
        }
        Self::of(&profile)
    }

    /// For the RGB that ffmpeg makes of a film with these primaries and this transfer function (ITU-T H.273). `None` for
    /// sRGB and for unknown ones.
    pub fn of_film(primaries: u8, transfer: u8) -> Option<Self> {
        let (primaries, transfer) = of_photos(primaries, transfer);
        let profile = of_code_points(primaries, transfer)?;
        Self::in_range(&profile, Some((0, FFMPEG_WHITE))).ok().flatten()
    }

    fn of(profile: &ColorProfile) -> Result<Option<Self>, Unusable> {
        Self::in_range(profile, None)
    }

    fn in_range(
        profile: &ColorProfile,
        range: Option<(u32, u32)>,
    ) -> Result<Option<Self>, Unusable> {
        // The tables of such a profile are for displays without HDR, in any way that its maker has chosen.
        let of_points = |points: &CicpProfile| {
            let (primaries, transfer) = (points.color_primaries, points.transfer_characteristics);
            let (primaries, transfer) = of_photos(primaries as u8, transfer as u8);
            of_code_points(primaries, transfer)
        };
        let hdr = match &profile.cicp {
            Some(points) => of_points(points).as_ref().and_then(Hdr::of),
            None => Hdr::of(profile),
        };
        if let Some(hdr) = hdr {
            let (kind, name) = (DataColorSpace::Rgb, Some(hdr.name()));
            let transform = Arc::new(hdr);
            return Ok(Some(Self { transform, kind, darkened: None, hdr: name, range }));
        }
        let kind = profile.color_space;
        let from = match kind {
            // Four inks are as many numbers as RGBA.
            DataColorSpace::Rgb | DataColorSpace::Cmyk => Layout::Rgba,
            DataColorSpace::Gray => Layout::GrayAlpha,
            _ => return Err(Unusable),
        };
        let has_curves = profile.is_matrix_shaper() || profile.gray_trc.is_some();
        let tables = [&profile.lut_a_to_b_perceptual, &profile.lut_a_to_b_colorimetric];
        if !has_curves && tables.iter().all(|table| table.is_none()) {
            return Err(Unusable);
        }
        let intent = if has_curves {
            RenderingIntent::RelativeColorimetric
        } else {
            profile.rendering_intent
        };
        let srgb = ColorProfile::new_srgb();
        let transform = profile
            .create_transform_16bit(from, &srgb, Layout::Rgba, options(intent))
            .map_err(|_| Unusable)?;
        let darkened = match intent {
            RenderingIntent::Perceptual | RenderingIntent::Saturation => {
                darkened(black_of(profile, &*transform))
            }
            _ => None,
        };
        let conversion = Self { transform, kind, darkened, hdr: None, range };
        Ok((!conversion.is_identity()).then_some(conversion))
    }

    /// True if no level of a coarse cube of colours changes by more than one.
    fn is_identity(&self) -> bool {
        if self.kind == DataColorSpace::Cmyk {
            return false;
        }
        let levels = || (0..=255u8).step_by(17);
        let greens = |r| levels().flat_map(move |g| levels().map(move |b| [r, g, b, 255]));
        let colors: Vec<[u8; 4]> = match self.kind {
            DataColorSpace::Gray => levels().map(|level| [level, level, level, 255]).collect(),
            _ => levels().flat_map(greens).collect(),
        };
        let mut converted: Vec<u8> = colors.as_flattened().to_vec();
        self.row(&mut converted, &mut Rows::default());
        converted.iter().zip(colors.as_flattened()).all(|(a, b)| a.abs_diff(*b) <= 1)
    }

    /// Converts RGBA8 in place. Of a grey picture, red, green and blue are the same level; of CMYK, the four bytes are
    /// the inks, 255 for all of it, and the result is opaque.
    pub fn apply(&self, rgba: &mut [u8], width: usize) {
        let row_bytes = (4 * width).max(4);
        rgba.par_chunks_mut(row_bytes)
            .for_each_init(Rows::default, |rows, row| self.row(row, rows));
    }

    fn row(&self, row: &mut [u8], Rows { from, to }: &mut Rows) {
        from.clear();
        match self.kind {
            DataColorSpace::Gray => {
                let pixels = row.as_chunks::<4>().0;
                from.extend(pixels.iter().flat_map(|&[level, .., a]| [level, a].map(widened)));
            }
            _ => from.extend(row.iter().map(|&level| widened(level))),
        }
        self.wide_row(from, to, row);
    }

    /// Converts a row of 16-bit pixels to RGBA8: of 4 values, or of 2 for a grey picture.
    fn wide_row(&self, from: &mut [u16], scratch: &mut Vec<u16>, to: &mut [u8]) {
        if let Some((black, span)) = self.range {
            for level in from.as_chunks_mut::<4>().0.iter_mut().flat_map(|pixel| &mut pixel[..3]) {
                let above_black = u32::from(*level).saturating_sub(black).min(span);
                *level = (above_black * u32::from(u16::MAX) / span) as u16;
            }
        }
        scratch.resize(to.len(), 0);
        // Both rows have as many pixels, the only thing that it refuses.
        if self.transform.transform(from, scratch).is_err() {
            return;
        }
        let channels = if self.kind == DataColorSpace::Gray { 2 } else { 4 };
        let pixels = to.as_chunks_mut::<4>().0.iter_mut().zip(scratch.as_chunks::<4>().0);
        for ((to, wide), from) in pixels.zip(from.chunks_exact(channels)) {
            let [r, g, b, _] = wide.map(|level| match &self.darkened {
                Some(levels) => levels[usize::from(level)],
                None => narrowed(level),
            });
            let alpha = match self.kind {
                DataColorSpace::Cmyk => 255,
                _ => narrowed(from[channels - 1]),
            };
            *to = [r, g, b, alpha];
        }
    }
}

/// The light of the darkest colour that a profile of tables can describe; `transform` is its conversion to sRGB.
fn black_of(profile: &ColorProfile, transform: &Transform16BitExecutor) -> f64 {
    if profile.version() >= ProfileVersion::V4_0 {
        return PERCEPTUAL_BLACK;
    }
    let darkest: &[u16] = match profile.color_space {
        // All of every ink.
        DataColorSpace::Cmyk => &[u16::MAX; 4],
        DataColorSpace::Gray => &[0, u16::MAX],
        _ => &[0, 0, 0, u16::MAX],
    };
    let mut srgb = [0; 4];
    if transform.transform(darkest, &mut srgb).is_err() {
        return 0.0;
    }
    let [r, g, b, _] = srgb.map(|level| {
        TransferCharacteristics::Srgb.linearize(f64::from(level) / f64::from(u16::MAX))
    });
    (0.2126 * r + 0.7152 * g + 0.0722 * b).min(BRIGHTEST_BLACK)
}

/// The levels of colours in whose light `black` becomes 0 and white stays: the compensation of the black point by which
/// LittleCMS and others keep dark parts dark. `None` if `black` is 0 already.
fn darkened(black: f64) -> Option<Arc<[u8]>> {
    let curve = TransferCharacteristics::Srgb;
    let level = |level: u16| {
        let light = curve.linearize(f64::from(level) / f64::from(u16::MAX));
        (255.0 * curve.gamma(((light - black) / (1.0 - black)).max(0.0))).round() as u8
    };
    (black > 0.0).then(|| (0..=u16::MAX).map(level).collect())
}

/// Converts RGBA with 16 bits per channel, in the byte order of the machine, to RGBA8.
pub fn narrow_rgba(wide: &[u8], width: usize, conversion: &ToSrgb) -> Vec<u8> {
    let mut rgba = vec![0; wide.len() / 2];
    narrow(wide, Pixels::new(false, true, true), Some(conversion), &mut rgba, width);
    rgba
}

/// Converts pixels with samples of 16 bits, or of floats, to RGBA8.
pub(super) fn narrow(
    wide: &[u8],
    stored: Pixels,
    conversion: Option<&ToSrgb>,
    to: &mut [u8],
    width: usize,
) {
    let Pixels { channels, sample_bytes } = stored;
    let pixel_bytes = stored.bytes();
    let rows = to.par_chunks_mut((4 * width).max(4));
    let wide = wide.par_chunks((pixel_bytes * width).max(1));
    rows.zip(wide).for_each_init(Rows::default, |Rows { from, to }, (row, wide)| {
        from.clear();
        for pixel in wide.chunks_exact(pixel_bytes) {
            let sample = |n: usize| sample(&pixel[n * sample_bytes..(n + 1) * sample_bytes]);
            let [r, g, b] = if stored.is_gray() { [sample(0); 3] } else { [0, 1, 2].map(sample) };
            let alpha = if channels.is_multiple_of(2) { sample(channels - 1) } else { u16::MAX };
            match conversion {
                Some(ToSrgb { kind: DataColorSpace::Gray, .. }) => from.extend([r, alpha]),
                _ => from.extend([r, g, b, alpha]),
            }
        }
        match conversion {
            Some(to_srgb) => to_srgb.wide_row(from, to, row),
            None => row.iter_mut().zip(from).for_each(|(to, wide)| *to = narrowed(*wide)),
        }
    });
}

/// A sample of 16 bits, or a float from 0 to 1.
fn sample(bytes: &[u8]) -> u16 {
    match *bytes {
        [a, b] => u16::from_ne_bytes([a, b]),
        [a, b, c, d] => (f32::from_ne_bytes([a, b, c, d]) * f32::from(u16::MAX)).round() as u16,
        _ => 0,
    }
}

/// Memory for a row before and after its conversion.
#[derive(Default)]
struct Rows {
    from: Vec<u16>,
    to: Vec<u16>,
}

/// The profile of sRGB that saved files contain.
pub(super) fn srgb_profile() -> Option<Vec<u8>> {
    let mut profile = ColorProfile::new_srgb();
    // Tags must start at multiples of 4 bytes, and the encoder does not pad texts: so they have even lengths.
    profile.description = Some(ProfileText::PlainString("sRGB".to_owned()));
    profile.copyright = Some(ProfileText::PlainString("Public domain.".to_owned()));
    encoded(profile)
}

pub(super) fn adobe_rgb() -> Option<Vec<u8>> {
    encoded(ColorProfile::new_adobe_rgb())
}

/// A profile for a white of exactly D50 (ICC.1, 7.2.16), without the time, so that equal pictures make equal files.
fn encoded(mut profile: ColorProfile) -> Option<Vec<u8>> {
    profile.white_point = D50;
    profile.media_white_point = Some(D50);
    // The crate writes a matrix that is not that of the adaptation to D50.
    profile.chromatic_adaptation = None;
    let mut bytes = profile.encode().ok()?;
    bytes.get_mut(CREATION_TIME)?.copy_from_slice(&[7, 208, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0]);
    Some(bytes)
}

/// Converts opaque or transparent RGBA8 from sRGB to an RGB profile, in place. `false` if the profile cannot be a
/// target.
pub(super) fn from_srgb(rgba: &mut [u8], width: usize, profile: &[u8]) -> bool {
    let Some(transform) = transform_to(profile) else {
        return false;
    };
    let kind = DataColorSpace::Rgb;
    ToSrgb { transform, kind, darkened: None, hdr: None, range: None }.apply(rgba, width);
    true
}

/// [`from_srgb`] with 16 bits per channel.
pub(super) fn from_srgb_deep(frame: &mut DeepFrame, profile: &[u8]) -> bool {
    let Some(transform) = transform_to(profile) else {
        return false;
    };
    let width = frame.size().0;
    frame.pixels.par_chunks_mut(width).for_each_init(Vec::new, |from: &mut Vec<u16>, row| {
        from.clear();
        from.extend_from_slice(row.as_flattened());
        // Both rows have as many pixels, the only thing that it refuses.
        transform.transform(from, row.as_flattened_mut()).ok();
        for (to, from) in row.iter_mut().zip(from.as_chunks::<4>().0) {
            to[3] = from[3];
        }
    });
    true
}

/// The conversion from sRGB to an RGB profile; `None` if the profile cannot be a target.
fn transform_to(profile: &[u8]) -> Option<Arc<Transform16BitExecutor>> {
    let profile = parsed(profile, &READ_TAGS).filter(|p| p.color_space == DataColorSpace::Rgb)?;
    let options = options(RenderingIntent::RelativeColorimetric);
    ColorProfile::new_srgb()
        .create_transform_16bit(Layout::Rgba, &profile, Layout::Rgba, options)
        .ok()
}

fn options(intent: RenderingIntent) -> TransformOptions {
    TransformOptions {
        rendering_intent: intent,
        prefer_fixed_point: false,
        ..TransformOptions::default()
    }
}

/// Reads each of these tags once. Any number of tags may share their data, and so may the texts in one tag.
fn parsed(profile: &[u8], tags: &[&[u8; 4]]) -> Option<ColorProfile> {
    if profile.len() > MAX_PROFILE_BYTES {
        return None;
    }
    let mut profile = profile.to_vec();
    let (head, table) = profile.split_at_mut_checked(TABLE_START)?;
    let (_, count) = head.split_last_chunk_mut::<4>()?;
    let declared = u32::from_be_bytes(*count) as usize;
    let table = table.as_chunks_mut::<TAG_BYTES>().0.get_mut(..declared)?;
    let mut kept = 0;
    for tag in 0..table.len() {
        let is_new = !table[..kept].iter().any(|other| other[..4] == table[tag][..4]);
        if is_new && tags.iter().any(|name| table[tag].starts_with(*name)) {
            table[kept] = table[tag];
            kept += 1;
        }
    }
    *count = (kept as u32).to_be_bytes();
    ColorProfile::new_from_slice(&profile).ok()
}

/// An ICC profile for primaries and a transfer function (ITU-T H.273) of photos; `None` for sRGB.
pub(super) fn profile_of(primaries: u8, transfer: u8) -> Option<Vec<u8>> {
    let (primaries, transfer) = of_photos(primaries, transfer);
    if (primaries, transfer) == (1, 13) {
        return None;
    }
    encoded(of_code_points(primaries, transfer)?)
}

/// The code points by which pictures are shown. Unspecified ones are those of sRGB, or of HDR. The curves of video (1, 6,
/// 14, 15) are shown like sRGB's by browsers.
fn of_photos(primaries: u8, transfer: u8) -> (u8, u8) {
    let usual = if matches!(transfer, 16 | 18) { 9 } else { 1 };
    let primaries = if primaries == 2 { usual } else { primaries };
    (primaries, if matches!(transfer, 1 | 2 | 6 | 14 | 15) { 13 } else { transfer })
}

/// The profile of primaries and a transfer function (ITU-T H.273).
fn of_code_points(primaries: u8, transfer: u8) -> Option<ColorProfile> {
    let profile = ColorProfile::new_from_cicp(CicpProfile {
        color_primaries: CicpColorPrimaries::try_from(primaries).ok()?,
        transfer_characteristics: TransferCharacteristics::try_from(transfer).ok()?,
        matrix_coefficients: MatrixCoefficients::Identity,
        full_range: true,
    });
    profile.is_matrix_shaper().then_some(profile)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_tags_of_colours_are_read_each_once() {
        let mut profile = srgb_profile().expect("written");
        let entry = |profile: &[u8], name: &[u8; 4]| {
            let table = profile[TABLE_START..].as_chunks::<TAG_BYTES>().0;
            TABLE_START
                + TAG_BYTES * table.iter().position(|tag| tag.starts_with(name)).expect("a tag")
        };
        // A text that is not in the file, and a second curve that is not.
        for (name, becomes) in [(b"desc", b"desc"), (b"cprt", b"rTRC")] {
            let at = entry(&profile, name);
            profile[at..at + 4].copy_from_slice(becomes);
            profile[at + 4..at + 12].fill(0xff);
        }
        let parsed = parsed(&profile, &READ_TAGS).expect("a profile");
        assert!(parsed.is_matrix_shaper() && parsed.description.is_none());
    }

    #[test]
    fn hdr_is_known_by_its_curves_alone() {
        for (transfer, name) in [(16, Some("PQ")), (18, Some("HLG")), (4, None), (8, None)] {
            let profile = profile_of(9, transfer).expect("a profile");
            let points = profile.windows(4).position(|part| part == CICP).expect("a tag");
            let mut without = profile.clone();
            without[points..points + 4].copy_from_slice(b"none");
            let [named, unnamed] = [profile, without].map(|profile| {
                let conversion = ToSrgb::of_icc(&profile, false).ok().flatten().expect("used");
                assert_eq!(conversion.hdr, name);
                let mut pixels = [100, 130, 160, 255].repeat(9);
                conversion.apply(&mut pixels, 9);
                pixels
            });
            let is_near = |(a, b): (&u8, &u8)| a.abs_diff(*b) <= 1;
            assert!(named.iter().zip(&unnamed).all(is_near), "{name:?}: {named:?} {unnamed:?}");
        }
    }
}
