//! The order of a frame's work (`App::logic`, `App::ui`), and what is passed to the pages: events of threads, and the
//! user's commands. The only file that knows every page.
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
    intent::{Intent, JobCommand, LiveCommand, PhotoCommand, ShellCommand, ViewCommand},
    jobs::Jobs,
    pages::{
        PageView,
        film::{FilmPage, FilmView, Step},
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
use engine::{
    Engine,
    capture::{CameraId, Source},
    compositor::Compositor,
    live::LiveEvent,
    protocol::Event,
};
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
        self.film.show_exported(&self.shell, &self.jobs);
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

    /// The page that is shown, and what it uses.
    pub(crate) fn page(&mut self) -> (&mut dyn PageView, &mut Shell) {
        let Self { shell, photo, live, .. } = self;
        let page: &mut dyn PageView = if live.view.is_some() { live } else { photo };
        (page, shell)
    }

    /// The video with its timeline, if that is shown.
    pub(crate) fn timeline(&self) -> Option<&FilmView> {
        let is_shown = self.photo.shows_film(&self.shell) && self.photo.cropping.is_none();
        self.film.view.as_ref().filter(|_| is_shown)
    }

    /// Shows a page, with the ways to open its picture if the photo on the table belongs to another page.
    pub(crate) fn show_page(&mut self, page: Page) {
        if page == Page::Live {
            return self.enter_live(self.shell.settings.live.source.clone(), false);
        }
        self.leave_live();
        let Self { shell, photo, film, .. } = self;
        if shell.workspace.page() != page {
            film.step_film(shell, photo, Step::Pause);
            shell.workspace.turn(page);
        }
    }

    /// Shows this source live.
    pub(crate) fn use_source(&mut self, source: Source) {
        if self.live.view.is_some() {
            self.live.use_source(&mut self.shell, source);
        } else {
            self.enter_live(source, true);
        }
    }

    /// Switches to live mode with a source; `is_chosen` if the user has just chosen it.
    fn enter_live(&mut self, source: Source, is_chosen: bool) {
        let Self { shell, photo, film, live, .. } = self;
        if live.view.is_none() {
            film.step_film(shell, photo, Step::Pause);
            // The photo keeps its choice and its paintings; it is not painted in the meantime.
            photo.drop_request(shell);
            photo.paintings.close_view();
            live.enter(shell, source, is_chosen);
        }
    }

    pub(crate) fn leave_live(&mut self) {
        if self.live.leave(&mut self.shell) {
            self.photo.follow_choice(&mut self.shell);
        }
    }

    /// Performs all intents.
    pub(crate) fn perform_all(&mut self) {
        // Intents that arise during this loop wait for the next frame, so that the loop ends.
        for intent in std::mem::take(&mut self.shell.intents) {
            self.perform(intent);
        }
        if !self.shell.intents.is_empty() {
            self.shell.ctx.request_repaint();
        }
    }

    pub(crate) fn perform(&mut self, intent: Intent) {
        let Self { shell, photo, film, live, jobs, .. } = self;
        if photo.perform_on_viewed(shell, &intent) {
            return;
        }
        match intent {
            Intent::Shell(command) => self.perform_shell(command),
            Intent::Style(command) => self.perform_style(command),
            // A crop in progress has its own undo steps; those of the page wait until it ends.
            Intent::View(command @ (ViewCommand::Undo | ViewCommand::Redo))
                if photo.seen_crop(shell).is_none() =>
            {
                self.revert_step(command == ViewCommand::Undo);
            }
            Intent::View(command) => {
                if let Some(command) = live.perform_view(shell, command) {
                    photo.perform_view(shell, command);
                }
            }
            Intent::Photo(command) => photo.perform(shell, command),
            Intent::Film(step) if photo.shows_film(shell) => film.step_film(shell, photo, step),
            Intent::Film(_) => {}
            Intent::Live(LiveCommand::UseSource(source)) => self.use_source(source),
            Intent::Live(LiveCommand::UseCamera) => {
                self.use_source(Source::Camera(CameraId::first()));
            }
            Intent::Live(command) => live.perform(shell, command),
            Intent::Lab(command) => live.perform_lab(shell, command),
            Intent::Job(JobCommand::ExportFilm) => self.export_film(),
            Intent::Job(command) => jobs.perform(shell, command),
        }
    }

    /// Handles every event of other threads since the last frame.
    fn handle_events(&mut self) {
        while let Some(event) = self.shell.engine.poll() {
            self.handle_event(event);
        }
        while let Some(complete) = self.shell.tasks.poll().or_else(|| self.shell.dialogs.poll()) {
            complete(Some(self));
        }
        self.photo.take_composed(&mut self.shell);
    }

    fn handle_event(&mut self, event: Event) {
        let Self { shell, photo, film, live, .. } = self;
        match event {
            Event::Device { info, notice } => shell.set_device(info, notice),
            Event::NoDevice(error) => {
                shell.device.notice = Some(error.to_string());
                shell.choose_first_style();
                shell.messages.error(error.to_string());
            }
            Event::Painted { draft, painting, generation } => {
                photo.handle_painted(shell, painting, generation, draft);
            }
            // A run that the user stopped needs no message here; the choice has already been reset.
            Event::Cancelled(_) => {}
            Event::Failed { error, generation } => photo.handle_failed(shell, &error, generation),
            Event::Repainted { number, result } => {
                if let Some(done) = shell.styles.painted_apart.remove(&number) {
                    done(self, number, result);
                }
            }
            Event::Live(event) => {
                if matches!(event, LiveEvent::Refused(_)) {
                    film.step_film(shell, photo, Step::Pause);
                }
                live.handle_live_event(shell, event);
            }
            Event::Measured(result) => live.handle_measured(shell, result),
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
