//! The whole scene, drawn with vello in bands of rows by several threads.
//!
//! The bands depend only on the picture's size, never on the number of threads, because vello rounds positions slightly
//! differently when a band starts in another row.

use std::{num::NonZero, sync::LazyLock, thread::available_parallelism};

use rayon::{ThreadPool, ThreadPoolBuilder, prelude::*};
use vello_cpu::{
    PixmapMut, RenderContext, Resources,
    kurbo::{Affine, Rect},
};

use super::{
    figures,
    landscape::{HORIZON, Landscape},
    shape::{Group, Shape, faint},
};

/// Maximum number of threads that draw a picture. The others are for painting.
const MAX_THREADS: usize = 8;
/// Maximum pixels of a picture that is one band.
const ONE_BAND_PX: usize = 640 * 480;
/// Maximum number of bands: two per thread, because some have more to draw.
const MAX_BANDS: usize = 2 * MAX_THREADS;
/// Minimum rows of a band: shapes that span two bands are prepared twice.
const FEWEST_ROWS: usize = 64;
/// Rows of vello's tiles, which bands must not split.
const TILE_ROWS: usize = 4;
/// Maximum width that is filled with detail, in picture heights; the rest is only background.
const MAX_DETAIL: f64 = 8.0;

/// The drawing threads; `None` if the CPU has too few. The pool is separate from the painting threads, so that a frame
/// does not wait for a painting.
static DRAWING: LazyLock<Option<ThreadPool>> = LazyLock::new(|| {
    let threads = available_parallelism().map_or(1, NonZero::get) / 2;
    (threads > 1).then(|| pool(threads.min(MAX_THREADS))).flatten()
});

/// `None` if the system cannot start threads.
fn pool(threads: usize) -> Option<ThreadPool> {
    let pool = ThreadPoolBuilder::new().num_threads(threads);
    pool.thread_name(|at| format!("demo-scene-{at}")).build().ok()
}

/// The demo scene at one size.
pub struct Scene {
    /// From the farthest to the nearest.
    groups: Vec<Group>,
    /// The renderer of each band, which reuses its buffers.
    bands: Vec<(RenderContext, Resources)>,
    /// Rows of each band, except for the last.
    band_rows: usize,
    size: (usize, usize),
}

impl Scene {
    /// The scene at `width` x `height` pixels. Sides are clamped to 1..=65,535.
    pub fn new(width: usize, height: usize) -> Self {
        let size @ (width, height) = (width.clamp(1, 65_535), height.clamp(1, 65_535));
        let rows = height.div_ceil(MAX_BANDS).max(FEWEST_ROWS).next_multiple_of(TILE_ROWS);
        let band_rows = if width * height <= ONE_BAND_PX { height } else { rows };
        let band = |top: usize| {
            let rows = band_rows.min(height - top);
            (RenderContext::new(width as u16, rows as u16), Resources::new())
        };
        Self {
            groups: groups((width as f64 / height as f64).min(MAX_DETAIL)),
            bands: (0..height).step_by(band_rows).map(band).collect(),
            band_rows,
            size,
        }
    }

    /// Columns and rows.
    pub fn size(&self) -> (usize, usize) {
        self.size
    }

    /// Draws the scene at `time_s` seconds into `rgba`: `width * height * 4` bytes, row by row. Does nothing if its
    /// length differs.
    pub fn draw(&mut self, time_s: f64, rgba: &mut [u8]) {
        let threads = if self.bands.len() == 1 { None } else { DRAWING.as_ref() };
        self.draw_by(threads, time_s, rgba);
    }

    /// As [`Scene::draw`], on `threads`, or on the calling thread.
    fn draw_by(&mut self, threads: Option<&ThreadPool>, time_s: f64, rgba: &mut [u8]) {
        let Self { groups, bands, band_rows, size: (width, height) } = self;
        if rgba.len() != *width * *height * 4 {
            return;
        }
        let bytes = *band_rows * *width * 4;
        let to_pixels = Affine::scale(*height as f64);
        let draw = |(i, (band, rgba)): (usize, (&mut (RenderContext, Resources), &mut [u8]))| {
            let up = Affine::translate((0.0, -((i * *band_rows) as f64)));
            draw_band(groups, up * to_pixels, time_s, band, rgba);
        };
        match threads {
            Some(threads) => threads.install(|| {
                let bands = bands.par_iter_mut().zip(rgba.par_chunks_mut(bytes));
                bands.enumerate().for_each(draw);
            }),
            None => bands.iter_mut().zip(rgba.chunks_mut(bytes)).enumerate().for_each(draw),
        }
    }
}

/// All groups of a picture `right` heights wide.
fn groups(right: f64) -> Vec<Group> {
    let land = Landscape { right };
    let far = || land.far().into_iter().chain(figures::lighthouse(right));
    let mut groups = land.sky();
    groups.push(land.water());
    groups.extend(far().map(mirrored));
    groups.extend(land.waves());
    groups.extend(far());
    // Balloon and birds are too high above the water to be reflected; the boat has its own reflection.
    groups.push(figures::balloon(right));
    groups.extend(figures::birds(right));
    groups.extend(figures::boat(right));
    groups.push(land.meadow());
    groups.extend(figures::flowers(right));
    groups.extend(figures::person(right));
    groups
}

/// The reflection of a group in the water.
fn mirrored(group: Group) -> Group {
    let flip = Affine::new([1.0, 0.0, 0.0, -1.0, 0.0, 2.0 * HORIZON]);
    Group::new(faint(group.shapes, 0.4), move |t| flip * (group.motion)(t))
}

fn draw_band(
    groups: &[Group],
    to_pixels: Affine,
    time_s: f64,
    (context, resources): &mut (RenderContext, Resources),
    rgba: &mut [u8],
) {
    let (columns, rows) = (context.width(), context.height());
    // One pixel of margin, because positions are rounded.
    let seen = Rect::new(0.0, 0.0, columns.into(), rows.into()).inflate(1.0, 1.0);
    context.reset();
    for group in groups {
        let transform = to_pixels * (group.motion)(time_s);
        for Shape { path, paint, bounds } in &group.shapes {
            // Shapes outside the band are not worth preparing.
            if transform.transform_rect_bbox(*bounds).overlaps(seen) {
                context.set_transform(transform);
                context.set_paint(paint.clone());
                context.fill_path(path);
            }
        }
    }
    context.flush();
    if let Some(pixels) = PixmapMut::new(columns, rows, &mut *rgba) {
        context.render(pixels, resources);
    }
    // Blending rounds alpha, but everything over the background is opaque.
    rgba.iter_mut().skip(3).step_by(4).for_each(|alpha| *alpha = 255);
}

#[cfg(test)]
mod tests {
    use super::{
        super::shape::{DRAWINGS, pieces},
        *,
    };
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
        // Hours later the scene still moves and all figures are in place.
        let night = drawn(&mut scene, 40_000.0);
        let apart = PictureDifference::between(&night, &drawn(&mut scene, 40_000.5));
        assert!(apart.expect("one size").mean > 0.1);
    }

    #[test]
    fn all_path_data_is_valid() {
        let mut groups = groups(1.5);
        assert!(groups.iter().all(|group| !group.shapes.is_empty()));
        let mut shapes = groups.drain(..).flat_map(|group| group.shapes);
        assert!(shapes.all(|shape| !shape.path.elements().is_empty()));
        let names = DRAWINGS.lines().filter_map(|line| line.strip_prefix("# "));
        let shapes = names.clone().map(|name| pieces(name).count()).sum::<usize>();
        let intro = DRAWINGS.lines().take_while(|line| !line.is_empty()).count();
        let lines = DRAWINGS.lines().filter(|line| !line.is_empty()).count();
        assert_eq!(intro + names.count() + shapes, lines, "every line is read");
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

    /// Sizes, including odd ones, and their number of bands. Some last bands have one row, or less than a tile.
    const SIZES: [((usize, usize), usize); 6] = [
        ((640, 480), 1),
        ((5001, 65), 2),
        ((801, 515), 9),
        ((1031, 763), 12),
        ((131, 2577), 16),
        ((1920, 1080), 16),
    ];

    #[test]
    fn bands_and_threads_do_not_change_the_picture() {
        for ((width, height), bands) in SIZES {
            let mut scene = Scene::new(width, height);
            assert_eq!(scene.bands.len(), bands);
            let expected = drawn(&mut scene, 3.5);
            // The buffer's previous content must not matter.
            let mut rgba = vec![77; width * height * 4];
            for count in 0..=16 {
                let threads = (count > 0).then(|| pool(count).expect("threads"));
                scene.draw_by(threads.as_ref(), 9.0, &mut rgba);
                scene.draw_by(threads.as_ref(), 3.5, &mut rgba);
                assert!(rgba == expected.rgba(), "{width}x{height} by {count}");
            }
            let whole = (RenderContext::new(width as u16, height as u16), Resources::new());
            (scene.bands, scene.band_rows) = (vec![whole], height);
            let apart = PictureDifference::between(&expected, &drawn(&mut scene, 3.5));
            let apart = apart.expect("one size");
            // Single levels may differ, because positions are rounded differently.
            let is_small = apart.differing_share < 0.001 && apart.psnr_db > 70.0;
            assert!(is_small, "{width}x{height}: {apart:?}");
        }
    }
}
