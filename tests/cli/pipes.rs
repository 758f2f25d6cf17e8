//! Photos from pipes, and pipes that deliver nothing.

use std::{
    fs,
    io::Write,
    os::fd::AsRawFd,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::sandbox::{Run, Sandbox, send};

/// Nothing takes this long unless it hangs.
const GUARD: Duration = Duration::from_secs(120);

fn make_pipe(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status();
    assert!(made.expect("mkfifo").success());
}

/// Starts painting with a pipe as standard input.
fn painting(s: &Sandbox, photo: &str) -> Child {
    let usual = ["stylize", "--style", "./tiny.safetensors", "--device", "cpu", "--threads", "1"];
    s.command(env!("CARGO_BIN_EXE_styleforge"))
        .args(usual)
        .args(["-o", "out.png", photo])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts")
}

/// True if a thread of the process sleeps in one of these kernel functions.
fn sleeps_in(process: u32, functions: &[&str]) -> bool {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten();
    tasks.flatten().any(|task| {
        let place = fs::read_to_string(task.path().join("wchan")).unwrap_or_default();
        functions.iter().any(|function| place.contains(function))
    })
}

/// Interrupts `child` with one Ctrl-C when it sleeps in one of these kernel functions.
fn interrupted_in(mut child: Child, functions: &[&str]) -> Run {
    let guard = Instant::now() + GUARD;
    while !sleeps_in(child.id(), functions) {
        assert!(Instant::now() < guard, "it never waited in {functions:?}");
        assert!(child.try_wait().expect("asked").is_none(), "it ended before the signal");
        thread::yield_now();
    }
    send("-INT", &child);
    while child.try_wait().expect("asked").is_none() {
        if Instant::now() > guard {
            child.kill().expect("killed");
            panic!("it continues after Ctrl-C");
        }
        thread::yield_now();
    }
    Run::from(child.wait_with_output().expect("its words"))
}

#[test]
fn a_pipe_without_a_writer_is_abandoned_at_the_first_interrupt() {
    let s = Sandbox::new();
    let pipe = s.path("photo.fifo");
    make_pipe(&pipe);
    interrupted_in(painting(&s, "photo.fifo"), &["wait_for_partner"]).ends(130);
    // Another process has the pipe open and writes nothing, or not enough.
    for begin in [&b""[..], b"\x89PNG\r\n\x1a\n"] {
        let child = painting(&s, "photo.fifo");
        // Waits until the program opens it.
        let mut to = fs::OpenOptions::new().write(true).open(&pipe).expect("a reader");
        to.write_all(begin).expect("written");
        interrupted_in(child, &["pipe_read"]).ends(130);
    }
    // Standard input is a pipe that this test keeps open.
    interrupted_in(painting(&s, "-"), &["pipe_read"]).ends(130);
    assert!(!s.path("out.png").exists());
}

#[test]
fn a_second_signal_ends_it_although_its_messages_are_not_read() {
    let s = Sandbox::new();
    make_pipe(&s.path("photo.fifo"));
    let (unread, mut messages) = std::io::pipe().expect("a pipe");
    // SAFETY: queries the size of a pipe that is open.
    let room = unsafe { libc::fcntl(messages.as_raw_fd(), libc::F_GETPIPE_SZ) };
    messages.write_all(&vec![b'x'; usize::try_from(room).expect("a size")]).expect("filled");
    let mut child = s
        .command(env!("CARGO_BIN_EXE_styleforge"))
        .args(["stylize", "--style", "./tiny.safetensors", "--device", "cpu"])
        .args(["-o", "out.png", "photo.fifo"])
        .stderr(messages)
        .spawn()
        .expect("starts");
    fs::write(s.path("photo.fifo"), "no photo").expect("read by the program");
    let guard = Instant::now() + GUARD;
    // Reports that it is not a photo.
    while !sleeps_in(child.id(), &["pipe_write"]) {
        assert!(Instant::now() < guard && child.try_wait().expect("asked").is_none());
        thread::yield_now();
    }
    send("-TERM", &child);
    // Signals after the two that a shell sends for one, which count as one.
    let ended = loop {
        match child.try_wait().expect("asked") {
            Some(ended) => break ended,
            None if Instant::now() > guard => {
                break child.kill().and_then(|()| child.wait()).expect("killed");
            }
            None => send("-TERM", &child),
        }
    };
    assert_eq!(ended.code(), Some(143));
    drop(unread);
}

#[test]
fn a_photo_through_a_pipe_is_painted() {
    let s = Sandbox::new();
    let pipe = s.path("photo.fifo");
    make_pipe(&pipe);
    let child = painting(&s, "photo.fifo");
    let photo = fs::read(s.path("photo.png")).expect("a photo");
    fs::write(&pipe, photo).expect("read by the program");
    Run::from(child.wait_with_output().expect("ends")).ends(0);
    assert_eq!(s.read("out.png").width(), 24);
}

#[test]
fn pipes_where_weights_photos_of_a_folder_or_sources_belong_hold_up_nothing() {
    let s = Sandbox::new();
    make_pipe(&s.path("style.safetensors"));
    for arguments in [
        &["inspect", "./style.safetensors"][..],
        &["styles", "import", "./style.safetensors"],
        &["stylize", "photo.png", "--style", "./style.safetensors", "-o", "out.png"],
    ] {
        let run = s.styleforge(arguments);
        assert!(run.failed(), "{arguments:?}");
        run.says("not a regular file");
    }
    s.photo("in/a.png", 9, 9);
    make_pipe(&s.path("in/b.png"));
    s.stylize(&["in", "-o", "out"]).ends(0);
    assert_eq!(s.names("out"), ["a-tiny.png"]);
    s.styleforge(&["live", "--source", "in/b.png", "--style", "none", "--device", "cpu"])
        .ends(2)
        .says("not a regular file");
}
