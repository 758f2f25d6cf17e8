//! Steadies paintings of moving pictures: the device that paints them if it can, otherwise the host.

use std::borrow::Cow;

use backend::{BackendResult, Job, RunControl, Session, Steadiness, unless_declined};
use steady::Steady;
use values::{frame::Frame, timing::RunTiming};

/// Runs a session on frames. With a `steadiness` it must be a single one, which the device steadies if it can. Also
/// returns whether it did; otherwise [`Steadier::steadied`] does.
///
/// # Errors
/// As [`Session::run`].
pub fn run_steadied(
    session: &mut dyn Session,
    inputs: &[&Frame],
    paintings: &mut [Frame],
    steadiness: Option<Steadiness>,
    control: &RunControl,
    mut meanwhile: Option<&mut dyn FnMut()>,
) -> BackendResult<(RunTiming, bool)> {
    if steadiness.is_some() {
        let job = Job { steadiness, ..Job::frames(inputs, &mut *paintings) };
        let meanwhile: Option<&mut dyn FnMut()> = match &mut meanwhile {
            Some(meanwhile) => Some(&mut **meanwhile),
            None => None,
        };
        if let Some(timing) = unless_declined(session.run(job, control, meanwhile))? {
            return Ok((timing, true));
        }
    }
    let timing = session.run(Job::frames(inputs, paintings), control, meanwhile)?;
    Ok((timing, false))
}

/// Steadies what the device has not, and knows which of the two did the painting before.
pub struct Steadier {
    host: Steady,
    is_on_device: bool,
}

impl Steadier {
    /// The host computes with this many threads.
    pub fn new(threads: usize) -> Self {
        Self { host: Steady::new(threads), is_on_device: false }
    }

    /// How the device steadies the next painting; `None` with 0 percent.
    pub fn steadiness(&self, percent: u8) -> Option<Steadiness> {
        (percent > 0).then_some(Steadiness { percent, is_new: !self.is_on_device })
    }

    /// Starts anew with the next painting, because it is painted otherwise.
    pub fn reset(&mut self) {
        self.host.reset();
        self.is_on_device = false;
    }

    /// Steadies `painting`, unless the device did or `percent` is 0. `source` returns its frame, in the same size.
    pub fn steadied<'a>(
        &mut self,
        is_on_device: bool,
        percent: u8,
        painting: &mut Frame,
        source: impl FnOnce((usize, usize)) -> Cow<'a, Frame>,
    ) {
        self.is_on_device = is_on_device;
        if is_on_device {
            // The host starts anew if the device can no longer do it.
            self.host.reset();
        } else if percent > 0 {
            self.host.apply(&source(painting.size()), painting, percent);
        }
    }

    /// See [`Steady::save`].
    pub fn save(&self) -> Vec<u8> {
        self.host.save()
    }

    /// See [`Steady::restore`].
    pub fn restore(&mut self, state: &[u8]) {
        self.host.restore(state);
    }
}
