//! The frame loop: one frame from the source to the sinks, as values: [`Begun`], then [`Painted`] in some [`Way`], then
//! [`Facts`].
//!
//! Keeps only memory from frame to frame, and knows neither settings nor the loading of sessions. After the first frames
//! of a size it allocates nothing, unless two modes are compared. Belongs to the engine's thread.

use std::{
    num::NonZero,
    slice::{from_mut, from_ref},
    sync::Arc,
    thread::available_parallelism,
    time::Instant,
};

use super::{
    compare::Judge,
    pace::{Clock, ms},
    picture::{Facts, LivePicture, ModePairTimes, Stages},
    scaler::{Scaler, fit, pixel, sides},
    sink::Sinks,
};
use crate::{
    backend::{
        BackendError, Composition, DeviceInfo, Input, Job, RunControl, Session, unless_declined,
    },
    capture::Captured,
    compose::{Look, compose_into},
    engine::WakeUp,
    frame::Frame,
    mailbox::{Reader, Writer},
    media::upscale::Upscaler,
    mode::{DeviceChoice, Mode},
    parallel_copy,
    timing::RunTiming,
};

/// A frame that is being painted.
#[derive(Clone, Copy)]
pub struct Begun {
    /// When the engine began with it.
    pub at: Instant,
    /// When the source had it; for a frame that is painted again, when that began.
    pub captured_at: Instant,
    /// Columns and rows of the source's frame.
    pub size: (usize, usize),
    /// Milliseconds of copying it for the surface, and of decoding it if the source did not; `None` before that.
    pub copy_ms: Option<f32>,
    stages: Stages,
}

/// How a frame is painted.
#[derive(Clone, Copy)]
pub struct Way {
    /// Columns and rows that the network sees.
    pub working: (usize, usize),
    /// Whether the picture is brought up to the source's size, which is larger.
    pub upscales: bool,
    /// Strength and colours.
    pub look: Look,
}

impl Way {
    /// That of a frame of the size `source`, brought up to it if it is to be `upscaled` and the working size is smaller.
    pub fn new(
        source: (usize, usize),
        working: (usize, usize),
        upscaled: bool,
        look: Look,
    ) -> Self {
        let is_smaller = working.0 < source.0 || working.1 < source.1;
        Self { working, upscales: upscaled && is_smaller, look }
    }
}

/// Which picture of a frame is painted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Half {
    /// The picture; of a comparison the first one.
    First,
    /// The second picture of a comparison.
    Second,
}

/// A session's run on a frame.
#[derive(Clone, Copy)]
pub struct Run {
    pub timing: RunTiming,
    /// Whether the device composed the picture.
    pub is_composed: bool,
}

/// A frame that was painted.
#[derive(Clone, Copy)]
pub struct Painted {
    pub way: Way,
    pub scale_ms: f32,
    /// Variant and precision; `None` when the source is shown as it is.
    pub mode: Option<Mode>,
    /// The runs of both halves; the second one counts only in a comparison.
    pub runs: [Run; 2],
    /// Both sides of a comparison.
    pub pair: Option<ModePairTimes>,
}

impl Painted {
    /// By one session.
    pub fn by_one(way: Way, scale_ms: f32, mode: Mode, run: Run) -> Self {
        Self { way, scale_ms, mode: Some(mode), runs: [run; 2], pair: None }
    }
}

/// The memory that frames take on their way, and the receivers of their pictures.
pub struct FrameLoop {
    output: Writer<LivePicture>,
    wake_up: WakeUp,
    sinks: Sinks,
    scaler: Scaler,
    upscaler: Upscaler,
    /// The network's pictures if they are not handed over as they are.
    network: [Frame; 2],
    /// Where a frame is decoded before it is turned.
    scratch: Frame,
    control: Arc<RunControl>,
    clock: Clock,
    painted: u64,
}

impl FrameLoop {
    /// Pictures go to `output`, and `wake_up` is called after each; `control` ends a run. `device` paints.
    pub fn new(
        output: Writer<LivePicture>,
        wake_up: WakeUp,
        control: Arc<RunControl>,
        clock: Clock,
        device: &DeviceInfo,
    ) -> Self {
        // As many as paint, if the processor does.
        let threads = match device.kind {
            DeviceChoice::Cpu => device.threads,
            DeviceChoice::Cuda | DeviceChoice::Auto => {
                available_parallelism().map_or(1, NonZero::get)
            }
        };
        Self {
            output,
            wake_up,
            sinks: Sinks::default(),
            scaler: Scaler::default(),
            upscaler: Upscaler::new(threads),
            network: [pixel(), pixel()],
            scratch: pixel(),
            control,
            clock,
            painted: 0,
        }
    }

    /// Where every picture goes in addition to the surface.
    pub fn sinks(&mut self) -> &mut Sinks {
        &mut self.sinks
    }

    /// Ends a run.
    pub fn control(&self) -> &RunControl {
        &self.control
    }

    /// Begins with the source's newest frame, or again with the last one when it is not `fresh`.
    pub fn begin(&self, captured: &Captured, fresh: bool) -> Begun {
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
        Begun { at, captured_at, size: captured.size(), copy_ms: None, stages }
    }

    /// Copies the frame for the surface, once, decoded first if that was not done yet.
    pub fn take(&mut self, begun: &mut Begun, captured: &mut Captured) {
        if begun.copy_ms.is_some() {
            return;
        }
        let began = (self.clock)();
        let frame = captured.decoded(&mut self.scratch);
        let original = &mut self.output.value.original;
        fit(original, sides(frame));
        parallel_copy::copy(original.rgba_mut(), frame.rgba());
        begun.copy_ms = Some(ms((self.clock)() - began));
    }

    /// Decodes the frame, if that was not done yet.
    pub fn decode(&mut self, captured: &mut Captured) {
        captured.decoded(&mut self.scratch);
    }

    /// The source's frame at the working size if that was made, else as it is.
    pub fn smallest<'a>(&'a self, source: &'a Frame) -> &'a Frame {
        self.scaler.smallest(source)
    }

    /// Paints a frame as a camera sent it; the device decodes and composes it. `None` if it does not, or if the frame is
    /// decoded already.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub fn paint_raw(
        &mut self,
        session: &mut dyn Session,
        captured: &mut Captured,
        way: &Way,
        meanwhile: Option<&mut dyn FnMut()>,
    ) -> Result<Option<Run>, BackendError> {
        self.scaler.begin();
        let picture = &mut self.output.value;
        picture.other = None;
        let painted = &mut picture.painted;
        fit(painted, if way.upscales { captured.size() } else { way.working });
        let timing = captured.decode_with(|frame, upright| {
            let input = Input::Raw { frame, upright };
            let job = match way.upscales {
                true => Job {
                    input,
                    paintings: &mut [],
                    composition: Some(Composition {
                        source: None,
                        blend: way.look.into(),
                        to: painted,
                    }),
                },
                false => Job { input, paintings: from_mut(painted), composition: None },
            };
            unless_declined(session.run(job, &self.control, meanwhile))
        })?;
        Ok(timing.map(|timing| Run { timing, is_composed: way.upscales }))
    }

    /// Brings the source's frame to the working size and makes room for one picture or two; returns the milliseconds that
    /// it took.
    pub fn scale(&mut self, frame: &Frame, way: &Way, is_pair: bool) -> f32 {
        let began = (self.clock)();
        self.scaler.begin();
        self.scaler.make(frame, way.working);
        let picture = &mut self.output.value;
        if !is_pair {
            picture.other = None;
        }
        let other = is_pair.then(|| picture.other.get_or_insert_with(pixel));
        let [first, second] = &mut self.network;
        fit(if way.upscales { first } else { &mut picture.painted }, way.working);
        if let Some(other) = other {
            fit(if way.upscales { second } else { other }, way.working);
        }
        ms((self.clock)() - began)
    }

    /// Paints the frame that was scaled, and composes it if the device does; `meanwhile` is called again and again.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub fn paint(
        &mut self,
        session: &mut dyn Session,
        source: &Frame,
        way: &Way,
        half: Half,
        mut meanwhile: Option<&mut dyn FnMut()>,
    ) -> Result<Run, BackendError> {
        let picture = &mut self.output.value;
        let [first, second] = &mut self.network;
        let scaled = self.scaler.of(source, way.working);
        let is_pair = picture.other.is_some();
        let (mut to, painting) = match (half, &mut picture.other) {
            (Half::Second, Some(other)) => (other, second),
            _ => (&mut picture.painted, first),
        };
        if way.upscales {
            fit(to, sides(&picture.original));
            let source = Some(&picture.original);
            let job = Job {
                input: Input::Frames(from_ref(scaled)),
                // A comparison judges the network's own pictures.
                paintings: if is_pair { from_mut(painting) } else { &mut [] },
                composition: Some(Composition { source, blend: way.look.into(), to }),
            };
            let meanwhile = meanwhile.as_mut().map(|m| &mut **m as &mut dyn FnMut());
            if let Some(timing) = unless_declined(session.run(job, &self.control, meanwhile))? {
                return Ok(Run { timing, is_composed: true });
            }
            to = painting;
        }
        let timing = session.run(Job::frame(scaled, to), &self.control, meanwhile)?;
        Ok(Run { timing, is_composed: false })
    }

    /// Shows the source's frame at the working size as it is.
    pub fn show_source(&mut self, source: &Frame, way: Way) -> Painted {
        let scale_ms = self.scale(source, &way, false);
        let scaled = self.scaler.of(source, way.working);
        parallel_copy::copy(self.output.value.painted.rgba_mut(), scaled.rgba());
        let run = Run { timing: RunTiming::host(0.0), is_composed: true };
        Painted { way, scale_ms, mode: None, runs: [run; 2], pair: None }
    }

    /// Both pictures of a comparison, as the network made them.
    pub fn pair(&self, way: &Way) -> Option<[&Frame; 2]> {
        let picture = &self.output.value;
        let other = picture.other.as_ref()?;
        Some(if way.upscales { self.network.each_ref() } else { [&picture.painted, other] })
    }

    /// Brings the picture up to the source's size and lays it over the source, as far as the device did not.
    fn compose(&mut self, painted: &Painted) {
        let Way { working, upscales, look } = painted.way;
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

    /// Composes the picture of the `source`'s frame, painted by the settings of this number, and hands it to the sinks
    /// and the surface.
    pub fn hand_over(
        &mut self,
        begun: &Begun,
        painted: &Painted,
        settings: u64,
        source: &Reader<Captured>,
        judge: &Judge,
    ) -> Facts {
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
            captured_at: begun.captured_at,
            ready_at,
            stages: Stages {
                scale_ms: painted.scale_ms,
                upload_ms: timing.upload_ms as f32,
                network_ms: timing.total_ms as f32,
                download_ms: timing.download_ms as f32,
                compose_ms: timing.compose_ms as f32 + ms(ready_at - composing),
                ..begun.stages
            },
            working: painted.way.working,
            mode: painted.mode,
            method: timing.method,
            pair: painted.pair,
        };
        let picture = &mut self.output.value;
        picture.facts = Some(facts);
        picture.names = judge.names().filter(|_| painted.pair.is_some()).cloned();
        picture.equality = judge.equality().cloned();
        self.sinks.take(&picture.painted, begun.captured_at);
        self.output.put();
        // Before anything else is done for the next frame: the surface can show this one now.
        (self.wake_up)();
        facts
    }

    /// The frame at the working size, and memory for a picture of that size that is not shown: the last picture was
    /// handed over already.
    pub fn unseen<'a>(
        &'a mut self,
        source: &'a Frame,
        way: &Way,
    ) -> (&'a Frame, &'a mut Frame, &'a RunControl) {
        self.scaler.make(source, way.working);
        let unseen = match way.upscales {
            true => &mut self.network[0],
            false => &mut self.output.value.painted,
        };
        fit(unseen, way.working);
        (self.scaler.of(source, way.working), unseen, &self.control)
    }
}
