//! Live frames that are painted again, in parallel with everything else.

use std::sync::Arc;

use backend::BackendError;
use engine::{
    Engine,
    error::EngineError,
    paint::{PaintError, WorkingSize},
    protocol::{Event, PaintJob, RepaintJob, RepaintNumber, Repainted},
    trial::{self, TRIAL_PX},
};
use values::compose::Look;

use super::{
    engine, job, next, skip_device,
    support::{Behaviour, Script, inverted, photo, real_time::PATIENCE, wait_for},
};

fn repaint(width: usize, height: usize) -> RepaintJob {
    let PaintJob { photo, network, settings, .. } = job(width, height);
    RepaintJob { frame: photo, network, settings, look: Look::default() }
}

/// The outcome of the next repaint.
fn outcome(engine: &mut Engine) -> (RepaintNumber, Result<Arc<Repainted>, EngineError>) {
    match next(engine) {
        Event::Repainted { number, result } => (number, result),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_frame_is_painted_at_its_own_size() {
    let script = Arc::new(Script::default());
    let mut engine = engine(&script);
    skip_device(&mut engine);
    let number = engine.repaint(repaint(60, 40));
    let (of, result) = outcome(&mut engine);
    let repainted = result.expect("painted");
    assert_eq!(of, number);
    assert_eq!(repainted.picture, inverted(&photo(60, 40)));
    assert_eq!(repainted.working, (60, 40));
    // At a smaller working size the picture still has the frame's size; at strength 0 it equals the frame.
    for (strength_percent, is_frame) in [(100, false), (0, true)] {
        let mut smaller = repaint(60, 40);
        smaller.settings.working_size = WorkingSize::LongSide(30);
        smaller.look.strength_percent = strength_percent;
        engine.repaint(smaller);
        let repainted = outcome(&mut engine).1.expect("painted");
        let picture = &repainted.picture;
        assert_eq!((picture.width(), picture.height()), (60, 40));
        assert_eq!(repainted.working, (30, 20));
        assert_eq!(*picture == photo(60, 40), is_frame);
    }
}

#[test]
fn others_are_painted_meanwhile_and_all_of_them_in_turn() {
    let script = Arc::new(Script::default());
    let mut engine = engine(&script);
    skip_device(&mut engine);
    script.only_from(50);
    script.hold();
    let first = engine.repaint(repaint(60, 40));
    wait_for("the run", || (script.runs() == [(60, 40)]).then_some(()));
    let given_up = engine.repaint(repaint(61, 40));
    let last = engine.repaint(repaint(62, 40));
    engine.cancel_repaint(given_up);
    engine.paint(job(13, 10));
    assert!(matches!(next(&mut engine), Event::Painted { .. }), "beside");
    script.release();
    for expected in [first, last] {
        let (number, result) = outcome(&mut engine);
        assert_eq!(number, expected);
        result.expect("painted");
    }
    assert_eq!(script.runs(), [(60, 40), (13, 10), (62, 40)]);
    // Cancelling also stops a running repaint.
    script.hold();
    let held = engine.repaint(repaint(63, 40));
    wait_for("the run", || (script.runs().len() == 4).then_some(()));
    engine.cancel_repaint(held);
    let last = engine.repaint(repaint(20, 20));
    assert_eq!(outcome(&mut engine).0, last, "nothing about the one before");
}

#[test]
fn failures_and_mistakes_are_reported_and_the_next_is_painted() {
    let script = Arc::new(Script::default());
    let mut engine = engine(&script);
    skip_device(&mut engine);
    for behaviour in [Behaviour::Fail, Behaviour::Panic, Behaviour::LoseOnce] {
        script.behave(behaviour);
        let number = engine.repaint(repaint(20, 20));
        let (of, result) = outcome(&mut engine);
        let error = result.expect_err("no picture");
        assert_eq!(of, number);
        match behaviour {
            Behaviour::Panic => assert!(matches!(error, EngineError::Panicked(_)), "{error}"),
            Behaviour::LoseOnce => assert!(
                matches!(
                    error,
                    EngineError::Paint(PaintError::Backend(BackendError::DeviceLost { .. }))
                ),
                "the processor has nothing in its place: {error}"
            ),
            _ => assert!(error.to_string().contains("memory"), "{error}"),
        }
        script.behave(Behaviour::Invert);
        engine.repaint(repaint(20, 20));
        outcome(&mut engine).1.expect("painted");
    }
}

#[test]
fn the_engine_ends_while_a_frame_is_repainted() {
    let script = Arc::new(Script::default());
    let mut engine = engine(&script);
    skip_device(&mut engine);
    script.hold();
    engine.repaint(repaint(20, 20));
    engine.repaint(repaint(20, 20));
    wait_for("the run", || (script.runs().len() == 1).then_some(()));
    assert!(engine.shutdown(PATIENCE));
}

#[test]
fn a_trial_is_painted_small() {
    let script = Arc::new(Script::default());
    let mut engine = engine(&script);
    skip_device(&mut engine);
    for (size, painted) in
        [((60, 40), (60, 40)), ((2 * TRIAL_PX, TRIAL_PX), (TRIAL_PX, TRIAL_PX / 2))]
    {
        engine.repaint(RepaintJob { settings: trial::settings(), ..repaint(size.0, size.1) });
        let repainted = outcome(&mut engine).1.expect("painted");
        assert_eq!((repainted.picture.size(), repainted.working), (size, painted));
    }
}

#[test]
fn without_a_device_nothing_is_painted() {
    let open = Arc::new(|_| {
        Err(BackendError::Unavailable { device: "cpu".to_owned(), reason: "scripted".to_owned() })
    });
    let mut engine = Engine::start(open, Arc::new(|| {})).expect("a thread");
    assert!(matches!(next(&mut engine), Event::NoDevice(_)));
    engine.repaint(repaint(9, 7));
    let error = outcome(&mut engine).1.expect_err("no picture");
    assert!(error.to_string().contains("scripted"), "{error}");
}
