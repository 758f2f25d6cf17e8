//! The settings that the program remembers between runs: a person's choices and the window's state.
//!
//! One TOML file with a number, `version`, and three tables, `[choices]`, `[live]` and `[state]`. Keys that
//! this version does not know are kept when the file is written again, and so are values that it does not
//! understand, until a person chooses others: an older version never wipes what a newer one or a person
//! wrote. A file that cannot be read as a whole is reported and never written over. Calls block; any thread
//! may call.

mod form;
mod live;
mod table;

pub use live::{LiveChoices, RecordAs};

use std::{
    fs::{self, File},
    io::{ErrorKind, Read, Write},
    path::{Path, PathBuf},
};

use etcetera::BaseStrategy;
use toml::{Table, Value};

use self::form::parsed;
use crate::{
    compose::Look,
    disk::{self, Existing, FolderSync, WriteError, folder_of, reason},
    engine::paint::OutputSize,
    media::encode::{DEFAULT_JPEG_QUALITY, Format},
    mode::{ModeChoice, ModelSize},
    weights,
};

/// Photos opened before that are remembered.
pub const MOST_RECENT: usize = 10;
/// Paintings saved before that are remembered.
pub const MOST_PAINTINGS: usize = 24;

/// Largest file that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// Dark, light, or as the desktop says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ThemeChoice {
    /// As the desktop says.
    #[default]
    System,
    /// Light letters on dark.
    Dark,
    /// Dark letters on light.
    Light,
}

impl ThemeChoice {
    /// Every choice, in the order in which they are offered.
    pub const ALL: [Self; 3] = [Self::System, Self::Dark, Self::Light];

    /// The spelling in the settings file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Dark => "dark",
            Self::Light => "light",
        }
    }
}

/// A person's choices; the window starts with them again.
#[derive(Clone, Debug, PartialEq)]
pub struct Choices {
    /// Id of the style.
    pub style: Option<String>,
    /// The style's own weight in a mix, 0 to 100; `None` for the usual one.
    pub mix_own: Option<u8>,
    /// Ids of the styles that are mixed with it and their weights, 0 to 100.
    pub mix: Vec<(String, u8)>,
    /// Model size.
    pub model: ModelSize,
    /// Brush size as a working size in pixels on the long side; the default when `None`.
    pub working_px: Option<usize>,
    /// Variant, precision and attention of photos; live pictures have their own.
    pub mode: ModeChoice,
    /// Strength and colours.
    pub look: Look,
    /// The same for live pictures, once they have a style of their own.
    pub live: Option<LiveStyle>,
    /// Size of the finished picture.
    pub output: OutputSize,
    /// Dark or light.
    pub theme: ThemeChoice,
    /// Format to save in; the photo's own when `None`.
    pub format: Option<Format>,
    /// JPEG quality, 1 to 100.
    pub jpeg_quality: u8,
    /// Whether to ask before an unsaved result is lost.
    pub ask_before_losing: bool,
    /// Whether the full screen is filled by the picture, and not the whole picture fitted to it.
    pub full_screen_fills: bool,
    /// Whether the list of styles shows the open photo in each of them.
    pub styles_show_photo: bool,
}

/// What live pictures are painted with, where that is not what photos are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LiveStyle {
    /// As [`Choices::style`].
    pub style: Option<String>,
    /// As [`Choices::mix_own`].
    pub mix_own: Option<u8>,
    /// As [`Choices::mix`].
    pub mix: Vec<(String, u8)>,
    /// Strength and colours.
    pub look: Look,
}

impl Default for Choices {
    fn default() -> Self {
        Self {
            style: None,
            mix_own: None,
            mix: Vec::new(),
            model: ModelSize::default(),
            working_px: None,
            mode: ModeChoice::default(),
            look: Look::default(),
            live: None,
            output: OutputSize::default(),
            theme: ThemeChoice::default(),
            format: None,
            jpeg_quality: DEFAULT_JPEG_QUALITY,
            ask_before_losing: true,
            full_screen_fills: false,
            styles_show_photo: true,
        }
    }
}

/// The window's state, which is remembered without a choice of a person.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// Folder of the photo opened last.
    pub open_folder: Option<PathBuf>,
    /// The photos opened last, the newest first, at most [`MOST_RECENT`].
    pub recent_photos: Vec<PathBuf>,
    /// The paintings saved last, the newest first, each once, at most [`MOST_PAINTINGS`].
    pub paintings: Vec<PathBuf>,
    /// Whether the strip of these is folded away.
    pub folds_paintings: bool,
    /// Folder of the result saved last.
    pub save_folder: Option<PathBuf>,
    /// Width and height of the window, in points.
    pub window_size: Option<(f32, f32)>,
    /// Whether the window filled the screen when it was closed.
    pub is_maximized: bool,
    /// Whether the window showed photos, not live pictures, when it was closed.
    pub shows_photos: bool,
    /// Whether the first-run hint was put away.
    pub has_seen_hint: bool,
    /// Whether a person was told that a larger detail shows more of a style.
    pub has_seen_detail_hint: bool,
    /// Ids of the styles, in the order in which they are listed.
    pub style_order: Vec<String>,
    /// Ids of the styles of the number keys from 1 on; empty for a key without one.
    pub style_keys: Vec<String>,
}

/// Everything that is remembered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// A person's choices.
    pub choices: Choices,
    /// A person's choices for live pictures.
    pub live: LiveChoices,
    /// The window's state.
    pub state: State,
    /// The file as it was read, with keys that this version does not know.
    table: Table,
    /// Values of the file that this version does not understand.
    refused: Vec<Refused>,
    /// Whether there is a file that could not be read.
    keeps_file: bool,
}

/// A value that stays in the file until a person chooses another.
#[derive(Clone, Debug, PartialEq)]
struct Refused {
    part: &'static str,
    key: String,
    /// What is written for the default that is used instead.
    fallback: Option<Value>,
}

/// Why settings could not be written.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The disk refuses.
    #[error("the settings were not saved: {0}")]
    Write(#[from] WriteError),
    /// The values do not make TOML.
    #[error("the settings were not saved: {0}")]
    Format(#[from] toml::ser::Error),
    /// More than is read again.
    #[error(
        "the settings were not saved: they are {bytes} bytes long, and at most {MAX_BYTES} can be read again; shorten \
         the longest lists in the settings file"
    )]
    TooLong {
        /// What they take.
        bytes: usize,
    },
}

/// `$XDG_CONFIG_HOME/styleforge/settings.toml`, or the platform's like of it; `None` without a
/// home folder.
pub fn default_path() -> Option<PathBuf> {
    let found = etcetera::choose_base_strategy().ok().map(|folders| folders.config_dir());
    Some(weights::absolute(found, "XDG_CONFIG_HOME")?.join("styleforge").join("settings.toml"))
}

impl Settings {
    /// Reads the file at `path`; defaults where there is none. The second part are warnings for people about
    /// values that make no sense. Temporary files that a killed program left in the folder are removed.
    pub fn load(path: &Path) -> (Self, Vec<String>) {
        disk::sweep(folder_of(path));
        match read(path) {
            Ok(Some(table)) => Self::from_table(table),
            Ok(None) => (Self::default(), Vec::new()),
            Err(why) => {
                let settings = Self { keeps_file: true, ..Self::default() };
                let warning = format!(
                    "The settings in {} cannot be read: {why}. The defaults are used, and the file stays \
                     as it is; mend, move or remove it to have settings remembered again.",
                    path.display()
                );
                (settings, vec![warning])
            }
        }
    }

    /// Reads the text of a settings file; the second part as in [`Settings::load`].
    ///
    /// # Errors
    /// Why the text cannot be read, in words.
    pub fn from_text(text: &str) -> Result<(Self, Vec<String>), String> {
        parsed(text).map(Self::from_table)
    }

    /// The text of the settings file.
    ///
    /// # Errors
    /// When the values do not make TOML.
    pub fn to_text(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(&self.to_table())
    }

    /// Writes the file at `path`, creating its folder; nothing where [`Settings::load`] could not read it.
    ///
    /// # Errors
    /// [`SettingsError`] when the folder or the file cannot be written; the old file then stays.
    pub fn save(&self, path: &Path) -> Result<(), SettingsError> {
        if self.keeps_file {
            return Ok(());
        }
        let text = self.to_text()?;
        if text.len() as u64 > MAX_BYTES {
            return Err(SettingsError::TooLong { bytes: text.len() });
        }
        disk::make_folder(folder_of(path))?;
        let (existing, sync) = (Existing::Replace, FolderSync::Now);
        disk::write_whole(path, existing, sync, |file, name| {
            file.write_all(text.as_bytes())
                .map_err(|e| WriteError::Refused { name: name.to_owned(), reason: reason(&e) })
        })?;
        Ok(())
    }
}

/// The file's table, `None` without a file, or why it cannot be read.
fn read(path: &Path) -> Result<Option<Table>, String> {
    let in_words = |e: std::io::Error| reason(&e);
    let about = match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        about => about.map_err(in_words)?,
    };
    // Asked before opening: opening a pipe would wait for its writer.
    if !about.is_file() {
        return Err(match about.is_dir() {
            true => "it is a folder".to_owned(),
            false => "it is not a plain file".to_owned(),
        });
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(in_words)?;
    let read = file.take(MAX_BYTES + 1).read_to_end(&mut bytes);
    if read.map_err(in_words)? as u64 > MAX_BYTES {
        return Err(format!("it has more than {MAX_BYTES} bytes"));
    }
    let text = String::from_utf8(bytes).map_err(|_| "it is not text".to_owned())?;
    parsed(&text).map(Some)
}

#[cfg(test)]
mod tests;
