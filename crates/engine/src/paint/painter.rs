//! Paints photos: finds sizes that fit the memory, keeps sessions for reuse, replaces lost devices.
//!
//! Blocks while it paints. Knows no files and no styles. Belongs to one thread at a time.

use std::{
    borrow::Borrow,
    fmt::Write,
    sync::{Arc, Weak},
    time::Instant,
};

use super::{
    PaintError, PaintSettings, Painting, Steadying, at_size,
    limits::{Budget, default_limit_bytes},
};
use crate::{
    device::Device,
    sessions::{Loader, Purpose, SessionKey, SessionPool},
    steadied::run_steadied,
};
use backend::{
    Backend, BackendError, Declined, Input, Job, OpenDevice, RunControl, SentFrames, Session,
    SessionSpec, unless_declined,
};
use network::Network;
use pictures::scale::scaled;
use values::{
    deep_frame::DeepFrame,
    frame::Frame,
    mode::{DeviceChoice, Mode},
    timing::RunTiming,
};

/// The times, the paintings, and the state of the steadiness if the device steadied.
type Ran = (RunTiming, Vec<Frame>, Option<Vec<u8>>);

/// Paints photos on a device, and on a replacement if it is lost.
pub struct Painter {
    pub(crate) device: Device,
    /// All sessions of the device. Their budget is read when the device is opened, because later the memory of open
    /// sessions would count as used.
    pub(crate) pool: SessionPool,
    pub(crate) loader: Loader,
    notices: Vec<String>,
    /// The last painted photos, if they are still in device memory.
    sent: Option<PhotosOnDevice>,
}

/// The time of this many multiply-adds on a device of `units` threads or multiprocessors, as text; `None` for less than
/// a minute.
pub fn long_minutes(multiply_adds: u64, kind: DeviceChoice, units: usize) -> Option<String> {
    // Multiply-adds per second of one CPU thread or one GPU multiprocessor: a lower bound for networks without tuned
    // kernels.
    let rate = match kind {
        DeviceChoice::Cuda => 5e10,
        DeviceChoice::Cpu | DeviceChoice::Auto => 5e9,
    };
    let minutes = multiply_adds as f64 / (rate * units as f64) / 60.0;
    match minutes {
        ..=1.0 => None,
        ..=120.0 => Some(format!("{minutes:.0} minutes")),
        _ => Some(format!("{:.0} hours", minutes / 60.0)),
    }
}

/// Photos in device memory, scaled to a working size. Painting them in another style reuses them.
struct PhotosOnDevice {
    photos: Vec<Weak<Frame>>,
    size: (usize, usize),
    frames: SentFrames,
}

impl PhotosOnDevice {
    /// The upload of `photos` to `session`, if it is still there.
    fn of(session: &dyn Session, photos: &[&Arc<Frame>], size: (usize, usize)) -> Option<Self> {
        let frames = session.sent()?;
        Some(Self {
            photos: photos.iter().map(|photo| Arc::downgrade(photo)).collect(),
            size,
            frames,
        })
    }

    fn is_of(&self, photos: &[&Arc<Frame>], size: (usize, usize)) -> bool {
        let same =
            |(sent, photo): (&Weak<Frame>, &&Arc<Frame>)| Weak::as_ptr(sent) == Arc::as_ptr(photo);
        self.size == size
            && self.photos.len() == photos.len()
            && self.photos.iter().zip(photos).all(same)
    }
}

impl Painter {
    /// A painter on `backend`; `open` opens the CPU if the backend is lost. At that time no one else may hold the
    /// backend. Reads the free memory, on the device if it has its own.
    pub fn new(backend: Arc<dyn Backend>, open: OpenDevice) -> Self {
        Self::with_loader(backend, open, Loader::on_the_spot())
    }

    /// [`Painter::new`], but the pool loads sessions through `loader`.
    pub fn with_loader(backend: Arc<dyn Backend>, open: OpenDevice, loader: Loader) -> Self {
        Self {
            pool: SessionPool::new(default_limit_bytes(backend.as_ref()), &loader),
            device: Device::new(backend, open),
            loader,
            notices: Vec::new(),
            sent: None,
        }
    }

    pub fn backend(&self) -> &Arc<dyn Backend> {
        self.device.backend()
    }

    /// Takes the messages for the user about devices that were lost and replaced. Call it after every run, even a
    /// failed one.
    pub fn take_notices(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notices)
    }

    /// Closes all sessions, because one may be half-way through a run or the memory is needed.
    pub fn forget_sessions(&mut self) {
        self.pool.forget();
    }

    /// A new painter on another device, `backend`.
    pub(crate) fn with_backend(&self, backend: Arc<dyn Backend>) -> Self {
        Self::with_loader(backend, self.device.open.clone(), self.loader.clone())
    }

    /// The mode that `settings` resolve to on this painter's device.
    pub fn mode(&self, settings: PaintSettings) -> Mode {
        self.device.mode(settings.mode)
    }

    /// [`Painter::mode`] for a network.
    pub fn mode_on(&self, network: &Network, settings: PaintSettings) -> Mode {
        network.mode(self.mode(settings))
    }

    fn budget<'a>(&'a self, settings: PaintSettings, control: &'a RunControl) -> Budget<'a> {
        Budget {
            control,
            backend: self.backend().as_ref(),
            settings,
            mode: self.mode(settings),
            default_limit_bytes: self.pool.limit_bytes,
        }
    }

    /// The limit for the whole program if the CPU paints; `None` if the limit applies to a device's own memory.
    pub fn program_limit_bytes(&self, settings: PaintSettings) -> Option<u64> {
        self.budget(settings, &RunControl::default()).program_limit_bytes()
    }

    /// True if `network` can paint a photo of `size` columns and rows at the requested working size.
    pub fn fits_as_requested(
        &self,
        network: &Network,
        size: (usize, usize),
        settings: PaintSettings,
    ) -> bool {
        self.budget(settings, &RunControl::default()).fits_as_requested(network, size)
    }

    /// Checks that `network` can paint a photo of `size` columns and rows at any size.
    ///
    /// # Errors
    /// As [`Self::working_size`].
    pub fn check(
        &self,
        network: &Network,
        size: (usize, usize),
        settings: PaintSettings,
    ) -> Result<(), PaintError> {
        self.budget(settings, &RunControl::default()).size_for(network, size).map(|_| ())
    }

    /// Memory that painting a photo of `size` columns and rows takes, in bytes: the device's own if it has its own.
    ///
    /// # Errors
    /// As [`Self::working_size`].
    pub fn needed_bytes(
        &self,
        network: &Network,
        size: (usize, usize),
        settings: PaintSettings,
    ) -> Result<u64, PaintError> {
        self.budget(settings, &RunControl::default()).needed_for(network, size)
    }

    /// Columns and rows at which `network` paints `photo`, and a message if the memory limit reduced them.
    ///
    /// # Errors
    /// [`PaintError::MemoryLimit`] if no size fits, and [`BackendError::Cancelled`].
    pub fn working_size(
        &self,
        network: &Network,
        photo: &Frame,
        settings: PaintSettings,
        control: &RunControl,
    ) -> Result<((usize, usize), Option<String>), PaintError> {
        self.budget(settings, control).working_size(network, photo)
    }

    /// A message that painting a picture of these columns and rows in `network` takes minutes on this device; `None` if
    /// it probably takes less.
    pub fn time_note(&self, network: &Network, (width, height): (usize, usize)) -> Option<String> {
        let (_, shapes) = network.graph().for_photo(height, width).ok()?;
        let device = self.backend().device();
        let multiply_adds = network.graph().multiply_adds(&shapes);
        let time = long_minutes(multiply_adds, device.kind, device.threads)?;
        Some(format!(
            "this network takes about {time} for {width} x {height} pixels here; a smaller \
             detail takes less"
        ))
    }

    /// Closes kept sessions, the oldest first, until another `bytes` fit within the limit. Does nothing unless the
    /// limit is that of the whole program.
    pub fn make_room(&mut self, bytes: u64, settings: PaintSettings) {
        if let Some(limit) = self.program_limit_bytes(settings) {
            self.pool.shrink_to(limit.saturating_sub(bytes));
        }
    }

    /// Runs `network` on `photo`. If the device has less free memory than it reported, paints smaller and adds a
    /// message. If the device is lost, paints the photo on its replacement; [`Painter::take_notices`] reports that.
    ///
    /// # Errors
    /// [`PaintError`] if it was cancelled, memory does not suffice or the device lacks the mode.
    pub fn paint(
        &mut self,
        photo: &Arc<Frame>,
        network: &Arc<Network>,
        settings: PaintSettings,
        control: &RunControl,
    ) -> Result<Painting, PaintError> {
        self.paint_one(photo, network, settings, None, control)
    }

    fn paint_one(
        &mut self,
        photo: &Arc<Frame>,
        network: &Arc<Network>,
        settings: PaintSettings,
        steadying: Option<&Steadying>,
        control: &RunControl,
    ) -> Result<Painting, PaintError> {
        loop {
            match self.paint_here(&[photo], 1, network, settings, steadying, control) {
                // Terminates, because the CPU is the last device and its errors are returned.
                Err(PaintError::Backend(error)) if error.is_lost() => {
                    self.replace_device(error, |device| device.mode(settings.mode))?;
                }
                done => {
                    let missing = BackendError::Internal("a painting is missing");
                    return done?.pop().ok_or(missing.into());
                }
            }
        }
    }

    /// Runs `network` on several photos, up to `batch` at once if the device supports it and memory suffices. All
    /// photos must have one working size ([`Painter::working_size`]); their own sizes may differ. Each painting carries
    /// the times of the whole run. If the device is lost or runs out of memory, the photos are painted one after
    /// another as by [`Painter::paint`], each with its own times.
    ///
    /// # Errors
    /// As [`Painter::paint`]; [`BackendError::WrongSize`] if the working sizes differ, [`BackendError::WrongBatch`] if
    /// there is no photo. Nothing is painted then.
    pub fn paint_batch(
        &mut self,
        photos: &[&Arc<Frame>],
        batch: usize,
        network: &Arc<Network>,
        settings: PaintSettings,
        control: &RunControl,
    ) -> Result<Vec<Painting>, PaintError> {
        match self.paint_here(photos, batch, network, settings, None, control) {
            Err(PaintError::Backend(error)) if error.is_lost() => {
                self.replace_device(error, |device| device.mode(settings.mode))?;
            }
            Err(PaintError::Backend(BackendError::OutOfDeviceMemory { .. })) => {}
            done => return done,
        }
        let mut paintings = Vec::new();
        control.in_parts(photos.iter(), |photo| {
            paintings.push(self.paint(photo, network, settings, control)?);
            Ok::<_, PaintError>(())
        })?;
        Ok(paintings)
    }

    /// [`Painter::paint_batch`] of the frames of a film. A single frame is steadied by the device if it can.
    ///
    /// # Errors
    /// As [`Painter::paint_batch`].
    pub fn paint_film(
        &mut self,
        frames: &[&Arc<Frame>],
        batch: usize,
        network: &Arc<Network>,
        settings: PaintSettings,
        steadying: Option<&Steadying>,
        control: &RunControl,
    ) -> Result<Vec<Painting>, PaintError> {
        match frames {
            [frame] if steadying.is_some() => {
                Ok(vec![self.paint_one(frame, network, settings, steadying, control)?])
            }
            _ => self.paint_batch(frames, batch, network, settings, control),
        }
    }

    /// [`Painter::paint_batch`] on the current device, with one session. A single photo is painted smaller if the device
    /// has less free memory than it reported.
    fn paint_here(
        &mut self,
        photos: &[&Arc<Frame>],
        batch: usize,
        network: &Arc<Network>,
        settings: PaintSettings,
        steadying: Option<&Steadying>,
        control: &RunControl,
    ) -> Result<Vec<Painting>, PaintError> {
        let started = Instant::now();
        let mode = self.mode_on(network, settings);
        let (mut within, mut refused) = (settings, None);
        let (key, notes) = loop {
            let sizes: Result<Vec<_>, PaintError> = photos
                .iter()
                .map(|photo| self.working_size(network, photo, within, control))
                .collect();
            let (sizes, notes): (Vec<_>, Vec<_>) = match (sizes, refused) {
                (Ok(found), _) => found.into_iter().unzip(),
                // The device's first error is closer to the cause.
                (Err(_), Some(refused)) => return Err(PaintError::Backend(refused)),
                (Err(error), None) => return Err(error),
            };
            let (Some(&(width, height)), Some(&first)) = (sizes.first(), photos.first()) else {
                return Err(BackendError::EMPTY_BATCH.into());
            };
            if let Some(&(w, h)) = sizes.iter().find(|&&size| size != (width, height)) {
                return Err(PaintError::Backend(BackendError::WrongSize {
                    expected_width: width,
                    expected_height: height,
                    width: w,
                    height: h,
                }));
            }
            control.check(BackendError::Cancelled)?;
            let batch = if settings.is_deep { 1 } else { batch.max(1) };
            let spec = SessionSpec { batch, ..SessionSpec::single(width, height, mode) };
            let budget = self.budget(within, control);
            let spec = budget.batch_that_fits(network, spec);
            let room = budget.room_for_sessions(first, (width, height));
            let key = SessionKey { network: network.clone().into(), spec };
            let opened = (self.pool).open_now(self.device.backend(), &key, Purpose::Photo, room);
            let Err(error) = opened else {
                break (key, notes);
            };
            let is_single = photos.len() == 1 && batch == 1;
            let smaller = self.budget(within, control).smaller_limit(network, &spec, &error);
            match smaller.filter(|_| is_single) {
                Some(limit) => within.max_memory_bytes = Some(limit),
                None => return Err(error.into()),
            }
            refused = Some(error);
        };
        let spec = key.spec;
        let (run, outputs, mut steady): (_, Vec<_>, _) = if settings.is_deep {
            let (run, outputs) = self.run_deep(&key, photos, control)?;
            let outputs = outputs.into_iter().map(|deep| (deep.narrowed(), Some(deep)));
            (run, outputs.collect(), None)
        } else {
            let (run, outputs, steady) = self.run(&key, photos, steadying, control)?;
            (run, outputs.into_iter().map(|painted| (painted, None)).collect(), steady)
        };
        for photo in photos {
            // For the work after the run.
            let size = (spec.width, spec.height);
            let bytes = self.budget(within, control).after_bytes(photo, size);
            self.make_room(bytes, within);
        }
        let total_ms = started.elapsed().as_secs_f64() * 1e3;
        let paintings = outputs.into_iter().zip(notes).map(|((painted, deep), note)| Painting {
            painted,
            deep,
            steady: steady.take(),
            notes: note.into_iter().collect(),
            mode,
            run,
            total_ms,
        });
        Ok(paintings.collect())
    }

    /// Replaces the lost device, and adds a notice with the `mode` in which the new one paints. All sessions of the
    /// lost device, and everything else that holds its context, are closed first.
    pub(crate) fn replace_device(
        &mut self,
        error: BackendError,
        mode: impl Fn(&Device) -> Mode,
    ) -> Result<(), BackendError> {
        let before = mode(&self.device);
        self.sent = None;
        self.pool.forget();
        let mut notice = self.device.replace_lost(error)?;
        let after = mode(&self.device);
        if before != after {
            // Writing to a string does not fail.
            write!(notice, "; painting in {after} instead of {before}").ok();
        }
        self.notices.push(notice);
        self.pool.limit_bytes = default_limit_bytes(self.backend().as_ref());
        Ok(())
    }

    /// Runs a newly opened session on `photos`. The last painted photos, in another style or mode, are neither scaled
    /// nor uploaded again, unless they are steadied.
    fn run(
        &mut self,
        key: &SessionKey,
        photos: &[&Arc<Frame>],
        steadying: Option<&Steadying>,
        control: &RunControl,
    ) -> Result<Ran, BackendError> {
        let size @ (width, height) = (key.spec.width, key.spec.height);
        let sent = self.sent.take();
        let sent = sent.filter(|sent| steadying.is_none() && sent.is_of(photos, size));
        let missing = BackendError::Internal("a session is missing");
        let session = self.pool.session(key).ok_or(missing)?;
        let mut outputs: Vec<_> = photos.iter().map(|_| Frame::empty(width, height)).collect();
        if let Some(sent) = sent {
            let input = Input::Sent(&sent.frames);
            let job = Job::new(input, &mut outputs);
            if let Some(run) = unless_declined(session.run(job, control, None))? {
                self.sent = PhotosOnDevice::of(session, photos, size);
                return Ok((run, outputs, None));
            }
        }
        let inputs: Vec<_> = photos.iter().map(|photo| at_size(photo, width, height)).collect();
        let inputs: Vec<&Frame> = inputs.iter().map(Borrow::borrow).collect();
        if let Some(state) = steadying.and_then(|steadying| steadying.restored.as_ref()) {
            session.restore_steady(state)?;
        }
        let steadiness = steadying.map(|steadying| steadying.steadiness);
        let (run, is_steady) =
            run_steadied(session, &inputs, &mut outputs, steadiness, control, None)?;
        let state = match steadying.filter(|_| is_steady) {
            Some(Steadying { is_saved: true, .. }) => Some(session.save_steady()?),
            Some(_) => Some(Vec::new()),
            None => {
                self.sent = PhotosOnDevice::of(session, photos, size);
                None
            }
        };
        Ok((run, outputs, state))
    }

    /// [`Painter::run`], one photo after another, with what the network computed before rounding.
    fn run_deep(
        &mut self,
        key: &SessionKey,
        photos: &[&Arc<Frame>],
        control: &RunControl,
    ) -> Result<(RunTiming, Vec<DeepFrame>), BackendError> {
        let missing = BackendError::Internal("a session is missing");
        let session = self.pool.session(key).ok_or(missing)?;
        let inspected = session.inspect().ok_or(BackendError::Declined(Declined::Unable))?;
        let started = Instant::now();
        let mut outputs = Vec::new();
        control.in_parts(photos.iter(), |photo| {
            let input = scaled(photo, key.spec.width, key.spec.height);
            let output = inspected.run_tensor(&input, control, None)?;
            outputs.push(DeepFrame::of_output(&output, &input));
            Ok::<_, BackendError>(())
        })?;
        Ok((RunTiming::host(started.elapsed().as_secs_f64() * 1e3), outputs))
    }
}
