//! The operations of a graph as nodes of ONNX. Maps are batch x channels x rows x columns.
//!
//! An operation is written as lines of text, one for each node: a name, the operator, its inputs and its attributes, as in
//! `y = Softmax x axis=-1`. The last line is the result and needs no name. Inputs are names, numbers, and lists in
//! brackets.

use std::collections::HashMap;

use half::f16;

use super::{
    super::wire::Message,
    Export, ExportError, INPUT, OUTPUT, Sizes, VALUE_PREFIX,
    messages::{self, FLOAT, FLOAT16, INT64, UINT8},
};
use crate::{error::shortened, tensor::encoded};
use network::graph::{
    Arithmetic, BlockOrder, Conv, Function, Graph, Node, Op, PadMode, Pool, Sides,
    resize::{Coordinates, Interpolation, Resize, Rounding, Target},
};

/// The fields of ONNX's message of a graph.
const NODE: u64 = 1;
const TENSOR: u64 = 5;

/// Names of an operation's inputs, in their order; a concatenation may have more.
const INPUTS: [&str; 3] = ["x", "y", "z"];

/// Appends the nodes of a graph to a message.
pub struct Writer<'a> {
    /// ONNX's message of the graph.
    pub made: Message,
    graph: &'a Graph,
    export: Export,
    /// Number of values without a name of their own.
    count: usize,
    /// The photo before it is extended.
    photo: String,
}

impl<'a> Writer<'a> {
    pub fn new(graph: &'a Graph, export: Export) -> Self {
        Self { made: Message::default(), graph, export, count: 0, photo: String::new() }
    }

    /// Appends all nodes. `module` is the name of a node's weights.
    ///
    /// # Errors
    /// [`ExportError::Operation`] names a node that ONNX does not have.
    pub fn graph(&mut self, module: impl Fn(&Node) -> String) -> Result<(), ExportError> {
        let mut names: Vec<String> = Vec::new();
        for node in self.graph.nodes() {
            let given: Vec<String> = node.inputs.iter().map(|&id| names[id].clone()).collect();
            if node.op == Op::Photo {
                let number_type = self.number_type();
                let line = if self.export.has_float_pixels {
                    format!("Cast {INPUT} to={number_type}")
                } else {
                    format!("x = Cast {INPUT} to={number_type}\nTranspose x perm=[0,3,1,2]")
                };
                self.photo = self.lines(HashMap::new(), &line);
            }
            let mut scope: HashMap<&str, String> = INPUTS.into_iter().zip(given.clone()).collect();
            let module = module(node);
            // The photo itself reads no map.
            scope.entry("x").or_insert_with(|| self.photo.clone());
            scope.insert("photo", self.photo.clone());
            scope.insert("weight", format!("{module}.weight"));
            scope.insert("bias", format!("{module}.bias"));
            let text = self.text(node)?;
            names.push(match node.op {
                Op::InstanceNorm { .. } if given[0] != given[1] => {
                    return Err(lacking(node, "norm with the statistics of another map"));
                }
                Op::Concat { .. } => {
                    let numbered: Vec<String> = (0..given.len()).map(|n| format!("m{n}")).collect();
                    let scope = numbered.iter().map(String::as_str).zip(given).collect();
                    self.lines(scope, &format!("Concat {} axis=1", numbered.join(" ")))
                }
                _ if text.is_empty() => scope["x"].clone(),
                _ => self.lines(scope, &text),
            });
        }
        Ok(())
    }

    fn append(&mut self, field: u64, message: &Message) {
        self.made = std::mem::take(&mut self.made).message(field, message);
    }

    fn name(&mut self) -> String {
        self.count += 1;
        format!("{VALUE_PREFIX}{}", self.count)
    }

    /// The type of weights and maps.
    fn number_type(&self) -> i64 {
        if self.export.is_half { FLOAT16 } else { FLOAT }
    }

    /// Appends weights, biases or a number, in the precision of the maps.
    pub fn weights(&mut self, name: &str, dims: &[usize], values: &[f32]) {
        let bytes = encoded(values, self.export.is_half);
        self.append(TENSOR, &messages::tensor(name, self.number_type(), dims, &bytes));
    }

    /// The name of an input.
    fn input(&mut self, scope: &HashMap<&str, String>, word: &str) -> String {
        if let Some(name) = scope.get(word) {
            return name.clone();
        }
        let name = self.name();
        if let Ok(number) = word.parse::<f32>() {
            let most = if self.export.is_half { f16::MAX.to_f32() } else { f32::MAX };
            self.weights(&name, &[], &[number.clamp(-most, most)]);
        } else if let Some(values) = messages::numbers::<i64>(word) {
            let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            self.append(TENSOR, &messages::tensor(&name, INT64, &[values.len()], &bytes));
        } else if let Some(values) = messages::numbers::<f32>(word) {
            let bytes = encoded(&values, false);
            self.append(TENSOR, &messages::tensor(&name, FLOAT, &[values.len()], &bytes));
        } else {
            // The graph's own input, or `_` for an absent one.
            return word.trim_matches('_').to_owned();
        }
        name
    }

    /// Appends the nodes of some lines; returns the name of the last one's result.
    fn lines<'s>(&mut self, mut scope: HashMap<&'s str, String>, text: &'s str) -> String {
        let mut made = String::new();
        for line in text.lines() {
            let (name, call) = line.split_once(" = ").unwrap_or(("", line));
            let call = call.replace(", ", ",");
            let mut words = call.split(' ');
            let operator = words.next().unwrap_or_default();
            let (attributes, inputs): (Vec<&str>, Vec<&str>) =
                words.partition(|word| word.contains('='));
            let inputs: Vec<String> =
                inputs.into_iter().map(|word| self.input(&scope, word)).collect();
            made = if name == OUTPUT { OUTPUT.to_owned() } else { self.name() };
            self.append(NODE, &messages::node(operator, &inputs, &made, &attributes));
            scope.insert(name, made.clone());
        }
        made
    }

    /// The lines of an operation; none if its result is its input.
    fn text(&self, node: &Node) -> Result<String, ExportError> {
        let channels = || self.graph.channels(node.inputs[0]);
        Ok(match node.op {
            Op::Photo if self.export.sizes.is_own() => String::new(),
            Op::Photo => {
                let Sizes { add, multiple, plus, least, reflections, .. } = self.export.sizes;
                let reached = format!(
                    "own = Shape x start=2 end=4\nmore = Add own [{add}]\nsteps = Div more [{multiple}]\n\
                     whole = Mul steps [{multiple}]\nwhole = Add whole {plus:?}\nreached = Max whole [{least}]"
                );
                let extended = |most: &str, mode: &str| {
                    format!(
                        "\nown = Shape x start=2 end=4\nmore = Sub reached own\n{most}\nafter = Min more most\n\
                         pads = Concat [0,0,0,0,0,0] after axis=0\nx = Pad x pads mode={mode}"
                    )
                };
                // A single pixel has no other to reflect, and a reflection repeats all pixels but one.
                let doubled = if self.export.size.is_none_or(|(w, h)| w.min(h) == 1) {
                    extended("most = Sub [2] own\nmost = Max most [0]", "edge")
                } else {
                    String::new()
                };
                let reflected = extended("most = Sub own [1]", "reflect").repeat(reflections);
                format!("{reached}{doubled}{reflected}")
            }
            Op::Picture => {
                let crop = if self.export.sizes.is_cropped {
                    "ends = Shape photo start=2 end=4\nx = Slice x [0,0] ends [2,3]\n"
                } else {
                    ""
                };
                let end = if self.export.has_float_pixels {
                    format!("{OUTPUT} = Cast x to={FLOAT}")
                } else {
                    format!(
                        "x = Round x\nx = Transpose x perm=[0,2,3,1]\n{OUTPUT} = Cast x to={UINT8}"
                    )
                };
                format!("{crop}x = Clip x 0 255\n{end}")
            }
            Op::Input { .. } => return Err(lacking(node, "input of this kind")),
            // The photo is extended for a size. A norm computes the statistics of its map.
            Op::Sized(_) | Op::InstanceStatistics | Op::Concat { .. } => String::new(),
            Op::Constant(shape) => format!(
                "batch = Shape {INPUT} start=0 end=1\nsides = Concat batch [{},{},{}] axis=0\nExpand weight sides",
                shape.channels, shape.height, shape.width
            ),
            Op::Pad { mode, sides } => {
                let [before, after] = ends(sides);
                let mode = match mode {
                    PadMode::Reflect => "mode=reflect".to_owned(),
                    PadMode::Replicate => "mode=edge".to_owned(),
                    PadMode::Constant(value) => value.to_string(),
                };
                format!("pads = Concat [0,0] {before:?} [0,0] {after:?} axis=0\nPad x pads {mode}")
            }
            // TensorFlow's formula.
            Op::PadSame { reach, stride, is_same_upper } => {
                let more = stride.map(|px| px - 1);
                let rest = [0, 1].map(|axis| reach[axis] as i64 - stride[axis] as i64);
                let order = if is_same_upper { "less [0,0] rest" } else { "rest [0,0] less" };
                format!(
                    "own = Shape x start=2 end=4\nmore = Add own {more:?}\noutputs = Div more {stride:?}\n\
                     steps = Mul outputs {stride:?}\ncovered = Add steps {rest:?}\nzeros = Sub covered own\n\
                     zeros = Max zeros [0,0]\nless = Div zeros [2,2]\nrest = Sub zeros less\n\
                     pads = Concat [0,0] {order} axis=0\nPad x pads 0"
                )
            }
            Op::Conv2d(conv) => format!("Conv {}", convolved(conv)),
            Op::ConvTranspose2d { conv, cut, extra } => {
                let (pads, inputs) = (ends(cut).concat(), convolved(conv));
                format!("ConvTranspose {inputs} pads={pads:?} output_padding={extra:?}")
            }
            Op::InstanceNorm { eps } => {
                format!("InstanceNormalization x weight bias epsilon={eps:?}")
            }
            Op::LayerNorm { eps } => format!(
                "x = Transpose x perm=[0,2,3,1]\nx = LayerNormalization x weight bias axis=-1 epsilon={eps:?}\n\
                 Transpose x perm=[0,3,1,2]"
            ),
            Op::Attention { heads } => {
                let size = channels() / heads;
                let (factor, split) = (1.0 / (size as f64).sqrt(), format!("[0,{heads},{size},-1]"));
                format!(
                    "q = Mul x {factor}\nq = Reshape q {split}\nq = Transpose q perm=[0,1,3,2]\n\
                     k = Reshape y {split}\nscores = MatMul q k\nparts = Softmax scores axis=-1\n\
                     v = Reshape z {split}\nv = Transpose v perm=[0,1,3,2]\nmeans = MatMul parts v\n\
                     means = Transpose means perm=[0,1,3,2]\nshape = Shape x\nReshape means shape"
                )
            }
            Op::Positions => {
                let half = channels() / 2;
                let rate = |c: usize| 10_000f64.powf(-((c / 2 * 2) as f64) / half as f64) as f32;
                // A cosine is a sine a quarter turn later.
                let turn = |c: usize| [0.0, std::f32::consts::FRAC_PI_2][c % 2];
                let rates: Vec<f32> = (0..half).map(rate).collect();
                let turns: Vec<f32> = (0..half).map(turn).collect();
                let [rows, columns] = [0, 1].map(|axis| {
                    let (side, first, more) = (2 + axis, axis * half, ["[1]", "[0]"][axis]);
                    format!(
                        "side = Shape x start={side} end={}\nend = Squeeze side [0]\nzero = Squeeze [0] [0]\n\
                         one = Squeeze [1] [0]\nplaces = Range zero end one\nplaces = Cast places to={FLOAT}\n\
                         places = Unsqueeze places {more}\nrates = Unsqueeze {rates:?} [1,2]\n\
                         turns = Unsqueeze {turns:?} [1,2]\nangles = Mul places rates\nangles = Add angles turns\n\
                         waves = Sin angles\nwaves = Cast waves to={}\npart = Slice x [{first}] [{}] [1]\n",
                        side + 1,
                        self.number_type(),
                        first + half
                    )
                });
                format!("{rows}top = Add part waves\n{columns}rest = Add part waves\nConcat top rest axis=1")
            }
            Op::Affine => {
                "scale = Unsqueeze weight [1,2]\nshift = Unsqueeze bias [1,2]\nx = Mul x scale\nAdd x shift".to_owned()
            }
            Op::Relu => "Relu x".to_owned(),
            Op::Prelu => "slopes = Unsqueeze weight [1,2]\nPRelu x slopes".to_owned(),
            Op::Function(function) => match function {
                Function::LeakyRelu { slope } => format!("LeakyRelu x alpha={slope:?}"),
                Function::Elu { alpha } => format!("Elu x alpha={alpha:?}"),
                Function::HardSigmoid { alpha, beta } => {
                    format!("HardSigmoid x alpha={alpha:?} beta={beta:?}")
                }
                Function::Clip { least, most } => format!("Clip x {least} {most}"),
                Function::Gelu => format!(
                    "y = Mul x {}\ny = Erf y\ny = Add y 1\ny = Mul x y\nMul y 0.5",
                    std::f32::consts::FRAC_1_SQRT_2
                ),
                // The others are called as in ONNX.
                same => format!("{same:?} x"),
            },
            Op::Add | Op::Combine(Arithmetic::Sum) => "Add x y".to_owned(),
            Op::Combine(Arithmetic::Difference) => "Sub x y".to_owned(),
            Op::Combine(Arithmetic::Product) => "Mul x y".to_owned(),
            Op::Combine(Arithmetic::Quotient) => "Div x y".to_owned(),
            Op::Channels { first, count } => format!("Slice x [{first}] [{}] [1]", first + count),
            Op::Crop(sides) => {
                let [starts, after] = ends(sides);
                let ends = after.map(|px| if px == 0 { i64::MAX } else { -px });
                format!("Slice x {starts:?} {ends:?} [2,3]")
            }
            Op::Upsample => "Resize x _ [1.0,1.0,2.0,2.0] mode=nearest nearest_mode=floor \
                 coordinate_transformation_mode=asymmetric"
                .to_owned(),
            Op::Resize(how) => {
                resize(how).ok_or_else(|| lacking(node, "such positions of pixels"))?
            }
            Op::DepthToSpace { block, order } => {
                let mode = if order == BlockOrder::BlockFirst { "DCR" } else { "CRD" };
                format!("DepthToSpace x blocksize={block} mode={mode}")
            }
            Op::SpaceToDepth { block } => format!("SpaceToDepth x blocksize={block}"),
            Op::MaxPool(pool) => format!("MaxPool {}", pooled(pool)),
            Op::AveragePool { pool, counts_padding } => {
                format!("AveragePool {} count_include_pad={}", pooled(pool), u8::from(counts_padding))
            }
            Op::SpatialMean => "GlobalAveragePool x".to_owned(),
            Op::SpatialMax => "GlobalMaxPool x".to_owned(),
        })
    }
}

fn lacking(node: &Node, what: &'static str) -> ExportError {
    ExportError::Operation { node: shortened(&node.name), what }
}

/// Rows and columns before a map, and after it.
fn ends(sides: Sides) -> [[i64; 2]; 2] {
    [[sides.top, sides.left], [sides.bottom, sides.right]].map(|ends| ends.map(|px| px as i64))
}

/// The inputs and attributes of a convolution.
fn convolved(Conv { kernel, stride, dilation, groups, .. }: Conv) -> String {
    format!(
        "x weight bias kernel_shape={kernel:?} strides={stride:?} dilations={dilation:?} group={groups}"
    )
}

/// The input and attributes of a pooling.
fn pooled(Pool { kernel, stride, sides, is_ceil }: Pool) -> String {
    let (pads, is_ceil) = (ends(sides).concat(), u8::from(is_ceil));
    format!("x kernel_shape={kernel:?} strides={stride:?} pads={pads:?} ceil_mode={is_ceil}")
}

/// The lines of a resize; `None` if ONNX has no such positions.
fn resize(how: Resize) -> Option<String> {
    let Resize { mut interpolation, mut coordinates, target } = how;
    match coordinates {
        // It only differs from half pixels where the new size is rounded.
        Coordinates::HalfPixelSymmetric => {
            if matches!(target, Target::Scale(scales) if scales.iter().any(|s| s.fract() != 0.0)) {
                return None;
            }
            coordinates = Coordinates::HalfPixel;
        }
        Coordinates::TensorflowHalfPixel => {
            if interpolation != Interpolation::Nearest(Rounding::Floor) {
                return None;
            }
            // Half a pixel more, rounded down, is the nearest pixel.
            interpolation = Interpolation::Nearest(Rounding::PreferCeil);
            coordinates = Coordinates::HalfPixel;
        }
        _ => {}
    }
    if let Interpolation::Fit { beyond, is_centred } = interpolation {
        return fitted(beyond, is_centred, target);
    }
    let mode = match interpolation {
        Interpolation::Nearest(rounding) => format!("nearest nearest_mode={rounding}"),
        Interpolation::Linear => "linear".to_owned(),
        Interpolation::Cubic { a } => format!("cubic cubic_coeff_a={a:?}"),
        Interpolation::Fit { .. } => return None,
    };
    let (before, size) = match target {
        Target::Scale([rows, columns]) => {
            (String::new(), format!("[1.0,1.0,{rows:?},{columns:?}]"))
        }
        Target::Size(size) => {
            (format!("own = Shape x start=0 end=2\nsides = Concat own {size:?} axis=0\n"), "_ sides".to_owned())
        }
        Target::LikeOnAxis(_) | Target::MultipleOf(_) => return None,
        Target::Like => (
            "own = Shape x start=0 end=2\nlike = Shape y start=2 end=4\nsides = Concat own like axis=0\n".to_owned(),
            "_ sides".to_owned(),
        ),
    };
    Some(format!(
        "{before}Resize x _ {size} mode={mode} coordinate_transformation_mode={coordinates}"
    ))
}

/// The lines of a map that is cropped or padded to other rows or columns; `None` for both at once.
fn fitted(beyond: PadMode, is_centred: bool, target: Target) -> Option<String> {
    let (axis, like) = match target {
        Target::LikeOnAxis(axis) => (axis, None),
        Target::MultipleOf([px, 1]) => (0, Some(px)),
        Target::MultipleOf([1, px]) => (1, Some(px)),
        _ => return None,
    };
    let side = format!("start={} end={}", axis + 2, axis + 3);
    let like = match like {
        None => format!("like = Shape y {side}"),
        Some(px) => {
            format!("like = Add own [{}]\nlike = Div like [{px}]\nlike = Mul like [{px}]", px - 1)
        }
    };
    let share = if is_centred { "Div more [2]" } else { "Mul more [0]" };
    let (first, last) = if axis == 0 { ("[0,0]", " [0]") } else { ("[0,0,0]", "") };
    let mode = match beyond {
        PadMode::Constant(_) => "constant",
        PadMode::Replicate => "edge",
        PadMode::Reflect => "reflect",
    };
    Some(format!(
        "own = Shape x {side}\n{like}\nmore = Sub like own\nbefore = {share}\nafter = Sub more before\n\
         start = Neg before\nstart = Max start [0]\nend = Add start like\nx = Slice x start end [{}]\n\
         before = Max before [0]\nafter = Max after [0]\n\
         pads = Concat {first} before [0,0,0] after{last} axis=0\nPad x pads mode={mode}",
        axis + 2
    ))
}
