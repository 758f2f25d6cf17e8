//! The window's icon, drawn by the program: a brush stroke over a photo's corner.

use eframe::egui::IconData;

/// Side of the icon, in pixels.
const SIDE: usize = 128;
/// Samples per side of every pixel, for smooth edges.
const SAMPLES: usize = 3;

/// The icon in RGBA.
pub fn icon() -> IconData {
    let mut rgba = Vec::with_capacity(SIDE * SIDE * 4);
    for y in 0..SIDE {
        for x in 0..SIDE {
            rgba.extend_from_slice(&pixel(x, y));
        }
    }
    IconData { rgba, width: SIDE as u32, height: SIDE as u32 }
}

fn pixel(x: usize, y: usize) -> [u8; 4] {
    let mut sum = [0.0f32; 4];
    for sy in 0..SAMPLES {
        for sx in 0..SAMPLES {
            let at =
                |p: usize, s: usize| (p as f32 + (s as f32 + 0.5) / SAMPLES as f32) / SIDE as f32;
            let [r, g, b, a] = color(at(x, sx), at(y, sy));
            for (sum, value) in sum.iter_mut().zip([r * a, g * a, b * a, a]) {
                *sum += value;
            }
        }
    }
    let alpha = sum[3].max(1e-6);
    let byte = |v: f32| (v.clamp(0.0, 1.0) * 255.0).round() as u8;
    [
        byte(sum[0] / alpha),
        byte(sum[1] / alpha),
        byte(sum[2] / alpha),
        byte(sum[3] / (SAMPLES * SAMPLES) as f32),
    ]
}

/// Colour and alpha, 0 to 1, at a position in shares of the sides.
fn color(x: f32, y: f32) -> [f32; 4] {
    // A square with round corners.
    let (dx, dy) = ((x - 0.5).abs() - 0.27, (y - 0.5).abs() - 0.27);
    let outside = (dx.max(0.0).powi(2) + dy.max(0.0).powi(2)).sqrt();
    if outside > 0.2 {
        return [0.0; 4];
    }
    // Left of the wavy divider is the photo: sky, sun, hills. Right of it is the painting: strokes.
    let divider = 0.5 + 0.05 * (y * 9.0).sin();
    if (x - divider).abs() < 0.018 {
        return [1.0, 1.0, 1.0, 1.0];
    }
    if x < divider {
        let sun = ((x - 0.3).powi(2) + (y - 0.32).powi(2)).sqrt();
        let hill = 0.66 - 0.1 * (x * 7.0).sin();
        return if y > hill {
            [0.24, 0.36, 0.34, 1.0]
        } else if sun < 0.085 {
            [0.99, 0.88, 0.62, 1.0]
        } else {
            [0.44, 0.6, 0.74, 1.0]
        };
    }
    let swirl =
        ((x - 0.72).powi(2) + (y - 0.42).powi(2)).sqrt() * 26.0 + (y - 0.42).atan2(x - 0.72) * 1.5;
    let stroke = 0.5 + 0.5 * swirl.sin();
    let (low, high) = ([0.77, 0.33, 0.16], [0.96, 0.72, 0.33]);
    let mix = |i: usize| low[i] + (high[i] - low[i]) * stroke;
    [mix(0), mix(1), mix(2), 1.0]
}
