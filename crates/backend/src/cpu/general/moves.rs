//! Passes that copy values without changing them. Each call writes one row of the result.

use super::run::{Run, constant, source};
use network::graph::{BlockOrder, Op, PadMode};
use plan::cpu::{MapBuffer, MapId};
use values::tensor::Shape;

/// Writes a row of a map, pixel by pixel. `write` gets the column and its channels. Padding channels become zero.
///
/// # Safety
/// The row belongs to the caller's task.
unsafe fn write_row(run: &Run<'_>, to: MapId, y: usize, write: impl Fn(usize, &mut [f32])) {
    let map = run.maps[to];
    // SAFETY: the caller's promise.
    let row = unsafe { run.row_mut(to, y) };
    for (x, pixel) in row.chunks_exact_mut(map.stored_channels).enumerate() {
        let (own, padding) = pixel.split_at_mut(map.shape.channels);
        write(x, own);
        padding.fill(0.0);
    }
}

/// Copies a row of the photo to a map.
///
/// # Safety
/// The row belongs to the caller's task.
pub unsafe fn load(run: &Run<'_>, to: MapId, y: usize) {
    let bytes = 4 * run.maps[to].shape.width;
    let rgba = &run.input.photo[y * bytes..(y + 1) * bytes];
    // SAFETY: the caller's promise.
    unsafe {
        write_row(run, to, y, |x, pixel| {
            for (value, &level) in pixel.iter_mut().zip(&rgba[4 * x..]) {
                *value = f32::from(level);
            }
        });
    }
}

/// Copies a row from a channel-major map.
///
/// # Safety
/// The row belongs to the caller's task.
pub unsafe fn load_planes(run: &Run<'_>, planes: &[f32], to: MapId, y: usize) {
    let Shape { height, width, .. } = run.maps[to].shape;
    // SAFETY: the caller's promise.
    unsafe {
        write_row(run, to, y, |x, pixel| {
            for (c, value) in pixel.iter_mut().enumerate() {
                *value = planes[(c * height + y) * width + x];
            }
        });
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
    let read = source(border, (y / factor) as isize + top, input.shape.height);
    // SAFETY: no task of the step writes the map.
    let read = read.map(|y| unsafe { run.row(from, y) });
    // SAFETY: the caller's promise.
    unsafe {
        write_row(run, to, y, |x, pixel| {
            let x = source(border, (x / factor) as isize + left, input.shape.width);
            match read.zip(x) {
                Some((read, x)) => pixel.copy_from_slice(&read[x * stored..][..pixel.len()]),
                None => pixel.fill(constant(border)),
            }
        });
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
    let stored = run.maps[from].stored_channels;
    // SAFETY: the caller's promise; no task of the step writes what is read.
    unsafe {
        let read = run.row(from, y);
        write_row(run, to, y, |x, pixel| {
            pixel.copy_from_slice(&read[x * stored + first..][..pixel.len()]);
        });
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
    let stored = run.maps[from].stored_channels;
    // SAFETY: the caller's promise; no task of the step writes what is read.
    unsafe {
        let read = run.row(from, y / block);
        write_row(run, to, y, |x, pixel| {
            let read = &read[x / block * stored..];
            let (at, channels) = (y % block * block + x % block, pixel.len());
            for (c, value) in pixel.iter_mut().enumerate() {
                *value = match order {
                    BlockOrder::BlockFirst => read[at * channels + c],
                    BlockOrder::ChannelFirst => read[c * block * block + at],
                };
            }
        });
    }
}

/// Turns blocks of pixels into channels, for one row.
///
/// # Safety
/// The row belongs to the caller's task.
pub unsafe fn space_to_depth(run: &Run<'_>, block: usize, from: MapId, to: MapId, y: usize) {
    let MapBuffer { shape, stored_channels: stored, .. } = run.maps[from];
    // SAFETY: the caller's promise; no task of the step writes what is read.
    unsafe {
        let read = run.rows(from, y * block..(y + 1) * block);
        write_row(run, to, y, |x, pixel| {
            for (at, part) in pixel.chunks_exact_mut(shape.channels).enumerate() {
                let from = at / block * shape.width + x * block + at % block;
                part.copy_from_slice(&read[from * stored..][..shape.channels]);
            }
        });
    }
}
