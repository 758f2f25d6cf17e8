//! The frame loop: one frame from the source to the picture: scaled, painted, brought up to the source's size,
//! composed, handed to the sinks.
//!
//! Knows neither settings nor the loading of sessions. After the first frames of a size it allocates nothing,
//! unless two modes are compared. Belongs to the engine's thread.

use std::{
    num::NonZero,
    slice::{from_mut, from_ref},
    sync::Arc,
    thread::available_parallelism,
    time::Instant,
};

use super::{
    clock::{Clock, ms},
    picture::{Facts, LivePicture, ModePairTimes, Stages},
};
use crate::{
    backend::{
        BackendError, Composition, DeviceInfo, Input, Job, RunControl, Session, unless_declined,
    },
    capture::Captured,
    compose::{Look, compose_into},
    engine::WakeUp,
    frame::Frame,
    mailbox::Writer,
    media::{record::FrameSink, resample::Resampler, upscale::Upscaler},
    mode::{DeviceChoice, Mode},
    parallel_copy,
    timing::RunTiming,
    verify::Equality,
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
    /// Milliseconds of copying it for the surface, and of decoding it where the source did not.
    pub copy_ms: f32,
    stages: Stages,
}

/// The result of painting a frame.
#[derive(Clone, Copy)]
pub struct Painted {
    /// Variant and precision; `None` when the source is shown as it is.
    pub mode: Option<Mode>,
    /// Time of the run.
    pub timing: RunTiming,
    /// Both sides of a comparison.
    pub pair: Option<ModePairTimes>,
}

/// Counts and numbers that a picture carries.
#[derive(Clone, Copy)]
pub struct Numbers {
    /// Number of the settings by which it was painted.
    pub settings: u64,
    /// Frames that the source gave so far.
    pub captured: u64,
    /// Frames that a newer one replaced before the engine took them.
    pub dropped: u64,
    /// Number of the source's frame.
    pub sequence: u64,
}

/// Which picture of a frame is painted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Half {
    /// The picture; of a comparison the first one.
    First,
    /// The second picture of a comparison.
    Second,
}

/// The present frame, and the sinks of its picture.
pub struct FrameLoop {
    output: Writer<LivePicture>,
    wake_up: WakeUp,
    recording: Option<FrameSink>,
    scaled: Scaled,
    scale_ms: f32,
    upscaler: Upscaler,
    /// Whether the present picture is brought up to the source's size.
    upscales: bool,
    /// The network's pictures where they are not handed over as they are.
    network: [Frame; 2],
    /// Which of them the device composed already.
    composed: [bool; 2],
    /// Whether the surface's copy of the present frame is there.
    is_taken: bool,
    /// Where a frame is decoded before it is turned.
    scratch: Frame,
    control: Arc<RunControl>,
    clock: Clock,
    painted: u64,
}

/// The source's frame at the working size.
struct Scaled {
    /// The working size.
    size: (usize, usize),
    /// The frame, where it was made and the working size is not the source's.
    frame: Frame,
    is_made: bool,
    resampler: Resampler,
}

impl Scaled {
    /// The frames that follow have this working size.
    fn begin(&mut self, size: (usize, usize)) {
        self.size = size;
        self.is_made = false;
    }

    /// Makes it of the source's frame, where it was not made.
    fn make(&mut self, source: &Frame) {
        if std::mem::replace(&mut self.is_made, true) || self.size == sides(source) {
            return;
        }
        fit(&mut self.frame, self.size);
        self.resampler.resample(source, &mut self.frame);
    }

    /// It, once it was made; the source's own where that has the working size.
    fn of<'a>(&'a self, source: &'a Frame) -> &'a Frame {
        match self.size == sides(source) {
            true => source,
            false => &self.frame,
        }
    }
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
        // As many as paint, where the processor does.
        let threads = match device.kind {
            DeviceChoice::Cpu => device.threads,
            DeviceChoice::Cuda | DeviceChoice::Auto => {
                available_parallelism().map_or(1, NonZero::get)
            }
        };
        let pixel = || Frame::from_fn(1, 1, |_, _| [0; 4]);
        Self {
            output,
            wake_up,
            recording: None,
            scaled: Scaled {
                size: (1, 1),
                frame: pixel(),
                is_made: false,
                resampler: Resampler::default(),
            },
            scale_ms: 0.0,
            upscaler: Upscaler::new(threads),
            upscales: false,
            network: [pixel(), pixel()],
            composed: [false; 2],
            is_taken: false,
            scratch: pixel(),
            control,
            clock,
            painted: 0,
        }
    }

    /// Where every picture is recorded.
    pub fn recording(&mut self) -> &mut Option<FrameSink> {
        &mut self.recording
    }

    /// Ends a run.
    pub fn control(&self) -> &RunControl {
        &self.control
    }

    /// Begins with the source's newest frame, or again with the last one when it is not `fresh`.
    pub fn begin(&mut self, captured: &Captured, fresh: bool) -> Begun {
        let at = (self.clock)();
        self.is_taken = false;
        let mut stages = Stages {
            capture_ms: captured.capture_ms,
            decode_ms: captured.decode_ms,
            ..Stages::default()
        };
        if fresh {
            let since = ms(at.saturating_duration_since(captured.captured_at));
            stages.wait_ms = (since - captured.decode_ms).max(0.0);
        }
        Begun {
            at,
            captured_at: if fresh { captured.captured_at } else { at },
            size: captured.size(),
            copy_ms: 0.0,
            stages,
        }
    }

    /// Copies the frame for the surface, decoded first where nobody has done so yet; once for a frame.
    pub fn take(&mut self, begun: &mut Begun, captured: &mut Captured) {
        if std::mem::replace(&mut self.is_taken, true) {
            return;
        }
        let began = (self.clock)();
        let frame = captured.decoded(&mut self.scratch);
        let original = &mut self.output.value.original;
        fit(original, sides(frame));
        parallel_copy::copy(original.rgba_mut(), frame.rgba());
        begun.copy_ms = ms((self.clock)() - began);
    }

    /// Decodes the frame, where nobody has done so yet.
    pub fn decode(&mut self, captured: &mut Captured) {
        captured.decoded(&mut self.scratch);
    }

    /// The source's frame at the working size, where that was made; else as it is.
    pub fn smallest<'a>(&'a self, source: &'a Frame) -> &'a Frame {
        match self.scaled.is_made {
            true => self.scaled.of(source),
            false => source,
        }
    }

    /// Paints a frame as a camera sent it at the working size `size`, and brings it up to the source's if it is to be
    /// `upscaled`; the device decodes and composes it. `None` where it does not, or where the frame is decoded already.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub fn paint_raw(
        &mut self,
        session: &mut dyn Session,
        captured: &mut Captured,
        (size, upscaled, look): ((usize, usize), bool, Look),
        meanwhile: Option<&mut dyn FnMut()>,
    ) -> Result<Option<RunTiming>, BackendError> {
        let source = captured.size();
        self.begin_painting(source, size, upscaled);
        let picture = &mut self.output.value;
        picture.other = None;
        fit(&mut picture.painted, if self.upscales { source } else { size });
        let timing = captured.decode_with(|raw, upright| {
            let painted = &mut picture.painted;
            let input = Input::Raw { frame: raw, upright };
            let job = match self.upscales {
                true => Job {
                    input,
                    paintings: &mut [],
                    composition: Some(Composition { source: None, look, to: painted }),
                },
                false => Job { input, paintings: from_mut(painted), composition: None },
            };
            unless_declined(session.run(job, &self.control, meanwhile))
        })?;
        self.composed[Half::First as usize] = self.upscales && timing.is_some();
        Ok(timing)
    }

    /// The next picture of a frame of the size `source` is painted at `size`, and brought up to the source's if it is to be
    /// `upscaled` and is smaller.
    fn begin_painting(&mut self, source: (usize, usize), size: (usize, usize), upscaled: bool) {
        self.upscales = upscaled && (size.0 < source.0 || size.1 < source.1);
        self.scaled.begin(size);
        self.scale_ms = 0.0;
        self.composed = [false; 2];
    }

    /// Brings the source's frame to the working size, for one picture or two, which are brought up to the source's
    /// size afterwards if they are to be `upscaled` and are smaller.
    pub fn scale(
        &mut self,
        frame: &Frame,
        size: (usize, usize),
        (is_pair, upscaled): (bool, bool),
    ) {
        let began = (self.clock)();
        self.begin_painting(sides(frame), size, upscaled);
        self.scaled.make(frame);
        let picture = &mut self.output.value;
        let [first, second] = &mut self.network;
        let nothing = || Frame::from_fn(1, 1, |_, _| [0; 4]);
        let other = match is_pair {
            true => Some(picture.other.get_or_insert_with(nothing)),
            false => {
                picture.other = None;
                None
            }
        };
        match self.upscales {
            true => fit(first, size),
            false => fit(&mut picture.painted, size),
        }
        if let Some(other) = other {
            fit(if self.upscales { second } else { other }, size);
        }
        self.scale_ms = ms((self.clock)() - began);
    }

    /// Paints the frame at the working size, of the source's `source`, and composes it with `look` where the device does;
    /// `meanwhile` is called again and again.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub fn paint(
        &mut self,
        session: &mut dyn Session,
        source: &Frame,
        (half, look): (Half, Look),
        mut meanwhile: Option<&mut dyn FnMut()>,
    ) -> Result<RunTiming, BackendError> {
        let picture = &mut self.output.value;
        let [first, second] = &mut self.network;
        let scaled = self.scaled.of(source);
        self.composed[half as usize] = false;
        if self.upscales {
            let is_pair = picture.other.is_some();
            let (to, painting) = match (half, &mut picture.other) {
                (Half::Second, Some(other)) => (other, &mut *second),
                _ => (&mut picture.painted, &mut *first),
            };
            fit(to, sides(&picture.original));
            let job = Job {
                input: Input::Frames(from_ref(scaled)),
                // A comparison judges the network's own pictures.
                paintings: if is_pair { from_mut(painting) } else { &mut [] },
                composition: Some(Composition { source: Some(&picture.original), look, to }),
            };
            let meanwhile = meanwhile.as_mut().map(|m| &mut **m as &mut dyn FnMut());
            if let Some(timing) = unless_declined(session.run(job, &self.control, meanwhile))? {
                self.composed[half as usize] = true;
                return Ok(timing);
            }
        }
        let to = match (half, &mut picture.other, self.upscales) {
            (Half::First, _, true) => first,
            (Half::Second, Some(_), true) => second,
            (Half::Second, Some(other), false) => other,
            _ => &mut picture.painted,
        };
        session.run(Job::frame(scaled, to), &self.control, meanwhile)
    }

    /// Shows the frame at the working size as it is, of the source's `source`.
    pub fn show_source(&mut self, source: &Frame) -> Painted {
        let scaled = self.scaled.of(source);
        parallel_copy::copy(self.output.value.painted.rgba_mut(), scaled.rgba());
        Painted { mode: None, timing: RunTiming::host(0.0), pair: None }
    }

    /// Both pictures of a comparison, as the network made them.
    pub fn pair(&self) -> Option<[&Frame; 2]> {
        let picture = &self.output.value;
        let other = picture.other.as_ref()?;
        Some(match self.upscales {
            true => self.network.each_ref(),
            false => [&picture.painted, other],
        })
    }

    /// Brings the picture up to the source's size where that was wanted, and composes it with the source.
    fn compose(&mut self, look: Look) {
        let picture = &mut self.output.value;
        let pictures = std::iter::once(&mut picture.painted).chain(&mut picture.other);
        for ((to, network), composed) in pictures.zip(&self.network).zip(self.composed) {
            if composed {
                continue;
            }
            if self.upscales {
                let painting = (&self.scaled.frame, network);
                (self.upscaler).compose(painting, &picture.original, look, to);
            } else if look != Look::default() {
                self.scaled.make(&picture.original);
                compose_into(self.scaled.of(&picture.original), to, look);
            }
        }
    }

    /// Composes the picture and hands it to the sinks.
    pub fn hand_over(
        &mut self,
        begun: &Begun,
        painted: &Painted,
        look: Look,
        numbers: Numbers,
        (names, equality): (Option<&Arc<[String; 2]>>, Option<&Arc<Equality>>),
    ) -> Facts {
        let composing = (self.clock)();
        if painted.mode.is_some() {
            self.compose(look);
        }
        let ready_at = (self.clock)();
        self.painted += 1;
        let facts = Facts {
            settings: numbers.settings,
            painted: self.painted,
            captured: numbers.captured,
            dropped: numbers.dropped,
            sequence: numbers.sequence,
            captured_at: begun.captured_at,
            ready_at,
            stages: Stages {
                scale_ms: self.scale_ms,
                upload_ms: painted.timing.upload_ms as f32,
                network_ms: painted.timing.total_ms as f32,
                download_ms: painted.timing.download_ms as f32,
                compose_ms: painted.timing.compose_ms as f32 + ms(ready_at - composing),
                ..begun.stages
            },
            working: self.scaled.size,
            mode: painted.mode,
            method: painted.timing.method,
            pair: painted.pair,
        };
        let picture = &mut self.output.value;
        picture.facts = Some(facts);
        picture.names = names.cloned();
        picture.equality = equality.cloned();
        if self.recording.as_ref().is_some_and(FrameSink::has_ended) {
            self.recording = None;
        }
        if let Some(sink) = &mut self.recording {
            sink.push(&picture.painted, begun.captured_at);
        }
        self.output.put();
        // Before anything else is done for the next frame: the surface can show this one now.
        (self.wake_up)();
        facts
    }

    /// The frame at the working size, of the source's `source`, and memory for a picture of that size that is not shown:
    /// the last picture was handed over already.
    pub fn unseen<'a>(
        &'a mut self,
        source: &'a Frame,
    ) -> (&'a Frame, &'a mut Frame, &'a RunControl) {
        self.scaled.make(source);
        let unseen = match self.upscales {
            true => &mut self.network[0],
            false => &mut self.output.value.painted,
        };
        fit(unseen, self.scaled.size);
        let scaled = self.scaled.of(source);
        (scaled, unseen, &self.control)
    }
}

/// Columns and rows of a frame.
pub fn sides(frame: &Frame) -> (usize, usize) {
    (frame.width(), frame.height())
}

/// Makes `frame` as large as `size`; its pixels are stale either way.
pub fn fit(frame: &mut Frame, (width, height): (usize, usize)) {
    if sides(frame) != (width, height) {
        frame.resize(width, height);
    }
}
