//! Arranges several pictures on one sheet, row by row: without gaps, or in equal cells with titles.

use super::scale::scaled;
use crate::{
    frame::Frame,
    measure::chart::canvas::{Anchor, Canvas, Letters},
};

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

/// Arranges `pictures` on a sheet, left to right and top to bottom, in rows of equal width. The first rows contain
/// fewer and larger pictures. The width is that of the first row with `cell_px` on the long side of its pictures.
/// `None` without pictures.
pub fn sheet(pictures: &[Frame], cell_px: usize) -> Option<Frame> {
    let mut rest = pictures;
    let mut rows = Vec::new();
    for count in row_counts(pictures.len()) {
        let (row, others) = rest.split_at_checked(count)?;
        rows.push(row);
        rest = others;
    }
    let width = rows.first().map(|row| {
        let wide = |p: &Frame| cell_px as f64 * p.width() as f64 / longer_side(p);
        let pictures: f64 = row.iter().map(wide).sum();
        pictures.round().max(1.0) as usize + margins(row.len())
    })?;
    let mut places = Vec::new();
    let mut top = MARGIN_PX;
    for row in rows {
        let (mut left, mut row_height) = (MARGIN_PX, 0);
        for picture in fitted(row, width) {
            row_height = row_height.max(picture.height());
            let columns = picture.width();
            places.push((picture, left, top));
            left += columns + MARGIN_PX;
        }
        top += row_height + MARGIN_PX;
    }
    let mut page = Frame::from_fn(width, top, |_, _| PAPER);
    for (picture, left, top) in &places {
        lay(&mut page, picture, *left, *top);
    }
    Some(page)
}

/// Arranges `pictures` in cells of one size, left to right and top to bottom, each with `cell_px` on its long side and
/// with its title below. `None` without pictures, and if a side of the sheet would exceed 65,535 pixels.
pub fn titled_sheet(pictures: &[(String, Frame)], cell_px: usize) -> Option<Frame> {
    let small = |(_, picture): &(String, Frame)| {
        let scale = cell_px as f64 / longer_side(picture);
        let px = |side: usize| (side as f64 * scale).round().max(1.0) as usize;
        scaled(picture, px(picture.width()), px(picture.height()))
    };
    let small: Vec<Frame> = pictures.iter().map(small).collect();
    let cell_width = small.iter().map(Frame::width).max()?;
    let cell_height = small.iter().map(Frame::height).max()?;
    let rows = row_counts(pictures.len()).len();
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

/// Number of pictures in each row: about as many rows as pictures per row, fuller rows last.
fn row_counts(pictures: usize) -> Vec<usize> {
    let rows = pictures.isqrt();
    (0..rows).map(|row| (pictures + row) / rows).collect()
}

/// Total width of the margins between and around this many pictures.
fn margins(pictures: usize) -> usize {
    (pictures + 1) * MARGIN_PX
}

fn longer_side(picture: &Frame) -> f64 {
    picture.width().max(picture.height()).max(1) as f64
}

/// The pictures of one row, scaled to one height, so that with margins they are `width` pixels wide.
fn fitted(row: &[Frame], width: usize) -> Vec<Frame> {
    let room = width.saturating_sub(margins(row.len())).max(row.len());
    let ratio = |p: &Frame| p.width() as f64 / p.height().max(1) as f64;
    let height = room as f64 / row.iter().map(ratio).sum::<f64>();
    let rows = height.round().max(1.0) as usize;
    let (mut taken, mut edge) = (0, 0.0);
    row.iter()
        .map(|picture| {
            // Round edges instead of widths, so that the pictures fill the row exactly.
            edge += height * ratio(picture);
            let columns = (edge.round() as usize).saturating_sub(taken).max(1);
            taken += columns;
            scaled(picture, columns, rows)
        })
        .collect()
}

/// Draws a picture into a page, which may cut it.
pub(super) fn lay(page: &mut Frame, picture: &Frame, left: usize, top: usize) {
    let (page_width, page_height) = (page.width(), page.height());
    let columns = picture.width().min(page_width.saturating_sub(left));
    let lines = picture.rgba().chunks_exact(picture.width() * 4);
    for (y, line) in lines.enumerate().take(page_height.saturating_sub(top)) {
        let start = ((top + y) * page_width + left) * 4;
        page.rgba_mut()[start..start + columns * 4].copy_from_slice(&line[..columns * 4]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_as_wide_as_the_others() {
        for (pictures, rows) in [
            (1, vec![1]),
            (3, vec![3]),
            (4, vec![2, 2]),
            (7, vec![3, 4]),
            (10, vec![3, 3, 4]),
            (0, vec![]),
        ] {
            assert_eq!(row_counts(pictures), rows);
        }
        let picture = |level: u8| Frame::from_fn(60, 40, move |_, _| [level, 0, 0, 255]);
        let pictures: Vec<Frame> = (1..=7).map(picture).collect();
        let page = sheet(&pictures, 60).expect("pictures");
        assert_eq!(page.width(), 3 * 60 + 4 * 8);
        // A row of three, 40 high, above a row of four, 43 wide and 29 high.
        assert_eq!(page.height(), 40 + 29 + 3 * 8);
        let at = |x: usize, y: usize| page.pixel(x, y)[0];
        for (place, x) in [8, 76, 144].into_iter().enumerate() {
            assert_eq!(at(x, 8), place as u8 + 1);
        }
        for (place, x) in [8 + 21, 59 + 21, 110 + 21, 161 + 21].into_iter().enumerate() {
            assert_eq!(at(x, 56 + 14), place as u8 + 4, "no hole at {x}");
        }
        assert_eq!(at(page.width() - 9, 60), 7, "up to the margin");
        assert_eq!(page.pixel(4, 4), PAPER);
        assert!(sheet(&[], 64).is_none());
    }

    #[test]
    fn titles_stand_below_their_pictures() {
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

    #[test]
    fn tall_pictures_lie_beside_wide_ones() {
        let wide = Frame::from_fn(80, 40, |_, _| [1, 0, 0, 255]);
        let tall = Frame::from_fn(20, 80, |_, _| [2, 0, 0, 255]);
        let page = sheet(&[wide, tall], 80).expect("pictures");
        assert_eq!(page.width(), 80 + 20 + 3 * 8);
        assert_eq!(page.pixel(page.width() - 9, page.height() - 9)[0], 2);
    }
}
