//! Decodes a camera's frame on the device and brings it to a session's size (`kernels/raw_frame.cu`). Any thread may call.

use std::ptr::from_ref;

use super::{
    driver::{DevicePtr, Driver, DriverFailure, Function, LaunchShape},
    params::{RawFrameParams, ShrinkParams},
};
use crate::raw_frame::{PixelFormat, Places, RawFrame, Yuv};

/// File of the kernels and entry of the one that decodes.
pub(super) const KERNEL: &str = "raw_frame";
/// Entry of the one that shrinks.
pub(super) const SHRINK: &str = "shrink";

/// The decoding of one frame.
pub(super) struct Decoding {
    function: Function,
    params: RawFrameParams,
    /// Bytes of the frame as it came.
    pub(super) bytes: usize,
}

impl Decoding {
    /// Of `raw`, once its bytes are at `from`, to the photo of so many rows and columns at `photo`.
    pub(super) fn new(
        function: Function,
        raw: &RawFrame,
        from: DevicePtr,
        (photo, extended): (DevicePtr, (usize, usize)),
    ) -> Self {
        let layout = raw.layout();
        let (width, height) = raw.size();
        let Places {
            first,
            across,
            down,
        } = raw.places();
        let yuv = Yuv::new(layout.full_range);
        let params = RawFrameParams {
            photo: photo.0,
            raw: from.0,
            format: match layout.pixels {
                PixelFormat::Yuyv => 0,
                PixelFormat::Nv12 => 1,
                PixelFormat::Rgb => 2,
                PixelFormat::Bgr => 3,
                // No raw frame is a JPEG picture.
                PixelFormat::Grey | PixelFormat::Mjpeg => 4,
            },
            row_bytes: layout.stride as i32,
            rows: layout.height as i32,
            width: width as i32,
            height: height as i32,
            extended_width: extended.1 as i32,
            extended_height: extended.0 as i32,
            first,
            across,
            down,
            black: yuv.black,
            brightness: yuv.brightness,
            red_of_v: yuv.red_of_v,
            green_of_u: yuv.green_of_u,
            green_of_v: yuv.green_of_v,
            blue_of_u: yuv.blue_of_u,
        };
        Self {
            function,
            params,
            bytes: raw.bytes().len(),
        }
    }

    /// Queues the launch, in the order of painting.
    pub(super) fn queue(&self, driver: &dyn Driver) -> Result<(), DriverFailure> {
        let (width, height) = (self.params.extended_width, self.params.extended_height);
        let shape = LaunchShape::of_pixels(width as usize, height as usize);
        // SAFETY: the block is the kernel's, and its addresses are the session's or the room's, which stay until the device
        // was waited for.
        unsafe { driver.launch(self.function, shape, from_ref(&self.params).cast()) }
    }
}

/// Bringing a frame on the device to the size of a session, as [`Resampler`](crate::media::resample::Resampler) does.
pub(super) struct Shrinking {
    pub(super) function: Function,
    pub(super) params: ShrinkParams,
}

impl Shrinking {
    /// Queues the launch, in the order of painting.
    pub(super) fn queue(&self, driver: &dyn Driver) -> Result<(), DriverFailure> {
        let (width, height) = (self.params.extended_width, self.params.extended_height);
        let shape = LaunchShape::of_pixels(width as usize, height as usize);
        // SAFETY: as above.
        unsafe { driver.launch(self.function, shape, from_ref(&self.params).cast()) }
    }
}
