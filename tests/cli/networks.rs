//! Imports of networks of any kind whose files do not contain the meaning of their values.

use std::fs;

use crate::{
    onnx_corpus::network_file,
    sandbox::{Run, Sandbox},
};

/// Imports a network that reads values from 0 to 1 as a style with its name; `made` is the range of its output.
fn import(s: &Sandbox, network: &str, made: &str) -> Run {
    fs::write(s.path("network.onnx"), network_file(network)).expect("written");
    s.styleforge(&[
        "styles",
        "import",
        "network.onnx",
        "--name",
        network,
        "--input-range",
        "0..1",
        "--output-range",
        made,
    ])
}

#[test]
fn a_network_that_paints_everything_in_one_color_is_imported_with_a_warning() {
    let s = Sandbox::new();
    // Its output is from 0 to 1.
    import(&s, "pixel_shuffle_crd", "0..255")
        .ends(0)
        .says("paints everything black; the output range is probably wrong");
    assert!(s.path("home/.local/share/styleforge/styles/pixel_shuffle_crd").is_dir());
}

#[test]
fn a_network_that_is_read_rightly_is_imported_without_a_warning() {
    let s = Sandbox::new();
    let right = import(&s, "pixel_shuffle_crd", "0..1").ends(0);
    assert_eq!(right.stderr, "");
    // The file contains the range.
    fs::write(s.path("known.onnx"), network_file("windows_metadata")).expect("written");
    let known = s.styleforge(&["styles", "import", "known.onnx"]).ends(0);
    assert_eq!(known.stderr, "");
}

#[test]
fn a_network_of_unknown_values_is_refused_with_the_options() {
    let s = Sandbox::new();
    fs::write(s.path("network.onnx"), network_file("pixel_shuffle_crd")).expect("written");
    s.styleforge(&["styles", "import", "network.onnx"])
        .ends(1)
        .says("in the picture that its network reads and makes")
        .says("--input-range RANGE --output-range RANGE");
    s.styleforge(&["styles", "import", "network.onnx", "--input-range", "0..1"])
        .ends(1)
        .says("in the picture that its network makes");
}

#[test]
fn a_file_is_painted_with_ranges_as_after_an_import() {
    let s = Sandbox::new();
    import(&s, "pixel_shuffle_crd", "0..1").ends(0);
    let stylize = |style: &str, output: &str, ranges: &[&str]| {
        s.styleforge(&[&["stylize", "photo.png", "--style", style, "-o", output], ranges].concat())
    };
    let ranges = ["--input-range", "0..1", "--output-range", "0..1"];
    stylize("pixel_shuffle_crd", "imported.png", &[]).ends(0);
    stylize("network.onnx", "direct.png", &ranges).ends(0);
    assert!(s.read("direct.png") == s.read("imported.png"));
    stylize("candy", "no.png", &ranges)
        .ends(2)
        .says("candy is not a file of weights")
        .says("--input-range");
}

/// A file without value ranges is a good network. It is inspected completely with the options that it needs.
#[test]
fn inspect_takes_the_ranges_that_a_file_does_not_contain() {
    let s = Sandbox::new();
    fs::write(s.path("network.onnx"), network_file("pixel_shuffle_crd")).expect("written");
    let facts = s.styleforge(&["inspect", "network.onnx", "--json"]).ends(0).json();
    assert!(facts["refused"].is_null());
    assert_eq!(facts["needed_options"], "--input-range and --output-range");
    let text = s.styleforge(&["inspect", "network.onnx", "--input-range", "0..1"]).ends(0).text();
    assert!(text.contains("can be used with --output-range"), "{text}");
    let ranges = ["--input-range", "0..1", "--output-range", "0..1"];
    let inspect =
        |subject: &str| s.styleforge(&[&["inspect", subject, "--json"], &ranges[..]].concat());
    let facts = inspect("network.onnx").ends(0).json();
    assert!(facts["refused"].is_null() && facts["needed_options"].is_null());
    assert_eq!(facts["metadata"]["input_range"], "0..1");
    assert!(facts["operations"]["convolution"].is_number(), "{}", facts["operations"]);
    inspect("candy").ends(2).says("candy is not a file of weights");
}
