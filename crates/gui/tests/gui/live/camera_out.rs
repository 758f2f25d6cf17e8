//! Camera out: the button, what readers get, and the help to set it up. The virtual camera is scripted.

use eframe::egui::Key;
use engine::capture::OutputProblem;

use crate::{scripted::ScriptedOutput, window::Window};

/// Luma of the card's ground, which every painting of the tests differs from.
const CARD: u8 = 47;

fn shows_card(output: &ScriptedOutput) -> bool {
    let luma = output.luma();
    let ground = luma.iter().filter(|level| level.abs_diff(CARD) <= 2).count();
    ground > luma.len() * 3 / 4
}

impl Window {
    /// A live window with camera out.
    fn with_camera_out() -> (Self, ScriptedOutput) {
        let mut w = Self::painting_live();
        let output = w.platform.add_virtual_camera();
        w.press(Key::O);
        w.until_contains("Stop camera out, 1280 × 720, 30 fps");
        (w, output)
    }
}

#[test]
fn readers_get_the_painting_and_a_card_while_it_is_held() {
    let (mut w, output) = Window::with_camera_out();
    w.until("the painting", |_| output.luma().len() == 1280 * 720 && !shows_card(&output));
    w.press(Key::Space);
    w.until("a card", |_| shows_card(&output));
    w.press(Key::Space);
    w.until("the painting again", |_| !shows_card(&output));
    // Photos are not shown to other programs.
    w.press(Key::L);
    w.until("a card", |_| shows_card(&output));
    w.press(Key::L);
    w.until("the painting again", |_| !shows_card(&output));
    assert!(w.has_containing("Stop camera out"), "it has continued meanwhile");
    output.readers.store(2, std::sync::atomic::Ordering::Relaxed);
    w.until_contains("30 fps, in use by 2 programs");
    w.press(Key::O);
    w.until("the device to be closed", |w| w.has("Camera out") && !output.is_open());
    assert!(shows_card(&output), "the last picture is replaced");
}

#[test]
fn a_failure_ends_it_and_is_reported() {
    let (mut w, output) = Window::with_camera_out();
    let gone = OutputProblem::refused("/dev/video10", "it was removed");
    *output.problem.lock().expect("a problem") = Some(gone);
    w.until_contains("/dev/video10: it was removed");
    w.until("the end", |w| w.has("Camera out") && !output.is_open());
    *output.problem.lock().expect("a problem") = None;
    w.click("Camera out");
    w.until_contains("Stop camera out");
}

#[test]
fn without_a_device_the_commands_are_shown_and_copied() {
    let mut w = Window::painting_live();
    w.click("Camera out");
    w.until_label("Set up the virtual camera");
    let command = "modprobe v4l2loopback exclusive_caps=1 card_label=\"StyleForge\"";
    assert!(w.has_containing(command) && w.has_containing("after a restart"), "{:#?}", w.texts());
    w.click("Copy");
    w.until("the commands", |w| w.platform.text().contains(command));
    assert!(w.platform.text().contains("/etc/modules-load.d/v4l2loopback.conf"));
    assert!(!w.has("Set up the virtual camera") && w.has("Camera out"));
}

#[test]
fn the_size_is_remembered() {
    let mut w = Window::painting_live();
    w.choose("Camera out", "1920 × 1080");
    let mut w = w.reopened_live();
    w.until_live();
    w.platform.add_virtual_camera();
    w.press(Key::O);
    w.until_contains("Stop camera out, 1920 × 1080, 30 fps");
}
