//! A recording as H.264 in fragmented MP4, encoded by the user's ffmpeg.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use crossbeam_channel::{Receiver, never};

use super::{
    encoder::Encoder,
    file::{self, refused},
    fit::Fit,
    output::{Ended, Output, Shot},
    yuv::{append_i420, even, i420_bytes},
};
use crate::{
    disk::reason,
    media::{
        MediaError,
        ffmpeg::{Ffmpeg, MADE_BY},
        nut::{I420, NutMuxer, NutStream, SQUARE},
    },
};

/// Ticks per second of a recording's clock: the usual clock of video, 11 microseconds a tick.
const TICKS_PER_SECOND: u32 = 90_000;

/// How long an encoder may make no progress before it is killed.
const PATIENCE: Duration = Duration::from_secs(10);

/// An H.264 file.
pub struct Mp4 {
    ffmpeg: Ffmpeg,
    patience: Duration,
    path: PathBuf,
    file: Arc<File>,
    video: Option<Video>,
    /// Known once the encoder has ended.
    bytes: u64,
    frames: u64,
    notes: Vec<String>,
}

/// The state from the first picture on.
struct Video {
    encoder: Encoder,
    muxer: NutMuxer,
    fit: Fit,
    /// Time of the last picture.
    ticks: Option<u64>,
}

impl Mp4 {
    /// Creates the file.
    ///
    /// # Errors
    /// See [`file::create`].
    pub fn create(path: &Path, ffmpeg: Ffmpeg) -> Result<Self, MediaError> {
        Self::with_patience(path, ffmpeg, PATIENCE)
    }

    fn with_patience(path: &Path, ffmpeg: Ffmpeg, patience: Duration) -> Result<Self, MediaError> {
        let file = Arc::new(file::create(path, is_header)?);
        Ok(Self {
            ffmpeg,
            patience,
            path: path.to_owned(),
            file,
            video: None,
            bytes: 0,
            frames: 0,
            notes: Vec::new(),
        })
    }

    fn start(&self, shot: &Shot) -> Result<Video, MediaError> {
        let child = self.ffmpeg.start(TICKS_PER_SECOND).map_err(|e| reason(&e));
        let file = self.file.clone();
        let started = child.and_then(|child| Encoder::over(child, file, &self.path, self.patience));
        let encoder = started.map_err(|why| {
            let reason = format!("ffmpeg could not be started: {why}");
            refused(&self.path, reason)
        })?;
        Ok(Video { encoder, muxer: NutMuxer::default(), fit: Fit::to(&shot.frame), ticks: None })
    }

    /// Waits for the encoder's end, if it was started.
    fn close(&mut self) -> Result<(), MediaError> {
        let Some(video) = self.video.take() else {
            return Ok(());
        };
        self.notes = video.notes();
        let result;
        (result, self.bytes, self.frames) = video.encoder.end();
        result?;
        if self.frames == 0 {
            let reason = "ffmpeg wrote no frame of the video".to_owned();
            return Err(refused(&self.path, reason));
        }
        Ok(())
    }
}

/// Whether these bytes are only what ffmpeg writes before the first picture of a recording.
fn is_header(bytes: &[u8]) -> bool {
    let has = |word: &[u8]| bytes.windows(word.len()).any(|part| part == word);
    has(b"moov") && has(MADE_BY.as_bytes()) && !has(b"moof") && !has(b"mdat")
}

impl Output for Mp4 {
    fn add(&mut self, shot: &Shot) -> Result<(), MediaError> {
        let video = match &mut self.video {
            Some(video) => video,
            None => {
                let video = self.start(shot)?;
                self.video.insert(video)
            }
        };
        if video.add(shot) {
            return Ok(());
        }
        // The encoder's result contains the reason.
        self.close()?;
        let reason = "ffmpeg accepts no more frames".to_owned();
        Err(refused(&self.path, reason))
    }

    fn end(&mut self) -> Ended {
        let closed = self.close();
        if self.frames == 0 {
            // If it cannot be removed, it stays; the next recording may replace it.
            fs::remove_file(&self.path).ok();
        }
        Ended {
            frames: Some(self.frames),
            notes: std::mem::take(&mut self.notes),
            failure: closed.err(),
        }
    }

    fn bytes(&self) -> u64 {
        let running = self.video.as_ref();
        running.map_or(self.bytes, |video| video.encoder.bytes())
    }

    fn broken(&self) -> Receiver<()> {
        let running = self.video.as_ref();
        running.map_or_else(never, |video| video.encoder.broken())
    }
}

impl Video {
    /// Whether the encoder accepted the picture.
    fn add(&mut self, shot: &Shot) -> bool {
        let mut buffer = self.encoder.buffer();
        let (width, height) = self.fit.size();
        if self.ticks.is_none() {
            let (width, height) = even(width, height);
            let tick = (1, u64::from(TICKS_PER_SECOND));
            let stream = NutStream { width, height, pixels: I420, tick, aspect: SQUARE };
            self.muxer.begin(&stream, &mut buffer);
        }
        let exact = shot.at.as_secs_f64() * f64::from(TICKS_PER_SECOND);
        // Pictures with equal times must still have different ticks.
        let earliest = self.ticks.map_or(0, |before| before + 1);
        let ticks = (exact.round() as u64).max(earliest);
        self.ticks = Some(ticks);
        let bytes = i420_bytes(width, height);
        self.muxer.frame(ticks, bytes, &mut buffer);
        append_i420(&self.fit.apply(&shot.frame), &mut buffer);
        self.encoder.send(buffer)
    }

    fn notes(&self) -> Vec<String> {
        let (width, height) = self.fit.size();
        let (wide, high) = even(width, height);
        let mut notes: Vec<String> = self.fit.note().into_iter().collect();
        if (wide, high) != (width, height) {
            notes.push(format!(
                "{width} x {height} px became {wide} x {high}, because H.264 needs even sides; the last column or row is repeated"
            ));
        }
        notes
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs;

    use super::{super::fragments::tests::fragment, *};
    use crate::{frame::Frame, media::fake};

    /// The result of a recording with this script instead of ffmpeg, and its folder.
    fn by(script: &str) -> (Ended, tempfile::TempDir) {
        let here = tempfile::tempdir().expect("a folder");
        fs::write(here.path().join("film"), [fragment(60), fragment(7)].concat()).expect("written");
        let ffmpeg = Ffmpeg {
            program: fake::program(here.path(), &format!("cd {:?}\n{script}", here.path())),
            version: "6.1".to_owned(),
            encoders: Vec::new(),
        };
        let patience = Duration::from_millis(300);
        let clip = here.path().join("clip.mp4");
        let mut mp4 = Mp4::with_patience(&clip, ffmpeg, patience).expect("a file");
        let mut shot = Shot {
            number: 1,
            at: Duration::ZERO,
            frame: Frame::from_fn(320, 240, |_, _| [9, 9, 9, 255]),
        };
        let mut failure = None;
        // More pictures than any pipe can buffer.
        while failure.is_none() && shot.number <= 40 {
            failure = mp4.add(&shot).err();
            shot.number += 1;
        }
        let mut ended = mp4.end();
        ended.failure = failure.or(ended.failure);
        (ended, here)
    }

    fn why(ended: &Ended) -> String {
        ended.failure.as_ref().expect("a failure").to_string()
    }

    #[test]
    fn what_an_encoder_says_when_it_fails_is_told_and_nothing_is_left() {
        let (ended, here) =
            by("head -c 9000 >nothing; printf 'Unknown\\033[1m encoder\\n' >&2; exit 7");
        let told = why(&ended);
        let end = "could not be written: ffmpeg ended with exit code 7: Unknown\\u{1b}[1m encoder";
        assert!(told.ends_with(end), "{told}");
        assert_eq!(ended.frames, Some(0));
        assert!(!here.path().join("clip.mp4").exists());
        let (ended, _) = by("head -c 9000 >nothing; exit 0");
        assert!(why(&ended).ends_with("ffmpeg ended by itself"), "{}", why(&ended));
    }

    #[test]
    fn what_a_killed_encoder_had_written_is_kept() {
        // The last fragment is incomplete.
        let (ended, here) = by("head -c 9000 >nothing; head -c 1800 film; kill -9 $$");
        assert!(why(&ended).ends_with("ffmpeg was stopped by signal 9"), "{}", why(&ended));
        assert_eq!(ended.frames, Some(60));
        assert_eq!(fs::read(here.path().join("clip.mp4")).expect("kept").len(), 1800);
    }

    #[test]
    fn an_encoder_that_hangs_is_ended() {
        // Before it has read anything, and after it has read everything.
        for script in ["cat film; exec sleep 600", "cat >nothing; cat film; exec sleep 600"] {
            let (ended, here) = by(script);
            let told = why(&ended);
            assert!(told.ends_with("ffmpeg made no progress for 0.3 s and was stopped"), "{told}");
            assert_eq!(ended.frames, Some(67));
            assert!(here.path().join("clip.mp4").exists());
        }
    }

    #[test]
    fn an_encoder_that_does_not_end_is_ended() {
        for (script, words) in [
            ("cat >nothing; cat film; while :; do cat film; done", "ffmpeg made no progress"),
            (
                "cat >nothing; cat film; exec >&-; while :; do echo more >&2; done",
                "ffmpeg did not end with the recording and was stopped: more",
            ),
        ] {
            let (ended, here) = by(script);
            assert!(why(&ended).contains(words), "{}", why(&ended));
            assert!(ended.frames >= Some(67));
            assert!(here.path().join("clip.mp4").exists());
        }
    }

    #[test]
    fn an_encoder_that_writes_no_picture_has_failed_and_nothing_is_left() {
        for script in ["cat >nothing", "cat >nothing; echo no video"] {
            let (ended, here) = by(script);
            let told = why(&ended);
            let end = "clip.mp4 could not be written: ffmpeg wrote no frame of the video";
            assert!(told.ends_with(end), "{told}");
            assert_eq!(ended.frames, Some(0));
            assert!(!here.path().join("clip.mp4").exists());
        }
    }

    #[test]
    fn an_encoder_that_works_gives_a_file_and_what_was_changed_is_told() {
        let (ended, here) = by("cat >nothing; cat film");
        assert_eq!((ended.failure, ended.frames), (None, Some(67)));
        assert_eq!(ended.notes, Vec::<String>::new());
        let film = fs::read(here.path().join("film")).expect("there");
        assert_eq!(fs::read(here.path().join("clip.mp4")).expect("there"), film);
    }

    #[test]
    fn a_header_is_one_of_ours_without_a_fragment() {
        assert!(is_header(b"ftypiso5moovudtaStyleForge"));
        for other in
            [&b""[..], b"StyleForge", b"moovLavf", b"moovStyleForgemoof", b"mdatmoovStyleForge"]
        {
            assert!(!is_header(other), "{other:?}");
        }
    }
}
