//! Ctrl-C and the system's requests to end: SIGINT, SIGTERM and SIGHUP.
//!
//! The handler runs on its own thread, and the callback of the first signal on another one. So the second signal is
//! handled even if the callback blocks, for example on a reader of standard error.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use values::disk::{reason, remove_exchanged};

/// Exit code after Ctrl-C, by the convention of shells.
const STOPPED: u8 = 130;
/// The last signal; 0 if there was none.
static NUMBER: OnceLock<Arc<AtomicUsize>> = OnceLock::new();
/// A second signal within this time counts as the first one, because a signal to the program and to its process group
/// arrives twice.
const SAME_SIGNAL: Duration = Duration::from_millis(300);

/// Calls `stop` at the first signal; the second one ends the program at once.
///
/// # Errors
/// Why no handler could be installed, as text.
pub fn at_first(stop: impl Fn() + Send + Sync + 'static) -> Result<(), String> {
    let stop = Arc::new(stop);
    let first = OnceLock::<Instant>::new();
    let handler = move || {
        let now = Instant::now();
        if let Some(first) = first.get() {
            if is_another(*first, now) {
                remove_exchanged();
                std::process::exit(i32::from(stopped()));
            }
            return;
        }
        first.get_or_init(|| now);
        let stopping = stop.clone();
        let thread = thread::Builder::new().name("stop".to_owned()).spawn(move || stopping());
        if thread.is_err() {
            stop();
        }
    };
    ctrlc::set_handler(handler).map_err(|error| match error {
        ctrlc::Error::System(error) => reason(&error),
        other => other.to_string(),
    })?;
    #[cfg(unix)]
    note_number();
    Ok(())
}

/// Exit code after a signal, by the convention of shells: 128 plus the signal's number.
pub fn stopped() -> u8 {
    let number = NUMBER.get().map_or(0, |number| number.load(Ordering::Relaxed));
    u8::try_from(number).ok().filter(|&number| number > 0).map_or(STOPPED, |number| 128 + number)
}

/// Records the number of each signal; the handler above is also called, without the number.
#[cfg(unix)]
fn note_number() {
    let number = NUMBER.get_or_init(Arc::default);
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        // If this fails, the exit code is that of Ctrl-C.
        signal_hook::flag::register_usize(signal, number.clone(), signal as usize).ok();
    }
}

/// True if a signal at `now` is a different one from the `first`.
fn is_another(first: Instant, now: Instant) -> bool {
    now.saturating_duration_since(first) > SAME_SIGNAL
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
