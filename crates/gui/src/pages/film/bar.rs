//! Draws the scrub bar and the buttons of a film.

use eframe::egui::{CursorIcon, Rangef, Rect, Sense, Stroke, Ui, pos2, remap_clamp};

use super::{
    FilmView,
    transport::{Step, Transport, clock},
};
use crate::{
    intent::Command,
    shell::shortcuts::button,
    widgets::{
        fonts::icons,
        theme::{self, palette},
    },
};

/// Width of the mark of the in or out point, and of the place where it can be dragged, in points.
const MARK_WIDTH: f32 = 6.0;
const HANDLE_WIDTH: f32 = 14.0;
/// Minimum width at which the play button has text, in points.
const WORDS_WIDTH: f32 = 520.0;

impl FilmView {
    /// Draws both rows into `ui`.
    pub fn bar(&self, ui: &mut Ui) {
        let film = &self.transport;
        ui.spacing_mut().item_spacing.y = 4.0;
        scrub(ui, film);
        let has_words = ui.available_width() >= WORDS_WIDTH;
        theme::bar(ui, 8.0, |ui| {
            let mut add = |can, is_on, text: &str, words: [&str; 2], step| {
                button(ui, can, theme::toggle(is_on, text), words, step)
            };
            add(true, false, "|‹", ["Previous frame", "One frame back."], Step::Frame(-1));
            let (icon, name) = match film.speed {
                0.0 => (icons::PLAY, "Play"),
                _ => (icons::PAUSE, "Pause"),
            };
            add(
                true,
                false,
                &theme::icon_text(icon, name, has_words),
                [name, "Play or pause."],
                Step::Toggle,
            );
            add(true, false, "›|", ["Next frame", "One frame forward."], Step::Frame(1));
            let is_set = [film.range.start, film.range.end].map(|point| point.is_some());
            add(true, is_set[0], "In", ["In point", "Begin at this frame."], Step::SetIn);
            add(true, is_set[1], "Out", ["Out point", "End with this frame."], Step::SetOut);
            if is_set != [false; 2] {
                add(
                    true,
                    false,
                    "Clear In/Out",
                    ["Clear In/Out", "Play and export the whole video."],
                    Step::ClearRange,
                );
            }
            add(true, film.loops, "Loop", ["Loop", "Begin again at the end."], Step::ToggleLoop);
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
    let mut position = film.position;
    let response = theme::rail(ui, &mut position, 0.0..=film.length.max(f64::EPSILON))
        .accessible_name("Position in the video");
    let steps = theme::slider_steps(ui, &response);
    if steps != 0.0 {
        Step::Frame(if steps < 0.0 { -1 } else { 1 }).send(ui);
    } else if response.changed() {
        Step::Seek(position).send(ui);
    }
    let rail = theme::rail_of(&response);
    let share = |seconds: f64| (seconds / film.length.max(f64::EPSILON)).clamp(0.0, 1.0) as f32;
    let x = |seconds: f64| rail.min + share(seconds) * rail.span();
    let colors = palette(ui);
    let (first, last) = film.bounds();
    let (rows, painter) = (response.rect.y_range(), ui.painter());
    if film.range != Default::default() {
        // What is not played is dimmed.
        let dim = ui.visuals().panel_fill.gamma_multiply(0.75);
        for outside in [Rangef::new(rail.min, x(first)), Rangef::new(x(last), rail.max)] {
            painter.rect_filled(Rect::from_x_y_ranges(outside, rows), 0.0, dim);
        }
        painter.hline(x(first)..=x(last), rows.max - 1.0, Stroke::new(2.0, colors.accent));
    }
    for (at, inwards) in [(film.range.start, 1.0), (film.range.end, -1.0)] {
        let Some(at) = at.map(x) else {
            continue;
        };
        // Outside of what is played, because the position is often at a point.
        let outside = |width: f32| {
            Rect::from_two_pos(pos2(at, rows.min), pos2(at - inwards * width, rows.max))
        };
        ui.painter().rect_filled(outside(MARK_WIDTH), 2.0, colors.ring);
        let handle = ui
            .interact(
                outside(HANDLE_WIDTH),
                response.id.with(("point", inwards as i8)),
                Sense::drag(),
            )
            .on_hover_and_drag_cursor(CursorIcon::ResizeHorizontal);
        if let Some(pointer) = handle.interact_pointer_pos().filter(|_| handle.dragged()) {
            let seconds = remap_clamp(pointer.x, rail.min..=rail.max, 0.0..=film.length as f32);
            let step = if inwards > 0.0 { Step::MoveIn } else { Step::MoveOut };
            step(seconds.into()).send(ui);
        }
    }
}
