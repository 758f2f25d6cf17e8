//! Performs the user's intents: they change the window's state and start work.

use eframe::egui::{Theme, ViewportCommand};

use crate::{
    app::App,
    choice::{BRUSHES_PX, Choice, DEFAULT_BRUSH, NetworkOf, finest_brush},
    intent::Intent,
    jobs::batch::Batch,
    pages::{
        live::LiveView,
        photo::{crop::Cropping, incoming::PictureUse, opened::Origin, paintings::FileList},
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
        self.end_first_start();
        let only_live = shortcuts::live_only(&intent).filter(|_| self.live.is_none());
        if let Some(does) = only_live {
            // The key has no effect on a photo; say why.
            let key = if self.film.is_some() { "Shift+L" } else { "L" };
            self.messages.notice(format!("“{does}” is only available in Live ({key})."));
            return;
        }
        self.perform(intent);
        // Perform each press separately: the next one builds on what this one changed.
        self.perform_all();
    }

    /// Shows the original while its key is held down.
    pub(super) fn follow_original(&mut self) {
        let before = self.stage.shows_original;
        let shows = shortcuts::holds_original(&self.ctx, before, self.overlays.is_open());
        self.stage.shows_original = shows;
        if let Some(live) = &mut self.live {
            live.show_original(&self.ctx, shows);
        }
    }

    /// Closes what is open; otherwise stops painting; otherwise dismisses a message.
    fn escape(&mut self) {
        if self.overlays.is_open() {
            self.close_overlay();
        } else if self.full_screen.is_on {
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
            self.window.controls_open = false;
        } else if self.painting.request.is_some() {
            self.stop_painting();
        } else if let Some(batch) = &self.batch {
            self.perform(batch.stop());
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
        if self.perform_on_viewed(&intent) {
            return;
        }
        use Intent::*;

        let is_live = self.live.is_some();
        match intent {
            AskOpen => self.ask(Dialog::Open, |app, path| app.sort(vec![path], PictureUse::Photo)),
            AskFolder => {
                self.ask(Dialog::Folder, |app, path| app.sort(vec![path], PictureUse::Photo))
            }
            AskStyle => self.ask(Dialog::Style, Self::import),
            AskTargetFolder => self.ask(Dialog::TargetFolder, |app, path| {
                if let Some(batch) = &mut app.batch {
                    batch.target = path;
                }
            }),
            AskSnapshotFolder => self.ask(Dialog::SnapshotFolder, |app, path| {
                app.settings.choices.snapshot_folder = Some(path);
                app.settings_changed();
            }),
            OpenFiles(files) => self.sort(files, PictureUse::Photo),
            OpenRecent(path) => self.open_recent(path),
            SeeRecents => self.make_small_picture(FileList::Recent),
            ClearRecents => self.clear_files(FileList::Recent),
            OpenSample => self.open(Origin::Sample),
            Paste => self.paste(),
            PreferStyle(path) => self.prefer_style(path),
            UseAsStyle(path) => self.import(path),
            PickStyle(id) => self.edit(|choice| {
                // A mix has its own tile.
                if choice.style() != Some(id.as_str()) || !choice.parts().is_empty() {
                    choice.mix = Mix::of(Some(id));
                }
            }),
            PickKey(place) => self.pick(self.gallery.cards.get(place).cloned()),
            // A mix is before all styles.
            StepStyle(by) => {
                self.pick(self.gallery.neighbour(self.chosen_style().as_deref(), by).cloned());
            }
            AskMixName => self.ask_mix_name(),
            DropMix => self.edit(|choice| {
                choice.mix = Mix::of(choice.style().map(str::to_owned));
            }),
            AskName(id) => self.ask_name(&id),
            RemoveStyle(id) => self.remove_style(&id),
            MoveStyle(id, to) => self.move_style(&id, &to),
            // Applies to the visible painting, not to the chosen style.
            RemoveChosen if self.shows_painting() => {
                if let Some(path) = self.paintings.viewed.as_ref().map(|viewed| viewed.path.clone())
                {
                    self.forget_file(FileList::Paintings, &path);
                }
            }
            RenameChosen => match self.chosen_style() {
                Some(style) => self.ask_name(&style),
                None => self.ask_mix_name(),
            },
            RemoveChosen => match self.chosen_style() {
                Some(style) => self.remove_style(&style),
                None => self.perform(DropMix),
            },
            MoveChosen(to) => match self.chosen_style() {
                Some(style) => self.move_style(&style, &to),
                None if self.workspace.choice.style().is_some() => {
                    self.messages.notice("Save the mix to move it in the list.");
                }
                None => {}
            },
            BringBack(id) => {
                self.bring_back(&id);
            }
            ShowInFolder(path) => self.ask_desktop(move |desktop| desktop.show(&path)),
            Play(path) => self.ask_desktop(move |desktop| desktop.play(&path)),
            CopyFile(path) => self.copy_file(path),
            ShowPainting(path) => self.show_painting(path),
            ClosePainting => {
                self.close_painting();
            }
            ForgetPainting(path) => self.forget_file(FileList::Paintings, &path),
            ClearPaintings => self.clear_files(FileList::Paintings),
            ToggleStrip => self.toggle_strip(),
            Edit(new) => self.edit(|choice| *choice = new),
            UsualDetail => self.edit(|choice| choice.brush = DEFAULT_BRUSH),
            StepDetail(by) if is_live => self.step_live_detail(by),
            StepDetail(by) => {
                let finest = self.workspace.photo_size().map_or(0, |(w, h)| finest_brush(w.max(h)));
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
                let other = other(self.live_model());
                if self.model_of_style(other) == other {
                    self.edit_live(|choices| choices.model = Some(other));
                } else {
                    self.messages.notice(format!("This style's {other} model is not installed."));
                }
            }
            ToggleModel => {
                let other = other(self.model());
                self.edit(|choice| choice.model = other);
            }
            // A crop in progress has its own undo steps; those of the photo wait until it ends.
            Undo | Redo if self.seen_crop().is_some() => {
                if let Some(cropping) = &mut self.cropping {
                    cropping.step(intent == Undo);
                }
            }
            ExportFilm => self.export_film(),
            Film(step) if self.shows_film() => self.step_film(step),
            Film(_) => {}
            Undo => self.revert_step(true),
            Redo => self.revert_step(false),
            Look(compare) => match &mut self.live {
                Some(live) => live.look(compare),
                None => self.stage.compare = compare,
            },
            StepView(ViewStep::Wipe(by)) if self.shows_painting() => {
                self.step_painting(if by < 0.0 { -1 } else { 1 });
            }
            StepView(step) => match (&mut self.live, &mut self.paintings.viewed) {
                (Some(live), _) => live.step(step),
                (None, Some(viewed)) => viewed.stage.step(step),
                (None, None) => self.stage.step(step),
            },
            HoldOrCompare if is_live => self.perform(ToggleFreeze),
            HoldOrCompare => self.stage.step(ViewStep::NextCompare),
            Cancel => self.stop_painting(),
            // Save what is on screen, not a painting that live mode hides.
            Save | Snapshot if is_live => self.snapshot(),
            Save => self.ask_target(None),
            Copy => self.copy_painting(),
            ToggleCrop => self.toggle_crop(),
            ApplyCrop => {
                if let Some(cropping) = self.cropping.take() {
                    self.edit(|choice| choice.framing = cropping.framing());
                }
            }
            AskContactSheet => self.ask_contact_sheet(),
            SetChoices(choices) => self.set_choices(*choices),
            ToggleFill => {
                self.settings.choices.full_screen_fills = !self.settings.choices.full_screen_fills;
                self.frame_pictures();
                self.settings_changed();
            }
            ToggleTheme => {
                // Every press changes the visible theme, even if it comes from the desktop.
                let theme = match self.ctx.theme() {
                    Theme::Dark => ThemeChoice::Light,
                    Theme::Light => ThemeChoice::Dark,
                };
                self.set_choices(Choices { theme, ..self.settings.choices.clone() });
            }
            ToggleControls => self.window.controls_open = !self.window.controls_open,
            ToggleShortcuts => self.overlays.toggle(Overlay::Shortcuts(String::new())),
            ToggleAbout => self.overlays.toggle(Overlay::About),
            ShowLicences => {
                let text = (self.licences)().unwrap_or_else(|problem| problem);
                let lines = text.lines().map(str::to_owned).collect();
                self.overlays.show(Overlay::Licences(lines));
            }
            CloseOverlay => self.close_overlay(),
            Answer(button) => self.answer(button),
            Dismiss(number) => self.messages.dismiss(number),
            StartBatch => self.confirm_batch(),
            StopBatch => self.stop_batch(),
            PauseBatch(pause) => self.pause_batch(pause),
            ReplaceSkipped => self.batch = self.batch.as_ref().map(Batch::of_skipped),
            CloseBatch => self.batch = None,
            TakeReading(format) => self.take_reading(format),
            TurnPage if is_live => self.leave_live(),
            LeaveLive => self.leave_live(),
            TurnPage | EnterLive => self.enter_live(),
            UseSource(source) => self.use_source(source),
            AskVideo => self.ask(Dialog::Video, |app, path| app.use_source(Source::Video(path))),
            UseCamera => self.use_source(Source::Camera(CameraId::first())),
            ReleaseCamera => {
                if self.live.as_ref().is_some_and(LiveView::uses_camera) {
                    self.use_source(Source::Demo);
                    self.messages.notice("The camera is off.");
                }
            }
            ListCameras => self.list_cameras(false),
            LookForCamera => {
                self.cameras = None;
                self.list_cameras(true);
            }
            TryMicrophone => self.try_microphone(),
            TryCodec(codec) => self.try_codec(codec),
            SetLive(new) => self.edit_live(|choices| *choices = *new),
            LiveDetail(px) => self.edit_live(|choices| choices.size = LiveSize::LongSide(px)),
            HideHint => {
                self.settings.state.has_seen_hint = true;
                self.settings_changed();
            }
            ToggleFullScreen => self.toggle_full_screen(),
            Export { bytes: Err(why), .. } => self.messages.error(why),
            Export { file_name, bytes: Ok(bytes) } => self.ask_export(file_name, bytes),
            Exports(action) => self.act_on_exports(action),
            ToggleMeasuring => self.toggle_measuring(),
            LeaveAsSeen(stays) => self.leave_as_seen(stays),
            SaveAsSeen(seen) => self.save_seen(seen),
            ToggleRecording => self.toggle_recording(),
            ToggleCameraOut => self.toggle_camera_out(),
            ToggleCompare | ToggleLab => {
                // Otherwise the user could neither see the progress of the measurement nor stop it.
                self.stop_measuring();
                self.change_view(&intent);
            }
            Snapshot | ToggleFreeze | ToggleDifference | TogglePreviews => {
                self.change_view(&intent)
            }
            Escape => self.escape(),
            // Handled elsewhere: the picture follows the state of the key.
            ShowOriginal => {}
            Quit => self.ctx.send_viewport_cmd(ViewportCommand::Close),
            Restart => {
                self.ending.restarts = true;
                self.close();
            }
        }
    }

    /// Shows the rectangle for cropping over the photo, or removes it.
    fn toggle_crop(&mut self) {
        if self.cropping.take().is_none()
            && let Some(photo) = self.workspace.photo()
        {
            let framing = self.workspace.choice.framing;
            self.cropping = Some(Cropping::new(&self.ctx, &photo.opened.whole(), framing));
        }
    }

    /// The crop in progress, while it is shown.
    pub(super) fn seen_crop(&self) -> Option<&Cropping> {
        let is_hidden = self.live.is_some() || self.paintings.viewed.is_some();
        self.cropping.as_ref().filter(|_| !is_hidden)
    }

    fn pick(&mut self, card: Option<Card>) {
        if let Some(card) = card {
            self.perform(Intent::PickStyle(card.id));
        }
    }

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
        done: impl FnOnce(&mut Self, T) + Send + 'static,
    ) {
        self.tasks.spawn(work, |app, result| match result {
            Ok(value) => done(app, value),
            Err(error) => app.messages.error(error),
        });
    }

    /// The style that paints alone; `None` for a mix.
    pub(super) fn chosen_style(&self) -> Option<String> {
        match self.workspace.choice.network(ModelSize::Full)? {
            NetworkOf::Style(id, _) => Some(id),
            NetworkOf::Mix(_) => None,
        }
    }

    /// Changes the choice, and follows it. All steps of one drag are undone together.
    fn edit(&mut self, change: impl FnOnce(&mut Choice)) {
        let before = self.workspace.choice.clone();
        change(&mut self.workspace.choice);
        if self.workspace.choice != before {
            if self.workspace.choice.brush == DEFAULT_BRUSH {
                self.messages.withdraw(|offered| *offered == Intent::UsualDetail);
            }
            self.begin_change(Step::Choice(Box::new(before)));
        }
        self.follow_choice();
    }

    /// Changes the stored choices of live mode. All steps of one drag are undone together.
    pub(crate) fn edit_live(&mut self, change: impl FnOnce(&mut LiveChoices)) {
        let mut choices = Box::new(self.settings.live.clone());
        change(&mut choices);
        let before = self.set_live(choices);
        self.begin_change(Step::Live(before));
    }

    /// Reduces motion if the user or, without a choice, the desktop wants it.
    pub(crate) fn follow_motion(&self) {
        let (platform, chosen) = (self.platform.clone(), self.settings.choices.reduce_motion);
        self.tasks.spawn(
            move || Ok(chosen.unwrap_or_else(|| platform.reduces_motion())),
            |app, reduces| {
                let chosen = app.settings.choices.reduce_motion;
                theme::reduce_motion(&app.ctx, chosen.unwrap_or(reduces == Ok(true)));
            },
        );
    }

    /// Changes the stored choices of the window.
    fn set_choices(&mut self, choices: Choices) {
        theme::apply(&self.ctx, choices.theme);
        if let Some(reduces) = choices.reduce_motion {
            theme::reduce_motion(&self.ctx, reduces);
        }
        if choices.styles_show_photo != self.settings.choices.styles_show_photo {
            self.gallery.painted.clear();
        }
        self.settings.choices = choices;
        self.frame_pictures();
        self.settings_changed();
    }
}

fn other(model: ModelSize) -> ModelSize {
    match model {
        ModelSize::Full => ModelSize::Lite,
        ModelSize::Lite => ModelSize::Full,
    }
}
