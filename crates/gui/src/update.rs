//! Performs keys and the commands for the window itself.

use eframe::egui::{Theme, ViewportCommand};

use crate::{
    app::App,
    intent::{Intent, ShellCommand},
    shell::{
        overlays::{About, Overlay},
        platform::Dialog,
        shortcuts::{self, keys_of},
    },
    widgets::theme,
    window::controls_narrow_styles,
    workspace::Page,
};
use settings::{Choices, ThemeChoice};

impl App {
    /// Performs the intent of a key.
    pub(super) fn press(&mut self, intent: Intent) {
        self.live.end_first_start(&mut self.shell);
        let only_live = shortcuts::live_only(&intent).filter(|_| !self.shell.workspace.is_live());
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
        let (page, shell) = self.page();
        let before = shell.window.shows_original;
        let shows = shortcuts::holds_original(&shell.ctx, before, shell.overlays.is_open());
        shell.window.shows_original = shows;
        page.show_original(&shell.ctx, shows);
    }

    fn closes_top(&mut self) -> bool {
        let (page, shell) = self.page();
        page.close_top(shell)
    }

    /// Closes what is open; otherwise stops painting; otherwise dismisses a message.
    fn escape(&mut self) {
        if self.shell.overlays.is_open() {
            self.shell.close_overlay();
        } else if self.shell.window.full_screen.is_on {
            self.shell.toggle_full_screen();
        } else if self.closes_top() {
            // The picture below it is shown again.
        } else if controls_narrow_styles(&self.shell) {
            self.shell.window.controls_open = false;
        } else if self.shell.window.dock_open {
            self.shell.window.dock_open = false;
        } else if self.photo.painting.request.is_some() {
            self.photo.stop_painting(&mut self.shell);
        } else {
            self.shell.messages.dismiss_shown();
        }
    }

    pub(super) fn perform_shell(&mut self, command: ShellCommand) {
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
                shell.overlays.toggle(Overlay::About(About::new(&shell.ctx, &licences)));
            }
            CloseOverlay => shell.close_overlay(),
            Answer(button) => self.answer(button),
            ShowDock(shows) => shell.window.dock_open = shows,
            ClearMessages => shell.messages.clear(),
            Dismiss(number) => shell.messages.dismiss(number),
            ShowPage(page) => self.show_page(page),
            TurnPage if shell.workspace.is_live() => self.leave_live(),
            TurnPage => self.show_page(Page::Live),
            HideHint => shell.hide_hint(),
            ToggleFullScreen => shell.toggle_full_screen(),
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
        self.shell.settings_changed();
    }
}
