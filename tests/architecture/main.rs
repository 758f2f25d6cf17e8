//! What Cargo cannot know about the crates: no files form a cycle, what is confined to one place stays there, and no
//! crate outgrows its budget. Which crate may use which is a fact of their `Cargo.toml`.
#![allow(clippy::expect_used)]

mod budgets;
mod circles;
mod documents;
#[path = "../support/home.rs"]
mod home;

use std::{fs, path::PathBuf};

/// A source file of a crate or of the program.
struct Source {
    /// The crate's folder and the path below its `src`, with forward slashes: `engine/live/mod.rs`; of the program only
    /// the path.
    path: String,
    text: String,
    /// Text without comments and strings.
    code: String,
}

impl Source {
    fn crate_name(&self) -> &str {
        self.path.split_once('/').map_or("", |(name, _)| name)
    }
}

/// The folders of our crates.
fn crates() -> Vec<PathBuf> {
    let folders = fs::read_dir(home::project().join("crates")).expect("a folder of crates");
    let folders = folders.map(|entry| entry.expect("an entry").path()).filter(|f| f.is_dir());
    // Generated code.
    let mut folders: Vec<_> = folders.filter(|f| !f.ends_with("v4l2-sys-mit")).collect();
    folders.sort();
    folders
}

fn sources() -> Vec<Source> {
    let mut sources = Vec::new();
    let mut folders = vec![home::project().join("src")];
    folders.extend(crates().into_iter().map(|folder| folder.join("src")));
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a source folder") {
            let path: PathBuf = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let below = path.strip_prefix(home::project()).expect("in the project");
                let below = below.to_string_lossy().replace('\\', "/");
                let below = below.trim_start_matches("crates/").replacen("src/", "", 1);
                let text = fs::read_to_string(&path).expect("UTF-8");
                sources.push(Source { path: below, code: code_only(&text), text });
            }
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(sources.len() > 500, "the sources were not found");
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

/// True if `word` occurs in `code` as a whole name.
fn names(code: &str, word: &str) -> bool {
    let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        !code[..at].ends_with(part_of_name) && !code[at + word.len()..].starts_with(part_of_name)
    })
}

#[test]
fn no_files_form_a_cycle() {
    let sources = sources();
    let mut found = Vec::new();
    for folder in crates() {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let own = sources.iter().filter(|source| source.crate_name() == name);
        let texts = own.map(|source| (&source.path[name.len() + 1..], source.text.as_str()));
        let names = circles::Files::read(texts.filter(|(path, _)| *path != "lib.rs")).names();
        found.extend(circles::circles(&names).iter().map(|c| format!("{name}: {}", c.join(" "))));
    }
    assert!(found.is_empty(), "cycles:\n{}", found.join("\n"));
}

#[test]
fn restricted_names_stay_in_their_modules() {
    let rules: &[(&str, &[&str])] = &[
        (
            "unsafe",
            &[
                "backend/",
                "values/yuv420.rs",
                "engine/capture/camera/v4l2/calls.rs",
                "threads/children.rs",
            ],
        ),
        ("v4l", &["engine/capture/camera/v4l2/"]),
        ("nokhwa", &["engine/capture/camera/nokhwa.rs"]),
        ("zune_jpeg", &["engine/capture/mjpeg.rs", "pictures/jpeg.rs"]),
        ("vello_cpu", &["media/canvas.rs", "engine/capture/demo/"]),
        ("skrifa", &["media/canvas.rs"]),
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
            if !source.path.starts_with("values/disk/") && names(code, way) {
                wrong.push(format!("{} names {way}, which belongs to values/disk/", source.path));
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
        if source.path == "values/terminal.rs" {
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
        if source.crate_name() != "gui" || source.path == "gui/widgets/label.rs" {
            continue;
        }
        for way in ["display()", "to_string_lossy"] {
            assert!(
                !source.code.contains(&format!(".{way}")),
                "{} makes text of a path with .{way}; use gui/widgets/label.rs",
                source.path
            );
        }
    }
}

/// Otherwise its tests would read and write the folders of the user who runs them. Cargo finds the programs in the same
/// way.
#[test]
fn every_test_program_has_a_home_of_its_own() {
    let mut packages = crates();
    packages.extend([home::project().to_owned(), home::project().join("triton")]);
    let mut programs = Vec::new();
    for package in packages {
        programs.extend(Some(package.join("src/lib.rs")).filter(|library| library.is_file()));
        let Ok(tests) = fs::read_dir(package.join("tests")) else { continue };
        for entry in tests {
            let path = entry.expect("an entry").path();
            let main = path.join("main.rs");
            if main.is_file() {
                programs.push(main);
            } else if path.extension().is_some_and(|e| e == "rs") {
                programs.push(path);
            }
        }
    }
    assert!(programs.len() > 40, "the test programs were not found");
    for program in programs {
        let text = fs::read_to_string(&program).expect("UTF-8");
        let has_home = text.contains("support/home.rs\"]\nmod home;");
        assert!(has_home, "{} does not include tests/support/home.rs", program.display());
    }
    let has_tests = |source: &Source| source.crate_name().is_empty() && names(&source.code, "test");
    assert!(!sources().iter().any(has_tests), "the program has tests, but no home for them");
}

#[test]
fn the_readers_of_this_test_see_what_they_should() {
    let code = code_only(
        "use crate::a; // unsafe\nlet s = \"unsafe \\\" b\"; let r = r#\"unsafe \" \"#; let q = '\"'; fn j<'k>() {}",
    );
    assert_eq!(code, "use crate::a; \nlet s = \"\"; let r = \"\"; let q = ; fn j<'k>() {}");
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
