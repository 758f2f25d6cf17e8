//! The desktop's file dialogs and clipboard.
//!
//! Tests replace [`Platform`] with a scripted implementation. Every call may block until the user answers, so call it
//! from background threads only, never from the window's thread. No other module uses `rfd` or `arboard`.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Mutex,
    time::{Duration, Instant},
};

use percent_encoding::percent_decode_str;

use super::{pointer::Pointer, tasks::OrText};
use crate::widgets::label::path_label;
use engine::capture::{self, Camera, Output, OutputProblem, OutputRequest, VirtualCamera};
use media::{codec::Codec, ffmpeg::Ffmpeg};
use pictures::{decode, encode::Format, folder::VIDEOS};
use values::{
    disk::{without_number, words},
    frame::Frame,
    lock::lock,
};

/// The usable content of the clipboard.
#[derive(Debug, Clone, PartialEq)]
pub enum Clip {
    Picture(Frame),
    /// Copied files.
    Files(Vec<PathBuf>),
    /// Nothing usable.
    Nothing,
}

/// A file dialog to show.
#[derive(Debug, Clone, PartialEq)]
pub enum Dialog {
    /// A photo, a video or a checkpoint to open.
    Open,
    /// A video for live mode.
    Video,
    /// A checkpoint to add to the gallery.
    Style,
    /// A folder of photos.
    Folder,
    /// The output folder of a batch.
    TargetFolder,
    /// The folder for snapshots and recordings.
    SnapshotFolder,
    /// The file for a report.
    Export {
        /// The suggested name, with extension.
        file_name: String,
    },
    /// The file for a film.
    Film {
        /// The suggested name, with extension.
        file_name: String,
    },
    /// The file for the result.
    Save {
        /// The suggested name.
        file_name: String,
        /// The suggested format.
        format: Format,
    },
}

impl Dialog {
    /// True if it asks for something to read, which can also be dropped onto the window.
    pub fn opens(&self) -> bool {
        matches!(self, Self::Open | Self::Video | Self::Folder | Self::Style)
    }

    /// The suggested name of a file to write, if it asks for one.
    pub fn file_name(&self) -> Option<&str> {
        match self {
            Self::Save { file_name, .. }
            | Self::Export { file_name }
            | Self::Film { file_name } => Some(file_name),
            _ => None,
        }
    }

    /// What it asks for.
    pub fn title(&self) -> &'static str {
        match self {
            Self::Open => "Open a photo, video or style",
            Self::Video => "Open a video",
            Self::Style => "Add a style",
            Self::Folder => "Paint a folder of photos",
            Self::TargetFolder => "Folder for the paintings",
            Self::SnapshotFolder => "Folder for snapshots and recordings",
            Self::Export { .. } => "Save the report as",
            Self::Film { .. } => "Export the video as",
            Self::Save { .. } => "Save as",
        }
    }
}

/// File dialogs and the clipboard. Calls block; make them on background threads.
pub trait Platform: Send + Sync {
    /// Shows a dialog that starts in `folder`. Returns `None` if the user cancels.
    ///
    /// # Errors
    /// A message for the user: why no dialog is available and how to get one.
    fn ask(&self, dialog: &Dialog, folder: Option<&Path>) -> Result<Option<PathBuf>, String>;

    /// Returns the clipboard's content.
    ///
    /// # Errors
    /// A message for the user.
    fn paste(&self) -> Result<Clip, String>;

    /// Puts a picture on the clipboard.
    ///
    /// # Errors
    /// A message for the user.
    fn copy(&self, picture: &Frame) -> Result<(), String>;

    /// Returns the text on the clipboard, or an empty string.
    fn paste_text(&self) -> String;

    /// Puts text on the clipboard.
    ///
    /// # Errors
    /// A message for the user.
    fn copy_text(&self, text: &str) -> Result<(), String>;

    /// Position of the pointer on the screen, in pixels. Window systems do not report where a dragged file hovers over
    /// a window. `None` if the position is not available.
    fn pointer(&self) -> Option<(i32, i32)>;

    /// Shows a file or folder in the desktop's file manager.
    ///
    /// # Errors
    /// A message for the user with the path.
    fn show(&self, path: &Path) -> Result<(), String>;

    /// Plays a video in the user's player.
    ///
    /// # Errors
    /// A message for the user with the path.
    fn play(&self, path: &Path) -> Result<(), String>;

    /// Starts the program again, with a photo to open.
    ///
    /// # Errors
    /// A message for the user.
    fn restart(&self, photo: Option<&Path>) -> Result<(), String>;

    /// True if the desktop is set to show no animations.
    fn reduces_motion(&self) -> bool {
        let says = |program: &str, arguments: &str, text: &str| {
            let output =
                Command::new(program).args(arguments.split(' ')).stderr(Stdio::null()).output();
            output.is_ok_and(|output| output.stdout.trim_ascii() == text.as_bytes())
        };
        // GNOME and desktops that share its settings, and Plasma.
        says("gsettings", "get org.gnome.desktop.interface enable-animations", "false")
            || says("kreadconfig6", "--group KDE --key AnimationDurationFactor", "0")
    }

    /// Lists the system's cameras.
    ///
    /// # Errors
    /// A message for the user.
    fn cameras(&self) -> Result<Vec<Camera>, String>;

    /// Lists the system's virtual cameras.
    fn virtual_cameras(&self) -> Vec<VirtualCamera>;

    /// The ffmpeg that records videos in this codec. Takes a tenth of a second.
    ///
    /// # Errors
    /// The reason why there is none.
    fn video_encoder(&self, codec: Codec) -> Result<Ffmpeg, String> {
        codec.ffmpeg().or_text()
    }

    /// Opens a virtual camera for writing.
    ///
    /// # Errors
    /// [`OutputProblem`] if there is none, or the system refuses.
    fn open_output(&self, request: &OutputRequest) -> Result<Box<dyn Output>, OutputProblem>;
}

#[derive(Default)]
pub struct Desktop {
    /// Kept open: on X11 and Wayland, the program must serve a copied picture as long as it runs.
    clipboard: Mutex<Option<arboard::Clipboard>>,
    pointer: Pointer,
}

/// File extensions of checkpoints.
const CHECKPOINTS: [&str; 5] = ["safetensors", "pth", "pt", "onnx", "model"];
/// If a portal's dialog is "cancelled" faster than this, no dialog was shown: no user answers that fast. Without the
/// portal the call fails almost immediately, or somewhat later on a busy computer.
const FASTEST_PERSON: Duration = Duration::from_secs(1);
/// If the program that opens a file has not failed after this time, it has opened the file.
const OPENS_WITHIN: Duration = Duration::from_secs(5);
/// Shown above the path field that replaces a dialog.
const NO_DIALOG: &str =
    "No file dialog is available. Install zenity or a desktop portal (xdg-desktop-portal).";

/// Returns the absolute path: folders are stored in the settings, and the next start may use another working directory.
pub fn from_the_root(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

pub fn has_checkpoint_name(path: &Path) -> bool {
    path.extension()
        .and_then(|e| e.to_str())
        .is_some_and(|e| CHECKPOINTS.contains(&e.to_ascii_lowercase().as_str()))
}

/// The component that shows file dialogs.
#[derive(Debug, Clone, Copy, PartialEq)]
enum DialogProvider {
    /// The system itself, or the portal with zenity as its fallback: a dialog always appears.
    Certain,
    /// Only zenity, called here: `rfd` passes neither title nor folder.
    Zenity,
    /// The desktop's portal, if a service answers on the session bus.
    Portal,
    /// No dialogs are available.
    None,
}

impl DialogProvider {
    fn here() -> Self {
        if !cfg!(target_os = "linux") {
            return Self::Certain;
        }
        let folders = env::var_os("PATH").unwrap_or_default();
        let runtime = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        let has_bus = env::var_os("DBUS_SESSION_BUS_ADDRESS").is_some_and(|a| !a.is_empty())
            || runtime.is_some_and(|folder| folder.join("bus").exists());
        // Start programs from absolute folders only (see `cli::search_path`).
        let folders = env::split_paths(&folders).filter(|folder| folder.is_absolute());
        Self::of(folders, has_bus)
    }

    fn of(mut program_folders: impl Iterator<Item = PathBuf>, has_bus: bool) -> Self {
        match (program_folders.any(|folder| folder.join("zenity").is_file()), has_bus) {
            (true, true) => Self::Certain,
            (true, false) => Self::Zenity,
            (false, true) => Self::Portal,
            (false, false) => Self::None,
        }
    }
}

/// A filter of a dialog: its name and its extensions.
type Filter = (&'static str, Vec<&'static str>);

fn zenity(dialog: &Dialog, folder: Option<&Path>, (name, extensions): &Filter) -> Command {
    let mut command = Command::new("zenity");
    command.args(["--file-selection", "--title", dialog.title()]);
    match (dialog, dialog.file_name()) {
        (_, Some(_)) => _ = command.args(["--save", "--confirm-overwrite"]),
        (Dialog::Open | Dialog::Video | Dialog::Style, _) => {}
        _ => _ = command.arg("--directory"),
    }
    // With an empty name, a path ends with a separator: the folder.
    let place = folder.unwrap_or(Path::new("")).join(dialog.file_name().unwrap_or_default());
    command.arg("--filename").arg(place);
    if !extensions.is_empty() {
        let pattern = |e: &&str| format!("*.{e} *.{}", e.to_uppercase());
        let patterns: Vec<String> = extensions.iter().map(pattern).collect();
        command.args(["--file-filter", &format!("{name} | {}", patterns.join(" "))]);
        command.args(["--file-filter", "Every file | *"]);
    }
    command
}

impl Platform for Desktop {
    fn ask(&self, dialog: &Dialog, folder: Option<&Path>) -> Result<Option<PathBuf>, String> {
        let provider = DialogProvider::here();
        if provider == DialogProvider::None {
            return Err(NO_DIALOG.to_owned());
        }
        let folder = folder.filter(|folder| folder.is_dir());
        let photos = || decode::EXTENSIONS.iter().chain(&CHECKPOINTS).copied().collect::<Vec<_>>();
        let filter: Filter = match dialog {
            Dialog::Open => ("Photos, videos and styles", [photos(), VIDEOS.to_vec()].concat()),
            Dialog::Video => ("Videos", VIDEOS.to_vec()),
            Dialog::Style => ("Pictures and trained styles", photos()),
            Dialog::Save { format, .. } => (format_title(*format), vec![format.extension()]),
            _ => ("", Vec::new()),
        };
        if provider == DialogProvider::Zenity {
            let answer = zenity(dialog, folder, &filter).stderr(Stdio::null()).output();
            let mut path = answer.map_err(|_| NO_DIALOG.to_owned())?.stdout;
            path.pop_if(|last| *last == b'\n');
            #[cfg(unix)]
            let path = <std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(path);
            #[cfg(not(unix))]
            let path = String::from_utf8_lossy(&path).into_owned();
            return Ok(Some(PathBuf::from(path)).filter(|path| !path.as_os_str().is_empty()));
        }
        let mut box_ = rfd::FileDialog::new();
        if let Some(folder) = folder {
            box_ = box_.set_directory(folder);
        }
        if !filter.1.is_empty() {
            box_ = box_.add_filter(filter.0, &filter.1).add_filter("Every file", &["*"]);
        }
        box_ = box_.set_title(dialog.title());
        let opened_at = Instant::now();
        let answer = match (dialog, dialog.file_name()) {
            (_, Some(file_name)) => box_.set_file_name(file_name).save_file(),
            (Dialog::Open | Dialog::Video | Dialog::Style, _) => box_.pick_file(),
            _ => box_.pick_folder(),
        };
        // A portal that fails to open a dialog looks like a dialog that was cancelled very quickly.
        if answer.is_none()
            && provider == DialogProvider::Portal
            && opened_at.elapsed() < FASTEST_PERSON
        {
            return Err(NO_DIALOG.to_owned());
        }
        Ok(answer.filter(|path| !path.as_os_str().is_empty()))
    }

    fn paste(&self) -> Result<Clip, String> {
        self.with_clipboard(|clipboard| {
            // A copied file often also has its icon as a picture, so check for files first.
            if let Ok(files) = clipboard.get().file_list()
                && !files.is_empty()
            {
                return Ok(Clip::Files(files));
            }
            if let Ok(picture) = clipboard.get_image() {
                return Frame::from_rgba(picture.width, picture.height, picture.bytes.into_owned())
                    .map(Clip::Picture)
                    .or_text();
            }
            Ok(files_in(&clipboard.get_text().unwrap_or_default()))
        })
    }

    fn copy(&self, picture: &Frame) -> Result<(), String> {
        self.with_clipboard(|clipboard| {
            clipboard
                .set_image(arboard::ImageData {
                    width: picture.width(),
                    height: picture.height(),
                    bytes: picture.rgba().into(),
                })
                .map_err(|e| {
                    format!("The picture could not be copied: {}. Save it instead.", why(&e))
                })
        })
    }

    fn paste_text(&self) -> String {
        self.with_clipboard(|clipboard| Ok(clipboard.get_text().unwrap_or_default()))
            .unwrap_or_default()
    }

    fn copy_text(&self, text: &str) -> Result<(), String> {
        self.with_clipboard(|clipboard| {
            clipboard
                .set_text(text)
                .map_err(|e| format!("The text could not be copied: {}.", why(&e)))
        })
    }

    fn pointer(&self) -> Option<(i32, i32)> {
        self.pointer.position()
    }

    fn show(&self, path: &Path) -> Result<(), String> {
        let folder = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
        opens(folder).then_some(()).ok_or_else(|| {
            format!("No file manager could be opened. The folder is {}", path_label(path))
        })
    }

    fn play(&self, path: &Path) -> Result<(), String> {
        opens(path).then_some(()).ok_or_else(|| {
            let path = path_label(path);
            format!("No player could be opened. The video is {path}; open it in a player.")
        })
    }

    fn restart(&self, photo: Option<&Path>) -> Result<(), String> {
        env::current_exe()
            .and_then(|own| Command::new(own).args(photo).spawn())
            .map(drop)
            .map_err(|e| format!("StyleForge could not be restarted: {}", words(&e)))
    }

    fn cameras(&self) -> Result<Vec<Camera>, String> {
        capture::cameras().or_text()
    }

    fn virtual_cameras(&self) -> Vec<VirtualCamera> {
        capture::virtual_cameras()
    }

    fn open_output(&self, request: &OutputRequest) -> Result<Box<dyn Output>, OutputProblem> {
        capture::open_output(request)
    }
}

impl Desktop {
    fn with_clipboard<T>(
        &self,
        use_clipboard: impl FnOnce(&mut arboard::Clipboard) -> Result<T, String>,
    ) -> Result<T, String> {
        let mut guard = lock(&self.clipboard);
        let clipboard = match guard.as_mut() {
            Some(open) => open,
            None => guard.insert(
                arboard::Clipboard::new()
                    .map_err(|e| format!("The clipboard is not available: {}.", why(&e)))?,
            ),
        };
        use_clipboard(clipboard)
    }
}

/// Why the clipboard failed.
fn why(error: &arboard::Error) -> String {
    without_number(&error.to_string())
}

/// Opens a file or folder in the desktop's default program; returns whether that succeeds.
fn opens(path: &Path) -> bool {
    let program = match env::consts::OS {
        "windows" => "explorer",
        "macos" => "open",
        _ => "xdg-open",
    };
    let started = Command::new(program)
        .arg(path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = started else {
        return false;
    };
    let began = Instant::now();
    while began.elapsed() < OPENS_WITHIN {
        match child.try_wait() {
            Ok(None) => std::thread::sleep(OPENS_WITHIN / 50),
            // The exit code of Windows' `explorer` is meaningless.
            Ok(Some(status)) => return status.success() || program == "explorer",
            Err(_) => return false,
        }
    }
    // On some desktops the process runs as long as the program that it opened.
    // Without a thread, it stays in the list of processes until this program ends.
    threads::process::spawn("viewer", move || child.wait()).ok();
    true
}

/// Returns the path in a line of text, which is a path or a `file://` URL.
pub fn path_in(line: &str) -> PathBuf {
    let address = line.strip_prefix("file://");
    // The URL may name the host, which is this computer.
    let address = address.map(|rest| rest.strip_prefix("localhost").unwrap_or(rest));
    match address.filter(|rest| rest.starts_with('/')) {
        Some(address) => PathBuf::from(&*percent_decode_str(address).decode_utf8_lossy()),
        None => PathBuf::from(line),
    }
}

/// Returns the files that copied text names: one path or `file://` URL per line.
fn files_in(text: &str) -> Clip {
    let files: Vec<PathBuf> =
        text.lines().map(str::trim).filter(|line| !line.is_empty()).map(path_in).collect();
    if !files.is_empty() && files.iter().all(|f| f.is_absolute() && f.exists()) {
        Clip::Files(files)
    } else {
        Clip::Nothing
    }
}

/// A format's name for the user.
pub fn format_title(format: Format) -> &'static str {
    match format {
        Format::Png => "PNG",
        Format::Jpeg => "JPEG",
        // "Lossless" because other programs usually write lossy WebP.
        Format::WebP => "WebP, lossless",
        Format::Bmp => "BMP",
        Format::Tiff => "TIFF",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_zenity_and_a_bus_no_dialog_is_tried() {
        let folders: Vec<_> = (0..2).map(|_| tempfile::tempdir().expect("a folder")).collect();
        let of = |has_bus| {
            let paths = folders.iter().map(|folder| folder.path().to_owned());
            DialogProvider::of(paths, has_bus)
        };
        assert_eq!((of(false), of(true)), (DialogProvider::None, DialogProvider::Portal));
        std::fs::write(folders[1].path().join("zenity"), "").expect("written");
        assert_eq!((of(false), of(true)), (DialogProvider::Zenity, DialogProvider::Certain));
    }

    #[test]
    fn zenity_gets_the_title_and_the_place() {
        let save = Dialog::Save { file_name: "a.png".to_owned(), format: Format::Png };
        for (dialog, expected) in [
            (Dialog::Open, "--title Open a photo, video or style --filename /last/"),
            (Dialog::Folder, "--title Paint a folder of photos --directory --filename /last/"),
            (save, "--title Save as --save --confirm-overwrite --filename /last/a.png"),
        ] {
            let command = zenity(&dialog, Some(Path::new("/last")), &("", Vec::new()));
            let args: Vec<_> = command.get_args().map(|arg| arg.to_str().expect("text")).collect();
            assert_eq!(args.join(" "), format!("--file-selection {expected}"));
        }
    }

    #[test]
    fn copied_texts_may_name_files() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("my photo.png");
        std::fs::write(&file, b"x").expect("written");
        let plain = file.to_str().expect("a text");
        let address = format!("file://{}", plain.replace(' ', "%20"));
        for text in [plain, &address, &format!("{plain}\r\n")] {
            assert_eq!(files_in(text), Clip::Files(vec![file.clone()]), "{text}");
        }
        let here = PathBuf::from("/home/anna/My picture.png");
        for line in [
            "file:///home/anna/My%20picture.png",
            "file://localhost/home/anna/My%20picture.png",
            "/home/anna/My picture.png",
        ] {
            assert_eq!(path_in(line), here, "{line}");
        }
        assert_eq!(path_in("file://else.where/x"), PathBuf::from("file://else.where/x"));
        for text in ["", "hello", "/no/such/file", "file:///no%2", "relative.png"] {
            assert_eq!(files_in(text), Clip::Nothing, "{text}");
        }
    }

    #[test]
    fn checkpoints_are_known_by_name() {
        assert!(has_checkpoint_name(Path::new("a/candy.PTH")));
        assert!(!has_checkpoint_name(Path::new("candy.png")));
        assert!(!has_checkpoint_name(Path::new("onnx")));
    }
}
