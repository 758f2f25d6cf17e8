//! A recording as fragmented MP4, encoded by the user's ffmpeg.

use std::{
    borrow::Cow,
    fs::{self, File},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::{
    Microphone,
    file::{self, refused},
    fit::Fit,
    fragments::frames_in,
    microphone::{Capture, silence},
    output::{Output, RecordingEnd, Shot},
};
use crate::{
    codec::{Codec, Colors, Pace},
    encoder::{Encoder, Encoding},
    ffmpeg::Ffmpeg,
    memory::Flow,
    nut::{NutStream, SQUARE, Track},
};
use pictures::MediaError;
use values::{
    control::RunControl,
    disk::{self, reason},
};

/// Ticks per second of a recording's clock: the usual clock of video, 11 microseconds a tick.
const TICKS_PER_SECOND: u32 = 90_000;
/// How long an encoder may accept nothing, or take to end, before it is killed.
const PATIENCE: Duration = Duration::from_secs(20);
/// Quality if none is chosen: higher than that of films, because the encoder works faster.
pub const USUAL_QUALITY: u8 = 95;
/// Sound in step with its times: a microphone that is too fast or too slow is stretched, gaps are filled. `res`: the filter
/// stretches from the start; otherwise it begins anew when it first stretches, and inserts silence as long as the sound so
/// far.
const SOUND: &str =
    "-map 0:a:0 -af aresample=async=1000:min_comp=0.01:first_pts=0:flags=+res -c:a aac -b:a 160k";
/// The sound begins with silence, because ffmpeg writes nothing before the first sound, and the microphone starts late.
const LEAD: Duration = Duration::from_millis(100);
/// A fragment covers a second and can be played as soon as it is written, whatever happens afterwards. `delay_moov`: the
/// header is written with the first one, because it has the delay of the sound's encoder. Pictures and sound do not wait
/// longer than a second for each other.
const FRAGMENTS: &str = "-movflags +frag_keyframe+empty_moov+delay_moov+default_base_moof \
    -frag_duration 1000000 -max_interleave_delta 1000000 -flush_packets 1 \
    -metadata encoding_tool=StyleForge -f mp4 pipe:1";

/// How an MP4 is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mp4Choice {
    pub ffmpeg: Ffmpeg,
    /// One that MP4 can hold.
    pub codec: Codec,
    /// 1 to 100.
    pub quality: u8,
    /// The graphics card encodes, if it can.
    pub hardware: bool,
    /// Records sound, if there is one.
    pub microphone: Option<Microphone>,
}

impl From<Ffmpeg> for Mp4Choice {
    /// Encodes H.264 on the processor, without sound.
    fn from(ffmpeg: Ffmpeg) -> Self {
        let (codec, quality) = (Codec::H264, USUAL_QUALITY);
        Self { ffmpeg, codec, quality, hardware: false, microphone: None }
    }
}

/// An MP4 file.
pub struct Mp4 {
    choice: Mp4Choice,
    patience: Duration,
    path: PathBuf,
    file: File,
    sound: Option<Capture>,
    video: Option<Video>,
    frames: u64,
    notes: Vec<String>,
}

/// The state from the first picture on.
struct Video {
    encoder: Encoder,
    fit: Fit,
    /// Time of the last picture.
    ticks: Option<u64>,
    /// Time of the last sound.
    sound_ticks: Option<u64>,
}

impl Mp4 {
    /// Creates the file, and starts to record sound.
    ///
    /// # Errors
    /// See [`file::create`].
    pub fn create(path: &Path, choice: Mp4Choice) -> Result<Self, MediaError> {
        let file = file::create(path, |_| false)?;
        let sound = choice.microphone.as_ref().map(Microphone::start).transpose();
        let sound = sound.map_err(|why| {
            // Otherwise it stays, empty; the next recording may replace it.
            fs::remove_file(path).ok();
            refused(path, format!("the microphone failed: {why}"))
        })?;
        let (patience, path, notes) = (PATIENCE, path.to_owned(), Vec::new());
        Ok(Self { choice, patience, path, file, sound, video: None, frames: 0, notes })
    }

    fn start(&mut self, shot: &Shot) -> Result<Video, String> {
        let Mp4Choice { ref ffmpeg, codec, quality, hardware, .. } = self.choice;
        let fit = Fit::of(shot.frame.size());
        let (width, height) = even(fit.size());
        let control = RunControl::default();
        let encoder = hardware.then(|| codec.hardware(ffmpeg, (width, height), &control));
        if encoder == Some(None) {
            let why = format!("encoded in software: no graphics card here encodes {codec}");
            self.notes.push(why);
        }
        let hardware = encoder.as_ref().and_then(Option::as_deref);
        let (pace, colors) = (Pace::Live, Some((Colors::bt709(), "bt709", "tv")));
        let has_alpha = false;
        let flow = Flow::Usual;
        let fields = None;
        let encoding =
            Encoding { ffmpeg, codec, quality, hardware, pace, flow, has_alpha, fields, colors };
        let has_sound = self.sound.is_some();
        let tick = (1, u64::from(TICKS_PER_SECOND));
        let yuv = encoding.yuv((width, height));
        let stream =
            NutStream { width, height, tick, aspect: SQUARE, yuv, has_sound, is_deep: false };
        let mut command = encoding.command(&stream)?;
        command.args(["-force_key_frames", "expr:gte(t,n_forced*2)"]);
        if has_sound {
            command.args(SOUND.split(' '));
        }
        command.args(FRAGMENTS.split_whitespace());
        if cfg!(windows) {
            // There, a lock keeps other processes from writing.
            self.file.unlock().ok();
        }
        command.stdout(self.file.try_clone().map_err(|e| reason(&e))?);
        let mut encoder = Encoder::start(command, &stream, self.patience, None)
            .map_err(|why| format!("ffmpeg could not be started: {why}"))?;
        if has_sound {
            encoder.send(Track::Sound, 0, &silence(LEAD));
        }
        Ok(Video { encoder, fit, ticks: None, sound_ticks: None })
    }

    /// Waits for the encoder's end, if it was started.
    fn close(&mut self) -> Result<(), MediaError> {
        // The microphone is released at once.
        self.sound = None;
        let Some(video) = self.video.take() else {
            return Ok(());
        };
        self.notes.extend(video.notes(self.choice.codec));
        let ended = video.encoder.wait();
        let failed = |e: std::io::Error| refused(&self.path, reason(&e));
        self.frames =
            File::open(&self.path).and_then(|mut file| frames_in(&mut file)).map_err(failed)?;
        ended.map_err(|why| refused(&self.path, why))?;
        disk::sync_file(&self.file, &self.path).map_err(failed)?;
        if self.frames == 0 {
            let reason = "ffmpeg wrote no frame of the video".to_owned();
            return Err(refused(&self.path, reason));
        }
        Ok(())
    }
}

impl Output for Mp4 {
    fn add(&mut self, shot: &Shot) -> Result<(), MediaError> {
        let mut video = match self.video.take() {
            Some(video) => video,
            None => self.start(shot).map_err(|why| refused(&self.path, why))?,
        };
        let is_added = video.add(shot);
        self.video = Some(video);
        if is_added {
            return Ok(());
        }
        // The encoder's result contains the reason.
        self.close()?;
        let reason = "ffmpeg accepts no more frames".to_owned();
        Err(refused(&self.path, reason))
    }

    fn end(&mut self) -> RecordingEnd {
        let closed = self.close();
        if self.frames == 0 {
            // If it cannot be removed, it stays, empty; the next recording may replace it.
            fs::remove_file(&self.path).ok();
        }
        RecordingEnd {
            frames: Some(self.frames),
            notes: std::mem::take(&mut self.notes),
            failure: closed.err(),
        }
    }

    fn bytes(&self) -> u64 {
        self.file.metadata().map_or(0, |about| about.len())
    }

    fn has_ended(&self) -> bool {
        self.video.as_ref().is_some_and(|video| video.encoder.has_ended())
    }

    fn add_sound(&mut self, from: Option<Instant>, until: Option<Instant>) -> Option<String> {
        let sound = self.sound.as_mut()?;
        let pieces = sound.take();
        if let (Some(from), Some(video)) = (from, &mut self.video) {
            let is_recorded =
                |at: Instant| at >= from + LEAD && until.is_none_or(|until| at < until);
            for piece in pieces.into_iter().filter(|piece| is_recorded(piece.at)) {
                // If it fails, the next picture fails too.
                let ticks = &mut video.sound_ticks;
                *ticks = Some(ticks_of(piece.at - from, *ticks));
                video.encoder.send(Track::Sound, ticks.unwrap_or(0), &piece.samples);
            }
        }
        let problem = sound.problem(Instant::now())?;
        // The microphone is released, also if it sends something later.
        self.sound = None;
        self.notes.push(problem.clone());
        Some(problem)
    }
}

/// The stored size of a picture, at most one pixel more per side: four pixels share their colour.
const fn even((width, height): (usize, usize)) -> (usize, usize) {
    (width.next_multiple_of(2), height.next_multiple_of(2))
}

/// The time in ticks, after those of the frame `before`: frames with equal times must have different ticks.
fn ticks_of(at: Duration, before: Option<u64>) -> u64 {
    let exact = at.as_secs_f64() * f64::from(TICKS_PER_SECOND);
    (exact.round() as u64).max(before.map_or(0, |before| before + 1))
}

impl Video {
    /// Returns true if the encoder accepted the picture.
    fn add(&mut self, shot: &Shot) -> bool {
        let ticks = ticks_of(shot.at, self.ticks);
        self.ticks = Some(ticks);
        let mut frame = self.fit.apply(&shot.frame);
        let (width, height) = even(frame.size());
        if frame.size() != (width, height) {
            frame = Cow::Owned(frame.extended(width, height));
        }
        self.encoder.send(Track::Pictures, ticks, frame.rgba())
    }

    fn notes(&self, codec: Codec) -> Vec<String> {
        let (width, height) = self.fit.size();
        let (wide, high) = even((width, height));
        let mut notes: Vec<String> = self.fit.note().into_iter().collect();
        if (wide, high) != (width, height) {
            notes.push(format!(
                "{width} x {height} px became {wide} x {high}, because {} needs even sides; a column or row is added",
                codec.title()
            ));
        }
        notes
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::{fs, thread};

    use super::{super::fragments::tests::fragment, *};
    use crate::{fake_ffmpeg, nut::NutMuxer};
    use threads::process;
    use values::frame::Frame;

    /// An output with this script instead of ffmpeg, and its folder.
    fn output(script: &str, has_sound: bool) -> (Mp4, tempfile::TempDir) {
        let here = tempfile::tempdir().expect("a folder");
        fs::write(here.path().join("film"), [fragment(60), fragment(7)].concat()).expect("written");
        let ffmpeg = Ffmpeg {
            program: fake_ffmpeg::program(here.path(), &format!("cd {:?}\n{script}", here.path())),
            version: "6.1".to_owned(),
            encoders: vec!["libx264".to_owned()],
            sets_durations: true,
        };
        let microphone = has_sound.then(|| Microphone::scripted(&ffmpeg));
        let choice = Mp4Choice { microphone, ..ffmpeg.into() };
        // Only a script that hangs has to be given up; the others may take their time on a busy machine.
        let seconds = if script.contains("sleep") || script.contains("while") { 0.3 } else { 60.0 };
        let clip = here.path().join("clip.mp4");
        let mut mp4 = Mp4::create(&clip, choice).expect("a file");
        mp4.patience = Duration::from_secs_f64(seconds);
        (mp4, here)
    }

    fn shot(number: u64) -> Shot {
        let frame = Frame::from_fn(320, 240, |_, _| [9, 9, 9, 255]);
        Shot { number, at: Duration::from_millis(40 * (number - 1)), frame }
    }

    /// The result of a recording without sound.
    fn by(script: &str) -> (RecordingEnd, tempfile::TempDir) {
        let (mut mp4, here) = output(script, false);
        // More pictures than any pipe can buffer.
        let failure = (1..=40).find_map(|number| mp4.add(&shot(number)).err());
        let mut ended = mp4.end();
        ended.failure = failure.or(ended.failure);
        (ended, here)
    }

    fn why(ended: &RecordingEnd) -> String {
        ended.failure.as_ref().expect("a failure").to_string()
    }

    #[test]
    fn the_message_of_a_failing_encoder_is_reported_and_nothing_is_left() {
        let (ended, here) =
            by("head -c 9000 >nothing; printf 'Unknown\\033[1m encoder\\n' >&2; exit 7");
        let message = why(&ended);
        let end = "could not be written: ffmpeg cannot encode: Unknown\\u{1b}[1m encoder";
        assert!(message.ends_with(end), "{message}");
        assert_eq!(ended.frames, Some(0));
        assert!(!here.path().join("clip.mp4").exists());
        let (ended, _) = by("head -c 9000 >nothing; exit 0");
        assert!(why(&ended).ends_with("ffmpeg ended early"), "{}", why(&ended));
    }

    #[test]
    fn the_output_of_a_killed_encoder_is_kept() {
        // The last fragment is incomplete.
        let (ended, here) = by("head -c 9000 >nothing; head -c 1800 film; kill -9 $$");
        assert!(why(&ended).contains("signal: 9"), "{}", why(&ended));
        assert_eq!(ended.frames, Some(60));
        assert_eq!(fs::read(here.path().join("clip.mp4")).expect("kept").len(), 1800);
    }

    #[test]
    fn an_encoder_that_hangs_or_does_not_end_is_ended() {
        for (script, words) in [
            ("cat film; exec sleep 600", "ffmpeg encoded nothing for 0.3 s and was stopped"),
            ("cat >nothing; cat film; exec sleep 600", "ffmpeg did not finish within 0.3 s"),
            ("cat >nothing; cat film; while :; do echo more >&2; done", "ffmpeg did not finish"),
        ] {
            let (ended, here) = by(script);
            assert!(why(&ended).contains(words), "{}", why(&ended));
            assert_eq!(ended.frames, Some(67));
            assert!(here.path().join("clip.mp4").exists());
        }
    }

    #[test]
    fn an_encoder_that_writes_no_picture_has_failed_and_nothing_is_left() {
        for script in ["cat >nothing", "cat >nothing; echo no video"] {
            let (ended, here) = by(script);
            let message = why(&ended);
            let end = "clip.mp4 could not be written: ffmpeg wrote no frame of the video";
            assert!(message.ends_with(end), "{message}");
            assert_eq!(ended.frames, Some(0));
            assert!(!here.path().join("clip.mp4").exists());
        }
    }

    #[test]
    fn a_working_encoder_writes_a_file_and_changes_are_reported() {
        let (ended, here) = by("cat >nothing; cat film");
        assert_eq!((ended.failure, ended.frames), (None, Some(67)));
        assert_eq!(ended.notes, Vec::<String>::new());
        let film = fs::read(here.path().join("film")).expect("there");
        assert_eq!(fs::read(here.path().join("clip.mp4")).expect("there"), film);
    }

    #[test]
    fn a_recording_continues_without_its_microphone_and_says_so() {
        let encodes = "cat >received; cat film";
        for (microphone, words) in [
            (
                "yes '' | head -c 9600; echo '[pulse @ 0x1] gone' >&2",
                "stopped (gone); the recording continues without sound",
            ),
            (
                "echo 'no such device' >&2; exit 1",
                "stopped (no such device); the recording has no sound",
            ),
            (
                "echo 'default: Generic error in an external library' >&2; exit 1",
                "stopped (it was unplugged, or the sound server ended); the recording has no sound",
            ),
        ] {
            let script = format!("case \"$*\" in *s16le*) {microphone};; *) {encodes};; esac");
            let (mut mp4, here) = output(&script, true);
            let from = Instant::now().checked_sub(Duration::from_secs(9)).expect("a time");
            mp4.add(&shot(1)).expect("accepted");
            let given_up = Instant::now() + Duration::from_secs(60);
            let problem = loop {
                assert!(Instant::now() < given_up, "no message");
                if let Some(problem) = mp4.add_sound(Some(from), None) {
                    break problem;
                }
                thread::yield_now();
            };
            assert!(problem.contains(words), "{problem}");
            assert_eq!(mp4.add_sound(Some(from), None), None, "said once");
            mp4.add(&shot(2)).expect("accepted");
            let ended = mp4.end();
            assert_eq!((ended.failure, ended.frames), (None, Some(67)));
            assert_eq!(ended.notes, [problem]);
            // The samples of sound are lines.
            let received = fs::read(here.path().join("received")).expect("there");
            let is_there =
                received.windows(1000).any(|bytes| bytes.iter().all(|&byte| byte == b'\n'));
            assert_eq!(is_there, microphone.starts_with("yes"), "{microphone}");
        }
    }

    #[test]
    fn sound_is_stretched_over_a_short_gap() {
        let ffmpeg = Ffmpeg::find().expect("ffmpeg");
        let here = tempfile::tempdir().expect("a folder");
        let [sent, made] = ["sent.nut", "made.mp4"].map(|name| here.path().join(name));
        let tick = (1, u64::from(TICKS_PER_SECOND));
        let (width, height, aspect) = (2, 2, SQUARE);
        let stream =
            NutStream { width, height, tick, aspect, has_sound: true, ..NutStream::default() };
        let (mut muxer, mut nut) = (NutMuxer::default(), Vec::new());
        muxer.begin(&stream, &mut nut);
        let piece = silence(Duration::from_millis(20));
        for n in 0..200 {
            // After two seconds, 50 ms are missing.
            let at = Duration::from_millis(20 * n + if n < 100 { 0 } else { 50 });
            muxer.frame(Track::Sound, ticks_of(at, None), piece.len(), &mut nut);
            nut.extend_from_slice(&piece);
        }
        fs::write(&sent, nut).expect("written");
        let output = |from: &Path, options: &str| {
            let mut command = ffmpeg.command();
            command.arg("-i").arg(from).args(options.split_whitespace());
            let ended = process::run(command, PATIENCE, &RunControl::default()).expect("started");
            assert_eq!(ended.failure(), None);
            ended.output
        };
        fs::write(&made, output(&sent, &format!("{SOUND} {FRAGMENTS}"))).expect("written");
        let decoded = output(&made, "-f s16le pipe:1").len();
        let seconds = decoded as f64 / silence(Duration::from_secs(1)).len() as f64;
        assert!((seconds - 4.05).abs() < 0.1, "{seconds} s");
    }
}
