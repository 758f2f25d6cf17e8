//! The engine thread: owns the backend and its sessions, obeys commands, tells events.
//!
//! The thread is steered by one bounded channel of [`Command`] and a stop signal; it answers on one
//! bounded channel of [`Event`] and rings an injected wake-up after each. Nothing here waits for
//! it except [`Engine::shutdown`], which waits a bounded time.
//!
//! Invariants: the newest paint command wins, the one before it is cancelled at once; events of
//! overtaken commands never leave [`Engine::poll`]; a panic in a job becomes an event and the
//! painter's sessions are given up; a lost device is replaced and told. The [`Engine`] handle belongs to one thread, the window's.

use std::{
    any::Any,
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use crossbeam_channel::{Receiver, Sender, TryRecvError, TrySendError, bounded, select};

use super::{
    paint::{PaintSettings, Painter, WorkingSize},
    protocol::{BatchJob, Command, EngineError, Event, Generation, PaintJob, SavedPhoto},
    thread::BoundedThread,
};
use crate::{
    backend::{OpenDevice, RunControl},
    frame::Frame,
    mode::DeviceChoice,
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
}

impl Engine {
    /// Starts the thread, which first asks `open_device` for [`DeviceChoice::Auto`] (that may take
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
                _ => {}
            }
            return Some(event);
        }
        None
    }

    /// Stops the thread: cancels what runs and waits at most `patience`. Returns whether the
    /// thread ended in time; one that did not is left behind and dies with the program.
    pub fn shutdown(&mut self, patience: Duration) -> bool {
        for control in self.painting.iter().chain(self.batch.iter()) {
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

/// Tells events from the engine thread; gives up when told to stop.
struct Teller {
    events: Sender<Event>,
    stopped: Receiver<()>,
    wake_up: WakeUp,
}

impl Teller {
    fn tell(&self, event: Event) {
        select! {
            send(self.events, event) -> _ => (self.wake_up)(),
            recv(self.stopped) -> _ => {}
        }
    }
}

struct Batch {
    job: BatchJob,
    control: Arc<RunControl>,
    next: usize,
}

type Paint = (Generation, PaintJob, Arc<RunControl>);

/// The engine thread's life.
fn serve(
    open_device: &OpenDevice,
    commands: &Receiver<Command>,
    stopped: &Receiver<()>,
    teller: &Teller,
) {
    let mut device = match caught(|| open_device(DeviceChoice::Auto)) {
        Ok(Ok(selected)) => {
            teller.tell(Event::Device {
                info: selected.backend.device(),
                notice: selected.notice,
            });
            Ok(Painter::new(selected.backend, open_device.clone()))
        }
        Ok(Err(error)) => Err(EngineError::NoDevice(error)),
        Err(panic) => Err(panic),
    };
    if let Err(error) = &device {
        teller.tell(Event::NoDevice(error.clone()));
    }
    let mut batch: Option<Batch> = None;
    loop {
        // With a batch in hand there is always something to do, so only look; else wait.
        let first = if batch.is_some() {
            match commands.try_recv() {
                Ok(command) => Some(command),
                Err(TryRecvError::Empty) => None,
                Err(TryRecvError::Disconnected) => return,
            }
        } else {
            select! {
                recv(commands) -> command => match command {
                    Ok(command) => Some(command),
                    Err(_) => return,
                },
                recv(stopped) -> _ => return,
            }
        };
        if matches!(stopped.try_recv(), Err(TryRecvError::Disconnected)) {
            return;
        }
        let mut paint: Option<Paint> = None;
        for command in first.into_iter().chain(commands.try_iter()) {
            match command {
                Command::Paint {
                    generation,
                    job,
                    control,
                } => paint = Some((generation, job, control)),
                Command::Batch { job, control } => {
                    batch = Some(Batch {
                        job,
                        control,
                        next: 0,
                    });
                }
            }
        }
        match &mut device {
            Err(error) => refuse(paint, batch.take(), error, teller),
            Ok(painter) => {
                if let Some(paint) = paint {
                    serve_paint(painter, paint, teller);
                } else if let Some(current) = &mut batch
                    && serve_batch(painter, current, teller)
                {
                    batch = None;
                }
            }
        }
    }
}

/// Answers commands when there is no device.
fn refuse(paint: Option<Paint>, batch: Option<Batch>, error: &EngineError, teller: &Teller) {
    if let Some((generation, ..)) = paint {
        teller.tell(Event::Failed {
            generation,
            error: error.clone(),
        });
    }
    if let Some(batch) = batch {
        let total = batch.job.source.len();
        for index in 0..total {
            teller.tell(Event::BatchPhoto {
                done: index + 1,
                total,
                name: batch.job.source.name(index),
                outcome: Err(error.to_string()),
            });
        }
        teller.tell(Event::BatchEnded { cancelled: false });
    }
}

/// The settings of the job's draft, where one is worth it.
fn draft_settings(job: &PaintJob) -> Option<PaintSettings> {
    let (width, height) = (job.photo.width(), job.photo.height());
    let px = draft_px(job.settings.working_size.resolve(width, height))?;
    Some(PaintSettings {
        working_size: WorkingSize::LongSide(px),
        ..job.settings
    })
}

/// Paints one photo, a draft first when asked.
fn serve_paint(painter: &mut Painter, (generation, job, control): Paint, teller: &Teller) {
    let draft = job.draft.then(|| draft_settings(&job)).flatten();
    let runs = draft
        .map(|settings| (true, settings))
        .into_iter()
        .chain([(false, job.settings)]);
    for (draft, settings) in runs {
        if control.is_cancelled() {
            teller.tell(Event::Cancelled(generation));
            return;
        }
        control.set_progress(0.0);
        let run = caught(|| painter.paint(&job.photo, &job.network, settings, &control));
        tell_news(painter, teller);
        match run {
            Ok(Ok(painting)) => teller.tell(Event::Painted {
                generation,
                draft,
                painting: Arc::new(painting),
            }),
            Ok(Err(error)) if error.is_cancelled() => {
                teller.tell(Event::Cancelled(generation));
                return;
            }
            // A draft that failed says nothing: the run itself will.
            Ok(Err(_)) if draft => {}
            Ok(Err(error)) => {
                teller.tell(Event::Failed {
                    generation,
                    error: error.into(),
                });
                return;
            }
            Err(error) => {
                // Its sessions may be half-way through a run.
                painter.forget_sessions();
                teller.tell(Event::Failed { generation, error });
                return;
            }
        }
    }
}

/// Paints the next photo of a batch; returns whether the batch is over.
fn serve_batch(painter: &mut Painter, batch: &mut Batch, teller: &Teller) -> bool {
    let total = batch.job.source.len();
    let cancelled = batch.control.is_cancelled();
    if cancelled || batch.next >= total {
        teller.tell(Event::BatchEnded { cancelled });
        return true;
    }
    let index = batch.next;
    batch.next += 1;
    batch.control.set_progress(0.0);
    let BatchJob {
        source,
        network,
        settings,
    } = &mut batch.job;
    let run = caught(|| -> Result<SavedPhoto, BatchStop> {
        let photo: Frame = source.open(index).map_err(BatchStop::Said)?;
        let painting = painter
            .paint(&photo, network, *settings, &batch.control)
            .map_err(|error| {
                if error.is_cancelled() {
                    BatchStop::Cancelled
                } else {
                    BatchStop::Said(error.to_string())
                }
            })?;
        source
            .finish(index, &photo, &painting)
            .map_err(BatchStop::Said)
    });
    tell_news(painter, teller);
    let outcome = match run {
        Ok(Ok(saved)) => Ok(saved),
        Ok(Err(BatchStop::Cancelled)) => {
            teller.tell(Event::BatchEnded { cancelled: true });
            return true;
        }
        Ok(Err(BatchStop::Said(reason))) => Err(reason),
        Err(error) => {
            painter.forget_sessions();
            Err(error.to_string())
        }
    };
    teller.tell(Event::BatchPhoto {
        done: batch.next,
        total,
        name: batch.job.source.name(index),
        outcome,
    });
    false
}

/// Tells of devices that took the place of lost ones.
fn tell_news(painter: &mut Painter, teller: &Teller) {
    for notice in painter.take_news() {
        teller.tell(Event::Device {
            info: painter.backend().device(),
            notice: Some(notice),
        });
    }
}

/// Why a photo of a batch has no result.
enum BatchStop {
    Cancelled,
    Said(String),
}

/// Runs `job`; a panic becomes an error.
fn caught<T>(job: impl FnOnce() -> T) -> Result<T, EngineError> {
    catch_unwind(AssertUnwindSafe(job))
        .map_err(|panic| EngineError::Panicked(panic_message(panic.as_ref())))
}

/// The words of a panic.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
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
