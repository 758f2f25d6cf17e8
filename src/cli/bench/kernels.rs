//! The times of single kernels: as rows, as a CSV file, and as a trace for a timeline viewer.

use serde::Serialize;
use serde_json::{Value, json};

use super::Measurement;
use crate::{
    cli::CliError,
    timing::{Ceiling, StepTiming},
};

/// One kernel of one layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KernelRow {
    /// The layer.
    pub layer: String,
    /// What runs.
    pub kernel: String,
    /// Median, in milliseconds.
    pub ms: f64,
    /// Floating-point operations of the layer in direct form; zero for what only moves or
    /// normalises.
    pub flops: u64,
    /// Bytes that the kernel has to read and write at least.
    pub bytes: u64,
    /// Those bytes per second, in 1e9.
    pub gb_per_s: f64,
    /// Those operations per second, in 1e12; `None` for a kernel without any.
    pub tflops: Option<f64>,
    /// The least time that the device could take for them over the time that it took, 0 to 1, by its
    /// [`Ceiling`]. A layer that is computed with fewer operations than its direct form has can exceed 1.
    pub ceiling_share: Option<f64>,
}

impl KernelRow {
    /// The row of a measured step, beside what the device can do.
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

    /// Microseconds.
    pub fn us(&self) -> f64 {
        self.ms * 1e3
    }
}

/// Every kernel of every measurement, one line each.
pub fn csv(results: &[Measurement]) -> String {
    let mut text =
        "device,mode,size,method,layer,kernel,us,gb_per_s,tflops,ceiling_share,flops,bytes\n"
            .to_owned();
    for r in results {
        for k in &r.kernels {
            let cells = [
                field(&r.device_name),
                r.label(),
                r.size.clone(),
                r.method.name().to_owned(),
                field(&k.layer),
                field(&k.kernel),
                format!("{:.3}", k.us()),
                format!("{:.3}", k.gb_per_s),
                k.tflops.map_or_else(String::new, |t| format!("{t:.6}")),
                k.ceiling_share
                    .map_or_else(String::new, |share| format!("{share:.4}")),
                k.flops.to_string(),
                k.bytes.to_string(),
            ];
            text.push_str(&cells.join(","));
            text.push('\n');
        }
    }
    text
}

/// A cell of a CSV file (RFC 4180): quoted where a sign in it means something else.
fn field(text: &str) -> String {
    if text.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// The kernels as a Chrome trace (JSON object format): every measurement is a process, its kernels
/// lie one after another, each as long as its median.
///
/// # Errors
/// [`CliError::Failed`] when it cannot be written as JSON.
pub fn trace(results: &[Measurement]) -> Result<String, CliError> {
    let mut events: Vec<Value> = Vec::new();
    for (process, r) in results.iter().enumerate() {
        let name = format!("{} at {} on {}", r.label(), r.size, r.device_name);
        let lane = format!(
            "median of {} frames, {}",
            r.profiled_frames,
            r.method.label()
        );
        for (what, text) in [("process_name", name), ("thread_name", lane)] {
            events.push(json!({
                "ph": "M", "pid": process, "tid": 0, "name": what, "args": { "name": text },
            }));
        }
        let mut start_us = 0.0;
        for k in &r.kernels {
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
    serde_json::to_string(&trace)
        .map_err(|e| CliError::Failed(format!("the trace could not be written as JSON: {e}")))
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
        let ceiling = Ceiling {
            copy_gb_per_s: 32.0,
            peak_tflops: Some(10.0),
            method: String::new(),
        };
        let row = KernelRow::of(&step(3_000_000_000), Some(&ceiling));
        assert_eq!((row.us(), row.gb_per_s), (500.0, 8.0));
        assert_eq!((row.tflops, row.ceiling_share), (Some(6.0), Some(0.6)));
        let row = KernelRow::of(&step(0), Some(&ceiling));
        assert_eq!((row.tflops, row.ceiling_share), (None, Some(0.25)));
        assert_eq!(KernelRow::of(&step(0), None).ceiling_share, None);
    }

    #[test]
    fn cells_with_commas_are_quoted() {
        assert_eq!(field("NVIDIA H200"), "NVIDIA H200");
        assert_eq!(field("a, \"b\""), "\"a, \"\"b\"\"\"");
    }
}
