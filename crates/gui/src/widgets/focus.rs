//! The frame around the control that has the keyboard focus.
//!
//! The frame is shown while the keyboard is used, and around the control that a dialog focuses. It disappears when the
//! mouse is pressed. Controls do not draw their own frames, except text fields, which always draw one.

use eframe::egui::{self, Event, Id, Key, Stroke, StrokeKind};

use super::theme;

/// Space between a control and the frame, in points.
const GAP: f32 = 2.0;

/// The frame around the focused control.
#[derive(Default)]
pub struct FocusFrame {
    is_seen: bool,
    /// The focused control in the previous frame.
    focused: Option<Id>,
}

impl FocusFrame {
    /// Draws the frame over everything that has been drawn so far.
    pub fn ui(&mut self, ctx: &egui::Context) {
        let focused = ctx.memory(|memory| memory.focused());
        if std::mem::replace(&mut self.focused, focused) != focused {
            self.is_seen = true;
        }
        ctx.input(|input| {
            for event in &input.events {
                match event {
                    Event::Key { key, pressed: true, .. } if moves_focus(*key) => {
                        self.is_seen = true
                    }
                    Event::PointerButton { pressed: true, .. } | Event::Touch { .. } => {
                        self.is_seen = false;
                    }
                    _ => {}
                }
            }
        });
        if !self.is_seen || ctx.text_edit_focused() {
            return;
        }
        let Some(response) = focused.and_then(|id| ctx.read_response(id)) else {
            return;
        };
        // No frame if the control is scrolled out of view.
        let rect = response.interact_rect;
        if !rect.is_positive() {
            return;
        }
        ctx.layer_painter(response.layer_id).rect_stroke(
            rect.expand(GAP),
            f32::from(theme::RADIUS) + GAP,
            Stroke::new(2.0, theme::palette_of(&ctx.global_style().visuals).ring),
            StrokeKind::Middle,
        );
    }
}

fn moves_focus(key: Key) -> bool {
    matches!(key, Key::Tab | Key::ArrowUp | Key::ArrowDown | Key::ArrowLeft | Key::ArrowRight)
}
