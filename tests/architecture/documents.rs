//! The documents: their links and anchors resolve, and the files and names that they mention exist. The commands in them
//! are tested in `crates/cli/src/args/tests.rs`.

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    path::Path,
};

/// All files of the project by their paths below its root, and the text of the documents.
struct Tree {
    files: Vec<String>,
    documents: BTreeMap<String, String>,
}

impl Tree {
    fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut tree = Self { files: Vec::new(), documents: BTreeMap::new() };
        let mut folders = vec![root.to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                let below = path
                    .strip_prefix(root)
                    .expect("below the root")
                    .to_string_lossy()
                    .replace('\\', "/");
                if path.is_dir() {
                    if !matches!(below.as_str(), ".git" | "target" | "fuzz/target") {
                        folders.push(path);
                    }
                    continue;
                }
                if below.ends_with(".md") {
                    let text = fs::read_to_string(&path).expect("a document in UTF-8");
                    tree.documents.insert(below.clone(), text);
                }
                tree.files.push(below);
            }
        }
        assert!(tree.documents.len() > 5, "the documents were not found");
        tree
    }

    /// True if this is a file or a folder below the root.
    fn has(&self, path: &str) -> bool {
        let folder = format!("{}/", path.trim_end_matches('/'));
        self.files.iter().any(|file| file == path || file.starts_with(&folder))
    }

    /// True if a file or folder of the project has this path or its end, in which `*` matches any text.
    fn has_named(&self, name: &str) -> bool {
        let name = name.trim_end_matches('/');
        self.files.iter().any(|file| {
            std::iter::once(0)
                .chain(file.match_indices('/').map(|(at, _)| at + 1))
                .map(|at| &file[at..])
                .any(|end| is_or_contains(name, end))
        })
    }
}

/// True if `pattern` matches `path` or a folder at its beginning.
fn is_or_contains(pattern: &str, path: &str) -> bool {
    match pattern.split_once('*') {
        None => {
            path.strip_prefix(pattern).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        }
        Some((before, after)) => path.strip_prefix(before).is_some_and(|rest| {
            rest.char_indices().any(|(at, _)| is_or_contains(after, &rest[at..]))
        }),
    }
}

/// A document's text without blocks of code: prose, and the inline code in it.
fn prose_and_code(text: &str) -> (String, Vec<String>) {
    let blocks = text.split("```").step_by(2).collect::<String>();
    let mut prose = String::new();
    let mut code = Vec::new();
    for (number, part) in blocks.split('`').enumerate() {
        if number % 2 == 0 {
            prose.push_str(part);
        } else {
            code.push(part.split_whitespace().collect::<Vec<_>>().join(" "));
        }
    }
    (prose, code)
}

/// The anchors of a document's headings.
fn anchors(text: &str) -> HashSet<String> {
    let blocks = text.split("```").step_by(2);
    let headings = blocks.flat_map(str::lines).filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            line.trim_start_matches('#')
                .trim()
                .to_lowercase()
                .replace(' ', "-")
                .chars()
                .filter(|c| c.is_alphanumeric() || "-_".contains(*c))
                .collect()
        })
        .collect()
}

/// `to`, which a document in `folder` names, as a path below the root.
fn resolved(folder: &str, to: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in to.split('/') {
        match part {
            "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[test]
fn links_lead_to_files_and_headings() {
    let tree = Tree::read();
    let mut wrong = Vec::new();
    for (document, text) in &tree.documents {
        let folder = document.rsplit_once('/').map_or("", |(folder, _)| folder);
        let (prose, _) = prose_and_code(text);
        let targets = prose.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.starts_with("https://")) {
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = if path.is_empty() { document.clone() } else { resolved(folder, path) };
            let has_anchor =
                || tree.documents.get(&file).is_some_and(|text| anchors(text).contains(anchor));
            if !tree.has(&file) || !anchor.is_empty() && !has_anchor() {
                wrong.push(format!("{document}: {target}"));
            }
        }
    }
    assert!(wrong.is_empty(), "links to nowhere:\n{}", wrong.join("\n"));
}

/// True if inline code names a file of the project: by the ending of a source or a document, or by a folder of the
/// project.
fn names_a_file(code: &str, tree: &Tree) -> bool {
    let is_path = code.chars().all(|c| c.is_ascii_alphanumeric() || "_-./*".contains(c));
    let endings = [".rs", ".md", ".py", ".sh", ".cu", ".cuh", ".toml", ".xz", ".bin"];
    let has_ending =
        endings.iter().any(|ending| code.len() > ending.len() && code.ends_with(ending));
    let is_in_folder = code.split_once('/').is_some_and(|(first, _)| tree.has(first));
    is_path
        && !code.starts_with(['.', '/', '-'])
        && !code.starts_with("target/")
        && !code.contains("VERSION")
        && (has_ending || is_in_folder)
}

#[test]
fn files_in_documents_exist() {
    let tree = Tree::read();
    let mut wrong = Vec::new();
    for (document, text) in &tree.documents {
        let (_, code) = prose_and_code(text);
        for name in code.iter().filter(|code| names_a_file(code, &tree)) {
            let pattern = name.replace("NAME", "*").replace("PRECISION", "*");
            if !tree.has_named(&pattern) {
                wrong.push(format!("{document}: {name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "files that do not exist:\n{}", wrong.join("\n"));
}

/// CONTRIBUTING.md names types, functions and constants, which are renamed from time to time.
#[test]
fn names_in_contributing_exist() {
    let tree = Tree::read();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = tree.files.iter().filter(|file| {
        file.ends_with(".rs")
            && ["src/", "crates/", "tests/"].iter().any(|folder| file.starts_with(folder))
    });
    let sources: Vec<String> = sources
        .map(|file| fs::read_to_string(root.join(file)).expect("a source in UTF-8"))
        .collect();
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let words: HashSet<&str> = sources.iter().flat_map(|s| s.split(|c| !is_part(c))).collect();
    let (_, code) = prose_and_code(&tree.documents["CONTRIBUTING.md"]);
    let is_name = |code: &&String| {
        code.chars().all(|c| is_part(c) || c == ':') && code.contains(char::is_uppercase)
    };
    let mut seen = 0;
    for name in code.iter().filter(is_name) {
        let missing = name.split("::").find(|part| !words.contains(part));
        assert_eq!(missing, None, "CONTRIBUTING.md names {name}, which the sources do not contain");
        seen += 1;
    }
    assert!(seen > 10, "no names were found");
}

/// Figures without a command and a date cannot be measured again.
#[test]
fn tables_of_benchmarks_have_a_command_and_a_date() {
    let tree = Tree::read();
    let sections = tree.documents["BENCHMARKS.md"].split("\n#");
    let commands = ["styleforge ", "cargo test ", "python "];
    let mut seen = 0;
    for section in sections.filter(|section| section.contains("| --- |")) {
        let title = section.lines().next().unwrap_or_default();
        let mut numbers = section.split(|c: char| !c.is_ascii_digit() && c != '-');
        assert!(numbers.any(|n| n.len() == 10 && n.starts_with("20")), "no date: {title}");
        assert!(commands.iter().any(|command| section.contains(command)), "no command: {title}");
        seen += 1;
    }
    assert!(seen > 5, "no tables were found");
}

/// The numbers in a row of a table after its first column that are words of their own, such as `**0.337**`, `3.9x` or
/// `(577,`, each with half of its last digit.
fn figures(row: &str) -> Vec<(f64, f64)> {
    let words = row.split('|').skip(2).flat_map(|cell| cell.split([' ', '(', ')', '*']));
    let words = words.map(|word| word.trim_end_matches([',', 'x']));
    let figure = |word: &str| {
        let decimals = word.split_once('.').map_or(0, |(_, decimals)| decimals.len());
        Some((word.parse().ok()?, 0.5 * 0.1_f64.powi(decimals as i32)))
    };
    words.filter_map(figure).collect()
}

/// The README rounds the summary of BENCHMARKS.md, which repeats the tables below it.
#[test]
fn figures_that_are_repeated_agree() {
    let tree = Tree::read();
    let (summary, tables) =
        tree.documents["BENCHMARKS.md"].split_once("## Method").expect("a summary and tables");
    let (_, speed) = tree.documents["README.md"].split_once("## Speed").expect("a table");
    let (speed, _) = speed.split_once("\n## ").expect("its end");
    let rows = |text: &str| -> Vec<String> {
        let rows = text.lines().filter(|line| line.starts_with("| ") && !line.contains("---"));
        rows.map(|row| row.replace(['`', '['], "").replace("](docs/performance.md#modes)", ""))
            .collect()
    };
    let (summary, tables, speed) = (rows(summary), rows(tables), rows(speed));
    let agree =
        |rounded: (f64, f64), exact: (f64, f64)| (rounded.0 - exact.0).abs() <= rounded.1 + 1e-9;
    let cell =
        |row: &str, number: usize| row.split('|').nth(number).unwrap_or_default().trim().to_owned();
    for row in &summary[1..] {
        let mode = cell(row, 2);
        let (network, precision) = mode.rsplit_once(' ').expect("a network and a precision");
        let network = network.split(',').next().unwrap_or_default();
        for figure in figures(row) {
            let is_there = |table: &&String| {
                [network, precision].iter().any(|name| table.contains(name))
                    && figures(table).iter().any(|&exact| agree(figure, exact))
            };
            assert!(
                tables.iter().any(|table| is_there(&table)),
                "{} is in no table: {row}",
                figure.0
            );
        }
    }
    for row in &speed[1..] {
        let is_same = |other: &&String| {
            cell(other, 1).ends_with(&cell(row, 1))
                && cell(other, 2) == format!("full, {}", cell(row, 2))
        };
        let exact = figures(summary.iter().find(is_same).expect(row));
        let rounded = figures(row);
        assert_eq!((exact.len(), rounded.len() >= 4), (4, true), "{row}");
        for (rounded, exact) in rounded.iter().zip(exact) {
            assert!(agree(*rounded, exact), "{} instead of {}: {row}", rounded.0, exact.0);
        }
        for other in &rounded[4..] {
            let is_there =
                |table: &String| figures(table).iter().any(|&exact| agree(*other, exact));
            assert!(tables.iter().any(is_there), "{} is in no table: {row}", other.0);
        }
    }
    assert!(summary.len() > 5 && speed.len() > 3, "no tables were found");
}
