//! The data that background tasks take and the reports that they give.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use crate::{
    capture::Camera,
    compose::Look,
    engine::paint::{OutputSize, Painting},
    frame::Frame,
    gui::{
        arrivals::PictureUse,
        choice::SavedKey,
        label::name_label,
        live::Snapped,
        mix::Parts,
        style_source::{Card, Import, Loaded},
    },
    measure::MeasureReport,
    media::{
        MediaError, decode,
        encode::Encoding,
        framing::Framing,
        record::{Recorded, Recorder, TakenFrames},
    },
    mode::ModelSize,
    network::Network,
    weights::PixelFormat,
};

/// Where a photo comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A file.
    File(PathBuf),
    /// The embedded sample.
    Sample,
    /// The clipboard.
    Clipboard,
}

/// A photo, ready to show and to paint.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The photo.
    pub photo: decode::Photo,
    /// The photo with a long side of at most [`PREVIEW_PX`](crate::engine::compositor::PREVIEW_PX).
    pub preview: Arc<Frame>,
    /// Where it comes from.
    pub origin: Origin,
    /// How it is to be turned and cropped.
    pub framing: Framing,
}

impl Opened {
    /// Its name for people.
    pub fn title(&self) -> String {
        match &self.origin {
            Origin::File(path) => name_label(path),
            Origin::Sample => "Sample photo".to_owned(),
            Origin::Clipboard => "Pasted picture".to_owned(),
        }
    }
}

/// A photo without more about it.
#[derive(Clone)]
pub struct Whole {
    /// The photo.
    pub frame: Arc<Frame>,
    /// The photo with a long side of at most [`PREVIEW_PX`](crate::engine::compositor::PREVIEW_PX).
    pub preview: Arc<Frame>,
}

impl Whole {
    /// Columns and rows, in pixels.
    pub fn size(&self) -> (usize, usize) {
        (self.frame.width(), self.frame.height())
    }
}

/// The purpose of a file dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To open a photo or a checkpoint.
    Open,
    /// To add a style.
    Style,
    /// To paint a folder.
    Folder,
    /// To say where a batch's paintings go.
    TargetFolder,
    /// To save the result.
    Save,
    /// To save a report.
    Export,
    /// To save the photo in every style.
    ContactSheet,
}

/// A chart and the same as a PNG file.
pub type DrawnChart = (Frame, Vec<u8>);

/// A finished picture in its parts; put together where it is needed, off the window's thread.
#[derive(Clone)]
pub struct Finished {
    /// The key under which the workspace notes that it was saved.
    pub key: SavedKey,
    /// The photo.
    pub photo: Arc<Frame>,
    /// The network's picture of it.
    pub painting: Arc<Painting>,
    /// Size of the finished picture.
    pub output: OutputSize,
    /// Strength and colours.
    pub look: Look,
    /// The photo's colour profile.
    pub icc: Option<Vec<u8>>,
}

impl Finished {
    /// The picture itself.
    pub fn frame(&self) -> Frame {
        self.painting.finished(&self.photo, self.output, self.look)
    }
}

/// A result on its way into a file.
#[derive(Clone)]
pub struct Save {
    /// The target.
    pub path: PathBuf,
    /// The picture as it was when the save began.
    pub finished: Finished,
    /// How it is encoded.
    pub encoding: Encoding,
}

/// A network that is to be tried out, and the photo for that.
#[derive(Clone, Debug)]
pub struct ReadNetwork {
    /// The network, between the levels of a photo and those of a picture.
    pub network: Arc<Network>,
    /// The photo, small.
    pub photo: Arc<Frame>,
}

/// A recording that may begin.
pub struct StartedRecording {
    /// Ends it.
    pub recorder: Recorder,
    /// Why it is not what was asked for, in a sentence.
    pub note: Option<String>,
}

/// Long side of the small picture of one that was saved, in pixels: twice that of its place, for fine screens.
pub const THUMBNAIL_PX: usize = 192;

/// A live picture in its file.
pub struct SavedSnapshot {
    /// The file.
    pub path: PathBuf,
    /// Columns and rows, in pixels.
    pub size: (usize, usize),
    /// The picture, with a long side of at most [`THUMBNAIL_PX`].
    pub thumbnail: Frame,
    /// The same as it was seen, where that is another picture.
    pub seen: Option<Box<Snapped>>,
}

/// Size and time of a file, by which another one of its name is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    bytes: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    /// That of the file as it is now; `None` where there is none.
    pub fn of(path: &Path) -> Option<Self> {
        let about = std::fs::metadata(path).ok()?;
        Some(Self { bytes: about.len(), modified: about.modified().ok() })
    }
}

/// A small picture of a file, or why there is none.
pub struct SmallPicture {
    /// The file as it was.
    pub stamp: Option<Stamp>,
    /// The picture, with a long side of at most [`THUMBNAIL_PX`], or a sentence for people.
    pub picture: Result<Frame, String>,
}

/// Files by their kind, as far as their names show it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sorted {
    /// Photos, those in folders included.
    pub photos: Vec<PathBuf>,
    /// Checkpoints.
    pub checkpoints: Vec<PathBuf>,
    /// Whether photos came out of a folder.
    pub has_folder: bool,
    /// Folders that could not be read or hold no photos, and why.
    pub problems: Vec<String>,
    /// What was left out of the folders, in words.
    pub notes: Vec<String>,
}

/// The outcome of a task.
pub enum Report {
    /// A photo was opened, or not.
    Opened {
        /// The number of the request.
        ticket: u64,
        /// The photo, or why there is none.
        result: Result<Box<Opened>, String>,
    },
    /// A photo that was opened before is no longer there.
    RecentGone {
        /// The number of the request.
        ticket: u64,
        /// Where it was.
        path: PathBuf,
    },
    /// A picture was on the clipboard.
    Pasted {
        /// The number of the request.
        ticket: u64,
        /// The picture, as a photo.
        picture: Box<Opened>,
    },
    /// A photo was turned and cropped, or not.
    Framed {
        /// The photo's number.
        photo: u64,
        /// How.
        framing: Framing,
        /// The picture, or why there is none.
        result: Result<Whole, String>,
    },
    /// The clipboard holds nothing of use.
    NothingToPaste,
    /// Something small could not be done, in words.
    NotDone(String),
    /// A style has another name, or not.
    Renamed {
        /// The style's id until now.
        id: String,
        /// The name that was typed.
        name: String,
        /// The style's id from now on, or why it has no other name.
        result: Result<String, String>,
    },
    /// A style's files are gone, or why they are not.
    Removed(Result<(), String>),
    /// The network of a mix was made, or not.
    Mixed {
        /// The mix.
        parts: Parts,
        /// The network, or why there is none.
        result: Result<Loaded, String>,
    },
    /// A mix was kept as a style, or not.
    Kept {
        /// The mix.
        parts: Parts,
        /// The name that was typed.
        name: String,
        /// The style's id, or why it was not kept.
        result: Result<String, String>,
    },
    /// A style's network was read for its small picture, or not.
    SwatchRead {
        /// The style's id.
        id: String,
        /// The network, or why there is none.
        result: Result<ReadNetwork, String>,
    },
    /// Reading a style's network for its small picture panicked.
    SwatchBroke {
        /// The style's id.
        id: String,
        /// The words of the panic.
        panic: String,
    },
    /// The text on the clipboard, for a field.
    PastedText(String),
    /// Where the pointer is on the screen, in pixels, where the system tells it.
    Pointer(Option<(i32, i32)>),
    /// The styles were listed.
    Styles {
        /// Every style.
        cards: Vec<Card>,
        /// Problems of files that should have been styles.
        problems: Vec<String>,
    },
    /// A network was loaded, or not.
    StyleLoaded {
        /// The style's id.
        id: String,
        /// The requested size.
        requested: ModelSize,
        /// The network, or why there is none.
        result: Result<Loaded, String>,
    },
    /// A checkpoint was added to the styles, or not.
    Imported {
        /// Its file.
        path: PathBuf,
        /// Its id or what has to be asked, or why it is no style.
        result: Result<Import, String>,
    },
    /// A network was read to be tried out, or not.
    Read {
        /// The number of the question.
        number: u64,
        /// How it was read.
        format: PixelFormat,
        /// The network, or why there is none.
        result: Result<ReadNetwork, String>,
    },
    /// A dialog was answered.
    Chosen {
        /// Its purpose.
        purpose: Purpose,
        /// The choice, `None` when there was none, or why no dialog was shown.
        result: Result<Option<PathBuf>, String>,
    },
    /// The result was saved, or not.
    Saved {
        /// The result and its target.
        save: Box<Save>,
        /// Notes, or why it was not saved.
        result: Result<Vec<String>, MediaError>,
    },
    /// The result was copied to the clipboard, or not.
    Copied(Result<(), String>),
    /// The picture in this file was copied to the clipboard, or not.
    CopiedFile(Result<PathBuf, String>),
    /// A small picture was made of a painting that was saved, or not.
    Thumbnail {
        /// The painting's file.
        path: PathBuf,
        /// The picture, or why there is none.
        small: SmallPicture,
    },
    /// These files are others than those of which small pictures were made.
    PaintingsChanged(Vec<PathBuf>),
    /// A painting that was saved was opened to be seen, or not.
    PaintingOpened {
        /// Its file.
        path: PathBuf,
        /// The painting, `None` when it is no longer there, or why it cannot be opened.
        result: Result<Option<Box<Opened>>, String>,
    },
    /// The network of a style was read for a contact sheet, or not.
    SheetRead {
        /// The sheet's number.
        number: u64,
        /// The network and the photo, or why there is none.
        result: Result<ReadNetwork, String>,
    },
    /// A painting has its size on a contact sheet.
    SheetCell {
        /// The sheet's number.
        number: u64,
        /// The painting, small.
        cell: Frame,
    },
    /// A contact sheet was written, or not.
    SheetWritten {
        /// The sheet's number.
        number: u64,
        /// Where it lies, or why it does not.
        result: Result<PathBuf, String>,
    },
    /// Files were looked at.
    Sorted {
        /// The number of the request.
        ticket: u64,
        /// What the pictures among them are for.
        picture_use: PictureUse,
        /// The files by their kind.
        sorted: Sorted,
    },
    /// A report was saved, or not.
    Exported(Result<PathBuf, String>),
    /// The chart of a report was drawn, or not.
    Charted {
        /// The report.
        report: Arc<MeasureReport>,
        /// The chart, or why there is none.
        result: Result<DrawnChart, String>,
    },
    /// A live picture was saved, or not.
    SnapshotSaved(Result<SavedSnapshot, String>),
    /// A recording may begin, or not.
    Recording {
        /// Its frames.
        taken: TakenFrames,
        /// The recording, or why there is none.
        result: Result<Box<StartedRecording>, String>,
    },
    /// A recording is written.
    Recorded(Recorded),
    /// The system's cameras, or why they are not known.
    Cameras(Result<Vec<Camera>, String>),
    /// The settings could not be written.
    SettingsFailed(String),
    /// The task has ended and has nothing to report.
    Quiet,
    /// A mistake of this program.
    Broke(String),
}

impl Report {
    /// The failure to write a file, for people; `None` for other reports.
    pub fn failure(&self) -> Option<String> {
        match self {
            Self::Saved { result: Err(error), .. } => Some(error.to_string()),
            Self::Imported { path, result: Ok(Import::Unclear(_)) } => Some(format!(
                "{} was not added as a style: nobody was left to say how it is to be read",
                name_label(path)
            )),
            Self::Imported { result: Err(error), .. }
            | Self::Exported(Err(error))
            | Self::SnapshotSaved(Err(error))
            | Self::SettingsFailed(error)
            | Self::SheetWritten { result: Err(error), .. }
            | Self::Renamed { result: Err(error), .. }
            | Self::Removed(Err(error))
            | Self::Recording { result: Err(error), .. }
            | Self::Kept { result: Err(error), .. } => Some(error.clone()),
            Self::Recorded(recorded) => recorded.failure_in_words(),
            _ => None,
        }
    }
}
