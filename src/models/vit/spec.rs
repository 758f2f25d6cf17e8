//! The sizes of a network for any style picture, as data.

use serde::Deserialize;

use crate::graph::{MAX_CHANNELS, MAX_KERNEL_PX};

/// Most blocks of one kind.
const MAX_BLOCKS: usize = 64;

/// Why sizes make no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// A description that cannot be read.
    #[error("the network's description cannot be read: {0}")]
    Text(String),
    /// A size that does not go with the others, or is not run.
    #[error("{0}")]
    Size(String),
}

/// How a picture becomes tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stem {
    /// A linear layer on every square of pixels.
    Patches,
    /// A 9x9 convolution, then a 3x3 one for every halving: the channels of all but the last, which makes tokens.
    Convolutions(Vec<usize>),
}

/// How tokens become a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Head {
    /// A linear layer makes a square of pixels of each.
    Unpatch,
    /// For every doubling nearest neighbours, a 3x3 convolution, a norm and ReLU, at the end a 9x9 convolution.
    Convolutions {
        /// Channels of each.
        widths: Vec<usize>,
        /// Whether norms are over the map; otherwise they are scales and offsets alone.
        is_normed: bool,
        /// Residual blocks where four pixels are one.
        residuals: usize,
        /// Pixels to one at which the stem's map is added, 0 for nowhere.
        skip: usize,
    },
}

/// One network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Pixels of a token's side.
    pub stride: usize,
    /// Channels of a token.
    pub dim: usize,
    /// Heads of attention, which divide the channels.
    pub heads: usize,
    /// Blocks before the style's statistics.
    pub encoder_blocks: usize,
    /// Blocks behind them.
    pub decoder_blocks: usize,
    /// Blocks for the style picture alone; with 0 it goes through the encoder's.
    pub style_blocks: usize,
    /// Channels between the two layers of a feed-forward part.
    pub ffn: usize,
    /// The first layers.
    pub stem: Stem,
    /// The last layers.
    pub head: Head,
    /// Channels from which the style's scales and offsets of norms are made, 0 for norms with values of their own.
    pub modulation: usize,
    /// Whether tokens know where they lie.
    pub has_positions: bool,
}

/// As `tools/any_net.py` writes it.
#[derive(Deserialize)]
struct Fields {
    stride: usize,
    dim: usize,
    heads: usize,
    encoder_blocks: usize,
    decoder_blocks: usize,
    style_blocks: usize,
    ffn: usize,
    stem: String,
    stem_widths: Vec<usize>,
    head: String,
    head_widths: Vec<usize>,
    head_norm: String,
    residuals: usize,
    skip: usize,
    modulation: usize,
    positions: String,
    /// Tokens a side of the squares to which attention is kept, 0 for all tokens.
    #[serde(default)]
    window: usize,
    /// Tokens a side over which keys and values are averaged, up to 1 for none.
    #[serde(default)]
    pool: usize,
}

impl Spec {
    /// The four plain networks by name, with the side of the pictures for which they are meant: linear patches and
    /// unpatch, positions, the style through the encoder.
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
            has_positions: true,
        }
    }

    /// The sizes in a file's metadata.
    ///
    /// # Errors
    /// [`SpecError::Text`] for something else, and [`SpecError::Size`] as [`Spec::check`].
    pub fn from_json(text: &str) -> Result<Self, SpecError> {
        let fields: Fields =
            serde_json::from_str(text).map_err(|e| SpecError::Text(e.to_string()))?;
        let unknown = |what: &str, got: &str| {
            let got: String = got.chars().take(40).collect();
            SpecError::Text(format!("unsupported {what} {got:?}"))
        };
        if fields.window != 0 || fields.pool > 1 {
            return Err(SpecError::Text(
                "attention in windows or with pooled keys is not supported; train with window 0 and pool 1".to_owned(),
            ));
        }
        let spec = Self {
            stride: fields.stride,
            dim: fields.dim,
            heads: fields.heads,
            encoder_blocks: fields.encoder_blocks,
            decoder_blocks: fields.decoder_blocks,
            style_blocks: fields.style_blocks,
            ffn: fields.ffn,
            stem: match fields.stem.as_str() {
                "patches" => Stem::Patches,
                "convolutions" => Stem::Convolutions(fields.stem_widths),
                other => return Err(unknown("stem", other)),
            },
            head: match fields.head.as_str() {
                "unpatch" => Head::Unpatch,
                "convolutions" => Head::Convolutions {
                    widths: fields.head_widths,
                    is_normed: match fields.head_norm.as_str() {
                        "instance" => true,
                        "none" => false,
                        other => return Err(unknown("norm", other)),
                    },
                    residuals: fields.residuals,
                    skip: fields.skip,
                },
                other => return Err(unknown("head", other)),
            },
            modulation: fields.modulation,
            has_positions: match fields.positions.as_str() {
                "none" => false,
                "sinusoidal" => true,
                other => return Err(unknown("positions", other)),
            },
        };
        spec.check()?;
        Ok(spec)
    }

    /// Whether the sizes go together and are run.
    ///
    /// # Errors
    /// [`SpecError::Size`] says which do not.
    pub fn check(&self) -> Result<(), SpecError> {
        let wrong = |problem: String| Err(SpecError::Size(problem));
        let channels = |what: &str, count: usize| match (1..=MAX_CHANNELS).contains(&count) {
            true => Ok(()),
            false => Err(SpecError::Size(format!(
                "{what} has {count} channels; supported are 1 to {MAX_CHANNELS}"
            ))),
        };
        channels("a token", self.dim)?;
        channels("the feed-forward part", self.ffn)?;
        channels("all queries, keys and values", self.dim.saturating_mul(3))?;
        channels("the layer after the code", self.modulation.max(1))?;
        if self.heads == 0 || !self.dim.is_multiple_of(self.heads) {
            return wrong(format!("{} heads do not divide {} channels", self.heads, self.dim));
        }
        if self.has_positions && !self.dim.is_multiple_of(4) {
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
        if let Stem::Convolutions(widths) = &self.stem {
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
                let is_there = matches!(self.stem, Stem::Convolutions(_))
                    && skip.is_power_of_two()
                    && *skip < self.stride;
                if *skip != 0 && !is_there {
                    return wrong(format!("no map of {skip} pixels to one goes around the tokens"));
                }
            }
        }
        Ok(())
    }

    /// What two networks with equal weights may differ in.
    pub(super) fn numbers(&self) -> Vec<u32> {
        let sizes = [self.stride, self.dim, self.heads, self.skip()];
        let is = [self.has_positions, self.modulation > 0].map(u32::from);
        sizes.iter().map(|&size| u32::try_from(size).unwrap_or(u32::MAX)).chain(is).collect()
    }

    /// Pixels to one of the map that goes around the tokens; 0 for none.
    pub const fn skip(&self) -> usize {
        match self.head {
            Head::Unpatch => 0,
            Head::Convolutions { skip, .. } => skip,
        }
    }

    /// Channels of the stem's map where so many pixels, a power of two, are one.
    pub(super) fn stem_width(&self, pixels: usize) -> usize {
        match &self.stem {
            Stem::Patches => 0,
            Stem::Convolutions(widths) => {
                widths.get(pixels.ilog2() as usize).copied().unwrap_or_default()
            }
        }
    }

    /// Channels of the head's norms, in order, and their names.
    fn head_norms(&self) -> Vec<(String, usize)> {
        let Head::Convolutions { widths, residuals, .. } = &self.head else {
            return Vec::new();
        };
        let (mut norms, mut stride, mut blocks) = (Vec::new(), self.stride, 0);
        for (number, &width) in widths.iter().enumerate() {
            stride /= 2;
            norms.push((format!("head.norms.{number}"), width));
            for _ in 0..if stride == 4 { 2 * residuals } else { 0 } {
                norms.push((format!("head.block_norms.{blocks}"), width));
                blocks += 1;
            }
        }
        norms
    }

    /// Channels of all norms that the code steers, in its order.
    fn steered(&self) -> usize {
        let head: usize = self.head_norms().iter().map(|(_, width)| width).sum();
        self.dim * (2 * self.decoder_blocks + 1) + head
    }

    /// Numbers of a style code.
    pub fn code_len(&self) -> usize {
        match self.modulation {
            0 => 2 * self.dim,
            _ => 2 * self.dim + 2 * self.steered(),
        }
    }

    /// Names and sides of all weights, as in the PyTorch state dict.
    pub fn weights(&self) -> Vec<(String, Vec<usize>)> {
        let mut all = Vec::new();
        let dim = self.dim;
        let mut weighted = |name: &str, shape: &[usize]| {
            all.push((format!("{name}.weight"), shape.to_vec()));
            all.push((format!("{name}.bias"), vec![shape[0]]));
        };
        match &self.stem {
            Stem::Patches => weighted("stem.patches", &[dim, 3, self.stride, self.stride]),
            Stem::Convolutions(widths) => {
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
            let (mut from, mut stride, mut blocks) = (dim, self.stride, 0);
            for (number, &to) in widths.iter().enumerate() {
                stride /= 2;
                weighted(&format!("head.ups.{number}.conv"), &[to, from, 3, 3]);
                for _ in 0..if stride == 4 { 2 * residuals } else { 0 } {
                    weighted(&format!("head.blocks.{blocks}.conv"), &[to, to, 3, 3]);
                    blocks += 1;
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
            // The doubling behind which it is added.
            let number = self.stride.ilog2() as usize - 1 - skip.ilog2() as usize;
            let to = widths.get(number).copied().unwrap_or_default();
            all.push(("head.skip.weight".to_owned(), vec![to, self.stem_width(*skip), 1, 1]));
        }
        all
    }
}
