//! Recordings that a program left behind when it was killed: found, and given the names that they were to get.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    avi::Avi,
    mp4::Mp4,
    partial,
    pictures::{Pictures, TABLE},
    recorded::{length_in_words, pictures},
};
use crate::disk::{self, Claim};

/// A recording that was not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interrupted {
    /// Where it lies now: the file of a video, or the folder of pictures.
    pub path: PathBuf,
    /// How much of it can be played, or is told of by the table of its pictures.
    pub length: Duration,
    /// How many pictures a folder has; `None` for a video.
    pub pictures: Option<u64>,
    /// Why it kept the name of a recording that is being written.
    pub kept: Option<String>,
}

/// What was found of recordings that were not ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interruptions {
    /// Those whose program is gone.
    pub recordings: Vec<Interrupted>,
    /// Whether there are more that a process holds. The system takes a while to put a program away that was killed,
    /// so one of these may be interrupted all the same: another look later decides.
    pub undecided: bool,
}

impl Interruptions {
    /// Looks for recordings directly in `folder` that were interrupted because their program was killed, and gives
    /// them the names that they were to get, or ones with a number where these are taken. None is replaced or removed,
    /// but for files of which nothing can be played. Blocks while the disk is asked.
    pub fn in_folder(folder: &Path) -> Self {
        let mut found = Self::default();
        let Ok(entries) = fs::read_dir(folder) else {
            // Recording into it will say why.
            return found;
        };
        for entry in entries.flatten() {
            let path = entry.path();
            let recording = match entry.file_type() {
                Ok(kind) if kind.is_dir() => found.look_at_pictures(&path),
                _ => found.look_at_video(&path),
            };
            found.recordings.extend(recording);
        }
        found.recordings.sort_by(|a, b| a.path.cmp(&b.path));
        found
    }

    /// The file at `path`, while this process has it; so that two that look at once do not meet, it is held until the
    /// file has its name.
    fn take_over(&mut self, path: &Path) -> Option<File> {
        match disk::take_over(path) {
            Claim::Ours(file) => Some(file),
            Claim::Held => {
                self.undecided = true;
                None
            }
            Claim::Unknown => None,
        }
    }

    fn look_at_video(&mut self, path: &Path) -> Option<Interrupted> {
        let target = partial::target_of(path)?;
        let length_of: fn(&mut File) -> io::Result<Option<Duration>> =
            match target.extension()?.to_str()?.to_ascii_lowercase().as_str() {
                "mp4" => Mp4::length_of,
                "avi" => Avi::length_of,
                _ => return None,
            };
        let mut file = self.take_over(path)?;
        let is_empty = file.metadata().ok()?.len() == 0;
        let length = if is_empty { Duration::ZERO } else { length_of(&mut file).ok()?? };
        if length.is_zero() {
            // Nothing can be played, and another recording may take the name.
            fs::remove_file(path).ok();
            return None;
        }
        let target = disk::free_path(target);
        let renamed = disk::rename(path, &target);
        Some(Interrupted {
            path: match &renamed {
                Ok(()) => target,
                Err(_) => path.to_owned(),
            },
            length,
            pictures: None,
            kept: renamed.err().map(|error| error.to_string()),
        })
    }

    fn look_at_pictures(&mut self, folder: &Path) -> Option<Interrupted> {
        let target = folder.join(TABLE);
        let table = partial::partial_name(&target);
        let mut file = self.take_over(&table)?;
        let (pictures, length) = Pictures::extent_of(&mut file).ok()??;
        if pictures == 0 {
            // Nothing came; what else may lie in the folder stays.
            fs::remove_file(&table).and_then(|()| fs::remove_dir(folder)).ok();
            return None;
        }
        let renamed = disk::rename(&table, &target);
        Some(Interrupted {
            path: folder.to_owned(),
            length,
            pictures: Some(pictures),
            kept: renamed.err().map(|error| error.to_string()),
        })
    }
}

impl Interrupted {
    /// That it was interrupted, and what is left of it, in a sentence without its full stop; `path` is how its path is
    /// to be shown.
    pub fn in_words(&self, path: &str) -> String {
        let length = match (self.pictures, self.length.as_secs()) {
            (Some(count), _) => pictures(count),
            (None, 0) => "less than a second".to_owned(),
            (None, _) => length_in_words(self.length),
        };
        let kept = match (&self.kept, self.pictures) {
            (None, _) => String::new(),
            (Some(why), None) => format!(", the name of an unfinished one ({why})"),
            (Some(why), Some(_)) => format!("; the table in it could not be renamed ({why})"),
        };
        format!(
            "a recording was interrupted; the part made before that ({length}) is saved as {path}{kept}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            fragments::tests::{beginning, fragment},
            output::{Output, Shot},
        },
        *,
    };
    use crate::{frame::Frame, media::encode::Format};

    fn names(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).expect("listed").flatten();
        let mut names: Vec<_> =
            names.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// Records four seconds and stops there.
    fn recording(path: &Path) -> Avi {
        let mut avi = Avi::create(path).expect("a file");
        for n in 0..=40 {
            let shot = Shot {
                number: 1 + n,
                at: Duration::from_millis(100 * n),
                frame: Frame::from_fn(32, 24, |x, y| [x as u8, y as u8, n as u8, 255]),
            };
            avi.add(&shot).expect("room");
        }
        avi
    }

    /// Looks until nobody holds a recording any more: a program that another test starts has for a moment what is open
    /// here.
    fn looked_through(folder: &Path) -> Interruptions {
        let mut all = Interruptions::default();
        for _ in 0..2000 {
            let found = Interruptions::in_folder(folder);
            all.recordings.extend(found.recordings);
            all.undecided = found.undecided;
            if !all.undecided {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        all
    }

    #[test]
    fn a_recording_is_its_programs_while_that_lives_and_gets_its_name_after_that() {
        let here = tempfile::tempdir().expect("a folder");
        let avi = recording(&here.path().join("clip.avi"));
        assert_eq!(
            Interruptions::in_folder(here.path()),
            Interruptions { recordings: Vec::new(), undecided: true },
            "it is being written"
        );
        assert_eq!(names(here.path()), ["clip.partial.avi"]);
        // A kill closes the files of the program and runs none of its code.
        let killed = here.path().join("killed");
        fs::create_dir(&killed).expect("made");
        let bytes = fs::read(here.path().join("clip.partial.avi")).expect("there");
        fs::write(killed.join("clip.partial.avi"), &bytes).expect("written");
        drop(avi);
        let found = looked_through(&killed);
        assert!(!found.undecided);
        let [clip] = &found.recordings[..] else {
            panic!("one recording, not {found:?}");
        };
        assert_eq!((&clip.path, &clip.kept), (&killed.join("clip.avi"), &None));
        let seconds = clip.length.as_secs_f64();
        assert!((2.9..=4.1).contains(&seconds), "{seconds}");
        assert_eq!(fs::read(&clip.path).expect("there"), bytes);
        let again = looked_through(&killed);
        assert_eq!(again, Interruptions::default(), "it is said once");
    }

    #[test]
    fn a_folder_of_pictures_gets_its_table_once_its_program_is_gone() {
        let here = tempfile::tempdir().expect("a folder");
        let folder = here.path().join("recording-0001");
        let mut recording = Pictures::create(&folder, Format::Jpeg).expect("a folder");
        for n in 0..3 {
            let shot = Shot {
                number: 1 + n,
                at: Duration::from_millis(1500 * n),
                frame: Frame::from_fn(8, 6, |x, y| [x as u8, y as u8, n as u8, 255]),
            };
            recording.add(&shot).expect("room");
        }
        let found = Interruptions::in_folder(here.path());
        assert!(found.undecided && found.recordings.is_empty(), "{found:?}");
        let partial = folder.join("frames.partial.csv");
        // A kill leaves the table, nobody's, and perhaps a line that was being written.
        let mut table = fs::read(&partial).expect("there");
        drop(recording);
        table.extend(b"4,frame-000");
        fs::write(&partial, &table).expect("written");
        // And one in which nothing came.
        drop(Pictures::create(&here.path().join("recording-0002"), Format::Jpeg).expect("made"));
        let told = |found: &Interruptions| -> Vec<String> {
            let words =
                |one: &Interrupted| one.in_words(&one.path.file_name()?.to_string_lossy()).into();
            found.recordings.iter().filter_map(words).collect()
        };
        let found = looked_through(here.path());
        assert!(!found.undecided);
        assert_eq!(
            told(&found),
            ["a recording was interrupted; the part made before that (3 pictures) is saved as \
                 recording-0001"]
        );
        assert_eq!(found.recordings[0].length, Duration::from_secs(3));
        assert_eq!(fs::read(folder.join(TABLE)).expect("its table"), table);
        assert!(!partial.exists() && !here.path().join("recording-0002").exists());
        let again = looked_through(here.path());
        assert_eq!(again, Interruptions::default(), "it is said once");
        // One that ended in order is none.
        let ended = here.path().join("recording-0003");
        Pictures::create(&ended, Format::Jpeg).expect("made").end();
        fs::write(folder.join("frames.partial.csv"), "a,b\n").expect("another program's");
        let again = looked_through(here.path());
        assert_eq!(again, Interruptions::default());
        assert!(ended.join(TABLE).exists() && partial.exists());
    }

    #[test]
    fn nothing_is_replaced_and_what_is_none_of_ours_stays() {
        let here = tempfile::tempdir().expect("a folder");
        let put = |name: &str, bytes: &[u8]| fs::write(here.path().join(name), bytes);
        let film = [beginning(), fragment(30)].concat();
        put("clip.partial.mp4", &film).expect("written");
        put("clip.mp4", b"another").expect("written");
        put("Loud.partial.MP4", &film).expect("written");
        // Nothing to play: killed before there was a whole fragment.
        put("empty.partial.mp4", b"").expect("written");
        put("header.partial.mp4", &beginning()).expect("written");
        let cut_off = [beginning(), fragment(30)[..90].to_vec()].concat();
        put("begun.partial.mp4", &cut_off).expect("written");
        // Another program's, no video, no recording.
        let others = [
            ("download.partial.mp4", fragment(30)),
            ("sound.partial.avi", b"RIFF\x10\0\0\0AVI LIST".to_vec()),
            ("table.partial.csv", b"a,b".to_vec()),
            ("whole.mp4", film.clone()),
        ];
        for (name, bytes) in &others {
            put(name, bytes).expect("written");
        }
        let found = looked_through(here.path());
        let told: Vec<String> = found
            .recordings
            .iter()
            .map(|one| one.in_words(&one.path.file_name().expect("a name").to_string_lossy()))
            .collect();
        assert_eq!(
            told,
            [
                "a recording was interrupted; the part made before that (0:01) is saved as Loud.MP4",
                "a recording was interrupted; the part made before that (0:01) is saved as clip-2.mp4",
            ]
        );
        let read = |name: &str| fs::read(here.path().join(name)).expect("there");
        assert_eq!((read("clip.mp4"), read("clip-2.mp4")), (b"another".to_vec(), film));
        for (name, bytes) in &others {
            assert_eq!(read(name), *bytes, "{name}");
        }
        let named = ["Loud.MP4", "clip-2.mp4", "clip.mp4"].map(str::to_owned);
        let mut left: Vec<_> = others.iter().map(|(name, _)| (*name).to_owned()).collect();
        left.extend(named);
        left.sort();
        assert_eq!(names(here.path()), left);
        let nowhere = Interruptions::in_folder(&here.path().join("nowhere"));
        assert_eq!(nowhere, Interruptions::default());
    }

    #[test]
    fn one_that_cannot_be_renamed_is_told_where_it_is() {
        let one = Interrupted {
            path: PathBuf::from("clip.partial.mp4"),
            length: Duration::from_millis(400),
            pictures: None,
            kept: Some("the disk is full".to_owned()),
        };
        assert_eq!(
            one.in_words("clip.partial.mp4"),
            "a recording was interrupted; the part made before that (less than a second) is saved as \
             clip.partial.mp4, the name of an unfinished one (the disk is full)"
        );
    }
}
