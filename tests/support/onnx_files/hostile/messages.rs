//! Files of very many messages, uses of one value, or consecutive operations.

use super::super::{FLOAT, Graph, Message, attribute, ints, model, node, none, tensor};

/// `count` messages, or uses of one value, with as few bytes as possible.
pub(super) fn many_messages(count: usize) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    let empty = |field: u64| none().repeated(count, none().message(field, &none()));
    for (name, field) in
        [("nodes", 1), ("initialisers", 5), ("inputs", 11), ("outputs", 12), ("value infos", 13)]
    {
        files.push((format!("empty {name}"), model(&empty(field))));
        let relu = none().message(1, &node("Relu", &["x"], "y", &[]));
        let graph = relu.repeated(1, empty(field));
        let file = Graph(graph).file();
        files.push((format!("empty {name} beside a graph"), file));
    }
    for (name, field) in [("opsets", 8), ("metadata", 14), ("functions", 25)] {
        let file = none().int(1, 8).repeated(1, empty(field));
        let graph = Graph::default().node("Relu", &["x"], "y", &[]).file();
        let file = file.repeated(1, Message(graph));
        files.push((format!("empty {name}"), file.0));
    }
    let mut metadata = none().int(1, 8);
    for index in 0..count {
        metadata = metadata.message(14, &none().text(1, &index.to_string()));
    }
    let graph = Graph::default().node("Relu", &["x"], "y", &[]).file();
    files.push(("keys of metadata".to_owned(), metadata.repeated(1, Message(graph)).0));
    for (name, field) in [("inputs", 1), ("outputs", 2), ("attributes", 5)] {
        let relu = node("Relu", &["x"], "y", &[]).repeated(1, empty(field));
        let file = Graph(none().message(1, &relu)).file();
        files.push((format!("empty {name} of a node"), file));
    }
    let tensor_of_files = tensor("t", FLOAT, &[0]).repeated(1, empty(13));
    let graph = Graph::default().tensor(&tensor_of_files);
    let file = graph.node("Identity", &["t"], "y", &[]).file();
    files.push(("external files of a tensor".to_owned(), file));
    let wraps_tensor = none().repeated(count, none().message(5, &none()));
    let constant = attribute("value").repeated(1, wraps_tensor);
    let graph = Graph::default().node("Constant", &[], "y", &[constant]);
    files.push(("tensors of one attribute".to_owned(), graph.file()));
    // One value of 64 numbers, used repeatedly.
    let sixty_four = Graph::default().tensor(&ints("v", &[7; 64]));
    let none_of_it = || Graph::default().tensor(&ints("v", &[]));
    for (name, graph) in
        [("concat of 64 numbers", sixty_four.clone()), ("concat of no numbers", none_of_it())]
    {
        let file = graph.node("Concat", &vec!["v"; count], "y", &[]).file();
        files.push((name.to_owned(), file));
    }
    let computed = sixty_four.clone().node("Identity", &["v"], "w", &[]);
    let file = computed.node("Concat", &vec!["w"; count], "y", &[]).file();
    files.push(("concat of computed numbers".to_owned(), file));
    // All results are needed: the last node reads all of them.
    let all_needed = |mut graph: Graph, one: &dyn Fn(&str, &str) -> Message, start: &str| {
        let names: Vec<String> = (0..count).map(|index| format!("{index:x}")).collect();
        for (index, name) in names.iter().enumerate() {
            let before = match index {
                0 => start,
                _ => &names[index - 1],
            };
            graph = Graph(graph.0.message(1, &one(before, name)));
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        graph.node("Concat", &names, "y", &[]).file()
    };
    let plain = |operator: &'static str| {
        move |before: &str, name: &str| node(operator, &[before], name, &[])
    };
    let of_v = |operator: &'static str, attributes: Vec<Message>| {
        move |_: &str, name: &str| node(operator, &["v"], name, &attributes)
    };
    let to = |number_type| vec![attribute("to").int(3, number_type)];
    for (name, file) in [
        ("chain of Relus", all_needed(Graph::default(), &plain("Relu"), "x")),
        ("chain of Identities", all_needed(Graph::default(), &plain("Identity"), "x")),
        ("chain of Identities of numbers", all_needed(sixty_four.clone(), &plain("Identity"), "v")),
        (
            "shapes of the picture",
            all_needed(Graph::default(), &|_, name| node("Shape", &["x"], name, &[]), "x"),
        ),
        ("casts of one value", all_needed(sixty_four.clone(), &of_v("Cast", to(FLOAT)), "v")),
        (
            "sums with itself",
            all_needed(sixty_four.clone(), &|_, name| node("Add", &["v", "v"], name, &[]), "v"),
        ),
        (
            "constants of shape",
            all_needed(
                Graph::default().tensor(&ints("v", &[64])),
                &of_v("ConstantOfShape", Vec::new()),
                "v",
            ),
        ),
        (
            "constants",
            all_needed(
                Graph::default(),
                &|_, name| {
                    let list = attribute("value_ints").packed_ints(8, &[1; 64]);
                    node("Constant", &[], name, &[list])
                },
                "x",
            ),
        ),
        (
            "sums of the picture",
            all_needed(
                Graph::default(),
                &|before, name| node("Add", &[before, before], name, &[]),
                "x",
            ),
        ),
    ] {
        files.push((name.to_owned(), file));
    }
    for (name, graph) in deep_graphs(count) {
        files.push((name.to_owned(), graph.file()));
    }
    let valid = tensor("", FLOAT, &[0]);
    let graph = none().repeated(count, none().message(5, &valid));
    let relu = graph.message(1, &node("Relu", &["x"], "y", &[]));
    files.push(("tensors without numbers".to_owned(), Graph(relu).file()));
    files
}

/// Graphs of `count` operations on the picture, the last of which makes the result.
fn deep_graphs(count: usize) -> [(&'static str, Graph); 4] {
    let chain = |one: &dyn Fn(Graph, &str, &str) -> Graph| {
        let mut graph = Graph::default();
        let mut before = "x".to_owned();
        for index in (0..count).rev() {
            let name = if index == 0 { "y".to_owned() } else { format!("{index:x}") };
            graph = one(graph, &before, &name);
            before = name;
        }
        graph
    };
    let axes = [attribute("axes").packed_ints(8, &[2, 3])];
    let reflect = attribute("mode").text(4, "reflect");
    let mut margins = Graph::default();
    let mut sum = "x".to_owned();
    for margin in 1..=count {
        let pixels = (margin % (1 << 16)) as i64;
        let pads = [0, 0, pixels, pixels, 0, 0, pixels, pixels];
        let pads = attribute("pads").packed_ints(8, &pads);
        let [pad, mean, next] = ["p", "m", "s"].map(|part| format!("{part}{margin:x}"));
        margins = margins.node("Pad", &["x"], &pad, &[reflect.clone(), pads]).node(
            "GlobalAveragePool",
            &[&pad],
            &mean,
            &[],
        );
        if margin > 1 {
            let next = if margin == count { "y".to_owned() } else { next };
            margins = margins.node("Add", &[&sum, &mean], &next, &[]);
            sum = next;
        } else {
            sum = mean;
        }
    }
    [
        (
            "Relus in a chain",
            chain(&|graph, before, name| graph.node("Relu", &[before], name, &[])),
        ),
        (
            "sums of sums",
            chain(&|graph, before, name| graph.node("Add", &[before, before], name, &[])),
        ),
        (
            "norms that begin and do not end",
            chain(&|graph, before, name| {
                let mean = format!("m{name}");
                graph.node("ReduceMean", &[before], &mean, &axes).node(
                    "Sub",
                    &[before, &mean],
                    name,
                    &[],
                )
            }),
        ),
        ("one map padded by many margins", margins),
    ]
}
