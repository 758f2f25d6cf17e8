//! A frame of the window: the order of its work.
//!
//! Everything here runs on the window's thread and never waits.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use eframe::egui::{self, Context, Ui};

use crate::{
    app::{App, Launch, Shell},
    choice::Choice,
    intent::{Intent, PhotoCommand, ShellCommand},
    jobs::Jobs,
    pages::{
        film::{FilmPage, FilmView},
        live::{
            LivePage, LiveView,
            files::{save_snapshot, sweep_pictures},
        },
        photo::PhotoPage,
    },
    shell::{
        clipboard::{copy_texts, text_keys},
        messages::Messages,
        overlays::{Overlays, Shown},
        settings_file::KeptFile,
        shortcuts,
        state::{DeviceInUse, Ending, WindowState},
        tasks::{THREADS, Tasks},
        tooltips,
    },
    styles::{Styles, gallery::Gallery, own::refresh_lists, reading::flow::serve_readings},
    widgets::theme,
    window::follow_monitor,
    workspace::{Page, Workspace},
};
use engine::{Engine, compositor::Compositor};
use threads::WakeUp;
use values::{mode::DeviceChoice, terminal};

/// Time between frames while the progress of a painting is shown.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

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
            intents.push(Intent::Photo(PhotoCommand::OpenFiles(launch.files)));
        } else if launch.live {
            intents.push(Intent::Shell(ShellCommand::ShowPage(Page::Live)));
            page = Page::Live;
        }
        let workspace = Workspace::new(
            page,
            Choice::from_settings(&settings.choices),
            Choice::of_live(&settings.choices),
        );
        let gallery = Gallery::ordered(&settings.state.style_order);
        let mut app = Self {
            shell: Shell {
                ctx: ctx.clone(),
                engine: Engine::start(launch.open_device, wake_up.clone())?,
                device: DeviceInUse::default(),
                tasks: Tasks::start("background", THREADS, wake_up.clone())?,
                dialogs: Tasks::start("dialog", 1, wake_up.clone())?,
                platform: launch.platform,
                settings,
                settings_file: KeptFile::new(launch.settings_path),
                messages,
                overlays: Overlays::default(),
                window: WindowState::default(),
                ending: Ending::default(),
                intents,
                workspace,
                styles: Styles::new(gallery, launch.style_source),
            },
            photo: PhotoPage::new(Compositor::start(wake_up)?),
            film: FilmPage::default(),
            live: LivePage::default(),
            jobs: Jobs::default(),
            licences: launch.licences,
        };
        app.jobs.load(&mut app.shell);
        app.shell.list_styles(None);
        sweep_pictures(&app.shell);
        app.shell.list_cameras(false);
        app.shell.follow_motion();
        Ok(app)
    }

    /// Returns a function that closes the window from any thread as soon as possible, without a question. Recordings,
    /// settings and files are still completed.
    pub fn stopper(&self) -> impl Fn() + Send + Sync + 'static {
        let stop_requested = self.shell.ending.is_requested.clone();
        let wake_up = self.shell.tasks.wake_up();
        move || {
            stop_requested.store(true, Ordering::Relaxed);
            wake_up();
        }
    }

    /// Handles the events of threads and keyboard. Draws nothing.
    pub fn logic(&mut self) {
        let has_arrival = self.shell.messages.has_arrival();
        self.shell.messages.follow(&self.shell.ctx);
        tooltips::follow(&self.shell.ctx, has_arrival, &mut self.shell.window.has_no_tooltips);
        // What other threads report, and what waited for it.
        self.handle_events();
        self.photo.paint_requested(&mut self.shell);
        if self.shell.ending.is_requested.load(Ordering::Relaxed) && !self.shell.ending.is_closing {
            self.close_without_question();
        }
        // What the user does.
        follow_monitor(&mut self.shell);
        self.live.follow_first_tab(&mut self.shell);
        refresh_lists(&mut self.shell);
        text_keys(&self.shell);
        self.follow_original();
        shortcuts::follow_page(&self.shell.ctx, self.photo.shows_film(&self.shell));
        let (is_covered, yields) =
            (self.shell.overlays.is_open(), self.shell.styles.gallery.focused.is_some());
        let presses = shortcuts::pressed(&self.shell.ctx, is_covered, yields);
        for intent in presses {
            self.press(intent);
        }
        self.photo.note_incoming(&mut self.shell);
        self.perform_all();
        // What the pages do by themselves.
        self.live.live_logic(&mut self.shell);
        self.live.follow_camera_out(&mut self.shell);
        self.film.film_logic(&mut self.shell, &mut self.photo, self.jobs.is_running());
        self.live.follow_repaints(&mut self.shell);
        self.guard_closing();
        // What runs in the background, if nothing else needs the device.
        serve_readings(&mut self.shell);
        self.serve_style_pictures();
        self.photo.serve_paintings(&mut self.shell);
        let moves = self.live.view.as_ref().is_some_and(LiveView::is_moving)
            || self.film.view.as_ref().is_some_and(FilmView::is_playing);
        self.jobs.serve(&mut self.shell, &mut self.photo, moves);
        self.shell.finish_changes();
        if self.photo.painting.request.is_some() {
            self.shell.ctx.request_repaint_after(PROGRESS_EVERY);
        }
    }

    /// Draws the window and performs the resulting intents.
    pub fn ui(&mut self, ui: &mut Ui) {
        // Hide the pointer from the widgets below a dialog; otherwise a tooltip would stay visible over the dialog.
        let take = |input: &mut egui::InputState| std::mem::take(&mut input.pointer);
        let has_dialog = self.shell.overlays.is_open();
        self.shell.messages.note_dialog(has_dialog);
        let pointer = has_dialog.then(|| ui.input_mut(take));
        if self.shell.window.full_screen.is_on {
            self.full_screen_ui(ui);
        } else {
            self.window_ui(ui);
        }
        if let Some(pointer) = pointer {
            ui.input_mut(|input| input.pointer = pointer);
            self.floating_status(ui, ui.content_rect(), true, false);
        }
        let shown = Shown {
            cards: &self.shell.styles.gallery.cards,
            choices: &self.shell.settings.choices,
            jobs: &self.jobs,
        };
        self.shell.overlays.ui(ui, &shown);
        self.shell.window.focus_frame.ui(ui);
        if self.shell.window.has_no_tooltips {
            tooltips::put_away(ui);
        }
        self.shell.intents.append(&mut Intent::take_sent(ui));
        self.perform_all();
        copy_texts(&self.shell);
        serve_readings(&mut self.shell);
        let may_compose = self.live.view.is_none() && self.shell.workspace.on_screen().is_some();
        if may_compose && self.photo.stage.wants_full() && !self.photo.painting.composed.full {
            self.photo.recompose(&mut self.shell, true);
        }
    }

    /// Stops the threads and writes the remaining files. The window is already closed, so this may take a moment.
    pub fn end(&mut self) {
        let Self { shell, photo, film, live, jobs, .. } = self;
        live.end_recording(shell);
        // Snapshots that wait to be repainted are saved as they were painted live.
        for waiting in std::mem::take(&mut live.repaints.waiting) {
            save_snapshot(shell, waiting.shown, None);
        }
        shell.end_removals();
        if let Some(film) = &mut film.view {
            film.player.end(Duration::from_millis(500));
        }
        // The window can no longer show messages, but there may be a terminal.
        let jobs = jobs.end(shell, photo).err();
        for failure in shell.tasks.finish_writing().into_iter().chain(jobs) {
            terminal::write_message(format!("styleforge: {failure}"));
        }
        if let (Some(path), true) =
            (&shell.settings_file.path, shell.settings_file.changed_at.is_some())
            && let Err(error) = shell.settings.save(path)
        {
            terminal::write_message(format!("styleforge: {error}"));
        }
        // A GPU must release its memory; work on the CPU ends with the program.
        let patience = if shell.device.is(DeviceChoice::Cpu) { 100 } else { 2000 };
        shell.engine.shutdown(Duration::from_millis(patience));
        // Do this last: settings are now written and cameras released.
        if shell.ending.restarts
            && let Err(why) = shell.platform.restart(shell.workspace.shown_file())
        {
            terminal::write_message(format!("styleforge: {why}"));
        }
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
