//! Every way in which a camera fails. Each fault is reported by name, waited out, and ends without help.

use std::{
    thread,
    time::{Duration, Instant},
};

use engine::capture::{CameraId, CaptureError, CaptureProblem, CaptureSettings, formats};

use crate::{
    Test,
    fake::{Fake, GREY, H264, ID, MJPG, NAME, OPENINGS, Switch},
    real_time::within,
    stage::{Stage, until},
};

pub const ALL: &[Test] = &[
    ("no_camera_until_one_is_plugged_in", no_camera_until_one_is_plugged_in),
    ("unknown_names_are_reported_with_the_known", unknown_names_are_reported_with_the_known),
    ("busy_until_the_other_program_ends", busy_until_the_other_program_ends),
    ("opening_again_at_once_is_not_busy", opening_again_at_once_is_not_busy),
    ("denied_with_the_way_out", denied_with_the_way_out),
    ("unplugged_and_back_within_two_seconds", unplugged_and_back_within_two_seconds),
    ("stalled_and_back", stalled_and_back),
    ("a_camera_that_does_not_begin", a_camera_that_does_not_begin),
    ("a_driver_that_hangs_is_abandoned", a_driver_that_hangs_is_abandoned),
    ("a_changed_format_is_followed", a_changed_format_is_followed),
    ("a_changed_mjpeg_size_is_followed", a_changed_mjpeg_size_is_followed),
    ("damaged_frames_are_counted_and_not_shown", damaged_frames_are_counted_and_not_shown),
    ("frames_that_the_driver_flags_are_not_shown", frames_that_the_driver_flags_are_not_shown),
    ("no_format_that_can_be_read", no_format_that_can_be_read),
    ("a_size_that_no_memory_holds", a_size_that_no_memory_holds),
    ("a_camera_that_cannot_be_stopped", a_camera_that_cannot_be_stopped),
];

/// Time from plugging in, or from the end of a fault, to the first frame.
const BACK_WITHIN: Duration = Duration::from_secs(2);

fn no_camera_until_one_is_plugged_in() {
    let fake = Fake::here();
    fake.unplug();
    let mut stage = Stage::with("", CaptureSettings::default());
    assert_eq!(stage.waiting().0, CaptureProblem::NoCamera);
    stage.stays_quiet(Duration::from_millis(1200));
    fake.plug_in();
    let (_, after) = stage.started();
    within("coming back", after, BACK_WITHIN);
    stage.frame();
}

fn unknown_names_are_reported_with_the_known() {
    let fake = Fake::here();
    let stage = Stage::with("Holiday", CaptureSettings::default());
    let (problem, _) = stage.waiting();
    let CaptureProblem::Unknown { name, known } = &problem else {
        panic!("{problem:?}");
    };
    assert_eq!(name, "Holiday");
    assert_eq!(known, &[NAME]);
    assert!(problem.to_string().contains(NAME), "{problem}");
    fake.unplug();
    let (problem, _) = stage.waiting();
    assert_eq!(problem, CaptureProblem::Unknown { name: "Holiday".to_owned(), known: Vec::new() });
}

fn busy_until_the_other_program_ends() {
    let fake = Fake::here();
    fake.set(Switch::Busy, 1);
    let mut stage = Stage::new();
    let (problem, after) = stage.waiting();
    assert_eq!(problem, CaptureProblem::Busy);
    within("telling it", after, Duration::from_millis(800));
    assert!(problem.to_string().contains("close it there"));
    stage.stays_quiet(Duration::from_millis(1500));
    fake.set(Switch::Busy, 0);
    let (_, after) = stage.started();
    within("coming back", after, BACK_WITHIN);
    stage.frame();
}

fn opening_again_at_once_is_not_busy() {
    let fake = Fake::here();
    let mut stage = Stage::new();
    stage.started();
    for _ in 0..3 {
        stage.frame();
        // As when settings change: the old stream may still be closing the device.
        drop(stage);
        stage = Stage::new();
        let (_, after) = stage.started();
        within("opening it again", after, Duration::from_millis(900));
    }
    until("closed", || fake.get(Switch::Closed) + OPENINGS == fake.get(Switch::Opened));
}

fn denied_with_the_way_out() {
    let fake = Fake::here();
    fake.set(Switch::OpenError, libc::EACCES as u32);
    let mut stage = Stage::new();
    let (problem, _) = stage.waiting();
    assert!(matches!(problem, CaptureProblem::Denied { .. }), "{problem:?}");
    assert!(problem.to_string().contains("group video"), "{problem}");
    let refused = formats(&CameraId::new(ID)).expect_err("denied");
    assert_eq!(refused, CaptureError::Camera(problem));
    let listed = engine::capture::cameras().expect("listed");
    assert!(matches!(listed[0].problem, Some(CaptureProblem::Denied { .. })));
    fake.set(Switch::OpenError, 0);
    let (_, after) = stage.started();
    within("coming back", after, BACK_WITHIN);
    stage.frame();
}

fn unplugged_and_back_within_two_seconds() {
    let fake = Fake::here();
    let mut stage = Stage::new();
    stage.started();
    for _ in 0..2 {
        stage.frame();
        fake.unplug();
        let (problem, after) = stage.waiting();
        assert_eq!(problem, CaptureProblem::Unplugged);
        within("telling it", after, Duration::from_millis(500));
        stage.sends_nothing(Duration::from_millis(700));
        stage.stays_quiet(Duration::from_millis(700));
        fake.plug_in();
        let plugged = Instant::now();
        stage.frame();
        within("coming back", plugged.elapsed(), BACK_WITHIN);
        stage.started();
    }
    let (opened, closed) = (fake.get(Switch::Opened), fake.get(Switch::Closed));
    assert_eq!(opened, closed + OPENINGS, "the dead ones were closed");
}

fn stalled_and_back() {
    let fake = Fake::here();
    let mut stage = Stage::new();
    stage.started();
    // The second frame shows that this driver announces frames. Before that, the session would wait in nokhwa, as it
    // does in a_camera_that_does_not_begin.
    for _ in 0..3 {
        stage.frame();
    }
    fake.set(Switch::Stalled, 1);
    let (problem, after) = stage.waiting();
    let CaptureProblem::Stalled { ms } = problem else {
        panic!("{problem:?}");
    };
    assert!(ms >= 500, "{ms}");
    within("the silence", Duration::from_millis(ms), Duration::from_millis(1500));
    within("telling it", after, Duration::from_millis(1500));
    until("closed", || fake.get(Switch::Closed) == fake.get(Switch::Opened));
    // The camera is still stalled when it is opened again: nothing new is reported, and the device is retried.
    let opened = fake.get(Switch::Opened);
    until("is reopened", || fake.get(Switch::Opened) > opened);
    stage.stays_quiet(Duration::from_millis(300));
    fake.set(Switch::Stalled, 0);
    let (_, after) = stage.started();
    within("coming back", after, BACK_WITHIN);
    stage.frame();
}

fn a_camera_that_does_not_begin() {
    let fake = Fake::here();
    fake.set(Switch::Stalled, 1);
    let mut stage = Stage::new();
    let (problem, after) = stage.waiting();
    assert!(matches!(problem, CaptureProblem::Stalled { .. }), "{problem:?}");
    // Cameras may take 5 s to wake up.
    within("telling it", after, Duration::from_millis(6500));
    // nokhwa starts a camera and waits for its first frame in one call. The abandoned thread therefore keeps the device
    // until a frame arrives, and only then is the device opened again.
    stage.stays_quiet(Duration::from_millis(1500));
    fake.set(Switch::Stalled, 0);
    let (_, after) = stage.started();
    within("coming back", after, BACK_WITHIN);
    stage.frame();
    until("closed", || fake.get(Switch::Closed) + OPENINGS == fake.get(Switch::Opened));
}

fn a_driver_that_hangs_is_abandoned() {
    let fake = Fake::here();
    let mut stage = Stage::new();
    stage.started();
    stage.frame();
    fake.set(Switch::Hangs, fake.get(Switch::Generation));
    let (problem, after) = stage.waiting();
    assert!(matches!(problem, CaptureProblem::Stalled { .. }), "{problem:?}");
    within("telling it", after, Duration::from_millis(2500));
    // The old thread keeps the device busy; this is not reported as use by another program.
    stage.stays_quiet(Duration::from_millis(2500));
    fake.unplug();
    let (problem, _) = stage.waiting();
    assert_eq!(problem, CaptureProblem::Unplugged);
    // The abandoned thread still has the old number.
    fake.plug_in_as(2);
    let plugged = Instant::now();
    stage.frame();
    within("coming back", plugged.elapsed(), BACK_WITHIN);
    stage.started();
    // The old thread returns, finds a dead device, and closes it.
    fake.set(Switch::Hangs, 0);
    until("closed", || fake.get(Switch::Closed) + OPENINGS == fake.get(Switch::Opened));
    for _ in 0..5 {
        stage.frame();
    }
    // A handle does not wait for a camera that hangs either.
    fake.set(Switch::Hangs, fake.get(Switch::Generation));
    thread::sleep(Duration::from_millis(100));
    let dropped = Instant::now();
    drop(stage.capture);
    within("letting go", dropped.elapsed(), Duration::from_millis(100));
}

fn a_changed_format_is_followed() {
    let fake = Fake::here();
    let mut stage = Stage::new();
    assert_eq!(stage.started().0.width, 640);
    stage.frame();
    fake.set(Switch::Height, 240);
    fake.set(Switch::Width, 320);
    assert_eq!(stage.waiting().0, CaptureProblem::FormatChanged);
    let (format, after) = stage.started();
    assert_eq!((format.width, format.height), (320, 240));
    within("coming back", after, BACK_WITHIN);
    while stage.frame().frame.width() != 320 {}
}

fn a_changed_mjpeg_size_is_followed() {
    let fake = Fake::here();
    fake.write_jpegs();
    fake.set(Switch::Kinds, MJPG);
    let mut stage = Stage::new();
    assert_eq!(stage.started().0.width, 640);
    stage.frame();
    fake.set(Switch::Height, 240);
    fake.set(Switch::Width, 320);
    let (problem, after) = stage.waiting();
    assert_eq!(problem, CaptureProblem::FormatChanged);
    // Reported with the first frame.
    within("telling it", after, Duration::from_millis(600));
    assert_eq!(stage.started().0.width, 320);
    while stage.frame().frame.width() != 320 {}
}

fn damaged_frames_are_counted_and_not_shown() {
    let fake = Fake::here();
    fake.write_jpegs();
    // Formats other than YUYV: nokhwa returns the whole buffer without the number of filled bytes.
    for kind in [GREY, MJPG] {
        fake.set(Switch::Kinds, kind);
        let mut stage = Stage::new();
        stage.started();
        stage.frame();
        fake.set(Switch::Damage, 1);
        until("counted", || stage.capture.damaged_frames() > 2);
        stage.sends_nothing(Duration::from_millis(500));
        fake.set(Switch::Damage, 0);
        stage.frame();
        // If nothing else arrives, it is reported and retried.
        fake.set(Switch::Damage, 1);
        stage.until_waiting(&CaptureProblem::Damaged);
        fake.set(Switch::Damage, 0);
        stage.started();
        stage.frame();
        stage.capture.stop();
        until("closed", || fake.get(Switch::Closed) == fake.get(Switch::Opened));
    }
}

fn frames_that_the_driver_flags_are_not_shown() {
    let fake = Fake::here();
    // nokhwa does not return a frame's flags; grey is read without nokhwa.
    fake.set(Switch::Kinds, GREY);
    let mut stage = Stage::new();
    stage.started();
    fake.set(Switch::Damage, 2);
    until("counted", || stage.capture.damaged_frames() > 2);
    stage.sends_nothing(Duration::from_millis(300));
    fake.set(Switch::Damage, 0);
    stage.frame();
}

fn no_format_that_can_be_read() {
    let fake = Fake::here();
    fake.set(Switch::Kinds, H264);
    let stage = Stage::new();
    let (problem, _) = stage.waiting();
    let offered = "H264".to_owned();
    assert_eq!(problem, CaptureProblem::NoFormat { offered });
}

fn a_size_that_no_memory_holds() {
    let fake = Fake::here();
    fake.write_jpegs();
    fake.set(Switch::Kinds, MJPG);
    // Frames of 4 TiB.
    let side = 1 << 20;
    fake.set(Switch::Height, side);
    fake.set(Switch::Width, side);
    let mut stage = Stage::new();
    let (width, height) = (side, side);
    assert_eq!(stage.waiting().0, CaptureProblem::FrameSize { width, height });
    fake.set(Switch::Width, 0);
    stage.started();
    stage.frame();
}

fn a_camera_that_cannot_be_stopped() {
    let fake = Fake::here();
    // A stream of nokhwa panics if it cannot be stopped, and again when its buffers are freed. No driver that uses the
    // kernel's buffer queue refuses to stop. Grey is read without nokhwa.
    fake.set(Switch::Kinds, GREY);
    let mut stage = Stage::new();
    stage.started();
    fake.set(Switch::StopError, libc::EIO as u32);
    fake.set(Switch::Stalled, 1);
    let (problem, _) = stage.waiting();
    assert!(matches!(problem, CaptureProblem::Stalled { .. }), "{problem:?}");
    // A stream that cannot be stopped stays open. The program continues, and a new socket works.
    thread::sleep(Duration::from_millis(1500));
    fake.set(Switch::StopError, 0);
    fake.set(Switch::Stalled, 0);
    while stage.capture.poll().is_some() {}
    fake.unplug();
    thread::sleep(Duration::from_millis(1500));
    fake.plug_in();
    stage.reader.take();
    stage.frame();
}
