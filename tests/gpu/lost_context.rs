//! Really loses the GPU: a kernel traps or never ends, and painting continues.
//!
//! A trap ends every context that a process has on the GPU, and the driver opens no other one for it. So each test runs
//! in a separate process.

use std::{
    env,
    ffi::c_void,
    process::{Command, ExitCode},
    ptr::from_ref,
    sync::Arc,
    time::Instant,
};

use backend::{
    Backend, BackendError, DeviceOptions, RunControl,
    cuda::{self, CudaBackend, CudaProbe, driver::LaunchShape},
    opener,
};
use engine::paint::{PaintSettings, Painter, Painting};
use libtest_mimic::Failed;
use values::mode::DeviceChoice;

use super::{network, picture};

/// Set in the process that loses the GPU, to how it does.
const VARIABLE: &str = "STYLEFORGE_TEST_LOSES_THE_GPU";

/// [`VARIABLE`] of a trap on one of several GPUs.
pub const TRAP_ON_ONE: &str = "trap on one";

pub fn is_requested() -> bool {
    env::var_os(VARIABLE).is_some()
}

/// A kernel that never ends.
const ENDLESS: &str = ".version 7.0
.target sm_75
.address_size 64
.visible .entry endless(.param .u32 thread) {
again:
    bra again;
}
";

/// Loses the GPU by a trap in another process.
pub fn by_a_trap(_: &dyn Backend) -> Result<(), Failed> {
    in_another_process("trap")
}

/// Loses the GPU by a kernel that never ends, in another process.
pub fn by_a_hang(_: &dyn Backend) -> Result<(), Failed> {
    in_another_process("hang")
}

/// Runs this program again to lose the GPU there; it must end without help.
pub fn in_another_process(how: &str) -> Result<(), Failed> {
    let began = Instant::now();
    let output = Command::new(env::current_exe()?).env(VARIABLE, how).output()?;
    println!("{how}: {} after {:?}", output.status, began.elapsed());
    let said = String::from_utf8_lossy(&output.stdout);
    print!("{said}");
    if output.status.success() {
        return Ok(());
    }
    let complaints = String::from_utf8_lossy(&output.stderr);
    Err(format!("{}: {said}{complaints}", output.status).into())
}

/// Loses the GPU and checks which device paints then.
pub fn run() -> ExitCode {
    if env::var_os(VARIABLE).is_some_and(|how| how == TRAP_ON_ONE) {
        return super::several::lose_one();
    }
    match lose() {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}

/// Opens the first GPU.
fn first_gpu() -> Result<CudaBackend, BackendError> {
    let name = match cuda::probe() {
        CudaProbe::Devices(devices) => devices.into_iter().next().map(|d| d.name),
        _ => None,
    };
    CudaBackend::open(0, &name.unwrap_or_default())
}

/// Launches the kernel that traps, or the one that never ends. The next painting fails because of it.
pub fn break_gpu(backend: &CudaBackend, hangs: bool) -> Result<(), String> {
    let words = |error: &dyn std::fmt::Debug| format!("{error:?}");
    let driver = backend.driver();
    let function = if hangs {
        let module = driver.load(ENDLESS.as_bytes()).map_err(|e| words(&e))?;
        driver.function(module, "endless", 0).map_err(|e| words(&e))?
    } else {
        backend.function("trap", "trap_thread", 0).map_err(|e| words(&e))?
    };
    let shape = LaunchShape {
        grid: (1, 1, 1),
        block: 32,
        shared_bytes: 0,
        cooperative: false,
        early: false,
    };
    let thread = 0u32;
    // SAFETY: the entry takes one `unsigned int`, which lives during the call.
    let launched = unsafe {
        let params = from_ref(&thread).cast::<c_void>();
        driver.launch(function, shape, params)
    };
    println!("launch {launched:?}");
    if !hangs {
        println!("wait {:?}", driver.wait());
    }
    Ok(())
}

fn lose() -> Result<(), String> {
    let words = |error: &dyn std::fmt::Display| error.to_string();
    let gpu = Arc::new(first_gpu().map_err(|e| words(&e))?);
    let lost = Arc::downgrade(&gpu);
    let mut painter = Painter::new(gpu, opener(DeviceOptions::default()));
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

    let hangs = env::var_os(VARIABLE).is_some_and(|how| how == "hang");
    break_gpu(&*lost.upgrade().ok_or("the painter has no GPU")?, hangs)?;
    let (last, notices) = paint(&mut painter)?;
    if !notices.starts_with("CPU: the GPU was lost (") {
        return Err(format!("after the loss: {notices:?}"));
    }
    let pairs = last.painted.rgba().iter().zip(usual.painted.rgba());
    let largest = pairs.map(|(a, b)| a.abs_diff(*b)).max();
    println!("largest difference between GPU and processor: {largest:?} levels");
    if painter.backend().device().kind != DeviceChoice::Cpu || largest > Some(16) {
        return Err("the processor paints another picture".to_owned());
    }
    if hangs {
        return Ok(());
    }
    match cuda::open(None) {
        Err(error) => println!("opened again in the same process: {error}"),
        Ok(_) => return Err("the driver opened the lost GPU again".to_owned()),
    }
    Ok(())
}
