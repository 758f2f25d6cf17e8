//! `styleforge compare`: runs two modes alternately on the same frames. A ratio is shown only with a check that both
//! produced the same picture.

use std::sync::Arc;

use super::{
    CliError,
    args::CompareArgs,
    attention,
    interrupt::cancel_on_interrupt,
    progress::Progress,
    select_device,
    style_choice::compared_subject,
    terminal::{print, print_json_text, write_message},
};
use crate::{
    backend::RunControl,
    measure::{Candidate, Comparison, chart, test_pictures},
    media::encode::{self, Existing},
    mode::{AttentionChoice, ModeChoice},
};

/// # Errors
/// [`CliError::WrongUse`] if the device does not support a mode or an output file exists already;
/// [`CliError::AlreadyReported`] if the pictures differ, so that the modes cannot be compared.
pub fn run(args: &CompareArgs) -> Result<(), CliError> {
    let subject = compared_subject(args.style.as_deref(), &args.pictures, args.model)?;
    let existing = if args.force { Existing::Replace } else { Existing::Keep };
    for path in args.csv.iter().chain(&args.chart) {
        encode::check_target(path, existing).map_err(|e| CliError::WrongUse(e.to_string()))?;
    }
    let selected = select_device(&args.device)?;
    let backend = selected.backend.as_ref();
    let control = Arc::new(RunControl::default());
    cancel_on_interrupt(&control);
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
    let measured =
        progress.during(0..1, &modes.join(" and "), &control, || comparison.run(&control));
    progress.finish();
    let report = measured?;
    if report.reference.label() == report.other.label() {
        write_message("note: both modes are the same; the ratio shows the measurement noise");
    }
    let save = |path, bytes: &[u8]| {
        encode::save_bytes(path, bytes, existing).map_err(|e| CliError::Failed(e.to_string()))
    };
    if let Some(path) = &args.csv {
        save(path, report.csv().as_bytes())?;
    }
    if let Some(path) = &args.chart {
        save(path, &chart::png(&report)?)?;
    }
    if args.json {
        print_json_text(&report.json()?)?;
    } else {
        print(&report.lines())?;
    }
    if report.equality.passed() { Ok(()) } else { Err(CliError::AlreadyReported) }
}
