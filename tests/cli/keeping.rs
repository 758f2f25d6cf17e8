//! What is written and kept: recordings, styles and their temporary files, and the messages for disk errors.

use std::{fs, os::unix::fs::symlink, process::Stdio};

use crate::sandbox::{Run, Sandbox};

/// The demo scene, painted small until something ends it; `timeout` only guards against a hang.
const LIVE: &str = "exec timeout 120 $STYLEFORGE live --device cpu --threads 1 --fps 60 \
                    --style ./tiny.safetensors --working-size 32";
/// The folder of the user's own styles in a sandbox.
const STYLES: &str = "home/.local/share/styleforge/styles";

#[test]
fn a_failed_recording_ends_the_run_at_once_and_reports_what_was_saved() {
    let s = Sandbox::new();
    // A folder blocks the name of the third picture, so writing it fails as on a full disk.
    fs::create_dir_all(s.path("take/frame-000003.jpg")).expect("folder");
    let run = s.shell(&format!("{LIVE} --record take")).ends(1);
    run.says("error: the recording in take ended after 2 pictures: ");
    let table = fs::read_to_string(s.path("take/frames.csv")).expect("a table");
    assert_eq!(table.lines().count(), 3, "{table}");
    assert_eq!(
        s.names("take"),
        ["frame-000001.jpg", "frame-000002.jpg", "frame-000003.jpg", "frames.csv"]
    );
}

#[test]
fn a_recording_on_a_full_disk_ends_the_run_at_once() {
    let s = Sandbox::new();
    let limit = "ulimit -f 1;";
    s.shell(&format!("{limit} {LIVE} --record take --record-format bmp"))
        .ends(1)
        .says("the recording in take ended after 0 pictures: ")
        .says("the file would be larger than the file system allows");
    assert!(!s.path("take").exists());
}

#[test]
fn a_video_on_a_full_disk_ends_the_run_at_once() {
    let s = Sandbox::new();
    // A block has at most one kilobyte. The message is ffmpeg's.
    let limit = "ulimit -f 6;";
    s.shell(&format!("{limit} {LIVE} --no-upscale --record clip.mp4"))
        .ends(1)
        .says("File too large");
}

#[test]
fn a_recording_never_replaces_the_table_of_another() {
    let s = Sandbox::new();
    fs::create_dir_all(s.path("take")).expect("folder");
    let record = || s.shell(&format!("{LIVE} --seconds 1 --record take")).ends(1);
    fs::write(s.path("take/frames.csv"), "mine").expect("file");
    record().says("it already contains a recording; choose another folder");
    assert_eq!(fs::read(s.path("take/frames.csv")).expect("file"), b"mine");
    fs::remove_file(s.path("take/frames.csv")).expect("removed");
    // A dangling link also counts as a taken name.
    symlink(s.path("elsewhere.csv"), s.path("take/frames.csv")).expect("link");
    record().says("it already contains a recording; choose another folder");
    assert!(!s.path("elsewhere.csv").exists());
}

#[test]
fn imports_of_one_name_at_the_same_time_end_in_one_style_and_the_truth() {
    let s = Sandbox::new();
    for round in 0..5 {
        let name = format!("Night {round}");
        let import = || {
            s.command(env!("CARGO_BIN_EXE_styleforge"))
                .args(["styles", "import", "tiny.safetensors", "--name", &name])
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("starts")
        };
        let running = [(); 6].map(|()| import());
        let runs = running.map(|child| Run::from(child.wait_with_output().expect("ends")));
        let (losers, winners): (Vec<_>, Vec<_>) = runs.into_iter().partition(Run::failed);
        assert_eq!(winners.len(), 1, "{losers:?}");
        for loser in losers {
            let truth = format!("there is already a style or network named night_{round}");
            loser.says(&truth).ends(1);
        }
        let style = format!("{STYLES}/night_{round}");
        assert_eq!(s.names(&style), ["lite.safetensors"]);
        assert_eq!(s.names(STYLES).len(), round + 1, "{:?}", s.names(STYLES));
    }
}

#[test]
fn leftovers_of_a_kill_go_at_the_next_start_and_nothing_else() {
    let s = Sandbox::new();
    let styles = |name: &str| s.path(STYLES).join(name);
    fs::create_dir_all(styles(".import-Killed")).expect("folder");
    fs::write(styles(".import-Killed/lite.safetensors"), "half").expect("file");
    fs::write(styles(".styleforge-Killed.part"), "half").expect("file");
    // A program that is still running is writing it.
    fs::create_dir_all(styles(".import-Living")).expect("folder");
    fs::write(styles(".styleforge-Living.part"), "half").expect("file");
    let owned = [".import-Living", ".styleforge-Living.part"].map(|name| {
        let file = fs::File::open(styles(name)).expect("opened");
        file.lock().expect("locked");
        file
    });
    // Other names and kinds of files.
    fs::write(styles(".import-notours"), "mine").expect("file");
    fs::write(styles(".styleforge-notes.part"), "mine").expect("file");
    fs::create_dir_all(s.path("precious")).expect("folder");
    fs::write(s.path("precious/picture"), "mine").expect("file");
    symlink(s.path("precious"), styles(".import-Linked")).expect("link");
    symlink(s.path("precious/picture"), styles(".styleforge-Linked.part")).expect("link");
    fs::write(styles(".import-Single"), "a file").expect("file");
    fs::create_dir_all(styles(".styleforge-Folder.part")).expect("folder");
    let others = s.names(STYLES);

    s.styleforge(&["styles"]).ends(0);
    let killed = |name: &String| name.contains("Killed");
    let kept: Vec<_> = others.iter().filter(|n| !killed(n)).cloned().collect();
    assert_eq!(s.names(STYLES), kept);
    assert_eq!(s.names("precious"), ["picture"]);

    drop(owned);
    s.styleforge(&["styles"]).ends(0);
    let living = |name: &String| name.contains("Living");
    let kept: Vec<_> = kept.iter().filter(|n| !living(n)).cloned().collect();
    assert_eq!(s.names(STYLES), kept);
}

#[test]
fn no_system_error_number_is_printed() {
    let s = Sandbox::new();
    let long = "x".repeat(300);
    let paint = "$STYLEFORGE stylize --device cpu --threads 1";
    let style = "--style ./tiny.safetensors";
    fs::create_dir_all(s.path("home/.local/share")).expect("folder");
    fs::write(s.path("home/.local/share/styleforge"), "in the way").expect("file");
    symlink("turns.png", s.path("turns.png")).expect("link");
    for (line, words) in [
        (format!("{paint} photo.png/a.png {style} -o out.png"), ""),
        (format!("{paint} {long}.png {style} -o out.png"), "the name is too long"),
        (format!("{paint} turns.png {style} -o out.png"), "too many symbolic links"),
        (format!("{paint} photo.png {style} -o {long}.png"), "the name is too long"),
        (format!("{paint} photo.png {style} -o {long}/"), "the name is too long"),
        (format!("{paint} photo.png {style} -o photo.png/deep/er/"), "photo.png is not a folder"),
        (format!("{paint} photo.png --style ./{long} -o out.png"), "the name is too long"),
        (format!("{paint} photo.png --style photo.png/a -o out.png"), ""),
        ("$STYLEFORGE styles".to_owned(), "is not a folder"),
        ("$STYLEFORGE styles import tiny.safetensors".to_owned(), "is not a folder"),
        (format!("$STYLEFORGE live --record {long} --seconds 1 {style}"), "the name is too long"),
        ("$STYLEFORGE doctor".to_owned(), "is not a folder"),
        (format!("$STYLEFORGE inspect {long}"), "the name is too long"),
        ("$STYLEFORGE inspect tiny.safetensors >&-".to_owned(), ""),
        ("$STYLEFORGE inspect tiny.safetensors >/dev/full".to_owned(), "the disk is full"),
    ] {
        let run = s.shell(&line);
        let output = run.text() + &run.stderr;
        assert!(!output.contains("os error"), "{line}\n{output}");
        assert!(output.contains(words), "{line}\n{output}");
    }
}
