//! Overlays over the window: questions, the list of shortcuts, credits and licences.

use std::{
    mem::discriminant,
    path::{Path, PathBuf},
};

use eframe::egui::{self, Align2, Id, Modal, RichText, ScrollArea, vec2};

use super::{
    finished::Save,
    incoming::{self, IncomingPictures},
    intent::Intent,
    label::{name_label, path_label},
    licences::Licences,
    naming::{self, Naming, mark_name},
    platform::Purpose,
    reading::{self, Reading},
    shortcuts::Group,
    shortcuts_list,
    style_source::Card,
    theme,
};

/// Space between a dialog's edge and its content, in points.
const DIALOG_MARGIN: i8 = 24;
/// Minimum space above and below a dialog, in points.
const LEAST_ABOVE: f32 = 20.0;

/// The action that would lose a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Closing the window.
    Closing,
    /// Opening another photo.
    Opening,
}

/// A question that must be answered before the window continues.
pub enum Question {
    /// The result on the table would be lost.
    LoseResult {
        loss: Loss,
        /// Name of the result, as text.
        what: String,
    },
    /// The target file of this save already exists. The save waits here for the answer.
    ReplaceFile(Box<Save>),
    /// Closing the window would stop a batch.
    StopBatch,
    /// Closing the window would stop a recording.
    StopRecording {
        /// The recording's folder or file.
        path: PathBuf,
        /// How much is recorded so far, as text.
        taken: String,
    },
    /// Where to save or what to open, if no file dialog is available.
    TypePath(TypedPath),
    /// The pixel format of a network whose file does not specify it.
    Reading(Box<Reading>),
    /// Whether to paint pictures or to add them as styles.
    PictureUse(IncomingPictures),
    /// The name of a style or a mix.
    Name(Naming),
}

/// A path that the user types because no file dialog is available.
pub struct TypedPath {
    pub purpose: Purpose,
    /// The text in the field.
    pub text: String,
    /// Why no dialog is available.
    pub why: String,
    /// What is wrong with the last path that was entered.
    pub problem: Option<String>,
}

#[derive(Default)]
pub enum Overlay {
    #[default]
    None,
    Question(Question),
    /// The list of shortcuts that match this search text.
    Shortcuts(String),
    /// Credits.
    About,
    /// The texts of all licences.
    Licences(Licences),
}

/// The overlay, and whether it has just opened.
#[derive(Default)]
pub struct Overlays {
    open: Overlay,
    is_fresh: bool,
}

impl Overlays {
    /// Opens an overlay instead of the open one.
    pub fn show(&mut self, overlay: Overlay) {
        self.open = overlay;
        self.is_fresh = true;
    }

    /// Opens an overlay, or closes it if it is open.
    pub fn toggle(&mut self, overlay: Overlay) {
        if discriminant(&self.open) == discriminant(&overlay) {
            self.close();
        } else {
            self.show(overlay);
        }
    }

    pub fn close(&mut self) {
        self.open = Overlay::None;
    }

    /// Closes the open overlay and returns it.
    pub fn take(&mut self) -> Overlay {
        std::mem::take(&mut self.open)
    }

    pub fn open(&self) -> &Overlay {
        &self.open
    }

    /// The open question about a network's pixel format.
    pub fn reading(&mut self) -> Option<&mut Reading> {
        match &mut self.open {
            Overlay::Question(Question::Reading(reading)) => Some(reading),
            _ => None,
        }
    }

    /// The open path field.
    pub fn typed_path(&mut self) -> Option<&mut TypedPath> {
        match &mut self.open {
            Overlay::Question(Question::TypePath(path)) => Some(path),
            _ => None,
        }
    }

    pub fn is_open(&self) -> bool {
        !matches!(self.open, Overlay::None)
    }

    /// Draws the open overlay.
    pub fn ui(
        &mut self,
        ctx: &egui::Context,
        shortcuts: &[Group],
        cards: &[Card],
        asks_before_losing: bool,
    ) {
        let is_fresh = std::mem::take(&mut self.is_fresh);
        let (id, width) = match &self.open {
            Overlay::None => return,
            Overlay::Question(Question::TypePath(_)) => ("path", 560.0),
            Overlay::Question(Question::Reading(_)) => ("reading", 1060.0),
            Overlay::Question(Question::PictureUse(_)) => ("picture use", 460.0),
            Overlay::Question(Question::Name(_)) => ("name", 420.0),
            Overlay::Question(_) => ("question", 420.0),
            Overlay::Shortcuts(_) => ("shortcuts", 720.0),
            Overlay::About => ("about", 560.0),
            Overlay::Licences(_) => ("licences", 760.0),
        };
        // The list becomes shorter while the user types, so it is anchored at the top.
        let hangs = matches!(self.open, Overlay::Shortcuts(_));
        let closes = dialog_at(ctx, (id, hangs), width, |ui| match &mut self.open {
            Overlay::None => {}
            Overlay::Question(Question::TypePath(path)) => {
                path_ui(ui, path, is_fresh);
            }
            Overlay::Question(Question::Reading(question)) => {
                reading::ui(ui, question, is_fresh);
            }
            Overlay::Question(Question::PictureUse(pictures)) => {
                incoming::question_ui(ui, pictures, is_fresh);
            }
            Overlay::Question(Question::Name(naming)) => {
                naming::ui(ui, naming, is_fresh);
            }
            Overlay::Question(question) => {
                question_ui(ui, question, is_fresh, asks_before_losing);
            }
            Overlay::Shortcuts(wanted) => {
                shortcuts_list::ui(ui, shortcuts, wanted, is_fresh);
                close_button(ui, false);
            }
            Overlay::About => about_ui(ui, cards, is_fresh),
            Overlay::Licences(licences) => {
                licences.ui(ui);
                close_button(ui, is_fresh);
            }
        });
        if closes && !is_fresh {
            Intent::CloseOverlay.send(ctx);
        }
    }
}

/// Draws a dialog over the window, at most `width` points wide. Returns whether it is to be closed.
pub fn dialog(
    ctx: &egui::Context,
    id: &str,
    width: f32,
    contents: impl FnOnce(&mut egui::Ui),
) -> bool {
    dialog_at(ctx, (id, false), width, contents)
}

/// Like [`dialog`], but at the top of the window if `hangs`; otherwise centered.
fn dialog_at(
    ctx: &egui::Context,
    (id, hangs): (&str, bool),
    width: f32,
    contents: impl FnOnce(&mut egui::Ui),
) -> bool {
    let style = egui::Frame::window(&ctx.global_style());
    let frame = style.inner_margin(DIALOG_MARGIN);
    let id = Id::unique(id);
    let mut area = Modal::default_area(id);
    if hangs {
        area = area.anchor(Align2::CENTER_TOP, vec2(0.0, LEAST_ABOVE));
    }
    let response = Modal::new(id).area(area).frame(frame).show(ctx, |ui| {
        let room = ctx.content_rect().size();
        ui.set_width(f32::min(width, room.x - 80.0));
        ui.set_max_height(room.y - 2.0 * (LEAST_ABOVE + f32::from(DIALOG_MARGIN)));
        contents(ui);
    });
    response.should_close()
}

fn question_ui(ui: &mut egui::Ui, question: &Question, is_fresh: bool, asks: bool) {
    let offer = |ui: &mut egui::Ui, choices: &[(&str, Intent)]| {
        ui.add_space(theme::GAP);
        ui.horizontal(|ui| {
            for (place, (name, intent)) in choices.iter().enumerate() {
                let button = if place == 0 {
                    theme::main_button(ui, name, true)
                } else {
                    egui::Button::new(*name)
                };
                let response = ui.add(button);
                if place == 0 && is_fresh {
                    response.request_focus();
                }
                if response.clicked() {
                    intent.clone().send(ui);
                }
            }
        });
    };
    match question {
        Question::LoseResult { loss, what } => {
            ui.heading("Save the painting first?");
            ui.add_space(4.0);
            let (loses, lose) = match loss {
                Loss::Closing => ("Closing the window", "Close without saving"),
                Loss::Opening => ("Opening another photo", "Open without saving"),
            };
            ui.label(format!("{what} is not saved. {loses} will discard it."));
            offer(
                ui,
                &[
                    ("Save as…", Intent::SaveThenGoOn),
                    (lose, Intent::LoseResult),
                    ("Cancel", Intent::KeepResult),
                ],
            );
            ui.add_space(4.0);
            let mut always = !asks;
            if ui
                .checkbox(&mut always, "Do not ask again")
                .on_hover_text("You can turn this question on again in Settings.")
                .clicked()
            {
                Intent::SetAskBeforeLosing(!always).send(ui);
            }
        }
        Question::ReplaceFile(save) => {
            let path = &save.path;
            ui.heading(format!("Replace {}?", name_label(path)));
            ui.add_space(4.0);
            let folder = path.parent().map(path_label);
            ui.label(format!(
                "A file with this name already exists in {}. Replacing it deletes its contents.",
                folder.unwrap_or_else(|| "this folder".to_owned())
            ));
            offer(
                ui,
                &[
                    ("Choose another name…", Intent::ChooseOtherName),
                    ("Replace", Intent::ReplaceFile),
                    ("Cancel", Intent::KeepResult),
                ],
            );
        }
        Question::StopBatch => {
            ui.heading("Cancel painting the folder?");
            ui.add_space(4.0);
            ui.label("Photos of the folder are still being painted. Finished paintings are kept.");
            offer(
                ui,
                &[
                    ("Keep painting", Intent::KeepResult),
                    ("Cancel and close", Intent::StopBatchAndClose),
                ],
            );
        }
        Question::StopRecording { path, taken } => {
            ui.heading("Stop recording?");
            ui.add_space(4.0);
            let path = path_label(path);
            ui.label(format!("Recording to {path}, {taken} so far. The recording so far is kept."));
            offer(
                ui,
                &[
                    ("Keep recording", Intent::KeepResult),
                    ("Stop and close", Intent::StopRecordingAndClose),
                ],
            );
        }
        // These have more than buttons and are drawn separately.
        Question::TypePath(_)
        | Question::Reading(_)
        | Question::PictureUse(_)
        | Question::Name(_) => {}
    }
}

/// Selects a path's file name without its extension, so that typing replaces it.
fn mark_file_name(ctx: &egui::Context, field: Id, path: &str) {
    let name = path.rfind(std::path::is_separator).map_or(0, |at| at + 1);
    let ending = path[name..].rfind('.').map_or(path.len(), |at| name + at);
    mark_name(ctx, field, &path[..name], &path[..ending]);
}

/// Clears the field before an absolute path is pasted; the path would be invalid after the existing text.
fn take_whole_paths(ctx: &egui::Context, field: &mut String) {
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

/// A path field that replaces a file dialog.
fn path_ui(ui: &mut egui::Ui, path: &mut TypedPath, is_fresh: bool) {
    let (heading, button) = match path.purpose {
        Purpose::Open => ("Open which photo or style?", "Open"),
        Purpose::Style => ("Add which file as a style?", "Add"),
        Purpose::Folder => ("Paint which folder?", "Open"),
        Purpose::TargetFolder => ("Which folder for the paintings?", "Use"),
        Purpose::Save => ("Save the painting as", "Save"),
        Purpose::ContactSheet => ("Save the contact sheet as", "Save"),
        Purpose::Export => ("Save the report as", "Save"),
    };
    let heading = ui.heading(heading);
    ui.add_space(4.0);
    if ui.text_edit_focused() {
        take_whole_paths(ui, &mut path.text);
    }
    let field = ui
        .add(egui::TextEdit::singleline(&mut path.text).desired_width(f32::INFINITY))
        .labelled_by(heading.id);
    if is_fresh {
        field.request_focus();
        match path.purpose {
            Purpose::Save | Purpose::ContactSheet | Purpose::Export => {
                mark_file_name(ui, field.id, &path.text);
            }
            // A pasted path replaces the folder.
            _ => mark_name(ui, field.id, "", &path.text),
        }
    }
    let is_entered = field.lost_focus() && ui.input(|i| i.key_pressed(egui::Key::Enter));
    if is_entered {
        // Focus the field so that the user can fix the path.
        field.request_focus();
    }
    match &path.problem {
        Some(problem) => {
            let color = theme::palette(ui.visuals()).error;
            ui.label(egui::RichText::new(problem).color(color));
        }
        None => theme::caption(ui, path.why.as_str()),
    }
    ui.add_space(theme::GAP);
    ui.horizontal(|ui| {
        let has_text = !path.text.trim().is_empty();
        let take = theme::main_button(ui, button, has_text);
        if (ui.add_enabled(has_text, take).clicked() || is_entered) && has_text {
            Intent::TakePath(path.purpose, path.text.clone()).send(ui);
        }
        if ui.button("Cancel").clicked() {
            Intent::CloseOverlay.send(ui);
        }
    });
}

fn close_button(ui: &mut egui::Ui, is_fresh: bool) {
    ui.add_space(theme::GAP);
    let response = ui.button("Close");
    if is_fresh {
        response.request_focus();
    }
    if response.clicked() {
        Intent::CloseOverlay.send(ui);
    }
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

fn about_ui(ui: &mut egui::Ui, cards: &[Card], is_fresh: bool) {
    ui.heading(format!("StyleForge {}", env!("CARGO_PKG_VERSION")));
    theme::caption(
        ui,
        "Paints photos and live video in the style of a picture. Nothing leaves this computer.",
    );
    ui.add_space(theme::GAP);
    ScrollArea::vertical().max_height(ui.available_height() - 60.0).show(ui, |ui| {
        theme::group_title(ui, "Styles");
        for card in cards {
            ui.label(RichText::new(&card.title).strong());
            theme::caption(ui, credit(card));
        }
        ui.add_space(theme::GROUP_GAP);
        theme::group_title(ui, "Licences");
        ui.label(
            "StyleForge is free software under the MIT licence or the Apache licence 2.0, at your option.",
        );
        ui.label(
            "The network is the TransformerNet of Johnson, Alahi and Fei-Fei (2016) as in \
                 PyTorch's fast neural style example. The window is made with egui. Fonts: Inter (SIL Open Font License), Ubuntu (Ubuntu font licence) and Hack (MIT). Icons: Phosphor (MIT).",
        );
        if ui.button("Third-party licences…").clicked() {
            Intent::ShowLicences.send(ui);
        }
        ui.label(
            "The sample photo is credited in assets/CREDITS.md.",
        );
    });
    close_button(ui, is_fresh);
}
