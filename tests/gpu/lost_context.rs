//! Losing the GPU for real: a kernel traps, and painting goes on.
//!
//! A trap ends every context that a process has on the GPU and the driver gives it no other, so the
//! test runs in a process of its own; and so does the GPU that is opened again, whose process is this
//! program once more, with a backend that traps too.

use std::{
    env,
    ffi::c_void,
    io,
    process::{Command, ExitCode},
    ptr::from_ref,
    sync::{Arc, Mutex, OnceLock, PoisonError, Weak},
};

use libtest_mimic::Failed;
use styleforge::{
    backend::{
        Backend, BackendError, DeviceInfo, DeviceOptions, OpenDevice, RunControl, Selected,
        Session, SessionSpec,
        cuda::{self, CudaBackend, CudaProbe, driver::LaunchShape},
        remote, select,
    },
    engine::paint::{PaintSettings, Painter, Painting},
    frame::Frame,
    graph::Graph,
    mode::{DeviceChoice, Mode, Precision, Variant},
    network::Network,
    plan::PlanSummary,
    timing::RunTiming,
};

use super::{network, picture};

/// Set in the process that loses the GPU.
const VARIABLE: &str = "STYLEFORGE_TEST_LOSES_THE_GPU";

/// Whether this process was started to lose the GPU.
pub fn is_asked_for() -> bool {
    env::var_os(VARIABLE).is_some()
}

/// Runs this program again to lose the GPU there.
pub fn in_another_process(_: &dyn Backend) -> Result<(), Failed> {
    let output = Command::new(env::current_exe()?).env(VARIABLE, "1").output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    print!("{said}");
    if output.status.success() {
        return Ok(());
    }
    let complaints = String::from_utf8_lossy(&output.stderr);
    Err(format!("{}: {said}{complaints}", output.status).into())
}

/// Loses the GPU twice and looks at what paints then.
pub fn run() -> ExitCode {
    match lose_twice() {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}

/// Opens the first GPU in this process.
fn first_gpu() -> Result<CudaBackend, BackendError> {
    static NAME: OnceLock<String> = OnceLock::new();
    let name = NAME.get_or_init(|| {
        match cuda::probe() {
            CudaProbe::Devices(devices) => devices.into_iter().next().map(|d| d.name),
            _ => None,
        }
        .unwrap_or_default()
    });
    CudaBackend::open(0, name)
}

/// The backend of this process. Weak, because the context is only given back when nobody holds it.
type Here = Arc<Mutex<Weak<CudaBackend>>>;

/// What `backend::opener` gives, with an eye on the backend of this process.
fn watched_opener(here: &Here) -> OpenDevice {
    let here = here.clone();
    Arc::new(move |choice| {
        if choice == DeviceChoice::Cpu {
            return select(choice, &DeviceOptions::default());
        }
        let backend: Arc<dyn Backend> = match first_gpu() {
            Ok(backend) => {
                let backend = Arc::new(backend);
                *here.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&backend);
                backend
            }
            Err(error) => {
                println!("in this process: {error}");
                cuda::open(None)?
            }
        };
        Ok(Selected { backend, notice: None })
    })
}

/// Launches the kernel that traps. The next painting runs into the failure.
fn trap(backend: &CudaBackend) -> Result<(), BackendError> {
    let function = backend.function("trap", "trap_thread", 0)?;
    let shape = LaunchShape {
        grid: (1, 1, 1),
        block: 32,
        shared_bytes: 0,
        cooperative: false,
        early: false,
    };
    let thread = 0u32;
    // SAFETY: the entry takes one `unsigned int`, which lives through the call.
    let launched = unsafe {
        let params = from_ref(&thread).cast::<c_void>();
        backend.driver().launch(function, shape, params)
    };
    // Standard output belongs to what a worker says.
    eprintln!("trap: launch {launched:?}, wait {:?}", backend.driver().wait());
    Ok(())
}

/// Serves the GPU to the process that lost it, when this one was started for that.
pub fn as_worker() -> Option<ExitCode> {
    if env::args().nth(1).as_deref() != Some(remote::COMMAND) {
        return None;
    }
    let backend = first_gpu().map(|gpu| Arc::new(Trapping(Arc::new(gpu))) as Arc<dyn Backend>);
    let served = remote::serve(backend, &mut io::stdin().lock(), &mut io::stdout().lock());
    Some(match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the worker ended: {error}");
            ExitCode::FAILURE
        }
    })
}

/// A GPU whose sessions trap before they paint for the second time.
struct Trapping(Arc<CudaBackend>);

struct TrappingSession {
    gpu: Arc<CudaBackend>,
    session: Box<dyn Session>,
    paintings: usize,
}

impl Backend for Trapping {
    fn device(&self) -> DeviceInfo {
        self.0.device()
    }

    fn supports(&self, mode: Mode) -> Result<(), BackendError> {
        self.0.supports(mode)
    }

    fn auto_precision(&self, variant: Variant) -> Precision {
        self.0.auto_precision(variant)
    }

    fn predicted_bytes(&self, network: &Graph, spec: &SessionSpec) -> Result<u64, BackendError> {
        self.0.predicted_bytes(network, spec)
    }

    fn free_bytes(&self) -> Option<u64> {
        self.0.free_bytes()
    }

    fn open_unless_cancelled(
        &self,
        network: &Arc<Network>,
        spec: &SessionSpec,
        control: &RunControl,
    ) -> Result<Box<dyn Session>, BackendError> {
        Ok(Box::new(TrappingSession {
            gpu: self.0.clone(),
            session: self.0.open_unless_cancelled(network, spec, control)?,
            paintings: 0,
        }))
    }
}

impl Session for TrappingSession {
    fn summary(&self) -> PlanSummary {
        self.session.summary()
    }

    fn run(
        &mut self,
        inputs: &[Frame],
        outputs: &mut [Frame],
        control: &RunControl,
        meanwhile: Option<&mut dyn FnMut()>,
    ) -> Result<RunTiming, BackendError> {
        self.paintings += 1;
        if self.paintings == 2 {
            trap(&self.gpu)?;
        }
        self.session.run(inputs, outputs, control, meanwhile)
    }
}

fn lose_twice() -> Result<(), String> {
    let words = |error: &dyn std::fmt::Display| error.to_string();
    let here = Here::default();
    let open = watched_opener(&here);
    let first = open(DeviceChoice::Cuda).map_err(|e| words(&e))?;
    let mut painter = Painter::new(first.backend, open);
    let (network, photo) = (network(), Arc::new(picture(320, 200)));
    let paint = |painter: &mut Painter| -> Result<(Painting, String), String> {
        let painting = painter
            .paint(&photo, &network, PaintSettings::default(), &RunControl::default())
            .map_err(|e| words(&e))?;
        let notices = painter.take_notices().join("; ");
        let device = painter.backend().device().name;
        println!(
            "painted by {device} in {}, {:.1} ms with all around it; {notices:?}",
            painting.mode, painting.total_ms
        );
        Ok((painting, notices))
    };
    let (usual, _) = paint(&mut painter)?;

    let lost = here
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .upgrade()
        .ok_or("the painter has no GPU")?;
    trap(&lost).map_err(|e| words(&e))?;
    drop(lost);
    let (again, notices) = paint(&mut painter)?;
    if !notices.starts_with("the GPU was lost and opened again") {
        return Err(format!("after the first trap: {notices:?}"));
    }
    if again.painted != usual.painted {
        return Err("the other process paints another picture".to_owned());
    }

    // The other process traps by itself now.
    let (last, notices) = paint(&mut painter)?;
    if !notices.starts_with("CPU: the GPU was lost twice") {
        return Err(format!("after the second trap: {notices:?}"));
    }
    let pairs = last.painted.rgba().iter().zip(usual.painted.rgba());
    let largest = pairs.map(|(a, b)| a.abs_diff(*b)).max();
    println!("largest difference between GPU and processor: {largest:?} levels");
    if painter.backend().device().kind != DeviceChoice::Cpu || largest > Some(16) {
        return Err("the processor paints another picture".to_owned());
    }
    Ok(())
}
