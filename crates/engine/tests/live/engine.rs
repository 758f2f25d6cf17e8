//! Live pictures on the engine's thread, with a source controlled by the test.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use crossbeam_channel::TryRecvError;
use engine::{
    Engine,
    capture::{CaptureSettings, Captured, Source},
    live::{LiveEvent, LivePicture, LiveSource, SourceState},
    protocol::Event,
};
use media::record::{Destination, Recorder};
use pictures::encode::Format;
use values::mailbox::{Reader, Writer, mailbox};

use crate::{
    studio::{fixed, settings, still, wait_until},
    support::{
        FakeBackend, Script, network,
        real_time::{PATIENCE, within},
    },
};

/// An engine on the scripted device, and a source controlled by the test.
fn engine(script: &Arc<Script>) -> (Engine, Writer<Captured>, Reader<LivePicture>) {
    let wake_up = Arc::new(|| {});
    let mut engine = Engine::start(FakeBackend::opener(script), wake_up).expect("a thread");
    let (frames, input) = mailbox(|| still(64, 48));
    let settings = settings(fixed(64));
    let pictures = engine.start_live(LiveSource::Frames(input), settings).expect("no thread");
    (engine, frames, pictures)
}

fn bitmaps_in(folder: &Path) -> Destination {
    Destination::Pictures { folder: folder.to_owned(), format: Format::Bmp }
}

/// Takes the next picture. Skips a signal whose picture was already taken with the previous signal.
fn wait_for(pictures: &mut Reader<LivePicture>) {
    loop {
        pictures.ready().recv_timeout(PATIENCE).expect("a picture");
        if pictures.take() {
            return;
        }
    }
}

#[test]
fn the_engine_continues_after_the_source_has_ended() {
    let script = Arc::new(Script::default());
    let (mut engine, mut frames, mut pictures) = engine(&script);
    frames.put();
    wait_for(&mut pictures);
    drop(frames);
    let started = Instant::now();
    let ended = |engine: &mut Engine| {
        while let Some(event) = engine.poll() {
            if matches!(event, Event::Live(LiveEvent::Ended)) {
                return true;
            }
        }
        false
    };
    while !ended(&mut engine) {
        assert!(started.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(1));
    }
    let mut settings = settings(fixed(64));
    settings.stylization.look.strength_percent = 50;
    let number = engine.set_live(settings);
    // First in the old style, with the new strength.
    while pictures.value.facts.expect("painted").settings != number {
        wait_for(&mut pictures);
    }
    // The thread does not spin while idle.
    let runs = script.runs().len();
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(script.runs().len(), runs);
    assert!(engine.shutdown(PATIENCE));
}

#[test]
fn a_surface_that_takes_no_picture_loses_no_recorded_frame() {
    let script = Arc::new(Script::default());
    let home = tempfile::tempdir().expect("a folder");
    let (mut engine, mut frames, mut pictures) = engine(&script);
    let (recorder, sink) =
        Recorder::start(&bitmaps_in(home.path()), Arc::new(|| {})).expect("a folder");
    engine.record(sink);
    // As many frames as may be queued for a slow disk.
    for frame in 1..=12 {
        frames.value.frame.rgba_mut()[0] = frame;
        frames.put();
        wait_until("the picture", || pictures.counts().written == u64::from(frame));
    }
    assert_eq!(pictures.counts().dropped, 11, "they were not taken");
    let recorded = recorder.finish();
    assert_eq!((recorded.frames, recorded.left_out), (12, 0));
    assert_eq!(recorded.failure, None);
    // The recording has ended. Painting continues, and another recording can start with another source.
    let again = home.path().join("again");
    let (recorder, sink) = Recorder::start(&bitmaps_in(&again), Arc::new(|| {})).expect("a folder");
    engine.record(sink);
    let (mut frames, input) = mailbox(|| still(64, 48));
    let source = LiveSource::Frames(input);
    pictures = engine.start_live(source, settings(fixed(64))).expect("no thread");
    frames.put();
    wait_for(&mut pictures);
    assert_eq!(recorder.finish().frames, 1);
}

/// The engine handles the source, the size that it sends, and its end.
#[test]
fn the_engine_runs_the_source() {
    let script = Arc::new(Script::default());
    let wake_up = Arc::new(|| {});
    let mut engine = Engine::start(FakeBackend::opener(&script), wake_up).expect("a thread");
    let source = LiveSource::Capture(Source::Demo, CaptureSettings::default());
    let mut pictures = engine.start_live(source, settings(fixed(320))).expect("a thread");
    for px in [320, 1920, 2560] {
        engine.set_live(settings(fixed(px)));
        wait_until("the size", || {
            pictures.take();
            let working = pictures.value.facts.map(|facts| facts.working);
            working == Some((px, px * 3 / 4))
        });
    }
    let snapshot = engine.snapshot().expect("it runs");
    assert!(matches!(snapshot.source, SourceState::Running { .. }));
    engine.stop_live();
    wait_until("the end of the source", || {
        pictures.ready().try_recv() == Err(TryRecvError::Disconnected)
    });
    let missing = Source::Photo("no such.jpg".into());
    let source = LiveSource::Capture(missing, CaptureSettings::default());
    engine.start_live(source, settings(fixed(320))).expect("a thread");
    wait_until("the problem", || {
        let snapshot = engine.snapshot().expect("it runs");
        matches!(snapshot.source, SourceState::Ended(_))
    });
    assert!(engine.shutdown(PATIENCE));
}

#[test]
fn a_hanging_run_blocks_nothing_else() {
    let script = Arc::new(Script::default());
    let (mut engine, mut frames, pictures) = engine(&script);
    script.hold();
    frames.put();
    let started = Instant::now();
    while script.runs().is_empty() {
        assert!(started.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(1));
    }
    engine.stop_live();
    assert!(
        pictures.ready().recv_timeout(PATIENCE).is_err(),
        "the run hears the wish to stop and its end of the mailbox is given up"
    );
    assert!(engine.shutdown(PATIENCE));
}

/// At any frame rate, the next picture after a settings change is painted with the new settings.
#[test]
fn settings_come_before_frames() {
    let script = Arc::new(Script::default());
    let (mut engine, mut frames, mut pictures) = engine(&script);
    frames.put();
    wait_for(&mut pictures);
    let mut settings = settings(fixed(64));
    let settled = engine.set_live(settings.clone());
    while pictures.value.facts.expect("painted").settings != settled {
        wait_for(&mut pictures);
    }
    for strength in 1..=12 {
        let before = pictures.value.facts.expect("painted").painted;
        let runs = script.runs().len();
        script.hold();
        frames.put();
        wait_until("the run", || script.runs().len() > runs);
        // Both wait until the run is over.
        frames.put();
        settings.stylization.look.strength_percent = strength;
        let number = engine.set_live(settings.clone());
        script.release();
        while pictures.value.facts.expect("painted").settings != number {
            wait_for(&mut pictures);
        }
        let facts = pictures.value.facts.expect("painted");
        assert_eq!(facts.painted, before + 2, "the one held, and this one");
    }
    assert!(engine.shutdown(PATIENCE));
}

#[test]
fn the_engine_switches_without_a_new_frame() {
    let script = Arc::new(Script::default());
    let (mut engine, mut frames, mut pictures) = engine(&script);
    frames.put();
    wait_for(&mut pictures);
    script.hold_opening();
    let mut settings = settings(fixed(64));
    let number = engine.set_live(settings.clone());
    wait_for(&mut pictures);
    assert!(pictures.value.facts.expect("painted").settings < number);
    script.release();
    wait_for(&mut pictures);
    assert_eq!(pictures.value.facts.expect("painted").settings, number);
    // Frames and settings are accepted while the first session of another source is being opened.
    script.hold_opening();
    let (mut frames, input) = mailbox(|| still(64, 48));
    settings.stylization.network = Some(network().into());
    let source = LiveSource::Frames(input);
    let mut pictures = engine.start_live(source, settings.clone()).expect("no thread");
    frames.put();
    settings.stylization.network = None;
    let number = engine.set_live(settings);
    wait_for(&mut pictures);
    assert_eq!(pictures.value.facts.expect("shown").settings, number);
    script.release();
    assert!(engine.shutdown(PATIENCE));
}

#[test]
fn a_session_that_is_being_opened_holds_no_end_up() {
    for ignores_cancelling in [false, true] {
        let script = Arc::new(Script::default());
        let (mut engine, mut frames, _pictures) = engine(&script);
        script.hold_opening();
        if ignores_cancelling {
            script.ignore_cancelling();
        }
        frames.put();
        wait_until("the opening", || script.openings() == 1);
        let asked = Instant::now();
        assert!(engine.shutdown(PATIENCE));
        let took = asked.elapsed();
        let most = Duration::from_secs(if ignores_cancelling { 10 } else { 1 });
        within("the end", took, most);
        script.release();
    }
}
