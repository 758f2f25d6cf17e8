//! Time as live painting sees it, so that tests have their own.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Returns the time.
pub type Clock = Arc<dyn Fn() -> Instant + Send + Sync>;

/// Milliseconds of a duration.
pub fn ms(duration: Duration) -> f32 {
    duration.as_secs_f32() * 1e3
}
