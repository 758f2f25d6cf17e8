//! Recording live pictures into a folder: one file a frame, and a table (`frames.csv`) of when each was ready.
//!
//! Encoding and writing happen on a thread of the recorder's own. Frames come through a [`FrameSink`] on the
//! thread that makes them; the [`Recorder`] starts and ends the recording from another. Frames wait in a short
//! queue; when it is full a frame is left out and counted, because painting must not wait for a disk. Every
//! picture is written whole or not at all; `frames.csv` gets a line for each, appended in place. No file that
//! exists is replaced. The first failure to write ends the recording: the thread calls the recorder's `wake_up`
//! at once and takes no more frames.

use std::{
    borrow::Cow,
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, bounded, select_biased};

use super::{
    MediaError,
    encode::{self, Encoding, Existing, Format},
};
use crate::{
    disk::{self, FolderSync, WriteError, reason},
    frame::Frame,
    text::csv_line,
};

/// Frames that may wait to be written.
const QUEUE: usize = 16;
/// Name of the table.
const TABLE: &str = "frames.csv";

/// The result of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Where it lies.
    pub folder: PathBuf,
    /// Files written.
    pub frames: u64,
    /// Frames left out because the disk was too slow.
    pub left_out: u64,
    /// Why it ended early; no more frames were written after that.
    pub failure: Option<MediaError>,
}

impl Recorded {
    /// Why it ended early and how much was saved, for people; `None` when it did not fail.
    pub fn failure_in_words(&self) -> Option<String> {
        let failure = self.failure.as_ref()?;
        let pictures = if self.frames == 1 {
            "picture"
        } else {
            "pictures"
        };
        Some(format!(
            "the recording in {} ended after {} {pictures}: {failure}",
            self.folder.display(),
            self.frames
        ))
    }
}

struct Shot {
    number: u64,
    at: Duration,
    frame: Frame,
}

/// A recording in progress. Dropped, it still writes the frames that wait, without reporting the result.
pub struct Recorder {
    folder: PathBuf,
    /// Closed to end the recording.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
    /// How writing ended, once it has.
    ended: Receiver<Result<(), MediaError>>,
    counts: Arc<FrameCounts>,
}

/// The sink for a recording's frames; belongs to the thread that makes them. The recording goes on without it
/// and takes no more frames.
pub struct FrameSink {
    frames: Sender<Shot>,
    /// Emptied frames come back to be filled again.
    empties: Receiver<Frame>,
    taken: u64,
    /// When the first frame was ready.
    began: Option<Instant>,
    counts: Arc<FrameCounts>,
}

#[derive(Default)]
struct FrameCounts {
    written: AtomicU64,
    left_out: AtomicU64,
    /// Set once no frame is taken any more.
    has_ended: AtomicBool,
}

impl Recorder {
    /// Records the frames of the sink into `folder`, which is made; files are named `frame-000001.png` and so
    /// on. `wake_up` is called, on the recorder's thread, when the recording has ended by itself
    /// ([`Self::has_ended`]).
    ///
    /// # Errors
    /// [`MediaError`] when the folder cannot be made or holds a recording already.
    pub fn start(
        folder: &Path,
        format: Format,
        wake_up: Arc<dyn Fn() + Send + Sync>,
    ) -> Result<(Self, FrameSink), MediaError> {
        let refused = |reason: String| -> MediaError {
            let name = folder.display().to_string();
            WriteError::Refused { name, reason }.into()
        };
        disk::make_folder(folder)?;
        disk::sweep(folder);
        let path = folder.join(TABLE);
        let mut table = disk::create_new(&path).map_err(|error| match error {
            WriteError::Exists { .. } => {
                refused("it holds a recording already; choose another folder".to_owned())
            }
            other => other.into(),
        })?;
        let begun = table
            .write_all(b"frame,file,seconds\n")
            .map_err(|e| refused(reason(&e)));
        let (frames, queue) = bounded::<Shot>(QUEUE);
        let (back, empties) = bounded(QUEUE);
        let (stop, stopped) = bounded(0);
        let (tell_end, ended) = bounded(1);
        let counts = Arc::<FrameCounts>::default();
        let mut writer = Writer {
            folder: folder.to_owned(),
            format,
            table,
            counts: counts.clone(),
        };
        let work = move || {
            let result = writer.write_all(queue, &stopped, &back);
            let counts = &writer.counts;
            counts.has_ended.store(true, Ordering::Relaxed);
            // The other end waits as long as it is there.
            tell_end.send(result).ok();
            wake_up();
        };
        let thread = begun.and_then(|()| {
            std::thread::Builder::new()
                .name("recorder".to_owned())
                .spawn(work)
                .map_err(|e| refused(reason(&e)))
        });
        let thread = thread.inspect_err(|_| {
            // Nothing was recorded; another recording may begin here.
            fs::remove_file(&path).ok();
        })?;
        let recorder = Self {
            folder: folder.to_owned(),
            stop: Some(stop),
            thread: Some(thread),
            ended,
            counts: counts.clone(),
        };
        let sink = FrameSink {
            frames,
            empties,
            taken: 0,
            began: None,
            counts,
        };
        Ok((recorder, sink))
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Frames that are written so far.
    pub fn written(&self) -> u64 {
        self.counts.written.load(Ordering::Relaxed)
    }

    /// Frames that were left out so far.
    pub fn left_out(&self) -> u64 {
        self.counts.left_out.load(Ordering::Relaxed)
    }

    /// Whether the recording has ended by itself, because writing failed or the thread is gone.
    pub fn has_ended(&self) -> bool {
        !self.ended.is_empty() || self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Ends the recording, whether or not its sink is still there. Blocks until the frames that wait are written.
    pub fn finish(mut self) -> Recorded {
        self.join();
        let failure = match self.ended.try_recv() {
            Ok(result) => result.err(),
            Err(_) => Some(MediaError::Write(WriteError::Refused {
                name: self.folder.display().to_string(),
                reason: "a mistake in StyleForge stopped it; please report it".to_owned(),
            })),
        };
        Recorded {
            folder: self.folder.clone(),
            frames: self.written(),
            left_out: self.left_out(),
            failure,
        }
    }

    /// As [`Self::finish`]; where no frame came, the recording's folder is removed, unless it holds other files.
    pub fn finish_or_discard(self) -> Recorded {
        let recorded = self.finish();
        if recorded.frames == 0 {
            // What cannot be removed stays, and does no harm.
            let table = fs::remove_file(recorded.folder.join(TABLE));
            table.and_then(|()| fs::remove_dir(&recorded.folder)).ok();
        }
        recorded
    }

    fn join(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // A panic has been printed; the missing result of the thread becomes an error.
            thread.join().ok();
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.join();
    }
}

impl FrameSink {
    /// Whether the recording has ended and takes no more frames.
    pub fn has_ended(&self) -> bool {
        self.counts.has_ended.load(Ordering::Relaxed)
    }

    /// Takes a copy of `frame`, which was ready at this time; times in the table count from the first
    /// frame's. Never waits. A recording that has ended takes nothing.
    pub fn push(&mut self, frame: &Frame, ready_at: Instant) {
        if self.has_ended() {
            return;
        }
        if self.frames.is_full() {
            // Only this thread fills the queue, so there is no need to copy the frame first.
            self.counts.left_out.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let began = *self.began.get_or_insert(ready_at);
        let mut copy = match self.empties.try_recv() {
            Ok(empty) if (empty.width(), empty.height()) == (frame.width(), frame.height()) => {
                empty
            }
            _ => Frame::from_fn(frame.width(), frame.height(), |_, _| [0; 4]),
        };
        copy.rgba_mut().copy_from_slice(frame.rgba());
        let shot = Shot {
            number: self.taken + 1,
            at: ready_at.saturating_duration_since(began),
            frame: copy,
        };
        // Fails only when the recording has just ended.
        if self.frames.try_send(shot).is_ok() {
            self.taken += 1;
        }
    }
}

/// The recorder's thread's part.
struct Writer {
    folder: PathBuf,
    format: Format,
    table: File,
    counts: Arc<FrameCounts>,
}

impl Writer {
    /// Writes frames until the recording is stopped, the sink is dropped or a write fails.
    fn write_all(
        &mut self,
        queue: Receiver<Shot>,
        stopped: &Receiver<()>,
        back: &Sender<Frame>,
    ) -> Result<(), MediaError> {
        let mut save = |shot: Shot| -> Result<(), MediaError> {
            self.write(&shot)?;
            // The sink that would fill it may be dropped.
            back.try_send(shot.frame).ok();
            Ok(())
        };
        loop {
            select_biased! {
                recv(stopped) -> _ => {
                    // Those that wait now and no later ones: a sink that is still fed faster than the disk
                    // writes would never leave the queue empty.
                    for shot in queue.try_iter().take(queue.len()) {
                        save(shot)?;
                    }
                    break;
                }
                recv(queue) -> shot => match shot {
                    Ok(shot) => save(shot)?,
                    Err(_) => break,
                },
            }
        }
        disk::sync_file(&self.table, &self.folder.join(TABLE))
            .and_then(|()| disk::sync_folder(&self.folder))
            .map_err(|e| self.refused(TABLE, reason(&e)))
    }

    fn write(&mut self, shot: &Shot) -> Result<(), MediaError> {
        let file = format!("frame-{:06}.{}", shot.number, self.format.extension());
        let path = self.folder.join(&file);
        // The names of all pictures are brought to the disk once, when the recording ends.
        let (existing, sync) = (Existing::Keep, FolderSync::Later);
        disk::write_whole(&path, existing, sync, |to, name| {
            let encoding = Encoding::of(self.format);
            encode::write(to, name, Cow::Borrowed(&shot.frame), None, encoding, &[])
        })
        .map_err(|error| match error {
            MediaError::Write(WriteError::Exists { .. }) => {
                let why = "it exists already and was not touched; choose another folder";
                self.refused(&file, why.to_owned())
            }
            other => other,
        })?;
        self.counts.written.fetch_add(1, Ordering::Relaxed);
        // In one piece, so that a kill tears no line.
        let seconds = format!("{:.4}", shot.at.as_secs_f64());
        let line = csv_line([shot.number.to_string(), file, seconds]);
        self.table
            .write_all(line.as_bytes())
            .map_err(|e| self.refused(TABLE, reason(&e)))
    }

    fn refused(&self, file: &str, reason: String) -> MediaError {
        let name = self.folder.join(file).display().to_string();
        WriteError::Refused { name, reason }.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_numbered_and_listed() {
        let home = tempfile::tempdir().expect("a folder");
        let folder = home.path().join("deep").join("take 1");
        let start = || Recorder::start(&folder, Format::Png, Arc::new(|| {}));
        let (recorder, mut sink) = start().expect("a folder");
        let began = Instant::now();
        for i in 0..5u8 {
            let frame = Frame::from_fn(8, 6, |x, _| [i * 10, x as u8, 0, 255]);
            sink.push(&frame, began + Duration::from_millis(40 * u64::from(i)));
        }
        let recorded = recorder.finish();
        assert_eq!(recorded.frames + recorded.left_out, 5);
        assert_eq!(recorded.failure, None);
        let table = fs::read_to_string(folder.join(TABLE)).expect("a table");
        assert_eq!(table.lines().count() as u64, 1 + recorded.frames);
        assert!(table.contains("1,frame-000001.png,0.0000"));
        let picture = image::open(folder.join("frame-000001.png")).expect("a picture");
        assert_eq!(picture.to_rgba8().get_pixel(3, 0).0, [0, 3, 0, 255]);
        let again = start().map(drop);
        assert!(
            matches!(again, Err(MediaError::Write(WriteError::Refused { reason, .. })) if reason.contains("another folder"))
        );
    }

    #[test]
    fn what_cannot_be_written_ends_it_and_rings_at_once() {
        let home = tempfile::tempdir().expect("a folder");
        // In the third picture's way.
        fs::create_dir(home.path().join("frame-000003.png")).expect("made");
        let (ring, rung) = bounded(1);
        let wake_up = Arc::new(move || ring.try_send(()).expect("one ring"));
        let (recorder, mut sink) =
            Recorder::start(home.path(), Format::Png, wake_up).expect("a folder");
        let frame = Frame::from_fn(8, 6, |x, y| [x as u8, y as u8, 0, 255]);
        for _ in 0..3 {
            sink.push(&frame, Instant::now());
        }
        rung.recv_timeout(Duration::from_secs(60)).expect("a ring");
        assert!(recorder.has_ended());
        for _ in 0..2 * QUEUE {
            sink.push(&frame, Instant::now());
        }
        assert_eq!((recorder.written(), recorder.left_out()), (2, 0));
        assert!(sink.has_ended());
        let recorded = recorder.finish();
        assert_eq!((recorded.frames, recorded.left_out), (2, 0));
        let failure = recorded.failure_in_words().expect("it failed");
        let expected = format!(
            "the recording in {0} ended after 2 pictures: {0}/frame-000003.png could not be written: ",
            home.path().display()
        );
        assert!(failure.starts_with(&expected), "{failure}");
        let table = fs::read_to_string(home.path().join(TABLE)).expect("a table");
        assert_eq!(table.lines().count(), 3, "{table}");
    }

    #[test]
    fn a_recording_ends_although_its_sink_is_fed_faster_than_the_disk_writes() {
        let home = tempfile::tempdir().expect("a folder");
        let (mut recorder, mut sink) =
            Recorder::start(home.path(), Format::Bmp, Arc::new(|| {})).expect("a folder");
        let frame = Frame::from_fn(8, 6, |_, _| [1, 2, 3, 255]);
        while recorder.written() == 0 {
            sink.push(&frame, Instant::now());
        }
        recorder.stop = None;
        // The one that is being written, and those that wait when the end is noticed.
        let most = recorder.written() + 1 + QUEUE as u64;
        while !recorder.has_ended() && recorder.written() <= most {
            sink.push(&frame, Instant::now());
        }
        let recorded = recorder.finish();
        assert!(recorded.frames <= most, "{recorded:?}, at most {most}");
        assert_eq!(recorded.failure, None);
    }

    #[test]
    fn a_recording_without_a_frame_may_leave_nothing() {
        let home = tempfile::tempdir().expect("a folder");
        let start = |name: &str| {
            Recorder::start(&home.path().join(name), Format::Png, Arc::new(|| {}))
                .expect("a folder")
                .0
        };
        let recorded = start("empty").finish_or_discard();
        assert_eq!((recorded.frames, recorded.failure), (0, None));
        assert!(!home.path().join("empty").exists());
        let recorder = start("shared");
        let other = home.path().join("shared").join("other.txt");
        fs::write(&other, "a person's own").expect("written");
        recorder.finish_or_discard();
        assert!(other.exists());
    }

    #[test]
    fn a_recording_that_is_dropped_is_written_all_the_same() {
        let home = tempfile::tempdir().expect("a folder");
        let (recorder, mut sink) =
            Recorder::start(home.path(), Format::Bmp, Arc::new(|| {})).expect("a folder");
        for _ in 0..QUEUE {
            let frame = Frame::from_fn(8, 6, |_, _| [1, 2, 3, 255]);
            sink.push(&frame, Instant::now());
        }
        let taken = sink.taken;
        drop(recorder);
        let table = fs::read_to_string(home.path().join(TABLE)).expect("a table");
        assert_eq!(table.lines().count() as u64, 1 + taken);
        assert_eq!(
            fs::read_dir(home.path()).expect("listed").count() as u64,
            1 + taken
        );
    }
}
