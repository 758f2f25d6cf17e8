//! Performs the commands of the live page and of the Lab, and those for the picture while it is shown.

use std::time::Instant;

use super::{
    LivePage, LiveView,
    command::LiveCommand,
    files::{try_codec, try_microphone},
    update::{stop_measuring, toggle_measuring},
};
use crate::{
    app::Shell,
    intent::{LabCommand, ViewCommand},
    shell::{common::other, platform::Dialog},
    workspace::Step,
};
use engine::{capture::Source, live::LiveSize};
use settings::LiveChoices;

impl LivePage {
    pub fn perform(&mut self, shell: &mut Shell, command: LiveCommand) {
        use LiveCommand::*;

        match command {
            UseSource(_) | UseCamera => {}
            AskVideo => shell.ask(Dialog::Video, |app, path| app.use_source(Source::Video(path))),
            LookForCamera => {
                shell.device.cameras = None;
                shell.list_cameras(true);
            }
            ReleaseCamera => {
                if self.view.as_ref().is_some_and(LiveView::uses_camera) {
                    self.use_source(shell, Source::Demo);
                    shell.messages.notice("The camera is off.");
                }
            }
            ListCameras => shell.list_cameras(false),
            SetLive(new) => self.edit_live(shell, |choices| *choices = *new),
            TryMicrophone => try_microphone(shell),
            TryCodec(codec) => try_codec(shell, codec),
            LiveDetail(px) => {
                self.edit_live(shell, |choices| choices.size = LiveSize::LongSide(px));
            }
            ToggleFreeze => {
                if let Some(live) = &mut self.view {
                    live.frozen = !live.frozen;
                    live.refined.stays_as_seen = false;
                    live.lab.panel.set_frozen(live.frozen, Instant::now());
                }
            }
            LeaveAsSeen(stays) => self.leave_as_seen(shell, stays),
            Snapshot => self.snapshot(shell),
            SaveAsSeen(seen) => self.save_seen(shell, seen),
            ToggleRecording => self.toggle_recording(shell),
            ToggleCameraOut => self.toggle_camera_out(shell),
            TogglePreviews => {
                if let Some(live) = &mut self.view {
                    live.shows_previews = !live.shows_previews;
                }
            }
        }
    }

    pub fn perform_lab(&mut self, shell: &mut Shell, command: LabCommand) {
        use LabCommand::*;

        if command == ToggleMeasuring {
            return toggle_measuring(shell);
        }
        if command != ToggleDifference {
            // Otherwise the user could neither see the progress of the measurement nor stop it.
            stop_measuring(shell);
        }
        let Some(live) = &mut self.view else {
            return;
        };
        match command {
            ToggleCompare => live.toggle_comparison(),
            ToggleDifference if !live.compares() => {
                shell.messages.notice("Start a comparison (B) to show the difference.");
            }
            ToggleDifference => live.lab.shows_difference = !live.lab.shows_difference,
            ToggleLab => live.lab.is_open = !live.lab.is_open,
            ToggleMeasuring => {}
        }
    }

    /// Performs a command for the picture, while the page is shown; returns one that is the same on every page.
    pub fn perform_view(&mut self, shell: &mut Shell, command: ViewCommand) -> Option<ViewCommand> {
        use ViewCommand::*;

        let Some(live) = &mut self.view else {
            return Some(command);
        };
        match command {
            StepDetail(by) => self.step_live_detail(shell, by),
            ToggleModel => {
                // Photos have a separate choice.
                let other = other(shell.live_model());
                if shell.model_of_style(other) == other {
                    self.edit_live(shell, |choices| choices.model = Some(other));
                } else {
                    let why = format!("This style's {other} model is not installed.");
                    shell.messages.notice(why);
                }
            }
            Look(compare) => live.look(compare),
            StepView(step) => live.step(step),
            HoldOrCompare => self.perform(shell, LiveCommand::ToggleFreeze),
            Save => self.snapshot(shell),
            Copy => {
                if let Some((_, painted)) = live.picture() {
                    let painted = painted.clone();
                    shell.copy_picture("The painting".to_owned(), move || Ok(painted));
                }
            }
            other => return Some(other),
        }
        None
    }

    /// Changes the stored choices of live mode. All steps of one drag are undone together.
    pub fn edit_live(&mut self, shell: &mut Shell, change: impl FnOnce(&mut LiveChoices)) {
        let mut choices = Box::new(shell.settings.live.clone());
        change(&mut choices);
        let before = self.set_live(shell, choices);
        shell.begin_change(Step::Live(before));
    }

    /// Shows another source.
    pub fn use_source(&mut self, shell: &mut Shell, source: Source) {
        if let Some(live) = &mut self.view {
            live.trial.begin(&live.source);
            live.source = source;
            // Pictures of the previous source do not belong to this one.
            live.facts = None;
            live.refined.picture = None;
            live.stage.clear();
            live.start(shell);
        }
    }
}
