//! The device of all tests. The test controls what it paints, the time and memory that it takes, and what fails.
//!
//! By default it paints immediately by inverting colours. The unit tests of the program also use this file.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "test support: each test binary uses a part of it, and a broken test should panic"
)]

use std::{
    slice::from_mut,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread::sleep,
    time::{Duration, Instant},
};

use backend::{
    Backend, BackendError, Capabilities, Composition, Declined, DeviceInfo, Input, InspectSession,
    Job, NormTap, OpenDevice, RunControl, Selected, Session, SessionSpec, Steadiness,
    run_one_by_one,
};
use media::{resample::Resampler, upscale::Upscaler};
use network::{Network, graph::Graph};
use plan::PlanSummary;
use values::{
    frame::Frame,
    mode::{AttentionChoice, DeviceChoice, Mode, Precision, Variant},
    tensor::Tensor,
    timing::{RunTiming, StepTiming},
};

/// The composing time that a GPU reports, in milliseconds.
pub const COMPOSE_MS: f64 = 0.25;

/// What the device does with a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Behaviour {
    #[default]
    Invert,
    /// Reports that it is out of memory.
    Fail,
    Panic,
    /// Reports once that the device is lost, and then paints.
    LoseOnce,
}

/// Injected failure while opening a session.
#[derive(Clone, Copy)]
pub enum Trouble {
    Loss,
    Panic,
    NoMemory,
}

/// How the device paints a frame.
pub trait Art: Send + Sync {
    /// Paints `output`; `_run` is the number of the session's run.
    fn paint(&self, _network: &Arc<Network>, _run: usize, input: &Frame, output: &mut Frame) {
        for (out, inn) in output.rgba_mut().chunks_mut(4).zip(input.rgba().chunks(4)) {
            out.copy_from_slice(&[255 - inn[0], 255 - inn[1], 255 - inn[2], inn[3]]);
        }
    }

    /// Changes the outputs of a batch.
    fn finish(&self, _outputs: &mut [Frame]) {}

    /// The picture before rounding, and the intermediate maps.
    fn tensor(&self, _network: &Arc<Network>, _input: &Frame, _tap: Option<NormTap<'_>>) -> Tensor {
        unreachable!("nothing looks at maps")
    }
}

struct Inverting;

impl Art for Inverting {}

/// Shared between a test and its device.
pub struct Script {
    pub art: Box<dyn Art>,
    /// Bytes of a session.
    pub bytes: fn(&SessionSpec) -> u64,
    pub has_bf16: bool,
    /// Its sessions support inspection.
    pub inspects: bool,
    /// Number of pictures composed by the device.
    pub composed: AtomicUsize,
    /// Number of frames received in a camera's format, and whether the device decodes them.
    pub raw: AtomicUsize,
    pub decodes: AtomicBool,
    /// The device steadies paintings (it leaves them unchanged).
    pub steadies: AtomicBool,
    pub steadied: Mutex<Vec<Steadiness>>,
    pub start: Instant,
    pub now_ns: AtomicU64,
    /// 0 means that each frame reports one millisecond, but the clock does not advance.
    pub ns_a_pixel: AtomicU64,
    /// Maximum columns for which memory suffices.
    pub widest: AtomicUsize,
    /// Sessions whose opening was started, and those that were opened.
    pub begun: AtomicUsize,
    pub opened: AtomicUsize,
    /// The specifications of the sessions that were opened.
    pub specs: Mutex<Vec<SessionSpec>>,
    /// Time of the last wake-up of the surface for a picture.
    pub woken_at_ns: AtomicU64,
    /// Maximum bytes of all sessions together, and whether the device reports them.
    pub memory_bytes: AtomicUsize,
    pub tells_memory: AtomicBool,
    /// Bytes of every open session.
    pub held: Mutex<Vec<usize>>,
    /// Columns of the last session whose opening was started.
    pub begun_px: AtomicUsize,
    /// Runs, opening, and opening of the baseline wait. They stop when cancelled, unless that is ignored.
    pub holds_runs: AtomicBool,
    pub holds_opening: AtomicBool,
    pub holds_baseline: AtomicBool,
    pub ignores_cancelling: AtomicBool,
    /// Failures of the next openings.
    pub opening_fails: Mutex<Vec<Trouble>>,
    /// Number of runs until the GPU is lost; 0 means never.
    pub lost_after: AtomicUsize,
    pub behaviour: Mutex<Behaviour>,
    /// Minimum columns of runs that are held and follow `behaviour`.
    pub from_px: AtomicUsize,
    /// The size of every run that was started.
    pub started: Mutex<Vec<(usize, usize)>>,
    /// Every run that painted: mode and nanoseconds.
    pub runs: Mutex<Vec<(Mode, u64)>>,
    /// The network of the latest run.
    pub painting: Mutex<Option<Arc<Network>>>,
    pub is_gpu: AtomicBool,
    /// Uses another precision for live pictures.
    pub hurries: AtomicBool,
    /// Levels by which the baseline differs.
    pub baseline_off: AtomicUsize,
    /// Sessions of this width panic when they paint.
    pub breaks_px: AtomicUsize,
    /// Number of such panics.
    pub broke: AtomicUsize,
    /// Called while the next picture is painted.
    pub while_painting: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            art: Box::new(Inverting),
            bytes: |spec| (spec.width * spec.height) as u64,
            has_bf16: true,
            inspects: false,
            composed: AtomicUsize::new(0),
            raw: AtomicUsize::new(0),
            decodes: AtomicBool::new(true),
            steadies: AtomicBool::new(false),
            steadied: Mutex::default(),
            start: Instant::now(),
            now_ns: AtomicU64::new(0),
            ns_a_pixel: AtomicU64::new(0),
            widest: AtomicUsize::new(usize::MAX),
            begun: AtomicUsize::new(0),
            opened: AtomicUsize::new(0),
            specs: Mutex::default(),
            woken_at_ns: AtomicU64::new(0),
            memory_bytes: AtomicUsize::new(usize::MAX / 2),
            tells_memory: AtomicBool::new(false),
            held: Mutex::default(),
            begun_px: AtomicUsize::new(0),
            holds_runs: AtomicBool::new(false),
            holds_opening: AtomicBool::new(false),
            holds_baseline: AtomicBool::new(false),
            ignores_cancelling: AtomicBool::new(false),
            opening_fails: Mutex::default(),
            lost_after: AtomicUsize::new(0),
            behaviour: Mutex::default(),
            from_px: AtomicUsize::new(0),
            started: Mutex::default(),
            runs: Mutex::default(),
            painting: Mutex::default(),
            is_gpu: AtomicBool::new(false),
            hurries: AtomicBool::new(false),
            baseline_off: AtomicUsize::new(0),
            breaks_px: AtomicUsize::new(0),
            broke: AtomicUsize::new(0),
            while_painting: Mutex::default(),
        }
    }
}

impl Script {
    /// Makes runs wait until [`Script::release`], unless they are cancelled.
    pub fn hold(&self) {
        self.holds_runs.store(true, Ordering::SeqCst);
    }

    /// From now on, only runs of at least this many columns are held and follow `behaviour`.
    pub fn only_from(&self, columns: usize) {
        self.from_px.store(columns, Ordering::SeqCst);
    }

    /// Makes opening wait until [`Script::release`], unless it is cancelled.
    pub fn hold_opening(&self) {
        self.holds_opening.store(true, Ordering::SeqCst);
    }

    /// Number of sessions whose opening was started.
    pub fn openings(&self) -> usize {
        self.begun.load(Ordering::SeqCst)
    }

    /// Lets runs and openings continue.
    pub fn release(&self) {
        for held in [&self.holds_runs, &self.holds_opening, &self.holds_baseline] {
            held.store(false, Ordering::SeqCst);
        }
    }

    /// From now on, cancelling does not stop runs and openings.
    pub fn ignore_cancelling(&self) {
        self.ignores_cancelling.store(true, Ordering::SeqCst);
    }

    /// Sets what later runs do.
    pub fn behave(&self, behaviour: Behaviour) {
        *self.behaviour.lock().unwrap() = behaviour;
    }

    /// Makes the device report that it is a GPU.
    pub fn be_a_gpu(&self) {
        self.is_gpu.store(true, Ordering::SeqCst);
    }

    /// Makes the device report that it is a GPU, which is lost in the next run.
    pub fn lose_the_gpu(&self) {
        self.be_a_gpu();
        self.behave(Behaviour::LoseOnce);
    }

    /// Makes the baseline paint this many levels darker.
    pub fn let_the_baseline_be_off(&self, levels: u8) {
        self.baseline_off.store(usize::from(levels), Ordering::SeqCst);
    }

    /// The size of every run that was started.
    pub fn runs(&self) -> Vec<(usize, usize)> {
        self.started.lock().unwrap().clone()
    }

    pub fn paints_with(&self, network: &Arc<Network>) -> bool {
        let painting = self.painting.lock().unwrap();
        painting.as_ref().is_some_and(|p| Arc::ptr_eq(p, network))
    }

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

    /// Waits while the condition holds; returns an error if the run is cancelled.
    fn wait_while(
        &self,
        control: &RunControl,
        is_so: impl Fn() -> bool,
    ) -> Result<(), BackendError> {
        while is_so() {
            if control.is_cancelled() && !self.ignores_cancelling.load(Ordering::SeqCst) {
                return Err(BackendError::Cancelled);
            }
            sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}

fn lost() -> BackendError {
    BackendError::DeviceLost {
        device: "Scripted GPU".to_owned(),
        reason: "scripted loss".to_owned(),
    }
}

/// The scripted device.
#[derive(Clone)]
pub struct FakeBackend {
    pub script: Arc<Script>,
    /// The kind that it reports; by default the CPU, or what the script sets.
    pub kind: DeviceChoice,
}

impl FakeBackend {
    pub fn new(script: &Arc<Script>) -> Self {
        Self { script: script.clone(), kind: DeviceChoice::Auto }
    }

    /// Opens this device for every choice.
    pub fn opener(script: &Arc<Script>) -> OpenDevice {
        let backend = Self::new(script);
        let notice = "CPU: no NVIDIA driver found";
        Arc::new(move |_| {
            Ok(Selected { backend: Arc::new(backend.clone()), notice: Some(notice.to_owned()) })
        })
    }

    /// Opens a device of the chosen kind, by default of this `kind`.
    pub fn opener_by_kind(script: &Arc<Script>, kind: DeviceChoice) -> OpenDevice {
        let script = script.clone();
        Arc::new(move |wanted| {
            let kind = if wanted == DeviceChoice::Auto { kind } else { wanted };
            let backend = Arc::new(Self { script: script.clone(), kind });
            Ok(Selected { backend, notice: None })
        })
    }

    fn kind(&self) -> DeviceChoice {
        match self.kind {
            DeviceChoice::Auto if self.script.is_gpu.load(Ordering::SeqCst) => DeviceChoice::Cuda,
            DeviceChoice::Auto => DeviceChoice::Cpu,
            kind => kind,
        }
    }
}

impl Backend for FakeBackend {
    fn device(&self) -> DeviceInfo {
        DeviceInfo {
            kind: self.kind(),
            name: "Scripted processor".to_owned(),
            threads: 3,
            instructions: "AVX2".to_owned(),
        }
    }

    fn supports(&self, mode: Mode) -> Result<(), BackendError> {
        if mode.precision != Precision::Bf16 || self.script.has_bf16 {
            return Ok(());
        }
        Err(BackendError::Unsupported {
            mode: mode.to_string(),
            device: "the scripted device".to_owned(),
            reason: "it has no bf16; choose fp16".to_owned(),
        })
    }

    fn auto_precision(&self, _: Variant) -> Precision {
        Precision::Fp32
    }

    fn live_precision(&self, variant: Variant, _: &Arc<Network>) -> Precision {
        match self.script.hurries.load(Ordering::SeqCst) {
            true => Precision::Int8,
            false => self.auto_precision(variant),
        }
    }

    fn predicted_bytes(&self, _: &Graph, spec: &SessionSpec) -> Result<u64, BackendError> {
        Ok((self.script.bytes)(spec))
    }

    fn free_bytes(&self) -> Option<u64> {
        let script = &self.script;
        let free = script.memory_bytes.load(Ordering::SeqCst) - script.held_bytes();
        script.tells_memory.load(Ordering::SeqCst).then_some(free as u64)
    }

    fn open_unless_cancelled(
        &self,
        network: &Arc<Network>,
        spec: &SessionSpec,
        control: &RunControl,
    ) -> Result<Box<dyn Session>, BackendError> {
        let script = &self.script;
        script.begun.fetch_add(1, Ordering::SeqCst);
        self.supports(spec.mode)?;
        let no_memory = |needed_bytes, free_bytes| BackendError::OutOfDeviceMemory {
            needed_bytes,
            free_bytes,
            width: spec.width,
            height: spec.height,
            fits: None,
        };
        if spec.width > script.widest.load(Ordering::SeqCst) {
            return Err(no_memory(2_000_000, 1_000_000));
        }
        script.begun_px.store(spec.width, Ordering::SeqCst);
        let is_baseline = spec.mode.variant == Variant::Baseline;
        script.wait_while(control, || {
            script.holds_opening.load(Ordering::SeqCst)
                || is_baseline && script.holds_baseline.load(Ordering::SeqCst)
        })?;
        let bytes = (script.bytes)(spec) as usize;
        let trouble = script.opening_fails.lock().unwrap().pop();
        match trouble {
            Some(Trouble::Loss) => return Err(lost()),
            Some(Trouble::Panic) => panic!("scripted panic"),
            Some(Trouble::NoMemory) => return Err(no_memory(bytes as u64, 1)),
            None => {}
        }
        let free = script.memory_bytes.load(Ordering::SeqCst) - script.held_bytes();
        if bytes > free {
            return Err(no_memory(bytes as u64, free as u64));
        }
        script.opened.fetch_add(1, Ordering::SeqCst);
        script.specs.lock().unwrap().push(*spec);
        script.held.lock().unwrap().push(bytes);
        Ok(Box::new(FakeSession {
            script: script.clone(),
            network: network.clone(),
            spec: *spec,
            is_gpu: self.kind() == DeviceChoice::Cuda,
            bytes,
            runs: 0,
        }))
    }
}

struct FakeSession {
    script: Arc<Script>,
    network: Arc<Network>,
    spec: SessionSpec,
    is_gpu: bool,
    bytes: usize,
    runs: usize,
}

impl Drop for FakeSession {
    fn drop(&mut self) {
        let mut held = self.script.held.lock().unwrap();
        let at = held.iter().position(|&bytes| bytes == self.bytes);
        held.swap_remove(at.expect("it was counted"));
    }
}

impl Session for FakeSession {
    fn summary(&self) -> PlanSummary {
        let SessionSpec { width, height, batch, mode } = self.spec;
        let plan = PlanSummary::without_steps(mode, batch, (width, height));
        // Like a GPU whose kernels support every network.
        let AttentionChoice::Fixed(kernel) = mode.attention else {
            return plan;
        };
        PlanSummary { attention_kernels: vec![kernel], ..plan }
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            decodes: self.is_gpu,
            composes: self.is_gpu,
            composes_masks: self.is_gpu,
            steadies: self.is_gpu && self.script.steadies.load(Ordering::SeqCst),
            keeps_sent: false,
        }
    }

    fn run(
        &mut self,
        job: Job<'_>,
        control: &RunControl,
        meanwhile: Option<&mut dyn FnMut()>,
    ) -> Result<RunTiming, BackendError> {
        let Job { input, paintings, composition, steadiness } = job;
        if steadiness.is_some() && !self.capabilities().steadies {
            return Err(BackendError::Declined(Declined::Unable));
        }
        self.script.steadied.lock().unwrap().extend(steadiness);
        match (input, composition) {
            (Input::Frames(inputs), None) => self.paint(inputs, paintings, control, meanwhile),
            (Input::Frames([input]), Some(composition)) if self.is_gpu => {
                self.compose(input, paintings, composition, (control, meanwhile))
            }
            (Input::Raw { frame, upright }, composition) if self.is_gpu => {
                self.script.raw.fetch_add(1, Ordering::SeqCst);
                if !self.script.decodes.load(Ordering::SeqCst) {
                    return Err(BackendError::Declined(Declined::NoMemory));
                }
                let mut input = Frame::from_fn(self.spec.width, self.spec.height, |_, _| [0; 4]);
                frame.decode_into(upright, &mut input.clone());
                Resampler::default().resample(upright, &mut input);
                match composition {
                    None => self.paint(&[&input], paintings, control, meanwhile),
                    Some(over) => {
                        let over = Composition { source: Some(&*upright), ..over };
                        self.compose(&input, paintings, over, (control, meanwhile))
                    }
                }
            }
            _ => Err(BackendError::Declined(Declined::Unable)),
        }
    }

    fn inspect(&mut self) -> Option<&mut dyn InspectSession> {
        self.script.inspects.then_some(self)
    }
}

impl InspectSession for FakeSession {
    fn run_tensor(
        &mut self,
        input: &Frame,
        _control: &RunControl,
        tap: Option<NormTap<'_>>,
    ) -> Result<Tensor, BackendError> {
        Ok(self.script.art.tensor(&self.network, input, tap))
    }

    fn profile(
        &mut self,
        input: &Frame,
        output: &mut Frame,
        control: &RunControl,
    ) -> Result<Vec<StepTiming>, BackendError> {
        let run = self.run(Job::frames(&[input], from_mut(output)), control, None)?;
        Ok(vec![StepTiming {
            layer: "conv1".to_owned(),
            kernel: "all of it".to_owned(),
            ms: run.total_ms,
            flops: 1,
            bytes: 1,
        }])
    }
}

impl FakeSession {
    fn paint(
        &mut self,
        inputs: &[&Frame],
        outputs: &mut [Frame],
        control: &RunControl,
        meanwhile: Option<&mut dyn FnMut()>,
    ) -> Result<RunTiming, BackendError> {
        if self.script.breaks_px.load(Ordering::SeqCst) == self.spec.width {
            self.script.broke.fetch_add(1, Ordering::SeqCst);
            panic!("scripted panic");
        }
        if let Some(happens) = self.script.while_painting.lock().unwrap().take() {
            happens();
        }
        if let Some(meanwhile) = meanwhile {
            meanwhile();
        }
        let job = Job::frames(inputs, outputs);
        let timing =
            run_one_by_one(job, control, |input, output| self.paint_frame(input, output, control))?;
        self.script.art.finish(outputs);
        Ok(timing)
    }

    fn compose(
        &mut self,
        input: &Frame,
        paintings: &mut [Frame],
        composition: Composition<'_>,
        (control, meanwhile): (&RunControl, Option<&mut dyn FnMut()>),
    ) -> Result<RunTiming, BackendError> {
        let mut painted = [input.clone()];
        let timing = self.paint(&[input], &mut painted, control, meanwhile)?;
        let [painted] = painted;
        let Composition { source, blend, to } = composition;
        let source = source.unwrap_or(input);
        assert!(Upscaler::new(1).compose((input, &painted), source, blend, to));
        if let [painting] = paintings {
            *painting = painted;
        }
        self.script.composed.fetch_add(1, Ordering::SeqCst);
        Ok(RunTiming { compose_ms: COMPOSE_MS, ..timing })
    }

    fn paint_frame(
        &mut self,
        input: &Frame,
        output: &mut Frame,
        control: &RunControl,
    ) -> Result<RunTiming, BackendError> {
        let Self { script, network, spec, .. } = self;
        for frame in [input, output] {
            assert_eq!((frame.width(), frame.height()), (spec.width, spec.height));
        }
        script.started.lock().unwrap().push((input.width(), input.height()));
        *script.painting.lock().unwrap() = Some(network.clone());
        control.set_progress(0.5);
        let concerns = || input.width() >= script.from_px.load(Ordering::SeqCst);
        script.wait_while(control, || script.holds_runs.load(Ordering::SeqCst) && concerns())?;
        let behaviour = match concerns() {
            true => *script.behaviour.lock().unwrap(),
            false => Behaviour::Invert,
        };
        match behaviour {
            Behaviour::Invert => {}
            Behaviour::Fail => {
                let (width, height) = (spec.width, spec.height);
                return Err(BackendError::OutOfMemory { needed_bytes: 7, width, height });
            }
            Behaviour::Panic => panic!("scripted panic"),
            Behaviour::LoseOnce => {
                script.behave(Behaviour::Invert);
                return Err(lost());
            }
        }
        if self.is_gpu
            && script.lost_after.load(Ordering::SeqCst) > 0
            && script.lost_after.fetch_sub(1, Ordering::SeqCst) == 1
        {
            return Err(lost());
        }
        let ns = input.pixel_count() as u64 * script.ns_a_pixel.load(Ordering::SeqCst);
        script.pass(ns);
        script.runs.lock().unwrap().push((spec.mode, ns));
        self.runs += 1;
        script.art.paint(network, self.runs, input, output);
        let off = script.baseline_off.load(Ordering::SeqCst) as u8;
        if off > 0 && spec.mode.variant == Variant::Baseline {
            for pixel in output.rgba_mut().chunks_exact_mut(4) {
                pixel[..3].iter_mut().for_each(|v| *v = v.saturating_sub(off));
            }
        }
        control.set_progress(1.0);
        Ok(RunTiming::host(if ns == 0 { 1.0 } else { ns as f64 / 1e6 }))
    }
}
