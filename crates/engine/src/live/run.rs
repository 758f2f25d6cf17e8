//! A live run: continuously paints the newest frame of a source with the newest settings.
//!
//! [`Live`] combines the parts: input, settings, sessions (which hold the scheduler), rate control, frame loop,
//! previews and sampler. It belongs to the engine's thread. Its clock is passed in, so that tests can control time.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    compare::Judge,
    frame_cost::FrameCost,
    frame_loop::{FrameInProgress, FrameLoop, FrameOptions, Painted, Run},
    inbox::Inbox,
    input::Input,
    live_sessions::{LiveContext, LiveSessions},
    measuring::{measure, some_pictures},
    pace::{Clock, Pace},
    picture::{LivePicture, ModePairTimes},
    previews::{Previews, Turn},
    rate_control::RateControl,
    sampler::Sampler,
    scheduler::{Next, RenderTarget, SessionSlot},
    settings::{
        LiveEvent, LiveSettings, LiveSize, MeasureJob, NumberedSettings, Preview, Snapshot,
    },
    sink::Sinks,
};
use crate::{Stylization, capture::CaptureEvent, devices::Devices, paint::Painter};
use backend::{BackendError, RunControl, Session};
use measure::{MeasureError, MeasureReport};
use pictures::scale::{size_inside, size_within};
use threads::WakeUp;
use values::{
    frame::Frame,
    mailbox::{Reader, Writer},
};

/// The size at which the network of `settings` paints a source of this size.
fn size_for(settings: &LiveSettings, rate: &RateControl, source: (usize, usize)) -> (usize, usize) {
    let size = size_within(source.0, source.1, rate.long_side_px());
    let network = settings.stylization.network.as_ref();
    size_inside(size, network.and_then(|n| n.graph().fixed_size()))
}

/// The inputs that start a live run.
pub struct LiveStart {
    /// Source of the frames.
    pub input: Input,
    /// Receives the pictures.
    pub output: Writer<LivePicture>,
    /// Called after each picture, on the engine's thread.
    pub wake_up: WakeUp,
    /// Receives the snapshots.
    pub snapshot: Writer<Snapshot>,
    /// Initial settings.
    pub settings: LiveSettings,
    /// Number of the initial settings.
    pub number: u64,
    /// Delivers later settings, with their numbers.
    pub changes: Reader<Option<NumberedSettings>>,
    /// Cancelled to stop.
    pub control: Arc<RunControl>,
}

/// Live painting in progress.
pub struct Live {
    pub input: Input,
    /// The current settings and pending ones.
    pub settings: Inbox,
    /// The next picture must be painted even without a newer frame, because something changed.
    changed: bool,
    has_frame: bool,
    rate: RateControl,
    frames: FrameLoop,
    sessions: LiveSessions,
    judge: Judge,
    previews: Previews,
    sampler: Sampler,
    snapshot: Writer<Snapshot>,
    /// The last snapshot that was sent.
    shown: Snapshot,
    pace: Pace,
    /// What painted the last frame.
    painted_by: Option<RenderTarget>,
    /// A device that can decode frames failed to decode one.
    declined_raw: bool,
    clock: Clock,
}

/// The result of one call of [`Live::serve`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// There was nothing to paint.
    Nothing,
    /// A picture was sent.
    Picture,
}

impl Live {
    /// Starts as `start` specifies, with the device and the loader of `painter`.
    pub fn new(start: LiveStart, painter: &Painter, clock: Clock) -> Self {
        let LiveStart { input, output, wake_up, snapshot, settings, number, changes, control } =
            start;
        let device = painter.backend().device();
        Self {
            input,
            rate: RateControl::new(settings.stylization.size, device.kind),
            settings: Inbox::new((settings, number), changes),
            changed: true,
            has_frame: false,
            frames: FrameLoop::new(output, wake_up, control, clock.clone(), &device),
            sessions: LiveSessions::new(&painter.loader),
            judge: Judge::default(),
            previews: Previews::new(clock()),
            sampler: Sampler::default(),
            snapshot,
            shown: Snapshot::default(),
            pace: Pace::default(),
            painted_by: None,
            declined_raw: false,
            clock,
        }
    }

    /// Receivers of every picture in addition to the surface. They are independent of the source, so the next run can
    /// keep them.
    pub fn sinks(&mut self) -> &mut Sinks {
        &mut self.frames.sinks
    }

    /// Sends the sinks a finer picture of the held frame, shown from time `at` on. Does nothing once the pictures
    /// continue.
    pub fn record_finer(&mut self, picture: &Frame, at: Instant) {
        if self.settings.current.frozen {
            self.frames.sinks.take(picture, at);
        }
    }

    /// Handles an event of the source.
    pub fn note_source(&mut self, event: CaptureEvent, send: &mut dyn FnMut(LiveEvent)) {
        self.shown.source.note(&event);
        self.put_snapshot();
        send(LiveEvent::Source(event));
    }

    /// Paints these previews from now on; an empty list stops them.
    pub fn set_previews(&mut self, previews: Vec<Preview>, painter: &mut Painter) {
        self.previews.set(previews, painter);
    }

    fn put_snapshot(&mut self) {
        self.snapshot.value.clone_from(&self.shown);
        self.snapshot.put();
    }

    /// Sends a new snapshot, and an event about the session that is being prepared, if these changed.
    fn show(&mut self, send: &mut dyn FnMut(LiveEvent)) {
        let preparing = self.sessions.preparing();
        let damaged_frames = self.input.damaged_frames();
        if (self.shown.preparing, self.shown.damaged_frames) == (preparing, damaged_frames) {
            return;
        }
        let is_new = self.shown.preparing != preparing;
        (self.shown.preparing, self.shown.damaged_frames) = (preparing, damaged_frames);
        self.put_snapshot();
        if is_new {
            send(LiveEvent::Preparing(preparing));
        }
    }

    /// Sets the size of frames that the source should send.
    fn adjust_source(&self) {
        let frozen = self.settings.current.frozen;
        let upscales = self.settings.current.upscale;
        self.input.adjust(self.rate.source_px(upscales), frozen);
    }

    /// Takes the newest settings, if there are new ones.
    fn take_settings(&mut self) {
        let Some(before) = self.settings.take() else {
            return;
        };
        let settings = &self.settings.current;
        self.rate.set_size(settings.stylization.size);
        let paints_otherwise = !settings.costs_like(&before);
        if paints_otherwise {
            self.rate.forget();
            // The change may make the pictures equal or unequal.
            self.judge.equality = None;
        }
        self.sessions.scheduler.settings_changed(paints_otherwise);
        self.changed = true;
        self.adjust_source();
    }

    /// Paints the newest frame, or the last one again if something changed, and sends the resulting events.
    pub fn serve(&mut self, devices: &mut Devices, send: &mut dyn FnMut(LiveEvent)) -> Served {
        self.take_settings();
        let served = self.serve_frame(devices, send);
        self.show(send);
        served
    }

    fn serve_frame(&mut self, devices: &mut Devices, send: &mut dyn FnMut(LiveEvent)) -> Served {
        let fresh = !self.settings.current.frozen && self.input.frames.take();
        self.has_frame |= fresh;
        // A session that was loaded for a preview is no reason to paint the large picture again.
        self.changed |= self.sessions.is_loading() && self.sessions.has_next(devices);
        if !self.has_frame {
            return Served::Nothing;
        }
        if !(fresh || self.changed) {
            if self.sessions.has_next(devices) {
                let context = &mut LiveContext { devices, previews: &mut self.previews, send };
                self.sessions.take_loaded(context, &self.settings.current);
                self.serve_previews(devices.first_mut());
            }
            return Served::Nothing;
        }
        self.changed = false;
        let mut begun = self.frames.begin(&self.input.frames.value, fresh);
        let size = self.working_size(begun.size);
        // Terminates: a target is refused once, and a lost device is replaced by one that cannot be lost.
        let painted = loop {
            let context = &mut LiveContext { devices, previews: &mut self.previews, send };
            let settings = &self.settings.current;
            let next = (self.sessions).choose(context, settings, size, self.pace.work);
            if std::mem::take(&mut self.sessions.was_replaced) {
                self.judge.names = None;
                self.sampler.forget_device();
            }
            let target = match next {
                Next::Target(target) => target,
                Next::Source => {
                    let size = if settings.upscale { begun.size } else { size };
                    let options = FrameOptions::new(begun.size, size, settings);
                    self.frames.take(&mut begun, &mut self.input.frames.value);
                    break self.frames.show_source(&self.input.frames.value.frame, options);
                }
                Next::Nothing => {
                    self.changed = true;
                    return Served::Nothing;
                }
            };
            match self.paint(devices, &target, &mut begun) {
                Ok(painted) => break painted,
                Err(BackendError::Cancelled) => return Served::Nothing,
                Err(error) => {
                    let context = &mut LiveContext { devices, previews: &mut self.previews, send };
                    self.sessions.failed(context, error, &self.settings.current, target);
                }
            }
        };
        let for_raw = self.sessions.for_raw(painted.options.steadiness > 0);
        self.input.set_takes_raw(!self.declined_raw && for_raw.is_some());
        let work = self.hand_over(&begun, &painted);
        if self.settings.current.sample {
            if let Some(RenderTarget::One(slot)) = self.sessions.scheduler.serving() {
                let source = &self.input.frames.value.frame;
                let frames = (&mut self.frames, source, &painted);
                (self.sampler).sample(devices.first_mut(), &slot.key, frames, &self.clock, send);
            }
        } else {
            self.sampler.stop();
        }
        self.pace.note(begun.at, work, (self.clock)());
        self.serve_previews(devices.first_mut());
        Served::Picture
    }

    /// The size at which a frame of the source is painted. Without a network an automatic size would save nothing, so
    /// the source is shown at full size.
    fn working_size(&self, (width, height): (usize, usize)) -> (usize, usize) {
        let settings = &self.settings.current;
        match (&settings.stylization.network, settings.stylization.size) {
            (None, LiveSize::Auto { .. }) => (width, height),
            _ => size_for(settings, &self.rate, (width, height)),
        }
    }

    /// Paints a target whose sessions are open.
    fn paint(
        &mut self,
        devices: &mut Devices,
        target: &RenderTarget,
        begun: &mut FrameInProgress,
    ) -> Result<Painted, BackendError> {
        let mut options = FrameOptions::new(begun.size, target.size(), &self.settings.current);
        if let RenderTarget::Pair(_) = target {
            options.steadiness = 0;
        }
        if self.painted_by.as_ref() != Some(target) {
            self.painted_by = Some(target.clone());
            // The painting before was painted otherwise.
            self.frames.steadier.reset();
        }
        let raw = self.paint_raw(devices, options)?;
        self.frames.take(begun, &mut self.input.frames.value);
        if let Some(painted) = raw {
            return Ok(painted);
        }
        let frame = &self.input.frames.value.frame;
        let slots = match target {
            RenderTarget::One(slot) => {
                let scale_ms = self.frames.scale(frame, &options, false);
                let run = self.run(devices, slot, options, 0)?;
                return Ok(Painted::by_one(options, scale_ms, slot.key.spec.mode, run));
            }
            RenderTarget::Pair(slots) => slots,
        };
        let scale_ms = self.frames.scale(frame, &options, true);
        let mut runs = [None; 2];
        for at in self.judge.next_order() {
            runs[at] = Some(self.run(devices, &slots[at], options, at)?);
        }
        let [Some(first), Some(second)] = runs else {
            return Err(BackendError::Internal("one of two modes did not paint"));
        };
        let (runs, modes) = ([first, second], slots.each_ref().map(|slot| slot.key.spec.mode));
        if let Some(pictures) = self.frames.pair(&options) {
            self.judge.judge(pictures, modes.map(|mode| mode.precision), (self.clock)());
        }
        self.judge.name(slots, || {
            slots.each_ref().map(|slot| {
                let painter = devices.get_mut(slot.device);
                let session = painter.and_then(|p| p.pool.session(&slot.key));
                let asked = || slot.key.spec.mode.to_string();
                session.map_or_else(asked, |session| session.summary().label())
            })
        });
        Ok(Painted {
            options,
            scale_ms,
            mode: Some(modes[0]),
            runs,
            pair: Some(ModePairTimes {
                modes,
                ms: runs.map(|run| run.timing.total_ms),
                methods: runs.map(|run| run.timing.method),
            }),
        })
    }

    /// Paints the frame in the camera's format, if it is not decoded yet and the device can decode it.
    fn paint_raw(
        &mut self,
        devices: &mut Devices,
        options: FrameOptions,
    ) -> Result<Option<Painted>, BackendError> {
        if self.input.frames.value.raw().is_none() || self.declined_raw {
            return Ok(None);
        }
        let Some(slot) = self.sessions.for_raw(options.steadiness > 0).cloned() else {
            return Ok(None);
        };
        let run = self.with_session(devices, &slot, |frames, session, input, meanwhile| {
            frames.paint_raw(session, &mut input.frames.value, &options, meanwhile)
        })?;
        self.declined_raw = run.is_none();
        Ok(run.map(|run| Painted::by_one(options, 0.0, slot.key.spec.mode, run)))
    }

    /// Runs one session on the scaled frame, for picture `at` of a comparison.
    fn run(
        &mut self,
        devices: &mut Devices,
        slot: &SessionSlot,
        options: FrameOptions,
        at: usize,
    ) -> Result<Run, BackendError> {
        self.with_session(devices, slot, |frames, session, input, meanwhile| {
            frames.paint(session, &input.frames.value.frame, &options, at, meanwhile)
        })
    }

    /// Paints with one session. Immediately requests sessions for settings that arrive meanwhile.
    fn with_session<T>(
        &mut self,
        devices: &mut Devices,
        slot: &SessionSlot,
        paint: impl FnOnce(
            &mut FrameLoop,
            &mut dyn Session,
            &mut Input,
            &mut dyn FnMut(),
        ) -> Result<T, BackendError>,
    ) -> Result<T, BackendError> {
        let painter = devices.get_mut(slot.device);
        // The scheduler returns only targets whose sessions are open.
        let taken = painter.and_then(|painter| painter.pool.take_out(&slot.key));
        let mut session = taken.ok_or(BackendError::Internal("a session is missing"))?;
        let source = self.input.frames.value.size();
        let Self { settings, rate, sessions, frames, input, .. } = &mut *self;
        let mut prefetch = || {
            let Some(next) = settings.peek() else {
                return;
            };
            let mut rate = rate.clone();
            rate.set_size(next.stylization.size);
            sessions.prefetch(devices, next, size_for(next, &rate, source));
        };
        let painted = paint(frames, session.as_mut(), input, &mut prefetch);
        if let Some(painter) = devices.get_mut(slot.device) {
            painter.pool.put_back(session);
        }
        painted
    }

    /// Sends the picture to the sinks, and its cost to the rate control. Returns the time that it took.
    fn hand_over(&mut self, begun: &FrameInProgress, painted: &Painted) -> Duration {
        let is_opening = self.sessions.scheduler.is_opening();
        if !is_opening {
            self.settings.note_carried_out();
        }
        let (settings, source) = (self.settings.carried_out, &self.input.frames);
        let facts = self.frames.hand_over(begun, painted, settings, source, &self.judge);
        let now = (self.clock)();
        let work = now - begun.at;
        if painted.mode.is_some() && !is_opening {
            self.rate.note(FrameCost::of(begun, &facts, work), now);
            self.adjust_source();
        }
        work
    }

    /// Paints a preview, or requests its session.
    fn serve_previews(&mut self, painter: &mut Painter) {
        // The session that the large picture waits for is loaded first.
        let may_load = !self.sessions.is_loading();
        // A preview has its own network and size, and few frames.
        let Stylization { network: _, size: _, mode, look, steadiness: _, mask: _ } =
            self.settings.current.stylization;
        // Already decoded unless painting was cancelled.
        self.frames.decode(&mut self.input.frames.value);
        let turn = Turn {
            frame: self.frames.smallest(&self.input.frames.value.frame),
            mode,
            look,
            busy: self.pace.busy,
            may_load,
        };
        self.previews.serve(painter, &turn, &self.frames.control, &self.clock);
    }

    /// Measures two modes against each other on frames of the source, at the current size. Live painting pauses
    /// meanwhile. `control` reports progress and can cancel.
    ///
    /// # Errors
    /// [`MeasureError`] if there is nothing to measure with, a device lacks a mode, or a run fails or is stopped.
    pub fn measure(
        &mut self,
        devices: &mut Devices,
        job: &MeasureJob,
        control: &RunControl,
    ) -> Result<MeasureReport, MeasureError> {
        let network = self.settings.current.stylization.network.clone();
        let network = network.ok_or(MeasureError::Nothing)?;
        if !self.has_frame {
            return Err(MeasureError::Nothing);
        }
        let (settings, rate) = (&self.settings.current, &self.rate);
        let size_of = |source| size_for(settings, rate, source);
        let pictures = some_pictures(&mut self.input, size_of);
        // A measurement opens its own sessions, and those of live pictures may leave too little memory for them.
        self.sessions.close_all(devices);
        self.previews.forget_device();
        self.changed = true;
        measure(devices.first(), job, &network, &pictures, control)
    }
}
