//! Everything that is not a figure: sky, clouds, mountains, hills, water, the meadow in front.

use std::{f32::consts::TAU, sync::Arc};

use super::{
    brush::{Brush, Colour, Outline, Point, Shape, blend, flat, glow, gradient},
    noise::{mix, random, rough, step, wave, way},
};

/// Where the water begins, in heights of the picture.
pub const HORIZON: f32 = 0.55;
/// Lowest row of the water; below it the meadow hides it.
const WATER_END: f32 = 0.915;
/// Where the sun stands: share of the width, and heights of the picture.
const SUN: Point = [0.66, 0.36];
/// How far the viewer moves to either side.
const SWAY: f32 = 0.1;
/// Columns of the landscape beyond the picture's edges, for the sway.
const MARGIN: f32 = 0.15;
/// Widest picture that is filled with detail; beyond it are only colours.
const MOST_DETAIL: f32 = 8.0;
/// Waves from the horizon to the viewer.
const WAVE_ROWS: usize = 34;
/// Sparkles of the sun on the water.
const GLITTER: usize = 170;

/// Its place on the way that clouds take, 0 to 1, and its shapes beside x = 0.
type Cloud = (f32, Arc<[Shape]>);

/// The parts that are made once, at their places when the viewer stands in the middle.
pub struct Landscape {
    high_clouds: Vec<Cloud>,
    low_clouds: Vec<Cloud>,
    mountains: Arc<[Shape]>,
    hills: Arc<[Shape]>,
    meadow: Arc<[Shape]>,
}

impl Landscape {
    /// Makes the shapes of a picture `right` heights wide.
    pub fn new(right: f32) -> Self {
        let right = right.min(MOST_DETAIL);
        let clouds = |per_height: f32, make: fn(usize) -> Vec<Shape>| {
            let count = (per_height * (right + 1.0)) as usize;
            let place = |i| (i as f32 + 0.6 * random(i, 1)) / count as f32;
            let cloud = |i| (place(i), make(i).into());
            (0..count).map(cloud).collect()
        };
        Self {
            high_clouds: clouds(6.0, high_cloud),
            low_clouds: clouds(3.6, low_cloud),
            mountains: mountains(right).into(),
            hills: hills(right).into(),
            meadow: meadow(right).into(),
        }
    }

    /// Sky, sun and high clouds.
    pub fn draw_sky(&self, brush: &mut Brush, time_s: f64) {
        let middle = 0x80aad2;
        brush.band((0.0, 0x2c58a8), (0.3, middle));
        brush.band((0.3, middle), (HORIZON, 0xffce84));
        let sun = [SUN[0] * brush.right(), SUN[1]];
        let glow = glow(0xffcc7e, sun, 0.36).faint(0.8);
        brush.ellipse(sun, (0.36, 0.36), 0.0, glow);
        brush.ellipse(sun, (0.06, 0.06), 0.0, flat(0xfff6cd));
        draw_clouds(&self.high_clouds, 166.0, brush, time_s);
    }

    /// Low clouds, and mountains and hills on the far side of the water.
    pub fn draw_far(&self, brush: &mut Brush, time_s: f64) {
        draw_clouds(&self.low_clouds, 62.0, brush, time_s);
        brush.shapes(&self.mountains, [-0.1 * sway(time_s), 0.0]);
        brush.shapes(&self.hills, [-0.3 * sway(time_s), 0.0]);
    }

    /// The water, with its waves and its glitter below the sun. `reflected` draws what it mirrors.
    pub fn draw_water(&self, brush: &mut Brush, time_s: f64, reflected: impl FnOnce(&mut Brush)) {
        let right = brush.right().min(MOST_DETAIL);
        let near = 0x1a4a78;
        brush.band((HORIZON, 0x94a2a0), (0.72, 0x48769a));
        brush.band((0.72, 0x48769a), (WATER_END, near));
        brush.band((WATER_END, near), (1.01, near));
        brush.mirrored(HORIZON, 0.4, reflected);
        let at = |depth: f32| mix(HORIZON, WATER_END, depth.powf(1.5));
        for row in 0..WAVE_ROWS {
            // Waves are long and far apart near the viewer.
            let depth = (row as f32 + 0.5) / WAVE_ROWS as f32;
            let apart = 0.035 + 0.24 * depth;
            let offset = f64::from(random(row, 3));
            let drift = apart * way(time_s, 6.0 - f64::from(depth), offset);
            let (far, near) =
                [(0xf0d6d8, 0xc4d6d8), (0x3c6890, 0x062c54), (0x96b0be, 0x468cbe)][row % 3];
            let colour = blend(far, near, depth);
            let y = at(depth) + 0.006 * depth * wave(time_s, 0.21, offset);
            brush.fill(flat(colour).faint(0.34), |outline| {
                for k in 0..(right / apart) as usize + 3 {
                    let x = apart * (k as f32 - 1.0) + drift;
                    // The crest keeps its size while it goes from one place to the next.
                    let phase = 7.0 * f64::from(random(row, 5)) - f64::from(x) * 0.9;
                    let swell = 0.75 + 0.25 * wave(time_s, 0.17, phase);
                    let size = (apart * 0.46 * swell, (0.0013 + 0.0075 * depth) * swell);
                    outline.lens([x, y + 0.004 * depth * swell], size);
                }
            });
        }
        let sun = SUN[0] * brush.right();
        brush.fill(flat(0xffe49e).faint(0.85), |outline| {
            for i in 0..GLITTER {
                let depth = random(i, 7) * 0.9;
                let turns = 0.4 + 0.8 * f64::from(random(i, 8));
                let bright = wave(time_s, turns, f64::from(random(i, 9))).max(0.0);
                let across = random(i, 10) + random(i, 11) - 1.0;
                let x = sun + across * (0.05 + 0.16 * depth);
                let size = 0.3 + 0.7 * bright * (1.0 - across.abs());
                if bright > 0.0 {
                    let radii = ((0.004 + 0.022 * depth) * size, (0.0008 + 0.003 * depth) * size);
                    outline.lens([x, at(depth)], radii);
                }
            }
        });
    }

    /// The meadow in front.
    pub fn draw_near(&self, brush: &mut Brush, time_s: f64) {
        brush.shapes(&self.meadow, [-sway(time_s), 0.0]);
    }
}

/// Clouds that drift by a height in so many seconds.
fn draw_clouds(clouds: &[Cloud], seconds_per_height: f64, brush: &mut Brush, time_s: f64) {
    let reach = brush.right() + 1.0;
    for (place, shapes) in clouds {
        let share = way(time_s, -seconds_per_height * f64::from(reach), f64::from(*place));
        brush.shapes(shapes, [reach * share - 0.5, 0.0]);
    }
}

/// How far the viewer has moved to the right, in heights.
fn sway(time_s: f64) -> f32 {
    SWAY * wave(time_s, 0.035, 0.0)
}

/// `count` numbers for each height between the edges of a landscape, with their number.
fn along(right: f32, per_height: f32) -> impl Iterator<Item = (usize, f32)> + Clone {
    let count = ((right + 2.0 * MARGIN) * per_height) as usize + 2;
    (0..count).map(move |i| (i, i as f32 / per_height - MARGIN))
}

/// The ground below a line, down to `bottom`.
fn below(
    outline: &mut Outline,
    right: f32,
    per_height: f32,
    bottom: f32,
    line: impl Fn(f32) -> f32,
) {
    let line = along(right, per_height).map(|(_, x)| [x, line(x)]);
    let ends = [[right + 2.0 * MARGIN, bottom], [-MARGIN, bottom]];
    outline.polygon(line.chain(ends));
}

/// Torn streaks high above.
fn high_cloud(number: usize) -> Vec<Shape> {
    let of = |k: usize, seed| random(number * 16 + k, seed);
    let y = mix(0.03, 0.3, of(0, 13));
    let colour = blend(0xfff4f0, 0xffe2c8, y);
    let streak = |k| {
        Shape::new(flat(colour).faint(0.16 + 0.2 * of(k, 14)), |outline| {
            let centre = [0.3 * (of(k, 15) - 0.5), y + 0.04 * (of(k, 16) - 0.5)];
            let radii = (0.05 + 0.12 * of(k, 17), 0.0015 + 0.0055 * of(k, 18));
            outline.ellipse(centre, radii, -0.12 * of(k, 19));
        })
    };
    (1..9).map(streak).collect()
}

/// A heap of cloud with a lit top and a blue underside. Clouds gather in two banks.
fn low_cloud(number: usize) -> Vec<Shape> {
    let of = |k: usize, seed| random(number * 32 + k, seed);
    let is_low = number % 5 > 2;
    let size = mix(0.5, 1.0, of(0, 23)) * if is_low { 0.5 } else { 1.0 };
    let y = if is_low { 0.39 } else { mix(0.11, 0.27, of(0, 24)) };
    let puffs = 15;
    let puff = |k: usize| -> (Point, f32) {
        let across = 2.0 * k as f32 / (puffs - 1) as f32 - 1.0;
        let tall = (1.0 - across * across).max(0.08);
        let radius = size * (0.022 + 0.036 * tall * mix(0.5, 1.0, of(k, 25)));
        let x = size * (0.2 * across + 0.02 * (of(k, 26) - 0.5));
        ([x, y - radius * 0.6 - size * 0.045 * tall * of(k, 27)], radius)
    };
    let heap = |shrink: f32, up: f32| {
        move |outline: &mut Outline| {
            for ([x, y], radius) in (0..puffs).map(puff) {
                let radius = radius * shrink;
                outline.ellipse([x + up * 0.4, y - up], (radius, radius * 0.86), 0.0);
            }
        }
    };
    let (top, middle, under) = (0xfff0de, 0xe2cece, 0x9686a8);
    let mut shapes = vec![
        Shape::new(
            gradient(middle, [0.0, y - size * 0.1], under, [0.0, y + size * 0.02]),
            heap(1.0, 0.0),
        ),
        Shape::new(
            gradient(top, [0.0, y - size * 0.12], middle, [0.0, y]).faint(0.8),
            heap(0.84, size * 0.008),
        ),
    ];
    for ([x, y], radius) in (0..puffs).step_by(3).map(puff) {
        let from = [x + radius * 0.5, y - radius * 0.6];
        let shade = gradient(top, from, under, [x - radius * 0.7, y + radius * 1.3]);
        shapes.push(Shape::new(shade.faint(0.55), |outline| {
            outline.ellipse([x, y - radius * 0.1], (radius * 0.72, radius * 0.62), 0.0);
        }));
    }
    shapes
}

/// Blue mountains with snow.
fn mountains(right: f32) -> Vec<Shape> {
    let air = 0xd6b0a8;
    let range = |seed, height: f32, per_height: f32| {
        move |x: f32| HORIZON - 0.02 - height * (rough(x * per_height, seed) - 0.22).max(0.0)
    };
    let (back, front) = (range(5, 0.2, 1.7), range(61, 0.26, 2.6));
    let ground = |line, colour: Colour, top| {
        Shape::new(gradient(colour, [0.0, top], air, [0.0, HORIZON + 0.03]), |outline| {
            below(outline, right, 140.0, HORIZON + 0.01, line)
        })
    };
    let mut shapes = vec![ground(back, 0x9290b8, 0.42)];
    shapes.push(ground(front, 0x545686, 0.4));
    // Slopes that face the sun and slopes that do not, from the ridge down.
    for (i, x) in along(right, 34.0) {
        let x = x + 0.03 * random(i, 62);
        let y = front(x);
        let depth = (HORIZON - y) * mix(0.35, 0.95, random(i, 63));
        let width = 0.012 + 0.03 * random(i, 64);
        let is_lit = i % 2 == 0;
        let (lean, colour, snow) =
            if is_lit { (0.45, 0xa892ae, 0xfff6ee) } else { (-0.3, 0x3a3e6e, 0xb0bcde) };
        let side = if is_lit { width } else { -width };
        let facet = |depth: f32| {
            [
                [x, y],
                [x + side, front(x + side)],
                [x + side * 0.8 + lean * depth, y + depth],
                [x + lean * depth * 0.4, y + depth * 0.7],
            ]
        };
        shapes.push(Shape::new(flat(colour).faint(0.36), |outline| {
            outline.polygon(facet(depth));
        }));
        let snow_depth = (0.47 - y).max(0.0) * mix(0.5, 1.0, random(i, 65));
        if snow_depth > 0.004 {
            shapes.push(Shape::new(flat(snow).faint(0.9), |outline| {
                outline.polygon(facet(snow_depth));
            }));
        }
    }
    shapes
}

/// Green hills with fields and woods down to the water.
fn hills(right: f32) -> Vec<Shape> {
    let line = |seed, low: f32, height: f32, per_height: f32| {
        move |x: f32| {
            let (whole, part) = (x.floor(), x - x.floor());
            let at = |k: f32| random(((whole + k) * per_height) as i32 as usize, seed);
            HORIZON - low - height * mix(at(0.0), at(1.0), step(0.0, 1.0, part))
        }
    };
    let lines = [line(3, 0.03, 0.055, 1.0), line(9, 0.008, 0.04, 1.0)];
    let mut shapes = Vec::new();
    for (row, (per_height, light, dark)) in
        [(3.0, 0x8ca058, 0x628454), (5.0, 0x709642, 0x3c6832)].into_iter().enumerate()
    {
        let at = |x: f32| lines[row](x * per_height);
        shapes.push(Shape::new(gradient(light, [0.0, 0.47], dark, [0.0, HORIZON]), |outline| {
            below(outline, right, 60.0, HORIZON + 0.002, at)
        }));
        // Fields.
        for (i, x) in along(right, 9.0) {
            let (x, width) = (x + 0.08 * random(i, 17), 0.03 + 0.05 * random(i, 18));
            let field = [0xd6b85c, 0xb0ba54, 0xc49e58];
            let paint = flat(field[(i + row) % 3]).faint(0.75);
            let deep = 0.008 + 0.014 * random(i, 19 + row as u32);
            shapes.push(Shape::new(paint, |outline| {
                outline.polygon([
                    [x, at(x) + 0.004],
                    [x + width, at(x + width) + 0.004],
                    [x + width * 1.25, at(x + width) + 0.004 + deep],
                    [x + width * 0.1, at(x) + 0.004 + deep],
                ]);
            }));
        }
        // Woods, in two tones.
        for (tone, colour) in [0x244a2e, 0x3e683a].into_iter().enumerate() {
            shapes.push(Shape::new(flat(colour).faint(0.92), |outline| {
                for (i, x) in along(right, 70.0) {
                    if rough(x * 5.0, 13 + row as u32) < 0.5 {
                        continue;
                    }
                    let radius = (0.003 + 0.004 * random(i, 20)) * (1.0 - 0.35 * tone as f32);
                    let down = (HORIZON - 0.004 - at(x)) * random(i, 21).powi(2);
                    let up = 0.0025 * tone as f32;
                    outline.ellipse([x + up, at(x) + down - up], (radius, radius * 1.3), 0.0);
                }
            }));
        }
    }
    shapes.push(Shape::new(flat(0xdec496), |outline| {
        below(outline, right, 30.0, HORIZON + 0.003, |x| {
            HORIZON - 0.004 + 0.003 * random((x * 30.0 + 99.0) as usize, 22)
        });
    }));
    shapes
}

/// Beach, grass and small flowers.
fn meadow(right: f32) -> Vec<Shape> {
    let edge = |x: f32| {
        let share = (x + MARGIN) / (right + 2.0 * MARGIN);
        0.845 - 0.05 * (share * TAU + 2.4).cos() + 0.012 * rough(x * 3.0, 41)
    };
    let grass = |x: f32| edge(x) + 0.022 + 0.012 * rough(x * 14.0, 47);
    let ground = |paint, line: &dyn Fn(f32) -> f32| {
        Shape::new(paint, |outline| below(outline, right, 100.0, 1.01, line))
    };
    let mut shapes = vec![
        ground(flat(0xfaf8f0), &|x| edge(x) - 0.004),
        ground(gradient(0xceaa78, [0.0, 0.8], 0xecd2a2, [0.0, 0.9]), &edge),
        ground(gradient(0x80a83e, [0.0, 0.82], 0x2c602c, [0.0, 1.0]), &grass),
    ];
    // Down from the grass's edge, denser far away.
    let place = |i: usize, x: f32, seed| {
        let x = x + 0.1 * random(i, seed);
        [x, mix(grass(x) + 0.004, 1.02, random(i, seed + 1).powf(1.3))]
    };
    let size = |y: f32| 0.25 + 0.75 * step(0.8, 1.0, y);
    for (tone, (colour, opacity)) in
        [(0x245628, 0.45), (0x96bc42, 0.35), (0x5a8e36, 0.45)].into_iter().enumerate()
    {
        let seed = 53 + 10 * tone as u32;
        shapes.push(Shape::new(flat(colour).faint(opacity), |outline| {
            for (i, x) in along(right, 26.0) {
                let at = place(i, x, seed);
                let size = size(at[1]) * (0.4 + random(i, seed + 2));
                outline.ellipse(at, (0.05 * size, 0.014 * size), 0.0);
            }
        }));
    }
    for (tone, colour) in [0x225226, 0xa8c84e, 0x40762e, 0x70a43a].into_iter().enumerate() {
        let seed = 83 + 10 * tone as u32;
        shapes.push(Shape::new(flat(colour).faint(0.85), |outline| {
            for (i, x) in along(right, 130.0) {
                let [x, y] = place(i, x, seed);
                let tall = size(y) * mix(0.014, 0.034, random(i, seed + 2));
                let lean = tall * (random(i, seed + 3) - 0.4);
                let half = tall * 0.07;
                outline.polygon([[x - half, y], [x + lean, y - tall], [x + half, y]]);
            }
        }));
    }
    for (tone, colour) in [0xfad246, 0xfcf6f0, 0xe24a60].into_iter().enumerate() {
        let seed = 133 + 10 * tone as u32;
        shapes.push(Shape::new(flat(colour), |outline| {
            for (i, x) in along(right, 30.0) {
                let at = place(i, x, seed);
                let radius = size(at[1]) * mix(0.003, 0.006, random(i, seed + 2));
                outline.ellipse(at, (radius, radius * 0.8), 0.0);
            }
        }));
    }
    shapes
}
