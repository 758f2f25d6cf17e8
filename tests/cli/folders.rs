//! `styleforge stylize` of many photos: subfolders, names that occur twice, what exists, and reports for programs.

use std::{
    fs,
    path::Path,
    process::Stdio,
    thread::sleep,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    real_time::PATIENCE,
    sandbox::{Run, Sandbox, send},
};

#[test]
fn subfolders_are_painted_into_the_same_subfolders() {
    let s = Sandbox::new();
    for name in ["in/a.png", "in/b/a.png", "in/b/c/d.jpe", "in/out/old.png"] {
        s.photo(name, 9, 8);
    }
    fs::write(s.path("in/b/notes.txt"), "text").expect("written");
    fs::write(s.path("in/.hidden.txt"), "text").expect("written");
    let run = s.stylize(&["in", "--recursive", "-o", "in/out"]).ends(0);
    assert_eq!(s.names("in/out"), ["a-tiny.png", "b", "old.png"]);
    assert_eq!(s.names("in/out/b"), ["a-tiny.png", "c"]);
    assert_eq!(s.names("in/out/b/c"), ["d-tiny.jpg"]);
    let folder = Path::new("in").join("b");
    run.says(&format!("{}: 1 file skipped: notes.txt (not a photo or video)", folder.display()));
}

#[test]
fn a_format_that_is_not_written_becomes_png_with_a_note() {
    let s = Sandbox::new();
    let formats = crate::home::project().join("tests/pictures/formats");
    s.photo("in/c.png", 9, 8);
    for (photo, name) in
        [("lossless.jxl", "in/a.jxl"), ("lossless.jxl", "in/b.JXL"), ("420.avif", "in/d.avif")]
    {
        fs::copy(formats.join(photo), s.path(name)).expect("copied");
    }
    let run = s.stylize(&["in", "-o", "out"]).ends(0);
    run.says("note: paintings of .avif, .jxl photos are written as PNG; choose another format");
    assert_eq!(s.names("out"), ["a-tiny.png", "b-tiny.png", "c-tiny.png", "d-tiny.png"]);
    for arguments in
        [["in", "-o", "jpg", "--format", "jpeg"], ["in/a.jxl", "-o", "a.png", "--format", "png"]]
    {
        let run = s.stylize(&arguments).ends(0);
        assert!(!run.stderr.contains("written as PNG"), "{}", run.stderr);
    }
}

#[test]
fn photos_of_one_name_get_numbers() {
    let s = Sandbox::new();
    for name in ["one/a.png", "two/a.png", "three/a.png"] {
        s.photo(name, 9, 8);
    }
    s.stylize(&["one", "two", "three", "-o", "out"]).ends(0);
    assert_eq!(s.names("out"), ["a-2-tiny.png", "a-3-tiny.png", "a-tiny.png"]);
}

#[test]
fn a_folder_may_be_its_own_output_if_existing_paintings_are_skipped() {
    let s = Sandbox::new();
    s.photo("in/a.png", 9, 8);
    s.stylize(&["in", "-o", "in", "--skip-existing"]).ends(0);
    s.photo("in/b.png", 9, 8);
    let again = ["in", "-o", "in", "--skip-existing"];
    let run = s.stylize(&again).ends(0).says("because they are paintings of other inputs: 1");
    let names = ["a-tiny.png", "a.png", "b-tiny.png", "b.png"];
    assert_eq!(s.names("in"), names, "{}", run.stderr);
    s.stylize(&again).ends(0).says("2 of 2 paintings already exist");
    assert_eq!(s.names("in"), names);
    s.stylize(&["in", "-o", "in", "--force"]).ends(2).says("is one of the inputs");
    s.stylize(&["in/a.png", "-o", "in/a.png", "--skip-existing"]).ends(2).says("one of the inputs");
}

#[test]
fn existing_files_are_errors_or_done_and_each_painting_has_a_line() {
    let s = Sandbox::new();
    s.photo("in/a.png", 9, 8);
    s.photo("in/b.png", 9, 8);
    fs::write(s.path("in/c.png"), "no image").expect("written");
    let lines = |arguments: &[&str], code| {
        let run = s.stylize(&[&["in", "-o", "out", "--json"], arguments].concat()).ends(code);
        let lines = run.text();
        let lines: Vec<Value> =
            lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert!(lines.iter().all(|line| line["style"] == "tiny" && line["input"].is_string()));
        lines
            .iter()
            .map(|line| line["status"].as_str().expect("text").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(lines(&[], 1), ["painted", "painted", "failed"]);
    assert_eq!(lines(&[], 1), ["failed", "failed", "failed"]);
    fs::remove_file(s.path("in/c.png")).expect("removed");
    fs::remove_file(s.path("out/b-tiny.png")).expect("removed");
    assert_eq!(lines(&["--skip-existing"], 0), ["skipped", "painted"]);
    let run = s.stylize(&["in", "-o", "out", "--skip-existing"]).ends(0);
    run.says("2 of 2 paintings already exist");
    s.stylize(&["in/a.png", "-o", "-", "--format", "png", "--json"]).ends(2).says("--json");
}

#[test]
fn a_percentage_may_have_its_sign() {
    let s = Sandbox::new();
    s.stylize(&["photo.png", "--strength", "0%", "-o", "out.png"]).ends(0);
    assert_eq!(s.read("out.png"), s.read("photo.png"));
    s.stylize(&["photo.png", "--strength", "101", "-o", "x.png"]).ends(2).says("0 to 100");
}

#[cfg(unix)]
#[test]
fn what_arrives_in_a_watched_folder_is_painted_once() {
    let s = Sandbox::new();
    s.photo("in/before.png", 9, 8);
    s.photo("out/old-tiny.png", 4, 4);
    s.photo("in/old.png", 9, 8);
    let old = fs::read(s.path("out/old-tiny.png")).expect("read");
    let mut command = s.command(env!("CARGO_BIN_EXE_styleforge"));
    command.args(["stylize", "in", "-o", "out", "-s", "./tiny.safetensors", "--watch"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    let end = Instant::now() + PATIENCE;
    let painted_other = |name: &str, than: &[u8]| {
        loop {
            match fs::read(s.path(name)) {
                Ok(bytes) if bytes != than => return bytes,
                _ => assert!(Instant::now() < end, "waited in vain for {name}"),
            }
            sleep(Duration::from_millis(5));
        }
    };
    let painted = |name: &str| painted_other(name, &[]);
    painted("out/before-tiny.png");
    s.photo("in/late.png", 9, 8);
    fs::write(s.path("in/broken.png"), "no image").expect("written");
    let first = painted("out/late-tiny.png");
    // A new picture of the same name, and one whose painting somebody has changed.
    fs::write(s.path("out/before-tiny.png"), "retouched").expect("written");
    for name in ["before.png", "late.png"] {
        s.photo(&format!("new/{name}"), 12, 8);
        fs::rename(s.path(format!("new/{name}")), s.path(format!("in/{name}"))).expect("moved");
    }
    painted_other("out/late-tiny.png", &first);
    send("-TERM", &child);
    let run = Run::from(child.wait_with_output().expect("ends")).ends(1);
    assert_eq!(run.text().lines().filter(|line| line.ends_with("late-tiny.png")).count(), 2);
    let run = run.says("broken.png").says("in/before.png has changed; its painting");
    assert_eq!(run.stderr.matches("broken.png").count(), 1, "{}", run.stderr);
    assert_eq!(fs::read(s.path("out/before-tiny.png")).expect("read"), b"retouched");
    assert_eq!(fs::read(s.path("out/old-tiny.png")).expect("read"), old);
    s.stylize(&["in", "-o", ".", "--watch"]).ends(2).says("would arrive in the folder in");
    s.stylize(&["in/old.png", "-o", "out", "--watch"]).ends(2).says("--watch is for folders");
}
