//! Importing a checkpoint as one of the user's own styles, and removing it.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    Checkpoint, CodeOf, LibraryError, NetworkLibrary, Result, Style, StyleLibrary, StyleNetwork,
    any_picture,
    library::{THUMBNAILS, has_ending},
    names::{free_id, id_from, reserved_for, stated, stem, title_of},
    safetensors::read_metadata,
};
use network::models;
use values::{
    disk::{self, WriteError},
    mode::ModelSize,
};

impl StyleLibrary {
    /// Stores the checkpoint that was read from `file` in the user's folder. Its name is `name`, otherwise the title in
    /// the file, otherwise the file's name. Its widths decide whether it is full or lite.
    ///
    /// # Errors
    /// [`LibraryError`] when the name is taken, empty or a word of the command line, or the file cannot be written.
    pub fn keep(
        &mut self,
        checkpoint: &Checkpoint,
        file: &Path,
        name: Option<&str>,
    ) -> Result<Style, LibraryError> {
        let title = match name {
            Some(name) => title_of(name),
            None => stated(&checkpoint.metadata, "title").unwrap_or_else(|| title_of(&stem(file))),
        };
        let id = self.free_id(&title)?;
        let mut checkpoint = checkpoint.clone();
        let metadata = &mut checkpoint.metadata;
        metadata.insert("style".to_owned(), id.clone());
        metadata.insert("title".to_owned(), title);
        let bytes = checkpoint.to_safetensors().map_err(LibraryError::of(file))?;
        let weights = format!("{}.safetensors", models::size(checkpoint.network.graph()));
        self.write_style(&id, &[(weights, &bytes)], |file| Checkpoint::read(file).map(drop))
    }

    /// Stores the code of a style picture or of a mix of them under `title`, with a JPEG thumbnail. `parts` describes a
    /// mix as text.
    ///
    /// # Errors
    /// [`LibraryError`] as [`StyleLibrary::keep`].
    pub fn keep_style_picture(
        &mut self,
        code: &CodeOf,
        title: &str,
        thumbnail: &[u8],
        parts: Option<&str>,
    ) -> Result<Style, LibraryError> {
        let title = title_of(title);
        let id = self.free_id(&title)?;
        let texts =
            [("style", Some(id.as_str())), ("title", Some(title.as_str())), ("painting", parts)];
        let metadata = texts
            .into_iter()
            .filter_map(|(key, text)| Some((key.to_owned(), text?.to_owned())))
            .collect();
        let bytes =
            any_picture::code_file(code, &metadata).map_err(LibraryError::of(title.as_ref()))?;
        let weights = format!("{}.safetensors", ModelSize::Full);
        let files = [(weights, &*bytes), (THUMBNAILS[0].to_owned(), thumbnail)];
        // Reading the whole style requires the code's network, which made the code just now. The metadata are enough.
        self.write_style(&id, &files, |file| read_metadata(file).map(drop))
    }

    /// The user's own style networks.
    pub fn networks(&self) -> NetworkLibrary {
        NetworkLibrary::next_to(self.user_folder())
    }

    /// Reads a style network and stores it, as [`NetworkLibrary::import`] does, under a name that no style has.
    ///
    /// # Errors
    /// [`LibraryError`] as [`NetworkLibrary::import`].
    pub fn import_network(
        &self,
        file: &Path,
        name: Option<&str>,
    ) -> Result<StyleNetwork, LibraryError> {
        let id = id_from(&name.map_or_else(|| stem(file), str::to_owned));
        if self.styles.iter().any(|style| style.id == id) {
            return Err(LibraryError::Exists { id });
        }
        self.networks().import(file, name)
    }

    /// The folder name for a new style of this title. Fails if it is taken or not allowed.
    pub(super) fn free_id(&self, title: &str) -> Result<String, LibraryError> {
        let folder = self.user_folder();
        // Another program may have created a style of this name after the library was read.
        let is_written = |id: &str, size: &ModelSize| {
            folder
                .is_some_and(|folder| folder.join(id).join(format!("{size}.safetensors")).exists())
        };
        free_id(title, folder, reserved_for, |id| {
            self.styles.iter().any(|style| style.id == id)
                || self.networks().has(id)
                || ModelSize::ALL.iter().any(|size| is_written(id, size))
        })
    }

    /// Writes a new style's files. `read` verifies the written weights.
    fn write_style(
        &mut self,
        id: &str,
        files: &[(String, &[u8])],
        read: impl Fn(&Path) -> Result<()>,
    ) -> Result<Style, LibraryError> {
        let folder = self.own_folder()?.join(id);
        let check = |file: &Path| {
            if has_ending(file, &["safetensors"]) { Ok(read(file)?) } else { Ok(()) }
        };
        disk::write_folder(&folder, files, check).map_err(LibraryError::of_writing(id))?;
        self.refresh();
        self.find(id).cloned().ok_or_else(|| {
            LibraryError::Write(WriteError::Refused {
                name: folder.display().to_string(),
                reason: "it cannot be read back".to_owned(),
            })
        })
    }

    /// Removes a style from the user's folder and returns the removed path. From a folder, only the weights and the
    /// thumbnail are removed; the folder stays if it contains anything else.
    ///
    /// # Errors
    /// [`LibraryError`] when no such style exists, when it is not the user's own, or when it cannot be removed.
    pub fn remove(&mut self, name: &str) -> Result<PathBuf, LibraryError> {
        let (_, path) = self.own(name)?;
        let removed = remove_style(&path)
            .map_err(|source| LibraryError::Remove { path: path.clone(), source });
        self.refresh();
        removed.map(|()| path)
    }

    /// One of the user's own styles, and its path.
    pub(super) fn own(&self, name: &str) -> Result<(Style, PathBuf), LibraryError> {
        let style =
            self.find(name).ok_or_else(|| LibraryError::Unknown { name: name.to_owned() })?;
        match style.own_path() {
            Some(path) => Ok((style.clone(), path.to_owned())),
            None => Err(LibraryError::NotYours {
                title: style.title.clone(),
                folder: self.own_folder()?.to_owned(),
            }),
        }
    }

    /// The folder of the user's own styles, for writing.
    pub(super) fn own_folder(&self) -> Result<&Path, LibraryError> {
        self.user_folder().ok_or(LibraryError::NoOwnFolder)
    }
}

fn remove_style(path: &Path) -> io::Result<()> {
    // Remove a link itself, not its target.
    if !fs::symlink_metadata(path)?.is_dir() {
        return fs::remove_file(path);
    }
    // Remove the weights last: while some remain, the style is listed and can be removed.
    let weights = ModelSize::ALL.iter().map(|size| format!("{size}.safetensors"));
    let names = THUMBNAILS.map(str::to_owned).into_iter().chain(weights);
    disk::remove_folder(path, &names.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::{super::library::tests::weights, *};
    use crate::{Family, StorageType};
    use network::models::johnson::NetworkSpec;
    use values::mode::ModelSize;

    impl StyleLibrary {
        pub(crate) fn import(
            &mut self,
            file: &Path,
            name: Option<&str>,
        ) -> Result<Style, LibraryError> {
            let checkpoint = Checkpoint::read(file).map_err(LibraryError::of(file))?;
            self.keep(&checkpoint, file, name)
        }
    }

    /// A checkpoint of a published shape.
    fn sized(size: ModelSize) -> Vec<u8> {
        let spec = NetworkSpec { blocks: 1, ..NetworkSpec::with_widths(size.widths()) };
        let checkpoint = Checkpoint {
            network: spec.random(2).expect("valid").into(),
            family: Family::PytorchExamples,
            storage: StorageType::F16,
            metadata: std::collections::BTreeMap::new(),
            guessed: None,
            code: None,
        };
        checkpoint.to_safetensors().expect("written")
    }

    #[test]
    fn a_style_is_listed_by_the_size_that_it_has() {
        let root = tempfile::tempdir().expect("folder");
        let mut library = StyleLibrary::open(&[], root.path().join("styles"));
        for &size in ModelSize::ALL {
            let file = root.path().join(format!("my_{size}.safetensors"));
            fs::write(&file, sized(size)).expect("file");
            let style = library.import(&file, None).expect("imported");
            assert_eq!(style.models(), [size]);
            assert_eq!(style.load_or_lite(None).expect("loads").1, size);
        }
    }

    #[test]
    fn import_keeps_a_style_and_never_replaces_one() {
        let root = tempfile::tempdir().expect("folder");
        let user = root.path().join("data/styleforge/styles");
        let file = root.path().join("download.safetensors");
        fs::write(&file, weights(None)).expect("file");
        let mut library = StyleLibrary::open(&[], user.clone());
        let style = library.import(&file, Some("Night Train")).expect("imported");
        assert_eq!((style.id.as_str(), style.title.as_str()), ("night_train", "Night Train"));
        assert!(user.join("night_train/lite.safetensors").is_file());
        assert!(style.load(ModelSize::Lite).is_ok());
        let error = library.import(&file, Some("night-train")).expect_err("taken");
        assert!(matches!(error, LibraryError::Exists { .. }), "{error}");
        assert_eq!(library.import(&file, None).expect("by file name").id, "download");
        let error = library.import(&file, Some("!")).expect_err("no name");
        assert!(matches!(error, LibraryError::BadName { .. }), "{error}");
        let left: Vec<_> = fs::read_dir(&user).expect("folder").flatten().collect();
        assert_eq!(left.len(), 2, "no unfinished import is left");
    }

    #[test]
    fn a_file_that_cannot_be_read_back_is_not_kept_and_its_name_stays_free() {
        let root = tempfile::tempdir().expect("folder");
        let user = root.path().join("user");
        let mut library = StyleLibrary::open(&[], user.clone());
        let file = root.path().join("long.safetensors");
        // A header of the maximum length, without a title.
        let with_note = |length: usize| {
            let mut checkpoint = Checkpoint::from_bytes(&weights(None)).expect("read");
            checkpoint.metadata.insert("note".to_owned(), "x".repeat(length));
            checkpoint.to_safetensors().expect("written")
        };
        let header = with_note(0).first_chunk().map_or(0, |length| u64::from_le_bytes(*length));
        let bytes = with_note((4 << 20) - header as usize);
        fs::write(&file, &bytes).expect("file");
        Checkpoint::read(&file).expect("it is read");
        let error = library.import(&file, Some("Long")).expect_err("longer than what is read");
        let message = error.to_string();
        assert!(
            message.contains("could not read it again (") && message.contains("header"),
            "{message}"
        );
        assert_eq!(fs::read_dir(&user).expect("listed").count(), 0);
        fs::write(&file, weights(None)).expect("file");
        library.import(&file, Some("Long")).expect("the name is free");
        // Another title does not make a file unreadable either.
        fs::write(user.join("long/lite.safetensors"), &bytes).expect("file");
        library.refresh();
        library.rename("long", "Longer").expect_err("longer than what is read");
        assert_eq!(fs::read(user.join("long/lite.safetensors")).expect("there"), bytes);
    }

    #[test]
    fn a_style_left_by_a_kill_is_reported_with_its_folder() {
        let root = tempfile::tempdir().expect("folder");
        let user = root.path().join("user");
        let file = root.path().join("own.safetensors");
        fs::write(&file, weights(None)).expect("file");
        let mut library = StyleLibrary::open(&[], user.clone());
        fs::create_dir_all(user.join("own")).expect("folder");
        fs::write(user.join("own/thumbnail.jpg"), "a picture").expect("file");
        let error = library.import(&file, None).expect_err("in the way");
        assert!(error.is_about_the_name());
        let message = error.to_string();
        assert!(
            message.contains("user/own contains neither a style nor a network; move or delete"),
            "{message}"
        );
        assert!(matches!(
            library.import(&file, Some("\u{3164}")),
            Err(LibraryError::BadName { .. })
        ));
    }

    #[test]
    fn without_a_home_nothing_is_kept_anywhere() {
        let root = tempfile::tempdir().expect("folder");
        let file = root.path().join("own.safetensors");
        fs::write(&file, weights(None)).expect("file");
        let mut library = StyleLibrary::reading(&[], None);
        let message = library.import(&file, None).expect_err("nowhere to keep it").to_string();
        assert!(message.contains("set HOME or XDG_DATA_HOME"), "{message}");
        assert_eq!(library.problems(), [message]);
        assert!(library.networks().names().is_empty() && !library.networks().has("own"));
        assert!(library.import_network(&file, None).is_err());
    }

    #[test]
    fn of_simultaneous_imports_one_wins_and_the_others_are_refused() {
        let root = tempfile::tempdir().expect("folder");
        let user = root.path().join("styles");
        let file = root.path().join("download.safetensors");
        fs::write(&file, weights(None)).expect("file");
        let others = 7;
        let start = std::sync::Barrier::new(others + 1);
        let import = || {
            let mut library = StyleLibrary::open(&[], user.clone());
            start.wait();
            library.import(&file, None).map(|style| style.id)
        };
        let results: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..others + 1).map(|_| scope.spawn(import)).collect();
            let join = |t: std::thread::ScopedJoinHandle<'_, _>| t.join().expect("no panic");
            threads.into_iter().map(join).collect()
        });
        let losers: Vec<_> = results.iter().filter_map(|r| r.as_ref().err()).collect();
        assert_eq!(losers.len(), others, "{results:?}");
        for error in losers {
            assert!(matches!(error, LibraryError::Exists { .. }), "{error}");
        }
        assert_eq!(fs::read_dir(&user).expect("listed").count(), 1);
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named() {
        let root = tempfile::tempdir().expect("folder");
        let blocked = root.path().join("a_file");
        fs::write(&blocked, "in the way").expect("file");
        let file = root.path().join("download.safetensors");
        fs::write(&file, weights(None)).expect("file");
        let mut library = StyleLibrary::open(&[], blocked.join("styles"));
        let error = library.import(&file, None).expect_err("not a folder").to_string();
        assert!(
            error.contains("a_file is not a folder") && error.contains("could not be saved"),
            "{error}"
        );
    }

    #[test]
    fn only_styles_of_the_persons_own_are_removed() {
        let root = tempfile::tempdir().expect("folder");
        let user = root.path().join("user");
        let installed = root.path().join("installed");
        fs::create_dir_all(installed.join("shipped")).expect("folder");
        fs::write(installed.join("shipped/full.safetensors"), weights(None)).expect("file");
        let file = root.path().join("own.safetensors");
        fs::write(&file, weights(None)).expect("file");
        let mut library = StyleLibrary::open(std::slice::from_ref(&installed), user.clone());
        library.import(&file, Some("Own one")).expect("imported");
        fs::copy(&file, user.join("loose.safetensors")).expect("copied");
        library.refresh();

        let refused = library.remove("shipped").expect_err("not one's own");
        assert!(matches!(refused, LibraryError::NotYours { .. }), "{refused}");
        assert!(installed.join("shipped/full.safetensors").exists());
        let refused = library.remove("nonesuch").expect_err("not there");
        assert!(matches!(refused, LibraryError::Unknown { .. }), "{refused}");

        assert_eq!(library.remove("own one").expect("removed"), user.join("own_one"));
        assert!(library.find("own one").is_none() && !user.join("own_one").exists());
        library.remove("loose").expect("removed");
        assert!(library.find("loose").is_none() && file.exists());

        // Other files in the folder are not removed.
        library.import(&file, Some("Own one")).expect("imported");
        fs::write(user.join("own_one/notes.txt"), "mine").expect("file");
        library.remove("own_one").expect("removed");
        assert!(library.find("own one").is_none());
        assert!(user.join("own_one/notes.txt").exists());
    }
}
