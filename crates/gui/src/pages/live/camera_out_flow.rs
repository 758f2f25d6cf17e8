//! Starts and ends camera out, and sets what other programs see.
//!
//! It continues while the window is minimized, and while photos are shown; readers then get a card.

use crate::{
    app::App,
    shell::overlays::{Answer, Buttons},
    widgets::label::{capital, remark, sentence},
};
use engine::{
    camera_out::{CameraOut, FPS, OnAir},
    capture::{OutputProblem, OutputRequest, Setup, Source},
};

impl App {
    pub(crate) fn toggle_camera_out(&mut self) {
        if let Some(camera_out) = self.camera_out.running.take() {
            // Waits until the device is closed.
            let end = move || {
                drop(camera_out);
                Ok(())
            };
            self.tasks.spawn(end, Self::report_failure);
        } else if self.live.is_some() && !self.camera_out.is_starting {
            self.start_camera_out();
        }
    }

    fn start_camera_out(&mut self) {
        let picture = self.live.as_ref().and_then(|live| live.picture());
        let source = picture.map_or((1280, 720), |(original, _)| original.size());
        let (chosen, known) = (&self.settings.live.camera_out_device, &self.camera_out.cameras);
        let request = OutputRequest {
            // A device that is gone is not insisted on.
            device: chosen.clone().filter(|of| known.iter().any(|known| known.device == *of)),
            size: self.settings.live.camera_out_size.of(source),
            fps: FPS,
        };
        let (platform, wake_up) = (self.platform.clone(), self.tasks.wake_up());
        let on_air = self.on_air();
        self.camera_out.is_starting = true;
        let start = move || {
            let output = platform.open_output(&request);
            Ok(output.and_then(|output| CameraOut::start(output, on_air, wake_up)))
        };
        self.tasks.spawn(start, |app, started| {
            app.camera_out.is_starting = false;
            match started {
                Ok(Ok((camera_out, sink))) => {
                    app.engine.record(sink);
                    app.camera_out.running = Some(camera_out);
                }
                Ok(Err(problem)) => app.report_output(&problem),
                Err(error) => app.messages.error(error),
            }
        });
    }

    /// What readers should see now.
    fn on_air(&self) -> OnAir {
        let live = self.live.as_ref();
        let source = live.map(|live| &live.source);
        let is_camera = matches!(source, Some(Source::Camera(_)));
        OnAir {
            is_held: live.is_none_or(|live| live.frozen),
            is_still: matches!(source, Some(Source::Photo(_) | Source::Folder(_))),
            is_flipped: is_camera && self.settings.live.mirror_saved,
            style: self.chosen_name().unwrap_or_default(),
        }
    }

    /// Sets what readers should see, and reports a failure.
    pub(crate) fn follow_camera_out(&mut self) {
        let Some(camera_out) = &self.camera_out.running else {
            return;
        };
        if let Some(problem) = camera_out.status().problem {
            self.camera_out.running = None;
            self.report_output(&problem);
        } else {
            camera_out.show(self.on_air());
        }
    }

    /// Reports why camera out is not possible, with the commands that set it up if there is no device.
    fn report_output(&mut self, problem: &OutputProblem) {
        let OutputProblem::Missing(setup) = problem else {
            return self.messages.error(format!("Camera out is not possible: {problem}."));
        };
        let steps: Vec<String> = setup.steps().iter().map(|step| capital(&remark(step))).collect();
        let commands = format!("{}\n{}\n", setup.command(), Setup::command_at_start());
        self.put_buttons(Buttons {
            heading: "Set up the virtual camera".to_owned(),
            text: format!(
                "{}\n\n{}\n\nThen choose Camera out again.",
                sentence(setup.reason()),
                steps.join("\n\n")
            ),
            picture: None,
            answers: vec![
                Answer::new("Copy", move |app: &mut Self| app.ctx.copy_text(commands)),
                Answer::cancel("Close"),
            ],
            can_turn_off: false,
        });
    }
}
