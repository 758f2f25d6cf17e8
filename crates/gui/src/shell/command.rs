//! Commands for the window itself. Commands that every page performs in its own way.

use std::path::PathBuf;

use crate::choice::Choice;
use crate::widgets::stage::Compare;
use crate::widgets::stage::ViewStep;
use crate::workspace::Page;
use settings::Choices;

/// Commands for the window itself.
#[derive(Debug, Clone, PartialEq)]
pub enum ShellCommand {
    /// Show the dialog for the folder of snapshots and recordings.
    AskSnapshotFolder,
    Quit,
    /// Close the window and start the program again.
    Restart,
    /// Close what is open; otherwise stop painting; otherwise dismiss a message.
    Escape,
    ToggleFullScreen,
    /// Toggle between fitting the picture to the full screen and filling it.
    ToggleFill,
    ToggleTheme,
    /// Show or hide the painting controls. Used when the window is too narrow to show everything.
    ToggleControls,
    ToggleShortcuts,
    /// Show or hide credits and licences.
    ToggleAbout,
    CloseOverlay,
    /// Answer the open question with the button of this number, or with the text of its field.
    Answer(usize),
    /// Show or hide the list of jobs and messages.
    ShowDock(bool),
    ClearMessages,
    /// Dismiss a message.
    Dismiss(u64),
    /// Change the stored choices of the window.
    SetChoices(Box<Choices>),
    /// Dismiss the first-run hint.
    HideHint,
    /// Save bytes to a file that the user chooses in a dialog.
    Export {
        /// The suggested name.
        file_name: String,
        /// What to write, or why there is nothing to write.
        bytes: Result<Vec<u8>, String>,
    },
    /// Show this file or folder in the file manager.
    ShowInFolder(PathBuf),
    Play(PathBuf),
    CopyFile(PathBuf),
    /// Show a page, with the ways to open its picture if the photo on the table belongs to another page.
    ShowPage(Page),
    /// Switch to live mode and back.
    TurnPage,
}

/// Commands that every page performs in its own way.
#[derive(Debug, Clone, PartialEq)]
pub enum ViewCommand {
    /// Change the choice. All steps of one drag are undone together.
    Edit(Choice),
    /// Change the strength by this many percent.
    StepStrength(i16),
    /// Toggle whether the photo's colours are kept.
    ToggleColors,
    /// More detail (1) or less detail (-1).
    StepDetail(isize),
    /// Switch to the other model size.
    ToggleModel,
    Undo,
    Redo,
    /// Set how the original and the painting are compared.
    Look(Compare),
    /// Change zoom or position of the picture.
    StepView(ViewStep),
    /// Freeze the live picture; for a photo, switch to the next way to compare.
    HoldOrCompare,
    /// Save the result.
    Save,
    /// Copy the result to the clipboard.
    Copy,
    /// Show the original while the key is held down; see `holds_original`.
    ShowOriginal,
}
