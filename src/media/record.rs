//! Recording live pictures into a folder: one file a frame, and a table of when each was shown.
//!
//! Encoding and writing happen on a thread of the recorder's own. Frames wait in a short queue; when it is
//! full a frame is left out and counted, because nobody may wait for a disk. Every file is written whole
//! or not at all, and nothing that exists is replaced.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    thread::JoinHandle,
    time::Duration,
};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use super::{
    MediaError,
    encode::{Encoding, Existing, Format, folder_of, save, write_error},
};
use crate::frame::Frame;

/// Frames that may wait to be written.
const QUEUE: usize = 16;
/// Name of the table.
const TABLE: &str = "frames.csv";

/// What a recording came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// Files written.
    pub frames: u64,
    /// Frames left out because the disk was too slow.
    pub left_out: u64,
    /// Why it ended early; no more frames were written after that.
    pub failure: Option<MediaError>,
}

struct Shot {
    number: u64,
    at: Duration,
    frame: Frame,
}

/// A recording in progress.
pub struct Recorder {
    folder: PathBuf,
    shots: Option<Sender<Shot>>,
    /// Emptied frames come back to be filled again.
    empties: Receiver<Frame>,
    thread: Option<JoinHandle<Recorded>>,
    taken: u64,
    left_out: u64,
}

impl Recorder {
    /// Records into `folder`, which is made; frames are named `frame-000001.png` and so on.
    ///
    /// # Errors
    /// [`MediaError`] when the folder cannot be made or holds a recording already.
    pub fn start(folder: &Path, format: Format) -> Result<Self, MediaError> {
        let name = folder.display().to_string();
        if folder.exists() && !folder.is_dir() {
            return Err(MediaError::Write {
                name,
                reason: "it is not a folder; choose another name".to_owned(),
            });
        }
        let write = |error: std::io::Error| write_error(&name, folder_of(folder), &error);
        fs::create_dir_all(folder).map_err(write)?;
        let table = folder.join(TABLE);
        if table.exists() {
            return Err(MediaError::Write {
                name: name.clone(),
                reason: "it holds a recording already; choose another folder".to_owned(),
            });
        }
        let mut csv = fs::File::create(&table).map_err(write)?;
        writeln!(csv, "frame,file,seconds").map_err(write)?;
        let (shots, queue) = bounded::<Shot>(QUEUE);
        let (back, empties) = bounded(QUEUE);
        let home = folder.to_owned();
        let life = move || {
            let mut recorded = Recorded::default();
            for shot in queue {
                if recorded.failure.is_none() {
                    let file = format!("frame-{:06}.{}", shot.number, format.extension());
                    let saved = save(
                        &home.join(&file),
                        &shot.frame,
                        None,
                        Encoding::of(format),
                        Existing::Keep,
                    );
                    match saved {
                        Ok(_) => {
                            recorded.frames += 1;
                            let seconds = shot.at.as_secs_f64();
                            // The pictures count; a table that cannot be written stays short.
                            writeln!(csv, "{},{file},{seconds:.4}", shot.number).ok();
                        }
                        Err(error) => recorded.failure = Some(error),
                    }
                }
                // Nobody may be left to fill it.
                back.try_send(shot.frame).ok();
            }
            recorded
        };
        let thread = std::thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(life)
            .map_err(write)?;
        Ok(Self {
            folder: folder.to_owned(),
            shots: Some(shots),
            empties,
            thread: Some(thread),
            taken: 0,
            left_out: 0,
        })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Frames that were taken to be written so far.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// Frames that were left out so far.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Whether the recording has ended by itself, because writing failed or the thread is gone.
    pub fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Takes a copy of `frame`, shown `at` after the beginning. Never waits.
    pub fn push(&mut self, frame: &Frame, at: Duration) {
        let mut copy = match self.empties.try_recv() {
            Ok(empty) if (empty.width(), empty.height()) == (frame.width(), frame.height()) => {
                empty
            }
            _ => Frame::from_fn(frame.width(), frame.height(), |_, _| [0; 4]),
        };
        copy.rgba_mut().copy_from_slice(frame.rgba());
        let shot = Shot {
            number: self.taken + 1,
            at,
            frame: copy,
        };
        match self.shots.as_ref().map(|shots| shots.try_send(shot)) {
            Some(Ok(())) => self.taken += 1,
            Some(Err(TrySendError::Full(_) | TrySendError::Disconnected(_))) | None => {
                self.left_out += 1;
            }
        }
    }

    /// Ends the recording. Blocks until the frames that wait are written.
    pub fn finish(mut self) -> Recorded {
        self.shots = None;
        let recorded = self.thread.take().and_then(|thread| thread.join().ok());
        let mut recorded = recorded.unwrap_or_default();
        recorded.left_out = self.left_out;
        recorded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_numbered_and_listed() {
        let home = tempfile::tempdir().expect("a folder");
        let folder = home.path().join("deep").join("take 1");
        let mut recorder = Recorder::start(&folder, Format::Png).expect("a folder");
        for i in 0..5u8 {
            let frame = Frame::from_fn(8, 6, |x, _| [i * 10, x as u8, 0, 255]);
            recorder.push(&frame, Duration::from_millis(40 * u64::from(i)));
        }
        let recorded = recorder.finish();
        assert_eq!(recorded.frames + recorded.left_out, 5);
        assert_eq!(recorded.failure, None);
        let table = fs::read_to_string(folder.join(TABLE)).expect("a table");
        assert_eq!(table.lines().count() as u64, 1 + recorded.frames);
        assert!(table.contains("1,frame-000001.png,0.0000"));
        let picture = image::open(folder.join("frame-000001.png")).expect("a picture");
        assert_eq!(picture.to_rgba8().get_pixel(3, 0).0, [0, 3, 0, 255]);
        let again = Recorder::start(&folder, Format::Png).map(drop);
        assert!(
            matches!(again, Err(MediaError::Write { reason, .. }) if reason.contains("another folder"))
        );
    }
}
