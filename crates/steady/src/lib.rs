//! Steadiness: keeps the brush strokes of a moving picture where they are on the things that it shows.
//!
//! A network paints every frame anew, so that noise and small motions change all strokes. Here the painting before is
//! moved along with the source's motion and mixed into the new one, wherever the motion is sure; what has just become
//! visible is taken as it was painted. The motion comes from the sources, at half of their size: optical flow
//! (`flow`), and the camera's motion where the picture follows it (`camera`), which is more exact. Moving a picture
//! again and again blurs it: the detail that this costs is given back to each output, but not to what is kept.
//!
//! Steadiness 100 keeps 91 % of the painting before, 98 % where nothing moves at all. A new scene starts anew, and its
//! first frame is exactly what was painted.
//!
//! It does not know networks and devices. It may use `values`. Its threads are its own; results do not depend on their
//! number.

#[cfg(test)]
#[path = "../../../tests/support/home.rs"]
mod home;

mod camera;
mod flow;
mod history;
mod motion;
mod plane;
#[cfg(test)]
mod tests;

use rayon::{ThreadPool, ThreadPoolBuilder};

pub use self::{
    camera::{GRID_PX, TRIALS},
    flow::{PATCH, coarser_size, patches_along},
    history::LANCZOS,
};
use self::{flow::Pyramid, history::History, motion::Motion, plane::Plane};
use values::frame::Frame;

/// Below this side, pictures are not steadied.
pub const LEAST_SIDE_PX: usize = 2 * PATCH;

/// The frame and the painting before, and buffers. See the [module](self).
pub struct Steady {
    pool: Option<ThreadPool>,
    now: Pyramid,
    before: Pyramid,
    motion: Motion,
    history: History,
    /// Columns and rows of the painting that is kept.
    size: Option<(usize, usize)>,
}

impl std::fmt::Debug for Steady {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Steady({:?})", self.size)
    }
}

impl Steady {
    /// Computes with this many threads, or with rayon's own if they cannot be started.
    pub fn new(threads: usize) -> Self {
        Self {
            pool: ThreadPoolBuilder::new().num_threads(threads).build().ok(),
            now: Pyramid::default(),
            before: Pyramid::default(),
            motion: Motion::default(),
            history: History::default(),
            size: None,
        }
    }

    /// Starts anew with the next frame, for example after a gap.
    pub fn reset(&mut self) {
        self.size = None;
    }

    /// Makes `painting` steady, which was painted of `source`, a frame of the same size. `percent` is the steadiness,
    /// up to 100. With 0, and if the sizes differ, the painting stays as it is, and the next frame starts anew.
    pub fn apply(&mut self, source: &Frame, painting: &mut Frame, percent: u8) {
        let size = painting.size();
        let is_small = size.0.min(size.1) < LEAST_SIDE_PX;
        if percent == 0 || is_small || source.size() != size {
            return self.reset();
        }
        match self.pool.take() {
            Some(pool) => {
                pool.install(|| self.steady(source, painting, percent));
                self.pool = Some(pool);
            }
            None => self.steady(source, painting, percent),
        }
    }

    fn steady(&mut self, source: &Frame, painting: &mut Frame, percent: u8) {
        std::mem::swap(&mut self.now, &mut self.before);
        if self.now.levels.is_empty() {
            self.now.levels.push(Plane::default());
        }
        self.now.levels[0].half_luma_of(source);
        self.now.complete();
        let continues =
            self.size == Some(painting.size()) && self.motion.find(&self.now, &self.before);
        self.size = Some(painting.size());
        if continues {
            self.history.mix(painting, &self.motion, f32::from(percent.min(100)) / 100.0);
        } else {
            self.history.start(painting);
        }
    }

    /// The state as bytes, from which [`Steady::restore`] continues without a seam.
    pub fn save(&self) -> Vec<u8> {
        let Some((width, height)) = self.size else {
            return Vec::new();
        };
        let plane = &self.now.levels[0];
        let rows = (0..plane.height).flat_map(|y| plane.row(y as isize)).copied();
        let values = rows.chain(self.history.values()).flat_map(f32::to_le_bytes);
        [width as u32, height as u32].into_iter().flat_map(u32::to_le_bytes).chain(values).collect()
    }

    /// Continues from [`Steady::save`]. Returns `false`, and starts anew, if the bytes are not such a state.
    pub fn restore(&mut self, state: &[u8]) -> bool {
        self.reset();
        let (words, rest) = state.as_chunks::<4>();
        let Some((&[width, height], values)) = words.split_first_chunk::<2>() else {
            return state.is_empty();
        };
        let [width, height] = [width, height].map(|word| u32::from_le_bytes(word) as usize);
        let half = (width.div_ceil(2), height.div_ceil(2));
        let needed = (half.0.checked_mul(half.1))
            .and_then(|pixels| pixels.checked_add(width.checked_mul(height)?.checked_mul(4)?));
        if !rest.is_empty() || width.min(height) < LEAST_SIDE_PX || needed != Some(values.len()) {
            return false;
        }
        let (luma, pixels) = values.split_at(half.0 * half.1);
        let mut plane = Plane::default();
        plane.fill(half, |y, row| {
            for (to, value) in row.iter_mut().zip(&luma[y * half.0..]) {
                *to = f32::from_le_bytes(*value);
            }
        });
        self.now.levels = vec![plane];
        self.now.complete();
        self.history.restore((width, height), pixels);
        self.size = Some((width, height));
        true
    }
}
