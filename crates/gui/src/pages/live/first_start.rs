//! The small cards of the very first start over the demo scene: the ways to start, shown until one is used or a key is
//! pressed.

use eframe::egui::{self, Align2, Key, Rect};

use super::{LivePage, command::LiveCommand};
use crate::{
    app::Shell,
    intent::{Command, Intent, ShellCommand},
    pages::photo::welcome,
    widgets::{
        key_chips,
        theme::{self, floating},
    },
};

/// Height of all cards and the space below them, in points.
const HEIGHT: f32 = 112.0;

impl LivePage {
    /// True if the cards are shown.
    fn is_first_start(&self, shell: &Shell) -> bool {
        self.view.as_ref().is_some_and(|live| {
            !(live.shows_message() || live.compares() || live.shows_previews || live.lab.is_open)
        }) && !shell.settings.state.has_seen_hint
            && !shell.window.full_screen.is_on
    }

    /// Hides the cards, because a key was pressed that does something else.
    pub fn end_first_start(&mut self, shell: &mut Shell) {
        if self.is_first_start(shell) {
            shell.hide_hint();
        }
    }

    /// Lets the first Tab move to the cards, before all other widgets.
    pub fn follow_first_tab(&mut self, shell: &mut Shell) {
        let leads = self.is_first_start(shell)
            && shell.ctx.memory(|memory| memory.focused().is_none())
            && shell.ctx.input(|input| input.key_pressed(Key::Tab));
        if let Some(live) = &mut self.view {
            live.leads_to_cards = leads;
        }
    }

    /// Draws the cards `above` points above the lower edge of the picture; returns the height that they use.
    pub fn first_start_ui(&self, shell: &Shell, ui: &egui::Ui, area: Rect, above: f32) -> f32 {
        let Some(live) = self.view.as_ref().filter(|_| self.is_first_start(shell)) else {
            return 0.0;
        };
        let area = area.with_max_y(area.bottom() - above);
        floating(ui, "first start", Align2::CENTER_BOTTOM, area, |ui| {
            ui.horizontal(|ui| {
                for (place, option) in
                    welcome::start_options(self.cameras.as_ref()).into_iter().enumerate()
                {
                    let card = option.button(ui, 0.0, false);
                    if place == 0 && live.leads_to_cards {
                        card.request_focus();
                    }
                    // The upper bar has a button with the same name.
                    if card.accessible_name(format!("Begin: {}", option.title)).clicked() {
                        ShellCommand::HideHint.send(ui);
                        // Do not restart the source that is already shown.
                        if option.intent
                            != Intent::Live(LiveCommand::UseSource(live.source.clone()))
                        {
                            option.intent.send(ui);
                        }
                    }
                }
            });
            ui.horizontal(|ui| {
                let numbers = format!("1 to {}", shell.styles.gallery.cards.len().clamp(2, 9));
                for (keys, does) in [(&*numbers, "change the style"), ("?", "shows all keys")] {
                    key_chips::chips(ui, keys);
                    theme::caption(ui, does);
                }
            });
        });
        HEIGHT
    }
}
