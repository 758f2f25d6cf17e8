//! Converts between the settings and the tables of the settings file.

use std::{collections::HashSet, path::PathBuf, thread};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use toml::{Table, Value};

use super::{LiveChoices, LiveStyle, MAX_LIST_BYTES, MAX_RECENT, Refused, Settings};
use values::disk::reason;

/// The file format version that this program reads and writes; a larger number belongs to a newer program.
const VERSION: i64 = 1;
/// The tables that this version reads.
const PARTS: [&str; 3] = ["choices", "live", "state"];
/// Maximum nesting of tables and lists in a file. A dotted key may have up to 80 parts.
const MAX_NESTED: usize = 64;
/// Stack of the thread that parses the text. Up to 80 inline tables may be nested, each under a dotted key of up to 80
/// parts, which are tables too, and the parser recurses into each.
const STACK_BYTES: usize = 64 << 20;

/// The table `[live]`.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct LivePart {
    #[serde(flatten)]
    choices: LiveChoices,
    #[serde(flatten)]
    style: LiveStyle,
}

impl Settings {
    /// The settings in a file's table, and warnings about invalid values.
    pub fn from_table(mut table: Table) -> (Self, Vec<String>) {
        let mut settings = Self::default();
        let mut warnings = Vec::new();
        let has = |part: &str, key| table.get(part).is_some_and(|part| part.get(key).is_some());
        let has_live_style = has("live", "strength");
        // Films once had the steadiness of live mode.
        let is_shared = !has("choices", "steadiness");
        settings.choices = settings.read_part("choices", &mut table, &mut warnings);
        let live: LivePart = settings.read_part("live", &mut table, &mut warnings);
        settings.live = live.choices;
        if is_shared {
            settings.choices.steadiness = settings.live.steadiness;
        }
        settings.choices.live = has_live_style.then_some(live.style);
        settings.state = settings.read_part("state", &mut table, &mut warnings);
        keep_newest(&mut settings.state.recent_photos, MAX_RECENT);
        keep_newest(&mut settings.state.paintings, usize::MAX);
        settings.unknown = table;
        (settings, warnings)
    }

    /// Reads the table `part` one key at a time, so that an invalid value affects no other. Unknown keys stay in
    /// `file`.
    fn read_part<T>(
        &mut self,
        part: &'static str,
        file: &mut Table,
        warnings: &mut Vec<String>,
    ) -> T
    where
        T: Default + Serialize + DeserializeOwned,
    {
        let defaults = Table::try_from(T::default()).unwrap_or_default();
        let mut known = defaults.clone();
        let Some(Value::Table(keys)) = file.get_mut(part) else {
            return T::default();
        };
        let with = |key: &str, value: Value| {
            let mut table = defaults.clone();
            table.insert(key.to_owned(), value);
            table.try_into::<T>().map(drop)
        };
        // No setting is a list of booleans, so only an ignored key accepts one.
        let booleans = Value::Array(vec![Value::Boolean(true)]);
        for (key, value) in std::mem::take(keys) {
            if with(&key, booleans.clone()).is_ok() {
                keys.insert(key, value);
            } else if let Err(error) = with(&key, value.clone()) {
                let why = error.message();
                warnings
                    .push(format!("The setting {key} is invalid ({why}); the default is used."));
                let fallback = defaults.get(&key).cloned();
                self.refused.push(Refused { part, key, value, fallback });
            } else {
                known.insert(key, value);
            }
        }
        known.try_into().unwrap_or_default()
    }

    /// The table to write: known settings, and unknown keys that were read.
    ///
    /// # Errors
    /// If the values cannot be represented in TOML.
    pub fn to_table(&self) -> Result<Table, toml::ser::Error> {
        let mut table = self.unknown.clone();
        table.insert("version".to_owned(), Value::Integer(VERSION));
        let mut live = Table::try_from(&self.live)?;
        if let Some(style) = &self.choices.live {
            live.extend(Table::try_from(style)?);
        }
        let parts = [Table::try_from(&self.choices)?, live, Table::try_from(&self.state)?];
        for (part, mut known) in PARTS.into_iter().zip(parts) {
            for refused in self.refused.iter().filter(|refused| refused.part == part) {
                if known.get(&refused.key) == refused.fallback.as_ref() {
                    known.insert(refused.key.clone(), refused.value.clone());
                }
            }
            let unknown = table.entry(part).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(unknown) = unknown {
                unknown.extend(known);
            }
        }
        Ok(table)
    }
}

/// Keeps the first `most` distinct paths, as far as they fit into the settings file.
pub fn keep_newest(paths: &mut Vec<PathBuf>, most: usize) {
    let (mut seen, mut bytes) = (HashSet::new(), 0);
    paths.retain(|path| {
        bytes += path.as_os_str().len();
        seen.len() < most && bytes <= MAX_LIST_BYTES && seen.insert(path.clone())
    });
}

/// Parses the text of a settings file.
///
/// # Errors
/// Why the text cannot be read, as text.
pub fn parsed(text: &str) -> Result<Table, String> {
    let table = thread::scope(|scope| {
        thread::Builder::new()
            .name("settings".to_owned())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, || table_in(text))
            .map_err(|error| reason(&error))?
            .join()
            .unwrap_or_else(|_| Err("its reader failed".to_owned()))
    })?;
    match table.get("version") {
        None | Some(Value::Integer(..=VERSION)) => {}
        Some(version) => {
            return Err(format!(
                "a newer StyleForge wrote it, in form {version}; this one reads form {VERSION}"
            ));
        }
    }
    let is_wrong = |part: &&&str| table.get(**part).is_some_and(|part| !part.is_table());
    match PARTS.iter().find(is_wrong) {
        Some(part) => Err(format!("{part} is not a table")),
        None => Ok(table),
    }
}

/// Parses a table in which no value is nested too deeply to be written and read again.
fn table_in(text: &str) -> Result<Table, String> {
    let table: Table = text
        .parse()
        .map_err(|error: toml::de::Error| error.message().trim_end_matches('.').to_owned())?;
    if table.values().any(|value| is_deeper(value, MAX_NESTED)) {
        return Err(format!("tables or lists are nested more than {MAX_NESTED} deep"));
    }
    Ok(table)
}

/// True if tables and lists are nested more than `most` levels deep.
fn is_deeper(value: &Value, most: usize) -> bool {
    let Some(inner) = most.checked_sub(1) else {
        return matches!(value, Value::Table(_) | Value::Array(_));
    };
    match value {
        Value::Table(table) => table.values().any(|value| is_deeper(value, inner)),
        Value::Array(list) => list.iter().any(|value| is_deeper(value, inner)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_too_deep_to_be_written_and_read_again_are_refused() {
        let key = |parts: usize| vec!["a"; parts].join(".");
        let inline = |tables: usize, parts: usize| {
            let open = format!("{{{}=", key(parts)).repeat(tables);
            format!("b={open}1{}", "}".repeat(tables))
        };
        // At this nesting, writing puts header and key together, which is longer than what can be read.
        let two = |header, parts| format!("[{}]\n{}=nan\n", key(header), key(parts));
        for (text, is_read) in [
            (two(1, MAX_NESTED), true),
            (two(2, MAX_NESTED), false),
            (two(79, 79), false),
            (inline(MAX_NESTED, 1), true),
            (inline(MAX_NESTED + 1, 1), false),
            (inline(75, 79), false),
            (format!("b={}{}", "[".repeat(64), "]".repeat(64)), true),
            (format!("b={}{}", "[".repeat(65), "]".repeat(65)), false),
        ] {
            match Settings::from_text(&text) {
                Ok((settings, _)) => {
                    assert!(is_read, "{text}");
                    let written = settings.to_text().expect("it can be written");
                    let again = Settings::from_text(&written);
                    assert!(again.is_ok(), "{written}: {again:?}");
                }
                Err(why) => {
                    assert!(!is_read, "{text}: {why}");
                    assert!(why.contains("are nested more than"), "{why}");
                }
            }
        }
    }
}
