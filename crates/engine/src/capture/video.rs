//! A video as a source: looped, at its own rate.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{CaptureSettings, feed::Feed, frame_writer::FrameWriter, problem::CaptureProblem};
use media::film::{OpenFilm, Order, Play, Player, PlayerEvent, Range};
use values::disk::words;

/// How often the source looks whether the film has failed.
const LOOK_EVERY: Duration = Duration::from_millis(40);

/// Delivers the video until the source is stopped. It continues while the picture is held, like a camera.
pub(super) fn run(path: &Path, feed: &Feed, mut frames: FrameWriter, settings: &CaptureSettings) {
    let problem = |error: String| feed.ended(CaptureProblem::Video(error));
    let film = match OpenFilm::open(path) {
        Ok((film, ..)) => Arc::new(film),
        Err(error) => return problem(error.to_string()),
    };
    let mut player = match Player::start(film, Arc::new(|| {})) {
        Ok(player) => player,
        Err(error) => return problem(words(&error).to_string()),
    };
    feed.started(path.display().to_string());
    player.send(Order::Play(Play {
        from: 0.0,
        speed: 1.0,
        range: Range::default(),
        loops: true,
        has_sound: false,
        long_side_px: feed.control.source_px().min(settings.frame_px),
        show: Box::new(move |_, frame| {
            let (size, now) = (frame.size(), Instant::now());
            frames.draw(size, now, |rgba| rgba.copy_from_slice(frame.rgba()));
        }),
    }));
    while feed.wait(LOOK_EVERY) {
        while let Some(event) = player.poll() {
            if let PlayerEvent::Failed(error) = event {
                return problem(error.to_string());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::capture::{Capture, CaptureEvent, Source};
    use media::ffmpeg::Ffmpeg;

    const PATIENCE: Duration = Duration::from_secs(120);

    #[test]
    fn a_video_is_repeated_at_its_own_rate_and_one_that_is_gone_is_named() {
        // Without ffmpeg there is nothing to read.
        let Ok(ffmpeg) = Ffmpeg::find() else {
            return;
        };
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("clip.mkv");
        // Its pixels are wider than high.
        let source = "testsrc=size=32x48:rate=20:duration=0.2,setsar=2";
        let made = Command::new(ffmpeg.program)
            .args(["-v", "error", "-f", "lavfi", "-i", source])
            .args(["-c:v", "ffv1"])
            .arg(&path)
            .status();
        assert!(made.expect("it runs").success());
        let settings = CaptureSettings { source_px: 32, ..CaptureSettings::default() };
        let source = Source::Video(path);
        let (capture, mut frames) = Capture::start(source, settings.clone()).expect("a thread");
        let mut began = None;
        while frames.value.sequence < 10 {
            frames.ready().recv_timeout(PATIENCE).expect("a frame");
            frames.take();
            began.get_or_insert_with(Instant::now);
        }
        assert_eq!(frames.value.frame.size(), (32, 24));
        // Four frames twice, and two more, take at least 0.15 + 0.15 + 0.05 s.
        let took = began.map_or(Duration::ZERO, |began| began.elapsed());
        assert!(took > Duration::from_millis(300), "{took:?}");
        drop(capture);
        while frames.ready().recv_timeout(PATIENCE).is_ok() {}

        let source = Source::Video(folder.path().join("gone.mkv"));
        let (capture, _frames) = Capture::start(source, settings).expect("a thread");
        let event = capture.events().recv_timeout(PATIENCE).expect("an event");
        let CaptureEvent::Ended(problem) = event else { panic!("{event:?}") };
        assert!(problem.to_string().contains("gone.mkv"), "{problem}");
    }
}
