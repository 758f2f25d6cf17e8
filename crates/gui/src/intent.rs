//! Intents: the user's actions in the window. Widgets and keys only send intents; the app performs them in one place.

use std::{path::PathBuf, sync::Arc};

use eframe::egui::{Context, Id, Response};

use crate::{
    choice::Choice,
    jobs::exports::Action,
    pages::{film, photo::finished::SnapshotPicture},
    styles::order::Move,
    widgets::stage::{Compare, ViewStep},
};
use engine::capture::Source;
use media::film::Codec;
use settings::{Choices, LiveChoices};
use weights::PixelFormat;

/// An action of the user.
#[derive(Debug, Clone, PartialEq)]
pub enum Intent {
    /// Show the dialog to open a photo.
    AskOpen,
    /// Open these files: a photo, a checkpoint, a folder, or several photos.
    OpenFiles(Vec<PathBuf>),
    /// Open a photo from the list of recent photos.
    OpenRecent(PathBuf),
    /// The list of recent photos was opened: load its thumbnails.
    SeeRecents,
    /// Clear the list of recent photos.
    ClearRecents,
    OpenSample,
    /// Read the clipboard.
    Paste,
    /// Add the photo in this file as a style, and show the previous photo again.
    PreferStyle(PathBuf),
    /// Add the picture in this file as a style.
    UseAsStyle(PathBuf),
    /// Show the dialog to open a folder of photos.
    AskFolder,
    AskStyle,
    PickStyle(String),
    /// Paint in the style this many places further down the gallery.
    StepStyle(isize),
    /// Ask for a new name for this style.
    AskName(String),
    RemoveStyle(String),
    /// Restore a removed style.
    BringBack(String),
    /// Show this file or folder in the file manager.
    ShowInFolder(PathBuf),
    Play(PathBuf),
    CopyFile(PathBuf),
    /// Show this saved painting large.
    ShowPainting(PathBuf),
    /// Show the photo again instead of a saved painting.
    ClosePainting,
    /// Remove this painting from the list of saved paintings; keep its file.
    ForgetPainting(PathBuf),
    /// Clear the list of saved paintings; keep the files.
    ClearPaintings,
    /// Show or hide the strip of saved paintings.
    ToggleStrip,
    /// Move this style in the list.
    MoveStyle(String, Move),
    /// Stop mixing: continue with the chosen style alone.
    DropMix,
    /// Ask for a name under which the mix becomes a style.
    AskMixName,
    /// Show the form for an export of the film.
    ExportFilm,
    /// Play, pause or seek in the film.
    Film(film::Step),
    /// Change the choice. All steps of one drag are undone together.
    Edit(Choice),
    /// Paint with the default detail.
    UsualDetail,
    /// Start cropping the photo, or cancel it.
    ToggleCrop,
    /// Crop the photo to the chosen rectangle.
    ApplyCrop,
    Undo,
    Redo,
    /// Set how the original and the painting are compared.
    Look(Compare),
    /// Stop painting.
    Cancel,
    /// Save the result.
    Save,
    /// Ask where to save the contact sheet: the photo in every style.
    AskContactSheet,
    /// Copy the result to the clipboard.
    Copy,
    /// Change the stored choices of the window.
    SetChoices(Box<Choices>),
    /// Show or hide the painting controls. Used when the window is too narrow to show everything.
    ToggleControls,
    ToggleShortcuts,
    /// Show or hide credits and licences.
    ToggleAbout,
    /// Show the licences of the program and its dependencies.
    ShowLicences,
    CloseOverlay,
    /// Dismiss a message.
    Dismiss(u64),
    /// Answer the open question with the button of this number, or with the text of its field.
    Answer(usize),
    /// Show the dialog for the output folder of a batch.
    AskTargetFolder,
    StartBatch,
    StopBatch,
    /// Pause the batch after its current photo, or continue it.
    PauseBatch(bool),
    /// Add the file that the question is about; its network's inputs and outputs have this format.
    TakeReading(PixelFormat),
    /// Also paint the photos that the batch skipped, and replace their existing paintings.
    ReplaceSkipped,
    /// Show the dialog for the folder of snapshots and recordings.
    AskSnapshotFolder,
    /// Close the card of the batch.
    CloseBatch,
    /// Switch to live mode.
    EnterLive,
    /// Switch to photo mode.
    LeaveLive,
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
    /// Start or stop comparing two modes.
    ToggleCompare,
    /// Show or hide the difference between the two modes.
    ToggleDifference,
    /// Start or stop measuring the two modes by the fixed protocol.
    ToggleMeasuring,
    /// Save bytes to a file that the user chooses in a dialog.
    Export {
        /// The suggested name.
        file_name: String,
        /// What to write, or why there is nothing to write.
        bytes: Result<Vec<u8>, String>,
    },
    Exports(Action),
    /// Show the previews of all styles, or the chosen style alone.
    TogglePreviews,
    ToggleLab,
    ToggleFullScreen,
    /// Dismiss the first-run hint.
    HideHint,
    /// Paint in the style with this number key, counted from 0.
    PickKey(usize),
    /// Ask for a new name for the chosen style or for the mix.
    RenameChosen,
    /// Remove the chosen style from the gallery, stop mixing, or remove the open painting from its list.
    RemoveChosen,
    /// Move the chosen style in the list.
    MoveChosen(Move),
    /// More detail (1) or less detail (-1).
    StepDetail(isize),
    /// Change the strength by this many percent.
    StepStrength(i16),
    /// Toggle whether the photo's colours are kept.
    ToggleColors,
    /// Switch to the other model size.
    ToggleModel,
    ToggleTheme,
    /// Change zoom or position of the picture.
    StepView(ViewStep),
    /// Freeze the live picture; for a photo, switch to the next way to compare.
    HoldOrCompare,
    /// Toggle between fitting the picture to the full screen and filling it.
    ToggleFill,
    /// Show the original while the key is held down; see `holds_original`.
    ShowOriginal,
    /// Switch between live and photo mode.
    TurnPage,
    /// Close what is open; otherwise stop painting; otherwise dismiss a message.
    Escape,
    Quit,
    /// Close the window and start the program again.
    Restart,
}

impl Intent {
    /// Queues the intent; the app performs it after the frame is drawn.
    pub fn send(self, ctx: &Context) {
        ctx.data_mut(|data| {
            data.get_temp_mut_or_default::<Vec<Self>>(Id::NULL).push(self);
        });
    }

    /// Returns the intents that were sent since the last call.
    pub fn take_sent(ctx: &Context) -> Vec<Self> {
        ctx.data_mut(|data| data.remove_temp(Id::NULL)).unwrap_or_default()
    }
}

/// A widget that sends an intent.
pub trait Sends {
    /// Sends an intent if the widget was clicked.
    fn sends(self, intent: Intent) -> Self;
}

impl Sends for Response {
    fn sends(self, intent: Intent) -> Self {
        if self.clicked() {
            intent.send(&self.ctx);
        }
        self
    }
}
