//! The thread that keeps a camera running: looks for it, starts sessions, tells what happens.

use std::{
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, RecvTimeoutError, TryRecvError, bounded, select, tick};

use super::{
    Place, find,
    session::{self, FrameOutput, Heartbeat, Report, Session, WAKING_PATIENCE},
};
use crate::capture::{
    CaptureSettings, Captured,
    feed::Feed,
    format::{CameraFormat, FormatRequest, choose_instead},
    orient::Orient,
    problem::{CaptureEvent, CaptureProblem},
    source::CameraId,
};
use crate::mailbox::Writer;

/// Between two looks whether a missing camera is there.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// Between two attempts to open a camera that is there.
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// Before a camera that only needs opening again is opened.
const AT_ONCE: Duration = Duration::from_millis(50);
/// Least time between two signs of life that a running session must give; most give one every 40 ms.
const HANGS_AFTER: Duration = Duration::from_secs(1);
/// How often a session is looked at.
const WATCH: Duration = Duration::from_millis(100);
/// Shortest time between two openings for a better format.
const SETTLED: Duration = Duration::from_secs(5);
/// How long a session that was told to end may take to close its device.
const ENDING_PATIENCE: Duration = Duration::from_secs(2);

/// Most sessions that may hang in the driver before no further one is tried.
const MOST_HUNG: usize = 4;

/// Why a session is over.
enum Outcome {
    /// The handle is gone.
    Stopped,
    /// Another format suits better.
    Reopen,
    Failed(CaptureProblem),
    /// Another session of this program has the device.
    HeldByUs,
    /// The session hangs in the driver, for so many milliseconds.
    Hangs(u64),
}

/// Keeps the camera `id` running until the handle is gone.
pub fn run(feed: Feed, writer: Writer<Captured>, settings: &CaptureSettings, id: &CameraId) {
    let orient = Orient::new(settings.rotate, settings.mirror, settings.frame_px);
    let mut watch = Watch {
        output: Arc::new(Mutex::new(FrameOutput::new(writer, orient))),
        feed,
        settings,
        sessions: 0,
        has_run: false,
        told: None,
        held_since: None,
        hung: Vec::new(),
    };
    loop {
        let outcome = match find(id) {
            // Each takes a thread with it.
            Ok(_) if watch.hung_sessions() >= MOST_HUNG => Outcome::HeldByUs,
            Ok(place) => match watch.session(&place) {
                Outcome::Failed(CaptureProblem::Busy) if session::is_held(&place.device) => {
                    Outcome::HeldByUs
                }
                outcome => outcome,
            },
            // Whoever had a camera knows that it was there.
            Err(CaptureProblem::NoCamera | CaptureProblem::Unknown { .. }) if watch.has_run => {
                Outcome::Failed(CaptureProblem::Unplugged)
            }
            Err(problem) => Outcome::Failed(problem),
        };
        let pause = match outcome {
            Outcome::Stopped => return,
            Outcome::Reopen => continue,
            Outcome::HeldByUs => watch.pause_while_held(),
            Outcome::Failed(problem) => watch.tell(problem),
            Outcome::Hangs(ms) => watch.tell(CaptureProblem::Stalled { ms }),
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
    /// Sessions so far.
    sessions: u64,
    has_run: bool,
    /// The problem that was told last and holds on.
    told: Option<CaptureProblem>,
    /// Since when another session of this program has kept the device from being opened.
    held_since: Option<Instant>,
    /// Of sessions that were given up: each is gone when its end was reported.
    hung: Vec<Receiver<Report>>,
}

impl Watch<'_> {
    /// Tells a problem that was not told yet. Gives the time until the next attempt.
    fn tell(&mut self, problem: CaptureProblem) -> Duration {
        self.held_since = None;
        let pause = pause_after(&problem);
        let known = self.told.as_ref();
        if known.is_none_or(|told| !told.is_same_kind(&problem)) {
            self.told = Some(problem.clone());
            self.feed.events.send(CaptureEvent::Waiting(problem));
        }
        pause
    }

    /// Time until the next attempt with a camera that an earlier session of this program has: soon,
    /// since most are just closing it, and later when one hangs.
    fn pause_while_held(&mut self) -> Duration {
        let since = *self.held_since.get_or_insert_with(Instant::now);
        if since.elapsed() < ENDING_PATIENCE {
            AT_ONCE
        } else {
            TRY_AGAIN
        }
    }

    /// How many sessions that were given up have not come back. Forgets those that have.
    fn hung_sessions(&mut self) -> usize {
        let has_ended = |reports: &Receiver<Report>| loop {
            match reports.try_recv() {
                Ok(Report::Started { .. }) => {}
                Ok(Report::Ended(_)) | Err(TryRecvError::Disconnected) => return true,
                Err(TryRecvError::Empty) => return false,
            }
        };
        self.hung.retain(|reports| !has_ended(reports));
        self.hung.len()
    }

    fn request(&self) -> FormatRequest {
        FormatRequest {
            size: self.settings.size,
            fps: self.settings.fps,
            pixels: self.settings.format,
            working_px: self.feed.control.working_px(),
        }
    }

    /// One session with the camera at `place`, from beginning to end.
    fn session(&mut self, place: &Place) -> Outcome {
        self.sessions += 1;
        self.give_outlet_to(self.sessions);
        // Never full: a session sends at most two reports.
        let (reports_sender, reports) = bounded(2);
        let heartbeat = Arc::new(Heartbeat::new());
        let request = self.request();
        let session = Session {
            number: self.sessions,
            place: place.clone(),
            request,
            output: self.output.clone(),
            control: self.feed.control.clone(),
            heartbeat: heartbeat.clone(),
            reports: reports_sender,
        };
        let thread = thread::Builder::new()
            .name("camera".to_owned())
            .spawn(move || session.run());
        if let Err(error) = thread {
            return Outcome::Failed(CaptureProblem::Device(error.to_string()));
        }
        let outcome = self.watch(place, &request, &heartbeat, &reports);
        heartbeat.end();
        // Whoever hangs must not write when it comes back.
        self.give_outlet_to(0);
        match outcome {
            // A device opens again only after it was closed.
            Outcome::Reopen => wait_for_end(&reports),
            Outcome::Hangs(_) => self.hung.push(reports),
            Outcome::Failed(_) | Outcome::HeldByUs | Outcome::Stopped => {}
        }
        outcome
    }

    fn give_outlet_to(&self, session: u64) {
        self.output
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .owner = session;
    }

    fn watch(
        &mut self,
        place: &Place,
        chosen_for: &FormatRequest,
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
                        self.started(place, format);
                        running = Some(Running { format, offered, since: Instant::now() });
                    }
                    Ok(Report::Ended(Some(problem))) => return Outcome::Failed(problem),
                    Ok(Report::Ended(None)) | Err(_) => {
                        return Outcome::Failed(CaptureProblem::Device("it stopped".to_owned()));
                    }
                },
                recv(beat) -> _ => {
                    // While it waits for a frame in nokhwa it gives no sign.
                    let limit = running.as_ref().map_or(WAKING_PATIENCE, |running| {
                        session::patience(&running.format).max(HANGS_AFTER)
                    });
                    let silence = heartbeat.silence(Instant::now());
                    if silence > limit {
                        return Outcome::Hangs(silence.as_millis() as u64);
                    }
                    let request = self.request();
                    // A camera may send in another format than wished; asking again for the same
                    // gives the same.
                    if request.working_px != chosen_for.working_px
                        && running.as_ref().is_some_and(|r| r.should_change(&request))
                    {
                        return Outcome::Reopen;
                    }
                }
            }
        }
    }

    fn started(&mut self, place: &Place, format: CameraFormat) {
        self.has_run = true;
        self.told = None;
        self.held_since = None;
        self.feed.events.send(CaptureEvent::Started {
            described: place.name.clone(),
            format: Some(format),
        });
    }
}

/// A session whose frames come.
struct Running {
    format: CameraFormat,
    offered: Vec<CameraFormat>,
    since: Instant,
}

impl Running {
    fn should_change(&self, request: &FormatRequest) -> bool {
        self.since.elapsed() > SETTLED
            && choose_instead(&self.offered, request, &self.format).is_some()
    }
}

/// Waits until a session that was told to end has closed its device, but not for ever.
fn wait_for_end(reports: &Receiver<Report>) {
    let until = Instant::now() + ENDING_PATIENCE;
    loop {
        match reports.recv_deadline(until) {
            Ok(Report::Started { .. }) => {}
            Ok(Report::Ended(_))
            | Err(RecvTimeoutError::Disconnected | RecvTimeoutError::Timeout) => {
                return;
            }
        }
    }
}
