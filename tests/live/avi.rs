//! Reads AVI files; also used by the unit tests of `media::record::avi`.

use image::RgbaImage;

/// The pictures of an AVI with their positions, found through its indexes. Panics if any part of the file is invalid.
pub fn pictures_of(avi: &[u8]) -> Vec<(u64, RgbaImage)> {
    let number = |at: usize| u32::from_le_bytes(avi[at..at + 4].try_into().expect("four")) as usize;
    let name = |at: usize| &avi[at..at + 4];
    // The chunks are contiguous up to the end, and so are the lists in them.
    let (mut at, mut indexes) = (0, Vec::new());
    while at < avi.len() {
        assert_eq!(name(at), b"RIFF");
        let end = at + 8 + number(at + 4);
        let mut inner = at + 12;
        while inner < end {
            if name(inner) == b"LIST" && name(inner + 8) == b"movi" {
                let list_end = inner + 8 + number(inner + 4);
                let mut chunk = inner + 12;
                while chunk < list_end {
                    if name(chunk) == b"ix00" {
                        indexes.push(chunk);
                    } else {
                        assert_eq!(name(chunk), b"00dc");
                    }
                    chunk += 8 + number(chunk + 4).next_multiple_of(2);
                }
                assert_eq!(chunk, list_end);
            }
            inner += 8 + number(inner + 4).next_multiple_of(2);
        }
        assert_eq!(inner, end);
        at = end;
    }
    assert_eq!(at, avi.len());
    let find = |word: &[u8]| avi.windows(4).position(|w| w == word).expect("there");
    let of_indexes = find(b"indx");
    assert_eq!(number(of_indexes + 12), indexes.len());
    let mut pictures = Vec::new();
    let mut place = 0;
    let mut old_index = find(b"idx1") + 8;
    let movi = find(b"movi");
    for (n, index) in indexes.iter().enumerate() {
        let entry = of_indexes + 32 + 16 * n;
        assert_eq!(number(entry), *index);
        assert_eq!(number(entry + 8), 8 + number(index + 4));
        let count = number(index + 12);
        assert_eq!(number(entry + 12), count);
        let base = number(index + 20);
        for chunk in 0..count {
            let at = base + number(index + 32 + 8 * chunk);
            let bytes = number(index + 36 + 8 * chunk);
            assert_eq!(number(at - 4), bytes);
            if n == 0 {
                assert_eq!(number(old_index + 8) + movi, at - 8);
                assert_eq!(number(old_index + 12), bytes);
                old_index += 16;
            }
            if bytes > 0 {
                // Not with a reader, for which each program compiles the decoders of all formats.
                let picture = image::load_from_memory(&avi[at..at + bytes]);
                let rgba = picture.expect("a picture").to_rgba8();
                pictures.push((place, rgba));
            }
            place += 1;
        }
    }
    // The length that players show.
    let (frames, main) = (find(b"dmlh") + 8, find(b"avih") + 8);
    assert_eq!(number(frames) as u64, place);
    assert_eq!(number(main + 12) & 0x10, 0x10, "it has an index");
    pictures
}
