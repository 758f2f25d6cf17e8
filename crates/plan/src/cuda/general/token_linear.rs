//! Linear layers on tokens: 1x1 convolutions as matrix products, with the preceding layer norm, and the following GELU
//! or sum with another map. Maps in fp32 are multiplied exactly, in tf32 and mixed as well. With all of these
//! operations in one launch, this takes half the time of tensor cores with separate launches.

use super::{Planner, launch::GeneralOp};
use crate::cuda::{
    ConstantValues, ConvWeights, CudaPlanResult, DeviceLimits, WeightOrder, ring_stages,
    stored_channels,
};
use network::graph::{Conv, Function, NodeId, Op};
use values::numeric::NumberFormat;

/// Bytes of a row's channels in a stage of the kernels, and in a panel.
const ROW_BYTES: usize = 128;
/// Channels of a panel, of two bytes each.
const PANEL_CHANNELS: usize = ROW_BYTES / 2;
/// Bytes between the rows of a stage in shared memory.
const PITCH: usize = ROW_BYTES + 16;
/// Threads per CTA.
const THREADS: u32 = 256;
/// Groups of a CTA's warps among which its inputs are divided in exact products. At the end, their sums are added up.
const EXACT_PARTS: usize = 4;
/// CTAs among which a tile's inputs are divided in Hopper's kernel for few tokens.
const HOPPER_SPLIT: usize = 8;

/// A linear layer with the other nodes that its launch computes.
#[derive(Clone, Debug)]
pub struct TokenLinear {
    conv: Conv,
    /// The preceding layer norm, and its epsilon.
    norm: Option<(NodeId, f64)>,
    /// GELU follows.
    is_gelu: bool,
    /// The map that is added afterwards.
    residual: Option<NodeId>,
    /// The last of the nodes.
    last: NodeId,
}

/// Tokens and outputs per CTA.
type Tile = (usize, usize);

/// The kernel of a linear layer and its launch.
#[derive(Clone, Debug, PartialEq)]
struct LinearKernel {
    file: &'static str,
    /// Without the suffix of the storage format.
    entry: String,
    tile: Tile,
    threads: u32,
    shared_bytes: usize,
    /// CTAs among which the inputs of a tile are divided.
    split: u32,
    order: WeightOrder,
}

impl TokenLinear {
    /// Its weights in an order.
    const fn weights(&self, order: WeightOrder) -> ConvWeights {
        ConvWeights { conv: self.conv, is_transposed: false, order }
    }
}

/// Hopper's kernel for a layer on this number of tokens, of all images, if there is one; `None` to use the kernel for
/// all devices.
fn hopper_kernel(
    linear: &TokenLinear,
    tokens: usize,
    format: NumberFormat,
    limits: &DeviceLimits,
) -> Option<LinearKernel> {
    let (all, has_norm) = (limits.multiprocessors, linear.norm.is_some());
    let (inputs, outputs) = (linear.conv.in_channels, stored_channels(linear.conv.out_channels));
    let panels = inputs.div_ceil(PANEL_CHANNELS);
    let ctas = |(m, n): Tile| tokens.div_ceil(m) * outputs.div_ceil(n);
    if limits.compute_capability != (9, 0) || format.bytes() != 2 {
        return None;
    }
    // The largest tiles that are numerous enough to fill the device, with as many stages as in
    // kernels/token_linear_wgmma.cu. With few inputs, a tile of 128x128 would take as long to write as to compute.
    let (kind, tile, stages, split) = if has_norm {
        if linear.residual.is_some() || !inputs.is_multiple_of(PANEL_CHANNELS) {
            return None;
        }
        let (tile, stages) = if panels > 4 && ctas((128, 128)) >= all * 9 / 10 {
            ((128, 128), 5)
        } else if ctas((128, 64)) >= all * 3 / 2 {
            ((128, 64), 3)
        } else if ctas((64, 64)) >= all * 9 / 10 {
            ((64, 64), 6)
        } else {
            ((64, 32), 8)
        };
        ("norm_", tile, stages, 1)
    } else {
        let most = all * 9 / 10;
        if linear.is_gelu {
            return None;
        } else if ctas((128, 128)) >= most {
            ("", (128, 128), 5, 1)
        } else if ctas((64, 64)) >= most {
            ("", (64, 64), 6, 1)
        } else if panels >= 2 * HOPPER_SPLIT && ctas((64, 64)) * HOPPER_SPLIT <= all {
            ("split_", (64, 64), 4, HOPPER_SPLIT)
        } else {
            ("", (64, 32), 8, 1)
        }
    };
    let (m, n) = tile;
    let tile_bytes = if has_norm || split > 1 { 0 } else { m * n * 2 };
    Some(LinearKernel {
        file: "token_linear_wgmma",
        entry: format!("token_linear_wgmma_{kind}{m}x{n}"),
        tile,
        threads: 2 * m as u32 + 128,
        shared_bytes: stages * (m + n) * ROW_BYTES + tile_bytes,
        split: split as u32,
        order: WeightOrder::Panels,
    })
}

/// The kernel for all devices.
fn plain_kernel(
    linear: &TokenLinear,
    tokens: usize,
    format: NumberFormat,
    limits: &DeviceLimits,
) -> LinearKernel {
    let has_norm = linear.norm.is_some();
    // Tiles of 128x128 are compiled for 16-bit products, for devices without other kernels, and need enough shared
    // memory.
    let has_large =
        format != NumberFormat::Fp32 && matches!(limits.compute_capability, (8, 0) | (10, _));
    let outputs = stored_channels(linear.conv.out_channels);
    let wanted = match tile(tokens, outputs, has_norm, limits) {
        (128, 128) if !has_large => (64, 64),
        tile => tile,
    };
    let input_bytes = linear.weights(WeightOrder::Tiled).sides(format).0 * format.bytes();
    let sums = match format {
        NumberFormat::Fp32 => EXACT_PARTS - 1,
        _ => 0,
    };
    let bytes = |tile: Tile| {
        let sum_bytes = sums * tile.0 * tile.1 * 4;
        shared_bytes(tile, input_bytes, has_norm, limits).max(sum_bytes)
    };
    let fitting = [wanted, (64, 64), (32, 64)];
    let fits = |tile: &Tile| bytes(*tile) <= limits.shared_bytes_per_cta;
    let tile = fitting.into_iter().filter(|tile| tile.0 <= wanted.0).find(fits).unwrap_or((32, 64));
    LinearKernel {
        file: "token_linear",
        entry: format!("token_linear_{}x{}", tile.0, tile.1),
        tile,
        threads: THREADS,
        shared_bytes: bytes(tile),
        split: 1,
        order: WeightOrder::Tiled,
    }
}

/// The largest tile that is numerous enough to fill the device. With a norm, more tiles are required, because every CTA
/// of the same tokens computes the norm again.
fn tile(tokens: usize, outputs: usize, has_norm: bool, limits: &DeviceLimits) -> Tile {
    let ctas = |(m, n): Tile| tokens.div_ceil(m) * outputs.div_ceil(n);
    let all = limits.multiprocessors;
    let (large, middle) = if has_norm { (2 * all, 2 * all) } else { (all * 9 / 10, all * 5 / 4) };
    if ctas((128, 128)) >= large {
        (128, 128)
    } else if ctas((64, 64)) >= middle {
        (64, 64)
    } else {
        (32, 64)
    }
}

/// Bytes of shared memory per CTA, given the bytes of inputs in the weights of an output.
fn shared_bytes(
    (tokens, outputs): Tile,
    input_bytes: usize,
    has_norm: bool,
    limits: &DeviceLimits,
) -> usize {
    let stages = ring_stages(limits);
    if has_norm {
        stages * outputs * PITCH + tokens * (input_bytes.next_multiple_of(ROW_BYTES) + 16)
    } else {
        stages * (tokens + outputs) * PITCH
    }
}

impl Planner<'_, '_> {
    /// Finds the linear layers. The norms before them need no launch of their own.
    pub fn choose_token_linears(&mut self) {
        for id in 0..self.nodes.shapes.len() {
            let found = self.token_linear_at(id);
            if let Some((norm, _)) = found.as_ref().and_then(|linear| linear.norm) {
                self.is_folded[norm] = true;
            }
            self.token_linears[id] = found;
        }
    }

    fn token_linear_at(&self, id: NodeId) -> Option<TokenLinear> {
        let nodes = self.nodes;
        let Op::Conv2d(conv) = *nodes.op(id) else {
            return None;
        };
        let input = nodes.input(id);
        let is_linear = conv.as_square() == Some((1, 1)) && nodes.padding(input).is_none();
        if !is_linear || self.factor(id) != 1.0 {
            return None;
        }
        let mut found = TokenLinear { conv, norm: None, is_gelu: false, residual: None, last: id };
        let (storage, limits) = (self.builder.format.storage, self.builder.limits);
        let input_bytes = found.weights(WeightOrder::Tiled).sides(storage).0 * storage.bytes();
        let has_room =
            shared_bytes((32, 64), input_bytes, true, limits) <= limits.shared_bytes_per_cta;
        if let Op::LayerNorm { eps } = *nodes.op(input)
            && nodes.only_reader(input).is_some()
            && has_room
        {
            found.norm = Some((input, eps));
        }
        let Some(next) = nodes.only_reader(id) else {
            return Some(found);
        };
        match *nodes.op(next) {
            Op::Function(Function::Gelu) => (found.is_gelu, found.last) = (true, next),
            Op::Add => {
                let other = nodes.node(next).inputs.iter().copied().find(|&input| input != id);
                // The added map must already exist.
                found.residual = other.filter(|&other| other < id);
                if found.residual.is_some() {
                    found.last = next;
                }
            }
            // Other kernels compute such a step together with the layer.
            Op::Affine | Op::Relu | Op::Prelu | Op::Function(_) => return None,
            _ => {}
        }
        Some(found)
    }

    /// Appends the launch of a linear layer, if a node is one.
    pub fn token_linear(&mut self, id: NodeId) -> CudaPlanResult<bool> {
        let Some(linear) = self.token_linears[id].take() else {
            return Ok(false);
        };
        let nodes = self.nodes;
        let name = |id: NodeId| nodes.node(id).name.clone();
        let source = nodes.input(linear.norm.map_or(id, |(norm, _)| norm));
        let from = self.map(id, source)?;
        let residual = linear.residual.map(|other| self.map(id, other)).transpose()?;
        let shape = nodes.shapes[id];
        let outputs = stored_channels(linear.conv.out_channels);
        let pixels = shape.height * shape.width;
        let tokens = self.builder.batch * pixels;
        let (storage, limits) = (self.builder.format.storage, self.builder.limits);
        let kernel = hopper_kernel(&linear, tokens, storage, limits)
            .unwrap_or_else(|| plain_kernel(&linear, tokens, storage, limits));
        let weights = linear.weights(kernel.order);
        let (inputs, _) = weights.sides(storage);
        let norm = linear.norm.map(|(norm, _)| name(norm));
        let node = name(id);
        let weights = self.constant(ConstantValues::Linear {
            node: node.clone(),
            norm: norm.clone(),
            weights,
        });
        let bias = self.constant(ConstantValues::LinearBias {
            node,
            norm,
            inputs: linear.conv.in_channels,
            count: outputs,
            has_sums: linear.norm.is_some() && kernel.order == WeightOrder::Panels,
        });
        let to = self.made(linear.last);
        let op = GeneralOp::TokenLinear {
            from,
            to,
            residual,
            weights,
            bias,
            inputs,
            is_gelu: linear.is_gelu,
            eps: linear.norm.map(|(_, eps)| eps as f32),
        };
        let entry = format!("{}{}", kernel.entry, self.suffix());
        let grid = (
            tokens.div_ceil(kernel.tile.0) as u32,
            outputs.div_ceil(kernel.tile.1) as u32,
            kernel.split,
        );
        let (in_channels, out_channels) = (linear.conv.in_channels, linear.conv.out_channels);
        let read = pixels * (in_channels + residual.map_or(0, |_| out_channels))
            + in_channels * out_channels;
        let step = self.launch(id, op, entry, grid, (read, shape.len()));
        kernel.file.clone_into(&mut step.file);
        step.block = kernel.threads;
        step.shared_bytes = kernel.shared_bytes as u32;
        step.flops = 2 * (tokens * in_channels * out_channels) as u64;
        if linear.last != id {
            self.is_folded[linear.last] = true;
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Many tokens use large tiles, few tokens small ones, and shared memory is as `kernels/token_linear.cu` divides
    /// it.
    #[test]
    fn tiles_fill_a_device() {
        let h200 = DeviceLimits {
            compute_capability: (9, 0),
            multiprocessors: 132,
            shared_bytes_per_cta: 227 << 10,
            shared_bytes_per_multiprocessor: 228 << 10,
        };
        assert_eq!(tile(1024, 576, true, &h200), (32, 64));
        assert_eq!(tile(3600, 576, true, &h200), (64, 64));
        assert_eq!(tile(4096, 2048, true, &h200), (128, 128));
        assert_eq!(tile(1024, 192, false, &h200), (32, 64));
        assert_eq!(tile(3600, 192, false, &h200), (64, 64));
        assert_eq!(tile(4096, 512, false, &h200), (128, 128));
        let linear = |inputs, outputs, has_norm: bool| TokenLinear {
            conv: Conv::square(inputs, outputs, 1, 1),
            norm: has_norm.then_some((0, 1e-5)),
            is_gelu: false,
            residual: None,
            last: 0,
        };
        let hopper = |tokens, inputs, outputs, has_norm| {
            let layer = linear(inputs, outputs, has_norm);
            let kernel =
                hopper_kernel(&layer, tokens, NumberFormat::Fp16, &h200).expect("a kernel");
            assert!(kernel.shared_bytes + 1024 <= h200.shared_bytes_per_cta);
            let entry = kernel.entry.trim_start_matches("token_linear_wgmma_");
            (entry.to_owned(), kernel.shared_bytes)
        };
        let named = |entry: &str, bytes| (entry.to_owned(), bytes);
        assert_eq!(hopper(1024, 512, 2048, true), named("norm_128x128", 160 << 10));
        assert_eq!(hopper(1024, 192, 576, true), named("norm_64x64", 96 << 10));
        assert_eq!(hopper(3600, 192, 768, true), named("norm_128x64", 72 << 10));
        assert_eq!(hopper(64, 768, 3072, true), named("norm_64x32", 96 << 10));
        assert_eq!(hopper(4096, 2048, 512, false), named("128x128", (160 + 32) << 10));
        assert_eq!(hopper(1024, 2048, 512, false), named("64x64", (96 + 8) << 10));
        assert_eq!(hopper(64, 2048, 512, false), named("split_64x64", 64 << 10));
        assert_eq!(hopper(64, 512, 512, false), named("64x32", (96 + 4) << 10));
        assert_eq!(shared_bytes((32, 64), 384, false, &h200), 4 * 96 * 144);
        assert_eq!(shared_bytes((64, 64), 384, true, &h200), 4 * 64 * 144 + 64 * 400);
        let (single, fp32) = (linear(512, 512, true), NumberFormat::Fp32);
        assert_eq!(hopper_kernel(&single, 4096, fp32, &h200), None);
        let kernel = plain_kernel(&single, 4096, fp32, &h200);
        assert_eq!(kernel.entry, "token_linear_64x64");
        assert_eq!(kernel.shared_bytes, 4 * 64 * 144 + 64 * (2048 + 16));
        let kernel = plain_kernel(&linear(16, 512, true), 4096, fp32, &h200);
        assert_eq!(kernel.shared_bytes, 3 * 64 * 64 * 4, "sums need more");
    }
}
