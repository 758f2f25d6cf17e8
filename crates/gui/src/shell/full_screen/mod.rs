//! The picture alone over the whole screen, and what is temporarily shown over it: the controls after the mouse has
//! moved, the style's name after a change, and the key that leaves full screen.

pub mod state;

use eframe::egui::{self, Align2, Button, Context, CursorIcon, Event, Id, Rect, Ui};

use self::state::FullScreen;
use super::{command::ShellCommand, shortcuts::button};
use crate::{
    app::{App, Shell},
    intent::{Command, StyleCommand},
    widgets::{
        key_chips,
        stage::Framing,
        theme::{self, floating},
    },
};

/// How long controls and names take to fade in and out.
const FADE_SECONDS: f32 = 0.16;
/// The name of the bar of controls.
const BAR: &str = "full screen controls";
/// Maximum width of the bar of controls, in points.
const BAR_WIDTH: f32 = 760.0;
/// Space between the bar and the screen's edges, in points.
const BAR_MARGIN: f32 = 16.0;

impl Shell {
    /// Enters or leaves full screen.
    pub fn toggle_full_screen(&mut self) {
        let (is_full, now) = self.ctx.input(|i| (i.viewport().fullscreen == Some(true), i.time));
        let is_on = !(is_full || self.window.full_screen.is_on);
        self.window.full_screen.set(is_on, now, self.chosen_name().as_deref());
        self.ctx.send_viewport_cmd(egui::ViewportCommand::Fullscreen(is_on));
    }

    /// How the picture is placed, in the window or in full screen.
    pub fn framing(&self) -> Framing {
        match (self.window.full_screen.is_on, self.settings.choices.full_screen_fills) {
            (false, _) => Framing::Window,
            (true, false) => Framing::Fit,
            (true, true) => Framing::Fill,
        }
    }
}

impl App {
    /// Draws only the picture and urgent information: problems, a capturing camera, open questions.
    pub(crate) fn full_screen_ui(&mut self, ui: &mut Ui) {
        let now = ui.input(|i| i.time);
        let is_used = is_used(ui, self.shell.window.full_screen.shows_controls(now));
        self.shell.window.full_screen.note(now, is_used, self.shell.chosen_name().as_deref());
        egui::CentralPanel::no_frame().show(ui, |ui| {
            let mut area = ui.max_rect();
            let shows_controls = self.shell.window.full_screen.shows_controls(now);
            if shows_controls {
                area.max.y -= self.shell.window.full_screen.bar_height;
            }
            let (page, shell) = self.page();
            page.stage_ui(shell, ui);
            self.over_stage(ui, area, true);
            if now < self.shell.window.full_screen.hint_until {
                floating(ui, "leaving hint", Align2::CENTER_TOP, area, |ui| {
                    ui.label("Press Esc to exit full screen");
                });
            }
            self.shell.window.full_screen.name_style(ui, area, now);
            self.full_screen_bar(ui, shows_controls);
            let has_photo =
                self.shell.workspace.is_live() || self.shell.workspace.seen_photo().is_some();
            if !shows_controls && has_photo && !self.shell.overlays.is_open() {
                ui.set_cursor_icon(CursorIcon::None);
            }
        });
        if let Some(left) = self.shell.window.full_screen.next_change(now) {
            ui.request_repaint_after_secs(left as f32 + 0.01);
        }
    }

    /// The controls, over the lower edge of the screen.
    fn full_screen_bar(&mut self, ui: &Ui, shows: bool) {
        let share = fade(ui, BAR, shows);
        if share <= 0.0 {
            return;
        }
        let screen = ui.max_rect();
        let width = BAR_WIDTH.min(screen.width() - 2.0 * BAR_MARGIN);
        let bar = floating(ui, BAR, Align2::CENTER_BOTTOM, screen, |ui| {
            ui.multiply_opacity(share);
            ui.set_width(width - 26.0);
            if let Some(film) = self.timeline() {
                film.bar(ui);
            }
            ui.horizontal(|ui| bar_contents(self, ui));
        });
        self.shell.window.full_screen.bar_height = bar.rect.height() + BAR_MARGIN;
    }
}

impl FullScreen {
    /// Shows the name of another style when it has been chosen.
    fn name_style(&self, ui: &Ui, area: Rect, now: f64) {
        let share = fade(ui, "style's name", self.shows_name(now));
        if let (true, Some(name)) = (share > 0.0, &self.style) {
            floating(ui, "style's name", Align2::LEFT_TOP, area.shrink(8.0), |ui| {
                ui.multiply_opacity(share);
                ui.heading(name);
            });
        }
    }
}

/// The buttons in the bar.
fn bar_contents(app: &mut App, ui: &mut Ui) {
    let (page, shell) = app.page();
    page.full_screen_buttons(shell, ui);
    theme::at_the_right(ui, "full screen views", |ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        for (icon, name, by) in [("‹", "Previous style", -1), ("›", "Next style", 1)] {
            // A video has such buttons for frames.
            if by > 0 {
                theme::caption(ui, "Style");
            }
            button(
                ui,
                true,
                Button::new(icon).frame_when_inactive(false),
                [name, name],
                StyleCommand::StepStyle(by),
            );
        }
        ui.separator();
        let fills = shell.settings.choices.full_screen_fills;
        for (text, name, is_fill, does) in [
            ("Fit", "Fit the screen", false, "The whole picture."),
            ("Fill", "Fill the screen", true, "Fill the screen; the edges are cut off."),
        ] {
            let look = ui.add(Button::selectable(fills == is_fill, text));
            let response = key_chips::hint(look, does, "Shift+F").accessible_name(name);
            if response.clicked() && fills != is_fill {
                ShellCommand::ToggleFill.send(ui);
            }
        }
        ui.separator();
        let leave = Button::new("Leave").frame_when_inactive(false);
        button(
            ui,
            true,
            leave,
            ["Exit full screen", "Back to the window."],
            ShellCommand::ToggleFullScreen,
        );
    });
}

/// True if the user moves or presses the mouse, presses Tab, or is using the controls if they are `shown`.
fn is_used(ctx: &Context, shown: bool) -> bool {
    let moves = ctx.input(|i| {
        i.pointer.any_down()
            || i.events.iter().any(|event| {
                let is_tab = matches!(event, Event::Key { key: egui::Key::Tab, pressed: true, .. });
                is_tab || matches!(event, Event::PointerMoved(_))
            })
    });
    let bar = ctx.memory(|memory| memory.area_rect(Id::unique(BAR)).filter(|_| shown));
    let is_within = |rect: Rect| bar.is_some_and(|bar| bar.contains_rect(rect));
    let pointer = ctx.input(|i| i.pointer.hover_pos());
    let focused = ctx.memory(|memory| memory.focused()).and_then(|id| ctx.read_response(id));
    moves
        || pointer.is_some_and(|at| is_within(Rect::from_min_size(at, egui::Vec2::ZERO)))
        || focused.is_some_and(|response| is_within(response.rect))
}

/// Progress of a fade in or out, 0 to 1.
fn fade(ctx: &Context, name: &str, shows: bool) -> f32 {
    let seconds = theme::fade_seconds(ctx, FADE_SECONDS);
    ctx.animate_bool_with_time(Id::unique(("fade", name)), shows, seconds)
}
