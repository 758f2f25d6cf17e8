//! A GPU made of host memory. It computes nothing, counts what is allocated and freed, and fails where a test requests
//! it.

mod driver;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use backend::{
    BackendError, OpenDevice, RunControl, Selected,
    cpu::CpuBackend,
    cuda::{
        CudaBackend,
        driver::{DevicePtr, DriverFailure, LaunchShape},
    },
};
use plan::cuda::DeviceLimits;
use values::mode::DeviceChoice;

use driver::FakeDriver;

/// The name of the GPU.
pub const NAME: &str = "Fake GPU";

/// The convolution library, if a test installs it.
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
/// `CUDA_ERROR_LAUNCH_FAILED`, the result of a kernel that traps.
pub const LAUNCH_FAILED: u32 = 719;

/// Selects launches by their shape.
pub type LaunchFilter = fn(LaunchShape) -> bool;

/// A failure that is still to come.
#[derive(Clone, Copy)]
struct Fault {
    /// The call that fails; any call if `None`.
    call: Option<&'static str>,
    /// Number of calls that still succeed before it.
    after: usize,
    code: u32,
}

/// An algorithm of the library.
#[derive(Clone, Copy)]
struct FakeAlgorithm {
    /// It ran since it was prepared.
    has_run: bool,
}

#[derive(Default)]
struct State {
    fault: Option<Fault>,
    /// Nothing that was queued is ever completed.
    hangs: bool,
    /// The start of the clock, which only advances while the GPU hangs.
    began: Option<Instant>,
    /// How far the clock advanced.
    waited: Duration,
    /// Number of calls that could have failed.
    calls: usize,
    compute_capability: (i32, i32),
    total_bytes: usize,
    /// Memory that other programs use.
    taken_bytes: usize,
    next: usize,
    memory: HashMap<u64, Vec<u8>>,
    pinned: HashMap<usize, Vec<u8>>,
    modules: HashSet<usize>,
    /// Module and entry of every function.
    functions: HashMap<usize, (usize, String)>,
    /// The functions of every graph.
    graphs: HashMap<usize, Vec<usize>>,
    events: HashSet<usize>,
    contexts: usize,
    opened: usize,
    /// Entries that ran, in order.
    launched: Vec<String>,
    /// CTAs of any kernel that the GPU runs at once.
    resident_ctas: usize,
    /// The launches that always fail, and with which code.
    refuses_launches: Option<(LaunchFilter, u32)>,
    has_library: bool,
    algorithms: HashMap<usize, FakeAlgorithm>,
    /// How often the library prepared an algorithm.
    preparations: usize,
    /// What is cancelled in the middle of which preparation.
    cancels: Option<(usize, Arc<RunControl>)>,
    /// What was replayed last took so long, in milliseconds.
    last_ms: f32,
    failed_call: Option<&'static str>,
    /// Uses that no driver accepts.
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

    /// The bytes from an address on.
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
    /// A GPU with 1 GB of memory and no pending failure.
    pub fn new() -> Self {
        Self::of((9, 0))
    }

    /// The same with another compute capability.
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

    /// Makes the named call fail after `after` other calls of it succeeded. A code that means a lost context makes
    /// everything on this context fail from then on.
    pub fn fail(&self, call: &'static str, after: usize, code: u32) {
        let call = Some(call);
        self.state().fault = Some(Fault { call, after, code });
    }

    /// Makes the call after `after` other calls fail, whichever it is.
    pub fn fail_any(&self, after: usize, code: u32) {
        let call = None;
        self.state().fault = Some(Fault { call, after, code });
    }

    /// From now on the GPU runs this many CTAs of a kernel at once.
    pub fn hold_at_once(&self, ctas: usize) {
        self.state().resident_ctas = ctas;
    }

    /// From now on these launches fail with this code.
    pub fn refuse_launches(&self, which: LaunchFilter, code: u32) {
        self.state().refuses_launches = Some((which, code));
    }

    /// Makes the GPU hang from a call of this name on, after `after` others of it were made: nothing that is queued is
    /// ever completed.
    pub fn hang(&self, call: &'static str, after: usize) {
        self.fail(call, after, DriverFailure::NO_ANSWER);
    }

    /// How long callers waited for a GPU that hangs.
    pub fn waited(&self) -> Duration {
        self.state().waited
    }

    /// True if a failure is still pending.
    pub fn is_armed(&self) -> bool {
        self.state().fault.is_some()
    }

    /// Installs the convolution library.
    pub fn install_library(&self) {
        self.state().has_library = true;
    }

    /// Cancels `control` in the middle of this preparation, counted from 1.
    pub fn cancel_at_preparation(&self, preparation: usize, control: &Arc<RunControl>) {
        self.state().cancels = Some((preparation, control.clone()));
    }

    /// Number of algorithms that the library keeps prepared.
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

    /// Number of calls so far that could have failed.
    pub fn calls(&self) -> usize {
        self.state().calls
    }

    /// Other programs allocate memory until `bytes` are left.
    pub fn leave_free(&self, bytes: usize) {
        let mut state = self.state();
        state.taken_bytes = 0;
        state.taken_bytes = state.free_bytes().saturating_sub(bytes);
    }

    /// Number of contexts that were opened so far.
    pub fn opened(&self) -> usize {
        self.state().opened
    }

    /// The kernels that ran since the last call of this, in order.
    pub fn launched(&self) -> Vec<String> {
        std::mem::take(&mut self.state().launched)
    }

    /// What is still allocated, and uses that a driver does not accept; empty if all is well.
    pub fn leaks(&self) -> Vec<String> {
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

    /// A backend with its own context.
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

    /// The function that `backend::opener` would return on a computer with this GPU.
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
