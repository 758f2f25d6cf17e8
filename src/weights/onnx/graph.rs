//! Following the picture through a graph: every node becomes one of a few operations or an error.
//!
//! Nodes are taken in the file's order, which ONNX requires to be a possible order of running; a
//! node that needs a later value is refused, so nothing here recurses. Spellings meet here: pads as
//! attribute or input, `Upsample` and `Resize`, instance norm as one node or as eight. What the
//! operations have to be in which order is for [`super::chain`] to say.

use std::collections::{HashMap, HashSet};

use super::{
    super::{
        WeightsError,
        error::shortened,
        tensor::{Dtype, StoredTensor},
    },
    check_unique,
    messages::{Graph, Node, ValueInfo},
    numbers::{self, MAX_COUNT, Numbers, Values},
    stored,
};

/// Index of an operation in [`Walked::operations`].
pub(super) type Id = usize;
/// Index of a tensor in [`Walked::tensors`].
pub(super) type TensorId = usize;

/// What the picture goes through. Equal operations have equal ids, so two nodes that compute the
/// same are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Operation {
    /// The graph's input.
    Picture,
    /// Reflection padding of so many pixels on every side.
    Pad(Id, usize),
    /// Convolution without padding of its own.
    Conv {
        input: Id,
        weight: TensorId,
        bias: Option<TensorId>,
        stride: usize,
    },
    /// Instance norm with scale and shift, eps 1e-5.
    Norm {
        input: Id,
        scale: TensorId,
        shift: TensorId,
    },
    Relu(Id),
    /// Sum, the smaller id first.
    Add(Id, Id),
    /// Nearest neighbour, twice the size.
    Upsample(Id),
    /// Limits of 0 and 255.
    Clip(Id),
    // Pieces of an instance norm that is spelled out; each names the map that is normed.
    Mean(Id),
    Centred(Id),
    Square(Id),
    Variance(Id),
    /// Variance plus eps.
    Raised(Id),
    Deviation(Id),
    InverseDeviation(Id),
    Normalised(Id),
    ScaledInverse(Id, TensorId),
    Scaled(Id, TensorId),
}

impl Operation {
    /// The operation for people.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Picture => "the picture itself",
            Self::Pad(..) => "Pad",
            Self::Conv { .. } => "Conv",
            Self::Norm { .. } => "InstanceNormalization",
            Self::Relu(_) => "Relu",
            Self::Add(..) => "Add",
            Self::Upsample(_) => "an upsampling",
            Self::Clip(_) => "Clip",
            Self::Mean(_)
            | Self::Centred(_)
            | Self::Square(_)
            | Self::Variance(_)
            | Self::Raised(_)
            | Self::Deviation(_)
            | Self::InverseDeviation(_)
            | Self::Normalised(_)
            | Self::ScaledInverse(..)
            | Self::Scaled(..) => "an unfinished norm",
        }
    }
}

/// Channels, height and width.
type Map = [usize; 3];

/// A graph brought to operations.
pub(super) struct Walked<'m> {
    pub(super) operations: Vec<Operation>,
    pub(super) tensors: Vec<StoredTensor<'m>>,
    pub(super) output: Id,
}

/// What a name stands for.
#[derive(Clone)]
enum Value {
    /// Numbers of the file, perhaps seen in another shape.
    Tensor(TensorId, Vec<usize>),
    /// A few computed numbers, one set for each probe.
    Numbers(Vec<Numbers>),
    /// Something that depends on the picture's pixels.
    Map(Id),
}

/// Heights and widths at which a graph with free sides is tried; the odd ones tell 2x from
/// everything that only looks like it at round sizes.
const PROBES: [(usize, usize); 3] = [(64, 96), (61, 83), (338, 531)];

fn refused(problem: impl Into<String>) -> WeightsError {
    WeightsError::Graph(problem.into())
}

/// Follows the picture from the graph's input to its output.
///
/// # Errors
/// [`WeightsError::Graph`] with the first node that this network has no place for, or an error
/// that names a tensor.
pub(super) fn walk(graph: &Graph) -> Result<Walked<'_>, WeightsError> {
    check_unique(graph.initializer.iter().map(|t| t.name.as_str()))?;
    let stored_names: HashSet<&str> = graph.initializer.iter().map(|t| t.name.as_str()).collect();
    let results = graph.node.iter().flat_map(|n| &n.output);
    check_unique(results.map(String::as_str))?;
    // Before IR version 4 the weights are listed among the inputs as well.
    let inputs: Vec<&ValueInfo> = graph
        .input
        .iter()
        .filter(|input| !stored_names.contains(input.name.as_str()))
        .collect();
    let [picture] = inputs.as_slice() else {
        return Err(refused(format!(
            "it has {} inputs, a style network has one picture",
            inputs.len()
        )));
    };
    let [result] = graph.output.as_slice() else {
        return Err(refused(format!(
            "it has {} results, a style network has one picture",
            graph.output.len()
        )));
    };
    let (batch, sizes) = probes(picture)?;
    let mut walker = Walker {
        values: HashMap::new(),
        operations: Vec::new(),
        maps: Vec::new(),
        ids: HashMap::new(),
        tensors: Vec::new(),
        batch,
        probe_count: sizes.len(),
    };
    for tensor in &graph.initializer {
        let tensor_value = walker.tensor(stored(&tensor.name, tensor)?);
        walker.values.insert(&tensor.name, tensor_value);
    }
    let maps = sizes.iter().map(|(h, w)| [3, *h, *w]).collect();
    let start = walker.operation(Operation::Picture, maps);
    walker.values.insert(&picture.name, Value::Map(start));
    for node in needed(graph, &result.name) {
        let value = walker.node(node)?;
        if let Some(name) = node.output.first() {
            walker.values.insert(name, value);
        }
    }
    match walker.values.get(result.name.as_str()) {
        Some(Value::Map(output)) => Ok(Walked {
            output: *output,
            operations: walker.operations,
            tensors: walker.tensors,
        }),
        _ => Err(refused("its result does not depend on the picture")),
    }
}

/// Batch size, and the sizes at which the graph's arithmetic is tried: its own if they are fixed.
fn probes(picture: &ValueInfo) -> Result<(usize, Vec<(usize, usize)>), WeightsError> {
    let tensor = picture.kind.as_ref().and_then(|kind| kind.tensor.as_ref());
    let Some(tensor) = tensor else {
        return Ok((1, PROBES.to_vec()));
    };
    // FLOAT, UINT8, FLOAT16, DOUBLE, BFLOAT16; 0 where the file does not tell.
    if !matches!(tensor.elem_type, 0 | 1 | 2 | 10 | 11 | 16) {
        return Err(refused("its input is not a picture"));
    }
    let Some(shape) = &tensor.shape else {
        return Ok((1, PROBES.to_vec()));
    };
    let sides: Vec<usize> = shape
        .dim
        .iter()
        .map(|dim| usize::try_from(dim.dim_value).unwrap_or(0))
        .collect();
    let [batch, channels, height, width] = *sides.as_slice() else {
        return Err(refused(format!(
            "its input has shape {sides:?}, a picture is batch x 3 x height x width"
        )));
    };
    const MAX_SIDE: usize = 1 << 20;
    if !matches!(channels, 0 | 3) || height > MAX_SIDE || width > MAX_SIDE || batch > MAX_SIDE {
        return Err(refused(format!(
            "its input has shape {sides:?}, a picture is batch x 3 x height x width"
        )));
    }
    let fixed = |side: usize, probe: usize| if side == 0 { probe } else { side };
    let mut sizes: Vec<(usize, usize)> = PROBES
        .iter()
        .map(|(h, w)| (fixed(height, *h), fixed(width, *w)))
        .collect();
    sizes.dedup();
    Ok((batch.max(1), sizes))
}

/// The nodes that the result depends on, in the file's order.
fn needed<'m>(graph: &'m Graph, result: &str) -> Vec<&'m Node> {
    let makers: HashMap<&str, usize> = graph
        .node
        .iter()
        .enumerate()
        .flat_map(|(index, node)| node.output.iter().map(move |name| (name.as_str(), index)))
        .collect();
    let mut wanted = vec![false; graph.node.len()];
    let mut open: Vec<usize> = makers.get(result).copied().into_iter().collect();
    while let Some(index) = open.pop() {
        if !std::mem::replace(&mut wanted[index], true) {
            let inputs = graph.node[index].input.iter();
            open.extend(inputs.filter_map(|name| makers.get(name.as_str()).copied()));
        }
    }
    let nodes = graph.node.iter().zip(wanted);
    nodes
        .filter_map(|(node, wanted)| wanted.then_some(node))
        .collect()
}

struct Walker<'m> {
    values: HashMap<&'m str, Value>,
    operations: Vec<Operation>,
    /// Size of every operation's result at every probe.
    maps: Vec<Vec<Map>>,
    ids: HashMap<Operation, Id>,
    tensors: Vec<StoredTensor<'m>>,
    batch: usize,
    probe_count: usize,
}

impl<'m> Walker<'m> {
    fn tensor(&mut self, tensor: StoredTensor<'m>) -> Value {
        let shape = tensor.shape().to_vec();
        self.tensors.push(tensor);
        Value::Tensor(self.tensors.len() - 1, shape)
    }

    fn operation(&mut self, operation: Operation, maps: Vec<Map>) -> Id {
        *self.ids.entry(operation).or_insert_with(|| {
            self.operations.push(operation);
            self.maps.push(maps);
            self.operations.len() - 1
        })
    }

    /// An operation that keeps the size of `like`.
    fn same_size(&mut self, operation: Operation, like: Id) -> Value {
        let maps = self.maps[like].clone();
        Value::Map(self.operation(operation, maps))
    }

    /// The value of an input that must be there.
    fn value(&self, node: &Node, index: usize) -> Result<&Value, WeightsError> {
        let name = node
            .input(index)
            .ok_or_else(|| refused(format!("{} lacks its input {index}", node.label())))?;
        self.values.get(name).ok_or_else(|| {
            refused(format!(
                "{} needs {}, which nothing before it defines",
                node.label(),
                shortened(name)
            ))
        })
    }

    /// The map at an input.
    fn map(&self, node: &Node, index: usize) -> Result<Id, WeightsError> {
        match self.value(node, index)? {
            Value::Map(id) => Ok(*id),
            _ => Err(refused(format!(
                "{} works on constants where a picture belongs",
                node.label()
            ))),
        }
    }

    /// A weight at an input, with its shape there.
    fn weight(&self, node: &Node, index: usize) -> Result<(TensorId, &[usize]), WeightsError> {
        match self.value(node, index)? {
            Value::Tensor(id, shape) => Ok((*id, shape)),
            _ => Err(refused(format!(
                "{} takes a weight that is computed, not stored",
                node.label()
            ))),
        }
    }

    /// A scale or shift at an input: one number per channel, in any shape that says so.
    fn per_channel(&self, node: &Node, index: usize, map: Id) -> Result<TensorId, WeightsError> {
        let (id, shape) = self.weight(node, index)?;
        let channels = self.channels(map);
        let fits = match *shape {
            [count] if node.op_type == "InstanceNormalization" => count == channels,
            [count, 1, 1] | [1, count, 1, 1] => count == channels,
            _ => false,
        };
        if fits {
            return Ok(id);
        }
        Err(WeightsError::Shape {
            key: shortened(node.input(index).unwrap_or_default()),
            got: shape.to_vec(),
            needed: format!("one value for each of {channels} channels"),
        })
    }

    fn channels(&self, map: Id) -> usize {
        self.maps[map].first().map_or(0, |m| m[0])
    }

    /// A few numbers at an input, one set for each probe; `None` where the input is left out.
    fn numbers(&self, node: &Node, index: usize) -> Result<Option<Vec<Numbers>>, WeightsError> {
        if node.input(index).is_none() {
            return Ok(None);
        }
        let numbers = match self.value(node, index)? {
            Value::Numbers(numbers) => Some(numbers.clone()),
            Value::Tensor(id, shape) => {
                small_numbers(&self.tensors[*id], shape).map(|n| vec![n; self.probe_count])
            }
            Value::Map(_) => None,
        };
        numbers.map(Some).ok_or_else(|| {
            refused(format!(
                "{} needs a few numbers at input {index} and gets something else",
                node.label()
            ))
        })
    }

    /// Numbers that are the same at every probe.
    fn fixed_numbers(&self, node: &Node, index: usize) -> Result<Option<Numbers>, WeightsError> {
        match self.numbers(node, index)?.as_deref() {
            None => Ok(None),
            Some([first, rest @ ..]) if rest.iter().all(|n| n == first) => Ok(Some(first.clone())),
            Some(_) => Err(refused(format!(
                "{} depends on the size of the picture",
                node.label()
            ))),
        }
    }

    /// The single constant at an input, if that is what it is.
    fn constant(&self, node: &Node, index: usize) -> Option<f32> {
        self.fixed_numbers(node, index).ok()??.scalar()
    }

    /// Runs one node.
    fn node(&mut self, node: &'m Node) -> Result<Value, WeightsError> {
        if !matches!(node.domain.as_str(), "" | "ai.onnx") {
            return Err(unsupported(node));
        }
        let mut on_map = false;
        for index in 0..node.input.len() {
            if node.input(index).is_some() {
                on_map |= matches!(self.value(node, index)?, Value::Map(_));
            }
        }
        if node.op_type == "Shape" {
            self.shape(node)
        } else if on_map {
            self.node_on_map(node)
        } else {
            self.node_on_constants(node)
        }
    }

    fn shape(&self, node: &Node) -> Result<Value, WeightsError> {
        if node.attribute("start").is_some_and(|a| a.i != 0) || node.attribute("end").is_some() {
            return Err(refused(format!("{} takes a part of a shape", node.label())));
        }
        let of = |sides: &[usize]| Numbers::ints(sides.iter().map(|side| *side as i64).collect());
        Ok(Value::Numbers(match self.value(node, 0)? {
            Value::Tensor(_, shape) => vec![of(shape); self.probe_count],
            Value::Numbers(numbers) => numbers.iter().map(|n| of(&n.shape)).collect(),
            Value::Map(id) => self.maps[*id]
                .iter()
                .map(|[c, h, w]| of(&[self.batch, *c, *h, *w]))
                .collect(),
        }))
    }

    /// A node that no pixel goes through: a weight seen in another shape, or arithmetic on sizes.
    fn node_on_constants(&mut self, node: &'m Node) -> Result<Value, WeightsError> {
        if node.op_type == "Constant" {
            return self.constant_node(node);
        }
        if let Some(Value::Tensor(id, shape)) = node.input(0).and_then(|n| self.values.get(n))
            && let Dtype::Float(stored_as) = self.tensors[*id].dtype()
        {
            let (id, shape) = (*id, shape.clone());
            match node.op_type.as_str() {
                "Identity" => return Ok(Value::Tensor(id, shape)),
                // Casts to FLOAT and DOUBLE lose nothing that single precision would keep.
                "Cast" if matches!(node.attribute("to").map(|a| a.i), Some(1 | 11)) => {
                    return Ok(Value::Tensor(id, shape));
                }
                "Unsqueeze" if shape.len() == 1 && shape != [1] => {
                    let shape = self.unsqueezed(node, &shape)?;
                    return Ok(Value::Tensor(id, shape));
                }
                "Cast" if shape.iter().product::<usize>() > MAX_COUNT => {
                    return Err(refused(format!(
                        "{} changes weights that are stored as {stored_as}",
                        node.label()
                    )));
                }
                _ => {}
            }
        }
        let mut inputs = Vec::new();
        for index in 0..node.input.len() {
            inputs.push(self.numbers(node, index)?);
        }
        let mut results = Vec::new();
        for probe in 0..self.probe_count {
            let at_probe: Vec<Option<&Numbers>> = inputs
                .iter()
                .map(|input| input.as_ref().and_then(|n| n.get(probe)))
                .collect();
            let result = numbers::run(node, &at_probe);
            results.push(result.map_err(|problem| refused(format!("{} {problem}", node.label())))?);
        }
        Ok(Value::Numbers(results))
    }

    /// The shape of a vector that gains sides of one, as scales and shifts do.
    fn unsqueezed(&self, node: &Node, shape: &[usize]) -> Result<Vec<usize>, WeightsError> {
        let axes = match node.attribute("axes") {
            Some(attribute) => Some(attribute.ints.clone()),
            None => self
                .fixed_numbers(node, 1)?
                .and_then(|n| n.as_ints().map(<[i64]>::to_vec)),
        };
        let rank = shape.len() + axes.as_ref().map_or(0, Vec::len);
        let mut sides = vec![0; rank.min(4)];
        for axis in axes.unwrap_or_default() {
            let axis = if axis < 0 { axis + rank as i64 } else { axis };
            let side = usize::try_from(axis).ok().and_then(|a| sides.get_mut(a));
            *side.ok_or_else(|| refused(format!("{} has odd axes", node.label())))? = 1;
        }
        let mut own = shape.iter().copied();
        for side in sides.iter_mut().filter(|side| **side == 0) {
            *side = own.next().unwrap_or(0);
        }
        Ok(sides)
    }

    fn constant_node(&mut self, node: &'m Node) -> Result<Value, WeightsError> {
        let name = node.output.first().map_or("", String::as_str);
        if let Some(tensor) = node.attribute("value").and_then(|a| a.t.as_ref()) {
            return Ok(self.tensor(stored(name, tensor)?));
        }
        let few = |shape: Vec<usize>, values: Values| Numbers { shape, values };
        let numbers = if let Some(a) = node.attribute("value_int") {
            few(Vec::new(), Values::Int(vec![a.i]))
        } else if let Some(a) = node.attribute("value_float") {
            few(Vec::new(), Values::Float(vec![a.f]))
        } else if let Some(a) = node
            .attribute("value_ints")
            .filter(|a| a.ints.len() <= MAX_COUNT)
        {
            Numbers::ints(a.ints.clone())
        } else if let Some(a) = node
            .attribute("value_floats")
            .filter(|a| a.floats.len() <= MAX_COUNT)
        {
            few(vec![a.floats.len()], Values::Float(a.floats.clone()))
        } else {
            return Err(refused(format!(
                "{} is no constant that is read",
                node.label()
            )));
        };
        Ok(Value::Numbers(vec![numbers; self.probe_count]))
    }

    /// A node that the picture goes through.
    fn node_on_map(&mut self, node: &'m Node) -> Result<Value, WeightsError> {
        match node.op_type.as_str() {
            "Identity" | "Dropout" => Ok(Value::Map(self.map(node, 0)?)),
            "Cast" => match node.attribute("to").map(|a| a.i) {
                // FLOAT, FLOAT16, DOUBLE, BFLOAT16
                Some(1 | 10 | 11 | 16) => Ok(Value::Map(self.map(node, 0)?)),
                _ => Err(refused(format!("{} rounds the picture", node.label()))),
            },
            "Relu" => {
                let x = self.map(node, 0)?;
                Ok(self.same_size(Operation::Relu(x), x))
            }
            "Pad" => self.pad(node),
            "Conv" => self.conv(node),
            "InstanceNormalization" => self.norm(node),
            "Upsample" | "Resize" => self.upsample(node),
            "Clip" => self.clip(node),
            _ => self.norm_piece(node),
        }
    }

    fn pad(&mut self, node: &Node) -> Result<Value, WeightsError> {
        let x = self.map(node, 0)?;
        match text(node, "mode", "constant") {
            "reflect" => {}
            "constant" => {
                return Err(refused(format!(
                    "{} pads with a constant (zero padding), the network reflects",
                    node.label()
                )));
            }
            other => {
                return Err(refused(format!(
                    "{} pads in mode {}, the network reflects",
                    node.label(),
                    shortened(other)
                )));
            }
        }
        let pads = match node.attribute("pads") {
            Some(attribute) => Some(attribute.ints.clone()),
            None => self
                .fixed_numbers(node, 1)?
                .and_then(|n| n.as_ints().map(<[i64]>::to_vec)),
        };
        let axes = self.fixed_numbers(node, 3)?;
        let axes = axes
            .as_ref()
            .map_or(Some(&[0, 1, 2, 3][..]), |n| n.as_ints());
        let spatial = match (pads.as_deref(), axes) {
            (Some([0, 0, top, left, 0, 0, bottom, right]), Some([0, 1, 2, 3]))
            | (Some([top, left, bottom, right]), Some([2, 3] | [-2, -1])) => {
                Some([*top, *left, *bottom, *right])
            }
            _ => None,
        };
        let amount = spatial
            .filter(|sides| sides.iter().all(|side| *side == sides[0]))
            .and_then(|sides| usize::try_from(sides[0]).ok())
            .filter(|amount| *amount < 1 << 16)
            .ok_or_else(|| {
                refused(format!(
                    "{} pads by {:?}, the network pads all four sides alike",
                    node.label(),
                    pads.unwrap_or_default()
                ))
            })?;
        if amount == 0 {
            return Ok(Value::Map(x));
        }
        let maps = self.maps[x]
            .iter()
            .map(|[c, h, w]| [*c, h + 2 * amount, w + 2 * amount]);
        let maps = maps.collect();
        Ok(Value::Map(self.operation(Operation::Pad(x, amount), maps)))
    }

    fn conv(&mut self, node: &Node) -> Result<Value, WeightsError> {
        let x = self.map(node, 0)?;
        let (weight, shape) = self.weight(node, 1)?;
        let list = |name: &str| node.attribute(name).map_or(&[][..], |a| &a.ints);
        let wrong = |what: String| Err(refused(format!("{} {what}", node.label())));
        if !matches!(text(node, "auto_pad", "NOTSET"), "NOTSET" | "VALID")
            || list("pads").iter().any(|pad| *pad != 0)
        {
            return wrong(
                "pads with zeros inside the convolution, the network reflects".to_owned(),
            );
        }
        if list("dilations").iter().any(|d| *d != 1) {
            return wrong(format!(
                "has dilations {:?}, the network has none",
                list("dilations")
            ));
        }
        if node.attribute("group").is_some_and(|a| a.i != 1) {
            return wrong("is grouped, the network's convolutions are not".to_owned());
        }
        let stride = match list("strides") {
            [] => 1,
            [a, b] if a == b && (1..=2).contains(a) => *a as usize,
            other => return wrong(format!("has strides {other:?}")),
        };
        let [out, inputs, height, width] = *shape else {
            return Err(self.wrong_shape(node, "[out, in, side, side]".to_owned()));
        };
        if inputs != self.channels(x) || height != width || height == 0 {
            let needed = format!("[out, {}, side, side]", self.channels(x));
            return Err(self.wrong_shape(node, needed));
        }
        let mut maps = Vec::new();
        for [_, h, w] in &self.maps[x] {
            let side = |s: usize| Some(s.checked_sub(height)? / stride + 1);
            let (Some(h), Some(w)) = (side(*h), side(*w)) else {
                return wrong("has a kernel larger than its map".to_owned());
            };
            maps.push([out, h, w]);
        }
        let bias = match node.input(2) {
            Some(_) => Some(self.weight(node, 2)?.0),
            None => None,
        };
        let conv = Operation::Conv {
            input: x,
            weight,
            bias,
            stride,
        };
        Ok(Value::Map(self.operation(conv, maps)))
    }

    /// The weight of a convolution has a shape that does not fit.
    fn wrong_shape(&self, node: &Node, needed: String) -> WeightsError {
        let got = self.weight(node, 1).map(|(_, shape)| shape.to_vec());
        WeightsError::Shape {
            key: shortened(node.input(1).unwrap_or_default()),
            got: got.unwrap_or_default(),
            needed,
        }
    }

    fn norm(&mut self, node: &Node) -> Result<Value, WeightsError> {
        let input = self.map(node, 0)?;
        check_eps(node, node.attribute("epsilon").map_or(1e-5, |a| a.f))?;
        let scale = self.per_channel(node, 1, input)?;
        let shift = self.per_channel(node, 2, input)?;
        let norm = Operation::Norm {
            input,
            scale,
            shift,
        };
        Ok(self.same_size(norm, input))
    }

    fn upsample(&mut self, node: &Node) -> Result<Value, WeightsError> {
        let x = self.map(node, 0)?;
        let wrong = |what: String| Err(refused(format!("{} {what}", node.label())));
        let mode = text(node, "mode", "nearest");
        if mode != "nearest" {
            return wrong(format!(
                "upsamples in mode {}, the network takes the nearest pixel",
                shortened(mode)
            ));
        }
        if node.attribute("axes").is_some() {
            return wrong("resizes chosen axes, which is not supported".to_owned());
        }
        // Resize has a region of interest in front of its scales since opset 11.
        let is_upsample = node.op_type == "Upsample" || node.input.len() <= 2;
        if !is_upsample {
            let coordinates = text(node, "coordinate_transformation_mode", "half_pixel");
            let rounding = text(node, "nearest_mode", "round_prefer_floor");
            if !doubles_every_pixel(coordinates, rounding) {
                return wrong(format!(
                    "finds the nearest pixel by {} and {}, which gives another picture",
                    shortened(coordinates),
                    shortened(rounding)
                ));
            }
        }
        let batch = self.batch as i64;
        let doubled: Vec<Map> = self.maps[x]
            .iter()
            .map(|[c, h, w]| [*c, 2 * h, 2 * w])
            .collect();
        let scales = match node.attribute("scales") {
            Some(attribute) => Some(vec![attribute.floats.clone(); self.probe_count]),
            None => self
                .numbers(node, if is_upsample { 1 } else { 2 })?
                .map(|probes| probes.iter().map(Numbers::to_floats).collect())
                .filter(|scales: &Vec<Vec<f32>>| scales.iter().any(|s| !s.is_empty())),
        };
        let sizes = self.numbers(node, 3)?;
        match (scales, sizes) {
            (Some(scales), None) => {
                if let Some(other) = scales.iter().find(|s| s.as_slice() != [1.0, 1.0, 2.0, 2.0]) {
                    return wrong(format!("scales by {other:?}, the network by 2"));
                }
            }
            (None, Some(sizes)) => {
                for (size, [c, h, w]) in sizes.iter().zip(&doubled) {
                    let wanted = [batch, *c as i64, *h as i64, *w as i64];
                    if size.as_ints() != Some(&wanted[..]) {
                        return wrong(format!(
                            "resizes to {:?}, the network would to {wanted:?}",
                            size.to_floats()
                        ));
                    }
                }
            }
            _ => return wrong("has neither scales nor sizes, or both".to_owned()),
        }
        Ok(Value::Map(self.operation(Operation::Upsample(x), doubled)))
    }

    fn clip(&mut self, node: &Node) -> Result<Value, WeightsError> {
        let x = self.map(node, 0)?;
        let bound = |name: &str, index: usize| match node.attribute(name) {
            Some(attribute) => Some(attribute.f),
            None => self.constant(node, index),
        };
        if (bound("min", 1), bound("max", 2)) != (Some(0.0), Some(255.0)) {
            return Err(refused(format!(
                "{} clips, but not to 0..255",
                node.label()
            )));
        }
        Ok(self.same_size(Operation::Clip(x), x))
    }

    /// Sums, and the pieces of an instance norm that is spelled out.
    fn norm_piece(&mut self, node: &Node) -> Result<Value, WeightsError> {
        use Operation as Op;
        let map = |index: usize| self.map(node, index).ok();
        let operation_of = |id: Option<Id>| id.and_then(|id| self.operations.get(id)).copied();
        let (a, b) = (map(0), map(1));
        let (x, y) = (operation_of(a), operation_of(b));
        // Sums and products read the same from both sides; constants are looked for in the second.
        let (one, other, constant_at) = if x.is_none() { (y, x, 0) } else { (x, y, 1) };
        let operation = match (node.op_type.as_str(), one, other) {
            ("Add", Some(_), Some(_)) => match (a, b) {
                (Some(a), Some(b)) if self.maps[a] == self.maps[b] => Op::Add(a.min(b), a.max(b)),
                _ => return Err(unsupported(node)),
            },
            ("Add", Some(Op::Variance(x)), None) => {
                let eps = self.constant(node, constant_at);
                check_eps(node, eps.ok_or_else(|| unsupported(node))?)?;
                Op::Raised(x)
            }
            ("Add", Some(Op::Scaled(input, scale)), None) => Op::Norm {
                input,
                scale,
                shift: self.per_channel(node, constant_at, input)?,
            },
            ("Sub", Some(_), Some(Op::Mean(x))) if constant_at == 1 && a == Some(x) => {
                Op::Centred(x)
            }
            ("Mul", Some(Op::Centred(x)), Some(Op::Centred(y))) if x == y => Op::Square(x),
            ("Mul", Some(Op::Centred(x)), Some(Op::InverseDeviation(y)))
            | ("Mul", Some(Op::InverseDeviation(y)), Some(Op::Centred(x)))
            | ("Div", Some(Op::Centred(x)), Some(Op::Deviation(y)))
                if x == y =>
            {
                Op::Normalised(x)
            }
            ("Mul", Some(Op::Centred(x)), Some(Op::ScaledInverse(y, scale)))
            | ("Mul", Some(Op::ScaledInverse(y, scale)), Some(Op::Centred(x)))
                if x == y =>
            {
                Op::Scaled(x, scale)
            }
            ("Mul", Some(Op::Normalised(x)), None) => {
                Op::Scaled(x, self.per_channel(node, constant_at, x)?)
            }
            ("Mul", Some(Op::InverseDeviation(x)), None) => {
                Op::ScaledInverse(x, self.per_channel(node, constant_at, x)?)
            }
            ("Pow", Some(Op::Centred(x)), None) if self.constant(node, 1) == Some(2.0) => {
                Op::Square(x)
            }
            ("Pow", Some(Op::Raised(x)), None) if self.constant(node, 1) == Some(0.5) => {
                Op::Deviation(x)
            }
            ("Pow", Some(Op::Raised(x)), None) if self.constant(node, 1) == Some(-0.5) => {
                Op::InverseDeviation(x)
            }
            ("Sqrt", Some(Op::Raised(x)), _) => Op::Deviation(x),
            ("Reciprocal", Some(Op::Deviation(x)), _) => Op::InverseDeviation(x),
            ("Div", Some(Op::Deviation(x)), None)
                if constant_at == 0 && self.constant(node, 0) == Some(1.0) =>
            {
                Op::InverseDeviation(x)
            }
            ("ReduceMean", Some(operation), _) if self.over_plane(node)? => self.mean(operation, a),
            ("GlobalAveragePool", Some(operation), _) => self.mean(operation, a),
            _ => return Err(unsupported(node)),
        };
        let like = match operation {
            Op::Add(x, _) => x,
            Op::Norm { input, .. } => input,
            Op::Centred(x) | Op::Square(x) | Op::Normalised(x) | Op::Scaled(x, _) => x,
            Op::Mean(x)
            | Op::Variance(x)
            | Op::Raised(x)
            | Op::Deviation(x)
            | Op::InverseDeviation(x)
            | Op::ScaledInverse(x, _) => {
                let maps = self.maps[x].iter().map(|[c, ..]| [*c, 1, 1]).collect();
                return Ok(Value::Map(self.operation(operation, maps)));
            }
            _ => return Err(unsupported(node)),
        };
        Ok(self.same_size(operation, like))
    }

    /// The mean over the plane of a map; of squares around the mean it is the variance.
    fn mean(&self, of: Operation, id: Option<Id>) -> Operation {
        match (of, id) {
            (Operation::Square(x), _) => Operation::Variance(x),
            (_, Some(id)) => Operation::Mean(id),
            (other, None) => other,
        }
    }

    /// Whether a reduction takes height and width and keeps them as sides of one.
    fn over_plane(&self, node: &Node) -> Result<bool, WeightsError> {
        let axes = match node.attribute("axes") {
            Some(attribute) => attribute.ints.clone(),
            None => self
                .fixed_numbers(node, 1)?
                .and_then(|n| n.as_ints().map(<[i64]>::to_vec))
                .unwrap_or_default(),
        };
        let keeps = node.attribute("keepdims").is_none_or(|a| a.i == 1);
        let axes: HashSet<i64> = axes
            .iter()
            .map(|a| if *a < 0 { a + 4 } else { *a })
            .collect();
        Ok(keeps && axes == HashSet::from([2, 3]))
    }
}

fn unsupported(node: &Node) -> WeightsError {
    let domain = match node.domain.as_str() {
        "" => String::new(),
        domain => format!(" of {}", shortened(domain)),
    };
    refused(format!(
        "{}{domain} does something to the picture that the network does not",
        node.label()
    ))
}

/// A text attribute, or what its absence means.
fn text<'a>(node: &'a Node, name: &str, absent: &'a str) -> &'a str {
    node.attribute(name).map_or(absent, |a| {
        std::str::from_utf8(&a.s).unwrap_or("unreadable")
    })
}

/// The norm's epsilon is 1e-5 up to its own rounding.
fn check_eps(node: &Node, eps: f32) -> Result<(), WeightsError> {
    if (eps - 1e-5).abs() <= 1e-7 {
        return Ok(());
    }
    Err(refused(format!(
        "{} has epsilon {eps:e}, the network has 1e-5",
        node.label()
    )))
}

/// A few numbers of the file; `None` when there are more or of another type.
fn small_numbers(tensor: &StoredTensor<'_>, shape: &[usize]) -> Option<Numbers> {
    if tensor.element_count() > MAX_COUNT {
        return None;
    }
    let values = match tensor.to_i64() {
        Some(ints) => Values::Int(ints),
        None => Values::Float(tensor.to_f32().ok()?),
    };
    Some(Numbers {
        shape: shape.to_vec(),
        values,
    })
}

/// Whether doubling a row this way gives every pixel twice, whatever the mode is called.
fn doubles_every_pixel(coordinates: &str, rounding: &str) -> bool {
    const LENGTH: usize = 8;
    (0..2 * LENGTH).all(|x| {
        let position = x as f64;
        let source = match coordinates {
            "asymmetric" => position / 2.0,
            "half_pixel" | "pytorch_half_pixel" | "half_pixel_symmetric" => {
                (position + 0.5) / 2.0 - 0.5
            }
            "tf_half_pixel_for_nn" => (position + 0.5) / 2.0,
            "align_corners" => position * (LENGTH - 1) as f64 / (2 * LENGTH - 1) as f64,
            _ => return false,
        };
        let nearest = match rounding {
            "floor" => source.floor(),
            "ceil" => source.ceil(),
            "round_prefer_floor" => (source - 0.5).ceil(),
            "round_prefer_ceil" => (source + 0.5).floor(),
            _ => return false,
        };
        nearest.clamp(0.0, (LENGTH - 1) as f64) == (x / 2) as f64
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_judged_by_the_pixels_they_take() {
        for (coordinates, rounding, same) in [
            ("asymmetric", "floor", true),
            ("asymmetric", "round_prefer_floor", true),
            ("asymmetric", "round_prefer_ceil", false),
            ("asymmetric", "ceil", false),
            ("half_pixel", "round_prefer_floor", true),
            ("half_pixel", "round_prefer_ceil", true),
            ("pytorch_half_pixel", "floor", false),
            ("tf_half_pixel_for_nn", "floor", true),
            ("align_corners", "round_prefer_floor", false),
            ("tf_crop_and_resize", "floor", false),
        ] {
            let doubles = doubles_every_pixel(coordinates, rounding);
            assert_eq!(doubles, same, "{coordinates}, {rounding}");
        }
    }
}
