//! Performs the user's intents: they change the window's state and start work.

use eframe::egui::{Theme, ViewportCommand};

use crate::{
    app::{App, Shell},
    choice::{BRUSHES_PX, Choice, DEFAULT_BRUSH, NetworkOf, finest_brush},
    intent::Intent,
    jobs::batch::Batch,
    pages::{
        live::{LivePage, LiveView},
        photo::{
            PhotoPage, crop::Cropping, incoming::PictureUse, opened::Origin, paintings::FileList,
        },
    },
    shell::{
        overlays::Overlay,
        platform::{Dialog, Platform},
        shortcuts,
    },
    styles::{mix::Mix, source::Card},
    widgets::{stage::ViewStep, theme},
    workspace::Step,
};
use engine::{
    capture::{CameraId, Source},
    live::LiveSize,
};
use settings::{Choices, LiveChoices, ThemeChoice};
use values::mode::ModelSize;

impl App {
    /// Performs the intent of a key.
    pub(super) fn press(&mut self, intent: Intent) {
        self.live.end_first_start(&mut self.shell);
        let only_live = shortcuts::live_only(&intent).filter(|_| self.live.view.is_none());
        if let Some(does) = only_live {
            // The key has no effect on a photo; say why.
            let key = if self.film.view.is_some() { "Shift+L" } else { "L" };
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
            self.perform(Intent::ToggleFullScreen);
        } else if self.live.view.is_some() && self.shell.engine.measuring_progress().is_some() {
            self.perform(Intent::ToggleMeasuring);
        } else if let Some(intent) = self.live.view.as_ref().and_then(LiveView::to_close) {
            self.perform(intent);
        } else if self.live.view.is_none() && self.photo.close_painting(&mut self.shell) {
            // The photo is shown again.
        } else if self.live.view.is_none() && self.photo.cropping.take().is_some() {
            // The photo is unchanged.
        } else if self.shell.controls_narrow_styles() {
            self.shell.window.controls_open = false;
        } else if self.photo.painting.request.is_some() {
            self.photo.stop_painting(&mut self.shell);
        } else if let Some(batch) = &self.jobs.batch {
            self.perform(batch.stop());
        } else {
            self.shell.messages.dismiss_newest();
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
        if self.photo.perform_on_viewed(&mut self.shell, &intent) {
            return;
        }
        use Intent::*;

        let is_live = self.live.view.is_some();
        match intent {
            AskOpen => self.shell.ask(Dialog::Open, |app, path| {
                app.photo.sort(&mut app.shell, vec![path], PictureUse::Photo)
            }),
            AskFolder => self.shell.ask(Dialog::Folder, |app, path| {
                app.photo.sort(&mut app.shell, vec![path], PictureUse::Photo)
            }),
            AskStyle => self.shell.ask(Dialog::Style, |app, path| app.shell.import(path)),
            AskTargetFolder => self.shell.ask(Dialog::TargetFolder, |app, path| {
                if let Some(batch) = &mut app.jobs.batch {
                    batch.target = path;
                }
            }),
            AskSnapshotFolder => self.shell.ask(Dialog::SnapshotFolder, |app, path| {
                app.shell.settings.choices.snapshot_folder = Some(path);
                app.shell.settings_changed();
            }),
            OpenFiles(files) => self.photo.sort(&mut self.shell, files, PictureUse::Photo),
            OpenRecent(path) => self.photo.open_recent(&mut self.shell, path),
            SeeRecents => self.photo.make_small_picture(&mut self.shell, FileList::Recent),
            ClearRecents => self.photo.clear_files(&mut self.shell, FileList::Recent),
            OpenSample => self.photo.open(&mut self.shell, Origin::Sample),
            Paste => self.photo.paste(&mut self.shell),
            PreferStyle(path) => self.prefer_style(path),
            UseAsStyle(path) => self.shell.import(path),
            PickStyle(id) => self.edit(|choice| {
                // A mix has its own tile.
                if choice.style() != Some(id.as_str()) || !choice.parts().is_empty() {
                    choice.mix = Mix::of(Some(id));
                }
            }),
            PickKey(place) => self.pick(self.shell.styles.gallery.cards.get(place).cloned()),
            // A mix is before all styles.
            StepStyle(by) => {
                self.pick(
                    self.shell
                        .styles
                        .gallery
                        .neighbour(self.shell.chosen_style().as_deref(), by)
                        .cloned(),
                );
            }
            AskMixName => self.shell.ask_mix_name(),
            DropMix => self.edit(|choice| {
                choice.mix = Mix::of(choice.style().map(str::to_owned));
            }),
            AskName(id) => self.shell.ask_name(&id),
            RemoveStyle(id) => self.remove_style(&id),
            MoveStyle(id, to) => self.shell.move_style(&id, &to),
            // Applies to the visible painting, not to the chosen style.
            RemoveChosen if self.photo.shows_painting(&self.shell) => {
                if let Some(path) =
                    self.photo.paintings.viewed.as_ref().map(|viewed| viewed.path.clone())
                {
                    self.photo.forget_file(&mut self.shell, FileList::Paintings, &path);
                }
            }
            RenameChosen => match self.shell.chosen_style() {
                Some(style) => self.shell.ask_name(&style),
                None => self.shell.ask_mix_name(),
            },
            RemoveChosen => match self.shell.chosen_style() {
                Some(style) => self.remove_style(&style),
                None => self.perform(DropMix),
            },
            MoveChosen(to) => match self.shell.chosen_style() {
                Some(style) => self.shell.move_style(&style, &to),
                None if self.shell.workspace.choice.style().is_some() => {
                    self.shell.messages.notice("Save the mix to move it in the list.");
                }
                None => {}
            },
            BringBack(id) => {
                self.bring_back(&id);
            }
            ShowInFolder(path) => self.shell.ask_desktop(move |desktop| desktop.show(&path)),
            Play(path) => self.shell.ask_desktop(move |desktop| desktop.play(&path)),
            CopyFile(path) => self.shell.copy_file(path),
            ShowPainting(path) => self.photo.show_painting(&mut self.shell, path),
            ClosePainting => {
                self.photo.close_painting(&mut self.shell);
            }
            ForgetPainting(path) => {
                self.photo.forget_file(&mut self.shell, FileList::Paintings, &path)
            }
            ClearPaintings => self.photo.clear_files(&mut self.shell, FileList::Paintings),
            ToggleStrip => self.photo.toggle_strip(&mut self.shell),
            Edit(new) => self.edit(|choice| *choice = new),
            UsualDetail => self.edit(|choice| choice.brush = DEFAULT_BRUSH),
            StepDetail(by) if is_live => self.live.step_live_detail(&mut self.shell, by),
            StepDetail(by) => {
                let finest =
                    self.shell.workspace.photo_size().map_or(0, |(w, h)| finest_brush(w.max(h)));
                let last = BRUSHES_PX.len() - 1;
                self.edit(|choice| {
                    let place = choice.brush.clamp(finest, last);
                    let next = place.saturating_add_signed(-by).clamp(finest, last);
                    // A key that changes nothing must not set the brush for later photos either.
                    if next != place {
                        choice.brush = next;
                    }
                });
            }
            StepStrength(by) => self.edit(|choice| {
                let strength = &mut choice.look.strength_percent;
                *strength = (i16::from(*strength) + by).clamp(0, 100) as u8;
            }),
            ToggleColors => self.edit(|choice| choice.look.keep_colors ^= true),
            ToggleModel if is_live => {
                // Photos have a separate choice.
                let other = other(self.shell.live_model());
                if self.shell.model_of_style(other) == other {
                    self.live.edit_live(&mut self.shell, |choices| choices.model = Some(other));
                } else {
                    self.shell
                        .messages
                        .notice(format!("This style's {other} model is not installed."));
                }
            }
            ToggleModel => {
                let other = other(self.shell.model());
                self.edit(|choice| choice.model = other);
            }
            // A crop in progress has its own undo steps; those of the photo wait until it ends.
            Undo | Redo if self.photo.seen_crop(&self.shell).is_some() => {
                if let Some(cropping) = &mut self.photo.cropping {
                    cropping.step(intent == Undo);
                }
            }
            ExportFilm => self.export_film(),
            Film(step) if self.photo.shows_film(&self.shell) => {
                self.film.step_film(&mut self.shell, &mut self.photo, step)
            }
            Film(_) => {}
            Undo => self.revert_step(true),
            Redo => self.revert_step(false),
            Look(compare) => match &mut self.live.view {
                Some(live) => live.look(compare),
                None => self.photo.stage.compare = compare,
            },
            StepView(ViewStep::Wipe(by)) if self.photo.shows_painting(&self.shell) => {
                self.photo.step_painting(&mut self.shell, if by < 0.0 { -1 } else { 1 });
            }
            StepView(step) => match (&mut self.live.view, &mut self.photo.paintings.viewed) {
                (Some(live), _) => live.step(step),
                (None, Some(viewed)) => viewed.stage.step(step),
                (None, None) => self.photo.stage.step(step),
            },
            HoldOrCompare if is_live => self.perform(ToggleFreeze),
            HoldOrCompare => self.photo.stage.step(ViewStep::NextCompare),
            Cancel => self.photo.stop_painting(&mut self.shell),
            // Save what is on screen, not a painting that live mode hides.
            Save | Snapshot if is_live => self.live.snapshot(&mut self.shell),
            Save => self.photo.ask_target(&mut self.shell, None),
            Copy => self.copy_painting(),
            ToggleCrop => self.photo.toggle_crop(&mut self.shell),
            ApplyCrop => {
                if let Some(cropping) = self.photo.cropping.take() {
                    self.edit(|choice| choice.framing = cropping.framing());
                }
            }
            AskContactSheet => self.jobs.ask_contact_sheet(&mut self.shell),
            SetChoices(choices) => self.set_choices(*choices),
            ToggleFill => {
                self.shell.settings.choices.full_screen_fills =
                    !self.shell.settings.choices.full_screen_fills;
                self.frame_pictures();
                self.shell.settings_changed();
            }
            ToggleTheme => {
                // Every press changes the visible theme, even if it comes from the desktop.
                let theme = match self.shell.ctx.theme() {
                    Theme::Dark => ThemeChoice::Light,
                    Theme::Light => ThemeChoice::Dark,
                };
                self.set_choices(Choices { theme, ..self.shell.settings.choices.clone() });
            }
            ToggleControls => self.shell.window.controls_open = !self.shell.window.controls_open,
            ToggleShortcuts => self.shell.overlays.toggle(Overlay::Shortcuts(String::new())),
            ToggleAbout => self.shell.overlays.toggle(Overlay::About),
            ShowLicences => {
                let text = (self.licences)().unwrap_or_else(|problem| problem);
                let lines = text.lines().map(str::to_owned).collect();
                self.shell.overlays.show(Overlay::Licences(lines));
            }
            CloseOverlay => self.shell.close_overlay(),
            Answer(button) => self.answer(button),
            Dismiss(number) => self.shell.messages.dismiss(number),
            StartBatch => self.jobs.confirm_batch(&mut self.shell),
            StopBatch => self.jobs.stop_batch(&mut self.shell),
            PauseBatch(pause) => self.jobs.pause_batch(&mut self.shell, pause),
            ReplaceSkipped => self.jobs.batch = self.jobs.batch.as_ref().map(Batch::of_skipped),
            CloseBatch => self.jobs.batch = None,
            TakeReading(format) => self.shell.take_reading(format),
            TurnPage if is_live => self.leave_live(),
            LeaveLive => self.leave_live(),
            TurnPage | EnterLive => self.enter_live(),
            UseSource(source) => self.use_source(source),
            AskVideo => {
                self.shell.ask(Dialog::Video, |app, path| app.use_source(Source::Video(path)))
            }
            UseCamera => self.use_source(Source::Camera(CameraId::first())),
            ReleaseCamera => {
                if self.live.view.as_ref().is_some_and(LiveView::uses_camera) {
                    self.use_source(Source::Demo);
                    self.shell.messages.notice("The camera is off.");
                }
            }
            ListCameras => self.shell.list_cameras(false),
            LookForCamera => {
                self.live.cameras = None;
                self.shell.list_cameras(true);
            }
            TryMicrophone => self.live.try_microphone(&self.shell),
            TryCodec(codec) => self.live.try_codec(&self.shell, codec),
            SetLive(new) => self.live.edit_live(&mut self.shell, |choices| *choices = *new),
            LiveDetail(px) => self
                .live
                .edit_live(&mut self.shell, |choices| choices.size = LiveSize::LongSide(px)),
            HideHint => self.shell.hide_hint(),
            ToggleFullScreen => self.toggle_full_screen(),
            Export { bytes: Err(why), .. } => self.shell.messages.error(why),
            Export { file_name, bytes: Ok(bytes) } => self.shell.ask_export(file_name, bytes),
            Exports(action) => self.jobs.act_on_exports(&mut self.shell, action),
            ToggleMeasuring => self.live.toggle_measuring(&mut self.shell),
            LeaveAsSeen(stays) => self.live.leave_as_seen(&mut self.shell, stays),
            SaveAsSeen(seen) => self.live.save_seen(&mut self.shell, seen),
            ToggleRecording => self.live.toggle_recording(&mut self.shell),
            ToggleCameraOut => self.live.toggle_camera_out(&mut self.shell),
            ToggleCompare | ToggleLab => {
                // Otherwise the user could neither see the progress of the measurement nor stop it.
                self.live.stop_measuring(&mut self.shell);
                self.live.change_view(&mut self.shell, &intent);
            }
            Snapshot | ToggleFreeze | ToggleDifference | TogglePreviews => {
                self.live.change_view(&mut self.shell, &intent)
            }
            Escape => self.escape(),
            // Handled elsewhere: the picture follows the state of the key.
            ShowOriginal => {}
            Quit => self.shell.ctx.send_viewport_cmd(ViewportCommand::Close),
            Restart => {
                self.shell.ending.restarts = true;
                self.close();
            }
        }
    }

    fn pick(&mut self, card: Option<Card>) {
        if let Some(card) = card {
            self.perform(Intent::PickStyle(card.id));
        }
    }

    /// Changes the choice, and follows it. All steps of one drag are undone together.
    fn edit(&mut self, change: impl FnOnce(&mut Choice)) {
        let before = self.shell.workspace.choice.clone();
        change(&mut self.shell.workspace.choice);
        if self.shell.workspace.choice != before {
            if self.shell.workspace.choice.brush == DEFAULT_BRUSH {
                self.shell.messages.withdraw(|offered| *offered == Intent::UsualDetail);
            }
            self.shell.begin_change(Step::Choice(Box::new(before)));
        }
        self.photo.follow_choice(&mut self.shell);
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

impl PhotoPage {
    /// Shows the rectangle for cropping over the photo, or removes it.
    fn toggle_crop(&mut self, shell: &mut Shell) {
        if self.cropping.take().is_none()
            && let Some(photo) = shell.workspace.photo()
        {
            let framing = shell.workspace.choice.framing;
            self.cropping = Some(Cropping::new(&shell.ctx, &photo.opened.whole(), framing));
        }
    }

    /// The crop in progress, while it is shown.
    pub(super) fn seen_crop(&self, shell: &Shell) -> Option<&Cropping> {
        let is_hidden = shell.workspace.is_live() || self.paintings.viewed.is_some();
        self.cropping.as_ref().filter(|_| !is_hidden)
    }
}

impl Shell {
    /// Asks the desktop to do something in the background, and shows why it fails.
    pub(super) fn ask_desktop(
        &self,
        work: impl FnOnce(&dyn Platform) -> Result<(), String> + Send + 'static,
    ) {
        let platform = self.platform.clone();
        self.run(move || work(&*platform), |_, ()| {});
    }

    /// The time of the frame, by egui's clock.
    pub(super) fn now(&self) -> f64 {
        self.ctx.input(|i| i.time)
    }

    /// Runs work in the background, then `done` with its result. Shows why the work fails.
    pub(super) fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, String> + Send + 'static,
        done: impl FnOnce(&mut App, T) + Send + 'static,
    ) {
        self.tasks.spawn(work, |app, result| match result {
            Ok(value) => done(app, value),
            Err(error) => app.shell.messages.error(error),
        });
    }

    /// Reduces motion if the user or, without a choice, the desktop wants it.
    pub(super) fn follow_motion(&self) {
        let (platform, chosen) = (self.platform.clone(), self.settings.choices.reduce_motion);
        self.tasks.spawn(
            move || Ok(chosen.unwrap_or_else(|| platform.reduces_motion())),
            |app, reduces| {
                let chosen = app.shell.settings.choices.reduce_motion;
                theme::reduce_motion(&app.shell.ctx, chosen.unwrap_or(reduces == Ok(true)));
            },
        );
    }

    /// The style that paints alone; `None` for a mix.
    pub(super) fn chosen_style(&self) -> Option<String> {
        match self.workspace.choice.network(ModelSize::Full)? {
            NetworkOf::Style(id, _) => Some(id),
            NetworkOf::Mix(_) => None,
        }
    }
}

impl LivePage {
    /// Changes the stored choices of live mode. All steps of one drag are undone together.
    pub(crate) fn edit_live(&mut self, shell: &mut Shell, change: impl FnOnce(&mut LiveChoices)) {
        let mut choices = Box::new(shell.settings.live.clone());
        change(&mut choices);
        let before = self.set_live(shell, choices);
        shell.begin_change(Step::Live(before));
    }
}

fn other(model: ModelSize) -> ModelSize {
    match model {
        ModelSize::Full => ModelSize::Lite,
        ModelSize::Lite => ModelSize::Full,
    }
}
