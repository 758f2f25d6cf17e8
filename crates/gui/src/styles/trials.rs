//! Pictures that are painted in parallel with other work, and trials: a network paints a small picture, for the thumbnail
//! of a style or for the question about a pixel format. There is one trial at a time; a new one replaces it.
//!
//! The thumbnails of the styles show the open photo in each of them, or the sample. If the setting is off, the sample is
//! painted in the picture styles; the other styles have thumbnails in their folders. One thumbnail is painted at a time,
//! while no photo is being painted and no question about a network is open. In live mode and for photos alike, it is
//! painted with the `lite` model, if the style has one, at a small size, with the chosen strength and colours: it is
//! fast, and shows what a click would result in.

use std::sync::Arc;

use super::{
    TrialError, TrialOutcome,
    gallery::{PaintedPicture, Subject},
    source::Card,
};
use crate::{
    app::{App, Shell},
    pages::{film::FilmPage, photo::opened::for_trials},
    shell::tasks::{caught, mistake},
};
use engine::{
    error::EngineError,
    protocol::{RepaintJob, RepaintNumber, Repainted},
    trial,
};
use network::Network;
use values::{compose::Look, frame::Frame, mode::ModelSize};

impl Shell {
    /// Paints a picture in parallel with other work; then calls `done`, unless it is cancelled.
    pub fn repaint(
        &mut self,
        job: RepaintJob,
        done: impl FnOnce(&mut App, RepaintNumber, Result<Arc<Repainted>, EngineError>) + 'static,
    ) -> RepaintNumber {
        let number = self.engine.repaint(job);
        self.styles.painted_apart.insert(number, Box::new(done));
        number
    }

    pub fn cancel_repaint(&mut self, number: RepaintNumber) {
        self.engine.cancel_repaint(number);
        self.styles.painted_apart.remove(&number);
    }

    /// Paints a small version of `photo`, or of the sample, with the network that `read` returns on a background thread;
    /// then calls `done`, unless another trial replaces this one.
    pub fn try_network(
        &mut self,
        photo: Option<Arc<Frame>>,
        read: impl FnOnce() -> Result<Arc<Network>, String> + Send + 'static,
        done: impl FnOnce(&mut App, TrialOutcome) + Send + 'static,
    ) {
        self.stop_trial();
        let number = Arc::new(());
        self.styles.trial = Some((number.clone(), None));
        let prepare = move || {
            Ok(RepaintJob {
                frame: for_trials(photo)?,
                network: read()?,
                settings: trial::settings(),
                look: Look::default(),
            })
        };
        let prepare =
            move || caught(prepare).map_err(EngineError::Panicked)?.map_err(TrialError::Unread);
        self.tasks.spawn(
            move || Ok(prepare()),
            move |app, job| {
                if app
                    .shell
                    .styles
                    .trial
                    .take_if(|(newest, _)| Arc::ptr_eq(newest, &number))
                    .is_none()
                {
                    return;
                }
                let job = match job.unwrap_or_else(|why| Err(TrialError::Unread(why))) {
                    Ok(job) => job,
                    Err(error) => return done(app, Err(error)),
                };
                let frame = job.frame.clone();
                let painting = app.shell.repaint(job, move |app, _, painted| {
                    app.shell.styles.trial = None;
                    done(app, painted.map(|painted| (frame, painted)).map_err(TrialError::from));
                });
                app.shell.styles.trial = Some((number, Some(painting)));
            },
        );
    }

    /// Cancels the trial.
    pub fn stop_trial(&mut self) {
        if let Some((_, Some(painting))) = self.styles.trial.take() {
            self.cancel_repaint(painting);
        }
    }

    fn show_style_picture(&mut self, id: String, subject: Subject, tried: TrialOutcome) {
        let picture = match tried {
            Ok((photo, painting)) => {
                let look = self.workspace.choice.look;
                Some(PaintedPicture::new(&self.ctx, &id, subject, photo, painting, look))
            }
            Err(TrialError::Failed(EngineError::Panicked(panic))) => {
                self.messages.error(format!(
                    "“{}” cannot be shown: {}",
                    self.styles.title_of(&id),
                    mistake(&panic)
                ));
                None
            }
            // The reason is shown when the user paints with the style.
            Err(_) => None,
        };
        self.styles.gallery.painted.insert(id, picture);
    }
}

impl App {
    /// Starts the next thumbnail if nothing else is being painted.
    pub(crate) fn serve_style_pictures(&mut self) {
        let Self { shell, photo, film, .. } = self;
        shell.styles.gallery.follow_look(shell.workspace.choice.look);
        let has_other_work = shell.styles.trial.is_some()
            || shell.workspace.is_live()
            || photo.painting.plays
            || photo.painting.request.is_some()
            || shell.overlays.reading().is_some()
            || shell.device.info.is_none()
            || shell.ending.is_closing;
        if has_other_work {
            return;
        }
        let of_all = shell.settings.choices.styles_show_photo;
        let photo = shell.workspace.photo().filter(|_| of_all);
        let subject = style_subject(shell, film);
        let chosen = shell.workspace.choice.style();
        let wants = |card: &Card| of_all || card.is_picture();
        let Some(id) =
            shell.styles.gallery.without_picture(chosen, subject, wants).map(str::to_owned)
        else {
            return;
        };
        let photo = photo.map(|photo| photo.framed.frame.clone());
        let styles = shell.styles.source.clone();
        let style = id.clone();
        shell.try_network(
            photo,
            move || Ok(styles.load(&style, ModelSize::Lite)?.network),
            move |app, tried| app.shell.show_style_picture(id, subject, tried),
        );
    }
}

/// What the painted thumbnails of the styles show.
pub fn style_subject(shell: &Shell, film: &FilmPage) -> Subject {
    let photo = shell.workspace.photo().filter(|_| shell.settings.choices.styles_show_photo)?;
    // Every frame of a video would be painted in every style.
    let poster = film.view.as_ref().map(|film| film.poster);
    Some((poster.unwrap_or(photo.number), photo.framing))
}
