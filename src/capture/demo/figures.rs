//! The moving figures of the landscape. A figure is drawn around a point, and its motion positions that point.

use vello_cpu::kurbo::{Affine, Point};

use super::{
    landscape::HORIZON,
    shape::{Colour, Group, Piece, Shape, at, faint, lit, random, sawtooth, wave},
};

const SKIN: [Colour; 2] = [0xfacea8, 0xc48068];
const HAIR: [Colour; 2] = [0x7e4224, 0x3e1e1c];
const STRAW: [Colour; 2] = [0xfade8a, 0xc49048];
const RED: [Colour; 2] = [0xe2383e, 0x941a34];
const BLUE: [Colour; 2] = [0x386cb4, 0x1c3674];
const CREAM: [Colour; 2] = [0xf6f0e2, 0xb4aca8];
const WHITE: [Colour; 2] = [0xfcfaf6; 2];
const DARK: [Colour; 2] = [0x362024; 2];

const SCARF_END: [Piece; 2] = [
    (RED, 50, "M-50 12C-110-5-140-25-175-3S-225-5-240-15"),
    (WHITE, 11, "M-133-32L-141 10M-193-16L-187 26"),
];
const HAIR_BEHIND: [Piece; 2] = [
    (HAIR, 0, "M-20-115C120-115 98 30 80 125-10 100-60 165-125 135-95 60-135-110-20-115Z"),
    ([0xa8623a; 2], 3, "M-90-20Q-105 50-104 122M-80-20Q-94 60-88 130M82-10Q90 50 80 112"),
];
const TORSO: [Piece; 7] = [
    (BLUE, 78, "M-125 70Q-180 190-190 360"),
    (BLUE, 0, "M-45 0H45C160 15 152 90 152 220L160 400H-160L-152 220C-152 90-160 15-45 0Z"),
    (CREAM, 17, "M-139 80q139 40 278 0m2 58q-141 40-282 0m0 58q141 40 282 0m2 58q-143 40-286 0"),
    (SKIN, 70, "M0-85V15"),
    (RED, 51, "M-66-10Q0 56 68-8"),
    ([RED[1]; 2], 4, "M-60-4Q-20 36 40 14"),
    (BLUE, 82, "M118 75Q180 110 225 85"),
];
const FACE: [Piece; 5] = [
    (SKIN, 0, "M0-100C50-100 80-65 80-15C80 40 48 102 0 102S-80 40-80-15C-80-65-50-100 0-100Z"),
    ([0xf0a088, 0xd87c68], 28, "M-53 34H-43M43 34H53"),
    ([SKIN[1]; 2], 3, "M2 4Q24 34-3 34"),
    ([0x922430; 2], 0, "M-33 46Q0 68 33 46C24 86-24 86-33 46Z"),
    (WHITE, 6, "M-24 55Q0 67 24 55"),
];
const EYES: [Piece; 5] = [
    (WHITE, 25, "M-35 0H-27M27 0H35"),
    ([0x3e7a7c; 2], 18, "M-31 1H-30M31 1H32"),
    (DARK, 9, "M-31 1H-30M31 1H32"),
    (WHITE, 4, "M-28-3H-27M34-3H35"),
    (DARK, 4, "M-50 4Q-31-30-12 3M12 3Q31-30 50 4"),
];
const HAT: [Piece; 7] = [
    (DARK, 4, "M-50-30Q-31-46-12-30M12-30Q31-46 50-30"),
    (
        HAIR,
        0,
        "M-86-20C-92-80-50-110 0-108C60-106 84-75 86-28 70-60 40-58 15-54-30-44-64-54-74-30Z",
    ),
    (HAIR, 0, "M-155-54a152 31-5 1 0 303-27a152 31-5 1 0-303 27Z"),
    (STRAW, 0, "M-155-58a152 31-5 1 0 303-27a152 31-5 1 0-303 27Z"),
    (STRAW, 0, "M-86-68C-86-140-60-164-15-166C40-168 76-150 76-84C40-62-40-54-86-68Z"),
    ([STRAW[1]; 2], 2, "M-76-106Q-4-84 68-116M-70-123Q-4-101 62-133M-58-140Q-4-118 50-150"),
    ([0x34968c, 0x185460], 24, "M-80-84Q-10-62 71-94"),
];
const FOREARM: [Piece; 6] = [
    (SKIN, 38, "M10-110V-160"),
    (SKIN, 15, "M-12-180L-24-234M2-180L-2-247M17-180L21-244M31-180L42-229M-12-160L-40-194"),
    (SKIN, 58, "M10-166V-176"),
    ([SKIN[1]; 2], 2, "M-4-168Q14-150 24-172"),
    (BLUE, 70, "M0 0Q12-60 10-100"),
    (CREAM, 18, "M-19-120H39"),
];

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
        Group::new(lit(&SCARF_END), fluttering),
        Group::new(lit(&HAIR_BEHIND), blown),
        Group::new(lit(&TORSO), neck),
        Group::new(lit(&FACE), head),
        Group::new(lit(&EYES), eyes),
        Group::new(lit(&HAT), head),
        Group::new(lit(&FOREARM), forearm),
    ]
}

const SAILS: [Piece; 2] = [
    ([0xfffaec, 0xccbec4], 0, "M4-315C40-230 90-130 108-48Q60-38 8-40Z"),
    ([0xec6042, 0xa42834], 0, "M-8-290Q-10-150-12-45Q-60-52-120-35C-100-90-60-180-8-290Z"),
];
const HULL: [Piece; 5] = [
    ([0x5c3a2c; 2], 6, "M0-330V0M0-34L112-40"),
    ([0x2c60a8; 2], 0, "M0-332L44-320 0-310Z"),
    ([0xba603a, 0x542628], 0, "M-130-12L135-22C100 48 80 36 0 41-80 36-115 44-130-12Z"),
    (CREAM, 6, "M-124 0Q0 10 127-10"),
    (WHITE, 0, "M-160 37q60-14 120 0-60 12-120 0ZM20 41q60-12 130 0-60 12-130 0Z"),
];

/// A sailing boat that tacks to and fro, with its reflection in the water.
pub fn boat(right: f64) -> Vec<Group> {
    let place = move |t| {
        let x = right * (0.62 + 0.16 * wave(t, 90.0, 0.0));
        at(x, 0.685 + 0.004 * wave(t, 4.3, 0.0)) * Affine::scale(0.9)
    };
    let tilted = move |t| place(t) * Affine::rotate(0.06 + 0.05 * wave(t, 5.9, 0.2));
    let blown = |t| Affine::scale_non_uniform(1.0 + 0.06 * wave(t, 3.2, 0.0), 1.0);
    let mirrored = move |t| {
        let ripple = 0.06 * wave(t, 2.0, 0.0) - 0.06;
        place(t) * Affine::new([1.0, 0.0, ripple, -0.55, 0.0, 0.06])
    };
    vec![
        Group::new(faint(lit(&HULL), 0.35), mirrored),
        Group::new(faint(lit(&SAILS), 0.35), move |t| mirrored(t) * blown(t)),
        Group::new(lit(&SAILS), move |t| tilted(t) * blown(t)),
        Group::new(lit(&HULL), tilted),
    ]
}

const BALLOON: [Piece; 6] = [
    ([0x543c30; 2], 2, "M-16 84L-11 119M16 84L11 119"),
    ([0xb07642, 0x684228], 0, "M-14 117H14L11 139H-11Z"),
    (RED, 0, "M0-72C84-72 80 20 20 86H-20C-80 20-84-72 0-72Z"),
    ([0xf6c444, 0xb88828], 0, "M0-72C74-72 70 20 18 86H-18C-70 20-74-72 0-72Z"),
    (RED, 0, "M0-72C50-72 48 20 12 86H-12C-48 20-50-72 0-72Z"),
    ([0xfae296, 0xd0b060], 0, "M0-72C20-72 19 20 5 86H-5C-19 20-20-72 0-72Z"),
];

/// A hot-air balloon that drifts across the sky.
pub fn balloon(right: f64) -> Group {
    Group::new(lit(&BALLOON), move |t| {
        at((right + 0.3) * sawtooth(t, 95.0, 0.46) - 0.15, 0.155 + 0.02 * wave(t, 20.0, 0.0))
    })
}

/// A flight of birds.
pub fn birds(right: f64) -> Vec<Group> {
    let bird = |i: usize| {
        let (back, phase) = (i as f64, random(i, 1));
        let wings = [([0x342e42; 2], 3, "M-28 4C-18-12-8-12 0 0 8-12 18-12 28 4")];
        Group::new(lit(&wings), move |t| {
            let x = (right + 0.5) * sawtooth(t, 34.0, 0.3) - 0.1 - 0.035 * back;
            let y = 0.27 + 0.03 * wave(back, 2.3, 0.0) + 0.012 * wave(t, 4.8, phase);
            at(x, y) * Affine::scale_non_uniform(1.0, 0.7 + 0.4 * wave(t, 0.77, phase))
        })
    };
    (0..6).map(bird).collect()
}

const LIGHTHOUSE: [Piece; 6] = [
    ([0x927c74, 0x463e4e], 0, "M-85 6L-60-20-20-36 25-30 60-14 80 6Z"),
    (CREAM, 0, "M-20-26L-13-170H13L20-26Z"),
    (RED, 0, "M-20-26L-19-55H19L20-26ZM-17-84L-16-112H16L17-84ZM-14-141L-13-170H13L14-141Z"),
    (DARK, 0, "M-18-174H18V-167H-18Z"),
    ([0xfff0aa; 2], 17, "M0-185V-180"),
    (RED, 0, "M-15-191L0-212 15-191Z"),
];

/// A lighthouse on a rock at the far shore. Its lamp brightens when it points at the viewer.
pub fn lighthouse(right: f64) -> Vec<Group> {
    let foot = at(0.9 * right, HORIZON - 0.004);
    let lamp = vec![Shape::glow(0xfff0aa, Point::ZERO, 0.09)];
    let swelling = move |t| foot * at(0.0, -0.182) * Affine::scale(wave(t, 5.0, 0.0).max(0.0));
    vec![Group::new(lamp, swelling), Group::new(lit(&LIGHTHOUSE), move |_| foot)]
}

const STALK: [Piece; 2] = [
    ([0x468434, 0x1e4a26], 7, "M0 20V-220"),
    ([0x468434, 0x1e4a26], 0, "M0-40Q12-80 44-84 38-50 0-40ZM0-80Q-12-118-42-120-36-88 0-80Z"),
];
const PETALS: &str =
    "M12-220h14M8-211l8 11M-3-208l-3 13M-11-215l-12 6M-11-225l-12-6M-3-232l-3-13M8-229l8-11";
const HEADS: [[Colour; 2]; 3] = [[0xf04854, 0xb02436], [0xfcfaf4, 0xc4bcc8], [0x9a68d0, 0x6a4098]];

/// Tall flowers in front that bend in the wind.
pub fn flowers(right: f64) -> Vec<Group> {
    let flower = |i: usize| {
        let (x, size) = (right * (0.66 + 0.04 * i as f64), 0.6 + 0.4 * random(i, 4));
        let phase = 0.13 * i as f64;
        let head = [(HEADS[i % 3], 19, PETALS), ([0xffd85c, 0xc47622], 23, "M-1-220H1")];
        Group::new(lit(&[STALK, head].concat()), move |t| {
            let lean = 0.12 * wave(t, 3.7, phase) + 0.04 * wave(t, 1.1, 3.0 * phase);
            at(x, 1.0) * Affine::skew(-lean, 0.0) * Affine::scale(size)
        })
    };
    (0..9).map(flower).collect()
}
