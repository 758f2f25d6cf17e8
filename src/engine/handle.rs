//! The handle of the engine thread, which owns the backend and its sessions, performs commands and sends
//! events.
//!
//! The handle sends [`Command`]s on a bounded channel, and a stop signal; the thread sends [`Event`]s on an
//! unbounded one, so that it never waits for a surface, and calls an injected wake-up after each. Nothing here
//! waits for the thread except [`Engine::shutdown`], which waits a bounded time.
//!
//! Invariants: the newest paint command wins, the one before it is cancelled at once; [`Engine::poll`] drops
//! events of replaced commands; a panic in a job becomes an event and closes the painter's sessions; a lost
//! device is replaced, which is an event. The [`Engine`] handle belongs to one thread: the window's, or the
//! main thread of `styleforge live`.

use std::{
    collections::VecDeque,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded, unbounded};

use super::{
    bounded_thread::{BoundedThread, WakeUp},
    events::{Events, Sent},
    live::{
        Input, LivePicture, LiveSettings, LiveSource, LiveStart, MeasureJob, NumberedSettings,
        Preview, Sink, Snapshot, rate_control::first_source_px,
    },
    photos::draft_settings,
    protocol::{
        BatchJob, Command, Event, Generation, PaintJob, RepaintJob, RepaintNumber, Repainted,
        TrialJob, TrialNumber,
    },
    thread::run,
};
use crate::{
    backend::{OpenDevice, RunControl},
    capture::Capture,
    mailbox::{Reader, Writer, mailbox},
    mode::DeviceChoice,
};

/// Commands that may wait in the channel; more wait in the handle.
const COMMANDS: usize = 8;

/// The handle of the engine thread.
pub struct Engine {
    commands: Sender<Command>,
    events: Receiver<Sent>,
    /// Called after every event and every live picture.
    wake_up: WakeUp,
    /// Closed to stop the thread.
    stop: Option<Sender<()>>,
    thread: BoundedThread,
    /// Commands that found the channel full. At most one paint command waits here.
    outbox: VecDeque<Command>,
    newest: Generation,
    painting: Option<Arc<RunControl>>,
    /// Whether the draft of the single photo is still being painted.
    drafting: bool,
    newest_trial: TrialNumber,
    /// The trial that is being painted or waits for it.
    trial: Option<Arc<RunControl>>,
    newest_repaint: RepaintNumber,
    /// The frames that are painted once more, or wait for it.
    repaints: Vec<(RepaintNumber, Arc<RunControl>)>,
    batch: Option<Arc<RunControl>>,
    measuring: Option<Arc<RunControl>>,
    /// Stops live painting.
    live: Option<Arc<RunControl>>,
    /// The live source, which the handle stops at once whatever the engine's thread does.
    capture: Option<Arc<Capture>>,
    /// The mailbox for changed live settings; `None` before live painting was first started.
    changes: Option<Writer<Option<NumberedSettings>>>,
    /// The mailbox of snapshots of live painting.
    snapshots: Option<Reader<Snapshot>>,
    settings_number: u64,
    /// Number of the settings with which live painting was started: events from before are dropped.
    live_since: u64,
    device: DeviceChoice,
}

impl Engine {
    /// Starts the thread, which first opens the best device with `open_device` (that may take a while) and
    /// sends [`Event::Device`] or [`Event::NoDevice`]; it opens another when that device is lost.
    ///
    /// # Errors
    /// The operating system's, when it starts no thread.
    pub fn start(open_device: OpenDevice, wake_up: WakeUp) -> std::io::Result<Self> {
        let (command_sender, commands) = bounded(COMMANDS);
        // Unbounded, so that the thread never waits for a surface.
        let (event_sender, events) = unbounded();
        let (stop, stopped) = bounded(0);
        let event_sender = Events::new(event_sender, wake_up.clone());
        let thread = BoundedThread::spawn("engine", move || {
            run(&open_device, &commands, &stopped, &event_sender);
        })?;
        Ok(Self {
            commands: command_sender,
            events,
            wake_up,
            stop: Some(stop),
            thread,
            outbox: VecDeque::new(),
            newest: Generation::default(),
            painting: None,
            drafting: false,
            newest_trial: TrialNumber::default(),
            trial: None,
            newest_repaint: RepaintNumber::default(),
            repaints: Vec::new(),
            batch: None,
            measuring: None,
            live: None,
            capture: None,
            changes: None,
            snapshots: None,
            settings_number: 0,
            live_since: 0,
            device: DeviceChoice::Auto,
        })
    }

    /// Paints one photo, instead of whatever single photo is being painted. Never waits.
    pub fn paint(&mut self, job: PaintJob) -> Generation {
        self.cancel();
        self.newest.0 += 1;
        let control = Arc::new(RunControl::default());
        self.painting = Some(control.clone());
        self.drafting = job.draft && draft_settings(&job).is_some();
        self.outbox.retain(|waiting| !matches!(waiting, Command::Paint { .. }));
        self.send(Command::Paint { generation: self.newest, job, control });
        self.newest
    }

    /// Paints a source's frames live, instead of the source before, which is closed at once; the returned
    /// mailbox receives the pictures. Never waits.
    ///
    /// # Errors
    /// The operating system's, when it starts no thread for the source. Nothing is painted live then. A problem
    /// of the source itself is in the [`Snapshot`] and comes as an event.
    pub fn start_live(
        &mut self,
        source: LiveSource,
        settings: LiveSettings,
    ) -> io::Result<Reader<LivePicture>> {
        self.stop_live();
        let source_px = first_source_px(settings.size, settings.upscale, self.device);
        let input = Input::start(source, source_px)?;
        let (output, pictures) = mailbox(LivePicture::empty);
        let (snapshot, snapshots) = mailbox(Snapshot::default);
        let (changes, newest_settings) = mailbox(|| None);
        let control = Arc::new(RunControl::default());
        self.capture = input.capture();
        self.live = Some(control.clone());
        self.settings_number += 1;
        self.live_since = self.settings_number;
        self.changes = Some(changes);
        self.snapshots = Some(snapshots);
        self.outbox.push_back(Command::StartLive(Box::new(LiveStart {
            input,
            output,
            wake_up: self.wake_up.clone(),
            snapshot,
            settings,
            number: self.settings_number,
            changes: newest_settings,
            control,
        })));
        self.flush();
        Ok(pictures)
    }

    /// Paints live frames by `settings` from the next one on; returns the number that pictures painted by
    /// them carry. Never waits.
    pub fn set_live(&mut self, settings: LiveSettings) -> u64 {
        self.settings_number += 1;
        if let Some(changes) = &mut self.changes {
            changes.send((settings, self.settings_number));
        }
        self.settings_number
    }

    /// The newest snapshot of live painting; `None` before it was started for the first time.
    pub fn snapshot(&mut self) -> Option<&Snapshot> {
        let snapshots = self.snapshots.as_mut()?;
        snapshots.take();
        Some(&snapshots.value)
    }

    /// Hands `sink` every live picture from now on, of whichever source, until it has ended. Pictures that no surface
    /// takes are handed over too. Never waits.
    pub fn record(&mut self, sink: impl Sink + 'static) {
        self.send(Command::AddSink(Box::new(sink)));
    }

    /// Records a finer picture of the frame that is held, which the surface shows from this time on; nothing where
    /// none is recorded, or once the pictures go on. Never waits.
    pub fn record_finer(&mut self, finer: Arc<Repainted>, at: Instant) {
        self.send(Command::RecordFiner(finer, at));
    }

    /// Paints these previews of live pictures too, in turn; for none, none. Never waits.
    pub fn set_previews(&mut self, previews: Vec<Preview>) {
        self.outbox.retain(|waiting| !matches!(waiting, Command::SetPreviews(_)));
        self.send(Command::SetPreviews(previews));
    }

    /// Measures two modes on the live source's frames; [`Event::Measured`] follows. Live pictures wait
    /// meanwhile.
    pub fn measure(&mut self, job: MeasureJob) {
        self.cancel_measuring();
        let control = Arc::new(RunControl::default());
        self.measuring = Some(control.clone());
        self.send(Command::Measure { job, control });
    }

    /// Cancels the measurement, if one runs; [`Event::Measured`] follows. Gives the share of it that was done, 0 to 1,
    /// unless it was cancelled before.
    pub fn cancel_measuring(&mut self) -> Option<f32> {
        let control = self.measuring.as_ref().filter(|c| !c.is_cancelled())?;
        control.cancel();
        Some(control.progress())
    }

    /// Share of the measurement that is done, 0 to 1; `None` when none runs.
    pub fn measuring_progress(&self) -> Option<f32> {
        self.measuring.as_ref().map(|control| control.progress())
    }

    /// Ends live painting; the source is closed at once.
    pub fn stop_live(&mut self) {
        if let Some(control) = self.live.take() {
            control.cancel();
            self.outbox.retain(|waiting| {
                !matches!(waiting, Command::StartLive(_) | Command::SetPreviews(_))
            });
            self.send(Command::StopLive);
        }
        if let Some(capture) = self.capture.take() {
            capture.stop();
        }
    }

    /// Cancels the painting of the single photo; [`Event::Cancelled`] follows.
    pub fn cancel(&mut self) {
        if let Some(control) = &self.painting {
            control.cancel();
        }
    }

    /// Paints a photo small in a network that is no style yet, after a single photo and instead of the trial before;
    /// [`Event::Tried`] follows. Never waits.
    pub fn try_out(&mut self, job: TrialJob) -> TrialNumber {
        self.cancel_trial();
        self.newest_trial.0 += 1;
        let control = Arc::new(RunControl::default());
        self.trial = Some(control.clone());
        self.send(Command::Try { number: self.newest_trial, job, control });
        self.newest_trial
    }

    /// Cancels the trial; no event follows.
    pub fn cancel_trial(&mut self) {
        if let Some(control) = self.trial.take() {
            control.cancel();
            self.outbox.retain(|waiting| !matches!(waiting, Command::Try { .. }));
        }
    }

    /// Paints a live frame once more, after those that wait and beside whatever else is painted; [`Event::Repainted`]
    /// follows. Never waits.
    pub fn repaint(&mut self, job: RepaintJob) -> RepaintNumber {
        self.newest_repaint.0 += 1;
        let number = self.newest_repaint;
        let control = Arc::new(RunControl::default());
        self.repaints.push((number, control.clone()));
        self.send(Command::Repaint { number, job, control });
        number
    }

    /// Gives up painting a live frame once more; no event follows.
    pub fn cancel_repaint(&mut self, number: RepaintNumber) {
        for (_, control) in self.repaints.extract_if(.., |(of, _)| *of == number) {
            control.cancel();
        }
    }

    /// Starts a batch. Returns `false`, and does nothing, while another one runs.
    pub fn start_batch(&mut self, job: BatchJob) -> bool {
        if self.batch.is_some() {
            return false;
        }
        let control = Arc::new(RunControl::default());
        self.batch = Some(control.clone());
        self.send(Command::Batch { job, control });
        true
    }

    /// Cancels the batch; [`Event::BatchEnded`] follows.
    pub fn cancel_batch(&mut self) {
        if let Some(control) = &self.batch {
            control.cancel();
        }
    }

    /// Share of the single photo that is painted, 0 to 1, its draft included; `None` when none is being
    /// painted.
    pub fn progress(&self) -> Option<f32> {
        let control = self.painting.as_ref()?;
        // The draft is about a tenth of the whole.
        Some(if self.drafting { 0.1 * control.progress() } else { 0.1 + 0.9 * control.progress() })
    }

    /// Share of the batch's present photo that is painted, 0 to 1; `None` without a batch.
    pub fn batch_progress(&self) -> Option<f32> {
        self.batch.as_ref().map(|control| control.progress())
    }

    /// The next event that still matters. Never waits.
    pub fn poll(&mut self) -> Option<Event> {
        self.flush();
        while let Ok(Sent { event, live }) = self.events.try_recv() {
            if matches!(event, Event::Live(_)) && live != self.live_since {
                continue;
            }
            let generation = match &event {
                Event::Painted { generation, .. } | Event::Failed { generation, .. } => {
                    Some(*generation)
                }
                Event::Cancelled(generation) => Some(*generation),
                _ => None,
            };
            if generation.is_some_and(|of| of != self.newest) {
                continue;
            }
            if let Event::Tried { number, .. } = &event
                && (*number != self.newest_trial || self.trial.take().is_none())
            {
                continue;
            }
            if let Event::Repainted { number, .. } = &event {
                let awaited = self.repaints.iter().position(|(of, _)| of == number);
                match awaited {
                    Some(at) => drop(self.repaints.swap_remove(at)),
                    None => continue,
                }
            }
            match &event {
                Event::Painted { draft: true, .. } => self.drafting = false,
                Event::Painted { .. } | Event::Failed { .. } | Event::Cancelled(_) => {
                    self.painting = None;
                }
                Event::BatchEnded { .. } => self.batch = None,
                Event::Device { info, .. } => self.device = info.kind,
                Event::Measured(_) => self.measuring = None,
                _ => {}
            }
            return Some(event);
        }
        None
    }

    /// Stops the thread: cancels what runs and waits at most `patience`. Returns whether the
    /// thread ended in time; one that did not is left behind and dies with the program.
    pub fn shutdown(&mut self, patience: Duration) -> bool {
        let runs = (self.painting.iter())
            .chain(&self.trial)
            .chain(&self.batch)
            .chain(&self.measuring)
            .chain(&self.live)
            .chain(self.repaints.iter().map(|(_, control)| control));
        for control in runs {
            control.cancel();
        }
        if let Some(capture) = self.capture.take() {
            capture.stop();
        }
        self.outbox.clear();
        self.stop = None;
        self.thread.join_within(patience)
    }

    fn send(&mut self, command: Command) {
        self.outbox.push_back(command);
        self.flush();
    }

    /// Hands waiting commands to the channel as far as it has room.
    fn flush(&mut self) {
        while let Some(command) = self.outbox.pop_front() {
            match self.commands.try_send(command) {
                Ok(()) => {}
                Err(TrySendError::Full(command)) => {
                    self.outbox.push_front(command);
                    return;
                }
                // The thread is gone; its last events are still to be read.
                Err(TrySendError::Disconnected(_)) => {}
            }
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.shutdown(Duration::from_secs(2));
    }
}
