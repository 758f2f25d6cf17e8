//! Draws the card of a batch.

use eframe::egui::{
    self, Align2, Checkbox, Context, ProgressBar, Rect, RichText, ScrollArea, Ui, vec2,
};

use itertools::Itertools;

use super::{Batch, Phase};
use crate::{
    intent::{Command, Intent, JobCommand, ShellCommand},
    jobs::time_left,
    shell::shortcuts::plain_button,
    styles::{mix::UnkeptMix, source::Card},
    widgets::{
        key_chips,
        label::{name_label, path_label},
        theme::{self, caption},
    },
};

/// The name of the card.
const CARD: &str = "batch";
/// Width of the card, in points.
const WIDTH: f32 = 380.0;
/// Minimum height below the card for other content, in points.
const MIN_REST: f32 = 110.0;
/// Minimum and maximum height of the list of styles, in points.
const STYLES_HEIGHT: [f32; 2] = [96.0, 360.0];
/// Maximum height of the list of files that are not painted, in points; a longer list scrolls.
const LEFT_OUT_HEIGHT: f32 = 72.0;
/// Height of the rest of the question and of the space around it, in points.
const QUESTION_HEIGHT: f32 = 430.0;

/// How a batch will paint, as shown to the user.
pub struct Painting<'a> {
    /// The style that is chosen for photos.
    pub style: Option<&'a str>,
    /// That style, or the mix with it, as a sentence; or how to choose one.
    pub style_text: &'a str,
    /// All styles.
    pub cards: &'a [Card],
    /// The unsaved mix that is chosen for photos, as text.
    pub mix: Option<&'a str>,
    /// The settings that apply to every photo: names and values.
    pub settings: &'a [(&'static str, String)],
    /// Where they are changed, as a sentence.
    pub settings_place: &'static str,
}

impl Batch {
    /// What it paints, as text: `6 photos and 1 video`.
    fn contents(&self) -> String {
        [(self.photos.len(), "photo"), (self.films.len(), "video")]
            .into_iter()
            .filter(|(many, _)| *many > 0)
            .map(|(many, what)| counted(many, what))
            .join(" and ")
    }

    /// What stops it, whether it is painting or not.
    pub fn stop(&self) -> Intent {
        if self.is_running() {
            Intent::Job(JobCommand::StopBatch)
        } else {
            Intent::Job(JobCommand::CloseBatch)
        }
    }

    /// Draws the card in the upper right of `area`. `progress` is the painted share of the current photo.
    pub fn ui(&mut self, ui: &Ui, area: Rect, painting: &Painting<'_>, progress: f32) {
        let asks = self.sheet.is_none() && matches!(self.phase, Phase::Ready | Phase::Loading);
        // The card grows downwards, so that what is under the pointer stays there.
        let place = (Align2::RIGHT_TOP, area.right_top() + vec2(-16.0, 16.0), area);
        let list_height =
            (area.height() - QUESTION_HEIGHT).clamp(STYLES_HEIGHT[0], STYLES_HEIGHT[1]);
        theme::floating_window(ui, CARD, place, WIDTH, |ui| match self.phase {
            _ if asks => self.ready_ui(ui, painting, list_height),
            Phase::Ready | Phase::Loading | Phase::Running => self.running_ui(ui, progress),
            Phase::Ended { cancelled } => self.ended_ui(ui, cancelled),
        });
    }

    fn ready_ui(&mut self, ui: &mut Ui, painting: &Painting<'_>, list_height: f32) {
        ui.label(RichText::new(self.contents()).strong().size(16.0));
        if !self.films.is_empty() {
            caption(ui, "Videos are exported one after another, after the photos.");
        }
        let is_ready = self.styles_ui(ui, painting, list_height);
        ui.scope(|ui| {
            ui.spacing_mut().interact_size.y = 0.0;
            ui.spacing_mut().item_spacing.y = 3.0;
            for (name, value) in painting.settings {
                theme::row(ui, name, |ui, _| caption(ui, value));
            }
            caption(ui, painting.settings_place);
        });
        self.left_out_ui(ui);
        ui.label("Save to");
        caption(ui, path_label(&self.target));
        plain_button(ui, "Another folder…", JobCommand::AskTargetFolder);
        ui.checkbox(&mut self.replace, "Overwrite existing files");
        ui.horizontal(|ui| {
            let many = self.several.as_ref().map_or(1, Vec::len);
            let name = match many * (self.photos.len() + self.films.len()) {
                count if many > 1 => format!("Paint {}", counted(count, "picture")),
                _ => format!("Paint {}", self.contents()),
            };
            let start = ui.add_enabled(is_ready, theme::main_button(ui, &name, is_ready));
            let start = key_chips::hint(start, "Save the paintings into this folder.", "Enter")
                .on_disabled_hover_text("Choose a style first.");
            let enters = ui.memory(|m| m.focused().is_none())
                && ui.input(|i| i.key_pressed(egui::Key::Enter));
            if start.clicked() || (enters && is_ready) {
                JobCommand::StartBatch.send(ui);
            }
            plain_button(ui, "Cancel", JobCommand::CloseBatch);
        });
    }

    /// Draws the choice of styles; returns `false` if none is chosen.
    fn styles_ui(
        &mut self,
        ui: &mut Ui,
        &Painting { style, style_text, mix, cards, .. }: &Painting<'_>,
        list_height: f32,
    ) -> bool {
        // The mix is the first one.
        let offered: Vec<(&str, &str)> = mix
            .map(|mix| (UnkeptMix::ID, mix))
            .into_iter()
            .chain(cards.iter().map(|card| (card.id.as_str(), card.title.as_str())))
            .collect();
        let several = self.several.as_deref().unwrap_or_default();
        match (&self.several, several) {
            (None, _) => ui.label(style_text),
            (Some(_), []) => ui.label("Choose at least one style."),
            (Some(_), [id]) if id == UnkeptMix::ID => ui.label(style_text),
            (Some(_), [id]) => {
                let title =
                    offered.iter().find(|(of, _)| of == id).map_or(&**id, |(_, title)| title);
                ui.label(format!("In the style {title}."))
            }
            (Some(_), several) => ui.label(format!(
                "In {} styles: {}.",
                several.len(),
                counted(several.len() * (self.photos.len() + self.films.len()), "painting")
            )),
        };
        let mut has_list = self.several.is_some();
        if ui.checkbox(&mut has_list, "Several styles").clicked() {
            // Start with the chosen style.
            let chosen = mix.map(|_| UnkeptMix::ID).or(style);
            self.several = has_list.then(|| chosen.into_iter().map(str::to_owned).collect());
        }
        let Some(several) = &mut self.several else {
            return style.is_some();
        };
        several.retain(|id| offered.iter().any(|(of, _)| of == id));
        let mut has_all = several.len() == offered.len();
        let has_some = !several.is_empty();
        ui.indent("styles", |ui| {
            ui.spacing_mut().item_spacing.y = 0.0;
            let all = Checkbox::new(&mut has_all, "All styles");
            if ui.add(all.indeterminate(has_some && several.len() < offered.len())).clicked() {
                several.clear();
                if has_all {
                    several.extend(offered.iter().map(|(id, _)| (*id).to_owned()));
                }
            }
            ScrollArea::vertical()
                .id_salt("styles")
                .max_height(list_height)
                .auto_shrink([false, true])
                .show(ui, |ui| {
                    for (id, title) in &offered {
                        let mut is_on = several.iter().any(|of| of == id);
                        if ui.checkbox(&mut is_on, *title).clicked() {
                            several.retain(|of| of != id);
                            several.extend(is_on.then(|| (*id).to_owned()));
                        }
                    }
                });
        });
        has_some
    }

    fn running_ui(&self, ui: &mut Ui, progress: f32) {
        let total = self.items.len();
        let share = (self.done as f32 + progress) / total.max(1) as f32;
        let place = (self.done + 1).min(total);
        ui.label(RichText::new(format!("Painting {place} of {total}")).strong().size(16.0));
        if let Some((photo, style)) = self.items.get(self.done) {
            let photo = name_label(photo);
            caption(
                ui,
                if self.has_several_styles() {
                    format!("{photo} in {}", self.styles[*style].title)
                } else {
                    photo
                },
            );
        }
        ui.add(ProgressBar::new(share).desired_height(8.0));
        let elapsed = self.watch.seconds(ui.input(|i| i.time));
        let is_paused = self.watch.is_paused();
        // Always one line, with the remarks below, so that the buttons do not move away from the pointer.
        caption(
            ui,
            if !is_paused {
                time_left::text(elapsed, share)
            } else if progress > 0.0 {
                "Pauses after this photo".to_owned()
            } else {
                "Paused".to_owned()
            },
        );
        ui.horizontal(|ui| {
            if self.is_stopping {
                ui.disable();
            }
            let pause = if is_paused { "Continue" } else { "Pause" };
            plain_button(ui, pause, JobCommand::PauseBatch(!is_paused));
            plain_button(ui, "Stop", self.stop());
        });
        self.remarks_ui(ui);
    }

    fn ended_ui(&self, ui: &mut Ui, cancelled: bool) {
        let title = match (cancelled, self.results.saved) {
            (true, _) => "Stopped",
            (false, 0) if self.results.failures.is_empty() => "All paintings already exist",
            (false, 0) => "Nothing was painted",
            (false, _) if self.results.failures.is_empty() => "Done",
            (false, _) => "Done, with problems",
        };
        ui.label(RichText::new(title).strong().size(16.0));
        if self.results.saved > 0 {
            ui.label(format!(
                "{} painted into the folder",
                counted(self.results.saved, self.unit())
            ));
            caption(ui, path_label(&self.target));
        }
        self.remarks_ui(ui);
        self.left_out_ui(ui);
        ui.horizontal(|ui| {
            plain_button(ui, "Close", JobCommand::CloseBatch);
            if self.results.saved > 0 {
                plain_button(ui, "Show folder", ShellCommand::ShowInFolder(self.target.clone()))
                    .on_hover_text("Open the folder of the paintings.");
            }
            if !self.results.skipped.is_empty() {
                plain_button(ui, "Replace them", JobCommand::ReplaceSkipped)
                    .on_hover_text("Paint the skipped photos too, and replace their files.");
            }
        });
    }

    /// What is counted.
    fn unit(&self) -> &'static str {
        if self.has_several_styles() { "picture" } else { "photo" }
    }

    /// The folders and files that are not painted.
    fn left_out_ui(&self, ui: &mut Ui) {
        ScrollArea::vertical().id_salt("left out").max_height(LEFT_OUT_HEIGHT).show(ui, |ui| {
            for note in &self.left_out {
                caption(ui, note);
            }
        });
    }

    /// Failures and notes, photo by photo.
    fn remarks_ui(&self, ui: &mut Ui) {
        // A photo that fails in every style is listed, and counted, once.
        let failures = format!("{} not painted", counted(self.results.failures.len(), "photo"));
        let skipped = format!("Skipped, already exist ({})", self.results.skipped.len());
        let notes = counted(self.results.notes.len(), "warning");
        for (title, remarks) in [
            (theme::error(ui, failures), &self.results.failures),
            (RichText::new(skipped), &self.results.skipped),
            (RichText::new(notes), &self.results.notes),
        ] {
            if remarks.is_empty() {
                continue;
            }
            let salt = title.text().to_owned();
            ui.label(title);
            ScrollArea::vertical().id_salt(salt).max_height(160.0).show(ui, |ui| {
                for (name, remark) in remarks {
                    ui.label(name);
                    caption(ui, remark);
                }
            });
        }
    }
}

fn card_rect(ctx: &Context) -> Option<Rect> {
    ctx.memory(|memory| memory.area_rect(egui::Id::unique(CARD)))
}

/// The part of `area` below the card, which is shown if `shown`; all of `area` if little would remain.
pub fn below_card(ctx: &Context, area: Rect, shown: bool) -> Rect {
    let card = card_rect(ctx).filter(|_| shown);
    let mut rest = area;
    if let Some(card) = card {
        *rest.top_mut() = card.bottom().max(area.top());
    }
    if rest.height() < MIN_REST { area } else { rest }
}

/// A number of things, as text.
pub fn counted(many: usize, what: &str) -> String {
    match many {
        1 => format!("1 {what}"),
        n => format!("{n} {what}s"),
    }
}
