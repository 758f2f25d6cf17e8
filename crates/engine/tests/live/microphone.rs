//! Sound in recordings, from a real sound server. `tools/try_microphone.sh` starts one.

use std::{
    io::{Read, Write},
    process::{Child, ChildStdin, Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use media::{
    codec::Codec,
    record::{Destination, FrameSink, Microphone, Recorder},
};
use pictures::encode::Format;
use values::frame::Frame;

use crate::recording::{output, probed};

/// The output of the sound server, and the microphone that hears it.
const SPEAKER: &str = "silent";
const MICROPHONE: &str = "silent.monitor";
const RATE: usize = 48_000;
/// Samples that are played and read at once.
const PIECE: usize = RATE / 100;
/// Time between two flashes with beeps, and length of each.
const PERIOD: Duration = Duration::from_secs(2);
const LENGTH: Duration = Duration::from_millis(100);
/// Maximum distance of a beep from its flash.
const STEP: f64 = 0.05;

/// True if there is a flash and a beep at this time.
fn is_on(at: Duration) -> bool {
    at >= PERIOD && at.as_nanos() % PERIOD.as_nanos() < LENGTH.as_nanos()
}

/// Sends samples to the player, each at its time.
fn beep(mut player: ChildStdin, began: Instant) {
    let mut sent = 0;
    loop {
        let at = |n: usize| Duration::from_secs_f64((sent + n) as f64 / RATE as f64);
        let samples = (0..PIECE).flat_map(|n| {
            let seconds = at(n).as_secs_f64();
            let level =
                if is_on(at(n)) { (seconds * 1000.0 * std::f64::consts::TAU).sin() } else { 0.0 };
            let sample = ((level * 16_000.0) as i16).to_le_bytes();
            [sample, sample].concat()
        });
        let samples: Vec<u8> = samples.collect();
        let due = began + at(0);
        thread::sleep(due.saturating_duration_since(Instant::now()));
        // Fails when the player is stopped.
        if player.write_all(&samples).and_then(|()| player.flush()).is_err() {
            return;
        }
        sent += PIECE;
    }
}

/// A player that has nothing left to play, and its input.
fn player() -> (Child, ChildStdin) {
    let mut command = Command::new("pacat");
    let format = "--playback --raw --rate=48000 --channels=2 --format=s16le --latency-msec=20";
    command.args(format.split(' ')).args(["-d", SPEAKER]).stdin(Stdio::piped());
    let mut child = command.spawn().expect("pacat of pulseaudio-utils");
    let mut input = child.stdin.take().expect("piped");
    let deadline = Instant::now() + Duration::from_secs(60);
    let is_connected = || {
        let listed = Command::new("pactl").args(["list", "short", "sink-inputs"]).output();
        !listed.expect("pactl of pulseaudio-utils").stdout.is_empty()
    };
    while !is_connected() {
        assert!(Instant::now() < deadline, "the player does not start");
        thread::sleep(Duration::from_millis(50));
    }
    // Sound that waits while the player starts would be late for the whole test.
    input.write_all(&vec![0; 4 * RATE]).expect("a player");
    thread::sleep(Duration::from_secs(3));
    (child, input)
}

/// Listens to the microphone with a program of the sound server, and returns the seconds after `began` at which beeps
/// are heard, until it is stopped: on a busy computer the player is late for all that follows, and this says how late.
fn listener(began: Instant) -> (Child, thread::JoinHandle<Vec<f64>>) {
    let mut command = Command::new("parec");
    let format = "--raw --rate=48000 --channels=1 --format=s16le --latency-msec=10";
    command.args(format.split(' ')).args(["-d", MICROPHONE]).stdout(Stdio::piped());
    let mut child = command.spawn().expect("parec of pulseaudio-utils");
    let mut output = child.stdout.take().expect("piped");
    let listening = thread::spawn(move || {
        let (mut heard, mut starts, mut piece) = (Vec::new(), Vec::new(), [0; 2 * PIECE]);
        while output.read_exact(&mut piece).is_ok() {
            heard.extend(is_loud(&piece));
            starts.push(began.elapsed().as_secs_f64() - heard.len() as f64 / RATE as f64);
        }
        // In the second before a beep and after it, the earliest piece in relation to its place was read without delay.
        let at = |n: usize| {
            let near = (n / PIECE).saturating_sub(100)..(n / PIECE + 100).min(starts.len());
            starts[near].iter().copied().fold(f64::INFINITY, f64::min) + n as f64 / RATE as f64
        };
        beginnings(heard.into_iter(), RATE / 2).into_iter().map(at).collect()
    });
    (child, listening)
}

/// Which samples of 16 bits are loud.
fn is_loud(samples: &[u8]) -> impl Iterator<Item = bool> {
    samples
        .as_chunks::<2>()
        .0
        .iter()
        .map(|&sample| i16::from_le_bytes(sample).unsigned_abs() > 3000)
}

/// Where something begins that was off before, in steps.
fn beginnings(is_on: impl Iterator<Item = bool>, off: usize) -> Vec<usize> {
    let mut since_on = usize::MAX;
    let mut found = Vec::new();
    for (at, is_on) in is_on.enumerate() {
        if is_on && since_on >= off {
            found.push(at);
        }
        since_on = if is_on { 0 } else { since_on.saturating_add(1) };
    }
    found
}

#[test]
#[ignore = "needs a sound server with a silent output; run tools/try_microphone.sh"]
fn a_microphone_is_in_step_with_the_picture() {
    let seconds =
        std::env::var("SECONDS_RECORDED").map_or(30, |text| text.parse().expect("a number"));
    let end = Duration::from_secs(seconds);
    let ffmpeg = Codec::H264.ffmpeg().expect("ffmpeg");
    let here = tempfile::tempdir().expect("a folder");
    let path = here.path().join("clip.mp4");
    let (mut destination, _) = Destination::of(&path, Format::Jpeg, Codec::H264);
    let Destination::Mp4 { choice, .. } = &mut destination else { panic!("no MP4") };
    choice.microphone = Some(Microphone::find(Some(MICROPHONE)).expect("a microphone"));
    let (mut child, input) = player();
    let began = Instant::now();
    let beeping = thread::spawn(move || beep(input, began));
    let (mut parec, listening) = listener(began);
    let (mut sink, taken) = FrameSink::open();
    let recorder = Recorder::of_taken(&taken, &destination, Arc::new(|| {})).expect("a file");
    let paint = |is_on: bool| {
        Frame::from_fn(320, 180, |_, _| if is_on { [255; 4] } else { [0, 0, 0, 255] })
    };
    let [dark, bright] = [false, true].map(paint);
    let mut n = 0_u32;
    while began.elapsed() < end {
        let at = began.elapsed();
        // Frames at an uneven rate, and none for six seconds.
        if !(8..14).contains(&at.as_secs()) {
            sink.push(if is_on(at) { &bright } else { &dark }, began + at);
        }
        n += 1;
        thread::sleep(Duration::from_millis([8, 15, 4, 11][n as usize % 4]));
    }
    taken.hold_until(Instant::now());
    let recorded = recorder.finish();
    for child in [&mut child, &mut parec] {
        child.kill().expect("stopped");
        child.wait().expect("ends");
    }
    beeping.join().expect("ends");
    let heard = listening.join().expect("ends");
    assert_eq!(recorded.failure, None);
    assert_eq!((recorded.notes, recorded.left_out), (Vec::new(), 0));

    let times: Vec<f64> = probed(&ffmpeg, &path, "frame=pts_time")
        .iter()
        .map(|time| time.parse().expect("a time"))
        .collect();
    let grey =
        "-vf scale=1:1 -vsync passthrough -enc_time_base 1:90000 -f rawvideo -pix_fmt gray -";
    let grey = output(&ffmpeg.program, &grey.split(' ').collect::<Vec<_>>(), &path);
    assert_eq!(grey.len(), times.len());
    let flashes: Vec<f64> = beginnings(grey.iter().map(|level| *level > 128), 1)
        .into_iter()
        .map(|n| times[n])
        .collect();
    let samples = "-copyts -map 0:a -af aresample=async=1:first_pts=0 -ac 1 -f s16le -";
    let samples = output(&ffmpeg.program, &samples.split(' ').collect::<Vec<_>>(), &path);
    let beeps: Vec<f64> = beginnings(is_loud(&samples), RATE / 2)
        .into_iter()
        .map(|n| n as f64 / RATE as f64)
        .collect();
    let distance = |times: &[f64], to: f64| {
        times
            .iter()
            .map(|time| time - to)
            .min_by(|a, b| a.abs().total_cmp(&b.abs()))
            .expect("a beep")
    };
    // The first two may come before the sound server has started the microphone. The film begins less than half a period
    // after the beeps, so that rounding says which beep belongs to a flash.
    let period = PERIOD.as_secs_f64();
    let off = flashes.iter().skip(2).map(|&flash| {
        let due = (flash / period).round() * period;
        let late = distance(&heard, due);
        (late, distance(&beeps, flash) - late)
    });
    let (late, off): (Vec<f64>, Vec<f64>) = off.unzip();
    let text = |all: &[f64]| all.iter().map(|t| format!(" {:.0}", t * 1e3)).collect::<String>();
    let shown = text(&off);
    println!("player late, in ms:{}\nsound after picture, in ms:{shown}", text(&late));
    assert!(off.len() as u64 >= seconds / 2 - 6, "{flashes:?} {beeps:?}");
    assert!(off.iter().all(|off| off.abs() <= STEP), "{shown}");
}
