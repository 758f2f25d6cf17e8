//! The order of the styles: dragging, keys, menu, remembering it; number keys follow the positions.

use eframe::egui::{Event, Key, Modifiers, Rect, Role};
use egui_kittest::kittest::{NodeT, Queryable, by};
use settings::Settings;

use crate::{
    scripted::{card, own_card},
    window::Window,
};

fn card_rect(w: &Window, style: &str) -> Rect {
    w.harness.get(by().label(style).role(Role::RadioButton)).rect()
}

/// The styles from top to bottom.
fn order(w: &Window) -> Vec<&'static str> {
    let names = ["Candy", "Udnie", "Wave", "Barn", "Alps"];
    let mut there: Vec<_> = names.into_iter().filter(|name| w.has(name)).collect();
    there.sort_by(|a, b| card_rect(w, a).top().total_cmp(&card_rect(w, b).top()));
    there
}

fn open() -> Window {
    let mut w = Window::showing(["Candy", "Udnie", "Wave"].map(card).to_vec());
    w.until_label("Wave");
    assert_eq!(order(&w), ["Candy", "Udnie", "Wave"]);
    w
}

#[test]
fn a_dragged_style_has_the_key_of_its_place_and_stays_there_the_next_time() {
    let mut w = open();
    let (from, to) = (card_rect(&w, "Wave").center(), card_rect(&w, "Candy"));
    w.drag(from, to.center_top() + eframe::egui::vec2(0.0, 4.0));
    assert_eq!(order(&w), ["Wave", "Candy", "Udnie"]);
    assert!(!w.is_chosen("Wave"), "it was dragged, not clicked");
    w.key(Modifiers::NONE, Key::Num1);
    assert!(w.is_chosen("Wave"));
    // After the last one.
    let (from, to) = (card_rect(&w, "Candy").center(), card_rect(&w, "Udnie"));
    w.drag(from, to.center_bottom() - eframe::egui::vec2(0.0, 4.0));
    assert_eq!(order(&w), ["Wave", "Udnie", "Candy"]);
    w.key(Modifiers::NONE, Key::Num3);
    assert!(w.is_chosen("Candy"));
    // The arrow keys follow the order.
    w.key(Modifiers::NONE, Key::ArrowUp);
    assert!(w.is_chosen("Udnie"));
    w.until("the settings", |w| {
        Settings::load(&w.settings_path()).0.state.style_order == ["wave", "udnie", "candy"]
    });
    let mut w = w.reopened();
    w.until_label("Wave");
    assert_eq!(order(&w), ["Wave", "Udnie", "Candy"]);
    w.key(Modifiers::NONE, Key::Num3);
    assert!(w.is_chosen("Candy"));
}

#[test]
fn a_style_says_which_key_is_its_own() {
    let mut w = open();
    w.key(Modifiers::NONE, Key::Num3);
    w.key(Modifiers::ALT, Key::ArrowUp);
    w.step();
    let card = w.harness.get_by_label("Wave");
    let hint = card.accesskit_node().description().unwrap_or_default();
    assert!(hint.ends_with("Press 2"), "{hint}");
}

#[test]
fn a_dragged_style_is_seen_below_the_pointer() {
    let mut w = open();
    let at = card_rect(&w, "Udnie").center();
    let to = eframe::egui::pos2(600.0, 300.0);
    let below = |w: &Window| {
        w.textured()
            .into_iter()
            .filter(|(name, place, _)| name == "candy" && place.contains(to))
            .count()
    };
    let from = card_rect(&w, "Candy").center();
    w.harness.hover_at(from);
    w.harness.drag_at(from);
    w.step();
    for place in [at, to + eframe::egui::vec2(0.0, 12.0)] {
        w.harness.hover_at(place);
        w.step();
    }
    assert_eq!(below(&w), 1);
    w.harness.drop_at(to);
    w.step();
    assert_eq!(below(&w), 0);
}

#[test]
fn a_style_that_is_let_go_elsewhere_stays() {
    let mut w = open();
    let from = card_rect(&w, "Wave").center();
    w.drag(from, from + eframe::egui::vec2(500.0, -150.0));
    assert_eq!(order(&w), ["Candy", "Udnie", "Wave"]);
}

#[test]
fn menu_and_keys_move_a_style() {
    let mut w = open();
    let node = w.harness.get(by().label("Wave").role(Role::RadioButton));
    node.click_secondary();
    w.until_label("Move up");
    w.click("Move up");
    assert_eq!(order(&w), ["Candy", "Wave", "Udnie"]);
    w.click("Candy");
    w.key(Modifiers::ALT, Key::ArrowDown);
    w.step();
    assert_eq!(order(&w), ["Wave", "Candy", "Udnie"]);
    // At the end nothing happens.
    w.key(Modifiers::ALT, Key::ArrowDown);
    w.key(Modifiers::ALT, Key::ArrowDown);
    w.step();
    assert_eq!(order(&w), ["Wave", "Udnie", "Candy"]);
    // Tab stops once, at the chosen style, and the arrow keys move on from there.
    let focused = |w: &Window| {
        w.harness
            .root()
            .children_recursive()
            .find(|n| n.accesskit_node().is_focused())
            .and_then(|n| n.accesskit_node().label())
    };
    w.click("Udnie");
    let node = w.harness.get(by().label("Udnie").role(Role::RadioButton));
    node.focus();
    w.step();
    w.key(Modifiers::ALT, Key::ArrowUp);
    w.step();
    assert_eq!(order(&w), ["Udnie", "Wave", "Candy"]);
    w.key(Modifiers::NONE, Key::ArrowDown);
    w.step();
    assert!(w.is_chosen("Wave"));
    assert_eq!(focused(&w).as_deref(), Some("Wave"));
    w.key(Modifiers::NONE, Key::Tab);
    assert_eq!(focused(&w).as_deref(), Some("Add a style…"));
}

#[test]
fn the_number_keys_count_the_listed_styles() {
    let mut w = open();
    let list_anew = |w: &mut Window| {
        let focus = Event::WindowFocused(true);
        w.harness.input_mut().events.push(focus);
        w.step();
    };
    // New styles come last, wherever the library lists them.
    w.style_source.change(|cards| cards.insert(0, own_card("Barn")));
    list_anew(&mut w);
    w.until_label("Barn");
    assert_eq!(order(&w), ["Candy", "Udnie", "Wave", "Barn"]);
    w.style_source.change(|cards| cards.retain(|card| card.title != "Udnie"));
    list_anew(&mut w);
    w.until("it to go", |w| !w.has("Udnie"));
    for (key, style) in [(Key::Num1, "Candy"), (Key::Num2, "Wave"), (Key::Num3, "Barn")] {
        w.key(Modifiers::NONE, key);
        assert!(w.is_chosen(style), "{style}");
    }
    // A style that returns has its place again.
    w.style_source.change(|cards| cards.push(card("Udnie")));
    list_anew(&mut w);
    w.until_label("Udnie");
    assert_eq!(order(&w), ["Candy", "Udnie", "Wave", "Barn"]);
    w.key(Modifiers::NONE, Key::Num2);
    assert!(w.is_chosen("Udnie"));
}

#[test]
fn a_move_is_undone_and_redone_among_other_steps() {
    let mut w = open();
    let undo = |w: &mut Window| w.key(Modifiers::COMMAND, Key::Z);
    let redo = |w: &mut Window| w.key(Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
    w.click("Wave");
    w.key(Modifiers::ALT, Key::ArrowUp);
    w.step();
    let (from, to) = (card_rect(&w, "Udnie").center(), card_rect(&w, "Candy"));
    w.drag(from, to.center_top() + eframe::egui::vec2(0.0, 4.0));
    w.click("Candy");
    assert_eq!(order(&w), ["Udnie", "Candy", "Wave"]);
    let steps = [
        ("Candy", ["Udnie", "Candy", "Wave"]),
        ("Wave", ["Udnie", "Candy", "Wave"]),
        ("Wave", ["Candy", "Wave", "Udnie"]),
        ("Wave", ["Candy", "Udnie", "Wave"]),
    ];
    for (style, styles) in &steps[1..] {
        undo(&mut w);
        w.step();
        assert!(w.is_chosen(style), "{style}");
        assert_eq!(order(&w), *styles);
    }
    undo(&mut w);
    w.step();
    assert!(!w.is_chosen("Wave"), "the choice before the moves");
    for (style, styles) in steps.iter().rev() {
        redo(&mut w);
        w.step();
        assert!(w.is_chosen(style), "{style}");
        assert_eq!(order(&w), *styles);
    }
    // A new step clears redo.
    undo(&mut w);
    undo(&mut w);
    w.click("Udnie");
    redo(&mut w);
    w.step();
    assert_eq!(order(&w), ["Candy", "Wave", "Udnie"]);
    assert!(w.is_chosen("Udnie"));
}
