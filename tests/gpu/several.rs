//! Several GPUs that share photos, and a trap on one of them, after which the processor paints.

use std::{
    ops::ControlFlow,
    process::ExitCode,
    sync::{Arc, Weak},
};

use backend::{
    Backend, DeviceOptions, RunControl,
    cuda::{self, CudaBackend, CudaProbe},
    opener,
};
use engine::{
    paint::{PaintSettings, Painter, Painters},
    share_in_order,
};
use libtest_mimic::Failed;
use values::{frame::Frame, mode::GpuList};

use super::{lost_context, network, picture};

/// Number of photos.
const PHOTOS: usize = 96;
/// Mean difference in levels between the paintings of a GPU and the processor.
const MAX_APART: f64 = 2.0;
/// The photo whose painting is interrupted by the loss.
const LOST_AT: usize = 40;

pub fn has_several_gpus() -> bool {
    cuda::numbers(&GpuList::All).is_ok_and(|numbers| numbers.len() > 1)
}

/// A painter on each GPU, and the backend of each.
fn open() -> Result<(Painters, Vec<Weak<CudaBackend>>), String> {
    let CudaProbe::Devices(devices) = cuda::probe() else {
        return Err("no GPU".to_owned());
    };
    let (mut painters, mut backends) = (Vec::new(), Vec::new());
    for number in cuda::numbers(&GpuList::All).map_err(|e| e.to_string())? {
        let backend = CudaBackend::open(number, &devices[number].name);
        let backend = Arc::new(backend.map_err(|e| e.to_string())?);
        backends.push(Arc::downgrade(&backend));
        painters.push((number, Painter::new(backend, opener(DeviceOptions::default()))));
    }
    Ok((Painters::new(painters), backends))
}

/// Paints all photos. `before` is called before each painting with the photo's number.
fn paint(
    painters: &Painters,
    before: impl Fn(usize, &Painter) -> Result<(), String> + Sync,
) -> Result<Vec<Frame>, String> {
    let network = network();
    let work = |number: usize| {
        let photo = Arc::new(picture(320 + number % 5, 200 + number % 3));
        let mut broken = Ok(());
        let painting = painters.paint(|painter| {
            broken = before(number, painter);
            painter.paint(&photo, &network, PaintSettings::default(), &RunControl::default())
        });
        broken.and(painting.map_err(|e| e.to_string())).map(|painting| (number, painting.painted))
    };
    let mut painted = Vec::new();
    let mut outcome = Ok(());
    share_in_order(4 * painters.count(), PHOTOS, 0..PHOTOS, work, |result| {
        match result {
            Ok((number, frame)) if number == painted.len() => painted.push(frame),
            Ok((number, _)) => outcome = Err(format!("{number} came after {}", painted.len())),
            Err(error) => outcome = Err(error),
        }
        ControlFlow::Continue(())
    });
    outcome.map(|()| painted)
}

fn mean_difference(a: &Frame, b: &Frame) -> f64 {
    let pairs = a.rgba().iter().zip(b.rgba());
    let sum: u64 = pairs.map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / a.rgba().len() as f64
}

/// Several GPUs paint the same bits as one.
pub fn same_bits(_: &dyn Backend) -> Result<(), Failed> {
    let (painters, backends) = open()?;
    let all = paint(&painters, |_, _| Ok(()))?;
    drop(painters);
    let first = backends.len();
    let one = cuda::open(None)?;
    let one = Painters::new([(0, Painter::new(one, opener(DeviceOptions::default())))]);
    if paint(&one, |_, _| Ok(()))? != all {
        return Err(format!("{first} GPUs paint other pictures than one").into());
    }
    println!("{first} GPUs painted {PHOTOS} photos, bit for bit as one does");
    Ok(())
}

/// A trap on one GPU loses no photo; in another process.
pub fn one_is_lost(_: &dyn Backend) -> Result<(), Failed> {
    lost_context::in_another_process(lost_context::TRAP_ON_ONE)
}

/// Traps on the last GPU while all paint.
pub fn lose_one() -> ExitCode {
    let lose = || -> Result<(), String> {
        let (painters, backends) = open()?;
        let (count, lost) = (backends.len(), backends.last().cloned().unwrap_or_default());
        let expected = paint(&painters, |_, _| Ok(()))?;
        let has_trapped = std::sync::Once::new();
        let painted = paint(&painters, |number, painter| {
            let gpu = lost.upgrade().filter(|gpu| {
                number >= LOST_AT
                    && Arc::as_ptr(gpu).cast::<()>() == Arc::as_ptr(painter.backend()).cast()
            });
            let mut broken = Ok(());
            if let Some(gpu) = gpu {
                has_trapped.call_once(|| broken = lost_context::break_gpu(&gpu, false));
            }
            broken
        })?;
        let notices = painters.take_notices();
        println!("{notices:#?}");
        if !has_trapped.is_completed() {
            return Err("the last GPU got no photo".to_owned());
        }
        // The driver ends CUDA for the whole process, so the processor paints what is left.
        if painters.count() != 1 || !notices.last().is_some_and(|last| last.starts_with("CPU")) {
            return Err(format!("{} of {count} painters are left", painters.count()));
        }
        let far = painted.iter().zip(&expected).filter(|(a, b)| mean_difference(a, b) > MAX_APART);
        let (far, same) =
            (far.count(), painted.iter().zip(&expected).filter(|(a, b)| a == b).count());
        println!("{same} of {PHOTOS} photos are the same bits, {far} differ visibly");
        if far > 0 || same < LOST_AT / 2 {
            return Err("photos were painted wrong".to_owned());
        }
        Ok(())
    };
    match lose() {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}
