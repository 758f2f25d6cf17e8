//! The launches of an operation: kernel, parameters, what is bound, and the grid. The parameters are in the order of the
//! `Params` of the kernel's file.

use std::ops::Range;

use super::{ALIGNMENT, GpuOp, GpuPlanError, Limits, PACK, PlacedConstant, Step};
use network::graph::Pool;
use plan::general::{
    Attention, AttentionPart, ConstantId, ConstantValues, Edge, GeneralConv, GeneralOp, MapBuffer,
    MapId, Move, MoveKind, Pointwise, ReduceKind, WeightOrder,
};
use values::numeric::NumberFormat;

/// Marks a part of the parameters that is left out, as in `shared.wgsl`.
const NONE: u32 = u32::MAX;
/// Threads of a workgroup of the kernels without tiles.
const THREADS: usize = 256;
/// The number of `Move`'s kind for doubling, in addition to those of [`MoveKind`].
const DOUBLED: u32 = 4;
/// Queries of a workgroup of attention, and maximum packs of its keys in workgroup memory.
const QUERIES: usize = 64;
const KEY_PACKS: usize = 512;

/// A kernel: its file, and the numbers and files that complete it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Kernel {
    /// Without extension.
    pub file: &'static str,
    /// A file with what is different from kernel to kernel; empty if there is none.
    pub part: &'static str,
    /// Names and values.
    pub numbers: Vec<(&'static str, usize)>,
}

impl Kernel {
    fn new(file: &'static str, numbers: &[(&'static str, usize)]) -> Self {
        Self { file, part: "", numbers: numbers.to_vec() }
    }

    fn with_part(file: &'static str, part: &'static str) -> Self {
        Self { part, ..Self::new(file, &[]) }
    }

    /// The name in lists of steps.
    pub fn name(&self) -> String {
        let numbers: String = self.numbers.iter().map(|(_, n)| format!("_{n}")).collect();
        let part = if self.part.is_empty() { String::new() } else { format!("_{}", self.part) };
        format!("{}{part}{numbers}", self.file)
    }
}

/// Something that launches read or write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Map(MapId),
    Weights,
    Tables,
    Photo,
    Picture,
    /// The unrounded picture.
    Floats,
}

/// A part of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    pub place: Place,
    /// First byte; a multiple of [`ALIGNMENT`].
    pub offset: u64,
    pub bytes: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Launch {
    pub kernel: Kernel,
    pub parameters: Vec<u32>,
    pub output: Binding,
    pub inputs: Vec<Binding>,
    pub grid: [u32; 3],
}

/// Parameters while they are collected.
#[derive(Default)]
struct Words(Vec<u32>);

impl Words {
    fn count(mut self, numbers: &[usize]) -> Self {
        self.0.extend(numbers.iter().map(|&number| number as u32));
        self
    }

    fn signed(mut self, numbers: &[i32]) -> Self {
        self.0.extend(numbers.iter().map(|number| number.cast_unsigned()));
        self
    }

    fn float(mut self, number: f32) -> Self {
        self.0.push(number.to_bits());
        self
    }

    /// Continues at 16 bytes, as a structure in a structure.
    fn aligned(mut self) -> Self {
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }
}

/// Everything from which launches are made.
pub struct Maker<'p> {
    pub maps: &'p [MapBuffer],
    pub constants: &'p [PlacedConstant],
    pub format: NumberFormat,
    pub photo: (usize, usize),
    pub extended: (usize, usize),
    pub limits: Limits,
}

/// The rows that positions read, from the first to the last, of a side.
fn rows_on(first: isize, last: isize, side: usize, edge: Edge) -> Range<usize> {
    let end = side as isize - 1;
    let inside = |row: isize| row.clamp(0, end);
    let (mut least, mut most) = (inside(first), inside(last));
    if edge == Edge::Mirrored {
        if first < 0 {
            (least, most) = (0, most.max(inside(-first)));
        }
        if last > end {
            (least, most) = (least.min(inside(2 * end - last)), end);
        }
    }
    least as usize..most as usize + 1
}

impl Maker<'_> {
    fn map(&self, map: MapId) -> &MapBuffer {
        &self.maps[map]
    }

    fn packs(&self, map: MapId) -> usize {
        self.map(map).stored_channels / PACK
    }

    const fn pack_bytes(&self) -> u64 {
        (PACK * self.format.bytes()) as u64
    }

    /// Some bytes of something, from a multiple of the alignment on.
    fn part(place: Place, bytes: Range<u64>) -> Binding {
        let offset = bytes.start / ALIGNMENT * ALIGNMENT;
        Binding { place, offset, bytes: (bytes.end - offset).next_multiple_of(16) }
    }

    /// Some rows of a map.
    fn rows(&self, map: MapId, rows: &Range<usize>) -> Binding {
        let row_bytes = (self.map(map).shape.width * self.packs(map)) as u64 * self.pack_bytes();
        Self::part(Place::Map(map), rows.start as u64 * row_bytes..rows.end as u64 * row_bytes)
    }

    /// A whole map or buffer.
    fn whole(&self, map: MapId) -> Binding {
        Self::part(Place::Map(map), 0..self.map(map).bytes as u64)
    }

    /// Some rows of bytes.
    fn pixels(place: Place, width: usize, rows: &Range<usize>) -> Binding {
        let bytes = |row: usize| 4 * (row * width) as u64;
        Self::part(place, bytes(rows.start)..bytes(rows.end))
    }

    fn tables(&self) -> Binding {
        let tables = self.constants.iter().filter(|constant| !constant.is_weights);
        let end = tables.map(|constant| constant.offset + constant.bytes).max().unwrap_or(0);
        Self::part(Place::Tables, 0..end.max(ALIGNMENT))
    }

    /// The first word of a table.
    fn table(&self, constant: ConstantId) -> usize {
        self.constants[constant].offset as usize / 4
    }

    /// The first pack of a part of a map.
    const fn first_pack(&self, binding: &Binding) -> usize {
        (binding.offset / self.pack_bytes()) as usize
    }

    /// A grid of at least this many threads in workgroups of [`THREADS`].
    fn grid(&self, threads: usize) -> [u32; 3] {
        let groups = threads.div_ceil(THREADS).max(1);
        let most = self.limits.workgroups as usize;
        let down = groups.div_ceil(most);
        [groups.div_ceil(down) as u32, down as u32, 1]
    }

    /// The launches that compute `rows` rows in as few parts as the device allows.
    fn in_parts(
        &self,
        step: &Step,
        rows: usize,
        make: impl Fn(Range<usize>) -> Launch,
    ) -> Result<Vec<Launch>, GpuPlanError> {
        let bound = |launch: &Launch| {
            let inputs = launch.inputs.iter().map(|input| input.bytes);
            inputs.chain([launch.output.bytes]).max().unwrap_or(0)
        };
        let mut parts = 1;
        loop {
            let each = rows.div_ceil(parts);
            let starts = (0..rows).step_by(each.max(1));
            let launches: Vec<Launch> =
                starts.map(|start| make(start..(start + each).min(rows))).collect();
            let most = launches.iter().map(bound).max().unwrap_or(0);
            let groups = launches.iter().flat_map(|launch| launch.grid).max().unwrap_or(0);
            if most <= self.limits.binding_bytes && groups <= self.limits.workgroups {
                return Ok(launches);
            }
            if each <= 1 {
                return Err(GpuPlanError::TooLarge {
                    layer: step.layer.clone(),
                    megabytes: most.div_ceil(1_000_000),
                    allowed: self.limits.binding_bytes / 1_000_000,
                });
            }
            parts *= 2;
        }
    }

    /// The launches of a step.
    ///
    /// # Errors
    /// [`GpuPlanError::TooLarge`].
    pub fn launches(&self, step: &Step) -> Result<Vec<Launch>, GpuPlanError> {
        match step.op {
            GpuOp::LoadPhoto { to } => self.load(step, to),
            GpuOp::StorePicture { from } => self.store(step, from),
            GpuOp::Upsample { from, to } => {
                let channels = self.map(from).stored_channels;
                let op = Move {
                    from,
                    to,
                    unit_channels: 1,
                    count: channels,
                    real: channels,
                    block: 1,
                    block_units: 1,
                    ..Move::default()
                };
                self.moved(step, &op, DOUBLED)
            }
            GpuOp::General(ref op) => self.general(step, op),
        }
    }

    fn load(&self, step: &Step, to: MapId) -> Result<Vec<Launch>, GpuPlanError> {
        let (height, width) = self.extended;
        self.in_parts(step, height, |rows| {
            let input = Self::pixels(Place::Photo, width, &rows);
            let output = self.rows(to, &rows);
            let first = input.offset as usize / 4;
            let numbers = [width, width, rows.start, rows.len(), first, self.first_pack(&output)];
            Launch {
                kernel: Kernel::with_part("pixels", "load"),
                parameters: Words::default().count(&numbers).count(&[width, 0, 0, 0]).0,
                output,
                inputs: vec![input, input],
                grid: self.grid(rows.len() * width),
            }
        })
    }

    fn store(&self, step: &Step, from: MapId) -> Result<Vec<Launch>, GpuPlanError> {
        let (height, width) = self.photo;
        self.in_parts(step, height, |rows| {
            let input = self.rows(from, &rows);
            let photo = Self::pixels(Place::Photo, self.extended.1, &rows);
            let output = Self::pixels(Place::Picture, width, &rows);
            let words = [photo, output].map(|binding| binding.offset as usize / 4);
            let (first, map_width) = (self.first_pack(&input), self.map(from).shape.width);
            let numbers = [width, map_width, rows.start, rows.len(), first, words[1]];
            let photo_at = [self.extended.1, words[0], 0, self.packs(from)];
            Launch {
                kernel: Kernel::with_part("pixels", "store"),
                parameters: Words::default().count(&numbers).count(&photo_at).0,
                output,
                inputs: vec![input, photo],
                grid: self.grid(rows.len() * width),
            }
        })
    }

    /// The launch that stores a map unrounded, in one piece.
    pub fn floats(&self, from: MapId) -> Launch {
        let (height, width) = self.photo;
        let input = self.rows(from, &(0..height));
        let numbers = [width, self.map(from).shape.width, 0, height, 0, 0];
        let photo_at = [0, 0, height * width, self.packs(from)];
        Launch {
            kernel: Kernel::with_part("pixels", "floats"),
            parameters: Words::default().count(&numbers).count(&photo_at).0,
            output: Self::part(Place::Floats, 0..12 * (height * width) as u64),
            inputs: vec![input, self.tables()],
            grid: self.grid(height * width),
        }
    }

    /// Scales, shifts, slopes and function, as in `by_channel.wgsl`.
    fn change(&self, words: Words, change: &Pointwise) -> Words {
        let table = |id: Option<ConstantId>| id.map_or(NONE as usize, |id| self.table(id));
        let [scale, shift] = change.affine.map_or([None; 2], |affine| affine.map(Some));
        let [first, second] = change.function.numbers;
        words
            .aligned()
            .count(&[table(scale), table(shift), table(change.slopes)])
            .signed(&[change.function.code])
            .float(first)
            .float(second)
    }

    fn general(&self, step: &Step, op: &GeneralOp) -> Result<Vec<Launch>, GpuPlanError> {
        match *op {
            GeneralOp::Conv(ref conv) => self.conv(step, conv),
            GeneralOp::Pointwise { from, to, statistics, ref change } => {
                let map = self.map(to);
                let row_packs = map.shape.width * self.packs(to);
                self.in_parts(step, map.shape.height, |rows| {
                    let (_, eps) = statistics.unwrap_or_default();
                    let of = statistics.map_or_else(|| self.tables(), |(map, _)| self.whole(map));
                    let (input, output) = (self.rows(from, &rows), self.rows(to, &rows));
                    // Both begin at the same pack, which may be before these rows, and is then computed twice.
                    let count = rows.end * row_packs - self.first_pack(&output);
                    let shift = self.first_pack(&output) % self.packs(to);
                    let words = Words::default()
                        .count(&[count, self.packs(to), map.shape.channels])
                        .float(eps)
                        .count(&[shift]);
                    Launch {
                        kernel: Kernel::new("pointwise", &[("NORM", statistics.is_some().into())]),
                        parameters: self.change(words, change).0,
                        output,
                        inputs: vec![input, of, self.tables()],
                        grid: self.grid(count),
                    }
                })
            }
            GeneralOp::Combine { a, b, to, arithmetic } => {
                let shape = self.map(to).shape;
                self.in_parts(step, shape.height, |rows| {
                    let operand = |map: MapId| match self.map(map).shape.height {
                        1 => self.whole(map),
                        _ => self.rows(map, &rows),
                    };
                    let output = self.rows(to, &rows);
                    let inputs = [operand(a), operand(b)];
                    let mut words = Words::default()
                        .count(&[shape.width, self.packs(to), shape.channels, rows.start])
                        .count(&[rows.len(), self.first_pack(&output), arithmetic as usize]);
                    for (map, binding) in [a, b].into_iter().zip(&inputs) {
                        let of = self.map(map).shape;
                        words = words.aligned().count(&[
                            of.height,
                            of.width,
                            self.packs(map),
                            of.channels,
                            self.first_pack(binding),
                        ]);
                    }
                    Launch {
                        kernel: Kernel::new("combine", &[]),
                        parameters: words.0,
                        output,
                        inputs: inputs.to_vec(),
                        grid: self.grid(rows.len() * shape.width * self.packs(to)),
                    }
                })
            }
            GeneralOp::Move(ref op) => self.moved(step, op, op.kind as u32),
            GeneralOp::Resize { from, to, tables, taps } => {
                self.resized(step, from, to, tables, taps)
            }
            GeneralOp::Pool { from, to, ref pool, is_mean, counts_padding } => {
                self.pooled(step, (from, to), pool, [is_mean, counts_padding])
            }
            GeneralOp::ReducePartial { map, parts, strips, kind } => {
                let (shape, packs) = (self.map(map).shape, self.packs(map));
                let pixels = shape.height * shape.width;
                let pixel_bytes = packs as u64 * self.pack_bytes();
                self.in_parts(step, strips.count, |range| {
                    let end = (range.end * strips.pixels).min(pixels) as u64;
                    let start = (range.start * strips.pixels) as u64;
                    let bytes = start * pixel_bytes..end * pixel_bytes;
                    let input = Self::part(Place::Map(map), bytes);
                    Launch {
                        kernel: Kernel::new("reduce_partial", &[]),
                        parameters: Words::default()
                            .count(&[pixels, packs, self.first_pack(&input), strips.pixels])
                            .count(&[range.start, (kind == ReduceKind::Largest).into()])
                            .0,
                        output: self.whole(parts),
                        inputs: vec![input],
                        grid: [range.len() as u32, packs.div_ceil(4) as u32, 1],
                    }
                })
            }
            GeneralOp::ReduceFinish { of, parts, to, strips, kind } => {
                let shape = self.map(of).shape;
                let stored = self.map(of).stored_channels;
                let part = match kind {
                    ReduceKind::Statistics => "finish_statistics",
                    ReduceKind::Mean | ReduceKind::Largest => "finish_map",
                };
                self.in_parts(step, 1, |_| Launch {
                    kernel: Kernel::with_part("reduce_finish", part),
                    parameters: Words::default()
                        .count(&[shape.height * shape.width, stored, shape.channels, strips.count])
                        .count(&[strips.pixels, (kind == ReduceKind::Largest).into()])
                        .0,
                    output: self.whole(to),
                    inputs: vec![self.whole(parts)],
                    grid: [stored.div_ceil(32) as u32, 1, 1],
                })
            }
            GeneralOp::LayerNorm { from, to, affine: [scale, shift], eps } => {
                let tables = [self.table(scale), self.table(shift), 0];
                self.tokens(step, (from, to), true, tables, eps)
            }
            GeneralOp::Positions { from, to, table } => {
                self.tokens(step, (from, to), false, [0, 0, self.table(table)], 0.0)
            }
            GeneralOp::Attention(ref read, AttentionPart::Whole { to }) => {
                self.attention(step, read, to)
            }
            // Placed by no plan of this crate.
            GeneralOp::Attention(..) | GeneralOp::TokenLinear { .. } => {
                Err(GpuPlanError::Operation { node: step.layer.clone() })
            }
        }
    }

    fn tokens(
        &self,
        step: &Step,
        (from, to): (MapId, MapId),
        is_norm: bool,
        tables: [usize; 3],
        eps: f32,
    ) -> Result<Vec<Launch>, GpuPlanError> {
        let shape = self.map(to).shape;
        let of_map = [shape.width, shape.height, self.packs(to), shape.channels];
        self.in_parts(step, shape.height, |rows| {
            let (input, output) = (self.rows(from, &rows), self.rows(to, &rows));
            let firsts = [&input, &output].map(|binding| self.first_pack(binding));
            let words = Words::default()
                .count(&[rows.end * shape.width])
                .count(&of_map)
                .count(&tables)
                .float(eps)
                .count(&[rows.start * shape.width])
                .count(&firsts);
            Launch {
                kernel: Kernel::new("tokens", &[("LAYER_NORM", is_norm.into())]),
                parameters: words.0,
                output,
                inputs: vec![input, self.tables()],
                grid: self.grid(rows.len() * shape.width),
            }
        })
    }

    fn attention(
        &self,
        step: &Step,
        read: &Attention,
        to: MapId,
    ) -> Result<Vec<Launch>, GpuPlanError> {
        let tokens = |map: MapId| {
            let shape = self.map(map).shape;
            shape.height * shape.width
        };
        let [queries, keys, values] = [read.queries, read.keys, read.values];
        let packs = [queries.map, keys.map, values.map, to].map(|map| self.packs(map));
        // Heads that begin within packs are computed by one workgroup.
        let heads_each = if read.head_size.is_multiple_of(PACK) { 1 } else { read.heads };
        let head_packs = read.head_size.div_ceil(PACK);
        let key_count = (KEY_PACKS / head_packs).min(16);
        self.in_parts(step, 1, |_| Launch {
            kernel: Kernel::new("attention", &[("HEAD_PACKS", head_packs), ("KEYS", key_count)]),
            parameters: Words::default()
                .count(&[tokens(to), tokens(keys.map)])
                .count(&packs)
                .count(&[queries.first, keys.first, values.first, read.head_size, heads_each])
                .float((1.0 / (read.head_size as f64).sqrt()) as f32)
                .0,
            output: self.whole(to),
            inputs: [queries.map, keys.map, values.map].map(|map| self.whole(map)).to_vec(),
            grid: [tokens(to).div_ceil(QUERIES) as u32, (read.heads / heads_each) as u32, 1],
        })
    }

    fn moved(&self, step: &Step, op: &Move, kind: u32) -> Result<Vec<Launch>, GpuPlanError> {
        let (input, output) = (self.map(op.from).shape, self.map(op.to).shape);
        let unit = op.unit_channels;
        let (first, count) = (op.first * unit, op.count * unit);
        let packs = (first + count).div_ceil(PACK) - first / PACK;
        self.in_parts(step, output.height, |rows| {
            let (start, last) = (rows.start, rows.end - 1);
            let read = match (kind, op.kind) {
                (DOUBLED, _) => start / 2..last / 2 + 1,
                (_, MoveKind::ToChannels) => start * op.block..rows.end * op.block,
                (_, MoveKind::BlockFirst | MoveKind::ChannelFirst) => {
                    start / op.block..last / op.block + 1
                }
                (_, MoveKind::Places) => {
                    let top = op.offset[0] as isize;
                    let (first, last) = (start as isize - top, last as isize - top);
                    rows_on(first, last, input.height, op.edge)
                }
            };
            let (from, to) = (self.rows(op.from, &read), self.rows(op.to, &rows));
            let words = Words::default()
                .count(&[input.height, input.width, self.packs(op.from), self.first_pack(&from)])
                .count(&[output.width, self.packs(op.to), self.first_pack(&to)])
                .count(&[rows.start, rows.len(), first, count, op.real * unit, op.source * unit])
                .count(&[kind as usize, op.edge as usize])
                .signed(&op.offset)
                .count(&[op.block, op.block_units * unit])
                .float(op.fill);
            Launch {
                kernel: Kernel::new("move", &[]),
                parameters: words.0,
                output: to,
                inputs: vec![from],
                grid: self.grid(rows.len() * output.width * packs),
            }
        })
    }

    /// The parameters of `window.wgsl` that resizing and pooling share.
    fn window(&self, from: &Binding, to: &Binding, maps: [MapId; 2], rows: &Range<usize>) -> Words {
        let [input, output] = maps.map(|map| self.map(map).shape);
        Words::default()
            .count(&[input.height, input.width, self.first_pack(from), self.packs(maps[1])])
            .count(&[output.width, self.first_pack(to), rows.start, rows.len()])
    }

    fn resized(
        &self,
        step: &Step,
        from: MapId,
        to: MapId,
        tables: [ConstantId; 2],
        taps: usize,
    ) -> Result<Vec<Launch>, GpuPlanError> {
        let shape = self.map(to).shape;
        let of_rows = match &self.constants[tables[0]].values {
            ConstantValues::Taps { resize, axis, input, output } => {
                resize.taps(*axis, *input, *output)
            }
            _ => Vec::new(),
        };
        self.in_parts(step, shape.height, |rows| {
            let read = of_rows[rows.clone()].iter().flat_map(|all| &all[..taps]);
            let places = read.map(|(place, _)| *place as usize);
            let (least, most) =
                places.fold((usize::MAX, 0), |(least, most), p| (least.min(p), most.max(p)));
            let (input, output) = (self.rows(from, &(least..most + 1)), self.rows(to, &rows));
            let at = tables.map(|table| self.table(table));
            let words = self.window(&input, &output, [from, to], &rows);
            Launch {
                kernel: Kernel::new("window", &[("RESIZE", 1)]),
                parameters: words.count(&at).count(&[taps]).count(&[0; 10]).0,
                output,
                inputs: vec![input, self.tables()],
                grid: self.grid(rows.len() * shape.width * self.packs(to)),
            }
        })
    }

    fn pooled(
        &self,
        step: &Step,
        (from, to): (MapId, MapId),
        pool: &Pool,
        kind: [bool; 2],
    ) -> Result<Vec<Launch>, GpuPlanError> {
        let (input, shape) = (self.map(from).shape, self.map(to).shape);
        let sides = pool.sides;
        self.in_parts(step, shape.height, |rows| {
            let position = |row: usize| (row * pool.stride[0]) as isize - sides.top as isize;
            let last = position(rows.end - 1) + pool.kernel[0] as isize - 1;
            let read = rows_on(position(rows.start), last, input.height, Edge::Outside);
            let (from_rows, output) = (self.rows(from, &read), self.rows(to, &rows));
            let words = self
                .window(&from_rows, &output, [from, to], &rows)
                .count(&[0; 3])
                .count(&pool.kernel)
                .count(&pool.stride)
                .count(&[sides.top, sides.left])
                .count(&[input.height + sides.bottom, input.width + sides.right])
                .count(&kind.map(usize::from));
            Launch {
                kernel: Kernel::new("window", &[("RESIZE", 0)]),
                parameters: words.0,
                output,
                inputs: vec![from_rows, self.tables()],
                grid: self.grid(rows.len() * shape.width * self.packs(to)),
            }
        })
    }

    /// The integers of a table.
    fn integers(&self, table: ConstantId) -> &[i32] {
        match &self.constants[table].values {
            ConstantValues::Integers(all) => all,
            _ => &[],
        }
    }

    fn conv(&self, step: &Step, conv: &GeneralConv) -> Result<Vec<Launch>, GpuPlanError> {
        let (input, output) = (self.map(conv.from).shape, self.map(conv.to).shape);
        let constant = &self.constants[conv.weights];
        let (is_depthwise, is_grouped) = match &constant.values {
            ConstantValues::Conv { weights, .. } => {
                (weights.order == WeightOrder::Depthwise, weights.conv.groups > 1)
            }
            _ => (false, false),
        };
        let weights = Self::part(Place::Weights, constant.offset..constant.offset + constant.bytes);
        let phases: Vec<&[i32]> = self.integers(conv.phases).chunks_exact(8).collect();
        let of_rows = || self.integers(conv.taps).chunks_exact(4).map(|tap| tap[0] as isize);
        let (least, most) = (of_rows().min().unwrap_or(0), of_rows().max().unwrap_or(0));
        let [stride, step_y] = [conv.stride[0], conv.step[0]];
        let packs = self.packs(conv.to);
        // Rows of the largest phase.
        let places = output.height.div_ceil(step_y);
        let columns = phases.iter().map(|phase| phase[5] as usize).max().unwrap_or(0);
        let (tile_pixels, tile_channels, chunk) = tile(self.map(conv.to).stored_channels);
        self.in_parts(step, places, |rows| {
            let written = rows.start * step_y..(rows.end * step_y).min(output.height);
            let first = (rows.start * stride) as isize + least;
            let last = ((rows.end - 1) * stride) as isize + most;
            let read = rows_on(first, last, input.height, conv.edge);
            let (from, to) = (self.rows(conv.from, &read), self.rows(conv.to, &written));
            // Grouped kernels count rows of the output, the others rows of a phase.
            let counted = if is_grouped { &written } else { &rows };
            let words = Words::default()
                .count(&[input.height, input.width, self.packs(conv.from), self.first_pack(&from)])
                .count(&[output.width, packs, self.first_pack(&to), output.channels])
                .count(&[counted.start, counted.len()])
                .count(&conv.stride)
                .count(&conv.step)
                .count(&[conv.edge as usize])
                .float(conv.factor)
                .count(&[conv.bias, conv.phases, conv.taps].map(|id| self.table(id)))
                .count(&conv.group)
                .count(&[0]);
            let words = self.change(words, &conv.after);
            if is_grouped {
                return Launch {
                    kernel: Kernel::new("conv_grouped", &[("DEPTHWISE", is_depthwise.into())]),
                    parameters: words.0,
                    output: to,
                    inputs: vec![from, weights, self.tables()],
                    grid: self.grid(written.len() * output.width * packs),
                };
            }
            Launch {
                kernel: Kernel::new(
                    "conv",
                    &[
                        ("NORM", 0),
                        ("TILE_PIXELS", tile_pixels),
                        ("TILE_CHANNELS", tile_channels),
                        ("CHUNK", chunk),
                    ],
                ),
                parameters: words.0,
                output: to,
                inputs: vec![from, weights, self.tables(), self.tables()],
                grid: [
                    (rows.len() * columns).div_ceil(tile_pixels).max(1) as u32,
                    (packs * PACK).div_ceil(tile_channels) as u32,
                    phases.len() as u32,
                ],
            }
        })
    }
}

/// Pixels and channels of a tile, and packs of a chunk, for a map with this many stored channels. At most 256 threads,
/// of four pixels and four channels each.
const fn tile(stored: usize) -> (usize, usize, usize) {
    match stored {
        0..=4 => (256, 4, 2),
        5..=8 => (256, 8, 2),
        9..=16 => (256, 16, 2),
        17..=32 => (128, 32, 4),
        _ => (64, 64, 4),
    }
}
