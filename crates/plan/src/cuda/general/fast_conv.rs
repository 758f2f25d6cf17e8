//! Convolutions of general graphs that the kernels for Johnson's networks can compute. These kernels are several times
//! as fast as the plain ones. A launch includes reflection padding and upsampling. Its weights include the affine steps
//! before it (of the photo) and after it. It also includes the following ReLU or the picture.

use super::{Planner, covers, specialised::has_tiles};
use crate::{
    ConvLayer, Nodes,
    cuda::{ConvId, ConvLaunch, CudaPlanResult, MapId, Source, Target},
};
use network::graph::{NodeId, Op};

/// Reflection padding of an upsampled map, in pixels, that the four small kernels of its phases implement.
const FOUR_PHASE_MARGIN_PX: isize = 1;

/// A convolution with the other nodes that its launch computes.
#[derive(Clone, Debug)]
pub struct FastConv {
    /// Its index among the plan's convolutions.
    conv: ConvId,
    /// The node whose map it reads: the photo's, or one that is kept.
    from: NodeId,
    /// The nodes between that one and the convolution.
    before: Vec<NodeId>,
    /// The last following node that the launch computes; the convolution itself if there is none.
    last: NodeId,
    /// ReLU is among them.
    has_relu: bool,
}

/// The fast convolutions of a graph.
#[derive(Debug, Default)]
pub struct FastConvs {
    /// As the plan stores them.
    pub layers: Vec<ConvLayer>,
    /// By node.
    convs: Vec<Option<FastConv>>,
}

impl FastConvs {
    /// The convolutions that such a launch computes correctly, whether or not the device has room for it.
    pub fn of(nodes: &Nodes<'_>, photo: (usize, usize)) -> Self {
        let mut found = Self::default();
        for id in 0..nodes.shapes.len() {
            let own = Finder { nodes, photo }.find(id, found.layers.len());
            found.convs.push(own.map(|(conv, layer)| {
                found.layers.push(layer);
                conv
            }));
        }
        found
    }
}

struct Finder<'g> {
    nodes: &'g Nodes<'g>,
    photo: (usize, usize),
}

impl Finder<'_> {
    fn find(&self, id: NodeId, conv_id: ConvId) -> Option<(FastConv, ConvLayer)> {
        let nodes = self.nodes;
        let Op::Conv2d(conv) = *nodes.op(id) else {
            return None;
        };
        let name = |id: NodeId| nodes.node(id).name.clone();
        let (mut from, mut before) = (nodes.input(id), Vec::new());
        let mut pass = |is: &dyn Fn(&Op) -> bool, from: &mut NodeId| {
            let passes = is(nodes.op(*from)) && nodes.only_reader(*from).is_some();
            if passes {
                before.push(*from);
                *from = nodes.input(*from);
            }
            passes
        };
        let margin_px = nodes.op(from).margin_px().unwrap_or_default();
        let is_padded = pass(&|op| op.margin_px().is_some(), &mut from);
        let padding = if is_padded { margin_px } else { 0 };
        let doubles = pass(&|op| *op == Op::Upsample, &mut from);
        if nodes.padding(from).is_some() {
            // The plain kernels compute it while they load.
            return None;
        }
        let levels = self.levels(from).filter(|_| !doubles);
        let mut affine = [None, None];
        if let Some((steps, scaled)) = &levels {
            affine[0] = scaled.map(name);
            from = *steps.last()?;
            before.extend(steps);
        }
        let (mut last, mut has_relu) = (id, false);
        if let Some(step) = nodes.only_reader(last).filter(|&n| *nodes.op(n) == Op::Affine) {
            affine[1] = Some(name(step));
            last = step;
        }
        match nodes.only_reader(last) {
            Some(next) if *nodes.op(next) == Op::Relu => (last, has_relu) = (next, true),
            Some(next) if self.makes_picture(next) => last = next,
            _ => {}
        }
        let layer = ConvLayer {
            norm_name: None,
            reads_photo: levels.is_some(),
            makes_picture: *nodes.op(last) == Op::Picture,
            affine,
            ..ConvLayer::of_node(nodes.graph, &nodes.readers[id], nodes.node(id))?
        };
        let is_outer = layer.reads_photo || layer.makes_picture;
        let is_made = has_tiles(&conv, doubles || is_outer)
            && !(doubles && is_outer)
            // There must be nothing else between the convolution and its map.
            && (layer.upsample, layer.padding) == (doubles, padding)
            && (!doubles || layer.kernel != 3 || layer.padding == FOUR_PHASE_MARGIN_PX)
            && !(layer.reads_photo && layer.makes_picture);
        let conv = FastConv { conv: conv_id, from, before, last, has_relu };
        is_made.then_some((conv, layer))
    }

    /// The nodes from `id` back to the photo, and the affine step of the levels if there is one. `id` must be the photo
    /// or that step, and no other node may read them.
    fn levels(&self, id: NodeId) -> Option<(Vec<NodeId>, Option<NodeId>)> {
        let (mut steps, mut scaled, mut at) = (Vec::new(), None, id);
        loop {
            self.nodes.only_reader(at)?;
            steps.push(at);
            match self.nodes.op(at) {
                Op::Photo => return Some((steps, scaled)),
                Op::Affine if scaled.is_none() => scaled = Some(at),
                Op::Sized(_) => {}
                _ => return None,
            }
            at = self.nodes.input(at);
        }
    }

    fn makes_picture(&self, id: NodeId) -> bool {
        *self.nodes.op(id) == Op::Picture
            && covers(self.nodes.shapes[self.nodes.input(id)], self.photo)
    }
}

impl Planner<'_, '_> {
    /// Selects the launches for which the device has room. The nodes before them need no launch of their own.
    pub fn choose_fast_convs(&mut self, found: &FastConvs) {
        for (id, fast) in found.convs.iter().enumerate() {
            // In fp16 the photo's levels are divided if only a norm reads the sums. The plain kernels compute those.
            let is_free = self.token_linears[id].is_none() && self.factor(id) == 1.0;
            let Some(fast) = fast.clone().filter(|_| is_free) else {
                continue;
            };
            if self.fast_launch(id, &fast, 0, 0).is_ok() {
                for &node in &fast.before {
                    self.is_folded[node] = true;
                }
                self.fast_convs[id] = Some(fast);
            }
        }
    }

    /// The launch of a convolution that reads the map `from`, unless it reads the photo, and writes the map `to`, unless
    /// it makes the picture.
    fn fast_launch(
        &self,
        id: NodeId,
        fast: &FastConv,
        from: MapId,
        to: MapId,
    ) -> CudaPlanResult<ConvLaunch> {
        let layer = &self.builder.convs[fast.conv];
        let source = if layer.reads_photo { Source::Photo } else { Source::Map(from) };
        let (input, output) = (self.nodes.shapes[fast.from], self.nodes.shapes[id]);
        let (target, size) = if layer.makes_picture {
            (Target::Picture, self.photo)
        } else {
            (Target::Map(to), (output.height, output.width))
        };
        let sizes = ((input.height, input.width), size);
        let mut launch =
            (self.builder).fused_conv(fast.conv, layer, sizes, source, target, true)?;
        launch.statistics = false;
        launch.out_relu = fast.has_relu;
        launch.is_general = true;
        Ok(launch)
    }

    /// Appends the launch of a convolution if it was selected.
    pub fn fast_conv(&mut self, id: NodeId) -> CudaPlanResult<bool> {
        let Some(fast) = self.fast_convs[id].take() else {
            return Ok(false);
        };
        let layer = &self.builder.convs[fast.conv];
        let (mut from, mut to) = (0, 0);
        if !layer.reads_photo {
            from = self.map(id, fast.from)?;
            self.builder.reads(from);
        }
        if !layer.makes_picture {
            to = self.made(fast.last);
        }
        let launch = self.fast_launch(id, &fast, from, to)?;
        self.builder.conv_step(launch, self.nodes.shapes[fast.from]);
        let mut at = id;
        while at != fast.last {
            at = self.nodes.readers[at][0];
            self.is_folded[at] = true;
        }
        Ok(true)
    }
}
