//! Times of single kernels: as rows, as a CSV file, and as a trace for a timeline viewer.

use serde::Serialize;
use serde_json::{Value, json};

use super::MeasureError;
use values::{
    text::csv_line,
    timing::{Ceiling, StepTiming, TimingMethod},
};

/// One kernel of one layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KernelRow {
    pub layer: String,
    pub kernel: String,
    /// Median.
    pub ms: f64,
    /// Floating-point operations of the layer in direct form; zero if it only moves or normalises data.
    pub flops: u64,
    /// Minimum number of bytes to read and write.
    pub bytes: u64,
    /// `bytes` per second, in 1e9.
    pub gb_per_s: f64,
    /// `flops` per second, in 1e12; `None` for a kernel without any.
    pub tflops: Option<f64>,
    /// Minimum time by the device's [`Ceiling`] over the measured time. Can exceed 1 for a layer that is computed with
    /// fewer operations than the direct form.
    pub ceiling_share: Option<f64>,
}

impl KernelRow {
    /// The row of a measured step, with its share of the device's peak.
    pub fn of(step: &StepTiming, ceiling: Option<&Ceiling>) -> Self {
        Self {
            layer: step.layer.clone(),
            kernel: step.kernel.clone(),
            ms: step.ms,
            flops: step.flops,
            bytes: step.bytes,
            gb_per_s: step.bytes as f64 / step.ms / 1e6,
            tflops: (step.flops > 0).then(|| step.flops as f64 / step.ms / 1e9),
            ceiling_share: ceiling.map(|c| c.least_ms(step.flops, step.bytes) / step.ms),
        }
    }

    /// Operations per byte; `None` for a kernel without any.
    pub fn intensity(&self) -> Option<f64> {
        (self.flops > 0 && self.bytes > 0).then(|| self.flops as f64 / self.bytes as f64)
    }

    /// Median in microseconds.
    pub fn us(&self) -> f64 {
        self.ms * 1e3
    }
}

/// The kernels of one mode at one size, with the measuring conditions.
#[derive(Clone, Debug, Serialize)]
pub struct KernelTable {
    /// The manufacturer's name of the device.
    pub device_name: String,
    /// Variant and precision, and what computes the convolutions if that is a choice.
    pub mode: String,
    /// `WIDTHxHEIGHT`, in pixels.
    pub size: String,
    /// How the times were measured.
    pub method: TimingMethod,
    /// Number of frames that the medians are over.
    pub frames: usize,
    /// Time of a whole frame as normally run: by a recorded graph, if the device has one.
    pub total_ms: f64,
    /// Peak rates of the device.
    pub ceiling: Option<Ceiling>,
    /// In the network's order.
    pub kernels: Vec<KernelRow>,
}

impl KernelTable {
    /// Sum of the kernels' separate times.
    pub fn sum_ms(&self) -> f64 {
        self.kernels.iter().map(|k| k.ms).sum()
    }
}

/// Every kernel of every table, one line each.
pub fn csv(tables: &[KernelTable]) -> String {
    let head =
        "device,mode,size,method,layer,kernel,us,gb_per_s,tflops,ceiling_share,flops,bytes\n";
    let kernels = tables.iter().flat_map(|t| t.kernels.iter().map(move |k| (t, k)));
    let line = |(t, k): (&KernelTable, &KernelRow)| {
        csv_line([
            t.device_name.clone(),
            t.mode.clone(),
            t.size.clone(),
            t.method.name().to_owned(),
            k.layer.clone(),
            k.kernel.clone(),
            format!("{:.3}", k.us()),
            format!("{:.3}", k.gb_per_s),
            k.tflops.map(|t| format!("{t:.6}")).unwrap_or_default(),
            (k.ceiling_share.map(|share| format!("{share:.4}"))).unwrap_or_default(),
            k.flops.to_string(),
            k.bytes.to_string(),
        ])
    };
    head.to_owned() + &kernels.map(line).collect::<String>()
}

/// The kernels as a Chrome trace (JSON object format). Every table is a process; its kernels follow one another, each
/// as long as its median.
///
/// # Errors
/// [`MeasureError::Report`] if it cannot be written as JSON.
pub fn trace(tables: &[KernelTable]) -> Result<String, MeasureError> {
    let mut events: Vec<Value> = Vec::new();
    for (process, t) in tables.iter().enumerate() {
        let name = format!("{} at {} on {}", t.mode, t.size, t.device_name);
        let lane = format!("median of {} frames, {}", t.frames, t.method.label());
        for (what, text) in [("process_name", name), ("thread_name", lane)] {
            events.push(json!({
                "ph": "M", "pid": process, "tid": 0, "name": what, "args": { "name": text },
            }));
        }
        let mut start_us = 0.0;
        for k in &t.kernels {
            events.push(json!({
                "ph": "X", "pid": process, "tid": 0, "ts": start_us, "dur": k.us(),
                "name": format!("{} {}", k.layer, k.kernel), "cat": "kernel",
                "args": { "GB/s": k.gb_per_s, "TFLOP/s": k.tflops, "bytes": k.bytes,
                          "FLOP": k.flops },
            }));
            start_us += k.us();
        }
    }
    let trace = json!({ "traceEvents": events, "displayTimeUnit": "ms" });
    serde_json::to_string(&trace).map_err(MeasureError::json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_of_a_kernel() {
        let step = |flops| StepTiming {
            layer: "conv1".to_owned(),
            kernel: "direct 9x9".to_owned(),
            ms: 0.5,
            flops,
            bytes: 4_000_000,
        };
        let ceiling =
            Ceiling { copy_gb_per_s: 32.0, peak_tflops: Some(10.0), method: String::new() };
        let row = KernelRow::of(&step(3_000_000_000), Some(&ceiling));
        assert_eq!((row.us(), row.gb_per_s), (500.0, 8.0));
        assert_eq!((row.tflops, row.ceiling_share), (Some(6.0), Some(0.6)));
        let row = KernelRow::of(&step(0), Some(&ceiling));
        assert_eq!((row.tflops, row.ceiling_share), (None, Some(0.25)));
        assert_eq!(KernelRow::of(&step(0), None).ceiling_share, None);
    }
}
