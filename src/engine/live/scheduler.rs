//! The scheduler: wanted, opening, serving. Decides what the next picture is painted with and what has to be
//! loaded for it: what is wanted is loaded beside what serves, which goes on until the new one is open, and
//! stays when that cannot be had. The newest wins; what was being loaded for an older one is given up.
//!
//! A pure state machine: it loads nothing, paints nothing and knows no devices. Belongs to the engine's
//! thread.

use super::target::{DeviceSlot, RenderTarget, SessionSlot};
use crate::mode::DeviceChoice;

/// What the settings ask of the next picture.
#[derive(Clone, PartialEq)]
pub enum Wanted {
    /// The source as it is.
    Source,
    /// Sessions on a second device, which has to be opened before it is known which.
    Device(DeviceChoice),
    /// These sessions.
    Target(RenderTarget),
}

/// Something that is not open yet.
#[derive(Clone, PartialEq)]
pub enum Missing {
    /// A session.
    Session(SessionSlot),
    /// A second device.
    Device(DeviceChoice),
}

/// A request, by the number that whoever carries it out gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ticket {
    /// Of a session on this device.
    Session(DeviceSlot, u64),
    /// Of a second device.
    Device(u64),
}

/// What the next picture is painted with.
#[derive(Clone, PartialEq)]
pub enum Next {
    /// These sessions; all are open.
    Target(RenderTarget),
    /// The source as it is.
    Source,
    /// There is nothing to paint it with before something was loaded.
    Nothing,
}

/// What has to be done before the next picture.
#[derive(Clone, PartialEq)]
pub enum Step {
    /// Nothing: it can be painted.
    Paint(Next),
    /// This has to be requested, in place of what was requested before.
    Request(Missing),
}

/// What was requested.
struct Opening {
    missing: Missing,
    /// What it is for; `None` for what needs a device first.
    target: Option<RenderTarget>,
    /// Its request, once that was made.
    ticket: Option<Ticket>,
}

/// The state: what serves, what is being opened, what cannot be had.
#[derive(Default)]
pub struct Scheduler {
    serving: Option<RenderTarget>,
    refused: Option<RenderTarget>,
    is_pair_refused: bool,
    opening: Option<Opening>,
    is_opening: bool,
}

impl Scheduler {
    /// What was refused is tried again: the settings changed. Comparisons are only tried again where the
    /// change concerns how frames are painted.
    pub fn settings_changed(&mut self, paints_otherwise: bool) {
        self.refused = None;
        if paints_otherwise {
            self.is_pair_refused = false;
        }
    }

    /// Whether comparisons cannot be had.
    pub fn is_pair_refused(&self) -> bool {
        self.is_pair_refused
    }

    /// What painted the last picture.
    pub fn serving(&self) -> Option<&RenderTarget> {
        self.serving.as_ref()
    }

    /// The request that was made last, if it did not end yet.
    pub fn ticket(&self) -> Option<Ticket> {
        self.opening.as_ref()?.ticket
    }

    /// What that request is for.
    pub fn missing(&self) -> Option<&Missing> {
        self.opening.as_ref().map(|opening| &opening.missing)
    }

    /// Whether what serves only goes on until what is wanted is open.
    pub fn is_opening(&self) -> bool {
        self.is_opening
    }

    /// The next step towards what is `wanted`. Ends in [`Step::Paint`], because every request is made once.
    pub fn step(&mut self, wanted: Wanted, is_open: impl Fn(&SessionSlot) -> bool) -> Step {
        let goal = match wanted {
            Wanted::Target(target) if self.refused.as_ref() == Some(&target) => {
                match self.serving.clone() {
                    Some(serving) => Wanted::Target(serving),
                    None => Wanted::Source,
                }
            }
            wanted => wanted,
        };
        let missing_of = |target: &RenderTarget| {
            let mut slots = target.slots().iter();
            slots.find(|slot| !is_open(slot)).cloned()
        };
        let (missing, target) = match goal {
            Wanted::Source => {
                self.opening = None;
                self.is_opening = false;
                return Step::Paint(Next::Source);
            }
            Wanted::Device(device) => (Missing::Device(device), None),
            Wanted::Target(target) => match missing_of(&target) {
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
                // What it is for may have changed.
                opening.target = target;
                Step::Paint(match &self.serving {
                    Some(serving) if missing_of(serving).is_none() => Next::Target(serving.clone()),
                    _ => Next::Nothing,
                })
            }
            _ => {
                self.opening = Some(Opening {
                    missing: missing.clone(),
                    target,
                    ticket: None,
                });
                Step::Request(missing)
            }
        }
    }

    /// Something that a coming step needs was requested under this number before it.
    pub fn prefetch(&mut self, slot: SessionSlot, ticket: Ticket) {
        self.opening = Some(Opening {
            target: Some(RenderTarget::One(slot.clone())),
            missing: Missing::Session(slot),
            ticket: Some(ticket),
        });
    }

    /// The request of the last step has this number.
    pub fn requested(&mut self, ticket: Ticket) {
        if let Some(opening) = &mut self.opening {
            opening.ticket = Some(ticket);
        }
    }

    /// The request of this number has ended; gives what it was for, if it is the newest one.
    pub fn ended(&mut self, ticket: Ticket) -> Option<(Missing, Option<RenderTarget>)> {
        let opening = &mut self.opening;
        let opening = opening.take_if(|opening| opening.ticket == Some(ticket))?;
        Some((opening.missing, opening.target))
    }

    /// What `target` needs cannot be had: what serves goes on. `None` stands for a comparison whose device
    /// is not there.
    pub fn refuse(&mut self, target: Option<RenderTarget>) {
        if target.is_some() && target == self.serving {
            // What served had been closed and does not come back.
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

    /// Painting with `target` failed: it serves no longer. Whether it was what is wanted, and not only what
    /// went on meanwhile.
    pub fn failed(&mut self, target: &RenderTarget) -> bool {
        if self.serving.as_ref() == Some(target) {
            self.serving = None;
        }
        !self.is_opening
    }

    /// Gives up what is being opened.
    pub fn abandon(&mut self) {
        self.opening = None;
    }

    /// The device is lost with everything on it.
    pub fn forget_device(&mut self) {
        self.opening = None;
        self.serving = None;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        backend::SessionSpec, engine::sessions::SessionKey, mode::Mode,
        models::johnson::NetworkSpec, network::Network,
    };

    struct World {
        scheduler: Scheduler,
        network: Arc<Network>,
        open: Vec<SessionSlot>,
        requests: u64,
    }

    impl World {
        fn new() -> Self {
            let spec = NetworkSpec {
                blocks: 1,
                ..NetworkSpec::with_widths([2, 3, 4])
            };
            Self {
                scheduler: Scheduler::default(),
                network: Arc::new(spec.random(5).expect("a valid shape")),
                open: Vec::new(),
                requests: 0,
            }
        }

        fn slot(&self, px: usize) -> SessionSlot {
            SessionSlot {
                device: DeviceSlot::Own,
                key: SessionKey {
                    network: self.network.clone(),
                    spec: SessionSpec::single(px, px, Mode::default()),
                },
            }
        }

        fn one(&self, px: usize) -> RenderTarget {
            RenderTarget::One(self.slot(px))
        }

        /// Carries out what the scheduler says; whether something was requested, and the long side of what is
        /// painted.
        fn next(&mut self, wanted: Wanted) -> (bool, Option<usize>) {
            let requests = self.requests;
            loop {
                let open = &self.open;
                match self
                    .scheduler
                    .step(wanted.clone(), |slot| open.contains(slot))
                {
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
            self.next(Wanted::Target(target))
        }

        fn newest(&self) -> Ticket {
            Ticket::Session(DeviceSlot::Own, self.requests)
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
        assert_eq!(world.next(Wanted::Source), (false, None));
    }

    #[test]
    fn what_cannot_be_had_is_requested_once_until_the_settings_change() {
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
        // Without anything that served, the source is shown.
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
        assert_eq!(world.next(Wanted::Target(pair.clone())), (true, Some(32)));
        world.load(48);
        assert_eq!(world.next(Wanted::Target(pair.clone())), (false, Some(32)));
        assert!(world.scheduler.serving() == Some(&pair));
        let device = Wanted::Device(DeviceChoice::Cpu);
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
