//! The engine thread's life: commands in, events and pictures out.
//!
//! Single photos come first, then live pictures and the photos of a batch in turn.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Instant,
};

use crossbeam_channel::{Receiver, Sender, TryRecvError, never, select, select_biased};

use super::{
    live::{Live, LiveEvent, MeasureJob, Opener, Openings, Served},
    paint::{PaintSettings, Painter, WorkingSize},
    protocol::{BatchJob, Command, EngineError, Event, Generation, PaintJob, SavedPhoto},
    worker::{WakeUp, draft_px},
};
use crate::{
    backend::{OpenDevice, RunControl},
    frame::Frame,
    measure::MeasureError,
    mode::DeviceChoice,
};

/// Tells events from the engine thread; gives up when told to stop.
pub(super) struct Teller {
    pub(super) events: Sender<Event>,
    pub(super) stopped: Receiver<()>,
    pub(super) wake_up: WakeUp,
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

/// What the thread has in hand besides a single photo.
#[derive(Default)]
struct Hand {
    paint: Option<Paint>,
    batch: Option<Batch>,
    live: Option<Live>,
    measure: Option<(MeasureJob, Arc<RunControl>)>,
}

impl Hand {
    fn take_in(&mut self, command: Command, device: DeviceChoice, opener: &Option<Opener>) {
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
                // The memory of the one before goes first.
                self.live = None;
                // Without a thread for it, opening a session holds the pictures up.
                let openings = opener
                    .as_ref()
                    .map_or_else(Openings::here, Opener::openings);
                let clock = Arc::new(Instant::now);
                self.live = Some(Live::new(*start, device, clock, openings));
            }
            Command::SetWall(panes) => {
                if let Some(live) = &mut self.live {
                    live.set_wall(panes);
                }
            }
            Command::Measure { job, control } => self.measure = Some((job, control)),
            Command::StopLive => self.live = None,
        }
    }
}

/// What the thread woke up for.
enum Woken {
    Command(Box<Command>),
    Frame,
    Settings,
    SettingsEnded,
    Opened,
    SourceEnded,
    Stop,
}

/// The engine thread's life.
pub(super) fn serve(
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
    // Ends after what is in hand, which cancels what it has opened, and before the device is given back.
    let opener = Opener::start().ok();
    let mut hand = Hand::default();
    let silence = never();
    loop {
        let has_settings = hand.live.as_ref().is_some_and(Live::has_settings);
        let woken = if hand.batch.is_some() || has_settings {
            // There is something to do, so only look.
            match commands.try_recv() {
                Ok(command) => Some(Woken::Command(Box::new(command))),
                Err(TryRecvError::Empty) => None,
                Err(TryRecvError::Disconnected) => return,
            }
        } else {
            let frame = hand.live.as_ref().and_then(Live::frame_ready);
            let opened = hand.live.as_ref().map(Live::opened);
            let settings = hand.live.as_ref().and_then(Live::settings_ready);
            // Frames come last: where one is always waiting, nothing else would have its turn at once.
            select_biased! {
                recv(stopped) -> _ => Some(Woken::Stop),
                recv(commands) -> command => Some(match command {
                    Ok(command) => Woken::Command(Box::new(command)),
                    Err(_) => Woken::Stop,
                }),
                recv(settings.unwrap_or(&silence)) -> signal => Some(match signal {
                    Ok(()) => Woken::Settings,
                    Err(_) => Woken::SettingsEnded,
                }),
                recv(opened.unwrap_or(&silence)) -> _ => Some(Woken::Opened),
                recv(frame.unwrap_or(&silence)) -> rung => Some(match rung {
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
                let kind = match &device {
                    Ok(painter) => painter.backend().device().kind,
                    Err(_) => DeviceChoice::Auto,
                };
                for command in std::iter::once(*command).chain(commands.try_iter()) {
                    hand.take_in(command, kind, &opener);
                }
            }
            Some(Woken::SourceEnded) => {
                if let Some(live) = &mut hand.live {
                    live.end();
                    teller.tell(Event::Live(LiveEvent::Ended));
                }
            }
            Some(Woken::SettingsEnded) => {
                if let Some(live) = &mut hand.live {
                    live.end_settings();
                }
            }
            Some(Woken::Frame | Woken::Settings | Woken::Opened) | None => {}
        }
        match &mut device {
            Err(error) => refuse(&mut hand, error, teller),
            Ok(painter) => {
                if let Some(paint) = hand.paint.take() {
                    serve_paint(painter, paint, teller);
                }
                if let Some(measure) = hand.measure.take() {
                    serve_measure(painter, &mut hand.live, measure, teller);
                }
                serve_live(painter, &mut hand.live, teller);
                if let Some(current) = &mut hand.batch
                    && serve_batch(painter, current, teller)
                {
                    hand.batch = None;
                }
            }
        }
    }
}

/// Measures with the live source's frames.
fn serve_measure(
    painter: &mut Painter,
    live: &mut Option<Live>,
    (job, control): (MeasureJob, Arc<RunControl>),
    teller: &Teller,
) {
    let measured = match live {
        Some(live) => caught(|| live.measure(painter, &job, &control)),
        None => Ok(Err(MeasureError::Nothing)),
    };
    match measured {
        Ok(result) => teller.tell(Event::Measured(result.map(Arc::new))),
        Err(error) => {
            *live = None;
            teller.tell(Event::Measured(Err(MeasureError::Nothing)));
            teller.tell(Event::Live(LiveEvent::Refused(error)));
            teller.tell(Event::Live(LiveEvent::Ended));
        }
    }
}

/// Paints the newest live frame. A panic ends live painting, not the thread.
fn serve_live(painter: &mut Painter, live: &mut Option<Live>, teller: &Teller) {
    let Some(current) = live else {
        return;
    };
    let served = caught(|| current.serve(painter, &mut |event| teller.tell(Event::Live(event))));
    tell_news(painter, teller);
    match served {
        Ok(Served::Picture) => (teller.wake_up)(),
        Ok(Served::Nothing) => {}
        Err(error) => {
            *live = None;
            teller.tell(Event::Live(LiveEvent::Refused(error)));
            teller.tell(Event::Live(LiveEvent::Ended));
        }
    }
}

/// Answers commands when there is no device.
fn refuse(hand: &mut Hand, error: &EngineError, teller: &Teller) {
    if let Some((generation, ..)) = hand.paint.take() {
        teller.tell(Event::Failed {
            generation,
            error: error.clone(),
        });
    }
    if hand.measure.take().is_some() {
        teller.tell(Event::Measured(Err(MeasureError::Nothing)));
    }
    if hand.live.take().is_some() {
        teller.tell(Event::Live(LiveEvent::Refused(error.clone())));
        teller.tell(Event::Live(LiveEvent::Ended));
    }
    if let Some(batch) = hand.batch.take() {
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
pub(super) fn draft_settings(job: &PaintJob) -> Option<PaintSettings> {
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
