//! The client's connection to the other process: two pipes, a thread that uses them, a deadline.
//!
//! Reading from a process that hangs lasts for ever, and so does writing once the pipe is full.
//! Therefore a thread of its own does both, and the caller waits for the thread, only until the
//! deadline. Then the process is killed, which closes the pipes and so ends the thread; where a driver
//! keeps the process from dying, the thread is left with it and nobody waits for either.

use std::{
    io::{self, Read, Write},
    process::Child,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, bounded, select, unbounded};
use serde::de::DeserializeOwned;

use super::{
    deadline::{ENDING, Timer},
    wire::{Answer, Request, read_answer, send},
};
use crate::backend::BackendError;

/// One call.
pub(super) struct Call {
    /// `None` in the first call: the server speaks first.
    pub request: Option<Request>,
    /// Goes behind the request.
    pub body: Vec<u8>,
    /// Most bytes of the answer's body.
    pub most_answer_bytes: u64,
    /// How long the answer is waited for.
    pub patience: Duration,
    /// For people, behind "the request to": `open it`.
    pub words: String,
}

/// The pipes, shared by the backend and its sessions.
pub(super) struct Link {
    /// Sends calls to the thread, one at a time; after its end, the error that ended it.
    line: Mutex<Result<Sender<Exchange>, BackendError>>,
    process: Process,
    /// Nothing is ever sent here: it closes when the thread is done and the process gone.
    ended: Receiver<()>,
    device: String,
    timer: Timer,
    /// Sessions that were opened so far.
    sessions: AtomicU64,
}

/// A request and its answer, done by the thread; gives whether another may follow.
type Exchange = Box<dyn FnOnce(&mut Pipes) -> bool + Send>;

struct Pipes {
    from: Box<dyn Read + Send>,
    to: Box<dyn Write + Send>,
}

impl Link {
    /// Starts the thread. `child` is the other process, if it is one of this program's.
    ///
    /// # Errors
    /// [`BackendError::Threads`] when the system gives none.
    pub fn start(
        from: Box<dyn Read + Send>,
        to: Box<dyn Write + Send>,
        child: Option<Child>,
        (device, timer): (&str, Timer),
    ) -> Result<Self, BackendError> {
        let process = Process(Arc::new(Mutex::new(child)));
        let (line, exchanges) = unbounded::<Exchange>();
        let (ending, ended) = bounded::<()>(0);
        let reaper = Reaper(process.clone());
        thread::Builder::new()
            .name("gpu-link".to_owned())
            .spawn(move || {
                // Dropped in the opposite order, however the thread ends: the pipes are closed first.
                let (_ending, _reaper) = (ending, reaper);
                let mut pipes = Pipes { from, to };
                for exchange in exchanges {
                    if !exchange(&mut pipes) {
                        return;
                    }
                }
            })
            .map_err(|e| BackendError::Threads(e.to_string()))?;
        Ok(Self {
            line: Mutex::new(Ok(line)),
            process,
            ended,
            device: device.to_owned(),
            timer,
            sessions: AtomicU64::new(0),
        })
    }

    /// A number for a session that no other has.
    pub fn next_session(&self) -> u64 {
        self.sessions.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Sends a request and waits for the answer and its body. After the first call that is not answered
    /// as it should be, all get the same error.
    pub fn call<T: DeserializeOwned + Send + 'static>(
        &self,
        call: Call,
    ) -> Result<(T, Vec<u8>), BackendError> {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        let exchanges = line.as_ref().map_err(Clone::clone)?;
        let (reply, answer) = bounded(1);
        let Call { request, body, most_answer_bytes, patience, words } = call;
        let exchange = move |pipes: &mut Pipes| {
            let answer = pipes.exchange::<T>(request, body, most_answer_bytes);
            let goes_on = answer.is_ok();
            // The caller may have given up.
            reply.send(answer).is_ok() && goes_on
        };
        let over = (self.timer)(patience);
        // Without the thread, the answer is closed as well.
        exchanges.send(Box::new(exchange)).ok();
        let error = match came(&answer, &over) {
            Some(Ok(answer)) => return answer,
            Some(Err(error)) => self.lost(&error),
            None => {
                self.process.kill();
                BackendError::DeviceHangs {
                    device: self.device.clone(),
                    request: words,
                    waited_s: patience.as_secs_f64().ceil() as u64,
                }
            }
        };
        *line = Err(error.clone());
        Err(error)
    }

    /// The error that the server is gone, or does not answer as it should.
    pub fn lost(&self, error: &dyn std::fmt::Display) -> BackendError {
        BackendError::DeviceLost {
            device: self.device.clone(),
            reason: format!("its process does not answer: {error}"),
        }
    }
}

/// The answer, or `None` when there was none before the deadline.
fn came<T>(answer: &Receiver<io::Result<T>>, over: &Receiver<Instant>) -> Option<io::Result<T>> {
    select! {
        recv(answer) -> came => Some(came.unwrap_or_else(|_| Err(io::ErrorKind::BrokenPipe.into()))),
        // The answer may have come together with the deadline.
        recv(over) -> _ => answer.try_recv().ok(),
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let unused = Err(BackendError::Cancelled);
        let line = self.line.get_mut().unwrap_or_else(PoisonError::into_inner);
        let was_well = std::mem::replace(line, unused).is_ok();
        // The process has nothing to save, and waiting for one that hangs would not end.
        self.process.kill();
        if was_well {
            // The GPU's memory is free again when the process is gone.
            select! {
                recv(self.ended) -> _ => {}
                recv((self.timer)(ENDING)) -> _ => {}
            }
        }
    }
}

impl Pipes {
    fn exchange<T: DeserializeOwned>(
        &mut self,
        request: Option<Request>,
        body: Vec<u8>,
        most_answer_bytes: u64,
    ) -> io::Result<Answer<(T, Vec<u8>)>> {
        if let Some(request) = request {
            send(self.to.as_mut(), &request, &[&body])?;
        }
        // As large as the answer's.
        drop(body);
        read_answer(self.from.as_mut(), most_answer_bytes)
    }
}

/// The other process, until its end is noted.
#[derive(Clone)]
struct Process(Arc<Mutex<Option<Child>>>);

impl Process {
    fn kill(&self) {
        if let Some(child) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            child.kill().ok();
        }
    }
}

/// Waits for the process's end, or it would stay in the system's list of processes.
struct Reaper(Process);

impl Drop for Reaper {
    fn drop(&mut self) {
        let mut place = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let child = place.take();
        // The wait for a process that does not die happens on this thread, so that the thread that kills it
        // need not wait.
        drop(place);
        if let Some(mut child) = child {
            child.kill().ok();
            child.wait().ok();
        }
    }
}
