//! The jobs that sessions run.

use std::{
    any::Any,
    slice::{from_mut, from_ref},
    sync::Arc,
};

use super::{BackendError, Declined, RunControl};
use crate::{compose::Blend, frame::Frame, mode::Mode, raw_frame::RawFrame, timing::RunTiming};

/// The size, batch and mode of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionSpec {
    /// Columns of every frame, in pixels.
    pub width: usize,
    /// Rows of every frame, in pixels.
    pub height: usize,
    /// Frames that are painted at once if the device can; at least 1.
    pub batch: usize,
    /// Variant and precision.
    pub mode: Mode,
}

impl SessionSpec {
    /// For one frame at a time.
    pub const fn single(width: usize, height: usize, mode: Mode) -> Self {
        Self { width, height, batch: 1, mode }
    }
}

/// What a device does itself besides painting frames. What it does not do is the caller's work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// [`Input::Raw`].
    pub decodes: bool,
    /// [`Job::composition`] with one strength everywhere.
    pub composes: bool,
    /// [`Job::composition`] with a mask.
    pub composes_masks: bool,
    /// [`Input::Sent`] and [`Session::sent`](super::Session::sent).
    pub keeps_sent: bool,
}

/// What a session paints.
pub enum Input<'a> {
    /// Frames of the session's size. A number that does not fill a batch is painted as well.
    Frames(&'a [Frame]),
    /// A camera's frame, which the device decodes and brings to the session's size.
    Raw {
        /// The frame as the camera sent it.
        frame: &'a RawFrame,
        /// Receives the pixels of [`RawFrame::decode_into`]; of the frame's size.
        upright: &'a mut Frame,
    },
    /// Frames that another session was sent: as many as a batch, which are not sent again.
    Sent(&'a SentFrames),
}

/// Brings a painting to the size of its source and lays it over that, as `media::upscale` does. No level differs by more
/// than one from what the processor composes.
pub struct Composition<'a> {
    /// What the session's input was scaled from; `None` for the input itself.
    pub source: Option<&'a Frame>,
    /// Strength and colours.
    pub blend: Blend<'a>,
    /// The result, of the source's size.
    pub to: &'a mut Frame,
}

/// One run of a session.
pub struct Job<'a> {
    /// What is painted.
    pub input: Input<'a>,
    /// Receive the network's own pictures, of the session's size: one for every frame. May be empty if there is a
    /// composition.
    pub paintings: &'a mut [Frame],
    /// Of a single frame.
    pub composition: Option<Composition<'a>>,
}

impl<'a> Job<'a> {
    /// Paints every input into the output at the same place.
    pub fn frames(inputs: &'a [Frame], outputs: &'a mut [Frame]) -> Self {
        Self { input: Input::Frames(inputs), paintings: outputs, composition: None }
    }

    /// Paints one frame.
    pub fn frame(input: &'a Frame, output: &'a mut Frame) -> Self {
        Self::frames(from_ref(input), from_mut(output))
    }

    /// The frames of a job that every device does.
    ///
    /// # Errors
    /// [`BackendError::Declined`] for any other job; [`BackendError::WrongBatch`].
    pub fn plain(self) -> Result<(&'a [Frame], &'a mut [Frame]), BackendError> {
        match self {
            Self { input: Input::Frames(inputs), paintings, composition: None } => {
                BackendError::check_batch(inputs, paintings)?;
                Ok((inputs, paintings))
            }
            _ => Err(BackendError::Declined(Declined::Unable)),
        }
    }
}

/// The frames that a session was sent for its last run. It refers to them until that session paints others or is closed.
/// Only the backend that made it can read it; any thread may hold it.
#[derive(Clone)]
pub struct SentFrames(Arc<dyn Any + Send + Sync>);

impl SentFrames {
    /// `place` is the backend's own note.
    pub fn new<T: Any + Send + Sync>(place: T) -> Self {
        Self(Arc::new(place))
    }

    /// The backend's own note, if it is of this kind.
    pub fn place<T: Any + Send + Sync>(&self) -> Option<&T> {
        self.0.downcast_ref()
    }
}

/// `run`, or `None` if the device declined the job.
///
/// # Errors
/// Those of `run`, except [`BackendError::Declined`].
pub fn unless_declined(
    run: Result<RunTiming, BackendError>,
) -> Result<Option<RunTiming>, BackendError> {
    match run {
        Err(BackendError::Declined(_)) => Ok(None),
        run => run.map(Some),
    }
}

/// [`Session::run`](super::Session::run) on a device that only paints frames, one after another, each with `paint`.
///
/// # Errors
/// Those of [`Job::plain`] and of `paint`.
pub fn run_one_by_one(
    job: Job<'_>,
    control: &RunControl,
    mut paint: impl FnMut(&Frame, &mut Frame) -> Result<RunTiming, BackendError>,
) -> Result<RunTiming, BackendError> {
    let (inputs, outputs) = job.plain()?;
    // A single frame may be part of a longer run of its caller.
    if let ([input], [output]) = (inputs, &mut *outputs) {
        return paint(input, output);
    }
    let parts = u32::try_from(inputs.len()).unwrap_or(u32::MAX);
    let mut timing = None;
    let mut frames = (0..parts).zip(inputs.iter().zip(outputs));
    let run = frames.try_for_each(|(part, (input, output))| {
        control.begin_part(part, parts);
        let run = paint(input, output)?;
        timing = Some(timing.map_or(run, |before: RunTiming| before.then(run)));
        Ok(())
    });
    control.begin_part(0, 1);
    run.and_then(|()| timing.ok_or(BackendError::EMPTY_BATCH))
}
