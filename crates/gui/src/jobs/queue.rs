//! The jobs that wait, run and are done: plain data and rules, without threads and egui.
//!
//! The list is kept in a file of the settings folder. A job that was running when the file was last written was
//! killed with the program; the queue then starts paused, so that what ended the program does not end it again.

use std::path::Path;

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::work::{Photos, Results, Work};
use crate::choice::rename;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum State {
    Waiting,
    Running,
    /// With notes for the user.
    Done(String),
    /// With the reason.
    Failed(String),
    /// By the user; with how much of it is painted, as text.
    Cancelled(String),
}

/// A job in the list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Never used again.
    #[serde(skip)]
    pub id: u64,
    pub state: State,
    /// It has begun: parts of it may be on the disk.
    pub has_parts: bool,
    /// Number of frames or photos that are done, and of all; 0 if not known.
    #[serde(default)]
    pub progress: [u64; 2],
    /// The share of the current photo that is painted.
    #[serde(skip)]
    pub part: f32,
    /// Seconds for a frame or photo, while it runs and once that is known.
    #[serde(skip)]
    pub unit_seconds: Option<f64>,
    #[serde(flatten)]
    pub work: Work,
}

impl Entry {
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done(_))
    }

    pub fn is_unfinished(&self) -> bool {
        matches!(self.state, State::Waiting | State::Running)
    }

    /// How much is done, as text.
    pub fn done_text(&self) -> String {
        let unit = self.work.unit();
        match self.progress {
            [done, 0] => format!("{done} {unit}s"),
            [done, all] => format!("{done} of {all} {unit}s"),
        }
    }

    /// Number of frames or photos that are not done, if it is known.
    pub fn left(&self) -> Option<f64> {
        let [done, all] = self.progress;
        (all > 0).then(|| (all.saturating_sub(done) as f64 - f64::from(self.part)).max(0.0))
    }

    /// The completed share.
    pub fn share(&self) -> f32 {
        let all = self.progress[1].max(1) as f64;
        self.left().map_or(0.0, |left| (1.0 - left / all) as f32)
    }

    /// The photos of a folder.
    pub fn folder(&self) -> Option<&Photos> {
        self.work.photos().filter(|photos| photos.sheet.is_none())
    }

    /// The picture that stands for it, once it is written.
    pub fn poster(&self) -> Option<&Path> {
        match self.folder() {
            Some(photos) => photos.results.saved.first().map(|path| &**path),
            None => Some(self.work.output()).filter(|_| self.is_done()),
        }
    }

    /// Starts again from its beginning.
    fn reset(&mut self) {
        self.progress[0] = 0;
        if let Work::Photos(photos) = &mut self.work {
            photos.results = Results::default();
        }
    }
}

/// The list: jobs that are not done in the order in which they run, then the others, newest first.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Queue {
    pub is_paused: bool,
    pub entries: Vec<Entry>,
    /// The program was killed while a job was running.
    #[serde(skip)]
    pub was_killed: bool,
    #[serde(skip)]
    newest: u64,
}

/// Moves the steadiness to the export's choices; it was once next to them.
fn share_steadiness(entry: &mut Value) -> Option<()> {
    let export = entry.get_mut("export")?.as_table_mut()?;
    let steadiness = export.remove("steadiness")?;
    export.get_mut("choices")?.as_table_mut()?.insert("steadiness".to_owned(), steadiness);
    Some(())
}

impl Queue {
    /// Reads the table of the file.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn from_table(mut table: Table) -> Result<Self, String> {
        let entries = table.get_mut("entries").and_then(Value::as_array_mut);
        for entry in entries.into_iter().flatten() {
            share_steadiness(entry);
        }
        let mut queue: Self =
            table.try_into().map_err(|e: toml::de::Error| e.message().to_owned())?;
        for entry in &mut queue.entries {
            queue.newest += 1;
            entry.id = queue.newest;
        }
        queue.was_killed = queue.stop();
        queue.is_paused |= queue.was_killed;
        for Entry { work, progress, .. } in &queue.entries {
            match work {
                Work::Export(export) if !export.range.is_valid() => {
                    return Err("a start or an end is not a time".to_owned());
                }
                Work::Photos(photos)
                    if photos.sources.is_empty()
                        || progress[0] > photos.items.len() as u64
                        || photos
                            .items
                            .iter()
                            .any(|item| item / photos.sources.len() >= photos.styles.len()) =>
                {
                    return Err("a photo or a style is missing".to_owned());
                }
                _ => {}
            }
        }
        Ok(queue)
    }

    /// Number of jobs that are waiting or running.
    pub fn unfinished(&self) -> usize {
        self.entries.iter().filter(|entry| entry.is_unfinished()).count()
    }

    /// The remaining time of all jobs, in seconds, if each is like the one that is running.
    pub fn seconds_left(&self) -> Option<f64> {
        let jobs = self.entries.iter().filter(|entry| entry.is_unfinished());
        let running = jobs.clone().find(|entry| entry.state == State::Running)?;
        let unit = running.work.unit();
        jobs.map(|job| {
            Some(running.unit_seconds? * job.left().filter(|_| job.work.unit() == unit)?)
        })
        .sum()
    }

    /// Jobs wait until the user resumes them.
    pub fn holds(&self) -> bool {
        self.is_paused && self.unfinished() > 0
    }

    /// True if a job that is not done writes this file.
    pub fn writes(&self, output: &Path) -> bool {
        self.entries.iter().any(|entry| entry.work.output() == output && !entry.is_done())
    }

    /// Place of the first job that is done.
    fn first_done(&self) -> usize {
        self.entries.iter().position(Entry::is_done).unwrap_or(self.entries.len())
    }

    /// Adds a job after those that are not done.
    /// `all` is the number of its frames or photos; 0 if not known.
    pub fn add(&mut self, work: Work, all: u64) {
        // The pause was for jobs that are gone.
        self.is_paused = self.holds();
        self.newest += 1;
        let (id, progress) = (self.newest, [0, all]);
        let entry = Entry {
            id,
            state: State::Waiting,
            has_parts: false,
            progress,
            part: 0.0,
            unit_seconds: None,
            work,
        };
        self.entries.insert(self.first_done(), entry);
    }

    /// The job that runs next, if none is running and the queue is not paused.
    pub fn next(&self) -> Option<&Entry> {
        let may_begin =
            !self.is_paused && self.entries.iter().all(|entry| entry.state != State::Running);
        self.entries.iter().find(|entry| may_begin && entry.state == State::Waiting)
    }

    pub fn has(&self, id: u64) -> bool {
        self.entries.iter().any(|entry| entry.id == id)
    }

    pub fn get_mut(&mut self, id: u64) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.id == id)
    }

    pub fn begin(&mut self, id: u64) {
        if let Some(entry) = self.get_mut(id) {
            entry.state = State::Running;
            entry.has_parts = true;
            // The paintings of a sheet are lost with its thread.
            if entry.work.photos().is_some_and(|photos| photos.sheet.is_some()) {
                entry.reset();
            }
        }
    }

    /// Notes the end of a job: notes for the user, or why it failed.
    pub fn end(&mut self, id: u64, result: Result<String, String>) {
        match result {
            Ok(notes) => {
                if let Some(mut entry) = self.remove(id) {
                    entry.state = State::Done(notes);
                    entry.has_parts = false;
                    self.entries.insert(self.first_done(), entry);
                }
            }
            Err(why) => {
                if let Some(entry) = self.get_mut(id) {
                    entry.state = State::Failed(why);
                }
            }
        }
    }

    /// Has the running job wait; returns whether there was one. It continues after what is complete.
    pub fn stop(&mut self) -> bool {
        let mut was_running = false;
        // A file that was changed may have more than one.
        for entry in self.entries.iter_mut().filter(|entry| entry.state == State::Running) {
            (entry.state, was_running) = (State::Waiting, true);
        }
        was_running
    }

    /// Has a failed or cancelled job run again. A cancelled one continues.
    pub fn retry(&mut self, id: u64) {
        let Some(entry) = self.get_mut(id) else { return };
        match entry.state {
            State::Failed(_) => entry.reset(),
            State::Cancelled(_) => {}
            _ => return,
        }
        entry.state = State::Waiting;
    }

    /// Has the photos painted that were skipped, and replaces their existing paintings.
    pub fn replace_skipped(&mut self, id: u64) {
        if let Some(Entry { work: Work::Photos(mut photos), .. }) = self.remove(id) {
            photos.items = photos.results.skipped_items;
            photos.replaces = true;
            photos.results = Results::default();
            let all = photos.items.len() as u64;
            self.add(Work::Photos(photos), all);
        }
    }

    /// Ends a job that has begun, which keeps what is done until it is removed. Removes another one.
    pub fn cancel(&mut self, id: u64) {
        if let Some(entry) = self.get_mut(id).filter(|entry| entry.has_parts) {
            entry.state = State::Cancelled(format!(" at {}", entry.done_text()));
        } else {
            self.remove(id);
        }
    }

    pub fn remove(&mut self, id: u64) -> Option<Entry> {
        let place = self.entries.iter().position(|entry| entry.id == id)?;
        Some(self.entries.remove(place))
    }

    /// The job that is before a waiting one, unless it is running.
    pub fn before(&self, id: u64) -> Option<u64> {
        let place = self.entries.iter().position(|e| e.id == id && e.state == State::Waiting)?;
        let before = &self.entries[place.checked_sub(1)?];
        (before.state != State::Running).then_some(before.id)
    }

    /// Moves a waiting job before another one, or after all that are not done. The running one stays first.
    pub fn move_before(&mut self, id: u64, before: Option<u64>) {
        if before == Some(id)
            || !self.entries.iter().any(|e| e.id == id && e.state == State::Waiting)
        {
            return;
        }
        let Some(entry) = self.remove(id) else { return };
        let first = self
            .entries
            .iter()
            .position(|entry| entry.state == State::Running)
            .map_or(0, |place| place + 1);
        let place = self
            .entries
            .iter()
            .position(|entry| Some(entry.id) == before)
            .unwrap_or(usize::MAX)
            .clamp(first, self.first_done());
        self.entries.insert(place, entry);
    }

    /// Notes that a style has a new id.
    pub fn rename_style(&mut self, old: &str, new: &str) {
        for Entry { work, .. } in &mut self.entries {
            match work {
                Work::Export(export) => {
                    let mixed = export.choices.mix.iter_mut().map(|(id, _)| id);
                    rename(export.choices.style.iter_mut().chain(mixed), old, new);
                }
                Work::Photos(photos) => {
                    photos.styles.iter_mut().for_each(|style| style.rename_style(old, new));
                }
            }
        }
    }

    /// Removes the jobs that are done.
    pub fn clear_done(&mut self) {
        self.entries.retain(|entry| !entry.is_done());
    }
}

#[cfg(test)]
mod tests;
