//! Two modes against each other on the same frames, on one device or on two.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use super::{
    MeasureError,
    report::{MeasureReport, SideReport},
    rounds::{Entrant, Rounds, check_memory},
};
use crate::{
    backend::{Backend, RunControl, SessionSpec},
    frame::Frame,
    mode::Mode,
    network::Network,
    timing::TimingMethod,
};

/// One of the two.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    /// Where it paints.
    pub backend: &'a dyn Backend,
    /// Variant and precision.
    pub mode: Mode,
}

/// What is compared.
pub struct Comparison<'a> {
    /// The one that is the measure, and the one that is compared with it.
    pub sides: [Side<'a>; 2],
    /// The weights.
    pub network: &'a Arc<Network>,
    /// What reports call them.
    pub style: String,
    /// The frames that are painted in turn, all of one size; a handful, so that no run finds its input
    /// where the one before left it. What both make of each is held and compared.
    pub pictures: &'a [Frame],
    /// Measured runs of each side.
    pub frames: u32,
    /// Runs of each side that come first and do not count.
    pub warmup: u32,
}

impl Comparison<'_> {
    fn entrants(&self) -> [Entrant<'_>; 2] {
        self.sides
            .map(|Side { backend, mode }| Entrant { backend, mode })
    }

    /// Columns and rows of the pictures, in pixels.
    fn size(&self) -> Result<(usize, usize), MeasureError> {
        let sides = |frame: &Frame| (frame.width(), frame.height());
        let size = self.pictures.first().map(sides);
        size.filter(|&size| self.pictures.iter().all(|p| sides(p) == size))
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
            &self.entrants(),
            self.network.graph(),
            |mode| SessionSpec::single(width, height, mode),
            self.pictures.len(),
            max_memory_bytes,
        )
    }

    /// Measures both in turn, frame by frame. `control` tells how far it is and stops it.
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
        let measured = rounds.measure(&self.entrants(), false, control)?;
        let [reference, other] = measured.contenders.as_slice() else {
            return Err(MeasureError::Nothing);
        };
        let equality = reference.equality(other).ok_or(MeasureError::Nothing)?;
        let reports = [
            SideReport::of(reference, &self.sides[0].backend.device()),
            SideReport::of(other, &self.sides[1].backend.device()),
        ];
        let [reference, other] = reports;
        let ratio_method = if reference.method == other.method {
            other.method
        } else {
            TimingMethod::Host
        };
        let medians = [&reference, &other].map(|side| side.p50_ms_by(ratio_method));
        Ok(MeasureReport {
            version: env!("CARGO_PKG_VERSION"),
            date: date_of(SystemTime::now()),
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

/// The day of a moment in UTC, `YYYY-MM-DD`.
fn date_of(moment: SystemTime) -> String {
    let seconds = moment
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    // Days in eras of 400 years that begin with a March, so that the leap day is a year's last
    // (H. Hinnant, "chrono-compatible low-level date algorithms", civil_from_days).
    let days = seconds / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn days_have_dates() {
        for (days, date) in [
            (0, "1970-01-01"),
            (11_016, "2000-02-29"),
            (19_782, "2024-02-29"),
            (19_783, "2024-03-01"),
            (20_453, "2025-12-31"),
            (47_540, "2100-02-28"),
            (47_541, "2100-03-01"),
        ] {
            let moment = UNIX_EPOCH + Duration::from_secs(days * 86_400 + 86_399);
            assert_eq!(date_of(moment), date);
        }
    }
}
