//! Paints photos on the engine's thread: a single photo with its draft, and the photos of a batch one by one.

use std::sync::Arc;

use super::{
    error::{EngineError, caught},
    events::{Events, send_notices},
    paint::{PaintSettings, Painter, Painting, WorkingSize},
    protocol::{BatchJob, Event, Generation, PaintJob, SavedPhoto, Unpainted},
};
use backend::RunControl;
use network::Network;
use values::frame::Frame;

/// Maximum long side of a draft, in pixels.
const LARGEST_DRAFT_PX: usize = 448;
/// Minimum long side of a draft, in pixels, unless the finished picture is smaller.
const SMALLEST_DRAFT_PX: usize = 192;
/// Ratio of the finished painting's long side to the draft's. At 3 a draft costs about a ninth of the work.
const DRAFT_DIVISOR: usize = 3;

/// Long side of a draft for a painting at `working` pixels; `None` if the painting itself is about as small.
/// Proportional to the working size, so that a draft shows the brush size.
pub fn draft_px(working: (usize, usize)) -> Option<usize> {
    let long = working.0.max(working.1);
    let draft = (long / DRAFT_DIVISOR).clamp(SMALLEST_DRAFT_PX, LARGEST_DRAFT_PX);
    (draft * 2 <= long).then_some(draft)
}

/// The settings of the job's draft; `None` if the draft would be about as large as the painting.
pub fn draft_settings(job: &PaintJob) -> Option<PaintSettings> {
    let (width, height) = job.photo.size();
    let px = draft_px(job.settings.working_size.resolve(width, height))?;
    Some(PaintSettings { working_size: WorkingSize::LongSide(px), ..job.settings })
}

/// A batch, and the index of its next photo.
pub struct Batch {
    pub job: BatchJob,
    pub control: Arc<RunControl>,
    pub next: usize,
    /// The next photo waits until the batch continues or is cancelled.
    pub is_paused: bool,
}

impl Batch {
    /// True if there is something to do now.
    pub fn is_due(&self) -> bool {
        !self.is_paused || self.control.is_cancelled()
    }
}

/// A single photo, with the number of its command.
pub type Paint = (Generation, PaintJob, Arc<RunControl>);

/// Paints one photo, after its draft if the job has one.
pub fn serve_paint(painter: &mut Painter, (generation, job, control): Paint, events: &Events) {
    // Reported before painting, while the user can still cancel.
    let (width, height) = job.photo.size();
    let size = job.settings.working_size.resolve(width, height);
    if let Some(notice) = painter.time_note(&job.network, size) {
        let info = painter.backend().device();
        events.send(Event::Device { info, notice: Some(notice) });
    }
    let draft = job.draft.then(|| draft_settings(&job)).flatten();
    let runs = draft.map(|settings| (true, settings)).into_iter().chain([(false, job.settings)]);
    for (draft, settings) in runs {
        if control.is_cancelled() {
            events.send(Event::Cancelled(generation));
            return;
        }
        control.set_progress(0.0);
        match paint_photo(painter, (&job.photo, &job.network), settings, &control, events) {
            Ok(painting) => events.send(Event::Painted { generation, draft, painting }),
            Err(error) if error.is_cancelled() => {
                return events.send(Event::Cancelled(generation));
            }
            // The error of a draft is not reported: the full run reports it.
            Err(EngineError::Paint(_)) if draft => {}
            Err(error) => return events.send(Event::Failed { generation, error }),
        }
    }
}

/// Paints a photo in a network, and reports replaced devices. A panic closes all sessions, because one may be half-way
/// through a run.
fn paint_photo(
    painter: &mut Painter,
    (photo, network): (&Arc<Frame>, &Arc<Network>),
    settings: PaintSettings,
    control: &RunControl,
    events: &Events,
) -> Result<Arc<Painting>, EngineError> {
    let run = caught(|| painter.paint(photo, network, settings, control));
    send_notices(painter, events);
    if run.is_err() {
        painter.forget_sessions();
    }
    Ok(Arc::new(run??))
}

/// Paints the next photo of a batch. Returns whether the batch has ended.
pub fn serve_batch(painter: &mut Painter, batch: &mut Batch, events: &Events) -> bool {
    let total = batch.job.source.len();
    let cancelled = batch.control.is_cancelled();
    if cancelled || batch.next >= total {
        events.send(Event::BatchEnded { cancelled });
        return true;
    }
    let index = batch.next;
    batch.next += 1;
    let BatchJob { source, networks, settings } = &mut batch.job;
    let run = caught(|| -> Result<SavedPhoto, Unpainted> {
        let network = networks
            .get(source.network(index))
            .ok_or_else(|| "there is no network for it".to_owned())?;
        let photo: Arc<Frame> = source.open(index)?.into();
        let painting = painter.paint(&photo, network, *settings, &batch.control);
        Ok(source.finish(index, &photo, &painting.map_err(|error| error.to_string())?)?)
    });
    send_notices(painter, events);
    let outcome = match run {
        Ok(Err(_)) if batch.control.is_cancelled() => {
            events.send(Event::BatchEnded { cancelled: true });
            return true;
        }
        Ok(outcome) => outcome,
        Err(error) => {
            painter.forget_sessions();
            Err(error.to_string().into())
        }
    };
    // A paused batch shows no progress of a next photo.
    batch.control.set_progress(0.0);
    events.send(Event::BatchPhoto {
        done: batch.next,
        total,
        name: batch.job.source.name(index),
        outcome,
    });
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drafts_follow_the_brush_and_are_much_smaller() {
        assert_eq!(draft_px((1280, 853)), Some(426));
        assert_eq!(draft_px((640, 480)), Some(213));
        assert_eq!(draft_px((4000, 3000)), Some(448));
        assert_eq!(draft_px((320, 320)), None);
        assert_eq!(draft_px((1, 1)), None);
    }
}
