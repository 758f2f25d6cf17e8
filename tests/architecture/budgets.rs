//! The weight of each crate: how many tokens of code a reader has to carry. Comments, tests and generated code do not
//! count; a string, a number, a name and an operator is one token each, so that the layout of the code does not matter.

use std::{collections::BTreeMap, fs};

use super::{Source, home, sources};

/// Operators of several characters.
const OPERATORS: [&str; 25] = [
    "<<=", ">>=", "..=", "...", "::", "->", "=>", "==", "!=", "<=", ">=", "&&", "||", "+=", "-=",
    "*=", "/=", "%=", "^=", "&=", "|=", "..", "<<", ">>", "\"\"",
];

/// The tokens of code without comments, whose strings are empty.
fn tokens(code: &str) -> Vec<&str> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut tokens = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match OPERATORS.iter().find(|operator| rest.starts_with(**operator)) {
            Some(operator) => operator.len(),
            None if is_word(first) => {
                let is_part = |c| is_word(c) || (c == '.' && first.is_ascii_digit());
                rest.find(|c| !is_part(c)).unwrap_or(rest.len())
            }
            None => first.len_utf8(),
        };
        tokens.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    tokens
}

/// The number of tokens outside test modules.
fn weight(code: &str) -> usize {
    let tokens = tokens(code);
    let (mut at, mut count) = (0, 0);
    while at < tokens.len() {
        if !tokens[at..].starts_with(&["#", "[", "cfg", "(", "test", ")", "]"]) {
            (at, count) = (at + 1, count + 1);
            continue;
        }
        let mut depth = 0;
        at += 7;
        while at < tokens.len() {
            match tokens[at] {
                "{" => depth += 1,
                "}" => depth -= 1,
                _ => {}
            }
            at += 1;
            if depth == 0 && matches!(tokens[at - 1], "}" | ";") {
                break;
            }
        }
    }
    count
}

fn is_for_tests(source: &Source) -> bool {
    source.path.ends_with("/tests.rs") || source.path.split('/').any(|part| part == "tests")
}

/// The budgets in `crates/README.md`, in tokens.
fn budgets() -> BTreeMap<String, usize> {
    let text = fs::read_to_string(home::project().join("crates/README.md")).expect("the table");
    let rows = text.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.split('|').map(str::trim);
        let name = cells.next()?.trim_end_matches('`').to_owned();
        Some((name, cells.next_back().and(cells.next_back())?.replace(',', "").parse().ok()?))
    });
    rows.collect()
}

#[test]
fn no_crate_outgrows_its_budget() {
    let budgets = budgets();
    let mut weights = BTreeMap::new();
    for source in sources().iter().filter(|source| !is_for_tests(source)) {
        let name = match source.crate_name() {
            "" => "styleforge",
            name => name,
        };
        *weights.entry(name.to_owned()).or_insert(0) += weight(&source.code);
    }
    let listed: Vec<_> = budgets.keys().collect();
    assert_eq!(listed, weights.keys().collect::<Vec<_>>(), "the table has a row for each crate");
    for (name, weight) in weights {
        let budget = budgets[&name];
        assert!(
            weight <= budget,
            "{name} has {weight} tokens, and its budget is {budget}; make it smaller, or raise the budget in \
             crates/README.md and say why in the commit"
        );
        let unused = budget - weight;
        assert!(
            unused <= budget / 10,
            "{name} has {weight} tokens, much less than its budget of {budget}; lower the budget"
        );
    }
}

#[test]
fn tokens_are_counted_without_tests() {
    assert_eq!(tokens("let a=1.5+b::c(\"\");").len(), 12);
    let code = "fn a() {} #[cfg(test)] mod tests { fn b() { c(); } } fn d() {} #[cfg(test)] mod e; struct F;";
    assert_eq!(weight(code), weight("fn a() {} fn d() {} struct F;"));
}
