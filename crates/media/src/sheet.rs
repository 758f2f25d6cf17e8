//! Arranges several pictures on one sheet, row by row, in equal cells with titles.

use crate::{
    canvas::{Anchor, Canvas, Letters},
    record::fit::lay,
};
use pictures::scale::scaled;
use values::frame::Frame;

/// Long side of a picture on a sheet for display.
pub const CELL_PX: usize = 480;
/// Title of the photo next to its paintings.
pub const ORIGINAL: &str = "Original";

/// Width of the margins between and around the pictures.
const MARGIN_PX: usize = 8;
/// Colour of the margins.
const PAPER: [u8; 4] = [245, 245, 242, 255];

/// Height of the space for a title below its picture.
const TITLE_PX: usize = 34;
/// Distance from a picture's bottom to the title's baseline.
const BASELINE_PX: f64 = 23.0;
/// Style of the titles.
const TITLE: Letters = Letters { size_px: 20.0, color: [44, 42, 38, 255], is_strong: true };

/// Arranges `pictures` in cells of one size, left to right and top to bottom, each with `cell_px` on its long side and
/// with its title below. `None` without pictures, and if a side of the sheet would exceed 65,535 pixels.
pub fn titled_sheet(pictures: &[(String, Frame)], cell_px: usize) -> Option<Frame> {
    let small = |(_, picture): &(String, Frame)| {
        let scale = cell_px as f64 / picture.width().max(picture.height()).max(1) as f64;
        let px = |side: usize| (side as f64 * scale).round().max(1.0) as usize;
        scaled(picture, px(picture.width()), px(picture.height()))
    };
    let small: Vec<Frame> = pictures.iter().map(small).collect();
    let cell_width = small.iter().map(Frame::width).max()?;
    let cell_height = small.iter().map(Frame::height).max()?;
    // About as many rows as pictures per row.
    let rows = pictures.len().isqrt();
    let columns = pictures.len().div_ceil(rows);
    let side = |px: usize| u16::try_from(px).ok();
    let width = side(columns * cell_width + margins(columns))?;
    let height = side(rows * (cell_height + TITLE_PX) + margins(rows))?;
    let corner = |place: usize| {
        let (column, row) = (place % columns, place / columns);
        let left = MARGIN_PX + column * (cell_width + MARGIN_PX);
        (left, MARGIN_PX + row * (cell_height + TITLE_PX + MARGIN_PX))
    };
    let mut canvas = Canvas::new((width, height), PAPER)?;
    for (place, (title, _)) in pictures.iter().enumerate() {
        let (left, top) = corner(place);
        let middle = left as f64 + cell_width as f64 / 2.0;
        let baseline = (top + cell_height) as f64 + BASELINE_PX;
        let (at, most) = ((middle, baseline), cell_width as f32);
        canvas.text_within(at, title, TITLE, Anchor::Middle, most);
    }
    let mut page = canvas.finish();
    for (place, picture) in small.iter().enumerate() {
        let (left, top) = corner(place);
        let aside = (cell_width - picture.width()) / 2;
        let above = (cell_height - picture.height()) / 2;
        lay(&mut page, picture, left + aside, top + above);
    }
    Some(page)
}

/// Total width of the margins between and around this many pictures.
fn margins(pictures: usize) -> usize {
    (pictures + 1) * MARGIN_PX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_below_their_pictures() {
        let picture = |level: u8| Frame::from_fn(90, 60, move |_, _| [level, 0, 0, 255]);
        let cells: Vec<(String, Frame)> =
            (1..=4u8).map(|n| (format!("Style {n}"), picture(n))).collect();
        let page = titled_sheet(&cells, 90).expect("pictures");
        assert_eq!(page.width(), 2 * 90 + 3 * 8);
        assert_eq!(page.height(), 2 * (60 + 34) + 3 * 8);
        for (n, (x, y)) in [(8, 8), (106, 8), (8, 110), (106, 110)].into_iter().enumerate() {
            assert_eq!(page.crop(x, y, 90, 60), cells[n].1, "picture {n}");
            let title = page.crop(x, y + 60, 90, 34);
            let letters = title.rgba().chunks(4).filter(|p| p[0] < 120).count();
            assert!(letters > 50, "title {n} has {letters} dark pixels");
        }
        let long = vec![("a title that is much too long for its picture ".repeat(9), picture(1))];
        let page = titled_sheet(&long, 90).expect("pictures");
        let margin = page.crop(0, 0, 8, page.height());
        assert!(margin.rgba().chunks(4).all(|p| p == PAPER), "cut to its picture");
        assert!(titled_sheet(&[], 90).is_none());
    }
}
