//! Formats the measurements as text tables.

use super::Measurement;
use crate::{
    style_choice::size_and_reason,
    terminal::{Column, table_of},
};
use measure::{KernelRow, ReferenceTiming, table::percent};
use values::{
    mode::ModelSize,
    timing::{Ceiling, TimingMethod},
};

/// The header, the table of modes, and a table of kernels for each mode that has them.
pub fn text(results: &[Measurement], requested: Option<ModelSize>) -> Vec<String> {
    let mut lines: Vec<String> = results.first().map(|r| head(r, requested)).into_iter().collect();
    lines.extend(modes(results));
    for note in [without_library, other_attention, compared, several_styles, several_devices] {
        let place = |r: &Measurement| Some(format!("{}, {}{}", r.size, r.label(), note(r)?));
        lines.extend(results.iter().filter_map(place));
    }
    for r in results.iter().filter(|r| !r.kernels.is_empty()) {
        lines.extend(kernels(r));
    }
    for r in results.iter().filter(|r| !r.extras.reference_shapes.is_empty()) {
        lines.extend(reference_shapes(r));
    }
    lines
}

fn head(r: &Measurement, requested: Option<ModelSize>) -> String {
    let model = size_and_reason(r.model, requested);
    let batch = match r.batch {
        1 => String::new(),
        n => format!(" of {n} frames"),
    };
    let clock = match (r.clock_before_mhz, r.clock_after_mhz) {
        (Some(before), Some(after)) => format!("; {before} MHz before, {after} MHz after"),
        _ => String::new(),
    };
    let threads = match r.device {
        "cpu" => format!(", {} threads", r.threads),
        _ => String::new(),
    };
    format!(
        "{} {}{threads}; {}{model}; {}, {} interleaved runs{batch} of each mode after {} for warm-up{clock}",
        r.device_name,
        r.instructions,
        r.style,
        r.method.label(),
        r.frames,
        r.warmup_frames
    )
}

/// Columns of devices with their own clock, which also show the times on the host.
const DEVICE_COLUMNS: [&str; 4] = ["Host clock", "No graph", "In a row", "Busy"];

fn modes(results: &[Measurement]) -> Vec<String> {
    let on_device = results.iter().any(|r| r.method == TimingMethod::Device);
    let columns: [Column<'_, Measurement>; 13] = [
        ("Size", &|r| r.size.clone()),
        ("Mode", &Measurement::label),
        ("Median", &|r| milliseconds(r.times.p50_ms)),
        ("p95", &|r| milliseconds(r.times.p95_ms)),
        ("p99", &|r| milliseconds(r.times.p99_ms)),
        ("Host clock", &|r| milliseconds(r.host_p50_ms)),
        ("No graph", &|r| or_dash(r.eager_p50_ms.map(milliseconds))),
        ("Frames/s", &|r| format!("{:.2}", r.fps)),
        ("In a row", &|r| or_dash(r.pipelined_fps.map(|fps| format!("{fps:.2}")))),
        ("Busy", &|r| or_dash(r.pipelined_busy.map(|busy| format!("{:.0} %", 1e2 * busy)))),
        ("GFLOP/s", &|r| format!("{:.1}", r.gflops)),
        ("Memory", &|r| format!("{} MB", r.peak_memory_bytes / 1_000_000)),
        ("Ratio", &|r| match (&r.equality, r.ratio) {
            (_, Some(ratio)) => format!("{ratio:.2}x"),
            (Some(_), None) => "not comparable".to_owned(),
            (None, None) => "-".to_owned(),
        }),
    ];
    let is_shown = |(head, _): &Column<'_, _>| on_device || !DEVICE_COLUMNS.contains(head);
    table_of(columns.into_iter().filter(is_shown), results)
}

fn milliseconds(ms: f64) -> String {
    format!("{ms:.3} ms")
}

fn or_dash(cell: Option<String>) -> String {
    cell.unwrap_or_else(|| "-".to_owned())
}

/// The equality check that must be shown next to a ratio.
fn compared(r: &Measurement) -> Option<String> {
    let (equality, reference) = (r.equality.as_ref()?, r.compared_with?);
    let verdict = match &equality.failure {
        None => format!("same picture by the rule for {}", equality.precision),
        Some(failure) => format!("not comparable: {failure}"),
    };
    Some(format!(" against {reference}: {equality}; {verdict}"))
}

fn several_styles(r: &Measurement) -> Option<String> {
    let row = r.extras.several_styles?;
    Some(format!(
        ": {} styles of one frame (host clock): {:.2} frames/s when it is sent once, {:.2} when it is sent for each style",
        row.styles, row.sent_once_fps, row.sent_each_fps
    ))
}

fn several_devices(r: &Measurement) -> Option<String> {
    let row = r.extras.several_devices?;
    let pictures = if row.is_identical { "the same pictures" } else { "different pictures" };
    Some(format!(
        ": {} GPUs together (host clock): {:.2} frames/s, {:.2}x the {:.2} of the first one alone; {pictures}",
        row.devices,
        row.together_fps,
        row.together_fps / row.alone_fps,
        row.alone_fps
    ))
}

/// Why a mode runs without its library; `None` if it has it.
fn without_library(r: &Measurement) -> Option<String> {
    let reason = r.conv_provider.as_ref()?.reason.as_ref()?;
    Some(format!(": {reason}"))
}

/// What computes attention instead of the chosen kernel.
fn other_attention(r: &Measurement) -> Option<String> {
    let note = r.attention_note.as_ref()?;
    Some(format!(": {note}"))
}

fn kernels(r: &Measurement) -> Vec<String> {
    let sum_us: f64 = r.kernels.iter().map(KernelRow::us).sum();
    let columns: [Column<'_, KernelRow>; 7] = [
        ("Layer", &|k| k.layer.clone()),
        ("Kernel", &|k| k.kernel.clone()),
        ("us", &|k| format!("{:.1}", k.us())),
        ("GB/s", &|k| format!("{:.1}", k.gb_per_s)),
        ("TFLOP/s", &|k| or_dash(k.tflops.map(|t| format!("{t:.3}")))),
        ("Share", &|k| percent(k.us() / sum_us)),
        ("Of limit", &|k| or_dash(k.ceiling_share.map(percent))),
    ];
    let columns = &columns[..if r.extras.ceiling.is_some() { 7 } else { 6 }];
    let whole_us = r.median_ms * 1e3;
    let head = format!(
        "{} at {}: {} steps, median of {} frames run step by step, {}",
        r.label(),
        r.size,
        r.kernels.len(),
        r.profiled_frames,
        r.method.label(),
    );
    let sums = format!(
        "sum of steps {sum_us:.1} us, a whole frame {whole_us:.1} us, difference {:+.1} us ({:+.1} %)",
        whole_us - sum_us,
        100.0 * (whole_us - sum_us) / whole_us
    );
    let mut lines = vec![String::new(), head];
    lines.extend(table_of(columns.iter().copied(), &r.kernels));
    lines.push(sums);
    lines.extend(r.extras.ceiling.as_ref().map(limits));
    lines
}

/// The limits that the shares refer to.
fn limits(ceiling: &Ceiling) -> String {
    let peak =
        ceiling.peak_tflops.map_or_else(String::new, |peak| format!(" and {peak:.0} TFLOP/s"));
    format!(
        "limit: {:.0} GB/s{peak}, the slower of the two ({})",
        ceiling.copy_gb_per_s, ceiling.method
    )
}

fn reference_shapes(r: &Measurement) -> Vec<String> {
    let ceiling = r.extras.ceiling.as_ref();
    let columns: [Column<'_, ReferenceTiming>; 7] = [
        ("Reference shape", &|shape| shape.name.to_owned()),
        ("Maps", &|shape| format!("{}x{}x{}", shape.channels, shape.height, shape.width)),
        ("us", &|shape| format!("{:.1}", shape.us)),
        ("GB/s", &|shape| format!("{:.1}", shape.bytes as f64 / shape.us / 1e3)),
        ("TFLOP/s", &|shape| match shape.flops {
            0 => "-".to_owned(),
            flops => format!("{:.1}", flops as f64 / shape.us / 1e6),
        }),
        ("Of limit", &|shape| {
            let least = ceiling.map(|ceiling| ceiling.least_ms(shape.flops, shape.bytes));
            or_dash(least.map(|least_ms| percent(1e3 * least_ms / shape.us)))
        }),
        ("Launches", &|shape| shape.launches.join(", ")),
    ];
    let head = format!(
        "Reference shapes of {} at {}, each run step by step as a small network",
        r.mode, r.size
    );
    [vec![String::new(), head], table_of(columns, &r.extras.reference_shapes)].concat()
}
