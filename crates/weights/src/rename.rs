//! Renaming one of the user's own styles.

use std::path::Path;

use super::{
    LibraryError, Style, StyleLibrary,
    library::has_ending,
    names::{id_from, title_of},
    read_file,
    safetensors::with_metadata,
};
use values::disk::{self, Existing, folder_of};

impl StyleLibrary {
    /// Renames one of the user's own styles to `title`, and its file or folder accordingly. If the program is stopped
    /// meanwhile, the style has either the old or the new name.
    ///
    /// # Errors
    /// [`LibraryError`] when no such style exists, when it is not the user's own, when the new name is taken, empty or
    /// a word of the command line, or when the file cannot be written.
    pub fn rename(&mut self, name: &str, title: &str) -> Result<Style, LibraryError> {
        let (style, path) = self.own(name)?;
        let title = title_of(title);
        let id = match id_from(&title) {
            same if same == style.id => same,
            _ => self.free_id(&title)?,
        };
        let is_folder = path.is_dir();
        for file in style.weight_files() {
            // Other formats have no place for a title; such a style is named after its file.
            if has_ending(file, &["safetensors"]) {
                retitle(file, &id, &title)?;
            }
        }
        if id != style.id {
            let mut target = folder_of(&path).join(&id);
            if let (false, Some(ending)) = (is_folder, path.extension()) {
                target.set_extension(ending);
            }
            disk::rename(&path, &target).map_err(LibraryError::of_writing(&id))?;
        }
        self.refresh();
        self.find(&id).cloned().ok_or(LibraryError::Unknown { name: id })
    }
}

/// Writes a title into a weights file.
fn retitle(file: &Path, id: &str, title: &str) -> Result<(), LibraryError> {
    let bytes = read_file(file)
        .and_then(|bytes| with_metadata(&bytes, &[("style", id), ("title", title)]))
        .map_err(LibraryError::of(file))?;
    disk::write_bytes(file, &bytes, Existing::Replace).map_err(LibraryError::Write)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{super::library::tests::weights, *};
    use values::mode::ModelSize;

    #[test]
    fn a_style_gets_another_name_and_paints_as_before() {
        let root = tempfile::tempdir().expect("folder");
        let user = root.path().join("user");
        let file = root.path().join("old.safetensors");
        fs::write(&file, weights(None)).expect("file");
        let mut library = StyleLibrary::open(&[], user.clone());
        let before = library.import(&file, Some("Old one")).expect("imported");
        let network = before.load(ModelSize::Lite).expect("loads").network;
        let style = library.rename("old one", "  New *one* ").expect("renamed");
        assert_eq!((style.id.as_str(), style.title.as_str()), ("new_one", "New *one*"));
        assert_eq!(*style.load(ModelSize::Lite).expect("loads").network, *network);
        assert!(!user.join("old_one").exists() && library.find("old one").is_none());
        assert_eq!(style.credit, before.credit);
        // Only its title changes: the folder keeps its name.
        let style = library.rename("new one", "NEW ONE").expect("renamed");
        assert_eq!((style.id.as_str(), style.title.as_str()), ("new_one", "NEW ONE"));
        // Other files in the folder move with it.
        fs::write(user.join("new_one/notes.txt"), "mine").expect("file");
        library.rename("new_one", "Third").expect("renamed");
        assert!(user.join("third/notes.txt").exists());
        // A file of another format is named after its file name.
        fs::write(user.join("loose.onnx"), "anything").expect("file");
        library.refresh();
        let style = library.rename("loose", "Tight fit").expect("renamed");
        assert_eq!((style.id.as_str(), style.title.as_str()), ("tight_fit", "Tight fit"));
        assert!(user.join("tight_fit.onnx").exists());
    }

    #[test]
    fn names_that_are_taken_or_none_are_refused_and_nothing_changes() {
        let root = tempfile::tempdir().expect("folder");
        let user = root.path().join("user");
        let file = root.path().join("old.safetensors");
        fs::write(&file, weights(None)).expect("file");
        let mut library = StyleLibrary::open(&[], user.clone());
        for name in ["One", "Two"] {
            library.import(&file, Some(name)).expect("imported");
        }
        for (new, what) in [
            ("two", "already a style or network named two"),
            ("all", "choose another name"),
            ("!", "use letters or digits"),
        ] {
            let error = library.rename("one", new).expect_err(new).to_string();
            assert!(error.contains(what), "{error}");
        }
        assert!(library.rename("three", "four").is_err());
        assert_eq!(library.find("one").expect("there").title, "One");
        // A built-in style does not belong to the user.
        let built_in =
            library.styles().iter().find(|s| s.own_path().is_none()).expect("one").id.clone();
        let error = library.rename(&built_in, "Mine").expect_err("not yours");
        assert!(matches!(error, LibraryError::NotYours { .. }), "{error}");
    }
}
