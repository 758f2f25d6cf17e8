//! The folder of a film's parts, from which an interrupted film continues.
//!
//! `film.txt` says what is painted; a film with other settings starts anew. A complete part is called
//! `FIRST-COUNT-SPAN-HASH-TICKS.mp4`: the number of its first frame, how many it has, the time between the first and the
//! last one, a hash of its content, and the time of the first one. Everything needed to continue is in the names, which
//! parts get when they are complete. What does not match its name is painted again.

use std::{
    fs::{self, File},
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, Read},
    ops::RangeInclusive,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use super::RenderError;
use backend::RunControl;
use media::film::FilmError;
use values::disk::{self, Existing, PrivateFolder, WriteError, cannot_write};

/// Name of the file that says what is painted.
const ABOUT: &str = "film.txt";
/// Name of the file that the process holds which paints the film.
const LOCK: &str = "lock";
/// End of the name of the file with the state of the steadiness after the last part.
const STATE: &str = ".steady";
/// Maximum size of that file, more than the state of the largest frame.
const MAX_STATE_BYTES: u64 = 1 << 30;
/// Name of the list of parts, for the join.
pub const LIST: &str = "parts.ffconcat";

/// How often the folder is removed while the encoder of a killed process may still create a file, and the pause between.
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(20);
/// In the names of files that are not complete.
const UNFINISHED: &str = ".unfinished.";
/// Bytes that are hashed at once; another number changes the hash.
const HASHED_BYTES: u64 = 1 << 16;

/// A complete part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub first: u64,
    pub frames: u64,
    /// Time of its first frame.
    pub ticks: i64,
    /// Time of its last frame.
    pub last: i64,
    pub hash: u64,
    pub name: String,
}

impl Part {
    fn of(name: &str) -> Option<Self> {
        let (stem, extension) = name.rsplit_once('.')?;
        let [first, frames, span, hash, ticks] =
            stem.splitn(5, '-').collect::<Vec<_>>().try_into().ok()?;
        let ticks: i64 = ticks.parse().ok()?;
        let part = Self {
            first: first.parse::<u32>().ok()?.into(),
            frames: frames.parse::<u32>().ok().filter(|&frames| frames > 0)?.into(),
            ticks,
            last: ticks.checked_add_unsigned(span.parse().ok()?)?,
            hash: u64::from_str_radix(hash, 16).ok()?,
            name: name.to_owned(),
        };
        // A line of the list for ffmpeg.
        let is_ours = ["mp4", "mov"].contains(&extension) && part.name_with(extension) == name;
        is_ours.then_some(part)
    }

    fn name_with(&self, extension: &str) -> String {
        let Self { first, frames, ticks, last, hash, .. } = self;
        format!("{first:09}-{frames}-{}-{hash:016x}-{ticks}.{extension}", last.abs_diff(*ticks))
    }

    /// The hash of this part of a film: of what is painted, of its place and times, and of its content.
    fn hash(&self, film: &DefaultHasher, mut content: File) -> io::Result<u64> {
        let (mut hasher, mut bytes) = (film.clone(), Vec::new());
        [self.first, self.frames].hash(&mut hasher);
        [self.ticks, self.last].hash(&mut hasher);
        while (&mut content).take(HASHED_BYTES).read_to_end(&mut bytes)? > 0 {
            hasher.write(&bytes);
            bytes.clear();
        }
        Ok(hasher.finish())
    }
}

/// The parts of one film. While this exists no other process can paint the film.
pub struct Parts {
    folder: PrivateFolder,
    list: Vec<Part>,
    /// Frames that were painted with other settings and are removed.
    pub removed: u64,
    /// Frames of parts that are damaged or that follow a damaged or missing one, and are removed.
    pub spoilt: u64,
    /// Of what is painted.
    hasher: DefaultHasher,
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
        && let Ok(parts) = Parts::open(output, "", false, &RunControl::default())
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

/// True if this program made a file of this name, now or in an earlier version: a part, or an unfinished file.
fn is_ours(name: &str) -> bool {
    let number = name.split('-').next().unwrap_or_default();
    let is_part = number.len() >= 9 && number.len() < name.len();
    name.contains(UNFINISHED) || is_part && number.bytes().all(|byte| byte.is_ascii_digit())
}

impl Parts {
    /// Opens or creates the folder for `output`. `about` says everything that the pictures depend on: parts of a film
    /// that differs in it are removed.
    ///
    /// # Errors
    /// [`RenderError::Write`]; [`FilmError::File`] if another process paints this film; [`RenderError::Cancelled`].
    pub fn open(
        output: &Path,
        about: &str,
        has_state: bool,
        control: &RunControl,
    ) -> Result<Self, RenderError> {
        let folder = PrivateFolder::open(&folder_for(output))?;
        let (path, named) = (folder.path().to_owned(), folder.shown().to_owned());
        let shown = || named.display().to_string();
        let refused = |e: io::Error| {
            RenderError::Write(WriteError::Refused {
                name: shown(),
                reason: cannot_write(&named, &e),
            })
        };
        let Some(lock) = folder.lock(LOCK)? else {
            let reason = "another StyleForge is painting it now";
            return Err(FilmError::file(output.display(), reason).into());
        };
        disk::sweep(&path);
        let before = folder.read(ABOUT, about.len() as u64);
        let is_same = before.is_ok_and(|before| before == about.as_bytes());
        let (mut list, mut states, mut removed) = (Vec::new(), Vec::new(), 0);
        for entry in fs::read_dir(&path).map_err(refused)? {
            let entry = entry.map_err(refused)?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            match Part::of(&name) {
                Some(part) if is_same => list.push(part),
                part if is_ours(&name) => {
                    removed += part.map_or(0, |part| part.frames);
                    fs::remove_file(entry.path()).map_err(refused)?;
                }
                _ if name.ends_with(STATE) => states.push(name.into_owned()),
                _ => {}
            }
        }
        if !is_same {
            folder.write(ABOUT, about.as_bytes())?;
        }
        list.sort_by_key(|part| part.first);
        let mut hasher = DefaultHasher::new();
        about.hash(&mut hasher);
        let mut parts = Self { folder, list: Vec::new(), removed, spoilt: 0, hasher, lock };
        let mut rest = list.into_iter().peekable();
        while let Some(part) = rest.next_if(|part| parts.continues_with(part)) {
            parts.list.push(part);
            if control.is_cancelled() {
                let frames = parts.frames();
                return Err(RenderError::Cancelled { frames, parts: shown() });
            }
        }
        let mut rest: Vec<Part> = rest.collect();
        parts.spoilt = rest.iter().map(|part| part.frames).fold(0, u64::saturating_add);
        while has_state && parts.state().is_none() {
            let Some(part) = parts.list.pop() else { break };
            rest.push(part);
        }
        let kept = state_name(parts.frames());
        let rest = rest.into_iter().map(|part| part.name);
        for name in rest.chain(states.into_iter().filter(|name| *name != kept)) {
            fs::remove_file(path.join(name)).map_err(refused)?;
        }
        Ok(parts)
    }

    /// True if the part is the next one and its content matches its name.
    fn continues_with(&self, part: &Part) -> bool {
        let hash = || part.hash(&self.hasher, self.folder.file(&part.name)?);
        part.first == self.frames() && hash().is_ok_and(|hash| hash == part.hash)
    }

    /// See [`PrivateFolder::path`].
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// See [`PrivateFolder::shown`].
    pub fn shown(&self) -> &Path {
        self.folder.shown()
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
        let name =
            |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let extension = unfinished.extension().unwrap_or_default().to_string_lossy();
        let (ticks, last) = times.into_inner();
        let mut part =
            Part { first: self.frames(), frames, ticks, last, hash: 0, name: String::new() };
        let content =
            self.folder.file(&name(unfinished)).and_then(|file| match file.metadata()?.len() {
                0 => Err(io::Error::other("ffmpeg wrote nothing")),
                _ => part.hash(&self.hasher, file),
            });
        part.hash = content.map_err(|e| WriteError::Refused {
            name: unfinished.display().to_string(),
            reason: disk::reason(&e),
        })?;
        part.name = part.name_with(&extension);
        // Before the part: each part has its state at any time. A short last part has none, and needs the one before it.
        if let Some(state) = state {
            self.folder.write(&state_name(part.first + frames), state)?;
        }
        disk::publish(unfinished, &self.folder().join(&part.name), Existing::Keep)?;
        if state.is_some() {
            fs::remove_file(self.folder().join(state_name(part.first))).ok();
        }
        self.list.push(part);
        Ok(())
    }

    /// Removes this part and the later ones, so that they are painted again.
    pub fn remove_from(&mut self, number: usize) {
        for part in self.list.drain(number..) {
            fs::remove_file(self.folder.path().join(part.name)).ok();
        }
    }

    /// The state of the steadiness after the complete frames.
    pub fn state(&self) -> Option<Vec<u8>> {
        self.folder.read(&state_name(self.frames()), MAX_STATE_BYTES).ok()
    }

    /// Writes the list of parts.
    ///
    /// # Errors
    /// The system's refusal.
    pub fn write_list(&self, list: &str) -> Result<(), WriteError> {
        self.folder.write(LIST, list.as_bytes())
    }

    /// Creates a file that is not complete yet. Its name differs between processes, because the encoder of a killed one
    /// runs on for a moment.
    ///
    /// # Errors
    /// The system's refusal.
    pub fn unfinished(&self, what: &str, extension: &str) -> Result<PathBuf, WriteError> {
        self.folder.create(&format!("{what}-"), &format!("{UNFINISHED}{extension}"))
    }

    /// Removes what is not complete; and everything, if the film `is_finished` or nothing is complete.
    pub fn leave(self, is_finished: bool) {
        let is_empty = is_finished || self.list.is_empty();
        let folder = self.folder.path();
        // See [`tidy`] for the order.
        let parts = self.list.iter().map(|part| part.name.as_str());
        for name in [ABOUT].into_iter().chain(parts).chain([LIST, LOCK]).filter(|_| is_empty) {
            fs::remove_file(folder.join(name)).ok();
        }
        // On Windows, a file stays in its folder while it is open.
        drop(self.lock);
        for _ in 0..ATTEMPTS {
            for file in fs::read_dir(folder).into_iter().flatten().flatten() {
                let name = file.file_name();
                let name = name.to_string_lossy();
                if name.contains(UNFINISHED) || is_empty && name.ends_with(STATE) {
                    fs::remove_file(file.path()).ok();
                }
            }
            // Stays if something else is in it.
            if !is_empty || fs::remove_dir(self.folder.shown()).is_ok() {
                return;
            }
            thread::sleep(PAUSE);
        }
    }
}

fn state_name(frames: u64) -> String {
    format!("{frames:09}{STATE}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_parts_are_read_back() {
        let name = "000000096-48-25-00000000000000ff--3.mp4".to_owned();
        let part = Part { first: 96, frames: 48, ticks: -3, last: 22, hash: 255, name };
        assert_eq!(part.name_with("mp4"), part.name);
        assert_eq!(Part::of(&part.name), Some(part));
        for (other, is_made_here) in [
            ("film.txt", false),
            ("parts.ffconcat", false),
            ("000000096.steady", false),
            ("96-48-3-00000000000000ff-0.mp4", false),
            ("000000096-48-3.mp4", true),
            ("000000096-1f.unfinished.mp4", true),
            ("000000000-0-0-00000000000000ff-0.mp4", true),
            ("000000000-4-+2-00000000000000ff-0.mp4", true),
            ("000000000-4-2-00000000000000ff-0.mp4\nfile x.mp4", true),
            ("000000000-4-2-00000000000000ff-0.'mp4", true),
            ("000000000-4294967296-2-00000000000000ff-0.mp4", true),
        ] {
            assert_eq!((Part::of(other), is_ours(other)), (None, is_made_here), "{other}");
        }
    }

    /// Opens a folder that this process has just closed. Another test's child process may hold the lock until it has
    /// become another program.
    fn reopened(output: &Path, about: &str) -> Parts {
        let mut attempts = (0..200).map(|_| {
            thread::sleep(Duration::from_millis(5));
            Parts::open(output, about, false, &RunControl::default())
        });
        attempts.find_map(Result::ok).expect("opened")
    }

    #[test]
    fn a_film_continues_after_its_complete_parts() {
        let place = tempfile::tempdir().expect("a folder");
        let output = place.path().join("a.mp4");
        let open = || Parts::open(&output, "candy", false, &RunControl::default());
        let mut parts = open().expect("made");
        let busy = open().err().map(|e| e.to_string()).unwrap_or_default();
        assert!(busy.contains("another StyleForge"), "{busy}");
        let add = |parts: &mut Parts, frames, times| {
            let file = parts.unfinished("000", "mp4").expect("made");
            fs::write(&file, "part").expect("written");
            parts.add(&file, frames, times, None).expect("renamed");
        };
        for (frames, times) in [(48, 0..=4700), (48, 4800..=9500), (7, 9600..=10_200)] {
            add(&mut parts, frames, times);
        }
        assert_eq!(parts.frames(), 103);
        let empty = parts.unfinished("000", "mp4").expect("made");
        parts.add(&empty, 1, 0..=0, None).expect_err("nothing was written");
        fs::write(parts.folder().join("000000103.unfinished.mp4"), "torn").expect("written");
        // A name of an earlier version.
        fs::write(parts.folder().join("000000103-48-4700-10300.mp4"), "part").expect("written");
        drop(parts);
        let parts = reopened(&output, "candy");
        assert_eq!((parts.frames(), parts.list()[1].ticks), (103, 4800));
        for gone in ["000000103.unfinished.mp4", "000000103-48-4700-10300.mp4"] {
            assert!(!parts.folder().join(gone).exists(), "{gone}");
        }
        // A missing part ends the film before it.
        fs::remove_file(parts.folder().join(&parts.list()[1].name)).expect("removed");
        drop(parts);
        let mut parts = reopened(&output, "candy");
        assert_eq!((parts.frames(), parts.spoilt), (48, 7));
        // What its name does not promise, and parts of another film.
        let part = |parts: &Parts, number: usize| parts.folder().join(&parts.list()[number].name);
        add(&mut parts, 48, 4800..=9500);
        add(&mut parts, 48, 9600..=14_300);
        let whole = fs::read(part(&parts, 1)).expect("there");
        fs::write(part(&parts, 1), "other").expect("written");
        drop(parts);
        let parts = reopened(&output, "candy");
        assert_eq!((parts.frames(), parts.spoilt, parts.removed), (48, 96, 0));
        let other = place.path().join("b.mp4");
        let mut others =
            Parts::open(&other, "mosaic", false, &RunControl::default()).expect("made");
        add(&mut others, 48, 0..=4700);
        add(&mut others, 48, 4800..=9500);
        let foreign = part(&others, 1);
        fs::copy(&foreign, parts.folder().join(&others.list()[1].name)).expect("copied");
        drop(parts);
        let mut parts = reopened(&output, "candy");
        assert_eq!((parts.frames(), parts.spoilt), (48, 48));
        add(&mut parts, 48, 4800..=9500);
        assert_eq!(fs::read(part(&parts, 1)).expect("there"), whole);
        drop(parts);
        let parts = reopened(&output, "udnie");
        assert_eq!((parts.frames(), parts.removed), (0, 96));
        let folder = parts.folder().to_owned();
        parts.leave(true);
        assert!(!folder.exists());
    }
}
