//! Words inside a PNG file: how a picture was made travels with it.
//!
//! Written as `iTXt` chunks behind the header (PNG specification, third edition, 11.3.3.4): UTF-8, not
//! compressed, so that every reader of metadata shows them.

/// Length of the signature and the header chunk of every PNG file.
const HEAD: usize = 8 + 12 + 13;

/// `png` with a text for each (keyword, text). Keywords are 1 to 79 Latin letters; others are left out,
/// and bytes that are no PNG are given back as they are.
pub fn with_text(png: &[u8], texts: &[(&str, String)]) -> Vec<u8> {
    if !png.starts_with(b"\x89PNG\r\n\x1a\n") || png.len() < HEAD {
        return png.to_vec();
    }
    let (head, rest) = png.split_at(HEAD);
    let mut out = head.to_vec();
    for (keyword, text) in texts {
        if !(1..=79).contains(&keyword.len()) || !keyword.is_ascii() {
            continue;
        }
        let mut chunk = b"iTXt".to_vec();
        chunk.extend_from_slice(keyword.as_bytes());
        // End of the keyword, not compressed, no method, no language, no translated keyword.
        chunk.extend_from_slice(&[0, 0, 0, 0, 0]);
        chunk.extend_from_slice(text.as_bytes());
        let Ok(length) = u32::try_from(chunk.len() - 4) else {
            continue;
        };
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&chunk);
        out.extend_from_slice(&crc32fast::hash(&chunk).to_be_bytes());
    }
    out.extend_from_slice(rest);
    out
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::{ImageDecoder, codecs::png::PngDecoder};

    use super::*;
    use crate::{
        frame::Frame,
        media::encode::{Encoding, Format, to_bytes},
    };

    #[test]
    fn the_picture_stays_and_the_words_are_there() {
        let frame = Frame::from_fn(5, 4, |x, y| [x as u8 * 40, y as u8 * 50, 9, 200]);
        let (plain, _) = to_bytes("a picture", &frame, None, Encoding::of(Format::Png))
            .expect("a small picture");
        let told = with_text(
            &plain,
            &[("Style", "Große Welle".to_owned()), ("", String::new())],
        );
        let words = "Style\0\0\0\0\0Große Welle".as_bytes();
        assert!(told.windows(words.len()).any(|w| w == words));
        let decoder = PngDecoder::new(Cursor::new(&told)).expect("still a PNG");
        let mut pixels = vec![0; decoder.total_bytes() as usize];
        decoder
            .read_image(&mut pixels)
            .expect("every checksum holds");
        assert_eq!(pixels, frame.rgba());
        assert_eq!(with_text(b"no picture", &[]), b"no picture");
    }
}
