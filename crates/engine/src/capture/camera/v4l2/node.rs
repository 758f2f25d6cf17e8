//! A second open handle of a device, in addition to the streaming one. It answers queries and never streams.

use std::{io::ErrorKind, time::Duration};

use itertools::Itertools;
use v4l::{
    Device as V4lDevice, Format, FourCC, Fraction,
    capability::Flags as Capability,
    device::Handle,
    frameinterval::FrameIntervalEnum,
    framesize::FrameSizeEnum,
    video::{Capture as _, capture::Parameters},
};

use super::{CODES, color::DriverColors, loopback::shows_painting, pixel_format, problem};
use crate::capture::{
    camera::DeviceEntry,
    format::{CameraFormat, FrameInterval},
    problem::CaptureProblem,
};
use values::raw_frame::Layout;

/// Maximum number of sizes taken from a range.
const MAX_SIZES: usize = 24;
/// Sizes that are tried if a camera offers a range.
const COMMON_SIZES: [(u32, u32); 10] = [
    (320, 240),
    (640, 360),
    (640, 480),
    (800, 600),
    (960, 540),
    (1280, 720),
    (1280, 960),
    (1920, 1080),
    (2560, 1440),
    (3840, 2160),
];
/// Rates that are tried if a camera offers a range, in frames per second.
const COMMON_RATES: [u32; 6] = [15, 24, 25, 30, 50, 60];

/// An open device. It never changes settings, because some drivers allow that only for one handle, the streaming one.
pub struct Node {
    entry: DeviceEntry,
    device: V4lDevice,
    lists_each: bool,
}

impl Node {
    /// Opens a device. This does not turn on the camera light.
    ///
    /// # Errors
    /// [`CaptureProblem`] if the system refuses.
    pub fn open(entry: &DeviceEntry) -> Result<Self, CaptureProblem> {
        let device = V4lDevice::with_path(&entry.device).map_err(problem)?;
        Ok(Self { entry: entry.clone(), device, lists_each: true })
    }

    pub fn entry(&self) -> &DeviceEntry {
        &self.entry
    }

    pub fn is_camera(&self) -> bool {
        self.device.query_caps().is_ok_and(|caps| {
            let needed = Capability::VIDEO_CAPTURE | Capability::STREAMING;
            // Devices that scale or compress (memory-to-memory) also capture pictures.
            caps.capabilities.contains(needed)
                && !caps.capabilities.contains(Capability::VIDEO_M2M)
                && !shows_painting(&self.entry.device, &caps)
        })
    }

    /// The supported formats of the camera, in its order.
    ///
    /// # Errors
    /// [`CaptureProblem`] if it does not respond, or offers no supported format.
    pub fn formats(&mut self) -> Result<Vec<CameraFormat>, CaptureProblem> {
        let kinds = self.device.enum_formats().map_err(problem)?;
        let mut formats = Vec::new();
        for kind in &kinds {
            let Some(pixels) = pixel_format(kind.fourcc) else {
                continue;
            };
            for (width, height) in self.sizes(kind.fourcc) {
                for interval in self.intervals(kind.fourcc, width, height) {
                    formats.push(CameraFormat { width, height, interval, pixels });
                }
            }
        }
        if formats.is_empty() {
            // A disconnected device returns an empty list; this query reports the disconnection.
            self.device.query_caps().map_err(problem)?;
            let offered = kinds.iter().map(|kind| kind.fourcc).join(", ");
            return Err(if offered.is_empty() {
                CaptureProblem::no_format()
            } else {
                CaptureProblem::NoFormat { offered }
            });
        }
        Ok(formats)
    }

    /// True if the camera lists single formats, without ranges.
    pub fn lists_each(&self) -> bool {
        self.lists_each
    }

    fn sizes(&mut self, kind: FourCC) -> Vec<(u32, u32)> {
        let Ok(offered) = self.device.enum_framesizes(kind) else {
            // A device with only one choice may not list it.
            self.lists_each = false;
            return self.device.format().map(|f| (f.width, f.height)).into_iter().collect();
        };
        let mut sizes = Vec::new();
        for size in offered {
            match size.size {
                FrameSizeEnum::Discrete(size) => sizes.push((size.width, size.height)),
                FrameSizeEnum::Stepwise(range) => {
                    self.lists_each = false;
                    let fits = |px: u32, least: u32, most: u32, step: u32| {
                        (least..=most).contains(&px) && (px - least).is_multiple_of(step.max(1))
                    };
                    sizes.extend(COMMON_SIZES.iter().filter(|(w, h)| {
                        fits(*w, range.min_width, range.max_width, range.step_width)
                            && fits(*h, range.min_height, range.max_height, range.step_height)
                    }));
                    sizes.push((range.max_width, range.max_height));
                }
            }
        }
        sizes.retain(|(width, height)| *width > 0 && *height > 0);
        sizes.truncate(MAX_SIZES);
        sizes
    }

    fn intervals(&mut self, kind: FourCC, width: u32, height: u32) -> Vec<FrameInterval> {
        let offered = self.device.enum_frameintervals(kind, width, height);
        let mut intervals = Vec::new();
        for interval in offered.unwrap_or_default() {
            match interval.interval {
                FrameIntervalEnum::Discrete(f) => {
                    intervals.extend(FrameInterval::new(f.numerator, f.denominator));
                }
                FrameIntervalEnum::Stepwise(range) => {
                    self.lists_each = false;
                    let fps = |f: Fraction| f64::from(f.denominator) / f64::from(f.numerator);
                    // The longest interval is the lowest rate.
                    let (least, most) = (fps(range.max), fps(range.min));
                    let common = COMMON_RATES
                        .into_iter()
                        .filter(|rate| (least..=most).contains(&f64::from(*rate)));
                    intervals.extend(common.filter_map(|rate| FrameInterval::new(1, rate)));
                    if intervals.is_empty() {
                        let fastest = range.min;
                        intervals
                            .extend(FrameInterval::new(fastest.numerator, fastest.denominator));
                    }
                }
            }
        }
        if intervals.is_empty() {
            // Its current rate, or a guess; this affects only the patience with the camera.
            let current = self.device.params().ok().map(|p| p.interval);
            intervals.extend(
                current
                    .and_then(|f| FrameInterval::new(f.numerator, f.denominator))
                    .or(FrameInterval::new(1, 30)),
            );
        }
        intervals
    }

    /// Waits until the streaming handle has a frame, at most `patience`. Also returns true if no more frames will
    /// arrive, and with drivers that do not report it.
    ///
    /// # Errors
    /// [`CaptureProblem`] if the system refuses.
    pub fn wait(&self, patience: Duration) -> Result<bool, CaptureProblem> {
        wait(&self.device.handle(), patience)
    }

    /// True if the camera still sends as `agreed`, as far as the driver reports.
    pub fn sends_as(&self, agreed: &CameraFormat) -> bool {
        // A disconnected camera does not respond; reading its frames reports that.
        self.device.format().ok().is_none_or(|now| {
            (now.width, now.height) == (agreed.width, agreed.height)
                && pixel_format(now.fourcc) == Some(agreed.pixels)
        })
    }
}

/// Waits until the device has a frame or is gone, at most `patience`.
pub(super) fn wait(handle: &Handle, patience: Duration) -> Result<bool, CaptureProblem> {
    let patience_ms = i32::try_from(patience.as_millis()).unwrap_or(i32::MAX);
    match handle.poll(libc::POLLIN, patience_ms) {
        Ok(ready) => Ok(ready != 0),
        Err(e) if e.kind() == ErrorKind::Interrupted => Ok(false),
        Err(e) => Err(problem(e)),
    }
}

/// The negotiated settings of a camera.
#[derive(Clone, Copy, Debug)]
pub struct StreamFormat {
    pub format: CameraFormat,
    pub layout: Layout,
    /// V4L2's FourCC of the pixel format.
    pub code: [u8; 4],
    /// The camera reports its rate; otherwise it is the requested one.
    pub reports_rate: bool,
}

impl StreamFormat {
    /// Sets the camera to the `requested` format, or to the nearest that it has. Also returns the handle that did so:
    /// some drivers let no other handle stream until it is dropped.
    ///
    /// # Errors
    /// [`CaptureProblem`] if the system refuses.
    pub fn on(
        entry: &DeviceEntry,
        requested: &CameraFormat,
    ) -> Result<(V4lDevice, Self), CaptureProblem> {
        let device = V4lDevice::with_path(&entry.device).map_err(problem)?;
        let listed = device.enum_formats().unwrap_or_default();
        let mut codes =
            listed.iter().map(|kind| kind.fourcc).chain(CODES.map(|(c, _)| FourCC::new(c)));
        let code = codes
            .find(|code| pixel_format(*code) == Some(requested.pixels))
            .ok_or_else(CaptureProblem::no_format)?;
        let format = Format::new(requested.width, requested.height, code);
        let got = device.set_format(&format).map_err(problem)?;
        let pixels = pixel_format(got.fourcc)
            .ok_or_else(|| CaptureProblem::NoFormat { offered: got.fourcc.to_string() })?;
        let interval = Fraction::new(requested.interval.numerator, requested.interval.denominator);
        // Cameras with only one rate may not support setting it.
        let reported = device
            .set_params(&Parameters::new(interval))
            .or_else(|_| device.params())
            .ok()
            .and_then(|p| FrameInterval::new(p.interval.numerator, p.interval.denominator));
        let (matrix, full_range) = DriverColors::of(&device).matrix_and_range();
        let agreed = Self {
            format: CameraFormat {
                width: got.width,
                height: got.height,
                interval: reported.unwrap_or(requested.interval),
                pixels,
            },
            layout: Layout {
                matrix,
                full_range,
                ..Layout::tight(pixels, got.width as usize, got.height as usize)
                    .with_stride(got.stride as usize)
            },
            code: got.fourcc.repr,
            reports_rate: reported.is_some(),
        };
        Ok((device, agreed))
    }
}
