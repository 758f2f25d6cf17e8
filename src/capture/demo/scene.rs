//! The whole picture, in bands of rows that several threads draw.
//!
//! Where a band begins depends on the picture's size alone, never on the threads: vello rounds positions, and divides
//! curves, a little otherwise where its picture begins in another row, so that only the same bands have the same bytes.

use std::{num::NonZero, sync::LazyLock, thread::available_parallelism};

use rayon::{ThreadPool, ThreadPoolBuilder, prelude::*};

use super::{
    band::Band,
    brush::{Brush, TILE_ROWS},
    figures,
    landscape::Landscape,
    person,
};

/// Most pixels of a picture that is one band.
const ONE_BAND_PX: usize = 640 * 480;
/// Most bands of a picture: two for each of the most threads, because some have more to draw.
const MOST_BANDS: usize = 2 * MOST_THREADS;
/// Fewest rows of a band, but for the last: what lies in two of them is prepared twice.
const FEWEST_ROWS: usize = 64;
/// Most threads that draw a picture. The others are for those who paint it.
const MOST_THREADS: usize = 8;

/// The threads that draw; none where the processor has too few. They are of their own, because a frame must not wait
/// for a painting.
static DRAWING: LazyLock<Option<ThreadPool>> = LazyLock::new(|| {
    let threads = available_parallelism().map_or(1, NonZero::get) / 2;
    (threads > 1).then(|| pool(threads.min(MOST_THREADS))).flatten()
});

/// `None` where the system gives no threads.
fn pool(threads: usize) -> Option<ThreadPool> {
    let pool = ThreadPoolBuilder::new().num_threads(threads);
    pool.thread_name(|at| format!("demo-scene-{at}")).build().ok()
}

/// The demo scene at one size.
pub struct Scene {
    landscape: Landscape,
    brush: Brush,
    /// From the top down, with [`Scene::band_rows`] each, but the last.
    bands: Vec<Band>,
    band_rows: usize,
}

impl Scene {
    /// The scene at `width` x `height` pixels. Sides of 0 count as 1, and none is beyond 65,535.
    pub fn new(width: usize, height: usize) -> Self {
        let side = |px: usize| u16::try_from(px.max(1)).unwrap_or(u16::MAX);
        let (columns, rows) = (side(width), side(height));
        let brush = Brush::new(columns, rows);
        let band_rows = band_rows(columns.into(), rows.into());
        // None is beyond the last row, a side.
        let row = |at: usize| at.min(rows.into()) as u16;
        let tops = (0..usize::from(rows)).step_by(band_rows);
        Self {
            landscape: Landscape::new(brush.right()),
            brush,
            bands: tops.map(|top| Band::new(columns, row(top)..row(top + band_rows))).collect(),
            band_rows,
        }
    }

    /// Columns and rows, in pixels.
    pub fn size(&self) -> (usize, usize) {
        let (width, height) = self.brush.size();
        (width.into(), height.into())
    }

    /// Draws the moment `time_s` seconds after the beginning into `rgba`: `width * height * 4`
    /// bytes, row by row. Does nothing when their number does not fit.
    pub fn draw(&mut self, time_s: f64, rgba: &mut [u8]) {
        let one = self.bands.len() == 1;
        let threads = if one { None } else { DRAWING.as_ref() };
        self.draw_by(threads, time_s, rgba);
    }

    /// As [`Scene::draw`], by `threads`, or by the one that calls.
    fn draw_by(&mut self, threads: Option<&ThreadPool>, time_s: f64, rgba: &mut [u8]) {
        let (width, height) = self.size();
        if rgba.len() != width * height * 4 {
            return;
        }
        self.paint(time_s);
        let (brush, bands) = (&self.brush, &mut self.bands);
        let bytes = self.band_rows * width * 4;
        let draw = |(band, rgba): (&mut Band, &mut [u8])| band.draw(brush, rgba);
        match threads {
            Some(threads) => threads.install(|| {
                let rgba = rgba.par_chunks_mut(bytes);
                bands.par_iter_mut().zip(rgba).for_each(draw);
            }),
            None => bands.iter_mut().zip(rgba.chunks_mut(bytes)).for_each(draw),
        }
    }

    fn paint(&mut self, time_s: f64) {
        let Self { landscape, brush, .. } = self;
        brush.begin();
        let draw_far = |brush: &mut Brush| {
            landscape.draw_far(brush, time_s);
            figures::lighthouse(brush, time_s);
        };
        landscape.draw_sky(brush, time_s);
        landscape.draw_water(brush, time_s, draw_far);
        draw_far(brush);
        // Balloon and birds are too high above the water to be mirrored; the boat draws its own image.
        figures::balloon(brush, time_s);
        figures::birds(brush, time_s);
        figures::boat(brush, time_s);
        landscape.draw_near(brush, time_s);
        figures::flowers(brush, time_s);
        person::draw(brush, time_s);
    }
}

/// Rows of each band of a picture, but for the last, which has the rest.
fn band_rows(columns: usize, rows: usize) -> usize {
    if columns * rows <= ONE_BAND_PX {
        return rows;
    }
    let rows = rows.div_ceil(MOST_BANDS).max(FEWEST_ROWS);
    rows.next_multiple_of(TILE_ROWS.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Frame, PictureDifference};

    fn drawn(scene: &mut Scene, time_s: f64) -> Frame {
        let (width, height) = scene.size();
        let mut rgba = vec![0; width * height * 4];
        scene.draw(time_s, &mut rgba);
        Frame::from_rgba(width, height, rgba).expect("fits")
    }

    #[test]
    fn a_moment_is_a_function_of_time_and_size() {
        let mut scene = Scene::new(160, 120);
        let first = drawn(&mut scene, 1.25);
        let later = drawn(&mut scene, 2.5);
        assert!(first.rgba().chunks(4).all(|p| p[3] == 255), "opaque");
        let apart = PictureDifference::between(&first, &later).expect("one size");
        assert!(apart.mean > 0.5, "it moves: {}", apart.mean);
        assert!(first == drawn(&mut scene, 1.25));
        assert!(first == drawn(&mut Scene::new(160, 120), 1.25));
        // Hours later it still moves and nothing has run away.
        let night = drawn(&mut scene, 40_000.0);
        let apart = PictureDifference::between(&night, &drawn(&mut scene, 40_000.5));
        assert!(apart.expect("one size").mean > 0.1);
    }

    #[test]
    fn any_size_is_drawn() {
        for (width, height) in [(1, 1), (2, 90), (90, 2), (33, 17), (121, 240)] {
            let mut scene = Scene::new(width, height);
            let frame = drawn(&mut scene, 7.0);
            assert!(frame.rgba().chunks(4).all(|p| p[3] == 255));
        }
        let mut untouched = [9; 12];
        Scene::new(2, 2).draw(0.0, &mut untouched);
        assert_eq!(untouched, [9; 12], "a wrong length is left alone");
    }

    /// Sizes, odd ones too, and their bands. Some last bands have a row, or fewer than a tile.
    const SIZES: [((usize, usize), usize); 6] = [
        ((640, 480), 1),
        ((5001, 65), 2),
        ((801, 515), 9),
        ((1031, 763), 12),
        ((131, 2577), 16),
        ((1920, 1080), 16),
    ];

    #[test]
    fn every_number_of_threads_draws_the_same_bytes() {
        for ((width, height), bands) in SIZES {
            let mut scene = Scene::new(width, height);
            assert_eq!(scene.bands.len(), bands);
            let expected = drawn(&mut scene, 3.5);
            // What was there before makes no difference.
            let mut rgba = vec![77; width * height * 4];
            for count in 0..=16 {
                let threads = (count > 0).then(|| pool(count).expect("threads"));
                scene.draw_by(threads.as_ref(), 9.0, &mut rgba);
                scene.draw_by(threads.as_ref(), 3.5, &mut rgba);
                assert!(rgba == expected.rgba(), "{width}x{height} by {count}");
            }
        }
    }

    #[test]
    fn bands_join_to_the_picture_that_one_band_is() {
        for ((width, height), _) in SIZES {
            let mut scene = Scene::new(width, height);
            let banded = drawn(&mut scene, 21.7);
            let [columns, rows] = [width, height].map(|side| side as u16);
            (scene.bands, scene.band_rows) = (vec![Band::new(columns, 0..rows)], height);
            let apart = PictureDifference::between(&banded, &drawn(&mut scene, 21.7));
            let apart = apart.expect("one size");
            // A level here and there, because positions are rounded otherwise.
            let is_small = apart.differing_share < 0.001 && apart.psnr_db > 70.0;
            assert!(is_small, "{width}x{height}: {apart:?}");
        }
    }
}
