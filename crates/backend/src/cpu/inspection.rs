//! Looks into the runs of a session: the times of its steps, its output before rounding, and what every kernel reads
//! and writes.
//!
//! A check of kernels runs the plan's steps one by one and copies the maps before and after each. A fused layer makes
//! three records: the residual stream that it keeps, its convolution, and the statistics of its sums.

use std::sync::Arc;

use super::{
    pack::Packed,
    run_input::RunInput,
    session::{CpuSession, Progress},
};
use crate::{
    BackendResult, InspectSession, NormTap, RunControl,
    audit::{Fill, KernelRecord, Work, levels},
};
use network::graph::Op;
use plan::{
    Source,
    cpu::{Algorithm, CpuOp, MapId, general::GeneralOp},
};
use values::{
    frame::Frame,
    tensor::{Shape, Tensor, maps_text},
    timing::StepTiming,
};

/// What a step reads and computes, and which map it writes; it writes the picture if there is no map.
struct Reading {
    work: Work,
    read: Vec<Tensor>,
    target: Option<MapId>,
    /// The map that it computes while loading, and where that map is kept.
    kept: Option<ResidualStream>,
}

/// The residual stream that a fused layer keeps.
struct ResidualStream {
    map: MapId,
    relu: bool,
    read: Vec<Tensor>,
}

impl InspectSession for CpuSession {
    fn step_times(&self) -> Vec<StepTiming> {
        (self.plan.steps.iter())
            .zip(&self.step_ms)
            .map(|(step, &ms)| StepTiming {
                layer: step.layer.clone(),
                kernel: step.kernel.clone(),
                ms,
                flops: step.flops,
                bytes: step.bytes,
            })
            .collect()
    }

    fn run_tensor(
        &mut self,
        input: &Frame,
        control: &RunControl,
        tap: Option<NormTap<'_>>,
    ) -> BackendResult<Tensor> {
        let photo = self.extended(input)?;
        let mut output = Tensor::zeros(Shape::new(3, input.height(), input.width()));
        let picture = self.floats_to(&mut output.data);
        self.run_steps(RunInput::photo(&photo), picture, control, tap)?;
        Ok(output)
    }

    fn run_maps(&mut self, inputs: &[Tensor]) -> BackendResult<Tensor> {
        let shapes: Vec<Shape> = inputs.iter().map(|map| map.shape).collect();
        let needed = self.plan.inputs();
        let made = self.plan.steps.last().map(|step| step.output);
        let Some(made) = made.filter(|_| !needed.is_empty() && needed == shapes) else {
            return Err(self.wrong_inputs(maps_text(&shapes)));
        };
        let mut output = Tensor::zeros(made);
        let picture = self.floats_to(&mut output.data);
        let run_input = RunInput { photo: &[], maps: inputs };
        self.run_steps(run_input, picture, &RunControl::default(), None)?;
        Ok(output)
    }

    fn audit(
        &mut self,
        photo: &Frame,
        fill: Option<Fill>,
        seen: &mut dyn FnMut(KernelRecord),
    ) -> BackendResult {
        let seen_photo = &*self.extended(photo)?;
        let mut output = Tensor::zeros(Shape::new(3, photo.height(), photo.width()));
        let picture = self.floats_to(&mut output.data);
        let control = RunControl::default();
        let plan = Arc::clone(&self.plan);
        for step in &plan.steps {
            let (work, maps, target) = self.reading(&step.op);
            // A map without statistics yet may be filled with any values.
            if let (Some(fill), false) = (fill, matches!(step.op, CpuOp::Normalise { .. })) {
                maps.iter().for_each(|&map| self.fill(map, fill));
            }
            let reading = match step.op {
                CpuOp::Fused { conv, algorithm, source, to } => {
                    Some(self.fused_reading((conv, algorithm), source, to, seen_photo))
                }
                _ => work.map(|work| Reading {
                    work,
                    read: match step.op {
                        CpuOp::General(GeneralOp::Node { op: Op::Photo, .. }) => {
                            vec![levels(seen_photo, 1.0)]
                        }
                        _ => maps.iter().map(|&map| self.map(map)).collect(),
                    },
                    target,
                    kept: None,
                }),
            };
            let progress = Progress::of_one_step(&control);
            self.execute(RunInput::photo(seen_photo), picture, &progress, &step.op);
            let Some(Reading { work, read, target, kept }) = reading else {
                continue;
            };
            let record = |work, read, wrote| KernelRecord {
                layer: step.layer.clone(),
                kernel: match work {
                    Work::Norm { .. } => "statistics+normalise".to_owned(),
                    _ => step.kernel.clone(),
                },
                work,
                read,
                wrote,
            };
            if let Some(ResidualStream { map, relu, read }) = kept {
                seen(record(Work::Keep { relu }, read, self.map(map)));
            }
            if let CpuOp::Fused { conv, to: Some(map), .. } = step.op {
                let statistics =
                    Work::Statistics { conv, eps: self.plan.convs[conv].norm_eps as f32 };
                let applied = self.normalised_map(map, conv);
                seen(record(statistics, vec![self.map(map)], applied));
            }
            let wrote = match target {
                Some(map) => self.map(map),
                None => output.clone(),
            };
            seen(record(work, read, wrote));
        }
        Ok(())
    }
}

impl CpuSession {
    /// What a step computes, the maps that it reads unchanged, and the map that it writes. There is no work for a step
    /// that only prepares the next one or that [`Self::fused_reading`] describes.
    fn reading(&self, op: &CpuOp) -> (Option<Work>, Vec<MapId>, Option<MapId>) {
        let (work, maps, target) = match *op {
            CpuOp::Statistics { map, .. } => return (None, vec![map], None),
            CpuOp::Im2col { conv, from, to } => (Work::plain_conv(conv, 1.0), vec![from], Some(to)),
            CpuOp::Normalise { conv, map } => {
                let eps = self.plan.convs[conv].norm_eps as f32;
                (Work::Norm { conv, eps, relu: false }, vec![map], Some(map))
            }
            CpuOp::General(GeneralOp::Node { op, ref from, to, .. }) if !self.plan.is_general => {
                let (work, target) = match op {
                    Op::Photo => (Work::Load { factor: 1.0 }, Some(to)),
                    Op::Picture => (Work::Store, None),
                    _ => (Work::Node(op), Some(to)),
                };
                (work, from.clone(), target)
            }
            CpuOp::General(GeneralOp::Pointwise { to, ref chain, .. }) if !self.plan.is_general => {
                let addend = chain.first().and_then(|pass| pass.operand);
                let op = if addend.is_some() { Op::Add } else { Op::Relu };
                (Work::Node(op), [to].into_iter().chain(addend).collect(), Some(to))
            }
            // A step of a general plan is judged as a whole.
            CpuOp::General(_) | CpuOp::Fused { .. } => return (None, Vec::new(), None),
        };
        (Some(work), maps, target)
    }

    fn fused_reading(
        &self,
        (conv, algorithm): (usize, Algorithm),
        source: Source,
        to: Option<MapId>,
        photo: &Frame,
    ) -> Reading {
        let (read, relu, kept): (Vec<_>, _, _) = match source {
            Source::Normalised { map, conv, relu, skip, keep } => {
                let raw = self.normalised_map(map, conv);
                ([raw].into_iter().chain(skip.map(|skip| self.map(skip))).collect(), relu, keep)
            }
            Source::Photo | Source::Map(_) => (vec![levels(photo, 1.0)], false, None),
        };
        let kept = kept.map(|map| ResidualStream { map, relu, read: read.clone() });
        // If a norm follows, the convolution reads the difference between each value and the first value of its
        // channel, or for bytes the least value of its channel. With the photo, only Winograd's algorithm does this.
        let is_exact = source == Source::Photo && algorithm != Algorithm::BlockedWinograd;
        let is_centred = to.is_some() && !is_exact;
        let (read, relu) = if is_centred {
            let above_least = matches!(self.weights[conv].packed, Packed::Bytes(_));
            (vec![centred(read, relu, above_least)], false)
        } else {
            (read, relu)
        };
        let spec = &self.plan.convs[conv];
        let work = Work::Conv {
            conv,
            relu,
            doubled: spec.upsample,
            margin: spec.padding,
            // A following norm would cancel the bias, so only the picture has one.
            bias_factor: if to.is_none() { 1.0 } else { 0.0 },
        };
        Reading { work, read, target: to, kept }
    }

    fn map(&self, map: MapId) -> Tensor {
        self.normalised(&self.plan.maps[map], None)
    }

    fn normalised_map(&self, map: MapId, conv: usize) -> Tensor {
        self.normalised(&self.plan.maps[map], Some(&self.norms[conv]))
    }

    /// Fills a map with random values. Padding channels stay zero.
    fn fill(&mut self, map: MapId, fill: Fill) {
        let buffer = self.plan.maps[map];
        let mut values = fill.values(map as u64, buffer.shape.len()).into_iter();
        let stored = &mut self.arena[buffer.offset..buffer.offset + buffer.len()];
        for pixel in stored.chunks_exact_mut(buffer.stored_channels) {
            let (real, padding) = pixel.split_at_mut(buffer.shape.channels);
            real.fill_with(|| values.next().unwrap_or_default());
            padding.fill(0.0);
        }
    }
}

/// The ReLU of the first map, or the sum of both maps, minus the first pixel of each channel or, for bytes, minus its
/// least value (`above_least`). Computed in single precision, as the layers load it.
fn centred(read: Vec<Tensor>, relu: bool, above_least: bool) -> Tensor {
    let mut maps = read.into_iter();
    let mut map = maps.next().unwrap_or_else(|| Tensor::zeros(Shape::new(0, 0, 0)));
    for addend in maps {
        for (a, b) in map.data.iter_mut().zip(&addend.data) {
            *a += b;
        }
    }
    let plane = map.shape.height * map.shape.width;
    for values in map.data.chunks_exact_mut(plane.max(1)) {
        if relu {
            values.iter_mut().for_each(|v| *v = v.max(0.0));
        }
        let first = if above_least {
            values.iter().copied().fold(f32::INFINITY, f32::min)
        } else {
            values[0]
        };
        values.iter_mut().for_each(|v| *v -= first);
    }
    map
}
