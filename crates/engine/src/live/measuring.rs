//! Compares the speed of two modes on the live source's frames.

use std::{sync::Arc, time::Duration};

use super::{
    input::Input,
    scaler::pixel,
    settings::{CandidateChoice, MeasureJob},
};
use crate::paint::Painter;
use backend::RunControl;
use measure::{Candidate, Comparison, MeasureError, MeasureReport};
use media::resample::Resampler;
use network::Network;
use values::{frame::Frame, mode::DeviceChoice};

/// Number of different frames that a measurement paints in turn.
const MEASURED_PICTURES: usize = 4;
/// How long to wait for the next of them.
const NEXT_PICTURE_WITHIN: Duration = Duration::from_millis(250);

/// Up to `MEASURED_PICTURES` different frames of the source, scaled to `size_of` their size. The source must already
/// have a frame. Stops early when no new frame arrives in time.
pub fn some_pictures(
    input: &mut Input,
    size_of: impl Fn((usize, usize)) -> (usize, usize),
) -> Vec<Frame> {
    let mut resampler = Resampler::default();
    let mut pictures: Vec<Frame> = Vec::new();
    let mut scratch = pixel();
    for _ in 0..MEASURED_PICTURES {
        let frame = input.frames.value.decoded(&mut scratch);
        let (width, height) = size_of(frame.size());
        let mut scaled = Frame::empty(width, height);
        resampler.resample(frame, &mut scaled);
        let is_first_size = pictures.first().is_none_or(|p| p.size() == (width, height));
        if is_first_size && pictures.last() != Some(&scaled) {
            pictures.push(scaled);
        }
        // A photo source has only one frame.
        let signal = input.frames.ready().recv_timeout(NEXT_PICTURE_WITHIN);
        if signal.is_err() || !input.frames.take() {
            break;
        }
    }
    pictures
}

/// Measures two modes of `network` against each other on `pictures`, which have one size. `control` reports progress
/// and can cancel.
///
/// # Errors
/// [`MeasureError`] if a device lacks a mode, or a run fails or is stopped.
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
            kind => (painter.device.open)(kind).map(|selected| selected.backend),
        }
    };
    let [a, b] = job.modes.candidates;
    let backends = [backend_of(a)?, backend_of(b)?];
    let candidates = [(&backends[0], a), (&backends[1], b)].map(|(backend, chosen)| Candidate {
        backend: backend.as_ref(),
        mode: network.mode(backend.mode(chosen.mode)),
    });
    let comparison = Comparison {
        candidates,
        network,
        style: job.style.clone(),
        pictures,
        frames: job.frames,
        warmup: job.warmup,
    };
    comparison.check(None)?;
    comparison.run(control)
}
