//! `styleforge export`: files that are styles again, and model repositories.

use std::{fs, path::Path};

use crate::sandbox::Sandbox;

#[test]
fn an_export_is_a_style_with_its_credit_again() {
    let s = Sandbox::new();
    let texts = [("title", "Tiny one"), ("license", "CC0"), ("credit", "By a tester")];
    s.style("tiny.safetensors", &texts);
    let run = s.styleforge(&["export", "./tiny.safetensors", "-o", "tiny.onnx"]).ends(0);
    assert_eq!(run.text(), "tiny.onnx\n");
    s.stylize(&["photo.png", "-o", "own.png"]).ends(0);
    let paint = |style: &str, output: &str| {
        let usual = ["stylize", "photo.png", "--threads", "1"];
        s.styleforge(&[&usual[..], &["--style", style, "-o", output]].concat()).ends(0);
        s.read(output)
    };
    assert!(s.read("own.png") == paint("tiny.onnx", "file.png"));
    s.styleforge(&["styles", "import", "tiny.onnx"]).ends(0);
    assert!(s.read("own.png") == paint("tiny_one", "imported.png"));
    let facts = s.styleforge(&["inspect", "tiny_one", "--json"]).ends(0).json();
    assert_eq!(facts["metadata"]["license"], "CC0");
    assert_eq!(facts["metadata"]["credit"], "By a tester");
}

#[test]
fn a_style_picture_is_exported_with_its_code() {
    let s = Sandbox::new();
    s.photo("Wide one.png", 70, 30);
    s.styleforge(&["export", "--style-picture", "Wide one.png", "-o", "exported/"]).ends(0);
    let stylize = |arguments: &[&str], output: &str| {
        s.styleforge(&[&["stylize", "photo.png", "-o", output], arguments].concat()).ends(0);
        s.read(output)
    };
    // A file has no margin unless the user chooses one.
    let (own, file) = (["--style-picture", "Wide one.png"], ["--style", "exported/Wide one.onnx"]);
    let plain = stylize(&[&own[..], &["--margin", "0"]].concat(), "plain.png");
    assert!(plain == stylize(&file, "file.png"));
    let wide = stylize(&own, "own.png");
    assert!(
        wide != plain && wide == stylize(&[&file[..], &["--margin", "auto"]].concat(), "wide.png")
    );
}

#[test]
fn a_repository_for_each_backend_of_a_server() {
    let s = Sandbox::new();
    s.style("tiny.safetensors", &[("title", "Tiny\none")]);
    let export = ["export", "./tiny.safetensors", "--format", "triton", "-o", "models"];
    let run = s.styleforge(&[&export[..], &["--precision", "fp16"]].concat()).ends(0);
    let onnx = Path::new("models").join("onnxruntime").join("tiny").join("1/model.onnx");
    assert!(run.text().contains(&format!("trtexec --onnx={onnx:?}")), "{}", run.text());
    assert_eq!(s.names("models"), ["onnxruntime", "styleforge", "tensorrt"]);
    let read = |name: &str| fs::read_to_string(s.path(name)).expect("a text");
    let config = read("models/onnxruntime/tiny/config.pbtxt");
    assert!(config.starts_with("# title: Tiny one\nbackend: \"onnxruntime\"\nmax_batch_size: 8\n"));
    let tensor = "[ { name: \"IMAGE\" data_type: TYPE_UINT8 dims: [ -1, -1, 3 ] } ]";
    assert!(config.contains(tensor), "{config}");
    let own = read("models/styleforge/tiny/config.pbtxt");
    assert_eq!(own, "# title: Tiny one\nbackend: \"styleforge\"\n");
    for weights in ["onnxruntime/tiny/1/model.onnx", "styleforge/tiny/1/model.safetensors"] {
        s.styleforge(&["inspect", &format!("models/{weights}")]).ends(0);
    }
    // Nothing is replaced, and another size and type are written as they are chosen.
    s.styleforge(&export).ends(2).says("already exists").says("--force");
    let chosen = ["--force", "--size", "64x48", "--tensors", "float"];
    let run = s.styleforge(&[&export[..], &chosen].concat()).ends(0);
    assert!(run.text().contains("maxShapes=IMAGE:8x3x48x64"));
    let config = read("models/tensorrt/tiny/config.pbtxt");
    assert!(config.contains("data_type: TYPE_FP32 dims: [ 3, 48, 64 ]"), "{config}");
}

#[test]
fn unsupported_exports_are_refused_with_a_remedy() {
    let s = Sandbox::new();
    let export = |arguments: &[&str]| {
        s.styleforge(&[&["export", "-o", "out.onnx"], arguments].concat()).ends(2)
    };
    export(&[]).says("<STYLE|--style-picture <FILE[:WEIGHT]>>");
    export(&["cand"]).says("did you mean candy?");
    export(&["./tiny.safetensors", "--precision", "int8"]).says("fp32");
    export(&["./tiny.safetensors", "--model", "lite"]).says("leave out --model");
    assert!(!s.path("out.onnx").exists());
}
