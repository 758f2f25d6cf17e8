//! Comparison of two modes on the same frames: the order in which they paint, their names, and whether their pictures
//! are equal.
//!
//! Runs no sessions. Belongs to the engine's thread; times are passed in.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::scheduler::SessionSlot;
use measure::verify::Equality;
use values::{frame::Frame, mode::Precision};

/// Minimum time between two equality checks, which read both pictures on the host.
const JUDGE_EVERY: Duration = Duration::from_millis(300);

/// Checks whether the two pictures of a comparison are equal.
#[derive(Default)]
pub struct Judge {
    frames: u64,
    next_judgement: Option<Instant>,
    /// Of the two modes, with their sessions.
    pub names: Option<([SessionSlot; 2], Arc<[String; 2]>)>,
    /// The newest result.
    pub equality: Option<Arc<Equality>>,
}

impl Judge {
    /// The order in which the two modes paint the next frame; it alternates.
    pub fn next_order(&mut self) -> [usize; 2] {
        self.frames += 1;
        let first = (self.frames % 2) as usize;
        [first, 1 - first]
    }

    /// Compares both pictures, at most once every `JUDGE_EVERY`.
    pub fn judge(&mut self, pictures: [&Frame; 2], precisions: [Precision; 2], now: Instant) {
        if self.next_judgement.is_some_and(|at| now < at) {
            return;
        }
        let equality = Equality::between(pictures[0], pictures[1], precisions);
        // A failed check stays failed until something changes, so that the ratio does not flicker.
        let judged = match &self.equality {
            Some(before) if !before.passed() => before.as_ref().clone().worse(equality),
            _ => equality,
        };
        self.equality = Some(Arc::new(judged));
        self.next_judgement = Some(now + JUDGE_EVERY);
    }

    /// Sets the names of the two modes with `find_out`, unless they are known.
    pub fn name(&mut self, slots: &[SessionSlot; 2], find_out: impl FnOnce() -> [String; 2]) {
        if !matches!(&self.names, Some((of, _)) if of == slots) {
            self.names = Some((slots.clone(), Arc::new(find_out())));
        }
    }

    pub fn names(&self) -> Option<&Arc<[String; 2]>> {
        self.names.as_ref().map(|(_, names)| names)
    }
}
