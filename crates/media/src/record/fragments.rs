//! Counts the frames of a fragmented MP4 that a player can show, wherever the file ends.

use std::io::{self, ErrorKind, Read, Seek, SeekFrom};

use pictures::heif::{boxes, number};

/// Maximum size of a fragment's table that is read.
const MAX_TABLE_BYTES: u64 = 1 << 24;
/// Number of the track of the pictures.
const PICTURES: u64 = 1;

/// Frames in the complete fragments of a file.
///
/// # Errors
/// If the file cannot be read.
pub fn frames_in(file: &mut (impl Read + Seek)) -> io::Result<u64> {
    let end = file.seek(SeekFrom::End(0))?;
    let (mut at, mut frames, mut announced) = (0_u64, 0, 0);
    loop {
        file.seek(SeekFrom::Start(at))?;
        let mut header = [0; 8];
        match file.read_exact(&mut header) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(frames),
            read => read?,
        }
        // ffmpeg writes no longer boxes: a fragment has a second of video.
        let size = number(&header, 0..4).unwrap_or(0);
        at = at.saturating_add(size);
        if size < header.len() as u64 || at > end {
            return Ok(frames);
        }
        match &header[4..] {
            b"moof" if size <= MAX_TABLE_BYTES => {
                let mut table = vec![0; size as usize - header.len()];
                file.read_exact(&mut table)?;
                announced = announced_in(&table);
            }
            b"mdat" => frames += std::mem::take(&mut announced),
            _ => {}
        }
    }
}

/// Number of frames in a fragment's table.
fn announced_in(table: &[u8]) -> u64 {
    let tracks = boxes(table).filter(|(kind, _)| kind == b"traf").map(|(_, track)| track);
    // After version and flags: the track's number, and the count of its frames.
    let value = |content: &[u8]| number(content, 4..8).unwrap_or(0);
    let of_pictures = |track: &&[u8]| {
        boxes(track).any(|(kind, about)| kind == *b"tfhd" && value(about) == PICTURES)
    };
    tracks
        .filter(of_pictures)
        .flat_map(boxes)
        .filter(|(kind, _)| kind == b"trun")
        .map(|(_, run)| value(run))
        .sum()
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Cursor;

    use super::*;

    fn a_box(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
        let mut bytes = (content.len() as u32 + 8).to_be_bytes().to_vec();
        bytes.extend_from_slice(kind);
        bytes.extend_from_slice(content);
        bytes
    }

    fn track(number: u32, frames: u32) -> Vec<u8> {
        let about = [[0; 4], number.to_be_bytes()].concat();
        let run = [[0, 0, 2, 1], frames.to_be_bytes()].concat();
        a_box(b"traf", &[a_box(b"tfhd", &about), a_box(b"trun", &run)].concat())
    }

    /// A fragment of this many frames, with sound.
    pub fn fragment(frames: u32) -> Vec<u8> {
        let table = [a_box(b"mfhd", &[0; 8]), track(1, frames), track(2, 500)].concat();
        [a_box(b"moof", &table), a_box(b"mdat", &[9; 1000])].concat()
    }

    #[test]
    fn frames_count_when_their_fragment_is_whole() {
        let file = [
            a_box(b"ftyp", b"iso5"),
            a_box(b"moov", &[0; 200]),
            fragment(60),
            fragment(7),
            a_box(b"mfra", &[0; 50]),
        ]
        .concat();
        let count = |bytes: &[u8]| frames_in(&mut Cursor::new(bytes)).expect("read");
        assert_eq!(count(&file), 67);
        assert_eq!(count(&file[..file.len() - 60]), 60, "the second one is cut");
        for nonsense in [&[0, 0, 0, 3, b'm', b'o', b'o', b'f', 1, 2][..], &[0; 40], &[255; 40]] {
            assert_eq!(count(nonsense), 0);
        }
        for end in 0..file.len() {
            assert!(count(&file[..end]) <= 67);
        }
        assert_eq!(announced_in(&[0, 0, 0, 4, b't', b'r', b'a', b'f']), 0);
    }
}
