//! `styleforge inspect`: what is in a file of weights, and why it is refused.

use std::{fs, path::Path};

use super::{
    CliError,
    args::InspectArgs,
    terminal::{print, print_json, table},
};
use crate::weights::{self, Inspection, TensorFacts};

/// Tells what one file holds.
///
/// # Errors
/// [`CliError::Failed`] with the reason when there is no such file or it would not paint.
pub fn run(args: &InspectArgs) -> Result<(), CliError> {
    check_file(&args.file)?;
    let facts = weights::describe(&args.file);
    if args.json {
        print_json(&facts)?;
    } else {
        print(&text(&facts))?;
    }
    match facts.refused {
        None => Ok(()),
        Some(reason) => Err(CliError::Failed(format!(
            "{} cannot be used: {reason}",
            args.file.display()
        ))),
    }
}

/// Refuses what is no ordinary file: there is nothing to tell about it.
fn check_file(path: &Path) -> Result<(), CliError> {
    let wrong = match fs::metadata(path) {
        Ok(kind) if kind.is_file() => return Ok(()),
        Ok(kind) if kind.is_dir() => "is a folder; name a file of weights in it".to_owned(),
        Ok(_) => "is not an ordinary file; name a file of weights".to_owned(),
        Err(error) => format!("could not be read: {error}"),
    };
    Err(CliError::Failed(format!("{} {wrong}", path.display())))
}

fn text(facts: &Inspection) -> String {
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
    row("Widths", facts.widths.map(|w| joined(&w, "-")));
    row("Blocks", facts.blocks.map(|b| b.to_string()));
    row("Kernels", facts.kernels_px.map(|k| joined(&k, " ")));
    if facts.parameters > 0 {
        let types = facts.dtypes.iter().map(|(t, n)| format!("{n} x {t}"));
        let types = types.collect::<Vec<_>>().join(", ");
        let parameters = format!("{} (tensors: {types})", facts.parameters);
        row("Parameters", Some(parameters));
    }
    row("Values", range(facts.least, facts.greatest));
    for (key, value) in &facts.metadata {
        row(key, Some(value.clone()));
    }
    let verdict = match facts.refused {
        None => "can be used",
        Some(_) => "refused",
    };
    row("Verdict", Some(verdict.to_owned()));
    let mut text = table(&rows);
    if !facts.tensors.is_empty() {
        let head = ["Tensor", "Shape", "Type", "Values", "Not finite"];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        rows.extend(facts.tensors.iter().map(tensor_row));
        text.push('\n');
        text.push_str(&table(&rows));
    }
    text
}

fn tensor_row(tensor: &TensorFacts) -> Vec<String> {
    vec![
        tensor.name.clone(),
        joined(&tensor.shape, " x "),
        tensor.dtype.clone(),
        range(tensor.least, tensor.greatest).unwrap_or_default(),
        match tensor.not_finite {
            0 => String::new(),
            n => n.to_string(),
        },
    ]
}

fn range(least: Option<f32>, greatest: Option<f32>) -> Option<String> {
    Some(format!("{:.4} to {:.4}", least?, greatest?))
}

fn joined(numbers: &[usize], separator: &str) -> String {
    let words: Vec<String> = numbers.iter().map(usize::to_string).collect();
    words.join(separator)
}
