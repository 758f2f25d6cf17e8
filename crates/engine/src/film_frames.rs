//! Frames of films and photos of folders: the engine's thread paints them when it has nothing else to do, for a thread that waits for them.

use std::{sync::Arc, time::Duration};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};

use super::paint::{PaintError, PaintSettings, Painter, Painting, Steadying};
use backend::{BackendError, RunControl};
use network::Network;
use values::frame::Frame;

/// How often a waiting thread looks whether its work was cancelled.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Waits for a value; `None` if `control` is cancelled before, or nothing will be sent.
pub fn unless_cancelled<T>(values: &Receiver<T>, control: &RunControl) -> Option<T> {
    loop {
        match values.recv_timeout(LOOK_EVERY) {
            Err(RecvTimeoutError::Timeout) if !control.is_cancelled() => {}
            value => return value.ok(),
        }
    }
}

/// Paints frames and sends them back.
pub(super) type FilmFrames = Box<dyn FnOnce(&mut Painter) + Send>;

/// Paints frames of films through the engine's thread, after everything else. Belongs to any thread.
#[derive(Clone)]
pub struct FilmPainter(Sender<FilmFrames>);

impl FilmPainter {
    pub(super) fn new() -> (Self, Receiver<FilmFrames>) {
        // Unbounded: every caller waits for its frames.
        let (sender, frames) = unbounded();
        (Self(sender), frames)
    }

    /// Paints `frames`, which must have one size. Waits until the engine has time for them.
    ///
    /// # Errors
    /// [`PaintError`].
    pub fn paint(
        &self,
        frames: &[&Arc<Frame>],
        network: &Arc<Network>,
        settings: PaintSettings,
        steadying: Option<&Steadying>,
        control: &Arc<RunControl>,
    ) -> Result<Vec<Painting>, PaintError> {
        let (reply, painted) = bounded(1);
        let frames: Vec<_> = frames.iter().map(|&frame| frame.clone()).collect();
        let (network, steadying, run) = (network.clone(), steadying.cloned(), control.clone());
        let job = move |painter: &mut Painter| {
            let frames: Vec<_> = frames.iter().collect();
            let (batch, steadying) = (frames.len(), steadying.as_ref());
            let painted = painter.paint_film(&frames, batch, &network, settings, steadying, &run);
            // Fails only if the caller does not wait any more.
            reply.send(painted).ok();
        };
        // Fails only if the engine is gone; then there is no reply either.
        self.0.send(Box::new(job)).ok();
        unless_cancelled(&painted, control).unwrap_or_else(|| {
            let error = if control.is_cancelled() {
                BackendError::Cancelled
            } else {
                BackendError::Internal("painting a film")
            };
            Err(error.into())
        })
    }
}
