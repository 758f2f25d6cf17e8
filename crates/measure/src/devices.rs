//! Several devices that paint at the same time: measures how much faster they are together than one of them.
//!
//! Does not depend on tables or files.

use std::{
    panic::resume_unwind,
    slice::from_mut,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Instant,
};

use serde::Serialize;

use super::{MeasureError, Setup, rounds::in_a_row};
use backend::{Backend, BackendResult, RunControl, Session};
use values::{frame::Frame, mode::Mode, timing::Percentiles};

/// Measurements of one device and of all; the median counts.
const ROUNDS: usize = 5;
/// Consecutive runs for each device. The devices take them from one list.
const RUNS_PER_DEVICE: usize = 4;

/// Frames per second by the host's clock, with uploads and downloads, without files.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SeveralDevices {
    /// Number of devices.
    pub devices: usize,
    /// Of the first device alone.
    pub alone_fps: f64,
    /// Of all devices.
    pub together_fps: f64,
    /// All devices painted the same pictures, bit for bit.
    pub is_identical: bool,
}

/// A device with its session.
struct Worker {
    session: Box<dyn Session>,
    outputs: Vec<Frame>,
}

/// The time of a frame, in milliseconds, when the workers together paint `frames` this many times.
fn frame_ms(
    workers: &mut [Worker],
    frames: &[Frame],
    runs: usize,
    control: &RunControl,
) -> BackendResult<f64> {
    let left = AtomicUsize::new(runs);
    let takes = || {
        let less = |left: usize| left.checked_sub(1);
        left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    };
    let paint = &|Worker { session, outputs }: &mut Worker| -> BackendResult {
        while takes() {
            session.paint_all(frames, outputs, control)?;
        }
        Ok(())
    };
    let started = Instant::now();
    thread::scope(|scope| {
        let running: Vec<_> =
            workers.iter_mut().map(|worker| scope.spawn(move || paint(worker))).collect();
        running
            .into_iter()
            .try_for_each(|running| running.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })?;
    Ok(started.elapsed().as_secs_f64() * 1e3 / (runs * frames.len()) as f64)
}

impl Setup<'_> {
    /// Measures the setup's device alone and together with `others`, in turn.
    ///
    /// # Errors
    /// [`MeasureError::Backend`] if a session cannot be opened, or a run fails or is cancelled.
    pub fn several_devices(
        &self,
        mode: Mode,
        others: &[&dyn Backend],
        control: &RunControl,
    ) -> Result<SeveralDevices, MeasureError> {
        let (pictures, spec) = (self.pictures(), self.spec(mode));
        let bytes = 4 * spec.width * spec.height * spec.batch;
        let count = in_a_row(bytes as u64) * spec.batch;
        let frames: Vec<Frame> = pictures.iter().cycle().take(count).cloned().collect();
        let mut workers = Vec::new();
        for backend in [self.backend].iter().chain(others) {
            let session = backend.open_unless_cancelled(&self.subject.network, &spec, control)?;
            workers.push(Worker { session, outputs: frames.clone() });
        }
        for worker in &mut workers {
            // The first run prepares memory that only consecutive runs need.
            frame_ms(from_mut(worker), &frames, 1, control)?;
        }
        let is_identical = workers.windows(2).all(|pair| pair[0].outputs == pair[1].outputs);
        let (mut alone, mut together) = (Vec::new(), Vec::new());
        let devices = workers.len();
        for _ in 0..ROUNDS {
            alone.push(frame_ms(&mut workers[..1], &frames, RUNS_PER_DEVICE, control)?);
            together.push(frame_ms(&mut workers, &frames, RUNS_PER_DEVICE * devices, control)?);
        }
        let fps = |ms: &[f64]| Percentiles::of(ms).map_or(0.0, |ms| 1e3 / ms.p50_ms);
        Ok(SeveralDevices {
            devices,
            alone_fps: fps(&alone),
            together_fps: fps(&together),
            is_identical,
        })
    }
}
