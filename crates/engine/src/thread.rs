//! The engine's thread: receives commands, sends events and pictures.
//!
//! Single photos come first, then live pictures. Frames of films and photos of folders are painted when nothing else is
//! ready, and while live pictures move only if that takes little time.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, TryRecvError, after, never, select_biased};

use super::{
    devices::Devices,
    error::{EngineError, caught},
    events::{Events, send_notices},
    film_frames::FilmFrames,
    live::{Live, LiveEvent, MeasureJob, Sinks},
    paint::Painter,
    photos::{Paint, serve_paint},
    protocol::{Command, Event},
    repaint::{RepaintThread, Request},
    sessions::{Loader, LoaderThread},
};
use crate::capture::CaptureEvent;
use backend::{BackendError, OpenDevice, RunControl};
use measure::MeasureError;
use values::{disk::reason, mode::DeviceChoice};

/// Longest time that the frames of a film may hold back live pictures that move.
const FILM_HOLDS_LIVE: Duration = Duration::from_millis(50);
/// Live pictures move if one came within this time.
const LIVE_MOVES: Duration = Duration::from_secs(1);

/// The pending work of the thread.
#[derive(Default)]
struct Work {
    paint: Option<Paint>,
    live: Option<Live>,
    measure: Option<(MeasureJob, Arc<RunControl>)>,
    /// The sinks while live painting is stopped.
    sinks: Sinks,
    /// Repaints pictures; started for the first one.
    repaint: Option<RepaintThread>,
    film: Option<FilmFrames>,
    /// How long the last frames of a film took.
    film_time: Duration,
    /// When the last live frame came.
    live_at: Option<Instant>,
}

impl Work {
    /// Handles a command.
    fn handle(&mut self, command: Command, devices: &mut Devices, events: &Events) {
        match command {
            Command::Paint { generation, job, control } => {
                self.paint = Some((generation, job, control))
            }
            Command::Repaint { number, job, control } => {
                let backend = devices.first().backend().clone();
                self.repaint(Request { number, job, control, backend }, events);
            }
            Command::StartLive(start) => {
                events.live.set(start.number);
                // Releases the memory of the previous live run first.
                self.end_live();
                close_live(devices);
                let mut live = Live::new(*start, devices.first(), Arc::new(Instant::now));
                *live.sinks() = std::mem::take(&mut self.sinks);
                self.live = Some(live);
            }
            Command::SetPreviews(previews) => {
                if let Some(live) = &mut self.live {
                    live.set_previews(previews, devices.first_mut());
                }
            }
            Command::Measure { job, control } => self.measure = Some((job, control)),
            Command::AddSink(sink) => match &mut self.live {
                Some(live) => live.sinks().add(sink),
                None => self.sinks.add(sink),
            },
            Command::RecordFiner(finer, at) => {
                if let Some(live) = &mut self.live {
                    live.record_finer(&finer.picture, at);
                }
            }
            Command::StopLive => {
                self.end_live();
                close_live(devices);
            }
        }
    }

    /// Passes a frame to the repaint thread.
    fn repaint(&mut self, request: Request, events: &Events) {
        if self.repaint.is_none() {
            self.repaint = match RepaintThread::start(events.another()) {
                Ok(thread) => Some(thread),
                Err(error) => {
                    let error = BackendError::Threads(reason(&error));
                    let result = Err(EngineError::Paint(error.into()));
                    let number = request.number;
                    return events.send(Event::Repainted { number, result });
                }
            };
        }
        if let Some(thread) = &self.repaint {
            thread.request(request);
        }
    }

    fn end_live(&mut self) {
        if let Some(mut live) = self.live.take() {
            self.sinks = std::mem::take(live.sinks());
        }
    }
}

/// Closes everything that live painting opened.
fn close_live(devices: &mut Devices) {
    devices.keep_first();
    devices.first_mut().pool.close_live();
}

/// Why the thread woke up.
enum WakeReason {
    Command(Box<Command>),
    /// A frame, settings or a session is ready.
    Ready,
    SettingsEnded,
    Source(CaptureEvent),
    SourceEventsEnded,
    SourceEnded,
    Film(FilmFrames),
    Stop,
}

/// Everything that the thread owns. Fields are dropped in order: work first, the device last.
struct EngineThread {
    work: Work,
    loader: Option<LoaderThread>,
    devices: Devices,
}

impl Drop for EngineThread {
    fn drop(&mut self) {
        self.work = Work::default();
        self.devices.keep_first();
        // The loader ends after the running job, which is cancelled here.
        self.devices.first().pool.requests.cancel_all();
        self.loader = None;
    }
}

/// Runs the engine's thread until the handle stops it.
pub(super) fn run(
    open_device: &OpenDevice,
    (commands, film_frames): (&Receiver<Command>, &Receiver<FilmFrames>),
    stopped: &Receiver<()>,
    events: &Events,
) {
    // If the loader thread cannot be started, live painting pauses while a session loads.
    let thread = LoaderThread::start().ok();
    let loader = (thread.as_ref()).map_or_else(Loader::on_the_spot, |t| t.loader.clone());
    let devices = match caught(|| open_device(DeviceChoice::Auto)) {
        Ok(Ok(selected)) => {
            events.send(Event::Device { info: selected.backend.device(), notice: selected.notice });
            let (backend, open) = (selected.backend, open_device.clone());
            Devices::new(Painter::with_loader(backend, open, loader.clone()))
        }
        Ok(Err(error)) => {
            return refuse_all(&EngineError::NoDevice(error), commands, stopped, events);
        }
        Err(panic) => return refuse_all(&panic, commands, stopped, events),
    };
    let mut engine = EngineThread { work: Work::default(), loader: thread, devices };
    let no_signal = never();
    let no_event = never();
    let no_frames = never();
    loop {
        let live = engine.work.live.as_ref();
        let has_settings = live.is_some_and(|live| live.settings.pending.is_some());
        let woken = if has_settings {
            // There is work, so the channels are only polled.
            match commands.try_recv() {
                Ok(command) => Some(WakeReason::Command(Box::new(command))),
                Err(TryRecvError::Empty) => None,
                Err(TryRecvError::Disconnected) => return,
            }
        } else {
            let frame = live.and_then(|live| live.input.frame_ready());
            let settings = live.and_then(|live| live.settings.ready());
            let source = live.and_then(|live| live.input.events());
            let moves = engine.work.live_at.is_some_and(|at| at.elapsed() < LIVE_MOVES);
            let waits = moves && engine.work.film_time > FILM_HOLDS_LIVE;
            let film = if waits { &no_frames } else { film_frames };
            let rests = if waits { after(LIVE_MOVES) } else { never() };
            // Frames come last: a source that always has one ready would starve the other channels.
            select_biased! {
                recv(stopped) -> _ => Some(WakeReason::Stop),
                recv(commands) -> command => Some(
                    command.map_or(WakeReason::Stop, |command| WakeReason::Command(Box::new(command)))
                ),
                recv(settings.unwrap_or(&no_signal)) -> signal => Some(
                    signal.map_or(WakeReason::SettingsEnded, |()| WakeReason::Ready)
                ),
                recv(loader.ready()) -> _ => Some(WakeReason::Ready),
                recv(source.unwrap_or(&no_event)) -> event => Some(
                    event.map_or(WakeReason::SourceEventsEnded, WakeReason::Source)
                ),
                recv(frame.unwrap_or(&no_signal)) -> signal => Some(match signal {
                    Ok(()) => {
                        engine.work.live_at = Some(Instant::now());
                        WakeReason::Ready
                    }
                    Err(_) => WakeReason::SourceEnded,
                }),
                recv(rests) -> _ => None,
                recv(film) -> frames => Some(frames.map_or(WakeReason::Stop, WakeReason::Film)),
            }
        };
        if matches!(stopped.try_recv(), Err(TryRecvError::Disconnected)) {
            return;
        }
        match woken {
            Some(WakeReason::Stop) => return,
            Some(WakeReason::Command(command)) => {
                for command in std::iter::once(*command).chain(commands.try_iter()) {
                    engine.work.handle(command, &mut engine.devices, events);
                }
            }
            Some(WakeReason::Film(frames)) => engine.work.film = Some(frames),
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

/// Handles the live source or settings change that woke the thread.
fn note_woken(live: &mut Live, woken: WakeReason, events: &Events) {
    match woken {
        WakeReason::SettingsEnded => live.settings.is_closed = true,
        WakeReason::Source(event) => {
            live.note_source(event, &mut |event| events.send(Event::Live(event)));
        }
        WakeReason::SourceEventsEnded => live.input.events_ended = true,
        WakeReason::SourceEnded => {
            live.input.frames_ended = true;
            events.send(Event::Live(LiveEvent::Ended));
        }
        WakeReason::Command(_) | WakeReason::Ready | WakeReason::Film(_) | WakeReason::Stop => {}
    }
}

/// Serves every kind of work once.
fn serve(engine: &mut EngineThread, events: &Events) {
    let EngineThread { work, devices, .. } = engine;
    if let Some(paint) = work.paint.take() {
        serve_paint(devices.first_mut(), paint, events);
    }
    if let Some(measure) = work.measure.take() {
        serve_measure(devices, &mut work.live, measure, events);
    }
    serve_live(devices, &mut work.live, events);
    if let Some(frames) = work.film.take() {
        let began = Instant::now();
        let painter = devices.first_mut();
        if caught(|| frames(painter)).is_err() {
            // A session may be half-way through a run.
            painter.forget_sessions();
        }
        send_notices(painter, events);
        work.film_time = began.elapsed();
    }
}

/// Reports that live painting has ended because of `error`.
fn refuse_live(error: EngineError, events: &Events) {
    events.send(Event::Live(LiveEvent::Refused(error)));
    events.send(Event::Live(LiveEvent::Ended));
}

/// Measures on the live source's frames.
fn serve_measure(
    devices: &mut Devices,
    live: &mut Option<Live>,
    (job, control): (MeasureJob, Arc<RunControl>),
    events: &Events,
) {
    let measured = match live {
        Some(live) => caught(|| live.measure(devices, &job, &control)),
        None => Ok(Err(MeasureError::Nothing)),
    };
    match measured {
        Ok(result) => events.send(Event::Measured(result.map(Arc::new))),
        Err(error) => {
            events.send(Event::Measured(Err(MeasureError::Nothing)));
            end_broken(live, devices, error, events);
        }
    }
}

/// Stops live painting after a panic: sessions may be half-way through a run.
fn end_broken(live: &mut Option<Live>, devices: &mut Devices, error: EngineError, events: &Events) {
    *live = None;
    devices.keep_first();
    devices.first_mut().forget_sessions();
    refuse_live(error, events);
}

/// Paints the newest live frame. A panic ends live painting, not the thread.
fn serve_live(devices: &mut Devices, live: &mut Option<Live>, events: &Events) {
    let Some(current) = live else {
        return;
    };
    let served = caught(|| current.serve(devices, &mut |event| events.send(Event::Live(event))));
    send_notices(devices.first_mut(), events);
    if let Err(error) = served {
        end_broken(live, devices, error, events);
    }
}

/// Reports that there is no device, and refuses commands until the handle stops the thread.
fn refuse_all(
    error: &EngineError,
    commands: &Receiver<Command>,
    stopped: &Receiver<()>,
    events: &Events,
) {
    events.send(Event::NoDevice(error.clone()));
    // A recording ends when its surface ends it, as with a device.
    let mut sinks = Sinks::default();
    loop {
        select_biased! {
            recv(stopped) -> _ => return,
            recv(commands) -> command => match command {
                Ok(command) => refuse(command, error.clone(), &mut sinks, events),
                Err(_) => return,
            },
        }
    }
}

/// Answers a command when there is no device.
fn refuse(command: Command, error: EngineError, sinks: &mut Sinks, events: &Events) {
    match command {
        Command::Paint { generation, .. } => events.send(Event::Failed { generation, error }),
        Command::Repaint { number, .. } => {
            events.send(Event::Repainted { number, result: Err(error) });
        }
        Command::Measure { .. } => events.send(Event::Measured(Err(MeasureError::Nothing))),
        Command::StartLive(start) => {
            events.live.set(start.number);
            refuse_live(error, events);
        }
        Command::AddSink(sink) => sinks.add(sink),
        Command::SetPreviews(_) | Command::RecordFiner(..) | Command::StopLive => {}
    }
}
