//! The thread that keeps a camera running: finds it, starts sessions, sends events.

use std::{
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, bounded, select, tick};

use super::{
    DeviceEntry, find,
    open_devices::{OpenFor, open_count},
    session::{self, FrameOutput, Heartbeat, Report, Session, WAKING_PATIENCE},
};
use crate::capture::{
    CaptureSettings,
    feed::Feed,
    format::{CameraFormat, choose_instead},
    frame_writer::FrameWriter,
    problem::{CaptureEvent, CaptureProblem},
    source::CameraId,
};
use values::lock::lock;

/// Time between two searches for a missing camera.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// Time between two attempts to open a camera that is there.
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// Delay before a camera is reopened.
const AT_ONCE: Duration = Duration::from_millis(50);
/// Maximum time between two heartbeats of a running session; most send one every 40 ms.
const HANGS_AFTER: Duration = Duration::from_secs(1);
/// How often a session's heartbeat is checked.
const WATCH: Duration = Duration::from_millis(100);
/// Minimum time between two openings for a better format.
const SETTLED: Duration = Duration::from_secs(5);
/// How long a session that ends may take to close its device.
const ENDING_PATIENCE: Duration = Duration::from_secs(2);

/// Number of sessions that have not left the driver at which no further one is tried with the same device.
const MAX_HUNG: usize = 4;

/// Why a session is over.
enum Outcome {
    /// The capture's handle was dropped.
    Stopped,
    /// Another format suits better.
    Reopen,
    Failed(CaptureProblem),
    /// Another session of this program has the device open.
    OpenInAnotherSession,
}

/// Keeps a camera running until the capture's handle is dropped.
pub fn run(id: &CameraId, feed: Feed, frames: FrameWriter, settings: &CaptureSettings) {
    let mut watch = Watch {
        output: Arc::new(Mutex::new(FrameOutput { frames, owner: 0 })),
        feed,
        settings,
        sessions: 0,
        has_run: false,
        reported: None,
        held_since: None,
    };
    loop {
        let outcome = match find(id) {
            // Each session that hangs keeps a thread.
            Ok(entry) if open_count(OpenFor::Source, &entry.device) >= MAX_HUNG => {
                Outcome::OpenInAnotherSession
            }
            Ok(entry) => match watch.session(&entry) {
                Outcome::Failed(CaptureProblem::Busy)
                    if open_count(OpenFor::Source, &entry.device) > 0 =>
                {
                    Outcome::OpenInAnotherSession
                }
                outcome => outcome,
            },
            // If the camera has run before, its absence means that it was unplugged.
            Err(CaptureProblem::NoCamera | CaptureProblem::Unknown { .. }) if watch.has_run => {
                Outcome::Failed(CaptureProblem::Unplugged)
            }
            Err(problem) => Outcome::Failed(problem),
        };
        let pause = match outcome {
            Outcome::Stopped => return,
            Outcome::Reopen => continue,
            Outcome::OpenInAnotherSession => watch.pause_while_open(),
            Outcome::Failed(problem) => watch.report(problem),
        };
        if !watch.feed.wait(pause) {
            return;
        }
    }
}

fn pause_after(problem: &CaptureProblem) -> Duration {
    match problem {
        CaptureProblem::NoCamera
        | CaptureProblem::Unknown { .. }
        | CaptureProblem::Ambiguous { .. }
        | CaptureProblem::Unplugged => LOOK_AGAIN,
        CaptureProblem::FormatChanged => AT_ONCE,
        _ => TRY_AGAIN,
    }
}

struct Watch<'a> {
    feed: Feed,
    output: Arc<Mutex<FrameOutput>>,
    settings: &'a CaptureSettings,
    /// Number of sessions so far.
    sessions: u64,
    has_run: bool,
    /// The last reported problem, if it persists.
    reported: Option<CaptureProblem>,
    /// Since when another session of this program has prevented opening the device.
    held_since: Option<Instant>,
}

impl Watch<'_> {
    /// Reports a problem unless it was already reported. Returns the time until the next attempt.
    fn report(&mut self, problem: CaptureProblem) -> Duration {
        self.held_since = None;
        let pause = pause_after(&problem);
        let known = self.reported.as_ref();
        if known.is_none_or(|reported| !reported.is_same_kind(&problem)) {
            self.reported = Some(problem.clone());
            self.feed.waiting(problem);
        }
        pause
    }

    /// Time until the next attempt if an earlier session of this program still has the camera. Short at first, since
    /// most sessions are just closing it; longer if one hangs.
    fn pause_while_open(&mut self) -> Duration {
        let since = *self.held_since.get_or_insert_with(Instant::now);
        if since.elapsed() < ENDING_PATIENCE { AT_ONCE } else { TRY_AGAIN }
    }

    /// The settings, with the size that frames should have now.
    fn request(&self) -> CaptureSettings {
        CaptureSettings { source_px: self.feed.control.source_px(), ..self.settings.clone() }
    }

    /// Runs one session with the camera at `entry`, from start to end.
    fn session(&mut self, entry: &DeviceEntry) -> Outcome {
        self.sessions += 1;
        self.give_outlet_to(self.sessions);
        // Never full: a session sends at most two reports.
        let (reports_sender, reports) = bounded(2);
        let heartbeat = Arc::new(Heartbeat::new());
        let request = self.request();
        let session = Session {
            number: self.sessions,
            entry: entry.clone(),
            request: request.clone(),
            output: self.output.clone(),
            control: self.feed.control.clone(),
            heartbeat: heartbeat.clone(),
            reports: reports_sender,
        };
        let thread = thread::Builder::new().name("camera".to_owned()).spawn(move || session.run());
        if let Err(error) = thread {
            return Outcome::Failed(CaptureProblem::Device(error.to_string()));
        }
        let outcome = self.watch(entry, &request, &heartbeat, &reports);
        heartbeat.end();
        // A session that hangs must not write frames when it returns.
        self.give_outlet_to(0);
        // A device can be reopened only after it was closed.
        if matches!(outcome, Outcome::Reopen) {
            wait_for_end(&reports);
        }
        outcome
    }

    fn give_outlet_to(&self, session: u64) {
        lock(&self.output).owner = session;
    }

    fn watch(
        &mut self,
        entry: &DeviceEntry,
        chosen_for: &CaptureSettings,
        heartbeat: &Heartbeat,
        reports: &Receiver<Report>,
    ) -> Outcome {
        let mut running: Option<Running> = None;
        let beat = tick(WATCH);
        loop {
            select! {
                recv(self.feed.stopped) -> _ => return Outcome::Stopped,
                recv(reports) -> report => match report {
                    Ok(Report::Started { format, offered }) => {
                        self.started(entry, format);
                        running = Some(Running { format, offered, since: Instant::now() });
                    }
                    Ok(Report::Ended(Some(problem))) => return Outcome::Failed(problem),
                    Ok(Report::Ended(None)) | Err(_) => {
                        return Outcome::Failed(CaptureProblem::Device("it stopped".to_owned()));
                    }
                },
                recv(beat) -> _ => {
                    // While nokhwa waits for a frame, the session sends no heartbeat.
                    let limit = running.as_ref().map_or(WAKING_PATIENCE, |running| {
                        session::patience(&running.format).max(HANGS_AFTER)
                    });
                    let silence = heartbeat.silence(Instant::now());
                    if silence > limit {
                        let ms = silence.as_millis() as u64;
                        return Outcome::Failed(CaptureProblem::Stalled { ms });
                    }
                    let request = self.request();
                    // Compares requests, not formats: a camera may send another format than requested, and requesting
                    // the same one again would change nothing.
                    if request.source_px != chosen_for.source_px
                        && running.as_ref().is_some_and(|r| r.should_change(&request))
                    {
                        return Outcome::Reopen;
                    }
                }
            }
        }
    }

    fn started(&mut self, entry: &DeviceEntry, format: CameraFormat) {
        self.has_run = true;
        self.reported = None;
        self.held_since = None;
        self.feed
            .events
            .send(CaptureEvent::Started { described: entry.name.clone(), format: Some(format) });
    }
}

/// A session that delivers frames.
struct Running {
    format: CameraFormat,
    offered: Vec<CameraFormat>,
    since: Instant,
}

impl Running {
    fn should_change(&self, request: &CaptureSettings) -> bool {
        self.since.elapsed() > SETTLED
            && choose_instead(&self.offered, request, &self.format).is_some()
    }
}

/// Waits a bounded time until a session that ends has closed its device.
fn wait_for_end(reports: &Receiver<Report>) {
    let until = Instant::now() + ENDING_PATIENCE;
    while let Ok(Report::Started { .. }) = reports.recv_deadline(until) {}
}
