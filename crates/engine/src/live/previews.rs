//! Previews: every style paints the same live picture at a small size, in turn, next to the large one.
//!
//! At most one preview is painted after a large picture. The next one waits until previews have taken at most a small
//! share of the time, or at most half of the time that the device would be idle. Belongs to the engine's thread.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    pace::Clock,
    scaler::{fit, pixel},
    settings::Preview,
};
use crate::{
    error::caught,
    paint::Painter,
    sessions::{Loaded, Purpose, SessionKey},
};
use backend::{BackendError, RunControl, SessionSpec};
use media::resample::Resampler;
use pictures::scale::size_within;
use values::{
    compose::{Look, compose_into},
    frame::Frame,
    mode::ModeChoice,
};

/// Long side of a preview, in pixels.
const PREVIEW_PX: usize = 192;
/// Share of the time that previews may take on a busy device.
const SHARE: f64 = 0.08;
/// Share of the device's idle time that previews may take.
const SHARE_OF_IDLE: f64 = 0.5;
/// Maximum pictures per second of one style.
const MAX_FPS: f64 = 15.0;

/// The input of the next preview.
pub struct Turn<'a> {
    pub frame: &'a Frame,
    pub mode: ModeChoice,
    pub look: Look,
    /// Share of time that large pictures take, 0 to 1.
    pub busy: f64,
    /// A session may be requested.
    pub may_load: bool,
}

/// The previews, and whose turn it is.
pub struct Previews {
    previews: Vec<Preview>,
    next: usize,
    resampler: Resampler,
    input: Frame,
    rests_until: Option<Instant>,
    began: Instant,
    /// The session that is being loaded, and the number of the request.
    loading: Option<(SessionKey, u64)>,
    /// Sessions that could not be opened.
    refused: Vec<SessionKey>,
}

impl Previews {
    pub fn new(began: Instant) -> Self {
        Self {
            previews: Vec::new(),
            next: 0,
            resampler: Resampler::default(),
            input: pixel(),
            rests_until: None,
            began,
            loading: None,
            refused: Vec::new(),
        }
    }

    /// Paints these from now on; an empty list closes their sessions.
    pub fn set(&mut self, previews: Vec<Preview>, painter: &mut Painter) {
        if previews.is_empty() {
            self.loading = None;
            painter.pool.close_all(Purpose::Preview);
        }
        // A refused preview that stays in the list is not retried when another one is added.
        self.refused.retain(|key| previews.iter().any(|p| Arc::ptr_eq(&p.network, &key.network)));
        self.previews = previews;
        self.next = 0;
        self.rests_until = None;
    }

    /// Forgets requests and refusals after the device was replaced.
    pub fn forget_device(&mut self) {
        self.loading = None;
        self.refused.clear();
    }

    /// Handles the outcome of a request, if it was a preview's.
    pub fn note_loaded(&mut self, ticket: u64, loaded: &Loaded) {
        let loading = self.loading.take_if(|(_, of)| *of == ticket);
        match (loading, loaded) {
            (None, _) | (_, Loaded::Open | Loaded::Failed(BackendError::Cancelled)) => {}
            // The reason is reported when the same style is painted large.
            (Some((key, _)), _) => self.refused.push(key),
        }
    }

    /// Paints the next preview, if it is due. If its session is not open, requests it and skips this turn. Skips a
    /// style that cannot be painted: painting it large reports the reason.
    pub fn serve(
        &mut self,
        painter: &mut Painter,
        turn: &Turn<'_>,
        control: &RunControl,
        clock: &Clock,
    ) {
        let &Turn { frame, mode, look, busy, may_load } = turn;
        let began = clock();
        if self.previews.is_empty() || self.rests_until.is_some_and(|until| began < until) {
            return;
        }
        let at = self.next % self.previews.len();
        self.next = at + 1;
        let (width, height) = frame.size();
        let size = size_within(width, height, PREVIEW_PX);
        let network = self.previews[at].network.clone();
        let mode = painter.device.live_mode(mode, &network);
        let key =
            SessionKey { network: network.into(), spec: SessionSpec::single(size.0, size.1, mode) };
        if may_load
            && !painter.pool.has(&key)
            && !self.refused.contains(&key)
            && painter.pool.requests.is_idle()
        {
            let ticket = painter.pool.request(painter.device.backend(), &key, Purpose::Preview);
            self.loading = Some((key.clone(), ticket));
            // A loader without a thread has already opened it.
            while let Some((ticket, loaded)) = painter.pool.next_loaded() {
                self.note_loaded(ticket, &loaded);
            }
        }
        let Some(session) = painter.pool.session(&key) else {
            return;
        };
        fit(&mut self.input, size);
        self.resampler.resample(frame, &mut self.input);
        let output = &mut self.previews[at].output;
        fit(&mut output.value.painted, size);
        let run = || session.paint(&self.input, &mut output.value.painted, control);
        let Ok(painted) = caught(run) else {
            // The session may be half-way through a run.
            painter.pool.close_network(&key.network);
            self.refused.push(key);
            return;
        };
        if painted.is_ok() && look != Look::default() {
            compose_into(&self.input, &mut output.value.painted, look);
        }
        let ended = clock();
        if painted.is_ok() {
            output.value.painted_at_ms = (ended - self.began).as_millis() as u64;
            output.put();
        }
        let took = (ended - began).as_secs_f64();
        let share = SHARE.max(SHARE_OF_IDLE * (1.0 - busy));
        let next = 1.0 / MAX_FPS / self.previews.len() as f64;
        let rest = (took * (1.0 / share - 1.0)).max(next - took).max(0.0);
        self.rests_until = Some(ended + Duration::from_secs_f64(rest));
    }
}
