//! Queries of the window under test.

use eframe::egui::{self, Rect, Role, Shape};
use egui_kittest::{
    Node,
    kittest::{NodeT, Queryable, by},
};

use super::Window;

impl Window {
    pub fn is_painted(&self) -> bool {
        self.has_containing("Picture, original and painted")
            && (self.has_containing("Painted at") || self.has_containing("Painted in "))
            && !self.has_containing("Painting in")
            && !self.has_containing("Loading")
    }

    /// Every name and text.
    pub fn texts(&self) -> Vec<String> {
        self.harness
            .root()
            .children_recursive()
            .filter_map(|n| n.accesskit_node().label().or(n.accesskit_node().value()))
            .collect()
    }

    /// True if there is a widget of this name or text.
    pub fn has(&self, label: &str) -> bool {
        self.texts().iter().any(|l| l == label)
    }

    /// True if a name or text contains this.
    pub fn has_containing(&self, part: &str) -> bool {
        self.texts().iter().any(|l| l.contains(part))
    }

    /// Every painted text, including text that is not in the accessibility tree.
    pub fn painted_texts(&self) -> Vec<String> {
        fn gather(shape: &egui::Shape, texts: &mut Vec<String>) {
            match shape {
                egui::Shape::Text(text) => texts.push(text.galley.text().to_owned()),
                egui::Shape::Vec(shapes) => shapes.iter().for_each(|s| gather(s, texts)),
                _ => {}
            }
        }
        let mut texts = Vec::new();
        for clipped in &self.harness.output().shapes {
            gather(&clipped.shape, &mut texts);
        }
        texts
    }

    /// True if exactly this text is painted.
    pub fn paints(&self, text: &str) -> bool {
        self.painted_texts().iter().any(|painted| painted == text)
    }

    pub fn is_chosen(&self, title: &str) -> bool {
        self.harness
            .query(by().label(title).role(Role::RadioButton))
            .is_some_and(|n| n.accesskit_node().toggled() == Some(egui::accesskit::Toggled::True))
    }

    /// The slider of this name.
    pub fn slider<'a>(&'a self, label: &'a str) -> Node<'a> {
        self.harness.get(by().label(label).role(Role::Slider))
    }

    /// The value of a slider.
    pub fn value(&self, label: &str) -> f64 {
        self.slider(label).accesskit_node().numeric_value().expect("a number")
    }

    /// The zoom in percent.
    pub fn zoom(&self) -> f32 {
        self.texts()
            .into_iter()
            .find_map(|l| l.strip_prefix("Zoom ")?.strip_suffix(" %").map(str::to_owned))
            .expect("the zoom")
            .parse()
            .expect("a number")
    }

    /// Everything painted with a texture: the texture's name, the place on the screen, and the part of the texture.
    pub fn textured(&self) -> Vec<(String, Rect, Rect)> {
        let textures = self.harness.ctx.tex_manager();
        let textures = textures.read();
        let name = |id| textures.meta(id).map(|meta| meta.name.clone());
        let mut found = Vec::new();
        let mut shapes: Vec<&Shape> =
            (self.harness.output().shapes.iter()).map(|clipped| &clipped.shape).collect();
        while let Some(shape) = shapes.pop() {
            match shape {
                Shape::Vec(more) => shapes.extend(more),
                Shape::Mesh(mesh) if mesh.vertices.len() == 4 => {
                    let (mut place, mut part) = (Rect::NOTHING, Rect::NOTHING);
                    for vertex in &mesh.vertices {
                        place.extend_with(vertex.pos);
                        part.extend_with(vertex.uv);
                    }
                    found.extend(name(mesh.texture_id).map(|name| (name, place, part)));
                }
                Shape::Rect(rect) => {
                    if let Some(brush) = &rect.brush {
                        let name = name(brush.fill_texture_id);
                        found.extend(name.map(|name| (name, rect.rect, brush.uv)));
                    }
                }
                _ => {}
            }
        }
        found
    }

    /// The place that the whole picture would have, from the painted part and its place; and that part's place.
    pub fn picture(&self, name: &str) -> (Rect, Rect) {
        let textured = self.textured();
        let (_, place, part) = textured
            .iter()
            .find(|(texture, ..)| texture == name)
            .unwrap_or_else(|| panic!("{name} is not among {textured:?}"));
        let size = place.size() / part.size();
        let whole = Rect::from_min_size(place.min - part.min.to_vec2() * size, size);
        (whole, *place)
    }
}
