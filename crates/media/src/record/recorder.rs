//! The recorder: the thread that writes frames.

use std::{
    path::Path,
    sync::{Arc, atomic::Ordering},
    thread::JoinHandle,
    time::Duration,
};

use crossbeam_channel::{Receiver, Sender, after, bounded, select_biased};

use super::{
    Destination, FrameSink, Recorded, TakenFrames,
    file::refused,
    output::{Output, RecordingEnd, Shot},
    queue::Progress,
};
use pictures::MediaError;
use threads::{WakeUp, process::spawn};

/// If the last frame is held longer than this, it is written again at the end time.
const HELD_FROM: Duration = Duration::from_millis(50);

/// How often the output is checked, and sound added, while no frames come.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A recording in progress. Dropping it still writes the queued frames, without reporting the result.
pub struct Recorder {
    destination: Destination,
    /// Closed to end the recording.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
    /// The outcome of writing, once it has ended.
    ended: Receiver<RecordingEnd>,
    progress: Arc<Progress>,
}

impl Recorder {
    /// Creates `destination` and records the frames of the returned sink into it: a video, or a folder of files named
    /// `frame-000001.png` and so on. Calls `wake_up` on the recorder's thread when the recording has ended, also if it
    /// ended because of a failure ([`Self::has_ended`]).
    ///
    /// # Errors
    /// [`MediaError`] if the folder or file cannot be created, or already exists.
    pub fn start(
        destination: &Destination,
        wake_up: WakeUp,
    ) -> Result<(Self, FrameSink), MediaError> {
        let (sink, taken) = FrameSink::open();
        let recorder = Self::of_taken(&taken, destination, wake_up)?;
        Ok((recorder, sink))
    }

    /// As [`Self::start`], with frames that were already taken.
    ///
    /// # Errors
    /// As [`Self::start`]; the frames can then go to another destination.
    pub fn of_taken(
        taken: &TakenFrames,
        destination: &Destination,
        wake_up: WakeUp,
    ) -> Result<Self, MediaError> {
        Self::writing(taken, destination, destination.open()?, wake_up)
    }

    fn writing(
        taken: &TakenFrames,
        destination: &Destination,
        mut output: Box<dyn Output>,
        wake_up: WakeUp,
    ) -> Result<Self, MediaError> {
        let (stop, stopped) = bounded(0);
        let (tell_end, ended) = bounded(1);
        let progress = taken.progress.clone();
        let taken = taken.clone();
        let work = move || {
            let written = write_all(&mut *output, &taken, &stopped, &*wake_up);
            let seen = &taken.progress;
            seen.has_ended.store(true, Ordering::Relaxed);
            let mut end = output.end();
            seen.bytes.store(output.bytes(), Ordering::Relaxed);
            // The first failure is the cause of later ones.
            end.failure = written.err().or(end.failure);
            // Fails only if the recorder was dropped.
            tell_end.send(end).ok();
            wake_up();
        };
        let thread = spawn("recorder", work).map_err(|why| refused(destination.path(), why))?;
        Ok(Self {
            destination: destination.clone(),
            stop: Some(stop),
            thread: Some(thread),
            ended,
            progress,
        })
    }

    /// The folder, or the file that the video becomes.
    pub fn path(&self) -> &Path {
        self.destination.path()
    }

    pub fn is_video(&self) -> bool {
        self.destination.is_video()
    }

    /// Number of frames written so far.
    pub fn written(&self) -> u64 {
        self.progress.written.load(Ordering::Relaxed)
    }

    /// Number of frames dropped so far.
    pub fn left_out(&self) -> u64 {
        self.progress.left_out().0
    }

    /// Bytes written so far. An encoder delays some.
    pub fn bytes(&self) -> u64 {
        self.progress.bytes.load(Ordering::Relaxed)
    }

    /// From the first frame to the last one written.
    pub fn length(&self) -> Duration {
        Duration::from_micros(self.progress.length_us.load(Ordering::Relaxed))
    }

    /// The microphone that is being recorded.
    pub fn microphone(&self) -> Option<&str> {
        self.destination
            .microphone()
            .filter(|_| self.no_sound().is_none())
            .map(|microphone| microphone.name.as_str())
    }

    /// Why sound that was wanted is not recorded any more, as text for the user.
    pub fn no_sound(&self) -> Option<&str> {
        self.progress.no_sound.get().map(String::as_str)
    }

    /// True if the recording has ended on its own, because writing failed or the thread is gone.
    pub fn has_ended(&self) -> bool {
        !self.ended.is_empty() || self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Ends the recording, even if its sink still exists. Blocks until the queued frames are written.
    pub fn finish(mut self) -> Recorded {
        self.join();
        let ended = self.ended.try_recv().unwrap_or_else(|_| {
            let reason = "a bug in StyleForge stopped it; please report it".to_owned();
            RecordingEnd { failure: Some(refused(self.path(), reason)), ..RecordingEnd::default() }
        });
        Recorded {
            path: self.path().to_owned(),
            is_video: self.is_video(),
            frames: ended.frames.unwrap_or_else(|| self.written()),
            left_out: self.left_out(),
            left_out_at_start: self.progress.left_out().1,
            bytes: self.bytes(),
            length: self.length(),
            microphone: self.destination.microphone().map(|found| found.name.clone()),
            notes: ended.notes,
            failure: ended.failure,
        }
    }

    /// As [`Self::finish`]; if no frame arrived, the recording's folder is removed, unless it contains other files.
    pub fn finish_or_discard(self) -> Recorded {
        let recorded = self.finish();
        if recorded.frames == 0 && !recorded.is_video {
            // A folder that cannot be removed does no harm.
            std::fs::remove_dir(&recorded.path).ok();
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

/// Writes frames until the recording is stopped, the sink is dropped, a write fails or the output ends on its own.
fn write_all(
    output: &mut dyn Output,
    taken: &TakenFrames,
    stopped: &Receiver<()>,
    wake_up: &dyn Fn(),
) -> Result<(), MediaError> {
    let (queue, progress) = (&taken.queue, &*taken.progress);
    let add_sound = |output: &mut dyn Output| {
        let (from, until) = (progress.began.get(), progress.until.get());
        if let Some(message) = output.add_sound(from.copied(), until.copied()) {
            progress.no_sound.set(message).ok();
            wake_up();
        }
    };
    let mut last: Option<Shot> = None;
    let save =
        |output: &mut dyn Output, last: &mut Option<Shot>, shot: Shot| -> Result<(), MediaError> {
            output.add(&shot)?;
            add_sound(output);
            progress.written.fetch_add(1, Ordering::Relaxed);
            progress.bytes.store(output.bytes(), Ordering::Relaxed);
            let length = shot.at.as_micros().try_into().unwrap_or(u64::MAX);
            progress.length_us.fetch_max(length, Ordering::Relaxed);
            if let Some(before) = last.replace(shot) {
                // Fails if the sink, which would refill the frame, was dropped.
                taken.back.try_send(before.frame).ok();
            }
            Ok(())
        };
    // Read for every frame: the end may be set while frames are queued.
    let end = || {
        progress
            .began
            .get()
            .zip(progress.until.get())
            .map(|(began, until)| until.saturating_duration_since(*began))
    };
    let receive = |output: &mut dyn Output, last: &mut Option<Shot>, shot: Shot| {
        taken.is_out(&shot);
        let in_time = end().is_none_or(|end| shot.at <= end);
        if in_time { save(output, last, shot) } else { Ok(()) }
    };
    loop {
        select_biased! {
            recv(stopped) -> _ => {
                // Writes only the frames queued now: a sink that is fed faster than the disk writes would never leave
                // the queue empty.
                for shot in queue.try_iter().take(queue.len()) {
                    receive(output, &mut last, shot)?;
                }
                break;
            }
            recv(queue) -> shot => match shot {
                Ok(shot) => receive(output, &mut last, shot)?,
                Err(_) => break,
            },
            recv(after(LOOK_EVERY)) -> _ => add_sound(output),
        }
        // `Output::end` returns the reason.
        if output.has_ended() {
            return Ok(());
        }
    }
    match (last.take(), end()) {
        (Some(shot), Some(end)) if shot.at + HELD_FROM < end => {
            save(output, &mut last, Shot { number: shot.number + 1, at: end, ..shot })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, time::Instant};

    use super::{super::pictures::TABLE, *};
    use pictures::encode::Format;
    use values::{disk::WriteError, frame::Frame};

    fn pictures(folder: &Path, format: Format) -> Destination {
        let folder = folder.to_owned();
        Destination::Pictures { folder, format }
    }

    #[test]
    fn frames_are_numbered_and_listed() {
        let home = tempfile::tempdir().expect("a folder");
        let folder = home.path().join("deep").join("take 1");
        let start = || Recorder::start(&pictures(&folder, Format::Png), Arc::new(|| {}));
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
    fn a_write_error_ends_it_and_notifies_at_once() {
        let home = tempfile::tempdir().expect("a folder");
        // Blocks the path of the third picture.
        fs::create_dir(home.path().join("frame-000003.png")).expect("made");
        let (ring, rung) = bounded(1);
        let wake_up = Arc::new(move || ring.try_send(()).expect("one ring"));
        let (recorder, mut sink) =
            Recorder::start(&pictures(home.path(), Format::Png), wake_up).expect("a folder");
        let frame = Frame::from_fn(8, 6, |x, y| [x as u8, y as u8, 0, 255]);
        for _ in 0..3 {
            sink.push(&frame, Instant::now());
        }
        rung.recv_timeout(Duration::from_secs(60)).expect("a ring");
        assert!(recorder.has_ended());
        for _ in 0..32 {
            sink.push(&frame, Instant::now());
        }
        assert_eq!((recorder.written(), recorder.left_out()), (2, 0));
        assert!(sink.has_ended());
        let recorded = recorder.finish();
        assert_eq!((recorded.frames, recorded.left_out), (2, 0));
        let failure = recorded.failure_text().expect("it failed");
        let expected = format!(
            "the recording in {0} ended after 2 pictures: {0}/frame-000003.png could not be written: ",
            home.path().display()
        );
        assert!(failure.starts_with(&expected), "{failure}");
        let table = fs::read_to_string(home.path().join(TABLE)).expect("a table");
        assert_eq!(table.lines().count(), 3, "{table}");
    }

    /// Simulates an encoder that takes a picture only on command, at any speed of the computer.
    struct Slow {
        asks: Sender<()>,
        goes: Receiver<()>,
        bytes: u64,
    }

    impl Output for Slow {
        fn add(&mut self, _: &Shot) -> Result<(), MediaError> {
            self.asks.send(()).ok();
            self.goes.recv().ok();
            self.bytes += 100;
            Ok(())
        }

        fn end(&mut self) -> RecordingEnd {
            RecordingEnd::default()
        }

        fn bytes(&self) -> u64 {
            self.bytes
        }
    }

    /// A recording by such an encoder, with room for `room` frames of 8 x 6 px.
    fn slow(room: u64) -> (Recorder, FrameSink, Receiver<()>, Sender<()>) {
        let (asks, asked) = crossbeam_channel::unbounded();
        let (go, goes) = crossbeam_channel::unbounded();
        let (sink, taken) = FrameSink::with_room(room * 8 * 6 * 4);
        let output = Box::new(Slow { asks, goes, bytes: 0 });
        let destination = pictures(Path::new("take"), Format::Png);
        let recorder = Recorder::writing(&taken, &destination, output, Arc::new(|| {}));
        (recorder.expect("a thread"), sink, asked, go)
    }

    #[test]
    fn frames_wait_while_an_encoder_starts_and_those_without_room_are_counted_with_the_reason() {
        let began = Instant::now();
        let frame = Frame::from_fn(8, 6, |_, _| [1, 2, 3, 255]);
        let mut seconds = 0..;
        let mut push = |sink: &mut FrameSink, count: usize| {
            for second in seconds.by_ref().take(count) {
                sink.push(&frame, began + Duration::from_secs(second));
            }
        };
        // Longer than any encoder takes to start, and nothing is lost.
        let (recorder, mut sink, _asked, go) = slow(250);
        push(&mut sink, 250);
        drop(go);
        let recorded = recorder.finish();
        assert_eq!((recorded.frames, recorded.left_out), (250, 0));
        assert_eq!(recorded.length, Duration::from_secs(249));

        let (recorder, mut sink, asked, go) = slow(10);
        push(&mut sink, 1);
        asked.recv().expect("the first is on its way");
        push(&mut sink, 10 + 5);
        assert_eq!((recorder.written(), recorder.left_out()), (0, 5));
        go.send(()).expect("the encoder");
        asked.recv().expect("the second");
        // Takes the queue slot of the second frame.
        push(&mut sink, 1 + 1);
        drop(go);
        let recorded = recorder.finish();
        assert_eq!((recorded.frames, recorded.left_out), (12, 6));
        assert_eq!(recorded.left_out_at_start, 5);
        let text = recorded.summary();
        let end = "; 5 were left out while the encoder was starting; \
                   1 was left out because frames came faster than they could be written";
        assert!(text.ends_with(end), "{text}");
    }

    #[test]
    fn a_recording_ends_although_its_sink_is_fed_faster_than_it_is_written() {
        let (mut recorder, mut sink, asked, go) = slow(16);
        let frame = Frame::from_fn(8, 6, |_, _| [1, 2, 3, 255]);
        sink.push(&frame, Instant::now());
        asked.recv().expect("the first is on its way");
        recorder.stop = None;
        // The frame being written, those queued when the end is noticed, and one before that.
        let most = 1 + 16 + 1;
        while !recorder.has_ended() && recorder.written() <= most {
            sink.push(&frame, Instant::now());
            go.send(()).ok();
        }
        drop(go);
        let recorded = recorder.finish();
        assert!(recorded.frames <= most, "{recorded:?}, at most {most}");
        assert_eq!(recorded.failure, None);
    }

    #[test]
    fn a_recording_without_a_frame_may_leave_nothing() {
        let home = tempfile::tempdir().expect("a folder");
        let start = |name: &str| {
            Recorder::start(&pictures(&home.path().join(name), Format::Png), Arc::new(|| {}))
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
    fn the_last_frame_is_held_until_the_requested_end() {
        let home = tempfile::tempdir().expect("a folder");
        let (mut sink, taken) = FrameSink::open();
        let destination = pictures(home.path(), Format::Bmp);
        let recorder = Recorder::of_taken(&taken, &destination, Arc::new(|| {})).expect("made");
        let began = Instant::now();
        sink.push(&Frame::from_fn(8, 6, |_, _| [1, 2, 3, 255]), began);
        let end = began + Duration::from_millis(2500);
        taken.hold_until(end);
        assert_eq!(taken.lasts(began), Duration::from_millis(2500));
        // The recording is not finished yet; dropping the sink ends it.
        sink.push(&Frame::from_fn(8, 6, |_, _| [9; 4]), end + HELD_FROM);
        drop(sink);
        while !recorder.has_ended() {
            std::thread::yield_now();
        }
        let recorded = recorder.finish();
        assert_eq!((recorded.frames, recorded.length.as_millis()), (2, 2500));
        let table = fs::read_to_string(home.path().join(TABLE)).expect("a table");
        assert!(table.contains("2,frame-000002.bmp,2.5000"), "{table}");
    }

    #[test]
    fn frames_that_wait_at_the_requested_end_count_up_to_it() {
        let began = Instant::now();
        let (mut sink, taken) = FrameSink::open();
        let frame = Frame::from_fn(8, 6, |_, _| [1, 2, 3, 255]);
        for second in 0..3 {
            sink.push(&frame, began + Duration::from_secs(second));
        }
        taken.hold_until(began + Duration::from_secs(1));
        let home = tempfile::tempdir().expect("a folder");
        let destination = pictures(home.path(), Format::Bmp);
        let recorder = Recorder::of_taken(&taken, &destination, Arc::new(|| {})).expect("made");
        assert_eq!(recorder.finish().frames, 2);
    }

    #[test]
    fn a_dropped_recording_is_still_written() {
        let home = tempfile::tempdir().expect("a folder");
        let (recorder, mut sink) =
            Recorder::start(&pictures(home.path(), Format::Bmp), Arc::new(|| {}))
                .expect("a folder");
        for _ in 0..16 {
            let frame = Frame::from_fn(8, 6, |_, _| [1, 2, 3, 255]);
            sink.push(&frame, Instant::now());
        }
        let taken = sink.taken;
        drop(recorder);
        let table = fs::read_to_string(home.path().join(TABLE)).expect("a table");
        assert_eq!(table.lines().count() as u64, 1 + taken);
        assert_eq!(fs::read_dir(home.path()).expect("listed").count() as u64, 1 + taken);
    }
}
