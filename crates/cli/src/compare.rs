//! `styleforge compare`: runs two modes alternately on the same frames. A ratio is shown only with a check that both
//! produced the same picture.

use super::{
    CliError,
    args::CompareArgs,
    attention, check_outputs,
    interrupt::interruptible,
    progress::Progress,
    save, select_device,
    style_choice::compared_subject,
    terminal::{print_report, write_note},
};
use measure::{Candidate, Comparison, chart, test_pictures};
use values::mode::{AttentionChoice, ModeChoice};

/// # Errors
/// [`CliError::WrongUse`] if the device does not support a mode or an output file exists already;
/// [`CliError::AlreadyReported`] if the pictures differ, so that the modes cannot be compared.
pub fn run(args: &CompareArgs) -> Result<(), CliError> {
    let subject = compared_subject(args.style.as_deref(), &args.pictures, args.model)?;
    let existing = check_outputs(args.csv.iter().chain(&args.chart), args.force)?;
    let selected = select_device(&args.device)?;
    let backend = selected.backend.as_ref();
    let control = interruptible();
    let (width, height) = args.size;
    let chosen = [args.reference, args.other].map(|mode| match mode.attention {
        AttentionChoice::Auto => ModeChoice { attention: args.attention, ..mode },
        AttentionChoice::Fixed(_) => mode,
    });
    attention::announce(
        backend.device().kind,
        &chosen.map(|mode| mode.attention),
        &[(&subject.name, &subject.network)],
    );
    let comparison = Comparison {
        candidates: chosen
            .map(|mode| Candidate { backend, mode: subject.network.mode(backend.mode(mode)) }),
        network: &subject.network,
        style: subject.label(),
        pictures: &test_pictures(width, height),
        frames: args.frames,
        warmup: args.warmup,
    };
    comparison.check(args.max_memory)?;
    let progress = Progress::of_long_pieces(1);
    let modes = comparison.candidates.map(|candidate| candidate.mode.to_string());
    let report = progress.during(1, &modes.join(" and "), &control, || comparison.run(&control))?;
    progress.finish();
    if report.reference.label() == report.other.label() {
        write_note("both modes are the same; the ratio shows the measurement noise");
    }
    if let Some(path) = &args.csv {
        save(path, report.csv().as_bytes(), existing)?;
    }
    if let Some(path) = &args.chart {
        save(path, &chart::png(&report)?, existing)?;
    }
    print_report(args.json, &report, || report.lines())?;
    if report.equality.passed() { Ok(()) } else { Err(CliError::AlreadyReported) }
}
