//! ONNX files that ask for much more than their size allows: reading costs what the file's size allows,
//! and what is said about them is short.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

#[path = "support/onnx_files.rs"]
mod onnx_files;

use std::cell::Cell;

use proptest::{prelude::*, test_runner::TestRunner};
use styleforge::weights::{Budget, Checkpoint, describe_within};

/// Longest message, in bytes.
const MAX_MESSAGE_BYTES: usize = 2000;

/// Reads and describes a file within the budget of its size; gives why it is refused.
fn refusal(bytes: &[u8]) -> Option<String> {
    let budget = Budget::for_file(bytes.len());
    let read = Checkpoint::read_within(bytes, &budget);
    let told = Budget::for_file(bytes.len());
    let facts = describe_within(bytes, &told);
    assert_eq!(read.is_err(), facts.refused.is_some());
    for budget in [budget, told] {
        assert!(budget.cost().steps <= budget.step_limit());
        assert!(budget.cost().bytes <= budget.byte_limit());
    }
    for message in [
        read.err().map(|error| error.to_string()),
        facts.refused.clone(),
    ] {
        let length = message.as_ref().map_or(0, String::len);
        assert!(
            length <= MAX_MESSAGE_BYTES,
            "{length} bytes: {message:.200?}"
        );
    }
    facts.refused
}

#[test]
fn small_files_that_ask_for_much_are_refused_in_a_few_words() {
    let mut files = 0;
    for (name, bytes) in onnx_files::hostile() {
        let refused = refusal(&bytes);
        assert!(refused.is_some() || name.starts_with("shared"), "{name}");
        files += 1;
    }
    assert!(files > 500, "{files} files");
}

/// Graphs of known operators in any wiring, with numbers at which arithmetic breaks.
#[test]
fn graphs_with_extreme_numbers_do_no_harm() {
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 600,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let nodes = Cell::new(0);
    runner
        .run(&prop::collection::vec(any::<u32>(), 0..1500), |choices| {
            nodes.set(nodes.get() + onnx_files::random_graph(&choices, refusal));
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
    assert!(
        nodes.get() > 600 * 10,
        "the graphs have only {} nodes",
        nodes.get()
    );
}
