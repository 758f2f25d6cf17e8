//! The scheduler's goal that follows from the settings: the source as it is, one session, or two. Pure.

use super::{
    render_target::{DeviceSlot, RenderTarget, SessionSlot},
    scheduler::Goal,
    settings::{CandidateChoice, LiveSettings},
};
use crate::{
    backend::SessionSpec,
    engine::{
        paint::{PaintSettings, Painter},
        sessions::SessionKey,
    },
    mode::DeviceChoice,
};

/// The goal of `settings` for pictures of this size. `compares` is false after a comparison was refused; its
/// second candidate may paint on the `other` device.
pub fn goal(
    settings: &LiveSettings,
    size: (usize, usize),
    compares: bool,
    painter: &Painter,
    other: Option<(DeviceChoice, &Painter)>,
) -> Goal {
    let Some(network) = &settings.network else {
        return Goal::Source;
    };
    let slot = |device, mode| SessionSlot {
        device,
        key: SessionKey {
            network: network.clone(),
            spec: SessionSpec::single(size.0, size.1, mode),
        },
    };
    let mode_at = |painter: &Painter, mode| painter.mode_on(network, PaintSettings::of_mode(mode));
    let own = |mode| slot(DeviceSlot::Own, mode_at(painter, mode));
    let Some(pair) = settings.compare.filter(|_| compares) else {
        let mode = painter.live_mode(settings.mode, network);
        return Goal::Target(RenderTarget::One(slot(DeviceSlot::Own, mode)));
    };
    let candidate = |CandidateChoice { device: kind, mode }: CandidateChoice| {
        if kind == DeviceChoice::Auto || kind == painter.backend().device().kind {
            return Ok(own(mode));
        }
        match other {
            Some((other, painter)) if other == kind => {
                Ok(slot(DeviceSlot::Other, mode_at(painter, mode)))
            }
            _ => Err(kind),
        }
    };
    let [a, b] = pair.candidates;
    match (candidate(a), candidate(b)) {
        (Ok(a), Ok(b)) => Goal::Target(RenderTarget::Pair([a, b])),
        (Err(kind), _) | (_, Err(kind)) => Goal::Device(kind),
    }
}
