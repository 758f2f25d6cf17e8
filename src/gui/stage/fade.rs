//! Fades pictures in over the previous ones in the same place.

use eframe::egui::{Color32, Context, Rect, TextureHandle, Ui};

use super::Stage;
use crate::gui::texture::{draw_part, faded};

/// Pictures as a stage last showed them: texture, full rectangle, and its visible part.
pub type Seen = Vec<(TextureHandle, Rect, Rect)>;

/// The previous content, and when other pictures started to fade in over it, by egui's clock.
pub struct Fade {
    before: Seen,
    since: f64,
}

impl Stage {
    /// The pictures as they were last drawn.
    pub fn seen_pictures(&self) -> Seen {
        [&self.photo, &self.painting].into_iter().filter_map(|p| p.drawn()).collect()
    }

    /// Fades this stage's pictures in over those that another stage showed in the same place.
    pub fn appear_over(&mut self, ctx: &Context, before: Seen) {
        let since = ctx.input(|i| i.time);
        self.fade = Some(Fade { before, since });
    }

    /// Draws the previous content while the fade lasts, and sets the opacity of what `ui` draws from now on.
    pub fn fade_ui(&mut self, ui: &mut Ui) {
        let share = (self.fade.as_ref()).map_or(1.0, |fade| faded(ui, fade.since));
        self.fade.take_if(|_| share >= 1.0);
        let Some(fade) = &self.fade else {
            return;
        };
        for (texture, rect, clip) in &fade.before {
            let tint = Color32::WHITE.gamma_multiply(1.0 - share);
            draw_part(ui, texture, (*rect, *clip), false, tint);
        }
        ui.set_opacity(share);
    }
}
