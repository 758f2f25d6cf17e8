//! Lists the photos of a folder, and what is not one.

use std::{
    collections::{BTreeMap, HashSet},
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use super::{
    container::{self, A_VIDEO},
    decode::{extension_of, has_picture_name},
    kind::Kind,
};

/// Extensions of videos.
pub const VIDEOS: &[&str] = &[
    "mp4", "m4v", "mov", "mkv", "webm", "avi", "mpg", "mpeg", "ts", "mts", "m2ts", "wmv", "flv",
    "ogv", "3gp", "3g2", "mxf", "nut", "vob", "mod", "asf", "qt", "f4v", "divx", "lrv",
];
/// Extensions of sound in containers of videos.
const SOUND: [&str; 4] = ["m4a", "m4b", "mka", "wma"];
/// Bytes of a file that show whether it is a video.
const MAGIC_BYTES: u64 = 1024;

/// Bytes of a file that show whether it is animated: a GIF's first frame and the start of the second.
const BEGINNING_BYTES: u64 = 16 << 20;

/// True for a video: by its name, or by its first bytes if the name is not that of another kind of file.
pub fn is_film(path: &Path) -> bool {
    let extension = extension_of(path);
    let is_other = || {
        has_picture_name(path)
            || SOUND.contains(&extension.as_str())
            || unsupported(&extension).is_some()
    };
    VIDEOS.contains(&extension.as_str())
        || !is_other()
            && beginning(path, MAGIC_BYTES).is_some_and(|bytes| {
                Kind::of(&bytes).is_none() && container::foreign_format(&bytes) == Some(A_VIDEO)
            })
}

/// The first bytes of a regular file. Opening a pipe would block.
fn beginning(path: &Path, bytes: u64) -> Option<Vec<u8>> {
    path.metadata().ok().filter(|found| found.is_file())?;
    let mut beginning = Vec::new();
    File::open(path).ok()?.take(bytes).read_to_end(&mut beginning).ok()?;
    Some(beginning)
}

/// True if the file is a GIF, APNG or WebP with several frames.
pub fn is_animated(path: &Path) -> bool {
    if !["gif", "apng", "webp"].contains(&extension_of(path).as_str()) {
        return false;
    }
    beginning(path, BEGINNING_BYTES).is_some_and(|bytes| {
        Kind::of(&bytes).is_some_and(|kind| container::is_animated(kind, &bytes))
    })
}

/// Why a picture of a format with this extension is not painted.
fn unsupported(extension: &str) -> Option<&'static str> {
    match extension {
        "jp2" | "j2k" | "jpf" | "jpx" | "psd" | "xcf" | "svg" | "exr" | "hdr" | "ppm" | "pgm"
        | "pbm" | "pnm" | "tga" | "qoi" | "ico" | "icns" | "dds" | "pcx" => {
            Some("an image format that is not supported; convert it to PNG or JPEG")
        }
        "cr2" | "cr3" | "nef" | "arw" | "dng" | "orf" | "raf" | "rw2" | "pef" | "srw" => {
            Some("a raw photo, which is not supported; export it as PNG or JPEG")
        }
        _ => None,
    }
}

/// Why a file without the extension of a readable picture is not painted as a photo.
fn reason(path: &Path) -> &'static str {
    match unsupported(&extension_of(path)) {
        Some(reason) => reason,
        None if is_film(path) => A_VIDEO,
        None => "not a photo or video",
    }
}

/// A photo or video, and its folder relative to the one that was searched.
pub type FileInFolder = (PathBuf, PathBuf);

/// True if a file is hidden by a leading dot in its name.
fn is_hidden(path: &Path) -> bool {
    path.file_name().unwrap_or_default().as_encoded_bytes().first() == Some(&b'.')
}

/// The picture files directly in a folder, its subfolders, and its other files. Hidden files are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folder {
    /// Files with the extension of a picture, by name.
    pub photos: Vec<PathBuf>,
    /// Subfolders, which are not searched.
    pub folders: Vec<PathBuf>,
    /// Everything else, by reason and name.
    pub others: BTreeMap<&'static str, Vec<PathBuf>>,
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
            } else {
                let reason = match path.metadata() {
                    Ok(found) if !found.is_file() => "not a regular file",
                    Ok(_) => reason(&path),
                    Err(_) if path.is_symlink() => "broken link",
                    Err(_) => "unreadable",
                };
                folder.others.entry(reason).or_default().push(path);
            }
        }
        folder.photos.sort();
        folder.folders.sort();
        folder.others.values_mut().for_each(|files| files.sort());
        Ok(folder)
    }

    /// Moves the videos to the photos, for a caller that paints both.
    pub fn with_films(mut self) -> Self {
        self.photos.extend(self.others.remove(A_VIDEO).unwrap_or_default());
        self.photos.sort();
        self
    }

    /// The photos and videos of this folder and of those below it, each with its folder relative to `root`; and notes
    /// about all other files. `target`, the folder for paintings, is not searched, and links are followed once.
    ///
    /// # Errors
    /// See [`Folder::open`].
    pub fn open_tree(
        root: &Path,
        target: Option<&Path>,
    ) -> io::Result<(Vec<FileInFolder>, Vec<String>)> {
        let (mut photos, mut notes) = (Vec::new(), Vec::new());
        let target = target.and_then(|t| fs::canonicalize(t).ok());
        // Paintings next to their photos.
        let is_beside = fs::canonicalize(root).ok() == target;
        let mut seen: HashSet<PathBuf> = target.into_iter().filter(|_| !is_beside).collect();
        let mut waiting = vec![(root.to_owned(), PathBuf::new())];
        while let Some((path, relative)) = waiting.pop() {
            if !seen.insert(fs::canonicalize(&path)?) {
                continue;
            }
            let folder = Self::open(&path)?.with_films();
            notes.extend(folder.others_notes().map(|note| format!("{}: {note}", path.display())));
            photos.extend(folder.photos.into_iter().map(|photo| (photo, relative.clone())));
            // The last one is searched first.
            let below = folder.folders.into_iter().rev();
            waiting.extend(below.map(|path| {
                let name = relative.join(path.file_name().unwrap_or_default());
                (path, name)
            }));
        }
        Ok((photos, notes))
    }

    /// What is not painted, for the user: subfolders other than `target`, and all other files with the reason.
    pub fn notes(&self, target: Option<&Path>) -> Vec<String> {
        self.note(target).into_iter().chain(self.others_notes()).collect()
    }

    /// A note for each reason that names the files that are not painted.
    fn others_notes(&self) -> impl Iterator<Item = String> {
        self.others.iter().map(|(reason, files)| {
            let names: Vec<_> = files
                .iter()
                .filter_map(|file| file.file_name())
                .map(|name| name.to_string_lossy())
                .collect();
            let many = if names.len() == 1 { "file" } else { "files" };
            format!("{} {many} skipped: {} ({reason})", names.len(), names.join(", "))
        })
    }

    /// The note that subfolders are left out. `None` if there are none other than `target`, the folder for paintings.
    fn note(&self, target: Option<&Path>) -> Option<String> {
        let target = target.and_then(|t| fs::canonicalize(t).ok());
        let is_target = |f: &PathBuf| target.is_some() && fs::canonicalize(f).ok() == target;
        match self.folders.iter().filter(|f| !is_target(f)).count() {
            0 => None,
            1 => Some(
                "1 subfolder is not painted; choose that folder, or use --recursive on the command line"
                    .to_owned(),
            ),
            n => Some(format!(
                "{n} subfolders are not painted; choose each of them, or use --recursive on the command line"
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
        assert!(note(None).starts_with("2 subfolders"));
        assert!(note(Some(&place.path().join("painted"))).starts_with("1 subfolder "));
        let others: Vec<String> = folder.others_notes().collect();
        assert_eq!(others, ["1 file skipped: notes.txt (not a photo or video)"]);
        for name in ["a.PJPEG", "a.jif", "a.pjp", "a.mpo", "a.apng"] {
            assert!(has_picture_name(Path::new(name)), "{name}");
        }
        for name in ["a.ppm", "a.TGA", "a.qoi", "a.ico", "a.xcf"] {
            let reason = reason(Path::new(name));
            assert!(reason.contains("convert it to PNG or JPEG"), "{name}: {reason}");
        }
        let below = place.path().join("painted/below");
        fs::create_dir(&below).expect("made");
        fs::write(below.join("d.jpe"), "").expect("written");
        #[cfg(unix)]
        std::os::unix::fs::symlink("..", below.join("loop")).expect("linked");
        let tree = |target: Option<&Path>| {
            let (photos, _) = Folder::open_tree(place.path(), target).expect("listed");
            photos.into_iter().map(|(_, relative)| relative).collect::<Vec<_>>()
        };
        let [top, deep] = [PathBuf::new(), PathBuf::from("painted/below")];
        assert_eq!(tree(None), [top.clone(), top.clone(), deep]);
        assert_eq!(tree(Some(&place.path().join("painted"))), [top.clone(), top]);
        fs::remove_dir_all(&below).expect("removed");
        let empty = Folder::open(&place.path().join("painted")).expect("listed");
        assert_eq!((empty.photos.len(), empty.note(None)), (0, None));
        assert!(Folder::open(&place.path().join("none")).is_err());
    }
}
