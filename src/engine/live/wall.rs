//! The wall: every style paints the same live picture, small, in turn, beside the large one.
//!
//! One pane is painted after a large picture, and then so long none that the wall takes a small share of
//! the time, or half of what the large picture leaves. Belongs to the engine's thread.

use std::time::{Duration, Instant};

use super::{
    Clock, fit,
    order::WallPane,
    sessions::{Sessions, Target},
    settings, sides,
};
use crate::{
    backend::{RunControl, SessionSpec},
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
        }
    }

    pub(super) fn set_panes(&mut self, panes: Vec<WallPane>) {
        if panes.is_empty() {
            self.sessions.clear();
        }
        self.panes = panes;
        self.next_pane = 0;
        self.rests_until = None;
    }

    pub(super) fn forget_device(&mut self) {
        self.sessions.clear();
    }

    pub(super) fn bytes(&self) -> u64 {
        self.sessions.bytes()
    }

    /// Paints the next pane from `frame`, if it is time to. Large pictures take `busy` of the time, 0 to 1.
    /// What cannot be painted small is left out: the
    /// same style painted large tells why.
    pub(super) fn serve(
        &mut self,
        painter: &mut Painter,
        frame: &Frame,
        mode: ModeChoice,
        (control, clock): (&RunControl, &Clock),
        busy: f64,
    ) {
        let began = clock();
        if self.panes.is_empty() || self.rests_until.is_some_and(|until| began < until) {
            return;
        }
        let at = self.next_pane % self.panes.len();
        self.next_pane = at + 1;
        let pane = &mut self.panes[at];
        let (width, height) = sides(frame);
        let size = size_within(width, height, PANE_PX);
        fit(&mut self.input, size);
        self.resampler.resample(frame, &mut self.input);
        let target = Target {
            network: pane.network.clone(),
            spec: SessionSpec::single(size.0, size.1, painter.mode(settings(mode))),
        };
        fit(&mut pane.output.value.painted, size);
        let painted = self.sessions.ready(painter, &target).and_then(|session| {
            session.paint(&self.input, &mut pane.output.value.painted, control)
        });
        let ended = clock();
        if painted.is_ok() {
            pane.output.value.painted_at_ms = (ended - self.began).as_millis() as u64;
            pane.output.put();
        }
        let took = (ended - began).as_secs_f64();
        let share = SHARE.max(SHARE_OF_IDLE * (1.0 - busy));
        let next = 1.0 / MOST_FPS / self.panes.len() as f64;
        let rest = (took * (1.0 / share - 1.0)).max(next - took).max(0.0);
        self.rests_until = Some(ended + Duration::from_secs_f64(rest));
    }
}
