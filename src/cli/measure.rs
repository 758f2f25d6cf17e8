//! Measuring: several modes paint the same frames in turn, round by round, so that whatever drifts
//! (clocks, heat, other programs) drifts for all of them. Before every frame the device's caches are
//! overwritten, and the frames change from run to run: no run finds there what the one before left.
//!
//! Knows no tables and no files; `bench` and `compare` show what comes out.

use std::{ffi::OsStr, sync::Arc, time::Instant};

use super::{CliError, style_choice::choose};
use crate::{
    backend::{Backend, RunControl, Session, SessionSpec},
    frame::Frame,
    media::memory,
    mode::{Mode, ModelSize},
    network::{Network, NetworkSpec},
    plan::PlanSummary,
    timing::{Ceiling, OperationTiming, Percentiles, StepTiming, TimingMethod},
    verify::Equality,
    weights::StyleLibrary,
};

/// Different frames that are painted in turn, so that no run finds its input where the one before
/// left it.
const PICTURES: usize = 4;
/// Most frames that are run step by step, for the times of the kernels and for what launching costs.
const MOST_PROFILED: u32 = 20;

/// Runs that are painted in a row to see what a device does when it need not wait for the host.
const IN_A_ROW: usize = 8;
/// How often; the median counts.
const ROWS: usize = 5;

/// What is painted with.
pub struct Subject {
    /// What reports call it.
    pub name: String,
    /// The size of the style, where it has one.
    pub model: Option<ModelSize>,
    /// The weights.
    pub network: Arc<Network>,
}

impl Subject {
    /// The style that was typed, or random weights of the model's size.
    ///
    /// # Errors
    /// [`CliError`] when the style cannot be had.
    pub fn new(style: Option<&OsStr>, model: Option<ModelSize>) -> Result<Self, CliError> {
        if let Some(typed) = style {
            let chosen = choose(&StyleLibrary::standard(), typed, model)?;
            return Ok(Self {
                name: chosen.label,
                model: chosen.model,
                network: chosen.network,
            });
        }
        let model = model.unwrap_or_default();
        let network = Network::random(NetworkSpec::with_widths(model.widths()), 1)
            .map_err(|e| CliError::Failed(e.to_string()))?;
        Ok(Self {
            name: "random weights".to_owned(),
            model: Some(model),
            network: Arc::new(network),
        })
    }

    /// Name and size for the head of a table.
    pub fn label(&self) -> String {
        match self.model {
            Some(model) => format!("{} {model}", self.name),
            None => self.name.clone(),
        }
    }
}

/// What is measured.
pub struct Setup<'a> {
    /// The device.
    pub backend: &'a dyn Backend,
    /// The network.
    pub subject: &'a Subject,
    /// Columns and rows, in pixels.
    pub size: (usize, usize),
    /// Frames of one run.
    pub batch: usize,
    /// Measured runs of every mode.
    pub frames: u32,
    /// Runs that come first and do not count.
    pub warmup: u32,
}

/// One mode and what was measured of it.
pub struct Contender {
    /// Variant and precision.
    pub mode: Mode,
    /// What a run does and needs.
    pub summary: PlanSummary,
    /// How `times` were taken.
    pub method: TimingMethod,
    /// Spread of the runs as the device measures them.
    pub times: Percentiles,
    /// Spread of the same runs on the host's clock, waiting included.
    pub host_times: Percentiles,
    /// Frames per second of runs in a row on the host's clock, where transfers and painting overlap;
    /// `None` on a device without transfers.
    pub pipelined_fps: Option<f64>,
    /// Spread of runs whose steps are launched one by one, as the device measures them, where a usual
    /// run replays them as one piece.
    pub eager_times: Option<Percentiles>,
    /// What the last run painted.
    pub painted: Vec<Frame>,
    /// Median of every kernel over the frames that were run step by step; empty when none was.
    pub kernels: Vec<StepTiming>,
    /// Frames that were run step by step.
    pub profiled_frames: usize,
}

/// What stands beside the times of kernels.
#[derive(Default)]
pub struct KernelFacts {
    /// What the device can do at most.
    pub ceiling: Option<Ceiling>,
    /// Single operations by themselves.
    pub operations: Vec<OperationTiming>,
}

/// Everything that was measured at one size.
pub struct Measured {
    /// By mode, in the order in which they were given.
    pub contenders: Vec<Contender>,
    /// The device's clock behind the warm-up, where it can be told.
    pub clock_before_mhz: Option<u32>,
    /// The device's clock behind the last measured run.
    pub clock_after_mhz: Option<u32>,
}

impl Contender {
    /// Whether this and `other` painted the same pictures in their last runs.
    pub fn equality(&self, other: &Self) -> Option<Equality> {
        let precisions = [self.mode.precision, other.mode.precision];
        let pairs = self.painted.iter().zip(&other.painted);
        pairs
            .map(|(a, b)| Equality::between(a, b, precisions))
            .reduce(Equality::worse)
    }
}

impl Setup<'_> {
    fn spec(&self, mode: Mode) -> SessionSpec {
        let (width, height) = self.size;
        SessionSpec {
            batch: self.batch,
            ..SessionSpec::single(width, height, mode)
        }
    }

    /// Refuses a measurement that would not fit, before anything is measured. All modes are held at
    /// once.
    ///
    /// # Errors
    /// [`CliError::WrongUse`] says what it needs and what to choose instead; that a device does not
    /// have a mode comes first.
    pub fn check(&self, modes: &[Mode], max_memory_bytes: Option<u64>) -> Result<(), CliError> {
        let (width, height) = self.size;
        let frame_bytes = 4 * width as u64 * height as u64;
        // The pictures, what every mode paints, and what is painted in a row.
        let in_a_row = 2 * IN_A_ROW * self.batch;
        let frames = PICTURES + self.batch + modes.len() * self.batch + in_a_row;
        let mut needed = frame_bytes.saturating_mul(frames as u64);
        for &mode in modes {
            self.backend.supports(mode)?;
            let network = self.subject.network.spec();
            let run = self.backend.predicted_bytes(network, &self.spec(mode));
            needed = needed.saturating_add(run);
        }
        let limit = max_memory_bytes
            .or_else(|| self.backend.free_bytes())
            .or_else(memory::available_bytes);
        match limit {
            Some(limit) if needed > limit => {
                let names: Vec<String> = modes.iter().map(Mode::to_string).collect();
                Err(CliError::WrongUse(format!(
                    "{} at {width}x{height} needs {} MB of memory, {} MB may be taken; choose a \
                     smaller --size or fewer modes, raise --max-memory or close other programs",
                    names.join(" and "),
                    needed.div_ceil(1_000_000),
                    limit / 1_000_000
                )))
            }
            _ => Ok(()),
        }
    }

    /// Finds out what the device can do in a mode, and times single operations when `operations` says
    /// so.
    ///
    /// # Errors
    /// [`CliError`] when the device refuses.
    pub fn kernels(&self, mode: Mode, operations: bool) -> Result<KernelFacts, CliError> {
        let (network, spec) = (self.subject.network.spec(), self.spec(mode));
        let rounds = self.frames.min(MOST_PROFILED);
        Ok(KernelFacts {
            ceiling: self.backend.ceiling(mode.precision)?,
            operations: match operations {
                true => self.backend.time_operations(network, &spec, rounds)?,
                false => Vec::new(),
            },
        })
    }

    /// Measures `modes` in turn, and the kernels of each when `profile` says so.
    ///
    /// # Errors
    /// [`CliError`] when a session cannot be opened or a run fails or is stopped.
    pub fn measure(
        &self,
        modes: &[Mode],
        profile: bool,
        control: &RunControl,
    ) -> Result<Measured, CliError> {
        let (width, height) = self.size;
        // A window of `batch` frames may begin at every picture.
        let pictures: Vec<Frame> = (0..PICTURES + self.batch - 1)
            .map(|index| test_picture(width, height, index % PICTURES))
            .collect();
        let mut lanes = modes
            .iter()
            .map(|&mode| {
                let spec = self.spec(mode);
                Ok(Lane {
                    mode,
                    session: self.backend.open(&self.subject.network, &spec)?,
                    painted: pictures[..self.batch].to_vec(),
                    times_ms: Vec::new(),
                    host_ms: Vec::new(),
                    eager_ms: Vec::new(),
                    method: TimingMethod::Host,
                    rows_s: Vec::new(),
                    pipelined_fps: None,
                    kernels_ms: Vec::new(),
                    kernels: Vec::new(),
                })
            })
            .collect::<Result<Vec<_>, CliError>>()?;
        let mut clock_before_mhz = None;
        for round in 0..self.warmup + self.frames {
            if round == self.warmup {
                clock_before_mhz = self.backend.clock_mhz();
            }
            let start = round as usize % PICTURES;
            let inputs = &pictures[start..start + self.batch];
            // There and back, so that no mode always follows the same one.
            let mut order: Vec<&mut Lane> = lanes.iter_mut().collect();
            if round % 2 == 1 {
                order.reverse();
            }
            for lane in order {
                self.backend.sweep_caches()?;
                lane.run(inputs, control, round >= self.warmup)?;
            }
        }
        let clock_after_mhz = self.backend.clock_mhz();
        self.run_in_a_row(&mut lanes, &pictures, control)?;
        for round in 0..self.frames.min(MOST_PROFILED) {
            let picture = &pictures[round as usize % PICTURES];
            let mut output = picture.clone();
            for lane in &mut lanes {
                self.backend.sweep_caches()?;
                lane.run_eagerly(picture, &mut output, control)?;
                if profile {
                    self.backend.sweep_caches()?;
                    lane.profile(picture, &mut output, control)?;
                }
            }
        }
        let contenders = lanes.into_iter().map(Lane::finished);
        Ok(Measured {
            contenders: contenders.collect::<Result<_, CliError>>()?,
            clock_before_mhz,
            clock_after_mhz,
        })
    }

    /// Paints several runs at once in every mode, on devices where that is more than one after another.
    fn run_in_a_row(
        &self,
        lanes: &mut [Lane],
        pictures: &[Frame],
        control: &RunControl,
    ) -> Result<(), CliError> {
        let on_device = |lane: &&mut Lane| lane.method == TimingMethod::Device;
        let mut lanes: Vec<&mut Lane> = lanes.iter_mut().filter(on_device).collect();
        if lanes.is_empty() {
            return Ok(());
        }
        let count = IN_A_ROW * self.batch;
        let inputs: Vec<Frame> = pictures.iter().cycle().take(count).cloned().collect();
        let mut outputs = inputs.clone();
        for row in 0..=ROWS {
            for lane in &mut lanes {
                let started = Instant::now();
                lane.session.paint_batch(&inputs, &mut outputs, control)?;
                // The first makes ready what only runs in a row need.
                if row > 0 {
                    lane.rows_s.push(started.elapsed().as_secs_f64());
                }
            }
        }
        for lane in lanes {
            let median = Percentiles::of(&lane.rows_s).map(|p| p.p50_ms);
            lane.pipelined_fps = median.map(|seconds| count as f64 / seconds);
        }
        Ok(())
    }
}

/// A mode while it is measured.
struct Lane {
    mode: Mode,
    session: Box<dyn Session>,
    painted: Vec<Frame>,
    times_ms: Vec<f64>,
    host_ms: Vec<f64>,
    eager_ms: Vec<f64>,
    method: TimingMethod,
    /// Seconds of runs in a row.
    rows_s: Vec<f64>,
    pipelined_fps: Option<f64>,
    /// One list per kernel.
    kernels_ms: Vec<Vec<f64>>,
    kernels: Vec<StepTiming>,
}

impl Lane {
    fn run(
        &mut self,
        inputs: &[Frame],
        control: &RunControl,
        counts: bool,
    ) -> Result<(), CliError> {
        let started = Instant::now();
        let timing = match (inputs, self.painted.as_mut_slice()) {
            ([input], [output]) => self.session.paint(input, output, control)?,
            (inputs, outputs) => self.session.paint_batch(inputs, outputs, control)?,
        };
        let host_ms = started.elapsed().as_secs_f64() * 1e3;
        if counts {
            self.method = timing.method;
            self.times_ms.push(timing.total_ms);
            self.host_ms.push(host_ms);
        }
        Ok(())
    }

    fn run_eagerly(
        &mut self,
        input: &Frame,
        output: &mut Frame,
        control: &RunControl,
    ) -> Result<(), CliError> {
        let timing = self.session.paint_step_by_step(input, output, control)?;
        self.eager_ms.extend(timing.map(|timing| timing.total_ms));
        Ok(())
    }

    fn profile(
        &mut self,
        input: &Frame,
        output: &mut Frame,
        control: &RunControl,
    ) -> Result<(), CliError> {
        self.kernels = self.session.profile(input, output, control)?;
        self.kernels_ms.resize(self.kernels.len(), Vec::new());
        for (list, kernel) in self.kernels_ms.iter_mut().zip(&self.kernels) {
            list.push(kernel.ms);
        }
        Ok(())
    }

    fn finished(mut self) -> Result<Contender, CliError> {
        let unmeasured = || CliError::Failed("no frame was measured".to_owned());
        for (kernel, list) in self.kernels.iter_mut().zip(&self.kernels_ms) {
            kernel.ms = Percentiles::of(list).ok_or_else(unmeasured)?.p50_ms;
        }
        Ok(Contender {
            mode: self.mode,
            summary: self.session.summary(),
            method: self.method,
            times: Percentiles::of(&self.times_ms).ok_or_else(unmeasured)?,
            host_times: Percentiles::of(&self.host_ms).ok_or_else(unmeasured)?,
            pipelined_fps: self.pipelined_fps,
            eager_times: Percentiles::of(&self.eager_ms),
            painted: self.painted,
            profiled_frames: self.kernels_ms.first().map_or(0, Vec::len),
            kernels: self.kernels,
        })
    }
}

/// Waves and edges: nothing that a norm would find trivial. Every index is another picture.
fn test_picture(width: usize, height: usize, index: usize) -> Frame {
    let ahead = 57 * index;
    Frame::from_fn(width, height, |x, y| {
        let wave = |fx: f64, fy: f64| {
            let phase = (x + ahead) as f64 * fx + y as f64 * fy;
            (127.5 + 127.0 * phase.sin()) as u8
        };
        let edge = if ((x + ahead) / 32 + y / 24).is_multiple_of(2) {
            40
        } else {
            215
        };
        [wave(0.031, 0.017), wave(-0.013, 0.05), edge, 255]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_picture_is_another_one() {
        for (a, b) in [(0, 1), (1, 2), (2, 3), (3, 0)] {
            assert_ne!(test_picture(64, 48, a), test_picture(64, 48, b), "{a} {b}");
        }
    }
}
