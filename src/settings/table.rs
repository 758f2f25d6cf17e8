//! Reading and writing the values of a TOML table, one by one.

use toml::{Table, Value};

use crate::compose::Look;

/// Takes the table `name` out of `table`; a value of that name that is no table is dropped.
pub fn take_part(table: &mut Table, name: &str) -> Table {
    match table.remove(name) {
        Some(Value::Table(part)) => part,
        _ => Table::new(),
    }
}

pub fn put(table: &mut Table, key: &str, value: Option<impl Into<Value>>) {
    match value {
        Some(value) => {
            table.insert(key.to_owned(), value.into());
        }
        None => {
            table.remove(key);
        }
    }
}

/// Values of a file that make no sense.
#[derive(Default)]
pub struct Complaints {
    /// Warnings for people.
    pub warnings: Vec<String>,
    /// Table and key of every value that was refused.
    pub refused: Vec<(&'static str, String)>,
}

/// Reads the values of one table; a value that makes no sense gives a warning and leaves the default.
pub struct Reader<'a> {
    /// The table's name.
    pub part: &'static str,
    pub table: &'a Table,
    pub complaints: &'a mut Complaints,
}

impl Reader<'_> {
    fn complain(&mut self, key: &str, expected: &str) {
        self.complaints
            .warnings
            .push(format!("The setting {key} is not {expected}; the default is used."));
        self.complaints.refused.push((self.part, key.to_owned()));
    }

    pub fn text(&mut self, key: &str, target: &mut Option<String>) {
        match self.table.get(key) {
            None => {}
            Some(Value::String(text)) => *target = Some(text.clone()),
            Some(_) => self.complain(key, "a text"),
        }
    }

    pub fn texts(&mut self, key: &str, set: impl FnOnce(Vec<String>)) {
        let Some(value) = self.table.get(key) else {
            return;
        };
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let texts = value.as_array().map(|all| all.iter().map(text).collect());
        match texts.flatten() {
            Some(texts) => set(texts),
            None => self.complain(key, "a list of texts"),
        }
    }

    /// Names and their weights, 0 to 100: `name=weight` each.
    pub fn weights(&mut self, key: &str, target: &mut Vec<(String, u8)>) {
        let weight = |text: &String| {
            let (name, weight) = text.rsplit_once('=')?;
            let weight = weight.parse().ok().filter(|weight| *weight <= 100)?;
            (!name.is_empty()).then(|| (name.to_owned(), weight))
        };
        let mut read = None;
        self.texts(key, |all| read = Some(all));
        let Some(texts) = read else {
            return;
        };
        match texts.iter().map(weight).collect() {
            Some(weights) => *target = weights,
            None => self.complain(key, "a list of names with weights of 0 to 100"),
        }
    }

    pub fn parsed<T>(&mut self, key: &str, target: &mut T, parse: impl Fn(&str) -> Option<T>) {
        match self.table.get(key) {
            None => {}
            Some(value) => match value.as_str().and_then(parse) {
                Some(value) => *target = value,
                None => self.complain(key, "one of its known values"),
            },
        }
    }

    pub fn integer(
        &mut self,
        key: &str,
        range: std::ops::RangeInclusive<i64>,
        mut set: impl FnMut(i64),
    ) {
        match self.table.get(key) {
            None => {}
            Some(value) => match value.as_integer().filter(|v| range.contains(v)) {
                Some(value) => set(value),
                None => {
                    let expected =
                        format!("a whole number of {} to {}", range.start(), range.end());
                    self.complain(key, &expected);
                }
            },
        }
    }

    /// Strength and colours.
    pub fn look(&mut self, look: &mut Look) {
        self.integer("strength", 0..=100, |v| look.strength_percent = v as u8);
        self.boolean("keep_colors", &mut look.keep_colors);
    }

    pub fn boolean(&mut self, key: &str, target: &mut bool) {
        match self.table.get(key) {
            None => {}
            Some(Value::Boolean(value)) => *target = *value,
            Some(_) => self.complain(key, "true or false"),
        }
    }
}
