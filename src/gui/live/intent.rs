//! Intents about live pictures.

use crate::{capture::Source, settings::LiveChoices};

/// An action about live pictures that a person chose.
#[derive(Clone, Debug, PartialEq)]
pub enum LiveIntent {
    /// Show live pictures.
    Enter,
    /// Show photos.
    Leave,
    /// Show this source.
    Use(Source),
    /// Use the first camera, from wherever one is.
    UseCamera,
    /// Look for a camera once more and show it, or say that there is none.
    LookForCamera,
    /// Let go of the camera at once and show the demo scene.
    ReleaseCamera,
    /// Look which cameras there are.
    ListCameras,
    /// Change what is remembered of live pictures.
    Set(Box<LiveChoices>),
    /// Hold the picture, or let it go on.
    ToggleFreeze,
    /// Show the held picture as it was seen, or painted once more.
    LeaveAsSeen(bool),
    /// Save the picture as it is now.
    Snapshot,
    /// Save the picture of this snapshot too as it was seen.
    SaveAsSeen(u64),
    /// Begin or end a recording.
    ToggleRecording,
    /// Compare two modes, or stop it.
    ToggleCompare,
    /// Show where the two modes differ, or stop it.
    ToggleDifference,
    /// Measure the two modes by the fixed protocol, or stop measuring.
    ToggleMeasuring,
    /// Put the report of a measurement away.
    CloseReport,
    /// Save bytes in a file that a dialog names.
    Export {
        /// The name to start with.
        file_name: String,
        /// What to write.
        bytes: Vec<u8>,
    },
    /// Something could not be exported, in words.
    ExportFailed(String),
    /// Every style at once, or one.
    TogglePreviews,
    /// Show or hide the Lab.
    TogglePanel,
    /// Over the whole screen, or not.
    ToggleFullScreen,
    /// Put the first-run hint away.
    HideHint,
}
