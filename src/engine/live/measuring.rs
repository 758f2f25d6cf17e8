//! Measuring two modes against each other on the live source's frames.

use std::{sync::Arc, time::Duration};

use super::{
    Live,
    order::{Contestant, MeasureJob},
    sides,
};
use crate::{
    backend::{Backend, RunControl},
    engine::paint::Painter,
    frame::Frame,
    measure::{Comparison, MeasureError, MeasureReport, Side},
    mode::DeviceChoice,
};

/// Different frames that a measurement paints in turn.
const MEASURED_PICTURES: usize = 4;
/// How long the next of them is waited for.
const NEXT_PICTURE_WITHIN: Duration = Duration::from_millis(250);

impl Live {
    /// Measures two modes against each other on frames of the source, at the size in use. Live pictures
    /// wait meanwhile. `control` tells how far it is and stops it.
    ///
    /// # Errors
    /// [`MeasureError`] when there is nothing to measure with, a device does not have a mode, or a run
    /// fails or is stopped.
    pub fn measure(
        &mut self,
        painter: &mut Painter,
        job: &MeasureJob,
        control: &RunControl,
    ) -> Result<MeasureReport, MeasureError> {
        let network = self.order.network.clone().ok_or(MeasureError::Nothing)?;
        let pictures = self.some_pictures()?;
        // Its own sessions are opened for it, and nothing else is; what is kept for live pictures may
        // stand in their way.
        self.abandon();
        self.openings.settle();
        self.sessions.take(|_| true);
        self.wall.close();
        self.other_device = None;
        let backend_of = |painter: &Painter, side: Contestant| {
            let own = painter.backend();
            match side.device {
                DeviceChoice::Auto => Ok(own.clone()),
                kind if kind == own.device().kind => Ok(own.clone()),
                kind => painter.on_device(kind).map(|other| other.backend().clone()),
            }
        };
        let [a, b] = job.duel.sides;
        let backends = [backend_of(painter, a)?, backend_of(painter, b)?];
        let side = |backend: &'_ Arc<dyn Backend>, side: Contestant| {
            backend.mode(side.mode.variant, side.mode.precision)
        };
        let comparison = Comparison {
            sides: [
                Side {
                    backend: backends[0].as_ref(),
                    mode: side(&backends[0], a),
                },
                Side {
                    backend: backends[1].as_ref(),
                    mode: side(&backends[1], b),
                },
            ],
            network: &network,
            style: job.style.clone(),
            pictures: &pictures,
            frames: job.frames,
            warmup: job.warmup,
        };
        comparison.check(None)?;
        let report = comparison.run(control);
        self.changed = true;
        report
    }

    /// Some of the source's frames at the working size: those that come within a moment, or the last.
    fn some_pictures(&mut self) -> Result<Vec<Frame>, MeasureError> {
        if !self.has_frame {
            return Err(MeasureError::Nothing);
        }
        let mut pictures: Vec<Frame> = Vec::new();
        for _ in 0..MEASURED_PICTURES {
            let working = self.working_size(sides(&self.input.value.frame));
            self.scale(working);
            let is_first_size = pictures.first().is_none_or(|p| sides(p) == working);
            if is_first_size && pictures.last() != Some(&self.scaled) {
                pictures.push(self.scaled.clone());
            }
            // Nothing more comes of a photo.
            let rung = self.input.ready().recv_timeout(NEXT_PICTURE_WITHIN);
            if rung.is_err() || !self.input.take() {
                break;
            }
        }
        Ok(pictures)
    }
}
