//! Two modes against each other on the same frames, on one device or on two.

use std::{sync::Arc, time::SystemTime};

use jiff::Timestamp;

use super::{
    MeasureError,
    report::{CandidateReport, MeasureReport},
    rounds::{Candidate, Rounds, check_memory},
};
use crate::{
    backend::{RunControl, SessionSpec},
    frame::Frame,
    network::Network,
    timing::TimingMethod,
};

/// Two modes to be compared, and the frames.
pub struct Comparison<'a> {
    /// The one that is the measure, and the one that is compared with it.
    pub candidates: [Candidate<'a>; 2],
    /// The weights.
    pub network: &'a Arc<Network>,
    /// What reports call them.
    pub style: String,
    /// The frames that are painted in turn, all of one size; a handful, so that no run finds its input in a
    /// cache. Both candidates' paintings of each are kept and compared.
    pub pictures: &'a [Frame],
    /// Measured runs of each candidate.
    pub frames: u32,
    /// Runs of each candidate that come first and do not count.
    pub warmup: u32,
}

impl Comparison<'_> {
    /// Columns and rows of the pictures, in pixels.
    fn size(&self) -> Result<(usize, usize), MeasureError> {
        let size_of = |frame: &Frame| (frame.width(), frame.height());
        let size = self.pictures.first().map(size_of);
        size.filter(|&size| self.pictures.iter().all(|p| size_of(p) == size))
            .ok_or(MeasureError::Frames)
    }

    /// Refuses a comparison that would not fit, before anything is measured.
    ///
    /// # Errors
    /// [`MeasureError::Memory`], [`MeasureError::Frames`]; that a device does not have a mode comes
    /// first.
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

    /// Measures both in turn, frame by frame. `control` has the progress and cancels it.
    ///
    /// # Errors
    /// [`MeasureError::Backend`] when a session cannot be opened or a run fails or is stopped,
    /// [`MeasureError::Frames`] when the pictures are not of one size.
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
        let reports = [
            CandidateReport::of(reference, &self.candidates[0].backend.device()),
            CandidateReport::of(other, &self.candidates[1].backend.device()),
        ];
        let [reference, other] = reports;
        let ratio_method =
            if reference.method == other.method { other.method } else { TimingMethod::Host };
        let medians = [&reference, &other].map(|candidate| candidate.p50_ms_by(ratio_method));
        Ok(MeasureReport {
            version: env!("CARGO_PKG_VERSION"),
            // A clock that is far beyond all years counts as 1970.
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
