//! Films with scripts that hang, lie or fail as ffmpeg.
#![allow(clippy::expect_used, reason = "test support: a broken test should panic")]

use std::{fs, path::Path, sync::Arc, time::Duration};

use serde_json::json;

use super::{Clip, Codec, Container, Film, FilmError, Range, Rendered, Tools, render};
use crate::{
    backend::RunControl,
    compose::Look,
    disk::Existing,
    engine::paint::{OutputSize, PaintError},
    frame::Frame,
    media::{
        fake,
        ffmpeg::Ffmpeg,
        framing::Framing,
        nut::{NutMuxer, NutStream, RGBA, SQUARE},
    },
};

const FRAMES: u64 = 20;
/// What a decoder, an encoder and a join do that work.
const DECODES: &str = "cat clip.nut";
const ENCODES: &str = "cat >/dev/null; echo part >\"$last\"";
const JOINS: &str = "echo film >\"$last\"";

fn stream() -> NutStream {
    NutStream { width: 64, height: 48, pixels: RGBA, tick: (1, 30), aspect: SQUARE }
}

/// Paints a film at strength 0 in `folder` with these scripts.
fn paint(folder: &Path, scripts: [&str; 3], control: &RunControl) -> Result<Rendered, FilmError> {
    paint_with(folder, scripts, control, "30/1", None)
}

/// [`paint`], for a clip that has `rate`.
fn paint_with(
    folder: &Path,
    scripts: [&str; 3],
    control: &RunControl,
    rate: &str,
    fps: Option<(u64, u64)>,
) -> Result<Rendered, FilmError> {
    let (mut muxer, mut nut) = (NutMuxer::default(), Vec::new());
    muxer.begin(&stream(), &mut nut);
    for number in 0..FRAMES {
        muxer.frame(number, 4 * 64 * 48, &mut nut);
        nut.resize(nut.len() + 4 * 64 * 48, number as u8);
    }
    fs::write(folder.join("clip.nut"), nut).expect("written");
    let [decodes, encodes, joins] = scripts;
    let script = format!(
        "for last; do :; done; last=${{last#file:}}\ncd {folder:?}\n\
         case \"$*\" in *'nut pipe:1'*) {decodes};; *concat*) {joins};; *) {encodes};; esac"
    );
    let tools = Tools {
        ffmpeg: Ffmpeg {
            program: fake::program(folder, &script),
            version: "6.1".to_owned(),
            encoders: vec!["libx264".to_owned()],
        },
        ffprobe: "ffprobe".into(),
        patience: Duration::from_millis(300),
    };
    let clip = Clip::of(
        "clip.mp4",
        &json!({ "streams": [
            {
                "index": 0, "codec_type": "video", "width": 64, "height": 48, "pix_fmt": "yuv420p",
                "avg_frame_rate": rate
            }
        ]}),
    );
    let film = Film {
        source: Path::new("clip.mp4"),
        clip: &clip.expect("a clip"),
        output: &folder.join("painted.mp4"),
        existing: Existing::Keep,
        container: Container::Mp4,
        codec: Codec::H264,
        quality: 80,
        range: Range::default(),
        fps,
        framing: Framing::default(),
        output_size: OutputSize::Original,
        look: Look { strength_percent: 0, keep_colors: false },
        steadiness: 0,
        batch: 3,
        part_frames: 8,
        about: String::new(),
    };
    let unused = |_: &[&Arc<Frame>]| -> Result<Vec<_>, PaintError> { Ok(Vec::new()) };
    render(&tools, &film, control, unused, &|_, _| {})
}

#[test]
fn a_film_needs_every_process_to_do_its_part() {
    let control = RunControl::default();
    for (scripts, words, complete) in [
        (["exec sleep 600", ENCODES, JOINS], "clip.mp4: ffmpeg read nothing for 0.3 s", 0),
        (
            ["cat clip.nut; exec sleep 600", ENCODES, JOINS],
            "clip.mp4: ffmpeg read nothing for 0.3 s",
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
        ([DECODES, "cat >/dev/null; exec sleep 600", JOINS], "did not finish within 0.3 s", 0),
        ([DECODES, "echo 'disk full' >&2; exit 1", JOINS], "ffmpeg cannot encode: disk full", 0),
        ([DECODES, "cat >/dev/null", JOINS], "could not be written", 0),
        (
            [DECODES, ENCODES, "echo 'no space' >&2; exit 1"],
            "ffmpeg cannot join the film: no space",
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
        // What is complete is used when the same film is painted again.
        let rendered = paint(here.path(), [DECODES, ENCODES, JOINS], &control).expect("painted");
        assert_eq!(rendered.resumed, [0, 8, 16, 20][complete], "{scripts:?}");
        assert!(here.path().join("painted.mp4").exists());
        assert!(!here.path().join("painted.mp4.part").exists());
    }
}

#[test]
fn too_many_frames_per_second_need_a_rate() {
    let here = tempfile::tempdir().expect("a folder");
    let control = RunControl::default();
    let with_fps =
        |fps| paint_with(here.path(), [DECODES, ENCODES, JOINS], &control, "2000/1", fps);
    let error = with_fps(None).expect_err("too many").to_string();
    assert!(error.contains("2000 frames per second; the maximum is 1000"), "{error}");
    assert_eq!(with_fps(Some((30, 1))).expect("painted").frames, FRAMES);
}

#[test]
fn a_cancelled_film_ends_all_its_processes() {
    let control = RunControl::default();
    control.cancel();
    let here = tempfile::tempdir().expect("a folder");
    let error = paint(here.path(), [DECODES, ENCODES, JOINS], &control).expect_err("cancelled");
    assert!(matches!(error, FilmError::Cancelled { frames: 0, .. }), "{error}");
    assert!(!here.path().join("painted.mp4.part").exists());
}
