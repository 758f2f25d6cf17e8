//! Small pictures of the window, and how much two of them differ.

use eframe::egui::{ColorImage, Rect};
use image::{RgbImage, imageops};

/// Points per pixel of a small picture.
const POINTS: usize = 5;
/// Side of the blocks that are compared, in pixels of a small picture: letters may differ a little, but a moved button
/// must be detected.
const BLOCK: usize = 6;

/// The window as a small picture, 5 points per pixel, grey where nothing is compared: in `hide`, in points.
pub fn small(screen: ColorImage, scale: f32, hide: &[Rect]) -> RgbImage {
    let [width, height] = screen.size.map(|side| side as u32);
    let mut large = RgbImage::from_fn(width, height, |x, y| {
        let [r, g, b, _] = screen.pixels[(y * width + x) as usize].to_array();
        image::Rgb([r, g, b])
    });
    for rect in hide {
        let sides = [rect.left(), rect.top(), rect.right(), rect.bottom()]
            .map(|at| (at * scale).max(0.0) as u32);
        for y in sides[1]..sides[3].min(height) {
            for x in sides[0]..sides[2].min(width) {
                large.put_pixel(x, y, image::Rgb([128; 3]));
            }
        }
    }
    let factor = POINTS as u32 * scale as u32;
    imageops::thumbnail(&large, width / factor, height / factor)
}

/// The worst block of two pictures from [`small`] as text, if one of its means differs by more than this many levels.
pub fn difference(before: &RgbImage, now: &RgbImage, most: f32) -> Option<String> {
    if before.dimensions() != now.dimensions() {
        return Some(format!("has another size, {:?}", now.dimensions()));
    }
    let mean = |of: &RgbImage, x: usize, y: usize, c: usize| {
        let (width, height) = (of.width() as usize, of.height() as usize);
        let (columns, rows) = (x..(x + BLOCK).min(width), y..(y + BLOCK).min(height));
        let count = columns.len() * rows.len();
        let pixels =
            rows.flat_map(|y| columns.clone().map(move |x| of.get_pixel(x as u32, y as u32)));
        pixels.map(|p| f32::from(p[c])).sum::<f32>() / count as f32
    };
    let mut worst = (0.0, (0, 0));
    for y in (0..now.height() as usize).step_by(BLOCK) {
        for x in (0..now.width() as usize).step_by(BLOCK) {
            for c in 0..3 {
                let levels = (mean(before, x, y, c) - mean(now, x, y, c)).abs();
                if levels > worst.0 {
                    worst = (levels, (x * POINTS, y * POINTS));
                }
            }
        }
    }
    let (levels, place) = worst;
    (levels > most).then(|| format!("differs by {levels:.0} levels at {place:?} points"))
}
