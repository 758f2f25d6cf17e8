//! A slot: pinned memory, device memory for the photos and paintings of a batch, and the graph that paints them.
//!
//! A session has one slot, and a second one as soon as several batches follow each other. The frames of one slot are
//! then transferred while those of the other are painted. Belongs to the session's thread.

use std::sync::Arc;

use super::{
    composer::Composing,
    device_network::DeviceNetwork,
    driver::{Driver, DriverResult, Event, Graph, PinnedPtr, Queue},
    launches::Launches,
    raw_decoder::Decoding,
    sent_photos::{SentPhotos, SentPlace},
    steady::DeviceSteady,
    transfers::{EventList, Pinned},
};
use crate::{BackendError, BackendResult};
use plan::cuda::{CudaPlan, MemoryLayout};
use values::{
    frame::Frame,
    parallel_copy,
    raw_frame::RawFrame,
    timing::{RunTiming, TimingMethod},
};

/// The memory and launches of one batch that is transferred and painted.
pub struct FrameSlot {
    pub launches: Launches,
    /// Where photos and paintings are on the device.
    layout: MemoryLayout,
    graph: Recording,
    pinned: Pinned,
    events: EventList,
    /// The photos on the device, while other sessions may paint them.
    pub sent: Arc<SentPhotos>,
}

/// What the run of a single frame does in addition to painting.
#[derive(Clone, Copy, Default)]
pub struct Extras<'a> {
    /// Copies photos from the device's memory instead of uploading the staged ones. The slot's own photos were
    /// withdrawn.
    pub sent: Option<&'a SentPlace>,
    /// Decodes the staged frame first.
    pub decoding: Option<&'a Decoding>,
    /// Steadies the painting.
    pub steadying: Option<&'a DeviceSteady>,
    /// Composes the painting afterwards.
    pub composing: Option<&'a Composing<'a>>,
}

/// Events of a batch.
#[derive(Clone, Copy)]
enum FrameEvent {
    /// The upload of the photos starts.
    Sent,
    /// The photos are on the device.
    Uploaded,
    /// Painting starts.
    Started,
    /// The paintings are ready.
    Painted,
    /// The painting is steady.
    Steadied,
    /// The paintings are on the host.
    Downloaded,
}

use FrameEvent::*;

impl FrameSlot {
    /// Builds the launches for photos and paintings in `layout`, records them, and allocates the pinned memory.
    pub fn new(network: &DeviceNetwork, layout: MemoryLayout) -> BackendResult<Self> {
        let driver = &network.driver;
        let plan = &network.plan;
        let (height, width) = plan.photo;
        let bytes = plan.photo_bytes() + painting_bytes(plan);
        let pinned = Pinned::take(driver, bytes).map_err(|f| {
            if f.is_out_of_memory() {
                // Host memory, not the GPU's.
                BackendError::OutOfMemory { needed_bytes: bytes as u64, width, height }
            } else {
                network.backend_error(f)
            }
        })?;
        let events = EventList::make(driver, 6).map_err(|f| network.backend_error(f))?;
        let (launches, graph) = network.recorded(&layout)?;
        let graph = Recording { graph, driver: driver.clone() };
        Ok(Self { launches, layout, graph, pinned, events, sent: Arc::default() })
    }

    /// Allows other sessions to paint the photos that were painted.
    pub fn offer(&self, on: &DeviceNetwork) {
        let place = SentPlace::new(&on.plan, on.at(self.layout.photo), &on.kernels);
        self.sent.offer(place);
    }

    fn event(&self, event: FrameEvent) -> Event {
        self.events.list[event as usize]
    }

    /// Copies photos to pinned memory. A batch that is not full repeats the last photo.
    pub fn stage(&mut self, plan: &CudaPlan, inputs: &[&Frame]) {
        let ((height, width), batch) = (plan.extended, plan.batch);
        let extend = (height, width) != plan.photo;
        let (photos, _) = self.pinned.halves(plan.photo_bytes());
        let each = photos.chunks_exact_mut(4 * height * width);
        for (place, to) in each.enumerate().take(batch) {
            let Some(frame) = inputs.get(place).or(inputs.last()) else {
                return;
            };
            if extend {
                frame.extend_into(width, to);
            } else {
                parallel_copy::copy(to, frame.rgba());
            }
        }
    }

    /// Copies a camera's frame to pinned memory. No format has more bytes than RGBA.
    pub fn stage_raw(&mut self, plan: &CudaPlan, raw: &RawFrame) {
        let (to, _) = self.pinned.halves(plan.photo_bytes());
        let (to, _) = to.split_at_mut(raw.bytes().len());
        parallel_copy::copy(to, raw.bytes());
    }

    /// Copies the decoded photo from pinned memory.
    pub fn unstage_photo(&mut self, plan: &CudaPlan, upright: &mut Frame) {
        let ((_, wide), (_, width)) = (plan.extended, plan.photo);
        let (photo, _) = self.pinned.halves(plan.photo_bytes());
        let to = upright.rgba_mut();
        if wide == width {
            return parallel_copy::copy(to, &photo[..to.len()]);
        }
        for (to, row) in to.chunks_exact_mut(4 * width).zip(photo.chunks(4 * wide)) {
            to.copy_from_slice(&row[..4 * width]);
        }
    }

    /// Copies the paintings from pinned memory.
    ///
    /// # Errors
    /// [`BackendError::Unsupported`] if the maps' format could not represent a value.
    pub fn unstage(&mut self, on: &DeviceNetwork, outputs: &mut [Frame]) -> BackendResult {
        let plan = &on.plan;
        let (_, from) = self.pinned.halves(plan.photo_bytes());
        let (mut paintings, flag) = from.split_at_mut(plan.painting_bytes());
        if flag.iter().any(|&byte| byte != 0) {
            let place = on.at(self.layout.painting + plan.painting_bytes());
            let cleared = on.driver.clear(place, plan.flag_bytes());
            return Err(cleared.map_or_else(|f| on.backend_error(f), |()| on.overflow()));
        }
        for output in outputs {
            let to = output.rgba_mut();
            let (painting, rest) = paintings.split_at_mut(to.len());
            parallel_copy::copy(to, painting);
            paintings = rest;
        }
        Ok(())
    }

    /// Queues the upload of what was staged.
    pub fn queue_upload(&self, on: &DeviceNetwork, queue: Queue) -> DriverResult {
        self.sent.withdraw();
        let (to, bytes) = (on.at(self.layout.photo), on.plan.photo_bytes());
        // SAFETY: pinned memory of this size, and the caller waits for the upload before it accesses the memory again.
        unsafe { on.driver.upload_pinned(to, self.pinned.start, bytes, queue) }
    }

    /// Queues the copy of photos that are in the device's memory.
    fn queue_copy(&self, on: &DeviceNetwork, from: &SentPlace) -> DriverResult {
        let to = on.at(self.layout.photo);
        if from.at == to { Ok(()) } else { on.driver.copy(to, from.at, on.plan.photo_bytes()) }
    }

    /// Queues the upload of a camera's frame to the place of the painting, and decodes it to the photo.
    fn queue_decoding(&self, on: &DeviceNetwork, decoding: &Decoding) -> DriverResult {
        self.sent.withdraw();
        let (to, from) = (on.at(self.layout.painting), self.pinned.start);
        // SAFETY: both have these bytes, and the device is waited for before anything accesses them.
        unsafe { (on.driver).upload_pinned(to, from, decoding.bytes, Queue::Painting)? };
        decoding.launch.queue(on.driver.as_ref())
    }

    /// Queues the download of the decoded photo, in parallel with painting.
    fn queue_photo_download(&self, on: &DeviceNetwork) -> DriverResult {
        let driver = on.driver.as_ref();
        driver.wait_event(Queue::Download, self.event(Uploaded))?;
        let (to, from) = (self.pinned.start, on.at(self.layout.photo));
        // SAFETY: as above; the photo does not change while it is painted.
        unsafe { driver.download_pinned(to, from, on.plan.photo_bytes(), Queue::Download) }
    }

    /// Queues the download of the paintings and the flag, from this byte offset.
    pub fn queue_download(&self, on: &DeviceNetwork, begin: usize, queue: Queue) -> DriverResult {
        let to = PinnedPtr(self.pinned.start.0 + on.plan.photo_bytes() + begin);
        let from = on.at(self.layout.painting + begin);
        let bytes = painting_bytes(&on.plan) - begin;
        if bytes == 0 {
            return Ok(());
        }
        // SAFETY: as for the upload.
        unsafe { on.driver.download_pinned(to, from, bytes, queue) }
    }

    /// One run over what was staged, through its graph if `recorded`, otherwise launch by launch. Everything is in one
    /// queue, which is fastest for a single batch. Times are measured on the device; decoding counts as upload.
    /// `meanwhile`, if any, is called repeatedly until the run is done.
    pub fn run(
        &self,
        on: &DeviceNetwork,
        recorded: bool,
        extras: Extras<'_>,
        meanwhile: Option<&mut dyn FnMut()>,
    ) -> BackendResult<RunTiming> {
        let Extras { sent, decoding, steadying, composing } = extras;
        let driver = on.driver.as_ref();
        let begun = driver.record(self.event(Sent), Queue::Painting);
        let uploaded = begun.and_then(|()| match (sent, decoding, composing) {
            (Some(from), ..) => self.queue_copy(on, from),
            (None, Some(decoding), _) => self.queue_decoding(on, decoding),
            (None, None, Some(composing)) if composing.is_raw() => {
                self.sent.withdraw();
                composing.queue_raw(driver)
            }
            _ => self.queue_upload(on, Queue::Painting),
        });
        let queued = uploaded.and_then(|()| {
            driver.record(self.event(Uploaded), Queue::Painting)?;
            if decoding.is_some() {
                self.queue_photo_download(on)?;
            }
            if let Some(composing) = composing {
                composing.queue_source(driver, self.event(Uploaded))?;
            }
            driver.record(self.event(Started), Queue::Painting)?;
            if recorded {
                driver.replay(self.graph.graph)?;
            } else {
                on.step_by_step(&self.launches, |together| on.launch_together(together))?;
            }
            driver.record(self.event(Painted), Queue::Painting)?;
            if let Some(steadying) = steadying {
                steadying.queue(driver)?;
                driver.record(self.event(Steadied), Queue::Painting)?;
            }
            let mut begin = 0;
            if let Some(composing) = composing {
                composing.queue(driver)?;
                // The flag follows the paintings.
                begin = if composing.with_painting { 0 } else { on.plan.painting_bytes() };
            }
            self.queue_download(on, begin, Queue::Painting)?;
            driver.record(self.event(Downloaded), Queue::Painting)?;
            let is_back = || driver.has_passed(self.event(Downloaded));
            match meanwhile {
                Some(meanwhile) => driver.wait_until(on.patience(), &is_back, meanwhile),
                None => Ok(()),
            }
        });
        // Waits after a failure too, because the pinned memory may be in use.
        let waited = driver.wait_within(on.patience());
        queued
            .and(waited)
            .and_then(|()| self.timing(driver, extras))
            .map_err(|f| on.backend_error(f))
    }

    /// Queues upload, launches and download of the staged batch without waiting, each in a separate queue.
    pub fn send(&self, on: &DeviceNetwork) -> DriverResult {
        let driver = on.driver.as_ref();
        driver.record(self.event(Sent), Queue::Upload)?;
        self.queue_upload(on, Queue::Upload)?;
        driver.record(self.event(Uploaded), Queue::Upload)?;
        driver.wait_event(Queue::Painting, self.event(Uploaded))?;
        driver.record(self.event(Started), Queue::Painting)?;
        driver.replay(self.graph.graph)?;
        driver.record(self.event(Painted), Queue::Painting)?;
        driver.wait_event(Queue::Download, self.event(Painted))?;
        self.queue_download(on, 0, Queue::Download)?;
        driver.record(self.event(Downloaded), Queue::Download)
    }

    /// Waits until the photos that were sent are on the device. Other photos may be staged after that.
    pub fn wait_for_upload(&self, on: &DeviceNetwork) -> DriverResult {
        on.driver.wait_for(self.event(Uploaded), on.patience())
    }

    /// Waits for the batch that was sent. Times are as in [`FrameSlot::run`].
    pub fn receive(&self, on: &DeviceNetwork) -> DriverResult<RunTiming> {
        // The batch that was sent before may still be painted.
        on.driver.wait_for(self.event(Downloaded), 2 * on.patience())?;
        self.timing(on.driver.as_ref(), Extras::default())
    }

    fn timing(&self, driver: &dyn Driver, extras: Extras<'_>) -> DriverResult<RunTiming> {
        let ms = |from, to| driver.elapsed_ms(self.event(from), self.event(to)).map(f64::from);
        let (ready, steady_ms) = match extras.steadying {
            Some(_) => (Steadied, ms(Painted, Steadied)?),
            None => (Painted, 0.0),
        };
        let composing = extras.composing;
        let compose_ms = composing.map_or(Ok(0.0), |c| c.ms_since(driver, self.event(ready)))?;
        Ok(RunTiming {
            total_ms: ms(Started, Painted)?,
            upload_ms: ms(Sent, Uploaded)?,
            download_ms: ms(ready, Downloaded)? - compose_ms,
            steady_ms,
            compose_ms,
            method: TimingMethod::Device,
        })
    }
}

/// Bytes of the paintings of a batch, and of the flag after them.
fn painting_bytes(plan: &CudaPlan) -> usize {
    plan.painting_bytes() + plan.flag_bytes()
}

/// A recorded graph; released when dropped.
pub struct Recording {
    pub graph: Graph,
    pub driver: Arc<dyn Driver>,
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.driver.free_graph(self.graph);
    }
}
