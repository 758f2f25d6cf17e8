//! Ctrl-C: the first press stops the work cleanly, the second ends the program.

use std::{panic::resume_unwind, sync::Arc, thread};

use crossbeam_channel::bounded;

use super::{
    CliError,
    terminal::{write_message, write_note},
};
use backend::RunControl;
use threads::signals;
use values::disk::words;

/// The control of a run that Ctrl-C and SIGTERM cancel. If no handler can be installed, the system's default remains.
pub fn interruptible() -> Arc<RunControl> {
    let control = Arc::new(RunControl::default());
    let stopped = control.clone();
    let stop = move || {
        stopped.cancel();
        write_message("Stopping… (press Ctrl-C again to quit at once)");
    };
    if let Err(why) = signals::at_first(stop) {
        write_note(format_args!("Ctrl-C quits at once ({why})"));
    }
    control
}

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
    match engine::unless_cancelled(&done, control) {
        Some(result) => Ok(result),
        None if control.is_cancelled() => Err(CliError::Stopped),
        // The thread panicked before it returned a value.
        None => match worker.join() {
            Err(panic) => resume_unwind(panic),
            Ok(()) => Err(CliError::Stopped),
        },
    }
}
