//! The traits with which checks and measurements inspect a device and its sessions.
//!
//! Only the crate `measure` uses them. A backend without them still paints: checks then report that they cannot run,
//! and measurements leave out the missing figures.

use std::slice::from_mut;

use super::{
    BackendError, BackendResult, Job, RunControl, Session,
    audit::{Fill, KernelRecord},
};
use values::{
    frame::Frame,
    mode::Precision,
    tensor::{Shape, Tensor, maps_text},
    timing::{Ceiling, RunTiming, StepTiming},
};

/// Receives the feature map after a norm, with the norm's name (`res1.in2`). The map is as the next layer reads it,
/// before ReLU and before a residual add.
pub type NormTap<'a> = &'a mut dyn FnMut(&str, Tensor);

/// A device that can be measured.
pub trait Inspect {
    /// Current clock rate of the device in MHz, if known. It explains times that drift.
    fn clock_mhz(&self) -> Option<u32>;

    /// Overwrites the contents of the device's caches, so that the next run finds neither weights nor pixels there.
    /// Does nothing on a device without its own memory.
    ///
    /// # Errors
    /// [`BackendError::OutOfDeviceMemory`], [`BackendError::DeviceLost`].
    fn sweep_caches(&self) -> BackendResult {
        Ok(())
    }

    /// The measured peak performance of the device in a precision; `None` if that is not known.
    ///
    /// # Errors
    /// As [`Inspect::sweep_caches`].
    fn ceiling(&self, _precision: Precision) -> BackendResult<Option<Ceiling>> {
        Ok(None)
    }
}

/// A session that can be inspected.
pub trait InspectSession: Session {
    /// The network's output before clamping and rounding: 3 channels of the session's size. If there is a `tap`, it
    /// receives every map after a norm. Slower than [`Session::run`].
    ///
    /// # Errors
    /// As [`Session::run`].
    fn run_tensor(
        &mut self,
        input: &Frame,
        control: &RunControl,
        tap: Option<NormTap<'_>>,
    ) -> BackendResult<Tensor>;

    /// Runs a network that reads maps instead of a photo ([`Graph::inputs`](network::graph::Graph::inputs)) and returns
    /// its map. As in [`InspectSession::run_tensor`], nothing is rounded.
    ///
    /// # Errors
    /// [`BackendError::WrongInputs`] if these are not the maps that the network reads, if the network reads a photo, or
    /// if the device does not accept maps. Otherwise as [`Session::run`].
    fn run_maps(&mut self, inputs: &[Tensor]) -> BackendResult<Tensor> {
        let given: Vec<Shape> = inputs.iter().map(|map| map.shape).collect();
        Err(BackendError::WrongInputs { needed: "a photo".to_owned(), got: maps_text(&given) })
    }

    /// The time of every step of the last run, on a device that always measures it. Empty on other devices, where
    /// [`InspectSession::profile`] measures it.
    fn step_times(&self) -> Vec<StepTiming> {
        Vec::new()
    }

    /// Paints as [`Session::run`] does and returns the time of each step. Slower than a normal run on a device that
    /// otherwise runs the whole plan at once.
    ///
    /// # Errors
    /// As [`Session::run`].
    fn profile(
        &mut self,
        input: &Frame,
        output: &mut Frame,
        control: &RunControl,
    ) -> BackendResult<Vec<StepTiming>> {
        self.run(Job::frames(&[input], from_mut(output)), control, None)?;
        Ok(self.step_times())
    }

    /// Paints as [`Session::run`] does, but launches each step separately where a normal run replays one recording of
    /// all steps. The difference is the cost of the launches. Paints nothing and returns `None` on a device without
    /// recordings.
    ///
    /// # Errors
    /// As [`Session::run`].
    fn paint_step_by_step(
        &mut self,
        _input: &Frame,
        _output: &mut Frame,
        _control: &RunControl,
    ) -> BackendResult<Option<RunTiming>> {
        Ok(None)
    }

    /// Runs kernel by kernel and passes on what each kernel read and wrote. With `fill`, kernels that read a map
    /// unchanged read random values instead. A device without records of its kernels passes nothing on.
    ///
    /// # Errors
    /// As [`Session::run`].
    fn audit(
        &mut self,
        _input: &Frame,
        _fill: Option<Fill>,
        _seen: &mut dyn FnMut(KernelRecord),
    ) -> BackendResult {
        Ok(())
    }
}
