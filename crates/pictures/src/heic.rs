//! Reads HEIC through the user's own `heif-convert`, as a separate process with limits.
//!
//! HEIC holds H.265, for which there is no free decoder in Rust. The process gets a copy of the file in a folder of its
//! own, and may neither run, write nor allocate more than an image of the declared size needs.

use std::{
    io::Cursor,
    path::{Path, PathBuf},
};

use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, ImageResult};

use super::{
    clock::patience,
    foreign::{Opened, Pixels, invalid, is_sideways, unsupported},
    heif::Heif,
    kind::limits,
};
use threads::process;
use values::{control::RunControl, disk::ExchangeFolder};

const PROGRAM: &str = "heif-convert";
/// Memory of the process for libraries and threads, and for each pixel.
const PROGRAM_BYTES: u64 = 768 << 20;
const BYTES_PER_PIXEL: u64 = 24;

/// The first `heif-convert` in PATH.
pub fn converter() -> Option<PathBuf> {
    process::program(PROGRAM)
}

/// Reads the header. The boxes are read here; the process is started for the pixels.
pub(super) fn open(bytes: &[u8]) -> ImageResult<Opened<'_>> {
    let heif = Heif::read(bytes).ok_or_else(|| invalid("its boxes are incomplete"))?;
    let image = heif.image(heif.primary);
    let (columns, rows) = image.shown().ok_or_else(|| invalid("it does not declare its size"))?;
    let (width, height) = (columns.end - columns.start, rows.end - rows.start);
    // The program turns the image.
    let size = if is_sideways(image.orientation()) { (height, width) } else { (width, height) };
    let is_deep = image.depth.is_some_and(|bits| bits > 8);
    let read = move |pixels: &mut [u8], _| read(bytes, size, is_deep, pixels);
    Ok(Opened {
        icc: image.profile(),
        exif: heif.exif(),
        xmp: heif.xmp(),
        ..Opened::new(size, Pixels::new(false, true, is_deep), Box::new(read))
    })
}

/// The image as a PNG, upright.
fn converted(bytes: &[u8], size: (u32, u32)) -> ImageResult<Vec<u8>> {
    let program = converter().ok_or_else(|| unsupported(format!("{PROGRAM} is missing")))?;
    let folder = ExchangeFolder::new("photo.heic", bytes).map_err(ImageError::IoError)?;
    run(&program, folder.path(), size).map_err(|why| invalid(&format!("{PROGRAM}: {why}")))?;
    // A file with several images results in numbered ones.
    ["photo.png", "photo-1.png"]
        .into_iter()
        .find_map(|name| folder.read(name, max_bytes(size)).ok())
        .ok_or_else(|| invalid("it contains no image"))
}

/// Maximum bytes of the converted file.
fn max_bytes((width, height): (u32, u32)) -> u64 {
    8 * u64::from(width) * u64::from(height) + (1 << 20)
}

/// Runs the program in a folder within the limits.
fn run(program: &Path, folder: &Path, size @ (width, height): (u32, u32)) -> Result<(), String> {
    let pixels = u64::from(width) * u64::from(height);
    // In units of 1024 and of 512 bytes. A shell sets the limits, and becomes the program.
    let memory = (PROGRAM_BYTES + BYTES_PER_PIXEL * pixels) / 1024;
    let file = max_bytes(size) / 512;
    let script = format!("ulimit -v {memory}; ulimit -f {file}; exec \"$0\" \"$@\"");
    let mut command = process::piped(Path::new("/bin/sh"));
    command.arg("-c").arg(script).arg(program).args(["photo.heic", "photo.png"]);
    command.current_dir(folder);
    process::succeed(command, patience(size), &RunControl::default())
}

fn read(bytes: &[u8], size: (u32, u32), is_deep: bool, pixels: &mut [u8]) -> ImageResult<()> {
    let png = converted(bytes, size)?;
    let mut reader = ImageReader::with_format(Cursor::new(png), ImageFormat::Png);
    reader.limits(limits(2 * pixels.len() as u64 + PROGRAM_BYTES / 8));
    let decoder = reader.into_decoder()?;
    if decoder.dimensions() != size {
        return Err(invalid("it does not have its declared size"));
    }
    let image = DynamicImage::from_decoder(decoder)?;
    if is_deep {
        let samples = image.into_rgba16();
        for (to, sample) in pixels.as_chunks_mut::<2>().0.iter_mut().zip(samples.iter()) {
            *to = sample.to_ne_bytes();
        }
    } else {
        pixels.copy_from_slice(&image.into_rgba8());
    }
    Ok(())
}
