//! What the program saves between runs: the user's choices, the window's state, and [looks].
//!
//! Settings are stored in one TOML file with a number, `version`, and three tables, `[choices]`, `[live]` and `[state]`.
//! Unknown keys are kept when the file is written again. Invalid values are also kept until the user chooses others. So
//! an older version never deletes what a newer one or the user wrote. A file that cannot be read as a whole is reported
//! and never overwritten.
//!
//! It does not know arguments, windows and devices. It may use `engine`, `media`, `pictures`, `values` and `weights`.
//! Calls block; they may be made from any thread.

#[cfg(test)]
#[path = "../../../tests/support/home.rs"]
mod home;

mod fields;
mod file;
mod live;
pub mod looks;
pub mod painted_with;

pub use self::{
    file::keep_newest,
    live::{LiveChoices, RecordAs},
};

use std::{
    fs::{self, File},
    io::{ErrorKind, Read},
    path::{Path, PathBuf},
};

use etcetera::BaseStrategy;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use self::file::parsed;
use engine::paint::OutputSize;
use pictures::encode::{DEFAULT_QUALITY, Format};
use values::{
    compose::Look,
    disk::{self, Existing, WriteError, folder_of, reason},
    mode::{ModeChoice, ModelSize},
};

/// Maximum number of recently opened photos.
pub const MAX_RECENT: usize = 10;
/// Maximum length of all paths of a list of files, in bytes: the settings must stay below [`MAX_BYTES`].
const MAX_LIST_BYTES: usize = 128 << 10;

/// Maximum size of a file to read.
const MAX_BYTES: u64 = 1 << 20;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ThemeChoice {
    #[default]
    System,
    Dark,
    Light,
}

/// The user's choices, restored when the window starts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Choices {
    /// Id of the style.
    pub style: Option<String>,
    /// The style's own weight in a mix, 0 to 100; the default if `None`.
    #[serde(deserialize_with = "fields::optional_integer::<_, _, 0, 100>")]
    pub mix_own: Option<u8>,
    /// Ids and weights (0 to 100) of the styles that are mixed with it.
    #[serde(with = "fields::mix", skip_serializing_if = "Vec::is_empty")]
    pub mix: Vec<(String, u8)>,
    pub model: ModelSize,
    /// Working size: long side in pixels; the default if `None`.
    #[serde(deserialize_with = "fields::optional_integer::<_, _, 16, 100_000>")]
    pub working_px: Option<usize>,
    /// Mode for photos; live mode has its own.
    #[serde(with = "fields::text")]
    pub mode: ModeChoice,
    #[serde(flatten)]
    pub look: Look,
    /// How much of the painting before is kept in films, 0 to 100; live mode has its own.
    #[serde(deserialize_with = "fields::integer::<_, _, 0, 100>")]
    pub steadiness: u8,
    /// Style and look of live mode, once they differ from the photos'.
    #[serde(skip)]
    pub live: Option<LiveStyle>,
    #[serde(with = "fields::text")]
    pub output: OutputSize,
    pub theme: ThemeChoice,
    /// Nothing fades or slides; as the desktop is set if `None`.
    pub reduce_motion: Option<bool>,
    /// Format to save in; the photo's own if `None`.
    #[serde(with = "fields::optional_text")]
    pub format: Option<Format>,
    /// 1 to 100.
    #[serde(deserialize_with = "fields::integer::<_, _, 1, 100>")]
    pub jpeg_quality: u8,
    /// Resolution of saved photos for printing, in pixels per inch; the photo's own if `None`.
    #[serde(deserialize_with = "fields::optional_integer::<_, _, 1, 10_000>")]
    pub print_dpi: Option<u16>,
    /// Photos are painted and saved with 16 bits per channel, in formats that have them.
    pub has_16_bits: bool,
    /// Asks before an unsaved result is lost.
    pub ask_before_losing: bool,
    /// The picture fills the full screen and is cropped; otherwise it is fitted into the screen.
    pub full_screen_fills: bool,
    /// The list of styles shows the open photo in each style.
    pub styles_show_photo: bool,
    /// Folder of snapshots and recordings; `StyleForge` in the pictures folder if `None`.
    #[serde(serialize_with = "fields::write_path")]
    pub snapshot_folder: Option<PathBuf>,
}

/// Style and look of live mode, in the file's table `[live]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LiveStyle {
    /// See [`Choices::style`].
    pub style: Option<String>,
    /// See [`Choices::mix_own`].
    #[serde(deserialize_with = "fields::optional_integer::<_, _, 0, 100>")]
    pub mix_own: Option<u8>,
    /// See [`Choices::mix`].
    #[serde(with = "fields::mix", skip_serializing_if = "Vec::is_empty")]
    pub mix: Vec<(String, u8)>,
    #[serde(flatten)]
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
            steadiness: 0,
            live: None,
            output: OutputSize::default(),
            theme: ThemeChoice::default(),
            reduce_motion: None,
            format: None,
            jpeg_quality: DEFAULT_QUALITY,
            print_dpi: None,
            has_16_bits: false,
            ask_before_losing: true,
            full_screen_fills: false,
            styles_show_photo: true,
            snapshot_folder: None,
        }
    }
}

/// The window's state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// Folder of the most recently opened photo.
    #[serde(serialize_with = "fields::write_path")]
    pub open_folder: Option<PathBuf>,
    /// The most recently opened photos, newest first, at most [`MAX_RECENT`].
    #[serde(serialize_with = "fields::write_paths", skip_serializing_if = "Vec::is_empty")]
    pub recent_photos: Vec<PathBuf>,
    /// The saved paintings, newest first, without duplicates: files, and folders that were painted as a whole.
    #[serde(serialize_with = "fields::write_paths", skip_serializing_if = "Vec::is_empty")]
    pub paintings: Vec<PathBuf>,
    /// The strip of paintings is collapsed.
    pub folds_paintings: bool,
    /// Folder of the most recently saved result.
    #[serde(serialize_with = "fields::write_path")]
    pub save_folder: Option<PathBuf>,
    /// Width and height of the window, in points.
    #[serde(flatten, with = "fields::window_size")]
    pub window_size: Option<(f32, f32)>,
    /// The window was maximized when it was closed.
    pub is_maximized: bool,
    /// The window showed photos when it was closed; otherwise live mode.
    pub shows_photos: bool,
    /// The first-run hint was dismissed.
    pub has_seen_hint: bool,
    /// Ids of the styles, in the order of the list.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub style_order: Vec<String>,
}

/// All saved settings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    pub choices: Choices,
    pub live: LiveChoices,
    pub state: State,
    /// Keys of the file that this version does not know.
    unknown: Table,
    /// Values of the file that this version considers invalid.
    refused: Vec<Refused>,
    /// A file exists that could not be read.
    keeps_file: bool,
}

/// A value that stays in the file until the user chooses another.
#[derive(Clone, Debug, PartialEq)]
struct Refused {
    part: &'static str,
    key: String,
    value: Value,
    /// What would be written for the default that is used instead.
    fallback: Option<Value>,
}

/// Why the settings could not be written.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("the settings were not saved: {0}")]
    Write(#[from] WriteError),
    #[error("the settings were not saved: {0}")]
    Format(#[from] toml::ser::Error),
    #[error(
        "the settings were not saved: they are {bytes} bytes long, and at most {MAX_BYTES} can be read again; shorten \
         the longest lists in the settings file"
    )]
    TooLong { bytes: usize },
}

/// `$XDG_CONFIG_HOME/styleforge/settings.toml`, or the equivalent of the platform; `None` without a home folder.
pub fn default_path() -> Option<PathBuf> {
    let found = etcetera::choose_base_strategy().ok().map(|folders| folders.config_dir());
    Some(weights::absolute(found, "XDG_CONFIG_HOME")?.join("styleforge").join("settings.toml"))
}

impl Settings {
    /// Reads the file at `path`; defaults if there is none. The second part contains warnings about invalid values.
    /// Removes temporary files that a killed program left in the folder.
    pub fn load(path: &Path) -> (Self, Vec<String>) {
        disk::sweep(folder_of(path));
        match read_table(path) {
            Ok(Some(table)) => Self::from_table(table),
            Ok(None) => (Self::default(), Vec::new()),
            Err(why) => {
                let settings = Self { keeps_file: true, ..Self::default() };
                let warning = format!(
                    "The settings in {} cannot be read: {why}. The defaults are used, and the file is \
                     not changed; fix, move or delete it to have settings remembered again.",
                    path.display()
                );
                (settings, vec![warning])
            }
        }
    }

    /// Parses the text of a settings file. The second part is as in [`Settings::load`].
    ///
    /// # Errors
    /// Why the text cannot be read.
    pub fn from_text(text: &str) -> Result<(Self, Vec<String>), String> {
        parsed(text).map(Self::from_table)
    }

    /// The text of the settings file.
    ///
    /// # Errors
    /// If the values cannot be represented in TOML.
    pub fn to_text(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(&self.to_table()?)
    }

    /// Writes the file at `path` and creates its folder. Does nothing if [`Settings::load`] could not read the file.
    ///
    /// # Errors
    /// [`SettingsError`] if the folder or the file cannot be written; the old file then stays.
    pub fn save(&self, path: &Path) -> Result<(), SettingsError> {
        if self.keeps_file {
            return Ok(());
        }
        let text = self.to_text()?;
        if text.len() as u64 > MAX_BYTES {
            return Err(SettingsError::TooLong { bytes: text.len() });
        }
        disk::make_folder(folder_of(path))?;
        Ok(disk::write_bytes(path, text.as_bytes(), Existing::Replace)?)
    }
}

/// The file's table, `None` without a file.
///
/// # Errors
/// Why it cannot be read.
pub fn read_table(path: &Path) -> Result<Option<Table>, String> {
    let as_text = |e: std::io::Error| reason(&e);
    let about = match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        about => about.map_err(as_text)?,
    };
    // Check before opening, because opening a pipe blocks until it has a writer.
    if !about.is_file() {
        return Err(if about.is_dir() {
            "it is a folder".to_owned()
        } else {
            "it is not a regular file".to_owned()
        });
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(as_text)?;
    let read = file.take(MAX_BYTES + 1).read_to_end(&mut bytes);
    if read.map_err(as_text)? as u64 > MAX_BYTES {
        return Err(format!("it is larger than {MAX_BYTES} bytes"));
    }
    let text = String::from_utf8(bytes).map_err(|_| "it is not text".to_owned())?;
    parsed(&text).map(Some)
}

#[cfg(test)]
mod tests;
