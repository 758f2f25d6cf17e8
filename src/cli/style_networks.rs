//! Finds the network of `--style-network`: a user's network by name, a file of weights, or the built-in one.

use std::{ffi::OsStr, path::Path, sync::Arc};

use super::CliError;
use crate::{
    models::vit::{Spec, Transformer},
    weights::{BUILT_IN_NETWORK, LibraryError, StyleLibrary, StyleNetwork},
};

/// # Errors
/// [`CliError::WrongUse`] if no network has this name, [`CliError::Unusable`] if its file is refused.
pub fn chosen(library: &StyleLibrary, typed: Option<&OsStr>) -> Result<StyleNetwork, CliError> {
    let built_in = || StyleNetwork::built_in().map_err(CliError::failed);
    let Some(typed) = typed.filter(|typed| *typed != BUILT_IN_NETWORK) else {
        return built_in();
    };
    if let Some((name, ..)) = plain(typed) {
        return Err(CliError::WrongUse(format!(
            "{name} is a network size without weights; bench, compare and check run it with random weights; to paint with it, train it with tools/train_any.py and import it with styles import"
        )));
    }
    let networks = library.networks();
    let path = Path::new(typed);
    if let Some(name) = typed.to_str().filter(|name| networks.has(name))
        && path.components().count() == 1
    {
        return networks.find(name).map_err(|e| CliError::Unusable(e.to_string()));
    }
    if path.is_file() {
        let refused = |e| CliError::Unusable(format!("{}: {e}", path.display()));
        return StyleNetwork::read(path).map_err(refused);
    }
    let error: LibraryError = match networks.find(&typed.to_string_lossy()) {
        Ok(network) => return Ok(network),
        Err(error) => error,
    };
    Err(CliError::WrongUse(format!("{error}; or use a file of weights")))
}

/// As [`chosen`], for measuring: the name of a plain network returns one with random weights.
///
/// # Errors
/// See [`chosen`].
pub fn measured(library: &StyleLibrary, typed: Option<&OsStr>) -> Result<StyleNetwork, CliError> {
    match typed.and_then(plain) {
        Some((name, _, spec)) => {
            let made = Transformer::made_up(spec).map_err(CliError::failed)?;
            Ok(StyleNetwork { name: name.to_owned(), transformer: Arc::new(made) })
        }
        None => chosen(library, typed),
    }
}

/// The plain network of this name, if there is one.
fn plain(typed: &OsStr) -> Option<(&'static str, usize, Spec)> {
    Spec::plain_ones().into_iter().find(|(name, ..)| *name == typed)
}
