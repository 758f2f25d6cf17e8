//! The real program in folders of its own: what it writes, what it says, and how it ends.
#![allow(clippy::expect_used, clippy::unwrap_used)]

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::Arc,
};

use serde_json::Value;
use styleforge::{
    frame::{Frame, PictureDifference},
    media::{
        decode,
        encode::{self, Encoding, Existing, Format},
    },
    network::{Network, NetworkSpec},
    weights::{Checkpoint, Family, StorageType},
};

/// A folder with a home of its own, a small style and a photo.
struct Sandbox {
    folder: tempfile::TempDir,
}

impl Sandbox {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let sandbox = Self { folder };
        fs::create_dir(sandbox.path("home")).expect("home");
        let spec = NetworkSpec {
            blocks: 1,
            ..NetworkSpec::with_widths([2, 3, 4])
        };
        let network = Network::random(spec, 7).expect("valid");
        let checkpoint = Checkpoint {
            network: Arc::new(network),
            family: Family::PytorchExamples,
            storage: StorageType::F32,
            metadata: BTreeMap::new(),
        };
        let bytes = checkpoint.to_safetensors().expect("written");
        fs::write(sandbox.path("tiny.safetensors"), bytes).expect("style");
        sandbox.photo("photo.png", 24, 16);
        sandbox
    }

    fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    fn photo(&self, name: &str, width: usize, height: usize) -> Frame {
        let frame = Frame::from_fn(width, height, |x, y| {
            [(x * 9) as u8, (y * 11) as u8, 130, 255 - (x * y % 60) as u8]
        });
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("folder");
        let format = Format::from_path(&path).expect("a format");
        encode::save(&path, &frame, None, Encoding::of(format), Existing::Keep).expect("saved");
        frame
    }

    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.folder.path())
            .env("HOME", self.path("home"))
            .env("TMPDIR", self.folder.path())
            .stdin(Stdio::null());
        for name in [
            "DISPLAY",
            "WAYLAND_DISPLAY",
            "XDG_DATA_HOME",
            "XDG_CONFIG_HOME",
            "XDG_RUNTIME_DIR",
            "DBUS_SESSION_BUS_ADDRESS",
        ] {
            command.env_remove(name);
        }
        command
    }

    fn styleforge(&self, arguments: &[&str]) -> Run {
        let output = self
            .command(env!("CARGO_BIN_EXE_styleforge"))
            .args(arguments)
            .output();
        Run::from(output.expect("the program starts"))
    }

    /// Paints with the small style on one thread.
    fn stylize(&self, arguments: &[&str]) -> Run {
        let usual = ["stylize", "--style", "./tiny.safetensors", "--threads", "1"];
        self.styleforge(&[&usual[..], arguments].concat())
    }

    /// Runs a line of shell in which `$STYLEFORGE` is the program.
    fn shell(&self, line: &str) -> Run {
        let output = self
            .command("sh")
            .args(["-c", line])
            .env("STYLEFORGE", env!("CARGO_BIN_EXE_styleforge"))
            .output();
        Run::from(output.expect("a shell"))
    }

    fn read(&self, name: &str) -> Frame {
        (*decode::from_path(&self.path(name))
            .expect("a picture")
            .frame)
            .clone()
    }

    /// Names in a folder, sorted.
    fn names(&self, folder: &str) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(self.path(folder))
            .expect("folder")
            .map(|e| e.expect("entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

/// How a run ended.
#[derive(Debug)]
struct Run {
    code: Option<i32>,
    stdout: Vec<u8>,
    stderr: String,
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Run {
    /// Checks the exit code, and that nothing panicked.
    #[track_caller]
    fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.text(), self.stderr);
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        self
    }

    #[track_caller]
    fn says(self, words: &str) -> Self {
        assert!(
            self.stderr.contains(words),
            "no '{words}' in:\n{}",
            self.stderr
        );
        self
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_slice(&self.stdout).expect("JSON on standard output")
    }
}

// ---------------------------------------------------------------- stylize

#[test]
fn a_photo_is_painted_at_its_own_size_with_its_alpha() {
    let s = Sandbox::new();
    let run = s.stylize(&["photo.png", "-o", "out.png"]).ends(0);
    assert_eq!(run.text(), "out.png\n");
    let (photo, painted) = (s.read("photo.png"), s.read("out.png"));
    let difference = PictureDifference::between(&photo, &painted).expect("same size");
    assert!(difference.mean > 5.0, "it was painted: {difference:?}");
    let alpha = |f: &Frame| {
        f.rgba()
            .iter()
            .skip(3)
            .step_by(4)
            .copied()
            .collect::<Vec<_>>()
    };
    assert_eq!(alpha(&photo), alpha(&painted));
}

#[test]
fn auto_announces_its_fallback_once_and_cuda_is_refused() {
    let s = Sandbox::new();
    s.photo("second.png", 9, 9);
    let run = s
        .stylize(&["photo.png", "second.png", "-o", "out/"])
        .ends(0);
    // Where a GPU can be used there is nothing to announce.
    if run.stderr.contains("CPU: ") {
        assert_eq!(run.stderr.matches("CPU: ").count(), 1, "{}", run.stderr);
        let run = s.stylize(&["photo.png", "--device", "cuda", "-o", "cuda.png"]);
        run.ends(2).says("CUDA is not available");
        assert!(!s.path("cuda.png").exists());
    }
    let run = s
        .stylize(&["photo.png", "--device", "cpu", "-o", "cpu.png"])
        .ends(0);
    assert_eq!(run.stderr, "");
}

#[test]
fn strength_0_gives_back_the_photo_and_between_is_a_blend() {
    let s = Sandbox::new();
    s.stylize(&["photo.png", "--strength", "0", "-o", "0.png"])
        .ends(0);
    assert_eq!(s.read("0.png"), s.read("photo.png"));
    s.stylize(&["photo.png", "--strength", "100", "-o", "100.png"])
        .ends(0);
    s.stylize(&["photo.png", "--strength", "50", "-o", "50.png"])
        .ends(0);
    let (none, half, all) = (s.read("0.png"), s.read("50.png"), s.read("100.png"));
    for ((a, b), c) in none.rgba().iter().zip(half.rgba()).zip(all.rgba()) {
        assert!((i32::from(*a) + i32::from(*c) - 2 * i32::from(*b)).abs() <= 1);
    }
    s.stylize(&["photo.png", "--strength", "101", "-o", "x.png"])
        .ends(2);
}

#[test]
fn keep_colors_keeps_the_chroma() {
    let s = Sandbox::new();
    s.stylize(&["photo.png", "--keep-colors", "-o", "kept.png"])
        .ends(0);
    s.stylize(&["photo.png", "-o", "free.png"]).ends(0);
    let (photo, kept, free) = (s.read("photo.png"), s.read("kept.png"), s.read("free.png"));
    let chroma = |f: &Frame| -> Vec<f64> {
        let chroma = |p: &[u8]| {
            let [r, g, b] = [p[0], p[1], p[2]].map(f64::from);
            [
                -0.1687 * r - 0.3313 * g + 0.5 * b,
                0.5 * r - 0.4187 * g - 0.0813 * b,
            ]
        };
        f.rgba().chunks(4).flat_map(chroma).collect()
    };
    let distance = |a: &Frame, b: &Frame| {
        let (a, b) = (chroma(a), chroma(b));
        a.iter().zip(&b).map(|(x, y)| (x - y).abs()).sum::<f64>() / a.len() as f64
    };
    assert!(distance(&photo, &kept) < 1.0, "{}", distance(&photo, &kept));
    assert!(distance(&photo, &free) > 5.0);
    assert_ne!(photo, kept);
}

#[test]
fn working_and_output_sizes() {
    let s = Sandbox::new();
    let small = ["photo.png", "--working-size", "18"];
    s.stylize(&[&small[..], &["-o", "same.png"]].concat())
        .ends(0);
    assert_eq!(s.read("same.png").width(), 24);
    s.stylize(&[&small[..], &["--output-size", "working", "-o", "small.png"]].concat())
        .ends(0);
    let frame = s.read("small.png");
    assert_eq!((frame.width(), frame.height()), (18, 12));
    s.stylize(&["photo.png", "--working-size", "original", "-o", "o.png"])
        .ends(0);
    s.stylize(&["photo.png", "--working-size", "3", "-o", "x.png"])
        .ends(2);
}

#[test]
fn variants_give_the_same_picture() {
    let s = Sandbox::new();
    s.stylize(&["photo.png", "--variant", "baseline", "-o", "a.png"])
        .ends(0);
    s.stylize(&["photo.png", "--variant", "fused", "-o", "b.png"])
        .ends(0);
    let difference = PictureDifference::between(&s.read("a.png"), &s.read("b.png")).expect("size");
    assert!(difference.largest <= 1, "{difference:?}");
}

#[test]
fn memory_limits_shrink_the_work_and_say_so() {
    let s = Sandbox::new();
    s.photo("large.png", 300, 200);
    let bench = [
        "bench",
        "--style",
        "./tiny.safetensors",
        "--size",
        "300x200",
    ];
    let report = s
        .styleforge(
            &[
                &bench[..],
                &["--frames", "1", "--variant", "fused", "--json"],
            ]
            .concat(),
        )
        .ends(0)
        .json();
    let planned = report["results"][0]["planned_memory_bytes"]
        .as_u64()
        .expect("planned");
    let paint = |limit: String, output: &str| {
        s.stylize(&[
            "large.png",
            "--max-memory",
            &limit,
            "--output-size",
            "working",
            "-o",
            output,
        ])
    };
    let run = paint("1TB".to_owned(), "a.png").ends(0);
    assert!(!run.stderr.contains("instead of"), "{}", run.stderr);
    assert_eq!(s.read("a.png").width(), 300);
    paint((planned / 2).to_string(), "b.png")
        .ends(0)
        .says("instead of 300 x 200");
    let width = s.read("b.png").width();
    assert!((100..300).contains(&width), "{width}");
    paint("1kB".to_owned(), "c.png")
        .ends(1)
        .says("--max-memory");
    assert!(!s.path("c.png").exists());
}

#[test]
fn formats_follow_the_name_or_the_flag() {
    let s = Sandbox::new();
    for (name, start) in [
        ("a.png", &b"\x89PNG"[..]),
        ("a.jpg", b"\xff\xd8\xff"),
        ("a.webp", b"RIFF"),
        ("a.bmp", b"BM"),
        ("a.tiff", b"II*\0"),
    ] {
        let run = s.stylize(&["photo.png", "-o", name]).ends(0);
        assert!(
            fs::read(s.path(name)).expect("written").starts_with(start),
            "{name}"
        );
        assert_eq!(
            run.stderr.contains("laid on white"),
            name == "a.jpg",
            "{}",
            run.stderr
        );
    }
    s.stylize(&["photo.png", "--format", "bmp", "-o", "odd"])
        .ends(0);
    assert!(fs::read(s.path("odd")).expect("written").starts_with(b"BM"));
    s.stylize(&["photo.png", "-o", "a.gif"])
        .ends(2)
        .says("names no format");
    s.stylize(&["photo.png", "--format", "jpeg", "-o", "b.png"])
        .ends(2)
        .says("--format says jpeg");
    let size = |quality: &str| {
        let name = format!("q{quality}.jpg");
        s.stylize(&["photo.png", "--jpeg-quality", quality, "-o", &name])
            .ends(0);
        fs::metadata(s.path(&name)).expect("written").len()
    };
    assert!(size("20") < size("100"));
}

#[test]
fn what_exists_is_replaced_only_with_force() {
    let s = Sandbox::new();
    let before = fs::read(s.path("photo.png")).expect("there");
    s.stylize(&["photo.png", "-o", "photo.png"])
        .ends(1)
        .says("exists already")
        .says("--force");
    assert_eq!(fs::read(s.path("photo.png")).expect("there"), before);
    s.stylize(&["photo.png", "--force", "-o", "photo.png"])
        .ends(0);
    assert_ne!(fs::read(s.path("photo.png")).expect("there"), before);
    s.stylize(&["photo.png", "-o", "no/such/folder.png"])
        .ends(1)
        .says("does not exist");
}

#[test]
fn standard_input_and_output() {
    let s = Sandbox::new();
    let paint = "$STYLEFORGE stylize - --style ./tiny.safetensors --device cpu -o -";
    s.stylize(&["photo.png", "-o", "file.png"]).ends(0);
    let run = s.shell(&format!("{paint} < photo.png")).ends(0);
    assert_eq!(run.stderr, "");
    assert_eq!(run.stdout, fs::read(s.path("file.png")).expect("written"));
    let run = s
        .shell(&format!("{paint} --format webp < photo.png"))
        .ends(0);
    assert!(run.stdout.starts_with(b"RIFF"));
    let run = s.shell(&format!("echo nonsense | {paint}")).ends(1);
    assert!(
        run.stdout.is_empty() && run.stderr.contains("standard input"),
        "{}",
        run.stderr
    );
    s.shell(&format!("{paint} - < photo.png"))
        .ends(2)
        .says("named twice");
}

#[test]
fn a_folder_is_painted_by_name_one_level_deep() {
    let s = Sandbox::new();
    s.photo("in/b.jpg", 10, 8);
    s.photo("in/a.bmp", 8, 10);
    s.photo("in/deeper/c.png", 8, 8);
    fs::write(s.path("in/notes.txt"), "no picture").expect("file");
    let run = s.stylize(&["in", "-o", "new/out"]).ends(0);
    let separator = std::path::MAIN_SEPARATOR;
    assert_eq!(
        run.text(),
        format!("new/out{separator}a-tiny.bmp\nnew/out{separator}b-tiny.jpg\n")
    );
    assert_eq!(s.names("new/out"), ["a-tiny.bmp", "b-tiny.jpg"]);
    s.stylize(&["in/deeper", "in/b.jpg", "--format", "png", "-o", "new/out"])
        .ends(0);
    assert_eq!(s.names("new/out").len(), 4);
    fs::create_dir(s.path("empty")).expect("folder");
    s.stylize(&["empty", "-o", "out"])
        .ends(2)
        .says("no pictures in the folder empty");
    s.stylize(&["in", "-o", "out.png"])
        .ends(2)
        .says("need a folder");
}

#[test]
fn one_bad_file_does_not_stop_the_others() {
    let s = Sandbox::new();
    fs::write(s.path("broken.jpg"), b"\xff\xd8\xff\xe0 and no more").expect("file");
    s.photo("second.png", 9, 9);
    let run = s
        .stylize(&[
            "photo.png",
            "broken.jpg",
            "missing.png",
            "second.png",
            "-o",
            "out",
        ])
        .ends(1)
        .says("broken.jpg is damaged")
        .says("missing.png could not be read")
        .says("2 of 4 paintings failed");
    assert!(!run.stderr.contains("second.png"), "{}", run.stderr);
    assert_eq!(s.names("out"), ["photo-tiny.png", "second-tiny.png"]);
}

#[test]
fn two_inputs_never_share_a_name() {
    let s = Sandbox::new();
    s.photo("one/same.png", 8, 8);
    s.photo("two/same.png", 8, 8);
    let run = s
        .stylize(&["one/same.png", "two/same.png", "-o", "out"])
        .ends(2);
    assert!(
        run.stderr.contains("would both be written"),
        "{}",
        run.stderr
    );
    assert!(!s.path("out").exists());
}

#[test]
fn several_styles_are_several_pictures() {
    let s = Sandbox::new();
    fs::copy(s.path("tiny.safetensors"), s.path("other.safetensors")).expect("copied");
    s.stylize(&["photo.png", "--style", "./other.safetensors", "-o", "out"])
        .ends(0);
    assert_eq!(s.names("out"), ["photo-other.png", "photo-tiny.png"]);
    s.stylize(&["photo.png", "--style", "./other.safetensors", "-o", "-"])
        .ends(2)
        .says("takes one picture");
}

#[test]
fn wrong_styles_and_models_are_wrong_use() {
    let s = Sandbox::new();
    let run = s.styleforge(&["stylize", "photo.png", "--style", "nonesuch", "-o", "x.png"]);
    run.ends(2).says("'nonesuch' is neither a style nor a file");
    s.stylize(&["photo.png", "--model", "full", "-o", "x.png"])
        .ends(2)
        .says("--model");
    fs::write(s.path("bad.safetensors"), "nothing").expect("file");
    let run = s.styleforge(&[
        "stylize",
        "photo.png",
        "--style",
        "./bad.safetensors",
        "-o",
        "x.png",
    ]);
    run.ends(1).says("bad.safetensors");
    assert!(!s.path("x.png").exists());
    s.styleforge(&["stylize", "photo.png", "-o", "x.png"])
        .ends(2)
        .says("--style");
    s.styleforge(&["stylize", "--style", "x", "-o", "x.png"])
        .ends(2);
}

#[test]
fn a_lone_lite_style_says_so_and_full_is_refused() {
    let s = Sandbox::new();
    let folder = s.path("home/.local/share/styleforge/styles/small_one");
    fs::create_dir_all(&folder).expect("folder");
    fs::copy(s.path("tiny.safetensors"), folder.join("lite.safetensors")).expect("copied");
    let base = ["stylize", "photo.png", "--style", "small_one", "-o"];
    s.styleforge(&[&base[..], &["a.png"]].concat())
        .ends(0)
        .says("lite");
    s.styleforge(&[&base[..], &["b.png", "--model", "full"]].concat())
        .ends(2)
        .says("full");
    let run = s
        .styleforge(&[&base[..], &["c.png", "--model", "lite"]].concat())
        .ends(0);
    assert!(!run.stderr.contains("lite"), "{}", run.stderr);
}

#[cfg(all(unix, not(target_os = "macos")))]
#[test]
fn names_that_are_not_utf8_are_painted() {
    use std::os::unix::ffi::OsStrExt;

    let s = Sandbox::new();
    let name = |bytes: &[u8]| s.path(OsStr::from_bytes(bytes));
    fs::rename(s.path("photo.png"), name(b"caf\xe9.png")).expect("renamed");
    let output = s
        .command(env!("CARGO_BIN_EXE_styleforge"))
        .args(["stylize", "--style", "./tiny.safetensors", "-o", "out/"])
        .arg(OsStr::from_bytes(b"caf\xe9.png"))
        .output();
    Run::from(output.expect("starts")).ends(0);
    assert!(name(b"out/caf\xe9-tiny.png").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_nothing_half_written() {
    let s = Sandbox::new();
    s.photo("large.png", 200, 150);
    // A limit on the size of files fails writes as a full disk does, once the signal is ignored.
    let paint = "$STYLEFORGE stylize large.png --style ./tiny.safetensors --device cpu -o";
    s.shell(&format!("trap '' XFSZ; ulimit -f 1; exec {paint} out.bmp"))
        .ends(1)
        .says("out.bmp could not be written");
    let left = s.names(".");
    assert!(
        !left.iter().any(|n| n.contains("out") || n.contains("part")),
        "{left:?}"
    );
    s.shell(&format!("{paint} - > /dev/full"))
        .ends(1)
        .says("the disk is full");
}

#[cfg(unix)]
#[test]
fn a_closed_pipe_is_no_panic() {
    let s = Sandbox::new();
    s.photo("large.png", 300, 200);
    let run = s.shell(
        "($STYLEFORGE stylize large.png --style ./tiny.safetensors --device cpu --format bmp -o -; \
         echo code $? >&2) | head -c 10 > /dev/null",
    );
    run.says("code 1")
        .ends(0)
        .says("standard output was closed");
    let run = s.shell("($STYLEFORGE completions bash; echo code $? >&2) | true");
    run.ends(0).says("code 0");
}

#[cfg(unix)]
#[test]
fn an_interrupt_stops_between_whole_files() {
    let s = Sandbox::new();
    let original = s.path("in/0000.png");
    s.photo("in/0000.png", 64, 64);
    let count = 400;
    for i in 1..count {
        fs::copy(&original, s.path(format!("in/{i:04}.png"))).expect("copied");
    }
    let mut child = s
        .command(env!("CARGO_BIN_EXE_styleforge"))
        .args([
            "stylize",
            "in",
            "--style",
            "./tiny.safetensors",
            "-o",
            "out",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    lines.next().expect("a first file").expect("text");
    let kill = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(kill.expect("kill").success());
    lines.for_each(drop);
    assert_eq!(child.wait().expect("ends").code(), Some(130));
    let names = s.names("out");
    assert!(
        !names.is_empty() && names.len() < count,
        "{} files",
        names.len()
    );
    assert!(names.iter().all(|n| n.ends_with("-tiny.png")), "{names:?}");
    for name in names {
        assert_eq!(s.read(&format!("out/{name}")).width(), 64);
    }
}

// ---------------------------------------------------------------- the other commands

#[test]
fn help_explains_the_exit_codes() {
    let s = Sandbox::new();
    for arguments in [&["--help"][..], &["stylize", "--help"]] {
        let text = s.styleforge(arguments).ends(0).text();
        for part in [
            "Exit codes",
            "0    everything",
            "1    some",
            "2    wrong use",
            "130",
        ] {
            assert!(text.contains(part), "no '{part}' in:\n{text}");
        }
    }
    let version = s.styleforge(&["--version"]).ends(0).text();
    assert_eq!(
        version.trim(),
        concat!("styleforge ", env!("CARGO_PKG_VERSION"))
    );
    s.styleforge(&["stylise"])
        .ends(2)
        .says("neither a command nor a photo");
    s.styleforge(&["bench", "--no-such-flag"]).ends(2);
}

#[test]
fn an_imported_style_is_listed_and_paints() {
    let s = Sandbox::new();
    s.styleforge(&["styles", "import", "tiny.safetensors", "--name", "My Own"])
        .ends(0);
    let list = s.styleforge(&["styles", "--json"]).ends(0).json();
    let styles = list["styles"].as_array().expect("a list");
    let own = styles
        .iter()
        .find(|style| style["id"] == "my_own")
        .expect("listed");
    assert_eq!(
        (&own["title"], &own["origin"]["kind"]),
        (&"My Own".into(), &"user".into())
    );
    assert_eq!(own["models"], serde_json::json!(["full"]));
    assert!(s.styleforge(&["styles"]).ends(0).text().contains("my_own"));
    s.styleforge(&["stylize", "photo.png", "--style", "my own", "-o", "out.png"])
        .ends(0);
    s.styleforge(&["styles", "import", "tiny.safetensors", "--name", "My Own"])
        .ends(1)
        .says("already a style");
    s.styleforge(&["styles", "import", "photo.png"])
        .ends(1)
        .says("photo.png");
}

#[test]
fn bench_reports_everything_a_number_needs() {
    let s = Sandbox::new();
    let run = s.styleforge(&[
        "bench",
        "--style",
        "./tiny.safetensors",
        "--size",
        "24x16",
        "--size",
        "9x7",
        "--frames",
        "3",
        "--warmup",
        "1",
        "--steps",
        "--json",
        "--device",
        "cpu",
        "--threads",
        "1",
    ]);
    let report = run.ends(0).json();
    let results = report["results"].as_array().expect("results");
    assert_eq!(results.len(), 4, "two sizes, two variants");
    for result in results {
        for key in ["median_ms", "p50_ms", "p95_ms", "p99_ms", "fps", "gflops"] {
            assert!(result[key].as_f64().expect(key) > 0.0, "{key}");
        }
        for key in ["peak_memory_bytes", "planned_memory_bytes"] {
            assert!(result[key].as_u64().expect(key) > 0, "{key}");
        }
        assert_eq!(result["median_ms"], result["p50_ms"]);
        assert_eq!(result["device"], "cpu");
        assert_eq!(result["method"], "host");
        assert_eq!(
            (&result["frames"], &result["warmup_frames"]),
            (&3.into(), &1.into())
        );
        let mode = format!("{} fp32", result["variant"].as_str().expect("variant"));
        assert_eq!(result["mode"], mode);
    }
    assert_eq!(results[0]["size"], "24x16");
    assert!(results[0]["largest_difference_levels"].is_null());
    assert!(
        results[1]["largest_difference_levels"]
            .as_u64()
            .expect("compared")
            <= 1
    );
    let text = s.styleforge(&["bench", "--size", "8x8", "--frames", "1", "--model", "lite"]);
    assert!(text.ends(0).text().contains("8x8"));
    s.styleforge(&["bench", "--size", "8"]).ends(2);
}

#[test]
fn doctor_gives_verdicts_and_advice() {
    let s = Sandbox::new();
    s.styleforge(&["styles", "import", "tiny.safetensors"])
        .ends(0);
    let report = s.styleforge(&["doctor", "--json"]).ends(0).json();
    let findings = report["findings"].as_array().expect("findings");
    let topics: Vec<_> = findings
        .iter()
        .map(|f| f["topic"].as_str().expect("topic"))
        .collect();
    for topic in [
        "Processor",
        "Memory",
        "Graphics card",
        "Cameras",
        "Display",
        "Styles",
    ] {
        assert!(topics.contains(&topic), "{topic} in {topics:?}");
    }
    for finding in findings {
        let verdict = finding["verdict"].as_str().expect("verdict");
        assert!(["ok", "note", "problem"].contains(&verdict), "{finding}");
        assert_eq!(finding["advice"].is_null(), verdict == "ok", "{finding}");
    }
    let display = findings
        .iter()
        .find(|f| f["topic"] == "Display")
        .expect("display");
    if cfg!(target_os = "linux") {
        assert_eq!(display["verdict"], "note");
    }
    assert!(
        s.styleforge(&["doctor"])
            .ends(0)
            .text()
            .contains("Graphics card")
    );
}

#[test]
fn check_finds_the_backend_right() {
    let s = Sandbox::new();
    let report = s
        .styleforge(&["check", "--json", "--device", "cpu"])
        .ends(0)
        .json();
    assert_eq!(report["passed"], true);
    let checks = report["checks"].as_array().expect("checks");
    assert!(checks.len() >= 80, "{} checks", checks.len());
    for variant in ["baseline", "fused"] {
        assert!(
            checks
                .iter()
                .any(|c| c["variant"] == variant && c["picture"] == "noise 1 x 1")
        );
    }
}

#[test]
fn inspect_tells_what_is_inside_and_why_not() {
    let s = Sandbox::new();
    let report = s
        .styleforge(&["inspect", "tiny.safetensors", "--json"])
        .ends(0)
        .json();
    assert_eq!(report["widths"], serde_json::json!([2, 3, 4]));
    assert_eq!(
        (&report["blocks"], &report["refused"]),
        (&1.into(), &Value::Null)
    );
    let text = s
        .styleforge(&["inspect", "tiny.safetensors"])
        .ends(0)
        .text();
    assert!(
        text.contains("2-3-4") && text.contains("deconv3.conv2d.weight"),
        "{text}"
    );
    let run = s.styleforge(&["inspect", "photo.png", "--json"]).ends(1);
    assert!(run.json()["refused"].is_string());
    run.says("photo.png cannot be used");
    s.styleforge(&["inspect", "missing.pth"])
        .ends(1)
        .says("missing.pth");
}

#[test]
fn completions_for_every_shell() {
    let s = Sandbox::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = s.styleforge(&["completions", shell]).ends(0).text();
        assert!(script.contains("keep-colors"), "{shell}");
    }
    s.styleforge(&["completions", "tcsh-9"]).ends(2);
}

#[cfg(target_os = "linux")]
#[test]
fn without_a_display_the_sample_is_painted() {
    let s = Sandbox::new();
    fs::write(s.path("styleforge-sample.png"), "somebody's own file").expect("file");
    let run = s
        .styleforge(&[])
        .ends(0)
        .says("No window: there is no display");
    assert!(
        run.text().contains("styleforge-sample-2.png"),
        "{}",
        run.text()
    );
    let sheet = s.read("styleforge-sample-2.png");
    assert!(sheet.pixel_count() > 10_000);
    let own = fs::read(s.path("styleforge-sample.png")).expect("there");
    assert_eq!(own, b"somebody's own file");
    s.styleforge(&["photo.png"])
        .ends(1)
        .says("styleforge stylize");
}

#[cfg(unix)]
#[test]
fn a_display_that_does_not_answer_is_none() {
    let s = Sandbox::new();
    let mut command = s.command(env!("CARGO_BIN_EXE_styleforge"));
    let output = command.env("DISPLAY", ":4242").arg("photo.png").output();
    if cfg!(target_os = "linux") {
        Run::from(output.expect("starts"))
            .ends(1)
            .says("X11 :4242 does not answer");
    }
}

#[test]
fn nothing_is_read_from_a_closed_standard_input() {
    let s = Sandbox::new();
    let mut child = s
        .command(env!("CARGO_BIN_EXE_styleforge"))
        .args([
            "stylize",
            "-",
            "--style",
            "./tiny.safetensors",
            "-o",
            "out.png",
        ])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    child
        .stdin
        .take()
        .expect("piped")
        .write_all(b"")
        .expect("nothing");
    let output = child.wait_with_output().expect("ends");
    Run::from(output).ends(1).says("it is empty");
}
