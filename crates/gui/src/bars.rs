//! The bar above the picture (photos, camera, undo, window), the row at the picture's lower edge (compare mode, zoom),
//! and panels below it.

use eframe::egui::{self, Button, Frame, Id, Label, Panel, Popup, Rect, Ui, vec2};

use crate::{
    app::{App, Shell},
    intent::{Command, Intent, PhotoCommand, Sends, ShellCommand, ViewCommand},
    pages::photo::welcome::recent_button,
    shell::shortcuts::{button, keys_of, plain_button},
    widgets::{
        fonts::icons,
        key_chips,
        label::path_label,
        stage::{Compare, Stage, ViewStep},
        theme,
    },
    workspace::Page,
};
use settings::ThemeChoice;

/// Buttons of the upper bar whose icon alone is clear: they have text only if that of all others fits.
const CLEAR: [&str; 4] = ["Recent", "Settings", "Shortcuts", "About"];

/// The button that shows the controls when they are hidden.
const ADJUST: &str = "Adjust";

impl App {
    /// Draws the upper bar into `ui`.
    pub(super) fn top_bar(&self, ui: &mut Ui, may_fold: bool) {
        let [can_undo, can_redo] = match self.photo.seen_crop(&self.shell) {
            Some(cropping) => cropping.can_step(),
            None => self.shell.workspace.history.can_step(),
        };
        let workspace = &self.shell.workspace;
        let page = workspace.page();
        let added = |names: &[&str]| -> f32 {
            names.iter().map(|name| theme::text_width(ui, &format!(" {name}"))).sum()
        };
        let words = match page {
            Page::Photo => added(&["Open…", "Paste", "Sample", "Folder…", "Undo", "Redo"]),
            Page::Video => added(&["Open…", "Undo", "Redo"]),
            Page::Live => added(&["Undo", "Redo"]),
        };
        let clear = added(&CLEAR[usize::from(page == Page::Live)..]);
        theme::fitted(ui, "top bar", [words, clear], |ui, fitting| {
            let [has_words, has_all] = [fitting > 0, fitting > 1];
            let shown = f32::from(has_words) * words + f32::from(has_all) * clear;
            let mut width = 0.0;
            theme::bar(ui, 8.0, |ui| {
                page_choice(
                    ui,
                    page,
                    if page == Page::Live { workspace.photo_page() } else { Page::Live },
                );
                ui.separator();
                let open = match page {
                    Page::Photo => Some(("Open a photo or video.", PhotoCommand::AskOpen)),
                    Page::Video => Some(("Open a video.", PhotoCommand::AskVideo)),
                    Page::Live => None,
                };
                let add = |ui: &mut Ui, icon, words: [&str; 2], can, intent: Intent| {
                    let icon =
                        theme::icon_button(icon, words[0], has_words).frame_when_inactive(false);
                    button(ui, can, icon, words, intent);
                };
                if let Some((does, intent)) = open {
                    add(ui, icons::IMAGE, ["Open…", does], true, intent.into());
                    recent_button(ui, self.photo.recent(&self.shell), has_all);
                }
                if page == Page::Photo {
                    for (icon, name, does, intent) in [
                        (
                            icons::CLIPBOARD,
                            "Paste",
                            "Open the copied image or file.",
                            PhotoCommand::Paste,
                        ),
                        (
                            icons::SPARKLE,
                            "Sample",
                            "Try the built-in photo.",
                            PhotoCommand::OpenSample,
                        ),
                        (
                            icons::FOLDER,
                            "Folder…",
                            "Paint a folder of photos.",
                            PhotoCommand::AskFolder,
                        ),
                    ] {
                        add(ui, icon, [name, does], true, intent.into());
                    }
                }
                if page != Page::Live {
                    ui.separator();
                }
                for (icon, name, does, can, intent) in [
                    (icons::UNDO, "Undo", "Undo the last change.", can_undo, ViewCommand::Undo),
                    (
                        icons::REDO,
                        "Redo",
                        "Redo the last undone change.",
                        can_redo,
                        ViewCommand::Redo,
                    ),
                ] {
                    add(ui, icon, [name, does], can, intent.into());
                }
                let offers_camera = !self.live.is_first_start(&self.shell);
                if let Some(live) =
                    self.live.view.as_ref().filter(|l| offers_camera || l.uses_camera())
                {
                    ui.separator();
                    live.source_bar(ui);
                }
                let left = ui.min_rect().width();
                let mut right = 0.0;
                theme::at_the_right(ui, "window buttons", |ui| {
                    window_buttons(&self.shell, ui, may_fold, has_all);
                    right = ui.min_rect().width();
                });
                width = left + right + 2.0 * ui.spacing().item_spacing.x - shown;
            });
            width
        });
    }
}

/// The control that shows a page of three; the key switches to the page `by_key`.
fn page_choice(ui: &mut Ui, shown: Page, by_key: Page) {
    Frame::new().fill(ui.visuals().extreme_bg_color).corner_radius(theme::RADIUS).show(ui, |ui| {
        ui.spacing_mut().item_spacing.x = 0.0;
        for (page, name, does) in [
            (Page::Photo, "Photo", "Paint photos."),
            (Page::Video, "Video", "Paint and export a video."),
            (Page::Live, "Live", "Paint a camera or the demo scene."),
        ] {
            let turn = Intent::Shell(ShellCommand::TurnPage);
            let keys = if page == by_key { keys_of(ui, &turn) } else { "" };
            key_chips::hint(ui.add(Button::selectable(page == shown, name)), does, keys)
                .sends(ShellCommand::ShowPage(page));
        }
    });
}

/// Height of the status line, in points.
pub const STATUS_HEIGHT: f32 = 20.0;
/// Space between two parts of the status line, in points.
pub const PART_GAP: f32 = 16.0;
/// Minimum height of a panel whose edge can be dragged, in points.
const MIN_DRAWER: f32 = 100.0;

/// The frame of a panel with these margins, in points.
pub fn side(ui: &Ui, x: i8, y: i8) -> Frame {
    Frame::new().fill(ui.visuals().panel_fill).inner_margin(egui::Margin::symmetric(x, y))
}

/// A panel at the lower edge whose contents are drawn after the parts above it: Tab follows the drawing order.
pub struct LowerPanel {
    ui: Ui,
    name: &'static str,
    /// `None` if the user sets it.
    height: Option<f32>,
}

impl LowerPanel {
    /// Reserves a row with a line above it.
    pub fn row(ui: &mut Ui, name: &'static str, margin: i8) -> Self {
        Self::room(ui, name, side(ui, 12, margin), true)
    }

    /// Reserves a row that is part of the canvas, not a separate bar.
    pub fn on_canvas(ui: &mut Ui, name: &'static str) -> Self {
        Self::room(ui, name, side(ui, 12, 4).fill(theme::palette(ui).stage), false)
    }

    /// Reserves the height that the panel had in the last frame.
    fn room(ui: &mut Ui, name: &'static str, frame: Frame, has_line: bool) -> Self {
        let height: f32 = ui.data(|d| d.get_temp(Id::unique(name))).unwrap_or(0.0);
        let ui = Panel::bottom(name)
            .frame(frame)
            .exact_size(height + frame.total_margin().sum().y)
            .resizable(false)
            .show_separator_line(has_line)
            .show(ui, |ui| ui.new_child(egui::UiBuilder::new().max_rect(ui.max_rect())))
            .inner;
        Self { ui, name, height: Some(height) }
    }

    /// Reserves a panel whose upper edge can be dragged, of this usual and maximum height.
    pub fn drawer(ui: &mut Ui, name: &'static str, margin: i8, [usual, most]: [f32; 2]) -> Self {
        let most = most.max(MIN_DRAWER);
        let panel = Panel::bottom(Id::unique(name)).resizable(true).frame(side(ui, 12, margin));
        let panel = panel.default_size(usual.min(most)).size_range(MIN_DRAWER..=most);
        let shown = panel.show(ui, |ui| {
            // The same height with any contents.
            ui.set_min_height(ui.available_height());
            ui.new_child(egui::UiBuilder::new().max_rect(ui.max_rect()))
        });
        // A grip shows that the edge can be dragged.
        let grip = shown.response.rect.center_top() + vec2(0.0, 3.0);
        let grip = Rect::from_center_size(grip, vec2(36.0, 3.0));
        ui.painter().rect_filled(grip, 1.5, theme::palette(ui).quiet);
        Self { ui: shown.inner, name, height: None }
    }

    /// Draws the contents.
    pub fn draw(mut self, contents: impl FnOnce(&mut Ui)) {
        contents(&mut self.ui);
        let height = self.ui.min_rect().height();
        if self.height.is_some_and(|before| before != height) {
            self.ui.data_mut(|d| d.insert_temp(Id::unique(self.name), height));
            self.ui.request_discard("another height of a panel");
        }
    }
}

/// Space between two buttons below the picture, and padding at each side of their text, in points.
const VIEW_GAP: f32 = 4.0;
const VIEW_PADDING: f32 = 8.0;
/// Width of the zoom in percent, in points.
const PERCENT_WIDTH: f32 = 48.0;

/// The buttons next to the zoom percentage: text, accessible name, hint; and the step that they perform.
const ZOOMS: [([&str; 3], ViewStep); 4] = [
    (["−", "Zoom out", "Zoom out."], ViewStep::ZoomOut),
    (["+", "Zoom in", "Zoom in."], ViewStep::ZoomIn),
    (["Fit", "Fit", "The whole picture."], ViewStep::Fit),
    (["100 %", "Actual size", "One image pixel per screen pixel."], ViewStep::ActualSize),
];

/// Draws the row at the picture's lower edge, or two rows if it is narrow: compare mode and zoom. The buttons are
/// disabled unless `is_seen`: the picture is visible.
pub fn view(ui: &mut Ui, stage: &Stage, is_seen: bool) {
    ui.spacing_mut().item_spacing = egui::Vec2::splat(VIEW_GAP);
    ui.spacing_mut().button_padding.x = VIEW_PADDING;
    ui.horizontal_wrapped(|ui| {
        if stage.has_painting() || stage.labels.alone.is_some() {
            // A disabled switch stays in its place.
            looks(ui, stage.looks(), stage.compare, is_seen && stage.labels.alone.is_none());
        }
        theme::at_the_right(ui, "zoom", |ui| zooms(ui, stage, is_seen));
    });
}

/// The compare modes, and the current one.
fn looks(ui: &mut Ui, offered: [(Compare, &str); 4], current: Compare, can: bool) {
    for (compare, name) in offered {
        let (hint, keys) = match compare {
            Compare::Photo => ("Show only the left picture; hold C to see it briefly.", "V or C"),
            Compare::Painting => ("Show only the painting.", "V"),
            Compare::Both => ("Show both, with a divider to drag.", "V"),
            Compare::SideBySide => ("Show both side by side at the same zoom.", ""),
        };
        key_chips::hint(
            ui.add_enabled(can, Button::selectable(current == compare, name)),
            hint,
            keys,
        )
        .accessible_name(format!("Show {}", name.to_lowercase()))
        .sends(ViewCommand::Look(compare));
    }
}

/// The zoom, and the buttons that change it.
fn zooms(ui: &mut Ui, stage: &Stage, is_seen: bool) {
    for ([letters, spoken, does], by) in ZOOMS {
        button(
            ui,
            is_seen,
            Button::new(letters).frame_when_inactive(false),
            [spoken, does],
            ViewCommand::StepView(by),
        );
        if by == ViewStep::ZoomOut {
            let percent = format!("{:.0} %", 100.0 * stage.scale);
            let words = Label::new(egui::RichText::new(&percent).small());
            ui.add_enabled_ui(is_seen, |ui| ui.add_sized([PERCENT_WIDTH, 20.0], words))
                .inner
                .accessible_name(format!("Zoom {percent}"));
        }
    }
}

/// The buttons for the window itself.
fn window_buttons(shell: &Shell, ui: &mut Ui, may_fold: bool, has_words: bool) {
    if may_fold {
        // Users look for Strength and Detail, so this button has text in any bar, however narrow.
        let adjust = theme::icon_text(icons::SLIDERS, ADJUST, true);
        let adjust = Button::selectable(shell.window.controls_open, adjust);
        button(
            ui,
            true,
            adjust,
            [ADJUST, "Strength, detail and more."],
            ShellCommand::ToggleControls,
        );
    }
    let icon = |icon, name| theme::icon_button(icon, name, has_words).frame_when_inactive(false);
    let settings = ui
        .add(icon(icons::GEAR, "Settings"))
        .on_hover_text("Appearance, questions, previews, folders.")
        .accessible_name("Settings");
    Popup::menu(&settings).show(|ui| {
        ui.set_min_width(220.0);
        let mut choices = shell.settings.choices.clone();
        theme::caption(ui, "Appearance");
        for (choice, name) in [
            (ThemeChoice::System, "Match system"),
            (ThemeChoice::Dark, "Dark"),
            (ThemeChoice::Light, "Light"),
        ] {
            ui.radio_value(&mut choices.theme, choice, name);
        }
        ui.separator();
        ui.checkbox(&mut choices.ask_before_losing, "Warn before discarding an unsaved painting");
        ui.checkbox(&mut choices.styles_show_photo, "Preview my photo in the style list")
            .on_hover_text("Each style in the list paints a small version of your photo.");
        let mut reduces = theme::reduces_motion(ui);
        if ui
            .checkbox(&mut reduces, "Reduce motion")
            .on_hover_text("Pictures and controls change without fading or sliding.")
            .clicked()
        {
            choices.reduce_motion = Some(reduces);
        }
        ui.separator();
        theme::caption(ui, "Save snapshots and recordings to");
        ui.label(path_label(&shell.snapshot_folder()));
        plain_button(ui, "Change folder…", ShellCommand::AskSnapshotFolder);
        if choices != shell.settings.choices {
            ShellCommand::SetChoices(Box::new(choices)).send(ui);
        }
    });
    for (symbol, name, does, intent) in [
        (
            icons::KEYBOARD,
            "Shortcuts",
            "All keyboard shortcuts.",
            Intent::Shell(ShellCommand::ToggleShortcuts),
        ),
        (
            icons::INFO,
            "About",
            "Version, credits and licences.",
            Intent::Shell(ShellCommand::ToggleAbout),
        ),
    ] {
        button(ui, true, icon(symbol, name), [name, does], intent);
    }
}
