//! `styleforge bench --sweep`: how the cost grows with the image size, the network and the batch size.

use crate::{
    CliError,
    args::BenchArgs,
    interrupt::interruptible,
    progress::Progress,
    terminal::{Column, print_report, table_of, write_note},
    wrong_use,
};
use backend::Backend;
use measure::sweep::{Axis, Cost, Sweep, SweepReport};
use values::mode::{Mode, ModeChoice, ModelSize, PrecisionChoice, Variant};

/// # Errors
/// [`CliError`] if the device does not support the mode, or nothing fits into memory. Also if a run
/// fails or is cancelled; the measurements so far are printed first.
pub fn run(args: &BenchArgs, backend: &dyn Backend) -> Result<(), CliError> {
    let sweep = Sweep {
        backend,
        mode: mode(args, backend)?,
        frames: args.frames,
        warmup: args.warmup,
        max_memory_bytes: args.max_memory,
    };
    let both = [ModelSize::Full, ModelSize::Lite];
    let models = args.model.as_ref().map_or(&both[..], std::slice::from_ref);
    let planned = sweep.plan(models)?;
    for series in &planned {
        if let Some(end) = &series.end {
            write_note(format_args!("{} is not measured from {end}", series.name()));
        }
    }
    let control = interruptible();
    let progress = Progress::of_long_pieces(planned.len());
    let mut measured = Vec::new();
    let mut has_failed = false;
    for planned in &planned {
        let name = planned.name();
        let series = progress.during(1, &name, &control, || sweep.measure(planned, &control));
        let failure = series.end.as_ref().filter(|_| series.end != planned.end);
        let is_stopped = control.is_cancelled();
        if let Some(failure) = failure.filter(|_| !is_stopped) {
            progress.message(format!("error: {name} end at {failure}"));
            has_failed = true;
        }
        measured.push(series);
        if is_stopped {
            break;
        }
    }
    progress.finish();
    let report = SweepReport::new(&sweep, measured, control.is_cancelled());
    print_report(args.json, &report, || text(&report))?;
    if control.is_cancelled() {
        Err(CliError::Stopped)
    } else if has_failed {
        Err(CliError::AlreadyReported)
    } else {
        Ok(())
    }
}

/// The single mode to measure: the chosen one, otherwise the device's best.
fn mode(args: &BenchArgs, backend: &dyn Backend) -> Result<Mode, CliError> {
    let (&[] | &[_], &[] | &[_]) = (&args.variants[..], &args.precisions[..]) else {
        return wrong_use("--sweep measures one mode: choose one --variant and one --precision");
    };
    let variant = args.variants.first().copied().unwrap_or(Variant::Fused);
    let precision = args.precisions.first().copied().unwrap_or(PrecisionChoice::Auto);
    let mode = backend.mode(ModeChoice::new(variant, precision));
    backend.supports(mode)?;
    Ok(mode)
}

/// The header, a table for each axis, and a summary of the sizes.
fn text(report: &SweepReport) -> Vec<String> {
    let mut lines =
        vec![format!("{}; {}, random weights; {}", report.device, report.mode, report.protocol())];
    for axis in Axis::ALL {
        let place = match axis {
            Axis::Size => "Size",
            Axis::Blocks => "Blocks",
            Axis::Batch => "Frames at once",
        };
        let columns: [Column<'_, (ModelSize, &Cost)>; 6] = [
            ("Model", &|(model, _)| model.to_string()),
            (place, &|(_, cost)| cost.place.name(axis)),
            ("Median", &|(_, cost)| format!("{:.3} ms", cost.device_ms)),
            ("Host clock", &|(_, cost)| format!("{:.3} ms", cost.host_ms)),
            ("ms/megapixel", &|(_, cost)| format!("{:.3}", cost.ms_per_megapixel())),
            ("Memory", &|(_, cost)| format!("{:.1} MB", cost.peak_memory_bytes as f64 / 1e6)),
        ];
        let costs: Vec<(ModelSize, &Cost)> = (report.series.iter())
            .filter(|series| series.axis == axis)
            .flat_map(|series| series.costs.iter().map(|cost| (series.model, cost)))
            .collect();
        if !costs.is_empty() {
            lines.push(String::new());
            lines.extend(table_of(columns, &costs));
        }
    }
    if let Some(growth) = report.growth_text() {
        lines.extend([String::new(), growth]);
    }
    lines
}
