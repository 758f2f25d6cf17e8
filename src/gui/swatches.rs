//! Small painted pictures of the styles that were made of pictures: what the others have in their folders.
//!
//! One after the other, while no photo is painted and no question about a network is open.

use std::sync::Arc;

use eframe::egui;

use super::{app::App, background::ReadNetwork};
use crate::engine::{
    error::EngineError,
    paint::Painting,
    protocol::{TrialJob, TrialNumber},
};

impl App {
    /// Begins with the next picture when there is time for it.
    pub(super) fn serve_swatches(&mut self) {
        let has_other_work = self.swatches.running.is_some()
            || self.live.is_some()
            || self.painting.request.is_some()
            || self.overlays.reading().is_some()
            || self.readings.trial.is_some()
            || self.device.info.is_none()
            || self.ending.is_closing;
        if has_other_work {
            return;
        }
        let failed = &self.swatches.failed;
        if let Some(id) = self.gallery.without_swatch(|id| !failed.contains(id)) {
            let id = id.to_owned();
            self.background.read_swatch(id.clone());
            self.swatches.running = Some((id, None));
        }
    }

    /// A network was read for its picture, or not.
    pub(super) fn handle_swatch_read(&mut self, id: String, result: Result<ReadNetwork, String>) {
        let is_awaited = |(of, trial): &(String, Option<TrialNumber>)| *of == id && trial.is_none();
        if !self.swatches.running.as_ref().is_some_and(is_awaited) {
            return;
        }
        self.swatches.running = None;
        match result {
            // The question about a network has the only place for a trial.
            Ok(_) if self.overlays.reading().is_some() => {}
            Ok(ReadNetwork { network, photo }) => {
                let number = self.engine.try_out(TrialJob { photo, network });
                self.swatches.running = Some((id, Some(number)));
            }
            // Painting in it gives the reason.
            Err(_) => {
                self.swatches.failed.insert(id);
            }
        }
    }

    /// Shows a picture that was painted; `false` when it was not one of these.
    pub(super) fn handle_swatch(
        &mut self,
        ctx: &egui::Context,
        number: TrialNumber,
        result: &Result<Arc<Painting>, EngineError>,
    ) -> bool {
        let running = (self.swatches.running).take_if(|(_, trial)| *trial == Some(number));
        let Some((id, _)) = running else {
            return false;
        };
        match result {
            Ok(painting) => self.gallery.set_swatch(ctx, &id, &painting.painted),
            Err(_) => {
                self.swatches.failed.insert(id);
            }
        }
        true
    }

    /// Another trial took the place of the picture's.
    pub(super) fn postpone_swatch(&mut self) {
        self.swatches.running = None;
    }
}
