//! Virtual cameras: devices that pass the pictures of one program to others as a camera. Only Linux has them.

#[cfg(target_os = "linux")]
use super::v4l2;
use super::{output_problem::OutputProblem, session, setup::Setup};

/// A virtual camera of the system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualCamera {
    /// Its device file.
    pub device: String,
    /// The name under which other programs show it.
    pub label: String,
    /// Why it cannot be written, if that is already known.
    pub problem: Option<OutputProblem>,
}

/// The requested output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputRequest {
    /// A device file or label; `None` takes the first one that is free, ours first.
    pub device: Option<String>,
    /// Width and height, in pixels.
    pub size: (usize, usize),
    /// Pictures per second.
    pub fps: u32,
}

/// A virtual camera that is open for writing. Dropping it closes it. Belongs to one thread, which the driver may block.
pub trait Output: Send {
    /// The device that is written.
    fn camera(&self) -> &VirtualCamera;

    /// Width and height that the device takes, which may differ from the requested ones, and the bytes of a row.
    fn size(&self) -> (usize, usize, usize);

    /// Agrees on the size again, which a program that reads may have fixed.
    ///
    /// # Errors
    /// [`OutputProblem`] if the system refuses.
    fn agree(&mut self) -> Result<(), OutputProblem>;

    /// Writes one picture in YUYV. Returns whether the device took it; if not, the next one may be taken.
    ///
    /// # Errors
    /// [`OutputProblem`] if it takes no more pictures as agreed.
    fn write(&mut self, yuyv: &[u8]) -> Result<bool, OutputProblem>;

    /// Number of other programs that have the device open, as far as the system shows.
    fn readers(&self) -> usize;
}

/// The virtual cameras of the system, those with our label first. Opens each one briefly.
pub fn virtual_cameras() -> Vec<VirtualCamera> {
    #[cfg(target_os = "linux")]
    return v4l2::loopback::list();
    #[cfg(not(target_os = "linux"))]
    Vec::new()
}

/// Opens a virtual camera and agrees on a size.
///
/// # Errors
/// [`OutputProblem`] if there is none, or the system refuses.
pub fn open_output(request: &OutputRequest) -> Result<Box<dyn Output>, OutputProblem> {
    let cameras = virtual_cameras();
    let fits = |camera: &&VirtualCamera| match &request.device {
        Some(name) => camera.device == *name || camera.label.eq_ignore_ascii_case(name),
        None => true,
    };
    let mut problem = match &request.device {
        Some(name) if !cameras.is_empty() => OutputProblem::Unknown {
            name: name.clone(),
            known: cameras.iter().map(|camera| camera.device.clone()).collect(),
        },
        _ => OutputProblem::Missing(Setup::here()),
    };
    for camera in cameras.iter().filter(fits) {
        if session::open_count(&camera.device) > 0 {
            problem = OutputProblem::IsSource { device: camera.device.clone() };
            continue;
        }
        #[cfg(target_os = "linux")]
        match v4l2::loopback::Loopback::open(camera, request) {
            Ok(output) => return Ok(Box::new(output)),
            Err(refused) => problem = refused,
        }
    }
    Err(problem)
}
