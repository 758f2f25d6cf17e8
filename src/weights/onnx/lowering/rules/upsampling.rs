//! Nearest neighbours at twice the size: `Upsample`, and `Resize` in the modes that take the same pixels.

use std::borrow::Cow;

use crate::graph::Op;

use super::{
    super::super::shown, LoweredNode, Lowering, Node, NodeId, Step, WeightsError, grown, refused,
    shortened,
};

pub(super) fn upsampling(
    graph: &mut Lowering<'_>,
    node: &Node<'_>,
) -> Result<NodeId, WeightsError> {
    let x = graph.map(node, 0)?;
    let wrong = |what: String| Err(refused(format!("{} {what}", node.label())));
    let mode = node.text("mode", "nearest");
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
        let coordinates = node.text("coordinate_transformation_mode", "half_pixel");
        let rounding = node.text("nearest_mode", "round_prefer_floor");
        if !doubles_every_pixel(coordinates, rounding) {
            return wrong(format!(
                "finds the nearest pixel by {} and {}, which gives another picture",
                shortened(coordinates),
                shortened(rounding)
            ));
        }
    }
    let batch = graph.batch as i64;
    let doubled = grown(&graph.maps[x], node, |side| 2 * side)?;
    let index = if is_upsample { 1 } else { 2 };
    let scales: Option<Vec<Cow<'_, [f32]>>> = match node.attribute("scales") {
        Some(attribute) => Some(vec![Cow::Borrowed(attribute.floats.as_slice())]),
        None => graph
            .numbers(node, index)?
            .map(|probes| probes.iter().map(|n| Cow::Owned(n.to_floats())).collect())
            .filter(|scales: &Vec<Cow<'_, [f32]>>| scales.iter().any(|s| !s.is_empty())),
    };
    let sizes = graph.numbers(node, 3)?;
    match (scales, sizes) {
        (Some(scales), None) => {
            if let Some(other) = scales.iter().find(|s| ***s != [1.0, 1.0, 2.0, 2.0]) {
                return wrong(format!("scales by {}, the network by 2", shown(other)));
            }
        }
        (None, Some(sizes)) => {
            for (size, [c, h, w]) in sizes.iter().zip(&doubled) {
                let expected = [batch, *c as i64, *h as i64, *w as i64];
                if size.as_ints() != Some(&expected[..]) {
                    return wrong(format!(
                        "resizes to {}, the network would to {expected:?}",
                        shown(&size.to_floats())
                    ));
                }
            }
        }
        _ => return wrong("has neither scales nor sizes, or both".to_owned()),
    }
    graph.add(LoweredNode::new(Step::Op(Op::Upsample), &[x]), doubled)
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
