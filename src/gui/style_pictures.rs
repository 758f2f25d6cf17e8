//! Painted thumbnails of the styles: the open photo in each of them, or the sample. If the setting is off, the sample
//! is painted in the picture styles; the other styles have thumbnails in their folders.
//!
//! One thumbnail is painted at a time, while no photo is being painted and no question about a network is open.
//!
//! Thumbnails follow the same rule in live mode and for photos: the `lite` model, if the style has one, at a small
//! size, with the chosen strength and colours. They are therefore fast, and show what a click would result in.

use std::sync::Arc;

use super::{
    app::{App, StylePicture},
    gallery::{PaintedPicture, Subject},
    opened::for_trials,
    tasks::{mistake, named},
};
use crate::{
    engine::{
        error::EngineError,
        paint::Painting,
        protocol::{TrialJob, TrialNumber},
    },
    mode::ModelSize,
};

impl App {
    /// Starts the next thumbnail if nothing else is being painted.
    pub(super) fn serve_style_pictures(&mut self) {
        self.gallery.follow_look(self.workspace.choice.look);
        let has_other_work = self.style_pictures.running.is_some()
            || self.live.is_some()
            || self.painting.request.is_some()
            || self.overlays.reading().is_some()
            || self.readings.trial.is_some()
            || self.device.info.is_none()
            || self.ending.is_closing;
        if has_other_work {
            return;
        }
        let (failed, subject) = (&self.style_pictures.failed, self.subject());
        let of_all = self.settings.choices.styles_show_photo;
        let chosen = self.workspace.choice.style.as_deref();
        let lacks = self.gallery.without_picture(chosen, subject, |card| {
            (of_all || card.is_picture()) && !failed.contains(&card.id)
        });
        if let Some(id) = lacks.map(str::to_owned) {
            let photo = self.workspace.photo().filter(|_| subject.is_some());
            let photo = photo.map(|photo| photo.opened.photo.frame.clone());
            let what = format!("“{}” cannot be shown", self.title_of(&id));
            let (styles, style) = (self.style_source.clone(), id.clone());
            let read = move || {
                let photo = for_trials(photo)?;
                let network = styles.load(&style, ModelSize::Lite)?.network;
                Ok::<_, String>(TrialJob { network, photo })
            };
            self.style_pictures.running =
                Some(StylePicture { style: id.clone(), subject, trial: None });
            self.tasks.spawn(
                // If a style cannot be read, the reason is shown when the user paints with it; a panic is shown here.
                move || named(&what, || Ok(read().ok())),
                |app, read| app.handle_style_read(id, read),
            );
        }
    }

    /// What the thumbnails show.
    fn subject(&self) -> Subject {
        let photo = self.workspace.photo();
        let photo = photo.filter(|_| self.settings.choices.styles_show_photo);
        photo.map(|photo| (photo.number, photo.framing))
    }

    fn handle_style_read(&mut self, id: String, result: Result<Option<TrialJob>, String>) {
        let is_awaited =
            |running: &mut StylePicture| running.style == id && running.trial.is_none();
        let Some(awaited) = self.style_pictures.running.take_if(is_awaited) else {
            return;
        };
        match result {
            // The question about a network uses the only trial of the engine.
            Ok(Some(_)) if self.overlays.reading().is_some() => {}
            Ok(Some(job)) => {
                let photo = job.photo.clone();
                self.style_pictures.running = Some(StylePicture {
                    trial: Some((self.engine.try_out(job), photo)),
                    ..awaited
                });
            }
            Ok(None) => {
                self.style_pictures.failed.insert(id);
            }
            Err(why) => {
                self.messages.error(why);
                self.style_pictures.failed.insert(id);
            }
        }
    }

    /// Shows a painted thumbnail; returns `false` if the picture is not a thumbnail.
    pub(super) fn handle_style_picture(
        &mut self,
        number: TrialNumber,
        result: &Result<Arc<Painting>, EngineError>,
    ) -> bool {
        let is_it =
            |running: &mut StylePicture| running.trial.as_ref().is_some_and(|(n, _)| *n == number);
        let Some(made) = self.style_pictures.running.take_if(is_it) else {
            return false;
        };
        match (result, made.trial) {
            (Ok(painting), Some((_, photo))) => {
                let look = self.workspace.choice.look;
                let pictures = (photo, painting.clone());
                let picture =
                    PaintedPicture::new(&self.ctx, &made.style, made.subject, pictures, look);
                self.gallery.set_picture(made.style, picture);
            }
            (result, _) => {
                if let Err(EngineError::Panicked(panic)) = result {
                    let title = self.title_of(&made.style);
                    let why = format!("“{title}” cannot be shown: {}", mistake(panic));
                    self.messages.error(why);
                }
                self.style_pictures.failed.insert(made.style);
            }
        }
        true
    }

    /// Postpones the thumbnail because another trial has replaced it.
    pub(super) fn postpone_style_picture(&mut self) {
        self.style_pictures.running = None;
    }
}
