//! Operators that change the number of rows and columns.

use super::{Axis, MapValue, NodeId, Reader, equal};
use crate::{Result, WeightsError, error::shortened, onnx::shown};
use network::graph::{
    Op,
    resize::{Coordinates, Interpolation, Resize, Rounding, Target},
};

impl Reader<'_> {
    pub fn resize(&mut self, x: MapValue) -> Result<MapValue> {
        let node = self.scope.node;
        let axes = x.layout.axes();
        let position = |axis: Axis| axes.iter().position(|&own| own == axis);
        let (Some(rows), Some(columns)) = (position(Axis::Rows), position(Axis::Columns)) else {
            return Err(node.refused("resizes something other than rows and columns"));
        };
        // Since opset 11, Resize has a region of interest before its scales.
        let is_old = node.op_type == "Upsample" || self.opset < 11;
        let scale_index = if is_old { 1 } else { 2 };
        let chosen = match node.attribute("axes") {
            Some(attribute) => (attribute.ints.iter().map(|&a| x.layout.side(a)))
                .collect::<Option<Vec<_>>>()
                .ok_or_else(|| node.refused("resizes odd axes"))?,
            None => (0..axes.len()).collect(),
        };
        let floats = |list: &[f32]| list.iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
        let lists_at = |index: usize| {
            let lists = (self.scope.numbers(index)?)
                .map(|n| n.iter().map(|n| floats(&n.to_floats())).collect::<Vec<_>>());
            Ok::<_, WeightsError>(lists.filter(|lists| lists.iter().any(|list| !list.is_empty())))
        };
        let scales = match node.attribute("scales") {
            Some(attribute) => Some(vec![floats(&attribute.floats); self.sizes.len()]),
            None => lists_at(scale_index)?,
        };
        let sizes = if is_old { None } else { lists_at(3)? };
        let (lists, is_scaled) = match (scales, sizes) {
            (Some(scales), None) => (scales, true),
            (None, Some(sizes)) => (sizes, false),
            _ => return Err(node.refused("has neither scales nor sizes, or both")),
        };
        // Rows and columns at every probe.
        let mut made = Vec::new();
        for (list, lengths) in lists.iter().zip(self.lengths(&x)) {
            let mut sides = lengths.clone();
            for (&side, &value) in chosen.iter().zip(list) {
                sides[side] = if is_scaled {
                    // A scale is a quotient of integers that was rounded to single precision.
                    (lengths[side] as f64 * value + 1e-3).floor() as usize
                } else {
                    value as usize
                };
            }
            let stays =
                |side: usize| [rows, columns].contains(&side) || sides[side] == lengths[side];
            if list.len() != chosen.len() || !(0..axes.len()).all(stays) {
                let what = if is_scaled { "scales by" } else { "resizes to" };
                return Err(node.refused(format!("{what} {}", shown(list))));
            }
            made.push((sides[rows], sides[columns]));
        }
        if is_scaled && equal(lists.iter()).is_some() {
            let scale = [rows, columns].map(|side| {
                chosen
                    .iter()
                    .position(|&chosen| chosen == side)
                    .map_or(1.0, |place| lists[0][place])
            });
            return self.resized(&x, Target::Scale(scale), None);
        }
        self.resized_to(&x, &made)
    }

    /// A map resized to rows and columns that are known at every probe.
    pub fn resized_to(&mut self, x: &MapValue, made: &[(usize, usize)]) -> Result<MapValue> {
        let own = self.sizes_of(x.node);
        // A factor, if it is the same at every probe.
        let scale = |axis: usize| {
            let pick = |size: &(usize, usize)| [size.0, size.1][axis] as f64;
            let scale = pick(made.first()?) / pick(own.first()?);
            made.iter()
                .zip(&own)
                .all(|(made, own)| pick(made) == pick(own) * scale)
                .then_some(scale)
        };
        if let (Some(rows), Some(columns)) = (scale(0), scale(1)) {
            return self.resized(x, Target::Scale([rows, columns]), None);
        }
        if let Some(like) = self.node_of_size(made)? {
            return self.resized(x, Target::Like, Some(like));
        }
        let size = equal(made.iter().copied()).ok_or_else(|| {
            self.scope.of_size(self.refused("resizes to a size that no other map has"))
        })?;
        self.resized(x, Target::Size(size.into()), None)
    }

    /// The last node whose map has these rows and columns at the probes.
    fn node_of_size(&self, sizes: &[(usize, usize)]) -> Result<Option<NodeId>> {
        self.budget().steps(self.shapes.len())?;
        let has = |id: &NodeId| {
            self.shapes[*id]
                .iter()
                .zip(sizes)
                .all(|(shape, size)| (shape.height, shape.width) == *size)
        };
        Ok((0..self.shapes.len()).rev().find(has))
    }

    fn resized(&mut self, x: &MapValue, target: Target, like: Option<NodeId>) -> Result<MapValue> {
        let node = self.scope.node;
        if node.flag("antialias", false) || node.flag("exclude_outside", false) {
            return Err(node.refused("uses antialiasing or exclude_outside"));
        }
        if !matches!(node.text("keep_aspect_ratio_policy", "stretch"), "stretch") {
            return Err(node.refused("uses a keep_aspect_ratio_policy"));
        }
        let is_old = node.op_type == "Upsample" || self.opset < 11;
        let coordinates = match node.text("coordinate_transformation_mode", "half_pixel") {
            _ if is_old => Coordinates::Asymmetric,
            name => {
                let odd = |_| node.refused(format!("finds pixels by {}", shortened(name)));
                name.parse().map_err(odd)?
            }
        };
        let interpolation = match node.text("mode", "nearest") {
            "nearest" => {
                Interpolation::Nearest(match node.text("nearest_mode", "round_prefer_floor") {
                    _ if is_old => Rounding::Floor,
                    name => {
                        let odd = |_| node.refused(format!("rounds by {}", shortened(name)));
                        name.parse().map_err(odd)?
                    }
                })
            }
            "linear" | "bilinear" => Interpolation::Linear,
            "cubic" => Interpolation::Cubic { a: f64::from(node.float("cubic_coeff_a", -0.75)) },
            other => return Err(node.refused(format!("resizes in the mode {}", shortened(other)))),
        };
        if target == Target::Scale([1.0; 2]) && coordinates != Coordinates::TensorflowHalfPixel {
            return Ok(x.clone());
        }
        let resize = Resize { interpolation, coordinates, target };
        let op = if doubles(&resize) { Op::Upsample } else { Op::Resize(resize) };
        let inputs: Vec<NodeId> = std::iter::once(x.node).chain(like).collect();
        Ok(x.moved_to(self.add(op, &inputs)?))
    }
}

/// True if every pixel is read twice in each direction. Testing one length is enough: only aligned corners depend on
/// it. There rounding always returns `x / 2`, while floor and ceil differ at the first pixels.
fn doubles(resize: &Resize) -> bool {
    const LENGTH: usize = 8;
    resize.target == Target::Scale([2.0; 2])
        && matches!(resize.interpolation, Interpolation::Nearest(_))
        && (resize.taps(0, LENGTH, 2 * LENGTH).iter().enumerate())
            .all(|(x, taps)| taps[0].0 == x / 2)
}
