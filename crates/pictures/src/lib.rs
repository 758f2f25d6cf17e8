//! Picture files: reads and writes all formats, with colours, orientation, alpha and metadata, and scales pictures.
//!
//! Other people's codecs are compiled here, and only here. It does not know films, styles, devices and windows. It may
//! use `threads` and `values`. Calls block; they may be made from any thread.

#[cfg(test)]
#[path = "../../../tests/support/home.rs"]
mod home;

pub mod alpha;
mod avif;
mod clock;
pub mod color;
pub mod container;
pub mod decode;
pub mod encode;
pub mod folder;
mod foreign;
mod format;
pub mod guard;
mod hdr;
mod header;
pub mod heic;
pub mod heif;
mod in_place;
mod inks;
mod jpeg;
mod jpeg_segments;
#[cfg(feature = "jxl")]
mod jxl;
mod kind;
pub mod memory;
pub mod metadata;
mod png_info;
pub mod sample;
pub mod scale;
mod tiff;
mod tiff_writer;

use values::disk::WriteError;

/// Why a picture could not be read or written. Every message names the picture and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MediaError {
    /// The file could not be read.
    #[error("{name} could not be read: {reason}")]
    Read {
        /// The file as the user named it; the same in all variants.
        name: String,
        /// The system's message.
        reason: String,
    },
    /// The picture in it cannot be read.
    #[error("{name} {problem}")]
    Unreadable { name: String, problem: ReadProblem },
    /// The target's extension is not that of a writable format.
    #[error("{name} has no extension of a supported format; use .png, .jpg, .webp, .bmp or .tiff")]
    UnwritableFormat { name: String },
    /// The picture is larger than the format allows.
    #[error(
        "{width} x {height} pixels are too large for {format} ({limit} a side); choose PNG or TIFF"
    )]
    TooLargeForFormat {
        format: String,
        width: usize,
        height: usize,
        /// Maximum pixels per side.
        limit: usize,
    },
    /// The target was not written; an existing file is unchanged.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Why a picture cannot be read, as the end of a sentence that begins with its name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadProblem {
    /// The file is larger than any picture within the limits.
    #[error("is larger than {} MB, the maximum", decode::MAX_FILE_BYTES >> 20)]
    TooManyBytes,
    /// The first bytes do not match a supported picture format. The kind of the file is guessed from them.
    #[error("is not a picture that StyleForge can open ({0})")]
    UnknownFormat(String),
    /// The header declares more pixels than the limit.
    #[error(
        "declares {width} x {height} pixels; the limit is {} megapixels; make it smaller first",
        decode::MAX_PIXELS / 1_000_000
    )]
    TooManyPixels { width: u32, height: u32 },
    /// The header declares a side beyond the limit.
    #[error(
        "declares {width} x {height} pixels; the limit is {} pixels a side; cut it into pieces first",
        decode::MAX_SIDE_PX
    )]
    TooLong { width: u32, height: u32 },
    /// Decoding and painting the picture would take more memory than is available.
    #[error(
        "has {width} x {height} pixels and needs {needed_mb} MB of memory, and {available_mb} MB are available; close other programs or make it smaller first"
    )]
    NotEnoughMemory {
        width: u32,
        height: u32,
        /// Memory for the pictures alone.
        needed_mb: u64,
        available_mb: u64,
    },
    /// Reading the picture would exceed the memory limit.
    #[error(
        "has {width} x {height} pixels and needs {needed_mb} MB of memory to be read, and the limit leaves {left_mb} MB; raise --max-memory or make it smaller first"
    )]
    MemoryLimit {
        width: u32,
        height: u32,
        needed_mb: u64,
        /// What the limit leaves for reading.
        left_mb: u64,
    },
    /// The format is supported, but not this variant of it.
    #[error("is an unsupported kind of {format} ({reason}); save it as PNG and try again")]
    Unsupported {
        format: &'static str,
        /// The decoder's message.
        reason: String,
    },
    /// Another program reads the format, and it is missing.
    #[error(
        "is a HEIC photo; to open it, install heif-convert (Debian: libheif-examples), or convert it to JPEG or PNG"
    )]
    NeedsConverter,
    /// The build has no reader of the format.
    #[error("is a JPEG XL photo, which this build of StyleForge does not read; convert it to PNG")]
    NoJpegXl,
    /// Truncated, corrupt, or a decompression bomb.
    #[error(
        "is damaged and cannot be read as {format}: {reason}; copy it again from its source, or open another file"
    )]
    Damaged {
        format: &'static str,
        /// The decoder's message.
        reason: String,
    },
}
