//! The sampler: occasionally times the single steps of a frame. Samples are rare enough to cost a small share of the
//! time.
//!
//! Belongs to the engine's thread; times are passed in.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    frame_loop::{FrameLoop, Painted},
    pace::Clock,
    settings::{LiveEvent, LiveSample},
};
use crate::{paint::Painter, sessions::SessionKey};
use measure::setup::{ceiling, step_times};
use values::{frame::Frame, mode::Precision};

/// Minimum time between two samples.
const SAMPLE_EVERY: Duration = Duration::from_millis(500);
/// Sampling may take at most one part in this many of the time.
const SAMPLE_SHARE: u32 = 100;

/// When the next sample is due.
#[derive(Default)]
pub struct Sampler {
    next: Option<Instant>,
    /// The precision whose ceiling was sent.
    ceiling_of: Option<Precision>,
}

impl Sampler {
    /// Stops sampling, because samples are not shown.
    pub fn stop(&mut self) {
        self.next = None;
    }

    /// Forgets the ceiling after the device was replaced.
    pub fn forget_device(&mut self) {
        self.ceiling_of = None;
    }

    /// Takes a sample of the session that painted the last picture, if it is due.
    pub fn sample(
        &mut self,
        painter: &mut Painter,
        key: &SessionKey,
        (frames, source, painted): (&mut FrameLoop, &Frame, &Painted),
        clock: &Clock,
        send: &mut dyn FnMut(LiveEvent),
    ) {
        let began = clock();
        let Some(mode) = painted.mode else {
            return;
        };
        if self.next.is_some_and(|at| began < at) {
            return;
        }
        if self.ceiling_of != Some(mode.precision) {
            self.ceiling_of = Some(mode.precision);
            // Without a ceiling the panel shows no shares of it.
            let ceiling = ceiling(painter.backend().as_ref(), mode.precision);
            send(LiveEvent::Ceiling(ceiling.unwrap_or_default()));
        }
        let timing = painted.runs[0].timing;
        let free_bytes = painter.backend().free_bytes();
        let session_bytes = painter.pool.held_bytes() + painter.pool.loading_bytes();
        let Some(session) = painter.pool.session(key) else {
            return;
        };
        let conv_provider = session.summary().conv_provider;
        let (scaled, unseen, control) = frames.unseen(source, &painted.options);
        // A failure happens again with the next frame, which handles it.
        let steps = step_times(session, scaled, unseen, control).unwrap_or_default();
        let cost = clock() - began;
        self.next = Some(began + SAMPLE_EVERY.max(cost * SAMPLE_SHARE));
        send(LiveEvent::Sample(Arc::new(LiveSample {
            mode,
            conv_provider,
            width: key.spec.width,
            height: key.spec.height,
            method: timing.method,
            total_ms: timing.total_ms,
            steps,
            cost_ms: cost.as_secs_f64() * 1e3,
            session_bytes,
            free_bytes,
        })));
    }
}
