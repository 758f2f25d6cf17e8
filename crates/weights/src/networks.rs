//! The user's own style networks: one folder each, in a folder next to that of the user's styles.

use std::{
    fs,
    path::{Path, PathBuf},
};

use itertools::Itertools;

use super::{
    Budget, LibraryError, MadeBy, StyleNetwork,
    code::BUILT_IN_NETWORK,
    folders::user_styles_folder,
    names::{BUILT_IN, free_id, id_from, stem, title_of},
    read_file,
    style_network::{from_bytes, kept_file},
};
use network::models::vit::Spec;
use values::disk;

/// The folder of networks, next to that of styles.
const FOLDER: &str = "networks";
/// The file of a network in its folder.
const WEIGHTS: &str = "network.safetensors";

/// The user's own style networks.
#[derive(Clone, Debug)]
pub struct NetworkLibrary {
    /// `None` without a home folder.
    folder: Option<PathBuf>,
}

impl NetworkLibrary {
    /// The networks next to the user's own styles.
    pub fn standard() -> Self {
        Self::next_to(user_styles_folder().as_deref())
    }

    /// The networks next to a folder of styles, which need not exist yet.
    pub(super) fn next_to(styles: Option<&Path>) -> Self {
        Self { folder: styles.map(|styles| styles.with_file_name(FOLDER)) }
    }

    /// `None` without a home folder.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// The names of all networks, sorted.
    pub fn names(&self) -> Vec<String> {
        let listing = self.folder().and_then(|folder| fs::read_dir(folder).ok());
        let mut names: Vec<String> = (listing.into_iter().flatten().flatten())
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| self.has(name))
            .collect();
        names.sort();
        names
    }

    pub fn has(&self, name: &str) -> bool {
        self.file(name).is_some_and(|file| file.is_file())
    }

    /// The path of a network's file, existing or not; `None` if the name is not valid.
    pub fn file(&self, name: &str) -> Option<PathBuf> {
        let id = id_from(name);
        (!id.is_empty()).then(|| Some(self.folder()?.join(id).join(WEIGHTS))).flatten()
    }

    /// The file of a network; the error names the user's networks and `other`.
    fn existing(&self, name: &str, other: Option<&str>) -> Result<PathBuf, LibraryError> {
        self.file(name).filter(|file| file.is_file()).ok_or_else(|| {
            let known = other.map(str::to_owned).into_iter().chain(self.names()).join(", ");
            LibraryError::UnknownNetwork { name: name.to_owned(), known }
        })
    }

    /// Reads a network by name.
    ///
    /// # Errors
    /// [`LibraryError::UnknownNetwork`], and [`LibraryError::Weights`] for a damaged file.
    pub fn find(&self, name: &str) -> Result<StyleNetwork, LibraryError> {
        let path = self.existing(name, Some(BUILT_IN_NETWORK))?;
        let read = StyleNetwork::read(&path).map_err(LibraryError::of(&path));
        Ok(StyleNetwork { name: id_from(name), ..read? })
    }

    /// Reads the network that made a code: one of the user's own, or the built-in one.
    ///
    /// # Errors
    /// [`LibraryError`] as [`NetworkLibrary::find`].
    pub fn find_made_by(&self, made_by: &MadeBy) -> Result<StyleNetwork, LibraryError> {
        if !made_by.is_built_in() {
            return self.find(&made_by.network);
        }
        StyleNetwork::built_in().map_err(LibraryError::of(BUILT_IN.as_ref()))
    }

    /// Reads a network strictly and stores it under `name` or, without it, under its file's name.
    ///
    /// # Errors
    /// [`LibraryError`] when the file is refused, the name is taken, empty or means another network, or the file cannot
    /// be written.
    pub fn import(&self, file: &Path, name: Option<&str>) -> Result<StyleNetwork, LibraryError> {
        let refused = LibraryError::of(file);
        let title = name.map_or_else(|| title_of(&stem(file)), title_of);
        let id = self.free_id(&title)?;
        let bytes = read_file(file).map_err(&refused)?;
        let transformer = from_bytes(&bytes, &Budget::for_file(bytes.len())).map_err(&refused)?;
        let kept = kept_file(bytes, &transformer).map_err(refused)?;
        let check = |file: &Path| StyleNetwork::read(file).map(drop).map_err(String::from);
        let folder = self.folder().ok_or(LibraryError::NoOwnFolder)?.join(&id);
        disk::write_folder(&folder, &[(WEIGHTS.to_owned(), &kept)], check)
            .map_err(LibraryError::of_writing(&id))?;
        Ok(StyleNetwork { name: id, transformer: transformer.into() })
    }

    fn free_id(&self, title: &str) -> Result<String, LibraryError> {
        let meaning = |id: &str| match id {
            BUILT_IN_NETWORK => Some("the built-in network"),
            id => Spec::plain_ones()
                .iter()
                .any(|(plain, ..)| *plain == id)
                .then_some("sizes of a network"),
        };
        free_id(title, self.folder(), meaning, |id| self.has(id))
    }

    /// Removes a network and returns the removed path.
    ///
    /// # Errors
    /// [`LibraryError::UnknownNetwork`], and [`LibraryError::Remove`] if it cannot be removed.
    pub fn remove(&self, name: &str) -> Result<PathBuf, LibraryError> {
        let file = self.existing(name, None)?;
        let path = disk::folder_of(&file).to_owned();
        match disk::remove_folder(&path, &[WEIGHTS]) {
            Ok(()) => Ok(path),
            Err(source) => Err(LibraryError::Remove { path, source }),
        }
    }
}
