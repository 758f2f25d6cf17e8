//! `styleforge compare`: two modes on the same frames in turn. A ratio is shown only beside a check
//! that both made the same picture.

use std::sync::Arc;

use serde::Serialize;

use super::{
    CliError,
    args::CompareArgs,
    interrupt::cancel_on_interrupt,
    measure::{Contender, Setup, Subject},
    select_device,
    terminal::{print, print_json, table},
};
use crate::{
    backend::{DeviceInfo, RunControl},
    mode::Mode,
    plan::Convolver,
    timing::{Percentiles, TimingMethod},
    verify::Equality,
};

/// The `--json` report.
#[derive(Serialize)]
struct Report {
    version: &'static str,
    device: &'static str,
    device_name: String,
    style: String,
    /// `WIDTHxHEIGHT`, in pixels.
    size: String,
    /// Measured frames of each mode.
    frames: u32,
    warmup_frames: u32,
    reference: Side,
    other: Side,
    equality: Equality,
    /// How many times as fast `other` is as `reference` at the median; `None` when they did not
    /// make the same picture.
    ratio: Option<f64>,
}

/// One of the two modes.
#[derive(Serialize)]
struct Side {
    mode: Mode,
    /// Who computes the convolutions, in modes that leave them to a library where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    convolver: Option<Convolver>,
    method: TimingMethod,
    p50_ms: f64,
    p95_ms: f64,
    /// Median on the host's clock, waiting for the device included.
    host_p50_ms: f64,
}

impl Side {
    fn of(contender: &Contender) -> Self {
        let Percentiles { p50_ms, p95_ms, .. } = contender.times;
        Self {
            mode: contender.mode,
            convolver: contender.summary.convolver.clone(),
            method: contender.method,
            p50_ms,
            p95_ms,
            host_p50_ms: contender.host_times.p50_ms,
        }
    }

    fn label(&self) -> String {
        Convolver::beside(self.mode, self.convolver.as_ref())
    }
}

/// Measures both and compares.
///
/// # Errors
/// [`CliError::WrongUse`] when the device does not have a mode, [`CliError::AlreadyTold`] when the
/// two cannot be compared because their pictures differ.
pub fn run(args: &CompareArgs) -> Result<(), CliError> {
    let subject = Subject::new(args.style.as_deref(), args.model)?;
    let selected = select_device(&args.device)?;
    let backend = selected.backend.as_ref();
    let modes = [args.reference, args.other].map(|m| backend.mode(m.variant, m.precision));
    let control = Arc::new(RunControl::default());
    cancel_on_interrupt(&control);
    let setup = Setup {
        backend,
        subject: &subject,
        size: args.size,
        batch: 1,
        frames: args.frames,
        warmup: args.warmup,
    };
    setup.check(&modes, args.max_memory)?;
    let measured = setup.measure(&modes, false, &control)?;
    let report = match measured.contenders.as_slice() {
        [reference, other] => report(&setup, &backend.device(), reference, other),
        _ => None,
    }
    .ok_or_else(|| CliError::Failed("no frame was compared".to_owned()))?;
    if args.json {
        print_json(&report)?;
    } else {
        print(&text(&report, &backend.device()))?;
    }
    if report.equality.passed() {
        Ok(())
    } else {
        Err(CliError::AlreadyTold)
    }
}

fn report(
    setup: &Setup<'_>,
    device: &DeviceInfo,
    reference: &Contender,
    other: &Contender,
) -> Option<Report> {
    let equality = reference.equality(other)?;
    let (width, height) = setup.size;
    Some(Report {
        version: env!("CARGO_PKG_VERSION"),
        device: device.kind.name(),
        device_name: device.name.clone(),
        style: setup.subject.label(),
        size: format!("{width}x{height}"),
        frames: setup.frames,
        warmup_frames: setup.warmup,
        ratio: equality.ratio(reference.times.p50_ms, other.times.p50_ms),
        reference: Side::of(reference),
        other: Side::of(other),
        equality,
    })
}

fn text(report: &Report, device: &DeviceInfo) -> String {
    let mut text = format!(
        "{} {}; {} at {}; {}, {} frames of each in turn after {} for warm-up\n",
        report.device_name,
        device.instructions,
        report.style,
        report.size,
        report.other.method.label(),
        report.frames,
        report.warmup_frames
    );
    let on_device = report.other.method == TimingMethod::Device;
    let mut head = vec!["Mode", "Median", "95 %"];
    head.extend(on_device.then_some("Host clock"));
    let mut rows = vec![head.into_iter().map(str::to_owned).collect::<Vec<_>>()];
    for side in [&report.reference, &report.other] {
        let mut row = vec![
            side.label(),
            format!("{:.3} ms", side.p50_ms),
            format!("{:.3} ms", side.p95_ms),
        ];
        row.extend(on_device.then(|| format!("{:.3} ms", side.host_p50_ms)));
        rows.push(row);
    }
    text.push_str(&table(&rows));
    let Report {
        reference,
        other,
        equality,
        ..
    } = report;
    text.push_str(&match (report.ratio, &equality.failure) {
        (Some(ratio), _) => format!(
            "{} is {ratio:.2} times as fast as {}\nSame picture by the rule for {}: {equality}\n",
            other.label(),
            reference.label(),
            equality.precision
        ),
        (None, failure) => format!(
            "not comparable: {} ({equality})\n",
            failure.as_deref().unwrap_or("the pictures differ")
        ),
    });
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        frame::Frame,
        mode::{DeviceChoice, Precision, Variant},
    };

    fn shown(levels: u8) -> (Report, String) {
        let side = |variant, p50_ms| Side {
            mode: Mode::new(variant, Precision::Fp32),
            convolver: (variant == Variant::Baseline).then(|| Convolver {
                name: "cuDNN 9.14".to_owned(),
                reason: None,
            }),
            method: TimingMethod::Device,
            p50_ms,
            p95_ms: p50_ms + 1.0,
            host_p50_ms: p50_ms + 2.0,
        };
        let flat = |level| Frame::from_fn(9, 9, |_, _| [level; 4]);
        let equality = Equality::between(&flat(9), &flat(9 + levels), [Precision::Fp32; 2]);
        let report = Report {
            version: "1",
            device: "cuda",
            device_name: "A GPU".to_owned(),
            style: "candy full".to_owned(),
            size: "9x9".to_owned(),
            frames: 7,
            warmup_frames: 3,
            ratio: equality.ratio(8.0, 2.0),
            reference: side(Variant::Baseline, 8.0),
            other: side(Variant::Fused, 2.0),
            equality,
        };
        let device = DeviceInfo {
            kind: DeviceChoice::Cuda,
            name: "A GPU".to_owned(),
            threads: 1,
            instructions: "sm_90".to_owned(),
        };
        let text = text(&report, &device);
        (report, text)
    }

    #[test]
    fn a_ratio_stands_only_beside_a_passing_check() {
        let (report, text) = shown(0);
        assert_eq!(report.ratio, Some(4.0));
        assert!(text.contains("fused fp32 is 4.00 times as fast as baseline fp32 (cuDNN 9.14)"));
        assert!(text.contains("no byte differs") && text.contains("device events, 7 frames"));
        assert!(text.contains("Host clock") && text.contains("10.000 ms"));
        let (report, text) = shown(3);
        assert_eq!(report.ratio, None);
        assert!(!text.contains("times as fast"), "{text}");
        assert!(text.contains("not comparable: a byte of the picture is off by 3"));
    }
}
