//! The report of a comparison as text, JSON and CSV. A ratio of times is reported only with a check that both
//! candidates produced the same pictures.

use serde::Serialize;

use super::{
    MeasureError,
    rounds::MeasuredCandidate,
    table::{Column, table_of},
};
use crate::verify::Equality;
use backend::DeviceInfo;
use plan::ConvProvider;
use values::{
    mode::{DeviceChoice, Mode},
    text::{csv_line, one_line},
    timing::TimingMethod,
};

/// The result of a comparison.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MeasureReport {
    /// Version of this program.
    pub version: &'static str,
    /// Date in UTC, `YYYY-MM-DD`.
    pub date: String,
    /// `cpu` or `cuda`, of the reference.
    pub device: &'static str,
    /// The manufacturer's name of that device.
    pub device_name: String,
    /// The style, with the size of its network if it has several.
    pub style: String,
    /// `WIDTHxHEIGHT`, in pixels.
    pub size: String,
    /// Number of different frames that were painted in turn.
    pub pictures: usize,
    /// Measured runs per candidate.
    pub frames: u32,
    /// Warm-up runs per candidate, not counted.
    pub warmup_frames: u32,
    pub reference: CandidateReport,
    /// The candidate that is compared with the reference.
    pub other: CandidateReport,
    /// The largest difference between their pictures.
    pub equality: Equality,
    /// Speed of `other` relative to `reference` at the median; `None` if they did not produce the same pictures.
    pub ratio: Option<f64>,
    /// Which times the ratio uses: the host's if the two were timed differently.
    pub ratio_method: TimingMethod,
}

/// One of the two candidates in a report.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CandidateReport {
    /// `cpu` or `cuda`.
    pub device: &'static str,
    /// The manufacturer's name of the device.
    pub device_name: String,
    /// The instruction set or architecture of the kernels: `AVX-512`, `sm_90`.
    pub instructions: String,
    /// The mode as it was run.
    pub mode: Mode,
    /// Text that says what computes attention instead of the chosen kernel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attention_note: Option<String>,
    /// What computes the convolutions, in modes that leave them to a library if one is available.
    #[serde(rename = "convolver", skip_serializing_if = "Option::is_none")]
    pub conv_provider: Option<ConvProvider>,
    /// How `p50_ms`, `p95_ms` and `runs_ms` were measured.
    pub method: TimingMethod,
    pub p50_ms: f64,
    pub p95_ms: f64,
    /// Median of the same runs by the host's clock, including the wait for the device.
    pub host_p50_ms: f64,
    /// 95th percentile by the host's clock.
    pub host_p95_ms: f64,
    /// Frames per second at the median by the host's clock, one frame after another.
    pub fps: f64,
    /// Frames per second of consecutive runs, in which transfers and painting overlap. Only for a device with
    /// transfers.
    pub pipelined_fps: Option<f64>,
    /// Every measured run.
    pub runs_ms: Vec<f64>,
    /// The same runs by the host's clock.
    pub host_runs_ms: Vec<f64>,
}

impl CandidateReport {
    /// The report of what was measured on `device`.
    pub(super) fn of(candidate: &MeasuredCandidate, device: &DeviceInfo) -> Self {
        Self {
            device: device.kind.name(),
            device_name: device.name.clone(),
            instructions: device.instructions.clone(),
            mode: candidate.mode,
            attention_note: candidate.summary.attention_note(),
            conv_provider: candidate.summary.conv_provider.clone(),
            method: candidate.method,
            p50_ms: candidate.times.p50_ms,
            p95_ms: candidate.times.p95_ms,
            host_p50_ms: candidate.host_times.p50_ms,
            host_p95_ms: candidate.host_times.p95_ms,
            fps: 1e3 / candidate.host_times.p50_ms,
            pipelined_fps: candidate.in_a_row.map(|row| row.fps),
            runs_ms: candidate.runs_ms.clone(),
            host_runs_ms: candidate.host_runs_ms.clone(),
        }
    }

    /// The mode, and what computes its convolutions if that is a choice.
    pub fn label(&self) -> String {
        ConvProvider::mode_label(self.mode, self.conv_provider.as_ref())
    }

    /// Every run by this method, in milliseconds.
    pub fn runs_by(&self, method: TimingMethod) -> &[f64] {
        if method == self.method { &self.runs_ms } else { &self.host_runs_ms }
    }

    /// Median by this method.
    pub fn p50_ms_by(&self, method: TimingMethod) -> f64 {
        if method == self.method { self.p50_ms } else { self.host_p50_ms }
    }

    /// 95th percentile by this method.
    pub fn p95_ms_by(&self, method: TimingMethod) -> f64 {
        if method == self.method { self.p95_ms } else { self.host_p95_ms }
    }
}

impl MeasureReport {
    /// Both candidates, the reference first.
    pub const fn candidates(&self) -> [&CandidateReport; 2] {
        [&self.reference, &self.other]
    }

    fn has_two_devices(&self) -> bool {
        self.reference.device_name != self.other.device_name
            || self.reference.device != self.other.device
    }

    /// A candidate's name, with its device if the two differ.
    pub fn label(&self, candidate: &CandidateReport) -> String {
        if self.has_two_devices() {
            let device = match candidate.device.parse() {
                Ok(DeviceChoice::Cpu) => "CPU",
                _ => "GPU",
            };
            format!("{} on the {device}", candidate.label())
        } else {
            candidate.label()
        }
    }

    /// The devices, for the header of a report.
    pub fn devices(&self) -> String {
        let device = |candidate: &CandidateReport| {
            format!("{} {}", candidate.device_name, candidate.instructions)
        };
        if self.has_two_devices() {
            format!("{} and {}", device(&self.reference), device(&self.other))
        } else {
            device(&self.other)
        }
    }

    /// How both were timed, as text.
    pub fn methods(&self) -> String {
        if self.reference.method == self.other.method {
            self.other.method.label().to_owned()
        } else {
            format!("{} and {}", self.reference.method.label(), self.other.method.label())
        }
    }

    /// The outcome as a sentence: the ratio, or why there is none.
    pub fn verdict(&self) -> String {
        match (self.ratio, &self.equality.failure) {
            (Some(ratio), _) => format!(
                "{} is {ratio:.2} times as fast as {}",
                self.label(&self.other),
                self.label(&self.reference)
            ),
            (None, failure) => {
                format!("not comparable: {}", failure.as_deref().unwrap_or("the pictures differ"))
            }
        }
    }

    /// The text report.
    pub fn text(&self) -> String {
        self.lines().iter().map(|line| one_line(line) + "\n").collect()
    }

    /// The text report, line by line: header, table, outcome.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!(
            "{}; {} at {}; {}, {} interleaved frames of each after {} warm-up frames",
            self.devices(),
            self.style,
            self.size,
            self.methods(),
            self.frames,
            self.warmup_frames
        )];
        let on_device =
            (self.candidates().iter()).any(|candidate| candidate.method == TimingMethod::Device);
        let in_a_row = self.candidates().iter().any(|candidate| candidate.pipelined_fps.is_some());
        let columns: [Column<'_, CandidateReport>; 6] = [
            ("Mode", &|candidate| self.label(candidate)),
            ("Median", &|candidate| format!("{:.3} ms", candidate.p50_ms)),
            ("p95", &|candidate| format!("{:.3} ms", candidate.p95_ms)),
            ("Host clock", &|candidate| format!("{:.3} ms", candidate.host_p50_ms)),
            ("Frames/s", &|candidate| format!("{:.2}", candidate.fps)),
            ("In a row", &|candidate| {
                (candidate.pipelined_fps).map_or_else(|| "-".to_owned(), |fps| format!("{fps:.2}"))
            }),
        ];
        let columns = columns.into_iter().filter(|&(head, _)| match head {
            "Host clock" => on_device,
            "In a row" => in_a_row,
            _ => true,
        });
        lines.extend(table_of(columns, self.candidates()));
        let equality = &self.equality;
        if self.ratio.is_some() {
            let by_host =
                if self.reference.method == self.other.method { "" } else { " by the host clock" };
            lines.push(self.verdict() + by_host);
            lines.push(format!("Results match by the rule for {}: {equality}", equality.precision));
        } else {
            lines.push(format!("{} ({equality})", self.verdict()));
        }
        for candidate in self.candidates() {
            if let Some(reason) = candidate.conv_provider.as_ref().and_then(|c| c.reason.as_ref()) {
                lines.push(format!("{}: {reason}", self.label(candidate)));
            }
            if let Some(note) = &candidate.attention_note {
                lines.push(format!("{}: {note}", self.label(candidate)));
            }
        }
        lines.push(format!("{}, StyleForge {}", self.date, self.version));
        lines
    }

    /// The JSON report, which includes every run.
    ///
    /// # Errors
    /// [`MeasureError::Report`] if it cannot be written as JSON.
    pub fn json(&self) -> Result<String, MeasureError> {
        let text = serde_json::to_string_pretty(self).map_err(MeasureError::json)?;
        Ok(text + "\n")
    }

    /// The CSV report: one line per candidate. Lines of several reports can share one header.
    pub fn csv(&self) -> String {
        let head = "device,instructions,mode,convolver,style,size,method,frames,warmup_frames,\
                    p50_ms,p95_ms,host_p50_ms,host_p95_ms,fps,pipelined_fps,ratio,same_picture,\
                    largest_levels,mean_levels,psnr_db,date,version\n";
        let conv_provider =
            |candidate: &CandidateReport| Some(candidate.conv_provider.as_ref()?.name.clone());
        let psnr_db = match self.equality.psnr_db {
            f64::INFINITY => String::new(),
            db => format!("{db:.2}"),
        };
        // The ratio and the check belong to the pair.
        let line = |candidate: &CandidateReport| {
            csv_line([
                candidate.device_name.clone(),
                candidate.instructions.clone(),
                candidate.mode.to_string(),
                conv_provider(candidate).unwrap_or_default(),
                self.style.clone(),
                self.size.clone(),
                candidate.method.name().to_owned(),
                self.frames.to_string(),
                self.warmup_frames.to_string(),
                format!("{:.4}", candidate.p50_ms),
                format!("{:.4}", candidate.p95_ms),
                format!("{:.4}", candidate.host_p50_ms),
                format!("{:.4}", candidate.host_p95_ms),
                format!("{:.3}", candidate.fps),
                (candidate.pipelined_fps.map(|fps| format!("{fps:.3}"))).unwrap_or_default(),
                (self.ratio.map(|ratio| format!("{ratio:.4}"))).unwrap_or_default(),
                self.equality.passed().to_string(),
                self.equality.largest_levels.to_string(),
                format!("{:.6}", self.equality.mean_levels),
                psnr_db.clone(),
                self.date.clone(),
                self.version.to_owned(),
            ])
        };
        head.to_owned() + &self.candidates().into_iter().map(line).collect::<String>()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use values::{
        frame::Frame,
        mode::{Precision, Variant},
    };

    /// A report with arbitrary times, of pictures that differ by `levels`.
    pub fn report(levels: u8) -> MeasureReport {
        let candidate = |variant, p50_ms: f64| CandidateReport {
            device: "cuda",
            device_name: "A GPU".to_owned(),
            instructions: "sm_90".to_owned(),
            mode: Mode::new(variant, Precision::Fp32),
            attention_note: None,
            conv_provider: (variant == Variant::Baseline)
                .then(|| ConvProvider { name: "cuDNN 9.14".to_owned(), reason: None }),
            method: TimingMethod::Device,
            p50_ms,
            p95_ms: p50_ms + 1.0,
            host_p50_ms: p50_ms + 2.0,
            host_p95_ms: p50_ms + 3.0,
            fps: 1e3 / (p50_ms + 2.0),
            pipelined_fps: Some(1e3 / p50_ms),
            runs_ms: (0..200).map(|i| p50_ms + f64::from(i * 37 % 101 - 50) / 100.0).collect(),
            host_runs_ms: vec![p50_ms + 2.0; 200],
        };
        let flat = |level| Frame::from_fn(9, 9, |_, _| [level; 4]);
        let equality = Equality::between(&flat(9), &flat(9 + levels), [Precision::Fp32; 2]);
        MeasureReport {
            version: "1",
            date: "2026-01-02".to_owned(),
            device: "cuda",
            device_name: "A GPU".to_owned(),
            style: "candy full".to_owned(),
            size: "9x9".to_owned(),
            pictures: 4,
            frames: 7,
            warmup_frames: 3,
            ratio: equality.ratio(8.0, 2.0),
            ratio_method: TimingMethod::Device,
            reference: candidate(Variant::Baseline, 8.0),
            other: candidate(Variant::Fused, 2.0),
            equality,
        }
    }

    #[test]
    fn a_ratio_is_shown_only_with_a_passing_check() {
        let equal = report(0);
        let text = equal.text();
        assert_eq!(equal.ratio, Some(4.0));
        assert!(text.contains("fused fp32 is 4.00 times as fast as baseline fp32 (cuDNN 9.14)"));
        assert!(
            text.contains("no byte differs")
                && text.contains("device events, 7 interleaved frames")
        );
        assert!(text.contains("Host clock") && text.contains("10.000 ms"));
        let different = report(3);
        let text = different.text();
        assert_eq!(different.ratio, None);
        assert!(!text.contains("times as fast"), "{text}");
        assert!(text.contains("not comparable: a byte of the picture is off by 3"));
        for (report, ratio) in [(equal, "4.0000,true,0"), (different, ",false,3")] {
            let csv = report.csv();
            let lines: Vec<&str> = csv.lines().collect();
            assert_eq!(lines.len(), 3, "{csv}");
            let cells = |line: &str| line.split(',').count();
            assert!(lines.iter().all(|line| cells(line) == cells(lines[0])));
            assert!(lines[2].contains(ratio), "{csv}");
        }
    }

    #[test]
    fn two_devices_are_distinguished() {
        let mut report = report(0);
        report.reference.device = "cpu";
        report.reference.device_name = "A CPU".to_owned();
        report.reference.method = TimingMethod::Host;
        report.ratio_method = TimingMethod::Host;
        let text = report.text();
        assert!(text.contains("A CPU sm_90 and A GPU sm_90; "), "{text}");
        assert!(
            text.contains("fused fp32 on the GPU is 4.00 times as fast as baseline fp32"),
            "{text}"
        );
        assert!(text.contains("by the host clock"), "{text}");
        assert_eq!(report.other.p50_ms_by(TimingMethod::Host), 4.0);
        assert_eq!(report.other.runs_by(TimingMethod::Host), [4.0; 200]);
    }
}
