//! The ways to start below the demo scene of the very first start, shown until one is used or a key is pressed.

use eframe::egui::{Button, Key, Ui};

use super::LivePage;
use crate::{
    app::Shell,
    intent::{Command, Sends, ShellCommand},
    pages::photo::welcome,
    widgets::{key_chips, theme},
};

impl LivePage {
    /// True if the ways to start are shown.
    pub fn is_first_start(&self, shell: &Shell) -> bool {
        self.view.as_ref().is_some_and(|live| {
            !(live.shows_message() || live.compares() || live.shows_previews || live.lab.is_open)
        }) && !shell.settings.state.has_seen_hint
            && !shell.window.full_screen.is_on
    }

    /// Hides the ways to start, because a key was pressed that does something else.
    pub fn end_first_start(&mut self, shell: &mut Shell) {
        if self.is_first_start(shell) {
            shell.hide_hint();
        }
    }

    /// Lets the first Tab move to them, before all other widgets.
    pub fn follow_first_tab(&mut self, shell: &mut Shell) {
        let leads = self.is_first_start(shell)
            && shell.ctx.memory(|memory| memory.focused().is_none())
            && shell.ctx.input(|input| input.key_pressed(Key::Tab));
        if let Some(live) = &mut self.view {
            live.leads_to_cards = leads;
        }
    }

    /// Draws the ways to start.
    pub fn first_start_ui(&self, shell: &Shell, ui: &mut Ui) {
        let leads = self.view.as_ref().is_some_and(|live| live.leads_to_cards);
        ui.horizontal_wrapped(|ui| {
            let options = welcome::start_options(shell.device.cameras.as_ref());
            for (place, option) in options.into_iter().enumerate() {
                let button = option.button(ui);
                if place == 0 && leads {
                    button.request_focus();
                }
                if button.accessible_name(option.title).clicked() {
                    ShellCommand::HideHint.send(ui);
                    option.intent.send(ui);
                }
            }
            ui.add(Button::new("Explore the demo").frame_when_inactive(false))
                .sends(ShellCommand::HideHint);
            let numbers = format!("1 to {}", shell.styles.gallery.cards.len().clamp(2, 9));
            // All on one line: the next one if the buttons leave no space.
            theme::at_the_right(ui, "keys", |ui| {
                for (keys, does) in [(&*numbers, "change the style"), ("?", "shows all keys")] {
                    key_chips::chips(ui, keys);
                    theme::caption(ui, does);
                }
            });
        });
    }
}
