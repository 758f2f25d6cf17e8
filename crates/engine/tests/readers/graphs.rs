//! ONNX files that request much more work than their size allows, and well-formed graphs with extreme numbers.

use std::cell::Cell;

use proptest::{prelude::*, test_runner::TestRunner};

use crate::{Line, guarded, onnx_files, table, targets::counting::alone};

#[test]
fn onnx_files_take_what_their_size_allows() {
    let _alone = alone();
    let (mut failures, mut lines) = (Vec::new(), Vec::new());
    for (name, file) in onnx_files::hostile() {
        let line = guarded(name, file);
        line.faults(&mut failures);
        if line.read.refused.is_none() && !line.name.starts_with("shared weights") {
            failures.push(format!("{} is read", line.name));
        }
        lines.push(line);
    }
    let count = lines.len();
    eprintln!("{count} files\n{}", table(lines));
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(count > 500, "{count} files");
}

/// Work of an operator that may be repeated more often than a file's size allows is charged to the budget when
/// it is done.
#[test]
fn work_done_too_often_is_refused_for_what_it_takes() {
    let _alone = alone();
    let mut failures = Vec::new();
    for (name, what, file) in onnx_files::costly() {
        let line = guarded(name.to_owned(), file);
        line.faults(&mut failures);
        if !what.is_empty() {
            line.fails_for(what, &mut failures);
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// A file is read at several sizes of pictures until one suits it. Its integers stay in the file meanwhile.
#[test]
fn integers_of_a_large_network_are_not_copied_for_every_size() {
    use onnx_files::{FLOAT, Graph, INT8, attribute, floats, tensor};
    const WIDE: i64 = 2560;
    let _alone = alone();
    let small = |name: &str, dims: &[i64]| {
        let count = dims.iter().product::<i64>() as usize;
        tensor(name, FLOAT, dims).packed_floats(4, &vec![0.5; count])
    };
    let of_side =
        |px: i64| ["kernel_shape", "strides"].map(|n| attribute(n).packed_ints(8, &[px; 2]));
    let times = |px: f32| attribute("scales").packed_floats(7, &[1.0, 1.0, px, px]);
    let integers = tensor("integers", INT8, &[WIDE, WIDE, 1, 1]);
    let file = Graph::default()
        .tensor(&small("first", &[WIDE, 3, 1, 1]))
        .tensor(&small("last", &[3, WIDE, 1, 1]))
        .tensor(&integers.bytes(9, &vec![1; (WIDE * WIDE) as usize]))
        .tensor(&floats("scale", &[0.5]))
        .node("DequantizeLinear", &["integers", "scale"], "inner", &[])
        // Only pictures whose sides are multiples of 256 keep their size.
        .node("AveragePool", &["x"], "a", &of_side(16))
        .node("AveragePool", &["a"], "b", &of_side(16))
        .node("Conv", &["b", "first"], "c", &[])
        .node("Conv", &["c", "inner"], "d", &[])
        .node("Conv", &["d", "last"], "e", &[])
        .node("Upsample", &["e"], "f", &[times(16.0)])
        .node("Upsample", &["f"], "g", &[times(16.0)])
        .node("Sigmoid", &["g"], "y", &[])
        .file_of_size(&[1, 3, 0, 0]);
    let line = guarded("a large network of integers".to_owned(), file);
    let mut failures = Vec::new();
    line.faults(&mut failures);
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    let reason = line.read.refused.unwrap_or_default();
    // It is read, up to the range of its input.
    assert!(reason.contains("black and white"), "{reason}");
}

#[test]
fn well_formed_graphs_of_extreme_numbers_do_no_harm() {
    let _alone = alone();
    const CASES: u32 = 500;
    let mut runner = TestRunner::new(ProptestConfig {
        cases: CASES,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let nodes = Cell::new(0);
    let result = runner.run(&prop::collection::vec(any::<u32>(), 0..1500), |choices| {
        let mut failures = Vec::new();
        let kept = onnx_files::random_graph(&choices, |file| {
            let line = Line::of("generated".to_owned(), file);
            line.faults(&mut failures);
            line.read.refused
        });
        nodes.set(nodes.get() + kept);
        prop_assert!(failures.is_empty(), "{:?}", failures);
        Ok(())
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
    eprintln!("{} nodes in {CASES} graphs", nodes.get());
    assert!(nodes.get() > 10 * CASES as usize, "{nodes:?}");
}
