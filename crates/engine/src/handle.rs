//! The handle of the engine thread, which owns the backend and its sessions, performs commands and sends events.
//!
//! The handle sends [`Command`]s on a bounded channel, and a stop signal. The thread sends [`Event`]s on an unbounded
//! channel, so that it never waits for a surface, and calls an injected wake-up after each one. Only
//! [`Engine::shutdown`] waits for the thread, for a bounded time.
//!
//! Invariants:
//! - A new paint command replaces the previous one, which is cancelled immediately.
//! - [`Engine::poll`] drops events of replaced commands.
//! - A panic in a job becomes an event and closes the painter's sessions.
//! - A lost device is replaced, and an event reports it.
//!
//! The [`Engine`] handle belongs to one thread: the window's, or the main thread of `styleforge live`.

use std::{
    collections::VecDeque,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded, unbounded};

use super::{
    events::{Events, Sent},
    film_frames::FilmPainter,
    live::{
        Input, LivePicture, LiveSettings, LiveSource, LiveStart, MeasureJob, NumberedSettings,
        Preview, Snapshot, rate_control::first_source_px,
    },
    photos::draft_settings,
    protocol::{Command, Event, Generation, PaintJob, RepaintJob, RepaintNumber, Repainted},
    thread::run,
};
use crate::capture::Capture;
use backend::{OpenDevice, RunControl};
use threads::{BoundedThread, WakeUp};
use values::{
    mailbox::{Reader, Writer, mailbox},
    mode::DeviceChoice,
    sink::Sink,
};

/// Capacity of the command channel; further commands wait in the handle.
const COMMANDS: usize = 8;

pub struct Engine {
    commands: Sender<Command>,
    events: Receiver<Sent>,
    /// Called after every event and every live picture.
    wake_up: WakeUp,
    /// Closed to stop the thread.
    stop: Option<Sender<()>>,
    thread: BoundedThread,
    /// Commands that did not fit in the channel. At most one paint command waits here.
    outbox: VecDeque<Command>,
    newest: Generation,
    painting: Option<Arc<RunControl>>,
    /// The draft of the single photo is still being painted.
    drafting: bool,
    newest_repaint: RepaintNumber,
    /// The repaints that are running or queued.
    repaints: Vec<(RepaintNumber, Arc<RunControl>)>,
    measuring: Option<Arc<RunControl>>,
    /// Cancelled to stop live painting.
    live: Option<Arc<RunControl>>,
    /// The live source. The handle stops it immediately, even if the engine's thread is busy.
    capture: Option<Arc<Capture>>,
    /// Mailbox for changed live settings; `None` until live painting is first started.
    changes: Option<Writer<Option<NumberedSettings>>>,
    snapshots: Option<Reader<Snapshot>>,
    settings_number: u64,
    /// Settings number with which live painting was last started. Older events are dropped.
    live_since: u64,
    device: DeviceChoice,
    film_painter: FilmPainter,
}

impl Engine {
    /// Starts the thread. It first opens the best device with `open_device`, which can take a while, and sends
    /// [`Event::Device`] or [`Event::NoDevice`]. If that device is lost, the thread opens another.
    ///
    /// # Errors
    /// The operating system could not start the thread.
    pub fn start(open_device: OpenDevice, wake_up: WakeUp) -> io::Result<Self> {
        let (command_sender, commands) = bounded(COMMANDS);
        // Unbounded, so that the thread never waits for a surface.
        let (event_sender, events) = unbounded();
        let (stop, stopped) = bounded(0);
        let (film_painter, film_frames) = FilmPainter::new();
        let event_sender = Events::new(event_sender, wake_up.clone());
        let thread = BoundedThread::spawn("engine", move || {
            run(&open_device, (&commands, &film_frames), &stopped, &event_sender);
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
            newest_repaint: RepaintNumber::default(),
            repaints: Vec::new(),
            measuring: None,
            live: None,
            capture: None,
            changes: None,
            snapshots: None,
            settings_number: 0,
            live_since: 0,
            device: DeviceChoice::Auto,
            film_painter,
        })
    }

    /// Paints one photo and replaces the single photo that is being painted. Never waits.
    pub fn paint(&mut self, job: PaintJob) -> Generation {
        self.cancel();
        self.newest.0 += 1;
        let control = self.painting.insert(Arc::default()).clone();
        self.drafting = job.draft && draft_settings(&job).is_some();
        self.outbox.retain(|waiting| !matches!(waiting, Command::Paint { .. }));
        self.send(Command::Paint { generation: self.newest, job, control });
        self.newest
    }

    /// Paints a source's frames live and closes the previous source immediately. The returned mailbox receives the
    /// pictures. Never waits.
    ///
    /// # Errors
    /// The operating system could not start a thread for the source. Live painting is then stopped. Problems of the
    /// source itself are in the [`Snapshot`] and arrive as events.
    pub fn start_live(
        &mut self,
        source: LiveSource,
        settings: LiveSettings,
    ) -> io::Result<Reader<LivePicture>> {
        self.stop_live();
        let source_px = first_source_px(settings.stylization.size, settings.upscale, self.device);
        let input = Input::start(source, source_px)?;
        let (output, pictures) = mailbox(LivePicture::empty);
        let (snapshot, snapshots) = mailbox(Snapshot::default);
        let (changes, newest_settings) = mailbox(|| None);
        let control = self.live.insert(Arc::default()).clone();
        self.capture = input.capture.clone();
        self.settings_number += 1;
        self.live_since = self.settings_number;
        self.changes = Some(changes);
        self.snapshots = Some(snapshots);
        self.send(Command::StartLive(Box::new(LiveStart {
            input,
            output,
            wake_up: self.wake_up.clone(),
            snapshot,
            settings,
            number: self.settings_number,
            changes: newest_settings,
            control,
        })));
        Ok(pictures)
    }

    /// Applies `settings` from the next live frame on. Returns the number that pictures painted with them carry. Never
    /// waits.
    pub fn set_live(&mut self, settings: LiveSettings) -> u64 {
        self.settings_number += 1;
        if let Some(changes) = &mut self.changes {
            changes.send((settings, self.settings_number));
        }
        self.settings_number
    }

    /// The newest snapshot of live painting; `None` until live painting is first started.
    pub fn snapshot(&mut self) -> Option<&Snapshot> {
        let snapshots = self.snapshots.as_mut()?;
        snapshots.take();
        Some(&snapshots.value)
    }

    /// Sends `sink` every live picture from now on, of any source, until the sink ends. This includes pictures that no
    /// surface takes. Never waits.
    pub fn record(&mut self, sink: impl Sink + 'static) {
        self.send(Command::AddSink(Box::new(sink)));
    }

    /// Records a finer picture of the held frame, which the surface shows from time `at` on. Does nothing if no
    /// recording runs or the frame is no longer held. Never waits.
    pub fn record_finer(&mut self, finer: Arc<Repainted>, at: Instant) {
        self.send(Command::RecordFiner(finer, at));
    }

    /// Also paints these previews of live pictures, in turn; an empty list stops them. Never waits.
    pub fn set_previews(&mut self, previews: Vec<Preview>) {
        self.outbox.retain(|waiting| !matches!(waiting, Command::SetPreviews(_)));
        self.send(Command::SetPreviews(previews));
    }

    /// Measures two modes on the live source's frames; [`Event::Measured`] follows. Live painting pauses meanwhile.
    pub fn measure(&mut self, job: MeasureJob) {
        self.cancel_measuring();
        let control = self.measuring.insert(Arc::default()).clone();
        self.send(Command::Measure { job, control });
    }

    /// Cancels the measurement, if one runs; [`Event::Measured`] follows. Returns the completed share, 0 to 1, unless
    /// the measurement was already cancelled.
    pub fn cancel_measuring(&mut self) -> Option<f32> {
        let control = self.measuring.as_ref().filter(|c| !c.is_cancelled())?;
        control.cancel();
        Some(control.progress())
    }

    /// Completed share of the measurement, 0 to 1; `None` if none runs.
    pub fn measuring_progress(&self) -> Option<f32> {
        self.measuring.as_ref().map(|control| control.progress())
    }

    /// Stops live painting. The source is closed immediately.
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

    /// Paints a picture after queued repaints and in parallel with all other work. Its sessions are closed afterwards.
    /// [`Event::Repainted`] follows. Never waits.
    pub fn repaint(&mut self, job: RepaintJob) -> RepaintNumber {
        self.newest_repaint.0 += 1;
        let number = self.newest_repaint;
        let control = Arc::<RunControl>::default();
        self.repaints.push((number, control.clone()));
        self.send(Command::Repaint { number, job, control });
        number
    }

    /// Cancels a repaint; no event follows.
    pub fn cancel_repaint(&mut self, number: RepaintNumber) {
        for (_, control) in self.repaints.extract_if(.., |(of, _)| *of == number) {
            control.cancel();
        }
    }

    /// Paints frames of films for other threads.
    pub fn film_painter(&self) -> FilmPainter {
        self.film_painter.clone()
    }

    /// Completed share of the single photo including its draft, 0 to 1; `None` if none is being painted.
    pub fn progress(&self) -> Option<f32> {
        let control = self.painting.as_ref()?;
        // The draft is about a tenth of the work.
        Some(if self.drafting { 0.1 * control.progress() } else { 0.1 + 0.9 * control.progress() })
    }

    /// The next event that is not outdated. Never waits.
    pub fn poll(&mut self) -> Option<Event> {
        self.flush();
        while let Ok(Sent { event, live }) = self.events.try_recv() {
            match &event {
                Event::Live(_) if live != self.live_since => continue,
                Event::Painted { generation, .. }
                | Event::Failed { generation, .. }
                | Event::Cancelled(generation)
                    if *generation != self.newest =>
                {
                    continue;
                }
                Event::Painted { draft: true, .. } => self.drafting = false,
                Event::Painted { .. } | Event::Failed { .. } | Event::Cancelled(_) => {
                    self.painting = None;
                }
                Event::Repainted { number, .. }
                    if self.repaints.extract_if(.., |(of, _)| of == number).count() == 0 =>
                {
                    continue;
                }
                Event::Device { info, .. } => self.device = info.kind,
                Event::Measured(_) => self.measuring = None,
                _ => {}
            }
            return Some(event);
        }
        None
    }

    /// Stops the thread: cancels running work and waits at most `patience`. Returns whether the thread ended in time.
    /// Otherwise it is abandoned and ends with the process.
    pub fn shutdown(&mut self, patience: Duration) -> bool {
        let runs = (self.painting.iter())
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

    /// Sends waiting commands while the channel has room.
    fn flush(&mut self) {
        while let Some(command) = self.outbox.pop_front() {
            match self.commands.try_send(command) {
                Ok(()) => {}
                Err(TrySendError::Full(command)) => {
                    self.outbox.push_front(command);
                    return;
                }
                // The thread is gone, but its last events can still be read.
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
