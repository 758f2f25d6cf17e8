//! `styleforge stylize` when something is missing, broken, too large or interrupted.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    process::Stdio,
};

use engine::paint::PROGRAM_BYTES;

use crate::sandbox::{Run, Sandbox, send};

#[test]
fn memory_limits_shrink_the_work_and_say_so() {
    let s = Sandbox::new();
    s.photo("large.png", 300, 200);
    let bench = ["bench", "--style", "./tiny.safetensors", "--size", "300x200"];
    let report = s
        .styleforge(&[&bench[..], &["--frames", "1", "--variant", "fused", "--json"]].concat())
        .ends(0)
        .json();
    let planned = report["results"][0]["peak_memory_bytes"].as_u64().expect("planned");
    let paint = |limit: String, output: &str| {
        s.stylize(&["large.png", "--max-memory", &limit, "--output-size", "working", "-o", output])
    };
    let run = paint("1TB".to_owned(), "a.png").ends(0);
    assert!(!run.stderr.contains("instead of"), "{}", run.stderr);
    assert_eq!(s.read("a.png").width(), 300);
    // The program, the photo, the result, and the network's input and output all count.
    let pictures = 4 * 4 * 300 * 200;
    paint((PROGRAM_BYTES + planned / 2 + pictures).to_string(), "b.png")
        .ends(0)
        .says("instead of 300 x 200");
    let width = s.read("b.png").width();
    assert!((100..300).contains(&width), "{width}");
    paint("1kB".to_owned(), "c.png").ends(1).says("--max-memory");
    assert!(!s.path("c.png").exists());
    paint((PROGRAM_BYTES + pictures / 4).to_string(), "d.png").ends(1).says("--max-memory");
}

#[test]
fn one_bad_file_does_not_stop_the_others() {
    let s = Sandbox::new();
    fs::write(s.path("broken.jpg"), b"\xff\xd8\xff\xe0 and no more").expect("file");
    s.photo("second.png", 9, 9);
    let run = s
        .stylize(&["photo.png", "broken.jpg", "missing.png", "second.png", "-o", "out"])
        .ends(1)
        .says("broken.jpg is damaged")
        .says("missing.png could not be read")
        .says("2 of 4 paintings failed");
    assert!(!run.stderr.contains("second.png"), "{}", run.stderr);
    assert_eq!(s.names("out"), ["photo-tiny.png", "second-tiny.png"]);
}

#[test]
fn a_broken_style_does_not_stop_all_the_others() {
    let s = Sandbox::new();
    let folder = s.path("home/.local/share/styleforge/styles");
    fs::create_dir_all(&folder).expect("folder");
    fs::write(folder.join("broken.pth"), "no weights").expect("file");
    let all = ["stylize", "photo.png", "--style", "all", "-o"];
    s.styleforge(&[&all[..], &["out"]].concat()).ends(1).says("skipped the style broken");
    assert!(s.path("out/photo-candy.png").exists());
    assert!(!s.path("out/photo-broken.png").exists());
    s.styleforge(&["stylize", "photo.png", "--style", "broken", "-o", "x.png"]).ends(2);
    // A style without the requested size is not a failure.
    fs::remove_file(folder.join("broken.pth")).expect("removed");
    fs::copy(s.path("tiny.safetensors"), folder.join("own.safetensors")).expect("copied");
    s.styleforge(&[&all[..], &["lite", "--model", "lite"]].concat())
        .ends(0)
        .says("skipped the style own");
    assert!(s.path("lite/photo-candy.png").exists());
    assert!(!s.path("lite/photo-own.png").exists());
}

#[test]
fn no_folder_is_made_for_nothing() {
    let s = Sandbox::new();
    s.stylize(&["missing.png", "none.png", "-o", "out"])
        .ends(2)
        .says("no such file: missing.png, none.png");
    assert!(!s.path("out").exists());
    s.stylize(&["missing.png", "photo.png", "-o", "out/deep/"]).ends(1);
    assert_eq!(s.names("out/deep"), ["photo-tiny.png"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_photo_too_large_for_the_memory_is_refused_by_its_header() {
    let s = Sandbox::new();
    // 190 megapixels.
    s.hole("huge.bmp", 14_000, 13_572);
    let line = "ulimit -v 1200000; exec $STYLEFORGE stylize huge.bmp photo.png --threads 1 \
                --style ./tiny.safetensors --device cpu -o out/";
    s.shell(line).ends(1).says("huge.bmp has 14000 x 13572 pixels and needs 1521 MB of memory");
    assert!(s.path("out/photo-tiny.png").exists(), "the others go on");
}

/// Only the first bytes of the files exist; their length is one gigabyte.
#[cfg(target_os = "linux")]
#[test]
fn weights_too_large_for_the_memory_are_refused_by_their_first_bytes() {
    let s = Sandbox::new();
    for (name, start, why) in [
        ("zip.pth", &b"PK\x03\x04 no directory"[..], "the archive has no directory at its end"),
        (
            "pickle.pth",
            b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.",
            "needs 1074 MB of memory at once",
        ),
        ("graph.onnx", b"\x08\x07\x12\x07pytorch", "needs 1074 MB of memory at once"),
        ("a.safetensors", b"\x02\0\0\0\0\0\0\0{}", "needs 1074 MB of memory at once"),
        (
            "b.safetensors",
            b"\xff\xff\xff\xff\0\0\0\0{}",
            "it declares a header of 4294967295 bytes",
        ),
        ("text.pth", b"no weights at all", "its first bytes match no supported format"),
    ] {
        fs::write(s.path(name), start).expect("written");
        let file = fs::File::options().write(true).open(s.path(name)).expect("there");
        file.set_len(1 << 30).expect("a hole");
        let limited = "ulimit -v 1048576; exec $STYLEFORGE";
        s.shell(&format!("{limited} inspect {name}")).ends(1).says(why);
        s.shell(&format!("{limited} styles import {name}")).ends(1).says(why);
        s.shell(&format!("{limited} stylize photo.png --device cpu --style ./{name} -o out.png"))
            .ends(2)
            .says(why);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_takes_no_files_is_reported() {
    use std::os::unix::fs::PermissionsExt;

    let s = Sandbox::new();
    fs::create_dir(s.path("closed")).expect("folder");
    let paint = "$STYLEFORGE stylize photo.png --style ./tiny.safetensors --device cpu -o";
    let permissions = |mode| fs::set_permissions(s.path("closed"), PermissionsExt::from_mode(mode));
    permissions(0o555).expect("changed");
    let words = if fs::write(s.path("closed/probe"), "").is_err() {
        s.shell(&format!("{paint} closed/out.png"))
            .ends(1)
            .says("no permission to write in closed");
        permissions(0o755).expect("changed");
        return;
    } else {
        // Permissions do not restrict root, but a read-only disk does.
        "closed is on a read-only disk"
    };
    fs::remove_file(s.path("closed/probe")).expect("removed");
    let mount = "mount --bind closed closed && mount -o remount,ro,bind closed";
    if s.shell(&format!("unshare --mount sh -c '{mount}'")).failed() {
        eprintln!("skipped: neither permissions nor a read-only mount can be had here");
        return;
    }
    s.shell(&format!("unshare --mount sh -c '{mount} && exec {paint} closed/out.png'"))
        .ends(1)
        .says(words);
    assert_eq!(s.names("closed"), [""; 0]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_nothing_half_written() {
    let s = Sandbox::new();
    s.photo("large.png", 200, 150);
    // A limit on file sizes makes writes fail like a full disk.
    let paint = "$STYLEFORGE stylize large.png --style ./tiny.safetensors --device cpu -o";
    s.shell(&format!("ulimit -f 1; exec {paint} out.bmp"))
        .ends(1)
        .says("out.bmp could not be written");
    let left = s.names(".");
    assert!(!left.iter().any(|n| n.contains("out") || n.contains("part")), "{left:?}");
    s.shell(&format!("{paint} - > /dev/full")).ends(1).says("the disk is full");
    for format in ["png", "jpg", "webp", "tiff", "bmp"] {
        s.shell(&format!("ulimit -f 1; exec {paint} out.{format}"))
            .ends(1)
            .says("larger than the file system allows");
    }
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
    run.says("code 1").ends(0).says("standard output was closed");
    let run = s.shell("($STYLEFORGE completions bash; echo code $? >&2) | true");
    run.ends(0).says("code 0");
}

#[cfg(unix)]
#[test]
fn an_interrupt_stops_between_whole_files() {
    let s = Sandbox::new();
    // The names of all files together exceed what the pipe and its reader hold. The program therefore waits in the
    // middle until the signal is sent, however fast it is.
    let name = |i: usize| format!("in/{i:04}{}.png", "-long".repeat(40));
    let original = s.path(name(0));
    s.photo(&name(0), 64, 64);
    let count = 400;
    for i in 1..count {
        fs::copy(&original, s.path(name(i))).expect("copied");
    }
    let mut child = s
        .command(env!("CARGO_BIN_EXE_styleforge"))
        .args(["stylize", "in", "--style", "./tiny.safetensors", "-o", "out"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    lines.next().expect("a first file").expect("text");
    send("-INT", &child);
    lines.for_each(drop);
    assert_eq!(child.wait().expect("ends").code(), Some(130));
    let names = s.names("out");
    assert!(!names.is_empty() && names.len() < count, "{} files", names.len());
    assert!(names.iter().all(|n| n.ends_with("-tiny.png")), "{names:?}");
    for name in names {
        assert_eq!(s.read(&format!("out/{name}")).width(), 64);
    }
}

#[test]
fn nothing_is_read_from_a_closed_standard_input() {
    let s = Sandbox::new();
    let mut child = s
        .command(env!("CARGO_BIN_EXE_styleforge"))
        .args(["stylize", "-", "--style", "./tiny.safetensors", "-o", "out.png"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    child.stdin.take().expect("piped").write_all(b"").expect("nothing");
    let output = child.wait_with_output().expect("ends");
    Run::from(output).ends(1).says("it is empty");
}

#[test]
fn a_jpeg_without_its_end_marker_is_painted_with_a_note() {
    let s = Sandbox::new();
    s.photo("whole.jpg", 320, 240);
    let whole = fs::read(s.path("whole.jpg")).expect("a photo");
    fs::write(s.path("cut.jpg"), &whole[..whole.len() * 6 / 10]).expect("written");
    s.stylize(&["cut.jpg", "-o", "out.png"])
        .ends(0)
        .says("note: cut.jpg: the file is incomplete; part of the picture may be missing");
    assert_eq!(s.read("out.png").width(), 320);
}
