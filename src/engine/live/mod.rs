//! Live pictures: the newest frame of a source is painted, again and again.
//!
//! Frames come in and pictures go out through exchanges in which the newest wins, so neither the source
//! nor the surface is ever waited for. What a surface wants is one [`LiveOrder`]; a new one counts from
//! the next frame on. Sessions are opened beside those that paint ([`Opener`]), which go on until the new
//! ones are there. When what is asked for cannot be had, what was painted before goes on and
//! the reason is told. A lost device is replaced as for photos. After the first frames of an order nothing
//! is allocated for a frame, unless two modes are compared.
//!
//! Knows no camera and no window. [`Live`] belongs to the engine's thread; time is handed to it, so that
//! tests have their own.

pub mod auto_size;
mod duel;
mod foresight;
mod measuring;
pub mod meter;
mod opener;
mod order;
mod picture;
mod scene;
mod sessions;
mod wall;

pub use foresight::Foretold;
pub use opener::{Opener, Openings};
pub use order::{
    Contestant, DEFAULT_TARGET_FPS, Duel, LiveEvent, LiveOrder, LiveSample, LiveSize, MeasureJob,
    WallPane, WallPicture,
};
pub use picture::{DuelTimes, Facts, LivePicture, Stages};

use std::{
    slice::{from_mut, from_ref},
    sync::Arc,
    time::{Duration, Instant},
};

use crossbeam_channel::Receiver;

use self::{
    auto_size::AutoSize,
    duel::OtherDevice,
    foresight::Foresight,
    scene::{Asked, Choice, Place, Scene, Side},
    sessions::Sessions,
    wall::Wall,
};
use super::{paint::Painter, protocol::LiveStart};
use crate::{
    backend::{BackendError, RunControl},
    capture::{
        Captured,
        exchange::{Reader, Writer},
    },
    compose::{Look, compose_into},
    frame::Frame,
    measure::sample,
    media::{resample::Resampler, scale::size_within},
    mode::{DeviceChoice, Mode, Precision},
    timing::RunTiming,
    verify::Equality,
};

/// Where the automatic size begins, in pixels.
const FIRST_PX: usize = 512;
/// Where it begins on a processor.
const FIRST_PX_ON_CPU: usize = 320;
/// Sessions kept for flipping back at once.
const KEPT_SESSIONS: usize = 6;
/// Time between two samples of the steps at least.
const SAMPLE_EVERY: Duration = Duration::from_millis(500);
/// Part of the time that sampling may take: one in so many.
const SAMPLE_SHARE: u32 = 100;

/// Weight of the newest frame in the share of time that large pictures take.
const BUSY_OF_NEWEST: f64 = 0.1;

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Instant + Send + Sync>;

/// Live painting in progress.
pub struct Live {
    input: Reader<Captured>,
    output: Writer<LivePicture>,
    order: LiveOrder,
    order_number: u64,
    /// Where the next order is told before it comes, and the newest that was heard of there.
    foretold: Arc<Foretold>,
    heard: u64,
    /// Whether the order changed since the last picture.
    changed: bool,
    has_frame: bool,
    ended: bool,
    auto: AutoSize,
    scaled: Frame,
    resampler: Resampler,
    sessions: Sessions,
    other_device: Option<OtherDevice>,
    /// What the last picture was painted with.
    serving: Option<Scene>,
    /// What could not be had.
    refused: Option<Scene>,
    duel_refused: bool,
    openings: Openings,
    /// What is being opened for the large picture.
    asked: Option<Asked>,
    /// Whether what paints only goes on until what is wanted was opened.
    is_opening: bool,
    /// Number of the last order that was carried out, as far as it could be.
    carried_out: u64,
    control: Arc<RunControl>,
    clock: Clock,
    wall: Wall,
    /// When the large picture before was begun.
    began_before: Option<Instant>,
    /// Share of the time that large pictures take, 0 to 1.
    busy: f64,
    /// How long the last one took.
    work: Duration,
    painted: u64,
    next_sample: Option<Instant>,
    /// The precision whose ceiling was told.
    ceiling_of: Option<Precision>,
    next_judgement: Option<Instant>,
    duel_frames: u64,
    /// The sides that are compared, and what they are called.
    duel_names: Option<([Side; 2], Arc<[String; 2]>)>,
    equality: Option<Arc<Equality>>,
}

/// What one call of [`Live::serve`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// There was nothing to paint.
    Nothing,
    /// A picture was handed over.
    Picture,
}

impl Live {
    /// Begins as `start` says; sessions are opened by `openings`.
    pub fn new(start: LiveStart, device: DeviceChoice, clock: Clock, openings: Openings) -> Self {
        let LiveStart {
            input,
            output,
            order,
            number,
            foretold,
            control,
        } = start;
        let first_px = match device {
            DeviceChoice::Cpu => FIRST_PX_ON_CPU,
            _ => FIRST_PX,
        };
        let target_fps = match order.size {
            LiveSize::Auto { target_fps } => target_fps,
            LiveSize::LongSide(_) => DEFAULT_TARGET_FPS,
        };
        Self {
            input,
            output,
            order,
            order_number: number,
            foretold,
            heard: number,
            changed: true,
            has_frame: false,
            ended: false,
            auto: AutoSize::new(target_fps, first_px),
            scaled: Frame::from_fn(1, 1, |_, _| [0; 4]),
            resampler: Resampler::default(),
            sessions: Sessions::new(KEPT_SESSIONS),
            other_device: None,
            serving: None,
            refused: None,
            duel_refused: false,
            openings,
            asked: None,
            is_opening: false,
            carried_out: number,
            control,
            wall: Wall::new(clock()),
            began_before: None,
            busy: 1.0,
            work: Duration::ZERO,
            clock,
            painted: 0,
            next_sample: None,
            ceiling_of: None,
            next_judgement: None,
            duel_frames: 0,
            duel_names: None,
            equality: None,
        }
    }

    /// Rings when there may be a new frame; `None` when the source has ended.
    pub fn doorbell(&self) -> Option<&Receiver<()>> {
        (!self.ended).then(|| self.input.doorbell())
    }

    /// Rings when something was opened, so that there may be something to paint without a new frame.
    pub fn opened(&self) -> &Receiver<()> {
        self.openings.bell()
    }

    /// The source will give no more frames; what changes is painted on the last one.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// Paints by `order` from now on.
    pub fn set_order(&mut self, order: LiveOrder, number: u64) {
        if let LiveSize::Auto { target_fps } = order.size
            && target_fps != self.auto.target_fps()
        {
            self.auto = AutoSize::new(target_fps, self.auto.long_side_px());
        }
        if !order.costs_like(&self.order) {
            self.auto.forget();
            self.equality = None;
            self.duel_refused = false;
        }
        self.refused = None;
        self.order = order;
        self.order_number = number;
        self.heard = self.heard.max(number);
        self.changed = true;
    }

    /// Small pictures are painted for these panes from now on, in turn; for none, none.
    pub fn set_wall(&mut self, panes: Vec<WallPane>) {
        let left = self.wall.set_panes(panes);
        self.openings.retire(left);
    }

    /// Paints the newest frame, if there is one or the order changed, and tells what there is to say.
    pub fn serve(&mut self, painter: &mut Painter, tell: &mut dyn FnMut(LiveEvent)) -> Served {
        let fresh = !self.order.frozen && self.input.take();
        self.has_frame |= fresh;
        // What is opened for the small pictures is no reason to paint the large one anew.
        self.changed |= self.asked.is_some() && self.openings.has_next();
        if !self.has_frame {
            return Served::Nothing;
        }
        if !(fresh || self.changed) {
            if self.openings.has_next() {
                self.take_in(painter, tell);
                self.serve_wall(painter);
            }
            return Served::Nothing;
        }
        self.changed = false;
        let began = (self.clock)();
        let source = &self.input.value;
        let mut stages = Stages {
            capture_ms: source.capture_ms,
            decode_ms: source.decode_ms,
            ..Stages::default()
        };
        if fresh {
            let since = ms(began.saturating_duration_since(source.captured_at));
            stages.wait_ms = (since - source.decode_ms).max(0.0);
        }
        let (captured_at, size) = if fresh {
            (source.captured_at, sides(&source.frame))
        } else {
            // A picture of an old frame is no older than the wish for it.
            (began, sides(&source.frame))
        };
        fit(&mut self.output.value.original, size);
        (self.output.value.original.rgba_mut()).copy_from_slice(self.input.value.frame.rgba());
        let working = self.working_size(size);

        // Ends: a scene is refused once, a lost device is replaced by one that cannot be lost.
        let run = loop {
            let scene = match self.choose(painter, working, tell) {
                Choice::Scene(scene) => scene,
                Choice::Source => break self.show_source(working),
                Choice::Wait => {
                    self.changed = true;
                    return Served::Nothing;
                }
            };
            match self.paint(painter, &scene) {
                Ok(run) => break run,
                Err(BackendError::Cancelled) => return Served::Nothing,
                Err(error) => self.failed(painter, error, scene, tell),
            }
        };
        if !self.is_opening {
            self.carried_out = self.order_number;
        }
        let serving = self.serving.as_ref();
        let stands_in = serving.is_some_and(|scene| self.stand_in(scene).is_some());
        stages.scale_ms = run.scale_ms;
        stages.upload_ms = run.timing.upload_ms as f32;
        stages.network_ms = run.timing.total_ms as f32;
        stages.download_ms = run.timing.download_ms as f32;
        let composing = (self.clock)();
        let painted_size = sides(&self.output.value.painted);
        self.compose(run.mode.is_some());
        let ready_at = (self.clock)();
        stages.compose_ms = ms(ready_at - composing);
        self.painted += 1;
        let counts = self.input.counts();
        self.output.value.equality.clone_from(&self.equality);
        self.output.value.names = match &self.duel_names {
            Some((_, names)) if run.duel.is_some() => Some(names.clone()),
            _ => None,
        };
        self.output.value.facts = Some(Facts {
            order: self.carried_out,
            painted: self.painted,
            captured: counts.written,
            dropped: counts.dropped,
            sequence: self.input.value.sequence,
            captured_at,
            ready_at,
            stages,
            working: painted_size,
            mode: run.mode,
            stands_in,
            method: run.timing.method,
            duel: run.duel,
        });
        self.output.put();

        let now = (self.clock)();
        self.work = now - began;
        let is_telling = run.mode.is_some() && !self.is_opening && !stands_in;
        if let (LiveSize::Auto { .. }, true) = (self.order.size, is_telling) {
            let long = painted_size.0.max(painted_size.1);
            let work_ms = (now - began).as_secs_f64() * 1e3;
            (self.auto).note(work_ms, long, size.0.max(size.1), now);
        }
        self.sample(painter, run, tell);
        self.note_busy(began, now);
        self.serve_wall(painter);
        Served::Picture
    }

    /// Paints a small picture, or has one's session opened.
    fn serve_wall(&mut self, painter: &Painter) {
        let tools = (self.control.as_ref(), &self.clock);
        // What the large picture waits for is opened first.
        let openings = self.asked.is_none().then_some(&mut self.openings);
        let load = (self.busy, self.sessions.bytes());
        (self.wall).serve(
            painter,
            openings,
            &self.scaled,
            self.order.mode,
            tools,
            load,
        );
    }

    /// Notes what share of the time the large pictures take.
    fn note_busy(&mut self, began: Instant, ended: Instant) {
        if let Some(before) = self.began_before.replace(began) {
            let between = began.saturating_duration_since(before).as_secs_f64();
            let took = (ended - began).as_secs_f64();
            let busy = (took / between.max(1e-6)).min(1.0);
            self.busy += BUSY_OF_NEWEST * (busy - self.busy);
        }
    }

    fn working_size(&self, (width, height): (usize, usize)) -> (usize, usize) {
        let px = match self.order.size {
            LiveSize::Auto { .. } => self.auto.long_side_px(),
            LiveSize::LongSide(px) => px,
        };
        size_within(width, height, px)
    }

    /// Brings the frame to `size`; milliseconds.
    fn scale(&mut self, size: (usize, usize)) -> f32 {
        let began = (self.clock)();
        fit(&mut self.scaled, size);
        (self.resampler).resample(&self.input.value.frame, &mut self.scaled);
        ms((self.clock)() - began)
    }

    /// Paints a scene whose sessions are open.
    fn paint(&mut self, painter: &Painter, scene: &Scene) -> Result<Run, BackendError> {
        let side = match scene {
            Scene::Two(sides) => return self.paint_duel(painter, sides),
            Scene::One(side) => side,
        };
        self.output.value.other = None;
        let size = scene.size();
        let scale_ms = self.scale(size);
        fit(&mut self.output.value.painted, size);
        Ok(Run {
            mode: Some(side.target.spec.mode),
            timing: self.paint_side(painter, side, None)?,
            scale_ms,
            duel: None,
        })
    }

    /// Paints what was scaled in one way, into `other` or the output's painting, and hears of new orders
    /// meanwhile.
    fn paint_side(
        &mut self,
        painter: &Painter,
        side: &Side,
        other: Option<&mut Frame>,
    ) -> Result<RunTiming, BackendError> {
        let to = match other {
            Some(other) => other,
            None => &mut self.output.value.painted,
        };
        if let (Place::Other, Some(device)) = (side.place, &mut self.other_device) {
            let session = device.sessions.get(&side.target);
            let session = session.ok_or(BackendError::EMPTY_BATCH)?;
            return session.paint(&self.scaled, to, &self.control);
        }
        let held_bytes = self.sessions.bytes() + self.wall.bytes() + painter.kept_bytes();
        // Whoever paints a scene has seen to it that it is open.
        let lent = self.sessions.lend(&side.target);
        let mut session = lent.ok_or(BackendError::EMPTY_BATCH)?;
        let mut foresight = Foresight {
            foretold: &self.foretold,
            heard: &mut self.heard,
            painter,
            sessions: &self.sessions,
            held_bytes,
            auto: &self.auto,
            source: sides(&self.input.value.frame),
            openings: &mut self.openings,
            asked: &mut self.asked,
        };
        let look = &mut || foresight.look();
        let (inputs, outputs) = (from_ref(&self.scaled), from_mut(to));
        let painted = session.run(inputs, outputs, &self.control, Some(look));
        self.sessions.take_back(session);
        painted
    }

    fn show_source(&mut self, working: (usize, usize)) -> Run {
        self.output.value.other = None;
        let scale_ms = self.scale(working);
        fit(&mut self.output.value.painted, working);
        (self.output.value.painted.rgba_mut()).copy_from_slice(self.scaled.rgba());
        Run {
            mode: None,
            timing: RunTiming::host(0.0),
            scale_ms,
            duel: None,
        }
    }

    /// Lays the paintings over the frame, where a person wants less than all of them.
    fn compose(&mut self, is_painted: bool) {
        if !is_painted || self.order.look == Look::default() {
            return;
        }
        let picture = &mut self.output.value;
        compose_into(&self.scaled, &mut picture.painted, self.order.look);
        if let Some(other) = &mut picture.other {
            compose_into(&self.scaled, other, self.order.look);
        }
    }

    /// Times the steps now and then, so rarely that it costs a small share of the time.
    fn sample(&mut self, painter: &mut Painter, run: Run, tell: &mut dyn FnMut(LiveEvent)) {
        if !self.order.sample {
            self.next_sample = None;
            return;
        }
        let began = (self.clock)();
        if self.next_sample.is_some_and(|at| began < at) {
            return;
        }
        let (Some(Scene::One(side)), Some(mode)) = (self.serving.clone(), run.mode) else {
            return;
        };
        let target = side.target;
        if self.ceiling_of != Some(mode.precision) {
            self.ceiling_of = Some(mode.precision);
            // Where it cannot be found out, the panel does without.
            let ceiling = sample::ceiling(painter.backend().as_ref(), mode.precision);
            let ceiling = ceiling.unwrap_or_default();
            tell(LiveEvent::Ceiling(ceiling));
        }
        let Some(session) = self.sessions.get(&target) else {
            return;
        };
        let convolver = session.summary().conv_provider;
        // The picture is out already; the next one has room of its own.
        let unseen = &mut self.output.value.painted;
        fit(unseen, sides(&self.scaled));
        // A failure comes again with the next frame, where it is dealt with.
        let steps = sample::step_times(session, &self.scaled, unseen, &self.control);
        let steps = steps.unwrap_or_default();
        let cost = (self.clock)() - began;
        self.next_sample = Some(began + SAMPLE_EVERY.max(cost * SAMPLE_SHARE));
        tell(LiveEvent::Sample(Arc::new(LiveSample {
            mode,
            convolver,
            width: target.spec.width,
            height: target.spec.height,
            method: run.timing.method,
            total_ms: run.timing.total_ms,
            steps,
            cost_ms: cost.as_secs_f64() * 1e3,
            session_bytes: self.sessions.bytes() + self.wall.bytes() + self.openings.bytes(),
            free_bytes: painter.backend().free_bytes(),
        })));
    }
}

/// What painting a frame gave.
#[derive(Clone, Copy)]
struct Run {
    mode: Option<Mode>,
    timing: RunTiming,
    scale_ms: f32,
    duel: Option<DuelTimes>,
}

fn sides(frame: &Frame) -> (usize, usize) {
    (frame.width(), frame.height())
}

/// Makes `frame` as large as `size`; what it shows is stale either way.
fn fit(frame: &mut Frame, (width, height): (usize, usize)) {
    if sides(frame) != (width, height) {
        frame.resize(width, height);
    }
}

fn ms(duration: Duration) -> f32 {
    duration.as_secs_f32() * 1e3
}
