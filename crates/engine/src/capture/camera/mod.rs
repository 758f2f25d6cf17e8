//! Cameras: lists them, and runs one under supervision.
//!
//! [`run`] runs on the watching thread. It finds the camera, starts a [`session`] with it on another thread,
//! and starts a new session when that one fails or hangs. It never touches the device, so nothing can block it.

mod open_devices;
mod output;
mod session;
mod setup;
#[cfg_attr(feature = "cameras", path = "nokhwa.rs")]
#[cfg_attr(not(feature = "cameras"), path = "absent.rs")]
mod system;
#[cfg(all(feature = "cameras", target_os = "linux"))]
mod v4l2;
mod watch;

pub use output::{Output, OutputProblem, OutputRequest, VirtualCamera};
pub use setup::Setup;
pub(super) use watch::run;

use open_devices::{OpenFor, open_count};

use super::{
    format::CameraFormat,
    problem::{CaptureError, CaptureProblem},
    source::CameraId,
};

/// A camera that the system knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Camera {
    /// The stable name, for settings and [`Source::Camera`](super::Source::Camera).
    pub id: CameraId,
    /// The system's display name.
    pub name: String,
    /// More details from the system, for example its device file.
    pub description: String,
    /// Why it cannot be opened, if that is already known.
    pub problem: Option<CaptureProblem>,
}

/// A device in the system's list that may be a camera; not opened yet.
#[derive(Clone, Debug, PartialEq, Eq)]
struct DeviceEntry {
    /// The stable name.
    id: CameraId,
    /// The display name.
    name: String,
    /// The system's details: on Linux the device file.
    description: String,
    /// The name for opening it: on Linux the device file, on other systems a number.
    device: String,
}

/// The cameras of the system, in its order, without devices that are not cameras.
///
/// Opens each one briefly without starting it, which can take a while. Do not call it on the window's thread.
///
/// # Errors
/// [`CaptureError`] with the system's message.
pub fn cameras() -> Result<Vec<Camera>, CaptureError> {
    let mut cameras = Vec::new();
    for entry in system::list()? {
        let problem = match system::Device::open(&entry) {
            Ok(device) if !device.is_camera() => continue,
            Ok(_) => None,
            // It has disappeared since it was listed.
            Err(CaptureProblem::Unplugged) => continue,
            Err(problem) => Some(problem),
        };
        cameras.push(Camera {
            id: entry.id,
            name: entry.name,
            description: entry.description,
            problem,
        });
    }
    Ok(cameras)
}

/// The virtual cameras of the system, ours first. Opens each one briefly. Only Linux has them.
pub fn virtual_cameras() -> Vec<VirtualCamera> {
    #[cfg(all(feature = "cameras", target_os = "linux"))]
    return v4l2::loopback::list();
    #[cfg(not(all(feature = "cameras", target_os = "linux")))]
    Vec::new()
}

/// Opens a virtual camera and agrees on a size.
///
/// # Errors
/// [`OutputProblem`] if there is none, or the system refuses.
#[cfg_attr(
    not(all(feature = "cameras", target_os = "linux")),
    allow(unused_variables, reason = "there are none")
)]
pub fn open_output(request: &OutputRequest) -> Result<Box<dyn Output>, OutputProblem> {
    #[cfg(all(feature = "cameras", target_os = "linux"))]
    return v4l2::loopback::open(request);
    #[cfg(not(all(feature = "cameras", target_os = "linux")))]
    Err(OutputProblem::Missing(Setup::here()))
}

/// The supported formats of a camera, in its order.
///
/// # Errors
/// [`CaptureError`] if the camera is not found or does not respond.
pub fn formats(id: &CameraId) -> Result<Vec<CameraFormat>, CaptureError> {
    let entry = find(id)?;
    Ok(system::Device::open(&entry)?.formats()?)
}

/// True if the system has a camera of this name now, or several.
pub fn is_connected(id: &CameraId) -> bool {
    matches!(find(id), Ok(_) | Err(CaptureProblem::Ambiguous { .. }))
}

/// The device that `id` names now.
fn find(id: &CameraId) -> Result<DeviceEntry, CaptureProblem> {
    let entries = system::list().map_err(|e| CaptureProblem::Device(e.to_string()))?;
    if entries.is_empty() && *id == CameraId::first() {
        return Err(CaptureProblem::NoCamera);
    }
    let mut fitting: Vec<DeviceEntry> = best_fit(&entries, id).into_iter().cloned().collect();
    if fitting.len() > 1 {
        // Cameras come with devices of the same name that are not cameras.
        fitting
            .retain(|entry| system::Device::open(entry).map_or(true, |device| device.is_camera()));
    }
    if *id == CameraId::first() {
        fitting.truncate(1);
    }
    match fitting.len() {
        0 => {
            let mut known: Vec<String> = entries.into_iter().map(|p| p.name).collect();
            known.dedup();
            Err(CaptureProblem::Unknown { name: id.to_string(), known })
        }
        1 if open_count(OpenFor::Output, &fitting[0].device) > 0 => {
            Err(CaptureProblem::ShowsPainting)
        }
        1 => Ok(fitting.remove(0)),
        _ => Err(CaptureProblem::Ambiguous {
            name: id.to_string(),
            known: fitting.iter().map(|p| p.id.to_string()).collect(),
        }),
    }
}

/// The devices that `id` matches: by the stable name; otherwise by device file or the whole display name; otherwise by
/// a part of that. All devices for the first camera.
fn best_fit<'a>(entries: &'a [DeviceEntry], id: &CameraId) -> Vec<&'a DeviceEntry> {
    let name = id.as_str().to_lowercase();
    let rules: [&dyn Fn(&DeviceEntry) -> bool; 3] = [
        &|entry| entry.id == *id,
        &|entry| entry.name.to_lowercase() == name || entry.device == id.as_str(),
        &|entry| entry.name.to_lowercase().contains(&name),
    ];
    rules
        .map(|fits| entries.iter().filter(|e| fits(e)).collect::<Vec<_>>())
        .into_iter()
        .find(|found| !found.is_empty())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str, name: &str, device: &str) -> DeviceEntry {
        DeviceEntry {
            id: CameraId::new(id),
            name: name.to_owned(),
            description: String::new(),
            device: device.to_owned(),
        }
    }

    #[test]
    fn the_stable_name_comes_before_the_others() {
        let entries = [
            entry("usb-a", "HD Camera", "/dev/video0"),
            entry("usb-b", "HD Camera", "/dev/video2"),
            entry("hd camera", "Screen", "/dev/video4"),
        ];
        let found = |name: &str| -> Vec<&str> {
            best_fit(&entries, &CameraId::new(name)).iter().map(|p| p.id.as_str()).collect()
        };
        assert_eq!(found("usb-b"), ["usb-b"]);
        assert_eq!(found("hd camera"), ["hd camera"]);
        assert_eq!(found("HD Camera"), ["usb-a", "usb-b"]);
        assert_eq!(found("screen"), ["hd camera"]);
        assert_eq!(found("scr"), ["hd camera"]);
        assert_eq!(found("/dev/video2"), ["usb-b"]);
        assert_eq!(found("").len(), 3);
        assert!(found("usb").is_empty(), "half a stable name means nothing");
    }
}
