//! Errands of the window that read, write or wait: they run on a few background threads and bring
//! back a [`Report`].
//!
//! Errands travel on a bounded channel that any of the threads serves. File dialogs, which wait for
//! a person, get a thread of their own each, one at a time. A panic in an errand becomes a report.
//! The [`Desk`] handle belongs to the window's thread and never waits. Knows no egui.

mod opening;
mod settings;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{Arc, Mutex},
};

use crossbeam_channel::{Receiver, Sender, bounded, select};

pub use opening::PAINTED;

use self::{
    opening::{from_clipboard, opened, sorted},
    settings::SettingsFile,
};
use super::{
    choice::SavedKey,
    label::name_label,
    outside::{Clip, Dialog, Outside},
    shelf::{Card, Loaded, Shelf},
};
use crate::{
    capture::Camera,
    compose::Look,
    disk::reason,
    engine::{
        WakeUp,
        paint::{OutputSize, Painting},
    },
    frame::Frame,
    mailbox::{Reader, Writer, mailbox},
    measure::MeasureReport,
    media::{
        MediaError, decode,
        encode::{self, Encoding, Existing},
        record::{FrameSink, Recorded, Recorder},
    },
    mode::ModelSize,
    settings::Settings,
};

/// Threads that run errands.
const THREADS: usize = 2;
/// Errands that may wait; a person cannot make more before the threads have run them.
const ERRANDS: usize = 64;
/// Reports that may wait for the window.
const REPORTS: usize = 64;

/// Something to do in the background, and what is held until it is reported when it writes something.
struct Errand {
    run: Box<dyn FnOnce() -> Report + Send>,
    writes: Option<Sender<()>>,
}

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
    /// It with a long side of at most [`PREVIEW_PX`](crate::engine::compositor::PREVIEW_PX).
    pub preview: Arc<Frame>,
    /// Where it comes from.
    pub origin: Origin,
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

/// What a file dialog was shown for.
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
}

/// A chart and the same as a PNG file.
pub type DrawnChart = (Frame, Vec<u8>);

/// A finished picture in its parts; put together where it is needed, off the window's thread.
#[derive(Clone)]
pub struct Finished {
    /// What is marked as saved when it has been saved or copied.
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
    fn frame(&self) -> Frame {
        self.painting.finished(&self.photo, self.output, self.look)
    }
}

/// A result on its way into a file.
#[derive(Clone)]
pub struct Save {
    /// The target.
    pub path: PathBuf,
    /// The picture as it was when the save was asked for.
    pub finished: Finished,
    /// How it is encoded.
    pub encoding: Encoding,
}

/// A live picture in its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The file.
    pub path: PathBuf,
    /// Columns and rows, in pixels.
    pub size: (usize, usize),
}

/// Files by what they are, as far as their names tell.
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
    /// What of the folders is left out.
    pub notes: Vec<String>,
}

/// What came of an errand.
pub enum Report {
    /// A photo was opened, or not.
    Opened {
        /// The number that the asker gave.
        ticket: u64,
        /// The photo, or why there is none.
        result: Result<Box<Opened>, String>,
    },
    /// The clipboard holds nothing of use.
    NothingToPaste,
    /// The styles were listed.
    Styles {
        /// Every style.
        cards: Vec<Card>,
        /// What is wrong with files that should have been styles.
        problems: Vec<String>,
    },
    /// A network was loaded, or not.
    StyleLoaded {
        /// The style's id.
        id: String,
        /// The size asked for.
        wanted: ModelSize,
        /// The network, or why there is none.
        result: Result<Loaded, String>,
    },
    /// A checkpoint was added to the styles, or not.
    Imported {
        /// Its id, or why it is no style.
        result: Result<String, String>,
    },
    /// A dialog was answered.
    Chosen {
        /// What it was for.
        purpose: Purpose,
        /// The choice, `None` when there was none, or why no dialog was shown.
        result: Result<Option<PathBuf>, String>,
    },
    /// The result was saved, or not.
    Saved {
        /// What was to be saved.
        save: Box<Save>,
        /// Notes, or why it was not saved.
        result: Result<Vec<String>, MediaError>,
    },
    /// The result was copied to the clipboard, or not.
    Copied {
        /// What is marked as saved when it was.
        key: SavedKey,
        /// Why it was not.
        result: Result<(), String>,
    },
    /// Files were looked at.
    Sorted {
        /// Of the wish that led to it.
        ticket: u64,
        /// What they are.
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
    Snapshot(Result<Snapshot, String>),
    /// A recording may begin, or not.
    Recording(Result<Box<(Recorder, FrameSink)>, String>),
    /// A recording is written.
    Recorded(Recorded),
    /// The system's cameras, or why they are not known.
    Cameras(Result<Vec<Camera>, String>),
    /// The settings could not be written.
    SettingsFailed(String),
    /// Done, and nothing to say.
    Quiet,
    /// A mistake of this program.
    Broke(String),
}

impl Report {
    /// What could not be written, for people; `None` when this reports nothing of the kind.
    pub fn failure(&self) -> Option<String> {
        match self {
            Self::Saved {
                result: Err(error), ..
            } => Some(error.to_string()),
            Self::Imported { result: Err(error) }
            | Self::Exported(Err(error))
            | Self::Snapshot(Err(error))
            | Self::SettingsFailed(error) => Some(error.clone()),
            Self::Recorded(recorded) => recorded.failure_in_words(),
            _ => None,
        }
    }
}

/// The window's handle of the background threads.
pub struct Desk {
    errands: Sender<Errand>,
    reports: Receiver<Report>,
    report_sender: Sender<Report>,
    /// Lent to every errand that writes; once this one and all that are lent are gone, `written` says so.
    writes: Option<Sender<()>>,
    written: Receiver<()>,
    changed_settings: Writer<Option<SettingsFile>>,
    newest_settings: Arc<Mutex<Reader<Option<SettingsFile>>>>,
    wake_up: WakeUp,
    outside: Arc<dyn Outside>,
    shelf: Arc<dyn Shelf>,
    dialog_open: bool,
}

impl Desk {
    /// Starts the threads. They end with the handle, after the errand in hand.
    ///
    /// # Errors
    /// The operating system's, when it gives no thread.
    pub fn start(
        outside: Arc<dyn Outside>,
        shelf: Arc<dyn Shelf>,
        wake_up: WakeUp,
    ) -> std::io::Result<Self> {
        let (errand_sender, errands) = bounded::<Errand>(ERRANDS);
        let (report_sender, reports) = bounded(REPORTS);
        let (writes, written) = bounded(0);
        let (changed_settings, newest_settings) = mailbox(|| None);
        for number in 0..THREADS {
            let (errands, reports) = (errands.clone(), report_sender.clone());
            let wake_up = wake_up.clone();
            std::thread::Builder::new()
                .name(format!("desk-{number}"))
                .spawn(move || {
                    for errand in errands {
                        bring_back(errand, &reports, &wake_up);
                    }
                })?;
        }
        Ok(Self {
            errands: errand_sender,
            reports,
            report_sender,
            writes: Some(writes),
            written,
            changed_settings,
            newest_settings: Arc::new(Mutex::new(newest_settings)),
            wake_up,
            outside,
            shelf,
            dialog_open: false,
        })
    }

    /// The next report, if there is one. Never waits.
    pub fn poll(&mut self) -> Option<Report> {
        let report = self.reports.try_recv().ok()?;
        if matches!(report, Report::Chosen { .. }) {
            self.dialog_open = false;
        }
        Some(report)
    }

    /// Opens a photo; [`Report::Opened`] carries `ticket`.
    pub fn open(&self, ticket: u64, origin: Origin) {
        self.send(move || Report::Opened {
            ticket,
            result: opened(origin),
        });
    }

    /// Opens what the clipboard holds: a picture as [`Report::Opened`], files as
    /// [`Report::Sorted`], or [`Report::NothingToPaste`].
    pub fn paste(&self, ticket: u64) {
        let outside = self.outside.clone();
        self.send(move || match outside.paste() {
            Ok(Clip::Picture(frame)) => Report::Opened {
                ticket,
                result: Ok(Box::new(from_clipboard(frame))),
            },
            Ok(Clip::Files(files)) => Report::Sorted {
                ticket,
                sorted: sorted(files),
            },
            Ok(Clip::Nothing) => Report::NothingToPaste,
            Err(error) => Report::Opened {
                ticket,
                result: Err(error),
            },
        });
    }

    /// Lists the styles; [`Report::Styles`].
    pub fn list_styles(&self) {
        let shelf = self.shelf.clone();
        self.send(move || {
            let (cards, problems) = shelf.cards();
            Report::Styles { cards, problems }
        });
    }

    /// Loads a style's network; [`Report::StyleLoaded`].
    pub fn load_style(&self, id: String, wanted: ModelSize) {
        let shelf = self.shelf.clone();
        self.send(move || Report::StyleLoaded {
            result: shelf.load(&id, wanted),
            id,
            wanted,
        });
    }

    /// Adds a checkpoint to the person's styles; [`Report::Imported`].
    pub fn import_style(&self, path: PathBuf) {
        let shelf = self.shelf.clone();
        self.send_writing(move || Report::Imported {
            result: shelf.import(&path),
        });
    }

    /// Shows a dialog; [`Report::Chosen`]. Returns `false`, and does nothing, while one is open.
    pub fn ask(&mut self, purpose: Purpose, dialog: Dialog, folder: Option<PathBuf>) -> bool {
        if self.dialog_open {
            return false;
        }
        let outside = self.outside.clone();
        let (reports, wake_up) = (self.report_sender.clone(), self.wake_up.clone());
        let run = move || Report::Chosen {
            purpose,
            result: outside.ask(&dialog, folder.as_deref()),
        };
        let errand = Errand {
            run: Box::new(run),
            writes: None,
        };
        let started = std::thread::Builder::new()
            .name("dialog".to_owned())
            .spawn(move || bring_back(errand, &reports, &wake_up));
        match started {
            Ok(_) => self.dialog_open = true,
            Err(error) => self.send(move || Report::Broke(reason(&error))),
        }
        true
    }

    /// Saves the result; [`Report::Saved`].
    pub fn save(&self, save: Box<Save>, existing: Existing) {
        self.send_writing(move || {
            let (path, finished) = (&save.path, &save.finished);
            // Known before the picture is put together, so that the question comes at once.
            let result = encode::check_target(path, existing).and_then(|()| {
                let icc = finished.icc.as_deref();
                encode::save(path, &finished.frame(), icc, save.encoding, existing)
            });
            Report::Saved { save, result }
        });
    }

    /// Copies the result to the clipboard; [`Report::Copied`].
    pub fn copy(&self, finished: Finished) {
        let outside = self.outside.clone();
        self.send(move || Report::Copied {
            result: outside.copy(&finished.frame()),
            key: finished.key,
        });
    }

    /// Asks the system for its cameras; [`Report::Cameras`].
    pub fn list_cameras(&self) {
        let outside = self.outside.clone();
        self.send(move || Report::Cameras(outside.cameras()));
    }

    /// Looks what files are; [`Report::Sorted`] carries `ticket`.
    pub fn sort(&self, ticket: u64, files: Vec<PathBuf>) {
        self.send(move || Report::Sorted {
            ticket,
            sorted: sorted(files),
        });
    }

    /// Writes the settings, unless newer ones follow before it is their turn; [`Report::SettingsFailed`] when
    /// that fails.
    pub fn write_settings(&mut self, settings: Settings, path: PathBuf) {
        self.changed_settings.send((settings, path));
        let newest = self.newest_settings.clone();
        self.send_writing(move || settings::write(&newest));
    }

    /// Has the window read its reports.
    pub(super) fn wake_up(&self) -> WakeUp {
        self.wake_up.clone()
    }

    /// Waits until everything that was to be written is, and gives the reports that nobody has read.
    pub fn finish_writing(&mut self) -> Vec<Report> {
        self.writes = None;
        let mut unread = Vec::new();
        loop {
            select! {
                // Nothing is ever sent: all that were lent are gone.
                recv(self.written) -> _ => break,
                // An errand ends when there is room for its report.
                recv(self.reports) -> report => unread.extend(report),
            }
        }
        unread.extend(self.reports.try_iter());
        unread
    }

    pub(super) fn send(&self, run: impl FnOnce() -> Report + Send + 'static) {
        self.send_errand(Box::new(run), None);
    }

    /// As [`Self::send`], for what [`Self::finish_writing`] waits for.
    pub(super) fn send_writing(&self, run: impl FnOnce() -> Report + Send + 'static) {
        self.send_errand(Box::new(run), self.writes.clone());
    }

    fn send_errand(&self, run: Box<dyn FnOnce() -> Report + Send>, writes: Option<Sender<()>>) {
        if self.errands.try_send(Errand { run, writes }).is_err() {
            let busy = "too many things at once; wait a moment and try again".to_owned();
            // When even this finds no room, the window has other reports to show.
            let _ = self.report_sender.try_send(Report::Broke(busy));
        }
    }
}

fn bring_back(errand: Errand, reports: &Sender<Report>, wake_up: &WakeUp) {
    let Errand { run, writes } = errand;
    let report = catch_unwind(AssertUnwindSafe(run))
        .unwrap_or_else(|panic| Report::Broke(crate::engine::panic_message(panic.as_ref())));
    // Waits for room: the window reads its reports in every frame. Fails only when it is gone.
    if reports.send(report).is_ok() {
        wake_up();
    }
    drop(writes);
}
