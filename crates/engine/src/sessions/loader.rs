//! The loader: a thread that opens and closes sessions and devices. This takes a moment, and no frame should wait for
//! it.
//!
//! [`LoaderThread`] does one job after another; [`Requests`] is one client's view of it. A request can be cancelled,
//! and gets exactly one reply either way. Knows no sessions.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, bounded, select_biased, unbounded};

use crate::error::{EngineError, caught};
use backend::RunControl;
use threads::BoundedThread;

/// How long to wait for the running job to end.
const PATIENCE: Duration = Duration::from_millis(1500);

type Job = Box<dyn FnOnce() + Send>;

/// The loader's thread. Dropping it waits a bounded time for the running job.
pub struct LoaderThread {
    pub loader: Loader,
    /// Dropped to stop the thread.
    _stop: Sender<()>,
    _thread: BoundedThread,
}

/// A handle of the loader.
#[derive(Clone)]
pub struct Loader {
    /// `None` if jobs run synchronously on the client's thread.
    jobs: Option<Sender<Job>>,
    signal: (Sender<()>, Receiver<()>),
}

impl LoaderThread {
    /// # Errors
    /// The operating system could not start the thread.
    pub fn start() -> std::io::Result<Self> {
        let (jobs, queue) = unbounded::<Job>();
        let (stop, stopped) = bounded::<()>(0);
        let thread = BoundedThread::spawn("loader", move || {
            loop {
                select_biased! {
                    recv(stopped) -> _ => return,
                    recv(queue) -> job => match job {
                        Ok(job) => job(),
                        Err(_) => return,
                    },
                }
            }
        })?;
        let loader = Loader { jobs: Some(jobs), ..Loader::on_the_spot() };
        Ok(Self { loader, _stop: stop, _thread: thread })
    }
}

impl Loader {
    /// Runs every job synchronously on the client's thread. For systems that start no thread, for clients that paint
    /// nothing meanwhile, and for tests.
    pub fn on_the_spot() -> Self {
        Self { jobs: None, signal: bounded(1) }
    }

    /// A new client of the loader.
    pub fn requests<T: Send + 'static>(&self) -> Requests<T> {
        let (sender, replies) = unbounded();
        Requests { loader: self.clone(), sender, replies, tickets: 0, outstanding: Vec::new() }
    }

    /// Receives a signal when a request of any client is answered.
    pub fn ready(&self) -> &Receiver<()> {
        &self.signal.1
    }
}

/// The result, or a panic.
type Reply<T> = Result<T, EngineError>;

/// One client of a loader. Dropping it cancels unanswered requests.
pub struct Requests<T> {
    loader: Loader,
    sender: Sender<(u64, Reply<T>)>,
    replies: Receiver<(u64, Reply<T>)>,
    tickets: u64,
    /// Unanswered requests.
    outstanding: Vec<(u64, Arc<RunControl>)>,
}

impl<T: Send + 'static> Requests<T> {
    /// Requests `work` and returns the number that the reply carries. Everything that `work` holds is dropped before
    /// the reply is sent. Its control is cancelled when the result is no longer needed.
    pub fn request(&mut self, work: impl FnOnce(&RunControl) -> T + Send + 'static) -> u64 {
        self.tickets += 1;
        let ticket = self.tickets;
        let control = Arc::<RunControl>::default();
        self.outstanding.push((ticket, control.clone()));
        let (replies, signal) = (self.sender.clone(), self.loader.signal.0.clone());
        self.run(move || {
            // If the client is gone, the result is dropped here.
            let _ = replies.send((ticket, caught(|| work(&control))));
            // One pending signal is enough.
            let _ = signal.try_send(());
        });
        ticket
    }

    /// Runs a job without a reply, before later requests.
    pub fn run(&self, job: impl FnOnce() + Send + 'static) {
        match &self.loader.jobs {
            Some(jobs) => {
                if let Err(refused) = jobs.send(Box::new(job)) {
                    (refused.0)();
                }
            }
            None => job(),
        }
    }

    /// The next reply, with its request's number and whether that was cancelled before. Allocates nothing.
    pub fn next_reply(&mut self) -> Option<(u64, Reply<T>, bool)> {
        let (ticket, reply) = self.replies.try_recv().ok()?;
        let at = self.outstanding.iter().position(|(of, _)| *of == ticket)?;
        let (_, control) = self.outstanding.swap_remove(at);
        Some((ticket, reply, control.is_cancelled()))
    }

    /// True if a reply is pending.
    pub fn has_next(&self) -> bool {
        !self.replies.is_empty()
    }

    /// Waits at most `patience` for a reply.
    pub fn wait_for_next(&self, patience: Duration) {
        let until = Instant::now() + patience;
        while !self.has_next() && !self.outstanding.is_empty() {
            // The signal may be for a reply that was already taken, or for another client's.
            if self.loader.signal.1.recv_deadline(until).is_err() {
                break;
            }
        }
        // Passes the signal on, because another client may wait for it.
        let _ = self.loader.signal.0.try_send(());
    }

    /// True if all requests are answered.
    pub fn is_idle(&self) -> bool {
        self.outstanding.is_empty()
    }

    /// Cancels all unanswered requests; their replies still arrive.
    pub fn cancel_all(&self) {
        for (_, control) in &self.outstanding {
            control.cancel();
        }
    }

    /// Cancels one request; its reply still arrives.
    pub fn cancel(&self, ticket: u64) {
        let mut outstanding = self.outstanding.iter();
        if let Some((_, control)) = outstanding.find(|(of, _)| *of == ticket) {
            control.cancel();
        }
    }

    /// Cancels every request, waits a bounded time until none runs, and drops the replies.
    pub fn cancel_and_wait(&mut self) {
        self.cancel_all();
        let (done, all_done) = bounded::<()>(1);
        self.run(move || done.send(()).unwrap_or_default());
        // A device that hangs is not waited for.
        let _ = all_done.recv_timeout(PATIENCE);
        while self.next_reply().is_some() {}
    }
}

impl<T> Drop for Requests<T> {
    fn drop(&mut self) {
        for (_, control) in &self.outstanding {
            control.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Timeout of tests that would hang.
    const LONG: Duration = Duration::from_secs(120);

    #[test]
    fn a_panic_is_a_reply_and_the_thread_continues() {
        let thread = LoaderThread::start().expect("a thread");
        let loader = &thread.loader;
        let mut requests = loader.requests::<u8>();
        let first = requests.request(|_| panic!("in the middle"));
        let second = requests.request(|_| 7);
        let mut replies = Vec::new();
        while replies.len() < 2 {
            loader.ready().recv_timeout(LONG).expect("a reply");
            replies.extend(std::iter::from_fn(|| requests.next_reply()));
        }
        let panic = EngineError::Panicked("in the middle".to_owned());
        assert_eq!(replies[0], (first, Err(panic), false));
        assert_eq!(replies[1], (second, Ok(7), false));
        assert!(requests.is_idle());
    }

    #[test]
    fn cancelled_requests_are_answered_too() {
        let thread = LoaderThread::start().expect("a thread");
        let loader = &thread.loader;
        let mut requests = loader.requests::<bool>();
        let (go, wait) = bounded::<()>(0);
        let first = requests.request(move |control| {
            wait.recv().ok();
            control.is_cancelled()
        });
        requests.cancel(first);
        go.send(()).expect("it waits");
        requests.wait_for_next(LONG);
        assert_eq!(requests.next_reply(), Some((first, Ok(true), true)));
        let mut here = Loader::on_the_spot().requests::<u8>();
        let ticket = here.request(|_| 3);
        assert_eq!(here.next_reply(), Some((ticket, Ok(3), false)));
    }

    #[test]
    fn a_loader_ends_before_its_requesters() {
        let thread = LoaderThread::start().expect("a thread");
        let loader = &thread.loader;
        let mut requests = loader.requests::<u8>();
        drop(thread);
        let ticket = requests.request(|_| 5);
        assert_eq!(requests.next_reply(), Some((ticket, Ok(5), false)), "on the spot");
        requests.cancel_and_wait();
    }
}
