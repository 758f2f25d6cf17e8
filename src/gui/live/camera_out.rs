//! Camera out in the window: the painting as a camera for other programs.
//!
//! It continues while the window is minimized, and while photos are shown; readers then get a card.

use std::iter::once;

use eframe::egui::{Button, Ui, vec2};

use crate::{
    capture::{OutputProblem, OutputRequest, Setup, Source, VirtualCamera},
    gui::{
        app::App,
        fonts::icons,
        intent::Intent,
        label::{label, remark},
        list::choose_row,
        overlays::{Answer, Buttons},
        shortcuts::button,
        theme,
    },
    media::camera_out::{CameraOut, CameraOutSize, FPS, OnAir},
    settings::LiveChoices,
};

/// Camera out, and the devices for it.
#[derive(Default)]
pub struct CameraOutView {
    running: Option<CameraOut>,
    /// Whether the device is being opened.
    is_starting: bool,
    /// The most recent list of virtual cameras.
    pub cameras: Vec<VirtualCamera>,
}

impl CameraOutView {
    /// What readers get, as text; `None` if camera out is off.
    fn in_words(&self) -> Option<String> {
        self.running.as_ref().map(|camera_out| camera_out.status().in_words())
    }

    /// The button that starts or stops camera out, with a dot while it runs.
    pub fn button(&self, ui: &mut Ui, has_words: bool) {
        let mut text = theme::icon_text(icons::VIDEO, "Camera out", has_words);
        let mut name = "Camera out".to_owned();
        let mut does = "Show the painting as a camera in other programs.".to_owned();
        if let Some(words) = self.in_words() {
            text = format!("{text} {}", icons::RECORD);
            name = format!("Stop camera out, {words}");
            does = format!("Stop camera out: {words}.");
        }
        let toggle = Button::selectable(self.running.is_some(), text).min_size(vec2(0.0, 32.0));
        button(ui, !self.is_starting, toggle, [&name, &does], Intent::ToggleCameraOut);
    }

    /// The settings, and what readers get.
    pub fn controls(&self, ui: &mut Ui, choices: &mut LiveChoices) {
        let size_name = |size| match size {
            CameraOutSize::Hd720 => "1280 × 720",
            CameraOutSize::Hd1080 => "1920 × 1080",
            CameraOutSize::Source => "Source size",
        };
        choose_row(ui, "Camera out", &mut choices.camera_out_size, CameraOutSize::ALL, size_name);
        if self.cameras.len() > 1 {
            let chosen = choices.camera_out_device.as_ref();
            let before = self.cameras.iter().position(|camera| Some(&camera.device) == chosen);
            let mut device = before;
            let name = |device: Option<usize>| match device.map(|device| &self.cameras[device]) {
                Some(camera) => format!("{} ({})", label(&camera.label), camera.device),
                None => "Automatic".to_owned(),
            };
            let offered = once(None).chain((0..self.cameras.len()).map(Some));
            choose_row(ui, "Device", &mut device, offered, name);
            if device != before {
                choices.camera_out_device =
                    device.map(|device| self.cameras[device].device.clone());
            }
        }
        if let Some(words) = self.in_words() {
            theme::caption(ui, words);
        }
    }
}

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
        let steps: Vec<String> = setup.steps().iter().map(|step| remark(step)).collect();
        let commands = format!("{}\n{}\n", setup.command(), Setup::command_at_start());
        self.put_buttons(Buttons {
            heading: "Set up camera out".to_owned(),
            text: format!("{}\n\n{}", remark(&problem.to_string()), steps.join("\n\n")),
            answers: vec![
                Answer::new("Copy", move |app: &mut Self| app.ctx.copy_text(commands)),
                Answer::cancel("Close"),
            ],
            caption: "Then choose Camera out again.",
            can_turn_off: false,
        });
    }
}
