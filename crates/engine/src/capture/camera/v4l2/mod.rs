//! Facts about cameras on Linux that nokhwa omits, from V4L2.
//!
//! [`node`] provides stable names, excludes devices that are not cameras, explains why one cannot be opened, and lists
//! every format with its exact rate and row length. [`probe_stream`] reports whether a frame is ready. [`mmap_stream`]
//! streams the formats that nokhwa does not support. [`loopback`] writes to virtual cameras. Only this folder imports v4l, the crate that nokhwa is built on.

mod calls;
mod color;
pub mod loopback;
mod mmap_stream;
mod node;
mod probe_stream;

pub use mmap_stream::MmapStream;

pub use node::{Node, StreamFormat};
pub use probe_stream::ProbeStream;

use std::{
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use v4l::FourCC;

use super::DeviceEntry;
use crate::capture::{
    format::PixelFormat,
    problem::{CaptureError, CaptureProblem},
    source::CameraId,
};
use values::disk::reason;

/// The folder of device files.
const DEVICES: &str = "/dev";
/// Folders of links with stable names, the better ones first: by serial number, by socket.
const LINKS: [&str; 2] = ["/dev/v4l/by-id", "/dev/v4l/by-path"];
/// The system's descriptions of the devices.
const CLASS: &str = "/sys/class/video4linux";
/// The advice if the user has no permission for the device file.
const VIDEO_GROUP: &str =
    "add yourself to the group video (sudo usermod -aG video $USER), log out and log in again";

/// The devices that may be cameras, by number. Opens none.
///
/// # Errors
/// [`CaptureError`] if the folder of devices cannot be read.
pub fn list() -> Result<Vec<DeviceEntry>, CaptureError> {
    let entries = fs::read_dir(DEVICES).map_err(|e| CaptureError::List(reason(&e)))?;
    let mut numbers: Vec<u32> =
        entries.flatten().filter_map(|entry| number(Path::new(&entry.file_name()))).collect();
    numbers.sort_unstable();
    if numbers.is_empty() {
        return Ok(Vec::new());
    }
    let links = LINKS.map(links_in);
    Ok(numbers.iter().map(|&n| entry(n, &links)).collect())
}

/// The number N of a device file `videoN`.
pub fn number(path: &Path) -> Option<u32> {
    let digits = path.file_name()?.to_str()?.strip_prefix("video")?;
    // `parse` alone would accept a sign.
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// Names of the links in `folder` with the number of the device that each points to.
fn links_in(folder: &str) -> Vec<(String, u32)> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut links: Vec<(String, u32)> = entries
        .flatten()
        .filter_map(|entry| {
            let target: PathBuf = fs::read_link(entry.path()).ok()?;
            Some((entry.file_name().into_string().ok()?, number(&target)?))
        })
        .collect();
    // A device may have several links; the choice must not depend on their order.
    links.sort();
    links
}

fn entry(number: u32, links: &[Vec<(String, u32)>; 2]) -> DeviceEntry {
    let device = format!("{DEVICES}/video{number}");
    let about = PathBuf::from(format!("{CLASS}/video{number}"));
    let name = fs::read_to_string(about.join("name"))
        .map(|name| name.trim().to_owned())
        .ok()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| device.clone());
    let link = links.iter().flatten().find(|(_, n)| *n == number);
    let id = match link {
        Some((link, _)) => link.clone(),
        None => {
            // The bus name of the socket, or the device number if there is no bus.
            let socket = fs::read_link(about.join("device")).ok();
            match socket.as_deref().and_then(Path::file_name) {
                Some(socket) => format!("{name} ({})", socket.to_string_lossy()),
                None => format!("{name} (video{number})"),
            }
        }
    };
    DeviceEntry { id: CameraId::new(id), name, description: device.clone(), device }
}

/// V4L2's codes of the supported formats. A camera may have one of several codes for the same format.
const CODES: [(&[u8; 4], PixelFormat); 17] = [
    (b"MJPG", PixelFormat::Mjpeg),
    (b"JPEG", PixelFormat::Mjpeg),
    (b"YUYV", PixelFormat::Yuyv),
    (b"UYVY", PixelFormat::Uyvy),
    (b"YVYU", PixelFormat::Yvyu),
    (b"NV12", PixelFormat::Nv12),
    (b"NV21", PixelFormat::Nv21),
    (b"YU12", PixelFormat::Yu12),
    (b"YV12", PixelFormat::Yv12),
    (b"RGB3", PixelFormat::Rgb),
    (b"BGR3", PixelFormat::Bgr),
    (b"AR24", PixelFormat::Bgra),
    (b"XR24", PixelFormat::Bgra),
    (b"BGR4", PixelFormat::Bgra),
    (b"GREY", PixelFormat::Grey),
    (b"Y10 ", PixelFormat::Grey10),
    (b"Y16 ", PixelFormat::Grey16),
];

fn pixel_format(kind: FourCC) -> Option<PixelFormat> {
    CODES.iter().find(|(code, _)| **code == kind.repr).map(|(_, pixels)| *pixels)
}

/// The problem that an error of the system means.
pub fn problem(error: io::Error) -> CaptureProblem {
    match error.raw_os_error() {
        Some(libc::ENODEV | libc::ENXIO) => return CaptureProblem::Unplugged,
        Some(libc::EBUSY) => return CaptureProblem::Busy,
        Some(libc::ENOSPC) => {
            return CaptureProblem::Device(
                "its USB port has too little bandwidth left; use another one".to_owned(),
            );
        }
        _ => {}
    }
    match error.kind() {
        ErrorKind::NotFound => CaptureProblem::Unplugged,
        ErrorKind::PermissionDenied => CaptureProblem::Denied { hint: VIDEO_GROUP.to_owned() },
        _ => CaptureProblem::Device(reason(&error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbered_device_files_are_cameras() {
        for (name, expected) in [
            ("video0", Some(0)),
            ("video12", Some(12)),
            ("../../video3", Some(3)),
            ("video", None),
            ("video-dec0", None),
            ("video+1", None),
            ("videodev", None),
            ("vbi0", None),
        ] {
            assert_eq!(number(Path::new(name)), expected, "{name}");
        }
    }

    #[test]
    fn refusals_of_the_system_are_distinguished() {
        let problem_of = |code| problem(io::Error::from_raw_os_error(code));
        assert_eq!(problem_of(libc::EBUSY), CaptureProblem::Busy);
        assert_eq!(problem_of(libc::ENODEV), CaptureProblem::Unplugged);
        assert_eq!(problem_of(libc::ENOENT), CaptureProblem::Unplugged);
        assert!(problem_of(libc::EACCES).to_string().contains("group video"));
        assert!(problem_of(libc::EPERM).to_string().contains("group video"));
        assert!(matches!(problem_of(libc::EIO), CaptureProblem::Device(_)));
        assert!(problem_of(libc::ENOSPC).to_string().contains("bandwidth"));
    }
}
