//! The content of a minute: a rest in a state that is always the same, then everything else.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use engine::{
    capture::{CameraId, CaptureProblem, Source},
    live::{LiveSettings, LiveSize, rate_control::STEPS_PX},
};
use media::record::{Destination, Recorder};
use network::Network;
use pictures::encode::{self, Encoding, Existing, Format};
use plan::cuda::leaves_convolutions;
use values::mode::{DeviceChoice, Mode, ModeChoice, ModelSize};
use weights::StyleLibrary;

use crate::{
    fake::{Fake, GREY, ID, MJPG, NV12, RGB3, Switch, YUYV},
    figures::HeldMemory,
    studio::Studio,
};

/// A part of a round, in which the style stays; a round of a minute has six.
const PART: Duration = Duration::from_secs(10);
/// Duration of a camera's fault after it was reported.
const FAULT: Duration = Duration::from_secs(2);
/// Time between two samples at rest.
const REST_SAMPLE: Duration = Duration::from_millis(500);
/// Minimum number of samples at rest.
const MIN_SAMPLES: usize = 5;

/// A fault of the camera.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Unplugged,
    Stalled,
    Busy,
    Damaged,
    FormatChanged,
    Denied,
}

const FAULTS: [Fault; 6] = [
    Fault::Unplugged,
    Fault::Stalled,
    Fault::Busy,
    Fault::Damaged,
    Fault::FormatChanged,
    Fault::Denied,
];

const KINDS: [u32; 5] = [YUYV, MJPG, NV12, GREY, RGB3];

impl Fault {
    /// True if the camera has the fault before it is opened.
    fn comes_first(self) -> bool {
        matches!(self, Self::Busy | Self::Denied)
    }

    fn begin(self, fake: &Fake) {
        match self {
            Self::Unplugged => fake.unplug(),
            Self::Stalled => fake.set(Switch::Stalled, 1),
            Self::Busy => fake.set(Switch::Busy, 1),
            Self::Damaged => fake.set(Switch::Damage, 1),
            // The camera is never opened at this size for any working size.
            Self::FormatChanged => {
                fake.set(Switch::Height, 288);
                fake.set(Switch::Width, 352);
            }
            Self::Denied => fake.set(Switch::OpenError, libc::EACCES as u32),
        }
    }

    fn end(self, fake: &Fake) {
        match self {
            Self::Unplugged => fake.plug_in(),
            Self::Stalled => fake.set(Switch::Stalled, 0),
            Self::Busy => fake.set(Switch::Busy, 0),
            Self::Damaged => fake.set(Switch::Damage, 0),
            // The camera keeps its new format until it is closed.
            Self::FormatChanged => {}
            Self::Denied => fake.set(Switch::OpenError, 0),
        }
    }

    fn is(self, problem: &CaptureProblem) -> bool {
        match self {
            Self::Unplugged => matches!(problem, CaptureProblem::Unplugged),
            Self::Stalled => matches!(problem, CaptureProblem::Stalled { .. }),
            Self::Busy => matches!(problem, CaptureProblem::Busy),
            Self::Damaged => matches!(problem, CaptureProblem::Damaged),
            Self::FormatChanged => matches!(problem, CaptureProblem::FormatChanged),
            Self::Denied => matches!(problem, CaptureProblem::Denied { .. }),
        }
    }
}

/// The rounds of a soak, one per minute.
pub struct Round {
    pub studio: Studio,
    fake: Fake,
    full: Vec<Arc<Network>>,
    lite: Vec<Arc<Network>>,
    sizes: Vec<LiveSize>,
    /// Long side of the resting state, in pixels.
    home_px: usize,
    /// Number of changes of style, mode and size so far.
    steps: usize,
    /// Folder of the round's pictures.
    folder: Option<TempDir>,
    began: Instant,
}

impl Round {
    pub fn open(device: DeviceChoice) -> Result<Self, String> {
        let library = StyleLibrary::standard();
        let networks = |size| -> Result<Vec<Arc<Network>>, String> {
            let loaded = library.styles().iter().map(|style| {
                let checkpoint = style.load(size).map_err(|e| e.to_string())?;
                Ok(checkpoint.network)
            });
            loaded.collect()
        };
        let (full, lite) = (networks(ModelSize::Full)?, networks(ModelSize::Lite)?);
        if lite.len() < 6 {
            return Err(format!(
                "{} styles were found, not six; run it in the project's folder",
                lite.len()
            ));
        }
        let settings = LiveSettings::new(None, LiveSize::default(), ModeChoice::default());
        let studio = Studio::open(device, settings)?;
        let (home_px, sizes_px) = match studio.is_gpu() {
            true => (960, [320, 640, 960, 800]),
            false => (320, [256, 320, 448, 640]),
        };
        let automatic = [30.0, 10.0].map(|target_fps| LiveSize::Auto { target_fps });
        let sizes = sizes_px.map(LiveSize::LongSide);
        Ok(Self {
            studio,
            fake: Fake::here(),
            full,
            lite,
            sizes: sizes.into_iter().chain(automatic).collect(),
            home_px,
            steps: 0,
            folder: None,
            began: Instant::now(),
        })
    }

    fn note(&mut self, result: Result<(), String>) {
        if let Err(why) = result {
            self.studio.complain(why);
        }
    }

    /// Opens everything once, for both picture shapes, so that everything that a device loads on first use is loaded
    /// before anything is compared. Our own kernels are all loaded at once. The driver loads a library's kernels when a
    /// convolution first needs them, and never unloads them. On a GPU the modes that leave convolutions to a library
    /// therefore paint every possible automatic size, on the scene, whose frames grow with it.
    pub fn try_everything(&mut self) {
        let result = self.go_home();
        self.note(result);
        let (modes, sizes) = (self.studio.modes.clone(), self.sizes.clone());
        self.try_modes(&modes, &sizes);
        if self.studio.is_gpu() {
            let by_library = modes.iter().copied().filter(|&m| leaves_convolutions(m));
            let steps = STEPS_PX.map(LiveSize::LongSide);
            self.try_modes(&by_library.collect::<Vec<_>>(), &steps);
        }
        Fault::FormatChanged.begin(&self.fake);
        let camera = Source::Camera(CameraId::new(ID));
        let result = self.studio.use_source(camera);
        self.note(result);
        self.try_modes(&modes, &sizes);
        self.recover();
    }

    /// Paints in these modes at these sizes, if they fit the device.
    fn try_modes(&mut self, modes: &[Mode], sizes: &[LiveSize]) {
        let networks = [self.full[0].clone(), self.lite[0].clone()];
        for &size in sizes {
            for network in &networks {
                for &mode in modes {
                    if !self.studio.holds(network, mode, size) {
                        continue;
                    }
                    let result = self.studio.switch(|settings| {
                        settings.stylization.network = Some(network.clone().into());
                        settings.stylization.mode = ModeChoice::from(mode);
                        settings.stylization.size = size;
                    });
                    self.note(result);
                }
            }
        }
    }

    /// Starts a round in the state in which all rounds are compared: the demo scene from its start, with the same
    /// sessions. Returns the resources in that state.
    pub fn home(&mut self) -> HeldMemory {
        self.began = Instant::now();
        let result = self.go_home();
        self.note(result);
        let mut samples = Vec::new();
        while samples.len() < MIN_SAMPLES || Instant::now() < self.began + PART {
            self.studio.pass_time_until(Instant::now() + REST_SAMPLE);
            samples.push(self.studio.held());
        }
        // The first samples may still include memory that is being freed.
        HeldMemory::median(&samples[samples.len() / 2..])
    }

    fn go_home(&mut self) -> Result<(), String> {
        self.studio.set_previews(&[]);
        self.studio.settings = LiveSettings::new(
            Some(self.lite[0].clone()),
            LiveSize::LongSide(self.home_px),
            ModeChoice::default(),
        );
        self.studio.use_source(Source::Demo)?;
        self.studio.until_painted(3)?;
        for network in self.lite.clone() {
            self.studio.switch(|settings| settings.stylization.network = Some(network.into()))?;
            self.studio.counts.styles += 1;
        }
        self.studio.until_painted(3)
    }

    /// The rest of the round.
    pub fn wander(&mut self, round: usize) {
        let result = tempfile::tempdir().map_err(|e| e.to_string());
        match result {
            Ok(folder) => self.folder = Some(folder),
            Err(why) => self.studio.complain(why),
        }
        for part in 1..6 {
            let result = self.part(round, part);
            self.note(result);
            let ends = self.began + PART * (part + 1);
            self.studio.pass_time_until(ends);
        }
        self.studio.end_recording();
        if let Some(folder) = self.folder.take() {
            let removed = folder.close().map_err(|e| e.to_string());
            self.note(removed);
        }
    }

    fn part(&mut self, round: usize, part: u32) -> Result<(), String> {
        match part {
            1 => {
                self.step()?;
                self.record()?;
                // On a slow computer the part may already be over.
                self.studio.until_painted(3)?;
            }
            2 => {
                self.studio.end_recording();
                self.studio.set_previews(&self.lite);
                self.step()?;
                self.studio.switch(|settings| settings.sample = true)?;
            }
            3 => {
                self.studio.set_previews(&[]);
                self.step()?;
                self.studio.switch(|settings| settings.sample = false)?;
                self.freeze()?;
            }
            4 => {
                let fault = self.fail(FAULTS[round % FAULTS.len()], KINDS[round % KINDS.len()]);
                // Whatever happened, the next round starts with a working camera.
                self.recover();
                fault?;
            }
            _ => self.step()?,
        }
        self.snapshot(part)
    }

    /// Changes the style, then the mode, then the size.
    fn step(&mut self) -> Result<(), String> {
        let n = self.steps;
        self.steps += 1;
        let styles = self.full.len();
        // Full and lite alternately; after a while every style in every mode.
        let network = match n % 2 {
            0 => &self.full[n / 2 % styles],
            _ => &self.lite[n / 2 % styles],
        };
        let network = network.clone();
        self.studio.switch(|settings| settings.stylization.network = Some(network.into()))?;
        self.studio.counts.styles += 1;
        let mode = self.studio.modes[(n + n / self.studio.modes.len()) % self.studio.modes.len()];
        self.studio.switch(|settings| {
            settings.stylization.mode = ModeChoice::from(mode);
        })?;
        self.studio.counts.modes += 1;
        let size = self.sizes[(n + n / self.sizes.len()) % self.sizes.len()];
        self.studio.switch(|settings| settings.stylization.size = size)?;
        self.studio.counts.sizes += 1;
        Ok(())
    }

    /// Changes the style on a frozen picture.
    fn freeze(&mut self) -> Result<(), String> {
        self.studio.switch(|settings| settings.frozen = true)?;
        let network = self.lite[self.steps % self.lite.len()].clone();
        self.studio.switch(|settings| settings.stylization.network = Some(network.into()))?;
        self.studio.counts.styles += 1;
        self.studio.switch(|settings| settings.frozen = false)?;
        self.studio.until_painted(1)
    }

    /// A camera that fails and recovers.
    fn fail(&mut self, fault: Fault, kind: u32) -> Result<(), String> {
        let kind = match fault {
            // Damage is detected in MJPG, and a change of format is followed immediately in YUYV.
            Fault::Damaged => MJPG,
            Fault::FormatChanged => YUYV,
            _ => kind,
        };
        self.fake.set(Switch::Kinds, kind);
        if fault.comes_first() {
            fault.begin(&self.fake);
        }
        let camera = Source::Camera(CameraId::new(ID));
        self.studio.use_source(camera)?;
        if !fault.comes_first() {
            self.studio.until_painted(3)?;
            fault.begin(&self.fake);
        }
        self.studio
            .until(&format!("{fault:?}"), |s| s.problem.as_ref().is_some_and(|p| fault.is(p)))?;
        self.studio.pass_time_until(Instant::now() + FAULT);
        fault.end(&self.fake);
        self.studio.until_it_continues()?;
        self.studio.counts.faults += 1;
        let network = self.lite[self.steps % self.lite.len()].clone();
        self.studio.switch(|settings| settings.stylization.network = Some(network.into()))?;
        self.studio.counts.styles += 1;
        Ok(())
    }

    /// Ends every fault.
    fn recover(&mut self) {
        for switch in [
            Switch::Stalled,
            Switch::Busy,
            Switch::Damage,
            Switch::OpenError,
            Switch::Width,
            Switch::Height,
        ] {
            self.fake.set(switch, 0);
        }
        if self.fake.get(Switch::Plugged) == 0 {
            self.fake.plug_in();
        }
    }

    fn record(&mut self) -> Result<(), String> {
        let Some(folder) = &self.folder else {
            return Ok(());
        };
        let destination =
            Destination::Pictures { folder: folder.path().join("recording"), format: Format::Jpeg };
        let recorder = Recorder::start(&destination, Arc::new(|| {}));
        self.studio.record(recorder.map_err(|e| e.to_string())?);
        Ok(())
    }

    fn snapshot(&mut self, part: u32) -> Result<(), String> {
        let (Some(folder), Some(picture)) = (&self.folder, self.studio.picture()) else {
            return Ok(());
        };
        let path = folder.path().join(format!("snapshot-{part}.png"));
        let encoding = Encoding::of(Format::Png);
        encode::save(&path, &picture.painted, None, encoding, Existing::Keep)
            .map_err(|e| e.to_string())?;
        self.studio.counts.snapshots += 1;
        Ok(())
    }
}
