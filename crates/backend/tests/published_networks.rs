//! State dicts of published networks other than Johnson's, made and painted by PyTorch
//! (`tests/golden/generate_published.py`). They are recognised, painted the same by the reference and the CPU, saved as
//! styles, and refused by their keys if something is wrong.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

#[path = "../../../tests/support/home.rs"]
mod home;
#[path = "../../../tests/support/packed.rs"]
mod packed;

use std::{collections::HashMap, fs, sync::OnceLock};

use backend::{Backend, RunControl, SessionSpec, cpu::CpuBackend};
use network::{Network, models::rrmina::Published};
use safetensors::SafeTensors;
use values::{
    frame::Frame,
    mode::{Mode, Precision, Variant},
};
use weights::{
    ChannelOrder, Checkpoint, Choice, Family, PixelChoice, PixelRange, StyleLibrary, describe_bytes,
};

/// Maximum difference between the reference and PyTorch, relative to the largest value.
const MAX_DIFFERENCE: f64 = 1e-5;
/// Minimum agreement of the CPU with PyTorch, in decibels of 255 levels.
const MIN_PSNR_DB: f64 = 60.0;

/// Every file of the archive, with its family and which of rrmina's networks it is.
const FILES: [(&str, Family, Option<Published>); 10] = [
    ("yakhyo.pth", Family::Yakhyo, None),
    ("yakhyo_module_legacy.pth", Family::Yakhyo, None),
    ("plain.pth", Family::Rrmina, Some(Published::Plain)),
    ("plain_legacy.pth", Family::Rrmina, Some(Published::Plain)),
    ("plain_batch.pth", Family::Rrmina, Some(Published::Plain)),
    ("tanh.pth", Family::Rrmina, Some(Published::Tanh)),
    ("v2.pth", Family::Rrmina, Some(Published::V2)),
    ("resnext.pth", Family::Rrmina, Some(Published::ResNext)),
    ("dense.pth", Family::Rrmina, Some(Published::DenseNet)),
    ("unet.pth", Family::Rrmina, Some(Published::UNet)),
];

fn files() -> &'static HashMap<String, Vec<u8>> {
    static FILES: OnceLock<HashMap<String, Vec<u8>>> = OnceLock::new();
    FILES.get_or_init(|| {
        packed::files(&crate::home::project().join("tests/golden/published.tar.xz"))
    })
}

fn read(name: &str) -> Checkpoint {
    Checkpoint::from_bytes(&files()[name]).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn read_as(name: &str, network: Published) -> Checkpoint {
    let choice = Choice { network: Some(network), ..Choice::default() };
    Checkpoint::from_bytes_as(&files()[name], choice)
        .unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Values of a stored map, with its numbers of rows and columns.
fn stored(name: &str) -> (Vec<f64>, usize, usize) {
    let file = SafeTensors::deserialize(&files()["expected.safetensors"]).expect("well formed");
    let tensor = file.tensor(name).expect("it is there");
    let (numbers, rest) = tensor.data().as_chunks::<4>();
    assert!(rest.is_empty());
    let numbers = numbers.iter().map(|b| f64::from(f32::from_le_bytes(*b)));
    (numbers.collect(), tensor.shape()[2], tensor.shape()[3])
}

/// The photo that PyTorch painted with a file.
fn photo(file: &str) -> Frame {
    let (_, height, width) = stored(file);
    let (levels, ..) = stored(&format!("photo.{width}x{height}"));
    Frame::from_fn(width, height, |x, y| {
        let level = |c: usize| levels[(c * height + y) * width + x] as u8;
        [level(0), level(1), level(2), 255]
    })
}

/// The picture before clamping, from the reference.
fn judged(network: &Network, photo: &Frame) -> Vec<f64> {
    oracle::judge(network, photo).output.data
}

/// The same, from the CPU.
fn painted(checkpoint: &Checkpoint, photo: &Frame, variant: Variant) -> Vec<f64> {
    static PROCESSOR: OnceLock<CpuBackend> = OnceLock::new();
    let processor = PROCESSOR.get_or_init(|| CpuBackend::new(Some(2)).expect("threads"));
    let mode = Mode::new(variant, Precision::Fp32);
    let spec = SessionSpec::single(photo.width(), photo.height(), mode);
    let mut session = processor.open(&checkpoint.network, &spec).expect("a session");
    session
        .inspect()
        .expect("a look into it")
        .run_tensor(photo, &RunControl::default(), None)
        .expect("a run")
        .data
        .iter()
        .map(|&value| f64::from(value))
        .collect()
}

/// The largest difference relative to the largest value.
fn difference(made: &[f64], wanted: &[f64]) -> f64 {
    assert_eq!(made.len(), wanted.len());
    let largest = wanted.iter().fold(0.0f64, |most, value| most.max(value.abs()));
    let off = made.iter().zip(wanted).map(|(made, wanted)| (made - wanted).abs());
    off.fold(0.0f64, |most, d| if d.is_nan() { d } else { most.max(d) }) / largest
}

fn psnr_db(made: &[f64], wanted: &[f64]) -> f64 {
    let pairs = made.iter().zip(wanted);
    let squares: f64 = pairs.map(|(made, wanted)| (made - wanted).powi(2)).sum();
    10.0 * (255.0f64.powi(2) / (squares / wanted.len() as f64).max(1e-12)).log10()
}

#[test]
fn every_network_paints_what_pytorch_paints() {
    assert_eq!(files().len(), FILES.len() + 1);
    for (name, family, published) in FILES {
        let checkpoint = read(name);
        assert_eq!(checkpoint.family, family, "{name}");
        assert_eq!(
            checkpoint.metadata.get("network").map(String::as_str),
            published.map(Published::name),
            "{name}"
        );
        let (wanted, ..) = stored(name);
        let photo = photo(name);
        let off = difference(&judged(&checkpoint.network, &photo), &wanted);
        assert!(off < MAX_DIFFERENCE, "{name}: {off}");
        for variant in [Variant::Baseline, Variant::Fused] {
            let psnr_db = psnr_db(&painted(&checkpoint, &photo, variant), &wanted);
            println!("{name:26} {off:.1e} {variant} {psnr_db:.1} dB");
            assert!(psnr_db >= MIN_PSNR_DB, "{name}: {psnr_db:.1} dB");
        }
    }
}

#[test]
fn kept_as_a_style_it_is_the_same_network() {
    let root = tempfile::tempdir().expect("a folder");
    let mut library = StyleLibrary::open(&[], root.path().join("styles"));
    for (name, ..) in FILES {
        let file = root.path().join(name);
        fs::write(&file, &files()[name]).expect("written");
        let first = read(name);
        let style = library.keep(&first, &file, None).expect("imported");
        let (kept, ..) = style.load_or_lite(None).expect("read again");
        assert_eq!(kept.network, first.network, "{name}");
        assert_eq!(kept.family, Family::PictureNetwork, "{name}");
        // Assumptions are reported during import, and stored with the style.
        assert_eq!(style.assumed, first.assumed(), "{name}");
        assert_eq!(kept.assumed(), first.assumed(), "{name}");
        for (key, value) in &first.metadata {
            assert_eq!(kept.metadata.get(key), Some(value), "{name}");
        }
    }
}

#[test]
fn inspection_reports_the_family_the_operations_and_what_was_assumed() {
    let facts = describe_bytes(&files()["tanh.pth"]);
    assert_eq!(facts.refused, None);
    assert_eq!(facts.family, Some(Family::Rrmina));
    assert_eq!(facts.operations["tanh"], 1);
    assert_eq!(facts.operations["transposed convolution"], 2);
    assert_eq!(facts.metadata["network"], "TransformerNetworkTanh");
    assert_eq!(facts.metadata["channel_order"], "bgr");
    assert_eq!(
        facts.metadata["assumed"],
        "that it is TransformerNetworkTanh; if its paintings look wrong, import it with --network \
         TransformerNetwork or TransformerNetworkV2"
    );
    let facts = describe_bytes(&files()["yakhyo.pth"]);
    assert_eq!(facts.family, Some(Family::Yakhyo));
    // Two for each of its two blocks.
    assert_eq!(facts.operations["add"], 4);
    assert!(facts.metadata.is_empty(), "{:?}", facts.metadata);
    // Its names identify the network.
    let facts = describe_bytes(&files()["resnext.pth"]);
    assert!(!facts.metadata.contains_key("assumed"));
}

#[test]
fn the_users_choice_counts_more_than_an_assumption() {
    let photo = photo("tanh.pth");
    let (wanted, ..) = stored("tanh.pth");
    let plain = read_as("tanh.pth", Published::Plain);
    assert_eq!(plain.assumed(), None);
    let ended: Vec<f64> =
        (judged(&plain.network, &photo).iter()).map(|value| 150.0 * value.tanh()).collect();
    let off = difference(&ended, &wanted);
    assert!(off < MAX_DIFFERENCE, "{off}");
    let tanh = read_as("tanh.pth", Published::Tanh);
    assert_eq!(tanh.network, read("tanh.pth").network);

    // The same weights in blocks of another kind.
    let v2 = read_as("plain.pth", Published::V2);
    assert_ne!(v2.network, read("plain.pth").network);
    assert_eq!(v2.metadata["network"], "TransformerNetworkV2");
    let plain = read_as("v2.pth", Published::Plain);
    assert_eq!(plain.metadata["network"], "TransformerNetwork");
    assert_ne!(plain.network, read("v2.pth").network);

    // The user may also choose the input and output of the network.
    let rgb = Choice {
        pixels: PixelChoice { order: Some(ChannelOrder::Rgb), ..PixelChoice::default() },
        network: None,
    };
    let rgb = Checkpoint::from_bytes_as(&files()["plain.pth"], rgb).expect("read");
    assert!(!rgb.metadata.contains_key("channel_order"));
    let turned = |frame: &Frame| {
        Frame::from_fn(frame.width(), frame.height(), |x, y| {
            let [r, g, b, a] = frame.pixel(x, y);
            [b, g, r, a]
        })
    };
    let (wanted, ..) = stored("plain.pth");
    let mut made = judged(&rgb.network, &turned(&self::photo("plain.pth")));
    let color = made.len() / 3;
    let (first, rest) = made.split_at_mut(color);
    first.swap_with_slice(&mut rest[color..]);
    let off = difference(&made, &wanted);
    assert!(off < MAX_DIFFERENCE, "{off}");
    let unit =
        PixelChoice { input: Some(PixelRange::Unit), output: Some(PixelRange::Unit), order: None };
    let unit = Checkpoint::from_bytes_as(&files()["yakhyo.pth"], unit).expect("read");
    assert_eq!(unit.metadata["input_range"], "0..1");
}

#[test]
fn a_wrong_choice_of_the_user_is_refused() {
    for (name, said, found) in [
        ("resnext.pth", Published::Tanh, "TransformerResNextNetwork"),
        ("plain.pth", Published::UNet, "TransformerNetwork,"),
        ("yakhyo.pth", Published::Plain, "--network is not needed"),
    ] {
        let choice = Choice { network: Some(said), ..Choice::default() };
        let error = Checkpoint::from_bytes_as(&files()[name], choice);
        let text = error.expect_err("wrong").to_string();
        assert!(text.contains(said.name()) && text.contains(found), "{text}");
    }
    let kept = read("plain.pth").to_safetensors().expect("written");
    let choice = Choice { network: Some(Published::Tanh), ..Choice::default() };
    let text = Checkpoint::from_bytes_as(&kept, choice).expect_err("a graph").to_string();
    assert!(text.contains("a graph"), "{text}");
    assert!("Transformer".parse::<Published>().is_err());
    for &network in Published::ALL {
        assert_eq!(network.name().parse(), Ok(network));
    }
}

/// Keys and shapes of a file, in its order.
fn shapes(name: &str) -> Vec<(String, Vec<usize>)> {
    describe_bytes(&files()[name])
        .tensors
        .into_iter()
        .map(|tensor| (tensor.name, tensor.shape))
        .collect()
}

/// A safetensors file of these tensors, all of whose values are `value`.
fn file(tensors: &[(String, Vec<usize>)], value: f32) -> Vec<u8> {
    let mut entries = Vec::new();
    let mut data: Vec<u8> = Vec::new();
    for (name, shape) in tensors {
        let start = data.len();
        let count = shape.iter().product();
        data.extend(value.to_le_bytes().repeat(count));
        let end = data.len();
        entries.push(format!(
            r#""{name}":{{"dtype":"F32","shape":{shape:?},"data_offsets":[{start},{end}]}}"#
        ));
    }
    let header = format!("{{{}}}", entries.join(","));
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.bytes());
    file.extend(data);
    file
}

fn refusal(tensors: &[(String, Vec<usize>)], value: f32) -> String {
    let bytes = file(tensors, value);
    let text = Checkpoint::from_bytes(&bytes).expect_err("it does not fit").to_string();
    assert_eq!(describe_bytes(&bytes).refused, Some(text.clone()));
    text
}

#[test]
fn the_order_of_the_weights_decides_where_norms_are() {
    let mut tensors = shapes("v2.pth");
    let network = |tensors: &[(String, Vec<usize>)]| {
        Checkpoint::from_bytes(&file(tensors, 1.0)).expect("read").metadata["network"].clone()
    };
    assert_eq!(network(&tensors), "TransformerNetworkV2");
    tensors.sort();
    assert_eq!(network(&tensors), "TransformerNetwork");
}

#[test]
fn missing_and_unexpected_keys_are_named() {
    for (name, ..) in FILES {
        let tensors = shapes(name);
        for (lost, _) in &tensors {
            if lost.contains("running_") || lost.contains("num_batches") {
                continue;
            }
            let left: Vec<_> = tensors.iter().filter(|(key, _)| key != lost).cloned().collect();
            let text = refusal(&left, 0.5);
            let lost = lost.trim_start_matches("module.");
            assert!(text.contains("missing") && text.contains(lost), "{name}: {text}");
        }
        for extra in ["ConvBlock.1.conv_layer.weight", "in6.weight", "deconv3.1.bias", "ü"] {
            let mut more = tensors.clone();
            more.push((extra.to_owned(), vec![1]));
            let text = refusal(&more, 0.5);
            assert!(text.contains(&format!("unexpected {extra}")), "{name}: {text}");
        }
    }
    // Both changes at once.
    let mut tensors = shapes("plain.pth");
    tensors[0].0 = "ConvBlock.0.conv.weight".to_owned();
    let text = refusal(&tensors, 0.5);
    assert!(
        text.contains("missing ConvBlock.0.conv_layer.weight; unexpected ConvBlock.0.conv.weight"),
        "{text}"
    );
}

#[test]
fn wrong_shapes_are_named() {
    for (name, ..) in FILES {
        let tensors = shapes(name);
        for at in 0..tensors.len() {
            if tensors[at].0.contains("running_") || tensors[at].0.contains("num_batches") {
                continue;
            }
            let mut wrong = tensors.clone();
            let sides = wrong[at].1.len();
            // More input channels, or more values.
            let is_transposed = wrong[at].0.contains("transpose");
            wrong[at].1[usize::from(sides == 4 && !is_transposed)] += 1;
            let key = wrong[at].0.clone();
            let text = refusal(&wrong, 0.5);
            assert!(text.contains(&format!("{key} has shape")), "{name}: {key}: {text}");
        }
    }
    for (shape, needed) in [
        (vec![4, 3, 8, 8], "an odd side"),
        (vec![4, 3, 17, 17], "at most 15"),
        (vec![4, 3, 9, 7], "[out, 3, side, side]"),
        (vec![513, 3, 1, 1], "1 to 512 channels"),
        (vec![0, 3, 9, 9], "1 to 512 channels"),
        (vec![108], "[out, 3, side, side]"),
        (vec![], "[out, 3, side, side]"),
    ] {
        let mut tensors = shapes("plain.pth");
        tensors[0].1 = shape;
        let text = refusal(&tensors, 0.5);
        assert!(text.contains("ConvBlock.0.conv_layer.weight has shape"), "{text}");
        assert!(text.contains(needed), "{text}");
    }
}

#[test]
fn numbers_of_blocks_and_values_are_checked() {
    for (name, key) in [
        ("plain.pth", "ResidualBlock.9999.conv1.conv_layer.weight"),
        ("dense.pth", "DenseBlock.17.conv1.conv_layer.weight"),
        ("yakhyo.pth", "res17.conv1.conv2d.weight"),
    ] {
        let mut tensors = shapes(name);
        tensors.push((key.to_owned(), vec![1]));
        let text = refusal(&tensors, 0.5);
        assert!(text.contains("supported: 1 to 16"), "{text}");
    }
    // A block is missing between others.
    let mut tensors = shapes("plain.pth");
    for (key, _) in &mut tensors {
        *key = key.replace("ResidualBlock.1.", "ResidualBlock.2.");
    }
    let text = refusal(&tensors, 0.5);
    assert!(text.contains("missing ResidualBlock.1.conv1.conv_layer.weight"), "{text}");
    for value in [f32::NAN, f32::INFINITY] {
        let text = refusal(&shapes("yakhyo.pth"), value);
        assert!(text.contains("conv1.conv2d.weight contains"), "{text}");
    }
}

#[test]
fn other_layers_under_our_own_names_are_refused_by_their_keys() {
    // Johnson's network with StyleForge's own names and two residual blocks.
    let mut ours: Vec<(String, Vec<usize>)> = Vec::new();
    let mut layer = |name: String, conv: Vec<usize>| {
        ours.push((format!("{name}.norm.weight"), vec![conv[0]]));
        ours.push((format!("{name}.norm.bias"), vec![conv[0]]));
        ours.push((format!("{name}.conv.bias"), vec![conv[0]]));
        ours.push((format!("{name}.conv.weight"), conv));
    };
    layer("conv1".to_owned(), vec![2, 3, 9, 9]);
    layer("conv2".to_owned(), vec![3, 2, 3, 3]);
    layer("conv3".to_owned(), vec![4, 3, 3, 3]);
    for block in 0..2 {
        for conv in 1..=2 {
            layer(format!("residual_blocks.{block}.conv{conv}"), vec![4, 4, 3, 3]);
        }
    }
    layer("deconv1".to_owned(), vec![3, 4, 3, 3]);
    layer("deconv2".to_owned(), vec![2, 3, 3, 3]);
    ours.push(("deconv3.1.weight".to_owned(), vec![3, 2, 9, 9]));
    ours.push(("deconv3.1.bias".to_owned(), vec![3]));
    let read = Checkpoint::from_bytes(&file(&ours, 0.5)).expect("it fits");
    assert_eq!(read.family, Family::StyleForge);
    let with = |key: &str, shape: &[usize]| {
        let mut changed = ours.clone();
        match changed.iter_mut().find(|(own, _)| own == key) {
            Some((_, own)) => *own = shape.to_vec(),
            None => changed.push((key.to_owned(), shape.to_vec())),
        }
        refusal(&changed, 0.5)
    };
    let key = "residual_blocks.1.conv2.conv.weight";
    // A depthwise convolution, and a 1x1 convolution among 3x3 ones.
    let text = with(key, &[4, 1, 3, 3]);
    assert!(text.contains(&format!("{key} has shape [4, 1, 3, 3]")), "{text}");
    let text = with(key, &[4, 4, 1, 1]);
    assert!(text.contains(&format!("{key} has shape [4, 4, 1, 1]")), "{text}");
    for key in [
        "residual_blocks.0.norm1.weight",
        "residual_blocks.0.conv1.depthwise.weight",
        "residual_blocks.0.conv3.conv.weight",
    ] {
        let text = with(key, &[4]);
        assert!(text.contains(&format!("unexpected {key}")), "{text}");
    }
}
