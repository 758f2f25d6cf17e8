//! Finds cycles of files. Two files that name each other, directly or through others, cannot be read separately.

use std::collections::{BTreeMap, BTreeSet};

use syn::{
    Attribute, File, Item, ItemMod, ItemUse, Path, UseTree,
    visit::{self, Visit},
};

/// A module's path, without `crate`: `["engine", "live"]`.
type Place = Vec<String>;

/// The names that the library's files use from each other.
pub struct Files {
    /// Every file, by its module.
    parsed: BTreeMap<Place, File>,
    /// Names that a module re-exports, and their source.
    exports: BTreeMap<Place, BTreeMap<String, Place>>,
}

/// The module of a file in `src`: `engine/live/mod.rs` is `engine::live`.
fn place_of(path: &str) -> Place {
    let path = path.trim_end_matches(".rs");
    path.strip_suffix("/mod").unwrap_or(path).split('/').map(str::to_owned).collect()
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|a| {
        a.path().is_ident("cfg") && a.parse_args::<Path>().is_ok_and(|path| path.is_ident("test"))
    })
}

/// Every path that a `use` imports, with its local name; the last name of a glob is `*`.
fn paths_of(tree: &UseTree, before: &[String], out: &mut Vec<(Vec<String>, String)>) {
    let with = |name: String| before.iter().cloned().chain([name]).collect::<Vec<_>>();
    match tree {
        UseTree::Path(path) => paths_of(&path.tree, &with(path.ident.to_string()), out),
        UseTree::Name(name) if name.ident == "self" => {
            out.push((before.to_vec(), before.last().cloned().unwrap_or_default()));
        }
        UseTree::Name(name) => {
            let name = name.ident.to_string();
            out.push((with(name.clone()), name));
        }
        UseTree::Rename(renamed) => {
            out.push((with(renamed.ident.to_string()), renamed.rename.to_string()));
        }
        UseTree::Glob(_) => out.push((with("*".to_owned()), "*".to_owned())),
        UseTree::Group(group) => {
            for tree in &group.items {
                paths_of(tree, before, out);
            }
        }
    }
}

/// Paths that one file spells out.
struct Named {
    paths: Vec<Vec<String>>,
}

impl<'ast> Visit<'ast> for Named {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if !is_for_tests(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        // A file that only re-exports a name does not use it.
        if matches!(item.vis, syn::Visibility::Inherited) && !is_for_tests(&item.attrs) {
            let mut paths = Vec::new();
            paths_of(&item.tree, &[], &mut paths);
            self.paths.extend(paths.into_iter().map(|(path, _)| path));
        }
    }

    fn visit_path(&mut self, path: &'ast Path) {
        let names = path.segments.iter().map(|s| s.ident.to_string());
        self.paths.push(names.collect());
        visit::visit_path(self, path);
    }
}

impl Files {
    /// Parses the files, each given as its path below `src` and its text.
    pub fn read<'a>(sources: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let mut files = Self { parsed: BTreeMap::new(), exports: BTreeMap::new() };
        for (path, text) in sources {
            let parsed = syn::parse_file(text).unwrap_or_else(|e| panic!("{path}: {e}"));
            files.parsed.insert(place_of(path), parsed);
        }
        for (place, file) in &files.parsed {
            let mut exports = BTreeMap::new();
            for item in &file.items {
                let Item::Use(item) = item else { continue };
                if matches!(item.vis, syn::Visibility::Inherited) {
                    continue;
                }
                let mut paths = Vec::new();
                paths_of(&item.tree, &[], &mut paths);
                for (path, name) in paths {
                    if let Some(target) = absolute(place, &path) {
                        exports.insert(name, target);
                    }
                }
            }
            files.exports.insert(place.clone(), exports);
        }
        files
    }

    /// The file that an absolute path points to, through re-exports.
    fn file_of(&self, path: &[String], depth: usize) -> Option<Place> {
        let length = (1..=path.len()).rev().find(|n| self.parsed.contains_key(&path[..*n]))?;
        let (place, rest) = path.split_at(length);
        if let (Some(name), true) = (rest.first(), depth < 8)
            && let Some(target) = self.exports[place].get(name)
        {
            let whole: Place = target.iter().chain(&rest[1..]).cloned().collect();
            return self.file_of(&whole, depth + 1);
        }
        Some(place.to_vec())
    }

    /// The files that each file names.
    pub fn names(&self) -> BTreeMap<Place, BTreeSet<Place>> {
        let mut names = BTreeMap::new();
        for (place, file) in &self.parsed {
            let mut named = Named { paths: Vec::new() };
            named.visit_file(file);
            let found = named
                .paths
                .iter()
                .filter_map(|path| self.file_of(&absolute(place, path)?, 0))
                // A folder's own file belongs to the folder: the files in the folder may use what it defines.
                .filter(|other| !place.starts_with(other));
            names.insert(place.clone(), found.collect());
        }
        names
    }
}

/// A path from the crate's root, if it is in this crate.
fn absolute(place: &Place, path: &[String]) -> Option<Place> {
    let mut base = match path.first()?.as_str() {
        "crate" => Vec::new(),
        "self" => place.clone(),
        "super" => place[..place.len() - 1].to_vec(),
        // A module below the file's own, or an imported name.
        _ => {
            let below: Place = place.iter().chain(path).cloned().collect();
            return Some(below);
        }
    };
    for name in &path[1..] {
        match name.as_str() {
            "super" => drop(base.pop()?),
            name => base.push(name.to_owned()),
        }
    }
    Some(base)
}

/// Groups of two or more files that reach each other (Tarjan's algorithm).
pub fn circles(names: &BTreeMap<Place, BTreeSet<Place>>) -> Vec<Vec<String>> {
    // There are few files, so repeated steps find which files each one reaches.
    let reach: BTreeMap<&Place, BTreeSet<&Place>> = names
        .keys()
        .map(|from| {
            let mut reached = BTreeSet::new();
            let mut open: Vec<&Place> = names[from].iter().collect();
            while let Some(next) = open.pop() {
                if reached.insert(next) {
                    open.extend(names.get(next).into_iter().flatten());
                }
            }
            (from, reached)
        })
        .collect();
    let mut seen = BTreeSet::new();
    let mut circles = Vec::new();
    for from in names.keys() {
        if seen.contains(from) || !reach[from].contains(from) {
            continue;
        }
        let both =
            reach[from].iter().filter(|to| reach.get(*to).is_some_and(|back| back.contains(from)));
        let circle: Vec<&Place> = both.copied().collect();
        seen.extend(circle.iter().copied());
        circles.push(circle.iter().map(|place| place.join("::")).collect());
    }
    circles
}
