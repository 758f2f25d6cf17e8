//! Sound from the microphone: PulseAudio or PipeWire, otherwise ALSA, through ffmpeg.
//!
//! A process of its own sends the samples, so that a microphone that fails does not end the recording. The times that
//! sound servers report are wrong by up to half a second at first. So the times are counted here ([`Clock`]).

use std::{
    fs,
    io::{ErrorKind, Read},
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, TryRecvError, unbounded};

use crate::{
    ffmpeg::{Ffmpeg, Input},
    nut::{SOUND_CHANNELS, SOUND_RATE},
};
use threads::process::{self, End, Patience, Process, standard_stream};
use values::{control::RunControl, text::one_line};

/// How long ffmpeg may take to list the microphones.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of a sample of all channels.
const SAMPLE_BYTES: usize = 2 * SOUND_CHANNELS as usize;
/// Bytes that the sound server sends at once: 20 ms.
const PIECE_BYTES: usize = SOUND_RATE as usize / 50 * SAMPLE_BYTES;
/// After this much time the delay is measured again, because the clock of a microphone has another speed.
const WINDOW: Duration = Duration::from_secs(2);
/// A pause after which samples may be missing.
const GAP: Duration = Duration::from_millis(500);
/// A microphone that sends nothing for this long is reported.
const SILENT_AFTER: Duration = Duration::from_secs(5);
/// End of ffmpeg's message when the sound server closes the connection.
const LOST: &str = "Generic error in an external library";
/// The system's choice.
const DEFAULT: &str = "default";

/// A microphone that ffmpeg can record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Microphone {
    ffmpeg: Ffmpeg,
    /// ffmpeg's name of the sound system.
    input: &'static str,
    device: String,
    /// For the user.
    pub name: String,
}

/// A source of sound that ffmpeg lists.
struct Listed {
    device: String,
    name: String,
    is_default: bool,
}

impl Microphone {
    /// The system's default microphone, or the one with this name or device name. Records nothing. Takes a tenth of a
    /// second.
    ///
    /// # Errors
    /// What is missing, as text for the user.
    pub fn find(wanted: Option<&str>) -> Result<Self, String> {
        Self::of(&Ffmpeg::find().map_err(|e| e.to_string())?, wanted)
    }

    fn of(ffmpeg: &Ffmpeg, wanted: Option<&str>) -> Result<Self, String> {
        let found = |input, device: &str, name: &str| {
            let (device, name) = (device.to_owned(), one_line(name).into_owned());
            Ok(Self { ffmpeg: ffmpeg.clone(), input, device, name })
        };
        let why = match sources(ffmpeg, "pulse") {
            Ok(listed) => {
                let chosen = chosen(&listed, wanted)?;
                let is_usual = chosen.is_default && wanted.is_none();
                let device: &str = if is_usual { DEFAULT } else { &chosen.device };
                return found("pulse", device, &chosen.name);
            }
            Err(why) => why,
        };
        let devices = fs::read_to_string("/proc/asound/pcm").unwrap_or_default();
        if devices.contains("capture") && sources(ffmpeg, "alsa").is_ok() {
            return found("alsa", wanted.unwrap_or(DEFAULT), wanted.unwrap_or("ALSA"));
        }
        Err(why)
    }

    /// One that runs this program.
    #[cfg(all(test, unix))]
    pub(super) fn scripted(ffmpeg: &Ffmpeg) -> Self {
        let (device, name) = (DEFAULT.to_owned(), "a script".to_owned());
        Self { ffmpeg: ffmpeg.clone(), input: "pulse", device, name }
    }

    /// Starts to record.
    ///
    /// # Errors
    /// The reason.
    pub(super) fn start(&self) -> Result<Capture, String> {
        let mut command = self.ffmpeg.command();
        command.args("-probesize 32 -analyzeduration 0".split(' '));
        if self.input == "pulse" {
            command.args(["-name", "StyleForge", "-fragment_size", &PIECE_BYTES.to_string()]);
        }
        let (rate, channels) = (SOUND_RATE.to_string(), SOUND_CHANNELS.to_string());
        command.args(["-sample_rate", &rate, "-channels", &channels]);
        Input::Device(self.input, &self.device).add_to(&mut command);
        // The times of sound systems can go backwards; they are not used.
        command.args(["-af", "asetpts=N/SR/TB", "-ar", &rate, "-ac", &channels]);
        command.args("-c:a pcm_s16le -f s16le -flush_packets 1 pipe:1".split(' '));
        let mut process = Process::start(command, End::Killed)?;
        let samples = standard_stream(process.child.stdout.take())?;
        let (sender, pieces) = unbounded();
        process::spawn("microphone", move || read(samples, &sender))?;
        let silence = Patience::new(SILENT_AFTER, Instant::now());
        Ok(Capture { process, pieces, is_heard: false, silence, has_ended: false })
    }
}

/// The sources of a sound system, or why there are none, as text for the user.
fn sources(ffmpeg: &Ffmpeg, input: &str) -> Result<Vec<Listed>, String> {
    let mut command = ffmpeg.command();
    command.args(["-sources", input]);
    let program = ffmpeg.program.display();
    let ended = process::run(command, PATIENCE, &RunControl::default())
        .map_err(|why| format!("{program} cannot list microphones: {why}"))?;
    let output = String::from_utf8_lossy(&ended.output);
    let (_, list) = output.split_once("Auto-detected sources").ok_or_else(|| {
        let version = &ffmpeg.version;
        format!(
            "{program} {version} was built without PulseAudio; install the ffmpeg of your system"
        )
    })?;
    if list.contains("Cannot list sources") {
        return Err("no sound server (PulseAudio or PipeWire) is running".to_owned());
    }
    // `* device [name] (kind)`; the star marks the default.
    let listed = |line: &str| {
        let (device, name) = line.get(2..)?.split_once(" [")?;
        let (name, _) = name.rsplit_once(']')?;
        let is_default = line.starts_with('*');
        Some(Listed { device: device.to_owned(), name: name.to_owned(), is_default })
    };
    Ok(list.lines().filter_map(listed).collect())
}

fn chosen<'a>(listed: &'a [Listed], wanted: Option<&str>) -> Result<&'a Listed, String> {
    // A monitor is what the computer plays; it can be the default if no microphone is connected.
    let microphones = || listed.iter().filter(|listed| !listed.device.ends_with(".monitor"));
    let Some(wanted) = wanted else {
        return (microphones().find(|listed| listed.is_default))
            .or_else(|| microphones().next())
            .ok_or_else(|| "no microphone is connected".to_owned());
    };
    let is_wanted = |listed: &&Listed| listed.device == wanted || listed.name == wanted;
    listed.iter().find(is_wanted).ok_or_else(|| {
        let names: Vec<_> = microphones().map(|listed| one_line(&listed.name)).collect();
        let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        format!("no microphone is called {}; connected: {names}", one_line(wanted))
    })
}

/// Samples without sound.
pub(super) fn silence(length: Duration) -> Vec<u8> {
    vec![0; (length.as_secs_f64() * SOUND_RATE as f64) as usize * SAMPLE_BYTES]
}

/// Samples of sound.
pub(super) struct Piece {
    /// When the first one was recorded.
    pub at: Instant,
    pub samples: Vec<u8>,
}

/// A microphone that is being recorded. The process ends with it.
pub(super) struct Capture {
    process: Process,
    pieces: Receiver<Piece>,
    /// Sound has arrived here.
    is_heard: bool,
    /// How long nothing may arrive here.
    silence: Patience,
    has_ended: bool,
}

impl Capture {
    /// What was recorded since the last call.
    pub fn take(&mut self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        while !self.has_ended {
            match self.pieces.try_recv() {
                Ok(piece) => pieces.push(piece),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => self.has_ended = true,
            }
        }
        if !pieces.is_empty() {
            self.silence = Patience::new(SILENT_AFTER, Instant::now());
            self.is_heard = true;
        }
        pieces
    }

    /// Why no more sound can be recorded, as text for the user.
    pub fn problem(&mut self, now: Instant) -> Option<String> {
        let problem = if self.has_ended {
            self.process.child.kill().ok();
            let (_, lines) = self.process.end(PATIENCE, &RunControl::default());
            let why = lines.last().map(|line| match line.as_str() {
                // All that ffmpeg says about it.
                line if line.ends_with(LOST) => "it was unplugged, or the sound server ended",
                line => line,
            });
            let why = why.map_or(String::new(), |why| format!(" ({why})"));
            format!("the microphone stopped{why}")
        } else if self.silence.is_over(now) {
            "the microphone sends no sound".to_owned()
        } else {
            return None;
        };
        let has_sound = if self.is_heard { "continues without" } else { "has no" };
        Some(format!("{problem}; the recording {has_sound} sound"))
    }
}

/// Reads samples until the process ends or no one receives them.
fn read(mut from: impl Read, sender: &Sender<Piece>) {
    let mut buffer = vec![0; PIECE_BYTES];
    // Bytes of a sample that is not complete.
    let mut kept = 0;
    let start = Instant::now();
    let mut clock = Clock::default();
    loop {
        let length = match from.read(&mut buffer[kept..]) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Ok(0) | Err(_) => return,
            Ok(read) => kept + read,
        };
        let whole = length - length % SAMPLE_BYTES;
        let at = start + clock.note(start.elapsed(), (whole / SAMPLE_BYTES) as u64);
        let samples = buffer[..whole].to_vec();
        if whole > 0 && sender.send(Piece { at, samples }).is_err() {
            return;
        }
        buffer.copy_within(whole..length, 0);
        kept = length - whole;
    }
}

/// Finds out when samples were recorded: the number of a sample divided by the rate, plus the smallest delay with which
/// samples arrived lately, because a busy computer can only make a delay longer.
#[derive(Default)]
struct Clock {
    /// Samples so far.
    samples: u64,
    /// Estimated time of the first sample, in seconds.
    zero: f64,
    /// The smallest estimate since the window began.
    smallest: f64,
    window_end: f64,
    /// When samples arrived last.
    last: Option<f64>,
}

impl Clock {
    /// The time of the first of `count` samples, the last of which arrived at `now`.
    fn note(&mut self, now: Duration, count: u64) -> Duration {
        let now = now.as_secs_f64();
        let seconds = |samples: u64| samples as f64 / SOUND_RATE as f64;
        let before = self.samples;
        self.samples += count;
        let zero = now - seconds(self.samples);
        if self.last.replace(now).is_none_or(|last| now - last > GAP.as_secs_f64()) {
            (self.zero, self.smallest) = (zero, zero);
            self.window_end = now + WINDOW.as_secs_f64();
        }
        self.smallest = self.smallest.min(zero);
        self.zero = self.zero.min(zero);
        if now >= self.window_end {
            self.zero = self.smallest;
            self.smallest = f64::INFINITY;
            self.window_end = now + WINDOW.as_secs_f64();
        }
        Duration::from_secs_f64((self.zero + seconds(before)).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_samples_follow_the_microphone_and_not_the_load() {
        // A microphone that is slower than its rate by 300 ppm; samples arrive late by up to 100 ms.
        let piece = 960;
        let mut clock = Clock::default();
        let mut largest = 0.0_f64;
        for n in 0..180_000_u64 {
            let begins = 0.25 + (n * piece) as f64 / 48_000.0 * 1.0003;
            let late = if n % 9 == 4 { 0.0 } else { (n * 7919 % 100) as f64 / 1e3 };
            let arrives = begins + 0.02 + late;
            let at = clock.note(Duration::from_secs_f64(arrives), piece).as_secs_f64();
            if n > 10 {
                largest = largest.max((at - begins).abs());
            }
        }
        assert!(largest < 2e-3, "{largest} s in an hour");
        // Three seconds are missing.
        let after = 180_000.0 * 0.02 * 1.0003 + 3.25;
        let at = clock.note(Duration::from_secs_f64(after + 0.02), piece).as_secs_f64();
        assert!((at - after).abs() < 2e-3, "{at} for {after}");
    }

    #[cfg(unix)]
    mod with_a_script {
        use super::*;
        use crate::fake_ffmpeg;

        /// An ffmpeg that answers with these scripts when it lists sources of PulseAudio.
        fn found(script: &str, wanted: Option<&str>) -> Result<Microphone, String> {
            let folder = tempfile::tempdir().expect("a folder");
            let script = format!("case \"$*\" in *alsa*) ;; *) {script};; esac");
            let program = fake_ffmpeg::program(folder.path(), &script);
            let version = "6.1".to_owned();
            let ffmpeg = Ffmpeg { program, version, encoders: Vec::new(), sets_durations: true };
            Microphone::of(&ffmpeg, wanted)
        }

        #[test]
        fn a_microphone_that_sends_nothing_is_reported() {
            let folder = tempfile::tempdir().expect("a folder");
            let program = fake_ffmpeg::program(folder.path(), "exec sleep 600");
            let (version, encoders) = ("6.1".to_owned(), Vec::new());
            let microphone =
                Microphone::scripted(&Ffmpeg { program, version, encoders, sets_durations: true });
            let mut capture = microphone.start().expect("started");
            let mut now = Instant::now();
            capture.silence = Patience::new(SILENT_AFTER, now);
            assert!(capture.take().is_empty());
            // The fifth look comes after a pause of the program.
            for seconds in [1, 1, 1, 1, 60] {
                now += Duration::from_secs(seconds);
                assert_eq!(capture.problem(now), None);
            }
            let problem = capture.problem(now).expect("a problem");
            assert_eq!(problem, "the microphone sends no sound; the recording has no sound");
        }

        #[test]
        fn microphone_problems_are_reported() {
            let list = |lines: &str| format!("printf 'Auto-detected sources for pulse:\\n{lines}'");
            for (script, wanted, words) in [
                ("true".to_owned(), None, "6.1 was built without PulseAudio"),
                (list("Cannot list sources: Generic error\\n"), None, "no sound server"),
                (list(""), None, "no microphone is connected"),
                (list("* out.monitor [Monitor of Out]\\n"), None, "no microphone is connected"),
                (
                    list("* usb [Desk Mic]\\n  out.monitor [Monitor]\\n"),
                    Some("Head"),
                    "no microphone is called Head; connected: Desk Mic",
                ),
            ] {
                let error = found(&script, wanted).expect_err(words);
                assert!(error.contains(words), "{script}: {error}");
            }
            let both =
                list("  usb [Desk Mic] (none)\\n* out.monitor [Monitor [of] Out] (audio)\\n");
            for (script, wanted, device, name) in [
                (list("* usb [Desk Mic]\\n"), None, "default", "Desk Mic"),
                (both.clone(), None, "usb", "Desk Mic"),
                (both.clone(), Some("Desk Mic"), "usb", "Desk Mic"),
                (both, Some("out.monitor"), "out.monitor", "Monitor [of] Out"),
            ] {
                let microphone = found(&script, wanted).expect(name);
                assert_eq!((microphone.device.as_str(), microphone.name.as_str()), (device, name));
            }
        }
    }
}
