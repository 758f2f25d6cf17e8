//! The scheduler decides which target paints the next picture and what has to be requested for it. While the sessions
//! of the goal are opening, the serving target continues to paint; it stays if they cannot be opened. The newest goal
//! replaces older ones, whose requests are cancelled.
//!
//! A pure state machine: it loads nothing, paints nothing and knows no devices. Belongs to the engine's thread.

use std::sync::Arc;

use crate::{devices::DeviceId, sessions::SessionKey};
use network::Network;
use values::mode::DeviceChoice;

/// One session of a picture.
#[derive(Clone, PartialEq)]
pub struct SessionSlot {
    pub device: DeviceId,
    pub key: SessionKey,
}

/// How the large picture is painted.
#[derive(Clone, PartialEq)]
pub enum RenderTarget {
    /// With one session.
    One(SessionSlot),
    /// With two sessions that are compared.
    Pair([SessionSlot; 2]),
}

impl RenderTarget {
    pub fn slots(&self) -> &[SessionSlot] {
        match self {
            Self::One(slot) => std::slice::from_ref(slot),
            Self::Pair(slots) => slots,
        }
    }

    /// Its session, unless two are compared.
    pub fn single(&self) -> Option<&SessionSlot> {
        match self {
            Self::One(slot) => Some(slot),
            Self::Pair(_) => None,
        }
    }

    /// Columns and rows of the network's input.
    pub fn size(&self) -> (usize, usize) {
        let spec = self.slots()[0].key.spec;
        (spec.width, spec.height)
    }
}

/// What the settings require for the next picture.
#[derive(Clone, PartialEq)]
pub enum Goal {
    /// The unpainted source.
    Source,
    /// Sessions on a second device, which must be opened before their modes are known.
    Device(DeviceChoice),
    Target(RenderTarget),
}

/// A session or device that is not open yet.
#[derive(Clone, PartialEq)]
pub enum Missing {
    Session(SessionSlot),
    /// A second device.
    Device(DeviceChoice),
}

/// A request, identified by the loader's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ticket {
    /// For a session on this device.
    Session(DeviceId, u64),
    /// For a second device.
    Device(u64),
}

/// What the next picture is painted with.
#[derive(Clone, PartialEq)]
pub enum Next {
    /// These sessions; all are open.
    Target(RenderTarget),
    /// The unpainted source.
    Source,
    /// No open session can paint it.
    Nothing,
}

/// What has to be done before the next picture.
#[derive(Clone, PartialEq)]
pub enum Step {
    /// Nothing: it can be painted.
    Paint(Next),
    /// Request this, and cancel the previous request.
    Request(Missing),
}

/// The session or device that is being opened.
struct Opening {
    missing: Missing,
    /// The target that needs it; `None` for a second device.
    target: Option<RenderTarget>,
    /// `None` until it is requested.
    ticket: Option<Ticket>,
}

/// The state: the serving target, the one that is being opened, and the refused ones, which could not be opened.
#[derive(Default)]
pub struct Scheduler {
    serving: Option<RenderTarget>,
    refused: Option<RenderTarget>,
    /// A network whose sessions panic when opened, at any size.
    broken: Option<Arc<Network>>,
    is_pair_refused: bool,
    opening: Option<Opening>,
    is_opening: bool,
}

impl Scheduler {
    /// Forgets refusals, because the settings changed. Comparisons are retried only if the change affects how frames
    /// are painted.
    pub fn settings_changed(&mut self, paints_otherwise: bool) {
        self.refused = None;
        self.broken = None;
        if paints_otherwise {
            self.is_pair_refused = false;
        }
    }

    pub fn is_pair_refused(&self) -> bool {
        self.is_pair_refused
    }

    /// The target that painted the last picture.
    pub fn serving(&self) -> Option<&RenderTarget> {
        self.serving.as_ref()
    }

    /// The newest request, if it has not ended.
    pub fn ticket(&self) -> Option<Ticket> {
        self.opening.as_ref()?.ticket
    }

    /// The session or device of that request.
    pub fn missing(&self) -> Option<&Missing> {
        self.opening.as_ref().map(|opening| &opening.missing)
    }

    /// True if the serving target only paints until the goal is open.
    pub fn is_opening(&self) -> bool {
        self.is_opening
    }

    /// The next step towards `goal`. Repeated calls end in [`Step::Paint`], because every request is made once.
    pub fn step(&mut self, goal: Goal, is_open: impl Fn(&SessionSlot) -> bool) -> Step {
        let is_broken = |target: &RenderTarget| {
            let broken = |slot: &SessionSlot| {
                self.broken.as_ref().is_some_and(|broken| Arc::ptr_eq(broken, &slot.key.network))
            };
            target.slots().iter().any(broken)
        };
        let goal = match goal {
            Goal::Target(target)
                if self.refused.as_ref() == Some(&target) || is_broken(&target) =>
            {
                match self.serving.clone() {
                    Some(serving) => Goal::Target(serving),
                    None => Goal::Source,
                }
            }
            goal => goal,
        };
        let missing_of =
            |target: &RenderTarget| target.slots().iter().find(|slot| !is_open(slot)).cloned();
        let (missing, target) = match goal {
            Goal::Source => {
                self.opening = None;
                self.is_opening = false;
                return Step::Paint(Next::Source);
            }
            Goal::Device(device) => (Missing::Device(device), None),
            Goal::Target(target) => match missing_of(&target) {
                None => {
                    self.opening = None;
                    self.is_opening = false;
                    self.serving = Some(target.clone());
                    return Step::Paint(Next::Target(target));
                }
                Some(slot) => (Missing::Session(slot), Some(target)),
            },
        };
        self.is_opening = true;
        match &mut self.opening {
            Some(opening) if opening.missing == missing => {
                // The target that needs it may have changed.
                opening.target = target;
                Step::Paint(match &self.serving {
                    Some(serving) if missing_of(serving).is_none() => Next::Target(serving.clone()),
                    _ => Next::Nothing,
                })
            }
            _ => {
                self.opening = Some(Opening { missing: missing.clone(), target, ticket: None });
                Step::Request(missing)
            }
        }
    }

    /// Records that a session of a future goal was requested in advance, under this number.
    pub fn prefetch(&mut self, slot: SessionSlot, ticket: Ticket) {
        self.opening = Some(Opening {
            target: Some(RenderTarget::One(slot.clone())),
            missing: Missing::Session(slot),
            ticket: Some(ticket),
        });
    }

    /// Records the number of the request of the last step.
    pub fn requested(&mut self, ticket: Ticket) {
        if let Some(opening) = &mut self.opening {
            opening.ticket = Some(ticket);
        }
    }

    /// Records that the request of this number has ended. If it is the newest request, returns what it requested and
    /// for which target.
    pub fn ended(&mut self, ticket: Ticket) -> Option<(Missing, Option<RenderTarget>)> {
        let opening = self.opening.take_if(|opening| opening.ticket == Some(ticket))?;
        Some((opening.missing, opening.target))
    }

    /// Records that `target` cannot be opened: the serving target stays. `None` means a comparison whose device is
    /// missing.
    pub fn refuse(&mut self, target: Option<RenderTarget>) {
        if target.is_some() && target == self.serving {
            // The serving target had been closed and could not be opened again.
            self.serving = None;
            if self.refused.is_some() {
                return;
            }
        }
        match target {
            Some(one @ RenderTarget::One(_)) => self.refused = Some(one),
            Some(RenderTarget::Pair(_)) | None => self.is_pair_refused = true,
        }
    }

    /// Records that opening a session of this network panicked. It is not tried at other sizes either.
    pub fn note_broken(&mut self, network: &Arc<Network>) {
        self.broken = Some(network.clone());
    }

    /// Records that painting with `target` failed, so it no longer serves. Returns whether it was the goal itself,
    /// rather than a target that served until the goal was open.
    pub fn failed(&mut self, target: &RenderTarget) -> bool {
        if self.serving.as_ref() == Some(target) {
            self.serving = None;
        }
        !self.is_opening
    }

    /// Drops the request.
    pub fn abandon(&mut self) {
        self.opening = None;
    }

    /// Forgets every target after the device was lost.
    pub fn forget_device(&mut self) {
        self.opening = None;
        self.serving = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use backend::SessionSpec;
    use network::models::johnson::NetworkSpec;
    use values::mode::Mode;

    struct World {
        scheduler: Scheduler,
        network: Arc<Network>,
        open: Vec<SessionSlot>,
        requests: u64,
    }

    impl World {
        fn new() -> Self {
            let spec = NetworkSpec { blocks: 1, ..NetworkSpec::with_widths([2, 3, 4]) };
            Self {
                scheduler: Scheduler::default(),
                network: Arc::new(spec.random(5).expect("a valid shape")),
                open: Vec::new(),
                requests: 0,
            }
        }

        fn slot(&self, px: usize) -> SessionSlot {
            SessionSlot {
                device: DeviceId::default(),
                key: SessionKey {
                    network: self.network.clone().into(),
                    spec: SessionSpec::single(px, px, Mode::default()),
                },
            }
        }

        fn one(&self, px: usize) -> RenderTarget {
            RenderTarget::One(self.slot(px))
        }

        /// Performs the scheduler's steps. Returns whether something was requested, and the long side of the serving
        /// target.
        fn next(&mut self, goal: Goal) -> (bool, Option<usize>) {
            let requests = self.requests;
            loop {
                let open = &self.open;
                match self.scheduler.step(goal.clone(), |slot| open.contains(slot)) {
                    Step::Paint(Next::Target(target)) => {
                        return (self.requests > requests, Some(target.size().0));
                    }
                    Step::Paint(_) => return (self.requests > requests, None),
                    Step::Request(_) => {
                        self.requests += 1;
                        self.scheduler.requested(self.newest());
                    }
                }
            }
        }

        fn next_one(&mut self, px: usize) -> (bool, Option<usize>) {
            let target = self.one(px);
            self.next(Goal::Target(target))
        }

        fn newest(&self) -> Ticket {
            Ticket::Session(DeviceId::default(), self.requests)
        }

        fn load(&mut self, px: usize) {
            assert!(self.scheduler.ended(self.newest()).is_some());
            self.open.push(self.slot(px));
        }
    }

    #[test]
    fn the_old_serves_until_the_new_is_open() {
        let mut world = World::new();
        assert_eq!(world.next_one(32), (true, None), "nothing is open yet");
        assert_eq!(world.next_one(32), (false, None), "requested once");
        world.load(32);
        assert_eq!(world.next_one(32), (false, Some(32)));
        assert_eq!(world.next_one(48), (true, Some(32)));
        assert_eq!(world.next_one(48), (false, Some(32)));
        assert!(world.scheduler.is_opening());
        world.load(48);
        assert_eq!(world.next_one(48), (false, Some(48)));
        assert!(!world.scheduler.is_opening());
        assert_eq!(world.next_one(32), (false, Some(32)), "still open");
    }

    #[test]
    fn a_network_that_panics_is_not_tried_at_another_size() {
        let mut world = World::new();
        world.next_one(32);
        world.scheduler.ended(world.newest());
        world.scheduler.note_broken(&world.network.clone());
        for px in 16..64 {
            assert_eq!(world.next_one(px), (false, None), "{px}");
        }
        world.scheduler.settings_changed(false);
        assert_eq!(world.next_one(32), (true, None), "the user chose anew");
    }

    #[test]
    fn the_newest_wins_and_choosing_something_else_cancels() {
        let mut world = World::new();
        world.next_one(32);
        world.load(32);
        world.next_one(32);
        world.next_one(48);
        let overtaken = world.newest();
        assert_eq!(world.next_one(56), (true, Some(32)));
        assert_eq!(world.scheduler.ticket(), Some(world.newest()));
        assert!(world.scheduler.ended(overtaken).is_none(), "overtaken");
        assert_eq!(world.next_one(32), (false, Some(32)), "back");
        assert_eq!(world.scheduler.ticket(), None, "given up");
        assert_eq!(world.next(Goal::Source), (false, None));
    }

    #[test]
    fn an_unavailable_session_is_requested_once_until_the_settings_change() {
        let mut world = World::new();
        world.next_one(32);
        world.load(32);
        world.next_one(32);
        world.next_one(48);
        let (_, target) = world.scheduler.ended(world.newest()).expect("the newest");
        world.scheduler.refuse(target);
        assert_eq!(world.next_one(48), (false, Some(32)));
        assert!(!world.scheduler.is_opening(), "as far as it could be");
        world.scheduler.settings_changed(false);
        assert_eq!(world.next_one(48), (true, Some(32)), "a new attempt");
        // Without a serving target, the source is shown.
        let mut world = World::new();
        world.next_one(48);
        let (_, target) = world.scheduler.ended(world.newest()).expect("the newest");
        world.scheduler.refuse(target);
        assert_eq!(world.next_one(48), (false, None));
    }

    #[test]
    fn a_pair_needs_both_and_what_is_fetched_before_is_not_requested_again() {
        let mut world = World::new();
        world.next_one(32);
        world.load(32);
        world.next_one(32);
        let pair = RenderTarget::Pair([world.slot(32), world.slot(48)]);
        assert_eq!(world.next(Goal::Target(pair.clone())), (true, Some(32)));
        world.load(48);
        assert_eq!(world.next(Goal::Target(pair.clone())), (false, Some(32)));
        assert!(world.scheduler.serving() == Some(&pair));
        let device = Goal::Device(DeviceChoice::Cpu);
        assert_eq!(world.next(device.clone()), (true, Some(32)));
        assert!(world.scheduler.ended(world.newest()).is_some());
        world.scheduler.refuse(None);
        assert!(world.scheduler.is_pair_refused());
        world.requests += 1;
        let slot = world.slot(64);
        world.scheduler.prefetch(slot, world.newest());
        assert_eq!(world.next_one(64), (false, Some(32)));
        world.load(64);
        assert_eq!(world.next_one(64), (false, Some(64)));
    }

    #[test]
    fn a_lost_device_serves_no_longer() {
        let mut world = World::new();
        world.next_one(32);
        world.load(32);
        world.next_one(32);
        world.next_one(48);
        assert!(!world.scheduler.failed(&world.one(32)), "it only went on");
        world.scheduler.forget_device();
        world.open.clear();
        assert_eq!(world.next_one(48), (true, None));
    }
}
