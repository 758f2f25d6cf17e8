//! The convolutions that a library computes: which of its algorithms is the fastest on this device.
//!
//! A shape is searched once, when the first session that needs it is opened, while others paint; the sessions
//! of one device share the result. Two things are kept of a search. The prepared algorithm takes up to a tenth
//! of a megabyte of the program's memory: it is kept as long as a session uses it, and beyond that among the
//! [`MOST_PREPARED`] that were used last. Its engine and knobs are a few numbers: they are kept for
//! [`MOST_SEARCHED`] shapes, and an algorithm that was given back is prepared again by them, the same one
//! without a search. Knows no network. Any thread may call; one thread searches at a time, and a shape that was
//! searched needs no waiting.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{
    algorithm_timing::{fastest_of, library},
    driver::{Algorithm, ConvolutionBuffers, Driver, DriverFailure, EngineConfig},
    frame_gaps::{FrameGaps, FrameOnDevice},
};
use crate::{
    backend::RunControl,
    plan::{ConvLayer, cuda::ConvolutionShape},
};

/// Algorithms that stay prepared although no session uses them: those of four picture sizes, for a person who
/// goes back and forth.
const MOST_PREPARED: usize = 32;
/// Shapes whose fastest algorithm is remembered, in some twenty megabytes at most: those of thousands of picture
/// sizes.
const MOST_SEARCHED: usize = 1 << 16;

/// An algorithm that is given back to the library when the last session that uses it is closed.
struct PreparedAlgorithm {
    driver: Arc<dyn Driver>,
    algorithm: Algorithm,
    /// Whether it ran already.
    has_run: AtomicBool,
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

    /// Whether it ran already. Its first run loads kernels, which cannot be done while launches are recorded.
    pub(super) fn has_run(&self) -> bool {
        self.prepared.has_run.load(Ordering::Relaxed)
    }

    /// Notes that it ran.
    pub(super) fn note_run(&self) {
        self.prepared.has_run.store(true, Ordering::Relaxed);
    }
}

/// The shapes that were searched.
#[derive(Default)]
struct Shapes {
    /// Those whose algorithm is prepared; most recently used last.
    prepared: Vec<(ConvolutionShape, Found)>,
    /// How the fastest algorithm of each is prepared again.
    searched: HashMap<ConvolutionShape, EngineConfig>,
}

/// The library's algorithms on one device.
pub struct Convolutions {
    driver: Arc<dyn Driver>,
    shapes: Mutex<Shapes>,
    /// Held by the thread that measures.
    measuring: Mutex<()>,
    gaps: FrameGaps,
}

impl Convolutions {
    /// Nothing is measured yet.
    pub fn new(driver: Arc<dyn Driver>) -> Self {
        Self {
            driver,
            shapes: Mutex::default(),
            measuring: Mutex::default(),
            gaps: FrameGaps::default(),
        }
    }

    /// Notes that a frame is being painted, until the returned value is dropped: no measurement is launched
    /// meanwhile.
    pub(super) fn frame(&self) -> FrameOnDevice<'_> {
        self.gaps.frame()
    }

    /// Waits a bounded time until no frame is on the device.
    pub(super) fn wait_for_gap(&self) {
        self.gaps.wait_for_gap();
    }

    /// Name and version of the library, or why there is none.
    pub fn library(&self) -> Result<String, String> {
        Ok(self.driver.convolution_library()?.name())
    }

    fn shapes(&self) -> MutexGuard<'_, Shapes> {
        self.shapes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the shape's algorithm is there without a search.
    pub fn is_searched(&self, shape: &ConvolutionShape) -> bool {
        let shapes = self.shapes();
        let is_prepared = shapes.prepared.iter().any(|(known, _)| known == shape);
        is_prepared || shapes.searched.contains_key(shape)
    }

    /// The algorithm of a shape, if it is prepared.
    fn prepared(&self, shape: &ConvolutionShape) -> Option<Found> {
        let prepared = &mut self.shapes().prepared;
        let at = prepared.iter().position(|(known, _)| known == shape)?;
        prepared[at..].rotate_left(1);
        prepared.last().map(|(_, found)| found.clone())
    }

    /// Prepares the algorithm of a shape that was searched. `None` for any other shape, and where that fails:
    /// then the shape counts as never searched.
    fn prepared_again(&self, driver: &dyn Driver, shape: &ConvolutionShape) -> Option<Found> {
        let config = self.shapes().searched.get(shape).cloned()?;
        match library(driver).and_then(|library| library.prepare(shape, &config)) {
            Ok(prepared) => Some(self.keep(*shape, prepared, false)),
            // The search says what is wrong, if it still is.
            Err(_) => {
                self.shapes().searched.remove(shape);
                None
            }
        }
    }

    /// Keeps the prepared algorithm of a shape, and drops the least recently used one.
    fn keep(
        &self,
        shape: ConvolutionShape,
        (algorithm, workspace_bytes): (Algorithm, usize),
        has_run: bool,
    ) -> Found {
        let found = Found {
            prepared: Arc::new(PreparedAlgorithm {
                driver: self.driver.clone(),
                algorithm,
                has_run: AtomicBool::new(has_run),
            }),
            workspace_bytes,
        };
        let mut shapes = self.shapes();
        let prepared = &mut shapes.prepared;
        // Another thread may have prepared the same one meanwhile.
        let same = prepared.iter().position(|(known, _)| *known == shape);
        let oldest = (prepared.len() >= MOST_PREPARED).then_some(0);
        let surplus = same.or(oldest).map(|at| prepared.remove(at));
        prepared.push((shape, found.clone()));
        // Giving an algorithm back takes a moment, so the lock is released first.
        drop(shapes);
        drop(surplus);
        found
    }

    /// Remembers how the fastest algorithm of a shape is prepared again.
    fn remember(&self, shape: ConvolutionShape, config: EngineConfig) {
        let searched = &mut self.shapes().searched;
        if searched.len() >= MOST_SEARCHED {
            // Rare enough: each took a search.
            searched.clear();
        }
        searched.insert(shape, config);
    }

    /// The fastest algorithm for a shape; prepared again if it was found before, else searched in the queues of
    /// `driver`, on memory that is taken for that and given back. `None` when `control` was cancelled before it
    /// was found.
    ///
    /// # Errors
    /// The driver's or the library's failure.
    pub fn fastest(
        &self,
        driver: &dyn Driver,
        shape: &ConvolutionShape,
        control: &RunControl,
    ) -> Result<Option<Found>, DriverFailure> {
        let without_search = || {
            let prepared = self.prepared(shape);
            prepared.or_else(|| self.prepared_again(driver, shape))
        };
        if let Some(found) = without_search() {
            return Ok(Some(found));
        }
        let _alone = (self.measuring.lock()).unwrap_or_else(PoisonError::into_inner);
        // Another thread may have searched it while this one waited.
        if let Some(found) = without_search() {
            return Ok(Some(found));
        }
        if control.is_cancelled() {
            return Ok(None);
        }
        let library = library(driver)?;
        let offered = library.algorithms(shape, &|| control.is_cancelled())?;
        let measured = match control.is_cancelled() {
            true => Ok(None),
            false => fastest_of((driver, &self.gaps), shape, &offered, control),
        };
        let fastest = measured.as_ref().ok().copied().flatten();
        for (algorithm, _) in offered {
            if fastest.is_none_or(|(fastest, _)| algorithm != fastest) {
                library.forget(algorithm);
            }
        }
        let Some(fastest) = measured? else {
            return Ok(None);
        };
        // Without a description the shape is searched again once its algorithm was given back.
        if let Ok(config) = library.config(fastest.0) {
            self.remember(*shape, config);
        }
        Ok(Some(self.keep(*shape, fastest, true)))
    }
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
        let half = ConvolutionShape { format: Precision::Fp16.format(), ..shape };
        let bytes = weights(conv, &plain, &half);
        assert_eq!(bytes.len(), half.weight_bytes());
        let first = half::f16::from_le_bytes([bytes[0], bytes[1]]);
        assert_eq!(first.to_f32(), 1.0);
    }
}
