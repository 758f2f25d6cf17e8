//! Sums, and instance norm spelled out in nodes: mean, difference, square, mean, eps, root, quotient,
//! scale and shift, in the spellings that exporters and hand-written layers use.

use super::{
    super::messages::Node, Id, Operation, Value, Walker, WeightsError, refused, unsupported,
};

impl Walker<'_> {
    /// Sums, and the pieces of an instance norm that is spelled out.
    pub(super) fn norm_piece(&mut self, node: &Node<'_>) -> Result<Value, WeightsError> {
        use Operation as Op;
        let map = |index: usize| self.map(node, index).ok();
        let operation_of = |id: Option<Id>| id.and_then(|id| self.operations.get(id)).copied();
        let (a, b) = (map(0), map(1));
        let (x, y) = (operation_of(a), operation_of(b));
        // Sums and products read the same from both sides; constants are looked for in the second.
        let (one, other, constant_at) = if x.is_none() { (y, x, 0) } else { (x, y, 1) };
        let operation = match (node.op_type, one, other) {
            ("Add", Some(_), Some(_)) => match (a, b) {
                (Some(a), Some(b)) if self.maps[a] == self.maps[b] => Op::Add(a.min(b), a.max(b)),
                _ => return Err(unsupported(node)),
            },
            ("Add", Some(Op::Variance(x)), None) => {
                let eps = self.constant(node, constant_at);
                check_eps(node, eps.ok_or_else(|| unsupported(node))?)?;
                Op::Raised(x)
            }
            ("Add", Some(Op::Scaled(input, scale)), None) => Op::Norm {
                input,
                scale,
                shift: self.per_channel(node, constant_at, input)?,
            },
            ("Sub", Some(_), Some(Op::Mean(x))) if constant_at == 1 && a == Some(x) => {
                Op::Centred(x)
            }
            ("Mul", Some(Op::Centred(x)), Some(Op::Centred(y))) if x == y => Op::Square(x),
            ("Mul", Some(Op::Centred(x)), Some(Op::InverseDeviation(y)))
            | ("Mul", Some(Op::InverseDeviation(y)), Some(Op::Centred(x)))
            | ("Div", Some(Op::Centred(x)), Some(Op::Deviation(y)))
                if x == y =>
            {
                Op::Normalised(x)
            }
            ("Mul", Some(Op::Centred(x)), Some(Op::ScaledInverse(y, scale)))
            | ("Mul", Some(Op::ScaledInverse(y, scale)), Some(Op::Centred(x)))
                if x == y =>
            {
                Op::Scaled(x, scale)
            }
            ("Mul", Some(Op::Normalised(x)), None) => {
                Op::Scaled(x, self.per_channel(node, constant_at, x)?)
            }
            ("Mul", Some(Op::InverseDeviation(x)), None) => {
                Op::ScaledInverse(x, self.per_channel(node, constant_at, x)?)
            }
            ("Pow", Some(Op::Centred(x)), None) if self.constant(node, 1) == Some(2.0) => {
                Op::Square(x)
            }
            ("Pow", Some(Op::Raised(x)), None) if self.constant(node, 1) == Some(0.5) => {
                Op::Deviation(x)
            }
            ("Pow", Some(Op::Raised(x)), None) if self.constant(node, 1) == Some(-0.5) => {
                Op::InverseDeviation(x)
            }
            ("Sqrt", Some(Op::Raised(x)), _) => Op::Deviation(x),
            ("Reciprocal", Some(Op::Deviation(x)), _) => Op::InverseDeviation(x),
            ("Div", Some(Op::Deviation(x)), None)
                if constant_at == 0 && self.constant(node, 0) == Some(1.0) =>
            {
                Op::InverseDeviation(x)
            }
            ("ReduceMean", Some(operation), _) if self.over_plane(node)? => self.mean(operation, a),
            ("GlobalAveragePool", Some(operation), _) => self.mean(operation, a),
            _ => return Err(unsupported(node)),
        };
        let like = match operation {
            Op::Add(x, _) => x,
            Op::Norm { input, .. } => input,
            Op::Centred(x) | Op::Square(x) | Op::Normalised(x) | Op::Scaled(x, _) => x,
            Op::Mean(x)
            | Op::Variance(x)
            | Op::Raised(x)
            | Op::Deviation(x)
            | Op::InverseDeviation(x)
            | Op::ScaledInverse(x, _) => {
                let maps = self.maps[x].iter().map(|[c, ..]| [*c, 1, 1]).collect();
                return Ok(Value::Map(self.operation(operation, maps)?));
            }
            _ => return Err(unsupported(node)),
        };
        self.same_size(operation, like)
    }

    /// The mean over the plane of a map; of squares around the mean it is the variance.
    fn mean(&self, of: Operation, id: Option<Id>) -> Operation {
        match (of, id) {
            (Operation::Square(x), _) => Operation::Variance(x),
            (_, Some(id)) => Operation::Mean(id),
            (other, None) => other,
        }
    }

    /// Whether a reduction takes height and width and keeps them as sides of one.
    fn over_plane(&self, node: &Node<'_>) -> Result<bool, WeightsError> {
        let axes = self.ints(node, "axes", 1)?.unwrap_or_default();
        let keeps = node.attribute("keepdims").is_none_or(|a| a.i == 1);
        let takes = |axis: i64| axes.iter().any(|a| [axis, axis - 4].contains(a));
        let others = axes.iter().any(|a| ![2, 3, -2, -1].contains(a));
        Ok(keeps && takes(2) && takes(3) && !others)
    }
}

/// The norm's epsilon is 1e-5 up to its own rounding.
pub(super) fn check_eps(node: &Node<'_>, eps: f32) -> Result<(), WeightsError> {
    if (eps - 1e-5).abs() <= 1e-7 {
        return Ok(());
    }
    Err(refused(format!(
        "{} has epsilon {eps:e}, the network has 1e-5",
        node.label()
    )))
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::{
        super::{
            super::super::Budget,
            super::messages::{Attribute, Graph, Tensor, ValueInfo},
            walk,
        },
        *,
    };

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
        let column = Tensor {
            name: "column",
            dims: vec![4],
            data_type: 6,
            // 1, -1, 1, 1
            int32_data: Cow::Borrowed(&[1, 0xff, 0xff, 0xff, 0xff, 0xf, 1, 1]),
            ..Tensor::default()
        };
        let node = |line: &&'m str| {
            let words: Vec<&'m str> = line.split_whitespace().collect();
            let attribute = Attribute {
                name: "axes",
                ints: vec![2, -1],
                ..Attribute::default()
            };
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
                column,
            ],
            input: vec![value("x")],
            output: vec![value("y")],
        }
    }

    fn result(lines: &[&str]) -> Result<Operation, String> {
        let (graph, budget) = (graph(lines), Budget::for_file(0));
        let walked = walk(&graph, &budget).map_err(|error| error.to_string())?;
        Ok(walked.operations[walked.output])
    }

    const START: [&str; 2] = ["m = ReduceMean x", "d = Sub x m"];

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
            let norm = Operation::Norm {
                input: 0,
                scale: 0,
                shift: 1,
            };
            assert_eq!(result(&lines), Ok(norm), "{spelling:?}");
        }
    }

    #[test]
    fn a_flat_scale_may_be_given_its_shape_in_the_graph() {
        let lines = [
            &START[..],
            &[
                "q = Mul d d",
                "v = ReduceMean q",
                "e = Add v eps",
                "s = Sqrt e",
                "n = Div d s",
                "c = Reshape flat column",
                "g = Mul n c",
                "y = Add g c",
            ],
        ];
        let norm = Operation::Norm {
            input: 0,
            scale: 2,
            shift: 2,
        };
        assert_eq!(result(&lines.concat()), Ok(norm));
    }

    #[test]
    fn what_is_almost_the_norm_is_refused() {
        let rest = ["n = Div d s", "g = Mul n scale", "y = Add g shift"];
        for (middle, reason) in [
            (
                &["q = Mul d d", "v = ReduceMean q", "s = Sqrt v"][..],
                "Sqrt",
            ),
            (
                &[
                    "q = Mul d d",
                    "v = ReduceMean q",
                    "e = Add v large_eps",
                    "s = Sqrt e",
                ],
                "epsilon",
            ),
            (
                &[
                    "q = Mul x x",
                    "v = ReduceMean q",
                    "e = Add v eps",
                    "s = Sqrt e",
                ],
                "Mul",
            ),
            (
                &[
                    "q = Mul d d",
                    "v = ReduceMean q",
                    "r = Sqrt v",
                    "s = Add r eps",
                ],
                "Sqrt",
            ),
        ] {
            let lines = [&START[..], middle, &rest].concat();
            let error = result(&lines).expect_err("another norm");
            assert!(error.contains(reason), "{middle:?}: {error}");
        }
        // A scale without one value per channel would be spread over the plane.
        let lines = [
            &START[..],
            &[
                "q = Mul d d",
                "v = ReduceMean q",
                "e = Add v eps",
                "s = Sqrt e",
            ],
            &["n = Div d s", "g = Mul n flat", "y = Add g shift"],
        ];
        let error = result(&lines.concat()).expect_err("spread over columns");
        assert!(error.contains("flat has shape [3]"), "{error}");
    }
}
