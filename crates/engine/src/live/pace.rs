//! The clock of live painting, which tests replace, and the share of time that large pictures take. Pure.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Returns the current time.
pub type Clock = Arc<dyn Fn() -> Instant + Send + Sync>;

/// Weight of the newest frame in the share of time that large pictures take.
const NEWEST: f64 = 0.1;

/// The pace of the large pictures.
pub struct Pace {
    /// When the previous picture was started.
    began: Option<Instant>,
    /// Share of time that large pictures take, 0 to 1.
    pub busy: f64,
    /// How long the last picture took.
    pub work: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { began: None, busy: 1.0, work: Duration::ZERO }
    }
}

impl Pace {
    /// Records a picture that was started at `began` and sent after `work`. The engine was busy with it until `ended`,
    /// including the timing of its steps.
    pub fn note(&mut self, began: Instant, work: Duration, ended: Instant) {
        self.work = work;
        if let Some(before) = self.began.replace(began) {
            let between = began.saturating_duration_since(before).as_secs_f64();
            let took = (ended - began).as_secs_f64();
            let busy = (took / between.max(1e-6)).min(1.0);
            self.busy += NEWEST * (busy - self.busy);
        }
    }
}
