//! Several photos painted at once.

use std::sync::Arc;

use backend::{BackendError, RunControl};
use engine::paint::{PaintError, PaintSettings, Painter, WorkingSize};
use values::{frame::Frame, mode::Mode};

use crate::support::{FakeBackend, Script, network};

/// A painter on a device whose memory is needed by every frame of a batch.
fn painter() -> (Arc<Script>, Painter) {
    let script = Script {
        bytes: |spec| 1_000_000 * spec.batch as u64,
        memory_bytes: 3_500_000.into(),
        tells_memory: true.into(),
        ..Script::default()
    };
    let script = Arc::new(script);
    let backend = Arc::new(FakeBackend::new(&script));
    let painter = Painter::new(backend, FakeBackend::opener(&script));
    (script, painter)
}

fn photo(width: usize, height: usize, red: u8) -> Arc<Frame> {
    Arc::new(Frame::from_fn(width, height, |x, y| [red, (x * 9) as u8, (y * 11) as u8, 255]))
}

fn at_24_px() -> PaintSettings {
    PaintSettings { working_size: WorkingSize::LongSide(24), ..PaintSettings::default() }
}

#[test]
fn a_batch_paints_what_single_photos_get() {
    let (script, mut painter) = painter();
    let (network, control) = (network(), RunControl::default());
    let photos = [photo(24, 16, 7), photo(48, 32, 90), photo(24, 16, 200)];
    let frames: Vec<&Arc<Frame>> = photos.iter().collect();
    let paintings =
        painter.paint_batch(&frames, 8, &network, at_24_px(), &control).expect("painted");
    assert_eq!(paintings.len(), photos.len());
    let opened: Vec<usize> =
        script.specs.lock().expect("no panic").iter().map(|s| s.batch).collect();
    assert_eq!(opened, [3], "three frames fit the memory, eight do not");
    assert_eq!(control.progress(), 1.0);
    for (painting, photo) in paintings.iter().zip(&photos) {
        let alone = painter.paint(photo, &network, at_24_px(), &control).expect("painted");
        assert!(painting.painted == alone.painted);
        assert_eq!(painting.mode, Mode::default());
    }
}

#[test]
fn photos_that_cannot_go_together_are_refused() {
    let ((_, mut painter), network, control) = (painter(), network(), RunControl::default());
    let photos = [photo(24, 16, 7), photo(16, 24, 7)];
    let frames: Vec<&Arc<Frame>> = photos.iter().collect();
    let mut paint = |frames: &[&Arc<Frame>]| {
        painter.paint_batch(frames, 2, &network, at_24_px(), &control).map(|p| p.len())
    };
    assert!(matches!(
        paint(&frames),
        Err(PaintError::Backend(BackendError::WrongSize { width: 16, .. }))
    ));
    assert!(matches!(paint(&[]), Err(PaintError::Backend(BackendError::WrongBatch { .. }))));
    control.cancel();
    assert!(paint(&frames[..1]).expect_err("stopped").is_cancelled());
}
