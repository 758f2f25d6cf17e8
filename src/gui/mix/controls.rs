//! The sliders of a mix.

use eframe::egui::{self, Align, ComboBox, Layout, RichText};

use super::parts::{MOST_OTHERS, USUAL_WEIGHT, shares};
use crate::gui::{choice::Choice, fonts::icons, intent::Intent, style_source::Card, theme};

/// Draws the mix below its heading where the chosen style was made of a picture.
pub fn ui(ui: &mut egui::Ui, cards: &[Card], choice: &mut Choice, intents: &mut Vec<Intent>) {
    let card = |id: &str| cards.iter().find(|card| card.id == id);
    let chosen = choice.style.as_deref().and_then(card);
    let Some(chosen) = chosen.filter(|card| card.is_picture()) else {
        return;
    };
    ui.add_space(4.0);
    egui::CollapsingHeader::new(theme::heading("Mix"))
        .id_salt("mix")
        // A mix that is remembered is seen.
        .default_open(!choice.mix.others.is_empty())
        .show(ui, |ui| {
            ui.spacing_mut().slider_width = ui.available_width() - 60.0;
            let can_add = addable(cards, chosen, choice);
            if choice.mix.others.is_empty() && can_add.is_empty() {
                theme::caption(
                    ui,
                    "Add another picture as a style, and the two can be mixed here.",
                );
                return;
            }
            if !choice.mix.others.is_empty() {
                sliders(ui, cards, chosen, choice);
            }
            add(ui, &can_add, chosen, choice);
            if choice.mix.parts(&chosen.id).len() > 1 {
                let keep = egui::Button::new("Keep this mix…");
                let hint = "The mix becomes a style of its own.";
                if ui.add(keep).on_hover_text(hint).clicked() {
                    intents.push(Intent::AskMixName);
                }
            }
        });
}

/// The picture styles that the mix does not have yet, also those of other networks.
fn addable<'a>(cards: &'a [Card], chosen: &Card, choice: &Choice) -> Vec<&'a Card> {
    if choice.mix.others.len() >= MOST_OTHERS {
        return Vec::new();
    }
    let has = |id: &str| chosen.id == id || choice.mix.others.iter().any(|(style, _)| style == id);
    let pictures = cards.iter().filter(|card| card.is_picture());
    pictures.filter(|card| !has(&card.id)).collect()
}

/// The weights of all styles of the mix.
fn sliders(ui: &mut egui::Ui, cards: &[Card], chosen: &Card, choice: &mut Choice) {
    let mut weights = vec![choice.mix.own];
    weights.extend(choice.mix.others.iter().map(|(_, weight)| *weight));
    let shares = shares(&weights);
    let share = |place: usize| shares.get(place).copied().unwrap_or_default();
    slider(ui, &chosen.title, share(0), &mut choice.mix.own, false);
    let mut removed = None;
    for (place, (style, weight)) in choice.mix.others.iter_mut().enumerate() {
        let card = cards.iter().find(|card| card.id == *style);
        let title = card.map_or(style.as_str(), |card| &card.title);
        if slider(ui, title, share(place + 1), weight, true) {
            removed = Some(place);
        }
    }
    if let Some(place) = removed {
        choice.mix.others.remove(place);
    }
}

/// One weight, with its share of the mix; whether its style is to leave the mix.
fn slider(ui: &mut egui::Ui, title: &str, share: u32, weight: &mut u8, can_leave: bool) -> bool {
    let mut leaves = false;
    let label = ui
        .horizontal(|ui| {
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                if can_leave {
                    let cross = egui::Button::new(icons::CLOSE).small();
                    let name = format!("Take {title} out of the mix");
                    let cross = ui.add(cross).on_hover_text(&name).accessible_name(name);
                    leaves = cross.clicked();
                }
                ui.label(RichText::new(format!("{share} %")).small());
                let words = egui::Label::new(title).truncate();
                ui.with_layout(Layout::left_to_right(Align::Center), |ui| ui.add(words))
                    .inner
            })
            .inner
        })
        .inner;
    theme::slider(ui, weight, 0..=100, USUAL_WEIGHT, |slider| slider)
        .labelled_by(label.id)
        .on_hover_text(
            "How much of the mix is of this style. A double click makes it the usual weight.",
        );
    leaves
}

/// The list of styles that can be added; others say why they cannot.
fn add(ui: &mut egui::Ui, can_add: &[&Card], chosen: &Card, choice: &mut Choice) {
    if can_add.is_empty() {
        return;
    }
    let list = ComboBox::from_id_salt("add to the mix")
        .selected_text("Add a picture style…")
        .width(ui.available_width())
        .show_ui(ui, |ui| {
            for card in can_add {
                let why_not = chosen.why_not_mixed(card);
                let entry = egui::Button::selectable(false, &card.title);
                let mut entry = ui.add_enabled(why_not.is_none(), entry);
                if let Some(why) = why_not {
                    let title = &card.title;
                    entry = entry.on_disabled_hover_text(format!(
                        "{title} cannot be mixed with {}: {why}.",
                        chosen.title
                    ));
                }
                if entry.clicked() {
                    let part = (card.id.clone(), USUAL_WEIGHT);
                    choice.mix.others.push(part);
                }
            }
        });
    list.response.accessible_name("Add to the mix");
}
