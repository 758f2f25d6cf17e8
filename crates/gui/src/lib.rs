//! The window. No other crate uses egui, file dialogs or the clipboard.
//!
//! It does not know arguments and the command line. It may use every crate except `cli`, `oracle` and `steady`.
//!
//! # Modules
//!
//! | module | contents |
//! |---|---|
//! | `app`, `frame` | the window's state; the order of a frame's work, and what is passed to the pages |
//! | [`intent`], `update` | the user's actions, which keys and widgets send; the performance of those for the window itself |
//! | `window`, `bars` | the layout: bars, styles, picture, controls, and what floats over the picture |
//! | `workspace`, `choice` | photo, choice, paintings, undo, saved results: rules without egui |
//! | `shell` | what is around the pages: `tasks` on other threads, `messages`, the `dock` with jobs and messages, `overlays` (questions, forms), settings (`settings_changes`, `settings_file`), keys (`shortcuts`), `full_screen`, the desktop ([`platform`], which tests replace; `clipboard`, `pointer`) |
//! | `styles` | `gallery`, its tiles (`card`) and `order`; [`style_source`], which tests replace; `own` styles: renaming, removing; `mix`es of picture styles; `networks`; `trials`: pictures that are painted in parallel with other work; `reading`: the question about a network's pixel format if its file does not specify it |
//! | `pages::photo` | a photo and its `painting`; `opening` and `incoming` (dropped, pasted) files; `controls`, `crop`; `save_flow` saves and asks before a result is lost; `paintings`: the strip of opened photos and saved paintings, the recent photos; `welcome`: the empty page |
//! | `pages::film` | a video instead of a photo: playing, its `timeline`, in and out points, a comparison of `steadiness` |
//! | `pages::live` | live video: source, comparison, preview grid, recording |
//! | `pages::lab` | measurements of live video: counters, steps, roofline |
//! | `jobs` | one queue of folders, contact sheets and exports of videos; the forms that ask about them |
//! | `widgets` | the `stage` (the picture in the middle: zoom, divider) and its `texture`s; lists, labels, key caps, icons, the `theme` |
//!
//! # Threads
//!
//! Everything except the work of `tasks` and of running `jobs` runs on the window's thread and never
//! waits. A thread with an event or report for the window requests a repaint from egui. Without such a request and
//! without input from mouse or keyboard, no frame is drawn.

#[cfg(test)]
#[path = "../../../tests/support/home.rs"]
mod home;

mod app;
mod bars;
mod choice;
mod frame;
pub mod intent;
mod jobs;
mod pages;
mod shell;
mod styles;
mod update;
mod widgets;
mod window;
mod workspace;

use std::{path::PathBuf, sync::Arc};

use eframe::egui;

use backend::DeviceOptions;
use threads::signals;
use values::disk;

pub use app::{App, Launch};
pub use pages::lab as panel;
pub use shell::platform;
pub use styles::source as style_source;
pub use widgets::fonts;

/// The icon, as PNG.
const ICON: &[u8] = include_bytes!("../../../assets/icon.png");
/// Size of the window if none is stored, in points.
const FIRST_SIZE: [f32; 2] = [1320.0, 860.0];
/// The upper bar needs this width, in points.
const SMALLEST_SIZE: [f32; 2] = [720.0, 450.0];

/// Why the window could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum GuiError {
    /// No display is available, or it does not support OpenGL.
    #[error("no window could be opened: {0}")]
    Window(String),
}

/// Opens the window with these files and blocks until it is closed. Call it on the program's main thread. `licences`
/// returns the texts of all licences.
///
/// # Errors
/// [`GuiError`] if no usable display is available.
pub fn run(files: Vec<PathBuf>, licences: fn() -> Result<String, String>) -> Result<(), GuiError> {
    let files = files.into_iter().map(platform::from_the_root).collect();
    let settings_path = settings::default_path();
    // Read the settings before opening the window, because they contain its size.
    let loaded = settings_path.as_deref().map(settings::Settings::load).unwrap_or_default();
    let options = eframe::NativeOptions {
        viewport: viewport(&loaded.0.state),
        // Ctrl+V pastes pictures, so the window needs the keys themselves.
        clipboard_shortcuts: false,
        ..Default::default()
    };
    let launch = Launch {
        live: !loaded.0.state.shows_photos,
        platform: Arc::new(platform::Desktop::default()),
        style_source: Arc::new(style_source::Library::standard()),
        open_device: backend::opener(DeviceOptions::default()),
        settings: loaded,
        settings_path,
        files,
        licences,
    };
    eframe::run_native(
        "StyleForge",
        options,
        Box::new(|cc| {
            let app = App::start(&cc.egui_ctx, launch).map_err(|e| disk::reason(&e))?;
            // On a system without signals, the default behaviour stays.
            signals::at_first(app.stopper()).ok();
            Ok(Box::new(app))
        }),
    )
    .map_err(|error| GuiError::Window(explained(&error.to_string())))
}

/// The stored window size and position, or the default size.
fn viewport(state: &settings::State) -> egui::ViewportBuilder {
    let size = state.window_size.map_or(FIRST_SIZE, Into::into);
    let icon = eframe::icon_data::from_png_bytes(ICON).unwrap_or_default();
    egui::ViewportBuilder::default()
        .with_title("StyleForge")
        .with_app_id("styleforge")
        .with_inner_size(size)
        .with_min_inner_size(SMALLEST_SIZE)
        .with_clamp_size_to_monitor_size(true)
        .with_maximized(state.is_maximized)
        .with_drag_and_drop(true)
        .with_icon(icon)
}

/// The window system's message without the source location of a library that it contains (`os error at
/// /x/winit/src/linux.rs:788: no display`), and what to do if OpenGL is missing.
fn explained(error: &str) -> String {
    let text = disk::without_number(error);
    // X11 names the request before the error: `glutin error: [a7] GLXBadFBConfig`.
    if text.contains("glutin") {
        let error = text.rsplit([']', ':']).next().unwrap_or_default().trim();
        return format!(
            "the display has no usable OpenGL ({error}); install its driver (Debian, Ubuntu: apt install libgl1-mesa-dri); a forwarded display (ssh -X) also needs it where it is shown"
        );
    }
    text.split_once("os error at ")
        .and_then(|(before, rest)| {
            let (_, words) = rest.split_once(": ")?;
            Some(format!("{before}{words}"))
        })
        .unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::{FIRST_SIZE, explained, viewport};
    use settings::State;

    #[test]
    fn the_window_opens_as_it_was_closed() {
        let first = viewport(&State::default());
        assert_eq!(first.inner_size, Some(FIRST_SIZE.into()));
        assert_eq!(first.maximized, Some(false));
        let closed =
            State { window_size: Some((1000.0, 700.0)), is_maximized: true, ..State::default() };
        let again = viewport(&closed);
        assert_eq!(again.inner_size, Some([1000.0, 700.0].into()));
        assert_eq!(again.maximized, Some(true));
        assert_eq!(again.clamp_size_to_monitor_size, Some(true));
    }

    #[test]
    fn errors_of_the_window_system_are_explained() {
        let error =
            "winit EventLoopError: os error at /home/x/winit/linux/mod.rs:788: No display: :9";
        assert_eq!(explained(error), "winit EventLoopError: No display: :9");
        assert_eq!(explained("No display: :9"), "No display: :9");
        for (error, name) in [
            ("glutin error: [a7] GLXBadFBConfig", "GLXBadFBConfig"),
            ("Found no glutin configs matching the template: A { b: [1] }. Error: none", "none"),
            ("glutin error: bad display", "bad display"),
        ] {
            let shown = explained(error);
            assert!(shown.contains(&format!("OpenGL ({name}); install its driver")), "{shown}");
            assert!(shown.contains("libgl1-mesa-dri") && shown.contains("ssh -X"), "{shown}");
        }
    }
}
