//! One second of a film, painted with several values of steadiness and played side by side.

use std::time::Duration;

use crossbeam_channel::{Receiver, unbounded};
use eframe::egui::{Align, Align2, Context, Layout, Rect, TextureHandle, TextureOptions, Ui, vec2};

use super::{
    FilmPage,
    transport::{SAME, Step, clock},
};
use crate::{
    app::Shell,
    shell::{shortcuts::button, tasks::OrText},
    widgets::{
        texture::{image_of, paint_cover},
        theme,
    },
};
use engine::film;
use media::film::Range;
use values::frame::Frame;

/// The compared values of steadiness.
const PERCENTS: [u8; 3] = [0, 50, 100];
/// Length of what is compared, in seconds, and maximum number of frames.
const SECONDS: f64 = 1.0;
const MAX_FRAMES: usize = 60;
/// Long side of the pictures, in pixels: all of them take 40 MB at most.
const SIDE_PX: usize = 320;

/// The paintings, which arrive one after another.
pub struct Comparison {
    from: f64,
    /// The steadiness that is chosen.
    pub percent: u8,
    arriving: Receiver<(f64, [Frame; 3])>,
    /// With their times after `from`.
    frames: Vec<(f64, [TextureHandle; 3])>,
}

impl Comparison {
    /// Takes the paintings that have arrived.
    pub fn follow(&mut self, ctx: &Context) {
        for (seconds, paintings) in self.arriving.try_iter() {
            let texture = |frame: Frame| {
                ctx.load_texture("steadiness", image_of(&frame), TextureOptions::LINEAR)
            };
            self.frames.push((seconds - self.from, paintings.map(texture)));
        }
    }
}

impl FilmPage {
    /// Closes the comparison, or paints one from the frame that is shown.
    pub fn toggle_comparison(&mut self, shell: &mut Shell) {
        let Some(view) = &mut self.view else { return };
        if view.comparison.take().is_some() {
            return;
        }
        let choice = &shell.workspace.choice;
        let (framing, stylization) = (choice.framing, choice.stylization());
        let network = choice.network(choice.model).map(|network| shell.network(&network));
        let Some(Ok(network)) = network else {
            return shell.messages.notice("Choose a style first, and wait until it is loaded.");
        };
        let (sender, arriving) = unbounded();
        let from = view.transport.position - SAME;
        view.comparison = Some(Comparison {
            from,
            percent: stylization.steadiness,
            arriving,
            frames: Vec::new(),
        });
        let compared = film::Comparison {
            film: view.film.clone(),
            range: Range { start: Some(from), end: Some(from + SECONDS) },
            long_side_px: SIDE_PX,
            max_frames: MAX_FRAMES,
            framing,
            network,
            stylization,
        };
        let (painter, wake_up) = (shell.engine.film_painter(), shell.tasks.wake_up());
        let paint = move || {
            let take = |seconds, frames| {
                wake_up();
                // Fails only if the comparison is closed.
                sender.send((seconds, frames)).is_ok()
            };
            compared.paint(PERCENTS, &painter, take).or_text()
        };
        shell.run(paint, |_, ()| {});
    }
}

/// Draws the comparison as a card over `area`.
pub fn ui(ui: &Ui, comparison: &Comparison, area: Rect) {
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
