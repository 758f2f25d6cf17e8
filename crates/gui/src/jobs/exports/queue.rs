//! The exports that wait, run and are done: plain data and rules, without threads and egui.
//!
//! The list is kept in a file of the settings folder. An export that was running when the file was last written was
//! killed with the program; the queue then starts paused, so that what ended the program does not end it again.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::choice::rename;
use media::{
    film::{Codec, Range},
    framing::Framing,
};
use settings::Choices;

/// What the user does with exports; ids are those of entries.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Show the dialog for the file of the form.
    AskFile,
    /// Add what the form describes to the queue.
    Confirm,
    Pause(bool),
    /// Stop it; if parts of it may be on the disk, it stays in the list.
    Cancel(u64),
    /// Remove it, with its parts, from the list.
    Remove(u64),
    Retry(u64),
    /// Have it run before another one, or last.
    Move(u64, Option<u64>),
    ClearDone,
}

/// A film to export.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Export {
    pub source: PathBuf,
    /// Its extension decides the container.
    pub output: PathBuf,
    /// An existing file is replaced.
    pub replaces: bool,
    pub codec: Codec,
    /// 1 to 100.
    pub quality: u8,
    pub range: Range,
    /// Interlaced video becomes whole frames.
    #[serde(default = "deinterlaces")]
    pub deinterlaces: bool,
    pub framing: Framing,
    /// Style, look, steadiness, detail, mode and output size; the rest is not used.
    pub choices: Choices,
}

/// For exports of earlier versions.
const fn deinterlaces() -> bool {
    true
}

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

/// An export in the list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Never used again.
    #[serde(skip)]
    pub id: u64,
    pub state: State,
    /// Parts of it may be on the disk.
    pub has_parts: bool,
    pub export: Export,
}

impl Entry {
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done(_))
    }
}

/// The list: exports that are not done in the order in which they run, then the others, newest first.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Queue {
    pub is_paused: bool,
    pub entries: Vec<Entry>,
    /// The program was killed while an export was running.
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
        if !queue.entries.iter().all(|entry| entry.export.range.is_valid()) {
            return Err("a start or an end is not a time".to_owned());
        }
        Ok(queue)
    }

    /// Number of exports that are waiting or running.
    pub fn unfinished(&self) -> usize {
        self.entries
            .iter()
            .filter(|entry| matches!(entry.state, State::Waiting | State::Running))
            .count()
    }

    /// True if an export that is not done writes this file.
    pub fn writes(&self, output: &Path) -> bool {
        self.entries.iter().any(|entry| entry.export.output == output && !entry.is_done())
    }

    /// Place of the first export that is done.
    fn first_done(&self) -> usize {
        self.entries.iter().position(Entry::is_done).unwrap_or(self.entries.len())
    }

    /// Adds an export after those that are not done.
    pub fn add(&mut self, export: Export) {
        // The pause was for exports that are gone.
        self.is_paused &= self.unfinished() > 0;
        self.newest += 1;
        let entry = Entry { id: self.newest, state: State::Waiting, has_parts: false, export };
        self.entries.insert(self.first_done(), entry);
    }

    /// The export that runs next, if none is running and the queue is not paused.
    pub fn next(&self) -> Option<&Entry> {
        let may_begin =
            !self.is_paused && self.entries.iter().all(|entry| entry.state != State::Running);
        self.entries.iter().find(|entry| may_begin && entry.state == State::Waiting)
    }

    pub fn has(&self, id: u64) -> bool {
        self.entries.iter().any(|entry| entry.id == id)
    }

    fn get_mut(&mut self, id: u64) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.id == id)
    }

    pub fn begin(&mut self, id: u64) {
        if let Some(entry) = self.get_mut(id) {
            entry.state = State::Running;
            entry.has_parts = true;
        }
    }

    /// Notes the end of an export: notes for the user, or why it failed.
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

    /// Has the running export wait; returns whether there was one. It continues after its complete parts.
    pub fn stop(&mut self) -> bool {
        let mut was_running = false;
        // A file that was changed may have more than one.
        for entry in self.entries.iter_mut().filter(|entry| entry.state == State::Running) {
            (entry.state, was_running) = (State::Waiting, true);
        }
        was_running
    }

    /// Has a failed or cancelled export run again.
    pub fn retry(&mut self, id: u64) {
        let has_ended = |e: &&mut Entry| matches!(e.state, State::Failed(_) | State::Cancelled(_));
        if let Some(entry) = self.get_mut(id).filter(has_ended) {
            entry.state = State::Waiting;
        }
    }

    /// Ends an export that has parts, which are kept until it is removed; `painted` is how much of it there is, as
    /// text. Removes another one.
    pub fn cancel(&mut self, id: u64, painted: String) {
        if let Some(entry) = self.get_mut(id).filter(|entry| entry.has_parts) {
            entry.state = State::Cancelled(painted);
        } else {
            self.remove(id);
        }
    }

    pub fn remove(&mut self, id: u64) -> Option<Entry> {
        let place = self.entries.iter().position(|entry| entry.id == id)?;
        Some(self.entries.remove(place))
    }

    /// The export that is before a waiting one, unless it is running.
    pub fn before(&self, id: u64) -> Option<u64> {
        let place = self.entries.iter().position(|e| e.id == id && e.state == State::Waiting)?;
        let before = &self.entries[place.checked_sub(1)?];
        (before.state != State::Running).then_some(before.id)
    }

    /// Moves a waiting export before another one, or after all that are not done. The running one stays first.
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
        for Entry { export, .. } in &mut self.entries {
            let mixed = export.choices.mix.iter_mut().map(|(id, _)| id);
            rename(export.choices.style.iter_mut().chain(mixed), old, new);
        }
    }

    /// Removes the exports that are done.
    pub fn clear_done(&mut self) {
        self.entries.retain(|entry| !entry.is_done());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use values::rotation::Rotation;

    fn export(output: &str) -> Export {
        Export {
            source: "clip.mp4".into(),
            output: output.into(),
            replaces: false,
            codec: Codec::H264,
            quality: 80,
            range: Range { start: Some(0.1), end: None },
            deinterlaces: true,
            framing: Framing {
                rotate: Rotation::Quarter,
                mirror: true,
                crop: "64x48+2+4".parse().ok(),
            },
            choices: Choices {
                style: Some("candy".to_owned()),
                steadiness: 30,
                ..Choices::default()
            },
        }
    }

    fn text(queue: &Queue) -> String {
        toml::to_string(queue).expect("it can be written")
    }

    fn read(text: &str) -> Result<Queue, String> {
        Queue::from_table(text.parse().expect("a table"))
    }

    fn queue(outputs: &[&str]) -> Queue {
        let mut queue = Queue::default();
        outputs.iter().for_each(|output| queue.add(export(output)));
        queue
    }

    fn outputs(queue: &Queue) -> Vec<&str> {
        queue.entries.iter().filter_map(|entry| entry.export.output.to_str()).collect()
    }

    /// Runs the next export of a queue to this end; returns its output.
    fn run(queue: &mut Queue, result: Result<&str, &str>) -> Option<PathBuf> {
        let next = queue.next()?;
        let (id, output) = (next.id, next.export.output.clone());
        queue.begin(id);
        assert_eq!(queue.next(), None, "one at a time");
        queue.end(id, result.map(str::to_owned).map_err(str::to_owned));
        Some(output)
    }

    #[test]
    fn exports_run_in_their_order_which_can_be_changed() {
        let mut q = queue(&["a", "b", "c"]);
        q.begin(1);
        assert_eq!([1, 2, 3].map(|id| q.before(id)), [None, None, Some(2)]);
        q.move_before(3, Some(1));
        assert_eq!(outputs(&q), ["a", "c", "b"], "the running one stays first");
        for (id, before, expected) in [
            (3, None, ["a", "b", "c"]),
            (3, Some(2), ["a", "c", "b"]),
            (3, Some(3), ["a", "c", "b"]),
            (1, None, ["a", "c", "b"]),
            (7, Some(1), ["a", "c", "b"]),
        ] {
            q.move_before(id, before);
            assert_eq!(outputs(&q), expected, "{id} before {before:?}");
        }
        q.end(1, Ok(String::new()));
        assert_eq!(outputs(&q), ["c", "b", "a"]);
        q.add(export("d"));
        assert_eq!(outputs(&q), ["c", "b", "d", "a"]);
        q.move_before(4, None);
        assert_eq!(outputs(&q), ["c", "b", "d", "a"], "before those that are done");
        let order: Vec<_> = std::iter::from_fn(|| run(&mut q, Ok(""))).collect();
        assert_eq!(order, [PathBuf::from("c"), "b".into(), "d".into()]);
        assert_eq!(outputs(&q), ["d", "b", "c", "a"], "finished ones, the newest first");
        q.clear_done();
        assert_eq!(q.entries, []);
    }

    #[test]
    fn a_paused_queue_begins_nothing() {
        let mut q = queue(&["a"]);
        q.is_paused = true;
        assert_eq!(run(&mut q, Ok("")), None);
        q.is_paused = false;
        assert_eq!(run(&mut q, Ok("")), Some("a".into()));
        assert_eq!(q.unfinished(), 0);
    }

    #[test]
    fn a_failed_export_waits_for_the_user_and_is_tried_again() {
        let mut q = queue(&["a", "b"]);
        assert_eq!(run(&mut q, Err("disk full")), Some("a".into()));
        assert_eq!(q.entries[0].state, State::Failed("disk full".to_owned()));
        assert!(q.writes("a".as_ref()), "its name is still in use");
        assert_eq!(run(&mut q, Ok("")), Some("b".into()));
        assert_eq!(q.next(), None);
        assert!(!q.writes("b".as_ref()));
        q.retry(1);
        assert_eq!(run(&mut q, Ok("")), Some("a".into()));
        q.retry(1);
        assert_eq!(q.next(), None, "only failed ones run again");
    }

    #[test]
    fn a_cancelled_export_keeps_its_parts_until_it_is_removed() {
        let mut q = queue(&["a", "b", "c"]);
        q.begin(1);
        q.cancel(1, " at frame 3".to_owned());
        assert_eq!(q.entries[0].state, State::Cancelled(" at frame 3".to_owned()));
        q.cancel(2, String::new());
        assert_eq!(outputs(&q), ["a", "c"], "it had no parts");
        assert_eq!(run(&mut q, Ok("")), Some("c".into()));
        q.retry(1);
        assert_eq!(run(&mut q, Err("disk full")), Some("a".into()));
        assert!(q.remove(1).is_some_and(|entry| entry.has_parts));
        assert!(!q.has(1));
    }

    #[test]
    fn a_queue_survives_a_restart() {
        let mut q = queue(&["a", "b", "c"]);
        run(&mut q, Ok("a note"));
        run(&mut q, Err("disk full"));
        let mut again = read(&text(&q)).expect("read");
        let states = |q: &Queue| -> Vec<_> {
            q.entries.iter().map(|e| (e.export.clone(), e.state.clone(), e.has_parts)).collect()
        };
        assert_eq!(states(&again), states(&q));
        assert!(!again.is_paused);
        assert_eq!(run(&mut again, Ok("")), Some("c".into()));
        let ids: std::collections::HashSet<_> = again.entries.iter().map(|e| e.id).collect();
        assert_eq!(ids.len(), 3);
        // The window was closed while one was running.
        q.begin(3);
        assert!(q.stop());
        let mut closed = read(&text(&q)).expect("read");
        assert!(closed.entries[1].has_parts);
        assert_eq!(run(&mut closed, Ok("")), Some("c".into()));
        // The program was killed instead.
        q.begin(3);
        let mut killed = read(&text(&q)).expect("read");
        assert!(killed.is_paused && killed.was_killed && !closed.was_killed);
        assert_eq!(run(&mut killed, Ok("")), None);
        let two = text(&queue(&["a", "b"])).replace("\"Waiting\"", "\"Running\"");
        let mut two = read(&two).expect("read");
        assert!(two.is_paused);
        two.is_paused = false;
        assert_eq!(run(&mut two, Ok("")), Some("a".into()));
    }

    #[test]
    fn exports_follow_a_style_that_is_renamed() {
        let mut q = queue(&["a"]);
        q.entries[0].export.choices.mix = vec![("candy".to_owned(), 20), ("wave".to_owned(), 80)];
        q.rename_style("candy", "sweets");
        let choices = &q.entries[0].export.choices;
        assert_eq!(choices.style.as_deref(), Some("sweets"));
        assert_eq!(choices.mix, [("sweets".to_owned(), 20), ("wave".to_owned(), 80)]);
    }

    #[test]
    fn an_export_had_its_steadiness_next_to_its_choices() {
        let written = text(&queue(&["a"]));
        let moved = written.replacen("steadiness = 30\n", "", 1);
        assert_ne!(moved, written);
        let before = moved.replacen("quality = 80\n", "quality = 80\nsteadiness = 30\n", 1);
        let read = read(&before).expect("read");
        assert_eq!(read.entries[0].export.choices.steadiness, 30);
        assert_eq!(text(&read), written);
    }

    #[test]
    fn a_damaged_file_is_refused() {
        let text = text(&queue(&["a"]));
        for (from, to) in [
            ("\"h264\"", "\"mpeg1\""),
            ("\"Quarter\"", "\"Eighth\""),
            ("quality = 80", "quality = 800"),
            ("output = ", "input = "),
            ("\"Waiting\"", "\"Lost\""),
            ("start = 0.1", "start = nan"),
            ("start = 0.1", "start = inf"),
            ("start = 0.1", "start = -1.0"),
        ] {
            let damaged = text.replacen(from, to, 1);
            assert_ne!(damaged, text, "{from} is not in {text}");
            assert!(read(&damaged).is_err(), "{to}");
        }
    }
}
