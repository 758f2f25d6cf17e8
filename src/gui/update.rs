//! Turns keys into the user's intents; intents change the window's state and start work.

use std::path::PathBuf;

use eframe::egui::{self, ViewportCommand};

use super::{
    app::App,
    choice::{BRUSHES_PX, Choice, DEFAULT_BRUSH, finest_brush},
    file_list::FileList,
    incoming::PictureUse,
    intent::Intent,
    licences::Licences,
    live::LiveView,
    mix::Mix,
    opened::Origin,
    overlays::Overlay,
    platform::{Dialog, Purpose},
    shortcuts,
    stage::ViewStep,
    theme,
};
use crate::{mode::ModelSize, settings::ThemeChoice};

impl App {
    /// Performs the intent of a key.
    pub(super) fn press(&mut self, intent: Intent) {
        let is_live_only = matches!(
            intent,
            Intent::ToggleCompare
                | Intent::ToggleDifference
                | Intent::TogglePreviews
                | Intent::ToggleLab
                | Intent::Snapshot
                | Intent::ToggleRecording
                | Intent::ReleaseCamera
        );
        if is_live_only && self.live.is_none() {
            // The key has no effect on a photo; say why.
            let mut lines = self.shortcuts.iter().flat_map(|group| &group.lines);
            if let Some(line) = lines.find(|line| line.binds(&intent)) {
                let text = format!("“{}” is only available in Live (L).", line.does);
                self.messages.notice(text);
            }
            return;
        }
        self.perform(intent);
        // Perform each press separately: the next one builds on what this one changed.
        self.perform_all();
    }

    /// Performs an intent that depends on what is shown or chosen.
    fn perform_on_chosen(&mut self, intent: Intent) {
        let is_mix = !self.mixed_parts().is_empty();
        let chosen = self.workspace.choice.style.clone();
        let mut choice = self.workspace.choice.clone();
        let performed = match intent {
            Intent::StepView(ViewStep::Wipe(by)) if self.shows_painting() => {
                return self.step_painting(if by < 0.0 { -1 } else { 1 });
            }
            Intent::StepView(step) => {
                return match (&mut self.live, self.paintings.viewed_mut()) {
                    (Some(live), _) => live.step(step),
                    (None, Some(viewed)) => viewed.stage.step(step),
                    (None, None) => self.stage.step(step),
                };
            }
            Intent::HoldOrCompare if self.live.is_some() => Some(Intent::ToggleFreeze),
            Intent::HoldOrCompare => return self.stage.step(ViewStep::NextCompare),
            Intent::ToggleFill => {
                Some(Intent::FillScreen(!self.settings.choices.full_screen_fills))
            }
            Intent::TurnPage if self.live.is_some() => Some(Intent::LeaveLive),
            Intent::TurnPage => Some(Intent::EnterLive),
            Intent::PickKey(key) => {
                let mut cards = self.gallery.cards().iter();
                cards.find(|c| c.key == Some(key)).map(|card| Intent::PickStyle(card.id.clone()))
            }
            // Applies to the visible painting, not to the chosen style.
            Intent::RemoveChosen if self.shows_painting() => {
                self.paintings.viewed().map(|v| Intent::ForgetPainting(v.path.clone()))
            }
            // The mix paints, not a style in the list.
            Intent::RenameChosen if is_mix => Some(Intent::AskMixName),
            Intent::RemoveChosen if is_mix => Some(Intent::DropMix),
            Intent::MoveChosen(_) if is_mix => {
                return self.messages.notice("Save the mix to move it in the list.");
            }
            Intent::RenameChosen => chosen.map(Intent::AskName),
            Intent::RemoveChosen => chosen.map(Intent::RemoveStyle),
            Intent::MoveChosen(to) => chosen.map(|id| Intent::MoveStyle(id, to)),
            // Every press changes the visible theme, even if it comes from the desktop.
            Intent::ToggleTheme => Some(Intent::SetTheme(match self.ctx.theme() {
                egui::Theme::Dark => ThemeChoice::Light,
                egui::Theme::Light => ThemeChoice::Dark,
            })),
            Intent::StepDetail(by) if self.live.is_some() => return self.step_live_detail(by),
            Intent::StepDetail(by) => {
                let finest = self.workspace.photo_size().map_or(0, |(w, h)| finest_brush(w.max(h)));
                let last = BRUSHES_PX.len() - 1;
                let place = choice.brush.clamp(finest, last);
                let next = place.saturating_add_signed(-by).clamp(finest, last);
                // A key that changes nothing must not set the brush for later photos either.
                if next != place {
                    choice.brush = next;
                }
                Some(Intent::Edit(choice))
            }
            Intent::StepStrength(by) => {
                let strength = &mut choice.look.strength_percent;
                *strength = (i16::from(*strength) + by).clamp(0, 100) as u8;
                Some(Intent::Edit(choice))
            }
            Intent::ToggleColors => {
                choice.look.keep_colors = !choice.look.keep_colors;
                Some(Intent::Edit(choice))
            }
            Intent::ToggleModel if self.live.is_some() => {
                // Photos have a separate choice.
                let mut choices = self.settings.live.clone();
                let other = other(self.live_model());
                if self.model_of_style(other) != other {
                    let why = format!("This style's {other} model is not installed.");
                    return self.messages.notice(why);
                }
                choices.model = Some(other);
                Some(Intent::SetLive(Box::new(choices)))
            }
            Intent::ToggleModel => {
                choice.model = other(self.model());
                Some(Intent::Edit(choice))
            }
            intent => return self.perform_live(intent),
        };
        if let Some(intent) = performed {
            self.perform(intent);
        }
    }

    /// Shows the original while its key is held down.
    pub(super) fn follow_original(&mut self) {
        let before = self.stage.shows_original;
        let shows = shortcuts::holds_original(&self.ctx, before, self.has_dialog());
        self.stage.shows_original = shows;
        if let Some(live) = &mut self.live {
            live.show_original(&self.ctx, shows);
        }
    }

    /// Closes what is open; otherwise stops painting; otherwise dismisses a message.
    fn escape(&mut self) {
        if self.overlays.is_open() {
            self.close_overlay();
        } else if self.has_dialog() {
            self.perform(Intent::CloseReport);
        } else if self.full_screen.is_on() {
            self.perform(Intent::ToggleFullScreen);
        } else if self.live.is_some() && self.engine.measuring_progress().is_some() {
            self.perform(Intent::ToggleMeasuring);
        } else if let Some(intent) = self.live.as_ref().and_then(LiveView::to_close) {
            self.perform(intent);
        } else if self.live.is_none() && self.close_painting() {
            // The photo is shown again.
        } else if self.live.is_none() && self.cropping.take().is_some() {
            // The photo is unchanged.
        } else if self.controls_narrow_styles() {
            self.controls_open = false;
        } else if self.painting.request.is_some() {
            self.stop_painting();
        } else if self.sheets.is_running() {
            self.stop_contact_sheet();
        } else if let Some(batch) = &self.batch {
            self.perform(if batch.is_running() { Intent::StopBatch } else { Intent::CloseBatch });
        } else {
            self.messages.dismiss_newest();
        }
    }

    /// Performs all intents.
    pub(super) fn perform_all(&mut self) {
        // Intents that arise during this loop wait for the next frame, so that the loop ends.
        for intent in std::mem::take(&mut self.intents) {
            self.perform(intent);
        }
        if !self.intents.is_empty() {
            self.ctx.request_repaint();
        }
    }

    pub(super) fn perform(&mut self, intent: Intent) {
        if self.meet_viewed(&intent) {
            return;
        }
        match intent {
            // If a dialog is already open, the user sees it.
            Intent::AskOpen => {
                self.ask(Purpose::Open, Dialog::Open);
            }
            Intent::AskFolder => {
                self.ask(Purpose::Folder, Dialog::Folder);
            }
            Intent::AskStyle => {
                self.ask(Purpose::Style, Dialog::Style);
            }
            Intent::AskTargetFolder => {
                self.ask(Purpose::TargetFolder, Dialog::TargetFolder);
            }
            Intent::OpenFiles(files) => self.sort(files, PictureUse::OneByOne),
            Intent::OpenRecent(path) => self.open_recent(path),
            Intent::SeeRecents => self.make_small_picture(FileList::Recent),
            Intent::ClearRecents => self.clear_files(FileList::Recent),
            Intent::OpenSample => self.open(Origin::Sample),
            Intent::Paste => self.paste(),
            Intent::UseAs(picture_use) => self.use_incoming(picture_use),
            Intent::PreferStyle(path) => self.prefer_style(path),
            Intent::ForgetBefore => self.forget_before(),
            Intent::PickStyle(id) => {
                let mut choice = self.workspace.choice.clone();
                // A mix has its own tile.
                if choice.style.as_ref() != Some(&id) || !choice.parts().is_empty() {
                    choice.mix = Mix::default();
                }
                choice.style = Some(id);
                self.edit(choice);
                self.follow_choice();
            }
            Intent::AskMixName => self.ask_mix_name(),
            Intent::DropMix => self.drop_mix(),
            Intent::AskName(id) => self.ask_name(&id),
            Intent::TakeName(name_for, name) => self.take_name(name_for, name),
            Intent::RemoveStyle(id) => self.remove_style(&id),
            Intent::BringBack(id) => self.bring_back(&id),
            Intent::ShowFile(id) => self.show_file(&id),
            Intent::ShowInFolder(path) => self.show_in_folder(path),
            Intent::Play(path) => {
                let platform = self.platform.clone();
                self.tasks.spawn(move || platform.play(&path), Self::report_failure);
            }
            Intent::CopyFile(path) => self.copy_file(path),
            Intent::ShowPainting(path) => self.show_painting(path),
            Intent::ClosePainting => {
                self.close_painting();
            }
            Intent::ForgetPainting(path) => self.forget_painting(&path),
            Intent::ClearPaintings => self.clear_paintings(),
            Intent::FoldPaintings(folds) => self.fold_paintings(folds),
            Intent::MoveStyle(id, to) => self.move_style(&id, &to),
            Intent::StepStyle(by) => {
                // A mix is before all styles.
                let is_mix = !self.mixed_parts().is_empty();
                let chosen = self.workspace.choice.style.as_deref();
                let chosen = chosen.filter(|_| !is_mix);
                if let Some(card) = self.gallery.neighbour(chosen, by) {
                    let id = card.id.clone();
                    self.perform(Intent::PickStyle(id));
                }
            }
            Intent::Edit(choice) => {
                self.edit(choice);
                self.follow_choice();
            }
            Intent::UsualDetail => {
                let mut choice = self.workspace.choice.clone();
                choice.brush = DEFAULT_BRUSH;
                self.edit(choice);
                self.follow_choice();
            }
            // A crop in progress has its own undo steps; those of the photo wait until it ends.
            Intent::Undo | Intent::Redo if self.seen_crop().is_some() => {
                if let Some(cropping) = &mut self.cropping {
                    cropping.step(intent == Intent::Undo);
                }
            }
            Intent::Undo => {
                self.end_change();
                // Removing and moving a style are ordinary undo steps.
                if !self.undo_list_step() && self.workspace.undo() {
                    self.went_through_history();
                }
            }
            Intent::Redo => {
                self.end_change();
                if !self.redo_move() && self.workspace.redo() {
                    self.went_through_history();
                }
            }
            Intent::Look(compare) => match &mut self.live {
                Some(live) => live.look(compare),
                None => self.stage.compare = compare,
            },
            Intent::Cancel => self.stop_painting(),
            // Save what is on screen, not a painting that live mode hides.
            Intent::Save if self.live.is_some() => self.perform_live(Intent::Snapshot),
            Intent::Save => self.ask_target(),
            Intent::ToggleCrop => self.toggle_crop(),
            Intent::ApplyCrop => self.apply_crop(),
            Intent::CancelCrop => self.cropping = None,
            Intent::AskContactSheet => self.ask_contact_sheet(),
            Intent::StopContactSheet => self.stop_contact_sheet(),
            Intent::Copy => self.copy_painting(),
            Intent::FillScreen(fills) => self.fill_screen(fills),
            Intent::SetTheme(choice) => {
                self.settings.choices.theme = choice;
                theme::apply(&self.ctx, choice);
                self.settings_changed();
                // The current frame was started with the previous colours.
                self.ctx.request_repaint();
            }
            Intent::SetFormat(format) => {
                self.settings.choices.format = Some(format);
                self.settings_changed();
            }
            Intent::SetJpegQuality(quality) => {
                self.settings.choices.jpeg_quality = quality.clamp(1, 100);
                self.settings_changed();
            }
            Intent::SetAskBeforeLosing(asks) => {
                self.settings.choices.ask_before_losing = asks;
                self.settings_changed();
            }
            Intent::SetStylesShowPhoto(shows) => {
                self.settings.choices.styles_show_photo = shows;
                self.gallery.forget_pictures();
                self.settings_changed();
            }
            Intent::ToggleControls => self.controls_open = !self.controls_open,
            Intent::ToggleShortcuts => self.toggle(Overlay::Shortcuts(String::new())),
            Intent::ToggleAbout => self.toggle(Overlay::About),
            Intent::ShowLicences => self.overlays.show(Overlay::Licences(Licences::unpacked())),
            Intent::CloseOverlay => self.close_overlay(),
            Intent::Dismiss(number) => self.messages.dismiss(number),
            Intent::TakeOffer(number) => {
                let offered = self.messages.take_offer(number);
                if let Some(intent) = offered {
                    self.perform(intent);
                }
            }
            Intent::ReplaceFile => self.replace_file(),
            Intent::ChooseOtherName => {
                self.overlays.close();
                self.ask_target();
            }
            Intent::SaveThenGoOn => {
                self.overlays.close();
                self.save.after_save = self.save.after_question.take();
                self.ask_target();
            }
            Intent::LoseResult => self.lose_result(),
            Intent::KeepResult => self.close_overlay(),
            Intent::SetBatchReplace(replace) => {
                if let Some(batch) = &mut self.batch {
                    batch.replace = replace;
                }
            }
            Intent::SetBatchStyles(several) => {
                if let Some(batch) = &mut self.batch {
                    batch.several = several;
                }
            }
            Intent::StartBatch => self.confirm_batch(),
            Intent::StopBatch => self.stop_batch(),
            Intent::StopBatchAndClose => {
                self.overlays.close();
                self.stop_batch();
                self.close();
            }
            Intent::StopRecordingAndClose => {
                self.overlays.close();
                self.end_recording();
                self.close();
            }
            Intent::TakeReading(format) => self.take_reading(format),
            Intent::TakePath(purpose, text) => self.take_path(purpose, &text),
            Intent::ReplaceSkipped => self.replace_skipped(),
            Intent::CloseBatch => {
                self.batch = None;
                self.batch_waits = false;
            }
            Intent::Escape => self.escape(),
            // Handled elsewhere: the picture follows the state of the key.
            Intent::ShowOriginal => {}
            Intent::Quit => self.ctx.send_viewport_cmd(ViewportCommand::Close),
            Intent::Restart => {
                self.ending.restarts = true;
                self.close();
            }
            intent => self.perform_on_chosen(intent),
        }
    }

    /// Opens or closes a list. A question stays open, because it must be answered.
    fn toggle(&mut self, overlay: Overlay) {
        if !matches!(self.overlays.open(), Overlay::Question(_)) {
            self.overlays.toggle(overlay);
        }
    }

    /// Shows a dialog; returns `false` if another one is open.
    pub(super) fn ask(&mut self, purpose: Purpose, dialog: Dialog) -> bool {
        if std::mem::replace(&mut self.dialog_open, true) {
            return false;
        }
        let state = &self.settings.state;
        let folder = match purpose {
            Purpose::Open | Purpose::Folder | Purpose::Style => state.open_folder.clone(),
            Purpose::Save | Purpose::TargetFolder | Purpose::Export | Purpose::ContactSheet => {
                state.save_folder.clone().or(state.open_folder.clone())
            }
        };
        let platform = self.platform.clone();
        self.tasks.spawn_dialog(
            move || platform.ask(&dialog, folder.as_deref()),
            move |app, path| {
                app.dialog_open = false;
                app.handle_dialog(purpose, path);
            },
        );
        true
    }

    /// Shows a file in the desktop's file manager.
    pub(super) fn show_in_folder(&self, path: PathBuf) {
        let platform = self.platform.clone();
        self.tasks.spawn(move || platform.show(&path), Self::report_failure);
    }

    /// Sets the choice; [`App::finish_changes`] adds the undo step.
    fn edit(&mut self, choice: Choice) {
        if choice == self.workspace.choice {
            return;
        }
        if choice.brush == DEFAULT_BRUSH {
            self.messages.withdraw(|offered| *offered == Intent::UsualDetail);
        }
        let before = std::mem::replace(&mut self.workspace.choice, choice);
        self.painting.before_change.get_or_insert(before);
    }

    fn went_through_history(&mut self) {
        self.bring_back_chosen();
        self.remember_choice();
        self.follow_choice();
    }
}

fn other(model: ModelSize) -> ModelSize {
    match model {
        ModelSize::Full => ModelSize::Lite,
        ModelSize::Lite => ModelSize::Full,
    }
}
