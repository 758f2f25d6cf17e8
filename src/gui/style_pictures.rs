//! Painted thumbnails of the styles: the open photo in each of them, or the sample. If the setting is off, the sample
//! is painted in the picture styles; the other styles have thumbnails in their folders.
//!
//! One thumbnail is painted at a time, while no photo is being painted and no question about a network is open.
//!
//! Thumbnails follow the same rule in live mode and for photos: the `lite` model, if the style has one, at a small
//! size, with the chosen strength and colours. They are therefore fast, and show what a click would result in.

use super::{
    app::{App, TrialError, Tried},
    gallery::{PaintedPicture, Subject},
    style_source::Card,
    tasks::mistake,
};
use crate::{engine::error::EngineError, mode::ModelSize};

impl App {
    /// Starts the next thumbnail if nothing else is being painted.
    pub(super) fn serve_style_pictures(&mut self) {
        self.gallery.follow_look(self.workspace.choice.look);
        let has_other_work = self.trial.is_some()
            || self.live.is_some()
            || self.plays_film()
            || self.painting.request.is_some()
            || self.overlays.reading().is_some()
            || self.device.info.is_none()
            || self.ending.is_closing;
        if has_other_work {
            return;
        }
        let of_all = self.settings.choices.styles_show_photo;
        let photo = self.workspace.photo().filter(|_| of_all);
        // Every frame of a film would be painted in every style.
        let poster = self.film.as_ref().map(|film| film.poster);
        let subject = photo.map(|photo| (poster.unwrap_or(photo.number), photo.framing));
        let chosen = self.workspace.choice.style();
        let wants = |card: &Card| of_all || card.is_picture();
        let Some(id) = self.gallery.without_picture(chosen, subject, wants).map(str::to_owned)
        else {
            return;
        };
        let photo = photo.map(|photo| photo.framed.frame.clone());
        let styles = self.style_source.clone();
        let style = id.clone();
        let read = move || Ok(styles.load(&style, ModelSize::Lite)?.network);
        self.try_network(photo, read, move |app, tried| app.show_style_picture(id, subject, tried));
    }

    fn show_style_picture(&mut self, id: String, subject: Subject, tried: Tried) {
        let picture = match tried {
            Ok(pictures) => {
                let look = self.workspace.choice.look;
                Some(PaintedPicture::new(&self.ctx, &id, subject, pictures, look))
            }
            Err(TrialError::Failed(EngineError::Panicked(panic))) => {
                let title = self.title_of(&id);
                let why = format!("“{title}” cannot be shown: {}", mistake(&panic));
                self.messages.error(why);
                None
            }
            // The reason is shown when the user paints with the style.
            Err(_) => None,
        };
        self.gallery.painted.insert(id, picture);
    }
}
