//! What a job of the queue does, and what has become of it: plain data, without threads and egui.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::{
    choice::NetworkOf,
    widgets::label::{path_label, remark},
};
use media::{
    film::{Codec, Range},
    framing::Framing,
};
use settings::Choices;
use values::frame::Frame;

/// A film to export.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Export {
    pub source: PathBuf,
    /// Its extension decides the container.
    pub output: PathBuf,
    /// An existing file is replaced.
    pub replaces: bool,
    pub codec: Codec,
    /// 1 to 100.
    pub quality: u8,
    pub range: Range,
    /// Interlaced video becomes whole frames.
    #[serde(default = "deinterlaces")]
    pub deinterlaces: bool,
    pub framing: Framing,
    /// Style, look, steadiness, detail, mode and output size; the rest is not used.
    pub choices: Choices,
}

/// For exports of earlier versions.
const fn deinterlaces() -> bool {
    true
}

/// Photos to paint, each in one or more styles.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Photos {
    pub sources: Vec<PathBuf>,
    pub styles: Vec<NetworkOf>,
    /// What is painted, in order: indices of photos, plus the number of photos for each style before theirs.
    pub items: Vec<usize>,
    /// The folder of the paintings, or the file of the contact sheet.
    pub output: PathBuf,
    /// Existing files are replaced.
    pub replaces: bool,
    /// Look, detail, mode, size and format.
    pub choices: Choices,
    #[serde(default)]
    pub results: Results,
    /// The paintings are collected on a contact sheet.
    pub sheet: Option<Sheet>,
}

/// What a contact sheet shows of its photo.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sheet {
    pub framing: Framing,
    /// The photo as it was, unless the program was restarted.
    #[serde(skip)]
    pub photo: Option<Arc<Frame>>,
}

/// Why a photo has no painting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unpainted {
    /// The painting already existed, in this file.
    Exists(PathBuf),
    /// Its style could not be loaded.
    NoStyle,
    /// A message for the user.
    Failed(String),
}

impl From<String> for Unpainted {
    fn from(reason: String) -> Self {
        Self::Failed(reason)
    }
}

/// A painting's file and notes, or why there is none.
pub type Outcome = Result<(PathBuf, Vec<String>), Unpainted>;

/// Why photos are not painted in a style.
pub const NO_STYLE: &str = "The style could not be loaded. Was it renamed or removed?";

/// What has become of the photos.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Results {
    pub saved: Vec<PathBuf>,
    /// Photos that were not painted, and why. A photo that fails in several styles for the same reason is listed once.
    pub failures: Vec<(String, String)>,
    /// Photos whose painting already existed, and that painting.
    pub skipped: Vec<(String, String)>,
    pub skipped_items: Vec<usize>,
    /// Painted photos with a note about them.
    pub notes: Vec<(String, String)>,
}

impl Photos {
    /// Every photo in each of these styles, one style after the other, because changing the network takes time.
    pub fn new(
        sources: Vec<PathBuf>,
        styles: Vec<NetworkOf>,
        output: PathBuf,
        choices: Choices,
    ) -> Self {
        Self {
            items: (0..sources.len() * styles.len()).collect(),
            sources,
            styles,
            output,
            replaces: false,
            choices,
            results: Results::default(),
            sheet: None,
        }
    }

    /// The photo of an item, and the index of its style.
    pub fn of_item(&self, item: usize) -> (&Path, usize) {
        (&self.sources[item % self.sources.len()], item / self.sources.len())
    }

    /// What is counted.
    pub fn unit(&self) -> &'static str {
        match (&self.sheet, self.styles.len()) {
            (Some(_), _) => "style",
            (None, 1) => "photo",
            (None, _) => "picture",
        }
    }

    /// Notes the outcome of an item. `photo` is its name, `style` that of the style.
    pub fn note(&mut self, item: usize, (photo, style): (String, &str), outcome: Outcome) {
        let results = &mut self.results;
        let name =
            if self.styles.len() > 1 { format!("{photo} in {style}") } else { photo.clone() };
        let (name, reason) = match outcome {
            Ok((path, notes)) => {
                results.saved.push(path);
                if !notes.is_empty() {
                    let notes: Vec<_> = notes.iter().map(|note| remark(note)).collect();
                    results.notes.push((name, notes.join("\n")));
                }
                return;
            }
            Err(Unpainted::Exists(target)) => {
                results.skipped_items.push(item);
                return results.skipped.push((name, path_label(&target)));
            }
            Err(Unpainted::NoStyle) => (style.to_owned(), NO_STYLE.to_owned()),
            Err(Unpainted::Failed(reason)) => (name, remark(&reason)),
        };
        let in_a_style = format!("{photo} in ");
        match results.failures.iter_mut().find(|(before, why)| {
            *why == reason && ([&name, &photo].contains(&before) || before.starts_with(&in_a_style))
        }) {
            // The reason is the style.
            Some((before, _)) if *before == name => {}
            // The reason is the photo, not the style.
            Some((before, _)) => *before = photo,
            None => results.failures.push((name, reason)),
        }
    }
}

/// What a job does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Work {
    Export(Export),
    Photos(Photos),
}

impl Work {
    /// The file that it writes, or its folder.
    pub fn output(&self) -> &Path {
        match self {
            Self::Export(export) => &export.output,
            Self::Photos(photos) => &photos.output,
        }
    }

    /// The photos of a folder or of a contact sheet.
    pub fn photos(&self) -> Option<&Photos> {
        match self {
            Self::Export(_) => None,
            Self::Photos(photos) => Some(photos),
        }
    }

    /// What is counted.
    pub fn unit(&self) -> &'static str {
        self.photos().map_or("frame", Photos::unit)
    }
}
