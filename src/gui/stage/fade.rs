//! Other pictures appear over those that were seen before in the same place.

use eframe::egui::{Color32, Context, Rect, TextureHandle, Ui};

use super::Stage;
use crate::gui::texture::{draw_part, faded};

/// Pictures as a stage showed them last: each texture, where all of it lay, and the part of that which was seen.
pub type Seen = Vec<(TextureHandle, Rect, Rect)>;

/// What was seen before, and when other pictures began to appear over it, by egui's clock.
pub(super) struct Fade {
    before: Seen,
    since: f64,
}

impl Stage {
    /// The pictures as they were drawn last.
    pub fn seen_pictures(&self) -> Seen {
        let pictures = [&self.photo, &self.painting];
        pictures.into_iter().filter_map(|p| p.drawn()).collect()
    }

    /// Lets this stage's pictures appear over those that another one showed in its place.
    pub fn appear_over(&mut self, ctx: &Context, before: Seen) {
        let since = ctx.input(|i| i.time);
        self.fade = Some(Fade { before, since });
    }

    /// Draws what was seen before, as far as it still is, and lets what `ui` draws from now on be seen as far as that is
    /// not.
    pub(super) fn fade_ui(&mut self, ui: &mut Ui) {
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
