//! The styles that the user can choose from: installed next to the program, built into it, and the user's own. An
//! installed style hides a built-in one of the same name.
//!
//! Listing reads only headers, a few KB per style. Weights are read when a style is loaded. A style on disk is a folder
//! with `full.safetensors`, `lite.safetensors` or both, and `thumbnail.jpg`. In the user's folder a single checkpoint
//! file is a style as well. This module knows no window and no device. Methods block on the disk; any thread may call
//! them.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt::Display,
    fs, io,
    path::{Path, PathBuf},
};

use values::{
    disk::{self, words},
    mode::ModelSize,
};

use super::{
    Budget, LibraryError, NetworkLibrary, Origin, Style,
    folders::{self, user_styles_folder},
    names::{id_from, reserved_for, stem},
    safetensors,
    style::Place,
};

/// A style built into the program: its folder's name, its `lite` weights and its thumbnail.
struct Embedded {
    id: &'static str,
    lite: &'static [u8],
    thumbnail: Option<&'static [u8]>,
}

include!(concat!(env!("OUT_DIR"), "/embedded_styles.rs"));

/// Extensions of single files that are styles in the user's folder.
const CHECKPOINT_ENDINGS: [&str; 5] = ["safetensors", "pth", "pt", "model", "onnx"];

/// File names that a style's thumbnail may have.
pub(super) const THUMBNAILS: [&str; 2] = ["thumbnail.jpg", "thumbnail.png"];

#[derive(Clone, Debug)]
pub struct StyleLibrary {
    pub(super) styles: Vec<Style>,
    problems: Vec<String>,
    folders: Vec<PathBuf>,
    /// `None` without a home folder.
    user_folder: Option<PathBuf>,
}

impl StyleLibrary {
    /// The styles built into the program, installed with it, and in the user's folder. Removes what an interrupted
    /// import left there.
    pub fn standard() -> Self {
        let user_folder = user_styles_folder();
        if let Some(folder) = &user_folder {
            disk::sweep(folder);
            NetworkLibrary::next_to(Some(folder)).folder().map(disk::sweep);
        }
        Self::reading(&folders::installed(), user_folder)
    }

    /// The styles in `folders`, the built-in styles that no folder hides, and those in the user's folder. The first
    /// folder to name a style wins. The user's folder need not exist yet.
    pub fn open(folders: &[PathBuf], user_folder: PathBuf) -> Self {
        Self::reading(folders, Some(user_folder))
    }

    pub(super) fn reading(folders: &[PathBuf], user_folder: Option<PathBuf>) -> Self {
        let mut library = Self {
            styles: Vec::new(),
            problems: Vec::new(),
            folders: folders.to_vec(),
            user_folder,
        };
        library.refresh();
        library
    }

    /// Reads all folders again.
    pub fn refresh(&mut self) {
        self.styles.clear();
        self.problems.clear();
        for folder in self.folders.clone() {
            for path in self.entries(&folder) {
                if path.is_dir() {
                    self.add_folder(&path, Origin::Installed(path.clone()));
                }
            }
        }
        for embedded in EMBEDDED {
            self.add_embedded(embedded);
        }
        let own = match self.user_folder.clone() {
            Some(folder) => self.entries(&folder),
            None => {
                self.problems.push(LibraryError::NoOwnFolder.to_string());
                Vec::new()
            }
        };
        for path in own {
            let origin = Origin::User(path.clone());
            if path.is_dir() {
                self.add_folder(&path, origin);
            } else if has_ending(&path, &CHECKPOINT_ENDINGS) {
                self.add_file(&path, origin);
            }
        }
        self.styles.sort_by_key(|style| (style.title.to_lowercase(), style.id.clone()));
    }

    /// All styles, sorted by title.
    pub fn styles(&self) -> &[Style] {
        &self.styles
    }

    /// The style with this id or title. Ignores case and the choice between space, `-` and `_`.
    pub fn find(&self, name: &str) -> Option<&Style> {
        let id = id_from(name);
        let by = |key: fn(&Style) -> &str| self.styles.iter().find(|s| id_from(key(s)) == id);
        by(|s| &s.id).or_else(|| by(|s| &s.title))
    }

    /// Which files were skipped and why, one sentence each.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    /// Where imported styles go; `None` without a home folder.
    pub fn user_folder(&self) -> Option<&Path> {
        self.user_folder.as_deref()
    }

    /// The folders of installed styles, in search order.
    pub fn folders(&self) -> &[PathBuf] {
        &self.folders
    }

    /// The entries of a folder, sorted, without hidden ones. A folder that does not exist is empty.
    fn entries(&mut self, folder: &Path) -> Vec<PathBuf> {
        let listing = match fs::read_dir(folder) {
            Ok(listing) => listing,
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    self.problems.push(format!(
                        "{} could not be read: {}",
                        folder.display(),
                        words(&error)
                    ));
                }
                return Vec::new();
            }
        };
        let mut paths: Vec<PathBuf> = listing
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| !path_name(path).starts_with('.'))
            .collect();
        paths.sort();
        paths
    }

    fn skip(&mut self, path: &Path, problem: impl Display) {
        self.problems.push(format!("{}: {problem}", path.display()));
    }

    fn add_embedded(&mut self, embedded: &Embedded) {
        let lite = (ModelSize::Lite, Place::Memory(embedded.lite));
        if let Some(style) = self.styles.iter_mut().find(|s| s.id == embedded.id) {
            // The built-in lite model completes an installed style without one.
            if !style.models().contains(&ModelSize::Lite) {
                style.models.push(lite);
            }
            style.hides.push(Origin::Embedded);
            return;
        }
        match safetensors::parse(embedded.lite, &Budget::for_file(embedded.lite.len())) {
            Ok((_, metadata)) => self.styles.push(Style {
                models: vec![lite],
                thumbnail: embedded.thumbnail.map(Place::Memory),
                ..Style::stated(embedded.id, &metadata, Origin::Embedded)
            }),
            Err(error) => {
                self.problems.push(format!("the built-in style {}: {error}", embedded.id))
            }
        }
    }

    /// Adds a folder with `full.safetensors`, `lite.safetensors` or both.
    fn add_folder(&mut self, folder: &Path, origin: Origin) {
        let mut models = Vec::new();
        let mut metadata = None;
        for size in ModelSize::ALL {
            let file = folder.join(format!("{size}.safetensors"));
            if !self.has_plain_file(&file) {
                continue;
            }
            match safetensors::read_metadata(&file) {
                Ok(read) => {
                    metadata.get_or_insert(read);
                    models.push((*size, Place::File(file)));
                }
                Err(error) => self.skip(&file, error),
            }
        }
        let Some(metadata) = metadata else {
            return;
        };
        let thumbnails = THUMBNAILS.map(|name| folder.join(name));
        let thumbnail = thumbnails.into_iter().find(|path| self.has_plain_file(path));
        self.add(folder, origin, &metadata, models, thumbnail);
    }

    /// True if `file` is a plain file. Anything else under that name is reported as a problem.
    fn has_plain_file(&mut self, file: &Path) -> bool {
        let Ok(metadata) = fs::metadata(file) else {
            return false;
        };
        if !metadata.is_file() {
            self.problems.push(format!("{} is not a regular file and is skipped", file.display()));
        }
        metadata.is_file()
    }

    /// Adds a single checkpoint file. Only a safetensors file has a title that can be read without the whole file.
    /// Other formats are checked when they are loaded.
    fn add_file(&mut self, file: &Path, origin: Origin) {
        if !self.has_plain_file(file) {
            return;
        }
        let metadata = if has_ending(file, &["safetensors"]) {
            match safetensors::read_metadata(file) {
                Ok(metadata) => metadata,
                Err(error) => return self.skip(file, error),
            }
        } else {
            BTreeMap::new()
        };
        let models = vec![(ModelSize::Full, Place::File(file.to_owned()))];
        self.add(file, origin, &metadata, models, None);
    }

    fn add(
        &mut self,
        path: &Path,
        origin: Origin,
        metadata: &BTreeMap<String, String>,
        models: Vec<(ModelSize, Place)>,
        thumbnail: Option<PathBuf>,
    ) {
        let name = if path.is_dir() { path_name(path).into_owned() } else { stem(path) };
        let id = id_from(&name);
        if id.is_empty() {
            return self.skip(path, "the name has no letter or digit; rename it");
        }
        if let Some(meaning) = reserved_for(&id) {
            return self.skip(
                path,
                format_args!("the name {id} means {meaning} on the command line; rename it"),
            );
        }
        if let Some(other) = self.styles.iter_mut().find(|style| style.id == id) {
            // The same style in two installed folders is expected; in the user's folder it is not.
            if matches!(origin, Origin::User(_)) {
                self.skip(
                    path,
                    format_args!("there is already a style named {id}; rename the file to see it"),
                );
            } else {
                other.hides.push(origin);
            }
            return;
        }
        self.styles.push(Style {
            id,
            models,
            thumbnail: thumbnail.map(Place::File),
            ..Style::stated(&name, metadata, origin)
        });
    }
}

fn path_name(path: &Path) -> Cow<'_, str> {
    path.file_name().unwrap_or_default().to_string_lossy()
}

pub(super) fn has_ending(path: &Path, endings: &[&str]) -> bool {
    path.extension()
        .and_then(|e| e.to_str())
        .is_some_and(|e| endings.iter().any(|known| known.eq_ignore_ascii_case(e)))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use network::models::johnson::NetworkSpec;

    pub(in super::super) fn weights(title: Option<&str>) -> Vec<u8> {
        let network = NetworkSpec::with_widths([2, 3, 4]).random(1).expect("valid");
        let mut metadata = BTreeMap::from([("artist".to_owned(), "A painter".to_owned())]);
        if let Some(title) = title {
            metadata.insert("title".to_owned(), title.to_owned());
        }
        safetensors::write(&network, true, &metadata).expect("written")
    }

    fn folder_style(folder: &Path, name: &str, sizes: &[&str]) {
        let path = folder.join(name);
        fs::create_dir_all(&path).expect("folder");
        for size in sizes {
            fs::write(path.join(format!("{size}.safetensors")), weights(None)).expect("file");
        }
    }

    #[test]
    fn folders_and_files_are_listed() {
        let root = tempfile::tempdir().expect("folder");
        let (installed, user) = (root.path().join("installed"), root.path().join("user"));
        folder_style(&installed, "blue_hour", &["full", "lite"]);
        folder_style(&user, "mine", &["full"]);
        fs::write(user.join("loose.safetensors"), weights(Some("Loose one"))).expect("file");
        fs::write(user.join("notes.txt"), "nothing").expect("file");
        fs::write(user.join("broken.safetensors"), "nothing").expect("file");
        folder_style(&user, "Blue-Hour", &["full"]);
        let library = StyleLibrary::open(&[installed], user);
        let style = library.find("BLUE-hour").expect("installed");
        assert_eq!(style.models(), [ModelSize::Full, ModelSize::Lite]);
        assert_eq!(style.title, "Blue hour");
        assert_eq!(style.credit.artist.as_deref(), Some("A painter"));
        assert!(matches!(style.origin, Origin::Installed(_)));
        assert_eq!(library.find("loose one").expect("by title").id, "loose");
        assert!(library.find("notes").is_none());
        let problems = library.problems().join("\n");
        assert!(problems.contains("broken.safetensors"), "{problems}");
        assert!(problems.contains("already a style named blue_hour"), "{problems}");
    }

    #[test]
    fn sizes_are_chosen_and_announced() {
        let root = tempfile::tempdir().expect("folder");
        folder_style(root.path(), "both", &["full", "lite"]);
        folder_style(root.path(), "small", &["lite"]);
        let library = StyleLibrary::open(&[root.path().to_owned()], root.path().join("user"));
        let both = library.find("both").expect("there");
        let (_, size, note) = both.load_or_lite(None).expect("loads");
        assert_eq!((size, note), (ModelSize::Full, None));
        let small = library.find("small").expect("there");
        let (_, size, note) = small.load_or_lite(None).expect("loads");
        assert_eq!(size, ModelSize::Lite);
        assert!(note.is_some_and(|n| n.contains("full one is not installed")));
        let error = small.load_or_lite(Some(ModelSize::Full)).expect_err("absent");
        assert!(error.to_string().contains("choose lite"), "{error}");
        assert_eq!(small.load_or_lite(Some(ModelSize::Lite)).expect("loads").2, None);
    }

    #[test]
    fn embedded_styles_load() {
        let root = tempfile::tempdir().expect("folder");
        let library = StyleLibrary::open(&[], root.path().to_owned());
        assert_eq!(library.styles().len(), EMBEDDED.len(), "{:?}", library.problems());
        for style in library.styles() {
            assert_eq!(style.models(), [ModelSize::Lite]);
            style.load(ModelSize::Lite).expect("loads");
        }
    }
}
