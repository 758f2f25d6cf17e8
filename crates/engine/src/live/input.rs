//! The source of live frames: one that the engine captures, or frames that the caller makes.
//!
//! Belongs to the engine's thread. The capture has threads of its own and can be stopped from any thread.

use std::{io, sync::Arc};

use crossbeam_channel::Receiver;

use crate::capture::{
    CameraFormat, Capture, CaptureEvent, CaptureProblem, CaptureSettings, Captured, Source,
};
use values::mailbox::Reader;

/// Where live frames come from.
pub enum LiveSource {
    /// The engine captures it. [`CaptureSettings::source_px`] is ignored: the rate control sets it.
    Capture(Source, CaptureSettings),
    /// Frames that the caller makes.
    Frames(Reader<Captured>),
}

#[derive(Clone, Debug, Default, PartialEq)]
pub enum SourceState {
    /// It was just started.
    #[default]
    Starting,
    /// Frames arrive.
    Running {
        /// The source as text.
        described: Arc<str>,
        /// The format of a camera's frames.
        format: Option<CameraFormat>,
    },
    /// No frames arrive; the source is retried until they do.
    Waiting(CaptureProblem),
    /// No more frames will arrive.
    Ended(CaptureProblem),
}

/// The frames and events of a source. Dropping it stops the source.
pub struct Input {
    /// The newest frame replaces the one before.
    pub(super) frames: Reader<Captured>,
    /// Also for the handle, which may have to stop it immediately.
    pub(crate) capture: Option<Arc<Capture>>,
    /// No more events will arrive.
    pub(crate) events_ended: bool,
    /// No more frames will arrive.
    pub(crate) frames_ended: bool,
}

impl Input {
    /// Starts `source` with frames of `source_px` on their long side.
    ///
    /// # Errors
    /// The operating system could not start a thread.
    pub fn start(source: LiveSource, source_px: usize) -> io::Result<Self> {
        let (frames, capture) = match source {
            LiveSource::Capture(source, mut settings) => {
                settings.source_px = source_px;
                let (capture, frames) = Capture::start(source, settings)?;
                (frames, Some(Arc::new(capture)))
            }
            LiveSource::Frames(frames) => (frames, None),
        };
        Ok(Self { frames, capture, events_ended: false, frames_ended: false })
    }

    /// Number of damaged frames that were skipped.
    pub(super) fn damaged_frames(&self) -> u64 {
        (self.capture.as_ref()).map_or(0, |capture| capture.damaged_frames())
    }

    /// Sets the long side that the source's frames should have, in pixels, and whether the picture is frozen, so that
    /// new frames are not shown.
    pub(super) fn adjust(&self, source_px: usize, frozen: bool) {
        if let Some(capture) = &self.capture {
            capture.set_source_px(source_px);
            capture.set_held(frozen);
        }
    }

    /// Sets whether a camera may deliver frames in its own format.
    pub(super) fn set_takes_raw(&self, takes_raw: bool) {
        if let Some(capture) = &self.capture {
            capture.set_takes_raw(takes_raw);
        }
    }

    /// Signals when there may be a new frame; `None` after the last one.
    pub fn frame_ready(&self) -> Option<&Receiver<()>> {
        (!self.frames_ended).then(|| self.frames.ready())
    }

    /// The source's events; `None` after it has ended.
    pub fn events(&self) -> Option<&Receiver<CaptureEvent>> {
        self.capture.as_ref().filter(|_| !self.events_ended).map(|capture| capture.events())
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        if let Some(capture) = &self.capture {
            capture.stop();
        }
    }
}

impl SourceState {
    /// Applies an event of the source.
    pub(super) fn note(&mut self, event: &CaptureEvent) {
        match event {
            CaptureEvent::Started { described, format } => {
                *self = Self::Running { described: described.as_str().into(), format: *format };
            }
            CaptureEvent::Waiting(problem) => *self = Self::Waiting(problem.clone()),
            CaptureEvent::Ended(problem) => *self = Self::Ended(problem.clone()),
            CaptureEvent::Note(_) | CaptureEvent::Skipped(_) => {}
        }
    }
}
