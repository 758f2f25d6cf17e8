//! Several GPUs that share photos: whichever is lost, every photo is painted once, and the results stay in order.

use std::{
    ops::ControlFlow,
    sync::atomic::{AtomicUsize, Ordering},
};

use engine::{paint::Painters, share_in_order};

use super::{painting::painter, *};

/// Number of photos.
const PHOTOS: usize = 24;

fn painters(gpus: &[FakeGpu]) -> Painters {
    Painters::new(gpus.iter().map(painter).enumerate())
}

/// Photos of three sizes, so that a painting of another photo is found out.
fn numbered_photo(number: usize) -> Arc<Frame> {
    Arc::new(Frame::from_fn(40, 28 + number % 3, |x, y| [x as u8, y as u8, number as u8, 255]))
}

/// Paints all photos on four threads. Returns the mode of each painting in the order of arrival, and how often a photo
/// was begun.
fn share(painters: &Painters) -> (Vec<Mode>, usize) {
    let (network, begun) = (network(), AtomicUsize::new(0));
    let paint = |number| {
        let photo = numbered_photo(number);
        let painted = painters.paint(|painter| {
            begun.fetch_add(1, Ordering::SeqCst);
            let settings = PaintSettings::default();
            painter.paint_batch(&[&photo], 1, &network, settings, &RunControl::default())
        });
        (number, painted.expect("painted"))
    };
    let mut modes = Vec::new();
    share_in_order(4, 8, 0..PHOTOS, paint, |(number, paintings)| {
        assert_eq!((number, paintings.len()), (modes.len(), 1));
        assert_eq!(paintings[0].painted.size(), numbered_photo(number).size());
        modes.push(paintings[0].mode);
        ControlFlow::Continue(())
    });
    (modes, begun.into_inner())
}

#[test]
fn all_gpus_get_photos() {
    let gpus = [FakeGpu::new(), FakeGpu::new(), FakeGpu::new()];
    let painters = painters(&gpus);
    assert_eq!(share(&painters), (vec![FUSED; PHOTOS], PHOTOS));
    assert_eq!((painters.count(), painters.take_notices()), (3, Vec::new()));
    assert!(gpus.iter().all(|gpu| !gpu.launched().is_empty()));
    drop(painters);
    assert!(gpus.iter().all(|gpu| gpu.leaks().is_empty()));
}

#[test]
fn the_other_gpus_do_the_work_of_a_lost_one() {
    for call in ["cuMemcpyHtoD", "cuGraphLaunch", "cuStreamSynchronize"] {
        let gpus = [FakeGpu::new(), FakeGpu::new()];
        let painters = painters(&gpus);
        gpus[1].fail(call, 3, LAUNCH_FAILED);
        assert_eq!(share(&painters), (vec![FUSED; PHOTOS], PHOTOS + 1));
        assert_eq!(
            painters.take_notices(),
            [format!(
                "GPU 1 (Fake GPU) was lost ({call}: as the test wished (error 719)); the other GPUs do its work; \
                 restart StyleForge to use it again"
            )]
        );
        // It is not opened again, and nothing of it is left.
        assert_eq!((painters.count(), gpus[1].opened()), (1, 1));
        assert_eq!(gpus[1].leaks(), [""; 0]);
        drop(painters);
        assert_eq!(gpus[0].leaks(), [""; 0]);
    }
}

#[test]
fn the_other_gpus_do_the_work_of_one_that_hangs() {
    let gpus = [FakeGpu::new(), FakeGpu::new()];
    let painters = painters(&gpus);
    gpus[0].hang("cuGraphLaunch", 3);
    assert_eq!(share(&painters), (vec![FUSED; PHOTOS], PHOTOS + 1));
    let notices = painters.take_notices();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].starts_with("GPU 0 (Fake GPU) was lost (no answer within"), "{notices:?}");
}

#[test]
fn the_processor_does_the_work_of_all_gpus() {
    let gpus = [FakeGpu::new(), FakeGpu::new()];
    let painters = painters(&gpus);
    for gpu in &gpus {
        gpu.fail("cuGraphLaunch", 3, LAUNCH_FAILED);
    }
    let (modes, begun) = share(&painters);
    // The last GPU is replaced while it paints a photo, which is begun only once.
    assert_eq!((modes.len(), begun), (PHOTOS, PHOTOS + 1));
    let on_processor = modes.iter().filter(|mode| mode.precision == Precision::Fp32).count();
    let on_gpus = modes.iter().filter(|mode| **mode == FUSED).count();
    assert!(on_processor > 0 && on_gpus > 0 && on_processor + on_gpus == PHOTOS, "{modes:?}");
    let notices = painters.take_notices();
    let starts = |start: &str| notices.iter().filter(|notice| notice.starts_with(start)).count();
    assert_eq!((starts("GPU "), starts("CPU: "), notices.len()), (1, 1, 2), "{notices:?}");
    assert_eq!(painters.count(), 1);
    assert!(gpus.iter().all(|gpu| gpu.leaks().is_empty()));
}

#[test]
fn a_photo_has_the_same_size_on_every_gpu() {
    let gpus = [FakeGpu::new(), FakeGpu::new()];
    gpus[1].leave_free(4_000_000);
    let painters = painters(&gpus);
    gpus[1].leave_free(1_000_000_000);
    let photo = Arc::new(Frame::from_fn(400, 300, |x, y| [x as u8, y as u8, 9, 255]));
    let mut sizes = Vec::new();
    for _ in &gpus {
        let painted = painters.paint(|painter| {
            let (settings, control) = (PaintSettings::default(), RunControl::default());
            painter.paint(&photo, &network(), settings, &control)
        });
        sizes.push(painted.expect("painted").painted.size());
    }
    assert!(sizes[0].0 < 400 && sizes[0] == sizes[1], "{sizes:?}");
    assert!(gpus.iter().all(|gpu| !gpu.launched().is_empty()));
}

#[test]
fn a_panic_leaves_the_painter_to_others() {
    let painters = painters(&[FakeGpu::new()]);
    let panics =
        || painters.with(|painter| assert!(painter.take_notices().len() > 9, "on purpose"));
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).is_err());
    assert_eq!(share(&painters), (vec![FUSED; PHOTOS], PHOTOS));
}
