//! Any ONNX picture network: a corpus of networks with ONNX Runtime's results for a picture, and of graphs that must be
//! refused by name. `tests/onnx/generate.py` made them and documents their index.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

#[path = "onnx/exports.rs"]
mod exports;
#[path = "../../../tests/support/home.rs"]
mod home;
#[path = "../../../tests/support/onnx_archive.rs"]
mod onnx_archive;
#[path = "../../../tests/support/onnx_files/mod.rs"]
mod onnx_files;

use std::{collections::HashMap, sync::OnceLock};

use backend::{Backend, RunControl, SessionSpec, cpu::CpuBackend};
use network::{
    Weights,
    graph::{Graph, Op},
};
use oracle::Map;
use safetensors::SafeTensors;
use serde::Deserialize;
use values::{
    frame::Frame,
    mode::{Mode, Precision, Variant},
};
use weights::{
    ChannelOrder, Checkpoint, PixelChoice, PixelFormat, PixelRange, StorageType, WeightsError,
    with_levels,
};

use onnx_archive::files;

/// Minimum agreement with ONNX Runtime, in decibels of the output's range.
const MIN_PSNR_DB: f64 = 60.0;

#[derive(Deserialize)]
struct Networks {
    networks: Vec<Network>,
}

#[derive(Deserialize)]
struct RefusedFiles {
    refused: Vec<Refused>,
}

#[derive(Deserialize)]
struct Network {
    name: String,
    outcome: String,
    order: String,
    input_range: String,
    output_range: String,
    input_known: String,
    output_known: String,
    scale: usize,
    #[serde(default)]
    tolerance: Tolerance,
    references: Vec<Reference>,
}

/// How close a result must be to ONNX Runtime's.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Tolerance {
    /// [`MIN_PSNR_DB`].
    #[default]
    Exact,
    /// One level after rounding.
    Level,
    /// Two levels after rounding, and at most 1 % of the levels differ.
    Quantised,
    /// Nine levels after rounding.
    Dynamic,
}

#[derive(Deserialize)]
struct Reference {
    height: usize,
    width: usize,
    output_height: usize,
    output_width: usize,
    tensor: String,
}

#[derive(Deserialize)]
struct Refused {
    name: String,
    names: Vec<String>,
}

/// Networks, and ONNX Runtime's results for them.
struct Corpus {
    networks: Vec<Network>,
    files: HashMap<String, Vec<u8>>,
}

impl Corpus {
    fn open(archive: &str) -> Self {
        let files = files("networks", archive);
        let Networks { networks } = onnx_archive::index(&files);
        Self { networks, files }
    }

    fn expected(&self) -> SafeTensors<'_> {
        SafeTensors::deserialize(&self.files["expected.safetensors"]).expect("well formed")
    }

    fn picture(&self, height: usize, width: usize) -> Frame {
        let expected = self.expected();
        let tensor = expected.tensor(&format!("picture.{height}x{width}")).expect("a picture");
        let levels = tensor.data();
        Frame::from_fn(width, height, |x, y| {
            let at = 3 * (y * width + x);
            [levels[at], levels[at + 1], levels[at + 2], 255]
        })
    }
}

/// The networks of all frameworks.
fn networks() -> &'static Corpus {
    static CORPUS: OnceLock<Corpus> = OnceLock::new();
    CORPUS.get_or_init(|| Corpus::open("networks.tar.xz"))
}

/// The choice that the user has to make: values that the index has and the file does not.
fn choice(network: &Network) -> PixelChoice {
    let range = |known: &str, range: &str| {
        (known == "nothing").then(|| range.parse::<PixelRange>().expect("a range"))
    };
    PixelChoice {
        input: range(&network.input_known, &network.input_range),
        output: range(&network.output_known, &network.output_range),
        order: match network.order.as_str() {
            "bgr" if network.input_known == "nothing" => Some(ChannelOrder::Bgr),
            _ => None,
        },
    }
}

/// The picture before clamping, from the oracle or the CPU.
fn made(checkpoint: &Checkpoint, photo: &Frame, variant: Option<Variant>) -> Map {
    let Some(variant) = variant else {
        return oracle::judge(&checkpoint.network, photo).output;
    };
    static PROCESSOR: OnceLock<CpuBackend> = OnceLock::new();
    let processor = PROCESSOR.get_or_init(|| CpuBackend::new(Some(2)).expect("threads"));
    let mode = Mode::new(variant, Precision::Fp32);
    let spec = SessionSpec::single(photo.width(), photo.height(), mode);
    let mut session = processor.open(&checkpoint.network, &spec).expect("a session");
    let inspected = session.inspect().expect("a look into it");
    let tensor = inspected.run_tensor(photo, &RunControl::default(), None).expect("a run");
    Map {
        channels: tensor.shape.channels,
        height: tensor.shape.height,
        width: tensor.shape.width,
        data: tensor.data.iter().map(|&v| f64::from(v)).collect(),
    }
}

/// How a network's picture agrees with a stored result.
struct Agreement {
    psnr_db: f64,
    /// The largest difference of levels after rounding.
    most_levels: f64,
    /// Share of levels that differ after rounding.
    differing: f64,
}

impl Agreement {
    fn is_within(&self, tolerance: Tolerance) -> bool {
        match tolerance {
            Tolerance::Exact => self.psnr_db >= MIN_PSNR_DB,
            Tolerance::Level => self.most_levels <= 1.0,
            Tolerance::Dynamic => self.most_levels <= 9.0,
            Tolerance::Quantised => self.most_levels <= 2.0 && self.differing <= 0.01,
        }
    }
}

impl std::fmt::Display for Agreement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { psnr_db, most_levels, differing } = self;
        write!(f, "{psnr_db:.1} dB, {most_levels} levels off, {:.2} % differ", 100.0 * differing)
    }
}

fn agreement(
    corpus: &Corpus,
    checkpoint: &Checkpoint,
    network: &Network,
    reference: &Reference,
    variant: Option<Variant>,
) -> Agreement {
    // A network that enlarges reads the mean of `times` x `times` pixels.
    let read = corpus.picture(reference.height, reference.width);
    let times = network.scale;
    let (width, height) = (times * read.width(), times * read.height());
    let photo = Frame::from_fn(width, height, |x, y| read.pixel(x / times, y / times));
    let made = made(checkpoint, &photo, variant);
    let expected = corpus.expected();
    let tensor = expected.tensor(&reference.tensor).expect("a result");
    let levels: Vec<f64> = (tensor.data().chunks_exact(2))
        .map(|v| f64::from(i16::from_le_bytes([v[0], v[1]])) / 4.0)
        .collect();
    // The stored pixels of every plane: those whose row and column add up to a multiple of 3.
    let (rows, columns) = (reference.output_height, reference.output_width);
    let stored = (0..3 * rows * columns)
        .map(|at| (at / (rows * columns), at / columns % rows, at % columns))
        .filter(|(_, y, x)| (x + y) % 3 == 0);
    assert_eq!(levels.len(), stored.clone().count());
    let (mut squares, mut count, mut most_levels, mut differing) = (0.0, 0, 0.0f64, 0);
    let rounded = |level: f64| level.clamp(0.0, 255.0).round();
    for ((c, y, x), level) in stored.zip(levels) {
        if y < made.height && x < made.width {
            let own = made.data[(c * made.height + y) * made.width + x];
            squares += (own - level) * (own - level);
            count += 1;
            let off = (rounded(own) - rounded(level)).abs();
            most_levels = most_levels.max(off);
            // Results are stored in quarters, which may round to another level.
            differing += u32::from(off > 0.0 && (own - level).abs() > 0.125);
        }
    }
    let mean = squares / f64::from(count);
    Agreement {
        psnr_db: 10.0 * (255.0 * 255.0 / mean.max(1e-12)).log10(),
        most_levels,
        differing: f64::from(differing) / f64::from(count),
    }
}

#[test]
fn every_network_makes_what_onnx_runtime_makes() {
    make_what_onnx_runtime_makes(networks());
}

#[test]
fn networks_of_recent_exporters_make_what_onnx_runtime_makes() {
    make_what_onnx_runtime_makes(&Corpus::open("exporters.tar.xz"));
}

fn make_what_onnx_runtime_makes(corpus: &Corpus) {
    let mut wrong = Vec::new();
    for network in &corpus.networks {
        let bytes = &corpus.files[&format!("{}.onnx", network.name)];
        let read = Checkpoint::from_bytes_as(bytes, choice(network));
        let checkpoint = match read {
            Ok(checkpoint) => checkpoint,
            Err(WeightsError::Graph(_)) if network.outcome == "run_or_refuse" => continue,
            Err(error) => {
                wrong.push(format!("{}: {error}", network.name));
                continue;
            }
        };
        // Saved as a style, it is the same network.
        let saved = checkpoint.to_safetensors().expect("written");
        let again = Checkpoint::from_bytes(&saved).expect("read again");
        if checkpoint.storage == StorageType::F32 && again.network != checkpoint.network {
            wrong.push(format!("{}: another network once it is kept", network.name));
        }
        for reference in &network.references {
            let size = format!("{}x{}", reference.width, reference.height);
            for variant in [None, Some(Variant::Baseline), Some(Variant::Fused)] {
                let agreement = agreement(corpus, &checkpoint, network, reference, variant);
                let line = format!("{:32} {size:>8} {variant:?}: {agreement}", network.name);
                println!("{line}");
                // The oracle's float64 does not round to the integers that fp32 rounds to.
                let is_comparable =
                    variant.is_some() || !matches!(network.tolerance, Tolerance::Quantised);
                if is_comparable && !agreement.is_within(network.tolerance) {
                    wrong.push(line);
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn unsupported_networks_are_refused_by_name() {
    let files = files("networks", "refused.tar.xz");
    let mut wrong = Vec::new();
    let RefusedFiles { refused } = onnx_archive::index(&files);
    for refused in &refused {
        let bytes = &files[&format!("{}.onnx", refused.name)];
        let choice = PixelChoice {
            input: Some(PixelRange::Bytes),
            output: Some(PixelRange::Bytes),
            order: None,
        };
        match Checkpoint::from_bytes_as(bytes, choice) {
            Ok(_) => wrong.push(format!("{}: was read", refused.name)),
            Err(error) => {
                let text = error.to_string().to_lowercase();
                println!("{:36} {error}", refused.name);
                if let Some(name) = refused.names.iter().find(|n| !text.contains(&n.to_lowercase()))
                {
                    wrong.push(format!("{}: no word of {name}: {error}", refused.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// A network that returns its input.
fn identity() -> network::Network {
    let mut graph = Graph::default();
    let photo = graph.add("photo", "", Op::Photo, &[]).expect("a source");
    graph.add("picture", "", Op::Picture, &[photo]).expect("an input");
    network::Network::new(graph, Weights::default()).expect("no weights")
}

#[test]
fn an_identity_network_returns_the_photo() {
    let photo = Frame::from_fn(4, 3, |x, y| [(60 * x) as u8, (100 * y) as u8, 255, 9]);
    for &range in PixelRange::ALL {
        for order in [ChannelOrder::Rgb, ChannelOrder::Bgr] {
            let format = PixelFormat { input: range, output: range, order };
            let network = with_levels(identity(), format).expect("a network");
            let made = oracle::judge(&network, &photo).picture(&photo);
            assert_eq!(made, photo, "{range} {order}");
        }
    }
}

#[test]
fn values_are_what_their_names_say() {
    let format = |input, order| PixelFormat { input, output: PixelRange::Bytes, order };
    let photo = Frame::from_fn(1, 1, |_, _| [255, 0, 51, 255]);
    for (format, values) in [
        (format(PixelRange::Unit, ChannelOrder::Rgb), [1.0, 0.0, 0.2]),
        (format(PixelRange::Signed, ChannelOrder::Rgb), [1.0, -1.0, -0.6]),
        // Written in the order of a photo.
        (format(PixelRange::Unit, ChannelOrder::Bgr), [1.0, 0.0, 0.2]),
        (
            format(PixelRange::ImageNet, ChannelOrder::Rgb),
            [0.515 / 0.229, -0.456 / 0.224, -0.206 / 0.225],
        ),
    ] {
        let network = with_levels(identity(), format).expect("a network");
        let made = oracle::judge(&network, &photo).output.data;
        for (made, value) in made.iter().zip(values) {
            assert!((made - value).abs() < 1e-6, "{format:?}: {made} {value}");
        }
    }
}

/// The checkpoint of a file whose pictures have levels; it must be unchanged after saving.
fn read_and_kept(file: &[u8]) -> Checkpoint {
    let levels = PixelChoice {
        input: Some(PixelRange::Bytes),
        output: Some(PixelRange::Bytes),
        order: None,
    };
    let checkpoint = Checkpoint::from_bytes_as(file, levels).expect("a network");
    let saved = checkpoint.to_safetensors().expect("written");
    let again = Checkpoint::from_bytes(&saved).expect("read again");
    assert_eq!(again.network, checkpoint.network);
    checkpoint
}

/// Compares the results of the oracle and the CPU for a photo with `of`, a function of channel, row, column and level.
fn hold_against(
    checkpoint: &Checkpoint,
    photo: &Frame,
    of: impl Fn(usize, usize, usize, f64) -> f64,
) {
    for variant in [None, Some(Variant::Baseline), Some(Variant::Fused)] {
        let made = made(checkpoint, photo, variant);
        assert_eq!((made.height, made.width), (photo.height(), photo.width()));
        for c in 0..3 {
            for y in 0..made.height {
                for x in 0..made.width {
                    let wanted = of(c, y, x, f64::from(photo.pixel(x, y)[c]));
                    let own = made.data[(c * made.height + y) * made.width + x];
                    let place = format!("{variant:?} at {c} {y} {x}");
                    assert!((own - wanted).abs() < 1e-3, "{place}: {own}, not {wanted}");
                }
            }
        }
    }
}

/// The larger channels hold almost everything, however far apart the numbers are.
#[test]
fn softmax_is_relative_to_the_largest_channel() {
    let photo = Frame::from_fn(3, 1, |x, _| [250, 0, [10, 249, 250][x], 255]);
    let graph = onnx_files::Graph::default()
        .tensor(&onnx_files::floats("scale", &[10.0]))
        .node("Mul", &["x", "scale"], "logits", &[])
        .node("Softmax", &["logits"], "y", &[onnx_files::attribute("axis").int(3, 1)]);
    let checkpoint = read_and_kept(&graph.file_of_size(&[1, 3, 0, 0]));
    let rest = (-10f64).exp();
    hold_against(&checkpoint, &photo, |c, _, x, _| match (c, x) {
        (0, 0) => 1.0,
        (0, 1) => 1.0 / (1.0 + rest),
        (2, 1) => rest / (1.0 + rest),
        (0 | 2, 2) => 0.5,
        _ => 0.0,
    });
}

/// A side of 0 hides a product that is too large.
#[test]
fn weights_are_not_spread_to_impossible_shapes() {
    let graph = onnx_files::Graph::default()
        .tensor(&onnx_files::floats("one", &[1.0]))
        .tensor(&onnx_files::ints("sides", &[0, 1 << 40, 1 << 40]))
        .node("Expand", &["one", "sides"], "spread", &[])
        .node("Add", &["x", "spread"], "y", &[]);
    let error = Checkpoint::from_bytes(&graph.file_of_size(&[1, 3, 0, 0])).expect_err("refused");
    assert!(error.to_string().contains("weights of different shapes"), "{error}");
}

#[test]
fn constants_may_differ_from_pixel_to_pixel() {
    let (height, width) = (6, 10);
    let photo = networks().picture(40, 56);
    let photo = Frame::from_fn(width, height, |x, y| photo.pixel(3 * x, 5 * y));
    let values: Vec<f32> = (0..3 * height * width).map(|i| (i % 17) as f32).collect();
    let sides = [1, 3, height as i64, width as i64];
    let planes = onnx_files::tensor("planes", onnx_files::FLOAT, &sides);
    let columns: Vec<f32> = (0..width).map(|x| 1.0 - x as f32 / 100.0).collect();
    let graph = onnx_files::Graph::default()
        .tensor(&planes.packed_floats(4, &values))
        .tensor(&onnx_files::floats("columns", &columns))
        .node("Mul", &["x", "columns"], "faded", &[])
        .node("Sub", &["planes", "faded"], "y", &[]);
    let checkpoint = read_and_kept(&graph.file_of_size(&sides));
    assert_eq!(checkpoint.network.graph().fixed_size(), Some([6, 10]));
    hold_against(&checkpoint, &photo, |c, y, x, level| {
        let plane = values[(c * height + y) * width + x];
        f64::from(plane) - level * f64::from(columns[x])
    });
}

#[test]
fn blocks_of_pixels_become_consecutive_channels() {
    let (height, width) = (8i64, 12i64);
    let photo = networks().picture(40, 56);
    let photo = Frame::from_fn(width as usize, height as usize, |x, y| photo.pixel(2 * x, 3 * y));
    let cut = [1, height / 2, 2, width / 2, 2, 3];
    let moved = [1, height / 2, width / 2, 2, 2, 3];
    let order = onnx_files::attribute("perm");
    let order = [(order.int(20, 7)).packed_ints(8, &[0, 1, 3, 2, 4, 5])];
    let factors: Vec<f32> = (1..=12).map(|i| i as f32 / 4.0).collect();
    let graph = onnx_files::Graph::default()
        .tensor(&onnx_files::ints("cut", &cut))
        .tensor(&onnx_files::ints("moved", &moved))
        .tensor(&onnx_files::ints("deep", &[1, height / 2, width / 2, 12]))
        .tensor(&onnx_files::ints("whole", &[1, height, width, 3]))
        .tensor(&onnx_files::floats("factors", &factors))
        .node("Reshape", &["x", "cut"], "blocks", &[])
        .node("Transpose", &["blocks"], "ordered", &order)
        .node("Reshape", &["ordered", "deep"], "channels", &[])
        .node("Mul", &["channels", "factors"], "scaled", &[])
        .node("Reshape", &["scaled", "moved"], "parts", &[])
        .node("Transpose", &["parts"], "rows", &order)
        .node("Reshape", &["rows", "whole"], "y", &[]);
    let checkpoint = read_and_kept(&graph.file_of_size(&[1, height, width, 3]));
    let ops = checkpoint.network.graph().nodes().iter();
    let moves = ops.filter(|node| {
        matches!(node.op, Op::SpaceToDepth { block: 2 } | Op::DepthToSpace { block: 2, .. })
    });
    assert_eq!(moves.count(), 2);
    hold_against(&checkpoint, &photo, |c, y, x, level| {
        level * f64::from(factors[(y % 2 * 2 + x % 2) * 3 + c])
    });
}

/// A graph with the numbers from which quantised tests are built: scales, and zero points of both 8-bit types.
fn quantised_graph() -> onnx_files::Graph {
    use onnx_files::{FLOAT, INT8, UINT8, tensor};
    let number = |name: &str, value: f32| tensor(name, FLOAT, &[]).packed_floats(4, &[value]);
    onnx_files::Graph::default()
        .tensor(&number("one", 1.0))
        .tensor(&number("half", 0.5))
        .tensor(&number("middle", 128.0))
        .tensor(&tensor("zero", UINT8, &[]).bytes(9, &[0]))
        .tensor(&tensor("signed zero", INT8, &[]).bytes(9, &[0]))
}

/// A node of the operators that ONNX Runtime adds.
fn runtime_node(operator: &str, inputs: &[&str], output: &str) -> onnx_files::Message {
    let axis = onnx_files::attribute("axis").int(3, 1);
    onnx_files::node(operator, inputs, output, &[axis]).text(7, "com.microsoft")
}

fn with_node(graph: onnx_files::Graph, node: &onnx_files::Message) -> onnx_files::Graph {
    onnx_files::Graph(graph.0.message(1, node))
}

/// The same integers may be concatenated with two scales, and values may have any name.
#[test]
fn a_quantised_concat_keeps_its_inputs_apart() {
    let photo = Frame::from_fn(4, 1, |x, _| [60 * x as u8, 7, 255, 255]);
    for name in ["result", "first", "value", "q"] {
        let inputs = ["one", "zero", name, "one", "zero", name, "half", "zero"];
        let graph = quantised_graph()
            .tensor(&onnx_files::ints("start", &[0]))
            .tensor(&onnx_files::ints("end", &[3]))
            .tensor(&onnx_files::ints("axes", &[1]))
            .node("QuantizeLinear", &["x", "one", "zero"], name, &[]);
        let graph = with_node(graph, &runtime_node("QLinearConcat", &inputs, "both"))
            .node("Slice", &["both", "start", "end", "axes"], "whole", &[])
            .node("DequantizeLinear", &["whole", "one", "zero"], "y", &[]);
        let checkpoint = read_and_kept(&graph.file_of_size(&[1, 3, 0, 0]));
        hold_against(&checkpoint, &photo, |_, _, _, level| level);
    }
}

/// A zero point of int8 makes integers below zero, also when it is stored in another shape.
#[test]
fn integers_have_the_type_of_their_zero_point() {
    let photo = Frame::from_fn(4, 1, |x, _| [80 * x as u8, 7, 255, 255]);
    let nothing = onnx_files::ints("no sides", &[]);
    for (operator, inputs) in [("", &[][..]), ("Identity", &[]), ("Reshape", &["no sides"])] {
        let mut graph = quantised_graph().tensor(&nothing);
        let mut zero = "signed zero";
        if !operator.is_empty() {
            graph = graph.node(operator, &[&[zero], inputs].concat(), "same zero", &[]);
            zero = "same zero";
        }
        let graph = graph
            .node("Sub", &["x", "middle"], "centred", &[])
            .node("QuantizeLinear", &["centred", "one", zero], "q", &[])
            .node("DequantizeLinear", &["q", "one", zero], "d", &[])
            .node("Add", &["d", "middle"], "y", &[]);
        let checkpoint = read_and_kept(&graph.file_of_size(&[1, 3, 0, 0]));
        hold_against(&checkpoint, &photo, |_, _, _, level| level);
    }
}

/// Without a zero point, the integers of a quantised operator may have a sign or not.
#[test]
fn a_quantised_operator_without_a_zero_point_is_refused() {
    let graph = quantised_graph().node("Sub", &["x", "middle"], "centred", &[]).node(
        "QuantizeLinear",
        &["centred", "one", "signed zero"],
        "q",
        &[],
    );
    let add = runtime_node("QLinearAdd", &["q", "one", "", "q", "one", "", "one", ""], "sum");
    let graph = with_node(graph, &add).node("DequantizeLinear", &["sum", "one", "zero"], "y", &[]);
    let error = Checkpoint::from_bytes(&graph.file_of_size(&[1, 3, 0, 0])).expect_err("refused");
    let text = error.to_string();
    assert!(text.contains("QLinearAdd 'sum' has no zero point"), "{text}");
}

#[test]
fn two_functions_of_one_name_are_refused() {
    let function =
        |operator: &str| onnx_files::function("F", &[onnx_files::node(operator, &["x"], "y", &[])]);
    let graph = with_node(onnx_files::Graph::default(), &onnx_files::call("F", "x", "y"));
    let file = onnx_files::with_functions(graph.file(), &[function("Relu"), function("Neg")]);
    let text = Checkpoint::from_bytes(&file).expect_err("refused").to_string();
    assert!(text.contains("two functions named 'F'"), "{text}");
}

/// A function in a branch is as deep as a function in a function.
#[test]
fn functions_are_nested_to_a_maximum_depth() {
    use onnx_files::{Message, attribute, call, function, node};
    let nested = |count: usize| {
        let one = |i: usize| {
            let inner = Message::default()
                .message(1, &call(&format!("F{}", i + 1), "x", "b"))
                .message(12, &Message::default().text(1, "b"));
            let branch = attribute("then_branch").message(6, &inner);
            let yes = attribute("value_int").int(3, 1);
            let nodes = [node("Constant", &[], "c", &[yes]), node("If", &["c"], "y", &[branch])];
            function(&format!("F{i}"), &nodes)
        };
        let mut functions: Vec<Message> = (0..count).map(one).collect();
        functions.push(function(&format!("F{count}"), &[node("Relu", &["x"], "y", &[])]));
        let graph = with_node(onnx_files::Graph::default(), &call("F0", "x", "y"));
        onnx_files::with_functions(graph.file_of_size(&[1, 3, 0, 0]), &functions)
    };
    let photo = Frame::from_fn(4, 1, |x, _| [80 * x as u8, 7, 255, 255]);
    hold_against(&read_and_kept(&nested(31)), &photo, |_, _, _, level| level);
    let text = Checkpoint::from_bytes(&nested(32)).expect_err("refused").to_string();
    assert!(text.contains("is in 64 other functions"), "{text}");
}

/// Operators that ONNX Runtime no longer has, or whose integers depend on the picture, by their definitions.
#[test]
fn operators_make_what_their_definitions_say() {
    use onnx_files::{FLOAT, Graph, UINT8, attribute, floats, ints, node, tensor};
    let number = |name: &str, value: f32| tensor(name, FLOAT, &[]).packed_floats(4, &[value]);
    let bytes =
        |name: &str, sides: &[i64], values: &[u8]| tensor(name, UINT8, sides).bytes(9, values);
    // Twice the identity, as integers with a zero point of 3.
    let matrix = [5, 3, 3, 3, 5, 3, 3, 3, 5];
    let quantised = || {
        Graph::default()
            .tensor(&number("weight scale", 0.25))
            .tensor(&bytes("zero", &[], &[3]))
            .tensor(&bytes("zeros", &[3], &[3, 3, 3]))
    };
    let dynamic = |graph: Graph, of: &str| {
        let node = node("DynamicQuantizeLinear", &[of], "q", &[]).text(2, "s").text(2, "z");
        with_node(graph, &node).node("Mul", &["s", "weight scale"], "scale", &[])
    };
    let order = |order: &[i64]| attribute("perm").int(20, 7).packed_ints(8, order);
    let to_float = [attribute("to").int(3, FLOAT)];
    type Definition = fn(usize, f64, f64) -> f64;
    let cases: [(&str, Graph, Definition); 5] = [
        (
            "ImageScaler",
            Graph::default().node(
                "ImageScaler",
                &["x"],
                "y",
                &[
                    attribute("scale").int(20, 1).float(2, 0.5),
                    attribute("bias").int(20, 6).packed_floats(7, &[-1.0, 2.0, 3.5]),
                ],
            ),
            |channel, level, _| 0.5 * level + [-1.0, 2.0, 3.5][channel],
        ),
        (
            "Crop",
            Graph::default()
                .tensor(&ints("pads", &[0, 0, 2, 1, 0, 0, 4, 3]))
                .tensor(&number("nothing", 0.0))
                .node("Pad", &["x", "pads", "nothing"], "padded", &[])
                .node(
                    "Crop",
                    &["padded"],
                    "y",
                    &[attribute("border").int(20, 7).packed_ints(8, &[1, 2, 3, 4])],
                ),
            |_, level, _| level,
        ),
        (
            "ConvInteger",
            dynamic(quantised().tensor(&bytes("w", &[3, 3, 1, 1], &matrix)), "x")
                .node("ConvInteger", &["q", "w", "z", "zeros"], "i", &[])
                .node("Cast", &["i"], "f", &to_float)
                .node("Mul", &["f", "scale"], "y", &[]),
            |_, level, _| 0.5 * level,
        ),
        (
            "MatMulInteger",
            dynamic(
                quantised().tensor(&bytes("w", &[3, 3], &matrix)).node(
                    "Transpose",
                    &["x"],
                    "last",
                    &[order(&[0, 2, 3, 1])],
                ),
                "last",
            )
            .node("MatMulInteger", &["q", "w", "z", "zero"], "i", &[])
            .node("Cast", &["i"], "f", &to_float)
            .node("Mul", &["f", "scale"], "m", &[])
            .node("Transpose", &["m"], "y", &[order(&[0, 3, 1, 2])]),
            |_, level, _| 0.5 * level,
        ),
        (
            "Where with a mask of one channel",
            Graph::default()
                .tensor(&tensor("colour", FLOAT, &[1, 3, 1, 1]).packed_floats(4, &[9.0, 8.0, 7.0]))
                .tensor(&floats("limit", &[100.0]))
                .tensor(&ints("start", &[0]))
                .tensor(&ints("end", &[1]))
                .node("Slice", &["x", "start", "end", "end"], "red", &[])
                .node("Greater", &["red", "limit"], "mask", &[])
                .node("Where", &["mask", "colour", "x"], "y", &[]),
            |channel, level, red| if red > 100.0 { 9.0 - channel as f64 } else { level },
        ),
    ];
    let photo = Frame::from_fn(7, 5, |x, y| [(x * 36) as u8, (y * 50) as u8, 200, 255]);
    for (name, graph, definition) in cases {
        println!("{name}");
        let checkpoint = read_and_kept(&graph.file_of_size(&[1, 3, 0, 0]));
        hold_against(&checkpoint, &photo, |c, y, x, level| {
            definition(c, level, f64::from(photo.pixel(x, y)[0]))
        });
    }
}
