//! Files with one kind of work, repeated more often than their size allows. Each is refused for the steps or bytes that
//! this work charges, and would not be refused without them; or it is cheap, and refused for something else.

use super::super::{
    FLOAT, Graph, INT8, Message, attribute, call, floats, function, ints, node, none, tensor,
    with_functions,
};

/// Name, the exceeded resource, and the file.
type Costly = (&'static str, &'static str, Vec<u8>);

const STEPS: &str = " steps";
const BYTES: &str = " bytes of memory";
/// Any reason.
const CHEAP: &str = "";

/// Channels of a wide map: the maximum for a graph.
const WIDE: i64 = 4096;

pub fn costly() -> Vec<Costly> {
    [on_weights(), on_wide_maps(), on_pixels(), in_networks(), in_functions()].concat()
}

/// A graph that needs its last value. No model has its operators. What it lacks is missing at all sizes of pictures, so
/// it is read only once.
fn ended(graph: Graph, last: &str) -> Graph {
    graph
        .tensor(&floats("seven", &[7.0]))
        .node("Gelu", &["x"], "own", &[])
        .node("Pow", &["own", "seven"], "power", &[])
        .node("Add", &["power", last], "y", &[])
}

/// `count` nodes, each reading the value before it.
fn chain(
    mut graph: Graph,
    count: usize,
    start: &str,
    step: impl Fn(Graph, &str, &str) -> Graph,
) -> Graph {
    let mut last = start.to_owned();
    for index in 0..count {
        let next = format!("v{index}");
        graph = step(graph, &last, &next);
        last = next;
    }
    ended(graph, &last)
}

/// Operators on a list of weights.
fn on_weights() -> Vec<Costly> {
    let weights = |sides: &[i64]| {
        let count: i64 = sides.iter().product();
        let values = tensor("w", FLOAT, sides).packed_floats(4, &vec![0.5; count as usize]);
        Graph::default().tensor(&values).tensor(&ints("s", sides)).tensor(&ints("a", &[0]))
    };
    let file = |graph: Graph, count, operator: &str, inputs: &[&str], attributes: &[Message]| {
        let step = |graph: Graph, last: &str, next: &str| {
            graph.node(operator, &[&[last], inputs].concat(), next, attributes)
        };
        chain(graph, count, "w", step).file()
    };
    let list = || weights(&[60_000]);
    let deep = || weights(&[1, 1, 1, 1, 1, 1, 1, 20_000]);
    let axis = || [attribute("axis").int(3, 0)];
    [
        ("expanded", BYTES, file(list(), 60, "Expand", &["s"], &[])),
        ("transposed", BYTES, file(list(), 60, "Transpose", &[], &[])),
        ("joined", BYTES, file(list(), 60, "Concat", &[], &axis())),
        ("expanded, deep", STEPS, file(deep(), 40, "Expand", &["s"], &[])),
        ("transposed, deep", STEPS, file(deep(), 40, "Transpose", &[], &[])),
        ("summed, deep", STEPS, file(deep(), 40, "ReduceSum", &["a"], &[])),
        ("joined often", STEPS, file(weights(&[10_000]), 140, "Concat", &[], &axis())),
    ]
    .to_vec()
}

/// The maximum number of channels, by weights that take no space in the file.
fn wide() -> Graph {
    Graph::default()
        .tensor(&floats("half", &[0.5]))
        .tensor(&ints("kernel", &[WIDE, 3, 1, 1]))
        .node("Expand", &["half", "kernel"], "k", &[])
        .node("Conv", &["x", "k"], "wide", &[])
}

/// Operators that need a number for each channel.
fn on_wide_maps() -> Vec<Costly> {
    let scaled = chain(wide(), 750, "wide", |graph, last, next| {
        graph.node("Mul", &[last, "half"], next, &[])
    });
    let halves = wide()
        .tensor(&ints("halves", &[1, 2, WIDE / 2, -1]))
        .tensor(&tensor("by half", FLOAT, &[2, 1, 1]).packed_floats(4, &[0.5, 0.25]))
        .node("Reshape", &["wide", "halves"], "cut", &[]);
    let spread = chain(halves, 300, "cut", |graph, last, next| {
        graph.node("Mul", &[last, "by half"], next, &[])
    });
    // A larger file may take more steps, so that bytes run out first.
    let normed = wide()
        .tensor(&tensor("unused", FLOAT, &[75_000]).packed_floats(4, &[0.5; 75_000]))
        .tensor(&floats("g", &[0.5; WIDE as usize]));
    let normed = chain(normed, 560, "wide", |graph, last, next| {
        graph.node("InstanceNormalization", &[last, "g", "g"], next, &[])
    });
    let bytes =
        [("scaled", scaled), ("normed", normed)].map(|(name, graph)| (name, BYTES, graph.file()));
    let mut files = bytes.to_vec();
    files.push(("spread by channel", STEPS, spread.file()));
    files
}

/// Operators over the pixels of one size.
fn on_pixels() -> Vec<Costly> {
    let subtracted = |count, sides: &[i64; 4]| {
        let values = vec![0.5; sides.iter().product::<i64>() as usize];
        let noise = tensor("noise", FLOAT, &sides[1..]).packed_floats(4, &values);
        let graph = Graph::default().tensor(&noise);
        chain(graph, count, "x", |graph, last, next| graph.node("Sub", &["noise", last], next, &[]))
            .file_of_size(sides)
    };
    let grouped = wide()
        .tensor(&floats("one", &[1.0]))
        .tensor(&ints("all", &[1, 1, -1]))
        .tensor(&ints("whole", &[1, WIDE, 32, 48]));
    let grouped = chain(grouped, 330, "wide", |graph, last, next| {
        let [flat, normed] = ["f", "n"].map(|part| format!("{part}{next}"));
        graph
            .node("Reshape", &[last, "all"], &flat, &[])
            .node("InstanceNormalization", &[&flat, "one", "one"], &normed, &[])
            .node("Reshape", &[&normed, "whole"], next, &[])
    });
    [
        ("constants over pixels", STEPS, subtracted(180, &[1, 3, 32, 48])),
        ("constants over many pixels", BYTES, subtracted(52, &[1, 3, 160, 192])),
        ("norms of all channels", CHEAP, grouped.file_of_size(&[1, 3, 32, 48])),
    ]
    .to_vec()
}

/// Work after a network has been read.
fn in_networks() -> Vec<Costly> {
    let picture = |graph: Graph, last: &str| {
        graph
            .tensor(&ints("to picture", &[3, WIDE, 1, 1]))
            .node("Expand", &["half", "to picture"], "l", &[])
            .node("Conv", &[last, "l"], "painted", &[])
            .node("Gelu", &["painted"], "y", &[])
            .file()
    };
    // One gate of many products, each of which becomes GELU and a step.
    let mut gates = wide()
        .tensor(&floats("root", &[std::f32::consts::FRAC_1_SQRT_2]))
        .tensor(&floats("one", &[1.0]))
        .node("Mul", &["wide", "root"], "scaled", &[])
        .node("Erf", &["scaled"], "erf", &[])
        .node("Add", &["erf", "one"], "gate", &[]);
    let mut sum = "wide".to_owned();
    for index in 0..300 {
        let [product, next] = ["p", "s"].map(|part| format!("{part}{index}"));
        gates = gates.node("Mul", &["wide", "gate"], &product, &[]).node(
            "Add",
            &[&sum, &product],
            &next,
            &[],
        );
        sum = next;
    }
    // Steps after a large kernel, each of which is merged into it.
    let kernel = tensor("w", FLOAT, &[3, 3, 32, 32]).packed_floats(4, &[0.5; 9 * 32 * 32]);
    let pads = attribute("pads").packed_ints(8, &[16, 16, 15, 15]);
    let steps = Graph::default().tensor(&kernel).tensor(&floats("near one", &[0.99])).node(
        "Conv",
        &["x", "w"],
        "c",
        &[pads],
    );
    let mut last = "c".to_owned();
    let mut taken = steps;
    for index in 0..400 {
        let next = format!("v{index}");
        taken = taken.node("Mul", &[&last, "near one"], &next, &[]);
        last = next;
    }
    let taken = taken.node("Gelu", &[&last], "y", &[]).file();
    [
        ("one gate of many products", CHEAP, picture(gates, &sum)),
        ("steps after a large kernel", STEPS, taken),
    ]
    .to_vec()
}

/// Functions that call each other twice, so that a small file means thousands of calls of the last one.
fn in_functions() -> Vec<Costly> {
    let often = |last: Message| {
        const DEPTH: usize = 14;
        let twice = |i: usize| {
            let call = call(&format!("F{}", i + 1), "x", "y");
            function(&format!("F{i}"), &[call.clone(), call])
        };
        let mut functions: Vec<Message> = (0..DEPTH).map(twice).collect();
        functions.push(last.text(1, &format!("F{DEPTH}")).text(10, "local"));
        with_functions(Graph(none().message(1, &call("F0", "x", "y"))).file(), &functions)
    };
    let one = |node: Message| none().message(7, &node);
    let outputs = none().repeated(1000, none().message(12, &none()));
    let branch = node("If", &[], "", &[attribute("then_branch").message(6, &outputs)]);
    let foreign = node("Relu", &[], "", &[]).text(7, &"d".repeat(100_000));
    // Each attribute is one of the call, the last of which has the name.
    let named = |index: usize| none().text(1, &format!("attribute{index}"));
    let references: Vec<Message> =
        (0..300).map(|i| named(i).text(21, &format!("attribute{i}"))).collect();
    let defaults = (0..300).fold(none(), |all, i| all.message(11, &named(i)));
    let referring = one(node("Relu", &[], "", &references)).repeated(1, defaults);
    // Numbers that are stored as varints are copied for each node that reads them.
    let integers = tensor("w", INT8, &[100_000]).bytes(5, &[1; 100_000]);
    let integers = Graph::default().tensor(&integers).tensor(&floats("scale", &[1.0]));
    let mut sum = vec!["x".to_owned()];
    let mut copied = integers;
    for index in 0..500 {
        let name = format!("v{index}");
        copied = copied.node("DequantizeLinear", &["w", "scale"], &name, &[]);
        sum.push(name);
    }
    let sum: Vec<&str> = sum.iter().map(String::as_str).collect();
    let copied = copied.node("Sum", &sum, "y", &[]).file();
    [
        ("inputs of a function", STEPS, often(none().repeated(300, none().text(4, "")))),
        ("outputs of a branch", BYTES, often(one(branch))),
        ("a long domain", STEPS, often(one(foreign))),
        ("attributes that refer to the call's", STEPS, often(referring)),
        ("copied integers", BYTES, copied),
    ]
    .to_vec()
}
