//! The most recently prepared algorithms of the library on one device, for sessions of the same sizes.
//!
//! Preparing an algorithm takes milliseconds, and its first run loads kernels. This is noticeable when the user
//! switches styles while frames are painted. Each algorithm uses up to a tenth of a megabyte of the program's memory.
//! Any thread may call.

use std::sync::Mutex;

use super::driver::Algorithm;
use plan::cuda::ConvolutionShape;
use values::lock::lock;

/// Maximum number of algorithms that stay prepared although no session uses them: those of four picture sizes.
const MAX_KEPT: usize = 32;

/// Algorithms that have run, most recently used last.
#[derive(Default)]
pub struct Algorithms(Mutex<Vec<(ConvolutionShape, Algorithm)>>);

impl Algorithms {
    /// The algorithm of a shape, if it is kept.
    pub fn find(&self, shape: &ConvolutionShape) -> Option<Algorithm> {
        let kept = lock(&self.0);
        kept.iter().find(|(known, _)| known == shape).map(|(_, algorithm)| algorithm.clone())
    }

    /// Keeps the algorithm of a shape, and drops the least recently used one.
    pub fn keep(&self, shape: ConvolutionShape, algorithm: Algorithm) {
        let mut kept = lock(&self.0);
        let same = kept.iter().position(|(known, _)| *known == shape);
        let surplus = same.or((kept.len() >= MAX_KEPT).then_some(0)).map(|at| kept.remove(at));
        kept.push((shape, algorithm));
        // Releasing an algorithm takes a moment, so the lock is released first.
        drop(kept);
        drop(surplus);
    }
}
