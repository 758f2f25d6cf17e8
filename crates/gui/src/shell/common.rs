//! What pages and styles ask of the shell.

use eframe::egui;

use super::platform::Platform;
use crate::{
    app::{App, Shell},
    choice::NetworkOf,
    intent::{Intent, ShellCommand},
    widgets::theme,
};
use backend::DeviceInfo;
use pictures::encode::Format;
use values::mode::{DeviceChoice, ModelSize};

impl Shell {
    /// Asks the desktop to do something in the background, and shows why it fails.
    pub fn ask_desktop(
        &self,
        work: impl FnOnce(&dyn Platform) -> Result<(), String> + Send + 'static,
    ) {
        let platform = self.platform.clone();
        self.run(move || work(&*platform), |_, ()| {});
    }

    /// Notes the device that paints.
    pub fn set_device(&mut self, info: DeviceInfo, notice: Option<String>) {
        // The first notice is in the status line. A later one is a lost GPU, which only a new process can open.
        if let (Some(_), Some(notice)) = (&self.device.info, &notice) {
            let restart = ("Restart StyleForge", Intent::Shell(ShellCommand::Restart));
            self.messages.error_with(notice.clone(), restart);
        }
        self.device.info = Some(info);
        self.device.notice = notice;
        self.choose_first_style();
    }

    /// The time of the frame, by egui's clock.
    pub fn now(&self) -> f64 {
        self.ctx.input(|i| i.time)
    }

    /// Runs work in the background, then `done` with its result. Shows why the work fails.
    pub fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, String> + Send + 'static,
        done: impl FnOnce(&mut App, T) + Send + 'static,
    ) {
        self.tasks.spawn(work, |app, result| match result {
            Ok(value) => done(app, value),
            Err(error) => app.shell.messages.error(error),
        });
    }

    /// Reduces motion if the user or, without a choice, the desktop wants it.
    pub fn follow_motion(&self) {
        let (platform, chosen) = (self.platform.clone(), self.settings.choices.reduce_motion);
        self.tasks.spawn(
            move || Ok(chosen.unwrap_or_else(|| platform.reduces_motion())),
            |app, reduces| {
                let chosen = app.shell.settings.choices.reduce_motion;
                theme::reduce_motion(&app.shell.ctx, chosen.unwrap_or(reduces == Ok(true)));
            },
        );
    }

    /// The style that paints alone; `None` for a mix.
    pub fn chosen_style(&self) -> Option<String> {
        match self.workspace.choice.network(ModelSize::Full)? {
            NetworkOf::Style(id, _) => Some(id),
            NetworkOf::Mix(_) => None,
        }
    }

    /// The model size for photos: the chosen one if the style has it.
    pub fn model(&self) -> ModelSize {
        self.model_of_style(self.workspace.choice.model)
    }

    /// The requested model size if the chosen style has it, otherwise the one that it has.
    pub fn model_of_style(&self, requested: ModelSize) -> ModelSize {
        self.workspace
            .choice
            .style()
            .and_then(|id| self.styles.gallery.known(id))
            .map_or(requested, |card| card.model(requested))
    }

    /// The format to save in.
    pub fn format(&self) -> Format {
        self.settings.choices.format.unwrap_or_else(|| self.workspace.natural_format())
    }

    /// The model size for live mode: the chosen one, if the style has it. The automatic choice is the lite model on a
    /// CPU and the full model on a GPU, as on the command line.
    pub fn live_model(&self) -> ModelSize {
        let is_cpu = self.device.info.as_ref().is_none_or(|d| d.kind == DeviceChoice::Cpu);
        let automatic = if is_cpu { ModelSize::Lite } else { ModelSize::Full };
        self.model_of_style(self.settings.live.model.unwrap_or(automatic))
    }

    /// The model sizes of the chosen style; empty without a style.
    pub fn models(&self) -> &[ModelSize] {
        self.workspace
            .choice
            .style()
            .and_then(|id| self.styles.gallery.card(id))
            .map_or(&[], |card| &card.models)
    }
}

pub fn other(model: ModelSize) -> ModelSize {
    match model {
        ModelSize::Full => ModelSize::Lite,
        ModelSize::Lite => ModelSize::Full,
    }
}

impl App {
    /// Shows why a task failed.
    pub fn report_failure<T>(&mut self, result: Result<T, String>) {
        if let Err(error) = result {
            self.shell.messages.error(error);
        }
    }
}

/// Sets the window's title: the photo's name and the program's, or the program's alone.
pub fn name_window(ctx: &egui::Context, photo: Option<&str>) {
    let title = match photo {
        Some(name) => format!("{name} – StyleForge"),
        None => "StyleForge".to_owned(),
    };
    ctx.send_viewport_cmd(egui::ViewportCommand::Title(title));
}
