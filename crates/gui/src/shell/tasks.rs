//! Tasks that read, write or wait run on a few background threads; their completions run on the window's thread.
//!
//! Tasks are sent over a bounded channel that all threads serve. A task that panics, or that does not fit into the
//! channel, completes with an error, so the caller is always notified. [`Tasks`] belongs to the window's thread and
//! never waits.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use engine::panic_message;
use threads::WakeUp;

/// Number of threads for tasks that do not wait for the user.
pub const THREADS: usize = 2;
/// Maximum number of tasks that wait for a thread.
const MAX_WAITING: usize = 64;

/// Completes a task on the state `S` of the window. Without a window, it only returns a failure to report to the user,
/// if any.
pub type Completion<S> = Box<dyn FnOnce(Option<&mut S>) -> Option<String> + Send>;

/// Work with its completion. It receives an error if the work cannot run.
type Work<S> = Box<dyn FnOnce(Result<(), String>) -> Completion<S> + Send>;

/// A task that writes a file holds a sender of `Tasks::writes` until its completion is sent.
type Task<S> = (Work<S>, Option<Sender<()>>);

/// The window's handle of the background threads.
pub struct Tasks<S> {
    tasks: Sender<Task<S>>,
    completed: Sender<Completion<S>>,
    completions: Receiver<Completion<S>>,
    writes: Option<Sender<()>>,
    /// Disconnected once all clones of `writes` are dropped.
    written: Receiver<()>,
    wake_up: WakeUp,
}

impl<S: 'static> Tasks<S> {
    /// Starts this number of threads. They end when the handle is dropped, after the current task.
    ///
    /// # Errors
    /// The operating system's error if a thread cannot be started.
    pub fn start(name: &str, threads: usize, wake_up: WakeUp) -> std::io::Result<Self> {
        let (completed, completions) = unbounded();
        let (writes, written) = bounded(0);
        let (sender, tasks) = bounded::<Task<S>>(MAX_WAITING);
        for number in 0..threads {
            let (tasks, completed) = (tasks.clone(), completed.clone());
            let wake_up = wake_up.clone();
            thread::Builder::new().name(format!("{name}-{number}")).spawn(move || {
                for (work, writes) in tasks {
                    complete(work(Ok(())), &completed, &wake_up);
                    drop(writes);
                }
            })?;
        }
        let writes = Some(writes);
        Ok(Self { tasks: sender, completed, completions, writes, written, wake_up })
    }

    /// The next completion, to be called with the window's state.
    pub fn poll(&self) -> Option<Completion<S>> {
        self.completions.try_recv().ok()
    }

    /// Runs `work` on a background thread, then `done` on the window's thread.
    pub fn spawn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, String> + Send + 'static,
        done: impl FnOnce(&mut S, Result<T, String>) + Send + 'static,
    ) {
        self.send(work, |_| None, done, None);
    }

    /// Like [`Self::spawn`], for work that writes a file: [`Self::finish_writing`] waits for it.
    pub fn spawn_writing<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, String> + Send + 'static,
        done: impl FnOnce(&mut S, Result<T, String>) + Send + 'static,
    ) {
        self.spawn_writing_or(work, Result::err, done);
    }

    /// Like [`Self::spawn_writing`]; `close` is called instead of `done` if the window closes first. It returns a
    /// failure for the user.
    pub fn spawn_writing_or<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, String> + Send + 'static,
        close: impl FnOnce(Result<T, String>) -> Option<String> + Send + 'static,
        done: impl FnOnce(&mut S, Result<T, String>) + Send + 'static,
    ) {
        self.send(work, close, done, self.writes.clone());
    }

    /// Returns a callback that wakes the window up so that it polls.
    pub fn wake_up(&self) -> WakeUp {
        self.wake_up.clone()
    }

    /// Waits until every file is written, and returns the failures of tasks that were not completed.
    pub fn finish_writing(&mut self) -> Vec<String> {
        self.writes = None;
        // Nothing is ever sent: an error means that all clones are dropped.
        self.written.recv().ok();
        self.completions.try_iter().filter_map(|completion| completion(None)).collect()
    }

    fn send<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, String> + Send + 'static,
        close: impl FnOnce(Result<T, String>) -> Option<String> + Send + 'static,
        done: impl FnOnce(&mut S, Result<T, String>) + Send + 'static,
        writes: Option<Sender<()>>,
    ) {
        let work: Work<S> = Box::new(move |may_run| {
            let result = may_run.and_then(|()| {
                caught(work).unwrap_or_else(|panic| {
                    Err(format!("A bug in StyleForge stopped this ({panic}). Please report it."))
                })
            });
            Box::new(move |window| match window {
                Some(state) => {
                    done(state, result);
                    None
                }
                None => close(result),
            })
        });
        if let Err(refused) = self.tasks.try_send((work, writes)) {
            let why = "StyleForge is doing too many things at once. Wait a moment and try again.";
            let (work, _) = refused.into_inner();
            complete(work(Err(why.to_owned())), &self.completed, &self.wake_up);
        }
    }
}

fn complete<S>(completion: Completion<S>, completed: &Sender<Completion<S>>, wake_up: &WakeUp) {
    if completed.send(completion).is_ok() {
        wake_up();
    }
}

/// An error as text, for the user.
pub trait OrText<T> {
    fn or_text(self) -> Result<T, String>;
}

impl<T, E: ToString> OrText<T> for Result<T, E> {
    fn or_text(self) -> Result<T, String> {
        self.map_err(|error| error.to_string())
    }
}

/// Runs work; returns the text of its panic, if it panics.
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| panic_message(panic.as_ref()))
}

/// Runs work of a task; if it panics, the error names `what` could not be done.
pub fn named<T>(what: &str, work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    caught(work).unwrap_or_else(|panic| Err(format!("{what}: {}", mistake(&panic))))
}

/// A panic as the end of a sentence for the user.
pub fn mistake(panic: &str) -> String {
    format!("a bug in StyleForge stopped it ({panic}). Please report it.")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    type Results = Vec<Result<u32, String>>;

    fn tasks() -> Tasks<Results> {
        Tasks::start("background", THREADS, Arc::new(|| {})).expect("threads")
    }

    fn note(results: &mut Results, result: Result<u32, String>) {
        results.push(result);
    }

    fn completed(tasks: &Tasks<Results>, count: usize) -> Results {
        let mut results = Results::new();
        while results.len() < count {
            tasks.completions.recv().expect("a completion")(Some(&mut results));
        }
        results
    }

    #[test]
    fn a_panic_completes_its_own_task_and_the_thread_serves_the_next() {
        let tasks = tasks();
        for _ in 0..=THREADS {
            tasks.spawn(|| panic!("scripted"), note);
        }
        for result in completed(&tasks, THREADS + 1) {
            let why = result.expect_err("a panic");
            assert!(why.contains("bug in StyleForge stopped this (scripted)"), "{why}");
        }
        tasks.spawn(|| Ok(3), note);
        assert_eq!(completed(&tasks, 1), [Ok(3)]);
    }

    #[test]
    fn a_task_without_room_is_completed() {
        let tasks = tasks();
        let (release, held) = bounded::<()>(0);
        for _ in 0..THREADS + MAX_WAITING + 1 {
            let held = held.clone();
            tasks.spawn(move || Ok(u32::from(held.recv().is_ok())), note);
        }
        let refused = completed(&tasks, 1).remove(0).expect_err("one without room");
        assert!(refused.contains("too many things at once"), "{refused}");
        drop(release);
    }

    #[test]
    fn failures_of_writing_tasks_are_returned_at_the_end() {
        let mut tasks = tasks();
        tasks.spawn(|| Err("not written".to_owned()), note);
        tasks.spawn_writing(|| Ok(1), note);
        tasks.spawn_writing(|| Err("disk full".to_owned()), note);
        tasks.spawn_writing_or(|| Ok(2), |two| two.ok().map(|n| format!("{n} left")), note);
        let mut failures = tasks.finish_writing();
        failures.sort();
        assert_eq!(failures, ["2 left", "disk full"]);
    }
}
