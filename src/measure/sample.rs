//! Single measurements of a device and of a session that paints all the time, for the Lab.

use crate::{
    backend::{Backend, BackendError, RunControl, Session},
    frame::Frame,
    mode::Precision,
    timing::{Ceiling, StepTiming},
};

/// What a device can do at most in a precision, measured now; `None` where that is not known.
///
/// # Errors
/// [`BackendError`] when the device refuses.
pub fn ceiling(
    backend: &dyn Backend,
    precision: Precision,
) -> Result<Option<Ceiling>, BackendError> {
    let device = backend.inspect();
    device.map_or(Ok(None), |device| device.ceiling(precision))
}

/// Every step of the session's last run, on a device that measures them whenever it paints; on others
/// `input` is painted once more for it, into `unseen`. Empty where there is no way to measure.
///
/// # Errors
/// As [`Session::run`].
pub fn step_times(
    session: &mut dyn Session,
    input: &Frame,
    unseen: &mut Frame,
    control: &RunControl,
) -> Result<Vec<StepTiming>, BackendError> {
    let Some(session) = session.inspect() else {
        return Ok(Vec::new());
    };
    let steps = session.step_times();
    if steps.is_empty() {
        return session.profile(input, unseen, control);
    }
    Ok(steps)
}
