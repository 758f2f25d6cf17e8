//! Upscales live paintings to their source's size, sharp where the source has edges.
//!
//! Joint (guided) upsampling: the result is the painting, interpolated and sharpened, plus detail of the source. At the
//! working size, each neighbourhood of 3 x 3 pixels has a linear model of the painting's colours by the source's luma,
//! as in a guided filter. Its gain determines how much of the detail that scaling down removed from the source is added
//! to the painting there. All values stay in the range of the painting's nearby colours, so that edges have no halos,
//! and a flat painting stays flat over any source.
//!
//! After the first frame of a size nothing is allocated, except for queueing work to the threads. The result does not
//! depend on the number of threads. Belongs to one thread at a time.

mod models;
mod pixels;
mod rows;

use rayon::{ThreadPool, ThreadPoolBuilder, prelude::*};

use self::rows::{Neighbours, Ranges, Scratch, positions};
use values::{
    compose::{Blend, Look, Strength},
    frame::Frame,
};

/// Maximum number of threads; more gain nothing, because memory is the limit.
const MAX_THREADS: usize = 8;
/// Bands of a picture per thread, so that other threads can take over work from a delayed one.
const BANDS_A_THREAD: usize = 2;

/// Upscales paintings to their source's size and blends them over it.
pub struct Upscaler {
    threads: usize,
    pool: Option<ThreadPool>,
    /// Width and height of the painting, and of the source.
    sizes: Option<[(usize, usize); 2]>,
    columns: Vec<Neighbours>,
    rows: Vec<Neighbours>,
    scratch: Vec<Scratch>,
}

impl Upscaler {
    /// Does not start threads yet; later uses up to `threads` of them, limited to a useful number.
    pub fn new(threads: usize) -> Self {
        Self {
            threads: threads.clamp(1, MAX_THREADS),
            pool: None,
            sizes: None,
            columns: Vec::new(),
            rows: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// Lays `painting`, brought up to the size of `source`, over it by `blend`; into `to`, which gets that size.
    /// `painting` was painted from `scaled`, which is `source` at another size. Alpha comes from the source.
    ///
    /// Returns `false`, and changes nothing, when `painting` and `scaled` differ in size, or `source` and a mask.
    pub fn compose<'a>(
        &mut self,
        (scaled, painting): (&Frame, &Frame),
        source: &Frame,
        blend: impl Into<Blend<'a>>,
        to: &mut Frame,
    ) -> bool {
        let blend = blend.into();
        let (small, large) = (scaled.size(), source.size());
        if painting.size() != small || !blend.fits(large) {
            return false;
        }
        to.resize(large.0, large.1);
        if blend.strength == Strength::Uniform(0) {
            to.rgba_mut().copy_from_slice(source.rgba());
            return true;
        }
        self.prepare(small, large);
        let row_bytes = 4 * large.0;
        let band_rows = large.1.div_ceil(self.scratch.len());
        let columns = &self.columns;
        let ranges = Ranges::of(small, large);
        let bands = (self.scratch.par_iter_mut())
            .zip(to.rgba_mut().par_chunks_mut(band_rows * row_bytes))
            .zip(source.rgba().par_chunks(band_rows * row_bytes))
            .zip(self.rows.par_chunks(band_rows));
        let work = || {
            bands.enumerate().for_each(|(band, (((scratch, to), source), rows))| {
                scratch.begin(small.0, large.0, ranges);
                let lines =
                    to.chunks_exact_mut(row_bytes).zip(source.chunks_exact(row_bytes)).zip(rows);
                for (y, ((to, source), row)) in (band * band_rows..).zip(lines) {
                    scratch.spread(scaled, painting, row.first, columns);
                    scratch.spread(scaled, painting, row.second, columns);
                    scratch.finish(row, source, to);
                    if blend != Look::default().into() {
                        blend.compose_row(y, source, to);
                    }
                }
            });
        };
        match &self.pool {
            Some(pool) => pool.install(work),
            // No threads could be started; use the program's shared ones.
            None => work(),
        }
        true
    }

    /// Prepares threads and tables for these sizes.
    fn prepare(&mut self, small: (usize, usize), large: (usize, usize)) {
        if self.sizes == Some([small, large]) {
            return;
        }
        if self.pool.is_none() {
            let pool = ThreadPoolBuilder::new()
                .num_threads(self.threads)
                .thread_name(|i| format!("upscale-{i}"));
            self.pool = pool.build().ok();
        }
        let bands = BANDS_A_THREAD * self.threads;
        self.scratch.resize_with(bands, Scratch::default);
        positions(small.0, large.0, &mut self.columns);
        positions(small.1, large.1, &mut self.rows);
        self.sizes = Some([small, large]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resample::Resampler;
    use values::compose::Plane;

    /// Reproducible pseudo-random numbers.
    fn noise(x: usize, y: usize, seed: u32) -> u8 {
        let mixed = (x as u32).wrapping_mul(0x9e37_79b1) ^ (y as u32).wrapping_mul(0x85eb_ca6b);
        let mixed = (mixed ^ seed).wrapping_mul(0xc2b2_ae35);
        (mixed ^ (mixed >> 15)).wrapping_mul(0x27d4_eb2f).to_be_bytes()[0]
    }

    fn noisy((width, height): (usize, usize), seed: u32) -> Frame {
        Frame::from_fn(width, height, |x, y| {
            [seed, seed + 1, seed + 2, seed + 3].map(|seed| noise(x, y, seed))
        })
    }

    /// `source` scaled to the size of a painting.
    fn scaled(source: &Frame, (width, height): (usize, usize)) -> Frame {
        let mut to = Frame::from_fn(width, height, |_, _| [0; 4]);
        Resampler::default().resample(source, &mut to);
        to
    }

    fn composed(source: &Frame, painting: &Frame, look: Look) -> Frame {
        let scaled = scaled(source, painting.size());
        let mut to = Frame::from_fn(1, 1, |_, _| [0; 4]);
        assert!(Upscaler::new(2).compose((&scaled, painting), source, look, &mut to));
        to
    }

    const SIZES: [((usize, usize), (usize, usize)); 8] = [
        ((1, 1), (1, 7)),
        ((1, 1), (9, 1)),
        ((1, 3), (1, 40)),
        ((5, 1), (33, 1)),
        ((7, 5), (64, 48)),
        ((31, 17), (33, 61)),
        ((3, 48), (64, 48)),
        ((40, 30), (41, 31)),
    ];

    #[test]
    fn without_strength_the_source_stays_as_it_is() {
        for (small, large) in SIZES {
            let (source, painting) = (noisy(large, 1), noisy(small, 9));
            for keep_colors in [false, true] {
                let look = Look::new(0, keep_colors);
                assert_eq!(composed(&source, &painting, look), source);
            }
        }
    }

    #[test]
    fn a_uniform_mask_equals_the_uniform_strength() {
        for (small, large) in SIZES {
            let (source, painting) = (noisy(large, 1), noisy(small, 9));
            let scaled = scaled(&source, small);
            let uniform = [0, 70].map(|strength_percent| {
                composed(&source, &painting, Look::new(strength_percent, true))
            });
            let is_second = |i: usize| (i % large.0 + i / large.0).is_multiple_of(3);
            let values = (0..large.0 * large.1).map(|i| if is_second(i) { 255 } else { 0 });
            let mask = Plane::new(large.0, values.collect());
            let strength = Strength::Mask(&mask, 70);
            let blend = Blend { strength, ..Look::new(100, true).into() };
            let mut to = Frame::from_fn(1, 1, |_, _| [0; 4]);
            assert!(Upscaler::new(2).compose((&scaled, &painting), &source, blend, &mut to));
            for (i, pixel) in to.rgba().chunks(4).enumerate() {
                let expected = &uniform[usize::from(is_second(i))].rgba()[4 * i..4 * i + 4];
                assert_eq!(pixel, expected, "{small:?} to {large:?}, pixel {i}");
            }
        }
    }

    #[test]
    fn a_flat_painting_stays_flat_and_alpha_is_the_sources() {
        for (small, large) in SIZES {
            for level in [0, 1, 127, 254, 255] {
                let painting = Frame::from_fn(small.0, small.1, |_, _| [level, 90, level, 255]);
                let source = noisy(large, 4);
                let result = composed(&source, &painting, Look::default());
                assert_eq!(result.size(), large);
                for (r, s) in result.rgba().chunks(4).zip(source.rgba().chunks(4)) {
                    assert_eq!(r, [level, 90, level, s[3]], "{small:?} to {large:?}");
                }
            }
        }
    }

    #[test]
    fn no_colour_leaves_the_range_of_the_paintings_near_by() {
        for (small, large) in SIZES {
            let (source, painting) = (noisy(large, 2), noisy(small, 7));
            let result = composed(&source, &painting, Look::default());
            // The painting's two pixels on either side, and their neighbours.
            let near = |at: usize, from: usize, to: usize| {
                let centre = ((at as f64 + 0.5) * to as f64 / from as f64 - 0.5).max(0.0);
                let first = centre as usize;
                first.saturating_sub(1)..=(first + 2).min(to - 1)
            };
            for (at, pixel) in result.rgba().chunks(4).enumerate() {
                let (x, y) = (at % large.0, at / large.0);
                for (c, &level) in pixel[..3].iter().enumerate() {
                    let rows = near(y, large.1, small.1);
                    let columns = near(x, large.0, small.0);
                    let levels = rows
                        .flat_map(|y| columns.clone().map(move |x| (x, y)))
                        .map(|(x, y)| painting.pixel(x, y)[c]);
                    let (least, most) = levels.fold((255, 0), |(a, b), v| (v.min(a), v.max(b)));
                    assert!(
                        (least..=most).contains(&level),
                        "{level} at {x}, {y}, where {least} to {most} was painted"
                    );
                }
            }
        }
    }

    /// An edge inside one of the painting's pixels becomes as sharp as the source's, without a halo.
    #[test]
    fn an_edge_of_the_source_becomes_one_of_the_painting() {
        let looks = [(40, 200, false), (40, 200, true), (90, 140, false)];
        // Much smaller than the source, and more than half as large.
        let sizes = [(16, 8), (48, 24)];
        for ((dark, light, inverts), size) in looks.into_iter().flat_map(|l| sizes.map(|s| (l, s)))
        {
            let source = Frame::from_fn(80, 40, |x, _| {
                if x < 42 { [dark, dark, dark, 255] } else { [light, light, light, 255] }
            });
            let small = scaled(&source, size);
            let painting = Frame::from_fn(size.0, size.1, |x, y| {
                let [level, ..] = small.pixel(x, y);
                if inverts {
                    [255 - level, 255 - level, 255 - level, 255]
                } else {
                    [level, level, level, 255]
                }
            });
            let result = composed(&source, &painting, Look::default());
            let expected = |level: u8| if inverts { 255 - level } else { level };
            for x in 0..80 {
                let wanted = expected(if x < 42 { dark } else { light });
                let [level, ..] = result.pixel(x, 20);
                let (least, most) =
                    (expected(dark).min(expected(light)), expected(dark).max(expected(light)));
                assert!((least..=most).contains(&level), "a halo at {x}: {level}");
                // Interpolated, the edge would be as wide as two of the painting's pixels.
                assert!(
                    level.abs_diff(wanted) <= (most - least) / 8,
                    "{level} at {x} where {wanted} is expected"
                );
            }
        }
    }

    #[test]
    fn threads_and_what_was_there_before_make_no_difference() {
        let (small, large) = ((37, 23), (101, 64));
        let (source, painting) = (noisy(large, 3), noisy(small, 5));
        let look = Look::new(70, true);
        let expected = composed(&source, &painting, look);
        let small_source = scaled(&source, small);
        for threads in [1, 3, 64] {
            let mut upscaler = Upscaler::new(threads);
            let mut to = Frame::from_fn(3, 3, |_, _| [7; 4]);
            let other = noisy((50, 90), 8);
            let (small_other, painted) = (scaled(&other, (20, 10)), noisy((20, 10), 6));
            for _ in 0..2 {
                assert!(upscaler.compose((&small_other, &painted), &other, look, &mut to));
                assert!(upscaler.compose((&small_source, &painting), &source, look, &mut to));
                assert_eq!(to, expected, "{threads} threads");
            }
        }
    }

    #[test]
    fn a_painting_of_another_size_is_refused() {
        let source = noisy((20, 20), 1);
        let mut to = source.clone();
        let painting = (&noisy((5, 5), 1), &noisy((5, 4), 1));
        assert!(!Upscaler::new(1).compose(painting, &source, Look::default(), &mut to));
        assert_eq!(to, source);
    }
}
