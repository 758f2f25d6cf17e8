//! Ctrl-C: the first press stops the work cleanly, the second ends the program.

use std::{panic::resume_unwind, sync::Arc, thread, time::Duration};

use crossbeam_channel::{RecvTimeoutError, bounded};

use super::{CliError, terminal::write_message};
use crate::{backend::RunControl, disk::words, signals};

/// Makes Ctrl-C and SIGTERM cancel the run of `control`. If no handler can be installed, the system's default remains.
pub fn cancel_on_interrupt(control: &Arc<RunControl>) {
    let control = control.clone();
    let stop = move || {
        control.cancel();
        write_message("Stopping… (press Ctrl-C again to quit at once)");
    };
    if let Err(why) = signals::at_first(stop) {
        write_message(format!("note: Ctrl-C quits at once ({why})"));
    }
}

/// The control of a run that Ctrl-C and SIGTERM cancel.
pub fn interruptible() -> Arc<RunControl> {
    let control = Arc::new(RunControl::default());
    cancel_on_interrupt(&control);
    control
}

/// How often the caller checks whether the run was cancelled.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Runs `work` on its own thread, because it may block forever (for example on a pipe without a writer). When `control`
/// is cancelled, the thread is abandoned and ends with the program.
///
/// # Errors
/// [`CliError::Stopped`] if `control` was cancelled, [`CliError::Failed`] if no thread can be started.
pub fn unless_cancelled<T: Send + 'static>(
    control: &RunControl,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, CliError> {
    let (sender, done) = bounded(1);
    let worker = thread::Builder::new()
        .name("reader".to_owned())
        .spawn(move || {
            sender.send(work()).ok();
        })
        .map_err(|e| CliError::Failed(format!("a thread could not be started: {}", words(&e))))?;
    loop {
        match done.recv_timeout(LOOK_EVERY) {
            Ok(result) => return Ok(result),
            Err(RecvTimeoutError::Timeout) if control.is_cancelled() => {
                return Err(CliError::Stopped);
            }
            Err(RecvTimeoutError::Timeout) => {}
            // The thread panicked before it returned a value.
            Err(RecvTimeoutError::Disconnected) => {
                return match worker.join() {
                    Err(panic) => resume_unwind(panic),
                    Ok(()) => Err(CliError::Stopped),
                };
            }
        }
    }
}
