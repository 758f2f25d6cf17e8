//! Every control of every page has a name for screen readers, and the Tab key reaches it in the order in which the page
//! is read.

use eframe::egui::{Key, Modifiers, Rect, Role, accesskit};
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
    id: accesskit::NodeId,
    role: Role,
    name: String,
    place: Rect,
    is_enabled: bool,
    is_focused: bool,
}

impl Control {
    /// True if it has the same name; its id may have changed with the widgets before it.
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
                id: node.locate().0,
                role: node.role(),
                name: node.label().unwrap_or_default().trim().to_owned(),
                place,
                is_enabled: !node.is_disabled(),
                is_focused: node.is_focused(),
            }
        })
        .collect()
}

/// The controls that Tab reaches, in order, from the first one of the tree on.
fn tab_stops(w: &mut Window) -> Vec<Control> {
    let mut stops: Vec<Control> = Vec::new();
    for _ in 0..2 * controls(w).len() {
        w.key(Modifiers::NONE, Key::Tab);
        let focused = controls(w).into_iter().find(|control| control.is_focused);
        if focused.as_ref().zip(stops.first()).is_some_and(|(now, first)| now.id == first.id) {
            break;
        }
        stops.extend(focused);
    }
    let now = controls(w);
    let place = |stop: &Control| now.iter().position(|control| control.id == stop.id);
    let first = (0..stops.len()).min_by_key(|&at| place(&stops[at]).unwrap_or(usize::MAX));
    let first = first.unwrap_or(0);
    stops.rotate_left(first);
    stops
}

#[track_caller]
fn can_be_reached(w: &mut Window, page: &str) {
    w.step();
    let all = controls(w);
    let nameless: Vec<_> = all.iter().filter(|control| control.name.is_empty()).collect();
    assert!(nameless.is_empty(), "{page}: no name: {nameless:#?}");
    let stops = tab_stops(w);
    // Messages leave meanwhile.
    let after = controls(w);
    // One of a group of styles is a stop; the arrow keys reach the others. A number is part of its slider.
    let is_missed = |control: &&Control| {
        control.is_enabled
            && after.iter().any(|other| other.is(control) && other.is_enabled)
            && !matches!(control.role, Role::RadioButton | Role::SpinButton)
            && !stops.iter().any(|stop| stop.is(control))
    };
    let missed: Vec<_> = all.iter().filter(is_missed).collect();
    let names: Vec<_> = stops.iter().map(|stop| &stop.name).collect();
    assert!(missed.is_empty(), "{page}: Tab reaches {names:?}, but not {missed:#?}");
    for pair in stops.windows(2) {
        let (from, to) = (pair[0].place, pair[1].place);
        let same_row = from.y_range().intersects(to.y_range())
            && (from.center().y - to.center().y).abs() < 4.0;
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
