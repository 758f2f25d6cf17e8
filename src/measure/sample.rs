//! Single measurements of a device and of a session that paints continuously, for the Lab.

use crate::{
    backend::{Backend, BackendError, RunControl, Session},
    frame::Frame,
    mode::Precision,
    timing::{Ceiling, StepTiming},
};

/// Measures the device's peak rates in a precision; `None` if they are unknown.
///
/// # Errors
/// [`BackendError`] if the device fails.
pub fn ceiling(
    backend: &dyn Backend,
    precision: Precision,
) -> Result<Option<Ceiling>, BackendError> {
    let device = backend.inspect();
    device.map_or(Ok(None), |device| device.ceiling(precision))
}

/// Times of every step of the session's last run, if the device always measures them. Otherwise `input` is painted
/// again for this, into `unseen`. Empty if the steps cannot be measured.
///
/// # Errors
/// See [`Session::run`].
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
