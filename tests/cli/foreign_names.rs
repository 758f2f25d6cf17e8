//! File names that are not text, in every machine-readable report that shows them.

use std::{
    ffi::{OsStr, OsString},
    fs,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::PathBuf,
};

use crate::sandbox::{Run, Sandbox};

/// A name that begins with `begin` and continues with a byte that is not valid UTF-8.
fn foreign(begin: &str, end: &str) -> PathBuf {
    PathBuf::from(OsString::from_vec([begin.as_bytes(), b"\xff", end.as_bytes()].concat()))
}

fn run(s: &Sandbox, arguments: &[&OsStr]) -> Run {
    let mut command = s.command(env!("CARGO_BIN_EXE_styleforge"));
    Run::from(command.args(arguments).output().expect("the program starts"))
}

/// The path that a report shows as text and as bytes.
fn shown_path(text: &serde_json::Value, bytes: &serde_json::Value) -> PathBuf {
    assert!(text.as_str().expect("text").contains('\u{fffd}'), "{text}");
    let digits = bytes.as_str().expect("digits").as_bytes().chunks(2);
    let byte = |pair: &[u8]| {
        let pair = std::str::from_utf8(pair).expect("digits");
        u8::from_str_radix(pair, 16).expect("digits")
    };
    PathBuf::from(OsString::from_vec(digits.map(byte).collect()))
}

#[test]
fn reports_show_names_that_are_not_text() {
    let s = Sandbox::new();
    let style = foreign("./style", ".safetensors");
    fs::copy(s.path("tiny.safetensors"), s.path(&style)).expect("copied");
    let report = run(&s, &["inspect".as_ref(), style.as_ref(), "--json".as_ref()]).ends(0).json();
    assert_eq!(shown_path(&report["path"], &report["path_bytes"]), style);
    // One file that is refused, and one whose name is text.
    let broken = foreign("broken", ".pth");
    fs::write(s.path(&broken), b"no weights").expect("written");
    let report = run(&s, &["inspect".as_ref(), broken.as_ref(), "--json".as_ref()]).ends(1).json();
    assert_eq!(shown_path(&report["path"], &report["path_bytes"]), broken);
    let report = s.styleforge(&["inspect", "./tiny.safetensors", "--json"]).ends(0).json();
    assert!(report.get("path_bytes").is_none());

    let own = s.path("home/.local/share/styleforge/styles");
    fs::create_dir_all(&own).expect("folder");
    let installed = own.join(foreign("mine", ".safetensors"));
    fs::copy(s.path("tiny.safetensors"), &installed).expect("copied");
    let report = s.styleforge(&["styles", "--json"]).ends(0).json();
    let styles = report["styles"].as_array().expect("styles");
    let (mine, others): (Vec<_>, Vec<_>) =
        styles.iter().partition(|s| s["origin"]["kind"] == "user");
    assert_eq!(shown_path(&mine[0]["origin"]["path"], &mine[0]["path_bytes"]), installed);
    assert!(!others.is_empty() && others.iter().all(|s| s.get("path_bytes").is_none()));
    // The text list of styles continues too, even if it finds invalid names here.
    let doctor = run(&s, &["doctor".as_ref(), "--json".as_ref()]);
    doctor.json();

    let photo = foreign("photo", ".png");
    fs::copy(s.path("photo.png"), s.path(&photo)).expect("copied");
    let live = [
        "live",
        "--style",
        "none",
        "--device",
        "cpu",
        "--threads",
        "1",
        "--seconds",
        "0.5",
        "--json",
        "--source",
    ];
    let live: Vec<&OsStr> = live.iter().map(AsRef::as_ref).chain([photo.as_ref()]).collect();
    let report = run(&s, &live).ends(0).json();
    assert_eq!(shown_path(&report["source"], &report["source_bytes"]), photo);

    for command in [&["bench"][..], &["compare", "baseline", "fused"]] {
        let arguments = [
            "--size",
            "16x16",
            "--frames",
            "1",
            "--warmup",
            "0",
            "--device",
            "cpu",
            "--threads",
            "1",
            "--json",
            "--style",
        ];
        let arguments: Vec<&OsStr> =
            (command.iter().chain(&arguments)).map(AsRef::as_ref).chain([style.as_ref()]).collect();
        let report = run(&s, &arguments).json();
        let text = report.to_string();
        assert!(text.contains("style\u{fffd}"), "{command:?}: {text}");
    }
    let out = foreign("painted", ".png");
    let arguments =
        ["stylize", "--device", "cpu", "--threads", "1", "--style", "./tiny.safetensors", "-o"];
    let arguments: Vec<&OsStr> =
        (arguments.iter().map(AsRef::as_ref)).chain([out.as_ref(), photo.as_ref()]).collect();
    let painted = run(&s, &arguments).ends(0);
    assert!(painted.stdout.starts_with(b"painted"));
    assert_eq!(out.as_os_str().as_bytes(), b"painted\xff.png");
    assert!(s.path(&out).exists());
}
