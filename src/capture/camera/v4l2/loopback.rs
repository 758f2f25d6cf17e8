//! The devices of the kernel module v4l2loopback: a program writes pictures, others read them as from a camera.
//!
//! With `exclusive_caps=1` a device is either an output or, while a program writes, a camera. Version 0.12 has three
//! traits that shape this file. A size other than that of a reader is refused silently, so the answer counts. A device
//! becomes an output again only if its writer started the output; later versions refuse that call and need it not. And
//! a second writer of a device without `exclusive_caps` is not noticed.

use std::{
    fs,
    io::{self, ErrorKind, Write},
    path::Path,
    process,
    sync::{Mutex, MutexGuard, PoisonError},
};

use v4l::{
    Device as V4lDevice, Format, FourCC,
    capability::{Capabilities, Flags as Capability},
    video::{Output as _, output::Parameters},
};

use super::{CLASS, VIDEO_GROUP, calls, list as devices};
use crate::{
    capture::camera::{
        DeviceEntry,
        output_problem::OutputProblem,
        setup::LABEL,
        virtual_camera::{Output, OutputRequest, VirtualCamera},
    },
    disk::reason,
};

/// The driver's name.
const DRIVER: &str = "v4l2 loopback";
/// The format that every program reads.
const YUYV: &[u8; 4] = b"YUYV";

/// The device files that this program writes.
static WRITTEN: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn written() -> MutexGuard<'static, Vec<String>> {
    WRITTEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether this program writes to a device.
pub fn is_written(device: &str) -> bool {
    written().iter().any(|of| of == device)
}

/// Whether a device shows the painting, of this program or of another StyleForge. It is never a source then.
pub fn shows_painting(device: &str, caps: &Capabilities) -> bool {
    caps.driver == DRIVER && (caps.card.contains(LABEL) || is_written(device))
}

/// The devices of the module, those with our label first.
pub fn list() -> Vec<VirtualCamera> {
    let entries = devices().unwrap_or_default();
    let mut cameras: Vec<VirtualCamera> = entries
        .into_iter()
        .filter_map(|DeviceEntry { device, name: label, .. }| {
            let opened = V4lDevice::with_path(&device);
            let problem = match opened.and_then(|device| device.query_caps()) {
                Ok(caps) if caps.driver != DRIVER => return None,
                Ok(caps) => busy(&device, &caps),
                Err(_) if !has_driver_files(&device) => return None,
                Err(error) => Some(problem(&device, &error)),
            };
            Some(VirtualCamera { device, label, problem })
        })
        .collect();
    cameras.sort_by_key(|camera| !camera.label.contains(LABEL));
    cameras
}

/// Whether the system has the files of the module's devices for this one, which need no permission.
fn has_driver_files(device: &str) -> bool {
    let name = Path::new(device).file_name();
    name.is_some_and(|name| fs::read(Path::new(CLASS).join(name).join("max_openers")).is_ok())
}

/// Another program makes a camera of a device by writing to it.
fn busy(device: &str, caps: &Capabilities) -> Option<OutputProblem> {
    let caps = caps.capabilities;
    let is_camera =
        !caps.contains(Capability::VIDEO_OUTPUT) && caps.contains(Capability::VIDEO_CAPTURE);
    is_camera.then(|| OutputProblem::Busy { device: device.to_owned() })
}

/// A device that is open for writing.
pub struct Loopback {
    camera: VirtualCamera,
    device: V4lDevice,
    requested: OutputRequest,
    width: usize,
    height: usize,
    row_bytes: usize,
}

impl Loopback {
    /// Opens a device and agrees on a size.
    ///
    /// # Errors
    /// [`OutputProblem`] if the system refuses.
    pub fn open(camera: &VirtualCamera, request: &OutputRequest) -> Result<Self, OutputProblem> {
        let refused = |error: io::Error| problem(&camera.device, &error);
        let open = || V4lDevice::with_path(&camera.device).map_err(refused);
        let mut device = open()?;
        let caps = device.query_caps().map_err(refused)?;
        if let Some(busy) = busy(&camera.device, &caps) {
            return Err(busy);
        }
        if !caps.capabilities.contains(Capability::VIDEO_OUTPUT) {
            // Its last writer did not start the output. Starting it, even in vain, and closing makes it one again.
            calls::start_output(&device).ok();
            drop(device);
            device = open()?;
            device.query_caps().map_err(refused)?;
        }
        written().push(camera.device.clone());
        let mut loopback = Self {
            camera: camera.clone(),
            device,
            requested: request.clone(),
            width: 0,
            height: 0,
            row_bytes: 0,
        };
        loopback.agree()?;
        Ok(loopback)
    }
}

impl Output for Loopback {
    fn camera(&self) -> &VirtualCamera {
        &self.camera
    }

    fn size(&self) -> (usize, usize, usize) {
        (self.width, self.height, self.row_bytes)
    }

    fn agree(&mut self) -> Result<(), OutputProblem> {
        let device = &self.camera.device;
        let side = |px: usize| u32::try_from(px).unwrap_or(u32::MAX);
        let OutputRequest { size: (width, height), fps, .. } = self.requested;
        let format = Format::new(side(width), side(height), FourCC::new(YUYV));
        let agreed = self.device.set_format(&format).map_err(|e| problem(device, &e))?;
        (self.width, self.height) = (agreed.width as usize, agreed.height as usize);
        if agreed.fourcc.repr != *YUYV || self.width < 2 || self.height == 0 {
            let format = agreed.fourcc.to_string();
            return Err(OutputProblem::Format { device: device.clone(), format });
        }
        self.row_bytes = (agreed.stride as usize).max(2 * self.width);
        // The rate is only announced to readers; a driver may not support that.
        self.device.set_params(&Parameters::with_fps(fps)).ok();
        calls::start_output(&self.device).ok();
        Ok(())
    }

    fn write(&mut self, yuyv: &[u8]) -> Result<bool, OutputProblem> {
        match self.device.write(yuyv) {
            Ok(taken) if taken == yuyv.len() => Ok(true),
            // Every call is a picture, so the rest of a picture cannot follow.
            Ok(_) => Err(OutputProblem::Size { device: self.camera.device.clone() }),
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                Ok(false)
            }
            Err(e) => Err(problem(&self.camera.device, &e)),
        }
    }

    fn readers(&self) -> usize {
        let own = process::id().to_string();
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        let others = processes.filter(|entry| {
            let name = entry.file_name();
            name.to_str().is_some_and(|pid| pid != own && pid.bytes().all(|b| b.is_ascii_digit()))
        });
        others.filter(|process| has_open(&process.path(), &self.camera.device)).count()
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        let mut written = written();
        if let Some(at) = written.iter().position(|device| *device == self.camera.device) {
            written.swap_remove(at);
        }
    }
}

/// Whether a process has a device file open. The system shows only the user's own processes.
fn has_open(process: &Path, device: &str) -> bool {
    let files = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
    let mut targets = files.filter_map(|file| fs::read_link(file.path()).ok());
    targets.any(|target| target == Path::new(device))
}

/// The problem that an error of the system means.
fn problem(device: &str, error: &io::Error) -> OutputProblem {
    let device = device.to_owned();
    match error.raw_os_error() {
        Some(libc::ENODEV | libc::ENXIO | libc::ENOENT) => OutputProblem::Gone { device },
        Some(libc::EBUSY) => OutputProblem::Busy { device },
        Some(libc::ENOSPC | libc::ENOMEM) => OutputProblem::NoMemory { device },
        Some(libc::EACCES | libc::EPERM) => {
            OutputProblem::Denied { device, hint: VIDEO_GROUP.to_owned() }
        }
        _ => OutputProblem::Device { device, reason: reason(error) },
    }
}
