//! A network: a graph of operations and the trained values of its nodes, by name.
//!
//! Does not depend on models, file formats, devices or plans. Plain data: any thread may hold it.

use std::{
    collections::{HashMap, HashSet},
    fmt::{Debug, Formatter},
    hash::{DefaultHasher, Hash, Hasher},
    ops::Deref,
    sync::Arc,
};

use crate::graph::{Graph, GraphError, Op};
use values::mode::{AttentionChoice, Mode};

/// Why sizes or weights do not form a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// Beyond the limits of this program.
    #[error("{what} is {got}; supported: {limits}")]
    OutOfRange {
        /// The quantity that is out of range.
        what: String,
        /// The actual value.
        got: usize,
        /// The range as text.
        limits: String,
    },
    /// A layer's values do not match its shape.
    #[error("{layer} needs {needed} values and got {got}")]
    Length {
        /// The layer and the part.
        layer: String,
        /// Number of values that the shape requires.
        needed: usize,
        /// Actual number of values.
        got: usize,
    },
    /// The nodes do not form a graph.
    #[error(transparent)]
    Graph(#[from] GraphError),
}

/// A network with several owners. Compares by identity (`Arc::ptr_eq`); as text it is the digest of its weights.
#[derive(Clone)]
pub struct SharedNetwork(pub Arc<Network>);

impl From<Arc<Network>> for SharedNetwork {
    fn from(network: Arc<Network>) -> Self {
        Self(network)
    }
}

impl Deref for SharedNetwork {
    type Target = Arc<Network>;

    fn deref(&self) -> &Arc<Network> {
        &self.0
    }
}

impl PartialEq for SharedNetwork {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Debug for SharedNetwork {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:x}", self.digest())
    }
}

/// The trained values of a node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeWeights {
    /// A convolution's `[out][in][row][column]`, as PyTorch stores it; a norm's scale by channel; or a constant map's
    /// `[channel][row][column]`.
    pub weight: Vec<f32>,
    /// A convolution's bias or a norm's shift, by output channel.
    pub bias: Vec<f32>,
}

impl NodeWeights {
    /// The same weight and bias for each of `count` channels.
    pub fn repeated(count: usize, weight: f32, bias: f32) -> Self {
        Self { weight: vec![weight; count], bias: vec![bias; count] }
    }

    /// The weight and the bias, if they are the same for all channels.
    pub fn uniform(&self) -> Option<(f32, f32)> {
        let (&weight, &bias) = (self.weight.first()?, self.bias.first()?);
        (self.weight.iter().all(|w| *w == weight) && self.bias.iter().all(|b| *b == bias))
            .then_some((weight, bias))
    }
}

/// Trained values by node name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weights(HashMap<String, NodeWeights>);

impl Weights {
    /// The values of a node; empty if it has none.
    pub fn of(&self, node: &str) -> &NodeWeights {
        const NONE: &NodeWeights = &NodeWeights { weight: Vec::new(), bias: Vec::new() };
        self.0.get(node).unwrap_or(NONE)
    }

    /// The values of a node, mutable; inserts empty ones if it has none.
    pub fn of_mut(&mut self, node: &str) -> &mut NodeWeights {
        self.0.entry(node.to_owned()).or_default()
    }
}

impl FromIterator<(String, NodeWeights)> for Weights {
    fn from_iter<I: IntoIterator<Item = (String, NodeWeights)>>(all: I) -> Self {
        Self(all.into_iter().collect())
    }
}

/// A network with its weights, complete and of the right lengths.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    graph: Graph,
    weights: Weights,
}

impl Network {
    /// The mode as it applies to this network: without attention the chosen kernel is dropped.
    pub fn mode(&self, mode: Mode) -> Mode {
        match mode.attention {
            AttentionChoice::Fixed(_) if !self.graph.has_attention() => {
                mode.with_attention(AttentionChoice::Auto)
            }
            _ => mode,
        }
    }

    /// Combines a graph and its weights.
    ///
    /// # Errors
    /// [`NetworkError::Length`] if a node's values do not match its shape, [`GraphError::NoPicture`] if two nodes with
    /// values have the same name.
    pub fn new(graph: Graph, weights: Weights) -> Result<Self, NetworkError> {
        let length = |layer: String, needed: usize, got: usize| {
            if needed == got { Ok(()) } else { Err(NetworkError::Length { layer, needed, got }) }
        };
        let mut names = HashSet::new();
        for (node, shape) in graph.weight_shapes() {
            // Weights are found by name, so names must be unique.
            if !names.insert(node.name.as_str()) {
                return Err(GraphError::NoPicture.into());
            }
            let own = weights.of(&node.name);
            length(format!("{}'s weight", node.name), shape.weight_len(), own.weight.len())?;
            length(format!("{}'s bias", node.name), shape.bias, own.bias.len())?;
        }
        Ok(Self { graph, weights })
    }

    /// The same network with [`Graph::with_margin`]; unchanged if its graph cannot have one.
    #[must_use]
    pub fn with_margin(self, px: usize) -> Self {
        Self { graph: self.graph.with_margin(px).unwrap_or(self.graph), ..self }
    }

    pub fn into_parts(self) -> (Graph, Weights) {
        (self.graph, self.weights)
    }

    /// Random weights, the same for the same seed. They are scaled so that signals keep their size through the layers
    /// and the picture covers the range of levels. For checks and tests, where trained weights would hide mistakes.
    ///
    /// # Errors
    /// See [`Network::new`]; not expected for a valid graph.
    pub fn random(graph: Graph, seed: u64) -> Result<Self, NetworkError> {
        let mut random = RandomUnits(seed);
        let mut values = |count: usize, centre: f32, spread: f32| -> Vec<f32> {
            (0..count).map(|_| centre + spread * random.next()).collect()
        };
        let feeds_picture = |name: &str| {
            graph
                .nodes()
                .iter()
                .filter(|node| node.op == Op::Picture)
                .any(|node| graph.nodes()[node.inputs[0]].name == name)
        };
        let weights = graph
            .weight_shapes()
            .map(|(node, shape)| {
                let count = shape.weight_len();
                let (weight, bias) = match node.op {
                    Op::Conv2d(conv) | Op::ConvTranspose2d { conv, .. } => {
                        // In a transposed convolution each output uses only a part of the kernel.
                        let parts = match node.op {
                            Op::Conv2d(_) => 1,
                            _ => conv.stride[0] * conv.stride[1],
                        };
                        let fan_in = (count / shape.bias).div_ceil(parts) as f32;
                        // The last layer reads values of order one and must fill 0 to 255.
                        let (gain, centre) =
                            if feeds_picture(&node.name) { (60.0, 127.0) } else { (1.0, 0.0) };
                        let scale = gain * (3.0 / fan_in).sqrt();
                        (values(count, 0.0, scale), values(shape.bias, centre, 0.5))
                    }
                    Op::Prelu => (values(count, 0.25, 0.25), Vec::new()),
                    _ => (values(count, 1.0, 0.5), values(shape.bias, 0.0, 0.5)),
                };
                (node.name.clone(), NodeWeights { weight, bias })
            })
            .collect();
        Self::new(graph, weights)
    }

    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// A number that differs between networks of different values or margins, the same in every run of this program.
    pub fn digest(&self) -> u64 {
        let mut nodes: Vec<_> = self.weights.0.iter().collect();
        nodes.sort_by_key(|(name, _)| *name);
        let mut hasher = DefaultHasher::new();
        for node in self.graph.nodes() {
            node.op.margin_px().hash(&mut hasher);
        }
        for (name, values) in nodes {
            name.hash(&mut hasher);
            for value in values.weight.iter().chain(&values.bias) {
                value.to_bits().hash(&mut hasher);
            }
        }
        hasher.finish()
    }

    pub fn weights(&self) -> &Weights {
        &self.weights
    }
}

/// Uniform numbers in -1 to 1 from SplitMix64 (Steele, Lea, Flood 2014); small and reproducible.
struct RandomUnits(u64);

impl RandomUnits {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Conv;

    /// One convolution of the photo followed by a norm.
    fn graph() -> Graph {
        let mut graph = Graph::default();
        let mut add = |name: &str, op, inputs: &[usize]| {
            graph.add(name, "", op, inputs).expect("earlier nodes")
        };
        let photo = add("photo", Op::Photo, &[]);
        let conv = Op::Conv2d(Conv::square(3, 5, 1, 1));
        let conv = add("conv", conv, &[photo]);
        let statistics = add("statistics", Op::InstanceStatistics, &[conv]);
        add("norm", Op::InstanceNorm { eps: 1e-5 }, &[conv, statistics]);
        graph
    }

    #[test]
    fn every_length_is_checked() {
        let good = Network::random(graph(), 1).expect("valid");
        assert_eq!(good.weights().of("conv").weight.len(), 15);
        assert_eq!(good.weights().of("statistics"), &NodeWeights::default());
        for (node, part, broken) in [
            ("conv", "conv's bias needs 5 values and got 4", "bias"),
            ("norm", "norm's weight needs 5 values and got 4", "weight"),
        ] {
            let mut weights = good.weights().clone();
            let own = weights.of_mut(node);
            match broken {
                "bias" => own.bias.pop(),
                _ => own.weight.pop(),
            };
            let error = Network::new(graph(), weights).expect_err("too short");
            assert_eq!(error.to_string(), part);
        }
    }

    #[test]
    fn random_weights_repeat() {
        assert_eq!(Network::random(graph(), 5), Network::random(graph(), 5));
        assert_ne!(Network::random(graph(), 5), Network::random(graph(), 6));
    }
}
