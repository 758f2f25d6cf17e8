//! `styleforge check`: the backends against the oracle, as a table of verdicts.

use serde::Serialize;

use super::{
    CliError,
    args::CheckArgs,
    modes, select_device,
    style_choice::choose,
    terminal::{print, print_json, table, tell},
};
use crate::{
    media::sample,
    mode::PrecisionChoice,
    verify::{self, Subject, Verdict},
    weights::StyleLibrary,
};

/// The `--json` report.
#[derive(Serialize)]
struct Report {
    version: &'static str,
    device: String,
    /// Whether everything was checked and right.
    passed: bool,
    checks: Vec<Verdict>,
    /// Styles whose weights could not be loaded, and why.
    left_out: Vec<String>,
}

/// Judges the chosen device.
///
/// # Errors
/// [`CliError::AlreadyTold`] when a check failed or a style could not be checked.
pub fn run(args: &CheckArgs) -> Result<(), CliError> {
    let selected = select_device(&args.device)?;
    let modes = modes::chosen(
        selected.backend.as_ref(),
        &args.variants,
        &args.precisions,
        &PrecisionChoice::ALL[1..],
    )?;
    let batch = usize::from(args.batch);
    let mut checks = Vec::new();
    let (subjects, left_out) = subjects()?;
    for note in &left_out {
        tell(format!("note: {note}"));
    }
    for subject in subjects {
        tell(format!("Checking {}…", subject.name));
        verify::verify(
            selected.backend.as_ref(),
            &subject,
            &modes,
            batch,
            |verdict| {
                checks.push(verdict);
            },
        )?;
    }
    let passed = left_out.is_empty() && checks.iter().all(|v| v.passed);
    if args.json {
        print_json(&Report {
            version: env!("CARGO_PKG_VERSION"),
            device: selected.backend.device().name,
            passed,
            checks,
            left_out,
        })?;
    } else {
        print(&text(&checks))?;
    }
    if passed {
        Ok(())
    } else {
        Err(CliError::AlreadyTold)
    }
}

/// Random networks and every style that is installed, and which of these could not be loaded.
fn subjects() -> Result<(Vec<Subject>, Vec<String>), CliError> {
    let failed = |e: &dyn std::fmt::Display| CliError::Failed(e.to_string());
    let mut subjects = verify::adversarial_subjects().map_err(|e| failed(&e))?;
    let photo = sample::sample().map_err(|e| failed(&e))?;
    let library = StyleLibrary::standard();
    let mut left_out = Vec::new();
    for style in library.styles() {
        for model in style.models() {
            let name = format!("{} {model}", style.id);
            match choose(&library, style.id.as_ref(), Some(model)) {
                Ok(chosen) => {
                    subjects.push(verify::style_subject(&name, chosen.network, &photo.frame));
                }
                Err(error) => left_out.push(format!("{name} is not checked: {error}")),
            }
        }
    }
    Ok((subjects, left_out))
}

fn decibels(psnr_db: Option<f64>) -> String {
    psnr_db.map_or_else(|| "equal".to_owned(), |db| format!("{db:.1} dB"))
}

fn text(checks: &[Verdict]) -> String {
    let head = [
        "Network",
        "Picture",
        "Mode",
        "Verdict",
        "Largest",
        "Differ",
        "PSNR",
        "Frame",
        "Worst map",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for v in checks {
        let worst = match v.worst_relative_rms {
            Some(rms) => format!("{rms:.1e} {}", v.worst_norm),
            None => format!("not a number in {}", v.worst_norm),
        };
        rows.push(vec![
            v.network.clone(),
            v.picture.clone(),
            v.mode.to_string(),
            match (v.passed, v.low_contrast) {
                (true, false) => "good".to_owned(),
                (true, true) => "good (flat)".to_owned(),
                (false, _) => "WRONG".to_owned(),
            },
            v.largest_levels.to_string(),
            format!("{:.2} %", v.differing_share * 100.0),
            decibels(v.psnr_db),
            decibels(v.frame_psnr_db),
            worst,
        ]);
    }
    let mut text = table(&rows);
    for v in checks {
        if let Some(failure) = &v.failure {
            let line = format!("{}, {}, {}: {failure}\n", v.network, v.picture, v.mode);
            text.push_str(&line);
        }
    }
    let wrong = checks.iter().filter(|v| !v.passed).count();
    text.push_str(&format!("{} checks, {wrong} wrong\n", checks.len()));
    text
}
