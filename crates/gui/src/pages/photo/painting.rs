//! The painting of the photo on the table: which painting belongs to the choice, the run that makes it, and its
//! composition with the photo.
//!
//! Runs on the window's thread: the engine paints, the compositor combines.

use std::sync::Arc;

use super::{
    PhotoPage,
    opened::framed,
    state::{ComposeRequest, PaintRequest},
};
use crate::{app::Shell, shell::messages::Topic, styles::Missing};
use engine::{
    compositor::ComposeJob,
    error::EngineError,
    paint::{OutputSize, Painting},
    protocol::{Generation, PaintJob},
};

impl PhotoPage {
    /// Stops the run and returns to the previous painting.
    pub fn stop_painting(&mut self, shell: &mut Shell) {
        shell.engine.cancel();
        self.revert_choice(shell);
    }

    /// Stops the run, because its painting is no longer requested.
    pub fn drop_request(&mut self, shell: &mut Shell) {
        shell.engine.cancel();
        self.painting.request = None;
    }

    /// After a failed or stopped run: resets the choice to that of the painting on the table, and updates the settings.
    pub fn revert_choice(&mut self, shell: &mut Shell) {
        self.painting.request = None;
        shell.workspace.before_change = None;
        shell.workspace.revert_choice();
        shell.remember_choice();
        self.recompose_anew(shell);
    }

    /// Shows the painting that belongs to the choice: a kept one, or a new run of the engine.
    pub fn follow_choice(&mut self, shell: &mut Shell) {
        if shell.workspace.is_live() || self.painting.plays {
            // These follow their own settings; the photo is painted when it is shown again.
            return;
        }
        if self.follow_framing(shell) {
            return;
        }
        let Some(recipe) = shell.workspace.recipe(shell.model()) else {
            self.drop_request(shell);
            if shell.workspace.shown().is_some() || shell.workspace.draft.is_some() {
                shell.workspace.show_only_photo();
                self.recompose_anew(shell);
            }
            return;
        };
        if let Some(request) = &self.painting.request {
            if request.recipe == recipe {
                self.recompose(shell, self.stage.wants_full());
                return;
            }
            // While a weight is dragged, show each draft before starting the next one.
            if !request.has_draft && request.recipe.is_mixed_otherwise(&recipe) {
                return;
            }
        }
        if shell.workspace.shown().is_some_and(|s| s.recipe == recipe) {
            self.drop_request(shell);
            if shell.workspace.draft.is_some() {
                shell.workspace.draft = None;
                self.recompose_anew(shell);
            } else {
                self.recompose(shell, self.stage.wants_full());
            }
            return;
        }
        if let Some(painting) = shell.workspace.kept(&recipe) {
            self.drop_request(shell);
            shell.workspace.show(recipe, painting);
            self.recompose_anew(shell);
            return;
        }
        // The user requests it again.
        shell.styles.retry_networks(|of| *of == recipe.network);
        self.painting.request = Some(PaintRequest { recipe, run: None, has_draft: false });
        self.paint_requested(shell);
    }

    /// Turns and crops the photo if the choice requires it; returns whether that is the case.
    fn follow_framing(&mut self, shell: &mut Shell) -> bool {
        let framing = shell.workspace.choice.framing;
        let Some(photo) = shell.workspace.photo().filter(|photo| photo.framing != framing) else {
            self.painting.framing = None;
            return false;
        };
        let wanted = Some((photo.number, framing));
        if self.painting.framing != wanted {
            self.painting.framing = wanted;
            let number = photo.number;
            let whole = photo.opened.whole();
            shell.tasks.spawn(
                move || framed(whole, framing),
                move |app, framed| {
                    if app.photo.painting.framing.take_if(|w| *w == (number, framing)).is_none() {
                        return;
                    }
                    match framed {
                        Ok(framed) => {
                            app.photo.cropping = None;
                            app.photo.stage.set_photo(
                                &app.shell.ctx,
                                &framed.preview,
                                framed.frame.clone(),
                            );
                            app.shell.workspace.set_framed(framing, framed);
                            app.photo.recompose_anew(&mut app.shell);
                            app.photo.follow_choice(&mut app.shell);
                        }
                        Err(error) => {
                            app.shell.messages.error(format!("The photo was not changed: {error}"));
                            // Reset the choice to the photo's current framing.
                            if let Some(photo) = app.shell.workspace.photo() {
                                app.shell.workspace.choice.framing = photo.framing;
                            }
                        }
                    }
                },
            );
        }
        self.drop_request(shell);
        true
    }

    /// Applies the choice if weights were dragged further while a draft was painted.
    pub fn catch_up(&mut self, shell: &mut Shell) {
        let painted = self
            .painting
            .request
            .as_ref()
            .map(|r| &r.recipe)
            .or(shell.workspace.shown().map(|s| &s.recipe));
        if shell.workspace.recipe(shell.model()).as_ref() != painted {
            self.follow_choice(shell);
        }
    }

    /// Starts the run of the request, once its network is loaded.
    pub fn paint_requested(&mut self, shell: &mut Shell) {
        let Some(recipe) = self
            .painting
            .request
            .as_ref()
            .filter(|request| request.run.is_none())
            .map(|request| request.recipe.clone())
        else {
            return;
        };
        let network = match shell.network(&recipe.network) {
            Ok(network) => network,
            // The running run belongs to an earlier request.
            Err(Missing::Loading) => return shell.engine.cancel(),
            Err(Missing::Failed) => return self.revert_choice(shell),
        };
        let (Some(request), Some(photo)) = (&mut self.painting.request, shell.workspace.photo())
        else {
            return;
        };
        request.run = Some(shell.engine.paint(PaintJob {
            photo: photo.framed.frame.clone(),
            network,
            settings: shell.workspace.choice.paint_settings(),
            draft: true,
        }));
    }

    /// Requests the composition of the photo and its painting with the current strength, colours and size. With `full`,
    /// the picture itself is made in addition to its preview.
    pub fn recompose(&mut self, shell: &mut Shell, full: bool) {
        let (Some(photo), Some(painting)) = (shell.workspace.photo(), shell.workspace.on_screen())
        else {
            self.painting.composed = ComposeRequest {
                epoch: self.painting.composed.epoch + 1,
                ..ComposeRequest::default()
            };
            self.stage.painting.clear();
            return;
        };
        self.painting.composed.full = full;
        // A draft is drawn over the photo at the photo's size, regardless of the result's size.
        let output = if shell.workspace.draft.is_some() {
            OutputSize::Original
        } else {
            shell.workspace.choice.output
        };
        self.compositor.request(ComposeJob {
            ticket: self.painting.composed.epoch,
            photo: photo.framed.frame.clone(),
            painting: painting.clone(),
            output,
            look: shell.workspace.choice.look,
            full,
        });
    }

    /// Notes that another photo or painting is on the table, so that older compositions are discarded.
    pub fn recompose_anew(&mut self, shell: &mut Shell) {
        self.painting.composed.epoch += 1;
        self.painting.composed.appears = true;
        self.recompose(shell, self.stage.wants_full());
    }

    /// Shows the newest picture of the compositor.
    pub fn take_composed(&mut self, shell: &mut Shell) {
        if let Some(composed) = self.compositor.take()
            && composed.ticket == self.painting.composed.epoch
            && shell.workspace.on_screen().is_some()
        {
            let size = result_size(shell).unwrap_or(composed.size);
            let is_other = std::mem::take(&mut self.painting.composed.appears);
            // While the user drags, show the result without a fade.
            let appears = is_other && !shell.ctx.input(|i| i.pointer.any_down());
            let (preview, is_full) = (&composed.preview, composed.full);
            self.stage.set_painting(&shell.ctx, preview, is_full, size, appears);
        }
    }

    /// Shows a painting of the engine, or its draft.
    pub fn handle_painted(
        &mut self,
        shell: &mut Shell,
        painting: Arc<Painting>,
        generation: Generation,
        is_draft: bool,
    ) {
        let Some(mut request) = self.painting.request.take_if(|w| w.run == Some(generation)) else {
            return;
        };
        if is_draft {
            request.has_draft = true;
            self.painting.request = Some(request);
            shell.workspace.draft = Some(painting);
        } else {
            for note in &painting.notes {
                shell.messages.notice(note.clone());
            }
            shell.messages.settle(Topic::Painting);
            shell.workspace.show(request.recipe, painting);
        }
        self.recompose_anew(shell);
        self.catch_up(shell);
    }

    /// Reports why the engine could not paint.
    pub fn handle_failed(&mut self, shell: &mut Shell, error: &EngineError, run: Generation) {
        // A run that was replaced while the new network is loaded may still finish.
        if self.painting.request.as_ref().is_some_and(|w| w.run == Some(run)) {
            let text = format!("The photo was not painted: {error}");
            shell.messages.about(Topic::Painting).error(text);
            self.revert_choice(shell);
        }
    }
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
