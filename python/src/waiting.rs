//! Waits for painting, with Python's signals and progress.

use std::{
    sync::mpsc::{RecvTimeoutError, channel},
    thread,
    time::Duration,
};

use backend::RunControl;
use engine::panic_message;
use pyo3::{Py, PyAny, PyErr, PyResult, Python, exceptions::PyRuntimeError};

/// Time between two looks at Python's signals.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// Runs `work` on another thread without the interpreter's lock. Meanwhile runs Python's signal handlers and calls
/// `progress` with the completed share. If either raises, cancels the work.
///
/// # Errors
/// Those of `work`, and what was raised.
pub fn interruptible<T: Send>(
    py: Python<'_>,
    progress: Option<&Py<PyAny>>,
    work: impl FnOnce(&RunControl) -> PyResult<T> + Send,
) -> PyResult<T> {
    py.detach(|| {
        let control = RunControl::default();
        let look = |share: f32| {
            Python::attach(|py| {
                py.check_signals()?;
                progress.map_or(Ok(()), |report| report.call1(py, (share,)).map(|_| ()))
            })
        };
        let mut raised: Option<PyErr> = None;
        let done = thread::scope(|scope| {
            let (ending, ended) = channel::<()>();
            let control = &control;
            let worker = scope.spawn(move || {
                // Dropped when the work ends, even by a panic.
                let _ending = ending;
                work(control)
            });
            while ended.recv_timeout(BETWEEN_LOOKS) == Err(RecvTimeoutError::Timeout) {
                if raised.is_none()
                    && let Err(error) = look(control.progress())
                {
                    control.cancel();
                    raised = Some(error);
                }
            }
            worker.join()
        });
        if let Some(error) = raised {
            return Err(error);
        }
        let done = done.map_err(|panic| PyRuntimeError::new_err(panic_message(&*panic)))??;
        progress.map_or(Ok(()), |_| look(1.0))?;
        Ok(done)
    })
}
