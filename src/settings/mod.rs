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
    mode::ModelSize,
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
}

/// `$XDG_CONFIG_HOME/styleforge/settings.toml`, or the platform's like of it; `None` without a
/// home folder.
pub fn default_path() -> Option<PathBuf> {
    let strategy = etcetera::choose_base_strategy().ok()?;
    Some(
        strategy
            .config_dir()
            .join("styleforge")
            .join("settings.toml"),
    )
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
                let settings = Self {
                    keeps_file: true,
                    ..Self::default()
                };
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
        disk::make_folder(folder_of(path))?;
        let (existing, sync) = (Existing::Replace, FolderSync::Now);
        disk::write_whole(path, existing, sync, |file, name| {
            file.write_all(text.as_bytes())
                .map_err(|e| WriteError::Refused {
                    name: name.to_owned(),
                    reason: reason(&e),
                })
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
mod tests {
    use super::*;
    use crate::{
        engine::live::CandidateChoice,
        mode::{AttentionChoice, DeviceChoice},
    };

    fn path_in(folder: &tempfile::TempDir) -> PathBuf {
        folder.path().join("deep").join("settings.toml")
    }

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = path_in(&folder);
        let settings = Settings {
            choices: Choices {
                style: Some("candy".to_owned()),
                mix_own: Some(70),
                mix: vec![("b=w".to_owned(), 0), ("barn".to_owned(), 100)],
                model: ModelSize::Lite,
                working_px: Some(640),
                look: Look {
                    strength_percent: 35,
                    keep_colors: true,
                },
                live: Some(LiveStyle {
                    style: Some("wave".to_owned()),
                    mix: vec![("candy".to_owned(), 30)],
                    ..LiveStyle::default()
                }),
                output: OutputSize::LongSide(2048),
                theme: ThemeChoice::Dark,
                format: Some(Format::WebP),
                jpeg_quality: 80,
                ask_before_losing: false,
                full_screen_fills: true,
                styles_show_photo: false,
            },
            state: State {
                open_folder: Some(PathBuf::from("/photos")),
                recent_photos: ["/photos/b.jpg", "/photos/a.jpg"]
                    .map(PathBuf::from)
                    .to_vec(),
                paintings: vec![PathBuf::from("/paintings/a-candy.jpg")],
                folds_paintings: true,
                save_folder: Some(PathBuf::from("/paintings")),
                window_size: Some((1200.0, 800.0)),
                is_maximized: true,
                shows_photos: true,
                has_seen_hint: true,
                has_seen_detail_hint: true,
                style_order: vec!["wave".to_owned(), "candy".to_owned()],
                style_keys: vec![String::new(), "candy".to_owned()],
            },
            live: LiveChoices {
                source: "camera:Front".parse().expect("a source"),
                camera_size: Some((640, 480)),
                mirror: true,
                mirror_preview: false,
                mirror_saved: true,
                size: crate::engine::live::LiveSize::LongSide(384),
                mode: "fused-norm fp16, naive attention".parse().expect("a mode"),
                candidates: ["fused fp16, tiled", "fused fp16, flash"].map(|mode| {
                    CandidateChoice {
                        device: DeviceChoice::Cuda,
                        mode: mode.parse().expect("a mode"),
                    }
                }),
                upscale: false,
                moving_gallery: false,
                repaint_kept: false,
                record_as: RecordAs::Pictures,
                ..LiveChoices::default()
            },
            ..Settings::default()
        };
        settings.save(&path).expect("written");
        let (read, warnings) = Settings::load(&path);
        assert_eq!(warnings, Vec::<String>::new());
        assert_eq!(read.choices, settings.choices);
        assert_eq!(read.live, settings.live);
        assert_eq!(read.state, settings.state);
    }

    #[test]
    fn modes_that_name_no_attention_leave_it_to_the_variant() {
        let text = "[live]\nmode = \"baseline fp16\"\ncompare_left = \"cuda fused fp16\"\n";
        let (settings, warnings) = Settings::from_text(text).expect("read");
        assert_eq!(warnings, Vec::<String>::new());
        let modes = [settings.live.mode, settings.live.candidates[0].mode];
        assert!(
            modes
                .iter()
                .all(|mode| mode.attention == AttentionChoice::Auto)
        );
        let written = settings.to_text().expect("text");
        assert!(written.contains("mode = \"baseline fp16\""), "{written}");
        assert!(!written.contains("attention"), "{written}");
        let wrong = "[live]\nmode = \"fused fp16, quick attention\"\n";
        let (settings, warnings) = Settings::from_text(wrong).expect("read");
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert_eq!(settings.live.mode, LiveChoices::default().mode);
    }

    #[test]
    fn keys_of_other_versions_survive() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("settings.toml");
        fs::write(
            &path,
            "future = 1\n[choices]\nstyle = \"udnie\"\ncamera = \"front\"\n[live]\nfps = 30\n",
        )
        .expect("written");
        let (mut settings, warnings) = Settings::load(&path);
        assert!(warnings.is_empty(), "{warnings:?}");
        settings.choices.style = None;
        settings.save(&path).expect("written");
        let text = fs::read_to_string(&path).expect("read");
        for kept in ["future = 1", "camera = \"front\"", "[live]", "fps = 30"] {
            assert!(text.contains(kept), "{kept} is gone from {text}");
        }
        assert!(!text.contains("udnie"), "{text}");
    }

    #[test]
    fn a_file_that_cannot_be_read_is_reported_and_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("settings.toml");
        let large = "#".repeat(MAX_BYTES as usize + 1);
        for (bytes, why) in [
            (&b"[choices\nstyle="[..], "cannot be read: "),
            (b"\xff\xfe\x00", "it is not text"),
            (
                b"version = 2\n[choices]\nstyle = \"mine\"",
                "a newer StyleForge wrote it",
            ),
            (b"version = \"two\"", "a newer StyleForge wrote it"),
            (b"choices = 3", "choices is not a table"),
            (large.as_bytes(), "it has more than"),
        ] {
            fs::write(&path, bytes).expect("written");
            let (mut settings, warnings) = Settings::load(&path);
            assert_eq!(settings.choices, Choices::default());
            assert_eq!(warnings.len(), 1);
            let named = warnings[0].contains(&path.display().to_string());
            assert!(named && warnings[0].contains(why), "{}", warnings[0]);
            settings.choices.style = Some("udnie".to_owned());
            settings.save(&path).expect("nothing to do");
            assert!(fs::read(&path).expect("there") == bytes, "{why}");
            assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 1);
        }
        fs::remove_file(&path).expect("removed");
        fs::create_dir(&path).expect("made");
        let (settings, warnings) = Settings::load(&path);
        assert!(warnings[0].contains("it is a folder"), "{}", warnings[0]);
        settings.save(&path).expect("nothing to do");
        assert!(path.is_dir());
    }

    #[test]
    fn the_file_and_its_name_are_brought_to_the_disk() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("settings.toml");
        disk::synced::take();
        Settings::default().save(&path).expect("written");
        let order = [(path.clone(), false), (folder.path().to_owned(), true)];
        assert_eq!(disk::synced::take(), order);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_the_file_stays_a_link() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("settings.toml");
        fs::create_dir(folder.path().join("dotfiles")).expect("made");
        for target in ["dotfiles/there.toml", "dotfiles/not_yet.toml"] {
            let kept = folder.path().join(target);
            if target.contains("there") {
                fs::write(&kept, "future = 1\n").expect("written");
            }
            std::os::unix::fs::symlink(target, &path).expect("linked");
            let (mut settings, warnings) = Settings::load(&path);
            assert_eq!(warnings, Vec::<String>::new());
            settings.choices.style = Some("udnie".to_owned());
            settings.save(&path).expect("written");
            assert_eq!(fs::read_link(&path).expect("a link"), Path::new(target));
            let text = fs::read_to_string(&kept).expect("read");
            assert!(text.contains("udnie"), "{text}");
            assert_eq!(text.contains("future = 1"), target.contains("there"));
            fs::remove_file(&path).expect("removed");
        }
    }

    #[test]
    fn values_that_make_no_sense_are_not_lost_until_they_are_changed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("settings.toml");
        let newer = "[choices]\ntheme = \"sepia\"\nstrength = 400\nformat = \"jxl\"\n";
        fs::write(&path, newer).expect("written");
        let (mut settings, warnings) = Settings::load(&path);
        assert_eq!(warnings.len(), 3, "{warnings:?}");
        settings.choices.look.strength_percent = 70;
        settings.save(&path).expect("written");
        settings.save(&path).expect("written again");
        let text = fs::read_to_string(&path).expect("read");
        for kept in ["theme = \"sepia\"", "format = \"jxl\"", "strength = 70"] {
            assert!(text.contains(kept), "{kept} is gone from {text}");
        }
    }

    #[test]
    fn values_that_make_no_sense_fall_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("settings.toml");
        fs::write(
            &path,
            "[choices]\nstrength = 400\ntheme = \"pink\"\nkeep_colors = true\nstate = 3\n",
        )
        .expect("written");
        let (settings, warnings) = Settings::load(&path);
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert_eq!(settings.choices.look.strength_percent, 100);
        assert!(settings.choices.look.keep_colors);
    }
}
