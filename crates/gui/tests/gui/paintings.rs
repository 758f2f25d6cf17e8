//! The strip of the opened photos and the saved paintings.

use std::fs;

use eframe::egui::{Event, Key, Modifiers, Pos2, Rect, Role, accesskit::Toggled, vec2};
use egui_kittest::kittest::{NodeT, Queryable, by};
use pictures::encode::{self, Encoding, Existing, Format};
use settings::Settings;

use crate::{
    support::{inverted, photo},
    window::{Window, saves_there},
};

/// Texture name of a small picture of the strip.
const SMALL: &str = "painting small";

/// The names on the strip, from left to right.
fn strip(w: &Window) -> Vec<String> {
    let nodes = w.harness.root().children_recursive();
    let mut named: Vec<(f32, String)> = nodes
        // The buttons of recent photos have no toggle state.
        .filter(|node| node.accesskit_node().toggled().is_some())
        .filter_map(|node| {
            let name = node.accesskit_node().label()?;
            let is_painting = name.contains(", folder of ")
                || [".png", ".jpg", ", cannot be shown"].iter().any(|end| name.ends_with(end));
            is_painting.then(|| (node.rect().left(), name))
        })
        .collect();
    named.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    named.into_iter().map(|(_, name)| name).collect()
}

fn small_pictures(w: &Window) -> usize {
    let textured = w.textured();
    // Recent photos are smaller.
    let is_of_strip = |place: &Rect| place.width() > 40.0;
    textured
        .iter()
        .filter(|(name, ..)| name == SMALL)
        .filter(|(_, place, _)| is_of_strip(place))
        .count()
}

/// Opens the menu of a painting of the strip.
fn open_menu(w: &mut Window, name: &str) {
    let picture = w.harness.get(by().label(name).role(Role::Button));
    picture.click_secondary();
    w.until_label("Clear the list");
}

fn listed(w: &Window) -> Vec<std::path::PathBuf> {
    Settings::load(&w.settings_path()).0.state.paintings
}

#[test]
fn saved_paintings_are_on_the_strip_also_after_a_restart() {
    let mut w = Window::painted(40, 30);
    assert!(strip(&w).is_empty() && w.has("Saved paintings appear here."));
    let before = w.picture("painting");
    w.save_as("first.png");
    w.until("its picture", |w| small_pictures(w) == 1);
    assert_eq!(w.picture("painting"), before, "it stays where it was");
    w.platform.answer(Some(w.path("sheet.png")));
    w.click("Contact sheet…");
    w.until("the sheet", |w| strip(w) == ["sheet.png", "first.png"]);
    let folder = w.folder_of_photos(&["a.png"]);
    w.drop_file(&folder);
    w.until_label("Paint 1 photo");
    w.start_folder();
    w.until_contains("1 photo painted into ");
    let all = ["painted, folder of 1", "sheet.png", "first.png"];
    w.until("the batch's painting", |w| strip(w) == all);
    w.until("their pictures", |w| small_pictures(w) == 3);
    assert_eq!(w.picture("painting"), before, "also beside more of them");
    // A painting that is saved again moves to the front without a duplicate.
    w.platform.answer(Some(w.path("first.png")));
    w.click("Save as…");
    w.until_label("Replace first.png?");
    w.click("Replace");
    let again = ["first.png", "painted, folder of 1", "sheet.png"];
    w.until("the order", |w| strip(w) == again);

    let mut w = w.reopened();
    w.until("the pictures of before", |w| strip(w) == again && small_pictures(w) == 3);
    assert!(w.has("Try the sample photo"), "the first page is there");
    w.click("painted, folder of 1");
    let unfolded = ["first.png", "painted, folder of 1", "a-candy.png", "sheet.png"];
    w.until("its pictures", |w| strip(w) == unfolded);
    w.click("a-candy.png");
    w.until_label("a-candy.png, 16 × 12 px");
    assert!(!w.has("Remove from the list"), "its folder is the entry");
    w.key(Modifiers::NONE, Key::ArrowRight);
    w.until_contains("sheet.png, ");
    w.click("painted, folder of 1");
    w.until("it to fold", |w| strip(w) == again);
}

#[test]
fn the_keys_go_through_the_opened_photos() {
    let mut w = Window::of_files(|folder| {
        std::array::from_fn::<_, 30, _>(|n| {
            let path = folder.join(format!("{n}.png"));
            let png = Encoding::of(Format::Png);
            encode::save(&path, &photo(30, 20), None, png, Existing::Keep).expect("saved");
            if n == 2 {
                fs::write(&path, "rubbish").expect("written");
            }
            path
        })
    });
    let is_open = |w: &mut Window, n: usize| w.until_label(&format!("{n}.png, 30 × 20 px"));
    is_open(&mut w, 0);
    w.until_label("30 opened");
    w.until_label("2.png, cannot be shown");
    assert!(!w.has("29.png"), "only what is visible is drawn");
    w.key(Modifiers::NONE, Key::ArrowRight);
    is_open(&mut w, 1);
    w.key(Modifiers::NONE, Key::ArrowRight);
    w.until_contains("2.png is not a picture");
    w.key(Modifiers::NONE, Key::ArrowRight);
    is_open(&mut w, 3);
    w.keys_at_once(Modifiers::NONE, &[Key::ArrowRight; 20]);
    is_open(&mut w, 23);
    let tile = |w: &Window, name: &str| {
        let node = w.harness.query(by().label(name).role(Role::Button))?;
        node.accesskit_node().toggled()
    };
    w.until("its tile", |w| tile(w, "23.png") == Some(Toggled::True));
    w.press(Key::F);
    w.key(Modifiers::NONE, Key::ArrowLeft);
    w.step();
    w.press(Key::F);
    is_open(&mut w, 22);
    let state = Settings::load(&w.settings_path()).0.state;
    assert!(state.recent_photos.is_empty(), "they do not replace earlier ones");
    open_menu(&mut w, "22.png");
    w.click("Remove from the list");
    w.until_label("29 opened");
    assert!(w.path("22.png").exists());
}

#[test]
fn snapshots_of_live_video_are_on_the_strip_of_the_photo_page() {
    let mut w = Window::live_after(saves_there);
    w.until_live();
    w.press(Key::S);
    w.until_contains("snapshot-candy-0001.png");
    assert!(!w.has("Hide the strip"), "not below live pictures");
    w.press(Key::L);
    w.until("the snapshot", |w| strip(w) == ["snapshot-candy-0001.png"] && small_pictures(w) == 1);
}

#[test]
fn a_painting_of_the_strip_is_seen_large_and_the_photo_comes_back() {
    let mut w = Window::painted(40, 30);
    w.save_as("first.png");
    w.click("first.png");
    w.until_label("Picture, saved painting, 40 × 30 px");
    assert!(w.has("first.png, 40 × 30 px"), "as text below");
    assert!(!w.has("Save as…") && !w.has("Show split"));
    // It has its own zoom, and the clipboard gets its own file.
    w.until("it to be fitted", |w| w.zoom() == 800.0);
    w.click("Actual size");
    w.until("the zoom", |w| w.zoom() == 100.0);
    w.key(Modifiers::COMMAND, Key::C);
    w.until_label("first.png is on the clipboard.");
    assert_eq!(w.platform.copied(), [inverted(&photo(40, 30))]);
    w.click("Copy");
    w.until("the second copy", |w| w.platform.copied().len() == 2);
    w.click("Show in folder");
    w.until("the folder", |w| w.platform.shown() == [w.path("first.png")]);
    w.key(Modifiers::COMMAND, Key::S);
    w.until_contains("This painting is already saved as ");
    assert!(w.platform.asked().len() == 1, "no second dialog");
    w.click("Back to photo");
    w.until_painted();
    // Escape also returns, and so does any change to the photo's painting.
    w.click("first.png");
    w.until_label("Picture, saved painting, 40 × 30 px");
    w.key(Modifiers::NONE, Key::Escape);
    w.until_painted();
    w.click("first.png");
    w.until_label("Picture, saved painting, 40 × 30 px");
    w.click("Udnie");
    w.until_painted();
    assert!(w.is_chosen("Udnie"));
    w.lower_strength();
    // Opened as a photo, it is painted again.
    w.click("first.png");
    w.click("Open as a photo");
    w.until_label("Save the painting first?");
    w.click("Open without saving");
    w.until_painted();
    assert!(w.has_containing("first.png, 40 × 30 px"));
}

#[test]
fn a_saved_file_shows_its_own_settings_and_leads_back_to_them() {
    let mut w = Window::painted(40, 30);
    w.slider("Strength").set_value_accesskit(70.0);
    w.step();
    w.save_as("a.png");
    let texts = settings::painted_with::read(&w.path("a.png"));
    assert!(texts.iter().any(|(name, _)| name == settings::painted_with::DETAIL), "{texts:?}");
    w.save_as("b.jpg");
    w.save_as("c.webp");
    w.click("Udnie");
    w.until_painted();
    w.slider("Strength").set_value_accesskit(30.0);
    w.step();
    for name in ["a.png", "b.jpg"] {
        w.click(name);
        w.until_label("Use this look");
        assert!(w.has("70 %") && w.has("candy full") && w.has("40 × 30 px"), "{:#?}", w.texts());
        w.click(name);
    }
    w.click("a.png");
    w.until_label("Use this look");
    assert!(!w.has("Mirror"), "nothing of the open photo");
    assert!(w.is_chosen("Candy") && !w.is_chosen("Udnie"));
    w.click("Use this look");
    w.until_painted();
    assert!(w.is_chosen("Candy"));
    assert_eq!(w.value("Strength"), 70.0);
    // Its look under a name, in the row above the styles.
    w.click("Save look…");
    w.until_label("Save look as");
    w.style_source.looks.lock().unwrap().push(("warm_light".to_owned(), w.path("a.png")));
    w.key(Modifiers::NONE, Key::Enter);
    w.until_label("Look Warm light");
    let kept = w.style_source.kept_looks.lock().unwrap().clone();
    assert_eq!((kept.len(), kept[0].0.look.strength_percent, &*kept[0].1), (1, 70, "Candy"));
    w.click("Udnie");
    w.until_painted();
    w.click("Look Warm light");
    w.until("the look", |w| w.is_chosen("Candy"));
    w.until_painted();
    // A painting that is dropped offers its look for what was shown before.
    w.click("Udnie");
    w.until_painted();
    w.drop_file(&w.path("a.png"));
    let (question, offer) = ("Save the painting first?", "Use its look");
    w.until("the file", |w| w.has(question) || w.has(offer));
    if w.has(question) {
        w.click("Open without saving");
    }
    w.until_label(offer);
    w.click(offer);
    w.until("the photo before", |w| w.is_chosen("Candy") && w.has("photo.png, 40 × 30 px"));
    w.until_painted();
    // A WebP contains no settings.
    w.click("c.webp");
    w.until_label("This file does not contain its settings.");
    assert!(!w.has("Use this look") && !w.is_chosen("Candy"));
}

#[test]
fn a_look_is_renamed_exported_removed_and_comes_back() {
    let mut w = Window::painted(40, 30);
    w.save_as("warm.png");
    fs::create_dir(w.path("looks")).expect("made");
    let file = |w: &Window, name: &str| w.path("looks").join(format!("{name}.png"));
    let listed = |w: &Window, name: &str| {
        w.style_source.looks.lock().unwrap().push((name.to_owned(), file(w, name)));
    };
    let menu = |w: &mut Window, look: &str, entry: &str| {
        w.harness.get_by_label(look).click_secondary();
        w.until_label(entry);
        w.click(entry);
    };
    let save = |w: &mut Window| {
        w.click("Save look…");
        w.until_label("Save look as");
        w.key(Modifiers::NONE, Key::Enter);
    };
    fs::copy(w.path("warm.png"), file(&w, "warm")).expect("copied");
    fs::copy(w.path("warm.png"), file(&w, "other")).expect("copied");
    listed(&w, "warm");
    listed(&w, "other");
    save(&mut w);
    w.until_label("Look Other");
    menu(&mut w, "Look Warm", "Rename…");
    w.until_label("Rename warm");
    // Names of other looks are refused.
    w.harness.input_mut().events.push(Event::Text("Other".to_owned()));
    w.step();
    w.key(Modifiers::NONE, Key::Enter);
    w.until_contains("already exists");
    menu(&mut w, "Look Warm", "Rename…");
    w.until_label("Rename warm");
    w.harness.input_mut().events.push(Event::Text("Evening sun".to_owned()));
    w.step();
    listed(&w, "evening_sun");
    w.key(Modifiers::NONE, Key::Enter);
    w.until_label("Look Evening sun");
    assert!(!w.has("Look Warm") && file(&w, "evening_sun").exists());
    let output = w.path("exported");
    w.platform.answer(Some(output.clone()));
    menu(&mut w, "Look Evening sun", "Export…");
    w.until_contains("Look exported as ");
    let bytes = fs::read(file(&w, "evening_sun")).expect("a look");
    assert_eq!(fs::read(output.with_extension("png")).expect("a look"), bytes);
    menu(&mut w, "Look Evening sun", "Remove");
    w.until("it to go", |w| !w.has("Look Evening sun"));
    assert!(!file(&w, "evening_sun").exists());
    w.until_contains("removed.");
    // Not the one of the bar.
    w.click_last("Undo");
    w.until_label("Look Evening sun");
    assert_eq!(fs::read(file(&w, "evening_sun")).expect("a look"), bytes);
}

#[test]
fn left_and_right_go_through_the_strip_while_one_is_seen() {
    let mut w = Window::painted(40, 30);
    for name in ["a.png", "b.png", "c.png"] {
        w.save_as(name);
    }
    w.until("all of them", |w| small_pictures(w) == 3);
    w.click("b.png");
    w.until_label("b.png, 40 × 30 px");
    assert!(w.has("Saved file"));
    w.key(Modifiers::NONE, Key::ArrowRight);
    w.until_label("a.png, 40 × 30 px");
    // There is nothing after the last one.
    w.key(Modifiers::NONE, Key::ArrowRight);
    w.keys_at_once(Modifiers::NONE, &[Key::ArrowLeft, Key::ArrowLeft]);
    w.until_label("c.png, 40 × 30 px");
    w.key(Modifiers::NONE, Key::Escape);
    w.until_painted();
    assert!(!w.has("Saved file"));
    let divider = "Divider between original and painted";
    w.key(Modifiers::NONE, Key::ArrowLeft);
    assert!(w.value(divider) < 50.0, "the photo's divider again");
}

#[test]
fn the_button_that_folds_the_strip_stays_below_the_pointer() {
    let mut w = Window::painted(40, 30);
    w.save_as("a.png");
    w.until("its picture", |w| small_pictures(w) == 1);
    let button = |w: &Window, name: &str| w.harness.get_by_label(name).rect();
    let unfolded = button(&w, "Hide the strip");
    w.click("Hide the strip");
    w.until_label("Show the strip");
    assert_eq!(button(&w, "Show the strip"), unfolded);
    w.click("Show the strip");
    w.until_label("a.png");
    assert_eq!(button(&w, "Hide the strip"), unfolded);
}

#[test]
fn paintings_leave_the_strip_and_their_files_stay() {
    let mut w = Window::painted(40, 30);
    for name in ["a.png", "b.png", "c.png", "d.png"] {
        w.save_as(name);
    }
    w.until("all of them", |w| small_pictures(w) == 4);
    open_menu(&mut w, "a.png");
    w.click("Remove from the list");
    w.until("a to go", |w| strip(w) == ["d.png", "c.png", "b.png"]);
    // When the shown painting is removed, its view closes.
    w.click("b.png");
    w.until_label("Picture, saved painting, 40 × 30 px");
    w.click("Remove from the list");
    w.until_painted();
    assert_eq!(strip(&w), ["d.png", "c.png"]);
    open_menu(&mut w, "c.png");
    w.click("Clear the list");
    w.until_label("Saved paintings appear here.");
    for name in ["a.png", "b.png", "c.png", "d.png"] {
        assert!(w.path(name).exists(), "{name}");
    }
    let w = w.reopened();
    assert!(strip(&w).is_empty() && listed(&w).is_empty());
}

#[test]
fn deleted_or_damaged_files_are_reported_and_no_pipe_is_waited_for() {
    let mut w = Window::painted(40, 30);
    for name in ["gone.png", "damaged.png", "whole.png"] {
        w.save_as(name);
    }
    w.until("all of them", |w| small_pictures(w) == 3);
    fs::remove_file(w.path("gone.png")).expect("removed");
    fs::write(w.path("damaged.png"), "rubbish").expect("written");
    // The window checks the files when it gets the focus.
    let focus = Event::WindowFocused(true);
    w.harness.input_mut().events.push(focus.clone());
    let changed = ["whole.png", "damaged.png, cannot be shown"];
    w.until("the changes", |w| strip(w) == changed);
    assert_eq!(small_pictures(&w), 1);
    w.click("damaged.png, cannot be shown");
    w.until_contains("damaged.png is not a picture");
    // Its disk may come back.
    assert_eq!(listed(&w).len(), 3);
    fs::copy(w.path("whole.png"), w.path("gone.png")).expect("back");
    w.harness.input_mut().events.push(focus.clone());
    w.until("what came back", |w| strip(w).len() == 3 && small_pictures(w) == 2);
    fs::remove_file(w.path("gone.png")).expect("removed");
    w.click("gone.png");
    w.until_contains("no longer exists and was removed from the list of saved paintings.");
    assert_eq!(strip(&w), changed);
    // A repaired file gets its picture again.
    fs::copy(w.path("whole.png"), w.path("damaged.png")).expect("mended");
    w.harness.input_mut().events.push(focus);
    w.until("the mended one", |w| small_pictures(w) == 2);
    #[cfg(unix)]
    {
        let pipe = w.path("damaged.png");
        fs::remove_file(&pipe).expect("removed");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.expect("mkfifo").success());
        let mut w = w.reopened();
        w.until("the pipe to be noticed", |w| strip(w) == changed && small_pictures(w) == 1);
        w.click("damaged.png, cannot be shown");
        w.until_contains("it is not a regular file");
    }
}

#[test]
fn all_are_remembered_and_folding_too() {
    let most = 40;
    let mut w = Window::open_after(|folder| {
        let path = |n: usize| folder.join(format!("{n}.png")).display().to_string();
        // The first one twice.
        let paths: Vec<String> = [0].into_iter().chain(0..most).map(path).collect();
        for path in &paths {
            fs::write(path, "damaged").expect("written");
        }
        let text = format!("[state]\npaintings = {paths:?}\n");
        fs::write(folder.join("settings.toml"), text).expect("written");
    });
    w.until_label("Candy");
    let first = ["0.png, cannot be shown", "1.png, cannot be shown"];
    w.until("the first ones", |w| strip(w).starts_with(&first.map(str::to_owned)));
    w.drop_photo("photo.png", 40, 30);
    w.click("Candy");
    w.until_painted();
    w.save_as("new.png");
    w.until("the new one", |w| strip(w)[0] == "new.png");
    w.click("Hide the strip");
    w.until("the strip to fold", |w| strip(w).is_empty());
    let mut w = w.reopened();
    w.until_label("Show the strip");
    assert!(strip(&w).is_empty());
    w.click("Show the strip");
    w.until("the new one", |w| strip(w)[0] == "new.png" && small_pictures(w) == 1);
    assert_eq!(listed(&w).len(), most + 1);
}

#[test]
fn the_keyboard_reaches_the_strip() {
    let mut w = Window::painted(40, 30);
    w.save_as("a.png");
    w.save_as("b.png");
    let focused = |w: &Window| {
        w.harness
            .root()
            .children_recursive()
            .find(|n| n.is_focused())
            .and_then(|n| n.accesskit_node().label())
    };
    let tab_to = |w: &mut Window, name: &str| {
        for _ in 0..80 {
            w.key(Modifiers::NONE, Key::Tab);
            if focused(w).as_deref() == Some(name) {
                return;
            }
        }
        panic!("Tab does not lead to {name}");
    };
    tab_to(&mut w, "b.png");
    w.key(Modifiers::NONE, Key::Tab);
    assert_eq!(focused(&w).as_deref(), Some("a.png"));
    w.key(Modifiers::NONE, Key::Enter);
    w.until_label("Picture, saved painting, 40 × 30 px");
    assert_eq!(focused(&w).as_deref(), Some("a.png"), "the focus stays");
    w.key(Modifiers::NONE, Key::Delete);
    w.until("a to go", |w| strip(w) == ["b.png"]);
    assert!(w.path("a.png").exists());
}

#[test]
fn delete_means_the_painting_that_is_seen_and_not_the_style() {
    let mut w = Window::painted(40, 30);
    w.save_as("a.png");
    w.until("the strip", |w| strip(w) == ["a.png"]);
    w.click("a.png");
    w.until_label("Picture, saved painting, 40 × 30 px");
    // A click leaves the focus in the strip; this tests the key alone.
    w.harness.ctx.memory_mut(|memory| {
        if let Some(focused) = memory.focused() {
            memory.surrender_focus(focused);
        }
    });
    w.step();
    w.press(Key::Delete);
    w.until("it to go", |w| strip(w).is_empty());
    assert!(w.path("a.png").exists() && w.has("Candy"));
    assert!(!w.has_containing("is built in"));
}

#[test]
fn a_full_strip_leaves_room_for_everything_in_a_small_window() {
    let size = vec2(1024.0, 640.0);
    let mut w = Window::sized_after(size.x, size.y, |folder| {
        saves_there(folder);
        let path = |n: usize| folder.join(format!("{n}.png")).display().to_string();
        let paths: Vec<String> = (0..24).map(path).collect();
        for path in &paths {
            fs::write(path, "damaged").expect("written");
        }
        let settings = folder.join("settings.toml");
        let text = fs::read_to_string(&settings).expect("settings");
        fs::write(&settings, format!("{text}paintings = {paths:?}\n")).expect("written");
    });
    let window = Rect::from_min_size(Pos2::ZERO, size);
    w.until_label("Candy");
    let start = w.harness.get_by_label("Try the sample photo").rect();
    assert!(window.contains_rect(start), "{start:?}");
    w.drop_photo("photo.png", 400, 300);
    w.click("Candy");
    w.until_painted();
    for name in [
        "Open…",
        "About",
        "Candy",
        "Add a style…",
        "Save as…",
        "Copy",
        "Contact sheet…",
        "Show split",
        "Fit",
        "Actual size",
        "Hide the strip",
        "0.png, cannot be shown",
    ] {
        let rect = w.harness.get_by_label(name).rect();
        assert!(window.contains_rect(rect), "{name} at {rect:?}");
    }
    let picture = w.harness.get_by_label("Picture, original and painted, 400 × 300 px").rect();
    assert!(picture.height() > 300.0, "{picture:?}");
    // The wheel scrolls to the others.
    let left = |w: &Window| w.harness.get_by_label("5.png, cannot be shown").rect().left();
    w.until_label("5.png, cannot be shown");
    let before = left(&w);
    let first = w.harness.get_by_label("0.png, cannot be shown").rect();
    w.harness.hover_at(first.center());
    w.step();
    w.harness.event(Event::MouseWheel {
        unit: eframe::egui::MouseWheelUnit::Line,
        delta: vec2(0.0, -2.0),
        phase: eframe::egui::TouchPhase::Move,
        modifiers: Modifiers::NONE,
        source: eframe::egui::MouseWheelSource::Wheel,
    });
    w.until("the strip to move", |w| left(w) < before - 20.0);
}

#[test]
fn an_animated_picture_can_be_played_where_it_is_shown() {
    let mut w = Window::painted(40, 30);
    w.save_as("still.webp");
    w.save_as("moving.webp");
    let image = b"\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0";
    let head = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff";
    fs::write(w.path("moving.webp"), [&head[..], image, image, b";"].concat()).expect("written");
    for (name, moves) in [("still.webp", false), ("moving.webp", true)] {
        w.click(name);
        w.until_label("Back to photo");
        w.until("its buttons", |w| w.has("Play the video") == moves && w.has("Play") == moves);
        assert!(w.has("Open as a photo"), "{name}");
        w.press(Key::Escape);
    }
}
