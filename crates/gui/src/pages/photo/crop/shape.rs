//! The rectangle of a crop: how it follows its handles and keeps its ratio, inside the photo. Rules only.

use eframe::egui::{Align, Align2, Pos2, Rect, Vec2, vec2};

use media::framing::Crop;

/// Minimum side of a crop, in pixels, if the photo is that large.
const MIN_PX: f32 = 16.0;

/// The parts of the rectangle that can be dragged, and their names. The middle is the whole rectangle; it is first,
/// because later ones are on top.
pub const HANDLES: [(Align2, &str); 9] = [
    (Align2::CENTER_CENTER, "Crop"),
    (Align2::CENTER_TOP, "Upper edge of the crop"),
    (Align2::RIGHT_CENTER, "Right edge of the crop"),
    (Align2::CENTER_BOTTOM, "Lower edge of the crop"),
    (Align2::LEFT_CENTER, "Left edge of the crop"),
    (Align2::LEFT_TOP, "Upper left corner of the crop"),
    (Align2::RIGHT_TOP, "Upper right corner of the crop"),
    (Align2::RIGHT_BOTTOM, "Lower right corner of the crop"),
    (Align2::LEFT_BOTTOM, "Lower left corner of the crop"),
];

/// The rectangle `from` after `handle` was dragged by `by`, inside a photo of `size`; `ratio` is the fixed ratio of
/// width to height, if any.
pub fn dragged(from: Rect, handle: Align2, by: Vec2, size: Vec2, ratio: Option<f32>) -> Rect {
    if handle == Align2::CENTER_CENTER {
        return inside(from.translate(by), size);
    }
    // The opposite corner, or the middle of the opposite edge, stays fixed.
    let fixed = handle.flipped();
    let anchor = fixed.pos_in_rect(&from);
    let wished = from.size() + handle.to_sign() * by;
    // Space on the side to which the rectangle grows, or on both sides if it grows around its middle.
    let room = |handle: Align, anchor: f32, side: f32| match handle {
        Align::Max => side - anchor,
        Align::Min => anchor,
        Align::Center => 2.0 * anchor.min(side - anchor),
    };
    let room = vec2(room(handle.x(), anchor.x, size.x), room(handle.y(), anchor.y, size.y));
    let least = Vec2::splat(MIN_PX).min(size);
    let sides = match ratio {
        None => wished.min(room).max(least),
        Some(ratio) => {
            let width = match (handle.x(), handle.y()) {
                (_, Align::Center) => wished.x,
                (Align::Center, _) => wished.y * ratio,
                _ => wished.x.max(wished.y * ratio),
            };
            let width = width.max(least.x).max(least.y * ratio).min(room.x).min(room.y * ratio);
            vec2(width, width / ratio)
        }
    };
    inside(fixed.anchor_size(anchor, sides), size)
}

/// The rectangle that is drawn from `start` by a drag by `by`, inside a photo of `size`; `ratio` is the fixed ratio of
/// width to height, if any.
pub fn drawn(start: Pos2, by: Vec2, size: Vec2, ratio: Option<f32>) -> Rect {
    let away = |by: f32| if by < 0.0 { Align::Min } else { Align::Max };
    dragged(Rect::from_min_max(start, start), Align2::new(away(by.x), away(by.y)), by, size, ratio)
}

/// The rectangle with this ratio of width to height, with the same center and area, inside a photo of `size`. If the
/// photo limits it, it is as large as possible.
pub fn with_ratio(from: Rect, ratio: f32, size: Vec2) -> Rect {
    let is_bounded = from.width() + 0.5 > size.x || from.height() + 0.5 > size.y;
    let area = if is_bounded { size.x * size.y } else { from.area() };
    let width = (area * ratio).sqrt().min(size.x).min(size.y * ratio);
    inside(Rect::from_center_size(from.center(), vec2(width, width / ratio)), size)
}

/// The rectangle in whole pixels of a photo of `columns` by `rows`; with a fixed ratio of width to height, as close to
/// it as whole pixels allow.
pub fn pixels(rect: Rect, (columns, rows): (usize, usize), ratio: Option<f32>) -> Crop {
    let along = |from: f32, to: f32, side: usize| {
        // Negative numbers become 0.
        let from = (from.round() as usize).min(side.saturating_sub(1));
        let to = (to.round() as usize).clamp(from + 1, side.max(from + 1));
        (from, to - from)
    };
    let (mut x, mut width) = along(rect.left(), rect.right(), columns);
    let (mut y, mut height) = along(rect.top(), rect.bottom(), rows);
    if let Some(ratio) = ratio {
        let whole = |side: f32, most: usize| (side.round() as usize).clamp(1, most.max(1));
        // Compute the shorter side from the longer one: half a pixel of rounding changes the ratio less that way.
        if ratio >= 1.0 {
            width = whole(rect.width(), columns);
            height = whole(width as f32 / ratio, rows);
        } else {
            height = whole(rect.height(), rows);
            width = whole(height as f32 * ratio, columns);
        }
        x = x.min(columns.saturating_sub(width));
        y = y.min(rows.saturating_sub(height));
    }
    Crop { x, y, width, height }
}

/// The rectangle moved into a photo of `size`, which must not be smaller.
fn inside(rect: Rect, size: Vec2) -> Rect {
    let sides = rect.size().min(size);
    let most = (size - sides).max(Vec2::ZERO);
    Rect::from_min_size(rect.min.to_vec2().clamp(Vec2::ZERO, most).to_pos2(), sides)
}

#[cfg(test)]
mod tests {
    use super::*;
    use eframe::egui::pos2;

    const SIZE: Vec2 = vec2(400.0, 300.0);

    fn rect(left: f32, top: f32, right: f32, bottom: f32) -> Rect {
        Rect::from_min_max(pos2(left, top), pos2(right, bottom))
    }

    #[test]
    fn handles_move_their_sides_and_no_others() {
        let from = rect(100.0, 100.0, 200.0, 200.0);
        let by = vec2(30.0, -20.0);
        for (handle, expected) in [
            (Align2::RIGHT_BOTTOM, rect(100.0, 100.0, 230.0, 180.0)),
            (Align2::LEFT_TOP, rect(130.0, 80.0, 200.0, 200.0)),
            (Align2::RIGHT_CENTER, rect(100.0, 100.0, 230.0, 200.0)),
            (Align2::CENTER_TOP, rect(100.0, 80.0, 200.0, 200.0)),
            (Align2::CENTER_CENTER, rect(130.0, 80.0, 230.0, 180.0)),
        ] {
            assert_eq!(dragged(from, handle, by, SIZE, None), expected, "{handle:?}");
        }
    }

    #[test]
    fn the_rectangle_stays_inside_and_keeps_its_ratio_wherever_it_is_dragged() {
        for ratio in [None, Some(1.0), Some(16.0 / 9.0), Some(0.75)] {
            for (handle, name) in HANDLES {
                let mut from = rect(100.0, 90.0, 180.0, 150.0);
                if let Some(ratio) = ratio {
                    from = with_ratio(from, ratio, SIZE);
                }
                for by in [vec2(9000.0, 9000.0), vec2(-9000.0, 9.0), vec2(33.0, -9000.0)] {
                    let to = dragged(from, handle, by, SIZE, ratio);
                    let what = format!("{name} by {by:?} at {ratio:?} gives {to:?}");
                    assert!(to.left() >= 0.0 && to.top() >= 0.0, "{what}");
                    assert!(to.right() <= 400.01 && to.bottom() <= 300.01, "{what}");
                    assert!(to.width() >= 12.0 && to.height() >= 12.0 - 3.1, "{what}");
                    if let Some(ratio) = ratio {
                        assert!((to.width() / to.height() - ratio).abs() < 0.01, "{what}");
                    }
                }
            }
        }
    }

    #[test]
    fn whole_pixels_keep_a_ratio_within_one_of_them() {
        for (a, b) in [(4.0, 3.0), (3.0, 2.0), (16.0, 9.0), (9.0, 16.0), (1.0, 1.0)] {
            for side in 97..300 {
                let (columns, rows) = (side + 101, 400 - side);
                let whole = rect(0.0, 0.0, columns as f32, rows as f32);
                let most = with_ratio(whole, a / b, whole.size());
                for part in [most, most.scale_from_center(0.71)] {
                    let crop = pixels(part, (columns, rows), Some(a / b));
                    let (w, h) = (crop.width as f32, crop.height as f32);
                    let what = format!("{a}:{b} of {columns} x {rows}: {crop:?}");
                    assert!((w * b / a - h).abs() < 1.0 && (h * a / b - w).abs() < 1.0, "{what}");
                    assert!(
                        crop.x + crop.width <= columns && crop.y + crop.height <= rows,
                        "{what}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_ratio_that_is_chosen_and_chosen_again_shrinks_nothing() {
        let whole = rect(0.0, 0.0, 400.0, 300.0);
        let square = with_ratio(whole, 1.0, SIZE);
        assert_eq!(square, rect(50.0, 0.0, 350.0, 300.0));
        let small = rect(10.0, 10.0, 90.0, 70.0);
        let back = with_ratio(with_ratio(small, 16.0 / 9.0, SIZE), 80.0 / 60.0, SIZE);
        assert!((back.area() - small.area()).abs() < 1.0, "{back:?}");
    }
}
