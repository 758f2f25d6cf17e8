//! Measured times: what one step of a run took, and percentiles over repeated runs.
//!
//! Knows no clock; callers bring durations. Plain data: any thread may hold it.

use serde::Serialize;

/// How a time was taken. A number without it means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimingMethod {
    /// The host's monotonic clock around blocking work.
    Host,
    /// The device's own events around its work, waiting for the host left out.
    Device,
}

impl TimingMethod {
    /// The spelling in reports for programs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Device => "device",
        }
    }

    /// For people: `host clock`.
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
    /// Milliseconds of painting, without the transfers to the device and back.
    pub total_ms: f64,
    /// Milliseconds of the transfer to the device; 0 for a device that works in the system's memory.
    pub upload_ms: f64,
    /// Milliseconds of the transfer back; 0 as for [`RunTiming::upload_ms`].
    pub download_ms: f64,
    /// Milliseconds in which the device composed the painting with its source; 0 where it did not.
    pub compose_ms: f64,
    /// How all these times were taken.
    pub method: TimingMethod,
}

impl RunTiming {
    /// A run on the system's own processor, by the host's clock.
    pub const fn host(total_ms: f64) -> Self {
        Self {
            total_ms,
            upload_ms: 0.0,
            download_ms: 0.0,
            compose_ms: 0.0,
            method: TimingMethod::Host,
        }
    }

    /// This run and a later one, as if they were one.
    #[must_use]
    pub fn then(mut self, later: Self) -> Self {
        self.total_ms += later.total_ms;
        self.upload_ms += later.upload_ms;
        self.download_ms += later.download_ms;
        self.compose_ms += later.compose_ms;
        self
    }
}

/// Time and work of one step of a plan.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepTiming {
    /// Layer the step belongs to, for example `res1.conv1`.
    pub layer: String,
    /// What the step does, for example `winograd 3x3`.
    pub kernel: String,
    /// Milliseconds.
    pub ms: f64,
    /// Floating-point operations of the layer as defined (2 per multiply-add of the direct form).
    pub flops: u64,
    /// Bytes that the step must at least read and write.
    pub bytes: u64,
}

/// What a device can do at most, against which kernels are measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ceiling {
    /// Bytes per second that a copy in the device's memory reads and writes, in 1e9; measured.
    pub copy_gb_per_s: f64,
    /// Operations per second in the precision (2 per multiply-add), in 1e12, where the maker publishes them for
    /// this kind of device; no program reaches them.
    pub peak_tflops: Option<f64>,
    /// How both were determined, in words.
    pub method: String,
}

impl Ceiling {
    /// The least milliseconds in which so many operations and bytes can be done; they may overlap.
    pub fn least_ms(&self, flops: u64, bytes: u64) -> f64 {
        let bytes_ms = bytes as f64 / self.copy_gb_per_s / 1e6;
        let flops_ms = self.peak_tflops.map_or(0.0, |peak| flops as f64 / peak / 1e9);
        bytes_ms.max(flops_ms)
    }
}

/// Spread of repeated measurements, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Percentiles {
    /// Half of the samples took at most this long.
    pub p50_ms: f64,
    /// 95 of 100 samples took at most this long.
    pub p95_ms: f64,
    /// 99 of 100 samples took at most this long.
    pub p99_ms: f64,
}

impl Percentiles {
    /// Percentiles by nearest rank over the samples (milliseconds); `None` without samples.
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
    fn whichever_takes_longer_is_the_limit() {
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
