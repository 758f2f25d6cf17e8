//! Composes a painting with its photo whenever strength, colours or output size change. Runs on its own thread, so that
//! those controls respond immediately for photos of any size.
//!
//! Every request first makes a preview of bounded size, then, if the job requests it, the finished picture. Requests
//! and results travel in [mailboxes](values::mailbox). The network is never run here.

use std::sync::Arc;

use super::{
    error::caught,
    paint::{OutputSize, Painting},
};
use pictures::scale::{scaled, size_within};
use threads::{BoundedThread, WakeUp};
use values::{
    compose::{Look, compose},
    frame::Frame,
    mailbox::{Reader, Writer, mailbox},
};

/// Maximum long side of a preview, in pixels.
pub const PREVIEW_PX: usize = 1600;

/// A painting to compose with its photo, and how.
#[derive(Clone)]
pub struct ComposeJob {
    /// Chosen by the window; the result carries it.
    pub ticket: u64,
    /// At its original size.
    pub photo: Arc<Frame>,
    pub painting: Arc<Painting>,
    pub output: OutputSize,
    /// Strength and colours.
    pub look: Look,
    /// Makes the finished picture in addition to the preview.
    pub full: bool,
}

/// A painting composed with its photo.
#[derive(Clone)]
pub struct Composed {
    /// [`ComposeJob::ticket`] of the job.
    pub ticket: u64,
    /// Columns and rows of the finished picture.
    pub size: (usize, usize),
    /// The finished picture, scaled to a long side of at most [`PREVIEW_PX`].
    pub preview: Arc<Frame>,
    /// The finished picture at full size, if the job requested it or it is no larger than the preview.
    pub full: Option<Arc<Frame>>,
}

/// Handle of the compositor's thread. Belongs to the window's thread. Dropping it stops the thread and waits for a
/// bounded time.
pub struct Compositor {
    /// Dropped to stop the thread.
    jobs: Writer<Option<ComposeJob>>,
    results: Reader<Option<Composed>>,
    _thread: BoundedThread,
}

impl Compositor {
    /// # Errors
    /// The operating system could not start the thread.
    pub fn start(wake_up: WakeUp) -> std::io::Result<Self> {
        let (jobs, next_job) = mailbox(|| None);
        let (result, results) = mailbox(|| None);
        let thread = BoundedThread::spawn("compositor", move || serve(next_job, result, &wake_up))?;
        Ok(Self { jobs, results, _thread: thread })
    }

    /// Requests a composition and replaces the pending one. Never waits.
    pub fn request(&mut self, job: ComposeJob) {
        self.jobs.send(job);
    }

    /// The newest result that has not been taken yet. Never waits.
    pub fn take(&mut self) -> Option<Composed> {
        self.results.receive()
    }
}

impl Drop for Compositor {
    fn drop(&mut self) {
        self.jobs.withdraw();
    }
}

/// Photo and painting at preview size. Reused while only strength and colours change.
struct PreviewPair {
    photo: Arc<Frame>,
    painting: Arc<Painting>,
    base: Frame,
    top: Frame,
}

fn serve(
    mut jobs: Reader<Option<ComposeJob>>,
    mut results: Writer<Option<Composed>>,
    wake_up: &WakeUp,
) {
    let mut pair: Option<PreviewPair> = None;
    while jobs.ready().recv().is_ok() {
        let Some(job) = jobs.receive() else {
            continue;
        };
        // After a panic the job and its cached pair are dropped, and the window keeps its current picture.
        let served = caught(|| serve_job(&job, &mut pair, (&jobs, &mut results), wake_up));
        if served.is_err() {
            pair = None;
        }
    }
}

fn serve_job(
    job: &ComposeJob,
    pair: &mut Option<PreviewPair>,
    (jobs, results): (&Reader<Option<ComposeJob>>, &mut Writer<Option<Composed>>),
    wake_up: &WakeUp,
) {
    let painted = &job.painting.painted;
    let size = job.output.resolve(job.photo.size(), painted.size());
    let (width, height) = size_within(size.0, size.1, PREVIEW_PX);
    let fits = pair.take().filter(|kept| {
        Arc::ptr_eq(&kept.photo, &job.photo)
            && Arc::ptr_eq(&kept.painting, &job.painting)
            && kept.base.size() == (width, height)
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
    results.send(result.clone());
    wake_up();
    if job.full && !is_whole && !jobs.has_new() {
        let full = job.painting.finished(&job.photo, job.output, job.look);
        results.send(Composed { full: Some(Arc::new(full)), ..result });
        wake_up();
    }
}
