//! The timeline of a film: its thumbnails, the part that is played, and the playhead.

use eframe::egui::{
    Align2, Color32, Context, CursorIcon, FontId, Rangef, Rect, Response, Sense, Shape, Stroke,
    TextureHandle, Ui, Vec2, WidgetInfo, pos2, remap_clamp, vec2,
};

use super::transport::{Step, Transport, clock};
use crate::{
    choice::{Choice, NetworkOf},
    intent::Command,
    widgets::{
        texture::{MIPMAPPED, image_of, paint_cover, tag},
        theme::{self, palette},
    },
};
use media::framing::Framing;
use pictures::scale::{scaled, size_within};
use values::{compose::Look, frame::Frame};

/// Long side of a thumbnail, in pixels.
pub const THUMBNAIL_PX: usize = 128;
/// Number of thumbnails in a row, a power of two, and the width of the window below which every second one is shown.
const SLOTS: usize = 32;
const WIDE: f32 = 1600.0;
/// Number of thumbnails that are read in any case.
const FEW: usize = 8;
/// How many thumbnails are left out for one that cannot be read: the file has no index, or is damaged.
const LEFT_OUT: usize = 3;
/// Height of the two rows of thumbnails, also in a low window.
const HEIGHT: f32 = 60.0;
const LOW_HEIGHT: f32 = 40.0;
const LOW: f32 = 640.0;
/// Width of a bracket, which is outside of what it encloses, of its line, and half that of a time, in points.
const BRACKET_WIDTH: f32 = 9.0;
const LINE_WIDTH: f32 = 3.0;
const HALF_TIME: f32 = 32.0;

/// Crop, style and look of painted thumbnails.
type PaintedIn = (Framing, Option<NetworkOf>, Look);

fn painted_in(choice: &Choice) -> PaintedIn {
    (choice.framing, choice.network(choice.model), choice.look)
}

/// The thumbnails: at most [`SLOTS`] of the source, and as many painted ones.
#[derive(Default)]
pub struct Thumbnails {
    source: [Option<TextureHandle>; SLOTS],
    painted: [Option<TextureHandle>; SLOTS],
    painted_in: PaintedIn,
    /// Length of the film, which grows if the file declares none.
    length: f64,
    /// Number of places that were tried or are left out.
    tried: usize,
    is_reading: bool,
    /// The painting of a held frame is being made small.
    is_shrinking: bool,
}

impl Thumbnails {
    /// Removes thumbnails that show another crop, style or look; returns whether it is another one. Those of a shorter
    /// film are elsewhere.
    pub fn follow(&mut self, choice: &Choice, length: f64) -> bool {
        let painted_in = painted_in(choice);
        let is_new = self.painted_in != painted_in;
        if (self.painted_in.0, self.length) != (painted_in.0, length) {
            *self = Self { length, ..Self::default() };
        } else if is_new {
            self.forget_painted();
        }
        self.painted_in = painted_in;
        is_new
    }

    /// True if the painted ones are painted like this.
    pub fn are_of(&self, choice: &Choice) -> bool {
        self.painted_in == painted_in(choice)
    }

    pub fn forget_painted(&mut self) {
        self.painted = Default::default();
    }

    /// The next place to read, as a share of the length: coarse to fine, so that few thumbnails show the whole film;
    /// no more than those while something else `works`.
    pub fn next(&mut self, ctx: &Context, works: bool) -> Option<f64> {
        let wanted = if works { FEW } else { shown(ctx) };
        if self.is_reading || self.tried >= wanted {
            return None;
        }
        let slot = self.tried.reverse_bits() >> (usize::BITS - SLOTS.ilog2());
        (self.tried, self.is_reading) = (self.tried + 1, true);
        Some(slot as f64 / SLOTS as f64)
    }

    /// Takes a thumbnail with its share of the length, unless it is of an earlier crop.
    pub fn put(&mut self, ctx: &Context, framing: Framing, read: Result<(f64, Frame), String>) {
        if self.painted_in.0 != framing {
            return;
        }
        self.is_reading = false;
        match read {
            Ok((share, frame)) => fill(ctx, "film", &mut self.source[slot_of(share)], &frame),
            Err(_) => self.tried += LEFT_OUT,
        }
    }

    /// True if a painting at this share of the length has no thumbnail yet; then one is being made.
    pub fn begin_painted(&mut self, share: f64) -> bool {
        let begins = !self.is_shrinking && self.painted[slot_of(share)].is_none();
        self.is_shrinking |= begins;
        begins
    }

    /// Takes the small picture of a painting of this choice, unless another one is chosen now.
    pub fn end_painted(&mut self, ctx: &Context, of: &Choice, share: f64, small: Option<Frame>) {
        self.is_shrinking = false;
        if let Some(small) = small.filter(|_| self.are_of(of)) {
            self.put_painted(ctx, share, &small);
        }
    }

    /// Takes a painting with its share of the length.
    pub fn put_painted(&mut self, ctx: &Context, share: f64, painted: &Frame) {
        fill(ctx, "painted film", &mut self.painted[slot_of(share)], painted);
    }

    fn draw(&self, ui: &Ui, rows: Rect) {
        let (source, painted) = rows.split_top_bottom_at_fraction(0.5);
        let step = SLOTS / shown(ui);
        let width = rows.width() / SLOTS as f32;
        for slot in (0..SLOTS).step_by(step) {
            let left = rows.left() + width * slot as f32;
            let columns = Rangef::new(left, left + width * step as f32);
            // The frame at the beginning of the place, or what there is.
            let before = self.source[..=slot].iter().rev();
            let nearest = before.chain(&self.source[slot..]).flatten().next();
            let painting = self.painted[slot..slot + step].iter().flatten().next();
            for (texture, row) in [(nearest, source), (painting, painted)] {
                if let Some(texture) = texture {
                    let cell = Rect::from_x_y_ranges(columns, row.y_range());
                    paint_cover(ui, texture, cell, 0);
                }
            }
        }
    }
}

/// Fills an empty place with a small copy of the picture.
fn fill(ctx: &Context, name: &str, slot: &mut Option<TextureHandle>, frame: &Frame) {
    slot.get_or_insert_with(|| {
        let (width, height) = size_within(frame.width(), frame.height(), THUMBNAIL_PX);
        ctx.load_texture(name, image_of(&scaled(frame, width, height)), MIPMAPPED)
    });
}

/// Number of thumbnails in a row.
fn shown(ctx: &Context) -> usize {
    if ctx.content_rect().width() < WIDE { SLOTS / 2 } else { SLOTS }
}

fn slot_of(share: f64) -> usize {
    // Rounded times must not lead to the place before.
    ((share * SLOTS as f64 + 1e-3) as usize).min(SLOTS - 1)
}

/// Draws the timeline: drag it to seek, and its brackets to set what is played. The arrow keys step through the frames.
pub fn ui(ui: &mut Ui, film: &Transport, thumbnails: &Thumbnails) {
    let height = if ui.content_rect().height() < LOW { LOW_HEIGHT } else { HEIGHT };
    let (_, rect) = ui.allocate_space(vec2(ui.available_width(), height));
    let rows = rect.shrink2(vec2(BRACKET_WIDTH, 0.0));
    let length = film.length.max(f64::EPSILON);
    let x = |seconds: f64| rows.left() + (seconds / length).clamp(0.0, 1.0) as f32 * rows.width();
    let seconds_at = |x: f32| f64::from(remap_clamp(x, rows.x_range(), 0.0..=1.0)) * length;
    let id = ui.scope_id().with("timeline");
    // A pointer that is held still must not seek again and again.
    let has_moved = ui.input(|i| i.pointer.any_pressed() || i.pointer.delta() != Vec2::ZERO);
    let strip = ui.interact(rect, id, Sense::click_and_drag());
    let frames = moved(ui, &strip, "Position in the video", film.position);
    if frames != 0.0 {
        Step::Frame(if frames < 0.0 { -1 } else { 1 }).send(ui);
    } else if let Some(pointer) = strip.interact_pointer_pos().filter(|_| has_moved) {
        Step::Seek(seconds_at(pointer.x)).send(ui);
    }
    let (colors, painter) = (palette(ui), ui.painter_at(rect));
    painter.rect_filled(rows, 0.0, colors.card);
    thumbnails.draw(ui, rows);
    let (first, last) = film.bounds();
    for outside in [Rangef::new(rows.left(), x(first)), Rangef::new(x(last), rows.right())] {
        let outside = Rect::from_x_y_ranges(outside, rows.y_range());
        painter.rect_filled(outside, 0.0, colors.stage.gamma_multiply(0.75));
    }
    for (width, color) in [(4.0, Color32::from_black_alpha(140)), (2.0, Color32::WHITE)] {
        painter.vline(x(film.position), rows.y_range(), Stroke::new(width, color));
    }
    let mut pointed = strip.hover_pos().map(|pointer| seconds_at(pointer.x));
    for (name, at, is_set, inwards) in [
        ("In", first, film.range.start.is_some(), 1.0),
        ("Out", last, film.range.end.is_some(), -1.0),
    ] {
        let [inner, outer] = [0.0, BRACKET_WIDTH].map(|apart| x(at) - inwards * apart);
        let bracket = Rect::from_two_pos(pos2(inner, rect.top()), pos2(outer, rect.bottom()));
        let handle = ui
            .interact(bracket, id.with(name), Sense::drag())
            .on_hover_and_drag_cursor(CursorIcon::ResizeHorizontal);
        let color = if is_set { colors.accent } else { colors.ring };
        let [top, bottom] = [rect.top() + LINE_WIDTH / 2.0, rect.bottom() - LINE_WIDTH / 2.0];
        let outer = outer + inwards * LINE_WIDTH / 2.0;
        let line = [pos2(inner, top), pos2(outer, top), pos2(outer, bottom), pos2(inner, bottom)];
        painter.add(Shape::line(line.into(), Stroke::new(LINE_WIDTH, color)));
        let frames = moved(ui, &handle, name, at);
        let pointer = handle.interact_pointer_pos().filter(|_| handle.dragged() && has_moved);
        let to = match pointer {
            Some(pointer) => seconds_at(pointer.x + inwards * BRACKET_WIDTH / 2.0),
            None => at + f64::from(frames) * film.frame,
        };
        if to != at {
            (if inwards > 0.0 { Step::MoveIn } else { Step::MoveOut })(to).send(ui);
        }
        if handle.hovered() || handle.dragged() || handle.has_focus() {
            pointed = Some(at);
        }
    }
    if let Some(seconds) = pointed {
        let font = FontId::proportional(12.0);
        let time = painter.layout_no_wrap(clock(seconds), font, Color32::WHITE);
        let at = rows.x_range().shrink(HALF_TIME).clamp(x(seconds));
        tag(&painter, time, Align2::CENTER_CENTER, pos2(at, rows.center().y), vec2(4.0, 1.0), 3);
    }
}

/// Makes a control of the timeline a slider for screen readers, at this time of the film; returns by how many frames keys
/// or screen readers move it.
fn moved(ui: &Ui, control: &Response, name: &str, seconds: f64) -> f32 {
    control.widget_info(|| WidgetInfo::slider(true, seconds, name));
    ui.accesskit_node_builder(control.id, |node| node.set_value(clock(seconds)));
    theme::slider_steps(ui, control)
}
