//! Live frames that are repainted with more detail: which ones, how, and what waits for them. Plain data;
//! `repaint_flow` acts on it.

use std::sync::Arc;

use eframe::egui;

use super::LiveView;
use crate::{
    compose::Look,
    engine::protocol::{RepaintNumber, Repainted},
    frame::Frame,
    gui::{
        painted_with::{self, Texts},
        texture::opaque_image_of,
    },
    mode::{ModeChoice, ModelSize},
    network::Network,
};

/// The network of a repainted picture.
#[derive(Clone)]
pub enum Wanted {
    /// The network of this style, in this size.
    Style(String, ModelSize),
    /// The network of a mix, which has only one size.
    Mix(Arc<Network>),
}

impl PartialEq for Wanted {
    /// Compares mixes by identity (`Arc::ptr_eq`).
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Style(a, m), Self::Style(b, n)) => (a, m) == (b, n),
            (Self::Mix(a), Self::Mix(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}

/// How a live frame is repainted.
#[derive(Clone, PartialEq)]
pub struct Finer {
    pub network: Wanted,
    pub mode: ModeChoice,
    pub look: Look,
}

impl Finer {
    /// The size of the style's network; `None` for a mix.
    pub fn model(&self) -> Option<ModelSize> {
        match &self.network {
            Wanted::Style(_, model) => Some(*model),
            Wanted::Mix(_) => None,
        }
    }
}

/// The frozen picture.
pub struct Frozen {
    /// Number of the source's frame.
    pub sequence: u64,
    pub finer: Finer,
    /// The request to repaint it, until its outcome is known.
    pub number: Option<RepaintNumber>,
}

/// A snapshot that waits to be repainted.
pub struct Waiting {
    /// Its request; `None` while its network is being loaded.
    pub number: Option<RepaintNumber>,
    pub frame: Arc<Frame>,
    pub finer: Finer,
    /// Saved if the repainted picture is not available.
    pub shown: SnapshotPicture,
}

/// The frames that are repainted.
#[derive(Default)]
pub struct Repaints {
    pub frozen: Option<Frozen>,
    /// Snapshots, in the order in which they were taken.
    pub waiting: Vec<Waiting>,
    /// Snapshots that were saved as repainted pictures. These are their live pictures, kept while a message offers to
    /// save them too; the newest is last.
    seen: Vec<(u64, SnapshotPicture)>,
    newest_seen: u64,
}

/// Maximum number of live pictures kept for saved snapshots; no more messages are shown at a time.
const MAX_SEEN: usize = 2;

impl Repaints {
    /// Whether a repainted picture of the frozen one is pending.
    pub fn awaits_frozen(&self) -> bool {
        self.frozen.as_ref().is_some_and(|frozen| frozen.number.is_some())
    }

    /// Keeps the live picture of a snapshot; returns its number.
    pub fn keep_seen(&mut self, seen: SnapshotPicture) -> u64 {
        self.newest_seen += 1;
        self.seen.push((self.newest_seen, seen));
        if self.seen.len() > MAX_SEEN {
            self.seen.remove(0);
        }
        self.newest_seen
    }

    /// Removes and returns the live picture with this number.
    pub fn take_seen(&mut self, number: u64) -> Option<SnapshotPicture> {
        let at = self.seen.iter().position(|(n, _)| *n == number)?;
        Some(self.seen.remove(at).1)
    }

    pub fn is_awaited_by_a_snapshot(&self, number: RepaintNumber) -> bool {
        self.waiting.iter().any(|w| w.number == Some(number))
    }
}

/// A picture to be saved as a snapshot.
#[derive(Clone)]
pub struct SnapshotPicture {
    /// Its style, for the file name.
    pub style: String,
    pub picture: Frame,
    /// How it was painted.
    pub texts: Texts,
}

impl SnapshotPicture {
    /// The same frame, repainted with this size of the style's network.
    pub fn repainted(mut self, repainted: &Repainted, model: Option<ModelSize>) -> Self {
        let style = (self.style.as_str(), model);
        painted_with::repainted(&mut self.texts, style, repainted.mode, repainted.working);
        self.picture.clone_from(&repainted.picture);
        self
    }
}

impl LiveView {
    /// The picture on the stage: the source's frame and the painting.
    pub fn picture(&self) -> Option<(&Frame, &Frame)> {
        let (original, seen) = self.seen_picture()?;
        let finer = self.shown_finer().map(|finer| &finer.picture);
        Some((original, finer.unwrap_or(seen)))
    }

    /// The same as it was painted live.
    pub fn seen_picture(&self) -> Option<(&Frame, &Frame)> {
        let picture = &self.pictures.as_ref()?.value;
        picture.facts?;
        Some((&picture.original, &picture.painted))
    }

    /// The repainted picture of the frozen frame, if it is on the stage.
    pub fn shown_finer(&self) -> Option<&Arc<Repainted>> {
        self.finer.as_ref().filter(|_| !self.stays_as_seen)
    }

    /// Stores a repainted picture of the frozen frame, and shows it unless the picture is to stay as it was painted
    /// live.
    pub fn show_finer(&mut self, ctx: &egui::Context, finer: Arc<Repainted>) {
        let image = (!self.stays_as_seen).then(|| opaque_image_of(&finer.picture));
        self.finer = Some(finer);
        if let Some(image) = image {
            if self.stage.is_alone() {
                // The frozen picture was not painted.
                self.put_on_stage(ctx);
            }
            self.stage.fade_in(ctx, image);
        }
    }

    /// Shows the frozen picture as it was painted live, or repainted. Returns the picture that is then on the stage, if
    /// any.
    pub fn leave_as_seen(&mut self, ctx: &egui::Context, stays: bool) -> Option<Arc<Repainted>> {
        self.stays_as_seen = stays;
        if let Some(finer) = self.shown_finer().cloned() {
            self.show_finer(ctx, finer.clone());
            return Some(finer);
        }
        self.put_on_stage(ctx);
        self.as_seen()
    }

    /// Discards the repainted picture. Returns the live picture if the repainted one was on the stage.
    pub fn forget_finer(&mut self, ctx: &egui::Context) -> Option<Arc<Repainted>> {
        let was_shown = self.shown_finer().is_some();
        self.finer = None;
        self.put_on_stage(ctx);
        self.as_seen().filter(|_| was_shown)
    }

    fn as_seen(&self) -> Option<Arc<Repainted>> {
        let facts = self.facts?;
        let (_, seen) = self.seen_picture()?;
        Some(Arc::new(Repainted {
            picture: seen.clone(),
            working: facts.working,
            mode: facts.mode?,
            notes: Vec::new(),
        }))
    }
}
