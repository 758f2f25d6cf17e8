//! Memory limits: the size at which a photo is painted and how many are painted at once.
//!
//! Pure arithmetic, except for the free memory that the device reports.

use super::{
    MIN_WORKING_PX, PROGRAM_BYTES, PaintError, PaintSettings, default_memory_limit_bytes,
    frame_bytes,
};
use backend::{Backend, BackendError, RunControl, SessionSpec};
use network::Network;
use pictures::scale::{scaling_bytes, size_inside, size_within};
use values::{
    frame::{Frame, longest_side},
    mode::Mode,
};

/// The memory that painting may use if no limit is set: the device's free memory, if it has its own memory.
pub fn default_limit_bytes(backend: &dyn Backend) -> u64 {
    backend.free_bytes().unwrap_or_else(default_memory_limit_bytes)
}

/// The properties of a photo that decide how much memory painting it takes.
struct Shape {
    /// Columns and rows.
    size: (usize, usize),
    opaque: bool,
}

/// The memory that painting one photo takes in addition to the session, in bytes.
struct Beside {
    while_running: u64,
    /// After the run, when the session's memory is free again.
    after: u64,
}

/// The memory limit of painting on a device with certain settings.
pub struct Budget<'a> {
    pub backend: &'a dyn Backend,
    pub settings: PaintSettings,
    /// Mode of the settings on the device.
    pub mode: Mode,
    /// Memory limit for all sessions together if the user set none, in bytes.
    pub default_limit_bytes: u64,
    /// Cancelled to end the search for a size early: planning a large network takes time.
    pub control: &'a RunControl,
}

impl Budget<'_> {
    pub fn limit_bytes(&self) -> u64 {
        self.settings.max_memory_bytes.unwrap_or(self.default_limit_bytes)
    }

    /// The limit for the whole program if the CPU paints; `None` if the limit applies to a device's own memory.
    pub fn program_limit_bytes(&self) -> Option<u64> {
        (!self.backend.has_own_memory()).then(|| self.limit_bytes())
    }

    /// Reads every pixel, but only if the program's memory is limited.
    fn shape(&self, photo: &Frame) -> Shape {
        let is_limited = !self.backend.has_own_memory();
        Shape { size: photo.size(), opaque: is_limited && photo.is_opaque() }
    }

    /// Memory that painting `photo` at the working size `size` takes in addition to the session.
    fn beside(&self, photo: &Shape, size: (usize, usize)) -> Beside {
        let picture = frame_bytes(photo.size);
        let working = frame_bytes(size);
        // The network's output as floats of three channels, and the pictures of 16 bits, one of them the photo's.
        let (deep_working, deep_picture, scales) =
            if self.settings.is_deep { (5 * working, 4 * picture, 2) } else { (0, 0, 1) };
        if self.program_limit_bytes().is_none() {
            // The photo and the result, and the network's input and output at the working size.
            return Beside { while_running: 2 * picture + 2 * working + deep_working, after: 0 };
        }
        let all_the_while =
            PROGRAM_BYTES.saturating_add(self.settings.held_bytes).saturating_add(picture);
        let down = scaling_bytes(photo.size, size, photo.opaque);
        let up = scaling_bytes(size, photo.size, photo.opaque);
        // During upscaling of the painting; afterwards only the result is left.
        let finishing = working + picture + scales * up + deep_working + deep_picture;
        let saving = (picture + deep_picture).saturating_add(self.settings.saving_bytes);
        Beside {
            while_running: all_the_while.saturating_add(2 * working + down + deep_working),
            after: all_the_while.saturating_add(finishing.max(saving)),
        }
    }

    /// Memory that painting `photo` at the working size `size` takes, in bytes.
    ///
    /// # Errors
    /// [`BackendError::TooLarge`].
    fn needed(
        &self,
        network: &Network,
        photo: &Shape,
        size: (usize, usize),
    ) -> Result<u64, BackendError> {
        self.control.check(BackendError::Cancelled)?;
        let spec = SessionSpec::single(size.0, size.1, self.mode);
        let run = match self.backend.predicted_bytes(network.graph(), &spec) {
            Err(error @ BackendError::TooLarge { .. }) => return Err(error),
            // Every other error is reported when the session is opened.
            predicted => predicted.unwrap_or(0),
        };
        let beside = self.beside(photo, size);
        Ok(run.saturating_add(beside.while_running).max(beside.after))
    }

    /// True if `network` can paint a photo of `size` columns and rows at the requested working size.
    pub fn fits_as_requested(&self, network: &Network, size: (usize, usize)) -> bool {
        let requested = self.settings.working_size.resolve(size.0, size.1);
        let requested = size_inside(requested, network.graph().fixed_size());
        self.needed(network, &Shape { size, opaque: false }, requested)
            .is_ok_and(|needed| needed <= self.limit_bytes())
    }

    /// Bytes in use after the run of `photo` at the working size `size`, when the run's memory is free again.
    pub fn after_bytes(&self, photo: &Frame, size: (usize, usize)) -> u64 {
        self.beside(&self.shape(photo), size).after
    }

    /// Bytes available to sessions while `photo` is painted at the working size `size`.
    pub fn room_for_sessions(&self, photo: &Frame, size: (usize, usize)) -> u64 {
        match self.program_limit_bytes() {
            Some(limit) => {
                limit.saturating_sub(self.beside(&self.shape(photo), size).while_running)
            }
            None => self.limit_bytes(),
        }
    }

    /// Columns and rows at which `network` paints `photo`, and a message if the memory limit reduced them.
    ///
    /// # Errors
    /// [`PaintError::MemoryLimit`] if no size fits, [`PaintError::Backend`] if the search is cancelled.
    pub fn working_size(
        &self,
        network: &Network,
        photo: &Frame,
    ) -> Result<((usize, usize), Option<String>), PaintError> {
        self.size_of(network, self.shape(photo))
    }

    /// As [`Self::working_size`], for a photo of `size` columns and rows.
    ///
    /// # Errors
    /// As [`Self::working_size`].
    pub fn size_for(
        &self,
        network: &Network,
        size: (usize, usize),
    ) -> Result<((usize, usize), Option<String>), PaintError> {
        self.size_of(network, Shape { size, opaque: false })
    }

    /// Memory that painting a photo of `size` columns and rows takes at the size that [`Self::size_for`] returns, in bytes.
    ///
    /// # Errors
    /// As [`Self::working_size`].
    pub fn needed_for(&self, network: &Network, size: (usize, usize)) -> Result<u64, PaintError> {
        let (painted, _) = self.size_for(network, size)?;
        Ok(self.needed(network, &Shape { size, opaque: false }, painted)?)
    }

    fn size_of(
        &self,
        network: &Network,
        shape: Shape,
    ) -> Result<((usize, usize), Option<String>), PaintError> {
        let (width, height) = shape.size;
        let needed = |size| self.needed(network, &shape, size);
        let limit = self.limit_bytes();
        let wanted = self.settings.working_size.resolve(width, height);
        let requested = size_inside(wanted, network.graph().fixed_size());
        let needed_as_requested = needed(requested);
        if (needed_as_requested.as_ref()).is_ok_and(|&needed| needed <= limit) {
            let note = (requested != wanted).then(|| {
                format!(
                    "painted at {} x {}: the network of this style only runs at one size",
                    requested.0, requested.1
                )
            });
            return Ok((requested, note));
        }
        // Memory use grows with the long side, so a binary search finds the largest size that fits.
        let long_side = requested.0.max(requested.1);
        let within = |side| size_within(width, height, side);
        let fits = longest_side(long_side, |side| {
            needed(within(side)).is_ok_and(|needed| needed <= limit)
        });
        self.control.check(BackendError::Cancelled)?;
        if fits < MIN_WORKING_PX.min(long_side) {
            return Err(PaintError::MemoryLimit {
                needed_mb: needed(within(MIN_WORKING_PX))?.div_ceil(1_000_000),
                limit_mb: limit / 1_000_000,
            });
        }
        let size = within(fits);
        let note = match needed_as_requested {
            Err(error) => format!("painted at {} x {}: {error}", size.0, size.1),
            Ok(_) => format!(
                "painted at {} x {} instead of {} x {} to stay below {} MB of {}",
                size.0,
                size.1,
                requested.0,
                requested.1,
                limit / 1_000_000,
                if self.backend.has_own_memory() { "the GPU's memory" } else { "memory" }
            ),
        };
        Ok((size, Some(note)))
    }

    /// Byte limit for a smaller session after the device ran out of memory for `spec`; `None` if that was not the
    /// error. Always less than `spec` takes, so that retries terminate whatever free memory the device reports.
    pub fn smaller_limit(
        &self,
        network: &Network,
        spec: &SessionSpec,
        error: &BackendError,
    ) -> Option<u64> {
        let &BackendError::OutOfDeviceMemory { free_bytes, .. } = error else {
            return None;
        };
        let taken = self.backend.predicted_bytes(network.graph(), spec).ok()?;
        Some(free_bytes.min(taken - taken / 4))
    }

    /// `spec` with the largest batch, up to its own, that stays within the memory limit. The working size is never
    /// reduced to fit a larger batch.
    pub fn batch_that_fits(&self, network: &Network, spec: SessionSpec) -> SessionSpec {
        let limit = self.limit_bytes();
        let of = |batch| SessionSpec { batch, ..spec };
        (2..=spec.batch)
            .rev()
            .map(of)
            .find(|spec| {
                let plan = || self.backend.predicted_bytes(network.graph(), spec);
                !self.control.is_cancelled() && plan().is_ok_and(|bytes| bytes <= limit)
            })
            .unwrap_or_else(|| of(1))
    }
}
