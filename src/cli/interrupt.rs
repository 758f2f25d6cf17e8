//! Ctrl-C: the first stops the work cleanly, the second ends the program.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use super::{STOPPED, terminal::tell};
use crate::backend::RunControl;

/// Within this time a second signal is the first one, delivered twice: to the program and to its group.
const SAME_SIGNAL: Duration = Duration::from_millis(300);

/// Makes Ctrl-C (and a request to terminate) cancel what runs under `control`. Without a handler,
/// which is possible where signals are unknown, the system's default stays.
pub fn cancel_on_interrupt(control: &Arc<RunControl>) {
    let control = control.clone();
    let first = OnceLock::<Instant>::new();
    let handler = move || {
        let now = Instant::now();
        if let Some(first) = first.get() {
            if is_another(*first, now) {
                std::process::exit(i32::from(STOPPED));
            }
            return;
        }
        first.get_or_init(|| now);
        control.cancel();
        tell("Stopping… (press Ctrl-C again to end at once)");
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        tell(format!(
            "note: Ctrl-C will end the program at once ({error})"
        ));
    }
}

/// Whether a signal at `now` is another one than the `first`.
fn is_another(first: Instant, now: Instant) -> bool {
    now.saturating_duration_since(first) > SAME_SIGNAL
}

/// Leaves Ctrl-C, which a terminal sends to every process in the foreground, to the program that
/// started this one.
pub fn ignore() {
    // Where signals are unknown, none has to be ignored.
    ctrlc::set_handler(|| {}).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_that_a_shell_sends_twice_is_one() {
        let first = Instant::now();
        let after = |ms| first + Duration::from_millis(ms);
        assert!(!is_another(first, first) && !is_another(first, after(200)));
        assert!(is_another(first, after(400)));
    }
}
