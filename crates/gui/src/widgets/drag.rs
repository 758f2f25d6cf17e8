//! Dragging an entry of a list to another position.

use eframe::egui::{self, DragAndDrop, Rect, Response, Stroke, vec2};

use super::theme;

/// Distance from the ends of the list within which a dragged entry scrolls it, in points.
const EDGE: f32 = 28.0;

/// The id of a dragged entry.
struct Dragged<Id>(Id);

/// The positions of the entries, for the dragged one.
#[derive(Default)]
pub struct Drag<Id> {
    entries: Vec<(Id, Rect)>,
}

impl<Id: Clone + Send + Sync + 'static> Drag<Id> {
    /// Notes an entry, and whether a drag starts on it.
    pub fn note(&mut self, response: &Response, id: Id) {
        response.dnd_set_drag_payload(Dragged(id.clone()));
        self.entries.push((id, response.rect));
    }

    /// Shows where the dragged entry would go. When it is dropped on the list, returns it and the entry before which it
    /// goes, or `None` for the end.
    pub fn ui(&self, ui: &egui::Ui) -> Option<(Id, Option<Id>)> {
        let dragged = DragAndDrop::payload::<Dragged<Id>>(ui)?;
        let seen = ui.clip_rect();
        let pointer =
            ui.input(|i| i.pointer.interact_pos()).filter(|p| seen.x_range().contains(p.x))?;
        let (_, last) = self.entries.last()?;
        let next = self.entries.iter().find(|(_, rect)| pointer.y < rect.center().y);
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
        if !ui.input(|i| i.pointer.any_released()) {
            return None;
        }
        DragAndDrop::clear_payload(ui);
        Some((dragged.0.clone(), next.map(|(id, _)| id.clone())))
    }
}
