//! Videos through the installed ffmpeg: nothing is lost, and an interrupted film continues where it stopped.

use std::{
    collections::BTreeMap,
    fs,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::sandbox::{Run, Sandbox, send};

/// Runs ffmpeg with these words.
pub fn ffmpeg(s: &Sandbox, words: &str) {
    let line = format!("exec ffmpeg -nostdin -v error -y {words}");
    s.shell(&line).ends(0);
}

/// What a player finds out about a file: each stream's properties, the times of the frames, and the chapters.
pub fn described(s: &Sandbox, file: &str) -> BTreeMap<String, String> {
    let show = |words: &str| {
        let run = s.shell(&format!("exec ffprobe -v error -of json {words} {file}"));
        serde_json::from_str::<Value>(&run.ends(0).text()).expect("json")
    };
    let all = show("-show_streams -show_chapters");
    let mut found = BTreeMap::new();
    for stream in all["streams"].as_array().expect("streams") {
        let kind = stream["codec_type"].as_str().expect("a kind");
        let keys = [
            "width",
            "height",
            "sample_aspect_ratio",
            "color_range",
            "color_space",
            "color_primaries",
            "color_transfer",
            "channels",
            "start_time",
            "duration",
        ];
        let mut row: Vec<String> =
            keys.iter().map(|key| format!("{key} {}", stream[*key])).collect();
        if kind != "video" {
            row.push(format!("{} {}", stream["codec_name"], stream["tags"]["language"]));
        }
        found
            .entry(format!("{kind} streams"))
            .or_insert_with(String::new)
            .push_str(&row.join(", "));
    }
    let frames = show("-select_streams v:0 -show_entries frame=pts_time");
    let frames = frames["frames"].as_array().expect("frames").iter();
    let times: Vec<_> =
        frames.map(|f| f["pts_time"].as_str().unwrap_or("none").to_owned()).collect();
    found.insert("frames".to_owned(), times.len().to_string());
    found.insert("times".to_owned(), times.join(" "));
    for chapter in all["chapters"].as_array().expect("chapters") {
        let row = format!(
            "{} {} {}; ",
            chapter["start_time"], chapter["end_time"], chapter["tags"]["title"]
        );
        found.entry("chapters".to_owned()).or_insert_with(String::new).push_str(&row);
    }
    found
}

/// A checksum of every decoded frame and packet of sound, with its time.
pub fn checksums(s: &Sandbox, file: &str) -> String {
    s.shell(&format!("exec ffmpeg -nostdin -v error -i {file} -map 0 -f framemd5 -")).ends(0).text()
}

#[test]
fn nothing_of_a_video_is_lost() {
    let s = Sandbox::new();
    fs::write(
        s.path("about.txt"),
        ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=1500\ntitle=One\n\
         [CHAPTER]\nTIMEBASE=1/1000\nSTART=1500\nEND=3000\ntitle=Two\n",
    )
    .expect("written");
    fs::write(s.path("words.srt"), "1\n00:00:00,500 --> 00:00:01,500\nHello\n").expect("written");
    // Frames at irregular times, two languages with different channels, subtitles, chapters, wide pixels.
    ffmpeg(
        &s,
        "-f lavfi -i testsrc2=s=64x48:r=25:d=3.6 -f lavfi -i sine=440:d=3 \
         -f lavfi -i sine=880:d=3,aformat=channel_layouts=5.1 -i words.srt -i about.txt \
         -map 0 -map 1 -map 2 -map 3 -map_metadata 4 -map_chapters 4 \
         -vf \"select='mod(n,3)*mod(n,7)',setsar=16/11\" -fps_mode passthrough -video_track_timescale 90000 \
         -c:v libx264 -color_range tv -colorspace bt709 -color_primaries bt709 -color_trc bt709 \
         -metadata location=+48.2082+016.3738/ -metadata title=Trip -c:a:0 aac -c:a:1 ac3 -c:s mov_text -metadata:s:a:0 language=eng -metadata:s:a:1 language=deu clip.mp4",
    );
    s.stylize(&["clip.mp4", "-o", "painted.mp4"]).ends(0);
    assert_eq!(described(&s, "painted.mp4"), described(&s, "clip.mp4"));
    let sound = |file: &str| {
        s.shell(&format!("exec ffmpeg -v error -i {file} -map 0:a -c copy -f md5 -")).ends(0).text()
    };
    assert_eq!(sound("painted.mp4"), sound("clip.mp4"), "the sound is copied");
    // A file whose times do not begin at zero, with sound that begins earlier.
    ffmpeg(
        &s,
        "-f lavfi -i testsrc2=s=64x48:r=25:d=1 -f lavfi -i sine=440:d=1 -c:v libx264 -c:a aac clip.ts",
    );
    s.stylize(&["clip.ts", "-o", "painted.mkv"]).ends(0);
    let starts = |file: &str| {
        let run = s.shell(&format!(
            "exec ffprobe -v error -show_entries stream=start_time -of csv=p=0 {file}"
        ));
        let text = run.ends(0).text();
        let starts: Vec<f64> =
            text.split_whitespace().map(|t| t.trim_matches(',').parse().expect("a time")).collect();
        starts[0] - starts[1]
    };
    let tags = |file: &str| {
        let words = "-v error -show_entries format_tags -of json";
        s.shell(&format!("exec ffprobe {words} {file}")).ends(0).text()
    };
    assert!(tags("painted.mp4").contains("48.2082"), "{}", tags("painted.mp4"));
    s.stylize(&["clip.mp4", "--start", "2", "--strip-location", "-o", "end.mkv"]).ends(0);
    assert!(tags("end.mkv").contains("Trip") && !tags("end.mkv").contains("48.2082"));
    assert!(starts("end.mkv").abs() < 0.05, "sound before the beginning is left out");
    let is_as_long = |file: &str, seconds: f64| {
        let words = "-v error -show_entries format=duration -of csv=p=0";
        let found: f64 = s
            .shell(&format!("exec ffprobe {words} {file}"))
            .ends(0)
            .text()
            .trim()
            .parse()
            .expect("seconds");
        assert!((found - seconds).abs() < 0.06, "{file} is {found} s long");
    };
    is_as_long("painted.mkv", 1.0);
    // Subtitles before, across and after both ends, copied and converted, and chapters: they move no picture, and are cut.
    let words = "1\n00:00:00,500 --> 00:00:01,500\nBefore\n\n2\n00:00:01,800 --> 00:00:02,600\nAcross\n\n\
                 3\n00:00:02,900 --> 00:00:03,300\nEnd\n\n4\n00:00:03,300 --> 00:00:03,500\nAfter\n";
    fs::write(s.path("words.srt"), words).expect("written");
    let source = "-f lavfi -i testsrc2=s=64x48:r=25:d=3.6 -i words.srt -i about.txt -map 0 -map 1 -map_chapters 2 -c:v libx264";
    for (from, codec) in [("from.mkv", "srt"), ("from.mp4", "mov_text")] {
        ffmpeg(&s, &format!("{source} -c:s {codec} {from}"));
        for to in ["part.mkv", "part.mp4", "part.webm"] {
            s.stylize(&[
                from,
                "--start",
                "2",
                "--end",
                "3.2",
                "--strength",
                "0",
                "-o",
                to,
                "--force",
            ])
            .ends(0);
            is_as_long(to, 1.2);
            let words =
                "-v error -show_entries chapter=start_time,end_time:chapter_tags=title -of csv=p=0";
            let chapters = s.shell(&format!("exec ffprobe {words} {to}")).ends(0).text();
            let [start, end, title] = chapters.trim().split(',').collect::<Vec<_>>()[..] else {
                panic!("{from} to {to}: {chapters}")
            };
            assert_eq!((start, title), ("0.000000", "Two"), "{from} to {to}");
            let end: f64 = end.parse().expect("seconds");
            assert!((end - 1.0).abs() < 0.01, "{from} to {to}: {chapters}");
            let words =
                s.shell(&format!("exec ffmpeg -v error -i {to} -map 0:s -f srt -")).ends(0).text();
            let times: Vec<_> = words.lines().filter(|line| line.contains(" --> ")).collect();
            let [across, end] = times[..] else { panic!("{from} to {to}: {words}") };
            assert!(across.starts_with("00:00:00,000 --> 00:00:00,6"), "{from} to {to}: {words}");
            assert!(
                end.starts_with("00:00:00,9") && end.ends_with("00:00:01,200"),
                "{from} to {to}: {words}"
            );
        }
    }
    // WebM has no AAC, and Opus has no layout with speakers at the sides.
    s.stylize(&[
        "clip.mp4",
        "--end",
        "1",
        "--strength",
        "0",
        "--strip-metadata",
        "-o",
        "piece.webm",
    ])
    .ends(0)
    .says("(stream 1, aac) is converted to Opus");
    assert!(!tags("piece.webm").contains("Trip"));
    // The second part has one frame, and a clock of 1000 a second is no rate of frames.
    ffmpeg(&s, "-f lavfi -i testsrc2=s=64x64:r=25:d=1.96 -c:v libx264 clip.mkv");
    s.stylize(&["clip.mkv", "--strength", "0", "-o", "clip.webm"]).ends(0);
    is_as_long("clip.webm", 1.96);
    let described = described(&s, "piece.webm");
    assert!(described["audio streams"].matches("opus").count() == 2, "{described:?}");
    assert!(described["audio streams"].contains("channels 6"), "{described:?}");
    let difference = starts("painted.mkv") - starts("clip.ts");
    assert!(difference.abs() < 0.0015, "sound and picture moved by {difference} s");
    assert!(!s.names(".").iter().any(|name| name.ends_with(".part")), "{:?}", s.names("."));
}

#[test]
fn only_tags_that_are_known_to_be_harmless_are_kept_on_request() {
    let s = Sandbox::new();
    s.photo("plain.jpg", 16, 16);
    let mut cover = fs::read(s.path("plain.jpg")).expect("there");
    let exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x82\x98\0\x02\0\0\0\x07\0\0\0\x1a\0\0\0\0SECRET\0";
    cover.splice(2..2, [&[0xff, 0xe1, 0, exif.len() as u8 + 2][..], exif].concat());
    fs::write(s.path("cover.jpg"), cover).expect("written");
    let about = ";FFMETADATA1\n[CHAPTER]\nSTART=0\nEND=200000000\ntitle=One\nLOCATION=SECRET\n";
    fs::write(s.path("about.txt"), about).expect("written");
    let sources = "-f lavfi -i testsrc2=s=48x32:r=10:d=0.5 -f lavfi -i sine=d=0.5";
    let tags = ["RECORDING_LOCATION", "location-deu", "comment"]
        .map(|name| format!("-metadata {name}=SECRET -metadata:s {name}=SECRET"))
        .join(" ");
    let kept = "-metadata title=Trip -metadata:s:a title=Mine -metadata:s:a language=deu";
    ffmpeg(&s, &format!("{sources} -i about.txt -map_chapters 2 {tags} {kept} clip.mkv"));
    ffmpeg(
        &s,
        &format!(
            "{sources} -i cover.jpg -map 0 -map 1 -map 2 -c:v:1 copy -disposition:v:1 attached_pic \
             -metadata location=+48.2082+016.3738/ {kept} clip.mp4"
        ),
    );
    for (option, keeps_titles) in [("--strip-location", true), ("--strip-metadata", false)] {
        for (from, to, words) in [("clip.mkv", "a.mkv", "SECRET"), ("clip.mp4", "a.mp4", "48.2082")]
        {
            s.stylize(&[from, option, "--strength", "0", "--force", "-o", to]).ends(0);
            let shown = "-v error -show_entries format_tags:stream_tags:chapter_tags -of json";
            let found = s.shell(&format!("exec ffprobe {shown} {to}")).ends(0).text();
            assert!(!found.contains(words), "{option} {from}: {found}");
            let file = fs::read(s.path(to)).expect("written");
            assert!(!file.windows(6).any(|part| part == b"SECRET"), "{option} {from}");
            assert_eq!(found.contains("Trip"), keeps_titles, "{option} {from}: {found}");
            assert!(found.contains("deu"), "{option} {from}: {found}");
        }
        let covers = "-v error -show_entries stream_disposition=attached_pic -of csv=p=0";
        let covers = s.shell(&format!("exec ffprobe {covers} a.mp4")).ends(0).text();
        assert!(covers.contains('1'), "{option}: {covers}");
    }
    // Names inside streams: of fonts, in the header of subtitles and of sound.
    let words = "[Script Info]\nTitle: SECRET\nScriptType: v4.00+\n[Events]\n\
                 Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n\
                 Dialogue: 0,0:00:00.00,0:00:00.40,Default,SECRET,0,0,0,,Hello\n";
    fs::write(s.path("words.ass"), words).expect("written");
    ffmpeg(&s, "-f lavfi -i sine=d=0.5 -c:a libvorbis -metadata artist=SECRET sound.ogg");
    ffmpeg(
        &s,
        "-f lavfi -i testsrc2=s=48x32:r=10:d=0.5 -i sound.ogg -i words.ass -c:a copy -c:s copy -map_metadata -1 \
         -attach about.txt -metadata:s:t mimetype=font/ttf -metadata:s:t filename=SECRET.ttf named.mkv",
    );
    for (option, to, is_there) in
        [("--force", "kept.mkv", true), ("--strip-metadata", "nameless.mkv", false)]
    {
        let run = s.stylize(&["named.mkv", option, "--strength", "0", "-o", to]).ends(0);
        for note in [
            "stream 1, vorbis) is converted",
            "stream 2, ass) are converted",
            "not copied: stream 3",
        ] {
            assert_eq!(run.stderr.contains(note), !is_there, "{option}: {}", run.stderr);
        }
        let file = fs::read(s.path(to)).expect("written");
        assert_eq!(file.windows(6).any(|part| part == b"SECRET"), is_there, "{option}");
        assert!(file.windows(5).any(|part| part == b"Hello"), "{option}");
    }
}

#[test]
fn pictures_of_another_size_are_scaled_and_named() {
    let s = Sandbox::new();
    for (size, start, file) in [("48x32", 0, "a.ts"), ("640x480", 2, "b.ts")] {
        let source = format!("-f lavfi -i testsrc2=s={size}:r=25:d=2,format=yuv420p");
        ffmpeg(&s, &format!("{source} -c:v libx264 -output_ts_offset {start} {file}"));
    }
    s.shell("cat a.ts b.ts >two.ts").ends(0);
    let is_whole = |file: &str| {
        let found = described(&s, file);
        assert_eq!(found["frames"], "100", "{file}");
        assert!(found["video streams"].contains("width 48"), "{file}: {found:?}");
    };
    let note = "two.ts: its pictures have 640x480 pixels from 2 s on; all are scaled to 48x32, the size of the first one";
    s.stylize(&["two.ts", "-o", "two.mp4", "--strength", "0"]).ends(0).says(note);
    is_whole("two.mp4");
    // It continues after that.
    let mut child = painting(&s, "two.ts", "again.mp4");
    until_parts(&s, "again.mp4", &mut child, 2);
    child.kill().ok();
    child.wait().expect("ended");
    if s.path("again.mp4.part").exists() {
        s.stylize(&["two.ts", "-o", "again.mp4", "--steadiness", "90"]).ends(0);
    }
    is_whole("again.mp4");
}

#[test]
fn sound_goes_on_after_a_pause_of_hours() {
    let s = Sandbox::new();
    let source = "-f lavfi -i testsrc2=s=48x32:r=10:d=1 -f lavfi -i sine=d=1:r=48000";
    ffmpeg(&s, &format!("{source} -c:v libx264 -c:a aac piece.mkv"));
    let list = "ffconcat version 1.0\nfile piece.mkv\nduration 50000\nfile piece.mkv\n";
    fs::write(s.path("list.ffconcat"), list).expect("written");
    ffmpeg(&s, "-f concat -i list.ffconcat -c copy clip.mkv");
    s.stylize(&["clip.mkv", "-o", "clip.mp4", "--strength", "0"])
        .ends(0)
        .says("its sound (stream 1) is converted to 32000 Hz");
    let later = |stream: &str| {
        let show = format!("-select_streams {stream} -show_entries packet=pts_time -of csv=p=0");
        let times = s.shell(&format!("exec ffprobe -v error {show} clip.mp4")).ends(0).text();
        let times = times.split_whitespace().filter_map(|time| time.parse::<f64>().ok());
        times.filter(|&seconds| seconds > 40_000.0).fold(f64::INFINITY, f64::min)
    };
    let (pictures, sound) = (later("v:0"), later("a:0"));
    assert!(pictures.is_finite() && (pictures - sound).abs() < 0.1, "{pictures} {sound}");
}

#[test]
fn a_dry_run_says_what_would_be_painted_and_writes_nothing() {
    let s = Sandbox::new();
    ffmpeg(
        &s,
        "-f lavfi -i testsrc2=s=64x48:r=25:d=2 -f lavfi -i sine=d=2 -c:v libx264 -c:a flac clip.mkv",
    );
    let before = s.names(".");
    let plan = |arguments: &[&str]| s.stylize(&[arguments, &["--dry-run"]].concat());
    let run = plan(&["clip.mkv", "photo.png", "-o", "out/", "--output-size", "96"]).ends(0);
    let text = run.text();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "photo.png -> out/photo-tiny.png: 96x64");
    let film = "clip.mkv -> out/clip-tiny.mkv: 50 frames of 96x72 in H.264, ";
    assert!(lines[1].starts_with(film) && lines[1].ends_with(" of memory"), "{lines:?}");
    let run = plan(&["clip.mkv", "-o", "a.mov", "--end", "1", "--codec", "hevc", "--json"]);
    let line = run.ends(0).says("(stream 1, flac) is converted to AAC").json();
    assert_eq!((&line["status"], &line["frames"]), (&"planned".into(), &25.into()));
    let is_known = ["seconds", "file_bytes", "memory_bytes"]
        .iter()
        .all(|name| line[*name].as_f64() > Some(0.0));
    assert!(is_known, "{line}");
    assert_eq!(s.names("."), before);
    fs::write(s.path("there.mkv"), "mine").expect("written");
    plan(&["clip.mkv", "-o", "there.mkv"]).ends(1).says("already exists");
    plan(&["clip.mkv", "-o", "a.mkv", "--max-memory", "100MB"]).ends(1).says("--max-memory");
}

#[test]
fn the_name_decides_what_is_made() {
    let s = Sandbox::new();
    ffmpeg(&s, "-f lavfi -i testsrc2=s=48x32:r=10:d=1 -pix_fmt yuv420p clip.mp4");
    ffmpeg(&s, "-i clip.mp4 moving.gif");
    // An odd number of pixels; one that is turned.
    ffmpeg(&s, "-i clip.mp4 -vf crop=47:31:exact=1,format=yuv444p odd.mkv");
    ffmpeg(&s, "-i clip.mp4 -c copy -metadata:s:v:0 rotate=90 turned.mp4");
    let size = |file: &str| {
        let words = "-select_streams v:0 -count_frames -show_entries stream=codec_name,width,height,nb_read_frames";
        s.shell(&format!("exec ffprobe -v error {words} -of csv=p=0 {file}"))
            .ends(0)
            .text()
            .trim()
            .trim_matches(',')
            .to_owned()
    };
    for (source, options, output, expected) in [
        ("clip.mp4", &[][..], "a.mp4", "h264,48,32,10"),
        ("clip.mp4", &["--codec", "H265"], "a.mov", "hevc,48,32,10"),
        ("clip.mp4", &["--codec", "prores"], "b.mov", "prores,48,32,10"),
        ("clip.mp4", &["--codec", "ffv1"], "a.mkv", "ffv1,48,32,10"),
        ("clip.mp4", &["--codec", "av1", "--working-size", "32"], "c.mp4", "av1,48,32,10"),
        ("clip.mp4", &["--start", "0.5"], "half.mp4", "h264,48,32,5"),
        ("clip.mp4", &["--start", "0.2", "--end", "0.5"], "piece.mp4", "h264,48,32,3"),
        ("clip.mp4", &["--fps", "5"], "five.mp4", "h264,48,32,5"),
        ("clip.mp4", &["--fps", "4.995", "--strength", "0"], "ntsc.mp4", "h264,48,32,5"),
        ("clip.mp4", &["--start", "0.5", "--strength", "0"], "later.png", "png,48,32,1"),
        ("clip.mp4", &["--rotate", "90", "--crop", "20x30+2+4"], "part.mp4", "h264,20,30,10"),
        ("clip.mp4", &["--output-size", "96", "--strength", "0"], "large.mp4", "h264,96,64,10"),
        ("odd.mkv", &[], "odd.mp4", "h264,47,31,10"),
        ("odd.mkv", &["--codec", "prores"], "odd.mov", "prores,47,31,10"),
        ("turned.mp4", &[], "turned-painted.mp4", "h264,32,48,10"),
        ("moving.gif", &[], "b.gif", "gif,48,32,10"),
        ("moving.gif", &[], "b.apng", "apng,48,32,10"),
        ("moving.gif", &[], "b.mp4", "h264,48,32,10"),
        ("moving.gif", &["--strength", "0"], "still.png", "png,48,32,1"),
        ("clip.mp4", &[], "first.png", "png,48,32,1"),
    ] {
        s.stylize(&[&[source, "-o", output], options].concat()).ends(0);
        assert_eq!(size(output), expected, "{source} to {output}");
    }
    // With half of the chroma samples, ProRes has a green column at an odd width.
    let pixels = "exec ffprobe -v error -show_entries stream=pix_fmt -of csv=p=0 odd.mov";
    assert!(s.shell(pixels).ends(0).text().starts_with("yuv444p"));
    s.stylize(&["moving.gif", "-o", "b.webp"]).ends(0);
    // Frames that look alike are stored once.
    let webp = fs::read(s.path("b.webp")).expect("written");
    assert!(webp.windows(4).filter(|word| word == b"ANMF").count() > 1, "animated");
    // Photos and videos of a folder together.
    fs::create_dir(s.path("in")).expect("a folder");
    for name in ["clip.mp4", "photo.png"] {
        fs::copy(s.path(name), s.path("in").join(name)).expect("copied");
    }
    s.stylize(&["in", "-o", "out/", "--json"]).ends(0);
    assert_eq!(s.names("out"), ["clip-tiny.mp4", "photo-tiny.png"]);
    s.stylize(&["in", "-o", "out/", "--skip-existing"])
        .ends(0)
        .says("2 of 2 paintings already exist");
    // Names that occur twice get numbers, and animations stay so unless a format is chosen.
    fs::create_dir(s.path("more")).expect("a folder");
    for name in ["clip.mp4", "moving.gif"] {
        fs::copy(s.path(name), s.path("more").join(name)).expect("copied");
    }
    s.stylize(&["in/clip.mp4", "more", "-o", "two/", "--strength", "0"]).ends(0);
    assert_eq!(s.names("two"), ["clip-2-tiny.mp4", "clip-tiny.mp4", "moving-tiny.gif"]);
    s.stylize(&["more", "-o", "first/", "--format", "png", "--strength", "0"]).ends(0);
    assert_eq!(s.names("first"), ["clip-tiny.png", "moving-tiny.png"]);
    // The frame of a video that a picture shows, and how long the last frame of an animation is shown.
    for (start, is_same) in [("0.3", false), ("0.5", true)] {
        let options = ["--start", start, "--strength", "0", "--codec", "ffv1", "--force"];
        s.stylize(&[&["clip.mp4", "-o", "from.mkv"], &options[..]].concat()).ends(0);
        ffmpeg(&s, "-i from.mkv -frames:v 1 frame.png");
        let [later, frame] = ["later.png", "frame.png"].map(|name| s.read(name).rgba().to_vec());
        let apart: u64 = later.iter().zip(&frame).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        assert_eq!(apart as f64 / (later.len() as f64) < 0.5, is_same, "{start}: {apart}");
    }
    ffmpeg(&s, "-i clip.mp4 -final_delay 150 held.gif");
    s.stylize(&["held.gif", "-o", "held.mp4", "--strength", "0"]).ends(0);
    s.stylize(&["held.gif", "-o", "again.gif", "--strength", "0"]).ends(0);
    let lasts = |file: &str| {
        described(&s, file)["video streams"].split("duration ").nth(1).map(str::to_owned)
    };
    assert_eq!(lasts("held.mp4").as_deref(), Some("\"2.400000\""));
    assert_eq!(lasts("again.gif"), lasts("held.gif"));
    s.stylize(&["clip.mp4", "-o", "last.mp4", "--start", "0.9", "--strength", "0"]).ends(0);
    assert_eq!(lasts("last.mp4").as_deref(), Some("\"0.100000\""));
}

/// Grey levels that number the frames of a film, twice: the number up to 50, and how often 50 is in it.
const NUMBERED: &str = "-f lavfi -i \"color=gray:s=160x96:r=25:d=6,format=yuv420p,geq=lum='if(between(X,16,64)*between(Y,36,60),\
    16+4*mod(N,50),if(between(X,96,144)*between(Y,36,60),16+20*floor(N/50),40+mod(X+Y+3*N,64)))':cb=128:cr=128\"";

/// The number of each frame of such a film, and its time from the beginning of the film.
fn numbers(s: &Sandbox, file: &str) -> Vec<(u32, f64)> {
    let show = "exec ffprobe -v error -of json -select_streams v:0 \
                -show_entries frame=best_effort_timestamp_time:format=start_time";
    let found: Value =
        serde_json::from_str(&s.shell(&format!("{show} {file}")).ends(0).text()).expect("json");
    let seconds = |value: &Value| value.as_str().and_then(|text| text.parse::<f64>().ok());
    let begin = seconds(&found["format"]["start_time"]).unwrap_or(0.0);
    let mut last = -0.04;
    let times = found["frames"].as_array().expect("frames").iter().map(|frame| {
        // Program streams do not give every frame a time.
        let time = seconds(&frame["best_effort_timestamp_time"]);
        last = time.map_or(last + 0.04, |time| time - begin);
        last
    });
    s.shell(&format!(
        "exec ffmpeg -nostdin -v error -y -i {file} -map 0:v:0 -fps_mode passthrough -vf extractplanes=y -f rawvideo frames.raw"
    ))
    .ends(0);
    let grey = fs::read(s.path("frames.raw")).expect("decoded");
    let level = |frame: &[u8], left: usize| {
        let inside = (40..56).flat_map(|y| (left..left + 40).map(move |x| y * 160 + x));
        inside.map(|at| f64::from(frame[at])).sum::<f64>() / 640.0 - 16.0
    };
    let number = |frame: &[u8]| {
        (level(frame, 20) / 4.0).round() as u32 + 50 * (level(frame, 100) / 20.0).round() as u32
    };
    grey.chunks_exact(160 * 96).map(number).zip(times).collect()
}

#[test]
fn a_range_has_the_same_frames_in_every_container() {
    let s = Sandbox::new();
    ffmpeg(&s, &format!("{NUMBERED} -c:v ffv1 all.mkv"));
    let x264 = "-c:v libx264 -crf 10";
    let open_gop = "-x264-params open-gop=1:keyint=60:min-keyint=60:bframes=3:scenecut=0";
    let refreshed = "-x264-params intra-refresh=1:keyint=100:bframes=0:scenecut=0";
    let mpeg2 = "-c:v mpeg2video -q:v 2 -bf 2";
    // Seconds, from the last frame on, and a picture.
    let (early, late, last, picture) = ("3.1", "5.5", "last", "picture");
    for (file, options, parts) in [
        ("long.ts", format!("{x264} -g 250 -keyint_min 250"), &[picture][..]),
        ("open.ts", format!("{x264} {open_gop}"), &[early]),
        ("open.mkv", format!("{x264} {open_gop}"), &[early]),
        // Without key frames but for the first one.
        ("refreshed.ts", format!("{x264} {refreshed}"), &[late]),
        ("camera.m2ts", format!("{x264} -g 50 -mpegts_m2ts_mode 1 -f mpegts"), &[early]),
        ("disc.mpg", format!("{mpeg2} -g 15"), &[early, last]),
        ("long2.ts", format!("{mpeg2} -g 200"), &[picture]),
        ("clip.avi", "-c:v mpeg4 -q:v 2 -bf 2".to_owned(), &[picture]),
        ("clip.mp4", format!("{x264} -g 30"), &[early]),
        ("edited.mp4", String::new(), &[last]),
    ] {
        let source = if options.is_empty() { "-ss 1.3 -i clip.mp4 -c copy" } else { "-i all.mkv" };
        ffmpeg(&s, &format!("{source} {options} {file}"));
        let all = numbers(&s, file);
        for &part in parts {
            let start = match part {
                "last" => all.last().expect("frames").1 + 0.02,
                "picture" => 5.5,
                seconds => seconds.parse().expect("seconds"),
            };
            let end = start + if part == "last" { 90.0 } else { 0.3 };
            let inside = |&&(_, time): &&(u32, f64)| time > start - 1e-6 && time < end - 1e-6;
            let mut expected: Vec<u32> =
                all.iter().filter(inside).map(|(number, _)| *number).collect();
            if expected.is_empty() {
                expected.extend(all.last().map(|(number, _)| *number));
            }
            let [from, to] = [start, end].map(|seconds| format!("{seconds:.4}"));
            let range = ["--start", &from, "--strength", "0", "--force"];
            if part == "picture" {
                s.stylize(&[&[file, "-o", "frame.png"][..], &range].concat()).ends(0);
                ffmpeg(&s, "-i frame.png -vf scale=out_range=tv,format=yuv420p -c:v ffv1 part.mkv");
                expected.truncate(1);
            } else {
                let end = ["--end", &to, "-o", "part.mkv"];
                let run = s.stylize(&[&[file][..], &range, &end].concat());
                assert!(!run.ends(0).stderr.contains("damaged"), "{file} from {start}");
            }
            let found: Vec<u32> =
                numbers(&s, "part.mkv").iter().map(|(number, _)| *number).collect();
            assert_eq!(found, expected, "{file} from {start}");
        }
    }
}

#[test]
fn interlaced_video_becomes_whole_frames() {
    let s = Sandbox::new();
    // A field of every second picture.
    let waves = "geq=lum='128+100*sin((X+6*N)/9)*cos(Y/20)':cb=128:cr=128";
    let fields = format!("-f lavfi -i \"nullsrc=s=160x96:r=50:d=2,{waves}\" -vf");
    let x264 = "-c:v libx264 -flags +ildct+ilme -crf 10";
    ffmpeg(&s, &format!("{fields} tinterlace=interleave_top,setfield=tff {x264} top.mp4"));
    ffmpeg(&s, &format!("{fields} tinterlace=interleave_bottom,setfield=bff {x264} bottom.ts"));
    // Its file does not say so.
    ffmpeg(
        &s,
        &format!("{fields} tinterlace=interleave_top,setfield=prog -c:v mpeg4 -q:v 2 silent.avi"),
    );
    let combs = |file: &str| -> u32 {
        let run = s.shell(&format!(
            "exec ffmpeg -nostdin -hide_banner -i {file} -vf idet=intl_thres=1.3 -f null -"
        ));
        let report = run.ends(0).stderr;
        let found = report.rsplit("Multi frame detection:").next().expect("a report");
        let counts = found.split_whitespace().filter_map(|word| word.parse::<u32>().ok());
        counts.take(2).sum()
    };
    let order = |file: &str| {
        let show = "exec ffprobe -v error -show_entries stream=field_order -of csv=p=0";
        s.shell(&format!("{show} {file}")).ends(0).text().trim().to_owned()
    };
    for file in ["top.mp4", "bottom.ts", "silent.avi"] {
        assert!(combs(file) > 40, "{file}");
        s.stylize(&[file, "-o", "whole.mp4", "--strength", "0", "--force"])
            .ends(0)
            .says("its pictures are interlaced, and are deinterlaced");
        assert_eq!(
            (combs("whole.mp4"), order("whole.mp4")),
            (0, "progressive".to_owned()),
            "{file}"
        );
        assert_eq!(described(&s, "whole.mp4")["frames"], "50", "{file}");
        let off = ["--deinterlace", "off", "-o", "kept.mp4", "--strength", "0", "--force"];
        let run = s.stylize(&[&[file][..], &off].concat());
        assert!(!run.ends(0).stderr.contains("deinterlaced"), "{file}");
        assert!(combs("kept.mp4") > 40 && order("kept.mp4") != "progressive", "{file}");
    }
}

#[test]
fn the_content_of_a_file_decides_whether_it_is_a_video() {
    let s = Sandbox::new();
    let source = "-f lavfi -i testsrc2=s=48x32:r=25:d=0.2";
    fs::create_dir(s.path("in")).expect("a folder");
    for (file, options) in [
        ("disc", "-c:v mpeg2video -f vob"),
        ("phone.bin", "-c:v libx264 -f mp4"),
        ("stream.dat", "-c:v libx264 -f mpegts"),
        ("camera.data", "-c:v libx264 -mpegts_m2ts_mode 1 -f mpegts"),
        ("flash", "-c:v libx264 -f flv"),
        ("windows", "-c:v wmv2 -f asf"),
        ("web.tmp", "-c:v libtheora -f ogg"),
    ] {
        ffmpeg(&s, &format!("{source} {options} in/{file}"));
        let output = format!("{file}.mp4");
        s.stylize(&[&format!("in/{file}"), "-o", &output, "--strength", "0"]).ends(0);
        let all = described(&s, &format!("in/{file}"));
        assert_eq!(described(&s, &output)["frames"], all["frames"], "{file}");
    }
    // Sound and texts are no videos.
    ffmpeg(&s, "-f lavfi -i sine=d=0.2 -f ipod in/sound.m4a");
    ffmpeg(&s, "-f lavfi -i sine=d=0.2 -f asf in/sound.wma");
    fs::write(s.path("in/notes.txt"), "GIF or not").expect("written");
    s.stylize(&["in", "-o", "out/", "--strength", "0"]).ends(0).says("not a photo or video");
    assert_eq!(s.names("out").len(), 7, "{:?}", s.names("out"));
    // Of several videos in a file, the default one.
    ffmpeg(
        &s,
        "-f lavfi -i testsrc2=s=48x32:r=10:d=0.5 -f lavfi -i testsrc2=s=64x48:r=10:d=0.5 -map 0 -map 1 \
         -c:v libx264 -disposition:v:0 0 -disposition:v:1 default two.mkv",
    );
    s.stylize(&["two.mkv", "-o", "two.mp4", "--strength", "0"]).ends(0).says("stream 0 (video");
    assert!(described(&s, "two.mp4")["video streams"].contains("width 64"));
}

#[test]
fn tags_of_cameras_stay_in_mp4_and_mov() {
    let s = Sandbox::new();
    let tags = [
        "com.apple.quicktime.make=Apple",
        "com.apple.quicktime.model=iPhone",
        "com.apple.quicktime.location.ISO6709=+47.3769+008.5417+400/",
        "com.apple.quicktime.creationdate=2026-07-01T12:00:00+0200",
        "title=Trip",
    ];
    let given: String = tags.iter().map(|tag| format!("-metadata {tag} ")).collect();
    ffmpeg(
        &s,
        &format!(
            "-f lavfi -i testsrc2=s=48x32:r=25:d=1 -f lavfi -i sine=d=1 -f lavfi -i sine=d=1 -map 0 -map 1 -map 2 \
             -c:v libx264 -c:a:0 aac -c:a:1 vorbis -strict -2 -ac:a:1 2 -metadata:s:a:0 title=Commentary \
             -timecode 01:00:00:00 -movflags use_metadata_tags {given} camera.mov"
        ),
    );
    ffmpeg(
        &s,
        "-i camera.mov -map 0:v -map 0:a:0 -c copy -metadata:s:a:0 title=Commentary camera.mkv",
    );
    let shown = |file: &str| {
        let show = "exec ffprobe -v error -show_entries format_tags:stream_tags:stream=codec_name -of compact";
        s.shell(&format!("{show} {file}")).ends(0).text()
    };
    for output in ["a.mov", "a.mp4"] {
        s.stylize(&["camera.mov", "-o", output, "--strength", "0"])
            .ends(0)
            .says("(stream 2, vorbis) is converted to AAC");
        let found = shown(output);
        for tag in tags.iter().chain(&["timecode=01:00:00:00"]) {
            assert!(found.contains(&format!("tag:{tag}")), "{output}: {tag} of {found}");
        }
        assert!(!found.contains("vorbis"), "{output}: {found}");
        s.stylize(&["camera.mkv", "-o", output, "--strength", "0", "--force"]).ends(0);
        assert!(shown(output).contains("handler_name=Commentary"), "{}", shown(output));
        s.stylize(&["camera.mov", "-o", output, "--start", "0.5", "--strength", "0", "--force"])
            .ends(0)
            .says("not copied: the timecode");
        assert!(!shown(output).contains("timecode=01"), "{}", shown(output));
    }
}

#[test]
fn numbered_pictures_and_animated_webp_are_videos_too() {
    let s = Sandbox::new();
    for folder in ["p", "v"] {
        fs::create_dir(s.path(folder)).expect("a folder");
    }
    ffmpeg(
        &s,
        "-f lavfi -i testsrc2=s=48x32:r=10:d=6,noise=alls=40:allf=t -start_number 7 p/%03d.png",
    );
    ffmpeg(&s, "-r 10 -start_number 7 -i p/%03d.png -lossless 1 moving.webp");
    let pixels = |input: &str| {
        s.shell(&format!("exec ffmpeg -v error {input} -f rawvideo -pix_fmt rgb24 - | md5sum"))
            .ends(0)
            .text()
    };
    // Every frame of the WebP at its own time, in a new folder. Its decoder rounds the other times.
    s.stylize(&["moving.webp", "-o", "w/%05d.png", "--strength", "0"]).ends(0);
    assert_eq!(s.names("w").len(), 60);
    for (number, original) in [(1, 7), (31, 37), (60, 66)] {
        let [painted, original] = [format!("w/{number:05}.png"), format!("p/{original:03}.png")]
            .map(|name| s.read(&name).rgba().to_vec());
        let apart = painted.iter().zip(&original).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(apart <= Some(1), "frame {number}: {apart:?}");
    }
    s.stylize(&["moving.webp", "-o", "w.mp4", "--start", "2", "--end", "5"]).ends(0);
    let found = described(&s, "w.mp4");
    assert_eq!(found["frames"], "30");
    assert!(found["times"].ends_with(" 2.900000"), "{found:?}");
    assert!(found["video streams"].contains("duration \"3.000000\""), "{found:?}");
    s.stylize(&["moving.webp", "-o", "w/", "--strength", "0"]).ends(0);
    assert!(s.path("w/moving-tiny.webp").exists());
    s.stylize(&["p/%03d.png", "-o", "q/a%d.jpg", "--strength", "0", "--quality", "90"])
        .ends(0)
        .says("25 pictures are shown per second");
    assert_eq!((s.names("q").len(), s.path("q/a1.jpg").exists()), (60, true));
    s.stylize(&["p/%03d.png", "-o", "q/a%d.jpg"]).ends(1).says("a1.jpg already exists");
    s.stylize(&["p/%03d.png", "-o", "q/a%d.jpg", "--skip-existing"]).ends(0).says("1 of 1");
    // In a folder they stay numbered pictures, in their own format or another one.
    ffmpeg(&s, "-start_number 7 -i p/%03d.png -frames:v 3 -c:v libwebp -lossless 1 v/%02d.webp");
    s.stylize(&["v/%02d.webp", "-o", "n/", "--strength", "0"]).ends(0);
    assert_eq!(s.names("n"), ["01-tiny.webp", "02-tiny.webp", "03-tiny.webp"]);
    s.stylize(&["v/%02d.webp", "-o", "n/", "--format", "png", "--strength", "0"]).ends(0);
    assert!(s.path("n/03-tiny.png").exists());
    for (arguments, words) in [
        (&["p/%03d.png", "-o", "p/%03d.png", "--force"][..], "is one of the inputs"),
        (&["p/%03d.png", "-o", "p/0%02d.png", "--force"], "is one of the inputs"),
        (&["p/%03d.png", "-o", "a.png"], "numbered pictures are painted as"),
        (&["p/%03d.png", "-o", "q/%03d.avif"], "use .png, .jpg, .webp, .bmp or .tiff"),
        (&["p/%04d.png", "-o", "q.mp4"], "no such file: p/%04d.png"),
    ] {
        s.stylize(arguments).ends(2).says(words);
    }
    // Both continue after an interruption.
    for (source, output) in [("p/%03d.png", "r.mp4"), ("moving.webp", "r/%03d.png")] {
        fs::create_dir_all(s.path("r")).expect("a folder");
        let mut child = painting(&s, source, output);
        until_parts(&s, output, &mut child, 1);
        child.kill().ok();
        child.wait().expect("ended");
        if s.path(format!("{output}.part")).exists() {
            let run = s.stylize(&[source, "-o", output, "--steadiness", "90", "--json"]).ends(0);
            assert!(run.text().contains("\"resumed\":48") || run.text().contains("\"resumed\":60"));
        }
    }
    s.stylize(&["moving.webp", "-o", "whole/%03d.png", "--steadiness", "90"]).ends(0);
    assert_eq!(pixels("-i r/%03d.png"), pixels("-i whole/%03d.png"));
    s.stylize(&["p/%03d.png", "-o", "whole.mp4", "--steadiness", "90"]).ends(0);
    assert_eq!(checksums(&s, "r.mp4"), checksums(&s, "whole.mp4"));
    s.stylize(&["p/%03d.png", "-o", "five.mkv", "--fps", "5", "--end", "1", "--strength", "0"])
        .ends(0);
    let found = described(&s, "five.mkv");
    assert_eq!(found["times"], "0.000000 0.200000 0.400000 0.600000 0.800000");
    fs::remove_file(s.path("p/012.png")).expect("removed");
    s.stylize(&["p/%03d.png", "-o", "hole.mp4"]).ends(1).says("p/%03d.png: picture 12 is missing");
    s.stylize(&["p/%03d.png", "-o", "held/%03d.png", "--gaps", "hold", "--strength", "0"]).ends(0);
    assert_eq!(s.names("held").len(), 60);
    for (number, original) in [(5, 11), (6, 11), (7, 13)] {
        let [held, original] = [format!("held/{number:03}.png"), format!("p/{original:03}.png")];
        assert_eq!(s.read(&held).rgba(), s.read(&original).rgba(), "{held}");
    }
    // A WebP that is cut off is painted as far as it can be read.
    let whole = fs::read(s.path("moving.webp")).expect("made");
    fs::write(s.path("torn.webp"), &whole[..whole.len() * 2 / 3]).expect("written");
    s.stylize(&["torn.webp", "-o", "torn.mp4", "--strength", "0"]).ends(1).says("torn.webp");
}

#[test]
fn unpaintable_inputs_are_refused_by_name() {
    let s = Sandbox::new();
    ffmpeg(
        &s,
        "-f lavfi -i testsrc2=s=48x32:r=10:d=2 -f lavfi -i sine=440:d=2 -c:v libx264 -g 5 -c:a flac clip.mkv",
    );
    ffmpeg(&s, "-f lavfi -i sine=440:d=1 sound.mp4");
    ffmpeg(&s, "-i clip.mkv -an -c copy -movflags +frag_keyframe+empty_moov whole.mp4");
    let whole = fs::read(s.path("whole.mp4")).expect("made");
    fs::write(s.path("torn.mp4"), &whole[..whole.len() * 2 / 3]).expect("written");
    fs::copy(s.path("clip.mkv"), s.path("clip.jpg")).expect("copied");
    fs::write(s.path("empty.mp4"), "").expect("written");
    fs::write(s.path("rubbish.mp4"), [7; 5000]).expect("written");
    // Texts that name a video, which would be painted.
    fs::write(s.path("list.mp4"), "ffconcat version 1.0\nfile clip.mkv\n").expect("written");
    let playlist = format!(
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{}\n#EXT-X-ENDLIST\n",
        s.path("clip.mkv").display()
    );
    fs::write(s.path("playlist.mkv"), playlist).expect("written");
    for (arguments, code, words) in [
        (&["sound.mp4", "-o", "a.mp4"][..], 1, "sound.mp4: it has no video"),
        (&["empty.mp4", "-o", "a.mp4"], 1, "empty.mp4: the file is empty"),
        (
            &["rubbish.mp4", "-o", "a.mp4"],
            1,
            "rubbish.mp4: it cannot be read as a video: it is not one, or",
        ),
        (
            &["list.mp4", "-o", "a.mp4"],
            1,
            "list.mp4: it cannot be read as a video: it is a list of",
        ),
        (&["list.mp4", "-o", "a.png"], 1, "it is a list of other files"),
        (&["playlist.mkv", "-o", "a.mp4"], 1, "it is a list of other files, or of a kind that is"),
        (&["missing.mp4", "-o", "a.mp4"], 2, "no such file: missing.mp4"),
        (&["clip.jpg", "-o", "a.png"], 1, "it is a video; give its file a name that ends in .mp4"),
        (&["clip.mkv", "-o", "no/a.mkv"], 1, "the folder no does not exist"),
        (
            &["clip.mkv", "-o", "a.mkv", "--codec", "ffv1", "--quality", "9"],
            2,
            "everything here is written without loss",
        ),
        (
            &["clip.mkv", "-o", "a.gif", "--quality", "9"],
            2,
            "everything here is written without loss",
        ),
        (&["clip.mkv", "-o", "a.mkv", "--bit-depth", "16"], 2, "everything here has 8 bits"),
        (&["clip.mkv", "-o", "a.mkv", "--fps", "0.0"], 2, "such as 25, 29.97 or 30000/1001"),
        (&["clip.mkv", "-o", "a.png", "--start", "9"], 1, "it has no picture after 9 s"),
        (&["photo.png", "-o", "a.png", "--start", "5"], 2, "is for videos"),
        (
            &["clip.mkv", "-o", "a.mp4", "--codec", "prores"],
            2,
            "MP4 cannot hold prores, but MOV and MKV can; choose another name, or one of the codecs h264",
        ),
        (&["clip.mkv", "-o", "clip.mkv", "--force"], 2, "clip.mkv is one of the inputs"),
        (
            &["clip.mkv", "-o", "a.mkv", "--start", "1:00", "--end", "0:30"],
            2,
            "--end must be later",
        ),
        (&["clip.mkv", "-o", "a.mkv", "--start", "1h"], 2, "give seconds"),
        (&["clip.mkv", "-o", "a.mkv", "--start", "60"], 1, "no picture after 60 s; it is 2.0"),
        (&["photo.png", "-o", "a.mp4"], 2, "a photo needs .png"),
        (&["photo.png", "-o", "a.png", "--fps", "5"], 2, "is for videos"),
    ] {
        s.stylize(arguments).ends(code).says(words);
    }
    s.stylize(&["clip.mkv", "-o", "sound.mov", "--end", "1"])
        .ends(0)
        .says("(stream 1, flac) is converted to AAC");
    assert!(described(&s, "sound.mov")["audio streams"].contains("aac"));
    // What can be read of a damaged video is painted, and the damage is reported.
    s.stylize(&["torn.mp4", "-o", "torn-painted.mp4"]).ends(1).says("torn.mp4 is damaged");
    assert!(described(&s, "torn-painted.mp4")["frames"].parse::<u32>().expect("a number") >= 5);
    fs::write(s.path("there.mkv"), "").expect("written");
    s.stylize(&["clip.mkv", "-o", "there.mkv"]).ends(1).says("already exists");
    let mut command = s.command(env!("CARGO_BIN_EXE_styleforge"));
    command
        .args(["stylize", "clip.mkv", "-s", "./tiny.safetensors", "-o", "a.mkv"])
        .env("PATH", "");
    Run::from(command.output().expect("starts")).ends(1).says("apt install ffmpeg");
    assert!(!s.names(".").iter().any(|name| name.starts_with("a.m")), "{:?}", s.names("."));
}

#[test]
fn a_frame_of_a_video_is_a_style() {
    let s = Sandbox::new();
    ffmpeg(&s, "-f lavfi -i testsrc2=s=64x48:r=10:d=2 -c:v ffv1 -pix_fmt bgr0 clip.mkv");
    ffmpeg(&s, "-i clip.mkv -frames:v 1 first.png");
    ffmpeg(&s, "-ss 1.5 -i clip.mkv -frames:v 1 later.png");
    let painted = |arguments: &[&str], output: &str, note: &str| {
        let paint = ["stylize", "photo.png", "-o", output, "--device", "cpu"];
        s.styleforge(&[&paint[..], arguments].concat()).ends(0).says(note);
        s.read(output)
    };
    let first = painted(&["--style-picture", "first.png"], "a.png", "");
    let later = painted(&["--style-picture", "later.png"], "b.png", "");
    assert_ne!(first, later);
    let of = ["--style-picture", "clip.mkv", "--start", "1.5"];
    let at_start = "note: clip.mkv: the style is its frame at 1.5 s";
    assert_eq!(painted(&of, "c.png", at_start), later);
    assert_eq!(painted(&of[..2], "d.png", "the style is its frame at 0 s"), first);
    let beyond = [&["stylize", "photo.png", "-o", "e.png"][..], &of[..3], &["9"]].concat();
    s.styleforge(&beyond).ends(2).says("clip.mkv could not be read: it has no picture after 9 s");
    let advice = "clip.mkv is a video; use its frame with --style-picture clip.mkv";
    s.styleforge(&["stylize", "photo.png", "--style", "clip.mkv", "-o", "e.png"])
        .ends(2)
        .says(advice);
    s.styleforge(&["styles", "import", "clip.mkv"]).ends(1).says(advice);
}

#[test]
fn pictures_that_are_painted_end_in_a_film() {
    let s = Sandbox::new();
    // A title that is longer than a command may be, and sound that is damaged after its first second.
    let title = format!(";FFMETADATA1\n[STREAM]\ntitle={}\n", "x".repeat(200_000));
    fs::write(s.path("title.txt"), title).expect("written");
    let source =
        "-f lavfi -i testsrc2=s=48x32:r=10:d=3 -f lavfi -i sine=440:d=3 -i title.txt -map 0 -map 1";
    ffmpeg(&s, &format!("{source} -map_metadata:s:v:0 2:s:0 -c:v libx264 title.mkv"));
    ffmpeg(&s, &format!("{source} -c:v libx264 -c:a aac clip.ts"));
    let mut stream = fs::read(s.path("clip.ts")).expect("made");
    const SOUND: [u8; 2] = [1, 1];
    let packets = stream.chunks_exact_mut(188).filter(|p| [p[1] & 31, p[2]] == SOUND);
    let mut packets: Vec<_> = packets.collect();
    let middle = packets.len() / 2;
    packets[middle][4..].fill(255);
    fs::write(s.path("clip.ts"), stream).expect("written");
    // Characters with a meaning in addresses, patterns and lists.
    let folder = "is it? #1 %d 'a'\nfile b";
    fs::create_dir(s.path(folder)).expect("a folder");
    for (source, name, note) in [
        ("title.mkv", "take #2.mp4", ""),
        ("clip.ts", "a?.mp4", "its sound (stream 1, aac) is damaged and encoded again"),
        ("clip.ts", "%05d.png", "cannot be stored in PNG"),
    ] {
        let output = format!("{folder}/{name}");
        s.stylize(&[source, "-o", &output, "--strength", "0"]).ends(0).says(note);
        let found = s.path(format!("{folder}/{}", name.replace("%05d", "00030")));
        fs::copy(found, s.path(name.replace(['#', '?', ' '], ""))).expect("written");
    }
    for file in ["take2.mp4", "a.mp4"] {
        let found = described(&s, file);
        assert_eq!(found["frames"], "30", "{file}");
        assert!(found["audio streams"].contains("channels 1"), "{file}");
    }
    // Known before anything is painted.
    let long = s.stylize(&["clip.ts", "-o", "long/%0255d.png", "--strength", "0"]);
    long.ends(1).says("the name is too long");
    assert_eq!(s.names("long"), [""; 0]);
}

#[test]
#[cfg(target_os = "linux")]
fn a_process_that_hangs_ends_with_the_program() {
    let s = Sandbox::new();
    fs::write(s.path("clip.mp4"), "read by a script").expect("written");
    s.shell(
        "mkdir bin; printf '#!/bin/sh\\necho $$ >hangs\\nexec sleep 600\\n' >bin/ffprobe
         chmod +x bin/ffprobe; cp bin/ffprobe bin/ffmpeg",
    )
    .ends(0);
    let path = format!("{}:/usr/bin:/bin", s.path("bin").display());
    for (signal, code) in [("-TERM", Some(143)), ("-KILL", None)] {
        // Much longer than this takes, and shorter than a process may do nothing.
        let end = Instant::now() + Duration::from_secs(30);
        let wait_until = |is_so: &mut dyn FnMut() -> bool| {
            while !is_so() {
                assert!(Instant::now() < end, "{signal}");
                std::thread::sleep(Duration::from_millis(2));
            }
        };
        let hangs = s.path("hangs");
        fs::remove_file(&hangs).ok();
        let mut command = s.command(env!("CARGO_BIN_EXE_styleforge"));
        command.args(["stylize", "clip.mp4", "-s", "./tiny.safetensors", "-o", "a.mp4"]);
        let mut child = command.env("PATH", &path).stderr(Stdio::null()).spawn().expect("starts");
        let mut pid = String::new();
        wait_until(&mut || {
            pid = fs::read_to_string(&hangs).unwrap_or_default();
            pid.ends_with('\n')
        });
        send(signal, &child);
        wait_until(&mut || child.try_wait().expect("a status").is_some());
        assert_eq!(child.wait().expect("ended").code(), code);
        let program = format!("/proc/{}/exe", pid.trim());
        wait_until(&mut || fs::read_link(&program).is_err());
    }
}

/// Starts to paint `source` as `output`.
fn painting(s: &Sandbox, source: &str, output: &str) -> Child {
    let mut command = s.command(env!("CARGO_BIN_EXE_styleforge"));
    let usual = ["-s", "./tiny.safetensors", "--threads", "1", "--steadiness", "90"];
    command.args(["stylize", source, "-o", output]).args(usual);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts")
}

/// Waits until `count` parts are complete, or the process has ended.
fn until_parts(s: &Sandbox, output: &str, child: &mut Child, count: usize) {
    let is_part = |name: &String| {
        name.starts_with("0000") && name.contains('-') && !name.contains("unfinished")
    };
    let folder = format!("{output}.part");
    while child.try_wait().expect("a status").is_none() {
        if s.path(&folder).exists()
            && s.names(&folder).iter().filter(|name| is_part(name)).count() >= count
        {
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_killed_film_continues_and_is_the_same() {
    let s = Sandbox::new();
    ffmpeg(
        &s,
        "-f lavfi -i testsrc2=s=64x48:r=30:d=10 -f lavfi -i sine=440:d=10 \
         -vf \"select='mod(n,5)'\" -fps_mode passthrough -c:v libx264 -c:a aac clip.mp4",
    );
    let steady = ["--steadiness", "90"];
    s.stylize(&[&["clip.mp4", "-o", "whole.mp4"][..], &steady].concat()).ends(0);
    let whole = checksums(&s, "whole.mp4");
    // Five complete parts; what is in the air when it is killed depends on the machine.
    for count in 1..=5 {
        let mut child = painting(&s, "clip.mp4", "painted.mp4");
        until_parts(&s, "painted.mp4", &mut child, count);
        child.kill().ok();
        child.wait().expect("ended");
    }
    // Any complete part can be played.
    if let Some(part) = s.path("painted.mp4.part").exists().then(|| s.names("painted.mp4.part")) {
        let part = part
            .iter()
            .find(|name| name.starts_with("000000000-"))
            .expect("the first part")
            .clone();
        assert_eq!(described(&s, &format!("painted.mp4.part/{part}"))["frames"], "48");
        let resumed = s.stylize(&[&["clip.mp4", "-o", "painted.mp4"][..], &steady].concat());
        resumed.ends(0).says("continued after the");
    }
    assert_eq!(checksums(&s, "painted.mp4"), whole);
    assert!(!s.path("painted.mp4.part").exists());
    // An interrupt says how to go on; other settings start anew.
    fs::remove_file(s.path("painted.mp4")).expect("removed");
    let mut child = painting(&s, "clip.mp4", "painted.mp4");
    until_parts(&s, "painted.mp4", &mut child, 1);
    s.shell(&format!("kill -INT {}", child.id()));
    let run = Run::from(child.wait_with_output().expect("ended"));
    if run.failed() {
        run.says("painting it again continues after them");
        s.stylize(&["clip.mp4", "-o", "painted.mp4", "--strength", "50"])
            .ends(0)
            .says("painted with other settings");
        assert_eq!(described(&s, "painted.mp4"), described(&s, "whole.mp4"));
        assert_ne!(checksums(&s, "painted.mp4"), whole);
    }
}
