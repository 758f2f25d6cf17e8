//! Somebody friendly in front of it all, waving: a face for those who want to see faces painted.

use super::{
    brush::{Brush, Colour, Paint, Point},
    figures::wave,
};

const SKIN: Colour = [240.0, 190.0, 152.0];
const SKIN_SHADE: Colour = [196.0, 128.0, 104.0];
const HAIR: Colour = [126.0, 66.0, 36.0];
const HAIR_SHADE: Colour = [62.0, 30.0, 28.0];
const HAT: Colour = [250.0, 222.0, 138.0];
const HAT_SHADE: Colour = [196.0, 144.0, 72.0];
const SCARF: Colour = [226.0, 56.0, 62.0];
const SCARF_SHADE: Colour = [148.0, 26.0, 52.0];
const SHIRT: Colour = [56.0, 108.0, 180.0];
const SHIRT_SHADE: Colour = [28.0, 54.0, 116.0];
const STRIPE: Colour = [246.0, 240.0, 226.0];
const DARK: Colour = [54.0, 32.0, 36.0];

/// Share of the picture's width at which the person stands.
const PLACE: f32 = 0.27;

/// Draws the person.
pub fn draw(brush: &mut Brush, pixels: &mut [[u8; 4]], time_s: f64) {
    let x = PLACE * brush.right();
    let breath = 0.004 * wave(time_s, 0.25, 0.0);
    let nod = 0.006 * wave(time_s, 0.13, 0.0);
    let mut on = Canvas { brush, pixels };
    let neck = [x, 0.70 + breath];
    let head = [x + nod * 1.4, 0.565 + breath];
    scarf_end(&mut on, neck, time_s);
    resting_arm(&mut on, neck);
    body(&mut on, neck);
    hair_behind(&mut on, head, time_s);
    throat(&mut on, neck, head);
    scarf(&mut on, neck);
    face(&mut on, head, time_s);
    hat(&mut on, head, nod);
    waving_arm(&mut on, neck, time_s);
}

struct Canvas<'a> {
    brush: &'a mut Brush,
    pixels: &'a mut [[u8; 4]],
}

impl Canvas<'_> {
    fn smooth(&mut self, points: &[Point], paint: Paint) {
        self.brush.smooth(self.pixels, points, paint);
    }

    fn stroke(&mut self, points: &[Point], widths: (f32, f32), paint: Paint) {
        self.brush.stroke(self.pixels, points, widths, paint);
    }

    fn ellipse(&mut self, centre: Point, radii: (f32, f32), angle: f32, paint: Paint) {
        self.brush.ellipse(self.pixels, centre, radii, angle, paint);
    }
}

/// Points relative to `origin`.
fn around<const N: usize>(origin: Point, points: [Point; N]) -> [Point; N] {
    points.map(|p| [origin[0] + p[0], origin[1] + p[1]])
}

/// Lit from the right, where the sun is.
fn lit(light: Colour, shade: Colour, centre: Point, reach: f32) -> Paint {
    Paint::gradient(
        shade,
        [centre[0] - reach, centre[1] + reach * 0.3],
        light,
        [centre[0] + reach * 0.5, centre[1] - reach * 0.2],
    )
}

fn body(on: &mut Canvas, neck: Point) {
    let outline = around(
        neck,
        [
            [-0.045, 0.0],
            [0.045, 0.0],
            [0.125, 0.035],
            [0.155, 0.1],
            [0.15, 0.22],
            [0.16, 0.4],
            [-0.16, 0.4],
            [-0.15, 0.22],
            [-0.155, 0.1],
            [-0.125, 0.035],
        ],
    );
    on.smooth(
        &outline,
        lit(SHIRT, SHIRT_SHADE, [neck[0], neck[1] + 0.15], 0.15),
    );
    let shade = STRIPE.map(|v| v * 0.72);
    for k in 0..5 {
        let y = 0.085 + 0.052 * k as f32;
        let half = 0.142 - 0.006 * (k as f32 - 2.0).abs();
        let line = around(
            neck,
            [[-half, y - 0.008], [0.0, y + 0.012], [half, y - 0.008]],
        );
        on.stroke(
            &line,
            (0.017, 0.017),
            lit(STRIPE, shade, [neck[0], neck[1] + y], 0.14),
        );
    }
}

fn resting_arm(on: &mut Canvas, neck: Point) {
    let arm = around(neck, [[-0.125, 0.07], [-0.185, 0.2], [-0.19, 0.36]]);
    on.stroke(
        &arm,
        (0.085, 0.07),
        lit(SHIRT, SHIRT_SHADE, [neck[0] - 0.16, neck[1] + 0.2], 0.06),
    );
}

fn waving_arm(on: &mut Canvas, neck: Point, time_s: f64) {
    // Waves for a while, then rests the hand in the air.
    let eager = 0.5 + 0.5 * wave(time_s, 0.07, 0.2);
    let swing = wave(time_s, 0.85, 0.0) * (0.12 + 0.26 * eager);
    let shoulder = [neck[0] + 0.118, neck[1] + 0.075];
    let elbow = [neck[0] + 0.225, neck[1] + 0.085 - 0.01 * swing];
    let (sin, cos) = (swing - 0.02).sin_cos();
    let along = |length: f32, side: f32| {
        [
            elbow[0] + 0.01 + sin * length + cos * side,
            elbow[1] - cos * length + sin * side,
        ]
    };
    let sleeve = lit(SHIRT, SHIRT_SHADE, [shoulder[0] + 0.05, shoulder[1]], 0.07);
    on.stroke(
        &[shoulder, [elbow[0] - 0.02, elbow[1] + 0.015], elbow],
        (0.088, 0.074),
        sleeve,
    );
    let fore = lit(SHIRT, SHIRT_SHADE, along(0.06, 0.0), 0.05);
    on.stroke(
        &[elbow, along(0.06, 0.0), along(0.115, 0.0)],
        (0.074, 0.06),
        fore,
    );
    let cuff = lit(STRIPE, STRIPE.map(|v| v * 0.72), along(0.12, 0.0), 0.03);
    on.stroke(
        &[along(0.112, -0.027), along(0.112, 0.027)],
        (0.018, 0.018),
        cuff,
    );
    let skin = lit(SKIN, SKIN_SHADE, along(0.17, 0.0), 0.05);
    on.stroke(&[along(0.125, 0.0), along(0.15, 0.0)], (0.036, 0.04), skin);
    on.ellipse(along(0.172, 0.0), (0.03, 0.034), swing, skin);
    for (side, length, lean) in [
        (-0.022, 0.235, -0.012),
        (-0.008, 0.248, -0.004),
        (0.007, 0.245, 0.004),
        (0.021, 0.23, 0.011),
    ] {
        on.stroke(
            &[along(0.18, side), along(length, side + lean)],
            (0.015, 0.012),
            skin,
        );
    }
    on.stroke(
        &[along(0.162, -0.022), along(0.195, -0.05)],
        (0.017, 0.013),
        skin,
    );
    on.stroke(
        &[along(0.168, -0.014), along(0.16, 0.006), along(0.172, 0.02)],
        (0.003, 0.002),
        Paint::flat(SKIN_SHADE).faint(0.6),
    );
}

fn throat(on: &mut Canvas, neck: Point, head: Point) {
    let skin = lit(SKIN, SKIN_SHADE, [neck[0] + 0.01, neck[1] - 0.02], 0.05);
    on.stroke(
        &[[head[0], head[1] + 0.05], [neck[0], neck[1] + 0.015]],
        (0.066, 0.074),
        skin,
    );
}

fn scarf(on: &mut Canvas, neck: Point) {
    let wrap = around(
        neck,
        [
            [-0.068, -0.012],
            [-0.03, 0.022],
            [0.03, 0.024],
            [0.07, -0.008],
        ],
    );
    on.stroke(&wrap, (0.05, 0.052), lit(SCARF, SCARF_SHADE, neck, 0.07));
    let fold = around(neck, [[-0.06, -0.006], [-0.02, 0.018], [0.04, 0.012]]);
    on.stroke(&fold, (0.005, 0.003), Paint::flat(SCARF_SHADE).faint(0.8));
}

/// The end of the scarf that flies in the wind.
fn scarf_end(on: &mut Canvas, neck: Point, time_s: f64) {
    let flap = |along: f64| 0.022 * wave(time_s, 0.8, -along * 1.1);
    let line = [
        [neck[0] - 0.05, neck[1] + 0.012],
        [neck[0] - 0.11, neck[1] - 0.005 + flap(0.25) * 0.6],
        [neck[0] - 0.17, neck[1] - 0.005 + flap(0.5)],
        [neck[0] - 0.235, neck[1] - 0.02 + flap(0.8) * 1.3],
    ];
    let cloth = lit(SCARF, SCARF_SHADE, [neck[0] - 0.13, neck[1]], 0.1);
    on.stroke(&line, (0.044, 0.056), cloth);
    for (from, to) in [(1, 2), (2, 3)] {
        let middle = [
            (line[from][0] + line[to][0]) / 2.0,
            (line[from][1] + line[to][1]) / 2.0,
        ];
        let band = [
            [middle[0] + 0.004, middle[1] - 0.021],
            [middle[0] - 0.004, middle[1] + 0.021],
        ];
        on.stroke(&band, (0.012, 0.012), Paint::flat([250.0, 226.0, 190.0]));
    }
}

fn hair_behind(on: &mut Canvas, head: Point, time_s: f64) {
    let blow = 0.014 * wave(time_s, 0.6, 0.1);
    let outline = around(
        head,
        [
            [-0.02, -0.115],
            [0.06, -0.1],
            [0.098, -0.03],
            [0.098, 0.05],
            [0.075, 0.125],
            [0.0, 0.115],
            [-0.085, 0.15],
            [-0.125 - blow, 0.135 + blow * 0.5],
            [-0.112, 0.06],
            [-0.102, -0.03],
            [-0.075, -0.09],
        ],
    );
    on.smooth(&outline, lit(HAIR, HAIR_SHADE, head, 0.11));
    for (k, dx) in [-0.1, -0.085, 0.083, 0.09].into_iter().enumerate() {
        let out = if dx < 0.0 { -blow } else { blow * 0.3 };
        let strand = around(
            head,
            [
                [dx * 0.85, -0.02],
                [dx, 0.05],
                [dx * 0.95 + out, 0.115 + 0.008 * k as f32],
            ],
        );
        on.stroke(
            &strand,
            (0.004, 0.002),
            Paint::flat([196.0, 120.0, 66.0]).faint(0.7),
        );
    }
}

fn face(on: &mut Canvas, head: Point, time_s: f64) {
    let outline = around(
        head,
        [
            [0.0, -0.1],
            [0.055, -0.082],
            [0.08, -0.02],
            [0.074, 0.04],
            [0.044, 0.085],
            [0.0, 0.102],
            [-0.044, 0.085],
            [-0.074, 0.04],
            [-0.08, -0.02],
            [-0.055, -0.082],
        ],
    );
    let skin = Paint::gradient(
        SKIN_SHADE,
        [head[0] - 0.105, head[1] + 0.05],
        [250.0, 206.0, 168.0],
        [head[0] + 0.05, head[1] - 0.03],
    );
    on.smooth(&outline, skin);
    let blush = Paint::flat([236.0, 120.0, 104.0]);
    for side in [-1.0, 1.0] {
        let cheek = [head[0] + side * 0.048, head[1] + 0.034];
        on.ellipse(cheek, (0.02, 0.014), 0.0, blush.faint(0.3));
        on.ellipse(cheek, (0.012, 0.008), 0.0, blush.faint(0.25));
    }
    // A blink every few seconds.
    let cycle = (time_s / 3.7).fract() as f32;
    let open = if cycle < 0.035 {
        (cycle / 0.0175 - 1.0).abs()
    } else {
        1.0
    };
    let look = 0.004 * wave(time_s, 0.09, 0.4);
    for side in [-1.0, 1.0] {
        let eye = [head[0] + side * 0.031, head[1] - 0.004];
        let white = Paint::flat([252.0, 250.0, 246.0]);
        on.ellipse(eye, (0.0165, 0.0125 * open), 0.0, white);
        let iris = [eye[0] + look, eye[1] + 0.001];
        on.ellipse(
            iris,
            (0.0088, 0.0098 * open),
            0.0,
            Paint::flat([62.0, 122.0, 124.0]),
        );
        on.ellipse(
            iris,
            (0.0048, 0.0054 * open),
            0.0,
            Paint::flat([22.0, 18.0, 26.0]),
        );
        let spark = [iris[0] + 0.003, iris[1] - 0.0035];
        on.ellipse(spark, (0.0022, 0.0022 * open), 0.0, white);
        let lid = around(
            eye,
            [
                [-0.018, 0.003],
                [0.0, -0.0125 * open - 0.001],
                [0.018, 0.002],
            ],
        );
        on.stroke(&lid, (0.004, 0.004), Paint::flat(DARK));
        let brow = around(eye, [[-0.019, -0.025], [0.0, -0.034], [0.019, -0.025]]);
        on.stroke(&brow, (0.0045, 0.0045), Paint::flat(HAIR_SHADE));
    }
    let nose = around(head, [[0.002, 0.004], [0.012, 0.03], [-0.003, 0.034]]);
    on.stroke(&nose, (0.002, 0.005), Paint::flat(SKIN_SHADE).faint(0.85));
    let glad = 0.004 * wave(time_s, 0.1, 0.1);
    let mouth = around(
        head,
        [
            [-0.033, 0.048 - glad],
            [-0.016, 0.056],
            [0.0, 0.058],
            [0.016, 0.056],
            [0.033, 0.048 - glad],
            [0.018, 0.07 + glad],
            [0.0, 0.076 + glad],
            [-0.018, 0.07 + glad],
        ],
    );
    on.smooth(&mouth, Paint::flat([146.0, 36.0, 48.0]));
    let teeth = around(head, [[-0.024, 0.0545], [0.0, 0.0605], [0.024, 0.0545]]);
    on.stroke(&teeth, (0.007, 0.007), Paint::flat([254.0, 250.0, 244.0]));
    let fringe = around(
        head,
        [
            [-0.086, -0.02],
            [-0.08, -0.075],
            [-0.03, -0.108],
            [0.045, -0.1],
            [0.086, -0.03],
            [0.07, -0.05],
            [0.035, -0.058],
            [-0.005, -0.05],
            [-0.05, -0.048],
            [-0.074, -0.03],
        ],
    );
    on.smooth(
        &fringe,
        lit(HAIR, HAIR_SHADE, [head[0], head[1] - 0.06], 0.09),
    );
}

fn hat(on: &mut Canvas, head: Point, nod: f32) {
    let tilt = -0.09 + nod * 3.0;
    let centre = [head[0] - 0.004, head[1] - 0.072];
    let straw = lit(HAT, HAT_SHADE, centre, 0.13);
    on.ellipse(
        [centre[0], centre[1] + 0.009],
        (0.15, 0.03),
        tilt,
        Paint::flat(HAIR_SHADE).faint(0.35),
    );
    on.ellipse(centre, (0.152, 0.031), tilt, straw);
    let crown = around(
        centre,
        [
            [-0.082, 0.004],
            [-0.074, -0.06],
            [-0.03, -0.092],
            [0.034, -0.094],
            [0.068, -0.07],
            [0.08, -0.012],
            [0.04, 0.008],
            [-0.03, 0.016],
        ],
    );
    on.smooth(
        &crown,
        lit(HAT, HAT_SHADE, [centre[0], centre[1] - 0.05], 0.08),
    );
    let ribbon = around(
        centre,
        [
            [-0.08, -0.012],
            [-0.02, 0.0],
            [0.04, -0.006],
            [0.079, -0.024],
        ],
    );
    on.stroke(
        &ribbon,
        (0.024, 0.024),
        lit([52.0, 150.0, 140.0], [24.0, 84.0, 96.0], centre, 0.08),
    );
    for k in 0..4 {
        let y = -0.03 - 0.017 * k as f32;
        let half = 0.072 - 0.009 * k as f32;
        let weave = around(centre, [[-half, y], [0.0, y + 0.01], [half, y - 0.012]]);
        on.stroke(&weave, (0.0022, 0.0022), Paint::flat(HAT_SHADE).faint(0.7));
    }
}
