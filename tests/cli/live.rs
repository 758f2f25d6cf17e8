//! `styleforge live`: what it reports, and what it refuses.

use crate::sandbox::Sandbox;

#[cfg(unix)]
use std::{
    io::{BufRead, BufReader},
    process::{Child, Stdio},
};

#[cfg(unix)]
use crate::sandbox::{Run, send};

/// The demo scene, painted small by the small style.
const SCENE: [&str; 9] =
    ["live", "--device", "cpu", "--threads", "1", "--style", "./tiny.safetensors", "--fps", "60"];
/// Ends a run that nothing else ends.
const AT_MOST: [&str; 2] = ["--seconds", "120"];

#[cfg(unix)]
fn begun(s: &Sandbox, arguments: &[&str]) -> Child {
    s.command(env!("CARGO_BIN_EXE_styleforge"))
        .args(arguments)
        .args(AT_MOST)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts")
}

/// The output of a run that is interrupted after a few pictures, however long they take.
#[cfg(unix)]
fn after_some_pictures(s: &Sandbox, arguments: &[&str]) -> Run {
    let folder = s.path("recorded");
    let mut child = begun(s, &[arguments, &["--record", "recorded"]].concat());
    let pictures = || {
        let table = std::fs::read_to_string(folder.join("frames.csv"));
        // The first line contains the column names.
        table.map_or(0, |table| table.lines().count().saturating_sub(1))
    };
    while pictures() < 4 && child.try_wait().expect("a child").is_none() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    send("-INT", &child);
    let run = Run::from(child.wait_with_output().expect("ends")).ends(0);
    std::fs::remove_dir_all(folder).expect("a recording");
    run
}

/// The output of a run that is interrupted after a line with these words.
#[cfg(unix)]
fn after_a_line(s: &Sandbox, arguments: &[&str], words: &str) -> Vec<String> {
    let mut child = begun(s, arguments);
    let mut seen = Vec::new();
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    let mut is_last = |line: &String| {
        seen.push(line.clone());
        line.contains(words)
    };
    let came = lines.any(|line| line.is_ok_and(|line| is_last(&line)));
    assert!(came, "no '{words}' in {seen:#?}");
    send("-INT", &child);
    seen.extend(lines.map_while(Result::ok));
    Run::from(child.wait_with_output().expect("ends")).ends(0);
    seen
}

#[test]
fn a_run_ends_after_n_pictures() {
    let s = Sandbox::new();
    let frames = ["--working-size", "64", "--frames", "3", "--json"];
    let report = s.styleforge(&[&SCENE[..], &frames].concat()).ends(0).json();
    assert!(report["painted"].as_u64() >= Some(3), "{report}");
    let none = ["live", "--source", "camera:None Such", "--frames", "3"];
    s.styleforge(&none).ends(2);
}

/// The numbers are consistent with each other; their values depend on the machine. Their thresholds are tested in the
/// modules that define them.
#[cfg(unix)]
#[test]
fn the_report_has_the_target_rate_and_the_automatic_size() {
    let s = Sandbox::new();
    let automatic = ["--target-fps", "7", "--json"];
    let report = after_some_pictures(&s, &[&SCENE[..], &automatic].concat()).json();
    let chosen = &report["automatic_size"];
    assert_eq!(chosen["target_fps"], 7.0);
    assert!(chosen["model"].is_null());
    let achieved = chosen["achieved_fps"].as_f64().expect("a rate");
    assert_eq!(chosen["holds"], achieved >= 0.95 * 7.0, "{chosen}");
    assert_eq!(chosen["holds"], chosen["limited_by"].is_null(), "{chosen}");
    let working = report["working_size"][0].as_u64();
    assert_eq!(chosen["long_side_px"].as_u64(), working);
    assert!(working >= Some(256), "the least that is chosen");

    let text = after_some_pictures(&s, &[&SCENE[..], &["--target-fps", "7"]].concat());
    assert!(text.text().contains("automatic size: "));

    // A scene that is drawn at 5 frames a second cannot be painted at 60 on any device.
    let slow = [&SCENE[..7], &["--fps", "5", "--target-fps", "60"]].concat();
    let report = after_some_pictures(&s, &[&slow[..], &["--json"]].concat()).json();
    let chosen = &report["automatic_size"];
    assert_eq!(chosen["holds"], false, "{chosen}");
    assert!(chosen["limited_by"].is_string(), "{chosen}");
    let text = after_some_pictures(&s, &slow).text();
    assert!(text.contains("automatic size: ") && !text.contains("which holds"), "{text}");

    let fixed = ["--working-size", "64", "--json"];
    let report = after_some_pictures(&s, &[&SCENE[..], &fixed].concat()).json();
    assert_eq!(report["working_size"][0], 64);
    assert!(report["automatic_size"].is_null(), "nothing was chosen");
}

/// Recordings and reports have the source's size, unless the painted size is requested.
#[test]
fn pictures_are_brought_up_to_the_sources_size() {
    let s = Sandbox::new();
    for (switch, sides) in [(None, [160, 120]), (Some("--no-upscale"), [64, 48])] {
        let small = ["--size", "160x120", "--working-size", "64", "--seconds"];
        let recorded = ["0.1", "--json", "--record-format", "png", "--record"];
        let folder = format!("recorded-{}", sides[0]);
        let arguments = [&SCENE[..7], &small, &recorded, &[folder.as_str()]].concat();
        let run = s.styleforge(&[&arguments[..], switch.as_slice()].concat());
        let report = run.ends(0).json();
        assert_eq!(report["source_size"], serde_json::json!([160, 120]));
        assert_eq!(report["working_size"], serde_json::json!([64, 48]));
        assert_eq!(report["picture_size"], serde_json::json!(sides));
        let picture = image::image_dimensions(s.path(&folder).join("frame-000001.png"));
        assert_eq!(picture.expect("a picture"), (sides[0], sides[1]));
    }
}

/// The source is painted at its own size, not at a reduced one.
#[test]
fn large_sources_are_painted_as_large_as_they_are() {
    let s = Sandbox::new();
    for (rotate, sides) in [("0", [1920, 1080]), ("90", [1080, 1920])] {
        let large = ["--size", "1920x1080", "--working-size", "1920"];
        let turned = ["--rotate", rotate, "--seconds", "0.1", "--json"];
        let run = s.styleforge(&[&SCENE[..7], &large, &turned].concat());
        let report = run.ends(0).json();
        for (at, side) in sides.into_iter().enumerate() {
            assert_eq!(report["source_size"][at], side);
            assert_eq!(report["working_size"][at], side);
        }
    }
}

#[cfg(unix)]
#[test]
fn a_source_that_is_smaller_than_requested_is_reported() {
    let s = Sandbox::new();
    let photo = [
        "live",
        "--device",
        "cpu",
        "--source",
        "photo.png",
        "--style",
        "./tiny.safetensors",
        "--working-size",
    ];
    let note = "the source's size";
    after_a_line(&s, &[&photo[..], &["4000"]].concat(), note);
    // A line about the rate appears after the first picture.
    let printed = after_a_line(&s, &[&photo[..], &["16"]].concat(), " fps at ");
    assert!(!printed.iter().any(|line| line.contains(note)), "{printed:#?}");
}

#[test]
fn a_photo_is_recorded_at_the_requested_rate() {
    let s = Sandbox::new();
    let record = |rest: &[&str]| {
        let photo = ["--source", "photo.png", "--working-size", "16", "--json"];
        s.styleforge(&[&SCENE[..7], &photo, rest].concat()).ends(0).json()
    };
    let report = record(&["--record", "still", "--fps", "10", "--seconds", "1"]);
    assert_eq!((&report["recorded_frames"], &report["left_out_frames"]), (&10.into(), &0.into()));
    let table = std::fs::read_to_string(s.path("still/frames.csv")).expect("a table");
    let times = table.lines().skip(1).filter_map(|line| line.split(',').nth(2));
    assert!(times.eq((0..10).map(|tenth| format!("0.{tenth}000"))), "{table}");
    let report = record(&["--record", "few", "--frames", "4"]);
    assert_eq!(report["recorded_frames"], 4);
}

#[test]
fn losses_of_reading_a_photo_are_reported() {
    let s = Sandbox::new();
    let whole = std::fs::read(s.path("photo.png")).expect("a photo");
    std::fs::write(s.path("cut.png"), &whole[..whole.len() - 12]).expect("written");
    let cut = ["--source", "cut.png", "--working-size", "16", "--seconds", "0.1"];
    let note = "note: cut.png: ";
    s.styleforge(&[&SCENE[..7], &cut].concat()).ends(0).says(note);
    let stylize = ["stylize", "cut.png", "--device", "cpu", "--style", "./tiny.safetensors"];
    s.styleforge(&[&stylize[..], &["-o", "painted.png"]].concat()).ends(0).says(note);
}

#[test]
fn a_recording_needs_a_folder_that_can_be_made() {
    let s = Sandbox::new();
    let record = |folder| s.styleforge(&[&SCENE[..], &AT_MOST, &["--record", folder]].concat());
    record("photo.png").says("it is not a folder; choose another name");
    let reason = if cfg!(windows) { "is not a folder" } else { "photo.png is not a folder" };
    record("photo.png/deeper").says(reason);
}

#[test]
fn nothing_is_left_of_a_recording_without_a_picture() {
    let s = Sandbox::new();
    std::fs::write(s.path("damaged.png"), "no picture").expect("written");
    let source = ["--source", "damaged.png", "--seconds", "1", "--record", "empty"];
    s.styleforge(&[&SCENE[..], &source].concat()).ends(2);
    assert!(!s.path("empty").exists());
}

#[test]
fn a_video_is_named_in_the_report_and_replaces_nothing() {
    let s = Sandbox::new();
    let run = |record: &[&str]| {
        let usual = [&SCENE[..], &["--working-size", "64", "--seconds", "0.5"]].concat();
        s.styleforge(&[&usual[..], record].concat())
    };
    let report = run(&["--record", "deep/clip.mp4", "--json"]).ends(0).json();
    let recording = &report["recording"];
    assert_eq!((&recording["kind"], &recording["path"]), (&"mp4".into(), &"deep/clip.mp4".into()));
    let bytes = std::fs::read(s.path("deep/clip.mp4")).expect("a video");
    assert_eq!(recording["bytes"], bytes.len());
    assert_eq!(&bytes[4..8], b"ftyp");
    assert!(recording["frames"].as_u64() > Some(0), "{recording}");
    assert_eq!(recording["frames"], report["recorded_frames"]);
    assert_eq!(std::fs::read_dir(s.path("deep")).expect("listed").count(), 1);

    run(&["--record", "deep/clip.mp4"])
        .ends(2)
        .says("deep/clip.mp4 already exists; choose another name");
    assert_eq!(std::fs::read(s.path("deep/clip.mp4")).expect("a video"), bytes);
    run(&["--record", "b.mp4", "--record-format", "png"])
        .ends(2)
        .says("--record-format only applies to a folder of images");
    run(&["--record", "b.avi"]).ends(2).says(
        "b.avi has the extension of a video format that is not written; use .mp4, or a folder",
    );
    assert!(!s.path("b.mp4").exists() && !s.path("b.avi").exists());
}

#[cfg(unix)]
#[test]
fn a_video_is_whole_when_a_signal_ends_it() {
    let s = Sandbox::new();
    let mut child =
        begun(&s, &[&SCENE[..], &["--working-size", "64", "--record", "clip.mp4"]].concat());
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    assert!(lines.any(|line| line.is_ok_and(|line| line.contains(" fps at "))));
    send("-INT", &child);
    lines.for_each(drop);
    let text = Run::from(child.wait_with_output().expect("ends")).ends(0).text();
    assert!(text.contains("recorded in clip.mp4: "), "{text}");
    let bytes = std::fs::read(s.path("clip.mp4")).expect("a video");
    // The index of all frames is at the end.
    assert!(bytes.windows(4).any(|word| word == b"mfra"));
}

/// A recording that is killed at any time keeps what was recorded until then, under the requested name.
#[cfg(unix)]
#[test]
fn a_recording_that_is_killed_plays_under_its_own_name() {
    let s = Sandbox::new();
    let small = ["--working-size", "64", "--record", "clip.mp4"];
    let mut child = begun(&s, &[&SCENE[..], &small].concat());
    // The first fragment is complete when the second one begins.
    let plays = || {
        let bytes = std::fs::read(s.path("clip.mp4")).unwrap_or_default();
        bytes.windows(4).filter(|word| word == b"moof").count() >= 2
    };
    while !plays() && child.try_wait().expect("a child").is_none() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    send("-KILL", &child);
    child.wait().expect("ends");
    assert_eq!(s.names(".").iter().filter(|left| left.starts_with("clip")).count(), 1);
    assert!(decoded_frames(&s, "clip.mp4") > 0);
    s.styleforge(&[&SCENE[..], &AT_MOST, &["--record", "clip.mp4"]].concat())
        .ends(2)
        .says("clip.mp4 already exists");
}

/// Number of frames that ffmpeg decodes from a video.
#[cfg(unix)]
fn decoded_frames(s: &Sandbox, video: &str) -> usize {
    let mut ffmpeg = s.command("ffmpeg");
    ffmpeg.args(["-v", "quiet", "-i", video, "-vf", "scale=1:1"]);
    let decoded = ffmpeg.args(["-f", "rawvideo", "-pix_fmt", "gray", "-"]).output();
    decoded.expect("ffmpeg is installed").stdout.len()
}

/// A recording that is killed in the first half second leaves a file without a picture.
#[test]
fn a_file_without_a_picture_takes_no_name() {
    let s = Sandbox::new();
    std::fs::write(s.path("clip.mp4"), "").expect("written");
    std::fs::create_dir(s.path("take")).expect("made");
    std::fs::write(s.path("take/frames.csv"), "frame,file,seconds\n").expect("written");
    for name in ["clip.mp4", "take"] {
        let record = ["--working-size", "64", "--seconds", "0.5", "--record", name];
        s.styleforge(&[&SCENE[..], &record].concat()).ends(0);
    }
    assert!(s.path("take/frame-000001.jpg").exists());
}

/// Runs with a fake ffmpeg that reports an encoder and encodes with `script`.
#[cfg(unix)]
fn with_ffmpeg(s: &Sandbox, script: &str, arguments: &[&str]) -> Run {
    let answer = "case \"$*\" in *-encoders*) echo 'ffmpeg version 6.1' >&2; echo ' V..... libx264 H.264'; exit;; esac";
    let program = s.path("bin/ffmpeg");
    std::fs::create_dir_all(s.path("bin")).expect("a folder");
    // This process cannot start a program that it writes while another test starts one.
    let text = format!("#!/bin/sh\n{answer}\n{script}\n");
    let mut write = s.command("sh");
    write.args(["-c", "printf %s \"$1\" >\"$2\" && chmod +x \"$2\"", "sh", &text]).arg(&program);
    assert!(write.status().expect("a shell").success());
    let path = format!("{}:{}", s.path("bin").display(), std::env::var("PATH").expect("a PATH"));
    let mut command = s.command(env!("CARGO_BIN_EXE_styleforge"));
    Run::from(command.args(arguments).env("PATH", path).output().expect("starts"))
}

#[cfg(unix)]
#[test]
fn a_video_without_a_picture_is_an_error() {
    let s = Sandbox::new();
    let record = ["--working-size", "64", "--seconds", "0.5", "--record", "clip.mp4"];
    for (script, words) in [
        ("cat >/dev/null", "ffmpeg wrote no frame of the video"),
        ("head -c 1000 >/dev/null; exit 0", "ffmpeg ended early"),
    ] {
        let run = with_ffmpeg(&s, script, &[&SCENE[..], &record].concat()).ends(1);
        run.says("clip.mp4 could not be written").says(words);
        assert!(!s.path("clip.mp4").exists());
    }
}

#[cfg(unix)]
#[test]
fn sound_is_recorded_only_if_chosen_and_a_missing_part_is_reported() {
    let s = Sandbox::new();
    let record = ["--working-size", "64", "--seconds", "0.5", "--record", "clip.mp4"];
    let wanted = [&record[..], &["--microphone"]].concat();
    let with_sources = |lines: &str, arguments: &[&str]| {
        let sources = format!("printf 'Auto-detected sources for pulse:\\n{lines}'");
        let script = format!(
            "echo \"$*\" >>arguments; case \"$*\" in *'-sources alsa'*) ;; *-sources*) {sources};; \
             *s16le*) head -c 9600 /dev/zero; exec sleep 600;; *) cat >/dev/null;; esac"
        );
        let run = with_ffmpeg(&s, &script, &[&SCENE[..], arguments].concat());
        (run, std::fs::read_to_string(s.path("arguments")).expect("written"))
    };
    let (_, arguments) = with_sources("* usb [Desk Mic]\\n", &record);
    assert!(!arguments.contains("pulse") && !arguments.contains("alsa"), "{arguments}");
    let (run, _) = with_sources("* out.monitor [Monitor]\\n", &wanted);
    run.ends(1).says("sound cannot be recorded: no microphone is connected");
    assert!(!s.path("clip.mp4").exists());
    let (run, arguments) = with_sources("* usb [Desk Mic]\\n", &wanted);
    run.ends(1).says("microphone on: Desk Mic").says("ffmpeg wrote no frame of the video");
    assert!(arguments.contains("-f pulse") && arguments.contains("-c:a aac"), "{arguments}");
    let pictures = ["--record", "take", "--microphone"];
    s.styleforge(&[&SCENE[..], &pictures].concat()).ends(2).says("are for MP4 videos");
}

#[cfg(unix)]
#[test]
fn codec_and_quality_of_a_recording_are_those_of_the_options() {
    let s = Sandbox::new();
    let options = |recorded: &str, options: &[&str]| {
        let record = ["--working-size", "64", "--seconds", "0.5", "--record", recorded];
        let script = "echo \"$*\" >>arguments; cat >/dev/null";
        let run = with_ffmpeg(&s, script, &[&SCENE[..], &record, options].concat());
        let arguments = std::fs::read_to_string(s.path("arguments")).unwrap_or_default();
        std::fs::remove_file(s.path("arguments")).ok();
        (run, arguments)
    };
    let (_, arguments) = options("clip.mp4", &[]);
    assert!(arguments.contains("-c:v libx264 -preset veryfast"), "{arguments}");
    assert!(arguments.contains("-crf 12 "), "{arguments}");
    assert_eq!(arguments.matches("-preset ").count(), 1, "{arguments}");
    let (_, arguments) = options("clip.mp4", &["--quality", "50"]);
    assert!(arguments.contains("-crf 30 "), "{arguments}");
    // This ffmpeg has no encoder for it.
    let (run, _) = options("clip.mp4", &["--codec", "hevc"]);
    run.ends(2).says("are for MP4 videos");
    let (run, _) = options("clip.mp4", &["--codec", "prores"]);
    run.ends(2).says("MP4 cannot hold prores, but MOV and MKV can");
    for option in [["--codec", "h264"], ["--quality", "9"]] {
        let (run, _) = options("take", &option);
        run.ends(2).says("--codec, --quality, --microphone and --hardware are for MP4 videos");
    }
    assert!(!s.path("take").exists());
}

/// This program, its child processes and its libraries search the same PATH for programs.
#[cfg(target_os = "linux")]
#[test]
fn no_program_is_taken_from_the_current_folder() {
    let s = Sandbox::new();
    let usual = std::env::var("PATH").expect("a PATH");
    for (path, expected) in [
        (format!(".:bin:{usual}:"), Some(usual.as_str())),
        (usual.clone(), Some(&usual)),
        (String::new(), None),
    ] {
        let mut child = s
            .command(env!("CARGO_BIN_EXE_styleforge"))
            .args(SCENE)
            .args(["--working-size", "64"])
            .args(AT_MOST)
            .env("PATH", path)
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("starts");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        assert!(lines.any(|line| line.is_ok_and(|line| line.contains(" fps at "))));
        let variables =
            std::fs::read(format!("/proc/{}/environ", child.id())).expect("its variables");
        send("-INT", &child);
        lines.for_each(drop);
        assert!(child.wait().expect("ends").success());
        let variables = String::from_utf8_lossy(&variables).into_owned();
        assert_eq!(variables.split('\0').find_map(|v| v.strip_prefix("PATH=")), expected);
    }
}

#[test]
fn without_ffmpeg_a_recording_is_a_folder_and_says_why() {
    let s = Sandbox::new();
    let run = |arguments: &[&str]| {
        let mut command = s.command(env!("CARGO_BIN_EXE_styleforge"));
        let output = command.args(arguments).env("PATH", s.path("home")).output();
        crate::sandbox::Run::from(output.expect("starts"))
    };
    let record = ["--working-size", "64", "--seconds", "0.2", "--record", "clip.mp4"];
    run(&[&SCENE[..], &record].concat()).ends(0).says(
        "note: ffmpeg is not installed (not found in PATH); recording pictures in clip instead",
    );
    assert!(s.path("clip/frame-000001.jpg").exists() && !s.path("clip.mp4").exists());
    let text = run(&["doctor"]).text();
    assert!(text.contains("recordings are folders of pictures"), "{text}");
}

#[test]
fn a_camera_that_is_not_there_is_named_once() {
    let s = Sandbox::new();
    let live = ["live", "--device", "cpu", "--seconds", "0.2"];
    let named = ["--source", "camera:no such camera"];
    let errors = s.styleforge(&[&live[..], &named].concat()).ends(2).stderr;
    assert_eq!(errors.matches("there is no camera no such camera").count(), 1, "{errors}");
    assert!(errors.contains("from camera:no such camera; see styleforge cameras, or"), "{errors}");
}

#[test]
fn without_a_style_the_first_one_paints_and_is_named() {
    let s = Sandbox::new();
    let second = ["live", "--device", "cpu", "--seconds", "0.5", "--json"];
    let run = s.styleforge(&second).ends(0).says("style: candy lite; --style names another");
    assert_eq!(run.json()["style"], "candy lite");
    // int8 is used on CPUs that multiply bytes fast.
    let mode = run.json()["mode"].clone();
    assert!(mode == "fused fp32" || mode == "fused int8", "{mode}");
    let run =
        s.styleforge(&[&second[..], &["--style", "none", "--size", "700x500"]].concat()).ends(0);
    assert!(!run.stderr.contains("style:"), "{}", run.stderr);
    let report = run.json();
    assert!(report["style"].is_null() && report["mode"].is_null());
    // The automatic size saves the network's time; without a network the source keeps its size.
    assert_eq!(report["working_size"], serde_json::json!([700, 500]));
    assert!(report["automatic_size"].is_null());
}

#[test]
fn a_photo_and_a_folder_have_a_delay_too() {
    let s = Sandbox::new();
    s.photo("album/a.png", 40, 30);
    for source in ["photo.png", "album"] {
        // Longer than the window over which rates are measured.
        let live = ["live", "--device", "cpu", "--style", "./tiny.safetensors"];
        let still = ["--source", source, "--seconds", "4", "--json"];
        let report = s.styleforge(&[&live[..], &still].concat()).ends(0).json();
        let delay = report["latency_ms"]["p50"].as_f64();
        assert!(delay > Some(0.0), "{source}: {}", report["latency_ms"]);
        let network = report["stages_ms"]["network_ms"].as_f64();
        assert!(network > Some(0.0), "{source}: {}", report["stages_ms"]);
        assert!(report["automatic_size"].is_null(), "photos have no rate");
    }
}

#[cfg(unix)]
#[test]
fn a_run_that_is_ended_by_a_signal_has_done_its_work() {
    let s = Sandbox::new();
    for signal in ["-INT", "-TERM"] {
        let live = ["live", "--device", "cpu", "--style", "./tiny.safetensors"];
        let mut child = begun(&s, &live);
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let pace = lines.find(|l| l.as_ref().is_ok_and(|l| l.contains(" fps at ")));
        assert!(pace.is_some(), "no pictures came");
        send(signal, &child);
        lines.for_each(drop);
        let run = Run::from(child.wait_with_output().expect("ends")).ends(0);
        assert!(run.text().contains("from source to picture"), "{signal}");
    }
    let help = s.styleforge(&["live", "--help"]).ends(0).text();
    assert!(help.contains("also when Ctrl-C or SIGTERM ended the run"), "{help}");
}
