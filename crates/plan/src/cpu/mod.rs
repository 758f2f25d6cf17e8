//! The CPU backend's plans: the algorithm of each layer, and its buffers.
//!
//! Maps are stored channels-last (NHWC), with channels padded with zeros to a multiple of [`CHANNEL_ALIGNMENT`]. The
//! kernel columns of one row are therefore one contiguous segment, and every vector is full. The picture is an
//! exception: it has three unpadded channels (but in a [general] plan it is stored like all maps). Work is cut into
//! strips (rows of one task) and tiles (columns of one task).

mod blocks;
mod collector;
pub mod general;
mod operations;
mod staging;
mod steps;

use super::{ConvLayer, Grouped, Nodes, PlanError, PlanSummary, arena};
use network::graph::{Graph, Op, fusion::Violation};
use values::{
    mode::{Mode, Precision, Variant},
    tensor::Shape,
};

pub use blocks::{BlockTasks, Blocks};
use collector::Collector;
use general::{GeneralBuilder, GeneralOp, GeneralParts};
pub use operations::{Algorithm, ConvId, CpuOp, Step, TileKind};
pub use staging::Staging;
use steps::Builder;

/// Stored channels are a multiple of this: one cache line of f32, the widest vector.
pub const CHANNEL_ALIGNMENT: usize = 16;
/// Adjacent output columns that one task computes.
pub const TILE_COLUMNS: usize = 96;
/// Number of pixels by which the last register tile may run past the end of a row.
pub const TILE_SLACK: usize = 12;
/// Columns of the widest panel of packed weights: two vectors of sixteen lanes.
pub const PANEL_COLUMNS: usize = 32;
/// Output tiles that one Winograd task computes together.
pub const WINOGRAD_TILES: usize = 24;

/// Values from one point to the next, for `tiles` tiles of `channels` values each: one cache line more than the tiles
/// need. A tile's points are written and read together. Without the extra line, they would fall into the same few sets
/// of the first-level cache.
pub const fn point_len(tiles: usize, channels: usize) -> usize {
    tiles * channels + CHANNEL_ALIGNMENT
}

/// Upper bound of a session's memory other than values: its plan and the queues of its workers.
const BOOKKEEPING_BYTES: u64 = 1 << 16;
/// Values of one transformed Winograd tile of 4 x 4 outputs: 6 x 6.
pub const WINOGRAD_POINTS: usize = 36;
/// Values of one transformed tile of 3 x 3 outputs at stride 2: 7 x 7.
pub const STRIDED_POINTS: usize = 49;

/// Channels as stored: padded with zeros.
pub const fn padded_channels(channels: usize) -> usize {
    channels.next_multiple_of(CHANNEL_ALIGNMENT)
}

/// Output rows of one task: few enough that small maps keep many cores busy, and enough that the additional rows staged
/// for the halo remain a small share.
pub const fn strip_rows(map_height: usize) -> usize {
    if map_height >= 256 { 16 } else { 8 }
}

/// Tasks that compute a map of this many rows and columns: strips of rows over tiles of columns.
pub const fn strips((height, width): (usize, usize)) -> usize {
    height.div_ceil(strip_rows(height)) * width.div_ceil(TILE_COLUMNS)
}

/// Index of a map in [`CpuPlan::maps`].
pub type MapId = usize;

/// A map in the arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapBuffer {
    /// Without padding channels.
    pub shape: Shape,
    pub stored_channels: usize,
    /// First element in the arena.
    pub offset: usize,
}

impl MapBuffer {
    /// Elements as stored.
    pub const fn len(&self) -> usize {
        self.shape.height * self.shape.width * self.stored_channels
    }

    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The variants that the CPU supports: in single precision one pass per operation, or everything folded into the
/// convolutions; and the latter with byte products. There is no `fused-norm`, because `fused` already includes the gain
/// of a single pass for a whole norm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CpuVariant {
    /// [`Variant::Baseline`]
    Baseline,
    /// [`Variant::Fused`]
    Fused,
    /// [`Variant::Fused`] in [`Precision::Int8`]
    FusedInt8,
}

impl CpuVariant {
    pub const ALL: [Self; 3] = [Self::Baseline, Self::Fused, Self::FusedInt8];

    /// The variant for a mode; `None` if the CPU does not support the mode.
    pub const fn of(mode: Mode) -> Option<Self> {
        match (mode.variant, mode.precision) {
            (Variant::Baseline, Precision::Fp32) => Some(Self::Baseline),
            (Variant::Fused, Precision::Fp32) => Some(Self::Fused),
            (Variant::Fused, Precision::Int8) => Some(Self::FusedInt8),
            _ => None,
        }
    }

    pub const fn mode(self) -> Mode {
        match self {
            Self::Baseline => Mode::new(Variant::Baseline, Precision::Fp32),
            Self::Fused => Mode::new(Variant::Fused, Precision::Fp32),
            Self::FusedInt8 => Mode::new(Variant::Fused, Precision::Int8),
        }
    }

    /// The algorithm of a layer, given the layers of its network.
    ///
    /// Winograd's algorithms spread the rounding error of a pixel over its tile. After 1x1 convolutions, a channel may
    /// contain nothing but a single bright pixel on a uniform background, because they do not mix it with other pixels.
    /// Every norm amplifies its error by up to 1 / sqrt(eps) = 316. Networks with 1x1 convolutions are therefore
    /// convolved directly.
    pub fn algorithm(self, network: &[ConvLayer], conv: &ConvLayer) -> Algorithm {
        // Winograd's sums of inputs and of weights need more bits than a byte has.
        let may_spread = self == Self::Fused && network.iter().all(|conv| conv.kernel > 1);
        match (may_spread, conv.kernel, conv.stride, conv.upsample) {
            _ if self == Self::Baseline => Algorithm::Direct,
            (true, ..) if Blocks::of(conv).is_some() => Algorithm::BlockedWinograd,
            _ if conv.makes_picture => Algorithm::ShiftedColumns,
            (true, 3, 1, true) if !conv.reads_photo => Algorithm::Winograd(TileKind::Doubled),
            (_, 3, 1, true) => Algorithm::FourPhase,
            (true, 3, 1, false) if !conv.reads_photo => Algorithm::Winograd(TileKind::Plain),
            (true, 3, 2, false) if !conv.reads_photo => Algorithm::Winograd(TileKind::Strided),
            _ => Algorithm::Direct,
        }
    }

    /// Channels of a convolution's input for which its weights are packed. The picture is not padded, but bytes are
    /// multiplied in groups of four.
    pub fn packed_inputs(self, conv: &ConvLayer) -> usize {
        match self {
            Self::FusedInt8 if conv.reads_photo => stored_inputs(conv).next_multiple_of(4),
            _ => stored_inputs(conv),
        }
    }
}

/// The CPU backend's complete plan for one network, picture size and variant.
#[derive(Clone, Debug, PartialEq)]
pub struct CpuPlan {
    pub variant: CpuVariant,
    /// Rows and columns, in pixels.
    pub photo: (usize, usize),
    /// Rows and columns after short sides are extended, in pixels.
    pub extended: (usize, usize),
    /// The specialised kernels do not compute the network.
    pub is_general: bool,
    /// The network's convolutions; empty for a general plan.
    pub convs: Vec<ConvLayer>,
    /// What a general plan keeps of the network; empty for any other plan.
    pub general: GeneralParts,
    /// In execution order.
    pub steps: Vec<Step>,
    /// The maps, placed in the arena.
    pub maps: Vec<MapBuffer>,
    /// In f32.
    pub arena_len: usize,
    /// Scratch of one worker thread, in f32.
    pub scratch_len: usize,
    /// Packed weights, in f32, approximately.
    pub weights_len: usize,
}

impl CpuPlan {
    /// Plans `graph` on a photo of `height` x `width` pixels.
    ///
    /// # Errors
    /// [`PlanError`] if the CPU has no kernels for the network.
    pub fn new(
        graph: &Graph,
        height: usize,
        width: usize,
        variant: CpuVariant,
    ) -> Result<Self, PlanError> {
        let (extended, shapes) = graph.for_photo(height, width).map_err(PlanError::from)?;
        let nodes = Nodes::new(graph, shapes);
        let grouped = match Grouped::new(&nodes, variant.mode().variant) {
            Err(PlanError::Grouping(Violation::TooOften)) => None,
            grouped => Some(grouped?),
        };
        let specialised = grouped.as_ref().and_then(|of| specialised(of, variant));
        let is_general = specialised.is_none();
        let (mut convs, mut general) = (Vec::new(), GeneralParts::default());
        let (collected, weights_len) = if let Some(Builder { grouped, collected, .. }) = specialised
        {
            convs = grouped.convs.clone();
            (collected, convs.iter().map(packed_len).sum())
        } else {
            if variant == CpuVariant::FusedInt8 {
                return Err(PlanError::NoInt8);
            }
            let builder = GeneralBuilder::plan(&nodes, variant == CpuVariant::Fused)?;
            general = builder.parts;
            (builder.collected, general.weights_len())
        };
        let Collector { steps, mut maps, lifetimes, scratch_len } = collected;
        let (offsets, arena_len) = arena::place(&lifetimes);
        for (map, offset) in maps.iter_mut().zip(offsets) {
            map.offset = offset;
        }
        // Kernels access maps by address.
        let is_inside = |map: &MapBuffer| map.offset + map.len() <= arena_len;
        assert!(maps.iter().all(is_inside), "maps inside their arena");
        Ok(Self {
            variant,
            photo: (height, width),
            extended,
            is_general,
            convs,
            general,
            steps,
            maps,
            arena_len,
            scratch_len,
            weights_len,
        })
    }

    /// The maps that are passed in, in order; empty if the network reads a photo.
    pub fn inputs(&self) -> Vec<Shape> {
        let is_input = |step: &&Step| {
            matches!(step.op, CpuOp::General(GeneralOp::Node { op: Op::Input { .. }, .. }))
        };
        self.steps.iter().filter(is_input).map(|step| step.output).collect()
    }

    /// Upper bound of the statistics of a step's tasks, in f32: count, mean and squared distances, and for bytes also
    /// the extremes. A general plan keeps them in a map.
    pub fn statistics_len(&self) -> usize {
        if self.is_general {
            return 0;
        }
        let values = if self.variant == CpuVariant::FusedInt8 { 4 } else { 2 };
        let of = |map: &MapBuffer| {
            let Shape { height, width, .. } = map.shape;
            let strips = strips((height, width));
            let tiles = height.div_ceil(3) * width.div_ceil(3);
            let tasks = strips.max(tiles.div_ceil(WINOGRAD_TILES));
            tasks * (1 + values * map.stored_channels)
        };
        self.maps.iter().map(of).max().unwrap_or(0)
    }

    /// Floating-point operations of one run.
    pub fn flops(&self) -> u64 {
        self.steps.iter().fold(0, |sum, step| sum.saturating_add(step.flops))
    }

    /// The plan's summary for a backend with `threads` workers.
    pub fn summary(&self, threads: usize) -> PlanSummary {
        let (height, width) = self.photo;
        let running = self.arena_len + self.scratch_len * threads + self.statistics_len();
        let floats =
            self.weights_len + self.convs.iter().map(channel_values).sum::<usize>() + running;
        // A general plan may have thousands of steps.
        let steps = if self.is_general { self.steps.len() } else { 0 };
        let own_bytes = self.general.description_bytes(steps);
        // The photo and the painting as bytes, and the extended photo if there is one.
        let pictures = 4 * (2 * height * width + self.extended.0 * self.extended.1);
        PlanSummary {
            steps: self.steps.iter().map(|s| (s.layer.clone(), s.kernel.clone())).collect(),
            flops: self.flops(),
            peak_bytes: 4 * floats as u64 + pictures as u64 + BOOKKEEPING_BYTES + own_bytes,
            ..PlanSummary::without_steps(self.variant.mode(), 1, (width, height))
        }
    }
}

/// The plan of a network that consists of the specialised kernels' patterns; `None` for any other network.
fn specialised<'a>(grouped: &'a Grouped<'a>, variant: CpuVariant) -> Option<Builder<'a>> {
    let mut builder = Builder::new(grouped, variant);
    for group in &grouped.groups {
        match variant {
            CpuVariant::Baseline => builder.plan_single(group)?,
            CpuVariant::Fused | CpuVariant::FusedInt8 => builder.plan_fused(group)?,
        }
    }
    Some(builder)
}

/// Values that a session keeps for the channels of a convolution: bias, scale, shift.
fn channel_values(conv: &ConvLayer) -> usize {
    3 * padded_channels(conv.out_channels)
}

/// Upper bound of a convolution's packed weights over all algorithms, in f32.
fn packed_len(conv: &ConvLayer) -> usize {
    let inputs = padded_channels(conv.in_channels);
    let outputs = padded_channels(conv.out_channels).next_multiple_of(PANEL_COLUMNS);
    let taps = (conv.kernel * conv.kernel).max(WINOGRAD_POINTS);
    taps * inputs * outputs
}

/// Channels of a convolution's input as stored. The picture is not padded.
pub fn stored_inputs(conv: &ConvLayer) -> usize {
    if conv.reads_photo { 3 } else { padded_channels(conv.in_channels) }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Source;
    use network::{
        graph::SizeRule,
        models::johnson::{Kernels, NetworkSpec},
    };

    fn published() -> Graph {
        NetworkSpec::with_widths([32, 64, 128]).graph().expect("a graph")
    }

    /// A node that only restricts the photo's size copies nothing, unless the photo itself is read as well.
    #[test]
    fn sizes_need_no_step() {
        for reads_photo_too in [false, true] {
            let mut graph = Graph::default();
            let mut add =
                |name, op, inputs: &[usize]| graph.add(name, "", op, inputs).expect("a node");
            let photo = add("photo", Op::Photo, &[]);
            let sized = add("size", Op::Sized(SizeRule::MultipleOf(4)), &[photo]);
            let relu = add("relu", Op::Relu, &[sized]);
            let other = if reads_photo_too { photo } else { sized };
            let sum = add("sum", Op::Add, &[relu, other]);
            add("picture", Op::Picture, &[sum]);
            let plan = CpuPlan::new(&graph, 8, 12, CpuVariant::Fused).expect("a plan");
            let copies = plan.steps.iter().filter(|step| step.kernel == "size").count();
            assert_eq!(copies, usize::from(reads_photo_too));
        }
    }

    #[test]
    fn fused_plan_of_the_published_network() {
        let plan = CpuPlan::new(&published(), 512, 512, CpuVariant::Fused).expect("a plan");
        assert_eq!(plan.steps.len(), 16);
        let winograd = plan.steps.iter().filter(|s| s.kernel == "winograd 4x4").count();
        assert_eq!(winograd, 10);
        let gflop = plan.summary(1).flops as f64 / 1e9;
        assert!((gflop - 80.6).abs() < 0.1, "{gflop}");
    }

    #[test]
    fn baseline_has_a_pass_for_every_operation() {
        let plan = CpuPlan::new(&published(), 64, 64, CpuVariant::Baseline).expect("a plan");
        let count = |kernel: &str| plan.steps.iter().filter(|s| s.kernel == kernel).count();
        assert_eq!(
            (count("pad"), count("im2col"), count("relu"), count("add"), count("upsample")),
            (16, 16, 10, 5, 2)
        );
        let fused = CpuPlan::new(&published(), 64, 64, CpuVariant::Fused).expect("a plan");
        assert_eq!(plan.summary(1).flops, fused.summary(1).flops);
    }

    #[test]
    fn sixteen_megapixels_fit_four_gigabytes() {
        let plan = CpuPlan::new(&published(), 4000, 4000, CpuVariant::Fused).expect("a plan");
        let bytes = plan.summary(16).peak_bytes;
        assert!(bytes < 4_000_000_000, "{bytes}");
    }

    proptest! {
        #[test]
        fn maps_that_live_together_do_not_overlap(
            widths in (1usize..40, 1usize..40, 1usize..40),
            blocks in 1usize..4,
            first in 0usize..4,
            height in 1usize..90,
            width in 1usize..90,
            fused in any::<bool>(),
        ) {
            let spec = NetworkSpec {
                widths: [widths.0, widths.1, widths.2],
                blocks,
                kernels: Kernels { first: 2 * first + 1, ..Kernels::default() },
            };
            let variant = if fused { CpuVariant::Fused } else { CpuVariant::Baseline };
            let graph = spec.graph().expect("a graph");
            let plan = CpuPlan::new(&graph, height, width, variant).expect("a plan");
            for step in &plan.steps {
                let (reads, writes) = touched(&step.op);
                for &w in &writes {
                    let a = &plan.maps[w];
                    prop_assert!(a.offset + a.len() <= plan.arena_len);
                    for &r in reads.iter().chain(&writes).filter(|&&r| r != w) {
                        let c = &plan.maps[r];
                        prop_assert!(
                            a.offset + a.len() <= c.offset || c.offset + c.len() <= a.offset,
                            "{:?} overlaps its input", step
                        );
                    }
                }
            }
        }
    }

    /// Maps that an operation reads, and maps that it writes.
    fn touched(op: &CpuOp) -> (Vec<MapId>, Vec<MapId>) {
        match *op {
            CpuOp::General(GeneralOp::Node { op: Op::Picture, ref from, .. }) => {
                (from.clone(), vec![])
            }
            CpuOp::General(GeneralOp::Node { ref from, to, .. }) => (from.clone(), vec![to]),
            CpuOp::General(GeneralOp::Pointwise { to, ref chain, .. }) => {
                (chain.iter().filter_map(|pass| pass.operand).collect(), vec![to])
            }
            CpuOp::General(_) => unreachable!("Johnson's network has kernels of its own"),
            CpuOp::Im2col { from, to, .. } => (vec![from], vec![to]),
            CpuOp::Statistics { map, .. } => (vec![map], vec![]),
            CpuOp::Normalise { map, .. } => (vec![], vec![map]),
            CpuOp::Fused { source, to, .. } => {
                let (mut reads, mut writes) = (vec![], Vec::from_iter(to));
                if let Source::Normalised { map, skip, keep, .. } = source {
                    reads.push(map);
                    reads.extend(skip);
                    writes.extend(keep);
                }
                (reads, writes)
            }
        }
    }
}
