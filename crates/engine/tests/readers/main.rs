//! Cost of reading a file of weights: memory by the bytes that are really allocated, work by the steps that readers
//! charge to the file's budget.
//!
//! The rule for any file: reading it takes at most 64 MiB plus eight times the file's size (including the file), steps
//! in proportion to its size, and a message of at most 2 KB.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

mod corpus;
mod files;
mod generated;
mod graphs;
#[path = "../../../../tests/support/home.rs"]
mod home;
#[path = "../../../../tests/support/real_time.rs"]
mod real_time;
mod shapes;
#[path = "../../../../fuzz/src/lib.rs"]
mod targets;

use std::{
    fmt::Write,
    io::Read,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use shapes::{Growth, SHAPES, long_keys};
use targets::{
    counting::{Allocated, alone, counted},
    onnx_files,
};
use weights::{
    Budget, Checkpoint, Choice, MAX_MESSAGE_BYTES, ReadCost, WeightsError, describe_within,
    style_network,
};

/// Maximum bytes in memory for a file of this size, including the file.
fn allowed_bytes(file_bytes: usize) -> u64 {
    (64 << 20) + 8 * file_bytes as u64
}

/// The cost of one way of reading a file.
#[derive(Clone)]
struct Taken {
    allocated: Allocated,
    cost: ReadCost,
    refused: Option<String>,
}

/// A file that was read in both ways.
#[derive(Clone)]
struct Line {
    name: String,
    file_bytes: usize,
    read: Taken,
    described: Taken,
    json_bytes: usize,
}

impl Line {
    fn of(name: String, file: &[u8]) -> Self {
        let budget = Budget::for_file(file.len());
        let (read, allocated) =
            counted(|| match Checkpoint::read_within(file, &budget, Choice::default()) {
                // It is then read as a style network.
                Err(WeightsError::StyleNetwork) => {
                    style_network::from_bytes(file, &budget).map(drop)
                }
                read => read.map(drop),
            });
        let read = Taken {
            allocated,
            cost: budget.cost(),
            refused: read.err().map(|error| error.to_string()),
        };
        let budget = Budget::for_file(file.len());
        let (facts, allocated) = counted(|| describe_within(file, &budget));
        // A file without value ranges is only read with options.
        let needed = facts.needed_options.map(str::to_owned);
        let refused = facts.refused.clone().or(needed);
        let described = Taken { allocated, cost: budget.cost(), refused };
        let json = serde_json::to_string(&facts).expect("no infinite numbers");
        Self { name, file_bytes: file.len(), read, described, json_bytes: json.len() }
    }

    /// The file plus the maximum of other memory.
    fn peak_bytes(&self) -> u64 {
        let beside = self.read.allocated.peak.max(self.described.allocated.peak);
        self.file_bytes as u64 + beside
    }

    fn steps(&self) -> u64 {
        self.read.cost.steps.max(self.described.cost.steps)
    }

    fn memory_share(&self) -> f64 {
        self.peak_bytes() as f64 / allowed_bytes(self.file_bytes) as f64
    }

    fn step_share(&self) -> f64 {
        self.steps() as f64 / Budget::for_file(self.file_bytes).step_limit() as f64
    }

    fn refusals(&self) -> impl Iterator<Item = &String> {
        [&self.read, &self.described].into_iter().filter_map(|taken| taken.refused.as_ref())
    }

    fn was_too_costly(&self) -> bool {
        self.refusals().any(|reason| reason.contains("takes more than"))
    }

    /// Fails unless the file is refused for `what`: too many steps, or bytes of memory.
    fn fails_for(&self, what: &str, failures: &mut Vec<String>) {
        let reason = self.read.refused.as_deref().unwrap_or("it is read");
        if !(reason.contains("takes more than") && reason.contains(what)) {
            failures.push(format!("{} takes no more{what}: {reason}", self.name));
        }
    }

    /// Violations of the rule by the file.
    fn faults(&self, failures: &mut Vec<String>) {
        let mut fail = |what: String| {
            failures.push(format!("{} ({} bytes): {what}", self.name, self.file_bytes))
        };
        if self.memory_share() > 1.0 {
            fail(format!("{} bytes of memory", self.peak_bytes()));
        }
        if self.step_share() > 1.0 {
            fail(format!("{} steps", self.steps()));
        }
        if self.json_bytes as u64 > allowed_bytes(self.file_bytes) {
            fail(format!("{} bytes of JSON", self.json_bytes));
        }
        for taken in [&self.read, &self.described] {
            let message_bytes = taken.refused.as_ref().map_or(0, String::len);
            if message_bytes > MAX_MESSAGE_BYTES {
                fail(format!("a message of {message_bytes} bytes"));
            }
        }
        let read = (self.read.refused.is_some(), self.described.refused.is_some());
        // Describing costs slightly more than reading.
        if read.0 != read.1 && !self.was_too_costly() {
            fail(format!("read: {:?}, described: {:?}", self.read.refused, self.described.refused));
        }
        // The charged cost must match the real one; loops that charge nothing are found by their allocations. A list
        // that grows is reallocated each time that it doubles, at most twice in total. In addition there is the text of
        // an error, which may be copied a few times before it is cut.
        for taken in [&self.read, &self.described] {
            let drawn_bytes = 2 * taken.cost.bytes + 8 * self.file_bytes as u64 + 100_000;
            if taken.allocated.taken > drawn_bytes {
                fail(format!("{:?} for {:?}", taken.allocated, taken.cost));
            }
            if taken.allocated.calls > taken.cost.steps + 2000 {
                fail(format!("{:?} for {:?}", taken.allocated, taken.cost));
            }
        }
    }
}

/// Every file of the corpus.
fn corpus() -> Vec<(String, Vec<u8>)> {
    let folder = crate::home::project().join("tests");
    let mut files = Vec::new();
    for kind in [
        "checkpoints/good",
        "checkpoints/foreign",
        "checkpoints/hostile",
        "golden/published",
        "golden/style_networks",
        "onnx/networks/exporters",
        "onnx/networks/networks",
        "onnx/networks/refused",
    ] {
        let packed =
            std::fs::File::open(folder.join(format!("{kind}.tar.xz"))).expect("an archive");
        let mut archive = tar::Archive::new(lzma_rust2::XzReader::new(packed, false));
        for entry in archive.entries().expect("well formed") {
            let mut entry = entry.expect("well formed");
            if entry.header().entry_type().is_file() {
                let name = entry.path().expect("a name").display().to_string();
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes).expect("whole");
                files.push((format!("{kind}/{name}"), bytes));
            }
        }
    }
    files
}

/// Reads a file in a separate thread, so that a reader that never ends fails the test.
fn guarded(name: String, file: Vec<u8>) -> Line {
    let (sender, receiver) = mpsc::channel();
    let file: Arc<[u8]> = file.into();
    let label = format!("{name} ({} bytes)", file.len());
    // Reading and describing in a test build.
    let limit = Duration::from_secs(1) + Duration::from_secs(2) * (file.len() >> 20) as u32;
    let started = Instant::now();
    // The receiver may have timed out.
    std::thread::spawn(move || sender.send(Line::of(name, &file)).is_ok());
    let line = receiver
        .recv_timeout(real_time::PATIENCE)
        .unwrap_or_else(|_| panic!("{label}: the reader panicked or hangs"));
    real_time::within(&label, started.elapsed(), limit);
    line
}

/// Checks that the work grew as expected from a file to a larger one of the same shape.
fn growth(growth: Growth, small: &Line, large: &Line, failures: &mut Vec<String>) {
    if growth == Growth::Refused {
        return;
    }
    if large.was_too_costly() {
        // Large files may exceed the memory limit; they never take too many steps.
        if large.refusals().any(|reason| reason.contains(" steps")) {
            failures.push(format!("{}: too many steps", large.name));
        }
        return;
    }
    let times = large.file_bytes as f64 / small.file_bytes as f64;
    let expected = 1.5 * times * small.steps() as f64 + 10_000.0;
    if large.steps() as f64 > expected {
        failures.push(format!(
            "{}: {} steps, {} for a file {times:.1} times smaller",
            large.name,
            large.steps(),
            small.steps(),
        ));
    }
}

/// The files that come closest to the limits.
fn table(mut lines: Vec<Line>) -> String {
    lines.sort_by(|a, b| b.memory_share().total_cmp(&a.memory_share()));
    let mut text = format!(
        "{:<52}{:>10}{:>13}{:>7}{:>12}{:>7}\n",
        "nearest to the limit of memory, then of steps",
        "bytes",
        "peak bytes",
        "share",
        "steps",
        "share"
    );
    let mut write = |line: &Line| {
        writeln!(
            text,
            "{:<52}{:>10}{:>13}{:>6.1}%{:>12}{:>6.1}%",
            line.name,
            line.file_bytes,
            line.peak_bytes(),
            100.0 * line.memory_share(),
            line.steps(),
            100.0 * line.step_share()
        )
        .expect("text");
    };
    lines.iter().take(12).for_each(&mut write);
    lines.sort_by(|a, b| b.step_share().total_cmp(&a.step_share()));
    lines.iter().take(12).for_each(&mut write);
    text
}

#[test]
fn reading_costs_what_the_files_size_allows() {
    let _alone = alone();
    let mut failures = Vec::new();
    let mut lines = Vec::new();
    for (name, file) in corpus() {
        let line = guarded(name, file);
        line.faults(&mut failures);
        lines.push(line);
    }
    assert!(lines.len() >= 200, "{} files", lines.len());
    for shape in SHAPES {
        let mut before: Option<Line> = None;
        for kilobytes in [1, 3, 10, 16, 52, 64, 128, 256, 660, 1024, 3072] {
            let file = (shape.make)(kilobytes * 1024);
            let line = guarded(format!("{}, {kilobytes} KB", shape.name), file);
            line.faults(&mut failures);
            if let Some(before) = before.replace(line.clone()) {
                growth(shape.growth, &before, &line, &mut failures);
            }
            lines.push(line);
        }
        let refused = before.is_some_and(|largest| largest.was_too_costly());
        if shape.growth == Growth::Refused && !refused {
            failures.push(format!("{}: the largest is not refused for its cost", shape.name));
        }
    }
    eprintln!("{}", table(lines));
    assert!(failures.is_empty(), "{} faults:\n{}", failures.len(), failures.join("\n"));
}

/// Networks in which numbers, names and weights are others are refused or painted. `STYLEFORGE_GRAPHS` sets how many.
#[test]
fn changed_networks_are_refused_or_painted() {
    let _alone = alone();
    let count = std::env::var("STYLEFORGE_GRAPHS").map_or(600, |n| n.parse().expect("a number"));
    let files: Vec<_> = (corpus().into_iter())
        .filter(|(name, _)| name.starts_with("onnx/networks") && !name.contains("refused"))
        .filter(|(name, _)| name.ends_with(".onnx"))
        .collect();
    let mut painted = 0;
    for seed in 0..count {
        let (name, file) = &files[seed % files.len()];
        let changed = onnx_files::mutated(file, &mut onnx_files::Draw(seed as u64));
        let run = AssertUnwindSafe(|| targets::painting(&changed));
        painted += usize::from(catch_unwind(run).unwrap_or_else(|_| panic!("{name}, seed {seed}")));
    }
    assert!(painted > count / 8, "{painted} of {count} were painted");
}

#[test]
fn a_long_key_is_drawn_each_time_that_it_is_looked_at() {
    let _alone = alone();
    let mut failures = Vec::new();
    for (name, file) in long_keys() {
        let line = guarded(name.to_owned(), file);
        line.faults(&mut failures);
        line.fails_for(" steps", &mut failures);
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
