//! Pictures as textures: a preview of the whole, and tiles for a close view.
//!
//! Uploading a 12-megapixel picture at once takes tens of milliseconds. The window therefore uploads previews of
//! limited size and, when zoomed in further, a few of the visible tiles per frame.

use std::{collections::HashMap, sync::Arc};

use eframe::egui::{
    self, Color32, ColorImage, Context, Galley, Mesh, Pos2, Rect, TextureHandle, TextureOptions,
    Ui, Vec2,
    emath::RectTransform,
    pos2,
    text::{LayoutJob, TextWrapping},
    vec2,
};

use values::frame::Frame;

/// Maximum screen pixels per picture pixel when a picture is fitted to the space for it.
pub const MAX_FIT: f32 = 8.0;
/// Side of a tile, in pixels.
const TILE_PX: usize = 512;
/// Maximum number of tiles uploaded per frame.
const TILES_A_FRAME: usize = 4;
/// Maximum number of tiles kept.
const KEPT_TILES: usize = 96;

/// For pictures that are shown smaller than they are.
pub const MIPMAPPED: TextureOptions =
    TextureOptions { mipmap_mode: Some(egui::TextureFilter::Linear), ..TextureOptions::LINEAR };
/// Without mipmaps, which would have to be made for every frame.
const LIVE: TextureOptions = TextureOptions::LINEAR;
const TILE: TextureOptions =
    TextureOptions { magnification: egui::TextureFilter::Nearest, ..TextureOptions::LINEAR };

/// A picture that can be drawn at any zoom.
#[derive(Default)]
pub struct Picture {
    preview: Option<(Arc<Frame>, TextureHandle)>,
    full: Option<Arc<Frame>>,
    /// A picture that changes continuously, shown instead of the others.
    live: Option<TextureHandle>,
    tiles: HashMap<(usize, usize), (TextureHandle, u64)>,
    frames_drawn: u64,
    /// Where the picture was last drawn, and its visible part.
    drawn_at: Option<(Rect, Rect)>,
}

impl Picture {
    /// The pixels, if they are kept: the picture itself, or its preview.
    pub fn frame(&self) -> Option<&Frame> {
        let preview = self.preview.as_ref().map(|(frame, _)| frame);
        self.full.as_ref().or(preview).map(Arc::as_ref)
    }

    /// The texture of the preview.
    pub fn preview(&self) -> Option<&TextureHandle> {
        self.preview.as_ref().map(|(_, texture)| texture)
    }

    fn texture(&self) -> Option<&TextureHandle> {
        self.live.as_ref().or(self.preview())
    }

    /// What was last drawn: the texture, its full rectangle, and the visible part of that.
    pub fn drawn(&self) -> Option<(TextureHandle, Rect, Rect)> {
        let (rect, clip) = self.drawn_at?;
        Some((self.texture()?.clone(), rect, clip))
    }

    /// Replaces the pixels, also those of a picture that changes continuously: a preview and, if available, the picture itself.
    pub fn set(
        &mut self,
        ctx: &Context,
        name: &str,
        preview: &Arc<Frame>,
        full: Option<Arc<Frame>>,
    ) {
        if self.full.as_ref().map(Arc::as_ptr) != full.as_ref().map(Arc::as_ptr) {
            self.tiles.clear();
            self.full = full;
        }
        self.live = None;
        match &mut self.preview {
            Some((shown, _)) if Arc::ptr_eq(shown, preview) => {}
            Some((shown, texture)) => {
                texture.set(image_of(preview), MIPMAPPED);
                *shown = preview.clone();
            }
            None => {
                let texture = ctx.load_texture(name, image_of(preview), MIPMAPPED);
                self.preview = Some((preview.clone(), texture));
            }
        }
    }

    /// Sets the pixels of a picture that changes continuously. It is uploaded as a whole, reduced only if the graphics
    /// card does not support its size.
    pub fn set_live(&mut self, ctx: &Context, name: &str, image: ColorImage) {
        let image = thinned(image, ctx.input(|i| i.max_texture_side));
        match &mut self.live {
            Some(texture) => texture.set(image, LIVE),
            None => self.live = Some(ctx.load_texture(name, image, LIVE)),
        }
    }

    /// Removes the pixels.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    pub fn is_empty(&self) -> bool {
        self.texture().is_none()
    }

    /// True if drawing at `scale` screen pixels per picture pixel needs the picture itself, which is not available yet.
    pub fn wants_full(&self, size: (usize, usize), scale: f32) -> bool {
        self.full.is_none() && self.is_beyond_preview(size, scale)
    }

    fn is_beyond_preview(&self, size: (usize, usize), scale: f32) -> bool {
        self.preview.as_ref().is_some_and(|(preview, _)| {
            let preview_scale = preview.width() as f32 / size.0.max(1) as f32;
            preview_scale < 1.0 && scale > preview_scale * 1.05
        })
    }

    /// Draws the picture so that it fills `rect`, cut to `clip`.
    ///
    /// A live picture is mirrored if `is_flipped`.
    pub fn draw(&mut self, ui: &Ui, rect: Rect, clip: Rect, scale: f32, is_flipped: bool) {
        let clip = clip.intersect(rect);
        self.drawn_at = Some((rect, clip)).filter(|_| clip.is_positive());
        if self.drawn_at.is_none() {
            return;
        }
        self.frames_drawn += 1;
        if let Some(texture) = self.texture() {
            draw_part(ui, texture, rect, clip, is_flipped, Color32::WHITE);
        }
        let Some(full) = self.full.clone().filter(|_| self.live.is_none()) else {
            return;
        };
        if !self.is_beyond_preview(full.size(), scale) && !self.magnifies(&full, scale) {
            return;
        }
        let per_px = vec2(rect.width() / full.width() as f32, rect.height() / full.height() as f32);
        let first = (clip.min - rect.min) / per_px / TILE_PX as f32;
        let last = (clip.max - rect.min) / per_px / TILE_PX as f32;
        let mut handed_over = 0;
        // Negative numbers become 0.
        for ty in first.y as usize..=last.y as usize {
            for tx in first.x as usize..=last.x as usize {
                let x = tx * TILE_PX;
                let y = ty * TILE_PX;
                if x >= full.width() || y >= full.height() {
                    continue;
                }
                if !self.tiles.contains_key(&(tx, ty)) {
                    if handed_over == TILES_A_FRAME {
                        ui.request_repaint();
                        continue;
                    }
                    handed_over += 1;
                    let part = full.crop(x, y, TILE_PX, TILE_PX);
                    let texture = ui.load_texture("tile", image_of(&part), TILE);
                    self.tiles.insert((tx, ty), (texture, self.frames_drawn));
                }
                if let Some((texture, used)) = self.tiles.get_mut(&(tx, ty)) {
                    *used = self.frames_drawn;
                    let size = texture.size_vec2() * per_px;
                    let min = rect.min + vec2(x as f32, y as f32) * per_px;
                    let tile = Rect::from_min_size(min, size);
                    draw_part(ui, texture, tile, clip, false, Color32::WHITE);
                }
            }
        }
        if self.tiles.len() > KEPT_TILES {
            self.tiles.retain(|_, (_, used)| *used == self.frames_drawn);
        }
    }

    /// True if a picture that is no larger than its preview is enlarged further than to fit, so that its pixels are
    /// shown.
    fn magnifies(&self, full: &Frame, scale: f32) -> bool {
        scale > MAX_FIT
            && self.preview.as_ref().is_some_and(|(preview, _)| preview.width() == full.width())
    }
}

/// Draws the part of `texture`, stretched over `rect`, that is inside `clip`, mirrored if requested. `tint` is white
/// for the unchanged picture.
pub fn draw_part(
    ui: &Ui,
    texture: &TextureHandle,
    rect: Rect,
    clip: Rect,
    is_flipped: bool,
    tint: Color32,
) {
    let part = rect.intersect(clip);
    if !part.is_positive() {
        return;
    }
    let mut mesh = Mesh::with_texture(texture.id());
    let shares = RectTransform::from_to(rect, Rect::from_min_max(Pos2::ZERO, pos2(1.0, 1.0)));
    mesh.add_rect_with_uv(part, mirrored(shares.transform_rect(part), is_flipped), tint);
    ui.painter().add(mesh);
}

/// The part of a texture to draw, from left to right, so that the mirrored picture shows `uv`; `uv` itself if the
/// picture is not flipped.
pub fn mirrored(uv: Rect, is_flipped: bool) -> Rect {
    if is_flipped {
        Rect::from_min_max(pos2(1.0 - uv.min.x, uv.min.y), pos2(1.0 - uv.max.x, uv.max.y))
    } else {
        uv
    }
}

/// When the height of a portrait picture is cropped, the share of the cut that is taken from the top. It is small
/// because heads are at the top.
const CUT_ABOVE: f32 = 0.15;

/// The part of a picture that covers `target` without being stretched.
pub fn cover(picture: Vec2, target: Vec2) -> Rect {
    let scale = (target.x / picture.x).max(target.y / picture.y);
    let share = (target / scale) / picture;
    let above = if picture.y >= picture.x { CUT_ABOVE } else { 0.5 };
    let cut = Vec2::splat(1.0) - share;
    Rect::from_min_size(pos2(0.5 * cut.x, above * cut.y), share)
}

/// Draws a picture so that it covers `rect` without being stretched, with rounded corners.
pub fn paint_cover(
    ui: &Ui,
    texture: &TextureHandle,
    rect: Rect,
    radius: impl Into<egui::CornerRadius>,
) {
    let uv = cover(texture.size_vec2(), rect.size());
    egui::Image::from_texture(texture).uv(uv).corner_radius(radius).paint_at(ui, rect);
}

/// A text in one line that is truncated at `width`.
pub fn cut_line(ui: &Ui, text: String, color: Color32, width: f32) -> Arc<Galley> {
    let mut job = LayoutJob::simple_singleline(text, egui::FontId::proportional(13.0), color);
    job.wrap = TextWrapping::truncate_at_width(width);
    ui.painter().layout_job(job)
}

/// A text in white on a dark ground over a picture; `align` says which corner is at `at`.
pub fn tag(
    painter: &egui::Painter,
    letters: Arc<Galley>,
    align: egui::Align2,
    at: Pos2,
    padding: Vec2,
    radius: u8,
) {
    let place = align.anchor_size(at, letters.size() + 2.0 * padding);
    painter.rect_filled(place, radius, Color32::from_black_alpha(150));
    painter.galley(place.min + padding, letters, Color32::WHITE);
}

/// Every second, third, … pixel of a picture with a side longer than `side_px`.
fn thinned(image: ColorImage, side_px: usize) -> ColorImage {
    let [width, height] = image.size;
    let step = width.max(height).div_ceil(side_px.max(1));
    if step <= 1 {
        return image;
    }
    let pixels = image
        .pixels
        .chunks_exact(width)
        .step_by(step)
        .flat_map(|row| row.iter().step_by(step).copied());
    ColorImage::new([width.div_ceil(step), height.div_ceil(step)], pixels.collect())
}

/// Converts a frame's pixels for egui.
pub fn image_of(frame: &Frame) -> ColorImage {
    ColorImage::from_rgba_unmultiplied(frame.size().into(), frame.rgba())
}

/// Converts an opaque frame's pixels for egui; faster than [`image_of`].
pub fn opaque_image_of(frame: &Frame) -> ColorImage {
    ColorImage::from_rgba_premultiplied(frame.size().into(), frame.rgba())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirror_shows_the_other_side() {
        let uv = Rect::from_min_max(pos2(0.0, 0.0), pos2(0.25, 1.0));
        assert_eq!(mirrored(uv, false), uv);
        // From the right edge of the picture inwards.
        let flipped = mirrored(uv, true);
        assert_eq!((flipped.min, flipped.max), (pos2(1.0, 0.0), pos2(0.75, 1.0)));
    }

    #[test]
    fn thumbnails_are_cut_not_stretched() {
        let uv = cover(vec2(200.0, 200.0), vec2(200.0, 100.0));
        assert_eq!((uv.min, uv.size()), (pos2(0.0, 0.075), vec2(1.0, 0.5)));
        let uv = cover(vec2(300.0, 200.0), vec2(300.0, 100.0));
        assert_eq!((uv.min, uv.size()), (pos2(0.0, 0.25), vec2(1.0, 0.5)));
        // The upper part of a portrait stays.
        let uv = cover(vec2(300.0, 400.0), vec2(200.0, 80.0));
        assert!(uv.top() < 0.15 && uv.width() == 1.0, "{uv:?}");
    }

    #[test]
    fn pictures_fit_the_graphics_card() {
        let of = |width, height| {
            ColorImage::from_rgba_premultiplied([width, height], &vec![7; width * height * 4])
        };
        for ((width, height), side_px, size) in [
            ((40, 30), 40, [40, 30]),
            ((40, 30), 39, [20, 15]),
            ((9, 40), 20, [5, 20]),
            ((100, 3), 30, [25, 1]),
        ] {
            let image = thinned(of(width, height), side_px);
            assert_eq!(image.size, size);
            assert_eq!(image.pixels.len(), size[0] * size[1]);
        }
    }
}
