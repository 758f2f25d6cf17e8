//! Plans: the steps of a network at one picture size on a backend, chosen before anything runs.
//!
//! Pure: the same network, size, mode and tiling result in the same plan on every machine. A plan contains its steps,
//! their cost and the memory that they need together. A picture that does not fit is therefore detected before anything
//! is allocated.
//!
//! It does not know threads, device handles and pixels. It may use `network` and `values`. Any thread may plan.

#[cfg(test)]
#[path = "../../../tests/support/home.rs"]
mod home;

pub mod arena;
pub mod cpu;
pub mod cuda;
mod gather;
mod geometry;
mod layer;
mod nodes;

use serde::Serialize;

use network::graph::{
    GraphError, NodeId,
    fusion::{self, Group, Violation},
};
use values::mode::{AttentionChoice, AttentionKernel, Mode, Variant};

pub use gather::Source;
pub use geometry::Phase;
pub use layer::{ConvLayer, MAX_LAYER_CHANNELS, phase_taps};
use nodes::Nodes;

/// Why a graph cannot be planned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The nodes are not a valid graph, or their maps do not exist at this size.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The groups do not compute the graph.
    #[error(transparent)]
    Grouping(#[from] Violation),
    /// No kernel computes a group.
    #[error("no kernel computes {node} with the operations fused around it")]
    NoKernel {
        /// Name of the group's operation.
        node: String,
    },
    /// The range of some map is not known in advance.
    #[error(
        "int8 needs a norm, and nothing but ReLU and sums, in front of every convolution, as TransformerNet has them; choose fp32"
    )]
    NoInt8,
}

/// A graph cut into groups. The planners of the specialised kernels start from it.
struct Grouped<'g> {
    nodes: &'g Nodes<'g>,
    groups: Vec<Group>,
    convs: Vec<ConvLayer>,
}

impl<'g> Grouped<'g> {
    /// Groups a graph's nodes for a variant.
    fn new(nodes: &'g Nodes<'g>, variant: Variant) -> Result<Self, PlanError> {
        let groups = fusion::group(nodes.graph, variant)?;
        fusion::check(nodes.graph, &groups)?;
        Ok(Self { nodes, groups, convs: ConvLayer::of_graph(nodes.graph) })
    }

    /// The index of a node's convolution among [`ConvLayer::of_graph`].
    fn conv_id(&self, node: NodeId) -> Option<usize> {
        let name = &self.nodes.node(node).name;
        self.convs.iter().position(|conv| conv.name == *name)
    }

    /// True if any later node reads a map.
    fn is_read_after(&self, node: NodeId, map: NodeId) -> bool {
        self.nodes.readers[map].last().is_some_and(|&last| last > node)
    }
}

/// What computes a plan's convolutions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConvProvider {
    /// A library with its version, for example `cuDNN 9.14`, or `own kernels`.
    pub name: String,
    /// Why no library computes them; `None` for a library.
    pub reason: Option<String>,
}

impl ConvProvider {
    /// The program's own kernels, with the reason why there is no library.
    pub fn own(reason: impl Into<String>) -> Self {
        Self { name: "own kernels".to_owned(), reason: Some(reason.into()) }
    }

    /// True if it is a library. In that case, a bias is a separate step.
    pub const fn is_library(&self) -> bool {
        self.reason.is_none()
    }

    /// A mode, followed by the provider of its convolutions if there is a choice: `baseline fp16 (cuDNN 9.14)`.
    pub fn mode_label(mode: Mode, conv_provider: Option<&Self>) -> String {
        match conv_provider {
            Some(Self { name, .. }) => format!("{mode} ({name})"),
            None => mode.to_string(),
        }
    }
}

/// What is known about a plan, independently of the backend.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanSummary {
    pub mode: Mode,
    /// Frames that are painted at once.
    pub batch: usize,
    pub width: usize,
    pub height: usize,
    /// Layer and kernel of every step, in order.
    pub steps: Vec<(String, String)>,
    /// Floating-point operations of one run of `batch` frames (direct form).
    pub flops: u64,
    /// Maximum memory that one run holds at any time, weights and scratch included, in bytes.
    pub peak_bytes: u64,
    /// What computes the convolutions, in modes that use a library if there is one.
    pub conv_provider: Option<ConvProvider>,
    /// The kernels that compute attention on a GPU, each listed once; empty for networks without attention.
    pub attention_kernels: Vec<AttentionKernel>,
}

impl PlanSummary {
    /// The summary of a run of `batch` frames at `width` x `height`. Steps and costs are filled in later.
    pub fn without_steps(mode: Mode, batch: usize, (width, height): (usize, usize)) -> Self {
        Self {
            mode,
            batch,
            width,
            height,
            steps: Vec::new(),
            flops: 0,
            peak_bytes: 0,
            conv_provider: None,
            attention_kernels: Vec::new(),
        }
    }

    /// The mode with the attention kernel that really runs. If heads of several sizes run in different ways, the
    /// requested one.
    pub fn mode_as_run(&self) -> Mode {
        let attention = match self.attention_kernels[..] {
            [] => AttentionChoice::Auto,
            [kernel] => AttentionChoice::Fixed(kernel),
            _ => self.mode.attention,
        };
        self.mode.with_attention(attention)
    }

    /// [`ConvProvider::mode_label`] of the mode that really runs.
    pub fn label(&self) -> String {
        ConvProvider::mode_label(self.mode_as_run(), self.conv_provider.as_ref())
    }

    /// Which attention kernels run instead of the requested one, as text; `None` if the requested one runs.
    pub fn attention_note(&self) -> Option<String> {
        let AttentionChoice::Fixed(chosen) = self.mode.attention else {
            return None;
        };
        let others: Vec<&str> = (self.attention_kernels.iter())
            .filter(|&&kernel| kernel != chosen)
            .map(|kernel| kernel.name())
            .collect();
        let needs = match chosen {
            AttentionKernel::Flash => "fp16 and heads of 32, 64 or 128 channels",
            _ => "heads of 32, 64 or 128 channels",
        };
        (!others.is_empty()).then(|| {
            let others = others.join(" and ");
            format!("{others} attention instead of {chosen}, which needs {needs}")
        })
    }
}
