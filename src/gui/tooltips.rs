//! When there are tooltips: only for a pointer that points at something, not while it drags or a person uses keys.

use eframe::egui::{Context, Event, Theme};

/// Longer than anybody waits, in seconds.
const NEVER: f32 = 1e6;

/// Puts tooltips away while a button of the mouse is down and after keys, until the pointer moves again.
pub fn follow(ctx: &Context, are_away: &mut bool) {
    let was_away = *are_away;
    ctx.input(|i| {
        let moves = |event: &Event| matches!(event, Event::PointerMoved(_) | Event::PointerGone);
        let presses = |event: &Event| matches!(event, Event::Key { pressed: true, .. });
        let drags = i.pointer.any_down() || i.pointer.any_released();
        if drags || i.events.iter().any(presses) {
            *are_away = true;
        } else if i.events.iter().any(moves) {
            *are_away = false;
        }
    });
    if *are_away != was_away {
        let usual = eframe::egui::style::Interaction::default().tooltip_delay;
        for theme in [Theme::Dark, Theme::Light] {
            let delay = if *are_away { NEVER } else { usual };
            ctx.style_mut_of(theme, |style| style.interaction.tooltip_delay = delay);
        }
    }
}
