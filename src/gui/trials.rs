//! Pictures that are painted in parallel with other work, and trials: a network paints a small picture, for the thumbnail
//! of a style or for the question about a pixel format. There is one trial at a time; a new one replaces it.

use std::sync::Arc;

use super::{
    app::{App, Trial, TrialError, Tried},
    opened::for_trials,
    tasks::caught,
};
use crate::{
    compose::Look,
    engine::{
        error::EngineError,
        protocol::{RepaintJob, RepaintNumber, Repainted},
        trial,
    },
    frame::Frame,
    network::Network,
};

impl App {
    /// Paints a picture in parallel with other work; then calls `done`, unless it is cancelled.
    pub(super) fn repaint(
        &mut self,
        job: RepaintJob,
        done: impl FnOnce(&mut Self, RepaintNumber, Result<Arc<Repainted>, EngineError>) + 'static,
    ) -> RepaintNumber {
        let number = self.engine.repaint(job);
        self.painted_apart.insert(number, Box::new(done));
        number
    }

    pub(super) fn cancel_repaint(&mut self, number: RepaintNumber) {
        self.engine.cancel_repaint(number);
        self.painted_apart.remove(&number);
    }

    /// Paints a small version of `photo`, or of the sample, with the network that `read` returns on a background thread;
    /// then calls `done`, unless another trial replaces this one.
    pub(super) fn try_network(
        &mut self,
        photo: Option<Arc<Frame>>,
        read: impl FnOnce() -> Result<Arc<Network>, String> + Send + 'static,
        done: impl FnOnce(&mut Self, Tried) + Send + 'static,
    ) {
        self.stop_trial();
        let ticket = self.ticket();
        self.trial = Some(Trial { ticket, painting: None });
        let inputs = move || Ok((for_trials(photo)?, read()?));
        let inputs =
            move || caught(inputs).map_err(EngineError::Panicked)?.map_err(TrialError::Unread);
        self.tasks.spawn(
            move || Ok(inputs()),
            move |app, inputs| {
                if app.trial.take_if(|trial| trial.ticket == ticket).is_none() {
                    return;
                }
                let (photo, network) =
                    match inputs.unwrap_or_else(|why| Err(TrialError::Unread(why))) {
                        Ok(inputs) => inputs,
                        Err(error) => return done(app, Err(error)),
                    };
                let job = RepaintJob {
                    frame: photo.clone(),
                    network,
                    settings: trial::settings(),
                    look: Look::default(),
                };
                let painting = app.repaint(job, move |app, _, painted| {
                    app.trial = None;
                    done(app, painted.map(|painted| (photo, painted)).map_err(TrialError::from));
                });
                app.trial = Some(Trial { ticket, painting: Some(painting) });
            },
        );
    }

    /// Cancels the trial.
    pub(super) fn stop_trial(&mut self) {
        if let Some(number) = self.trial.take().and_then(|trial| trial.painting) {
            self.cancel_repaint(number);
        }
    }
}
