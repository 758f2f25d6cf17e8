//! Drafts: a photo is painted small first, so that there is something to see at once. Pure.

use super::{
    paint::{PaintSettings, WorkingSize},
    protocol::PaintJob,
};

/// Long side of a draft at most, in pixels.
const LARGEST_DRAFT_PX: usize = 448;
/// Long side of a draft at least, in pixels, unless the finished picture is smaller.
const SMALLEST_DRAFT_PX: usize = 192;
/// A draft has the finished painting's long side divided by this: about a ninth of the work.
const DRAFT_DIVISOR: usize = 3;

/// The long side at which a draft of a painting at `working` pixels is made; `None` when the
/// painting itself is about as small. Follows the brush, so that a draft shows its size.
pub fn draft_px(working: (usize, usize)) -> Option<usize> {
    let long = working.0.max(working.1);
    let draft = (long / DRAFT_DIVISOR).clamp(SMALLEST_DRAFT_PX, LARGEST_DRAFT_PX);
    (draft * 2 <= long).then_some(draft)
}

/// The settings of the job's draft; `None` where it would be about as large as the painting.
pub fn draft_settings(job: &PaintJob) -> Option<PaintSettings> {
    let (width, height) = (job.photo.width(), job.photo.height());
    let px = draft_px(job.settings.working_size.resolve(width, height))?;
    Some(PaintSettings { working_size: WorkingSize::LongSide(px), ..job.settings })
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
