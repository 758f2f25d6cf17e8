//! Every control of every page has a name for screen readers, and the Tab key reaches it in the order in which the page
//! is read.

use eframe::egui::{Key, Modifiers, Rect, Role};
use egui_kittest::kittest::NodeT;

use crate::{
    exports::clip,
    window::{Window, saves_there},
};

const ROLES: [Role; 8] = [
    Role::Button,
    Role::CheckBox,
    Role::RadioButton,
    Role::Slider,
    Role::SpinButton,
    Role::ComboBox,
    Role::TextInput,
    Role::Link,
];

/// A control as screen readers know it.
#[derive(Debug, Clone)]
struct Control {
    role: Role,
    name: String,
    place: Rect,
    is_enabled: bool,
    is_focused: bool,
}

impl Control {
    /// True if it is the same one; its id changes if other widgets come before it.
    fn is(&self, other: &Self) -> bool {
        self.role == other.role && self.name == other.name
    }
}

/// The controls that are seen, or those of the open dialog, in the order of the accessibility tree.
fn controls(w: &Window) -> Vec<Control> {
    let page = w.harness.root();
    let dialog = page
        .children_recursive()
        .filter(|node| node.accesskit_node().role() == Role::Dialog)
        .last();
    dialog
        .unwrap_or(page)
        .children_recursive()
        .filter(|node| ROLES.contains(&node.accesskit_node().role()))
        .map(|node| {
            let (place, node) = (node.rect(), node.accesskit_node());
            Control {
                role: node.role(),
                name: node.label().unwrap_or_default().trim().to_owned(),
                place,
                is_enabled: !node.is_disabled(),
                is_focused: node.is_focused(),
            }
        })
        .collect()
}

#[track_caller]
fn can_be_reached(w: &mut Window, page: &str) {
    w.step();
    let all = controls(w);
    let nameless: Vec<_> = all.iter().filter(|control| control.name.is_empty()).collect();
    assert!(nameless.is_empty(), "{page}: no name: {nameless:#?}");
    let mut stops: Vec<Control> = Vec::new();
    let mut missed = all.clone();
    for _ in 0..2 * all.len() {
        w.key(Modifiers::NONE, Key::Tab);
        let now = controls(w);
        stops.extend(now.iter().find(|control| control.is_focused).cloned());
        // One of a group of styles is a stop; the arrow keys reach the others. A number is part of its slider. Messages
        // leave meanwhile.
        missed.retain(|control| {
            control.is_enabled
                && !matches!(control.role, Role::RadioButton | Role::SpinButton)
                && now.iter().any(|other| other.is(control) && other.is_enabled)
                && !stops.last().is_some_and(|stop| stop.is(control))
        });
        if missed.is_empty() {
            break;
        }
    }
    let names: Vec<_> = stops.iter().map(|stop| &stop.name).collect();
    assert!(missed.is_empty(), "{page}: Tab reaches {names:?}, but not {missed:#?}");
    for pair in stops.windows(2) {
        let (from, to) = (pair[0].place, pair[1].place);
        let same_row = (from.center().y - to.center().y).abs() < 4.0;
        assert!(!same_row || from.left() <= to.left(), "{page}: to the left: {pair:#?}");
    }
}

#[test]
fn every_control_has_a_name_and_is_reached_in_the_order_of_reading() {
    let mut w = Window::open_after(saves_there);
    w.until_label("Candy");
    can_be_reached(&mut w, "start");
    w.open_photo(40, 30);
    w.click("Candy");
    w.until_painted();
    can_be_reached(&mut w, "photo");
    w.click("Crop the photo");
    w.until_label("Apply crop");
    can_be_reached(&mut w, "crop");
    w.press(Key::Escape);
    for dialog in ["Settings", "Shortcuts", "About"] {
        w.click(dialog);
        w.step();
        can_be_reached(&mut w, dialog);
        w.press(Key::Escape);
        w.step();
    }
    let folder = w.folder_of_photos(&["a.png", "b.png"]);
    w.drop_file(&folder);
    w.until_label("Paint 2 photos");
    can_be_reached(&mut w, "folder");
    w.click("Cancel");
    let clip = clip(&w.path(""));
    w.drop_file(&clip);
    w.until_label("Export…");
    can_be_reached(&mut w, "video");
    w.click("Export…");
    w.until_label("Export video");
    can_be_reached(&mut w, "export");
}

#[test]
fn every_control_of_live_video_has_a_name_and_is_reached_in_the_order_of_reading() {
    let mut w = Window::live();
    w.until_live();
    can_be_reached(&mut w, "live");
    w.click("Lab");
    w.step();
    can_be_reached(&mut w, "lab");
}
