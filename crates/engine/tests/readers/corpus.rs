//! The fuzz targets' committed corpus: every input must pass its target, as it does under libFuzzer.

use std::{
    fs,
    io::Read,
    panic::{AssertUnwindSafe, catch_unwind},
};

use lzma_rust2::XzReader;

use crate::targets::{self, counting::alone};

/// Folder of the corpus, the function that gets its inputs, and the folders of other targets' inputs that it also gets.
type Target = (&'static str, fn(&[u8]), &'static [&'static str]);

const TARGETS: [Target; 13] = [
    ("checkpoint", targets::checkpoint, &["onnx", "pth", "safetensors"]),
    ("graphs", targets::graphs, &[]),
    ("inspect", targets::inspect, &["onnx", "pth", "safetensors"]),
    ("mjpeg", targets::mjpeg, &[]),
    ("nut", targets::nut, &[]),
    ("onnx", targets::checkpoint, &[]),
    ("painting", |bytes| _ = targets::painting(bytes), &[]),
    ("parts", targets::parts, &[]),
    ("picture", targets::picture, &["mjpeg"]),
    ("pixels", targets::pixels, &[]),
    ("pth", targets::pth, &[]),
    ("safetensors", targets::checkpoint, &[]),
    ("settings", targets::settings, &[]),
];

/// The inputs by name, `target/name`. `fuzz/corpus.py` describes the file.
fn inputs() -> Vec<(String, Vec<u8>)> {
    let file = crate::home::project().join("fuzz/corpus.xz");
    let mut whole = Vec::new();
    let packed = fs::File::open(file).expect("the corpus is there");
    XzReader::new(packed, false).read_to_end(&mut whole).expect("well formed");
    let end = whole.windows(2).position(|pair| pair == b"\n\n").expect("an index");
    let index = std::str::from_utf8(&whole[..end]).expect("names");
    let mut contents = &whole[end + 2..];
    let mut take = |line: &str| {
        let (name, bytes) = line.rsplit_once(' ').expect("a name and a size");
        let (input, rest) = contents.split_at(bytes.parse().expect("a size"));
        contents = rest;
        (name.to_owned(), input.to_owned())
    };
    let inputs: Vec<_> = index.lines().map(&mut take).collect();
    assert_eq!(contents, b"", "bytes after the last input");
    inputs
}

#[test]
fn every_input_of_the_corpus_passes_its_target() {
    let _alone = alone();
    let inputs = inputs();
    let mut failures = Vec::new();
    for (name, input) in &inputs {
        let folder = name.split('/').next().unwrap_or_default();
        assert!(TARGETS.iter().any(|(own, ..)| *own == folder), "no target reads {name}");
        let readers =
            TARGETS.iter().filter(|(own, _, others)| *own == folder || others.contains(&folder));
        for (target, run, _) in readers {
            if catch_unwind(AssertUnwindSafe(|| run(input))).is_err() {
                failures.push(format!("{target} fails on {name}"));
            }
        }
    }
    for (target, ..) in TARGETS {
        assert!(inputs.iter().any(|(name, _)| name.starts_with(&format!("{target}/"))), "{target}");
    }
    assert!(failures.is_empty(), "{failures:#?}\ntools/fuzz.sh replay repeats it with libFuzzer");
}
