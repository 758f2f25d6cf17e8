//! Camera out for `styleforge live`: starts what `--camera-out` requests and describes it.

use crate::{CliError, args::LiveArgs, terminal::write_message};
use engine::{
    camera_out::{CameraOut, CameraSink, FPS, OnAir, Status},
    capture::{OutputProblem, OutputRequest, Source, open_output},
};
use threads::WakeUp;

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
        if let OutputProblem::Missing(setup) = &problem {
            setup.steps().into_iter().for_each(write_message);
        }
        CliError::wrong_use(problem)
    })?;
    write_message(format!("camera out: {}", described(&camera_out.status())));
    Ok(Some((camera_out, sink)))
}

/// The device, and what readers get, as text.
pub fn described(status: &Status) -> String {
    let (camera, words) = (&status.camera, status.summary());
    format!("{} ({}), {words}", camera.label, camera.device)
}
