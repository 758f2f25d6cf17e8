//! The sizes of a style transformer, as data.

use serde::Deserialize;

use crate::graph::{MAX_CHANNELS, MAX_KERNEL_PX};

/// Maximum number of blocks of each kind.
const MAX_BLOCKS: usize = 64;
/// Maximum length of an error's text, because it may quote a file.
const MAX_ERROR_CHARS: usize = 200;

/// Why a network's description cannot be read, or which sizes do not match or are not supported, as text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SpecError(pub String);

/// How a picture is converted to tokens.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "stem", rename_all = "lowercase")]
pub enum Stem {
    /// A linear layer on every square of pixels.
    Patches,
    /// A 9x9 convolution, then a 3x3 convolution per halving.
    Convolutions {
        /// Channels of all but the last, which makes the tokens.
        #[serde(rename = "stem_widths")]
        widths: Vec<usize>,
    },
}

/// How tokens are converted to a picture.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "head", rename_all = "lowercase")]
pub enum Head {
    /// A linear layer that makes a square of pixels from each token.
    Unpatch,
    /// For every doubling, nearest neighbour upsampling, a 3x3 convolution, a norm and ReLU. At the end a 9x9
    /// convolution.
    Convolutions {
        /// Channels after each doubling.
        #[serde(rename = "head_widths")]
        widths: Vec<usize>,
        #[serde(rename = "head_norm")]
        norm: HeadNorm,
        /// Number of residual blocks at a quarter of the picture's sides.
        residuals: usize,
        /// The reduction (in pixels per side) at which the stem's map is added; 0 if it is not.
        skip: usize,
    },
}

/// The norms of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HeadNorm {
    /// They normalize over the map.
    Instance,
    /// They are only scales and offsets.
    None,
}

/// The position encodings of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Positions {
    None,
    Sinusoidal,
}

/// The sizes of one network, in the format that `tools/any_net.py` writes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Spec {
    /// Side of a token, in pixels.
    pub stride: usize,
    /// Channels of a token.
    pub dim: usize,
    /// Attention heads; their number divides the channels.
    pub heads: usize,
    /// Blocks before the style's statistics are applied.
    pub encoder_blocks: usize,
    /// Blocks after that.
    pub decoder_blocks: usize,
    /// Blocks for the style picture alone. If 0, it uses the encoder's blocks.
    pub style_blocks: usize,
    /// Channels between the two layers of a feed-forward part.
    pub ffn: usize,
    #[serde(flatten)]
    pub stem: Stem,
    #[serde(flatten)]
    pub head: Head,
    /// Channels from which the style's scales and offsets of norms are computed; 0 if norms use trained ones.
    pub modulation: usize,
    pub positions: Positions,
}

/// The metadata of a network.
#[derive(Deserialize)]
struct Fields {
    #[serde(flatten)]
    spec: Spec,
    /// Side of the squares that attention is limited to, in tokens; 0 for all tokens.
    #[serde(default)]
    window: usize,
    /// Side of the squares over which keys and values are averaged, in tokens; 0 or 1 for no averaging.
    #[serde(default)]
    pool: usize,
}

impl Spec {
    /// The four plain networks with their names and the side of the pictures that they are meant for. Plain networks
    /// have linear patches and unpatch, position encodings, and no blocks for the style picture alone.
    pub fn plain_ones() -> [(&'static str, usize, Self); 4] {
        [
            ("nano", 256, Self::plain(32, 128, 2, 2, 512)),
            ("small", 256, Self::plain(32, 256, 4, 4, 1024)),
            ("base", 256, Self::plain(32, 512, 8, 6, 2048)),
            ("large", 512, Self::plain(32, 768, 12, 12, 3072)),
        ]
    }

    /// A plain network.
    pub const fn plain(stride: usize, dim: usize, heads: usize, blocks: usize, ffn: usize) -> Self {
        Self {
            stride,
            dim,
            heads,
            encoder_blocks: blocks,
            decoder_blocks: blocks,
            style_blocks: 0,
            ffn,
            stem: Stem::Patches,
            head: Head::Unpatch,
            modulation: 0,
            positions: Positions::Sinusoidal,
        }
    }

    /// The sizes in a file's metadata.
    ///
    /// # Errors
    /// [`SpecError`] if the text cannot be read, and as [`Spec::check`].
    pub fn from_json(text: &str) -> Result<Self, SpecError> {
        let fields = serde_json::from_str(text).map_err(|error| {
            let error: String = error.to_string().chars().take(MAX_ERROR_CHARS).collect();
            SpecError(format!("the network's description cannot be read: {error}"))
        })?;
        let Fields { spec, window, pool } = fields;
        if window != 0 || pool > 1 {
            return Err(SpecError(
                "attention in windows or with pooled keys is not supported; train with window 0 and pool 1".to_owned(),
            ));
        }
        spec.check()?;
        Ok(spec)
    }

    /// Checks that the sizes match each other and are supported.
    ///
    /// # Errors
    /// [`SpecError`] names the sizes that are wrong.
    pub fn check(&self) -> Result<(), SpecError> {
        let wrong = |problem: String| Err(SpecError(problem));
        let channels = |what: &str, count: usize| {
            if (1..=MAX_CHANNELS).contains(&count) {
                Ok(())
            } else {
                wrong(format!("{what} has {count} channels; supported are 1 to {MAX_CHANNELS}"))
            }
        };
        channels("a token", self.dim)?;
        channels("the feed-forward part", self.ffn)?;
        channels("all queries, keys and values", self.dim.saturating_mul(3))?;
        channels("the layer after the code", self.modulation.max(1))?;
        if self.heads == 0 || !self.dim.is_multiple_of(self.heads) {
            return wrong(format!("{} heads do not divide {} channels", self.heads, self.dim));
        }
        if self.positions == Positions::Sinusoidal && !self.dim.is_multiple_of(4) {
            return wrong(format!(
                "positions need a multiple of four channels; a token has {}",
                self.dim
            ));
        }
        for blocks in [self.encoder_blocks, self.decoder_blocks, self.style_blocks] {
            if blocks > MAX_BLOCKS {
                return wrong(format!(
                    "{blocks} blocks of one kind are more than the maximum of {MAX_BLOCKS}"
                ));
            }
        }
        if self.encoder_blocks == 0 {
            return wrong("a network needs at least one block".to_owned());
        }
        if !(1..=MAX_KERNEL_PX).contains(&self.stride) {
            return wrong(format!(
                "tokens of {} pixels are not supported; use 1 to {MAX_KERNEL_PX}",
                self.stride
            ));
        }
        let halvings = self.stride.ilog2() as usize;
        if let Stem::Convolutions { widths } = &self.stem {
            widths.iter().try_for_each(|&width| channels("the stem", width))?;
            if widths.len() != halvings || !self.stride.is_power_of_two() {
                return wrong(format!(
                    "{} halvings do not make tokens of {} pixels",
                    widths.len(),
                    self.stride
                ));
            }
        }
        match &self.head {
            Head::Unpatch => channels("a square of pixels", 3 * self.stride * self.stride)?,
            Head::Convolutions { widths, residuals, skip, .. } => {
                widths.iter().try_for_each(|&width| channels("the head", width))?;
                if widths.len() != halvings || !self.stride.is_power_of_two() || widths.is_empty() {
                    return wrong(format!(
                        "{} doublings do not undo tokens of {} pixels",
                        widths.len(),
                        self.stride
                    ));
                }
                if *residuals > MAX_BLOCKS {
                    return wrong(format!(
                        "{residuals} residual blocks are more than the maximum of {MAX_BLOCKS}"
                    ));
                }
                let is_there = matches!(self.stem, Stem::Convolutions { .. })
                    && skip.is_power_of_two()
                    && *skip < self.stride;
                if *skip != 0 && !is_there {
                    return wrong(format!("no map of {skip} pixels to one goes around the tokens"));
                }
            }
        }
        Ok(())
    }

    /// The sizes in which two networks with equal weights may differ.
    pub fn numbers(&self) -> Vec<u32> {
        let sizes = [self.stride, self.dim, self.heads, self.skip()];
        let is = [self.positions == Positions::Sinusoidal, self.modulation > 0].map(u32::from);
        sizes.iter().map(|&size| u32::try_from(size).unwrap_or(u32::MAX)).chain(is).collect()
    }

    /// The reduction (in pixels per side) of the map that bypasses the tokens; 0 if there is none.
    pub const fn skip(&self) -> usize {
        match self.head {
            Head::Unpatch => 0,
            Head::Convolutions { skip, .. } => skip,
        }
    }

    /// Channels of the stem's map at a reduction of `pixels` per side, a power of two.
    pub fn stem_width(&self, pixels: usize) -> usize {
        match &self.stem {
            Stem::Patches => 0,
            Stem::Convolutions { widths } => {
                widths.get(pixels.ilog2() as usize).copied().unwrap_or_default()
            }
        }
    }

    /// Names and channels of the head's norms, in order.
    fn head_norms(&self) -> Vec<(String, usize)> {
        let Head::Convolutions { widths, residuals, .. } = &self.head else {
            return Vec::new();
        };
        let (mut norms, mut stride) = (Vec::new(), self.stride);
        for (number, &width) in widths.iter().enumerate() {
            stride /= 2;
            norms.push((format!("head.norms.{number}"), width));
            for block in 0..if stride == 4 { 2 * residuals } else { 0 } {
                norms.push((format!("head.block_norms.{block}"), width));
            }
        }
        norms
    }

    /// Total channels of all norms that the code controls.
    fn steered(&self) -> usize {
        let head: usize = self.head_norms().iter().map(|(_, width)| width).sum();
        self.dim * (2 * self.decoder_blocks + 1) + head
    }

    /// Number of values in a style code.
    pub fn code_len(&self) -> usize {
        match self.modulation {
            0 => 2 * self.dim,
            _ => 2 * self.dim + 2 * self.steered(),
        }
    }

    /// Names and shapes of all weights, as in the PyTorch state dict.
    pub fn weights(&self) -> Vec<(String, Vec<usize>)> {
        let mut all = Vec::new();
        let dim = self.dim;
        let mut weighted = |name: &str, shape: &[usize]| {
            all.push((format!("{name}.weight"), shape.to_vec()));
            all.push((format!("{name}.bias"), vec![shape[0]]));
        };
        match &self.stem {
            Stem::Patches => weighted("stem.patches", &[dim, 3, self.stride, self.stride]),
            Stem::Convolutions { widths } => {
                let mut from = 3;
                for (number, &to) in widths.iter().chain([&dim]).enumerate() {
                    let side = if number == 0 { 9 } else { 3 };
                    weighted(&format!("stem.layers.{number}.conv"), &[to, from, side, side]);
                    from = to;
                }
            }
        }
        let is_steered = self.modulation > 0;
        for (part, blocks, has_norms) in [
            ("encoder", self.encoder_blocks, true),
            ("style_encoder", self.style_blocks, true),
            ("decoder", self.decoder_blocks, !is_steered),
        ] {
            for block in 0..blocks {
                let name = format!("{part}.{block}");
                if has_norms {
                    weighted(&format!("{name}.norm1"), &[dim]);
                    weighted(&format!("{name}.norm2"), &[dim]);
                }
                weighted(&format!("{name}.attention.qkv"), &[3 * dim, dim]);
                weighted(&format!("{name}.attention.out"), &[dim, dim]);
                weighted(&format!("{name}.up"), &[self.ffn, dim]);
                weighted(&format!("{name}.down"), &[dim, self.ffn]);
            }
        }
        weighted("style_norm", &[dim]);
        if !is_steered {
            weighted("decoder_norm", &[dim]);
        }
        if let Head::Convolutions { widths, residuals, .. } = &self.head {
            let (mut from, mut stride) = (dim, self.stride);
            for (number, &to) in widths.iter().enumerate() {
                stride /= 2;
                weighted(&format!("head.ups.{number}.conv"), &[to, from, 3, 3]);
                for block in 0..if stride == 4 { 2 * residuals } else { 0 } {
                    weighted(&format!("head.blocks.{block}.conv"), &[to, to, 3, 3]);
                }
                from = to;
            }
            weighted("head.out.conv", &[3, from, 9, 9]);
            if !is_steered {
                for (name, width) in self.head_norms() {
                    weighted(&name, &[width]);
                }
            }
        } else {
            weighted("head.pixels", &[3 * self.stride * self.stride, dim]);
        }
        if is_steered {
            weighted("code_hidden", &[self.modulation, 2 * dim]);
            weighted("code_norms", &[2 * self.steered(), self.modulation]);
        }
        if let Head::Convolutions { widths, skip, .. } = &self.head
            && *skip > 0
        {
            // The index of the doubling after which it is added.
            let number = self.stride.ilog2() as usize - 1 - skip.ilog2() as usize;
            let to = widths.get(number).copied().unwrap_or_default();
            all.push(("head.skip.weight".to_owned(), vec![to, self.stem_width(*skip), 1, 1]));
        }
        all
    }
}
