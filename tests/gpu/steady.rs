//! Paintings that the GPU keeps steady, compared with what the CPU makes of the same paintings. The scenes move and have
//! noise, so that each frame is painted otherwise.

use std::{slice::from_mut, sync::Arc};

use backend::{Backend, Composition, Input, Job, RunControl, Session, SessionSpec, Steadiness};
use libtest_mimic::Failed;
use network::Network;
use steady::Steady;
use values::{
    compose::Look,
    frame::Frame,
    mode::{Mode, Variant},
};

use crate::{noise::noise, real_time};

type Size = (usize, usize);

const SIZES: [Size; 4] = [(64, 48), (401, 271), (640, 360), (1280, 720)];
const FRAMES: usize = 8;
/// The first frame of another scene, and one with which the session starts anew.
const CUT: usize = 4;
const NEW: usize = 6;
const PERCENT: u8 = 80;
/// Maximum share of pixels that differ by more than a level, in a million.
const MAX_OFF_PPM: usize = 10_000;
/// Maximum milliseconds at 1280 x 720.
const MAX_MS: f64 = 0.25;

/// A level that is smooth between points in two distances.
fn level(x: f32, y: f32, salt: u64) -> f32 {
    let of = |side: f32| {
        let (x, y) = (x / side, y / side);
        let (left, top) = (x.floor(), y.floor());
        let at = |i: i64, j: i64| noise(left as i64 + i, top as i64 + j, salt);
        let across = |j: i64| at(0, j) + (x - left) * (at(1, j) - at(0, j));
        across(0) + (y - top) * (across(1) - across(0))
    };
    20.0 + 100.0 * (of(6.0) + of(29.0))
}

/// Frame `t`: a scene that moves, a square that moves otherwise, and noise.
fn frame(t: usize, (width, height): Size) -> Frame {
    let salt = if t < CUT { 10 } else { 20 };
    let time = t as f32;
    Frame::from_fn(width, height, |x, y| {
        let left = width / 4 + 3 * t;
        let is_square =
            (left..left + width / 4).contains(&x) && (height / 4..height / 2).contains(&y);
        let (x0, y0, salt) =
            if is_square { (-3.0 * time, 0.0, salt + 3) } else { (1.3 * time, -0.7 * time, salt) };
        [0, 1, 2, 3].map(|c| {
            let own = level(x as f32 + x0, y as f32 + y0, salt + c / 2);
            let noise = 6.0 * noise(x as i64, y as i64, 100 + 4 * t as u64 + c);
            if c == 3 { 255 } else { (own + noise) as u8 }
        })
    })
}

/// The steadied paintings of all frames and the least milliseconds; composed with the frames as well if `composes`.
fn steadied(
    session: &mut dyn Session,
    frames: &[Frame],
    composes: bool,
) -> Result<(Vec<Frame>, f64), Failed> {
    let control = RunControl::default();
    let mut least_ms = f64::INFINITY;
    let mut all = Vec::new();
    for (t, source) in frames.iter().enumerate() {
        // The previous content makes no difference.
        let mut painting = Frame::from_fn(source.width(), source.height(), |x, _| [x as u8; 4]);
        let mut to = painting.clone();
        let composition = Composition { source: None, blend: Look::default().into(), to: &mut to };
        let job = Job {
            input: Input::Frames(&[source]),
            paintings: from_mut(&mut painting),
            composition: composes.then_some(composition),
            steadiness: Some(Steadiness { percent: PERCENT, is_new: t == 0 || t == NEW }),
        };
        let run = session.run(job, &control, None)?;
        // The other frames keep nothing of the one before.
        if ![0, CUT, NEW].contains(&t) {
            least_ms = least_ms.min(run.steady_ms);
        }
        if composes && to == *source {
            return Err("nothing was composed".into());
        }
        all.push(painting);
    }
    Ok((all, least_ms))
}

/// Compares a painting with the CPU's; returns how many pixels in a million differ by more than a level.
fn judged(got: &Frame, expected: &Frame) -> usize {
    let pixels = got.rgba().chunks(4).zip(expected.rgba().chunks(4));
    let off = pixels.filter(|(a, b)| a.iter().zip(*b).any(|(a, b)| a.abs_diff(*b) > 1)).count();
    off * 1_000_000 / got.pixel_count()
}

fn compare(
    backend: &dyn Backend,
    network: &Arc<Network>,
    (mode, size): (Mode, Size),
) -> Result<(), Failed> {
    let spec = SessionSpec::single(size.0, size.1, mode);
    let open = || backend.open(network, &spec);
    let frames: Vec<Frame> = (0..FRAMES).map(|t| frame(t, size)).collect();
    let (got, ms) = steadied(open()?.as_mut(), &frames, false)?;
    println!("{size:?} {mode}: {ms:.3} ms");
    if real_time::is_judged() && size == (1280, 720) && ms > MAX_MS {
        return Err(format!("{ms:.3} ms, allowed are {MAX_MS}").into());
    }
    let mut session = open()?;
    if !session.capabilities().steadies {
        return Err(format!("{size:?} is not steadied").into());
    }
    let (again, _) = steadied(session.as_mut(), &frames, true)?;
    // Another session continues from the saved state, and from that of another size it starts anew.
    let split = CUT + 1;
    let (mut before, mut after) = (open()?, open()?);
    steadied(before.as_mut(), &frames[..split], false)?;
    let state = before.save_steady()?;
    for (state, continues) in [(&state[..], true), (&state[..state.len() - 1], false)] {
        after.restore_steady(state)?;
        let mut painting = frames[split].clone();
        let job = Job {
            input: Input::Frames(&[&frames[split]]),
            paintings: from_mut(&mut painting),
            composition: None,
            steadiness: Some(Steadiness { percent: PERCENT, is_new: false }),
        };
        after.run(job, &RunControl::default(), None)?;
        if (painting == got[split]) != continues {
            return Err(format!("{size:?} {mode}: continued: {}", !continues).into());
        }
    }
    let mut steady = Steady::new(4);
    for (t, source) in frames.iter().enumerate() {
        let what = format!("{size:?} {mode}, frame {t}");
        if got[t] != again[t] {
            return Err(format!("{what}: other bits when it is also composed").into());
        }
        let mut painting = source.clone();
        session.paint(source, &mut painting, &RunControl::default())?;
        let is_first = t == 0 || t == CUT || t == NEW;
        if (got[t] == painting) != is_first {
            return Err(format!("{what}: painted as without steadiness: {}", !is_first).into());
        }
        if t == NEW {
            steady.reset();
        }
        steady.apply(source, &mut painting, PERCENT);
        let off = judged(&got[t], &painting);
        println!("{what}: {off} pixels in a million differ by more than a level");
        if off > MAX_OFF_PPM {
            return Err(format!("{what}: {off} pixels in a million are wrong").into());
        }
    }
    Ok(())
}

pub fn paintings_are_steadied_as_by_the_processor(backend: &dyn Backend) -> Result<(), Failed> {
    let network = crate::network();
    let fused = Mode::new(Variant::Fused, backend.auto_precision(Variant::Fused));
    for size in SIZES {
        compare(backend, &network, (fused, size))?;
    }
    // Short sides and several frames at once are not steadied.
    for spec in [
        SessionSpec::single(40, 15, fused),
        SessionSpec { batch: 2, ..SessionSpec::single(64, 48, fused) },
    ] {
        let session = backend.open(&network, &spec)?;
        if session.capabilities().steadies {
            return Err(format!("{spec:?} is steadied").into());
        }
    }
    Ok(())
}
