//! The steps that undo and redo revert. Plain data.

use super::choice::{Choice, rename};
use crate::{media::framing::Framing, settings::LiveChoices};

/// Maximum number of steps that can be undone.
const KEPT_STEPS: usize = 200;

/// What reverting a step restores.
#[derive(Clone, PartialEq)]
pub enum Step {
    Choice(Box<Choice>),
    Live(Box<LiveChoices>),
    /// The position of a style: before `next` in the list, or at its end.
    Moved {
        id: String,
        next: Option<String>,
    },
    /// A removed style, and the page's choices before and after the removal.
    Removed {
        id: String,
        choices: Box<[Choice; 2]>,
    },
}

impl Step {
    /// Notes that a style has a new id.
    pub fn rename(&mut self, old: &str, new: &str) {
        match self {
            Self::Choice(choice) => choice.rename_style(old, new),
            Self::Live(_) => {}
            Self::Moved { id, next } => {
                rename(next.iter_mut().chain([id]), old, new);
            }
            Self::Removed { choices, .. } => {
                choices.iter_mut().for_each(|choice| choice.rename_style(old, new));
            }
        }
    }
}

/// The steps before and after the current state of a page.
#[derive(Default)]
pub struct History {
    past: Vec<Step>,
    future: Vec<Step>,
}

impl History {
    /// Handles a new photo with this framing: removes the previous photo's framing from all steps.
    pub fn reframe(&mut self, framing: Framing, now: &Choice) {
        for steps in [&mut self.past, &mut self.future] {
            for step in steps.iter_mut() {
                if let Step::Choice(choice) = step {
                    choice.framing = framing;
                }
            }
            steps.dedup();
            steps.pop_if(|step| matches!(step, Step::Choice(choice) if **choice == *now));
        }
    }

    /// Adds an undo step.
    pub fn note(&mut self, step: Step) {
        self.future.clear();
        self.past.push(step);
        if self.past.len() > KEPT_STEPS {
            self.past.remove(0);
        }
    }

    /// Removes the choices that led away from this one, because it was restored.
    pub fn forget_steps_from(&mut self, choice: &Choice) {
        let is_it = |step: &Step| matches!(step, Step::Choice(other) if **other == *choice);
        if let Some(at) = self.past.iter().rposition(is_it) {
            let is_choice = |step: &mut Step| matches!(step, Step::Choice(_));
            self.past.extract_if(at.., is_choice).for_each(drop);
        }
    }

    /// Takes the next step to undo or to redo.
    pub fn take(&mut self, is_undo: bool) -> Option<Step> {
        if is_undo { self.past.pop() } else { self.future.pop() }
    }

    /// Notes the inverse of a step that was undone or redone.
    pub fn note_reverted(&mut self, was_undo: bool, inverse: Step) {
        if was_undo { &mut self.future } else { &mut self.past }.push(inverse);
    }

    /// Takes the removal of a style: the choices before and after it.
    pub fn take_removal(&mut self, style: &str) -> Option<Box<[Choice; 2]>> {
        let is_it = |step: &mut Step| matches!(step, Step::Removed { id, .. } if id == style);
        match self.past.extract_if(.., is_it).next() {
            Some(Step::Removed { choices, .. }) => Some(choices),
            _ => None,
        }
    }

    /// Whether there are undo and redo steps.
    pub fn can_step(&self) -> [bool; 2] {
        [&self.past, &self.future].map(|steps| !steps.is_empty())
    }

    /// Notes that a style has a new id.
    pub fn rename(&mut self, old: &str, new: &str) {
        self.past.iter_mut().chain(&mut self.future).for_each(|step| step.rename(old, new));
    }
}
