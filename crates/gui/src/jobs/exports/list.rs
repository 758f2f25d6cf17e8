//! Draws the list.

use std::sync::atomic::Ordering;

use eframe::egui::{Label, ProgressBar, RichText, ScrollArea, Sense, Ui, UiBuilder};

use super::{Action, Entry, Exports, Running, State};
use crate::{
    intent::{Command, Intent, JobCommand, ShellCommand},
    jobs::{batch::counted, time_left},
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

impl Running {
    /// Number of frames in the film, of those that are done, and of those that this run has painted.
    fn frames(&self) -> [u64; 3] {
        let progress = &self.run.progress;
        [&progress.total, &progress.frames, &progress.painted].map(|n| n.load(Ordering::Relaxed))
    }

    /// The completed share of the film.
    fn share(&self) -> f32 {
        let [total, frames, _] = self.frames();
        (frames as f32 / total.max(1) as f32).min(1.0)
    }

    /// The number of frames that are done, as text.
    pub fn done(&self) -> String {
        match self.frames() {
            [0, frames, _] => format!("{frames} frames"),
            [total, frames, _] => format!("{frames} of {total} frames"),
        }
    }

    /// Frames, speed and time left, as text; or that it `waits`.
    fn text(&self, now: f64, waits: bool) -> String {
        let [total, frames, painted] = self.frames();
        let seconds = self.watch.seconds(now);
        if self.watch.is_paused() {
            format!("Paused at {}", self.done())
        } else if waits {
            "Waits until the video is paused".to_owned()
        } else if painted == 0 {
            "Starting…".to_owned()
        } else {
            let rest = total.saturating_sub(frames - painted).max(painted);
            let left = time_left::text(seconds, painted as f32 / rest as f32);
            let left = if total > 0 { format!(" {left}") } else { String::new() };
            let fps = painted as f64 / seconds.max(0.001);
            format!("{}, {fps:.1} fps.{left}", self.done())
        }
    }
}

impl Exports {
    /// The state of the queue as text; `None` if it is empty.
    pub fn summary(&self) -> Option<String> {
        let entries = &self.queue.entries;
        if entries.is_empty() {
            return None;
        }
        let unfinished = self.queue.unfinished();
        let failed = entries.iter().filter(|e| matches!(e.state, State::Failed(_))).count();
        Some(if unfinished > 0 && self.queue.is_paused {
            format!("Exports paused ({unfinished})")
        } else if self.waits {
            "Exports wait for playback".to_owned()
        } else if unfinished > 0 {
            let share = self.running.as_ref().map_or(0.0, Running::share);
            format!("Exporting 1 of {unfinished} · {:.0} %", 100.0 * share)
        } else if failed > 0 {
            format!("{} stopped", counted(failed, "export"))
        } else {
            "Exports done".to_owned()
        })
    }

    /// Draws the list; finished exports are shown with their thumbnails among the `paintings`.
    pub fn list_ui(&self, ui: &mut Ui, paintings: &Paintings) {
        ui.heading(match (self.queue.unfinished() > 0 && self.queue.is_paused, self.waits) {
            (true, _) => "Exports (paused)",
            (false, true) => "Exports (waiting for playback)",
            (false, false) => "Exports",
        });
        caption(
            ui,
            "Exports run in order; drag to reorder. They pause while video plays and resume after a restart.",
        );
        ui.add_space(theme::GAP);
        let entries = &self.queue.entries;
        ScrollArea::vertical().max_height(ui.available_height() - 60.0).show(ui, |ui| {
            ui.set_width(ui.available_width());
            let mut drag = Drag::default();
            for entry in entries {
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
                JobCommand::Exports(Action::Move(id, before)).send(ui);
            }
            if entries.is_empty() {
                ui.label("There are no exports.");
            }
        });
        ui.horizontal(|ui| {
            let mut offer = |name, action| plain_button(ui, name, JobCommand::Exports(action));
            if self.queue.unfinished() > 0 {
                let is_paused = self.queue.is_paused;
                offer(if is_paused { "Resume" } else { "Pause" }, Action::Pause(!is_paused));
            }
            if entries.iter().any(Entry::is_done) {
                offer("Clear completed", Action::ClearDone)
                    .on_hover_text("Remove them from the list, and keep their files.");
            }
        });
    }

    fn entry_ui(&self, ui: &mut Ui, entry: &Entry, paintings: &Paintings) {
        let (id, output) = (entry.id, &entry.export.output);
        ui.horizontal_top(|ui| {
            if let Some(poster) = paintings.small(output).filter(|_| entry.is_done()) {
                let (rect, _) = ui.allocate_exact_size(POSTER.into(), Sense::hover());
                paint_cover(ui, poster, rect, theme::RADIUS);
            }
            ui.vertical(|ui| {
                ui.add(Label::new(RichText::new(name_label(output)).strong()).truncate());
                self.state_ui(ui, entry);
                ui.horizontal(|ui| {
                    let mut offer = |name, intent| plain_button(ui, name, intent);
                    if entry.is_done() {
                        offer(
                            "Show in folder",
                            Intent::Shell(ShellCommand::ShowInFolder(output.clone())),
                        );
                        offer("Play", Intent::Shell(ShellCommand::Play(output.clone())));
                    }
                    if let Some(before) = self.queue.before(id) {
                        offer(
                            "Move up",
                            Intent::Job(JobCommand::Exports(Action::Move(id, Some(before)))),
                        );
                    }
                    let (remove, retry) = (Action::Remove(id), Action::Retry(id));
                    let actions = match entry.state {
                        State::Waiting | State::Running => {
                            vec![("Cancel export", Action::Cancel(id))]
                        }
                        State::Done(_) => vec![("Remove from list", remove)],
                        State::Failed(_) => {
                            vec![("Try again", retry), ("Remove from list", remove)]
                        }
                        State::Cancelled(_) => vec![("Resume", retry), ("Delete", remove)],
                    };
                    for (name, action) in actions {
                        offer(name, Intent::Job(JobCommand::Exports(action)));
                    }
                });
            });
        });
    }

    fn state_ui(&self, ui: &mut Ui, entry: &Entry) {
        match (&entry.state, &self.running) {
            (State::Running, Some(running)) => {
                ui.add(ProgressBar::new(running.share()).desired_height(8.0));
                caption(ui, running.text(ui.input(|i| i.time), self.waits));
            }
            (State::Waiting | State::Running, _) => {
                caption(ui, if self.queue.is_paused { "Paused" } else { "Waiting" });
            }
            (State::Done(notes), _) if notes.is_empty() => caption(ui, "Done"),
            (State::Done(notes), _) => caption(ui, remark(&format!("Done. {notes}"))),
            (State::Cancelled(painted), _) => caption(ui, format!("Cancelled{}", remark(painted))),
            (State::Failed(why), _) => {
                ui.label(theme::error(ui, remark(why)).small());
            }
        }
    }
}
