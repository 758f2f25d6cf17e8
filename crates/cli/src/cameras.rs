//! `styleforge cameras`: lists the cameras with their names and formats.

use itertools::Itertools;
use serde::Serialize;

use super::{
    CliError,
    terminal::{print, print_json},
};
use engine::capture::{self, Camera, CameraFormat, PixelFormat};

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
    formats: Vec<CameraFormat>,
    /// Why the camera cannot be used, and what to do.
    problem: Option<String>,
}

impl Entry {
    fn new(Camera { id, name, description, problem }: Camera) -> Self {
        let formats = match problem {
            Some(problem) => Err(problem.to_string()),
            None => capture::formats(&id).map_err(|e| e.to_string()),
        };
        Self {
            id: id.to_string(),
            name,
            description,
            problem: formats.as_ref().err().cloned(),
            formats: formats.unwrap_or_default(),
        }
    }

    fn lines(&self) -> Vec<String> {
        let Self { id, name, description, .. } = self;
        let mut lines = vec![format!("{name}  ({description})"), format!("  camera:{id}")];
        let formats = by_pixels_and_size(&self.formats);
        lines.extend(formats.iter().map(|line| format!("  {line}")));
        lines.extend(self.problem.iter().map(|problem| format!("  -> {problem}")));
        lines
    }
}

/// # Errors
/// [`CliError::Failed`] if the system cannot list the cameras. Having no camera is not an error.
pub fn run(json: bool) -> Result<(), CliError> {
    let cameras: Vec<Entry> =
        capture::cameras().map_err(CliError::failed)?.into_iter().map(Entry::new).collect();
    if json {
        return print_json(&Report { cameras });
    }
    if cameras.is_empty() {
        return print(&[
            "No camera found. Connect one, or use the demo scene, photos or folders of photos.",
        ]);
    }
    let cameras: Vec<Vec<String>> = cameras.iter().map(Entry::lines).collect();
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
        let sizes = sizes.iter();
        let sizes =
            sizes.map(|(width, height, fps)| format!("{width}x{height} at {fps:.0}")).join(", ");
        lines.push(format!("{pixels}: {sizes}"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::capture::FrameInterval;

    #[test]
    fn formats_are_gathered() {
        let format = |pixels, width, height, fps| {
            let interval = FrameInterval::new(1, fps).expect("a rate");
            CameraFormat { width, height, interval, pixels }
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
