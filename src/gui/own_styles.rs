//! The user's own styles: renaming, removing and showing their files, and following changes by the command line.
//!
//! Removing a style only hides it from the gallery, so that undo can restore it; undo also reverts moves. The file of a
//! removed style is deleted when the program ends normally. If the program ends in any other way, no style is lost.

use std::path::PathBuf;

use eframe::egui::Event;

use super::{
    app::{App, ListChange, ListStep},
    choice::Choice,
    intent::{Intent, NameFor},
    label::remark,
    messages::Offer,
    mix::Mix,
    naming::Naming,
    overlays::Question,
    style_order::Move,
    style_source::Card,
    workspace::rename_in,
};

impl App {
    /// Lists the styles again when the window gets the focus: the command line may have added or removed some.
    pub(super) fn follow_disk(&mut self) {
        let comes_back = self.ctx.input(|i| i.events.contains(&Event::WindowFocused(true)));
        if comes_back && self.gallery.is_listed() {
            self.list_styles();
        }
    }

    pub(super) fn list_styles(&self) {
        let styles = self.style_source.clone();
        self.tasks.spawn(
            move || Ok(styles.cards()),
            |app, listed| match listed {
                Ok((cards, problems)) => app.handle_styles(cards, &problems),
                Err(error) => app.messages.error(error),
            },
        );
    }

    /// Returns one of the user's own styles; shows a message if the style is not one.
    fn own_card(&mut self, id: &str, what: &str) -> Option<Card> {
        let card = self.gallery.card(id)?.clone();
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
    pub(super) fn ask_name(&mut self, id: &str) {
        if let Some(card) = self.own_card(id, "renamed") {
            let naming = Naming::new(NameFor::Style(card.id), card.title);
            self.put_question(Question::Name(naming));
        }
    }

    /// Continues with a typed name.
    pub(super) fn take_name(&mut self, name_for: NameFor, name: String) {
        self.overlays.close();
        match name_for {
            NameFor::Style(id) => {
                let (styles, old, new) = (self.style_source.clone(), id.clone(), name.clone());
                self.tasks.spawn_writing(
                    move || styles.rename(&old, &new),
                    |app, renamed| app.handle_renamed(id, name, renamed),
                );
            }
            NameFor::Mix(parts) => self.keep_mix(parts, name),
        }
    }

    /// Handles the result of renaming a style; on failure, shows the question again with the reason.
    fn handle_renamed(&mut self, id: String, name: String, result: Result<String, String>) {
        match result {
            Ok(new) => {
                self.gallery.rename(&id, &new);
                // The message names the style by its old name and offers to rename it.
                let offered = Intent::AskName(id.clone());
                self.messages.withdraw(|intent| *intent == offered);
                self.workspace.rename_style(&id, &new);
                if let Some(request) = &mut self.painting.request
                    && request.recipe.style == id
                {
                    request.recipe.style.clone_from(&new);
                }
                if let Some(before) = &mut self.painting.before_change {
                    rename_in(&mut before.style, &mut before.mix, &id, &new);
                }
                for step in self.list_steps.iter_mut().chain(&mut self.undone_moves) {
                    step.rename(&id, &new);
                }
                let models: Vec<_> = (self.networks.loaded.keys())
                    .filter(|(style, _)| *style == id)
                    .map(|(_, model)| *model)
                    .collect();
                for model in models {
                    if let Some(loaded) = self.networks.loaded.remove(&(id.clone(), model)) {
                        self.networks.loaded.insert((new.clone(), model), loaded);
                    }
                }
                self.remember_choice();
                self.list_styles();
            }
            Err(error) => {
                let before = self.title_of(&id).to_owned();
                let why = self.why_not_named(&name, &error);
                let naming = Naming::refused(NameFor::Style(id), before, name, why);
                self.put_question(Question::Name(naming));
            }
        }
    }

    /// The reason why a style cannot have this name, as text. The name may belong to a removed style, which is not
    /// shown.
    pub(super) fn why_not_named(&self, name: &str, error: &str) -> String {
        let why = remark(error);
        if self.gallery.has_hidden(name) {
            format!("{why}; it was removed, but Undo restores it")
        } else {
            why
        }
    }

    /// Removes a style from the gallery as an undo step; a message also offers to undo it. There is no confirmation,
    /// because undo also restores the painting.
    pub(super) fn remove_style(&mut self, id: &str) {
        let Some(card) = self.own_card(id, "removed") else {
            return;
        };
        self.end_change();
        self.forget_undone();
        let cards = self.gallery.cards();
        let place = cards.iter().position(|other| other.id == card.id);
        // The style below it, or above it if it is the last one.
        let beside =
            place.and_then(|at| cards.get(at + 1).or_else(|| cards.get(at.checked_sub(1)?)));
        let beside = beside.map(|card| card.id.clone());
        self.gallery.hide(&card.id);
        let chosen = |choice: &Choice| (choice.style.clone(), choice.mix.clone());
        // Neither page may keep a removed style.
        let both = self.workspace.choices_mut().map(|(page, choice)| {
            let before = chosen(choice);
            choice.mix.retain(|other| other != id);
            if choice.style.as_deref() == Some(id) {
                choice.style.clone_from(&beside);
                choice.mix = Mix::default();
            }
            (page, [before, chosen(choice)])
        });
        let removed = ListChange::Removed { changed: card.changed, chosen: both.collect() };
        self.note_list_step(card.id.clone(), removed);
        self.remember_choice();
        self.follow_choice();
        let offer = Offer { label: "Undo", intent: Intent::BringBack(card.id), otherwise: None };
        self.messages.offer(format!("“{}” was removed.", card.title), offer);
    }

    /// Moves a style in the list, as an undo step.
    pub(super) fn move_style(&mut self, id: &str, to: &Move) {
        self.end_change();
        if let Some(places) = self.gallery.shift(id, to) {
            self.forget_undone();
            self.note_list_step(id.to_owned(), ListChange::Moved(places));
        }
    }

    fn note_list_step(&mut self, id: String, change: ListChange) {
        self.list_steps.push(ListStep {
            id,
            change,
            page: self.workspace.page(),
            depth: self.workspace.history.depth(),
        });
    }

    /// Clears the redo steps because the list of styles was changed.
    fn forget_undone(&mut self) {
        self.workspace.history.forget_future();
        self.undone_moves.clear();
    }

    /// Undoes the newest change of the list if it is the last undo step of the current page, or if that page has no
    /// other undo steps; otherwise returns `false`.
    pub(super) fn undo_list_step(&mut self) -> bool {
        loop {
            let table = &self.workspace;
            let (page, depth) = (table.page(), table.history.depth());
            let is_last =
                |step: &ListStep| (step.page == page && step.depth >= depth) || !table.can_undo();
            let Some(at) = self.list_steps.iter().rposition(is_last) else {
                return false;
            };
            let step = &self.list_steps[at];
            if let ListChange::Removed { .. } = step.change {
                let id = step.id.clone();
                let offered = Intent::BringBack(id.clone());
                self.messages.withdraw(|intent| *intent == offered);
                self.bring_back(&id);
                return true;
            }
            let step = self.list_steps.remove(at);
            if self.put_back(&step, 0) {
                self.undone_moves.push(step);
                return true;
            }
        }
    }

    /// Redoes the move that was last undone if it is the next redo step of the current page, or if that page has no
    /// other redo steps; otherwise returns `false`.
    pub(super) fn redo_move(&mut self) -> bool {
        let table = &self.workspace;
        let (page, depth, is_alone) = (table.page(), table.history.depth(), !table.can_redo());
        let is_next = |step: &mut ListStep| (step.page == page && step.depth <= depth) || is_alone;
        while let Some(step) = self.undone_moves.pop_if(is_next) {
            if self.put_back(&step, 1) {
                self.list_steps.push(step);
                return true;
            }
        }
        false
    }

    /// Moves a style to its position before (0) or after (1) its move. Returns `false` if it is already there or no
    /// longer exists.
    fn put_back(&mut self, step: &ListStep, which: usize) -> bool {
        match &step.change {
            ListChange::Moved(places) => {
                let to = Move::Before(places[which].clone());
                self.gallery.shift(&step.id, &to).is_some()
            }
            ListChange::Removed { .. } => false,
        }
    }

    /// Restores a removed style. Also restores the choice, unless the user has chosen something else in the meantime.
    pub(super) fn bring_back(&mut self, id: &str) {
        let is_removal = |step: &mut ListStep| {
            step.id == id && matches!(step.change, ListChange::Removed { .. })
        };
        let removal = self.list_steps.extract_if(.., is_removal).next();
        let Some(ListChange::Removed { chosen, .. }) = removal.map(|step| step.change) else {
            return;
        };
        self.gallery.unhide(id);
        for (page, choice) in self.workspace.choices_mut() {
            let of_page = chosen.iter().find(|(of, _)| *of == page);
            if let Some((_, [before, (style, mix)])) = of_page
                && (&choice.style, &choice.mix) == (style, mix)
            {
                (choice.style, choice.mix) = before.clone();
            }
        }
        self.remember_choice();
        self.follow_choice();
    }

    /// Restores the removed styles of the choice, because an undo step has returned to them.
    pub(super) fn bring_back_chosen(&mut self) {
        let choice = &self.workspace.choice;
        let mixed = choice.mix.others.iter().map(|(style, _)| style);
        let chosen: Vec<String> = choice.style.iter().chain(mixed).cloned().collect();
        for id in chosen {
            self.bring_back(&id);
        }
    }

    /// Deletes the files of all removed styles, because the program ends, and discards their positions and keys.
    pub(super) fn end_removals(&mut self) {
        for step in std::mem::take(&mut self.list_steps) {
            if let ListChange::Removed { changed, .. } = step.change {
                self.gallery.forget(&step.id);
                let styles = self.style_source.clone();
                let remove = move || {
                    // Do not delete a different style that now has the same id.
                    let is_it = |card: &Card| card.id == step.id && card.changed == changed;
                    if styles.cards().0.iter().any(is_it) {
                        styles.remove(&step.id)
                    } else {
                        Ok(())
                    }
                };
                self.tasks.spawn_writing(remove, Self::report_failure);
            }
        }
        if self.remember_order() {
            self.settings_file.changed_at.get_or_insert_default();
        }
    }

    /// Shows the file of a style in the desktop's file manager.
    pub(super) fn show_file(&mut self, id: &str) {
        let own: Option<PathBuf> = self.gallery.card(id).and_then(|card| card.own.clone());
        if let Some(path) = own {
            self.show_in_folder(path);
        }
    }

    /// Removes styles from the choice that are not in the gallery.
    pub(super) fn forget_absent(&mut self) {
        let gallery = &self.gallery;
        if !gallery.is_listed() {
            return;
        }
        let card = |id: &str| gallery.card(id);
        let choice = &mut self.workspace.choice;
        choice.style.take_if(|id| card(id).is_none());
        let chosen = choice.style.as_deref().and_then(card);
        choice.mix.retain(|id| {
            let both = chosen.zip(card(id));
            both.is_some_and(|(chosen, card)| chosen.why_not_mixed(card).is_none())
        });
    }

    /// Handles a new list of styles.
    fn handle_styles(&mut self, cards: Vec<Card>, problems: &[String]) {
        let changed = self.gallery.set_cards(&self.ctx, cards);
        // The removed style is gone; a different one may now have its name.
        let gallery = &self.gallery;
        let is_moved = |step: &ListStep| matches!(step.change, ListChange::Moved(_));
        self.list_steps.retain(|step| is_moved(step) || gallery.hidden(&step.id).is_some());
        self.networks.loaded.retain(|(style, _), _| !changed.contains(style));
        self.networks.mixed.forget(|style| changed.contains(style));
        if self.gallery.note_problems(problems) {
            match problems {
                [] => {}
                [one] => self.messages.notice(format!("A style was skipped. {one}")),
                [first, ..] => self
                    .messages
                    .notice(format!("{} styles were skipped. The first: {first}", problems.len())),
            }
        }
        self.forget_absent();
        self.networks.failed.clear();
        self.choose_first_style();
        let arrived = self.added_style.take();
        match arrived.filter(|id| self.gallery.card(id).is_some()) {
            Some(id) => {
                let offer = Offer {
                    label: "Rename…",
                    intent: Intent::AskName(id.clone()),
                    otherwise: None,
                };
                let text = format!("“{}” was added to the styles.", self.title_of(&id));
                self.messages.offer(text, offer);
                self.intents.push(Intent::PickStyle(id));
            }
            None => self.follow_choice(),
        }
    }
}

impl ListStep {
    /// Notes that a style has a new id.
    fn rename(&mut self, old: &str, new: &str) {
        match &mut self.change {
            ListChange::Removed { chosen, .. } => {
                for (style, mix) in chosen.iter_mut().flat_map(|(_, both)| both) {
                    rename_in(style, mix, old, new);
                }
            }
            ListChange::Moved(places) => {
                let ids = places.iter_mut().flatten().chain([&mut self.id]);
                for id in ids.filter(|id| *id == old) {
                    new.clone_into(id);
                }
            }
        }
    }
}
