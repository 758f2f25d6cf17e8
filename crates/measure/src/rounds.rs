//! Several modes paint the same frames in turn, round by round, so that drift (clocks, heat, other programs) affects
//! all of them equally. The device's caches are overwritten before every frame, and the frames change from run to run,
//! so that no run finds its input or its weights in a cache.
//!
//! Does not depend on tables or files.

use std::{sync::Arc, time::Instant};

use itertools::Itertools;

use super::MeasureError;
use crate::verify::Equality;
use backend::{Backend, BackendError, Inspect, RunControl, Session, SessionSpec};
use network::{Network, graph::Graph};
use pictures::memory;
use plan::PlanSummary;
use values::{
    frame::{Frame, largest_size},
    mode::Mode,
    timing::{Percentiles, StepTiming, TimingMethod},
};

/// Maximum number of frames that are run step by step, to time the kernels and the launch overhead.
pub(super) const MAX_PROFILED: u32 = 20;

/// Number of consecutive runs for timing a device that need not wait for the host. `run_bytes` are the bytes of one
/// run's frames. As many as fit into 1 GiB (8 to 64), because the first upload and the last download overlap with
/// nothing and must not dominate.
pub(super) fn in_a_row(run_bytes: u64) -> usize {
    const BYTES: u64 = 1 << 30;
    (BYTES / run_bytes.max(1)).clamp(8, 64) as usize
}
/// Number of repetitions; the median counts.
const ROWS: usize = 5;

/// Frames painted in consecutive runs.
#[derive(Clone, Copy, Debug)]
pub struct InARow {
    /// Frames per second by the host's clock.
    pub fps: f64,
    /// Share of that time in which the device painted, by its own clock; the rest is waiting. Under sustained load a
    /// device may paint more slowly than it paints a single frame.
    pub busy: f64,
}

/// The measurements of one mode.
pub struct MeasuredCandidate {
    /// The mode as it was run.
    pub mode: Mode,
    /// Work and memory of a run.
    pub summary: PlanSummary,
    /// How `times` were measured.
    pub method: TimingMethod,
    /// Percentiles of the runs by the device's clock.
    pub times: Percentiles,
    /// Percentiles of the same runs by the host's clock, including waiting.
    pub host_times: Percentiles,
    /// Consecutive runs, in which transfers and painting overlap; `None` for a device without transfers.
    pub in_a_row: Option<InARow>,
    /// Percentiles of runs that launch each step separately, by the device's clock. A normal run replays the steps as
    /// one recorded graph.
    pub eager_times: Option<Percentiles>,
    /// Every measured run in order, by the device's clock.
    pub runs_ms: Vec<f64>,
    /// The same runs by the host's clock.
    pub host_runs_ms: Vec<f64>,
    /// Its painting of every picture, or the picture itself if it was not painted.
    pub painted: Vec<Frame>,
    /// Median of every kernel over the frames that were run step by step; empty if there were none.
    pub kernels: Vec<StepTiming>,
    /// Number of frames that were run step by step.
    pub profiled_frames: usize,
}

/// The measurements at one size.
pub struct Measured {
    /// In the order of the given modes.
    pub candidates: Vec<MeasuredCandidate>,
    /// Device clock after the warm-up, if known.
    pub clock_before_mhz: Option<u32>,
    /// Device clock after the last measured run, if known.
    pub clock_after_mhz: Option<u32>,
}

impl MeasuredCandidate {
    /// Compares the pictures of this and `other`; the largest difference.
    pub fn equality(&self, other: &Self) -> Option<Equality> {
        let precisions = [self.mode.precision, other.mode.precision];
        self.painted
            .iter()
            .zip(&other.painted)
            .map(|(a, b)| Equality::between(a, b, precisions))
            .reduce(Equality::worse)
    }
}

/// A mode on a device, to measure.
#[derive(Clone, Copy)]
pub struct Candidate<'a> {
    pub backend: &'a dyn Backend,
    pub mode: Mode,
}

/// Refuses a measurement that would not fit into memory: `pictures` frames, and every candidate's session and
/// paintings.
pub(super) fn check_memory(
    candidates: &[Candidate<'_>],
    graph: &Graph,
    spec: impl Fn(Mode) -> SessionSpec,
    pictures: usize,
    max_memory_bytes: Option<u64>,
) -> Result<(), MeasureError> {
    for candidate in candidates {
        candidate.backend.supports(candidate.mode)?;
    }
    // The candidates on one device must fit there together.
    for candidate in candidates {
        let SessionSpec { width, height, batch, .. } = spec(candidate.mode);
        let device = candidate.backend.device();
        let neighbours: Vec<&Candidate<'_>> =
            (candidates.iter()).filter(|e| e.backend.device() == device).collect();
        let needed_at = |(width, height): (usize, usize)| {
            let frame_bytes = 4 * width as u64 * height as u64;
            // The pictures, every mode's paintings of them, and the frames of consecutive runs.
            let in_a_row = 2 * in_a_row(frame_bytes * batch as u64) * batch;
            let frames = pictures * (1 + candidates.len()) + in_a_row;
            let frames_bytes = frame_bytes.saturating_mul(frames as u64);
            neighbours.iter().try_fold(frames_bytes, |sum, e| {
                let spec = SessionSpec { width, height, ..spec(e.mode) };
                let run = e.backend.predicted_bytes(graph, &spec)?;
                Ok::<u64, BackendError>(sum.saturating_add(run))
            })
        };
        let limit = max_memory_bytes
            .or_else(|| candidate.backend.free_bytes())
            .or_else(memory::available_bytes);
        let is_enough = |needed: u64| limit.is_none_or(|limit| needed <= limit);
        let largest = || largest_size((width, height), |size| needed_at(size).is_ok_and(is_enough));
        match (needed_at((width, height)), limit) {
            (Ok(needed), Some(limit)) if needed > limit => {
                return Err(MeasureError::Memory {
                    what: neighbours.iter().map(|e| e.mode).join(" and "),
                    width,
                    height,
                    needed_mb: needed.div_ceil(1_000_000),
                    limit_mb: limit / 1_000_000,
                    fits: largest(),
                });
            }
            (Ok(_), _) => {}
            (Err(mut error), _) => {
                if let BackendError::TooLarge { fits, .. } = &mut error {
                    *fits = largest();
                }
                return Err(error.into());
            }
        }
    }
    Ok(())
}

/// How the same frames are painted in every mode, in turn.
pub(super) struct Rounds<'a> {
    pub network: &'a Arc<Network>,
    /// All of one size; at least `batch`. A run starts at every picture that has enough pictures after it.
    pub pictures: &'a [Frame],
    pub batch: usize,
    pub frames: u32,
    pub warmup: u32,
}

impl Rounds<'_> {
    pub(super) fn measure(
        &self,
        candidates: &[Candidate<'_>],
        profile: bool,
        control: &RunControl,
    ) -> Result<Measured, MeasureError> {
        let pictures = self.pictures;
        let starts = (pictures.len() + 1)
            .checked_sub(self.batch)
            .filter(|&starts| starts > 0)
            .ok_or(MeasureError::Frames)?;
        let mut timed = Vec::new();
        for &candidate in candidates {
            timed.push(self.opened(candidate, control)?);
        }
        let clock_mhz = || candidates.first()?.backend.inspect()?.clock_mhz();
        let rounds = self.warmup + self.frames;
        let runs = rounds.saturating_mul(u32::try_from(timed.len()).unwrap_or(u32::MAX));
        let mut run = 0;
        let mut clock_before_mhz = None;
        for round in 0..rounds {
            if round == self.warmup {
                clock_before_mhz = clock_mhz();
            }
            let start = round as usize % starts;
            // Alternate the direction, so that no mode always follows the same one.
            let mut order: Vec<&mut TimedCandidate<'_>> = timed.iter_mut().collect();
            if round % 2 == 1 {
                order.reverse();
            }
            for candidate in order {
                control.check(BackendError::Cancelled)?;
                control.begin_part(run, runs);
                control.set_progress(0.0);
                run += 1;
                let inputs = &pictures[start..start + self.batch];
                candidate.run(inputs, start, control, round >= self.warmup)?;
            }
        }
        control.begin_part(0, 1);
        control.set_progress(1.0);
        let clock_after_mhz = clock_mhz();
        self.run_in_a_row(&mut timed, control)?;
        for round in 0..self.frames.min(MAX_PROFILED) {
            let picture = &pictures[round as usize % pictures.len()];
            for candidate in &mut timed {
                candidate.run_eagerly(picture, control)?;
                if profile {
                    candidate.profile(picture, control)?;
                }
            }
        }
        Ok(Measured {
            candidates: timed
                .into_iter()
                .map(TimedCandidate::finished)
                .collect::<Result<_, _>>()?,
            clock_before_mhz,
            clock_after_mhz,
        })
    }

    fn opened<'a>(
        &self,
        Candidate { backend, mode }: Candidate<'a>,
        control: &RunControl,
    ) -> Result<TimedCandidate<'a>, MeasureError> {
        let (width, height) = self.pictures.first().ok_or(MeasureError::Frames)?.size();
        let spec = SessionSpec { batch: self.batch, ..SessionSpec::single(width, height, mode) };
        Ok(TimedCandidate {
            backend,
            session: backend.open_unless_cancelled(self.network, &spec, control)?,
            painted: self.pictures.to_vec(),
            times_ms: Vec::new(),
            host_ms: Vec::new(),
            eager_ms: Vec::new(),
            method: TimingMethod::Host,
            rows: Vec::new(),
            kernels_ms: Vec::new(),
            kernels: Vec::new(),
        })
    }

    /// Median of every step of a single candidate, from frames that are run step by step.
    pub(super) fn step_times(
        &self,
        candidate: Candidate<'_>,
        control: &RunControl,
    ) -> Result<Vec<StepTiming>, MeasureError> {
        let mut timed = self.opened(candidate, control)?;
        let pictures = self.pictures.iter().cycle();
        for (round, picture) in (0..self.warmup + self.frames).zip(pictures) {
            control.check(BackendError::Cancelled)?;
            timed.profile(picture, control)?;
            if round < self.warmup {
                timed.kernels_ms.clear();
            }
        }
        timed.median_kernels()
    }

    /// Paints consecutive runs in every mode, on devices where this differs from one run after another.
    fn run_in_a_row(
        &self,
        timed: &mut [TimedCandidate<'_>],
        control: &RunControl,
    ) -> Result<(), MeasureError> {
        let on_device =
            |candidate: &&mut TimedCandidate<'_>| candidate.method == TimingMethod::Device;
        let mut timed: Vec<&mut TimedCandidate<'_>> = timed.iter_mut().filter(on_device).collect();
        if timed.is_empty() {
            return Ok(());
        }
        let frame_bytes = self.pictures.first().map_or(0, |frame| frame.rgba().len());
        let count = in_a_row((frame_bytes * self.batch) as u64) * self.batch;
        let inputs: Vec<Frame> = (self.pictures.iter().cycle()).take(count).cloned().collect();
        let mut outputs = inputs.clone();
        for row in 0..=ROWS {
            for candidate in &mut timed {
                let started = Instant::now();
                let painted = (candidate.session).paint_all(&inputs, &mut outputs, control)?;
                // The first run in a row prepares memory that only such runs need.
                if row > 0 {
                    let seconds = started.elapsed().as_secs_f64();
                    let busy = painted.total_ms / 1e3 / seconds;
                    candidate.rows.push(InARow { fps: count as f64 / seconds, busy });
                }
            }
        }
        Ok(())
    }
}

/// A mode during its measurement.
struct TimedCandidate<'a> {
    backend: &'a dyn Backend,
    session: Box<dyn Session>,
    painted: Vec<Frame>,
    times_ms: Vec<f64>,
    host_ms: Vec<f64>,
    eager_ms: Vec<f64>,
    method: TimingMethod,
    /// Repetitions of consecutive runs.
    rows: Vec<InARow>,
    /// One list per kernel.
    kernels_ms: Vec<Vec<f64>>,
    kernels: Vec<StepTiming>,
}

impl TimedCandidate<'_> {
    fn sweep_caches(&self) -> Result<(), MeasureError> {
        Ok(self.backend.inspect().map_or(Ok(()), Inspect::sweep_caches)?)
    }

    fn run(
        &mut self,
        inputs: &[Frame],
        start: usize,
        control: &RunControl,
        counts: bool,
    ) -> Result<(), MeasureError> {
        self.sweep_caches()?;
        let started = Instant::now();
        let outputs = &mut self.painted[start..start + inputs.len()];
        let timing = self.session.paint_all(inputs, outputs, control)?;
        let host_ms = started.elapsed().as_secs_f64() * 1e3;
        if counts {
            self.method = timing.method;
            self.times_ms.push(timing.total_ms);
            self.host_ms.push(host_ms);
        }
        Ok(())
    }

    fn run_eagerly(&mut self, input: &Frame, control: &RunControl) -> Result<(), MeasureError> {
        self.sweep_caches()?;
        if let Some(session) = self.session.inspect() {
            let timing = session.paint_step_by_step(input, &mut input.clone(), control)?;
            self.eager_ms.extend(timing.map(|timing| timing.total_ms));
        }
        Ok(())
    }

    fn profile(&mut self, input: &Frame, control: &RunControl) -> Result<(), MeasureError> {
        self.sweep_caches()?;
        let Some(session) = self.session.inspect() else {
            return Ok(());
        };
        self.kernels = session.profile(input, &mut input.clone(), control)?;
        self.kernels_ms.resize(self.kernels.len(), Vec::new());
        for (list, kernel) in self.kernels_ms.iter_mut().zip(&self.kernels) {
            list.push(kernel.ms);
        }
        Ok(())
    }

    /// The kernels with the medians of their times.
    fn median_kernels(&mut self) -> Result<Vec<StepTiming>, MeasureError> {
        let mut kernels = std::mem::take(&mut self.kernels);
        for (kernel, list) in kernels.iter_mut().zip(&self.kernels_ms) {
            kernel.ms = Percentiles::of(list).ok_or(MeasureError::Nothing)?.p50_ms;
        }
        Ok(kernels)
    }

    fn finished(mut self) -> Result<MeasuredCandidate, MeasureError> {
        let kernels = self.median_kernels()?;
        self.rows.sort_by(|a, b| a.fps.total_cmp(&b.fps));
        let summary = self.session.summary();
        Ok(MeasuredCandidate {
            mode: summary.mode_as_run(),
            summary,
            method: self.method,
            times: Percentiles::of(&self.times_ms).ok_or(MeasureError::Nothing)?,
            host_times: Percentiles::of(&self.host_ms).ok_or(MeasureError::Nothing)?,
            in_a_row: self.rows.get(ROWS / 2).copied(),
            eager_times: Percentiles::of(&self.eager_ms),
            runs_ms: self.times_ms,
            host_runs_ms: self.host_ms,
            painted: self.painted,
            profiled_frames: self.kernels_ms.first().map_or(0, Vec::len),
            kernels,
        })
    }
}
