//! The parts of a network for style pictures that are timed by themselves, beside what frameworks have as modules.

use std::ops::Range;

use super::{Attention, CudaOp, CudaPlan, CudaStep, GeneralOp};
use crate::tensor::Shape;

/// What a part computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenPartKind {
    /// Attention of projected queries, keys and values.
    Attention,
    /// Norm, projections, attention, projection of the result, and the sum with the tokens.
    AttentionLayer,
    /// Norm, two linear layers with GELU between them, and the sum with the tokens.
    FeedForward,
}

impl TokenPartKind {
    /// For programs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Attention => "attention",
            Self::AttentionLayer => "attention-layer",
            Self::FeedForward => "feed-forward",
        }
    }
}

/// A part of the first block of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenPart {
    /// What it computes.
    pub kind: TokenPartKind,
    /// The steps of the plan that do.
    pub steps: Range<usize>,
    /// Extent of the tokens as a map; it reads and makes such a one.
    pub tokens: Shape,
    /// Heads of the block's attention.
    pub heads: usize,
}

impl CudaPlan {
    /// The parts of the first block that has attention, as the nodes of networks for style pictures are named; none of
    /// other networks.
    pub fn token_parts(&self) -> Vec<TokenPart> {
        let attention_of = |step: &CudaStep| match step.op {
            CudaOp::General(GeneralOp::Attention(attention, _)) => Some(attention),
            _ => None,
        };
        let first = (self.steps.iter()).find_map(|step| Some((step, attention_of(step)?)));
        let Some((step, Attention { queries, heads, head_size, .. })) = first else {
            return Vec::new();
        };
        let Some(block) = step.layer.strip_suffix(".attention") else {
            return Vec::new();
        };
        let tokens = Shape { channels: heads * head_size, ..self.maps[queries.map].shape };
        let layer = format!("{block}.attention");
        let is_of_layer = |step: &CudaStep| step.layer.starts_with(&layer);
        let is_of_feed = |step: &CudaStep| {
            let part = step.layer.strip_prefix(block);
            matches!(part, Some(".ffn" | ".up" | ".down"))
        };
        let is_of_attention = |step: &CudaStep| is_of_layer(step) && attention_of(step).is_some();
        let is_of = |kind: TokenPartKind, step: &CudaStep| match kind {
            TokenPartKind::Attention => is_of_attention(step),
            TokenPartKind::AttentionLayer => is_of_layer(step),
            TokenPartKind::FeedForward => is_of_feed(step),
        };
        let part = |kind: TokenPartKind| {
            let first = self.steps.iter().position(|step| is_of(kind, step))?;
            let behind = self.steps.iter().rposition(|step| is_of(kind, step))? + 1;
            Some(TokenPart { kind, steps: first..behind, tokens, heads })
        };
        let kinds =
            [TokenPartKind::Attention, TokenPartKind::AttentionLayer, TokenPartKind::FeedForward];
        kinds.into_iter().filter_map(part).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        mode::{AttentionChoice, AttentionKernel, Mode, Precision, Variant},
        models::vit::{Spec, Transformer},
        plan::cuda::tests::DEVICES,
    };

    fn parts(mode: Mode) -> (CudaPlan, Vec<TokenPart>) {
        let transformer = Transformer::made_up(Spec::plain(32, 128, 2, 2, 512)).expect("a network");
        let code = transformer.made_up_code().expect("a code");
        let network = transformer.network(&code).expect("a network");
        let plan = CudaPlan::new(network.graph(), (96, 64), 1, mode, &DEVICES[4]).expect("a plan");
        let parts = plan.token_parts();
        (plan, parts)
    }

    /// Every launch of a block is of one of the two layers, and attention is within its own.
    #[test]
    fn a_blocks_parts_are_its_layers() {
        let fused = Mode::new(Variant::Fused, Precision::Fp16);
        let naive = AttentionChoice::Fixed(AttentionKernel::Naive);
        let modes = [
            (fused, [1, 3, 2]),
            (fused.with_attention(naive), [3, 5, 2]),
            (Mode::new(Variant::Baseline, Precision::Fp32), [3, 0, 0]),
        ];
        for (mode, launches) in modes {
            let (plan, parts) = parts(mode);
            let kinds: Vec<TokenPartKind> = parts.iter().map(|part| part.kind).collect();
            let [attention, layer, feed] = &parts[..] else {
                panic!("{kinds:?}");
            };
            assert_eq!(attention.kind, TokenPartKind::Attention);
            assert_eq!(layer.kind, TokenPartKind::AttentionLayer);
            assert_eq!(feed.kind, TokenPartKind::FeedForward);
            assert!(layer.steps.start < attention.steps.start, "{mode}");
            assert!(attention.steps.end < layer.steps.end, "{mode}");
            assert_eq!(layer.steps.end, feed.steps.start, "{mode}");
            let of_block = |step: &&CudaStep| step.layer.starts_with("encoder.0.");
            let whole = plan.steps.iter().filter(of_block).count();
            assert_eq!(layer.steps.len() + feed.steps.len(), whole, "{mode}");
            for (part, launches) in parts.iter().zip(launches) {
                assert_eq!(part.tokens, Shape::new(128, 3, 2));
                assert_eq!(part.heads, 2);
                assert!(
                    launches == 0 || part.steps.len() == launches,
                    "{mode}: {:?} of {:?}",
                    part.steps,
                    part.kind
                );
            }
        }
    }
}
