//! The variants in which every operation, or every norm, is a separate launch.
//!
//! `baseline` runs what a framework runs. `fused-norm` runs the same convolutions, with one step for a whole norm, its
//! ReLU and its residual add.

use super::{
    Builder, ConvLaunch, CudaOp, CudaPlanError, CudaPlanResult, CudaStep, MapId, ResidentNorm,
    RowPartition, Source, Taps, Target, conv::ConvShape, fused::PHOTO_DIVISOR,
    library::photo_channels, suffix,
};
use crate::Grouped;
use network::graph::{NodeId, Op, fusion::Group};
use values::tensor::Shape;

/// Threads per CTA of all kernels that have no tiles.
pub const PLAIN_THREADS: u32 = 256;
/// Threads of the kernels that compute a norm's statistics.
const NORM_THREADS: u32 = 512;
/// Maximum static shared memory of `norm_plane`.
const NORM_PLANE_STATIC_BYTES: usize = 5 * 1024;
/// CTAs of a cluster that share the pixels of a norm on Hopper, and the minimum number of pixels for which they do.
const NORM_CLUSTER: usize = 8;
const NORM_CLUSTER_PIXELS: usize = 1024;
impl Builder<'_> {
    /// Plans one launch for every operation or, if groups contain whole norms, one for every norm with what follows it.
    pub fn plan_unfused(&mut self, grouped: &Grouped<'_>, photo: (usize, usize)) -> CudaPlanResult {
        let mut kept: Vec<Option<MapId>> = vec![None; grouped.nodes.shapes.len()];
        for group in &grouped.groups {
            let map = self.plan_group(grouped, group, &kept, photo)?;
            let last = group.epilogue.last().unwrap_or(&group.op);
            kept[*last] = map;
        }
        Ok(())
    }

    /// Plans the launches of one group and returns the map that it makes or changes in place.
    fn plan_group(
        &mut self,
        grouped: &Grouped<'_>,
        group: &Group,
        kept: &[Option<MapId>],
        photo: (usize, usize),
    ) -> CudaPlanResult<Option<MapId>> {
        let nodes = grouped.nodes;
        let no_kernel = || CudaPlanError::from(nodes.no_kernel(group.op));
        let node = nodes.node(group.op);
        let layer = &node.layer;
        let shape = nodes.shapes[group.op];
        let input = |index: usize| {
            node.inputs.get(index).copied().and_then(|read| kept[read]).ok_or_else(no_kernel)
        };
        // No later node may read a map that an operation overwrites.
        let own = |index: usize| {
            let map = input(index)?;
            let is_free = !grouped.is_read_after(group.op, node.inputs[index]);
            is_free.then_some(map).ok_or_else(no_kernel)
        };
        let conv_id = |node| grouped.conv_id(node).ok_or_else(no_kernel);
        let whole = shape.len();
        Ok(match node.op {
            Op::Photo => {
                let to = match self.library {
                    Some(_) => self.map_of(shape, photo_channels(self.format)),
                    None => self.map(shape),
                };
                self.load_photo(layer, to, 1.0 / PHOTO_DIVISOR);
                Some(to)
            }
            Op::Upsample => Some(self.upsample(layer, input(0)?)),
            Op::Pad { .. } | Op::Crop(_) => {
                node.op.margin_px().ok_or_else(no_kernel)?;
                let from = input(0)?;
                let to = self.map_of(shape, self.maps[from].stored_channels);
                self.node_step(layer, node.op, (from, None), to);
                Some(to)
            }
            Op::Conv2d(_) => {
                let id = conv_id(group.op)?;
                Some(self.plain_conv(id, input(0)?, shape)?)
            }
            Op::InstanceStatistics => {
                let map = input(0)?;
                let raw = node.inputs[0];
                let id = conv_id(raw)?;
                let norm = group.epilogue.first();
                if norm.is_some_and(|&norm| nodes.conv_of_norm(norm) != Some(raw)) {
                    return Err(no_kernel());
                }
                let of_norm =
                    nodes.readers[group.op].iter().find_map(|&reader| match *nodes.op(reader) {
                        Op::InstanceNorm { eps } => Some(eps),
                        _ => None,
                    });
                let mut eps = of_norm.ok_or_else(no_kernel)?;
                if self.convs[id].reads_photo {
                    // The values are the photo's levels divided by the divisor.
                    eps /= f64::from(PHOTO_DIVISOR * PHOTO_DIVISOR);
                }
                let eps = eps as f32;
                if group.epilogue.is_empty() {
                    self.statistics(id, map, eps);
                    None
                } else {
                    let residual = match group.epilogue.last().map(|&last| nodes.node(last)) {
                        Some(last) if last.op == Op::Add => {
                            let other = last
                                .inputs
                                .iter()
                                .find(|i| !group.epilogue.contains(i))
                                .and_then(|&other| kept[other]);
                            Some(other.ok_or_else(no_kernel)?)
                        }
                        Some(last) if last.op == Op::Relu => None,
                        _ => return Err(no_kernel()),
                    };
                    // The norm overwrites the convolution's map.
                    let is_later =
                        |reader: &NodeId| *reader > group.op && !group.epilogue.contains(reader);
                    if nodes.readers[raw].iter().any(is_later) || !self.are_alike(map, residual) {
                        return Err(no_kernel());
                    }
                    self.fused_norm(id, map, residual, eps);
                    Some(map)
                }
            }
            Op::InstanceNorm { .. } => {
                let raw = nodes.conv_of_norm(group.op).ok_or_else(no_kernel)?;
                let (id, map) = (conv_id(raw)?, own(0)?);
                let grid = self.pack_grid(map);
                for (name, op) in [
                    ("normalise", CudaOp::Normalise { conv: id, map }),
                    ("affine", CudaOp::Affine { conv: id, map }),
                ] {
                    self.reads(map);
                    self.plain_step(layer, name, op, grid, whole, whole);
                }
                Some(map)
            }
            Op::Relu => {
                let map = own(0)?;
                self.node_step(layer, node.op, (map, None), map);
                Some(map)
            }
            Op::Add => {
                // The sum overwrites the most recent map.
                let young = usize::from(node.inputs[1] > node.inputs[0]);
                let (map, addend) = (own(young)?, input(1 - young)?);
                if !self.are_alike(map, Some(addend)) {
                    return Err(no_kernel());
                }
                self.node_step(layer, node.op, (map, Some(addend)), map);
                Some(map)
            }
            Op::Picture => {
                self.store_picture(layer, input(0)?, photo, (shape.height, shape.width));
                None
            }
            // Networks like Johnson's have no other operation; `general` plans the others.
            _ => return Err(no_kernel()),
        })
    }

    /// True if two maps have the same number of stored channels. Kernels that add maps value by value require this.
    fn are_alike(&self, map: MapId, other: Option<MapId>) -> bool {
        let stored = |map: MapId| self.maps[map].stored_channels;
        other.is_none_or(|other| stored(other) == stored(map))
    }

    /// Converts the photo's bytes to a map, times a factor.
    pub fn load_photo(&mut self, layer: &str, to: MapId, scale: f32) {
        let shape = self.maps[to].shape;
        let op = CudaOp::LoadPhoto { to, scale };
        let (grid, read) = (self.grid(shape.height, shape.width), 4 * shape.height * shape.width);
        self.plain_step(layer, "load_photo", op, grid, read, shape.len());
    }

    /// Makes the picture from a map, of which it reads this many rows and columns.
    pub fn store_picture(
        &mut self,
        layer: &str,
        from: MapId,
        picture: (usize, usize),
        read: (usize, usize),
    ) {
        self.reads(from);
        let (grid, op) = (self.grid(picture.0, picture.1), CudaOp::StorePicture { from });
        let (read, written) = (3 * read.0 * read.1, picture.0 * picture.1);
        self.plain_step(layer, "store_picture", op, grid, read, written);
    }

    /// Nearest neighbour, to twice the size.
    pub fn upsample(&mut self, layer: &str, from: MapId) -> MapId {
        let small = self.maps[from].shape;
        let big = Shape::new(small.channels, 2 * small.height, 2 * small.width);
        let to = self.map(big);
        self.node_step(layer, Op::Upsample, (from, None), to);
        to
    }

    /// Computes a node of the graph from one map, or from two of the same size.
    fn node_step(&mut self, layer: &str, op: Op, (from, other): (MapId, Option<MapId>), to: MapId) {
        let reads = [from].into_iter().chain(other);
        let read: usize = reads.clone().map(|map| self.maps[map].shape.len()).sum();
        reads.chain([to]).for_each(|map| self.reads(map));
        let (grid, written) = (self.pack_grid(to), self.maps[to].shape.len());
        let step = CudaOp::Node { op, from, other, to };
        // A crop is a padding of less than nothing.
        let name = if matches!(op, Op::Crop(_)) { "pad" } else { op.name() };
        self.plain_step(layer, name, step, grid, read, written);
    }

    /// A convolution over a padded map, with its bias.
    fn plain_conv(&mut self, id: usize, from: MapId, shape: Shape) -> CudaPlanResult<MapId> {
        let conv = &self.convs[id];
        let output = self.map_of(shape, self.output_channels(conv));
        let bias_scale = if conv.reads_photo { 1.0 / PHOTO_DIVISOR } else { 1.0 };
        if let Some(library) = self.library {
            self.library_conv(library, id, (from, output), bias_scale);
            return Ok(output);
        }
        self.reads(from);
        let conv_shape = ConvShape {
            taps: Taps::Direct,
            tap_grid: (conv.kernel, conv.kernel),
            phases: 1,
            stride: conv.stride,
            origin: 0,
            grid: (shape.height, shape.width),
            bias: true,
            is_free: false,
            operand: self.format.operand,
        };
        let (source, target) = (Source::Map(from), Target::Map(output));
        let launch = self.conv_launch(id, conv, conv_shape, source, target)?;
        let launch = ConvLaunch { bias_scale, statistics: false, ..launch };
        self.conv_step(launch, self.maps[from].shape);
        Ok(output)
    }

    /// Computes mean and variance of every channel, each by a launch that sums strips and a launch that adds the sums.
    fn statistics(&mut self, id: usize, map: MapId, eps: f32) {
        let layer = &self.convs[id].name;
        let shape = self.maps[map].shape;
        let channels = self.maps[map].stored_channels;
        let strips = RowPartition::of(shape.height * shape.width, self.limits.multiprocessors);
        self.partial_values = self.partial_values.max(self.batch * strips.count * channels);
        let batch = self.batch as u32;
        let by_strip = (strips.count as u32, batch, 1);
        let by_channel = (channels.div_ceil(32) as u32, batch, 1);
        let (whole, sums) = (shape.len(), strips.count * channels);
        for (kernel, of_variance, finishes) in [
            ("mean_partial", false, false),
            ("mean_finish", false, true),
            ("variance_partial", true, false),
            ("variance_finish", true, true),
        ] {
            let eps = if of_variance && finishes { eps } else { 0.0 };
            let op = CudaOp::Statistics { conv: id, map, strips, of_variance, finishes, eps };
            self.reads(map);
            if finishes {
                self.plain_step(layer, kernel, op, by_channel, sums, channels);
            } else {
                self.plain_step(layer, kernel, op, by_strip, whole, sums);
            }
        }
    }

    /// Plans the whole norm. One launch with one pass over memory if a group of channels fits a CTA, or on Hopper a
    /// cluster of CTAs. Otherwise one launch for the statistics and one that applies them, which on Hopper can be
    /// joined again.
    pub fn fused_norm(&mut self, id: usize, map: MapId, residual: Option<MapId>, eps: f32) {
        let layer = &self.convs[id].name;
        let shape = self.maps[map].shape;
        let channels = self.maps[map].stored_channels;
        let pixels = shape.height * shape.width;
        let value_bytes = self.format.storage.bytes();
        let packs = channels * value_bytes / 16;
        let batch = self.batch as u32;
        let whole = shape.len();
        let added = residual.map_or(0, |_| whole);
        let room = self.limits.shared_bytes_per_cta - NORM_PLANE_STATIC_BYTES;
        let is_shared = self.limits.compute_capability == (9, 0) && pixels >= NORM_CLUSTER_PIXELS;
        let (kernel, ctas) =
            if is_shared { ("norm_cluster", NORM_CLUSTER) } else { ("norm_plane", 1) };
        let kept_pixels = pixels.div_ceil(ctas);
        let resident = ResidentNorm::of(pixels, channels, value_bytes, self.limits);
        // Memory is read in pieces of two packs. A cluster that takes one pack reads twice as much as it needs.
        let groups: &[usize] = if is_shared && resident.is_some() { &[2] } else { &[2, 1] };
        let fits = |g: &usize| packs.is_multiple_of(*g) && kept_pixels * g * 16 <= room;
        let group = groups.iter().copied().find(fits);
        let relu = residual.is_none();
        for map in [map].into_iter().chain(residual) {
            self.reads(map);
        }
        if let Some(group_packs) = group {
            let op = CudaOp::NormPlane { conv: id, map, residual, relu, group_packs, eps };
            let grid = ((packs / group_packs) as u32, batch, ctas as u32);
            let step = self.plain_step(layer, kernel, op, grid, whole + added, whole);
            step.block = NORM_THREADS;
            step.shared_bytes = (kept_pixels * group_packs * 16) as u32;
            if is_shared {
                "instance_norm_cluster".clone_into(&mut step.file);
            }
            return;
        }
        let strips = match resident {
            Some(resident) => resident.strips,
            None => RowPartition::of(pixels, self.limits.multiprocessors),
        };
        self.partial_values = self.partial_values.max(2 * self.batch * strips.count * channels);
        self.tickets = self.tickets.max(self.batch);
        let op = CudaOp::NormStatistics { conv: id, map, strips, resident, eps };
        let grid = (strips.count as u32, batch, 1);
        let step = self.plain_step(layer, "norm_statistics", op, grid, whole, 2 * channels);
        step.block = NORM_THREADS;
        for map in [map].into_iter().chain(residual) {
            self.reads(map);
        }
        let strip_pixels = 4 * (PLAIN_THREADS as usize / packs).max(1);
        let op = CudaOp::NormApply { conv: id, map, residual, relu, strip_pixels };
        let grid = (pixels.div_ceil(strip_pixels) as u32, batch, 1);
        self.plain_step(layer, "norm_apply", op, grid, whole + added, whole);
    }

    /// One thread for each of a row's units, in every row.
    pub fn grid(&self, rows: usize, units: usize) -> (u32, u32, u32) {
        let across = units.div_ceil(PLAIN_THREADS as usize);
        (across as u32, rows as u32, self.batch as u32)
    }

    /// One thread for every 16 bytes of a map, or for every pixel if it has fewer bytes.
    pub fn pack_grid(&self, map: MapId) -> (u32, u32, u32) {
        let m = &self.maps[map];
        let pixel_bytes = m.stored_channels * self.format.storage.bytes();
        self.grid(m.shape.height, m.shape.width * (pixel_bytes / 16).max(1))
    }

    /// Appends a launch of an elementwise or norm kernel that reads and writes this many values of one image.
    pub fn plain_step(
        &mut self,
        layer: &str,
        kernel: &str,
        op: CudaOp,
        grid: (u32, u32, u32),
        read: usize,
        written: usize,
    ) -> &mut CudaStep {
        let is_norm = matches!(
            op,
            CudaOp::Statistics { .. }
                | CudaOp::NormStatistics { .. }
                | CudaOp::NormApply { .. }
                | CudaOp::NormPlane { .. }
        );
        let file = if is_norm { "instance_norm" } else { "elementwise" };
        // Sums are in single precision, whatever the maps' format.
        let entry = match op {
            CudaOp::Statistics { finishes: true, .. } => kernel.to_owned(),
            _ => format!("{kernel}_{}", suffix(self.format.storage)),
        };
        self.step(layer, (file, entry), op, grid, (read, written))
    }

    /// Appends a launch without shared memory that reads and writes this many values of one image, and returns it for
    /// further changes.
    pub fn step(
        &mut self,
        layer: &str,
        (file, entry): (&str, String),
        op: CudaOp,
        grid: (u32, u32, u32),
        (read, written): (usize, usize),
    ) -> &mut CudaStep {
        let at = self.steps.len();
        self.steps.push(CudaStep {
            layer: layer.to_owned(),
            file: file.to_owned(),
            entry,
            op,
            grid,
            block: PLAIN_THREADS,
            shared_bytes: 0,
            flops: 0,
            bytes: (self.batch * self.format.storage.bytes() * (read + written)) as u64,
        });
        &mut self.steps[at]
    }
}
