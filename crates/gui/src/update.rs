//! Performs the user's intents: each is handed to the page or part that it belongs to.

use eframe::egui::{Theme, ViewportCommand};

use crate::{
    app::App,
    intent::{Intent, JobCommand, LiveCommand, ShellCommand, ViewCommand},
    pages::live::{LiveView, update::toggle_measuring},
    shell::{
        overlays::{About, Overlay},
        platform::Dialog,
        shortcuts::{self, keys_of},
    },
    widgets::theme,
};
use engine::capture::{CameraId, Source};
use settings::{Choices, ThemeChoice};

impl App {
    /// Performs the intent of a key.
    pub(super) fn press(&mut self, intent: Intent) {
        self.live.end_first_start(&mut self.shell);
        let only_live = shortcuts::live_only(&intent).filter(|_| self.live.view.is_none());
        if let Some(does) = only_live {
            // The key has no effect on a photo; say why.
            let key = keys_of(&self.shell.ctx, &Intent::Shell(ShellCommand::TurnPage));
            self.shell.messages.notice(format!("“{does}” is only available in Live ({key})."));
            return;
        }
        self.perform(intent);
        // Perform each press separately: the next one builds on what this one changed.
        self.perform_all();
    }

    /// Shows the original while its key is held down.
    pub(super) fn follow_original(&mut self) {
        let before = self.photo.stage.shows_original;
        let shows =
            shortcuts::holds_original(&self.shell.ctx, before, self.shell.overlays.is_open());
        self.photo.stage.shows_original = shows;
        if let Some(live) = &mut self.live.view {
            live.show_original(&self.shell.ctx, shows);
        }
    }

    /// Closes what is open; otherwise stops painting; otherwise dismisses a message.
    fn escape(&mut self) {
        if self.shell.overlays.is_open() {
            self.shell.close_overlay();
        } else if self.shell.window.full_screen.is_on {
            self.toggle_full_screen();
        } else if self.live.view.is_some() && self.shell.engine.measuring_progress().is_some() {
            toggle_measuring(&mut self.shell);
        } else if let Some(intent) = self.live.view.as_ref().and_then(LiveView::to_close) {
            self.perform(intent);
        } else if self.live.view.is_none() && self.photo.close_painting(&mut self.shell) {
            // The photo is shown again.
        } else if self.shell.workspace.is_aside() {
            self.show_page(self.shell.workspace.photo_page());
        } else if self.live.view.is_none() && self.photo.cropping.take().is_some() {
            // The photo is unchanged.
        } else if self.shell.controls_narrow_styles() {
            self.shell.window.controls_open = false;
        } else if self.shell.window.dock_open {
            self.shell.window.dock_open = false;
        } else if self.photo.painting.request.is_some() {
            self.photo.stop_painting(&mut self.shell);
        } else {
            self.shell.messages.dismiss_shown();
        }
    }

    /// Performs all intents.
    pub(super) fn perform_all(&mut self) {
        // Intents that arise during this loop wait for the next frame, so that the loop ends.
        for intent in std::mem::take(&mut self.shell.intents) {
            self.perform(intent);
        }
        if !self.shell.intents.is_empty() {
            self.shell.ctx.request_repaint();
        }
    }

    pub(super) fn perform(&mut self, intent: Intent) {
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

    /// Shows this source live.
    pub(crate) fn use_source(&mut self, source: Source) {
        if self.live.view.is_some() {
            self.live.use_source(&mut self.shell, source);
        } else {
            self.enter_live_with(source, true);
        }
    }

    fn perform_shell(&mut self, command: ShellCommand) {
        use ShellCommand::*;

        let shell = &mut self.shell;
        match command {
            AskSnapshotFolder => shell.ask(Dialog::SnapshotFolder, |app, path| {
                app.shell.settings.choices.snapshot_folder = Some(path);
                app.shell.settings_changed();
            }),
            ShowInFolder(path) => shell.ask_desktop(move |desktop| desktop.show(&path)),
            Play(path) => shell.ask_desktop(move |desktop| desktop.play(&path)),
            CopyFile(path) => shell.copy_file(path),
            SetChoices(choices) => self.set_choices(*choices),
            ToggleFill => {
                let mut choices = shell.settings.choices.clone();
                choices.full_screen_fills ^= true;
                self.set_choices(choices);
            }
            ToggleTheme => {
                // Every press changes the visible theme, even if it comes from the desktop.
                let theme = match shell.ctx.theme() {
                    Theme::Dark => ThemeChoice::Light,
                    Theme::Light => ThemeChoice::Dark,
                };
                self.set_choices(Choices { theme, ..self.shell.settings.choices.clone() });
            }
            ToggleControls => shell.window.controls_open ^= true,
            ToggleShortcuts => shell.overlays.toggle(Overlay::Shortcuts(String::new())),
            ToggleAbout => {
                let licences = (self.licences)().unwrap_or_else(|problem| problem);
                shell.overlays.toggle(Overlay::About(About::new(&licences)));
            }
            CloseOverlay => shell.close_overlay(),
            Answer(button) => self.answer(button),
            ShowDock(shows) => shell.window.dock_open = shows,
            ClearMessages => shell.messages.clear(),
            Dismiss(number) => shell.messages.dismiss(number),
            ShowPage(page) => self.show_page(page),
            TurnPage if self.live.view.is_some() => self.leave_live(),
            TurnPage => self.enter_live(),
            HideHint => shell.hide_hint(),
            ToggleFullScreen => self.toggle_full_screen(),
            Export { bytes: Err(why), .. } => shell.messages.error(why),
            Export { file_name, bytes: Ok(bytes) } => shell.ask_export(file_name, bytes),
            Escape => self.escape(),
            Quit => shell.ctx.send_viewport_cmd(ViewportCommand::Close),
            Restart => {
                shell.ending.restarts = true;
                self.close();
            }
        }
    }

    /// Changes the stored choices of the window.
    fn set_choices(&mut self, choices: Choices) {
        theme::apply(&self.shell.ctx, choices.theme);
        if let Some(reduces) = choices.reduce_motion {
            theme::reduce_motion(&self.shell.ctx, reduces);
        }
        if choices.styles_show_photo != self.shell.settings.choices.styles_show_photo {
            self.shell.styles.gallery.painted.clear();
        }
        self.shell.settings.choices = choices;
        self.frame_pictures();
        self.shell.settings_changed();
    }
}
