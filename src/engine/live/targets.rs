//! Brings what the scheduler asks for: requests sessions and second devices, takes in what was loaded, makes
//! room in memory, puts another device in the place of a lost one, and tells what cannot be had.
//!
//! Belongs to the engine's thread.

use std::{sync::Arc, time::Duration};

use super::{
    previews::Previews,
    scheduler::{Missing, Next, Scheduler, Step, Ticket, Wanted},
    settings::{LiveEvent, LiveSettings},
    snapshot::Preparing,
    target::{DeviceSlot, RenderTarget, SessionSlot},
    wanted::wanted,
};
use crate::{
    backend::{Backend, BackendError},
    engine::{
        error::EngineError,
        paint::{PaintError, PaintSettings, Painter},
        sessions::{Lease, Loaded, Loader, Purpose, Requests},
    },
    mode::DeviceChoice,
};

/// A picture that takes longer is not begun in the old way before the new one was waited for.
const SLOW: Duration = Duration::from_millis(8);
/// How long a session is waited for that may be there at once.
const MOMENT: Duration = Duration::from_millis(20);

/// The second device of a comparison.
struct OtherDevice {
    kind: DeviceChoice,
    painter: Painter,
}

/// Why a session is not open.
struct Shortage {
    needed_bytes: u64,
    /// What the device has left; `None` where that is not known.
    free_bytes: Option<u64>,
}

/// What is at hand while targets are brought: the device, who else needs to know, and the way to people.
pub struct Surroundings<'a> {
    /// The device and its sessions.
    pub painter: &'a mut Painter,
    /// The previews, whose sessions are in the same pool.
    pub previews: &'a mut Previews,
    /// Sends an event.
    pub send: &'a mut dyn FnMut(LiveEvent),
}

/// The sessions of the large live picture, on one device or two.
pub struct Targets {
    scheduler: Scheduler,
    other: Option<OtherDevice>,
    devices: Requests<Result<Arc<dyn Backend>, BackendError>>,
    /// Keeps what serves from being closed.
    leases: Vec<Lease>,
    leased: Option<RenderTarget>,
    /// The request for which a picture was held up.
    waited_for: Option<Ticket>,
    /// How often the device was replaced.
    replaced: u64,
}

impl Targets {
    /// Nothing is open yet; `loader` opens second devices.
    pub fn new(loader: &Loader) -> Self {
        Self {
            scheduler: Scheduler::default(),
            other: None,
            devices: loader.requests(),
            leases: Vec::new(),
            leased: None,
            waited_for: None,
            replaced: 0,
        }
    }

    /// What was refused is tried again.
    pub fn settings_changed(&mut self, paints_otherwise: bool) {
        self.scheduler.settings_changed(paints_otherwise);
    }

    /// Whether what serves only goes on until what is wanted is open.
    pub fn is_opening(&self) -> bool {
        self.scheduler.is_opening()
    }

    /// Whether something is being loaded for the large picture.
    pub fn is_loading(&self) -> bool {
        self.scheduler.ticket().is_some()
    }

    /// What painted the last picture.
    pub fn serving(&self) -> Option<&RenderTarget> {
        self.scheduler.serving()
    }

    /// How often another device took the place of a lost one.
    pub fn replaced(&self) -> u64 {
        self.replaced
    }

    /// Whether something was loaded, or was not.
    pub fn has_next(&self, painter: &Painter) -> bool {
        let other = self.other.as_ref();
        painter.pool().has_next()
            || self.devices.has_next()
            || other.is_some_and(|other| other.painter.pool().has_next())
    }

    /// What is being made ready, for people.
    pub fn preparing(&self, painter: &Painter) -> Option<Preparing> {
        let ticket = self.scheduler.ticket()?;
        match (self.scheduler.missing()?, ticket) {
            (Missing::Device(kind), _) => Some(Preparing::Device(*kind)),
            (Missing::Session(slot), Ticket::Session(device, number)) => {
                let spec = slot.key.spec;
                let at = match (device, &self.other) {
                    (DeviceSlot::Other, Some(other)) => &other.painter,
                    _ => painter,
                };
                Some(Preparing::Session {
                    mode: spec.mode,
                    size: (spec.width, spec.height),
                    searches: at.pool().is_searching(number),
                })
            }
            (Missing::Session(_), Ticket::Device(_)) => None,
        }
    }

    /// The painter that has the sessions of a device.
    pub fn painter<'a>(
        &'a mut self,
        own: &'a mut Painter,
        device: DeviceSlot,
    ) -> Option<&'a mut Painter> {
        match device {
            DeviceSlot::Own => Some(own),
            DeviceSlot::Other => self.other.as_mut().map(|other| &mut other.painter),
        }
    }

    fn wanted(&self, painter: &Painter, settings: &LiveSettings, size: (usize, usize)) -> Wanted {
        let other = self.other.as_ref();
        let other = other.map(|other| (other.kind, &other.painter));
        let compares = !self.scheduler.is_pair_refused();
        wanted(settings, size, compares, painter, other)
    }

    /// What the next picture is painted with, by `settings` at `size`; requests what is missing. The picture
    /// before took `work`.
    pub fn choose(
        &mut self,
        around: &mut Surroundings<'_>,
        settings: &LiveSettings,
        size: (usize, usize),
        work: Duration,
    ) -> Next {
        // Ends: every turn requests something once, gives something up, or refuses for good.
        loop {
            self.take_loaded(around, settings);
            let wanted = self.wanted(around.painter, settings, size);
            let before = self.scheduler.ticket();
            let other = self.other.as_ref();
            let painter = &*around.painter;
            let is_open = |slot: &SessionSlot| match slot.device {
                DeviceSlot::Own => painter.pool().has(&slot.key),
                DeviceSlot::Other => other.is_some_and(|other| other.painter.pool().has(&slot.key)),
            };
            let step = self.scheduler.step(wanted, is_open);
            if let Some(before) = before
                && self.scheduler.ticket() != Some(before)
            {
                self.cancel(around.painter, before);
            }
            match step {
                Step::Request(missing) => {
                    let ticket = self.request(around.painter, &missing);
                    self.scheduler.requested(ticket);
                }
                Step::Paint(next) => {
                    let ticket = self.scheduler.ticket();
                    if ticket.is_some() && self.has_next(around.painter) {
                        continue;
                    }
                    // Most are there in a moment; the old way would take longer.
                    if ticket.is_some() && work > SLOW && self.waited_for != ticket {
                        self.waited_for = ticket;
                        self.wait_for(around.painter, ticket);
                        continue;
                    }
                    self.lease(around.painter, &next);
                    return next;
                }
            }
        }
    }

    /// Keeps the sessions of what is painted, and closes the second device where nothing needs it.
    fn lease(&mut self, painter: &mut Painter, next: &Next) {
        let Next::Target(target) = next else {
            return;
        };
        if matches!(target, RenderTarget::One(_)) && !self.scheduler.is_opening() {
            self.other = None;
        }
        if self.leased.as_ref() == Some(target) && !self.leases.is_empty() {
            return;
        }
        self.leases.clear();
        for slot in target.slots() {
            let pool = self.painter(painter, slot.device).map(|p| p.pool());
            let lease = pool.and_then(|pool| pool.lease(&slot.key));
            self.leases.extend(lease);
        }
        self.leased = Some(target.clone());
    }

    fn request(&mut self, painter: &mut Painter, missing: &Missing) -> Ticket {
        match missing {
            Missing::Session(slot) => {
                let at = match (slot.device, &mut self.other) {
                    (DeviceSlot::Other, Some(other)) => &mut other.painter,
                    _ => painter,
                };
                // Nothing else is loaded before what the large picture needs.
                at.pool().cancel_all();
                Ticket::Session(slot.device, at.request(&slot.key, Purpose::Live))
            }
            Missing::Device(kind) => {
                let (kind, open) = (*kind, painter.opener());
                let opened = move |_: &_| open(kind).map(|selected| selected.backend);
                Ticket::Device(self.devices.request(opened))
            }
        }
    }

    fn cancel(&mut self, painter: &mut Painter, ticket: Ticket) {
        match ticket {
            Ticket::Session(device, number) => {
                if let Some(painter) = self.painter(painter, device) {
                    painter.pool().cancel(number);
                }
            }
            Ticket::Device(number) => self.devices.cancel(number),
        }
    }

    fn wait_for(&mut self, painter: &mut Painter, ticket: Option<Ticket>) {
        match ticket {
            Some(Ticket::Session(device, _)) => {
                if let Some(painter) = self.painter(painter, device) {
                    painter.pool().wait_for_next(MOMENT);
                }
            }
            Some(Ticket::Device(_)) => self.devices.wait_for_next(MOMENT),
            None => {}
        }
    }

    /// Requests the session that `settings` need at `size`, before they count.
    pub fn prefetch(
        &mut self,
        painter: &mut Painter,
        settings: &LiveSettings,
        size: (usize, usize),
    ) {
        // What is compared is not there at once anyway.
        if settings.compare.is_some() {
            return;
        }
        let Wanted::Target(RenderTarget::One(slot)) = self.wanted(painter, settings, size) else {
            return;
        };
        let missing = Missing::Session(slot.clone());
        if painter.pool().has(&slot.key) || self.scheduler.missing() == Some(&missing) {
            return;
        }
        if let Some(before) = self.scheduler.ticket() {
            self.cancel(painter, before);
        }
        let ticket = self.request(painter, &missing);
        self.scheduler.prefetch(slot, ticket);
    }

    /// Gives up what is being loaded for the large picture.
    pub fn abandon(&mut self, painter: &mut Painter) {
        if let Some(ticket) = self.scheduler.ticket() {
            self.cancel(painter, ticket);
        }
        self.scheduler.abandon();
    }

    /// Closes everything: a measurement has the device to itself. What is wanted is loaded again afterwards.
    pub fn close_all(&mut self, painter: &mut Painter) {
        self.abandon(painter);
        self.leases.clear();
        self.other = None;
        painter.forget_sessions();
        self.scheduler.forget_device();
    }

    /// Takes in what was loaded, and what was not.
    pub fn take_loaded(&mut self, around: &mut Surroundings<'_>, settings: &LiveSettings) {
        while let Some((number, loaded)) = around.painter.pool_mut().next_loaded() {
            match self
                .scheduler
                .ended(Ticket::Session(DeviceSlot::Own, number))
            {
                Some((missing, target)) => {
                    self.note_loaded(around, settings, loaded, missing, target);
                }
                None => around.previews.note_loaded(number, &loaded),
            }
        }
        while let Some((number, loaded)) =
            (self.other.as_mut()).and_then(|other| other.painter.pool_mut().next_loaded())
        {
            let ended = self
                .scheduler
                .ended(Ticket::Session(DeviceSlot::Other, number));
            if let Some((missing, target)) = ended {
                self.note_loaded(around, settings, loaded, missing, target);
            }
        }
        while let Some((number, reply, _)) = self.devices.next_reply() {
            let ended = self.scheduler.ended(Ticket::Device(number));
            let Some((Missing::Device(kind), target)) = ended else {
                continue;
            };
            match reply {
                Ok(Ok(backend)) => {
                    self.other = Some(OtherDevice {
                        kind,
                        painter: around.painter.with_backend(backend),
                    });
                }
                Ok(Err(error)) => self.refuse(around, sentence(error), target),
                Err(words) => self.refuse(around, EngineError::Panicked(words), target),
            }
        }
    }

    /// A session was loaded for `target`, or was not.
    fn note_loaded(
        &mut self,
        around: &mut Surroundings<'_>,
        settings: &LiveSettings,
        loaded: Loaded,
        missing: Missing,
        target: Option<RenderTarget>,
    ) {
        let Missing::Session(slot) = missing else {
            return;
        };
        let shortage = |needed_bytes, free_bytes| Shortage {
            needed_bytes,
            free_bytes,
        };
        let (error, shortage) = match loaded {
            // What was cancelled is requested again if it is needed again.
            Loaded::Open | Loaded::Failed(BackendError::Cancelled) => return,
            Loaded::Failed(error) if error.is_lost() => {
                self.replace_lost(around, error, settings, target);
                return;
            }
            Loaded::Panicked(words) => {
                self.refuse(around, EngineError::Panicked(words), target);
                return;
            }
            Loaded::NoRoom(needed_bytes) => {
                let (width, height) = (slot.key.spec.width, slot.key.spec.height);
                let error = BackendError::OutOfMemory {
                    needed_bytes,
                    width,
                    height,
                };
                // There is something to close: alone it fits.
                (error, Some(shortage(needed_bytes, None)))
            }
            Loaded::Failed(error) => {
                let shortage = match error {
                    BackendError::OutOfDeviceMemory {
                        needed_bytes,
                        free_bytes,
                        ..
                    } => Some(shortage(needed_bytes, Some(free_bytes))),
                    BackendError::OutOfMemory { needed_bytes, .. } => {
                        Some(shortage(needed_bytes, None))
                    }
                    _ => None,
                };
                (error, shortage)
            }
        };
        if !shortage.is_some_and(|shortage| self.make_room(around, slot.device, &shortage)) {
            self.refuse(around, sentence(error), target);
        }
    }

    /// Closes sessions on a device that is short of memory: first those that only wait to be used
    /// again, then those that paint, where that can help, which is told. `false` when there is nothing to
    /// close.
    fn make_room(
        &mut self,
        around: &mut Surroundings<'_>,
        device: DeviceSlot,
        shortage: &Shortage,
    ) -> bool {
        let Some(painter) = self.painter(around.painter, device) else {
            return false;
        };
        if painter.pool_mut().close_unleased() {
            return true;
        }
        let leased_bytes = painter.pool().leased_bytes();
        let can_help = |free: u64| shortage.needed_bytes <= free.saturating_add(leased_bytes);
        if leased_bytes == 0 || !shortage.free_bytes.is_none_or(can_help) {
            return false;
        }
        self.leases.clear();
        if let Some(painter) = self.painter(around.painter, device) {
            painter.pool_mut().close_unleased();
        }
        (around.send)(LiveEvent::Notice(format!(
            "There is not memory enough for what paints and for what was chosen ({} MB more), so the one \
             was closed before the other was opened, and the picture stood still meanwhile.",
            shortage.needed_bytes.div_ceil(1_000_000)
        )));
        true
    }

    /// What was loaded for `target` cannot be had: tells so, and what was painted before goes on.
    fn refuse(
        &mut self,
        around: &mut Surroundings<'_>,
        error: EngineError,
        target: Option<RenderTarget>,
    ) {
        (around.send)(LiveEvent::Refused(error));
        self.scheduler.refuse(target);
    }

    /// Painting with `target` failed with `error`: another device takes the place of one that was lost, and
    /// anything else is refused.
    pub fn failed(
        &mut self,
        around: &mut Surroundings<'_>,
        error: BackendError,
        settings: &LiveSettings,
        target: RenderTarget,
    ) {
        if error.is_lost() {
            self.replace_lost(around, error, settings, Some(target));
        } else if self.scheduler.failed(&target) {
            self.refuse(around, sentence(error), Some(target));
        } else {
            (around.send)(LiveEvent::Refused(sentence(error)));
        }
    }

    /// Puts another device in the place of the lost one, or refuses `target`.
    fn replace_lost(
        &mut self,
        around: &mut Surroundings<'_>,
        error: BackendError,
        settings: &LiveSettings,
        target: Option<RenderTarget>,
    ) {
        self.devices.cancel_and_wait();
        self.leases.clear();
        self.other = None;
        self.scheduler.forget_device();
        around.previews.forget_device();
        self.replaced += 1;
        let mode = PaintSettings::of_mode(settings.mode);
        if let Err(error) = around.painter.replace_device(error, mode) {
            self.refuse(around, sentence(error), target);
        }
    }
}

fn sentence(error: BackendError) -> EngineError {
    EngineError::Paint(PaintError::Backend(error))
}
