//! Tasks of the window that read, write or wait: they run on a few background threads and bring
//! back a [`Report`].
//!
//! Tasks travel on a bounded channel that any of the threads serves. File dialogs, which wait for
//! a person, get a thread of their own each, one at a time. A panic in a task becomes a report.
//! The [`Background`] handle belongs to the window's thread and never waits. Knows no egui.

mod opening;
mod paintings;
mod report;
mod settings;
mod sheet;

use std::{
    io::ErrorKind,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::SystemTime,
};

use crossbeam_channel::{Receiver, Sender, bounded, select};

pub use opening::PAINTED;
pub use report::{
    DrawnChart, Finished, Opened, Origin, Purpose, ReadNetwork, Report, Save, SavedSnapshot,
    SmallPicture, Sorted, Stamp, StartedRecording, THUMBNAIL_PX, Whole,
};
pub use sheet::SheetFile;

use self::{
    opening::{for_trials, framed, from_clipboard, opened, sorted},
    settings::SettingsFile,
};
use super::{
    arrivals::PictureUse,
    mix::Parts,
    platform::{Clip, Dialog, Platform},
    style_source::{Card, StyleSource},
};
use crate::{
    disk::reason,
    engine::{WakeUp, panic_message},
    frame::Frame,
    mailbox::{Reader, Writer, mailbox},
    media::{
        decode,
        encode::{self, Existing},
        framing::Framing,
    },
    mode::ModelSize,
    settings::Settings,
    weights::{PixelChoice, PixelFormat},
};

/// Threads that run tasks.
const THREADS: usize = 2;
/// Tasks that may wait; a person cannot make more before the threads have run them.
const TASKS: usize = 64;
/// Reports that may wait for the window.
const REPORTS: usize = 64;

/// A piece of work for a background thread; one that writes a file holds a sender of `writes` until its report
/// is sent.
struct Task {
    run: Box<dyn FnOnce() -> Report + Send>,
    writes: Option<Sender<()>>,
}

/// The window's handle of the background threads.
pub struct Background {
    tasks: Sender<Task>,
    reports: Receiver<Report>,
    report_sender: Sender<Report>,
    /// Cloned for every task that writes; once all clones are dropped, `written` is disconnected.
    writes: Option<Sender<()>>,
    written: Receiver<()>,
    changed_settings: Writer<Option<SettingsFile>>,
    newest_settings: Arc<Mutex<Reader<Option<SettingsFile>>>>,
    wake_up: WakeUp,
    platform: Arc<dyn Platform>,
    style_source: Arc<dyn StyleSource>,
    dialog_open: bool,
}

impl Background {
    /// Starts the threads. They end with the handle, after the task that runs.
    ///
    /// # Errors
    /// The operating system's, when it gives no thread.
    pub fn start(
        platform: Arc<dyn Platform>,
        style_source: Arc<dyn StyleSource>,
        wake_up: WakeUp,
    ) -> std::io::Result<Self> {
        let (task_sender, tasks) = bounded::<Task>(TASKS);
        let (report_sender, reports) = bounded(REPORTS);
        let (writes, written) = bounded(0);
        let (changed_settings, newest_settings) = mailbox(|| None);
        for number in 0..THREADS {
            let (tasks, reports) = (tasks.clone(), report_sender.clone());
            let wake_up = wake_up.clone();
            std::thread::Builder::new().name(format!("background-{number}")).spawn(move || {
                for task in tasks {
                    run_and_report(task, &reports, &wake_up);
                }
            })?;
        }
        Ok(Self {
            tasks: task_sender,
            reports,
            report_sender,
            writes: Some(writes),
            written,
            changed_settings,
            newest_settings: Arc::new(Mutex::new(newest_settings)),
            wake_up,
            platform,
            style_source,
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
        self.send(move || Report::Opened { ticket, result: opened(origin) });
    }

    /// Opens a photo that was opened before; [`Report::Opened`] or [`Report::RecentGone`] carry `ticket`.
    pub fn open_recent(&self, ticket: u64, path: PathBuf) {
        self.send(move || match std::fs::metadata(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Report::RecentGone { ticket, path }
            }
            _ => Report::Opened { ticket, result: opened(Origin::File(path)) },
        });
    }

    /// Turns and crops the photo of this number; [`Report::Framed`].
    pub fn frame(&self, photo: u64, framing: Framing, whole: Whole) {
        self.send(move || Report::Framed { photo, framing, result: framed(whole, framing) });
    }

    /// Looks what the clipboard holds: a picture as [`Report::Pasted`], files as
    /// [`Report::Sorted`], or [`Report::NothingToPaste`].
    pub fn paste(&self, ticket: u64) {
        let platform = self.platform.clone();
        self.send(move || match platform.paste() {
            Ok(Clip::Picture(frame)) => {
                Report::Pasted { ticket, picture: Box::new(from_clipboard(frame)) }
            }
            Ok(Clip::Files(files)) => {
                Report::Sorted { ticket, picture_use: PictureUse::Asked, sorted: sorted(files) }
            }
            Ok(Clip::Nothing) => Report::NothingToPaste,
            Err(error) => Report::Opened { ticket, result: Err(error) },
        });
    }

    /// Reads the text on the clipboard for a field; [`Report::PastedText`].
    pub fn paste_text(&self) {
        let platform = self.platform.clone();
        self.send(move || Report::PastedText(platform.paste_text()));
    }

    /// Puts a text on the clipboard; [`Report::NotDone`] when that fails.
    pub fn copy_text(&self, text: String) {
        let platform = self.platform.clone();
        self.send(move || match platform.copy_text(&text) {
            Ok(()) => Report::Quiet,
            Err(error) => Report::NotDone(error),
        });
    }

    /// Shows a file in the desktop's file manager; [`Report::NotDone`] when that fails.
    pub fn show(&self, path: PathBuf) {
        let platform = self.platform.clone();
        self.send(move || match platform.show(&path) {
            Ok(()) => Report::Quiet,
            Err(error) => Report::NotDone(error),
        });
    }

    /// Starts the program again, with a photo to open. Blocks; to be called when the window is gone.
    ///
    /// # Errors
    /// A sentence for the user.
    pub fn restart(&self, photo: Option<&Path>) -> Result<(), String> {
        self.platform.restart(photo)
    }

    /// Plays a video in the person's player; [`Report::NotDone`] when that fails.
    pub fn play(&self, path: PathBuf) {
        let platform = self.platform.clone();
        self.send(move || match platform.play(&path) {
            Ok(()) => Report::Quiet,
            Err(error) => Report::NotDone(error),
        });
    }

    /// Gives a style of the person's own another name; [`Report::Renamed`].
    pub fn rename_style(&self, id: String, name: String) {
        let style_source = self.style_source.clone();
        self.send_writing(move || Report::Renamed {
            result: style_source.rename(&id, &name),
            id,
            name,
        });
    }

    /// Makes the network of a mix; [`Report::Mixed`].
    pub fn mix_styles(&self, parts: Parts) {
        let style_source = self.style_source.clone();
        self.send(move || {
            let mixed = caught(|| style_source.mix(&parts)).unwrap_or_else(|panic| {
                Err(format!("The styles could not be mixed: {}", mistake(&panic)))
            });
            Report::Mixed { result: mixed, parts }
        });
    }

    /// Keeps a mix, in these words, as a style of the person's own; [`Report::Kept`].
    pub fn keep_mix(&self, parts: Parts, name: String, words: String) {
        let style_source = self.style_source.clone();
        self.send_writing(move || Report::Kept {
            result: style_source.keep_mix(&parts, &name, &words),
            parts,
            name,
        });
    }

    /// Removes a style of the person's own from the disk that was written at this time, not another one that has its
    /// id by now; [`Report::Removed`].
    pub fn remove_style(&self, id: String, changed: Option<SystemTime>) {
        let style_source = self.style_source.clone();
        self.send_writing(move || {
            let (cards, _) = style_source.cards();
            let is_it = |card: &Card| card.id == id && card.changed == changed;
            Report::Removed(match cards.iter().any(is_it) {
                true => style_source.remove(&id),
                false => Ok(()),
            })
        });
    }

    /// Reads a style's network, the small one where there are two, for its small picture of `photo`, or else of the
    /// sample; [`Report::SwatchRead`].
    pub fn read_swatch(&self, id: String, photo: Option<Arc<Frame>>) {
        let style_source = self.style_source.clone();
        self.send(move || {
            let read = || {
                Ok(ReadNetwork {
                    photo: for_trials(photo)?,
                    network: style_source.load(&id, ModelSize::Lite)?.network,
                })
            };
            match caught(read) {
                Ok(result) => Report::SwatchRead { id, result },
                Err(panic) => Report::SwatchBroke { id, panic },
            }
        });
    }

    /// Looks where the pointer is; [`Report::Pointer`].
    pub fn find_pointer(&self) {
        let platform = self.platform.clone();
        self.send(move || Report::Pointer(platform.pointer()));
    }

    /// Lists the styles; [`Report::Styles`].
    pub fn list_styles(&self) {
        let style_source = self.style_source.clone();
        self.send(move || {
            let (cards, problems) = style_source.cards();
            Report::Styles { cards, problems }
        });
    }

    /// Loads a style's network; [`Report::StyleLoaded`].
    pub fn load_style(&self, id: String, requested: ModelSize) {
        let style_source = self.style_source.clone();
        self.send(move || {
            let loaded = caught(|| style_source.load(&id, requested)).unwrap_or_else(|panic| {
                Err(format!("The style {id} could not be loaded: {}", mistake(&panic)))
            });
            Report::StyleLoaded { result: loaded, id, requested }
        });
    }

    /// Adds a checkpoint to the person's styles, with what a person says of its values; [`Report::Imported`].
    pub fn import_style(&self, path: PathBuf, pixels: PixelChoice) {
        let style_source = self.style_source.clone();
        self.send_writing(move || Report::Imported {
            result: style_source.import(&path, pixels),
            path,
        });
    }

    /// Adds a picture that lies in no file to the person's styles; [`Report::Imported`] has its name as a path.
    pub fn import_picture(&self, name: String, picture: Arc<Frame>) {
        let style_source = self.style_source.clone();
        self.send_writing(move || Report::Imported {
            result: style_source.import_picture(&picture, &name),
            path: name.into(),
        });
    }

    /// Reads a network to be tried out on a photo, or on the sample; [`Report::Read`] carries `number`.
    pub fn read_as(
        &self,
        number: u64,
        path: PathBuf,
        format: PixelFormat,
        photo: Option<Arc<Frame>>,
    ) {
        let style_source = self.style_source.clone();
        self.send(move || {
            let read = || {
                Ok(ReadNetwork {
                    photo: for_trials(photo)?,
                    network: style_source.network_as(&path, format)?,
                })
            };
            let result = read();
            Report::Read { number, format, result }
        });
    }

    /// Shows a dialog; [`Report::Chosen`]. Returns `false`, and does nothing, while one is open.
    pub fn ask(&mut self, purpose: Purpose, dialog: Dialog, folder: Option<PathBuf>) -> bool {
        if self.dialog_open {
            return false;
        }
        let platform = self.platform.clone();
        let (reports, wake_up) = (self.report_sender.clone(), self.wake_up.clone());
        let run =
            move || Report::Chosen { purpose, result: platform.ask(&dialog, folder.as_deref()) };
        let task = Task { run: Box::new(run), writes: None };
        let started = std::thread::Builder::new()
            .name("dialog".to_owned())
            .spawn(move || run_and_report(task, &reports, &wake_up));
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
            // Checked before the picture is put together, so that the question comes at once.
            let result = encode::check_target(path, existing).and_then(|()| {
                let icc = finished.icc.as_deref();
                encode::save(path, &finished.frame(), icc, save.encoding, existing)
            });
            Report::Saved { save, result }
        });
    }

    /// Copies the result to the clipboard; [`Report::Copied`].
    pub fn copy(&self, finished: Finished) {
        let platform = self.platform.clone();
        self.send(move || Report::Copied(platform.copy(&finished.frame())));
    }

    /// Copies the picture in a file to the clipboard; [`Report::CopiedFile`].
    pub fn copy_file(&self, path: PathBuf) {
        let platform = self.platform.clone();
        self.send(move || {
            let photo = decode::from_path(&path).map_err(|e| e.to_string());
            let copied = photo.and_then(|photo| platform.copy(&photo.frame));
            Report::CopiedFile(copied.map(|()| path))
        });
    }

    /// Asks the system for its cameras; [`Report::Cameras`].
    pub fn list_cameras(&self) {
        let platform = self.platform.clone();
        self.send(move || Report::Cameras(platform.cameras()));
    }

    /// Sorts files into photos and checkpoints; [`Report::Sorted`] carries `ticket` and what the pictures are for.
    pub fn sort(&self, ticket: u64, files: Vec<PathBuf>, picture_use: PictureUse) {
        self.send(move || Report::Sorted { ticket, picture_use, sorted: sorted(files) });
    }

    /// Writes the settings, unless newer ones follow before it is their turn; [`Report::SettingsFailed`] when
    /// that fails.
    pub fn write_settings(&mut self, settings: Settings, path: PathBuf) {
        self.changed_settings.send((settings, path));
        let newest = self.newest_settings.clone();
        self.send_writing(move || settings::write(&newest));
    }

    /// Wakes the window up, so that it reads its reports.
    pub(super) fn wake_up(&self) -> WakeUp {
        self.wake_up.clone()
    }

    /// Waits until every file is written, and gives the reports that nobody has read.
    pub fn finish_writing(&mut self) -> Vec<Report> {
        self.writes = None;
        let mut unread = Vec::new();
        loop {
            select! {
                // Nothing is ever sent: an error means that all clones are dropped.
                recv(self.written) -> _ => break,
                // A task ends when there is room for its report.
                recv(self.reports) -> report => unread.extend(report),
            }
        }
        unread.extend(self.reports.try_iter());
        unread
    }

    pub(super) fn send(&self, run: impl FnOnce() -> Report + Send + 'static) {
        self.send_task(Box::new(run), None);
    }

    /// As [`Self::send`], for a task that [`Self::finish_writing`] waits for.
    pub(super) fn send_writing(&self, run: impl FnOnce() -> Report + Send + 'static) {
        self.send_task(Box::new(run), self.writes.clone());
    }

    fn send_task(&self, run: Box<dyn FnOnce() -> Report + Send>, writes: Option<Sender<()>>) {
        if self.tasks.try_send(Task { run, writes }).is_err() {
            let busy = "too many things at once; wait a moment and try again".to_owned();
            // When even this report finds no room, the window has others to show.
            let _ = self.report_sender.try_send(Report::Broke(busy));
        }
    }
}

/// Runs a part of a task that is requested without the user; a panic is the error, so that the report names what broke
/// and it is not requested again.
fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| panic_message(panic.as_ref()))
}

/// A panic for people.
pub fn mistake(panic: &str) -> String {
    format!("a mistake in StyleForge stopped it ({panic}). Please report it.")
}

fn run_and_report(task: Task, reports: &Sender<Report>, wake_up: &WakeUp) {
    let Task { run, writes } = task;
    let report = caught(run).unwrap_or_else(Report::Broke);
    // Waits for room: the window reads its reports in every frame. Fails only when it is gone.
    if reports.send(report).is_ok() {
        wake_up();
    }
    drop(writes);
}
