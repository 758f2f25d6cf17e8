//! Measures how cost grows: one mode over image sizes, residual blocks and batch sizes, one axis at a time, in networks
//! of both sizes. The plans show what does not fit into memory before anything runs.
//!
//! Does not depend on arguments or files.

mod report;

pub use report::SweepReport;

use serde::Serialize;

use super::{MeasureError, Setup, Subject};
use backend::{Backend, RunControl};
use network::models::PUBLISHED_BLOCKS;
use values::{
    mode::{DeviceChoice, Mode, ModelSize},
    timing::TimingMethod,
};

/// Width and height in pixels, in the order of their areas.
const SIZES: [(usize, usize); 12] = [
    (128, 128),
    (256, 256),
    (512, 512),
    (640, 480),
    (960, 540),
    (1280, 720),
    (1920, 1080),
    (2560, 1440),
    (3840, 2160),
    (5120, 2880),
    (6400, 3600),
    (7680, 4320),
];
/// Maximum number of pixels on a CPU, where larger pictures take minutes.
const MAX_PIXELS_ON_CPU: usize = 1920 * 1080;
const BLOCKS: [usize; 7] = [1, 2, 3, 5, 8, 12, 16];
const BATCHES: [usize; 5] = [1, 2, 4, 8, 16];
/// The size for the blocks and batch axes. Larger sizes must not cost much more per pixel than this one.
const COMMON_SIZE: (usize, usize) = (512, 512);

/// The quantity that grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Axis {
    Size,
    Blocks,
    Batch,
}

impl Axis {
    /// All axes, in measuring order.
    pub const ALL: [Self; 3] = [Self::Size, Self::Blocks, Self::Batch];
}

/// One point of a series: everything that a run's cost depends on, apart from the mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    pub width: usize,
    pub height: usize,
    pub blocks: usize,
    /// Frames per run.
    pub batch: usize,
}

impl Place {
    /// The points of an axis on a device.
    fn all(axis: Axis, device: DeviceChoice) -> Vec<Self> {
        let place = |(width, height), blocks, batch| Self { width, height, blocks, batch };
        match axis {
            Axis::Size => (SIZES.iter())
                .filter(|(w, h)| device != DeviceChoice::Cpu || w * h <= MAX_PIXELS_ON_CPU)
                .map(|&size| place(size, PUBLISHED_BLOCKS, 1))
                .collect(),
            Axis::Blocks => BLOCKS.map(|blocks| place(COMMON_SIZE, blocks, 1)).to_vec(),
            Axis::Batch => {
                (BATCHES.iter()).map(|&batch| place(COMMON_SIZE, PUBLISHED_BLOCKS, batch)).collect()
            }
        }
    }

    /// The name of this point on an axis, for example `1280x720` or `16`.
    pub fn name(&self, axis: Axis) -> String {
        match axis {
            Axis::Size => format!("{}x{}", self.width, self.height),
            Axis::Blocks => self.blocks.to_string(),
            Axis::Batch => self.batch.to_string(),
        }
    }

    /// Megapixels of one frame.
    fn megapixels(&self) -> f64 {
        (self.width * self.height) as f64 / 1e6
    }
}

/// The cost of a run at one point.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Cost {
    #[serde(flatten)]
    pub place: Place,
    /// Median of a run by the device's clock.
    pub device_ms: f64,
    /// Median of the same runs by the host's clock, including transfers and waiting.
    pub host_ms: f64,
    /// Peak memory of the plan, weights included.
    pub peak_memory_bytes: u64,
}

impl Cost {
    pub fn ms_per_megapixel(&self) -> f64 {
        self.device_ms / (self.place.megapixels() * self.place.batch as f64)
    }
}

/// One network size along one axis.
#[derive(Clone, Debug, Serialize)]
pub struct Series {
    pub axis: Axis,
    pub model: ModelSize,
    /// How the device's times were measured.
    pub method: TimingMethod,
    /// The measurements, in the order of the axis.
    pub costs: Vec<Cost>,
    /// Text that says why the series ends early: the first point that does not fit into memory, or whose run failed.
    pub end: Option<String>,
}

/// A size above `COMMON_SIZE` compared with the best smaller one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Growth {
    /// The size with the worst ratio.
    #[serde(flatten)]
    pub place: Place,
    /// Its time per megapixel relative to that of the best smaller size.
    pub ratio: f64,
}

impl Series {
    /// The worst size above `COMMON_SIZE`; `None` if this is not the size axis, or no size is that large.
    pub fn growth(&self) -> Option<Growth> {
        let mut best = f64::INFINITY;
        let mut worst: Option<Growth> = None;
        for cost in self.costs.iter().filter(|_| self.axis == Axis::Size) {
            let here = cost.ms_per_megapixel();
            let is_large = cost.place.width * cost.place.height > COMMON_SIZE.0 * COMMON_SIZE.1;
            let ratio = here / best;
            if is_large && worst.is_none_or(|worst| ratio > worst.ratio) {
                let place = cost.place;
                worst = Some(Growth { place, ratio });
            }
            best = best.min(here);
        }
        worst
    }
}

/// A series before it is measured.
pub struct Planned {
    axis: Axis,
    model: ModelSize,
    places: Vec<Place>,
    /// See [`Series::end`].
    pub end: Option<String>,
}

impl Planned {
    /// Name in messages.
    pub fn name(&self) -> String {
        let what = match self.axis {
            Axis::Size => "sizes",
            Axis::Blocks => "residual blocks",
            Axis::Batch => "frames at once",
        };
        format!("{what}, {}", self.model)
    }
}

/// One mode on one device.
pub struct Sweep<'a> {
    pub backend: &'a dyn Backend,
    pub mode: Mode,
    /// Measured runs per point.
    pub frames: u32,
    /// Warm-up runs, not counted.
    pub warmup: u32,
    /// Memory limit for a run; the free memory if `None`.
    pub max_memory_bytes: Option<u64>,
}

impl Sweep<'_> {
    fn setup<'s>(&'s self, place: &Place, subject: &'s Subject) -> Setup<'s> {
        Setup {
            backend: self.backend,
            subject,
            size: (place.width, place.height),
            batch: place.batch,
            frames: self.frames,
            warmup: self.warmup,
        }
    }

    /// The points of every axis that fit into memory, for networks of these sizes.
    ///
    /// # Errors
    /// [`MeasureError::Memory`] if none fits, [`MeasureError::Backend`] if the device does not support the mode.
    pub fn plan(&self, models: &[ModelSize]) -> Result<Vec<Planned>, MeasureError> {
        let device = self.backend.device().kind;
        let mut all: Vec<Planned> = Vec::new();
        let mut refused = None;
        for axis in Axis::ALL {
            for &model in models {
                let mut planned = Planned { axis, model, places: Vec::new(), end: None };
                for place in Place::all(axis, device) {
                    let subject = Subject::random_with_blocks(model, place.blocks)?;
                    let setup = self.setup(&place, &subject);
                    match setup.check(&[self.mode], self.max_memory_bytes) {
                        Ok(()) => planned.places.push(place),
                        // Larger points do not fit either.
                        Err(error) => {
                            let MeasureError::Memory { needed_mb, limit_mb, .. } = &error else {
                                return Err(error);
                            };
                            planned.end = Some(format!(
                                "{}, which needs {needed_mb} MB of memory with images and weights; {limit_mb} MB may be used",
                                place.name(axis)
                            ));
                            refused.get_or_insert(error);
                            break;
                        }
                    }
                }
                all.push(planned);
            }
        }
        match refused {
            Some(error) if all.iter().all(|series| series.places.is_empty()) => Err(error),
            _ => Ok(all),
        }
    }

    /// Measures a planned series. Stops at the first point whose run fails or is cancelled, and keeps the costs before
    /// it.
    pub fn measure(&self, planned: &Planned, control: &RunControl) -> Series {
        let mut series = Series {
            axis: planned.axis,
            model: planned.model,
            method: TimingMethod::Host,
            costs: Vec::new(),
            end: planned.end.clone(),
        };
        for place in &planned.places {
            let subject = Subject::random_with_blocks(planned.model, place.blocks);
            let measured = subject.map_err(MeasureError::from).and_then(|subject| {
                self.setup(place, &subject).measure(&[self.mode], false, control)
            });
            let measured = match measured {
                Ok(measured) => measured,
                Err(error) => {
                    series.end = Some(format!("{}: {error}", place.name(series.axis)));
                    break;
                }
            };
            let Some(candidate) = measured.candidates.first() else {
                break;
            };
            series.method = candidate.method;
            series.costs.push(Cost {
                place: *place,
                device_ms: candidate.times.p50_ms,
                host_ms: candidate.host_times.p50_ms,
                peak_memory_bytes: candidate.summary.peak_bytes,
            });
        }
        series
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use backend::cpu::CpuBackend;
    use values::mode::ModeChoice;

    /// Costs proportional to the pixels, multiplied by `factor` at 1280x720.
    fn series(axis: Axis, model: ModelSize, factor: f64) -> Series {
        let costs = (Place::all(axis, DeviceChoice::Cpu).into_iter()).map(|place| {
            let share = if place.width == 1280 { factor } else { 1.0 };
            let work = place.megapixels() * place.batch as f64 * (place.blocks + 5) as f64;
            Cost {
                place,
                device_ms: 10.0 * work * share,
                host_ms: 11.0 * work * share,
                peak_memory_bytes: (1e8 * work) as u64,
            }
        });
        Series { axis, model, method: TimingMethod::Device, costs: costs.collect(), end: None }
    }

    fn sweep(backend: &CpuBackend, max_memory_bytes: Option<u64>) -> Sweep<'_> {
        Sweep {
            backend,
            mode: backend.mode(ModeChoice::default()),
            frames: 1,
            warmup: 0,
            max_memory_bytes,
        }
    }

    #[test]
    fn the_worst_size_is_compared_with_the_best_smaller_one() {
        let worst = |factor| series(Axis::Size, ModelSize::Full, factor).growth().expect("sizes");
        let found = worst(1.3);
        assert_eq!(found.place.name(Axis::Size), "1280x720");
        assert!((found.ratio - 1.3).abs() < 1e-9, "{found:?}");
        // A cheaper size makes the larger ones look expensive.
        let found = worst(0.5);
        assert_eq!(found.place.name(Axis::Size), "1920x1080");
        assert!((found.ratio - 2.0).abs() < 1e-9, "{found:?}");
        assert_eq!(series(Axis::Batch, ModelSize::Full, 1.0).growth(), None);
    }

    #[test]
    fn sizes_that_cost_more_than_their_pixels_are_named() {
        let backend = CpuBackend::new(Some(1)).expect("threads");
        let both = [ModelSize::Full, ModelSize::Lite].map(|model| series(Axis::Size, model, 1.3));
        let report = SweepReport::new(&sweep(&backend, None), both.to_vec(), false);
        let text = report.growth_text().expect("sizes");
        assert!(
            text.ends_with("smaller size: full 1.30x at 1280x720, lite 1.30x at 1280x720"),
            "{text}"
        );
    }

    #[test]
    fn a_report_says_that_the_sweep_was_stopped() {
        let backend = CpuBackend::new(Some(1)).expect("threads");
        let report = |stopped| SweepReport::new(&sweep(&backend, None), Vec::new(), stopped);
        assert!(report(true).protocol().ends_with("stopped before its end"));
        assert!(!report(false).protocol().contains("stopped"));
    }

    #[test]
    fn a_sweep_that_is_stopped_keeps_what_it_has() {
        let backend = CpuBackend::new(Some(1)).expect("threads");
        let sweep = sweep(&backend, None);
        let mut planned = sweep.plan(&[ModelSize::Lite]).expect("a plan").remove(0);
        planned.places.truncate(2);
        let control = RunControl::default();
        assert_eq!(sweep.measure(&planned, &control).costs.len(), 2);
        control.cancel();
        let stopped = sweep.measure(&planned, &control);
        assert_eq!(stopped.costs.len(), 0);
        assert_eq!(stopped.end.as_deref(), Some("128x128: cancelled"));
    }

    #[test]
    fn a_sweep_of_which_nothing_fits_is_refused() {
        let backend = CpuBackend::new(Some(1)).expect("threads");
        let refused = sweep(&backend, Some(5_000_000)).plan(&[ModelSize::Lite]);
        assert!(matches!(
            refused.map(|planned| planned.len()),
            Err(MeasureError::Memory { limit_mb: 5, .. })
        ));
    }

    #[test]
    fn sizes_that_do_not_fit_are_known_before_anything_runs() {
        let backend = CpuBackend::new(Some(1)).expect("threads");
        let planned = sweep(&backend, Some(60_000_000)).plan(&[ModelSize::Lite]).expect("a plan");
        let sizes = &planned[0];
        assert_eq!(sizes.name(), "sizes, lite");
        let end = sizes.end.as_deref().expect("an end");
        assert!(end.contains("60 MB may be used"), "{end}");
        let last = sizes.places.last().expect("a place");
        assert!(
            last.width < 1920
                && end.starts_with(
                    &Place::all(Axis::Size, DeviceChoice::Cpu)[sizes.places.len()].name(Axis::Size)
                ),
            "{end}"
        );
        let all = sweep(&backend, Some(u64::MAX))
            .plan(&[ModelSize::Lite, ModelSize::Full])
            .expect("a plan");
        assert_eq!(all.len(), 6);
        assert!(all.iter().all(|series| series.end.is_none()));
        let places = all.iter().map(|series| series.places.len());
        assert_eq!(places.collect::<Vec<_>>(), [7, 7, 7, 7, 5, 5]);
    }
}
