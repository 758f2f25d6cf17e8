use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use backend::RunControl;
use engine::{
    capture::Captured,
    devices::Devices,
    live::{
        CandidateChoice, Facts, Input, Live, LiveEvent, LivePicture, LiveSample, LiveSettings,
        LiveSize, LiveSource, LiveStart, NumberedSettings, Served, Snapshot,
    },
    paint::Painter,
    sessions::{Loader, LoaderThread},
};
use values::{
    frame::Frame,
    mailbox::{Reader, Writer, mailbox},
    mode::{DeviceChoice, ModeChoice},
};

use crate::support::{self, FakeBackend, Script, network};

/// A live run with its source, devices and receivers, for tests.
pub struct Studio {
    pub world: Arc<Script>,
    pub frames: Writer<Captured>,
    pub pictures: Reader<LivePicture>,
    pub live: Live,
    pub changes: Arc<Mutex<Writer<Option<NumberedSettings>>>>,
    pub snapshots: Reader<Snapshot>,
    pub devices: Devices,
    /// Loads sessions on its own thread. Dropped after its clients.
    _loader: Option<LoaderThread>,
    pub settings: LiveSettings,
    pub number: u64,
    pub events: Vec<LiveEvent>,
}

pub fn mode(words: &str) -> ModeChoice {
    words.parse().expect("a mode")
}

/// A candidate of a comparison on the device in use.
pub fn candidate(words: &str) -> CandidateChoice {
    CandidateChoice { device: DeviceChoice::Auto, mode: mode(words) }
}

/// Default settings at this size.
pub fn settings(size: LiveSize) -> LiveSettings {
    LiveSettings::new(Some(network()), size, mode("fused"))
}

pub fn still(width: usize, height: usize) -> Captured {
    Captured::of(Frame::from_fn(width, height, |_, _| [0, 0, 0, 255]))
}

impl Studio {
    /// A source of this size on a device of this kind; sessions are opened synchronously.
    pub fn new(source: (usize, usize), kind: DeviceChoice, size: LiveSize) -> Self {
        Self::with(source, kind, size, None, |_| ())
    }

    /// [`Self::new`] on a GPU, with sessions opened by a loader thread. `prepare` runs first.
    pub fn with_loader(
        source: (usize, usize),
        size: LiveSize,
        prepare: impl FnOnce(&Script),
    ) -> Self {
        let loader = LoaderThread::start().expect("a thread");
        let mut studio = Self::with(source, DeviceChoice::Cuda, size, Some(loader), prepare);
        studio.frame(100);
        studio.until("the first picture", |facts| facts.painted == 1);
        studio
    }

    pub fn with(
        (width, height): (usize, usize),
        kind: DeviceChoice,
        size: LiveSize,
        thread: Option<LoaderThread>,
        prepare: impl FnOnce(&Script),
    ) -> Self {
        let world = Script {
            bytes: |spec| spec.width as u64,
            has_bf16: false,
            inspects: true,
            ns_a_pixel: AtomicU64::new(10),
            ..Script::default()
        };
        let world = Arc::new(world);
        prepare(&world);
        let (frames, input) = mailbox(|| still(width, height));
        let input = Input::start(LiveSource::Frames(input), 0).expect("no thread");
        let (output, pictures) = mailbox(LivePicture::empty);
        let settings = settings(size);
        let clock = {
            let world = world.clone();
            Arc::new(move || world.now())
        };
        let open = FakeBackend::opener_by_kind(&world, kind);
        let backend = open(DeviceChoice::Auto).expect("a device").backend;
        let control = Arc::new(RunControl::default());
        let (changes, newest) = mailbox(|| None);
        let (snapshot, snapshots) = mailbox(Snapshot::default);
        let start = LiveStart {
            input,
            output,
            wake_up: {
                let world = world.clone();
                Arc::new(move || {
                    let now_ns = world.now_ns.load(Ordering::SeqCst);
                    world.woken_at_ns.store(now_ns, Ordering::SeqCst);
                })
            },
            settings: settings.clone(),
            number: 0,
            changes: newest,
            snapshot,
            control,
        };
        let loader = (thread.as_ref()).map_or_else(Loader::on_the_spot, |t| t.loader.clone());
        let devices = Devices::new(Painter::with_loader(backend, open, loader));
        let live = Live::new(start, devices.first(), clock);
        Self {
            devices,
            snapshots,
            world,
            frames,
            pictures,
            live,
            changes: Arc::new(Mutex::new(changes)),
            _loader: thread,
            settings,
            number: 0,
            events: Vec::new(),
        }
    }

    /// Sets the source's next frame, of this brightness.
    pub fn frame(&mut self, level: u8) {
        self.frames.value.captured_at = self.world.now();
        self.frames.value.frame.rgba_mut().chunks_mut(4).for_each(|p| p[..3].fill(level));
        self.frames.put();
    }

    pub fn serve(&mut self) -> Served {
        let events = &mut self.events;
        self.live.serve(&mut self.devices, &mut |event| events.push(event))
    }

    pub fn settings(&mut self, change: impl FnOnce(&mut LiveSettings)) {
        change(&mut self.settings);
        self.number += 1;
        let settings = (self.settings.clone(), self.number);
        self.changes.lock().unwrap().send(settings);
    }

    /// Paints frames at 30 per second for `seconds`.
    pub fn run(&mut self, seconds: u64) {
        let end = self.world.now() + Duration::from_secs(seconds);
        let mut due = self.world.now();
        while self.world.now() < end {
            self.frame(100);
            self.serve();
            self.pictures.take();
            due += Duration::from_nanos(1_000_000_000 / 30);
            let now = self.world.now();
            match due.checked_duration_since(now) {
                Some(rest) => self.world.pass(rest.as_nanos() as u64),
                None => due = now,
            }
        }
    }

    /// Sends `frames` frames, each of which becomes a picture.
    pub fn paints(&mut self, frames: u64) {
        let painted = |s: &Self| s.pictures.value.facts.expect("painted").painted;
        let before = painted(self);
        for _ in 0..frames {
            self.frame(100);
            assert_eq!(self.serve(), Served::Picture);
            assert!(self.pictures.take());
        }
        assert_eq!(painted(self), before + frames);
    }

    /// Serves, without new frames, until `done` holds for a picture.
    pub fn until(&mut self, what: &str, done: impl Fn(&Facts) -> bool) {
        wait_until(what, || {
            self.serve();
            self.pictures.take();
            self.pictures.value.facts.as_ref().is_some_and(&done)
        });
    }

    pub fn snapshot(&mut self) -> Snapshot {
        self.snapshots.take();
        self.snapshots.value.clone()
    }

    pub fn facts(&self) -> Facts {
        self.pictures.value.facts.expect("painted")
    }

    pub fn notices(&self) -> usize {
        let is_notice = |event: &&LiveEvent| matches!(event, LiveEvent::Notice(_));
        self.events.iter().filter(is_notice).count()
    }

    pub fn refusals(&self) -> Vec<String> {
        (self.events.iter())
            .filter_map(|event| match event {
                LiveEvent::Refused(error) => Some(error.to_string()),
                _ => None,
            })
            .collect()
    }

    pub fn samples(&self) -> Vec<Arc<LiveSample>> {
        (self.events.iter())
            .filter_map(|event| match event {
                LiveEvent::Sample(sample) => Some(sample.clone()),
                _ => None,
            })
            .collect()
    }
}

pub fn fixed(px: usize) -> LiveSize {
    LiveSize::LongSide(px)
}

pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    support::wait_for(what, || is_so().then_some(()));
}

/// A device with `bytes` of memory; a session takes as many bytes as it has columns.
pub fn holding(bytes: usize) -> impl Fn(&Script) {
    move |world| world.memory_bytes.store(bytes, Ordering::SeqCst)
}
