//! When tooltips are shown: only while the pointer hovers, not while it drags or the user presses keys.

use eframe::egui::{Context, Event, Order, layers::PaintList};

/// Updates whether tooltips are suppressed: while a mouse button is down, and after a key press or the arrival of a
/// message until the pointer moves again.
pub fn follow(ctx: &Context, has_arrival: bool, are_away: &mut bool) {
    ctx.input(|i| {
        let moves = |event: &Event| matches!(event, Event::PointerMoved(_) | Event::PointerGone);
        let presses = |event: &Event| matches!(event, Event::Key { pressed: true, .. });
        let drags = i.pointer.any_down() || i.pointer.any_released();
        if drags || has_arrival || i.events.iter().any(presses) {
            *are_away = true;
        } else if i.events.iter().any(moves) {
            *are_away = false;
        }
    });
}

/// Hides all tooltips; egui would keep an open one open.
pub fn put_away(ctx: &Context) {
    let all: Vec<_> = ctx.memory(|memory| memory.layer_ids().collect());
    for layer in all.into_iter().filter(|id| id.order == Order::Tooltip) {
        ctx.graphics_mut(|graphics| *graphics.entry(layer) = PaintList::default());
    }
}
