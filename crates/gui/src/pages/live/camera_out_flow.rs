//! Starts and ends camera out, and sets what other programs see.
//!
//! It continues while the window is minimized, and while photos are shown; readers then get a card.

use super::LivePage;
use crate::{
    app::{App, Shell},
    shell::overlays::{Answer, Buttons},
    widgets::label::{capital, remark, sentence},
};
use engine::{
    camera_out::{CameraOut, FPS, OnAir},
    capture::{OutputProblem, OutputRequest, Setup, Source},
};

impl LivePage {
    pub fn toggle_camera_out(&mut self, shell: &mut Shell) {
        if let Some(camera_out) = self.camera_out.running.take() {
            // Waits until the device is closed.
            let end = move || {
                drop(camera_out);
                Ok(())
            };
            shell.tasks.spawn(end, App::report_failure);
        } else if self.view.is_some() && !self.camera_out.is_starting {
            self.start_camera_out(shell);
        }
    }

    fn start_camera_out(&mut self, shell: &mut Shell) {
        let picture = self.view.as_ref().and_then(|live| live.picture());
        let source = picture.map_or((1280, 720), |(original, _)| original.size());
        let (chosen, known) = (&shell.settings.live.camera_out_device, &self.camera_out.cameras);
        let request = OutputRequest {
            // A device that is gone is not insisted on.
            device: chosen.clone().filter(|of| known.iter().any(|known| known.device == *of)),
            size: shell.settings.live.camera_out_size.of(source),
            fps: FPS,
        };
        let (platform, wake_up) = (shell.platform.clone(), shell.tasks.wake_up());
        let on_air = self.on_air(shell);
        self.camera_out.is_starting = true;
        let start = move || {
            let output = platform.open_output(&request);
            Ok(output.and_then(|output| CameraOut::start(output, on_air, wake_up)))
        };
        shell.tasks.spawn(start, |app, started| {
            app.live.camera_out.is_starting = false;
            match started {
                Ok(Ok((camera_out, sink))) => {
                    app.shell.engine.record(sink);
                    app.live.camera_out.running = Some(camera_out);
                }
                Ok(Err(problem)) => report_output(&mut app.shell, &problem),
                Err(error) => app.shell.messages.error(error),
            }
        });
    }

    /// What readers should see now.
    fn on_air(&self, shell: &Shell) -> OnAir {
        let live = self.view.as_ref();
        let source = live.map(|live| &live.source);
        let is_camera = matches!(source, Some(Source::Camera(_)));
        OnAir {
            is_held: live.is_none_or(|live| live.frozen),
            is_still: matches!(source, Some(Source::Photo(_) | Source::Folder(_))),
            is_flipped: is_camera && shell.settings.live.mirror_saved,
            style: shell.chosen_name().unwrap_or_default(),
        }
    }

    /// Sets what readers should see, and reports a failure.
    pub fn follow_camera_out(&mut self, shell: &mut Shell) {
        let Some(camera_out) = &self.camera_out.running else {
            return;
        };
        if let Some(problem) = camera_out.status().problem {
            self.camera_out.running = None;
            report_output(shell, &problem);
        } else {
            camera_out.show(self.on_air(shell));
        }
    }
}

/// Reports why camera out is not possible, with the commands that set it up if there is no device.
fn report_output(shell: &mut Shell, problem: &OutputProblem) {
    let OutputProblem::Missing(setup) = problem else {
        return shell.messages.error(format!("Camera out is not possible: {problem}."));
    };
    let steps: Vec<String> = setup.steps().iter().map(|step| capital(&remark(step))).collect();
    let commands = format!("{}\n{}\n", setup.command(), Setup::command_at_start());
    shell.overlays.put_buttons(Buttons {
        heading: "Set up the virtual camera".to_owned(),
        text: format!(
            "{}\n\n{}\n\nThen choose Camera out again.",
            sentence(setup.reason()),
            steps.join("\n\n")
        ),
        picture: None,
        answers: vec![
            Answer::new("Copy", move |app: &mut App| app.shell.ctx.copy_text(commands)),
            Answer::cancel("Close"),
        ],
        can_turn_off: false,
    });
}
