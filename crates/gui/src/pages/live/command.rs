//! Commands of the live page.

use std::sync::Arc;

use crate::pages::photo::finished::SnapshotPicture;
use engine::capture::Source;
use media::film::Codec;
use settings::LiveChoices;

/// Commands of the live page.
#[derive(Debug, Clone, PartialEq)]
pub enum LiveCommand {
    /// Show this source.
    UseSource(Source),
    /// Show the dialog for a video to paint live.
    AskVideo,
    /// Switch to live mode if necessary and use the first camera.
    UseCamera,
    /// Search for a camera again and use it, or report that there is none.
    LookForCamera,
    /// Close the camera immediately and show the demo scene.
    ReleaseCamera,
    /// List the cameras.
    ListCameras,
    /// Change the stored choices of live mode.
    SetLive(Box<LiveChoices>),
    /// Check whether sound can be recorded.
    TryMicrophone,
    /// Check whether videos can be recorded with this codec.
    TryCodec(Codec),
    /// Paint live pictures with this long side, in pixels.
    LiveDetail(usize),
    /// Freeze or resume the live picture.
    ToggleFreeze,
    /// Show the frozen picture as it was painted live, or repainted.
    LeaveAsSeen(bool),
    /// Save the current live picture.
    Snapshot,
    /// Also save this snapshot as it was painted live.
    SaveAsSeen(Arc<SnapshotPicture>),
    ToggleRecording,
    /// Start or stop showing the painting as a camera.
    ToggleCameraOut,
    /// Show the previews of all styles, or the chosen style alone.
    TogglePreviews,
}
