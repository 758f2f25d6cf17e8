//! Derives the sizes of a plain network from the shapes of its weights.

use super::{Spec, SpecError};

/// Channels of an attention head in all plain networks.
const HEAD_CHANNELS: usize = 64;

impl Spec {
    /// The plain network whose weights have these shapes, assuming heads of 64 channels. Does not check that all
    /// weights are present and fit; [`Spec::weights`] lists what is needed.
    ///
    /// # Errors
    /// [`SpecError`] if the shapes are not those of a plain network, or of one that is not supported.
    pub fn from_shapes<'s>(shape: impl Fn(&str) -> Option<&'s [usize]>) -> Result<Self, SpecError> {
        let needs = |name: &str, is: &str| {
            SpecError(format!(
                "{name} does not have the shape {is}, so the network's sizes cannot be detected"
            ))
        };
        let patches = "stem.patches.weight";
        let (dim, side) = match shape(patches) {
            Some(&[dim, 3, rows, columns]) if rows == columns => (dim, rows),
            _ => return Err(needs(patches, "[channels, 3, side, side]")),
        };
        let up = "encoder.0.up.weight";
        let Some(&[ffn, _]) = shape(up) else {
            return Err(needs(up, "[feed-forward channels, channels]"));
        };
        if dim == 0 || !dim.is_multiple_of(HEAD_CHANNELS) {
            return Err(SpecError(format!(
                "heads of {HEAD_CHANNELS} channels do not divide the {dim} channels of a token; a network with other heads needs metadata as written by tools/train_any.py"
            )));
        }
        let blocks = |part: &str| {
            let is_there = |block: &usize| shape(&format!("{part}.{block}.up.weight")).is_some();
            (0..).take_while(is_there).count()
        };
        let spec = Self {
            encoder_blocks: blocks("encoder"),
            decoder_blocks: blocks("decoder"),
            style_blocks: blocks("style_encoder"),
            ..Self::plain(side, dim, dim / HEAD_CHANNELS, 0, ffn)
        };
        spec.check()?;
        Ok(spec)
    }

    /// The name of the plain network with these sizes, if there is one.
    pub fn plain_name(&self) -> Option<&'static str> {
        Self::plain_ones().into_iter().find(|(_, _, spec)| spec == self).map(|(name, ..)| name)
    }
}
