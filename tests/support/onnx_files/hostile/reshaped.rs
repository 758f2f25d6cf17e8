//! Maps that are reshaped and joined to themselves repeatedly.

use super::super::{FLOAT, Graph, attribute, floats, ints, tensor};

/// Maps that get one very long side, and maps of very many channels without a weight.
pub fn wide_shapes(side: i64) -> Vec<(String, Vec<u8>)> {
    let axis = |axis: i64| attribute("axis").int(3, axis);
    let reshape = |sides: &[i64]| {
        Graph::default().tensor(&ints("s", sides)).node("Reshape", &["x", "s"], "y", &[]).file()
    };
    let many_channels = || {
        Graph::default()
            .tensor(&tensor("w", FLOAT, &[side, 3, 1, 1]))
            .tensor(&tensor("v", FLOAT, &[side, 0, 1, 1]))
            .tensor(&tensor("u", FLOAT, &[0, 3, 1, 1]))
            .tensor(&ints("column", &[-1, 1]))
            .node("Conv", &["x", "u"], "none", &[])
            .node("Conv", &["none", "v"], "wide", &[])
    };
    let columns = many_channels().node("Reshape", &["wide", "column"], "c", &[]).node(
        "Concat",
        &["c", "c"],
        "y",
        &[axis(1)],
    );
    let rows = many_channels().node("Concat", &["wide", "wide"], "y", &[axis(3)]);
    let far = many_channels().node("Concat", &["x", "x"], "y", &[axis(side)]);
    let back = many_channels().node("Concat", &["x", "x"], "y", &[axis(-side)]);
    [
        ("reshape to a long side", reshape(&[side, -1])),
        ("reshape to a free side", reshape(&[-1, side])),
        ("reshape to long sides", reshape(&[side, side, side, side])),
        ("reshape to a negative side", reshape(&[-side - 1, 1])),
        ("columns of many channels", columns.file()),
        ("rows of many channels", rows.file()),
        ("an axis far away", far.file()),
        ("an axis far before", back.file()),
    ]
    .map(|(name, file)| (name.to_owned(), file))
    .to_vec()
}

/// `count` consecutive nodes, and a node with `count` inputs.
pub fn chains(count: usize) -> Vec<(String, Vec<u8>)> {
    let start = || {
        Graph::default()
            .tensor(&ints("column", &[-1, 1]))
            .tensor(&ints("row", &[1, -1]))
            .tensor(&ints("planes", &[1, 3, 1, -1]))
            .tensor(&ints("doubled", &[1, 1, 2, 2]))
            .tensor(&ints("third", &[3]))
            .tensor(&ints("free", &[-1]))
            .tensor(&floats("nothing", &[0.0]))
    };
    let axis = |axis: i64| [attribute("axis").int(3, axis)];
    let chain = |step: &dyn Fn(Graph, usize, &str, &str) -> Graph| {
        let mut graph = start();
        let mut last = "x".to_owned();
        for index in 0..count {
            let next = format!("v{index}");
            graph = step(graph, index, &last, &next);
            last = next;
        }
        graph.node("Identity", &[&last], "y", &[]).file()
    };
    let reshapes = chain(&|graph, index, last, next| {
        let shape = ["column", "row", "planes"][index % 3];
        graph.node("Reshape", &[last, shape], next, &[])
    });
    let nothing = chain(&|graph, _, last, next| graph.node("Add", &[last, "nothing"], next, &[]));
    let joined = chain(&|graph, _, last, next| graph.node("Concat", &[last, last], next, &axis(3)));
    let means = chain(&|graph, index, last, next| {
        let planes = format!("p{index}");
        let axes = attribute("axes").packed_ints(8, &[3]);
        graph.node("Reshape", &[last, "planes"], &planes, &[]).node(
            "ReduceMean",
            &[&planes],
            next,
            &[axes],
        )
    });
    let upsampled = chain(&|graph, index, last, next| {
        let names = ["s", "t", "v", "w", "a", "b", "c", "d"].map(|part| format!("{part}{index}"));
        let [s, t, v, w, a, b, c, d] = names.each_ref().map(String::as_str);
        graph
            .node("Shape", &[last], s, &[])
            .node("Mul", &[s, "doubled"], t, &[])
            .node("Gather", &[t, "third"], v, &[])
            .node("Concat", &["free", v], w, &axis(0))
            .node("Reshape", &[last, "column"], a, &[])
            .node("Concat", &[a, a], b, &axis(1))
            .node("Reshape", &[b, w], c, &[])
            .node("Concat", &[c, c], d, &axis(1))
            .node("Reshape", &[d, t], next, &[])
    });
    // Of one size, and refused at the end.
    let sized = |step: &dyn Fn(Graph, usize, &str, &str) -> Graph| {
        let noise = tensor("noise", FLOAT, &[3, 32, 48]).packed_floats(4, &[0.5; 3 * 32 * 48]);
        let mut graph = start()
            .tensor(&noise)
            .tensor(&floats("one", &[1.0]))
            .tensor(&ints("all", &[1, 1, -1]))
            .tensor(&ints("cut", &[1, 3, 16, 2, 24, 2]))
            .tensor(&ints("whole", &[1, 3, 32, 48]));
        let mut last = "x".to_owned();
        for index in 0..count {
            let next = format!("v{index}");
            graph = step(graph, index, &last, &next);
            last = next;
        }
        let axes = attribute("axes").int(20, 7).packed_ints(8, &[1]);
        graph.node("ReduceMean", &[&last], "y", &[axes]).file_of_size(&[1, 3, 32, 48])
    };
    let constants = sized(&|graph, _, last, next| graph.node("Sub", &["noise", last], next, &[]));
    let cut = sized(&|graph, index, last, next| {
        let blocks = format!("b{index}");
        graph.node("Reshape", &[last, "cut"], &blocks, &[]).node(
            "Reshape",
            &[&blocks, "whole"],
            next,
            &[],
        )
    });
    let grouped = sized(&|graph, index, last, next| {
        let (flat, normed) = (format!("f{index}"), format!("n{index}"));
        graph
            .node("Reshape", &[last, "all"], &flat, &[])
            .node("InstanceNormalization", &[&flat, "one", "nothing"], &normed, &[])
            .node("Reshape", &[&normed, "whole"], next, &[])
    });
    let views: Vec<String> = (0..count).map(|index| format!("v{index}")).collect();
    let mut different = start();
    for (index, name) in views.iter().enumerate() {
        let shape = format!("s{index}");
        let sides = [-1, 1 + (index % 4) as i64];
        different =
            different.tensor(&ints(&shape, &sides)).node("Reshape", &["x", &shape], name, &[]);
    }
    let names: Vec<&str> = views.iter().map(String::as_str).collect();
    let different = different.node("Concat", &names, "y", &axis(1)).file();
    let same = start().node("Concat", &vec!["x"; count], "y", &axis(3));
    [
        ("reshapes", reshapes),
        ("sums with nothing", nothing),
        ("joined to itself", joined),
        ("means of planes", means),
        ("upsampled", upsampled),
        ("constants over pixels", constants),
        ("cut into blocks", cut),
        ("norms of all channels", grouped),
        ("different shapes of a map joined", different),
        ("a map joined often", same.file()),
    ]
    .map(|(name, file)| (format!("chain, {name}"), file))
    .to_vec()
}
