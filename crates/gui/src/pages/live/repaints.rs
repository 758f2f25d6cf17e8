//! Live frames that are repainted with more detail: which ones, how, and what waits for them. Plain data;
//! `repaint_flow` acts on it.

use std::sync::Arc;

use eframe::egui::Context;

use super::LiveView;
use crate::{
    choice::NetworkOf, pages::photo::finished::SnapshotPicture, widgets::texture::opaque_image_of,
};
use engine::protocol::{RepaintNumber, Repainted};
use values::{compose::Look, frame::Frame, mode::ModeChoice};

/// How a live frame is repainted.
#[derive(Clone, PartialEq)]
pub struct Finer {
    pub network: NetworkOf,
    pub mode: ModeChoice,
    pub look: Look,
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
}

impl LiveView {
    /// The picture on the stage: the source's frame and the painting.
    pub fn picture(&self) -> Option<(&Frame, &Frame)> {
        let (original, seen) = self.seen_picture()?;
        Some((original, self.shown_finer().map_or(seen, |finer| &finer.picture)))
    }

    /// The same as it was painted live.
    pub fn seen_picture(&self) -> Option<(&Frame, &Frame)> {
        let picture = &self.pictures.as_ref()?.value;
        picture.facts?;
        Some((&picture.original, &picture.painted))
    }

    /// The repainted picture of the frozen frame, if it is on the stage.
    pub fn shown_finer(&self) -> Option<&Arc<Repainted>> {
        self.refined.picture.as_ref().filter(|_| !self.refined.stays_as_seen)
    }

    /// Stores a repainted picture of the frozen frame, and shows it unless the picture is to stay as it was painted
    /// live.
    pub fn show_finer(&mut self, ctx: &Context, finer: Arc<Repainted>) {
        let image = (!self.refined.stays_as_seen).then(|| opaque_image_of(&finer.picture));
        self.refined.picture = Some(finer);
        if let Some(image) = image {
            if self.stage.labels.alone.is_some() {
                // The frozen picture was not painted.
                self.put_on_stage(ctx);
            }
            self.stage.fade_in(ctx, image);
        }
    }

    /// Shows the frozen picture as it was painted live, or repainted. Returns the picture that is then on the stage, if
    /// any.
    pub fn leave_as_seen(&mut self, ctx: &Context, stays: bool) -> Option<Arc<Repainted>> {
        self.refined.stays_as_seen = stays;
        if let Some(finer) = self.shown_finer().cloned() {
            self.show_finer(ctx, finer.clone());
            return Some(finer);
        }
        self.put_on_stage(ctx);
        self.as_seen()
    }

    /// Discards the repainted picture. Returns the live picture if the repainted one was on the stage.
    pub fn forget_finer(&mut self, ctx: &Context) -> Option<Arc<Repainted>> {
        let was_shown = self.shown_finer().is_some();
        self.refined.picture = None;
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
