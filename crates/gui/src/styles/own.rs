//! The user's own styles: renaming, removing and showing their files, and following changes by the command line.
//!
//! Removing a style only hides it from the gallery, so that undo can restore it; undo also reverts moves. The file of a
//! removed style is deleted when the program ends normally. If the program ends in any other way, no style is lost.

use std::mem;

use eframe::egui::Event;

use super::{Styles, command::StyleCommand, mix::Mix, order::Move, source::Card};
use crate::{
    app::{App, Shell},
    intent::Intent,
    widgets::label::remark,
    workspace::Step,
};

impl Shell {
    pub fn has_regained_focus(&self) -> bool {
        self.ctx.input(|i| i.events.contains(&Event::WindowFocused(true)))
    }

    /// Lists the styles, and chooses the one that was `added`, if any.
    pub fn list_styles(&self, added: Option<String>) {
        self.list_looks();
        let styles = self.styles.source.clone();
        self.run(
            move || Ok(styles.cards()),
            |app, (cards, problems)| app.handle_styles(cards, &problems, added),
        );
    }

    /// Returns one of the user's own styles; shows a message if the style is not one.
    fn own_card(&mut self, id: &str, what: &str) -> Option<Card> {
        let card = self.styles.gallery.card(id)?.clone();
        if card.own.is_none() {
            self.messages.notice(format!(
                "{} is built in and cannot be {what}. Only styles that you added can.",
                card.title
            ));
            return None;
        }
        Some(card)
    }

    /// Asks for a new name for a style.
    pub fn ask_name(&mut self, id: &str) {
        if let Some(card) = self.own_card(id, "renamed") {
            self.ask_new_name(card.id, card.title, None);
        }
    }

    /// Asks for a new name for a style, again if it cannot have the name.
    fn ask_new_name(&mut self, id: String, text: String, problem: Option<String>) {
        let heading = format!("Rename {}", self.styles.title_of(&id));
        self.overlays.put_name([heading, text], "Rename", problem, move |app, name| {
            let styles = app.shell.styles.source.clone();
            let old = id.clone();
            let new = name.clone();
            app.shell.tasks.spawn_writing(
                move || styles.rename(&old, &new),
                |app, renamed| match renamed {
                    Ok(new) => app.note_renamed(&id, &new),
                    Err(error) => {
                        let why = app.shell.styles.why_not_named(&name, &error);
                        app.shell.ask_new_name(id, name, Some(why));
                    }
                },
            );
        });
    }

    /// Moves a style in the list, as an undo step.
    pub fn move_style(&mut self, id: &str, to: &Move) {
        self.end_change();
        if let Some(next) = self.styles.gallery.shift(id, to) {
            self.workspace.history.note(Step::Moved { id: id.to_owned(), next });
        }
    }

    /// Deletes the files of all removed styles, because the program ends.
    pub fn end_removals(&mut self) {
        for removed in self.styles.gallery.take_hidden() {
            let styles = self.styles.source.clone();
            let remove = move || {
                // Do not delete a different style that now has the same id.
                let is_it =
                    |card: &Card| (&card.id, card.changed) == (&removed.id, removed.changed);
                if styles.cards().0.iter().any(is_it) { styles.remove(&removed.id) } else { Ok(()) }
            };
            self.tasks.spawn_writing(remove, App::report_failure);
        }
        if self.remember_order() {
            self.settings_file.changed_at.get_or_insert_default();
        }
    }

    /// Removes styles from the choice that are not in the gallery.
    pub fn forget_absent(&mut self) {
        let gallery = &self.styles.gallery;
        if !gallery.is_listed {
            return;
        }
        let card = |id: &str| gallery.card(id);
        let choice = &mut self.workspace.choice;
        let chosen = choice.style().and_then(card);
        choice.mix.styles.retain(|(id, _)| {
            chosen.zip(card(id)).is_some_and(|(chosen, card)| {
                chosen.id == card.id || chosen.why_not_mixed(card).is_none()
            })
        });
    }
}

impl App {
    /// Notes that a style has a new id.
    fn note_renamed(&mut self, id: &str, new: &str) {
        let Self { shell, photo, jobs, .. } = self;
        shell.styles.gallery.rename(id, new);
        // The message names the style by its old name and offers to rename it.
        shell.messages.withdraw(
            |offered| matches!(offered, Intent::Style(StyleCommand::AskName(of)) if of == id),
        );
        shell.end_change();
        shell.workspace.rename_style(id, new);
        jobs.rename_style(shell, id, new);
        if let Some(request) = &mut photo.painting.request {
            request.recipe.network.rename_style(id, new);
        }
        shell.styles.networks = mem::take(&mut shell.styles.networks)
            .into_iter()
            .map(|(mut of, network)| {
                // One that is being loaded keeps its id until it is loaded.
                if network.is_ok() {
                    of.rename_style(id, new);
                }
                (of, network)
            })
            .collect();
        shell.remember_choice();
        shell.list_styles(None);
    }

    /// Removes a style from the gallery as an undo step; a message also offers to undo it. There is no confirmation,
    /// because undo also restores the painting.
    pub(crate) fn remove_style(&mut self, id: &str) {
        let Self { shell, photo, .. } = self;
        let Some(card) = shell.own_card(id, "removed") else {
            return;
        };
        shell.end_change();
        let cards = &shell.styles.gallery.cards;
        let place = cards.iter().position(|other| other.id == card.id);
        // The style below it, or above it if it is the last one.
        let beside = place
            .and_then(|at| cards.get(at + 1).or_else(|| cards.get(at.checked_sub(1)?)))
            .map(|card| card.id.clone());
        shell.styles.gallery.hide(&card.id);
        shell.messages.withdraw(
            |offered| matches!(offered, Intent::Style(StyleCommand::AskName(of)) if of == id),
        );
        // Neither page may keep a removed style.
        for (is_shown, choice, history) in shell.workspace.pages_mut() {
            let before = choice.clone();
            if choice.style() == Some(id) {
                choice.mix = Mix::of(beside.clone());
            }
            choice.mix.styles.retain(|(other, _)| other != id);
            // A page that is not shown undoes only what changed its choice.
            if is_shown || *choice != before {
                history.note(Step::Removed {
                    id: card.id.clone(),
                    choices: Box::new([before, choice.clone()]),
                });
            }
        }
        shell.remember_choice();
        photo.follow_choice(shell);
        shell.messages.offer(
            format!("“{}” was removed.", card.title),
            ("Undo", Intent::Style(StyleCommand::BringBack(card.id))),
        );
    }

    /// Undoes or redoes the next step of the page.
    pub(crate) fn revert_step(&mut self, is_undo: bool) {
        self.shell.end_change();
        while let Some(step) = self.shell.workspace.history.take(is_undo) {
            let inverse = match step {
                Step::Choice(mut choice) => {
                    mem::swap(&mut self.shell.workspace.choice, &mut choice);
                    // An undo step may return to removed styles.
                    for (id, _) in self.shell.workspace.choice.mix.styles.clone() {
                        self.bring_back(&id);
                    }
                    self.shell.remember_choice();
                    self.photo.follow_choice(&mut self.shell);
                    Step::Choice(choice)
                }
                Step::Live(choices) => Step::Live(self.live.set_live(&mut self.shell, choices)),
                Step::Moved { id, next } => {
                    match self.shell.styles.gallery.shift(&id, &Move::Before(next)) {
                        Some(next) => Step::Moved { id, next },
                        // The style is already there or no longer exists.
                        None => continue,
                    }
                }
                Step::Removed { ref id, .. } => {
                    let id = id.clone();
                    self.shell.workspace.history.note_reverted(!is_undo, step);
                    if self.bring_back(&id) {
                        return;
                    }
                    continue;
                }
            };
            self.shell.workspace.history.note_reverted(is_undo, inverse);
            return;
        }
    }

    /// Restores a removed style; returns `false` if it is gone. Also restores the choice, unless the user has chosen
    /// something else in the meantime.
    pub(crate) fn bring_back(&mut self, id: &str) -> bool {
        let is_hidden = self.shell.styles.gallery.unhide(id);
        for (_, choice, history) in self.shell.workspace.pages_mut() {
            if let Some([before, after]) =
                history.take_removal(id).filter(|_| is_hidden).map(|choices| *choices)
                && choice.mix == after.mix
            {
                choice.mix = before.mix;
            }
        }
        if is_hidden {
            self.shell.messages.withdraw(
                |offered| matches!(offered, Intent::Style(StyleCommand::BringBack(of)) if of == id),
            );
            self.shell.remember_choice();
            self.photo.follow_choice(&mut self.shell);
        }
        is_hidden
    }

    /// Handles a new list of styles.
    pub(super) fn handle_styles(
        &mut self,
        cards: Vec<Card>,
        problems: &[String],
        added: Option<String>,
    ) {
        let Self { shell, photo, .. } = self;
        let changed = shell.styles.gallery.set_cards(&shell.ctx, cards);
        shell.styles.networks.retain(|of, _| !of.styles().iter().any(|id| changed.contains(*id)));
        if shell.styles.gallery.note_problems(problems) {
            match problems {
                [] => {}
                [one] => shell.messages.notice(format!("A style was skipped. {one}")),
                [first, ..] => shell
                    .messages
                    .notice(format!("{} styles were skipped. The first: {first}", problems.len())),
            }
        }
        shell.forget_absent();
        shell.styles.retry_networks(|_| true);
        shell.choose_first_style();
        if added.is_some() {
            shell.styles.gallery.end_import();
        }
        match added.filter(|id| shell.styles.gallery.card(id).is_some()) {
            Some(id) => {
                shell.messages.offer(
                    format!("“{}” was added to the styles.", shell.styles.title_of(&id)),
                    ("Rename…", Intent::Style(StyleCommand::AskName(id.clone()))),
                );
                shell.intents.push(Intent::Style(StyleCommand::PickStyle(id)));
            }
            None => photo.follow_choice(shell),
        }
    }
}

impl<A> Styles<A> {
    /// The reason why a style cannot have this name, as text. The name may belong to a removed style, which is not
    /// shown.
    pub fn why_not_named(&self, name: &str, error: &str) -> String {
        let why = remark(error);
        if self.gallery.has_hidden(name) {
            format!("{why}; it was removed, but Undo restores it")
        } else {
            why
        }
    }
}

/// Lists styles and cameras again when the window gets the focus: the command line may have added or removed styles,
/// and the first page offers to use a camera.
pub fn refresh_lists(shell: &mut Shell) {
    if !shell.has_regained_focus() {
        return;
    }
    if shell.styles.gallery.is_listed {
        shell.list_styles(None);
    }
    if !shell.workspace.is_live() && shell.workspace.photo().is_none() {
        shell.list_cameras(false);
    }
}
