//! The convolutions that a library computes: which of its algorithms is the fastest on this device.
//!
//! A shape is measured when a session that needs it is opened, while others paint, and the sessions of one
//! device share the result. An algorithm is kept as long as a session uses it; beyond that, the [`MOST_SHAPES`]
//! that were used last are kept, because a prepared algorithm takes up to a tenth of a megabyte of the
//! program's memory. Knows no network. Any thread may call; one thread measures at a time, and a shape that is
//! known needs no waiting.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{
    driver::{
        Algorithm, ConvolutionBuffers, ConvolutionLibrary, DevicePtr, Driver, DriverFailure, Event,
        Queue,
    },
    frame_gaps::{FrameGaps, FrameOnDevice},
};
use crate::{
    backend::RunControl,
    plan::{ConvLayer, cuda::ConvolutionShape},
};

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

/// Shapes that are kept although no session has them: those of a dozen picture sizes.
const MOST_SHAPES: usize = 96;

/// An algorithm that is given back to the library when the last session that uses it is closed.
struct PreparedAlgorithm {
    driver: Arc<dyn Driver>,
    algorithm: Algorithm,
}

impl Drop for PreparedAlgorithm {
    fn drop(&mut self) {
        if let Ok(library) = self.driver.convolution_library() {
            library.forget(self.algorithm);
        }
    }
}

/// The fastest algorithm of a shape, which stays valid as long as this is kept.
#[derive(Clone)]
pub struct Found {
    prepared: Arc<PreparedAlgorithm>,
    /// Bytes of its working memory.
    pub workspace_bytes: usize,
}

impl Found {
    /// The fastest algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.prepared.algorithm
    }
}

/// The library's algorithms on one device.
pub struct Convolutions {
    driver: Arc<dyn Driver>,
    /// Most recently used last.
    found: Mutex<Vec<(ConvolutionShape, Found)>>,
    /// Held by the thread that measures.
    measuring: Mutex<()>,
    gaps: FrameGaps,
}

/// The failure that cuDNN gives for an algorithm that does not exist.
fn unsupported(words: String) -> DriverFailure {
    DriverFailure {
        call: "cudnnBackendFinalize",
        code: 3000,
        words,
    }
}

impl Convolutions {
    /// Nothing is measured yet.
    pub fn new(driver: Arc<dyn Driver>) -> Self {
        Self {
            driver,
            found: Mutex::default(),
            measuring: Mutex::default(),
            gaps: FrameGaps::default(),
        }
    }

    /// Notes that a frame is being painted, until the returned value is dropped: no measurement is launched
    /// meanwhile.
    pub(super) fn frame(&self) -> FrameOnDevice<'_> {
        self.gaps.frame()
    }

    /// Name and version of the library, or why there is none.
    pub fn library(&self) -> Result<String, String> {
        Ok(self.driver.convolution_library()?.name())
    }

    fn found(&self) -> MutexGuard<'_, Vec<(ConvolutionShape, Found)>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The algorithm of a shape that was measured already.
    pub fn known(&self, shape: &ConvolutionShape) -> Option<Found> {
        let mut found = self.found();
        let at = found.iter().position(|(known, _)| known == shape)?;
        found[at..].rotate_left(1);
        found.last().map(|(_, found)| found.clone())
    }

    /// Keeps the algorithm of a shape, and drops the least recently used one.
    fn keep(&self, shape: ConvolutionShape, new: Found) {
        let mut found = self.found();
        let surplus = (found.len() + 1).saturating_sub(MOST_SHAPES);
        let oldest: Vec<_> = found.drain(..surplus).collect();
        found.push((shape, new));
        // Giving algorithms back takes a moment, so the lock is released first.
        drop(found);
        drop(oldest);
    }

    /// The fastest algorithm for a shape; measured if it was not yet in the queues of `driver`, on
    /// memory that is taken for that and given back. `None` when `control` was cancelled before it was
    /// found.
    ///
    /// # Errors
    /// The driver's or the library's failure.
    pub fn fastest(
        &self,
        driver: &dyn Driver,
        shape: &ConvolutionShape,
        control: &RunControl,
    ) -> Result<Option<Found>, DriverFailure> {
        if let Some(known) = self.known(shape) {
            return Ok(Some(known));
        }
        let _alone = (self.measuring.lock()).unwrap_or_else(PoisonError::into_inner);
        // Another thread may have measured it while this one waited.
        if let Some(known) = self.known(shape) {
            return Ok(Some(known));
        }
        if control.is_cancelled() {
            return Ok(None);
        }
        let library = library(driver)?;
        let offered = library.algorithms(shape, &|| control.is_cancelled())?;
        let measured = match control.is_cancelled() {
            true => Ok(None),
            false => measured((driver, &self.gaps), shape, &offered, control),
        };
        let kept = measured.as_ref().ok().copied().flatten();
        for (algorithm, _) in offered {
            if kept.is_none_or(|(fastest, _)| algorithm != fastest) {
                library.forget(algorithm);
            }
        }
        let found = measured?.map(|(algorithm, workspace_bytes)| Found {
            prepared: Arc::new(PreparedAlgorithm {
                driver: self.driver.clone(),
                algorithm,
            }),
            workspace_bytes,
        });
        if let Some(found) = &found {
            self.keep(*shape, found.clone());
        }
        Ok(found)
    }
}

fn library(driver: &dyn Driver) -> Result<&dyn ConvolutionLibrary, DriverFailure> {
    driver.convolution_library().map_err(unsupported)
}

/// Launches a convolution of a shape that was measured, in the queue of `driver`.
///
/// # Safety
/// As [`ConvolutionLibrary::convolve`].
pub unsafe fn convolve(
    driver: &dyn Driver,
    algorithm: Algorithm,
    buffers: &ConvolutionBuffers,
) -> Result<(), DriverFailure> {
    // SAFETY: the caller's promise.
    unsafe { library(driver)?.convolve(algorithm, buffers) }
}

/// The fastest of the offered algorithms that get along with the memory that they may take, and how much that
/// is in bytes; `None` when `control` was cancelled.
fn measured(
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

/// A convolution's weights as a library reads them: (output channel, row, column, input channel), in the
/// type that maps are stored in, zeros where a channel is only stored.
pub fn weights(conv: &ConvLayer, weights: &[f32], shape: &ConvolutionShape) -> Vec<u8> {
    let (side, inputs, outputs) = (conv.kernel, conv.in_channels, conv.out_channels);
    let storage = shape.format.storage;
    let mut packed = Vec::with_capacity(shape.weight_bytes());
    for out in 0..shape.out_channels {
        for tap in 0..side * side {
            for input in 0..shape.in_channels {
                let exists = out < outputs && input < inputs;
                let at = (out * inputs + input) * side * side + tap;
                let value = if exists { weights[at] } else { 0.0 };
                storage.push(&mut packed, value);
            }
        }
    }
    packed
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
        let parts = [
            shape.input_bytes(),
            shape.weight_bytes(),
            shape.output_bytes(),
            workspace_bytes,
        ];
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
        // The first run may load kernels, which takes time, and cannot be done while a graph is recorded.
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

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;
    use crate::{graph::Op, mode::Precision};

    /// A layer from three channels to five, with a kernel of nine pixels.
    fn layer() -> ConvLayer {
        let mut graph = crate::graph::Graph::default();
        let photo = graph.add("photo", "", Op::Photo, &[]).expect("a source");
        let op = Op::Conv2d(crate::graph::Conv::square(3, 5, 9, 1));
        graph.add("conv", "", op, &[photo]).expect("an input");
        ConvLayer::of_graph(&graph).remove(0)
    }

    #[test]
    fn weights_lie_channels_last_with_zeros_where_a_channel_is_only_stored() {
        let conv = &layer();
        let (inputs, outputs, side) = (conv.in_channels, conv.out_channels, conv.kernel);
        let count = outputs * inputs * side * side;
        let plain: Vec<f32> = (1..=count).map(|v| v as f32).collect();
        let shape = ConvolutionShape {
            batch: 1,
            height: 20,
            width: 20,
            in_channels: 4,
            out_channels: 16,
            kernel: side,
            stride: 1,
            format: Precision::Tf32.format(),
        };
        let bytes = weights(conv, &plain, &shape);
        assert_eq!(bytes.len(), shape.weight_bytes());
        let value = |at: usize| f32::from_le_bytes([0, 1, 2, 3].map(|i| bytes[4 * at + i]));
        let mut seen = 0;
        for out in 0..16 {
            for y in 0..side {
                for x in 0..side {
                    for input in 0..4 {
                        let packed = value(((out * side + y) * side + x) * 4 + input);
                        let exists = out < outputs && input < inputs;
                        let at = ((out * inputs + input) * side + y) * side + x;
                        assert_eq!(packed, if exists { plain[at] } else { 0.0 });
                        seen += usize::from(exists);
                    }
                }
            }
        }
        assert_eq!(seen, count);
        let half = ConvolutionShape {
            format: Precision::Fp16.format(),
            ..shape
        };
        let bytes = weights(conv, &plain, &half);
        assert_eq!(bytes.len(), half.weight_bytes());
        let first = half::f16::from_le_bytes([bytes[0], bytes[1]]);
        assert_eq!(first.to_f32(), 1.0);
    }
}
