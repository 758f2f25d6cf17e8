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
/// Name of the list of parts, for the join.
pub const LIST: &str = "parts.ffconcat";

/// How often the folder is removed while the encoder of a killed process may still create a file, and the pause between.
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(20);
/// In the names of files that are not complete, and what these begin with if not with the number of a frame.
const UNFINISHED: &str = ".unfinished.";
const UNFINISHED_KINDS: [&str; 4] = ["trial", "joined", "subtitles", "chapters"];
/// Length of the number of a frame in names.
const NUMBER_DIGITS: usize = 9;
/// Bytes of the hash before a state.
const HASH_BYTES: usize = size_of::<u64>();
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
    /// Reads the name of a part, also of an earlier version, which had no hash.
    fn of(name: &str) -> Option<Self> {
        let (stem, _) = name.rsplit_once('.').filter(|(_, end)| ["mp4", "mov"].contains(end))?;
        let (first, rest) = stem.split_once('-').filter(|(first, _)| is_number(first))?;
        let (frames, rest) = rest.split_once('-')?;
        let (span, rest) = rest.split_once('-')?;
        let (hash, ticks) = match rest.split_once('-') {
            Some((hash, ticks)) if !hash.is_empty() => (hash, ticks),
            _ => ("0", rest),
        };
        let ticks: i64 = ticks.parse().ok()?;
        Some(Self {
            first: first.parse::<u32>().ok()?.into(),
            frames: frames.parse::<u32>().ok().filter(|&frames| frames > 0)?.into(),
            ticks,
            last: ticks.checked_add_unsigned(span.parse().ok()?)?,
            hash: u64::from_str_radix(hash, 16).ok()?,
            name: name.to_owned(),
        })
    }

    /// True if it can be a line of the list for ffmpeg.
    fn is_current(&self) -> bool {
        ["mp4", "mov"].iter().any(|extension| self.name_with(extension) == self.name)
    }

    fn name_with(&self, extension: &str) -> String {
        let Self { first, frames, ticks, last, hash, .. } = self;
        format!(
            "{first:0NUMBER_DIGITS$}-{frames}-{}-{hash:016x}-{ticks}.{extension}",
            last.abs_diff(*ticks)
        )
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
    max_state_bytes: u64,
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
        && let Ok(parts) = Parts::open(output, "", 0, &RunControl::default())
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

/// True for the number of a frame, as names have it.
fn is_number(text: &str) -> bool {
    text.len() >= NUMBER_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// True for a file that this program, or an earlier version, has not completed.
fn is_unfinished(name: &str) -> bool {
    let Some((before, _)) = name.split_once(UNFINISHED) else { return false };
    let (what, random) = before.split_once('-').unwrap_or((before, ""));
    (is_number(what) || UNFINISHED_KINDS.contains(&what))
        && random.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_state(name: &str) -> bool {
    name.strip_suffix(STATE).is_some_and(is_number)
}

impl Parts {
    /// Opens or creates the folder for `output`. `about` says everything that the pictures depend on: parts of a film
    /// that differs in it are removed. `max_state_bytes` is 0 without steadiness.
    ///
    /// # Errors
    /// [`RenderError::Write`]; [`FilmError::File`] if another process paints this film; [`RenderError::Cancelled`].
    pub fn open(
        output: &Path,
        about: &str,
        max_state_bytes: u64,
        control: &RunControl,
    ) -> Result<Self, RenderError> {
        let folder = PrivateFolder::open(&folder_for(output))?;
        let (path, named) = (folder.path().to_owned(), folder.shown().to_owned());
        let shown = || named.display().to_string();
        let refused_at = |name: String, e: &io::Error| {
            RenderError::Write(WriteError::Refused { name, reason: cannot_write(&named, e) })
        };
        let refused = |e: io::Error| refused_at(shown(), &e);
        let remove = |name: &str| {
            fs::remove_file(path.join(name))
                .map_err(|e| refused_at(named.join(name).display().to_string(), &e))
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
            // Other names are not those of this program.
            let Ok(name) = entry.map_err(refused)?.file_name().into_string() else { continue };
            match Part::of(&name) {
                Some(part) if is_same && part.is_current() => list.push(part),
                Some(part) => {
                    removed += if part.is_current() { part.frames } else { 0 };
                    remove(&name)?;
                }
                None if is_unfinished(&name) => remove(&name)?,
                None if is_state(&name) => states.push(name),
                None => {}
            }
        }
        if !is_same {
            folder.write(ABOUT, about.as_bytes())?;
        }
        list.sort_by_key(|part| part.first);
        let mut hasher = DefaultHasher::new();
        about.hash(&mut hasher);
        let mut parts =
            Self { folder, list: Vec::new(), removed, spoilt: 0, hasher, max_state_bytes, lock };
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
        while max_state_bytes > 0 && parts.state().is_none() {
            let Some(part) = parts.list.pop() else { break };
            rest.push(part);
        }
        let kept = state_name(parts.frames());
        let rest = rest.into_iter().map(|part| part.name);
        for name in rest.chain(states.into_iter().filter(|name| *name != kept)) {
            remove(&name)?;
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
            let frames = part.first + frames;
            let hash = self.state_hash(frames, state).to_le_bytes();
            self.folder.write(&state_name(frames), &[&hash[..], state].concat())?;
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
        let max_bytes = self.max_state_bytes + HASH_BYTES as u64;
        let bytes = self.folder.read(&state_name(self.frames()), max_bytes).ok()?;
        let (hash, state) = bytes.split_first_chunk::<HASH_BYTES>()?;
        // Both devices store numbers of this kind; one that is not finite would stay in all later frames.
        let (numbers, _) = state.as_chunks::<4>();
        let is_finite = numbers.iter().all(|number| f32::from_le_bytes(*number).is_finite());
        let is_same = self.state_hash(self.frames(), state).to_le_bytes() == *hash;
        (is_same && is_finite).then(|| state.to_vec())
    }

    fn state_hash(&self, frames: u64, state: &[u8]) -> u64 {
        let mut hasher = self.hasher.clone();
        frames.hash(&mut hasher);
        hasher.write(state);
        hasher.finish()
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
                if is_unfinished(&name) || is_empty && is_state(&name) {
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
    format!("{frames:0NUMBER_DIGITS$}{STATE}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_parts_are_read_back() {
        let name = "000000096-48-25-00000000000000ff--3.mp4".to_owned();
        let part = Part { first: 96, frames: 48, ticks: -3, last: 22, hash: 255, name };
        assert_eq!(part.name_with("mp4"), part.name);
        assert!(part.is_current());
        assert_eq!(Part::of(&part.name), Some(part));
        for other in [
            "film.txt",
            "parts.ffconcat",
            "000000096.steady",
            "96-48-3-00000000000000ff-0.mp4",
            "20240131120000-holiday.mp4",
            "notes.unfinished.txt",
            "000000096-my.unfinished.mp4",
            "000000000-0-0-00000000000000ff-0.mp4",
            "000000000-4-2-00000000000000ff-0.mp4\nfile x.mp4",
            "000000000-4-2-00000000000000ff-0.'mp4",
            "000000000-4294967296-2-00000000000000ff-0.mp4",
        ] {
            assert_eq!((Part::of(other), is_unfinished(other)), (None, false), "{other}");
        }
        // Not joined, but removed.
        for earlier in ["000000103-48-4700-10300.mp4", "000000000-4-+2-00000000000000ff-0.mp4"] {
            assert!(Part::of(earlier).is_some_and(|part| !part.is_current()), "{earlier}");
        }
        for unfinished in [
            "000000096.unfinished.mp4",
            "000000096-1f.unfinished.mp4",
            "joined-00000000000000ff.unfinished.00001.png",
        ] {
            assert!(is_unfinished(unfinished), "{unfinished}");
        }
    }

    #[test]
    fn only_a_state_of_this_film_is_restored() {
        let place = tempfile::tempdir().expect("a folder");
        let output = place.path().join("a.mp4");
        let mut parts = Parts::open(&output, "candy", 8, &RunControl::default()).expect("made");
        let file = parts.unfinished("000000000", "mp4").expect("made");
        fs::write(&file, "part").expect("written");
        parts.add(&file, 4, 0..=3, Some(b"12345678")).expect("renamed");
        assert_eq!(parts.state().as_deref(), Some(&b"12345678"[..]));
        let name = state_name(4);
        let path = parts.folder().join(&name);
        let stored = fs::read(&path).expect("there");
        let not_finite = [[0; 4], f32::NAN.to_le_bytes()].concat();
        let hashed = parts.state_hash(4, &not_finite).to_le_bytes();
        let longer = [&parts.state_hash(4, &[0; 9]).to_le_bytes()[..], &[0; 9]].concat();
        let other = [&stored[..8], b"12345679"].concat();
        for wrong in [other, longer, [&hashed[..], &not_finite].concat(), Vec::new()] {
            fs::write(&path, &wrong).expect("written");
            assert_eq!(parts.state(), None, "{wrong:?}");
        }
    }

    #[test]
    fn what_cannot_be_removed_is_named() {
        let place = tempfile::tempdir().expect("a folder");
        let output = place.path().join("a.mp4");
        let folder = folder_for(&output).join("000000000-1-1-0.mp4");
        PrivateFolder::open(&folder_for(&output)).expect("made");
        fs::create_dir(&folder).expect("made");
        let other = folder_for(&output).join("20240131120000-holiday.mp4");
        fs::write(&other, "mine").expect("written");
        let opened = Parts::open(&output, "candy", 0, &RunControl::default());
        let error = opened.err().expect("a folder").to_string();
        assert!(error.starts_with(&folder.display().to_string()), "{error}");
        assert!(other.exists());
    }

    /// Opens a folder that this process has just closed. Another test's child process may hold the lock until it has
    /// become another program.
    fn reopened(output: &Path, about: &str) -> Parts {
        let mut attempts = (0..200).map(|_| {
            thread::sleep(Duration::from_millis(5));
            Parts::open(output, about, 0, &RunControl::default())
        });
        attempts.find_map(Result::ok).expect("opened")
    }

    #[test]
    fn a_film_continues_after_its_complete_parts() {
        let place = tempfile::tempdir().expect("a folder");
        let output = place.path().join("a.mp4");
        let open = || Parts::open(&output, "candy", 0, &RunControl::default());
        let mut parts = open().expect("made");
        let busy = open().err().map(|e| e.to_string()).unwrap_or_default();
        assert!(busy.contains("another StyleForge"), "{busy}");
        let add = |parts: &mut Parts, frames, times| {
            let file = parts.unfinished("000000000", "mp4").expect("made");
            fs::write(&file, "part").expect("written");
            parts.add(&file, frames, times, None).expect("renamed");
        };
        for (frames, times) in [(48, 0..=4700), (48, 4800..=9500), (7, 9600..=10_200)] {
            add(&mut parts, frames, times);
        }
        assert_eq!(parts.frames(), 103);
        let empty = parts.unfinished("000000000", "mp4").expect("made");
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
        let mut others = Parts::open(&other, "mosaic", 0, &RunControl::default()).expect("made");
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
