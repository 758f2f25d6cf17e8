//! Pictures as styles: what the network for any picture makes of them, computed once, on the processor.

use std::{path::Path, sync::Arc};

use crate::{
    backend::{Backend, BackendError, SessionSpec, cpu::CpuBackend},
    frame::Frame,
    media::{
        MediaError, decode,
        encode::{self, Encoding, Format},
        scale::{scaled, size_within},
    },
    mode::{Mode, Precision, Variant},
    models::vit::{StyleCode, TransformerError},
    network::Network,
    weights::{LibraryError, Style, StyleLibrary, WeightsError, any_picture},
};

/// Shorter side of a style picture when the network looks at it, in pixels: strokes have the size that it was trained
/// for.
const SHORT_SIDE_PX: usize = 512;
/// The longer side at most.
const LONG_SIDE_PX: usize = 1024;
/// Longer side of the picture that stands for the style in lists.
const THUMBNAIL_PX: usize = 256;
/// What stands behind transparent parts.
const PAPER: u32 = 255;

/// Why a picture cannot be a style.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StylePictureError {
    /// The processor cannot look at it.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The network cannot be built.
    #[error(transparent)]
    Network(#[from] TransformerError),
    /// The network inside the program is damaged.
    #[error("the network for style pictures cannot be read: {0}")]
    Weights(String),
    /// No picture, or no weight above zero.
    #[error("a mix of styles needs a picture with a weight above zero")]
    Nothing,
}

impl From<WeightsError> for StylePictureError {
    fn from(error: WeightsError) -> Self {
        Self::Weights(error.to_string())
    }
}

/// The columns and rows at which a style picture is looked at.
fn size((width, height): (usize, usize)) -> (usize, usize) {
    let scale = (SHORT_SIDE_PX as f64 / width.min(height) as f64)
        .min(LONG_SIDE_PX as f64 / width.max(height) as f64);
    let side = |px: usize| ((px as f64 * scale).round() as usize).max(1);
    (side(width), side(height))
}

/// The picture on white paper.
fn on_paper(mut picture: Frame) -> Frame {
    for pixel in picture.rgba_mut().chunks_exact_mut(4) {
        let alpha = u32::from(pixel[3]);
        for value in &mut pixel[..3] {
            let mixed = u32::from(*value) * alpha + PAPER * (255 - alpha);
            *value = ((mixed + 127) / 255) as u8;
        }
        pixel[3] = 255;
    }
    picture
}

/// Why a picture is not kept as a style.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file is no picture that can be read.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// It cannot be a style.
    #[error(transparent)]
    Style(#[from] StylePictureError),
    /// It cannot be kept.
    #[error(transparent)]
    Library(#[from] LibraryError),
}

/// What is kept of the picture in a file: its code, and a small picture as JPEG.
///
/// # Errors
/// [`ImportError`] when it cannot be read, or the processor has too little memory.
pub fn read(file: &Path) -> Result<(StyleCode, Vec<u8>), ImportError> {
    let picture = decode::from_path(file)?.frame;
    let code = code_of(&picture)?;
    let (width, height) = size_within(picture.width(), picture.height(), THUMBNAIL_PX);
    let small = on_paper(scaled(&picture, width, height));
    let (thumbnail, _) = encode::to_bytes("thumbnail", &small, None, Encoding::of(Format::Jpeg))?;
    Ok((code, thumbnail))
}

/// Keeps the picture in a file as a style of the person's own, under `name` or else the file's.
///
/// # Errors
/// [`ImportError`] as [`read`], when the name is taken, and when the disk refuses.
pub fn import(
    library: &mut StyleLibrary,
    file: &Path,
    name: Option<&str>,
) -> Result<Style, ImportError> {
    let (code, thumbnail) = read(file)?;
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    Ok(library.keep_style_picture(&code, name.unwrap_or(&stem), &thumbnail)?)
}

/// What the network makes of a style picture.
///
/// # Errors
/// [`StylePictureError`] when the processor has too little memory.
pub fn code_of(picture: &Frame) -> Result<StyleCode, StylePictureError> {
    let transformer = any_picture::shipped()?;
    let (width, height) = size((picture.width(), picture.height()));
    let map = transformer.style_map(&on_paper(scaled(picture, width, height)));
    let network = Arc::new(transformer.style_graph()?);
    let backend = CpuBackend::new(None)?;
    let mode = Mode::new(Variant::Fused, Precision::Fp32);
    let spec = SessionSpec::single(map.shape.width, map.shape.height, mode);
    let mut session = backend.open(&network, &spec)?;
    let inspected = session.inspect().ok_or(StylePictureError::Nothing)?;
    let tokens = inspected.run_maps(std::slice::from_ref(&map))?;
    Ok(transformer.code(&tokens)?)
}

/// The network that paints in a mix of style pictures by weights.
///
/// # Errors
/// [`StylePictureError`] as [`code_of`], and where nothing has a weight.
pub fn network_of(codes: &[(&StyleCode, f64)]) -> Result<Arc<Network>, StylePictureError> {
    let code = StyleCode::mixed(codes).ok_or(StylePictureError::Nothing)?;
    Ok(Arc::new(any_picture::shipped()?.network(&code)?))
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
    fn transparent_parts_are_white_paper() {
        let picture = Frame::from_fn(2, 1, |x, _| [10, 20, 30, [0, 255][x]]);
        let seen = on_paper(picture);
        assert_eq!(seen.rgba(), [255, 255, 255, 255, 10, 20, 30, 255]);
    }

    #[test]
    fn any_picture_becomes_a_style() {
        for (width, height) in [(1, 1), (40, 3)] {
            let flat = Frame::from_fn(width, height, |_, _| [200, 30, 30, 255]);
            let code = code_of(&flat).expect("a code");
            let network = network_of(&[(&code, 1.0)]).expect("a network");
            assert!(network.graph().check_is_picture_network().is_ok());
        }
        assert!(matches!(network_of(&[]), Err(StylePictureError::Nothing)));
    }
}
