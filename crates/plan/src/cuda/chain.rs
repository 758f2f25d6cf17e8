//! Chains: layers that run one after another in one launch. Between layers, the CTAs of the launch wait for each other
//! instead of ending.

use std::ops::Range;

use super::{
    CONV_THREADS, ConvLaunch, CudaOp, CudaPlan, CudaStep, DEEP_THREADS, DeviceLimits, MainLoop,
    Source, Taps, Target, Tile, WEIGHT_LOADER_THREADS, tiles::MAX_PARTS,
};
use crate::{ConvLayer, arena::Lifetime};

/// Maximum number of layers in a chain: two convolutions for each residual block, with the maximum number of blocks.
pub const MAX_CHAINED: usize = 32;
/// Maximum number of CTAs in a group whose statistics one lane merges in the kernels of chains.
pub const MAX_CHAINED_OF_GROUP: usize = 5;
/// Maximum number of CTAs per image in a chain.
const MAX_CHAINED_CTAS: usize = MAX_CHAINED_OF_GROUP * MAX_PARTS;
/// Minimum number of ring stages for the weights of a chain, whose ring continues from layer to layer: two blocks are
/// in use while a third one is loaded.
pub const FEWEST_STAGES: usize = 3;

impl ConvLaunch {
    pub const fn takes_chains(&self) -> bool {
        matches!(self.main_loop, MainLoop::Wgmma)
            && matches!(self.taps, Taps::Direct | Taps::FourPhase)
            && self.tile.channels == Tile::CHAIN_CHANNELS
    }

    /// Threads per CTA.
    pub const fn threads(&self) -> u32 {
        match self.tile {
            Tile::DEEP => DEEP_THREADS,
            _ if self.takes_chains() => CONV_THREADS + WEIGHT_LOADER_THREADS,
            _ => CONV_THREADS,
        }
    }

    /// True if it may be one of several layers in a chain.
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

    /// True if it may follow `before` in a chain. It must read the map that `before` writes, and their shapes must be
    /// equal, also without the padding of their channels.
    pub(super) fn follows(&self, before: &Self, convs: &[ConvLayer]) -> bool {
        let same_shape =
            Self { conv: self.conv, source: self.source, target: self.target, ..*before };
        self.reads_from(before, convs) && *self == same_shape
    }

    /// True if it reads the map that `before` writes and makes a map with the same number of channels, without padding.
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

/// Frames of a batch that pass through a chain of `ctas` CTAs per frame at once. `None` if it is better to launch the
/// layers one by one, or if the CTAs of one frame do not fit on the device at once.
fn chained_frames(batch: usize, ctas: usize, limits: &DeviceLimits) -> Option<usize> {
    let at_once = batch.min(limits.multiprocessors / ctas);
    if at_once == 0 {
        return None;
    }
    // Layers that are launched one by one fill the device more evenly, but their CTAs reload what a chain keeps in
    // shared memory.
    let rounds = (batch * ctas).div_ceil(limits.multiprocessors);
    (5 * batch.div_ceil(at_once) <= 6 * rounds).then_some(at_once)
}

/// The steps of every launch: as many chained steps as possible, otherwise one.
///
/// The CTAs of a chain wait for each other, so all of them must be on the device at once. There is one per
/// multiprocessor, because each uses most of the shared memory. A batch passes through it a few frames at a time.
pub fn launches(
    steps: &[CudaStep],
    convs: &[ConvLayer],
    batch: usize,
    limits: &DeviceLimits,
) -> Vec<Range<usize>> {
    let chained = |step: usize| match steps[step].op {
        CudaOp::Conv(launch)
            if launch.may_be_chained()
                && launch.ctas.0 <= MAX_CHAINED_CTAS
                && chained_frames(batch, launch.ctas.0, limits).is_some() =>
        {
            Some(launch)
        }
        _ => None,
    };
    merged((0..steps.len()).map(|at| at..at + 1), |chain, next| {
        let pair = chained(chain.end - 1).zip(chained(next.start));
        chain.len() < MAX_CHAINED && pair.is_some_and(|(last, next)| next.follows(&last, convs))
    })
}

/// Merges each launch with the one before it if `together` accepts the two.
pub fn merged(
    launches: impl IntoIterator<Item = Range<usize>>,
    together: impl Fn(&Range<usize>, &Range<usize>) -> bool,
) -> Vec<Range<usize>> {
    let mut merged: Vec<Range<usize>> = Vec::new();
    for next in launches {
        match merged.last_mut() {
            Some(last) if together(last, &next) => last.end = next.end,
            _ => merged.push(next),
        }
    }
    merged
}

/// Frames of a batch that a chain of convolutions processes at once. `None` for other steps.
fn frames_at_once(
    steps: &[CudaStep],
    launch: &Range<usize>,
    limits: &DeviceLimits,
) -> Option<usize> {
    let first = &steps[launch.start];
    match &first.op {
        CudaOp::Conv(conv) if launch.len() > 1 => {
            chained_frames(first.grid.2 as usize, conv.ctas.0, limits)
        }
        _ => None,
    }
}

/// Words through which the CTAs of a chain exchange the statistics after the last layer, for all frames that a launch
/// processes at once. `None` if they do not.
fn words_of_chain(
    steps: &[CudaStep],
    launch: &Range<usize>,
    limits: &DeviceLimits,
) -> Option<usize> {
    let frames = frames_at_once(steps, launch, limits)?;
    match &steps[launch.end - 1].op {
        CudaOp::Conv(last) if last.may_poll(frames, limits.multiprocessors) => {
            Some(last.polled_words(frames))
        }
        _ => None,
    }
}

/// The maximum of these words of these launches.
pub fn polled_words(launches: &[Range<usize>], steps: &[CudaStep], limits: &DeviceLimits) -> usize {
    let words = launches.iter().filter_map(|launch| words_of_chain(steps, launch, limits));
    words.max().unwrap_or(0)
}

/// Prevents the maps of a launch of several steps from sharing memory. CTAs only wait for those of the same frame. Some
/// frames of a batch may therefore complete all steps before other frames, so a later step may write one frame while an
/// earlier step still reads another.
pub fn keep_apart(launches: &[Range<usize>], lifetimes: &mut [Lifetime]) {
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

/// Makes every convolution start at the tiles where the previous launch ended. If a map is larger than the second-level
/// cache, the part written last is still in the cache. Everything else runs forwards.
pub fn alternate(launches: &[Range<usize>], steps: &mut [CudaStep]) {
    let mut ended_at_last = false;
    for range in launches {
        let layers = range.len();
        let mut ends = true;
        for (layer, step) in steps[range.clone()].iter_mut().enumerate() {
            if let CudaOp::Conv(launch) = &mut step.op {
                launch.backwards = ended_at_last;
                // Large tiles alternate from layer to layer of a chain, and also if its layers are launched one by one.
                launch.turned = launch.tile == Tile::DEEP && layer % 2 == 1;
                let turns = launch.tile == Tile::DEEP && layers.is_multiple_of(2);
                ends = launch.backwards == turns;
            }
        }
        ended_at_last = ends;
    }
}

/// Bytes through which the CTAs of a chain exchange statistics, for all frames at once: tag, flags, the CTAs' parts of
/// the statistics, and four copies of the norm's factors, 16 bytes for each channel.
pub fn exchange_bytes(steps: &[CudaStep], launch: &Range<usize>, limits: &DeviceLimits) -> usize {
    let frames = frames_at_once(steps, launch, limits).unwrap_or(0);
    let ctas = steps[launch.start].grid.0 as usize;
    frames * (256 + (4 * ctas).next_multiple_of(256) + 16 * Tile::CHAIN_CHANNELS * (ctas + 4))
}

impl CudaPlan {
    /// Frames of a batch that a chain of convolutions processes at once. The chain is launched repeatedly until all
    /// frames are done. `None` for other steps.
    pub fn frames_at_once(&self, launch: &Range<usize>) -> Option<usize> {
        frames_at_once(&self.steps, launch, &self.limits)
    }

    /// True if the CTAs of a launch of several convolutions exchange the statistics after the last one.
    pub fn polls_together(&self, launch: &Range<usize>) -> bool {
        words_of_chain(&self.steps, launch, &self.limits).is_some()
    }

    /// Offset of the exchange area of a launch, in bytes. Chains with different CTAs use different areas, because
    /// values left by another chain could be mistaken for a tag.
    pub fn exchange_at(&self, launch: &Range<usize>) -> usize {
        self.launches
            .iter()
            .filter(|l| l.start < launch.start)
            .map(|l| exchange_bytes(&self.steps, l, &self.limits))
            .sum()
    }
}
