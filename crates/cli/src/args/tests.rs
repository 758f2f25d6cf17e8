//! The definition of the command line, and what documents say of it.

use std::{env, ffi::OsString, fs, path::PathBuf};

use clap::{Command, CommandFactory, error::ErrorKind};

use super::Arguments;
use crate::parsed;

#[test]
fn the_definition_is_consistent() {
    Arguments::command().debug_assert();
}

fn root() -> PathBuf {
    crate::home::project().to_owned()
}

/// Names and texts of the documents that contain commands.
fn documents() -> Vec<(String, String)> {
    let folders = ["", "docs", "kernels", "tests", "tools"];
    let entries = folders.iter().flat_map(|folder| fs::read_dir(root().join(folder)).unwrap());
    let paths = entries.map(|entry| entry.unwrap().path());
    let documents: Vec<(String, String)> = paths
        .filter(|path| path.extension().is_some_and(|ending| ending == "md"))
        .filter(|path| !path.ends_with("options.md"))
        .map(|path| {
            let name = path.strip_prefix(root()).unwrap().display().to_string();
            (name, fs::read_to_string(&path).unwrap())
        })
        .collect();
    assert!(documents.len() > 5, "the documents were not found");
    documents
}

/// The lines of blocks of commands, and inline code. A line that ends with `\` continues.
fn code_of(document: &str) -> Vec<String> {
    let document = document.replace("\\\n", " ");
    let mut code = Vec::new();
    for (number, part) in document.split("```").enumerate() {
        if number % 2 == 1 {
            let commands = part.strip_prefix("sh\n").unwrap_or_default();
            code.extend(commands.lines().map(str::to_owned));
        } else {
            let inline = part.split('`').skip(1).step_by(2);
            code.extend(inline.map(|code| code.replace('\n', " ")));
        }
    }
    code
}

/// The words of a line as a shell sees them, up to a comment.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in line.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            None if c == '"' || c == '\'' => quote = Some(c),
            None if c == ' ' => words.push(String::new()),
            _ => words.last_mut().unwrap().push(c),
        }
    }
    let words = words.into_iter().filter(|word| !word.is_empty());
    words.take_while(|word| !word.starts_with('#')).collect()
}

/// The arguments of our program if this line runs it, also without its name in front (`styles import FILE`).
fn arguments(words: &[String]) -> Option<&[String]> {
    let (first, rest) = words.split_first()?;
    let is_ours = first == "styleforge" || first.ends_with("/styleforge");
    let is_command = || Arguments::command().find_subcommand(first).is_some() && !rest.is_empty();
    let arguments = if is_ours {
        rest
    } else if is_command() {
        words
    } else {
        return None;
    };
    let ends = |word: &String| ["|", "<", ">", "&&"].contains(&word.as_str());
    Some(arguments.split(ends).next().unwrap_or_default())
}

#[test]
fn commands_in_documents_can_be_parsed() {
    let mut seen = 0;
    let mut wrong = Vec::new();
    for (document, text) in documents() {
        for line in code_of(&text) {
            let words = words(&line);
            let Some(arguments) = arguments(&words) else { continue };
            // `styleforge COMMAND --help` means all of them.
            let arguments = arguments.iter().filter(|word| *word != "COMMAND");
            let program = std::iter::once(OsString::from("styleforge"));
            let result = parsed(program.chain(arguments.clone().map(OsString::from)).collect());
            seen += 1;
            let Err(error) = result else { continue };
            let is_placeholder = |word: &String| word.chars().all(char::is_uppercase);
            let is_name = |word: &String| word.chars().all(char::is_lowercase);
            let is_right = match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => true,
                // A look is read when it is named, and no look is saved here.
                ErrorKind::ValueValidation | ErrorKind::InvalidValue => {
                    arguments.clone().any(|word| is_placeholder(word) || word == "--look")
                }
                // Text may name a command without its arguments.
                ErrorKind::MissingRequiredArgument => arguments.clone().all(is_name),
                _ => false,
            };
            if !is_right {
                wrong.push(format!("{document}: {line}\n{error}"));
            }
        }
    }
    assert!(seen > 50, "no commands were found");
    assert!(wrong.is_empty(), "commands that do not work:\n{}", wrong.join("\n"));
}

/// `command` and the commands below it.
fn all_commands(command: &Command) -> Vec<&Command> {
    let below = command.get_subcommands().flat_map(all_commands);
    std::iter::once(command).chain(below).collect()
}

#[test]
fn options_in_documents_exist() {
    let definition = Arguments::command();
    let commands = all_commands(&definition);
    let arguments = commands.iter().flat_map(|command| command.get_arguments());
    let mut known: Vec<&str> = arguments
        .flat_map(|argument| argument.get_long_and_visible_aliases().unwrap_or_default())
        .collect();
    known.extend(["help", "version"]);
    for (document, text) in documents() {
        if !document.starts_with("docs") && !["README.md", "CHANGELOG.md"].contains(&&*document) {
            // The others also name options of other programs.
            continue;
        }
        for code in code_of(&text) {
            let name = code.strip_prefix("--").and_then(|rest| rest.split([' ', '=']).next());
            if let Some(name) = name {
                assert!(known.contains(&name), "{document} names --{name}, which does not exist");
            }
        }
    }
}

/// The help of every command, as `--help` prints it on a terminal of 100 columns.
fn options() -> String {
    let mut text = String::from(
        "# Options\n\nWhat `styleforge COMMAND --help` prints. [Command line](command-line.md) has examples.\n",
    );
    add_help(&mut vec!["styleforge".to_owned()], &Arguments::command(), &mut text);
    text
}

/// Adds the help of `command`, which these words run, and of the commands below it.
fn add_help(words: &mut Vec<String>, command: &Command, text: &mut String) {
    let name = words.join(" ");
    let arguments = words.iter().map(String::as_str).chain(["--help"]);
    let help = Arguments::command().term_width(100).try_get_matches_from(arguments).unwrap_err();
    text.push_str(&format!("\n## {name}\n\n```text\n{}\n```\n", help.to_string().trim_end()));
    for below in command.get_subcommands() {
        words.push(below.get_name().to_owned());
        add_help(words, below, text);
        words.pop();
    }
}

#[test]
fn the_list_of_options_is_current() {
    let path = root().join("docs/options.md");
    let current = options();
    if env::var_os("STYLEFORGE_WRITE_DOCS").is_some() {
        fs::write(&path, &current).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap();
    assert!(
        found == current,
        "docs/options.md is not current; run STYLEFORGE_WRITE_DOCS=1 cargo test --lib list_of_options"
    );
}
