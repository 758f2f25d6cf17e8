//! Intents: what the user does with the window. Widgets and keys only send intents; the app performs them in one
//! place.

use std::path::PathBuf;

use eframe::egui::{Context, Id};

use super::{
    choice::Choice,
    incoming::PictureUse,
    mix::Parts,
    platform::Purpose,
    stage::{Compare, ViewStep},
    style_order::Move,
};
use crate::{
    capture::Source,
    media::encode::Format,
    settings::{LiveChoices, ThemeChoice},
    weights::PixelFormat,
};

/// What a name is for.
#[derive(Clone, Debug, PartialEq)]
pub enum NameFor {
    /// For the style of this id, which has another one.
    Style(String),
    /// For this mix, which becomes a style.
    Mix(Parts),
}

/// An action that a person chose.
#[derive(Clone, Debug, PartialEq)]
pub enum Intent {
    /// Show the dialog to open a photo.
    AskOpen,
    /// Open these files: a photo, a checkpoint, a folder, or several photos.
    OpenFiles(Vec<PathBuf>),
    /// Open a photo of the list of recent ones.
    OpenRecent(PathBuf),
    /// The list of recent photos is seen, and shows them small.
    SeeRecents,
    /// Forget which photos were opened.
    ClearRecents,
    /// Open the built-in sample.
    OpenSample,
    /// Look what the clipboard holds.
    Paste,
    /// Use the pictures that the question is about so.
    UseAs(PictureUse),
    /// Make a style of the photo in this file, which was opened as a photo, and show again what was there before it.
    PreferStyle(PathBuf),
    /// Forget what was shown before the photo that was dropped last.
    ForgetBefore,
    /// Show the dialog for a folder of photos.
    AskFolder,
    /// Show the dialog to add a style.
    AskStyle,
    /// Paint in this style.
    PickStyle(String),
    /// Paint in the style so many places further down the gallery.
    StepStyle(isize),
    /// Ask for another name of this style.
    AskName(String),
    /// Take this name.
    TakeName(NameFor, String),
    /// Take this style out of the gallery.
    RemoveStyle(String),
    /// Put a style into the gallery again.
    BringBack(String),
    /// Show the file of this style.
    ShowFile(String),
    /// Show this file in its folder, or this folder.
    ShowInFolder(PathBuf),
    /// Play the video in this file.
    Play(PathBuf),
    /// Copy the picture in this file to the clipboard.
    CopyFile(PathBuf),
    /// Show this painting, which was saved, large.
    ShowPainting(PathBuf),
    /// Show the photo again.
    ClosePainting,
    /// Take this painting off the list of those that were saved; its file stays.
    ForgetPainting(PathBuf),
    /// Take all of them off the list; their files stay.
    ClearPaintings,
    /// Whether the strip of these is folded away.
    FoldPaintings(bool),
    /// Put this style elsewhere in the list.
    MoveStyle(String, Move),
    /// Go on with the style alone that is mixed with others.
    DropMix,
    /// Ask what the mix is to be called as a style of its own.
    AskMixName,
    /// Change the choice. Steps of one drag are undone together.
    Edit(Choice),
    /// Paint with the detail that nobody chose.
    UsualDetail,
    /// Begin cropping the photo, or leave it as it is.
    ToggleCrop,
    /// Take the part of the photo that was chosen.
    ApplyCrop,
    /// Leave the photo as it is.
    CancelCrop,
    /// Undo the last change.
    Undo,
    /// Redo the last undone change.
    Redo,
    /// How the two pictures are shown.
    Look(Compare),
    /// Stop painting.
    Cancel,
    /// Save the result.
    Save,
    /// Ask where the photo in every style is to be saved.
    AskContactSheet,
    /// Give up painting the photo in every style.
    StopContactSheet,
    /// Copy the result to the clipboard.
    Copy,
    /// Whether the full screen is filled, and not the whole picture fitted to it.
    FillScreen(bool),
    /// Dark, light or as the desktop says.
    SetTheme(ThemeChoice),
    /// Format to save in.
    SetFormat(Format),
    /// JPEG quality, 1 to 100.
    SetJpegQuality(u8),
    /// Whether to ask before an unsaved result is lost.
    SetAskBeforeLosing(bool),
    /// Whether the list of styles shows the open photo.
    SetStylesShowPhoto(bool),
    /// Show or hide the controls of the painting, where the window is too narrow for all of it.
    ToggleControls,
    /// Show or hide the list of shortcuts.
    ToggleShortcuts,
    /// Show or hide credits and licences.
    ToggleAbout,
    /// Show the licences of the program and its parts.
    ShowLicences,
    /// Close what lies over the window.
    CloseOverlay,
    /// Take a message away.
    Dismiss(u64),
    /// Do what a message offers.
    TakeOffer(u64),
    /// Replace the file that the question is about.
    ReplaceFile,
    /// Save under another name instead.
    ChooseOtherName,
    /// Save the result, then go on with what would lose it.
    SaveThenGoOn,
    /// Lose the result and go on.
    LoseResult,
    /// Change nothing.
    KeepResult,
    /// Show the dialog for the folder that a batch's paintings go to.
    AskTargetFolder,
    /// Whether a batch replaces files that exist.
    SetBatchReplace(bool),
    /// Paint a batch in the styles of these ids, or in the chosen one.
    SetBatchStyles(Option<Vec<String>>),
    /// Start the batch.
    StartBatch,
    /// Stop the batch.
    StopBatch,
    /// Stop the batch and close the window.
    StopBatchAndClose,
    /// End the recording and close the window.
    StopRecordingAndClose,
    /// Add the file that the question is about, whose network reads and makes these values.
    TakeReading(PixelFormat),
    /// Use this path, which was typed for lack of a file dialog.
    TakePath(Purpose, String),
    /// Paint the photos too that the batch skipped, and replace their paintings.
    ReplaceSkipped,
    /// Put the batch away.
    CloseBatch,
    /// Show live pictures.
    EnterLive,
    /// Show photos.
    LeaveLive,
    /// Show this source.
    UseSource(Source),
    /// Use the first camera, from wherever one is.
    UseCamera,
    /// Look for a camera once more and show it, or say that there is none.
    LookForCamera,
    /// Let go of the camera at once and show the demo scene.
    ReleaseCamera,
    /// Look which cameras there are.
    ListCameras,
    /// Change what is remembered of live pictures.
    SetLive(Box<LiveChoices>),
    /// Hold the picture, or let it go on.
    ToggleFreeze,
    /// Show the held picture as it was seen, or painted once more.
    LeaveAsSeen(bool),
    /// Save the picture as it is now.
    Snapshot,
    /// Save the picture of this snapshot too as it was seen.
    SaveAsSeen(u64),
    /// Start or stop recording.
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
        /// What to write, or why there is nothing.
        bytes: Result<Vec<u8>, String>,
    },
    /// Every style at once, or one.
    TogglePreviews,
    /// Show or hide the Lab.
    ToggleLab,
    /// Over the whole screen, or not.
    ToggleFullScreen,
    /// Put the first-run hint away.
    HideHint,
    /// Paint in the style that has this number key, counted from 0.
    PickKey(usize),
    /// Ask for another name of the chosen style, or for one of the mix.
    RenameChosen,
    /// Take the chosen style out of the gallery, go on without the mix, or take the painting off the list.
    RemoveChosen,
    /// Put the chosen style elsewhere in the list.
    MoveChosen(Move),
    /// More detail (1) or less (-1).
    StepDetail(isize),
    /// More or less strength, in percent.
    StepStrength(i16),
    /// Keep the photo's colours, or not.
    ToggleColors,
    /// The other model size.
    ToggleModel,
    /// Dark to light, or back.
    ToggleTheme,
    /// Change how the picture is seen.
    StepView(ViewStep),
    /// Hold the live picture; for a photo, the next way to look.
    HoldOrCompare,
    /// The whole picture on the full screen, or all of the screen filled.
    ToggleFill,
    /// Show the original as long as the key is down; `holds_original` tells.
    ShowOriginal,
    /// Live pictures to photos, or back.
    TurnPage,
    /// Close what is open, else stop painting, else dismiss a message.
    Escape,
    /// Close the window.
    Quit,
    /// Close the window and start the program again.
    Restart,
}

impl Intent {
    /// Has the app perform this once the frame is drawn.
    pub fn send(self, ctx: &Context) {
        ctx.data_mut(|data| {
            data.get_temp_mut_or_default::<Vec<Self>>(Id::NULL).push(self);
        });
    }

    /// The intents that were sent since the last call.
    pub fn take_sent(ctx: &Context) -> Vec<Self> {
        ctx.data_mut(|data| data.remove_temp(Id::NULL)).unwrap_or_default()
    }
}
