//! Photos, and what `styleforge stylize` paints of them.

use std::sync::Arc;

use backend::{BackendError, cpu::CpuBackend};
use engine::paint::{OutputSize, PaintSettings, Painter};
use network::Network;
use values::{compose::Look, frame::Frame, mode::ModelSize};
use weights::StyleLibrary;

/// An opaque photo.
pub fn photo(width: usize, height: usize) -> Frame {
    Frame::from_fn(width, height, |x, y| [(x * 7) as u8, (y * 5) as u8, (x * y) as u8, 255])
}

/// The pixels with three or four channels.
pub fn pixels(frame: &Frame, channels: usize) -> Vec<u8> {
    frame.rgba().chunks(4).flat_map(|pixel| pixel[..channels].to_vec()).collect()
}

pub fn candy() -> Arc<Network> {
    StyleLibrary::standard()
        .find("candy")
        .expect("a style")
        .load(ModelSize::Lite)
        .expect("weights")
        .network
}

pub fn stylized(
    network: &Arc<Network>,
    photo: &Frame,
    settings: PaintSettings,
    output: OutputSize,
    look: Look,
) -> Frame {
    let backend = Arc::new(CpuBackend::new(Some(2)).expect("a backend"));
    let mut painter = Painter::new(backend, Arc::new(|_| Err(BackendError::Cancelled)));
    let photo = Arc::new(photo.clone());
    painter
        .paint(&photo, network, settings, &Default::default())
        .expect("painted")
        .into_finished(&photo, output, look)
}

/// [`stylized`] with the usual choices.
pub fn plainly(network: &Arc<Network>, photo: &Frame) -> Frame {
    stylized(network, photo, PaintSettings::default(), OutputSize::Original, Look::default())
}
