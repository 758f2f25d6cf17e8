//! `styleforge bench`: how fast a device paints, with everything a number needs to mean something.

use std::{sync::Arc, time::Instant};

use serde::Serialize;

use super::{
    CliError,
    args::BenchArgs,
    interrupt::cancel_on_interrupt,
    select_device,
    style_choice::choose,
    terminal::{print, print_json, table},
};
use crate::{
    backend::{Backend, RunControl},
    frame::{Frame, PictureDifference},
    media::memory,
    mode::{ModelSize, Variant},
    network::{Network, NetworkSpec},
    timing::{Percentiles, StepTiming, TimingMethod},
    weights::StyleLibrary,
};

/// Sizes that are measured when none is given.
const DEFAULT_SIZES: [(usize, usize); 2] = [(512, 512), (1280, 720)];

/// The `--json` report.
#[derive(Serialize)]
struct Report {
    version: &'static str,
    results: Vec<Measurement>,
}

/// One variant at one size.
#[derive(Serialize)]
struct Measurement {
    device: &'static str,
    device_name: String,
    instructions: String,
    threads: usize,
    /// Variant and precision, as they appear beside a frame rate.
    mode: String,
    variant: Variant,
    precision: &'static str,
    style: String,
    model: Option<ModelSize>,
    /// `WIDTHxHEIGHT`, in pixels.
    size: String,
    width: usize,
    height: usize,
    method: TimingMethod,
    frames: usize,
    warmup_frames: u32,
    median_ms: f64,
    p50_ms: f64,
    p95_ms: f64,
    p99_ms: f64,
    /// Frames per second at the median.
    fps: f64,
    /// Direct-form operations per second at the median, in 1e9.
    gflops: f64,
    /// The peak of the plan, weights included: what a run of this variant holds.
    planned_memory_bytes: u64,
    /// What the whole process held at most meanwhile, pictures, code and what the allocator kept
    /// of earlier measurements included. Only where the system tells.
    process_peak_bytes: Option<u64>,
    /// Largest difference from the first variant's picture at this size, in levels: a ratio of two
    /// times means something only when both made the same picture.
    largest_difference_levels: Option<u8>,
    /// Median of every step.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    steps: Vec<StepTiming>,
}

struct Subject {
    name: String,
    model: Option<ModelSize>,
    network: Arc<Network>,
}

/// Measures what was asked for.
///
/// # Errors
/// [`CliError`] when a style or the device cannot be had, or a run fails.
pub fn run(args: &BenchArgs) -> Result<(), CliError> {
    let subject = subject(args)?;
    let selected = select_device(args.device.device, args.device.threads)?;
    let control = Arc::new(RunControl::default());
    cancel_on_interrupt(&control);
    let sizes = if args.sizes.is_empty() {
        &DEFAULT_SIZES[..]
    } else {
        &args.sizes
    };
    let variants = if args.variants.is_empty() {
        Variant::ALL
    } else {
        &args.variants
    };
    let limit_bytes = args.max_memory.or_else(memory::available_bytes);
    for &size in sizes {
        for &variant in variants {
            check_memory(
                selected.backend.as_ref(),
                &subject,
                size,
                variant,
                limit_bytes,
            )?;
        }
    }
    let mut results = Vec::new();
    for &(width, height) in sizes {
        let picture = test_picture(width, height);
        let mut first: Option<Frame> = None;
        for &variant in variants {
            let (mut result, painted) = measure(
                args,
                selected.backend.as_ref(),
                &subject,
                &picture,
                variant,
                &control,
            )?;
            result.largest_difference_levels = first
                .as_ref()
                .and_then(|f| PictureDifference::between(f, &painted))
                .map(|d| d.largest);
            first.get_or_insert(painted);
            results.push(result);
        }
    }
    if args.json {
        return print_json(&Report {
            version: env!("CARGO_PKG_VERSION"),
            results,
        });
    }
    print(&text(&results))
}

fn subject(args: &BenchArgs) -> Result<Subject, CliError> {
    if let Some(typed) = &args.style {
        let chosen = choose(&StyleLibrary::standard(), typed, args.model)?;
        return Ok(Subject {
            name: chosen.label,
            model: chosen.model,
            network: chosen.network,
        });
    }
    let model = args.model.unwrap_or_default();
    let widths = match model {
        ModelSize::Full => [32, 64, 128],
        ModelSize::Lite => [16, 32, 64],
    };
    let network = Network::random(NetworkSpec::with_widths(widths), 1)
        .map_err(|e| CliError::Failed(e.to_string()))?;
    Ok(Subject {
        name: "random weights".to_owned(),
        model: Some(model),
        network: Arc::new(network),
    })
}

/// Refuses a run that would not fit, before anything is measured.
fn check_memory(
    backend: &dyn Backend,
    subject: &Subject,
    (width, height): (usize, usize),
    variant: Variant,
    limit_bytes: Option<u64>,
) -> Result<(), CliError> {
    let run = backend.predicted_bytes(subject.network.spec(), width, height, variant);
    // The test picture, its painting, and the first variant's to compare with.
    let needed = run.saturating_add(3 * 4 * width as u64 * height as u64);
    match limit_bytes {
        Some(limit) if needed > limit => Err(CliError::WrongUse(format!(
            "{variant} at {width}x{height} needs {} MB of memory, {} MB may be taken; choose a \
             smaller --size, raise --max-memory or close other programs",
            needed.div_ceil(1_000_000),
            limit / 1_000_000
        ))),
        _ => Ok(()),
    }
}

fn measure(
    args: &BenchArgs,
    backend: &dyn Backend,
    subject: &Subject,
    picture: &Frame,
    variant: Variant,
    control: &RunControl,
) -> Result<(Measurement, Frame), CliError> {
    let (width, height) = (picture.width(), picture.height());
    reset_process_peak();
    let mut session = backend.open(&subject.network, width, height, variant)?;
    let mut painted = picture.clone();
    for _ in 0..args.warmup {
        session.paint(picture, &mut painted, control)?;
    }
    let mut times_ms = Vec::new();
    let mut steps_ms: Vec<Vec<f64>> = Vec::new();
    let mut steps = Vec::new();
    for _ in 0..args.frames {
        let started = Instant::now();
        steps = session.paint(picture, &mut painted, control)?;
        times_ms.push(started.elapsed().as_secs_f64() * 1e3);
        steps_ms.resize(steps.len(), Vec::new());
        for (list, step) in steps_ms.iter_mut().zip(&steps) {
            list.push(step.ms);
        }
    }
    for (step, list) in steps.iter_mut().zip(&steps_ms) {
        step.ms = Percentiles::of(list).map_or(step.ms, |p| p.p50_ms);
    }
    let Some(times) = Percentiles::of(&times_ms) else {
        return Err(CliError::Failed("no frame was measured".to_owned()));
    };
    let summary = session.summary();
    let device = backend.device();
    // Both variants of this version compute in single precision.
    let precision = "fp32";
    let measurement = Measurement {
        device: device.kind.name(),
        device_name: device.name,
        instructions: device.instructions,
        threads: device.threads,
        mode: format!("{variant} {precision}"),
        variant,
        precision,
        style: subject.name.clone(),
        model: subject.model,
        size: format!("{width}x{height}"),
        width,
        height,
        method: TimingMethod::Host,
        frames: times_ms.len(),
        warmup_frames: args.warmup,
        median_ms: times.p50_ms,
        p50_ms: times.p50_ms,
        p95_ms: times.p95_ms,
        p99_ms: times.p99_ms,
        fps: 1e3 / times.p50_ms,
        gflops: summary.flops as f64 / times.p50_ms / 1e6,
        planned_memory_bytes: summary.peak_bytes,
        process_peak_bytes: process_peak_bytes(),
        largest_difference_levels: None,
        steps: if args.steps { steps } else { Vec::new() },
    };
    Ok((measurement, painted))
}

/// Waves and edges: nothing that a norm would find trivial.
fn test_picture(width: usize, height: usize) -> Frame {
    Frame::from_fn(width, height, |x, y| {
        let wave = |fx: f64, fy: f64| {
            let phase = x as f64 * fx + y as f64 * fy;
            (127.5 + 127.0 * phase.sin()) as u8
        };
        let edge = if (x / 32 + y / 24) % 2 == 0 { 40 } else { 215 };
        [wave(0.031, 0.017), wave(-0.013, 0.05), edge, 255]
    })
}

/// Forgets the process's high-water mark (proc(5), clear_refs); best effort.
fn reset_process_peak() {
    if cfg!(target_os = "linux") {
        std::fs::write("/proc/self/clear_refs", "5").ok();
    }
}

/// The process's high-water mark, in bytes (proc(5), `VmHWM`).
fn process_peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kilobytes * 1024)
}

fn text(results: &[Measurement]) -> String {
    let head = [
        "Size",
        "Mode",
        "Median",
        "95 %",
        "99 %",
        "Frames/s",
        "GFLOP/s",
        "Memory",
        "Differs by",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let mut text = String::new();
    for r in results {
        rows.push(vec![
            r.size.clone(),
            r.mode.clone(),
            format!("{:.2} ms", r.median_ms),
            format!("{:.2} ms", r.p95_ms),
            format!("{:.2} ms", r.p99_ms),
            format!("{:.2}", r.fps),
            format!("{:.1}", r.gflops),
            format!("{} MB", r.planned_memory_bytes / 1_000_000),
            r.largest_difference_levels
                .map_or_else(|| "-".to_owned(), |d| format!("{d} levels")),
        ]);
    }
    if let Some(r) = results.first() {
        let model = r.model.map_or_else(String::new, |m| format!(" {m}"));
        text.push_str(&format!(
            "{} {}, {} threads; {}{model}; host clock, {} frames after {} for warm-up\n",
            r.device_name, r.instructions, r.threads, r.style, r.frames, r.warmup_frames
        ));
    }
    text.push_str(&table(&rows));
    for r in results.iter().filter(|r| !r.steps.is_empty()) {
        let head = ["Layer", "Kernel", "Median", "GFLOP/s"];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        for step in &r.steps {
            let rate = match step.flops {
                0 => "-".to_owned(),
                flops => format!("{:.1}", flops as f64 / step.ms / 1e6),
            };
            let (layer, kernel) = (step.layer.clone(), step.kernel.clone());
            rows.push(vec![layer, kernel, format!("{:.3} ms", step.ms), rate]);
        }
        text.push_str(&format!("\n{} at {}\n{}", r.mode, r.size, table(&rows)));
    }
    text
}
