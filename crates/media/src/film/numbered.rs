//! Pictures with numbers in their names, named as for ffmpeg: `frames/%04d.png`.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use super::sent::Sent;
use pictures::decode;
use values::disk::folder_of;

/// Pictures of one folder whose names differ in a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbered {
    folder: PathBuf,
    /// The name before the number.
    before: String,
    /// Minimum number of digits.
    digits: usize,
    after: String,
}

impl Numbered {
    /// By a path whose name has one number, such as `%04d.png` or `%d.png`.
    pub fn of(path: &Path) -> Option<Self> {
        let (before, rest) = path.file_name()?.to_str()?.split_once('%')?;
        let (digits, after) = rest.split_once('d')?;
        let digits = match digits {
            "" => 1,
            digits => digits.strip_prefix('0')?.parse::<u8>().ok()?.into(),
        };
        let (before, after) = (before.to_owned(), after.to_owned());
        let folder = folder_of(path).to_owned();
        (!after.contains('%')).then_some(Self { folder, before, digits, after })
    }

    /// The path of the picture with this number.
    pub fn path(&self, number: u64) -> PathBuf {
        let Self { folder, before, digits, after } = self;
        folder.join(format!("{before}{number:0digits$}{after}"))
    }

    /// The numbers of the pictures that exist, in ascending order.
    pub fn numbers(&self) -> Vec<u64> {
        let files = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut numbers: Vec<u64> =
            files.filter_map(|file| self.number(&file.file_name())).collect();
        numbers.sort_unstable();
        numbers
    }

    /// The number in a name; `None` if it is not the name of one of these pictures.
    fn number(&self, name: &OsStr) -> Option<u64> {
        let digits = name.to_str()?.strip_prefix(&self.before)?.strip_suffix(&self.after)?;
        let number = digits.parse().ok()?;
        (self.path(number).file_name() == Some(name)).then_some(number)
    }

    /// True if a path in the same folder, spelled in the same way, is that of one of these pictures.
    pub fn has(&self, path: &Path) -> bool {
        path.parent() == Some(self.folder.as_path())
            && path.file_name().is_some_and(|name| self.number(name).is_some())
    }

    /// The paths of the pictures that exist.
    pub fn paths(&self) -> impl Iterator<Item = PathBuf> {
        self.numbers().into_iter().map(|number| self.path(number))
    }

    /// The pictures from this number on, each missing one as the one before it.
    pub(super) fn held(&self, first: u64) -> impl Iterator<Item = Sent> {
        let last = self.numbers().last().copied().unwrap_or(first);
        let mut held = Vec::new();
        (first..=last).map(move |number| -> Sent {
            let path = self.path(number);
            if path.exists() {
                held = decode::from_path(&path)?.frame.rgba().to_vec();
            }
            Ok((number - first, held.clone()))
        })
    }

    /// What the pictures are called together: the name of their folder.
    pub fn title(&self) -> &OsStr {
        self.folder.file_name().unwrap_or(OsStr::new("film"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_ffmpeg() {
        let place = tempfile::tempdir().expect("a folder");
        for name in ["a_0009.png", "a_0010.png", "a_10010.png", "a_7.png", "a_0011.jpg"] {
            fs::write(place.path().join(name), "").expect("written");
        }
        let of = |name: &str| Numbered::of(&place.path().join(name));
        let pictures = of("a_%04d.png").expect("a pattern");
        assert_eq!(pictures.numbers(), [9, 10, 10_010]);
        assert_eq!(pictures.path(9), place.path().join("a_0009.png"));
        assert_eq!(of("a_%d.png").expect("a pattern").numbers(), [7, 10_010]);
        let other = of("a_00%02d.png").expect("a pattern");
        assert!(other.paths().all(|path| pictures.has(&path)) && other.numbers() == [9, 10]);
        assert!(
            !pictures.has(Path::new("a_0009.png")) && !pictures.has(&place.path().join("a_7.png"))
        );
        assert_eq!(Some(pictures.title()), place.path().file_name());
        for other in
            ["a.png", "a%.png", "%4d.png", "%04d%d.png", "%0999d.png", "100%.png", "%s.png"]
        {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
