//! A plan as text, with field names of its own.

use std::fmt::{Display, Write};

use network::graph::Op;
use plan::{
    PlanSummary, Source,
    cpu::{self, CpuOp, CpuPlan, general::GeneralOp},
    cuda::{self, ConvLaunch, CudaOp, CudaPlan, MemoryLayout, Target},
};
use values::tensor::Shape;

/// The text of a plan with our own kernels, or the reason why there is none.
pub(super) fn own_text(plan: Result<CudaPlan, cuda::CudaPlanError>) -> String {
    match plan {
        Ok(plan) => cuda_text(&plan),
        Err(refusal) => format!("refused: {refusal}\n"),
    }
}

/// The facts for reports, including the predicted memory.
fn summary_text(text: &mut String, summary: &PlanSummary) {
    let PlanSummary {
        mode,
        batch,
        width,
        height,
        steps,
        flops,
        peak_bytes,
        conv_provider,
        // The kernels' text contains it.
        attention_kernels: _,
    } = summary;
    line(
        text,
        format_args!(
            "mode={mode} batch={batch} width={width} height={height} flops={flops} \
             peak_bytes={peak_bytes} convolutions={}",
            conv_provider.as_ref().map_or("", |conv_provider| &conv_provider.name)
        ),
    );
    for (layer, kernel) in steps {
        line(text, format_args!("launch layer={layer} kernel={kernel}"));
    }
}

fn line(text: &mut String, what: impl Display) {
    writeln!(text, "{what}").expect("a text takes everything");
}

fn shape_text(shape: Shape) -> String {
    let Shape { channels, height, width } = shape;
    format!("{channels}x{height}x{width}")
}

fn pair<T: Display>((a, b): (T, T)) -> String {
    format!("{a},{b}")
}

/// The text of a plan for the CPU.
pub(super) fn cpu_text(plan: &CpuPlan) -> String {
    let mut text = String::new();
    for threads in [1, 2, 16] {
        summary_text(&mut text, &plan.summary(threads));
    }
    line(
        &mut text,
        format_args!(
            "photo={} extended={} arena={} scratch={} weights={}",
            pair(plan.photo),
            pair(plan.extended),
            plan.arena_len,
            plan.scratch_len,
            plan.weights_len
        ),
    );
    let map = |id: cpu::MapId| {
        let map = plan.maps[id];
        let shape = shape_text(map.shape);
        format!("{shape}/{}@{}", map.stored_channels, map.offset)
    };
    let layer = |id: cpu::ConvId| plan.convs[id].name.clone();
    let kept = |keep: Option<cpu::MapId>| keep.map_or(String::new(), map);
    for step in &plan.steps {
        let op = match step.op {
            CpuOp::General(GeneralOp::Node { op, ref from, to, .. }) => {
                let from = from.first().map_or(0, |&from| from);
                match op {
                    Op::Photo => format!("load to={}", map(to)),
                    Op::Upsample => format!("upsample from={} to={}", map(from), map(to)),
                    Op::Pad { .. } => {
                        format!("pad for={} from={} to={}", step.layer, map(from), map(to))
                    }
                    Op::Picture => format!("store from={}", map(from)),
                    _ => unreachable!("Johnson's network has no other nodes"),
                }
            }
            CpuOp::General(GeneralOp::Pointwise { to, ref chain, .. }) => match chain[0].operand {
                Some(from) => format!("add from={} to={}", map(from), map(to)),
                None => format!("relu of={}", map(to)),
            },
            CpuOp::General(_) => unreachable!("Johnson's network has kernels of its own"),
            CpuOp::Im2col { conv, from, to } => {
                let weights = layer(conv);
                format!("im2col weights={weights} from={} to={}", map(from), map(to))
            }
            CpuOp::Statistics { conv, map: of } => {
                format!("statistics norm={} of={}", layer(conv), map(of))
            }
            CpuOp::Normalise { conv, map: of } => {
                format!("normalise norm={} of={}", layer(conv), map(of))
            }
            CpuOp::Fused { conv, algorithm, source, to } => {
                let algorithm = match algorithm {
                    cpu::Algorithm::Direct => "direct",
                    cpu::Algorithm::Winograd(cpu::TileKind::Plain) => "winograd",
                    cpu::Algorithm::Winograd(cpu::TileKind::Doubled) => "doubled-winograd",
                    cpu::Algorithm::Winograd(cpu::TileKind::Strided) => "strided-winograd",
                    cpu::Algorithm::BlockedWinograd => "blocked-winograd",
                    cpu::Algorithm::FourPhase => "four-phase",
                    cpu::Algorithm::ShiftedColumns => "shifted-columns",
                };
                let gather = match source {
                    Source::Photo => "photo".to_owned(),
                    Source::Map(_) => unreachable!("a fused layer loads a photo or a raw map"),
                    Source::Normalised { map: raw, conv, relu: _, skip: None, keep } => format!(
                        "norm-relu raw={} norm={} keep={}",
                        map(raw),
                        layer(conv),
                        kept(keep)
                    ),
                    Source::Normalised { map: raw, conv, relu: _, skip: Some(skip), keep } => {
                        format!(
                            "norm-add raw={} norm={} skip={} keep={}",
                            map(raw),
                            layer(conv),
                            map(skip),
                            kept(keep)
                        )
                    }
                };
                let weights = layer(conv);
                format!(
                    "conv weights={weights} algorithm={algorithm} gather={gather} to={}",
                    kept(to)
                )
            }
        };
        line(
            &mut text,
            format_args!(
                "step layer={} kernel={} output={} flops={} bytes={} {op}",
                step.layer,
                step.kernel,
                shape_text(step.output),
                step.flops,
                step.bytes
            ),
        );
    }
    text
}

fn cuda_text(plan: &CudaPlan) -> String {
    let mut text = String::new();
    summary_text(&mut text, &plan.summary(&plan.launches));
    let layout = MemoryLayout::of(plan);
    line(
        &mut text,
        format_args!(
            "photo={} extended={} arena={}+{} exchange={}+{} partials={}+{} tickets={}+{} \
             workspace={}+{} picture_in={} picture_out={} second={} floats={} total={}",
            pair(plan.photo),
            pair(plan.extended),
            layout.arena,
            plan.arena_bytes,
            layout.exchange,
            plan.exchange_bytes,
            layout.partials,
            plan.partial_values,
            layout.tickets,
            plan.tickets,
            layout.workspace,
            plan.workspace_bytes,
            layout.photo,
            layout.painting,
            pair(layout.second),
            layout.floats,
            layout.total
        ),
    );
    for ((conv, memory), bytes) in plan.convs.iter().zip(&layout.convs).zip(&plan.weight_bytes) {
        line(
            &mut text,
            format_args!(
                "layer {} weights={}+{bytes} bias={} gamma={} beta={} scale={} mean={}",
                conv.name,
                memory.weights,
                memory.bias,
                memory.gamma,
                memory.beta,
                memory.scale,
                memory.mean
            ),
        );
    }
    for launch in &plan.launches {
        line(&mut text, format_args!("launch of {} to {}", launch.start, launch.end));
    }
    for step in &plan.steps {
        let (x, y, z) = step.grid;
        line(
            &mut text,
            format_args!(
                "step layer={} file={} entry={} grid={x},{y},{z} block={} shared={} flops={} \
                 bytes={} early={} {}",
                step.layer,
                step.file,
                step.entry,
                step.block,
                step.shared_bytes,
                step.flops,
                step.bytes,
                step.may_begin_early(),
                CudaNames(plan).operation(&step.op)
            ),
        );
    }
    text
}

/// Formats the maps and layers of a plan.
struct CudaNames<'p>(&'p CudaPlan);

impl CudaNames<'_> {
    fn map(&self, id: cuda::MapId) -> String {
        let map = self.0.maps[id];
        let shape = shape_text(map.shape);
        format!("{shape}/{}@{}+{}", map.stored_channels, map.offset, map.bytes)
    }

    fn maybe(&self, id: Option<cuda::MapId>) -> String {
        id.map_or(String::new(), |id| self.map(id))
    }

    fn layer(&self, id: cuda::ConvId) -> &str {
        &self.0.convs[id].name
    }

    fn norm(&self, id: cuda::ConvId, of: cuda::MapId) -> String {
        format!("norm={} of={}", self.layer(id), self.map(of))
    }

    fn operation(&self, op: &CudaOp) -> String {
        let cut = |strips: cuda::RowPartition| format!("strips={}x{}", strips.count, strips.pixels);
        match *op {
            CudaOp::Conv(ref launch) => self.conv(launch),
            CudaOp::LibraryConv(library) => {
                let s = library.shape;
                format!(
                    "library-conv weights={} from={} to={} batch={} size={},{} channels={},{} \
                     kernel={} stride={} precision={}",
                    self.layer(library.conv),
                    self.map(library.from),
                    self.map(library.to),
                    s.batch,
                    s.height,
                    s.width,
                    s.in_channels,
                    s.out_channels,
                    s.kernel,
                    s.stride,
                    s.format.operand
                )
            }
            CudaOp::Bias { conv, map, scale } => {
                let layer = self.layer(conv);
                format!("bias of={layer} on={} scale={scale:e}", self.map(map))
            }
            CudaOp::LoadPhoto { to, scale } => {
                format!("load to={} scale={scale:e}", self.map(to))
            }
            CudaOp::Node { op, from, other, to } => match (op, op.reflected_px(), other) {
                (_, Some(margin), _) => {
                    let (from, to) = (self.map(from), self.map(to));
                    format!("pad from={from} to={to} margin={margin}")
                }
                (Op::Relu, ..) => format!("relu of={}", self.map(to)),
                (_, _, Some(addend)) => {
                    format!("add to={} addend={}", self.map(to), self.map(addend))
                }
                _ => format!("upsample from={} to={}", self.map(from), self.map(to)),
            },
            CudaOp::Statistics { conv, map, strips, of_variance, finishes, eps } => {
                let of = if of_variance { "variance" } else { "mean" };
                let part = if finishes { "finish" } else { "partial" };
                let (norm, strips) = (self.norm(conv, map), cut(strips));
                let text = format!("{of}-{part} {norm} {strips}");
                if of_variance && finishes { format!("{text} eps={eps:e}") } else { text }
            }
            CudaOp::Normalise { conv, map } => format!("normalise {}", self.norm(conv, map)),
            CudaOp::Affine { conv, map } => format!("affine {}", self.norm(conv, map)),
            CudaOp::NormStatistics { conv, map, strips, resident, eps } => format!(
                "norm-statistics {} {} eps={eps:e}{}",
                self.norm(conv, map),
                cut(strips),
                resident.map_or_else(String::new, |kept| {
                    format!(" kept={} shared={}", kept.kept_pixels, kept.shared_bytes)
                })
            ),
            CudaOp::NormApply { conv, map, residual, relu, strip_pixels } => format!(
                "norm-apply {} residual={} relu={relu} strip={strip_pixels}",
                self.norm(conv, map),
                self.maybe(residual)
            ),
            CudaOp::NormPlane { conv, map, residual, relu, group_packs, eps } => format!(
                "norm-plane {} residual={} relu={relu} packs={group_packs} eps={eps:e}",
                self.norm(conv, map),
                self.maybe(residual)
            ),
            CudaOp::StorePicture { from } => format!("store from={}", self.map(from)),
            // None of the pinned plans is a general one.
            CudaOp::General(op) => format!("general {op:?}"),
        }
    }

    fn conv(&self, launch: &ConvLaunch) -> String {
        let taps = match launch.taps {
            cuda::Taps::Direct => "direct",
            cuda::Taps::FourPhase => "four-phase",
            cuda::Taps::PhotoRows => "photo-rows",
            cuda::Taps::PhotoColumns => "photo-columns",
            cuda::Taps::ShiftedColumns => "shifted-columns",
        };
        let main_loop = match launch.main_loop {
            cuda::MainLoop::Fma => "fma",
            cuda::MainLoop::Mma => "mma",
            cuda::MainLoop::Wgmma => "wgmma",
        };
        let source = match launch.source {
            Source::Photo => "photo".to_owned(),
            Source::Map(map) => format!("map {}", self.map(map)),
            Source::Normalised { map, conv, relu, skip, keep } => format!(
                "normalised {} relu={relu} skip={} keep={}",
                self.norm(conv, map),
                self.maybe(skip),
                self.maybe(keep)
            ),
        };
        let target = match launch.target {
            Target::Map(map) => self.map(map),
            Target::Picture => "picture".to_owned(),
        };
        let (tile, chunking) = (launch.tile, launch.chunking);
        format!(
            "conv weights={} tile={}x{}/{} taps={taps} tap_grid={} phases={} loop={main_loop} \
             chunk={}x{} pitch={} tile_bytes={} chunk_shared={} ring={} input_tile={} stride={} \
             origin={} replicate={} upsample={} bias={} bias_scale={:e} grid={} tiles={} ctas={} \
             statistics={} eps={:e} flat={:e} photo_scale={:e} source={source} target={target}",
            self.layer(launch.conv),
            tile.pixels,
            tile.channels,
            tile.columns,
            pair(launch.tap_grid),
            launch.phases,
            chunking.chunks,
            chunking.channels,
            chunking.pitch,
            chunking.tile_bytes,
            chunking.shared_bytes,
            launch.ring_stages,
            pair(launch.input_tile),
            launch.stride,
            launch.origin,
            launch.replicate,
            launch.upsample,
            launch.bias,
            launch.bias_scale,
            pair(launch.grid),
            pair(launch.tiles),
            pair(launch.ctas),
            launch.statistics,
            launch.eps,
            launch.flat_share,
            launch.photo_scale,
        )
    }
}
