//! Measuring two modes against each other on the live source's frames.

use std::sync::Arc;

use super::settings::{CandidateChoice, MeasureJob};
use crate::{
    backend::{Backend, RunControl},
    engine::paint::Painter,
    frame::Frame,
    measure::{self, Comparison, MeasureError, MeasureReport},
    mode::DeviceChoice,
    network::Network,
};

/// Measures two modes of `network` against each other on `pictures`, which have one size. `control` has the
/// progress and cancels it.
///
/// # Errors
/// [`MeasureError`] when a device does not have a mode, or a run fails or is stopped.
pub fn measure(
    painter: &Painter,
    job: &MeasureJob,
    network: &Arc<Network>,
    pictures: &[Frame],
    control: &RunControl,
) -> Result<MeasureReport, MeasureError> {
    let backend_of = |candidate: CandidateChoice| {
        let own = painter.backend();
        match candidate.device {
            DeviceChoice::Auto => Ok(own.clone()),
            kind if kind == own.device().kind => Ok(own.clone()),
            kind => painter.open_device(kind),
        }
    };
    let [a, b] = job.modes.candidates;
    let backends = [backend_of(a)?, backend_of(b)?];
    let mode_of = |backend: &'_ Arc<dyn Backend>, candidate: CandidateChoice| {
        network.mode(backend.mode(candidate.mode))
    };
    let comparison = Comparison {
        candidates: [
            measure::Candidate {
                backend: backends[0].as_ref(),
                mode: mode_of(&backends[0], a),
            },
            measure::Candidate {
                backend: backends[1].as_ref(),
                mode: mode_of(&backends[1], b),
            },
        ],
        network,
        style: job.style.clone(),
        pictures,
        frames: job.frames,
        warmup: job.warmup,
    };
    comparison.check(None)?;
    comparison.run(control)
}
