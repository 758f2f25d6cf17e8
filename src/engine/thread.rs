//! The engine's thread: commands in, events and pictures out.
//!
//! Single photos come first, then live pictures and the photos of a batch in turn.

use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Instant,
};

use crossbeam_channel::{Receiver, Sender, TryRecvError, never, select_biased};

use super::{
    bounded_thread::WakeUp,
    draft::draft_settings,
    error::EngineError,
    live::{Live, LiveEvent, MeasureJob, Served},
    paint::Painter,
    panic::panic_message,
    protocol::{BatchJob, Command, Event, Generation, PaintJob, SavedPhoto},
    sessions::{Loader, LoaderThread},
};
use crate::{
    backend::{OpenDevice, RunControl},
    capture::CaptureEvent,
    frame::Frame,
    measure::MeasureError,
    media::record::FrameSink,
    mode::DeviceChoice,
};

/// An event on its way to the surface.
pub(super) struct Sent {
    pub(super) event: Event,
    /// Number of the settings with which live painting had last been started when the event was sent.
    pub(super) live: u64,
}

/// Sends events to the surface. Never waits.
pub(super) struct Events {
    sender: Sender<Sent>,
    wake_up: WakeUp,
    /// As [`Sent::live`].
    live: Cell<u64>,
}

impl Events {
    pub(super) fn new(sender: Sender<Sent>, wake_up: WakeUp) -> Self {
        Self {
            sender,
            wake_up,
            live: Cell::new(0),
        }
    }

    fn send(&self, event: Event) {
        let live = self.live.get();
        // Fails only when the surface is gone.
        let _ = self.sender.send(Sent { event, live });
        (self.wake_up)();
    }
}

struct Batch {
    job: BatchJob,
    control: Arc<RunControl>,
    next: usize,
}

type Paint = (Generation, PaintJob, Arc<RunControl>);

/// The work besides a single photo.
#[derive(Default)]
struct Work {
    paint: Option<Paint>,
    batch: Option<Batch>,
    live: Option<Live>,
    measure: Option<(MeasureJob, Arc<RunControl>)>,
    /// The recording while no live pictures are painted.
    recording: Option<FrameSink>,
}

impl Work {
    /// Handles a command. Without a `painter` nothing is painted live.
    fn take_in(
        &mut self,
        command: Command,
        painter: Result<&mut Painter, &EngineError>,
        events: &Events,
    ) {
        match command {
            Command::Paint {
                generation,
                job,
                control,
            } => self.paint = Some((generation, job, control)),
            Command::Batch { job, control } => {
                self.batch = Some(Batch {
                    job,
                    control,
                    next: 0,
                });
            }
            Command::StartLive(start) => {
                events.live.set(start.number);
                // The memory of the live run before is released first.
                self.end_live();
                let painter = match painter {
                    Ok(painter) => painter,
                    Err(error) => return refuse_live(error, events),
                };
                painter.pool_mut().close_live();
                let mut live = Live::new(*start, painter, Arc::new(Instant::now));
                *live.recording() = self.recording.take();
                self.live = Some(live);
            }
            Command::SetPreviews(previews) => {
                if let (Some(live), Ok(painter)) = (&mut self.live, painter) {
                    live.set_previews(previews, painter);
                }
            }
            Command::Measure { job, control } => self.measure = Some((job, control)),
            Command::Record(sink) => match &mut self.live {
                Some(live) => *live.recording() = Some(sink),
                None => self.recording = Some(sink),
            },
            Command::StopLive => {
                self.end_live();
                if let Ok(painter) = painter {
                    painter.pool_mut().close_live();
                }
            }
        }
    }

    fn end_live(&mut self) {
        if let Some(mut live) = self.live.take() {
            self.recording = live.recording().take();
        }
    }
}

/// What the thread woke up for.
enum Woken {
    Command(Box<Command>),
    Frame,
    Settings,
    SettingsEnded,
    Loaded,
    Source(CaptureEvent),
    SourceEventsEnded,
    SourceEnded,
    Stop,
}

/// Everything that the thread owns. Fields are dropped in order: work first, the device last.
struct Engine {
    work: Work,
    loader: Option<LoaderThread>,
    device: Result<Painter, EngineError>,
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.work = Work::default();
        if let Ok(painter) = &self.device {
            // The loader ends after the running job, which is cancelled.
            painter.pool().cancel_all();
        }
        self.loader = None;
    }
}

/// Runs the engine's thread until the handle stops it.
pub(super) fn run(
    open_device: &OpenDevice,
    commands: &Receiver<Command>,
    stopped: &Receiver<()>,
    events: &Events,
) {
    // Without a thread for the loader, pictures wait while a session is loaded.
    let thread = LoaderThread::start().ok();
    let loader = (thread.as_ref()).map_or_else(Loader::on_the_spot, |t| t.loader().clone());
    let device = match caught(|| open_device(DeviceChoice::Auto)) {
        Ok(Ok(selected)) => {
            events.send(Event::Device {
                info: selected.backend.device(),
                notice: selected.notice,
            });
            let (backend, open) = (selected.backend, open_device.clone());
            Ok(Painter::with_loader(backend, open, loader.clone()))
        }
        Ok(Err(error)) => Err(EngineError::NoDevice(error)),
        Err(panic) => Err(panic),
    };
    if let Err(error) = &device {
        events.send(Event::NoDevice(error.clone()));
    }
    let mut engine = Engine {
        work: Work::default(),
        loader: thread,
        device,
    };
    let no_signal = never();
    let no_event = never();
    loop {
        let live = engine.work.live.as_ref();
        let has_settings = live.is_some_and(Live::has_settings);
        let woken = if engine.work.batch.is_some() || has_settings {
            // There is work, so the channels are only polled.
            match commands.try_recv() {
                Ok(command) => Some(Woken::Command(Box::new(command))),
                Err(TryRecvError::Empty) => None,
                Err(TryRecvError::Disconnected) => return,
            }
        } else {
            let frame = live.and_then(Live::frame_ready);
            let settings = live.and_then(Live::settings_ready);
            let source = live.and_then(Live::source_events);
            // Frames are checked last: where one is always waiting, the other channels would have to wait.
            select_biased! {
                recv(stopped) -> _ => Some(Woken::Stop),
                recv(commands) -> command => Some(match command {
                    Ok(command) => Woken::Command(Box::new(command)),
                    Err(_) => Woken::Stop,
                }),
                recv(settings.unwrap_or(&no_signal)) -> signal => Some(match signal {
                    Ok(()) => Woken::Settings,
                    Err(_) => Woken::SettingsEnded,
                }),
                recv(loader.ready()) -> _ => Some(Woken::Loaded),
                recv(source.unwrap_or(&no_event)) -> event => Some(match event {
                    Ok(event) => Woken::Source(event),
                    Err(_) => Woken::SourceEventsEnded,
                }),
                recv(frame.unwrap_or(&no_signal)) -> signal => Some(match signal {
                    Ok(()) => Woken::Frame,
                    Err(_) => Woken::SourceEnded,
                }),
            }
        };
        if matches!(stopped.try_recv(), Err(TryRecvError::Disconnected)) {
            return;
        }
        match woken {
            Some(Woken::Stop) => return,
            Some(Woken::Command(command)) => {
                for command in std::iter::once(*command).chain(commands.try_iter()) {
                    let painter = engine.device.as_mut().map_err(|error| &*error);
                    engine.work.take_in(command, painter, events);
                }
            }
            Some(woken) => {
                if let Some(live) = &mut engine.work.live {
                    note_woken(live, woken, events);
                }
            }
            None => {}
        }
        serve(&mut engine, events);
    }
}

/// Notes what woke the thread up about the live source or its settings.
fn note_woken(live: &mut Live, woken: Woken, events: &Events) {
    match woken {
        Woken::SettingsEnded => live.settings().close(),
        Woken::Source(event) => {
            live.note_source(event, &mut |event| events.send(Event::Live(event)));
        }
        Woken::SourceEventsEnded => live.input().end_events(),
        Woken::SourceEnded => {
            live.input().end_frames();
            events.send(Event::Live(LiveEvent::Ended));
        }
        Woken::Command(_) | Woken::Frame | Woken::Settings | Woken::Loaded | Woken::Stop => {}
    }
}

/// Serves every kind of work once.
fn serve(engine: &mut Engine, events: &Events) {
    let Engine { work, device, .. } = engine;
    let painter = match device {
        Ok(painter) => painter,
        Err(error) => return refuse(work, error, events),
    };
    if let Some(paint) = work.paint.take() {
        serve_paint(painter, paint, events);
    }
    if let Some(measure) = work.measure.take() {
        serve_measure(painter, &mut work.live, measure, events);
    }
    serve_live(painter, &mut work.live, events);
    if let Some(batch) = &mut work.batch
        && serve_batch(painter, batch, events)
    {
        work.batch = None;
    }
}

/// Says that nothing is painted live, because there is no device.
fn refuse_live(error: &EngineError, events: &Events) {
    events.send(Event::Live(LiveEvent::Refused(error.clone())));
    events.send(Event::Live(LiveEvent::Ended));
}

/// Measures with the live source's frames.
fn serve_measure(
    painter: &mut Painter,
    live: &mut Option<Live>,
    (job, control): (MeasureJob, Arc<RunControl>),
    events: &Events,
) {
    let measured = match live {
        Some(live) => caught(|| live.measure(painter, &job, &control)),
        None => Ok(Err(MeasureError::Nothing)),
    };
    match measured {
        Ok(result) => events.send(Event::Measured(result.map(Arc::new))),
        Err(error) => {
            end_broken(live, painter);
            events.send(Event::Measured(Err(MeasureError::Nothing)));
            events.send(Event::Live(LiveEvent::Refused(error)));
            events.send(Event::Live(LiveEvent::Ended));
        }
    }
}

/// Ends live painting after a panic: sessions may be half-way through a run.
fn end_broken(live: &mut Option<Live>, painter: &mut Painter) {
    *live = None;
    painter.forget_sessions();
}

/// Paints the newest live frame. A panic ends live painting, not the thread.
fn serve_live(painter: &mut Painter, live: &mut Option<Live>, events: &Events) {
    let Some(current) = live else {
        return;
    };
    let served = caught(|| current.serve(painter, &mut |event| events.send(Event::Live(event))));
    send_notices(painter, events);
    match served {
        Ok(Served::Picture) => (events.wake_up)(),
        Ok(Served::Nothing) => {}
        Err(error) => {
            end_broken(live, painter);
            events.send(Event::Live(LiveEvent::Refused(error)));
            events.send(Event::Live(LiveEvent::Ended));
        }
    }
}

/// Answers commands when there is no device.
fn refuse(work: &mut Work, error: &EngineError, events: &Events) {
    if let Some((generation, ..)) = work.paint.take() {
        events.send(Event::Failed {
            generation,
            error: error.clone(),
        });
    }
    if work.measure.take().is_some() {
        events.send(Event::Measured(Err(MeasureError::Nothing)));
    }
    if let Some(batch) = work.batch.take() {
        let total = batch.job.source.len();
        for index in 0..total {
            events.send(Event::BatchPhoto {
                done: index + 1,
                total,
                name: batch.job.source.name(index),
                outcome: Err(error.to_string()),
            });
        }
        events.send(Event::BatchEnded { cancelled: false });
    }
}

/// Paints one photo, after its draft where the job has one.
fn serve_paint(painter: &mut Painter, (generation, job, control): Paint, events: &Events) {
    let draft = job.draft.then(|| draft_settings(&job)).flatten();
    let runs = draft
        .map(|settings| (true, settings))
        .into_iter()
        .chain([(false, job.settings)]);
    for (draft, settings) in runs {
        if control.is_cancelled() {
            events.send(Event::Cancelled(generation));
            return;
        }
        control.set_progress(0.0);
        let run = caught(|| painter.paint(&job.photo, &job.network, settings, &control));
        send_notices(painter, events);
        match run {
            Ok(Ok(painting)) => events.send(Event::Painted {
                generation,
                draft,
                painting: Arc::new(painting),
            }),
            Ok(Err(error)) if error.is_cancelled() => {
                events.send(Event::Cancelled(generation));
                return;
            }
            // A draft that failed says nothing: the run itself will.
            Ok(Err(_)) if draft => {}
            Ok(Err(error)) => {
                events.send(Event::Failed {
                    generation,
                    error: error.into(),
                });
                return;
            }
            Err(error) => {
                // The painter's sessions may be half-way through a run.
                painter.forget_sessions();
                events.send(Event::Failed { generation, error });
                return;
            }
        }
    }
}

/// Paints the next photo of a batch; returns whether the batch is over.
fn serve_batch(painter: &mut Painter, batch: &mut Batch, events: &Events) -> bool {
    let total = batch.job.source.len();
    let cancelled = batch.control.is_cancelled();
    if cancelled || batch.next >= total {
        events.send(Event::BatchEnded { cancelled });
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
    send_notices(painter, events);
    let outcome = match run {
        Ok(Ok(saved)) => Ok(saved),
        Ok(Err(BatchStop::Cancelled)) => {
            events.send(Event::BatchEnded { cancelled: true });
            return true;
        }
        Ok(Err(BatchStop::Said(reason))) => Err(reason),
        Err(error) => {
            painter.forget_sessions();
            Err(error.to_string())
        }
    };
    events.send(Event::BatchPhoto {
        done: batch.next,
        total,
        name: batch.job.source.name(index),
        outcome,
    });
    false
}

/// Sends an event for every device that took the place of a lost one.
fn send_notices(painter: &mut Painter, events: &Events) {
    for notice in painter.take_notices() {
        events.send(Event::Device {
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
