//! Recordings that a program left behind when it was killed: found, and given the names that they were to get.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{avi::Avi, mp4::Mp4, partial, recorded::length_in_words};
use crate::disk;

/// A recording that was not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interrupted {
    /// Where it lies now.
    pub path: PathBuf,
    /// How much of it can be played.
    pub length: Duration,
    /// Why it kept the name of a recording that is being written.
    pub kept: Option<String>,
}

impl Interrupted {
    /// Looks for videos directly in `folder` whose recording was interrupted because its program was killed, and gives
    /// them the names that they were to get, or ones with a number where these are taken. None is replaced or removed,
    /// but for files with nothing in them. Blocks while the disk is asked.
    pub fn in_folder(folder: &Path) -> Vec<Self> {
        let Ok(entries) = fs::read_dir(folder) else {
            // Recording into it will say why.
            return Vec::new();
        };
        let paths = entries.flatten().map(|entry| entry.path());
        let mut found: Vec<Self> = paths.filter_map(|path| Self::at(&path)).collect();
        found.sort_by(|a, b| a.path.cmp(&b.path));
        found
    }

    fn at(path: &Path) -> Option<Self> {
        let target = partial::target_of(path)?;
        let length_of: fn(&mut File) -> io::Result<Option<Duration>> =
            match target.extension()?.to_str()?.to_ascii_lowercase().as_str() {
                "mp4" => Mp4::length_of,
                "avi" => Avi::length_of,
                _ => return None,
            };
        // It stays this process's until it has its name, so that two that look at once do not meet.
        let mut file = disk::take_over(path)?;
        if file.metadata().ok()?.len() == 0 {
            // Nothing was begun, and another recording may take the name.
            fs::remove_file(path).ok();
            return None;
        }
        let length = length_of(&mut file).ok()??;
        let target = disk::free_path(target);
        let renamed = disk::rename(path, &target);
        Some(Self {
            path: match &renamed {
                Ok(()) => target,
                Err(_) => path.to_owned(),
            },
            length,
            kept: renamed.err().map(|error| error.to_string()),
        })
    }

    /// That it was interrupted, and what is left of it, in a sentence without its full stop; `path` is how its path is
    /// to be shown.
    pub fn in_words(&self, path: &str) -> String {
        let length = match self.length.as_secs() {
            0 => "less than a second".to_owned(),
            _ => length_in_words(self.length),
        };
        let kept = match &self.kept {
            None => String::new(),
            Some(why) => format!(", the name of an unfinished one ({why})"),
        };
        format!("a recording was interrupted; what there is of it, {length}, lies in {path}{kept}")
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
    use crate::frame::Frame;

    fn names(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).expect("listed").flatten();
        let mut names: Vec<_> = names
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
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

    #[test]
    fn a_recording_is_its_programs_while_that_lives_and_gets_its_name_after_that() {
        let here = tempfile::tempdir().expect("a folder");
        let avi = recording(&here.path().join("clip.avi"));
        assert_eq!(
            Interrupted::in_folder(here.path()),
            [],
            "it is being written"
        );
        assert_eq!(names(here.path()), ["clip.partial.avi"]);
        // A kill closes the files of the program and runs none of its code.
        let killed = here.path().join("killed");
        fs::create_dir(&killed).expect("made");
        let bytes = fs::read(here.path().join("clip.partial.avi")).expect("there");
        fs::write(killed.join("clip.partial.avi"), &bytes).expect("written");
        drop(avi);
        let found = Interrupted::in_folder(&killed);
        let [clip] = &found[..] else {
            panic!("one recording, not {found:?}");
        };
        assert_eq!((&clip.path, &clip.kept), (&killed.join("clip.avi"), &None));
        let seconds = clip.length.as_secs_f64();
        assert!((2.9..=4.1).contains(&seconds), "{seconds}");
        assert_eq!(fs::read(&clip.path).expect("there"), bytes);
        assert_eq!(Interrupted::in_folder(&killed), [], "it is said once");
    }

    #[test]
    fn nothing_is_replaced_and_what_is_none_of_ours_stays() {
        let here = tempfile::tempdir().expect("a folder");
        let put = |name: &str, bytes: &[u8]| fs::write(here.path().join(name), bytes);
        let film = [beginning(), fragment(30)].concat();
        put("clip.partial.mp4", &film).expect("written");
        put("clip.mp4", b"another").expect("written");
        put("Loud.partial.MP4", &film).expect("written");
        put("empty.partial.mp4", b"").expect("written");
        // Another program's, one of which nothing can be played, no video, no recording.
        let others = [
            ("download.partial.mp4", fragment(30)),
            ("header.partial.mp4", beginning()),
            ("sound.partial.avi", b"RIFF\x10\0\0\0AVI LIST".to_vec()),
            ("table.partial.csv", b"a,b".to_vec()),
            ("whole.mp4", film.clone()),
        ];
        for (name, bytes) in &others {
            put(name, bytes).expect("written");
        }
        let found = Interrupted::in_folder(here.path());
        let told: Vec<String> = found
            .iter()
            .map(|one| one.in_words(&one.path.file_name().expect("a name").to_string_lossy()))
            .collect();
        assert_eq!(
            told,
            [
                "a recording was interrupted; what there is of it, 0:01, lies in Loud.MP4",
                "a recording was interrupted; what there is of it, 0:01, lies in clip-2.mp4",
            ]
        );
        let read = |name: &str| fs::read(here.path().join(name)).expect("there");
        assert_eq!(
            (read("clip.mp4"), read("clip-2.mp4")),
            (b"another".to_vec(), film)
        );
        for (name, bytes) in &others {
            assert_eq!(read(name), *bytes, "{name}");
        }
        let named = ["Loud.MP4", "clip-2.mp4", "clip.mp4"].map(str::to_owned);
        let mut left: Vec<_> = others.iter().map(|(name, _)| (*name).to_owned()).collect();
        left.extend(named);
        left.sort();
        assert_eq!(names(here.path()), left);
        assert_eq!(Interrupted::in_folder(&here.path().join("nowhere")), []);
    }

    #[test]
    fn one_that_cannot_be_renamed_is_told_where_it_is() {
        let one = Interrupted {
            path: PathBuf::from("clip.partial.mp4"),
            length: Duration::from_millis(400),
            kept: Some("the disk is full".to_owned()),
        };
        assert_eq!(
            one.in_words("clip.partial.mp4"),
            "a recording was interrupted; what there is of it, less than a second, lies in clip.partial.mp4, the \
             name of an unfinished one (the disk is full)"
        );
    }
}
