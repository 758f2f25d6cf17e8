//! Live painting on a made-up device, with a clock of the test's own.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that fails by expect says why it expected otherwise"
)]

mod support;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use styleforge::{
    backend::{
        Backend, BackendError, DeviceInfo, InspectSession, NormTap, OpenDevice, RunControl,
        Selected, Session, SessionSpec, run_one_by_one,
    },
    capture::Captured,
    engine::{
        Engine,
        live::{
            Contestant, Duel, Facts, Live, LiveEvent, LiveOrder, LivePicture, LiveSample, LiveSize,
            Opener, Openings, Served, WallPane, WallPicture,
        },
        paint::Painter,
        protocol::{Event, LiveStart, NumberedOrder},
    },
    frame::Frame,
    mailbox::{Reader, Writer, mailbox},
    mode::{DeviceChoice, Mode, ModeChoice, Precision, Variant},
    network::{Network, NetworkSpec},
    plan::PlanSummary,
    tensor::Tensor,
    timing::{RunTiming, StepTiming},
};
use support::{
    Script, ScriptedBackend, network,
    real_time::{PATIENCE, within},
};

/// What the device does, and the time that it takes.
struct World {
    start: Instant,
    now_ns: AtomicU64,
    ns_a_pixel: AtomicU64,
    /// Columns beyond which memory does not suffice.
    widest: AtomicUsize,
    opened: AtomicUsize,
    /// Bytes that sessions may hold together.
    memory_bytes: AtomicUsize,
    /// Whether the device tells how much memory it has.
    tells_memory: AtomicBool,
    /// Bytes of every session that is open.
    held: Mutex<Vec<usize>>,
    /// Columns of the session that was begun to be opened last.
    begun_px: AtomicUsize,
    /// Whether opening waits, and what is searched for; it hears a wish to give up unless it is deaf.
    holds_opening: AtomicBool,
    holds_searches: AtomicBool,
    is_deaf: AtomicBool,
    /// What becomes of what is opened next instead.
    opening_fails: Mutex<Vec<Trouble>>,
    /// Runs until the device is lost; none is lost at 0.
    lost_after: AtomicUsize,
    /// Everything that was painted: mode and nanoseconds.
    runs: Mutex<Vec<(Mode, u64)>>,
    /// Whether the baseline is only opened after a search, and something stands in for it meanwhile.
    searches: AtomicBool,
    /// Sessions that stood in for others.
    stood_in: AtomicUsize,
    /// Levels by which the baseline is off.
    baseline_off: AtomicUsize,
    /// What happens while the next picture is painted.
    while_painting: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

/// What befalls a session that is being opened.
#[derive(Clone, Copy)]
enum Trouble {
    Loss,
    Panic,
    NoMemory,
}

impl World {
    fn held_bytes(&self) -> usize {
        self.held.lock().unwrap().iter().sum()
    }

    fn now(&self) -> Instant {
        self.start + Duration::from_nanos(self.now_ns.load(Ordering::SeqCst))
    }

    fn pass(&self, ns: u64) {
        self.now_ns.fetch_add(ns, Ordering::SeqCst);
    }

    fn pass_ms(&self, ms: u64) {
        self.pass(ms * 1_000_000);
    }
}

struct Device {
    world: Arc<World>,
    kind: DeviceChoice,
}

impl Backend for Device {
    fn device(&self) -> DeviceInfo {
        DeviceInfo {
            kind: self.kind,
            name: "Made-up device".to_owned(),
            threads: 1,
            instructions: String::new(),
        }
    }

    fn supports(&self, mode: Mode) -> Result<(), BackendError> {
        if mode.precision != Precision::Bf16 {
            return Ok(());
        }
        Err(BackendError::Unsupported {
            mode: mode.to_string(),
            device: "Made-up device".to_owned(),
            reason: "it has no bf16; choose fp16".to_owned(),
        })
    }

    fn auto_precision(&self, _: Variant) -> Precision {
        Precision::Fp32
    }

    fn predicted_bytes(&self, _: &NetworkSpec, spec: &SessionSpec) -> u64 {
        spec.width as u64
    }

    fn free_bytes(&self) -> Option<u64> {
        let world = &self.world;
        let memory_bytes = world.memory_bytes.load(Ordering::SeqCst);
        let tells = world.tells_memory.load(Ordering::SeqCst);
        tells.then(|| (memory_bytes - world.held_bytes()) as u64)
    }

    fn open_while_wanted(
        &self,
        network: &Arc<Network>,
        spec: &SessionSpec,
        control: &RunControl,
    ) -> Result<Box<dyn Session>, BackendError> {
        let world = &self.world;
        self.supports(spec.mode)?;
        let no_memory = |needed_bytes, free_bytes| BackendError::OutOfDeviceMemory {
            needed_bytes,
            free_bytes,
            width: spec.width,
            height: spec.height,
        };
        if spec.width > world.widest.load(Ordering::SeqCst) {
            return Err(no_memory(2_000_000, 1_000_000));
        }
        world.begun_px.store(spec.width, Ordering::SeqCst);
        let held = match self.searches(network.spec(), spec) {
            true => &world.holds_searches,
            false => &world.holds_opening,
        };
        while held.load(Ordering::SeqCst) {
            if control.is_cancelled() && !world.is_deaf.load(Ordering::SeqCst) {
                return Err(BackendError::Cancelled);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let trouble = world.opening_fails.lock().unwrap().pop();
        match trouble {
            Some(Trouble::Loss) => {
                return Err(BackendError::DeviceLost {
                    device: "Made-up device".to_owned(),
                    reason: "made up".to_owned(),
                });
            }
            Some(Trouble::Panic) => panic!("made up"),
            Some(Trouble::NoMemory) => return Err(no_memory(spec.width as u64, 1)),
            None => {}
        }
        let free = world.memory_bytes.load(Ordering::SeqCst) - world.held_bytes();
        if spec.width > free {
            return Err(no_memory(spec.width as u64, free as u64));
        }
        self.world.opened.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(self.run(spec)))
    }

    fn searches(&self, _: &NetworkSpec, spec: &SessionSpec) -> bool {
        let searches = self.world.searches.load(Ordering::SeqCst);
        searches && spec.mode.variant == Variant::Baseline
    }

    fn open_stand_in(
        &self,
        _: &Arc<Network>,
        spec: &SessionSpec,
        _: &RunControl,
    ) -> Result<Box<dyn Session>, BackendError> {
        self.world.stood_in.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(self.run(spec)))
    }
}

impl Device {
    fn run(&self, spec: &SessionSpec) -> Run {
        self.world.held.lock().unwrap().push(spec.width);
        Run {
            world: self.world.clone(),
            spec: *spec,
            kind: self.kind,
        }
    }
}

struct Run {
    world: Arc<World>,
    spec: SessionSpec,
    kind: DeviceChoice,
}

impl Drop for Run {
    fn drop(&mut self) {
        let mut held = self.world.held.lock().unwrap();
        let at = held.iter().position(|&bytes| bytes == self.spec.width);
        held.swap_remove(at.expect("it was counted"));
    }
}

impl Session for Run {
    fn summary(&self) -> PlanSummary {
        PlanSummary::untold(self.spec.mode, 1, (self.spec.width, self.spec.height))
    }

    fn run(
        &mut self,
        inputs: &[Frame],
        outputs: &mut [Frame],
        control: &RunControl,
        meanwhile: Option<&mut dyn FnMut()>,
    ) -> Result<RunTiming, BackendError> {
        if let Some(meanwhile) = meanwhile {
            if let Some(happens) = self.world.while_painting.lock().unwrap().take() {
                happens();
            }
            meanwhile();
        }
        run_one_by_one(inputs, outputs, control, |input, output| {
            self.paint_frame(input, output)
        })
    }

    fn inspect(&mut self) -> Option<&mut dyn InspectSession> {
        Some(self)
    }
}

impl InspectSession for Run {
    fn run_tensor(&mut self, _: &Frame, _: Option<NormTap<'_>>) -> Result<Tensor, BackendError> {
        unreachable!("a live run looks at no maps")
    }

    fn profile(
        &mut self,
        input: &Frame,
        output: &mut Frame,
        control: &RunControl,
    ) -> Result<Vec<StepTiming>, BackendError> {
        let run = self.paint(input, output, control)?;
        Ok(vec![StepTiming {
            layer: "conv1".to_owned(),
            kernel: "all of it".to_owned(),
            ms: run.total_ms,
            flops: 1,
            bytes: 1,
        }])
    }
}

impl Run {
    fn paint_frame(
        &mut self,
        input: &Frame,
        output: &mut Frame,
    ) -> Result<RunTiming, BackendError> {
        assert_eq!(
            (input.width(), input.height()),
            (self.spec.width, self.spec.height)
        );
        assert_eq!(
            (output.width(), output.height()),
            (self.spec.width, self.spec.height)
        );
        if self.kind == DeviceChoice::Cuda
            && self.world.lost_after.load(Ordering::SeqCst) > 0
            && self.world.lost_after.fetch_sub(1, Ordering::SeqCst) == 1
        {
            return Err(BackendError::DeviceLost {
                device: "Made-up device".to_owned(),
                reason: "made up".to_owned(),
            });
        }
        let ns = (input.pixel_count() as u64) * self.world.ns_a_pixel.load(Ordering::SeqCst);
        self.world.pass(ns);
        self.world.runs.lock().unwrap().push((self.spec.mode, ns));
        let off = match self.spec.mode.variant {
            Variant::Baseline => self.world.baseline_off.load(Ordering::SeqCst) as u8,
            _ => 0,
        };
        for (out, inn) in output.rgba_mut().chunks_mut(4).zip(input.rgba().chunks(4)) {
            for c in 0..3 {
                out[c] = (255 - inn[c]).saturating_sub(off);
            }
            out[3] = inn[3];
        }
        Ok(RunTiming::host(ns as f64 / 1e6))
    }
}

/// A live run and everything around it.
struct Studio {
    world: Arc<World>,
    frames: Writer<Captured>,
    pictures: Reader<LivePicture>,
    live: Live,
    settings: Arc<Mutex<Writer<Option<NumberedOrder>>>>,
    /// Opens sessions on a thread of its own. Ends after its asker.
    _opener: Option<Opener>,
    painter: Painter,
    order: LiveOrder,
    orders: u64,
    told: Vec<LiveEvent>,
}

fn mode(words: &str) -> ModeChoice {
    words.parse().expect("a mode")
}

/// A side of a comparison on the device in use.
fn side(words: &str) -> Contestant {
    Contestant {
        device: DeviceChoice::Auto,
        mode: mode(words),
    }
}

/// Everything as it is usually wanted, at this size.
fn order(size: LiveSize) -> LiveOrder {
    LiveOrder::new(Some(network()), size, mode("fused"))
}

fn still(width: usize, height: usize) -> Captured {
    Captured {
        frame: Frame::from_fn(width, height, |_, _| [0, 0, 0, 255]),
        sequence: 0,
        captured_at: Instant::now(),
        capture_ms: 0.0,
        decode_ms: 0.0,
    }
}

impl Studio {
    /// A source of this size on a device of this kind, which opens sessions on the spot.
    fn new(source: (usize, usize), kind: DeviceChoice, size: LiveSize) -> Self {
        Self::with(source, kind, size, None, |_| ())
    }

    /// The same, where sessions are opened beside what paints; `prepare` comes before all.
    fn beside(source: (usize, usize), size: LiveSize, prepare: impl FnOnce(&World)) -> Self {
        let opener = Opener::start().expect("a thread");
        let mut studio = Self::with(source, DeviceChoice::Cuda, size, Some(opener), prepare);
        studio.frame(100);
        studio.until("the first picture", |facts| facts.painted == 1);
        studio
    }

    fn with(
        (width, height): (usize, usize),
        kind: DeviceChoice,
        size: LiveSize,
        opener: Option<Opener>,
        prepare: impl FnOnce(&World),
    ) -> Self {
        let world = Arc::new(World {
            start: Instant::now(),
            now_ns: AtomicU64::new(0),
            ns_a_pixel: AtomicU64::new(10),
            widest: AtomicUsize::new(usize::MAX),
            opened: AtomicUsize::new(0),
            memory_bytes: AtomicUsize::new(usize::MAX / 2),
            tells_memory: AtomicBool::new(false),
            held: Mutex::default(),
            begun_px: AtomicUsize::new(0),
            holds_opening: AtomicBool::new(false),
            holds_searches: AtomicBool::new(false),
            is_deaf: AtomicBool::new(false),
            opening_fails: Mutex::default(),
            lost_after: AtomicUsize::new(0),
            runs: Mutex::default(),
            searches: AtomicBool::new(false),
            stood_in: AtomicUsize::new(0),
            baseline_off: AtomicUsize::new(0),
            while_painting: Mutex::default(),
        });
        prepare(&world);
        let (frames, input) = mailbox(|| still(width, height));
        let (output, pictures) = mailbox(LivePicture::empty);
        let order = order(size);
        let clock = {
            let world = world.clone();
            Arc::new(move || world.now())
        };
        let open: OpenDevice = {
            let world = world.clone();
            Arc::new(move |wanted| {
                let backend = Arc::new(Device {
                    world: world.clone(),
                    kind: match wanted {
                        DeviceChoice::Auto => kind,
                        wanted => wanted,
                    },
                });
                Ok(Selected {
                    backend,
                    notice: None,
                })
            })
        };
        let backend = open(DeviceChoice::Auto).expect("a device").backend;
        let control = Arc::new(RunControl::default());
        let (settings, newest_settings) = mailbox(|| None);
        let start = LiveStart {
            input,
            output,
            order: order.clone(),
            number: 0,
            settings: newest_settings,
            control,
        };
        let openings = opener
            .as_ref()
            .map_or_else(Openings::here, Opener::openings);
        let live = Live::new(start, kind, clock, openings);
        Self {
            painter: Painter::new(backend, open),
            world,
            frames,
            pictures,
            live,
            settings: Arc::new(Mutex::new(settings)),
            _opener: opener,
            order,
            orders: 0,
            told: Vec::new(),
        }
    }

    /// The source has a frame of this brightness now.
    fn frame(&mut self, level: u8) {
        self.frames.value.captured_at = self.world.now();
        self.frames
            .value
            .frame
            .rgba_mut()
            .chunks_mut(4)
            .for_each(|p| p[..3].fill(level));
        self.frames.put();
    }

    fn serve(&mut self) -> Served {
        let told = &mut self.told;
        self.live
            .serve(&mut self.painter, &mut |event| told.push(event))
    }

    /// Changes the order.
    fn order(&mut self, change: impl FnOnce(&mut LiveOrder)) {
        change(&mut self.order);
        self.orders += 1;
        let order = (self.order.clone(), self.orders);
        self.settings.lock().unwrap().send(order);
    }

    /// Frames at 30 a second, painted as they come, for so long.
    fn run(&mut self, seconds: u64) {
        let end = self.world.now() + Duration::from_secs(seconds);
        let mut due = self.world.now();
        while self.world.now() < end {
            self.frame(100);
            self.serve();
            self.pictures.take();
            due += Duration::from_nanos(1_000_000_000 / 30);
            let now = self.world.now();
            match due.checked_duration_since(now) {
                Some(rest) => self.world.pass(rest.as_nanos() as u64),
                None => due = now,
            }
        }
    }

    /// So many frames, each of which becomes a picture.
    fn paints(&mut self, frames: u64) {
        let painted = |s: &Self| s.pictures.value.facts.expect("painted").painted;
        let before = painted(self);
        for _ in 0..frames {
            self.frame(100);
            assert_eq!(self.serve(), Served::Picture);
            assert!(self.pictures.take());
        }
        assert_eq!(painted(self), before + frames);
    }

    /// Serves, without new frames, until a picture is as `done` says.
    fn until(&mut self, what: &str, done: impl Fn(&Facts) -> bool) {
        wait_until(what, || {
            self.serve();
            self.pictures.take();
            self.pictures.value.facts.as_ref().is_some_and(&done)
        });
    }

    fn facts(&self) -> Facts {
        self.pictures.value.facts.expect("painted")
    }

    fn notices(&self) -> usize {
        let is_notice = |event: &&LiveEvent| matches!(event, LiveEvent::Notice(_));
        self.told.iter().filter(is_notice).count()
    }

    fn refusals(&self) -> Vec<String> {
        (self.told.iter())
            .filter_map(|event| match event {
                LiveEvent::Refused(error) => Some(error.to_string()),
                _ => None,
            })
            .collect()
    }

    fn samples(&self) -> Vec<Arc<LiveSample>> {
        (self.told.iter())
            .filter_map(|event| match event {
                LiveEvent::Sample(sample) => Some(sample.clone()),
                _ => None,
            })
            .collect()
    }
}

fn fixed(px: usize) -> LiveSize {
    LiveSize::LongSide(px)
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    support::wait_for(what, || is_so().then_some(()));
}

/// A device whose memory holds so many bytes; a session takes as many as it has columns.
fn holding(bytes: usize) -> impl Fn(&World) {
    move |world| world.memory_bytes.store(bytes, Ordering::SeqCst)
}

#[test]
fn the_newest_frame_is_painted_and_the_others_are_counted() {
    let mut studio = Studio::new((64, 48), DeviceChoice::Cpu, fixed(32));
    assert_eq!(studio.serve(), Served::Nothing, "no frame yet");
    for level in [10, 20, 30] {
        studio.frame(level);
        studio.world.pass_ms(5);
    }
    assert_eq!(studio.serve(), Served::Picture);
    assert_eq!(studio.serve(), Served::Nothing, "painted once");
    assert!(studio.pictures.take());
    let picture = &studio.pictures.value;
    assert_eq!(picture.painted.pixel(3, 3), [225, 225, 225, 255]);
    assert_eq!(picture.original.pixel(3, 3), [30, 30, 30, 255]);
    let facts = picture.facts.expect("painted");
    assert_eq!((facts.captured, facts.dropped, facts.painted), (3, 2, 1));
    assert_eq!(facts.working, (32, 24));
    assert_eq!(
        (picture.original.width(), picture.original.height()),
        (64, 48)
    );
    assert!((facts.stages.wait_ms - 5.0).abs() < 0.01);
    let network_ms = 32.0 * 24.0 * 10.0 / 1e6;
    assert!((f64::from(facts.stages.network_ms) - network_ms).abs() < 1e-4);
}

#[test]
fn what_changes_is_painted_on_the_frame_that_is_there() {
    let mut studio = Studio::new((32, 32), DeviceChoice::Cpu, fixed(32));
    studio.frame(50);
    studio.serve();
    studio.order(|order| order.look.strength_percent = 0);
    assert_eq!(studio.serve(), Served::Picture, "without a new frame");
    assert!(studio.pictures.take());
    let picture = &studio.pictures.value;
    assert_eq!(picture.painted.pixel(0, 0), [50, 50, 50, 255]);
    assert_eq!(picture.facts.expect("painted").order, 1);
    studio.order(|order| order.network = None);
    studio.serve();
    assert!(studio.pictures.take());
    assert_eq!(studio.pictures.value.facts.expect("shown").mode, None);
}

#[test]
fn a_frozen_picture_stays_and_can_be_painted_otherwise() {
    let mut studio = Studio::new((32, 32), DeviceChoice::Cpu, fixed(32));
    studio.frame(50);
    studio.serve();
    studio.order(|order| order.frozen = true);
    studio.serve();
    studio.frame(90);
    assert_eq!(studio.serve(), Served::Nothing);
    studio.order(|order| order.network = Some(network()));
    assert_eq!(studio.serve(), Served::Picture);
    studio.pictures.take();
    assert_eq!(studio.pictures.value.original.pixel(0, 0)[0], 50);
    studio.order(|order| order.frozen = false);
    studio.serve();
    studio.pictures.take();
    assert_eq!(studio.pictures.value.original.pixel(0, 0)[0], 90);
}

#[test]
fn what_cannot_be_had_is_told_once_and_the_old_goes_on() {
    let mut studio = Studio::new((32, 32), DeviceChoice::Cpu, fixed(32));
    studio.run(1);
    let fp32 = studio.pictures.value.facts.expect("painted").mode;
    studio.order(|order| order.mode = mode("fused bf16"));
    studio.run(1);
    assert_eq!(studio.refusals().len(), 1, "{:?}", studio.refusals());
    assert!(studio.refusals()[0].contains("choose fp16"));
    let facts = studio.pictures.value.facts.expect("painted");
    assert_eq!((facts.mode, facts.order), (fp32, 1));
    // Too large for the memory: the size before stays.
    studio.world.widest.store(32, Ordering::SeqCst);
    let mut studio = Studio::new((128, 64), DeviceChoice::Cuda, fixed(32));
    studio.run(1);
    studio.world.widest.store(40, Ordering::SeqCst);
    studio.order(|order| order.size = fixed(64));
    studio.run(1);
    assert_eq!(studio.refusals().len(), 1);
    assert_eq!(
        studio.pictures.value.facts.expect("painted").working,
        (32, 16)
    );
    studio.order(|order| order.size = fixed(40));
    studio.run(1);
    assert_eq!(
        studio.pictures.value.facts.expect("painted").working,
        (40, 20)
    );
}

#[test]
fn styles_modes_and_sizes_are_opened_once() {
    let mut studio = Studio::new((64, 64), DeviceChoice::Cpu, fixed(32));
    let styles = [network(), network(), network()];
    for round in 0..4 {
        for style in &styles {
            studio.order(|order| order.network = Some(style.clone()));
            studio.frame(round);
            assert_eq!(studio.serve(), Served::Picture);
        }
    }
    assert_eq!(studio.world.opened.load(Ordering::SeqCst), 3);
}

#[test]
fn the_automatic_size_follows_the_device() {
    let auto = LiveSize::Auto { target_fps: 30.0 };
    let mut studio = Studio::new((3840, 2160), DeviceChoice::Cpu, auto);
    studio.world.ns_a_pixel.store(2, Ordering::SeqCst);
    studio.run(40);
    let size = |studio: &Studio| studio.pictures.value.facts.expect("painted").working.0;
    assert_eq!(size(&studio), 3840, "17 ms");
    assert!(studio.facts().source_px >= 3840);
    studio.world.ns_a_pixel.store(150, Ordering::SeqCst);
    studio.run(10);
    let smaller = size(&studio);
    let ms = (smaller * smaller * 9 / 16) as f64 * 150.0 / 1e6;
    assert!(ms < 1e3 / 30.0 && smaller >= 448, "{smaller} px, {ms} ms");
    studio.world.ns_a_pixel.store(50_000, Ordering::SeqCst);
    studio.run(60);
    assert_eq!(size(&studio), 256, "then the rate gives way");
    assert_eq!(studio.refusals(), Vec::<String>::new());
}

#[test]
fn two_modes_take_turns_and_are_judged() {
    let mut studio = Studio::new((32, 32), DeviceChoice::Cpu, fixed(32));
    let duel = Duel {
        sides: [side("baseline fp32"), side("fused fp32")],
    };
    studio.order(|order| order.duel = Some(duel));
    studio.run(1);
    let variants: Vec<Variant> = (studio.world.runs.lock().unwrap().iter())
        .map(|(m, _)| m.variant)
        .collect();
    use Variant::{Baseline, Fused};
    let turns = variants.chunks_exact(2).map(|pair| [pair[0], pair[1]]);
    let (mut first, mut second) = (0i32, 0i32);
    for turn in turns {
        match turn {
            [Baseline, Fused] => first += 1,
            [Fused, Baseline] => second += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(
        (first - second).abs() <= 1 && first > 10,
        "{first}, {second}"
    );
    let picture = &studio.pictures.value;
    let times = picture.facts.expect("painted").duel.expect("two");
    assert_eq!(times.modes.map(|m| m.variant), [Baseline, Fused]);
    assert!(picture.equality.as_ref().expect("judged").passed());
    assert_eq!(picture.other.as_ref(), Some(&picture.painted));

    studio.world.baseline_off.store(3, Ordering::SeqCst);
    studio.run(1);
    let equality = studio.pictures.value.equality.clone().expect("judged");
    assert!(!equality.passed() && equality.ratio(2.0, 1.0).is_none());
    // Right again for a while proves nothing about before.
    studio.world.baseline_off.store(0, Ordering::SeqCst);
    studio.run(1);
    assert!(
        !studio
            .pictures
            .value
            .equality
            .as_ref()
            .expect("judged")
            .passed()
    );
    studio.order(|order| order.duel = None);
    studio.run(1);
    assert!(studio.pictures.value.other.is_none());
}

#[test]
fn a_comparison_may_take_another_device() {
    let mut studio = Studio::new((32, 32), DeviceChoice::Cuda, fixed(32));
    let side = |device| Contestant {
        device,
        mode: mode("fused fp32"),
    };
    let duel = Duel {
        sides: [side(DeviceChoice::Cpu), side(DeviceChoice::Auto)],
    };
    studio.order(|order| order.duel = Some(duel));
    studio.run(1);
    assert!(studio.pictures.value.other.is_some());
    assert_eq!(studio.refusals(), Vec::<String>::new());
    assert_eq!(studio.world.opened.load(Ordering::SeqCst), 2, "one on each");
}

#[test]
fn a_lost_device_is_replaced_in_the_middle() {
    let mut studio = Studio::new((32, 32), DeviceChoice::Cuda, fixed(32));
    studio.run(1);
    let before = studio.pictures.value.facts.expect("painted").painted;
    studio.world.lost_after.store(5, Ordering::SeqCst);
    studio.run(1);
    assert!(studio.pictures.value.facts.expect("painted").painted >= before + 29);
    let news = studio.painter.take_news();
    assert_eq!(news.len(), 1, "{news:?}");
    assert!(news[0].contains("opened again"));
    assert_eq!(studio.refusals(), Vec::<String>::new());
}

#[test]
fn the_wall_paints_every_style_and_takes_little() {
    // A processor: 48 ms for the large picture, so frames are late anyway.
    let mut studio = Studio::new((640, 480), DeviceChoice::Cpu, fixed(400));
    studio.world.ns_a_pixel.store(300, Ordering::SeqCst);
    studio.run(10);
    let alone = studio.pictures.value.facts.expect("painted").painted;
    let mut readers = Vec::new();
    let panes = (0..6)
        .map(|_| {
            let (output, reader) = mailbox(WallPicture::empty);
            readers.push(reader);
            WallPane {
                network: network(),
                output,
            }
        })
        .collect();
    studio.live.set_wall(panes);
    studio.run(10);
    let both = studio.pictures.value.facts.expect("painted").painted - alone;
    assert!(
        both * 10 >= alone * 9,
        "{both} beside the wall, {alone} without"
    );
    for reader in &mut readers {
        assert!(reader.take());
        let counts = reader.counts();
        assert!(counts.written >= 5, "one every two seconds: {counts:?}");
        assert_eq!(reader.value.painted.width(), 192);
        assert_eq!(reader.value.painted.pixel(0, 0)[0], 155);
    }
}

#[test]
fn samples_are_rare_enough() {
    let mut studio = Studio::new((640, 480), DeviceChoice::Cuda, fixed(640));
    studio.run(5);
    assert!(studio.samples().is_empty(), "nobody looks");
    studio.world.ns_a_pixel.store(100, Ordering::SeqCst);
    studio.order(|order| order.sample = true);
    studio.run(20);
    let samples = studio.samples();
    let cost_ms: f64 = samples.iter().map(|s| s.cost_ms).sum();
    assert!(
        samples.len() >= 5 && cost_ms < 0.02 * 20_000.0,
        "{} in {cost_ms} ms",
        samples.len()
    );
    let sample = &samples[0];
    assert_eq!(
        (sample.width, sample.height, sample.steps.len()),
        (640, 480, 1)
    );
    assert!(sample.total_ms > 0.0 && sample.session_bytes > 0);
}

/// Style, variant, precision, size and two modes at once: whatever is opened, pictures of the old go on.
#[test]
fn pictures_go_on_while_a_session_is_opened() {
    type Change = fn(&mut LiveOrder);
    let changes: [Change; 5] = [
        |order| order.network = Some(network()),
        |order| order.mode = mode("baseline auto"),
        |order| order.mode = mode("baseline tf32"),
        |order| order.size = fixed(48),
        |order| {
            order.duel = Some(Duel {
                sides: [side("fused fp16"), side("fused-norm fp16")],
            });
        },
    ];
    let mut studio = Studio::beside((64, 64), fixed(32), |_| ());
    for (number, change) in (1..).zip(changes) {
        let before = studio.facts();
        studio.world.holds_opening.store(true, Ordering::SeqCst);
        studio.order(change);
        studio.paints(30);
        let facts = studio.facts();
        assert_eq!(
            (facts.order, facts.mode, facts.working, facts.duel),
            (number - 1, before.mode, before.working, before.duel)
        );
        studio.world.holds_opening.store(false, Ordering::SeqCst);
        studio.until("the new one", |facts| facts.order == number);
        studio.paints(3);
        assert_eq!(studio.facts().order, number);
    }
    assert_eq!(studio.facts().working, (48, 48));
    assert!(studio.facts().duel.is_some());
    assert_eq!(studio.refusals(), Vec::<String>::new());
    assert_eq!(studio.world.opened.load(Ordering::SeqCst), 1 + 4 + 2);
}

/// What an order needs is loaded while the picture before it is still being painted, and only once.
#[test]
fn orders_are_heard_while_a_picture_is_painted() {
    let mut studio = Studio::beside((64, 64), fixed(32), |_| ());
    let world = studio.world.clone();
    let opened = || world.opened.load(Ordering::SeqCst);
    for (number, px) in [(1, 48), (2, 40)] {
        studio.order.size = fixed(px);
        studio.orders = number;
        let (order, settings) = ((studio.order.clone(), number), studio.settings.clone());
        *world.while_painting.lock().unwrap() =
            Some(Box::new(move || settings.lock().unwrap().send(order)));
        studio.paints(1);
        let facts = studio.facts();
        assert_eq!(facts.order, number - 1, "it was being painted already");
        wait_until("the opening", || opened() == 1 + number as usize);
        studio.until("the new size", |facts| facts.order == number);
        assert_eq!(studio.facts().working, (px, px));
    }
    // What is open already is not opened again.
    studio.order(|order| order.size = fixed(32));
    studio.until("the first size", |facts| facts.working == (32, 32));
    assert_eq!(opened(), 3);
    assert_eq!((studio.notices(), studio.refusals().len()), (0, 0));
}

/// A mode whose fastest way is searched for is painted at once by what stands in for it, until it is there.
#[test]
fn what_stands_in_paints_until_the_fastest_is_found() {
    let is_baseline = |facts: &Facts| facts.mode.is_some_and(|m| m.variant == Variant::Baseline);
    let mut studio = Studio::beside((64, 64), fixed(32), |_| ());
    let world = studio.world.clone();
    world.searches.store(true, Ordering::SeqCst);
    world.holds_searches.store(true, Ordering::SeqCst);
    studio.order(|order| order.mode = mode("baseline"));
    studio.until("the stand-in", |facts| facts.order == 1);
    studio.paints(30);
    assert!(is_baseline(&studio.facts()) && studio.facts().stands_in);
    assert_eq!(world.held_bytes(), 32 + 32);
    // Away from it the search is given up; back, what stood in is still there, and the search begins anew.
    studio.order(|order| order.mode = mode("fused"));
    studio.paints(2);
    assert_eq!((studio.facts().order, studio.facts().stands_in), (2, false));
    studio.order(|order| order.mode = mode("baseline"));
    studio.paints(2);
    assert_eq!((studio.facts().order, studio.facts().stands_in), (3, true));
    // What is compared waits for the fastest.
    studio.order(|order| {
        order.duel = Some(Duel {
            sides: [side("baseline"), side("fused")],
        });
    });
    studio.paints(10);
    assert!(studio.facts().duel.is_none() && studio.facts().stands_in);
    world.holds_searches.store(false, Ordering::SeqCst);
    studio.until("the comparison", |facts| facts.duel.is_some());
    studio.order(|order| order.duel = None);
    studio.paints(2);
    assert!(is_baseline(&studio.facts()) && !studio.facts().stands_in);
    wait_until("the stand-in to be closed", || {
        world.held_bytes() == 32 + 32
    });
    assert_eq!(world.stood_in.load(Ordering::SeqCst), 1);
    assert_eq!((studio.notices(), studio.refusals().len()), (0, 0));
}

/// Whoever changes their mind does not wait for the end of a search.
#[test]
fn others_are_opened_while_something_is_searched_for() {
    let mut studio = Studio::beside((64, 64), fixed(32), |_| ());
    let world = studio.world.clone();
    world.searches.store(true, Ordering::SeqCst);
    world.holds_searches.store(true, Ordering::SeqCst);
    world.is_deaf.store(true, Ordering::SeqCst);
    studio.order(|order| order.mode = mode("baseline"));
    studio.until("the stand-in", |facts| facts.order == 1);
    for (number, px) in [(2, 48), (3, 56)] {
        studio.order(|order| {
            order.mode = mode("fused");
            order.size = fixed(px);
        });
        studio.until("the new size", |facts| facts.order == number);
        assert_eq!(studio.facts().working, (px, px));
    }
    world.holds_searches.store(false, Ordering::SeqCst);
    // What was found after all is not wanted any more.
    wait_until("the search to end", || {
        studio.serve();
        world.held_bytes() == 32 + 32 + 48 + 56
    });
    assert_eq!((studio.notices(), studio.refusals().len()), (0, 0));
}

#[test]
fn where_nothing_faster_is_found_what_stands_in_stays() {
    for trouble in [Trouble::NoMemory, Trouble::Panic] {
        let mut studio = Studio::beside((64, 64), fixed(32), |_| ());
        studio.world.searches.store(true, Ordering::SeqCst);
        (studio.world.opening_fails.lock().unwrap()).push(trouble);
        studio.order(|order| order.mode = mode("baseline"));
        studio.until("the end of the search", |facts| {
            (facts.order, facts.stands_in) == (1, false)
        });
        studio.paints(30);
        let facts = studio.facts();
        assert_eq!(facts.mode.expect("painted").to_string(), "baseline fp32");
        assert_eq!(studio.world.held_bytes(), 32 + 32);
        assert_eq!(studio.notices() + studio.refusals().len(), 1);
    }
}

#[test]
fn nothing_stands_in_where_memory_does_not_hold_both() {
    let mut studio = Studio::beside((64, 64), fixed(32), |world| {
        world.tells_memory.store(true, Ordering::SeqCst);
        world.memory_bytes.store(80, Ordering::SeqCst);
    });
    studio.world.searches.store(true, Ordering::SeqCst);
    studio.order(|order| order.mode = mode("baseline"));
    studio.until("the new mode", |facts| facts.order == 1);
    assert!(!studio.facts().stands_in);
    assert_eq!(studio.world.stood_in.load(Ordering::SeqCst), 0);
}

#[test]
fn looks_change_while_a_session_is_opened() {
    let mut studio = Studio::beside((32, 32), fixed(32), |_| ());
    studio.world.holds_opening.store(true, Ordering::SeqCst);
    studio.order(|order| {
        order.network = Some(network());
        order.look.strength_percent = 0;
    });
    studio.paints(1);
    assert_eq!(studio.pictures.value.painted.pixel(0, 0)[0], 100);
    studio.world.holds_opening.store(false, Ordering::SeqCst);
    studio.until("the new style", |facts| facts.order == 1);
}

#[test]
fn the_newest_wish_is_opened_and_the_ones_before_are_given_up() {
    for is_deaf in [false, true] {
        let mut studio = Studio::beside((64, 64), fixed(32), |_| ());
        let world = studio.world.clone();
        world.is_deaf.store(is_deaf, Ordering::SeqCst);
        world.holds_opening.store(true, Ordering::SeqCst);
        for px in [40, 48, 56] {
            studio.order(|order| order.size = fixed(px));
            studio.paints(5);
            wait_until("an opening", || world.begun_px.load(Ordering::SeqCst) > 32);
        }
        if !is_deaf {
            wait_until("the newest", || world.begun_px.load(Ordering::SeqCst) == 56);
        }
        world.holds_opening.store(false, Ordering::SeqCst);
        studio.until("the newest size", |facts| facts.order == 3);
        assert_eq!(studio.facts().working, (56, 56));
        // The first may have been there when it was superseded; then it was closed again.
        wait_until("the others to be closed", || world.held_bytes() == 32 + 56);
        let opened = world.opened.load(Ordering::SeqCst);
        assert_eq!(opened, if is_deaf { 3 } else { 2 });
        assert_eq!(studio.refusals(), Vec::<String>::new());
        // Back to what is still open: at once, and what is being opened is given up.
        world.holds_opening.store(true, Ordering::SeqCst);
        studio.order(|order| order.size = fixed(60));
        studio.paints(1);
        studio.order(|order| order.size = fixed(32));
        studio.paints(1);
        assert_eq!(studio.facts().working, (32, 32));
        world.holds_opening.store(false, Ordering::SeqCst);
        wait_until("the opener", || {
            studio.serve();
            world.held_bytes() == 32 + 56
        });
        studio.paints(1);
        assert_eq!(
            (studio.facts().working, studio.facts().order),
            ((32, 32), 5)
        );
    }
}

#[test]
fn what_cannot_be_opened_is_told_once_beside_the_old() {
    let mut studio = Studio::beside((64, 64), fixed(32), |_| ());
    studio.order(|order| order.mode = mode("fused bf16"));
    studio.until("the refusal", |facts| facts.order == 1);
    studio.paints(30);
    assert_eq!(studio.refusals().len(), 1, "{:?}", studio.refusals());
    assert!(studio.refusals()[0].contains("choose fp16"));
    (studio.world.opening_fails.lock().unwrap()).push(Trouble::Panic);
    studio.order(|order| order.mode = mode("baseline fp16"));
    studio.until("the refusal", |facts| facts.order == 2);
    studio.paints(30);
    assert_eq!(studio.refusals().len(), 2, "{:?}", studio.refusals());
    assert!(studio.refusals()[1].contains("a mistake in StyleForge (made up)"));
    let facts = studio.facts();
    assert_eq!(facts.mode.expect("painted").to_string(), "fused fp32");
    // A new wish is a new attempt.
    studio.order(|order| order.look.strength_percent = 90);
    studio.until("the second attempt", |facts| {
        facts.mode.is_some_and(|m| m.variant == Variant::Baseline)
    });
}

#[test]
fn where_memory_holds_only_one_the_old_is_closed_first() {
    let mut studio = Studio::beside((200, 200), fixed(64), holding(100));
    studio.order(|order| order.size = fixed(80));
    studio.until("the larger size", |facts| facts.working == (80, 80));
    assert_eq!((studio.notices(), studio.refusals().len()), (1, 0));
    assert_eq!(studio.world.held_bytes(), 80);
    // What closing cannot help is refused, and the old was not even touched.
    studio.order(|order| order.size = fixed(120));
    studio.until("the refusal", |facts| facts.order == 2);
    studio.paints(10);
    assert_eq!((studio.notices(), studio.refusals().len()), (1, 1));
    assert_eq!(studio.facts().working, (80, 80));
    assert_eq!(studio.world.opened.load(Ordering::SeqCst), 2);
    // Others take the memory meanwhile: the old comes back.
    let troubles = [Trouble::NoMemory, Trouble::NoMemory];
    studio.world.opening_fails.lock().unwrap().extend(troubles);
    studio.order(|order| order.size = fixed(70));
    studio.until("the old size", |facts| facts.order == 3);
    studio.paints(10);
    assert_eq!((studio.notices(), studio.refusals().len()), (2, 2));
    assert_eq!(studio.facts().working, (80, 80));
    assert_eq!(studio.world.held_bytes(), 80);
}

#[test]
fn what_is_kept_for_later_goes_before_memory_runs_out() {
    let mut studio = Studio::beside((200, 200), fixed(30), |world| {
        world.tells_memory.store(true, Ordering::SeqCst);
        world.memory_bytes.store(100, Ordering::SeqCst);
    });
    for (px, held) in [(40, 30 + 40), (50, 40 + 50), (45, 50 + 45)] {
        studio.order(|order| order.size = fixed(px));
        studio.until("the size", |facts| facts.working == (px, px));
        assert_eq!(studio.world.held_bytes(), held);
    }
    assert_eq!((studio.notices(), studio.refusals().len()), (0, 0));
    // The limit counts what paints, too.
    studio.order(|order| order.size = fixed(60));
    studio.until("the size", |facts| facts.working == (60, 60));
    assert_eq!((studio.notices(), studio.refusals().len()), (1, 0));
    assert_eq!(studio.world.held_bytes(), 60);
}

#[test]
fn a_device_that_is_lost_while_a_session_is_opened_is_replaced() {
    let mut studio = Studio::beside((32, 32), fixed(32), |_| ());
    (studio.world.opening_fails.lock().unwrap()).push(Trouble::Loss);
    studio.order(|order| order.network = Some(network()));
    studio.until("the new style", |facts| facts.order == 1);
    studio.paints(5);
    let news = studio.painter.take_news();
    assert_eq!(news.len(), 1, "{news:?}");
    assert!(news[0].contains("opened again"));
    assert_eq!(studio.refusals(), Vec::<String>::new());
    // The other way round: the loss is found out by what paints, while another is opened.
    studio.world.holds_opening.store(true, Ordering::SeqCst);
    studio.order(|order| order.network = Some(network()));
    studio.paints(3);
    studio.world.lost_after.store(1, Ordering::SeqCst);
    studio.frame(100);
    assert_eq!(studio.serve(), Served::Nothing, "nothing is open any more");
    studio.world.holds_opening.store(false, Ordering::SeqCst);
    studio.until("the new style", |facts| facts.order == 2);
    let news = studio.painter.take_news();
    assert!(news[0].contains("the processor paints"), "{news:?}");
    assert_eq!(studio.world.held_bytes(), 32);
}

#[test]
fn the_wall_is_opened_beside_the_large_picture() {
    let mut studio = Studio::beside((640, 480), fixed(320), |_| ());
    studio.world.holds_opening.store(true, Ordering::SeqCst);
    let (output, mut reader) = mailbox(WallPicture::empty);
    let network = network();
    studio.live.set_wall(vec![WallPane { network, output }]);
    studio.paints(20);
    assert!(!reader.take());
    // What the large picture needs comes before.
    studio.order(|order| order.size = fixed(400));
    studio.paints(20);
    studio.world.holds_opening.store(false, Ordering::SeqCst);
    studio.until("the new size", |facts| facts.order == 1);
    wait_until("the small picture", || {
        studio.world.pass_ms(100);
        studio.frame(100);
        studio.serve();
        studio.pictures.take();
        reader.take()
    });
    studio.live.set_wall(Vec::new());
    wait_until("the wall to be closed", || {
        studio.world.held_bytes() == 320 + 400
    });
}

/// An engine on the scripted device, and a source of the test's own.
fn engine(script: &Arc<Script>) -> (Engine, Writer<Captured>, Reader<LivePicture>) {
    let wake_up = Arc::new(|| {});
    let mut engine = Engine::start(ScriptedBackend::opener(script), wake_up).expect("a thread");
    let (frames, input) = mailbox(|| still(64, 48));
    let order = order(fixed(64));
    let pictures = engine.start_live(input, order);
    (engine, frames, pictures)
}

fn wait_for(pictures: &mut Reader<LivePicture>) {
    pictures.ready().recv_timeout(PATIENCE).expect("a picture");
    assert!(pictures.take());
}

#[test]
fn the_engine_goes_on_after_the_source_has_ended() {
    let script = Arc::new(Script::default());
    let (mut engine, mut frames, mut pictures) = engine(&script);
    frames.put();
    wait_for(&mut pictures);
    drop(frames);
    let started = Instant::now();
    let ended = |engine: &mut Engine| {
        while let Some(event) = engine.poll() {
            if matches!(event, Event::Live(LiveEvent::Ended)) {
                return true;
            }
        }
        false
    };
    while !ended(&mut engine) {
        assert!(started.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(1));
    }
    let mut order = order(fixed(64));
    order.look.strength_percent = 50;
    let number = engine.order_live(order);
    // In the old style first, with the new strength.
    while pictures.value.facts.expect("painted").order != number {
        wait_for(&mut pictures);
    }
    // Nothing spins while nothing happens.
    let runs = script.runs().len();
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(script.runs().len(), runs);
    assert!(engine.shutdown(PATIENCE));
}

#[test]
fn a_run_that_hangs_holds_nobody_up() {
    let script = Arc::new(Script::default());
    let (mut engine, mut frames, pictures) = engine(&script);
    script.hold();
    frames.put();
    let started = Instant::now();
    while script.runs().is_empty() {
        assert!(started.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(1));
    }
    engine.stop_live();
    assert!(
        pictures.ready().recv_timeout(PATIENCE).is_err(),
        "the run hears the wish to stop and its end of the mailbox is given up"
    );
    assert!(engine.shutdown(PATIENCE));
}

/// However fast frames come: the next picture after an order is painted by it.
#[test]
fn orders_come_before_frames() {
    let script = Arc::new(Script::default());
    let (mut engine, mut frames, mut pictures) = engine(&script);
    frames.put();
    wait_for(&mut pictures);
    let mut order = order(fixed(64));
    let settled = engine.order_live(order.clone());
    while pictures.value.facts.expect("painted").order != settled {
        wait_for(&mut pictures);
    }
    for strength in 1..=12 {
        let before = pictures.value.facts.expect("painted").painted;
        let runs = script.runs().len();
        script.hold();
        frames.put();
        wait_until("the run", || script.runs().len() > runs);
        // Both wait until the run is over.
        frames.put();
        order.look.strength_percent = strength;
        let number = engine.order_live(order.clone());
        script.release();
        while pictures.value.facts.expect("painted").order != number {
            wait_for(&mut pictures);
        }
        let facts = pictures.value.facts.expect("painted");
        assert_eq!(facts.painted, before + 2, "the one held, and this one");
    }
    assert!(engine.shutdown(PATIENCE));
}

#[test]
fn the_engine_switches_without_a_new_frame() {
    let script = Arc::new(Script::default());
    let (mut engine, mut frames, mut pictures) = engine(&script);
    frames.put();
    wait_for(&mut pictures);
    script.hold_opening();
    let mut order = order(fixed(64));
    let number = engine.order_live(order.clone());
    wait_for(&mut pictures);
    assert!(pictures.value.facts.expect("painted").order < number);
    script.release();
    wait_for(&mut pictures);
    assert_eq!(pictures.value.facts.expect("painted").order, number);
    // Frames come, and orders are heard, while the first of another source is being opened.
    script.hold_opening();
    let (mut frames, input) = mailbox(|| still(64, 48));
    order.network = Some(network());
    let mut pictures = engine.start_live(input, order.clone());
    frames.put();
    order.network = None;
    let number = engine.order_live(order);
    wait_for(&mut pictures);
    assert_eq!(pictures.value.facts.expect("shown").order, number);
    script.release();
    assert!(engine.shutdown(PATIENCE));
}

#[test]
fn a_session_that_is_being_opened_holds_no_end_up() {
    for is_deaf in [false, true] {
        let script = Arc::new(Script::default());
        let (mut engine, mut frames, _pictures) = engine(&script);
        script.hold_opening();
        if is_deaf {
            script.turn_deaf();
        }
        frames.put();
        wait_until("the opening", || script.openings() == 1);
        let asked = Instant::now();
        assert!(engine.shutdown(PATIENCE));
        let took = asked.elapsed();
        let most = Duration::from_secs(if is_deaf { 10 } else { 1 });
        within("the end", took, most);
        script.release();
    }
}
