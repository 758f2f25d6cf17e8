//! Some rows of the picture, made into pixels by vello.

use std::ops::Range;

use vello_cpu::{PixmapMut, RenderContext, Resources, kurbo::Rect};

use super::brush::{Brush, Paint, Part, Placing, Shape, TILE_ROWS, blend, flat};

/// What is this many pixels beyond an edge of a band does not touch it, however positions are rounded.
const BEYOND_PX: f64 = 1.0;

/// A band of the picture: its whole width, from one row to another. It keeps its buffers.
pub struct Band {
    context: RenderContext,
    resources: Resources,
    /// Its first row.
    top: u16,
}

impl Band {
    /// The band of these rows, which begin at a tile ([`TILE_ROWS`]), of pictures of this width.
    pub fn new(width: u16, rows: Range<u16>) -> Self {
        Self {
            context: RenderContext::new(width, rows.end - rows.start),
            resources: Resources::new(),
            top: rows.start,
        }
    }

    /// Writes what `brush` painted into the band's RGBA pixels, row by row; does nothing where their number does
    /// not fit.
    pub fn draw(&mut self, brush: &Brush, rgba: &mut [u8]) {
        let (width, height) = (self.context.width(), self.context.height());
        let Some(pixels) = PixmapMut::new(width, height, &mut *rgba) else {
            return;
        };
        self.context.reset();
        for part in &brush.parts {
            match part {
                Part::Made(at, placing) => self.shape(&brush.made[*at], *placing),
                Part::Kept(shapes, placing) => {
                    shapes.iter().for_each(|shape| self.shape(shape, *placing));
                }
                Part::Tiles(rows, [first, second]) => {
                    let share = |row| f32::from(row - rows.start) / rows.len() as f32;
                    self.tiles(rows, |row| flat(blend(*first, *second, share(row))));
                }
            }
        }
        self.context.flush();
        self.context.render(pixels, &mut self.resources);
        // Blending rounds, and what was painted over the ground is opaque all the same.
        for pixel in rgba.as_chunks_mut::<4>().0 {
            pixel[3] = 255;
        }
    }

    fn shape(&mut self, shape: &Shape, placing: Placing) {
        let down = (0.0, -f64::from(self.top));
        let to_pixels = placing.to_pixels.then_translate(down.into());
        let (width, height) = (self.context.width(), self.context.height());
        let seen = Rect::new(0.0, 0.0, width.into(), height.into()).inflate(BEYOND_PX, BEYOND_PX);
        // The others are not worth preparing.
        if to_pixels.transform_rect_bbox(shape.bounds).overlaps(seen) {
            let paint = shape.paint.clone().faint(placing.opacity);
            self.context.set_transform(to_pixels);
            self.context.set_paint(paint.0);
            self.context.fill_path(&shape.outline.path);
        }
    }

    /// Fills rows of tiles, each with its paint.
    fn tiles(&mut self, rows: &Range<u16>, paint: impl Fn(u16) -> Paint) {
        let width = f64::from(self.context.width());
        let first = self.top / TILE_ROWS;
        let end = first + self.context.height().div_ceil(TILE_ROWS);
        self.context.reset_transform();
        for row in rows.start.max(first)..rows.end.min(end) {
            let [above, below] =
                [row, row + 1].map(|row| f64::from(row - first) * f64::from(TILE_ROWS));
            self.context.set_paint(paint(row).0);
            self.context.fill_rect(&Rect::new(0.0, above, width, below));
        }
    }
}
