//! Everything that is not a figure: sky, clouds, mountains, hills, water, the meadow in front.

use std::f32::consts::TAU;

use super::{
    layer::Layer,
    noise::{mix, rough, smooth, step},
};

/// Where the water begins, in heights of the picture.
pub const HORIZON: f32 = 0.55;
/// Where the sun stands: share of the width, and heights of the picture.
const SUN: (f32, f32) = (0.66, 0.36);
/// How far the sun's disc reaches, in heights.
const SUN_RADIUS: f32 = 0.06;
/// The table of waves has 2 to this many entries.
const WAVES_BITS: u32 = 10;
/// Lowest row of the water, in heights; below it the meadow hides it.
const WATER_END: f32 = 0.915;

/// What stands still, drawn once, and what is needed to move it.
pub struct Landscape {
    width: usize,
    height: usize,
    sky: Vec<[u8; 4]>,
    high_clouds: Layer,
    low_clouds: Layer,
    mountains: Layer,
    hills: Layer,
    meadow: Layer,
    /// A full turn of the sine, -256 to 256.
    sine: Vec<i32>,
}

impl Landscape {
    /// Draws what stands still, for pictures of this size in pixels.
    pub fn new(width: usize, height: usize) -> Self {
        let h = height as f32;
        let row = |y: f32| ((y * h) as usize).min(height);
        // Strips that move by a whole width come round again; those that only sway need a margin.
        let round = 2 * width;
        let aspect = width as f32 / h;
        let horizon = row(HORIZON).max(1);
        let sun = [SUN.0 * aspect, SUN.1];
        Self {
            width,
            height,
            sky: (0..horizon * width)
                .map(|i| {
                    let at = [(i % width) as f32 / h, (i / width) as f32 / h];
                    let [r, g, b] = sky(at, sun).map(|v| (v + 0.5).clamp(0.0, 255.0) as u8);
                    [r, g, b, 255]
                })
                .collect(),
            high_clouds: Layer::new(round, (0, row(0.4)), |x, y| {
                high_cloud(x as f32 / round as f32, y as f32 / h)
            }),
            low_clouds: Layer::new(round, (row(0.04), row(0.5)), |x, y| {
                low_cloud(x as f32 / round as f32, y as f32 / h, aspect)
            }),
            mountains: Layer::new(round, (row(0.33), horizon), |x, y| {
                mountain(x as f32 / round as f32, y as f32 / h)
            }),
            hills: Layer::new(round, (row(0.42), horizon), |x, y| {
                hill(x as f32 / round as f32, y as f32 / h)
            }),
            meadow: Layer::new(round, (row(0.7), height), |x, y| {
                meadow(x as f32 / h, y as f32 / h, round as f32 / h)
            }),
            sine: (0..1 << WAVES_BITS)
                .map(|i| ((i as f32 / (1 << WAVES_BITS) as f32 * TAU).sin() * 256.0) as i32)
                .collect(),
        }
    }

    /// How far the viewer has moved to the right: a slow sway, in pixels of what is nearest.
    fn sway_px(&self, time_s: f64) -> f64 {
        (time_s * 0.22).sin() * 0.1 * self.height as f64
    }

    /// Sky, sun and clouds, down to the horizon.
    pub fn draw_sky(&self, frame: &mut [[u8; 4]], time_s: f64) {
        frame[..self.sky.len()].copy_from_slice(&self.sky);
        let h = self.height as f64;
        self.high_clouds
            .lay_over(frame, self.width, time_s * 0.006 * h);
        self.low_clouds
            .lay_over(frame, self.width, time_s * 0.016 * h);
    }

    /// Mountains and hills on the far side of the water.
    pub fn draw_far_shore(&self, frame: &mut [[u8; 4]], time_s: f64) {
        let sway = self.sway_px(time_s);
        self.mountains.lay_over(frame, self.width, sway * 0.1);
        self.hills.lay_over(frame, self.width, sway * 0.3);
    }

    /// The water: what is above the horizon, mirrored and moved by waves, and glitter below the sun.
    pub fn draw_water(&self, frame: &mut [[u8; 4]], time_s: f64) {
        let (width, h) = (self.width, self.height as f32);
        let horizon = (self.sky.len() / width).min(self.height);
        let (above, below) = frame.split_at_mut(horizon * width);
        let end = ((WATER_END * h).ceil() as usize).clamp(horizon, self.height) - horizon;
        let sun_x = (SUN.0 * width as f32) as i32;
        // A turn is the whole range of 32 bits, so that phases may overflow. Time is taken modulo a
        // turn in double precision and stays exact for days.
        let turns = |turns: f64| (turns.rem_euclid(1.0) * 4_294_967_296.0) as u32;
        let look_up = |phase: u32| self.sine[(phase >> (32 - WAVES_BITS)) as usize];
        for (y, row) in below.chunks_exact_mut(width).take(end).enumerate() {
            let depth = (y as f32 + 0.5) / (h * (WATER_END - HORIZON));
            // Waves are long and far apart near the viewer.
            let per_px = 1.0 / (h * (0.035 + 0.3 * depth));
            let along = f64::from(3.2 * (1.0 + 3.0 * depth).ln());
            let steps = [0.31, 0.83, 2.1].map(|s| turns(f64::from(per_px) * s));
            let mut swell = turns(along + time_s * 0.21);
            let mut ripple = turns(time_s * 0.53 - along * 1.7);
            let mut glint = turns(along * 2.3 + time_s * 0.37);
            let strength = (h * (0.002 + 0.022 * depth) * 256.0) as i32;
            let mirrored = ((horizon as f32 - 1.0 - y as f32 * 1.05) * 256.0) as i32;
            let tint = [(70.0, 10.0), (128.0, 62.0), (160.0, 104.0)]
                .map(|(far, near)| mix(far, near, depth) as i32);
            let tinted = mix(60.0, 160.0, depth.min(1.0)) as i32;
            let reach = (h * (0.05 + 0.16 * depth)) as i32 + 1;
            for (x, pixel) in row.iter_mut().enumerate() {
                // -256 to 256, as the table.
                let wave = (167 * look_up(swell) + 89 * look_up(ripple)) >> 8;
                swell = swell.wrapping_add(steps[0]);
                ripple = ripple.wrapping_add(steps[1]);
                let from_y = ((mirrored + ((wave * strength) >> 8)) >> 8).max(0) as usize;
                let from = above[from_y.min(horizon - 1) * width + x];
                // Slopes that face the viewer show the deep, the others the sky.
                let share = (tinted + ((41 * wave) >> 8)).clamp(0, 256);
                for c in 0..3 {
                    let mirror = i32::from(from[c]);
                    pixel[c] = (mirror + (((tint[c] - mirror) * share) >> 8)) as u8;
                }
                pixel[3] = 255;
                let off = (x as i32 - sun_x).abs();
                if off < reach {
                    let sparkle = wave + look_up(glint);
                    let bright = sparkle * (reach - off) / reach - 64;
                    if bright > 0 {
                        let light = (bright * 2).min(256);
                        for (value, sun) in pixel.iter_mut().zip([255, 228, 158]) {
                            let under = i32::from(*value);
                            *value = (under + (((sun - under) * light) >> 8)) as u8;
                        }
                    }
                }
                glint = glint.wrapping_add(steps[2]);
            }
        }
    }

    /// The meadow in front.
    pub fn draw_near_shore(&self, frame: &mut [[u8; 4]], time_s: f64) {
        // Where no water is drawn nothing may shine through from an older frame.
        let rows = ((WATER_END * self.height as f32) as usize).min(self.height);
        for pixel in &mut frame[rows * self.width..] {
            *pixel = [60, 110, 50, 255];
        }
        self.meadow
            .lay_over(frame, self.width, self.sway_px(time_s));
    }
}

/// The sky with the sun in it, at a point in heights of the picture.
fn sky(at: [f32; 2], sun: [f32; 2]) -> [f32; 3] {
    let t = (at[1] / HORIZON).clamp(0.0, 1.0);
    let zenith = [44.0, 88.0, 168.0];
    let middle = [128.0, 170.0, 210.0];
    let low = [255.0, 206.0, 132.0];
    let warm = step(0.35, 1.0, t);
    let cool = step(0.0, 0.6, t);
    let distance = (at[0] - sun[0]).hypot(at[1] - sun[1]);
    let glow = (-distance * 4.5).exp();
    let disc = 1.0 - step(SUN_RADIUS - 0.003, SUN_RADIUS + 0.003, distance);
    // A faint structure, as of high haze, gives a painter something to hold on to.
    let haze = 10.0 * (rough(at[0] * 3.0, at[1] * 14.0, 0, 3, 71) - 0.5);
    let mut colour = [0.0; 3];
    for (c, value) in colour.iter_mut().enumerate() {
        let base = mix(mix(zenith[c], middle[c], cool), low[c], warm);
        let lit = mix(base, [255.0, 190.0, 110.0][c], 0.75 * glow) + haze;
        *value = mix(lit, [255.0, 246.0, 205.0][c], disc);
    }
    colour
}

/// Torn streaks high above, at a share of the strip's width and in heights.
fn high_cloud(x: f32, y: f32) -> [f32; 4] {
    let n = rough(x * 10.0, y * 16.0, 10, 4, 11);
    let streak = rough(x * 6.0, y * 40.0, 6, 3, 19);
    let alpha = step(0.5, 0.78, 0.6 * n + 0.4 * streak) * step(0.4, 0.28, y);
    let lit = mix(0.0, 1.0, step(0.1, 0.4, y));
    [
        255.0,
        mix(244.0, 214.0, lit),
        mix(240.0, 176.0, lit),
        190.0 * alpha,
    ]
}

/// Heaps of cloud with lit tops and blue undersides.
fn low_cloud(x: f32, y: f32, aspect: f32) -> [f32; 4] {
    let (nx, ny) = (x * 2.0 * 6.0, y * 2.0 * 6.0 / aspect.max(0.3));
    let density = |dy: f32| {
        let base = rough(nx, ny * 1.5 + dy, 12, 5, 37);
        // Clouds gather in two banks; between them the sky is open.
        let bank = (1.0 - ((y - 0.17) / 0.1).abs()).max(0.75 * (1.0 - ((y - 0.37) / 0.09).abs()));
        base + 0.22 * bank.clamp(0.0, 1.0) - 0.1
    };
    let here = density(0.0);
    let alpha = step(0.53, 0.62, here);
    // The strip has an upper and a lower end.
    let fade = step(0.04, 0.1, y) * step(0.5, 0.44, y);
    let lit = step(-0.05, 0.09, here - density(-0.22));
    let thick = step(0.55, 0.8, here);
    let top = [255.0, 240.0, 222.0];
    let under = [150.0, 134.0, 168.0];
    let mut colour = [0.0, 0.0, 0.0, 238.0 * alpha * fade];
    for c in 0..3 {
        colour[c] = mix(under[c], top[c], (0.25 + 0.75 * lit) * (1.0 - 0.25 * thick));
    }
    colour
}

/// Blue mountains with snow, at a share of the strip's width and in heights.
fn mountain(x: f32, y: f32) -> [f32; 4] {
    let ridge = 0.50 - 0.135 * (rough(x * 9.0, 0.0, 9, 5, 5) - 0.25).max(0.0) * 1.9;
    let alpha = step(ridge - 0.002, ridge + 0.002, y);
    let folds = rough(x * 36.0, y * 22.0 + 3.0, 36, 4, 23);
    let shade = step(0.35, 0.65, folds);
    let snow = step(0.055, 0.02, y - ridge + 0.05 * (folds - 0.5)) * step(0.445, 0.41, ridge);
    let air = step(0.4, HORIZON, y);
    let mut colour = [0.0, 0.0, 0.0, 255.0 * alpha];
    for c in 0..3 {
        let rock = mix([74.0, 80.0, 128.0][c], [128.0, 116.0, 158.0][c], shade);
        let white = mix([186.0, 196.0, 226.0][c], [255.0, 244.0, 236.0][c], shade);
        colour[c] = mix(mix(rock, white, snow), [214.0, 176.0, 168.0][c], 0.55 * air);
    }
    colour
}

/// Green hills with fields and woods down to the water.
fn hill(x: f32, y: f32) -> [f32; 4] {
    let wave = |f: f32, seed| smooth(x * f, 0.5, f as i32, seed);
    let back = HORIZON - 0.035 - 0.06 * wave(8.0, 3);
    let front = HORIZON - 0.012 - 0.045 * wave(14.0, 9);
    let alpha = step(back - 0.002, back + 0.002, y);
    let in_front = step(front - 0.002, front + 0.002, y);
    let wood = step(0.52, 0.58, rough(x * 60.0, y * 46.0, 60, 3, 13));
    let field = step(0.48, 0.52, smooth(x * 30.0 + y * 22.0, y * 9.0, 30, 17));
    let furrow = 0.5 + 0.5 * (x * 900.0 + y * 500.0).sin();
    let mut colour = [0.0, 0.0, 0.0, 255.0 * alpha];
    for c in 0..3 {
        let grass = mix([122.0, 148.0, 70.0][c], [206.0, 178.0, 84.0][c], field);
        let open = grass + (furrow - 0.5) * 12.0 * field;
        let far = mix(open, [56.0, 94.0, 66.0][c], 0.85 * wood);
        let near = mix(
            mix(
                [104.0, 150.0, 62.0][c],
                [58.0, 108.0, 48.0][c],
                furrow * 0.2,
            ),
            [36.0, 78.0, 44.0][c],
            0.9 * wood,
        );
        let shore = step(HORIZON - 0.006, HORIZON - 0.002, y);
        colour[c] = mix(mix(far, near, in_front), [222.0, 196.0, 150.0][c], shore);
    }
    colour
}

/// The meadow in front, at a point in heights; comes round after `round`.
fn meadow(x: f32, y: f32, round: f32) -> [f32; 4] {
    let share = x / round;
    let edge =
        0.84 - 0.055 * (share * TAU * 2.0 + 2.4).cos() + 0.012 * smooth(share * 60.0, 0.0, 60, 41);
    let sand = step(edge - 0.003, edge + 0.002, y);
    let grass_edge = edge + 0.02 + 0.016 * rough(share * 150.0, 0.3, 150, 3, 47);
    let grass = step(grass_edge - 0.003, grass_edge + 0.003, y);
    let clump = rough(share * 90.0, y * 26.0, 90, 3, 53);
    let blade = smooth(share * 700.0 + y * 30.0, y * 42.0, 700, 59);
    let flower = step(0.86, 0.9, smooth(share * 240.0, y * 75.0, 240, 61));
    let kind = smooth(share * 40.0, y * 10.0, 40, 67);
    let petal = if kind < 0.42 {
        [250.0, 210.0, 70.0]
    } else if kind < 0.55 {
        [252.0, 246.0, 240.0]
    } else {
        [226.0, 74.0, 96.0]
    };
    let foam = step(0.006, 0.0, (y - edge).abs());
    let near = step(grass_edge, 1.0, y);
    let mut colour = [0.0, 0.0, 0.0, 255.0 * sand];
    for c in 0..3 {
        let ground = mix([232.0, 206.0, 158.0][c], [204.0, 168.0, 118.0][c], clump);
        let beach = mix(ground, [250.0, 248.0, 240.0][c], foam);
        let dark = mix([44.0, 98.0, 42.0][c], [30.0, 74.0, 40.0][c], near);
        let light = mix([150.0, 188.0, 66.0][c], [104.0, 158.0, 56.0][c], near);
        let green = mix(dark, light, 0.55 * clump + 0.45 * blade);
        colour[c] = mix(beach, mix(green, petal[c], flower), grass);
    }
    colour
}
