//! `--max-memory` limits the memory of the whole program on large photos, as measured by the system.

use std::{
    fs,
    process::{Child, Stdio},
    thread,
    time::Duration,
};

use pictures::encode::{self, Encoding, Existing, Format};
use values::frame::Frame;

use crate::sandbox::{Run, Sandbox};

/// 40 megapixels.
const SIZE: (usize, usize) = (8000, 5000);

/// Runs the program to its end; also returns its peak memory in megabytes.
fn paint(s: &Sandbox, arguments: &[&str]) -> (Run, u64) {
    let child = s
        .command(env!("CARGO_BIN_EXE_styleforge"))
        .args(["stylize", "--style", "./tiny.safetensors"])
        .args(["--device", "cpu", "--threads", "2"])
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.expect("the program starts");
    let mut peak = 0;
    while child.try_wait().expect("a child").is_none() {
        // The high-water mark never falls, so frequent polling only misses the end.
        peak = peak.max(resident_mb(&child).unwrap_or(0));
        thread::sleep(Duration::from_millis(1));
    }
    (Run::from(child.wait_with_output().expect("its output")), peak)
}

/// `VmHWM` of a process (proc(5)).
fn resident_mb(child: &Child) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kilobytes * 1024 / 1_000_000)
}

#[test]
fn large_photos_are_painted_smaller_and_scaled_back_within_the_limit() {
    let s = Sandbox::new();
    let photo = Frame::from_fn(SIZE.0, SIZE.1, |x, y| [(x / 32) as u8, (y / 20) as u8, 90, 255]);
    for (format, limit_mb) in
        [(Format::Jpeg, 500), (Format::Png, 500), (Format::Tiff, 500), (Format::WebP, 800)]
    {
        let name = |stem: &str| format!("{stem}.{}", format.extension());
        let (from, to) = (name("from"), name("to"));
        let encoding = Encoding::of(format);
        encode::save(&s.path(&from), &photo, None, encoding, Existing::Keep).expect("saved");
        let limit = format!("{limit_mb}MB");
        let tight = ["--max-memory", &limit, "--working-size", "original"];
        let (run, peak_mb) = paint(&s, &[&tight[..], &[&from, "-o", &to]].concat());
        run.ends(0).says("painted at ").says(" instead of 8000 x 5000 to stay below");
        let header = image::ImageReader::open(s.path(&to)).expect("written");
        assert_eq!(header.into_dimensions().expect("a picture"), (SIZE.0 as u32, SIZE.1 as u32));
        assert!(
            (limit_mb / 3..limit_mb).contains(&peak_mb),
            "{format}: {peak_mb} MB of {limit_mb}"
        );
        fs::remove_file(s.path(&to)).expect("removed");
        // Not enough memory to read the photo, or not enough to paint it: the message names the requirement.
        for limit_mb in if format == Format::Jpeg { vec![150, 350] } else { vec![150] } {
            let limit = format!("{limit_mb}MB");
            let (run, peak_mb) = paint(&s, &[&from, "--max-memory", &limit, "-o", &to]);
            run.ends(1).says(" needs ").says("raise --max-memory");
            assert!(peak_mb < limit_mb, "{format}: {peak_mb} MB of {limit_mb}");
            assert!(!s.path(&to).exists());
        }
        fs::remove_file(s.path(&from)).expect("removed");
    }
}

/// A GIF of 14,000 x 14,000 pixels, of which three frames draw one.
fn huge_gif() -> Vec<u8> {
    let frame = b"\x21\xf9\x04\0\x01\0\0\0\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0";
    let head = b"GIF89a\xb0\x36\xb0\x36\x80\0\0\0\0\0\xff\xff\xff";
    [&head[..], frame, frame, frame, b";"].concat()
}

#[test]
fn films_count_as_the_program_and_its_processes_do() {
    let s = Sandbox::new();
    fs::create_dir(s.path("in")).expect("a folder");
    fs::write(s.path("in/huge.gif"), huge_gif()).expect("written");
    fs::copy(s.path("photo.png"), s.path("in/photo.png")).expect("copied");
    let tight = ["--max-memory", "500MB"];
    let (run, peak_mb) = paint(&s, &[&["in", "-o", "out"], &tight[..]].concat());
    run.ends(1).says("in/huge.gif: ").says(" memory").says("raise --max-memory");
    assert!(peak_mb < 500, "{peak_mb} MB");
    assert_eq!(s.names("out"), ["photo-tiny.png"]);
    // Its first frame alone.
    let (run, peak_mb) =
        paint(&s, &[&["in/huge.gif", "-o", "a.png", "--start", "0"], &tight[..]].concat());
    run.ends(1).says(" memory").says("raise --max-memory");
    assert!(peak_mb < 500, "{peak_mb} MB");
}

#[test]
fn photos_are_painted_together_only_while_they_fit() {
    let s = Sandbox::new();
    let photo = Frame::from_fn(4000, 2500, |x, y| [(x / 16) as u8, (y / 10) as u8, 90, 255]);
    let names = ["1.png", "2.png", "3.png", "4.png", "5.png", "6.png"];
    for name in names {
        let png = Encoding::of(Format::Png);
        encode::save(&s.path(name), &photo, None, png, Existing::Keep).expect("saved");
    }
    let most = ["--max-memory", "250MB", "--batch", "6", "-o", "out"];
    let (run, peak_mb) = paint(&s, &[&names[..], &most].concat());
    let run = run.ends(0);
    assert!(!run.stderr.contains("instead of"), "{}", run.stderr);
    assert_eq!(s.names("out").len(), 6);
    // The six photos alone take 240 MB.
    assert!((100..250).contains(&peak_mb), "{peak_mb} MB");
}
