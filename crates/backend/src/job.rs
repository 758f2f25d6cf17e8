//! The jobs that sessions run.

use std::{any::Any, sync::Arc};

use super::{BackendError, BackendResult, RunControl};
use values::{compose::Blend, frame::Frame, mode::Mode, raw_frame::RawFrame, timing::RunTiming};

/// The size, batch and mode of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionSpec {
    /// In pixels.
    pub width: usize,
    /// In pixels.
    pub height: usize,
    /// Frames that are painted at once if the device can; at least 1.
    pub batch: usize,
    pub mode: Mode,
}

impl SessionSpec {
    /// A session that paints one frame at a time.
    pub const fn single(width: usize, height: usize, mode: Mode) -> Self {
        Self { width, height, batch: 1, mode }
    }
}

/// What a device can do itself in addition to painting frames. The caller does the rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// The device accepts [`Input::Raw`].
    pub decodes: bool,
    /// It accepts a [`Job::composition`] with one strength everywhere.
    pub composes: bool,
    /// It accepts a [`Job::composition`] with a mask.
    pub composes_masks: bool,
    /// It accepts [`Job::steadiness`].
    pub steadies: bool,
    /// It supports [`Input::Sent`] and [`Session::sent`](super::Session::sent).
    pub keeps_sent: bool,
}

pub enum Input<'a> {
    /// Frames of the session's size. The last batch may be smaller than the others.
    Frames(&'a [&'a Frame]),
    /// A camera's frame. The device decodes it and resizes it to the session's size.
    Raw {
        frame: &'a RawFrame,
        /// Receives the pixels of [`RawFrame::decode_into`], in the size of `frame`.
        upright: &'a mut Frame,
    },
    /// Frames that were sent to another session. As many as a batch; they are not sent again.
    Sent(&'a SentFrames),
}

/// Resizes a painting to the size of its source and blends the two, as `media::upscale` does. Every level differs by at
/// most one from what the CPU computes.
pub struct Composition<'a> {
    /// The frame from which the session's input was scaled; `None` if it is the input itself.
    pub source: Option<&'a Frame>,
    pub blend: Blend<'a>,
    /// The result, in the size of the source.
    pub to: &'a mut Frame,
}

/// How much of the painting before a session keeps in the next one, as [`Steady`](steady::Steady) does. Nearly
/// every level differs by at most one from what the CPU computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steadiness {
    /// Up to 100.
    pub percent: u8,
    /// The previous painting is forgotten first.
    pub is_new: bool,
}

/// One run of a session.
pub struct Job<'a> {
    pub input: Input<'a>,
    /// Receive the network's own pictures, in the session's size: one for every frame. May be empty if there is a
    /// composition.
    pub paintings: &'a mut [Frame],
    /// Only for a job of a single frame.
    pub composition: Option<Composition<'a>>,
    /// Steadies the painting before it is composed. Only for a job of a single frame, which follows the last one that
    /// was steadied.
    pub steadiness: Option<Steadiness>,
}

impl<'a> Job<'a> {
    /// A job that is neither composed nor steadied.
    pub fn new(input: Input<'a>, paintings: &'a mut [Frame]) -> Self {
        Self { input, paintings, composition: None, steadiness: None }
    }

    /// Paints every input into the output with the same index.
    pub fn frames(inputs: &'a [&'a Frame], outputs: &'a mut [Frame]) -> Self {
        Self::new(Input::Frames(inputs), outputs)
    }

    /// The frames of a plain job, which every device can do.
    ///
    /// # Errors
    /// [`BackendError::Declined`] for any other job; [`BackendError::WrongBatch`].
    pub fn plain(self) -> BackendResult<(&'a [&'a Frame], &'a mut [Frame])> {
        match self {
            Self {
                input: Input::Frames(inputs),
                paintings,
                composition: None,
                steadiness: None,
            } => {
                BackendError::check_batch(inputs, paintings)?;
                Ok((inputs, paintings))
            }
            _ => Err(BackendError::UNABLE),
        }
    }
}

/// The frames that were sent to a session for its last run. Valid until that session paints other frames or is closed.
/// Only the backend that made it can read it. Any thread may hold it.
#[derive(Clone)]
pub struct SentFrames(Arc<dyn Any + Send + Sync>);

impl SentFrames {
    /// `place` is a value that only the backend interprets.
    pub fn new<T: Any + Send + Sync>(place: T) -> Self {
        Self(Arc::new(place))
    }

    /// The backend's value, if it has this type.
    pub fn place<T: Any + Send + Sync>(&self) -> Option<&T> {
        self.0.downcast_ref()
    }
}

/// Returns the result of `run`, or `None` if the device declined the job.
///
/// # Errors
/// Those of `run`, except [`BackendError::Declined`].
pub fn unless_declined(run: BackendResult<RunTiming>) -> BackendResult<Option<RunTiming>> {
    match run {
        Err(BackendError::Declined(_)) => Ok(None),
        run => run.map(Some),
    }
}

/// [`Session::run`](super::Session::run) for a device that can only paint frames, one after another. Calls `paint` for
/// each.
///
/// # Errors
/// Those of [`Job::plain`] and of `paint`.
pub fn run_one_by_one(
    job: Job<'_>,
    control: &RunControl,
    mut paint: impl FnMut(&Frame, &mut Frame) -> BackendResult<RunTiming>,
) -> BackendResult<RunTiming> {
    let (inputs, outputs) = job.plain()?;
    let mut timing = None;
    control.in_parts(inputs.iter().zip(outputs), |(input, output)| {
        let run = paint(input, output)?;
        timing = Some(timing.map_or(run, |before: RunTiming| before.then(run)));
        Ok(())
    })?;
    timing.ok_or(BackendError::EMPTY_BATCH)
}
