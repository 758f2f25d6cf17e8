//! Several pictures on one sheet, row by row.

use super::scale::{scaled, size_within};
use crate::frame::Frame;

/// Width of the margins between and around the pictures, in pixels.
const MARGIN_PX: usize = 8;
/// Colour of the margins.
const PAPER: [u8; 4] = [245, 245, 242, 255];

/// Lays `pictures` on a sheet of `columns` columns, left to right and top to bottom, each within a
/// cell of `cell_px` x `cell_px` pixels at most and never enlarged. `None` without pictures.
pub fn sheet(pictures: &[Frame], columns: usize, cell_px: usize) -> Option<Frame> {
    let columns = columns.clamp(1, pictures.len().max(1));
    let cells: Vec<Frame> = pictures
        .iter()
        .map(|p| {
            let (width, height) = size_within(p.width(), p.height(), cell_px.max(1));
            scaled(p, width, height)
        })
        .collect();
    let cell_width = cells.iter().map(Frame::width).max()?;
    let cell_height = cells.iter().map(Frame::height).max()?;
    let rows = cells.len().div_ceil(columns);
    let mut page = Frame::from_fn(
        columns * (cell_width + MARGIN_PX) + MARGIN_PX,
        rows * (cell_height + MARGIN_PX) + MARGIN_PX,
        |_, _| PAPER,
    );
    let page_width = page.width();
    for (index, cell) in cells.iter().enumerate() {
        let left = MARGIN_PX
            + (index % columns) * (cell_width + MARGIN_PX)
            + (cell_width - cell.width()) / 2;
        let top = MARGIN_PX
            + (index / columns) * (cell_height + MARGIN_PX)
            + (cell_height - cell.height()) / 2;
        for (y, row) in cell.rgba().chunks_exact(cell.width() * 4).enumerate() {
            let start = ((top + y) * page_width + left) * 4;
            page.rgba_mut()[start..start + row.len()].copy_from_slice(row);
        }
    }
    Some(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_lie_where_they_should() {
        let picture = |level| Frame::from_fn(20, 10, move |_, _| [level, 0, 0, 255]);
        let page = sheet(&[picture(1), picture(2), picture(3)], 2, 64).expect("pictures");
        assert_eq!((page.width(), page.height()), (2 * 28 + 8, 2 * 18 + 8));
        assert_eq!(page.pixel(8, 8)[0], 1);
        assert_eq!(page.pixel(8 + 28, 8)[0], 2);
        assert_eq!(page.pixel(8, 8 + 18)[0], 3);
        assert_eq!(page.pixel(40, 30), PAPER);
        assert!(sheet(&[], 3, 64).is_none());
    }
}
