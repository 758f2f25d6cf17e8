//! A bar on standard error that tells how much of a batch is done and how long the rest takes.

use std::{
    fmt::Display,
    io::{IsTerminal, stderr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};

use super::terminal::tell;
use crate::backend::RunControl;

/// Steps of the bar for each piece of work.
const STEPS: u64 = 1000;
/// How often the bar looks at the run.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Progress through equal pieces of work; silent unless there are several and someone watches.
pub struct Progress {
    bar: Option<ProgressBar>,
}

impl Progress {
    /// For `pieces` pieces of work.
    pub fn new(pieces: usize) -> Self {
        let watched = pieces > 1 && stderr().is_terminal();
        let bar = watched.then(|| {
            let bar = ProgressBar::new(pieces as u64 * STEPS);
            if let Ok(style) =
                ProgressStyle::with_template("{wide_bar} {percent}%  {eta} left  {msg}")
            {
                bar.set_style(style);
            }
            bar
        });
        Self { bar }
    }

    /// A line for people that does not tear the bar.
    pub fn tell(&self, line: impl Display) {
        match &self.bar {
            Some(bar) => bar.suspend(|| tell(line)),
            None => tell(line),
        }
    }

    /// Does piece `index`, called `name`, and follows `control` meanwhile.
    pub fn during<T>(
        &self,
        index: usize,
        name: &str,
        control: &Arc<RunControl>,
        work: impl FnOnce() -> T,
    ) -> T {
        let Some(bar) = &self.bar else {
            return work();
        };
        bar.set_message(name.to_owned());
        let start = index as u64 * STEPS;
        bar.set_position(start);
        control.set_progress(0.0);
        let ended = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !ended.load(Ordering::Relaxed) {
                    bar.set_position(start + (control.progress() * STEPS as f32) as u64);
                    thread::park_timeout(LOOK_EVERY);
                }
            });
            let result = work();
            ended.store(true, Ordering::Relaxed);
            result
        })
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
