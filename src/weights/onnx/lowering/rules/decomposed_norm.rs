//! Instance norm spelled out in nodes: mean, difference, square, mean, eps, root, quotient, scale and shift, in the
//! spellings that exporters and hand-written layers use. Every node makes a piece of the norm from pieces; the last
//! one makes the norm.

use super::{
    super::lowered::NormPiece as Piece, LoweredNode, Lowering, Node, NodeId, RANK, Step,
    WeightsError, instance_norm, reshaping, unchanged, unsupported,
};

/// Sums with a constant: eps on the variance, the shift, with which the norm is complete, and nothing.
pub(super) fn sum_with_constant(
    graph: &mut Lowering<'_>,
    node: &Node<'_>,
) -> Result<NodeId, WeightsError> {
    match piece_and_constant(graph, node) {
        Some((Piece::Variance(x), constant)) => {
            let eps = graph.constant(node, constant);
            instance_norm::check_eps(node, eps.ok_or_else(|| unsupported(node))?)?;
            add(graph, Piece::Raised(x))
        }
        Some((Piece::Scaled(x, scale), constant)) => {
            let shift = graph.per_channel(node, constant, x)?;
            instance_norm::add(graph, x, scale, shift)
        }
        // As large as the map. What is almost nothing beside these may be much beside a deviation's inverse.
        Some((Piece::Centred(_) | Piece::Square(_) | Piece::Normalised(_), _)) | None => {
            unchanged::sum_with_nothing(graph, node)
        }
        Some(_) => Err(unsupported(node)),
    }
}

pub(super) fn difference(
    graph: &mut Lowering<'_>,
    node: &Node<'_>,
) -> Result<NodeId, WeightsError> {
    match (graph.as_map(node, 0), piece(graph, node, 1)) {
        (Some(a), Some(Piece::Mean(x))) if a == x => add(graph, Piece::Centred(x)),
        _ => Err(unsupported(node)),
    }
}

pub(super) fn product(graph: &mut Lowering<'_>, node: &Node<'_>) -> Result<NodeId, WeightsError> {
    use Piece::{Centred, InverseDeviation, Normalised, Scaled, ScaledInverse, Square};
    let made = match (piece(graph, node, 0), piece(graph, node, 1)) {
        (Some(Centred(x)), Some(Centred(y))) if x == y => Square(x),
        (Some(Centred(x)), Some(InverseDeviation(y)))
        | (Some(InverseDeviation(y)), Some(Centred(x)))
            if x == y =>
        {
            Normalised(x)
        }
        (Some(Centred(x)), Some(ScaledInverse(y, scale)))
        | (Some(ScaledInverse(y, scale)), Some(Centred(x)))
            if x == y =>
        {
            Scaled(x, scale)
        }
        _ => match piece_and_constant(graph, node) {
            Some((Normalised(x), constant)) => Scaled(x, graph.per_channel(node, constant, x)?),
            Some((InverseDeviation(x), constant)) => {
                ScaledInverse(x, graph.per_channel(node, constant, x)?)
            }
            _ => return Err(unsupported(node)),
        },
    };
    add(graph, made)
}

pub(super) fn power(graph: &mut Lowering<'_>, node: &Node<'_>) -> Result<NodeId, WeightsError> {
    let made = match (piece(graph, node, 0), graph.constant(node, 1)) {
        (Some(Piece::Centred(x)), Some(2.0)) => Piece::Square(x),
        (Some(Piece::Raised(x)), Some(0.5)) => Piece::Deviation(x),
        (Some(Piece::Raised(x)), Some(-0.5)) => Piece::InverseDeviation(x),
        _ => return Err(unsupported(node)),
    };
    add(graph, made)
}

pub(super) fn root(graph: &mut Lowering<'_>, node: &Node<'_>) -> Result<NodeId, WeightsError> {
    match piece(graph, node, 0) {
        Some(Piece::Raised(x)) => add(graph, Piece::Deviation(x)),
        _ => Err(unsupported(node)),
    }
}

pub(super) fn inverse(graph: &mut Lowering<'_>, node: &Node<'_>) -> Result<NodeId, WeightsError> {
    match piece(graph, node, 0) {
        Some(Piece::Deviation(x)) => add(graph, Piece::InverseDeviation(x)),
        _ => Err(unsupported(node)),
    }
}

pub(super) fn quotient(graph: &mut Lowering<'_>, node: &Node<'_>) -> Result<NodeId, WeightsError> {
    match (piece(graph, node, 0), piece(graph, node, 1)) {
        (Some(Piece::Centred(x)), Some(Piece::Deviation(y))) if x == y => {
            add(graph, Piece::Normalised(x))
        }
        (None, Some(Piece::Deviation(x))) if graph.constant(node, 0) == Some(1.0) => {
            add(graph, Piece::InverseDeviation(x))
        }
        _ => Err(unsupported(node)),
    }
}

/// The mean over height and width, which are kept as sides of one.
pub(super) fn mean(graph: &mut Lowering<'_>, node: &Node<'_>) -> Result<NodeId, WeightsError> {
    if takes_planes(graph, node, [true; 2])? {
        return global_mean(graph, node);
    }
    Err(unsupported(node))
}

/// The mean over the plane of a map whose planes were given other sides.
pub(super) fn mean_of_reshaped(
    graph: &mut Lowering<'_>,
    node: &Node<'_>,
) -> Result<NodeId, WeightsError> {
    let map = graph.map(node, 0)?;
    let (x, reshaped) = reshaping::origin(graph, map);
    let planes = &graph.maps[map];
    // Not repeated: a mean would stay, but the network has none there.
    let is_planes = reshaped == reshaping::AS_A_MAP
        && planes.iter().zip(&graph.maps[x]).all(|(a, b)| a[0] == b[0]);
    let is_wide = |side: usize| planes.iter().any(|plane| plane[side] != 1);
    if is_planes && takes_planes(graph, node, [is_wide(1), is_wide(2)])? {
        return mean_of(graph, x);
    }
    Err(unsupported(node))
}

/// Whether a mean goes over the two sides of a plane, as far as these are needed, and over no other, and keeps them
/// as sides of one.
fn takes_planes(
    graph: &Lowering<'_>,
    node: &Node<'_>,
    needed: [bool; 2],
) -> Result<bool, WeightsError> {
    let axes = graph.ints(node, "axes", 1)?.unwrap_or_default();
    let keeps = node.attribute("keepdims").is_none_or(|a| a.i == 1);
    let takes = |axis: i64| axes.iter().any(|a| [axis, axis - RANK as i64].contains(a));
    let others = axes.iter().any(|a| ![2, 3, -2, -1].contains(a));
    let all = [2, 3].into_iter().zip(needed);
    Ok(keeps && !axes.is_empty() && !others && all.into_iter().all(|(axis, is)| takes(axis) || !is))
}

/// The mean over the plane of a map; of squares around the mean it is the variance.
pub(super) fn global_mean(
    graph: &mut Lowering<'_>,
    node: &Node<'_>,
) -> Result<NodeId, WeightsError> {
    match graph.as_map(node, 0) {
        Some(x) => mean_of(graph, x),
        None => Err(unsupported(node)),
    }
}

fn mean_of(graph: &mut Lowering<'_>, map: NodeId) -> Result<NodeId, WeightsError> {
    match graph.nodes[map].step {
        Step::NormPiece(Piece::Square(x)) => add(graph, Piece::Variance(x)),
        _ => add(graph, Piece::Mean(map)),
    }
}

/// The piece of a norm at an input.
fn piece(graph: &Lowering<'_>, node: &Node<'_>, index: usize) -> Option<Piece> {
    let id = graph.as_map(node, index)?;
    match graph.nodes[id].step {
        Step::NormPiece(piece) => Some(piece),
        Step::Op(_) | Step::Clip | Step::Reshaped(_) => None,
    }
}

/// A piece of a norm at one input and the other input's index, where no map is: sums and products read the same from
/// both sides.
fn piece_and_constant(graph: &Lowering<'_>, node: &Node<'_>) -> Option<(Piece, usize)> {
    let is_map = |index: usize| graph.as_map(node, index).is_some();
    let (of_norm, constant) = if is_map(0) { (0, 1) } else { (1, 0) };
    (!is_map(constant)).then_some((piece(graph, node, of_norm)?, constant))
}

/// Adds a piece, which is as large as the map that is normed or has one value for each of its channels.
fn add(graph: &mut Lowering<'_>, made: Piece) -> Result<NodeId, WeightsError> {
    let node = LoweredNode::new(Step::NormPiece(made), &[]);
    match made {
        Piece::Centred(x) | Piece::Square(x) | Piece::Normalised(x) | Piece::Scaled(x, _) => {
            graph.add_like(node, x)
        }
        Piece::Mean(x)
        | Piece::Variance(x)
        | Piece::Raised(x)
        | Piece::Deviation(x)
        | Piece::InverseDeviation(x)
        | Piece::ScaledInverse(x, _) => {
            let sizes = graph.of_channels(x);
            graph.add(node, sizes)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::{
        super::super::{
            super::{
                super::Budget,
                messages::{Attribute, Graph, Tensor, ValueInfo},
            },
            TensorId, lower,
        },
        *,
    };
    use crate::graph::Op;

    /// A graph of `x` with 3 channels, from lines of `result = Operator input input`.
    fn graph<'m>(lines: &[&'m str]) -> Graph<'m> {
        let value = |name| ValueInfo { name, kind: None };
        let floats = |name, dims: &[i64], values: &[f32]| Tensor {
            name,
            dims: dims.to_vec(),
            data_type: 1,
            float_data: values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            ..Tensor::default()
        };
        // -1 takes five bytes.
        let shape = |name, varints: &'static [u8]| Tensor {
            name,
            dims: vec![4],
            data_type: 6,
            int32_data: Cow::Borrowed(varints),
            ..Tensor::default()
        };
        let node = |line: &&'m str| {
            let words: Vec<&'m str> = line.split_whitespace().collect();
            let attribute = Attribute { name: "axes", ints: vec![2, -1], ..Attribute::default() };
            let is_reduction = words[2] == "ReduceMean";
            Node {
                output: vec![words[0]],
                op_type: words[2],
                input: words[3..].to_vec(),
                attribute: is_reduction.then_some(attribute).into_iter().collect(),
                ..Node::default()
            }
        };
        Graph {
            node: lines.iter().map(node).collect(),
            initializer: vec![
                floats("scale", &[3, 1, 1], &[1.0, 2.0, 3.0]),
                floats("shift", &[3, 1, 1], &[4.0, 5.0, 6.0]),
                floats("flat", &[3], &[7.0, 8.0, 9.0]),
                floats("eps", &[], &[1e-5]),
                floats("large_eps", &[], &[1e-3]),
                floats("half", &[], &[0.5]),
                floats("minus_half", &[1], &[-0.5]),
                floats("one", &[], &[1.0]),
                floats("two", &[], &[2.0]),
                shape("column", &[1, 0xff, 0xff, 0xff, 0xff, 0xf, 1, 1]),
                shape("row", &[1, 3, 1, 0xff, 0xff, 0xff, 0xff, 0xf]),
                shape("whole", &[1, 1, 1, 0xff, 0xff, 0xff, 0xff, 0xf]),
                floats("nothing", &[], &[0.0]),
            ],
            input: vec![value("x")],
            output: vec![value("y")],
        }
    }

    /// Scale and shift of the norm of `x` that the lines spell.
    fn norm(lines: &[&str]) -> Result<(TensorId, TensorId), String> {
        let (graph, budget) = (graph(lines), Budget::for_file(0));
        let lowered = lower(&graph, &budget).map_err(|error| error.to_string())?;
        let norm = lowered.nodes[lowered.nodes[lowered.output()].inputs[0]];
        assert!(matches!(norm.step, Step::Op(Op::InstanceNorm { .. })));
        let [input, statistics] = norm.inputs;
        let of_picture = LoweredNode::new(Step::Op(Op::InstanceStatistics), &[0]);
        assert_eq!((input, lowered.nodes[statistics]), (0, of_picture));
        Ok((norm.weight.expect("a scale"), norm.bias.expect("a shift")))
    }

    const START: [&str; 2] = ["m = ReduceMean x", "d = Sub x m"];
    /// From the difference `d` to the standard deviation `s`.
    const DEVIATION: [&str; 4] = ["q = Mul d d", "v = ReduceMean q", "e = Add v eps", "s = Sqrt e"];

    #[test]
    fn all_spellings_of_the_norm_are_the_norm() {
        let spellings: [&[&str]; 5] = [
            &[
                "q = Mul d d",
                "v = ReduceMean q",
                "e = Add v eps",
                "s = Sqrt e",
                "n = Div d s",
                "g = Mul n scale",
                "y = Add g shift",
            ],
            &[
                "q = Pow d two",
                "v = GlobalAveragePool q",
                "e = Add eps v",
                "s = Pow e half",
                "i = Reciprocal s",
                "n = Mul i d",
                "g = Mul scale n",
                "y = Add shift g",
            ],
            &[
                "q = Mul d d",
                "v = ReduceMean q",
                "e = Add v eps",
                "i = Pow e minus_half",
                "a = Mul i scale",
                "g = Mul d a",
                "y = Add g shift",
            ],
            &[
                "q = Mul d d",
                "v = ReduceMean q",
                "e = Add v eps",
                "s = Sqrt e",
                "i = Div one s",
                "n = Mul d i",
                "g = Mul n scale",
                "y = Add g shift",
            ],
            // The mean and the difference are computed a second time.
            &[
                "m2 = ReduceMean x",
                "d2 = Sub x m2",
                "q = Mul d d2",
                "v = ReduceMean q",
                "e = Add v eps",
                "s = Sqrt e",
                "n = Div d2 s",
                "g = Mul n scale",
                "y = Add g shift",
            ],
        ];
        for spelling in spellings {
            let lines = [&START[..], spelling].concat();
            assert_eq!(norm(&lines), Ok((0, 1)), "{spelling:?}");
        }
    }

    #[test]
    fn a_flat_scale_may_be_given_its_shape_in_the_graph() {
        let lines = [
            &START[..],
            &DEVIATION,
            &["n = Div d s", "c = Reshape flat column", "g = Mul n c", "y = Add g c"],
        ];
        assert_eq!(norm(&lines.concat()), Ok((2, 2)));
    }

    #[test]
    fn means_may_go_over_planes_that_are_laid_out_in_rows() {
        let spelling = [
            "p = Reshape x row",
            "m = ReduceMean p",
            "d = Sub x m",
            "t = Add d nothing",
            "q = Mul d t",
            "r = Reshape q row",
            "v = ReduceMean r",
            "e = Add v eps",
            "s = Sqrt e",
            "n = Div d s",
            "c = Reshape flat column",
            "g = Mul n c",
            "y = Add g c",
        ];
        assert_eq!(norm(&spelling), Ok((2, 2)));
        let changed = |from: &str, to: &'static str| {
            let line = |line: &&'static str| if *line == from { to } else { *line };
            let lines: Vec<&str> = spelling.iter().map(line).collect();
            norm(&lines).expect_err("another norm")
        };
        for (from, to, message) in [
            (
                "p = Reshape x row",
                "p = Reshape x whole",
                "ReduceMean 'm' is not part of the network",
            ),
            ("r = Reshape q row", "r = Reshape d row", "Add 'e' is not part of the network"),
            (
                "e = Add v eps",
                "e = Add v large_eps",
                "Add 'e' has epsilon 1e-3, the network has 1e-5",
            ),
            ("s = Sqrt e", "s = Add e nothing", "Add 's' is not part of the network"),
            (
                "d = Sub x m",
                "d = Sub p m",
                "Sub 'd' works on a map in another shape than a picture's",
            ),
        ] {
            assert_eq!(changed(from, to), format!("this graph cannot be run: {message}"));
        }
    }

    #[test]
    fn what_is_almost_the_norm_is_refused() {
        let rest = ["n = Div d s", "g = Mul n scale", "y = Add g shift"];
        for (middle, reason) in [
            (&["q = Mul d d", "v = ReduceMean q", "s = Sqrt v"][..], "Sqrt"),
            (&["q = Mul d d", "v = ReduceMean q", "e = Add v large_eps", "s = Sqrt e"], "epsilon"),
            (&["q = Mul x x", "v = ReduceMean q", "e = Add v eps", "s = Sqrt e"], "Mul"),
            (&["q = Mul d d", "v = ReduceMean q", "r = Sqrt v", "s = Add r eps"], "Sqrt"),
        ] {
            let lines = [&START[..], middle, &rest].concat();
            let error = norm(&lines).expect_err("another norm");
            assert!(error.contains(reason), "{middle:?}: {error}");
        }
        // A scale without one value per channel would be spread over the plane.
        let lines = [&START[..], &DEVIATION, &["n = Div d s", "g = Mul n flat", "y = Add g shift"]];
        let error = norm(&lines.concat()).expect_err("spread over columns");
        assert!(error.contains("flat has shape [3]"), "{error}");
    }

    #[test]
    fn of_a_constant_there_is_no_mean_and_no_root() {
        let middle = ["q = Mul d d", "v = ReduceMean q", "e = Add v eps"];
        for (rest, reason) in [
            (&["y = Sqrt scale e"][..], "Sqrt 'y'"),
            (&["s = Sqrt e", "y = Reciprocal scale s"], "Reciprocal 'y'"),
            (&["y = GlobalAveragePool scale d"], "GlobalAveragePool 'y'"),
            (&["y = ReduceMean scale d"], "ReduceMean 'y'"),
        ] {
            let lines = [&START[..], &middle, rest].concat();
            let error = norm(&lines).expect_err("no piece of a norm");
            assert!(error.contains(reason), "{error}");
        }
    }
}
