//! The stage: the picture in the middle, its zoom, and the divider between photo and painting.
//!
//! Stores only the view; other modules decide which pictures it shows. Belongs to the window's thread.

mod drawing;
mod view;

use std::sync::Arc;

use eframe::egui::{
    ColorImage, Context, CursorIcon, Pos2, Rect, Response, Role, Sense, Ui, Vec2,
    emath::GuiRounding, vec2,
};

use self::drawing::{Fade, name_chips};
pub use self::{
    drawing::ShownPictures,
    view::{Compare, Framing, ViewStep},
};
use super::{
    texture::{MAX_FIT, Picture},
    theme,
};
use values::frame::Frame;

/// Space around a picture that fits the stage, in points.
const MARGIN: f32 = 24.0;
/// Distance from the divider within which the pointer can grab it, in points.
const HANDLE_REACH: f32 = 12.0;
/// Zoom factor of one key press.
const ZOOM_STEP: f32 = 1.25;
/// Maximum zoom, in screen pixels per picture pixel.
const MAX_SCALE: f32 = 16.0;
/// Minimum long side to which a tiny picture is enlarged, in screen pixels; otherwise the divider would cover it.
const MIN_SIDE: f32 = 80.0;
/// How far one key press moves the picture, in points.
const PAN_STEP: f32 = 80.0;

/// How the pictures are placed before they are zoomed.
pub struct Placing {
    /// Maximum screen pixels per picture pixel when the picture is fitted to the stage.
    pub fit_limit: f32,
    /// How the picture is placed on the stage before it is zoomed.
    pub framing: Framing,
    /// Live pictures are mirrored.
    pub is_flipped: bool,
}

/// The divider between the two pictures.
struct Divider {
    /// Position of the divider, as a share of the visible picture.
    at: f32,
    is_dragged: bool,
}

/// What the pictures are called.
pub struct Labels {
    /// Labels of the two pictures.
    pub names: [String; 2],
    /// Label of the live picture that is shown instead of the two.
    pub alone: Option<String>,
}

/// The view and its pictures.
pub struct Stage {
    pub placing: Placing,
    divider: Divider,
    pub labels: Labels,
    photo: Picture,
    pub painting: Picture,
    /// Width and height of the finished picture, in pixels.
    size: (usize, usize),
    /// Screen pixels per picture pixel; `None` fits the picture to the stage.
    zoom: Option<f32>,
    /// The picture's point in the middle of the stage, in shares of its sides.
    center: Vec2,
    /// Which pictures are shown.
    pub compare: Compare,
    /// Shows the left picture alone for a moment, regardless of `compare`.
    pub shows_original: bool,
    /// Screen pixels per picture pixel when the stage was last drawn.
    pub scale: f32,
    /// Screen pixels per point.
    ppp: f32,
    /// Where the stage was last drawn.
    pub rect: Rect,
    /// The picture's pixel under the pointer.
    pointed_at: Option<(usize, usize)>,
    /// The previous content, while these pictures fade in over it.
    fade: Option<Fade>,
}

impl Default for Stage {
    fn default() -> Self {
        Self {
            placing: Placing { fit_limit: MAX_FIT, framing: Framing::default(), is_flipped: false },
            divider: Divider { at: 0.5, is_dragged: false },
            labels: Labels { names: ["Original", "Painted"].map(str::to_owned), alone: None },
            photo: Picture::default(),
            painting: Picture::default(),
            size: (1, 1),
            zoom: None,
            center: vec2(0.5, 0.5),
            compare: Compare::default(),
            shows_original: false,
            scale: 1.0,
            ppp: 1.0,
            rect: Rect::NOTHING,
            pointed_at: None,
            fade: None,
        }
    }
}

impl Stage {
    /// Shows a new photo, fitted to the stage.
    pub fn set_photo(&mut self, ctx: &Context, preview: &Arc<Frame>, full: Arc<Frame>) {
        self.size = full.size();
        // Start a new texture, because a fade may still show the previous photo's texture.
        self.clear();
        self.photo.set(ctx, "photo", preview, Some(full));
        self.step(ViewStep::Fit);
    }

    /// Shows another frame of the film. The view stays, and so does the painting until there is that of this frame.
    pub fn set_frame(&mut self, ctx: &Context, preview: &Arc<Frame>, full: Arc<Frame>) {
        self.set_size(full.size());
        self.labels.alone = None;
        self.photo.set(ctx, "photo", preview, Some(full));
    }

    /// Draws a painting over the photo: immediately, or fading in if `appears`. `size` is that of the finished picture.
    pub fn set_painting(
        &mut self,
        ctx: &Context,
        preview: &Arc<Frame>,
        full: Option<Arc<Frame>>,
        size: (usize, usize),
        appears: bool,
    ) {
        self.set_size(size);
        if appears {
            self.fade_painting(ctx);
        }
        self.painting.set(ctx, "painting", preview, full);
    }

    /// Changes the picture's size. The view stays the same if only the resolution changes.
    fn set_size(&mut self, size: (usize, usize)) {
        if self.size != size {
            if let Some(zoom) = &mut self.zoom {
                *zoom *= self.size.0 as f32 / size.0.max(1) as f32;
            }
            self.size = size;
        }
    }

    /// Shows live pictures, which may differ in size; `size` is that of the view, in pixels.
    pub fn set_live(
        &mut self,
        ctx: &Context,
        [left, right]: [ColorImage; 2],
        size: (usize, usize),
    ) {
        self.set_size(size);
        self.labels.alone = None;
        self.fade = None;
        self.photo.set_live(ctx, "live left", left);
        self.painting.set_live(ctx, "live right", right);
    }

    /// Shows one live picture instead of two; `size` is that of the view, in pixels.
    pub fn set_live_alone(
        &mut self,
        ctx: &Context,
        picture: ColorImage,
        size: (usize, usize),
        name: &str,
    ) {
        self.set_size(size);
        self.fade = None;
        self.photo.set_live(ctx, "live left", picture);
        self.painting.clear();
        self.labels.alone = Some(name.to_owned());
    }

    /// Fades in a finer picture of the same live frame over the right picture; it stays until the next live pictures.
    pub fn fade_in(&mut self, ctx: &Context, finer: ColorImage) {
        self.fade_painting(ctx);
        self.painting.set_live(ctx, "live finer", finer);
    }

    /// Sets the labels of the two pictures.
    pub fn set_names(&mut self, left: &str, right: &str) {
        for (name, new) in self.labels.names.iter_mut().zip([left, right]) {
            if name != new {
                new.clone_into(name);
            }
        }
    }

    /// Every way to compare the two pictures, with its name.
    pub fn looks(&self) -> [(Compare, &str); 4] {
        let [left, right] = &self.labels.names;
        [
            (Compare::Photo, left),
            (Compare::Both, "Split"),
            (Compare::SideBySide, "Side by side"),
            (Compare::Painting, right),
        ]
    }

    /// Removes both pictures.
    pub fn clear(&mut self) {
        self.labels.alone = None;
        self.photo.clear();
        self.painting.clear();
    }

    pub fn has_painting(&self) -> bool {
        !self.painting.is_empty()
    }

    /// True if the zoom is so high that the finished picture is needed instead of its preview.
    pub fn wants_full(&self) -> bool {
        self.painting.wants_full(self.size, self.scale)
    }

    /// Changes zoom or position.
    pub fn step(&mut self, step: ViewStep) {
        match step {
            ViewStep::ZoomIn => self.zoom_about(ZOOM_STEP, self.panes()[0].center()),
            ViewStep::ZoomOut => self.zoom_about(1.0 / ZOOM_STEP, self.panes()[0].center()),
            ViewStep::Fit => {
                self.zoom = None;
                self.center = vec2(0.5, 0.5);
            }
            ViewStep::ActualSize => self.zoom = Some(1.0),
            ViewStep::Pan(x, y) => self.pan(vec2(x, y) * PAN_STEP),
            ViewStep::Wipe(by) => {
                self.compare = Compare::Both;
                self.divider.at = (self.divider.at + by).clamp(0.0, 1.0);
            }
            ViewStep::NextCompare => {
                self.compare = match self.compare {
                    Compare::Both => Compare::Painting,
                    Compare::Painting => Compare::Photo,
                    Compare::Photo | Compare::SideBySide => Compare::Both,
                };
            }
        }
    }

    /// Draws the stage into the remaining area of `ui`.
    pub fn ui(&mut self, ui: &mut Ui) -> Response {
        let rect = ui.available_rect_before_wrap();
        self.rect = rect;
        ui.painter_at(rect).rect_filled(rect, 0.0, self.placing.framing.around(ui));
        let response = ui.allocate_rect(rect, Sense::click_and_drag());
        theme::named(&response, Role::Image, &format!("Picture, {}", self.described()));
        self.ppp = ui.pixels_per_point();
        let [left_pane, right_pane] = self.panes();
        let fit = self.fit_scale(left_pane);
        self.scale = self.zoom.unwrap_or(fit).clamp(fit.min(0.05), MAX_SCALE.max(fit));
        let visible = self.picture_rect(left_pane).intersect(left_pane);
        self.pointer(ui, &response, visible);

        let picture = self.picture_rect(left_pane);
        let visible = picture.intersect(left_pane);
        let divider_x = visible.left() + visible.width() * self.divider.at;
        let compare = self.seen();
        let other_picture = self.picture_rect(right_pane);
        let mut left = visible;
        let mut right = visible;
        match compare {
            Compare::Both => {
                left.set_right(divider_x);
                right.set_left(divider_x);
            }
            Compare::Photo => right = Rect::NOTHING,
            Compare::Painting => left = Rect::NOTHING,
            Compare::SideBySide => right = other_picture.intersect(right_pane),
        }
        ui.scope(|ui| {
            ui.set_clip_rect(rect);
            self.fade_ui(ui);
            self.photo.draw(ui, picture, left, self.scale, self.placing.is_flipped);
            self.painting.draw(ui, other_picture, right, self.scale, self.placing.is_flipped);
        });
        let is_alone = matches!(compare, Compare::Photo | Compare::Painting);
        // A picture that fills the screen alone has no label.
        if self.has_painting() && (self.placing.framing == Framing::Window || !is_alone) {
            name_chips(&self.labels.names, ui, [left, right]);
        }
        if compare == Compare::Both {
            self.divider(ui, visible, divider_x);
        }
        response
    }

    /// The pictures that are currently shown.
    fn seen(&self) -> Compare {
        if self.has_painting() && !self.shows_original { self.compare } else { Compare::Photo }
    }

    fn described(&self) -> String {
        let [left, right] = self.labels.names.each_ref().map(|n| n.to_lowercase());
        let what = match self.seen() {
            Compare::Photo => self.labels.alone.as_ref().map_or(left, |name| name.to_lowercase()),
            Compare::Painting => right,
            Compare::Both | Compare::SideBySide => format!("{left} and {right}"),
        };
        format!("{what}, {} × {} px", self.size.0, self.size.1)
    }

    /// Where the two pictures are: each in the whole stage, or each in one half.
    fn panes(&self) -> [Rect; 2] {
        if self.seen() != Compare::SideBySide {
            return [self.rect; 2];
        }
        let (left, right) = self.rect.split_left_right_at_fraction(0.5);
        [left, right]
    }

    /// Maps a position on the stage to the left pane: positions in the right pane map to the same place of the picture
    /// in the left pane.
    fn in_left_pane(&self, at: Pos2) -> Pos2 {
        let [left, right] = self.panes();
        if left != right && right.contains(at) { at - (right.min - left.min) } else { at }
    }

    /// The scale of the picture on the stage for the current framing.
    fn fit_scale(&self, rect: Rect) -> f32 {
        if self.photo.is_empty() {
            return 1.0;
        }
        let margin = match self.placing.framing {
            Framing::Window => MARGIN,
            Framing::Fit | Framing::Fill => 0.0,
        };
        let room = (rect.size() - Vec2::splat(2.0 * margin)).max(Vec2::splat(16.0)) * self.ppp;
        let share = room / self.size_px();
        match self.placing.framing {
            Framing::Window => share
                .min_elem()
                .min(self.placing.fit_limit.max(MIN_SIDE / self.size_px().max_elem())),
            Framing::Fit => share.min_elem(),
            Framing::Fill => share.max_elem(),
        }
    }

    /// Columns and rows of the picture.
    fn size_px(&self) -> Vec2 {
        vec2(self.size.0 as f32, self.size.1 as f32)
    }

    fn picture_rect(&self, rect: Rect) -> Rect {
        let size = self.size_px() * self.scale / self.ppp;
        // Align to whole screen pixels; otherwise the picture is blurred.
        let corner = rect.center() - size * self.center;
        Rect::from_min_size(corner.round_to_pixels(self.ppp), size)
    }

    fn zoom_about(&mut self, factor: f32, at: Pos2) {
        let before = self.scale;
        let after = (before * factor).clamp(0.02, MAX_SCALE.max(before));
        // The picture's point under `at` stays there.
        let offset = (self.in_left_pane(at) - self.panes()[0].center())
            / (self.size_px() * before).max(Vec2::splat(1.0));
        self.center += offset * (1.0 - before / after);
        self.zoom = Some(after);
        self.scale = after;
        self.keep_in_view();
    }

    fn pan(&mut self, by_px: Vec2) {
        let size = self.size_px() * self.scale;
        let before = self.center;
        self.center -= by_px / size.max(Vec2::splat(1.0));
        self.keep_in_view();
        if self.center != before {
            self.zoom.get_or_insert(self.scale);
        }
    }

    /// Limits the picture's position: a side that fits is centered, and an edge of a longer side never moves inside the
    /// stage.
    fn keep_in_view(&mut self) {
        let size = self.size_px() * self.scale;
        let room = self.panes()[0].size() * self.ppp;
        for axis in 0..2 {
            let half = 0.5 * room[axis] / size[axis].max(1.0);
            self.center[axis] =
                if half >= 0.5 { 0.5 } else { self.center[axis].clamp(half, 1.0 - half) };
        }
    }

    fn pointer(&mut self, ui: &Ui, response: &Response, visible: Rect) {
        let divider_x = visible.left() + visible.width() * self.divider.at;
        let divides = self.seen() == Compare::Both;
        let picture = self.picture_rect(self.panes()[0]);
        self.pointed_at = response.hover_pos().and_then(|p| {
            let mut place = (self.in_left_pane(p) - picture.min) / picture.size();
            if self.placing.is_flipped {
                place.x = 1.0 - place.x;
            }
            let inside = (0.0..1.0).contains(&place.x) && (0.0..1.0).contains(&place.y);
            let at = place * self.size_px();
            inside.then_some((at.x as usize, at.y as usize))
        });
        let near = |p: Pos2| divides && (p.x - divider_x).abs() <= HANDLE_REACH;
        if response.drag_started() {
            self.divider.is_dragged = ui
                .input(|i| i.pointer.press_origin())
                .or(response.interact_pointer_pos())
                .is_some_and(near);
        }
        if response.dragged() {
            if self.divider.is_dragged {
                if let Some(p) = response.interact_pointer_pos() {
                    let share = (p.x - visible.left()) / visible.width().max(1.0);
                    self.divider.at = share.clamp(0.0, 1.0);
                }
            } else {
                self.pan(response.drag_delta() * self.ppp);
            }
        }
        if response.double_clicked() {
            if self.zoom.is_some() {
                self.step(ViewStep::Fit);
            } else if let Some(p) = response.interact_pointer_pos() {
                let factor = 1.0 / self.scale.max(1e-3);
                self.zoom_about(if factor > 1.0 { factor } else { 2.0 }, p);
            }
        }
        if let Some(p) = response.hover_pos() {
            let (scroll, pinch) = ui.input(|i| (i.smooth_scroll_delta().y, i.zoom_delta()));
            let factor = pinch * (scroll / 240.0).exp();
            if factor != 1.0 {
                self.zoom_about(factor, p);
            }
            let dragging = response.dragged();
            if (dragging && self.divider.is_dragged) || (!dragging && near(p)) {
                ui.set_cursor_icon(CursorIcon::ResizeHorizontal);
            } else if dragging {
                ui.set_cursor_icon(CursorIcon::Grabbing);
            }
        }
    }
}
