//! Draws the timeline and the buttons of a film.

use std::time::Duration;

use eframe::egui::{Align, Align2, Id, Layout, Rect, Ui, vec2};

use super::{
    FilmView,
    steadiness::{Comparison, PERCENTS, SECONDS},
    timeline,
    transport::{Step, clock},
};
use crate::{
    shell::shortcuts::button,
    widgets::{fonts::icons, texture::paint_cover, theme},
};

/// Minimum space between two groups of buttons, in points.
const GAP: f32 = 8.0;

impl FilmView {
    /// Draws both rows into `ui`, and the comparison above them.
    pub fn bar(&self, ui: &mut Ui) {
        let film = &self.transport;
        ui.spacing_mut().item_spacing.y = 4.0;
        let rows = ui.available_rect_before_wrap();
        timeline::ui(ui, film, &self.thumbnails);
        let (sound, silent) = if !self.film.has_sound() {
            ("No sound", Some("This video has no sound."))
        } else if self.is_silent {
            ("Sound in export", Some(NO_OUTPUT))
        } else {
            ("Sound", None)
        };
        let length = clock(film.length);
        let length = length.rsplit_once('.').map_or(String::new(), |(s, _)| format!(" / {s}"));
        let [has_in, has_out] = [film.range.start, film.range.end].map(|p| p.is_some());
        let cleared = f32::from(has_in || has_out) * theme::text_width(ui, " In/Out");
        let at_end = theme::text_width(ui, sound) - theme::text_width(ui, "Sound")
            + theme::text_width(ui, &length);
        // The groups at both sides have the same room.
        let longer = 2.0 * f32::max(cleared, at_end);
        theme::fitted(ui, "buttons of a film", [longer], |ui, fitting| {
            let has_words = fitting > 0;
            let added = f32::from(has_words);
            let id = Id::unique("width of the middle buttons of a film");
            let middle: f32 = ui.data(|d| d.get_temp(id)).unwrap_or_default();
            let mut widths = [0.0; 2];
            theme::bar(ui, 8.0, |ui| {
                let add = |ui: &mut Ui, can, is_on, text: &str, words: [&str; 2], step| {
                    button(ui, can, theme::toggle(is_on, text), words, step)
                };
                add(ui, true, has_in, "In", ["In point", "Begin at this frame."], Step::SetIn);
                add(ui, true, has_out, "Out", ["Out point", "End with this frame."], Step::SetOut);
                if has_in || has_out {
                    let text = if has_words { "Clear In/Out" } else { "Clear" };
                    let words = ["Clear In/Out", "Play and export the whole video."];
                    add(ui, true, false, text, words, Step::ClearRange);
                }
                let words = ["Compare steadiness", "Compare its effect on one second from here."];
                add(ui, true, self.comparison.is_some(), "Steadiness", words, Step::Compare);
                widths[0] = ui.min_rect().width() - added * cleared;
                ui.add_space((rows.center().x - 0.5 * middle - ui.cursor().left()).max(0.0));
                let start = ui.cursor().left();
                add(ui, true, false, "|‹", ["Previous frame", "One frame back."], Step::Frame(-1));
                let (icon, name) = match film.speed {
                    0.0 => (icons::PLAY, "Play"),
                    _ => (icons::PAUSE, "Pause"),
                };
                let play = theme::toggle(false, icon).min_size([48.0, 0.0].into());
                button(ui, true, play, [name, "Play or pause."], Step::Toggle);
                add(ui, true, false, "›|", ["Next frame", "One frame forward."], Step::Frame(1));
                let width = ui.min_rect().right() - start;
                ui.data_mut(|d| d.insert_temp(id, width));
                theme::at_the_right(ui, "sound and time of the film", |ui| {
                    let words = ["Loop", "Begin again at the end."];
                    add(ui, true, film.loops, "Loop", words, Step::ToggleLoop);
                    let words = ["Sound", "Play the sound at normal speed. The export keeps it."];
                    let is_on = silent.is_none() && !film.is_mute;
                    let text = if has_words { sound } else { "Sound" };
                    add(ui, silent.is_none(), is_on, text, words, Step::ToggleSound)
                        .on_disabled_hover_text(silent.unwrap_or_default());
                    if !matches!(film.speed, 0.0 | 1.0) {
                        let sign = if film.speed < 0.0 { "−" } else { "" };
                        ui.label(format!("{sign}{}×  ", film.speed.abs()));
                    }
                    ui.label(clock(film.position) + if has_words { &length } else { "" });
                    widths[1] = ui.min_rect().width() - added * at_end;
                });
            });
            middle + 2.0 * (widths[0].max(widths[1]) + GAP)
        });
        if let Some(comparison) = &self.comparison {
            let above = Rect::from_x_y_ranges(rows.x_range(), ui.content_rect().top()..=rows.top());
            comparison_ui(ui, comparison, above);
        }
    }
}

/// Why sound is not played.
pub const NO_OUTPUT: &str = "The sound cannot be played here, because ffmpeg found no output that works (PulseAudio or ALSA). The export keeps it.";

/// Draws the comparison as a card over `area`.
fn comparison_ui(ui: &Ui, comparison: &Comparison, area: Rect) {
    let Comparison { from, percent, frames, .. } = comparison;
    theme::floating(ui, "steadiness", Align2::CENTER_BOTTOM, area, |ui| {
        let width = ((area.width() - 84.0) / PERCENTS.len() as f32).min(280.0);
        let shape = frames.first().map_or(vec2(16.0, 9.0), |(_, [first, ..])| first.size_vec2());
        let height = (width * shape.y / shape.x).min(0.4 * area.height());
        ui.label(format!("Steadiness on {} frames from {}", frames.len(), clock(*from)));
        // It is repeated, also as long as it is not complete.
        let length = frames.last().map_or(SECONDS, |(seconds, _)| seconds + 0.04);
        let now = ui.input(|i| i.time) % length;
        let shown = frames.iter().rev().find(|(at, _)| *at <= now).or(frames.first());
        ui.horizontal(|ui| {
            for (place, each) in PERCENTS.into_iter().enumerate() {
                let down = Layout::top_down(Align::Center);
                ui.allocate_ui_with_layout(vec2(width, 0.0), down, |ui| {
                    let (_, rect) = ui.allocate_space(vec2(width, height));
                    ui.painter().rect_filled(rect, 0.0, theme::palette(ui).stage);
                    if let Some((_, textures)) = shown {
                        paint_cover(ui, &textures[place], rect, 0);
                    }
                    let name = format!("Steadiness {each} %");
                    let words = [name.as_str(), "Paint the video with this steadiness."];
                    let toggle = theme::toggle(each == *percent, format!("{each} %"));
                    button(ui, true, toggle, words, Step::Steady(each));
                });
            }
        });
        if frames.len() > 1 {
            ui.request_repaint_after(Duration::from_millis(20));
        }
    });
}
