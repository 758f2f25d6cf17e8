//! Trials: a network paints a small picture, for the thumbnail of a style or for the question about a pixel format. There
//! is one trial at a time; a new one replaces it.

use std::sync::Arc;

use super::{
    app::{App, Trial, TrialError, Tried},
    opened::for_trials,
    tasks::caught,
};
use crate::{
    engine::{
        error::EngineError,
        paint::Painting,
        protocol::{TrialJob, TrialNumber},
    },
    frame::Frame,
    network::Network,
};

impl App {
    /// Paints a small version of `photo`, or of the sample, with the network that `read` returns on a background thread;
    /// then calls `done`, unless another trial replaces this one.
    pub(super) fn try_network(
        &mut self,
        photo: Option<Arc<Frame>>,
        read: impl FnOnce() -> Result<Arc<Network>, String> + Send + 'static,
        done: impl FnOnce(&mut Self, Tried) + 'static,
    ) {
        self.stop_trial();
        let ticket = self.ticket();
        self.trial = Some(Trial { ticket, painting: None, done: Box::new(done) });
        let job = move || {
            let photo = for_trials(photo)?;
            Ok(TrialJob { network: read()?, photo })
        };
        let job = move || caught(job).map_err(EngineError::Panicked)?.map_err(TrialError::Unread);
        self.tasks.spawn(
            move || Ok(job()),
            move |app, job| {
                app.begin_trial(ticket, job.unwrap_or_else(|why| Err(TrialError::Unread(why))));
            },
        );
    }

    fn begin_trial(&mut self, ticket: u64, job: Result<TrialJob, TrialError>) {
        let Some(mut trial) = self.trial.take_if(|trial| trial.ticket == ticket) else {
            return;
        };
        match job {
            Ok(job) => {
                let photo = job.photo.clone();
                trial.painting = Some((self.engine.try_out(job), photo));
                self.trial = Some(trial);
            }
            Err(error) => (trial.done)(self, Err(error)),
        }
    }

    /// Handles the engine's result of a trial.
    pub(super) fn handle_tried(
        &mut self,
        number: TrialNumber,
        result: Result<Arc<Painting>, EngineError>,
    ) {
        let is_it =
            |trial: &mut Trial<Self>| trial.painting.as_ref().is_some_and(|(n, _)| *n == number);
        if let Some(Trial { painting: Some((_, photo)), done, .. }) = self.trial.take_if(is_it) {
            done(self, result.map(|painting| (photo, painting)).map_err(TrialError::from));
        }
    }

    /// Cancels the trial.
    pub(super) fn stop_trial(&mut self) {
        self.engine.cancel_trial();
        self.trial = None;
    }
}
