use media::nut::{NutReader, NutStream};
use values::yuv420::Yuv420;

/// Maximum number of pixels of a picture that is read.
const MAX_PIXELS: usize = 1 << 12;

/// Reads the pictures of a stream in NUT, in RGBA and in YUV.
pub fn nut(bytes: &[u8]) {
    for yuv in [None, Yuv420::named("bt709", "tv")] {
        let Ok(mut reader) = NutReader::open(bytes, yuv) else {
            continue;
        };
        let NutStream { width, height, .. } = reader.stream();
        while width * height <= MAX_PIXELS
            && let Ok(Some((_, picture))) = reader.next_picture()
        {
            assert_eq!(picture.len(), 4 * width * height);
        }
    }
}
