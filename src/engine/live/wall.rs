//! The wall: every style paints the same live picture, small, in turn, beside the large one.
//!
//! One pane is painted after a large picture, and then so long none that the wall takes a small share of
//! the time, or half of what the large picture leaves. Belongs to the engine's thread.

use std::time::{Duration, Instant};

use super::{
    Clock, fit,
    opener::{Ask, Opened, Openings, Outcome},
    order::WallPane,
    scene::settings,
    sessions::{Sessions, Target},
    sides,
};
use crate::{
    backend::{BackendError, RunControl, Session, SessionSpec},
    engine::paint::Painter,
    frame::Frame,
    media::{resample::Resampler, scale::size_within},
    mode::ModeChoice,
};

/// Long side of a small picture, in pixels.
const PANE_PX: usize = 192;
/// Share of the time that the wall may take, however busy the device is.
const SHARE: f64 = 0.08;
/// Share of the time that the device would be idle that the wall may take.
const SHARE_OF_IDLE: f64 = 0.5;
/// Pictures of one style per second at most.
const MOST_FPS: f64 = 15.0;
/// Most sessions of the wall: beyond so many styles the ones painted longest ago are opened again.
const KEPT_SESSIONS: usize = 32;

pub(super) struct Wall {
    panes: Vec<WallPane>,
    next_pane: usize,
    sessions: Sessions,
    resampler: Resampler,
    input: Frame,
    rests_until: Option<Instant>,
    began: Instant,
    /// What is being opened, and the number of the asking.
    asked: Option<(Target, u64)>,
    /// What cannot be had.
    refused: Vec<Target>,
}

impl Wall {
    pub(super) fn new(began: Instant) -> Self {
        Self {
            panes: Vec::new(),
            next_pane: 0,
            sessions: Sessions::new(KEPT_SESSIONS),
            resampler: Resampler::default(),
            input: Frame::from_fn(1, 1, |_, _| [0; 4]),
            rests_until: None,
            began,
            asked: None,
            refused: Vec::new(),
        }
    }

    /// Paints for these panes from now on; gives back the sessions that are no longer needed.
    pub(super) fn set_panes(&mut self, panes: Vec<WallPane>) -> Vec<Box<dyn Session>> {
        let left = match panes.is_empty() {
            true => self.close(),
            false => Vec::new(),
        };
        self.refused.clear();
        self.panes = panes;
        self.next_pane = 0;
        self.rests_until = None;
        left
    }

    /// Gives all sessions back; they are opened again when there is room.
    pub(super) fn close(&mut self) -> Vec<Box<dyn Session>> {
        self.asked = None;
        self.sessions.take(|_| true)
    }

    pub(super) fn forget_device(&mut self) {
        self.close();
        self.refused.clear();
    }

    /// Hears what became of something that was opened; gives back sessions that nobody needs.
    pub(super) fn take_in(&mut self, outcome: Outcome) -> Vec<Box<dyn Session>> {
        let asked = self.asked.take_if(|(_, ticket)| *ticket == outcome.ticket);
        match (asked, outcome.opened) {
            (Some((target, _)), Opened::Session(open)) => self.sessions.put(target, open),
            (None, Opened::Session(open)) => vec![open.session],
            (_, Opened::Failed(BackendError::Cancelled)) | (None, _) => Vec::new(),
            // The same style painted large tells why.
            (Some((target, _)), _) => {
                self.refused.push(target);
                Vec::new()
            }
        }
    }

    /// Has a pane's session opened, unless something else is.
    fn ask(&mut self, painter: &Painter, openings: &mut Openings, target: &Target, held: u64) {
        if self.refused.contains(target) || !openings.is_idle() {
            return;
        }
        let ticket = openings.ask(Ask::Session {
            backend: painter.backend().clone(),
            target: target.clone(),
            limit_bytes: painter.default_limit_bytes(),
            held_bytes: held + self.bytes() + painter.kept_bytes(),
            is_first: false,
            may_stand_in: false,
        });
        self.asked = Some((target.clone(), ticket));
        // Where it is opened on the spot, it is there already.
        while let Some(outcome) = openings.next() {
            let left = self.take_in(outcome);
            openings.retire(left);
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.sessions.bytes()
    }

    /// Paints the next pane from `frame`, if it is time to. Large pictures take `busy` of the time, 0 to 1,
    /// and their sessions `held_bytes`. A pane whose session is not open has it opened by `openings`, if
    /// that is there, and waits for another turn. What cannot be painted small is left out: the same style
    /// painted large tells why.
    pub(super) fn serve(
        &mut self,
        painter: &Painter,
        openings: Option<&mut Openings>,
        frame: &Frame,
        mode: ModeChoice,
        (control, clock): (&RunControl, &Clock),
        (busy, held_bytes): (f64, u64),
    ) {
        let began = clock();
        if self.panes.is_empty() || self.rests_until.is_some_and(|until| began < until) {
            return;
        }
        let at = self.next_pane % self.panes.len();
        self.next_pane = at + 1;
        let (width, height) = sides(frame);
        let size = size_within(width, height, PANE_PX);
        let target = Target {
            network: self.panes[at].network.clone(),
            spec: SessionSpec::single(size.0, size.1, painter.mode(settings(mode))),
        };
        if let Some(openings) = openings
            && !self.sessions.has(&target)
        {
            self.ask(painter, openings, &target, held_bytes);
        }
        let Some(session) = self.sessions.get(&target) else {
            return;
        };
        fit(&mut self.input, size);
        self.resampler.resample(frame, &mut self.input);
        let output = &mut self.panes[at].output;
        fit(&mut output.value.painted, size);
        let painted = session.paint(&self.input, &mut output.value.painted, control);
        let ended = clock();
        if painted.is_ok() {
            output.value.painted_at_ms = (ended - self.began).as_millis() as u64;
            output.put();
        }
        let took = (ended - began).as_secs_f64();
        let share = SHARE.max(SHARE_OF_IDLE * (1.0 - busy));
        let next = 1.0 / MOST_FPS / self.panes.len() as f64;
        let rest = (took * (1.0 / share - 1.0)).max(next - took).max(0.0);
        self.rests_until = Some(ended + Duration::from_secs_f64(rest));
    }
}
