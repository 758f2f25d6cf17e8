//! Calls of a driver that the v4l crate lacks. Only this file outside the backends contains `unsafe`.

use std::{
    ffi::c_void,
    io, mem,
    ptr::{self, from_mut},
};

use v4l::{
    Device as V4lDevice,
    buffer::Type,
    v4l_sys::v4l2_format,
    v4l2::{
        self,
        vidioc::{VIDIOC_G_FMT, VIDIOC_STREAMON},
    },
};

/// Colour space, encoding and range of the frames that a camera sends, as numbers of `videodev2.h`. The v4l crate
/// leaves out the encoding.
///
/// # Errors
/// The system's error.
pub fn capture_colors(device: &V4lDevice) -> io::Result<[u32; 3]> {
    // SAFETY: a C structure of numbers, for which zeros are valid.
    let mut format: v4l2_format = unsafe { mem::zeroed() };
    format.type_ = Type::VideoCapture as u32;
    let argument: *mut c_void = from_mut(&mut format).cast();
    // SAFETY: this call reads and writes one `v4l2_format`.
    unsafe { v4l2::ioctl(device.handle().fd(), VIDIOC_G_FMT, argument) }?;
    // SAFETY: the answer for this type is a `v4l2_pix_format`, and both fields of its union are numbers.
    unsafe {
        let pix = ptr::addr_of!(format.fmt.pix).read_unaligned();
        let encoding = pix.__bindgen_anon_1.ycbcr_enc;
        Ok([pix.colorspace, encoding, pix.quantization])
    }
}

/// Starts the output of a device. The v4l crate does so only for buffers that are shared with the driver.
///
/// # Errors
/// The system's error.
pub fn start_output(device: &V4lDevice) -> io::Result<()> {
    let mut kind = Type::VideoOutput as u32;
    let argument: *mut c_void = from_mut(&mut kind).cast();
    // SAFETY: this call reads one number of 32 bits.
    unsafe { v4l2::ioctl(device.handle().fd(), VIDIOC_STREAMON, argument) }
}
