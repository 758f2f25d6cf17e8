//! Trials: small paintings with networks that are not styles yet.

use std::sync::Arc;

use styleforge::engine::{
    Engine,
    protocol::{Event, TrialJob, TrialNumber},
    trial::TRIAL_PX,
};

use super::{
    engine, job, next, skip_device,
    support::{Behaviour, Script, inverted, network, photo, wait_for},
};

fn trial(width: usize, height: usize) -> TrialJob {
    TrialJob { photo: Arc::new(photo(width, height)), network: network() }
}

fn number(event: Event) -> TrialNumber {
    match event {
        Event::Tried { number, .. } => number,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_trial_is_painted_small() {
    let script = Arc::new(Script::default());
    let mut engine = engine(&script);
    skip_device(&mut engine);
    let small = trial(60, 40);
    let first = engine.try_out(small.clone());
    match next(&mut engine) {
        Event::Tried { number, result: Ok(painting) } => {
            assert_eq!(number, first);
            assert_eq!(painting.painted, inverted(&small.photo));
        }
        other => panic!("{other:?}"),
    }
    let second = engine.try_out(trial(2 * TRIAL_PX, TRIAL_PX));
    assert_eq!(number(next(&mut engine)), second);
    assert_eq!(script.runs(), [(60, 40), (TRIAL_PX, TRIAL_PX / 2)]);
}

#[test]
fn the_newest_trial_wins_and_a_cancelled_one_says_nothing() {
    let script = Arc::new(Script::default());
    let mut engine = engine(&script);
    skip_device(&mut engine);
    script.hold();
    engine.try_out(trial(10, 10));
    wait_for("the run", || (script.runs().len() == 1).then_some(()));
    engine.try_out(trial(11, 10));
    engine.cancel_trial();
    let last = engine.try_out(trial(12, 10));
    // The trial runs after a photo that is requested later.
    let generation = engine.paint(job(13, 10));
    script.release();
    let mut events = [next(&mut engine), next(&mut engine)];
    events.sort_by_key(|event| matches!(event, Event::Tried { .. }));
    let [painted, tried] = events;
    assert!(
        matches!(painted, Event::Painted { generation: of, .. } if of == generation),
        "{painted:?}"
    );
    assert_eq!(number(tried), last);
    assert!(!script.runs().contains(&(11, 10)));
    assert!(engine.poll().is_none());
}

#[test]
fn a_trial_that_fails_says_why_and_photos_go_on() {
    let script = Arc::new(Script::default());
    let mut engine = engine(&script);
    skip_device(&mut engine);
    for (behaviour, reason) in
        [(Behaviour::Fail, "could not be allocated"), (Behaviour::Panic, "scripted panic")]
    {
        script.behave(behaviour);
        engine.try_out(trial(9, 7));
        match next(&mut engine) {
            Event::Tried { result: Err(error), .. } => {
                assert!(error.to_string().contains(reason), "{error}")
            }
            other => panic!("{other:?}"),
        }
    }
    script.behave(Behaviour::Invert);
    engine.paint(job(9, 7));
    assert!(matches!(next(&mut engine), Event::Painted { .. }));
}

#[test]
fn without_a_device_a_trial_fails() {
    let open = Arc::new(|_| {
        Err(styleforge::backend::BackendError::Unavailable {
            device: "cpu".to_owned(),
            reason: "scripted".to_owned(),
        })
    });
    let mut engine = Engine::start(open, Arc::new(|| {})).expect("a thread");
    assert!(matches!(next(&mut engine), Event::NoDevice(_)));
    engine.try_out(trial(9, 7));
    match next(&mut engine) {
        Event::Tried { result: Err(error), .. } => {
            assert!(error.to_string().contains("scripted"), "{error}")
        }
        other => panic!("{other:?}"),
    }
}
