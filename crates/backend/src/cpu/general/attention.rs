//! Attention. Keys and values are packed once. Then every task computes the attention of some queries of one head, one
//! block of keys at a time. The softmax is updated from block to block, so scores are only stored for one block.

use super::{
    super::{
        simd::{At, Simd},
        tiles::{Segment, TileSet},
    },
    functions::exp,
    run::Run,
};
use plan::cpu::{
    MapId,
    general::attention::{ATTENTION_SLACK, Attention, HeadChannels, KEYS, QUERIES},
};

/// Less than every score; fills the space after the last key.
const NO_KEY: f32 = -1e30;

/// The values of a head at a pixel.
///
/// # Safety
/// Nothing writes the map at the same time.
unsafe fn of_pixel<'r>(
    run: &'r Run<'_>,
    from: HeadChannels,
    at: usize,
    head: usize,
    size: usize,
) -> &'r [f32] {
    let map = run.maps[from.map];
    let (y, x) = (at / map.shape.width, at % map.shape.width);
    // SAFETY: the caller's promise.
    let pixel = unsafe { run.pixels(from.map, y, (x, x + 1)) };
    &pixel[from.first + head * size..][..size]
}

/// Packs the keys of a head (even tasks) or its values (odd tasks) into panels of two vectors: keys channel by channel,
/// values key by key. The last panel is filled up with zeros.
///
/// # Safety
/// As [`Simd`]; no other thread runs the same task.
#[inline(always)]
pub unsafe fn pack<S: Simd>(
    run: &Run<'_>,
    attention: &Attention,
    [keys, values]: [HeadChannels; 2],
    to: MapId,
    task: usize,
) {
    let Attention { size, keys: count, .. } = *attention;
    let (head, panel) = (task / 2, 2 * S::LANES);
    assert!((head + 1) * attention.packed_len() <= run.maps[to].len(), "a head's keys and values");
    // A map contains the packed keys and values of every head. This task writes its own part of its head's.
    let packed = run.start(to).at(head * attention.packed_len());
    if task.is_multiple_of(2) {
        // SAFETY: the keys' part of the head.
        let packed = unsafe { std::slice::from_raw_parts_mut(packed, attention.packed_keys_len()) };
        packed.fill(0.0);
        for key in 0..count {
            // SAFETY: the caller's promise.
            let pixel = unsafe { of_pixel(run, keys, key, head, size) };
            let start = key / panel * panel * size + key % panel;
            for (c, &value) in pixel.iter().enumerate() {
                packed[start + c * panel] = value;
            }
        }
        return;
    }
    let (start, len) = (attention.packed_keys_len(), attention.packed_len());
    // SAFETY: the values' part of the head.
    let packed = unsafe { std::slice::from_raw_parts_mut(packed.at(start), len - start) };
    let rows = attention.padded_keys();
    for key in 0..count {
        // SAFETY: the caller's promise.
        let pixel = unsafe { of_pixel(run, values, key, head, size) };
        for column in 0..attention.padded_size() / panel {
            let row = &mut packed[(column * rows + key) * panel..][..panel];
            for (lane, value) in row.iter_mut().enumerate() {
                *value = pixel.get(column * panel + lane).copied().unwrap_or(0.0);
            }
        }
    }
}

/// The largest value of whole vectors.
#[inline(always)]
unsafe fn largest<S: Simd>(values: &[f32]) -> f32 {
    let mut lanes = [NO_KEY; 16];
    // SAFETY: every chunk is one vector; the instruction set exists by the caller's promise.
    unsafe {
        let mut most = S::splat(NO_KEY);
        for chunk in values.chunks_exact(S::LANES) {
            most = S::max(most, S::load(chunk.as_ptr()));
        }
        S::store(lanes.as_mut_ptr(), most);
    }
    lanes[..S::LANES].iter().copied().fold(NO_KEY, f32::max)
}

/// Replaces whole vectors of values with `exp(value - most)` and returns their sum.
#[inline(always)]
unsafe fn to_weights<S: Simd>(values: &mut [f32], most: f32) -> f32 {
    let mut lanes = [0.0f32; 16];
    // SAFETY: as above.
    unsafe {
        let most = S::splat(most);
        let mut sum = S::splat(0.0);
        for chunk in values.chunks_exact_mut(S::LANES) {
            let weight = exp::<S>(S::sub(S::load(chunk.as_ptr()), most));
            S::store(chunk.as_mut_ptr(), weight);
            sum = S::add(sum, weight);
        }
        S::store(lanes.as_mut_ptr(), sum);
    }
    lanes[..S::LANES].iter().sum()
}

/// Computes the attention of one task's queries.
///
/// # Safety
/// As [`Simd`]; `scratch` has [`Attention::scratch_len`] values, and no other thread runs the same task.
#[inline(always)]
pub unsafe fn attend<S: Simd>(
    run: &Run<'_>,
    attention: &Attention,
    (queries, packed, to): (HeadChannels, MapId, MapId),
    task: usize,
    scratch: &mut [f32],
    tiles: &TileSet,
) {
    let Attention { size, keys, .. } = *attention;
    let result = run.maps[to];
    let pixels = result.shape.height * result.shape.width;
    let blocks = pixels.div_ceil(QUERIES);
    let (head, first) = (task / blocks, task % blocks * QUERIES);
    let count = QUERIES.min(pixels - first);
    let (panel, wide) = (2 * S::LANES, attention.padded_size());
    // Register tiles compute a few rows more than necessary.
    let rows = QUERIES + ATTENTION_SLACK;
    let (asked, rest) = scratch.split_at_mut(rows * size);
    let (scores, rest) = rest.split_at_mut(rows * KEYS);
    let (part, rest) = rest.split_at_mut(rows * wide);
    let made = &mut rest[..QUERIES * wide];
    let scale = 1.0 / (size as f32).sqrt();
    for (query, row) in asked.chunks_exact_mut(size).take(count).enumerate() {
        // SAFETY: no task of the step writes the queries.
        let pixel = unsafe { of_pixel(run, queries, first + query, head, size) };
        for (value, &asked) in row.iter_mut().zip(pixel) {
            *value = asked * scale;
        }
    }
    made.fill(0.0);
    let (mut most, mut sums) = ([NO_KEY; QUERIES], [0.0f32; QUERIES]);
    let packed_keys = (run.start(packed).cast_const()).at(head * attention.packed_len());
    let packed_values = packed_keys.at(attention.packed_keys_len());
    for block in (0..keys).step_by(KEYS) {
        let here = KEYS.min(keys - block);
        for columns in (0..here).step_by(panel) {
            let segment = Segment {
                a: asked.as_ptr(),
                b: packed_keys.at((block + columns) * size),
                len: size,
            };
            let c = scores.as_mut_ptr().at(columns);
            // SAFETY: rows beyond the last query are part of the scratch; panels are whole.
            unsafe { tiles.panel_product(&[segment], size, count, (2, ()), c, KEYS) };
        }
        let vectors = here.next_multiple_of(S::LANES);
        for query in 0..count {
            let row = &mut scores[query * KEYS..][..vectors];
            row[here..].fill(NO_KEY);
            // SAFETY: whole vectors.
            let (before, now) = unsafe { (most[query], most[query].max(largest::<S>(row))) };
            let kept = (before - now).exp();
            // SAFETY: as above.
            sums[query] = sums[query] * kept + unsafe { to_weights::<S>(row, now) };
            most[query] = now;
            if kept < 1.0 {
                for value in &mut made[query * wide..][..wide] {
                    *value *= kept;
                }
            }
        }
        for column in 0..wide / panel {
            let segment = Segment {
                a: scores.as_ptr(),
                b: packed_values.at((column * attention.padded_keys() + block) * panel),
                len: here,
            };
            let c = part.as_mut_ptr().at(column * panel);
            // SAFETY: as above.
            unsafe { tiles.panel_product(&[segment], KEYS, count, (2, ()), c, wide) };
        }
        for (value, add) in made[..count * wide].iter_mut().zip(&*part) {
            *value += add;
        }
    }
    assert!((head + 1) * size <= result.shape.channels, "a head's channels");
    for query in 0..count {
        let offset = (first + query) * result.stored_channels;
        let channels = result.shape.channels;
        // SAFETY: the head's own channels of the task's own pixel; padding channels belong to the first head.
        unsafe {
            let pixel = run.start(to).at(offset);
            let own = std::slice::from_raw_parts_mut(pixel.at(head * size), size);
            for (value, sum) in own.iter_mut().zip(&made[query * wide..]) {
                *value = sum / sums[query];
            }
            if head == 0 {
                let stored = result.stored_channels - channels;
                std::slice::from_raw_parts_mut(pixel.at(channels), stored).fill(0.0);
            }
        }
    }
}
