//! Chains: layers that run one after another in one launch, whose CTAs wait for each other between layers
//! instead of ending.

use std::ops::Range;

use super::{
    CONV_THREADS, ConvLaunch, CudaOp, CudaPlan, CudaStep, DEEP_THREADS, DeviceLimits, MainLoop,
    Source, Taps, Target, Tile, WEIGHT_LOADER_THREADS, tiles::MOST_PARTS,
};
use crate::plan::{ConvLayer, arena::Lifetime};

/// Most layers of a chain: both convolutions of the most residual blocks that a network may have.
pub const MOST_CHAINED: usize = 32;
/// Most CTAs of a group whose statistics a lane merges in the kernels of chains.
pub(super) const MOST_CHAINED_OF_GROUP: usize = 5;
/// Most CTAs of an image in a chain.
const MOST_CHAINED_CTAS: usize = MOST_CHAINED_OF_GROUP * MOST_PARTS;
/// Fewest stages of the weights' ring in a chain, where it goes on from layer to layer: two blocks are in use
/// while a third one is loaded.
pub(super) const FEWEST_STAGES: usize = 3;

impl ConvLaunch {
    /// Whether its kernel takes chains of layers.
    pub const fn takes_chains(&self) -> bool {
        matches!(self.main_loop, MainLoop::Wgmma)
            && matches!(self.taps, Taps::Direct | Taps::FourPhase)
            && self.tile.channels == Tile::CHAIN_CHANNELS
    }

    /// Threads of its CTA.
    pub const fn threads(&self) -> u32 {
        match self.tile {
            Tile::DEEP => DEEP_THREADS,
            _ if self.takes_chains() => CONV_THREADS + WEIGHT_LOADER_THREADS,
            _ => CONV_THREADS,
        }
    }

    /// Whether it may be one of several in a chain.
    fn may_be_chained(&self) -> bool {
        self.takes_chains()
            && self.phases == 1
            && self.stride == 1
            && self.statistics
            && !self.bias
            && self.ctas.1 == 1
            && self.ring_stages >= FEWEST_STAGES
            && matches!(self.target, Target::Map(_))
            && self.source != Source::Photo
    }

    /// Whether it may follow `before` in a chain: it reads the map that `before` writes, and their shapes are
    /// the same, without the padding of their channels too.
    pub(super) fn follows(&self, before: &Self, convs: &[ConvLayer]) -> bool {
        let same_shape =
            Self { conv: self.conv, source: self.source, target: self.target, ..*before };
        self.reads_from(before, convs) && *self == same_shape
    }

    /// Whether it reads the map that `before` writes, and makes one of as many channels, without their padding.
    pub(super) fn reads_from(&self, before: &Self, convs: &[ConvLayer]) -> bool {
        let reads_it = match (self.source, before.target) {
            (Source::Normalised { map, conv, .. }, Target::Map(written)) => {
                map == written && conv == before.conv
            }
            _ => false,
        };
        reads_it && convs[self.conv].out_channels == convs[before.conv].out_channels
    }
}

/// How many of a batch's frames go through a chain of so many CTAs a frame at once; `None`: its layers are better launched one by one, or the
/// device does not hold the CTAs of one frame.
fn chained_frames(batch: usize, ctas: usize, limits: &DeviceLimits) -> Option<usize> {
    let at_once = batch.min(limits.multiprocessors / ctas);
    if at_once == 0 {
        return None;
    }
    // Launched one by one, layers fill the device more evenly, but for that their CTAs load what lay in shared memory.
    let rounds = (batch * ctas).div_ceil(limits.multiprocessors);
    (5 * batch.div_ceil(at_once) <= 6 * rounds).then_some(at_once)
}

/// The steps of every launch: as many as possible of those that may be chained, else one.
///
/// The CTAs of a chain wait for each other, so all have to be on the device at once: one for each
/// multiprocessor, because each takes most of its shared memory. A batch goes through it some frames at a time.
pub(super) fn launches(
    steps: &[CudaStep],
    convs: &[ConvLayer],
    batch: usize,
    limits: &DeviceLimits,
) -> Vec<Range<usize>> {
    let chained = |step: &CudaStep| match step.op {
        CudaOp::Conv(launch)
            if launch.may_be_chained()
                && launch.ctas.0 <= MOST_CHAINED_CTAS
                && chained_frames(batch, launch.ctas.0, limits).is_some() =>
        {
            Some(launch)
        }
        _ => None,
    };
    let mut launches: Vec<Range<usize>> = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        if let (Some(launch), Some(range)) = (chained(step), launches.last_mut())
            && range.len() < MOST_CHAINED
            && chained(&steps[at - 1]).is_some_and(|before| launch.follows(&before, convs))
        {
            range.end = at + 1;
        } else {
            launches.push(at..at + 1);
        }
    }
    launches
}

/// Words in which the CTAs of these chains tell each other the statistics behind the last layer, of all frames that a launch takes at once.
pub(super) fn polled_words(
    launches: &[Range<usize>],
    steps: &[CudaStep],
    batch: usize,
    limits: &DeviceLimits,
) -> usize {
    let of_chain = |range: &Range<usize>| match &steps[range.end - 1].op {
        CudaOp::Conv(last) if range.len() > 1 => {
            let frames = chained_frames(batch, last.ctas.0, limits)?;
            last.may_poll(frames, limits.multiprocessors).then(|| last.polled_words(frames))
        }
        _ => None,
    };
    launches.iter().filter_map(of_chain).max().unwrap_or(0)
}

/// Lets no map of a launch of several steps take another one's place: its CTAs wait for those of the same frame only, and some frames of a batch may go
/// through all of its steps before others do, so that one frame is written by a later step while another one is still read by an earlier step.
pub(super) fn keep_apart(launches: &[Range<usize>], lifetimes: &mut [Lifetime]) {
    for range in launches.iter().filter(|range| range.len() > 1) {
        let last = range.end - 1;
        for map in lifetimes.iter_mut() {
            if map.first_step <= last && map.last_step >= range.start {
                map.first_step = map.first_step.min(range.start);
                map.last_step = map.last_step.max(last);
            }
        }
    }
}

/// Lets every convolution begin at the tiles where the launch before ended: of a map larger than the second-level cache, what was
/// written last still lies there. Everything else goes forwards.
pub(super) fn alternate(launches: &[Range<usize>], steps: &mut [CudaStep]) {
    let mut ended_at_last = false;
    for range in launches {
        let layers = range.len();
        let mut ends = true;
        for (layer, step) in steps[range.clone()].iter_mut().enumerate() {
            if let CudaOp::Conv(launch) = &mut step.op {
                launch.backwards = ended_at_last;
                // Large tiles turn from layer to layer of a chain, and as well where its layers are launched one by one.
                launch.turned = launch.tile == Tile::DEEP && layer % 2 == 1;
                let turns = launch.tile == Tile::DEEP && layers.is_multiple_of(2);
                ends = launch.backwards == turns;
            }
        }
        ended_at_last = ends;
    }
}

/// Bytes through which the CTAs of a launch exchange statistics, for all frames at once, where it is a chain: tag, flags, the CTAs' parts of the
/// statistics, and four copies of what the norm does, 16 bytes for each channel.
pub(super) fn exchange_bytes(
    steps: &[CudaStep],
    launch: &Range<usize>,
    limits: &DeviceLimits,
) -> usize {
    let first = &steps[launch.start];
    let (CudaOp::Conv(conv), true) = (&first.op, launch.len() > 1) else {
        return 0;
    };
    let ctas = conv.ctas.0;
    let frames = chained_frames(first.grid.2 as usize, ctas, limits).unwrap_or(0);
    frames * (256 + (4 * ctas).next_multiple_of(256) + 16 * Tile::CHAIN_CHANNELS * (ctas + 4))
}

impl CudaPlan {
    /// Frames of a batch that a chain of convolutions takes at once; it is launched as often as all of them need. `None` for other steps.
    pub fn frames_at_once(&self, launch: &Range<usize>) -> Option<usize> {
        match &self.steps[launch.start].op {
            CudaOp::Conv(conv) if launch.len() > 1 => {
                chained_frames(self.batch, conv.ctas.0, &self.limits)
            }
            _ => None,
        }
    }

    /// Whether the CTAs of a launch of several convolutions tell each other the statistics behind the last one.
    pub fn polls_together(&self, launch: &Range<usize>) -> bool {
        match (&self.steps[launch.end - 1].op, self.frames_at_once(launch)) {
            (CudaOp::Conv(last), Some(frames)) => {
                last.may_poll(frames, self.limits.multiprocessors)
            }
            _ => false,
        }
    }

    /// Where the exchange of a launch begins, in bytes: what a chain of other CTAs has left there could be taken for a tag.
    pub fn exchange_at(&self, launch: &Range<usize>) -> usize {
        let before = self.launches.iter().filter(|l| l.start < launch.start);
        before.map(|l| exchange_bytes(&self.steps, l, &self.limits)).sum()
    }
}
