//! A scripted device for the tests of the engine and of the window: paints by inverting colours, holds runs
//! until they are released, fails or panics when a test says so.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "test support: each test binary uses a part of it, and a broken test should panic"
)]

pub mod real_time;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use styleforge::{
    backend::{
        Backend, BackendError, DeviceInfo, Job, OpenDevice, RunControl, Selected, Session,
        SessionSpec, run_one_by_one,
    },
    frame::Frame,
    graph::Graph,
    mode::{AttentionChoice, DeviceChoice, Mode, Precision, Variant},
    models::johnson::NetworkSpec,
    network::Network,
    plan::PlanSummary,
    timing::RunTiming,
};

/// What the device does with a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Behaviour {
    /// Inverts the colours.
    #[default]
    Invert,
    /// Reports that memory could not be had.
    Fail,
    /// Panics.
    Panic,
    /// Reports that the device is gone, and inverts from then on.
    LoseOnce,
}

/// Shared between a test and its device.
#[derive(Default)]
pub struct Script {
    held: AtomicBool,
    holds_opening: AtomicBool,
    openings: AtomicUsize,
    ignores_cancelling: AtomicBool,
    searches: AtomicBool,
    behaviour: Mutex<Behaviour>,
    runs: Mutex<Vec<(usize, usize)>>,
    /// What the latest run painted with.
    painting: Mutex<Option<Arc<Network>>>,
    is_gpu: AtomicBool,
    /// Levels by which the baseline is off.
    baseline_off: AtomicUsize,
    /// Columns from which on runs are held and behave as the test says.
    from_px: AtomicUsize,
}

impl Script {
    /// Runs wait from now on, unless they are cancelled, until [`Script::release`].
    pub fn hold(&self) {
        self.held.store(true, Ordering::SeqCst);
    }

    /// Only runs of so many columns or more are held and behave otherwise from now on.
    pub fn only_from(&self, columns: usize) {
        self.from_px.store(columns, Ordering::SeqCst);
    }

    /// Opening waits from now on, unless it is cancelled, until [`Script::release`].
    pub fn hold_opening(&self) {
        self.holds_opening.store(true, Ordering::SeqCst);
    }

    /// The baseline is only opened after a search from now on, which waits until [`Script::release`].
    pub fn search(&self) {
        self.searches.store(true, Ordering::SeqCst);
    }

    /// Sessions that were begun to be opened.
    pub fn openings(&self) -> usize {
        self.openings.load(Ordering::SeqCst)
    }

    /// Runs and openings go on.
    pub fn release(&self) {
        self.held.store(false, Ordering::SeqCst);
        self.holds_opening.store(false, Ordering::SeqCst);
        self.searches.store(false, Ordering::SeqCst);
    }

    /// Runs and openings no longer stop when they are cancelled.
    pub fn ignore_cancelling(&self) {
        self.ignores_cancelling.store(true, Ordering::SeqCst);
    }

    /// What later runs do.
    pub fn behave(&self, behaviour: Behaviour) {
        *self.behaviour.lock().unwrap() = behaviour;
    }

    /// The device says that it is a GPU from now on.
    pub fn be_a_gpu(&self) {
        self.is_gpu.store(true, Ordering::SeqCst);
    }

    /// The device says that it is a GPU from now on, and the next run finds it gone.
    pub fn lose_the_gpu(&self) {
        self.be_a_gpu();
        self.behave(Behaviour::LoseOnce);
    }

    /// The baseline paints so many levels darker from now on.
    pub fn let_the_baseline_be_off(&self, levels: u8) {
        self.baseline_off.store(usize::from(levels), Ordering::SeqCst);
    }

    /// Size of every run that was started.
    pub fn runs(&self) -> Vec<(usize, usize)> {
        self.runs.lock().unwrap().clone()
    }

    /// Whether the latest run was this network's.
    pub fn paints_with(&self, network: &Arc<Network>) -> bool {
        let painting = self.painting.lock().unwrap();
        painting.as_ref().is_some_and(|p| Arc::ptr_eq(p, network))
    }
}

/// The scripted device.
pub struct ScriptedBackend(pub Arc<Script>);

impl ScriptedBackend {
    /// What `backend::select` would give.
    pub fn selected(script: &Arc<Script>) -> Selected {
        Selected {
            backend: Arc::new(Self(script.clone())),
            notice: Some("CPU: no NVIDIA driver found".to_owned()),
        }
    }

    /// Opens this device for every choice.
    pub fn opener(script: &Arc<Script>) -> OpenDevice {
        let script = script.clone();
        Arc::new(move |_| Ok(Self::selected(&script)))
    }
}

struct ScriptedSession {
    script: Arc<Script>,
    network: Arc<Network>,
    spec: SessionSpec,
}

impl Backend for ScriptedBackend {
    fn device(&self) -> DeviceInfo {
        DeviceInfo {
            kind: match self.0.is_gpu.load(Ordering::SeqCst) {
                true => DeviceChoice::Cuda,
                false => DeviceChoice::Cpu,
            },
            name: "Scripted processor".to_owned(),
            threads: 3,
            instructions: "AVX2".to_owned(),
        }
    }

    fn supports(&self, _: Mode) -> Result<(), BackendError> {
        Ok(())
    }

    fn auto_precision(&self, _: Variant) -> Precision {
        Precision::Fp32
    }

    fn predicted_bytes(&self, _: &Graph, spec: &SessionSpec) -> Result<u64, BackendError> {
        Ok((spec.width * spec.height) as u64)
    }

    fn open_unless_cancelled(
        &self,
        network: &Arc<Network>,
        spec: &SessionSpec,
        control: &RunControl,
    ) -> Result<Box<dyn Session>, BackendError> {
        let script = &self.0;
        script.openings.fetch_add(1, Ordering::SeqCst);
        while script.holds_opening.load(Ordering::SeqCst) || self.searches(network.graph(), spec) {
            if control.is_cancelled() && !script.ignores_cancelling.load(Ordering::SeqCst) {
                return Err(BackendError::Cancelled);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(Box::new(ScriptedSession {
            script: self.0.clone(),
            network: network.clone(),
            spec: *spec,
        }))
    }

    fn searches(&self, _: &Graph, spec: &SessionSpec) -> bool {
        spec.mode.variant == Variant::Baseline && self.0.searches.load(Ordering::SeqCst)
    }
}

impl Session for ScriptedSession {
    fn summary(&self) -> PlanSummary {
        let plan = PlanSummary::without_steps(
            self.spec.mode,
            self.spec.batch,
            (self.spec.width, self.spec.height),
        );
        // As on a GPU whose kernels take every network.
        let AttentionChoice::Fixed(kernel) = self.spec.mode.attention else {
            return plan;
        };
        PlanSummary { attention_kernels: vec![kernel], ..plan }
    }

    fn run(
        &mut self,
        job: Job<'_>,
        control: &RunControl,
        _: Option<&mut dyn FnMut()>,
    ) -> Result<RunTiming, BackendError> {
        run_one_by_one(job, control, |input, output| self.paint_frame(input, output, control))
    }
}

impl ScriptedSession {
    fn paint_frame(
        &mut self,
        input: &Frame,
        output: &mut Frame,
        control: &RunControl,
    ) -> Result<RunTiming, BackendError> {
        let script = &self.script;
        script.runs.lock().unwrap().push((input.width(), input.height()));
        *script.painting.lock().unwrap() = Some(self.network.clone());
        control.set_progress(0.5);
        let concerns = || input.width() >= script.from_px.load(Ordering::SeqCst);
        while script.held.load(Ordering::SeqCst) && concerns() {
            if control.is_cancelled() && !script.ignores_cancelling.load(Ordering::SeqCst) {
                return Err(BackendError::Cancelled);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let behaviour = match concerns() {
            true => *script.behaviour.lock().unwrap(),
            false => Behaviour::Invert,
        };
        match behaviour {
            Behaviour::Invert => {}
            Behaviour::Fail => {
                return Err(BackendError::OutOfMemory {
                    needed_bytes: 7,
                    width: self.spec.width,
                    height: self.spec.height,
                });
            }
            Behaviour::Panic => panic!("scripted panic"),
            Behaviour::LoseOnce => {
                script.behave(Behaviour::Invert);
                return Err(BackendError::DeviceLost {
                    device: "Scripted GPU".to_owned(),
                    reason: "scripted loss".to_owned(),
                });
            }
        }
        *output = inverted(input);
        let off = script.baseline_off.load(Ordering::SeqCst) as u8;
        if off > 0 && self.spec.mode.variant == Variant::Baseline {
            for pixel in output.rgba_mut().chunks_exact_mut(4) {
                pixel[..3].iter_mut().for_each(|v| *v = v.saturating_sub(off));
            }
        }
        control.set_progress(1.0);
        Ok(RunTiming::host(1.0))
    }
}

/// The picture that the scripted device paints.
pub fn inverted(frame: &Frame) -> Frame {
    Frame::from_fn(frame.width(), frame.height(), |x, y| {
        let [r, g, b, a] = frame.pixel(x, y);
        [255 - r, 255 - g, 255 - b, a]
    })
}

/// A picture with some colour in it.
pub fn photo(width: usize, height: usize) -> Frame {
    Frame::from_fn(width, height, |x, y| [(x % 256) as u8, (y % 256) as u8, 90, 255])
}

/// The smallest network there is; the scripted device never reads it.
pub fn network() -> Arc<Network> {
    let network = NetworkSpec::with_widths([1, 1, 1]).random(1);
    Arc::new(network.expect("a valid shape"))
}

/// Waits until `look` finds something.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < real_time::PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
