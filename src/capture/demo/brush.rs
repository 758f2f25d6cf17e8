//! Fills shapes with soft edges. Lengths are in heights of the picture: (0, 0) is its top left,
//! y = 1 its bottom edge.

use super::noise::mix;

/// Red, green and blue, 0 to 255.
pub type Colour = [f32; 3];

/// A point, in heights of the picture.
pub type Point = [f32; 2];

/// What a shape is filled with.
#[derive(Clone, Copy)]
pub struct Paint {
    /// At `from`.
    pub first: Colour,
    /// At `to`.
    pub second: Colour,
    /// Where the first colour ends.
    pub from: Point,
    /// Where the second colour begins.
    pub to: Point,
    /// 0 to 1.
    pub opacity: f32,
}

impl Paint {
    /// One colour.
    pub fn flat(colour: Colour) -> Self {
        Self::gradient(colour, [0.0, 0.0], colour, [0.0, 1.0])
    }

    /// From one colour at a point to another at another point.
    pub fn gradient(first: Colour, from: Point, second: Colour, to: Point) -> Self {
        Self {
            first,
            second,
            from,
            to,
            opacity: 1.0,
        }
    }

    /// The same, seen through.
    pub fn faint(self, opacity: f32) -> Self {
        Self { opacity, ..self }
    }
}

/// Points of an outline that is not yet filled, and where it covers pixels.
pub struct Brush {
    width: usize,
    height: usize,
    outline: Vec<Point>,
    /// For each pixel of the box around a shape, how much its coverage differs from that of its left
    /// neighbour.
    change: Vec<f32>,
}

/// Points that make a circle.
const CIRCLE_POINTS: usize = 40;
/// Points between two of a smooth outline.
const SMOOTH_POINTS: usize = 6;
/// Points that an outline has at most; more are never given.
const MAX_POINTS: usize = 512;

impl Brush {
    /// A brush for pictures of this size, in pixels.
    pub fn new(width: usize, height: usize) -> Self {
        Self {
            width,
            height,
            outline: Vec::with_capacity(MAX_POINTS),
            change: vec![0.0; (width + 2) * (height + 1)],
        }
    }

    /// Width of the picture, in its heights.
    pub fn right(&self) -> f32 {
        self.width as f32 / self.height as f32
    }

    /// Fills a polygon.
    pub fn polygon(&mut self, pixels: &mut [[u8; 4]], points: &[Point], paint: Paint) {
        self.outline.clear();
        self.outline.extend_from_slice(points);
        self.fill(pixels, paint);
    }

    /// Fills a closed curve that goes smoothly through `points`.
    pub fn smooth(&mut self, pixels: &mut [[u8; 4]], points: &[Point], paint: Paint) {
        self.outline.clear();
        let n = points.len();
        for i in 0..n {
            let at = |k: usize| points[(i + k) % n];
            let (p, q, r, s) = (at(n - 1), at(0), at(1), at(2));
            for step in 0..SMOOTH_POINTS {
                let t = step as f32 / SMOOTH_POINTS as f32;
                self.outline.push(spline(p, q, r, s, t));
            }
        }
        self.fill(pixels, paint);
    }

    /// Draws a line through `points`, `widths` thick at its beginning and end, with round ends.
    pub fn stroke(
        &mut self,
        pixels: &mut [[u8; 4]],
        points: &[Point],
        widths: (f32, f32),
        paint: Paint,
    ) {
        let n = points.len();
        if n < 2 {
            return;
        }
        let at = |i: isize| points[i.clamp(0, n as isize - 1) as usize];
        let steps = (n - 1) * SMOOTH_POINTS;
        let along = |k: usize| {
            let i = (k / SMOOTH_POINTS).min(n - 2) as isize;
            let t = k as f32 / SMOOTH_POINTS as f32 - i as f32;
            spline(at(i - 1), at(i), at(i + 1), at(i + 2), t)
        };
        let half = |k: usize| mix(widths.0, widths.1, k as f32 / steps as f32) / 2.0;
        let side = |k: usize, sign: f32| {
            let (before, after) = (along(k.saturating_sub(1)), along((k + 1).min(steps)));
            let (dx, dy) = (after[0] - before[0], after[1] - before[1]);
            let length = dx.hypot(dy).max(1e-6);
            let h = sign * half(k) / length;
            let p = along(k);
            [p[0] - dy * h, p[1] + dx * h]
        };
        self.outline.clear();
        for k in 0..=steps {
            let p = side(k, 1.0);
            self.outline.push(p);
        }
        self.round_end(along(steps), along(steps - 1), half(steps));
        for k in (0..=steps).rev() {
            let p = side(k, -1.0);
            self.outline.push(p);
        }
        self.round_end(along(0), along(1), half(0));
        self.fill(pixels, paint);
    }

    /// Adds a half circle around `end`, away from `before`.
    fn round_end(&mut self, end: Point, before: Point, radius: f32) {
        let angle = (end[1] - before[1]).atan2(end[0] - before[0]);
        for i in 1..8 {
            let a = angle + std::f32::consts::PI * (0.5 - i as f32 / 8.0);
            let (sin, cos) = a.sin_cos();
            self.outline
                .push([end[0] + radius * cos, end[1] + radius * sin]);
        }
    }

    /// Fills an ellipse, turned by `angle` radians.
    pub fn ellipse(
        &mut self,
        pixels: &mut [[u8; 4]],
        centre: Point,
        (rx, ry): (f32, f32),
        angle: f32,
        paint: Paint,
    ) {
        self.outline.clear();
        let (sin, cos) = angle.sin_cos();
        for i in 0..CIRCLE_POINTS {
            let a = i as f32 / CIRCLE_POINTS as f32 * std::f32::consts::TAU;
            let (x, y) = (rx * a.cos(), ry * a.sin());
            self.outline
                .push([centre[0] + x * cos - y * sin, centre[1] + x * sin + y * cos]);
        }
        self.fill(pixels, paint);
    }

    /// Fills the outline. Coverage is the exact area for outlines that do not cross themselves:
    /// every edge adds its signed area to the pixels it passes and to all those right of them.
    fn fill(&mut self, pixels: &mut [[u8; 4]], paint: Paint) {
        let scale = self.height as f32;
        let (mut left, mut right) = (f32::INFINITY, f32::NEG_INFINITY);
        let (mut top, mut bottom) = (f32::INFINITY, f32::NEG_INFINITY);
        for p in &mut self.outline {
            *p = [p[0] * scale, p[1] * scale];
            (left, right) = (left.min(p[0]), right.max(p[0]));
            (top, bottom) = (top.min(p[1]), bottom.max(p[1]));
        }
        let clamp = |v: f32, most: usize| v.clamp(0.0, most as f32) as usize;
        let (x0, x1) = (
            clamp(left.floor(), self.width),
            clamp(right.ceil(), self.width),
        );
        let (y0, y1) = (
            clamp(top.floor(), self.height),
            clamp(bottom.ceil(), self.height),
        );
        if x0 >= x1 || y0 >= y1 {
            return;
        }
        // One column more takes what lies beyond the right edge.
        let columns = x1 - x0 + 2;
        let change = &mut self.change[..columns * (y1 - y0)];
        change.fill(0.0);
        let n = self.outline.len();
        for i in 0..n {
            let (a, b) = (self.outline[i], self.outline[(i + 1) % n]);
            let shift = |p: Point| [p[0] - x0 as f32, p[1] - y0 as f32];
            add_edge(change, columns, y1 - y0, shift(a), shift(b));
        }
        let (fx, fy) = (paint.from[0] * scale, paint.from[1] * scale);
        let (dx, dy) = (paint.to[0] * scale - fx, paint.to[1] * scale - fy);
        let length = (dx * dx + dy * dy).max(1e-6);
        let (step, is_flat) = (dx / length, paint.first == paint.second);
        let colour_at = |t: f32| -> [i32; 3] {
            let t = t.clamp(0.0, 1.0);
            std::array::from_fn(|c| mix(paint.first[c], paint.second[c], t) as i32)
        };
        let flat = colour_at(0.0);
        for (y, changes) in (y0..y1).zip(change.chunks_exact(columns)) {
            let row = &mut pixels[y * self.width + x0..y * self.width + x1];
            let mut covered = 0.0;
            let mut along = ((x0 as f32 - fx) * dx + (y as f32 - fy) * dy) / length;
            for (pixel, change) in row.iter_mut().zip(changes) {
                covered += change;
                let share = (covered.abs().min(1.0) * paint.opacity * 256.0) as i32;
                if share > 0 {
                    let colour = if is_flat { flat } else { colour_at(along) };
                    for (value, colour) in pixel.iter_mut().zip(colour) {
                        let under = i32::from(*value);
                        *value = (under + (((colour - under) * share) >> 8)) as u8;
                    }
                }
                along += step;
            }
        }
    }
}

/// Adds the edge from `a` to `b`, in pixels of the box.
fn add_edge(change: &mut [f32], columns: usize, rows: usize, a: Point, b: Point) {
    if a[1] == b[1] {
        return;
    }
    let (sign, a, b) = if a[1] < b[1] {
        (1.0, a, b)
    } else {
        (-1.0, b, a)
    };
    let slope = (b[0] - a[0]) / (b[1] - a[1]);
    let first = a[1].max(0.0);
    let last = b[1].min(rows as f32);
    let mut y = first;
    while y < last {
        let row = y as usize;
        let next = ((row + 1) as f32).min(last);
        let height = sign * (next - y);
        let x_at = |y: f32| (a[0] + (y - a[1]) * slope).clamp(0.0, (columns - 2) as f32);
        let (xa, xb) = (x_at(y), x_at(next));
        let (xa, xb) = if xa < xb { (xa, xb) } else { (xb, xa) };
        let line = &mut change[row * columns..][..columns];
        let (first_x, last_x) = (xa as usize, (xb.ceil() as usize).max(xa as usize + 1));
        if last_x == first_x + 1 {
            // Within one pixel: what lies right of the edge's middle is covered.
            let share = 1.0 - ((xa + xb) / 2.0 - first_x as f32);
            line[first_x] += height * share;
            line[first_x + 1] += height * (1.0 - share);
        } else {
            let per_pixel = 1.0 / (xb - xa);
            let mut before = 0.0;
            let passed = line.iter_mut().enumerate().take(last_x).skip(first_x);
            for (x, change) in passed {
                // Area right of the edge, up to the right side of this pixel, per height.
                let right = ((x + 1) as f32).min(xb);
                let left = (x as f32).max(xa);
                let within = (right - left) * per_pixel;
                let from_left = (left - xa) * per_pixel;
                let inside = from_left + within * ((x + 1) as f32 - (left + right) / 2.0);
                *change += height * (inside - before);
                before = inside;
            }
            line[last_x] += height * (1.0 - before);
        }
        y = next;
    }
}

/// Catmull-Rom: the curve from `q` at 0 to `r` at 1.
fn spline(p: Point, q: Point, r: Point, s: Point, t: f32) -> Point {
    let along = |i: usize| {
        let (p, q, r, s) = (p[i], q[i], r[i], s[i]);
        q + 0.5 * t * (r - p + t * (2.0 * p - 5.0 * q + 4.0 * r - s + t * (3.0 * (q - r) + s - p)))
    };
    [along(0), along(1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covered(width: usize, height: usize, points: &[Point]) -> Vec<f32> {
        let mut brush = Brush::new(width, height);
        let mut pixels = vec![[0, 0, 0, 255]; width * height];
        brush.polygon(&mut pixels, points, Paint::flat([255.0; 3]));
        pixels.iter().map(|p| f32::from(p[0]) / 255.0).collect()
    }

    #[test]
    fn coverage_is_the_area() {
        // A tilted square, and one that lies partly outside.
        for (points, area) in [
            (vec![[0.5, 0.1], [0.9, 0.5], [0.5, 0.9], [0.1, 0.5]], 0.32),
            (
                vec![[-0.5, -0.5], [0.33, -0.5], [0.33, 0.21], [-0.5, 0.21]],
                0.0693,
            ),
            (vec![[0.7, 0.3], [1.9, 0.3], [1.9, 1.7], [0.7, 1.7]], 0.21),
            (vec![[0.05, 0.1], [0.95, 0.13], [0.5, 0.16]], 0.02025),
        ] {
            let got = covered(50, 50, &points).iter().sum::<f32>() / 2500.0;
            assert!((got - area).abs() < 0.001, "{points:?}: {got} for {area}");
            let reversed: Vec<Point> = points.into_iter().rev().collect();
            let again = covered(50, 50, &reversed).iter().sum::<f32>() / 2500.0;
            assert!((got - again).abs() < 0.001, "whichever way round");
        }
    }

    #[test]
    fn nothing_is_covered_outside_the_box() {
        let pixels = covered(30, 20, &[[0.2, 0.2], [0.6, 0.4], [0.3, 0.8]]);
        for (i, share) in pixels.iter().enumerate() {
            let (x, y) = (i % 30, i / 30);
            let within = (4..12).contains(&x) && (4..16).contains(&y);
            assert!(within || *share == 0.0, "{x}, {y}: {share}");
        }
    }
}
