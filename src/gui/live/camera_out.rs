//! Camera out in the window: the painting as a camera for other programs.
//!
//! It continues while the window is minimized, and while photos are shown; readers then get a card.

use eframe::egui::{Button, TextFormat, TextStyle, Ui, text::LayoutJob, vec2};

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
    media::camera_out::{CameraOut, CameraOutSize, FPS, OnAir, Status},
    settings::LiveChoices,
};

#[derive(Default)]
enum State {
    #[default]
    Off,
    /// The device is being opened.
    Starting,
    On(CameraOut),
}

/// Camera out, and the devices for it.
#[derive(Default)]
pub struct CameraOutView {
    state: State,
    /// The most recent list of virtual cameras.
    pub cameras: Vec<VirtualCamera>,
}

impl CameraOutView {
    fn status(&self) -> Option<Status> {
        match &self.state {
            State::On(camera_out) => Some(camera_out.status()),
            State::Off | State::Starting => None,
        }
    }

    /// What readers get, as text; `None` if camera out is off.
    fn in_words(&self) -> Option<String> {
        match self.state {
            State::Starting => Some("starting".to_owned()),
            _ => self.status().map(|status| status.in_words()),
        }
    }

    /// The button that starts or stops camera out, with a dot while it runs.
    pub fn button(&self, ui: &mut Ui, has_words: bool) {
        let status = self.in_words();
        let is_on = status.is_some();
        let body = TextStyle::Button.resolve(ui.style());
        let plain = TextFormat::simple(body.clone(), ui.visuals().text_color());
        let mut text = LayoutJob::default();
        text.append(icons::VIDEO, 0.0, plain.clone());
        if has_words {
            text.append("Camera out", 6.0, plain);
        }
        if is_on {
            text.append(icons::RECORD, 4.0, TextFormat::simple(body, theme::palette(ui).recording));
        }
        let (name, does) = match &status {
            Some(words) => {
                (format!("Stop camera out, {words}"), format!("Stop camera out: {words}."))
            }
            None => (
                "Camera out".to_owned(),
                "Show the painting as a camera in other programs.".to_owned(),
            ),
        };
        let toggle = Button::selectable(is_on, text).min_size(vec2(0.0, 32.0));
        button(ui, true, toggle, [&name, &does], Intent::ToggleCameraOut);
    }

    /// The settings, and what readers get.
    pub fn controls(&self, ui: &mut Ui, choices: &mut LiveChoices) {
        let size_name = |size| match size {
            CameraOutSize::Source => "Source size".to_owned(),
            size => size.name().replace('x', " × "),
        };
        choose_row(ui, "Camera out", &mut choices.camera_out_size, CameraOutSize::ALL, size_name);
        if self.cameras.len() > 1 {
            let devices = || self.cameras.iter().map(|camera| camera.device.as_str());
            let before = devices().find(|of| choices.camera_out_device.as_deref() == Some(of));
            let mut device = before;
            let name = |device: Option<&str>| {
                let camera = self.cameras.iter().find(|camera| Some(&*camera.device) == device);
                camera.map_or("Automatic".to_owned(), |c| {
                    format!("{} ({})", label(&c.label), c.device)
                })
            };
            let offered = std::iter::once(None).chain(devices().map(Some));
            choose_row(ui, "Device", &mut device, offered, name);
            if device != before {
                choices.camera_out_device = device.map(str::to_owned);
            }
        }
        if let Some(status) = self.status() {
            theme::caption(ui, format!("{}: {}", label(&status.camera.label), status.in_words()));
        }
    }
}

impl App {
    pub(crate) fn toggle_camera_out(&mut self) {
        match std::mem::take(&mut self.camera_out.state) {
            State::Starting => self.camera_out.state = State::Starting,
            State::On(camera_out) => self.tasks.spawn(
                move || {
                    // Waits until the device is closed.
                    drop(camera_out);
                    Ok(())
                },
                Self::report_failure,
            ),
            State::Off if self.live.is_some() => self.start_camera_out(),
            State::Off => {}
        }
    }

    fn start_camera_out(&mut self) {
        let live = self.live.as_ref();
        let source = live.and_then(|live| Some(live.picture()?.0.size()));
        let choices = &self.settings.live;
        let request = OutputRequest {
            // A device that is gone is not insisted on.
            device: choices.camera_out_device.clone().filter(|device| {
                self.camera_out.cameras.iter().any(|camera| camera.device == *device)
            }),
            size: choices.camera_out_size.of(source.unwrap_or((1280, 720))),
            fps: FPS,
        };
        let (platform, wake_up) = (self.platform.clone(), self.tasks.wake_up());
        let on_air = self.on_air();
        self.camera_out.state = State::Starting;
        let start = move || {
            let output = platform.open_output(&request);
            Ok(output.and_then(|output| CameraOut::start(output, on_air, wake_up)))
        };
        self.tasks.spawn(start, |app, started| {
            app.camera_out.state = State::Off;
            match started {
                Ok(Ok((camera_out, sink))) => {
                    app.engine.record(sink);
                    app.camera_out.state = State::On(camera_out);
                }
                Ok(Err(problem)) => app.report_output(&problem),
                Err(error) => app.messages.error(error),
            }
        });
    }

    /// What readers should see now.
    fn on_air(&self) -> OnAir {
        let source = self.live.as_ref().map(|live| &live.source);
        OnAir {
            is_held: self.live.as_ref().is_none_or(|live| live.frozen),
            is_still: matches!(source, Some(Source::Photo(_) | Source::Folder(_))),
            is_flipped: source.is_some_and(|source| {
                matches!(source, Source::Camera(_)) && self.settings.live.captures_mirrored(source)
            }),
            style: self.chosen_name().unwrap_or_default(),
        }
    }

    /// Sets what readers should see, and reports its failure.
    pub(crate) fn follow_camera_out(&mut self) {
        let State::On(camera_out) = &self.camera_out.state else {
            return;
        };
        if let Some(problem) = camera_out.status().problem {
            self.camera_out.state = State::Off;
            self.report_output(&problem);
        } else {
            camera_out.show(self.on_air());
        }
    }

    /// Reports why camera out is not possible, with the commands that set it up if there is no device.
    fn report_output(&mut self, problem: &OutputProblem) {
        let Some(setup) = problem.setup().cloned() else {
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
