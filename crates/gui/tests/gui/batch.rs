//! A folder of photos in several styles.

use std::fs;

use eframe::egui::{Role, accesskit::Toggled};
use egui_kittest::kittest::{NodeT, Queryable, by};
use pictures::decode;

use crate::{
    support::{inverted, photo},
    window::Window,
};

/// Clicks the checkbox of a style; the style's card has the same name.
fn tick(w: &mut Window, style: &str) {
    w.until("the box to rest", |w| {
        w.harness.query(by().label(style).role(Role::CheckBox)).is_some()
    });
    let ticked = by().label(style).role(Role::CheckBox);
    w.harness.get(ticked).click();
    w.step();
}

fn is_ticked(w: &Window, style: &str) -> bool {
    let node = w.harness.get(by().label(style).role(Role::CheckBox));
    node.accesskit_node().toggled() == Some(Toggled::True)
}

fn can_start(w: &Window) -> bool {
    !w.harness.get_by_label(&w.folder_button()).accesskit_node().is_disabled()
}

/// A painted photo, and the question about a folder with these photos.
fn asked(names: &[&str]) -> Window {
    let mut w = Window::painted(40, 30);
    let folder = w.folder_of_photos(names);
    w.drop_file(&folder);
    w.until_label("Several styles");
    w
}

#[test]
fn a_folder_is_painted_in_several_styles_whose_names_are_in_those_of_the_files() {
    let mut w = asked(&["a.png", "c.png"]);
    assert!(w.has("In the style Candy."));
    let settings = ["100 %", "Up to 1280 px", "Style", "Original size", "Same as each photo"];
    let has_all = |w: &Window| settings.iter().all(|setting| w.has(setting));
    assert!(has_all(&w) && w.has("Change these on the right."), "{:?}", w.texts());
    // The live page shows other settings.
    w.click("Live");
    w.until_label("Change these on the Photo page.");
    // What is chosen there changes nothing of it.
    w.click("Wave");
    w.until("the choice", |w| w.is_chosen("Wave"));
    w.slider("Strength").set_value_accesskit(40.0);
    w.step();
    assert!(w.has("In the style Candy, as chosen on the Photo page."));
    assert!(has_all(&w), "{:?}", w.texts());
    w.start_folder();
    w.until_label("2 photos painted into the folder");
    let folder = w.path("album/painted");
    let read = decode::from_path(&folder.join("a-candy.png")).expect("painted");
    assert_eq!(*read.frame, inverted(&photo(16, 12)));
    fs::remove_dir_all(folder).expect("removed");
    w.click("Close");
    w.click("Photo");
    let folder = w.path("album");
    w.drop_file(&folder);
    w.until_label("Change these on the right.");
    w.click("Several styles");
    assert!(is_ticked(&w, "Candy") && !is_ticked(&w, "Wave"));
    tick(&mut w, "Wave");
    w.until_label("In 2 styles: 4 paintings.");
    let folder = w.path("album");
    let path = |name: &str| folder.join("painted").join(name);
    fs::create_dir(folder.join("painted")).expect("made");
    fs::write(path("c-wave.png"), "mine").expect("written");
    w.script.hold();
    w.start_folder();
    w.until_label("Painting 1 of 4");
    assert!(w.has("a.png in Candy"), "{:?}", w.texts());
    w.script.release();
    w.until_label("3 pictures painted into the folder");
    assert!(w.has("Skipped, already exist (1)") && w.has("c.png in Wave"));
    let painted = inverted(&photo(16, 12));
    for name in ["a-candy.png", "a-wave.png", "c-candy.png"] {
        let read = decode::from_path(&path(name)).expect(name);
        assert_eq!(*read.frame, painted, "{name}");
    }
    assert_eq!(fs::read(path("c-wave.png")).expect("there"), b"mine");
    // Only skipped photos are painted again, in their own style, whatever was chosen since.
    fs::write(path("a-candy.png"), "mine now").expect("written");
    w.click("Udnie");
    w.until_painted();
    w.click("Replace them");
    w.until_label("1 photo painted into the folder");
    let read = decode::from_path(&path("c-wave.png")).expect("painted");
    assert_eq!(*read.frame, painted);
    assert_eq!(fs::read(path("a-candy.png")).expect("there"), b"mine now");
    assert_eq!(fs::read_dir(folder.join("painted")).expect("listed").count(), 4);
}

/// Starts a folder of three photos, and pauses it while the first one is painted.
fn pause_after_the_first(w: &mut Window) {
    w.script.hold();
    w.start_folder();
    w.until_label("Painting 1 of 3");
    w.click("Pause");
    w.until_label("Continue");
    w.script.release();
    w.until_label("Painting 2 of 3");
}

#[test]
fn a_folder_pauses_after_the_current_photo_and_continues() {
    let mut w = asked(&["a.png", "b.png", "c.png"]);
    pause_after_the_first(&mut w);
    assert!(w.has("Paused"), "{:?}", w.texts());
    assert_eq!(w.script.runs().len(), 2, "the photo of the window and the first one of the folder");
    w.click("Continue");
    w.until_label("3 photos painted into the folder");

    let folder = w.path("album");
    w.click("Close");
    w.drop_file(&folder);
    w.until_label("Paint 3 photos");
    w.click("Overwrite existing files");
    pause_after_the_first(&mut w);
    w.click("Stop");
    w.until_label("1 photo painted into the folder");
    assert!(w.has("Stopped"));
}

#[test]
fn all_styles_or_none_are_ticked_at_once() {
    let mut w = asked(&["a.png"]);
    w.click("Several styles");
    tick(&mut w, "All styles");
    w.until_label("In 3 styles: 3 paintings.");
    assert!(["Candy", "Udnie", "Wave"].iter().all(|s| is_ticked(&w, s)));
    tick(&mut w, "All styles");
    w.until_label("Choose at least one style.");
    assert!(!can_start(&w));
    tick(&mut w, "Udnie");
    w.until_label("In the style Udnie.");
    assert!(can_start(&w));
    // The window's style again.
    w.click("Several styles");
    w.until_label("In the style Candy.");
    w.click("Several styles");
    tick(&mut w, "All styles");
    w.start_folder();
    w.until_label("3 pictures painted into the folder");
    for name in ["a-candy.png", "a-udnie.png", "a-wave.png"] {
        assert!(w.path("album/painted").join(name).exists(), "{name}");
    }
}

#[test]
fn a_style_that_cannot_be_loaded_is_reported_and_the_others_are_painted() {
    let mut w = asked(&["a.png"]);
    w.click("Several styles");
    tick(&mut w, "Wave");
    // Candy is already loaded.
    w.style_source.refuse("The weights of Wave are damaged.");
    w.start_folder();
    w.until_contains("The weights of Wave are damaged.");
    w.until_label("1 photo painted into the folder");
    assert!(w.path("album/painted/a-candy.png").exists());
    assert!(!w.path("album/painted/a-wave.png").exists());
    w.click("Close");
    // If no style is left, the run waits for confirmation again.
    let folder = w.path("album");
    w.drop_file(&folder);
    w.until_label("Several styles");
    w.click("Several styles");
    tick(&mut w, "Candy");
    tick(&mut w, "Udnie");
    w.style_source.refuse("The weights of Udnie are damaged.");
    w.start_folder();
    w.until_contains("The weights of Udnie are damaged.");
    assert!(can_start(&w));
    w.start_folder();
    w.until_label("1 photo painted into the folder");
    assert!(w.path("album/painted/a-udnie.png").exists());
}
