//! Camera out: shows the live painting to other programs as a camera.
//!
//! A [`CameraSink`] takes the engine's pictures, of which only the newest is kept. A thread of its own writes the newest
//! one at its own rate to a [virtual camera](crate::capture::VirtualCamera), so neither a slow painting nor a program
//! that reads slowly holds up the other. The device decides the size; pictures are fitted into it. While the painting is
//! held or no picture arrives, readers get a [`card`], so that nobody sees a frozen face. The thread ends with a card
//! too, because some programs keep the last picture.

mod broadcast;
mod card;
mod yuyv;

use std::{
    fmt, io,
    str::FromStr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicBool, atomic::Ordering},
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, at, bounded, select};

use self::broadcast::Broadcast;
use crate::{
    capture::{Output, OutputProblem, VirtualCamera},
    engine::{BoundedThread, WakeUp},
    frame::Frame,
    mailbox::{Writer, mailbox},
    parallel_copy,
};

/// Pictures per second.
pub const FPS: u32 = 30;
/// How long the end may take if the driver blocks.
const END_PATIENCE: Duration = Duration::from_secs(2);

/// The size of the pictures that is requested from the device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CameraOutSize {
    #[default]
    Hd720,
    Hd1080,
    /// The size of the source's frames.
    Source,
}

impl CameraOutSize {
    /// Every choice, in the order of the menus.
    pub const ALL: [Self; 3] = [Self::Hd720, Self::Hd1080, Self::Source];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Hd720 => "1280x720",
            Self::Hd1080 => "1920x1080",
            Self::Source => "source",
        }
    }

    /// Width and height, in pixels. Two pixels share their colour, so the sides are even.
    pub fn of(self, source: (usize, usize)) -> (usize, usize) {
        let even = |px: usize| (px & !1).max(2);
        match self {
            Self::Hd720 => (1280, 720),
            Self::Hd1080 => (1920, 1080),
            Self::Source => (even(source.0), even(source.1)),
        }
    }
}

impl fmt::Display for CameraOutSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for CameraOutSize {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|size| size.name() == text);
        known.ok_or("expected 1280x720, 1920x1080 or source")
    }
}

/// What readers should see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OnAir {
    /// Whether the painting is held, or live painting is stopped.
    pub is_held: bool,
    /// Whether the source is a photo, whose only picture stays.
    pub is_still: bool,
    /// Whether left and right of the pictures are swapped. Readers get them as the camera sees them.
    pub is_flipped: bool,
    /// The style, for the card.
    pub style: String,
}

/// The state of camera out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    pub camera: VirtualCamera,
    /// Width and height that readers get.
    pub size: (usize, usize),
    /// Number of other programs that have the device open, as far as the system shows.
    pub readers: usize,
    /// Pictures that the device took.
    pub written: u64,
    /// Why it has ended.
    pub problem: Option<OutputProblem>,
}

impl Status {
    /// What readers get, as text.
    pub fn in_words(&self) -> String {
        let (width, height) = self.size;
        let readers = match self.readers {
            0 => String::new(),
            1 => ", in use by 1 program".to_owned(),
            n => format!(", in use by {n} programs"),
        };
        format!("{width} × {height}, {FPS} fps{readers}")
    }
}

/// Shared by the handle, the sink and the thread.
struct Shared {
    on_air: Mutex<OnAir>,
    status: Mutex<Status>,
    has_ended: AtomicBool,
}

impl Shared {
    fn on_air(&self) -> MutexGuard<'_, OnAir> {
        self.on_air.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Updates the status; returns whether readers came or went.
    fn note(&self, broadcast: &mut Broadcast, now: Instant) -> bool {
        let readers = broadcast.readers(now);
        let mut status = self.status();
        status.written = broadcast.written();
        status.size = broadcast.size();
        std::mem::replace(&mut status.readers, readers) != readers
    }
}

/// Camera out in progress. Dropping it ends it and waits until the device is closed.
pub struct CameraOut {
    shared: Arc<Shared>,
    /// Closed to end the thread.
    stop: Option<Sender<()>>,
    thread: BoundedThread,
}

/// Takes the engine's pictures.
pub struct CameraSink {
    pictures: Writer<Frame>,
    shared: Arc<Shared>,
}

impl CameraOut {
    /// Writes the pictures of the returned sink to `output`. Calls `wake_up` on its thread when readers came or went, and
    /// when it has ended because of a failure.
    ///
    /// # Errors
    /// [`OutputProblem`] if the operating system could not start the thread.
    pub fn start(
        output: Box<dyn Output>,
        on_air: OnAir,
        wake_up: WakeUp,
    ) -> Result<(Self, CameraSink), OutputProblem> {
        let camera = output.camera().clone();
        let device = camera.device.clone();
        let (width, height, _) = output.size();
        let status =
            Status { camera, size: (width, height), readers: 0, written: 0, problem: None };
        let shared = Arc::new(Shared {
            on_air: Mutex::new(on_air),
            status: Mutex::new(status),
            has_ended: AtomicBool::new(false),
        });
        let (sink, pictures) = mailbox(|| Frame::empty(1, 1));
        let (stop, stopped) = bounded(0);
        let broadcast = Broadcast::new(pictures, output);
        let seen = shared.clone();
        let thread =
            BoundedThread::spawn("camera out", move || run(broadcast, &seen, &stopped, &wake_up));
        let thread = thread.map_err(|e: io::Error| OutputProblem::Device {
            device,
            reason: crate::disk::reason(&e),
        })?;
        let sink = CameraSink { pictures: sink, shared: shared.clone() };
        Ok((Self { shared, stop: Some(stop), thread }, sink))
    }

    /// Sets what readers should see.
    pub fn show(&self, on_air: OnAir) {
        *self.shared.on_air() = on_air;
    }

    /// The current state.
    pub fn status(&self) -> Status {
        self.shared.status().clone()
    }
}

impl Drop for CameraOut {
    fn drop(&mut self) {
        self.stop = None;
        // A thread that the driver blocks is abandoned.
        self.thread.join_within(END_PATIENCE);
    }
}

impl CameraSink {
    /// Takes a copy of a picture. Never waits.
    pub fn put(&mut self, picture: &Frame) {
        let (width, height) = picture.size();
        self.pictures.value.resize(width, height);
        parallel_copy::copy(self.pictures.value.rgba_mut(), picture.rgba());
        self.pictures.put();
    }

    /// Whether it takes no more pictures.
    pub fn has_ended(&self) -> bool {
        self.shared.has_ended.load(Ordering::Relaxed)
    }
}

/// Writes until it is stopped or the device fails.
fn run(mut broadcast: Broadcast, shared: &Shared, stopped: &Receiver<()>, wake_up: &WakeUp) {
    let interval = Duration::from_secs(1) / FPS;
    let mut due = Instant::now();
    let problem = loop {
        let now = Instant::now();
        let on_air = shared.on_air().clone();
        if let Err(problem) = broadcast.tick(&on_air, now) {
            break Some(problem);
        }
        if shared.note(&mut broadcast, now) {
            wake_up();
        }
        // A late picture is not made up for.
        due = (due + interval).max(now);
        select! {
            recv(stopped) -> _ => break None,
            recv(at(due)) -> _ => {}
        }
    };
    if problem.is_none() {
        broadcast.end(&shared.on_air().clone());
    }
    // The device is free before its end is reported.
    drop(broadcast);
    shared.has_ended.store(true, Ordering::Relaxed);
    shared.status().problem = problem;
    wake_up();
}
