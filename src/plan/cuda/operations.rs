//! The single operations that a network is made of, each as a plan of its own: for tables and tests
//! that look at one of them.
//!
//! Every launch is one that some variant of the network has, with the same kernel, tile and grid; only the maps
//! around it are the operation's own. The fused network folds normalising, ReLU and the residual add into the
//! load of the next layer; here the launch of the fused norm computes them, so that the operation is complete.
//! [`OperationPlan::launches_of_network`] says how many of the launches the fused network has too.

use std::slice;

use super::{
    Builder, CudaPlan, CudaPlanError, DeviceLimits, MapId, Source, Target, precision::map_format,
};
use crate::{
    graph::{Graph, NORM_EPS},
    mode::{Mode, Precision, Variant},
    plan::ConvLayer,
    tensor::Shape,
};

/// The kinds of operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OperationKind {
    /// Instance norm, then ReLU.
    InstanceNorm,
    /// Reflection padding and convolution, with its bias.
    ConvPad,
    /// Reflection padding, convolution, instance norm.
    ConvNorm,
    /// The same, then ReLU.
    ConvNormRelu,
    /// Two convolutions with their norms, ReLU between them, and the add of the input.
    ResidualBlock,
}

impl OperationKind {
    /// The spelling in reports for programs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InstanceNorm => "instance-norm",
            Self::ConvPad => "conv-pad",
            Self::ConvNorm => "conv-norm",
            Self::ConvNormRelu => "conv-norm-relu",
            Self::ResidualBlock => "residual-block",
        }
    }
}

/// One operation on a map of a certain size.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// What it does.
    pub kind: OperationKind,
    /// Its convolutions with their norms; the norm alone has one that is never launched.
    pub convs: Vec<ConvLayer>,
    /// Extent of the map that it reads.
    pub input: Shape,
    /// How it is computed, and how the fused network computes it.
    pub how: &'static str,
}

/// An operation as launches.
#[derive(Clone, Debug, PartialEq)]
pub struct OperationPlan {
    /// The launches and their maps.
    pub plan: CudaPlan,
    /// The map that is read.
    pub input: MapId,
    /// The map that is made; `None` for the painting.
    pub output: Option<MapId>,
    /// How many of the launches, from the first on, the fused network has too.
    pub launches_of_network: usize,
}

impl Operation {
    /// Those of a network on photos of `height` x `width` pixels: on the map of its first convolution, the
    /// largest, and on its smallest ones. None of a network that has no such maps.
    pub fn of_network(graph: &Graph, size: (usize, usize)) -> Vec<Self> {
        let shapes = graph.for_photo(size.0, size.1).map(|of| of.1).unwrap_or_default();
        let nodes = graph.nodes().iter().zip(shapes);
        let maps: Vec<Shape> =
            nodes.filter(|(node, _)| node.op.is_conv()).map(|(_, shape)| shape).collect();
        let smallest = maps.iter().min_by_key(|map| map.height * map.width);
        let (Some(&full), Some(second), Some(&quarter)) = (maps.first(), maps.get(1), smallest)
        else {
            return Vec::new();
        };
        let (a, b, c) = (full.channels, second.channels, quarter.channels);
        let conv = |name: &str, (from, to), kernel, stride| ConvLayer {
            name: name.to_owned(),
            norm_name: Some(format!("{name}.norm")),
            norm_eps: NORM_EPS,
            in_channels: from,
            out_channels: to,
            kernel,
            stride,
            padding: kernel / 2,
            upsample: false,
            reads_photo: false,
            makes_picture: false,
            affine: [None, None],
        };
        let picture =
            ConvLayer { norm_name: None, makes_picture: true, ..conv("conv1", (a, 3), 9, 1) };
        let operation = |kind, convs: &[ConvLayer], input, how| Self {
            kind,
            convs: convs.to_vec(),
            input,
            how,
        };
        let first = conv("conv1", (c, c), 3, 1);
        let second = conv("conv2", (c, c), 3, 1);
        let folded = "statistics in the convolution's epilogue, then a normalising pass, which the \
                      fused network folds into the next layer's load";
        let padded = "reflected while loading, with the bias; the fused network gathers statistics \
                      there instead of adding a bias";
        let unused = "reflected while loading; for networks with such a kernel, which the six styles \
                      do not have";
        vec![
            operation(
                OperationKind::InstanceNorm,
                &[conv("norm", (c, c), 1, 1)],
                quarter,
                "the fused-norm network's; the fused one has it in its convolutions",
            ),
            operation(
                OperationKind::InstanceNorm,
                &[conv("norm", (a, a), 1, 1)],
                full,
                "the fused-norm network's; the fused one has it in its convolutions",
            ),
            operation(OperationKind::ConvNormRelu, slice::from_ref(&first), quarter, folded),
            operation(OperationKind::ConvNorm, slice::from_ref(&second), quarter, folded),
            operation(OperationKind::ConvPad, slice::from_ref(&first), quarter, padded),
            operation(OperationKind::ConvPad, &[conv("conv1", (a, b), 3, 2)], full, padded),
            operation(
                OperationKind::ConvPad,
                slice::from_ref(&picture),
                full,
                "reflected while loading, with the bias, rounded to bytes: the network's last layer",
            ),
            operation(OperationKind::ConvPad, &[conv("conv1", (a, b), 9, 2)], full, unused),
            operation(
                OperationKind::ResidualBlock,
                &[first, second],
                quarter,
                "the network's layers, on Hopper both in one launch where the device holds all of it \
                 at once, then a pass that normalises and adds, which the fused network folds into the \
                 next layer's load",
            ),
        ]
    }

    /// Rows and columns of what it makes.
    fn output_size(&self) -> (usize, usize) {
        let start = (self.input.height, self.input.width);
        let convs = self.convs.iter();
        convs.fold(start, |(h, w), conv| conv.output_size(h, w))
    }

    /// Extent of what it makes.
    pub fn output(&self) -> Shape {
        let (height, width) = self.output_size();
        let last = self.convs.last();
        Shape::new(last.map_or(0, |conv| conv.out_channels), height, width)
    }

    /// For people: `conv 3x3 stride 2 + pad`.
    pub fn title(&self) -> String {
        let conv = self.convs.first().map_or_else(String::new, |conv| {
            let stride = match conv.stride {
                1 => String::new(),
                stride => format!(" stride {stride}"),
            };
            format!("conv {0}x{0}{stride} + pad", conv.kernel)
        });
        match self.kind {
            OperationKind::InstanceNorm => "instance norm + ReLU".to_owned(),
            OperationKind::ConvPad => conv,
            OperationKind::ConvNorm => format!("{conv} + norm"),
            OperationKind::ConvNormRelu => format!("{conv} + norm + ReLU"),
            OperationKind::ResidualBlock => "residual block".to_owned(),
        }
    }

    /// Operations of the direct form.
    pub fn flops(&self) -> u64 {
        if self.kind == OperationKind::InstanceNorm {
            return 0;
        }
        let (height, width) = self.output_size();
        self.convs.iter().map(|c| c.flops(height, width)).sum()
    }

    /// Input, output and weights, once each, in bytes.
    pub fn bytes(&self, precision: Precision) -> u64 {
        let value = map_format(precision).storage.bytes();
        let output = self.output();
        let written = match self.convs.last() {
            Some(last) if last.makes_picture => 4 * output.height * output.width,
            _ => value * output.len(),
        };
        let weights = match self.kind {
            OperationKind::InstanceNorm => 0,
            _ => self.convs.iter().map(ConvLayer::weight_count).sum(),
        };
        (value * (self.input.len() + weights) + written) as u64
    }

    /// The launches on a device.
    ///
    /// # Errors
    /// [`CudaPlanError`] when the device cannot do it.
    pub fn plan(
        &self,
        precision: Precision,
        limits: &DeviceLimits,
    ) -> Result<OperationPlan, CudaPlanError> {
        let mode = Mode::new(Variant::Fused, precision);
        super::mode_supported(mode, limits)?;
        let mut builder = Builder::new(&self.convs, 1, precision, limits, None);
        let input = builder.map(self.input);
        let makes_picture = self.convs.iter().any(|conv| conv.makes_picture);
        // The photo lends its alpha to a painting; without one there is none.
        let photo = if makes_picture { self.output_size() } else { (1, 1) };
        let mut last = input;
        let launches_of_network = if self.kind == OperationKind::InstanceNorm {
            builder.fused_norm(0, input, None, self.convs[0].norm_eps as f32);
            0
        } else {
            for id in 0..self.convs.len() {
                last = builder.operation_conv(self, id, last)?;
            }
            let shared = builder.steps.len();
            match self.kind {
                OperationKind::ConvNorm => builder.norm_apply(0, last, None, false),
                OperationKind::ConvNormRelu => builder.norm_apply(0, last, None, true),
                OperationKind::ResidualBlock => builder.norm_apply(1, last, Some(input), false),
                OperationKind::ConvPad | OperationKind::InstanceNorm => {}
            }
            shared
        };
        // Nothing shares a place: an operation is run on the same input again and again.
        let end = builder.steps.len();
        for lifetime in &mut builder.lifetimes {
            (lifetime.first_step, lifetime.last_step) = (0, end);
        }
        Ok(OperationPlan {
            plan: builder.finish(mode, photo, photo),
            input,
            output: (!makes_picture).then_some(last),
            launches_of_network,
        })
    }
}

impl Builder<'_> {
    /// Appends one convolution of an operation; the map that it makes (or the one that it reads, where
    /// it makes the painting).
    fn operation_conv(
        &mut self,
        operation: &Operation,
        id: usize,
        from: MapId,
    ) -> Result<MapId, CudaPlanError> {
        let convs = self.convs;
        let conv = &convs[id];
        let input = self.maps[from].shape;
        let (height, width) = conv.output_size(input.height, input.width);
        let source = if id == 0 {
            Source::Map(from)
        } else {
            Source::Normalised { map: from, conv: id - 1, relu: true, skip: None, keep: None }
        };
        let (target, to) = if conv.makes_picture {
            (Target::Picture, from)
        } else {
            let map = self.map(Shape::new(conv.out_channels, height, width));
            (Target::Map(map), map)
        };
        let mut launch = self.fused_conv(
            id,
            conv,
            ((input.height, input.width), (height, width)),
            source,
            target,
            false,
        )?;
        if operation.kind == OperationKind::ConvPad {
            (launch.statistics, launch.bias) = (false, true);
        }
        self.conv_step(launch, input);
        Ok(to)
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use std::collections::HashSet;

    use super::{super::PRECISIONS, *};
    use crate::models::johnson::{Kernels, NetworkSpec};

    const H200: DeviceLimits = DeviceLimits {
        compute_capability: (9, 0),
        multiprocessors: 132,
        shared_bytes_per_cta: 227 << 10,
        shared_bytes_per_multiprocessor: 228 << 10,
    };

    fn network() -> Graph {
        let spec = NetworkSpec::with_widths([32, 64, 128]);
        spec.graph().expect("a graph")
    }

    /// Entries of the kernels that networks launch: the usual one, and one with a 9x9 kernel of stride 2.
    fn entries_of_networks(precision: Precision) -> HashSet<String> {
        let wide = NetworkSpec {
            kernels: Kernels { down: [9, 3], ..Kernels::default() },
            ..NetworkSpec::with_widths([32, 64, 128])
        };
        let mut entries = HashSet::new();
        for (graph, size) in [
            (network(), (512, 512)),
            (network(), (64, 48)),
            (wide.graph().expect("a graph"), (512, 512)),
        ] {
            for variant in [Variant::Fused, Variant::FusedNorm] {
                let mode = Mode::new(variant, precision);
                let plan = match CudaPlan::new(&graph, size, 1, mode, &H200) {
                    // Norms are those of other precisions.
                    Err(_) => {
                        let precision = match precision {
                            Precision::Int8 => Precision::Fp16,
                            _ => Precision::Fp32,
                        };
                        CudaPlan::new(&graph, size, 1, Mode::new(variant, precision), &H200)
                    }
                    plan => plan,
                };
                let plan = plan.expect("a plan");
                entries.extend(plan.steps.into_iter().map(|step| step.entry));
            }
        }
        entries
    }

    #[test]
    fn no_kernel_exists_for_the_table_alone() {
        for precision in PRECISIONS {
            let entries = entries_of_networks(precision);
            for size in [(512, 512), (64, 48)] {
                for operation in Operation::of_network(&network(), size) {
                    let planned = match operation.plan(precision, &H200) {
                        // 9x9 over maps.
                        Err(CudaPlanError::Layer { kernel: 9, .. })
                            if precision == Precision::Fp16x2 =>
                        {
                            continue;
                        }
                        planned => planned.expect("a plan"),
                    };
                    for step in &planned.plan.steps {
                        let title = operation.title();
                        assert!(
                            entries.contains(&step.entry),
                            "{title} {precision}: {} is in no network",
                            step.entry
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn launches_of_the_network_come_first() {
        let all = Operation::of_network(&network(), (512, 512));
        let counts: Vec<(OperationKind, usize, usize)> = all
            .iter()
            .map(|o| {
                let planned = o.plan(Precision::Fp16, &H200).expect("a plan");
                (o.kind, planned.launches_of_network, planned.plan.steps.len())
            })
            .collect();
        let norms = OperationKind::InstanceNorm;
        let kinds: Vec<(OperationKind, usize, usize)> =
            (counts.iter().copied().filter(|count| count.0 == norms)).collect();
        assert_eq!(
            kinds,
            [(norms, 0, 1), (norms, 0, 2)],
            "a cluster holds the pixels of 128x128, not those of 512x512"
        );
        assert!(counts.contains(&(OperationKind::ConvNormRelu, 1, 2)));
        assert!(counts.contains(&(OperationKind::ConvNorm, 1, 2)));
        assert!(counts.contains(&(OperationKind::ConvPad, 1, 1)));
        assert!(counts.contains(&(OperationKind::ResidualBlock, 2, 3)));
        let small = &Operation::of_network(&network(), (256, 256))[0];
        let planned = small.plan(Precision::Fp16, &H200).expect("a plan");
        assert_eq!(planned.plan.steps.len(), 1, "one pass over memory");
    }

    #[test]
    fn shapes_and_cost() {
        let all = Operation::of_network(&network(), (512, 512));
        let find = |title: &str| all.iter().find(|o| o.title() == title).expect(title);
        let block = find("residual block");
        assert_eq!((block.input, block.output()), (block.input, block.input));
        assert_eq!(block.flops(), 2 * 2 * 9 * 128 * 128 * 128 * 128);
        let map_bytes = 2 * 128 * 128 * 128;
        let weight_bytes = 2 * 2 * 9 * 128 * 128;
        assert_eq!(block.bytes(Precision::Fp16), 2 * map_bytes + weight_bytes);
        let strided = find("conv 9x9 stride 2 + pad");
        assert_eq!(strided.output(), Shape::new(64, 256, 256));
        let picture = find("conv 9x9 + pad");
        assert_eq!(picture.output(), Shape::new(3, 512, 512));
        let planned = picture.plan(Precision::Fp16, &H200).expect("a plan");
        assert_eq!(planned.output, None);
    }
}
