//! Passes that copy values without changing them. Each call writes one row of the result.

use super::run::{Run, constant, source};
use crate::{
    graph::{BlockOrder, Op, PadMode},
    plan::cpu::MapId,
    tensor::Shape,
};

/// Copies a row of the photo to a map.
///
/// # Safety
/// The row belongs to the caller's task.
pub unsafe fn load(run: &Run<'_>, to: MapId, y: usize) {
    let map = run.maps[to];
    let bytes = 4 * map.shape.width;
    // SAFETY: the caller's promise.
    let row = unsafe { run.row_mut(to, y) };
    let rgba = run.input.photo[y * bytes..(y + 1) * bytes].chunks_exact(4);
    for (pixel, rgba) in row.chunks_exact_mut(map.stored_channels).zip(rgba) {
        pixel.fill(0.0);
        for (value, &level) in pixel.iter_mut().zip(&rgba[..3]) {
            *value = f32::from(level);
        }
    }
}

/// Copies a row from a channel-major map.
///
/// # Safety
/// The row belongs to the caller's task.
pub unsafe fn load_planes(run: &Run<'_>, planes: &[f32], to: MapId, y: usize) {
    let map = run.maps[to];
    let Shape { channels, height, width } = map.shape;
    // SAFETY: the caller's promise.
    let row = unsafe { run.row_mut(to, y) };
    for (x, pixel) in row.chunks_exact_mut(map.stored_channels).enumerate() {
        pixel.fill(0.0);
        for (c, value) in pixel[..channels].iter_mut().enumerate() {
            *value = planes[(c * height + y) * width + x];
        }
    }
}

/// Copies a row to the map that is the result of the run.
///
/// # Safety
/// The row belongs to the caller's task; the run's floats have room for all values of the map.
pub unsafe fn store_map(run: &Run<'_>, from: MapId, y: usize) {
    let map = run.maps[from];
    let Shape { channels, height, width } = map.shape;
    // SAFETY: no task of the step writes the map.
    let row = unsafe { run.row(from, y) };
    for (x, pixel) in row.chunks_exact(map.stored_channels).enumerate() {
        for (c, &value) in pixel[..channels].iter().enumerate() {
            // SAFETY: inside the result; the row belongs to this task.
            unsafe { *run.picture.floats.add((c * height + y) * width + x) = value };
        }
    }
}

/// Writes a row of the picture, cropped from the top left.
///
/// # Safety
/// The row belongs to the caller's task.
pub unsafe fn store(run: &Run<'_>, from: MapId, y: usize) {
    let stored = run.maps[from].stored_channels;
    // SAFETY: no task of the step writes the map.
    let row = unsafe { run.row(from, y) };
    for (x, pixel) in row.chunks_exact(stored).take(run.picture.size.1).enumerate() {
        // SAFETY: inside the picture; the row belongs to this task.
        unsafe { run.picture.write(y, x, [pixel[0], pixel[1], pixel[2]]) };
    }
}

/// Copies a row of pixels from other positions: padding, cropping, or upsampling.
///
/// # Safety
/// The row belongs to the caller's task.
pub unsafe fn index(run: &Run<'_>, op: &Op, from: MapId, to: MapId, y: usize) {
    let input = run.maps[from];
    let stored = input.stored_channels;
    // The first row and column of the input, and the border beyond its edges.
    let (border, top, left, factor) = match *op {
        Op::Pad { mode, sides } => (mode, -(sides.top as isize), -(sides.left as isize), 1),
        Op::Crop(sides) => (PadMode::Replicate, sides.top as isize, sides.left as isize, 1),
        _ => (PadMode::Replicate, 0, 0, 2),
    };
    // SAFETY: the caller's promise.
    let row = unsafe { run.row_mut(to, y) };
    let read = source(border, (y / factor) as isize + top, input.shape.height);
    // SAFETY: no task of the step writes the map.
    let read = read.map(|y| unsafe { run.row(from, y) });
    for (x, pixel) in row.chunks_exact_mut(stored).enumerate() {
        let x = source(border, (x / factor) as isize + left, input.shape.width);
        if let (Some(read), Some(x)) = (read, x) {
            pixel.copy_from_slice(&read[x * stored..(x + 1) * stored]);
        } else {
            pixel[..input.shape.channels].fill(constant(border));
            pixel[input.shape.channels..].fill(0.0);
        }
    }
}

/// Copies a row of the channels of several maps.
///
/// # Safety
/// The row belongs to the caller's task.
pub unsafe fn concat(run: &Run<'_>, from: &[MapId], to: MapId, y: usize) {
    let stored = run.maps[to].stored_channels;
    // SAFETY: the caller's promise.
    let row = unsafe { run.row_mut(to, y) };
    let mut first = 0;
    for &map in from {
        let input = run.maps[map];
        let channels = input.shape.channels;
        // SAFETY: no task of the step writes the map.
        let read = unsafe { run.row(map, y) };
        let pixels = read.chunks_exact(input.stored_channels);
        for (pixel, read) in row.chunks_exact_mut(stored).zip(pixels) {
            pixel[first..first + channels].copy_from_slice(&read[..channels]);
        }
        first += channels;
    }
    super::pointwise::clear_padding(row, first, stored);
}

/// Copies a row of neighbouring channels.
///
/// # Safety
/// The row belongs to the caller's task.
pub unsafe fn channels(run: &Run<'_>, first: usize, from: MapId, to: MapId, y: usize) {
    let (input, result) = (run.maps[from], run.maps[to]);
    let count = result.shape.channels;
    // SAFETY: the caller's promise; no task of the step writes what is read.
    let (read, row) = unsafe { (run.row(from, y), run.row_mut(to, y)) };
    let pixels = read.chunks_exact(input.stored_channels);
    for (pixel, read) in row.chunks_exact_mut(result.stored_channels).zip(pixels) {
        pixel[..count].copy_from_slice(&read[first..first + count]);
        pixel[count..].fill(0.0);
    }
}

/// Turns channels into blocks of pixels, for one row.
///
/// # Safety
/// The row belongs to the caller's task.
pub unsafe fn depth_to_space(
    run: &Run<'_>,
    (block, order): (usize, BlockOrder),
    from: MapId,
    to: MapId,
    y: usize,
) {
    let (input, result) = (run.maps[from], run.maps[to]);
    let channels = result.shape.channels;
    // SAFETY: the caller's promise; no task of the step writes what is read.
    let (read, row) = unsafe { (run.row(from, y / block), run.row_mut(to, y)) };
    let pixels = row.chunks_exact_mut(result.stored_channels);
    for (x, pixel) in pixels.enumerate() {
        let read = &read[x / block * input.stored_channels..];
        let at = y % block * block + x % block;
        for (c, value) in pixel[..channels].iter_mut().enumerate() {
            *value = match order {
                BlockOrder::BlockFirst => read[at * channels + c],
                BlockOrder::ChannelFirst => read[c * block * block + at],
            };
        }
        pixel[channels..].fill(0.0);
    }
}

/// Turns blocks of pixels into channels, for one row.
///
/// # Safety
/// The row belongs to the caller's task.
pub unsafe fn space_to_depth(run: &Run<'_>, block: usize, from: MapId, to: MapId, y: usize) {
    let (input, result) = (run.maps[from], run.maps[to]);
    let (channels, stored) = (input.shape.channels, input.stored_channels);
    // SAFETY: the caller's promise.
    let row = unsafe { run.row_mut(to, y) };
    for down in 0..block {
        // SAFETY: no task of the step writes the map.
        let read = unsafe { run.row(from, y * block + down) };
        let pixels = row.chunks_exact_mut(result.stored_channels);
        for (x, pixel) in pixels.enumerate() {
            for right in 0..block {
                let to = (down * block + right) * channels;
                let at = (x * block + right) * stored;
                pixel[to..to + channels].copy_from_slice(&read[at..at + channels]);
            }
        }
    }
    super::pointwise::clear_padding(row, result.shape.channels, result.stored_channels);
}
