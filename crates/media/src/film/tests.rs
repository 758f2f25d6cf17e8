//! Clips with scripts that hang, lie or fail as ffmpeg.
#![allow(clippy::expect_used, reason = "test support: a broken test should panic")]

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, unbounded};
use serde_json::json;

use super::{
    Clip, Container, Decoder, OpenFilm, Order, Play, Player, PlayerEvent, Range, Reader, Reading,
    Tools, sound::Sound,
};
use crate::{
    fake_ffmpeg,
    films::{DECODES, clip, film_tools, tools},
    memory::Flow,
};
use values::control::RunControl;

#[test]
fn the_frames_of_a_range_are_estimated_at_any_rate() {
    let of = |start, end| Range { start, end };
    let whole = of(None, None);
    let clip = Clip { frames: Some(60), seconds: Some(2.0), ..clip() };
    for (range, fps, frames) in [
        (whole, None, 60),
        (of(Some(0.5), None), None, 45),
        (of(Some(0.5), Some(1.5)), None, 30),
        (of(None, Some(9.0)), None, 60),
        (of(Some(1.0), None), Some((10, 1)), 10),
    ] {
        assert_eq!(range.frames_of(&clip, fps), Some(frames), "{range:?} {fps:?}");
    }
    // The rate of numbered pictures decides how long they are.
    let pictures = Clip { reader: Reader::Numbered { first: 1, holds: false }, ..clip };
    assert_eq!(whole.frames_of(&pictures, Some((10, 1))), Some(60));
    assert_eq!(of(Some(1.0), None).frames_of(&pictures, Some((10, 1))), Some(50));
}

#[test]
fn sound_is_converted_if_ffmpeg_can() {
    let here = tempfile::tempdir().expect("a folder");
    let mut tools = tools(here.path(), "");
    let streams = json!([
        { "index": 0, "codec_type": "video", "width": 64, "height": 48 },
        { "index": 1, "codec_type": "audio", "codec_name": "aac" },
    ]);
    let clip = Clip::of("a.mp4", &json!({ "streams": streams })).expect("a clip");
    let along =
        |tools: &Tools| Container::WebM.companions(tools, &clip, Path::new("a.webm"), false);
    let error = along(&tools).expect_err("no encoder").to_string();
    assert!(error.contains("WebM cannot hold the sound of a.mp4"), "{error}");
    tools.ffmpeg.encoders.push("libopus".to_owned());
    assert_eq!(along(&tools).expect("converted").0, [(1, "libopus")]);
}

#[test]
fn every_numbered_picture_is_checked_and_named() {
    let here = tempfile::tempdir().expect("a folder");
    let (pattern, at) = (here.path().join("%d.png"), |name: &str| here.path().join(name));
    let open = |script: &str| {
        let (control, patience) = (RunControl::default(), Duration::from_secs(60));
        let ffprobe = fake_ffmpeg::program(here.path(), script);
        Clip::open(&ffprobe, &pattern, patience, &control, u64::MAX).map_err(|e| e.to_string())
    };
    let found = r#"echo '{"streams": [{"codec_type": "video", "width": 64, "height": 48}]}'"#;
    for (name, content) in [("1.png", "picture"), ("2.png", ""), ("3.png", "picture")] {
        fs::write(at(name), content).expect("written");
    }
    assert!(open(found).expect_err("empty").ends_with("2.png: the file is empty"));
    fs::remove_file(at("2.png")).expect("removed");
    std::os::unix::fs::symlink("/dev/zero", at("2.png")).expect("linked");
    assert!(open(found).expect_err("endless").ends_with("2.png: it is not a regular file"));
    fs::remove_file(at("2.png")).expect("removed");
    fs::write(at("2.png"), "picture").expect("written");
    assert_eq!(open(found).expect("a clip").frames, Some(3));
    // A description of 2 MiB, and one that has no end.
    let long = format!("head -c 2000000 /dev/zero | tr '\\0' ' '; {found}");
    assert_eq!(open(&long).expect("a clip").frames, Some(3));
    let error = open("head -c 20000000 /dev/zero | tr '\\0' ' '").expect_err("too long");
    assert!(error.contains("its chapters and tags are longer than 16 MiB"), "{error}");
}

#[test]
fn a_picture_of_another_size_is_named() {
    let here = tempfile::tempdir().expect("a folder");
    let says = "Picture size 128x96 exceeds specified max pixel count 9728, see the documentation";
    let decodes = format!("cat clip.nut; echo '[png @ 0x1] {says}' >&2");
    let tools =
        Tools { patience: Duration::from_secs(60), ..film_tools(here.path(), [&decodes, "", ""]) };
    let clip = clip();
    let reading = Reading {
        source: Path::new("clip.mp4"),
        clip: &clip,
        range: Range::default(),
        fps: None,
        skipped: 0,
        long_side_px: None,
        key_frames: None,
        flow: Flow::default(),
    };
    let mut decoder = Decoder::start(&tools, &reading).expect("started");
    decoder.read_stream().expect("a stream");
    while decoder.next_picture().expect("read").is_some() {}
    let words = "a picture has 128x96 pixels; the first one has 64x48";
    assert_eq!(decoder.end().damage.as_deref(), Some(words));
}

#[test]
fn a_file_without_pictures_is_named_in_other_words_than_those_of_ffmpeg() {
    let here = tempfile::tempdir().expect("a folder");
    let decodes = "echo 'Cannot determine format of input stream 0:0 after EOF' >&2; exit 1";
    let tools =
        Tools { patience: Duration::from_secs(60), ..film_tools(here.path(), [decodes, "", ""]) };
    let (clip, flow) = (clip(), Flow::default());
    let film = OpenFilm { path: "clip.mp4".into(), size: clip.size, clip, tools, flow };
    let begun = film.begin(Range::default(), |range| film.decoder(range, None));
    let (decoder, _) = begun.expect("started");
    assert!(decoder.is_empty());
    let error = decoder.without_pictures().to_string();
    let words = "clip.mp4: no picture of it can be read; it is incomplete, or its index is damaged";
    assert!(error.starts_with(words), "{error}");
}

/// A film whose ffmpeg runs this script.
fn film(here: &Path, script: &str) -> OpenFilm {
    let tools = Tools { patience: Duration::from_secs(60), ..tools(here, script) };
    OpenFilm { path: "a.mp4".into(), size: clip().size, clip: clip(), tools, flow: Flow::Usual }
}

#[test]
fn a_thumbnail_is_a_key_frame_and_takes_one_process() {
    let here = tempfile::tempdir().expect("a folder");
    let nut = here.path().join("clip.nut");
    film_tools(here.path(), [""; 3]);
    let asked = here.path().join("asked");
    let film = film(here.path(), &format!("echo \"$*\" >>{asked:?}; exec cat {nut:?}"));
    let (seconds, frame) = film.thumbnail(3.0, 32).expect("a picture");
    // The stream begins with the file's first picture: it has no key frame after that.
    assert_eq!((seconds, frame.size()), (0.0, (64, 48)));
    let asked = fs::read_to_string(asked).expect("written");
    assert!(asked.contains("-skip_frame nokey -ss 3.000000 "), "{asked}");
    assert!(asked.contains("min(1,32/max(iw*sar,ih))") && !asked.contains("trim="), "{asked}");
    assert_eq!(asked.lines().count(), 1, "{asked}");
}

#[test]
fn a_player_reports_at_once_that_no_output_plays_sound() {
    let here = tempfile::tempdir().expect("a folder");
    for (script, is_silent) in [("case $* in *alsa*) ;; *) exit 1; esac", false), ("exit 1", true)]
    {
        let mut sound = Sound::default();
        assert_eq!(sound.is_silent(&tools(here.path(), script)), is_silent, "{script}");
    }
    let mut film = film(here.path(), "exit 1");
    let streams = json!([
        { "index": 0, "codec_type": "video", "width": 64, "height": 48 },
        { "index": 1, "codec_type": "audio", "codec_name": "aac" },
    ]);
    film.clip = Clip::of("a.mp4", &json!({ "streams": streams })).expect("a clip");
    let (sender, woken) = unbounded();
    let player = Player::start(Arc::new(film), Arc::new(move || sender.send(()).expect("waits")));
    let player = player.expect("a thread");
    woken.recv().expect("an event");
    assert!(matches!(player.poll(), Some(PlayerEvent::Silent)));
}

/// A player whose decoder runs this script, and the folder in which it does.
fn player(decodes: &str, patience: Duration) -> (Player, tempfile::TempDir) {
    let here = tempfile::tempdir().expect("a folder");
    let tools = Tools { patience, ..film_tools(here.path(), [decodes, "", ""]) };
    let film = OpenFilm {
        path: "clip.mp4".into(),
        size: clip().size,
        clip: clip(),
        tools,
        flow: Flow::default(),
    };
    (Player::start(Arc::new(film), Arc::new(|| {})).expect("a thread"), here)
}

fn next_event(player: &Player) -> PlayerEvent {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(event) = player.poll() {
            return event;
        }
        assert!(Instant::now() < until, "no event");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn held(player: &Player) -> f64 {
    match next_event(player) {
        PlayerEvent::Held { seconds, .. } => (seconds * 30.0).round(),
        other => panic!("{other:?}"),
    }
}

fn play(loops: bool) -> (Order, Receiver<f64>) {
    let (sender, times) = unbounded();
    let play = Play {
        from: 0.0,
        speed: 4.0,
        range: Range { start: None, end: Some(10.0 / 30.0) },
        loops,
        has_sound: false,
        long_side_px: 64,
        show: Box::new(move |seconds, _| {
            sender.send(seconds).ok();
        }),
    };
    (Order::Play(play), times)
}

#[test]
fn a_player_holds_steps_and_plays_to_the_end() {
    let (mut player, _here) = player(DECODES, Duration::from_secs(60));
    player.send(Order::Hold { at: 0.0, by: 0 });
    assert_eq!(held(&player), 0.0);
    // The decoder of the held picture continues.
    player.send(Order::Hold { at: 0.0, by: 1 });
    assert_eq!(held(&player), 1.0);
    // There is nothing before the beginning.
    player.send(Order::Hold { at: 0.0, by: -1 });
    assert_eq!(held(&player), 0.0);
    let (order, shown) = play(false);
    player.send(order);
    assert!(matches!(next_event(&player), PlayerEvent::Ended));
    let times: Vec<_> = shown.try_iter().collect();
    assert!(times.is_sorted() && times.iter().all(|seconds| *seconds < 10.0 / 30.0), "{times:?}");
    assert_eq!(times.len(), 10);
    let (order, shown) = play(true);
    player.send(order);
    for _ in 0..25 {
        shown.recv_timeout(Duration::from_secs(60)).expect("it is repeated");
    }
}

#[test]
fn a_hanging_or_broken_decoder_is_stopped_and_named() {
    for (decodes, words) in [
        ("exec sleep 600", "clip.mp4: ffmpeg read nothing for 0.3 s"),
        ("echo '[mov @ 0x1] no such thing' >&2; exit 1", "can be read (no such thing)"),
    ] {
        let (mut player, _here) = player(decodes, Duration::from_millis(300));
        for order in [Order::Hold { at: 0.0, by: 0 }, Order::Hold { at: 5.0, by: 0 }] {
            player.send(order);
            let event = next_event(&player);
            let PlayerEvent::Failed(error) = event else { panic!("{event:?}") };
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}

#[test]
#[cfg(target_os = "linux")]
fn the_index_of_a_file_takes_limited_memory() {
    use crate::fake_ffmpeg::program;

    let here = tempfile::tempdir().expect("a folder");
    let [film, limit] = ["a.mp4", "limit"].map(|name| here.path().join(name));
    fs::write(&film, "a film").expect("written");
    let fails =
        "echo '[mov @ 0x1] error reading header' >&2\necho 'a.mp4: Cannot allocate memory' >&2";
    let ffprobe = program(here.path(), &format!("ulimit -d >{limit:?}\n{fails}\nexit 1"));
    for (limit_bytes, most) in [(1_000, "250000"), (512_000_000, "500000"), (u64::MAX, "976562")] {
        let patience = Duration::from_secs(60);
        let opened = Clip::open(&ffprobe, &film, patience, &Arc::default(), limit_bytes);
        let error = opened.expect_err("it fails").to_string();
        assert!(error.contains("its index needs more memory than the limit"), "{error}");
        assert_eq!(fs::read_to_string(&limit).expect("written").trim(), most);
    }
    // The decoder, which needs more, has a limit of its own.
    let decodes = "ulimit -d >limit; cat clip.nut";
    let (mut player, here) = player(decodes, Duration::from_secs(60));
    player.send(Order::Hold { at: 0.0, by: 0 });
    assert_eq!(held(&player), 0.0);
    let limit = fs::read_to_string(here.path().join("limit")).expect("written");
    assert!(limit.trim().parse::<u64>().is_ok_and(|limit| limit > 1_000_000), "{limit}");
}

#[test]
fn an_order_and_the_end_interrupt_a_decoder_that_hangs() {
    let hangs = "case \"$*\" in *trim=start=4*) echo $$ >pid; exec sleep 600;; esac; cat clip.nut";
    let (mut player, here) = player(hangs, Duration::from_secs(600));
    let pid = here.path().join("pid");
    let hang = |player: &mut Player| {
        fs::remove_file(&pid).ok();
        player.send(Order::Hold { at: 5.0, by: 0 });
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let number = fs::read_to_string(&pid).unwrap_or_default();
            if number.ends_with('\n') {
                return Path::new("/proc").join(number.trim());
            }
            assert!(Instant::now() < until, "it does not start");
            std::thread::sleep(Duration::from_millis(2));
        }
    };
    let process = hang(&mut player);
    player.send(Order::Hold { at: 0.0, by: 0 });
    assert_eq!(held(&player), 0.0);
    assert!(!process.exists());
    let process = hang(&mut player);
    player.end(Duration::from_secs(60));
    assert!(!process.exists());
}
