//! Convolutions that work row by row over staged input rows (copies that are already normalised and padded): direct,
//! four-phase and shifted columns, as described in [`Algorithm`].
//!
//! A task computes a strip of output rows over a tile of columns. It keeps a ring of staged input rows, so that every
//! input value is prepared once per task. It multiplies directly from the ring: all kernel columns of a row are one
//! contiguous segment of K.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{
    gather::{Border, Centre, Input, StagedRow},
    kernel::{self, Tasks, Tiles},
    pack::{ByteWeights, Packed, Panels},
    simd::{At, Simd, copy},
    statistics::Running,
    tiles::{MAX_SEGMENTS, Segment, TileSet},
    winograd::RawMap,
};
use plan::cpu::{Algorithm, Staging, TILE_COLUMNS, strips};

/// A sum of colours that is taken for infinite, as by `kernels/conv.cuh`.
const OVERFLOW: f32 = 1e30;

/// Where the results of a row convolution go.
#[derive(Clone, Copy)]
pub enum Output {
    /// A raw map and the statistics of its norm.
    Map(RawMap),
    Picture(PictureOutput),
}

/// Where and how the picture is written.
#[derive(Clone, Copy)]
pub struct PictureOutput {
    /// RGBA bytes. Alpha is not changed.
    pub rgba: *mut u8,
    /// Channel-major floats before clamping. If not null, no bytes are written.
    pub floats: *mut f32,
    /// Set if a colour is NaN or infinite and no floats are written.
    pub overflow: *const AtomicBool,
    /// Added to each colour.
    pub bias: [f32; 3],
    /// Rows and columns, to which the computed map is cropped.
    pub size: (usize, usize),
}

// SAFETY: only addresses; tasks write disjoint pixels.
unsafe impl Sync for PictureOutput {}

impl PictureOutput {
    /// Writes a pixel. The bias is already added to its colours.
    ///
    /// # Safety
    /// The pixel is inside the picture, and no other task writes it.
    #[inline(always)]
    pub unsafe fn write(&self, y: usize, x: usize, colours: [f32; 3]) {
        let (height, width) = self.size;
        let pixel = y * width + x;
        let [red, green, blue] = colours.map(f32::abs);
        // False for NaN.
        let is_finite = red + green + blue < OVERFLOW;
        if !is_finite && self.floats.is_null() {
            // SAFETY: the flag outlives the run.
            unsafe { (*self.overflow).store(true, Ordering::Relaxed) };
        }
        for (c, value) in colours.into_iter().enumerate() {
            // SAFETY: the caller's promise.
            unsafe {
                if self.floats.is_null() {
                    *self.rgba.at(4 * pixel + c) = level(value);
                } else {
                    *self.floats.at(c * height * width + pixel) = value;
                }
            }
        }
    }
}

/// One layer's convolution.
pub struct RowConv<'a> {
    pub input: Input,
    pub algorithm: Algorithm,
    pub kernel: usize,
    /// Pixels that the kernel extends up and to the left of an output's position.
    pub reach: isize,
    /// 1 or 2.
    pub stride: usize,
    /// Upsamples the input while staging. Only for [`Algorithm::Direct`] and [`Algorithm::ShiftedColumns`]; the four
    /// phases never make the upsampled map.
    pub upsample: bool,
    pub staging: Staging,
    /// Packed weights. Their type decides whether values or bytes are staged.
    pub weights: &'a Packed,
    /// Rows and columns that are cut into tasks: the output's, or the small map's for four phases.
    pub grid: (usize, usize),
    pub output: Output,
}

/// The part of a task that all of its rows share.
struct Strip {
    ring: *mut f32,
    computed: *mut f32,
    first_column: usize,
    end_column: usize,
}

impl Tasks for RowConv<'_> {
    fn count(&self) -> usize {
        strips(self.grid)
    }

    #[inline(always)]
    unsafe fn run<S: Simd>(&self, task: usize, scratch: &mut [f32], tiles: Tiles) {
        let kernel::Strip { first_row, end_row, first_column, end_column } =
            kernel::Strip::of(self.grid, task);
        let has_extremes = matches!(self.weights, Packed::Bytes(_));
        let (ring, rest) = scratch.split_at_mut(self.staging.ring_floats(has_extremes));
        let (computed, rest) = rest.split_at_mut(self.staging.out_len());
        let channels = match self.output {
            Output::Map(map) => map.channels,
            Output::Picture(_) => 0,
        };
        // The plan reserves four values for every channel.
        let row = rest.len() / 4;
        assert!(row >= channels, "room for a channel's statistics");
        let statistics = rest.as_mut_ptr();
        let mut running = Running {
            mean: statistics,
            squares: statistics.at(row),
            extremes: has_extremes.then(|| (statistics.at(2 * row), statistics.at(3 * row))),
            count: 0,
        };
        let strip = Strip {
            ring: ring.as_mut_ptr(),
            computed: computed.as_mut_ptr(),
            first_column,
            end_column,
        };
        let four_phase = self.algorithm == Algorithm::FourPhase;
        let (reach_up, rows_needed) = if four_phase { (1, 3) } else { (self.reach, self.kernel) };
        let centre = match (&self.input, &self.output, self.weights) {
            // Sums of bytes are exact, so a flat map stays flat.
            (.., Packed::Bytes(_)) => Centre::NONE,
            // SAFETY: the map is valid by the caller's promise.
            (Input::Map(map), Output::Map(_), _) => unsafe { Centre::of::<S>(map) },
            _ => Centre::NONE,
        };
        let mut staged_until = isize::MIN;
        for y in first_row..end_row {
            let first_needed = (y * self.stride) as isize - reach_up;
            let mut row = first_needed.max(staged_until);
            while row < first_needed + rows_needed as isize {
                let owned = (first_row as isize..end_row as isize).contains(&row)
                    && self.stride == 1
                    && !self.upsample;
                // SAFETY: the slot is inside the ring, which is part of the scratch.
                unsafe { stage_row::<S>(self, &strip, row, owned, &centre) };
                row += 1;
            }
            staged_until = row;
            for phase in 0..if four_phase { 4 } else { 1 } {
                let sum = RowSum::of(self, &strip, y, phase);
                // SAFETY: the rows that the sum reads are already staged.
                unsafe {
                    compute_row(self, &strip, &sum, tiles);
                    match self.output {
                        Output::Map(map) => {
                            emit_map_row::<S>(self, map, &strip, y, phase, &mut running);
                        }
                        Output::Picture(picture) => emit_picture_row(self, picture, &strip, y),
                    }
                }
            }
        }
        if let Output::Map(map) = &self.output {
            // SAFETY: every task has its own part.
            unsafe { map.write_part(task, &running) };
        }
    }
}

/// Slot of a padded row in the ring.
#[inline(always)]
fn slot(layer: &RowConv<'_>, row: isize) -> usize {
    let rows = layer.staging.rows;
    row.rem_euclid(rows as isize) as usize
}

#[inline(always)]
unsafe fn stage_row<S: Simd>(
    layer: &RowConv<'_>,
    strip: &Strip,
    row: isize,
    owned: bool,
    centre: &Centre,
) {
    let four_phase = layer.algorithm == Algorithm::FourPhase;
    let reach = if four_phase { 1 } else { layer.reach };
    let border = match (four_phase, layer.upsample) {
        (true, _) => Border::Replicate,
        (false, true) => Border::ReflectUpsampled,
        (false, false) => Border::Reflect,
    };
    // A tile at the right edge is narrower than the scratch.
    let narrower = (TILE_COLUMNS - (strip.end_column - strip.first_column)) * layer.stride;
    assert!(narrower <= layer.staging.columns, "columns of a staged row");
    let staged = StagedRow {
        row,
        first_column: (strip.first_column * layer.stride) as isize - reach,
        columns: layer.staging.columns - narrower,
        owned: owned.then_some((strip.first_column, strip.end_column)),
    };
    let start = slot(layer, row) * layer.staging.row_len();
    // SAFETY: the slot has room for one staged row.
    unsafe {
        match layer.weights {
            Packed::Single(_) => {
                let to = strip.ring.at(start);
                layer.input.stage::<S>(to, staged, border, centre);
            }
            Packed::Bytes(weights) => {
                let to = strip.ring.cast::<u8>().at(start);
                let range = (weights.low.as_ptr(), weights.bytes_per_unit.as_ptr());
                layer.input.stage_bytes::<S>(to, staged, border, range);
            }
        }
    }
}

/// The sum that computes one output row. It reads `rows` staged rows from padded row `first`, one segment of K each,
/// starting `shift` pixels into the row.
struct RowSum {
    first: isize,
    rows: usize,
    stretch: usize,
    shift: usize,
    group: usize,
    pixels: usize,
}

impl RowSum {
    /// The sum for output row `y` of a layer, and for `phase` if there are four phases.
    fn of(layer: &RowConv<'_>, strip: &Strip, y: usize, phase: usize) -> Self {
        let channels = layer.staging.channels;
        let own = strip.end_column - strip.first_column;
        let centred = Self {
            first: (y * layer.stride) as isize - layer.reach,
            rows: layer.kernel,
            stretch: layer.kernel * channels,
            shift: 0,
            group: 0,
            pixels: own,
        };
        match layer.algorithm {
            Algorithm::FourPhase => Self {
                first: y as isize + (phase / 2) as isize - 1,
                rows: 2,
                stretch: 2 * channels,
                shift: phase % 2,
                group: phase,
                pixels: own,
            },
            Algorithm::ShiftedColumns => {
                Self { stretch: channels, pixels: own + layer.kernel - 1, ..centred }
            }
            _ => centred,
        }
    }
}

/// Computes one row.
///
/// # Safety
/// The rows of the sum are staged; `tiles` can run on this CPU.
unsafe fn compute_row(layer: &RowConv<'_>, strip: &Strip, sum: &RowSum, tiles: Tiles) {
    // SAFETY: the caller's promise; there is one scale for each column.
    unsafe {
        match layer.weights {
            Packed::Single(panels) => {
                multiply(layer, strip, sum, (strip.ring, panels, tiles.single), |_| ());
            }
            Packed::Bytes(weights) => {
                let ByteWeights { panels, scale, .. } = &**weights;
                let ring = strip.ring.cast::<u8>();
                let scale = |column| scale.as_ptr().at(column);
                multiply(layer, strip, sum, (ring, panels, tiles.bytes), scale);
            }
        }
    }
}

/// Multiplies the staged rows of a sum by all panels. `scale` returns the scale of the columns from the given one.
///
/// # Safety
/// As [`compute_row`]; the ring contains what the tiles multiply.
unsafe fn multiply<A, B: Copy + Default, Scale: Copy>(
    layer: &RowConv<'_>,
    strip: &Strip,
    sum: &RowSum,
    (ring, panels, tiles): (*mut A, &Panels<B>, &TileSet<A, B, Scale>),
    scale: impl Fn(usize) -> Scale,
) {
    let channels = layer.staging.channels;
    let (a_stride, out_stride) = (layer.stride * channels, layer.staging.out_channels);
    let mut segments = [Segment::EMPTY; MAX_SEGMENTS];
    let segments = &mut segments[..sum.rows];
    for panel in panels.panels() {
        let (b, width) = (panels.group(panel, sum.group), panels.width(panel));
        for (r, segment) in segments.iter_mut().enumerate() {
            let row = slot(layer, sum.first + r as isize) * layer.staging.row_len();
            *segment = Segment {
                a: ring.at(row + sum.shift * channels).cast_const(),
                b: b.at(r * sum.stretch * width),
                len: sum.stretch,
            };
        }
        let (c, columns) = (strip.computed.at(panel.first), (panel.vectors, scale(panel.first)));
        // SAFETY: rows are staged, each group contains `rows * stretch` rows of K, and the computed row is inside its
        // scratch.
        unsafe { tiles.panel_product(segments, a_stride, sum.pixels, columns, c, out_stride) };
    }
}

/// Writes a computed row to the raw map and adds it to the statistics.
#[inline(always)]
unsafe fn emit_map_row<S: Simd>(
    layer: &RowConv<'_>,
    RawMap { raw, channels, .. }: RawMap,
    strip: &Strip,
    y: usize,
    phase: usize,
    running: &mut Running,
) {
    let width = layer.grid.1;
    let (first, step) = if layer.algorithm == Algorithm::FourPhase {
        let row = (2 * y + phase / 2) * 2 * width;
        (row + 2 * strip.first_column + phase % 2, 2)
    } else {
        (y * width + strip.first_column, 1)
    };
    let pixels = strip.end_column - strip.first_column;
    let stride = layer.staging.out_channels;
    // SAFETY: the pixels belong to this task's strip and tile of the map.
    unsafe {
        for p in 0..pixels {
            let to = raw.at((first + p * step) * channels);
            copy::<S>(strip.computed.at(p * stride), to, channels);
        }
        running.take::<S>(strip.computed, pixels, stride, channels);
    }
}

/// Adds the shifted columns of a computed row and writes the picture's pixels.
#[inline(always)]
unsafe fn emit_picture_row(layer: &RowConv<'_>, picture: PictureOutput, strip: &Strip, y: usize) {
    let (height, width) = picture.size;
    if y >= height {
        return;
    }
    let stride = layer.staging.out_channels;
    for x in strip.first_column..strip.end_column.min(width) {
        let [red, green, blue] = picture.bias;
        let mut sum = [red, green, blue, 0.0];
        for k in 0..layer.kernel {
            // SAFETY: pixel x + k of the computed row; the fourth value belongs to the next column or to the padding
            // and is not used.
            let part = unsafe {
                strip
                    .computed
                    .at((x - strip.first_column + k) * stride + 3 * k)
                    .cast::<[f32; 4]>()
                    .read_unaligned()
            };
            for (s, p) in sum.iter_mut().zip(part) {
                *s += p;
            }
        }
        let [red, green, blue, _] = sum;
        // SAFETY: the pixel is inside the picture and belongs to this task.
        unsafe { picture.write(y, x, [red, green, blue]) };
    }
}

/// Converts a value to a byte: clamped to 0 to 255 and rounded to nearest; NaN becomes 0.
#[inline(always)]
pub fn level(value: f32) -> u8 {
    // The cast saturates and truncates, so half is added first.
    (value + 0.5) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_round_and_clamp() {
        let cases = [(-3.0, 0), (0.4, 0), (0.5, 1), (254.6, 255), (300.0, 255), (f32::NAN, 0)];
        for (value, staged) in cases {
            assert_eq!(level(value), staged);
        }
    }
}
