//! Time that work takes, and its remaining time as text.

/// The time that work has taken, without its pauses. Times are by egui's clock.
#[derive(Default)]
pub struct Stopwatch {
    began_at: f64,
    paused_at: Option<f64>,
}

impl Stopwatch {
    pub fn started(now: f64) -> Self {
        Self { began_at: now, paused_at: None }
    }

    pub fn pause(&mut self, pause: bool, now: f64) {
        if let Some(since) = self.paused_at.take() {
            self.began_at += now - since;
        }
        self.paused_at = pause.then_some(now);
    }

    pub fn seconds(&self, now: f64) -> f64 {
        self.paused_at.unwrap_or(now) - self.began_at
    }
}

/// Minimum share of the work that must be done before the remaining time is shown, and its minimum duration.
const MIN_SHARE: f32 = 0.02;
const MIN_SECONDS: f64 = 1.0;

/// The remaining time of work of which `share` was done in `elapsed` seconds. Always one line.
pub fn text(elapsed: f64, share: f32) -> String {
    if share > MIN_SHARE && elapsed > MIN_SECONDS {
        let left = elapsed * f64::from((1.0 - share) / share);
        format!("About {} left", duration(left))
    } else {
        "Estimating the time left".to_owned()
    }
}

/// A duration as text.
pub fn duration(seconds: f64) -> String {
    if seconds < 90.0 {
        format!("{:.0} s", seconds.ceil())
    } else {
        format!("{:.0} min", seconds / 60.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_shown_after_some_of_the_work() {
        assert_eq!(text(0.5, 0.5), "Estimating the time left");
        assert_eq!(text(5.0, 0.01), "Estimating the time left");
        assert_eq!(text(10.0, 0.25), "About 30 s left");
        assert_eq!(text(120.0, 0.5), "About 2 min left");
    }
}
