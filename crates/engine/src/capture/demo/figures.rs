//! The moving figures of the landscape. A figure is drawn around a point, and its motion positions that point.

use vello_cpu::kurbo::Affine;

use super::{
    landscape::HORIZON,
    shape::{Group, at, drawing, random, sawtooth, wave},
};

/// A person in front who waves. Shows how faces are painted.
pub fn person(right: f64) -> Vec<Group> {
    let neck = move |t| at(0.27 * right, 0.7 + 0.004 * wave(t, 4.0, 0.0));
    let head = move |t| {
        let nod = wave(t, 7.7, 0.0);
        neck(t) * at(0.008 * nod, -0.135) * Affine::rotate(0.025 * nod)
    };
    let fluttering = move |t| neck(t) * Affine::skew(0.0, 0.16 * wave(t, 1.3, 0.0));
    let blown = move |t| head(t) * Affine::skew(-0.09 * wave(t, 1.7, 0.1), 0.0);
    let eyes = move |t| {
        // A blink every few seconds.
        let open = (40.0 * sawtooth(t, 3.7, 0.5) - 1.0).abs().clamp(0.1, 1.0);
        head(t) * at(0.0, -0.004) * Affine::scale_non_uniform(1.0, open)
    };
    let forearm = move |t| {
        let swing = wave(t, 1.2, 0.0) * (0.25 + 0.13 * wave(t, 14.0, 0.2));
        neck(t) * at(0.225, 0.085) * Affine::rotate(swing)
    };
    vec![
        Group::new(drawing("scarf end"), fluttering),
        Group::new(drawing("long hair"), blown),
        Group::new(drawing("torso"), neck),
        Group::new(drawing("face"), head),
        Group::new(drawing("eyes"), eyes),
        Group::new(drawing("hat"), head),
        Group::new(drawing("forearm"), forearm),
    ]
}

/// A sailing boat that tacks to and fro, with its reflection in the water.
pub fn boat(right: f64) -> [Group; 2] {
    let place = move |t| {
        let x = right * (0.62 + 0.16 * wave(t, 90.0, 0.0));
        at(x, 0.685 + 0.004 * wave(t, 4.3, 0.0)) * Affine::scale(0.9)
    };
    let tilted = move |t| place(t) * Affine::rotate(0.06 + 0.05 * wave(t, 5.9, 0.2));
    let mirrored = move |t| {
        let ripple = 0.06 * wave(t, 2.0, 0.0) - 0.06;
        place(t) * Affine::new([1.0, 0.0, ripple, -0.55, 0.0, 0.06])
    };
    [Group::new(drawing("boat"), mirrored).faint(0.35), Group::new(drawing("boat"), tilted)]
}

/// A hot-air balloon that drifts across the sky.
pub fn balloon(right: f64) -> Group {
    Group::new(drawing("balloon"), move |t| {
        at((right + 0.3) * sawtooth(t, 95.0, 0.46) - 0.15, 0.155 + 0.02 * wave(t, 20.0, 0.0))
    })
}

/// A flight of birds.
pub fn birds(right: f64) -> impl Iterator<Item = Group> {
    (0..6).map(move |i| {
        let (back, phase) = (i as f64, random(i, 1));
        Group::new(drawing("bird"), move |t| {
            let x = (right + 0.5) * sawtooth(t, 34.0, 0.3) - 0.1 - 0.035 * back;
            let y = 0.27 + 0.03 * wave(back, 2.3, 0.0) + 0.012 * wave(t, 4.8, phase);
            at(x, y) * Affine::scale_non_uniform(1.0, 0.7 + 0.4 * wave(t, 0.77, phase))
        })
    })
}

/// A lighthouse on a rock at the far shore.
pub fn lighthouse(right: f64) -> Group {
    Group::new(drawing("lighthouse"), move |_| at(0.9 * right, HORIZON - 0.004))
}

/// Tall flowers in front that bend in the wind.
pub fn flowers(right: f64) -> impl Iterator<Item = Group> {
    (0..9).map(move |i| {
        let (x, size) = (right * (0.66 + 0.04 * i as f64), 0.6 + 0.4 * random(i, 4));
        let phase = 0.13 * i as f64;
        let mut shapes = drawing("flower");
        // Between the leaves and the heart.
        shapes.insert(2, drawing("petals").swap_remove(i % 3));
        Group::new(shapes, move |t| {
            let lean = 0.12 * wave(t, 3.7, phase) + 0.04 * wave(t, 1.1, 3.0 * phase);
            at(x, 1.0) * Affine::skew(-lean, 0.0) * Affine::scale(size)
        })
    })
}
