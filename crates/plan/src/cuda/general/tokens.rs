//! The launches of transformers: norms and position encodings of tokens, and attention between them.

use super::{
    Planner,
    launch::{Attention, AttentionPart, GeneralOp, Slice},
};
use crate::cuda::{
    ConstantValues, CudaPlanError, CudaPlanResult, MapId,
    attention::{AttentionLaunch, MAX_SCORE_BYTES},
};
use network::graph::NodeId;
use values::{mode::AttentionKernel, tensor::Shape};

/// Pixels per CTA of a norm, one warp each; rows per CTA of softmax.
const WARPS: usize = 8;
/// Queries, and keys or channels, per tile of the kernels that store scores.
const NAIVE_TILE: (usize, usize) = (128, 64);

impl Planner<'_, '_> {
    pub fn layer_norm(&mut self, id: NodeId, eps: f64) -> CudaPlanResult {
        let from = self.input_map(id)?;
        let affine = self.scale_and_shift(id);
        let shape = self.nodes.shapes[id];
        let to = self.made(id);
        let op = GeneralOp::LayerNorm { from, to, affine, eps: eps as f32 };
        let pixels = self.builder.batch * shape.height * shape.width;
        let grid = (pixels.div_ceil(WARPS) as u32, 1, 1);
        self.step(id, op, "layer_norm", grid, (shape.len(), shape.len()));
        Ok(())
    }

    pub fn positions(&mut self, id: NodeId) -> CudaPlanResult {
        let from = self.input_map(id)?;
        let shape = self.nodes.shapes[id];
        let table = self.constant(ConstantValues::Positions {
            half: shape.channels / 2,
            height: shape.height,
            width: shape.width,
        });
        let to = self.made(id);
        let op = GeneralOp::Positions { from, to, table };
        self.by_pack(id, op, "positions", shape.len());
        Ok(())
    }

    /// The first of the channels that a node selects, if the attentions that read them read them in place.
    pub fn folded_slice(&self, id: NodeId) -> Option<usize> {
        self.nodes
            .slice_of_attention(id)
            .filter(|_| self.is_fused)
            .filter(|first| first.is_multiple_of(self.pack_channels()))
    }

    /// The channels that an attention reads from a node's map.
    fn slice(&self, reader: NodeId, id: NodeId) -> CudaPlanResult<Slice> {
        let first = self.folded_slice(id);
        let source = first.map_or(id, |_| self.nodes.input(id));
        Ok(Slice { map: self.map(reader, source)?, first: first.unwrap_or_default() })
    }

    pub fn attention(&mut self, id: NodeId, heads: usize) -> CudaPlanResult {
        let [queries, keys, values] = self.nodes.node(id).inputs[..] else {
            return Err(self.no_kernel(id));
        };
        let shapes = &self.nodes.shapes;
        let tokens = |node: NodeId| shapes[node].height * shapes[node].width;
        let (asking, answering) = (tokens(queries), tokens(keys));
        let channels = shapes[id].channels;
        let head_size = channels / heads;
        let kernel = AttentionKernel::picked(self.builder.mode, head_size);
        if !self.builder.attention_kernels.contains(&kernel) {
            self.builder.attention_kernels.push(kernel);
        }
        let flops =
            ((2 * self.builder.batch * asking * channels) as u64).saturating_mul(answering as u64);
        let read = Attention {
            queries: self.slice(id, queries)?,
            keys: self.slice(id, keys)?,
            values: self.slice(id, values)?,
            heads,
            head_size,
        };
        if kernel == AttentionKernel::Naive {
            return self.naive(id, read, (asking, answering), flops);
        }
        let to = self.made(id);
        let op = GeneralOp::Attention(read, AttentionPart::Whole { to });
        let all = [asking, answering, self.builder.batch * heads];
        let storage = self.builder.format.storage;
        let launch = AttentionLaunch::new(kernel, head_size, all, storage, self.builder.limits);
        let grid =
            (asking.div_ceil(launch.queries) as u32, heads as u32, self.builder.batch as u32);
        let entry = format!("{}{}", launch.entry, self.suffix());
        let values = ((asking + 2 * answering) * channels, asking * channels);
        let step = self.launch(id, op, entry, grid, values);
        launch.file.clone_into(&mut step.file);
        step.block = launch.threads as u32;
        step.shared_bytes = launch.shared_bytes as u32;
        step.flops = flops.saturating_mul(2);
        Ok(())
    }

    /// Plans attention as three launches, with all scores in memory. `flops` is for one of the two products.
    fn naive(
        &mut self,
        id: NodeId,
        read: Attention,
        (asking, answering): (usize, usize),
        flops: u64,
    ) -> CudaPlanResult {
        let channels = read.heads * read.head_size;
        let rows = self.builder.batch * read.heads * asking;
        let scores = self.scores(id, (read.heads, asking, answering))?;
        let of = |part| GeneralOp::Attention(read, part);
        let all_heads = (self.builder.batch * read.heads) as u32;
        let tiles = |count: usize, tile: usize| count.div_ceil(tile) as u32;
        let (down, across) = NAIVE_TILE;
        // Size of the scores in values of the storage format.
        let kept = read.heads * asking * answering * 4 / self.builder.format.storage.bytes();
        let suffix = self.suffix();

        let op = of(AttentionPart::Scores { scores });
        let entry = format!("attention_naive_scores{suffix}");
        let grid = (tiles(answering, across), tiles(asking, down), all_heads);
        let values = ((asking + answering) * channels, kept);
        self.launch(id, op, entry, grid, values).flops = flops;

        let op = of(AttentionPart::Softmax { scores });
        let entry = "attention_naive_softmax_f32".to_owned();
        self.launch(id, op, entry, (tiles(rows, WARPS), 1, 1), (kept, kept));

        let to = self.made(id);
        let op = of(AttentionPart::Product { scores, to });
        let entry = format!("attention_naive_product{suffix}");
        let grid = (tiles(asking, down), tiles(read.head_size, across), all_heads);
        let values = (kept + answering * channels, asking * channels);
        self.launch(id, op, entry, grid, values).flops = flops;
        Ok(())
    }

    /// The buffer for all scores in fp32, with rows padded to 16 bytes, followed by one sum for each row.
    fn scores(
        &mut self,
        id: NodeId,
        (heads, asking, answering): (usize, usize, usize),
    ) -> CudaPlanResult<MapId> {
        let rows = (self.builder.batch * heads).checked_mul(asking);
        let values = rows.and_then(|rows| rows.checked_mul(answering.next_multiple_of(4) + 1));
        let bytes = values.and_then(|values| values.checked_mul(4));
        match bytes.filter(|&bytes| bytes <= MAX_SCORE_BYTES) {
            Some(bytes) => {
                let shape = Shape::new(heads, asking, answering);
                Ok(self.builder.buffer(shape, heads, bytes))
            }
            None => Err(CudaPlanError::Scores {
                node: self.nodes.node(id).name.clone(),
                queries: asking,
                keys: answering,
                gigabytes: bytes.unwrap_or(usize::MAX) / 1_000_000_000,
            }),
        }
    }
}
