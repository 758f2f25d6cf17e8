//! Photos and folders of photos as sources.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::{
    CaptureSettings,
    feed::Feed,
    frame_writer::FrameWriter,
    problem::{CaptureEvent, CaptureProblem},
};
use pictures::{
    decode,
    folder::Folder,
    scale::{scaled, size_within},
};
use values::{disk::words, frame::Frame};

/// Display time of each picture of a folder.
const PICTURE_TIME: Duration = Duration::from_secs(5);

/// Delivers a photo once, and again after each change of the source's settings, in case the engine no longer has the
/// first frame.
pub(super) fn run_photo(
    path: &Path,
    feed: &Feed,
    mut frames: FrameWriter,
    settings: &CaptureSettings,
) {
    let mut begun = Instant::now();
    let (photo, notes) = match read(path, settings.frame_px) {
        Ok(photo) => photo,
        Err(problem) => return feed.ended(problem),
    };
    feed.started(path.display().to_string());
    send_notes(feed, path, notes);
    loop {
        put(&mut frames, &photo, begun);
        if !feed.wait_for_change(None) {
            return;
        }
        begun = Instant::now();
    }
}

/// Delivers the pictures of a folder in an endless loop. Reads the folder again for each round.
pub(super) fn run_folder(
    path: &Path,
    feed: &Feed,
    mut frames: FrameWriter,
    settings: &CaptureSettings,
) {
    let mut has_started = false;
    let mut noted = HashSet::new();
    loop {
        let pictures = match pictures_in(path) {
            Ok(pictures) => pictures,
            Err(problem) => return feed.ended(problem),
        };
        if !std::mem::replace(&mut has_started, true) {
            let many = if pictures.len() == 1 { "" } else { "s" };
            feed.started(format!("{}, {} picture{many}", path.display(), pictures.len()));
        }
        let mut is_empty = true;
        for picture in &pictures {
            let begun = Instant::now();
            let (photo, notes) = match read(picture, settings.frame_px) {
                Ok(photo) => photo,
                Err(problem) => {
                    feed.events.send(CaptureEvent::Skipped(problem));
                    continue;
                }
            };
            is_empty = false;
            if noted.insert(picture.clone()) {
                send_notes(feed, picture, notes);
            }
            put(&mut frames, &photo, begun);
            let until = begun + PICTURE_TIME;
            while Instant::now() < until {
                if !feed.wait_for_change(Some(until)) {
                    return;
                }
            }
        }
        if is_empty {
            return feed.ended(CaptureProblem::Photo(format!(
                "{} contains no readable image; choose another folder",
                path.display()
            )));
        }
    }
}

/// The picture files of a folder, sorted by name.
fn pictures_in(path: &Path) -> Result<Vec<PathBuf>, CaptureProblem> {
    match Folder::open(path) {
        Ok(folder) => Ok(folder.photos),
        Err(e) => Err(CaptureProblem::Photo(format!(
            "{} could not be read: {}",
            path.display(),
            words(&e)
        ))),
    }
}

/// Opens a picture file, scaled to a long side of at most `frame_px`, with notes on what decoding lost.
fn read(path: &Path, frame_px: usize) -> Result<(Frame, Vec<String>), CaptureProblem> {
    let photo = decode::from_path(path).map_err(|e| CaptureProblem::Photo(e.to_string()))?;
    let (width, height) = size_within(photo.frame.width(), photo.frame.height(), frame_px);
    Ok((scaled(&photo.frame, width, height), photo.notes))
}

fn send_notes(feed: &Feed, path: &Path, notes: Vec<String>) {
    for note in notes {
        feed.events.send(CaptureEvent::Note(format!("{}: {note}", path.display())));
    }
}

fn put(frames: &mut FrameWriter, photo: &Frame, begun: Instant) {
    let size = photo.size();
    frames.draw(size, begun, |rgba| rgba.copy_from_slice(photo.rgba()));
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::capture::{Capture, Captured, Rotation, Source};
    use values::mailbox::Reader;

    const PATIENCE: Duration = Duration::from_secs(120);

    fn started(source: Source, settings: CaptureSettings) -> (Capture, Reader<Captured>) {
        Capture::start(source, settings).expect("a thread")
    }

    fn next_event(capture: &Capture) -> CaptureEvent {
        let until = Instant::now() + PATIENCE;
        loop {
            match capture.poll() {
                Some(event) => return event,
                None => assert!(Instant::now() < until, "no event"),
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn write_png(path: &Path, width: u32, height: u32) {
        image::RgbaImage::from_fn(width, height, |x, y| image::Rgba([x as u8, y as u8, 3, 255]))
            .save(path)
            .expect("written");
    }

    #[test]
    fn a_photo_comes_once_and_again_with_a_hint() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("p.png");
        write_png(&path, 40, 20);
        let settings = CaptureSettings {
            frame_px: 20,
            rotate: Rotation::Quarter,
            ..CaptureSettings::default()
        };
        let (capture, mut reader) = started(Source::Photo(path), settings);
        reader.ready().recv_timeout(PATIENCE).expect("a frame");
        assert!(reader.take());
        let frame = &reader.value.frame;
        assert_eq!(frame.size(), (10, 20));
        assert!(matches!(next_event(&capture), CaptureEvent::Started { .. }));
        let pause = Duration::from_millis(100);
        assert!(reader.ready().recv_timeout(pause).is_err(), "only once");
        capture.set_source_px(320);
        reader.ready().recv_timeout(PATIENCE).expect("again");
        assert!(reader.take());
        assert_eq!(reader.value.sequence, 2);
    }

    #[test]
    fn a_folder_skips_what_is_damaged_and_says_so() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("a.png"), b"\x89PNG\r\n\x1a\nno").expect("written");
        write_png(&folder.path().join("b.png"), 12, 8);
        fs::write(folder.path().join("notes.txt"), b"no picture").expect("written");
        let source = Source::Folder(folder.path().to_owned());
        let (capture, mut reader) = started(source, CaptureSettings::default());
        reader.ready().recv_timeout(PATIENCE).expect("a frame");
        assert!(reader.take());
        assert_eq!(reader.value.frame.width(), 12);
        let CaptureEvent::Started { described, .. } = next_event(&capture) else {
            panic!("not started");
        };
        assert!(described.ends_with("2 pictures"), "{described}");
        let CaptureEvent::Skipped(problem) = next_event(&capture) else {
            panic!("not skipped");
        };
        assert!(problem.to_string().contains("a.png"), "{problem}");
    }

    #[test]
    fn unreadable_files_end_with_a_reason() {
        let folder = tempfile::tempdir().expect("a folder");
        let missing = folder.path().join("missing.jpg");
        for (source, word) in [
            (Source::Photo(missing.clone()), "missing.jpg"),
            (Source::Folder(missing), "could not be read"),
            (Source::Folder(folder.path().to_owned()), "no readable image"),
        ] {
            let (capture, reader) = started(source, CaptureSettings::default());
            let problem = loop {
                match next_event(&capture) {
                    CaptureEvent::Ended(problem) => break problem,
                    other => assert!(matches!(other, CaptureEvent::Started { .. })),
                }
            };
            assert!(problem.to_string().contains(word), "{problem}");
            assert!(reader.ready().recv_timeout(PATIENCE).is_err());
        }
    }
}
