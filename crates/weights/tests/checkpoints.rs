//! The corpus of checkpoints: typical files, files of other networks, and hostile ones.
//!
//! `index.json` in `tests/checkpoints/expected.tar.xz` lists the required outcome of every file. `generate.py` in the
//! same folder made the files with PyTorch, ONNX and ONNX Runtime. Good files must contain exactly the expected weights
//! and paint the same as PyTorch. All others must be refused by name, in few steps and without a panic. The properties
//! below damage good files in many ways and require the same. Memory use of readers is tested in `crates/engine/tests/readers`.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use network::{
    Network,
    models::johnson::{NetworkSpec, keys},
};
use proptest::prelude::*;
use safetensors::SafeTensors;
use serde::Deserialize;
use values::frame::Frame;
use weights::{
    Budget, Checkpoint, Choice, Family, Inspection, MAX_MESSAGE_BYTES, PixelChoice, PixelRange,
    WeightsError, describe, describe_within,
};

#[path = "../../../tests/support/home.rs"]
mod home;
#[path = "../../../tests/support/onnx_files/mod.rs"]
mod onnx_files;
#[path = "../../../tests/support/packed.rs"]
mod packed;

#[derive(Deserialize)]
struct Entry {
    file: String,
    kind: String,
    outcome: String,
    family: Option<String>,
    #[serde(default)]
    names: Vec<String>,
    output: Option<String>,
    dtype: Option<String>,
    /// Part of what the reader says that it assumed; `None` if it assumes nothing.
    assumed: Option<String>,
}

fn folder() -> PathBuf {
    crate::home::project().join("tests/checkpoints")
}

/// A file of the corpus. There is an archive for each kind; they are unpacked once.
fn path_of(name: &str) -> PathBuf {
    static UNPACKED: OnceLock<PathBuf> = OnceLock::new();
    let unpacked = UNPACKED.get_or_init(|| {
        let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("checkpoints");
        for kind in ["good", "foreign", "hostile"] {
            let archive = folder().join(format!("{kind}.tar.xz"));
            let packed = fs::File::open(archive).expect("the archive is there");
            tar::Archive::new(lzma_rust2::XzReader::new(packed, false))
                .unpack(home.join(kind))
                .expect("well formed");
        }
        home
    });
    unpacked.join(name)
}

/// Checks that reading a file of this size took few steps, as files of this corpus need: far fewer than the budget
/// allows.
fn few_steps(budget: &Budget) -> Result<(), String> {
    let (steps, file_bytes) = (budget.cost().steps, budget.file_bytes());
    if steps <= STEPS_PER_BYTE * file_bytes + 100_000 {
        return Ok(());
    }
    Err(format!("{steps} steps for {file_bytes} bytes"))
}

/// Maximum steps per byte for a file of this corpus.
const STEPS_PER_BYTE: u64 = 32;

/// Reads a file and reports whether that took few steps.
fn read(bytes: &[u8]) -> (Result<Checkpoint, WeightsError>, Result<(), String>) {
    let budget = Budget::for_file(bytes.len());
    let result = Checkpoint::read_within(bytes, &budget, Choice::default());
    (result, few_steps(&budget))
}

/// The inspection of a file, and whether it took few steps.
fn described(bytes: &[u8]) -> (Inspection, Result<(), String>) {
    let budget = Budget::for_file(bytes.len());
    let facts = describe_within(bytes, &budget);
    (facts, few_steps(&budget))
}

/// The expected results of the corpus: `index.json` and `expected.safetensors`.
fn written() -> &'static HashMap<String, Vec<u8>> {
    static FILES: OnceLock<HashMap<String, Vec<u8>>> = OnceLock::new();
    FILES.get_or_init(|| packed::files(&folder().join("expected.tar.xz")))
}

fn entries() -> Vec<Entry> {
    serde_json::from_slice(&written()["index.json"]).expect("index.json is well formed")
}

fn bytes_of(entry: &Entry) -> Vec<u8> {
    fs::read(path_of(&entry.file)).expect("every file of the index is there")
}

/// Values of one tensor of expected.safetensors.
fn expected(name: &str) -> Vec<f32> {
    let file = SafeTensors::deserialize(&written()["expected.safetensors"]).expect("well formed");
    let tensor = file.tensor(name).expect("tensor is there");
    let (numbers, rest) = tensor.data().as_chunks::<4>();
    assert!(rest.is_empty());
    numbers.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

const HEIGHT: usize = 22;
const WIDTH: usize = 29;

fn photo() -> Frame {
    let input = expected("input");
    let level = |c: usize, x: usize, y: usize| input[(c * HEIGHT + y) * WIDTH + x] as u8;
    Frame::from_fn(WIDTH, HEIGHT, |x, y| [level(0, x, y), level(1, x, y), level(2, x, y), 255])
}

/// PSNR in decibels of the network's painting, before rounding, clamped to 0..255.
fn painted_psnr_db(network: &Network, wanted: &[f32]) -> f64 {
    let painted = oracle::judge(network, &photo()).output;
    assert_eq!(painted.data.len(), wanted.len());
    let squares: f64 = painted
        .data
        .iter()
        .zip(wanted)
        .map(|(a, b)| (a.clamp(0.0, 255.0) - f64::from(*b).clamp(0.0, 255.0)).powi(2))
        .sum();
    10.0 * (255.0f64.powi(2) / (squares / wanted.len() as f64).max(1e-12)).log10()
}

/// Every weight of the network by its published name.
fn named_weights(network: &Network) -> Vec<(String, Vec<f32>)> {
    let mut list = Vec::new();
    for (node, _) in network.graph().weight_shapes() {
        let (module, own) = (keys::module(node), network.weights().of(&node.name));
        list.push((format!("{module}.weight"), own.weight.clone()));
        list.push((format!("{module}.bias"), own.bias.clone()));
    }
    list
}

fn family_named(word: &str) -> Family {
    match word {
        "pytorch/examples" => Family::PytorchExamples,
        "StyleForge" => Family::StyleForge,
        "ours" => Family::Style,
        "ONNX" => Family::OnnxExport,
        other => panic!("the index names the family {other}, which no good file has"),
    }
}

#[test]
fn good_files_hold_exactly_the_expected_weights() {
    let mut seen = Vec::new();
    for entry in entries().iter().filter(|e| e.outcome == "run") {
        let file = &entry.file;
        let checkpoint =
            Checkpoint::from_bytes(&bytes_of(entry)).unwrap_or_else(|e| panic!("{file}: {e}"));
        let family = family_named(entry.family.as_deref().expect("a good file has a family"));
        assert_eq!(checkpoint.family, family, "{file}");
        assert_eq!(Some(checkpoint.storage.name()), entry.dtype.as_deref(), "{file}");
        let assumed = checkpoint.assumed().unwrap_or_default();
        match &entry.assumed {
            Some(part) => assert!(assumed.contains(part), "{file}: {assumed:?}"),
            None => assert_eq!(assumed, "", "{file}"),
        }
        for (name, values) in named_weights(&checkpoint.network) {
            assert_eq!(values, expected(&name), "{file}: {name}");
        }
        seen.push((file.clone(), checkpoint.network));
    }
    assert!(seen.len() >= 57, "the corpus has {} good files", seen.len());
    for (file, network) in &seen {
        assert!(*network == seen[0].1, "{file} is another network");
    }
}

#[test]
fn exports_for_browsers_hold_the_network_that_they_were_made_of() {
    for (widths, blocks, height, width) in
        [([8, 16, 32], 5, 128, 128), ([16, 32, 64], 1, 256, 256), ([1, 1, 1], 16, 12, 32)]
    {
        let spec = NetworkSpec { blocks, ..NetworkSpec::with_widths(widths) };
        let network = spec.random(7).expect("within the limits");
        let file = onnx_files::browser_export(&network, height, width);
        let (checkpoint, steps_allowed) = read(&file);
        let checkpoint = checkpoint.unwrap_or_else(|error| panic!("{widths:?}: {error}"));
        assert_eq!(checkpoint.family, Family::OnnxExport);
        assert!(*checkpoint.network == network, "{widths:?}");
        assert_eq!(steps_allowed, Ok(()), "{widths:?}");
    }
    let facts = describe(&path_of("good/onnx_browser.onnx"), PixelChoice::default());
    assert_eq!(facts.family, Some(Family::OnnxExport));
    assert_eq!(facts.metadata["producer"], "pytorch 0.4");
}

#[test]
fn good_files_paint_what_their_own_runtime_paints() {
    for entry in entries().iter().filter(|e| e.outcome == "run") {
        let checkpoint = Checkpoint::from_bytes(&bytes_of(entry)).expect("opens");
        let wanted = expected(entry.output.as_deref().expect("a good file has a result"));
        let psnr_db = painted_psnr_db(&checkpoint.network, &wanted);
        assert!(psnr_db >= 50.0, "{}: {psnr_db:.1} dB", entry.file);
    }
}

#[test]
fn every_good_file_survives_being_saved_and_read_again() {
    for entry in entries().iter().filter(|e| e.outcome == "run") {
        let first = Checkpoint::from_bytes(&bytes_of(entry)).expect("opens");
        let saved = first.to_safetensors().expect("saved");
        let second = Checkpoint::from_bytes(&saved).expect("opens again");
        assert_eq!(first.network, second.network, "{}", entry.file);
        assert_eq!(first.metadata, second.metadata, "{}", entry.file);
    }
}

#[test]
fn foreign_and_hostile_files_are_refused_by_name() {
    let mut failures = Vec::new();
    let bad: Vec<Entry> = entries().into_iter().filter(|e| e.outcome != "run").collect();
    assert!(bad.len() >= 150, "the corpus has only {} bad files", bad.len());
    for entry in &bad {
        let (result, steps_allowed) = read(&bytes_of(entry));
        let mut fail = |what: String| failures.push(format!("{}: {what}", entry.file));
        if let Err(steps) = steps_allowed {
            fail(steps);
        }
        match result {
            Err(error) => {
                let text = error.to_string();
                eprintln!("{}: {text}", entry.file);
                for name in &entry.names {
                    if !text.to_lowercase().contains(&name.to_lowercase()) {
                        fail(format!("the refusal does not name {name}: {text}"));
                    }
                }
                if text.len() > MAX_MESSAGE_BYTES {
                    fail(format!("the refusal has {} bytes", text.len()));
                }
                // Another network, which runs once the meaning of its values is chosen.
                let levels = PixelChoice {
                    input: Some(PixelRange::Bytes),
                    output: Some(PixelRange::Bytes),
                    order: None,
                };
                let checkpoint = Checkpoint::from_bytes_as(&bytes_of(entry), levels);
                if checkpoint.is_ok() != (entry.outcome == "ask") {
                    fail(format!("with its range: {:?}", checkpoint.err()));
                }
            }
            Ok(checkpoint) if entry.outcome == "run_or_refuse" => {
                let wanted = expected(entry.output.as_deref().expect("its own result"));
                let psnr_db = painted_psnr_db(&checkpoint.network, &wanted);
                if psnr_db < 50.0 {
                    fail(format!("{psnr_db:.1} dB"));
                }
            }
            Ok(_) => fail("was read".to_owned()),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Why a file cannot be used. Without value ranges, only options are missing.
fn refusal(read: &Result<Checkpoint, WeightsError>) -> Option<String> {
    match read {
        Ok(_) | Err(WeightsError::PixelValues { .. }) => None,
        Err(error) => Some(error.to_string()),
    }
}

#[test]
fn inspection_agrees_with_reading() {
    for entry in entries() {
        let facts = describe(&path_of(&entry.file), PixelChoice::default());
        let read = Checkpoint::read(&path_of(&entry.file));
        assert_eq!(facts.refused, refusal(&read), "{}", entry.file);
        if let Ok(checkpoint) = read {
            let graph = checkpoint.network.graph();
            let spec = NetworkSpec::recognise(graph);
            assert_eq!(facts.widths, spec.map(|s| s.widths), "{}", entry.file);
            assert_eq!(facts.family, Some(checkpoint.family), "{}", entry.file);
            assert_eq!(facts.parameters, graph.parameter_count(), "{}", entry.file);
            assert!(facts.least.is_some_and(|v| v < 0.0), "{}", entry.file);
        }
    }
}

#[test]
fn external_data_is_read_from_the_folder_of_the_model() {
    let root = tempfile::tempdir().expect("folder");
    let file = root.path().join("style.onnx");
    let data = root.path().join("style.onnx.data");
    fs::copy(path_of("hostile/external_beside.onnx"), &file).expect("copied");
    let refused = || Checkpoint::read(&file).expect_err("refused").to_string();
    let error = refused();
    assert!(error.contains("style.onnx.data") && error.contains("keep both"), "{error}");
    fs::write(&data, [0; 104]).expect("written");
    let error = refused();
    assert!(error.contains("has 104 bytes, but the model needs 108"), "{error}");
    let values: Vec<f32> = (0..27).map(|i| i as f32 / 8.0).collect();
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    fs::write(&data, &bytes).expect("written");
    let checkpoint = Checkpoint::read(&file).expect("read");
    let weights = named_weights(&checkpoint.network);
    assert_eq!(weights[0], ("conv1.conv2d.weight".to_owned(), values));
    #[cfg(unix)]
    {
        let target = root.path().join("elsewhere");
        fs::rename(&data, &target).expect("renamed");
        std::os::unix::fs::symlink(&target, &data).expect("linked");
        let error = refused();
        assert!(error.contains("it is a link"), "{error}");
    }
}

#[test]
fn special_files_are_refused_without_waiting() {
    let root = tempfile::tempdir().expect("folder");
    let error = Checkpoint::read(root.path()).expect_err("a folder").to_string();
    assert!(error.contains("folder"), "{error}");
    #[cfg(unix)]
    {
        let error = Checkpoint::read(Path::new("/dev/zero")).expect_err("endless");
        assert!(error.to_string().contains("regular file"), "{error}");
    }
}

/// A change to a file's bytes; positions are fractions of the length.
#[derive(Clone, Debug)]
enum Damage {
    Flip {
        at: f64,
        mask: u8,
    },
    Set {
        at: f64,
        value: u8,
    },
    Cut {
        at: f64,
    },
    Remove {
        at: f64,
        count: usize,
    },
    Insert {
        at: f64,
        bytes: Vec<u8>,
    },
    /// Copies a part of the file to another place.
    Splice {
        from: f64,
        to: f64,
        count: usize,
    },
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = || 0.0..1.0f64;
    // Large numbers are the most likely to break lengths and offsets.
    let extreme = prop_oneof![Just(0), Just(1), Just(0x7f), Just(0x80), Just(0xff), any::<u8>()];
    prop_oneof![
        4 => (at(), 1..=255u8).prop_map(|(at, mask)| Damage::Flip { at, mask }),
        4 => (at(), extreme).prop_map(|(at, value)| Damage::Set { at, value }),
        1 => at().prop_map(|at| Damage::Cut { at }),
        1 => (at(), 1..64usize).prop_map(|(at, count)| Damage::Remove { at, count }),
        1 => (at(), prop::collection::vec(any::<u8>(), 1..16))
            .prop_map(|(at, bytes)| Damage::Insert { at, bytes }),
        2 => (at(), at(), 1..256usize)
            .prop_map(|(from, to, count)| Damage::Splice { from, to, count }),
    ]
}

fn damaged(mut bytes: Vec<u8>, changes: &[Damage]) -> Vec<u8> {
    for change in changes {
        if bytes.is_empty() {
            break;
        }
        let length = bytes.len();
        // Headers and directories are at the ends; squaring the fraction moves positions there.
        let place = |share: f64| {
            let near_end = share * 2.0 - 1.0;
            let position = (near_end.powi(3) + 1.0) / 2.0 * length as f64;
            (length - 1).saturating_sub(position as usize).min(length - 1)
        };
        match change {
            Damage::Flip { at, mask } => bytes[place(*at)] ^= mask,
            Damage::Set { at, value } => bytes[place(*at)] = *value,
            Damage::Cut { at } => bytes.truncate((at * length as f64) as usize),
            Damage::Remove { at, count } => {
                let start = place(*at);
                bytes.drain(start..(start + count).min(length));
            }
            Damage::Insert { at, bytes: more } => {
                let start = place(*at);
                bytes.splice(start..start, more.iter().copied());
            }
            Damage::Splice { from, to, count } => {
                let start = place(*from);
                let part = bytes[start..(start + count).min(length)].to_vec();
                let start = place(*to);
                let end = (start + part.len()).min(length);
                let fits = end - start;
                bytes[start..end].copy_from_slice(&part[..fits]);
            }
        }
    }
    bytes
}

/// Reading a damaged file takes few steps, and the result is finite and complete.
fn reads_without_harm(endings: &[&str]) {
    after_damage(endings, |bytes| {
        let (result, steps_allowed) = read(bytes);
        prop_assert_eq!(steps_allowed, Ok(()));
        match result {
            Ok(checkpoint) => {
                for (name, values) in named_weights(&checkpoint.network) {
                    prop_assert!(values.iter().all(|v| v.is_finite()), "{}", name);
                }
            }
            Err(error) => prop_assert!(error.to_string().len() <= MAX_MESSAGE_BYTES),
        }
        Ok(())
    });
}

/// Runs `look` on good files with these endings, damaged in many ways; it must not panic.
fn after_damage(endings: &[&str], look: impl Fn(&[u8]) -> Result<(), TestCaseError>) {
    let files: Vec<Vec<u8>> = entries()
        .iter()
        .filter(|e| e.kind == "good" && endings.iter().any(|end| e.file.ends_with(end)))
        .map(bytes_of)
        .collect();
    assert!(!files.is_empty());
    let cases = (0..files.len(), prop::collection::vec(damage(), 1..6));
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 3000,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    runner
        .run(&cases, |(index, changes)| {
            let bytes = damaged(files[index].clone(), &changes);
            look(&bytes)
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn damaged_safetensors_do_no_harm() {
    reads_without_harm(&[".safetensors"]);
}

#[test]
fn damaged_zip_checkpoints_do_no_harm() {
    reads_without_harm(&["zip.pth", "zip_protocol4.pth", "zip_strided.pth"]);
}

#[test]
fn damaged_checkpoints_before_1_6_do_no_harm() {
    reads_without_harm(&[
        "legacy_stale_stats.pth",
        "legacy_first_format_cuda.pth",
        "legacy_shared_storage.pth",
    ]);
}

#[test]
fn damaged_onnx_graphs_do_no_harm() {
    reads_without_harm(&[".onnx"]);
}

#[test]
fn damaged_files_of_any_format_do_no_harm() {
    reads_without_harm(&[""]);
}

#[test]
fn inspecting_damaged_files_agrees_with_reading_them() {
    after_damage(&[""], |bytes| {
        let (facts, steps_allowed) = described(bytes);
        prop_assert_eq!(steps_allowed, Ok(()));
        let read = Checkpoint::from_bytes(bytes);
        // If a file has several errors, either may be found first.
        prop_assert_eq!(facts.refused.is_some(), refusal(&read).is_some());
        prop_assert_eq!(facts.size_bytes, Some(bytes.len() as u64));
        if let Ok(checkpoint) = read {
            let spec = NetworkSpec::recognise(checkpoint.network.graph());
            prop_assert_eq!(facts.widths, spec.map(|spec| spec.widths));
            prop_assert!(facts.least <= facts.greatest);
        }
        // It is reported as JSON, which has no infinity.
        prop_assert!(serde_json::to_string(&facts).is_ok());
        Ok(())
    });
}
