//! Foreign text (titles, tensors, file names, arguments) reaches the terminal escaped.

use std::fs;

use crate::sandbox::{Run, Sandbox, is_odd};

/// Everything that a terminal acts on or that changes the text direction, and a forged line of output.
const HOSTILE: &str = "x\u{1b}]0;owned\u{7}\u{1b}[31m\u{9b}2J\r\u{8}\u{7f}\u{61c}\u{200e}\u{200f}\
                       \u{2028}\u{2029}\u{202e}\u{2066}\u{2069}\nerror: forged";
/// The parts of it that cannot occur in a terminal's own output.
const TURNED: &str = "\u{1b}]0;owned\u{7}\u{9b}2J\u{7f}\u{202e}";

impl Run {
    /// Checks that no line of either stream begins with foreign text.
    #[track_caller]
    fn forges_nothing(self) -> Self {
        let lines = self.text() + "\n" + &self.stderr;
        let forged = lines.lines().find(|l| l.trim_start().starts_with("error: forged"));
        assert_eq!(forged, None, "{lines}");
        self.shows_plain_lines()
    }
}

#[test]
fn a_styles_own_words_are_escaped() {
    let s = Sandbox::new();
    let words = ["title", "artist", "painting", "year", "license", HOSTILE];
    s.style("own.safetensors", &words.map(|key| (key, HOSTILE)));
    let import = ["styles", "import", "own.safetensors", "--name"];
    s.styleforge(&[&import[..3], &[]].concat()).ends(0).forges_nothing();
    s.styleforge(&[&import[..], &["Blue"]].concat()).ends(0);
    let listed = s.styleforge(&["styles"]).ends(0).forges_nothing().text();
    assert!(listed.contains("\\u{1b}]0;owned"), "{listed}");
    assert_eq!(listed.lines().count(), 1 + 6 + 2, "{listed}");
    let report = s.styleforge(&["styles", "--json"]).ends(0).forges_nothing();
    let json = report.json();
    let blue =
        json["styles"].as_array().expect("styles").iter().find(|style| style["id"] == "blue");
    let artist = blue.expect("listed")["credit"]["artist"].as_str();
    assert!(artist.is_some_and(|a| a.contains("owned")), "{artist:?}");
    let text = s.styleforge(&["inspect", "own.safetensors"]).ends(0).forges_nothing().text();
    assert!(text.contains("\\u{1b}]0;owned"), "{text}");
    let json =
        s.styleforge(&["inspect", "own.safetensors", "--json"]).ends(0).forges_nothing().json();
    assert_eq!(json["metadata"][HOSTILE], HOSTILE, "nothing is lost");
    s.styleforge(&["styles", "import", "own.safetensors", "--name", HOSTILE])
        .ends(1)
        .forges_nothing();
    s.styleforge(&["styles", "remove", HOSTILE]).ends(0).forges_nothing();
}

#[test]
fn a_tensors_name_is_escaped() {
    let s = Sandbox::new();
    let name =
        serde_json::json!({ HOSTILE: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} });
    let header = name.to_string();
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend([0; 4]);
    fs::write(s.path("odd.safetensors"), bytes).expect("written");
    for json in [&[][..], &["--json"]] {
        s.styleforge(&[&["inspect", "odd.safetensors"], json].concat()).ends(1).forges_nothing();
    }
    s.styleforge(&["styles", "import", "odd.safetensors"]).ends(1).forges_nothing();
}

#[cfg(unix)]
#[test]
fn names_of_files_and_folders_are_escaped() {
    let s = Sandbox::new();
    let photo = format!("{HOSTILE}.png");
    let weights = format!("./{HOSTILE}.safetensors");
    s.photo(&photo, 24, 16);
    fs::copy(s.path("tiny.safetensors"), s.path(&weights)).expect("copied");
    let folder = format!("{HOSTILE}/");
    s.stylize(&[&photo, "-o", &folder]).ends(0).forges_nothing();
    s.stylize(&[&photo, "-o", &folder]).ends(1).forges_nothing();
    s.stylize(&[&format!("{HOSTILE} is not there.png"), "-o", "out/"]).ends(2).forges_nothing();
    s.styleforge(&["inspect", HOSTILE]).ends(2).forges_nothing();
    s.styleforge(&["inspect", &weights]).ends(0).forges_nothing();
    let bench = ["bench", "--style", &weights, "--size", "16x16", "--frames", "1"];
    s.styleforge(&bench).ends(0).forges_nothing();
    let compare = ["compare", "--style", &weights, "--size", "16x16", "--frames", "1"];
    let modes = ["baseline fp32", "fused fp32"];
    s.styleforge(&[&compare[..], &modes].concat()).forges_nothing();
    s.styleforge(&[&compare[..], &["--json"], &modes].concat()).forges_nothing().json();
    for source in [photo.as_str(), HOSTILE, &format!("camera:{HOSTILE}")] {
        let live = ["live", "--source", source, "--style", &weights, "--seconds", "0.2"];
        let json = [&live[..], &["--json"]].concat();
        s.styleforge(&live).forges_nothing();
        s.styleforge(&json).forges_nothing();
    }
}

#[cfg(unix)]
#[test]
fn names_that_are_no_text_and_the_environment_are_escaped() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

    let s = Sandbox::new();
    let odd = OsStr::from_bytes(b"\x1b]0;owned\x07\xff\x9b2J\nerror: forged.png");
    fs::copy(s.path("photo.png"), s.path(odd)).expect("copied");
    for arguments in [
        &["stylize", "--style", "./tiny.safetensors", "-o", "out/"][..],
        &["inspect"],
        &["stylise"],
    ] {
        let mut command = s.command(env!("CARGO_BIN_EXE_styleforge"));
        let output = command.args(arguments).arg(odd).output();
        Run::from(output.expect("starts")).forges_nothing();
    }
    for json in [&[][..], &["--json"]] {
        let mut command = s.command(env!("CARGO_BIN_EXE_styleforge"));
        command
            .env("XDG_DATA_HOME", s.path(HOSTILE))
            .env("DISPLAY", format!("{HOSTILE}:7"))
            .arg("doctor")
            .args(json);
        Run::from(command.output().expect("starts")).ends(0).forges_nothing();
    }
}

#[test]
fn arguments_that_are_refused_are_escaped() {
    let s = Sandbox::new();
    for arguments in [
        &[HOSTILE][..],
        &["bench", &format!("--{HOSTILE}")],
        &["bench", HOSTILE],
        &["bench", "--device", HOSTILE],
        &["bench", "--frames", HOSTILE],
        &["bench", "--size", HOSTILE],
        &["live", "--fps", HOSTILE],
        &["compare", HOSTILE, "fused"],
        &["completions", HOSTILE],
        &["stylize", "photo.png", "--style", HOSTILE, "-o", "x.png"],
    ] {
        let run = s.styleforge(arguments).ends(2).forges_nothing();
        if arguments != ["compare", HOSTILE, "fused"] {
            run.says("\\u{1b}]0;owned");
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_bar_shows_names_escaped() {
    let s = Sandbox::new();
    let names = [format!("a{TURNED}.png"), format!("b{TURNED}.png")];
    for name in &names {
        s.photo(name, 400, 300);
    }
    let output = s.on_a_terminal(&[
        "stylize",
        &names[0],
        &names[1],
        "--style",
        "./tiny.safetensors",
        "-o",
        "out",
        "--threads",
        "1",
    ]);
    // The progress bar's own codes go to the terminal: colours, columns and lines.
    assert!(!output.contains("\u{1b}]") && !output.contains('\u{7}'), "{output:?}");
    let own = ['\u{1b}', '\r', '\n'];
    let odd: Vec<char> = output.chars().filter(|c| is_odd(*c) && !own.contains(c)).collect();
    assert!(odd.is_empty(), "{odd:?} in {output:?}");
}

#[test]
fn long_words_are_cut_and_kill_nothing() {
    let s = Sandbox::new();
    let long = "Wave ".repeat(20_000);
    let words = ["title", "artist", "painting", &long];
    s.style("long.safetensors", &words.map(|key| (key, long.as_str())));
    s.styleforge(&["styles", "import", "long.safetensors"]).ends(0);
    for command in ["styles", "doctor"] {
        let text = s.styleforge(&[command]).ends(0).text();
        let longest = text.lines().map(|line| line.chars().count()).max();
        assert!(longest < Some(1000), "{longest:?} in {command}");
    }
    let text = s.styleforge(&["inspect", "long.safetensors"]).ends(0).text();
    let longest = text.lines().map(|line| line.chars().count()).max();
    assert!(longest < Some(1000), "{longest:?}");
    let json = s.styleforge(&["styles", "--json"]).ends(0).json();
    let styles = json["styles"].as_array().expect("styles");
    let own = styles.iter().find(|style| style["origin"]["kind"] == "user").expect("imported");
    for word in [&own["title"], &own["credit"]["artist"]] {
        let chars = word.as_str().map(|word| word.chars().count());
        assert!((100..=200).contains(&chars.expect("a text")), "{chars:?}");
    }
}
