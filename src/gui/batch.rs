//! A folder of photos: what is to be painted, how far it is, and what went wrong.
//!
//! [`Album`] is the engine's side of it (opens photos, saves results, on the engine's thread);
//! [`Batch`] is the window's.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
};

use eframe::egui::{self, Align2, ProgressBar, RichText, ScrollArea, vec2};

use super::{
    desk::PAINTED,
    intent::Intent,
    label::{label, name_label, path_label, remark},
    theme,
};
use crate::{
    compose::Look,
    disk,
    engine::{
        paint::{OutputSize, Painting},
        protocol::{PhotoSource, SavedPhoto},
    },
    frame::Frame,
    media::{
        decode,
        encode::{self, Encoding, Existing, Format},
    },
};

/// Width of the batch's card, in points.
const WIDTH: f32 = 380.0;

/// Least height below the card for something else, in points.
const LEAST_REST: f32 = 110.0;

/// Photos to paint and where their paintings go.
pub struct Album {
    /// The photos.
    pub photos: Vec<PathBuf>,
    /// The folder that the paintings go to; created when the first is saved.
    pub target: PathBuf,
    /// Put behind the photo's name.
    pub style: String,
    /// Size of the finished pictures.
    pub output: OutputSize,
    /// Strength and colours.
    pub look: Look,
    /// Format to save in; each photo's own when `None`.
    pub format: Option<Format>,
    /// JPEG quality, 1 to 100.
    pub jpeg_quality: u8,
    /// Whether files that exist are replaced.
    pub existing: Existing,
    /// Results so far: two photos may differ only in their ending.
    written: HashSet<PathBuf>,
    /// Colour profile, format and notes of the photo in hand.
    icc: Option<Vec<u8>>,
    natural: Format,
    notes: Vec<String>,
    /// The photo's file, when nothing of the painting is wanted: then it goes out as it came in.
    original: Option<Vec<u8>>,
}

impl Album {
    /// An album with nothing painted yet.
    pub fn new(photos: Vec<PathBuf>, target: PathBuf, style: String) -> Self {
        Self {
            photos,
            target,
            style,
            output: OutputSize::default(),
            look: Look::default(),
            format: None,
            jpeg_quality: encode::DEFAULT_JPEG_QUALITY,
            existing: Existing::Keep,
            written: HashSet::new(),
            icc: None,
            natural: Format::default(),
            notes: Vec::new(),
            original: None,
        }
    }

    fn target_of(&self, photo: &Path, format: Format) -> PathBuf {
        let name = |number: usize| {
            let number = if number == 1 {
                String::new()
            } else {
                format!("-{number}")
            };
            let mut file = photo.file_stem().unwrap_or_default().to_owned();
            file.push(format!("-{}{number}.{}", self.style, format.extension()));
            self.target.join(file)
        };
        (1..)
            .map(name)
            .find(|path| !self.written.contains(path))
            .unwrap_or_else(|| name(1))
    }
}

impl PhotoSource for Album {
    fn len(&self) -> usize {
        self.photos.len()
    }

    fn name(&self, index: usize) -> String {
        let path = self.photos.get(index);
        path.map_or_else(String::new, |path| name_label(path))
    }

    fn open(&mut self, index: usize) -> Result<Frame, String> {
        let path = self.photos.get(index).ok_or("there is no such photo")?;
        let photo = decode::from_path(path).map_err(|e| e.to_string())?;
        let unchanged = self.look.strength_percent == 0 && self.output == OutputSize::Original;
        self.original = unchanged.then(|| fs::read(path).ok()).flatten();
        // A target that cannot be written is known before the painting is made.
        let target = self.target_of(path, self.format.unwrap_or(photo.natural_format));
        if target.exists() && self.existing == Existing::Keep {
            return Err(format!("{} exists already", path_label(&target)));
        }
        self.icc = photo.icc;
        self.natural = photo.natural_format;
        self.notes = photo.notes;
        Ok(std::sync::Arc::unwrap_or_clone(photo.frame))
    }

    fn finish(
        &mut self,
        index: usize,
        photo: &Frame,
        painting: &Painting,
    ) -> Result<SavedPhoto, String> {
        let path = self.photos.get(index).ok_or("there is no such photo")?;
        let format = self.format.unwrap_or(self.natural);
        let target = self.target_of(path, format);
        disk::make_folder(&self.target).map_err(|e| e.to_string())?;
        let saved = match self.original.take() {
            Some(bytes) if decode::format_of_bytes(&bytes) == Some(format) => {
                encode::save_bytes(&target, &bytes, self.existing).map(|()| Vec::new())
            }
            _ => {
                let finished = painting.finished(photo, self.output, self.look);
                let encoding = Encoding {
                    format,
                    jpeg_quality: self.jpeg_quality,
                };
                let icc = self.icc.as_deref();
                encode::save(&target, &finished, icc, encoding, self.existing)
            }
        }
        .map_err(|e| e.to_string())?;
        self.written.insert(target.clone());
        let mut notes = std::mem::take(&mut self.notes);
        notes.extend(painting.notes.iter().cloned());
        notes.extend(saved);
        Ok(SavedPhoto {
            path: target,
            notes,
        })
    }
}

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
    /// What of the folders is not painted, in words.
    left_out: Vec<String>,
    /// The folder that the paintings go to.
    pub target: PathBuf,
    /// Whether files that exist are replaced.
    pub replace: bool,
    /// How far it is.
    pub phase: Phase,
    done: usize,
    saved: usize,
    /// Photos that were not painted, and why.
    failures: Vec<(String, String)>,
    /// Photos that were painted, and what has to be said about them.
    notes: Vec<(String, String)>,
    is_stopping: bool,
    started_at: f64,
}

impl Batch {
    /// A batch to be confirmed, of which `left_out` tells what it does not paint. Paintings go into the
    /// folder [`PAINTED`] beside the photos.
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
    pub fn note(&mut self, done: usize, name: String, outcome: Result<SavedPhoto, String>) {
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
            Err(reason) => self.failures.push((name, remark(&reason))),
        }
    }

    /// Notes that the engine was asked to stop.
    pub fn stop(&mut self) {
        self.is_stopping = true;
    }

    /// Whether it runs and nobody asked it to stop.
    pub fn goes_on(&self) -> bool {
        self.is_running() && !self.is_stopping
    }

    /// Whether the engine works on it.
    pub fn is_running(&self) -> bool {
        self.phase == Phase::Running
    }

    /// Draws the batch's card into the upper right of `area`. `style` is the title of the chosen
    /// style, `progress` the share of the photo in hand that is painted.
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
            if ui
                .add_enabled(style.is_some(), start)
                .on_disabled_hover_text("Choose a style first.")
                .clicked()
            {
                intents.push(Intent::StartBatch);
            }
            if ui.button("Not now").clicked() {
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
            (false, 0) => "Nothing was painted",
            (false, _) => "Done",
        };
        ui.label(RichText::new(title).strong().size(16.0));
        if self.saved > 0 {
            ui.label(format!("{} painted, in", counted(self.saved)));
            theme::caption(ui, path_label(&self.target));
        }
        self.remarks_ui(ui);
        if ui.button("Put away").clicked() {
            intents.push(Intent::CloseBatch);
        }
    }

    /// What went wrong and what has to be said, photo by photo.
    fn remarks_ui(&self, ui: &mut egui::Ui) {
        let color = theme::palette(ui.visuals()).error;
        let failures = RichText::new(format!("{} not painted", counted(self.failures.len())));
        let notes = RichText::new(format!("{} with a note", counted(self.notes.len())));
        for (title, remarks) in [
            (failures.color(color), &self.failures),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{mode::Mode, timing::RunTiming};

    #[test]
    fn at_strength_0_a_photo_goes_out_as_it_came_in() {
        let folder = tempfile::tempdir().expect("a folder");
        let photo = folder.path().join("a.jpg");
        let frame = Frame::from_fn(33, 21, |x, y| [(x * 7) as u8, (y * 9) as u8, 3, 255]);
        let jpeg = Encoding::of(Format::Jpeg);
        encode::save(&photo, &frame, None, jpeg, Existing::Keep).expect("saved");
        let look = Look {
            strength_percent: 0,
            ..Look::default()
        };
        for (format, same) in [(None, true), (Some(Format::Png), false)] {
            let mut album = Album {
                look,
                format,
                ..Album::new(
                    vec![photo.clone()],
                    folder.path().join("to"),
                    "x".to_owned(),
                )
            };
            let opened = album.open(0).expect("opened");
            let saved = album
                .finish(0, &opened, &painting(&opened))
                .expect("finished");
            let bytes = |path: &Path| fs::read(path).expect("a file");
            assert_eq!(bytes(&saved.path) == bytes(&photo), same, "{format:?}");
            let read = decode::from_path(&saved.path).expect("a picture");
            assert_eq!(*read.frame, opened);
        }
    }

    fn painting(frame: &Frame) -> Painting {
        Painting {
            painted: frame.clone(),
            notes: vec!["painted smaller".to_owned()],
            mode: Mode::default(),
            run: RunTiming::host(0.0),
            total_ms: 0.0,
        }
    }

    #[test]
    fn photos_of_one_name_do_not_overwrite_each_other() {
        let folder = tempfile::tempdir().expect("a folder");
        let photos = ["a.png", "a.bmp"].map(|n| folder.path().join(n)).to_vec();
        let frame = Frame::from_fn(6, 4, |x, _| [x as u8, 2, 3, 255]);
        for photo in &photos {
            let format = Format::from_path(photo).expect("known");
            encode::save(photo, &frame, None, Encoding::of(format), Existing::Keep).expect("saved");
        }
        let painting = painting(&frame);
        let target = folder.path().join("painted");
        let mut album = Album {
            format: Some(Format::Png),
            ..Album::new(photos.clone(), target.clone(), "candy".to_owned())
        };
        let mut results = Vec::new();
        for index in 0..2 {
            let photo = album.open(index).expect("opened");
            let saved = album.finish(index, &photo, &painting).expect("finished");
            assert_eq!(saved.notes, ["painted smaller"]);
            results.push(saved.path);
        }
        assert_eq!(
            results,
            [target.join("a-candy.png"), target.join("a-candy-2.png")]
        );
        let mut again = Album {
            format: Some(Format::Png),
            ..Album::new(photos, target, "candy".to_owned())
        };
        let refused = again.open(0).expect_err("exists");
        assert!(refused.contains("a-candy.png"), "{refused}");
        again.existing = Existing::Replace;
        assert!(again.open(0).is_ok());
    }
}
