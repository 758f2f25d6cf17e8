//! The figures that move through the landscape: balloon, birds, lighthouse, boat, flowers.

use super::{
    brush::{Brush, Colour, Point, darker, flat, gradient, points},
    landscape::HORIZON,
    noise::{wave, way},
};

/// A hot-air balloon that drifts across the sky.
pub fn balloon(brush: &mut Brush, time_s: f64) {
    let x = (brush.right() + 0.3) * way(time_s, 95.0, 0.46) - 0.15;
    let y = 0.155 + 0.02 * wave(time_s, 0.05, 0.0);
    let (rx, ry) = (0.062, 0.072);
    const STRIPES: [Colour; 7] =
        [0xc42c34, 0xf6c444, 0xd63e3a, 0xfae296, 0xce3638, 0xf0b43c, 0x962232];
    // Seams of a ball seen from the side: each stripe is the part between two half ellipses.
    let n = STRIPES.len();
    for (i, colour) in STRIPES.into_iter().enumerate() {
        let seam = |k: usize| (std::f32::consts::PI * k as f32 / n as f32).cos() * -rx;
        let (left, right) = (seam(i), seam(i + 1));
        let mut points = [[0.0; 2]; 24];
        for k in 0..12 {
            // From the crown down one seam and up the other.
            let a = std::f32::consts::PI * k as f32 / 11.0;
            let taper = |y: f32| if y > 0.3 { 1.0 - 0.34 * (y - 0.3) } else { 1.0 };
            let down = -a.cos();
            let stretched = y + ry * down * if down > 0.0 { 1.22 } else { 1.0 };
            let side = |seam: f32| x + seam * a.sin() * taper(down);
            points[k] = [side(left), stretched];
            points[23 - k] = [side(right), stretched];
        }
        let darker = darker(colour, 0.72);
        let paint = gradient(colour, [x, y - ry * 0.3], darker, [x - rx * 0.4, y + ry]);
        brush.polygon(points, paint);
    }
    let rope = flat(0x543c30);
    let (under, basket) = (y + ry * 1.2, y + ry * 1.62);
    for side in [-1.0, 1.0] {
        let rope_line = [[x + side * 0.014, under], [x + side * 0.011, basket]];
        brush.stroke(rope_line, (0.002, 0.002), rope.clone());
    }
    let box_points = [
        [x - 0.014, basket],
        [x + 0.014, basket],
        [x + 0.011, basket + 0.022],
        [x - 0.011, basket + 0.022],
    ];
    let wicker = gradient(0xb07642, [x, basket], 0x684228, [x, basket + 0.022]);
    brush.polygon(box_points, wicker);
}

/// A flight of birds.
pub fn birds(brush: &mut Brush, time_s: f64) {
    const PLACES: [(f32, f32, f32); 6] = [
        (0.0, 0.0, 1.0),
        (-0.055, 0.018, 0.85),
        (-0.05, -0.026, 0.8),
        (-0.11, 0.04, 0.75),
        (-0.115, -0.045, 0.7),
        (-0.17, 0.006, 0.65),
    ];
    let lead = (brush.right() + 0.5) * way(time_s, 34.0, 0.3) - 0.1;
    for (i, (dx, dy, size)) in PLACES.into_iter().enumerate() {
        let beat = wave(time_s, 1.3, f64::from(i as u32) * 0.17);
        let x = lead + dx;
        let y = 0.27 + dy + 0.012 * wave(time_s, 0.21, f64::from(i as u32) * 0.3);
        let s = 0.022 * size;
        let tip = -0.55 * beat - 0.15;
        let wing = |sign: f32| {
            [
                [x, y],
                [x + sign * s * 0.5, y - s * (0.35 + 0.2 * beat)],
                [x + sign * s * 1.25, y + s * tip],
            ]
        };
        brush.fill(flat(0x342e42), |outline| {
            for sign in [-1.0, 1.0] {
                outline.stroke(wing(sign), (0.22 * s, 0.05 * s));
            }
            outline.ellipse([x, y + 0.02 * s], (0.3 * s, 0.13 * s), 0.1);
        });
    }
}

/// A lighthouse on a rock before the far shore, its lamp turning.
pub fn lighthouse(brush: &mut Brush, time_s: f64) {
    let x = brush.right() * 0.9;
    let foot = HORIZON - 0.004;
    let rock = [
        [x - 0.085, foot + 0.006],
        [x - 0.06, foot - 0.02],
        [x - 0.02, foot - 0.036],
        [x + 0.025, foot - 0.03],
        [x + 0.06, foot - 0.014],
        [x + 0.08, foot + 0.006],
    ];
    let stone = gradient(0x927c74, [x - 0.05, foot], 0x463e4e, [x + 0.06, foot]);
    brush.polygon(rock, stone);
    let (bottom, top) = (foot - 0.026, foot - 0.17);
    let half = |t: f32| 0.02 - 0.007 * t;
    let bands = 5;
    for band in 0..bands {
        let (t0, t1) = (band as f32 / bands as f32, (band + 1) as f32 / bands as f32);
        let y = |t: f32| bottom + (top - bottom) * t;
        let quad = [
            [x - half(t0), y(t0)],
            [x + half(t0), y(t0)],
            [x + half(t1), y(t1)],
            [x - half(t1), y(t1)],
        ];
        let (light, dark) = if band % 2 == 0 { (0xd63a34, 0x7e1a2c) } else { (0xfcf4e8, 0xa8a0b4) };
        let paint = gradient(light, [x - 0.012, y(t0)], dark, [x + 0.02, y(t0)]);
        brush.polygon(quad, paint);
    }
    // The lamp swells when it looks at the viewer.
    let turn = wave(time_s, 0.2, 0.0).max(0.0).powi(3);
    let lamp = [x, top - 0.012];
    brush.ellipse(
        lamp,
        (0.016 + 0.05 * turn, 0.016 + 0.05 * turn),
        0.0,
        flat(0xfff0aa).faint(0.28 * turn),
    );
    let rail = [
        [x - 0.018, top + 0.004],
        [x + 0.018, top + 0.004],
        [x + 0.018, top - 0.002],
        [x - 0.018, top - 0.002],
    ];
    brush.polygon(rail, flat(0x3a3442));
    brush.ellipse(lamp, (0.009, 0.012), 0.0, flat(0xfff0aa));
    let roof = [[x - 0.014, top - 0.022], [x, top - 0.042], [x + 0.014, top - 0.022]];
    brush.polygon(roof, flat(0x9e262e));
}

/// A sailing boat that tacks to and fro, with its image in the water.
pub fn boat(brush: &mut Brush, time_s: f64) {
    let right = brush.right();
    let x = right * (0.62 + 0.16 * wave(time_s, 0.011, 0.0));
    let y = 0.685 + 0.004 * wave(time_s, 0.23, 0.0);
    let tilt = 0.05 * wave(time_s, 0.17, 0.2) + 0.06;
    let (sin, cos) = tilt.sin_cos();
    let scale = 0.9;
    let turned = |p: Point| {
        let (px, py) = (p[0] * scale, p[1] * scale);
        [x + px * cos - py * sin, y + px * sin + py * cos]
    };
    // The image is upside down, broken by the waves and seen through.
    let mirrored = |p: Point| {
        let [px, py] = turned(p);
        let down = 2.0 * y + 0.045 - py;
        let break_up = 0.006 * wave(time_s, 0.5, f64::from(down) * 9.0);
        [px + break_up, y + 0.02 + (down - y - 0.02) * 0.55]
    };
    const HULL: [f32; 12] =
        [-0.13, -0.012, 0.135, -0.022, 0.105, 0.028, 0.02, 0.042, -0.07, 0.038, -0.112, 0.024];
    const MAIN: [f32; 14] = [
        0.004, -0.315, 0.03, -0.24, 0.075, -0.15, 0.108, -0.048, 0.06, -0.04, 0.008, -0.04, 0.006,
        -0.18,
    ];
    const JIB: [f32; 12] =
        [-0.008, -0.29, -0.012, -0.16, -0.012, -0.045, -0.06, -0.05, -0.12, -0.035, -0.062, -0.15];
    let belly = 0.012 * wave(time_s, 0.31, 0.0);
    let blown = |[x, y]: Point| {
        // The mast and the seams hold the rest.
        let is_free = !(-0.05..=0.02).contains(&x);
        let free = if is_free { ((y + 0.32) * 3.2).min(1.0) } else { 0.0 };
        [x + belly * free, y]
    };
    let sail = |sail: &'static [f32]| points(sail).map(blown);
    brush.polygon(sail(&MAIN).map(mirrored), flat(0xf0e2ce).faint(0.32));
    brush.polygon(sail(&JIB).map(mirrored), flat(0xce4638).faint(0.32));
    brush.polygon(points(&HULL).map(mirrored), flat(0x5c2c28).faint(0.45));

    let canvas = gradient(0xfffaec, turned([0.08, -0.1]), 0xccbec4, turned([-0.01, -0.15]));
    brush.polygon(sail(&MAIN).map(turned), canvas);
    let red = gradient(0xec6042, turned([-0.02, -0.12]), 0xa42834, turned([-0.11, -0.08]));
    brush.polygon(sail(&JIB).map(turned), red);
    brush.fill(flat(0x5c3a2c), |outline| {
        let (mast, boom) = ([[0.0, -0.33], [0.0, 0.0]], [[0.0, -0.034], [0.112, -0.04]]);
        outline.stroke(mast.map(turned), (0.004, 0.008));
        outline.stroke(boom.map(turned), (0.006, 0.005));
    });
    let flutter = 0.006 * wave(time_s, 1.1, 0.0);
    let pennant = [turned([0.0, -0.332]), turned([0.042, -0.322 + flutter]), turned([0.0, -0.312])];
    brush.polygon(pennant, flat(0x2c60a8));
    let planks = gradient(0xba603a, turned([0.0, -0.01]), 0x542628, turned([0.0, 0.042]));
    brush.polygon(points(&HULL).map(turned), planks);
    let stripe = [turned([-0.127, -0.002]), turned([0.0, 0.002]), turned([0.13, -0.012])];
    brush.stroke(stripe, (0.006, 0.006), flat(0xfaf0dc));
    // The bow wave.
    for (i, side) in [-0.13, -0.1, 0.1, 0.14].into_iter().enumerate() {
        let foam = 0.004 * wave(time_s, 0.7, f64::from(i as u32) * 0.23);
        let at = [x + side * scale, y + 0.036 + foam];
        brush.ellipse(at, (0.03, 0.005), 0.0, flat(0xfafaf4).faint(0.7));
    }
}

/// Tall flowers in front that bend in the wind.
pub fn flowers(brush: &mut Brush, time_s: f64) {
    /// Share of the width, height above the lower edge, petals.
    const STANDS: [(f32, f32, usize); 9] = [
        (0.66, 0.17, 0),
        (0.71, 0.12, 1),
        (0.745, 0.2, 2),
        (0.79, 0.14, 0),
        (0.835, 0.22, 1),
        (0.87, 0.13, 2),
        (0.915, 0.19, 0),
        (0.955, 0.15, 2),
        (0.985, 0.21, 1),
    ];
    const PETALS: [Colour; 3] = [0xe83e4a, 0xfcfaf4, 0x8e5cc4];
    for (i, (share, tall, kind)) in STANDS.into_iter().enumerate() {
        let offset = f64::from(i as u32) * 0.13;
        let lean = 0.02 * wave(time_s, 0.27, offset) + 0.007 * wave(time_s, 0.9, offset * 3.0);
        let x = share * brush.right();
        let head = [x + lean * tall * 6.0, 1.0 - tall];
        let stalk = [[x, 1.02], [x + lean * tall * 2.0, 1.0 - tall * 0.5], head];
        let green = gradient(0x468434, head, 0x1e4a26, [x, 1.0]);
        brush.fill(green, |outline| {
            outline.stroke(stalk, (0.009, 0.005));
            for side in [-1.0, 1.0] {
                let leaf = [x + side * 0.018 + lean * tall, 1.0 - tall * (0.4 + 0.1 * side)];
                outline.ellipse(leaf, (0.024, 0.007), -side * 0.6);
            }
        });
        let radius = 0.012 + 0.05 * tall;
        let petal = PETALS[kind];
        for k in 0..7 {
            let a = k as f32 / 7.0 * std::f32::consts::TAU + lean * 4.0;
            let (sin, cos) = a.sin_cos();
            let centre = [head[0] + cos * radius, head[1] + sin * radius * 0.8];
            let darker = darker(petal, 0.74);
            let paint = gradient(darker, head, petal, centre);
            brush.ellipse(centre, (radius * 0.72, radius * 0.42), a, paint);
        }
        let heart = gradient(
            0xffd85c,
            [head[0] - radius * 0.3, head[1] - radius * 0.3],
            0xc47622,
            [head[0] + radius * 0.5, head[1] + radius * 0.5],
        );
        brush.ellipse(head, (radius * 0.55, radius * 0.5), 0.0, heart);
    }
}
