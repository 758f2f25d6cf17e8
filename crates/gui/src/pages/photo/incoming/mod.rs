//! Dropped or pasted pictures: to paint, or to add as styles.
//!
//! While files are dragged over the window, the stage shows two drop targets. Most window systems do not report the
//! position of the pointer during a drag, so the system is queried repeatedly
//! ([`Platform::pointer`](crate::shell::platform::Platform::pointer)), and once for every drop. A drop outside the targets, or
//! at an unknown position, opens a photo, and a message offers to make a style of it instead.

pub mod flow;

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use eframe::egui::{
    self, Align2, Color32, FontId, Id, Order, Pos2, Rect, Role, Sense, Stroke, vec2,
};

use super::opened::Opened;
use crate::{shell::platform::has_checkpoint_name, widgets::theme};

/// How dropped or pasted pictures are used.
#[derive(Clone, Copy, PartialEq)]
pub enum PictureUse {
    /// Paint it.
    Photo,
    /// Add it as a style.
    Style,
    /// Not specified: open it as a photo, and show a message that offers to make a style of it.
    Unsaid,
    /// Ask the user.
    Asked,
}

/// What was shown before a photo.
pub struct Before {
    /// The photo on the table.
    pub photo: Option<Opened>,
    /// Live mode was active.
    pub was_live: bool,
}

/// Dragged files, dropped files, and what was shown before.
#[derive(Default)]
pub struct Incoming {
    /// The last known position of the pointer.
    pub pointer: Option<Pos2>,
    /// When the pointer is queried next while files are dragged, by egui's clock.
    pub ask_at: f64,
    /// The stage's area while the targets are shown over it.
    pub targets_over: Option<Rect>,
    /// The photo that is being opened because its use was not specified.
    pub unsaid: Option<PathBuf>,
    /// What was shown before the photo that a message is about.
    pub before: Option<Before>,
}

impl Incoming {
    /// Draws the targets over the stage while files are dragged over the window.
    pub fn ui(&mut self, ui: &egui::Ui, area: Rect, is_live: bool) {
        let shown = targets_ui(ui, area, self.pointer, is_live);
        self.targets_over = shown.then_some(area);
    }
}

/// The uses of the targets, in order.
const USES: [PictureUse; 2] = [PictureUse::Photo, PictureUse::Style];
/// The names of the uses for one picture and for several.
const ONE: [&str; 2] = ["Paint this photo", "Use as style"];
const SEVERAL: [&str; 2] = ["Paint these photos", "Use as styles"];
/// Space around and between the targets, in points; a drop there is outside the targets.
const SPACE: f32 = 24.0;
/// Corner radius of a target, in points.
const RADIUS: u8 = 14;

/// The targets over a stage: side by side, or one above the other if the stage is higher than wide.
fn places(area: Rect) -> [Rect; 2] {
    let inner = area.shrink(SPACE);
    let (size, step) = if inner.width() >= inner.height() {
        let width = (inner.width() - SPACE) / 2.0;
        (vec2(width, inner.height()), vec2(width + SPACE, 0.0))
    } else {
        let height = (inner.height() - SPACE) / 2.0;
        (vec2(inner.width(), height), vec2(0.0, height + SPACE))
    };
    [inner.min, inner.min + step].map(|corner| Rect::from_min_size(corner, size))
}

/// The target at a position in the window, if there is one.
fn target_at(area: Rect, pointer: Pos2) -> Option<usize> {
    places(area).iter().position(|place| place.contains(pointer))
}

/// Draws the targets over the stage while pictures are dragged, or the effect of dropping other files; returns whether
/// there are targets.
fn targets_ui(ui: &egui::Ui, area: Rect, pointer: Option<Pos2>, is_live: bool) -> bool {
    let (files, checkpoints) = ui.input(|i| {
        // X adds the file again with every motion.
        let hovered = i.raw.hovered_files.iter();
        let files: HashSet<Option<&Path>> = hovered.map(|f| f.path.as_deref()).collect();
        let is_checkpoint = |path: &&Option<&Path>| path.is_some_and(has_checkpoint_name);
        (files.len(), files.iter().filter(is_checkpoint).count())
    });
    if files == 0 {
        return false;
    }
    let painter = ui.layer_painter(egui::LayerId::new(Order::Foreground, Id::unique("drop")));
    painter.rect_filled(area, 0.0, Color32::from_black_alpha(170));
    let colors = theme::palette(ui);
    let target = |place, rect, is_lit, [name, explained]: [&str; 2]| {
        draw(&painter, rect, is_lit, [name, explained], &colors);
        // For screen readers: painted text is not a widget.
        let shown = ui.interact(rect, Id::unique(("drop target", place)), Sense::hover());
        theme::named_choice(&shown, Role::ListBoxOption, is_lit, name);
    };
    if files == checkpoints {
        let name = if files == 1 { "Drop to add the style" } else { "Drop to add the styles" };
        target(0, area.shrink(SPACE), false, [name, ""]);
        return false;
    }
    let lit = pointer.and_then(|pointer| target_at(area, pointer));
    let words = if files - checkpoints == 1 { ONE } else { SEVERAL };
    let explained = if is_live {
        ["Live video pauses", "Live video is painted like it"]
    } else {
        ["In the selected style", "Photos are painted like it"]
    };
    for (place, rect) in places(area).into_iter().enumerate() {
        target(place, rect, lit == Some(place), [words[place], explained[place]]);
    }
    if pointer.is_none() {
        let text = "Drop to open it as a photo; you can use it as a style later.";
        let at = area.center_bottom() - vec2(0.0, SPACE / 2.0);
        painter.text(at, Align2::CENTER_CENTER, text, FontId::proportional(14.0), Color32::WHITE);
    }
    true
}

fn draw(
    painter: &egui::Painter,
    target: Rect,
    is_lit: bool,
    [name, explained]: [&str; 2],
    colors: &theme::Palette,
) {
    let (fill, letters, quiet, line) = if is_lit {
        (colors.accent, colors.on_accent, colors.on_accent, colors.on_accent)
    } else {
        (colors.card, colors.accent, colors.quiet, colors.outline)
    };
    painter.rect_filled(target, RADIUS, fill.gamma_multiply(if is_lit { 0.96 } else { 0.88 }));
    theme::dashed(painter, target.shrink(10.0), Stroke::new(1.5, line));
    let center = target.center();
    let text = |at: Pos2, words: &str, size: f32, color: Color32| {
        let size = size.min(target.width() / 10.0);
        painter.text(at, Align2::CENTER_CENTER, words, FontId::proportional(size), color);
    };
    text(center - vec2(0.0, 12.0), name, 28.0, letters);
    text(center + vec2(0.0, 18.0), explained, 15.0, quiet);
}

#[cfg(test)]
mod tests {
    use super::*;
    use eframe::egui::pos2;

    #[test]
    fn targets_share_the_longer_side_and_leave_the_middle_free() {
        let wide = Rect::from_min_size(pos2(100.0, 50.0), vec2(800.0, 600.0));
        let high = Rect::from_min_size(pos2(0.0, 0.0), vec2(400.0, 900.0));
        for (area, [first, second]) in [
            (wide, [pos2(150.0, 300.0), pos2(850.0, 300.0)]),
            (high, [pos2(200.0, 100.0), pos2(200.0, 800.0)]),
        ] {
            assert_eq!((target_at(area, first), target_at(area, second)), (Some(0), Some(1)));
            assert_eq!(target_at(area, area.center()), None);
            assert_eq!(target_at(area, area.min), None);
            assert!(places(area).iter().all(|place| area.contains_rect(*place)));
        }
    }
}
