//! Ctrl-C: the first stops the work cleanly, the second ends the program.

use std::{panic::resume_unwind, sync::Arc, thread, time::Duration};

use crossbeam_channel::{RecvTimeoutError, bounded};

use super::{CliError, terminal::write_message};
use crate::{backend::RunControl, disk::words, signals};

/// Makes Ctrl-C (and a request to terminate) cancel the run of `control`. Without a handler, which is possible
/// where signals are unknown, the system's default stays.
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

/// How often the thread checks whether the run was cancelled.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Does `work`, which may wait for ever (for a pipe that nobody writes to), on a thread of its own. When
/// `control` is cancelled, the thread is left behind and dies with the program.
///
/// # Errors
/// [`CliError::Stopped`] when `control` was cancelled, [`CliError::Failed`] when the system gives no
/// thread.
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
            // It panicked before it could give anything.
            Err(RecvTimeoutError::Disconnected) => {
                return match worker.join() {
                    Err(panic) => resume_unwind(panic),
                    Ok(()) => Err(CliError::Stopped),
                };
            }
        }
    }
}
