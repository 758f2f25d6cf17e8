//! Overlays over the window: questions, forms, reports, the list of shortcuts, the program's credits and licences. The newest one is
//! shown; older ones wait below it.

use std::{mem::discriminant, ops::Range, path::Path};

use eframe::egui::{
    self, Align2, Button, ColorImage, Context, Id, Image, Key, Modal, Modifiers, RichText,
    ScrollArea, TextEdit, TextStyle, TextureHandle, TextureOptions, Ui, vec2,
};

use super::{
    command::ShellCommand,
    shortcuts::{close_button, plain_button},
    shortcuts_list,
};
use crate::{
    ICON,
    intent::Command,
    jobs::{FORM_WIDTH, FolderForm, Form, Jobs},
    pages::live::ReportView,
    styles::{
        reading::{self, Reading},
        source::Card,
    },
    widgets::{label::path_label, theme},
};
use settings::Choices;

/// Space between a dialog's edge and its content, in points.
const DIALOG_MARGIN: i8 = 24;
/// Minimum space above and below a dialog, in points.
const MIN_ABOVE: f32 = 20.0;
/// Maximum height of a question's picture, in points.
const PICTURE_HEIGHT: f32 = 160.0;

/// A question that is answered with a button.
pub struct Buttons<S> {
    pub heading: String,
    pub text: String,
    /// What the question is about.
    pub picture: Option<TextureHandle>,
    pub answers: Vec<Answer<S>>,
    /// The user can turn off this question.
    pub can_turn_off: bool,
}

/// A button of a question.
pub struct Answer<S> {
    pub name: &'static str,
    /// A key that presses it.
    pub key: Option<Key>,
    pub then: Box<dyn FnOnce(&mut S)>,
}

impl<S> Answer<S> {
    pub fn new(name: &'static str, then: impl FnOnce(&mut S) + 'static) -> Self {
        Self { name, key: None, then: Box::new(then) }
    }

    /// The button that only closes the question.
    pub fn cancel(name: &'static str) -> Self {
        Self::new(name, |_| {})
    }
}

/// Continues with a typed text.
type TextHandler<S> = Box<dyn FnOnce(&mut S, String)>;

/// A question that is answered with a text.
pub struct Field<S> {
    pub heading: String,
    /// The text of the button.
    pub button: &'static str,
    pub text: String,
    /// The part of the text that is selected first, so that typing replaces it, in bytes.
    pub selected: Range<usize>,
    /// Why the question is asked.
    pub why: String,
    /// What is wrong with the last text that was entered.
    pub problem: Option<String>,
    pub then: TextHandler<S>,
}

/// An overlay of a window whose state is `S`. The first three are questions, which must be answered before the window
/// continues; the answers of a question that is closed are dropped.
pub enum Overlay<S> {
    Buttons(Buttons<S>),
    Field(Field<S>),
    /// The pixel format of a network whose file does not specify it.
    Reading(Box<Reading>),
    ExportForm(Box<Form>),
    FolderForm(Box<FolderForm>),
    /// The report of a measurement.
    Report(ReportView),
    /// The list of shortcuts that match this search text.
    Shortcuts(String),
    About(About),
}

/// The open overlays, the newest last, and whether that one has just opened.
pub struct Overlays<S> {
    open: Vec<Overlay<S>>,
    is_fresh: bool,
    /// How often an overlay has appeared.
    appeared: u64,
}

impl<S> Default for Overlays<S> {
    fn default() -> Self {
        Self { open: Vec::new(), is_fresh: false, appeared: 0 }
    }
}

/// What overlays show of the window's state.
pub struct Shown<'a> {
    pub cards: &'a [Card],
    pub choices: &'a Choices,
    pub jobs: &'a Jobs,
}

impl<S> Overlays<S> {
    /// Opens an overlay over the others, instead of one of its kind.
    pub fn show(&mut self, overlay: Overlay<S>) {
        let kind = discriminant(&overlay);
        self.open.retain(|other| discriminant(other) != kind);
        self.open.push(overlay);
        self.appear();
    }

    fn appear(&mut self) {
        self.is_fresh = true;
        self.appeared += 1;
    }

    /// Opens an overlay, or closes it if it is shown. A question stays open, because it must be answered.
    pub fn toggle(&mut self, overlay: Overlay<S>) {
        match self.open.last() {
            Some(shown) if discriminant(shown) == discriminant(&overlay) => {
                self.take();
            }
            Some(Overlay::Buttons(_) | Overlay::Field(_) | Overlay::Reading(_)) => {}
            _ => self.show(overlay),
        }
    }

    /// Closes the overlay that is shown, and returns it. The one below it is shown again.
    pub fn take(&mut self) -> Option<Overlay<S>> {
        self.appear();
        self.open.pop()
    }

    /// The open question about a network's pixel format.
    pub fn reading(&mut self) -> Option<&mut Reading> {
        self.open.iter_mut().find_map(|overlay| match overlay {
            Overlay::Reading(reading) => Some(&mut **reading),
            _ => None,
        })
    }

    /// The form of an export.
    pub fn export_form(&mut self) -> Option<&mut Form> {
        self.open.iter_mut().find_map(|overlay| match overlay {
            Overlay::ExportForm(form) => Some(&mut **form),
            _ => None,
        })
    }

    /// The form for a folder.
    pub fn folder_form(&mut self) -> Option<&mut FolderForm> {
        self.open.iter_mut().find_map(|overlay| match overlay {
            Overlay::FolderForm(form) => Some(&mut **form),
            _ => None,
        })
    }

    /// The overlay that is shown.
    pub fn shown(&self) -> Option<&Overlay<S>> {
        self.open.last()
    }

    pub fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// Draws the newest overlay.
    pub fn ui(&mut self, ctx: &Context, shown: &Shown<'_>) {
        let is_fresh = std::mem::take(&mut self.is_fresh);
        let Some(open) = self.open.last_mut() else {
            return;
        };
        let (id, width) = match open {
            Overlay::Buttons(_) => ("question", 460.0),
            Overlay::Field(_) => ("field", 560.0),
            Overlay::Reading(_) => ("reading", 1060.0),
            Overlay::ExportForm(_) => ("export", FORM_WIDTH),
            Overlay::FolderForm(_) => ("folder", FORM_WIDTH),
            Overlay::Report(_) => ("report", 760.0),
            Overlay::Shortcuts(_) => ("shortcuts", 720.0),
            Overlay::About(_) => ("about", 760.0),
        };
        // It changes its height, so it is anchored at the top.
        let hangs = matches!(open, Overlay::Shortcuts(_));
        // A new id each time: egui would draw a list that was open before below the dialog, if a click takes one frame.
        let id = Id::unique((id, self.appeared));
        let closes = dialog(ctx, id, hangs, width, |ui| match open {
            Overlay::Buttons(question) => question.ui(ui, shown.choices, is_fresh),
            Overlay::Field(field) => field.ui(ui, is_fresh),
            Overlay::Reading(question) => reading::ui(ui, question, is_fresh),
            Overlay::ExportForm(form) => {
                form.ui(ui, shown.jobs.queue.writes(&form.export.output), is_fresh)
            }
            Overlay::FolderForm(form) => form.ui(ui, shown.cards, is_fresh),
            Overlay::Report(report) => report.ui(ui, is_fresh),
            Overlay::Shortcuts(wanted) => {
                shortcuts_list::ui(ui, wanted, is_fresh);
                ui.add_space(theme::GAP);
                close_button(ui, false);
            }
            Overlay::About(about) => about.ui(ui, shown.cards, is_fresh),
        });
        if closes && !is_fresh {
            ShellCommand::CloseOverlay.send(ctx);
        }
    }
}

/// Draws a dialog over the window, at most `width` points wide: at its top if it `hangs`, otherwise in its middle. Returns
/// whether the dialog is to be closed.
fn dialog(ctx: &Context, id: Id, hangs: bool, width: f32, contents: impl FnOnce(&mut Ui)) -> bool {
    let frame = egui::Frame::window(&ctx.global_style()).inner_margin(DIALOG_MARGIN);
    let mut area = Modal::default_area(id);
    if hangs {
        area = area.anchor(Align2::CENTER_TOP, vec2(0.0, MIN_ABOVE));
    }
    let response = Modal::new(id).area(area).frame(frame).show(ctx, |ui| {
        let room = ctx.content_rect().size();
        ui.set_width(f32::min(width, room.x - 80.0));
        ui.set_max_height(room.y - 2.0 * (MIN_ABOVE + f32::from(DIALOG_MARGIN)));
        contents(ui);
    });
    response.should_close()
}

impl<S> Buttons<S> {
    fn ui(&self, ui: &mut Ui, choices: &Choices, is_fresh: bool) {
        ui.heading(&self.heading);
        ui.add_space(4.0);
        ui.label(&self.text);
        if let Some(picture) = &self.picture {
            let picture = Image::from_texture(picture).max_height(PICTURE_HEIGHT);
            ui.add(picture.corner_radius(theme::RADIUS).alt_text(&self.text));
        }
        ui.add_space(theme::GAP);
        ui.horizontal(|ui| {
            for (place, answer) in self.answers.iter().enumerate() {
                let is_main = place == 0;
                let mut button = if is_main {
                    theme::main_button(ui, answer.name, true)
                } else {
                    Button::new(answer.name)
                };
                if let Some(key) = answer.key {
                    let colors = theme::palette(ui);
                    let color = if is_main { colors.on_accent } else { colors.quiet };
                    button = button.shortcut_text(RichText::new(key.name()).small().color(color));
                }
                let response = ui.add(button).accessible_name(answer.name);
                if is_main && is_fresh {
                    response.request_focus();
                }
                let is_pressed = |key| ui.input_mut(|i| i.consume_key(Modifiers::NONE, key));
                if response.clicked() || answer.key.is_some_and(is_pressed) {
                    ShellCommand::Answer(place).send(ui);
                }
            }
        });
        if self.can_turn_off {
            let mut choices = choices.clone();
            let mut never = !choices.ask_before_losing;
            let hint = "You can turn this question on again in Settings.";
            if ui.checkbox(&mut never, "Don't ask again").on_hover_text(hint).clicked() {
                choices.ask_before_losing = !never;
                ShellCommand::SetChoices(Box::new(choices)).send(ui);
            }
        }
    }
}

impl<S> Field<S> {
    fn ui(&mut self, ui: &mut Ui, is_fresh: bool) {
        let heading = ui.heading(&self.heading);
        ui.add_space(4.0);
        if ui.text_edit_focused() {
            take_whole_paths(ui, &mut self.text);
        }
        let field = TextEdit::singleline(&mut self.text).desired_width(f32::INFINITY);
        let field = ui.add(field).labelled_by(heading.id);
        if is_fresh {
            field.request_focus();
            self.select(ui, field.id);
        }
        let is_entered = field.lost_focus() && ui.input(|i| i.key_pressed(Key::Enter));
        match &self.problem {
            Some(problem) => {
                ui.label(RichText::new(problem).color(theme::palette(ui).error));
            }
            None if self.why.is_empty() => {}
            None => theme::caption(ui, self.why.as_str()),
        }
        ui.add_space(theme::GAP);
        ui.horizontal(|ui| {
            let has_text = !self.text.trim().is_empty();
            let take = theme::main_button(ui, self.button, has_text);
            if (ui.add_enabled(has_text, take).clicked() || is_entered) && has_text {
                ShellCommand::Answer(0).send(ui);
            }
            plain_button(ui, "Cancel", ShellCommand::CloseOverlay);
        });
    }

    fn select(&self, ctx: &Context, field: Id) {
        let cursor = |at: usize| {
            let letters = self.text.get(..at).unwrap_or_default().chars().count();
            egui::text::CCursor::new(egui::text::CharIndex(letters))
        };
        let from = cursor(self.selected.start);
        let to = cursor(self.selected.end);
        let mut state = TextEdit::load_state(ctx, field).unwrap_or_default();
        state.cursor.set_char_range(Some(egui::text::CCursorRange::two(from, to)));
        TextEdit::store_state(ctx, field, state);
    }
}

/// Clears the field before an absolute path is pasted; the path would be invalid after the existing text.
fn take_whole_paths(ctx: &Context, field: &mut String) {
    ctx.input_mut(|input| {
        for event in &mut input.events {
            if let egui::Event::Paste(text) = event
                && let pasted = text.trim()
                && (Path::new(pasted).is_absolute() || pasted.starts_with("~/"))
            {
                *text = pasted.to_owned();
                field.clear();
            }
        }
    });
}

/// Credits of a style: who painted it, or the file's location if it is the user's own.
fn credit(card: &Card) -> String {
    let Some(path) = card.own.as_ref().filter(|_| card.credit.is_empty()) else {
        return match card.credit.as_str() {
            "" => "Its file has no credit.".to_owned(),
            credit => credit.to_owned(),
        };
    };
    let since = card.changed.and_then(|at| at.elapsed().ok());
    let when = match since.map(|since| since.as_secs() / (24 * 60 * 60)) {
        None => String::new(),
        Some(0) => ", saved within a day".to_owned(),
        Some(1) => ", saved a day ago".to_owned(),
        Some(days) => format!(", saved {days} days ago"),
    };
    let what = if card.is_picture() { "From your picture" } else { "Added by you" };
    format!("{what}{when}: {}", path_label(path))
}

/// What the program is, who made its parts, and their licences, each in a tab.
pub struct About {
    tab: &'static str,
    icon: Option<TextureHandle>,
    /// The lines of all licences.
    licences: Vec<String>,
}

/// Height of a tab of [`About`], in points, if there is enough space.
const ABOUT_HEIGHT: f32 = 360.0;

/// Height of the icon in it, and of all that is said about the program, in points.
const ICON_HEIGHT: f32 = 112.0;
const PROGRAM_HEIGHT: f32 = 230.0;

/// The tabs of [`About`].
const TABS: [&str; 3] = ["StyleForge", "Credits", "Licences"];

impl About {
    pub fn new(ctx: &Context, licences: &str) -> Self {
        let icon = eframe::icon_data::from_png_bytes(ICON).ok().map(|icon| {
            let size = [icon.width, icon.height].map(|side| side as usize);
            let picture = ColorImage::from_rgba_unmultiplied(size, &icon.rgba);
            ctx.load_texture("icon", picture, TextureOptions::LINEAR)
        });
        Self { tab: TABS[0], icon, licences: licences.lines().map(str::to_owned).collect() }
    }

    fn ui(&mut self, ui: &mut Ui, cards: &[Card], is_fresh: bool) {
        theme::bar(ui, 8.0, |ui| {
            for tab in TABS {
                let is_on = self.tab == tab;
                let response = ui.add(theme::toggle(is_on, tab));
                theme::named_choice(&response, egui::Role::RadioButton, is_on, tab);
                if response.clicked() {
                    self.tab = tab;
                }
            }
        });
        ui.add_space(theme::GAP);
        // The same height with every tab.
        let height = ABOUT_HEIGHT.min(ui.available_height() - 60.0);
        ui.scope(|ui| {
            ui.set_min_height(height);
            match self.tab {
                "Credits" => {
                    let area = ScrollArea::vertical().max_height(height);
                    area.show(ui, |ui| credits_ui(ui, cards));
                }
                "Licences" => licences_ui(&self.licences, ui, height),
                _ => ui.vertical_centered(|ui| self.program_ui(ui, height)).inner,
            }
        });
        ui.add_space(theme::GAP);
        close_button(ui, is_fresh);
    }

    fn program_ui(&self, ui: &mut Ui, height: f32) {
        ui.add_space(0.5 * (height - PROGRAM_HEIGHT).max(0.0));
        if let Some(icon) = &self.icon {
            ui.add(Image::from_texture(icon).max_height(ICON_HEIGHT).alt_text("The icon"));
            ui.add_space(theme::GAP);
        }
        ui.heading(format!("StyleForge {}", env!("CARGO_PKG_VERSION")));
        for text in [
            "Paints photos, videos and live video in the style of a picture.",
            "Nothing leaves this computer.",
            "Free software under the MIT licence or the Apache licence 2.0, at your option.",
        ] {
            ui.label(text);
        }
    }
}

fn credits_ui(ui: &mut Ui, cards: &[Card]) {
    for card in cards {
        ui.label(RichText::new(&card.title).strong());
        theme::caption(ui, credit(card));
    }
    for (title, text) in [
        (
            "Networks",
            "TransformerNet of Johnson, Alahi and Fei-Fei (2016) as in PyTorch's fast neural style example",
        ),
        ("Sample photo", "Eileen Collins, NASA, public domain"),
        (
            "Paintings on the start page",
            "Claude Monet, Vincent van Gogh and Wassily Kandinsky, public domain",
        ),
        (
            "Window",
            "egui; the fonts Inter (SIL Open Font License), Ubuntu (Ubuntu font licence) and Hack (MIT); the icons Phosphor (MIT)",
        ),
    ] {
        ui.label(RichText::new(title).strong());
        theme::caption(ui, text);
    }
}

/// Draws the lines.
fn licences_ui(lines: &[String], ui: &mut Ui, height: f32) {
    let font = TextStyle::Monospace.resolve(ui.style());
    let font = egui::FontId::new(font.size * 0.85, font.family);
    let row = ui.fonts_mut(|fonts| fonts.row_height(&font));
    ui.spacing_mut().item_spacing.y = 0.0;
    ScrollArea::both().auto_shrink([false, true]).max_height(height).show_rows(
        ui,
        row,
        lines.len(),
        |ui, shown| {
            for line in lines.get(shown).unwrap_or_default() {
                let text = RichText::new(line).font(font.clone());
                ui.add(egui::Label::new(text).extend());
            }
        },
    );
}
