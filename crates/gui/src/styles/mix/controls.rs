//! The sliders of a mix.

use eframe::egui::{self, Button, ComboBox, Ui, Vec2};

use super::{
    Mix,
    parts::{MAX_OTHERS, usual_share, with_share},
};
use crate::{
    choice::Choice,
    intent::StyleCommand,
    shell::shortcuts::plain_button,
    styles::source::{Card, MIX_OF},
    widgets::{
        fonts::icons,
        list::list,
        theme::{self, ColumnTooltip},
    },
};
use settings::painted_with::parts;

/// Width and height of the button that removes a style, in points.
const CROSS: Vec2 = Vec2::splat(22.0);

/// Draws the mix below its heading if the chosen style is a picture style. `before` is the choice at the start of a drag.
pub fn ui(ui: &mut Ui, cards: &[Card], choice: &mut Choice, before: Option<&Choice>) {
    let card = |id: &str| cards.iter().find(|card| card.id == id);
    let Some(chosen) = choice.style().and_then(card).filter(|card| card.is_picture()) else {
        return;
    };
    ui.add_space(4.0);
    egui::CollapsingHeader::new(theme::heading("Mix"))
        .id_salt("mix")
        // Open if there is a mix in the settings.
        .default_open(!choice.mix.others().is_empty())
        .show(ui, |ui| {
            let can_add = addable(cards, &choice.mix);
            if let Some(mix) = saved_mix(cards, chosen).filter(|_| choice.parts().is_empty())
                && ui.button("Adjust this mix").column_tooltip("Mix its styles again.").clicked()
            {
                choice.mix = mix;
                return;
            }
            if choice.mix.others().is_empty() && can_add.is_empty() {
                theme::caption(ui, "Add another image as a style to mix the two.");
                return;
            }
            if !choice.mix.others().is_empty() {
                sliders(ui, cards, choice, before);
            }
            add(ui, &can_add, chosen, choice);
            if choice.parts().len() > 1 {
                plain_button(ui, "Save mix…", StyleCommand::AskMixName)
                    .column_tooltip("Save the mix as a style.");
            }
        });
}

/// The mix that was saved as a style, if all of its styles are in the list.
fn saved_mix(cards: &[Card], chosen: &Card) -> Option<Mix> {
    let parts = parts(chosen.credit.strip_prefix(MIX_OF)?)?.into_iter();
    let known = parts.map(|(title, share)| {
        let card = cards.iter().find(|card| card.title == title)?;
        Some((card.id.clone(), share))
    });
    Some(Mix { styles: known.collect::<Option<_>>()? })
}

/// The picture styles that can be added to the mix, including those of other networks.
fn addable<'a>(cards: &'a [Card], mix: &Mix) -> Vec<&'a Card> {
    if mix.others().len() >= MAX_OTHERS {
        return Vec::new();
    }
    cards.iter().filter(|card| card.is_picture() && !mix.has(&card.id)).collect()
}

/// The sliders for the shares of all styles in the mix, which add up to 100 %.
fn sliders(ui: &mut Ui, cards: &[Card], choice: &mut Choice, before: Option<&Choice>) {
    let now = choice.mix.shares();
    // Compute from the shares at the start of the drag, so that the others keep their ratio when it returns.
    let before = before.map(|before| before.mix.shares());
    let from = before.filter(|before| before.len() == now.len()).unwrap_or_else(|| now.clone());
    let mut removed = None;
    let styles = choice.mix.styles.clone();
    for (place, (style, _)) in styles.iter().enumerate() {
        let card = cards.iter().find(|card| card.id == *style);
        let title = card.map_or(style.as_str(), |card| &card.title);
        let mut share = now.get(place).copied().unwrap_or_default();
        let response = theme::slider_with_button(
            ui,
            title,
            &mut share,
            0..=100,
            usual_share(styles.len()),
            |n| n.suffix(" %"),
            |ui| {
                if place == 0 {
                    return false;
                }
                ui.spacing_mut().button_padding = Vec2::ZERO;
                let cross = Button::new(icons::CLOSE).frame_when_inactive(false);
                let name = format!("Remove {title} from the mix");
                let cross = ui.add_sized(CROSS, cross).column_tooltip(&name).accessible_name(name);
                removed = removed.or(cross.clicked().then_some(place));
                false
            },
        )
        .column_tooltip("Share of this style in the mix. Double-click for equal shares.");
        if response.changed() {
            choice.mix.set_shares(&with_share(&from, place, share));
        }
    }
    if let Some(place) = removed {
        choice.mix.remove(place);
    }
}

/// The list of styles that can be added; disabled entries show why.
fn add(ui: &mut Ui, can_add: &[&Card], chosen: &Card, choice: &mut Choice) {
    if can_add.is_empty() {
        return;
    }
    let button = ComboBox::from_id_salt("add to the mix")
        .selected_text("Add another style…")
        .width(ui.available_width());
    list(ui, button, |ui, entries| {
        for card in can_add {
            let why_not = chosen.why_not_mixed(card);
            let mut entry =
                ui.add_enabled(why_not.is_none(), Button::selectable(false, &card.title));
            entries.note(&entry, false);
            if let Some(why) = why_not {
                entry = entry.on_disabled_hover_text(format!(
                    "{} cannot be mixed with {}: {why}.",
                    card.title, chosen.title
                ));
            }
            if entry.clicked() {
                choice.mix.add(card.id.clone());
            }
        }
    })
    .accessible_name("Add to the mix");
}
