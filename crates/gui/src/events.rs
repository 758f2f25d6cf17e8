//! Applies events of the engine and the compositor, and completed tasks, to the window's state.

use eframe::egui;

use crate::{
    app::{App, PaintRequest},
    intent::Intent,
    jobs::batch::Phase,
    shell::messages::Topic,
};
use engine::{
    paint::OutputSize,
    protocol::{Event, Generation},
};

impl App {
    /// Handles every event since the last frame.
    pub(super) fn handle_events(&mut self) {
        while let Some(event) = self.engine.poll() {
            self.handle_event(event);
        }
        while let Some(complete) = self.tasks.poll().or_else(|| self.dialogs.poll()) {
            complete(Some(self));
        }
        if let Some(composed) = self.compositor.take()
            && composed.ticket == self.painting.composed.epoch
            && self.workspace.on_screen().is_some()
        {
            let size = self.result_size().unwrap_or(composed.size);
            let is_other = std::mem::take(&mut self.painting.composed.appears);
            // While the user drags, show the result without a fade.
            let appears = is_other && !self.ctx.input(|i| i.pointer.any_down());
            self.stage.set_painting(&self.ctx, &composed.preview, composed.full, size, appears);
        }
    }

    /// Width and height of the finished picture, in pixels. For a draft, those of the picture that it stands for.
    fn result_size(&self) -> Option<(usize, usize)> {
        let photo = self.workspace.photo_size()?;
        let output = self.workspace.choice.output;
        let shown = self.workspace.shown();
        if shown.is_none() && output == OutputSize::Working {
            return None;
        }
        let painted = shown.map_or(photo, |shown| shown.painting.painted.size());
        Some(output.resolve(photo, painted))
    }

    fn handle_event(&mut self, event: Event) {
        match event {
            Event::Device { info, notice } => {
                // The first notice is in the status line. A later one is a lost GPU, which only a new process can open.
                if let (Some(_), Some(notice)) = (&self.device.info, &notice) {
                    self.messages
                        .error_with(notice.clone(), ("Restart StyleForge", Intent::Restart));
                }
                self.device.info = Some(info);
                self.device.notice = notice;
                self.choose_first_style();
            }
            Event::NoDevice(error) => {
                self.device.notice = Some(error.to_string());
                self.choose_first_style();
                self.messages.error(error.to_string());
            }
            Event::Painted { draft: true, painting, generation } => {
                if self.is_requested(generation) {
                    if let Some(request) = &mut self.painting.request {
                        request.has_draft = true;
                    }
                    self.workspace.draft = Some(painting);
                    self.recompose_anew();
                    self.catch_up();
                }
            }
            Event::Painted { painting, generation, .. } => {
                if let Some(PaintRequest { recipe, .. }) =
                    self.painting.request.take_if(|w| w.run == Some(generation))
                {
                    for note in &painting.notes {
                        self.messages.notice(note.clone());
                    }
                    self.messages.settle(Topic::Painting);
                    self.workspace.show(recipe, painting);
                    self.recompose_anew();
                    self.catch_up();
                }
            }
            // A run that the user stopped needs no message here; the choice has already been reset.
            Event::Cancelled(_) => {}
            Event::Failed { error, generation } => {
                if self.is_requested(generation) {
                    self.messages
                        .about(Topic::Painting)
                        .error(format!("The photo was not painted: {error}"));
                    self.revert_choice();
                }
            }
            Event::Repainted { number, result } => {
                if let Some(done) = self.painted_apart.remove(&number) {
                    done(self, number, result);
                }
            }
            Event::BatchPhoto { done, name, outcome, .. } => {
                let Some(batch) = &mut self.batch else {
                    return;
                };
                let saved = outcome
                    .as_ref()
                    .ok()
                    .map(|saved| saved.path.clone())
                    .filter(|_| batch.sheet.is_none());
                batch.note(done, name, outcome);
                // One entry stands for the folder: the paintings of a large one would replace all others in the list.
                if let Some(path) = saved.filter(|_| batch.saved == 1) {
                    self.note_painting(&path);
                }
            }
            Event::Live(event) => self.handle_live_event(event),
            Event::Measured(result) => self.handle_measured(result),
            Event::BatchEnded { cancelled } => {
                if let Some(batch) = &mut self.batch {
                    batch.phase = Phase::Ended { cancelled };
                }
                self.write_contact_sheet();
            }
        }
    }

    /// True if this run belongs to the current request. A run that was replaced while the new network is loaded may
    /// still finish.
    fn is_requested(&self, generation: Generation) -> bool {
        self.painting.request.as_ref().is_some_and(|w| w.run == Some(generation))
    }

    /// Shows why a task failed.
    pub(super) fn report_failure<T>(&mut self, result: Result<T, String>) {
        if let Err(error) = result {
            self.messages.error(error);
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
