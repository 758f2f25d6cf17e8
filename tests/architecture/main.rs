//! The layers of the library, as `src/lib.rs` describes them. Imports only go down, and what is confined to one module
//! stays there.
#![allow(clippy::expect_used)]

mod circles;
mod documents;
#[path = "../support/home.rs"]
mod home;

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Every module of the library and its layer. The test fails if a module is missing here.
const FLOORS: &[(&str, u8)] = &[
    ("disk", 0),
    ("allocation", 1),
    ("tensor", 1),
    ("frame", 1),
    ("parallel_copy", 1),
    ("deep_frame", 1),
    ("raw_frame", 1),
    ("rotation", 1),
    ("mode", 1),
    ("numeric", 1),
    ("timing", 1),
    ("compose", 1),
    ("mailbox", 1),
    ("lock", 1),
    ("bounded_thread", 1),
    ("graph", 2),
    ("network", 2),
    ("quantisation", 2),
    ("models", 2),
    ("text", 1),
    ("weights", 2),
    ("plan", 3),
    ("steady", 3),
    ("backend", 4),
    ("engine", 5),
    ("film", 5),
    ("media", 5),
    ("capture", 5),
    ("settings", 5),
    ("verify", 5),
    ("measure", 5),
    ("signals", 5),
    ("terminal", 5),
    ("licences", 5),
    ("cli", 6),
    ("gui", 6),
];

struct Source {
    /// Path below `src`, with forward slashes.
    path: String,
    text: String,
    /// Text without comments and strings.
    code: String,
}

impl Source {
    /// The top-level module that the file belongs to.
    fn module(&self) -> &str {
        self.path.split('/').next().unwrap_or_default().trim_end_matches(".rs")
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a source folder") {
            let path: PathBuf = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let below = path.strip_prefix(&root).expect("below src");
                let text = fs::read_to_string(&path).expect("UTF-8");
                sources.push(Source {
                    path: below.to_string_lossy().replace('\\', "/"),
                    code: code_only(&text),
                    text,
                });
            }
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(sources.len() > 20, "the sources were not found");
    sources
}

/// Removes comments, string literals and character literals, so that prose cannot break a rule.
fn code_only(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if rest.starts_with("//") {
            rest = rest.find('\n').map_or("", |end| &rest[end..]);
        } else if rest.starts_with("/*") {
            rest = rest.find("*/").map_or("", |end| &rest[end + 2..]);
        } else if let Some(hashes) = raw_string_hashes(rest) {
            let end = format!("\"{}", "#".repeat(hashes));
            let start = hashes + 2;
            rest = rest[start..].find(&end).map_or("", |at| &rest[start + at + end.len()..]);
            code.push_str("\"\"");
        } else if c == '"' {
            rest = after_string(&rest[1..]);
            code.push_str("\"\"");
        } else if c == '\''
            && (rest[1..].starts_with('\\') || rest[1..].chars().nth(1) == Some('\''))
        {
            // A character literal; a lifetime has no closing quote here.
            let skip = if rest[1..].starts_with('\\') { 3 } else { 1 };
            rest = rest[skip..].find('\'').map_or("", |end| &rest[skip + end + 1..]);
        } else {
            code.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    code
}

fn raw_string_hashes(text: &str) -> Option<usize> {
    let after = text.strip_prefix('r')?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    after[hashes..].starts_with('"').then_some(hashes)
}

fn after_string(text: &str) -> &str {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return &text[at + 1..],
            _ => {}
        }
    }
    ""
}

/// The modules of this crate that a file names, by `crate::a` or `use crate::{a, b::{..}}`.
fn modules_named(code: &str) -> Vec<String> {
    let mut modules = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        // `$crate`, or a name that only ends with `crate`.
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => modules.extend(group_heads(group)),
            None => modules.push(head(rest)),
        }
    }
    modules
}

/// First names of the entries of a brace group, up to its end.
fn group_heads(group: &str) -> Vec<String> {
    let mut heads = Vec::new();
    let (mut depth, mut at_start) = (0, true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => at_start = true,
            c if at_start && (c.is_alphabetic() || c == '_') => {
                heads.push(head(&group[at..]));
                at_start = false;
            }
            _ => {}
        }
    }
    heads
}

fn head(path: &str) -> String {
    path.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

fn floor(module: &str) -> Option<u8> {
    FLOORS.iter().find(|(m, _)| *m == module).map(|(_, f)| *f)
}

/// True if `word` occurs in `code` as a whole name.
fn names(code: &str, word: &str) -> bool {
    let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        !code[..at].ends_with(part_of_name) && !code[at + word.len()..].starts_with(part_of_name)
    })
}

#[test]
fn imports_go_down_only() {
    let mut wrong = Vec::new();
    for source in sources() {
        if matches!(source.path.as_str(), "lib.rs" | "main.rs") {
            continue;
        }
        let own = floor(source.module())
            .unwrap_or_else(|| panic!("src/{} is on no floor; add it to the table", source.path));
        for module in modules_named(&source.code) {
            // Names that are not modules (macros, items of lib.rs) have no layer.
            if let Some(theirs) = floor(&module)
                && theirs > own
            {
                wrong.push(format!("{} (floor {own}) uses {module} (floor {theirs})", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "imports that go up:\n{}", wrong.join("\n"));
}

#[test]
fn no_files_go_round_in_a_circle() {
    let sources = sources();
    let texts = sources
        .iter()
        .filter(|source| !matches!(source.path.as_str(), "lib.rs" | "main.rs"))
        .map(|source| (source.path.as_str(), source.text.as_str()));
    let names = circles::Files::read(texts).names();
    let circles: Vec<String> =
        circles::circles(&names).iter().map(|circle| circle.join(" ")).collect();
    assert!(circles.is_empty(), "circles:\n{}", circles.join("\n"));
}

#[test]
fn neither_surface_uses_the_other() {
    for source in sources() {
        let other = match source.module() {
            "cli" => "gui",
            "gui" => "cli",
            _ => continue,
        };
        assert!(
            !modules_named(&source.code).iter().any(|m| m == other),
            "{} uses {other}",
            source.path
        );
    }
}

#[test]
fn restricted_names_stay_in_their_modules() {
    let rules: &[(&str, &[&str])] = &[
        ("unsafe", &["backend/", "capture/camera/v4l2/calls.rs"]),
        ("cudarc", &["backend/"]),
        ("egui", &["gui/"]),
        ("eframe", &["gui/"]),
        ("egui_plot", &["gui/"]),
        ("rfd", &["gui/"]),
        ("arboard", &["gui/"]),
        ("clap", &["cli/"]),
        ("v4l", &["capture/camera/v4l2/"]),
        ("nokhwa", &["capture/camera/nokhwa.rs"]),
        ("zune_jpeg", &["capture/mjpeg.rs", "media/inks.rs"]),
        ("vello_cpu", &["measure/chart/", "capture/demo/"]),
        ("skrifa", &["measure/chart/"]),
        ("ctrlc", &["signals.rs"]),
        ("indicatif", &["cli/progress.rs"]),
    ];
    let mut wrong = Vec::new();
    for source in sources() {
        for (word, places) in rules {
            let is_home = places.iter().any(|place| source.path.starts_with(place));
            if names(&source.code, word) && !is_home {
                wrong.push(format!(
                    "{} names {word}, which belongs to {}",
                    source.path,
                    places.join(" and ")
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "out of place:\n{}", wrong.join("\n"));
}

/// The code of a file without its tests, which are at its end or in a separate file.
fn without_tests(source: &Source) -> &str {
    match source.path.ends_with("/tests.rs") {
        true => "",
        false => source.code.split("mod tests {").next().unwrap_or_default(),
    }
}

/// Files are written completely and synced, and their temporary files can be recognised.
#[test]
fn files_are_written_in_one_place() {
    let ways = [
        "tempfile",
        "persist",
        "sync_all",
        "create_dir",
        "create_dir_all",
        "OpenOptions",
        "File::create",
        "fs::write",
        "fs::rename",
    ];
    let mut wrong = Vec::new();
    for source in sources() {
        // This asks the kernel to restart a counter; it does not write a file.
        let counts_anew = |way: &str| source.path == "cli/bench/mod.rs" && way == "fs::write";
        let code = without_tests(&source);
        for way in ways.into_iter().filter(|way| !counts_anew(way)) {
            if !source.path.starts_with("disk/") && names(code, way) {
                wrong.push(format!("{} names {way}, which belongs to disk/", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "out of place:\n{}", wrong.join("\n"));
}

/// A system error inside one of our errors is shown as text, never with the system's number.
#[test]
fn system_errors_are_shown_as_text() {
    let mut seen = 0;
    for source in sources() {
        let code = without_tests(&source);
        let fields = ["source: io::Error", "source: std::io::Error", "(#[from] io::Error)"];
        for field in fields {
            for (at, _) in code.match_indices(field) {
                let shown = code[..at].rfind("#[error(").map(|from| &code[from..at]);
                // Without an attribute, the file's own `Display` formats it.
                let shown = shown.unwrap_or(code);
                assert!(names(shown, "words"), "{}: {shown}", source.path);
                seen += 1;
            }
        }
    }
    assert!(seen >= 2, "the errors were not found");
}

/// Foreign text is escaped where the program writes it.
#[test]
fn one_place_writes_to_the_terminal() {
    for source in sources() {
        if source.path == "terminal.rs" {
            continue;
        }
        // A field or a method of another program's handle is not one of ours.
        let code =
            source.code.replace([' ', '\n'], "").replace(".stdout", "").replace(".stderr", "");
        let macros = ["println!", "eprintln!", "print!", "eprint!", "dbg!"];
        for word in macros.into_iter().chain(["stdout", "stderr"]) {
            assert!(
                !names(&code, word),
                "{} writes with {word}; use crates/values/src/terminal.rs",
                source.path
            );
        }
    }
}

/// File names become labels of the window in one place, which escapes them.
#[test]
fn names_of_files_become_labels_in_one_place() {
    for source in sources() {
        if source.module() != "gui" || source.path == "gui/label.rs" {
            continue;
        }
        for way in ["display()", "to_string_lossy"] {
            assert!(
                !source.code.contains(&format!(".{way}")),
                "{} makes text of a path with .{way}; use gui/label.rs",
                source.path
            );
        }
    }
}

#[test]
fn the_judge_shares_nothing_with_what_it_judges() {
    let mut files = 0;
    for source in sources() {
        if !source.path.starts_with("backend/oracle/") {
            continue;
        }
        files += 1;
        for module in modules_named(&source.code) {
            assert!(
                // The oracle may know modes, like the backends.
                ["frame", "graph", "mode", "network", "numeric", "quantisation"]
                    .contains(&module.as_str()),
                "{} uses {module}",
                source.path
            );
        }
        // The other way out of the folder; in its root, one step is enough.
        assert!(!source.code.contains("super::super"), "{}", source.path);
        if source.path.ends_with("/mod.rs") {
            let ways_out = source.code.matches("super::").count();
            let of_tests = source.code.matches("use super::*").count();
            assert_eq!(ways_out, of_tests, "{}", source.path);
        }
    }
    assert!(files >= 2, "the oracle was not found");
}

/// Otherwise its tests would read and write the folders of the user who runs them. Cargo finds the programs in the same
/// way.
#[test]
fn every_test_program_has_a_home_of_its_own() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut programs = Vec::new();
    for package in [root.to_path_buf(), root.join("triton")] {
        programs.push(package.join("src/lib.rs"));
        for entry in fs::read_dir(package.join("tests")).expect("a folder of tests") {
            let path = entry.expect("an entry").path();
            let main = path.join("main.rs");
            if main.is_file() {
                programs.push(main);
            } else if path.extension().is_some_and(|e| e == "rs") {
                programs.push(path);
            }
        }
    }
    assert!(programs.len() > 30, "the test programs were not found");
    for program in programs {
        let text = fs::read_to_string(&program).expect("UTF-8");
        let has_home = text.contains("support/home.rs\"]\nmod home;");
        assert!(has_home, "{} does not include tests/support/home.rs", program.display());
    }
    let has_tests = |source: &Source| source.path == "main.rs" && names(&source.code, "test");
    assert!(!sources().iter().any(has_tests), "src/main.rs has tests, but no home for them");
}

#[test]
fn the_readers_of_this_test_see_what_they_should() {
    let code = code_only(
        "use crate::{a::{b, c}, d, /* e */ f::g};\n// unsafe\nlet s = \"unsafe \\\" crate::x\";\n\
         let r = r#\"unsafe \" \"#; let q = '\"'; crate::h::i(); fn j<'k>() {} \"crate::l\"",
    );
    assert_eq!(modules_named(&code), ["a", "d", "f", "h"]);
    assert!(!names(&code, "unsafe"));
    assert!(names("unsafe {", "unsafe") && !names("unsafe_op", "unsafe"));
}

#[test]
fn circles_are_seen_through_groups_and_re_exports() {
    let sources = [
        ("a/mod.rs", "mod b; mod c; pub use c::C;"),
        ("a/b.rs", "use super::{C, Other}; pub struct B(C);"),
        ("a/c.rs", "pub struct C; fn f() -> Option<super::b::B> { None }"),
        ("d.rs", "use crate::{a::C, e::{self, E}};"),
        ("e.rs", "#[cfg(test)] mod tests { use crate::d::D; }"),
    ];
    let circles = circles::circles(&circles::Files::read(sources.into_iter()).names());
    assert_eq!(circles, [["a::b", "a::c"]]);
}
