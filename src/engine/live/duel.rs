//! Two modes on the same frames, in turn: both pictures, both times, and whether they are the same picture.

use std::{sync::Arc, time::Duration};

use super::{Live, Run, fit, picture::DuelTimes, scene::Side, sessions::Sessions};
use crate::{
    backend::BackendError, engine::paint::Painter, frame::Frame, mode::DeviceChoice,
    plan::ConvProvider, timing::RunTiming, verify::Equality,
};

/// Time between two judgements of a comparison at least: judging reads both pictures on the host.
const JUDGE_EVERY: Duration = Duration::from_millis(300);

/// The second device of a comparison, and its sessions.
pub(super) struct OtherDevice {
    pub(super) kind: DeviceChoice,
    pub(super) painter: Painter,
    pub(super) sessions: Sessions,
}

impl Live {
    /// Paints in both modes, the one that begins changing from frame to frame; as [`Live::paint`].
    pub(super) fn paint_duel(
        &mut self,
        painter: &Painter,
        sides: &[Side; 2],
    ) -> Result<Run, BackendError> {
        let spec = sides[0].target.spec;
        let working = (spec.width, spec.height);
        let scale_ms = self.scale(working);
        fit(&mut self.output.value.painted, working);
        let mut other =
            (self.output.value.other.take()).unwrap_or_else(|| Frame::from_fn(1, 1, |_, _| [0; 4]));
        fit(&mut other, working);
        let mut timings = [RunTiming::host(0.0); 2];
        let modes = sides.each_ref().map(|side| side.target.spec.mode);
        self.duel_frames += 1;
        let first = (self.duel_frames % 2) as usize;
        for at in [first, 1 - first] {
            timings[at] = match at {
                0 => self.paint_side(painter, &sides[0], None)?,
                _ => self.paint_side(painter, &sides[1], Some(&mut other))?,
            };
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
        self.name(sides);
        Ok(Run {
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

    /// Finds out what both sides are called; only where they are others than before.
    fn name(&mut self, sides: &[Side; 2]) {
        if matches!(&self.duel_names, Some((of, _)) if of == sides) {
            return;
        }
        let names = sides.each_ref().map(|side| {
            let sessions = self.sessions_at(side.place);
            let session = sessions.and_then(|sessions| sessions.get(&side.target));
            let convolver = session.and_then(|session| session.summary().conv_provider);
            ConvProvider::beside(side.target.spec.mode, convolver.as_ref())
        });
        self.duel_names = Some((sides.clone(), Arc::new(names)));
    }
}
