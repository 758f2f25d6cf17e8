//! Counts the frames of a fragmented MP4 that a player can show, wherever the file ends.

use crate::media::heif::{boxes, number};

/// Length of a box's header; a length of more than 32 bits takes another 8 bytes.
const HEADER: usize = 8;
/// Maximum size of a fragment's table that is parsed.
const MAX_TABLE_BYTES: usize = 1 << 24;

/// The state of the count.
#[derive(Default)]
pub struct Fragments {
    /// Frames in complete fragments.
    frames: u64,
    /// The header of the next box, as far as received.
    header: Vec<u8>,
    /// Remaining bytes of the current box, once its header is complete.
    left: Option<u64>,
    /// The table of the fragment, as far as received.
    table: Vec<u8>,
    /// Frames in the fragment whose pixels come next.
    announced: u64,
}

impl Fragments {
    /// Frames so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Processes the next bytes of the file.
    pub fn pass(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let Some(left) = self.left else {
                self.header.push(bytes[0]);
                bytes = &bytes[1..];
                self.read_header();
                continue;
            };
            let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
            if self.is(b"moof") && self.table.len() + here <= MAX_TABLE_BYTES {
                self.table.extend_from_slice(&bytes[..here]);
            }
            bytes = &bytes[here..];
            self.left = Some(left - here as u64);
            self.end_box();
        }
    }

    fn is(&self, kind: &[u8; 4]) -> bool {
        self.header.get(4..HEADER) == Some(kind)
    }

    fn read_header(&mut self) {
        let Some(short) = number(&self.header, 0..4).filter(|_| self.header.len() >= HEADER) else {
            return;
        };
        let whole = match (short, number(&self.header, 8..16)) {
            // Up to the end of the file.
            (0, _) => u64::MAX,
            (1, None) => return,
            (1, Some(long)) => long,
            (short, _) => short,
        };
        self.left = Some(whole.saturating_sub(self.header.len() as u64));
        self.end_box();
    }

    /// Starts the next box once this one is complete.
    fn end_box(&mut self) {
        if self.left != Some(0) {
            return;
        }
        if self.is(b"moof") {
            self.announced = frames_in(&self.table);
        } else if self.is(b"mdat") {
            self.frames += std::mem::take(&mut self.announced);
        }
        self.left = None;
        self.header.clear();
        self.table.clear();
    }
}

/// Number of frames in a fragment's table.
fn frames_in(table: &[u8]) -> u64 {
    let tracks = boxes(table).filter(|(kind, _)| kind == b"traf");
    let runs = tracks.flat_map(|(_, track)| boxes(track).filter(|(kind, _)| kind == b"trun"));
    // Version and flags, then the count.
    runs.map(|(_, run)| number(run, 4..8).unwrap_or(0)).sum()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn a_box(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
        let mut bytes = (content.len() as u32 + 8).to_be_bytes().to_vec();
        bytes.extend_from_slice(kind);
        bytes.extend_from_slice(content);
        bytes
    }

    /// A fragment of this many frames.
    pub fn fragment(frames: u32) -> Vec<u8> {
        let run = [[0, 0, 2, 1], frames.to_be_bytes()].concat();
        let track = [a_box(b"tfhd", &[0; 8]), a_box(b"trun", &run)].concat();
        let table = [a_box(b"mfhd", &[0; 8]), a_box(b"traf", &track)].concat();
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
        for piece in [1, 7, 100, 100_000] {
            let mut fragments = Fragments::default();
            file.chunks(piece).for_each(|bytes| fragments.pass(bytes));
            assert_eq!(fragments.frames(), 67);
        }
        let mut fragments = Fragments::default();
        fragments.pass(&file[..file.len() - 60]);
        assert_eq!(fragments.frames(), 60, "the second one is cut");
    }

    #[test]
    fn a_long_length_and_nonsense_are_passed_over() {
        let mut long = vec![0, 0, 0, 1];
        long.extend_from_slice(b"free");
        long.extend_from_slice(&20u64.to_be_bytes());
        long.extend_from_slice(&[0; 4]);
        let mut fragments = Fragments::default();
        fragments.pass(&[long, fragment(3)].concat());
        assert_eq!(fragments.frames(), 3);
        for nonsense in [&[0, 0, 0, 3, b'm', b'o', b'o', b'f', 1, 2][..], &[0; 40], &[255; 40]] {
            let mut fragments = Fragments::default();
            fragments.pass(nonsense);
            assert_eq!(fragments.frames(), 0);
        }
        assert_eq!(frames_in(&[0, 0, 0, 4, b't', b'r', b'a', b'f']), 0);
    }
}
