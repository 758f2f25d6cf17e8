//! Where each pixel of a picture was in the one before, and how sure that is.

use super::{
    camera::{Affine, disagreement, distance},
    flow::{Field, Pyramid, Search},
    plane::Plane,
};
use rayon::prelude::*;

/// Weights of a slight blur.
const SOFT: [f32; 3] = [0.25, 0.5, 0.25];
/// Between these differences in levels the confidence falls: where a still picture changes, as by a blink, only noise
/// has to pass; in a moving one, edges are never met exactly.
const STILL_LEVELS: [f32; 2] = [3.0, 8.0];
const MOVING_LEVELS: [f32; 2] = [8.0, 24.0];
/// Below this share of pixels that are sure, the picture is a new scene.
const LEAST_SURE: f32 = 0.25;

/// The motion from a picture to the one before, at half of the size of the pictures.
#[derive(Debug, Default)]
pub struct Motion {
    /// Where each pixel was, in pixels of this size.
    pub field: Field,
    /// 0 to 1 for each pixel.
    pub confidence: Vec<f32>,
    /// The camera does not move. Then the motion of pixels that follow it is exactly 0.
    pub is_still: bool,
    searches: [Search; 2],
    soft: [Plane; 2],
    error: Plane,
    scratch: Plane,
    of_flow: Plane,
    of_camera: Plane,
    of_rest: Plane,
}

impl Motion {
    /// Computes the motion. Returns `false` if the pictures show different scenes.
    pub fn find(&mut self, picture: &Pyramid, before: &Pyramid) -> bool {
        let [back, forth] = &mut self.searches;
        rayon::join(|| back.run(picture, before), || forth.run(before, picture));
        let size = (back.field.width, back.field.height);
        for (soft, from) in self.soft.iter_mut().zip([picture, before]) {
            soft.filtered(&from.levels[0], &mut self.scratch, &SOFT);
            soft.pad();
        }
        self.field.resize(size);
        self.field.across.copy_from_slice(&back.field.across);
        self.field.down.copy_from_slice(&back.field.down);
        self.is_still = false;
        let [own, other] = &self.soft;
        let camera = Affine::of_most(&picture.levels[0], &back.field, &forth.field);
        if let Some(camera) = camera.map(|camera| camera.refined(own, other)) {
            self.follow(camera);
        }
        if !self.is_still {
            self.smooth();
        }
        self.judge()
    }

    /// Uses the camera's motion wherever the pictures agree with it nearly as well as with the flow, and the flow is
    /// near it or unsure: a thing that surely moves otherwise keeps its own motion, however flat it is.
    fn follow(&mut self, camera: Affine) {
        let [flow, forth] = self.searches.each_ref().map(|search| &search.field);
        let width = flow.width;
        let size = (width, self.field.height);
        let moving = |x: usize, y: usize| camera.at(x as f32, y as f32);
        let (scratch, error) = (&mut self.scratch, &mut self.error);
        self.of_flow.of_errors(&self.soft, (error, scratch), 5, |x, y| flow.at(y * width + x));
        self.of_camera.of_errors(&self.soft, (error, scratch), 5, moving);
        // Half a pixel of the pictures.
        if camera.longest(size) < 0.25 {
            let of_camera = textured_sum(&self.soft[0], &self.of_camera);
            self.of_rest.of_errors(&self.soft, (error, scratch), 5, |_, _| [0.0; 2]);
            self.is_still = textured_sum(&self.soft[0], &self.of_rest) <= 1.03 * of_camera;
        }
        let rows = self.field.across.chunks_exact_mut(width);
        for (y, (across, down)) in rows.zip(self.field.down.chunks_exact_mut(width)).enumerate() {
            let errors = self.of_camera.row(y as isize).iter().zip(self.of_flow.row(y as isize));
            for (x, (of_camera, of_flow)) in errors.enumerate() {
                let (camera, flow) = (moving(x, y), flow.at(y * width + x));
                let is_near = distance(camera, flow) < 0.25;
                let apart = || disagreement([x as f32, y as f32], flow, forth);
                if *of_camera <= 1.1 * of_flow + 0.3
                    && (is_near || apart().is_none_or(|px| px > 0.5))
                {
                    [across[x], down[x]] = if self.is_still { [0.0; 2] } else { camera };
                }
            }
        }
    }

    /// Averages the motion over 5 x 5 pixels. The flow has steps between its patches, which would tear strokes on
    /// plain things, where no error of the pictures shows them.
    fn smooth(&mut self) {
        let Self { field, error: from, scratch, of_rest: smooth, .. } = self;
        for values in [&mut field.across, &mut field.down] {
            from.fill((field.width, field.height), |y, row| {
                row.copy_from_slice(&values[y * row.len()..][..row.len()]);
            });
            smooth.filtered(from, scratch, &[0.2; 5]);
            for (y, row) in values.chunks_exact_mut(field.width).enumerate() {
                row.copy_from_slice(smooth.row(y as isize));
            }
        }
    }

    /// Computes the confidence: both directions agree, the pictures do, and neighbours move alike, without which
    /// strokes would be torn.
    fn judge(&mut self) -> bool {
        let (field, forth) = (&self.field, &self.searches[1].field);
        let width = field.width;
        let [low, high] = if self.is_still { STILL_LEVELS } else { MOVING_LEVELS };
        let buffers = (&mut self.error, &mut self.scratch);
        self.of_flow.of_errors(&self.soft, buffers, 3, |x, y| field.at(y * width + x));
        self.confidence.resize(width * field.height, 0.0);
        let rows = self.confidence.par_chunks_exact_mut(width);
        rows.with_min_len(8).enumerate().for_each(|(y, row)| {
            for ((x, to), error) in row.iter_mut().enumerate().zip(self.of_flow.row(y as isize)) {
                let at = [x as f32, y as f32];
                let apart = disagreement(at, field.at(y * width + x), forth);
                *to = apart.map_or(0.0, |px| falling(px, 0.6, 1.6) * falling(*error, low, high));
                *to *= falling(field.spread(x, y), 0.3, 1.0);
            }
        });
        let sure = self.confidence.iter().filter(|confidence| **confidence > 0.3).count();
        sure as f32 >= LEAST_SURE * self.confidence.len() as f32
    }
}

impl Field {
    /// How much a pixel's motion differs from those 2 px away, at most.
    fn spread(&self, x: usize, y: usize) -> f32 {
        let own = self.at(y * self.width + x);
        let mut most = 0.0_f32;
        for y in [y.saturating_sub(2), y, (y + 2).min(self.height - 1)] {
            for x in [x.saturating_sub(2), x, (x + 2).min(self.width - 1)] {
                let other = self.at(y * self.width + x);
                most = most.max(distance(other, own));
            }
        }
        most
    }
}

impl Plane {
    /// The mean difference of two pictures over `side` x `side` pixels, if each pixel of the first moves by `motion`.
    fn of_errors(
        &mut self,
        [own, other]: &[Plane; 2],
        (error, scratch): (&mut Self, &mut Self),
        side: usize,
        motion: impl Fn(usize, usize) -> [f32; 2] + Sync,
    ) {
        error.fill((own.width, own.height), |y, row| {
            for ((x, to), own) in row.iter_mut().enumerate().zip(own.row(y as isize)) {
                let [u, v] = motion(x, y);
                *to = (own - other.sample(x as f32 + u, y as f32 + v)).abs();
            }
        });
        self.filtered(error, scratch, &vec![1.0 / side as f32; side]);
    }
}

/// The sum of `errors` where the picture has texture.
fn textured_sum(picture: &Plane, errors: &Plane) -> f64 {
    let mut sum = 0.0;
    for y in 0..picture.height {
        for (x, error) in errors.row(y as isize).iter().enumerate() {
            let [across, down] = picture.gradient(x, y).map(f32::abs);
            if across + down > 6.0 {
                sum += f64::from(*error);
            }
        }
    }
    sum
}

/// 1 up to `low`, 0 from `high` on.
#[inline(always)]
fn falling(value: f32, low: f32, high: f32) -> f32 {
    ((high - value) / (high - low)).clamp(0.0, 1.0)
}
