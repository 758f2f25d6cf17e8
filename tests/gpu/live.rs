//! Live painting on the GPU as the window uses it: switches, previews of all styles, timing samples of the steps.
//!
//! Times are checked in real-time runs (`tools/real_time.sh`). A switch has two limits, whatever it changes. The first
//! is the time from the settings to its first picture. The second is the longest time without a new picture around it,
//! minus the time of a picture in the slower of both modes, because the old session paints until the new one is ready.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use backend::{Backend, DeviceOptions, opener};
use engine::{
    Engine,
    capture::Captured,
    live::{
        LiveEvent, LivePicture, LiveSettings, LiveSize, LiveSource, Preview, PreviewPicture,
        meter::Recent,
    },
    protocol::Event,
};
use libtest_mimic::Failed;
use network::Network;
use values::{
    frame::Frame,
    mailbox::{Reader, mailbox},
    mode::{ModeChoice, Precision, PrecisionChoice, Variant},
};
use weights::Checkpoint;

use crate::{dropped, real_time, shipped::STYLES, styles::root};

/// Frame rate of the source: higher than any screen shows.
const SOURCE_FPS: u32 = 200;
/// Maximum time of a switch, and maximum time without a new picture.
const SWITCH_MS: f64 = 50.0;
/// Seconds for which steps are sampled, and for which the previews are painted.
const SAMPLED_S: f64 = 3.0;
const WALL_S: f64 = 3.0;
/// The default mode.
const FUSED: ModeChoice = ModeChoice::new(Variant::Fused, PrecisionChoice::Auto);
/// Pictures of a new session that belong to the switch.
const FIRST_PICTURES: usize = 10;

/// The times of a switch, in milliseconds.
struct Switch {
    /// The settings before and after.
    what: String,
    /// From the settings to its first picture.
    took_ms: f64,
    /// The longest time without a new picture, until a few of the new session were painted.
    gap_ms: f64,
    /// The network's time per picture before.
    before_ms: f64,
    /// The network's time per picture now, in the first pictures.
    now_ms: f64,
    /// The library's algorithms were prepared for the first time.
    is_first: bool,
}

impl std::fmt::Display for Switch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { what, took_ms, gap_ms, before_ms, now_ms, is_first } = self;
        write!(
            f,
            "{took_ms:5.1} ms, at most {gap_ms:4.1} without a picture: {what} ({before_ms:.1} to {now_ms:.1} ms a \
             picture)"
        )?;
        match is_first {
            true => write!(f, "; the library's algorithms were prepared for the first time"),
            false => Ok(()),
        }
    }
}

fn networks(size: &str) -> Result<Vec<Arc<Network>>, Failed> {
    STYLES
        .iter()
        .map(|style| {
            let file = root().join(format!("styles/{style}/{size}.safetensors"));
            Ok(Checkpoint::read(&file)?.network)
        })
        .collect()
}

/// A moving picture until `stop`.
fn source(stop: Arc<AtomicBool>) -> Reader<Captured> {
    let (mut writer, reader) = mailbox(|| {
        Captured::of(Frame::from_fn(1280, 720, |x, y| {
            [(x / 5) as u8, (y / 3) as u8, ((x ^ y) & 255) as u8, 255]
        }))
    });
    thread::spawn(move || {
        let mut sequence = 0u64;
        while !stop.load(Ordering::Relaxed) {
            sequence += 1;
            let row = (sequence % 720) as usize * 1280 * 4;
            writer.value.frame.rgba_mut()[row..row + 4000].fill(sequence as u8);
            writer.value.captured_at = Instant::now();
            writer.put();
            thread::sleep(Duration::from_secs(1) / SOURCE_FPS);
        }
    });
    reader
}

pub struct Studio {
    pub engine: Engine,
    pictures: Reader<LivePicture>,
    pub settings: LiveSettings,
    latency: Recent,
    sample_ms: Vec<f64>,
    /// When the newest picture was ready.
    ready_at: Option<Instant>,
    /// The longest time between two pictures since this was last reset, in milliseconds.
    gap_ms: f64,
    /// For which the library's algorithms were prepared.
    prepared: HashSet<(Precision, (usize, usize))>,
    switches: Vec<Switch>,
}

impl Studio {
    /// Takes pictures until `done`; the caller's timeouts end it with a panic.
    pub fn until(
        &mut self,
        what: &str,
        mut done: impl FnMut(&LivePicture) -> bool,
    ) -> Result<(), Failed> {
        let started = Instant::now();
        loop {
            while let Some(event) = self.engine.poll() {
                match event {
                    Event::Live(LiveEvent::Refused(error)) => return Err(error.to_string().into()),
                    Event::Live(LiveEvent::Sample(sample)) => self.sample_ms.push(sample.cost_ms),
                    _ => {}
                }
            }
            if started.elapsed() > real_time::PATIENCE {
                return Err(format!("waited in vain for {what}").into());
            }
            let rung = self.pictures.ready().recv_timeout(Duration::from_millis(100));
            if rung.is_ok() && self.pictures.take() {
                let picture = &self.pictures.value;
                if let Some(facts) = picture.facts {
                    let delay = facts.ready_at.saturating_duration_since(facts.captured_at);
                    self.latency.note(facts.ready_at, delay.as_secs_f32() * 1e3);
                    if let Some(before) = self.ready_at.replace(facts.ready_at) {
                        let gap = facts.ready_at.saturating_duration_since(before);
                        self.gap_ms = self.gap_ms.max(gap.as_secs_f64() * 1e3);
                    }
                }
                if done(picture) {
                    return Ok(());
                }
            }
        }
    }

    /// Changes the settings and waits until several pictures are painted with them.
    fn switch(
        &mut self,
        what: impl Into<String>,
        change: impl FnOnce(&mut LiveSettings),
    ) -> Result<(), Failed> {
        change(&mut self.settings);
        self.gap_ms = 0.0;
        let network_ms =
            |s: &Self| s.pictures.value.facts.map_or(0.0, |f| f64::from(f.stages.network_ms));
        let before_ms = network_ms(self);
        let asked = Instant::now();
        let number = self.engine.set_live(self.settings.clone());
        self.until("the switch", |p| p.facts.is_some_and(|f| f.settings >= number))?;
        let took_ms = asked.elapsed().as_secs_f64() * 1e3;
        let now_ms = network_ms(self);
        let mut left = FIRST_PICTURES;
        self.until("more pictures", |_| {
            left -= 1;
            left == 0
        })?;
        let facts = self.pictures.value.facts;
        let by_library = facts.and_then(|f| f.mode.zip(Some(f.working))).filter(|(mode, _)| {
            mode.variant != Variant::Fused && mode.precision != Precision::Mixed
        });
        let is_first =
            by_library.is_some_and(|(mode, size)| self.prepared.insert((mode.precision, size)));
        let (what, gap_ms) = (what.into(), self.gap_ms);
        let switch = Switch { what, took_ms, gap_ms, before_ms, now_ms, is_first };
        println!("{switch}");
        self.switches.push(switch);
        Ok(())
    }

    fn switch_style(&mut self, network: &Arc<Network>) -> Result<(), Failed> {
        let what = format!("style, {}", self.mode_text());
        self.switch(what, |o| o.stylization.network = Some(network.clone().into()))
    }

    fn switch_mode(&mut self, mode: &str) -> Result<(), Failed> {
        let what = format!("{} to {mode}", self.mode_text());
        let mode = mode.parse()?;
        self.switch(what, |o| o.stylization.mode = mode)
    }

    fn switch_size(&mut self, px: usize) -> Result<(), Failed> {
        let facts = self.pictures.value.facts;
        let before = facts.map_or(0, |f| f.working.0);
        let what = format!("{}, size {before} to {px}", self.mode_text());
        self.switch(what, |o| o.stylization.size = LiveSize::LongSide(px))
    }

    fn mode_text(&self) -> String {
        self.pictures
            .value
            .facts
            .and_then(|f| f.mode)
            .map_or_else(String::new, |mode| mode.to_string())
    }

    /// Pictures per second over `seconds`.
    fn rate(&mut self, seconds: f64) -> Result<f64, Failed> {
        let painted = |s: &Self| s.pictures.value.facts.map_or(0, |f| f.painted);
        let (before, began) = (painted(self), Instant::now());
        let length = Duration::from_secs_f64(seconds);
        self.until("the time to pass", |_| began.elapsed() >= length)?;
        Ok((painted(self) - before) as f64 / began.elapsed().as_secs_f64())
    }
}

/// Changes style, variant, precision and size, there and back, from every kind of mode, each after the previous change
/// has settled; then several changes at once.
fn switch_everything(studio: &mut Studio, full: &[Arc<Network>]) -> Result<(), Failed> {
    // Two style pictures, and a mix of them.
    let [first, second, mix] = &dropped::networks()?;
    let pictures = [first, second, mix, &full[0], mix, first, &full[0]];
    for network in
        pictures.into_iter().chain(&full[1..]).chain([&full[4], &full[0], &full[5], &full[0]])
    {
        studio.switch_style(network)?;
    }
    for precision in ["fp32", "mixed", "fp32", "tf32", "fp32", "bf16", "auto", "fp32", "auto"] {
        studio.switch_mode(&format!("fused {precision}"))?;
    }
    for px in [960, 640, 320, 800, 1280] {
        studio.switch_size(px)?;
    }
    for mode in ["baseline", "fused", "fused-norm", "baseline", "fused-norm", "fused"] {
        studio.switch_mode(mode)?;
    }
    for precision in ["fp32", "tf32", "bf16", "mixed"] {
        for variant in ["baseline", "fused-norm", "fused"] {
            studio.switch_mode(&format!("{variant} {precision}"))?;
        }
    }
    // From the slowest mode.
    studio.switch_mode("baseline fp32")?;
    for network in [&full[1], &full[2], &full[1]] {
        studio.switch_style(network)?;
    }
    for px in [800, 1280, 800] {
        studio.switch_size(px)?;
    }
    studio.switch_mode("fused-norm fp32")?;
    studio.switch_style(&full[3])?;
    // The newest of several wishes, each of which would be opened.
    for px in [300, 500, 700] {
        studio.settings.stylization.size = LiveSize::LongSide(px);
        studio.engine.set_live(studio.settings.clone());
        studio.rate(0.02)?;
    }
    studio.switch("the newest of four sizes", |o| o.stylization.size = LiveSize::LongSide(600))?;
    // In the middle of an opening.
    studio.settings.stylization.mode = "baseline fp32".parse()?;
    studio.settings.stylization.size = LiveSize::LongSide(900);
    studio.engine.set_live(studio.settings.clone());
    studio.rate(0.2)?;
    studio.switch("away from a mode that is being opened", |o| {
        (o.stylization.network, o.stylization.mode) = (Some(full[2].clone().into()), FUSED);
    })?;
    studio.switch("everything at once", |o| {
        (o.stylization.network, o.stylization.size) =
            (Some(full[0].clone().into()), LiveSize::LongSide(1280));
        o.stylization.mode = FUSED;
    })
}

pub fn live_pictures_are_fast_and_switch_at_once(_: &dyn Backend) -> Result<(), Failed> {
    let stop = Arc::new(AtomicBool::new(false));
    let result = run(&stop);
    stop.store(true, Ordering::Relaxed);
    result
}

fn run(stop: &Arc<AtomicBool>) -> Result<(), Failed> {
    let (full, lite) = (networks("full")?, networks("lite")?);
    let started = Instant::now();
    let mut engine = Engine::start(opener(DeviceOptions::default()), Arc::new(|| {}))?;
    let settings = LiveSettings::new(Some(full[0].clone()), LiveSize::LongSide(1280), FUSED);
    let source = LiveSource::Frames(source(stop.clone()));
    let pictures = engine.start_live(source, settings.clone())?;
    let mut studio = Studio {
        engine,
        pictures,
        settings,
        latency: Recent::default(),
        sample_ms: Vec::new(),
        ready_at: None,
        gap_ms: 0.0,
        prepared: HashSet::new(),
        switches: Vec::new(),
    };
    studio.until("the first picture", |_| true)?;
    let first_s = started.elapsed().as_secs_f64();
    studio.rate(0.5)?;
    studio.gap_ms = 0.0;
    let alone = studio.rate(2.0)?;
    let usual_gap_ms = studio.gap_ms;
    let delay = studio.latency.spread(Instant::now()).unwrap_or_default();
    println!(
        "first picture after {first_s:.2} s; 1280x720 at {alone:.1} fps of {SOURCE_FPS}, delay {:.1} ms (95 % {:.1}), a picture at least every {usual_gap_ms:.1} ms",
        delay.p50, delay.p95
    );

    let dropped_s = dropped::seconds_to_first_picture(&mut studio)?;
    switch_everything(&mut studio, &full)?;

    studio.settings.sample = true;
    studio.engine.set_live(studio.settings.clone());
    let sampled = studio.rate(SAMPLED_S)?;
    let cost_ms: f64 = studio.sample_ms.iter().sum();
    println!(
        "with samples of the steps: {sampled:.1} fps, {} samples took {cost_ms:.1} ms of {SAMPLED_S} s",
        studio.sample_ms.len()
    );
    studio.settings.sample = false;
    studio.engine.set_live(studio.settings.clone());

    let mut readers = Vec::new();
    let panes = lite
        .iter()
        .map(|network| {
            let (output, reader) = mailbox(PreviewPicture::empty);
            readers.push(reader);
            Preview { network: network.clone(), output }
        })
        .collect();
    studio.gap_ms = 0.0;
    studio.engine.set_previews(panes);
    studio.rate(1.0)?;
    let wall_gap_ms = studio.gap_ms;
    let before: Vec<u64> = readers.iter().map(|r| r.counts().written).collect();
    let beside = studio.rate(WALL_S)?;
    let rates: Vec<f64> = (readers.iter().zip(before))
        .map(|(r, before)| (r.counts().written - before) as f64 / WALL_S)
        .collect();
    let slowest = rates.iter().copied().fold(f64::INFINITY, f64::min);
    println!(
        "the wall: every style at {slowest:.1} fps or more, the large picture at {beside:.1} fps, and \
         {wall_gap_ms:.0} ms without one at most while it was opened"
    );
    studio.engine.set_previews(Vec::new());

    let slowest_switch_ms = (studio.switches.iter().filter(|s| !s.is_first))
        .fold(0.0, |most: f64, s| most.max(s.took_ms));
    // A slow mode alone uses a part of the limit.
    let gaps_ms = studio.switches.iter().map(|s| s.gap_ms - s.before_ms.max(s.now_ms));
    let gap_ms = gaps_ms.fold(wall_gap_ms, f64::max);
    println!(
        "{} switches, {slowest_switch_ms:.1} ms at most; {gap_ms:.1} ms without a picture more than one takes",
        studio.switches.len()
    );
    if studio.sample_ms.is_empty() {
        return Err("no steps were sampled".into());
    }
    let mut wrong = Vec::new();
    let mut check = |holds: bool, what: String| {
        if real_time::is_judged() && !holds {
            wrong.push(what);
        }
    };
    check(first_s < 2.0, format!("the first picture took {first_s:.2} s"));
    check(alone > 100.0, format!("only {alone:.1} fps"));
    check(dropped_s < 1.0, format!("a dropped style picture took {dropped_s:.2} s"));
    for switch in studio.switches.iter().filter(|s| !s.is_first && s.took_ms >= SWITCH_MS) {
        check(false, format!("a switch took {switch}"));
    }
    check(
        gap_ms <= SWITCH_MS,
        format!("there was no picture for {gap_ms:.0} ms more than one takes"),
    );
    check(
        cost_ms < 0.02 * SAMPLED_S * 1e3,
        format!("samples took {cost_ms:.1} ms of {SAMPLED_S} s"),
    );
    check(slowest >= 5.0, format!("a style of the wall had {slowest:.1} fps"));
    check(beside >= 0.9 * alone, format!("{beside:.1} fps beside the wall, {alone:.1} alone"));
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ").into()) }
}
