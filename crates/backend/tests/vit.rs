//! The network for any style picture, compared with PyTorch (`tests/golden/generate_transformer.py`).

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

#[path = "../../../tests/support/home.rs"]
mod home;
#[path = "../../../tests/support/packed.rs"]
mod packed;

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    sync::{Arc, OnceLock},
};

use backend::{Backend, RunControl, SessionSpec, cpu::CpuBackend};
use network::{
    Network,
    models::vit::{Spec, State, StyleCode, Transformer, TransformerError},
};
use oracle::Map;
use safetensors::SafeTensors;
use values::{
    frame::Frame,
    mode::{Mode, Precision, Variant},
    tensor::Tensor,
};

/// Maximum error of the oracle, which computes in float64 from values stored in single precision, in levels or
/// relative.
const ORACLE_LIMIT: f64 = 2e-3;
/// The same for the CPU, in levels of pictures.
const PROCESSOR_LIMIT: f64 = 2e-2;

struct Golden {
    transformer: Transformer,
    tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
}

/// The tensors of a golden file, and its metadata.
type Stored = (BTreeMap<String, (Vec<usize>, Vec<f32>)>, HashMap<String, String>);

fn stored(name: &str) -> Stored {
    static FILES: OnceLock<HashMap<String, Vec<u8>>> = OnceLock::new();
    let files = FILES.get_or_init(|| {
        let folder = crate::home::project().join("tests/golden");
        packed::files(&folder.join("transformer.tar.xz"))
    });
    let bytes = &files[&format!("{name}.safetensors")];
    let file = SafeTensors::deserialize(bytes).expect("safetensors");
    let (_, metadata) = SafeTensors::read_metadata(bytes).expect("a head");
    let tensors = (file.iter())
        .map(|(name, view)| {
            let numbers =
                view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
            (name.to_owned(), (view.shape().to_vec(), numbers.collect()))
        })
        .collect();
    (tensors, metadata.metadata().clone().expect("metadata"))
}

/// A picture of whole levels.
fn frame_of((shape, values): &(Vec<usize>, Vec<f32>)) -> Frame {
    let (height, width) = (shape[2], shape[3]);
    Frame::from_fn(width, height, |x, y| {
        let level = |c: usize| values[(c * height + y) * width + x] as u8;
        [level(0), level(1), level(2), 255]
    })
}

impl Golden {
    fn read(name: &str) -> Self {
        let (tensors, metadata) = stored(name);
        let spec = Spec::from_json(&metadata["spec"]).expect("sizes");
        let state: State = (spec.weights().into_iter())
            .map(|(name, shape)| {
                let (stored, values) = &tensors[&name];
                assert_eq!(stored, &shape, "{name}");
                (name, values.clone())
            })
            .collect();
        Self { transformer: Transformer::new(spec, state).expect("all weights"), tensors }
    }

    fn frame(&self, name: &str) -> Frame {
        frame_of(&self.tensors[name])
    }

    fn values(&self, name: &str) -> &[f32] {
        &self.tensors[name].1
    }
}

fn largest(values: impl Iterator<Item = f64>, expected: &[f32]) -> f64 {
    let expected = expected.iter().map(|&v| f64::from(v));
    let off = values.zip(expected).map(|(a, b)| (a - b).abs());
    // NaN must not count as no error.
    off.fold(0.0, |most: f64, off| if off <= most { most } else { off })
}

fn doubles(tensor: &Tensor) -> impl Iterator<Item = f64> + '_ {
    tensor.data.iter().map(|&v| f64::from(v))
}

/// The code of a picture from the oracle's tokens.
fn code(transformer: &Transformer, picture: &Frame) -> StyleCode {
    let map = transformer.style_map(picture);
    let read = Map {
        channels: 3,
        height: map.shape.height,
        width: map.shape.width,
        data: doubles(&map).collect(),
    };
    let network = transformer.style_graph().expect("a graph");
    let made = oracle::judge_maps(&network, &[read]).expect("a size that fits");
    let mut tokens =
        Tensor::zeros(values::tensor::Shape::new(made.channels, made.height, made.width));
    for (to, from) in tokens.data.iter_mut().zip(&made.data) {
        *to = *from as f32;
    }
    transformer.code(&tokens).expect("a code")
}

/// The picture before clamping, from the CPU.
fn processed(network: &Arc<Network>, photo: &Frame, variant: Variant) -> Tensor {
    let backend = CpuBackend::new(Some(2)).expect("threads");
    let mode = Mode::new(variant, Precision::Fp32);
    let spec = SessionSpec::single(photo.width(), photo.height(), mode);
    backend
        .open(network, &spec)
        .expect("a session")
        .inspect()
        .expect("a look into it")
        .run_tensor(photo, &RunControl::default(), None)
        .expect("a run")
}

#[test]
fn it_paints_what_pytorch_paints() {
    for name in ["transformer_plain", "transformer_any"] {
        let golden = Golden::read(name);
        let transformer = &golden.transformer;
        let code = code(transformer, &golden.frame("picture"));
        let own = code.values.iter().map(|&v| f64::from(v));
        let off = largest(own, golden.values("code"));
        assert_eq!(code.values.len(), golden.values("code").len(), "{name}");
        assert!(off < ORACLE_LIMIT, "{name}: the code is off by {off:.1e}");

        let photo = golden.frame("photo");
        let network = Arc::new(transformer.network(&code).expect("a network"));
        let expected = golden.values("output");
        let judged = oracle::judge(&network, &photo).output;
        let off = largest(judged.data.iter().copied(), expected);
        println!("{name}: the oracle is off by {off:.1e} levels");
        assert!(off < ORACLE_LIMIT, "{name}: the oracle is off by {off:.1e} levels");
        for variant in [Variant::Baseline, Variant::Fused] {
            let off = largest(doubles(&processed(&network, &photo, variant)), expected);
            println!("{name}: {variant} is off by {off:.1e} levels");
            assert!(off < PROCESSOR_LIMIT, "{name}: {variant} is off by {off:.1e} levels");
        }
    }
}

/// nano, small, base and large at full size, with random weights that are not stored.
#[test]
fn plain_networks_paint_what_pytorch_paints() {
    let (tensors, _) = stored("whole");
    let (photo, picture) = (frame_of(&tensors["photo"]), frame_of(&tensors["picture"]));
    for (name, _, spec) in Spec::plain_ones() {
        let transformer = Transformer::made_up(spec).expect("sizes that go together");
        let code = processed_code(&transformer, &picture, Variant::Fused);
        let own = code.values.iter().map(|&v| f64::from(v));
        let off = largest(own, &tensors[&format!("{name}.code")].1);
        assert!(off < ORACLE_LIMIT, "{name}: the code is off by {off:.1e}");

        let network = Arc::new(transformer.network(&code).expect("a network"));
        let (shape, expected) = &tensors[&format!("{name}.output")];
        let step = photo.width().div_ceil(shape[3]);
        let hold = |what: &str, values: Vec<f64>, limit: f64| {
            let rows = values.chunks_exact(photo.width());
            let kept = rows.flat_map(|row| row.iter().step_by(step).copied());
            assert_eq!(kept.clone().count(), expected.len(), "{name} {what}");
            let off = largest(kept, expected);
            println!("{name}: {what} is off by {off:.1e} levels");
            assert!(off < limit, "{name}: {what} is off by {off:.1e} levels");
        };
        for variant in [Variant::Baseline, Variant::Fused] {
            let made = doubles(&processed(&network, &photo, variant)).collect();
            hold(variant.name(), made, PROCESSOR_LIMIT);
        }
        // The oracle computes every product separately, which is slow.
        if name == "nano" {
            hold("the oracle", oracle::judge(&network, &photo).output.data, ORACLE_LIMIT);
        }
    }
}

/// As many tokens as nano is designed for; the golden pictures of whole networks have four.
#[test]
fn nano_paints_what_the_oracle_paints_at_its_own_size() {
    let [(_, image, spec), ..] = Spec::plain_ones();
    assert_eq!((image / spec.stride).pow(2), 64);
    let transformer = Transformer::made_up(spec).expect("sizes that go together");
    let picture = |red: usize, green: usize| {
        Frame::from_fn(image, image, |x, y| {
            let wave = |a: usize, b: usize| ((x * a + y * b + x * y / 16) % 256) as u8;
            [wave(red, 1), wave(1, green), wave(2, 3), 255]
        })
    };
    let (style, photo) = (picture(3, 5), picture(7, 2));
    let made = processed_code(&transformer, &style, Variant::Fused);
    let expected = code(&transformer, &style);
    let own = made.values.iter().map(|&v| f64::from(v));
    let off = largest(own, &expected.values);
    assert!(off < ORACLE_LIMIT, "the code is off by {off:.1e}");

    let network = Arc::new(transformer.network(&expected).expect("a network"));
    let judged: Vec<f32> =
        oracle::judge(&network, &photo).output.data.iter().map(|&v| v as f32).collect();
    for variant in [Variant::Baseline, Variant::Fused] {
        let off = largest(doubles(&processed(&network, &photo, variant)), &judged);
        println!("{variant} is off by {off:.1e} levels");
        assert!(off < PROCESSOR_LIMIT, "{variant} is off by {off:.1e} levels");
    }
}

/// The code of a picture from the CPU's tokens.
fn processed_code(transformer: &Transformer, picture: &Frame, variant: Variant) -> StyleCode {
    let map = transformer.style_map(picture);
    let network = Arc::new(transformer.style_graph().expect("a graph"));
    let backend = CpuBackend::new(Some(2)).expect("threads");
    let mode = Mode::new(variant, Precision::Fp32);
    let spec = SessionSpec::single(map.shape.width, map.shape.height, mode);
    let mut session = backend.open(&network, &spec).expect("a session");
    let inspected = session.inspect().expect("a look into it");
    let tokens = inspected.run_maps(std::slice::from_ref(&map)).expect("tokens");
    transformer.code(&tokens).expect("a code")
}

#[test]
fn the_processor_finds_the_same_code() {
    let golden = Golden::read("transformer_any");
    let transformer = &golden.transformer;
    for variant in [Variant::Baseline, Variant::Fused] {
        let code = processed_code(transformer, &golden.frame("picture"), variant);
        let own = code.values.iter().map(|&v| f64::from(v));
        let off = largest(own, golden.values("code"));
        assert!(off < ORACLE_LIMIT, "{variant}: off by {off:.1e}");
    }
}

#[test]
fn a_code_belongs_to_the_network_that_made_it() {
    let [first, second] = [64, 128].map(|dim| {
        let spec = Spec::plain(8, dim, dim / 64, 1, 32);
        Transformer::made_up(spec).expect("a network")
    });
    let code = first.made_up_code().expect("a code");
    assert!(first.network(&code).is_ok());
    let error = second.network(&code).expect_err("another's");
    assert!(matches!(error, TransformerError::OtherNetwork { .. }), "{error}");
    let own = second.made_up_code().expect("a code");
    assert_eq!(StyleCode::mixed(&[(&code, 1.0), (&own, 1.0)]), None);
    // With equal sizes, another value makes another network.
    let mut state: State = (first.spec().weights().into_iter())
        .map(|(name, _)| (name.clone(), first.values(&name).expect("there").to_vec()))
        .collect();
    let again = Transformer::new(first.spec().clone(), state.clone()).expect("the same");
    assert_eq!(again.id(), first.id());
    state.get_mut("head.pixels.bias").expect("there")[3] += 0.5;
    let third = Transformer::new(first.spec().clone(), state).expect("another");
    assert!(third.network(&code).is_err());
}

/// The shapes in a state dict determine the sizes of a plain network.
#[test]
fn plain_networks_are_recognised_by_the_shapes_of_their_weights() {
    for (name, _, spec) in Spec::plain_ones() {
        let shapes: BTreeMap<String, Vec<usize>> = spec.weights().into_iter().collect();
        let spec_of_shapes = Spec::from_shapes(|weight| shapes.get(weight).map(Vec::as_slice));
        assert_eq!(spec_of_shapes.as_ref().map(Spec::plain_name), Ok(Some(name)));
        assert_eq!(spec_of_shapes, Ok(spec));
    }
    let shapes =
        |dim| Spec::plain(32, dim, 1, 1, 64).weights().into_iter().collect::<BTreeMap<_, _>>();
    for (wrong, words) in [(shapes(96), "do not divide the 96"), (BTreeMap::new(), "stem.patches")]
    {
        let refused = Spec::from_shapes(|weight| wrong.get(weight).map(Vec::as_slice));
        let error = refused.expect_err("no sizes").to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn codes_mix_by_their_weights() {
    let golden = Golden::read("transformer_any");
    let of = |picture: &Frame| code(&golden.transformer, picture);
    let (first, second) = (of(&golden.frame("picture")), of(&golden.frame("photo")));
    assert_eq!(StyleCode::mixed(&[(&first, 3.0), (&second, 0.0)]).as_ref(), Some(&first));
    let half = StyleCode::mixed(&[(&first, 2.0), (&second, 2.0)]).expect("a mix");
    for ((half, a), b) in half.values.iter().zip(&first.values).zip(&second.values) {
        assert!((half - (a + b) / 2.0).abs() < 1e-6);
    }
    assert_eq!(StyleCode::mixed(&[]), None);
    assert_eq!(StyleCode::mixed(&[(&first, 0.0)]), None);
    assert_eq!(StyleCode::mixed(&[(&first, f64::NAN)]), None);
    golden.transformer.network(&half).expect("a network");
}

/// Names and sides of whole networks, as in PyTorch's state dicts.
#[test]
fn names_and_sides_are_pytorchs() {
    let path = crate::home::project().join("tests/golden/transformer_keys.json");
    let text = fs::read_to_string(path).expect("names");
    let keys: BTreeMap<String, BTreeMap<String, Vec<usize>>> =
        serde_json::from_str(&text).expect("JSON");
    let [(name, _, nano), ..] = Spec::plain_ones();
    let own: BTreeMap<String, Vec<usize>> = nano.weights().into_iter().collect();
    assert_eq!(own, keys[name]);
    for (larger, image, spec) in Spec::plain_ones() {
        spec.check().expect("sizes that go together");
        assert!(image.is_multiple_of(spec.stride));
        // For nano, sides of 128, 384 and 512 are a token's channels, those of queries, keys and values together, and
        // those of a feed-forward part; 3072 is the number of values in a patch.
        let side = |px: &usize| match px {
            128 => spec.dim,
            384 => 3 * spec.dim,
            512 => spec.ffn,
            3 | 32 | 3072 => *px,
            other => panic!("{other} is no side of nano"),
        };
        let mut expected = BTreeMap::new();
        for (key, shape) in &keys[name] {
            let shape: Vec<usize> = shape.iter().map(side).collect();
            let parts: Vec<&str> = key.splitn(3, '.').collect();
            match parts[..] {
                [coder @ ("encoder" | "decoder"), "0", rest] => {
                    let blocks = match coder {
                        "encoder" => spec.encoder_blocks,
                        _ => spec.decoder_blocks,
                    };
                    for block in 0..blocks {
                        expected.insert(format!("{coder}.{block}.{rest}"), shape.clone());
                    }
                }
                ["encoder" | "decoder", ..] => {}
                _ => {
                    expected.insert(key.clone(), shape);
                }
            }
        }
        let own: BTreeMap<String, Vec<usize>> = spec.weights().into_iter().collect();
        assert_eq!(own, expected, "{larger}");
    }
}

#[test]
fn files_without_a_network_are_refused() {
    let golden = Golden::read("transformer_any");
    let (spec, state) = (golden.transformer.spec().clone(), |name: &str| {
        let mut state: State = spec_state(&golden);
        state.remove(name);
        state
    });
    let missing = Transformer::new(spec.clone(), state("head.skip.weight"));
    assert_eq!(missing, Err(TransformerError::Missing("head.skip.weight".to_owned())));
    let mut short = state("");
    short.insert("style_norm.bias".to_owned(), vec![0.0; 3]);
    assert!(matches!(
        Transformer::new(spec.clone(), short),
        Err(TransformerError::Length { needed: 32, got: 3, .. })
    ));
    for change in [
        |spec: &mut Spec| spec.heads = 5,
        |spec: &mut Spec| spec.heads = 0,
        |spec: &mut Spec| spec.stride = 0,
        |spec: &mut Spec| spec.stride = 1 << 40,
        |spec: &mut Spec| spec.dim = 0,
        |spec: &mut Spec| spec.dim = usize::MAX,
        |spec: &mut Spec| spec.ffn = 1 << 50,
        |spec: &mut Spec| spec.encoder_blocks = 1 << 50,
        |spec: &mut Spec| spec.modulation = 1 << 50,
    ] {
        let mut other = spec.clone();
        change(&mut other);
        assert!(other.check().is_err(), "{other:?}");
    }
    for text in ["", "{}", "[1]", r#"{"stride": -1}"#] {
        assert!(Spec::from_json(text).is_err(), "{text}");
    }
}

fn spec_state(golden: &Golden) -> State {
    golden
        .transformer
        .spec()
        .weights()
        .into_iter()
        .map(|(name, _)| (name.clone(), golden.values(&name).to_vec()))
        .collect()
}
