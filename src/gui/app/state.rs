//! The parts of the window's state that have no module of their own.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, atomic::AtomicBool},
    time::SystemTime,
};

use crate::{
    backend::DeviceInfo,
    engine::protocol::{Generation, TrialNumber},
    frame::Frame,
    gui::{
        choice::{Choice, Recipe},
        gallery::Subject,
        mix::{Mix, MixedNetworks},
        opened::Opened,
        overlays::Loss,
        style_source::Loaded,
        workspace::Page,
    },
    media::framing::Framing,
    mode::ModelSize,
};

/// What the window does once an unsaved result is saved or given up.
pub(in crate::gui) enum NextStep {
    /// Put this photo on the table.
    Put(Box<Opened>),
    /// Close the window.
    Close,
}

impl NextStep {
    /// How the result would be lost.
    pub fn loss(&self) -> Loss {
        match self {
            Self::Put(_) => Loss::Opening,
            Self::Close => Loss::Closing,
        }
    }
}

/// The newest job of the compositor.
#[derive(Clone, Copy, Default)]
pub(in crate::gui) struct ComposeRequest {
    /// Number of the newest job.
    pub ticket: u64,
    /// Number of the first job with the photo and painting of the newest.
    pub epoch: u64,
    /// Whether the job makes the finished picture besides its preview.
    pub full: bool,
    /// Whether its picture is of another painting than the one that is seen, and is to appear over that.
    pub appears: bool,
}

/// A painting that is not finished yet.
pub(in crate::gui) struct PaintRequest {
    /// What is painted and how.
    pub recipe: Recipe,
    /// The engine's run that paints it; `None` while its network is not here.
    pub run: Option<Generation>,
    /// Whether its draft is on the table.
    pub has_draft: bool,
}

/// The painting of the photo on the table.
#[derive(Default)]
pub(in crate::gui) struct PhotoPainting {
    /// The painting that is being made, or will be when its network is here.
    pub request: Option<PaintRequest>,
    pub composed: ComposeRequest,
    /// The photo's number and the framing that it is being turned and cropped to.
    pub framing: Option<(u64, Framing)>,
    /// The choice before the change that is still going on.
    pub before_change: Option<Choice>,
}

/// The networks of styles, by style and model size.
#[derive(Default)]
pub(in crate::gui) struct Networks {
    /// Those that are here.
    pub loaded: HashMap<(String, ModelSize), Loaded>,
    /// Those that were requested and are not here yet.
    pub loading: Vec<(String, ModelSize)>,
    /// Those that could not be loaded; nobody requests them again by itself.
    pub failed: Vec<(String, ModelSize)>,
    /// That of the mix.
    pub mixed: MixedNetworks,
}

/// The photo that is being opened.
#[derive(Default)]
pub(in crate::gui) struct PhotoOpening {
    /// Number of the newest request of all.
    pub tickets: u64,
    /// Number of the newest request that led to a photo.
    pub newest: u64,
    /// Whether a photo is being opened.
    pub is_running: bool,
}

impl PhotoOpening {
    /// Notes that the request of this number leads to a photo.
    pub fn begin(&mut self, ticket: u64) {
        self.newest = ticket;
        self.is_running = true;
    }

    /// Ends a request; whether it is the newest.
    pub fn end(&mut self, ticket: u64) -> bool {
        let is_newest = ticket == self.newest;
        self.is_running &= !is_newest;
        is_newest
    }
}

/// A style that is chosen, and what is mixed with it.
pub(in crate::gui) type Chosen = (Option<String>, Mix);

/// What was done to a style in the list.
pub(in crate::gui) enum ListChange {
    /// It has left the gallery; its file goes when the program ends.
    Removed {
        /// The style as it was, so that one that was added later is not taken for it.
        changed: Option<SystemTime>,
        /// What was chosen on each page before, and as the removal left it.
        chosen: Vec<(Page, [Chosen; 2])>,
    },
    /// It stands elsewhere: in front of which style before, and then; at the end in front of none.
    Moved([Option<String>; 2]),
}

/// A step of undo that changed the list of styles and not the choice.
pub(in crate::gui) struct ListStep {
    /// The style's id.
    pub id: String,
    pub change: ListChange,
    /// The page on which it was done.
    pub page: Page,
    /// How many steps of choices lay before it, on that page.
    pub depth: usize,
}

/// A small painted picture that is being made.
pub(in crate::gui) struct StylePicture {
    /// Id of the style.
    pub style: String,
    pub subject: Subject,
    /// The trial and what it paints; `None` while the style's network is read.
    pub trial: Option<(TrialNumber, Arc<Frame>)>,
}

/// The small painted picture that is being made, and those that could not be.
#[derive(Default)]
pub(in crate::gui) struct StylePictures {
    pub running: Option<StylePicture>,
    /// Styles that could not be painted.
    pub failed: HashSet<String>,
}

/// A save, and what goes on after it.
#[derive(Default)]
pub(in crate::gui) struct SaveFlow {
    /// Whether a save is running; one that waits for an answer is in its question.
    pub is_running: bool,
    /// What follows once the open question is answered.
    pub after_question: Option<NextStep>,
    /// What follows once the save has succeeded.
    pub after_save: Option<NextStep>,
}

/// The end of the window.
#[derive(Default)]
pub(in crate::gui) struct Ending {
    /// Recordings that were ended and are not written yet; for some there may be no file yet.
    pub recordings: usize,
    /// Whether the window closes when they are.
    pub when_recorded: bool,
    pub is_closing: bool,
    /// Whether the program is started again then.
    pub restarts: bool,
    /// Set, from any thread, when the system wants the program to end.
    pub is_requested: Arc<AtomicBool>,
}

/// The device that paints, once it is known.
#[derive(Default)]
pub(in crate::gui) struct DeviceInUse {
    pub info: Option<DeviceInfo>,
    /// A fallback or a loss in words.
    pub notice: Option<String>,
}
