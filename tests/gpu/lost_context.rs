//! Losing the GPU for real: a kernel traps, and painting goes on.
//!
//! A trap ends every context that the process has on the GPU, so this runs in a process of its own.

use std::{
    env,
    ffi::c_void,
    process::{Command, ExitCode},
    ptr::from_ref,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use libtest_mimic::Failed;
use styleforge::{
    backend::{
        Backend, BackendError, DeviceOptions, OpenDevice, RunControl, Selected,
        cuda::{self, CudaBackend, CudaProbe, driver::LaunchShape},
        select,
    },
    engine::paint::{PaintSettings, Painter, Painting},
    mode::DeviceChoice,
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
    let output = Command::new(env::current_exe()?)
        .env(VARIABLE, "1")
        .output()?;
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

/// The backend that paints now. Weak, because a painter can only open the GPU again when nobody
/// else holds it.
type Newest = Arc<Mutex<Weak<CudaBackend>>>;

/// What `backend::opener` gives, with an eye on the GPU's backend.
fn watched_opener(newest: &Newest) -> Result<OpenDevice, String> {
    let CudaProbe::Devices(devices) = cuda::probe() else {
        return Err("no GPU".to_owned());
    };
    let name = devices.first().ok_or("no GPU")?.name.clone();
    let newest = newest.clone();
    Ok(Arc::new(move |choice| {
        if choice == DeviceChoice::Cpu {
            return select(choice, &DeviceOptions::default());
        }
        let backend = Arc::new(CudaBackend::open(0, &name)?);
        *newest.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&backend);
        Ok(Selected {
            backend,
            notice: None,
        })
    }))
}

/// Launches the kernel that traps. What it did is found out by whoever paints next.
fn trap(newest: &Newest) -> Result<(), BackendError> {
    let backend = newest
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .upgrade()
        .expect("the painter has it");
    let function = backend.function("trap", "trap_thread", 0)?;
    let shape = LaunchShape {
        grid: (1, 1, 1),
        block: 32,
        shared_bytes: 0,
        cooperative: false,
    };
    let thread = 0u32;
    // SAFETY: the entry takes one `unsigned int`, which lives through the call.
    let launched = unsafe {
        let params = from_ref(&thread).cast::<c_void>();
        backend.driver().launch(function, shape, params)
    };
    println!(
        "trap: launch {launched:?}, wait {:?}",
        backend.driver().wait()
    );
    Ok(())
}

fn lose_twice() -> Result<(), String> {
    let told = |error: &dyn std::fmt::Display| error.to_string();
    let newest = Newest::default();
    let open = watched_opener(&newest)?;
    let first = open(DeviceChoice::Cuda).map_err(|e| told(&e))?;
    let mut painter = Painter::new(first.backend, open);
    let (network, photo) = (network(), picture(320, 200));
    let paint = |painter: &mut Painter| -> Result<(Painting, String), String> {
        let painting = painter
            .paint(
                &photo,
                &network,
                PaintSettings::default(),
                &RunControl::default(),
            )
            .map_err(|e| told(&e))?;
        let news = painter.take_news().join("; ");
        let device = painter.backend().device().name;
        println!("painted by {device} in {}; {news:?}", painting.mode);
        Ok((painting, news))
    };
    let (usual, _) = paint(&mut painter)?;

    trap(&newest).map_err(|e| told(&e))?;
    let (again, news) = paint(&mut painter)?;
    if !news.starts_with("the GPU was lost and opened again") {
        return Err(format!("after the first trap: {news:?}"));
    }
    if again.painted != usual.painted {
        return Err("the rebuilt context paints another picture".to_owned());
    }

    trap(&newest).map_err(|e| told(&e))?;
    let (last, news) = paint(&mut painter)?;
    if !news.starts_with("CPU: the GPU was lost twice") {
        return Err(format!("after the second trap: {news:?}"));
    }
    let pairs = last.painted.rgba().iter().zip(usual.painted.rgba());
    let largest = pairs.map(|(a, b)| a.abs_diff(*b)).max();
    println!("largest difference between GPU and processor: {largest:?} levels");
    if painter.backend().device().kind != DeviceChoice::Cpu || largest > Some(16) {
        return Err("the processor paints another picture".to_owned());
    }
    Ok(())
}
