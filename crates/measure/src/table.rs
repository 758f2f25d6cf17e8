//! Formats measurements: numbers and text tables.

use values::text::{cut, one_line};

/// Maximum length of a cell that is not in the last column.
const MAX_COLUMN_CHARS: usize = 120;
/// Maximum length of a cell in the last column.
const MAX_LAST_CHARS: usize = 2000;

/// Milliseconds, with more digits for smaller values.
pub fn milliseconds(ms: f64) -> String {
    match ms {
        ms if ms < 10.0 => format!("{ms:.3}"),
        ms if ms < 100.0 => format!("{ms:.2}"),
        ms => format!("{ms:.1}"),
    }
}

/// A share from 0 to 1.
pub fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// Lines of columns separated by two spaces; the first row is the header. A cell is a single line, truncated if it is
/// too long.
pub fn table(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let cell = |(column, text): (usize, &String)| {
        let most = if column + 1 == columns { MAX_LAST_CHARS } else { MAX_COLUMN_CHARS };
        cut(&one_line(text), most).into_owned()
    };
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().enumerate().map(cell).collect()).collect();
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    rows.iter()
        .map(|row| {
            let cells = row.iter().zip(&widths);
            let line: String = cells.map(|(cell, width)| format!("{cell:width$}  ")).collect();
            line.trim_end().to_owned()
        })
        .collect()
}

/// A column of [`table_of`]: its header, and its cell for an item.
pub type Column<'a, T> = (&'a str, &'a dyn Fn(&T) -> String);

/// A table with a row for every item.
pub fn table_of<'a, T: 'a>(
    columns: impl IntoIterator<Item = Column<'a, T>>,
    items: impl IntoIterator<Item = &'a T>,
) -> Vec<String> {
    let (head, cells): (Vec<String>, Vec<_>) =
        columns.into_iter().map(|(head, cell)| (head.to_owned(), cell)).unzip();
    let row = |item: &T| cells.iter().map(|cell| cell(item)).collect();
    let rows: Vec<Vec<String>> = [head].into_iter().chain(items.into_iter().map(row)).collect();
    table(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rows: &[&[&str]]) -> Vec<Vec<String>> {
        let row = |row: &&[&str]| row.iter().map(|cell| (*cell).to_owned()).collect();
        rows.iter().map(row).collect()
    }

    #[test]
    fn columns_are_aligned() {
        let lines = table(&rows(&[&["A", "Second"], &["longer", "b"], &["", "-> c"]]));
        assert_eq!(lines, ["A       Second", "longer  b", "        -> c"]);
        assert!(table(&[]).is_empty());
    }

    #[test]
    fn a_cell_is_one_line_of_bounded_length_whatever_it_holds() {
        for chars in [65_535, 65_536, 1_000_000] {
            let long = "é".repeat(chars);
            let lines = table(&rows(&[&["a", "b"], &[&long, &long]]));
            assert_eq!(lines[0].chars().count(), MAX_COLUMN_CHARS + 2 + 1);
            let all = MAX_COLUMN_CHARS + 2 + MAX_LAST_CHARS;
            assert_eq!(lines[1].chars().count(), all);
        }
        let lines = table(&rows(&[&["x\ny\u{1b}[2J", "z"]]));
        assert_eq!(lines, ["x\\ny\\u{1b}[2J  z"]);
    }

    #[test]
    fn times_have_the_digits_that_they_are_worth() {
        let written = [0.01234, 9.87654, 12.3456, 123.456].map(milliseconds);
        assert_eq!(written, ["0.012", "9.877", "12.35", "123.5"]);
    }
}
