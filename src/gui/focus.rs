//! The one frame around the control that has the keyboard's focus.
//!
//! It is seen while somebody uses the keyboard, and around what a dialog gives the focus, and goes with the next press
//! of the mouse. Controls draw none of their own, but for fields that are typed into, which draw it always.

use eframe::egui::{self, Id, Key, Stroke, StrokeKind};

use super::theme;

/// Space between a control and the frame, in points.
const GAP: f32 = 2.0;

/// Whether the frame is seen.
#[derive(Default)]
pub struct FocusFrame {
    is_seen: bool,
    /// What had the focus in the frame before.
    focused: Option<Id>,
}

impl FocusFrame {
    /// Draws the frame over all that is drawn by now.
    pub fn ui(&mut self, ctx: &egui::Context) {
        let focused = ctx.memory(|memory| memory.focused());
        if std::mem::replace(&mut self.focused, focused) != focused {
            self.is_seen = true;
        }
        ctx.input(|input| {
            for event in &input.events {
                match event {
                    egui::Event::Key { key, pressed: true, .. } if leads(*key) => {
                        self.is_seen = true
                    }
                    egui::Event::PointerButton { pressed: true, .. }
                    | egui::Event::Touch { .. } => {
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
        // What is scrolled out of sight has none.
        let rect = response.interact_rect;
        if !rect.is_positive() {
            return;
        }
        let ring = theme::palette(&ctx.global_style().visuals).ring;
        ctx.layer_painter(response.layer_id).rect_stroke(
            rect.expand(GAP),
            f32::from(theme::RADIUS) + GAP,
            Stroke::new(2.0, ring),
            StrokeKind::Middle,
        );
    }
}

/// Whether this key leads from control to control.
fn leads(key: Key) -> bool {
    matches!(key, Key::Tab | Key::ArrowUp | Key::ArrowDown | Key::ArrowLeft | Key::ArrowRight)
}
