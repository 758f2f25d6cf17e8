//! Dragging a style to another position in the list.

use eframe::egui::{self, DragAndDrop, Rect, Response, Stroke, vec2};

use super::{intent::Intent, style_order::Move, style_source::Card, theme};

/// Distance from the ends of the list within which a dragged style scrolls it, in points.
const EDGE: f32 = 28.0;

/// The id of a dragged style.
struct Dragged(String);

/// The positions of the cards, for the dragged one.
#[derive(Default)]
pub struct Drag {
    cards: Vec<(String, Rect)>,
}

impl Drag {
    /// Notes a card, and whether a drag starts on it.
    pub fn note(&mut self, response: &Response, card: &Card) {
        response.dnd_set_drag_payload(Dragged(card.id.clone()));
        self.cards.push((card.id.clone(), response.rect));
    }

    /// Shows where the dragged style would go, and moves it there when it is dropped on the list.
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
        let line = Stroke::new(3.0, theme::palette(ui).ring);
        ui.painter().hline(last.x_range(), y.clamp(seen.top() + 2.0, seen.bottom() - 2.0), line);
        // Scroll the list near its ends.
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
