//! Cropping the photo: a rectangle with handles over the whole photo, with a fixed ratio or free.

mod shape;

use eframe::egui::{
    self, Align, Align2, Button, Color32, CursorIcon, Pos2, Rect, Role, Sense, Stroke,
    TextureHandle, TextureOptions, Ui, Vec2, pos2, vec2,
};

use self::shape::{HANDLES, dragged, drawn, pixels, with_ratio};
use super::{command::PhotoCommand, opened::Whole};
use crate::{
    intent::{Command, Intent, Sends},
    widgets::{
        stage,
        texture::{MAX_FIT, image_of},
        theme,
    },
};
use media::framing::Framing;
use values::{frame::Frame, rotation::turn_into};

/// Space around the photo, in points.
const MARGIN: f32 = 28.0;
/// Side of a handle's grab area, in points.
const REACH: f32 = 26.0;
/// Side of the square that marks a handle, in points.
const MARK: f32 = 9.0;

/// Width by height of the rectangle.
#[derive(Clone, Copy, PartialEq)]
pub enum Ratio {
    /// Any ratio.
    Free,
    /// Columns to rows.
    Sides(u8, u8),
    /// Same as the photo's.
    Photo,
}

/// A crop in progress.
pub struct Cropping {
    /// The whole photo, turned and mirrored.
    texture: TextureHandle,
    /// The framing before.
    before: Framing,
    /// Columns and rows of the turned photo.
    size: (usize, usize),
    /// In the turned photo, in pixels.
    rect: Rect,
    ratio: Ratio,
    /// The rectangle and the pointer's position on the screen when the drag started.
    drag: Option<(Rect, Pos2)>,
    /// Undo and redo steps: rectangles with their ratios.
    steps: [Vec<(Rect, Ratio)>; 2],
}

impl Cropping {
    /// Starts with the existing crop, or with the whole photo.
    pub fn new(ctx: &egui::Context, whole: &Whole, framing: Framing) -> Self {
        let size = framing.rotate.size(whole.frame.size());
        let (x, y, width, height) = match framing.crop {
            Some(crop) => (crop.x, crop.y, crop.width, crop.height),
            None => (0, 0, size.0, size.1),
        };
        let min = pos2(x as f32, y as f32);
        let mut turned = Frame::from_fn(1, 1, |_, _| [0; 4]);
        turn_into(&whole.preview, &mut turned, framing.rotate, framing.mirror);
        Self {
            texture: ctx.load_texture("crop", image_of(&turned), TextureOptions::LINEAR),
            before: framing,
            size,
            rect: Rect::from_min_size(min, vec2(width as f32, height as f32)),
            ratio: Ratio::Free,
            drag: None,
            steps: Default::default(),
        }
    }

    /// Undoes or redoes one step, if there is one.
    pub fn step(&mut self, is_back: bool) {
        let [from, to] = if is_back { [0, 1] } else { [1, 0] };
        if let Some(next) = self.steps[from].pop() {
            self.steps[to].push((self.rect, self.ratio));
            (self.rect, self.ratio) = next;
        }
    }

    /// True if there are undo steps, and if there are redo steps.
    pub fn can_step(&self) -> [bool; 2] {
        self.steps.each_ref().map(|steps| !steps.is_empty())
    }

    /// Adds an undo step: the rectangle and its ratio were these until now.
    fn note_step(&mut self, before: (Rect, Ratio)) {
        if before != (self.rect, self.ratio) {
            self.steps[0].push(before);
            self.steps[1].clear();
        }
    }

    /// The framing with the crop in whole pixels, or without a crop if the rectangle is the whole photo.
    pub fn framing(&self) -> Framing {
        let crop = pixels(self.rect, self.size, self.fixed(self.ratio));
        Framing { crop: ((crop.width, crop.height) != self.size).then_some(crop), ..self.before }
    }

    fn size_points(&self) -> Vec2 {
        vec2(self.size.0 as f32, self.size.1 as f32)
    }

    /// The offered ratios: upright ones for an upright photo, and the current one in its current orientation.
    fn ratios(&self) -> [Ratio; 6] {
        let is_tall = self.size.1 > self.size.0;
        let sides = |a, b| match Ratio::Sides(b, a) {
            turned if is_tall || turned == self.ratio => turned,
            _ => Ratio::Sides(a, b),
        };
        [Ratio::Free, Ratio::Sides(1, 1), sides(4, 3), sides(3, 2), sides(16, 9), Ratio::Photo]
    }

    fn fixed(&self, ratio: Ratio) -> Option<f32> {
        let size = self.size_points();
        match ratio {
            Ratio::Free => None,
            Ratio::Sides(a, b) => Some(f32::from(a) / f32::from(b)),
            Ratio::Photo => Some(size.x / size.y),
        }
    }

    /// The row below the picture: ratios, and the crop's size.
    pub fn ratio_row(&mut self, ui: &mut Ui) {
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing = Vec2::splat(4.0);
            // Identify the buttons by index, so that a turned ratio keeps its button.
            for (place, ratio) in self.ratios().into_iter().enumerate() {
                let is_on = self.ratio == ratio;
                let (name, turned) = match ratio {
                    Ratio::Free => ("Free".to_owned(), ratio),
                    Ratio::Photo => ("Original".to_owned(), ratio),
                    Ratio::Sides(a, b) => (format!("{a}:{b}"), Ratio::Sides(b, a)),
                };
                let hint = if is_on && turned != ratio {
                    "Aspect ratio of the crop. Click again to rotate it."
                } else {
                    "Aspect ratio of the crop"
                };
                let button = Button::selectable(is_on, &name);
                let button = ui.push_id(place, |ui| ui.add(button)).inner.on_hover_text(hint);
                if button.accessible_name(format!("Ratio {name}")).clicked() {
                    let before = (self.rect, self.ratio);
                    let ratio = if is_on { turned } else { ratio };
                    self.ratio = ratio;
                    if let Some(ratio) = self.fixed(ratio) {
                        self.rect = with_ratio(self.rect, ratio, self.size_points());
                    }
                    self.note_step(before);
                }
            }
            ui.add_space(theme::GROUP_GAP);
            let (w, h) = match self.framing().crop {
                Some(crop) => (crop.width, crop.height),
                None => self.size,
            };
            // On a single line, here or below.
            ui.add(egui::Label::new(theme::small(ui, format!("{w} × {h} px"))).extend());
        });
    }

    /// Draws the photo and the rectangle over it, in the remaining area of `ui`, with this framing.
    pub fn ui(&mut self, ui: &mut Ui, framing: stage::Framing) {
        let area = ui.available_rect_before_wrap();
        ui.allocate_rect(area, Sense::hover());
        let painter = ui.painter_at(area);
        painter.rect_filled(area, 0.0, framing.around(ui));
        let size = self.size_points();
        let room = (area.size() - Vec2::splat(2.0 * MARGIN)).max(Vec2::splat(16.0));
        let scale = (room.x / size.x).min(room.y / size.y).min(MAX_FIT);
        let photo = Rect::from_center_size(area.center(), size * scale);
        painter.image(
            self.texture.id(),
            photo,
            Rect::from_min_max(Pos2::ZERO, pos2(1.0, 1.0)),
            Color32::WHITE,
        );
        self.handles(ui, photo.min, scale);
        let crop = self.on_screen(photo.min, scale);
        for outside in [
            Rect::from_min_max(photo.min, pos2(photo.right(), crop.top())),
            Rect::from_min_max(pos2(photo.left(), crop.bottom()), photo.max),
            Rect::from_min_max(pos2(photo.left(), crop.top()), crop.left_bottom()),
            Rect::from_min_max(crop.right_top(), pos2(photo.right(), crop.bottom())),
        ] {
            painter.rect_filled(outside, 0.0, Color32::from_black_alpha(150));
        }
        let thin = Stroke::new(1.0, Color32::from_white_alpha(110));
        for third in [1.0 / 3.0, 2.0 / 3.0] {
            painter.vline(crop.left() + crop.width() * third, crop.y_range(), thin);
            painter.hline(crop.x_range(), crop.top() + crop.height() * third, thin);
        }
        // Black under white: one of them is visible on any picture and on its surroundings.
        let dark = Color32::from_black_alpha(190);
        let inside = egui::StrokeKind::Middle;
        painter.rect_stroke(crop, 0.0, Stroke::new(3.5, dark), inside);
        painter.rect_stroke(crop, 0.0, Stroke::new(1.5, Color32::WHITE), inside);
        // The first handle is the whole rectangle.
        for (handle, _) in &HANDLES[1..] {
            let mark = Rect::from_center_size(handle.pos_in_rect(&crop), Vec2::splat(MARK));
            painter.rect(mark, 1.0, Color32::WHITE, Stroke::new(1.5, dark), inside);
        }
    }

    /// The rectangle on the screen; the photo's top left corner is at `origin`, and `scale` is in points per pixel.
    fn on_screen(&self, origin: Pos2, scale: f32) -> Rect {
        (self.rect * scale).translate(origin.to_vec2())
    }

    /// Handles dragging of the rectangle. The photo's top left corner is at `origin`; `scale` is in points per pixel.
    fn handles(&mut self, ui: &Ui, origin: Pos2, scale: f32) {
        for (handle, name) in HANDLES {
            let crop = self.on_screen(origin, scale);
            let is_whole = handle == Align2::CENTER_CENTER;
            let along = |handle: Align, side: f32| match handle {
                Align::Center => (side - REACH).max(REACH / 2.0),
                Align::Min | Align::Max => REACH,
            };
            let reach = vec2(along(handle.x(), crop.width()), along(handle.y(), crop.height()));
            let around = Rect::from_center_size(handle.pos_in_rect(&crop), reach);
            let reach = if is_whole { crop } else { around };
            let response = ui.interact(reach, egui::Id::unique(("crop", name)), Sense::drag());
            theme::named(&response, Role::Splitter, name);
            let pointer = response.interact_pointer_pos();
            if response.drag_started() {
                self.drag =
                    ui.input(|i| i.pointer.press_origin()).or(pointer).map(|at| (self.rect, at));
            }
            if let (true, Some((from, start)), Some(at)) = (response.dragged(), self.drag, pointer)
            {
                let by = (at - start) / scale;
                let ratio = self.fixed(self.ratio);
                let size = self.size_points();
                self.rect = if is_whole && from.size() == size {
                    // A rectangle that is the whole photo cannot be moved, so the drag starts a new rectangle.
                    drawn(
                        ((start - origin) / scale).clamp(Vec2::ZERO, size).to_pos2(),
                        by,
                        size,
                        ratio,
                    )
                } else {
                    dragged(from, handle, by, size, ratio)
                };
            }
            if let Some((from, _)) = self.drag.take_if(|_| response.drag_stopped()) {
                self.note_step((from, self.ratio));
            }
            if response.hovered() || response.dragged() {
                ui.set_cursor_icon(match handle {
                    _ if is_whole && self.framing().crop.is_none() => CursorIcon::Crosshair,
                    Align2::CENTER_TOP | Align2::CENTER_BOTTOM => CursorIcon::ResizeVertical,
                    Align2::LEFT_CENTER | Align2::RIGHT_CENTER => CursorIcon::ResizeHorizontal,
                    Align2::LEFT_TOP | Align2::RIGHT_BOTTOM => CursorIcon::ResizeNwSe,
                    Align2::RIGHT_TOP | Align2::LEFT_BOTTOM => CursorIcon::ResizeNeSw,
                    _ => CursorIcon::Move,
                });
            }
        }
    }
}

/// The buttons that end cropping.
pub fn buttons(ui: &mut Ui) {
    ui.horizontal(|ui| {
        for (button, hint, intent) in [
            (
                theme::main_button(ui, "Apply crop", true),
                "Paint only this part. Enter",
                Intent::Photo(PhotoCommand::ApplyCrop),
            ),
            (Button::new("Cancel"), "Do not crop. Esc", Intent::Photo(PhotoCommand::ToggleCrop)),
        ] {
            ui.add(theme::tall(button)).on_hover_text(hint).sends(intent);
        }
    });
    // A focused control handles the key itself.
    if ui.memory(|memory| memory.focused().is_none())
        && ui.input_mut(|i| i.consume_key(egui::Modifiers::NONE, egui::Key::Enter))
    {
        PhotoCommand::ApplyCrop.send(ui);
    }
}
