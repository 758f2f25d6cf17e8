//! A canvas for charts: antialiased areas and text.
//!
//! This is the only module that uses skrifa. The font is the window's.

use std::sync::Arc;

use skrifa::{
    FontRef, MetadataProvider,
    instance::{LocationRef, Size},
};
use vello_cpu::{
    Glyph, Pixmap, RenderContext, Resources,
    kurbo::{Affine, Circle, Rect, Shape, Stroke},
    peniko::{Blob, Color, FontData},
};

use values::frame::Frame;

/// Inter, the font of the window.
pub const INTER: &[u8] = include_bytes!("../../../assets/fonts/Inter-Regular.ttf");

/// Red, green, blue and alpha, not premultiplied.
pub type Rgba = [u8; 4];

/// Horizontal anchor of a text. Vertically the position is the baseline.
#[derive(Clone, Copy)]
pub enum Anchor {
    Left,
    Middle,
    Right,
}

/// Text style.
#[derive(Clone, Copy)]
pub struct Letters {
    /// Font size (em), in pixels.
    pub size_px: f32,
    pub color: Rgba,
    /// The text is bold.
    pub is_strong: bool,
}

/// An image to draw on. Positions are in pixels from the top left.
pub struct Canvas {
    context: RenderContext,
    font: FontRef<'static>,
    size: (u16, u16),
}

impl Canvas {
    /// A canvas filled with one colour; `None` if the font cannot be read.
    pub fn new(size: (u16, u16), ground: Rgba) -> Option<Self> {
        let mut canvas = Self {
            context: RenderContext::new(size.0, size.1),
            font: FontRef::new(INTER).ok()?,
            size,
        };
        canvas.area([0.0, 0.0, f64::from(size.0), f64::from(size.1)], ground);
        Some(canvas)
    }

    /// Fills a rectangle.
    pub fn area(&mut self, [left, top, right, bottom]: [f64; 4], color: Rgba) {
        self.context.set_paint(paint(color));
        self.context.fill_rect(&Rect::new(left, top, right, bottom));
    }

    /// Fills a circle.
    pub fn dot(&mut self, (x, y): (f64, f64), radius: f64, color: Rgba) {
        self.context.set_paint(paint(color));
        let path = Circle::new((x, y), radius).to_path(0.05);
        self.context.fill_path(&path);
    }

    /// Width of a text, in pixels.
    pub fn width(&self, text: &str, size_px: f32) -> f32 {
        self.glyphs(text, size_px).1
    }

    /// The glyphs of a text from left to right, and its width in pixels.
    fn glyphs(&self, text: &str, size_px: f32) -> (Vec<Glyph>, f32) {
        let metrics = self.font.glyph_metrics(Size::new(size_px), LocationRef::default());
        let charmap = self.font.charmap();
        let (mut glyphs, mut x) = (Vec::new(), 0.0);
        for glyph in text.chars().filter_map(|letter| charmap.map(letter)) {
            glyphs.push(Glyph { id: glyph.to_u32(), x, y: 0.0 });
            x += metrics.advance_width(glyph).unwrap_or(0.0);
        }
        (glyphs, x)
    }

    /// Writes a text at most `most` pixels wide. A wider text is scaled down to at least two thirds, then truncated
    /// with an ellipsis.
    pub fn text_within(
        &mut self,
        at: (f64, f64),
        text: &str,
        mut letters: Letters,
        anchor: Anchor,
        most: f32,
    ) {
        let least = letters.size_px * 2.0 / 3.0;
        let width = self.width(text, letters.size_px);
        if width > most {
            letters.size_px = (letters.size_px * most / width).max(least);
        }
        let mut shown = text.to_owned();
        while self.width(&shown, letters.size_px) > most && shown.chars().count() > 1 {
            shown = shown.trim_end_matches('…').to_owned();
            shown.pop();
            shown.push('…');
        }
        self.text(at, &shown, letters, anchor);
    }

    pub fn text(&mut self, (x, y): (f64, f64), text: &str, letters: Letters, anchor: Anchor) {
        let (glyphs, width) = self.glyphs(text, letters.size_px);
        let width = f64::from(width);
        let left = match anchor {
            Anchor::Left => x,
            Anchor::Middle => x - width / 2.0,
            Anchor::Right => x - width,
        };
        let font = FontData::new(Blob::new(Arc::new(INTER)), 0);
        let (context, mut resources) = (&mut self.context, Resources::new());
        context.set_paint(paint(letters.color));
        context.set_transform(Affine::translate((left, y)));
        let run = context.glyph_run(&mut resources, &font).font_size(letters.size_px).hint(false);
        run.fill_glyphs(glyphs.iter().copied());
        if letters.is_strong {
            context.set_stroke(Stroke::new(f64::from(letters.size_px) * 0.028));
            let run =
                context.glyph_run(&mut resources, &font).font_size(letters.size_px).hint(false);
            run.stroke_glyphs(glyphs.into_iter());
        }
        context.reset_transform();
    }

    /// Returns the pixels.
    pub fn finish(mut self) -> Frame {
        let mut pixels = Pixmap::new(self.size.0, self.size.1);
        self.context.flush();
        self.context.render(&mut pixels, &mut Resources::new());
        // The background covers everything, so no pixel is transparent.
        let bytes = pixels.data_as_u8_slice();
        let width = usize::from(self.size.0);
        Frame::from_fn(width, usize::from(self.size.1), |x, y| {
            let at = 4 * (y * width + x);
            [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]
        })
    }
}

fn paint([r, g, b, a]: Rgba) -> Color {
    Color::from_rgba8(r, g, b, a)
}
