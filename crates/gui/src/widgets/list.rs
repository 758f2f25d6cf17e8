//! Drop-down lists with arrow-key navigation that works regardless of how the list was opened.

use eframe::egui::{ComboBox, FocusDirection, Key, Modifiers, Response, Ui};

use super::theme::{self, hold_arrows};

/// The entries of an open list that can be chosen, in order.
#[derive(Default)]
pub struct Entries {
    all: Vec<Response>,
    /// The place of the current one.
    in_use: Option<usize>,
}

impl Entries {
    /// Notes an entry that was drawn.
    pub fn note(&mut self, response: &Response, is_in_use: bool) {
        if response.enabled() {
            if is_in_use {
                self.in_use = Some(self.all.len());
            }
            self.all.push(response.clone());
        }
    }

    /// Draws an entry that chooses `one`.
    pub fn offer<T: PartialEq>(
        &mut self,
        ui: &mut Ui,
        value: &mut T,
        one: T,
        name: impl Into<String>,
    ) -> Response {
        let is_in_use = *value == one;
        let response = ui.selectable_value(value, one, name.into());
        self.note(&response, is_in_use);
        response
    }

    /// Moves the focus by the pressed arrow keys; returns whether there were any. Choosing an entry with a key closes
    /// the list, as a click does in egui.
    fn follow_keys(&self, ui: &Ui) -> bool {
        if self.all.iter().any(Response::clicked) {
            ui.close();
        }
        let focused = ui.memory(|m| m.focused());
        if let Some(id) = focused {
            // Otherwise egui would move the focus to the nearest widget.
            hold_arrows(ui, id, false, true);
        }
        let from = self.all.iter().position(|entry| Some(entry.id) == focused).or(self.in_use);
        steer(ui, &self.all, from, [Key::ArrowUp, Key::ArrowDown])
    }
}

/// Moves the focus back or forward among `all` widgets by the pressed keys, from one of them or to the first one.
/// Returns whether a key was pressed.
pub fn steer(ui: &Ui, all: &[Response], from: Option<usize>, keys: [Key; 2]) -> bool {
    // A slow frame can contain several key presses.
    let [back, forward] =
        keys.map(|key| ui.input_mut(|i| i.count_and_consume_key(Modifiers::NONE, key)));
    let is_pressed = back + forward > 0;
    let to = from.map_or(0, |from| (from + forward).saturating_sub(back));
    if let (true, Some(widget)) = (is_pressed, all.get(to).or(all.last())) {
        // Keep egui from moving the focus that is set here.
        ui.memory_mut(|m| m.move_focus(FocusDirection::None));
        widget.request_focus();
        widget.scroll_to_me(None);
    }
    is_pressed
}

/// Draws a list that chooses one of the offered values.
pub fn choose<T: Copy + PartialEq, N: Into<String>>(
    ui: &mut Ui,
    salt: &str,
    width: f32,
    value: &mut T,
    offered: impl IntoIterator<Item = T>,
    name: impl Fn(T) -> N,
) -> Response {
    let button = ComboBox::from_id_salt(salt).selected_text(name(*value).into()).width(width);
    list(ui, button, |ui, entries| {
        for one in offered {
            entries.offer(ui, value, one, name(one));
        }
    })
}

/// Like [`choose`], with a name on the left.
pub fn choose_row<T: Copy + PartialEq, N: Into<String>>(
    ui: &mut Ui,
    title: &str,
    value: &mut T,
    offered: impl IntoIterator<Item = T>,
    name: impl Fn(T) -> N,
) -> Response {
    theme::row(ui, title, |ui, label| {
        choose(ui, title, ui.available_width(), value, offered, name).labelled_by(label)
    })
}

/// Like [`choose_row`], with the automatic choice before the offered values.
pub fn or_automatic<T: Copy + PartialEq>(
    ui: &mut Ui,
    title: &str,
    value: &mut Option<T>,
    offered: impl IntoIterator<Item = T>,
    name: impl Fn(T) -> String,
) {
    let offered = std::iter::once(None).chain(offered.into_iter().map(Some));
    choose_row(ui, title, value, offered, |one| one.map_or_else(|| "Automatic".to_owned(), &name));
}

/// Draws the button of a list, and its entries while it is open.
pub fn list(
    ui: &mut Ui,
    list: ComboBox<'_>,
    contents: impl FnOnce(&mut Ui, &mut Entries),
) -> Response {
    let shown = list.show_ui(ui, |ui| {
        let mut entries = Entries::default();
        contents(ui, &mut entries);
        entries.follow_keys(ui)
    });
    let response = shown.response;
    let by_keys = response.id.with("by keys");
    match shown.inner {
        Some(true) => {
            ui.data_mut(|d| d.insert_temp(by_keys, true));
        }
        Some(false) => {}
        // If the keyboard was used in the list, return the focus to its button.
        None => {
            if ui.data_mut(|d| d.remove_temp::<bool>(by_keys)).is_some() {
                response.request_focus();
            } else if response.has_focus() {
                hold_arrows(ui, response.id, false, false);
            }
        }
    }
    response
}
