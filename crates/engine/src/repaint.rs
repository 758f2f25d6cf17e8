//! Paints pictures in parallel with the engine's other work, on a thread of its own: live frames that the user keeps,
//! trials of networks, and the parts of a contact sheet.
//!
//! Frames wait in a queue, each with its number. Sessions are opened for each frame and closed afterwards, within the
//! memory that the device has free. A lost device is not replaced here: the frame fails, and live painting replaces the
//! device.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::{
    error::caught,
    events::Events,
    paint::{PaintError, Painter},
    protocol::{Event, RepaintJob, RepaintNumber, Repainted},
};
use backend::{Backend, BackendError, OpenDevice, RunControl};
use media::upscale::Upscaler;
use pictures::scale::scaled;
use threads::BoundedThread;
use values::{compose::compose_into, frame::Frame, mode::DeviceChoice};

/// Threads that upscale a painting to its frame's size.
const THREADS: usize = 4;

/// A job on its way to the thread.
pub struct Request {
    pub number: RepaintNumber,
    pub job: RepaintJob,
    /// Cancelled to stop.
    pub control: Arc<RunControl>,
    pub backend: Arc<dyn Backend>,
}

/// The thread. After it is dropped, no further frame is painted.
pub struct RepaintThread {
    requests: Sender<Request>,
    _thread: BoundedThread,
}

impl RepaintThread {
    /// Starts the thread, which sends its events through `events`.
    ///
    /// # Errors
    /// The operating system could not start the thread.
    pub fn start(events: Events) -> std::io::Result<Self> {
        // Unbounded: the user's requests limit it, and each one holds its frame.
        let (requests, queue) = unbounded();
        let thread = BoundedThread::spawn("repaint", move || serve(&queue, &events))?;
        Ok(Self { requests, _thread: thread })
    }

    /// Queues a frame; [`Event::Repainted`] follows unless it is cancelled.
    pub fn request(&self, request: Request) {
        // Fails only if the thread is gone, which requires a panic outside of every job.
        self.requests.send(request).ok();
    }
}

fn serve(queue: &Receiver<Request>, events: &Events) {
    for request in queue {
        if request.control.is_cancelled() {
            continue;
        }
        let number = request.number;
        let result = caught(|| paint(&request)).and_then(|result| Ok(result?));
        // Dropped before the event is sent, so that the memory is free when the event arrives.
        drop(request);
        match result.map(Arc::new) {
            Err(error) if error.is_cancelled() => {}
            result => events.send(Event::Repainted { number, result }),
        }
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
    let working = painting.painted.size();
    let mut picture = painting.painted;
    if working == frame.size() {
        compose_into(frame, &mut picture, *look);
    } else {
        let small = scaled(frame, working.0, working.1);
        let mut large = Frame::empty(1, 1);
        Upscaler::new(THREADS).compose((&small, &picture), frame, *look, &mut large);
        picture = large;
    }
    Ok(Repainted { picture, working, mode: painting.mode, notes: painting.notes })
}
