//! Live frames that the user keeps: painted as finely as photos are, on a thread of their own,
//! while live painting continues.
//!
//! Frames wait in a queue, each with its number. Their sessions are opened for them and closed afterwards, within what
//! the device has free then. A device that is lost meanwhile is not replaced here: live painting does that, and the
//! frame fails.

use std::{sync::Arc, time::Duration};

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::{
    bounded_thread::BoundedThread,
    error::{EngineError, caught},
    events::Events,
    paint::{PaintError, Painter},
    protocol::{Event, RepaintJob, RepaintNumber, Repainted},
};
use crate::{
    backend::{Backend, BackendError, OpenDevice, RunControl},
    compose::compose_into,
    frame::Frame,
    media::{scale::scaled, upscale::Upscaler},
    mode::DeviceChoice,
};

/// How long dropping the thread waits for the frame that is being painted, which was cancelled.
const PATIENCE: Duration = Duration::from_secs(2);
/// Threads that bring a painting up to its frame's size.
const THREADS: usize = 4;

/// A job on its way to the thread.
pub(super) struct Request {
    pub(super) number: RepaintNumber,
    pub(super) job: RepaintJob,
    /// Cancelled to stop.
    pub(super) control: Arc<RunControl>,
    /// The device that paints.
    pub(super) backend: Arc<dyn Backend>,
}

/// The thread. Dropped, it paints no further frame.
pub(super) struct RepaintThread {
    requests: Option<Sender<Request>>,
    thread: BoundedThread,
}

impl RepaintThread {
    /// Starts the thread; its events go through `events`.
    ///
    /// # Errors
    /// The operating system's, when it starts no thread.
    pub fn start(events: Events) -> std::io::Result<Self> {
        // As many as the user requests; each holds its frame.
        let (requests, queue) = unbounded();
        let thread = BoundedThread::spawn("repaint", move || serve(&queue, &events))?;
        Ok(Self { requests: Some(requests), thread })
    }

    /// Paints a frame after those that wait; an [`Event::Repainted`] follows, unless it is cancelled.
    pub fn request(&self, request: Request) {
        if let Some(requests) = &self.requests {
            // Fails only when the thread is gone, which a panic outside of every job would need.
            requests.send(request).ok();
        }
    }
}

impl Drop for RepaintThread {
    fn drop(&mut self) {
        self.requests = None;
        // A thread that hangs with its device is left behind.
        self.thread.join_within(PATIENCE);
    }
}

fn serve(queue: &Receiver<Request>, events: &Events) {
    for request in queue {
        if request.control.is_cancelled() {
            continue;
        }
        let number = request.number;
        let result = match caught(|| paint(&request)) {
            Ok(Err(error)) if error.is_cancelled() => continue,
            Ok(result) => result.map_err(EngineError::from),
            Err(panic) => Err(panic),
        };
        // Before anybody hears of it: the memory is free again then.
        drop(request);
        let result = result.map(Arc::new);
        events.send(Event::Repainted { number, result });
    }
}

fn paint(request: &Request) -> Result<Repainted, PaintError> {
    let Request { job, control, backend, .. } = request;
    let RepaintJob { frame, network, settings, look } = job;
    let lost = backend.device().name;
    let open: OpenDevice = Arc::new(move |_: DeviceChoice| {
        Err(BackendError::Unavailable {
            device: lost.clone(),
            reason: "it was lost while a frame was repainted".to_owned(),
        })
    });
    let mut painter = Painter::new(backend.clone(), open);
    let painting = painter.paint(frame, network, *settings, control)?;
    drop(painter);
    let working = (painting.painted.width(), painting.painted.height());
    let mut picture = painting.painted;
    if working == (frame.width(), frame.height()) {
        compose_into(frame, &mut picture, *look);
    } else {
        let small = scaled(frame, working.0, working.1);
        let mut large = Frame::from_fn(1, 1, |_, _| [0; 4]);
        Upscaler::new(THREADS).compose((&small, &picture), frame, *look, &mut large);
        picture = large;
    }
    Ok(Repainted { picture, working, mode: painting.mode, notes: painting.notes })
}
