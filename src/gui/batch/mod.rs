//! A folder of photos: what is to be painted, how far it is, and what went wrong.
//!
//! [`BatchPhotos`] is the engine's side of it, [`Batch`] is the window's.

mod photos;

pub use photos::BatchPhotos;

use std::path::{Path, PathBuf};

use eframe::egui::{self, Align2, ProgressBar, RichText, ScrollArea, vec2};

use super::{
    background::PAINTED,
    intent::Intent,
    label::{label, name_label, path_label, remark},
    theme,
};
use crate::engine::protocol::{SavedPhoto, Unpainted};

/// Width of the batch's card, in points.
const WIDTH: f32 = 380.0;

/// Least height below the card for something else, in points.
const LEAST_REST: f32 = 110.0;

/// How far a batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// To be confirmed.
    Ready,
    /// Being painted.
    Running,
    /// Over.
    Ended {
        /// Whether someone stopped it.
        cancelled: bool,
    },
}

/// The batch on the window's side.
pub struct Batch {
    /// The photos.
    pub photos: Vec<PathBuf>,
    /// Folders and files that are not painted, in words.
    left_out: Vec<String>,
    /// The folder that the paintings go to.
    pub target: PathBuf,
    /// Whether files that exist are replaced.
    pub replace: bool,
    /// How far it is.
    pub phase: Phase,
    done: usize,
    saved: usize,
    /// Photos whose paintings were there already.
    skipped_photos: Vec<PathBuf>,
    /// Their names, and the paintings.
    skipped: Vec<(String, String)>,
    /// Photos that were not painted, and why.
    failures: Vec<(String, String)>,
    /// Photos that were painted, and what has to be said about them.
    notes: Vec<(String, String)>,
    is_stopping: bool,
    started_at: f64,
}

impl Batch {
    /// A batch to be confirmed; `left_out` lists the folders and files that it does not paint. Paintings go
    /// into the folder [`PAINTED`] beside the photos.
    pub fn new(photos: Vec<PathBuf>, left_out: Vec<String>) -> Self {
        let beside = photos.first().and_then(|p| p.parent());
        Self {
            target: beside.unwrap_or(Path::new(".")).join(PAINTED),
            photos,
            left_out: left_out.iter().map(|note| remark(note)).collect(),
            replace: false,
            phase: Phase::Ready,
            done: 0,
            saved: 0,
            skipped_photos: Vec::new(),
            skipped: Vec::new(),
            failures: Vec::new(),
            notes: Vec::new(),
            is_stopping: false,
            started_at: 0.0,
        }
    }

    /// Notes that the engine has begun, at egui's time `now`.
    pub fn start(&mut self, now: f64) {
        self.phase = Phase::Running;
        self.started_at = now;
    }

    /// Notes what became of a photo.
    pub fn note(&mut self, done: usize, name: String, outcome: Result<SavedPhoto, Unpainted>) {
        self.done = done;
        let name = label(&name);
        match outcome {
            Ok(saved) => {
                self.saved += 1;
                if !saved.notes.is_empty() {
                    let notes: Vec<String> = saved.notes.iter().map(|note| remark(note)).collect();
                    self.notes.push((name, notes.join("\n")));
                }
            }
            Err(Unpainted::Exists(target)) => {
                let photo = self.photos.get(done.saturating_sub(1));
                self.skipped_photos.extend(photo.cloned());
                self.skipped.push((name, path_label(&target)));
            }
            Err(Unpainted::Failed(reason)) => self.failures.push((name, remark(&reason))),
        }
    }

    /// A batch of the photos that were skipped, which replaces their paintings.
    pub fn of_skipped(&self) -> Self {
        Self {
            target: self.target.clone(),
            replace: true,
            ..Self::new(self.skipped_photos.clone(), Vec::new())
        }
    }

    /// Notes that the engine was sent a stop.
    pub fn stop(&mut self) {
        self.is_stopping = true;
    }

    /// Whether it runs and was not stopped.
    pub fn goes_on(&self) -> bool {
        self.is_running() && !self.is_stopping
    }

    /// Whether the engine works on it.
    pub fn is_running(&self) -> bool {
        self.phase == Phase::Running
    }

    /// Draws the batch's card into the upper right of `area`. `style` is the title of the chosen style,
    /// `progress` the painted share of the present photo.
    pub fn ui(
        &self,
        ui: &egui::Ui,
        area: egui::Rect,
        style: Option<&str>,
        progress: f32,
        intents: &mut Vec<Intent>,
    ) {
        let width = WIDTH.min(area.width() - 32.0);
        egui::Area::new(card_id())
            .order(egui::Order::Foreground)
            .pivot(Align2::RIGHT_TOP)
            .fixed_pos(area.right_top() + vec2(-16.0, 16.0))
            .constrain_to(area)
            .show(ui.ctx(), |ui| {
                egui::Frame::window(ui.style())
                    .inner_margin(16)
                    .show(ui, |ui| {
                        ui.set_width(width - 34.0);
                        match self.phase {
                            Phase::Ready => self.ready_ui(ui, style, intents),
                            Phase::Running => self.running_ui(ui, progress, intents),
                            Phase::Ended { cancelled } => self.ended_ui(ui, cancelled, intents),
                        }
                    });
            });
    }

    fn ready_ui(&self, ui: &mut egui::Ui, style: Option<&str>, intents: &mut Vec<Intent>) {
        let count = counted(self.photos.len());
        ui.label(RichText::new(format!("Paint {count}")).strong().size(16.0));
        match style {
            Some(style) => ui.label(format!(
                "In the style {style}, with the settings as they are."
            )),
            None => ui.label("Choose a style on the left first."),
        };
        for note in &self.left_out {
            ui.label(note);
        }
        ui.label("The paintings go to");
        theme::caption(ui, path_label(&self.target));
        if ui.button("Another folder…").clicked() {
            intents.push(Intent::AskTargetFolder);
        }
        let mut replace = self.replace;
        if ui
            .checkbox(&mut replace, "Replace files that exist")
            .clicked()
        {
            intents.push(Intent::SetBatchReplace(replace));
        }
        ui.horizontal(|ui| {
            let start = theme::main_button(ui, "Start");
            let start = ui
                .add_enabled(style.is_some(), start)
                .on_hover_text("Enter")
                .on_disabled_hover_text("Choose a style first.");
            let enters = ui.memory(|m| m.focused().is_none())
                && ui.input(|i| i.key_pressed(egui::Key::Enter));
            if start.clicked() || (enters && style.is_some()) {
                intents.push(Intent::StartBatch);
            }
            if ui.button("Cancel").clicked() {
                intents.push(Intent::CloseBatch);
            }
        });
    }

    fn running_ui(&self, ui: &mut egui::Ui, progress: f32, intents: &mut Vec<Intent>) {
        let total = self.photos.len();
        let share = (self.done as f32 + progress) / total.max(1) as f32;
        let title = format!("Painting {} of {total}", (self.done + 1).min(total));
        ui.label(RichText::new(title).strong().size(16.0));
        if let Some(path) = self.photos.get(self.done) {
            theme::caption(ui, name_label(path));
        }
        ui.add(ProgressBar::new(share).desired_height(8.0));
        let elapsed = ui.input(|i| i.time) - self.started_at;
        // Always one line, and the remarks below: the button does not move away from under the pointer.
        theme::caption(
            ui,
            if share > 0.02 && elapsed > 1.0 {
                let left = elapsed * f64::from((1.0 - share) / share);
                format!("About {} left", duration(left))
            } else {
                "Estimating the time left".to_owned()
            },
        );
        let stop = egui::Button::new("Stop the folder");
        if ui.add_enabled(!self.is_stopping, stop).clicked() {
            intents.push(Intent::StopBatch);
        }
        self.remarks_ui(ui);
    }

    fn ended_ui(&self, ui: &mut egui::Ui, cancelled: bool, intents: &mut Vec<Intent>) {
        let title = match (cancelled, self.saved) {
            (true, _) => "Stopped",
            (false, 0) if self.failures.is_empty() => "Everything was there already",
            (false, 0) => "Nothing was painted",
            (false, _) => "Done",
        };
        ui.label(RichText::new(title).strong().size(16.0));
        if self.saved > 0 {
            ui.label(format!("{} painted, in", counted(self.saved)));
            theme::caption(ui, path_label(&self.target));
        }
        self.remarks_ui(ui);
        ui.horizontal(|ui| {
            if ui.button("Close").clicked() {
                intents.push(Intent::CloseBatch);
            }
            if self.saved > 0
                && ui
                    .button("Show folder")
                    .on_hover_text("Open the folder of the paintings.")
                    .clicked()
            {
                intents.push(Intent::ShowInFolder(self.target.clone()));
            }
            if !self.skipped.is_empty()
                && ui
                    .button("Replace them")
                    .on_hover_text("Paint the skipped photos too, and replace their files.")
                    .clicked()
            {
                intents.push(Intent::ReplaceSkipped);
            }
        });
    }

    /// Failures and notes, photo by photo.
    fn remarks_ui(&self, ui: &mut egui::Ui) {
        let color = theme::palette(ui.visuals()).error;
        let failures = RichText::new(format!("{} not painted", counted(self.failures.len())));
        let skipped = RichText::new(format!("Skipped, already there ({})", self.skipped.len()));
        let notes = RichText::new(format!("{} with a note", counted(self.notes.len())));
        for (title, remarks) in [
            (failures.color(color), &self.failures),
            (skipped, &self.skipped),
            (notes, &self.notes),
        ] {
            if remarks.is_empty() {
                continue;
            }
            let salt = title.text().to_owned();
            ui.label(title);
            ScrollArea::vertical()
                .id_salt(salt)
                .max_height(160.0)
                .show(ui, |ui| {
                    for (name, remark) in remarks {
                        ui.label(name);
                        theme::caption(ui, remark);
                    }
                });
        }
    }
}

fn card_id() -> egui::Id {
    egui::Id::unique("batch")
}

/// The part of `area` below the card of a batch, which is `shown` or not; all of it where little would be
/// left.
pub fn below_card(ctx: &egui::Context, area: egui::Rect, shown: bool) -> egui::Rect {
    let card = ctx
        .memory(|memory| memory.area_rect(card_id()))
        .filter(|_| shown);
    let mut rest = area;
    if let Some(card) = card {
        *rest.top_mut() = card.bottom().max(area.top());
    }
    if rest.height() < LEAST_REST {
        area
    } else {
        rest
    }
}

fn counted(photos: usize) -> String {
    match photos {
        1 => "1 photo".to_owned(),
        n => format!("{n} photos"),
    }
}

fn duration(seconds: f64) -> String {
    if seconds < 90.0 {
        format!("{:.0} s", seconds.ceil())
    } else {
        format!("{:.0} min", seconds / 60.0)
    }
}
