//! A progress bar on standard error, with the estimated time left.

use std::{
    fmt::{Display, Write},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use crossbeam_channel::{RecvTimeoutError, bounded};
use indicatif::{HumanDuration, ProgressBar, ProgressFinish, ProgressState, ProgressStyle};

use super::{
    CliError,
    terminal::{print, stderr_is_terminal, write_message},
};
use backend::RunControl;
use values::{
    lock::lock,
    text::{cut, one_line},
};

/// Steps of the bar per work item.
const STEPS: u64 = 1000;
/// Maximum length of the name after the bar.
const MAX_NAME_CHARS: usize = 60;
/// Minimum share of the work and time after which the time left is estimated.
const MIN_SHARE: f32 = 0.02;
const MIN_TIME: Duration = Duration::from_secs(1);
/// How often the bar reads the run's progress.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A line to print.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Line {
    /// On standard output.
    Output(String),
    /// On standard error.
    Message(String),
}

/// Progress through equal work items; silent if standard error is not a terminal.
pub struct Progress {
    bar: Option<ProgressBar>,
    /// Steps that were done before this run.
    before: Arc<AtomicU64>,
    /// Work items that are done.
    done: AtomicUsize,
    look_every: Duration,
    is_quiet: bool,
    /// The lines that were not printed yet; `None` if they are printed at once.
    kept: Option<Mutex<Vec<Line>>>,
}

impl Progress {
    /// Prints only messages.
    pub fn quiet() -> Self {
        Self { is_quiet: true, ..Self::without_bar() }
    }

    fn without_bar() -> Self {
        let (before, done) = (Arc::default(), AtomicUsize::new(0));
        Self { bar: None, before, done, look_every: LOOK_EVERY, is_quiet: false, kept: None }
    }

    /// Progress of a part of this work, whose lines are kept until [`Progress::print_all`].
    pub fn of_part(&self) -> Self {
        Self { is_quiet: self.is_quiet, kept: Some(Mutex::default()), ..Self::without_bar() }
    }

    /// The lines that were kept.
    pub fn into_lines(self) -> Vec<Line> {
        (self.kept.unwrap_or_default()).into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Prints the lines that `part` has kept, and counts its work items.
    pub fn print_all(&self, part: Self) {
        self.skip(part.done());
        for line in part.into_lines() {
            match line {
                // Failing to print a file name is not a failure: the file is written.
                Line::Output(line) => self.print(line).unwrap_or_default(),
                Line::Message(line) => self.message(line),
            }
        }
    }

    fn keeps(&self, line: impl FnOnce() -> Line) -> bool {
        self.kept.as_ref().map(lock).map(|mut kept| kept.push(line())).is_some()
    }

    /// For `pieces` work items. A single item is too short to show progress.
    pub fn new(pieces: usize) -> Self {
        match pieces {
            0 | 1 => Self::without_bar(),
            several => Self::of_long_pieces(several),
        }
    }

    /// For `pieces` work items, each of which takes long enough to show its own progress.
    pub fn of_long_pieces(pieces: usize) -> Self {
        let before = Arc::new(AtomicU64::new(0));
        let steps_before = before.clone();
        let bar = stderr_is_terminal().then(|| {
            let bar = ProgressBar::new(pieces as u64 * STEPS).with_finish(ProgressFinish::AndClear);
            if let Ok(style) = ProgressStyle::with_template("{wide_bar} {percent}%  {left}{msg}") {
                bar.set_style(style.with_key(
                    "left",
                    move |state: &ProgressState, to: &mut dyn Write| {
                        let before = steps_before.load(Ordering::Relaxed);
                        let steps = [before, state.pos(), state.len().unwrap_or(0)];
                        let left = left(state.elapsed(), steps, state.eta());
                        // Writing to memory cannot fail.
                        to.write_str(&left).ok();
                    },
                ));
            }
            bar
        });
        Self { bar, before, ..Self::without_bar() }
    }

    /// Counts work items that an interrupted run has done. Each took no time in this one.
    pub fn resume(&self, pieces: u64) {
        self.before.fetch_add(pieces * STEPS, Ordering::Relaxed);
    }

    /// Prints a line on standard error without breaking the bar.
    pub fn message(&self, line: impl Display) {
        if !self.keeps(|| Line::Message(line.to_string())) {
            self.while_hidden(|| write_message(line));
        }
    }

    /// Prints a note on standard error, unless only errors are printed.
    pub fn note(&self, text: impl Display) {
        if !self.is_quiet {
            self.message(format!("note: {text}"));
        }
    }

    /// [`Self::note`] for each text.
    pub fn notes(&self, texts: impl IntoIterator<Item = impl Display>) {
        texts.into_iter().for_each(|text| self.note(text));
    }

    /// Notes on an input of this name.
    pub fn notes_on(&self, name: &str, texts: &[String]) {
        self.notes(texts.iter().map(|text| format!("{name}: {text}")));
    }

    /// Prints a line on standard output without breaking the bar.
    ///
    /// # Errors
    /// See [`print()`].
    pub fn print(&self, line: impl Display) -> Result<(), CliError> {
        if self.keeps(|| Line::Output(line.to_string())) {
            return Ok(());
        }
        self.while_hidden(|| print(&[line.to_string()]))
    }

    /// Hides the bar while `write` runs.
    fn while_hidden<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// Runs the next `pieces` work items, named `name`, and shows the progress of `control` meanwhile.
    pub fn during<T>(
        &self,
        pieces: usize,
        name: &str,
        control: &Arc<RunControl>,
        work: impl FnOnce() -> T,
    ) -> T {
        let start = self.done() as u64;
        self.reach(start, name);
        let steps = (pieces as u64 * STEPS) as f32;
        control.set_progress(0.0);
        let result = thread::scope(|scope| {
            // Carries no messages; disconnects when the work ends, also by a panic, because the scope waits for the thread.
            let (_working, ended) = bounded::<()>(0);
            if let Some(bar) = &self.bar {
                scope.spawn(move || {
                    while ended.recv_timeout(self.look_every) == Err(RecvTimeoutError::Timeout) {
                        bar.set_position(start * STEPS + (control.progress() * steps) as u64);
                    }
                });
            }
            work()
        });
        self.skip(pieces);
        result
    }

    /// Counts work items that are done.
    pub fn skip(&self, pieces: usize) {
        let done = self.done.fetch_add(pieces, Ordering::Relaxed) + pieces;
        self.reach(done as u64, "");
    }

    /// Number of work items that are done.
    pub fn done(&self) -> usize {
        self.done.load(Ordering::Relaxed)
    }

    /// Shows that this many work items are done, and `text`.
    pub fn reach(&self, pieces: u64, text: &str) {
        if let Some(bar) = &self.bar {
            bar.set_position(pieces * STEPS);
            bar.set_message(cut(&one_line(text), MAX_NAME_CHARS).into_owned());
        }
    }

    /// Removes the bar, before it is dropped.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// The estimated time left, once enough is done for an estimate; otherwise empty. The steps are those before this run,
/// those that are done, and all. `left` is an estimate for a run that began with the first step.
fn left(elapsed: Duration, [before, done, all]: [u64; 3], left: Duration) -> String {
    let of_all = |steps: u64| steps as f32 / all.saturating_sub(before).max(1) as f32;
    let share = of_all(done.saturating_sub(before));
    if share > MIN_SHARE && elapsed > MIN_TIME {
        let rest = of_all(all.saturating_sub(done));
        let left = if before > 0 { elapsed.mul_f32(rest / share) } else { left };
        format!("{left:#} left  ", left = HumanDuration(left))
    } else {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        panic::{AssertUnwindSafe, catch_unwind},
        sync::mpsc,
    };

    use super::*;

    /// Timeout for a test that would otherwise hang.
    const PATIENCE: Duration = Duration::from_secs(120);

    /// Reads the progress so rarely that a test that waits for the next reading fails by timeout.
    fn watched() -> Progress {
        let (bar, look_every) = (Some(ProgressBar::hidden()), 10 * PATIENCE);
        Progress { bar, look_every, ..Progress::without_bar() }
    }

    #[test]
    fn the_time_left_is_shown_after_some_of_the_work() {
        for (seconds, steps, left_s, shown) in [
            (0, [0, 0, 100], 0, ""),
            (9, [0, 1, 100], 0, ""),
            (20, [0, 25, 100], 60, "60s left  "),
            // Of a film that continues, only what this run has painted counts.
            (2, [80, 81, 100], 0, "38s left  "),
            (2, [80, 80, 100], 0, ""),
        ] {
            let of = Duration::from_secs;
            assert_eq!(left(of(seconds), steps, of(left_s)), shown, "{steps:?}");
        }
    }

    #[test]
    fn short_work_does_not_wait_for_the_bar() {
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let (progress, control) = (watched(), Arc::new(RunControl::default()));
            for index in 0..60 {
                // Some items end before the watcher has read anything, some while it sleeps.
                progress.during(1, "photo", &control, || {
                    thread::sleep(Duration::from_millis(index as u64 % 3));
                });
            }
            sender.send(()).ok();
        });
        assert!(receiver.recv_timeout(PATIENCE).is_ok(), "it waits");
    }

    #[test]
    fn a_panic_ends_the_watcher() {
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let (progress, control) = (watched(), Arc::new(RunControl::default()));
            let result = catch_unwind(AssertUnwindSafe(|| {
                progress.during(1, "photo", &control, || panic!("on purpose"));
            }));
            sender.send(result.is_err()).ok();
        });
        let panicked = receiver.recv_timeout(PATIENCE);
        assert_eq!(panicked, Ok(true), "the watcher must not keep the panic");
    }
}
