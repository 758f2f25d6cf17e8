//! The devices of the kernel module v4l2loopback: a program writes pictures, others read them as from a camera.
//!
//! With `exclusive_caps=1` a device is either an output or, while a program writes, a camera. Version 0.12 has three
//! traits that shape this file. A size other than that of a reader is refused silently, so the answer counts. A device
//! becomes an output again only if its writer started the output; later versions refuse that call and need it not. And
//! a second writer of a device without `exclusive_caps` is not noticed.

use std::{
    ffi::OsString,
    fs,
    io::{self, ErrorKind, Write},
    path::Path,
    process,
};

use itertools::Itertools;
use v4l::{
    Device as V4lDevice, Format, FourCC,
    capability::{Capabilities, Flags as Capability},
    video::{Output as _, output::Parameters},
};

use super::{VIDEO_GROUP, calls, list as devices};
use crate::capture::camera::{
    DeviceEntry,
    open_devices::{OpenDevice, OpenFor, open_count},
    output::{Output, OutputProblem, OutputRequest, VirtualCamera},
    setup::{LABEL, Setup},
};
use values::disk::reason;

/// The driver's name.
const DRIVER: &str = "v4l2 loopback";
/// The format that every program reads.
const YUYV: &[u8; 4] = b"YUYV";
/// Why a device cannot be written while another program writes to it.
const BUSY: &str = "another program writes to it; end that there, or choose another device";

/// True if a device shows the painting, of this program or of another StyleForge. It is never a source then.
pub fn shows_painting(device: &str, caps: &Capabilities) -> bool {
    let is_ours = caps.card.contains(LABEL) || open_count(OpenFor::Output, device) > 0;
    caps.driver == DRIVER && is_ours
}

/// The devices of the module, those with our label first. Opens each one briefly.
pub fn list() -> Vec<VirtualCamera> {
    (devices().unwrap_or_default().into_iter())
        .filter_map(camera)
        .sorted_by_key(|camera| !camera.label.contains(LABEL))
        .collect()
}

fn camera(DeviceEntry { device, name: label, .. }: DeviceEntry) -> Option<VirtualCamera> {
    let opened = V4lDevice::with_path(&device).and_then(|opened| opened.query_caps());
    let problem = match opened {
        Ok(caps) if caps.driver != DRIVER => return None,
        Ok(caps) => {
            // Its writer makes it a camera.
            let is_camera = caps.capabilities.contains(Capability::VIDEO_CAPTURE)
                && !caps.capabilities.contains(Capability::VIDEO_OUTPUT);
            is_camera.then(|| OutputProblem::refused(&device, BUSY))
        }
        // What it is cannot be asked, but our commands name it.
        Err(_) if !label.contains(LABEL) => return None,
        Err(error) => Some(problem(&device, &error)),
    };
    Some(VirtualCamera { device, label, problem })
}

/// Opens a device and agrees on a size.
///
/// # Errors
/// [`OutputProblem`] if there is none, or the system refuses.
pub fn open(request: &OutputRequest) -> Result<Box<dyn Output>, OutputProblem> {
    let cameras = list();
    let name = request.device.as_deref();
    let mut problem = match name {
        Some(name) if !cameras.is_empty() => {
            let known = cameras.iter().map(|camera| &camera.device).join(", ");
            let why = format!("not a virtual camera; choose one of: {known}");
            OutputProblem::refused(name, why)
        }
        _ => OutputProblem::Missing(Setup::here()),
    };
    for camera in cameras {
        let is_it = |name| camera.device == name || camera.label.eq_ignore_ascii_case(name);
        if name.is_none_or(is_it) {
            match Loopback::open(camera, request) {
                Ok(output) => return Ok(Box::new(output)),
                Err(refused) => problem = refused,
            }
        }
    }
    Err(problem)
}

/// A device that is open for writing.
struct Loopback {
    camera: VirtualCamera,
    device: V4lDevice,
    _open: OpenDevice,
    requested: OutputRequest,
    /// Width, height and bytes of a row.
    size: (usize, usize, usize),
}

impl Loopback {
    fn open(camera: VirtualCamera, request: &OutputRequest) -> Result<Self, OutputProblem> {
        let refused = |error: io::Error| problem(&camera.device, &error);
        if let Some(problem) = camera.problem {
            return Err(problem);
        }
        if open_count(OpenFor::Source, &camera.device) > 0 {
            let why = "the picture comes from it; choose another source or another device";
            return Err(OutputProblem::refused(&camera.device, why));
        }
        let open = || V4lDevice::with_path(&camera.device).map_err(refused);
        let mut device = open()?;
        let caps = device.query_caps().map_err(refused)?;
        if !caps.capabilities.contains(Capability::VIDEO_OUTPUT) {
            // Its last writer did not start the output. Starting it, even in vain, and closing makes it one again.
            calls::start_output(&device).ok();
            drop(device);
            device = open()?;
            device.query_caps().map_err(refused)?;
        }
        let mut loopback = Self {
            _open: OpenDevice::new(OpenFor::Output, &camera.device),
            camera,
            device,
            requested: request.clone(),
            size: (0, 0, 0),
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
        self.size
    }

    fn agree(&mut self) -> Result<(), OutputProblem> {
        let device = &self.camera.device;
        let side = |px: usize| u32::try_from(px).unwrap_or(u32::MAX);
        let OutputRequest { size: (width, height), fps, .. } = self.requested;
        let format = Format::new(side(width), side(height), FourCC::new(YUYV));
        let agreed = self.device.set_format(&format).map_err(|e| problem(device, &e))?;
        if agreed.fourcc.repr != *YUYV || agreed.width < 2 || agreed.height == 0 {
            let why =
                format!("a program that reads it keeps {}; close that program", agreed.fourcc);
            return Err(OutputProblem::refused(device, why));
        }
        let width = agreed.width as usize;
        self.size = (width, agreed.height as usize, (agreed.stride as usize).max(2 * width));
        // The rate is only announced to readers; a driver may not support that.
        self.device.set_params(&Parameters::with_fps(fps)).ok();
        calls::start_output(&self.device).ok();
        Ok(())
    }

    fn write(&mut self, yuyv: &[u8]) -> Result<bool, OutputProblem> {
        match self.device.write(yuyv) {
            Ok(taken) if taken == yuyv.len() => Ok(true),
            // Every call is a picture, so the rest of a picture cannot follow.
            Ok(_) => {
                let why = "its picture size keeps changing; close the programs that read it";
                Err(OutputProblem::refused(&self.camera.device, why))
            }
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                Ok(false)
            }
            Err(e) => Err(problem(&self.camera.device, &e)),
        }
    }

    fn readers(&self) -> usize {
        // The folder also has links to this process.
        let is_other = |name: OsString| {
            name.to_str()
                .and_then(|name| name.parse::<u32>().ok())
                .is_some_and(|pid| pid != process::id())
        };
        (fs::read_dir("/proc").into_iter().flatten().flatten())
            .filter(|entry| is_other(entry.file_name()))
            .filter(|entry| has_open(&entry.path(), &self.camera.device))
            .count()
    }
}

/// True if a process has a device file open. The system shows only the user's own processes.
fn has_open(process: &Path, device: &str) -> bool {
    let files = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
    files
        .filter_map(|file| fs::read_link(file.path()).ok())
        .any(|target| target == Path::new(device))
}

/// The problem that an error of the system means.
fn problem(device: &str, error: &io::Error) -> OutputProblem {
    let why = match error.raw_os_error() {
        Some(libc::ENODEV | libc::ENXIO | libc::ENOENT) => "it was removed".to_owned(),
        Some(libc::EBUSY) => BUSY.to_owned(),
        Some(libc::ENOSPC | libc::ENOMEM) => {
            "it has no memory for pictures of this size; choose a smaller size".to_owned()
        }
        Some(libc::EACCES | libc::EPERM) => format!("it may not be opened: {VIDEO_GROUP}"),
        _ => format!("it does not work: {}", reason(error)),
    };
    OutputProblem::refused(device, why)
}
