//! The choices that undo and redo restore. Plain data.

use super::choice::Choice;
use crate::media::framing::Framing;

/// Maximum number of steps that can be undone.
const KEPT_STEPS: usize = 200;

/// The choices before and after the current one.
#[derive(Default)]
pub struct History {
    past: Vec<Choice>,
    /// Number of steps that `past` has lost in other ways than by undo.
    dropped: usize,
    future: Vec<Choice>,
}

impl History {
    /// Handles a new photo with this framing: removes the previous photo's framing from all steps.
    pub fn reframe(&mut self, framing: Framing, now: &Choice) {
        let before = self.past.len();
        for steps in [&mut self.past, &mut self.future] {
            steps.iter_mut().for_each(|step| step.framing = framing);
            steps.dedup();
            steps.pop_if(|step| step == now);
        }
        self.dropped += before - self.past.len();
    }

    /// Adds an undo step: the choice was `before` until now.
    pub fn note(&mut self, before: Choice) {
        self.future.clear();
        self.past.push(before);
        if self.past.len() > KEPT_STEPS {
            self.past.remove(0);
            self.dropped += 1;
        }
    }

    /// Removes the steps that led away from this choice, because it was restored.
    pub fn forget_steps_from(&mut self, choice: &Choice) {
        if let Some(at) = self.past.iter().rposition(|step| step == choice) {
            self.past.truncate(at);
        }
    }

    /// Clears the redo steps, because something other than the choice was changed.
    pub fn forget_future(&mut self) {
        self.future.clear();
    }

    /// Total number of undo steps until now, without those that were undone.
    pub fn depth(&self) -> usize {
        self.dropped + self.past.len()
    }

    /// Undoes one step; returns `false` if there is none.
    pub fn undo(&mut self, choice: &mut Choice) -> bool {
        step(&mut self.past, &mut self.future, choice)
    }

    /// Redoes one step; returns `false` if there is none.
    pub fn redo(&mut self, choice: &mut Choice) -> bool {
        step(&mut self.future, &mut self.past, choice)
    }

    pub fn can_undo(&self) -> bool {
        !self.past.is_empty()
    }

    pub fn can_redo(&self) -> bool {
        !self.future.is_empty()
    }

    /// Every step, for changes.
    pub fn steps_mut(&mut self) -> impl Iterator<Item = &mut Choice> {
        self.past.iter_mut().chain(&mut self.future)
    }
}

/// Restores the last choice of `from`, and adds the replaced choice to `to`; returns `false` if there is none.
fn step(from: &mut Vec<Choice>, to: &mut Vec<Choice>, choice: &mut Choice) -> bool {
    let Some(next) = from.pop() else {
        return false;
    };
    to.push(std::mem::replace(choice, next));
    true
}
