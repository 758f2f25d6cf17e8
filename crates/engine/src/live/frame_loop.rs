//! The frame loop: takes one frame from the source to the sinks. Its steps are values: [`FrameInProgress`], then
//! [`Painted`] with its [`FrameOptions`], then [`Facts`].
//!
//! Keeps only buffers between frames. Knows neither settings nor the loading of sessions. After the first frames of a
//! size it allocates nothing, unless two modes are compared or the host steadies them. Belongs to the engine's thread.

use std::{borrow::Cow, slice::from_mut, sync::Arc, time::Instant};

use super::{
    compare::Judge,
    pace::Clock,
    picture::{Facts, LivePicture, ModePairTimes, Stages},
    scaler::{Scaler, fit, pixel},
    settings::LiveSettings,
    sink::Sinks,
};
use crate::{
    Stylization,
    capture::{Captured, milliseconds as ms},
    steadied::{Steadier, run_steadied},
};
use backend::{
    BackendError, Composition, DeviceInfo, Input, Job, RunControl, Session, unless_declined,
};
use media::upscale::Upscaler;
use threads::{WakeUp, processors};
use values::{
    compose::{Look, compose_into},
    frame::Frame,
    mailbox::{Reader, Writer},
    mode::{DeviceChoice, Mode},
    parallel_copy,
    timing::RunTiming,
};

/// A frame that is being painted.
#[derive(Clone, Copy)]
pub struct FrameInProgress {
    /// When the engine started on it.
    pub at: Instant,
    /// When the source had it; for a frame that is painted again, when that started.
    pub captured_at: Instant,
    /// Columns and rows of the source's frame.
    pub size: (usize, usize),
    /// Milliseconds of copying it for the surface, including decoding if the source did not; `None` before that.
    pub copy_ms: Option<f32>,
    stages: Stages,
}

/// How a frame is painted.
#[derive(Clone, Copy)]
pub struct FrameOptions {
    /// Columns and rows of the network's input.
    pub working: (usize, usize),
    /// The picture is upscaled to the source's size.
    pub upscales: bool,
    /// Strength and colours.
    pub look: Look,
    /// See [`Stylization::steadiness`].
    pub steadiness: u8,
}

impl FrameOptions {
    /// For a frame of size `source`. It is upscaled if that is set and the working size is smaller.
    pub fn new(source: (usize, usize), working: (usize, usize), settings: &LiveSettings) -> Self {
        // What is left out has chosen the session. Masks are for photos and films.
        let Stylization { network: _, size: _, mode: _, look, steadiness, mask: _ } =
            settings.stylization;
        let is_smaller = working.0 < source.0 || working.1 < source.1;
        Self { working, upscales: settings.upscale && is_smaller, look, steadiness }
    }
}

/// A session's run on a frame.
#[derive(Clone, Copy)]
pub struct Run {
    pub timing: RunTiming,
    /// The device steadied the picture.
    pub is_steady: bool,
    /// The device composed the picture.
    pub is_composed: bool,
}

/// A painted frame.
#[derive(Clone, Copy)]
pub struct Painted {
    pub options: FrameOptions,
    pub scale_ms: f32,
    /// `None` if the source is shown unpainted.
    pub mode: Option<Mode>,
    /// The runs of both pictures; the second is valid only in a comparison.
    pub runs: [Run; 2],
    /// Both sides of a comparison.
    pub pair: Option<ModePairTimes>,
}

impl Painted {
    /// Painted by one session.
    pub fn by_one(options: FrameOptions, scale_ms: f32, mode: Mode, run: Run) -> Self {
        Self { options, scale_ms, mode: Some(mode), runs: [run; 2], pair: None }
    }
}

/// The buffers of frames, and the receivers of their pictures.
pub struct FrameLoop {
    output: Writer<LivePicture>,
    wake_up: WakeUp,
    /// Receivers of every picture in addition to the surface.
    pub sinks: Sinks,
    scaler: Scaler,
    upscaler: Upscaler,
    pub steadier: Steadier,
    /// The network's output, if it is not sent as it is.
    network: [Frame; 2],
    /// Decoding target before orientation is applied.
    scratch: Frame,
    /// Cancelled to end a run.
    pub control: Arc<RunControl>,
    clock: Clock,
    painted: u64,
}

impl FrameLoop {
    /// Sends pictures to `output` and calls `wake_up` after each; `control` ends a run. `device` paints.
    pub fn new(
        output: Writer<LivePicture>,
        wake_up: WakeUp,
        control: Arc<RunControl>,
        clock: Clock,
        device: &DeviceInfo,
    ) -> Self {
        // If the CPU paints, uses the same number of threads.
        let threads = match device.kind {
            DeviceChoice::Cpu => device.threads,
            DeviceChoice::Cuda | DeviceChoice::Auto => processors(),
        };
        Self {
            output,
            wake_up,
            sinks: Sinks::default(),
            scaler: Scaler::default(),
            upscaler: Upscaler::new(threads),
            steadier: Steadier::new(threads),
            network: [pixel(), pixel()],
            scratch: pixel(),
            control,
            clock,
            painted: 0,
        }
    }

    /// Starts on the source's newest frame, or again on the last one if it is not `fresh`.
    pub fn begin(&self, captured: &Captured, fresh: bool) -> FrameInProgress {
        let at = (self.clock)();
        let mut stages = Stages {
            capture_ms: captured.capture_ms,
            decode_ms: captured.decode_ms,
            ..Stages::default()
        };
        if fresh {
            let since = ms(at.saturating_duration_since(captured.captured_at));
            stages.wait_ms = (since - captured.decode_ms).max(0.0);
        }
        let captured_at = if fresh { captured.captured_at } else { at };
        FrameInProgress { at, captured_at, size: captured.size(), copy_ms: None, stages }
    }

    /// Copies the frame for the surface, once. Decodes it first if needed.
    pub fn take(&mut self, begun: &mut FrameInProgress, captured: &mut Captured) {
        if begun.copy_ms.is_some() {
            return;
        }
        let began = (self.clock)();
        let frame = captured.decoded(&mut self.scratch);
        let original = &mut self.output.value.original;
        fit(original, frame.size());
        parallel_copy::copy(original.rgba_mut(), frame.rgba());
        begun.copy_ms = Some(ms((self.clock)() - began));
    }

    /// Decodes the frame if needed.
    pub fn decode(&mut self, captured: &mut Captured) {
        captured.decoded(&mut self.scratch);
    }

    /// The source's frame at the working size if it has been scaled, otherwise at its own size.
    pub fn smallest<'a>(&'a self, source: &'a Frame) -> &'a Frame {
        self.scaler.smallest(source)
    }

    /// Paints a frame in the camera's format; the device decodes and composes it. Returns `None` if the device cannot,
    /// or if the frame is already decoded.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub fn paint_raw(
        &mut self,
        session: &mut dyn Session,
        captured: &mut Captured,
        options: &FrameOptions,
        meanwhile: &mut dyn FnMut(),
    ) -> Result<Option<Run>, BackendError> {
        self.scaler.begin();
        let steadiness = self.steadier.steadiness(options.steadiness);
        let picture = &mut self.output.value;
        picture.other = None;
        let painted = &mut picture.painted;
        fit(painted, if options.upscales { captured.size() } else { options.working });
        let timing = captured.decode_with(|frame, upright| {
            let input = Input::Raw { frame, upright };
            let composition =
                |to| Some(Composition { source: None, blend: options.look.into(), to });
            let job = if options.upscales {
                Job { composition: composition(painted), ..Job::new(input, &mut []) }
            } else {
                Job::new(input, from_mut(painted))
            };
            let job = Job { steadiness, ..job };
            unless_declined(session.run(job, &self.control, Some(&mut *meanwhile)))
        })?;
        Ok(timing.map(|timing| Run {
            timing,
            is_steady: steadiness.is_some(),
            is_composed: options.upscales,
        }))
    }

    /// Scales the source's frame to the working size and sizes the buffers for one picture or two. Returns the elapsed
    /// milliseconds.
    pub fn scale(&mut self, frame: &Frame, options: &FrameOptions, is_pair: bool) -> f32 {
        let began = (self.clock)();
        self.scaler.begin();
        self.scaler.make(frame, options.working);
        let picture = &mut self.output.value;
        if !is_pair {
            picture.other = None;
        }
        let other = is_pair.then(|| picture.other.get_or_insert_with(pixel));
        let [first, second] = &mut self.network;
        fit(if options.upscales { first } else { &mut picture.painted }, options.working);
        if let Some(other) = other {
            fit(if options.upscales { second } else { other }, options.working);
        }
        ms((self.clock)() - began)
    }

    /// Paints the scaled frame as picture `at`, 0 or in a comparison also 1, and steadies and composes it if the device
    /// can. Calls `meanwhile` repeatedly while the device works.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub fn paint(
        &mut self,
        session: &mut dyn Session,
        source: &Frame,
        options: &FrameOptions,
        at: usize,
        meanwhile: &mut dyn FnMut(),
    ) -> Result<Run, BackendError> {
        let steadiness = self.steadier.steadiness(options.steadiness);
        let steadiness = steadiness.filter(|_| session.capabilities().steadies);
        let picture = &mut self.output.value;
        let [first, second] = &mut self.network;
        let scaled = self.scaler.of(source, options.working);
        let is_pair = picture.other.is_some();
        let (mut to, painting) = match (at, &mut picture.other) {
            (1, Some(other)) => (other, second),
            _ => (&mut picture.painted, first),
        };
        if options.upscales {
            fit(to, picture.original.size());
        }
        // What the host steadies, it also composes.
        let composes = options.steadiness == 0 || steadiness.is_some();
        if options.upscales && composes {
            let source = Some(&picture.original);
            let job = Job {
                input: Input::Frames(&[scaled]),
                // A comparison checks the network's own pictures for equality.
                paintings: if is_pair { from_mut(&mut *painting) } else { &mut [] },
                composition: Some(Composition { source, blend: options.look.into(), to: &mut *to }),
                steadiness,
            };
            if let Some(timing) =
                unless_declined(session.run(job, &self.control, Some(&mut *meanwhile)))?
            {
                return Ok(Run { timing, is_steady: steadiness.is_some(), is_composed: true });
            }
        }
        if options.upscales {
            to = painting;
        }
        let (control, meanwhile) = (&*self.control, Some(meanwhile));
        let (timing, is_steady) =
            run_steadied(session, &[scaled], from_mut(to), steadiness, control, meanwhile)?;
        Ok(Run { timing, is_steady, is_composed: false })
    }

    /// Shows the source's frame at the working size, unpainted.
    pub fn show_source(&mut self, source: &Frame, options: FrameOptions) -> Painted {
        let scale_ms = self.scale(source, &options, false);
        let scaled = self.scaler.of(source, options.working);
        parallel_copy::copy(self.output.value.painted.rgba_mut(), scaled.rgba());
        let run = Run { timing: RunTiming::host(0.0), is_steady: false, is_composed: true };
        Painted { options, scale_ms, mode: None, runs: [run; 2], pair: None }
    }

    /// Both pictures of a comparison, as the network made them.
    pub fn pair(&self, options: &FrameOptions) -> Option<[&Frame; 2]> {
        let picture = &self.output.value;
        let other = picture.other.as_ref()?;
        Some(if options.upscales { self.network.each_ref() } else { [&picture.painted, other] })
    }

    /// Makes the network's picture steady, unless the device did. Returns the elapsed milliseconds.
    fn make_steady(&mut self, painted: &Painted) -> f32 {
        let Painted { options, runs: [run, _], .. } = *painted;
        let began = (self.clock)();
        let picture = &mut self.output.value;
        let source = self.scaler.of(&picture.original, options.working);
        let painting = if options.upscales { &mut self.network[0] } else { &mut picture.painted };
        let source = |_| Cow::Borrowed(source);
        self.steadier.steadied(run.is_steady, options.steadiness, painting, source);
        match (run.is_steady, options.steadiness) {
            (true, _) => run.timing.steady_ms as f32,
            (false, 0) => 0.0,
            (false, _) => ms((self.clock)() - began),
        }
    }

    /// Upscales the picture to the source's size and composes it with the source, unless the device did.
    fn compose(&mut self, painted: &Painted) {
        let FrameOptions { working, upscales, look, .. } = painted.options;
        // Both are applied pixel by pixel, also by the upscaler and the device.
        let Look { strength_percent: _, keep_colors: _ } = look;
        let picture = &mut self.output.value;
        let pictures = std::iter::once(&mut picture.painted).chain(&mut picture.other);
        for ((to, network), run) in pictures.zip(&self.network).zip(painted.runs) {
            if run.is_composed {
                continue;
            }
            if upscales {
                let painting = (self.scaler.of(&picture.original, working), network);
                (self.upscaler).compose(painting, &picture.original, look, to);
            } else if look != Look::default() {
                self.scaler.make(&picture.original, working);
                compose_into(self.scaler.of(&picture.original, working), to, look);
            }
        }
    }

    /// Composes the picture of the `source`'s frame, painted with the settings of this number, and sends it to the
    /// sinks and the surface.
    pub fn hand_over(
        &mut self,
        begun: &FrameInProgress,
        painted: &Painted,
        settings: u64,
        source: &Reader<Captured>,
        judge: &Judge,
    ) -> Facts {
        let steady_ms = self.make_steady(painted);
        let composing = (self.clock)();
        self.compose(painted);
        let ready_at = (self.clock)();
        self.painted += 1;
        let timing = painted.runs[0].timing;
        let counts = source.counts();
        let facts = Facts {
            settings,
            painted: self.painted,
            captured: counts.written,
            dropped: counts.dropped,
            sequence: source.value.sequence,
            film_seconds: source.value.film_seconds,
            captured_at: begun.captured_at,
            ready_at,
            stages: Stages {
                scale_ms: painted.scale_ms,
                upload_ms: timing.upload_ms as f32,
                network_ms: timing.total_ms as f32,
                download_ms: timing.download_ms as f32,
                steady_ms,
                compose_ms: timing.compose_ms as f32 + ms(ready_at - composing),
                ..begun.stages
            },
            working: painted.options.working,
            mode: painted.mode,
            method: timing.method,
            pair: painted.pair,
        };
        let picture = &mut self.output.value;
        picture.facts = Some(facts);
        picture.names = judge.names().filter(|_| painted.pair.is_some()).cloned();
        picture.equality = judge.equality.clone();
        self.sinks.take(&picture.painted, begun.captured_at);
        self.output.put();
        // Called before any work for the next frame, so that the surface can show this picture now.
        (self.wake_up)();
        facts
    }

    /// The frame at the working size, and a buffer of that size for a picture that is not shown. The last picture has
    /// already been sent.
    pub fn unseen<'a>(
        &'a mut self,
        source: &'a Frame,
        options: &FrameOptions,
    ) -> (&'a Frame, &'a mut Frame, &'a RunControl) {
        self.scaler.make(source, options.working);
        let unseen =
            if options.upscales { &mut self.network[0] } else { &mut self.output.value.painted };
        fit(unseen, options.working);
        (self.scaler.of(source, options.working), unseen, &self.control)
    }
}
