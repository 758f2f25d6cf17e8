//! A waving person in front: a face, to see faces painted.

use super::{
    brush::{Brush, Colour, Paint, Point, darker, flat, gradient, points},
    noise::wave,
};

const SKIN: Colour = 0xf0be98;
const SKIN_SHADE: Colour = 0xc48068;
const HAIR: Colour = 0x7e4224;
const HAIR_SHADE: Colour = 0x3e1e1c;
const HAT: Colour = 0xfade8a;
const HAT_SHADE: Colour = 0xc49048;
const SCARF: Colour = 0xe2383e;
const SCARF_SHADE: Colour = 0x941a34;
const SHIRT: Colour = 0x386cb4;
const SHIRT_SHADE: Colour = 0x1c3674;
const STRIPE: Colour = 0xf6f0e2;
const WHITE: Colour = 0xfcfaf6;
const DARK: Colour = 0x362024;

/// Share of the picture's width at which the person stands.
const PLACE: f32 = 0.27;

/// Draws the person.
pub fn draw(on: &mut Brush, time_s: f64) {
    let x = PLACE * on.right();
    let breath = 0.004 * wave(time_s, 0.25, 0.0);
    let nod = 0.006 * wave(time_s, 0.13, 0.0);
    let neck = [x, 0.70 + breath];
    let head = [x + nod * 1.4, 0.565 + breath];
    scarf_end(on, neck, time_s);
    resting_arm(on, neck);
    body(on, neck);
    hair_behind(on, head, time_s);
    throat(on, neck, head);
    scarf(on, neck);
    face(on, head, time_s);
    hat(on, head, nod);
    waving_arm(on, neck, time_s);
}

/// Points relative to `origin`.
fn around(origin: Point, relative: &[f32]) -> impl Iterator<Item = Point> {
    points(relative).map(move |[x, y]| [origin[0] + x, origin[1] + y])
}

/// Lit from the right, where the sun is.
fn lit(light: Colour, shade: Colour, centre: Point, reach: f32) -> Paint {
    gradient(
        shade,
        [centre[0] - reach, centre[1] + reach * 0.3],
        light,
        [centre[0] + reach * 0.5, centre[1] - reach * 0.2],
    )
}

fn body(on: &mut Brush, neck: Point) {
    on.smooth(
        around(
            neck,
            &[
                -0.045, 0.0, 0.045, 0.0, 0.125, 0.035, 0.155, 0.1, 0.15, 0.22, 0.16, 0.4, -0.16,
                0.4, -0.15, 0.22, -0.155, 0.1, -0.125, 0.035,
            ],
        ),
        lit(SHIRT, SHIRT_SHADE, [neck[0], neck[1] + 0.15], 0.15),
    );
    let shade = darker(STRIPE, 0.72);
    for k in 0..5 {
        let y = 0.085 + 0.052 * k as f32;
        let half = 0.142 - 0.006 * (k as f32 - 2.0).abs();
        on.stroke(
            around(neck, &[-half, y - 0.008, 0.0, y + 0.012, half, y - 0.008]),
            (0.017, 0.017),
            lit(STRIPE, shade, [neck[0], neck[1] + y], 0.14),
        );
    }
}

fn resting_arm(on: &mut Brush, neck: Point) {
    on.stroke(
        around(neck, &[-0.125, 0.07, -0.185, 0.2, -0.19, 0.36]),
        (0.085, 0.07),
        lit(SHIRT, SHIRT_SHADE, [neck[0] - 0.16, neck[1] + 0.2], 0.06),
    );
}

fn waving_arm(on: &mut Brush, neck: Point, time_s: f64) {
    // Waves for a while, then rests the hand in the air.
    let eager = 0.5 + 0.5 * wave(time_s, 0.07, 0.2);
    let swing = wave(time_s, 0.85, 0.0) * (0.12 + 0.26 * eager);
    let shoulder = [neck[0] + 0.118, neck[1] + 0.075];
    let elbow = [neck[0] + 0.225, neck[1] + 0.085 - 0.01 * swing];
    let (sin, cos) = (swing - 0.02).sin_cos();
    let along = |length: f32, side: f32| {
        [elbow[0] + 0.01 + sin * length + cos * side, elbow[1] - cos * length + sin * side]
    };
    let sleeve = lit(SHIRT, SHIRT_SHADE, [shoulder[0] + 0.05, shoulder[1]], 0.07);
    on.stroke([shoulder, [elbow[0] - 0.02, elbow[1] + 0.015], elbow], (0.088, 0.074), sleeve);
    let fore = lit(SHIRT, SHIRT_SHADE, along(0.06, 0.0), 0.05);
    on.stroke([elbow, along(0.06, 0.0), along(0.115, 0.0)], (0.074, 0.06), fore);
    let cuff = lit(STRIPE, darker(STRIPE, 0.72), along(0.12, 0.0), 0.03);
    on.stroke([along(0.112, -0.027), along(0.112, 0.027)], (0.018, 0.018), cuff);
    let skin = lit(SKIN, SKIN_SHADE, along(0.17, 0.0), 0.05);
    on.fill(skin, |hand| {
        hand.stroke([along(0.125, 0.0), along(0.15, 0.0)], (0.036, 0.04));
        hand.ellipse(along(0.172, 0.0), (0.03, 0.034), swing);
        for (side, length, lean) in [
            (-0.022, 0.235, -0.012),
            (-0.008, 0.248, -0.004),
            (0.007, 0.245, 0.004),
            (0.021, 0.23, 0.011),
        ] {
            hand.stroke([along(0.18, side), along(length, side + lean)], (0.015, 0.012));
        }
        hand.stroke([along(0.162, -0.022), along(0.195, -0.05)], (0.017, 0.013));
    });
    on.stroke(
        [along(0.168, -0.014), along(0.16, 0.006), along(0.172, 0.02)],
        (0.003, 0.002),
        flat(SKIN_SHADE).faint(0.6),
    );
}

fn throat(on: &mut Brush, neck: Point, head: Point) {
    let skin = lit(SKIN, SKIN_SHADE, [neck[0] + 0.01, neck[1] - 0.02], 0.05);
    on.stroke([[head[0], head[1] + 0.05], [neck[0], neck[1] + 0.015]], (0.066, 0.074), skin);
}

fn scarf(on: &mut Brush, neck: Point) {
    on.stroke(
        around(neck, &[-0.068, -0.012, -0.03, 0.022, 0.03, 0.024, 0.07, -0.008]),
        (0.05, 0.052),
        lit(SCARF, SCARF_SHADE, neck, 0.07),
    );
    on.stroke(
        around(neck, &[-0.06, -0.006, -0.02, 0.018, 0.04, 0.012]),
        (0.005, 0.003),
        flat(SCARF_SHADE).faint(0.8),
    );
}

/// The end of the scarf that flies in the wind.
fn scarf_end(on: &mut Brush, neck: Point, time_s: f64) {
    let flap = |along: f64| 0.022 * wave(time_s, 0.8, -along * 1.1);
    let line = [
        [neck[0] - 0.05, neck[1] + 0.012],
        [neck[0] - 0.11, neck[1] - 0.005 + flap(0.25) * 0.6],
        [neck[0] - 0.17, neck[1] - 0.005 + flap(0.5)],
        [neck[0] - 0.235, neck[1] - 0.02 + flap(0.8) * 1.3],
    ];
    let cloth = lit(SCARF, SCARF_SHADE, [neck[0] - 0.13, neck[1]], 0.1);
    on.stroke(line, (0.044, 0.056), cloth);
    for (from, to) in [(1, 2), (2, 3)] {
        let middle = [(line[from][0] + line[to][0]) / 2.0, (line[from][1] + line[to][1]) / 2.0];
        let band = [[middle[0] + 0.004, middle[1] - 0.021], [middle[0] - 0.004, middle[1] + 0.021]];
        on.stroke(band, (0.012, 0.012), flat(0xfae2be));
    }
}

fn hair_behind(on: &mut Brush, head: Point, time_s: f64) {
    let blow = 0.014 * wave(time_s, 0.6, 0.1);
    let (left, low) = (-0.125 - blow, 0.135 + blow * 0.5);
    on.smooth(
        around(
            head,
            &[
                -0.02, -0.115, 0.06, -0.1, 0.098, -0.03, 0.098, 0.05, 0.075, 0.125, 0.0, 0.115,
                -0.085, 0.15, left, low, -0.112, 0.06, -0.102, -0.03, -0.075, -0.09,
            ],
        ),
        lit(HAIR, HAIR_SHADE, head, 0.11),
    );
    for (k, dx) in [-0.1, -0.085, 0.083, 0.09].into_iter().enumerate() {
        let out = if dx < 0.0 { -blow } else { blow * 0.3 };
        on.stroke(
            around(head, &[dx * 0.85, -0.02, dx, 0.05, dx * 0.95 + out, 0.115 + 0.008 * k as f32]),
            (0.004, 0.002),
            flat(0xc47842).faint(0.7),
        );
    }
}

fn face(on: &mut Brush, head: Point, time_s: f64) {
    let skin = gradient(
        SKIN_SHADE,
        [head[0] - 0.105, head[1] + 0.05],
        0xfacea8,
        [head[0] + 0.05, head[1] - 0.03],
    );
    on.smooth(
        around(
            head,
            &[
                0.0, -0.1, 0.055, -0.082, 0.08, -0.02, 0.074, 0.04, 0.044, 0.085, 0.0, 0.102,
                -0.044, 0.085, -0.074, 0.04, -0.08, -0.02, -0.055, -0.082,
            ],
        ),
        skin,
    );
    for side in [-1.0, 1.0] {
        let cheek = [head[0] + side * 0.048, head[1] + 0.034];
        on.ellipse(cheek, (0.02, 0.014), 0.0, flat(0xec7868).faint(0.3));
        on.ellipse(cheek, (0.012, 0.008), 0.0, flat(0xec7868).faint(0.25));
    }
    // A blink every few seconds.
    let cycle = (time_s / 3.7).fract() as f32;
    let open = if cycle < 0.035 { (cycle / 0.0175 - 1.0).abs() } else { 1.0 };
    let look = 0.004 * wave(time_s, 0.09, 0.4);
    for side in [-1.0, 1.0] {
        let eye = [head[0] + side * 0.031, head[1] - 0.004];
        on.ellipse(eye, (0.0165, 0.0125 * open), 0.0, flat(WHITE));
        let iris = [eye[0] + look, eye[1] + 0.001];
        on.ellipse(iris, (0.0088, 0.0098 * open), 0.0, flat(0x3e7a7c));
        on.ellipse(iris, (0.0048, 0.0054 * open), 0.0, flat(0x16121a));
        let spark = [iris[0] + 0.003, iris[1] - 0.0035];
        on.ellipse(spark, (0.0022, 0.0022 * open), 0.0, flat(WHITE));
        on.stroke(
            around(eye, &[-0.018, 0.003, 0.0, -0.0125 * open - 0.001, 0.018, 0.002]),
            (0.004, 0.004),
            flat(DARK),
        );
        on.stroke(
            around(eye, &[-0.019, -0.025, 0.0, -0.034, 0.019, -0.025]),
            (0.0045, 0.0045),
            flat(HAIR_SHADE),
        );
    }
    on.stroke(
        around(head, &[0.002, 0.004, 0.012, 0.03, -0.003, 0.034]),
        (0.002, 0.005),
        flat(SKIN_SHADE).faint(0.85),
    );
    let glad = 0.004 * wave(time_s, 0.1, 0.1);
    let (corner, low, lowest) = (0.048 - glad, 0.07 + glad, 0.076 + glad);
    on.smooth(
        around(
            head,
            &[
                -0.033, corner, -0.016, 0.056, 0.0, 0.058, 0.016, 0.056, 0.033, corner, 0.018, low,
                0.0, lowest, -0.018, low,
            ],
        ),
        flat(0x922430),
    );
    on.stroke(
        around(head, &[-0.024, 0.0545, 0.0, 0.0605, 0.024, 0.0545]),
        (0.007, 0.007),
        flat(0xfefaf4),
    );
    on.smooth(
        around(
            head,
            &[
                -0.086, -0.02, -0.08, -0.075, -0.03, -0.108, 0.045, -0.1, 0.086, -0.03, 0.07,
                -0.05, 0.035, -0.058, -0.005, -0.05, -0.05, -0.048, -0.074, -0.03,
            ],
        ),
        lit(HAIR, HAIR_SHADE, [head[0], head[1] - 0.06], 0.09),
    );
}

fn hat(on: &mut Brush, head: Point, nod: f32) {
    let tilt = -0.09 + nod * 3.0;
    let centre = [head[0] - 0.004, head[1] - 0.072];
    let straw = lit(HAT, HAT_SHADE, centre, 0.13);
    on.ellipse([centre[0], centre[1] + 0.009], (0.15, 0.03), tilt, flat(HAIR_SHADE).faint(0.35));
    on.ellipse(centre, (0.152, 0.031), tilt, straw);
    on.smooth(
        around(
            centre,
            &[
                -0.082, 0.004, -0.074, -0.06, -0.03, -0.092, 0.034, -0.094, 0.068, -0.07, 0.08,
                -0.012, 0.04, 0.008, -0.03, 0.016,
            ],
        ),
        lit(HAT, HAT_SHADE, [centre[0], centre[1] - 0.05], 0.08),
    );
    on.stroke(
        around(centre, &[-0.08, -0.012, -0.02, 0.0, 0.04, -0.006, 0.079, -0.024]),
        (0.024, 0.024),
        lit(0x34968c, 0x185460, centre, 0.08),
    );
    for k in 0..4 {
        let y = -0.03 - 0.017 * k as f32;
        let half = 0.072 - 0.009 * k as f32;
        on.stroke(
            around(centre, &[-half, y, 0.0, y + 0.01, half, y - 0.012]),
            (0.0022, 0.0022),
            flat(HAT_SHADE).faint(0.7),
        );
    }
}
