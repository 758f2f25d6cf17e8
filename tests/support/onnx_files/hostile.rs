//! Small files that request much work.

mod costly;
mod messages;
mod reshaped;

use super::{
    FLOAT, FLOAT16, Graph, INT32, INT64, Message, attribute, call, floats, function, ints, model,
    network::network, node, none, tensor, with_functions,
};
pub use costly::costly;
use messages::many_messages;
use reshaped::{chains, wide_shapes};

/// Files that request much more work than their size allows, by name; every kind in several sizes. They are made
/// lazily, because all of them together are large.
pub fn hostile() -> impl Iterator<Item = (String, Vec<u8>)> {
    let wide = [0, 6, 20, 29, 34, 50, 58].into_iter().flat_map(|exponent| {
        let files = [empty_but_wide(1 << exponent), wide_shapes(1 << exponent)].concat();
        named(files, format!("2^{exponent}"))
    });
    let lists = [9, 65, 1000, 60_000, 1_000_000]
        .into_iter()
        .flat_map(|count| named(long_lists(count), format!("{count} numbers")));
    let messages = [3, 1000, 30_000, 300_000]
        .into_iter()
        .flat_map(|count| named(many_messages(count), format!("{count} times")));
    let chained = [3, 1000, 10_000]
        .into_iter()
        .flat_map(|count| named(chains(count), format!("{count} nodes")));
    let texts = [100, 3000, 1_000_000]
        .into_iter()
        .flat_map(|length| named(long_texts(length), format!("{length} characters")));
    let shared =
        [(2, 1), (30, 32), (300, 32), (1000, 32)].into_iter().flat_map(|(channels, blocks)| {
            let size = format!("{channels} channels, {blocks} blocks");
            named(shared_weights(channels, blocks), size)
        });
    let recent = [3, 1000, 30_000]
        .into_iter()
        .flat_map(|count| named(recent(count), format!("{count} parts")));
    wide.chain(lists).chain(messages).chain(chained).chain(recent).chain(texts).chain(shared)
}

fn named(files: Vec<(String, Vec<u8>)>, size: String) -> impl Iterator<Item = (String, Vec<u8>)> {
    files.into_iter().map(move |(name, file)| (format!("{name}, {size}"), file))
}

/// What recent exporters write, `count` times: functions, quantised operators, branches, tensors in other files.
fn recent(count: usize) -> Vec<(String, Vec<u8>)> {
    let calls = |count: usize, function: &str| {
        let inner = none().repeated(count, none().message(1, &call(function, "x", "v")));
        Graph(inner.message(1, &call(function, "x", "y"))).file()
    };
    let relus: Vec<Message> = (0..count).map(|_| node("Relu", &["x"], "", &[])).collect();
    let longest = function("F", &[relus, vec![node("Relu", &["x"], "y", &[])]].concat());
    let wide = attribute("values").packed_ints(8, &vec![1; count]);
    let wide = function("F", &[node("Relu", &["x"], "y", &[wide])]);
    let chain: Vec<Message> = (0..count)
        .map(|i| function(&format!("F{i}"), &[call(&format!("F{}", i + 1), "x", "y")]))
        .collect();
    let circle = [function("F0", &[call("F1", "x", "y")]), function("F1", &[call("F0", "x", "y")])];
    let inputs = vec!["x"; 3 * count + 2];
    let concat = node("QLinearConcat", &inputs, "y", &[]).text(7, "com.microsoft");
    let branch = none()
        .repeated(count, none().message(1, &node("Relu", &["x"], "v", &[])))
        .message(12, &none().text(1, "v"));
    let branches = ["then_branch", "else_branch"].map(|name| attribute(name).message(6, &branch));
    let elsewhere = |key: &str, value: &str| none().text(1, key).text(2, value);
    let external = tensor("t", FLOAT, &[1 << 40, 1 << 20])
        .message(13, &elsewhere("location", "data"))
        .message(13, &elsewhere("offset", "18446744073709551615"))
        .int(14, 1);
    vec![
        ("calls of a long function".to_owned(), with_functions(calls(count, "F"), &[longest])),
        ("calls of a wide function".to_owned(), with_functions(calls(count, "F"), &[wide])),
        ("functions in functions".to_owned(), with_functions(calls(0, "F0"), &chain)),
        ("functions in a circle".to_owned(), with_functions(calls(count, "F0"), &circle)),
        ("a quantised Concat".to_owned(), Graph(none().message(1, &concat)).file()),
        ("long branches".to_owned(), Graph::default().node("If", &["x"], "y", &branches).file()),
        (
            "tensors in other files".to_owned(),
            Graph(none().repeated(count, none().message(5, &external))).file(),
        ),
    ]
}

/// Tensors and shapes without numbers but with one very long side.
fn empty_but_wide(side: i64) -> Vec<(String, Vec<u8>)> {
    let wide = |dims: &[i64]| Graph::default().tensor(&tensor("t", INT64, dims));
    let one = |name: &str, value: i64| ints(name, &[value]);
    let slice = |dims: &[i64], step: i64| {
        wide(dims)
            .tensor(&one("s", if step < 0 { -1 } else { 0 }))
            .tensor(&one("e", if step < 0 { i64::MIN } else { i64::MAX }))
            .tensor(&one("a", 0))
            .tensor(&one("p", step))
            .node("Slice", &["t", "s", "e", "a", "p"], "y", &[])
            .file()
    };
    let short_slice = wide(&[side, 0])
        .tensor(&one("s", 0))
        .tensor(&one("e", i64::MAX))
        .node("Slice", &["t", "s", "e"], "y", &[])
        .file();
    let transpose = |dims: &[i64]| wide(dims).node("Transpose", &["t"], "y", &[]).file();
    let reshape = |sides: &[i64]| {
        wide(&[0])
            .tensor(&ints("s", sides))
            .node("Reshape", &["t", "s"], "r", &[])
            .node("Transpose", &["r"], "y", &[])
            .file()
    };
    let empty_network = |last: &[i64]| {
        let graph = Graph::default()
            .tensor(&tensor("f", FLOAT, &[0, 3, 1, 1]))
            .tensor(&tensor("i", FLOAT, &[0, 0, 1, 1]))
            .tensor(&tensor("l", FLOAT, last))
            .tensor(&tensor("g", FLOAT, &[0]));
        network(graph, 1, ["f", "i", "l"])
    };
    let shape_of = wide(&[side, 0])
        .node("Shape", &["t"], "s", &[])
        .node("ConstantOfShape", &["s"], "y", &[])
        .file();
    let gather = wide(&[0, side]).tensor(&one("i", 0)).node("Gather", &["i", "t"], "y", &[]).file();
    let concat = wide(&[side, 0]).node("Concat", &["t", "t"], "y", &[]).file();
    [
        ("slice without columns", short_slice),
        ("slice backwards without columns", slice(&[side, 0], -1)),
        ("slice forwards without columns", slice(&[side, 0], 1)),
        ("slice of three sides", slice(&[side, 0, side], 1)),
        ("slice without rows", slice(&[0, side], -1)),
        ("transpose without rows", transpose(&[0, side])),
        ("transpose without columns", transpose(&[side, 0])),
        ("reshape without columns", reshape(&[side, 0])),
        ("reshape with a free side", reshape(&[-1, side])),
        ("missing bias", empty_network(&[side, 0, 1, 1])),
        ("missing bias, wide kernel", empty_network(&[side, 0, 3, 3])),
        ("shape of a wide tensor", shape_of),
        ("gather at wide indices", gather),
        ("concat of wide tensors", concat),
    ]
    .map(|(name, file)| (name.to_owned(), file))
    .to_vec()
}

/// Lists of `count` numbers where a few are valid, packed and one by one.
fn long_lists(count: usize) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    let large = i64::MIN + 3;
    let on_picture = |operator: &str, attributes: &[Message]| {
        let weight = tensor("w", FLOAT, &[0, 3, 1, 1]);
        Graph::default().tensor(&weight).node(operator, &["x", "w"], "y", attributes).file()
    };
    let reflect = attribute("mode").text(4, "reflect");
    for value in [1, large] {
        // A large number takes ten bytes.
        let count = if value == 1 { count } else { count.div_ceil(10) };
        let packed = vec![value; count];
        let lists = [
            ("packed", none().packed_ints(8, &packed)),
            ("unpacked", none().repeated(count, none().int(8, value))),
        ];
        for (how, list) in lists {
            let named = |name: &str| attribute(name).repeated(1, list.clone());
            for (operator, name) in [
                ("Conv", "strides"),
                ("Conv", "dilations"),
                ("Conv", "pads"),
                ("ReduceMean", "axes"),
                ("Relu", "unused"),
            ] {
                let file = on_picture(operator, &[named(name)]);
                files.push((format!("{name} of {operator} {how}, {value}"), file));
            }
            let file = on_picture("Pad", &[reflect.clone(), named("pads")]);
            files.push((format!("pads {how}, {value}"), file));
            let constants = Graph::default()
                .node("Constant", &[], "c", &[named("value_ints")])
                .node("Identity", &["c"], "y", &[]);
            files.push((format!("value_ints {how}, {value}"), constants.file()));
            let slice = Graph::default().tensor(&ints("c", &[1, 2, 3])).node(
                "Slice",
                &["c"],
                "y",
                &[named("starts"), named("ends")],
            );
            files.push((format!("starts {how}, {value}"), slice.file()));
            let unsqueeze = Graph::default().tensor(&floats("c", &[1.0, 2.0])).node(
                "Unsqueeze",
                &["c"],
                "y",
                &[named("axes")],
            );
            files.push((format!("axes of Unsqueeze {how}, {value}"), unsqueeze.file()));
        }
        for (how, dims) in [
            ("packed", none().packed_ints(1, &packed)),
            ("unpacked", none().repeated(count, none().int(1, value))),
        ] {
            let with_dims = none().text(8, "t").int(2, FLOAT).repeated(1, dims);
            let file = Graph::default().tensor(&with_dims);
            let file = file.node("Identity", &["t"], "y", &[]).file();
            files.push((format!("dims {how}, {value}"), file));
        }
        let dim = none().message(1, &none().int(1, value));
        let shape = none().repeated(count, dim);
        let kind = none().message(1, &none().int(1, FLOAT).message(2, &shape));
        let info = none().text(1, "x").message(2, &kind);
        let relu = none().message(1, &node("Relu", &["x"], "y", &[]));
        for field in [11, 12, 13] {
            let graph = relu.clone().message(field, &info).message(11, &none().text(1, "x"));
            let file = model(&graph.message(12, &none().text(1, "y")));
            files.push((format!("dims of value {field}, {value}"), file));
        }
        let picture = relu.clone().message(11, &info);
        let file = model(&picture.message(12, &none().text(1, "y")));
        files.push((format!("dims of the picture, {value}"), file));
    }
    let scales = [
        ("packed", none().packed_floats(7, &vec![1e-30; count])),
        ("unpacked", none().repeated(count, none().float(7, 1e30))),
    ];
    for (how, list) in scales {
        let named = attribute("scales").repeated(1, list);
        files.push((format!("scales {how}"), on_picture("Upsample", &[named])));
    }
    let data = [
        ("int64_data", INT64, none().packed_ints(7, &vec![5; count]), none().int(7, 5)),
        ("int32_data", INT32, none().packed_ints(5, &vec![5; count]), none().int(5, 5)),
        ("int32_data of halves", FLOAT16, none().packed_ints(5, &vec![5; count]), none().int(5, 5)),
        ("float_data", FLOAT, none().packed_floats(4, &vec![0.5; count]), none().float(4, 0.5)),
        ("double_data", 11, none().bytes(10, &vec![0; 8 * count]), none().double(10, 0.5)),
    ];
    for (name, number_type, packed, one) in data {
        for (how, list) in [("packed", packed), ("unpacked", none().repeated(count, one))] {
            let with_data = tensor("t", number_type, &[count as i64]).repeated(1, list);
            let graph = Graph::default().tensor(&with_data);
            let file = graph.node("Identity", &["t"], "y", &[]).file();
            files.push((format!("{name} {how}"), file));
            let constant = attribute("value").message(5, &with_data);
            let graph = Graph::default().node("Constant", &[], "c", &[constant]);
            let file = graph.node("Identity", &["c"], "y", &[]).file();
            files.push((format!("{name} of a constant {how}"), file));
        }
    }
    files
}

/// Long texts everywhere that a message could repeat them.
fn long_texts(length: usize) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for letter in ["a", "\u{1f600}", "\u{1b}"] {
        let long = letter.repeat(length);
        let mode = |name: &str| attribute(name).text(4, &long);
        let named = node("Tanh", &["x"], "y", &[]).text(3, &long);
        let foreign = node("Tanh", &["x"], "y", &[]).text(3, &long).text(7, &long);
        let missing = node("Relu", &[&long], "y", &[]).text(3, &long);
        let resize = node(
            "Resize",
            &["x", "", "v"],
            "y",
            &[mode("coordinate_transformation_mode"), mode("nearest_mode")],
        );
        let picture = none().text(1, &long);
        for (name, graph) in [
            ("operator", none().message(1, &node(&long, &["x"], "y", &[]))),
            ("node", none().message(1, &named)),
            ("domain", none().message(1, &foreign)),
            ("input", none().message(1, &missing)),
            ("resize", none().message(1, &resize)),
            ("pad", none().message(1, &node("Pad", &["x"], "y", &[mode("mode")]).text(3, &long))),
            ("upsample", none().message(1, &node("Upsample", &["x"], "y", &[mode("mode")]))),
            ("tensor", none().message(5, &tensor(&long, FLOAT, &[i64::MIN; 8]))),
            (
                "tensor twice",
                none()
                    .message(5, &tensor(&long, FLOAT, &[0]))
                    .message(5, &tensor(&long, FLOAT, &[0])),
            ),
            ("second picture", none().message(11, &picture)),
        ] {
            files.push((format!("long {name}"), Graph(graph).file()));
        }
        let metadata = none()
            .int(1, 8)
            .text(2, &long)
            .text(3, &long)
            .message(14, &none().text(1, &long).text(2, &long));
        let graph = Graph::default().node("Relu", &["x"], "y", &[]).file();
        files.push(("long metadata".to_owned(), metadata.repeated(1, Message(graph)).0));
    }
    files
}

/// One matrix of weights that all convolutions share.
fn shared_weights(channels: usize, blocks: usize) -> Vec<(String, Vec<u8>)> {
    let side = channels as i64;
    let count = channels * channels;
    let mut files = Vec::new();
    let lists = [
        ("raw", FLOAT16, none().bytes(9, &vec![0; 2 * count])),
        ("halves one by one", FLOAT16, none().packed_ints(5, &vec![1; count])),
        ("floats", FLOAT, none().packed_floats(4, &vec![0.25; count])),
    ];
    for (name, number_type, list) in lists {
        let inner = tensor("i", number_type, &[side, side, 1, 1]).repeated(1, list);
        let graph = Graph::default()
            .tensor(
                &tensor("f", FLOAT, &[side, 3, 1, 1]).packed_floats(4, &vec![0.5; 3 * channels]),
            )
            .tensor(&inner)
            .tensor(
                &tensor("l", FLOAT, &[3, side, 1, 1]).packed_floats(4, &vec![0.5; 3 * channels]),
            )
            .tensor(&tensor("g", FLOAT, &[side]).packed_floats(4, &vec![0.5; channels]));
        let file = network(graph, blocks, ["f", "i", "l"]);
        files.push((format!("shared weights, {name}"), file));
    }
    files
}
