//! Drop-down lists with arrow-key navigation that works regardless of how the list was opened.

use eframe::egui::{ComboBox, EventFilter, FocusDirection, Id, Key, Modifiers, Response, Ui};

use super::theme;

/// The entries of an open list, in order.
#[derive(Default)]
pub struct Entries {
    /// The entries that can be chosen, and whether each is the current one.
    all: Vec<(Response, bool)>,
}

impl Entries {
    /// Notes an entry that was drawn.
    pub fn note(&mut self, response: &Response, is_in_use: bool) {
        if response.enabled() {
            self.all.push((response.clone(), is_in_use));
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
        if self.all.iter().any(|(entry, _)| entry.clicked()) {
            ui.close();
        }
        let focused = ui.memory(|m| m.focused());
        if let Some(id) = focused {
            // Otherwise egui would move the focus to the nearest widget.
            let arrows = EventFilter { vertical_arrows: true, ..EventFilter::default() };
            ui.memory_mut(|m| m.set_focus_lock_filter(id, arrows));
        }
        let [up, down] = [Key::ArrowUp, Key::ArrowDown]
            .map(|key| ui.input_mut(|i| i.count_and_consume_key(Modifiers::NONE, key)));
        if up + down == 0 {
            return false;
        }
        // Keep egui from moving the focus that is set here.
        ui.memory_mut(|m| m.move_focus(FocusDirection::None));
        let has_focus = |(entry, _): &(Response, bool)| Some(entry.id) == focused;
        let is_in_use = |(_, is_in_use): &(Response, bool)| *is_in_use;
        let all = self.all.iter();
        let from = (all.clone().position(has_focus)).or_else(|| all.clone().position(is_in_use));
        let to = match from {
            Some(from) => (from + down).saturating_sub(up),
            None => 0,
        };
        if let Some((entry, _)) = self.all.get(to.min(self.all.len().saturating_sub(1))) {
            entry.request_focus();
            entry.scroll_to_me(None);
        }
        true
    }
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
    let name = |one: Option<T>| one.map_or_else(|| "Automatic".to_owned(), &name);
    choose_row(ui, title, value, offered, name);
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
    let by_keys: Id = response.id.with("by keys");
    match shown.inner {
        Some(follows_keys) => {
            if follows_keys {
                ui.data_mut(|d| d.insert_temp(by_keys, true));
            }
        }
        // If the keyboard was used in the list, return the focus to its button.
        None => {
            if ui.data_mut(|d| d.remove_temp::<bool>(by_keys)).is_some() {
                response.request_focus();
            } else if response.has_focus() {
                ui.memory_mut(|m| m.set_focus_lock_filter(response.id, EventFilter::default()));
            }
        }
    }
    response
}
