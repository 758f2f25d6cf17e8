//! Pictures from and to the outside: files, standard input and output, sizes, contact sheets.
//!
//! Knows no style, no device and no window. Every call blocks; any thread may call.

mod alpha;
mod color;
mod container;
pub mod decode;
pub mod encode;
pub mod folder;
pub mod framing;
pub mod guard;
mod header;
mod in_place;
pub mod memory;
pub mod record;
pub mod resample;
pub mod sample;
pub mod scale;
pub mod sheet;
pub mod upscale;

use crate::disk::WriteError;

/// Why a picture could not be read or written. Every message names the picture and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MediaError {
    /// The operating system refuses to give the file's bytes.
    #[error("{name} could not be read: {reason}")]
    Read {
        /// The file as the person named it.
        name: String,
        /// The system's words.
        reason: String,
    },
    /// More bytes than any picture within the limits has.
    #[error("{name} is larger than {limit_mb} MB, the maximum")]
    TooManyBytes {
        /// The file as the person named it.
        name: String,
        /// The limit, in megabytes.
        limit_mb: u64,
    },
    /// The first bytes are those of no picture format that is read.
    #[error("{name} is not a supported image (PNG, JPEG, WebP, BMP, TIFF or GIF): {found}")]
    UnknownFormat {
        /// The file as the person named it.
        name: String,
        /// The kind of the file, as far as its first bytes show it.
        found: String,
    },
    /// The header declares more pixels than the limit.
    #[error(
        "{name} declares {width} x {height} pixels; the limit is {} megapixels; make it smaller first",
        decode::MAX_PIXELS / 1_000_000
    )]
    TooManyPixels {
        /// The file as the person named it.
        name: String,
        /// Columns that the header declares.
        width: u32,
        /// Rows that the header declares.
        height: u32,
    },
    /// The header declares a side beyond the limit.
    #[error(
        "{name} declares {width} x {height} pixels; the limit is {} pixels a side; cut it into pieces first",
        decode::MAX_SIDE_PX
    )]
    TooLong {
        /// The file as the person named it.
        name: String,
        /// Columns that the header declares.
        width: u32,
        /// Rows that the header declares.
        height: u32,
    },
    /// Decoding and painting the picture would take more memory than there is.
    #[error(
        "{name} has {width} x {height} pixels and needs {needed_mb} MB of memory, and {available_mb} MB are available; close other programs or make it smaller first"
    )]
    NotEnoughMemory {
        /// The file as the person named it.
        name: String,
        /// Columns that the header declares.
        width: u32,
        /// Rows that the header declares.
        height: u32,
        /// Megabytes that the pictures alone take.
        needed_mb: u64,
        /// Megabytes that are free.
        available_mb: u64,
    },
    /// Reading the picture would take more memory than it may.
    #[error(
        "{name} has {width} x {height} pixels and needs {needed_mb} MB of memory to be read, and the limit leaves {left_mb} MB; raise --max-memory or make it smaller first"
    )]
    MemoryLimit {
        /// The file as the person named it.
        name: String,
        /// Columns that the header declares.
        width: u32,
        /// Rows that the header declares.
        height: u32,
        /// Megabytes that reading takes.
        needed_mb: u64,
        /// Megabytes that the limit leaves for it.
        left_mb: u64,
    },
    /// A picture format, but a kind of it that is not read.
    #[error("{name} is an unsupported kind of {format} ({reason}); save it as PNG and try again")]
    Unsupported {
        /// The file as the person named it.
        name: String,
        /// The format in words.
        format: String,
        /// The decoder's words.
        reason: String,
    },
    /// Truncated, corrupt, or a bomb.
    #[error(
        "{name} is damaged and cannot be read as {format}: {reason}; copy it again from its source, or open another file"
    )]
    Damaged {
        /// The file as the person named it.
        name: String,
        /// The format in words.
        format: String,
        /// The decoder's words.
        reason: String,
    },
    /// The target's name ends in no format that is written.
    #[error("{name} has no extension of a supported format; use .png, .jpg, .webp, .bmp or .tiff")]
    UnwritableFormat {
        /// The name given.
        name: String,
    },
    /// The picture's sides are beyond what the format can hold.
    #[error(
        "{width} x {height} pixels are too large for {format} ({limit} a side); choose PNG or TIFF"
    )]
    TooLargeForFormat {
        /// The format in words.
        format: String,
        /// Columns, in pixels.
        width: usize,
        /// Rows, in pixels.
        height: usize,
        /// Most pixels a side.
        limit: usize,
    },
    /// The target was not written, and is as it was before.
    #[error(transparent)]
    Write(#[from] WriteError),
}
