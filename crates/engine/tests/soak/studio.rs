//! The engine and a source, driven and monitored like by a window.

use std::{
    sync::{Arc, Mutex, Weak},
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, bounded};

use backend::{Backend, DeviceOptions, OpenDevice, SessionSpec, opener};
use engine::{
    Engine,
    capture::{CaptureEvent, CaptureProblem, CaptureSettings, Source},
    live::{
        Facts, LiveEvent, LivePicture, LiveSettings, LiveSize, LiveSource, Preview, PreviewPicture,
    },
    protocol::Event,
};
use media::record::{FrameSink, Recorder};
use network::Network;
use values::{
    mailbox::{Reader, mailbox},
    mode::{DeviceChoice, Mode},
};

use crate::figures::{self, HeldMemory};

/// Longest wait for anything that must happen; only guards against a hang.
const PATIENCE: Duration = Duration::from_secs(120);
/// Time between two samples of the program's resources.
const SAMPLE_EVERY: Duration = Duration::from_secs(10);

/// How often things happened.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub painted: u64,
    pub small_painted: u64,
    pub styles: u64,
    pub modes: u64,
    pub sizes: u64,
    pub sources: u64,
    pub faults: u64,
    pub damaged: u64,
    pub recordings: u64,
    pub recorded: u64,
    pub left_out: u64,
    pub snapshots: u64,
    /// Pictures of a frame that is older than the previous one, or with the wrong settings.
    pub went_back: u64,
}

pub struct Studio {
    engine: Engine,
    backend: Arc<Mutex<Option<Weak<dyn Backend>>>>,
    /// Free bytes of the device right after it was opened.
    first_free_bytes: Option<u64>,
    /// The driver reports the GPU memory of this process, so that other processes may use the GPU too.
    pub knows_own_gpu_bytes: bool,
    pub device: String,
    pub modes: Vec<Mode>,
    pub settings: LiveSettings,
    rung: Receiver<()>,
    has_source: bool,
    pictures: Option<Reader<LivePicture>>,
    wall: Vec<Reader<PreviewPicture>>,
    /// Facts about the newest picture of this source.
    pub newest: Option<Facts>,
    /// The problem of the source, until frames return.
    pub problem: Option<CaptureProblem>,
    recorder: Option<Recorder>,
    pub counts: Counts,
    /// Errors that were found.
    pub complaints: Vec<String>,
    /// The maximum of the samples taken every ten seconds.
    pub most: Option<HeldMemory>,
    next_sample: Instant,
    /// The longest time between two pictures of one source without a problem.
    pub longest_gap: Duration,
    had_problem: bool,
}

impl Studio {
    pub fn open(device: DeviceChoice, settings: LiveSettings) -> Result<Self, String> {
        let (ringer, rung) = bounded::<()>(1);
        let ring: Arc<dyn Fn() + Send + Sync> = Arc::new(move || {
            // One pending notification is enough.
            ringer.try_send(()).ok();
        });
        let backend = Arc::<Mutex<Option<Weak<dyn Backend>>>>::default();
        let open: OpenDevice = {
            let (open, backend) = (opener(DeviceOptions::default()), backend.clone());
            Arc::new(move |wanted| {
                let selected = open(match wanted {
                    DeviceChoice::Auto => device,
                    wanted => wanted,
                })?;
                *backend.lock().expect("never poisoned") = Some(Arc::downgrade(&selected.backend));
                Ok(selected)
            })
        };
        let mut studio = Self {
            engine: Engine::start(open, ring).map_err(|e| e.to_string())?,
            backend,
            first_free_bytes: None,
            knows_own_gpu_bytes: false,
            device: String::new(),
            modes: Vec::new(),
            settings,
            rung,
            has_source: false,
            pictures: None,
            wall: Vec::new(),
            newest: None,
            problem: None,
            recorder: None,
            counts: Counts::default(),
            complaints: Vec::new(),
            most: None,
            next_sample: Instant::now(),
            longest_gap: Duration::ZERO,
            had_problem: false,
        };
        studio.until("the device", |s| !s.device.is_empty())?;
        let backend = studio.backend().ok_or("no device could be opened")?;
        studio.modes = backend.modes();
        studio.first_free_bytes = backend.free_bytes();
        studio.knows_own_gpu_bytes = studio.is_gpu() && figures::own_gpu_bytes().is_some();
        Ok(studio)
    }

    fn backend(&self) -> Option<Arc<dyn Backend>> {
        let backend = self.backend.lock().expect("never poisoned");
        backend.as_ref()?.upgrade()
    }

    pub fn is_gpu(&self) -> bool {
        self.first_free_bytes.is_some()
    }

    /// True if the device has memory for a session of this size, and for an equally large previous one. An automatic
    /// size is never chosen if it does not fit.
    pub fn holds(&self, network: &Network, mode: Mode, size: LiveSize) -> bool {
        let (LiveSize::LongSide(px), Some(backend)) = (size, self.backend()) else {
            return true;
        };
        let spec = SessionSpec::single(px, px * 9 / 16, mode);
        let needed = backend.predicted_bytes(network.graph(), &spec);
        let free_bytes = backend.free_bytes();
        needed.is_ok_and(|needed| free_bytes.is_none_or(|free| 2 * needed < free))
    }

    /// The program's current resources.
    pub fn held(&self) -> HeldMemory {
        let free_bytes = self.backend().and_then(|b| b.free_bytes());
        let used = |first: u64| match self.knows_own_gpu_bytes {
            true => figures::own_gpu_bytes().unwrap_or(0),
            false => first.saturating_sub(free_bytes.unwrap_or(first)),
        };
        HeldMemory::now(self.first_free_bytes.map(used))
    }

    pub fn complain(&mut self, what: String) {
        println!("WRONG: {what}");
        self.complaints.push(what);
    }

    /// Handles all events for a moment.
    fn pump(&mut self) {
        let bell = self.pictures.as_ref().map(Reader::ready);
        let moment = Duration::from_millis(50);
        // A channel whose sender is gone is always ready.
        if bell.is_none_or(|bell| bell.recv_timeout(moment).is_err_and(|e| e.is_disconnected())) {
            self.rung.recv_timeout(moment).ok();
        }
        while let Some(event) = self.engine.poll() {
            match event {
                Event::Device { info, notice } if self.device.is_empty() => {
                    self.device = format!("{} ({})", info.name, info.parallelism());
                    if let Some(notice) = notice {
                        println!("{notice}");
                    }
                }
                Event::Live(
                    LiveEvent::Notice(_)
                    | LiveEvent::Sample(_)
                    | LiveEvent::Ceiling(_)
                    | LiveEvent::Preparing(_),
                )
                | Event::Live(LiveEvent::Ended) => {}
                Event::Live(LiveEvent::Source(event)) => match event {
                    CaptureEvent::Started { .. } => self.problem = None,
                    CaptureEvent::Note(_) => {}
                    CaptureEvent::Waiting(problem) => {
                        self.had_problem = true;
                        self.problem = Some(problem);
                    }
                    CaptureEvent::Skipped(problem) | CaptureEvent::Ended(problem) => {
                        self.complain(format!("the source: {problem}"));
                    }
                },
                other => self.complain(format!("the engine: {other:?}")),
            }
        }
        self.take_picture();
        for pane in &mut self.wall {
            self.counts.small_painted += u64::from(pane.take());
        }
        if Instant::now() >= self.next_sample && !self.device.is_empty() {
            self.next_sample += SAMPLE_EVERY;
            let held = self.held();
            self.most = Some(self.most.map_or(held, |most| most.most(held)));
        }
    }

    fn take_picture(&mut self) {
        let Some(reader) = &mut self.pictures else {
            return;
        };
        if !reader.take() {
            return;
        }
        let picture = &reader.value;
        let Some(facts) = picture.facts else {
            return;
        };
        self.counts.painted += 1;
        let before = self.newest.replace(facts);
        let had_problem = std::mem::take(&mut self.had_problem);
        if let Some(before) = before {
            if !had_problem && self.problem.is_none() {
                let gap = facts.ready_at.saturating_duration_since(before.ready_at);
                self.longest_gap = self.longest_gap.max(gap);
            }
            let continues = facts.sequence >= before.sequence
                && facts.painted > before.painted
                && facts.settings >= before.settings
                && facts.ready_at >= before.ready_at;
            if !continues {
                self.counts.went_back += 1;
                self.complain(format!("a picture of an older frame: {facts:?} after {before:?}"));
            }
        }
    }

    /// Handles events until a condition holds.
    pub fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) -> Result<(), String> {
        let began = Instant::now();
        while !holds(self) {
            if began.elapsed() > PATIENCE {
                return Err(format!("waited in vain for {what}: {:?}", self.problem));
            }
            self.pump();
        }
        Ok(())
    }

    /// Handles events until `then`.
    pub fn pass_time_until(&mut self, then: Instant) {
        while Instant::now() < then {
            self.pump();
        }
    }

    /// Switches to another source, without waiting.
    pub fn use_source(&mut self, source: Source) -> Result<(), String> {
        self.forget_source();
        let source = LiveSource::Capture(source, CaptureSettings::default());
        let pictures = self.engine.start_live(source, self.settings.clone());
        self.pictures = Some(pictures.map_err(|e| e.to_string())?);
        self.has_source = true;
        self.counts.sources += 1;
        Ok(())
    }

    /// Closes the source.
    pub fn release_source(&mut self) {
        self.engine.stop_live();
        self.forget_source();
    }

    fn forget_source(&mut self) {
        if std::mem::take(&mut self.has_source) {
            let snapshot = self.engine.snapshot();
            self.counts.damaged += snapshot.map_or(0, |s| s.damaged_frames);
        }
        (self.newest, self.problem, self.had_problem) = (None, None, false);
    }

    /// Waits until `pictures` more frames were painted.
    pub fn until_painted(&mut self, pictures: u64) -> Result<(), String> {
        let painted = self.counts.painted + pictures;
        self.until("pictures", |s| s.counts.painted >= painted)
    }

    /// Waits for frames that are newer than the problem.
    pub fn until_it_continues(&mut self) -> Result<(), String> {
        self.until("the end of a fault", |s| s.problem.is_none())?;
        let before = self.newest.map_or(0, |facts| facts.sequence);
        self.until("a frame after a fault", |s| {
            s.newest.is_some_and(|facts| facts.sequence > before)
        })
    }

    /// Changes the settings and waits for a picture that is painted with them.
    pub fn switch(&mut self, change: impl FnOnce(&mut LiveSettings)) -> Result<(), String> {
        change(&mut self.settings);
        let number = self.engine.set_live(self.settings.clone());
        let settings = self.settings.clone();
        let what = format!("{} at {:?}", in_words(&settings), settings.stylization.size);
        self.until(&what, |s| s.newest.is_some_and(|f| f.settings >= number))
    }

    /// Also paints previews in these styles; an empty list ends them.
    pub fn set_previews(&mut self, networks: &[Arc<Network>]) {
        self.wall.clear();
        let panes = networks.iter().map(|network| {
            let (output, reader) = mailbox(PreviewPicture::empty);
            self.wall.push(reader);
            Preview { network: network.clone(), output }
        });
        let panes = panes.collect();
        self.engine.set_previews(panes);
    }

    pub fn picture(&self) -> Option<&LivePicture> {
        self.pictures.as_ref().map(|reader| &reader.value).filter(|picture| picture.facts.is_some())
    }

    /// From now on every picture is written by `recorder`.
    pub fn record(&mut self, (recorder, sink): (Recorder, FrameSink)) {
        self.engine.record(sink);
        self.recorder = Some(recorder);
    }

    pub fn end_recording(&mut self) {
        let Some(recorder) = self.recorder.take() else {
            return;
        };
        let recorded = recorder.finish();
        self.counts.recordings += 1;
        self.counts.recorded += recorded.frames;
        self.counts.left_out += recorded.left_out;
        if recorded.frames == 0 || recorded.failure.is_some() {
            self.complain(format!("a recording: {recorded:?}"));
        }
    }

    pub fn close(mut self) -> (Counts, Vec<String>) {
        self.release_source();
        let ended = self.engine.shutdown(PATIENCE);
        if !ended {
            self.complain("the engine's thread does not end".to_owned());
        }
        // Threads of the capture end on their own.
        thread::sleep(Duration::from_millis(100));
        (self.counts, self.complaints)
    }
}

fn in_words(settings: &LiveSettings) -> String {
    format!("{} {}", settings.stylization.mode.variant, settings.stylization.mode.precision)
}
