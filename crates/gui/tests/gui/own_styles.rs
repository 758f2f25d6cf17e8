//! The user's own styles: renaming, removing, showing, and changes by the command line in the meantime.

use std::path::PathBuf;

use eframe::egui::{Event, Key, Modifiers, Role};
use egui_kittest::kittest::{Queryable, by};
use gui::style_source::StyleSource;
use settings::Settings;

use crate::{
    scripted::{own_card, picture_card},
    window::Window,
};

/// Three built-in styles, and two of the user's own.
fn window() -> Window {
    let mut w = Window::open();
    w.style_source.change(|cards| {
        cards.extend(["Barn", "Aquarium"].map(own_card));
    });
    w.until_label("Candy");
    focus_window(&mut w);
    w.until_label("Aquarium");
    w
}

/// Gives the window the focus again.
pub fn focus_window(w: &mut Window) {
    w.harness.input_mut().events.push(Event::WindowFocused(true));
    w.step();
}

/// Opens the menu of a style.
fn open_menu(w: &mut Window, style: &str) {
    let card = w.harness.get(by().label(style).role(Role::RadioButton));
    card.click_secondary();
    w.until_label("Show file");
}

fn is_listed(w: &Window, style: &str) -> bool {
    let card = by().label(style).role(Role::RadioButton);
    w.harness.query(card).is_some()
}

/// True if the style is on disk.
fn is_kept(w: &Window, style: &str) -> bool {
    w.style_source.cards().0.iter().any(|card| card.title == style)
}

/// Removes a style with its menu.
fn remove_by_menu(w: &mut Window, style: &str) {
    open_menu(w, style);
    w.click("Remove");
}

#[test]
fn a_user_style_is_renamed_and_keeps_its_position() {
    let mut w = window();
    w.open_photo(40, 30);
    w.click("Barn");
    w.until_painted();
    let runs = w.script.runs().len();
    open_menu(&mut w, "Barn");
    w.click("Rename…");
    w.until_label("Rename Barn");
    w.harness.check_accessibility();
    // The name is selected: typing replaces it.
    w.harness.input_mut().events.push(Event::Text("Candy".to_owned()));
    w.step();
    w.key(Modifiers::NONE, Key::Enter);
    w.until_label("there is already a style named candy");
    assert!(w.has("Rename Barn"), "it is still that one's question");
    w.harness.input_mut().events.push(Event::Text("Harvest".to_owned()));
    w.step();
    w.click("Rename");
    w.until_label("Harvest");
    w.until("the old name gone", |w| !w.has("Barn"));
    assert!(w.is_chosen("Harvest"));
    assert_eq!(w.script.runs().len(), runs, "nothing is painted again");
    // It keeps its key.
    w.click("Candy");
    w.until_painted();
    w.key(Modifiers::NONE, Key::Num4);
    w.until("the choice", |w| w.is_chosen("Harvest"));
    w.until_painted();
    w.platform.answer(None);
    w.key(Modifiers::COMMAND, Key::S);
    w.until("the name", |w| format!("{:?}", w.platform.asked()).contains("photo-harvest.png"));
}

#[test]
fn keys_rename_and_remove_the_chosen_style_and_only_ones_own() {
    let mut w = window();
    w.click("Candy");
    for (key, what) in [(Key::F2, "renamed"), (Key::Delete, "removed")] {
        w.key(Modifiers::NONE, key);
        w.until_contains(&format!("Candy is built in and cannot be {what}"));
    }
    open_menu(&mut w, "Candy");
    assert!(w.has("This style is built in."));
    w.key(Modifiers::NONE, Key::Escape);
    w.click("Barn");
    w.key(Modifiers::NONE, Key::F2);
    w.until_label("Rename Barn");
    w.key(Modifiers::NONE, Key::Escape);
    w.until("no question", |w| !w.has("Rename Barn"));
    // The menu is about its own style, not about the chosen one.
    remove_by_menu(&mut w, "Aquarium");
    w.until_label("“Aquarium” was removed.");
    assert!(w.is_chosen("Barn"));
}

#[test]
fn removing_can_be_undone_by_its_message_and_after_that() {
    let mut w = window();
    w.open_photo(40, 30);
    w.click("Dismiss");
    w.click("Barn");
    w.until_painted();
    // Its painting is not saved, but undo also restores that.
    open_menu(&mut w, "Barn");
    w.click("Remove");
    w.until_label("“Barn” was removed.");
    assert!(!is_listed(&w, "Barn") && w.is_chosen("Aquarium"), "its neighbour");
    w.until_painted();
    // Listing again does not restore it, and its file still exists.
    focus_window(&mut w);
    assert!(is_kept(&w, "Barn"));
    // The button of the message, not that of the top bar.
    let undo = w.harness.query_all_by_label("Undo").last();
    undo.expect("a message").click();
    w.step();
    w.until("the message gone", |w| !w.has("“Barn” was removed."));
    w.until("the style", |w| w.is_chosen("Barn"));
    w.until_painted();

    w.key(Modifiers::NONE, Key::Delete);
    w.until_label("“Barn” was removed.");
    while w.has("Dismiss") {
        w.click("Dismiss");
    }
    // The next style has its place and its key.
    w.key(Modifiers::NONE, Key::Num4);
    w.until("the choice", |w| w.is_chosen("Aquarium"));
    w.click("Candy");
    // Long after the message disappeared: undo starts with the latest step.
    w.key(Modifiers::COMMAND, Key::Z);
    w.until("the choice before", |w| w.is_chosen("Aquarium"));
    assert!(!is_listed(&w, "Barn"));
    w.click("Undo");
    w.until("the style", |w| w.is_chosen("Barn"));
    w.until_painted();
    assert!(is_kept(&w, "Barn"));
}

#[test]
fn undo_goes_through_removals_and_choices_in_their_order() {
    let mut w = window();
    w.click("Candy");
    w.click("Barn");
    w.key(Modifiers::NONE, Key::Delete);
    w.until_label("“Barn” was removed.");
    w.key(Modifiers::COMMAND, Key::Z);
    w.until("the style", |w| w.is_chosen("Barn"));
    assert!(!w.has("“Barn” was removed."));
    assert!(is_kept(&w, "Barn"));
    // Afterwards it undoes choices; restoring the style added no step.
    w.key(Modifiers::COMMAND, Key::Z);
    w.until("the choice before", |w| w.is_chosen("Candy"));
    // A step after a removal clears redo, which may involve the removed style.
    w.click("Aquarium");
    w.key(Modifiers::COMMAND, Key::Z);
    w.until("the choice before", |w| w.is_chosen("Candy"));
    remove_by_menu(&mut w, "Aquarium");
    w.until("it gone", |w| !is_listed(w, "Aquarium"));
    w.key(Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
    w.step();
    assert!(w.is_chosen("Candy"));

    // The button of a message restores immediately; later choices stay.
    w.click("Barn");
    w.key(Modifiers::NONE, Key::Delete);
    w.until_label("“Barn” was removed.");
    w.click("Udnie");
    let undo = w.harness.query_all_by_label("Undo").last();
    undo.expect("a message").click();
    w.step();
    w.until("the style", |w| is_listed(w, "Barn"));
    assert!(w.is_chosen("Udnie"));
}

/// Waits until the settings contain this style for both pages.
fn until_both_remember(w: &mut Window, style: &str) {
    w.until("the settings", |w| {
        let choices = Settings::load(&w.settings_path()).0.choices;
        let live = choices.live.and_then(|live| live.style);
        [choices.style, live].iter().all(|s| s.as_deref() == Some(style))
    });
}

#[test]
fn neither_page_keeps_a_style_that_was_removed_and_undo_brings_it_back_on_both() {
    for (there, other) in [("Photo", "Live"), ("Live", "Photo")] {
        let mut w = window();
        w.open_photo(40, 30);
        w.click("Barn");
        w.until_painted();
        for page in [other, there] {
            w.click(page);
            w.until("Barn", |w| w.is_chosen("Barn"));
        }
        w.key(Modifiers::NONE, Key::Delete);
        w.until_label("“Barn” was removed.");
        until_both_remember(&mut w, "aquarium");
        for page in [other, there] {
            assert!(w.is_chosen("Aquarium"), "{page}");
            w.click(page);
        }
        // The removal is the last undo step, on the page of the removal and on a page without later steps.
        w.click("Live");
        w.key(Modifiers::COMMAND, Key::Z);
        w.until("the style", |w| w.is_chosen("Barn"));
        until_both_remember(&mut w, "barn");
        w.click("Photo");
        w.until_painted();
        assert!(w.is_chosen("Barn"), "{there}");
    }
}

#[test]
fn a_step_of_undo_that_leads_to_a_removed_style_brings_it_back() {
    let mut w = window();
    w.open_photo(40, 30);
    w.click("Barn");
    w.click("Candy");
    w.click("Live");
    w.until_live();
    w.click("Barn");
    w.key(Modifiers::NONE, Key::Delete);
    w.until("it gone", |w| !is_listed(w, "Barn"));
    w.click("Photo");
    assert!(w.is_chosen("Candy"));
    w.key(Modifiers::COMMAND, Key::Z);
    w.until("the style", |w| w.is_chosen("Barn"));
    w.until_painted();
}

#[test]
fn each_page_undoes_its_own_steps_first() {
    let mut w = window();
    w.open_photo(40, 30);
    for style in ["Candy", "Udnie", "Aquarium"] {
        w.click(style);
    }
    w.key(Modifiers::NONE, Key::Delete);
    w.until("it gone", |w| !is_listed(w, "Aquarium"));
    w.click("Live");
    w.until_live();
    w.click("Candy");
    w.click("Wave");
    w.key(Modifiers::COMMAND, Key::Z);
    w.until("the choice before", |w| w.is_chosen("Candy"));
    assert!(!is_listed(&w, "Aquarium"));
    w.click("Photo");
    w.key(Modifiers::COMMAND, Key::Z);
    w.until("the style", |w| w.is_chosen("Aquarium"));
}

#[test]
fn undo_brings_a_style_back_though_its_neighbour_has_another_name_by_now() {
    let mut w = window();
    w.click("Barn");
    w.key(Modifiers::NONE, Key::Delete);
    w.until("its neighbour", |w| w.is_chosen("Aquarium"));
    w.key(Modifiers::NONE, Key::F2);
    w.until_label("Rename Aquarium");
    let typed = Event::Text("Pond".to_owned());
    w.harness.input_mut().events.push(typed);
    w.step();
    w.key(Modifiers::NONE, Key::Enter);
    w.until("the name", |w| w.is_chosen("Pond"));
    w.key(Modifiers::COMMAND, Key::Z);
    w.until("both", |w| w.is_chosen("Barn"));
}

#[test]
fn a_style_that_was_added_again_under_the_name_of_a_removed_one_stays() {
    for is_listed_anew in [true, false] {
        let mut w = window();
        w.click("Barn");
        w.key(Modifiers::NONE, Key::Delete);
        w.until("it gone", |w| !is_listed(w, "Barn"));
        w.style_source.change(|cards| {
            let again = cards.iter_mut().find(|card| card.id == "barn");
            again.expect("still on the disk").changed = Some(std::time::UNIX_EPOCH);
        });
        if is_listed_anew {
            focus_window(&mut w);
            w.until("the new one", |w| is_listed(w, "Barn"));
        }
        let styles = w.style_source.clone();
        w.end();
        assert!(styles.cards().0.iter().any(|card| card.title == "Barn"));
    }
}

#[test]
fn both_pages_keep_their_style_over_a_restart() {
    let mut w = Window::painted(40, 30);
    w.click("Live");
    w.until_live();
    w.click("Udnie");
    w.key(Modifiers::NONE, Key::K);
    w.until("the settings", |w| {
        let choices = Settings::load(&w.settings_path()).0.choices;
        let live = choices.live.as_ref();
        choices.style.as_deref() == Some("candy")
            && !choices.look.keep_colors
            && live.is_some_and(|l| l.style.as_deref() == Some("udnie") && l.look.keep_colors)
    });
    let mut w = w.reopened();
    w.until("the photo's", |w| w.is_chosen("Candy"));
    w.click("Live");
    w.until("that of live pictures", |w| w.is_chosen("Udnie"));
    w.click("Photo");
    w.until("the photo's", |w| w.is_chosen("Candy"));
}

#[test]
fn a_style_of_a_picture_that_is_painted_small_hints_at_a_larger_detail() {
    let mut w = Window::live();
    w.style_source.change(|cards| cards.push(picture_card("Zebra")));
    w.until_live();
    w.click("Explore the demo");
    focus_window(&mut w);
    w.choose("Detail", "256 px");
    w.click("Zebra");
    let hint = "This style hides most of the scene at this size.";
    w.until_label(hint);
    w.click("Candy");
    w.until("no hint", |w| !w.has(hint));
    w.click("Zebra");
    w.until_label(hint);
    w.click("Paint larger (slower)");
    w.until_label("Painted at 512 × 384 px");
    assert!(!w.has(hint));
}

#[test]
fn the_name_of_a_removed_style_is_reported_with_its_folder() {
    let mut w = window();
    w.click("Aquarium");
    w.key(Modifiers::NONE, Key::Delete);
    w.until("it gone", |w| !is_listed(w, "Aquarium"));
    w.click("Barn");
    w.key(Modifiers::NONE, Key::F2);
    w.until_label("Rename Barn");
    let typed = Event::Text("Aquarium".to_owned());
    w.harness.input_mut().events.push(typed);
    w.step();
    w.key(Modifiers::NONE, Key::Enter);
    w.until_contains("it was removed, but Undo restores it");
}

#[test]
fn the_end_of_the_program_removes_what_was_removed() {
    let mut w = window();
    w.click("Barn");
    w.key(Modifiers::NONE, Key::Delete);
    w.until_label("“Barn” was removed.");
    let styles = w.style_source.clone();
    assert!(is_kept(&w, "Barn"));
    let folder = w.end();
    assert!(styles.cards().0.iter().all(|card| card.title != "Barn"));
    let settings = Settings::load(&folder.path().join("settings.toml")).0;
    let is_barn = |id: &String| id == "barn";
    assert!(!settings.state.style_order.iter().any(is_barn));
}

#[test]
fn the_command_line_adds_and_removes_styles_meanwhile() {
    let mut w = window();
    w.style_source.change(|cards| {
        cards.retain(|card| card.id != "udnie");
        cards.insert(0, own_card("Aardvark"));
    });
    focus_window(&mut w);
    w.until_label("Aardvark");
    assert!(!w.has("Udnie"));
    for (key, style) in [(Key::Num1, "Candy"), (Key::Num2, "Wave"), (Key::Num5, "Aardvark")] {
        w.key(Modifiers::NONE, key);
        w.until("the choice", |w| w.is_chosen(style));
    }
}

#[test]
fn the_file_of_a_style_is_shown() {
    let mut w = window();
    open_menu(&mut w, "Barn");
    w.click("Show file");
    let platform = w.platform.clone();
    w.until("the file", |_| platform.shown() == [PathBuf::from("/styles/barn")]);
    w.platform.refuse("No file manager could be opened.");
    open_menu(&mut w, "Barn");
    w.click("Show file");
    w.until_contains("No file manager could be opened.");
}

#[test]
fn a_style_made_of_a_picture_shows_a_painting_and_its_picture() {
    let mut w = window();
    w.style_source.change(|cards| {
        cards.push(picture_card("Zebra"));
    });
    focus_window(&mut w);
    w.until_label("Zebra");
    w.until("the painting", |w| {
        let textures: Vec<String> = w.textured().into_iter().map(|(name, ..)| name).collect();
        ["painted zebra", "zebra"].iter().all(|name| textures.iter().any(|t| t == name))
    });
}

#[test]
fn every_style_shows_the_open_photo_if_chosen() {
    let mut w = window();
    let painted = |w: &Window| {
        w.textured().into_iter().filter(|(name, ..)| name.starts_with("painted ")).count()
    };
    for _ in 0..20 {
        w.step();
    }
    assert_eq!((painted(&w), w.script.runs().len()), (0, 0), "these tests do not want it");
    w.click("Settings");
    w.click("Preview my photo in the style list");
    w.key(Modifiers::NONE, Key::Escape);
    // Without a photo, the sample photo is used.
    w.until("every style", |w| painted(w) == 5);
    let before = w.script.runs().len();
    w.open_photo(40, 30);
    let of_photo = |w: &Window| {
        let runs = w.script.runs();
        runs[before..].iter().filter(|size| **size == (40, 30)).count()
    };
    w.until("the photo in every style", |w| of_photo(w) == 5);
    // The same photo is not painted again for that, nor for other colours, which the small pictures also use.
    let seen = |w: &mut Window| {
        for _ in 0..20 {
            w.step();
        }
        let card = w.harness.get_by_label("Candy").rect();
        let at = [card.left() as usize + 8, card.top() as usize + 8];
        w.pixels().region_by_pixels(at, [64, 32]).pixels
    };
    let before = seen(&mut w);
    w.click("Keep the photo's colours");
    assert!(before != seen(&mut w));
    assert_eq!(of_photo(&w), 5);
    w.until("the settings", |w| {
        std::fs::read_to_string(w.settings_path())
            .unwrap_or_default()
            .contains("styles_show_photo = true")
    });
}

#[test]
fn a_style_whose_reader_panics_is_named_and_not_read_again() {
    let mut w = window();
    w.style_source.panic_on("udnie");
    w.click("Settings");
    w.click("Preview my photo in the style list");
    w.key(Modifiers::NONE, Key::Escape);
    w.until_contains("“Udnie” cannot be shown: a bug in StyleForge stopped it (scripted panic)");
    w.until("the others", |w| w.script.runs().len() >= 4);
    for _ in 0..50 {
        w.step();
    }
    assert_eq!(w.style_source.panics(), 1);
    // When the user chooses the file, it is read again, and the pending load ends.
    w.open_photo(40, 30);
    w.click("Udnie");
    w.until_contains("The style udnie could not be loaded: a bug in StyleForge stopped it");
    for _ in 0..50 {
        w.step();
    }
    assert_eq!(w.style_source.panics(), 2);
    w.click("Candy");
    w.until_painted();
}
