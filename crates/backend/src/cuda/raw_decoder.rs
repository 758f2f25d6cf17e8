//! Decodes a camera's frame on the device and resizes it to a session's size (`kernels/raw_frame.cu`). Any thread may
//! call.

use std::ptr::from_ref;

use super::{
    driver::{DevicePtr, Driver, DriverResult, Function, LaunchShape},
    params::{RawFrameParams, ShrinkParams},
};
use values::raw_frame::{PixelFormat, Places, RawFrame, Yuv};

/// File of the kernels, and entry point of the decoding kernel.
pub const KERNEL: &str = "raw_frame";
/// Entry point of the shrinking kernel.
pub const SHRINK: &str = "shrink";

/// A launch with one thread for each pixel.
pub struct PixelLaunch<P> {
    pub function: Function,
    /// The kernel's parameter block.
    pub params: P,
    /// Rows and columns.
    pub pixels: (usize, usize),
}

impl<P> PixelLaunch<P> {
    /// Queues the launch in the painting queue.
    pub fn queue(&self, driver: &dyn Driver) -> DriverResult {
        let shape = LaunchShape::of_pixels(self.pixels);
        // SAFETY: the block is the kernel's. Its addresses belong to the session or the composer, which keep them valid
        // until the device was waited for.
        unsafe { driver.launch(self.function, shape, from_ref(&self.params).cast()) }
    }
}

/// The launch that resizes a frame on the device to the size of a session, as
/// [`Resampler`](media::resample::Resampler) does.
pub type Shrinking = PixelLaunch<ShrinkParams>;

/// The decoding of one frame.
pub struct Decoding {
    pub launch: PixelLaunch<RawFrameParams>,
    /// Bytes of the raw frame.
    pub bytes: usize,
}

impl Decoding {
    /// Decodes `raw`, after its bytes were uploaded to `from`, to the photo of this size at `photo`.
    pub fn new(
        function: Function,
        raw: &RawFrame,
        from: DevicePtr,
        (photo, extended): (DevicePtr, (usize, usize)),
    ) -> Self {
        let layout = raw.layout();
        let (width, height) = raw.size();
        let Places { first, across, down } = raw.places();
        let yuv = Yuv::new(layout.matrix, layout.full_range);
        let params = RawFrameParams {
            photo: photo.0,
            raw: from.0,
            format: match layout.pixels {
                PixelFormat::Yuyv => 0,
                PixelFormat::Nv12 => 1,
                PixelFormat::Rgb => 2,
                PixelFormat::Bgr => 3,
                // Grey; a raw frame has no other format.
                _ => 4,
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
            launch: PixelLaunch { function, params, pixels: extended },
            bytes: raw.bytes().len(),
        }
    }
}
