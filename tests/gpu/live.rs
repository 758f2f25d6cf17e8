//! Live painting on the GPU as the window uses it: switches, the wall of styles, samples of the steps.
//!
//! A switch is judged by the longest time without a new picture around it, less what a picture of the old
//! session takes: that one paints until the new one is there.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use libtest_mimic::Failed;
use styleforge::{
    backend::{Backend, DeviceOptions, opener},
    capture::{
        Captured,
        exchange::{Reader, exchange},
    },
    engine::{
        Engine,
        live::{LiveEvent, LiveOrder, LivePicture, LiveSize, WallPane, WallPicture, meter::Recent},
        protocol::Event,
    },
    frame::Frame,
    mode::{ModeChoice, Precision, PrecisionChoice, Variant},
    network::Network,
    weights::Checkpoint,
};

use crate::styles::{STYLES, root};

/// Rate of the source: more than any screen shows.
const SOURCE_FPS: u32 = 200;
/// How long a switch may take where nothing is searched for, and how long there may be no new picture.
const SWITCH_MS: f64 = 50.0;
/// Seconds for which steps are sampled, and for which the wall is painted.
const SAMPLED_S: f64 = 3.0;
const WALL_S: f64 = 3.0;
/// Pictures of a new session that belong to the switch.
const FIRST_PICTURES: usize = 10;

/// What a switch took, in milliseconds.
#[derive(Clone, Copy)]
struct Switch {
    /// From the order to its first picture.
    took_ms: f64,
    /// The longest time without a new picture, until a few of the new session were painted.
    gap_ms: f64,
    /// What the network took for a picture before.
    before_ms: f64,
}

/// Every switch as time and gap, and the longest gap.
fn in_words(switches: &[Switch]) -> String {
    let each = switches
        .iter()
        .map(|s| format!("{:.0} ({:.0})", s.took_ms, s.gap_ms));
    each.collect::<Vec<_>>().join(", ")
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
    let (mut writer, reader) = exchange(|| Captured {
        frame: Frame::from_fn(1280, 720, |x, y| {
            [(x / 5) as u8, (y / 3) as u8, ((x ^ y) & 255) as u8, 255]
        }),
        sequence: 0,
        captured_at: Instant::now(),
        capture_ms: 0.0,
        decode_ms: 0.0,
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

struct Studio {
    engine: Engine,
    pictures: Reader<LivePicture>,
    order: LiveOrder,
    latency: Recent,
    sample_ms: Vec<f64>,
    /// When the newest picture was ready.
    ready_at: Option<Instant>,
    /// The longest time between two pictures since this was last emptied, in milliseconds.
    gap_ms: f64,
}

impl Studio {
    /// Takes pictures until `done`; panics are the caller's timeouts.
    fn until(
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
            if started.elapsed() > Duration::from_secs(30) {
                return Err(format!("waited in vain for {what}").into());
            }
            let rung = self
                .pictures
                .doorbell()
                .recv_timeout(Duration::from_millis(100));
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

    /// Changes the order and waits until some pictures are painted by it.
    fn switch(&mut self, change: impl FnOnce(&mut LiveOrder)) -> Result<Switch, Failed> {
        change(&mut self.order);
        self.gap_ms = 0.0;
        let before = self.pictures.value.facts;
        let before_ms = before.map_or(0.0, |f| f64::from(f.stages.network_ms));
        let asked = Instant::now();
        let number = self.engine.order_live(self.order.clone());
        self.until("the switch", |p| p.facts.is_some_and(|f| f.order >= number))?;
        let took_ms = asked.elapsed().as_secs_f64() * 1e3;
        let mut left = FIRST_PICTURES;
        self.until("more pictures", |_| {
            left -= 1;
            left == 0
        })?;
        Ok(Switch {
            took_ms,
            gap_ms: self.gap_ms,
            before_ms,
        })
    }

    /// Pictures a second over so many seconds.
    fn rate(&mut self, seconds: f64) -> Result<f64, Failed> {
        let painted = |s: &Self| s.pictures.value.facts.map_or(0, |f| f.painted);
        let (before, began) = (painted(self), Instant::now());
        let length = Duration::from_secs_f64(seconds);
        self.until("the time to pass", |_| began.elapsed() >= length)?;
        Ok((painted(self) - before) as f64 / began.elapsed().as_secs_f64())
    }
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
    let order = LiveOrder {
        network: Some(full[0].clone()),
        size: LiveSize::LongSide(1280),
        mode: ModeChoice {
            variant: Variant::Fused,
            precision: PrecisionChoice::Auto,
        },
        look: Default::default(),
        duel: None,
        frozen: false,
        sample: false,
    };
    let pictures = engine.start_live(source(stop.clone()), order.clone());
    let mut studio = Studio {
        engine,
        pictures,
        order,
        latency: Recent::default(),
        sample_ms: Vec::new(),
        ready_at: None,
        gap_ms: 0.0,
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

    let mut cold = Vec::new();
    for network in &full[1..] {
        cold.push(studio.switch(|o| o.network = Some(network.clone()))?);
    }
    for mode in ["fused fp32", "fused mixed", "fused auto"] {
        let mode = mode.parse::<ModeChoice>()?;
        cold.push(studio.switch(|o| o.mode = mode)?);
    }
    for px in [960, 640, 1280] {
        cold.push(studio.switch(|o| o.size = LiveSize::LongSide(px))?);
    }
    let mut warm = Vec::new();
    for network in [&full[5], &full[4], &full[5]] {
        warm.push(studio.switch(|o| o.network = Some(network.clone()))?);
    }
    println!(
        "switches in ms, in brackets the longest time without a picture: opened anew {}; kept {}",
        in_words(&cold),
        in_words(&warm)
    );
    // The library's algorithms are searched for by every first session of a size and a precision.
    let mut searched = vec![studio.switch(|o| o.mode.variant = Variant::Baseline)?];
    let back = studio.switch(|o| o.mode.variant = Variant::Fused)?;
    searched.push(studio.switch(|o| {
        o.mode = ModeChoice {
            variant: Variant::Baseline,
            precision: PrecisionChoice::Fixed(Precision::Fp32),
        };
    })?);
    searched.push(studio.switch(|o| o.size = LiveSize::LongSide(800))?);
    searched.push(studio.switch(|o| o.mode.variant = Variant::FusedNorm)?);
    searched.push(studio.switch(|o| o.network = Some(full[1].clone()))?);
    // The newest of several wishes, each of which would search.
    let overtaken = [300, 500, 700].map(LiveSize::LongSide);
    for size in overtaken {
        studio.order.size = size;
        studio.engine.order_live(studio.order.clone());
        studio.rate(0.02)?;
    }
    let newest = studio.switch(|o| o.size = LiveSize::LongSide(600))?;
    println!(
        "with the library: {}; the newest of four {}; back to fused {}",
        in_words(&searched),
        in_words(&[newest]),
        in_words(&[back])
    );
    let last = studio.switch(|o| {
        o.size = LiveSize::LongSide(1280);
        o.mode = ModeChoice {
            variant: Variant::Fused,
            precision: PrecisionChoice::Auto,
        };
    })?;

    studio.order.sample = true;
    studio.engine.order_live(studio.order.clone());
    let sampled = studio.rate(SAMPLED_S)?;
    let cost_ms: f64 = studio.sample_ms.iter().sum();
    println!(
        "with samples of the steps: {sampled:.1} fps, {} samples took {cost_ms:.1} ms of {SAMPLED_S} s",
        studio.sample_ms.len()
    );
    studio.order.sample = false;
    studio.engine.order_live(studio.order.clone());

    let mut readers = Vec::new();
    let panes = lite
        .iter()
        .map(|network| {
            let (output, reader) = exchange(WallPicture::empty);
            readers.push(reader);
            WallPane {
                network: network.clone(),
                output,
            }
        })
        .collect();
    studio.gap_ms = 0.0;
    studio.engine.set_wall(panes);
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
    studio.engine.set_wall(Vec::new());

    let at_once = || cold.iter().chain(&warm).chain([&back, &last]);
    let slowest_ms = at_once().map(|s| s.took_ms).fold(0.0, f64::max);
    // A slow mode alone takes a part of what is allowed.
    let gap_ms = (at_once().chain(&searched).chain([&newest]))
        .map(|s| s.gap_ms - s.before_ms)
        .fold(wall_gap_ms, f64::max);
    let mut wrong = Vec::new();
    let mut check = |holds: bool, what: String| {
        if !holds {
            wrong.push(what);
        }
    };
    check(
        first_s < 2.0,
        format!("the first picture took {first_s:.2} s"),
    );
    check(alone > 100.0, format!("only {alone:.1} fps"));
    check(
        slowest_ms < SWITCH_MS,
        format!("a switch took {slowest_ms:.0} ms"),
    );
    check(
        gap_ms <= SWITCH_MS,
        format!("there was no picture for {gap_ms:.0} ms more than one takes"),
    );
    check(
        !studio.sample_ms.is_empty() && cost_ms < 0.02 * SAMPLED_S * 1e3,
        format!("samples took {cost_ms:.1} ms of {SAMPLED_S} s"),
    );
    check(
        slowest >= 5.0,
        format!("a style of the wall had {slowest:.1} fps"),
    );
    check(
        beside >= 0.9 * alone,
        format!("{beside:.1} fps beside the wall, {alone:.1} alone"),
    );
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.join("; ").into())
    }
}
