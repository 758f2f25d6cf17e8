//! What moves through the landscape: balloon, birds, lighthouse, boat, flowers.

use super::{
    brush::{Brush, Colour, Paint, Point},
    landscape::HORIZON,
};

/// A sine wave of `turns_per_s`, exact for days.
pub fn wave(time_s: f64, turns_per_s: f64, offset_turns: f64) -> f32 {
    let turns = (time_s * turns_per_s + offset_turns).fract();
    (turns * std::f64::consts::TAU).sin() as f32
}

/// How far a way of `seconds` is done, 0 to 1, again and again.
fn way(time_s: f64, seconds: f64, offset: f64) -> f32 {
    (time_s / seconds + offset).rem_euclid(1.0) as f32
}

/// A hot-air balloon that drifts across the sky.
pub fn balloon(brush: &mut Brush, pixels: &mut [[u8; 4]], time_s: f64) {
    let x = (brush.right() + 0.3) * way(time_s, 95.0, 0.46) - 0.15;
    let y = 0.155 + 0.02 * wave(time_s, 0.05, 0.0);
    let (rx, ry) = (0.062, 0.072);
    const STRIPES: [Colour; 7] = [
        [196.0, 44.0, 52.0],
        [246.0, 196.0, 68.0],
        [214.0, 62.0, 58.0],
        [250.0, 226.0, 150.0],
        [206.0, 54.0, 56.0],
        [240.0, 180.0, 60.0],
        [150.0, 34.0, 50.0],
    ];
    // Seams of a ball seen from the side: each stripe is the part between two half ellipses.
    let n = STRIPES.len();
    for (i, colour) in STRIPES.iter().enumerate() {
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
        let darker = colour.map(|v| v * 0.72);
        let paint = Paint::gradient(*colour, [x, y - ry * 0.3], darker, [x - rx * 0.4, y + ry]);
        brush.polygon(pixels, &points, paint);
    }
    let rope = Paint::flat([84.0, 60.0, 48.0]);
    let (under, basket) = (y + ry * 1.2, y + ry * 1.62);
    for side in [-1.0, 1.0] {
        let rope_line = [[x + side * 0.014, under], [x + side * 0.011, basket]];
        brush.stroke(pixels, &rope_line, (0.002, 0.002), rope);
    }
    let box_points = [
        [x - 0.014, basket],
        [x + 0.014, basket],
        [x + 0.011, basket + 0.022],
        [x - 0.011, basket + 0.022],
    ];
    let wicker = Paint::gradient(
        [176.0, 118.0, 66.0],
        [x, basket],
        [104.0, 66.0, 40.0],
        [x, basket + 0.022],
    );
    brush.polygon(pixels, &box_points, wicker);
}

/// A flight of birds.
pub fn birds(brush: &mut Brush, pixels: &mut [[u8; 4]], time_s: f64) {
    const PLACES: [(f32, f32, f32); 6] = [
        (0.0, 0.0, 1.0),
        (-0.055, 0.018, 0.85),
        (-0.05, -0.026, 0.8),
        (-0.11, 0.04, 0.75),
        (-0.115, -0.045, 0.7),
        (-0.17, 0.006, 0.65),
    ];
    let lead = (brush.right() + 0.5) * way(time_s, 34.0, 0.3) - 0.1;
    let paint = Paint::flat([52.0, 46.0, 66.0]);
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
        for sign in [-1.0, 1.0] {
            brush.stroke(pixels, &wing(sign), (0.22 * s, 0.05 * s), paint);
        }
        brush.ellipse(pixels, [x, y + 0.02 * s], (0.3 * s, 0.13 * s), 0.1, paint);
    }
}

/// A lighthouse on a rock before the far shore, its lamp turning.
pub fn lighthouse(brush: &mut Brush, pixels: &mut [[u8; 4]], time_s: f64) {
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
    let stone = Paint::gradient(
        [146.0, 124.0, 116.0],
        [x - 0.05, foot],
        [70.0, 62.0, 78.0],
        [x + 0.06, foot],
    );
    brush.polygon(pixels, &rock, stone);
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
        let (light, dark) = if band % 2 == 0 {
            ([214.0, 58.0, 52.0], [126.0, 26.0, 44.0])
        } else {
            ([252.0, 244.0, 232.0], [168.0, 160.0, 180.0])
        };
        let paint = Paint::gradient(light, [x - 0.012, y(t0)], dark, [x + 0.02, y(t0)]);
        brush.polygon(pixels, &quad, paint);
    }
    // The lamp swells when it looks at the viewer.
    let turn = wave(time_s, 0.2, 0.0).max(0.0).powi(3);
    let lamp = [x, top - 0.012];
    let glow = Paint::flat([255.0, 240.0, 170.0]);
    brush.ellipse(
        pixels,
        lamp,
        (0.016 + 0.05 * turn, 0.016 + 0.05 * turn),
        0.0,
        glow.faint(0.28 * turn),
    );
    let rail = [
        [x - 0.018, top + 0.004],
        [x + 0.018, top + 0.004],
        [x + 0.018, top - 0.002],
        [x - 0.018, top - 0.002],
    ];
    brush.polygon(pixels, &rail, Paint::flat([58.0, 52.0, 66.0]));
    brush.ellipse(pixels, lamp, (0.009, 0.012), 0.0, glow);
    let roof = [
        [x - 0.014, top - 0.022],
        [x, top - 0.042],
        [x + 0.014, top - 0.022],
    ];
    brush.polygon(pixels, &roof, Paint::flat([158.0, 38.0, 46.0]));
}

/// A sailing boat that tacks to and fro, with its image in the water.
pub fn boat(brush: &mut Brush, pixels: &mut [[u8; 4]], time_s: f64) {
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
    const HULL: [Point; 6] = [
        [-0.13, -0.012],
        [0.135, -0.022],
        [0.105, 0.028],
        [0.02, 0.042],
        [-0.07, 0.038],
        [-0.112, 0.024],
    ];
    const MAIN: [Point; 7] = [
        [0.004, -0.315],
        [0.03, -0.24],
        [0.075, -0.15],
        [0.108, -0.048],
        [0.06, -0.04],
        [0.008, -0.04],
        [0.006, -0.18],
    ];
    const JIB: [Point; 6] = [
        [-0.008, -0.29],
        [-0.012, -0.16],
        [-0.012, -0.045],
        [-0.06, -0.05],
        [-0.12, -0.035],
        [-0.062, -0.15],
    ];
    let belly = 0.012 * wave(time_s, 0.31, 0.0);
    let blown = |sail: &[Point], i: usize| {
        let [px, py] = sail[i];
        // The mast and the seams hold the rest.
        let held = (-0.05..=0.02).contains(&px);
        let free = if held {
            0.0
        } else {
            ((py + 0.32) * 3.2).min(1.0)
        };
        [px + belly * free, py]
    };
    let image = [
        (Paint::flat([240.0, 226.0, 206.0]), 0.32),
        (Paint::flat([206.0, 70.0, 56.0]), 0.32),
        (Paint::flat([92.0, 44.0, 40.0]), 0.45),
    ];
    let main_image: [Point; 7] = std::array::from_fn(|i| mirrored(blown(&MAIN, i)));
    let jib_image: [Point; 6] = std::array::from_fn(|i| mirrored(blown(&JIB, i)));
    let hull_image: [Point; 6] = std::array::from_fn(|i| mirrored(HULL[i]));
    brush.polygon(pixels, &main_image, image[0].0.faint(image[0].1));
    brush.polygon(pixels, &jib_image, image[1].0.faint(image[1].1));
    brush.polygon(pixels, &hull_image, image[2].0.faint(image[2].1));

    let main: [Point; 7] = std::array::from_fn(|i| turned(blown(&MAIN, i)));
    let jib: [Point; 6] = std::array::from_fn(|i| turned(blown(&JIB, i)));
    let hull: [Point; 6] = std::array::from_fn(|i| turned(HULL[i]));
    let canvas = Paint::gradient(
        [255.0, 250.0, 236.0],
        turned([0.08, -0.1]),
        [204.0, 190.0, 196.0],
        turned([-0.01, -0.15]),
    );
    brush.polygon(pixels, &main, canvas);
    let red = Paint::gradient(
        [236.0, 96.0, 66.0],
        turned([-0.02, -0.12]),
        [164.0, 40.0, 52.0],
        turned([-0.11, -0.08]),
    );
    brush.polygon(pixels, &jib, red);
    let wood = Paint::flat([92.0, 58.0, 44.0]);
    brush.stroke(
        pixels,
        &[turned([0.0, -0.33]), turned([0.0, 0.0])],
        (0.004, 0.008),
        wood,
    );
    brush.stroke(
        pixels,
        &[turned([0.0, -0.034]), turned([0.112, -0.04])],
        (0.006, 0.005),
        wood,
    );
    let flutter = 0.006 * wave(time_s, 1.1, 0.0);
    let pennant = [
        turned([0.0, -0.332]),
        turned([0.042, -0.322 + flutter]),
        turned([0.0, -0.312]),
    ];
    brush.polygon(pixels, &pennant, Paint::flat([44.0, 96.0, 168.0]));
    let planks = Paint::gradient(
        [186.0, 96.0, 58.0],
        turned([0.0, -0.01]),
        [84.0, 38.0, 40.0],
        turned([0.0, 0.042]),
    );
    brush.polygon(pixels, &hull, planks);
    let stripe = [
        turned([-0.127, -0.002]),
        turned([0.0, 0.002]),
        turned([0.13, -0.012]),
    ];
    brush.stroke(
        pixels,
        &stripe,
        (0.006, 0.006),
        Paint::flat([250.0, 240.0, 220.0]),
    );
    // The bow wave.
    for (i, side) in [-0.13, -0.1, 0.1, 0.14].into_iter().enumerate() {
        let foam = 0.004 * wave(time_s, 0.7, f64::from(i as u32) * 0.23);
        let at = [x + side * scale, y + 0.036 + foam];
        brush.ellipse(
            pixels,
            at,
            (0.03, 0.005),
            0.0,
            Paint::flat([250.0, 250.0, 244.0]).faint(0.7),
        );
    }
}

/// Tall flowers in front that bend in the wind.
pub fn flowers(brush: &mut Brush, pixels: &mut [[u8; 4]], time_s: f64) {
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
    const PETALS: [Colour; 3] = [
        [232.0, 62.0, 74.0],
        [252.0, 250.0, 244.0],
        [142.0, 92.0, 196.0],
    ];
    for (i, (share, tall, kind)) in STANDS.into_iter().enumerate() {
        let offset = f64::from(i as u32) * 0.13;
        let lean = 0.02 * wave(time_s, 0.27, offset) + 0.007 * wave(time_s, 0.9, offset * 3.0);
        let x = share * brush.right();
        let head = [x + lean * tall * 6.0, 1.0 - tall];
        let stalk = [[x, 1.02], [x + lean * tall * 2.0, 1.0 - tall * 0.5], head];
        let green = Paint::gradient([70.0, 132.0, 52.0], head, [30.0, 74.0, 38.0], [x, 1.0]);
        brush.stroke(pixels, &stalk, (0.009, 0.005), green);
        for side in [-1.0f32, 1.0] {
            let leaf = [
                x + side * 0.018 + lean * tall,
                1.0 - tall * (0.4 + 0.1 * side),
            ];
            brush.ellipse(pixels, leaf, (0.024, 0.007), -side * 0.6, green);
        }
        let radius = 0.012 + 0.05 * tall;
        let petal = PETALS[kind];
        for k in 0..7 {
            let a = k as f32 / 7.0 * std::f32::consts::TAU + lean * 4.0;
            let (sin, cos) = a.sin_cos();
            let centre = [head[0] + cos * radius, head[1] + sin * radius * 0.8];
            let darker = petal.map(|v| v * 0.74);
            let paint = Paint::gradient(darker, head, petal, centre);
            brush.ellipse(pixels, centre, (radius * 0.72, radius * 0.42), a, paint);
        }
        let heart = Paint::gradient(
            [255.0, 216.0, 92.0],
            [head[0] - radius * 0.3, head[1] - radius * 0.3],
            [196.0, 118.0, 34.0],
            [head[0] + radius * 0.5, head[1] + radius * 0.5],
        );
        brush.ellipse(pixels, head, (radius * 0.55, radius * 0.5), 0.0, heart);
    }
}
