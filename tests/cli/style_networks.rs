//! The user's own networks for style pictures: imported, used, distinguished, refused.

use std::{borrow::Cow, collections::HashMap, fs, sync::OnceLock};

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde_json::Value;

use crate::{
    packed,
    sandbox::{Run, Sandbox},
};

const STYLE: &str = "--style-picture";
const NETWORK: &str = "--style-network";

/// A file of `tests/golden/generate_style_networks.py`.
fn file(name: &str) -> &'static [u8] {
    static FILES: OnceLock<HashMap<String, Vec<u8>>> = OnceLock::new();
    let files = FILES.get_or_init(|| {
        let golden = crate::home::project().join("tests/golden");
        packed::files(&golden.join("style_networks.tar.xz"))
    });
    &files[name]
}

/// A sandbox with a picture and files of networks.
fn with(names: &[&str]) -> Sandbox {
    let s = Sandbox::new();
    s.photo("painting.png", 40, 26);
    for name in names {
        fs::write(s.path(name), file(name)).expect("written");
    }
    s
}

fn paint(s: &Sandbox, to: &str, arguments: &[&str]) -> Run {
    s.styleforge(&[&["stylize", "photo.png", "-o", to], arguments].concat())
}

#[test]
fn a_network_is_kept_and_paints_with_pictures_by_its_name() {
    let s = with(&["plain.pth", "plain_legacy.pth", "plain_half_module.pth"]);
    let run = s.styleforge(&["styles", "import", "plain.pth", "--name", "My Net"]).ends(0);
    assert!(run.text().contains("--style-network my_net"), "{}", run.text());
    paint(&s, "kept.png", &[STYLE, "painting.png", NETWORK, "my_net"]).ends(0);
    paint(&s, "built_in.png", &[STYLE, "painting.png"]).ends(0);
    assert!(
        s.read("kept.png") != s.read("built_in.png") && s.read("kept.png") != s.read("photo.png")
    );
    for name in ["plain.pth", "plain_legacy.pth", "plain_half_module.pth"] {
        let to = format!("{name}.png");
        paint(&s, &to, &[STYLE, "painting.png", NETWORK, name]).ends(0);
        assert!(s.read(&to) == s.read("kept.png"), "{name}");
    }
    let listed = s.styleforge(&["styles", "--json"]).ends(0).json();
    assert_eq!(listed["networks"], serde_json::json!(["my_net"]));
    assert!(s.styleforge(&["styles"]).ends(0).text().contains("my_net"));
    for taken in ["my_net", "tiny"] {
        s.stylize(&["photo.png", "-o", "x.png", "--force"]).ends(0);
        let run = s.styleforge(&["styles", "import", "tiny.safetensors", "--name", taken]);
        assert_eq!(run.failed(), taken == "my_net", "{taken}");
    }
    s.styleforge(&["styles", "import", "plain.pth", "--name", "tiny"]).ends(1).says("--name");
    s.styleforge(&["styles", "remove", "my_net"]).ends(0);
    paint(&s, "gone.png", &[STYLE, "painting.png", NETWORK, "my_net"]).ends(2).says("any");
}

#[test]
fn files_of_train_any_are_read_in_both_number_types() {
    let s = with(&["small.safetensors", "small8.safetensors"]);
    s.styleforge(&["styles", "import", "small.safetensors"]).ends(1).says("--name");
    for (name, file) in [("mine", "small.safetensors"), ("mine8", "small8.safetensors")] {
        s.styleforge(&["styles", "import", file, "--name", name]).ends(0);
        let to = format!("{name}.png");
        paint(&s, &to, &[STYLE, "painting.png", NETWORK, name]).ends(0);
        assert!(s.read(&to) != s.read("photo.png"));
    }
}

#[test]
fn a_file_says_which_network_it_is() {
    let s = with(&["plain.pth", "small8.safetensors"]);
    let facts = s.styleforge(&["inspect", "plain.pth", "--json"]).ends(0).json();
    assert_eq!(facts["family"], "network for style pictures");
    assert_eq!(facts["refused"], Value::Null);
    let network = &facts["style_network"];
    for (key, value) in [("token_px", 8), ("dim", 64), ("heads", 1), ("ffn", 32)] {
        assert_eq!(network[key], value, "{key}");
    }
    assert_eq!(network["blocks"], serde_json::json!([1, 1, 0]));
    let text = s.styleforge(&["inspect", "small8.safetensors"]).ends(0).text();
    for words in ["network for style pictures", "16x16 pixels, 32 channels, 1 heads", "can be used"]
    {
        assert!(text.contains(words), "{text}");
    }
    s.styleforge(&["styles", "import", "plain.pth"]).ends(0);
    let by_name = s.styleforge(&["inspect", "plain", "--json"]).ends(0).json();
    assert_eq!(by_name["style_network"], *network);
    // A network for style pictures is not a style.
    paint(&s, "x.png", &["--style", "plain"]).ends(2).says("--style-network plain");
    paint(&s, "x.png", &["--style", "./plain.pth"]).ends(2).says("--style-network NAME");
}

#[test]
fn a_kept_picture_belongs_to_its_network() {
    let s = with(&["plain.pth", "small.safetensors"]);
    s.styleforge(&["styles", "import", "plain.pth", "--name", "mine"]).ends(0);
    let import = ["styles", "import", "painting.png", "--name", "harvest", NETWORK];
    s.styleforge(&[&import[..], &["./plain.pth"]].concat())
        .ends(2)
        .says("import the network of the style picture first");
    s.styleforge(&[&import[..], &["mine"]].concat()).ends(0);
    paint(&s, "given.png", &[STYLE, "painting.png", NETWORK, "mine"]).ends(0);
    paint(&s, "kept.png", &["--style", "harvest"]).ends(0);
    assert!(s.read("kept.png") == s.read("given.png"));
    let facts = s.styleforge(&["inspect", "harvest", "--json"]).ends(0).json();
    assert_eq!(facts["metadata"]["network"], "mine");
    // A second import still keeps only a code of a few kilobytes.
    let kept = "home/.local/share/styleforge/styles/harvest/full.safetensors";
    s.styleforge(&["styles", "import", kept, "--name", "again"]).ends(0);
    let again = kept.replace("harvest", "again");
    assert!(fs::metadata(s.path(&again)).expect("there").len() < 4096);
    paint(&s, "again.png", &["--style", "again"]).ends(0);
    assert!(s.read("again.png") == s.read("given.png"));
    // Another network under the same name, then no network.
    s.styleforge(&["styles", "remove", "mine"]).ends(0);
    s.styleforge(&["styles", "import", "small.safetensors", "--name", "mine"]).ends(0);
    paint(&s, "x.png", &["--style", "harvest"])
        .ends(2)
        .says("another version of the network mine")
        .says("import the picture again");
    s.styleforge(&["styles", "remove", "mine"]).ends(0);
    paint(&s, "x.png", &["--style", "harvest"]).ends(2).says("named mine");
}

#[test]
fn reserved_names_are_not_accepted() {
    let s = with(&["plain.pth"]);
    for name in ["any", "nano", "large", "!"] {
        s.styleforge(&["styles", "import", "plain.pth", "--name", name]).ends(1).says("--name");
    }
    for (network, words) in
        [("nano", "random weights"), ("none", "named none"), ("photo.png", "not a checkpoint")]
    {
        paint(&s, "x.png", &[STYLE, "painting.png", NETWORK, network]).ends(2).says(words);
    }
    paint(&s, "x.png", &["--style", "tiny.safetensors", NETWORK, "plain.pth"]).ends(2).says(STYLE);
    s.styleforge(&["styles", "import", "tiny.safetensors", NETWORK, "plain.pth"])
        .ends(2)
        .says("not");
}

/// A tensor that is written again.
#[derive(Clone)]
struct Tensor {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl safetensors::View for &Tensor {
    fn dtype(&self) -> Dtype {
        self.dtype
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }
    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

type Tensors = HashMap<String, Tensor>;
type Metadata = HashMap<String, String>;

/// A network's file with one change.
fn changed(name: &str, change: impl Fn(&mut Tensors, &mut Metadata)) -> Vec<u8> {
    let (_, head) = SafeTensors::read_metadata(file(name)).expect("a head");
    let mut metadata = head.metadata().clone().unwrap_or_default();
    let read = SafeTensors::deserialize(file(name)).expect("well formed");
    let tensor = |view: TensorView<'_>| Tensor {
        dtype: view.dtype(),
        shape: view.shape().to_vec(),
        bytes: view.data().to_vec(),
    };
    let mut tensors: Tensors =
        read.tensors().into_iter().map(|(key, view)| (key, tensor(view))).collect();
    change(&mut tensors, &mut metadata);
    safetensors::serialize(&tensors, Some(metadata)).expect("written")
}

fn resized(tensors: &mut Tensors, name: &str, shape: &[usize]) {
    let count: usize = shape.iter().product();
    let tensor = tensors.get_mut(name).expect("there");
    let bytes = tensor.bytes.len() / tensor.shape.iter().product::<usize>();
    tensor.shape = shape.to_vec();
    tensor.bytes.resize(count * bytes, 0);
}

fn respecified(metadata: &mut Metadata, from: &str, to: &str) {
    let spec = metadata.get_mut("network").expect("sizes");
    assert!(spec.contains(from), "{spec}");
    *spec = spec.replace(from, to);
}

#[test]
fn damaged_networks_are_refused_by_name() {
    let s = with(&[]);
    type Change = fn(&mut Tensors, &mut Metadata);
    let cases: [(&str, Change, &str); 13] = [
        ("small", |t, _| drop(t.remove("style_norm.bias")), "missing style_norm.bias"),
        (
            "small",
            |t, _| {
                let one = t["style_norm.bias"].clone();
                t.insert("extra.weight".to_owned(), one);
            },
            "unexpected extra.weight",
        ),
        ("small", |t, _| resized(t, "style_norm.bias", &[31]), "style_norm.bias has shape [31]"),
        (
            "small",
            |t, _| {
                t.get_mut("code_norms.bias").expect("there").bytes[..2].copy_from_slice(&[0, 0x7e]);
            },
            "code_norms.bias contains NaN",
        ),
        (
            "small",
            |t, _| {
                t.get_mut("code_norms.bias").expect("there").dtype = Dtype::I16;
            },
            "code_norms.bias is stored as int16",
        ),
        ("small", |_, m| drop(m.remove("network")), "heads"),
        (
            "small",
            |_, m| respecified(m, "\"heads\": 1", "\"heads\": 5"),
            "5 heads do not divide 32",
        ),
        ("small", |_, m| respecified(m, "\"heads\": 1", "\"heads\": 0"), "0 heads"),
        ("small", |_, m| respecified(m, "\"dim\": 32", "\"dim\": 99999999"), "channels"),
        ("small", |_, m| respecified(m, "\"stride\": 16", "\"stride\": \"x\""), "cannot be read"),
        (
            "small8",
            |t, _| drop(t.remove("code_hidden.weight.scale")),
            "missing code_hidden.weight.scale",
        ),
        (
            "small8",
            |t, _| resized(t, "code_hidden.weight.scale", &[3]),
            "code_hidden.weight.scale has shape [3]",
        ),
        (
            "small8",
            |t, _| {
                t.get_mut("code_hidden.weight.scale").expect("there").bytes[..2]
                    .copy_from_slice(&[0, 0x7c]);
            },
            "code_hidden.weight.scale contains inf",
        ),
    ];
    for (name, change, words) in cases {
        let damaged = changed(&format!("{name}.safetensors"), change);
        fs::write(s.path("damaged.safetensors"), damaged).expect("written");
        s.styleforge(&["styles", "import", "damaged.safetensors", "--name", "mine"])
            .ends(1)
            .says(words);
        s.styleforge(&["inspect", "damaged.safetensors"]).ends(1).says(words);
        paint(&s, "x.png", &[STYLE, "painting.png", NETWORK, "damaged.safetensors"])
            .ends(2)
            .says(words);
    }
    fs::write(s.path("whole.safetensors"), changed("small.safetensors", |_, _| {}))
        .expect("written");
    s.styleforge(&["styles", "import", "whole.safetensors", "--name", "mine"]).ends(0);
}

#[test]
fn networks_are_measured_and_checked_by_their_sizes_alone() {
    let s = with(&["plain.pth"]);
    let small = ["--device", "cpu", "--threads", "1", "--json"];
    let bench = ["bench", "--size", "64x40", "--frames", "1", "--warmup", "0", NETWORK];
    let fused = ["--variant", "fused"];
    for name in ["nano", "small", "base", "large"] {
        let report = s.styleforge(&[&bench[..], &[name], &fused, &small].concat()).ends(0).json();
        assert_eq!(report["results"][0]["style"], name, "{report}");
    }
    s.styleforge(&[&bench[..], &["nano", "--model", "lite"], &small].concat())
        .ends(2)
        .says("--model");
    let compare = [
        "compare",
        "baseline fp32",
        "fused fp32",
        "--size",
        "64x40",
        "--frames",
        "1",
        "--warmup",
        "0",
    ];
    s.styleforge(&[&compare[..], &[NETWORK, "plain.pth"], &small].concat()).ends(0);
    for subject in [
        &[NETWORK, "nano"][..],
        &[STYLE, "painting.png"],
        &[STYLE, "painting.png", NETWORK, "plain.pth"],
    ] {
        let report = s.styleforge(&[&["check"], subject, &small].concat()).ends(0).json();
        assert_eq!(report["passed"], true, "{report}");
        assert_eq!(report["checks"].as_array().map(Vec::len), Some(2), "{report}");
    }
}
