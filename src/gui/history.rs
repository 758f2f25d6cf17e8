//! The choices that undo and redo go through. Plain data.

use super::choice::Choice;
use crate::media::framing::Framing;

/// Steps that can be undone.
const KEPT_STEPS: usize = 200;

/// The choices before and after the present one.
#[derive(Default)]
pub struct History {
    past: Vec<Choice>,
    /// Steps that `past` had once and lost otherwise than by undo.
    dropped: usize,
    future: Vec<Choice>,
}

impl History {
    /// Another photo, framed like this: how the one before was turned and cropped is in no step any more.
    pub fn reframe(&mut self, framing: Framing, now: &Choice) {
        let before = self.past.len();
        for steps in [&mut self.past, &mut self.future] {
            steps.iter_mut().for_each(|step| step.framing = framing);
            steps.dedup();
            steps.pop_if(|step| step == now);
        }
        self.dropped += before - self.past.len();
    }

    /// Notes that the choice was `before` until now.
    pub fn note(&mut self, before: Choice) {
        self.future.clear();
        self.past.push(before);
        if self.past.len() > KEPT_STEPS {
            self.past.remove(0);
            self.dropped += 1;
        }
    }

    /// The steps that led away from this choice, to which it has gone back, were none.
    pub fn forget_steps_from(&mut self, choice: &Choice) {
        if let Some(at) = self.past.iter().rposition(|step| step == choice) {
            self.past.truncate(at);
        }
    }

    /// Nothing can be redone any more: something else was done, which is no choice.
    pub fn forget_future(&mut self) {
        self.future.clear();
    }

    /// How many steps of undo there were until now, without those that were undone.
    pub fn depth(&self) -> usize {
        self.dropped + self.past.len()
    }

    /// Goes one choice back; `false` when there is none.
    pub fn undo(&mut self, choice: &mut Choice) -> bool {
        step(&mut self.past, &mut self.future, choice)
    }

    /// Takes the last undo back; `false` when there is none.
    pub fn redo(&mut self, choice: &mut Choice) -> bool {
        step(&mut self.future, &mut self.past, choice)
    }

    /// Whether there is a choice to go back to.
    pub fn can_undo(&self) -> bool {
        !self.past.is_empty()
    }

    /// Whether there is an undo to take back.
    pub fn can_redo(&self) -> bool {
        !self.future.is_empty()
    }

    /// Every step, to be changed.
    pub fn steps_mut(&mut self) -> impl Iterator<Item = &mut Choice> {
        self.past.iter_mut().chain(&mut self.future)
    }
}

/// Takes the last of `from`, and keeps the choice that it replaces in `to`; `false` when there is none.
fn step(from: &mut Vec<Choice>, to: &mut Vec<Choice>, choice: &mut Choice) -> bool {
    let Some(next) = from.pop() else {
        return false;
    };
    to.push(std::mem::replace(choice, next));
    true
}
