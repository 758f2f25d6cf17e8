//! The made-up device: what it does, and the time that it takes, are the test's.

use std::{
    slice::from_ref,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use styleforge::{
    backend::{
        Backend, BackendError, Capabilities, Composition, Declined, DeviceInfo, Input,
        InspectSession, Job, NormTap, RunControl, Session, SessionSpec, run_one_by_one,
    },
    frame::Frame,
    graph::Graph,
    media::{resample::Resampler, upscale::Upscaler},
    mode::{DeviceChoice, Mode, Precision, Variant},
    network::Network,
    plan::PlanSummary,
    tensor::Tensor,
    timing::{RunTiming, StepTiming},
};

/// Milliseconds in which a GPU says that it composed.
pub const COMPOSE_MS: f64 = 0.25;

/// What the device does, and the time that it takes.
pub struct World {
    /// Pictures that it composed.
    pub composed: AtomicUsize,
    /// Frames that came to it as a camera sent them, and whether it decodes them.
    pub raw: AtomicUsize,
    pub decodes: AtomicBool,
    pub start: Instant,
    pub now_ns: AtomicU64,
    pub ns_a_pixel: AtomicU64,
    /// Columns beyond which memory does not suffice.
    pub widest: AtomicUsize,
    pub opened: AtomicUsize,
    /// The time at which the surface was woken last for a picture.
    pub woken_at_ns: AtomicU64,
    /// Bytes that sessions may hold together.
    pub memory_bytes: AtomicUsize,
    /// Whether the device tells how much memory it has.
    pub tells_memory: AtomicBool,
    /// Bytes of every session that is open.
    pub held: Mutex<Vec<usize>>,
    /// Columns of the session that was begun to be opened last.
    pub begun_px: AtomicUsize,
    /// Whether opening waits, and what is searched for; it stops when it is cancelled, unless it ignores that.
    pub holds_opening: AtomicBool,
    pub holds_searches: AtomicBool,
    pub ignores_cancelling: AtomicBool,
    /// What becomes of what is opened next instead.
    pub opening_fails: Mutex<Vec<Trouble>>,
    /// Runs until the device is lost; none is lost at 0.
    pub lost_after: AtomicUsize,
    /// Everything that was painted: mode and nanoseconds.
    pub runs: Mutex<Vec<(Mode, u64)>>,
    /// Whether it takes another precision for moving pictures.
    pub hurries: AtomicBool,
    /// Whether the baseline is only opened after a search.
    pub searches: AtomicBool,
    /// Levels by which the baseline is off.
    pub baseline_off: AtomicUsize,
    /// Sessions of this width panic when they paint.
    pub breaks_px: AtomicUsize,
    /// How often one did.
    pub broke: AtomicUsize,
    /// What happens while the next picture is painted.
    pub while_painting: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

/// What befalls a session that is being opened.
#[derive(Clone, Copy)]
pub enum Trouble {
    Loss,
    Panic,
    NoMemory,
}

impl World {
    pub fn held_bytes(&self) -> usize {
        self.held.lock().unwrap().iter().sum()
    }

    pub fn now(&self) -> Instant {
        self.start + Duration::from_nanos(self.now_ns.load(Ordering::SeqCst))
    }

    pub fn pass(&self, ns: u64) {
        self.now_ns.fetch_add(ns, Ordering::SeqCst);
    }

    pub fn pass_ms(&self, ms: u64) {
        self.pass(ms * 1_000_000);
    }
}

pub struct Device {
    pub world: Arc<World>,
    pub kind: DeviceChoice,
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

    fn live_precision(&self, variant: Variant, _: &Arc<Network>) -> Precision {
        match self.world.hurries.load(Ordering::SeqCst) {
            true => Precision::Int8,
            false => self.auto_precision(variant),
        }
    }

    fn predicted_bytes(&self, _: &Graph, spec: &SessionSpec) -> Result<u64, BackendError> {
        Ok(spec.width as u64)
    }

    fn free_bytes(&self) -> Option<u64> {
        let world = &self.world;
        let memory_bytes = world.memory_bytes.load(Ordering::SeqCst);
        let tells = world.tells_memory.load(Ordering::SeqCst);
        tells.then(|| (memory_bytes - world.held_bytes()) as u64)
    }

    fn open_unless_cancelled(
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
            fits: None,
        };
        if spec.width > world.widest.load(Ordering::SeqCst) {
            return Err(no_memory(2_000_000, 1_000_000));
        }
        world.begun_px.store(spec.width, Ordering::SeqCst);
        let held = match self.searches(network.graph(), spec) {
            true => &world.holds_searches,
            false => &world.holds_opening,
        };
        while held.load(Ordering::SeqCst) {
            if control.is_cancelled() && !world.ignores_cancelling.load(Ordering::SeqCst) {
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

    fn searches(&self, _: &Graph, spec: &SessionSpec) -> bool {
        let searches = self.world.searches.load(Ordering::SeqCst);
        searches && spec.mode.variant == Variant::Baseline
    }
}

impl Device {
    fn run(&self, spec: &SessionSpec) -> Run {
        self.world.held.lock().unwrap().push(spec.width);
        Run { world: self.world.clone(), spec: *spec, kind: self.kind }
    }
}

pub struct Run {
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
        PlanSummary::without_steps(self.spec.mode, 1, (self.spec.width, self.spec.height))
    }

    fn capabilities(&self) -> Capabilities {
        let is_gpu = self.kind == DeviceChoice::Cuda;
        Capabilities { decodes: is_gpu, composes: is_gpu, keeps_sent: false }
    }

    fn run(
        &mut self,
        job: Job<'_>,
        control: &RunControl,
        meanwhile: Option<&mut dyn FnMut()>,
    ) -> Result<RunTiming, BackendError> {
        let Job { input, paintings, composition } = job;
        let is_gpu = self.kind == DeviceChoice::Cuda;
        match (input, composition) {
            (Input::Frames(inputs), None) => self.run_frames(inputs, paintings, control, meanwhile),
            (Input::Frames([input]), Some(composition)) if is_gpu => {
                self.run_composed(input, paintings, composition, control, meanwhile)
            }
            (Input::Raw { frame, upright }, composition) => {
                self.world.raw.fetch_add(1, Ordering::SeqCst);
                if !self.world.decodes.load(Ordering::SeqCst) {
                    return Err(BackendError::Declined(Declined::NoMemory));
                }
                let mut input = Frame::from_fn(self.spec.width, self.spec.height, |_, _| [0; 4]);
                frame.decode_into(upright, &mut input.clone());
                Resampler::default().resample(upright, &mut input);
                match composition {
                    None => self.run_frames(from_ref(&input), paintings, control, meanwhile),
                    Some(composition) => {
                        let source = Some(&*upright);
                        let composition = Composition { source, ..composition };
                        self.run_composed(&input, paintings, composition, control, meanwhile)
                    }
                }
            }
            _ => Err(BackendError::Declined(Declined::Unable)),
        }
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
        let run = self.run(Job::frame(input, output), control, None)?;
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
    fn run_frames(
        &mut self,
        inputs: &[Frame],
        outputs: &mut [Frame],
        control: &RunControl,
        meanwhile: Option<&mut dyn FnMut()>,
    ) -> Result<RunTiming, BackendError> {
        if self.world.breaks_px.load(Ordering::SeqCst) == self.spec.width {
            self.world.broke.fetch_add(1, Ordering::SeqCst);
            panic!("made up");
        }
        if let Some(happens) = self.world.while_painting.lock().unwrap().take() {
            happens();
        }
        if let Some(meanwhile) = meanwhile {
            meanwhile();
        }
        let job = Job::frames(inputs, outputs);
        run_one_by_one(job, control, |input, output| self.paint_frame(input, output))
    }

    fn run_composed(
        &mut self,
        input: &Frame,
        paintings: &mut [Frame],
        composition: Composition<'_>,
        control: &RunControl,
        meanwhile: Option<&mut dyn FnMut()>,
    ) -> Result<RunTiming, BackendError> {
        let mut painted = [input.clone()];
        let timing = self.run_frames(from_ref(input), &mut painted, control, meanwhile)?;
        let [painted] = painted;
        let Composition { source, look, to } = composition;
        let source = source.unwrap_or(input);
        assert!(Upscaler::new(1).compose((input, &painted), source, look, to));
        if let [painting] = paintings {
            *painting = painted;
        }
        self.world.composed.fetch_add(1, Ordering::SeqCst);
        Ok(RunTiming { compose_ms: COMPOSE_MS, ..timing })
    }

    fn paint_frame(
        &mut self,
        input: &Frame,
        output: &mut Frame,
    ) -> Result<RunTiming, BackendError> {
        assert_eq!((input.width(), input.height()), (self.spec.width, self.spec.height));
        assert_eq!((output.width(), output.height()), (self.spec.width, self.spec.height));
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
