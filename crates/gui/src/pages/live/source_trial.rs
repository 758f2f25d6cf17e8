//! A chosen source that has not delivered a picture yet: what to show instead if it cannot, and when to store it in the
//! settings.

use engine::{
    capture::{CaptureProblem, Source},
    live::SourceState,
};

/// Shown if there is no camera.
pub const NO_CAMERA: &str = "No camera found. Connect one, then click Use camera.";

/// How a source was chosen, and whether it has delivered a picture.
#[derive(Default)]
pub struct SourceTrial {
    /// The last source that delivered pictures.
    before: Option<Source>,
    has_delivered: bool,
    /// The user chose it in this window.
    is_chosen: bool,
}

impl SourceTrial {
    /// The user has chosen another source than `present`.
    pub fn begin(&mut self, present: &Source) {
        if self.has_delivered {
            self.before = Some(present.clone());
        }
        self.has_delivered = false;
        self.is_chosen = true;
    }

    /// Notes a picture of the source; returns whether to store the source in the settings now.
    pub fn deliver(&mut self) -> bool {
        !std::mem::replace(&mut self.has_delivered, true) && self.is_chosen
    }

    /// The source to show instead of `present`, which has not delivered a picture and currently cannot, with a message.
    /// If the user has just chosen a camera by name, returns `None` to wait for it.
    pub fn give_up(&mut self, present: &Source, state: &SourceState) -> Option<(Source, String)> {
        let SourceState::Waiting(problem) = state else {
            return None;
        };
        if self.has_delivered || !matches!(present, Source::Camera(_)) {
            return None;
        }
        let text = match problem {
            CaptureProblem::NoCamera => NO_CAMERA.to_owned(),
            CaptureProblem::Unknown { known, .. } if !self.is_chosen => {
                if known.is_empty() {
                    NO_CAMERA.to_owned()
                } else {
                    problem.to_string()
                }
            }
            _ => return None,
        };
        self.is_chosen = false;
        Some((self.before.take().unwrap_or(Source::Demo), text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::capture::CameraId;

    fn waiting(problem: CaptureProblem) -> SourceState {
        SourceState::Waiting(problem)
    }

    #[test]
    fn without_a_camera_the_previous_source_continues_and_nothing_is_remembered() {
        let folder = Source::Folder("holiday".into());
        let camera = Source::Camera(CameraId::first());
        let mut trial = SourceTrial::default();
        assert!(!trial.deliver(), "remembered already");
        trial.begin(&folder);
        assert_eq!(trial.give_up(&camera, &SourceState::Starting), None);
        // Another program uses the camera; it is used as soon as that program releases it.
        assert_eq!(trial.give_up(&camera, &waiting(CaptureProblem::Busy)), None);
        let given_up = trial.give_up(&camera, &waiting(CaptureProblem::NoCamera));
        assert_eq!(given_up, Some((folder, NO_CAMERA.to_owned())));
        assert!(!trial.deliver(), "it was not chosen again");
        // A camera that has delivered pictures is waited for, and stored.
        trial.begin(&Source::Demo);
        assert!(trial.deliver());
        assert_eq!(trial.give_up(&camera, &waiting(CaptureProblem::NoCamera)), None);
    }

    #[test]
    fn a_camera_by_name_is_waited_for_once_it_is_chosen_and_not_at_the_start() {
        let camera = Source::Camera(CameraId::new("front"));
        let gone = |known: &[&str]| {
            waiting(CaptureProblem::Unknown {
                name: "front".to_owned(),
                known: known.iter().map(|name| (*name).to_owned()).collect(),
            })
        };
        let mut trial = SourceTrial::default();
        assert_eq!(trial.give_up(&camera, &gone(&[])), Some((Source::Demo, NO_CAMERA.to_owned())));
        let given_up = trial.give_up(&camera, &gone(&["back"])).expect("the demo");
        assert!(given_up.1.contains("choose one of: back"), "{}", given_up.1);
        trial.begin(&Source::Demo);
        assert_eq!(trial.give_up(&camera, &gone(&[])), None);
    }
}
