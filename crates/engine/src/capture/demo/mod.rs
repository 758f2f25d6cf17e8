//! The demo scene: a built-in animation for machines without a camera, for the first start and for tests.
//!
//! The picture depends only on time and size. Shapes are made once, move in groups ([`shape`]), and are drawn by vello
//! ([`scene`]). Buffers are reused from frame to frame, except for rows of pixels and gradient tables, which are small.

mod figures;
mod landscape;
mod scene;
mod shape;

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use scene::Scene;

use super::{CaptureSettings, LARGEST_FRAME_PX, feed::Feed, frame_writer::FrameWriter};
use values::frame::size_within;

/// Default and maximum frames per second.
const FPS: (u32, u32) = (30, 240);
/// Minimum long side that is chosen for [`CaptureSettings::source_px`], in pixels.
const SHORTEST_PX: usize = 320;

/// Delivers the scene at the rate of its settings. It grows with the requested size and never shrinks, so that it stays
/// the same while that size fluctuates.
pub(super) fn run(feed: &Feed, mut frames: FrameWriter, mut settings: CaptureSettings) {
    let mut scene = Scene::new(size_for(&settings));
    feed.started("demo scene".to_owned());
    let beat = Duration::from_secs(1) / settings.fps.unwrap_or(FPS.0).clamp(1, FPS.1);
    let mut began = Instant::now();
    let mut due = began;
    loop {
        settings.source_px = settings.source_px.max(feed.control.source_px());
        let size = size_for(&settings);
        if size != scene.size() {
            scene = Scene::new(size);
        }
        let at = Instant::now();
        let time_s = at.duration_since(began).as_secs_f64();
        frames.draw(size, at, |rgba| scene.draw(time_s, rgba));
        // A scene that cannot keep up is drawn as fast as possible.
        let drawn = Instant::now();
        due = drawn.max(due + beat);
        if !feed.wait(due - drawn) {
            return;
        }
        let since = Instant::now();
        while feed.control.held.load(Ordering::Relaxed) {
            if !feed.wait_for_change(None) {
                return;
            }
        }
        // The scene continues from the moment at which it was held.
        began += since.elapsed();
    }
}

fn size_for(settings: &CaptureSettings) -> (usize, usize) {
    if let Some((width, height)) = settings.size {
        return size_within(width.max(1) as usize, height.max(1) as usize, LARGEST_FRAME_PX);
    }
    let long = settings.source_px.max(SHORTEST_PX).min(settings.frame_px);
    // 4 to 3 and even sides, as for most cameras.
    let even = |px: usize| (px.div_ceil(2) * 2).max(2);
    (even(long), even(long * 3 / 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_follow_the_working_size() {
        let with = |size, source_px, frame_px| {
            size_for(&CaptureSettings { size, source_px, frame_px, ..CaptureSettings::default() })
        };
        assert_eq!(with(None, 640, 1280), (640, 480));
        assert_eq!(with(None, 5000, 1280), (1280, 960));
        assert_eq!(with(None, 1920, LARGEST_FRAME_PX), (1920, 1440));
        assert_eq!(with(None, 100, 1280), (320, 240));
        assert_eq!(with(Some((33, 17)), 640, 1280), (33, 17));
        assert_eq!(with(Some((0, 99_999)), 640, 1280), (1, LARGEST_FRAME_PX));
        assert_eq!(with(Some((7680, 4320)), 640, 1280), (4096, 2304));
    }
}
