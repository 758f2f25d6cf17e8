//! All other commands, the help, and the program without arguments and without a display.

use std::fs;

use serde_json::Value;
use values::frame::PictureDifference;

use crate::sandbox::{Run, Sandbox};

#[test]
fn help_explains_the_exit_codes() {
    let s = Sandbox::new();
    for arguments in [&["--help"][..], &["stylize", "--help"]] {
        let text = s.styleforge(arguments).ends(0).text();
        for part in [
            "Exit codes",
            "0    everything",
            "1    some",
            "styles import or inspect refused the file",
            "2    nothing was done: usage error",
            "130",
        ] {
            assert!(text.contains(part), "no '{part}' in:\n{text}");
        }
    }
    let version = s.styleforge(&["--version"]).ends(0).text();
    assert_eq!(version.trim(), concat!("styleforge ", env!("CARGO_PKG_VERSION")));
    s.styleforge(&["stylise"])
        .ends(2)
        .says("stylise not found: no such command or file; did you mean stylize?");
    s.styleforge(&["bench", "--no-such-flag"]).ends(2);
}

#[test]
fn the_licences_of_the_program_and_its_parts_are_printed() {
    let s = Sandbox::new();
    let text = s.styleforge(&["licences"]).ends(0).text();
    for part in [
        include_str!("../../LICENSE-MIT"),
        include_str!("../../LICENSE-APACHE"),
        include_str!("../../THIRD-PARTY-LICENSES.txt"),
    ] {
        assert!(text.contains(part));
    }
    let manifest = include_str!("../../Cargo.toml");
    let (_, parts) = manifest.split_once("\n[workspace.dependencies]\n").expect("a table");
    let (parts, _) = parts.split_once("\n[").expect("its end");
    // Not our own crates, and not what only tests use.
    let parts = parts.lines().filter_map(|line| line.split_once(" = "));
    let parts = parts.filter(|(_, about)| !about.contains("path = ")).map(|(name, _)| name);
    let missing: Vec<_> = parts.filter(|name| !text.contains(&format!("\n{name} "))).collect();
    // Those that only tests use, and one of Windows: the list is that of Linux.
    assert_eq!(missing, ["egui_kittest", "libtest-mimic", "proptest", "tar", "windows-sys"]);
    for letters in [
        "UBUNTU FONT LICENCE Version 1.0",
        "Source Foundry Authors",
        "Bitstream Vera",
        "John Slegers",
    ] {
        assert!(text.contains(letters), "no {letters}");
    }
    assert_eq!(s.styleforge(&["licenses"]).ends(0).text(), text);
}

#[test]
fn an_imported_style_is_listed_and_paints() {
    let s = Sandbox::new();
    s.styleforge(&["styles", "import", "tiny.safetensors", "--name", "My Own"]).ends(0);
    let list = s.styleforge(&["styles", "--json"]).ends(0).json();
    let styles = list["styles"].as_array().expect("a list");
    let own = styles.iter().find(|style| style["id"] == "my_own").expect("listed");
    assert_eq!((&own["title"], &own["origin"]["kind"]), (&"My Own".into(), &"user".into()));
    assert_eq!(own["models"], serde_json::json!(["lite"]), "by its widths");
    let listed = s.styleforge(&["styles"]).ends(0).text();
    assert!(listed.contains("my_own"));
    assert_eq!(s.styleforge(&["styles", "list"]).ends(0).text(), listed);
    let named = s.styleforge(&["styles", "list", "--json"]).ends(0).json();
    assert_eq!(named, list);
    s.styleforge(&["stylize", "photo.png", "--style", "my own", "-o", "out.png"]).ends(0);
    s.styleforge(&["styles", "import", "tiny.safetensors", "--name", "My Own"])
        .ends(1)
        .says("already a style");
    // As other systems write it, and as the list and keyboards do.
    let [apart, whole] = ["Cafe\u{301} cre\u{300}me", "Caf\u{e9} cr\u{e8}me"];
    s.styleforge(&["styles", "import", "tiny.safetensors", "--name", apart]).ends(0);
    let listed = s.styleforge(&["styles"]).ends(0).text();
    assert!(listed.contains("caf\u{e9}_cr\u{e8}me") && listed.contains(apart), "{listed}");
    for name in [apart, whole, "CAF\u{c9}-cre\u{300}me"] {
        s.styleforge(&["stylize", "photo.png", "--style", name, "-o", "out.png", "--force"])
            .ends(0);
    }
    s.styleforge(&["styles", "remove", whole]).ends(0);
    fs::write(s.path("notes.pth"), "no weights").expect("written");
    s.styleforge(&["styles", "import", "notes.pth"]).ends(1).says("notes.pth");
    s.styleforge(&["styles", "import", "missing.pth"]).ends(2).says("missing.pth");
}

#[test]
fn an_own_style_is_renamed_and_removed_and_no_other() {
    let s = Sandbox::new();
    let import = ["styles", "import", "tiny.safetensors", "--name", "My Own"];
    s.styleforge(&import).ends(0);
    s.styleforge(&["styles", "rename", "candy", "Toffee"])
        .ends(2)
        .says("Candy is a built-in style");
    let renamed = s.styleforge(&["styles", "rename", "my own", "Blue Hour"]).ends(0).text();
    assert!(renamed.contains("--style blue_hour"), "{renamed}");
    s.styleforge(&["stylize", "photo.png", "--style", "blue hour", "-o", "out.png"]).ends(0);
    s.styleforge(&["styles", "rename", "blue hour", "My Own"]).ends(0);
    let gone = s.styleforge(&["styles", "remove", "my own"]).ends(0).text();
    assert!(gone.contains("my_own"), "{gone}");
    let list = s.styleforge(&["styles"]).ends(0).text();
    assert!(!list.contains("my_own"), "{list}");
    assert!(s.names("home/.local/share/styleforge/styles").is_empty());
    s.styleforge(&["styles", "remove", "my own"]).ends(2).says("no style is named my own");
    s.styleforge(&["styles", "remove", "candy"]).ends(2).says("Candy is a built-in style");
    assert!(s.styleforge(&["styles"]).ends(0).text().contains("candy"));
    s.styleforge(&import).ends(0);
}

#[cfg(target_os = "linux")]
#[test]
fn styles_live_where_the_persons_data_do() {
    let s = Sandbox::new();
    let run = |arguments: &[&str]| {
        let mut command = s.command(env!("CARGO_BIN_EXE_styleforge"));
        command.env("XDG_DATA_HOME", s.path("data"));
        Run::from(command.args(arguments).output().expect("it starts"))
    };
    run(&["styles", "import", "tiny.safetensors", "--name", "My Own"]).ends(0);
    assert_eq!(s.names("data/styleforge/styles").len(), 1);
    assert!(!s.path("home/.local").exists());
    assert!(run(&["styles"]).ends(0).text().contains("my_own"));
    assert!(!s.styleforge(&["styles"]).ends(0).text().contains("my_own"));
}

#[test]
fn doctor_prints_verdicts_and_advice() {
    let s = Sandbox::new();
    s.styleforge(&["styles", "import", "tiny.safetensors"]).ends(0);
    let report = s.styleforge(&["doctor", "--json"]).ends(0).json();
    let findings = report["findings"].as_array().expect("findings");
    let topics: Vec<_> = findings.iter().map(|f| f["topic"].as_str().expect("topic")).collect();
    for topic in ["Processor", "Memory", "Graphics card", "Cameras", "Display", "Styles"] {
        assert!(topics.contains(&topic), "{topic} in {topics:?}");
    }
    for finding in findings {
        let verdict = finding["verdict"].as_str().expect("verdict");
        assert!(["ok", "note", "problem"].contains(&verdict), "{finding}");
        assert_eq!(finding["advice"].is_null(), verdict == "ok", "{finding}");
    }
    let display = findings.iter().find(|f| f["topic"] == "Display").expect("display");
    if cfg!(target_os = "linux") {
        assert_eq!(display["verdict"], "note");
    }
    assert!(s.styleforge(&["doctor"]).ends(0).text().contains("Graphics card"));
}

#[test]
fn check_finds_the_backend_right_and_names_a_broken_style() {
    let s = Sandbox::new();
    let folder = s.path("home/.local/share/styleforge/styles");
    fs::create_dir_all(&folder).expect("folder");
    fs::write(folder.join("broken.pth"), "no weights").expect("file");
    let run =
        s.styleforge(&["check", "--json", "--device", "cpu"]).ends(1).says("skipped broken full");
    let report = run.json();
    assert_eq!(report["passed"], false);
    assert_eq!(report["left_out"].as_array().map(Vec::len), Some(1));
    let checks = report["checks"].as_array().expect("checks");
    assert!(checks.len() >= 80, "{} checks", checks.len());
    assert!(checks.iter().all(|check| check["passed"] == true), "{checks:?}");
    for variant in ["baseline", "fused"] {
        assert!(
            checks
                .iter()
                .any(|c| c["mode"] == format!("{variant} fp32") && c["picture"] == "noise 1 x 1")
        );
    }
    // Of the plain networks for style pictures, the CPU checks only those that are quick.
    let is_checked = |name: &str| {
        let name = format!("{name}, the sample as its style");
        checks.iter().any(|check| check["network"] == name)
    };
    let plain = ["nano", "small", "base", "large"].map(is_checked);
    assert_eq!(plain, [true, true, false, false]);
    assert!(is_checked("any"));
    let kernels = report["kernels"].as_array().expect("kernels");
    assert!(kernels.iter().all(|kernel| kernel["passed"] == true), "{kernels:?}");
    for (variant, work) in [("baseline", "norm"), ("fused", "statistics")] {
        assert!(
            kernels.iter().any(|k| k["mode"] == format!("{variant} fp32") && k["work"] == work)
        );
    }
    assert!(kernels.iter().any(|k| k["inputs"] == "mean 1000, deviation 1"));
}

#[cfg(unix)]
#[test]
fn styles_that_are_named_are_checked_alone() {
    let s = Sandbox::new();
    let check = ["check", "--json", "--device", "cpu", "--variant", "fused", "--precision", "fp32"];
    let report = s
        .styleforge(&[&check[..], &["--style", "candy", "--style", "tiny.safetensors"]].concat())
        .ends(0)
        .says("Checking candy full (the default)…")
        .json();
    s.style("opt/share/styleforge/styles/night/lite.safetensors", &[]);
    s.copy_of_styleforge("opt/bin/styleforge", &[&check[..], &["--style", "night"]].concat())
        .ends(0)
        .says("note: Night: its lite model is used, the full one is not installed")
        .says("Checking night lite (there is no full one)…");
    let checks = report["checks"].as_array().expect("checks");
    let names: Vec<&Value> = checks.iter().map(|check| &check["network"]).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(
        names.iter().any(|name| name.as_str().is_some_and(|n| n.starts_with("candy"))),
        "{names:?}"
    );
    assert!(checks.iter().all(|check| check["passed"] == true), "{checks:?}");
    assert_eq!(report["kernels"], serde_json::json!([]));
    let batch = [&check[..], &["--style", "tiny.safetensors", "--batch", "2"]].concat();
    assert_eq!(s.styleforge(&batch).ends(0).json()["passed"], true);
    s.styleforge(&[&check[..], &["--style", "nosuch"]].concat()).ends(2).says("nosuch");
    s.styleforge(&[&check[..], &["--style", "candy", "--style-picture", "photo.png"]].concat())
        .ends(2)
        .says("--style-picture");
}

#[test]
fn inspect_reports_the_contents_or_the_error() {
    let s = Sandbox::new();
    let report = s.styleforge(&["inspect", "tiny.safetensors", "--json"]).ends(0).json();
    assert_eq!(report["widths"], serde_json::json!([2, 3, 4]));
    assert_eq!((&report["blocks"], &report["refused"]), (&1.into(), &Value::Null));
    let text = s.styleforge(&["inspect", "tiny.safetensors"]).ends(0).text();
    assert!(text.contains("2-3-4") && text.contains("deconv3.conv2d.weight"), "{text}");
    let run = s.styleforge(&["inspect", "photo.png", "--json"]).ends(1);
    assert!(run.json()["refused"].is_string());
    run.says("photo.png cannot be used");
    let run = s.styleforge(&["inspect", "missing.pth"]).ends(2);
    assert_eq!(run.stderr.matches("missing.pth").count(), 1, "{run:?}");
    s.styleforge(&["inspect", "home"]).ends(2).says("home is a folder");
    if cfg!(unix) {
        let run = s.styleforge(&["inspect", "/dev/zero"]).ends(2);
        assert_eq!(run.text(), "", "there is nothing to tell");
        run.says("/dev/zero is not a regular file");
    }
}

#[test]
fn completions_for_every_shell() {
    let s = Sandbox::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = s.styleforge(&["completions", shell]).ends(0).text();
        assert!(script.contains("keep-colors"), "{shell}");
        let suggests_values = matches!(shell, "bash" | "zsh" | "fish");
        assert_eq!(script.contains("rain_princess"), suggests_values, "{shell}");
        // Help names some codecs, too.
        for value in ["prores", "ffv1"].into_iter().filter(|_| suggests_values) {
            assert!(script.contains(value), "{shell}: {value}");
        }
    }
    s.styleforge(&["completions", "tcsh-9"]).ends(2);
}

#[test]
fn manual_pages_of_every_command() {
    let s = Sandbox::new();
    let pages = s.styleforge(&["manual-pages"]).ends(0).text();
    for page in ["styleforge", "styleforge-stylize", "styleforge-styles-import"] {
        assert!(pages.contains(&format!("\n.TH {page} 1 ")), "{page}");
    }
    let help = s.styleforge(&["--help"]).ends(0).text();
    let listed =
        help.split_once("Commands:").expect("a list").1.split_once("\n\n").expect("an end").0;
    let commands = listed.lines().filter_map(|line| line.split_whitespace().next());
    for command in commands.filter(|command| *command != "help") {
        assert!(pages.contains(&format!("\n.TH styleforge-{command} 1 ")), "{command}");
    }
    assert!(!listed.contains("manual-pages"), "it is for packages");
    let name = "\n.SH NAME\nstyleforge \\- Paints photos, videos and live video in the style of a picture\n.SH";
    assert!(pages.contains(name), "one line");
}

#[cfg(target_os = "linux")]
#[test]
fn without_a_display_the_sample_is_painted() {
    let s = Sandbox::new();
    fs::write(s.path("styleforge-sample.png"), "the user's own file").expect("file");
    let run = s.styleforge(&[]).ends(0).says("No window: no display");
    assert!(run.text().contains("styleforge-sample-2.png"), "{}", run.text());
    let sheet = s.read("styleforge-sample-2.png");
    // The photo and six styles, in two rows of cells with margins of 8 pixels and titles of 34.
    let (width, height) = ((sheet.width() - 8) / 4 - 8, (sheet.height() - 8) / 2 - 8 - 34);
    assert_eq!(width.max(height), 480);
    let cells: Vec<_> = (0..7)
        .map(|i| {
            let (left, top) = (8 + i % 4 * (width + 8), 8 + i / 4 * (height + 34 + 8));
            sheet.crop(left, top, width, height)
        })
        .collect();
    for (i, a) in cells.iter().enumerate() {
        for (j, b) in cells.iter().enumerate().skip(i + 1) {
            let d = PictureDifference::between(a, b).expect("one size");
            assert!(d.mean > 10.0, "cells {i} and {j} differ by {}", d.mean);
        }
    }
    for style in ["Candy", "Mosaic", "Udnie", "Rain Princess", "Starry Night", "Great Wave"] {
        assert!(run.text().contains(style), "{style} in {}", run.text());
    }
    let own = fs::read(s.path("styleforge-sample.png")).expect("there");
    assert_eq!(own, b"the user's own file");
    s.styleforge(&["photo.png"]).ends(1).says("styleforge stylize");
}

#[cfg(unix)]
#[test]
fn a_display_that_does_not_answer_counts_as_missing() {
    let s = Sandbox::new();
    let mut command = s.command(env!("CARGO_BIN_EXE_styleforge"));
    let output = command.env("DISPLAY", ":4242").arg("photo.png").output();
    if cfg!(target_os = "linux") {
        Run::from(output.expect("starts")).ends(1).says("X11 :4242 does not answer");
    }
}

#[test]
fn inspect_takes_the_name_of_a_style() {
    let s = Sandbox::new();
    let report = s.styleforge(&["inspect", "rain princess", "--json"]).ends(0);
    assert_eq!(report.json()["refused"], Value::Null);
    let lite = ["inspect", "candy", "--model", "lite"];
    let json = s.styleforge(&[&lite[..], &["--json"]].concat()).ends(0).json();
    assert_eq!(json["widths"], serde_json::json!([16, 32, 64]));
    // Only the JSON report contains the full training metadata.
    let metadata = json["metadata"].as_object().expect("free text");
    let longest = metadata.values().filter_map(Value::as_str).map(str::len).max();
    assert!(longest > Some(1000), "{longest:?}");
    let text = s.styleforge(&lite).ends(0).text();
    let longest = text.lines().map(str::len).max();
    assert!(longest < Some(300), "{longest:?} in:\n{text}");
    assert!(text.contains("--json shows all"), "{text}");
    s.styleforge(&["inspect", "nonesuch"]).ends(2).says("neither a style nor a file");
    s.styleforge(&["inspect", "tiny.safetensors", "--model", "full"]).ends(2).says("--model");
}

#[test]
fn more_threads_than_any_machine_has_are_refused() {
    let s = Sandbox::new();
    for variable in ["RAYON_NUM_THREADS", "RAYON_RS_NUM_CPUS"] {
        let mut command = s.command(env!("CARGO_BIN_EXE_styleforge"));
        command.args(["stylize", "--style", "./tiny.safetensors", "photo.png", "-o", "out.png"]);
        let run = Run::from(command.env(variable, "20000").output().expect("starts"));
        run.ends(2)
            .says(&format!("{variable} requests 20000 threads, and at most 1024 are started"));
    }
    s.stylize(&["--threads", "20000", "photo.png", "-o", "out.png"]).ends(2);
    assert!(!s.path("out.png").exists());
}
