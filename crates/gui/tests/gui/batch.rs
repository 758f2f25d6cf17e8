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

/// A painted photo, and the form for a folder with these photos.
fn asked(names: &[&str]) -> Window {
    let mut w = Window::painted(40, 30);
    let folder = w.folder_of_photos(names);
    w.drop_file(&folder);
    w.until_label("Overwrite existing files");
    w
}

#[test]
fn a_folder_is_painted_in_several_styles_whose_names_are_in_those_of_the_files() {
    let mut w = asked(&["a.png", "c.png"]);
    assert!(w.has("Paint the folder album") && w.has("Photos") && w.has("2"));
    assert_eq!(w.chosen("Style"), "Candy");
    assert_eq!(w.chosen("Format"), "Same as each photo");
    w.choose_style("Several styles");
    w.until_label("All styles");
    assert!(is_ticked(&w, "Candy") && !is_ticked(&w, "Wave"));
    tick(&mut w, "Wave");
    w.until_label("Paint 4 pictures");
    let folder = w.path("album");
    let path = |name: &str| folder.join("painted").join(name);
    fs::create_dir(folder.join("painted")).expect("made");
    fs::write(path("c-wave.png"), "mine").expect("written");
    w.script.hold();
    w.start_folder();
    w.show_queue();
    w.until_label("0 of 4 pictures. Starting…");
    assert!(w.has("album, 2 photos") && w.has("1 job left"), "{:?}", w.texts());
    w.script.release();
    w.until_label("Done. 3 pictures painted.");
    assert!(w.has("Skipped, already exist (1)") && w.has("c.png in Wave"));
    let painted = inverted(&photo(16, 12));
    for name in ["a-candy.png", "a-wave.png", "c-candy.png"] {
        let read = decode::from_path(&path(name)).expect(name);
        assert_eq!(*read.frame, painted, "{name}");
    }
    assert_eq!(fs::read(path("c-wave.png")).expect("there"), b"mine");
    // Only skipped photos are painted again, in their own style.
    fs::write(path("a-candy.png"), "mine now").expect("written");
    w.click("Replace them");
    w.until_label("Done. 1 picture painted.");
    let read = decode::from_path(&path("c-wave.png")).expect("painted");
    assert_eq!(*read.frame, painted);
    assert_eq!(fs::read(path("a-candy.png")).expect("there"), b"mine now");
    assert_eq!(fs::read_dir(folder.join("painted")).expect("listed").count(), 4);
}

#[test]
fn a_folder_pauses_after_the_current_photo_and_continues_also_after_a_restart() {
    let mut w = asked(&["a.png", "b.png", "c.png"]);
    w.script.hold();
    w.start_folder();
    w.show_queue();
    w.click("Pause");
    w.until_label("Queue (paused)");
    w.script.release();
    w.until_label("Paused at 1 of 3 photos");
    assert_eq!(w.script.runs().len(), 2, "the photo of the window and the first one of the folder");
    w.click("Cancel job");
    w.until_label("Cancelled at 1 of 3 photos");
    w.click("Resume");
    w.until_label("Paused at 1 of 3 photos");
    // Closing asks nothing, because nothing is lost; the first photo is not painted again.
    let painted = w.path("album/painted");
    fs::write(painted.join("a-candy.png"), "mine").expect("written");
    let mut w = w.reopened();
    w.until_contains("1 job paused.");
    w.show_queue();
    w.until_label("Paused at 1 of 3 photos");
    w.click("Resume");
    w.until_label("Done. 3 photos painted.");
    assert_eq!(fs::read(painted.join("a-candy.png")).expect("there"), b"mine");
    assert_eq!(fs::read_dir(painted).expect("listed").count(), 3);
}

#[test]
fn all_styles_or_none_are_ticked_at_once() {
    let mut w = asked(&["a.png"]);
    w.choose_style("Several styles");
    tick(&mut w, "All styles");
    w.until_label("Paint 3 pictures");
    assert!(["Candy", "Udnie", "Wave"].iter().all(|s| is_ticked(&w, s)));
    tick(&mut w, "All styles");
    w.until_label("Paint 1 photo");
    let start = w.harness.get_by_label("Paint 1 photo");
    assert!(start.accesskit_node().is_disabled());
    // One style again.
    w.choose_style("Udnie");
    w.until("one", |w| w.chosen("Style") == "Udnie" && !w.has("All styles"));
    w.choose_style("Several styles");
    tick(&mut w, "All styles");
    w.start_folder();
    w.until_contains("3 pictures painted into ");
    for name in ["a-candy.png", "a-udnie.png", "a-wave.png"] {
        assert!(w.path("album/painted").join(name).exists(), "{name}");
    }
}

#[test]
fn a_style_that_cannot_be_loaded_is_reported_and_the_others_are_painted() {
    let mut w = asked(&["a.png"]);
    w.choose_style("Several styles");
    tick(&mut w, "Wave");
    // Candy is already loaded.
    w.style_source.refuse("The weights of Wave are damaged.");
    w.start_folder();
    w.until_contains("1 picture painted, 1 picture not painted");
    w.show_queue();
    w.until_contains("The weights of Wave are damaged.");
    w.show_queue();
    assert!(w.path("album/painted/a-candy.png").exists());
    assert!(!w.path("album/painted/a-wave.png").exists());
    // If no style is left, the job can be tried again.
    let folder = w.path("album");
    w.drop_file(&folder);
    w.until_label("Overwrite existing files");
    w.choose_style("Udnie");
    w.style_source.refuse("The weights of Udnie are damaged.");
    w.start_folder();
    w.until_contains("The weights of Udnie are damaged.");
    w.show_queue();
    w.click("Try again");
    w.until_label("Done. 1 photo painted.");
    assert!(w.path("album/painted/a-udnie.png").exists());
}
