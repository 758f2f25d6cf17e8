//! Parts of the window's state that do not have a module of their own.

use std::sync::{Arc, atomic::AtomicBool};

use eframe::egui;

use crate::{
    choice::Recipe, pages::photo::opened::Opened, widgets::focus::FocusFrame, workspace::Step,
};
use backend::DeviceInfo;
use engine::{
    error::EngineError,
    protocol::{Generation, RepaintNumber, Repainted},
};
use media::framing::Framing;
use values::{frame::Frame, mode::DeviceChoice};

/// What the window does after an unsaved result is saved or discarded.
#[derive(Clone)]
pub enum NextStep {
    /// Put this photo on the table.
    Put(Box<Opened>),
    Close,
}

/// The window around the pages.
#[derive(Default)]
pub struct WindowState {
    pub has_file_dialog: bool,
    /// The controls are shown in a window that is too narrow to show everything.
    pub controls_open: bool,
    /// Tooltips are currently suppressed.
    pub has_no_tooltips: bool,
    pub focus_frame: FocusFrame,
    /// The minimum size that was last set, and the screen's scale at that time.
    pub min_size: Option<(egui::Vec2, f32)>,
}

/// The newest job of the compositor.
#[derive(Clone, Copy, Default)]
pub struct ComposeRequest {
    /// Number of the jobs with the same photo and painting as the newest job.
    pub epoch: u64,
    /// The job makes the finished picture in addition to its preview.
    pub full: bool,
    /// The job shows a different painting than the visible one, so that the picture fades in over it.
    pub appears: bool,
}

/// A painting that is not finished yet.
pub struct PaintRequest {
    pub recipe: Recipe,
    /// The engine's run that paints it; `None` while the network is not loaded.
    pub run: Option<Generation>,
    /// Its draft is on the table.
    pub has_draft: bool,
}

/// The painting of the photo on the table.
#[derive(Default)]
pub struct PhotoPainting {
    /// The painting in progress, or the one that starts when its network is loaded.
    pub request: Option<PaintRequest>,
    pub composed: ComposeRequest,
    /// The photo's number and the framing that the photo is being turned and cropped to.
    pub framing: Option<(u64, Framing)>,
    /// The state before the change in progress.
    pub before_change: Option<Step>,
}

/// Why a network is not there.
#[derive(Clone, Copy, PartialEq)]
pub enum Missing {
    Loading,
    /// Not retried automatically.
    Failed,
}

/// The photo that is being opened.
#[derive(Default)]
pub struct PhotoOpening {
    /// Number of the newest request.
    pub tickets: u64,
    /// Number of the newest request that led to a photo.
    pub newest: u64,
    /// A photo is being opened.
    pub is_running: bool,
    /// The brush size for which a message last reported that it also applies to later photos.
    pub announced_brush: Option<usize>,
}

impl PhotoOpening {
    /// Notes that the request with this number leads to a photo.
    pub fn begin(&mut self, ticket: u64) {
        self.newest = ticket;
        self.is_running = true;
    }

    /// Ends a request; returns whether it is the newest one.
    pub fn end(&mut self, ticket: u64) -> bool {
        let is_newest = ticket == self.newest;
        self.is_running &= !is_newest;
        is_newest
    }
}

/// Why a picture was not painted.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// The file of the network could not be read.
    #[error("{0}")]
    Unread(String),
    #[error(transparent)]
    Failed(#[from] EngineError),
}

/// A picture and its painting.
pub type TrialOutcome = Result<(Arc<Frame>, Arc<Repainted>), TrialError>;

/// Continues with a picture that was painted in parallel with other work, or with the failure.
pub type Repaint<S> = Box<dyn FnOnce(&mut S, RepaintNumber, Result<Arc<Repainted>, EngineError>)>;

/// A save, and what follows it.
#[derive(Default)]
pub struct SaveFlow {
    /// A save is running. A save that waits for an answer is in its question instead.
    pub is_running: bool,
    /// What follows when it succeeds.
    pub then: Option<NextStep>,
}

/// The shutdown of the window.
#[derive(Default)]
pub struct Ending {
    /// Number of recordings that were stopped but are not written yet. A recording may not have a file yet.
    pub recordings: usize,
    /// The window closes when all recordings are written.
    pub when_recorded: bool,
    pub is_closing: bool,
    /// The program is then started again.
    pub restarts: bool,
    /// Set from any thread when the system requests that the program ends.
    pub is_requested: Arc<AtomicBool>,
}

/// The device that paints, once it is known.
#[derive(Default)]
pub struct DeviceInUse {
    pub info: Option<DeviceInfo>,
    /// A message about a fallback or a lost device.
    pub notice: Option<String>,
}

impl DeviceInUse {
    pub fn name(&self) -> Option<String> {
        self.info.as_ref().map(|device| device.name.clone())
    }

    /// True if the device is known and of this kind.
    pub fn is(&self, kind: DeviceChoice) -> bool {
        self.info.as_ref().is_some_and(|device| device.kind == kind)
    }
}
