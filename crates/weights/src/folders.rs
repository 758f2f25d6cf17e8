//! The folders that are searched for styles: installed ones, and the user's own.

use std::{
    env,
    path::{Path, PathBuf},
};

use etcetera::BaseStrategy;

use super::plain_file;

/// Maximum size of a `Cargo.toml` that is read.
const MAX_MANIFEST_BYTES: u64 = 64 * 1024;

/// The folder of the user's own styles: `styleforge/styles` in `$XDG_DATA_HOME`, on Windows in `%APPDATA%`. `None`
/// without a home folder.
pub fn user_styles_folder() -> Option<PathBuf> {
    let data = etcetera::choose_base_strategy().ok().map(|folders| folders.data_dir());
    Some(absolute(data, "XDG_DATA_HOME")?.join("styleforge").join("styles"))
}

/// The folder that the variable names, otherwise the folder `found`. Never a relative path, because that would depend on
/// where the program is started.
pub fn absolute(found: Option<PathBuf>, variable: &str) -> Option<PathBuf> {
    let named = env::var_os(variable).map(PathBuf::from);
    [named, found].into_iter().flatten().find(|folder| folder.is_absolute())
}

/// The existing folders of installed styles, in search order. Does not include the current folder, whose contents must
/// not replace a style.
pub fn installed() -> Vec<PathBuf> {
    let mut folders = env::current_exe().map_or_else(|_| Vec::new(), |program| around(&program));
    // Tests and debug builds run from anywhere and still find the source tree's styles.
    if cfg!(debug_assertions) {
        folders.push(source_tree().join("styles"));
    }
    // Folders are compared by their real paths, and named without them, because those of Windows are hard to read.
    let mut real = Vec::new();
    folders.retain(|folder| match folder.canonicalize() {
        Ok(path) if path.is_dir() && !real.contains(&path) => {
            real.push(path);
            true
        }
        _ => false,
    });
    folders
}

/// The source tree that the program was built from: this crate's folder is `crates/weights` in it.
fn source_tree() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.ancestors().nth(2).unwrap_or(own)
}

/// The possible folders of a program's styles. `cargo` may have built the program.
fn around(program: &Path) -> Vec<PathBuf> {
    let Some(beside) = program.parent() else {
        return Vec::new();
    };
    let mut folders = vec![beside.join("styles")];
    folders.extend(beside.parent().map(|parent| parent.join("share/styleforge/styles")));
    let target =
        beside.ancestors().find(|folder| folder.file_name().is_some_and(|name| name == "target"));
    if let Some(root) = target.and_then(Path::parent)
        && is_our_source(root)
    {
        folders.push(root.join("styles"));
    }
    folders
}

/// True if a folder is StyleForge's source tree, according to its `Cargo.toml`.
fn is_our_source(folder: &Path) -> bool {
    let manifest = plain_file::small(&folder.join("Cargo.toml"), MAX_MANIFEST_BYTES);
    toml::from_slice::<toml::Table>(&manifest.unwrap_or_default()).is_ok_and(|manifest| {
        let name = manifest.get("package").and_then(|package| package.get("name"));
        name.and_then(toml::Value::as_str) == Some("styleforge")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_styles_are_in_the_home_of_the_user() {
        let home = env::home_dir().expect("a home");
        assert!(user_styles_folder().expect("a folder").starts_with(home));
    }

    #[test]
    fn a_program_that_cargo_built_finds_the_source_tree() {
        let own = env::current_exe().expect("a program");
        let root = source_tree();
        assert!(is_our_source(root));
        if own.starts_with(root.join("target")) {
            assert!(around(&own).contains(&root.join("styles")));
        }
        let elsewhere = around(Path::new("/opt/styleforge/bin/styleforge"));
        assert!(elsewhere.contains(&PathBuf::from("/opt/styleforge/bin/styles")));
        assert_eq!(elsewhere.len(), 2);
    }

    #[test]
    fn a_manifest_of_another_package_is_not_ours() {
        let folder = tempfile::tempdir().expect("a folder");
        let says = |text: &str| {
            std::fs::write(folder.path().join("Cargo.toml"), text).expect("written");
            is_our_source(folder.path())
        };
        assert!(says("[package]\nname = \"styleforge\"\n"));
        assert!(!says("[package]\nname = \"styleforge-fuzz\"\n"));
        assert!(!says("[dependencies]\nname = \"styleforge\"\n"));
        let long = "# \n".repeat(MAX_MANIFEST_BYTES as usize);
        assert!(!says(&(long + "[package]\nname = \"styleforge\"\n")));
        assert!(!is_our_source(&folder.path().join("nowhere")));
    }
}
