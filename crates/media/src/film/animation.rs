//! What animated GIF and PNG files say about their time and `ffprobe` does not report.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::Path,
};

/// Bytes of a GIF before its first frame.
const GIF_HEAD_BYTES: u64 = 64 << 10;
/// The extension with the number of repetitions, and its block's length and kind.
const GIF_LOOPS: &[u8] = b"NETSCAPE2.0\x03\x01";

/// How often it is played, 0 for ever, and its length in seconds if it is known.
pub type Timing = (u16, Option<f64>);

/// The timing of a file in one of ffprobe's formats. `None` if it is not such an animation, or is damaged.
pub fn timing(path: &Path, format: &str) -> Option<Timing> {
    match format {
        "gif" => gif(File::open(path).ok()?).ok(),
        "apng" => apng(File::open(path).ok()?).ok(),
        _ => None,
    }
}

fn gif(file: File) -> io::Result<Timing> {
    let mut head = Vec::new();
    file.take(GIF_HEAD_BYTES).read_to_end(&mut head)?;
    let found = head.windows(GIF_LOOPS.len()).position(|part| part == GIF_LOOPS);
    let loops = found.and_then(|at| head.get(at + GIF_LOOPS.len()..)?.first_chunk());
    Ok((loops.map_or(1, |loops| u16::from_le_bytes(*loops)), None))
}

/// Adds up the frames' times (PNG, third edition, 11.3.6).
fn apng(file: File) -> io::Result<Timing> {
    let mut file = BufReader::new(file);
    file.seek(SeekFrom::Start(8))?;
    let (mut plays, mut seconds, mut head) = (1, 0.0, [0; 8]);
    while file.read_exact(&mut head).is_ok() {
        let [length, name] = [0, 4].map(|at| [head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let mut left = i64::from(u32::from_be_bytes(length)) + 4;
        let mut data = [0; 26];
        if matches!(&name, b"acTL" | b"fcTL") && left >= 8 + 4 {
            let data = &mut data[..(left as usize - 4).min(26)];
            file.read_exact(data)?;
            left -= data.len() as i64;
        }
        let short = |at: usize| u16::from_be_bytes([data[at], data[at + 1]]);
        match &name {
            // More than 65,535 times is for ever.
            b"acTL" => plays = if short(4) == 0 { short(6) } else { 0 },
            b"fcTL" => {
                let under = if short(22) == 0 { 100 } else { short(22) };
                seconds += f64::from(short(20)) / f64::from(under);
            }
            b"IEND" => break,
            _ => {}
        }
        file.seek_relative(left)?;
    }
    Ok((plays, Some(seconds).filter(|&seconds| seconds > 0.0)))
}
