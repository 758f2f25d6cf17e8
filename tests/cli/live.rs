//! `styleforge live`: what it reports, and what it refuses.

use crate::sandbox::Sandbox;

/// A second of the demo scene, painted small by the small style.
const SECOND: [&str; 11] = [
    "live",
    "--device",
    "cpu",
    "--threads",
    "1",
    "--style",
    "./tiny.safetensors",
    "--fps",
    "60",
    "--seconds",
    "1",
];

#[test]
fn the_report_tells_the_wanted_rate_and_what_the_automatic_size_chose() {
    let s = Sandbox::new();
    let automatic = ["--target-fps", "7", "--json"];
    let report = s
        .styleforge(&[&SECOND[..], &automatic].concat())
        .ends(0)
        .json();
    let chosen = &report["automatic_size"];
    assert_eq!(chosen["target_fps"], 7.0);
    assert!(chosen["achieved_fps"].as_f64().expect("a rate") > 0.0);
    assert!(chosen["model"].is_null());
    let achieved = chosen["achieved_fps"].as_f64().expect("a rate");
    assert_eq!(chosen["holds"], achieved >= 0.95 * 7.0, "{chosen}");
    assert_eq!(chosen["holds"], chosen["limited_by"].is_null(), "{chosen}");
    let working = report["working_size"][0].as_u64();
    assert_eq!(chosen["long_side_px"].as_u64(), working);
    assert!(working >= Some(256), "the least that is chosen");

    let text = s.styleforge(&[&SECOND[..], &["--target-fps", "7"]].concat());
    assert!(text.ends(0).text().contains("automatic size: "));

    // A scene that is drawn at 10 frames a second cannot be painted at 60, whatever the device.
    let slow = [&SECOND[..7], &["--fps", "10", "--seconds", "2"]].concat();
    let wanted = ["--target-fps", "60", "--json"];
    let report = s.styleforge(&[&slow[..], &wanted].concat()).ends(0).json();
    let chosen = &report["automatic_size"];
    assert_eq!(chosen["holds"], false, "{chosen}");
    assert_eq!(chosen["limited_by"], "source", "{chosen}");
    let text = s.styleforge(&[&slow[..], &["--target-fps", "60"]].concat());
    let text = text.ends(0).text();
    assert!(
        text.contains("the source gives ") && !text.contains("which holds"),
        "{text}"
    );

    let fixed = ["--working-size", "64", "--json"];
    let report = s.styleforge(&[&SECOND[..], &fixed].concat()).ends(0).json();
    assert_eq!(report["working_size"][0], 64);
    assert!(report["automatic_size"].is_null(), "nothing was chosen");
}

#[test]
fn a_source_that_is_smaller_than_what_was_asked_for_is_told() {
    let s = Sandbox::new();
    let photo = [
        "live",
        "--device",
        "cpu",
        "--source",
        "photo.png",
        "--style",
    ];
    let asked = ["./tiny.safetensors", "--seconds", "1", "--working-size"];
    let run = |px| s.styleforge(&[&photo[..], &asked, &[px]].concat());
    run("4000").ends(0).says("as large as the source sends");
    let run = run("16");
    assert!(!run.stderr.contains("as large as"), "{}", run.stderr);
}

#[test]
fn a_recording_needs_a_folder_that_can_be_made() {
    let s = Sandbox::new();
    let record = |folder| s.styleforge(&[&SECOND[..], &["--record", folder]].concat());
    record("photo.png").says("it is not a folder; choose another name");
    record("photo.png/deeper").says("photo.png is not a folder");
}

#[test]
fn a_camera_that_is_not_there_is_named_once() {
    let s = Sandbox::new();
    let live = ["live", "--device", "cpu", "--seconds", "0.2"];
    let named = ["--source", "camera:no such camera"];
    let told = s.styleforge(&[&live[..], &named].concat()).ends(2).stderr;
    assert_eq!(
        told.matches("there is no camera no such camera").count(),
        1,
        "{told}"
    );
    assert!(
        told.contains("no picture came from camera:no such camera"),
        "{told}"
    );
}

#[test]
fn without_a_style_the_first_one_paints_and_is_named() {
    let s = Sandbox::new();
    let second = ["live", "--device", "cpu", "--seconds", "0.5", "--json"];
    let run = s
        .styleforge(&second)
        .ends(0)
        .says("style: candy lite; --style names another");
    assert_eq!(run.json()["style"], "candy lite");
    assert_eq!(run.json()["mode"], "fused fp32");
    let run = s
        .styleforge(&[&second[..], &["--style", "none"]].concat())
        .ends(0);
    assert!(!run.stderr.contains("style:"), "{}", run.stderr);
    assert!(run.json()["style"].is_null() && run.json()["mode"].is_null());
}

#[test]
fn a_photo_and_a_folder_have_a_delay_too() {
    let s = Sandbox::new();
    s.photo("album/a.png", 40, 30);
    for source in ["photo.png", "album"] {
        // Longer than the seconds that rates are taken over.
        let live = ["live", "--device", "cpu", "--style", "./tiny.safetensors"];
        let still = ["--source", source, "--seconds", "4", "--json"];
        let report = s.styleforge(&[&live[..], &still].concat()).ends(0).json();
        let delay = report["latency_ms"]["p50"].as_f64();
        assert!(delay > Some(0.0), "{source}: {}", report["latency_ms"]);
        let network = report["stages_ms"]["network_ms"].as_f64();
        assert!(network > Some(0.0), "{source}: {}", report["stages_ms"]);
    }
}

#[cfg(unix)]
#[test]
fn a_run_that_is_ended_by_a_signal_has_done_its_work() {
    use std::{
        io::{BufRead, BufReader},
        process::{Command, Stdio},
    };

    use crate::sandbox::Run;

    let s = Sandbox::new();
    for signal in ["-INT", "-TERM"] {
        let mut child = s
            .command(env!("CARGO_BIN_EXE_styleforge"))
            .args(["live", "--device", "cpu", "--style", "./tiny.safetensors"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let pace = lines.find(|l| l.as_ref().is_ok_and(|l| l.contains(" fps at ")));
        assert!(pace.is_some(), "no pictures came");
        let kill = Command::new("kill")
            .args([signal, &child.id().to_string()])
            .status();
        assert!(kill.expect("kill").success());
        // As from a shell that sends it to the program and to its group.
        let kill = Command::new("kill")
            .args([signal, &child.id().to_string()])
            .status();
        assert!(kill.is_ok());
        lines.for_each(drop);
        let run = Run::from(child.wait_with_output().expect("ends")).ends(0);
        assert!(run.text().contains("from source to picture"), "{signal}");
    }
    let help = s.styleforge(&["live", "--help"]).ends(0).text();
    assert!(
        help.contains("also when Ctrl-C or SIGTERM ended the run"),
        "{help}"
    );
}
