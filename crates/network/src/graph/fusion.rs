//! Fusion: divides a graph into groups of nodes that run together. Runs once for every backend, before buffers are
//! placed.
//!
//! A group has one main operation. The nodes in its `gather` are computed while the operation loads its input: norm,
//! ReLU, residual sum, upsampling, padding. The nodes in its `epilogue` are computed while it stores its result:
//! statistics or the picture. If the group is a whole norm, its epilogue is the norm, ReLU and residual sum. A planner
//! may make several launches from one group, and one launch from several. Grouping changes no node, so the graph and
//! the names in it stay the same. [`check`] checks the groups against the graph; planners always call it.

use std::collections::BTreeSet;

use super::{Class, Graph, Node, NodeId, Op};
use values::mode::Variant;

/// Nodes that run together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Computed while loading, in order. A node may be in the gather of several groups; each of them computes it.
    pub gather: Vec<NodeId>,
    pub op: NodeId,
    /// Computed while storing, in order.
    pub epilogue: Vec<NodeId>,
    /// Maps that this group reads and other groups write.
    pub reads: Vec<NodeId>,
    /// Maps that are stored, in the order in which they are made.
    pub writes: Vec<NodeId>,
}

impl Group {
    /// All nodes of the group, in the order in which they are computed.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> {
        self.gather.iter().chain([&self.op]).chain(&self.epilogue).copied()
    }
}

/// A grouping that would not compute the graph.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A node that no group computes.
    #[error("no group computes {0}")]
    Missing(String),
    /// Planning would take far more steps than the graph has nodes.
    #[error("its convolutions compute too many nodes again while they load")]
    TooOften,
    /// A node that must run once runs in several groups.
    #[error("{0} is computed more than once")]
    Repeated(String),
    /// A group reads a map before one writes it.
    #[error("the group of {group} reads {map} before it is written")]
    TooEarly {
        /// The group's main operation.
        group: String,
        /// The map's node.
        map: String,
    },
    /// A map is not written although another group reads it or it is an output.
    #[error("{0} is needed outside its group and not written")]
    NotWritten(String),
}

/// Maximum number of nodes that all groups together may compute while loading, per node of the graph.
const MAX_GATHERED_PER_NODE: usize = 8;

/// Divides a graph into groups, in an order in which they can run. `baseline` runs every node separately, as a
/// framework does. `fused-norm` joins a norm's statistics, the norm, and the ReLU or sum after it. `fused` joins all
/// nodes between two convolutions with one of them.
///
/// # Errors
/// [`Violation::TooOften`].
pub fn group(graph: &Graph, variant: Variant) -> Result<Vec<Group>, Violation> {
    let readers = graph.readers();
    let mut gathered = 0;
    let mut grouping = Grouping {
        graph,
        feeds_gathers: feeds_gathers(graph, &readers),
        readers,
        written: BTreeSet::new(),
        groups: Vec::new(),
        is_grouped: vec![false; graph.nodes().len()],
    };
    for id in 0..graph.nodes().len() {
        if !grouping.is_grouped[id] {
            grouping.visit(id, variant);
            gathered += grouping.groups.last().map_or(0, |group| group.gather.len());
        }
        if gathered > MAX_GATHERED_PER_NODE * graph.nodes().len() {
            return Err(Violation::TooOften);
        }
    }
    Ok(grouping.groups)
}

/// For each node: whether every path from it leads into a convolution, through nodes that can be computed while
/// loading.
fn feeds_gathers(graph: &Graph, readers: &[Vec<NodeId>]) -> Vec<bool> {
    let mut feeds = vec![false; graph.nodes().len()];
    for id in (0..feeds.len()).rev() {
        feeds[id] = !readers[id].is_empty()
            && (readers[id].iter()).all(|&reader| match graph.nodes()[reader].op.class() {
                Class::Contract => true,
                Class::Pointwise | Class::Index => feeds[reader],
                Class::Input | Class::Window | Class::Reduce | Class::Output => false,
            });
    }
    feeds
}

/// The state while groups are formed.
struct Grouping<'g> {
    graph: &'g Graph,
    readers: Vec<Vec<NodeId>>,
    /// For each node: whether it may be left to the convolutions that read it.
    feeds_gathers: Vec<bool>,
    /// Maps that the groups so far write.
    written: BTreeSet<NodeId>,
    groups: Vec<Group>,
    /// For each node: whether some group computes it already.
    is_grouped: Vec<bool>,
}

impl Grouping<'_> {
    fn class(&self, id: NodeId) -> Class {
        self.graph.nodes()[id].op.class()
    }

    /// Forms the group that starts at a node, or leaves the node to the groups that read it.
    fn visit(&mut self, id: NodeId, variant: Variant) {
        match (variant, self.class(id)) {
            (Variant::Fused, Class::Contract) => {
                self.close(self.gather(id), id, self.epilogue(id));
            }
            // Leave a node that can be computed while loading to the convolution that loads it.
            (Variant::Fused, Class::Input | Class::Pointwise | Class::Index)
                if self.feeds_gathers[id] => {}
            (Variant::FusedNorm, Class::Reduce) => {
                self.close(Vec::new(), id, self.rest_of_norm(id));
            }
            _ => self.close(Vec::new(), id, Vec::new()),
        }
    }

    /// The nodes before `op`, back to the maps that are stored, in order.
    fn gather(&self, op: NodeId) -> Vec<NodeId> {
        let mut found = BTreeSet::new();
        let mut open: Vec<NodeId> = self.graph.nodes()[op].inputs.clone();
        while let Some(id) = open.pop() {
            if !self.written.contains(&id) && found.insert(id) {
                open.extend(&self.graph.nodes()[id].inputs);
            }
        }
        found.into_iter().collect()
    }

    /// The nodes that can be computed while a convolution stores its result: its statistics, or the picture.
    fn epilogue(&self, op: NodeId) -> Vec<NodeId> {
        self.readers[op]
            .iter()
            .copied()
            .filter(|&reader| matches!(self.class(reader), Class::Reduce | Class::Output))
            .collect()
    }

    /// The norm that is applied with these statistics, and the ReLU or sum after it if nothing else reads the norm.
    fn rest_of_norm(&self, statistics: NodeId) -> Vec<NodeId> {
        let [norm] = self.readers[statistics][..] else {
            return Vec::new();
        };
        let [only] = self.readers[norm][..] else {
            return vec![norm];
        };
        let Node { op, inputs, .. } = &self.graph.nodes()[only];
        let is_ready = inputs.iter().all(|input| *input == norm || self.written.contains(input));
        match op {
            Op::Relu | Op::Add if is_ready => vec![norm, only],
            _ => vec![norm],
        }
    }

    /// Appends a group, which writes the maps that other groups read.
    fn close(&mut self, gather: Vec<NodeId>, op: NodeId, epilogue: Vec<NodeId>) {
        let nodes: BTreeSet<NodeId> =
            gather.iter().chain([&op]).chain(&epilogue).copied().collect();
        let (mut reads, mut seen) = (Vec::new(), BTreeSet::new());
        for &id in &nodes {
            for &input in &self.graph.nodes()[id].inputs {
                if !nodes.contains(&input) && seen.insert(input) {
                    reads.push(input);
                }
            }
        }
        let writes: Vec<NodeId> = nodes
            .iter()
            .copied()
            .filter(|&id| match self.class(id) {
                Class::Output => true,
                // Load the photo, and maps whose values are only moved (padded, upsampled), again in each group that
                // needs them. The nodes before the main operation are the gather.
                Class::Input | Class::Index if id < op => false,
                _ => self.readers[id].iter().any(|reader| !nodes.contains(reader)),
            })
            .collect();
        self.written.extend(&writes);
        for &id in &nodes {
            self.is_grouped[id] = true;
        }
        self.groups.push(Group { gather, op, epilogue, reads, writes });
    }
}

/// Checks groups against their graph: every node is computed, a main operation only once, and every map is written
/// before it is read.
///
/// # Errors
/// [`Violation`] names the first node that is wrong.
pub fn check(graph: &Graph, groups: &[Group]) -> Result<(), Violation> {
    let nodes = graph.nodes();
    let name = |id: NodeId| nodes[id].name.clone();
    let mut times = vec![0usize; nodes.len()];
    let mut written = BTreeSet::new();
    for group in groups {
        let mut known: BTreeSet<NodeId> = BTreeSet::new();
        for &map in &group.reads {
            if !written.contains(&map) {
                return Err(Violation::TooEarly { group: name(group.op), map: name(map) });
            }
            known.insert(map);
        }
        for id in group.nodes() {
            times[id] += 1;
            if let Some(&input) = nodes[id].inputs.iter().find(|i| !known.contains(i)) {
                return Err(Violation::NotWritten(name(input)));
            }
            known.insert(id);
        }
        for &map in &group.writes {
            if !known.contains(&map) || !written.insert(map) {
                return Err(Violation::Repeated(name(map)));
            }
        }
    }
    for (id, node) in nodes.iter().enumerate() {
        let may_repeat = matches!(node.op.class(), Class::Input | Class::Pointwise | Class::Index);
        match times[id] {
            0 => return Err(Violation::Missing(name(id))),
            1 => {}
            _ if may_repeat => {}
            _ => return Err(Violation::Repeated(name(id))),
        }
        if node.op.class() == Class::Output && !written.contains(&id) {
            return Err(Violation::NotWritten(name(id)));
        }
    }
    Ok(())
}
