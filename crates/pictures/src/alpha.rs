//! Transparency: what cannot be seen does not change what can be seen.

/// Divides the colours of RGBA8 by their alpha, for files that store the product (TIFF 6.0, ExtraSamples 1).
pub(super) fn unpremultiply(rgba: &mut [u8]) {
    for [r, g, b, a] in rgba.as_chunks_mut::<4>().0 {
        let a = u32::from(*a);
        for color in [r, g, b] {
            *color = ((255 * u32::from(*color) + a / 2) / a.max(1)).min(255) as u8;
        }
    }
}

pub const WHITE: [u8; 3] = [255; 3];

/// The colours of a pixel on a background.
pub fn on_background(pixel: [u8; 4], background: [u8; 3]) -> [u8; 3] {
    let alpha = u32::from(pixel[3]);
    [0, 1, 2].map(|channel| {
        let [color, below] = [pixel[channel], background[channel]].map(u32::from);
        ((color * alpha + below * (255 - alpha) + 127) / 255) as u8
    })
}

/// Makes RGBA8 opaque on a background.
pub fn flatten(rgba: &mut [u8], background: [u8; 3]) {
    for pixel in rgba.as_chunks_mut::<4>().0 {
        let [r, g, b] = on_background(*pixel, background);
        *pixel = [r, g, b, 255];
    }
}

/// The name of a background, for notes.
pub fn color_name(background: [u8; 3]) -> String {
    let [r, g, b] = background;
    if background == WHITE { "white".to_owned() } else { format!("#{r:02x}{g:02x}{b:02x}") }
}

/// Gives each invisible pixel (alpha 0) of RGBA8 the colour of the nearest visible one in its row, or the colours of
/// the nearest row that has visible pixels. Files contain any colour there, and a network's norms would read it.
pub fn fill_hidden(rgba: &mut [u8], width: usize) {
    let (pixels, _) = rgba.as_chunks_mut::<4>();
    if pixels.iter().all(|pixel| pixel[3] > 0) {
        return;
    }
    let mut seen_above = None;
    for row in 0..pixels.len() / width.max(1) {
        let start = row * width;
        if fill_row(&mut pixels[start..start + width]) {
            let first_filled = if seen_above.is_none() { 0 } else { row };
            (first_filled..row).for_each(|above| copy_colors(pixels, start, above * width, width));
            seen_above = Some(start);
        } else if let Some(above) = seen_above {
            copy_colors(pixels, above, start, width);
        }
    }
}

/// Fills the invisible pixels of a row; `false` if all are invisible.
fn fill_row(row: &mut [[u8; 4]]) -> bool {
    let Some(mut left) = row.iter().position(|pixel| pixel[3] > 0) else {
        return false;
    };
    let fill = |pixel: &mut [u8; 4], [r, g, b, _]: [u8; 4]| *pixel = [r, g, b, pixel[3]];
    let first = row[left];
    row[..left].iter_mut().for_each(|pixel| fill(pixel, first));
    while left < row.len() {
        let hidden = row[left + 1..].iter().take_while(|pixel| pixel[3] == 0).count();
        let right = left + 1 + hidden;
        let after = row.get(right).copied();
        let half = if after.is_some() { hidden.div_ceil(2) } else { hidden };
        let before = row[left];
        row[left + 1..left + 1 + half].iter_mut().for_each(|pixel| fill(pixel, before));
        if let Some(after) = after {
            row[left + 1 + half..right].iter_mut().for_each(|pixel| fill(pixel, after));
        }
        left = right;
    }
    true
}

/// Copies colours, but not alpha, from one row to another.
fn copy_colors(pixels: &mut [[u8; 4]], from: usize, to: usize, width: usize) {
    for column in 0..width {
        let [r, g, b, _] = pixels[from + column];
        pixels[to + column][..3].copy_from_slice(&[r, g, b]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colors_are_divided_by_their_alpha() {
        let mut pixels = [100, 50, 0, 128, 9, 9, 9, 0, 7, 8, 9, 255, 200, 0, 0, 100];
        unpremultiply(&mut pixels);
        assert_eq!(pixels[..4], [199, 100, 0, 128]);
        assert_eq!(pixels[8..], [7, 8, 9, 255, 255, 0, 0, 100]);
    }

    #[test]
    fn hidden_colors_do_not_matter() {
        // 3 x 4 pixels, two rows of which have visible ones.
        let visible = [(3, [10, 20, 30, 255]), (5, [40, 50, 60, 1]), (10, [70, 80, 90, 9])];
        let picture = |hidden: [u8; 3]| {
            let mut pixels = [[hidden[0], hidden[1], hidden[2], 0]; 12];
            visible.iter().for_each(|&(at, pixel)| pixels[at] = pixel);
            let mut bytes = pixels.as_flattened().to_vec();
            fill_hidden(&mut bytes, 3);
            bytes
        };
        let filled = picture([0, 0, 0]);
        assert_eq!(filled, picture([255, 7, 99]));
        let pixel = |at: usize| <[u8; 4]>::try_from(&filled[4 * at..4 * at + 4]).expect("a pixel");
        assert_eq!(pixel(0), [10, 20, 30, 0], "the row below");
        assert_eq!(pixel(4), [10, 20, 30, 0], "between two, the left one");
        assert_eq!(pixel(6), [10, 20, 30, 0], "no visible pixel: the row above");
        assert_eq!(pixel(9), [70, 80, 90, 0]);
        assert_eq!(pixel(5), [40, 50, 60, 1]);
        // Nothing is visible at all.
        let mut hidden = [1, 2, 3, 0, 4, 5, 6, 0];
        fill_hidden(&mut hidden, 2);
        assert_eq!(hidden, [1, 2, 3, 0, 4, 5, 6, 0]);
    }
}
