//! Sky, clouds, mountains, hills, water and the meadow in front.

use vello_cpu::kurbo::{Affine, BezPath, Circle, Point, Rect, Shape as _};

use super::shape::{
    Colour, Group, Shape, at, drawing, faint, mix, outline, pieces, random, sawtooth, wave,
};

/// The horizon, in picture heights.
pub const HORIZON: f64 = 0.55;
/// Extra landscape on both sides of the picture, for the parallax.
const MARGIN: f64 = 0.15;
/// Rows of waves, from the horizon to the viewer.
const WAVE_ROWS: usize = 34;

/// The top edge of a ground: middle and amplitude in picture heights, frequency in radians per picture height of width.
type Line = [f64; 3];
/// A ground: its top edge, its bottom, its gradient colours, and the drawing of its cover.
type Ground = (Line, f64, [Colour; 2], &'static str);

const RIDGE: [Ground; 1] = [([0.47, 0.03, 4.0], HORIZON, [0x9290b8, 0xd6b0a8], "")];
const HILLS: [Ground; 3] = [
    ([0.495, 0.02, 5.0], HORIZON, [0x8ca058, 0x628454], "fields and woods"),
    ([0.52, 0.01, 8.0], HORIZON, [0x709642, 0x3c6832], "fields and woods"),
    ([0.546, 0.001, 40.0], 0.553, [0xdec496, 0xdec496], ""),
];
const MEADOW: [Ground; 3] = [
    ([0.847, 0.05, 2.9], 1.01, [0xfaf8f0, 0xfaf8f0], ""),
    ([0.851, 0.05, 2.9], 1.01, [0xceaa78, 0xf0d8a8], ""),
    ([0.877, 0.047, 2.9], 1.01, [0x80a83e, 0x2c602c], "grass"),
];

/// The landscape of a picture `right` heights wide.
pub struct Landscape {
    pub right: f64,
}

impl Landscape {
    /// Sky, sun and high clouds.
    pub fn sky(&self) -> Vec<Group> {
        let sun = Point::new(0.66 * self.right, 0.36);
        let shapes = vec![
            Shape::tall([0x2c58a8, 0x80aad2, 0xffce84], rows(0.0, HORIZON)),
            Shape::glow(0xffcc7e, sun, 0.36),
            Shape::flat(0xfff6cd, Circle::new(sun, 0.06).to_path(0.0001)),
        ];
        let mut groups = vec![Group::new(shapes, |_| Affine::IDENTITY)];
        groups.extend(self.clouds(|| faint(drawing("streaks"), 0.3), 166.0, [0.03, 0.36]));
        groups
    }

    /// Low clouds, and mountains and hills on the far side of the water.
    pub fn far(&self) -> Vec<Group> {
        let mut groups = self.clouds(|| drawing("cloud"), 62.0, [0.13, 0.42]);
        let mut mountains = self.grounds(&RIDGE);
        for place in self.places(4.0, 1, [HORIZON, 0.0, 0.0], HORIZON) {
            let side = |(colours, width, svg)| Shape::lit(colours, place * outline(width, svg));
            mountains.extend(pieces("mountain").map(side));
        }
        groups.extend([at_distance(0.1, mountains), at_distance(0.3, self.grounds(&HILLS))]);
        groups
    }

    /// The water without its waves.
    pub fn water(&self) -> Group {
        let shape = Shape::tall([0x94a2a0, 0x48769a, 0x1a4a78], rows(HORIZON, 1.0));
        Group::new(vec![shape], |_| Affine::IDENTITY)
    }

    /// Waves, and the sun's glitter on them. They are long and far apart near the viewer.
    pub fn waves(&self) -> Vec<Group> {
        let sun = 0.66 * self.right;
        let lens = outline(0, "M-100 0Q0-6 100 0 0 6-100 0Z");
        let mut groups = Vec::new();
        for row in 0..WAVE_ROWS {
            let depth = (row as f64 + 0.5) / WAVE_ROWS as f64;
            let y = mix(HORIZON, 0.915, depth.powf(1.5));
            let (size, seed, phase) = (0.4 + 2.0 * depth, 100 + row as u32, random(row, 3));
            let crests = self.places(7.0 / size, seed, [0.0; 3], 0.0).into_iter();
            let crests = crests.flat_map(|place| place * Affine::scale(size) * lens.clone());
            let crests = Shape::flat([0xdcd6da, 0x1a4470, 0x70a0be][row % 3], crests.collect());
            groups.push(Group::new(faint(vec![crests], 0.34), move |t| {
                let x = 0.04 * size * wave(t, 9.0 + 4.0 * phase, phase);
                let y = y + 0.006 * depth * wave(t, 4.8, phase);
                at(x, y) * Affine::scale_non_uniform(1.0, 1.0 + 0.25 * wave(t, 3.1, phase))
            }));
            let sparkles = (0..7).flat_map(|i| {
                let across = random(i, seed + 100) + random(i, seed + 200) - 1.0;
                let place = at(across * (0.05 + 0.16 * depth), 0.01 * random(i, seed + 300));
                place * Affine::scale_non_uniform(0.08 * size, 0.4 * size) * lens.clone()
            });
            let sparkles = Shape::flat(0xffdea2, sparkles.collect());
            groups.push(Group::new(vec![sparkles], move |t| {
                let bright = wave(t, 1.0 + phase, 7.0 * phase).max(0.0);
                at(sun, y) * Affine::scale_non_uniform(1.0, bright)
            }));
        }
        groups
    }

    /// Beach, grass and small flowers.
    pub fn meadow(&self) -> Group {
        at_distance(1.0, self.grounds(&MEADOW))
    }

    /// Clouds that drift one picture height in `seconds` and return on the left. Low ones are far away, so small.
    fn clouds(&self, cloud: fn() -> Vec<Shape>, seconds: f64, [top, low]: [f64; 2]) -> Vec<Group> {
        let reach = self.right + 1.0;
        let count = (4.0 * reach) as usize;
        let group = |i: usize| {
            let phase = (i as f64 + 0.6 * random(i, 1)) / count as f64;
            let down = random(i, 2);
            let size = mix(1.0, 0.4, down) * mix(0.7, 1.1, random(i, 3));
            let mirror = if random(i, 4) < 0.5 { -size } else { size };
            Group::new(cloud(), move |t| {
                let x = reach * sawtooth(t, seconds * reach, phase) - 0.5;
                at(x, mix(top, low, down)) * Affine::scale_non_uniform(mirror, size)
            })
        };
        (0..count).map(group).collect()
    }

    fn grounds(&self, grounds: &[Ground]) -> Vec<Shape> {
        let mut shapes = Vec::new();
        for &(line, bottom, colours, cover) in grounds {
            let mut path = BezPath::new();
            path.move_to((-MARGIN, bottom));
            self.along(60.0).for_each(|x| path.line_to((x, top(line, x))));
            path.line_to((self.right + 2.0 * MARGIN, bottom));
            shapes.push(Shape::tall(colours, path));
            for ((colours, per_height, svg), seed) in pieces(cover).zip((30..).step_by(3)) {
                let places = self.places(per_height.into(), seed, line, bottom).into_iter();
                let covers = places.flat_map(|place| place * outline(0, svg)).collect();
                shapes.push(Shape::lit(colours, covers));
            }
        }
        shapes
    }

    /// Random positions and sizes between a line, where they are small, and `bottom`.
    fn places(&self, per_height: f64, seed: u32, line: Line, bottom: f64) -> Vec<Affine> {
        let place = |(i, x): (usize, f64)| {
            let x = x + random(i, seed) / per_height.min(10.0);
            let down = random(i, seed + 1).powf(1.3);
            let size = mix(0.4, 1.1, down) * mix(0.5, 1.2, random(i, seed + 2));
            at(x, mix(top(line, x) + 0.004, bottom, down)) * Affine::scale(size)
        };
        self.along(per_height).enumerate().map(place).collect()
    }

    /// Evenly spaced positions, `per_height` for each picture height of the landscape's width.
    fn along(&self, per_height: f64) -> impl Iterator<Item = f64> {
        let count = ((self.right + 2.0 * MARGIN) * per_height) as usize + 2;
        (0..count).map(move |i| i as f64 / per_height - MARGIN)
    }
}

/// The height of a line, which has a crest near the middle of a picture.
fn top([middle, amplitude, waves]: Line, x: f64) -> f64 {
    middle - amplitude * (waves * (x - 0.9)).cos()
}

/// Parallax: shapes that move opposite to the viewer, who sways sideways. A `share` of 1 moves most.
fn at_distance(share: f64, shapes: Vec<Shape>) -> Group {
    Group::new(shapes, move |t| at(-0.1 * share * wave(t, 28.0, 0.0), 0.0))
}

/// A rectangle that spans the whole width of any picture.
fn rows(top: f64, bottom: f64) -> BezPath {
    Rect::new(0.0, top, f64::from(u16::MAX), bottom).to_path(0.0)
}
