//! Compares two modes on the same frames, on one device or on two.

use std::{sync::Arc, time::SystemTime};

use jiff::Timestamp;

use super::{
    MeasureError,
    report::{CandidateReport, MeasureReport},
    rounds::{Candidate, Rounds, check_memory},
};
use backend::{RunControl, SessionSpec};
use network::Network;
use values::{frame::Frame, timing::TimingMethod};

/// The input of a comparison.
pub struct Comparison<'a> {
    /// The reference, and the candidate that is compared with it.
    pub candidates: [Candidate<'a>; 2],
    pub network: &'a Arc<Network>,
    /// Name in reports.
    pub style: String,
    /// The frames to paint in turn, all of one size. A few different ones, so that no run finds its input in a cache.
    /// Both candidates' paintings of each are kept and compared.
    pub pictures: &'a [Frame],
    /// Measured runs per candidate.
    pub frames: u32,
    /// Warm-up runs per candidate, not counted.
    pub warmup: u32,
}

impl Comparison<'_> {
    /// Width and height of the pictures.
    fn size(&self) -> Result<(usize, usize), MeasureError> {
        self.pictures
            .first()
            .map(Frame::size)
            .filter(|&size| self.pictures.iter().all(|picture| picture.size() == size))
            .ok_or(MeasureError::Frames)
    }

    /// Refuses a comparison that would not fit into memory, before anything is measured.
    ///
    /// # Errors
    /// [`MeasureError::Memory`] or [`MeasureError::Frames`]. An unsupported mode is reported first.
    pub fn check(&self, max_memory_bytes: Option<u64>) -> Result<(), MeasureError> {
        let (width, height) = self.size()?;
        check_memory(
            &self.candidates,
            self.network.graph(),
            |mode| SessionSpec::single(width, height, mode),
            self.pictures.len(),
            max_memory_bytes,
        )
    }

    /// Measures both candidates alternately, frame by frame. `control` reports the progress and cancels.
    ///
    /// # Errors
    /// [`MeasureError::Backend`] if a session cannot be opened, a run fails or is cancelled; [`MeasureError::Frames`]
    /// if the pictures differ in size.
    pub fn run(&self, control: &RunControl) -> Result<MeasureReport, MeasureError> {
        let (width, height) = self.size()?;
        let rounds = Rounds {
            network: self.network,
            pictures: self.pictures,
            batch: 1,
            frames: self.frames,
            warmup: self.warmup,
        };
        let measured = rounds.measure(&self.candidates, false, control)?;
        let [reference, other] = measured.candidates.as_slice() else {
            return Err(MeasureError::Nothing);
        };
        let equality = reference.equality(other).ok_or(MeasureError::Nothing)?;
        let reference = CandidateReport::of(reference, &self.candidates[0].backend.device());
        let other = CandidateReport::of(other, &self.candidates[1].backend.device());
        let ratio_method =
            if reference.method == other.method { other.method } else { TimingMethod::Host };
        let medians = [&reference, &other].map(|candidate| candidate.p50_ms_by(ratio_method));
        Ok(MeasureReport {
            version: env!("CARGO_PKG_VERSION"),
            // A system time outside the supported range counts as 1970.
            date: (Timestamp::try_from(SystemTime::now()).unwrap_or_default())
                .strftime("%F")
                .to_string(),
            device: reference.device,
            device_name: reference.device_name.clone(),
            style: self.style.clone(),
            size: format!("{width}x{height}"),
            pictures: self.pictures.len(),
            frames: self.frames,
            warmup_frames: self.warmup,
            ratio: equality.ratio(medians[0], medians[1]),
            ratio_method,
            reference,
            other,
            equality,
        })
    }
}
