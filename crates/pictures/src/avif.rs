//! Decodes AVIF: still images and the first frame of animations, with alpha, as one image or a grid of tiles.
//!
//! The boxes are read by [`Heif`]; `re_rav1d`, a port of dav1d to Rust, decodes the AV1 frames in them on this thread.

use std::ops::Range;

use image::ImageResult;
use rayon::prelude::*;
use re_rav1d::{
    Decoder, Error as Av1Error, PixelLayout, PlanarImageComponent, Plane, Settings, pixel::YUVRange,
};

use super::{
    clock::Clock,
    color::profile_of,
    foreign::{Opened, Pixels, cut, invalid, unsupported, write_levels},
    heif::{CodePoints, Grid, Heif, brands},
};

/// Maximum AV1 frames in the data of an image: layers of growing quality. A frame that is not shown costs few bytes of
/// the file and all the time of decoding.
///
/// The clock is asked between tiles, because the decoder cannot be interrupted in one. The slowest frames, noise in 4:4:4
/// of 4 bytes a pixel, take 0.4 s per megapixel (one core of an Intel Xeon, 2026-11-30). [`Clock`] allows 0.5 s for all
/// frames, so a tile ends at most 2.7 s per megapixel later than the clock would end it.
const MAX_FRAMES: usize = 8;
/// sRGB with the matrix of BT.601, when a file does not say it.
const UNSPECIFIED: u8 = 2;

struct AvifDecoder<'a> {
    heif: Heif<'a>,
    points: Option<CodePoints>,
    color: Tiles,
    alpha: Option<Tiles>,
    /// The columns and rows that are shown.
    shown: (Range<u32>, Range<u32>),
    pixels: Pixels,
}

/// An image, as the tiles of which it consists.
struct Tiles {
    grid: Grid,
    tile: (u32, u32),
}

impl Tiles {
    fn of(heif: &Heif<'_>, id: u32) -> ImageResult<Self> {
        let image = heif.image(id);
        let size = || image.size.ok_or_else(|| invalid("it does not declare its size"));
        match heif.item(id).map(|item| &item.kind) {
            Some(b"av01") => {
                let (width, height) = size()?;
                let grid = Grid { columns: 1, width, height, tiles: vec![id] };
                Ok(Self { grid, tile: (width, height) })
            }
            Some(b"grid") => {
                let grid = heif.grid(id).ok_or_else(|| invalid("its grid of tiles is invalid"))?;
                let tile = grid
                    .tiles
                    .first()
                    .and_then(|tile| heif.image(*tile).size)
                    .ok_or_else(|| invalid("its tiles do not declare their size"))?;
                let rows = grid.tiles.len() / grid.columns;
                // Every tile shows something, so that tiles are not much larger than the image.
                let covers = |side: u32, of_tile: u32, count: usize| {
                    let (side, of_tile, count) =
                        (u64::from(side), u64::from(of_tile), count as u64);
                    of_tile * count >= side && of_tile * (count - 1) < side && of_tile <= 2 * side
                };
                let is_covered = covers(grid.width, tile.0, grid.columns)
                    && covers(grid.height, tile.1, rows)
                    && Some((grid.width, grid.height)) == image.size;
                if !is_covered {
                    return Err(invalid("its tiles do not fit its size"));
                }
                Ok(Self { grid, tile })
            }
            Some(kind) => Err(unsupported(format!("an image of type {}", kind.escape_ascii()))),
            None => Err(invalid("an image is missing")),
        }
    }
}

/// Reads the header.
pub(super) fn open<'a>(bytes: &'a [u8], clock: &'a Clock<'a>) -> ImageResult<Opened<'a>> {
    let heif = Heif::read(bytes).ok_or_else(|| invalid("its boxes are incomplete"))?;
    let primary = heif.primary;
    let image = heif.image(primary);
    let color = Tiles::of(&heif, primary)?;
    let alpha = heif.alpha_of(primary).map(|id| Tiles::of(&heif, id)).transpose()?;
    let size = (color.grid.width, color.grid.height);
    if alpha.as_ref().is_some_and(|a| (a.grid.width, a.grid.height) != size) {
        return Err(invalid("its transparency has another size"));
    }
    let shown = image.shown().unwrap_or((0..size.0, 0..size.1));
    let size = (shown.0.end - shown.0.start, shown.1.end - shown.1.start);
    let (is_deep, is_gray) = (color.grid.tiles.first())
        .and_then(|tile| heif.image(*tile).av1)
        .ok_or_else(|| invalid("its AV1 header is missing"))?;
    let pixels = Pixels::new(is_gray, alpha.is_some(), is_deep);
    let (tile_width, tile_height) = color.tile;
    let data = color.grid.tiles.first().and_then(|tile| heif.data(*tile));
    let of_frames = || named_points(&data?).filter(|_| image.points.is_none());
    let icc = image.profile().or_else(|| {
        let (primaries, transfer) = of_frames()?;
        profile_of(primaries, transfer)
    });
    let exif = heif.exif();
    let xmp = heif.xmp();
    let is_premultiplied = alpha.is_some() && heif.is_premultiplied(primary);
    let decoder = AvifDecoder { points: image.points, heif, color, alpha, shown, pixels };
    Ok(Opened {
        is_premultiplied,
        orientation: image.orientation(),
        icc,
        exif,
        xmp,
        further: (brands(bytes).next() == Some(b"avis")).then_some("frame"),
        frame_pixels: u64::from(tile_width) * u64::from(tile_height),
        ..Opened::new(size, pixels, Box::new(move |pixels, _| decoder.read(pixels, clock)))
    })
}

impl AvifDecoder<'_> {
    fn read(&self, bytes: &mut [u8], clock: &Clock<'_>) -> ImageResult<()> {
        self.decode(&self.color, self.points, false, bytes, clock)?;
        let Some(alpha) = &self.alpha else {
            return Ok(());
        };
        let points = alpha.grid.tiles.first().and_then(|tile| self.heif.image(*tile).points);
        self.decode(alpha, points, true, bytes, clock)
    }

    /// Decodes the colours or the alpha of the picture. `points` are the file's own, which override those of the frames.
    fn decode(
        &self,
        tiles: &Tiles,
        points: Option<CodePoints>,
        is_alpha: bool,
        bytes: &mut [u8],
        clock: &Clock<'_>,
    ) -> ImageResult<()> {
        let (width, height) = tiles.tile;
        // Tiles may share their data, so a small file could ask for hours of decoding.
        let pixels = u64::from(tiles.grid.width) * u64::from(tiles.grid.height);
        let mut left_bytes = pixels.max(self.heif.file_bytes());
        for (index, id) in tiles.grid.tiles.iter().enumerate() {
            clock.ask()?;
            let data = self.heif.data(*id).ok_or_else(cut)?;
            left_bytes = left_bytes
                .checked_sub(data.len() as u64)
                .ok_or_else(|| invalid("its tiles repeat too much data"))?;
            let tile = Tile::decode(&data, width, height, points)?;
            if !is_alpha && tile.is_gray() != self.pixels.is_gray() {
                return Err(invalid("its tiles differ in kind"));
            }
            let column = (index % tiles.grid.columns) as i64;
            let row = (index / tiles.grid.columns) as i64;
            let x = column * i64::from(width) - i64::from(self.shown.0.start);
            let y = row * i64::from(height) - i64::from(self.shown.1.start);
            self.draw(&tile, (x, y), is_alpha, bytes);
        }
        Ok(())
    }

    /// Draws the tile with its first pixel at column `x` and row `y`.
    fn draw(&self, tile: &Tile, (x, y): (i64, i64), is_alpha: bool, bytes: &mut [u8]) {
        let Pixels { sample_bytes, .. } = self.pixels;
        let pixel_bytes = self.pixels.bytes();
        let width = self.shown.0.len();
        let columns = x.max(0)..(x + tile.width as i64).min(width as i64);
        let of_tile =
            (columns.start - x) as usize..(columns.end - x).max(columns.start - x) as usize;
        let first = if is_alpha { pixel_bytes - sample_bytes } else { 0 };
        let rows = bytes.par_chunks_mut(width * pixel_bytes).enumerate();
        rows.for_each_init(Vec::new, |colors, (row, out)| {
            let Some(row) = usize::try_from(row as i64 - y).ok().filter(|&row| row < tile.height)
            else {
                return;
            };
            tile.read_row(row, of_tile.clone(), colors);
            let count = if is_alpha || self.pixels.is_gray() { 1 } else { 3 };
            let pixels = out.chunks_exact_mut(pixel_bytes).skip(columns.start as usize);
            for (pixel, color) in pixels.zip(colors.iter()) {
                write_levels(&mut pixel[first..], &color[..count], sample_bytes);
            }
        });
    }
}

/// From chroma and luma to colours.
#[derive(Clone, Copy)]
enum Matrix {
    /// Planes of green, blue and red.
    Identity,
    YCgCo,
    /// Weights of red and blue in luma.
    Weights(f32, f32),
}

impl Matrix {
    fn of(points: CodePoints) -> ImageResult<Self> {
        Ok(match (points.matrix, points.primaries) {
            (0, _) => Self::Identity,
            (8, _) => Self::YCgCo,
            (1, _) | (12, 1) => Self::Weights(0.2126, 0.0722),
            (4, _) => Self::Weights(0.30, 0.11),
            (7, _) => Self::Weights(0.212, 0.087),
            (9, _) | (12, 9) => Self::Weights(0.2627, 0.0593),
            (UNSPECIFIED | 5 | 6, _) => Self::Weights(0.299, 0.114),
            (other, _) => {
                return Err(unsupported(format!("matrix coefficients {other}")));
            }
        })
    }
}

/// A decoded frame.
struct Tile {
    /// Luma, and two planes of chroma unless it is grey.
    planes: Vec<Plane>,
    /// Bytes of a row of luma, and of chroma.
    strides: [usize; 2],
    width: usize,
    height: usize,
    layout: PixelLayout,
    bits: u32,
    is_full_range: bool,
    matrix: Matrix,
}

impl Tile {
    fn decode(
        data: &[u8],
        width: u32,
        height: u32,
        points: Option<CodePoints>,
    ) -> ImageResult<Self> {
        if frames(data) > MAX_FRAMES {
            return Err(invalid("it contains too many frames"));
        }
        let mut settings = Settings::new();
        settings.set_n_threads(1);
        settings.set_max_frame_delay(1);
        settings.set_all_layers(false);
        settings.set_frame_size_limit(width.saturating_mul(height));
        let failed = |error: Av1Error| match error {
            Av1Error::Again => cut(),
            _ => invalid("its AV1 data is invalid"),
        };
        let mut decoder = Decoder::with_settings(&settings).map_err(failed)?;
        let mut sent = decoder.send_data(data.to_vec(), None, None, None);
        let picture = loop {
            match decoder.get_picture() {
                Ok(picture) => break picture,
                Err(Av1Error::Again) if sent == Err(Av1Error::Again) => {
                    sent = decoder.send_pending_data();
                }
                Err(error) => return Err(failed(error)),
            }
        };
        if (picture.width(), picture.height()) != (width, height) {
            return Err(invalid("an image in it does not have its declared size"));
        }
        let points = points.unwrap_or_else(|| CodePoints {
            primaries: UNSPECIFIED,
            transfer: UNSPECIFIED,
            matrix: picture.matrix_coefficients() as u8,
            is_full_range: picture.color_range() == YUVRange::Full,
        });
        let layout = picture.pixel_layout();
        let names: &[PlanarImageComponent] = match layout {
            PixelLayout::I400 => &[PlanarImageComponent::Y],
            _ => &[PlanarImageComponent::Y, PlanarImageComponent::U, PlanarImageComponent::V],
        };
        let stride = |name| picture.stride(name) as usize;
        Ok(Self {
            planes: names.iter().map(|name| picture.plane(*name)).collect(),
            strides: [stride(PlanarImageComponent::Y), stride(PlanarImageComponent::U)],
            width: width as usize,
            height: height as usize,
            layout,
            bits: picture.bit_depth() as u32,
            is_full_range: points.is_full_range,
            matrix: Matrix::of(points)?,
        })
    }

    fn is_gray(&self) -> bool {
        self.layout == PixelLayout::I400
    }

    /// Reads a part of a row: colours from 0 to 1, which the caller clamps. A grey frame has only the first.
    fn read_row(&self, row: usize, columns: Range<usize>, to: &mut Vec<[f32; 3]>) {
        let max = ((1u32 << self.bits) - 1) as f32;
        let unit = (1u32 << (self.bits - 8)) as f32;
        let (black, luma_span, chroma_span) = match (self.is_full_range, self.matrix) {
            (true, _) => (0.0, max, max),
            (false, Matrix::Identity) => (16.0 * unit, 219.0 * unit, 219.0 * unit),
            (false, _) => (16.0 * unit, 219.0 * unit, 224.0 * unit),
        };
        let middle = match self.matrix {
            Matrix::Identity => black,
            _ => 128.0 * unit,
        };
        to.clear();
        for column in columns {
            let luma = (self.sample(0, column, row) - black) / luma_span;
            if self.is_gray() {
                to.push([luma; 3]);
                continue;
            }
            let [cb, cr] = [1, 2].map(|p| (self.chroma(p, column, row) - middle) / chroma_span);
            to.push(match self.matrix {
                Matrix::Identity => [cr, luma, cb],
                Matrix::Weights(red, blue) => {
                    let [r, b] = [luma + 2.0 * (1.0 - red) * cr, luma + 2.0 * (1.0 - blue) * cb];
                    [r, (luma - red * r - blue * b) / (1.0 - red - blue), b]
                }
                Matrix::YCgCo => [luma - cb + cr, luma + cb, luma - cb - cr],
            });
        }
    }

    fn sample(&self, plane: usize, column: usize, row: usize) -> f32 {
        let start = row * self.strides[plane.min(1)];
        let samples: &[u8] = &self.planes[plane];
        if self.bits == 8 {
            return f32::from(samples[start + column]);
        }
        let at = start + 2 * column;
        f32::from(u16::from_ne_bytes([samples[at], samples[at + 1]]))
    }

    /// Chroma at a pixel of luma, interpolated between the nearest samples.
    fn chroma(&self, plane: usize, column: usize, row: usize) -> f32 {
        // The nearest sample, and the next one on the other side of the pixel.
        let near = |at: usize, side: usize| {
            let last = side.div_ceil(2) - 1;
            let other = if at.is_multiple_of(2) {
                (at / 2).saturating_sub(1)
            } else {
                (at / 2 + 1).min(last)
            };
            (at / 2, other)
        };
        let (near_x, far_x) = match self.layout {
            PixelLayout::I444 => return self.sample(plane, column, row),
            _ => near(column, self.width),
        };
        let line =
            |row| 0.75 * self.sample(plane, near_x, row) + 0.25 * self.sample(plane, far_x, row);
        if self.layout == PixelLayout::I422 {
            return line(row);
        }
        let (near_y, far_y) = near(row, self.height);
        0.75 * line(near_y) + 0.25 * line(far_y)
    }
}

/// The number of frames in AV1 data.
fn frames(data: &[u8]) -> usize {
    units(data).filter(|(kind, _)| matches!(kind, 3 | 6)).count()
}

/// The types and the contents of the units of AV1 data (AV1, 5.3).
fn units(mut data: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let header = *data.first()?;
        let start = if header & 4 == 0 { 1 } else { 2 };
        let mut at = start;
        let mut end = Some(data.len());
        if header & 2 != 0 {
            let mut length = 0u64;
            while let Some(&byte) = data.get(at).filter(|_| at < start + 8) {
                length |= u64::from(byte & 0x7f) << (7 * (at - start));
                at += 1;
                if byte & 0x80 == 0 {
                    break;
                }
            }
            end = usize::try_from(length).ok().and_then(|length| at.checked_add(length));
        }
        let content = end.and_then(|end| data.get(at..end)).unwrap_or_default();
        data = end.and_then(|end| data.get(end..)).unwrap_or_default();
        Some((header >> 3 & 15, content))
    })
}

/// The primaries and the transfer function that the sequence header of AV1 data names (AV1, 5.5). `None` also if it
/// describes the times of frames.
fn named_points(data: &[u8]) -> Option<(u8, u8)> {
    let (_, header) = units(data).find(|(kind, _)| *kind == 1)?;
    let mut at = 0;
    let mut bits = |count: u32| {
        (0..count).try_fold(0u32, |number, _| {
            let bit = header.get(at / 8)? >> (7 - at % 8) & 1;
            at += 1;
            Some(number << 1 | u32::from(bit))
        })
    };
    let profile = bits(3)?;
    let is_short = bits(2)? & 1 == 1;
    if is_short {
        bits(5)?;
    } else {
        if bits(1)? == 1 {
            return None;
        }
        let has_delays = bits(1)? == 1;
        for _ in 0..=bits(5)? {
            bits(12)?;
            if bits(5)? > 7 {
                bits(1)?;
            }
            if has_delays && bits(1)? == 1 {
                bits(4)?;
            }
        }
    }
    let [across, down] = [bits(4)? + 1, bits(4)? + 1];
    bits(across)?;
    bits(down)?;
    if !is_short && bits(1)? == 1 {
        bits(7)?;
    }
    bits(3)?;
    if !is_short {
        bits(4)?;
        let has_order = bits(1)? == 1;
        if has_order {
            bits(2)?;
        }
        // Screen content, and whole vectors in it.
        if (bits(1)? == 1 || bits(1)? == 1) && bits(1)? == 0 {
            bits(1)?;
        }
        if has_order {
            bits(3)?;
        }
    }
    bits(3)?;
    let is_deep = bits(1)? == 1;
    if profile == 2 && is_deep {
        bits(1)?;
    }
    if profile != 1 {
        bits(1)?;
    }
    let is_named = bits(1)? == 1;
    let points = (bits(8)? as u8, bits(8)? as u8);
    is_named.then_some(points)
}
