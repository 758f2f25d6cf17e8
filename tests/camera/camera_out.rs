//! Camera out: every error of a virtual camera, and the real program that writes to one.

use std::process::{Command, Output as Ended};

use engine::capture::{
    Output, OutputProblem, OutputRequest, cameras, open_output, virtual_cameras,
};
use serde_json::Value;

use crate::{
    Test,
    fake::{Fake, LOOP_CAMERA, LOOP_NEITHER, LOOP_OUTPUT, NAME, Switch},
};

pub const ALL: &[Test] = &[
    ("a_virtual_camera_is_no_source", a_virtual_camera_is_no_source),
    ("the_driver_decides_the_size", the_driver_decides_the_size),
    ("a_device_is_free_afterwards", a_device_is_free_afterwards),
    ("every_refusal_of_a_device_is_named", every_refusal_of_a_device_is_named),
    ("every_failed_picture_is_named", every_failed_picture_is_named),
    ("the_program_shows_its_painting", the_program_shows_its_painting),
    ("the_program_names_a_removed_device", the_program_names_a_removed_device),
    ("the_program_says_how_to_set_it_up", the_program_says_how_to_set_it_up),
];

const DEVICE: &str = "/dev/video10";

fn loaded() -> Fake {
    let fake = Fake::here();
    fake.load_virtual_camera();
    fake
}

fn open(device: Option<&str>) -> Result<Box<dyn Output>, OutputProblem> {
    let device = device.map(str::to_owned);
    open_output(&OutputRequest { device, size: (1280, 720), fps: 30 })
}

fn refusal(device: Option<&str>) -> String {
    open(device).err().expect("refused").to_string()
}

fn a_virtual_camera_is_no_source() {
    let fake = loaded();
    let known = virtual_cameras();
    assert_eq!((known.len(), &*known[0].device, &*known[0].label), (1, DEVICE, "StyleForge"));
    let sources =
        || cameras().expect("a list").into_iter().map(|camera| camera.name).collect::<Vec<_>>();
    assert_eq!(sources(), [NAME]);
    for name in [None, Some(DEVICE), Some("styleforge")] {
        let output = open(name).expect("open");
        assert_eq!(fake.get(Switch::LoopState), LOOP_CAMERA);
        assert_eq!(sources(), [NAME], "not even while it is a camera");
        assert_eq!(output.camera().device, DEVICE);
    }
}

fn the_driver_decides_the_size() {
    let fake = loaded();
    let mut output = open(None).expect("open");
    assert_eq!(output.size(), (1280, 720, 2560));
    assert_eq!(output.write(&vec![0; 2560 * 720]), Ok(true));
    assert_eq!(fake.get(Switch::LoopBytes), 2560 * 720);
    // A program that reads keeps an older size.
    fake.set(Switch::LoopWidth, 640);
    fake.set(Switch::LoopHeight, 480);
    output.agree().expect("agreed");
    assert_eq!(output.size(), (640, 480, 1280));
    drop(output);
    assert_eq!(open(None).expect("open").size(), (640, 480, 1280));
    fake.set(Switch::LoopFourcc, u32::from_le_bytes(*b"NV12"));
    assert!(refusal(None).contains("keeps NV12; close that program"));
}

fn a_device_is_free_afterwards() {
    let fake = loaded();
    for state in [LOOP_OUTPUT, LOOP_NEITHER] {
        fake.set(Switch::LoopState, state);
        let mut output = open(None).expect("open");
        assert_eq!(output.write(&vec![0; 2560 * 720]), Ok(true));
        drop(output);
        let after = [Switch::LoopState, Switch::LoopOpen].map(|switch| fake.get(switch));
        assert_eq!(after, [LOOP_OUTPUT, 0]);
    }
}

fn every_refusal_of_a_device_is_named() {
    let fake = loaded();
    for (switch, code, words) in [
        (
            Switch::LoopOpenError,
            libc::EACCES,
            "/dev/video10: it may not be opened: add yourself to the group video",
        ),
        (Switch::LoopOpenError, libc::EBUSY, "/dev/video10: another program writes to it"),
        (Switch::LoopFormatError, libc::EBUSY, "/dev/video10: another program writes to it"),
        (Switch::LoopFormatError, libc::EINVAL, "/dev/video10: it does not work"),
        (Switch::LoopFormatError, libc::ENOMEM, "choose a smaller size"),
    ] {
        fake.set(switch, code as u32);
        let message = refusal(None);
        assert!(message.contains(words) && !message.contains("os error"), "{message}");
        fake.set(switch, 0);
    }
    fake.set(Switch::LoopState, LOOP_CAMERA);
    assert!(refusal(None).contains("another program writes to it"), "it is a camera already");
    assert!(
        refusal(Some("/dev/video0"))
            .contains("/dev/video0: not a virtual camera; choose one of: /dev/video10")
    );
    assert_eq!(fake.get(Switch::LoopOpen), 0, "every refused device is closed");
}

fn every_failed_picture_is_named() {
    let fake = loaded();
    let mut output = open(None).expect("open");
    let picture = vec![0; 2560 * 720];
    for (code, words) in [
        (libc::ENODEV, "/dev/video10: it was removed"),
        (libc::ENOSPC, "it has no memory for pictures of this size"),
        (libc::EINVAL, "/dev/video10: it does not work"),
        (libc::EBUSY, "another program writes to it"),
    ] {
        fake.set(Switch::LoopWriteError, code as u32);
        let message = output.write(&picture).expect_err("refused").to_string();
        assert!(message.contains(words), "{message}");
    }
    fake.set(Switch::LoopWriteError, libc::EAGAIN as u32);
    assert_eq!(output.write(&picture), Ok(false), "the next picture may be taken");
    fake.set(Switch::LoopWriteError, 0);
    fake.set(Switch::LoopShort, 4096);
    let message = output.write(&picture).expect_err("refused").to_string();
    assert!(message.contains("its picture size keeps changing"), "{message}");
}

/// Runs live painting of the demo scene with camera out.
fn live(arguments: &[&str]) -> Ended {
    Command::new(env!("CARGO_BIN_EXE_styleforge"))
        .args(["live", "--device", "cpu", "--working-size", "64", "--json", "--camera-out"])
        .args(arguments)
        .output()
        .expect("started")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn the_program_shows_its_painting() {
    let fake = loaded();
    let ended = live(&["auto", "--camera-out-size", "640x480", "--frames", "3"]);
    assert!(ended.status.success(), "{}", text(&ended.stderr));
    let report: Value = serde_json::from_slice(&ended.stdout).expect("JSON");
    let out = &report["camera_out"];
    assert_eq!(out["camera"], serde_json::json!({"device": DEVICE, "label": "StyleForge"}));
    assert_eq!(out["size"], serde_json::json!([640, 480]));
    assert!(out["written"].as_u64() >= Some(1), "{out}");
    assert_eq!(fake.get(Switch::LoopBytes), 640 * 480 * 2);
    let after = [Switch::LoopState, Switch::LoopOpen].map(|switch| fake.get(switch));
    assert_eq!(after, [LOOP_OUTPUT, 0]);
}

fn the_program_names_a_removed_device() {
    let fake = loaded();
    fake.set(Switch::LoopWriteError, libc::ENODEV as u32);
    let ended = live(&[DEVICE]);
    assert_eq!(ended.status.code(), Some(1), "{}", text(&ended.stderr));
    assert!(
        text(&ended.stderr).contains("/dev/video10: it was removed"),
        "{}",
        text(&ended.stderr)
    );
}

fn the_program_says_how_to_set_it_up() {
    let ended = live(&["auto"]);
    assert_eq!(ended.status.code(), Some(2), "{}", text(&ended.stderr));
    let message = text(&ended.stderr);
    let command = "modprobe v4l2loopback exclusive_caps=1 card_label=\"StyleForge\"";
    assert!(
        message.contains("there is no virtual camera") && message.contains(command),
        "{message}"
    );
}
