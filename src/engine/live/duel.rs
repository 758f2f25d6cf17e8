//! Two modes on the same frames, in turn: both pictures, both times, and whether they are the same picture.

use std::{sync::Arc, time::Duration};

use super::{
    Live, Run, fit,
    order::{Contestant, Duel, LiveEvent},
    picture::DuelTimes,
    sessions::{Sessions, Target},
    settings, told,
};
use crate::{
    backend::{BackendError, SessionSpec},
    engine::paint::Painter,
    frame::Frame,
    mode::{DeviceChoice, Mode},
    timing::RunTiming,
    verify::Equality,
};

/// Time between two judgements of a comparison at least: judging reads both pictures on the host.
const JUDGE_EVERY: Duration = Duration::from_millis(300);

/// The second device of a comparison, and its sessions.
pub(super) struct OtherDevice {
    kind: DeviceChoice,
    painter: Painter,
    sessions: Sessions,
}

impl Live {
    /// Paints in both modes, the one that begins changing from frame to frame; as
    /// [`Live::paint_once`].
    pub(super) fn paint_duel(
        &mut self,
        painter: &mut Painter,
        duel: Duel,
        working: (usize, usize),
        tell: &mut dyn FnMut(LiveEvent),
    ) -> Option<Run> {
        let scale_ms = self.scale(working);
        fit(&mut self.output.value.painted, working);
        let mut other =
            (self.output.value.other.take()).unwrap_or_else(|| Frame::from_fn(1, 1, |_, _| [0; 4]));
        fit(&mut other, working);
        let mut timings = [RunTiming::host(0.0); 2];
        let mut modes = [Mode::default(); 2];
        self.duel_frames += 1;
        let first = (self.duel_frames % 2) as usize;
        for side in [first, 1 - first] {
            let painted = self.paint_side(painter, duel.sides[side], side, &mut other);
            match painted {
                Ok((mode, timing)) => (modes[side], timings[side]) = (mode, timing),
                Err(BackendError::Cancelled) => return None,
                Err(error) => {
                    let lost = error.is_lost();
                    self.duel_refused = !lost;
                    if lost {
                        self.forget_device();
                        let choice = duel.sides[side].mode;
                        if let Err(error) = painter.replace_device(error, settings(choice)) {
                            tell(LiveEvent::Refused(told(error)));
                        }
                    } else {
                        tell(LiveEvent::Refused(told(error)));
                    }
                    return self.paint_once(painter, self.order.mode, working, tell);
                }
            }
        }
        let now = (self.clock)();
        if self.next_judgement.is_none_or(|at| now >= at) {
            let precisions = modes.map(|m| m.precision);
            let equality = Equality::between(&self.output.value.painted, &other, precisions);
            // Once unequal, unequal until something changes: a ratio must not flicker.
            let judged = match &self.equality {
                Some(before) if !before.passed() => before.as_ref().clone().worse(equality),
                _ => equality,
            };
            self.equality = Some(Arc::new(judged));
            self.next_judgement = Some(now + JUDGE_EVERY);
        }
        self.output.value.other = Some(other);
        Some(Run {
            mode: Some(modes[0]),
            timing: timings[0],
            scale_ms,
            duel: Some(DuelTimes {
                modes,
                ms: timings.map(|t| t.total_ms),
                methods: timings.map(|t| t.method),
            }),
        })
    }

    /// One side of a comparison: the first into the output's painting, the second into `other`.
    fn paint_side(
        &mut self,
        painter: &mut Painter,
        contestant: Contestant,
        side: usize,
        other: &mut Frame,
    ) -> Result<(Mode, RunTiming), BackendError> {
        let Some(network) = self.order.network.clone() else {
            return Err(BackendError::EMPTY_BATCH);
        };
        let kind = contestant.device;
        let elsewhere = kind != DeviceChoice::Auto && kind != painter.backend().device().kind;
        if elsewhere && self.other_device.as_ref().is_none_or(|o| o.kind != kind) {
            self.other_device = Some(OtherDevice {
                kind,
                painter: painter.on_device(kind)?,
                sessions: Sessions::new(2),
            });
        }
        let (painter, sessions) = match &mut self.other_device {
            Some(device) if elsewhere => (&mut device.painter, &mut device.sessions),
            _ => (painter, &mut self.sessions),
        };
        let mode = painter.mode(settings(contestant.mode));
        painter.backend().supports(mode)?;
        let target = Target {
            network,
            spec: SessionSpec::single(self.scaled.width(), self.scaled.height(), mode),
        };
        let session = sessions.ready(painter, &target)?;
        let to = if side == 0 {
            &mut self.output.value.painted
        } else {
            other
        };
        let timing = session.paint(&self.scaled, to, &self.control)?;
        Ok((mode, timing))
    }
}
