//! The painting of the photo on the table: which painting belongs to the choice, the run that makes it, and its
//! composition with the photo.
//!
//! Runs on the window's thread: the engine paints, the compositor combines.

use super::opened::framed;
use crate::app::{App, ComposeRequest, Missing, PaintRequest};
use engine::{compositor::ComposeJob, paint::OutputSize, protocol::PaintJob};

impl App {
    /// Stops the run and returns to the previous painting.
    pub(crate) fn stop_painting(&mut self) {
        self.engine.cancel();
        self.revert_choice();
    }

    /// Stops the run, because its painting is no longer requested.
    pub(crate) fn drop_request(&mut self) {
        self.engine.cancel();
        self.painting.request = None;
    }

    /// After a failed or stopped run: resets the choice to that of the painting on the table, and updates the settings.
    pub(crate) fn revert_choice(&mut self) {
        self.painting.request = None;
        self.painting.before_change = None;
        self.workspace.revert_choice();
        self.remember_choice();
        self.recompose_anew();
    }

    /// Shows the painting that belongs to the choice: a kept one, or a new run of the engine.
    pub(crate) fn follow_choice(&mut self) {
        if self.live.is_some() || self.plays_film() {
            // These follow their own settings; the photo is painted when it is shown again.
            return;
        }
        if self.follow_framing() {
            return;
        }
        let Some(recipe) = self.workspace.recipe(self.model()) else {
            self.drop_request();
            if self.workspace.shown().is_some() || self.workspace.draft.is_some() {
                self.workspace.show_only_photo();
                self.recompose_anew();
            }
            return;
        };
        if let Some(request) = &self.painting.request {
            if request.recipe == recipe {
                self.recompose(self.stage.wants_full());
                return;
            }
            // While a weight is dragged, show each draft before starting the next one.
            if !request.has_draft && request.recipe.is_mixed_otherwise(&recipe) {
                return;
            }
        }
        if self.workspace.shown().is_some_and(|s| s.recipe == recipe) {
            self.drop_request();
            if self.workspace.draft.is_some() {
                self.workspace.draft = None;
                self.recompose_anew();
            } else {
                self.recompose(self.stage.wants_full());
            }
            return;
        }
        if let Some(painting) = self.workspace.kept(&recipe) {
            self.drop_request();
            self.workspace.show(recipe, painting);
            self.recompose_anew();
            return;
        }
        // The user requests it again.
        self.retry_networks(|of| *of == recipe.network);
        self.painting.request = Some(PaintRequest { recipe, run: None, has_draft: false });
        self.paint_requested();
    }

    /// Turns and crops the photo if the choice requires it; returns whether that is the case.
    fn follow_framing(&mut self) -> bool {
        let framing = self.workspace.choice.framing;
        let Some(photo) = self.workspace.photo().filter(|photo| photo.framing != framing) else {
            self.painting.framing = None;
            return false;
        };
        let wanted = Some((photo.number, framing));
        if self.painting.framing != wanted {
            self.painting.framing = wanted;
            let number = photo.number;
            let whole = photo.opened.whole();
            self.tasks.spawn(
                move || framed(whole, framing),
                move |app, framed| {
                    if app.painting.framing.take_if(|w| *w == (number, framing)).is_none() {
                        return;
                    }
                    match framed {
                        Ok(framed) => {
                            app.cropping = None;
                            app.stage.set_photo(&app.ctx, &framed.preview, framed.frame.clone());
                            app.workspace.set_framed(framing, framed);
                            app.recompose_anew();
                            app.follow_choice();
                        }
                        Err(error) => {
                            app.messages.error(format!("The photo was not changed: {error}"));
                            // Reset the choice to the photo's current framing.
                            if let Some(photo) = app.workspace.photo() {
                                app.workspace.choice.framing = photo.framing;
                            }
                        }
                    }
                },
            );
        }
        self.drop_request();
        true
    }

    /// Applies the choice if weights were dragged further while a draft was painted.
    pub(crate) fn catch_up(&mut self) {
        let painted = self
            .painting
            .request
            .as_ref()
            .map(|r| &r.recipe)
            .or(self.workspace.shown().map(|s| &s.recipe));
        if self.workspace.recipe(self.model()).as_ref() != painted {
            self.follow_choice();
        }
    }

    /// Starts the run of the request, once its network is loaded.
    pub(crate) fn paint_requested(&mut self) {
        let Some(recipe) = self
            .painting
            .request
            .as_ref()
            .filter(|request| request.run.is_none())
            .map(|request| request.recipe.clone())
        else {
            return;
        };
        let network = match self.network(&recipe.network) {
            Ok(network) => network,
            // The running run belongs to an earlier request.
            Err(Missing::Loading) => return self.engine.cancel(),
            Err(Missing::Failed) => return self.revert_choice(),
        };
        let (Some(request), Some(photo)) = (&mut self.painting.request, self.workspace.photo())
        else {
            return;
        };
        request.run = Some(self.engine.paint(PaintJob {
            photo: photo.framed.frame.clone(),
            network,
            settings: self.workspace.choice.paint_settings(),
            draft: true,
        }));
    }

    /// Requests the composition of the photo and its painting with the current strength, colours and size. With `full`,
    /// the picture itself is made in addition to its preview.
    pub(crate) fn recompose(&mut self, full: bool) {
        let (Some(photo), Some(painting)) = (self.workspace.photo(), self.workspace.on_screen())
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
        let output = if self.workspace.draft.is_some() {
            OutputSize::Original
        } else {
            self.workspace.choice.output
        };
        self.compositor.request(ComposeJob {
            ticket: self.painting.composed.epoch,
            photo: photo.framed.frame.clone(),
            painting: painting.clone(),
            output,
            look: self.workspace.choice.look,
            full,
        });
    }

    /// Notes that another photo or painting is on the table, so that older compositions are discarded.
    pub(crate) fn recompose_anew(&mut self) {
        self.painting.composed.epoch += 1;
        self.painting.composed.appears = true;
        self.recompose(self.stage.wants_full());
    }
}
