//! What fits the memory: the size at which a photo is painted and how many are painted at once.
//!
//! Only reckons; sessions are opened elsewhere. Belongs to the painter's thread.

use super::{
    MIN_WORKING_PX, PaintError, PaintSettings, Painter, default_memory_limit_bytes, frame_bytes,
};
use crate::{
    backend::{Backend, BackendError, SessionSpec},
    media::scale::size_within,
    network::Network,
};

/// Memory that painting may take when nobody said how much: what the device has free, where it has
/// its own.
pub(super) fn default_limit_bytes(backend: &dyn Backend) -> u64 {
    backend
        .free_bytes()
        .unwrap_or_else(default_memory_limit_bytes)
}

impl Painter {
    /// Memory that sessions may take together when nobody said how much.
    pub(in crate::engine) fn default_limit_bytes(&self) -> u64 {
        self.default_limit_bytes
    }

    pub(super) fn limit_bytes(&self, settings: PaintSettings) -> u64 {
        settings
            .max_memory_bytes
            .unwrap_or(self.default_limit_bytes)
    }

    /// Columns and rows at which `network` would see a photo of `width` x `height`, and a note when
    /// the memory limit made them smaller than asked.
    ///
    /// # Errors
    /// [`PaintError::MemoryLimit`] when no size fits.
    pub fn working_size(
        &self,
        network: &Network,
        width: usize,
        height: usize,
        settings: PaintSettings,
    ) -> Result<((usize, usize), Option<String>), PaintError> {
        let mode = self.mode(settings);
        let needed = |(w, h): (usize, usize)| {
            let spec = SessionSpec::single(w, h, mode);
            let run = self.backend().predicted_bytes(network.spec(), &spec);
            // The photo and the result, and at the working size what goes in and what comes out.
            run.saturating_add(2 * frame_bytes(width, height))
                .saturating_add(2 * frame_bytes(w, h))
        };
        let limit = self.limit_bytes(settings);
        let wanted = settings.working_size.resolve(width, height);
        if needed(wanted) <= limit {
            return Ok((wanted, None));
        }
        // The need grows with the long side, so the largest that fits is found by halving.
        let (mut fits, mut too_large) = (0, wanted.0.max(wanted.1));
        while too_large - fits > 1 {
            let middle = fits + (too_large - fits) / 2;
            if needed(size_within(width, height, middle)) <= limit {
                fits = middle;
            } else {
                too_large = middle;
            }
        }
        if fits < MIN_WORKING_PX.min(wanted.0.max(wanted.1)) {
            return Err(PaintError::MemoryLimit {
                needed_mb: needed(size_within(width, height, MIN_WORKING_PX)).div_ceil(1_000_000),
                limit_mb: limit / 1_000_000,
            });
        }
        let size = size_within(width, height, fits);
        let note = format!(
            "painted at {} x {} instead of {} x {} to stay below {} MB of {}",
            size.0,
            size.1,
            wanted.0,
            wanted.1,
            limit / 1_000_000,
            match self.backend().free_bytes() {
                Some(_) => "the GPU's memory",
                None => "memory",
            }
        );
        Ok((size, Some(note)))
    }

    /// Bytes that a smaller session may take after the device refused `spec` for want of memory;
    /// `None` when that was not the reason. Always less than `spec` takes, so that trying comes to
    /// an end whatever the device says is free.
    pub(super) fn smaller_limit(
        &self,
        network: &Network,
        spec: &SessionSpec,
        error: &BackendError,
    ) -> Option<u64> {
        let &BackendError::OutOfDeviceMemory { free_bytes, .. } = error else {
            return None;
        };
        let taken = self.backend().predicted_bytes(network.spec(), spec);
        Some(free_bytes.min(taken - taken / 4))
    }

    /// `spec` with the largest batch up to its own that stays within the memory limit: a photo is
    /// never painted smaller for the sake of a batch.
    pub(super) fn batch_that_fits(
        &self,
        network: &Network,
        spec: SessionSpec,
        settings: PaintSettings,
    ) -> SessionSpec {
        let limit = self.limit_bytes(settings);
        let of = |batch| SessionSpec { batch, ..spec };
        (2..=spec.batch)
            .rev()
            .map(of)
            .find(|spec| self.backend().predicted_bytes(network.spec(), spec) <= limit)
            .unwrap_or_else(|| of(1))
    }
}
