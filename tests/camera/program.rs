//! The real program with a camera: `styleforge cameras` and `styleforge live`.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

use crate::{
    Test,
    fake::{Fake, H264, ID, MJPG, NAME, ROOT, Switch, YUYV},
    stage::until,
};

pub const ALL: &[Test] = &[
    ("the_list_names_cameras_and_formats", the_list_names_cameras_and_formats),
    ("no_camera_is_no_error", no_camera_is_no_error),
    ("the_list_says_what_to_do", the_list_says_what_to_do),
    ("live_pictures_survive_unplugging", live_pictures_survive_unplugging),
    ("live_pictures_survive_a_stall", live_pictures_survive_a_stall),
    ("live_pictures_need_a_camera", live_pictures_need_a_camera),
    ("a_camera_is_named_without_a_prefix", a_camera_is_named_without_a_prefix),
    (
        "an_unknown_camera_is_named_once_with_the_others",
        an_unknown_camera_is_named_once_with_the_others,
    ),
];

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_styleforge"));
    command.args(arguments);
    command
}

fn text(ended: &Output) -> String {
    let errors = String::from_utf8_lossy(&ended.stderr);
    format!("{}{errors}", String::from_utf8_lossy(&ended.stdout))
}

/// The program's output for `arguments`, which must succeed.
fn answer(arguments: &[&str]) -> String {
    let ended = program(arguments).output().expect("started");
    assert!(ended.status.success(), "{}", text(&ended));
    String::from_utf8(ended.stdout).expect("UTF-8")
}

/// The report of a live run that ends when pictures return. `begin` makes the camera fail. `end` repairs it once the
/// program has reported `words`.
fn live(begin: impl Fn(&Fake), words: &str, end: impl Fn(&Fake)) -> Value {
    let fake = Fake::here();
    let source = format!("camera:{ID}");
    let folder = Path::new(&env::var_os(ROOT).expect("under the library")).join("recorded");
    let painted =
        || fs::read_to_string(folder.join("frames.csv")).map_or(0, |table| table.lines().count());
    // The number of seconds only ends a run that nothing else ends.
    let arguments = ["live", "--device", "cpu", "--seconds", "120", "--json"];
    let mut running = program(&arguments)
        .args(["--source", &source, "--record"])
        .arg(&folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    let mut lines = BufReader::new(running.stderr.take().expect("piped")).lines();
    until("pictures", || painted() > 5);
    begin(&fake);
    let is_printed = lines.any(|line| line.is_ok_and(|line| line.contains(words)));
    assert!(is_printed, "'{words}' is printed");
    end(&fake);
    // Some frames from before may still wait to be written.
    let before = painted();
    until("pictures again", || painted() > before + 20);
    let interrupt = Command::new("kill").args(["-INT", &running.id().to_string()]).status();
    assert!(interrupt.expect("kill").success());
    lines.for_each(drop);
    let ended = running.wait_with_output().expect("ended");
    assert!(ended.status.success(), "{}", text(&ended));
    serde_json::from_slice(&ended.stdout).expect("JSON")
}

fn live_pictures_survive_unplugging() {
    let report = live(Fake::unplug, "was disconnected", Fake::plug_in);
    let problems = report["problems"].as_array().expect("a list");
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].as_str().expect("text").contains("disconnected"));
    assert_eq!(report["source_size"], serde_json::json!([640, 480]));
}

fn live_pictures_survive_a_stall() {
    let stalls = |is: u32| move |fake: &Fake| fake.set(Switch::Stalled, is);
    let report = live(stalls(1), "sent nothing", stalls(0));
    let problems = report["problems"].as_array().expect("a list");
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].as_str().expect("text").contains("sent nothing"));
}

/// The output of one second of live painting from a source.
fn live_from(source: &str) -> Output {
    program(&["live", "--device", "cpu", "--seconds", "1", "--source", source])
        .output()
        .expect("started")
}

fn live_pictures_need_a_camera() {
    Fake::here().unplug();
    let ended = live_from("camera");
    assert_eq!(ended.status.code(), Some(2), "{}", text(&ended));
    assert!(text(&ended).contains("no camera found"), "{}", text(&ended));
}

fn a_camera_is_named_without_a_prefix() {
    let _fake = Fake::here();
    for name in [NAME, "/dev/video0"] {
        let ended = live_from(name);
        assert_eq!(ended.status.code(), Some(0), "{name}: {}", text(&ended));
    }
    let ended = live_from("Holiday");
    assert_eq!(ended.status.code(), Some(2), "{}", text(&ended));
    assert!(text(&ended).contains("'Holiday' is not a source"), "{}", text(&ended));
}

fn an_unknown_camera_is_named_once_with_the_others() {
    let _fake = Fake::here();
    let ended = live_from("camera:Holiday");
    let output = text(&ended);
    assert_eq!(ended.status.code(), Some(2), "{output}");
    let problem = format!("there is no camera Holiday; plug it in, or choose one of: {NAME}");
    assert_eq!(output.matches(&problem).count(), 1, "{output}");
    assert!(output.contains("no image arrived from camera:Holiday"), "{output}");
}

fn the_list_names_cameras_and_formats() {
    let fake = Fake::here();
    fake.set(Switch::Kinds, YUYV | MJPG | H264);
    let text = answer(&["cameras"]);
    for part in [
        NAME,
        "/dev/video0",
        &format!("camera:{ID}"),
        "MJPEG: 640x480 at 30, 320x240 at 30, 1280x720 at 30",
        "YUYV: ",
    ] {
        assert!(text.contains(part), "no '{part}' in:\n{text}");
    }
    let report: Value = serde_json::from_str(&answer(&["cameras", "--json"])).expect("JSON");
    let cameras = report["cameras"].as_array().expect("a list");
    assert_eq!(cameras.len(), 1);
    assert_eq!(cameras[0]["id"], ID);
    assert_eq!(cameras[0]["problem"], Value::Null);
    let formats = cameras[0]["formats"].as_array().expect("a list");
    assert_eq!(formats.len(), 6);
    assert_eq!(formats[0]["pixels"], "mjpeg");
    assert_eq!(formats[0]["fps"], 30.0);
}

fn no_camera_is_no_error() {
    Fake::here().unplug();
    assert!(answer(&["cameras"]).starts_with("No camera found."));
    let report: Value = serde_json::from_str(&answer(&["cameras", "--json"])).expect("JSON");
    assert_eq!(report["cameras"], Value::Array(Vec::new()));
}

fn the_list_says_what_to_do() {
    let fake = Fake::here();
    fake.set(Switch::OpenError, libc::EACCES as u32);
    let text = answer(&["cameras"]);
    assert!(text.contains("group video"), "{text}");
}
