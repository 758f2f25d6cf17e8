//! The frames of cameras, through nokhwa.
//!
//! The only file that imports nokhwa. On Linux, [`v4l2`](super::v4l2) adds facts that nokhwa omits: formats, row
//! lengths, and whether a frame is ready. It uses a second open handle of the device that never streams. That module
//! itself streams three kinds of formats, which nokhwa's Linux bindings (0.1.4) do not support:
//!
//! - pixel formats other than MJPEG, YUYV, NV12 and RGB;
//! - rates that are not whole numbers, or that the camera does not report (`get_device_format` fails);
//! - cameras that offer ranges: they request each value of a range (`V4LCaptureDevice::new`).
//!
//! # Waiting
//!
//! A nokhwa call for a frame blocks until there is one. So on Linux a frame is only requested when the second handle
//! reports one. A camera that stalls can then be closed immediately, like one that runs. This is impossible in four
//! cases:
//!
//! - for the first frame: nokhwa starts the stream and waits for it in one call;
//! - for the second frame: it reveals whether the driver announces frames to the second handle;
//! - with drivers that announce frames only to the streaming handle;
//! - on other systems.
//!
//! In these cases a camera is released within a frame period while frames arrive. When none arrive, the session keeps
//! its thread and the device until the driver returns, at the latest when the camera is unplugged. The watching thread
//! abandons it, as it does with every session that hangs.
//!
//! # Damage
//!
//! nokhwa returns the whole buffer, not how much of it is filled, and drops the driver's error flags. An MJPEG picture
//! ends at its end marker; a truncated raw frame looks complete.

use std::{borrow::Cow, time::Duration};

use nokhwa::{
    Camera, NokhwaError,
    utils::{
        CameraFormat as NokhwaFormat, CameraIndex, FrameFormat, RequestedFormat,
        RequestedFormatType, Resolution,
    },
};

use crate::capture::{
    format::{CameraFormat, PixelFormat},
    problem::CaptureProblem,
};
use values::raw_frame::Layout;

#[cfg(not(target_os = "linux"))]
pub use elsewhere::{Device, list};
#[cfg(target_os = "linux")]
pub use linux::{Device, list};

/// A streaming camera. Dropping it stops and closes the camera.
pub struct Stream {
    frames: Frames,
    /// The negotiated format.
    pub format: CameraFormat,
    /// The memory layout of its frames.
    pub layout: Layout,
    #[cfg(target_os = "linux")]
    probe: super::v4l2::ProbeStream,
}

/// The library that reads the frames.
enum Frames {
    Nokhwa {
        camera: Camera,
        /// The newest frame, which nokhwa returns by value.
        kept: Vec<u8>,
    },
    #[cfg(target_os = "linux")]
    Mmap(super::v4l2::MmapStream),
}

impl Stream {
    /// Waits for a frame, about `patience` if that is possible. Returns its bytes, or `None` if there was none. The
    /// bytes may continue after the picture, and are empty if the driver reports them as damaged.
    ///
    /// # Errors
    /// [`CaptureProblem`] if no more frames will arrive.
    #[cfg_attr(
        not(target_os = "linux"),
        allow(unused_variables, reason = "nokhwa has no patience")
    )]
    pub fn next(&mut self, patience: Duration) -> Result<Option<&[u8]>, CaptureProblem> {
        let (camera, kept) = match &mut self.frames {
            Frames::Nokhwa { camera, kept } => (camera, kept),
            #[cfg(target_os = "linux")]
            Frames::Mmap(stream) => return stream.next(patience),
        };
        #[cfg(target_os = "linux")]
        if !self.probe.wait(patience)? {
            return Ok(None);
        }
        let bytes = camera.frame_raw().map_err(problem)?;
        #[cfg(target_os = "linux")]
        self.probe.frame_arrived();
        Ok(Some(match bytes {
            Cow::Borrowed(bytes) => bytes,
            Cow::Owned(bytes) => {
                *kept = bytes;
                kept
            }
        }))
    }

    /// True if the camera still sends the negotiated format, as far as the system reports.
    pub fn is_as_agreed(&self) -> bool {
        #[cfg(target_os = "linux")]
        return self.probe.sends_as(&self.format);
        #[cfg(not(target_os = "linux"))]
        return elsewhere::sends_as(&self.frames, &self.format);
    }
}

/// Opens the camera in `format`.
fn open(index: CameraIndex, format: NokhwaFormat) -> Result<Camera, CaptureProblem> {
    let kinds = [format.format()];
    let request = RequestedFormat::with_formats(RequestedFormatType::Exact(format), &kinds);
    let mut camera = Camera::new(index, request).map_err(problem)?;
    camera.open_stream().map_err(problem)?;
    Ok(camera)
}

/// Every format that nokhwa knows.
const KINDS: [(FrameFormat, PixelFormat); 6] = [
    (FrameFormat::MJPEG, PixelFormat::Mjpeg),
    (FrameFormat::YUYV, PixelFormat::Yuyv),
    (FrameFormat::NV12, PixelFormat::Nv12),
    (FrameFormat::RAWRGB, PixelFormat::Rgb),
    (FrameFormat::RAWBGR, PixelFormat::Bgr),
    (FrameFormat::GRAY, PixelFormat::Grey),
];

/// The format as nokhwa's type, which supports only whole rates.
fn nokhwa_format(format: &CameraFormat, fps: u32) -> Option<NokhwaFormat> {
    let (kind, _) = KINDS.into_iter().find(|(_, pixels)| *pixels == format.pixels)?;
    Some(NokhwaFormat::new(Resolution::new(format.width, format.height), kind, fps))
}

fn problem(error: NokhwaError) -> CaptureProblem {
    let reads = matches!(error, NokhwaError::ReadFrameError(_));
    meaning(&error.to_string(), reads)
}

/// The problem that an error's text describes; nokhwa returns the system's error number only as text.
fn meaning(text: &str, reads: bool) -> CaptureProblem {
    match system_number(text) {
        // The error of some drivers when the camera is unplugged.
        #[cfg(target_os = "linux")]
        Some(libc::EIO) if reads => CaptureProblem::Unplugged,
        #[cfg(target_os = "linux")]
        Some(number) => super::v4l2::problem(std::io::Error::from_raw_os_error(number)),
        _ if reads => CaptureProblem::Unplugged,
        _ => CaptureProblem::Device(text.to_owned()),
    }
}

/// The number in "Device or resource busy (os error 16)", as the standard library formats it.
fn system_number(text: &str) -> Option<i32> {
    let (_, number) = text.rsplit_once("(os error ")?;
    number.split_once(')')?.0.parse().ok()
}

#[cfg(target_os = "linux")]
mod linux {
    use std::path::Path;

    use nokhwa::utils::{CameraFormat as NokhwaFormat, CameraIndex};

    use super::{Frames, Stream, nokhwa_format, open};
    use crate::capture::{
        camera::v4l2::{self, MmapStream, ProbeStream, StreamFormat},
        format::CameraFormat,
        problem::CaptureProblem,
    };

    pub use crate::capture::camera::v4l2::{Node as Device, list};

    impl Device {
        /// Starts streaming in the `requested` format, or in the nearest that the camera has.
        ///
        /// # Errors
        /// [`CaptureProblem`] if the system refuses.
        pub fn start(self, requested: &CameraFormat) -> Result<Stream, CaptureProblem> {
            // nokhwa refuses cameras whose current format it does not know. So the format is set before nokhwa opens
            // the camera.
            let (setting, agreed) = StreamFormat::on(self.entry(), requested)?;
            let listed = self.lists_each();
            let frames = match carried(&agreed).filter(|_| listed) {
                Some(format) => {
                    drop(setting);
                    let number = v4l2::number(Path::new(&self.entry().device))
                        .ok_or(CaptureProblem::Unplugged)?;
                    Frames::Nokhwa {
                        camera: open(CameraIndex::Index(number), format)?,
                        kept: Vec::new(),
                    }
                }
                None => Frames::Mmap(MmapStream::start(&setting)?),
            };
            Ok(Stream {
                frames,
                format: agreed.format,
                layout: agreed.layout,
                probe: ProbeStream::new(self),
            })
        }
    }

    /// The format as nokhwa's type, if nokhwa supports it.
    pub(super) fn carried(agreed: &StreamFormat) -> Option<NokhwaFormat> {
        let interval = agreed.format.interval;
        let knows = matches!(&agreed.code, b"MJPG" | b"YUYV" | b"NV12" | b"RGB3");
        (knows && agreed.reports_rate && interval.numerator == 1)
            .then(|| nokhwa_format(&agreed.format, interval.denominator))?
    }
}

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use nokhwa::{
        Camera, query,
        utils::{
            ApiBackend, CameraFormat as NokhwaFormat, CameraIndex, RequestedFormat,
            RequestedFormatType,
        },
    };

    use super::{Frames, KINDS, Stream, nokhwa_format, open, problem};
    use crate::capture::{
        camera::DeviceEntry,
        format::{CameraFormat, FrameInterval},
        problem::{CaptureError, CaptureProblem},
        source::CameraId,
    };
    use values::raw_frame::Layout;

    /// The cameras of the system. Opens none.
    ///
    /// # Errors
    /// [`CaptureError`] with the system's message.
    pub fn list() -> Result<Vec<DeviceEntry>, CaptureError> {
        let found = query(ApiBackend::Auto).map_err(|e| CaptureError::List(e.to_string()))?;
        let entries = found.iter().map(|camera| {
            // The system's own key of the device, if it has one.
            let key = camera.misc();
            let device = camera.index().as_string();
            let id =
                if key.is_empty() { format!("{} ({device})", camera.human_name()) } else { key };
            DeviceEntry {
                id: CameraId::new(id),
                name: camera.human_name(),
                description: camera.description().to_owned(),
                device,
            }
        });
        Ok(entries.collect())
    }

    fn index(entry: &DeviceEntry) -> CameraIndex {
        match entry.device.parse() {
            Ok(index) => CameraIndex::Index(index),
            Err(_) => CameraIndex::String(entry.device.clone()),
        }
    }

    /// An open device that does not stream yet.
    pub struct Device {
        index: CameraIndex,
        camera: Camera,
    }

    impl Device {
        /// # Errors
        /// [`CaptureProblem`] if the system refuses.
        pub fn open(entry: &DeviceEntry) -> Result<Self, CaptureProblem> {
            let index = index(entry);
            let kinds = KINDS.map(|(kind, _)| kind);
            let any = RequestedFormat::with_formats(RequestedFormatType::None, &kinds);
            let camera = Camera::new(index.clone(), any).map_err(problem)?;
            Ok(Self { index, camera })
        }

        /// Always true, because this system lists only cameras.
        pub fn is_camera(&self) -> bool {
            true
        }

        /// The supported formats of the camera, in its order.
        ///
        /// # Errors
        /// [`CaptureProblem`] if it does not respond, or offers no supported format.
        pub fn formats(&mut self) -> Result<Vec<CameraFormat>, CaptureProblem> {
            let offered = self.camera.compatible_camera_formats().map_err(problem)?;
            let formats: Vec<CameraFormat> = offered.iter().filter_map(format_of_nokhwa).collect();
            if formats.is_empty() {
                return Err(CaptureProblem::no_format());
            }
            Ok(formats)
        }

        /// Starts streaming in the `requested` format, or in the nearest that the camera has.
        ///
        /// # Errors
        /// [`CaptureProblem`] if the system refuses.
        pub fn start(self, requested: &CameraFormat) -> Result<Stream, CaptureProblem> {
            let Self { index, camera } = self;
            drop(camera);
            let exact =
                nokhwa_format(requested, requested.fps().round() as u32).ok_or_else(|| {
                    CaptureProblem::NoFormat { offered: requested.pixels.to_string() }
                })?;
            let camera = open(index, exact)?;
            let format = format_of_nokhwa(&camera.camera_format()).unwrap_or(*requested);
            Ok(Stream {
                frames: Frames::Nokhwa { camera, kept: Vec::new() },
                format,
                layout: Layout::tight(format.pixels, format.width as usize, format.height as usize),
            })
        }
    }

    /// True if the camera still sends as `agreed`.
    pub(super) fn sends_as(frames: &Frames, agreed: &CameraFormat) -> bool {
        let Frames::Nokhwa { camera, .. } = frames;
        format_of_nokhwa(&camera.camera_format()).is_none_or(|now| now == *agreed)
    }

    fn format_of_nokhwa(format: &NokhwaFormat) -> Option<CameraFormat> {
        let (_, pixels) = KINDS.into_iter().find(|(kind, _)| *kind == format.format())?;
        Some(CameraFormat {
            width: format.width(),
            height: format.height(),
            interval: FrameInterval::new(1, format.frame_rate())?,
            pixels,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_number_is_found_in_the_text() {
        let busy = "Could not set device property X with value 1 (YUYV): Device or resource busy \
                    (os error 16)";
        assert_eq!(system_number(busy), Some(16));
        assert_eq!(system_number("V4L2 Error: (os error 5) then (os error 19)!"), Some(19));
        for none in ["", "(os error )", "(os error 16", "Not same/Rejected", "os error 16"] {
            assert_eq!(system_number(none), None, "{none}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn text_errors_mean_the_same_as_their_numbers() {
        let problem_of = |number| {
            let error = std::io::Error::from_raw_os_error(number);
            problem(NokhwaError::OpenStreamError(error.to_string()))
        };
        assert_eq!(problem_of(libc::EBUSY), CaptureProblem::Busy);
        assert!(matches!(problem_of(libc::EACCES), CaptureProblem::Denied { .. }));
        assert_eq!(problem_of(libc::ENODEV), CaptureProblem::Unplugged);
        assert!(matches!(problem_of(libc::EIO), CaptureProblem::Device(_)));
        let read = |text: &str| problem(NokhwaError::ReadFrameError(text.to_owned()));
        assert_eq!(read("Input/output error (os error 5)"), CaptureProblem::Unplugged);
        assert_eq!(read("No such device (os error 19)"), CaptureProblem::Unplugged);
        let rejected = NokhwaError::OpenStreamError("Rejected".to_owned());
        let CaptureProblem::Device(text) = problem(rejected) else {
            panic!("no reason of its own");
        };
        assert!(text.contains("Rejected"));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn formats_that_nokhwa_cannot_represent_are_not_requested() {
        use super::super::v4l2::StreamFormat;
        use crate::capture::FrameInterval;
        let agreed = |pixels, code: &[u8; 4], (numerator, denominator)| StreamFormat {
            format: CameraFormat {
                width: 640,
                height: 480,
                interval: FrameInterval::new(numerator, denominator).expect("not 0"),
                pixels,
            },
            layout: Layout::tight(pixels, 640, 480),
            code: *code,
            reports_rate: true,
        };
        let yuyv = agreed(PixelFormat::Yuyv, b"YUYV", (1, 30));
        let carried = linux::carried;
        let format = carried(&yuyv).expect("carried");
        assert_eq!((format.width(), format.height()), (640, 480));
        assert_eq!((format.format(), format.frame_rate()), (FrameFormat::YUYV, 30));
        for not in [
            agreed(PixelFormat::Grey, b"GREY", (1, 30)),
            agreed(PixelFormat::Mjpeg, b"JPEG", (1, 30)),
            agreed(PixelFormat::Yuyv, b"YUYV", (1001, 30000)),
            StreamFormat { reports_rate: false, ..yuyv },
        ] {
            assert_eq!(carried(&not), None, "{not:?}");
        }
    }
}
