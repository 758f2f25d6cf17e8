//! Keys become a person's and intents change the window's state and start work.

use std::path::PathBuf;

use eframe::egui::{self, ViewportCommand};

use super::{
    app::App,
    arrivals::PictureUse,
    choice::{BRUSHES_PX, Choice, DEFAULT_BRUSH, finest_brush},
    file_list::FileList,
    intent::Intent,
    licences::Licences,
    live::LiveView,
    mix::Mix,
    opened::Origin,
    overlays::Overlay,
    platform::{Dialog, Purpose},
    shortcuts::{self, Press},
    stage::ViewStep,
    theme,
};
use crate::{mode::ModelSize, settings::ThemeChoice};

impl App {
    /// Turns a key press into an intent, or changes the view.
    pub(super) fn press(&mut self, press: Press) {
        let mut choice = self.workspace.choice.clone();
        match press {
            Press::App(intent) => {
                self.intents.push(intent);
                return;
            }
            Press::View(ViewStep::Wipe(by)) if self.shows_painting() => {
                self.step_painting(if by < 0.0 { -1 } else { 1 });
                return;
            }
            Press::View(step) => {
                match (&mut self.live, self.paintings.viewed_mut()) {
                    (Some(live), _) => live.step(step),
                    (None, Some(viewed)) => viewed.stage.step(step),
                    (None, None) => self.stage.step(step),
                }
                return;
            }
            Press::Space => {
                if self.live.is_some() {
                    self.intents.push(Intent::ToggleFreeze);
                } else {
                    self.stage.step(ViewStep::NextCompare);
                }
                return;
            }
            Press::Fill => {
                let fills = self.settings.choices.full_screen_fills;
                self.intents.push(Intent::FillScreen(!fills));
                return;
            }
            // Nothing happens once: the picture follows the key.
            Press::Original => return,
            Press::Live(intent) if self.live.is_some() || intent == Intent::ToggleFullScreen => {
                self.intents.push(intent);
                return;
            }
            Press::Live(_) => {
                // It does nothing to a photo, and says why.
                if let Some(does) = shortcuts::does(&self.shortcuts, &press) {
                    let text = format!("“{does}” is for live pictures; L leads to them.");
                    self.messages.notice(text);
                }
                return;
            }
            Press::LiveOrPhoto => {
                self.intents.push(match self.live {
                    Some(_) => Intent::LeaveLive,
                    None => Intent::EnterLive,
                });
                return;
            }
            Press::Style(key) => {
                if let Some(card) = self.gallery.cards().iter().find(|c| c.key == Some(key)) {
                    self.intents.push(Intent::PickStyle(card.id.clone()));
                }
                return;
            }
            Press::RemoveStyle if self.shows_painting() => {
                // What is seen is meant, not the style beside it.
                let viewed = self.paintings.viewed().map(|v| v.path.clone());
                self.intents.extend(viewed.map(Intent::ForgetPainting));
                return;
            }
            // What paints is the mix and no style of the list.
            Press::RenameStyle if !self.mixed_parts().is_empty() => {
                self.intents.push(Intent::AskMixName);
                return;
            }
            Press::RemoveStyle if !self.mixed_parts().is_empty() => {
                self.intents.push(Intent::DropMix);
                return;
            }
            Press::MoveStyle(_) if !self.mixed_parts().is_empty() => {
                let why = "A mix that is not kept stays first; once it is kept, it is moved.";
                self.messages.notice(why);
                return;
            }
            Press::RenameStyle | Press::RemoveStyle | Press::MoveStyle(_) => {
                let intent = |id| match press {
                    Press::RenameStyle => Intent::AskName(id),
                    Press::MoveStyle(to) => Intent::MoveStyle(id, to),
                    _ => Intent::RemoveStyle(id),
                };
                let chosen = self.workspace.choice.style.clone();
                self.intents.extend(chosen.map(intent));
                return;
            }
            Press::Theme => {
                // Every press changes the theme that is seen, also from the desktop's own.
                let next = match self.ctx.theme() {
                    egui::Theme::Dark => ThemeChoice::Light,
                    egui::Theme::Light => ThemeChoice::Dark,
                };
                self.intents.push(Intent::SetTheme(next));
                return;
            }
            Press::Escape => {
                self.escape();
                return;
            }
            Press::Detail(by) if self.live.is_some() => {
                self.step_live_detail(by);
                return;
            }
            Press::Detail(by) => {
                let finest = self.workspace.photo_size().map_or(0, |(w, h)| finest_brush(w.max(h)));
                let last = BRUSHES_PX.len() - 1;
                let place = choice.brush.clamp(finest, last);
                let next = place.saturating_add_signed(-by).clamp(finest, last);
                // A key that changes nothing chooses nothing for later photos either.
                if next != place {
                    choice.brush = next;
                }
            }
            Press::Strength(by) => {
                let strength = &mut choice.look.strength_percent;
                *strength = (i16::from(*strength) + by).clamp(0, 100) as u8;
            }
            Press::KeepColors => choice.look.keep_colors = !choice.look.keep_colors,
            Press::Model if self.live.is_some() => {
                // Photos have a choice of their own.
                let mut choices = self.settings.live.clone();
                let other = match self.live_model() {
                    ModelSize::Full => ModelSize::Lite,
                    ModelSize::Lite => ModelSize::Full,
                };
                if self.model_of_style(other) != other {
                    let why = format!("This style's {other} model is not installed.");
                    self.messages.notice(why);
                    return;
                }
                choices.model = Some(other);
                let intent = Intent::SetLive(Box::new(choices));
                self.intents.push(intent);
                return;
            }
            Press::Model => {
                choice.model = match self.model() {
                    ModelSize::Full => ModelSize::Lite,
                    ModelSize::Lite => ModelSize::Full,
                };
            }
        }
        self.intents.push(Intent::Edit(choice));
    }

    /// Shows the original as long as its key is held.
    pub(super) fn follow_original(&mut self) {
        let before = self.stage.shows_original;
        let shows = shortcuts::holds_original(&self.ctx, before, self.has_dialog());
        self.stage.shows_original = shows;
        if let Some(live) = &mut self.live {
            live.show_original(&self.ctx, shows);
        }
    }

    /// Closes what is open, else stops painting, else takes a message away.
    fn escape(&mut self) {
        if self.overlays.is_open() {
            self.close_overlay();
        } else if self.has_dialog() {
            self.intents.push(Intent::CloseReport);
        } else if self.full_screen.is_on() {
            self.intents.push(Intent::ToggleFullScreen);
        } else if self.live.is_some() && self.engine.measuring_progress().is_some() {
            self.intents.push(Intent::ToggleMeasuring);
        } else if let Some(intent) = self.live.as_ref().and_then(LiveView::to_close) {
            self.intents.push(intent);
        } else if self.live.is_none() && self.close_painting() {
            // The photo is there again.
        } else if self.live.is_none() && self.cropping.take().is_some() {
            // The photo stays as it was.
        } else if self.controls_narrow_styles() {
            self.controls_open = false;
        } else if self.painting.request.is_some() {
            self.stop_painting();
        } else if self.sheets.is_running() {
            self.stop_contact_sheet();
        } else if let Some(batch) = &self.batch {
            self.intents.push(match batch.is_running() {
                true => Intent::StopBatch,
                false => Intent::CloseBatch,
            });
        } else {
            self.messages.dismiss_newest();
        }
    }

    /// Performs all intents.
    pub(super) fn perform_all(&mut self) {
        // Intents that arise while others are performed wait for the next frame, so that this loop ends.
        for intent in std::mem::take(&mut self.intents) {
            self.perform(intent);
        }
        if !self.intents.is_empty() {
            self.ctx.request_repaint();
        }
    }

    fn perform(&mut self, intent: Intent) {
        if self.meet_viewed(&intent) {
            return;
        }
        match intent {
            // A dialog that is open already stands in front of the person.
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
            Intent::UseAs(picture_use) => self.use_arrived(picture_use),
            Intent::PreferStyle(path) => self.prefer_style(path),
            Intent::ForgetBefore => self.forget_before(),
            Intent::PickStyle(id) => {
                let mut choice = self.workspace.choice.clone();
                // A mix has a tile of its own.
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
                // A mix stands in front of all styles.
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
            // A crop that is being chosen has steps of its own; those of the photo wait until it ends.
            Intent::Undo | Intent::Redo if self.seen_crop().is_some() => {
                if let Some(cropping) = self.seen_crop() {
                    cropping.step(intent == Intent::Undo);
                }
            }
            Intent::Undo => {
                self.end_change();
                // That a style was removed or moved is a step as any other.
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
            // What is on screen is saved, not a painting that live pictures hide.
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
                // This frame was begun in the colours before.
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
                self.gallery.forget_swatches();
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
            Intent::Quit => self.ctx.send_viewport_cmd(ViewportCommand::Close),
            Intent::Restart => {
                self.ending.restarts = true;
                self.close();
            }
            intent => self.perform_live(intent),
        }
    }

    /// Opens or closes a list; a question stays, since it has to be answered.
    fn toggle(&mut self, overlay: Overlay) {
        if !matches!(self.overlays.open(), Overlay::Question(_)) {
            self.overlays.toggle(overlay);
        }
    }

    /// Shows a dialog; `false` when another one is open.
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
            move |app: &mut Self, path| {
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

    /// Makes a choice the present one; [`App::finish_changes`] notes the step for undo.
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
