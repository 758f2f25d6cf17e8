//! Applies events of the engine and the compositor, and completed tasks, to the window's state.

use eframe::egui;

use crate::{
    app::{App, Shell},
    intent::{Intent, ShellCommand},
    pages::{
        film::Step,
        photo::{PhotoPage, state::PaintRequest},
    },
    shell::messages::Topic,
};
use engine::{
    live::LiveEvent,
    paint::OutputSize,
    protocol::{Event, Generation},
};

impl App {
    /// Handles every event since the last frame.
    pub(super) fn handle_events(&mut self) {
        while let Some(event) = self.shell.engine.poll() {
            self.handle_event(event);
        }
        while let Some(complete) = self.shell.tasks.poll().or_else(|| self.shell.dialogs.poll()) {
            complete(Some(self));
        }
        if let Some(composed) = self.photo.compositor.take()
            && composed.ticket == self.photo.painting.composed.epoch
            && self.shell.workspace.on_screen().is_some()
        {
            let size = result_size(&self.shell).unwrap_or(composed.size);
            let is_other = std::mem::take(&mut self.photo.painting.composed.appears);
            // While the user drags, show the result without a fade.
            let appears = is_other && !self.shell.ctx.input(|i| i.pointer.any_down());
            self.photo.stage.set_painting(
                &self.shell.ctx,
                &composed.preview,
                composed.full,
                size,
                appears,
            );
        }
    }

    fn handle_event(&mut self, event: Event) {
        match event {
            Event::Device { info, notice } => {
                // The first notice is in the status line. A later one is a lost GPU, which only a new process can open.
                if let (Some(_), Some(notice)) = (&self.shell.device.info, &notice) {
                    self.shell.messages.error_with(
                        notice.clone(),
                        ("Restart StyleForge", Intent::Shell(ShellCommand::Restart)),
                    );
                }
                self.shell.device.info = Some(info);
                self.shell.device.notice = notice;
                self.shell.choose_first_style();
            }
            Event::NoDevice(error) => {
                self.shell.device.notice = Some(error.to_string());
                self.shell.choose_first_style();
                self.shell.messages.error(error.to_string());
            }
            Event::Painted { draft: true, painting, generation } => {
                if self.photo.is_requested(generation) {
                    if let Some(request) = &mut self.photo.painting.request {
                        request.has_draft = true;
                    }
                    self.shell.workspace.draft = Some(painting);
                    self.photo.recompose_anew(&mut self.shell);
                    self.photo.catch_up(&mut self.shell);
                }
            }
            Event::Painted { painting, generation, .. } => {
                if let Some(PaintRequest { recipe, .. }) =
                    self.photo.painting.request.take_if(|w| w.run == Some(generation))
                {
                    for note in &painting.notes {
                        self.shell.messages.notice(note.clone());
                    }
                    self.shell.messages.settle(Topic::Painting);
                    self.shell.workspace.show(recipe, painting);
                    self.photo.recompose_anew(&mut self.shell);
                    self.photo.catch_up(&mut self.shell);
                }
            }
            // A run that the user stopped needs no message here; the choice has already been reset.
            Event::Cancelled(_) => {}
            Event::Failed { error, generation } => {
                if self.photo.is_requested(generation) {
                    self.shell
                        .messages
                        .about(Topic::Painting)
                        .error(format!("The photo was not painted: {error}"));
                    self.photo.revert_choice(&mut self.shell);
                }
            }
            Event::Repainted { number, result } => {
                if let Some(done) = self.shell.styles.painted_apart.remove(&number) {
                    done(self, number, result);
                }
            }
            Event::Live(event) => {
                if matches!(event, LiveEvent::Refused(_)) {
                    self.film.step_film(&mut self.shell, &mut self.photo, Step::Pause);
                }
                self.live.handle_live_event(&mut self.shell, event);
            }
            Event::Measured(result) => self.live.handle_measured(&mut self.shell, result),
        }
    }

    /// Shows why a task failed.
    pub(super) fn report_failure<T>(&mut self, result: Result<T, String>) {
        if let Err(error) = result {
            self.shell.messages.error(error);
        }
    }
}

impl PhotoPage {
    /// True if this run belongs to the current request. A run that was replaced while the new network is loaded may
    /// still finish.
    fn is_requested(&self, generation: Generation) -> bool {
        self.painting.request.as_ref().is_some_and(|w| w.run == Some(generation))
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

/// Width and height of the finished picture, in pixels. For a draft, those of the picture that it stands for.
fn result_size(shell: &Shell) -> Option<(usize, usize)> {
    let photo = shell.workspace.photo_size()?;
    let output = shell.workspace.choice.output;
    let shown = shell.workspace.shown();
    if shown.is_none() && output == OutputSize::Working {
        return None;
    }
    let painted = shown.map_or(photo, |shown| shown.painting.painted.size());
    Some(output.resolve(photo, painted))
}
