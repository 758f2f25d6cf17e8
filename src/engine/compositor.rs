//! Lays a painting over its photo whenever strength, colours or output size change, on a thread of
//! its own, so that those controls answer at once whatever the size of the photo.
//!
//! Every request first gives a preview of bounded size, then, when asked for, the finished picture.
//! Requests and results travel in slots in which the newest wins. The network is never run here.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::{
    paint::{OutputSize, Painting},
    thread::BoundedThread,
    worker::WakeUp,
};
use crate::{
    compose::{Look, compose},
    frame::Frame,
    media::scale::{scaled, size_within},
};

/// Long side of a preview at most, in pixels.
pub const PREVIEW_PX: usize = 1600;

/// How long dropping the handle waits for the composition in hand: most take well under a second.
const PATIENCE: Duration = Duration::from_secs(2);

/// A value that is replaced, never queued. The lock is only held while a value is moved.
struct Slot<T>(Mutex<Option<T>>);

impl<T> Slot<T> {
    fn put(&self, value: T) {
        // A value is moved in whole, so a panic elsewhere leaves nothing half-done.
        let old = {
            let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            held.replace(value)
        };
        // What was overtaken may be large: it is freed outside the lock.
        drop(old);
    }

    fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn is_empty(&self) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_none()
    }
}

/// What to lay over what, and how.
#[derive(Clone)]
pub struct ComposeJob {
    /// The asker's number, given back with the result.
    pub ticket: u64,
    /// The photo at its own size.
    pub photo: Arc<Frame>,
    /// The network's picture of it.
    pub painting: Arc<Painting>,
    /// Size of the finished picture.
    pub output: OutputSize,
    /// Strength and colours.
    pub look: Look,
    /// Whether the finished picture is wanted besides the preview.
    pub full: bool,
}

/// A painting laid over its photo.
#[derive(Clone)]
pub struct Composed {
    /// The number of the job.
    pub ticket: u64,
    /// Columns and rows of the finished picture.
    pub size: (usize, usize),
    /// The finished picture with a long side of at most [`PREVIEW_PX`].
    pub preview: Arc<Frame>,
    /// The finished picture itself, where it was asked for or is no larger than the preview.
    pub full: Option<Arc<Frame>>,
}

struct Shared {
    job: Slot<ComposeJob>,
    result: Slot<Composed>,
}

/// The handle of the compositor's thread; belongs to the window's thread. Dropping it stops the
/// thread and waits a bounded time.
pub struct Compositor {
    shared: Arc<Shared>,
    /// Rung after a job was put; closed to stop the thread.
    doorbell: Option<Sender<()>>,
    thread: BoundedThread,
}

impl Compositor {
    /// Starts the thread.
    ///
    /// # Errors
    /// The operating system's, when it gives no thread.
    pub fn start(wake_up: WakeUp) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            job: Slot(Mutex::new(None)),
            result: Slot(Mutex::new(None)),
        });
        let (doorbell, rings) = bounded(1);
        let thread = BoundedThread::spawn("compositor", {
            let shared = shared.clone();
            move || serve(&shared, &rings, &wake_up)
        })?;
        Ok(Self {
            shared,
            doorbell: Some(doorbell),
            thread,
        })
    }

    /// Asks for a composition in place of the one asked for before. Never waits.
    pub fn ask(&self, job: ComposeJob) {
        self.shared.job.put(job);
        if let Some(doorbell) = &self.doorbell {
            // A full bell is already ringing.
            let _ = doorbell.try_send(());
        }
    }

    /// The newest result that was not taken yet. Never waits.
    pub fn take(&self) -> Option<Composed> {
        self.shared.result.take()
    }
}

impl Drop for Compositor {
    fn drop(&mut self) {
        self.shared.job.take();
        self.doorbell = None;
        // A thread that panicked or hangs has nothing to say.
        let _ = self.thread.join_within(PATIENCE);
    }
}

/// Photo and painting at preview size, kept while strength and colours change.
struct PreviewPair {
    photo: Arc<Frame>,
    painting: Arc<Painting>,
    base: Frame,
    top: Frame,
}

fn serve(shared: &Shared, rings: &Receiver<()>, wake_up: &WakeUp) {
    let mut pair: Option<PreviewPair> = None;
    while rings.recv().is_ok() {
        let Some(job) = shared.job.take() else {
            continue;
        };
        // A job that panics is dropped with its pair; the window keeps what it shows.
        let served = catch_unwind(AssertUnwindSafe(|| {
            serve_job(&job, &mut pair, shared, wake_up);
        }));
        if served.is_err() {
            pair = None;
        }
    }
}

fn serve_job(job: &ComposeJob, pair: &mut Option<PreviewPair>, shared: &Shared, wake_up: &WakeUp) {
    let size = match job.output {
        OutputSize::Original => (job.photo.width(), job.photo.height()),
        OutputSize::Working => (job.painting.painted.width(), job.painting.painted.height()),
    };
    let (width, height) = size_within(size.0, size.1, PREVIEW_PX);
    let fits = pair.take().filter(|kept| {
        Arc::ptr_eq(&kept.photo, &job.photo)
            && Arc::ptr_eq(&kept.painting, &job.painting)
            && (kept.base.width(), kept.base.height()) == (width, height)
    });
    let kept = fits.unwrap_or_else(|| PreviewPair {
        photo: job.photo.clone(),
        painting: job.painting.clone(),
        base: scaled(&job.photo, width, height),
        top: scaled(&job.painting.painted, width, height),
    });
    let preview =
        compose(&kept.base, kept.top.clone(), job.look).unwrap_or_else(|| kept.base.clone());
    *pair = Some(kept);
    let preview = Arc::new(preview);
    let is_whole = (width, height) == size;
    let result = Composed {
        ticket: job.ticket,
        size,
        preview: preview.clone(),
        full: is_whole.then_some(preview),
    };
    shared.result.put(result.clone());
    wake_up();
    if job.full && !is_whole && shared.job.is_empty() {
        let full = job.painting.finished(&job.photo, job.output, job.look);
        shared.result.put(Composed {
            full: Some(Arc::new(full)),
            ..result
        });
        wake_up();
    }
}
