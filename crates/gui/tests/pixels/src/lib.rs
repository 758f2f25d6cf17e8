//! A small software renderer for the tests of the window: its content as pixels, the same on every computer, and
//! comparisons of such pictures. A package of its own, because without optimisation it is too slow, and the window and
//! its tests are compiled without.

#![allow(clippy::expect_used, reason = "test support: a broken test should panic")]

pub mod compare;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use eframe::{
    egui::{self, Color32, ColorImage, Pos2, Rect, TextureFilter, TextureId, TexturesDelta},
    epaint::{ClippedPrimitive, ImageData, Mesh, Primitive, Vertex},
};
use egui_kittest::TestRenderer;

/// The window's textures, updated as the window changes them.
#[derive(Clone, Default)]
pub struct Textures(Arc<Mutex<HashMap<TextureId, Texture>>>);

struct Texture {
    image: Arc<ColorImage>,
    is_smooth: bool,
}

impl TestRenderer for Textures {
    fn handle_delta(&mut self, delta: &mut TexturesDelta) {
        let mut textures = self.0.lock().expect("no panic while it is held");
        for (id, changes) in delta.set.drain() {
            for change in changes {
                let ImageData::Color(image) = change.image;
                let is_smooth = change.options.magnification == TextureFilter::Linear;
                match (change.pos, textures.get_mut(&id)) {
                    (Some(at), Some(texture)) => {
                        patch(Arc::make_mut(&mut texture.image), at, &image)
                    }
                    _ => {
                        textures.insert(id, Texture { image, is_smooth });
                    }
                }
            }
        }
        for id in delta.free.drain() {
            textures.remove(&id);
        }
    }
}

fn patch(to: &mut ColorImage, [left, top]: [usize; 2], from: &ColorImage) {
    let (width, columns) = (to.size[0], from.size[0]);
    for (y, row) in from.pixels.chunks(columns.max(1)).enumerate() {
        let first = (top + y) * width + left;
        to.pixels[first..first + columns].copy_from_slice(row);
    }
}

impl Textures {
    /// A frame's shapes as pixels: `size` in points, `scale` pixels per point.
    pub fn painted(
        &self,
        ctx: &egui::Context,
        output: &egui::FullOutput,
        size: egui::Vec2,
        scale: f32,
    ) -> ColorImage {
        let textures = self.0.lock().expect("no panic while it is held");
        let [width, height] = [size.x, size.y].map(|side| (side * scale).round() as usize);
        let mut screen = ColorImage::filled([width, height], Color32::BLACK);
        for ClippedPrimitive { clip_rect, primitive } in
            ctx.tessellate(output.shapes.clone(), scale)
        {
            let Primitive::Mesh(mesh) = primitive else {
                panic!("the window paints with a callback, which this renderer does not support");
            };
            let texture = textures.get(&mesh.texture_id).expect("a texture that was set");
            paint(&mut screen, &mesh, texture, clip_rect * scale, scale);
        }
        screen
    }
}

fn paint(screen: &mut ColorImage, mesh: &Mesh, texture: &Texture, clip: Rect, scale: f32) {
    for corners in mesh.indices.chunks_exact(3) {
        let mut corners: Vec<Vertex> = corners.iter().map(|&i| mesh.vertices[i as usize]).collect();
        for corner in &mut corners {
            corner.pos = (corner.pos.to_vec2() * scale).to_pos2();
        }
        // Makes the winding order the same for all.
        if twice_the_area(corners[0].pos, corners[1].pos, corners[2].pos) < 0.0 {
            corners.swap(1, 2);
        }
        triangle(screen, [corners[0], corners[1], corners[2]], texture, clip);
    }
}

fn twice_the_area(a: Pos2, b: Pos2, c: Pos2) -> f32 {
    (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x)
}

fn triangle(screen: &mut ColorImage, corners: [Vertex; 3], texture: &Texture, clip: Rect) {
    let places = corners.map(|corner| corner.pos);
    let area = twice_the_area(places[0], places[1], places[2]);
    if area <= 0.0 {
        return;
    }
    let [width, height] = screen.size;
    let seen = Rect::from_points(&places).intersect(clip);
    // Pixels whose centres are inside.
    let range = |from: f32, to: f32, end: usize| {
        let whole = |at: f32| ((at - 0.5).ceil().max(0.0) as usize).min(end);
        whole(from)..whole(to)
    };
    for y in range(seen.top(), seen.bottom(), height) {
        for x in range(seen.left(), seen.right(), width) {
            let centre = Pos2::new(x as f32 + 0.5, y as f32 + 0.5);
            let shares = [0, 1, 2].map(|i| {
                let (from, to) = (places[(i + 1) % 3], places[(i + 2) % 3]);
                let inside = twice_the_area(from, to, centre);
                // A pixel on the edge between two triangles belongs to one of them.
                let is_upper_left = from.y > to.y || (from.y == to.y && from.x < to.x);
                (inside > 0.0 || (inside == 0.0 && is_upper_left)).then_some(inside / area)
            });
            let [Some(a), Some(b), Some(c)] = shares else {
                continue;
            };
            let mixed = |of: fn(&Vertex) -> f32| {
                a * of(&corners[0]) + b * of(&corners[1]) + c * of(&corners[2])
            };
            let texel = texture.at(mixed(|v| v.uv.x), mixed(|v| v.uv.y));
            let tint = [
                mixed(|v| v.color.r().into()),
                mixed(|v| v.color.g().into()),
                mixed(|v| v.color.b().into()),
                mixed(|v| v.color.a().into()),
            ];
            let pixel = &mut screen.pixels[y * width + x];
            *pixel = over(*pixel, texel, tint);
        }
    }
}

/// A texel in levels, times a tint, both premultiplied, blended over the colour below.
fn over(below: Color32, texel: [f32; 4], tint: [f32; 4]) -> Color32 {
    let [r, g, b, a] = [0, 1, 2, 3].map(|i| texel[i] * tint[i] / 255.0);
    let blend =
        |above: f32, below: u8| (above + f32::from(below) * (1.0 - a / 255.0)).round() as u8;
    Color32::from_rgb(blend(r, below.r()), blend(g, below.g()), blend(b, below.b()))
}

impl Texture {
    /// The colour at a position from 0 to 1.
    fn at(&self, u: f32, v: f32) -> [f32; 4] {
        let [width, height] = self.image.size;
        let place = |at: f32, side: usize| (at * side as f32 - 0.5).clamp(0.0, (side - 1) as f32);
        let (x, y) = (place(u, width), place(v, height));
        let levels = |x: usize, y: usize| {
            self.image.pixels[y.min(height - 1) * width + x.min(width - 1)]
                .to_array()
                .map(f32::from)
        };
        if !self.is_smooth {
            return levels(x.round() as usize, y.round() as usize);
        }
        let (left, top) = (x as usize, y as usize);
        let (right_share, lower_share) = (x - left as f32, y - top as f32);
        let mix = |a: [f32; 4], b: [f32; 4], share: f32| {
            [0, 1, 2, 3].map(|i| a[i] + share * (b[i] - a[i]))
        };
        let upper = mix(levels(left, top), levels(left + 1, top), right_share);
        let lower = mix(levels(left, top + 1), levels(left + 1, top + 1), right_share);
        mix(upper, lower, lower_share)
    }
}
