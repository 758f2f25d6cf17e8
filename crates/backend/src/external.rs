//! Painting from and to a caller's device memory, in the caller's stream.

use crate::BackendResult;

/// One run on a whole batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExternalJob {
    /// Address of the photos: RGBA8 in the size of [`ExternalSession::photo_size`].
    pub from: u64,
    /// Address of the paintings, in the session's size: RGBA8. If `is_exact`, three planes of floats per painting, from
    /// 0 to 255, neither clamped nor rounded.
    pub to: u64,
    pub is_exact: bool,
    /// The driver's handle of the stream; 0 is the default stream.
    pub stream: u64,
    /// The stream is being captured. The session must then live as long as what was captured, and must not run
    /// anything else meanwhile.
    pub is_captured: bool,
}

/// A session that paints in a caller's stream. Jobs of one session never run at the same time, whatever their streams.
pub trait ExternalSession {
    /// Columns and rows of the photos: those of the session, extended at the far sides by reflection
    /// ([`Frame::extended`](values::frame::Frame::extended)).
    fn photo_size(&self) -> (usize, usize);

    /// Queues a run without waiting.
    ///
    /// # Safety
    /// Both addresses are on the session's device and as large as the job says until the stream has passed the job; the
    /// stream belongs to the device's primary context.
    ///
    /// # Errors
    /// As [`Session::run`](crate::Session::run), also for an earlier job.
    unsafe fn queue(&mut self, job: ExternalJob) -> BackendResult;

    /// Waits for all jobs that are not captured.
    ///
    /// # Errors
    /// As [`Session::run`](crate::Session::run), for an earlier job.
    fn finish(&mut self) -> BackendResult;
}
