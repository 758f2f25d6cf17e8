//! What settings ask of the next picture: the source, one session, or two. Pure.

use super::{
    scheduler::Wanted,
    settings::{Candidate, LiveSettings},
    target::{DeviceSlot, RenderTarget, SessionSlot},
};
use crate::{
    backend::SessionSpec,
    engine::{
        paint::{PaintSettings, Painter},
        sessions::SessionKey,
    },
    mode::DeviceChoice,
};

/// What `settings` ask of pictures of this size, painted by `painter` and, where two modes are compared (which
/// it `compares` unless that was refused), by the `other` device.
pub fn wanted(
    settings: &LiveSettings,
    size: (usize, usize),
    compares: bool,
    painter: &Painter,
    other: Option<(DeviceChoice, &Painter)>,
) -> Wanted {
    let Some(network) = &settings.network else {
        return Wanted::Source;
    };
    let slot = |device, mode| SessionSlot {
        device,
        key: SessionKey {
            network: network.clone(),
            spec: SessionSpec::single(size.0, size.1, mode),
        },
    };
    let own = |mode| slot(DeviceSlot::Own, painter.mode(PaintSettings::of_mode(mode)));
    let Some(pair) = settings.compare.filter(|_| compares) else {
        return Wanted::Target(RenderTarget::One(own(settings.mode)));
    };
    let candidate = |Candidate { device: kind, mode }: Candidate| {
        if kind == DeviceChoice::Auto || kind == painter.backend().device().kind {
            return Ok(own(mode));
        }
        match other {
            Some((other, painter)) if other == kind => {
                let mode = painter.mode(PaintSettings::of_mode(mode));
                Ok(slot(DeviceSlot::Other, mode))
            }
            _ => Err(kind),
        }
    };
    let [a, b] = pair.candidates;
    match (candidate(a), candidate(b)) {
        (Ok(a), Ok(b)) => Wanted::Target(RenderTarget::Pair([a, b])),
        (Err(kind), _) | (_, Err(kind)) => Wanted::Device(kind),
    }
}
