//! The engine thread with a scripted device: replaced commands, cancelling, outdated events, errors, panics, batches,
//! and shutdown while busy.

#![allow(
    clippy::expect_used,
    reason = "a test that fails by expect says why it expected otherwise"
)]

#[path = "engine/batches.rs"]
mod batches;
#[path = "engine/film_frames.rs"]
mod film_frames;
#[path = "../../../tests/support/home.rs"]
mod home;
#[path = "engine/repaints.rs"]
mod repaints;
#[path = "../../../tests/support/mod.rs"]
mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use backend::BackendError;
use engine::{
    Engine,
    compositor::{ComposeJob, Compositor, PREVIEW_PX},
    error::EngineError,
    paint::{OutputSize, PaintSettings, Painting, WorkingSize},
    protocol::{Event, Generation, PaintJob, RepaintJob},
};
use support::{
    Behaviour, FakeBackend, Script, inverted, network, photo,
    real_time::{PATIENCE, within},
    wait_for,
};
use values::{compose::Look, frame::Frame, mode::Mode, timing::RunTiming};

fn engine(script: &Arc<Script>) -> Engine {
    Engine::start(FakeBackend::opener(script), Arc::new(|| {})).expect("a thread")
}

fn job(width: usize, height: usize) -> PaintJob {
    PaintJob {
        photo: Arc::new(photo(width, height)),
        network: network(),
        settings: PaintSettings {
            working_size: WorkingSize::Original,
            max_memory_bytes: Some(u64::MAX),
            ..PaintSettings::default()
        },
        draft: false,
    }
}

fn next(engine: &mut Engine) -> Event {
    wait_for("an event", || engine.poll())
}

fn skip_device(engine: &mut Engine) {
    match next(engine) {
        Event::Device { info, notice } => {
            assert_eq!(info.threads, 3);
            assert_eq!(notice.as_deref(), Some("CPU: no NVIDIA driver found"));
        }
        other => panic!("the device comes first, got {other:?}"),
    }
}

#[test]
fn paints_and_rings_the_wake_up() {
    let script = Arc::new(Script::default());
    let rings = Arc::new(AtomicUsize::new(0));
    let bell = rings.clone();
    let mut engine = Engine::start(
        FakeBackend::opener(&script),
        Arc::new(move || {
            bell.fetch_add(1, Ordering::SeqCst);
        }),
    )
    .expect("a thread");
    skip_device(&mut engine);
    let job = job(9, 7);
    let generation = engine.paint(job.clone());
    assert!(engine.progress().is_some());
    match next(&mut engine) {
        Event::Painted { generation: of, draft, painting } => {
            assert_eq!((of, draft), (generation, false));
            assert_eq!(painting.painted, inverted(&job.photo));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(engine.progress(), None);
    wait_for("two rings", || (rings.load(Ordering::SeqCst) == 2).then_some(()));
}

#[test]
fn a_draft_comes_before_the_painting() {
    let script = Arc::new(Script::default());
    let mut engine = engine(&script);
    skip_device(&mut engine);
    engine.paint(PaintJob { draft: true, ..job(900, 600) });
    let sizes: Vec<(bool, usize)> = (0..2)
        .map(|_| match next(&mut engine) {
            Event::Painted { draft, painting, .. } => (draft, painting.painted.width()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(sizes, [(true, 300), (false, 900)]);
}

#[test]
fn the_newest_command_wins_and_stale_events_stay_inside() {
    let script = Arc::new(Script::default());
    let mut engine = engine(&script);
    skip_device(&mut engine);
    script.hold();
    script.ignore_cancelling();
    let first = engine.paint(job(10, 10));
    wait_for("the first run", || (script.runs().len() == 1).then_some(()));
    // More than the channel's capacity, while the thread is busy.
    let mut last = first;
    for side in 11..60 {
        last = engine.paint(job(side, 10));
    }
    script.release();
    match next(&mut engine) {
        Event::Painted { generation, .. } => assert_eq!(generation, last),
        other => panic!("only the newest speaks, got {other:?}"),
    }
    assert!(engine.poll().is_none());
    assert_eq!(script.runs(), [(10, 10), (59, 10)], "overtaken commands do not run");
}

#[test]
fn a_cancelled_run_stops_and_the_engine_continues() {
    let script = Arc::new(Script::default());
    let mut engine = engine(&script);
    skip_device(&mut engine);
    script.hold();
    let generation = engine.paint(job(10, 10));
    engine.cancel();
    match next(&mut engine) {
        Event::Cancelled(of) => assert_eq!(of, generation),
        other => panic!("{other:?}"),
    }
    assert_eq!(engine.progress(), None);
    script.release();
    engine.paint(job(5, 5));
    assert!(matches!(next(&mut engine), Event::Painted { .. }));
}

#[test]
fn errors_and_panics_become_events() {
    let script = Arc::new(Script::default());
    let mut engine = engine(&script);
    skip_device(&mut engine);
    script.behave(Behaviour::Fail);
    engine.paint(job(10, 10));
    match next(&mut engine) {
        Event::Failed { error, .. } => {
            assert!(error.to_string().contains("smaller working size"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    script.behave(Behaviour::Panic);
    engine.paint(job(10, 10));
    match next(&mut engine) {
        Event::Failed { error, .. } => {
            assert_eq!(error, EngineError::Panicked("scripted panic".to_owned()));
        }
        other => panic!("{other:?}"),
    }
    script.behave(Behaviour::Invert);
    engine.paint(job(10, 10));
    assert!(matches!(next(&mut engine), Event::Painted { .. }));
}

#[test]
fn without_a_device_every_command_fails_by_name() {
    let mut engine = Engine::start(
        Arc::new(|_| {
            Err(BackendError::Unavailable {
                device: "CUDA".to_owned(),
                reason: "no driver".to_owned(),
            })
        }),
        Arc::new(|| {}),
    )
    .expect("a thread");
    assert!(matches!(next(&mut engine), Event::NoDevice(_)));
    engine.paint(job(4, 4));
    match next(&mut engine) {
        Event::Failed { error, .. } => assert!(error.to_string().contains("CUDA"), "{error}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn shutdown_is_quick_while_busy_and_bounded_when_the_device_hangs() {
    let script = Arc::new(Script::default());
    let mut listening = engine(&script);
    script.hold();
    listening.paint(job(10, 10));
    wait_for("the run", || (script.runs().len() == 1).then_some(()));
    assert!(listening.shutdown(PATIENCE));
    assert!(listening.shutdown(Duration::ZERO), "a second time is fine");

    let stubborn_script = Arc::new(Script::default());
    let mut stubborn = engine(&stubborn_script);
    stubborn_script.hold();
    stubborn_script.ignore_cancelling();
    stubborn.paint(job(10, 10));
    wait_for("the run", || (stubborn_script.runs().len() == 1).then_some(()));
    let started = Instant::now();
    assert!(!stubborn.shutdown(Duration::from_millis(50)));
    within("giving up", started.elapsed(), Duration::from_secs(2));
    stubborn_script.release();
}

#[test]
fn shutdown_does_not_wait_for_a_surface_that_no_longer_listens() {
    let script = Arc::new(Script::default());
    let mut engine = engine(&script);
    // Many events that are not polled.
    let repaint = RepaintJob {
        frame: Arc::new(photo(8, 8)),
        network: network(),
        settings: PaintSettings { max_memory_bytes: Some(u64::MAX), ..PaintSettings::default() },
        look: Look::default(),
    };
    wait_for("some runs", || {
        engine.repaint(repaint.clone());
        (script.runs().len() > 20).then_some(())
    });
    std::thread::sleep(Duration::from_millis(20));
    assert!(engine.shutdown(PATIENCE));
}

#[test]
fn generations_grow() {
    let script = Arc::new(Script::default());
    let mut engine = engine(&script);
    assert_eq!(engine.paint(job(4, 4)), Generation(1));
    assert_eq!(engine.paint(job(4, 4)), Generation(2));
}

fn painting_of(photo: &Frame) -> Arc<Painting> {
    Arc::new(Painting {
        painted: inverted(photo),
        deep: None,
        steady: None,
        notes: Vec::new(),
        mode: Mode::default(),
        run: RunTiming::host(0.0),
        total_ms: 0.0,
    })
}

#[test]
fn the_compositor_returns_previews_at_once_and_finished_pictures_on_request() {
    let mut compositor = Compositor::start(Arc::new(|| {})).expect("a thread");
    let large = Arc::new(photo(PREVIEW_PX * 2, 40));
    let painting = painting_of(&large);
    let request = |compositor: &mut Compositor, ticket, full, strength_percent| {
        compositor.request(ComposeJob {
            ticket,
            photo: large.clone(),
            painting: painting.clone(),
            output: OutputSize::Original,
            look: Look::new(strength_percent, false),
            full,
        });
    };
    request(&mut compositor, 1, false, 100);
    let preview = wait_for("a preview", || compositor.take());
    assert_eq!((preview.ticket, preview.size), (1, (PREVIEW_PX * 2, 40)));
    assert_eq!(preview.preview.width(), PREVIEW_PX);
    assert!(preview.full.is_none());
    request(&mut compositor, 2, true, 0);
    let full = wait_for("the finished picture", || compositor.take().filter(|c| c.full.is_some()));
    assert_eq!(full.ticket, 2);
    assert_eq!(full.full.as_deref(), Some(large.as_ref()), "strength 0 is the photo");
}

#[test]
fn the_compositor_answers_the_newest_question() {
    let mut compositor = Compositor::start(Arc::new(|| {})).expect("a thread");
    let small = Arc::new(photo(30, 20));
    let painting = painting_of(&small);
    for ticket in 1..=500 {
        compositor.request(ComposeJob {
            ticket,
            photo: small.clone(),
            painting: painting.clone(),
            output: OutputSize::Working,
            look: Look::default(),
            full: false,
        });
    }
    let newest = wait_for("the last ticket", || compositor.take().filter(|c| c.ticket == 500));
    assert_eq!(newest.full.as_deref(), Some(&painting.painted));
}

#[test]
fn the_compositor_is_abandoned_when_it_does_not_end() {
    let (release, held) = std::sync::mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let (arrive, arrived) = std::sync::mpsc::channel();
    let mut compositor = Compositor::start(Arc::new(move || {
        let _ = arrive.send(());
        // Ends when the test drops the sender.
        let _ = held.lock().expect("unbroken").recv();
    }))
    .expect("a thread");
    let small = Arc::new(photo(30, 20));
    compositor.request(ComposeJob {
        ticket: 1,
        photo: small.clone(),
        painting: painting_of(&small),
        output: OutputSize::Working,
        look: Look::default(),
        full: false,
    });
    arrived.recv().expect("it composes");
    let (tell, dropped) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        drop(compositor);
        let _ = tell.send(());
    });
    let in_time = dropped.recv_timeout(PATIENCE);
    drop(release);
    assert!(in_time.is_ok(), "dropping it waits for ever");
}
