//! Composes paintings with larger pictures on the device (`kernels/compose.cu`): the launch, and memory for one
//! picture. The sessions of a device take turns in using the memory.
//!
//! The source is uploaded while the network paints, is composed in place and downloaded. A source from a camera is
//! first decoded on the device and resized to the network's size, and it is downloaded upright while the network
//! paints. Memory is allocated for the first picture and for larger ones. Any thread may call.

use std::sync::{Arc, Mutex, MutexGuard};

use super::{
    driver::{DevicePtr, Driver, DriverFailure, DriverResult, Event, Function, PinnedPtr, Queue},
    kernels::Kernels,
    params::{ComposeParams, ShrinkParams},
    raw_decoder::{self, Decoding, PixelLaunch, Shrinking},
    transfers::{EventList, Pinned},
};
use crate::{BackendError, BackendResult, Declined};
use values::{compose::Look, frame::Frame, lock::lock, parallel_copy, raw_frame::RawFrame};

/// File and entry point of the kernel.
const KERNEL: &str = "compose";

/// Composes on one device.
pub struct Composer {
    kernels: Arc<Kernels>,
    room: Mutex<Option<Room>>,
}

/// Memory for a picture.
struct Room {
    bytes: usize,
    pinned: Pinned,
    memory: DevicePtr,
    /// For a camera's raw frame; there is then twice the pinned memory.
    raw: Option<RawRoom>,
    /// The events in order: the source is ready (on the device, or decoded and on the host); the picture is composed.
    events: EventList,
    function: Function,
    driver: Arc<dyn Driver>,
}

/// Memory for a camera's raw frame, and the kernels that convert it to pixels.
#[derive(Clone, Copy)]
struct RawRoom {
    memory: DevicePtr,
    decoder: Function,
    shrinker: Function,
}

impl Drop for Room {
    fn drop(&mut self) {
        self.driver.free(self.memory);
        if let Some(raw) = self.raw {
            self.driver.free(raw.memory);
        }
    }
}

/// A picture that is being composed. Others wait until it is dropped, which waits for the device.
pub struct Composing<'a> {
    room: MutexGuard<'a, Option<Room>>,
    bytes: usize,
    /// `None` if the network's picture is not composed.
    launch: Option<PixelLaunch<ComposeParams>>,
    /// The launches that make the source from a camera's frame, and the network's input from the source.
    raw: Option<(Decoding, Shrinking)>,
    /// The network's own picture is also needed.
    pub with_painting: bool,
}

/// The picture over which a painting is blended.
#[derive(Clone, Copy)]
pub enum ComposeSource<'a> {
    Frame(&'a Frame),
    /// A camera's raw frame.
    Raw(&'a RawFrame),
}

/// What a session paints, on the device.
pub struct OnDevice<'a> {
    pub driver: &'a Arc<dyn Driver>,
    pub painting: DevicePtr,
    /// The session's input.
    pub scaled: DevicePtr,
    /// Rows and columns of both.
    pub size: (usize, usize),
    /// Rows and columns of the extended input.
    pub extended: (usize, usize),
}

impl Composer {
    /// Allocates nothing yet.
    pub fn new(kernels: Arc<Kernels>) -> Self {
        Self { kernels, room: Mutex::default() }
    }

    /// Starts with `source` and the session's painting of it, which is blended over it with `look`.
    ///
    /// # Errors
    /// [`BackendError::Declined`] if there is no memory for it, [`BackendError::Kernel`], and the driver's failures as
    /// converted by `failed`.
    pub fn begin(
        &self,
        on: OnDevice<'_>,
        (source, look): (ComposeSource<'_>, Option<Look>),
        with_painting: bool,
        failed: impl Fn(DriverFailure) -> BackendError,
    ) -> BackendResult<Composing<'_>> {
        let no_memory = BackendError::Declined(Declined::NoMemory);
        let ((width, height), is_raw) = match source {
            ComposeSource::Frame(frame) => ((frame.width(), frame.height()), false),
            ComposeSource::Raw(raw) => (raw.size(), true),
        };
        let bytes = 4 * width * height;
        let fits = |room: &Room| room.bytes >= bytes && (room.raw.is_some() || !is_raw);
        let mut room = lock(&self.room);
        if !room.as_ref().is_some_and(fits) {
            // Memory that is too small is freed first.
            *room = None;
            let entry = |file, entry| self.kernels.function(file, entry, 0, &failed);
            let function = entry(KERNEL, KERNEL)?;
            let decoders = if is_raw {
                Some((
                    entry(raw_decoder::KERNEL, raw_decoder::KERNEL)?,
                    entry(raw_decoder::KERNEL, raw_decoder::SHRINK)?,
                ))
            } else {
                None
            };
            match Room::take(on.driver, bytes, function, decoders) {
                Ok(new) => *room = Some(new),
                Err(failure) if failure.is_out_of_memory() => return Err(no_memory),
                Err(failure) => return Err(failed(failure)),
            }
        }
        let Some(taken) = room.as_mut() else {
            return Err(no_memory);
        };
        let (pinned, memory) = (&mut taken.pinned, taken.memory);
        let raw = match (source, taken.raw) {
            (ComposeSource::Frame(frame), _) => {
                parallel_copy::copy(pinned.halves(bytes).0, frame.rgba());
                None
            }
            (ComposeSource::Raw(_), None) => return Err(no_memory),
            (ComposeSource::Raw(raw), Some(room)) => {
                parallel_copy::copy(pinned.halves(raw.bytes().len()).0, raw.bytes());
                let to = (memory, (height, width));
                let decoding = Decoding::new(room.decoder, raw, room.memory, to);
                let params = ShrinkParams {
                    photo: on.scaled.0,
                    from: memory.0,
                    from_width: width as i32,
                    from_height: height as i32,
                    width: on.size.1 as i32,
                    height: on.size.0 as i32,
                    extended_width: on.extended.1 as i32,
                    extended_height: on.extended.0 as i32,
                };
                let shrinking = Shrinking { function: room.shrinker, params, pixels: on.extended };
                Some((decoding, shrinking))
            }
        };
        let small = on.size;
        let params = |look: Look| ComposeParams {
            picture: memory.0,
            painting: on.painting.0,
            scaled: on.scaled.0,
            across: small.1 as f64 / width as f64,
            down: small.0 as f64 / height as f64,
            width: width as i32,
            height: height as i32,
            small_width: small.1 as i32,
            small_height: small.0 as i32,
            scaled_width: on.extended.1 as i32,
            nearest: i32::from(2 * small.1 >= width && 2 * small.0 >= height),
            strength: i32::from(look.strength_percent.min(100)),
            keep_colours: i32::from(look.keep_colors),
        };
        let function = taken.function;
        let launch = look.map(|look| PixelLaunch {
            function,
            params: params(look),
            pixels: (height, width),
        });
        Ok(Composing { room, bytes, launch, raw, with_painting })
    }
}

impl Room {
    fn take(
        driver: &Arc<dyn Driver>,
        bytes: usize,
        function: Function,
        decoders: Option<(Function, Function)>,
    ) -> DriverResult<Self> {
        let events = EventList::make(driver, 2)?;
        let frames = 1 + usize::from(decoders.is_some());
        let pinned = Pinned::take(driver, frames * bytes)?;
        let mut room = Self {
            bytes,
            pinned,
            memory: driver.allocate(bytes)?,
            raw: None,
            events,
            function,
            driver: driver.clone(),
        };
        if let Some((decoder, shrinker)) = decoders {
            room.raw = Some(RawRoom {
                // No format has more bytes than RGBA.
                memory: driver.allocate(bytes)?,
                decoder,
                shrinker,
            });
        }
        Ok(room)
    }

    fn uploaded(&self) -> Event {
        self.events.list[0]
    }

    fn composed(&self) -> Event {
        self.events.list[1]
    }
}

impl Composing<'_> {
    /// Calls `queue` with the memory, which exists from the start.
    fn on_room<T: Default>(&self, queue: impl FnOnce(&Room) -> DriverResult<T>) -> DriverResult<T> {
        self.room.as_ref().map_or(Ok(T::default()), queue)
    }

    /// True if the source is a camera's frame.
    pub fn is_raw(&self) -> bool {
        self.raw.is_some()
    }

    /// Queues the upload of a camera's frame, and makes the source and the network's input from it.
    pub fn queue_raw(&self, driver: &dyn Driver) -> DriverResult {
        let Some((decoding, shrinking)) = &self.raw else {
            return Ok(());
        };
        self.on_room(|room| {
            let to = room.raw.map_or(room.memory, |raw| raw.memory);
            let from = room.pinned.start;
            // SAFETY: both have these bytes, and nothing accesses them before the device was waited for.
            unsafe { driver.upload_pinned(to, from, decoding.bytes, Queue::Painting)? };
            decoding.launch.queue(driver)?;
            shrinking.queue(driver)
        })
    }

    /// Queues the upload of the source. If the source is made on the device, queues its download after `decoded`
    /// instead, in parallel with painting.
    pub fn queue_source(&self, driver: &dyn Driver, decoded: Event) -> DriverResult {
        self.on_room(|room| {
            if self.is_raw() {
                driver.wait_event(Queue::Download, decoded)?;
                let (to, from) = (room.pinned.start, room.memory);
                // SAFETY: as above; the raw frame was already uploaded from there.
                unsafe { driver.download_pinned(to, from, self.bytes, Queue::Download)? };
                return driver.record(room.uploaded(), Queue::Download);
            }
            let (to, from) = (room.memory, room.pinned.start);
            // SAFETY: both have these bytes, and nothing accesses them before the device was waited for.
            unsafe { driver.upload_pinned(to, from, self.bytes, Queue::Upload)? };
            driver.record(room.uploaded(), Queue::Upload)
        })
    }

    /// Queues the composition after painting, and the download of the result.
    pub fn queue(&self, driver: &dyn Driver) -> DriverResult {
        let Some(launch) = &self.launch else {
            return Ok(());
        };
        self.on_room(|room| {
            driver.wait_event(Queue::Painting, room.uploaded())?;
            launch.queue(driver)?;
            driver.record(room.composed(), Queue::Painting)?;
            let offset = if self.is_raw() { self.bytes } else { 0 };
            let (to, from) = (PinnedPtr(room.pinned.start.0 + offset), room.memory);
            // SAFETY: as for the upload.
            unsafe { driver.download_pinned(to, from, self.bytes, Queue::Painting) }
        })
    }

    /// Milliseconds from an event to the composed picture.
    pub fn ms_since(&self, driver: &dyn Driver, event: Event) -> DriverResult<f64> {
        if self.launch.is_none() {
            return Ok(0.0);
        }
        self.on_room(|room| driver.elapsed_ms(event, room.composed()).map(f64::from))
    }

    /// Copies the decoded source if it is a camera's frame, and the result if it was composed. The device was already
    /// waited for.
    pub fn finish(mut self, upright: Option<&mut Frame>, to: Option<&mut Frame>) {
        let Some(room) = self.room.as_mut() else {
            return;
        };
        let (mut composed, after) = room.pinned.halves(self.bytes);
        if let Some(upright) = upright {
            parallel_copy::copy(upright.rgba_mut(), composed);
            composed = &mut after[..self.bytes];
        }
        if let Some(to) = to {
            parallel_copy::copy(to.rgba_mut(), composed);
        }
    }
}
