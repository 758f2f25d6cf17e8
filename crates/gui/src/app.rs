//! The window's state and its frame: handle events, draw, perform intents.
//!
//! Everything here runs on the window's thread and never waits. [`Tasks`] read and write files, show dialogs and use
//! the clipboard; the [`Engine`] paints; the [`Compositor`] combines paintings with photos. [`App::logic`] completes
//! tasks and handles events (`events.rs`). Widgets send intents while they are drawn; the intents are performed
//! afterwards (`update.rs`).

mod state;

pub(super) use state::{
    ComposeRequest, DeviceInUse, Ending, Missing, NextStep, PaintRequest, PhotoOpening,
    PhotoPainting, Repaint, SaveFlow, TrialError, TrialOutcome, WindowState,
};

use std::{
    collections::{HashMap, VecDeque},
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use eframe::egui::{self, Context, Ui};

use crate::{
    choice::{Choice, NetworkOf},
    intent::Intent,
    jobs::{batch::Batch, exports::Exports},
    pages::{
        film::FilmView,
        live::{CameraOutView, LiveView, Repaints},
        photo::{crop::Cropping, incoming::Incoming, opened::Origin, paintings::Paintings},
    },
    shell::{
        full_screen::state::FullScreen,
        messages::{Corner, Messages},
        overlays::{Overlays, Shown},
        platform::Platform,
        settings_file::KeptFile,
        shortcuts,
        tasks::{THREADS, Tasks},
        tooltips,
    },
    styles::{gallery::Gallery, reading::Unclear, source::StyleSource},
    widgets::{stage::Stage, theme},
    workspace::{Page, Workspace},
};
use backend::OpenDevice;
use engine::{Engine, capture::Camera, compositor::Compositor, protocol::RepaintNumber};
use network::Network;
use pictures::encode::Format;
use settings::Settings;
use threads::WakeUp;
use values::{
    mode::{DeviceChoice, ModelSize},
    terminal,
};

/// Time between frames while the progress of a painting is shown.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// The parts that a window starts with.
pub struct Launch {
    pub platform: Arc<dyn Platform>,
    pub style_source: Arc<dyn StyleSource>,
    /// Opens devices; runs on the engine's thread.
    pub open_device: OpenDevice,
    /// The stored settings, and warnings about their file.
    pub settings: (Settings, Vec<String>),
    /// Where settings are written; `None` does not write them.
    pub settings_path: Option<PathBuf>,
    /// Files to open at the start.
    pub files: Vec<PathBuf>,
    /// Starts in live mode if no photo is to be opened.
    pub live: bool,
    /// Returns the texts of all licences, or why they cannot be read.
    pub licences: fn() -> Result<String, String>,
}

/// The window.
pub struct App {
    pub(super) ctx: Context,
    pub(super) engine: Engine,
    pub(super) compositor: Compositor,
    pub(super) tasks: Tasks<App>,
    /// Tasks that wait for the user, so that they do not block others.
    pub(super) dialogs: Tasks<App>,
    pub(super) platform: Arc<dyn Platform>,
    pub(super) style_source: Arc<dyn StyleSource>,
    pub(super) licences: fn() -> Result<String, String>,
    pub(super) settings: Settings,
    pub(super) settings_file: KeptFile<Settings>,
    pub(super) workspace: Workspace,
    pub(super) stage: Stage,
    pub(super) gallery: Gallery,
    pub(super) messages: Messages,
    pub(super) overlays: Overlays<Self>,
    /// Live mode; `None` while photos are shown.
    pub(super) live: Option<LiveView>,
    /// The film of which the photo on the table is a frame.
    pub(super) film: Option<FilmView>,
    /// The most recent list of cameras; `None` while it is being made.
    pub(super) cameras: Option<Result<Vec<Camera>, String>>,
    pub(super) camera_out: CameraOutView,
    /// Live frames that are being repainted.
    pub(super) repaints: Repaints,
    pub(super) full_screen: FullScreen,
    pub(super) window: WindowState,
    pub(super) batch: Option<Batch>,
    pub(super) exports: Exports,
    /// The networks of styles, and of the newest mix.
    pub(super) networks: HashMap<NetworkOf, Result<Arc<Network>, Missing>>,
    /// Dragged, dropped and pasted pictures.
    pub(super) incoming: Incoming,
    /// What follows the pictures that are being painted in parallel with other work.
    pub(super) painted_apart: HashMap<RepaintNumber, Repaint<Self>>,
    /// The number of the small painting in progress, and that of the engine once the network is read.
    pub(super) trial: Option<(u64, Option<RepaintNumber>)>,
    /// Files to ask about after the open question.
    pub(super) unclear: VecDeque<Unclear>,
    pub(super) paintings: Paintings,
    /// The crop in progress.
    pub(super) cropping: Option<Cropping>,
    pub(super) painting: PhotoPainting,
    pub(super) opening: PhotoOpening,
    pub(super) save: SaveFlow,
    pub(super) ending: Ending,
    pub(super) device: DeviceInUse,
    pub(super) intents: Vec<Intent>,
}

impl App {
    /// Sets up the window and starts its threads.
    ///
    /// # Errors
    /// The operating system's error if a thread cannot be started.
    pub fn start(ctx: &Context, launch: Launch) -> std::io::Result<Self> {
        let repaint = ctx.clone();
        let wake_up: WakeUp = Arc::new(move || repaint.request_repaint());
        let (settings, warnings) = launch.settings;
        theme::install(ctx);
        theme::apply(ctx, settings.choices.theme);
        let mut messages = Messages::default();
        for warning in warnings {
            messages.error(warning);
        }
        let mut intents = Vec::new();
        let mut page = Page::Photo;
        if !launch.files.is_empty() {
            intents.push(Intent::OpenFiles(launch.files));
        } else if launch.live {
            intents.push(Intent::EnterLive);
            page = Page::Live;
        }
        let mut app = Self {
            ctx: ctx.clone(),
            engine: Engine::start(launch.open_device, wake_up.clone())?,
            compositor: Compositor::start(wake_up.clone())?,
            tasks: Tasks::start("background", THREADS, wake_up.clone())?,
            dialogs: Tasks::start("dialog", 1, wake_up)?,
            platform: launch.platform,
            style_source: launch.style_source,
            licences: launch.licences,
            workspace: Workspace::new(
                page,
                Choice::from_settings(&settings.choices),
                Choice::of_live(&settings.choices),
            ),
            settings_file: KeptFile::new(launch.settings_path),
            stage: Stage::default(),
            gallery: Gallery::ordered(&settings.state.style_order),
            settings,
            messages,
            overlays: Overlays::default(),
            live: None,
            film: None,
            cameras: None,
            camera_out: CameraOutView::default(),
            repaints: Repaints::default(),
            full_screen: FullScreen::default(),
            window: WindowState::default(),
            batch: None,
            exports: Exports::default(),
            networks: HashMap::new(),
            incoming: Incoming::default(),
            painted_apart: HashMap::new(),
            trial: None,
            unclear: VecDeque::new(),
            paintings: Paintings::default(),
            cropping: None,
            painting: PhotoPainting::default(),
            opening: PhotoOpening::default(),
            save: SaveFlow::default(),
            ending: Ending::default(),
            device: DeviceInUse::default(),
            intents,
        };
        app.load_exports();
        app.list_styles(None);
        app.sweep_pictures();
        app.list_cameras(false);
        app.follow_motion();
        Ok(app)
    }

    /// Returns a function that closes the window from any thread as soon as possible, without a question. Recordings,
    /// settings and files are still completed.
    pub fn stopper(&self) -> impl Fn() + Send + Sync + 'static {
        let stop_requested = self.ending.is_requested.clone();
        let wake_up = self.tasks.wake_up();
        move || {
            stop_requested.store(true, Ordering::Relaxed);
            wake_up();
        }
    }

    /// Handles the events of threads and keyboard. Draws nothing.
    pub fn logic(&mut self) {
        let has_arrival = self.messages.has_arrival();
        tooltips::follow(&self.ctx, has_arrival, &mut self.window.has_no_tooltips);
        self.handle_events();
        self.paint_requested();
        self.start_batch();
        if self.ending.is_requested.load(Ordering::Relaxed) && !self.ending.is_closing {
            self.close_without_question();
        }
        self.follow_monitor();
        self.follow_first_tab();
        self.refresh_lists();
        self.text_keys();
        self.follow_original();
        shortcuts::follow_page(&self.ctx, self.shows_film());
        let (is_covered, yields) = (self.overlays.is_open(), self.gallery.focused.is_some());
        let presses = shortcuts::pressed(&self.ctx, is_covered, yields);
        for intent in presses {
            self.press(intent);
        }
        self.note_incoming();
        self.perform_all();
        self.live_logic();
        self.follow_camera_out();
        self.film_logic();
        self.follow_repaints();
        self.guard_closing();
        self.serve_readings();
        self.serve_style_pictures();
        self.serve_paintings();
        self.serve_exports();
        self.finish_changes();
        if self.painting.request.is_some() || self.batch.as_ref().is_some_and(Batch::is_running) {
            self.ctx.request_repaint_after(PROGRESS_EVERY);
        }
    }

    /// Draws the window and performs the resulting intents.
    pub fn ui(&mut self, ui: &mut Ui) {
        // Hide the pointer from the widgets below a dialog; otherwise a tooltip would stay visible over the dialog.
        let take = |input: &mut egui::InputState| std::mem::take(&mut input.pointer);
        let has_dialog = self.overlays.is_open();
        self.messages.note_dialog(has_dialog);
        let pointer = has_dialog.then(|| ui.input_mut(take));
        if self.full_screen.is_on {
            self.full_screen_ui(ui);
        } else {
            self.window_ui(ui);
        }
        if let Some(pointer) = pointer {
            ui.input_mut(|input| input.pointer = pointer);
            self.messages.ui(ui, ui.content_rect(), Corner::Top, 0.0, false);
        }
        let shown = Shown {
            cards: &self.gallery.cards,
            choices: &self.settings.choices,
            exports: &self.exports,
            paintings: &self.paintings,
        };
        self.overlays.ui(ui, &shown);
        self.window.focus_frame.ui(ui);
        if self.window.has_no_tooltips {
            tooltips::put_away(ui);
        }
        self.intents.append(&mut Intent::take_sent(ui));
        self.perform_all();
        self.copy_texts();
        self.serve_readings();
        let may_compose = self.live.is_none() && self.workspace.on_screen().is_some();
        if may_compose && self.stage.wants_full() && !self.painting.composed.full {
            self.recompose(true);
        }
    }

    /// Stops the threads and writes the remaining files. The window is already closed, so this may take a moment.
    pub fn end(&mut self) {
        self.end_recording();
        // Snapshots that wait to be repainted are saved as they were painted live.
        for waiting in std::mem::take(&mut self.repaints.waiting) {
            self.save_snapshot(waiting.shown, None);
        }
        self.end_removals();
        if let Some(film) = &mut self.film {
            film.player.end(Duration::from_millis(500));
        }
        // The window can no longer show messages, but there may be a terminal.
        let exports = self.end_exports().err();
        for failure in self.tasks.finish_writing().into_iter().chain(exports) {
            terminal::write_message(format!("styleforge: {failure}"));
        }
        if let (Some(path), true) =
            (&self.settings_file.path, self.settings_file.changed_at.is_some())
            && let Err(error) = self.settings.save(path)
        {
            terminal::write_message(format!("styleforge: {error}"));
        }
        // A GPU must release its memory; work on the CPU ends with the program.
        let patience = if self.device.is(DeviceChoice::Cpu) { 100 } else { 2000 };
        self.engine.shutdown(Duration::from_millis(patience));
        // Do this last: settings are now written and cameras released.
        if self.ending.restarts
            && let Err(why) = self.platform.restart(self.shown_file())
        {
            terminal::write_message(format!("styleforge: {why}"));
        }
    }

    /// The file of the current photo.
    fn shown_file(&self) -> Option<&Path> {
        let photo = self.workspace.photo().filter(|_| self.live.is_none())?;
        match &photo.opened.origin {
            Origin::File(path) => Some(path),
            Origin::Sample | Origin::Clipboard => None,
        }
    }

    /// The model size for photos: the chosen one if the style has it.
    pub(super) fn model(&self) -> ModelSize {
        self.model_of_style(self.workspace.choice.model)
    }

    /// The requested model size if the chosen style has it, otherwise the one that it has.
    pub(super) fn model_of_style(&self, requested: ModelSize) -> ModelSize {
        self.workspace
            .choice
            .style()
            .and_then(|id| self.gallery.known(id))
            .map_or(requested, |card| card.model(requested))
    }

    /// The format to save in.
    pub(super) fn format(&self) -> Format {
        self.settings.choices.format.unwrap_or_else(|| self.workspace.natural_format())
    }
}

impl eframe::App for App {
    fn logic(&mut self, _: &Context, _: &mut eframe::Frame) {
        App::logic(self);
    }

    fn ui(&mut self, ui: &mut Ui, _: &mut eframe::Frame) {
        App::ui(self, ui);
    }

    fn on_exit(&mut self, _: Option<&eframe::glow::Context>) {
        self.end();
    }

    fn clear_color(&self, visuals: &egui::Visuals) -> [f32; 4] {
        visuals.panel_fill.to_normalized_gamma_f32()
    }
}
