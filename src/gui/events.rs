//! Events of the engine, the compositor and the background threads change the window's state.

use eframe::egui;

use super::{
    app::{App, NextStep, PaintRequest},
    arrivals::PictureUse,
    background::{Opened, Origin, Purpose, Report},
    batch::Phase,
    choice::{DEFAULT_BRUSH, working_size_of},
    file_list::FileList,
    intent::Intent,
    label::{name_label, path_label},
    live::{LiveIntent, NO_CAMERA},
    messages::{Offer, Topic},
    platform::from_the_root,
};
use crate::engine::{
    paint::OutputSize,
    protocol::{Event, Generation},
};

impl App {
    /// Handles every event since the last frame.
    pub(super) fn handle_events(&mut self, ctx: &egui::Context) {
        while let Some(event) = self.engine.poll() {
            self.handle_event(ctx, event);
        }
        while let Some(report) = self.background.poll() {
            self.handle_report(ctx, report);
        }
        if let Some(composed) = self.compositor.take()
            && composed.ticket >= self.painting.composed.epoch
            && self.workspace.on_screen().is_some()
        {
            let size = self.result_size().unwrap_or(composed.size);
            let is_other = std::mem::take(&mut self.painting.composed.appears);
            // What is dragged answers at once.
            let appears = is_other && !ctx.input(|i| i.pointer.any_down());
            let pictures = (&composed.preview, composed.full);
            self.stage.set_painting(ctx, pictures, size, appears);
        }
    }

    /// Columns and rows of the finished picture, in pixels. A draft counts as what it stands for.
    fn result_size(&self) -> Option<(usize, usize)> {
        let (photo, output) = (self.workspace.photo_size()?, self.workspace.choice.output);
        let shown = self.workspace.shown();
        if shown.is_none() && output == OutputSize::Working {
            return None;
        }
        let painted = shown.map_or(photo, |shown| {
            let painted = &shown.painting.painted;
            (painted.width(), painted.height())
        });
        Some(output.resolve(photo, painted))
    }

    fn handle_event(&mut self, ctx: &egui::Context, event: Event) {
        match event {
            Event::Device { info, notice } => {
                // The first notice is in the lower line. A later one is a lost GPU, which only a new process can
                // open.
                if let (Some(_), Some(notice)) = (&self.device.info, &notice) {
                    let offer = Offer {
                        label: "Restart StyleForge",
                        intent: Intent::Restart,
                        otherwise: None,
                    };
                    self.messages.error_with(notice.clone(), offer);
                }
                self.device.info = Some(info);
                self.device.notice = notice;
                self.choose_first_style(ctx);
            }
            Event::NoDevice(error) => {
                self.device.notice = Some(error.to_string());
                self.choose_first_style(ctx);
                self.messages.error(error.to_string());
            }
            Event::Painted { draft: true, painting, generation } => {
                if self.is_requested(generation) {
                    if let Some(request) = &mut self.painting.request {
                        request.has_draft = true;
                    }
                    self.workspace.set_draft(Some(painting));
                    self.recompose_anew();
                    self.catch_up();
                }
            }
            Event::Painted { painting, generation, .. } => {
                if let Some(PaintRequest { recipe, .. }) =
                    self.painting.request.take_if(|w| w.run == Some(generation))
                {
                    for note in &painting.notes {
                        self.messages.notice(note.clone());
                    }
                    self.messages.settle(Topic::Painting);
                    self.workspace.show(recipe, painting);
                    self.recompose_anew();
                    self.catch_up();
                }
            }
            // A run that a person stopped gives a message; the choice has gone back already.
            Event::Cancelled(_) => {}
            Event::Failed { error, generation } => {
                if self.is_requested(generation) {
                    self.messages
                        .about(Topic::Painting)
                        .error(format!("The photo was not painted: {error}"));
                    self.revert_choice(ctx);
                }
            }
            Event::Tried { number, result } => {
                if !self.handle_swatch(ctx, number, &result) {
                    self.handle_tried(ctx, number, result);
                }
            }
            Event::Repainted { number, result } => {
                if !self.handle_sheet_painted(number, &result) {
                    self.handle_repainted(ctx, number, result);
                }
            }
            Event::BatchPhoto { done, name, outcome, .. } => {
                if let Ok(saved) = &outcome {
                    self.note_painting(ctx, &saved.path);
                }
                if let Some(batch) = &mut self.batch {
                    batch.note(done, name, outcome);
                }
            }
            Event::Live(event) => self.handle_live_event(event),
            Event::Measured(result) => self.handle_measured(ctx, result),
            Event::BatchEnded { cancelled } => {
                if let Some(batch) = &mut self.batch {
                    batch.phase = Phase::Ended { cancelled };
                }
            }
        }
    }

    /// Whether this run belongs to the present request. A run that was replaced while the new network is loaded
    /// may still end well.
    fn is_requested(&self, generation: Generation) -> bool {
        self.painting.request.as_ref().is_some_and(|w| w.run == Some(generation))
    }

    fn handle_report(&mut self, ctx: &egui::Context, report: Report) {
        match report {
            Report::Opened { ticket, result } => {
                // A photo of a later request takes its place.
                if ticket != self.opening.newest {
                    return;
                }
                self.opening.is_running = false;
                match result {
                    Ok(opened) => self.go_on_or_ask(ctx, NextStep::Put(opened)),
                    Err(error) => self.messages.error(error),
                }
            }
            Report::RecentGone { ticket, path } => self.handle_recent_gone(ctx, ticket, &path),
            Report::Framed { photo, framing, result } => {
                self.handle_framed(ctx, (photo, framing), result)
            }
            Report::NothingToPaste => {
                self.opening.is_running = false;
                self.messages.notice(
                    "The clipboard holds no picture. Copy one, or a picture file, and paste again.",
                );
            }
            Report::Sorted { ticket, picture_use, sorted } => {
                self.handle_sorted(ctx, ticket, picture_use, sorted)
            }
            Report::Pasted { ticket, picture } => self.handle_pasted(ticket, picture),
            Report::PastedText(text) => self.handle_pasted_text(ctx, text),
            Report::Pointer(place) => self.handle_pointer(ctx, place),
            Report::Styles { cards, problems } => self.handle_styles(ctx, cards, &problems),
            Report::Renamed { id, name, result } => self.handle_renamed(ctx, id, name, result),
            // The program ends by then, and tells failures in the terminal.
            Report::Removed(_) => {}
            Report::Mixed { parts, result } => self.handle_mixed(ctx, parts, result),
            Report::Kept { parts, name, result } => self.handle_kept(parts, name, result),
            Report::SwatchRead { id, result } => self.handle_swatch_read(id, result),
            Report::SwatchBroke { id, panic } => self.handle_swatch_broke(id, &panic),
            Report::StyleLoaded { id, requested, result } => {
                self.networks.loading.retain(|(i, m)| (i, *m) != (&id, requested));
                let is_requested = self
                    .painting
                    .request
                    .as_ref()
                    .is_some_and(|w| w.recipe.style == id && w.recipe.model == requested);
                match result {
                    Ok(loaded) => {
                        if let Some(note) = &loaded.note {
                            self.messages.notice(note.clone());
                        }
                        self.networks.loaded.insert((id.clone(), requested), loaded);
                        if is_requested {
                            self.paint_requested();
                        }
                        self.start_batch(ctx);
                    }
                    Err(error) => {
                        self.messages.error(error);
                        self.networks.failed.push((id.clone(), requested));
                        self.leave_out_of_batch(ctx, |style| {
                            style.parts.is_empty() && (&style.id, style.model) == (&id, requested)
                        });
                        if is_requested {
                            self.revert_choice(ctx);
                        }
                    }
                }
            }
            Report::Imported { path, result } => self.handle_imported(path, result),
            Report::Read { number, format, result } => self.handle_read((number, format), result),
            Report::Chosen { purpose, result } => self.handle_dialog(ctx, purpose, result),
            Report::Saved { save, result } => self.handle_saved(ctx, save, result),
            // Not kept: the clipboard ends with what is copied next.
            Report::Copied(Ok(())) => self.messages.notice("The painting is on the clipboard."),
            Report::Thumbnail { path, small } => self.handle_thumbnail(ctx, path, small),
            Report::PaintingsChanged(changed) => self.handle_paintings_changed(changed),
            Report::PaintingOpened { path, result } => {
                self.handle_painting_opened(ctx, path, result);
            }
            Report::CopiedFile(Ok(path)) => {
                let name = name_label(&path);
                self.messages.notice(format!("{name} is on the clipboard."));
            }
            Report::SnapshotSaved(Ok(saved)) => self.show_snapshot(ctx, saved),
            Report::SheetRead { number, result } => self.handle_sheet_read(number, result),
            Report::SheetCell { number, cell } => self.handle_sheet_cell(number, cell),
            Report::SheetWritten { number, result } => {
                self.handle_sheet_written(ctx, number, result)
            }
            Report::Exported(Ok(path)) => self.tell_of_saved(&path),
            Report::Copied(Err(error))
            | Report::SnapshotSaved(Err(error))
            | Report::CopiedFile(Err(error))
            | Report::Exported(Err(error))
            | Report::NotDone(error) => self.messages.error(error),
            Report::Charted { report, result } => {
                if let Err(error) = &result {
                    self.messages.error(error.clone());
                }
                if let Some(live) = &mut self.live {
                    live.set_chart(ctx, &report, result.ok());
                }
            }
            Report::Recording { taken, result } => self.handle_recording(ctx, &taken, result),
            Report::Recorded(recorded) => {
                self.recording_ended(ctx);
                if recorded.is_video && recorded.frames > 0 {
                    self.note_painting(ctx, &recorded.path);
                }
                match recorded.failure_in_words() {
                    None => {
                        let notes = recorded.notes.iter().map(|note| format!("; {note}"));
                        let notes: String = notes.collect();
                        let text = format!(
                            "Recorded {}: {}{notes}",
                            path_label(&recorded.path),
                            recorded.in_words()
                        );
                        self.messages.about(Topic::Recording);
                        self.tell_of_file(text, &recorded.path);
                    }
                    Some(failure) => self.messages.error(failure),
                }
            }
            Report::Cameras(cameras) => {
                if let Some(live) = &mut self.live {
                    live.set_cameras(cameras.clone());
                }
                if std::mem::take(&mut self.wants_camera) {
                    match cameras.as_ref().is_ok_and(Vec::is_empty) {
                        true => self.messages.notice(NO_CAMERA),
                        false => self.intents.push(Intent::Live(LiveIntent::UseCamera)),
                    }
                }
                self.cameras = Some(cameras);
            }
            Report::SettingsFailed(error) => self.messages.error(error),
            Report::Quiet => {}
            Report::Broke(error) => {
                // The report does not name the task that broke: nothing may go on waiting for it.
                self.save.is_running = false;
                self.save.after_save = None;
                self.opening.is_running = false;
                self.arrivals.broke();
                self.keep_framing();
                self.sheets.broke();
                self.paintings.broke();
                self.postpone_swatch();
                self.networks.mixed.broke();
                self.recording_broke();
                self.reading_broke(&error);
                self.messages.error(format!(
                    "A mistake in StyleForge stopped this ({error}). Please report it."
                ));
            }
        }
    }

    /// Goes on with the path that was chosen for a purpose.
    pub(super) fn handle_dialog(
        &mut self,
        ctx: &egui::Context,
        purpose: Purpose,
        result: Result<Option<std::path::PathBuf>, String>,
    ) {
        let path = match result {
            Ok(Some(path)) => from_the_root(path),
            Ok(None) => {
                self.no_target(purpose);
                return;
            }
            Err(error) => {
                self.ask_for_path(purpose, error);
                return;
            }
        };
        // A typed path may name a folder that is not there.
        let folder = path.parent().filter(|folder| folder.is_dir());
        let folder = folder.map(std::path::Path::to_owned);
        let state = &mut self.settings.state;
        match purpose {
            Purpose::Open => {
                state.open_folder = folder.or(state.open_folder.take());
                self.settings_changed(ctx);
                self.sort(vec![path], PictureUse::Photo);
            }
            Purpose::Style => self.import(path),
            Purpose::Folder => {
                if path.is_dir() {
                    state.open_folder = Some(path.clone());
                }
                self.settings_changed(ctx);
                self.sort(vec![path], PictureUse::Photo);
            }
            Purpose::TargetFolder => {
                if let Some(batch) = &mut self.batch {
                    batch.target = path;
                }
            }
            Purpose::Export => {
                // Without an ending no program would know what the file is.
                let ending = self.export.as_ref().map(|(name, _)| std::path::Path::new(name));
                let path = match (path.extension(), ending.and_then(std::path::Path::extension)) {
                    (None, Some(ending)) => path.with_extension(ending),
                    _ => path,
                };
                state.save_folder = folder.or(state.save_folder.take());
                self.settings_changed(ctx);
                if let Some((_, bytes)) = self.export.take() {
                    self.background.export(path, bytes);
                }
            }
            Purpose::ContactSheet => {
                state.save_folder = folder.or(state.save_folder.take());
                self.settings_changed(ctx);
                self.begin_contact_sheet(path);
            }
            Purpose::Save => {
                state.save_folder = folder.or(state.save_folder.take());
                self.settings_changed(ctx);
                self.save_as(path);
            }
        }
    }

    /// A dialog gave no path: the step that was to follow the save is dropped.
    pub(super) fn no_target(&mut self, purpose: Purpose) {
        match purpose {
            Purpose::Save => self.save.after_save = None,
            Purpose::Export => self.export = None,
            _ => {}
        }
    }

    /// Says that a brush size was set for another photo, once for each size.
    fn announce_kept_brush(&mut self) {
        let brush = self.workspace.choice.brush;
        let (Some((width, height)), true) =
            (self.workspace.photo_size(), brush != DEFAULT_BRUSH && self.announced_brush != brush)
        else {
            return;
        };
        // A brush that gives this photo the same size needs no message.
        let (kept, usual) = [brush, DEFAULT_BRUSH]
            .map(|brush| working_size_of(brush).resolve(width, height))
            .into();
        if kept != usual {
            self.announced_brush = brush;
            let text = format!(
                "Painted with the detail you chose before: strokes as at {} × {} px.",
                kept.0, kept.1
            );
            let offer =
                Offer { label: "Reset detail", intent: Intent::UsualDetail, otherwise: None };
            self.messages.offer(text, offer);
        }
    }

    /// Puts a photo on the table and paints it when a style is chosen.
    pub(super) fn put(&mut self, ctx: &egui::Context, opened: Opened) {
        let was_live = self.live.is_some();
        // A person who opens a photo wants to see it.
        self.perform_live(ctx, LiveIntent::Leave);
        for note in &opened.photo.notes {
            self.messages.notice(note.clone());
        }
        if let Origin::File(path) = &opened.origin
            && let Some(folder) = path.parent()
        {
            self.settings.state.open_folder = Some(folder.to_owned());
            self.note_file(ctx, FileList::Recent, path);
            self.settings_changed(ctx);
        }
        self.engine.cancel();
        self.end_change(ctx);
        self.painting.request = None;
        self.painting.framing = None;
        let before = self.seen_pictures();
        // Over the whole photo that is seen while it is cropped, and over other pages, it appears at once.
        if self.cropping.take().is_none() && !was_live && !before.is_empty() {
            self.stage.appear_over(ctx, before);
        }
        self.paintings.close_view();
        name_window(ctx, Some(&opened.title()));
        self.stage.set_photo(ctx, &opened.preview, opened.photo.frame.clone());
        self.note_put(opened, was_live);
        self.announce_kept_brush();
        self.recompose_anew();
        self.follow_choice();
    }
}

/// Names the window after the photo that it shows; after the program alone without one.
pub(super) fn name_window(ctx: &egui::Context, photo: Option<&str>) {
    let title = match photo {
        Some(name) => format!("{name} – StyleForge"),
        None => "StyleForge".to_owned(),
    };
    ctx.send_viewport_cmd(egui::ViewportCommand::Title(title));
}
