//! Draws the scrub bar and the buttons of a film.

use eframe::egui::{self, Button, Pos2, Rect, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};

use super::{
    FilmView,
    transport::{Step, Transport, clock},
};
use crate::gui::{
    fonts::icons,
    intent::Intent,
    shortcuts::button,
    theme::{self, palette},
};

/// Height of the scrub bar, thickness of its rail, and radius of its knob, in points.
const HEIGHT: f32 = 22.0;
const RAIL: f32 = 4.0;
const KNOB: f32 = 7.0;
/// Height and width of a mark of the in or out point, in points.
const MARK: egui::Vec2 = vec2(4.0, 14.0);
/// Minimum width at which the play button has text, in points.
const WORDS_WIDTH: f32 = 520.0;

impl FilmView {
    /// Draws both rows into `ui`.
    pub fn bar(&self, ui: &mut Ui) {
        let film = &self.transport;
        ui.spacing_mut().item_spacing.y = 4.0;
        scrub(ui, film);
        let has_words = ui.available_width() >= WORDS_WIDTH;
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 4.0;
            ui.spacing_mut().button_padding.x = 8.0;
            let mut add = |can, is_on, text: &str, words: [&str; 2], step| {
                let shown = Button::selectable(is_on, text).frame_when_inactive(true);
                button(ui, can, shown, words, Intent::Film(step))
            };
            add(true, false, "‹", ["Previous frame", "One frame back."], Step::Frame(-1));
            let (icon, name) = match film.speed {
                0.0 => (icons::PLAY, "Play"),
                _ => (icons::PAUSE, "Pause"),
            };
            let text = theme::icon_text(icon, name, has_words);
            add(true, false, &text, [name, "Play or pause."], Step::Toggle);
            add(true, false, "›", ["Next frame", "One frame forward."], Step::Frame(1));
            let is_set = [film.range.start, film.range.end].map(|point| point.is_some());
            let words = ["In point", "Begin at this frame."];
            add(true, is_set[0], "In", words, Step::SetIn);
            add(true, is_set[1], "Out", ["Out point", "End with this frame."], Step::SetOut);
            if is_set != [false; 2] {
                let words = ["Whole film", "Remove both points."];
                add(true, false, "Whole", words, Step::ClearRange);
            }
            let words = ["Loop", "Begin again at the end."];
            add(true, film.loops, "Loop", words, Step::ToggleLoop);
            let silent = if !self.film.has_sound() {
                Some("This video has no sound.")
            } else if self.is_silent {
                Some("ffmpeg found no sound output that works (PulseAudio or ALSA).")
            } else {
                None
            };
            let words = ["Sound", "Play the sound at normal speed."];
            let is_on = silent.is_none() && !film.is_mute;
            add(silent.is_none(), is_on, "Sound", words, Step::ToggleSound)
                .on_disabled_hover_text(silent.unwrap_or_default());
            theme::at_the_right(ui, "time of the film", |ui| {
                if !matches!(film.speed, 0.0 | 1.0) {
                    let sign = if film.speed < 0.0 { "−" } else { "" };
                    ui.label(format!("{sign}{}×  ", film.speed.abs()));
                }
                ui.label(format!("{} / {}", clock(film.position), clock(film.length)));
            });
        });
    }
}

/// The scrub bar: drag it to seek; the arrow keys step through the frames.
fn scrub(ui: &mut Ui, film: &Transport) {
    let size = vec2(ui.available_width(), HEIGHT);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click_and_drag());
    let rail = rect.shrink2(vec2(KNOB, (HEIGHT - RAIL) / 2.0));
    let share = |seconds: f64| (seconds / film.length.max(f64::EPSILON)).clamp(0.0, 1.0) as f32;
    let x = |seconds: f64| rail.left() + share(seconds) * rail.width();
    let part = |from: f32, to: f32| Rect::from_x_y_ranges(from..=to, rail.y_range());
    let colors = palette(ui);
    let painter = ui.painter();
    painter.rect_filled(rail, RAIL / 2.0, ui.visuals().widgets.inactive.bg_fill);
    let (first, last) = film.bounds();
    let (left, right) = (x(first), x(last));
    let knob = pos2(x(film.position), rail.center().y);
    if film.range != Default::default() {
        painter.rect_filled(part(left, right), 0.0, colors.quiet);
    }
    let played = part(left.min(knob.x), knob.x.min(right));
    painter.rect_filled(played, RAIL / 2.0, colors.accent);
    for (at, side) in [(film.range.start, -1.0), (film.range.end, 1.0)] {
        if let Some(seconds) = at {
            let center = pos2(x(seconds) + side * MARK.x / 2.0, rail.center().y);
            painter.rect_filled(Rect::from_center_size(center, MARK), 1.0, colors.ring);
        }
    }
    painter.circle(knob, KNOB, colors.accent, Stroke::new(1.5, colors.stage));
    let pointed = |at: Pos2| f64::from(((at.x - rail.left()) / rail.width()).clamp(0.0, 1.0));
    if let Some(at) = response.interact_pointer_pos()
        && (response.clicked() || response.dragged())
    {
        Intent::Film(Step::Seek(pointed(at) * film.length)).send(ui);
    }
    let steps = theme::slider_steps(ui, &response);
    if steps != 0.0 {
        Intent::Film(Step::Frame(if steps < 0.0 { -1 } else { 1 })).send(ui);
    }
    response.widget_info(|| WidgetInfo::slider(true, film.position, "Position in the film"));
}
