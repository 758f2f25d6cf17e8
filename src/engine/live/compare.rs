//! Two modes on the same frames: which of them begins, what they are called, and whether they make the same
//! picture.
//!
//! Runs no sessions. Belongs to the engine's thread; times are handed in.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::scheduler::SessionSlot;
use crate::{frame::Frame, mode::Precision, verify::Equality};

/// Time between two judgements of a comparison at least: judging reads both pictures on the host.
const JUDGE_EVERY: Duration = Duration::from_millis(300);

/// The judge of a comparison.
#[derive(Default)]
pub struct Judge {
    frames: u64,
    next_judgement: Option<Instant>,
    names: Option<([SessionSlot; 2], Arc<[String; 2]>)>,
    equality: Option<Arc<Equality>>,
}

impl Judge {
    /// In which order the two paint the next frame: the one that begins changes from frame to frame.
    pub fn next_order(&mut self) -> [usize; 2] {
        self.frames += 1;
        let first = (self.frames % 2) as usize;
        [first, 1 - first]
    }

    /// Judges both pictures, now and then.
    pub fn judge(&mut self, pictures: [&Frame; 2], precisions: [Precision; 2], now: Instant) {
        if self.next_judgement.is_some_and(|at| now < at) {
            return;
        }
        let equality = Equality::between(pictures[0], pictures[1], precisions);
        // Once unequal, unequal until something changes: a ratio must not flicker.
        let judged = match &self.equality {
            Some(before) if !before.passed() => before.as_ref().clone().worse(equality),
            _ => equality,
        };
        self.equality = Some(Arc::new(judged));
        self.next_judgement = Some(now + JUDGE_EVERY);
    }

    /// The newest judgement.
    pub fn equality(&self) -> Option<&Arc<Equality>> {
        self.equality.as_ref()
    }

    /// Sets the names of these two by `find_out`, unless they are known.
    pub fn name(&mut self, slots: &[SessionSlot; 2], find_out: impl FnOnce() -> [String; 2]) {
        if !matches!(&self.names, Some((of, _)) if of == slots) {
            self.names = Some((slots.clone(), Arc::new(find_out())));
        }
    }

    /// What the two are called.
    pub fn names(&self) -> Option<&Arc<[String; 2]>> {
        self.names.as_ref().map(|(_, names)| names)
    }

    /// Forgets the names, because the device was replaced.
    pub fn forget_names(&mut self) {
        self.names = None;
    }

    /// Forgets the judgement, because a change may make the pictures equal or unequal.
    pub fn forget_judgement(&mut self) {
        self.equality = None;
    }
}
