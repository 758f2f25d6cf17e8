//! Pictures as styles: encodes a style picture for the any-picture network, once, on the CPU.

use std::{borrow::Cow, path::Path, sync::Arc};

use super::trial::OneColor;
use backend::{Backend, BackendError, SessionSpec, cpu::CpuBackend};
use network::{
    Network,
    models::vit::{StyleCode, Transformer, TransformerError},
};
use pictures::{
    MediaError, alpha, decode,
    encode::{self, Encoding, Format},
    scale::{scaled, size_within},
};
use values::{
    frame::Frame,
    mode::{Mode, Precision, Variant},
};
use weights::{CodeOf, LibraryError, Style, StyleLibrary, StyleNetwork};

/// Shorter side of a style picture when it is encoded, in pixels; strokes then have the size that the network was
/// trained for. Smaller sizes are farther from the style and flicker more, even for small paintings. Measured with
/// `tools/measure_any.py --seen` on 12 paintings x 8 photos, at 512, 384, 320 and 256: style loss 0.244, 0.306, 0.363,
/// 0.437; one-pixel flicker 4.0, 4.8, 5.1, 5.2. Photos of 256 px, at 512 and 256: style 0.323, 0.585; flicker 4.1, 5.4.
const SHORT_SIDE_PX: usize = 512;
/// Maximum longer side, in pixels.
const LONG_SIDE_PX: usize = 1024;
/// Longer side of the style's thumbnail, in pixels.
const THUMBNAIL_PX: usize = 256;
/// Minimum side of a picture that can show strokes, in pixels.
const MIN_SIDE_PX: usize = 32;
/// Mean brightness, 0 to 255, below which paintings in the style become dark.
const DARK_BELOW: f64 = 40.0;
/// Standard deviation of every channel, 0 to 255, below which a picture counts as nearly flat.
const FLAT_BELOW: f64 = 8.0;

/// Why a picture cannot be a style.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StylePictureError {
    /// The CPU cannot encode it.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The network cannot be built.
    #[error(transparent)]
    Network(#[from] TransformerError),
    /// No picture, or no weight above zero.
    #[error("a mix of styles needs a picture with a weight above zero")]
    Nothing,
}

/// Columns and rows at which a style picture is encoded.
fn size((width, height): (usize, usize)) -> (usize, usize) {
    let scale = (SHORT_SIDE_PX as f64 / width.min(height) as f64)
        .min(LONG_SIDE_PX as f64 / width.max(height) as f64);
    let side = |px: usize| ((px as f64 * scale).round() as usize).max(1);
    (side(width), side(height))
}

/// The picture on a white background.
fn on_paper(mut picture: Frame) -> Frame {
    alpha::flatten(picture.rgba_mut(), alpha::WHITE);
    picture
}

/// The part of the picture that has visible pixels. Between them are the nearest visible colours.
fn visible(picture: &Frame) -> Cow<'_, Frame> {
    if picture.is_opaque() {
        return Cow::Borrowed(picture);
    }
    let is_visible = |x: usize, y: usize| picture.pixel(x, y)[3] > 0;
    let (width, height) = picture.size();
    let columns: Vec<usize> =
        (0..width).filter(|&x| (0..height).any(|y| is_visible(x, y))).collect();
    let rows: Vec<usize> = (0..height).filter(|&y| (0..width).any(|x| is_visible(x, y))).collect();
    let (Some(left), Some(right), Some(top), Some(bottom)) =
        (columns.first(), columns.last(), rows.first(), rows.last())
    else {
        return Cow::Owned(on_paper(picture.clone()));
    };
    let mut part = picture.crop(*left, *top, right + 1 - left, bottom + 1 - top);
    let part_width = part.width();
    alpha::fill_hidden(part.rgba_mut(), part_width);
    part.rgba_mut().chunks_exact_mut(4).for_each(|pixel| pixel[3] = 255);
    Cow::Owned(part)
}

/// Why a picture could not be imported as a style.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be read as a picture.
    #[error(transparent)]
    Media(#[from] MediaError),
    #[error(transparent)]
    Style(#[from] StylePictureError),
    /// It could not be saved.
    #[error(transparent)]
    Library(#[from] LibraryError),
}

/// A warning, as a sentence, about a style picture with little detail or light, or of which only a part is visible;
/// `None` for any other picture. Reads every pixel.
pub fn caution(name: &str, picture: &Frame) -> Option<String> {
    let (width, height) = picture.size();
    let what = if OneColor::of(picture).is_some() {
        "has only one colour".to_owned()
    } else if width.min(height) < MIN_SIDE_PX {
        format!("is only {width} x {height} pixels")
    } else {
        let is_cut_out = picture.rgba().chunks_exact(4).any(|pixel| pixel[3] == 0);
        let cut_out = "is a cut-out; the style comes from its visible part";
        let what = dark_or_flat(&small(picture)).or(is_cut_out.then_some(cut_out));
        return what.map(|what| format!("{name} {what}"));
    };
    Some(format!(
        "{name} {what}: it has no strokes, so expect flat colours; a larger image of a painting makes a better style"
    ))
}

/// The thumbnail of a style picture.
fn small(picture: &Frame) -> Frame {
    let (width, height) = size_within(picture.width(), picture.height(), THUMBNAIL_PX);
    on_paper(scaled(picture, width, height))
}

/// A warning for a dark or nearly flat picture, from the mean brightness and the spread of its channels.
fn dark_or_flat(small: &Frame) -> Option<&'static str> {
    let count = small.pixel_count().max(1) as f64;
    let mean_of =
        |value: &dyn Fn(&[u8]) -> f64| small.rgba().chunks_exact(4).map(value).sum::<f64>() / count;
    let means = [0, 1, 2].map(|channel| mean_of(&|pixel| f64::from(pixel[channel])));
    // Rec. 709.
    let luma = 0.2126 * means[0] + 0.7152 * means[1] + 0.0722 * means[2];
    if luma < DARK_BELOW {
        return Some("is very dark, so expect dark paintings");
    }
    (0..3)
        .all(|channel| {
            mean_of(&|pixel| (f64::from(pixel[channel]) - means[channel]).powi(2)).sqrt()
                < FLAT_BELOW
        })
        .then_some("is nearly the same everywhere, so expect paintings with little in them")
}

/// The style code of a picture, and its thumbnail as JPEG.
///
/// # Errors
/// [`ImportError`] if the CPU has too little memory.
pub fn look_at(network: &StyleNetwork, picture: &Frame) -> Result<(CodeOf, Vec<u8>), ImportError> {
    let code =
        CodeOf { code: code_of(&network.transformer, picture)?, network: network.name.clone() };
    let small = small(picture);
    let (thumbnail, _) = encode::to_bytes("thumbnail", &small, None, Encoding::of(Format::Jpeg))?;
    Ok((code, thumbnail))
}

/// The thumbnail of a mix as JPEG: vertical strips of the pictures, their widths proportional to the weights.
///
/// # Errors
/// [`ImportError`] if no picture has a weight above zero.
pub fn thumbnail_of_mix(pictures: &[(Arc<Frame>, u8)]) -> Result<Vec<u8>, ImportError> {
    let (width, height) = (THUMBNAIL_PX, THUMBNAIL_PX * 2 / 3);
    let total: usize = pictures.iter().map(|(_, weight)| usize::from(*weight)).sum();
    if total == 0 {
        return Err(StylePictureError::Nothing.into());
    }
    let covers: Vec<(Frame, usize)> = pictures
        .iter()
        .map(|(picture, weight)| (covering(picture, width, height), usize::from(*weight)))
        .collect();
    let mixed = Frame::from_fn(width, height, |x, y| {
        let mut until = 0;
        let found = covers.iter().find(|(_, weight)| {
            until += weight;
            x * total < until * width
        });
        let (cover, _) = found.unwrap_or(&covers[covers.len() - 1]);
        let [r, g, b, _] = cover.pixel(x, y);
        [r, g, b, 255]
    });
    let (bytes, _) = encode::to_bytes("thumbnail", &mixed, None, Encoding::of(Format::Jpeg))?;
    Ok(bytes)
}

/// The centre of a picture, scaled to cover this many columns and rows.
fn covering(picture: &Frame, width: usize, height: usize) -> Frame {
    let (w, h) = picture.size();
    let scale = (width as f64 / w as f64).max(height as f64 / h as f64);
    // Cropped before scaling: scaling all of a very long picture would exhaust memory.
    let part = |px: usize, side: usize| ((px as f64 / scale).round() as usize).clamp(1, side);
    let (columns, rows) = (part(width, w), part(height, h));
    scaled(&picture.crop((w - columns) / 2, (h - rows) / 2, columns, rows), width, height)
}

/// Imports the picture as a style of the user: stores its style code under `name`, or under the file's name if that is
/// `None`. Also returns its [`caution`].
///
/// # Errors
/// [`ImportError`] if the file cannot be read, as for [`look_at`], if the name is taken, or if the file cannot be
/// written.
pub fn import(
    library: &mut StyleLibrary,
    file: &Path,
    name: Option<&str>,
    network: &StyleNetwork,
) -> Result<(Style, Option<String>), ImportError> {
    let picture = decode::from_path(file)?.frame;
    let (code, thumbnail) = look_at(network, &picture)?;
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let style = library.keep_style_picture(&code, name.unwrap_or(&stem), &thumbnail, None)?;
    Ok((style, caution(&file.display().to_string(), &picture)))
}

/// The style code of a picture.
///
/// # Errors
/// [`StylePictureError`] if the CPU has too little memory.
pub fn code_of(transformer: &Transformer, picture: &Frame) -> Result<StyleCode, StylePictureError> {
    let visible = visible(picture);
    let (width, height) = size(visible.size());
    let map = transformer.style_map(&scaled(&visible, width, height));
    let network = Arc::new(transformer.style_graph()?);
    let backend = CpuBackend::new(None)?;
    let mode = Mode::new(Variant::Fused, Precision::Fp32);
    let spec = SessionSpec::single(map.shape.width, map.shape.height, mode);
    let mut session = backend.open(&network, &spec)?;
    let inspected = session.inspect().ok_or(StylePictureError::Nothing)?;
    Ok(transformer.code(&inspected.run_maps(std::slice::from_ref(&map))?)?)
}

/// The network that paints in a weighted mix of style pictures.
///
/// # Errors
/// [`StylePictureError`] if no weight is above zero or a code belongs to another network.
pub fn network_of(
    transformer: &Transformer,
    codes: &[(&StyleCode, f64)],
) -> Result<Arc<Network>, StylePictureError> {
    let code = StyleCode::mixed(codes).ok_or(StylePictureError::Nothing)?;
    Ok(Arc::new(transformer.network(&code)?))
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_looked_at_in_one_scale() {
        for (stored, looked_at) in [
            ((1, 1), (512, 512)),
            ((4000, 3000), (683, 512)),
            ((1, 100_000), (1, 1024)),
            ((100_000, 1), (1024, 1)),
            ((300, 200), (768, 512)),
        ] {
            assert_eq!(size(stored), looked_at, "{stored:?}");
        }
    }

    #[test]
    fn a_mix_shows_strips_of_its_pictures() {
        let one = |level, w, h| Arc::new(Frame::from_fn(w, h, |_, _| [level, level, level, 255]));
        let bytes = thumbnail_of_mix(&[(one(250, 300, 20), 30), (one(5, 9, 40), 10)]);
        let shown = decode::from_bytes("mix", &bytes.expect("drawn")).expect("a picture").frame;
        let level = |x: usize| shown.rgba()[4 * x];
        let width = shown.width();
        assert!(level(0) > 200 && level(width * 7 / 10) > 200);
        assert!(level(width * 8 / 10) < 60 && level(width - 1) < 60);
        assert!(thumbnail_of_mix(&[]).is_err());
    }

    #[test]
    fn pictures_without_strokes_are_reported() {
        let striped = |w, h| Frame::from_fn(w, h, |x, _| [[20, 220][x / 8 % 2], 90, 60, 255]);
        let flat = Frame::from_fn(300, 200, |_, _| [20, 90, 60, 255]);
        for (picture, words) in [
            (striped(300, 200), None),
            (striped(32, 32), None),
            (striped(31, 200), Some("a.png is only 31 x 200 pixels: ")),
            (striped(1, 1), Some("a.png has only one colour: ")),
            (flat, Some("a.png has only one colour: ")),
        ] {
            let note = caution("a.png", &picture);
            assert_eq!(note.is_some(), words.is_some(), "{note:?}");
            assert!(note.unwrap_or_default().starts_with(words.unwrap_or_default()));
        }
    }

    #[test]
    fn dark_and_nearly_flat_pictures_are_reported() {
        // Nine levels in three columns and three rows, around a middle.
        let levels = |middle: usize, apart: usize| {
            Frame::from_fn(600, 300, |x, y| {
                let level = (middle + (3 * (y / 100) + x / 200) * apart - 4 * apart) as u8;
                [level, level, level, 255]
            })
        };
        for (picture, words) in [
            (levels(128, 20), None),
            (levels(60, 10), None),
            (levels(230, 6), None),
            (levels(24, 5), Some("a.png is very dark, so ")),
            (levels(128, 2), Some("a.png is nearly the same everywhere, so ")),
        ] {
            let note = caution("a.png", &picture);
            assert_eq!(note.is_some(), words.is_some(), "{note:?}");
            assert!(note.unwrap_or_default().starts_with(words.unwrap_or_default()));
        }
        // Transparent areas become white.
        let clear = Frame::from_fn(64, 64, |x, y| [0, 2 * y as u8, 0, [0, 255][x / 32]]);
        let note = caution("a.png", &clear).expect("a cut-out");
        assert!(note.starts_with("a.png is a cut-out; "), "{note}");
    }

    #[test]
    fn transparent_parts_are_white_paper() {
        let picture = Frame::from_fn(2, 1, |x, _| [10, 20, 30, [0, 255][x]]);
        let seen = on_paper(picture);
        assert_eq!(seen.rgba(), [255, 255, 255, 255, 10, 20, 30, 255]);
    }

    #[test]
    fn only_the_visible_part_of_a_cut_out_counts() {
        let shape = |hidden: [u8; 3]| {
            let [r, g, b] = hidden;
            Frame::from_fn(40, 30, |x, y| match (x, y) {
                (10..20, 5..25) if x != 15 => [x as u8, y as u8, 7, 255],
                _ => [r, g, b, 0],
            })
        };
        let seen = visible(&shape([0, 255, 0])).into_owned();
        assert_eq!((seen.width(), seen.height()), (10, 20));
        assert_eq!(seen, *visible(&shape([9, 9, 9])));
        assert_eq!(seen.pixel(5, 3), [14, 8, 7, 255], "the nearest visible colour");
        let nothing = Frame::from_fn(3, 2, |_, _| [1, 2, 3, 0]);
        assert_eq!(visible(&nothing).pixel(0, 0), [255; 4]);
    }

    #[test]
    fn any_picture_becomes_a_style() {
        let built_in = StyleNetwork::built_in().expect("inside the program");
        let any = &*built_in.transformer;
        for (width, height) in [(1, 1), (40, 3)] {
            let flat = Frame::from_fn(width, height, |_, _| [200, 30, 30, 255]);
            let code = code_of(any, &flat).expect("a code");
            let network = network_of(any, &[(&code, 1.0)]).expect("a network");
            assert!(network.graph().check_is_picture_network().is_ok());
        }
        assert!(matches!(network_of(any, &[]), Err(StylePictureError::Nothing)));
    }
}
