//! Ctrl-C: the first stops the work cleanly, the second ends the program.

use std::sync::Arc;

use super::terminal::tell;
use crate::{backend::RunControl, signals};

/// Makes Ctrl-C (and a request to terminate) cancel what runs under `control`. Without a handler,
/// which is possible where signals are unknown, the system's default stays.
pub fn cancel_on_interrupt(control: &Arc<RunControl>) {
    let control = control.clone();
    let stop = move || {
        control.cancel();
        tell("Stopping… (press Ctrl-C again to end at once)");
    };
    if let Err(why) = signals::at_first(stop) {
        tell(format!("note: Ctrl-C will end the program at once ({why})"));
    }
}
