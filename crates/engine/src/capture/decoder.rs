//! Decodes the frames of a camera, in any of its formats, to RGBA8.

use super::mjpeg::Mjpeg;
use values::raw_frame::{Layout, PixelFormat, RawFrame, Unusable};

/// Decodes the frames of one stream.
#[derive(Default)]
pub struct FrameDecoder {
    mjpeg: Mjpeg,
    /// A frame whose format is kept as another.
    reordered: RawFrame,
}

impl FrameDecoder {
    /// Decodes the frame in `bytes`, which may continue after it, into `rgba` of `width * height * 4` bytes.
    ///
    /// # Errors
    /// [`Unusable`] if the frame must be skipped; `rgba` is then undefined.
    pub fn decode(
        &mut self,
        bytes: &[u8],
        layout: &Layout,
        rgba: &mut [u8],
    ) -> Result<(), Unusable> {
        match layout.pixels {
            PixelFormat::Mjpeg => self.mjpeg.decode(bytes, (layout.width, layout.height), rgba),
            pixels if pixels.kept_as() == pixels => layout.decode(bytes, rgba),
            _ => {
                self.reordered.set(layout, bytes, Default::default())?;
                self.reordered.layout().decode(self.reordered.bytes(), rgba)
            }
        }
    }
}
