//! Operators that change the number of rows and columns.

use super::{Axis, MapValue, NodeId, Reader};
use crate::{
    graph::{
        Op,
        resize::{Coordinates, Interpolation, Resize, Rounding, Target},
    },
    weights::{
        WeightsError,
        error::shortened,
        onnx::{messages::Node, refused, shown},
    },
};

pub(super) fn resize<'m>(
    reader: &mut Reader<'m>,
    node: &'m Node<'m>,
) -> Result<Vec<MapValue>, WeightsError> {
    let x = reader.map(node, 0)?;
    let wrong = |what: String| refused(format!("{} {what}", node.label()));
    let axes: Vec<Axis> = (0..x.layout.sides.len()).map(|side| x.layout.axis(side)).collect();
    let position = |axis: Axis| axes.iter().position(|&own| own == axis);
    let (Some(rows), Some(columns)) = (position(Axis::Rows), position(Axis::Columns)) else {
        return Err(wrong("resizes something other than rows and columns".to_owned()));
    };
    // Since opset 11, Resize has a region of interest before its scales.
    let is_old = node.op_type == "Upsample" || reader.opset < 11;
    let scale_index = if is_old { 1 } else { 2 };
    let chosen = match node.attribute("axes") {
        Some(attribute) => {
            let sides: Option<Vec<usize>> =
                attribute.ints.iter().map(|&a| x.layout.side(a)).collect();
            sides.ok_or_else(|| wrong("resizes odd axes".to_owned()))?
        }
        None => (0..axes.len()).collect(),
    };
    let at = |list: &[f64], side: usize| {
        let place = chosen.iter().position(|&chosen| chosen == side);
        place.and_then(|place| list.get(place).copied())
    };
    let others_stay = |list: &[f64], stays: &dyn Fn(usize) -> f64| {
        list.len() == chosen.len()
            && (0..axes.len())
                .filter(|&side| side != rows && side != columns)
                .all(|side| at(list, side).is_none_or(|value| value == stays(side)))
    };
    let scales = match node.attribute("scales") {
        Some(attribute) => Some(vec![attribute.floats.clone()]),
        None => reader
            .scope
            .numbers(node, scale_index)?
            .map(|probes| probes.iter().map(|n| n.to_floats()).collect::<Vec<_>>())
            .filter(|scales| scales.iter().any(|s| !s.is_empty())),
    };
    let sizes = if is_old { None } else { reader.scope.numbers(node, 3)? };
    let lengths = reader.lengths(&x);
    let target = match (scales, sizes) {
        (Some(scales), None) => {
            let first: Vec<f64> = scales[0].iter().map(|&s| f64::from(s)).collect();
            if scales.iter().all(|s| *s == scales[0]) {
                if !others_stay(&first, &|_| 1.0) {
                    return Err(wrong(format!("scales by {}", shown(&scales[0]))));
                }
                Target::Scale([rows, columns].map(|side| at(&first, side).unwrap_or(1.0)))
            } else {
                // The factors depend on sizes, so compute rows and columns at every probe.
                let mut made = Vec::new();
                for (scales, lengths) in scales.iter().zip(&lengths) {
                    let scales: Vec<f64> = scales.iter().map(|&s| f64::from(s)).collect();
                    if !others_stay(&scales, &|_| 1.0) {
                        return Err(wrong("scales by odd factors".to_owned()));
                    }
                    let side = |side: usize| {
                        let scale = at(&scales, side).unwrap_or(1.0);
                        // The factor is a quotient of integers that was rounded to single precision.
                        (lengths[side] as f64 * scale + 1e-3).floor() as usize
                    };
                    made.push((side(rows), side(columns)));
                }
                return reader.resized_to(node, &x, &made);
            }
        }
        (None, Some(sizes)) => {
            let mut made = Vec::new();
            for (sizes, lengths) in sizes.iter().zip(&lengths) {
                let sizes: Vec<f64> = sizes.to_floats().iter().map(|&s| f64::from(s)).collect();
                if !others_stay(&sizes, &|side| lengths[side] as f64) {
                    return Err(wrong(format!("resizes to {}", shown(&sizes))));
                }
                let side = |side: usize| at(&sizes, side).unwrap_or(lengths[side] as f64) as usize;
                made.push((side(rows), side(columns)));
            }
            return reader.resized_to(node, &x, &made);
        }
        _ => return Err(wrong("has neither scales nor sizes, or both".to_owned())),
    };
    reader.resized(node, &x, target, None).map(|map| vec![map])
}

impl Reader<'_> {
    /// A map resized to rows and columns that are known at every probe.
    fn resized_to(
        &mut self,
        node: &Node<'_>,
        x: &MapValue,
        made: &[(usize, usize)],
    ) -> Result<Vec<MapValue>, WeightsError> {
        let own = self.sizes_of(x.node);
        // A factor, if it is the same at every probe.
        let scale = |axis: usize| {
            let pick = |size: &(usize, usize)| [size.0, size.1][axis] as f64;
            let scale = pick(made.first()?) / pick(own.first()?);
            let is_exact = made.iter().zip(&own).all(|(made, own)| pick(made) == pick(own) * scale);
            is_exact.then_some(scale)
        };
        let target = match (scale(0), scale(1)) {
            (Some(rows), Some(columns)) => (Target::Scale([rows, columns]), None),
            _ => match self.node_of_size(made)? {
                Some(like) => (Target::Like, Some(like)),
                None if made.iter().all(|size| *size == made[0]) => {
                    (Target::Size([made[0].0, made[0].1]), None)
                }
                None => {
                    return Err(self.scope.of_size(refused(format!(
                        "{} resizes to a size that no other map has",
                        node.label()
                    ))));
                }
            },
        };
        self.resized(node, x, target.0, target.1).map(|map| vec![map])
    }

    /// The last node whose map has these rows and columns at the probes.
    fn node_of_size(&self, sizes: &[(usize, usize)]) -> Result<Option<NodeId>, WeightsError> {
        self.budget().steps(self.shapes.len())?;
        let has = |id: &NodeId| {
            let own = &self.shapes[*id];
            own.iter().zip(sizes).all(|(shape, size)| (shape.height, shape.width) == *size)
        };
        Ok((0..self.shapes.len()).rev().find(has))
    }

    fn resized(
        &mut self,
        node: &Node<'_>,
        x: &MapValue,
        target: Target,
        like: Option<NodeId>,
    ) -> Result<MapValue, WeightsError> {
        let wrong = |what: String| refused(format!("{} {what}", node.label()));
        let has = |name: &str| node.attribute(name).is_some_and(|a| a.i != 0);
        if has("antialias") || has("exclude_outside") {
            return Err(wrong("uses antialiasing or exclude_outside".to_owned()));
        }
        if !matches!(node.text("keep_aspect_ratio_policy", "stretch"), "stretch") {
            return Err(wrong("uses a keep_aspect_ratio_policy".to_owned()));
        }
        let is_old = node.op_type == "Upsample" || self.opset < 11;
        let coordinates = match (is_old, node.text("coordinate_transformation_mode", "half_pixel"))
        {
            (true, _) | (_, "asymmetric") => Coordinates::Asymmetric,
            (_, "half_pixel") => Coordinates::HalfPixel,
            (_, "pytorch_half_pixel") => Coordinates::PytorchHalfPixel,
            (_, "half_pixel_symmetric") => Coordinates::HalfPixelSymmetric,
            (_, "tf_half_pixel_for_nn") => Coordinates::TensorflowHalfPixel,
            (_, "align_corners") => Coordinates::AlignCorners,
            (_, other) => return Err(wrong(format!("finds pixels by {}", shortened(other)))),
        };
        let interpolation = match node.text("mode", "nearest") {
            "nearest" => Interpolation::Nearest(
                match (is_old, node.text("nearest_mode", "round_prefer_floor")) {
                    (true, _) | (_, "floor") => Rounding::Floor,
                    (_, "ceil") => Rounding::Ceil,
                    (_, "round_prefer_floor") => Rounding::PreferFloor,
                    (_, "round_prefer_ceil") => Rounding::PreferCeil,
                    (_, other) => return Err(wrong(format!("rounds by {}", shortened(other)))),
                },
            ),
            "linear" | "bilinear" => Interpolation::Linear,
            "cubic" => Interpolation::Cubic {
                a: f64::from(node.attribute("cubic_coeff_a").map_or(-0.75, |a| a.f)),
            },
            other => return Err(wrong(format!("resizes in the mode {}", shortened(other)))),
        };
        if target == Target::Scale([1.0; 2]) && coordinates != Coordinates::TensorflowHalfPixel {
            return Ok(x.clone());
        }
        let resize = Resize { interpolation, coordinates, target };
        let op = if doubles(&resize) { Op::Upsample } else { Op::Resize(resize) };
        let inputs: Vec<NodeId> = std::iter::once(x.node).chain(like).collect();
        let id = self.add(op, &inputs, None)?;
        Ok(x.moved_to(id))
    }
}

/// Whether every pixel is read twice in each direction. Testing one length is enough: only aligned corners depend on
/// it. There rounding always returns `x / 2`, while floor and ceil differ at the first pixels.
fn doubles(resize: &Resize) -> bool {
    const LENGTH: usize = 8;
    let is_nearest = matches!(resize.interpolation, Interpolation::Nearest(_));
    let taps = || resize.taps(0, LENGTH, 2 * LENGTH);
    resize.target == Target::Scale([2.0; 2])
        && is_nearest
        && taps().iter().enumerate().all(|(x, taps)| taps[0].0 == x / 2)
}
