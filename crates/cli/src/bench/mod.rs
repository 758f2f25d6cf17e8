//! `styleforge bench`: measures how fast a device paints, and records the conditions of every figure.

mod report;
mod sweep;

use serde::Serialize;

use self::report::text;
use super::{
    CliError, SharedDevices,
    args::BenchArgs,
    attention, check_outputs,
    interrupt::interruptible,
    modes,
    progress::Progress,
    save, select_device,
    style_choice::subject,
    terminal::{print_report, write_message, write_note},
};
use backend::{BackendError, DeviceInfo};
use measure::{
    KernelRow, KernelTable, Measured, ReferenceTiming, Setup, SeveralDevices, SeveralStyles,
    kernels::{csv, trace},
    setup::ceiling,
    verify::Equality,
};
use pictures::memory;
use plan::ConvProvider;
use values::{
    mode::{AttentionKernel, Mode, ModelSize, Precision, PrecisionChoice, Variant},
    timing::{Ceiling, Percentiles, TimingMethod},
};

/// Sizes to measure if none is given.
const DEFAULT_SIZES: [(usize, usize); 2] = [(512, 512), (1280, 720)];
/// Precisions to measure if none is given, as far as the device supports them.
const DEFAULT_PRECISIONS: [PrecisionChoice; 2] =
    [PrecisionChoice::Auto, PrecisionChoice::Fixed(Precision::Fp32)];

/// The `--json` report.
#[derive(Serialize)]
struct Report {
    version: &'static str,
    results: Vec<Measurement>,
}

#[derive(Serialize)]
struct Measurement {
    device: &'static str,
    device_name: String,
    instructions: String,
    threads: usize,
    /// The mode as it was run, as shown next to a frame rate.
    mode: Mode,
    variant: Variant,
    precision: Precision,
    /// The attention kernels that a GPU uses, each once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attention: Vec<AttentionKernel>,
    /// Text that says what computes attention instead of the chosen kernel.
    #[serde(skip_serializing_if = "Option::is_none")]
    attention_note: Option<String>,
    /// What computes the convolutions, in modes that leave them to a library if one is available.
    #[serde(rename = "convolver", skip_serializing_if = "Option::is_none")]
    conv_provider: Option<ConvProvider>,
    style: String,
    model: Option<ModelSize>,
    /// `WIDTHxHEIGHT`, in pixels.
    size: String,
    width: usize,
    height: usize,
    /// Frames per run; the times are per run.
    batch: usize,
    method: TimingMethod,
    frames: u32,
    warmup_frames: u32,
    median_ms: f64,
    #[serde(flatten)]
    times: Percentiles,
    /// Median of the same runs by the host's clock, including the wait for the device.
    host_p50_ms: f64,
    /// Median by the device's clock of runs that launch each step separately. A normal run replays the steps as one
    /// recorded graph.
    eager_p50_ms: Option<f64>,
    fps: f64,
    /// Frames per second of consecutive runs by the host's clock, in which transfers and painting overlap. Only for a
    /// device with transfers.
    pipelined_fps: Option<f64>,
    /// Share of that time in which the device painted, by its own clock.
    pipelined_busy: Option<f64>,
    /// In 1e9 operations per second of direct convolution, at the median.
    gflops: f64,
    /// Steps that one run launches.
    launches: usize,
    /// Device clock before the first and after the last measured run at this size, if known.
    clock_before_mhz: Option<u32>,
    clock_after_mhz: Option<u32>,
    /// Peak memory of the plan, weights included: what a run of this mode needs.
    peak_memory_bytes: u64,
    /// Peak memory of the whole process while this size was measured: all modes, pictures, code and the allocator's
    /// reserves. `None` if the system does not report it.
    process_peak_bytes: Option<u64>,
    /// The mode that this one is compared with: the first at this size.
    compared_with: Option<Mode>,
    /// How both pictures compare.
    equality: Option<Equality>,
    /// Speed relative to that mode; only if both produced the same picture.
    ratio: Option<f64>,
    /// Median of every kernel, from frames that were run step by step.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    kernels: Vec<KernelRow>,
    /// Number of those frames.
    profiled_frames: usize,
    #[serde(flatten)]
    extras: Extras,
}

/// What is measured for a mode after its runs, if requested.
#[derive(Default, Serialize)]
struct Extras {
    /// Peak rates of the device, which the kernels' shares refer to.
    #[serde(skip_serializing_if = "Option::is_none")]
    ceiling: Option<Ceiling>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reference_shapes: Vec<ReferenceTiming>,
    /// Several styles of one frame; only for a device with transfers.
    #[serde(skip_serializing_if = "Option::is_none")]
    several_styles: Option<SeveralStyles>,
    /// Several devices at the same time.
    #[serde(skip_serializing_if = "Option::is_none")]
    several_devices: Option<SeveralDevices>,
}

impl Measurement {
    /// The mode, and what computes its convolutions if that is a choice.
    fn label(&self) -> String {
        ConvProvider::mode_label(self.mode, self.conv_provider.as_ref())
    }

    fn kernel_table(&self) -> KernelTable {
        KernelTable {
            device_name: self.device_name.clone(),
            mode: self.label(),
            size: self.size.clone(),
            method: self.method,
            frames: self.profiled_frames,
            total_ms: self.median_ms,
            ceiling: self.extras.ceiling.clone(),
            kernels: self.kernels.clone(),
        }
    }
}

/// Drops the modes in which the device cannot compute the network, unless the user named them. Prints what is skipped
/// and why. If no mode is left, opening the session reports the error.
fn possible(setups: &[Setup<'_>], modes: Vec<Mode>) -> Vec<Mode> {
    let refusal = |mode: Mode| setups.iter().find_map(|setup| setup.refusal(mode));
    let (mut possible, mut without_kernels, mut too_large) = (Vec::new(), Vec::new(), Vec::new());
    for &mode in &modes {
        match refusal(mode) {
            None => possible.push(mode),
            Some(BackendError::Unsupported { .. }) => without_kernels.push(mode.to_string()),
            Some(error) => too_large.push((mode, error)),
        }
    }
    if possible.is_empty() {
        return modes;
    }
    if !without_kernels.is_empty() {
        write_note(format_args!(
            "skipped modes for which this device has no kernels: {}",
            without_kernels.join(", ")
        ));
    }
    for (mode, error) in too_large {
        write_note(format_args!("skipped {mode}: {error}"));
    }
    possible
}

/// # Errors
/// [`CliError`] if a style cannot be loaded, the device cannot be opened, or a run fails.
pub fn run(args: &BenchArgs) -> Result<(), CliError> {
    let existing = check_outputs(args.csv.iter().chain(&args.trace), args.force)?;
    if args.sweep {
        let selected = select_device(&args.device)?;
        return sweep::run(args, selected.backend.as_ref());
    }
    let subject = subject(args.style.as_deref(), &args.pictures, args.model)?;
    let devices = SharedDevices::open(&args.device, &args.sharing)?;
    devices.announce();
    let backends = devices.backends();
    let (backend, others) = (backends[0], &backends[1..]);
    let chosen = modes::chosen(backend, &args.variants, &args.precisions, &DEFAULT_PRECISIONS)?;
    attention::announce(
        backend.device().kind,
        &args.attentions,
        &[(&subject.name, &subject.network)],
    );
    let chosen = attention::in_every_way(backend, &subject.network, &chosen, &args.attentions);
    let control = interruptible();
    let sizes = if args.sizes.is_empty() { &DEFAULT_SIZES[..] } else { &args.sizes };
    let setups: Vec<Setup<'_>> = sizes
        .iter()
        .map(|&size| Setup {
            backend,
            subject: &subject,
            size,
            batch: args.batch,
            frames: args.frames,
            warmup: args.warmup,
        })
        .collect();
    let chosen = if args.variants.is_empty() { possible(&setups, chosen) } else { chosen };
    for setup in &setups {
        setup.check(&chosen, args.max_memory)?;
        if let Some(styles) = args.styles {
            for &mode in &chosen {
                setup.check(&vec![mode; styles], args.max_memory)?;
            }
        }
    }
    let profile = args.kernels || args.csv.is_some() || args.trace.is_some();
    let device = backend.device();
    write_message(format!(
        "Measuring {} frames of each mode and size ({} in all) after {} to warm up. On a CPU this can take minutes; Ctrl-C stops it.",
        args.frames,
        args.frames as usize * chosen.len() * setups.len(),
        args.warmup
    ));
    let progress = Progress::of_long_pieces(setups.len());
    let mut results = Vec::new();
    for setup in &setups {
        let (width, height) = setup.size;
        let name = format!("{width} x {height}");
        progress.during(1, &name, &control, || -> Result<(), CliError> {
            reset_process_peak();
            let measured = setup.measure(&chosen, profile, &control)?;
            let process_peak_bytes = memory::process_peak_bytes();
            let mut extras = Vec::new();
            for &mode in &chosen {
                let mut extra = Extras::default();
                if profile {
                    extra.ceiling = ceiling(backend, mode.precision)?;
                }
                if args.kernels {
                    extra.reference_shapes = setup.reference_shapes(mode, &control)?;
                }
                if let Some(styles) = args.styles {
                    extra.several_styles = setup.several_styles(mode, styles, &control)?;
                }
                if !others.is_empty() {
                    extra.several_devices = Some(setup.several_devices(mode, others, &control)?);
                }
                extras.push(extra);
            }
            results.extend(measurements(setup, &device, process_peak_bytes, &measured, extras));
            Ok(())
        })?;
    }
    progress.finish();
    if args.styles.is_some() && results.iter().any(|r| r.extras.several_styles.is_none()) {
        write_note("this device copies no frames, so several styles of one frame share nothing");
    }
    let tables: Vec<KernelTable> = results.iter().map(Measurement::kernel_table).collect();
    if let Some(path) = &args.csv {
        save(path, csv(&tables).as_bytes(), existing)?;
    }
    if let Some(path) = &args.trace {
        save(path, trace(&tables)?.as_bytes(), existing)?;
    }
    if !args.kernels {
        for result in &mut results {
            result.kernels.clear();
        }
    }
    let report = Report { version: env!("CARGO_PKG_VERSION"), results };
    print_report(args.json, &report, || text(&report.results, args.model))
}

fn measurements(
    setup: &Setup<'_>,
    device: &DeviceInfo,
    process_peak_bytes: Option<u64>,
    measured: &Measured,
    extras: Vec<Extras>,
) -> Vec<Measurement> {
    let (width, height) = setup.size;
    let candidates = &measured.candidates;
    let mut all = Vec::new();
    for (index, (candidate, extras)) in candidates.iter().zip(extras).enumerate() {
        let reference = candidates.first().filter(|_| index > 0);
        let equality = reference.and_then(|r| r.equality(candidate));
        let ratio = reference.and_then(|reference| {
            equality.as_ref()?.ratio(reference.times.p50_ms, candidate.times.p50_ms)
        });
        let (times, summary) = (candidate.times, &candidate.summary);
        // A device that paints the frames of a batch one after another has a plan for one frame.
        let plans = setup.batch as f64 / summary.batch as f64;
        let gflops = plans * summary.flops as f64 / times.p50_ms / 1e6;
        all.push(Measurement {
            device: device.kind.name(),
            device_name: device.name.clone(),
            instructions: device.instructions.clone(),
            threads: device.threads,
            mode: candidate.mode,
            variant: candidate.mode.variant,
            precision: candidate.mode.precision,
            attention: summary.attention_kernels.clone(),
            attention_note: summary.attention_note(),
            conv_provider: summary.conv_provider.clone(),
            style: setup.subject.name.clone(),
            model: setup.subject.model,
            size: format!("{width}x{height}"),
            width,
            height,
            batch: setup.batch,
            method: candidate.method,
            frames: setup.frames,
            warmup_frames: setup.warmup,
            median_ms: times.p50_ms,
            times,
            host_p50_ms: candidate.host_times.p50_ms,
            eager_p50_ms: candidate.eager_times.map(|times| times.p50_ms),
            fps: 1e3 * setup.batch as f64 / times.p50_ms,
            pipelined_fps: candidate.in_a_row.map(|row| row.fps),
            pipelined_busy: candidate.in_a_row.map(|row| row.busy),
            gflops,
            launches: summary.steps.len(),
            clock_before_mhz: measured.clock_before_mhz,
            clock_after_mhz: measured.clock_after_mhz,
            peak_memory_bytes: summary.peak_bytes,
            process_peak_bytes,
            compared_with: reference.map(|r| r.mode),
            equality,
            ratio,
            kernels: (candidate.kernels.iter())
                .map(|step| KernelRow::of(step, extras.ceiling.as_ref()))
                .collect(),
            profiled_frames: candidate.profiled_frames,
            extras,
        });
    }
    all
}

/// Resets the process's peak memory (proc(5), clear_refs); best effort.
fn reset_process_peak() {
    if cfg!(target_os = "linux") {
        std::fs::write("/proc/self/clear_refs", "5").ok();
    }
}
