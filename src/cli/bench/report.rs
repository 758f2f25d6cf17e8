//! The measurements as tables for people.

use super::Measurement;
use crate::{cli::terminal::table, timing::TimingMethod};

/// The head, the table of modes, and a table of kernels for each mode that has them.
pub fn text(results: &[Measurement]) -> String {
    let mut text = results.first().map_or_else(String::new, head);
    text.push_str(&modes(results));
    for r in results.iter().filter(|r| r.equality.is_some()) {
        text.push_str(&compared(r));
    }
    for r in results.iter().filter(|r| !r.kernels.is_empty()) {
        text.push_str(&kernels(r));
    }
    text
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
        "{} {}{threads}; {}{model}; {}, {} runs{batch} of each mode in turn after {} for \
         warm-up{clock}\n",
        r.device_name,
        r.instructions,
        r.style,
        r.method.label(),
        r.frames,
        r.warmup_frames
    )
}

fn modes(results: &[Measurement]) -> String {
    // Beside a device's own times, what the host waited.
    let on_device = results.iter().any(|r| r.method == TimingMethod::Device);
    let mut head = vec!["Size", "Mode", "Median", "95 %", "99 %"];
    if on_device {
        head.push("Host clock");
    }
    head.extend(["Frames/s", "GFLOP/s", "Memory", "Ratio"]);
    let mut rows = vec![head.into_iter().map(str::to_owned).collect::<Vec<_>>()];
    for r in results {
        let mut row = vec![
            r.size.clone(),
            r.mode.to_string(),
            format!("{:.3} ms", r.median_ms),
            format!("{:.3} ms", r.p95_ms),
            format!("{:.3} ms", r.p99_ms),
        ];
        if on_device {
            row.push(format!("{:.3} ms", r.host_p50_ms));
        }
        row.extend([
            format!("{:.2}", r.fps),
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

/// The check that a ratio needs beside it.
fn compared(r: &Measurement) -> String {
    let (Some(equality), Some(reference)) = (&r.equality, r.compared_with) else {
        return String::new();
    };
    let verdict = match &equality.failure {
        None => format!("same picture by the rule for {}", equality.precision),
        Some(failure) => format!("not comparable: {failure}"),
    };
    format!(
        "{}, {} against {reference}: {equality}; {verdict}\n",
        r.size, r.mode
    )
}

fn kernels(r: &Measurement) -> String {
    let head = ["Layer", "Kernel", "us", "GB/s", "TFLOP/s", "Share"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let sum_us: f64 = r.kernels.iter().map(super::KernelRow::us).sum();
    for k in &r.kernels {
        rows.push(vec![
            k.layer.clone(),
            k.kernel.clone(),
            format!("{:.1}", k.us()),
            format!("{:.1}", k.gb_per_s),
            k.tflops
                .map_or_else(|| "-".to_owned(), |t| format!("{t:.3}")),
            format!("{:.1} %", 100.0 * k.us() / sum_us),
        ]);
    }
    let whole_us = r.median_ms * 1e3;
    format!(
        "\n{} at {}: {} steps, median of {} frames run step by step, {}\n{}sum of steps {sum_us:.1} \
         us, a whole frame {whole_us:.1} us, difference {:+.1} us ({:+.1} %)\n",
        r.mode,
        r.size,
        r.kernels.len(),
        r.profiled_frames,
        r.method.label(),
        table(&rows),
        whole_us - sum_us,
        100.0 * (whole_us - sum_us) / whole_us
    )
}
