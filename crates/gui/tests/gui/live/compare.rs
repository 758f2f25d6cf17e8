//! Two modes side by side, their equality check, and their benchmark.

use eframe::egui::{Key, Shape};

use egui_kittest::kittest::Queryable;

use crate::{support::Behaviour, window::Window};

#[test]
fn two_modes_are_compared_and_a_ratio_is_shown_with_the_check() {
    let mut w = Window::painting_live();
    w.press(Key::B);
    w.until_contains("Fused fp32 is ");
    assert!(
        w.has_containing("times as fast") && w.has_containing("Results match: no byte differs")
    );
    assert!(w.has_containing("Picture, baseline fp32 and fused fp32"));
    w.choose("Right: variant", "Fused-norm");
    w.until_contains("Fused-norm fp32 is ");
    w.click("Show side by side");
    w.click("Difference");
    w.until_contains("Picture, difference,");
    assert!(w.has("No difference: everything is grey"));
    w.press(Key::Escape);
    w.press(Key::Escape);
    w.until_contains("Picture, painted");
    assert!(!w.has_containing("times as fast"));
}

#[test]
fn the_lab_holds_the_comparison() {
    let mut w = Window::painting_live();
    w.press(Key::B);
    w.until_label("Difference");
    // Whatever the comparison opened closes with it.
    w.press(Key::B);
    w.until("the Lab to go", |w| !w.has("Show counters"));
    w.press(Key::P);
    w.click("Show compare");
    w.until_label("Start comparing");
    assert!(!w.has("Difference"));
    w.click("Start comparing");
    w.until_contains("times as fast");
    // It continues even when hidden, and keeps a Lab that was already open.
    w.click("Show counters");
    w.until("the comparison to make room", |w| !w.has("Difference"));
    assert!(w.has_containing("Picture, baseline fp32 and fused fp32"));
    w.press(Key::B);
    w.until_contains("Picture, painted");
    assert!(w.has("Show counters") && !w.has("Difference"));
}

#[test]
fn pictures_that_differ_show_no_ratio() {
    let mut w = Window::painting_live();
    w.script.let_the_baseline_be_off(3);
    w.press(Key::B);
    w.until_contains("Not comparable: ");
    assert!(w.has_containing("off by 3"), "{:#?}", w.texts());
    // The text about the shown frame is not mistaken for the text about the checks.
    w.click("Difference");
    // More than 3 after upscaling, if a busy computer paints smaller pictures.
    w.until("the difference", |w| {
        let difference = (3..16).map(|levels| format!("in this frame: {levels} of 255"));
        difference.into_iter().any(|text| w.has_containing(&text))
    });
    assert!(w.has_containing("Worst check: max difference 3/255"));
    assert!(!w.has_containing("times as fast"));
    // A failed check stays failed until something changes, so that the ratio does not flicker.
    w.script.let_the_baseline_be_off(0);
    std::thread::sleep(std::time::Duration::from_millis(700));
    w.step();
    assert!(w.has_containing("Not comparable: ") && !w.has_containing("times as fast"));
    w.choose("Right: variant", "Fused-norm");
    w.until_contains("Fused-norm fp32 is ");
    assert!(!w.has_containing("Not comparable"));
}

#[test]
fn the_key_for_differences_says_that_there_is_no_comparison() {
    let mut w = Window::painting_live();
    w.press(Key::D);
    w.until_label("Start a comparison (B) to show the difference.");
    assert!(w.has_containing("Picture, painted"));
    w.press(Key::B);
    w.until_label("Difference");
    w.press(Key::D);
    w.until_contains("Picture, difference,");
}

/// Starts a benchmark in its tab of the Lab.
fn start_benchmark(w: &mut Window) {
    w.click("Show benchmark");
    w.click("Start benchmark");
}

/// Waits for a report, by a button that only the report has: its text also occurs in the tab.
fn until_the_report(w: &mut Window) {
    w.until_label("JSON…");
    assert!(w.has_containing("200 interleaved frames of each after"));
}

#[test]
fn a_measurement_has_a_report_to_save() {
    let mut w = Window::painting_live();
    w.press(Key::B);
    w.until_contains("times as fast");
    start_benchmark(&mut w);
    until_the_report(&mut w);
    assert!(w.has_containing("Results match by the rule for fp32"));
    for (button, name, words) in [
        ("JSON…", "report.json", "\"ratio\""),
        ("CSV…", "report.csv", "p50_ms"),
        ("Text…", "report.txt", "Candy lite at "),
        // A name without an extension gets one.
        ("Chart…", "chart", "PNG"),
    ] {
        let path = w.path(name);
        w.platform.answer(Some(path.clone()));
        w.click(button);
        let path = if path.extension().is_some() { path } else { path.with_extension("png") };
        w.until("the file", |_| path.exists());
        // The message about it covers none of the dialog's buttons.
        w.until_contains(&path.display().to_string());
        for button in ["Copy", "Text…", "JSON…", "CSV…", "Chart…"] {
            let button = w.harness.get_by_label(button).rect();
            for message in w.harness.query_all_by_label("Dismiss") {
                let bottom = message.rect().bottom() + 16.0;
                assert!(bottom < button.top(), "{bottom} over {button:?}");
            }
        }
        let bytes = std::fs::read(&path).expect("a file");
        assert!(bytes.windows(words.len()).any(|w| w == words.as_bytes()), "{name}");
    }
    w.click("Copy");
    w.until("the clipboard", |w| {
        let text = w.platform.text();
        text.contains("Candy lite at ") && text.contains("p95")
    });
    w.press(Key::Escape);
    w.until("the report to go", |w| !w.has("JSON…"));
    // The comparison continues.
    w.click("Show compare");
    w.until_contains("times as fast");
}

#[test]
fn a_benchmark_has_a_tab_of_its_own_and_needs_no_comparison() {
    let mut w = Window::painting_live();
    w.press(Key::P);
    w.until_label("Show counters");
    let tabs = ["compare", "benchmark", "steps", "roofline", "counters"];
    let left = |tab| {
        let name = format!("Show {tab}");
        w.harness.get_by_label(&name).rect().left()
    };
    assert!(tabs.map(left).is_sorted());
    start_benchmark(&mut w);
    until_the_report(&mut w);
    w.press(Key::Escape);
    w.until_label("Start benchmark");
    assert!(w.has_containing("Picture, painted"));
}

#[test]
fn the_report_is_a_dialog_as_others_are() {
    let mut w = Window::live_sized(720.0, 480.0);
    w.until_live();
    w.press(Key::B);
    w.until_contains("times as fast");
    start_benchmark(&mut w);
    until_the_report(&mut w);
    let window = eframe::egui::Rect::from_min_size(
        eframe::egui::Pos2::ZERO,
        eframe::egui::vec2(720.0, 480.0),
    );
    let rect = |w: &Window, name: &str| w.harness.get_by_label(name).rect();
    for name in ["Benchmark report", "Copy", "JSON…", "Chart…", "Close"] {
        assert!(window.contains_rect(rect(&w, name)), "{name}");
    }
    assert!(rect(&w, "Benchmark report").bottom() < rect(&w, "Copy").top());
    // The window's keys are ignored while the dialog is open.
    let style = w.is_chosen("Candy");
    w.press(Key::Num2);
    assert_eq!(w.is_chosen("Candy"), style);
    assert!(w.has("JSON…"));
    w.click("Close");
    w.until("the report to go", |w| !w.has("JSON…"));
}

#[test]
fn a_measurement_can_be_stopped() {
    let mut w = Window::painting_live();
    w.press(Key::B);
    w.until_contains("times as fast");
    // Live pictures continue until the measurement has the device, so its button stays in place. The measurement then
    // waits for its first session.
    w.script.hold_opening();
    start_benchmark(&mut w);
    w.click("Cancel benchmark");
    w.script.release();
    w.until("its end", |w| !w.has("Cancel benchmark"));
    w.click("Show compare");
    w.until_contains("times as fast");
    assert!(!w.has_containing("The benchmark failed"));
    assert!(!w.has("JSON…"));
    let stopped = "Benchmark stopped after 0 of 200 frames of each. There is no report.";
    w.until("the message to go", |w| !w.has(stopped));
    // Esc stops it with a message; the comparison continues.
    w.script.hold_opening();
    start_benchmark(&mut w);
    w.until_label("Cancel benchmark");
    w.until_contains(". Estimating the time left");
    w.press(Key::Escape);
    w.until_label(stopped);
    w.script.release();
    w.until("its end", |w| !w.has("Cancel benchmark"));
    w.click("Show compare");
    w.until_contains("times as fast");
}

#[test]
fn steps_are_timed_in_one_mode_to_which_a_button_leads_back() {
    let mut w = Window::painting_live();
    w.press(Key::B);
    w.until_contains("times as fast");
    let why = "Steps are not timed during a comparison";
    w.click("Show steps");
    w.until_contains(why);
    w.click("Stop comparing");
    w.until_contains("Picture, painted");
    assert!(w.has("Show steps") && !w.has_containing(why));
}

#[test]
fn the_view_before_a_comparison_comes_back() {
    let mut w = Window::painting_live();
    let compared = "Picture, baseline fp32 and fused fp32, ";
    w.press(Key::G);
    w.until_label("Paint live in Wave");
    w.press(Key::B);
    w.until_contains(compared);
    w.press(Key::Escape);
    w.until_label("Paint live in Wave");
    w.click("Gallery");
    w.click("Show original");
    w.until_contains("Picture, original, ");
    w.press(Key::B);
    w.until_contains(compared);
    w.click("Compare");
    w.until_contains("Picture, original, ");
    // Also if the comparison ended because it failed.
    w.press(Key::B);
    w.until_contains(compared);
    w.script.behave(Behaviour::Fail);
    w.until_contains("Live painting is not possible");
    w.script.behave(Behaviour::Invert);
    w.press(Key::Num2);
    w.until_contains("Picture, original, ");
}

#[test]
fn the_lab_is_as_high_with_every_tab() {
    let mut w = Window::painting_live();
    w.press(Key::P);
    w.until_label("Show counters");
    w.step();
    let top = |w: &Window| w.harness.get_by_label("Show counters").rect().top();
    let before = top(&w);
    for tab in ["Show compare", "Show benchmark", "Show steps", "Show counters"] {
        w.click(tab);
        w.step();
        assert_eq!(top(&w), before, "{tab}");
    }
}

#[test]
fn figures_never_overlap() {
    let mut w = Window::painting_live();
    w.press(Key::B);
    w.until("the ratio", |w| {
        let shapes = w.harness.output().shapes.iter();
        let figures = shapes.filter_map(|clipped| match &clipped.shape {
            Shape::Text(text) => Some(text),
            _ => None,
        });
        let places: Vec<_> = figures
            .filter(|text| [" ms", " fps"].iter().any(|unit| text.galley.text().ends_with(unit)))
            .map(|text| text.visual_bounding_rect().shrink(1.0))
            .collect();
        for (at, place) in places.iter().enumerate() {
            assert!(!places[..at].iter().any(|p| p.intersects(*place)), "{places:?}");
        }
        w.has_containing("times as fast")
    });
}
