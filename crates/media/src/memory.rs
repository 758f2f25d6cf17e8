//! How much memory films take: their frames here, and the processes of ffmpeg that decode and encode them.
//!
//! The figures are upper estimates, measured with ffmpeg 5.1: bytes of a process, for each pixel of a picture, and for each
//! pixel and thread, because every thread works on another picture.

use pictures::memory::available_bytes;
use threads::processors;

/// Columns and rows.
type Size = (usize, usize);

/// Bytes of a process without pictures.
const PROCESS_BYTES: u64 = 80_000_000;
/// Bytes for each pixel in a process that decodes a single picture.
const PICTURE_BYTES_PER_PX: u64 = 24;
/// A picture in another format or with a border takes these columns and rows more.
const BORDER_PX: u64 = 256;

/// Pixels of a picture of 1920x1088, the largest that takes little memory.
const SMALL_PX: u64 = 1920 * 1088;

/// Bytes that a process may reserve for the index of a file. A day of film takes a fifth; a damaged file of a few
/// kilobytes can declare more than a computer has.
const INDEX_BYTES: u64 = 1_000_000_000;
/// With less, large pictures cannot be looked at.
const MIN_INDEX_BYTES: u64 = 256_000_000;
/// Bytes that a process may reserve for each processor: the stacks and heaps of its threads.
const THREADS_BYTES: u64 = 64_000_000;

/// How many pictures are on their way at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flow {
    /// Enough that no step waits for another one.
    #[default]
    Usual,
    /// As few as possible, and one thread in each process, because memory is short.
    Frugal,
}

impl Flow {
    /// Pictures that wait between two steps.
    pub const fn waiting(self) -> usize {
        match self {
            Self::Usual => 2,
            Self::Frugal => 0,
        }
    }

    /// Options of a process.
    pub(crate) const fn options(self) -> &'static [&'static str] {
        match self {
            Self::Usual => &[],
            Self::Frugal => &["-threads", "1"],
        }
    }

    /// Bytes of a process with this many bytes for each pixel, and for each pixel and thread.
    pub fn process_bytes(self, size: Size, [per_px, per_px_and_thread]: [u64; 2]) -> u64 {
        let threads = match self {
            Self::Usual => processors() as u64,
            Self::Frugal => 1,
        };
        PROCESS_BYTES + (per_px + per_px_and_thread * threads) * pixels(size)
    }
}

fn pixels((width, height): Size) -> u64 {
    width as u64 * height as u64
}

/// Bytes of a picture here.
pub fn picture_bytes(size: Size) -> u64 {
    4 * pixels(size)
}

/// The memory that a film and its processes may take: that chosen, otherwise what is free.
pub fn limit_bytes(chosen: Option<u64>) -> u64 {
    chosen.or_else(available_bytes).unwrap_or(u64::MAX)
}

/// Why a film of pictures of this size is not painted.
pub fn too_much((width, height): Size, needed_bytes: u64, limit_bytes: u64) -> String {
    format!(
        "its pictures have {width} x {height} pixels and need {} MB of memory here and in ffmpeg, and the limit is {} MB; raise --max-memory, close other programs or make it smaller first",
        needed_bytes.div_ceil(1_000_000),
        limit_bytes / 1_000_000
    )
}

/// The most that a process may reserve which looks into a file, if the limit for all is this.
pub(crate) fn index_bytes(limit_bytes: u64) -> u64 {
    limit_bytes.clamp(MIN_INDEX_BYTES, INDEX_BYTES)
}

/// The most that a process may reserve which reads a file and takes about `bytes` otherwise.
pub fn most_bytes(bytes: u64) -> u64 {
    bytes + INDEX_BYTES + THREADS_BYTES * processors() as u64
}

/// The option that lets a process decode no picture for which it needs more than this.
pub(crate) fn max_pixels_within(bytes: u64) -> [String; 2] {
    max_pixels(bytes.saturating_sub(PROCESS_BYTES) / PICTURE_BYTES_PER_PX)
}

/// The option that lets a process decode no larger pictures than the video declares, unless they take little memory: the
/// pictures of broadcasts change their size.
pub(crate) fn max_pixels_of((width, height): Size) -> [String; 2] {
    let declared = (width as u64 + BORDER_PX) * (height as u64 + BORDER_PX);
    max_pixels(declared.max(SMALL_PX))
}

fn max_pixels(pixels: u64) -> [String; 2] {
    ["-max_pixels".to_owned(), pixels.clamp(1, i32::MAX as u64).to_string()]
}
