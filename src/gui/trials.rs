//! Pictures that are painted in parallel with other work, and trials: a network paints a small picture, for the thumbnail
//! of a style or for the question about a pixel format. There is one trial at a time; a new one replaces it.

use std::sync::Arc;

use super::{
    app::{App, TrialError, Tried},
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

    /// Paints the picture of a job that `prepare` makes on a background thread; then calls `done`. Returns a number
    /// for [`Self::cancel_job`].
    pub(super) fn paint_apart(
        &mut self,
        prepare: impl FnOnce() -> Result<RepaintJob, String> + Send + 'static,
        done: impl FnOnce(&mut Self, Tried) + Send + 'static,
    ) -> u64 {
        let number = self.ticket();
        self.jobs.insert(number, None);
        let prepare =
            move || caught(prepare).map_err(EngineError::Panicked)?.map_err(TrialError::Unread);
        self.tasks.spawn(
            move || Ok(prepare()),
            move |app, job| {
                if app.jobs.remove(&number).is_none() {
                    return;
                }
                let job = match job.unwrap_or_else(|why| Err(TrialError::Unread(why))) {
                    Ok(job) => job,
                    Err(error) => return done(app, Err(error)),
                };
                let frame = job.frame.clone();
                let painting = app.repaint(job, move |app, _, painted| {
                    app.jobs.remove(&number);
                    done(app, painted.map(|painted| (frame, painted)).map_err(TrialError::from));
                });
                app.jobs.insert(number, Some(painting));
            },
        );
        number
    }

    pub(super) fn cancel_job(&mut self, number: u64) {
        if let Some(Some(painting)) = self.jobs.remove(&number) {
            self.cancel_repaint(painting);
        }
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
        let prepare = move || {
            Ok(RepaintJob {
                frame: for_trials(photo)?,
                network: read()?,
                settings: trial::settings(),
                look: Look::default(),
            })
        };
        self.trial = Some(self.paint_apart(prepare, |app, tried| {
            app.trial = None;
            done(app, tried);
        }));
    }

    /// Cancels the trial.
    pub(super) fn stop_trial(&mut self) {
        if let Some(number) = self.trial.take() {
            self.cancel_job(number);
        }
    }
}
