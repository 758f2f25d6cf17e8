//! Draws the list of jobs.

use eframe::egui::{Label, ProgressBar, RichText, ScrollArea, Sense, Ui, UiBuilder};

use super::{
    Jobs,
    command::JobCommand,
    queue::{Entry, State},
    time_left,
    work::{Photos, Work},
};
use crate::{
    intent::{Command, Intent, ShellCommand},
    pages::photo::paintings::Paintings,
    shell::shortcuts::plain_button,
    widgets::{
        drag::Drag,
        label::{name_label, remark},
        texture::paint_cover,
        theme::{self, caption},
    },
};

/// Width and height of a poster, in points.
const POSTER: [f32; 2] = [80.0, 56.0];
/// Maximum height of a list of failures or notes, in points; a longer list scrolls.
const REMARKS_HEIGHT: f32 = 96.0;

/// A number of things, as text.
pub fn counted(many: usize, what: &str) -> String {
    match many {
        1 => format!("1 {what}"),
        n => format!("{n} {what}s"),
    }
}

impl Jobs {
    /// Number of jobs that are not done, with the remaining time if it is known.
    fn total(&self) -> Option<String> {
        let jobs = Some(self.queue.unfinished()).filter(|jobs| *jobs > 0)?;
        let time = self.queue.seconds_left().filter(|_| self.hold().is_none());
        let time = time.map(|seconds| format!(", about {}", time_left::duration(seconds)));
        Some(format!("{} left{}", counted(jobs, "job"), time.unwrap_or_default()))
    }

    /// What the queue waits for.
    fn hold(&self) -> Option<&'static str> {
        match (self.queue.holds(), self.waits) {
            (true, _) => Some("paused"),
            (false, true) => Some("waiting for playback"),
            (false, false) => None,
        }
    }

    /// The state of the queue as text; `None` if it is empty.
    pub fn summary(&self) -> Option<String> {
        let entries = &self.queue.entries;
        let first = entries.first()?;
        let unfinished = self.queue.unfinished();
        let failed = entries.iter().filter(|e| matches!(e.state, State::Failed(_))).count();
        Some(if let Some(hold) = self.hold() {
            format!("Queue {hold} ({unfinished})")
        } else if unfinished > 0 {
            format!("Painting 1 of {unfinished} · {:.0} %", 100.0 * first.share())
        } else if failed > 0 {
            format!("{} stopped", counted(failed, "job"))
        } else {
            "Queue done".to_owned()
        })
    }

    /// Draws the title with its buttons, and the list, which scrolls; jobs are shown with thumbnails from among the `paintings`.
    pub fn ui(&self, ui: &mut Ui, paintings: &Paintings) {
        let hold = self.hold().map_or_else(String::new, |hold| format!(" ({hold})"));
        let entries = &self.queue.entries;
        ui.horizontal_wrapped(|ui| {
            ui.label(theme::heading(&format!("Queue{hold}"))).on_hover_text(
                "Jobs run in order; drag to reorder. Without a GPU, they wait while video plays. They continue after a restart.",
            );
            if let Some(total) = self.total() {
                caption(ui, total);
            }
            if self.queue.unfinished() > 0 {
                let is_paused = self.queue.is_paused;
                let name = if is_paused { "Resume" } else { "Pause" };
                plain_button(ui, name, JobCommand::Pause(!is_paused));
            }
            if entries.iter().any(Entry::is_done) {
                plain_button(ui, "Clear completed", JobCommand::ClearDone)
                    .on_hover_text("Remove them from the list, and keep their files.");
            }
        });
        let area = ScrollArea::vertical().id_salt("jobs").auto_shrink(false);
        area.show(ui, |ui| self.entries_ui(ui, paintings));
    }

    fn entries_ui(&self, ui: &mut Ui, paintings: &Paintings) {
        let mut drag = Drag::default();
        for entry in &self.queue.entries {
            // With the sense for clicks, a drag starts only after a movement, so that buttons can be pressed.
            let sense = if entry.state == State::Waiting {
                Sense::CLICK | Sense::DRAG
            } else {
                Sense::hover()
            };
            let scope = UiBuilder::new().id_salt(entry.id).sense(sense);
            let drawn = ui.scope_builder(scope, |ui| self.entry_ui(ui, entry, paintings));
            if !entry.is_done() {
                drag.note(&drawn.response, entry.id);
            }
            ui.separator();
        }
        if let Some((id, before)) = drag.ui(ui) {
            JobCommand::Move(id, before).send(ui);
        }
    }

    fn entry_ui(&self, ui: &mut Ui, entry: &Entry, paintings: &Paintings) {
        let (id, output) = (entry.id, entry.work.output());
        let folder = entry.folder();
        ui.horizontal_top(|ui| {
            if let Some(poster) = entry.poster().and_then(|path| paintings.small(path)) {
                let (rect, _) = ui.allocate_exact_size(POSTER.into(), Sense::hover());
                paint_cover(ui, poster, rect, theme::RADIUS);
            }
            ui.vertical(|ui| {
                let name = match folder {
                    Some(Photos { sources, .. }) => {
                        let photos = counted(sources.len(), "photo");
                        let source = sources.first().and_then(|path| path.parent());
                        let source = source.map(name_label).unwrap_or_default();
                        format!("{source}, {photos}")
                    }
                    None => name_label(output),
                };
                ui.add(Label::new(RichText::new(name).strong()).truncate());
                self.state_ui(ui, entry);
                if let Some(photos) = entry.work.photos() {
                    remarks_ui(ui, photos);
                }
                ui.horizontal_wrapped(|ui| {
                    let mut offer = |name, intent| plain_button(ui, name, intent);
                    let has_file =
                        entry.is_done() || folder.is_some_and(|of| !of.results.saved.is_empty());
                    if has_file {
                        let name = if folder.is_some() { "Show folder" } else { "Show in folder" };
                        offer(name, Intent::Shell(ShellCommand::ShowInFolder(output.to_owned())));
                    }
                    if has_file && entry.work.photos().is_none() {
                        offer("Play", Intent::Shell(ShellCommand::Play(output.to_owned())));
                    }
                    let mut actions = Vec::new();
                    if let Some(before) = self.queue.before(id) {
                        actions.push(("Move up", JobCommand::Move(id, Some(before))));
                    }
                    let skipped = folder.is_some_and(|of| !of.results.skipped.is_empty());
                    if skipped && !entry.is_unfinished() {
                        actions.push(("Replace them", JobCommand::ReplaceSkipped(id)));
                    }
                    let (remove, retry) = (JobCommand::Remove(id), JobCommand::Retry(id));
                    let is_video = matches!(entry.work, Work::Export(_));
                    match entry.state {
                        State::Waiting | State::Running => {
                            actions.push(("Cancel job", JobCommand::Cancel(id)));
                        }
                        State::Done(_) => actions.push(("Remove from list", remove)),
                        State::Failed(_) => {
                            actions.extend([("Try again", retry), ("Remove from list", remove)]);
                        }
                        State::Cancelled(_) => {
                            let name = if is_video { "Delete" } else { "Remove from list" };
                            actions.extend([("Resume", retry), (name, remove)]);
                        }
                    }
                    for (name, command) in actions {
                        offer(name, Intent::Job(command));
                    }
                });
            });
        });
    }

    fn state_ui(&self, ui: &mut Ui, entry: &Entry) {
        let done = entry.done_text();
        let has_begun = entry.progress[0] > 0;
        if entry.state == State::Running || entry.state == State::Waiting && has_begun {
            ui.add(ProgressBar::new(entry.share()).desired_height(8.0));
        }
        match &entry.state {
            State::Running => caption(ui, self.running_text(entry)),
            State::Waiting => caption(
                ui,
                match (self.queue.is_paused, has_begun) {
                    (true, true) => format!("Paused at {done}"),
                    (true, false) => "Paused".to_owned(),
                    (false, true) => format!("Waiting, {done}"),
                    (false, false) => "Waiting".to_owned(),
                },
            ),
            State::Done(notes) if notes.is_empty() => caption(ui, "Done"),
            State::Done(notes) => caption(ui, remark(&format!("Done. {notes}"))),
            State::Cancelled(painted) => caption(ui, format!("Cancelled{}", remark(painted))),
            State::Failed(why) => {
                ui.label(theme::error(ui, remark(why)).small());
            }
        }
    }

    /// What is done, the speed and the time left, as text; or what the job waits for.
    fn running_text(&self, entry: &Entry) -> String {
        let (done, is_photos) = (entry.done_text(), entry.work.photos().is_some());
        if self.queue.is_paused {
            return if entry.part > 0.0 {
                "Pauses after this photo".to_owned()
            } else {
                format!("Paused at {done}")
            };
        }
        match entry.unit_seconds {
            _ if self.waits => format!("{done}. Waits until the video is paused"),
            None => format!("{done}. Starting…"),
            Some(unit) => {
                let fps = format!(", {:.1} fps", 1.0 / unit);
                let left = entry.left().map(|left| time_left::duration(left * unit));
                let left = left.map(|left| format!(". About {left} left")).unwrap_or_default();
                format!("{done}{}{left}", if is_photos { "" } else { &fps })
            }
        }
    }
}

/// Failures, photos that were skipped, and notes.
fn remarks_ui(ui: &mut Ui, photos: &Photos) {
    let results = &photos.results;
    // A photo that fails in every style is listed, and counted, once.
    let failures = format!("{} not painted", counted(results.failures.len(), photos.unit()));
    let skipped = format!("Skipped, already exist ({})", results.skipped.len());
    let notes = counted(results.notes.len(), "warning");
    for (title, remarks) in [
        (theme::error(ui, failures), &results.failures),
        (RichText::new(skipped), &results.skipped),
        (RichText::new(notes), &results.notes),
    ] {
        if remarks.is_empty() {
            continue;
        }
        let salt = title.text().to_owned();
        ui.label(title);
        ScrollArea::vertical().id_salt(salt).max_height(REMARKS_HEIGHT).show(ui, |ui| {
            for (name, remark) in remarks {
                ui.label(name);
                caption(ui, remark);
            }
        });
    }
}
