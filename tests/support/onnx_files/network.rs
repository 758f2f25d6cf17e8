//! The style network as a graph.

use super::{Graph, attribute};

/// A convolution without padding, with or without the norm and the Relu after it.
fn conv_norm_relu(graph: Graph, name: &str, input: &str, weight: &str, stride: i64) -> Graph {
    let (conv, norm) = (format!("{name}c"), format!("{name}n"));
    let strides = attribute("strides").packed_ints(8, &[stride; 2]);
    graph
        .node("Conv", &[input, weight], &conv, &[strides])
        .node("InstanceNormalization", &[&conv, "g", "g"], &norm, &[])
        .node("Relu", &[&norm], name, &[])
}

/// The style network without biases, with kernels of one pixel. `weights` are the names for the first convolution,
/// those within and the last; `g` is the scale and shift of every norm.
pub fn network(mut graph: Graph, blocks: usize, [first, inner, last]: [&str; 3]) -> Vec<u8> {
    graph = conv_norm_relu(graph, "a", "x", first, 1);
    graph = conv_norm_relu(graph, "b", "a", inner, 2);
    graph = conv_norm_relu(graph, "c", "b", inner, 2);
    let mut x = "c".to_owned();
    for block in 0..blocks {
        let name = |part: &str| format!("{part}{block}");
        graph = conv_norm_relu(graph, &name("h"), &x, inner, 1)
            .node("Conv", &[&name("h"), inner], &name("i"), &[])
            .node("InstanceNormalization", &[&name("i"), "g", "g"], &name("j"), &[])
            .node("Add", &[&name("j"), &x], &name("k"), &[]);
        x = name("k");
    }
    let twice = [attribute("scales").packed_floats(7, &[1.0, 1.0, 2.0, 2.0])];
    graph = graph.node("Upsample", &[&x], "d", &twice);
    graph = conv_norm_relu(graph, "e", "d", inner, 1).node("Upsample", &["e"], "f", &twice);
    conv_norm_relu(graph, "z", "f", inner, 1).node("Conv", &["z", last], "y", &[]).file()
}
