//! A camera's stream under test.

use std::{
    thread,
    time::{Duration, Instant},
};

use engine::capture::{
    CameraFormat, CameraId, Capture, CaptureEvent, CaptureProblem, CaptureSettings, Captured,
    Source,
};
use values::mailbox::Reader;

use crate::{fake::ID, real_time::PATIENCE};

pub struct Stage {
    pub capture: Capture,
    pub reader: Reader<Captured>,
    began: Instant,
}

impl Stage {
    /// The fake camera, by its stable name.
    pub fn new() -> Self {
        Self::with(ID, CaptureSettings::default())
    }

    pub fn with(name: &str, settings: CaptureSettings) -> Self {
        let source = Source::Camera(CameraId::new(name));
        Self::of(source, settings)
    }

    pub fn of(source: Source, settings: CaptureSettings) -> Self {
        let (capture, reader) = Capture::start(source, settings).expect("threads");
        Self { capture, reader, began: Instant::now() }
    }

    /// The next event, and the time until it.
    pub fn event(&self) -> (CaptureEvent, Duration) {
        let began = Instant::now();
        loop {
            if let Some(event) = self.capture.poll() {
                println!("{:6.3} {event:?}", self.began.elapsed().as_secs_f64());
                return (event, began.elapsed());
            }
            assert!(began.elapsed() < PATIENCE, "no event");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// The next event, which must be a start.
    pub fn started(&self) -> (CameraFormat, Duration) {
        match self.event() {
            (CaptureEvent::Started { format: Some(format), .. }, after) => (format, after),
            (other, _) => panic!("not started: {other:?}"),
        }
    }

    /// The next event, which must be a problem that is waited out.
    pub fn waiting(&self) -> (CaptureProblem, Duration) {
        match self.event() {
            (CaptureEvent::Waiting(problem), after) => (problem, after),
            (other, _) => panic!("no problem: {other:?}"),
        }
    }

    /// Waits until this problem is reported, skipping others.
    pub fn until_waiting(&self, wanted: &CaptureProblem) {
        while !matches!(self.event().0, CaptureEvent::Waiting(problem) if problem == *wanted) {}
    }

    /// Checks that no event arrives within `duration`.
    pub fn stays_quiet(&self, duration: Duration) {
        thread::sleep(duration);
        let event = self.capture.poll();
        assert!(event.is_none(), "{event:?}");
    }

    pub fn frame(&mut self) -> &Captured {
        let before = self.reader.value.sequence;
        let until = Instant::now() + PATIENCE;
        loop {
            let rung = self.reader.ready().recv_deadline(until);
            rung.expect("a frame");
            if self.reader.take() {
                break;
            }
        }
        let now = &self.reader.value;
        assert!(now.sequence > before, "frames come in order");
        now
    }

    /// Checks that no frame arrives within `duration`.
    pub fn sends_nothing(&mut self, duration: Duration) {
        self.reader.take();
        thread::sleep(duration);
        assert!(!self.reader.take(), "a frame came");
    }
}

/// Waits until a condition holds.
pub fn until(what: &str, holds: impl Fn() -> bool) -> Duration {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "not in time: {what}");
        thread::sleep(Duration::from_millis(2));
    }
    began.elapsed()
}
