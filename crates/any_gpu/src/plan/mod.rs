//! What a network runs on a GPU at one size: launches with their kernels, parameters and memory.
//!
//! Pure: the same network, size, mode and limits result in the same plan on every computer, with or without a GPU. Maps
//! are channels-last, with channels padded to whole packs of four. A launch whose maps are longer than a device may
//! bind computes only some rows, and several launches compute all of them.

mod launch;
mod slots;

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests;

pub use launch::{Binding, Kernel, Launch, Place};

use launch::Maker;
use network::graph::{Conv, Graph, NodeId, Op};
use plan::{
    Nodes, PlanError, PlanSummary,
    arena::Lifetime,
    general::{
        Attention, AttentionPart, ConstantId, ConstantValues, Cost, GeneralOp, MapBuffer, MapId,
        Placement, Planner, PointFunction, RowPartition, WeightOrder,
    },
};
use values::{
    mode::{AttentionChoice, Mode, Precision, Variant},
    numeric::NumberFormat,
    tensor::Shape,
};

/// Channels in a pack.
pub const PACK: usize = 4;
/// Maximum number of strips into which a map is cut for its statistics.
const STRIPS: usize = 512;
/// Maximum number of channels of a head of attention, whose query and sums a thread keeps.
const MAX_HEAD: usize = 256;
/// Constants and the parts of a buffer that are bound begin at multiples of this, in bytes.
pub const ALIGNMENT: u64 = 256;

/// Bytes of the flag that a value did not fit its format.
pub const FLAG_BYTES: u64 = 16;

/// Bytes of a buffer with room for this many.
pub fn buffer_bytes(bytes: u64) -> u64 {
    bytes.next_multiple_of(16).max(ALIGNMENT)
}

/// What a device can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a buffer that a launch can use.
    pub binding_bytes: u64,
    /// Bytes of a buffer.
    pub buffer_bytes: u64,
    /// Workgroups in each dimension of a launch.
    pub workgroups: u32,
}

/// Why a network cannot run on a GPU.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GpuPlanError {
    #[error("{0}; choose fp32 or fp16 in fused or baseline")]
    Mode(&'static str),
    /// No device can run a plan of the graph.
    #[error(transparent)]
    Graph(#[from] PlanError),
    /// No kernel computes the operation.
    #[error("{node} is an operation that only the CPU supports; choose the CPU")]
    Operation { node: String },
    /// A map, or one row of it, is longer than a buffer.
    #[error("{layer} needs {megabytes} MB in one piece, and the device allows {allowed}")]
    TooLarge { layer: String, megabytes: u64, allowed: u64 },
}

impl GpuPlanError {
    /// True if a smaller picture could be painted.
    pub const fn is_too_large(&self) -> bool {
        matches!(self, Self::TooLarge { .. })
    }
}

/// An operation of a plan.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum GpuOp {
    /// Converts bytes to values.
    LoadPhoto {
        to: MapId,
    },
    /// Doubles rows and columns.
    Upsample {
        from: MapId,
        to: MapId,
    },
    /// Converts values to bytes.
    StorePicture {
        from: MapId,
    },
    General(GeneralOp),
}

impl GpuOp {
    /// The maps that it reads, and the map that it writes.
    fn maps(&self) -> (Vec<MapId>, Option<MapId>) {
        match *self {
            Self::LoadPhoto { to } => (Vec::new(), Some(to)),
            Self::Upsample { from, to } => (vec![from], Some(to)),
            Self::StorePicture { from } => (vec![from], None),
            Self::General(op) => {
                let (reads, to) = op.maps();
                (reads, Some(to))
            }
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The layer's name.
    pub layer: String,
    pub op: GpuOp,
    /// One, or several if its maps are too long.
    pub launches: Vec<Launch>,
    /// Floating-point operations of the layer as defined.
    pub flops: u64,
    /// Minimum bytes that must be read and written.
    pub bytes: u64,
}

/// A constant and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct PlacedConstant {
    pub values: ConstantValues,
    /// A convolution's weights are in a buffer of their own; everything else is in the tables.
    pub is_weights: bool,
    /// First byte in that buffer.
    pub offset: u64,
    pub bytes: u64,
}

/// The complete plan for one network, picture size, mode and device.
#[derive(Clone, Debug, PartialEq)]
pub struct GpuPlan {
    pub mode: Mode,
    /// Rows and columns, in pixels.
    pub photo: (usize, usize),
    /// Rows and columns after short sides are extended, in pixels.
    pub extended: (usize, usize),
    pub format: NumberFormat,
    /// In execution order.
    pub steps: Vec<Step>,
    /// The launch that stores the last map unrounded, in three planes of f32.
    pub floats: Option<Launch>,
    pub maps: Vec<MapBuffer>,
    /// The buffer of each map.
    pub slot_of: Vec<usize>,
    /// Bytes of each buffer.
    pub slots: Vec<u64>,
    pub constants: Vec<PlacedConstant>,
    /// Bytes of the tables.
    pub table_bytes: u64,
    /// Bytes of all weights.
    pub weight_bytes: u64,
}

/// The format in which a mode stores maps.
///
/// # Errors
/// [`GpuPlanError::Mode`] if there are no kernels for it.
pub fn format(mode: Mode) -> Result<NumberFormat, GpuPlanError> {
    if mode.variant == Variant::FusedNorm {
        return Err(GpuPlanError::Mode("it has no variant fused-norm"));
    }
    if mode.attention != AttentionChoice::Auto {
        return Err(GpuPlanError::Mode("it has one way to compute attention; leave it to auto"));
    }
    match mode.precision {
        Precision::Fp32 => Ok(NumberFormat::Fp32),
        Precision::Fp16 => Ok(NumberFormat::Fp16),
        _ => Err(GpuPlanError::Mode("it computes in fp32 and fp16 alone")),
    }
}

/// True if there is a kernel for an operation.
fn supports(op: &Op) -> bool {
    match op {
        Op::Input { .. } | Op::Constant(_) => false,
        Op::Function(_) => PointFunction::of(op).is_some(),
        _ => true,
    }
}

impl GpuPlan {
    /// Plans `graph` on photos of this many rows and columns.
    ///
    /// # Errors
    /// [`GpuPlanError`] if the device cannot run it.
    pub fn new(
        graph: &Graph,
        (height, width): (usize, usize),
        mode: Mode,
        limits: &Limits,
    ) -> Result<Self, GpuPlanError> {
        let format = format(mode)?;
        if let Some(node) = graph.nodes().iter().find(|node| !supports(&node.op)) {
            return Err(GpuPlanError::Operation { node: node.name.clone() });
        }
        let (extended, shapes) = graph.for_photo(height, width).map_err(PlanError::from)?;
        let (nodes, photo) = (Nodes::new(graph, shapes), (height, width));
        let placement = GpuPlacement { format, ..GpuPlacement::default() };
        let is_fused = mode.variant == Variant::Fused;
        let mut planner = Planner::new(placement, &nodes, photo, is_fused);
        planner.plan()?;
        planner.placement.finish(mode, (photo, extended), limits)
    }

    /// Bytes of the photo, in RGBA8.
    pub const fn photo_bytes(&self) -> u64 {
        4 * (self.extended.0 * self.extended.1) as u64
    }

    /// Bytes of the painting, in RGBA8.
    pub const fn painting_bytes(&self) -> u64 {
        4 * (self.photo.0 * self.photo.1) as u64
    }

    /// Bytes of all buffers of a session: maps, weights, tables and parameters, photo and painting, and their copies
    /// that the system can read.
    pub fn device_bytes(&self) -> u64 {
        let slots: u64 = self.slots.iter().copied().map(buffer_bytes).sum();
        let network = [self.weight_bytes, self.table_bytes, self.parameter_bytes(), FLAG_BYTES];
        let frames =
            [self.photo_bytes(), self.painting_bytes(), self.painting_bytes() + FLAG_BYTES];
        let own: u64 = network.into_iter().chain(frames).map(buffer_bytes).sum();
        // Weights and photos pass through memory that both sides see.
        slots + own + buffer_bytes(self.weight_bytes.max(self.photo_bytes()))
    }

    /// Bytes of the parameters of all launches.
    pub fn parameter_bytes(&self) -> u64 {
        let launches: usize = self.steps.iter().map(|step| step.launches.len()).sum();
        (launches as u64 + 1) * ALIGNMENT
    }

    /// Floating-point operations of a run.
    pub fn flops(&self) -> u64 {
        self.steps.iter().fold(0, |sum, step| sum.saturating_add(step.flops))
    }

    pub fn summary(&self) -> PlanSummary {
        let (height, width) = self.photo;
        let steps = self.steps.iter().map(|step| {
            let kernel = step.launches.first().map_or_else(String::new, |l| l.kernel.name());
            (step.layer.clone(), kernel)
        });
        PlanSummary {
            steps: steps.collect(),
            flops: self.flops(),
            peak_bytes: self.device_bytes(),
            ..PlanSummary::without_steps(self.mode, 1, (width, height))
        }
    }
}

/// A plan while it is built: maps and constants without places, operations without launches.
struct GpuPlacement {
    format: NumberFormat,
    maps: Vec<MapBuffer>,
    lifetimes: Vec<Lifetime>,
    constants: Vec<PlacedConstant>,
    table_bytes: u64,
    weight_bytes: u64,
    steps: Vec<Step>,
}

impl Default for GpuPlacement {
    fn default() -> Self {
        Self {
            format: NumberFormat::Fp32,
            maps: Vec::new(),
            lifetimes: Vec::new(),
            constants: Vec::new(),
            table_bytes: 0,
            weight_bytes: 0,
            steps: Vec::new(),
        }
    }
}

impl GpuPlacement {
    fn step(&mut self, layer: &str, op: GpuOp, flops: u64, values: usize) {
        let (reads, to) = op.maps();
        for map in reads.into_iter().chain(to) {
            self.lifetimes[map].last_step = self.steps.len();
        }
        let bytes = (self.format.bytes() * values) as u64;
        self.steps.push(Step { layer: layer.to_owned(), op, launches: Vec::new(), flops, bytes });
    }

    /// The plan of all collected steps: maps and launches get their places.
    fn finish(
        mut self,
        mode: Mode,
        (photo, extended): ((usize, usize), (usize, usize)),
        limits: &Limits,
    ) -> Result<GpuPlan, GpuPlanError> {
        let (slot_of, slots) = slots::assign(&self.lifetimes);
        let steps = std::mem::take(&mut self.steps);
        let maker = Maker {
            maps: &self.maps,
            constants: &self.constants,
            format: self.format,
            photo,
            extended,
            limits: *limits,
        };
        let mut floats = None;
        let steps = steps.into_iter().map(|step| {
            if let GpuOp::StorePicture { from } = step.op {
                floats = Some(maker.floats(from));
            }
            let launches = maker.launches(&step)?;
            Ok(Step { launches, ..step })
        });
        let steps = steps.collect::<Result<Vec<_>, GpuPlanError>>()?;
        let largest = slots.iter().copied().max().unwrap_or(0).max(self.weight_bytes);
        if largest > limits.buffer_bytes {
            return Err(GpuPlanError::TooLarge {
                layer: "a map".to_owned(),
                megabytes: largest / 1_000_000,
                allowed: limits.buffer_bytes / 1_000_000,
            });
        }
        Ok(GpuPlan {
            mode,
            photo,
            extended,
            format: self.format,
            steps,
            floats,
            maps: self.maps,
            slot_of,
            slots,
            constants: self.constants,
            table_bytes: self.table_bytes.max(ALIGNMENT),
            weight_bytes: self.weight_bytes.max(ALIGNMENT),
        })
    }

    /// Bytes of a constant.
    fn constant_bytes(&self, values: &ConstantValues) -> usize {
        match values {
            ConstantValues::Conv { weights, .. } | ConstantValues::Linear { weights, .. } => {
                let conv = &weights.conv;
                let inputs = match weights.order {
                    WeightOrder::Depthwise => 1,
                    WeightOrder::Grouped if conv.groups > 1 => conv.in_channels / conv.groups,
                    _ => self.stored_channels(conv.in_channels),
                };
                let outputs = self.stored_channels(conv.out_channels);
                conv.kernel[0] * conv.kernel[1] * inputs * outputs * self.format.bytes()
            }
            ConstantValues::Channels { count, .. } | ConstantValues::LinearBias { count, .. } => {
                4 * count
            }
            ConstantValues::Integers(all) => 4 * all.len(),
            ConstantValues::Positions { half, height, width } => 4 * half * (height + width),
            ConstantValues::Taps { output, .. } => 32 * output,
        }
    }
}

impl Placement for GpuPlacement {
    type Error = GpuPlanError;

    fn batch(&self) -> usize {
        1
    }

    fn storage(&self) -> NumberFormat {
        self.format
    }

    fn stored_channels(&self, channels: usize) -> usize {
        channels.next_multiple_of(PACK)
    }

    fn pack_channels(&self) -> usize {
        PACK
    }

    fn maps(&self) -> &[MapBuffer] {
        &self.maps
    }

    fn buffer(&mut self, shape: Shape, channels: usize, bytes: usize) -> MapId {
        let (first_step, last_step) = (self.steps.len(), self.steps.len());
        self.lifetimes.push(Lifetime { len: bytes, first_step, last_step });
        self.maps.push(MapBuffer { shape, stored_channels: channels, offset: 0, bytes });
        self.maps.len() - 1
    }

    fn constant(&mut self, values: ConstantValues) -> ConstantId {
        let bytes = self.constant_bytes(&values) as u64;
        let is_weights = matches!(values, ConstantValues::Conv { .. });
        let used = if is_weights { &mut self.weight_bytes } else { &mut self.table_bytes };
        let offset = *used;
        *used = (offset + bytes).next_multiple_of(if is_weights { ALIGNMENT } else { 16 });
        self.constants.push(PlacedConstant { values, is_weights, offset, bytes });
        self.constants.len() - 1
    }

    fn weight_order(&self, conv: &Conv) -> WeightOrder {
        if conv.groups > 1 && conv.groups == conv.in_channels && conv.groups == conv.out_channels {
            WeightOrder::Depthwise
        } else {
            WeightOrder::Grouped
        }
    }

    fn strips(&self, pixels: usize) -> RowPartition {
        RowPartition::among(pixels, STRIPS)
    }

    fn load_photo(&mut self, layer: &str, to: MapId) {
        let values = 2 * self.maps[to].shape.len();
        self.step(layer, GpuOp::LoadPhoto { to }, 0, values);
    }

    fn upsample(&mut self, layer: &str, from: MapId, to: MapId) {
        let values = self.maps[from].shape.len() + self.maps[to].shape.len();
        self.step(layer, GpuOp::Upsample { from, to }, 0, values);
    }

    fn store_picture(&mut self, layer: &str, from: MapId, photo: (usize, usize)) {
        self.step(layer, GpuOp::StorePicture { from }, 0, 4 * photo.0 * photo.1);
    }

    fn launch(&mut self, layer: &str, op: GeneralOp, cost: Cost) {
        self.step(layer, GpuOp::General(op), cost.flops, cost.read + cost.written);
    }

    fn attention(
        planner: &mut Planner<'_, Self>,
        id: NodeId,
        read: Attention,
        (asking, answering): (usize, usize),
        flops: u64,
    ) -> Result<(), GpuPlanError> {
        if read.head_size > MAX_HEAD {
            return Err(planner.no_kernel(id));
        }
        let channels = read.heads * read.head_size;
        let to = planner.made(id);
        let op = GeneralOp::Attention(read, AttentionPart::Whole { to });
        let (read, written) = ((asking + 2 * answering) * channels, asking * channels);
        planner.launch_of(id, op, Cost { read, written, flops: flops.saturating_mul(2) });
        Ok(())
    }

    fn special(_: &mut Planner<'_, Self>, _: NodeId) -> Result<bool, GpuPlanError> {
        Ok(false)
    }
}
