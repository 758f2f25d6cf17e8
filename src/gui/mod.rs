//! The window: the only egui, the only file dialogs, the only clipboard.
//!
//! # Rooms
//!
//! | module | what it holds |
//! |---|---|
//! | [`app`] | the window's state and its frame; `events` reads what threads report, `update` turns keys into intents and performs them, `painting` paints the photo, `window` is what is shown, `save_flow` saves and asks before something is lost, `settings_changes` writes the settings |
//! | [`workspace`] | photo, choice, paintings, undo, what is saved: rules without egui |
//! | [`stage`], `texture` | the picture in the middle: zoom, divider, pixels on the graphics card |
//! | [`live`] | live pictures: source, comparison, moving gallery, recording |
//! | `style_order`, `style_drag` | the order of the styles and their number keys, and the mouse that changes it |
//! | `gallery`, `style_card`, `controls`, `bars`, `welcome`, `empty` | what is drawn around and over the stage |
//! | `focus` | the frame around the control that has the keyboard's focus |
//! | `full_screen` | the picture alone, and what shows over it for a while |
//! | `contact_sheet` | the photo in every style as one picture |
//! | `crop` | the rectangle of a crop over the photo |
//! | `recents` | the photos that were opened last |
//! | `file_list` | what the lists of these and of saved paintings have in common |
//! | `paintings` | the strip of the paintings that were saved last, and one of them large |
//! | `reading` | the question how a network is to be read whose file does not tell, and its small pictures |
//! | `incoming` | pictures that are dropped or pasted: to be painted, or to be a style |
//! | `own_styles`, `naming`, `style_pictures` | a person's own styles: named, removed, and painted small |
//! | `mix` | mixes of picture styles by weights |
//! | `mode_choice` | lists from which a mode is chosen, for photos, live pictures and comparisons |
//! | `overlays`, `licences`, `batch`, `messages` | questions, lists, a folder's progress, what went wrong |
//! | [`panel`] | what is measured of live pictures: counters, steps, timeline, roofline |
//! | [`shortcuts`], [`intent`] | keys and widgets give intents; `update` performs them; `key_chips` draws keys, `hint_beside` tooltips beside a column |
//! | [`tasks`], `opened`, `finished`, `settings_file` | background threads and what they read and write: photos, results, settings |
//! | `clipboard`, `pointer` | what egui and the window system leave out: text on the clipboard, the pointer while a file hovers |
//! | [`platform`], [`style_source`] | seams to the desktop (file dialogs, clipboard) and to the styles; tests script them |
//!
//! # Threads
//!
//! Everything but the work of [`tasks`] and [`batch`]'s photos run on the window's thread and never waits. A
//! thread with an event or report for the window calls egui's repaint request; without one, and without input
//! of mouse or keyboard, no frame is drawn.

pub mod app;
mod bars;
pub mod batch;
pub mod choice;
mod clipboard;
mod contact_sheet;
mod controls;
mod crop;
mod empty;
mod events;
mod file_list;
mod finished;
mod focus;
pub mod fonts;
mod full_screen;
mod gallery;
mod hint_beside;
mod history;
mod icon;
mod incoming;
pub mod intent;
mod key_chips;
mod label;
mod licences;
mod list;
pub mod live;
mod messages;
mod mix;
mod mode_choice;
mod naming;
mod opened;
mod opening;
mod overlays;
mod own_styles;
mod painting;
mod paintings;
pub mod panel;
pub mod platform;
mod pointer;
mod reading;
mod recents;
mod save_flow;
mod settings_changes;
mod settings_file;
pub mod shortcuts;
mod shortcuts_list;
pub mod stage;
mod style_card;
mod style_drag;
mod style_order;
mod style_pictures;
mod style_refusal;
pub mod style_source;
pub mod tasks;
mod texture;
mod theme;
mod time_left;
mod tooltips;
mod update;
mod welcome;
mod window;
pub mod workspace;

use std::{path::PathBuf, sync::Arc};

use eframe::egui;

use crate::{
    backend::{self, DeviceOptions},
    disk, settings, signals,
};

pub use app::{App, Launch};

/// Size of the window when none is remembered, in points.
const FIRST_SIZE: [f32; 2] = [1320.0, 860.0];

/// Why there is no window.
#[derive(Debug, thiserror::Error)]
pub enum GuiError {
    /// No display can be reached, or it cannot show OpenGL pictures.
    #[error("no window could be opened: {0}")]
    Window(String),
}

/// Opens the window and stays until it is closed. `files` are opened at once. Blocks; to be called
/// on the program's first thread.
///
/// # Errors
/// [`GuiError`] when there is no display to open it on.
pub fn run(files: Vec<PathBuf>) -> Result<(), GuiError> {
    let files = files.into_iter().map(platform::from_the_root).collect();
    let settings_path = settings::default_path();
    // Read before the window is there, because its size stands in it.
    let loaded = settings_path.as_deref().map(settings::Settings::load).unwrap_or_default();
    let options = eframe::NativeOptions {
        viewport: viewport(&loaded.0.state),
        // Ctrl+V brings pictures here, so the keys come to the window as they are.
        clipboard_shortcuts: false,
        ..Default::default()
    };
    let live = !loaded.0.state.shows_photos;
    let launch = Launch {
        live,
        platform: Arc::new(platform::Desktop::default()),
        style_source: Arc::new(style_source::Library::standard()),
        open_device: backend::opener(DeviceOptions::default()),
        settings: loaded,
        settings_path,
        files,
    };
    eframe::run_native(
        "StyleForge",
        options,
        Box::new(|cc| {
            let app = App::start(&cc.egui_ctx, launch).map_err(|e| disk::reason(&e))?;
            // On a system without signals the default stays.
            signals::at_first(app.stopper()).ok();
            Ok(Box::new(app))
        }),
    )
    .map_err(|error| GuiError::Window(without_place(&disk::without_number(&error.to_string()))))
}

/// The window as it was when it was closed, or of its first size.
fn viewport(state: &settings::State) -> egui::ViewportBuilder {
    let size = state.window_size.map_or(FIRST_SIZE, |(w, h)| [w, h]);
    egui::ViewportBuilder::default()
        .with_title("StyleForge")
        .with_app_id("styleforge")
        .with_inner_size(size)
        .with_clamp_size_to_monitor_size(true)
        .with_maximized(state.is_maximized)
        .with_drag_and_drop(true)
        .with_icon(Arc::new(icon::icon()))
}

/// The window system's message, without the place in a library's sources that it names: `os error at
/// /x/winit/src/linux.rs:788: no display`.
fn without_place(text: &str) -> String {
    let place = text.split_once("os error at ").and_then(|(before, rest)| {
        let (_, words) = rest.split_once(": ")?;
        Some(format!("{before}{words}"))
    });
    place.unwrap_or_else(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{FIRST_SIZE, viewport, without_place};
    use crate::settings::State;

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
    fn no_place_in_a_librarys_sources_is_shown() {
        let error =
            "winit EventLoopError: os error at /home/x/winit/linux/mod.rs:788: No display: :9";
        assert_eq!(without_place(error), "winit EventLoopError: No display: :9");
        assert_eq!(without_place("No display: :9"), "No display: :9");
    }
}
