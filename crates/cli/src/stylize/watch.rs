//! `--watch`: paints what arrives in folders.
//!
//! The folders are listed again and again, because no system tells about changes on a network drive. A file is painted
//! once it has stayed the same for a few looks. A file that changes after that was not complete, or is a new one of the
//! same name: it is painted again, over the painting that was made of it, unless somebody has changed that one since.

use std::{
    collections::{HashMap, HashSet},
    mem,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant, SystemTime},
};

use super::{Run, memory::OpenBytes, shared::THREADS_PER_GPU};
use crate::{
    CliError,
    inputs::{Inputs, PhotoInput, listed},
    interrupt::interruptible,
    job::{Job, Target},
    progress::Progress,
    terminal::write_note,
};
use backend::RunControl;
use engine::{network_choice::ChosenNetwork, paint::Painters};
use pictures::{encode::Existing, folder::FileInFolder};
use values::mode::DeviceChoice;

/// Looks during which a complete file stays the same.
const STEADY_LOOKS: usize = 3;
/// Time between two looks, and how many times as long as a look it is at least: listing a network drive is slow.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const LOOK_SHARE: u32 = 4;
/// How often a wait asks whether it is to end.
const STOP_EVERY: Duration = Duration::from_millis(100);

/// Length and time of the last change, which differ once a file was written to.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp(u64, Option<SystemTime>);

impl Stamp {
    /// `None` if there is no such file.
    fn of(path: &Path) -> Option<Self> {
        let found = path.metadata().ok()?;
        Some(Self(found.len(), found.modified().ok()))
    }
}

/// A file in a watched folder.
#[derive(Default)]
struct Known {
    stamp: Option<Stamp>,
    /// Looks at which it had this stamp.
    looks: usize,
    /// The stamp with which it was painted, or failed.
    done: Option<Stamp>,
    /// Its paintings, each as it was written; `None` if it was not written or was there before.
    paintings: Vec<(PathBuf, Option<Stamp>)>,
}

/// The files in the watched folders.
#[derive(Default)]
struct Arrivals {
    known: HashMap<PathBuf, Known>,
}

impl Arrivals {
    /// Notes that the folders contain these files, and returns those that are complete and not painted, in the order
    /// given.
    fn complete(&mut self, files: Vec<(FileInFolder, Stamp)>) -> Vec<FileInFolder> {
        let mut before = mem::take(&mut self.known);
        let mut complete = Vec::new();
        for (file, stamp) in files {
            let mut known = before.remove(&file.0).unwrap_or_default();
            known.looks = if known.stamp == Some(stamp) { known.looks + 1 } else { 1 };
            known.stamp = Some(stamp);
            let is_complete = known.looks >= STEADY_LOOKS && known.done != Some(stamp);
            self.known.insert(file.0.clone(), known);
            if is_complete {
                complete.push(file);
            }
        }
        complete
    }
}

/// A run of `stylize` that does not end.
pub struct Watch<'a> {
    pub job: Job,
    pub styles: &'a [ChosenNetwork],
    /// The styles' names in file names.
    pub labels: &'a [String],
    pub painters: &'a Painters,
    arrivals: Arrivals,
    /// Paintings of all sources, whose names are not used again.
    taken: HashSet<PathBuf>,
    /// Notes about the folders that were printed.
    printed: HashSet<String>,
    noted: Arc<Mutex<Vec<String>>>,
    failures: usize,
}

impl<'a> Watch<'a> {
    pub fn new(
        job: Job,
        styles: &'a [ChosenNetwork],
        labels: &'a [String],
        painters: &'a Painters,
    ) -> Self {
        Self {
            job,
            styles,
            labels,
            painters,
            arrivals: Arrivals::default(),
            taken: HashSet::new(),
            printed: HashSet::new(),
            noted: Arc::default(),
            failures: 0,
        }
    }

    /// Paints what arrives until Ctrl-C or SIGTERM, and returns how many paintings failed. The photo in hand is
    /// finished; a video is stopped so that the same command continues it.
    ///
    /// # Errors
    /// [`CliError::WrongUse`] if a painting would replace what arrived.
    pub fn run(mut self) -> Result<usize, CliError> {
        let stop = interruptible();
        let threads = match self.painters.with(|painter| painter.backend().device().kind) {
            DeviceChoice::Cpu => 1,
            _ => self.painters.count() * THREADS_PER_GPU,
        };
        self.note("waiting for photos and videos; Ctrl-C ends this".to_owned());
        while !stop.is_cancelled() {
            let began = Instant::now();
            let mut complete = self.look();
            complete.truncate(self.job.args.batch * threads);
            if complete.is_empty() {
                wait(LOOK_EVERY.max(began.elapsed() * LOOK_SHARE), &stop);
                continue;
            }
            let (changed, new) =
                complete.into_iter().partition(|file| self.arrivals.known[&file.0].done.is_some());
            self.paint(new, Existing::Keep, &stop)?;
            let changed = self.unedited(changed);
            self.paint(changed, Existing::Replace, &stop)?;
        }
        Ok(self.failures)
    }

    /// Prints a note about the folders, once.
    fn note(&mut self, text: String) {
        if !self.printed.contains(&text) && !self.job.args.quiet {
            write_note(&text);
            self.printed.insert(text);
        }
    }

    /// Lists the folders, and returns the files that are complete and not painted.
    fn look(&mut self) -> Vec<FileInFolder> {
        let mut files = Vec::new();
        for input in self.job.args.inputs.clone() {
            match listed(&input, &self.job.args.output, self.job.args.recursive) {
                Ok((found, notes)) => {
                    files.extend(found);
                    notes.into_iter().for_each(|text| self.note(text));
                }
                // A drive may come back; until then nothing is forgotten.
                Err(error) => {
                    self.note(format!("{error}; waiting for it"));
                    return Vec::new();
                }
            }
        }
        let stamped = files.into_iter().filter_map(|file| Stamp::of(&file.0).map(|s| (file, s)));
        self.arrivals.complete(stamped.collect())
    }

    /// Those of changed files whose paintings are still as they were written: the others are somebody's work.
    fn unedited(&mut self, changed: Vec<FileInFolder>) -> Vec<FileInFolder> {
        let mut unedited = Vec::new();
        for file in changed {
            let Some(known) = self.arrivals.known.get_mut(&file.0) else {
                continue;
            };
            let edited = known.paintings.iter().find(|(painting, written)| {
                let now = Stamp::of(painting);
                now.is_some() && now != *written
            });
            if let Some((painting, _)) = edited {
                let (name, painting) = (file.0.display(), painting.display());
                let text = format!(
                    "{name} has changed; its painting {painting} is kept, because it was there before or has changed too. Remove it \
                     to have it painted again"
                );
                known.done = known.stamp;
                self.note(text);
            } else {
                known.paintings.iter().for_each(|(painting, _)| {
                    self.taken.remove(painting);
                });
                unedited.push(file);
            }
        }
        unedited
    }

    /// Paints files in every style.
    fn paint(
        &mut self,
        files: Vec<FileInFolder>,
        existing: Existing,
        stop: &Arc<RunControl>,
    ) -> Result<(), CliError> {
        if files.is_empty() {
            return Ok(());
        }
        let names: Vec<PathBuf> = files.iter().map(|(path, _)| path.clone()).collect();
        let sources = files.into_iter().map(|(path, at)| (PhotoInput::File(path), at)).collect();
        self.job.existing = existing;
        self.job.args.skip_existing = existing == Existing::Keep;
        self.job.take(Inputs { sources, from_folder: true, notes: Vec::new() })?;
        for text in mem::take(&mut self.job.notes) {
            self.note(text);
        }
        let (photos, films) = self.job.targets(self.labels, &mut self.taken)?;
        let is_quiet = self.job.args.quiet;
        let mut run = Run {
            progress: if is_quiet { Progress::quiet() } else { Progress::new(photos.len()) },
            painters: self.painters,
            job: &self.job,
            styles: self.styles,
            control: Arc::default(),
            open_bytes: OpenBytes::unlimited(),
            failures: 0,
            skipped: 0,
            noted: self.noted.clone(),
        };
        // Each painting, and what was there before.
        let row_of = |row: &[Target]| row.iter().map(|target| target.path().to_owned()).collect();
        let of_photos = photos.iter().map(|row| row_of(row));
        let rows: Vec<Vec<PathBuf>> = of_photos.chain(films.iter().cloned()).collect();
        let before = |path: &PathBuf| (path.clone(), Stamp::of(path));
        let before: Vec<Vec<_>> = rows.iter().map(|row| row.iter().map(before).collect()).collect();
        let painted = run.paint_photos(&photos);
        run.progress.finish();
        run.control = stop.clone();
        let painted = painted.and_then(|()| run.paint_films(&films));
        self.failures += run.failures;
        let sources = self.job.sources.iter().filter_map(|photo| photo.input.file());
        let sources = sources.chain(self.job.films.iter().map(|film| film.source.as_path()));
        for (source, row) in sources.zip(before) {
            if let Some(known) = self.arrivals.known.get_mut(source) {
                let written = |(path, before): (PathBuf, Option<Stamp>)| {
                    let now = Stamp::of(&path).filter(|now| before.as_ref() != Some(now));
                    (path, now)
                };
                known.paintings = row.into_iter().map(written).collect();
            }
        }
        for name in names {
            if let Some(known) = self.arrivals.known.get_mut(&name) {
                known.done = known.stamp;
            }
        }
        match painted {
            // The loop sees that it is to end.
            Err(CliError::Stopped) => Ok(()),
            painted => painted,
        }
    }
}

/// Waits this long, or until `stop`.
fn wait(time: Duration, stop: &RunControl) {
    let end = Instant::now() + time;
    while Instant::now() < end && !stop.is_cancelled() {
        thread::sleep(STOP_EVERY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_complete_once_they_stay_the_same() {
        let mut arrivals = Arrivals::default();
        let file = |name: &str| (PathBuf::from(name), PathBuf::new());
        let mut look = |lengths: &[(&str, u64)]| {
            let files = lengths.iter().map(|&(name, length)| (file(name), Stamp(length, None)));
            let complete = arrivals.complete(files.collect());
            for (path, _) in &complete {
                let known = arrivals.known.get_mut(path).expect("known");
                known.done = known.stamp;
            }
            complete.into_iter().map(|(path, _)| path).collect::<Vec<_>>()
        };
        let none: [PathBuf; 0] = [];
        for _ in 1..STEADY_LOOKS {
            assert_eq!(look(&[("a", 5), ("growing", 1)]), none);
        }
        assert_eq!(look(&[("a", 5), ("growing", 2)]), [PathBuf::from("a")]);
        // Each once.
        assert_eq!(look(&[("a", 5), ("growing", 2)]), none);
        assert_eq!(look(&[("a", 5), ("growing", 2)]), [PathBuf::from("growing")]);
        assert_eq!(look(&[("a", 5), ("growing", 2)]), none);
        // Again once it has changed.
        for _ in 1..STEADY_LOOKS {
            assert_eq!(look(&[("a", 6), ("growing", 2)]), none);
        }
        assert_eq!(look(&[("a", 6), ("growing", 2)]), [PathBuf::from("a")]);
        // A file that went is forgotten.
        assert_eq!(look(&[]), none);
        assert!(arrivals.known.is_empty());
    }
}
