//! Sky, clouds, mountains, hills, water and the meadow in front.

use vello_cpu::kurbo::{Affine, BezPath, Circle, Rect, Shape as _};

use super::shape::{
    Gradation::{Downward, Outward, Sideways},
    Group, Shape, at, drawing, mix, outline, pieces, random, sawtooth, wave,
};

/// The horizon, in picture heights.
pub const HORIZON: f64 = 0.55;
/// The sun, in picture widths from the left.
const SUN: f64 = 0.66;
/// Extra landscape on both sides of the picture, for the parallax.
const MARGIN: f64 = 0.15;
/// Rows of waves, from the horizon to the viewer.
const WAVE_ROWS: usize = 34;

/// The top edge of a ground: middle and amplitude in picture heights, frequency in radians per picture height of width.
type Line = [f64; 3];
/// A ground: its top edge, its bottom, its colours from top to bottom, and the drawing of its cover.
type Ground = (Line, f64, &'static str, &'static str);

const RIDGE: [Ground; 1] = [([0.47, 0.03, 4.0], HORIZON, "#9290b8,#d6b0a8", "")];
const HILLS: [Ground; 3] = [
    ([0.495, 0.02, 5.0], HORIZON, "#8ca058,#628454", "fields and woods"),
    ([0.52, 0.01, 8.0], HORIZON, "#709642,#3c6832", "fields and woods"),
    ([0.546, 0.001, 40.0], 0.553, "#dec496", ""),
];
const MEADOW: [Ground; 3] = [
    ([0.847, 0.05, 2.9], 1.01, "#faf8f0", ""),
    ([0.851, 0.05, 2.9], 1.01, "#ceaa78,#f0d8a8", ""),
    ([0.877, 0.047, 2.9], 1.01, "#80a83e,#2c602c", "grass"),
];

/// The landscape of a picture `right` heights wide.
pub struct Landscape {
    pub right: f64,
}

impl Landscape {
    /// Sky, sun and water.
    pub fn backdrop(&self) -> Group {
        let rows = |top, bottom| Rect::new(0.0, top, f64::from(u16::MAX), bottom).to_path(0.0);
        let sun = |radius| Circle::new((SUN * self.right, 0.36), radius).to_path(0.0001);
        let shapes = vec![
            Shape::new("#2c58a8,#80aad2,#ffce84", Downward, rows(0.0, HORIZON)),
            Shape::new("#ffcc7ecc,#ffcc7e00", Outward, sun(0.36)),
            Shape::new("#fff6cd", Outward, sun(0.06)),
            Shape::new("#94a2a0,#48769a,#1a4a78", Downward, rows(HORIZON, 1.0)),
        ];
        Group::new(shapes, |_| Affine::IDENTITY)
    }

    /// Clouds, and mountains and hills on the far side of the water.
    pub fn far(&self) -> Vec<Group> {
        let mut groups = self.clouds();
        groups.push(at_distance(0.1, Affine::IDENTITY, self.grounds(&RIDGE)));
        let peaks = self.places(4.0, 1, [HORIZON, 0.0, 0.0], HORIZON).into_iter();
        groups.extend(peaks.map(|place| at_distance(0.1, place, drawing("mountain"))));
        groups.push(at_distance(0.3, Affine::IDENTITY, self.grounds(&HILLS)));
        groups
    }

    /// Waves, and the sun's glitter on them. They are long and far apart near the viewer.
    pub fn waves(&self) -> Vec<Group> {
        let lens = outline(0, "M-100 0Q0-6 100 0 0 6-100 0Z");
        let colours = ["#dcd6da57", "#1a447057", "#70a0be57"];
        let row = |row: usize| {
            let depth = (row as f64 + 0.5) / WAVE_ROWS as f64;
            let (y, size) = (mix(HORIZON, 0.915, depth.powf(1.5)), 0.4 + 2.0 * depth);
            let (seed, phase) = (100 + row as u32, random(row, 3));
            let crests = self.places(7.0 / size, seed, [0.0; 3], 0.0).into_iter();
            let crests = copies(&lens, crests.map(|place| place * Affine::scale(size)));
            let glitter = (0..5).map(|i| {
                let across = random(i, seed + 100) + random(i, seed + 200) - 1.0;
                let x = SUN * self.right + across * (0.05 + 0.16 * depth);
                let narrow = Affine::scale_non_uniform(0.08 * size, 0.3 * size);
                at(x, 0.01 * random(i, seed + 300)) * narrow
            });
            let shapes = vec![
                Shape::new(colours[row % 3], Downward, crests),
                Shape::new("#ffdea2", Downward, copies(&lens, glitter)),
            ];
            Group::new(shapes, move |t| {
                let x = 0.04 * size * wave(t, 9.0 + 4.0 * phase, phase);
                let y = y + 0.006 * depth * wave(t, 4.8, phase);
                at(x, y)
                    * Affine::scale_non_uniform(1.0, 1.0 + 0.4 * wave(t, 2.1 + phase, 7.0 * phase))
            })
        };
        (0..WAVE_ROWS).map(row).collect()
    }

    /// Beach, grass and small flowers.
    pub fn meadow(&self) -> Group {
        at_distance(1.0, Affine::IDENTITY, self.grounds(&MEADOW))
    }

    /// Clouds that drift across the picture and return on the left. Low ones are far away, so small.
    fn clouds(&self) -> Vec<Group> {
        let reach = self.right + 1.0;
        let count = (4.0 * reach) as usize;
        let cloud = |i: usize| {
            let phase = (i as f64 + 0.6 * random(i, 1)) / count as f64;
            let down = random(i, 2);
            let size = mix(1.0, 0.4, down) * mix(0.7, 1.1, random(i, 3));
            let mirror = if random(i, 4) < 0.5 { -size } else { size };
            Group::new(drawing("cloud"), move |t| {
                let x = reach * sawtooth(t, 62.0 * reach, phase) - 0.5;
                at(x, mix(0.13, 0.42, down)) * Affine::scale_non_uniform(mirror, size)
            })
        };
        (0..count).map(cloud).collect()
    }

    fn grounds(&self, grounds: &[Ground]) -> Vec<Shape> {
        let mut shapes = Vec::new();
        for &(line, bottom, colours, cover) in grounds {
            let mut path = BezPath::new();
            path.move_to((-MARGIN, bottom));
            self.along(60.0).for_each(|x| path.line_to((x, top(line, x))));
            path.line_to((self.right + 2.0 * MARGIN, bottom));
            shapes.push(Shape::new(colours, Downward, path));
            for ((colours, per_height, svg), seed) in pieces(cover).zip((30..).step_by(3)) {
                let places = self.places(per_height.into(), seed, line, bottom);
                shapes.push(Shape::new(colours, Sideways, copies(&outline(0, svg), places)));
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

/// Parallax: shapes at a place that move opposite to the viewer, who sways sideways. A `share` of 1 moves most.
fn at_distance(share: f64, place: Affine, shapes: Vec<Shape>) -> Group {
    Group::new(shapes, move |t| at(-0.1 * share * wave(t, 28.0, 0.0), 0.0) * place)
}

/// One path of many copies.
fn copies(path: &BezPath, places: impl IntoIterator<Item = Affine>) -> BezPath {
    places.into_iter().flat_map(|place| place * path.clone()).collect()
}
