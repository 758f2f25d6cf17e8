//! Camera out: shows the live painting to other programs as a camera.
//!
//! A [`CameraSink`] takes the engine's pictures, of which only the newest is kept. A thread of its own writes the newest
//! one at its own rate to a [virtual camera](crate::capture::VirtualCamera), so neither a slow painting nor a program
//! that reads slowly holds up the other. The device decides the size; pictures are fitted into it. While the painting is
//! held or no picture arrives, readers get a card, never a frozen frame. The thread ends with a card
//! too, because some programs keep the last picture.

mod broadcast;
mod card;
mod yuyv;

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, at, bounded, select};
use serde::{Deserialize, Serialize};

use self::broadcast::Broadcast;
use crate::capture::{Output, OutputProblem, VirtualCamera};
use threads::{BoundedThread, WakeUp};
use values::{
    disk::reason,
    frame::Frame,
    lock::lock,
    mailbox::{Writer, mailbox},
    parallel_copy,
    sink::Sink,
};

/// Pictures per second.
pub const FPS: u32 = 30;
/// How long the end may take if the driver blocks.
const END_PATIENCE: Duration = Duration::from_secs(2);

/// The size of the pictures that is requested from the device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
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

    /// Width and height, in pixels.
    pub fn of(self, source: (usize, usize)) -> (usize, usize) {
        match self {
            Self::Hd720 => (1280, 720),
            Self::Hd1080 => (1920, 1080),
            // Two pixels share their colour.
            Self::Source => (source.0.next_multiple_of(2), source.1),
        }
    }
}

/// What readers should see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OnAir {
    /// The painting is held, or live painting is stopped.
    pub is_held: bool,
    /// The source is a photo, whose only picture stays.
    pub is_still: bool,
    /// Left and right of the pictures are swapped. Readers get them as the camera sees them.
    pub is_flipped: bool,
    /// The style, for the card.
    pub style: String,
}

/// The state of camera out.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    pub camera: VirtualCamera,
    /// Width and height that readers get.
    pub size: (usize, usize),
    /// Number of other programs that have the device open, as far as the system shows.
    pub readers: usize,
    /// Pictures that the device took.
    pub written: u64,
    /// Why it has ended.
    #[serde(skip)]
    pub problem: Option<OutputProblem>,
}

impl Status {
    /// What readers get, as text.
    pub fn summary(&self) -> String {
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
struct State {
    on_air: OnAir,
    status: Status,
    has_ended: bool,
}

type Shared = Arc<Mutex<State>>;

/// Camera out in progress. Dropping it ends it and waits until the device is closed.
pub struct CameraOut {
    shared: Shared,
    /// Closed to end the thread.
    stop: Option<Sender<()>>,
    thread: BoundedThread,
}

/// Takes the engine's pictures.
pub struct CameraSink {
    pictures: Writer<Frame>,
    shared: Shared,
}

impl CameraOut {
    /// Writes the pictures of the returned sink to `output`. Calls `wake_up` on its thread when readers came or went, and
    /// when it has ended.
    ///
    /// # Errors
    /// [`OutputProblem`] if the operating system could not start the thread.
    pub fn start(
        output: Box<dyn Output>,
        on_air: OnAir,
        wake_up: WakeUp,
    ) -> Result<(Self, CameraSink), OutputProblem> {
        let (pictures, newest) = mailbox(|| Frame::empty(1, 1));
        let mut broadcast = Broadcast::new(newest, output);
        let status = broadcast.status(Instant::now());
        let device = status.camera.device.clone();
        let shared = Arc::new(Mutex::new(State { on_air, status, has_ended: false }));
        let (stop, stopped) = bounded(0);
        let seen = shared.clone();
        let run = move || run(broadcast, &seen, &stopped, &wake_up);
        let thread = BoundedThread::spawn("camera out", run)
            .map_err(|error| OutputProblem::refused(&device, reason(&error)))?;
        let sink = CameraSink { pictures, shared: shared.clone() };
        Ok((Self { shared, stop: Some(stop), thread }, sink))
    }

    /// Sets what readers should see.
    pub fn show(&self, on_air: OnAir) {
        lock(&self.shared).on_air = on_air;
    }

    /// The current state.
    pub fn status(&self) -> Status {
        lock(&self.shared).status.clone()
    }
}

impl Drop for CameraOut {
    fn drop(&mut self) {
        self.stop = None;
        // A thread that the driver blocks is abandoned.
        self.thread.join_within(END_PATIENCE);
    }
}

impl Sink for CameraSink {
    fn take(&mut self, picture: &Frame, _at: Instant) {
        let (width, height) = picture.size();
        self.pictures.value.resize(width, height);
        parallel_copy::copy(self.pictures.value.rgba_mut(), picture.rgba());
        self.pictures.put();
    }

    fn has_ended(&self) -> bool {
        lock(&self.shared).has_ended
    }
}

/// Writes until it is stopped or the device fails.
fn run(mut broadcast: Broadcast, shared: &Shared, stopped: &Receiver<()>, wake_up: &WakeUp) {
    let interval = Duration::from_secs(1) / FPS;
    let mut due = Instant::now();
    let problem = loop {
        let now = Instant::now();
        let on_air = lock(shared).on_air.clone();
        if let Err(problem) = broadcast.tick(&on_air, now) {
            break Some(problem);
        }
        let status = broadcast.status(now);
        let readers = status.readers;
        if std::mem::replace(&mut lock(shared).status, status).readers != readers {
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
        let on_air = lock(shared).on_air.clone();
        broadcast.end(&on_air);
    }
    // The device is free before its end is reported.
    drop(broadcast);
    let mut state = lock(shared);
    state.has_ended = true;
    state.status.problem = problem;
    drop(state);
    wake_up();
}
