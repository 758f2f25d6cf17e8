//! The sessions of the large live picture. Performs the scheduler's steps: requests sessions and second devices, takes
//! the loader's replies, closes sessions when memory is short, replaces a lost device, and sends an event if a target
//! cannot be opened.
//!
//! Belongs to the engine's thread.

use std::{sync::Arc, time::Duration};

use super::{
    previews::Previews,
    scheduler::{Goal, Missing, Next, RenderTarget, Scheduler, SessionSlot, Step, Ticket},
    settings::{CandidateChoice, LiveEvent, LiveSettings, Preparing},
};
use crate::{
    Stylization,
    device::Device,
    devices::{DeviceId, Devices},
    error::EngineError,
    paint::{PaintError, PaintSettings},
    sessions::{Lease, Loaded, Loader, Purpose, Requests, SessionKey},
};
use backend::{Backend, BackendError, SessionSpec};

/// If a picture takes longer than this, the next one waits [`MOMENT`] for the goal's session before the serving one
/// paints it.
const SLOW: Duration = Duration::from_millis(8);
/// How long the next picture waits for a session, which often opens quickly.
const MOMENT: Duration = Duration::from_millis(20);

/// The inputs for choosing a target in addition to the settings.
pub struct LiveContext<'a> {
    pub devices: &'a mut Devices,
    /// Their sessions are in the first device's pool.
    pub previews: &'a mut Previews,
    pub send: &'a mut dyn FnMut(LiveEvent),
}

/// The sessions of the large live picture, on any of the devices.
pub struct LiveSessions {
    pub scheduler: Scheduler,
    opening: Requests<Result<Arc<dyn Backend>, BackendError>>,
    /// Leases of the serving target, which keep its sessions open.
    leases: Vec<Lease>,
    leased: Option<RenderTarget>,
    /// The last request that a picture waited for. At most one picture waits for each request.
    waited_for: Option<Ticket>,
    /// The device was replaced since this was last cleared.
    pub was_replaced: bool,
}

impl LiveSessions {
    /// Without open sessions; `loader` opens second devices.
    pub fn new(loader: &Loader) -> Self {
        Self {
            scheduler: Scheduler::default(),
            opening: loader.requests(),
            leases: Vec::new(),
            leased: None,
            waited_for: None,
            was_replaced: false,
        }
    }

    pub fn is_loading(&self) -> bool {
        self.scheduler.ticket().is_some()
    }

    /// The session that may receive frames in the camera's format, and steady their paintings if `steadies` is set.
    /// `None` in a comparison, because both sides get the same decoded pixels.
    pub fn for_raw(&self, steadies: bool) -> Option<&SessionSlot> {
        let slot = self.scheduler.serving()?.single()?;
        let can = self.leases.first()?.capabilities;
        (can.decodes && (can.steadies || !steadies)).then_some(slot)
    }

    /// True if a reply is pending.
    pub fn has_next(&self, devices: &Devices) -> bool {
        self.opening.has_next()
            || devices.list().iter().any(|(_, painter)| painter.pool.requests.has_next())
    }

    /// The session or device that is being prepared.
    pub fn preparing(&self) -> Option<Preparing> {
        self.scheduler.ticket()?;
        Some(match self.scheduler.missing()? {
            Missing::Device(kind) => Preparing::Device(*kind),
            Missing::Session(slot) => {
                let spec = slot.key.spec;
                Preparing::Session { mode: spec.mode, size: (spec.width, spec.height) }
            }
        })
    }

    /// The goal of `settings` for pictures of this size.
    fn goal(&self, devices: &Devices, settings: &LiveSettings, size: (usize, usize)) -> Goal {
        let Some(network) = &settings.stylization.network else {
            return Goal::Source;
        };
        let slot = |device, mode| SessionSlot {
            device,
            key: SessionKey {
                network: network.clone(),
                spec: SessionSpec::single(size.0, size.1, mode),
            },
        };
        let Some(pair) = settings.compare.filter(|_| !self.scheduler.is_pair_refused()) else {
            let mode = devices.first().device.live_mode(settings.stylization.mode, network);
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

    /// Chooses the target of the next picture from `settings` at `size`, and requests missing sessions. The previous
    /// picture took `work`.
    pub fn choose(
        &mut self,
        context: &mut LiveContext<'_>,
        settings: &LiveSettings,
        size: (usize, usize),
        work: Duration,
    ) -> Next {
        // Terminates: every iteration requests something once, gives something up, or refuses it permanently.
        loop {
            self.take_loaded(context, settings);
            let goal = self.goal(context.devices, settings, size);
            let before = self.scheduler.ticket();
            let devices = &*context.devices;
            let is_open = |slot: &SessionSlot| {
                devices.get(slot.device).is_some_and(|painter| painter.pool.has(&slot.key))
            };
            let step = self.scheduler.step(goal, is_open);
            if let Some(before) = before
                && self.scheduler.ticket() != Some(before)
            {
                self.cancel(context.devices, before);
            }
            match step {
                Step::Request(missing) => match self.request(context.devices, &missing) {
                    Some(ticket) => self.scheduler.requested(ticket),
                    None => return Next::Nothing,
                },
                Step::Paint(next) => {
                    let ticket = self.scheduler.ticket();
                    if ticket.is_some() && self.has_next(context.devices) {
                        continue;
                    }
                    // Most sessions open quickly; painting with the serving one would take longer.
                    if ticket.is_some() && work > SLOW && self.waited_for != ticket {
                        self.waited_for = ticket;
                        self.wait_for(context.devices, ticket);
                        continue;
                    }
                    self.lease(context.devices, &next);
                    return next;
                }
            }
        }
    }

    /// Leases the sessions of the target that paints. Closes the devices of comparisons if no target needs them.
    fn lease(&mut self, devices: &mut Devices, next: &Next) {
        let Next::Target(target) = next else {
            return;
        };
        if matches!(target, RenderTarget::One(_)) && !self.scheduler.is_opening() {
            devices.keep_first();
        }
        if self.leased.as_ref() == Some(target) && !self.leases.is_empty() {
            return;
        }
        self.leases.clear();
        for slot in target.slots() {
            let painter = devices.get(slot.device);
            self.leases.extend(painter.and_then(|painter| painter.pool.lease(&slot.key)));
        }
        self.leased = Some(target.clone());
    }

    fn request(&mut self, devices: &mut Devices, missing: &Missing) -> Option<Ticket> {
        match missing {
            Missing::Session(slot) => {
                let painter = devices.get_mut(slot.device)?;
                // The session of the large picture is loaded before all others.
                painter.pool.requests.cancel_all();
                let number =
                    painter.pool.request(painter.device.backend(), &slot.key, Purpose::Live);
                Some(Ticket::Session(slot.device, number))
            }
            Missing::Device(kind) => {
                let (kind, open) = (*kind, devices.first().device.open.clone());
                let opened = move |_: &_| open(kind).map(|selected| selected.backend);
                Some(Ticket::Device(self.opening.request(opened)))
            }
        }
    }

    fn cancel(&mut self, devices: &Devices, ticket: Ticket) {
        match ticket {
            Ticket::Session(device, number) => {
                if let Some(painter) = devices.get(device) {
                    painter.pool.requests.cancel(number);
                }
            }
            Ticket::Device(number) => self.opening.cancel(number),
        }
    }

    fn wait_for(&self, devices: &Devices, ticket: Option<Ticket>) {
        match ticket {
            Some(Ticket::Session(device, _)) => {
                if let Some(painter) = devices.get(device) {
                    painter.pool.requests.wait_for_next(MOMENT);
                }
            }
            Some(Ticket::Device(_)) => self.opening.wait_for_next(MOMENT),
            None => {}
        }
    }

    /// Requests the session that new `settings` need at `size`, while a picture is still painted with the previous
    /// settings.
    pub fn prefetch(
        &mut self,
        devices: &mut Devices,
        settings: &LiveSettings,
        size: (usize, usize),
    ) {
        // The sessions of a comparison take long to open anyway.
        if settings.compare.is_some() {
            return;
        }
        let Goal::Target(RenderTarget::One(slot)) = self.goal(devices, settings, size) else {
            return;
        };
        let missing = Missing::Session(slot.clone());
        let is_open = devices.first().pool.has(&slot.key);
        if is_open || self.scheduler.missing() == Some(&missing) {
            return;
        }
        if let Some(before) = self.scheduler.ticket() {
            self.cancel(devices, before);
        }
        if let Some(ticket) = self.request(devices, &missing) {
            self.scheduler.prefetch(slot, ticket);
        }
    }

    /// Cancels the request for the large picture.
    pub fn abandon(&mut self, devices: &Devices) {
        if let Some(ticket) = self.scheduler.ticket() {
            self.cancel(devices, ticket);
        }
        self.scheduler.abandon();
    }

    /// Closes all sessions, so that a measurement has the device to itself. They are loaded again afterwards.
    pub fn close_all(&mut self, devices: &mut Devices) {
        self.abandon(devices);
        self.leases.clear();
        devices.keep_first();
        devices.first_mut().forget_sessions();
        self.scheduler.forget_device();
    }

    /// Takes the loader's replies.
    pub fn take_loaded(&mut self, context: &mut LiveContext<'_>, settings: &LiveSettings) {
        while let Some((device, number, loaded)) = context.devices.next_loaded() {
            match self.scheduler.ended(Ticket::Session(device, number)) {
                Some((missing, target)) => {
                    self.note_loaded(context, settings, loaded, missing, target);
                }
                None if device == DeviceId::default() => {
                    context.previews.note_loaded(number, &loaded);
                }
                None => {}
            }
        }
        while let Some((number, reply, _)) = self.opening.next_reply() {
            let ended = self.scheduler.ended(Ticket::Device(number));
            let Some((Missing::Device(_), target)) = ended else {
                continue;
            };
            match reply {
                Ok(Ok(backend)) => context.devices.add(backend),
                Ok(Err(error)) => self.refuse(context, sentence(error), target),
                Err(panic) => self.refuse(context, panic, target),
            }
        }
    }

    /// Handles the outcome of loading a session for `target`.
    fn note_loaded(
        &mut self,
        context: &mut LiveContext<'_>,
        settings: &LiveSettings,
        loaded: Loaded,
        missing: Missing,
        target: Option<RenderTarget>,
    ) {
        let Missing::Session(slot) = missing else {
            return;
        };
        let error = match loaded {
            // A cancelled session is requested again when needed.
            Loaded::Open | Loaded::Failed(BackendError::Cancelled) => return,
            Loaded::Failed(error) if error.is_lost() => {
                return self.replace_lost(context, error, settings, target);
            }
            Loaded::Panicked(panic) => {
                self.scheduler.note_broken(&slot.key.network);
                return self.refuse(context, panic, target);
            }
            Loaded::Failed(error) => error,
        };
        let (needed_bytes, free_bytes) = match error {
            BackendError::OutOfDeviceMemory { needed_bytes, free_bytes, .. } => {
                (needed_bytes, Some(free_bytes))
            }
            BackendError::OutOfMemory { needed_bytes, .. } => (needed_bytes, None),
            error => return self.refuse(context, sentence(error), target),
        };
        if !self.make_room(context, slot.device, needed_bytes, free_bytes) {
            self.refuse(context, sentence(error), target);
        }
    }

    /// Closes sessions on a device that is short of memory: first those without a lease, then, if that can help, those
    /// that paint; a notice reports that. `free_bytes` is the device's free memory, if known. Returns `false` if there
    /// is nothing to close.
    fn make_room(
        &mut self,
        context: &mut LiveContext<'_>,
        device: DeviceId,
        needed_bytes: u64,
        free_bytes: Option<u64>,
    ) -> bool {
        let Some(painter) = context.devices.get_mut(device) else {
            return false;
        };
        if painter.pool.close_unleased() {
            return true;
        }
        let leased_bytes = painter.pool.leased_bytes();
        let can_help = |free: u64| needed_bytes <= free.saturating_add(leased_bytes);
        if leased_bytes == 0 || !free_bytes.is_none_or(can_help) {
            return false;
        }
        self.leases.clear();
        painter.pool.close_unleased();
        (context.send)(LiveEvent::Notice(format!(
            "Not enough memory for both networks ({} MB more is needed), so the old one was closed before the new one was opened. The picture paused meanwhile.",
            needed_bytes.div_ceil(1_000_000)
        )));
        true
    }

    /// Reports that `target` cannot be opened; painting continues unchanged.
    fn refuse(
        &mut self,
        context: &mut LiveContext<'_>,
        error: EngineError,
        target: Option<RenderTarget>,
    ) {
        (context.send)(LiveEvent::Refused(error));
        self.scheduler.refuse(target);
    }

    /// Handles `error` from painting with `target`: replaces a lost device, refuses the target otherwise.
    pub fn failed(
        &mut self,
        context: &mut LiveContext<'_>,
        error: BackendError,
        settings: &LiveSettings,
        target: RenderTarget,
    ) {
        if error.is_lost() {
            self.replace_lost(context, error, settings, Some(target));
        } else if self.scheduler.failed(&target) {
            self.refuse(context, sentence(error), Some(target));
        } else {
            (context.send)(LiveEvent::Refused(sentence(error)));
        }
    }

    /// Replaces the lost device, or refuses `target`.
    fn replace_lost(
        &mut self,
        context: &mut LiveContext<'_>,
        error: BackendError,
        settings: &LiveSettings,
        target: Option<RenderTarget>,
    ) {
        self.opening.cancel_and_wait();
        self.leases.clear();
        context.devices.keep_first();
        self.scheduler.forget_device();
        context.previews.forget_device();
        self.was_replaced = true;
        let Stylization { network, mode, .. } = &settings.stylization;
        let mode = |device: &Device| match network {
            Some(network) => device.live_mode(*mode, network),
            None => device.mode(*mode),
        };
        if let Err(error) = context.devices.first_mut().replace_device(error, mode) {
            self.refuse(context, sentence(error), target);
        }
    }
}

fn sentence(error: BackendError) -> EngineError {
    EngineError::Paint(PaintError::Backend(error))
}
