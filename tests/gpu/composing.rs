//! Paintings that the GPU upscales to their source's size and blends with it, compared with the CPU's result for the
//! same painting (`media::upscale`). The pictures differ in each run.

use std::{
    slice::from_mut,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use backend::{Backend, Composition, DeviceOptions, Input, Job, RunControl, SessionSpec, opener};
use engine::{
    Engine,
    capture::Captured,
    live::{CandidateChoice, LivePicture, LiveSettings, LiveSize, LiveSource, ModePair},
    style_picture,
};
use libtest_mimic::Failed;
use media::{resample::Resampler, upscale::Upscaler};
use network::Network;
use values::{
    compose::Look,
    frame::Frame,
    mailbox::{Reader, Writer, mailbox},
    mode::{DeviceChoice, Mode, Variant},
};
use weights::StyleNetwork;

use crate::{general_graphs, real_time};

type Size = (usize, usize);

/// Maximum difference of a level, and maximum number of levels in a million that may differ.
const MAX_OFF: u8 = 1;
const MAX_OFF_PPM: usize = 100;
/// Maximum milliseconds for composing 1280 x 720 pixels.
const MAX_MS: f64 = 0.3;
/// Sizes of paintings and sources.
const SIZES: [(Size, Size); 16] = [
    ((1, 1), (1, 1)),
    ((1, 1), (7, 5)),
    ((1, 3), (1, 97)),
    ((5, 1), (331, 1)),
    ((2, 3), (3, 4)),
    ((7, 5), (64, 48)),
    ((31, 17), (33, 61)),
    ((3, 48), (64, 48)),
    ((40, 30), (41, 31)),
    ((64, 48), (64, 48)),
    ((127, 71), (251, 139)),
    // Higher than its source, as a network of fixed size may paint.
    ((90, 60), (211, 40)),
    ((20, 3), (2049, 37)),
    ((3, 20), (37, 2049)),
    ((641, 359), (1279, 719)),
    ((640, 360), (1280, 720)),
];

/// Random numbers (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn fresh() -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Self(now.map_or(1, |time| time.as_nanos() as u64))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Noise, or flat areas with edges and a little noise.
    fn picture(&mut self, (width, height): Size) -> Frame {
        let (areas, side) = (self.next().is_multiple_of(2), 2 + self.next() as usize % 30);
        let [dark, light] = [self.next(), self.next()].map(u64::to_le_bytes);
        Frame::from_fn(width, height, |x, y| {
            let noise = self.next().to_le_bytes();
            match (areas, (x / side + y / side) % 2) {
                (false, _) => [noise[0], noise[1], noise[2], noise[3]],
                (true, at) => {
                    let level = if at == 0 { dark } else { light };
                    [0, 1, 2, 3].map(|c| level[c].saturating_add(noise[c] % 6))
                }
            }
        })
    }
}

fn sides(frame: &Frame) -> Size {
    (frame.width(), frame.height())
}

fn scaled(source: &Frame, (width, height): Size) -> Frame {
    let mut to = Frame::from_fn(width, height, |_, _| [0; 4]);
    Resampler::default().resample(source, &mut to);
    to
}

/// Compares `got`, composed of `painting` and `source`, with the CPU's result.
fn judged(painting: &Frame, source: &Frame, look: Look, got: &Frame) -> Result<(), String> {
    let mut expected = source.clone();
    let small = scaled(source, sides(painting));
    if !Upscaler::new(1).compose((&small, painting), source, look, &mut expected) {
        return Err("the painting has another size".to_owned());
    }
    let sizes = format!("{:?} to {:?}, {look:?}", sides(painting), sides(source));
    if sides(got) != sides(source) {
        return Err(format!("{sizes}: the result has {:?}", sides(got)));
    }
    let levels = got.rgba().iter().zip(expected.rgba()).enumerate();
    let (mut off, mut first, mut is_wrong) = (0, None, false);
    for (at, (got, expected)) in levels.filter(|(_, (a, b))| a != b) {
        off += 1;
        let (x, y, c) = (at / 4 % source.width(), at / 4 / source.width(), at % 4);
        let is_far = c == 3 || got.abs_diff(*expected) > MAX_OFF;
        if first.is_none() || is_far && !is_wrong {
            first = Some(format!("{got} for {expected} at column {x}, row {y}, colour {c}"));
        }
        is_wrong |= is_far;
    }
    match first {
        Some(first) if is_wrong || off * 1_000_000 > MAX_OFF_PPM * got.rgba().len() => {
            Err(format!("{sizes}: {off} of {} levels are off, as {first}", got.rgba().len()))
        }
        _ => Ok(()),
    }
}

/// Composes a random source of size `large` with `network` in all looks; returns the minimum milliseconds.
fn compose_all(
    backend: &dyn Backend,
    network: &Arc<Network>,
    (mode, small, large): (Mode, Size, Size),
    numbers: &mut Numbers,
) -> Result<f64, Failed> {
    let control = RunControl::default();
    let mut session = backend.open(network, &SessionSpec::single(small.0, small.1, mode))?;
    let mut least_ms = f64::INFINITY;
    for look in [0, 1, 50, 99, 100].into_iter().flat_map(|strength_percent| {
        [false, true].map(|keep_colors| Look::new(strength_percent, keep_colors))
    }) {
        let seed = numbers.0;
        let source = numbers.picture(large);
        let input = scaled(&source, small);
        let mut alone = input.clone();
        session.paint(&input, &mut alone, &control)?;
        // With the network's picture and without; the previous content makes no difference.
        for wanted in [true, false] {
            let (mut painting, mut to) = (numbers.picture(small), numbers.picture(large));
            let job = Job {
                input: Input::Frames(&[&input]),
                paintings: if wanted { from_mut(&mut painting) } else { &mut [] },
                composition: Some(Composition {
                    source: Some(&source),
                    blend: look.into(),
                    to: &mut to,
                }),
                steadiness: None,
            };
            let run = session.run(job, &control, None)?;
            least_ms = least_ms.min(run.compose_ms);
            let with = format!("{mode}, seed {seed}");
            if wanted && painting != alone {
                return Err(format!("{with}: {small:?} is painted otherwise than alone").into());
            }
            judged(&alone, &source, look, &to).map_err(|wrong| format!("{with}: {wrong}"))?;
        }
    }
    Ok(least_ms)
}

pub fn paintings_are_composed_as_by_the_processor(backend: &dyn Backend) -> Result<(), Failed> {
    let mut numbers = Numbers::fresh();
    let network = crate::network();
    let fused = Mode::new(Variant::Fused, backend.auto_precision(Variant::Fused));
    for (small, large) in SIZES {
        let ms = compose_all(backend, &network, (fused, small, large), &mut numbers)?;
        println!("{small:?} to {large:?}: {ms:.3} ms");
        if real_time::is_judged() && large == (1280, 720) && ms > MAX_MS {
            return Err(format!("{ms:.3} ms, allowed are {MAX_MS}").into());
        }
    }
    for mode in backend.modes() {
        compose_all(backend, &network, (mode, (75, 42), (151, 84)), &mut numbers)?;
    }
    // Networks of other kinds, with the kernels for any graph.
    let transformer = &StyleNetwork::built_in()?.transformer;
    let code = style_picture::code_of(transformer, &numbers.picture((96, 80)))?;
    let any = style_picture::network_of(transformer, &[(&code, 1.0)])?;
    let case = general_graphs::cases().pop().ok_or("no graph")?;
    for mode in general_graphs::modes() {
        compose_all(backend, &any, (mode, (107, 83), (320, 240)), &mut numbers)?;
        let small = sides(&case.photo);
        compose_all(backend, &case.network, (mode, small, (400, 300)), &mut numbers)?;
    }
    Ok(())
}

/// Live painting of a source whose frames are all the same.
struct Studio {
    engine: Engine,
    frames: Writer<Captured>,
    pictures: Reader<LivePicture>,
    frame: Frame,
}

impl Studio {
    /// Waits for a picture with these settings.
    fn shown(&mut self, settings: LiveSettings) -> Result<&LivePicture, Failed> {
        let number = self.engine.set_live(settings);
        let began = Instant::now();
        while began.elapsed() < real_time::PATIENCE {
            self.frames.value.frame.clone_from(&self.frame);
            self.frames.put();
            while self.engine.poll().is_some() {}
            let ready = self.pictures.ready().recv_timeout(Duration::from_millis(50));
            if ready.is_ok() && self.pictures.take() {
                let facts = self.pictures.value.facts;
                if facts.is_some_and(|f| f.settings >= number && f.mode.is_some()) {
                    return Ok(&self.pictures.value);
                }
            }
        }
        Err("waited in vain for a picture".into())
    }
}

pub fn live_pictures_are_composed_as_by_the_processor(_: &dyn Backend) -> Result<(), Failed> {
    let frame = Numbers::fresh().picture((1280, 720));
    let (frames, source) = mailbox(|| Captured::of(Frame::from_fn(1, 1, |_, _| [0; 4])));
    let mut engine = Engine::start(opener(DeviceOptions::default()), Arc::new(|| {}))?;
    let mode = "fused".parse()?;
    let settings = LiveSettings::new(Some(crate::network()), LiveSize::LongSide(640), mode);
    let pictures = engine.start_live(LiveSource::Frames(source), settings.clone())?;
    let mut studio = Studio { engine, frames, pictures, frame };
    let candidate = |words: &str| -> Result<CandidateChoice, Failed> {
        let (device, mode) = (DeviceChoice::Auto, words.parse()?);
        Ok(CandidateChoice { device, mode })
    };
    let pair = ModePair { candidates: [candidate("fused fp32")?, candidate("fused fp16")?] };
    for compare in [None, Some(pair)] {
        let plain = LiveSettings { compare, upscale: false, ..settings.clone() };
        let picture = studio.shown(plain)?;
        let paintings = [Some(picture.painted.clone()), picture.other.clone()];
        for (strength_percent, keep_colors) in [(100, false), (60, true), (0, false)] {
            let look = Look::new(strength_percent, keep_colors);
            let mut settings = LiveSettings { compare, ..settings.clone() };
            settings.stylization.look = look;
            let picture = studio.shown(settings)?;
            let facts = picture.facts.ok_or("no facts")?;
            println!("{look:?}: {:?}", facts.stages);
            if facts.working != (640, 360) || picture.other.is_some() != compare.is_some() {
                return Err(format!("{:?} was painted", facts.working).into());
            }
            let shown = [Some(&picture.painted), picture.other.as_ref()];
            for (painting, shown) in paintings.iter().zip(shown) {
                if let Some((painting, shown)) = painting.as_ref().zip(shown) {
                    judged(painting, &picture.original, look, shown)?;
                }
            }
        }
    }
    Ok(())
}
