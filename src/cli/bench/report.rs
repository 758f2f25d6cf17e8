//! Formats the measurements as text tables.

use super::Measurement;
use crate::{
    cli::terminal::table,
    measure::KernelRow,
    timing::{Ceiling, TimingMethod},
};

/// The header, the table of modes, and a table of kernels for each mode that has them.
pub fn text(results: &[Measurement]) -> Vec<String> {
    let mut lines: Vec<String> = results.first().map(head).into_iter().collect();
    lines.extend(modes(results));
    lines.extend(results.iter().filter_map(without_library));
    lines.extend(results.iter().filter_map(other_attention));
    lines.extend(results.iter().filter_map(compared));
    lines.extend(results.iter().filter_map(several_styles));
    for r in results.iter().filter(|r| !r.kernels.is_empty()) {
        lines.extend(kernels(r));
    }
    for r in results.iter().filter(|r| !r.reference_shapes.is_empty()) {
        lines.extend(reference_shapes(r));
    }
    lines
}

fn head(r: &Measurement) -> String {
    let model = r.model.map_or_else(String::new, |m| format!(" {m}"));
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
        "{} {}{threads}; {}{model}; {}, {} interleaved runs{batch} of each mode after {} warm-up runs{clock}",
        r.device_name,
        r.instructions,
        r.style,
        r.method.label(),
        r.frames,
        r.warmup_frames
    )
}

fn modes(results: &[Measurement]) -> Vec<String> {
    // If the device has its own clock, also show the time on the host.
    let on_device = results.iter().any(|r| r.method == TimingMethod::Device);
    let mut head = vec!["Size", "Mode", "Median", "p95", "p99"];
    if on_device {
        head.extend(["Host clock", "No graph"]);
    }
    head.push("Frames/s");
    if on_device {
        head.extend(["In a row", "Busy"]);
    }
    head.extend(["GFLOP/s", "Memory", "Ratio"]);
    let mut rows = vec![head.into_iter().map(str::to_owned).collect::<Vec<_>>()];
    for r in results {
        let mut row = vec![
            r.size.clone(),
            r.label(),
            format!("{:.3} ms", r.median_ms),
            format!("{:.3} ms", r.p95_ms),
            format!("{:.3} ms", r.p99_ms),
        ];
        if on_device {
            row.push(format!("{:.3} ms", r.host_p50_ms));
            row.push(r.eager_p50_ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.3} ms")));
        }
        row.push(format!("{:.2}", r.fps));
        if on_device {
            let in_a_row = r.pipelined_fps.map(|fps| format!("{fps:.2}"));
            let busy = r.pipelined_busy.map(|busy| format!("{:.0} %", 1e2 * busy));
            row.extend([in_a_row, busy].map(|cell| cell.unwrap_or_else(|| "-".to_owned())));
        }
        row.extend([
            format!("{:.1}", r.gflops),
            format!("{} MB", r.peak_memory_bytes / 1_000_000),
            match (&r.equality, r.ratio) {
                (_, Some(ratio)) => format!("{ratio:.2}x"),
                (Some(_), None) => "not comparable".to_owned(),
                (None, None) => "-".to_owned(),
            },
        ]);
        rows.push(row);
    }
    table(&rows)
}

/// The equality check that must be shown next to a ratio.
fn compared(r: &Measurement) -> Option<String> {
    let (equality, reference) = (r.equality.as_ref()?, r.compared_with?);
    let verdict = match &equality.failure {
        None => format!("same picture by the rule for {}", equality.precision),
        Some(failure) => format!("not comparable: {failure}"),
    };
    Some(format!("{}, {} against {reference}: {equality}; {verdict}", r.size, r.label()))
}

fn several_styles(r: &Measurement) -> Option<String> {
    let row = r.several_styles?;
    Some(format!(
        "{}, {}: {} styles of one frame (host clock): {:.2} frames/s when it is sent once, {:.2} when it is sent for each style",
        r.size,
        r.label(),
        row.styles,
        row.sent_once_fps,
        row.sent_each_fps
    ))
}

/// Why a mode runs without its library; `None` if it has it.
fn without_library(r: &Measurement) -> Option<String> {
    let reason = r.conv_provider.as_ref()?.reason.as_ref()?;
    Some(format!("{}, {}: {reason}", r.size, r.label()))
}

/// What computes attention instead of the chosen kernel.
fn other_attention(r: &Measurement) -> Option<String> {
    let note = r.attention_note.as_ref()?;
    Some(format!("{}, {}: {note}", r.size, r.label()))
}

fn kernels(r: &Measurement) -> Vec<String> {
    let mut head = vec!["Layer", "Kernel", "us", "GB/s", "TFLOP/s", "Share"];
    if r.ceiling.is_some() {
        head.push("Of limit");
    }
    let mut rows = vec![head.into_iter().map(str::to_owned).collect()];
    let sum_us: f64 = r.kernels.iter().map(KernelRow::us).sum();
    for k in &r.kernels {
        let mut row = vec![
            k.layer.clone(),
            k.kernel.clone(),
            format!("{:.1}", k.us()),
            format!("{:.1}", k.gb_per_s),
            k.tflops.map_or_else(|| "-".to_owned(), |t| format!("{t:.3}")),
            format!("{:.1} %", 100.0 * k.us() / sum_us),
        ];
        if r.ceiling.is_some() {
            row.push(percent(k.ceiling_share));
        }
        rows.push(row);
    }
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
    lines.extend(table(&rows));
    lines.push(sums);
    lines.extend(r.ceiling.as_ref().map(limits));
    lines
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{:.1} %", 100.0 * share))
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
    let head = ["Reference shape", "Maps", "us", "GB/s", "TFLOP/s", "Of limit", "Launches"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for shape in &r.reference_shapes {
        let ms = shape.us / 1e3;
        let least = |ceiling: &Ceiling| ceiling.least_ms(shape.flops, shape.bytes) / ms;
        rows.push(vec![
            shape.name.to_owned(),
            format!("{}x{}x{}", shape.channels, shape.height, shape.width),
            format!("{:.1}", shape.us),
            format!("{:.1}", shape.bytes as f64 / ms / 1e6),
            match shape.flops {
                0 => "-".to_owned(),
                flops => format!("{:.1}", flops as f64 / ms / 1e9),
            },
            percent(r.ceiling.as_ref().map(least)),
            shape.launches.join(", "),
        ]);
    }
    let head = format!(
        "Reference shapes of {} at {}, each run step by step as a small network",
        r.mode, r.size
    );
    [vec![String::new(), head], table(&rows)].concat()
}
