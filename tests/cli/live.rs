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
    assert!(chosen["holds"].is_boolean() && chosen["model"].is_null());
    let working = report["working_size"][0].as_u64();
    assert_eq!(chosen["long_side_px"].as_u64(), working);
    assert!(working >= Some(256), "the least that is chosen");

    let text = s.styleforge(&[&SECOND[..], &["--target-fps", "7"]].concat());
    assert!(text.ends(0).text().contains("automatic size: "));

    let fixed = ["--working-size", "64", "--json"];
    let report = s.styleforge(&[&SECOND[..], &fixed].concat()).ends(0).json();
    assert_eq!(report["working_size"][0], 64);
    assert!(report["automatic_size"].is_null(), "nothing was chosen");
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
