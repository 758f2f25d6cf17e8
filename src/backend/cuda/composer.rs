//! Composes paintings with larger pictures on the device (`kernels/compose.cu`): memory for one picture, in which the
//! sessions of a device take turns, and the launch.
//!
//! The source travels while the network paints, is composed in place and travels back. Memory is taken for the first
//! picture and for larger ones. Any thread may call.

use std::{
    ptr::from_ref,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    driver::{DevicePtr, Driver, DriverFailure, Event, Function, LaunchShape, Queue},
    kernels::Kernels,
    params::ComposeParams,
    transfers::{EventList, Pinned},
};
use crate::{backend::BackendError, compose::Look, frame::Frame, parallel_copy};

/// File and entry of the kernel.
const KERNEL: &str = "compose";
/// Columns and rows of pixels that a CTA composes, a thread each.
const TILE: (usize, usize) = (32, 8);

/// What composes on one device.
pub struct Composer {
    kernels: Arc<Kernels>,
    room: Mutex<Option<Room>>,
}

/// Memory for a picture.
struct Room {
    bytes: usize,
    pinned: Pinned,
    memory: DevicePtr,
    /// The source is on the device; it is composed.
    events: EventList,
    function: Function,
    driver: Arc<dyn Driver>,
}

impl Drop for Room {
    fn drop(&mut self) {
        self.driver.free(self.memory);
    }
}

/// A picture that is being composed; others wait until it is dropped, and that until the device was waited for.
pub(super) struct Composing<'a> {
    room: MutexGuard<'a, Option<Room>>,
    bytes: usize,
    params: ComposeParams,
    /// Whether the network's picture is wanted as well.
    pub(super) with_painting: bool,
}

/// What a session paints, on the device.
pub(super) struct OnDevice<'a> {
    pub(super) driver: &'a Arc<dyn Driver>,
    pub(super) painting: DevicePtr,
    /// The session's input, and the pixels from one of its rows to the next.
    pub(super) scaled: (DevicePtr, usize),
    /// Rows and columns of both.
    pub(super) size: (usize, usize),
}

impl Composer {
    /// Takes nothing yet.
    pub fn new(kernels: Arc<Kernels>) -> Self {
        Self {
            kernels,
            room: Mutex::default(),
        }
    }

    /// Begins with `source` and what a session paints of it; `None` without memory for it.
    ///
    /// # Errors
    /// [`BackendError::Kernel`], and what `failed` makes of the driver's failures.
    pub(super) fn begin(
        &self,
        on: OnDevice<'_>,
        (source, look): (&Frame, Look),
        with_painting: bool,
        failed: impl Fn(DriverFailure) -> BackendError,
    ) -> Result<Option<Composing<'_>>, BackendError> {
        let bytes = source.rgba().len();
        let mut room = self.room.lock().unwrap_or_else(PoisonError::into_inner);
        if room.as_ref().is_none_or(|room| room.bytes < bytes) {
            // What is too small goes first.
            *room = None;
            let function = self.kernels.function(KERNEL, KERNEL, 0, &failed)?;
            match Room::take(on.driver, bytes, function) {
                Ok(taken) => *room = Some(taken),
                Err(failure) if failure.is_out_of_memory() => return Ok(None),
                Err(failure) => return Err(failed(failure)),
            }
        }
        let Some(Room { pinned, memory, .. }) = room.as_mut() else {
            return Ok(None);
        };
        parallel_copy::copy(pinned.halves(bytes).0, source.rgba());
        let (small, large) = (on.size, (source.height(), source.width()));
        let params = ComposeParams {
            picture: memory.0,
            painting: on.painting.0,
            scaled: on.scaled.0.0,
            across: small.1 as f64 / large.1 as f64,
            down: small.0 as f64 / large.0 as f64,
            width: large.1 as i32,
            height: large.0 as i32,
            small_width: small.1 as i32,
            small_height: small.0 as i32,
            scaled_width: on.scaled.1 as i32,
            nearest: i32::from(2 * small.1 >= large.1 && 2 * small.0 >= large.0),
            strength: i32::from(look.strength_percent.min(100)),
            keep_colours: i32::from(look.keep_colors),
        };
        Ok(Some(Composing {
            room,
            bytes,
            params,
            with_painting,
        }))
    }
}

impl Room {
    fn take(
        driver: &Arc<dyn Driver>,
        bytes: usize,
        function: Function,
    ) -> Result<Self, DriverFailure> {
        let events = EventList::make(driver, 2)?;
        let pinned = Pinned::take(driver, bytes)?;
        Ok(Self {
            bytes,
            pinned,
            memory: driver.allocate(bytes)?,
            events,
            function,
            driver: driver.clone(),
        })
    }

    fn uploaded(&self) -> Event {
        self.events.list[0]
    }

    fn composed(&self) -> Event {
        self.events.list[1]
    }
}

impl Composing<'_> {
    /// `queue` on the memory, which is there from the beginning on.
    fn on_room<T: Default>(
        &self,
        queue: impl FnOnce(&Room) -> Result<T, DriverFailure>,
    ) -> Result<T, DriverFailure> {
        self.room.as_ref().map_or_else(|| Ok(T::default()), queue)
    }

    /// Queues the upload of the source, beside painting.
    pub(super) fn queue_upload(&self, driver: &dyn Driver) -> Result<(), DriverFailure> {
        self.on_room(|room| {
            let (to, from) = (room.memory, room.pinned.start);
            // SAFETY: both have these bytes, and nobody touches them before the device was waited for.
            unsafe { driver.upload_pinned(to, from, self.bytes, Queue::Upload)? };
            driver.record(room.uploaded(), Queue::Upload)
        })
    }

    /// Queues the composition behind painting, and the download of the result.
    pub(super) fn queue(&self, driver: &dyn Driver) -> Result<(), DriverFailure> {
        self.on_room(|room| {
            driver.wait_event(Queue::Painting, room.uploaded())?;
            let tiles = |side: i32, tile: usize| (side as usize).div_ceil(tile) as u32;
            let shape = LaunchShape {
                grid: (
                    tiles(self.params.width, TILE.0),
                    tiles(self.params.height, TILE.1),
                    1,
                ),
                block: (TILE.0 * TILE.1) as u32,
                shared_bytes: 0,
                cooperative: false,
                early: false,
            };
            // SAFETY: the block is the kernel's, and its addresses are the session's and the room's, which stay until
            // the device was waited for.
            unsafe { driver.launch(room.function, shape, from_ref(&self.params).cast())? };
            driver.record(room.composed(), Queue::Painting)?;
            let (to, from) = (room.pinned.start, room.memory);
            // SAFETY: as for the upload.
            unsafe { driver.download_pinned(to, from, self.bytes, Queue::Painting) }
        })
    }

    /// Milliseconds from an event to the composed picture.
    pub(super) fn ms_since(&self, driver: &dyn Driver, event: Event) -> Result<f64, DriverFailure> {
        self.on_room(|room| driver.elapsed_ms(event, room.composed()).map(f64::from))
    }

    /// Copies the result; the device was waited for.
    pub(super) fn finish(mut self, to: &mut Frame) {
        if let Some(room) = self.room.as_mut() {
            parallel_copy::copy(to.rgba_mut(), room.pinned.halves(self.bytes).0);
        }
    }
}
