//! No demo scene, in a build that draws nothing.

use super::{CaptureEvent, CaptureProblem, CaptureSettings, feed::Feed, frame_writer::FrameWriter};

/// Reports that there is none.
pub fn run(feed: &Feed, _frames: FrameWriter, _settings: CaptureSettings) {
    feed.events.send(CaptureEvent::Ended(CaptureProblem::NoDemo));
}
