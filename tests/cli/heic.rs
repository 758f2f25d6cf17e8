//! HEIC through `heif-convert`, here a script: it is limited, and what it does wrong is an error.

use std::{
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{
    real_time::within,
    sandbox::{Run, Sandbox, send},
};

/// Paints a photo at strength 0, which only converts it, with `script` as heif-convert.
fn convert(s: &Sandbox, script: &str) -> Run {
    Run::from(converting(s, script).output().expect("starts"))
}

fn converting(s: &Sandbox, script: &str) -> Command {
    let photo = fixture("phone.heic");
    let program = s.path("bin/heif-convert");
    std::fs::create_dir_all(s.path("bin")).expect("a folder");
    // This process cannot start a program that it writes while another test starts one.
    let text = format!("#!/bin/sh\n{script}\n");
    let mut write = s.command("sh");
    write.args(["-c", "printf %s \"$1\" >\"$2\" && chmod +x \"$2\"", "sh", &text]).arg(&program);
    assert!(write.status().expect("a shell").success());
    let path = format!("{}:{}", s.path("bin").display(), std::env::var("PATH").expect("a PATH"));
    let mut command = s.command(env!("CARGO_BIN_EXE_styleforge"));
    command.args(["stylize", &photo, "--style", "./tiny.safetensors", "--strength", "0"]);
    command.args(["--threads", "1", "-o", "out.png", "--force"]).env("PATH", path);
    command
}

fn fixture(name: &str) -> String {
    crate::home::project().join("tests/pictures/formats").join(name).display().to_string()
}

#[test]
fn a_photo_in_heic_is_read_by_the_installed_program() {
    let s = Sandbox::new();
    let png = fixture("phone.heic.expected.png");
    let expected = pictures::decode::from_path(Path::new(&png)).expect("read").frame;
    for name in ["\"$2\"", "photo-1.png"] {
        convert(&s, &format!("cp '{png}' {name}")).ends(0);
        assert_eq!(s.read("out.png"), *expected, "written as {name}");
    }
    // More warnings than a pipe holds do not stop it.
    convert(&s, &format!("yes warning | head -c 3000000 >&2; cp '{png}' \"$2\"")).ends(0);
    // The folder of the conversion is removed.
    assert_eq!(s.names("."), ["bin", "home", "out.png", "photo.png", "tiny.safetensors"]);
}

#[test]
fn without_the_program_its_package_is_named() {
    let s = Sandbox::new();
    let run = |arguments: &[&str]| {
        let mut command = s.command(env!("CARGO_BIN_EXE_styleforge"));
        Run::from(command.args(arguments).env("PATH", "").output().expect("starts"))
    };
    let photo = fixture("phone.heic");
    run(&["stylize", &photo, "--style", "./tiny.safetensors", "-o", "out.png"])
        .ends(1)
        .says("install heif-convert (Debian: libheif-examples)");
    let report = run(&["doctor"]);
    assert!(report.text().contains("libheif-examples"), "{}", report.text());
}

#[test]
fn a_program_that_fails_or_hangs_or_writes_too_much_ends() {
    let s = Sandbox::new();
    let small = fixture("scene.expected.png");
    let whole = fixture("phone.heic.expected.png");
    for (script, words) in [
        ("echo 'Invalid input' >&2; exit 1", "heif-convert: Invalid input"),
        ("yes warning | head -c 3000000 >&2; exit 1", "heif-convert: warning"),
        ("exit 0", "it contains no image"),
        ("echo nonsense >\"$2\"", "is damaged"),
        (&format!("cp '{small}' \"$2\""), "it does not have its declared size"),
        ("head -c 100000000 /dev/zero >\"$2\" || exit 3", "is damaged"),
        (&format!("ln -s '{whole}' \"$2\""), "it contains no image"),
        ("ln -s /dev/zero \"$2\"", "it contains no image"),
        ("mkfifo \"$2\"", "it contains no image"),
        ("exec sleep 100", "it did not end within"),
    ] {
        let started = Instant::now();
        convert(&s, script).ends(1).says("phone.heic").says(words);
        within(script, started.elapsed(), Duration::from_secs(10));
        assert!(!s.path("out.png").exists());
    }
}

#[test]
fn an_interrupt_does_not_wait_for_the_program() {
    let s = Sandbox::new();
    let mut command =
        converting(&s, &format!("touch '{}'; exec sleep 100", s.path("begun").display()));
    let mut child = command.stderr(Stdio::piped()).spawn().expect("starts");
    while !s.path("begun").exists() {
        assert!(child.try_wait().expect("asked").is_none(), "it ended before the signal");
        thread::yield_now();
    }
    send("-INT", &child);
    let run = Run::from(child.wait_with_output().expect("ends")).ends(130);
    assert!(!run.stderr.contains("phone.heic"), "{}", run.stderr);
    // The folder with the photo is removed.
    assert!(s.names(".").iter().all(|name| !name.starts_with('.')), "{:?}", s.names("."));
}
