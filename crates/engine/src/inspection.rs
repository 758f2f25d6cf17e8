//! What a file of weights contains, as text.

use itertools::Itertools;

use crate::paint::long_minutes;
use measure::table::{Column, table, table_of};
use threads::processors;
use values::mode::DeviceChoice;
use weights::{Inspection, TensorFacts, Work};

/// Maximum length of a text value from the file; the JSON report contains all of it.
const SHOWN_CHARS: usize = 160;

/// The report of `styleforge inspect`, line by line.
pub fn inspection_text(facts: &Inspection) -> Vec<String> {
    let mut rows = Vec::new();
    let mut row = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            rows.push(vec![name.to_owned(), value]);
        }
    };
    row("File", Some(facts.path.display().to_string()));
    row("Size", facts.size_bytes.map(|b| format!("{b} bytes")));
    row("Format", facts.format.map(str::to_owned));
    row("Family", facts.family.map(|f| f.name().to_owned()));
    row("Widths", facts.widths.map(|widths| widths.iter().join("-")));
    row("Blocks", facts.blocks.map(|b| b.to_string()));
    if let Some(network) = &facts.style_network {
        row("Sizes of", network.plain.map(str::to_owned));
        let [encoder, decoder, style] = network.blocks;
        let parts = [(encoder, "before"), (decoder, "after"), (style, "for the picture alone")];
        let parts = parts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .join(", ");
        row("Blocks", Some(format!("{parts} the style's statistics")));
        let token = format!(
            "{px}x{px} pixels, {} channels, {} heads, {} channels in the feed-forward parts",
            network.dim,
            network.heads,
            network.ffn,
            px = network.token_px,
        );
        row("Tokens", Some(token));
    }
    row("Kernels", facts.kernels_px.map(|kernels| kernels.iter().join(" ")));
    if !facts.operations.is_empty() {
        let mut kinds = facts.operations.iter().map(|(kind, n)| format!("{n} {kind}"));
        row("Operations", Some(kinds.join(", ")));
    }
    if facts.parameters > 0 {
        let types = facts.dtypes.iter().map(|(t, n)| format!("{n} x {t}")).join(", ");
        let parameters = format!("{} (tensors: {types})", facts.parameters);
        row("Parameters", Some(parameters));
    }
    row("Work", facts.work.map(|work| work_text(&work)));
    row("Values", range(facts.least, facts.greatest));
    for (key, value) in &facts.metadata {
        row(key, Some(shortened(value)));
    }
    let verdict = match (&facts.refused, facts.needed_options) {
        (Some(_), _) => "refused".to_owned(),
        (None, None) => "can be used".to_owned(),
        (None, Some(options)) => format!(
            "can be used with {options}, each 0..255, 0..1, -1..1, imagenet or caffe: \
             the file does not say which values are black and white"
        ),
    };
    row("Verdict", Some(verdict));
    let mut lines = table(&rows);
    if !facts.tensors.is_empty() {
        let columns: [Column<'_, TensorFacts>; 5] = [
            ("Tensor", &|tensor| tensor.name.clone()),
            ("Shape", &|tensor| tensor.shape.iter().join(" x ")),
            ("Type", &|tensor| tensor.dtype.clone()),
            ("Values", &|tensor| range(tensor.least, tensor.greatest).unwrap_or_default()),
            ("Not finite", &|tensor| match tensor.not_finite {
                0 => String::new(),
                n => n.to_string(),
            }),
        ];
        lines.push(String::new());
        lines.extend(table_of(columns, &facts.tensors));
    }
    lines
}

/// The work for one picture, and its time on this CPU if that is more than a minute.
fn work_text(work: &Work) -> String {
    let Work { width, height, multiply_adds } = *work;
    let long = long_minutes(multiply_adds, DeviceChoice::Cpu, processors())
        .map_or_else(String::new, |time| format!("; about {time} on this processor"));
    let billions = multiply_adds.div_ceil(1_000_000_000);
    format!("{billions} billion multiply-adds for {width} x {height} pixels{long}")
}

/// Free text from a file on one line, truncated if it is long.
fn shortened(value: &str) -> String {
    let line = value.split_whitespace().join(" ");
    let count = line.chars().count();
    if count <= SHOWN_CHARS {
        return line;
    }
    let begin: String = line.chars().take(SHOWN_CHARS).collect();
    format!("{begin}… ({count} characters; --json shows all)")
}

fn range(least: Option<f32>, greatest: Option<f32>) -> Option<String> {
    Some(format!("{:.4} to {:.4}", least?, greatest?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_and_say_so() {
        assert_eq!(shortened("Vincent\nvan Gogh"), "Vincent van Gogh");
        let cut = shortened(&"ab ".repeat(1000));
        assert!(cut.ends_with("… (2999 characters; --json shows all)"), "{cut}");
        assert!(cut.chars().count() < 220, "{cut}");
    }
}
