//! The state of the photo page.

use crate::{choice::Recipe, pages::photo::opened::Opened};
use engine::protocol::Generation;
use media::framing::Framing;

/// What the window does after an unsaved result is saved or discarded.
#[derive(Clone)]
pub enum NextStep {
    /// Put this photo on the table.
    Put(Box<Opened>),
    Close,
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
    /// A film plays on the stage instead of the photo.
    pub plays: bool,
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
    /// A number for a request to open something; later ones are larger.
    pub fn ticket(&mut self) -> u64 {
        self.tickets += 1;
        self.tickets
    }

    /// Starts a request for a photo; returns its number.
    pub fn begin_next(&mut self) -> u64 {
        let ticket = self.ticket();
        self.begin(ticket);
        ticket
    }

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

/// A save, and what follows it.
#[derive(Default)]
pub struct SaveFlow {
    /// A save is running. A save that waits for an answer is in its question instead.
    pub is_running: bool,
    /// What follows when it succeeds.
    pub then: Option<NextStep>,
}
