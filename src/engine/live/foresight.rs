//! Orders that are heard while a picture is still being painted, so that what they want is opened meanwhile
//! and not only after it.
//!
//! [`Foretold`] lies between the surface and the engine: whoever sends an order tells it here first. It
//! decides nothing: the order itself comes after the picture, and finds what it wants open or under way.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use super::{
    auto_size::AutoSize,
    opener::{Ask, Openings},
    order::{LiveOrder, LiveSize},
    scene::{Asked, Place, Scene, Side, settings},
    sessions::{Sessions, Target},
};
use crate::{backend::SessionSpec, engine::paint::Painter, media::scale::size_within};

/// The newest order, before it is carried out.
#[derive(Default)]
pub struct Foretold {
    number: AtomicU64,
    order: Mutex<Option<LiveOrder>>,
}

impl Foretold {
    /// `order` comes with this number, which is larger than all before.
    pub fn tell(&self, order: LiveOrder, number: u64) {
        // Whoever panicked held the lock for an assignment only.
        *self.order.lock().unwrap_or_else(PoisonError::into_inner) = Some(order);
        self.number.store(number, Ordering::Release);
    }

    /// The newest order and its number, if it is newer than `number`. Allocates nothing unless it is.
    fn newer_than(&self, number: u64) -> Option<(LiveOrder, u64)> {
        let newest = self.number.load(Ordering::Acquire);
        if newest <= number {
            return None;
        }
        let order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        Some((order.clone()?, newest))
    }
}

/// What is looked at, and what may be asked for, while a picture is painted.
pub(super) struct Foresight<'a> {
    pub(super) foretold: &'a Foretold,
    /// The newest order that was heard.
    pub(super) heard: &'a mut u64,
    pub(super) painter: &'a Painter,
    pub(super) sessions: &'a Sessions,
    /// Bytes that everything open on the painter's device holds.
    pub(super) held_bytes: u64,
    pub(super) auto: &'a AutoSize,
    /// Columns and rows of the source's frame.
    pub(super) source: (usize, usize),
    pub(super) openings: &'a mut Openings,
    pub(super) asked: &'a mut Option<Asked>,
}

impl Foresight<'_> {
    /// Has the session opened that a new order is going to need.
    pub(super) fn look(&mut self) {
        let Some((order, number)) = self.foretold.newer_than(*self.heard) else {
            return;
        };
        *self.heard = number;
        // What is compared is not there at once anyway.
        let (Some(network), None) = (order.network, order.duel) else {
            return;
        };
        let px = match order.size {
            LiveSize::Auto { .. } => self.auto.long_side_px(),
            LiveSize::LongSide(px) => px,
        };
        let (width, height) = size_within(self.source.0, self.source.1, px);
        let mode = self.painter.mode(settings(order.mode));
        let target = Target {
            network: Arc::clone(&network),
            spec: SessionSpec::single(width, height, mode),
        };
        let side = Side {
            place: Place::Own,
            target,
        };
        if self.sessions.has(&side.target) || self.asked.as_ref().is_some_and(|a| a.is_for(&side)) {
            return;
        }
        self.openings.cancel();
        let ticket = self.openings.ask(Ask::Session {
            backend: self.painter.backend().clone(),
            target: side.target.clone(),
            limit_bytes: self.painter.default_limit_bytes(),
            held_bytes: self.held_bytes,
            is_first: false,
            may_stand_in: true,
        });
        *self.asked = Some(Asked::new(side.clone(), ticket, Scene::One(side)));
    }
}
