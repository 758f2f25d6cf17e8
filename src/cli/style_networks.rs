//! Finds the network of `--style-network`: the person's own by name, a file of weights, or the one inside the program.

use std::{ffi::OsStr, path::Path, sync::Arc};

use super::CliError;
use crate::{
    models::vit::{Spec, Transformer},
    weights::{BUILT_IN_NETWORK, LibraryError, StyleLibrary, StyleNetwork},
};

/// The network that paints with style pictures.
///
/// # Errors
/// [`CliError::WrongUse`] when there is none of this name, [`CliError::Unusable`] when its file is refused.
pub fn chosen(library: &StyleLibrary, typed: Option<&OsStr>) -> Result<StyleNetwork, CliError> {
    let built_in = || StyleNetwork::built_in().map_err(|e| CliError::Failed(e.to_string()));
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

/// As [`chosen`], for measuring: sizes alone are a network with made-up weights.
///
/// # Errors
/// As [`chosen`].
pub fn measured(library: &StyleLibrary, typed: Option<&OsStr>) -> Result<StyleNetwork, CliError> {
    match typed.and_then(plain) {
        Some((name, _, spec)) => {
            let made = Transformer::made_up(spec).map_err(|e| CliError::Failed(e.to_string()))?;
            Ok(StyleNetwork { name: name.to_owned(), transformer: Arc::new(made) })
        }
        None => chosen(library, typed),
    }
}

/// The plain network of this name, if it is one's.
fn plain(typed: &OsStr) -> Option<(&'static str, usize, Spec)> {
    Spec::plain_ones().into_iter().find(|(name, ..)| *name == typed)
}
