//! Paints a photo, with its draft, on the engine's thread.

use std::sync::Arc;

use super::{
    error::{EngineError, caught},
    events::{Events, send_notices},
    paint::{PaintSettings, Painter, Painting, WorkingSize},
    protocol::{Event, Generation, PaintJob},
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
