//! The engine thread: owns the backend and its sessions, obeys commands, tells events.
//!
//! The thread is steered by one bounded channel of [`Command`] and a stop signal; it answers on one
//! bounded channel of [`Event`] and rings an injected wake-up after each. Nothing here waits for
//! it except [`Engine::shutdown`], which waits a bounded time.
//!
//! Invariants: the newest paint command wins, the one before it is cancelled at once; events of
//! overtaken commands never leave [`Engine::poll`]; a panic in a job becomes an event and the
//! painter's sessions are given up; a lost device is replaced and told. The [`Engine`] handle belongs to one thread, the window's.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use super::{
    live::{LiveOrder, LivePicture, MeasureJob, WallPane},
    protocol::{BatchJob, Command, Event, Generation, LiveStart, NumberedOrder, PaintJob},
    serve::{Teller, draft_settings, serve},
    thread::BoundedThread,
};
use crate::{
    backend::{OpenDevice, RunControl},
    capture::Captured,
    mailbox::{Reader, Writer, mailbox},
};

/// Rung after every event, from the engine's thread; must return at once.
pub type WakeUp = Arc<dyn Fn() + Send + Sync>;

/// Long side of a draft at most, in pixels.
const LARGEST_DRAFT_PX: usize = 448;
/// Long side of a draft at least, in pixels, unless the finished picture is smaller.
const SMALLEST_DRAFT_PX: usize = 192;
/// A draft has the finished painting's long side divided by this: about a ninth of the work.
const DRAFT_DIVISOR: usize = 3;
/// Commands that may wait in the channel; more wait in the handle.
const COMMANDS: usize = 8;
/// Events that may wait for the surface.
const EVENTS: usize = 64;

/// The long side at which a draft of a painting at `working` pixels is made; `None` when the
/// painting itself is about as small. Follows the brush, so that a draft shows its size.
pub fn draft_px(working: (usize, usize)) -> Option<usize> {
    let long = working.0.max(working.1);
    let draft = (long / DRAFT_DIVISOR).clamp(SMALLEST_DRAFT_PX, LARGEST_DRAFT_PX);
    (draft * 2 <= long).then_some(draft)
}

/// The handle of the engine thread.
pub struct Engine {
    commands: Sender<Command>,
    events: Receiver<Event>,
    /// Closed to stop the thread.
    stop: Option<Sender<()>>,
    thread: BoundedThread,
    /// Commands that found the channel full. At most one paint command waits here.
    outbox: VecDeque<Command>,
    newest: Generation,
    painting: Option<Arc<RunControl>>,
    /// Whether the single photo in hand is still in its draft.
    drafting: bool,
    batch: Option<Arc<RunControl>>,
    measuring: Option<Arc<RunControl>>,
    /// Stops live painting.
    live: Option<Arc<RunControl>>,
    /// Where the live order's changes go; `None` before the first.
    order_changes: Option<Writer<Option<NumberedOrder>>>,
    live_orders: u64,
}

impl Engine {
    /// Starts the thread, which first asks `open_device` for the best device (that may take
    /// a while) and tells [`Event::Device`] or [`Event::NoDevice`]; and asks it again when that
    /// device is lost.
    ///
    /// # Errors
    /// The operating system's, when it gives no thread.
    pub fn start(open_device: OpenDevice, wake_up: WakeUp) -> std::io::Result<Self> {
        let (command_sender, commands) = bounded(COMMANDS);
        let (event_sender, events) = bounded(EVENTS);
        let (stop, stopped) = bounded(0);
        let teller = Teller {
            events: event_sender,
            stopped: stopped.clone(),
            wake_up,
        };
        let thread = BoundedThread::spawn("engine", move || {
            serve(&open_device, &commands, &stopped, &teller);
        })?;
        Ok(Self {
            commands: command_sender,
            events,
            stop: Some(stop),
            thread,
            outbox: VecDeque::new(),
            newest: Generation::default(),
            painting: None,
            drafting: false,
            batch: None,
            measuring: None,
            live: None,
            order_changes: None,
            live_orders: 0,
        })
    }

    /// Paints one photo, in place of whatever single photo is being painted. Never waits.
    pub fn paint(&mut self, job: PaintJob) -> Generation {
        self.cancel();
        self.newest.0 += 1;
        let control = Arc::new(RunControl::default());
        self.painting = Some(control.clone());
        self.drafting = job.draft && draft_settings(&job).is_some();
        self.outbox
            .retain(|waiting| !matches!(waiting, Command::Paint { .. }));
        self.outbox.push_back(Command::Paint {
            generation: self.newest,
            job,
            control,
        });
        self.flush();
        self.newest
    }

    /// Paints the frames of a source live, in place of the source before; the pictures come through what
    /// is given back. Never waits.
    pub fn start_live(&mut self, input: Reader<Captured>, order: LiveOrder) -> Reader<LivePicture> {
        self.stop_live();
        let (writer, reader) = mailbox(LivePicture::empty);
        let (order_changes, settings) = mailbox(|| None);
        let control = Arc::new(RunControl::default());
        self.live = Some(control.clone());
        self.live_orders += 1;
        self.order_changes = Some(order_changes);
        self.outbox
            .push_back(Command::StartLive(Box::new(LiveStart {
                input,
                output: writer,
                order,
                number: self.live_orders,
                settings,
                control,
            })));
        self.flush();
        reader
    }

    /// Paints live frames by `order` from the next one on; gives the number that pictures painted by it
    /// carry. Never waits.
    pub fn order_live(&mut self, order: LiveOrder) -> u64 {
        self.live_orders += 1;
        if let Some(changes) = &mut self.order_changes {
            changes.send((order, self.live_orders));
        }
        self.live_orders
    }

    /// Paints small live pictures for these panes, in turn; none ends the wall. Never waits.
    pub fn set_wall(&mut self, panes: Vec<WallPane>) {
        self.outbox
            .retain(|waiting| !matches!(waiting, Command::SetWall(_)));
        self.outbox.push_back(Command::SetWall(panes));
        self.flush();
    }

    /// Measures two modes on the live source's frames; [`Event::Measured`] follows. Live pictures wait
    /// meanwhile.
    pub fn measure(&mut self, job: MeasureJob) {
        self.cancel_measuring();
        let control = Arc::new(RunControl::default());
        self.measuring = Some(control.clone());
        self.outbox.push_back(Command::Measure { job, control });
        self.flush();
    }

    /// Asks the measurement to stop; [`Event::Measured`] follows.
    pub fn cancel_measuring(&mut self) {
        if let Some(control) = &self.measuring {
            control.cancel();
        }
    }

    /// Share of the measurement that is done, 0 to 1; `None` when none is in hand.
    pub fn measuring_progress(&self) -> Option<f32> {
        self.measuring.as_ref().map(|control| control.progress())
    }

    /// Ends live painting; the source's frames are given up.
    pub fn stop_live(&mut self) {
        if let Some(control) = self.live.take() {
            control.cancel();
            self.outbox
                .retain(|waiting| !matches!(waiting, Command::StartLive(_) | Command::SetWall(_)));
            self.outbox.push_back(Command::StopLive);
            self.flush();
        }
    }

    /// Asks the single photo in hand to stop; [`Event::Cancelled`] follows.
    pub fn cancel(&mut self) {
        if let Some(control) = &self.painting {
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
        self.outbox.push_back(Command::Batch { job, control });
        self.flush();
        true
    }

    /// Asks the batch to stop; [`Event::BatchEnded`] follows.
    pub fn cancel_batch(&mut self) {
        if let Some(control) = &self.batch {
            control.cancel();
        }
    }

    /// Share of the single photo that is painted, 0 to 1, its draft included; `None` when none is
    /// in hand.
    pub fn progress(&self) -> Option<f32> {
        let control = self.painting.as_ref()?;
        // The draft is about a tenth of the whole.
        Some(if self.drafting {
            0.1 * control.progress()
        } else {
            0.1 + 0.9 * control.progress()
        })
    }

    /// Share of the batch's photo in hand that is painted, 0 to 1; `None` without a batch.
    pub fn batch_progress(&self) -> Option<f32> {
        self.batch.as_ref().map(|control| control.progress())
    }

    /// The next event that still matters. Never waits.
    pub fn poll(&mut self) -> Option<Event> {
        self.flush();
        while let Ok(event) = self.events.try_recv() {
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
            match &event {
                Event::Painted { draft: true, .. } => self.drafting = false,
                Event::Painted { .. } | Event::Failed { .. } | Event::Cancelled(_) => {
                    self.painting = None;
                }
                Event::BatchEnded { .. } => self.batch = None,
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
            .chain(&self.batch)
            .chain(&self.measuring)
            .chain(&self.live);
        for control in runs {
            control.cancel();
        }
        self.outbox.clear();
        self.stop = None;
        self.thread.join_within(patience)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drafts_follow_the_brush_and_are_much_smaller() {
        assert_eq!(draft_px((1280, 853)), Some(426));
        assert_eq!(draft_px((640, 480)), Some(213));
        assert_eq!(draft_px((4000, 3000)), Some(448));
        assert_eq!(draft_px((320, 320)), None);
        assert_eq!(draft_px((1, 1)), None);
    }
}
