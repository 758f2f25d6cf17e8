//! Ctrl-C: the first stops the work cleanly, the second ends the program.

use std::sync::Arc;

use super::{STOPPED, terminal::tell};
use crate::backend::RunControl;

/// Makes Ctrl-C (and a request to terminate) cancel what runs under `control`. Without a handler,
/// which is possible where signals are unknown, the system's default stays.
pub fn cancel_on_interrupt(control: &Arc<RunControl>) {
    let control = control.clone();
    let handler = move || {
        if control.is_cancelled() {
            std::process::exit(i32::from(STOPPED));
        }
        control.cancel();
        tell("Stopping… (press Ctrl-C again to end at once)");
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        tell(format!(
            "note: Ctrl-C will end the program at once ({error})"
        ));
    }
}

/// Leaves Ctrl-C, which a terminal sends to every process in the foreground, to the program that
/// started this one.
pub fn ignore() {
    // Where signals are unknown, none has to be ignored.
    ctrlc::set_handler(|| {}).ok();
}
