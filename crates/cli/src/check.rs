//! `styleforge check`: compares the backends with the float64 oracle and prints a table of verdicts.

use std::{ffi::OsString, mem, slice};

use serde::Serialize;

use super::{
    CliError,
    args::{CheckArgs, StylePictureArgs},
    attention,
    interrupt::interruptible,
    modes, select_device,
    style_choice::{choose, measured_pictures, print_notes, size_and_reason},
    terminal::{Column, print_report, table_of, write_message, write_note},
    wrong_use,
};
use backend::{Backend, BackendError, RunControl, SessionSpec};
use engine::network_choice::ChosenNetwork;
use measure::verify::{self, KernelVerdict, Subject, Verdict};
use network::{
    Network,
    models::{johnson::NetworkSpec, vit::Spec},
};
use pictures::sample;
use values::mode::{DeviceChoice, Mode, PrecisionChoice};
use weights::{BUILT_IN_NETWORK, StyleLibrary};

/// The `--json` report.
#[derive(Serialize)]
struct Report {
    version: &'static str,
    device: String,
    /// Everything was checked and correct.
    passed: bool,
    checks: Vec<Verdict>,
    /// Verdicts on single kernels, if the device reports them.
    kernels: Vec<KernelVerdict>,
    /// Styles whose weights could not be loaded, and why.
    left_out: Vec<String>,
}

/// # Errors
/// [`CliError::AlreadyReported`] if a check failed or a style could not be checked; [`CliError::Stopped`] if cancelled,
/// after the verdicts so far.
pub fn run(args: &CheckArgs) -> Result<(), CliError> {
    let selected = select_device(&args.device)?;
    let backend = selected.backend.as_ref();
    let modes =
        modes::chosen(backend, &args.variants, &args.precisions, &PrecisionChoice::ALL[1..])?;
    let device = backend.device().kind;
    let mut checks = Vec::new();
    let named = named_subjects(&args.styles, &args.pictures)?;
    let is_everything = named.is_empty();
    let (subjects, left_out) = if is_everything { subjects(device)? } else { (named, Vec::new()) };
    left_out.iter().for_each(write_note);
    let networks: Vec<(&str, &Network)> = (subjects.iter())
        .map(|(_, subject)| (subject.name.as_str(), subject.network.as_ref()))
        .collect();
    attention::announce(device, &args.attentions, &networks);
    let control = interruptible();
    for (heading, mut subject) in subjects {
        if control.is_cancelled() {
            break;
        }
        let modes = attention::in_every_way(backend, &subject.network, &modes, &args.attentions);
        let modes = runnable(backend, &subject, &modes)?;
        if modes.is_empty() && !is_everything {
            return wrong_use(format!(
                "{} cannot run in any of these modes on {}; choose another device or mode",
                subject.name,
                backend.device().name
            ));
        }
        write_message(format!("Checking {heading}…"));
        // One picture after the other, because a network takes seconds, and the run can be stopped between them.
        for picture in mem::take(&mut subject.pictures) {
            subject.pictures = vec![picture];
            verify::verify(backend, &subject, &modes, args.batch, |verdict| checks.push(verdict))?;
            if control.is_cancelled() {
                break;
            }
        }
    }
    let kernels = if is_everything { kernels(backend, &modes, &control)? } else { Vec::new() };
    let passed = !control.is_cancelled()
        && left_out.is_empty()
        && checks.iter().all(|v| v.passed)
        && kernels.iter().all(|k| k.passed);
    let report = Report {
        version: env!("CARGO_PKG_VERSION"),
        device: backend.device().name,
        passed,
        checks,
        kernels,
        left_out,
    };
    print_report(args.json, &report, || {
        [text(&report.checks), text_of_kernels(&report.kernels)].concat()
    })?;
    if control.is_cancelled() {
        Err(CliError::Stopped)
    } else if passed {
        Ok(())
    } else {
        Err(CliError::AlreadyReported)
    }
}

/// Checks every kernel of the device on its own, until the run is cancelled.
fn kernels(
    backend: &dyn Backend,
    modes: &[Mode],
    control: &RunControl,
) -> Result<Vec<KernelVerdict>, CliError> {
    let subjects = verify::kernel_subjects().map_err(CliError::failed)?;
    let mut verdicts = Vec::new();
    for subject in subjects {
        if control.is_cancelled() {
            break;
        }
        write_message(format!("Checking the kernels for {}…", subject.name));
        for mode in modes {
            let mode = slice::from_ref(mode);
            verify::verify_kernels(backend, &subject, mode, |verdict| verdicts.push(verdict))?;
            if control.is_cancelled() {
                break;
            }
        }
    }
    Ok(verdicts)
}

/// The modes in which the device can run a subject. Prints a note about modes that are left out. Johnson's network runs
/// in all modes.
///
/// # Errors
/// [`CliError`] if a session fails for another reason.
fn runnable(
    backend: &dyn Backend,
    subject: &Subject,
    modes: &[Mode],
) -> Result<Vec<Mode>, CliError> {
    if NetworkSpec::recognise(subject.network.graph()).is_some() {
        return Ok(modes.to_vec());
    }
    let [(_, picture), ..] = subject.pictures.as_slice() else {
        return Ok(Vec::new());
    };
    let mut runnable = Vec::new();
    for &mode in modes {
        let spec = SessionSpec::single(picture.width(), picture.height(), mode);
        match backend.open(&subject.network, &spec) {
            Ok(session) => {
                if let Some(note) = session.summary().attention_note() {
                    write_note(format_args!("{} in {mode}: {note}", subject.name));
                }
                runnable.push(mode);
            }
            Err(error @ (BackendError::Unsupported { .. } | BackendError::TooLarge { .. })) => {
                let name = &subject.name;
                write_note(format_args!("skipped {name} in {mode}: {error}"));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(runnable)
}

/// The styles, or the network for style pictures, to which the check is limited, each after its heading; empty if none
/// is named.
///
/// # Errors
/// [`CliError`] if one cannot be loaded.
fn named_subjects(
    styles: &[OsString],
    pictures: &StylePictureArgs,
) -> Result<Vec<(String, Subject)>, CliError> {
    let photo = sample::sample().map_err(CliError::failed)?;
    let library = StyleLibrary::standard();
    let mut named = Vec::new();
    for typed in styles {
        named.push(choose(&library, typed, None)?);
    }
    named.extend(measured_pictures(pictures, None)?);
    let subject = |chosen: ChosenNetwork| {
        print_notes(&chosen);
        let heading = chosen.label.clone() + &size_and_reason(chosen.model, None);
        let name = chosen.label_with_model();
        (heading, verify::style_subject(&name, chosen.network, &photo.frame))
    };
    Ok(named.into_iter().map(subject).collect())
}

/// The plain networks for style pictures that a device is checked with. On a CPU these are only the small ones, which
/// take seconds.
fn plain_networks(device: DeviceChoice) -> impl Iterator<Item = &'static str> {
    let count = match device {
        DeviceChoice::Cuda => usize::MAX,
        DeviceChoice::Cpu | DeviceChoice::Auto => 2,
    };
    (Spec::plain_ones().into_iter()).map(|(name, ..)| name).take(count)
}

/// What is checked, after its heading.
type Named = (String, Subject);

/// Random networks, networks for style pictures and every installed style, each after its heading; and the styles that
/// could not be loaded.
fn subjects(device: DeviceChoice) -> Result<(Vec<Named>, Vec<String>), CliError> {
    let mut subjects = verify::adversarial_subjects().map_err(CliError::failed)?;
    let photo = sample::sample().map_err(CliError::failed)?;
    for name in [BUILT_IN_NETWORK].into_iter().chain(plain_networks(device)) {
        let network = Some(name.into());
        let pictures = StylePictureArgs { style_network: network, ..StylePictureArgs::default() };
        if let Some(chosen) = measured_pictures(&pictures, None)? {
            let name = format!("{name}, the sample as its style");
            subjects.push(verify::style_subject(&name, chosen.network, &photo.frame));
        }
    }
    let library = StyleLibrary::standard();
    let mut left_out = Vec::new();
    for style in library.styles() {
        style.without_full().iter().for_each(write_note);
        for model in style.models() {
            let name = format!("{} {model}", style.id);
            match choose(&library, style.id.as_ref(), Some(model)) {
                Ok(chosen) => {
                    subjects.push(verify::style_subject(&name, chosen.network, &photo.frame));
                }
                Err(error) => left_out.push(format!("skipped {name}: {error}")),
            }
        }
    }
    let subjects = subjects.into_iter().map(|subject| (subject.name.clone(), subject));
    Ok((subjects.collect(), left_out))
}

fn decibels(psnr_db: f64) -> String {
    if psnr_db.is_infinite() { "equal".to_owned() } else { format!("{psnr_db:.1} dB") }
}

fn text(checks: &[Verdict]) -> Vec<String> {
    let verdict = |v: &Verdict| {
        let word = match (v.passed, v.low_contrast) {
            (true, false) => "good",
            (true, true) => "good (flat)",
            (false, _) => "WRONG",
        };
        word.to_owned()
    };
    let worst = |v: &Verdict| {
        if v.worst_relative_rms.is_finite() {
            format!("{:.1e} {}", v.worst_relative_rms, v.worst_norm)
        } else {
            format!("not a number in {}", v.worst_norm)
        }
    };
    let columns: [Column<'_, Verdict>; 9] = [
        ("Network", &|v| v.network.clone()),
        ("Picture", &|v| v.picture.clone()),
        ("Mode", &|v| v.mode.to_string()),
        ("Verdict", &verdict),
        ("Largest", &|v| v.largest_levels.to_string()),
        ("Differ", &|v| format!("{:.2} %", v.differing_share * 100.0)),
        ("PSNR", &|v| decibels(v.psnr_db)),
        ("Frame", &|v| decibels(v.frame_psnr_db)),
        ("Worst map", &worst),
    ];
    let mut lines = table_of(columns, checks);
    for v in checks {
        if let Some(failure) = &v.failure {
            lines.push(format!("{}, {}, {}: {failure}", v.network, v.picture, v.mode));
        }
    }
    let wrong = checks.iter().filter(|v| !v.passed).count();
    lines.push(format!("{} checks, {wrong} wrong", checks.len()));
    lines
}

/// The failures of single kernels, and the kernel closest to its limit; empty if the device does not report its
/// kernels.
fn text_of_kernels(kernels: &[KernelVerdict]) -> Vec<String> {
    // What is not a number exceeds every limit.
    let limited = |share: f64| if share.is_nan() { f64::INFINITY } else { share };
    let share = |k: &KernelVerdict| limited(k.rms_share).max(limited(k.largest_share));
    let Some(worst) = (kernels.iter()).max_by(|a, b| share(a).total_cmp(&share(b))) else {
        return Vec::new();
    };
    let described = |k: &KernelVerdict| {
        format!(
            "{} of {} ({}) in {}, {}, {}: {:.2} of the allowed error",
            k.work,
            k.kernel,
            k.layer,
            k.mode,
            k.network,
            k.inputs,
            share(k)
        )
    };
    let wrong = kernels.iter().filter(|k| !k.passed);
    let mut lines: Vec<String> =
        wrong.map(|kernel| format!("WRONG: {}", described(kernel))).collect();
    lines.push(format!(
        "{} kernels alone, {} wrong; closest to its limit: {}",
        kernels.len(),
        lines.len(),
        described(worst)
    ));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use values::mode::{Precision, Variant};

    fn verdict(rms_share: f64, passed: bool) -> KernelVerdict {
        KernelVerdict {
            network: "random 5-7-13".to_owned(),
            mode: Mode::new(Variant::Baseline, Precision::Fp16),
            layer: "conv1".to_owned(),
            kernel: "pad_f16".to_owned(),
            work: "pad",
            inputs: "mean 0, deviation 1".to_owned(),
            passed,
            rms_share,
            largest_share: 0.25,
        }
    }

    #[test]
    fn wrong_kernels_are_listed_and_the_worst_is_named() {
        assert!(text_of_kernels(&[]).is_empty());
        let good = text_of_kernels(&[verdict(0.5, true), verdict(0.1, true)]);
        assert_eq!(
            good,
            ["2 kernels alone, 0 wrong; closest to its limit: pad of pad_f16 (conv1) in \
             baseline fp16, random 5-7-13, mean 0, deviation 1: 0.50 of the allowed error"]
        );
        let bad = text_of_kernels(&[verdict(f64::NAN, false), verdict(3.0, false)]);
        let [first, second, last] = bad.as_slice() else {
            panic!("{bad:?}");
        };
        for wrong in [first, second] {
            assert!(wrong.starts_with("WRONG: pad of pad_f16"), "{wrong}");
        }
        assert!(last.starts_with("2 kernels alone, 2 wrong; closest"), "{last}");
        assert!(last.ends_with(": inf of the allowed error"), "{last}");
    }
}
