//! Opens sessions beside those that paint, so that a switch holds up no picture.
//!
//! [`Opener`] is a thread that does one job after another, with a second one for what has to be searched for
//! first, which takes long; [`Openings`] is one asker's end of it. An asker may have a job cancelled, and hears
//! the end of every job once. Sessions that are no longer wanted are closed here too, which takes a moment.
//! Knows no frames and no orders.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
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
    /// Does it here; but what has to be searched for is left to whoever takes `searches`, if anyone does.
    fn carry_out(self, searches: Option<&Sender<Job>>) {
        let Self {
            ask,
            ticket,
            control,
            reply,
        } = self;
        let here = || ask.carry_out(&control, (&reply, ticket), searches.is_some());
        let carried = catch_unwind(AssertUnwindSafe(here))
            .unwrap_or_else(|panic| Carried::Out(Opened::Panicked(panic_message(panic.as_ref()))));
        match (carried, searches) {
            // The asker may replace the device once it is told: nothing here holds it any more by then.
            (Carried::Out(opened), _) => reply.send(ticket, opened),
            (Carried::OnTo(ask), Some(searches)) => {
                let opening = Self {
                    ask,
                    ticket,
                    control,
                    reply,
                };
                // Who searches ends after who opens.
                let _ = searches.send(Job::Open(Box::new(opening)));
            }
            // Nothing is left where nobody takes it.
            (Carried::OnTo(_), None) => {}
        }
    }
}

/// How far an ask was carried out.
enum Carried {
    /// To its end.
    Out(Opened),
    /// As far as this, which takes long.
    OnTo(Ask),
}

/// Bytes that a session is going to hold, as long as it is being opened.
struct Holding<'a> {
    of: &'a AtomicU64,
    bytes: u64,
}

impl<'a> Holding<'a> {
    fn new(of: &'a AtomicU64, bytes: u64) -> Self {
        of.fetch_add(bytes, Ordering::Relaxed);
        Self { of, bytes }
    }
}

impl Drop for Holding<'_> {
    fn drop(&mut self) {
        self.of.fetch_sub(self.bytes, Ordering::Relaxed);
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
    /// Carries it out; but where it `may_leave` that, not what has to be searched for.
    fn carry_out(
        self,
        control: &RunControl,
        (reply, ticket): (&Reply, u64),
        may_leave: bool,
    ) -> Carried {
        let failed = |error| Carried::Out(Opened::Failed(error));
        if control.is_cancelled() {
            return failed(BackendError::Cancelled);
        }
        let (backend, target, limit_bytes, held_bytes, may_stand_in) = match self {
            Self::Device { kind, open } => {
                let opened = open(kind).map(|selected| Opened::Device(selected.backend));
                return opened.map_or_else(failed, Carried::Out);
            }
            Self::Session {
                backend,
                target,
                limit_bytes,
                held_bytes,
                is_first,
                may_stand_in,
            } => {
                if is_first {
                    backend.load_libraries();
                }
                (backend, target, limit_bytes, held_bytes, may_stand_in)
            }
        };
        let Target { network, spec } = &target;
        let bytes = backend.predicted_bytes(network.spec(), spec);
        // What would not fit alone either is for the device to refuse.
        if bytes <= limit_bytes && bytes.saturating_add(held_bytes) > limit_bytes {
            return Carried::Out(Opened::NoRoom(bytes));
        }
        let opened = |session, stands_in| {
            Opened::Session(Open {
                session,
                bytes,
                stands_in,
            })
        };
        let _holding = Holding::new(&reply.bytes, bytes);
        if backend.searches(network.spec(), spec) {
            // Where there is no room for both, what paints goes on until this one is open.
            let both = bytes.saturating_mul(2).saturating_add(held_bytes);
            if may_stand_in && both <= limit_bytes {
                match backend.open_stand_in(network, spec, control) {
                    Ok(session) => reply.send(ticket, opened(session, true)),
                    Err(error) => return failed(error),
                }
            }
            if may_leave {
                return Carried::OnTo(Self::Session {
                    backend,
                    target,
                    limit_bytes,
                    held_bytes,
                    is_first: false,
                    may_stand_in: false,
                });
            }
        }
        let session = backend.open_while_wanted(network, spec, control);
        session.map_or_else(failed, |session| Carried::Out(opened(session, false)))
    }
}

/// Does jobs one after another until nobody can give any more; leaves to `searches`, if that is there, what
/// has to be searched for.
fn work(jobs: &Receiver<Job>, searches: Option<&Sender<Job>>) {
    for job in jobs {
        match (job, searches) {
            (Job::Open(opening), _) => opening.carry_out(searches),
            (Job::Retire(sessions), _) => drop(sessions),
            // What was left is done when its turn is over.
            (Job::Tell(done), Some(searches)) => drop(searches.send(Job::Tell(done))),
            // Whoever asked may have lost patience.
            (Job::Tell(done), None) => drop(done.send(())),
        }
    }
}

/// The threads that open. Dropping it waits a bounded time for what it has in hand.
pub struct Opener {
    /// Closed to stop the thread.
    jobs: Option<Sender<Job>>,
    thread: BoundedThread,
}

impl Opener {
    /// Starts the threads.
    ///
    /// # Errors
    /// The operating system's, when it gives none.
    pub fn start() -> std::io::Result<Self> {
        let (sender, jobs) = unbounded::<Job>();
        let (searches, searched) = unbounded::<Job>();
        let mut searcher = BoundedThread::spawn("searcher", move || work(&searched, None))?;
        let thread = BoundedThread::spawn("opener", move || {
            work(&jobs, Some(&searches));
            drop(searches);
            // One that hangs is left behind and dies with the program.
            let _ = searcher.join_within(PATIENCE);
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
            Some(Job::Open(opening)) => opening.carry_out(None),
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
        let until = Instant::now() + patience;
        while !self.has_next() && !self.is_idle() {
            // It may still ring for an answer that was taken already.
            if self.bell.recv_deadline(until).is_err() {
                // Without an answer it goes on as it is.
                return;
            }
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

    /// Only against hanging for ever.
    const PATIENCE: Duration = Duration::from_secs(120);

    #[test]
    fn an_opener_ends_after_its_last_asker() {
        let opener = Opener::start().expect("a thread");
        let mut openings = opener.openings();
        let ticket = openings.ask(Ask::Device {
            kind: DeviceChoice::Cuda,
            open: Arc::new(|_| panic!("in the middle")),
        });
        openings.bell().recv_timeout(PATIENCE).expect("an answer");
        let outcome = openings.next().expect("an answer");
        assert_eq!(outcome.ticket, ticket);
        assert!(matches!(outcome.opened, Opened::Panicked(words) if words == "in the middle"));
        assert!(openings.is_idle());
        drop(openings);
        drop(opener);
    }

    #[test]
    fn an_old_ring_is_not_taken_for_an_answer() {
        let opener = Opener::start().expect("a thread");
        let mut openings = opener.openings();
        let (go, wait) = bounded::<()>(0);
        let ask = |wait: Option<Receiver<()>>| Ask::Device {
            kind: DeviceChoice::Cuda,
            open: Arc::new(move |_| {
                wait.as_ref().map(Receiver::recv);
                Err(BackendError::EMPTY_BATCH)
            }),
        };
        openings.ask(ask(None));
        while openings.next().is_none() {
            std::thread::yield_now();
        }
        openings.ask(ask(Some(wait)));
        let later = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(30));
            go.send(()).ok();
        });
        openings.wait_for_next(PATIENCE);
        assert!(openings.has_next(), "the first one's ring lies there still");
        later.join().expect("it ends");
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
            openings.bell().recv_timeout(PATIENCE).expect("an answer");
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
