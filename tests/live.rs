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
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use styleforge::{
    backend::{
        Backend, BackendError, DeviceInfo, NormTap, OpenDevice, RunControl, Selected, Session,
        SessionSpec,
    },
    capture::{
        Captured,
        exchange::{Reader, Writer, exchange},
    },
    engine::{
        Engine,
        live::{
            Contestant, Duel, Live, LiveEvent, LiveOrder, LivePicture, LiveSample, LiveSize,
            Served, WallPane, WallPicture,
        },
        paint::Painter,
        protocol::{Event, LiveStart},
    },
    frame::Frame,
    mode::{DeviceChoice, Mode, ModeChoice, Precision, PrecisionChoice, Variant},
    network::{Network, NetworkSpec},
    plan::PlanSummary,
    tensor::{Shape, Tensor},
    timing::{RunTiming, StepTiming},
};
use support::{Script, ScriptedBackend, network};

/// What the device does, and the time that it takes.
struct World {
    start: Instant,
    now_ns: AtomicU64,
    ns_a_pixel: AtomicU64,
    /// Columns beyond which memory does not suffice.
    widest: AtomicUsize,
    opened: AtomicUsize,
    /// Runs until the device is lost; none is lost at 0.
    lost_after: AtomicUsize,
    /// Everything that was painted: mode and nanoseconds.
    runs: Mutex<Vec<(Mode, u64)>>,
    /// Levels by which the baseline is off.
    baseline_off: AtomicUsize,
}

impl World {
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

    fn open(&self, _: &Arc<Network>, spec: &SessionSpec) -> Result<Box<dyn Session>, BackendError> {
        self.supports(spec.mode)?;
        if spec.width > self.world.widest.load(Ordering::SeqCst) {
            return Err(BackendError::OutOfDeviceMemory {
                needed_bytes: 2_000_000,
                free_bytes: 1_000_000,
                width: spec.width,
                height: spec.height,
            });
        }
        self.world.opened.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(Run {
            world: self.world.clone(),
            spec: *spec,
            kind: self.kind,
        }))
    }
}

struct Run {
    world: Arc<World>,
    spec: SessionSpec,
    kind: DeviceChoice,
}

impl Session for Run {
    fn summary(&self) -> PlanSummary {
        PlanSummary::untold(self.spec.mode, 1, (self.spec.width, self.spec.height))
    }

    fn paint(
        &mut self,
        input: &Frame,
        output: &mut Frame,
        _: &RunControl,
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

    fn run_tensor(
        &mut self,
        input: &Frame,
        _: Option<NormTap<'_>>,
    ) -> Result<Tensor, BackendError> {
        Ok(Tensor::zeros(Shape::new(3, input.height(), input.width())))
    }
}

/// A live run and everything around it.
struct Studio {
    world: Arc<World>,
    frames: Writer<Captured>,
    pictures: Reader<LivePicture>,
    live: Live,
    painter: Painter,
    order: LiveOrder,
    orders: u64,
    told: Vec<LiveEvent>,
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
    /// A source of this size on a device of this kind.
    fn new((width, height): (usize, usize), kind: DeviceChoice, size: LiveSize) -> Self {
        let world = Arc::new(World {
            start: Instant::now(),
            now_ns: AtomicU64::new(0),
            ns_a_pixel: AtomicU64::new(10),
            widest: AtomicUsize::new(usize::MAX),
            opened: AtomicUsize::new(0),
            lost_after: AtomicUsize::new(0),
            runs: Mutex::default(),
            baseline_off: AtomicUsize::new(0),
        });
        let (frames, input) = exchange(|| still(width, height));
        let (output, pictures) = exchange(LivePicture::empty);
        let order = LiveOrder {
            network: Some(network()),
            size,
            mode: ModeChoice {
                variant: Variant::Fused,
                precision: PrecisionChoice::Auto,
            },
            look: Default::default(),
            duel: None,
            frozen: false,
            sample: false,
        };
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
        let start = LiveStart {
            input,
            output,
            order: order.clone(),
            number: 0,
            control,
        };
        let live = Live::new(start, kind, clock);
        Self {
            painter: Painter::new(backend, open),
            world,
            frames,
            pictures,
            live,
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
        self.live.set_order(self.order.clone(), self.orders);
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
    studio.order(|order| order.mode = "fused bf16".parse().expect("a mode"));
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
    let mut studio = Studio::new((1280, 720), DeviceChoice::Cpu, auto);
    studio.run(20);
    let size = |studio: &Studio| studio.pictures.value.facts.expect("painted").working.0;
    assert_eq!(size(&studio), 1280, "9 ms at most");
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
    let side = |mode: &str| Contestant {
        device: DeviceChoice::Auto,
        mode: mode.parse().expect("a mode"),
    };
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
        mode: "fused fp32".parse().expect("a mode"),
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
            let (output, reader) = exchange(WallPicture::empty);
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

/// An engine on the scripted device, and a source of the test's own.
fn engine(script: &Arc<Script>) -> (Engine, Writer<Captured>, Reader<LivePicture>) {
    let wake_up = Arc::new(|| {});
    let mut engine = Engine::start(ScriptedBackend::opener(script), wake_up).expect("a thread");
    let (frames, input) = exchange(|| still(64, 48));
    let order = Studio::new((64, 48), DeviceChoice::Cpu, fixed(64)).order;
    let pictures = engine.start_live(input, order);
    (engine, frames, pictures)
}

fn wait_for(pictures: &mut Reader<LivePicture>) {
    pictures
        .doorbell()
        .recv_timeout(Duration::from_secs(20))
        .expect("a picture");
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
        assert!(started.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(1));
    }
    let mut order = Studio::new((64, 48), DeviceChoice::Cpu, fixed(64)).order;
    order.look.strength_percent = 50;
    let number = engine.order_live(order);
    wait_for(&mut pictures);
    assert_eq!(pictures.value.facts.expect("painted").order, number);
    // Nothing spins while nothing happens.
    let runs = script.runs().len();
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(script.runs().len(), runs);
    assert!(engine.shutdown(Duration::from_secs(20)));
}

#[test]
fn a_run_that_hangs_holds_nobody_up() {
    let script = Arc::new(Script::default());
    let (mut engine, mut frames, pictures) = engine(&script);
    script.hold();
    frames.put();
    let started = Instant::now();
    while script.runs().is_empty() {
        assert!(started.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(1));
    }
    engine.stop_live();
    assert!(
        pictures
            .doorbell()
            .recv_timeout(Duration::from_secs(20))
            .is_err(),
        "the run hears the wish to stop and its end of the exchange is given up"
    );
    assert!(engine.shutdown(Duration::from_secs(20)));
}
