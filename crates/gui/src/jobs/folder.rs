//! The form for a folder: what is in it, and how its photos and videos are painted.

use std::path::{Path, PathBuf};

use eframe::egui::{Checkbox, ComboBox, ScrollArea, Ui};

use super::{command::JobCommand, counted, form::confirm_ui};
use crate::{
    choice::{BRUSHES_PX, Choice},
    pages::photo::{opened::PAINTED, output_size::output_control},
    shell::{platform::format_title, shortcuts::plain_button},
    styles::{mix::UnkeptMix, source::Card},
    widgets::{
        label::{name_label, path_label, remark},
        list::{choose_row, list},
        theme::{self, caption},
    },
};
use pictures::{
    encode::{DEFAULT_QUALITY, Format},
    folder::{is_animated, is_film},
};
use settings::Choices;
use threads::process;

/// Height of the buttons below the form, in points.
const BUTTONS_HEIGHT: f32 = 60.0;

/// What the user is asked about a folder.
#[derive(Default)]
pub struct FolderForm {
    pub photos: Vec<PathBuf>,
    /// Videos, which become exports.
    pub films: Vec<PathBuf>,
    /// Folders and files that are not painted, as text.
    left_out: Vec<String>,
    /// Ids of the chosen styles.
    pub styles: Vec<String>,
    has_several: bool,
    /// The unsaved mix that is chosen for photos, as text.
    pub mix: Option<String>,
    /// The output folder.
    pub target: PathBuf,
    /// Existing files are replaced.
    pub replaces: bool,
    pub choices: Choices,
}

impl FolderForm {
    /// The form for these files; `left_out` lists the folders and files that are not painted. The output folder is
    /// `PAINTED` in the folder of the first one. Animations are videos if ffmpeg is installed. Reads files.
    pub fn new(files: Vec<PathBuf>, left_out: Vec<String>) -> Self {
        let target = files.first().and_then(|p| p.parent()).unwrap_or(Path::new(".")).join(PAINTED);
        let has_ffmpeg = process::program("ffmpeg").is_some();
        let (films, photos) =
            files.into_iter().partition(|path| is_film(path) || has_ffmpeg && is_animated(path));
        let left_out = left_out.iter().map(|note| remark(note)).collect();
        Self { target, films, photos, left_out, ..Self::default() }
    }

    /// What the button does: `Paint 6 photos and 1 video`.
    fn does(&self) -> String {
        let (photos, films) = (self.photos.len(), self.films.len());
        if self.styles.len() > 1 {
            return format!("Paint {}", counted(self.styles.len() * (photos + films), "picture"));
        }
        let counts = [(photos, "photo"), (films, "video")].into_iter();
        let counts = counts.filter(|(many, _)| *many > 0).map(|(many, what)| counted(many, what));
        format!("Paint {}", counts.collect::<Vec<_>>().join(" and "))
    }

    /// Draws the form; `is_fresh` if it has just appeared.
    pub fn ui(&mut self, ui: &mut Ui, cards: &[Card], is_fresh: bool) {
        let height = ui.available_height() - BUTTONS_HEIGHT;
        ScrollArea::vertical().max_height(height).show(ui, |ui| self.rows_ui(ui, cards));
        ui.add_space(theme::GAP);
        let can = !self.styles.is_empty();
        confirm_ui(ui, &self.does(), can, is_fresh, JobCommand::PaintFolder);
    }

    fn rows_ui(&mut self, ui: &mut Ui, cards: &[Card]) {
        let folder = self.target.parent().map(name_label).unwrap_or_default();
        ui.heading(format!("Paint the folder {folder}"));
        ui.add_space(theme::GAP);
        for (name, files) in [("Photos", &self.photos), ("Videos", &self.films)] {
            if !files.is_empty() {
                theme::row(ui, name, |ui, _| ui.label(files.len().to_string()));
            }
        }
        for note in &self.left_out {
            caption(ui, note);
        }
        self.styles_ui(ui, cards);
        let mut choice = Choice::from_settings(&self.choices);
        theme::slider(ui, "Strength", &mut choice.look.strength_percent, 0..=100, 100, " %");
        choose_row(ui, "Detail", &mut choice.brush, 0..BRUSHES_PX.len(), |brush| {
            format!("Up to {} px", BRUSHES_PX[brush])
        });
        ui.checkbox(&mut choice.look.keep_colors, "Keep the photos' colours");
        output_control(ui, &mut choice, None);
        choice.remember(&mut self.choices);
        let format = &mut self.choices.format;
        let formats = Format::ALL.iter().copied().map(Some);
        choose_row(ui, "Format", format, std::iter::once(None).chain(formats), |format| {
            format.map_or("Same as each photo", format_title)
        });
        if format.is_some_and(Format::is_lossy) {
            theme::quality(ui, "JPEG quality", &mut self.choices.jpeg_quality, DEFAULT_QUALITY);
        }
        theme::row(ui, "Save to", |ui, _| {
            plain_button(ui, "Change…", JobCommand::AskTargetFolder);
            theme::cut_caption(ui, path_label(&self.target));
        });
        ui.checkbox(&mut self.replaces, "Overwrite existing files");
    }

    fn styles_ui(&mut self, ui: &mut Ui, cards: &[Card]) {
        // The mix is the first one.
        let offered: Vec<(&str, &str)> = (self.mix.iter().map(|mix| (UnkeptMix::ID, mix.as_str())))
            .chain(cards.iter().map(|card| (card.id.as_str(), card.title.as_str())))
            .collect();
        let styles = &mut self.styles;
        styles.retain(|id| offered.iter().any(|(of, _)| of == id));
        let is_on = |styles: &[String], id: &str| styles.iter().any(|of| of == id);
        theme::row(ui, "Style", |ui, label| {
            let title = offered.iter().find(|(id, _)| is_on(styles, id)).map(|(_, title)| *title);
            let title = match styles.len() {
                _ if !self.has_several => title.unwrap_or("Choose a style").to_owned(),
                many => counted(many, "style"),
            };
            let button = ComboBox::from_id_salt("style of the folder")
                .selected_text(title)
                .width(ui.available_width())
                .truncate();
            list(ui, button, |ui, entries| {
                for (id, title) in &offered {
                    let mut is_chosen = !self.has_several && is_on(styles, id);
                    if entries.offer(ui, &mut is_chosen, true, *title).clicked() {
                        *styles = vec![(*id).to_owned()];
                        self.has_several = false;
                    }
                }
                entries.offer(ui, &mut self.has_several, true, "Several styles");
            })
            .labelled_by(label);
        });
        if !self.has_several {
            return;
        }
        let (mut has_all, has_some) = (styles.len() == offered.len(), !styles.is_empty());
        ui.indent("styles", |ui| {
            ui.spacing_mut().item_spacing.y = 0.0;
            let all = Checkbox::new(&mut has_all, "All styles");
            if ui.add(all.indeterminate(has_some && styles.len() < offered.len())).clicked() {
                let all = offered.iter().filter(|_| has_all);
                *styles = all.map(|(id, _)| (*id).to_owned()).collect();
            }
            for (id, title) in &offered {
                let mut is_ticked = is_on(styles, id);
                if ui.checkbox(&mut is_ticked, *title).clicked() {
                    styles.retain(|of| of != id);
                    styles.extend(is_ticked.then(|| (*id).to_owned()));
                }
            }
        });
    }
}
