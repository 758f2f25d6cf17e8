//! The attention setting: offered on a GPU, for styles whose network has attention.

use std::sync::Arc;

use eframe::egui::{Key, Modifiers};

use crate::window::Window;

const CHOICE: &str = "Engine: attention";

#[test]
fn attention_is_chosen_on_a_gpu_for_networks_that_have_it() {
    let folder = Arc::new(tempfile::tempdir().expect("a folder"));
    let mut w = Window::live_on_a_gpu(folder.clone());
    w.until_label("Advanced");
    w.click("Advanced");
    w.press(Key::P);
    w.until("candy", |w| w.pace().contains("fused fp32"));
    assert!(w.has("Engine: variant") && !w.has(CHOICE), "Candy has no attention");
    w.click("Tokens");
    w.until_label(CHOICE);
    assert!(!w.pace().contains("attention"), "{}", w.pace());
    w.choose(CHOICE, "Tiled");
    w.until("the mode", |w| w.pace().contains("fused fp32, tiled attention"));
    // A style without attention paints normally; the setting is restored for a style with attention and after a
    // restart.
    w.click("Candy");
    w.until("candy", |w| !w.has(CHOICE));
    w.until("the usual mode", |w| !w.pace().contains("attention"));
    w.click("Tokens");
    w.until("the mode", |w| w.pace().contains("tiled attention"));
    let settings = folder.path().join("settings.toml");
    w.until("the settings file", |_| {
        std::fs::read_to_string(&settings)
            .unwrap_or_default()
            .contains("mode = \"fused auto, tiled attention\"")
    });
    drop(w);
    let mut again = Window::live_on_a_gpu(folder);
    again.until_live();
    again.press(Key::P);
    again.until("the mode", |w| w.pace().contains("tiled attention"));
}

#[test]
fn each_side_of_a_comparison_has_an_attention_of_its_own() {
    let mut w = Window::live_on_a_gpu(Arc::new(tempfile::tempdir().expect("a folder")));
    w.until_live();
    w.press(Key::B);
    w.until_contains("Fused fp32 is ");
    assert!(!w.has("Left: attention") && !w.has("Right: attention"));
    w.click("Tokens");
    w.until_label("Left: attention");
    assert!(!w.has(CHOICE));
    w.choose("Left: attention", "Naive");
    w.choose("Right: attention", "Flash");
    w.until_contains("Fused fp32, flash attention is ");
    assert!(w.has_containing("baseline fp32, naive attention"));
}

#[test]
fn a_processor_offers_no_choice_of_attention() {
    let mut w = Window::painting_live();
    w.click("Advanced");
    assert!(w.has("Engine: variant") && !w.has(CHOICE));
    w.press(Key::B);
    w.until_contains("Fused fp32 is ");
    assert!(!w.has("Left: attention"));
}

/// On a CPU and on a GPU, the list contains what the device supports.
#[test]
fn the_engine_offers_what_the_device_has() {
    let mut w = Window::live();
    w.until_label("Advanced");
    w.click("Advanced");
    w.until_label("Engine: variant");
    w.open_list("Engine: variant");
    assert!(w.has("Baseline") && !w.has("Fused-norm"));
    w.key(Modifiers::NONE, Key::Escape);
    w.open_list("Engine: precision");
    assert!(w.has("int8") && w.has("fp32") && !w.has("fp16"));

    let folder = Arc::new(tempfile::tempdir().expect("a folder"));
    let mut w = Window::live_on_a_gpu(folder);
    w.until_label("Advanced");
    w.click("Advanced");
    w.until_label("Engine: variant");
    w.open_list("Engine: variant");
    assert!(w.has("Baseline") && w.has("Fused-norm"));
    w.key(Modifiers::NONE, Key::Escape);
    w.open_list("Engine: precision");
    assert!(w.has("fp16") && w.has("int8"));
}
