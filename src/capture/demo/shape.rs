//! Coloured shapes, groups of them that move together, and reproducible random numbers.
//!
//! Lengths are in picture heights: (0, 0) is the top left, y = 1 the bottom edge.

use std::f64::consts::TAU;

use vello_cpu::{
    PaintType,
    kurbo::{Affine, BezPath, Circle, Point, Shape as _, Stroke, Vec2, stroke},
    peniko::{Color, Gradient},
};

/// 0xRRGGBB.
pub type Colour = u32;

/// What is drawn; see there.
pub const DRAWINGS: &str = include_str!("drawings.txt");

/// A shape of a drawing: its light and its dark colour, its number, and its path.
pub type Piece = ([Colour; 2], u16, &'static str);

/// Maximum distance of a flattened curve from its exact outline, in picture heights.
const TOLERANCE: f64 = 0.0001;

/// A filled outline.
pub struct Shape {
    pub path: BezPath,
    pub paint: PaintType,
}

impl Shape {
    fn new(paint: impl Into<PaintType>, path: BezPath) -> Self {
        Self { paint: paint.into(), path }
    }

    /// A shape of one colour.
    pub fn flat(colour: Colour, path: BezPath) -> Self {
        Self::new(color(colour), path)
    }

    /// A shape that the sun lights from the right.
    pub fn lit([light, dark]: [Colour; 2], path: BezPath) -> Self {
        if light == dark {
            return Self::flat(light, path);
        }
        let (centre, reach) = (path.bounding_box().center(), path.bounding_box().width() / 2.0);
        let to_sun = Vec2::new(reach, -0.4 * reach);
        let line = Gradient::new_linear(centre - to_sun, centre + to_sun * 0.5);
        Self::new(line.with_stops([color(dark), color(light)]), path)
    }

    /// A shape with a vertical gradient.
    pub fn tall<const N: usize>(colours: [Colour; N], path: BezPath) -> Self {
        let bounds = path.bounding_box();
        let line = Gradient::new_linear((0.0, bounds.y0), (0.0, bounds.y1));
        Self::new(line.with_stops(colours.map(color)), path)
    }

    /// A disc that fades out from its centre.
    pub fn glow(colour: Colour, centre: Point, radius: f64) -> Self {
        let disc = Gradient::new_radial(centre, radius as f32);
        let stops = [color(colour).with_alpha(0.8), color(colour).with_alpha(0.0)];
        Self::new(disc.with_stops(stops), Circle::new(centre, radius).to_path(TOLERANCE))
    }
}

fn color(colour: Colour) -> Color {
    let [_, r, g, b] = colour.to_be_bytes();
    Color::from_rgb8(r, g, b)
}

/// The outline of a [`Piece`] whose number is the width of its line. A test checks that all path data is valid.
pub fn outline(width: u16, svg: &str) -> BezPath {
    let path = Affine::scale(0.001) * BezPath::from_svg(svg).unwrap_or_default();
    if width == 0 {
        return path;
    }
    stroke(path, &Stroke::new(f64::from(width) / 1000.0), &Default::default(), TOLERANCE)
}

/// The pieces of the drawing of this name.
pub fn pieces(name: &str) -> impl Iterator<Item = Piece> {
    let lines = DRAWINGS.lines().skip_while(move |line| line.strip_prefix("# ") != Some(name));
    lines.skip(1).map_while(|line| {
        let mut parts = line.splitn(4, ' ');
        let mut colour = || Colour::from_str_radix(parts.next()?, 16).ok();
        Some(([colour()?, colour()?], parts.next()?.parse().ok()?, parts.next()?))
    })
}

/// The shapes of the drawing of this name.
pub fn drawing(name: &str) -> Vec<Shape> {
    let shape = |(colours, width, svg)| Shape::lit(colours, outline(width, svg));
    pieces(name).map(shape).collect()
}

/// The same shapes, translucent.
pub fn faint(mut shapes: Vec<Shape>, opacity: f32) -> Vec<Shape> {
    for shape in &mut shapes {
        match &mut shape.paint {
            PaintType::Solid(color) => *color = color.multiply_alpha(opacity),
            PaintType::Gradient(gradient) => *gradient = gradient.clone().multiply_alpha(opacity),
            PaintType::Image(_) => {}
        }
    }
    shapes
}

/// Shapes that move together, painted in order.
pub struct Group {
    pub shapes: Vec<Shape>,
    /// Their position, by the time in seconds.
    pub motion: Box<dyn Fn(f64) -> Affine + Send + Sync>,
}

impl Group {
    pub fn new<M>(shapes: Vec<Shape>, motion: M) -> Self
    where
        M: Fn(f64) -> Affine + Send + Sync + 'static,
    {
        Self { shapes, motion: Box::new(motion) }
    }
}

/// A translation.
pub fn at(x: f64, y: f64) -> Affine {
    Affine::translate((x, y))
}

/// Number `i` of the series `seed`, 0 to 1.
pub fn random(i: usize, seed: u32) -> f64 {
    let mut h = (i as u32).wrapping_mul(0x9e37_79b1) ^ seed.wrapping_mul(0xc2b2_ae3d);
    h = (h ^ (h >> 15)).wrapping_mul(0x2c1b_3c6d);
    h = (h ^ (h >> 12)).wrapping_mul(0x297a_2d39);
    f64::from(h ^ (h >> 15)) / f64::from(u32::MAX)
}

/// From `a` at 0 to `b` at 1.
pub fn mix(a: f64, b: f64, t: f64) -> f64 {
    a + (b - a) * t
}

/// A sine wave with a period in seconds; `phase` is a share of the period.
pub fn wave(time_s: f64, period_s: f64, phase: f64) -> f64 {
    ((time_s / period_s + phase).fract() * TAU).sin()
}

/// Rises from 0 to 1 in `period_s`, repeatedly.
pub fn sawtooth(time_s: f64, period_s: f64, phase: f64) -> f64 {
    (time_s / period_s + phase).rem_euclid(1.0)
}
