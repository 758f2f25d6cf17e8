//! Camera out for `styleforge live`: starts what `--camera-out` requests and reports the result.

use serde::Serialize;

use crate::{
    capture::{OutputRequest, Setup, Source, open_output},
    cli::{CliError, args::LiveArgs, terminal::write_message},
    engine::WakeUp,
    media::camera_out::{CameraOut, CameraSink, FPS, OnAir, Status},
};

/// Starts camera out if it is requested. `style` is shown while there is no picture.
///
/// # Errors
/// [`CliError::WrongUse`] if there is no usable device.
pub fn start(
    args: &LiveArgs,
    style: String,
    wake_up: WakeUp,
) -> Result<Option<(CameraOut, CameraSink)>, CliError> {
    let Some(device) = &args.camera_out else {
        return Ok(None);
    };
    let request = OutputRequest {
        device: (device != "auto").then(|| device.clone()),
        size: args.camera_out_size,
        fps: FPS,
    };
    let on_air = OnAir {
        is_held: false,
        is_still: matches!(args.source, Source::Photo(_) | Source::Folder(_)),
        is_flipped: args.mirror && matches!(args.source, Source::Camera(_)),
        style,
    };
    let started =
        open_output(&request).and_then(|output| CameraOut::start(output, on_air, wake_up));
    let (camera_out, sink) = started.map_err(|problem| {
        for step in problem.setup().map(Setup::steps).unwrap_or_default() {
            write_message(step);
        }
        CliError::wrong_use(problem)
    })?;
    write_message(format!("camera out: {}", described(&camera_out.status())));
    Ok(Some((camera_out, sink)))
}

fn described(status: &Status) -> String {
    let (camera, words) = (&status.camera, status.in_words());
    format!("{} ({}), {words}", camera.label, camera.device)
}

#[derive(Serialize)]
pub struct CameraOutReport {
    pub device: String,
    pub label: String,
    /// Width and height that readers get, in pixels.
    pub size: (usize, usize),
    pub fps: u32,
    /// Pictures that the device took.
    pub written: u64,
    /// Summary as text.
    #[serde(skip)]
    pub in_words: String,
}

impl From<Status> for CameraOutReport {
    fn from(status: Status) -> Self {
        let Status { ref camera, size, written, .. } = status;
        Self {
            device: camera.device.clone(),
            label: camera.label.clone(),
            size,
            fps: FPS,
            written,
            in_words: format!("camera out: {}: {written} pictures", described(&status)),
        }
    }
}
