//! The folder of a film's parts, from which an interrupted film continues.
//!
//! `film.txt` says what is painted; a film with other settings starts anew. A complete part is called
//! `FIRST-COUNT-SPAN-TICKS.mp4`: the number of its first frame, how many it has, the time between the first and the last
//! one, and the time of the first one. Everything needed to go on is in the names, which are given when a part is
//! complete.

use std::{
    fs::{self, File},
    ops::RangeInclusive,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use super::RenderError;
use media::film::FilmError;
use values::disk::{self, Existing, WriteError, cannot_write};

/// Name of the file that says what is painted.
const ABOUT: &str = "film.txt";
/// Name of the file that the process holds which paints the film.
const LOCK: &str = "lock";
/// End of the name of the file with the state of the steadiness after the last part.
const STATE: &str = ".steady";
/// Name of the list of parts, for the join.
pub const LIST: &str = "parts.ffconcat";

/// How often the folder is removed while the encoder of a killed process may still create a file, and the pause between.
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(20);
/// In the names of files that are not complete.
const UNFINISHED: &str = ".unfinished.";

/// A complete part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub first: u64,
    pub frames: u64,
    /// Time of its first frame.
    pub ticks: i64,
    /// Time of its last frame.
    pub last: i64,
    pub name: String,
}

impl Part {
    fn of(name: &str) -> Option<Self> {
        let (stem, extension) = name.rsplit_once('.')?;
        let mut numbers = stem.splitn(4, '-');
        let mut next = || numbers.next().and_then(|n| n.parse::<i64>().ok());
        let (first, frames, span, ticks) = (next()?, next()?, next()?, next()?);
        let part = Self {
            first: u64::try_from(first).ok()?,
            frames: u64::try_from(frames).ok().filter(|&frames| frames > 0)?,
            ticks,
            last: ticks.checked_add(span)?,
            name: name.to_owned(),
        };
        (part.name_with(extension) == name).then_some(part)
    }

    fn name_with(&self, extension: &str) -> String {
        let Self { first, frames, ticks, last, .. } = self;
        format!("{first:09}-{frames}-{}-{ticks}.{extension}", last.saturating_sub(*ticks))
    }
}

/// The parts of one film. While this exists no other process can paint the film.
pub struct Parts {
    folder: PathBuf,
    list: Vec<Part>,
    /// Frames that were painted with other settings and are removed.
    pub removed: u64,
    lock: File,
}

/// The folder for the parts of `output`.
fn folder_for(output: &Path) -> PathBuf {
    let mut name = output.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    output.with_file_name(name)
}

/// Removes the parts of an unfinished film, unless another process paints it.
pub fn discard(output: &Path) {
    if folder_for(output).is_dir()
        && let Ok(parts) = Parts::open(output, "", false)
    {
        parts.leave(true);
    }
}

/// Removes what a process that was killed after it had published the finished `output` has left.
pub fn tidy(output: &Path) {
    // It is the first file that a finished film removes.
    if !folder_for(output).join(ABOUT).exists() {
        discard(output);
    }
}

impl Parts {
    /// Opens or creates the folder for `output`. `about` says everything that the pictures depend on: parts of a film
    /// that differs in it are removed.
    ///
    /// # Errors
    /// [`RenderError::Write`]; [`FilmError::File`] if another process paints this film.
    pub fn open(output: &Path, about: &str, has_state: bool) -> Result<Self, RenderError> {
        let folder = folder_for(output);
        disk::make_folder(&folder)?;
        let refused = |e: std::io::Error| {
            RenderError::Write(WriteError::Refused {
                name: folder.display().to_string(),
                reason: cannot_write(&folder, &e),
            })
        };
        let Some(lock) = disk::owned_file(&folder.join(LOCK))? else {
            let reason = "another StyleForge is painting it now";
            return Err(FilmError::file(output.display(), reason).into());
        };
        disk::sweep(&folder);
        let is_same = fs::read(folder.join(ABOUT)).is_ok_and(|before| before == about.as_bytes());
        let (mut list, mut states, mut removed) = (Vec::new(), Vec::new(), 0);
        for entry in fs::read_dir(&folder).map_err(refused)? {
            let name = entry.map_err(refused)?.file_name();
            let Some(name) = name.to_str() else { continue };
            match Part::of(name) {
                Some(part) if is_same => list.push(part),
                Some(part) => {
                    removed += part.frames;
                    fs::remove_file(folder.join(name)).map_err(refused)?;
                }
                None if name.ends_with(STATE) => states.push(folder.join(name)),
                None if name.contains(UNFINISHED) => {
                    fs::remove_file(folder.join(name)).map_err(refused)?;
                }
                None => {}
            }
        }
        if !is_same {
            disk::write_bytes(&folder.join(ABOUT), about.as_bytes())?;
        }
        list.sort_by_key(|part| part.first);
        let mut parts = Self { folder: folder.clone(), list: Vec::new(), removed, lock };
        let mut rest = list.into_iter().peekable();
        while let Some(part) = rest.next_if(|part| part.first == parts.frames()) {
            parts.list.push(part);
        }
        let mut rest: Vec<Part> = rest.collect();
        while has_state && parts.state().is_none() {
            let Some(part) = parts.list.pop() else { break };
            rest.push(part);
        }
        let rest = rest.iter().map(|part| parts.folder.join(&part.name));
        let kept = parts.state_file(parts.frames());
        for file in rest.chain(states.into_iter().filter(|file| *file != kept)) {
            fs::remove_file(file).map_err(refused)?;
        }
        Ok(parts)
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn list(&self) -> &[Part] {
        &self.list
    }

    /// Number of complete frames.
    pub fn frames(&self) -> u64 {
        self.list.last().map_or(0, |part| part.first + part.frames)
    }

    /// Gives the complete file `unfinished` the name of the next part. `state` is the one after it, if there is any.
    ///
    /// # Errors
    /// The system's refusal.
    pub fn add(
        &mut self,
        unfinished: &Path,
        frames: u64,
        times: RangeInclusive<i64>,
        state: Option<&[u8]>,
    ) -> Result<(), WriteError> {
        let extension = unfinished.extension().unwrap_or_default().to_string_lossy();
        let (ticks, last) = times.into_inner();
        let mut part = Part { first: self.frames(), frames, ticks, last, name: String::new() };
        part.name = part.name_with(&extension);
        // Before the part: each part has its state at any time. A short last part has none, and needs the one before it.
        if let Some(state) = state {
            disk::write_bytes(&self.state_file(part.first + frames), state)?;
        }
        disk::publish(unfinished, &self.folder.join(&part.name), Existing::Keep)?;
        if state.is_some() {
            fs::remove_file(self.state_file(part.first)).ok();
        }
        self.list.push(part);
        Ok(())
    }

    /// The state of the steadiness after the complete frames.
    pub fn state(&self) -> Option<Vec<u8>> {
        fs::read(self.state_file(self.frames())).ok()
    }

    fn state_file(&self, frames: u64) -> PathBuf {
        self.folder.join(format!("{frames:09}{STATE}"))
    }

    /// The path of a file that is not complete yet. Its name differs between processes, because the encoder of a killed
    /// one runs on for a moment.
    pub fn unfinished(&self, what: &str, extension: &str) -> PathBuf {
        self.folder.join(format!("{what}-{}{UNFINISHED}{extension}", std::process::id()))
    }

    /// Removes what is not complete; and everything, if the film `is_finished` or nothing is complete.
    pub fn leave(self, is_finished: bool) {
        let is_empty = is_finished || self.list.is_empty();
        // See [`tidy`] for the order.
        let parts = self.list.iter().map(|part| part.name.as_str());
        for name in [ABOUT].into_iter().chain(parts).chain([LIST, LOCK]).filter(|_| is_empty) {
            fs::remove_file(self.folder.join(name)).ok();
        }
        // On Windows, a file stays in its folder while it is open.
        drop(self.lock);
        for _ in 0..ATTEMPTS {
            for file in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
                let name = file.file_name();
                let name = name.to_string_lossy();
                if name.contains(UNFINISHED) || is_empty && name.ends_with(STATE) {
                    fs::remove_file(file.path()).ok();
                }
            }
            // Stays if something else is in it.
            if !is_empty || fs::remove_dir(&self.folder).is_ok() {
                return;
            }
            thread::sleep(PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_parts_are_read_back() {
        let name = "000000096-48-25--3.mp4".to_owned();
        let part = Part { first: 96, frames: 48, ticks: -3, last: 22, name };
        assert_eq!(part.name_with("mp4"), part.name);
        assert_eq!(Part::of(&part.name), Some(part));
        for other in [
            "film.txt",
            "parts.ffconcat",
            "96-48-3-0.mp4",
            "000000096-48-3.mp4",
            "000000096.unfinished.mp4",
            "000000000-0-0-0.mp4",
        ] {
            assert_eq!(Part::of(other), None, "{other}");
        }
    }

    /// Opens a folder that this process has just closed. Another test's child process may hold the lock until it has
    /// become another program.
    fn reopened(output: &Path, about: &str) -> Parts {
        let mut attempts = (0..200).map(|_| {
            thread::sleep(Duration::from_millis(5));
            Parts::open(output, about, false)
        });
        attempts.find_map(Result::ok).expect("opened")
    }

    #[test]
    fn a_film_continues_after_its_complete_parts() {
        let place = tempfile::tempdir().expect("a folder");
        let output = place.path().join("a.mp4");
        let mut parts = Parts::open(&output, "candy", false).expect("made");
        let busy =
            Parts::open(&output, "candy", false).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(busy.contains("another StyleForge"), "{busy}");
        for (frames, times) in [(48, 0..=4700), (48, 4800..=9500), (7, 9600..=10_200)] {
            let file = parts.folder().join("000.unfinished.mp4");
            fs::write(&file, "part").expect("written");
            parts.add(&file, frames, times, None).expect("renamed");
        }
        assert_eq!(parts.frames(), 103);
        fs::write(parts.folder().join("000000103.unfinished.mp4"), "torn").expect("written");
        drop(parts);
        let parts = reopened(&output, "candy");
        assert_eq!((parts.frames(), parts.list()[1].ticks), (103, 4800));
        assert!(!parts.folder().join("000000103.unfinished.mp4").exists());
        // A missing part ends the film before it.
        fs::remove_file(parts.folder().join(&parts.list()[1].name)).expect("removed");
        drop(parts);
        let parts = reopened(&output, "candy");
        assert_eq!(parts.frames(), 48);
        drop(parts);
        let parts = reopened(&output, "udnie");
        assert_eq!(parts.frames(), 0);
        let folder = parts.folder().to_owned();
        parts.leave(true);
        assert!(!folder.exists());
    }
}
