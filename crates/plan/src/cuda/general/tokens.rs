//! The launches of attention between tokens.

use super::CudaPlanner;
use crate::{
    cuda::{
        CudaPlanError, CudaPlanResult, MapId,
        attention::{AttentionLaunch, MAX_SCORE_BYTES},
    },
    general::{Attention, AttentionPart, GeneralOp},
};
use network::graph::NodeId;
use values::{mode::AttentionKernel, tensor::Shape};

/// Rows per CTA of softmax, one warp each.
const WARPS: usize = 8;
/// Queries, and keys or channels, per tile of the kernels that store scores.
const NAIVE_TILE: (usize, usize) = (128, 64);

impl CudaPlanner<'_, '_, '_> {
    /// Plans attention by the kernel of the mode. `flops` is for one of the two products.
    pub fn attention_launches(
        &mut self,
        id: NodeId,
        read: Attention,
        (asking, answering): (usize, usize),
        flops: u64,
    ) -> CudaPlanResult {
        let Attention { heads, head_size, .. } = read;
        let channels = heads * head_size;
        let builder = &mut self.placement.builder;
        let kernel = AttentionKernel::picked(builder.mode, head_size);
        if !builder.attention_kernels.contains(&kernel) {
            builder.attention_kernels.push(kernel);
        }
        let (batch, storage, limits) = (builder.batch, builder.format.storage, builder.limits);
        if kernel == AttentionKernel::Naive {
            return self.naive(id, read, (asking, answering), flops);
        }
        let to = self.made(id);
        let op = GeneralOp::Attention(read, AttentionPart::Whole { to });
        let all = [asking, answering, batch * heads];
        let launch = AttentionLaunch::new(kernel, head_size, all, storage, limits);
        let grid = (asking.div_ceil(launch.queries) as u32, heads as u32, batch as u32);
        let entry = format!("{}{}", launch.entry, self.suffix());
        let values = ((asking + 2 * answering) * channels, asking * channels);
        let step = self.launch_as(id, op, entry, grid, values);
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
        let rows = self.placement.builder.batch * read.heads * asking;
        let scores = self.scores(id, (read.heads, asking, answering))?;
        let of = |part| GeneralOp::Attention(read, part);
        let all_heads = (self.placement.builder.batch * read.heads) as u32;
        let tiles = |count: usize, tile: usize| count.div_ceil(tile) as u32;
        let (down, across) = NAIVE_TILE;
        // Size of the scores in values of the storage format.
        let kept =
            read.heads * asking * answering * 4 / self.placement.builder.format.storage.bytes();
        let suffix = self.suffix();

        let op = of(AttentionPart::Scores { scores });
        let entry = format!("attention_naive_scores{suffix}");
        let grid = (tiles(answering, across), tiles(asking, down), all_heads);
        let values = ((asking + answering) * channels, kept);
        self.launch_as(id, op, entry, grid, values).flops = flops;

        let op = of(AttentionPart::Softmax { scores });
        let entry = "attention_naive_softmax_f32".to_owned();
        self.launch_as(id, op, entry, (tiles(rows, WARPS), 1, 1), (kept, kept));

        let to = self.made(id);
        let op = of(AttentionPart::Product { scores, to });
        let entry = format!("attention_naive_product{suffix}");
        let grid = (tiles(asking, down), tiles(read.head_size, across), all_heads);
        let values = (kept + answering * channels, asking * channels);
        self.launch_as(id, op, entry, grid, values).flops = flops;
        Ok(())
    }

    /// The buffer for all scores in fp32, with rows padded to 16 bytes, followed by one sum for each row.
    fn scores(
        &mut self,
        id: NodeId,
        (heads, asking, answering): (usize, usize, usize),
    ) -> CudaPlanResult<MapId> {
        let rows = (self.placement.builder.batch * heads).checked_mul(asking);
        let values = rows.and_then(|rows| rows.checked_mul(answering.next_multiple_of(4) + 1));
        let bytes = values.and_then(|values| values.checked_mul(4));
        match bytes.filter(|&bytes| bytes <= MAX_SCORE_BYTES) {
            Some(bytes) => {
                let shape = Shape::new(heads, asking, answering);
                Ok(self.placement.builder.buffer(shape, heads, bytes))
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
