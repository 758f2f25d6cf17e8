//! The jobs that wait, run and are done: plain data and rules, without threads and egui.
//!
//! The list is kept in a file of the settings folder. A job that was running when the file was last written was
//! killed with the program; the queue then starts paused, so that what ended the program does not end it again.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::{
    choice::{NetworkOf, rename},
    widgets::label::{path_label, remark},
};
use media::{
    film::{Codec, Range},
    framing::Framing,
};
use settings::Choices;
use values::frame::Frame;

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

/// Photos to paint, each in one or more styles.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Photos {
    pub sources: Vec<PathBuf>,
    pub styles: Vec<NetworkOf>,
    /// What is painted, in order: indices of photos, plus the number of photos for each style before theirs.
    pub items: Vec<usize>,
    /// The folder of the paintings, or the file of the contact sheet.
    pub output: PathBuf,
    /// Existing files are replaced.
    pub replaces: bool,
    /// Look, detail, mode, size and format.
    pub choices: Choices,
    #[serde(default)]
    pub results: Results,
    /// The paintings are collected on a contact sheet.
    pub sheet: Option<Sheet>,
}

/// What a contact sheet shows of its photo.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sheet {
    pub framing: Framing,
    /// The photo as it was, unless the program was restarted.
    #[serde(skip)]
    pub photo: Option<Arc<Frame>>,
}

/// Why a photo has no painting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unpainted {
    /// The painting already existed, in this file.
    Exists(PathBuf),
    /// Its style could not be loaded.
    NoStyle,
    /// A message for the user.
    Failed(String),
}

impl From<String> for Unpainted {
    fn from(reason: String) -> Self {
        Self::Failed(reason)
    }
}

/// A painting's file and notes, or why there is none.
pub type Outcome = Result<(PathBuf, Vec<String>), Unpainted>;

/// Why photos are not painted in a style.
pub const NO_STYLE: &str = "The style could not be loaded. Was it renamed or removed?";

/// What has become of the photos.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Results {
    pub saved: Vec<PathBuf>,
    /// Photos that were not painted, and why. A photo that fails in several styles for the same reason is listed once.
    pub failures: Vec<(String, String)>,
    /// Photos whose painting already existed, and that painting.
    pub skipped: Vec<(String, String)>,
    pub skipped_items: Vec<usize>,
    /// Painted photos with a note about them.
    pub notes: Vec<(String, String)>,
}

impl Photos {
    /// Every photo in each of these styles, one style after the other, because changing the network takes time.
    pub fn new(
        sources: Vec<PathBuf>,
        styles: Vec<NetworkOf>,
        output: PathBuf,
        choices: Choices,
    ) -> Self {
        Self {
            items: (0..sources.len() * styles.len()).collect(),
            sources,
            styles,
            output,
            replaces: false,
            choices,
            results: Results::default(),
            sheet: None,
        }
    }

    /// The photo of an item, and the index of its style.
    pub fn of_item(&self, item: usize) -> (&Path, usize) {
        (&self.sources[item % self.sources.len()], item / self.sources.len())
    }

    /// What is counted.
    pub fn unit(&self) -> &'static str {
        match (&self.sheet, self.styles.len()) {
            (Some(_), _) => "style",
            (None, 1) => "photo",
            (None, _) => "picture",
        }
    }

    /// Notes the outcome of an item. `photo` is its name, `style` that of the style.
    pub fn note(&mut self, item: usize, (photo, style): (String, &str), outcome: Outcome) {
        let results = &mut self.results;
        let name =
            if self.styles.len() > 1 { format!("{photo} in {style}") } else { photo.clone() };
        let (name, reason) = match outcome {
            Ok((path, notes)) => {
                results.saved.push(path);
                if !notes.is_empty() {
                    let notes: Vec<_> = notes.iter().map(|note| remark(note)).collect();
                    results.notes.push((name, notes.join("\n")));
                }
                return;
            }
            Err(Unpainted::Exists(target)) => {
                results.skipped_items.push(item);
                return results.skipped.push((name, path_label(&target)));
            }
            Err(Unpainted::NoStyle) => (style.to_owned(), NO_STYLE.to_owned()),
            Err(Unpainted::Failed(reason)) => (name, remark(&reason)),
        };
        let in_a_style = format!("{photo} in ");
        match results.failures.iter_mut().find(|(before, why)| {
            *why == reason && ([&name, &photo].contains(&before) || before.starts_with(&in_a_style))
        }) {
            // The reason is the style.
            Some((before, _)) if *before == name => {}
            // The reason is the photo, not the style.
            Some((before, _)) => *before = photo,
            None => results.failures.push((name, reason)),
        }
    }
}

/// What a job does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Work {
    Export(Export),
    Photos(Photos),
}

impl Work {
    /// The file that it writes, or its folder.
    pub fn output(&self) -> &Path {
        match self {
            Self::Export(export) => &export.output,
            Self::Photos(photos) => &photos.output,
        }
    }

    /// The photos of a folder or of a contact sheet.
    pub fn photos(&self) -> Option<&Photos> {
        match self {
            Self::Export(_) => None,
            Self::Photos(photos) => Some(photos),
        }
    }

    /// What is counted.
    pub fn unit(&self) -> &'static str {
        self.photos().map_or("frame", Photos::unit)
    }
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
mod tests {
    use super::*;
    use values::{mode::ModelSize, rotation::Rotation};

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
        outputs.iter().for_each(|output| queue.add(Work::Export(export(output)), 5));
        queue
    }

    fn outputs(queue: &Queue) -> Vec<&str> {
        queue.entries.iter().filter_map(|entry| entry.work.output().to_str()).collect()
    }

    /// Runs the next export of a queue to this end; returns its output.
    fn run(queue: &mut Queue, result: Result<&str, &str>) -> Option<PathBuf> {
        let next = queue.next()?;
        let (id, output) = (next.id, next.work.output().to_owned());
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
        q.add(Work::Export(export("d")), 0);
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
    fn the_time_of_all_jobs_follows_from_the_one_that_runs() {
        let mut q = queue(&["a", "b"]);
        assert_eq!(q.seconds_left(), None);
        q.begin(1);
        (q.entries[0].progress, q.entries[0].unit_seconds) = ([3, 5], Some(2.0));
        assert_eq!(q.seconds_left(), Some(14.0));
        assert_eq!(q.entries[0].share(), 0.6);
        q.add(Work::Photos(photos()), 4);
        assert_eq!(q.seconds_left(), None, "photos take other times than frames");
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
        q.entries[0].progress[0] = 3;
        q.cancel(1);
        assert_eq!(q.entries[0].state, State::Cancelled(" at 3 of 5 frames".to_owned()));
        q.cancel(2);
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
            q.entries.iter().map(|e| (e.work.clone(), e.state.clone(), e.has_parts)).collect()
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

    /// The choices of the first job, an export.
    fn choices(queue: &mut Queue) -> &mut Choices {
        match &mut queue.entries[0].work {
            Work::Export(export) => &mut export.choices,
            Work::Photos(photos) => &mut photos.choices,
        }
    }

    /// Two photos in two styles.
    fn photos() -> Photos {
        let style = |id: &str| NetworkOf::Style(id.to_owned(), ModelSize::Full);
        let sources = vec!["in/bad.png".into(), "in/large.png".into()];
        let styles = vec![style("candy"), NetworkOf::Mix(vec![("wave".to_owned(), 70)])];
        Photos::new(sources, styles, "out".into(), Choices::default())
    }

    #[test]
    fn photos_survive_a_restart_and_continue() {
        let mut q = queue(&[]);
        q.add(Work::Photos(photos()), 4);
        q.begin(1);
        q.entries[0].progress[0] = 2;
        q.stop();
        let mut again = read(&text(&q)).expect("read");
        assert_eq!(again.entries[0].work, q.entries[0].work);
        assert_eq!(again.entries[0].done_text(), "2 of 4 pictures");
        again.begin(1);
        assert_eq!(again.entries[0].progress, [2, 4]);
        again.end(1, Err("no".to_owned()));
        again.retry(1);
        assert_eq!(again.entries[0].progress, [0, 4], "from the beginning");
        again.rename_style("candy", "sweets");
        let names = again.entries[0].work.photos().map(|p| p.styles[0].label());
        assert_eq!(names.as_deref(), Some("sweets"));
        for (from, to) in
            [("items = [0, 1, 2, 3]", "items = [9]"), ("progress = [2", "progress = [7")]
        {
            let damaged = text(&q).replacen(from, to, 1);
            assert_ne!(damaged, text(&q), "{from}");
            assert!(read(&damaged).is_err(), "{to}");
        }
    }

    #[test]
    fn a_sheet_starts_again_and_skipped_photos_are_replaced_alone() {
        let mut q = queue(&[]);
        let sheet = Some(Sheet { framing: Framing::default(), photo: None });
        q.add(Work::Photos(Photos { sheet, ..photos() }), 4);
        q.begin(1);
        q.entries[0].progress[0] = 2;
        q.stop();
        q.begin(1);
        assert_eq!(q.entries[0].progress, [0, 4]);
        let mut skipping = photos();
        skipping.note(3, ("large.png".to_owned(), "Wave"), Err(Unpainted::Exists("x".into())));
        q.add(Work::Photos(skipping), 4);
        q.replace_skipped(2);
        let again = q.entries[1].work.photos().expect("photos");
        assert_eq!(
            (&*again.items, again.replaces, again.results.skipped.len()),
            (&[3][..], true, 0)
        );
    }

    #[test]
    fn a_photo_that_fails_in_every_style_for_one_reason_is_listed_once() {
        let mut photos = photos();
        let mut failed = |item, photo: &str, style, why: &str| {
            photos.note(item, (photo.to_owned(), style), Err(Unpainted::Failed(why.to_owned())));
        };
        failed(0, "bad.png", "Candy", "it is damaged");
        failed(1, "large.png", "Candy", "no memory for Candy");
        failed(2, "bad.png", "Wave", "it is damaged");
        failed(3, "large.png", "Wave", "no memory for Wave");
        for item in [2, 3] {
            photos.note(item, ("x.png".to_owned(), "Wave"), Err(Unpainted::NoStyle));
        }
        let listed = |name: &str, why: &str| (name.to_owned(), why.to_owned());
        assert_eq!(
            photos.results.failures,
            [
                listed("bad.png", "it is damaged"),
                listed("large.png in Candy", "no memory for Candy"),
                listed("large.png in Wave", "no memory for Wave"),
                listed("Wave", NO_STYLE),
            ]
        );
    }

    #[test]
    fn exports_follow_a_style_that_is_renamed() {
        let mut q = queue(&["a"]);
        choices(&mut q).mix = vec![("candy".to_owned(), 20), ("wave".to_owned(), 80)];
        q.rename_style("candy", "sweets");
        let choices = choices(&mut q);
        assert_eq!(choices.style.as_deref(), Some("sweets"));
        assert_eq!(choices.mix, [("sweets".to_owned(), 20), ("wave".to_owned(), 80)]);
    }

    #[test]
    fn an_export_had_its_steadiness_next_to_its_choices() {
        let written = text(&queue(&["a"]));
        let moved = written.replacen("steadiness = 30\n", "", 1);
        assert_ne!(moved, written);
        let before = moved.replacen("quality = 80\n", "quality = 80\nsteadiness = 30\n", 1);
        let mut read = read(&before).expect("read");
        assert_eq!(choices(&mut read).steadiness, 30);
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
