//! Measured times: the time of one step of a run, and percentiles over repeated runs.
//!
//! Does not read a clock; callers pass durations. Plain data: any thread may hold it.

use serde::Serialize;

use crate::named;

/// How a time was measured; must be reported with every time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimingMethod {
    /// The host's monotonic clock around blocking work.
    Host,
    /// The device's own events around its work, without the wait for the host.
    Device,
}

// As in JSON reports.
named!(TimingMethod, "timing method", Host = "host", Device = "device");

impl TimingMethod {
    /// The name in text reports, for example `host clock`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Host => "host clock",
            Self::Device => "device events",
        }
    }
}

/// How long one run took.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RunTiming {
    /// Painting, without the transfers to and from the device.
    pub total_ms: f64,
    /// Transfer to the device; 0 for a device that works in the system's memory.
    pub upload_ms: f64,
    /// Transfer from the device; 0 as for [`RunTiming::upload_ms`].
    pub download_ms: f64,
    /// Steadying the painting on the device; 0 if it did not.
    pub steady_ms: f64,
    /// Composing the painting with its source on the device; 0 if it did not.
    pub compose_ms: f64,
    /// How all these times were measured.
    pub method: TimingMethod,
}

impl RunTiming {
    /// A run on the CPU, by the host's clock.
    pub const fn host(total_ms: f64) -> Self {
        Self {
            total_ms,
            upload_ms: 0.0,
            download_ms: 0.0,
            steady_ms: 0.0,
            compose_ms: 0.0,
            method: TimingMethod::Host,
        }
    }

    /// The sum of this run and a later one.
    #[must_use]
    pub fn then(mut self, later: Self) -> Self {
        self.total_ms += later.total_ms;
        self.upload_ms += later.upload_ms;
        self.download_ms += later.download_ms;
        self.steady_ms += later.steady_ms;
        self.compose_ms += later.compose_ms;
        self
    }
}

/// Time and work of one step of a plan.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepTiming {
    /// Layer of the step, for example `res1.conv1`.
    pub layer: String,
    /// What the step does, for example `winograd 3x3`.
    pub kernel: String,
    pub ms: f64,
    /// Floating-point operations of the layer as defined (2 per multiply-add of the direct form).
    pub flops: u64,
    /// Minimum number of bytes that the step reads and writes.
    pub bytes: u64,
}

/// Peak rates of a device, which kernels are compared with.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ceiling {
    /// Bytes per second that a copy in the device's memory reads and writes, in 1e9; measured.
    pub copy_gb_per_s: f64,
    /// Operations per second in the precision (2 per multiply-add), in 1e12, if the manufacturer publishes them for
    /// this kind of device. No program reaches them.
    pub peak_tflops: Option<f64>,
    /// How both were determined, as text.
    pub method: String,
}

impl Ceiling {
    /// Minimum time for these operations and bytes, which may overlap.
    pub fn least_ms(&self, flops: u64, bytes: u64) -> f64 {
        let bytes_ms = bytes as f64 / self.copy_gb_per_s / 1e6;
        let flops_ms = self.peak_tflops.map_or(0.0, |peak| flops as f64 / peak / 1e9);
        bytes_ms.max(flops_ms)
    }
}

/// Percentiles of repeated measurements.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Percentiles {
    /// Median.
    pub p50_ms: f64,
    /// 95th percentile.
    pub p95_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
}

impl Percentiles {
    /// Percentiles by nearest rank; `None` without samples.
    pub fn of(samples_ms: &[f64]) -> Option<Self> {
        if samples_ms.is_empty() {
            return None;
        }
        let mut sorted = samples_ms.to_vec();
        sorted.sort_by(f64::total_cmp);
        let rank = |percent: usize| {
            let index = (sorted.len() * percent).div_ceil(100).max(1) - 1;
            sorted[index.min(sorted.len() - 1)]
        };
        Some(Self { p50_ms: rank(50), p95_ms: rank(95), p99_ms: rank(99) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_in_a_row_add_up() {
        let sent = RunTiming { upload_ms: 0.5, ..RunTiming::host(3.0) };
        let both = sent.then(RunTiming::host(4.0));
        assert_eq!((both.total_ms, both.upload_ms), (7.0, 0.5));
    }

    #[test]
    fn the_longer_time_is_the_limit() {
        let mut ceiling =
            Ceiling { copy_gb_per_s: 4000.0, peak_tflops: Some(500.0), method: String::new() };
        assert_eq!(ceiling.least_ms(1_000_000_000_000, 4_000_000), 2.0);
        assert_eq!(ceiling.least_ms(1_000_000, 8_000_000_000), 2.0);
        ceiling.peak_tflops = None;
        assert_eq!(ceiling.least_ms(1_000_000_000_000, 4_000_000_000), 1.0);
    }

    #[test]
    fn nearest_rank() {
        let samples: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        let p = Percentiles::of(&samples).expect("samples");
        assert_eq!((p.p50_ms, p.p95_ms, p.p99_ms), (50.0, 95.0, 99.0));
        assert_eq!(Percentiles::of(&[]), None);
        let one = Percentiles::of(&[7.0]).expect("one sample");
        assert_eq!(one.p99_ms, 7.0);
    }
}
