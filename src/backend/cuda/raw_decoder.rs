//! Decodes a camera's frame on the device (`kernels/raw_frame.cu`). Any thread may call.

use std::ptr::from_ref;

use super::{
    driver::{DevicePtr, Driver, DriverFailure, Function, LaunchShape},
    params::RawFrameParams,
};
use crate::raw_frame::{PixelFormat, Places, RawFrame, Yuv};

/// File and entry of the kernel.
pub(super) const KERNEL: &str = "raw_frame";
/// Columns and rows of pixels that a CTA decodes, a thread each.
const TILE: (usize, usize) = (32, 8);

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
        let tiles = |side: i32, tile: usize| (side as usize).div_ceil(tile) as u32;
        let shape = LaunchShape {
            grid: (
                tiles(self.params.extended_width, TILE.0),
                tiles(self.params.extended_height, TILE.1),
                1,
            ),
            block: (TILE.0 * TILE.1) as u32,
            shared_bytes: 0,
            cooperative: false,
            early: false,
        };
        // SAFETY: the block is the kernel's, and its addresses are the session's, which stay until the device was waited
        // for.
        unsafe { driver.launch(self.function, shape, from_ref(&self.params).cast()) }
    }
}
