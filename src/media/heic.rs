//! Reads HEIC through the user's own `heif-convert`, as a separate process with limits.
//!
//! HEIC holds H.265, for which there is no free decoder in Rust. The process gets a copy of the file in a folder of its
//! own, and may neither run, write nor allocate more than an image of the declared size needs.

use std::{
    fs,
    io::Cursor,
    path::{Path, PathBuf},
    time::Duration,
};

use image::{
    ColorType, DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, ImageResult,
    metadata::Orientation,
};

use super::{
    foreign::{invalid, unsupported},
    heif::Heif,
    kind::limits,
    process,
};
use crate::disk::exchange_folder;

const PROGRAM: &str = "heif-convert";
/// Time for an image, and for each megapixel.
const TIME: Duration = Duration::from_secs(5);
const TIME_PER_MEGAPIXEL: Duration = Duration::from_millis(500);
/// Memory of the process for libraries and threads, and for each pixel.
const PROGRAM_BYTES: u64 = 768 << 20;
const BYTES_PER_PIXEL: u64 = 24;

/// The first `heif-convert` in PATH.
pub fn converter() -> Option<PathBuf> {
    process::program(PROGRAM)
}

/// Reads the boxes itself, and starts the process for the pixels.
pub(super) struct HeicDecoder<'a> {
    bytes: &'a [u8],
    width: u32,
    height: u32,
    color_type: ColorType,
    heif: Heif<'a>,
}

impl<'a> HeicDecoder<'a> {
    /// Reads the header.
    pub fn new(bytes: &'a [u8]) -> ImageResult<Self> {
        let heif = Heif::read(bytes).ok_or_else(|| invalid("its boxes are incomplete"))?;
        let primary = heif.primary();
        let shown = heif.shown(primary);
        let (columns, rows) = shown.ok_or_else(|| invalid("it does not declare its size"))?;
        let (mut width, mut height) = (columns.end - columns.start, rows.end - rows.start);
        let is_sideways = matches!(
            heif.orientation(primary),
            Orientation::Rotate90
                | Orientation::Rotate270
                | Orientation::Rotate90FlipH
                | Orientation::Rotate270FlipH
        );
        if is_sideways {
            (width, height) = (height, width);
        }
        let is_deep = heif.depth(primary).is_some_and(|bits| bits > 8);
        let color_type = if is_deep { ColorType::Rgba16 } else { ColorType::Rgba8 };
        Ok(Self { bytes, width, height, color_type, heif })
    }

    /// The image as a PNG, upright.
    fn converted(&self) -> ImageResult<Vec<u8>> {
        let program = converter().ok_or_else(|| unsupported(format!("{PROGRAM} is missing")))?;
        let folder = exchange_folder("photo.heic", self.bytes).map_err(ImageError::IoError)?;
        self.run(&program, folder.path()).map_err(|why| invalid(&format!("{PROGRAM}: {why}")))?;
        // A file with several images results in numbered ones.
        let png = ["photo.png", "photo-1.png"].map(|name| fs::read(folder.path().join(name)));
        png.into_iter().flatten().next().ok_or_else(|| invalid("it contains no image"))
    }

    /// Runs the program in a folder within the limits.
    fn run(&self, program: &Path, folder: &Path) -> Result<(), String> {
        let pixels = u64::from(self.width) * u64::from(self.height);
        let time = TIME + TIME_PER_MEGAPIXEL.mul_f64(pixels as f64 / 1e6);
        // In units of 1024 and of 512 bytes. A shell sets the limits, and becomes the program.
        let memory = (PROGRAM_BYTES + BYTES_PER_PIXEL * pixels) / 1024;
        let file = ((8 * pixels) + (1 << 20)) / 512;
        let script = format!("ulimit -v {memory}; ulimit -f {file}; exec \"$0\" \"$@\"");
        let mut command = process::piped(Path::new("/bin/sh"));
        command.arg("-c").arg(script).arg(program).args(["photo.heic", "photo.png"]);
        command.current_dir(folder);
        process::run(command, time)?.failure().map_or(Ok(()), Err)
    }
}

impl ImageDecoder for HeicDecoder<'_> {
    fn dimensions(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    fn color_type(&self) -> ColorType {
        self.color_type
    }

    fn icc_profile(&mut self) -> ImageResult<Option<Vec<u8>>> {
        Ok(self.heif.profile(self.heif.primary()))
    }

    fn exif_metadata(&mut self) -> ImageResult<Option<Vec<u8>>> {
        Ok(self.heif.exif())
    }

    fn xmp_metadata(&mut self) -> ImageResult<Option<Vec<u8>>> {
        Ok(self.heif.xmp())
    }

    /// The program applies it.
    fn orientation(&mut self) -> ImageResult<Orientation> {
        Ok(Orientation::NoTransforms)
    }

    fn read_image(self, pixels: &mut [u8]) -> ImageResult<()> {
        let png = self.converted()?;
        let mut reader = ImageReader::with_format(Cursor::new(png), ImageFormat::Png);
        reader.limits(limits(2 * pixels.len() as u64 + PROGRAM_BYTES / 8));
        let decoder = reader.into_decoder()?;
        if decoder.dimensions() != self.dimensions() {
            return Err(invalid("it does not have its declared size"));
        }
        let image = DynamicImage::from_decoder(decoder)?;
        if self.color_type == ColorType::Rgba8 {
            pixels.copy_from_slice(&image.into_rgba8());
        } else {
            let samples = image.into_rgba16();
            for (to, sample) in pixels.as_chunks_mut::<2>().0.iter_mut().zip(samples.iter()) {
                *to = sample.to_ne_bytes();
            }
        }
        Ok(())
    }

    fn read_image_boxed(self: Box<Self>, pixels: &mut [u8]) -> ImageResult<()> {
        (*self).read_image(pixels)
    }
}
