//! Coloured shapes, groups of them that move together, and reproducible random numbers.
//!
//! Lengths are in picture heights: (0, 0) is the top left, y = 1 the bottom edge.

use std::f64::consts::TAU;

use vello_cpu::{
    PaintType,
    color::parse_color,
    kurbo::{Affine, BezPath, Shape as _, Stroke, Vec2, stroke},
    peniko::{Color, Gradient},
};

/// What is drawn; see there.
pub const DRAWINGS: &str = include_str!("drawings.txt");

/// The direction of a gradient.
pub enum Gradation {
    /// From the right, where the sun is, to the left.
    Sideways,
    Downward,
    Outward,
}

/// A filled outline.
pub struct Shape {
    pub path: BezPath,
    pub paint: PaintType,
}

impl Shape {
    /// A shape of CSS colours, separated by commas. A test checks that all colours are valid.
    pub fn new(colours: &str, gradation: Gradation, path: BezPath) -> Self {
        let colour = |css| parse_color(css).map_or(Color::TRANSPARENT, |it| it.to_alpha_color());
        let colours: Vec<Color> = colours.split(',').map(colour).collect();
        if let [colour] = colours[..] {
            return Self { path, paint: colour.into() };
        }
        let bounds = path.bounding_box();
        let (centre, reach) = (bounds.center(), bounds.width() / 2.0);
        let to_sun = Vec2::new(reach, -0.4 * reach);
        let gradient = match gradation {
            Gradation::Sideways => Gradient::new_linear(centre + to_sun * 0.5, centre - to_sun),
            Gradation::Downward => Gradient::new_linear((0.0, bounds.y0), (0.0, bounds.y1)),
            Gradation::Outward => Gradient::new_radial(centre, reach as f32),
        };
        Self { path, paint: gradient.with_stops(&colours[..]).into() }
    }
}

/// The outline of path data, of a line of this width or of a filled path. A test checks that all path data is valid.
pub fn outline(width: u16, svg: &str) -> BezPath {
    let path = Affine::scale(0.001) * BezPath::from_svg(svg).unwrap_or_default();
    if width == 0 {
        return path;
    }
    stroke(path, &Stroke::new(f64::from(width) / 1000.0), &Default::default(), 0.0001)
}

/// The lines of the drawing of this name: colours, number and path data.
pub fn pieces(name: &str) -> impl Iterator<Item = (&'static str, u16, &'static str)> {
    let lines = DRAWINGS.lines().skip_while(move |line| line.trim_matches(['[', ']']) != name);
    lines.skip(1).map_while(|line| {
        let mut parts = line.splitn(3, ' ');
        Some((parts.next()?, parts.next()?.parse().ok()?, parts.next()?))
    })
}

/// The shapes of the drawing of this name.
pub fn drawing(name: &str) -> Vec<Shape> {
    let shape =
        |(colours, width, svg)| Shape::new(colours, Gradation::Sideways, outline(width, svg));
    pieces(name).map(shape).collect()
}

/// Shapes that move together, painted in order.
pub struct Group {
    pub shapes: Vec<Shape>,
    /// Their position, by the time in seconds.
    pub motion: Box<dyn Fn(f64) -> Affine>,
}

impl Group {
    pub fn new(shapes: Vec<Shape>, motion: impl Fn(f64) -> Affine + 'static) -> Self {
        Self { shapes, motion: Box::new(motion) }
    }

    /// A translucent group.
    pub fn faint(mut self, opacity: f32) -> Self {
        for Shape { paint, .. } in &mut self.shapes {
            match paint {
                PaintType::Solid(color) => *color = color.multiply_alpha(opacity),
                PaintType::Gradient(it) => *it = it.clone().multiply_alpha(opacity),
                PaintType::Image(_) => {}
            }
        }
        self
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
    (sawtooth(time_s, period_s, phase) * TAU).sin()
}

/// Rises from 0 to 1 in `period_s`, repeatedly.
pub fn sawtooth(time_s: f64, period_s: f64, phase: f64) -> f64 {
    (time_s / period_s + phase).rem_euclid(1.0)
}
