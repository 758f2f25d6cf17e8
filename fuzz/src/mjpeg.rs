use engine::capture::{FrameDecoder, Layout, PixelFormat};

/// Maximum number of pixels of a picture that is decoded.
const MAX_PIXELS: usize = 1 << 16;
/// More than the number of consecutive damaged frames after which the decoder becomes lenient.
const DAMAGED_FRAMES: usize = 20;

/// Decodes a camera's JPEG picture, strictly and then leniently.
pub fn mjpeg(bytes: &[u8]) {
    let (width, height) = size_in(bytes).unwrap_or((16, 16));
    if width * height > MAX_PIXELS {
        return;
    }
    let layout = Layout::tight(PixelFormat::Mjpeg, width, height);
    let mut rgba = vec![0; width * height * 4];
    let mut decoder = FrameDecoder::default();
    let strict = decoder.decode(bytes, &layout, &mut rgba);
    for _ in 0..DAMAGED_FRAMES {
        assert!(decoder.decode(&[], &layout, &mut rgba).is_err());
    }
    if strict.is_err() {
        let _ = decoder.decode(bytes, &layout, &mut rgba);
    }
}

/// The size in the first frame header (ITU-T T.81, B.2.2), as the format that a camera would have negotiated.
fn size_in(bytes: &[u8]) -> Option<(usize, usize)> {
    let at = bytes.windows(2).position(|pair| pair[0] == 0xff && matches!(pair[1], 0xc0..=0xc2))?;
    let side = |at: usize| {
        let &[high, low] = bytes.get(at..at + 2)? else {
            return None;
        };
        Some(usize::from(u16::from_be_bytes([high, low])))
    };
    Some((side(at + 7)?, side(at + 5)?))
}
