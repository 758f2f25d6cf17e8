//! Videos read back by other programs: decoded, they contain the recorded frames.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use media::{
    codec::Codec,
    ffmpeg::Ffmpeg,
    record::{Destination, Mp4Choice, Recorded, Recorder},
};
use pictures::decode;
use values::frame::{Frame, PictureDifference};

/// Minimum PSNR of a recorded frame, in dB.
const MIN_DB: f64 = 40.0;

/// A frame of a moving painting: strokes of many colours, as sharp as those of a network.
fn painting(width: usize, height: usize, number: usize) -> Frame {
    Frame::from_fn(width, height, |x, y| {
        let t = number as f32 / 7.0;
        let (x, y) = (x as f32, y as f32);
        let stroke =
            ((x * 0.05 + t).sin() + (y * 0.06 - t).cos() + (x * 0.02 + y * 0.03).sin()) / 3.0;
        let level = |phase: f32| (128.0 + 100.0 * (3.0 * stroke + phase).sin()) as u8;
        [level(0.0), level(1.0), level(2.0), 255]
    })
}

/// Uneven frame times, as from a camera and a painter, in microseconds.
fn times(count: usize) -> Vec<Duration> {
    let mut at = 0;
    let mut next = |n: usize| {
        let now = at;
        at += [33_333, 31_007, 41_250, 20_001, 66_667][n % 5];
        Duration::from_micros(now)
    };
    (0..count).map(&mut next).collect()
}

/// Records these frames at these times, each after the previous one is written.
fn recorded(destination: &Destination, frames: &[(Frame, Duration)]) -> Recorded {
    let (recorder, mut sink) = Recorder::start(destination, Arc::new(|| {})).expect("a file");
    let began = Instant::now();
    for (n, (frame, at)) in frames.iter().enumerate() {
        sink.push(frame, began + *at);
        while recorder.written() <= n as u64 && !recorder.has_ended() {
            std::thread::sleep(Duration::from_micros(200));
        }
    }
    recorder.finish()
}

fn film(width: usize, height: usize, count: usize) -> Vec<(Frame, Duration)> {
    times(count).into_iter().enumerate().map(|(n, at)| (painting(width, height, n), at)).collect()
}

/// The ffmpeg of this computer. Without one, tests that need it are skipped with a message.
fn ffmpeg() -> Option<Ffmpeg> {
    Codec::H264.ffmpeg().inspect_err(|why| println!("left out: {why}")).ok()
}

/// The output of one of ffmpeg's programs.
pub fn output(program: &Path, arguments: &[&str], file: &Path) -> Vec<u8> {
    let mut command = Command::new(program);
    command.args(["-v", "error"]).arg("-i").arg(file).args(arguments);
    let ended = command.stdin(Stdio::null()).output().expect("starts");
    let errors = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{errors}");
    assert_eq!(errors, "", "{}", file.display());
    ended.stdout
}

/// The frames of a video as ffmpeg decodes them.
fn decoded(ffmpeg: &Ffmpeg, file: &Path, (width, height): (usize, usize)) -> Vec<Frame> {
    let scale = "scale=in_color_matrix=auto:flags=accurate_rnd+full_chroma_int";
    let every = [
        "-vf",
        scale,
        "-vsync",
        "passthrough",
        "-enc_time_base",
        "1:90000",
        "-f",
        "rawvideo",
        "-pix_fmt",
        "rgba",
        "-",
    ];
    let bytes = output(&ffmpeg.program, &every, file);
    let frames = bytes.chunks(4 * width * height);
    let frame = |rgba: &[u8]| Frame::from_rgba(width, height, rgba.to_vec()).expect("whole");
    frames.map(frame).collect()
}

/// ffprobe's output for each frame, or for the stream, one line each.
pub fn probed(ffmpeg: &Ffmpeg, file: &Path, entries: &str) -> Vec<String> {
    let program = ffmpeg.program.with_file_name("ffprobe");
    let show = ["-select_streams", "v", "-show_entries", entries, "-of", "csv=p=0"];
    String::from_utf8(output(&program, &show, file))
        .expect("text")
        .lines()
        .map(|line| line.trim_end_matches(','))
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

fn least_db(decoded: &[Frame], handed_in: &[(Frame, Duration)]) -> f64 {
    decoded
        .iter()
        .zip(handed_in)
        .map(|(a, (b, _))| PictureDifference::between(a, b).expect("one size").psnr_db)
        .fold(f64::INFINITY, f64::min)
}

fn mp4(folder: &Path, ffmpeg: &Ffmpeg) -> (PathBuf, Destination) {
    let path = folder.join("clip.mp4");
    (path.clone(), Destination::Mp4 { path, choice: ffmpeg.clone().into() })
}

#[test]
fn an_mp4_has_every_frame_at_its_time_and_looks_like_it() {
    let Some(ffmpeg) = ffmpeg() else { return };
    let here = tempfile::tempdir().expect("a folder");
    let (path, destination) = mp4(here.path(), &ffmpeg);
    let frames = film(320, 180, 90);
    let result = recorded(&destination, &frames);
    assert_eq!(result.failure, None);
    assert_eq!((result.frames, result.left_out), (90, 0));
    assert_eq!(result.length, frames[89].1);
    assert_eq!(result.bytes, fs::metadata(&path).expect("a file").len());
    assert_eq!(result.notes, Vec::<String>::new());

    let seconds = probed(&ffmpeg, &path, "frame=pts_time");
    assert_eq!(seconds.len(), 90);
    let off = seconds.iter().zip(&frames).map(|(seconds, (_, at))| {
        let seconds: f64 = seconds.parse().expect("a time");
        (seconds - at.as_secs_f64()).abs()
    });
    let off = off.fold(0.0, f64::max);
    assert!(off <= 1e-3, "{off} s");
    let about = probed(
        &ffmpeg,
        &path,
        "stream=codec_name,pix_fmt,color_range,color_space,color_transfer,color_primaries",
    );
    assert_eq!(about, ["h264,yuv420p,tv,bt709,bt709,bt709"]);
    let again = decoded(&ffmpeg, &path, (320, 180));
    assert_eq!(again.len(), 90);
    let least = least_db(&again, &frames);
    println!("mp4: {least:.1} dB, times off by {:.1} us, {} bytes", off * 1e6, result.bytes);
    assert!(least >= MIN_DB, "{least}");
}

#[test]
fn every_codec_has_every_frame_at_its_time() {
    let Some(ffmpeg) = ffmpeg() else { return };
    let here = tempfile::tempdir().expect("a folder");
    let frames = film(161, 90, 40);
    for (codec, quality) in [(Codec::Hevc, 90), (Codec::Av1, 90), (Codec::H264, 20)] {
        if let Err(why) = codec.ffmpeg() {
            println!("left out: {why}");
            continue;
        }
        let path = here.path().join(format!("{codec}.mp4"));
        let choice = Mp4Choice { codec, quality, ..ffmpeg.clone().into() };
        let result = recorded(&Destination::Mp4 { path: path.clone(), choice }, &frames);
        assert_eq!((result.failure, result.frames, result.left_out), (None, 40, 0), "{codec}");
        let mut seconds: Vec<f64> = probed(&ffmpeg, &path, "packet=pts_time")
            .iter()
            .map(|s| s.parse().expect("a time"))
            .collect();
        seconds.sort_by(f64::total_cmp);
        assert_eq!(seconds.len(), 40, "{codec}");
        for (seconds, (_, at)) in seconds.iter().zip(&frames) {
            assert!((seconds - at.as_secs_f64()).abs() <= 1e-3, "{codec}: {seconds} for {at:?}");
        }
        let about = probed(&ffmpeg, &path, "stream=codec_name,width,pix_fmt,color_space");
        assert_eq!(about, [format!("{codec},162,yuv420p,bt709")]);
        let again: Vec<_> = decoded(&ffmpeg, &path, (162, 90))
            .iter()
            .map(|frame| frame.crop(0, 0, 161, 90))
            .collect();
        let least = least_db(&again, &frames);
        println!("{codec} at quality {quality}: {least:.1} dB, {} bytes", result.bytes);
        assert!(least >= if quality > 50 { 34.0 } else { 20.0 }, "{codec}: {least}");
        assert!(quality > 50 || least <= 34.0, "{codec}: {least}");
    }
}

/// An encoder that starts only after all pictures have arrived, as one that must first be read from disk.
#[cfg(unix)]
#[test]
fn an_mp4_has_every_frame_however_long_its_encoder_takes_to_start() {
    use std::os::unix::fs::PermissionsExt;

    let Some(mut ffmpeg) = ffmpeg() else { return };
    let here = tempfile::tempdir().expect("a folder");
    let slow = here.path().join("slow");
    let go = here.path().join("go");
    let script = format!(
        "#!/bin/sh\nwhile [ ! -e {go:?} ]; do sleep 0.01; done\nexec {:?} \"$@\"\n",
        ffmpeg.program
    );
    fs::write(&slow, script).expect("written");
    fs::set_permissions(&slow, fs::Permissions::from_mode(0o755)).expect("a program");
    let program = std::mem::replace(&mut ffmpeg.program, slow);
    let (path, destination) = mp4(here.path(), &ffmpeg);
    let (recorder, mut sink) = Recorder::start(&destination, Arc::new(|| {})).expect("a file");
    let began = Instant::now();
    let frames = film(320, 180, 75);
    for (frame, at) in &frames {
        sink.push(frame, began + *at);
    }
    fs::write(go, "").expect("written");
    let result = recorder.finish();
    assert_eq!((result.failure, result.frames, result.left_out), (None, 75, 0));
    assert_eq!(result.length, frames[74].1);
    ffmpeg.program = program;
    let seconds = probed(&ffmpeg, &path, "frame=pts_time");
    let second: f64 = seconds[1].parse().expect("a time");
    assert!((second - frames[1].1.as_secs_f64()).abs() <= 1e-3, "{seconds:?}");
}

/// A picture's brightness as a grey picture.
fn brightness(frame: &Frame) -> Frame {
    Frame::from_fn(frame.width(), frame.height(), |x, y| {
        let [r, g, b, _] = frame.pixel(x, y).map(f64::from);
        let luma = (0.2126 * r + 0.7152 * g + 0.0722 * b).round() as u8;
        [luma, luma, luma, 255]
    })
}

/// The planes of a video's frames, without conversion of format or colours.
fn decoded_planes(ffmpeg: &Ffmpeg, file: &Path) -> Vec<u8> {
    let every = "-vsync passthrough -enc_time_base 1:90000 -f rawvideo -pix_fmt yuv420p -";
    let every: Vec<&str> = every.split(' ').collect();
    output(&ffmpeg.program, &every, file)
}

/// The planes that an encoder gets for a file of RGBA pixels.
fn planes_of(ffmpeg: &Ffmpeg, file: &Path, (width, height): (usize, usize)) -> Vec<u8> {
    let scale = "scale=out_color_matrix=bt709:out_range=tv:flags=accurate_rnd+full_chroma_inp";
    let size = format!("{width}x{height}");
    let mut command = Command::new(&ffmpeg.program);
    command.args("-v error -f rawvideo -pix_fmt rgba -s".split(' ')).arg(&size);
    command.arg("-i").arg(file).args(["-vf", scale]);
    command.args("-f rawvideo -pix_fmt yuv420p -".split(' '));
    command.stdin(Stdio::null()).output().expect("starts").stdout
}

/// PSNR of planes of bytes, in dB.
fn psnr_db(a: &[u8], b: &[u8]) -> f64 {
    let squares = a.iter().zip(b).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2));
    let mean = squares.sum::<f64>() / a.len() as f64;
    10.0 * (255.0 * 255.0 / mean).log10()
}

/// Six styles side by side, moving. Widely playable H.264 has half the resolution in chroma, so saturated strokes lose
/// some quality.
#[test]
fn real_paintings_keep_their_brightness_and_nearly_all_of_their_colours() {
    let Some(ffmpeg) = ffmpeg() else { return };
    let here = tempfile::tempdir().expect("a folder");
    let (path, destination) = mp4(here.path(), &ffmpeg);
    let sheet = crate::home::project().join("assets/styles.webp");
    let sheet = decode::from_path(&sheet).expect("a picture").frame;
    let (width, height) = (640, 360);
    let frames: Vec<_> = (times(24).into_iter().enumerate())
        .map(|(n, at)| (sheet.crop(160 + 4 * n, 100 + 2 * n, width, height), at))
        .collect();
    let result = recorded(&destination, &frames);
    assert_eq!(result.failure, None);
    let again = decoded(&ffmpeg, &path, (width, height));
    assert_eq!(again.len(), frames.len());
    let all = least_db(&again, &frames);
    // Compares the encoder's input with the decoder's output, to measure only the loss from encoding.
    let (pixels, planes) = (width * height, decoded_planes(&ffmpeg, &path));
    let raw = here.path().join("frames.rgba");
    let rgba: Vec<u8> = frames.iter().flat_map(|(frame, _)| frame.rgba().to_vec()).collect();
    fs::write(&raw, rgba).expect("written");
    let handed = planes_of(&ffmpeg, &raw, (width, height));
    assert_eq!(planes.len(), handed.len());
    let whole = pixels * 3 / 2;
    let mut worst = [f64::INFINITY; 3];
    for (a, b) in planes.chunks(whole).zip(handed.chunks(whole)) {
        let ends = [0, pixels, pixels * 5 / 4, whole];
        for (plane, worst) in worst.iter_mut().enumerate() {
            let part = ends[plane]..ends[plane + 1];
            *worst = worst.min(psnr_db(&a[part.clone()], &b[part]));
        }
    }
    let bright: Vec<_> = again.iter().map(brightness).collect();
    let frames: Vec<_> = (frames.iter()).map(|(frame, at)| (brightness(frame), *at)).collect();
    let bright = least_db(&bright, &frames);
    println!(
        "paintings: {all:.1} dB, in brightness {bright:.1} dB, planes {worst:.1?} dB, {} bytes",
        result.bytes
    );
    assert!(worst.iter().all(|db| *db >= MIN_DB), "{worst:?}");
    // In RGB the halved chroma resolution counts as well, which is the format's limit.
    assert!(bright >= 43.0, "{bright}");
    assert!(all >= 36.0, "{all}");
}

/// A partial file can be played at any time: here after the first fragments of a longer recording.
#[test]
fn an_mp4_that_is_cut_off_plays_up_to_there() {
    let Some(ffmpeg) = ffmpeg() else { return };
    let here = tempfile::tempdir().expect("a folder");
    let (path, destination) = mp4(here.path(), &ffmpeg);
    let result = recorded(&destination, &film(160, 90, 200));
    assert_eq!(result.failure, None);
    let whole = fs::read(&path).expect("a file");
    let cut = here.path().join("cut.mp4");
    fs::write(&cut, &whole[..whole.len() * 3 / 4]).expect("written");
    let program = Command::new(&ffmpeg.program)
        .args(["-v", "quiet", "-i"])
        .arg(&cut)
        .args(["-vsync", "passthrough", "-f", "rawvideo", "-pix_fmt", "gray", "-"])
        .output()
        .expect("starts");
    let frames = program.stdout.len() / (160 * 90);
    assert!((60..200).contains(&frames), "{frames}");
}

#[test]
fn odd_and_changing_sizes_lose_no_frame_and_are_reported() {
    let Some(ffmpeg) = ffmpeg() else { return };
    let here = tempfile::tempdir().expect("a folder");
    let (path, destination) = mp4(here.path(), &ffmpeg);
    let sizes = [(161, 91), (161, 91), (80, 45), (91, 161), (322, 182)];
    let at = times(sizes.len());
    let frames: Vec<_> = sizes
        .iter()
        .zip(at)
        .enumerate()
        .map(|(n, (&(w, h), at))| (painting(w, h, n), at))
        .collect();
    let result = recorded(&destination, &frames);
    assert_eq!((result.failure, result.frames), (None, 5));
    assert_eq!(result.notes.len(), 2, "{:?}", result.notes);
    assert!(
        result.notes[0]
            .contains("3 pictures of another size scaled to the first one's 161 x 91 px")
    );
    assert!(result.notes[1].contains("161 x 91 px became 162 x 92"));
    let again = decoded(&ffmpeg, &path, (162, 92));
    assert_eq!(again.len(), 5);
    let first: Vec<_> = again.iter().map(|frame| frame.crop(0, 0, 161, 91)).collect();
    let least = least_db(&first[..2], &frames);
    assert!(least >= MIN_DB, "{least}");
    let [dark, ..] = again[3].pixel(2, 40);
    assert!(dark < 8, "bars at the sides of a tall picture");
}
