//! What the program remembers between runs: a person's choices and the window's state.
//!
//! One TOML file with three tables, `[choices]`, `[live]` and `[state]`. Keys that this version does not know
//! are kept when the file is written again, so that an older version never wipes a newer one's. A
//! value that makes no sense falls back to the default and is reported; a file that is no TOML at
//! all is set aside under another name, never overwritten. Writing goes through a temporary file
//! and a rename. Calls block; any thread may call.

mod live;
mod table;

pub use live::LiveChoices;

use std::{
    fs, io,
    path::{Path, PathBuf},
    str::FromStr,
};

use etcetera::BaseStrategy;
use toml::{Table, Value};

use self::table::{Reader, put, take_part};
use crate::{
    compose::Look,
    engine::paint::OutputSize,
    media::encode::{DEFAULT_JPEG_QUALITY, Format},
    mode::ModelSize,
};

/// Smallest window side that is remembered, in points.
const MIN_WINDOW_SIDE: f32 = 200.0;

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

/// What a person chose; the window starts with it again.
#[derive(Clone, Debug, PartialEq)]
pub struct Choices {
    /// Id of the style.
    pub style: Option<String>,
    /// Model size.
    pub model: ModelSize,
    /// Brush size as a working size in pixels on the long side; the default when `None`.
    pub working_px: Option<usize>,
    /// Strength and colours.
    pub look: Look,
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
}

impl Default for Choices {
    fn default() -> Self {
        Self {
            style: None,
            model: ModelSize::default(),
            working_px: None,
            look: Look::default(),
            output: OutputSize::default(),
            theme: ThemeChoice::default(),
            format: None,
            jpeg_quality: DEFAULT_JPEG_QUALITY,
            ask_before_losing: true,
        }
    }
}

/// What the window remembers without being asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// Folder of the photo opened last.
    pub open_folder: Option<PathBuf>,
    /// Folder of the result saved last.
    pub save_folder: Option<PathBuf>,
    /// Width and height of the window, in points.
    pub window_size: Option<(f32, f32)>,
    /// Whether the window showed photos, not live pictures, when it was closed.
    pub shows_photos: bool,
    /// Whether the first-run hint was put away.
    pub has_seen_hint: bool,
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
}

/// Why settings could not be written.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The operating system refuses.
    #[error("the settings could not be written to {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// The values do not make TOML.
    #[error("the settings could not be written: {0}")]
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
    /// Reads the file at `path`; defaults where there is none. The second part tells a person
    /// what could not be understood and where it went.
    pub fn load(path: &Path) -> (Self, Vec<String>) {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return (Self::default(), Vec::new());
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return (Self::default(), vec![set_aside(path, "it is not text")]);
            }
            Err(error) => {
                let warning = format!(
                    "The settings in {} could not be read: {error}. Starting with the defaults.",
                    path.display()
                );
                return (Self::default(), vec![warning]);
            }
        };
        match Self::from_text(&text) {
            Ok(read) => read,
            Err(error) => {
                let reason = error.message().to_owned();
                (Self::default(), vec![set_aside(path, &reason)])
            }
        }
    }

    /// Reads the text of a settings file; the second part as in [`Settings::load`].
    ///
    /// # Errors
    /// Where the text is no TOML.
    pub fn from_text(text: &str) -> Result<(Self, Vec<String>), toml::de::Error> {
        text.parse::<Table>().map(Self::from_table)
    }

    /// The text of the settings file.
    ///
    /// # Errors
    /// When the values do not make TOML.
    pub fn to_text(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(&self.to_table())
    }

    /// Writes the file at `path`, creating its folder.
    ///
    /// # Errors
    /// [`SettingsError`] when the folder or the file cannot be written; the old file then stays.
    pub fn save(&self, path: &Path) -> Result<(), SettingsError> {
        let text = self.to_text()?;
        let failed = |source| SettingsError::Write {
            path: path.to_owned(),
            source,
        };
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(failed)?;
        let mut file = tempfile::Builder::new()
            .prefix(".settings-")
            .tempfile_in(folder)
            .map_err(failed)?;
        io::Write::write_all(&mut file, text.as_bytes()).map_err(failed)?;
        file.persist(path).map_err(|e| failed(e.error))?;
        Ok(())
    }

    fn from_table(table: Table) -> (Self, Vec<String>) {
        let mut warnings = Vec::new();
        let empty = Table::new();
        let part = |name: &str| table.get(name).and_then(Value::as_table).unwrap_or(&empty);
        let mut choices = Choices::default();
        let mut reader = Reader {
            table: part("choices"),
            warnings: &mut warnings,
        };
        reader.text("style", &mut choices.style);
        reader.parsed("model", &mut choices.model, |s| s.parse().ok());
        reader.parsed("output", &mut choices.output, output_from_name);
        reader.parsed("theme", &mut choices.theme, |s| {
            ThemeChoice::ALL.into_iter().find(|t| t.name() == s)
        });
        reader.parsed("format", &mut choices.format, |s| {
            Format::from_str(s).ok().map(Some)
        });
        reader.integer("strength", 0..=100, |v| {
            choices.look.strength_percent = v as u8;
        });
        reader.integer("jpeg_quality", 1..=100, |v| choices.jpeg_quality = v as u8);
        reader.integer("working_px", 16..=100_000, |v| {
            choices.working_px = Some(v as usize);
        });
        reader.boolean("keep_colors", &mut choices.look.keep_colors);
        reader.boolean("ask_before_losing", &mut choices.ask_before_losing);

        let live = LiveChoices::read(&mut Reader {
            table: part("live"),
            warnings: &mut warnings,
        });

        let mut state = State::default();
        let mut reader = Reader {
            table: part("state"),
            warnings: &mut warnings,
        };
        let (mut open, mut save) = (None, None);
        reader.boolean("shows_photos", &mut state.shows_photos);
        reader.boolean("has_seen_hint", &mut state.has_seen_hint);
        reader.text("open_folder", &mut open);
        reader.text("save_folder", &mut save);
        state.open_folder = open.map(PathBuf::from);
        state.save_folder = save.map(PathBuf::from);
        let mut sides = [0.0f32; 2];
        for (side, key) in sides.iter_mut().zip(["window_width", "window_height"]) {
            reader.integer(key, 1..=100_000, |v| *side = v as f32);
        }
        if sides.iter().all(|&s| s >= MIN_WINDOW_SIDE) {
            state.window_size = Some((sides[0], sides[1]));
        }
        let settings = Self {
            choices,
            live,
            state,
            table,
        };
        (settings, warnings)
    }

    fn to_table(&self) -> Table {
        let mut table = self.table.clone();
        let c = &self.choices;
        let mut part = take_part(&mut table, "choices");
        let choices = &mut part;
        put(choices, "style", c.style.clone());
        put(choices, "model", Some(c.model.name()));
        put(choices, "working_px", c.working_px.map(|px| px as i64));
        put(
            choices,
            "strength",
            Some(i64::from(c.look.strength_percent)),
        );
        put(choices, "keep_colors", Some(c.look.keep_colors));
        put(choices, "output", Some(output_name(c.output)));
        put(choices, "theme", Some(c.theme.name()));
        put(choices, "format", c.format.map(Format::name));
        put(choices, "jpeg_quality", Some(i64::from(c.jpeg_quality)));
        put(choices, "ask_before_losing", Some(c.ask_before_losing));
        table.insert("choices".to_owned(), Value::Table(part));
        let mut part = take_part(&mut table, "live");
        self.live.write(&mut part);
        table.insert("live".to_owned(), Value::Table(part));
        let s = &self.state;
        let mut part = take_part(&mut table, "state");
        let state = &mut part;
        // A folder whose name is no text cannot stand in TOML and is forgotten.
        let text = |p: &Option<PathBuf>| p.as_ref().and_then(|p| p.to_str()).map(str::to_owned);
        put(state, "open_folder", text(&s.open_folder));
        put(state, "save_folder", text(&s.save_folder));
        put(state, "shows_photos", Some(s.shows_photos));
        put(state, "has_seen_hint", Some(s.has_seen_hint));
        put(state, "window_width", s.window_size.map(|(w, _)| w as i64));
        put(state, "window_height", s.window_size.map(|(_, h)| h as i64));
        table.insert("state".to_owned(), Value::Table(part));
        table
    }
}

/// Moves a file that makes no sense out of the way and says so.
fn set_aside(path: &Path, reason: &str) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let aside = (0..100)
        .map(|n| match n {
            0 => path.with_file_name(format!("{name}.damaged")),
            n => path.with_file_name(format!("{name}.damaged-{n}")),
        })
        .find(|p| !p.exists());
    let moved = aside.and_then(|to| fs::rename(path, &to).ok().map(|()| to));
    match moved {
        Some(to) => format!(
            "The settings file is damaged ({reason}). It was kept as {}, and the defaults are used.",
            to.display()
        ),
        None => format!(
            "The settings file {} is damaged ({reason}). The defaults are used; remove the file to \
             have settings remembered again.",
            path.display()
        ),
    }
}

fn output_name(output: OutputSize) -> &'static str {
    match output {
        OutputSize::Original => "original",
        OutputSize::Working => "working",
    }
}

fn output_from_name(name: &str) -> Option<OutputSize> {
    [OutputSize::Original, OutputSize::Working]
        .into_iter()
        .find(|o| output_name(*o) == name)
}

#[cfg(test)]
mod tests {
    use super::*;

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
                model: ModelSize::Lite,
                working_px: Some(640),
                look: Look {
                    strength_percent: 35,
                    keep_colors: true,
                },
                output: OutputSize::Working,
                theme: ThemeChoice::Dark,
                format: Some(Format::WebP),
                jpeg_quality: 80,
                ask_before_losing: false,
            },
            state: State {
                open_folder: Some(PathBuf::from("/photos")),
                save_folder: Some(PathBuf::from("/paintings")),
                window_size: Some((1200.0, 800.0)),
                shows_photos: true,
                has_seen_hint: true,
            },
            live: LiveChoices {
                source: "camera:Front".parse().expect("a source"),
                camera_size: Some((640, 480)),
                mirror: true,
                size: crate::engine::live::LiveSize::LongSide(384),
                mode: "fused-norm fp16".parse().expect("a mode"),
                moving_gallery: false,
                ..LiveChoices::default()
            },
            table: Table::new(),
        };
        settings.save(&path).expect("written");
        let (read, warnings) = Settings::load(&path);
        assert_eq!(warnings, Vec::<String>::new());
        assert_eq!(read.choices, settings.choices);
        assert_eq!(read.live, settings.live);
        assert_eq!(read.state, settings.state);
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
    fn a_damaged_file_is_set_aside_and_reported() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("settings.toml");
        for (round, bytes) in [&b"[choices\nstyle="[..], &b"\xff\xfe\x00"[..]]
            .into_iter()
            .enumerate()
        {
            fs::write(&path, bytes).expect("written");
            let (settings, warnings) = Settings::load(&path);
            assert_eq!(settings, Settings::default());
            assert_eq!(warnings.len(), 1);
            assert!(warnings[0].contains(".damaged"), "{}", warnings[0]);
            assert!(!path.exists());
            assert_eq!(
                fs::read_dir(folder.path()).expect("listed").count(),
                round + 1
            );
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
