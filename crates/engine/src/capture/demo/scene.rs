//! The whole scene, drawn with vello.

use vello_cpu::{PixmapMut, RenderContext, Resources, kurbo::Affine};

use super::{
    figures,
    landscape::{HORIZON, Landscape},
    shape::{Group, Shape},
};

/// Maximum width that is filled with detail, in picture heights; the rest is only background.
const MAX_DETAIL: f64 = 8.0;

/// The demo scene at one size.
pub struct Scene {
    /// From the farthest to the nearest.
    groups: Vec<Group>,
    /// The renderer, which reuses its buffers.
    context: RenderContext,
    resources: Resources,
}

impl Scene {
    /// The scene at `width` x `height` pixels. Sides are clamped to 1..=65,535.
    pub fn new((width, height): (usize, usize)) -> Self {
        let [width, height] = [width, height].map(|px| px.clamp(1, u16::MAX.into()) as u16);
        Self {
            groups: groups((f64::from(width) / f64::from(height)).min(MAX_DETAIL)),
            context: RenderContext::new(width, height),
            resources: Resources::new(),
        }
    }

    /// Columns and rows.
    pub fn size(&self) -> (usize, usize) {
        (self.context.width().into(), self.context.height().into())
    }

    /// Draws the scene at `time_s` seconds into `rgba`: `width * height * 4` bytes, row by row. Does nothing if its
    /// length differs.
    pub fn draw(&mut self, time_s: f64, rgba: &mut [u8]) {
        let Self { groups, context, resources } = self;
        let (width, height) = (context.width(), context.height());
        let Some(pixels) = PixmapMut::new(width, height, &mut *rgba) else {
            return;
        };
        context.reset();
        for group in groups {
            let motion = (group.motion)(time_s);
            context.set_transform(Affine::scale(height.into()) * motion);
            for Shape { path, paint } in &group.shapes {
                context.set_paint(paint.clone());
                context.fill_path(path);
            }
        }
        context.flush();
        context.render(pixels, resources);
        // Blending rounds alpha, but everything over the background is opaque.
        rgba.iter_mut().skip(3).step_by(4).for_each(|alpha| *alpha = 255);
    }
}

/// All groups of a picture `right` heights wide.
fn groups(right: f64) -> Vec<Group> {
    let land = Landscape { right };
    let far = || land.far().into_iter().chain([figures::lighthouse(right)]);
    // The reflection in the water.
    let flip = Affine::new([1.0, 0.0, 0.0, -1.0, 0.0, 2.0 * HORIZON]);
    let mirrored = |Group { shapes, motion }| Group::new(shapes, move |t| flip * motion(t));
    let mut groups = vec![land.backdrop()];
    groups.extend(far().map(|group| mirrored(group).faint(0.4)));
    groups.extend(land.waves());
    groups.extend(far());
    // Balloon and birds are too high above the water to be reflected; the boat has its own reflection.
    groups.push(figures::balloon(right));
    groups.extend(figures::birds(right));
    groups.extend(figures::boat(right));
    groups.push(land.meadow());
    groups.extend(figures::flowers(right));
    groups.extend(figures::person(right));
    groups
}

#[cfg(test)]
mod tests {
    use vello_cpu::{PaintType, peniko::Color};

    use super::*;
    use crate::capture::demo::shape::{DRAWINGS, pieces};
    use values::frame::{Frame, PictureDifference};

    fn drawn(scene: &mut Scene, time_s: f64) -> Frame {
        let (width, height) = scene.size();
        let mut rgba = vec![0; width * height * 4];
        scene.draw(time_s, &mut rgba);
        Frame::from_rgba(width, height, rgba).expect("fits")
    }

    #[test]
    fn a_moment_is_a_function_of_time_and_size() {
        let mut scene = Scene::new((160, 120));
        let first = drawn(&mut scene, 1.25);
        let later = drawn(&mut scene, 2.5);
        assert!(first.rgba().chunks(4).all(|p| p[3] == 255), "opaque");
        let apart = PictureDifference::between(&first, &later).expect("one size");
        assert!(apart.mean > 0.5, "it moves: {}", apart.mean);
        assert!(first == drawn(&mut scene, 1.25));
        assert!(first == drawn(&mut Scene::new((160, 120)), 1.25));
        // Hours later the scene still moves and all figures are in place.
        let night = drawn(&mut scene, 40_000.0);
        let apart = PictureDifference::between(&night, &drawn(&mut scene, 40_000.5));
        assert!(apart.expect("one size").mean > 0.1);
    }

    #[test]
    fn all_colours_and_paths_are_valid() {
        let is_visible = |paint: &PaintType| match paint {
            PaintType::Solid(color) => *color != Color::TRANSPARENT,
            PaintType::Gradient(it) => {
                it.stops.iter().all(|stop| stop.color.components != [0.0; 4])
            }
            PaintType::Image(_) => false,
        };
        for Group { shapes, .. } in groups(1.5) {
            let is_valid = |it: &Shape| is_visible(&it.paint) && !it.path.elements().is_empty();
            assert!(!shapes.is_empty() && shapes.iter().all(is_valid));
        }
        let names = DRAWINGS.lines().filter_map(|line| line.strip_prefix('[')?.strip_suffix(']'));
        let shapes = names.clone().map(|name| pieces(name).count()).sum::<usize>();
        let intro = DRAWINGS.lines().take_while(|line| !line.is_empty()).count();
        let lines = DRAWINGS.lines().filter(|line| !line.is_empty()).count();
        assert_eq!(intro + names.count() + shapes, lines, "every line is read");
    }

    #[test]
    fn any_size_is_drawn() {
        for size in [(1, 1), (2, 90), (90, 2), (33, 17), (121, 240), (1031, 763)] {
            let frame = drawn(&mut Scene::new(size), 7.0);
            assert!(frame.rgba().chunks(4).all(|p| p[3] == 255));
        }
        let mut untouched = [9; 12];
        Scene::new((2, 2)).draw(0.0, &mut untouched);
        assert_eq!(untouched, [9; 12], "a wrong length is left alone");
    }
}
