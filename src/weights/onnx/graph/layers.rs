//! The layers that a picture goes through, one node each.

use super::{
    super::messages::Node, Cow, Id, MAX_SIDE_PX, Map, Operation, Value, Walker, WeightsError,
    norm::check_eps, refused, shortened, shown,
};

impl<'m> Walker<'m> {
    /// A node that the picture goes through.
    pub(super) fn node_on_map(&mut self, node: &'m Node<'_>) -> Result<Value, WeightsError> {
        match node.op_type {
            "Identity" | "Dropout" => Ok(Value::Map(self.map(node, 0)?)),
            "Cast" => match node.attribute("to").map(|a| a.i) {
                // FLOAT, FLOAT16, DOUBLE, BFLOAT16
                Some(1 | 10 | 11 | 16) => Ok(Value::Map(self.map(node, 0)?)),
                _ => Err(refused(format!("{} rounds the picture", node.label()))),
            },
            "Relu" => {
                let x = self.map(node, 0)?;
                self.same_size(Operation::Relu(x), x)
            }
            "Pad" => self.pad(node),
            "Conv" => self.conv(node),
            "InstanceNormalization" => self.norm(node),
            "Upsample" | "Resize" => self.upsample(node),
            "Clip" => self.clip(node),
            _ => self.norm_piece(node),
        }
    }

    fn pad(&mut self, node: &Node<'_>) -> Result<Value, WeightsError> {
        let x = self.map(node, 0)?;
        match text(node, "mode", "constant") {
            "reflect" => {}
            "constant" => {
                return Err(refused(format!(
                    "{} pads with a constant (zero padding), the network reflects",
                    node.label()
                )));
            }
            other => {
                return Err(refused(format!(
                    "{} pads in mode {}, the network reflects",
                    node.label(),
                    shortened(other)
                )));
            }
        }
        let pads = self.ints(node, "pads", 1)?;
        let axes = self.fixed_numbers(node, 3)?;
        let axes = axes
            .as_ref()
            .map_or(Some(&[0, 1, 2, 3][..]), |n| n.as_ints());
        let spatial = match (pads.as_deref(), axes) {
            (Some([0, 0, top, left, 0, 0, bottom, right]), Some([0, 1, 2, 3]))
            | (Some([top, left, bottom, right]), Some([2, 3] | [-2, -1])) => {
                Some([*top, *left, *bottom, *right])
            }
            _ => None,
        };
        let amount = spatial
            .filter(|sides| sides.iter().all(|side| *side == sides[0]))
            .and_then(|sides| usize::try_from(sides[0]).ok())
            .filter(|amount| *amount < 1 << 16)
            .ok_or_else(|| {
                refused(format!(
                    "{} pads by {}, the network pads all four sides alike",
                    node.label(),
                    shown(pads.as_deref().unwrap_or_default())
                ))
            })?;
        if amount == 0 {
            return Ok(Value::Map(x));
        }
        let maps = self.grown(node, x, |side| side + 2 * amount)?;
        Ok(Value::Map(self.operation(Operation::Pad(x, amount), maps)?))
    }

    /// The sizes of a map with longer sides. A long chain of these must not run out of numbers.
    fn grown(
        &self,
        node: &Node<'_>,
        map: Id,
        side: impl Fn(usize) -> usize,
    ) -> Result<Vec<Map>, WeightsError> {
        let larger = |[c, h, w]: &Map| {
            let fits = h.max(w) <= &MAX_SIDE_PX;
            let problem = || refused(format!("{} makes too large a map", node.label()));
            fits.then(|| [*c, side(*h), side(*w)]).ok_or_else(problem)
        };
        self.maps[map].iter().map(larger).collect()
    }

    fn conv(&mut self, node: &Node<'_>) -> Result<Value, WeightsError> {
        let x = self.map(node, 0)?;
        let (weight, shape) = self.weight(node, 1)?;
        let list = |name: &str| node.attribute(name).map_or(&[][..], |a| &a.ints);
        let wrong = |what: String| Err(refused(format!("{} {what}", node.label())));
        if !matches!(text(node, "auto_pad", "NOTSET"), "NOTSET" | "VALID")
            || list("pads").iter().any(|pad| *pad != 0)
        {
            return wrong(
                "pads with zeros inside the convolution, the network reflects".to_owned(),
            );
        }
        if list("dilations").iter().any(|d| *d != 1) {
            return wrong(format!(
                "has dilations {}, the network has none",
                shown(list("dilations"))
            ));
        }
        if node.attribute("group").is_some_and(|a| a.i != 1) {
            return wrong("is grouped, the network's convolutions are not".to_owned());
        }
        let stride = match list("strides") {
            [] => 1,
            [a, b] if a == b && (1..=2).contains(a) => *a as usize,
            other => return wrong(format!("has strides {}", shown(other))),
        };
        let [out, inputs, height, width] = *shape else {
            return Err(self.wrong_shape(node, "[out, in, side, side]".to_owned()));
        };
        if inputs != self.channels(x) || height != width || height == 0 {
            let needed = format!("[out, {}, side, side]", self.channels(x));
            return Err(self.wrong_shape(node, needed));
        }
        let mut maps = Vec::new();
        for [_, h, w] in &self.maps[x] {
            let side = |s: usize| Some(s.checked_sub(height)? / stride + 1);
            let (Some(h), Some(w)) = (side(*h), side(*w)) else {
                return wrong("has a kernel larger than its map".to_owned());
            };
            maps.push([out, h, w]);
        }
        let bias = match node.input(2) {
            Some(_) => Some(self.weight(node, 2)?.0),
            None => None,
        };
        let conv = Operation::Conv {
            input: x,
            weight,
            bias,
            stride,
        };
        Ok(Value::Map(self.operation(conv, maps)?))
    }

    /// The weight of a convolution has a shape that does not fit.
    fn wrong_shape(&self, node: &Node<'_>, needed: String) -> WeightsError {
        let got = self.weight(node, 1).map(|(_, shape)| shape.to_vec());
        WeightsError::Shape {
            key: shortened(node.input(1).unwrap_or_default()),
            got: got.unwrap_or_default(),
            needed,
        }
    }

    fn norm(&mut self, node: &Node<'_>) -> Result<Value, WeightsError> {
        let input = self.map(node, 0)?;
        check_eps(node, node.attribute("epsilon").map_or(1e-5, |a| a.f))?;
        let scale = self.per_channel(node, 1, input)?;
        let shift = self.per_channel(node, 2, input)?;
        let norm = Operation::Norm {
            input,
            scale,
            shift,
        };
        self.same_size(norm, input)
    }

    fn upsample(&mut self, node: &Node<'_>) -> Result<Value, WeightsError> {
        let x = self.map(node, 0)?;
        let wrong = |what: String| Err(refused(format!("{} {what}", node.label())));
        let mode = text(node, "mode", "nearest");
        if mode != "nearest" {
            return wrong(format!(
                "upsamples in mode {}, the network takes the nearest pixel",
                shortened(mode)
            ));
        }
        if node.attribute("axes").is_some() {
            return wrong("resizes chosen axes, which is not supported".to_owned());
        }
        // Resize has a region of interest in front of its scales since opset 11.
        let is_upsample = node.op_type == "Upsample" || node.input.len() <= 2;
        if !is_upsample {
            let coordinates = text(node, "coordinate_transformation_mode", "half_pixel");
            let rounding = text(node, "nearest_mode", "round_prefer_floor");
            if !doubles_every_pixel(coordinates, rounding) {
                return wrong(format!(
                    "finds the nearest pixel by {} and {}, which gives another picture",
                    shortened(coordinates),
                    shortened(rounding)
                ));
            }
        }
        let batch = self.batch as i64;
        let doubled = self.grown(node, x, |side| 2 * side)?;
        let index = if is_upsample { 1 } else { 2 };
        let scales: Option<Vec<Cow<'_, [f32]>>> = match node.attribute("scales") {
            Some(attribute) => Some(vec![Cow::Borrowed(attribute.floats.as_slice())]),
            None => self
                .numbers(node, index)?
                .map(|probes| probes.iter().map(|n| Cow::Owned(n.to_floats())).collect())
                .filter(|scales: &Vec<Cow<'_, [f32]>>| scales.iter().any(|s| !s.is_empty())),
        };
        let sizes = self.numbers(node, 3)?;
        match (scales, sizes) {
            (Some(scales), None) => {
                if let Some(other) = scales.iter().find(|s| ***s != [1.0, 1.0, 2.0, 2.0]) {
                    return wrong(format!("scales by {}, the network by 2", shown(other)));
                }
            }
            (None, Some(sizes)) => {
                for (size, [c, h, w]) in sizes.iter().zip(&doubled) {
                    let wanted = [batch, *c as i64, *h as i64, *w as i64];
                    if size.as_ints() != Some(&wanted[..]) {
                        return wrong(format!(
                            "resizes to {}, the network would to {wanted:?}",
                            shown(&size.to_floats())
                        ));
                    }
                }
            }
            _ => return wrong("has neither scales nor sizes, or both".to_owned()),
        }
        Ok(Value::Map(self.operation(Operation::Upsample(x), doubled)?))
    }

    fn clip(&mut self, node: &Node<'_>) -> Result<Value, WeightsError> {
        let x = self.map(node, 0)?;
        let bound = |name: &str, index: usize| match node.attribute(name) {
            Some(attribute) => Some(attribute.f),
            None => self.constant(node, index),
        };
        if (bound("min", 1), bound("max", 2)) != (Some(0.0), Some(255.0)) {
            return Err(refused(format!(
                "{} clips, but not to 0..255",
                node.label()
            )));
        }
        self.same_size(Operation::Clip(x), x)
    }
}

/// A text attribute, or what its absence means.
fn text<'a>(node: &Node<'a>, name: &str, absent: &'a str) -> &'a str {
    node.attribute(name)
        .map_or(absent, |a| std::str::from_utf8(a.s).unwrap_or("unreadable"))
}

/// Whether doubling a row this way gives every pixel twice, whatever the mode is called. One length
/// speaks for all: only `align_corners` depends on it, and there rounding always gives `x / 2`,
/// while `floor` and `ceil` miss at the first pixels.
fn doubles_every_pixel(coordinates: &str, rounding: &str) -> bool {
    const LENGTH: usize = 8;
    (0..2 * LENGTH).all(|x| {
        let position = x as f64;
        let source = match coordinates {
            "asymmetric" => position / 2.0,
            "half_pixel" | "pytorch_half_pixel" | "half_pixel_symmetric" => {
                (position + 0.5) / 2.0 - 0.5
            }
            "tf_half_pixel_for_nn" => (position + 0.5) / 2.0,
            "align_corners" => position * (LENGTH - 1) as f64 / (2 * LENGTH - 1) as f64,
            _ => return false,
        };
        let nearest = match rounding {
            "floor" => source.floor(),
            "ceil" => source.ceil(),
            "round_prefer_floor" => (source - 0.5).ceil(),
            "round_prefer_ceil" => (source + 0.5).floor(),
            _ => return false,
        };
        nearest.clamp(0.0, (LENGTH - 1) as f64) == (x / 2) as f64
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_judged_by_the_pixels_they_take() {
        for (coordinates, rounding, same) in [
            ("asymmetric", "floor", true),
            ("asymmetric", "round_prefer_floor", true),
            ("asymmetric", "round_prefer_ceil", false),
            ("asymmetric", "ceil", false),
            ("half_pixel", "round_prefer_floor", true),
            ("half_pixel", "round_prefer_ceil", true),
            ("pytorch_half_pixel", "floor", false),
            ("tf_half_pixel_for_nn", "floor", true),
            ("align_corners", "round_prefer_floor", true),
            ("align_corners", "floor", false),
            ("tf_crop_and_resize", "floor", false),
        ] {
            let doubles = doubles_every_pixel(coordinates, rounding);
            assert_eq!(doubles, same, "{coordinates}, {rounding}");
        }
    }
}
