//! The window. No other crate uses egui, file dialogs or the clipboard.
//!
//! It does not know arguments and the command line. It may use every crate except `cli`, `oracle` and `steady`.
//!
//! # Modules
//!
//! | module | contents |
//! |---|---|
//! | `app` | the window's state and its frame; `events` handles the reports of threads, `update` turns keys into intents and performs them, `painting` paints the photo, `window` is the layout, `save_flow` saves and asks before a result is lost, `settings_changes` writes the settings |
//! | `workspace` | photo, choice, paintings, undo, saved results: rules without egui |
//! | `stage`, `texture` | the picture in the middle: zoom, divider, textures |
//! | `live` | live mode: source, comparison, preview grid, recording |
//! | `style_order`, `drag` | the order of the styles, and dragging to change the order of a list |
//! | `gallery`, `style_card`, `controls`, `output_size`, `bars`, `welcome` (with the recently opened photos) | widgets around and over the stage |
//! | `focus` | the frame around the focused control |
//! | `full_screen` | the picture alone, and what is temporarily shown over it |
//! | `contact_sheet` | the photo in every style as one picture |
//! | `crop` | the crop rectangle over the photo |
//! | `film` | a video instead of a photo: playing, seeking, in and out points |
//! | `paintings` | the lists of recent photos and saved paintings; the strip of these, one of them large, and its settings |
//! | `reading` | the question about a network's pixel format if its file does not specify it, with previews |
//! | `incoming` | dropped or pasted pictures: to paint, or to add as styles |
//! | `own_styles` | the user's own styles: renaming, removing |
//! | `trials` | pictures that are painted in parallel with other work: thumbnails of the styles, and small ones for the question about a pixel format |
//! | `mix` | mixes of picture styles by weights |
//! | `networks` | the networks of styles and mixes |
//! | `mode_choice` | lists of modes for photos, live mode and comparisons |
//! | `exports` | the form and the queue of films to export |
//! | `overlays`, `batch`, `messages` | questions, lists, a batch's progress, errors and notices |
//! | [`panel`] | measurements of live mode: counters, steps, roofline |
//! | `shortcuts`, [`intent`] | keys and widgets send intents; `update` performs them; `key_chips` draws keys, and tooltips next to a column |
//! | `tasks`, `opened`, `finished`, `settings_file` | background threads and what they read and write: photos, results, settings |
//! | `clipboard`, `pointer` | what egui and the window system lack: text on the clipboard, the pointer while a file is dragged over the window |
//! | [`platform`], [`style_source`] | interfaces to the desktop (file dialogs, clipboard) and to the styles; tests replace them |
//!
//! # Threads
//!
//! Everything except the work of `tasks`, `batch`'s photos and running `exports` runs on the window's thread and never
//! waits. A thread with an event or report for the window requests a repaint from egui. Without such a request and
//! without input from mouse or keyboard, no frame is drawn.

#[cfg(test)]
#[path = "../../../tests/support/home.rs"]
mod home;

mod app;
mod bars;
mod batch;
mod choice;
mod clipboard;
mod contact_sheet;
mod controls;
mod crop;
mod drag;
mod events;
mod exports;
mod film;
mod finished;
mod focus;
pub mod fonts;
mod full_screen;
mod gallery;
mod incoming;
pub mod intent;
mod key_chips;
mod label;
mod list;
mod live;
mod messages;
mod mix;
mod mode_choice;
mod networks;
mod opened;
mod opening;
mod output_size;
mod overlays;
mod own_styles;
mod painting;
mod paintings;
pub mod panel;
pub mod platform;
mod pointer;
mod reading;
mod save_flow;
mod settings_changes;
mod settings_file;
mod shortcuts;
mod shortcuts_list;
mod stage;
mod style_card;
mod style_order;
pub mod style_source;
mod tasks;
mod texture;
mod theme;
mod time_left;
mod tooltips;
mod trials;
mod update;
mod welcome;
mod window;
mod workspace;

use std::{path::PathBuf, sync::Arc};

use eframe::egui;

use backend::DeviceOptions;
use threads::signals;
use values::disk;

pub use app::{App, Launch};

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
    let icon = eframe::icon_data::from_png_bytes(include_bytes!("../../../assets/icon.png"))
        .unwrap_or_default();
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
