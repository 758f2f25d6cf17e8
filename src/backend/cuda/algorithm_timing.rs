//! Times the algorithms that a library offers for a convolution, between the frames that others paint.
//!
//! Each works on memory that is taken for that and given back. Knows no network, and keeps nothing. Belongs to the
//! thread that searches.

use super::{
    driver::{
        Algorithm, ConvolutionBuffers, ConvolutionLibrary, DevicePtr, Driver, DriverFailure, Event,
        Queue,
    },
    frame_gaps::FrameGaps,
};
use crate::{backend::RunControl, plan::cuda::ConvolutionShape};

/// Runs that are timed together, in one graph, so that the time to launch them does not count.
const RUNS: usize = 6;
/// A graph of runs (a slice) takes no longer than this, unless a single run does, in milliseconds: frames that
/// are painted meanwhile share the device.
const SLICE_MS: f32 = 6.0;
/// Slices that are timed; the fastest counts.
const SLICES: usize = 3;
/// An algorithm whose single run takes so many times as long as the fastest is not timed any further.
const HOPELESS_FACTOR: f32 = 3.0;
/// Single runs of an algorithm before it is given up by [`HOPELESS_FACTOR`], because a frame may have delayed
/// one; beyond twice that factor, one run is enough.
const TRIES: usize = 3;
/// Milliseconds that a single run may take longer because it is launched by itself.
const LAUNCH_MS: f32 = 0.1;
/// Parts of the memory that is measured on start at multiples of this.
const ALIGNMENT_BYTES: usize = 256;

/// The fastest of the offered algorithms that get along with the memory that they may take, and how much that
/// is in bytes; `None` when `control` was cancelled.
pub(super) fn fastest_of(
    (driver, gaps): (&dyn Driver, &FrameGaps),
    shape: &ConvolutionShape,
    offered: &[(Algorithm, usize)],
    control: &RunControl,
) -> Result<Option<(Algorithm, usize)>, DriverFailure> {
    let library = library(driver)?;
    let most = shape.most_workspace_bytes();
    let modest = || offered.iter().copied().filter(|&(_, bytes)| bytes <= most);
    let workspace = modest().map(|(_, bytes)| bytes).max().unwrap_or(0);
    let scratch = Scratch::take(driver, gaps, shape, workspace)?;
    let mut fastest: Option<(f32, (Algorithm, usize))> = None;
    for (algorithm, workspace_bytes) in modest() {
        if control.is_cancelled() {
            return Ok(None);
        }
        let least = fastest.as_ref().map_or(f32::INFINITY, |(ms, _)| *ms);
        let ms = match scratch.time(library, algorithm, least) {
            Ok(ms) => ms,
            // An algorithm that the library cannot run here is no candidate.
            Err(f) if f.is_of_library() && !f.is_lost() && !f.is_out_of_memory() => continue,
            Err(failure) => return Err(failure),
        };
        if ms < least {
            fastest = Some((ms, (algorithm, workspace_bytes)));
        }
    }
    let found = fastest.map(|(_, found)| Some(found));
    found.ok_or_else(|| {
        let k = shape.kernel;
        unsupported(format!(
            "no algorithm for a {k}x{k} kernel, {} to {} channels, {} x {} pixels in {}",
            shape.in_channels, shape.out_channels, shape.width, shape.height, shape.format.operand
        ))
    })
}

/// Memory and events to measure one shape with; given back when dropped.
struct Scratch<'a> {
    driver: &'a dyn Driver,
    gaps: &'a FrameGaps,
    memory: DevicePtr,
    buffers: ConvolutionBuffers,
    events: Vec<Event>,
}

impl<'a> Scratch<'a> {
    fn take(
        driver: &'a dyn Driver,
        gaps: &'a FrameGaps,
        shape: &ConvolutionShape,
        workspace_bytes: usize,
    ) -> Result<Self, DriverFailure> {
        let parts =
            [shape.input_bytes(), shape.weight_bytes(), shape.output_bytes(), workspace_bytes];
        let mut total = 0;
        let [input, weights, output, workspace] = parts.map(|bytes| {
            let offset = total;
            total = (offset + bytes).next_multiple_of(ALIGNMENT_BYTES);
            offset
        });
        let memory = driver.allocate(total)?;
        // From here on `drop` gives back what was taken.
        let mut scratch = Self {
            driver,
            gaps,
            memory,
            buffers: ConvolutionBuffers {
                input: memory.at(input),
                weights: memory.at(weights),
                output: memory.at(output),
                workspace: memory.at(workspace),
            },
            events: Vec::new(),
        };
        driver.clear(memory, total)?;
        for _ in 0..2 {
            scratch.events.push(driver.event()?);
        }
        Ok(scratch)
    }

    /// Milliseconds of a run, the least of several slices; infinite for an algorithm that has no hope to
    /// be faster than `least_ms`.
    fn time(
        &self,
        library: &dyn ConvolutionLibrary,
        algorithm: Algorithm,
        least_ms: f32,
    ) -> Result<f32, DriverFailure> {
        let run = || {
            // SAFETY: the buffers were cut for this shape and the largest workspace, and this waits
            // before the memory is given back.
            unsafe { library.convolve(algorithm, &self.buffers) }
        };
        // The first run may load kernels, which takes time and cannot be recorded.
        self.gaps.wait_for_gap();
        let loaded = run();
        // Waits after a failure too: the next algorithm works on the same memory.
        let waited = self.driver.wait();
        loaded.and(waited)?;
        let hopeless_ms = HOPELESS_FACTOR * least_ms + LAUNCH_MS;
        let mut once_ms = f32::INFINITY;
        for _ in 0..TRIES {
            once_ms = once_ms.min(self.slice(run)?);
            if once_ms <= hopeless_ms || once_ms > 2.0 * hopeless_ms {
                break;
            }
        }
        if once_ms > hopeless_ms {
            return Ok(f32::INFINITY);
        }
        let runs = ((SLICE_MS / once_ms.max(f32::MIN_POSITIVE)) as usize).clamp(1, RUNS);
        if runs == 1 {
            return (0..SLICES).try_fold(once_ms, |least, _| Ok(least.min(self.slice(run)?)));
        }
        self.driver.begin_recording()?;
        let recorded = (0..runs).try_for_each(|_| run());
        // Ends the recording after a failure too, or the stream could not be used any more.
        let graph = self.driver.end_recording()?;
        let ms = recorded.and_then(|()| {
            let replay = || self.slice(|| self.driver.replay(graph));
            // The first replay brings the graph onto the device.
            replay()?;
            (0..SLICES).try_fold(f32::INFINITY, |least, _| Ok(least.min(replay()?)))
        });
        self.driver.free_graph(graph);
        Ok(ms? / runs as f32)
    }

    /// Milliseconds of `launch`, which is started between two frames.
    fn slice(
        &self,
        launch: impl FnOnce() -> Result<(), DriverFailure>,
    ) -> Result<f32, DriverFailure> {
        let [from, to] = self.events[..] else {
            return Ok(f32::INFINITY);
        };
        self.gaps.wait_for_gap();
        let launched = self.driver.record(from, Queue::Painting).and_then(|()| {
            launch()?;
            self.driver.record(to, Queue::Painting)
        });
        let waited = self.driver.wait();
        launched.and(waited)?;
        self.driver.elapsed_ms(from, to)
    }
}

impl Drop for Scratch<'_> {
    fn drop(&mut self) {
        for &event in &self.events {
            self.driver.free_event(event);
        }
        self.driver.free(self.memory);
    }
}

/// The failure that cuDNN gives for an algorithm that does not exist.
pub(super) fn unsupported(words: String) -> DriverFailure {
    DriverFailure { call: "cudnnBackendFinalize", code: 3000, words }
}

/// The library on a device, or why there is none as a failure.
pub(super) fn library(driver: &dyn Driver) -> Result<&dyn ConvolutionLibrary, DriverFailure> {
    driver.convolution_library().map_err(unsupported)
}
