//! A folder of photos, painted in one or more styles: what to paint, the progress, and what went wrong.
//!
//! [`BatchPhotos`] is the engine's side of a batch, [`Batch`] the window's. `card` draws it, `flow` starts and stops
//! it.

mod card;
pub mod flow;
mod photos;
mod sheet;

pub use self::{
    card::{Painting, below_card, counted},
    photos::{BatchPhotos, painting_name},
    sheet::Sheet,
};

use std::path::{Path, PathBuf};

use itertools::Itertools;

use super::time_left::Stopwatch;
use crate::{
    choice::NetworkOf,
    pages::photo::opened::PAINTED,
    widgets::label::{label, path_label, remark},
};
use engine::protocol::{SavedPhoto, Unpainted};
use pictures::folder::{is_animated, is_film};
use threads::process;

#[derive(Clone, Copy, Default, PartialEq)]
pub enum Phase {
    /// To be confirmed.
    #[default]
    Ready,
    /// Confirmed; its networks are being loaded.
    Loading,
    Running,
    Ended {
        cancelled: bool,
    },
}

/// A style or mix of a batch, as it was when the batch was confirmed.
#[derive(Clone, PartialEq)]
pub struct BatchStyle {
    pub network: NetworkOf,
    pub title: String,
}

/// A photo, and the index of the style that it is painted in.
type Item = (PathBuf, usize);

/// What has become of the items.
#[derive(Default)]
pub struct Results {
    pub saved: usize,
    /// Photos that were not painted, and why. A photo that fails in several styles for the same reason is listed once.
    pub failures: Vec<(String, String)>,
    /// Items whose output file already existed, as text: names of these photos and of the existing paintings.
    skipped: Vec<(String, String)>,
    skipped_items: Vec<Item>,
    /// Painted photos with a note about them.
    notes: Vec<(String, String)>,
}

/// The batch on the window's side.
#[derive(Default)]
pub struct Batch {
    photos: Vec<PathBuf>,
    /// Videos, which become exports when the batch is confirmed.
    films: Vec<PathBuf>,
    /// Ids of the styles chosen for the batch; `None` for the style that is chosen in the window.
    several: Option<Vec<String>>,
    styles: Vec<BatchStyle>,
    /// What is painted, in order; empty until the batch is confirmed.
    items: Vec<Item>,
    /// Folders and files that are not painted, as text.
    left_out: Vec<String>,
    /// The contact sheet on which the paintings are collected, instead of in a folder.
    pub sheet: Option<Sheet>,
    /// The output folder.
    pub target: PathBuf,
    /// Existing files are replaced.
    replace: bool,
    pub results: Results,
    pub phase: Phase,
    done: usize,
    is_stopping: bool,
    watch: Stopwatch,
}

impl Batch {
    /// Creates a batch of photos and videos to be confirmed; `left_out` lists the folders and files that it does not
    /// paint. The output folder is `PAINTED` in the folder of the first one. Animations are videos if ffmpeg is
    /// installed. Reads files.
    pub fn new(files: Vec<PathBuf>, left_out: Vec<String>) -> Self {
        let target = files.first().and_then(|p| p.parent()).unwrap_or(Path::new(".")).join(PAINTED);
        let has_ffmpeg = process::program("ffmpeg").is_some();
        let (films, photos) =
            files.into_iter().partition(|path| is_film(path) || has_ffmpeg && is_animated(path));
        Self {
            target,
            films,
            photos,
            left_out: left_out.iter().map(|note| remark(note)).collect(),
            ..Self::default()
        }
    }

    /// The batch of a contact sheet of the photo with this title.
    pub fn of_sheet(sheet: Sheet, title: String) -> Self {
        Self { sheet: Some(sheet), photos: vec![title.into()], ..Self::default() }
    }

    /// Lists every photo in each of these styles, one style after the other, because changing the network takes time.
    fn confirm(&mut self, styles: Vec<BatchStyle>) {
        let of_style = |style| self.photos.iter().map(move |photo| (photo.clone(), style));
        self.items = (0..styles.len()).flat_map(of_style).collect();
        self.styles = styles;
        self.wait();
    }

    /// Leaves out a style.
    fn leave_out(&mut self, style: usize) {
        self.styles.remove(style);
        self.items.retain(|(_, of)| *of != style);
        for (_, of) in &mut self.items {
            *of -= usize::from(*of > style);
        }
        self.wait();
    }

    /// Waits for the networks of the items; without items, it must be confirmed again.
    fn wait(&mut self) {
        self.phase = if self.items.is_empty() { Phase::Ready } else { Phase::Loading };
    }

    fn has_several_styles(&self) -> bool {
        let mut styles = self.items.iter().map(|(_, style)| style);
        styles.next().is_some_and(|first| styles.any(|style| style != first))
    }

    /// Notes the outcome of a photo in a style.
    pub fn note(&mut self, done: usize, name: String, outcome: Result<SavedPhoto, Unpainted>) {
        self.done = done;
        let item = self.items.get(done.saturating_sub(1));
        let photo = label(&name);
        let mut name = photo.clone();
        if let (Some((_, style)), true) = (item, self.has_several_styles()) {
            name = format!("{name} in {}", self.styles[*style].title);
        }
        match outcome {
            Ok(saved) => {
                self.results.saved += 1;
                if !saved.notes.is_empty() {
                    self.results
                        .notes
                        .push((name, saved.notes.iter().map(|note| remark(note)).join("\n")));
                }
            }
            Err(Unpainted::Exists(target)) => {
                self.results.skipped_items.extend(item.cloned());
                self.results.skipped.push((name, path_label(&target)));
            }
            Err(Unpainted::Failed(reason)) => self.note_failure(&photo, name, remark(&reason)),
        }
    }

    /// Notes that a photo failed; `name` is that of the photo, or of the photo in a style.
    fn note_failure(&mut self, photo: &str, name: String, reason: String) {
        let in_a_style = format!("{photo} in ");
        match self.results.failures.iter_mut().find(|(before, why)| {
            *why == reason && (before == photo || before.starts_with(&in_a_style))
        }) {
            // The reason is the photo, not the style.
            Some((before, _)) => photo.clone_into(before),
            None => self.results.failures.push((name, reason)),
        }
    }

    /// Creates a batch of the skipped items that replaces the existing paintings.
    pub fn of_skipped(&self) -> Self {
        Self {
            target: self.target.clone(),
            replace: true,
            styles: self.styles.clone(),
            items: self.results.skipped_items.clone(),
            phase: Phase::Loading,
            photos: self.photos.clone(),
            ..Self::default()
        }
    }

    /// A folder is being painted and was not stopped.
    pub fn is_painting(&self) -> bool {
        self.is_running() && !self.is_stopping && self.sheet.is_none()
    }

    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Ended { .. })
    }

    /// True if it is painting, or will without a question.
    pub fn is_busy(&self) -> bool {
        matches!(self.phase, Phase::Loading | Phase::Running)
    }

    /// True if the engine is working on it.
    pub fn is_running(&self) -> bool {
        self.phase == Phase::Running
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use values::mode::ModelSize;

    #[test]
    fn a_photo_that_fails_in_every_style_for_one_reason_is_listed_once() {
        let style = |title: &str| BatchStyle {
            network: NetworkOf::Style(title.to_lowercase(), ModelSize::Full),
            title: title.to_owned(),
        };
        let photos = vec![PathBuf::from("in/bad.png"), PathBuf::from("in/large.png")];
        let mut batch = Batch::new(photos, Vec::new());
        batch.confirm(vec![style("Candy"), style("Wave")]);
        let failed = |why: &str| Err(Unpainted::Failed(why.to_owned()));
        batch.note(1, "bad.png".to_owned(), failed("it is damaged"));
        batch.note(2, "large.png".to_owned(), failed("no memory for Candy"));
        batch.note(3, "bad.png".to_owned(), failed("it is damaged"));
        batch.note(4, "large.png".to_owned(), failed("no memory for Wave"));
        let listed = |name: &str, why: &str| (name.to_owned(), why.to_owned());
        assert_eq!(
            batch.results.failures,
            [
                listed("bad.png", "it is damaged"),
                listed("large.png in Candy", "no memory for Candy"),
                listed("large.png in Wave", "no memory for Wave"),
            ]
        );
    }
}
