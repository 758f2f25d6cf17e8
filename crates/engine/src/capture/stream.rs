//! A screen, a window or a network stream as a source. It is opened again whenever it ends.

use std::time::{Duration, Instant};

use super::{CaptureSettings, feed::Feed, frame_writer::FrameWriter, problem::CaptureProblem};
use media::{
    ffmpeg::Ffmpeg,
    incoming::{Address, Incoming},
};
use threads::process::Patience;

/// How often the source looks whether it is to stop.
const LOOK_EVERY: Duration = Duration::from_millis(40);
/// How long a stream may send nothing.
const PATIENCE: Duration = Duration::from_secs(10);
/// Pause before it is opened again.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// Delivers the newest picture until the source is stopped. It continues while the picture is held, like a camera.
pub(super) fn run(
    address: &Address,
    feed: &Feed,
    mut frames: FrameWriter,
    settings: &CaptureSettings,
) {
    let ffmpeg = match Ffmpeg::find() {
        Ok(ffmpeg) => ffmpeg,
        Err(error) => return feed.ended(CaptureProblem::Video(error.to_string())),
    };
    let long_side_px = feed.control.source_px().min(settings.frame_px);
    let mut told = None;
    loop {
        let opened = Incoming::open(&ffmpeg, address, long_side_px);
        let mut patience = Patience::new(PATIENCE, Instant::now());
        let ended = opened.and_then(|mut incoming| {
            let mut has_begun = false;
            while feed.wait(Duration::ZERO) {
                if let Some(frame) = incoming.next(LOOK_EVERY)? {
                    if !has_begun {
                        (has_begun, told) = (true, None);
                        feed.started(address.to_string());
                    }
                    patience = Patience::new(PATIENCE, Instant::now());
                    frames.draw(frame.size(), Instant::now(), |rgba| {
                        rgba.copy_from_slice(frame.rgba());
                    });
                } else if patience.is_over(Instant::now()) {
                    return Err(format!("it has sent nothing for {} s", PATIENCE.as_secs()));
                }
            }
            Ok(())
        });
        let Err(why) = ended else { return };
        let problem = CaptureProblem::Stream { name: address.to_string(), why };
        // Once, not at every try.
        if told.as_ref() != Some(&problem) {
            feed.waiting(problem.clone());
            told = Some(problem);
        }
        if !feed.wait(RETRY_AFTER) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpListener,
        process::Command,
        thread,
    };

    use super::*;
    use crate::capture::{Capture, CaptureEvent, Source};

    #[test]
    fn a_stream_that_ends_is_opened_again() {
        // Without ffmpeg there is nothing to read.
        let Ok(ffmpeg) = Ffmpeg::find() else {
            return;
        };
        let made = Command::new(ffmpeg.program)
            .args("-v error -f lavfi -i testsrc=size=32x24:rate=20:duration=0.2".split(' '))
            .args("-c:v ffv1 -f matroska pipe:1".split(' '))
            .output();
        let clip = made.expect("it runs").stdout;
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its address").port();
        thread::spawn(move || {
            for stream in listener.incoming().take(2) {
                let mut stream = stream.expect("connected");
                let mut request = [0; 4096];
                assert!(stream.read(&mut request).expect("a request") > 0);
                stream.write_all(b"HTTP/1.0 200 OK\r\n\r\n").expect("sent");
                stream.write_all(&clip).expect("sent");
            }
        });
        let name = format!("http://ann:hidden@127.0.0.1:{port}/live");
        let source: Source = name.parse().expect("a source");
        let (capture, _frames) =
            Capture::start(source, CaptureSettings::default()).expect("a thread");
        let mut starts = 0;
        while starts < 2 {
            let event = capture.events().recv_timeout(Duration::from_secs(120)).expect("an event");
            match &event {
                CaptureEvent::Started { .. } => starts += 1,
                CaptureEvent::Waiting(CaptureProblem::Stream { .. }) => assert_eq!(starts, 1),
                other => panic!("{other:?}"),
            }
            assert!(!format!("{event:?}").contains("hidden"), "{event:?}");
        }
    }
}
