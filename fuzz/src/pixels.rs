use engine::capture::{FrameDecoder, Layout, PixelFormat};

/// Maximum number of pixels of a frame that is decoded; for larger frames only the size is computed.
const MAX_PIXELS: usize = 1 << 14;

/// Decodes a camera's raw frame: size and stride from the driver, bytes from the camera.
pub fn pixels(bytes: &[u8]) {
    let Some((head, bytes)) = bytes.split_first_chunk::<14>() else {
        return;
    };
    let number = |at: usize| {
        u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]) as usize
    };
    let pixels = PixelFormat::ALL[usize::from(head[0]) % PixelFormat::ALL.len()];
    let layout = Layout {
        full_range: head[1] & 1 == 1,
        ..Layout::tight(pixels, number(2), number(6)).with_stride(number(10))
    };
    let needed = layout.bytes();
    let frame_pixels = layout.width.saturating_mul(layout.height);
    if frame_pixels > MAX_PIXELS {
        // No buffer is long enough for such a frame.
        let decoded = FrameDecoder::default().decode(bytes, &layout, &mut []);
        return assert!(decoded.is_err());
    }
    let mut rgba = vec![0; frame_pixels * 4];
    let decoded = FrameDecoder::default().decode(bytes, &layout, &mut rgba);
    if pixels != PixelFormat::Mjpeg {
        assert_eq!(decoded.is_ok(), frame_pixels > 0 && bytes.len() >= needed);
    }
}
