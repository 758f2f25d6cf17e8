//! What a player will show of a fragmented MP4, however the file ends: its frames, counted as they pass by, and of a
//! file that lies there how long they are.

use std::io::{self, Read, Seek, SeekFrom};

/// Length of a box's header; a length that does not fit in 32 bits takes as much again.
const HEADER: usize = 8;
/// Largest table of a fragment that is looked at, in bytes.
const MOST_TABLE_BYTES: usize = 1 << 24;
/// Boxes of a file that are looked at; two are a second of a recording.
const MOST_BOXES: usize = 1 << 20;

/// What has passed by.
#[derive(Default)]
pub struct Fragments {
    /// Frames in fragments that are whole.
    frames: u64,
    /// The header of the box that comes.
    header: Vec<u8>,
    /// Bytes of the present box that are still to come, when its header is known.
    left: Option<u64>,
    /// The table of the fragment, as far as it came.
    table: Vec<u8>,
    /// Frames in the fragment whose pixels come next.
    announced: u64,
}

impl Fragments {
    /// Frames so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Looks at the next bytes of the file.
    pub fn pass(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let Some(left) = self.left else {
                self.header.push(bytes[0]);
                bytes = &bytes[1..];
                self.read_header();
                continue;
            };
            let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
            if self.is(b"moof") && self.table.len() + here <= MOST_TABLE_BYTES {
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
        let Some(short) = number(&self.header, 0).filter(|_| self.header.len() >= HEADER) else {
            return;
        };
        let whole = match (short, self.header.len()) {
            // Up to the end of the file.
            (0, _) => u64::MAX,
            (1, ..16) => return,
            (1, _) => (8..16).fold(0, |n, at| n << 8 | u64::from(self.header[at])),
            (short, _) => u64::from(short),
        };
        self.left = Some(whole.saturating_sub(self.header.len() as u64));
        self.end_box();
    }

    /// Goes on to the next box when all of this one has come.
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

/// How many ticks are in the whole fragments of `file`, zero only if there is none; `None` where they cannot be read or
/// nothing before them has the `mark`. Reads tables and no pixels.
///
/// # Errors
/// The disk's.
pub fn ticks_in(file: &mut (impl Read + Seek), mark: &[u8]) -> io::Result<Option<u64>> {
    let end = file.seek(SeekFrom::End(0))?;
    let (mut at, mut is_marked) = (0, false);
    let (mut announced, mut ticks, mut has_pixels) = (None, None, false);
    for _ in 0..MOST_BOXES {
        if at + HEADER as u64 > end {
            break;
        }
        file.seek(SeekFrom::Start(at))?;
        let mut header = [0; HEADER];
        file.read_exact(&mut header)?;
        let (short, kind) = (number(&header, 0).unwrap_or(0), &header[4..]);
        let length = match short {
            1 => {
                let mut long = [0; 8];
                // A file that ends in it has no such box.
                if file.read_exact(&mut long).is_err() {
                    break;
                }
                u64::from_be_bytes(long)
            }
            short => u64::from(short),
        };
        // A box that is cut off, reaches to the file's end or is nonsense ends what can be played.
        let next = at.checked_add(length).filter(|next| *next <= end);
        let Some(next) = next.filter(|_| length >= HEADER as u64) else {
            break;
        };
        let content = length - HEADER as u64;
        if matches!(kind, b"moov" | b"moof") && content <= MOST_TABLE_BYTES as u64 && short != 1 {
            let mut table = vec![0; content as usize];
            file.read_exact(&mut table)?;
            match kind {
                b"moov" => is_marked |= table.windows(mark.len()).any(|word| word == mark),
                _ => announced = end_of(&table),
            }
        } else if kind == b"mdat" {
            ticks = announced.take().map(|end: u64| end.max(1)).or(ticks);
            has_pixels = true;
        }
        at = next;
    }
    Ok(ticks.or((!has_pixels).then_some(0)).filter(|_| is_marked))
}

/// When the last frame of a fragment ends, by its table, in ticks.
fn end_of(table: &[u8]) -> Option<u64> {
    let find = |bytes, name: &[u8; 4]| boxes(bytes).find(|(kind, _)| kind == name);
    let (_, track) = find(table, b"traf")?;
    let (_, head) = find(track, b"tfhd")?;
    let (_, time) = find(track, b"tfdt")?;
    let begins = match number(time, 0)? >> 24 {
        0 => u64::from(number(time, 4)?),
        _ => u64::from(number(time, 4)?) << 32 | u64::from(number(time, 8)?),
    };
    let flags = number(head, 0)?;
    // Behind flags and track: where the data begins, and which description holds.
    let usual_at = 8 + 8 * usize::from(flags & 1 > 0) + 4 * usize::from(flags & 2 > 0);
    let usual = (flags & 8 > 0).then(|| number(head, usual_at)).flatten();
    let runs = boxes(track).filter(|(kind, _)| kind == b"trun");
    runs.map(|(_, run)| ticks_of(run, usual.unwrap_or(0)))
        .try_fold(begins, |sum, run| sum.checked_add(run?))
}

/// How long the frames of a run are, where `usual` holds for those without a length of their own.
fn ticks_of(run: &[u8], usual: u32) -> Option<u64> {
    let (flags, frames) = (number(run, 0)?, number(run, 4)?);
    if flags & 0x100 == 0 {
        return Some(u64::from(frames) * u64::from(usual));
    }
    // Length, size, flags and offset of a frame; before the first what holds for all.
    let bytes = 4 * (flags & 0xf00).count_ones() as usize;
    let from = 8 + 4 * (flags & 0x5).count_ones() as usize;
    let lengths = run.get(from..)?.chunks_exact(bytes);
    let lengths = lengths.take(frames as usize).filter_map(|f| number(f, 0));
    Some(lengths.map(u64::from).sum())
}

/// Frames that a fragment's table lists.
fn frames_in(table: &[u8]) -> u64 {
    let tracks = boxes(table).filter(|(kind, _)| kind == b"traf");
    let runs = tracks.flat_map(|(_, track)| boxes(track).filter(|(kind, _)| kind == b"trun"));
    // Version and flags, then the count.
    runs.map(|(_, run)| number(run, 4).map_or(0, u64::from)).sum()
}

/// The boxes that follow each other in `bytes`: kind and content.
fn boxes(mut bytes: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    std::iter::from_fn(move || {
        let length = number(bytes, 0)? as usize;
        let kind = bytes.get(4..HEADER)?.try_into().ok()?;
        let content = bytes.get(HEADER..length)?;
        bytes = &bytes[length..];
        Some((kind, content))
    })
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at + 4)?;
    four.try_into().ok().map(u32::from_be_bytes)
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

    /// A fragment that says it has so many frames.
    pub fn fragment(frames: u32) -> Vec<u8> {
        fragment_at(0, &[0, 0, 2, 1], frames, &[])
    }

    /// A fragment that begins at this tick; its frames last 3000 of them, unless `rest` of the run says otherwise.
    fn fragment_at(tick: u64, flags: &[u8; 4], frames: u32, rest: &[u32]) -> Vec<u8> {
        let mut run = flags.to_vec();
        run.extend_from_slice(&frames.to_be_bytes());
        run.extend(rest.iter().flat_map(|number| number.to_be_bytes()));
        // A description, then the usual length.
        let head = [&[0, 0, 0, 0x0a, 0, 0, 0, 1, 0, 0, 0, 1][..], &3000u32.to_be_bytes()].concat();
        let time = [&[1, 0, 0, 0][..], &tick.to_be_bytes()].concat();
        let parts = [(b"tfhd", head), (b"tfdt", time), (b"trun", run)];
        let track: Vec<u8> = parts.iter().flat_map(|(kind, part)| a_box(kind, part)).collect();
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

    /// The beginning of a file of ours.
    pub fn beginning() -> Vec<u8> {
        let tool = a_box(b"udta", b"a tool called StyleForge");
        [a_box(b"ftyp", b"iso5"), a_box(b"moov", &tool)].concat()
    }

    #[test]
    fn a_file_is_as_long_as_its_whole_fragments() {
        let whole = [
            beginning(),
            fragment_at(0, &[0, 0, 2, 5], 30, &[]),
            // Where the data begins; then length and size of each.
            fragment_at(90_000, &[0, 0, 3, 1], 2, &[70, 400, 10, 500, 20]),
        ]
        .concat();
        let ticks = |bytes: &[u8]| {
            let read = ticks_in(&mut io::Cursor::new(bytes), b"StyleForge");
            read.expect("no disk refuses")
        };
        assert_eq!(ticks(&whole), Some(90_900));
        assert_eq!(ticks(&[&whole[..], &fragment(3)[..90]].concat()), Some(90_900));
        assert_eq!(ticks(&whole[..whole.len() - 1]), Some(90_000));
        assert_eq!(ticks(&beginning()), Some(0), "nothing to play");
        assert_eq!(ticks(&fragment(30)), None, "another program's");
        for cut in 0..whole.len() {
            let at_most = ticks(&whole[..cut]).unwrap_or(0);
            assert!(at_most <= 90_000, "{at_most} in {cut} bytes");
        }
        for nonsense in [&[0; 40][..], &[255; 40], &[0, 0, 0, 1, 9, 9, 9, 9, 1]] {
            assert_eq!(ticks(nonsense), None);
        }
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
