//! The lists of steps of both variants, and the lifetimes of their maps.

use super::{
    CpuOp, Gather, MapBuffer, MapId, TILE_COLUMNS, TILE_SLACK, algorithm_for, padded_channels,
    staging::fused_scratch,
};
use crate::{
    network::{ConvSpec, Tail},
    plan::{Step, arena::Lifetime},
    tensor::Shape,
};

/// Collects steps and buffer lifetimes.
#[derive(Default)]
pub(super) struct Builder {
    pub(super) steps: Vec<Step<CpuOp>>,
    pub(super) maps: Vec<MapBuffer>,
    pub(super) lifetimes: Vec<Lifetime>,
    pub(super) scratch_len: usize,
}

impl Builder {
    /// A map that the next step writes.
    fn map(&mut self, shape: Shape, stored_channels: usize) -> MapId {
        let map = MapBuffer {
            shape,
            stored_channels,
            offset: 0,
        };
        self.lifetimes.push(Lifetime {
            len: map.len(),
            first_step: self.steps.len(),
            last_step: self.steps.len(),
        });
        self.maps.push(map);
        self.maps.len() - 1
    }

    /// The next step reads these maps.
    fn reads(&mut self, maps: &[MapId]) {
        for &map in maps {
            self.lifetimes[map].last_step = self.steps.len();
        }
    }

    fn step(
        &mut self,
        conv: &ConvSpec,
        kernel: &str,
        op: CpuOp,
        output: Shape,
        flops: u64,
        elements: usize,
    ) {
        self.steps.push(Step {
            layer: conv.name.clone(),
            kernel: kernel.to_owned(),
            op,
            output,
            flops,
            bytes: 4 * elements as u64,
        });
    }

    fn scratch(&mut self, elements: usize) {
        self.scratch_len = self.scratch_len.max(elements);
    }

    /// One pass per operation.
    pub(super) fn plan_baseline(&mut self, convs: &[ConvSpec], (height, width): (usize, usize)) {
        let photo = Shape::new(3, height, width);
        let mut input = self.map(photo, 3);
        self.step(
            &convs[0],
            "load",
            CpuOp::Load { to: input },
            photo,
            0,
            2 * photo.len(),
        );
        let mut skip = input;
        for (id, conv) in convs.iter().enumerate() {
            if conv.tail == Tail::NormRelu
                && convs.get(id + 1).is_some_and(|n| n.tail == Tail::NormAdd)
            {
                skip = input;
            }
            if conv.upsample {
                let s = self.maps[input].shape;
                let big = Shape::new(s.channels, 2 * s.height, 2 * s.width);
                let to = self.map(big, stored(big));
                self.reads(&[input]);
                self.step(
                    conv,
                    "upsample",
                    CpuOp::Upsample { from: input, to },
                    big,
                    0,
                    s.len() + big.len(),
                );
                input = to;
            }
            let s = self.maps[input].shape;
            let channels = self.maps[input].stored_channels;
            let pad = conv.padding();
            let padded = Shape::new(s.channels, s.height + 2 * pad, s.width + 2 * pad);
            let to = self.map(padded, channels);
            self.reads(&[input]);
            self.step(
                conv,
                "pad",
                CpuOp::Pad {
                    conv: id,
                    from: input,
                    to,
                },
                padded,
                0,
                s.len() + padded.len(),
            );
            let (h, w) = (
                s.height.div_ceil(conv.stride),
                s.width.div_ceil(conv.stride),
            );
            let shape = Shape::new(conv.out_channels, h, w);
            let out = self.map(shape, stored(shape));
            self.reads(&[to]);
            let elements = padded.len() + conv.weight_count() + shape.len();
            self.step(
                conv,
                "im2col",
                CpuOp::Im2col {
                    conv: id,
                    from: to,
                    to: out,
                },
                shape,
                conv.flops(h, w),
                elements,
            );
            let taps = conv.kernel * conv.kernel * channels;
            self.scratch((TILE_COLUMNS + TILE_SLACK) * (taps + stored(shape).next_multiple_of(32)));
            input = out;
            if conv.tail == Tail::Picture {
                self.reads(&[out]);
                self.step(
                    conv,
                    "store",
                    CpuOp::Store { from: out },
                    shape,
                    0,
                    2 * shape.len(),
                );
                continue;
            }
            self.reads(&[out]);
            self.step(
                conv,
                "mean and variance",
                CpuOp::Statistics { conv: id, map: out },
                shape,
                0,
                shape.len(),
            );
            self.reads(&[out]);
            self.step(
                conv,
                "normalise",
                CpuOp::Normalise { conv: id, map: out },
                shape,
                0,
                2 * shape.len(),
            );
            self.scratch(2 * stored(shape));
            if conv.tail == Tail::NormAdd {
                self.reads(&[skip, out]);
                self.step(
                    conv,
                    "add",
                    CpuOp::Add {
                        from: skip,
                        to: out,
                    },
                    shape,
                    0,
                    3 * shape.len(),
                );
            } else {
                self.reads(&[out]);
                self.step(
                    conv,
                    "relu",
                    CpuOp::Relu { map: out },
                    shape,
                    0,
                    2 * shape.len(),
                );
            }
        }
    }

    /// One step per layer.
    pub(super) fn plan_fused(&mut self, convs: &[ConvSpec], (height, width): (usize, usize)) {
        let (mut h, mut w) = (height, width);
        let mut raw: Option<MapId> = None;
        let mut stream: Option<MapId> = None;
        for (id, conv) in convs.iter().enumerate() {
            let opens_block = convs
                .get(id + 1)
                .is_some_and(|next| next.tail == Tail::NormAdd);
            let input = Shape::new(conv.in_channels, h, w);
            (h, w) = conv.output_size(h, w);
            let shape = Shape::new(conv.out_channels, h, w);
            let keep = opens_block.then(|| self.map(input, stored(input)));
            let gather = match raw {
                None => Gather::Photo,
                Some(map) => {
                    let before = id - 1;
                    self.reads(&[map]);
                    match stream {
                        Some(skip) if convs[before].tail == Tail::NormAdd => {
                            self.reads(&[skip]);
                            Gather::NormAdd {
                                map,
                                conv: before,
                                skip,
                                keep,
                            }
                        }
                        _ => Gather::NormRelu {
                            map,
                            conv: before,
                            keep,
                        },
                    }
                }
            };
            stream = keep.or(stream);
            let algorithm = algorithm_for(conv);
            let to = (conv.tail != Tail::Picture).then(|| self.map(shape, stored(shape)));
            let mut elements = input.len() + conv.weight_count() + shape.len();
            if keep.is_some() {
                elements += input.len();
            }
            self.scratch(fused_scratch(conv, algorithm));
            let op = CpuOp::Fused {
                conv: id,
                algorithm,
                gather,
                to,
            };
            self.step(
                conv,
                &algorithm.label(conv.kernel),
                op,
                shape,
                conv.flops(h, w),
                elements,
            );
            raw = to;
        }
    }
}

/// Channels of a map as it lies in memory.
fn stored(shape: Shape) -> usize {
    padded_channels(shape.channels)
}
