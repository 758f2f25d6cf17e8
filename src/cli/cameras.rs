//! `styleforge cameras`: lists the cameras with their names and formats.

use serde::Serialize;

use super::{
    CliError,
    args::CamerasArgs,
    terminal::{print, print_json},
};
use crate::capture::{self, Camera, CameraFormat, PixelFormat};

/// The `--json` report.
#[derive(Serialize)]
struct Report {
    cameras: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    id: String,
    name: String,
    description: String,
    formats: Vec<FormatEntry>,
    /// Why the camera cannot be used, and what to do.
    problem: Option<String>,
}

#[derive(Serialize)]
struct FormatEntry {
    width: u32,
    height: u32,
    fps: f32,
    pixels: PixelFormat,
}

impl From<&CameraFormat> for FormatEntry {
    fn from(format: &CameraFormat) -> Self {
        Self {
            width: format.width,
            height: format.height,
            fps: format.fps(),
            pixels: format.pixels,
        }
    }
}

/// A camera with its formats, or why it lists none.
struct Found {
    camera: Camera,
    formats: Vec<CameraFormat>,
    problem: Option<String>,
}

impl Found {
    fn new(camera: Camera) -> Self {
        let (formats, problem) = match &camera.problem {
            Some(problem) => (Vec::new(), Some(problem.to_string())),
            None => match capture::formats(&camera.id) {
                Ok(formats) => (formats, None),
                Err(error) => (Vec::new(), Some(error.to_string())),
            },
        };
        Self { camera, formats, problem }
    }

    fn entry(&self) -> Entry {
        Entry {
            id: self.camera.id.to_string(),
            name: self.camera.name.clone(),
            description: self.camera.description.clone(),
            formats: self.formats.iter().map(FormatEntry::from).collect(),
            problem: self.problem.clone(),
        }
    }

    fn lines(&self) -> Vec<String> {
        let Camera { id, name, description, .. } = &self.camera;
        let mut lines = vec![format!("{name}  ({description})"), format!("  camera:{id}")];
        let formats = by_pixels_and_size(&self.formats);
        lines.extend(formats.iter().map(|line| format!("  {line}")));
        lines.extend(self.problem.iter().map(|problem| format!("  -> {problem}")));
        lines
    }
}

/// # Errors
/// [`CliError::Failed`] if the system cannot list the cameras. Having no camera is not an error.
pub fn run(args: &CamerasArgs) -> Result<(), CliError> {
    let cameras = capture::cameras().map_err(|e| CliError::Failed(e.to_string()))?;
    let found: Vec<Found> = cameras.into_iter().map(Found::new).collect();
    if args.json {
        return print_json(&Report { cameras: found.iter().map(Found::entry).collect() });
    }
    if found.is_empty() {
        return print(&[
            "No camera found. Connect one, or use the demo scene, photos or folders of photos.",
        ]);
    }
    let cameras: Vec<Vec<String>> = found.iter().map(Found::lines).collect();
    print(&cameras.join(&String::new()))
}

/// One line for each pixel format: its sizes, each with its highest frame rate.
fn by_pixels_and_size(formats: &[CameraFormat]) -> Vec<String> {
    let mut lines = Vec::new();
    for pixels in PixelFormat::ALL {
        let mut sizes: Vec<(u32, u32, f32)> = Vec::new();
        for format in formats.iter().filter(|f| f.pixels == pixels) {
            let same = |s: &&mut (u32, u32, f32)| (s.0, s.1) == (format.width, format.height);
            match sizes.iter_mut().find(same) {
                Some(size) => size.2 = size.2.max(format.fps()),
                None => sizes.push((format.width, format.height, format.fps())),
            }
        }
        if sizes.is_empty() {
            continue;
        }
        let sizes: Vec<String> = sizes
            .iter()
            .map(|(width, height, fps)| format!("{width}x{height} at {fps:.0}"))
            .collect();
        lines.push(format!("{pixels}: {}", sizes.join(", ")));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::FrameInterval;

    #[test]
    fn formats_are_gathered() {
        let format = |pixels, width, height, fps| CameraFormat {
            width,
            height,
            interval: FrameInterval::new(1, fps).expect("not 0"),
            pixels,
        };
        let lines = by_pixels_and_size(&[
            format(PixelFormat::Yuyv, 640, 480, 15),
            format(PixelFormat::Yuyv, 640, 480, 30),
            format(PixelFormat::Mjpeg, 1280, 720, 60),
            format(PixelFormat::Yuyv, 320, 240, 30),
        ]);
        assert_eq!(lines, ["MJPEG: 1280x720 at 60", "YUYV: 640x480 at 30, 320x240 at 30"]);
    }
}
