//! What the large picture is painted with, and how another takes its place: what is wanted is opened
//! beside what paints, which goes on until the new one is there, and stays when that cannot be had.
//!
//! The newest wish wins; what was being opened for an older one is given up. Belongs to the engine's
//! thread.

use std::{sync::Arc, time::Duration};

use super::{
    Live, LiveEvent,
    duel::OtherDevice,
    opener::{Ask, Opened, Outcome},
    order::Contestant,
    sessions::{Open, Sessions, Target},
};
use crate::{
    backend::{BackendError, SessionSpec},
    engine::{
        paint::{PaintError, PaintSettings, Painter},
        protocol::EngineError,
    },
    mode::{DeviceChoice, ModeChoice},
    network::Network,
};

/// A picture that takes longer is not begun in the old way before the new one was waited for.
const SLOW: Duration = Duration::from_millis(8);
/// How long a session is waited for that may be there at once.
const MOMENT: Duration = Duration::from_millis(20);

/// On which device a side paints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The painter's.
    Own,
    /// The second one of a comparison.
    Other,
}

/// One way to paint the large picture.
#[derive(Clone, PartialEq)]
pub(super) struct Side {
    pub(super) place: Place,
    pub(super) target: Target,
}

/// How the large picture is painted.
#[derive(Clone, PartialEq)]
pub(super) enum Scene {
    /// In one way.
    One(Side),
    /// In two that are compared.
    Two([Side; 2]),
}

impl Scene {
    pub(super) fn sides(&self) -> &[Side] {
        match self {
            Self::One(side) => std::slice::from_ref(side),
            Self::Two(sides) => sides,
        }
    }

    /// Whether a session of it lies there and is for `target`.
    fn uses(&self, place: Place, target: &Target) -> bool {
        let mut sides = self.sides().iter();
        sides.any(|side| side.place == place && side.target == *target)
    }

    /// Columns and rows that the network sees.
    pub(super) fn size(&self) -> (usize, usize) {
        let spec = self.sides()[0].target.spec;
        (spec.width, spec.height)
    }
}

/// What is missing for a scene.
#[derive(Clone, PartialEq)]
enum Wish {
    Session(Side),
    Device(DeviceChoice),
}

/// What is being opened.
pub(super) struct Asked {
    wish: Wish,
    ticket: u64,
    /// The scene that it is for; `None` for one that needs a device first.
    scene: Option<Scene>,
    /// Whether a picture was held up for it.
    was_waited_for: bool,
}

impl Asked {
    /// A session for `scene`.
    pub(super) fn new(side: Side, ticket: u64, scene: Scene) -> Self {
        Self {
            wish: Wish::Session(side),
            ticket,
            scene: Some(scene),
            was_waited_for: false,
        }
    }

    /// Whether it is this session.
    pub(super) fn is_for(&self, side: &Side) -> bool {
        matches!(&self.wish, Wish::Session(asked) if asked == side)
    }
}

/// What can be painted now.
pub(super) enum Choice {
    /// This scene.
    Scene(Scene),
    /// The source as it is.
    Source,
    /// Nothing: the first session is being opened.
    Wait,
}

/// Why a session is not open.
struct Shortage {
    needed_bytes: u64,
    /// What the device has left; `None` where that is not known.
    free_bytes: Option<u64>,
}

impl Live {
    /// What can be painted now at the size `working`; sees to it that what is wanted is being opened.
    pub(super) fn choose(
        &mut self,
        painter: &mut Painter,
        working: (usize, usize),
        tell: &mut dyn FnMut(LiveEvent),
    ) -> Choice {
        let Some(network) = self.order.network.clone() else {
            self.abandon();
            self.is_opening = false;
            return Choice::Source;
        };
        // Ends: every turn opens something, gives something up, or refuses for good.
        loop {
            self.take_in(painter, tell);
            let wanted = self.wanted(painter, &network, working);
            let refused = matches!(&wanted, Ok(scene) if self.refused.as_ref() == Some(scene));
            let goal = match (&self.serving, &wanted) {
                (Some(serving), _) if refused => Ok(serving.clone()),
                (None, _) if refused => {
                    self.abandon();
                    self.is_opening = false;
                    return Choice::Source;
                }
                _ => wanted,
            };
            let missing = match &goal {
                Ok(scene) => self.missing(scene).map(Wish::Session),
                Err(kind) => Some(Wish::Device(*kind)),
            };
            match (missing, goal) {
                (None, Ok(scene)) => {
                    match self.stand_in(&scene).cloned() {
                        Some(side) => self.ask(painter, Wish::Session(side), Some(scene.clone())),
                        None => self.abandon(),
                    }
                    self.is_opening = false;
                    if matches!(scene, Scene::One(_)) {
                        self.close_other_device();
                    }
                    self.serving = Some(scene.clone());
                    return Choice::Scene(scene);
                }
                (Some(wish), goal) => {
                    self.ask(painter, wish, goal.ok());
                    if self.openings.has_next() {
                        continue;
                    }
                    self.is_opening = true;
                    return match &self.serving {
                        Some(serving) if self.missing(serving).is_none() => {
                            Choice::Scene(serving.clone())
                        }
                        _ => Choice::Wait,
                    };
                }
                (None, Err(_)) => return Choice::Wait,
            }
        }
    }

    /// The scene of the order; or the device that has to be there before it can be told.
    fn wanted(
        &self,
        painter: &Painter,
        network: &Arc<Network>,
        (width, height): (usize, usize),
    ) -> Result<Scene, DeviceChoice> {
        let target = |mode| Target {
            network: network.clone(),
            spec: SessionSpec::single(width, height, mode),
        };
        let own = |choice| Side {
            place: Place::Own,
            target: target(painter.mode(settings(choice))),
        };
        let Some(duel) = self.order.duel.filter(|_| !self.duel_refused) else {
            return Ok(Scene::One(own(self.order.mode)));
        };
        let side = |Contestant { device: kind, mode }: Contestant| {
            if kind == DeviceChoice::Auto || kind == painter.backend().device().kind {
                return Ok(own(mode));
            }
            match &self.other_device {
                Some(other) if other.kind == kind => Ok(Side {
                    place: Place::Other,
                    target: target(other.painter.mode(settings(mode))),
                }),
                _ => Err(kind),
            }
        };
        let [a, b] = duel.sides;
        Ok(Scene::Two([side(a)?, side(b)?]))
    }

    /// The open sessions of a device.
    pub(super) fn sessions_at(&mut self, place: Place) -> Option<&mut Sessions> {
        match place {
            Place::Own => Some(&mut self.sessions),
            Place::Other => self.other_device.as_mut().map(|o| &mut o.sessions),
        }
    }

    /// A side of the scene whose session is not open. What is compared is never what only stands in.
    fn missing(&self, scene: &Scene) -> Option<Side> {
        let is_open = |side: &&Side| {
            let sessions = match (side.place, &self.other_device) {
                (Place::Own, _) => &self.sessions,
                (Place::Other, Some(other)) => &other.sessions,
                (Place::Other, None) => return false,
            };
            let may_stand_in = matches!(scene, Scene::One(_));
            sessions.has(&side.target) && (may_stand_in || !sessions.has_stand_in(&side.target))
        };
        scene.sides().iter().find(|side| !is_open(side)).cloned()
    }

    fn is_stood_in_for(&self, side: &Side) -> bool {
        side.place == Place::Own && self.sessions.has_stand_in(&side.target)
    }

    /// The side of a scene that is painted by what stands in for a faster session.
    pub(super) fn stand_in<'a>(&self, scene: &'a Scene) -> Option<&'a Side> {
        scene.sides().iter().find(|side| self.is_stood_in_for(side))
    }

    /// Has `wish` opened for a scene, in place of what was asked for before. Where another picture of the
    /// old one would take longer, the new one is waited for a moment: most are there by then.
    fn ask(&mut self, painter: &Painter, wish: Wish, scene: Option<Scene>) {
        let is_missing = match &wish {
            Wish::Session(side) => !self.is_stood_in_for(side),
            Wish::Device(_) => true,
        };
        match &mut self.asked {
            Some(asked) if asked.wish == wish => asked.scene = scene,
            _ => self.ask_anew(painter, wish, scene, is_missing),
        }
        if let Some(asked) = &mut self.asked
            && self.work > SLOW
            && is_missing
            && !std::mem::replace(&mut asked.was_waited_for, true)
        {
            self.openings.wait_for_next(MOMENT);
        }
    }

    /// Has `wish` opened for a scene, whatever is being opened. What is not `is_missing` is stood in for.
    fn ask_anew(&mut self, painter: &Painter, wish: Wish, scene: Option<Scene>, is_missing: bool) {
        self.openings.cancel();
        let held_bytes = self.held_bytes(painter);
        let ask = match &wish {
            Wish::Device(kind) => Ask::Device {
                kind: *kind,
                open: painter.opener(),
            },
            Wish::Session(side) => {
                let other = self.other_device.as_ref();
                let at = match (side.place, other) {
                    (Place::Other, Some(other)) => &other.painter,
                    _ => painter,
                };
                Ask::Session {
                    backend: at.backend().clone(),
                    target: side.target.clone(),
                    limit_bytes: at.default_limit_bytes(),
                    held_bytes: match (side.place, other) {
                        (Place::Other, Some(other)) => other.sessions.bytes(),
                        _ => held_bytes,
                    },
                    is_first: self.painted == 0,
                    may_stand_in: is_missing && matches!(scene, Some(Scene::One(_))),
                }
            }
        };
        let ticket = self.openings.ask(ask);
        self.asked = Some(Asked {
            wish,
            ticket,
            scene,
            was_waited_for: false,
        });
    }

    /// Gives up what is being opened for the large picture.
    pub(super) fn abandon(&mut self) {
        if self.asked.take().is_some() {
            self.openings.cancel();
        }
    }

    /// Bytes that the open sessions on the painter's device hold, as planned.
    pub(super) fn held_bytes(&self, painter: &Painter) -> u64 {
        self.sessions.bytes() + self.wall.bytes() + painter.kept_bytes()
    }

    /// Hears what was opened, and what was not.
    pub(super) fn take_in(&mut self, painter: &mut Painter, tell: &mut dyn FnMut(LiveEvent)) {
        while let Some(Outcome { ticket, opened }) = self.openings.next() {
            let asked = self.asked.as_ref().filter(|asked| asked.ticket == ticket);
            let opened = match (opened, asked.map(|asked| &asked.wish)) {
                // The one that it stands in for follows.
                (Opened::Session(open), Some(Wish::Session(side))) if open.stands_in => {
                    let (place, target) = (side.place, side.target.clone());
                    self.keep(place, target, open);
                    continue;
                }
                (opened, _) => opened,
            };
            let Some(asked) = self.asked.take_if(|asked| asked.ticket == ticket) else {
                let left = self.wall.take_in(Outcome { ticket, opened });
                self.openings.retire(left);
                continue;
            };
            match (opened, &asked.wish) {
                (Opened::Session(open), Wish::Session(side)) => {
                    let (place, target) = (side.place, side.target.clone());
                    self.keep(place, target, open);
                }
                (Opened::Device(backend), &Wish::Device(kind)) => {
                    self.close_other_device();
                    self.other_device = Some(OtherDevice {
                        kind,
                        painter: Painter::new(backend, painter.opener()),
                        sessions: Sessions::new(super::KEPT_SESSIONS),
                    });
                }
                // Superseded; it is asked for again if it is wanted again.
                (Opened::Failed(BackendError::Cancelled), _) => {}
                (Opened::Failed(error), _) if error.is_lost() => {
                    self.replace_lost(painter, error, asked.scene, tell);
                }
                (Opened::Failed(error), Wish::Session(side)) if self.is_stood_in_for(side) => {
                    self.sessions.settle_for_stand_in(&side.target);
                    let mode = side.target.spec.mode;
                    tell(LiveEvent::Notice(format!(
                        "{mode} goes on with StyleForge's own kernels: {error}"
                    )));
                }
                (Opened::NoRoom(_), Wish::Session(side)) if self.is_stood_in_for(side) => {
                    self.sessions.settle_for_stand_in(&side.target);
                }
                (Opened::Failed(error), Wish::Session(side)) => {
                    let shortage = match error {
                        BackendError::OutOfDeviceMemory {
                            needed_bytes,
                            free_bytes,
                            ..
                        } => Some((needed_bytes, Some(free_bytes))),
                        BackendError::OutOfMemory { needed_bytes, .. } => {
                            Some((needed_bytes, None))
                        }
                        _ => None,
                    };
                    let shortage = shortage.map(|(needed_bytes, free_bytes)| Shortage {
                        needed_bytes,
                        free_bytes,
                    });
                    let place = side.place;
                    if !shortage.is_some_and(|s| self.make_room(painter, place, &s, tell)) {
                        self.refuse(told(error), asked.scene, tell);
                    }
                }
                (Opened::NoRoom(needed_bytes), Wish::Session(side)) => {
                    let shortage = Shortage {
                        needed_bytes,
                        free_bytes: None,
                    };
                    // There is something to close: alone it fits.
                    if !self.make_room(painter, side.place, &shortage, tell) {
                        let (width, height) = (side.target.spec.width, side.target.spec.height);
                        let error = BackendError::OutOfMemory {
                            needed_bytes,
                            width,
                            height,
                        };
                        self.refuse(told(error), asked.scene, tell);
                    }
                }
                (Opened::Failed(error), Wish::Device(_)) => {
                    self.refuse(told(error), asked.scene, tell);
                }
                (Opened::Panicked(words), Wish::Session(side)) if self.is_stood_in_for(side) => {
                    self.sessions.settle_for_stand_in(&side.target);
                    tell(LiveEvent::Refused(EngineError::Panicked(words)));
                }
                (Opened::Panicked(words), _) => {
                    self.refuse(EngineError::Panicked(words), asked.scene, tell);
                }
                // Nobody gets something else than what was asked for.
                (Opened::Session(_) | Opened::Device(_) | Opened::NoRoom(_), _) => {}
            }
        }
    }

    fn keep(&mut self, place: Place, target: Target, open: Open) {
        let left = match self.sessions_at(place) {
            Some(sessions) => sessions.put(target, open),
            None => vec![open.session],
        };
        self.openings.retire(left);
    }

    /// Closes sessions on a device that is short of memory: first those that only wait to be used
    /// again, then those that paint, where that can help, which is told. `false` when there is nothing to
    /// close.
    fn make_room(
        &mut self,
        painter: &mut Painter,
        place: Place,
        shortage: &Shortage,
        tell: &mut dyn FnMut(LiveEvent),
    ) -> bool {
        let serving = self.serving.clone();
        let is_used = |target: &Target| serving.as_ref().is_some_and(|s| s.uses(place, target));
        let photos_bytes = match place {
            Place::Own => painter.kept_bytes(),
            Place::Other => 0,
        };
        if photos_bytes > 0 {
            painter.forget_sessions();
        }
        let mut closed = match place {
            Place::Own => self.wall.close(),
            Place::Other => Vec::new(),
        };
        if let Some(sessions) = self.sessions_at(place) {
            closed.extend(sessions.take(|target| !is_used(target)));
            if closed.is_empty() && photos_bytes == 0 {
                let held = sessions.bytes_of(is_used);
                let can_help = |free: u64| shortage.needed_bytes <= free.saturating_add(held);
                if shortage.free_bytes.is_none_or(can_help) {
                    closed = sessions.take(is_used);
                }
                if !closed.is_empty() {
                    tell(LiveEvent::Notice(format!(
                        "There is not memory enough for what paints and for what was chosen ({} MB \
                         more), so the one was closed before the other was opened, and the picture \
                         stood still meanwhile.",
                        shortage.needed_bytes.div_ceil(1_000_000)
                    )));
                }
            }
        }
        let made = !closed.is_empty() || photos_bytes > 0;
        self.openings.retire(closed);
        made
    }

    /// What was opened for `scene` cannot be had: tells so, and what was painted before goes on.
    fn refuse(
        &mut self,
        error: EngineError,
        scene: Option<Scene>,
        tell: &mut dyn FnMut(LiveEvent),
    ) {
        tell(LiveEvent::Refused(error));
        if scene.is_some() && scene == self.serving {
            // What was painted before had been closed and does not come back.
            self.serving = None;
            if self.refused.is_some() {
                return;
            }
        }
        match scene {
            Some(one @ Scene::One(_)) => self.refused = Some(one),
            Some(Scene::Two(_)) | None => self.duel_refused = true,
        }
    }

    /// Painting `scene` failed with `error`: another device takes the place of one that was lost, and
    /// anything else is refused.
    pub(super) fn failed(
        &mut self,
        painter: &mut Painter,
        error: BackendError,
        scene: Scene,
        tell: &mut dyn FnMut(LiveEvent),
    ) {
        if error.is_lost() {
            self.replace_lost(painter, error, Some(scene), tell);
            return;
        }
        let is_wanted = !self.is_opening;
        if self.serving.as_ref() == Some(&scene) {
            self.serving = None;
        }
        if is_wanted {
            self.refuse(told(error), Some(scene), tell);
        } else {
            tell(LiveEvent::Refused(told(error)));
        }
    }

    /// Puts another device in the place of the lost one, or refuses `scene`.
    fn replace_lost(
        &mut self,
        painter: &mut Painter,
        error: BackendError,
        scene: Option<Scene>,
        tell: &mut dyn FnMut(LiveEvent),
    ) {
        self.forget_device();
        if let Err(error) = painter.replace_device(error, settings(self.order.mode)) {
            self.refuse(told(error), scene, tell);
        }
    }

    /// Gives up everything that lies on a lost device, and waits until nothing uses it any more.
    fn forget_device(&mut self) {
        self.asked = None;
        self.openings.settle();
        self.sessions.take(|_| true);
        self.wall.forget_device();
        self.other_device = None;
        self.duel_names = None;
        self.serving = None;
        self.ceiling_of = None;
    }

    /// The second device of a comparison that is over.
    fn close_other_device(&mut self) {
        if let Some(mut other) = self.other_device.take() {
            self.openings.retire(other.sessions.take(|_| true));
        }
    }
}

pub(super) fn settings(choice: ModeChoice) -> PaintSettings {
    PaintSettings {
        variant: choice.variant,
        precision: choice.precision,
        ..PaintSettings::default()
    }
}

fn told(error: BackendError) -> EngineError {
    EngineError::Paint(PaintError::Backend(error))
}
