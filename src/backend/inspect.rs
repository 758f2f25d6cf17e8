//! The traits that checks and measurements need of a device and its sessions besides painting.
//!
//! Only `verify` and `measure` use it. A backend without it paints all the same: a check says that it cannot
//! run there, and a measurement leaves out the figures that the backend lacks.

use super::{
    BackendError, Job, RunControl, Session,
    audit::{Fill, KernelRecord},
};
use crate::{
    frame::Frame,
    mode::Precision,
    tensor::{Shape, Tensor, maps_in_words},
    timing::{Ceiling, RunTiming, StepTiming},
};

/// Receives the feature map after a norm: the layer's norm name (`res1.in2`) and the map as the
/// next layer reads it, before ReLU and before a residual add.
pub type NormTap<'a> = &'a mut dyn FnMut(&str, Tensor);

/// A device that can be measured.
pub trait Inspect {
    /// Clock of the device at this moment, in MHz, where it is known: it explains times that drift.
    fn clock_mhz(&self) -> Option<u32>;

    /// Overwrites what the device's caches hold, so that the next run finds neither weights nor pixels
    /// there. Does nothing on a device without memory of its own.
    ///
    /// # Errors
    /// [`BackendError::OutOfDeviceMemory`], [`BackendError::DeviceLost`].
    fn sweep_caches(&self) -> Result<(), BackendError> {
        Ok(())
    }

    /// What the device can do at most in a precision, measured now; `None` where that is not known.
    ///
    /// # Errors
    /// As [`Inspect::sweep_caches`].
    fn ceiling(&self, _precision: Precision) -> Result<Option<Ceiling>, BackendError> {
        Ok(None)
    }
}

/// A session that can be looked into.
pub trait InspectSession: Session {
    /// The network's output before clamping and rounding: 3 channels of the session's size. With a
    /// `tap`, every map behind a norm is handed over as well. Slower than [`Session::run`].
    ///
    /// # Errors
    /// As [`Session::run`].
    fn run_tensor(
        &mut self,
        input: &Frame,
        tap: Option<NormTap<'_>>,
    ) -> Result<Tensor, BackendError>;

    /// The map that a network makes which reads maps instead of a photo ([`Graph::inputs`](crate::graph::Graph::inputs)); as in
    /// [`InspectSession::run_tensor`], nothing is rounded.
    ///
    /// # Errors
    /// [`BackendError::WrongInputs`] for other maps than the network reads, and for a network that reads a photo; so
    /// does every network on a device that is not handed maps. Else as [`Session::run`].
    fn run_maps(&mut self, inputs: &[Tensor]) -> Result<Tensor, BackendError> {
        let given: Vec<Shape> = inputs.iter().map(|map| map.shape).collect();
        Err(BackendError::WrongInputs { needed: "a photo".to_owned(), got: maps_in_words(&given) })
    }

    /// Every step of the last run, on a device that measures them whenever it paints; empty on others,
    /// where [`InspectSession::profile`] measures them.
    fn step_times(&self) -> Vec<StepTiming> {
        Vec::new()
    }

    /// Paints as [`Session::run`] does and gives the time of every step by itself: on a device
    /// that otherwise runs the whole plan as one piece, this run is slower than a usual one.
    ///
    /// # Errors
    /// As [`Session::run`].
    fn profile(
        &mut self,
        input: &Frame,
        output: &mut Frame,
        control: &RunControl,
    ) -> Result<Vec<StepTiming>, BackendError> {
        self.run(Job::frame(input, output), control, None)?;
        Ok(self.step_times())
    }

    /// Paints as [`Session::run`] does, but launches every step by itself where a usual run replays
    /// them as one recorded piece: what launching costs is the difference. `None`, and nothing is
    /// painted, on a device that records nothing.
    ///
    /// # Errors
    /// As [`Session::run`].
    fn paint_step_by_step(
        &mut self,
        _input: &Frame,
        _output: &mut Frame,
        _control: &RunControl,
    ) -> Result<Option<RunTiming>, BackendError> {
        Ok(None)
    }

    /// Runs kernel by kernel and hands over what each read and wrote; with `fill`, kernels that read a map as
    /// it is read random values instead. A device without records of its kernels hands over nothing.
    ///
    /// # Errors
    /// As [`Session::run`].
    fn audit(
        &mut self,
        _input: &Frame,
        _fill: Option<Fill>,
        _seen: &mut dyn FnMut(KernelRecord),
    ) -> Result<(), BackendError> {
        Ok(())
    }
}
