//! Plans: the steps of a network at one picture size on a backend, decided before anything runs.
//!
//! Pure: the same network, size, mode and tiling give the same plan on every machine. A plan
//! names its steps, their cost and the memory they need together, so that a picture that does not
//! fit is known before its first byte is allocated. Knows no threads, no device handles and no
//! pixels. Any thread.

pub mod arena;
pub mod cpu;
pub mod cuda;
mod gather;
mod layer;

use serde::Serialize;

use crate::{
    graph::{
        Graph, GraphError, NodeId,
        fusion::{self, Group, Level, Violation},
    },
    mode::{AttentionChoice, AttentionKernel, Mode, Variant},
    tensor::Shape,
};

pub use layer::{ConvLayer, MAX_LAYER_CHANNELS, phase_taps};

/// Why a graph cannot be planned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The nodes make no graph, or no maps at this size.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The groups do not compute the graph.
    #[error(transparent)]
    Grouping(#[from] Violation),
    /// A group that no kernel computes.
    #[error("no kernel computes {node} with the operations fused around it")]
    NoKernel {
        /// The group's operation.
        node: String,
    },
    /// A network whose maps have no range that is known in advance.
    #[error(
        "int8 needs a norm, followed only by ReLU and sums, before every convolution, as in TransformerNet; choose fp32"
    )]
    NoInt8,
}

/// A graph cut into groups, with every node's map at one size, from which all planners start.
struct Grouped<'g> {
    graph: &'g Graph,
    groups: Vec<Group>,
    shapes: Vec<Shape>,
}

impl<'g> Grouped<'g> {
    /// A graph with its maps, grouped for a variant.
    fn new(graph: &'g Graph, shapes: Vec<Shape>, variant: Variant) -> Result<Self, PlanError> {
        let level = match variant {
            Variant::Baseline => Level::None,
            Variant::FusedNorm => Level::Norm,
            Variant::Fused => Level::All,
        };
        let groups = fusion::group(graph, level)?;
        fusion::check(graph, &groups)?;
        Ok(Self { graph, groups, shapes })
    }

    /// The error for a group that no kernel computes.
    fn no_kernel(&self, group: &Group) -> PlanError {
        PlanError::NoKernel { node: self.graph.nodes()[group.op].name.clone() }
    }

    /// Whether anything behind a node reads a map.
    fn is_read_after(&self, node: NodeId, map: NodeId) -> bool {
        let later = self.graph.nodes().iter().skip(node + 1);
        later.flat_map(|node| &node.inputs).any(|&read| read == map)
    }
}

/// Who computes a plan's convolutions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConvProvider {
    /// A library with its version, for example `cuDNN 9.14`, or `own kernels`.
    pub name: String,
    /// Why no library computes them; `None` for a library.
    pub reason: Option<String>,
}

impl ConvProvider {
    /// The program's own kernels, since there is no library for this reason.
    pub fn own(reason: impl Into<String>) -> Self {
        Self { name: "own kernels".to_owned(), reason: Some(reason.into()) }
    }

    /// Whether it is a library: then a bias is a step of its own.
    pub const fn is_library(&self) -> bool {
        self.reason.is_none()
    }

    /// A mode, with who computes its convolutions where that is a choice: `baseline fp16 (cuDNN
    /// 9.14)`.
    pub fn mode_label(mode: Mode, conv_provider: Option<&Self>) -> String {
        match conv_provider {
            Some(Self { name, .. }) => format!("{mode} ({name})"),
            None => mode.to_string(),
        }
    }
}

/// The facts of a plan that do not depend on the backend.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanSummary {
    /// Variant and precision.
    pub mode: Mode,
    /// Frames that are painted at once.
    pub batch: usize,
    /// Columns of the picture, in pixels.
    pub width: usize,
    /// Rows of the picture, in pixels.
    pub height: usize,
    /// Layer and kernel of every step, in order: what is launched for one run.
    pub steps: Vec<(String, String)>,
    /// Floating-point operations of one run, that is of `batch` frames (direct form).
    pub flops: u64,
    /// Most memory that one run holds at a time, weights and scratch included, in bytes.
    pub peak_bytes: u64,
    /// Who computes the convolutions, in modes that leave them to a library where there is one.
    pub conv_provider: Option<ConvProvider>,
    /// How attention is computed on a GPU: every way that is launched, once; empty in networks without attention.
    pub attention_kernels: Vec<AttentionKernel>,
}

impl PlanSummary {
    /// Of a run of `batch` frames at `width` x `height`, without steps and costs, which are filled in later.
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

    /// The mode with the way in which attention is really computed; as it was asked for where heads of several sizes
    /// are computed in several ways.
    pub fn mode_as_run(&self) -> Mode {
        let attention = match self.attention_kernels[..] {
            [] => AttentionChoice::Auto,
            [kernel] => AttentionChoice::Fixed(kernel),
            _ => self.mode.attention,
        };
        self.mode.with_attention(attention)
    }

    /// [`ConvProvider::mode_label`] of the mode as it is run.
    pub fn label(&self) -> String {
        ConvProvider::mode_label(self.mode_as_run(), self.conv_provider.as_ref())
    }

    /// What computes attention in the place of the way that was chosen, in words; `None` where nothing does.
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
