//! ONNX files that request much more work than their size allows, and well-formed graphs with extreme numbers.

use std::cell::Cell;

use proptest::{prelude::*, test_runner::TestRunner};

use crate::{Line, counting::alone, guarded, onnx_files, table};

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

/// Work of an operator that may be repeated more often than a file's size allows is charged to the budget where it is
/// done.
#[test]
fn work_done_too_often_is_refused_for_what_it_takes() {
    let _alone = alone();
    let mut failures = Vec::new();
    for (name, what, file) in onnx_files::costly() {
        let line = guarded(name.to_owned(), file);
        line.faults(&mut failures);
        line.fails_for(what, &mut failures);
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
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
