//! Lists the photos of a folder.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::decode::has_picture_name;

/// Whether a file is hidden by a leading dot in its name.
fn is_hidden(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    name.as_encoded_bytes().first() == Some(&b'.')
}

/// The picture files directly in a folder, and its subfolders. Hidden files are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folder {
    /// Files with the extension of a picture, by name.
    pub photos: Vec<PathBuf>,
    /// Subfolders, which are not searched.
    pub folders: Vec<PathBuf>,
}

impl Folder {
    /// Reads the folder at `path`.
    ///
    /// # Errors
    /// The system's error, if the folder cannot be listed.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut folder = Self::default();
        for entry in fs::read_dir(path)? {
            let path = entry?.path();
            // For example `._photo.jpg` next to `photo.jpg`, which other programs create.
            if is_hidden(&path) {
                continue;
            }
            if path.is_dir() {
                folder.folders.push(path);
            } else if has_picture_name(&path) && path.is_file() {
                folder.photos.push(path);
            }
        }
        folder.photos.sort();
        Ok(folder)
    }

    /// The note that subfolders are left out. `None` if there are none other than `target`, the folder for paintings.
    pub fn note(&self, target: Option<&Path>) -> Option<String> {
        let target = target.and_then(|t| fs::canonicalize(t).ok());
        let is_target = |f: &PathBuf| target.is_some() && fs::canonicalize(f).ok() == target;
        match self.folders.iter().filter(|f| !is_target(f)).count() {
            0 => None,
            1 => Some(
                "1 subfolder is not painted; choose that folder to paint its photos".to_owned(),
            ),
            n => Some(format!(
                "{n} subfolders are not painted; choose each of them to paint its photos"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn photos_come_by_name_and_folders_are_counted() {
        let place = tempfile::tempdir().expect("a folder");
        for name in ["b.png", "a.JPG", "notes.txt", "._a.JPG"] {
            fs::write(place.path().join(name), "").expect("written");
        }
        for name in ["c.png", "painted", ".cache"] {
            fs::create_dir(place.path().join(name)).expect("made");
        }
        let folder = Folder::open(place.path()).expect("listed");
        let names: Vec<_> = folder.photos.iter().flat_map(|p| p.file_name()).collect();
        assert_eq!(names, ["a.JPG", "b.png"]);
        let note = |target: Option<&Path>| folder.note(target).unwrap_or_default();
        assert!(note(None).starts_with("2 folders"));
        assert!(note(Some(&place.path().join("painted"))).starts_with("1 subfolder "));
        let empty = Folder::open(&place.path().join("painted")).expect("listed");
        assert_eq!((empty.photos.len(), empty.note(None)), (0, None));
        assert!(Folder::open(&place.path().join("none")).is_err());
    }
}
