//! Pictures of a working camera.

use std::time::Duration;

use engine::capture::{CaptureSettings, PixelFormat, Rotation};
use values::frame::Frame;

use crate::{
    Test,
    fake::{
        BGR3, Fake, GREY, ID, MJPG, NAME, NV12, NV21, RGB3, Switch, UYVY, XR24, Y10, Y16, YU12,
        YUYV, YV12, YVYU, smooth_picture,
    },
    real_time::{is_judged, within},
    stage::{Stage, until},
};

pub const ALL: &[Test] = &[
    ("every_format_arrives", every_format_arrives),
    ("colours_follow_the_driver", colours_follow_the_driver),
    ("mjpeg_arrives", mjpeg_arrives),
    ("a_larger_mjpeg_picture_is_cropped", a_larger_mjpeg_picture_is_cropped),
    ("frames_that_stay_raw_become_the_same", frames_that_stay_raw_become_the_same),
    ("turned_mirrored_and_smaller", turned_mirrored_and_smaller),
    ("formats_can_be_set_by_hand", formats_can_be_set_by_hand),
    ("rates_that_are_no_whole_number", rates_that_are_no_whole_number),
    ("cameras_are_found_by_name", cameras_are_found_by_name),
    ("the_working_size_reopens_the_camera", the_working_size_reopens_the_camera),
    ("stopping_releases_the_device_at_once", stopping_releases_the_device_at_once),
];

/// Tests that only check real time.
pub const IN_REAL_TIME: &[Test] =
    &[("frames_come_at_the_cameras_rate", frames_come_at_the_cameras_rate)];

/// The picture of `shim.c`: brightness, blue and red difference, or red, green and blue.
fn drawn(x: usize, y: usize) -> [u8; 3] {
    [(x + 2 * y) as u8, (64 + x / 8) as u8, (192 - y / 8) as u8]
}

/// BT.601, limited range, as written in the standard.
fn bt601([luma, u, v]: [u8; 3]) -> [f64; 3] {
    let y = (f64::from(luma) - 16.0) / 219.0;
    let (cb, cr) = ((f64::from(u) - 128.0) / 224.0, (f64::from(v) - 128.0) / 224.0);
    let (r, b) = (y + 1.402 * cr, y + 1.772 * cb);
    let g = (y - 0.299 * r - 0.114 * b) / 0.587;
    [r, g, b].map(|c| (c * 255.0).clamp(0.0, 255.0))
}

fn shows(frame: &Frame, wanted: impl Fn(usize, usize) -> [f64; 3], tolerance: f64) {
    for y in 0..frame.height() {
        for x in 0..frame.width() {
            let (got, wanted) = (frame.pixel(x, y), wanted(x, y));
            for c in 0..3 {
                let apart = (f64::from(got[c]) - wanted[c]).abs();
                assert!(apart <= tolerance, "{x}, {y}: {got:?} for {wanted:?}");
            }
            assert_eq!(got[3], 255);
        }
    }
}

fn every_format_arrives() {
    let fake = Fake::here();
    for (kind, pixels) in [
        (YUYV, PixelFormat::Yuyv),
        (NV12, PixelFormat::Nv12),
        (RGB3, PixelFormat::Rgb),
        (GREY, PixelFormat::Grey),
        (UYVY, PixelFormat::Uyvy),
        (YVYU, PixelFormat::Yvyu),
        (NV21, PixelFormat::Nv21),
        (YU12, PixelFormat::Yu12),
        (YV12, PixelFormat::Yv12),
        (BGR3, PixelFormat::Bgr),
        (XR24, PixelFormat::Bgra),
        (Y10, PixelFormat::Grey10),
        (Y16, PixelFormat::Grey16),
    ] {
        fake.set(Switch::Kinds, kind);
        let mut stage = Stage::new();
        let (format, _) = stage.started();
        assert_eq!(format.pixels, pixels);
        assert_eq!((format.width, format.height), (640, 480));
        let captured = stage.frame();
        let frame = &captured.frame;
        assert_eq!((frame.width(), frame.height()), (640, 480));
        assert!(captured.decode_ms > 0.0);
        shows(
            frame,
            |x, y| {
                let plain = drawn(x, y).map(f64::from);
                let pair = |v: usize| v / 2 * 2;
                match pixels.kept_as() {
                    PixelFormat::Yuyv => {
                        bt601([drawn(x, y)[0], drawn(pair(x), y)[1], drawn(x, y)[2]])
                    }
                    PixelFormat::Nv12 => {
                        let colour = drawn(pair(x), pair(y));
                        bt601([drawn(x, y)[0], colour[1], colour[2]])
                    }
                    PixelFormat::Grey => [plain[0]; 3],
                    _ => plain,
                }
            },
            0.51,
        );
        stage.capture.stop();
        until("closed", || fake.get(Switch::Closed) == fake.get(Switch::Opened));
    }
}

fn colours_follow_the_driver() {
    let fake = Fake::here();
    // Colour space, encoding and range as in videodev2.h, the weights of red and blue, and whether the range is full.
    for ([space, encoding, range], (kr, kb), full) in [
        // BT.709 by its colour space, or only by its encoding.
        ([3, 0, 0], (0.2126, 0.0722), false),
        ([0, 2, 0], (0.2126, 0.0722), false),
        // JPEG: BT.601 in the full range.
        ([7, 0, 0], (0.299, 0.114), true),
        ([0, 0, 1], (0.299, 0.114), true),
        ([7, 0, 2], (0.299, 0.114), false),
    ] {
        fake.set(Switch::Space, space);
        fake.set(Switch::Encoding, encoding);
        fake.set(Switch::Range, range);
        for kind in [YUYV, YU12] {
            fake.set(Switch::Kinds, kind);
            let mut stage = Stage::new();
            stage.started();
            let wanted = |x: usize, y: usize| {
                let rows = if kind == YU12 { y / 2 * 2 } else { y };
                let [luma, u, v] = [drawn(x, y)[0], drawn(x / 2 * 2, y)[1], drawn(x, rows)[2]];
                let (black, y_range, c_range) =
                    if full { (0.0, 255.0, 255.0) } else { (16.0, 219.0, 224.0) };
                let y = (f64::from(luma) - black) / y_range;
                let [cb, cr] = [u, v].map(|c| (f64::from(c) - 128.0) / c_range);
                let (r, b) = (y + 2.0 * (1.0 - kr) * cr, y + 2.0 * (1.0 - kb) * cb);
                let g = (y - kr * r - kb * b) / (1.0 - kr - kb);
                [r, g, b].map(|c| (c * 255.0).clamp(0.0, 255.0))
            };
            shows(&stage.frame().frame, wanted, 0.51);
            stage.capture.stop();
            until("closed", || fake.get(Switch::Closed) == fake.get(Switch::Opened));
        }
    }
}

fn a_larger_mjpeg_picture_is_cropped() {
    let fake = Fake::here();
    fake.write_jpegs();
    fake.write_jpeg_as((640, 488), (640, 480));
    fake.set(Switch::Kinds, MJPG);
    let settings = CaptureSettings { source_px: 640, ..CaptureSettings::default() };
    let mut stage = Stage::with(ID, settings);
    let (format, _) = stage.started();
    assert_eq!((format.width, format.height), (640, 480));
    let frame = stage.frame().frame.clone();
    assert_eq!((frame.width(), frame.height()), (640, 480));
    shows(&frame, |x, y| smooth_picture(x as u32, y as u32, 640, 488).map(f64::from), 6.0);
}

fn mjpeg_arrives() {
    let fake = Fake::here();
    fake.write_jpegs();
    fake.set(Switch::Kinds, MJPG);
    let settings = CaptureSettings { source_px: 1280, ..CaptureSettings::default() };
    let mut stage = Stage::with(ID, settings);
    let (format, _) = stage.started();
    assert_eq!(format.pixels, PixelFormat::Mjpeg);
    let captured = stage.frame();
    assert_eq!(captured.frame.width(), 1280);
    let wanted = |x, y| smooth_picture(x as u32, y as u32, 1280, 720).map(f64::from);
    shows(&captured.frame, wanted, 6.0);
}

/// Compares a camera's frames that the reader decodes with those that the camera's thread decodes.
fn frames_that_stay_raw_become_the_same() {
    let fake = Fake::here();
    fake.write_jpegs();
    let turned =
        CaptureSettings { rotate: Rotation::Quarter, mirror: true, ..CaptureSettings::default() };
    let smaller = CaptureSettings { frame_px: 320, ..turned.clone() };
    for (kind, settings, stays_raw) in [
        (YUYV, CaptureSettings::default(), true),
        (NV12, turned.clone(), true),
        (RGB3, turned.clone(), true),
        (GREY, turned, true),
        (YUYV, smaller, false),
        (MJPG, CaptureSettings::default(), false),
    ] {
        fake.set(Switch::Kinds, kind);
        let mut stage = Stage::with(ID, settings);
        let decoded = stage.frame().frame.clone();
        stage.capture.set_takes_raw(true);
        // One frame may already be on its way.
        stage.frame();
        let captured = stage.frame();
        assert_eq!(captured.raw().is_some(), stays_raw, "{kind}");
        assert_eq!(captured.size(), (decoded.width(), decoded.height()));
        let mut scratch = Frame::from_fn(1, 1, |_, _| [0; 4]);
        assert_eq!(stage.reader.value.decoded(&mut scratch), &decoded, "{kind}");
        assert!(stage.reader.value.raw().is_none());
        stage.capture.stop();
        until("closed", || fake.get(Switch::Closed) == fake.get(Switch::Opened));
    }
}

fn turned_mirrored_and_smaller() {
    let settings = CaptureSettings {
        rotate: Rotation::Quarter,
        mirror: true,
        frame_px: 320,
        ..CaptureSettings::default()
    };
    let mut stage = Stage::with(ID, settings);
    let frame = &stage.frame().frame;
    assert_eq!((frame.width(), frame.height()), (240, 320));
    // A quarter turn and a mirror exchange columns and rows; each pixel is the mean of four.
    for (x, y) in [(0, 0), (10, 3), (200, 100)] {
        let mut mean = [0.0; 3];
        for (dx, dy) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
            let (sx, sy) = (y * 2 + dx, x * 2 + dy);
            let pair = sx / 2 * 2;
            let pixel = bt601([drawn(sx, sy)[0], drawn(pair, sy)[1], drawn(sx, sy)[2]]);
            for c in 0..3 {
                mean[c] += pixel[c] / 4.0;
            }
        }
        let got = frame.pixel(x, y);
        for c in 0..3 {
            assert!((f64::from(got[c]) - mean[c]).abs() < 1.6, "{got:?} {mean:?}");
        }
    }
}

fn formats_can_be_set_by_hand() {
    let fake = Fake::here();
    fake.set(Switch::Kinds, YUYV | NV12);
    let settings = CaptureSettings {
        size: Some((320, 240)),
        format: Some(PixelFormat::Nv12),
        ..CaptureSettings::default()
    };
    let (format, _) = Stage::with(ID, settings).started();
    assert_eq!(format.to_string(), "320 x 240, 30 fps, NV12");
}

fn rates_that_are_no_whole_number() {
    let fake = Fake::here();
    fake.set(Switch::Intervals, 1);
    let stage = Stage::new();
    let (format, _) = stage.started();
    assert_eq!(format.to_string(), "640 x 480, 29.97 fps, YUYV");
    stage.capture.stop();
    until("closed", || fake.get(Switch::Closed) == fake.get(Switch::Opened));
    fake.set(Switch::Intervals, 2);
    let (format, _) = Stage::new().started();
    assert_eq!(format.to_string(), "640 x 480, 30 fps, YUYV", "from a range");
}

fn cameras_are_found_by_name() {
    let fake = Fake::here();
    for name in [ID, NAME, "fake", "", "/dev/video0"] {
        let stage = Stage::with(name, CaptureSettings::default());
        stage.started();
        stage.capture.stop();
        until("closed", || fake.get(Switch::Closed) == fake.get(Switch::Opened));
    }
    fake.forget_stable_names();
    let by_socket = format!("{NAME} (1-1:1.0)");
    let listed = engine::capture::cameras().expect("listed");
    assert_eq!(listed.len(), 1, "the other device gives no pictures");
    assert_eq!(listed[0].id.as_str(), by_socket);
}

fn the_working_size_reopens_the_camera() {
    let mut stage = Stage::new();
    assert_eq!(stage.started().0.width, 640);
    stage.capture.set_source_px(1280);
    let (format, after) = stage.started();
    assert_eq!(format.width, 1280);
    let early = after < Duration::from_secs(4);
    assert!(!is_judged() || !early, "not at once: {after:?}");
    while stage.frame().frame.width() != 1280 {}
    stage.capture.set_source_px(1200);
    stage.stays_quiet(Duration::from_millis(5500));
}

fn frames_come_at_the_cameras_rate() {
    let mut stage = Stage::new();
    stage.started();
    let first = stage.frame();
    let (began, from) = (first.captured_at, first.sequence);
    let mut last = (began, from);
    while last.0.duration_since(began) < Duration::from_secs(2) {
        let captured = stage.frame();
        last = (captured.captured_at, captured.sequence);
    }
    let fps = (last.1 - from) as f64 / last.0.duration_since(began).as_secs_f64();
    assert!((15.0..32.0).contains(&fps), "{fps}");
}

fn stopping_releases_the_device_at_once() {
    let fake = Fake::here();
    for stalls in [0, 1] {
        let mut stage = Stage::new();
        stage.started();
        stage.frame();
        assert_eq!(fake.get(Switch::Streaming), 1);
        fake.set(Switch::Stalled, stalls);
        std::thread::sleep(Duration::from_millis(100));
        stage.capture.stop();
        let after = until("released", || {
            fake.get(Switch::Streaming) == 0 && fake.get(Switch::Closed) == fake.get(Switch::Opened)
        });
        // 40 ms, plus the machine's overhead.
        within("releasing it", after, Duration::from_millis(250));
        fake.set(Switch::Stalled, 0);
    }
}
