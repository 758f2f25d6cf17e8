//! Films with scripts that hang, lie or fail as ffmpeg.
#![allow(clippy::expect_used, reason = "test support: a broken test should panic")]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use crossbeam_channel::bounded;
use serde_json::json;

use super::{Film, RenderError, Rendered, render};
use crate::films::{DECODES, FRAMES, clip, film_tools, tools};
use crate::{
    Stylization,
    paint::{OutputSize, Painting, Steadying},
};
use backend::{RunControl, Steadiness};
use media::{
    film::{Clip, Codec, Container, Range, Reader, Tools},
    framing::Framing,
    memory::Flow,
    nut::{NutMuxer, NutReader, NutStream, SQUARE, Track},
};
use pictures::alpha;
use values::{
    compose::Look, disk::Existing, frame::Frame, lock::lock, mode::Mode, timing::RunTiming,
};

/// What an encoder and a join do that work.
const ENCODES: &str = "cat >/dev/null; echo part >\"$last\"";
const JOINS: &str = "echo film >\"$last\"";

/// A join that does this after the trial.
fn after_trial(does: &str) -> String {
    format!("if grep -q trial painted.mp4.part/parts.ffconcat; then {JOINS}; else {does}; fi")
}

/// What ffmpeg prints if it cannot complete a file.
fn torn(why: &str) -> String {
    format!("echo 'Error writing trailer of a: {why}' >&2")
}

/// Paints a film at strength 0 in `folder` with these scripts.
fn paint(
    folder: &Path,
    scripts: [&str; 3],
    control: &Arc<RunControl>,
) -> Result<Rendered, RenderError> {
    paint_with(folder, scripts, control, |_| {})
}

/// [`paint`], with changed settings.
fn paint_with(
    folder: &Path,
    scripts: [&str; 3],
    control: &Arc<RunControl>,
    change: impl FnOnce(&mut Film<'_>),
) -> Result<Rendered, RenderError> {
    // Only a script that hangs has to be given up; the others may take their time on a busy machine.
    let hangs = scripts.iter().any(|script| script.contains("sleep"));
    let patience = Duration::from_secs(if hangs { 1 } else { 30 });
    let tools = Tools { patience, control: control.clone(), ..film_tools(folder, scripts) };
    let (output, clip) = (folder.join("painted.mp4"), clip());
    let mut film = film(&clip, &output);
    change(&mut film);
    let unused = |_: &[&Arc<Frame>], _: Option<&Steadying>| Ok(Vec::new());
    render(&tools, &film, Flow::Usual, &unused, &|_, _| {})
}

/// A film at strength 0.
fn film<'a>(clip: &'a Clip, output: &'a Path) -> Film<'a> {
    Film {
        // The scripts read something else; it only has to exist.
        source: Path::new("Cargo.toml"),
        clip,
        output,
        existing: Existing::Keep,
        container: Container::Mp4,
        codec: Codec::H264,
        hardware: None,
        quality: 80,
        range: Range::default(),
        fps: None,
        framing: Framing::default(),
        output_size: OutputSize::Original,
        stylization: Stylization { look: Look::new(0, false), ..Stylization::default() },
        strips_metadata: false,
        strips_location: false,
        background: alpha::WHITE,
        batch: 3,
        devices: 1,
        part_frames: 8,
        about: String::new(),
    }
}

/// The processes whose current folder this is, as far as the system shows them.
fn processes_in(folder: &Path) -> Vec<PathBuf> {
    let folder = fs::canonicalize(folder).expect("there");
    let all = fs::read_dir("/proc").into_iter().flatten().flatten().map(|process| process.path());
    all.filter(|process| fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd == folder))
        .collect()
}

/// What a stopped script has started needs a moment to see that its pipes are closed.
fn wait_until_none_runs_in(folder: &Path) {
    let end = Instant::now() + Duration::from_secs(60);
    while !processes_in(folder).is_empty() {
        assert!(Instant::now() < end, "{:?}", processes_in(folder));
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_film_needs_every_process_to_do_its_part() {
    let control = Arc::default();
    for (scripts, words, complete) in [
        (["exec sleep 600", ENCODES, JOINS], "clip.mp4: ffmpeg read nothing for 1 s", 0),
        (
            ["cat clip.nut; exec sleep 600", ENCODES, JOINS],
            "clip.mp4: ffmpeg read nothing for 1 s",
            2,
        ),
        (["echo rubbish rubbish rubbish rubbish", ENCODES, JOINS], "sent no valid pictures", 0),
        (
            ["echo '[mov @ 0x1] no such thing' >&2; exit 1", ENCODES, JOINS],
            "can be read (no such thing)",
            0,
        ),
        (["head -c 200 clip.nut", ENCODES, JOINS], "no picture of it can be read", 0),
        ([DECODES, "exec sleep 600", JOINS], "ffmpeg", 0),
        ([DECODES, "cat >/dev/null; exec sleep 600", JOINS], "did not finish within 1 s", 0),
        (
            [DECODES, "echo 'pipe:1: No space left on device' >&2; exit 1", JOINS],
            "ffmpeg cannot encode: the disk is full; free some space",
            0,
        ),
        ([DECODES, "cat >/dev/null", JOINS], "could not be written", 0),
        ([DECODES, ENCODES, "echo 'no such muxer' >&2; exit 1"], "no such muxer", 0),
        (
            [DECODES, ENCODES, &after_trial("echo 'a: No space left on device' >&2; exit 1")],
            "cannot join the film: the disk is full; free some space or choose another folder; it needs",
            3,
        ),
        // ffmpeg succeeds when a file cannot be completed.
        (
            [DECODES, &format!("{ENCODES}; {}", torn("File too large")), JOINS],
            "ffmpeg cannot encode: Error writing trailer of a: File too large",
            0,
        ),
        (
            [
                DECODES,
                ENCODES,
                &after_trial(&format!("{JOINS}; {}", torn("No space left on device"))),
            ],
            "cannot join the film: the disk is full; free some space or choose another folder; it needs",
            3,
        ),
        (
            [
                DECODES,
                &format!("{ENCODES}; case $* in *joined*null*) echo frame=12;; esac"),
                &format!("{JOINS}; echo frame=20"),
            ],
            "only 12 of its 20 frames are in the joined file",
            3,
        ),
    ] {
        let here = tempfile::tempdir().expect("a folder");
        let error = paint(here.path(), scripts, &control).expect_err(words).to_string();
        assert!(error.contains(words), "{scripts:?}: {error}");
        assert!(!here.path().join("painted.mp4").exists());
        let parts = fs::read_dir(here.path().join("painted.mp4.part"));
        let names = parts.into_iter().flatten().flatten().map(|file| file.file_name());
        let names: Vec<_> = names.filter_map(|name| name.into_string().ok()).collect();
        let is_part = |name: &&String| name.starts_with("0000");
        assert_eq!(names.iter().filter(is_part).count(), complete, "{scripts:?}: {names:?}");
        wait_until_none_runs_in(here.path());
        // What is complete is used when the same film is painted again.
        let rendered = paint(here.path(), [DECODES, ENCODES, JOINS], &control).expect("painted");
        assert_eq!(rendered.resumed, [0, 8, 16, 20][complete], "{scripts:?}");
        assert!(here.path().join("painted.mp4").exists());
        assert!(!here.path().join("painted.mp4.part").exists());
    }
}

/// Keeps the pictures that it gets, those of a part under the number of its first frame.
const KEEPS: &str = "name=${last##*/}; cat >pictures-${name%%-*}; echo part >\"$last\"";

/// A painting of a frame of one level, and the state of the steadiness after it.
fn inverted(frame: &Frame, steady: Option<Vec<u8>>) -> Painting {
    let [level, ..] = frame.pixel(0, 0);
    Painting {
        painted: Frame::from_fn(64, 48, |_, _| [255 - level; 4]),
        deep: None,
        steady,
        notes: Vec::new(),
        mode: Mode::default(),
        run: RunTiming::host(1.0),
        total_ms: 1.0,
    }
}

/// The levels of the frames whose paintings [`KEEPS`] got, for a codec that gets them in RGBA8.
fn levels_of(folder: &Path) -> Vec<u64> {
    let files = fs::read_dir(folder).expect("a folder").flatten().map(|file| file.path());
    let mut files: Vec<_> =
        files.filter(|file| file.to_string_lossy().contains("pictures-0")).collect();
    files.sort();
    let mut levels = Vec::new();
    for file in files {
        let mut nut =
            NutReader::open(fs::File::open(file).expect("readable"), None).expect("pictures");
        while let Some((_, pixels)) = nut.next_picture().expect("whole") {
            levels.push(u64::from(255 - pixels[0]));
        }
    }
    levels
}

#[test]
fn a_device_steadies_the_frames_also_after_an_interruption() {
    let here = tempfile::tempdir().expect("a folder");
    let (output, clip) = (here.path().join("painted.mp4"), clip());
    let codec = Codec::Ffv1;
    let stylization = Stylization { steadiness: 70, ..Stylization::default() };
    let film = Film { stylization, codec, batch: 1, ..film(&clip, &output) };
    // Also returns the requests, one for each frame.
    let run = |decodes: &str, patience: u64| {
        let tools = Tools {
            patience: Duration::from_secs(patience),
            ..film_tools(here.path(), [decodes, KEEPS, JOINS])
        };
        let asked = Mutex::new(Vec::new());
        let paint = |frames: &[&Arc<Frame>], steadying: Option<&Steadying>| {
            let mut asked = lock(&asked);
            asked.push(steadying.expect("a device may steady it").clone());
            let state = format!("state {}", asked.len()).into_bytes();
            Ok(vec![inverted(frames[0], Some(state))])
        };
        let rendered = render(&tools, &film, Flow::Usual, &paint, &|_, _| {});
        (rendered, asked.into_inner().expect("no panic"))
    };
    // The decoder hangs at the end, when two parts are complete.
    let (stopped, first) = run("cat clip.nut; exec sleep 600", 1);
    stopped.expect_err("hangs");
    let (painted, second) = run(DECODES, 60);
    assert_eq!(painted.expect("painted").resumed, 16);
    assert_eq!([first.len(), second.len()], [FRAMES as usize, FRAMES as usize - 16]);
    for (number, asked) in (1..).zip(&first) {
        assert_eq!(asked.steadiness, Steadiness { percent: 70, is_new: number == 1 });
        assert_eq!(asked.is_saved, number % 8 == 0, "frame {number}");
        assert!(asked.restored.is_none(), "frame {number}");
    }
    for (number, asked) in (1..).zip(&second) {
        assert!(!asked.steadiness.is_new, "frame {number}");
        let restored = (number == 1).then_some(b"state 16".as_slice());
        assert_eq!(asked.restored.as_deref(), restored, "frame {number}");
    }
    // The processor has changed nothing.
    assert_eq!(levels_of(here.path()), (0..FRAMES).collect::<Vec<_>>());
}

#[test]
fn frames_stay_in_order_on_several_devices() {
    let here = tempfile::tempdir().expect("a folder");
    let tools = Tools {
        patience: Duration::from_secs(60),
        ..film_tools(here.path(), [DECODES, KEEPS, JOINS])
    };
    // The first batch is painted only after the third one.
    let (third, is_painted) = bounded(1);
    let paint = |frames: &[&Arc<Frame>], steadying: Option<&Steadying>| {
        match frames[0].pixel(0, 0)[0] {
            0 => is_painted.recv_timeout(Duration::from_secs(60)).expect("the third batch"),
            6 => third.send(()).expect("room"),
            _ => {}
        }
        assert!(steadying.is_none(), "the frames of several devices have no order");
        Ok(frames.iter().map(|frame| inverted(frame, None)).collect())
    };
    let (output, clip) = (here.path().join("painted.mp4"), clip());
    let (stylization, codec) = (Stylization::default(), Codec::Ffv1);
    let film = Film { stylization, codec, devices: 2, ..film(&clip, &output) };
    let rendered = render(&tools, &film, Flow::Usual, &paint, &|_, _| {});
    assert_eq!(rendered.expect("painted").frames, FRAMES);
    assert_eq!(levels_of(here.path()), (0..FRAMES).collect::<Vec<_>>());
}

#[test]
fn a_graphics_card_encodes_if_its_trial_succeeds() {
    let here = tempfile::tempdir().expect("a folder");
    let trial =
        "case \"$*\" in *format=nv12,hwupload*h264_vaapi*) ;; *) echo 'no card' >&2; exit 1;; esac";
    let tools = tools(here.path(), trial);
    let hardware = |codec: Codec| codec.hardware(&tools.ffmpeg, (64, 48), &tools.control);
    assert_eq!(hardware(Codec::H264), Some("h264_vaapi".to_owned()));
    assert_eq!(hardware(Codec::Hevc), None, "not listed");
    assert_eq!(hardware(Codec::ProRes), None);
    let encodes = format!("echo \"$*\" >>arguments; {ENCODES}");
    for hardware in [None, Some("h264_nvenc")] {
        let here = tempfile::tempdir().expect("a folder");
        let scripts = [DECODES, encodes.as_str(), JOINS];
        let painted = paint_with(here.path(), scripts, &Arc::default(), |film| {
            film.hardware = hardware.map(str::to_owned);
        });
        assert_eq!(painted.expect("painted").frames, FRAMES);
        let arguments = fs::read_to_string(here.path().join("arguments")).expect("written");
        let is_hardware = |line: &str| line.contains("format=nv12") && line.contains("h264_nvenc");
        assert!(
            arguments.lines().all(|line| is_hardware(line) == hardware.is_some()),
            "{arguments}"
        );
    }
}

#[test]
fn what_a_finished_film_left_behind_is_removed_by_the_next_run() {
    let here = tempfile::tempdir().expect("a folder");
    let again = || {
        let scripts = [DECODES, ENCODES, JOINS];
        let error = paint(here.path(), scripts, &Arc::default()).expect_err("it exists");
        assert!(error.to_string().contains("exists"), "{error}");
    };
    let parts = here.path().join("painted.mp4.part");
    fs::write(here.path().join("painted.mp4"), "film").expect("written");
    fs::create_dir(&parts).expect("a folder");
    fs::write(parts.join("000000000-8-7-0.mp4"), "part").expect("written");
    again();
    assert!(!parts.exists());
    // One that is not finished stays.
    fs::create_dir(&parts).expect("a folder");
    fs::write(parts.join("film.txt"), "other settings").expect("written");
    again();
    assert!(parts.exists());
}

#[test]
fn a_folder_of_parts_that_somebody_else_made_is_refused() {
    let here = tempfile::tempdir().expect("a folder");
    let other = here.path().join("other.mp4.part");
    fs::create_dir(&other).expect("a folder");
    let part = other.join("000000000-8-7-00000000000000ff-0.mp4");
    fs::write(&part, "part").expect("written");
    std::os::unix::fs::symlink(&other, here.path().join("painted.mp4.part")).expect("linked");
    let error = paint(here.path(), [DECODES, ENCODES, JOINS], &Arc::default());
    let error = error.expect_err("a link").to_string();
    assert!(error.contains("painted.mp4.part could not be written: it is a link"), "{error}");
    assert!(part.exists());
}

#[test]
fn a_damaged_part_is_painted_again() {
    let here = tempfile::tempdir().expect("a folder");
    let control = Arc::default();
    let fails = after_trial("exit 1");
    paint(here.path(), [DECODES, ENCODES, &fails], &control).expect_err("stopped");
    let parts = fs::read_dir(here.path().join("painted.mp4.part")).expect("a folder").flatten();
    let second =
        parts.map(|file| file.path()).find(|path| path.to_string_lossy().contains("/000000008-"));
    fs::write(second.expect("the second part"), "another film").expect("written");
    let painted = paint(here.path(), [DECODES, ENCODES, JOINS], &control).expect("painted");
    assert_eq!((painted.resumed, painted.frames), (8, FRAMES));
    assert!(painted.notes[0].starts_with("12 frames are painted again"), "{:?}", painted.notes);
}

#[test]
fn a_part_that_cannot_be_joined_is_painted_again() {
    let control = Arc::default();
    for (says, resumed) in [
        ("moov atom not found; echo x: Invalid data found when processing input", 8),
        ("Cannot allocate memory", 20),
    ] {
        let here = tempfile::tempdir().expect("a folder");
        let counts = format!(
            "case \"$*\" in *000000008-*null*) {{ echo {says}; }} >&2; exit 1;; *) {ENCODES};; esac"
        );
        let joins = after_trial("echo 'moov atom not found' >&2; exit 1");
        let error = paint(here.path(), [DECODES, &counts, &joins], &control).expect_err("torn");
        assert!(error.to_string().contains("moov atom not found"), "{error}");
        let painted = paint(here.path(), [DECODES, ENCODES, JOINS], &control).expect("painted");
        assert_eq!(painted.resumed, resumed, "{says}");
    }
}

#[test]
fn pictures_that_ffmpeg_leaves_out_are_damage() {
    let end = Some("it has no end marker");
    let less = Some("only 20 of its 30 pictures can be read");
    for (frames, is_cut, damage) in [(FRAMES, false, None), (30, false, less), (FRAMES, true, end)]
    {
        let here = tempfile::tempdir().expect("a folder");
        let reader = Reader::Numbered { first: 1, holds: false };
        let (clip, output) = (
            Clip { reader, is_cut, frames: Some(frames), ..clip() },
            here.path().join("painted.mp4"),
        );
        let tools = film_tools(here.path(), [DECODES, ENCODES, JOINS]);
        let tools = Tools { patience: Duration::from_secs(60), ..tools };
        let unused = |_: &[&Arc<Frame>], _: Option<&Steadying>| Ok(Vec::new());
        let painted = render(&tools, &film(&clip, &output), Flow::Usual, &unused, &|_, _| {});
        assert_eq!(painted.expect("painted").damage.as_deref(), damage);
    }
}

#[test]
fn a_part_ends_before_a_gap_that_it_cannot_store() {
    let here = tempfile::tempdir().expect("a folder");
    let joins =
        after_trial("echo \"$*\" >arguments; ls painted.mp4.part >names; echo film >\"$last\"");
    let tools = film_tools(here.path(), [DECODES, ENCODES, &joins]);
    let tools = Tools { patience: Duration::from_secs(60), ..tools };
    let (mut muxer, mut nut) = (NutMuxer::default(), Vec::new());
    let (tick, aspect) = ((1, 30), SQUARE);
    muxer.begin(
        &NutStream { width: 64, height: 48, tick, aspect, ..NutStream::default() },
        &mut nut,
    );
    for ticks in [0, 1, 1 << 32] {
        muxer.frame(Track::Pictures, ticks, 4 * 64 * 48, &mut nut);
        nut.resize(nut.len() + 4 * 64 * 48, 0);
    }
    fs::write(here.path().join("clip.nut"), nut).expect("written");
    let (clip, output) = (clip(), here.path().join("painted.mp4"));
    let unused = |_: &[&Arc<Frame>], _: Option<&Steadying>| Ok(Vec::new());
    let painted = render(&tools, &film(&clip, &output), Flow::Usual, &unused, &|_, _| {});
    assert_eq!(painted.expect("painted").frames, 3);
    let read = |name: &str| fs::read_to_string(here.path().join(name)).expect("written");
    let names = read("names");
    assert!(names.contains("000000000-2-1-") && names.contains("000000002-1-0-"), "{names}");
    // A third, so that the gap of 2^32 ticks is less than 2^31.
    let arguments = read("arguments");
    assert!(arguments.contains("-video_track_timescale 10 "), "{arguments}");
}

#[test]
fn painted_pictures_end_in_a_film_whatever_else_is_damaged() {
    let sound = |index: u64| json!({ "index": index, "codec_type": "audio", "codec_name": "mp2" });
    let video = json!({ "index": 0, "codec_type": "video", "width": 64, "height": 48 });
    let streams = json!({ "streams": [video, sound(1), sound(2)] });
    let clip = Clip { others: Clip::of("", &streams).expect("a clip").others, ..clip() };
    let copied = "its sound (stream 2, mp2) is damaged and encoded again";
    let (first, second) =
        ("not copied: stream 1 (audio, mp2)", "not copied: stream 2 (audio, mp2)");
    let described = "title, date and chapters are not copied";
    for (fails, notes) in [
        ("-c:0", &[][..]),
        // The second sound cannot be copied, alone or after the first one.
        ("1:2 -c:[12] copy", &[copied]),
        ("1:1", &[first]),
        ("1:[12]", &[first, second]),
        ("map_metadata 1", &[described]),
        // Each of them can be stored, but not both.
        ("1:1.*1:2", &["only its pictures are stored: ffmpeg cannot join the film: bad"]),
    ] {
        let here = tempfile::tempdir().expect("a folder");
        let joins = format!(
            "if echo \"$*\" | grep -q -e {fails:?}; then echo bad >&2; exit 1; else {JOINS}; fi"
        );
        let mut tools = film_tools(here.path(), [DECODES, ENCODES, &joins]);
        tools.patience = Duration::from_secs(60);
        tools.ffmpeg.encoders.push("aac".to_owned());
        let output = here.path().join("painted.mp4");
        let unused = |_: &[&Arc<Frame>], _: Option<&Steadying>| Ok(Vec::new());
        let painted = render(&tools, &film(&clip, &output), Flow::Usual, &unused, &|_, _| {});
        assert_eq!(painted.expect(fails).notes, notes, "{fails}");
        assert!(output.exists() && !here.path().join("painted.mp4.part").exists(), "{fails}");
    }
}

#[test]
fn large_films_have_few_frames_on_their_way_or_are_refused() {
    let here = tempfile::tempdir().expect("a folder");
    let clip = Clip { size: (1920, 1080), ..clip() };
    let output = here.path().join("painted.mp4");
    let film = film(&clip, &output);
    let share = |limit_bytes| {
        let tools = Tools { max_memory_bytes: Some(limit_bytes), ..tools(here.path(), "") };
        film.share(&tools, |_| Ok(true))
    };
    assert_eq!(share(u64::MAX).expect("fits").flow, Flow::Usual);
    let share_of = share(600_000_000).expect("few frames fit");
    assert_eq!(share_of.flow, Flow::Frugal);
    // Painting leaves room for the processes.
    assert!(share_of.held_bytes > 300_000_000, "{share_of:?}");
    let error = share(450_000_000).expect_err("too large").to_string();
    // The encoder of WebP keeps the frames.
    let webp = |frames| {
        let (clip, container) = (Clip { frames: Some(frames), ..clip.clone() }, Container::WebP);
        let film = Film { clip: &clip, container, ..film.clone() };
        let tools = Tools { max_memory_bytes: Some(u64::MAX), ..tools(here.path(), "") };
        film.share(&tools, |_| Ok(true)).map(|share| share.needed_bytes)
    };
    assert!(webp(1_000).expect("fits") > webp(1).expect("fits") + 500_000_000);
    let words = "clip.mp4: its pictures have 1920 x 1080 pixels and need ";
    assert!(error.starts_with(words) && error.contains("the limit is 450 MB"), "{error}");
}

#[test]
fn few_frames_on_their_way_make_the_same_film() {
    let here = tempfile::tempdir().expect("a folder");
    let keeps = format!("echo \"$*\" >>arguments; {KEEPS}");
    let tools = Tools {
        patience: Duration::from_secs(60),
        ..film_tools(here.path(), [&format!("echo \"$*\" >>arguments; {DECODES}"), &keeps, JOINS])
    };
    let paint = |frames: &[&Arc<Frame>], _: Option<&Steadying>| {
        assert_eq!(frames.len(), 1);
        Ok(frames.iter().map(|frame| inverted(frame, None)).collect())
    };
    let (output, clip) = (here.path().join("painted.mp4"), clip());
    let (stylization, codec) = (Stylization::default(), Codec::Ffv1);
    let film = Film { stylization, codec, devices: 2, ..film(&clip, &output) };
    let rendered = render(&tools, &film, Flow::Frugal, &paint, &|_, _| {});
    assert_eq!(rendered.expect("painted").frames, FRAMES);
    assert_eq!(levels_of(here.path()), (0..FRAMES).collect::<Vec<_>>());
    // A decoder and four encoders, one of them for the trial; the decoder takes no much larger picture than the clip's.
    let arguments = fs::read_to_string(here.path().join("arguments")).expect("written");
    assert_eq!(arguments.matches("-threads 1").count(), 5, "{arguments}");
    assert_eq!(arguments.matches("-max_pixels 2088960 ").count(), 1, "{arguments}");
}

#[test]
fn a_cancelled_film_waits_for_no_process() {
    const HANGS: &str = "echo $$ >hangs; exec sleep 600";
    let after_trial_part = format!("case $last in *trial*) {ENCODES};; *) {HANGS};; esac");
    for scripts in [
        [HANGS, ENCODES, JOINS],
        [DECODES, HANGS, JOINS],
        [DECODES, &after_trial_part, JOINS],
        [DECODES, &format!("cat >/dev/null; {HANGS}"), JOINS],
        [DECODES, ENCODES, HANGS],
        [DECODES, ENCODES, &after_trial(HANGS)],
    ] {
        let here = tempfile::tempdir().expect("a folder");
        let tools =
            Tools { patience: Duration::from_secs(600), ..film_tools(here.path(), scripts) };
        let (output, clip) = (here.path().join("painted.mp4"), clip());
        let film = film(&clip, &output);
        let unused = |_: &[&Arc<Frame>], _: Option<&Steadying>| Ok(Vec::new());
        let (sender, ended) = bounded(1);
        std::thread::scope(|scope| {
            scope.spawn(|| sender.send(render(&tools, &film, Flow::Usual, &unused, &|_, _| {})));
            let hangs = || here.path().join("hangs").exists();
            let end = Instant::now() + Duration::from_secs(60);
            while !hangs() && ended.is_empty() && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(2));
            }
            tools.control.cancel();
            let ended = ended.recv_timeout(Duration::from_secs(60)).expect("it hangs");
            assert!(hangs(), "{scripts:?}: {ended:?}");
            let error = ended.expect_err("cancelled");
            assert!(matches!(error, RenderError::Cancelled { .. }), "{scripts:?}: {error}");
        });
        wait_until_none_runs_in(here.path());
    }
}

#[test]
fn a_cancelled_film_keeps_every_frame_that_is_encoded() {
    let here = tempfile::tempdir().expect("a folder");
    let patience = Duration::from_secs(60);
    let tools = Tools { patience, ..film_tools(here.path(), [DECODES, ENCODES, JOINS]) };
    let (output, clip) = (here.path().join("painted.mp4"), clip());
    let unused = |_: &[&Arc<Frame>], _: Option<&Steadying>| Ok(Vec::new());
    let encoded = Mutex::new(0);
    let progress = |frames, _| {
        *lock(&encoded) = frames;
        // In the second part.
        if frames == 11 {
            tools.control.cancel();
        }
    };
    let error = render(&tools, &film(&clip, &output), Flow::Usual, &unused, &progress);
    let Err(RenderError::Cancelled { frames, .. }) = error else { panic!("{error:?}") };
    assert!(frames >= 11);
    assert_eq!(frames, *lock(&encoded));
}

#[test]
fn a_cancelled_film_keeps_its_steadiness() {
    let levels = |cancelled_at: u64| {
        let here = tempfile::tempdir().expect("a folder");
        let (output, clip) = (here.path().join("painted.mp4"), clip());
        let stylization = Stylization { steadiness: 70, ..Stylization::default() };
        let film = Film { stylization, codec: Codec::Ffv1, batch: 1, ..film(&clip, &output) };
        let paint =
            |frames: &[&Arc<Frame>], _: Option<&Steadying>| Ok(vec![inverted(frames[0], None)]);
        let run = |cancelled_at| {
            let tools = film_tools(here.path(), [DECODES, KEEPS, JOINS]);
            let tools = Tools { patience: Duration::from_secs(60), ..tools };
            render(&tools, &film, Flow::Usual, &paint, &|frames, _| {
                if frames == cancelled_at {
                    tools.control.cancel();
                }
            })
        };
        if let Err(error) = run(cancelled_at) {
            let RenderError::Cancelled { frames, .. } = error else { panic!("{error}") };
            assert!(frames >= cancelled_at);
            assert_eq!(run(u64::MAX).expect("painted").resumed, frames);
        }
        levels_of(here.path())
    };
    // In the second part.
    assert_eq!(levels(11), levels(FRAMES + 1));
}

#[test]
fn complaints_about_what_lies_before_the_start_are_forgotten() {
    for (later, damage) in [("", None), ("echo late >&2", Some("late"))] {
        let begun = "echo early >&2; echo '[Eval @ 0x1] 16777215.000000' >&2";
        let here = tempfile::tempdir().expect("a folder");
        let decodes = format!("{begun}; {DECODES}; {later}");
        let painted = paint(here.path(), [&decodes, ENCODES, JOINS], &Arc::default());
        assert_eq!(painted.expect("painted").damage.as_deref(), damage);
    }
}

#[test]
fn the_frames_of_the_joined_film_are_counted() {
    let control = Arc::default();
    let few = format!("{JOINS}; echo frame=1; echo frame=12");
    let here = tempfile::tempdir().expect("a folder");
    let painted = paint(here.path(), [DECODES, ENCODES, &few], &control).expect("painted");
    assert_eq!(painted.frames, 12);
    assert_eq!(painted.damage.as_deref(), Some("8 painted frames cannot be joined"));
    // Parts that have fewer frames than they promise are painted again.
    let here = tempfile::tempdir().expect("a folder");
    let encodes = format!("case $* in *joined*null*) ;; *) {ENCODES}; echo frame=3;; esac");
    let error = paint(here.path(), [DECODES, &encodes, &few], &control).expect_err("too few");
    assert!(error.to_string().contains("8 frames are missing in the encoded parts"), "{error}");
    let painted = paint(here.path(), [DECODES, ENCODES, JOINS], &control).expect("painted");
    assert_eq!((painted.resumed, painted.frames, painted.damage), (0, FRAMES, None));
}

#[test]
fn a_cancelled_film_ends_all_its_processes() {
    let control = Arc::new(RunControl::default());
    control.cancel();
    let here = tempfile::tempdir().expect("a folder");
    let error = paint(here.path(), [DECODES, ENCODES, JOINS], &control).expect_err("cancelled");
    assert!(matches!(error, RenderError::Cancelled { frames: 0, .. }), "{error}");
    assert!(!here.path().join("painted.mp4.part").exists());
}
