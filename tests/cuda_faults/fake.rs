//! A GPU made of host memory that computes nothing, counts what is taken and given back, and fails where a test
//! says so.

mod driver;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use styleforge::{
    backend::{
        BackendError, OpenDevice, RunControl, Selected,
        cpu::CpuBackend,
        cuda::{
            CudaBackend,
            driver::{DevicePtr, DriverFailure, LaunchShape},
        },
    },
    mode::DeviceChoice,
    plan::cuda::DeviceLimits,
};

use driver::FakeDriver;

/// What the GPU is called.
pub const NAME: &str = "Fake GPU";

/// The library of convolutions, where a test installs it.
pub const LIBRARY: &str = "cuDNN 9.99";

/// `CUDA_ERROR_OUT_OF_MEMORY`.
pub const OUT_OF_MEMORY: u32 = DriverFailure::OUT_OF_MEMORY;
/// `CUDA_ERROR_INVALID_VALUE`.
pub const INVALID_VALUE: u32 = 1;
/// `CUDA_ERROR_NO_BINARY_FOR_GPU`.
pub const NO_BINARY: u32 = 209;
/// `CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES`.
pub const OUT_OF_RESOURCES: u32 = 701;
/// `CUDA_ERROR_NOT_SUPPORTED`.
pub const NOT_SUPPORTED: u32 = 801;
/// `CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED`.
pub const NOT_RECORDED: u32 = 900;
/// `CUDA_ERROR_LAUNCH_FAILED`, what a kernel that traps leaves behind.
pub const LAUNCH_FAILED: u32 = 719;

/// Some launches, by their shape.
pub type LaunchFilter = fn(LaunchShape) -> bool;

/// A failure that is to come.
#[derive(Clone, Copy)]
struct Fault {
    /// The call that fails; any when `None`.
    call: Option<&'static str>,
    /// Calls that still succeed before.
    after: usize,
    code: u32,
}

/// An algorithm of the library.
#[derive(Clone, Copy)]
struct FakeAlgorithm {
    /// Whether it ran since it was prepared.
    has_run: bool,
}

#[derive(Default)]
struct State {
    fault: Option<Fault>,
    /// Whether nothing that was queued is ever done.
    hangs: bool,
    /// The start of the clock, which only goes while the GPU hangs.
    began: Option<Instant>,
    /// How far the clock went.
    waited: Duration,
    /// Calls that could have failed.
    calls: usize,
    compute_capability: (i32, i32),
    total_bytes: usize,
    /// What other programs hold.
    taken_bytes: usize,
    next: usize,
    memory: HashMap<u64, Vec<u8>>,
    pinned: HashMap<usize, Vec<u8>>,
    modules: HashSet<usize>,
    /// Module and entry of every function.
    functions: HashMap<usize, (usize, String)>,
    /// Functions of every graph.
    graphs: HashMap<usize, Vec<usize>>,
    events: HashSet<usize>,
    contexts: usize,
    opened: usize,
    /// Entries that ran, in order.
    launched: Vec<String>,
    /// CTAs of any kernel that the GPU holds at once.
    resident_ctas: usize,
    /// Which launches fail with which code, always.
    refuses_launches: Option<(LaunchFilter, u32)>,
    /// Whether a library of convolutions is installed.
    has_library: bool,
    /// The library's prepared algorithms.
    algorithms: HashMap<usize, FakeAlgorithm>,
    /// How often the library prepared an algorithm.
    preparations: usize,
    /// What is cancelled in the middle of which preparation.
    cancels: Option<(usize, Arc<RunControl>)>,
    /// What was replayed last took so long, in milliseconds.
    last_ms: f32,
    /// The call that failed.
    failed_call: Option<&'static str>,
    /// What no driver forgives.
    misuse: Vec<String>,
}

impl State {
    fn handle(&mut self) -> usize {
        self.next += 1;
        self.next
    }

    fn run(&mut self, function: usize) {
        if self.algorithms.contains_key(&function) {
            self.launched.push(LIBRARY.to_owned());
            return;
        }
        match self.functions.get(&function) {
            Some((module, entry)) if self.modules.contains(module) => {
                self.launched.push(entry.clone());
            }
            _ => self.misuse.push(format!("launch of the unloaded {function}")),
        }
    }

    fn free_bytes(&self) -> usize {
        let held: usize = self.memory.values().map(Vec::len).sum();
        self.total_bytes.saturating_sub(self.taken_bytes + held)
    }

    /// The bytes at an address and behind it.
    fn at(&mut self, place: DevicePtr) -> Option<&mut [u8]> {
        let (start, bytes) = (self.memory.iter_mut())
            .find(|(start, bytes)| (**start..**start + bytes.len() as u64).contains(&place.0))?;
        Some(&mut bytes[(place.0 - start) as usize..])
    }
}

/// The GPU, shared between a test and the contexts on it.
#[derive(Clone)]
pub struct FakeGpu(Arc<Mutex<State>>);

impl FakeGpu {
    /// With 1 GB of memory and no failure to come.
    pub fn new() -> Self {
        Self::of((9, 0))
    }

    /// The same, of another compute capability.
    pub fn of(compute_capability: (i32, i32)) -> Self {
        Self(Arc::new(Mutex::new(State {
            compute_capability,
            total_bytes: 1_000_000_000,
            last_ms: 1.0,
            resident_ctas: 132,
            next: 0x1000,
            ..State::default()
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the call of this name fail, once `after` others of it succeeded. A code that means a
    /// loss makes everything on this context fail from then on.
    pub fn fail(&self, call: &'static str, after: usize, code: u32) {
        let call = Some(call);
        self.state().fault = Some(Fault { call, after, code });
    }

    /// Lets the call fail that comes `after` others, whichever it is.
    pub fn fail_any(&self, after: usize, code: u32) {
        let call = None;
        self.state().fault = Some(Fault { call, after, code });
    }

    /// From now on so many CTAs of a kernel run at once.
    pub fn hold_at_once(&self, ctas: usize) {
        self.state().resident_ctas = ctas;
    }

    /// From now on such launches fail with this code.
    pub fn refuse_launches(&self, which: LaunchFilter, code: u32) {
        self.state().refuses_launches = Some((which, code));
    }

    /// Lets the GPU hang from the call of this name on, once `after` others of it were made: nothing that is queued is
    /// ever done.
    pub fn hang(&self, call: &'static str, after: usize) {
        self.fail(call, after, DriverFailure::NO_ANSWER);
    }

    /// How long a GPU that hangs was waited for.
    pub fn waited(&self) -> Duration {
        self.state().waited
    }

    /// Whether a failure is still to come.
    pub fn is_armed(&self) -> bool {
        self.state().fault.is_some()
    }

    /// From now on there is a library of convolutions.
    pub fn install_library(&self) {
        self.state().has_library = true;
    }

    /// Cancels `control` in the middle of this preparation, counted from 1.
    pub fn cancel_at_preparation(&self, preparation: usize, control: &Arc<RunControl>) {
        self.state().cancels = Some((preparation, control.clone()));
    }

    /// Algorithms that the library holds ready.
    pub fn algorithms(&self) -> usize {
        self.state().algorithms.len()
    }

    /// How often the library prepared an algorithm.
    pub fn preparations(&self) -> usize {
        self.state().preparations
    }

    /// The call that failed, if one did.
    pub fn failed_call(&self) -> Option<&'static str> {
        self.state().failed_call
    }

    /// Calls so far that could have failed.
    pub fn calls(&self) -> usize {
        self.state().calls
    }

    /// Other programs take memory until so much is left.
    pub fn leave_free(&self, bytes: usize) {
        let mut state = self.state();
        state.taken_bytes = 0;
        state.taken_bytes = state.free_bytes().saturating_sub(bytes);
    }

    /// Contexts that were opened so far.
    pub fn opened(&self) -> usize {
        self.state().opened
    }

    /// The kernels that ran since this was last asked, in order.
    pub fn launched(&self) -> Vec<String> {
        std::mem::take(&mut self.state().launched)
    }

    /// What is still taken, and what was done that a driver does not forgive; empty when all is
    /// well.
    pub fn left_behind(&self) -> Vec<String> {
        let state = self.state();
        let mut left = state.misuse.clone();
        let counts = [
            ("device memory", state.memory.len()),
            ("pinned memory", state.pinned.len()),
            ("modules", state.modules.len()),
            ("graphs", state.graphs.len()),
            ("algorithms", state.algorithms.len()),
            ("events", state.events.len()),
            ("contexts", state.contexts),
        ];
        let taken = counts.iter().filter(|(_, count)| *count > 0);
        left.extend(taken.map(|(what, count)| format!("{count} {what}")));
        left
    }

    /// A backend with a context of its own.
    pub fn backend(&self) -> Result<CudaBackend, BackendError> {
        let mut state = self.state();
        if state.contexts > 0 {
            let misuse = "a context was opened beside another".to_owned();
            state.misuse.push(misuse);
        }
        state.contexts += 1;
        state.opened += 1;
        let compute_capability = state.compute_capability;
        drop(state);
        let driver = FakeDriver::in_new_context(self.clone());
        let limits = DeviceLimits {
            compute_capability,
            multiprocessors: 132,
            shared_bytes_per_cta: 227 << 10,
            shared_bytes_per_multiprocessor: 228 << 10,
        };
        Ok(CudaBackend::with_driver(Arc::new(driver), limits, NAME))
    }

    /// What `backend::opener` would give on a computer with this GPU.
    pub fn opener(&self) -> OpenDevice {
        let gpu = self.clone();
        Arc::new(move |choice| {
            Ok(Selected {
                backend: match choice {
                    DeviceChoice::Cpu => Arc::new(CpuBackend::new(Some(1))?),
                    DeviceChoice::Auto | DeviceChoice::Cuda => Arc::new(gpu.backend()?),
                },
                notice: None,
            })
        })
    }
}
