//! The results of a sweep, with the measuring conditions.

use itertools::Itertools;
use serde::Serialize;

use super::{Axis, COMMON_SIZE, Growth, Series, Sweep};
use values::{
    mode::{DeviceChoice, Mode, ModelSize},
    timing::TimingMethod,
};

/// A finished sweep, with the measuring conditions.
#[derive(Clone, Debug, Serialize)]
pub struct SweepReport {
    /// Version of this program.
    pub version: &'static str,
    /// The device's name and, for a CPU, its instruction set and threads.
    pub device: String,
    /// The mode as it was run.
    pub mode: Mode,
    /// Measured runs per point.
    pub frames: u32,
    /// Warm-up runs, not counted.
    pub warmup_frames: u32,
    pub series: Vec<Series>,
    /// The run was cancelled before the end.
    pub stopped: bool,
    /// The worst size of each network compared with the best smaller one.
    pub growth: Vec<(ModelSize, Growth)>,
}

impl SweepReport {
    /// `stopped`: whether the sweep was cancelled before its end.
    pub fn new(sweep: &Sweep<'_>, series: Vec<Series>, stopped: bool) -> Self {
        let device = sweep.backend.device();
        let growth = |series: &Series| Some((series.model, series.growth()?));
        Self {
            version: env!("CARGO_PKG_VERSION"),
            device: match device.kind {
                DeviceChoice::Cpu => {
                    format!("{} {}, {} threads", device.name, device.instructions, device.threads)
                }
                _ => device.name,
            },
            mode: sweep.mode,
            frames: sweep.frames,
            warmup_frames: sweep.warmup,
            growth: series.iter().filter_map(growth).collect(),
            series,
            stopped,
        }
    }

    /// How the device's times were measured.
    pub fn method(&self) -> TimingMethod {
        self.series.first().map_or(TimingMethod::Host, |series| series.method)
    }

    /// The protocol, for example `device events, median of 20 runs after 3 for warm-up`, and whether the run was
    /// cancelled.
    pub fn protocol(&self) -> String {
        format!(
            "{}, median of {} runs after {} for warm-up{}",
            self.method().label(),
            self.frames,
            self.warmup_frames,
            if self.stopped { "; stopped before its end" } else { "" }
        )
    }

    /// The worst sizes as text; `None` if no size is large enough.
    pub fn growth_text(&self) -> Option<String> {
        let mut parts = self.growth.iter().map(|(model, growth)| {
            let name = growth.place.name(Axis::Size);
            format!("{model} {:.2}x at {name}", growth.ratio)
        });
        let parts = parts.join(", ");
        let (width, height) = COMMON_SIZE;
        (!parts.is_empty()).then(|| {
            format!(
                "Highest time per megapixel above {width}x{height}, relative to the best smaller size: {parts}"
            )
        })
    }
}
