//! The form of the file: which table and key each value stands under.

use std::{collections::HashSet, path::PathBuf, str::FromStr, thread};

use toml::{Table, Value};

use super::{
    Choices, LiveChoices, LiveStyle, MOST_PAINTINGS, MOST_RECENT, Refused, Settings, State,
    ThemeChoice,
    table::{Complaints, Reader, put, take_part},
};
use crate::{compose::Look, disk::reason, media::encode::Format};

/// The file's form that this version reads and writes; a larger number is a newer version's.
const VERSION: i64 = 1;
/// The tables that this version reads.
const PARTS: [&str; 3] = ["choices", "live", "state"];
/// Smallest window side that is remembered, in points.
const MIN_WINDOW_SIDE: f32 = 200.0;
/// Most tables and lists of a file that lie in one another. What is written as one key may have 80 parts.
const MOST_NESTED: usize = 64;
/// Stack on which a text is read. Up to 80 inline tables may lie in one another, each under a key of up to 80 parts, which
/// are tables too, and the reader goes into each.
const STACK_BYTES: usize = 64 << 20;

impl Settings {
    /// The settings in a file's table, and warnings about values that make no sense.
    pub(super) fn from_table(table: Table) -> (Self, Vec<String>) {
        let mut complaints = Complaints::default();
        let empty = Table::new();
        let part = |name: &str| table.get(name).and_then(Value::as_table).unwrap_or(&empty);
        let mut choices = Choices::default();
        let mut reader =
            Reader { part: "choices", table: part("choices"), complaints: &mut complaints };
        reader.text("style", &mut choices.style);
        reader.integer("mix_own", 0..=100, |v| choices.mix_own = Some(v as u8));
        reader.weights("mix", &mut choices.mix);
        reader.parsed("model", &mut choices.model, |s| s.parse().ok());
        reader.parsed("mode", &mut choices.mode, |s| s.parse().ok());
        reader.parsed("output", &mut choices.output, |s| s.parse().ok());
        reader.parsed("theme", &mut choices.theme, |s| {
            ThemeChoice::ALL.into_iter().find(|t| t.name() == s)
        });
        reader.parsed("format", &mut choices.format, |s| Format::from_str(s).ok().map(Some));
        reader.look(&mut choices.look);
        reader.integer("jpeg_quality", 1..=100, |v| choices.jpeg_quality = v as u8);
        reader.integer("working_px", 16..=100_000, |v| {
            choices.working_px = Some(v as usize);
        });
        reader.boolean("ask_before_losing", &mut choices.ask_before_losing);
        reader.boolean("full_screen_fills", &mut choices.full_screen_fills);
        reader.boolean("styles_show_photo", &mut choices.styles_show_photo);

        let mut reader = Reader { part: "live", table: part("live"), complaints: &mut complaints };
        let live = LiveChoices::read(&mut reader);
        // Files of before have the same style for both.
        if reader.table.contains_key("strength") {
            let own = choices.live.insert(LiveStyle::default());
            reader.text("style", &mut own.style);
            reader.integer("mix_own", 0..=100, |v| own.mix_own = Some(v as u8));
            reader.weights("mix", &mut own.mix);
            reader.look(&mut own.look);
        }

        let mut state = State::default();
        let mut reader =
            Reader { part: "state", table: part("state"), complaints: &mut complaints };
        let (mut open, mut save) = (None, None);
        reader.boolean("is_maximized", &mut state.is_maximized);
        reader.boolean("shows_photos", &mut state.shows_photos);
        reader.boolean("has_seen_hint", &mut state.has_seen_hint);
        reader.boolean("has_seen_detail_hint", &mut state.has_seen_detail_hint);
        reader.texts("style_order", |ids| state.style_order = ids);
        reader.texts("style_keys", |ids| state.style_keys = ids);
        reader.text("open_folder", &mut open);
        reader.text("save_folder", &mut save);
        reader.texts("recent_photos", |paths| {
            state.recent_photos = newest(paths, MOST_RECENT);
        });
        reader.texts("paintings", |paths| {
            state.paintings = newest(paths, MOST_PAINTINGS);
        });
        reader.boolean("folds_paintings", &mut state.folds_paintings);
        state.open_folder = open.map(PathBuf::from);
        state.save_folder = save.map(PathBuf::from);
        let mut sides = [0.0f32; 2];
        for (side, key) in sides.iter_mut().zip(["window_width", "window_height"]) {
            reader.integer(key, 1..=100_000, |v| *side = v as f32);
        }
        if sides.iter().all(|&s| s >= MIN_WINDOW_SIDE) {
            state.window_size = Some((sides[0], sides[1]));
        }
        let mut settings =
            Self { choices, live, state, table, refused: Vec::new(), keeps_file: false };
        let written = settings.to_table();
        let of_default = |(part, key): (&'static str, String)| Refused {
            part,
            fallback: written.get(part).and_then(|part| part.get(&key)).cloned(),
            key,
        };
        settings.refused = complaints.refused.into_iter().map(of_default).collect();
        (settings, complaints.warnings)
    }

    /// The table to write: the one that was read with the values of today.
    pub(super) fn to_table(&self) -> Table {
        let mut table = self.table.clone();
        put(&mut table, "version", Some(VERSION));
        let c = &self.choices;
        let mut part = take_part(&mut table, "choices");
        let choices = &mut part;
        put_style(choices, &c.style, (c.mix_own, &c.mix), c.look);
        put(choices, "model", Some(c.model.name()));
        put(choices, "working_px", c.working_px.map(|px| px as i64));
        put(choices, "mode", Some(c.mode.to_string()));
        put(choices, "output", Some(c.output.to_string()));
        put(choices, "theme", Some(c.theme.name()));
        put(choices, "format", c.format.map(Format::name));
        put(choices, "jpeg_quality", Some(i64::from(c.jpeg_quality)));
        put(choices, "ask_before_losing", Some(c.ask_before_losing));
        put(choices, "full_screen_fills", Some(c.full_screen_fills));
        put(choices, "styles_show_photo", Some(c.styles_show_photo));
        table.insert("choices".to_owned(), Value::Table(part));
        let mut part = take_part(&mut table, "live");
        self.live.write(&mut part);
        if let Some(live) = &c.live {
            put_style(&mut part, &live.style, (live.mix_own, &live.mix), live.look);
        }
        table.insert("live".to_owned(), Value::Table(part));
        let s = &self.state;
        let mut part = take_part(&mut table, "state");
        let state = &mut part;
        // A folder whose name is no text cannot stand in TOML and is forgotten.
        let text = |p: &Option<PathBuf>| p.as_ref().and_then(|p| p.to_str()).map(str::to_owned);
        put(state, "open_folder", text(&s.open_folder));
        put(state, "save_folder", text(&s.save_folder));
        put(state, "recent_photos", texts_of(&s.recent_photos));
        put(state, "paintings", texts_of(&s.paintings));
        put(state, "folds_paintings", Some(s.folds_paintings));
        put(state, "is_maximized", Some(s.is_maximized));
        put(state, "shows_photos", Some(s.shows_photos));
        put(state, "has_seen_hint", Some(s.has_seen_hint));
        let told = s.has_seen_detail_hint;
        put(state, "has_seen_detail_hint", told.then_some(true));
        let texts = |ids: &[String]| (!ids.is_empty()).then(|| ids.to_vec());
        put(state, "style_order", texts(&s.style_order));
        put(state, "style_keys", texts(&s.style_keys));
        put(state, "window_width", s.window_size.map(|(w, _)| w as i64));
        put(state, "window_height", s.window_size.map(|(_, h)| h as i64));
        table.insert("state".to_owned(), Value::Table(part));
        for Refused { part, key, fallback } in &self.refused {
            let original = self.table.get(*part).and_then(|part| part.get(key));
            if let (Some(original), Some(Value::Table(part))) = (original, table.get_mut(*part))
                && part.get(key) == fallback.as_ref()
            {
                part.insert(key.clone(), original.clone());
            }
        }
        table
    }
}

/// Writes what pictures are painted with.
fn put_style(
    part: &mut Table,
    style: &Option<String>,
    (own, mix): (Option<u8>, &[(String, u8)]),
    look: Look,
) {
    put(part, "style", style.clone());
    put(part, "mix_own", own.map(i64::from));
    let weights = mix.iter().map(|(id, weight)| format!("{id}={weight}"));
    let weights: Vec<_> = weights.collect();
    put(part, "mix", (!weights.is_empty()).then_some(weights));
    put(part, "strength", Some(i64::from(look.strength_percent)));
    put(part, "keep_colors", Some(look.keep_colors));
}

/// The first files of a list, each once.
fn newest(paths: Vec<String>, most: usize) -> Vec<PathBuf> {
    let mut seen = HashSet::new();
    let paths = paths.into_iter().map(PathBuf::from);
    let each_once = paths.filter(|path| seen.insert(path.clone()));
    each_once.take(most).collect()
}

/// A list of files as it is written; one whose name is no text is left out.
fn texts_of(paths: &[PathBuf]) -> Option<Vec<Value>> {
    let texts = paths.iter().filter_map(|path| path.to_str());
    let texts: Vec<Value> = texts.map(Value::from).collect();
    (!texts.is_empty()).then_some(texts)
}

/// The table that a settings file's text is.
///
/// # Errors
/// Why the text cannot be read, in words.
pub(super) fn parsed(text: &str) -> Result<Table, String> {
    let table = thread::scope(|scope| {
        let thread = thread::Builder::new().name("settings".to_owned());
        let reader = thread.stack_size(STACK_BYTES);
        let reader = reader.spawn_scoped(scope, || table_of(text));
        let reader = reader.map_err(|error| reason(&error))?;
        reader.join().unwrap_or_else(|_| Err("its reader failed".to_owned()))
    })?;
    match table.get("version") {
        None => {}
        Some(Value::Integer(..=VERSION)) => {}
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

/// The table of a text, none of whose values lies too deep to be written and read again.
fn table_of(text: &str) -> Result<Table, String> {
    let table: Table = text
        .parse()
        .map_err(|error: toml::de::Error| error.message().trim_end_matches('.').to_owned())?;
    if table.values().any(|value| is_deeper(value, MOST_NESTED)) {
        return Err(format!("more than {MOST_NESTED} tables or lists lie in one another"));
    }
    Ok(table)
}

/// Whether more than so many tables and lists lie in one another.
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
        // Of these only what is written is longer than what can be read: the header and the key together.
        let two = |header, parts| format!("[{}]\n{}=nan\n", key(header), key(parts));
        for (text, is_read) in [
            (two(1, MOST_NESTED), true),
            (two(2, MOST_NESTED), false),
            (two(79, 79), false),
            (inline(MOST_NESTED, 1), true),
            (inline(MOST_NESTED + 1, 1), false),
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
                    assert!(why.contains("lie in one another"), "{why}");
                }
            }
        }
    }
}
