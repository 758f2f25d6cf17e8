//! Has the session loaded that a new order needs while a picture is still being painted, and not only
//! after it.
//!
//! Decides nothing: the order is carried out after the picture, and finds its session open or being opened.

use std::sync::Arc;

use super::{
    opener::{Ask, Openings},
    rate_control::RateControl,
    scene::{Asked, Place, Scene, Side, settings},
    sessions::{Sessions, Target},
};
use crate::{
    backend::SessionSpec,
    engine::{paint::Painter, protocol::NumberedOrder},
    mailbox::Reader,
    media::scale::size_within,
};

/// What is looked at, and what may be asked for, while a picture is painted.
pub(super) struct Prefetch<'a> {
    pub(super) settings: &'a mut Reader<Option<NumberedOrder>>,
    /// Where a new order is left until the picture is painted.
    pub(super) pending: &'a mut Option<NumberedOrder>,
    pub(super) painter: &'a Painter,
    pub(super) sessions: &'a Sessions,
    /// Bytes that everything open on the painter's device holds.
    pub(super) held_bytes: u64,
    pub(super) rate: &'a RateControl,
    /// Columns and rows of the source's frame.
    pub(super) source: (usize, usize),
    pub(super) openings: &'a mut Openings,
    pub(super) asked: &'a mut Option<Asked>,
}

impl Prefetch<'_> {
    /// Has the session opened that a new order is going to need.
    pub(super) fn look(&mut self) {
        let Some((order, number)) = self.settings.receive() else {
            return;
        };
        *self.pending = Some((order.clone(), number));
        // What is compared is not there at once anyway.
        let (Some(network), None) = (order.network, order.duel) else {
            return;
        };
        let mut rate = self.rate.clone();
        rate.set_size(order.size);
        let px = rate.long_side_px();
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
