//! The scheduler's goal that follows from the settings: the unpainted source, one session, or two. Pure.

use super::{
    scheduler::{Goal, RenderTarget, SessionSlot},
    settings::{CandidateChoice, LiveSettings},
};
use crate::{
    backend::SessionSpec,
    engine::{devices::Devices, paint::PaintSettings, sessions::SessionKey},
};

/// The goal of `settings` for pictures of this size. `compares` is false after a comparison was refused.
pub fn goal(
    settings: &LiveSettings,
    size: (usize, usize),
    compares: bool,
    devices: &Devices,
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
    let Some(pair) = settings.compare.filter(|_| compares) else {
        let mode = devices.first().live_mode(settings.mode, network);
        return Goal::Target(RenderTarget::One(slot(Default::default(), mode)));
    };
    let candidate = |CandidateChoice { device: kind, mode }: CandidateChoice| {
        let (device, painter) = devices.of_kind(kind).ok_or(kind)?;
        Ok(slot(*device, painter.mode_on(network, PaintSettings::of_mode(mode))))
    };
    let [a, b] = pair.candidates;
    match (candidate(a), candidate(b)) {
        (Ok(a), Ok(b)) => Goal::Target(RenderTarget::Pair([a, b])),
        (Err(kind), _) | (_, Err(kind)) => Goal::Device(kind),
    }
}
