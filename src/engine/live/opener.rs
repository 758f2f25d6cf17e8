//! Opens sessions beside those that paint, so that a switch holds up no picture.
//!
//! [`Opener`] is a thread that does one job after another; [`Openings`] is one asker's end of it. An
//! asker may have a job cancelled, and hears the end of every job once. Sessions that are no longer wanted are
//! closed here too, which takes a moment. Knows no frames and no orders.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use super::sessions::{Open, Target};
use crate::{
    backend::{Backend, BackendError, OpenDevice, RunControl, Session},
    engine::{panic_message, thread::BoundedThread},
    mode::DeviceChoice,
};

/// How long the opener's end is waited for; what opens then is cancelled.
const PATIENCE: Duration = Duration::from_millis(1500);

/// What is to be opened.
pub(super) enum Ask {
    /// A session.
    Session {
        /// Where.
        backend: Arc<dyn Backend>,
        /// What for.
        target: Target,
        /// Memory that all sessions together may take, in bytes.
        limit_bytes: u64,
        /// Memory that those hold that are open, in bytes.
        held_bytes: u64,
        /// Whether nothing was painted yet, so that nobody minds what is loaded for later.
        is_first: bool,
        /// Whether a slower session is welcome until this one is open.
        may_stand_in: bool,
    },
    /// A device.
    Device {
        /// Which.
        kind: DeviceChoice,
        /// The way to it.
        open: OpenDevice,
    },
}

/// What became of it.
pub(super) enum Opened {
    /// The session; after one that stands in for it, another answer follows.
    Session(Open),
    /// The device.
    Device(Arc<dyn Backend>),
    /// It takes so many bytes, which the limit leaves only when others are closed; nothing was opened.
    NoRoom(u64),
    /// The device did not do it, or it was cancelled.
    Failed(BackendError),
    /// A mistake of this program, in its words.
    Panicked(String),
}

/// An answer and the number of what was asked.
pub(super) struct Outcome {
    pub(super) ticket: u64,
    pub(super) opened: Opened,
}

enum Job {
    Open(Box<Opening>),
    /// Closes what is dropped here.
    Retire(Vec<Box<dyn Session>>),
    /// Tells that everything before is done.
    Tell(Sender<()>),
}

struct Opening {
    ask: Ask,
    ticket: u64,
    control: Arc<RunControl>,
    reply: Reply,
}

/// The way of the answers.
#[derive(Clone)]
struct Reply {
    outcomes: Sender<Outcome>,
    bell: Sender<()>,
    /// Bytes that the session in hand is going to hold.
    bytes: Arc<AtomicU64>,
}

impl Opening {
    fn carry_out(self) {
        let Self {
            ask,
            ticket,
            control,
            reply,
        } = self;
        // The asker may replace the device once it is told: nothing here holds it any more by then.
        let opened = catch_unwind(AssertUnwindSafe(|| ask.carry_out(&control, &reply, ticket)))
            .unwrap_or_else(|panic| Opened::Panicked(panic_message(panic.as_ref())));
        reply.bytes.store(0, Ordering::Relaxed);
        reply.send(ticket, opened);
    }
}

impl Reply {
    fn send(&self, ticket: u64, opened: Opened) {
        // Without an asker the session is closed here.
        let _ = self.outcomes.send(Outcome { ticket, opened });
        // A full bell is already ringing.
        let _ = self.bell.try_send(());
    }
}

impl Outcome {
    /// Whether nothing more comes of what was asked.
    fn is_last(&self) -> bool {
        !matches!(&self.opened, Opened::Session(open) if open.stands_in)
    }
}

impl Ask {
    fn carry_out(self, control: &RunControl, reply: &Reply, ticket: u64) -> Opened {
        if control.is_cancelled() {
            return Opened::Failed(BackendError::Cancelled);
        }
        let opened = match self {
            Self::Device { kind, open } => {
                open(kind).map(|selected| Opened::Device(selected.backend))
            }
            Self::Session {
                backend,
                target: Target { network, spec },
                limit_bytes,
                held_bytes,
                is_first,
                may_stand_in,
            } => {
                if is_first {
                    backend.load_libraries();
                }
                let needed = backend.predicted_bytes(network.spec(), &spec);
                // What would not fit alone either is for the device to refuse.
                if needed <= limit_bytes && needed.saturating_add(held_bytes) > limit_bytes {
                    return Opened::NoRoom(needed);
                }
                reply.bytes.store(needed, Ordering::Relaxed);
                let opened = |session, stands_in| {
                    Opened::Session(Open {
                        session,
                        bytes: needed,
                        stands_in,
                    })
                };
                // Where there is no room for both, what paints goes on until this one is open.
                let both = needed.saturating_mul(2).saturating_add(held_bytes);
                if may_stand_in && both <= limit_bytes {
                    match backend.open_stand_in(&network, &spec, control) {
                        Ok(Some(session)) => reply.send(ticket, opened(session, true)),
                        Ok(None) => {}
                        Err(error) => return Opened::Failed(error),
                    }
                }
                let session = backend.open_while_wanted(&network, &spec, control);
                session.map(|session| opened(session, false))
            }
        };
        opened.unwrap_or_else(Opened::Failed)
    }
}

/// The thread that opens. Dropping it waits a bounded time for what it has in hand.
pub struct Opener {
    /// Closed to stop the thread.
    jobs: Option<Sender<Job>>,
    thread: BoundedThread,
}

impl Opener {
    /// Starts the thread.
    ///
    /// # Errors
    /// The operating system's, when it gives no thread.
    pub fn start() -> std::io::Result<Self> {
        let (sender, jobs) = unbounded::<Job>();
        let thread = BoundedThread::spawn("opener", move || {
            for job in jobs {
                match job {
                    Job::Open(opening) => opening.carry_out(),
                    Job::Retire(sessions) => drop(sessions),
                    // Whoever asked may have lost patience.
                    Job::Tell(done) => drop(done.send(())),
                }
            }
        })?;
        Ok(Self {
            jobs: Some(sender),
            thread,
        })
    }

    /// An asker's end. The thread ends after the last of them.
    pub fn openings(&self) -> Openings {
        Openings::by(self.jobs.clone())
    }
}

impl Drop for Opener {
    fn drop(&mut self) {
        self.jobs = None;
        // One that hangs is left behind and dies with the program.
        let _ = self.thread.join_within(PATIENCE);
    }
}

/// One asker's end of an opener. Dropping it cancels what was asked.
pub struct Openings {
    /// `None` where everything is opened on the spot.
    jobs: Option<Sender<Job>>,
    reply: Reply,
    outcomes: Receiver<Outcome>,
    bell: Receiver<()>,
    tickets: u64,
    /// What was not answered yet.
    outstanding: Vec<(u64, Arc<RunControl>)>,
}

impl Openings {
    /// Opens on the spot, on the asker's own thread: where the system gives no other, and in tests.
    pub fn here() -> Self {
        Self::by(None)
    }

    fn by(jobs: Option<Sender<Job>>) -> Self {
        let (ring, bell) = bounded(1);
        let (sender, outcomes) = unbounded();
        Self {
            jobs,
            reply: Reply {
                outcomes: sender,
                bell: ring,
                bytes: Arc::default(),
            },
            outcomes,
            bell,
            tickets: 0,
            outstanding: Vec::new(),
        }
    }

    /// Rings when there is an answer.
    pub(super) fn bell(&self) -> &Receiver<()> {
        &self.bell
    }

    /// Asks for something; gives the number that the answer carries.
    pub(super) fn ask(&mut self, ask: Ask) -> u64 {
        self.tickets += 1;
        let control = Arc::new(RunControl::default());
        self.outstanding.push((self.tickets, control.clone()));
        let opening = Box::new(Opening {
            ask,
            ticket: self.tickets,
            control,
            reply: self.reply.clone(),
        });
        self.give(Job::Open(opening));
        self.tickets
    }

    fn give(&self, job: Job) {
        let refused = match &self.jobs {
            Some(jobs) => jobs.send(job).err().map(|refused| refused.0),
            None => Some(job),
        };
        match refused {
            None => {}
            Some(Job::Open(opening)) => opening.carry_out(),
            Some(Job::Retire(sessions)) => drop(sessions),
            Some(Job::Tell(done)) => drop(done.send(())),
        }
    }

    /// The next answer, if there is one. Allocates nothing.
    pub(super) fn next(&mut self) -> Option<Outcome> {
        let outcome = self.outcomes.try_recv().ok()?;
        if outcome.is_last() {
            self.outstanding
                .retain(|(ticket, _)| *ticket != outcome.ticket);
        }
        Some(outcome)
    }

    /// Whether an answer is waiting.
    pub(super) fn has_next(&self) -> bool {
        !self.outcomes.is_empty()
    }

    /// Waits at most `patience` for an answer.
    pub(super) fn wait_for_next(&self, patience: Duration) {
        if !self.has_next() && !self.is_idle() {
            // Without an answer it goes on as it is.
            let _ = self.bell.recv_timeout(patience);
        }
    }

    /// Whether everything was answered.
    pub(super) fn is_idle(&self) -> bool {
        self.outstanding.is_empty()
    }

    /// Bytes that what is being opened is going to hold.
    pub(super) fn bytes(&self) -> u64 {
        self.reply.bytes.load(Ordering::Relaxed)
    }

    /// Cancels everything that was not answered yet; the answers still come.
    pub(super) fn cancel(&self) {
        for (_, control) in &self.outstanding {
            control.cancel();
        }
    }

    /// Closes sessions, before anything that is asked later.
    pub(super) fn retire(&self, sessions: Vec<Box<dyn Session>>) {
        if !sessions.is_empty() {
            self.give(Job::Retire(sessions));
        }
    }

    /// Cancels everything, waits a bounded time until nothing is being opened or closed any more, and
    /// gives up what was opened.
    pub(super) fn settle(&mut self) {
        self.cancel();
        let (done, told) = bounded(1);
        self.give(Job::Tell(done));
        // A device that hangs is not waited for.
        let _ = told.recv_timeout(PATIENCE);
        while self.next().is_some() {}
    }
}

impl Drop for Openings {
    fn drop(&mut self) {
        self.cancel();
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn an_opener_ends_after_its_last_asker() {
        let opener = Opener::start().expect("a thread");
        let mut openings = opener.openings();
        let ticket = openings.ask(Ask::Device {
            kind: DeviceChoice::Cuda,
            open: Arc::new(|_| panic!("in the middle")),
        });
        openings
            .bell()
            .recv_timeout(Duration::from_secs(10))
            .expect("an answer");
        let outcome = openings.next().expect("an answer");
        assert_eq!(outcome.ticket, ticket);
        assert!(matches!(outcome.opened, Opened::Panicked(words) if words == "in the middle"));
        assert!(openings.is_idle());
        drop(openings);
        drop(opener);
    }

    #[test]
    fn what_was_cancelled_is_answered_all_the_same() {
        let mut openings = Openings::here();
        openings.ask(Ask::Device {
            kind: DeviceChoice::Cuda,
            open: Arc::new(|_| Err(BackendError::EMPTY_BATCH)),
        });
        assert!(openings.has_next());
        let outcome = openings.next().expect("an answer");
        assert!(matches!(
            outcome.opened,
            Opened::Failed(BackendError::WrongBatch { .. })
        ));
        let opener = Opener::start().expect("a thread");
        let mut openings = opener.openings();
        let (go, wait) = bounded::<()>(0);
        openings.ask(Ask::Device {
            kind: DeviceChoice::Cuda,
            open: Arc::new(move |_| {
                wait.recv().ok();
                Err(BackendError::EMPTY_BATCH)
            }),
        });
        openings.ask(Ask::Device {
            kind: DeviceChoice::Cuda,
            open: Arc::new(|_| panic!("nobody wants it any more")),
        });
        openings.cancel();
        go.send(()).ok();
        let mut cancelled = 0;
        while !openings.is_idle() {
            openings
                .bell()
                .recv_timeout(Duration::from_secs(10))
                .expect("an answer");
            while let Some(outcome) = openings.next() {
                cancelled += usize::from(matches!(
                    outcome.opened,
                    Opened::Failed(BackendError::Cancelled)
                ));
            }
        }
        assert!(cancelled >= 1, "the second never began");
    }
}
