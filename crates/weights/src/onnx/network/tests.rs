//! Tests: what exporters write as several nodes is read as one operation.

use std::collections::HashSet;

use super::*;
use crate::onnx::messages::{Attribute, Tensor};
use network::graph::Function;

/// Nodes from a line of `result = Operator input name=1,2`. An input in brackets is a shape, a number is a constant,
/// and a list with a name is an attribute.
fn nodes(line: &str) -> Vec<Node<'_>> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let mut node = Node { output: vec![words[0].into()], op_type: words[2], ..Node::default() };
    let ints = |list: &str| list.split(',').map(|side| side.parse().expect("a side")).collect();
    let mut constants = Vec::new();
    for &word in &words[3..] {
        let mut constant = Attribute::default();
        if let Some((name, list)) = word.split_once('=') {
            let ints: Vec<i64> = ints(list);
            node.attribute.push(Attribute { name, i: ints[0], ints, ..Attribute::default() });
            continue;
        } else if let Some(list) = word.strip_prefix('[') {
            constant.name = "value_ints";
            constant.ints = ints(list.trim_end_matches(']'));
        } else if let Ok(number) = word.parse() {
            (constant.name, constant.f) = ("value_float", number);
        }
        if !constant.name.is_empty() {
            let op_type = "Constant";
            let attribute = vec![constant];
            constants.push(Node {
                output: vec![word.into()],
                op_type,
                attribute,
                ..Node::default()
            });
        }
        node.input.push(word.into());
    }
    constants.push(node);
    constants
}

/// The network from `x` to the result of the last line. `x` is a picture of these sides; 0 is a free side. `scale` and
/// `shift` are per channel, `flat` is a list, `kernel` is of a depthwise convolution.
fn read_lines(lines: &[&str], sides: [i64; 2]) -> Result<PictureNetwork, String> {
    let floats = |name, dims: &[i64], values: [f32; 3]| Tensor {
        name,
        dims: dims.to_vec(),
        data_type: 1,
        float_data: values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        ..Tensor::default()
    };
    let dims = Some(vec![1, 3, sides[0], sides[1]]);
    let mut node: Vec<Node<'_>> = lines.iter().flat_map(|line| nodes(line)).collect();
    let mut seen = HashSet::new();
    node.retain(|node| seen.insert(node.output[0]));
    let result = node.last().map_or("x", |node| node.output[0].text);
    let graph = messages::Graph {
        node,
        initializer: vec![
            floats("scale", &[3, 1, 1], [1.0, 2.0, 3.0]),
            floats("shift", &[3, 1, 1], [4.0, 5.0, 6.0]),
            floats("flat", &[3], [1.0, 2.0, 3.0]),
            floats("kernel", &[3, 1, 1, 1], [1.0, 2.0, 3.0]),
        ],
        input: vec![ValueInfo { name: "x", elem_type: 1, dims }],
        output: vec![ValueInfo { name: result, ..ValueInfo::default() }],
        ..messages::Graph::default()
    };
    let (model, budget) = (messages::Model::default(), Budget::for_file(0));
    read(&model, &graph, &budget).map_err(|error| error.to_string())
}

fn made(lines: &[&str], sides: [i64; 2]) -> Result<Network, String> {
    read_lines(lines, sides).map(|read| read.network)
}

/// The operations on a picture of 4 rows and 6 columns.
fn operations(lines: &[&str]) -> Result<Vec<Op>, String> {
    let network = made(lines, [4, 6])?;
    let ops = network.graph().nodes().iter().map(|node| node.op);
    // The nodes that turn a photo into the network's picture do not come from the lines.
    let is_end =
        |op: &Op| matches!(op, Op::Photo | Op::Sized(_) | Op::AveragePool { .. } | Op::Picture);
    Ok(ops.filter(|op| !is_end(op)).collect())
}

/// The eps, scale and shift of the norm, if the lines are one norm and nothing else.
fn norm(lines: &[&str]) -> Option<(f64, NodeWeights)> {
    let network = made(lines, [0, 0]).unwrap_or_else(|error| panic!("{lines:?}: {error}"));
    match network.graph().nodes() {
        [_, statistics, norm, _] if statistics.op == Op::InstanceStatistics => match norm.op {
            Op::InstanceNorm { eps } => Some((eps, network.weights().of(&norm.name).clone())),
            _ => None,
        },
        _ => None,
    }
}

const CENTRED: [&str; 2] = ["m = ReduceMean x axes=2,-1", "d = Sub x m"];
/// From the difference `d` to the standard deviation `s`.
const DEVIATION: [&str; 4] =
    ["q = Mul d d", "v = ReduceMean q axes=2,3", "e = Add v 0.00001", "s = Sqrt e"];

#[test]
fn all_spellings_of_the_norm_are_the_norm() {
    let own = NodeWeights { weight: vec![1.0, 2.0, 3.0], bias: vec![4.0, 5.0, 6.0] };
    let expected = Some((f64::from(1e-5f32), own));
    let end = ["g = Mul n scale", "y = Add g shift"];
    let spellings: [&[&str]; 7] = [
        &[&DEVIATION[..], &["n = Div d s"], &end].concat(),
        &[&DEVIATION[..], &["i = Div 1 s", "n = Mul d i"], &end].concat(),
        &[&DEVIATION[..], &["n = Div d s", "c = Reshape flat [3,1,1]", "g = Mul n c"], &end[1..]]
            .concat(),
        &[
            "q = Pow d 2",
            "v = GlobalAveragePool q",
            "e = Add 0.00001 v",
            "s = Pow e 0.5",
            "i = Reciprocal s",
            "n = Mul i d",
            "g = Mul scale n",
            "y = Add shift g",
        ],
        &[
            "q = Mul d d",
            "v = ReduceMean q axes=2,3",
            "e = Add v 0.00001",
            "i = Pow e -0.5",
            "a = Mul i scale",
            "g = Mul d a",
            "y = Add g shift",
        ],
        // The mean and the difference are computed twice.
        &[
            "m2 = ReduceMean x axes=2,3",
            "d2 = Sub x m2",
            "q = Mul d d2",
            "v = ReduceMean q axes=2,3",
            "e = Add v 0.00001",
            "s = Sqrt e",
            "n = Div d2 s",
            "g = Mul n scale",
            "y = Add g shift",
        ],
        // Planes are flattened to rows, and a negligible number is added.
        &[
            "p = Reshape x [1,3,1,-1]",
            "w = ReduceMean p axes=3",
            "d3 = Sub x w",
            "t = Add d3 1e-9",
            "q = Mul d3 t",
            "r = Reshape q [1,3,1,-1]",
            "v = ReduceMean r axes=3",
            "e = Add v 0.00001",
            "s = Sqrt e",
            "n = Div d3 s",
            "g = Mul n scale",
            "y = Add g shift",
        ],
    ];
    for spelling in spellings {
        assert_eq!(norm(&[&CENTRED[..], spelling].concat()), expected, "{spelling:?}");
    }
}

#[test]
fn an_almost_equal_pattern_is_not_a_norm() {
    let end = ["n = Div d s", "g = Mul n scale", "y = Add g shift"];
    for middle in [
        &["q = Mul x x", "v = ReduceMean q axes=2,3", "e = Add v 0.00001", "s = Sqrt e"][..],
        &["q = Mul d d", "v = ReduceMean q axes=2,3", "r = Sqrt v", "s = Add r 0.00001"],
        &["t = Add d 2e-9", "q = Mul d t", "v = ReduceMean q axes=2,3", "s = Sqrt v"],
    ] {
        assert_eq!(norm(&[&CENTRED[..], middle, &end].concat()), None, "{middle:?}");
    }
    let shifted = ["i = Reciprocal s", "a = Add i scale", "y = Mul d a"];
    assert_eq!(norm(&[&CENTRED[..], &DEVIATION, &shifted].concat()), None);
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
        // The added numbers are negligible; they only make the copies different for the runtime.
        &[
            "a = Reshape x [72,1]",
            "p = Add a 1e-100",
            "b = Concat a p axis=-1",
            "c = Reshape b [12,12]",
            "q = Add 1e-9 c",
            "d = Concat q c axis=1",
            "y = Reshape d [1,3,8,12]",
        ],
        // Every copy is reshaped separately.
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
        assert_eq!(operations(lines), Ok(vec![Op::Upsample]), "{lines:?}");
    }
    let at_any_size = [
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
        "u = Reshape d t",
        "y = AveragePool u kernel_shape=2,2 strides=2,2",
    ];
    let network = made(&at_any_size, [0, 0]).expect("any size");
    assert_eq!(network.graph().nodes()[1].op, Op::Upsample);
    assert_eq!(network.graph().fixed_size(), None);
}

#[test]
fn an_almost_equal_upsampling_is_refused() {
    let columns = ["a = Reshape x [-1,1]", "b = Concat a a axis=1"];
    let once = "repeats neither every pixel nor every row";
    for (rest, reason) in [
        (&["c = Reshape b [-1,12]", "d = Concat c c axis=0", "y = Reshape d [1,3,8,12]"][..], once),
        (&["c = Concat a a axis=0", "y = Reshape c [1,3,8,6]"], once),
        (&["c = Concat b b axis=1", "y = Reshape c [1,3,8,12]"], "Reshape 'y'"),
        (&["c = Reshape b [-1,6]", "d = Concat c c axis=1"], "Reshape 'c'"),
        (&["y = Reshape b [1,3,4,12]"], "its output"),
        (&["c = Reshape b [1,3,4,12]", "y = MaxPool c kernel_shape=2,2"], "MaxPool 'y'"),
        (&["c = Concat a a a axis=1"], "Concat 'c'"),
        (&["c = Concat a axis=1"], "Concat 'c'"),
        (&["r = Relu x", "s = Reshape r [-1,1]", "c = Concat a s axis=1"], "Concat 'c'"),
        (&["p = Add a 2e-9", "c = Concat a p axis=1"], "Concat 'c'"),
        (&["c = Concat x 0 axis=3"], "Concat 'c'"),
        (&["c = Concat a a axis=2"], "Concat 'c'"),
    ] {
        let lines = [&columns[..], rest].concat();
        let error = operations(&lines).expect_err(rest[0]);
        assert!(error.contains(reason), "{rest:?}: {error}");
    }
}

/// GELU in parts becomes one operation, whichever factor comes first. With another root it stays as it is.
#[test]
fn gelu_in_its_parts_is_one_operation() {
    for (first, last, scale) in [
        ("s = Mul x 0.70710678", &["y = Mul p x"][..], Some(2.0)),
        ("s = Mul x 0.70710678", &["m = Mul x p", "y = Mul m 0.5"], Some(1.0)),
        ("s = Div x 1.4142135", &["m = Mul p x", "y = Mul m 1.5"], Some(3.0)),
        ("s = Mul x 0.7", &["y = Mul p x"], None),
    ] {
        let lines = [&[first, "e = Erf s", "p = Add e 1"][..], last].concat();
        let network = made(&lines, [0, 0]).expect("a network");
        let nodes = network.graph().nodes();
        let place = |op: Op| nodes.iter().position(|node| node.op == op);
        let gelu = place(Op::Function(Function::Gelu));
        let step = gelu.zip(place(Op::Affine)).map(|(_, step)| &nodes[step].name);
        let kept = step.map(|step| network.weights().of(step).weight[0]);
        assert_eq!(kept, scale, "{lines:?}");
        assert_eq!(gelu.is_some(), place(Op::Function(Function::Erf)).is_none(), "{lines:?}");
    }
}

#[test]
fn a_map_that_is_reshaped_and_back_is_itself() {
    for lines in [
        &["y = Reshape x [1,3,4,6]"][..],
        &["y = Reshape x [0,0,-1,0]"],
        &["a = Reshape x [-1]", "y = Reshape a [1,3,4,6]"],
    ] {
        assert_eq!(operations(lines), Ok(Vec::new()), "{lines:?}");
    }
}

#[test]
fn a_network_with_a_step_after_a_convolution_matches_no_model() {
    for (last, may_be_model) in
        [("y = Identity c", true), ("y = Relu c", true), ("y = Mul c 255", false)]
    {
        let read = read_lines(&["c = Conv x kernel group=3", last], [0, 0]).expect("a network");
        assert_eq!(read.may_be_model, may_be_model, "{last}");
    }
}

#[test]
fn a_side_that_is_fixed_alone_may_be_any() {
    for sides in [[0, 6], [4, 0]] {
        let network = made(&["y = Relu x"], sides).expect("a network");
        assert_eq!(network.graph().fixed_size(), None, "{sides:?}");
    }
}
