//! The system's cameras in a build without the feature `cameras`: none.

use std::{convert::Infallible, time::Duration};

use super::DeviceEntry;
use crate::capture::{
    format::CameraFormat,
    problem::{CaptureError, CaptureProblem},
};
use values::raw_frame::Layout;

pub fn list() -> Result<Vec<DeviceEntry>, CaptureError> {
    Ok(Vec::new())
}

/// Does not exist.
pub struct Device(Infallible);

/// Does not exist.
pub struct Stream {
    pub format: CameraFormat,
    pub layout: Layout,
    never: Infallible,
}

impl Device {
    pub fn open(_: &DeviceEntry) -> Result<Self, CaptureProblem> {
        Err(CaptureProblem::NoCamera)
    }

    pub fn is_camera(&self) -> bool {
        match self.0 {}
    }

    pub fn formats(&mut self) -> Result<Vec<CameraFormat>, CaptureProblem> {
        match self.0 {}
    }

    pub fn start(self, _: &CameraFormat) -> Result<Stream, CaptureProblem> {
        match self.0 {}
    }
}

impl Stream {
    pub fn next(&mut self, _: Duration) -> Result<Option<&[u8]>, CaptureProblem> {
        match self.never {}
    }

    pub fn is_as_agreed(&self) -> bool {
        match self.never {}
    }
}
