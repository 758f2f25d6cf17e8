//! Frames of films, which other threads have the engine paint.

use std::{sync::Arc, thread};

use backend::{BackendError, RunControl};
use engine::{
    FilmPainter,
    paint::{PaintError, Painting},
    protocol::{Event, PaintJob},
};

use super::{
    engine, job, next, skip_device,
    support::{Behaviour, Script, inverted, photo, wait_for},
};

/// Paints one frame of this size.
fn paint(
    painter: &FilmPainter,
    (width, height): (usize, usize),
    control: &Arc<RunControl>,
) -> Result<Vec<Painting>, PaintError> {
    let PaintJob { photo, network, settings, .. } = job(width, height);
    painter.paint(&[&photo], &network, settings, None, control)
}

#[test]
fn frames_are_painted_after_everything_else() {
    let script = Arc::new(Script::default());
    let mut engine = engine(&script);
    skip_device(&mut engine);
    let (painter, control) = (engine.film_painter(), Arc::<RunControl>::default());
    let painted = paint(&painter, (60, 40), &control).expect("painted");
    assert_eq!(painted[0].painted, inverted(&photo(60, 40)));
    script.hold();
    engine.paint(job(30, 20));
    wait_for("the photo to begin", || (script.runs().len() == 2).then_some(()));
    let film = thread::spawn(move || paint(&painter, (60, 40), &control));
    // Requested after the frame, but before the engine is free.
    engine.paint(job(24, 20));
    script.release();
    assert!(film.join().expect("no panic").is_ok());
    assert_eq!(script.runs().last(), Some(&(60, 40)), "{:?}", script.runs());
    assert!(matches!(next(&mut engine), Event::Painted { .. }));
}

#[test]
fn a_film_ends_with_its_engine_and_when_it_is_cancelled() {
    let script = Arc::new(Script::default());
    let mut engine = engine(&script);
    skip_device(&mut engine);
    let painter = engine.film_painter();
    script.hold();
    engine.paint(job(30, 20));
    wait_for("the photo to begin", || (script.runs().len() == 1).then_some(()));
    let control = Arc::<RunControl>::default();
    let waits = thread::spawn({
        let (painter, control) = (painter.clone(), control.clone());
        move || paint(&painter, (60, 40), &control)
    });
    control.cancel();
    assert!(waits.join().expect("no panic").expect_err("cancelled").is_cancelled());
    script.release();
    drop(engine);
    let control = Arc::<RunControl>::default();
    assert!(paint(&painter, (60, 40), &control).is_err(), "without an engine");
    control.cancel();
    assert!(paint(&painter, (60, 40), &control).expect_err("no engine").is_cancelled());
}

#[test]
fn a_panic_ends_only_its_own_frames() {
    let script = Arc::new(Script::default());
    let engine = engine(&script);
    script.behave(Behaviour::Panic);
    let error = paint(&engine.film_painter(), (60, 40), &Arc::default()).expect_err("a bug");
    assert!(matches!(error, PaintError::Backend(BackendError::Internal(_))), "{error}");
    script.behave(Behaviour::Invert);
    assert!(paint(&engine.film_painter(), (60, 40), &Arc::default()).is_ok());
}
