//! Pictures with a known motion, and paintings of them that flicker.
#![allow(clippy::expect_used, reason = "test support: a broken test should panic")]

#[path = "../../../tests/support/noise.rs"]
mod noise;

use noise::noise;

use super::Steady;
use values::frame::Frame;

const SIZE: (usize, usize) = (160, 120);
/// The sides of the tiles that make up a scene, in pixels.
const TILES_PX: [f32; 3] = [5.0, 13.0, 37.0];

/// A scene that is smooth between its points, in levels.
fn scene(x: f32, y: f32, salt: u64) -> f32 {
    let of = |side: f32| {
        let (x, y) = (x / side, y / side);
        let (left, top) = (x.floor(), y.floor());
        let smooth = |t: f32| t * t * (3.0 - 2.0 * t);
        let (fx, fy) = (smooth(x - left), smooth(y - top));
        let at = |i: i64, j: i64| noise(left as i64 + i, top as i64 + j, salt);
        let above = at(0, 0) + fx * (at(1, 0) - at(0, 0));
        let below = at(0, 1) + fx * (at(1, 1) - at(0, 1));
        above + fy * (below - above)
    };
    20.0 + 70.0 * TILES_PX.map(of).into_iter().sum::<f32>()
}

fn gray(size: (usize, usize), level: impl Fn(usize, usize) -> f32) -> Frame {
    Frame::from_fn(size.0, size.1, |x, y| {
        let level = level(x, y).round() as u8;
        [level, level, level, 255]
    })
}

/// Frame `t` of a scene that moves by `motion` per frame, and its painting, of which each pixel flickers.
fn moving(t: usize, motion: [f32; 2], salt: u64) -> [Frame; 2] {
    let [x0, y0] = motion.map(|px| px * t as f32);
    let level = |x: usize, y: usize| scene(x as f32 - x0, y as f32 - y0, salt);
    let flicker = |x: usize, y: usize| 30.0 * (noise(x as i64, y as i64, 1000 + t as u64) - 0.5);
    [gray(SIZE, level), gray(SIZE, |x, y| 0.8 * level(x, y) + 20.0 + flicker(x, y))]
}

/// The mean difference between two pictures of which the second one is moved by whole pixels.
fn change(now: &Frame, before: &Frame, [u, v]: [usize; 2]) -> f32 {
    let (mut sum, mut count) = (0.0, 0.0);
    for y in v.max(8)..SIZE.1 - 8 {
        for x in u.max(8)..SIZE.0 - 8 {
            sum += f32::from(now.pixel(x, y)[1].abs_diff(before.pixel(x - u, y - v)[1]));
            count += 1.0;
        }
    }
    sum / count
}

#[test]
fn strokes_move_with_the_scene() {
    for motion in [[0, 0], [2, 1], [3, 0]] {
        let mut steady = Steady::new(2);
        let mut last: Option<[Frame; 2]> = None;
        for t in 0..12 {
            let [source, painting] = moving(t, motion.map(|px| px as f32), 7);
            let mut steadied = painting.clone();
            steady.apply(&source, &mut steadied, 100);
            if let Some([painted, before]) = last.filter(|_| t > 7) {
                let flickers = change(&painting, &painted, motion);
                let left = change(&steadied, &before, motion);
                assert!(left < 0.25 * flickers, "{motion:?}, {t}: {flickers} to {left}");
            }
            last = Some([painting, steadied]);
        }
    }
}

#[test]
fn a_new_scene_starts_with_what_is_painted() {
    let mut steady = Steady::new(1);
    for t in 0..6 {
        // Another scene from the fourth frame on.
        let [source, painting] = moving(t, [1.0, 0.0], if t < 3 { 7 } else { 8 });
        let mut steadied = painting.clone();
        steady.apply(&source, &mut steadied, 100);
        assert_eq!(steadied == painting, t == 0 || t == 3, "{t}");
        if t == 3 {
            let mut anew = Steady::new(1);
            anew.apply(&source, &mut painting.clone(), 100);
            assert_eq!(anew.save(), steady.save());
        }
    }
}

#[test]
fn uncovered_background_is_taken_from_the_new_painting() {
    let mut steady = Steady::new(2);
    let mut uncovered = Vec::new();
    for t in 0..8 {
        // A square moves to the right over a scene that moves to the left.
        let x0 = 30 + 5 * t;
        let is_square = |x: usize, y: usize| (x0..x0 + 40).contains(&x) && (40..80).contains(&y);
        let level = |x: usize, y: usize| match is_square(x, y) {
            true => scene((x - x0) as f32, y as f32, 3),
            false => scene((x + 2 * t) as f32, y as f32, 4),
        };
        let source = gray(SIZE, level);
        let painting = gray(SIZE, |x, y| 250.0 - level(x, y));
        let mut steadied = painting.clone();
        steady.apply(&source, &mut steadied, 100);
        // What the square covered in the frame before, without the edges.
        for (x, y) in (46..74).flat_map(|y| (x0 - 4..x0 - 2).map(move |x| (x, y))) {
            let apart = steadied.pixel(x, y)[1].abs_diff(painting.pixel(x, y)[1]);
            uncovered.extend((t > 3).then_some(f32::from(apart)));
        }
    }
    let mean = uncovered.iter().sum::<f32>() / uncovered.len() as f32;
    assert!(mean < 7.0, "{mean} levels");
}

#[test]
fn a_saved_state_continues_without_a_seam_for_any_number_of_threads() {
    let mut steady = Steady::new(1);
    let mut other = Steady::new(3);
    for t in 0..6 {
        let [source, painting] = moving(t, [1.3, -0.7], 7);
        let [mut first, mut second] = [painting.clone(), painting];
        steady.apply(&source, &mut first, 80);
        other.apply(&source, &mut second, 80);
        assert_eq!(first, second, "{t}");
        let state = steady.save();
        other = Steady::new(3);
        assert!(other.restore(&state));
        for broken in [&state[..state.len() - 1], &state[..state.len() - 4], &state[1..], &[0; 8]] {
            assert!(!Steady::new(1).restore(broken));
        }
    }
    assert!(other.restore(&[]), "nothing was painted before");
}

#[test]
fn without_steadiness_and_in_tiny_pictures_nothing_changes() {
    let mut steady = Steady::new(1);
    for t in 0..3 {
        let [source, painting] = moving(t, [0.0; 2], 7);
        let mut same = painting.clone();
        steady.apply(&source, &mut same, 0);
        assert_eq!(same, painting);
        for size in [(1, 1), (15, 40), (40, 15)] {
            let tiny = Frame::empty(size.0, size.1);
            let mut same = tiny.clone();
            steady.apply(&tiny, &mut same, 100);
            assert_eq!(same, tiny);
        }
    }
    // The smallest, odd and flat ones.
    for size in [(16, 16), (17, 16), (33, 71), (129, 31)] {
        let flat = gray(size, |_, _| 120.0);
        for _ in 0..3 {
            let mut same = flat.clone();
            steady.apply(&flat, &mut same, 100);
            assert_eq!(same, flat, "{size:?}");
        }
    }
}
