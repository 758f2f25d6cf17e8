//! A style that is dragged to another place in the list.

use eframe::egui::{self, DragAndDrop, Rect, Response, Stroke, vec2};

use super::{intent::Intent, style_order::Move, style_source::Card, theme};

/// How near the ends of the list a dragged style scrolls it, in points.
const EDGE: f32 = 28.0;

/// A style that is dragged, by its id.
struct Dragged(String);

/// Where the cards are, for one that is dragged among them.
#[derive(Default)]
pub struct Drag {
    cards: Vec<(String, Rect)>,
}

impl Drag {
    /// Notes a card, and whether it begins to be dragged.
    pub fn note(&mut self, response: &Response, card: &Card) {
        response.dnd_set_drag_payload(Dragged(card.id.clone()));
        self.cards.push((card.id.clone(), response.rect));
    }

    /// Shows where the dragged style would go, and puts it there once it is let go over the list.
    pub fn ui(&self, ui: &egui::Ui) {
        let dragged = DragAndDrop::payload::<Dragged>(ui);
        let pointer = ui.input(|i| i.pointer.interact_pos());
        let seen = ui.clip_rect();
        let (Some(dragged), Some(pointer), Some((_, last))) =
            (dragged, pointer.filter(|p| seen.x_range().contains(p.x)), self.cards.last())
        else {
            return;
        };
        let next = self.cards.iter().find(|(_, rect)| pointer.y < rect.center().y);
        let half = 0.5 * ui.spacing().item_spacing.y;
        let y = next.map_or(last.bottom() + half, |(_, rect)| rect.top() - half);
        let line = Stroke::new(3.0, theme::palette(ui.visuals()).ring);
        ui.painter().hline(last.x_range(), y.clamp(seen.top() + 2.0, seen.bottom() - 2.0), line);
        // Near its ends the list goes on.
        let beyond =
            (seen.top() + EDGE - pointer.y).max(0.0) - (pointer.y - seen.bottom() + EDGE).max(0.0);
        if beyond != 0.0 {
            ui.scroll_with_delta(vec2(0.0, 0.2 * beyond));
            ui.request_repaint();
        }
        if ui.input(|i| i.pointer.any_released()) {
            DragAndDrop::clear_payload(ui);
            let before = next.map(|(id, _)| id.clone());
            Intent::MoveStyle(dragged.0.clone(), Move::Before(before)).send(ui);
        }
    }
}
