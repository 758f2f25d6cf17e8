//! The CUDA backend's plans: which kernel runs each layer, on which tiles, over which buffers.
//!
//! Pure: the same network, size, mode and device limits result in the same plan on every computer, with or without a
//! GPU. Maps are stored channels-last (NHWC), with channels padded to a multiple of 16, and the images of a batch are
//! stored one after another. Graphs like Johnson's networks have specialised kernels. All other graphs use plain
//! kernels (`general`).

mod attention;
mod ceiling;
mod chain;
mod constant;
mod conv;
mod conv_wgmma;
mod device_limits;
mod error;
mod fused;
mod general;
mod joint;
mod launch;
mod leading;
mod library;
mod memory_layout;
mod precision;
mod resident_norm;
mod row_partition;
mod smem_layout;
mod tiles;
mod unfused;

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests;

pub use ceiling::flops_per_clock;
pub use chain::MAX_CHAINED;
pub use constant::{Constant, ConstantId, ConstantValues, ConvWeights, Part, WeightOrder};
pub use device_limits::DeviceLimits;
pub use error::{CudaPlanError, CudaPlanResult};
pub use general::{
    Attention, AttentionPart, Edge, GeneralConv, GeneralOp, Move, MoveKind, PointFunction,
    Pointwise, ReduceKind, Slice,
};
pub use joint::JointKernel;
pub use launch::{ConvLaunch, ConvolutionShape, CudaOp, CudaStep, LibraryConv, Taps, Target};
pub use leading::LeadingChain;
pub use library::leaves_convolutions;
pub use memory_layout::{ConvMemory, Cutter, MemoryLayout};
pub use precision::{PRECISIONS, mode_supported};
pub use resident_norm::ResidentNorm;
pub use row_partition::RowPartition;
pub use smem_layout::SmemLayout;
pub use tiles::*;

pub use super::Source;

use std::ops::Range;

use super::{
    ConvLayer, ConvProvider, Grouped, Nodes, PlanError, PlanSummary,
    arena::{self, Lifetime},
};

use network::graph::{Graph, Op};
use values::{
    mode::{AttentionKernel, Mode, Precision, Variant},
    numeric::NumericFormat,
    tensor::Shape,
};

/// Maximum number of pixels of a map, over a batch: kernels count pixels, and those of the next rows, in 32 bits.
const MAX_PIXELS: usize = 1 << 30;
/// Maximum number of values in a row of a map: kernels count a row's values, in whole blocks of threads, in 32 bits.
const MAX_ROW_VALUES: usize = 1 << 30;

/// Index of a map in [`CudaPlan::maps`].
pub type MapId = usize;
/// Index of a convolution in [`CudaPlan::convs`].
pub type ConvId = usize;

/// A map in the arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapBuffer {
    /// Shape of one image.
    pub shape: Shape,
    pub stored_channels: usize,
    /// First byte in the arena.
    pub offset: usize,
    /// For the whole batch.
    pub bytes: usize,
}

/// The CUDA backend's complete plan for one network, picture size, batch, mode and device.
#[derive(Clone, Debug, PartialEq)]
pub struct CudaPlan {
    pub mode: Mode,
    /// Images that are painted at once.
    pub batch: usize,
    /// Rows and columns, in pixels.
    pub photo: (usize, usize),
    /// Rows and columns after short sides are extended, in pixels.
    pub extended: (usize, usize),
    pub convs: Vec<ConvLayer>,
    /// In execution order.
    pub steps: Vec<CudaStep>,
    /// The steps of each launch. Consecutive steps run as one launch if their kernel supports it.
    pub launches: Vec<Range<usize>>,
    pub limits: DeviceLimits,
    /// Bytes through which the CTAs of chained launches exchange statistics.
    pub exchange_bytes: usize,
    /// The maps, placed in the arena.
    pub maps: Vec<MapBuffer>,
    pub arena_bytes: usize,
    /// Bytes of the packed weights of every convolution.
    pub weight_bytes: Vec<usize>,
    /// What the launches of a general graph read in addition to maps.
    pub constants: Vec<Constant>,
    /// The kernels that compute attention, each listed once.
    pub attention_kernels: Vec<AttentionKernel>,
    /// Launches record values that the maps' format cannot represent.
    pub notes_overflow: bool,
    /// Launches may start while the previous ones are ending.
    pub has_early_launches: bool,
    /// Maximum number of values that the statistics of a launch need.
    pub partial_values: usize,
    /// Maximum number of tickets that a launch needs (counters of finished CTAs, or words through which CTAs exchange
    /// their statistics).
    pub tickets: usize,
    /// Bytes of working memory that a library's convolutions share.
    pub workspace_bytes: usize,
    /// What computes the convolutions, in modes that use a library if there is one.
    pub conv_provider: Option<ConvProvider>,
}

/// Why no library computes the convolutions of a general graph.
const OWN_CONVOLUTIONS: &str = "libraries compute those of Johnson's networks only";

/// Unit of the arena's placement: 16 bytes, so that buffers start at multiples of 256.
const UNIT_BYTES: usize = 16;

/// True if GPUs have a kernel for an operation. What a plan refuses in addition depends on sizes, modes and the device.
fn supports(op: &Op) -> bool {
    match op {
        // Neither the photo nor computed from it.
        Op::Input { .. } | Op::Constant(_) => false,
        Op::Function(_) => PointFunction::of(op).is_some(),
        _ => true,
    }
}

impl CudaPlan {
    /// Plans `graph` on photos of this many rows and columns, with the program's own kernels.
    ///
    /// # Errors
    /// [`CudaPlanError`] if the device cannot run it.
    pub fn new(
        graph: &Graph,
        size: (usize, usize),
        batch: usize,
        mode: Mode,
        limits: &DeviceLimits,
    ) -> CudaPlanResult<Self> {
        Self::with_library(graph, size, batch, mode, limits, None)
    }

    /// The same with convolutions by `library` (name and version), in a mode that uses one ([`leaves_convolutions`]);
    /// in other modes as [`CudaPlan::new`]. Reserves the maximum working memory that the library may use. A caller that
    /// knows what its algorithms need may lower [`CudaPlan::workspace_bytes`].
    ///
    /// # Errors
    /// [`CudaPlanError`] if the device cannot run it.
    pub fn with_library(
        graph: &Graph,
        (height, width): (usize, usize),
        batch: usize,
        mode: Mode,
        limits: &DeviceLimits,
        library: Option<&str>,
    ) -> CudaPlanResult<Self> {
        let library = library.filter(|_| leaves_convolutions(mode));
        mode_supported(mode, limits)?;
        if let Some(node) = graph.nodes().iter().find(|node| !supports(&node.op)) {
            return Err(CudaPlanError::Operation { node: node.name.clone() });
        }
        let (extended, shapes) = graph.for_photo(height, width).map_err(PlanError::from)?;
        let is_counted = |shape: &Shape| {
            batch * shape.height * shape.width <= MAX_PIXELS
                && shape.width * stored_channels(shape.channels) <= MAX_ROW_VALUES
        };
        if let Some(id) = shapes.iter().position(|shape| !is_counted(shape)) {
            return Err(PlanError::NoKernel { node: graph.nodes()[id].name.clone() }.into());
        }
        let (nodes, photo) = (Nodes::new(graph, shapes), (height, width));
        let specialised = match general::unlike_specialised(&nodes, photo) {
            Some(node) => Err(nodes.no_kernel(node).into()),
            None => {
                let grouped = Grouped::new(&nodes, mode.variant);
                grouped.map_err(CudaPlanError::from).and_then(|grouped| {
                    Self::specialised(&grouped, (photo, extended), batch, mode, limits, library)
                })
            }
        };
        match specialised {
            Err(_) if general::has_mode(mode) => {
                let fast =
                    (mode.variant == Variant::Fused).then(|| general::FastConvs::of(&nodes, photo));
                let convs = fast.as_ref().map_or(&[][..], |fast| &fast.layers);
                let mut builder = Builder::new(convs, batch, mode, limits, None);
                builder.plan_general(&nodes, photo, fast.as_ref())?;
                let plan = builder.finish(photo, extended);
                Ok(Self {
                    notes_overflow: mode.precision.format().operand.bytes() == 2,
                    conv_provider: leaves_convolutions(mode)
                        .then(|| ConvProvider::own(OWN_CONVOLUTIONS)),
                    ..plan
                })
            }
            Err(_) if mode.precision == Precision::Fp16x2 => Err(CudaPlanError::LayerInFp16x2),
            Err(_) if mode.precision == Precision::Int8 => Err(CudaPlanError::NetworkInInt8),
            Err(cause) => Err(CudaPlanError::Mode { cause: Box::new(cause) }),
            planned => planned,
        }
    }

    /// A plan of the kernels that are specialised for Johnson's networks.
    fn specialised(
        grouped: &Grouped<'_>,
        (photo, extended): ((usize, usize), (usize, usize)),
        batch: usize,
        mode: Mode,
        limits: &DeviceLimits,
        library: Option<&str>,
    ) -> CudaPlanResult<Self> {
        let mut builder = Builder::new(&grouped.convs, batch, mode, limits, library);
        match mode.variant {
            Variant::Fused => builder.plan_fused(grouped, photo)?,
            Variant::FusedNorm | Variant::Baseline => builder.plan_unfused(grouped, photo)?,
        }
        Ok(builder.finish(photo, extended))
    }

    /// The number formats of its maps, and of the operands of launches that do not multiply bytes.
    pub const fn format(&self) -> NumericFormat {
        precision::map_format(self.mode.precision)
    }

    /// The library's convolutions, in step order; empty for a plan of the program's own kernels.
    pub fn library_convs(&self) -> impl Iterator<Item = &LibraryConv> {
        self.steps.iter().filter_map(|step| match &step.op {
            CudaOp::LibraryConv(conv) => Some(conv),
            _ => None,
        })
    }

    /// True if it contains launches of general graphs, that is, operations that Johnson's networks do not have.
    pub fn is_general(&self) -> bool {
        let is = |step: &CudaStep| match step.op {
            CudaOp::General(_) => true,
            CudaOp::Conv(launch) => launch.is_general,
            _ => false,
        };
        self.steps.iter().any(is)
    }

    /// The names of the layers of a launch.
    pub fn layers(&self, steps: &Range<usize>) -> String {
        match &self.steps[steps.clone()] {
            [first, .., last] if first.layer != last.layer => {
                format!("{} to {}", first.layer, last.layer)
            }
            [one, ..] => one.layer.clone(),
            [] => String::new(),
        }
    }

    /// Bytes of the photos of a batch, in RGBA8.
    pub const fn photo_bytes(&self) -> usize {
        4 * self.batch * self.extended.0 * self.extended.1
    }

    /// Bytes of the paintings of a batch, in RGBA8, without what follows them.
    pub const fn painting_bytes(&self) -> usize {
        4 * self.batch * self.photo.0 * self.photo.1
    }

    /// Bytes of the flag after the paintings. Launches set it if the maps' format cannot represent a value.
    pub const fn flag_bytes(&self) -> usize {
        if self.notes_overflow { 4 } else { 0 }
    }

    /// Bytes of device memory that a session needs.
    pub fn device_bytes(&self) -> u64 {
        MemoryLayout::of(self).total as u64
    }

    /// Floating-point operations of a run.
    pub fn flops(&self) -> u64 {
        self.steps.iter().fold(0, |sum, step| sum.saturating_add(step.flops))
    }

    /// The plan's summary, if these ranges of steps are launched together.
    pub fn summary(&self, launches: &[Range<usize>]) -> PlanSummary {
        let (height, width) = self.photo;
        PlanSummary {
            mode: self.mode,
            batch: self.batch,
            width,
            height,
            steps: (launches.iter()).map(|steps| (self.layers(steps), self.entry(steps))).collect(),
            flops: self.flops(),
            peak_bytes: self.device_bytes(),
            conv_provider: self.conv_provider.clone(),
            attention_kernels: self.attention_kernels.clone(),
        }
    }
}

/// Collects steps and buffer lifetimes.
struct Builder<'a> {
    convs: &'a [ConvLayer],
    batch: usize,
    mode: Mode,
    format: NumericFormat,
    limits: &'a DeviceLimits,
    /// The library that computes the convolutions of the unfused variants; `None` for the program's own kernels.
    library: Option<&'a str>,
    /// The kernels that compute it in the steps so far, each listed once.
    attention_kernels: Vec<AttentionKernel>,
    steps: Vec<CudaStep>,
    maps: Vec<MapBuffer>,
    lifetimes: Vec<Lifetime>,
    weight_bytes: Vec<usize>,
    constants: Vec<Constant>,
    partial_values: usize,
    tickets: usize,
    workspace_bytes: usize,
}

impl<'a> Builder<'a> {
    fn new(
        convs: &'a [ConvLayer],
        batch: usize,
        mode: Mode,
        limits: &'a DeviceLimits,
        library: Option<&'a str>,
    ) -> Self {
        Self {
            convs,
            batch,
            mode,
            format: precision::map_format(mode.precision),
            limits,
            library,
            attention_kernels: Vec::new(),
            steps: Vec::new(),
            maps: Vec::new(),
            lifetimes: Vec::new(),
            weight_bytes: vec![0; convs.len()],
            constants: Vec::new(),
            partial_values: 0,
            tickets: 0,
            workspace_bytes: 0,
        }
    }

    /// The plan of all collected steps. Assigns the maps their places.
    fn finish(self, photo: (usize, usize), extended: (usize, usize)) -> CudaPlan {
        let launches = joint::join(self.launches(self.batch), &self.steps, self.limits);
        let of_one = self.launches(1);
        let Self { batch, limits, mut lifetimes, mut maps, mut steps, .. } = self;
        if batch > 1 {
            chain::keep_apart(&launches, &mut lifetimes);
        }
        let (offsets, units) = arena::place(&lifetimes);
        for (map, offset) in maps.iter_mut().zip(offsets) {
            map.offset = offset * UNIT_BYTES;
        }
        // As for a single frame: statistics are merged in the order of the tiles, and a batch must produce the same
        // bits.
        chain::alternate(&of_one, &mut steps);
        let polled = chain::polled_words(&launches, &steps, limits);
        let exchange_bytes =
            launches.iter().map(|launch| chain::exchange_bytes(&steps, launch, limits)).sum();
        CudaPlan {
            launches,
            limits: *limits,
            exchange_bytes,
            mode: self.mode,
            batch,
            photo,
            extended,
            convs: self.convs.to_vec(),
            steps,
            maps,
            arena_bytes: units * UNIT_BYTES,
            weight_bytes: self.weight_bytes,
            constants: self.constants,
            attention_kernels: self.attention_kernels,
            notes_overflow: false,
            // Only the machine code for Hopper waits for the previous launch inside the kernels; the code for other
            // GPUs may not.
            has_early_launches: limits.compute_capability == (9, 0),
            partial_values: self.partial_values,
            tickets: self.tickets.max(polled),
            workspace_bytes: self.workspace_bytes,
            conv_provider: self
                .library
                .map(|name| ConvProvider { name: name.to_owned(), reason: None }),
        }
    }

    /// The launches for this many frames at once.
    fn launches(&self, batch: usize) -> Vec<Range<usize>> {
        self.lead(chain::launches(&self.steps, self.convs, batch, self.limits))
    }

    /// Adds a map that the next step writes.
    fn map(&mut self, shape: Shape) -> MapId {
        self.map_of(shape, stored_channels(shape.channels))
    }

    /// Notes that the next step reads this map.
    fn reads(&mut self, map: MapId) {
        self.lifetimes[map].last_step = self.steps.len();
    }

    /// Adds a map that the next step writes, with this number of stored channels.
    fn map_of(&mut self, shape: Shape, channels: usize) -> MapId {
        let values = self.batch * shape.height * shape.width * channels;
        self.buffer(shape, channels, values * self.format.storage.bytes())
    }

    /// Adds a buffer that the next step writes, with this many bytes per value of a map.
    fn buffer(&mut self, shape: Shape, channels: usize, bytes: usize) -> MapId {
        self.lifetimes.push(Lifetime {
            len: bytes.div_ceil(UNIT_BYTES),
            first_step: self.steps.len(),
            last_step: self.steps.len(),
        });
        self.maps.push(MapBuffer { shape, stored_channels: channels, offset: 0, bytes });
        self.maps.len() - 1
    }
}
