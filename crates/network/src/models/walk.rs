//! Builds a graph while reading a file's weights by name. Widths and kernels are taken from the shapes.
//!
//! Nodes with weights have the names of their modules in the published state dicts. The names of the weights then
//! follow from those of the nodes.

use std::collections::HashSet;

use crate::{
    NetworkError,
    graph::{Conv, Graph, GraphError, NORM_EPS, NodeId, Op, Sides},
};

use super::{
    Misfit, NamedShapes, Recognised,
    johnson::{MAX_BLOCKS, MAX_CHANNELS, MAX_KERNEL_PX},
};

/// A map of the graph that is being built.
#[derive(Clone, Copy, Debug)]
pub struct Map {
    id: NodeId,
    channels: usize,
}

impl Map {
    pub const fn channels(&self) -> usize {
        self.channels
    }
}

/// A convolution to build.
#[derive(Clone, Copy, Debug)]
pub struct Contraction<'n> {
    /// The layer to which its time is attributed.
    pub layer: &'n str,
    /// Its module in the layer.
    pub part: &'n str,
    /// Pixels from output to output, or from input to input if transposed.
    pub stride_px: usize,
    /// The required number of output channels, if other layers determine it.
    pub makes: Option<usize>,
    pub has_bias: bool,
    /// It is transposed: it multiplies rows and columns by its stride, with padding of half the kernel and an output
    /// padding of 1. Otherwise it keeps the size at stride 1, with reflection padding.
    pub is_transposed: bool,
}

impl<'n> Contraction<'n> {
    /// A convolution of stride 1 with any number of output channels.
    pub const fn new(layer: &'n str, part: &'n str) -> Self {
        Self { layer, part, stride_px: 1, makes: None, has_bias: true, is_transposed: false }
    }
}

/// The state while a graph is built.
pub struct Walk<'w, W> {
    weights: &'w W,
    graph: Graph,
    unbiased: HashSet<String>,
    /// The first problem. After it, building continues with minimal sizes to collect the names.
    misfit: Option<Misfit>,
}

impl<'w, W: NamedShapes> Walk<'w, W> {
    pub fn new(weights: &'w W) -> Self {
        Self { weights, graph: Graph::default(), unbiased: HashSet::new(), misfit: None }
    }

    /// The photo, as part of a layer.
    pub fn photo(&mut self, layer: &str) -> Result<Map, GraphError> {
        Ok(Map { id: self.graph.add("photo", layer, Op::Photo, &[])?, channels: 3 })
    }

    /// An operation that keeps the number of channels, named after its layer.
    pub fn then(&mut self, layer: &str, what: &str, op: Op, x: Map) -> Result<Map, GraphError> {
        Ok(Map { id: self.graph.then(layer, what, op, &[x.id])?, ..x })
    }

    pub fn relu(&mut self, layer: &str, x: Map) -> Result<Map, GraphError> {
        self.then(layer, "relu", Op::Relu, x)
    }

    /// The sum of two maps with the same number of channels.
    pub fn sum(&mut self, layer: &str, what: &str, a: Map, b: Map) -> Result<Map, GraphError> {
        Ok(Map { id: self.graph.then(layer, what, Op::Add, &[a.id, b.id])?, ..a })
    }

    /// The channels of `a` followed by those of `b`.
    pub fn concat(&mut self, layer: &str, a: Map, b: Map) -> Result<Map, GraphError> {
        let id = self.graph.then(layer, "concat", Op::Concat { count: 2 }, &[a.id, b.id])?;
        Ok(Map { id, channels: a.channels + b.channels })
    }

    pub fn norm(&mut self, module: &str, layer: &str, x: Map) -> Result<Map, GraphError> {
        Ok(Map { id: self.graph.instance_norm(module, layer, NORM_EPS, x.id)?, ..x })
    }

    pub fn conv(&mut self, conv: Contraction<'_>, x: Map) -> Result<Map, GraphError> {
        let module = format!("{}.{}", conv.layer, conv.part);
        if !conv.has_bias {
            self.unbiased.insert(module.clone());
        }
        let (channels, kernel_px) = self.extent(&module, conv, x);
        let square = Conv::square(x.channels, channels, kernel_px, conv.stride_px);
        let half_px = kernel_px / 2;
        let (x, op) = if conv.is_transposed {
            (x, Op::ConvTranspose2d { conv: square, cut: Sides::all(half_px), extra: [1; 2] })
        } else if half_px == 0 {
            (x, Op::Conv2d(square))
        } else {
            (self.then(conv.layer, "pad", Op::reflect(half_px), x)?, Op::Conv2d(square))
        };
        Ok(Map { id: self.graph.add(&module, conv.layer, op, &[x.id])?, channels })
    }

    /// Ends the graph with the picture of map `x`.
    pub fn picture(mut self, layer: &str, x: Map) -> Result<Recognised, GraphError> {
        self.then(layer, "picture", Op::Picture, x)?;
        let Self { graph, misfit, unbiased, .. } = self;
        Ok(Recognised { misfit, unbiased, ..Recognised::any(graph) })
    }

    /// Output channels and kernel side of a convolution, from the shape of its weights.
    fn extent(&mut self, module: &str, conv: Contraction<'_>, x: Map) -> (usize, usize) {
        let name = format!("{module}.weight");
        let shape = self.weights.shape(&name);
        if let Some(&[first, second, height, width]) = shape {
            let (out, input) = if conv.is_transposed { (second, first) } else { (first, second) };
            if input == x.channels
                && conv.makes.is_none_or(|needed| out == needed)
                && (1..=MAX_CHANNELS).contains(&out)
                && height == width
                && height % 2 == 1
                && height <= MAX_KERNEL_PX
            {
                return (out, height);
            }
        }
        let misfit = if shape.is_some() { misshapen(conv, x, name) } else { Misfit::Missing(name) };
        self.misfit.get_or_insert(misfit);
        (conv.makes.unwrap_or(1).max(1), 1)
    }
}

fn misshapen(conv: Contraction<'_>, x: Map, name: String) -> Misfit {
    let input = x.channels.to_string();
    let (out, limit) = match conv.makes {
        Some(out) => (out.to_string(), String::new()),
        None => ("out".to_owned(), format!("1 to {MAX_CHANNELS} channels and ")),
    };
    let (first, second) = if conv.is_transposed { (input, out) } else { (out, input) };
    Misfit::Shape {
        name,
        needed: format!(
            "[{first}, {second}, side, side] with {limit}an odd side of at most {MAX_KERNEL_PX}"
        ),
    }
}

/// The number of blocks, from the names that contain their numbers; `first` is the first number. At least one, even if
/// its weights are missing.
///
/// # Errors
/// [`NetworkError::OutOfRange`] for more than this program runs.
pub fn block_count(
    weights: &impl NamedShapes,
    first: usize,
    number: impl Fn(&str) -> Option<usize>,
) -> Result<usize, NetworkError> {
    let last = weights.names().filter_map(number).max().unwrap_or(first);
    let blocks = last.saturating_sub(first) + 1;
    if blocks > MAX_BLOCKS {
        return Err(NetworkError::OutOfRange {
            what: "the number of residual blocks".to_owned(),
            got: blocks,
            limits: format!("1 to {MAX_BLOCKS}"),
        });
    }
    Ok(blocks)
}
