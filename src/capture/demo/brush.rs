//! Shapes with soft edges, painted over each other. Lengths are in heights of the picture: (0, 0) is its top
//! left, y = 1 its bottom edge.

use std::{mem, ops::Range, sync::Arc};

use vello_cpu::{
    PaintType,
    kurbo::{self, Affine, BezPath, CubicBez, Ellipse, ParamCurve as _, Shape as _},
    peniko::{Color, Gradient},
};

use super::noise::mix;

/// Red, green and blue: 0xRRGGBB.
pub type Colour = u32;

/// A point, in heights of the picture.
pub type Point = [f32; 2];

/// What a shape is filled with.
#[derive(Clone)]
pub struct Paint(pub(super) PaintType);

impl Paint {
    /// The same, seen through.
    pub fn faint(self, opacity: f32) -> Self {
        Self(match self.0 {
            PaintType::Solid(color) => color.multiply_alpha(opacity).into(),
            PaintType::Gradient(gradient) => gradient.multiply_alpha(opacity).into(),
            image => image,
        })
    }
}

/// One colour.
pub fn flat(colour: Colour) -> Paint {
    Paint(color(colour).into())
}

/// From one colour at a point to another at another point.
pub fn gradient(first: Colour, from: Point, second: Colour, to: Point) -> Paint {
    let line = Gradient::new_linear(place(from), place(to));
    Paint(line.with_stops([color(first), color(second)]).into())
}

/// A colour that fades away from a point.
pub fn glow(colour: Colour, centre: Point, radius: f32) -> Paint {
    let circles = Gradient::new_radial(place(centre), radius);
    let colour = color(colour);
    Paint(circles.with_stops([colour, colour.with_alpha(0.0)]).into())
}

/// Shapes that are filled together.
#[derive(Default)]
pub struct Outline {
    pub(super) path: BezPath,
    /// Of the curve that is being added.
    points: Vec<Point>,
}

/// Points between two of a line that is drawn.
const STROKE_POINTS: usize = 6;
/// Rows of pixels of vello's tiles.
pub const TILE_ROWS: u16 = 4;
/// How far a curve may be from a circle, in heights.
const TOLERANCE: f64 = 0.0001;

impl Outline {
    /// Adds a polygon.
    pub fn polygon(&mut self, points: impl IntoIterator<Item = Point>) {
        for (i, point) in points.into_iter().enumerate() {
            match i {
                0 => self.path.move_to(place(point)),
                _ => self.path.line_to(place(point)),
            }
        }
        self.path.close_path();
    }

    /// Adds a closed curve that goes smoothly through `points`.
    pub fn smooth(&mut self, points: impl IntoIterator<Item = Point>) {
        self.points.clear();
        self.points.extend(points);
        let (points, n) = (&self.points, self.points.len());
        self.path.move_to(place(points[0]));
        for i in 0..n {
            let at = |k: usize| points[(i + k) % n];
            let [first, second] = controls(at(n - 1), at(0), at(1), at(2));
            self.path.curve_to(place(first), place(second), place(at(1)));
        }
        self.path.close_path();
    }

    /// Adds a line through `points`, `widths` thick at its beginning and end, with round ends.
    pub fn stroke(&mut self, points: impl IntoIterator<Item = Point>, widths: (f32, f32)) {
        let mut kept = mem::take(&mut self.points);
        kept.clear();
        kept.extend(points);
        let last = kept.len() - 1;
        let along = |t: f32| -> Point {
            let i = (t as usize).min(last - 1);
            let at = |i: usize| kept[i.min(last)];
            let (q, r, t) = (at(i), at(i + 1), t - i as f32);
            let [first, second] = controls(at(i.saturating_sub(1)), q, r, at(i + 2));
            let curve = CubicBez::new(place(q), place(first), place(second), place(r));
            let kurbo::Point { x, y } = curve.eval(t.into());
            [x as f32, y as f32]
        };
        let steps = last * STROKE_POINTS;
        let way = |k: usize| k as f32 / STROKE_POINTS as f32;
        let half = |k: usize| mix(widths.0, widths.1, k as f32 / steps as f32) / 2.0;
        let side = |k: usize, sign: f32| {
            let (before, after) = (along(way(k.saturating_sub(1))), along(way((k + 1).min(steps))));
            let (dx, dy) = (after[0] - before[0], after[1] - before[1]);
            let h = sign * half(k) / dx.hypot(dy).max(1e-6);
            let [x, y] = along(way(k));
            [x - dy * h, y + dx * h]
        };
        // The way round that ellipses have, so that the ends add to the line.
        let there = (0..=steps).map(|k| side(k, -1.0));
        let back = (0..=steps).rev().map(|k| side(k, 1.0));
        self.polygon(there.chain(back));
        for k in [0, steps] {
            self.ellipse(along(way(k)), (half(k), half(k)), 0.0);
        }
        self.points = kept;
    }

    /// Adds an ellipse, turned by `angle` radians.
    pub fn ellipse(&mut self, centre: Point, (rx, ry): (f32, f32), angle: f32) {
        let radii = (f64::from(rx), f64::from(ry));
        let ellipse = Ellipse::new(place(centre), radii, f64::from(angle));
        self.path.extend(ellipse.path_elements(TOLERANCE));
    }

    /// Adds a lens that lies flat: what a small wave looks like.
    pub fn lens(&mut self, [x, y]: Point, (rx, ry): (f32, f32)) {
        self.path.move_to(place([x - rx, y]));
        self.path.quad_to(place([x, y - 2.0 * ry]), place([x + rx, y]));
        self.path.quad_to(place([x, y + 2.0 * ry]), place([x - rx, y]));
    }
}

/// An outline that is filled.
pub struct Shape {
    pub(super) outline: Outline,
    pub(super) paint: Paint,
    /// Around it.
    pub(super) bounds: kurbo::Rect,
}

impl Shape {
    /// What `draw` draws, filled with `paint`.
    pub fn new(paint: Paint, draw: impl FnOnce(&mut Outline)) -> Self {
        Self::of(Outline::default(), paint, draw)
    }

    fn of(mut outline: Outline, paint: Paint, draw: impl FnOnce(&mut Outline)) -> Self {
        outline.path.truncate(0);
        draw(&mut outline);
        Self { bounds: outline.path.control_box(), outline, paint }
    }
}

/// How shapes are painted.
#[derive(Clone, Copy)]
pub struct Placing {
    /// From heights to pixels.
    pub(super) to_pixels: Affine,
    pub(super) opacity: f32,
}

/// What lies in the picture, one over the other.
pub(super) enum Part {
    /// One of the shapes that were made for this picture.
    Made(usize, Placing),
    /// Shapes that were made once.
    Kept(Arc<[Shape]>, Placing),
    /// Rows of tiles, from a colour to another.
    Tiles(Range<u16>, [Colour; 2]),
}

/// Paints shapes over each other: makes the parts of a picture, which its bands draw.
pub struct Brush {
    /// Of the picture, in pixels.
    size: (u16, u16),
    pub(super) parts: Vec<Part>,
    /// Shapes of this picture, and more of earlier ones behind them, whose memory is kept.
    pub(super) made: Vec<Shape>,
    used: usize,
    placing: Placing,
}

impl Brush {
    /// A brush for pictures of this size, in pixels.
    pub fn new(width: u16, height: u16) -> Self {
        Self {
            size: (width, height),
            parts: Vec::new(),
            made: Vec::new(),
            used: 0,
            placing: Placing { to_pixels: Affine::scale(f64::from(height)), opacity: 1.0 },
        }
    }

    /// Columns and rows, in pixels.
    pub fn size(&self) -> (u16, u16) {
        self.size
    }

    /// Width of the picture, in its heights.
    pub fn right(&self) -> f32 {
        f32::from(self.size.0) / f32::from(self.size.1)
    }

    /// Begins a picture.
    pub fn begin(&mut self) {
        self.parts.clear();
        self.used = 0;
    }

    /// Paints what `draw` paints upside down, as water with its far edge at `level` shows it.
    pub fn mirrored(&mut self, level: f32, opacity: f32, draw: impl FnOnce(&mut Self)) {
        let upright = self.placing;
        let flip = Affine::new([1.0, 0.0, 0.0, -1.0, 0.0, 2.0 * f64::from(level)]);
        self.placing = Placing { to_pixels: upright.to_pixels * flip, opacity };
        draw(self);
        self.placing = upright;
    }

    /// Fills what `draw` draws.
    pub fn fill(&mut self, paint: Paint, draw: impl FnOnce(&mut Outline)) {
        match self.made.get_mut(self.used) {
            Some(shape) => *shape = Shape::of(mem::take(&mut shape.outline), paint, draw),
            None => self.made.push(Shape::new(paint, draw)),
        }
        self.parts.push(Part::Made(self.used, self.placing));
        self.used += 1;
    }

    /// Fills the picture's whole width from one height to another, with colours from one to the other: in
    /// steps, because vello fills whole tiles with one colour much faster than pixels with a gradient.
    pub fn band(&mut self, (top, first): (f32, Colour), (bottom, second): (f32, Colour)) {
        let tiles = f32::from(self.size.1) / f32::from(TILE_ROWS);
        let row = |y: f32| (y * tiles).round() as u16;
        let part = Part::Tiles(row(top)..row(bottom), [first, second]);
        self.parts.push(part);
    }

    /// Fills shapes, moved by `by`.
    pub fn shapes(&mut self, shapes: &Arc<[Shape]>, by: Point) {
        let mut placing = self.placing;
        placing.to_pixels *= Affine::translate(place(by).to_vec2());
        self.parts.push(Part::Kept(shapes.clone(), placing));
    }

    /// Fills a polygon.
    pub fn polygon(&mut self, points: impl IntoIterator<Item = Point>, paint: Paint) {
        self.fill(paint, |outline| outline.polygon(points));
    }

    /// Fills a closed curve that goes smoothly through `points`.
    pub fn smooth(&mut self, points: impl IntoIterator<Item = Point>, paint: Paint) {
        self.fill(paint, |outline| outline.smooth(points));
    }

    /// Draws a line, see [`Outline::stroke`].
    pub fn stroke(
        &mut self,
        points: impl IntoIterator<Item = Point>,
        widths: (f32, f32),
        paint: Paint,
    ) {
        self.fill(paint, |outline| outline.stroke(points, widths));
    }

    /// Fills an ellipse, turned by `angle` radians.
    pub fn ellipse(&mut self, centre: Point, radii: (f32, f32), angle: f32, paint: Paint) {
        self.fill(paint, |outline| outline.ellipse(centre, radii, angle));
    }
}

/// The points of which `flat` has x and y, one after the other.
pub fn points(flat: &[f32]) -> impl Iterator<Item = Point> {
    flat.as_chunks().0.iter().copied()
}

/// From `first` at 0 to `second` at 1.
pub fn blend(first: Colour, second: Colour, t: f32) -> Colour {
    let (first, second) = (first.to_be_bytes(), second.to_be_bytes());
    let value = |c: usize| mix(f32::from(first[c]), f32::from(second[c]), t) as u8;
    u32::from_be_bytes(std::array::from_fn(value))
}

/// A share of a colour's light.
pub fn darker(colour: Colour, share: f32) -> Colour {
    blend(0, colour, share)
}

fn color(colour: Colour) -> Color {
    let [_, r, g, b] = colour.to_be_bytes();
    Color::from_rgb8(r, g, b)
}

fn place([x, y]: Point) -> kurbo::Point {
    (f64::from(x), f64::from(y)).into()
}

/// Catmull-Rom: the control points of the curve from `q` to `r`, with `p` before and `s` behind it.
fn controls(p: Point, q: Point, r: Point, s: Point) -> [Point; 2] {
    [
        std::array::from_fn(|c| q[c] + (r[c] - p[c]) / 6.0),
        std::array::from_fn(|c| r[c] - (s[c] - q[c]) / 6.0),
    ]
}
