//! A map joined to itself so that every value or every row follows itself: upsampling as exports spell it for runtimes
//! that have none.

use super::{super::lowered::Reshaped, Lowering, Node, NodeId, WeightsError, refused, reshaping};

pub(super) fn repetition(
    graph: &mut Lowering<'_>,
    node: &Node<'_>,
) -> Result<NodeId, WeightsError> {
    let wrong = |what: &str| Err(refused(format!("{} {what}", node.label())));
    let mut maps = Vec::new();
    for index in 0..node.input.len().min(3) {
        match graph.as_map(node, index) {
            Some(map) => maps.push(map),
            None => {
                return wrong(
                    "joins a map with constants, as zero padding does; the network reflects",
                );
            }
        }
    }
    let map = match *maps.as_slice() {
        [a, b] if a == b => a,
        [a, b, c] if a == b && b == c => {
            return wrong("repeats a map more than twice, the network upsamples by 2");
        }
        _ => return wrong("joins different maps, the network joins none"),
    };
    let mut shapes = graph.sides(map);
    let rank = shapes.first().map_or(0, Vec::len) as i64;
    let axis = match node.attribute("axis").map(|a| a.i) {
        Some(axis) if (0..rank).contains(&axis) => axis as usize,
        Some(axis) if (-rank..0).contains(&axis) => (axis + rank) as usize,
        _ => return wrong("joins maps along none of their sides"),
    };
    let (origin, before) = reshaping::origin(graph, map);
    // What lies behind each other along the axis is repeated in runs of so many values.
    let runs: Option<Vec<usize>> =
        shapes.iter().map(|sides| reshaping::product(&sides[axis..])).collect();
    let repeats = |run: &dyn Fn(usize) -> usize| {
        let needed = graph.maps[origin].iter().map(|[.., width]| run(*width));
        runs.as_ref().is_some_and(|runs| runs.iter().copied().eq(needed))
    };
    let row_factor = if before.columns_doubled { 2 } else { 1 };
    let after = if !before.columns_doubled && repeats(&|_| 1) {
        Reshaped { columns_doubled: true, ..before }
    } else if !before.rows_doubled && repeats(&|width| row_factor * width) {
        Reshaped { rows_doubled: true, ..before }
    } else {
        return wrong("repeats neither every pixel nor every row of a map once");
    };
    for sides in &mut shapes {
        match sides[axis].checked_mul(2) {
            Some(doubled) => sides[axis] = doubled,
            None => return wrong("makes too large a map"),
        }
    }
    reshaping::add(graph, node, origin, after, &shapes)
}

#[cfg(test)]
mod tests {
    use super::{
        super::super::{
            super::{
                super::Budget,
                messages::{
                    Attribute, Dimension, Graph, TensorShape, TensorType, ValueInfo, ValueType,
                },
            },
            LoweredNode, Step, lower,
        },
        *,
    };
    use crate::graph::Op;

    /// Nodes from a line of `result = Operator input axis=1`: an input in brackets is a shape, and a number a constant.
    fn nodes<'m>(line: &'m str) -> Vec<Node<'m>> {
        let made = |output: &'m str, op_type: &'m str| Node {
            output: vec![output],
            op_type,
            ..Node::default()
        };
        let words: Vec<&str> = line.split_whitespace().collect();
        let (mut node, mut constants) = (made(words[0], words[2]), Vec::new());
        for word in &words[3..] {
            if let Some((name, value)) = word.split_once('=') {
                let value = value.parse().expect("a number");
                node.attribute.push(Attribute {
                    name,
                    i: value,
                    ints: vec![value],
                    ..Attribute::default()
                });
                continue;
            }
            let mut constant = Attribute::default();
            if let Some(list) = word.strip_prefix('[') {
                let list = list.trim_end_matches(']').split(',');
                constant.name = "value_ints";
                constant.ints = list.map(|side| side.parse().expect("a side")).collect();
            } else if let Ok(number) = word.parse() {
                (constant.name, constant.f) = ("value_float", number);
            }
            if !constant.name.is_empty() {
                constants.push(Node { attribute: vec![constant], ..made(word, "Constant") });
            }
            node.input.push(word);
        }
        constants.push(node);
        constants
    }

    /// What lines make of a picture of these sides, free where they are 0: all nodes, and the one that is the result.
    fn made(lines: &[&str], batch: i64, sides: [i64; 2]) -> Result<(Vec<Step>, usize), String> {
        let dims = [batch, 3, sides[0], sides[1]].map(|dim_value| Dimension { dim_value });
        let value = |name, kind| ValueInfo { name, kind };
        let picture = ValueType {
            tensor: Some(TensorType {
                elem_type: 1,
                shape: Some(TensorShape { dim: dims.into() }),
            }),
        };
        let mut graph = Graph {
            input: vec![value("x", Some(picture))],
            output: vec![value("y", None)],
            ..Graph::default()
        };
        for node in lines.iter().flat_map(|line| nodes(line)) {
            if graph.node.iter().all(|other| other.output != node.output) {
                graph.node.push(node);
            }
        }
        let budget = Budget::for_file(0);
        let lowered = lower(&graph, &budget).map_err(|error| error.to_string())?;
        let result = lowered.nodes[lowered.output].inputs[0];
        let steps = lowered.nodes.iter().map(|node: &LoweredNode| node.step);
        Ok((steps.collect(), result))
    }

    /// The result of lines on a picture of 4 rows and 6 columns.
    fn result(lines: &[&str]) -> Result<Step, String> {
        made(lines, 1, [4, 6]).map(|(steps, result)| steps[result])
    }

    #[test]
    fn every_spelling_of_nearest_doubling_is_the_upsampling() {
        let spellings: [&[&str]; 6] = [
            &[
                "a = Reshape x [-1,1]",
                "b = Concat a a axis=1",
                "c = Reshape b [-1,12]",
                "d = Concat c c axis=1",
                "y = Reshape d [-1,3,8,12]",
            ],
            // What is added tells the copies apart for the runtime, and is nothing.
            &[
                "a = Reshape x [72,1]",
                "p = Add a 1e-100",
                "b = Concat a p axis=-1",
                "c = Reshape b [12,12]",
                "q = Add 1e-9 c",
                "d = Concat q c axis=1",
                "y = Reshape d [1,3,8,12]",
            ],
            // Every copy is reshaped by itself.
            &[
                "a = Reshape x [-1,1]",
                "p = Reshape x [-1,1]",
                "b = Concat a p axis=1",
                "c = Reshape b [-1,12]",
                "q = Reshape b [-1,12]",
                "d = Concat c q axis=1",
                "y = Reshape d [-1,3,8,12]",
            ],
            // Rows first, along the map's own side.
            &[
                "a = Concat x x axis=3",
                "b = Reshape a [-1,1]",
                "c = Concat b b axis=1",
                "y = Reshape c [1,3,8,12]",
            ],
            // Rows as planes of one row.
            &[
                "a = Reshape x [-1,6,1]",
                "b = Concat a a axis=2",
                "c = Reshape b [1,-1,1,12]",
                "i = Identity c",
                "d = Concat i c axis=2",
                "y = Reshape d [0,3,8,12]",
            ],
            // All in one row.
            &[
                "a = Reshape x [72,1]",
                "b = Concat a a axis=1",
                "f = Reshape b [-1]",
                "c = Reshape f [12,12]",
                "d = Concat c c axis=1",
                "y = Reshape d [1,3,8,12]",
            ],
        ];
        for lines in spellings {
            assert_eq!(result(lines), Ok(Step::Op(Op::Upsample)), "{lines:?}");
        }
    }

    #[test]
    fn what_is_almost_the_upsampling_is_refused_by_its_node() {
        let columns = ["a = Reshape x [-1,1]", "b = Concat a a axis=1"];
        let once = "repeats neither every pixel nor every row of a map once";
        let cases: [(&[&str], &str); 14] = [
            (&["c = Concat b b axis=1"], &format!("Concat 'c' {once}")),
            (&["c = Reshape b [-1,6]", "d = Concat c c axis=1"], &format!("Concat 'd' {once}")),
            (&["c = Reshape b [-1,48]", "d = Concat c c axis=1"], &format!("Concat 'd' {once}")),
            (&["c = Reshape b [-1,12]", "d = Concat c c axis=0"], &format!("Concat 'd' {once}")),
            (
                &["c = Reshape b [-1,12]", "d = Concat c c axis=1", "e = Concat d d axis=1"],
                &format!("Concat 'e' {once}"),
            ),
            (
                &["c = Concat a a a axis=1"],
                "Concat 'c' repeats a map more than twice, the network upsamples by 2",
            ),
            (&["c = Concat a axis=1"], "Concat 'c' joins different maps, the network joins none"),
            (
                &["r = Relu x", "s = Reshape r [-1,1]", "c = Concat a s axis=1"],
                "Concat 'c' joins different maps, the network joins none",
            ),
            (
                &["c = Concat x 0 axis=3"],
                "Concat 'c' joins a map with constants, as zero padding does; the network reflects",
            ),
            (&["c = Concat a a axis=2"], "Concat 'c' joins maps along none of their sides"),
            (&["c = Concat a a"], "Concat 'c' joins maps along none of their sides"),
            (
                &["c = Add a 2e-9"],
                "Add 'c' adds 0.000000002 to every value, the network adds nothing",
            ),
            (&["c = Add a x"], "Add 'c' is not part of the network"),
            (&["c = Relu a"], "Relu 'c' works on a map in another shape than a picture's"),
        ];
        for (lines, message) in cases {
            let last = lines.last().and_then(|line| line.chars().next());
            let result_of = format!("y = Identity {}", last.expect("a name"));
            let lines = [&columns[..], lines, &[result_of.as_str()]].concat();
            let error = result(&lines).expect_err("another network");
            assert_eq!(error, format!("this graph cannot be run: {message}"), "{lines:?}");
        }
    }

    #[test]
    fn only_the_doubled_map_itself_comes_out_of_doubled_rows() {
        let doubled = [
            "a = Reshape x [-1,1]",
            "b = Concat a a axis=1",
            "c = Reshape b [-1,12]",
            "d = Concat c c axis=1",
        ];
        for last in [
            "y = Reshape d [1,3,12,8]",
            "y = Reshape d [1,12,4,6]",
            "y = Reshape d [1,3,4,24]",
            "y = Reshape d [3,8,12]",
            "y = Identity d",
        ] {
            let step = result(&[&doubled[..], &[last]].concat());
            assert!(matches!(step, Ok(Step::Reshaped(_))), "{last}: {step:?}");
        }
        // Neither half is enough.
        for half in [
            &["y = Concat x x axis=3"][..],
            &["a = Concat x x axis=3", "y = Reshape a [1,3,8,6]"],
            &["a = Reshape x [-1,1]", "b = Concat a a axis=1", "y = Reshape b [1,3,4,12]"],
        ] {
            assert!(matches!(result(half), Ok(Step::Reshaped(_))), "{half:?}");
        }
    }

    #[test]
    fn a_map_that_is_reshaped_and_back_is_itself() {
        for lines in [
            &["y = Reshape x [1,3,4,6]"][..],
            &["y = Reshape x [0,0,-1,0]"],
            &["a = Reshape x [-1]", "y = Reshape a [1,3,4,6]"],
            &["a = Reshape x [4,6,3]", "y = Reshape a [-1,3,4,6]"],
        ] {
            let (_, result) = made(lines, 1, [4, 6]).expect("a map");
            assert_eq!(result, 0, "{lines:?}");
        }
    }

    #[test]
    fn shapes_that_do_not_fit_are_refused() {
        let picture = "Reshape 'y' gives a map with the sides [1, 3, 4, 6] the shape";
        for (line, message) in [
            ("y = Reshape x [-1,5]", format!("{picture} [-1, 5]")),
            ("y = Reshape x [-2,6]", format!("{picture} [-2, 6]")),
            ("y = Reshape x [1,1,3,4,6]", format!("{picture} [1, 1, 3, 4, 6]")),
            ("y = Reshape x [1,3,4,6] allowzero=1", String::new()),
            ("y = Reshape x [0,3,4,6] allowzero=1", format!("{picture} [0, 3, 4, 6]")),
            (
                "y = Reshape x [2,-1,2,3]",
                "Reshape 'y' makes of a map one with the sides [2, 6, 2, 3]".to_owned(),
            ),
        ] {
            let error = result(&[line]).err().unwrap_or_default();
            let expected = match message.as_str() {
                "" => String::new(),
                message => format!("this graph cannot be run: {message}"),
            };
            assert_eq!(error, expected, "{line}");
        }
        let error = made(&["y = Reshape x [-1,1]"], 2, [4, 6]).expect_err("two pictures");
        assert!(error.contains("a batch of 2 pictures"), "{error}");
        // Sizes in the nodes of a file whose picture has any size.
        let error = made(&["y = Reshape x [1,3,4,6]"], 1, [0, 0]).expect_err("one size");
        assert!(error.contains("Reshape 'y' gives a map"), "{error}");
    }

    #[test]
    fn shapes_of_one_map_are_told_apart() {
        let lines = [
            "a = Reshape x [-1,1]",
            "b = Reshape x [-1,6]",
            "c = Concat a b axis=1",
            "y = Identity c",
        ];
        let error = result(&lines).expect_err("other shapes");
        assert!(error.contains("joins different maps"), "{error}");
    }

    #[test]
    fn maps_of_any_size_are_doubled_at_their_own() {
        let lines = [
            "a = Reshape x [-1,1]",
            "b = Concat a a axis=1",
            "s = Shape x",
            "w = Gather s [3]",
            "v = Mul w [2]",
            "r = Concat [-1] v axis=0",
            "c = Reshape b r",
            "d = Concat c c axis=1",
            "h = Gather s [2]",
            "g = Mul h [2]",
            "t = Concat [1,3] g v axis=0",
            "y = Reshape d t",
        ];
        let (steps, result) = made(&lines, 1, [0, 0]).expect("any size");
        assert_eq!(steps[result], Step::Op(Op::Upsample));
    }
}
